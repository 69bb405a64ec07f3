"""A day of the bench: one policy, one scenario, one seed; what the policy is told, and what came of it."""

from time import perf_counter_ns
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from benchmarks.pacing import forecasts, kernel
from benchmarks.pacing.laws import F8, Law
from benchmarks.pacing.policy import Policy
from benchmarks.pacing.scenarios import Scenario
from domain.errors import Broken
from simulation.chance import Purpose, mix

#: Leads whose forecasts a policy sees ahead.
LEADS_AHEAD = 60
OUTCOMES = ("live", "machine", "busy", "no_answer", "failed")

_WORD, _GAMMA = 0xFFFFFFFFFFFFFFFF, 0x9E3779B97F4A7C15
#: One purpose for each quantity of `kernel`, in the order of its rows.
_PURPOSES = (
    Purpose.answer,
    Purpose.machine,
    Purpose.ring,
    Purpose.talk,
    Purpose.wrap,
    Purpose.trait,
    Purpose.preview,
)
_MOVES = {"drifting": kernel.DRIFTING, "fading": kernel.FADING, "useless": kernel.USELESS}
_WAIT_STEPS = 36_000
#: |Z| of a standard normal Z.
_HALF_NORMAL = Law(family="half_normal", mean_s=(2.0 / np.pi) ** 0.5)


