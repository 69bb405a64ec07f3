"""The yardstick: the marginal rule with all laws learned online, its hard-limit form, and the same given the truth.

Nothing here is shared with `dialer.pacing`: what is measured may not be measured by itself.
"""

from math import exp, sqrt
from typing import Any, Final, Protocol

import numpy as np

from benchmarks.pacing.policy import Dials
from benchmarks.pacing.rule import (
    BUSY_STEP_S,
    F8,
    N_BUSY,
    N_QUANTILES,
    N_RING,
    RING_STEP_S,
    answer_quantiles,
    calls_to_place,
    freed_tables,
    still_live,
)
from benchmarks.pacing.scenarios import Scenario, Stretch

#: Laws are computed afresh so often.
_REFRESH_S: Final = 10.0
#: Memory of the live rate, and of the fast window that notices jumps.
_RATE_MEMORY_S, _FAST_MEMORY_S = 1200.0, 120.0
_JUMP_ERRORS: Final = 4.0
#: Ring results kept in the histograms; conversations below which nothing is forgotten, and their memory above.
_RING_MEMORY, _BUSY_KEPT, _BUSY_MEMORY_S = 4000.0, 400.0, 2400.0
#: Evidence before the rule is trusted.
_OUTCOMES_LEAST, _TALKS_LEAST = 20, 4
#: Failures in a row that mean a dead trunk, the pause between probes, the age at which a probe has proved it alive.
_DEAD_AFTER, _PROBE_S, _ALIVE_S = 8, 5.0, 2.5

_RING_EDGES: Final = np.arange(N_RING) * RING_STEP_S
_EDGES: Final = np.array(
    [0, 2, 4, 6, 8, 10, 13, 16, 20, 25, 30, 36, 43, 50, 60, 70, 85, 100, 120, 145, 175, 210, 250, 300, 360, 430, 520,
     620, 750, 900, 1100.0]
)  # fmt: skip
_GRID: Final = np.arange(N_BUSY) * BUSY_STEP_S
_BIN_OF_GRID: Final = np.searchsorted(_EDGES, _GRID[:-1] + 0.5 * BUSY_STEP_S, side="right") - 1
_WIDTHS: Final = np.append(np.diff(_EDGES), np.inf)


class Laws(Protocol):
    """What the rule needs to know, learned or true."""

    #: Survival of ringing of calls that will be answered by a person, and of the rest.
    live: F8
    rest: F8
    #: Survival of talk and wrap-up.
    talk: F8
    wrap: F8

    def refresh(self, at: float, talking_s: F8, wrapping_s: F8) -> None:
        """Bring the survival functions up to date."""

    def p_live(self, at: float, ringing_s: F8) -> tuple[float, float]:
        """Return the rate of answers, and the same on the safe side."""

    def ready(self) -> bool:
        """Return whether there is evidence to predict on."""


class Durations:
    """A law of durations from events and exposure per bin: the occurrence/exposure rate, running ones censored."""

    def __init__(self, prior_s: float) -> None:
        self._prior_s = prior_s
        self._events = np.zeros(_EDGES.size)
        self._exposure_s = np.zeros(_EDGES.size)
        self._new: list[float] = []
        self._at = 0.0
        self.n = 0

    def add(self, duration_s: float) -> None:
        self._new.append(duration_s)
        self.n += 1

    def survival(self, at: float, running_s: F8) -> F8:
        """Return the survival function on the grid, given the ages of what still runs."""
        if self._events.sum() > _BUSY_KEPT:
            keep = exp(-(at - self._at) / _BUSY_MEMORY_S)
            self._events *= keep
            self._exposure_s *= keep
        self._at = at
        done_s = np.array(self._new)
        np.add.at(self._events, np.searchsorted(_EDGES, done_s, side="right") - 1, 1.0)
        self._exposure_s += _exposure(done_s)
        self._new.clear()
        exposure_s = self._exposure_s + _exposure(running_s)
        mean_s = (exposure_s.sum() + 2.0 * self._prior_s) / (self._events.sum() + 2.0)
        # Each bin is shrunk to the rate of its surroundings, that to the rate of the whole.
        around = np.convolve(self._events, np.ones(5), "same")
        around_s = np.convolve(exposure_s, np.ones(5), "same")
        near = (around + 4.0) / (around_s + 4.0 * mean_s)
        hazard = (self._events + 3.0) / (exposure_s + 3.0 / near)
        survival = np.ones(N_BUSY)
        survival[1:] = np.exp(-np.cumsum(hazard[_BIN_OF_GRID]) * BUSY_STEP_S)
        return survival


def _exposure(durations_s: F8) -> F8:
    """Return the time spent in each bin by durations of these lengths."""
    return np.asarray(np.clip(durations_s[:, None] - _EDGES, 0.0, _WIDTHS).sum(axis=0))


class _Rate:
    """Answers among outcomes with a fading memory of time."""

    def __init__(self, memory_s: float, prior: float) -> None:
        self.memory_s = memory_s
        self.live = 0.25 * prior
        self.total = prior
        self.at = 0.0

    def fade(self, at: float) -> None:
        keep = exp(-(at - self.at) / self.memory_s)
        self.live *= keep
        self.total *= keep
        self.at = at


class LearnedLaws:
    """Ring laws, live rate, talk and wrap-up from what is seen alone."""

    def __init__(self) -> None:
        self._ring_live = np.where((_RING_EDGES >= 3.0) & (_RING_EDGES < 25.0), 8.0 / 44.0, 0.0)
        self._ring_rest = np.where(_RING_EDGES < 26.0, 8.0 / 52.0, 0.0)
        self._talk, self._wrap = Durations(120.0), Durations(20.0)
        self._slow, self._fast = _Rate(_RATE_MEMORY_S, 2.0), _Rate(_FAST_MEMORY_S, 0.0)
        self._n_outcomes = 0
        self.live = self.rest = np.ones(N_RING)
        self.talk = self.wrap = np.ones(N_BUSY)

    def outcome(self, live: bool, ring_s: float) -> None:
        self._n_outcomes += 1
        histogram = self._ring_live if live else self._ring_rest
        histogram[min(N_RING - 1, int(ring_s / RING_STEP_S))] += 1.0
        for rate in (self._slow, self._fast):
            rate.live += live
            rate.total += 1.0

    def talked(self, duration_s: float) -> None:
        self._talk.add(duration_s)

    def wrapped(self, duration_s: float) -> None:
        self._wrap.add(duration_s)

    def ready(self) -> bool:
        return self._n_outcomes >= _OUTCOMES_LEAST and min(self._talk.n, self._wrap.n) >= _TALKS_LEAST

    def refresh(self, at: float, talking_s: F8, wrapping_s: F8) -> None:
        self._ring_live *= min(1.0, _RING_MEMORY / self._ring_live.sum())
        self._ring_rest *= min(1.0, _RING_MEMORY / self._ring_rest.sum())
        self.live, self.rest = _survival_of(self._ring_live), _survival_of(self._ring_rest)
        self.talk = self._talk.survival(at, talking_s)
        self.wrap = self._wrap.survival(at, wrapping_s)

    def p_live(self, at: float, ringing_s: F8) -> tuple[float, float]:
        self._slow.fade(at)
        self._fast.fade(at)
        slow = self._with_ringing(self._slow, ringing_s)
        if self._fast.total > 15.0:
            fast = self._with_ringing(self._fast, ringing_s)
            # Exponential weights: the weighted count is worth twice as many when it comes to variance.
            error = sqrt(slow * (1.0 - slow) / (2.0 * self._fast.total))
            if abs(fast - slow) > _JUMP_ERRORS * error:
                self._slow.live, self._slow.total = self._fast.live, self._fast.total
                slow = fast
        seen = self._slow.total + 1.0
        return slow, min(0.98, slow + 2.0 * sqrt(slow * (1.0 - slow) / seen))

    def _with_ringing(self, rate: _Rate, ringing_s: F8) -> float:
        p = rate.live / rate.total
        for _ in range(2):
            posterior = still_live(ringing_s, np.full(ringing_s.size, p), self.live, self.rest)
            p = (rate.live + posterior) / (rate.total + ringing_s.size)
        return min(0.98, max(0.005, p))


def _survival_of(histogram: F8) -> F8:
    survival = np.ones(N_RING)
    survival[1:] = 1.0 - np.cumsum(histogram)[:-1] / histogram.sum()
    return np.maximum(survival, 0.0)


class TrueLaws:
    """The laws of a scenario, known; of talk and wrap-up those of the calls dialled now."""

    def __init__(self, scenario: Scenario) -> None:
        self._scenario = scenario
        self._stretch: Stretch | None = None
        self.refresh(0.0, np.empty(0), np.empty(0))

    def ready(self) -> bool:
        return True

    def refresh(self, at: float, talking_s: F8, wrapping_s: F8) -> None:
        stretch = self._scenario.stretch(at)
        if stretch is self._stretch and (self._scenario.machine_detection or not stretch.wave):
            return
        self._stretch = stretch
        self.live = self._scenario.live_ring_survival(_RING_EDGES, at)
        self.rest = self._scenario.rest_ring_survival(_RING_EDGES, at)
        self.talk = self._scenario.talk_survival(_GRID, at)
        self.wrap = self._scenario.wrap_survival(_GRID, at)

    def p_live(self, at: float, ringing_s: F8) -> tuple[float, float]:
        p = self._scenario.p_live(at)
        return p, p