class DayResult(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a day."""

    #: (Talk + wrap-up) and talk alone, over logged-in time.
    occupancy: float
    talk_utilisation: float
    logged_in_s: float
    #: Time of an agent between two calls.
    wait_mean_s: float
    wait_p95_s: float
    #: What looked live: met an agent, met nobody, and both.
    connected: int
    abandoned: int
    answered: int
    #: Abandoned over answered: of the day, and of the worst half-hour of those with at least 20 answers.
    abandonment: float
    worst_half_hour: float
    dials: int
    dials_per_answer: float
    dials_into_outage: int
    lines_mean: float
    lines_most: int
    #: Cost of a decision: mean and median.
    decide_us: float
    decide_median_us: float


class Day:
    """The world of one day.

    Parameters
    ----------
    scenario : Scenario
    seed : int
    """

    def __init__(self, scenario: Scenario, seed: int) -> None:
        self.scenario = scenario
        self.n_ticks = round(scenario.day_s / scenario.tick_s)
        first = mix((seed + _GAMMA) & _WORD)
        self._keys = np.array([mix((first + purpose * _GAMMA) & _WORD) for purpose in _PURPOSES], dtype=np.uint64)
        self._tables = _tables(scenario)
        self._lists = _lists(scenario)
        self._rules, self._sights, self._odds = _truth(scenario, self.n_ticks)
        self._outages = np.array(scenario.outages, dtype=np.float64).reshape(-1, 2)
        staff = scenario.staff or ((0.0, scenario.agents),)
        if scenario.ends_hard:
            staff += ((scenario.day_s, -scenario.agents),)
        self._staff = np.array(staff, dtype=np.float64)
        self._agents = np.zeros(scenario.agents, dtype=kernel.AGENT)
        self._agents["until"] = np.inf
        #: Where the day stands: one record of `kernel.STATE`.
        self.state = np.zeros(1, dtype=kernel.STATE)
        self._waits = np.zeros(_WAIT_STEPS, dtype=np.int64)
        self._minutes = np.zeros((2, int(scenario.day_s / 60.0) + 1), dtype=np.int64)
        self._talking_s, self._wrapping_s = np.zeros(scenario.agents), np.zeros(scenario.agents)
        self._p_next = np.zeros(LEADS_AHEAD)
        #: Calls in flight, the first `state["calls"]` of them, with what will come of each: no policy may look.
        self.calls = np.zeros(0, dtype=kernel.CALL)
        self._queue = np.zeros(0, dtype=kernel.WAITER)
        self._make_room(1024)
        # Who is there at the start is there before the first decision.
        self._run(0, 0.0)
        self.state["ticks"] = 0

    @property
    def at(self) -> float:
        """Seconds since the start of the shift."""
        return float(self.state["at"][0])

    def _make_room(self, size: int) -> None:
        """Let arrays hold this many calls in flight, and all that can happen to them in a tick."""
        self.calls, self._queue = _longer(self.calls, size), _longer(self._queue, size)
        self._due = np.zeros(size, dtype=np.int64)
        # A call: outcome, connected or abandoned, talk, wrap-up; an agent: ends talk and wrap-up, comes and goes.
        self._events = np.zeros(8 * size + (2 + len(self._staff)) * len(self._agents), dtype=kernel.EVENT)
        self._ringing_s, self._shown, self._detecting_s = np.zeros(size), np.zeros(size), np.zeros(size)

    @property
    def free(self) -> int:
        """Agents who wait for a call."""
        return int(self.state["free"][0])

    @property
    def waiting(self) -> int:
        """Answered calls that wait for an agent."""
        return int(self.state["queue"][0])

    @property
    def logged_in(self) -> int:
        """Agents logged in, with those who will go after their call."""
        return int(self.state["logged_in"][0])

    @property
    def idle(self) -> bool:
        """Whether no call is in flight or waits."""
        return not (self.state["calls"][0] or self.state["queue"][0])

    def look(self) -> dict[str, Any]:
        """Return what a policy is shown, as the arguments of `decide`."""
        state = self.state[0]
        n_ringing, n_detecting = kernel.look(
            self.state, self.calls, self._agents, self._ringing_s, self._shown, self._detecting_s,
            self._talking_s, self._wrapping_s,
        )  # fmt: skip
        seen: dict[str, Any] = {
            "at": float(state["at"]),
            "free": int(state["free"]),
            "waiting": int(state["queue"]),
            "talking_s": self._talking_s[: state["talking"]],
            "wrapping_s": self._wrapping_s[: state["wrapping"]],
            "ringing_s": self._ringing_s[:n_ringing],
        }
        if self.scenario.forecast is not None:
            kernel.look_ahead(self.state, self._rules, self._keys, self._tables, self._sights, self._p_next)
            seen["p_answer"], seen["p_next"] = self._shown[:n_ringing], self._p_next
        if self.scenario.detection_s:
            seen["detecting_s"] = self._detecting_s[:n_detecting]
        return seen

    def step(self, dials: int) -> NDArray[np.void]:
        """Dial, go on to the next tick, and return what happened up to it, in time order, as `kernel.EVENT`."""
        if dials < 0:
            raise Broken(f"{self.scenario.name} at {self.at} s: a policy may dial 0 calls or more, not {dials}")
        state = self.state[0]
        if self.scenario.max_lines is not None:
            used = int(state["ringing"] + state["queue"] + state["talking"])
            dials = min(dials, max(0, self.scenario.max_lines - used))
        room = int(state["calls"] + state["queue"]) + dials
        if room > len(self.calls):
            self._make_room(2 * room)
        # From the count of ticks: a sum of steps would drift.
        return self._run(dials, (int(state["ticks"]) + 1) * self.scenario.tick_s)

    def _run(self, dials: int, to: float) -> NDArray[np.void]:
        kernel.step(
            dials, to, self.state, self._rules, self.calls, self._due, self._queue, self._agents, self._events,
            self._keys, self._tables, self._lists, self._odds, self._sights, self._outages, self._staff, self._waits,
            self._minutes,
        )  # fmt: skip
        return self._events[: self.state["events"][0]]

    def result(self, decide_us: F8) -> DayResult:
        """Return what came of the day, given the cost of each decision."""
        state = {name: self.state[name][0].item() for name in kernel.STATE.names or ()}
        answered = state["connected"] + state["abandoned"]
        window = np.lib.stride_tricks.sliding_window_view(self._minutes, min(30, self._minutes.shape[1]), axis=1)
        met, lost = window.sum(axis=2)
        enough = met + lost >= 20
        worst = float(np.max(lost[enough] / (met + lost)[enough])) if enough.any() else 0.0
        waits = np.cumsum(self._waits)
        return DayResult(
            occupancy=(state["talk_s"] + state["wrap_s"]) / state["logged_in_s"],
            talk_utilisation=state["talk_s"] / state["logged_in_s"],
            logged_in_s=state["logged_in_s"],
            wait_mean_s=state["wait_s"] / max(1, state["waits"]),
            wait_p95_s=float(np.searchsorted(waits, 0.95 * waits[-1]) + 0.5) * kernel.WAIT_STEP_S,
            connected=state["connected"],
            abandoned=state["abandoned"],
            answered=answered,
            abandonment=state["abandoned"] / max(1, answered),
            worst_half_hour=worst,
            dials=state["dialled"],
            dials_per_answer=state["dialled"] / max(1, answered),
            dials_into_outage=state["dialled_into_outage"],
            lines_mean=state["line_s"] / self.scenario.day_s,
            lines_most=state["lines_most"],
            decide_us=float(decide_us.mean()),
            decide_median_us=float(np.median(decide_us)),
        )


def run_day(policy: Policy, scenario: Scenario, seed: int) -> DayResult:
    """Let a fresh policy work a day.

    Parameters
    ----------
    policy : Policy
    scenario : Scenario
    seed : int
        Equal seeds: equal luck, whatever the policy.
    """
    day = Day(scenario, seed)
    decide_us = np.zeros(day.n_ticks)
    policy.observe_staff(day.logged_in)
    for tick in range(day.n_ticks):
        seen = day.look()
        before = perf_counter_ns()
        decision = policy.decide(**seen)
        decide_us[tick] = (perf_counter_ns() - before) * 1e-3
        _tell(policy, day.step(decision.dials), foretold=scenario.forecast is not None)
    while scenario.ends_hard and not day.idle:
        _tell(policy, day.step(0), foretold=scenario.forecast is not None)
    return day.result(decide_us)


def _tell(policy: Policy, events: NDArray[np.void], *, foretold: bool) -> None:
    for value, shown, word in events.tolist():
        if word < len(OUTCOMES):
            policy.observe_outcome(OUTCOMES[word], value, shown if foretold else None)
        elif word == kernel.CONNECTED:
            policy.observe_connected(value)
        elif word == kernel.ABANDONED:
            policy.observe_abandoned()
        elif word == kernel.TALKED:
            policy.observe_talk(value)
        elif word == kernel.WRAPPED:
            policy.observe_wrap(value)
        else:
            policy.observe_staff(int(value))


def _longer(array: NDArray[np.void], size: int) -> NDArray[np.void]:
    longer = np.zeros(size, dtype=array.dtype)
    longer[: len(array)] = array
    return longer


def _tables(scenario: Scenario) -> F8:
    """Return quantiles, one row a law, in the order of `kernel`'s rows."""
    laws = (
        scenario.person_ring,
        scenario.machine_ring,
        scenario.talk,
        scenario.wrap,
        scenario.machine_talk,
        scenario.machine_wrap,
        _HALF_NORMAL,
    )
    return np.array([law.quantiles() for law in laws])


def _lists(scenario: Scenario) -> F8:
    """Return the bounds of the shares of the rest and the talk factor, one row a stretch."""
    rows = []
    for stretch in scenario.stretches:
        shares = np.array([stretch.machine, stretch.busy, stretch.no_answer, stretch.invalid])
        rows.append([*np.cumsum(shares / shares.sum())[:3], stretch.talk_factor])
    return np.array(rows)


def _truth(scenario: Scenario, n_ticks: int) -> tuple[NDArray[np.void], F8, F8]:
    """Return the rules of the day, what the models show by what they see, and the odds of each tick."""
    rules = np.zeros(1, dtype=kernel.RULES)
    for name in ("day_s", "patience_s", "ring_out_s", "invalid_s", "detection_s", "ends_hard"):
        rules[name] = getattr(scenario, name)
    rules["detects"] = scenario.machine_detection
    odds = np.zeros((n_ticks, 3))
    starts = np.array([stretch.from_s for stretch in scenario.stretches])
    instants = np.arange(n_ticks) * scenario.tick_s
    odds[:, kernel.STRETCH] = np.searchsorted(starts, instants, side="right") - 1
    odds[:, kernel.P_PERSON] = [scenario.p_person(at) for at in instants]
    forecast = scenario.forecast
    if forecast is None:
        return rules, np.zeros(2), odds
    # What the models show, they learned on average days.
    p_mean = float(odds[:, kernel.P_PERSON].mean())
    sigma = forecasts.spread(p_mean, forecast.auc_true)
    rules["sigma"], rules["foretells"] = sigma, True
    rules["rho"] = forecasts.insight(p_mean, forecast.auc_true, forecast.auc_shown)
    rules["moves"] = _MOVES.get(forecast.distortion, kernel.STILL)
    rates = np.linspace(0.005, 0.995, 199)
    centres = [forecasts.centre(float(rate), sigma) for rate in rates]
    odds[:, kernel.MU] = np.interp(odds[:, kernel.P_PERSON], rates, centres)
    return rules, forecasts.shown(p_mean, forecast), odds