class Price:
    """The threshold that the budget of abandonment moves, answer by answer."""

    def __init__(self, *, limit: float, theta: float | None, agents: int, day_s: float, hard: bool) -> None:
        self._limit, self._fixed, self._agents, self._day_s, self._hard = limit, theta, agents, day_s, hard
        self._expected = max(100.0, agents * day_s / 130.0)
        #: Per answer on the logarithm: slow where a day has many answers.
        self._step = min(0.20, max(0.06, 120.0 / self._expected))
        self._theta = limit
        #: How much of the threshold a hard limit leaves now.
        self._brake = 1.0
        self.answers = 0
        self.abandoned = 0

    def _remaining(self, at: float) -> float:
        rate = (self.answers + 900.0 * self._agents / 130.0) / (at + 900.0)
        return rate * max(0.0, self._day_s - at)

    def answered(self, at: float, abandoned: bool) -> None:
        self.answers += 1
        self.abandoned += abandoned
        remaining = self._remaining(at)
        if self._hard:
            # Four calls are held in hand till late, so that the brake is seldom needed.
            balance = self._limit * self.answers - self.abandoned - self._reserve() - min(4.0, 0.01 * remaining)
            target = (self._limit + balance / max(20.0, min(800.0, remaining))) * self._brake
        else:
            # Late in the day what is left of the budget is not all spent; what is overspent is won back twice as fast.
            aim = 0.97 * self._limit
            balance = aim * self.answers - self.abandoned
            target = aim + balance / (
                max(remaining, 0.07 * self._expected) if balance > 0.0 else max(0.5 * remaining, 30.0)
            )
        target = min(1.6 * self._limit, max(0.0, target))
        self._theta *= exp(self._step * (target - abandoned))
        self._theta = min(6.0 * self._limit, max(0.05 * self._limit, self._theta))

    def _reserve(self) -> float:
        return 1.0 + min(1.0, self._agents / 12.0)

    def theta(self, at: float, waiting: int, answers_in_flight: float) -> float:
        """Return the threshold now; zero is progressive dialling."""
        if self._fixed is not None:
            return self._fixed
        if not self._hard:
            return self._theta
        credit = min(0.5 * self._remaining(at), 150.0)
        loss = self._limit * answers_in_flight
        reserve = self._reserve() + waiting + loss + sqrt(loss)
        room = self._limit * (self.answers + credit) - self.abandoned - reserve
        self._brake = min(1.0, max(0.0, room) / 1.5)
        return self._theta * self._brake


class MarginalPacer:
    """The marginal rule over some laws, its threshold moved by the budget of abandonment.

    Parameters
    ----------
    limit : float
        Abandoned per answer to keep to: the knob.
    theta : float, optional
        A fixed threshold instead of the budget.
    hard : bool
        Whether no day may end above the limit.
    forecasts : bool
        Whether the leads' own chances are believed.
    """

    def __init__(
        self,
        laws: Laws,
        *,
        agents: int,
        day_s: float,
        limit: float = 0.03,
        theta: float | None = None,
        hard: bool = False,
        patience_s: float = 2.0,
        ends_hard: bool = False,
        max_lines: int | None = None,
        forecasts: bool = False,
    ) -> None:
        self.laws = laws
        self.price = Price(limit=limit, theta=theta, agents=agents, day_s=day_s, hard=hard)
        self._patience_s, self._day_s, self._ends_hard = patience_s, day_s, ends_hard
        self._max_lines = max_lines
        self._forecasts = forecasts
        self._taste = max(0.2, 0.5 - 0.3 * (agents - 3) / 17.0) if forecasts else 0.0
        self._staff = agents
        self._at = 0.0
        #: Share of people among what picks up, for the calls in machine detection.
        self._p_person = 0.4
        self._refreshed_at = -1e9
        self._failures: list[float] = []
        self._dead_from: float | None = None
        self._probed_at = 0.0
        self._quantile_s = np.zeros(N_QUANTILES)
        self._freed = (np.zeros((0, 0)), np.zeros((0, 0)))

    # ---- learning

    def observe_outcome(self, kind: str, ring_s: float, p_answer: float | None = None) -> None:
        if kind == "failed":
            # Held back until a call that did not fail tells that the trunk was alive.
            self._failures.append(ring_s)
            if len(self._failures) >= _DEAD_AFTER and self._dead_from is None:
                self._dead_from = self._at
            return
        self._alive()
        self._outcome(kind == "live", ring_s)
        if kind in ("live", "machine"):
            self._p_person += 0.01 * ((kind == "live") - self._p_person)

    def _alive(self) -> None:
        if self._dead_from is None:
            for failed_s in self._failures:
                self._outcome(False, failed_s)
        self._dead_from = None
        self._failures.clear()

    def _outcome(self, live: bool, ring_s: float) -> None:
        if isinstance(self.laws, LearnedLaws):
            self.laws.outcome(live, ring_s)

    def observe_connected(self, wait_s: float) -> None:
        self.price.answered(self._at, False)

    def observe_abandoned(self, kind: str = "no_agent") -> None:
        self.price.answered(self._at, True)

    def observe_talk(self, duration_s: float) -> None:
        if isinstance(self.laws, LearnedLaws):
            self.laws.talked(duration_s)

    def observe_wrap(self, duration_s: float) -> None:
        if isinstance(self.laws, LearnedLaws):
            self.laws.wrapped(duration_s)

    def observe_staff(self, agents: int) -> None:
        self._staff = agents

    # ---- deciding

    def decide(
        self,
        at: float,
        free: int,
        waiting: int,
        talking_s: F8,
        wrapping_s: F8,
        ringing_s: F8,
        p_answer: F8 | None = None,
        p_next: F8 | None = None,
        detecting_s: F8 | None = None,
    ) -> Dials:
        self._at = at
        n_detecting = 0 if detecting_s is None else len(detecting_s)
        if at - self._refreshed_at >= _REFRESH_S:
            self.laws.refresh(at, talking_s, wrapping_s)
            self._quantile_s = answer_quantiles(self.laws.live)
            self._freed = freed_tables(self.laws.talk, self.laws.wrap, self._quantile_s + self._patience_s)
            self._refreshed_at = at
        p, p_safe = self.laws.p_live(at, ringing_s)
        in_flight = len(ringing_s) + n_detecting
        n_busy = len(talking_s) + len(wrapping_s)
        most = 10**6 if self._max_lines is None else max(0, self._max_lines - in_flight - waiting - len(talking_s))
        if self._dead_from is not None and not self._proved_alive(ringing_s):
            probe = not in_flight and at - self._probed_at >= _PROBE_S and free > 0
            if probe:
                self._probed_at = at
            return Dials(min(most, int(probe)))
        theta = self.price.theta(at, waiting, p * in_flight)
        if theta <= 0.0 or not self.laws.ready():
            return Dials(min(most, max(0, free - waiting - in_flight)))
        n_ringing = len(ringing_s)
        if self._forecasts and p_answer is not None:
            p_ringing, ahead = p_answer, (p_next if p_next is not None else np.empty(0))
        else:
            p_ringing, ahead = np.full(n_ringing, p_safe), np.empty(0)
        stay = min(1.0, max(0.0, (self._staff - free) / n_busy)) if n_busy else 1.0
        dials, _, _ = calls_to_place(
            free - waiting,
            talking_s,
            wrapping_s,
            ringing_s,
            p_ringing,
            np.full(n_detecting, self._p_person),
            ahead,
            p_safe,
            self.laws.live,
            self.laws.rest,
            self._quantile_s,
            *self._freed,
            stay,
            self._day_s - at if self._ends_hard else 1e9,
            theta,
            self._taste,
            most,
        )
        return Dials(int(dials))

    def _proved_alive(self, ringing_s: F8) -> bool:
        """Return whether a call placed since the trunk died has rung longer than a failure takes."""
        youngest_s = float(ringing_s.min()) if len(ringing_s) else 0.0
        if youngest_s < _ALIVE_S or self._at - youngest_s < self._probed_at - 1.0:
            return False
        self._alive()
        return True


def learned(scenario: Scenario, limit: float = 0.03, **settings: Any) -> MarginalPacer:
    """Return the learned reference for a day: it knows of it the team, the length and the lines."""
    return _for_day(LearnedLaws(), scenario, limit=limit, **settings)


def informed(scenario: Scenario, limit: float = 0.03, **settings: Any) -> MarginalPacer:
    """Return the same rule given the true laws, and the leads' forecasts as they are shown."""
    return _for_day(TrueLaws(scenario), scenario, limit=limit, forecasts=scenario.forecast is not None, **settings)


def _for_day(laws: Laws, scenario: Scenario, **settings: Any) -> MarginalPacer:
    return MarginalPacer(
        laws,
        agents=scenario.agents,
        day_s=scenario.day_s,
        patience_s=scenario.patience_s,
        ends_hard=scenario.ends_hard,
        max_lines=scenario.max_lines,
        **settings,
    )
