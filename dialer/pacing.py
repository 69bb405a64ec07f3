"""How many calls to place now. Pure numbers in, a decision out: no clock, no I/O, no chance.

A first honest version of predictive pacing: rates learned online with a memory of some hundred outcomes, a normal
approximation of (answers to come) against (agents who will be free), and a budget that stops prediction where the day's
abandonment leaves no room for one more. While evidence is thin it dials one call per free agent.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import erf, exp, pi, sqrt

import msgspec

#: Outcomes and conversations seen before prediction starts.
_EVIDENCE_OUTCOMES = 40
_EVIDENCE_TALKS = 8
#: Number of outcomes after which old ones weigh 1/e.
_MEMORY = 500.0
_PRIOR_LIVE, _PRIOR_N = 1.0, 4.0
_MAX_STEP = 400
#: How fast the tolerated risk of one more call follows the day's abandonment, and its bounds. The marginal risk is an
#: upper estimate (it counts every answer of the coming seconds as if at once), so the budget and not the estimate has
#: the last word.
_GAIN, _RISK_LEAST, _RISK_MOST = 0.3, 0.005, 0.6


class PacingSettings(msgspec.Struct, frozen=True, kw_only=True):
    #: Abandoned per call answered by a person that may not be exceeded.
    abandon_limit: float = 0.03
    patience_s: float = 2.0
    tick_s: float = 0.5
    agents: int = 20
    #: Lines that may be held at once; None: no limit here.
    max_lines: int | None = None
    #: Length of the shift.
    day_s: float = 28800.0


@dataclass(frozen=True, slots=True)
class Decision:
    """A number of calls, the binding reason, and the figures behind it."""

    dials: int
    #: enough_ringing, budget, cold_start, lines, one_per_free_agent or predicted.
    reason: str
    expected_free: float
    expected_answers: float
    budget_left: float


class _Mean(msgspec.Struct):
    """A mean with fading memory."""

    total: float = 0.0
    weight: float = 0.0
    n: int = 0

    def add(self, value: float) -> None:
        keep = 1.0 - 1.0 / _MEMORY
        self.total = self.total * keep + value
        self.weight = self.weight * keep + 1.0
        self.n += 1

    def value(self, prior: float) -> float:
        return (self.total + prior) / (self.weight + 1.0)


class _Learned(msgspec.Struct):
    live: float = 0.0
    outcomes: float = 0.0
    n_outcomes: int = 0
    ring: _Mean = msgspec.field(default_factory=_Mean)
    talk: _Mean = msgspec.field(default_factory=_Mean)
    wrap: _Mean = msgspec.field(default_factory=_Mean)
    connected: int = 0
    abandoned: int = 0
    staff: int = 0
    #: Tolerated risk of one more call, as a multiple of the limit.
    tolerance: float = 1.0


class Pacer:
    """Learns from outcomes and decides the number of calls to place.

    Parameters
    ----------
    settings : PacingSettings
    """

    def __init__(self, settings: PacingSettings) -> None:
        self.settings = settings
        self._learned = _Learned(staff=settings.agents)

    # ---- learning

    def observe_outcome(self, kind: str, ring_s: float, p_answer: float | None = None) -> None:
        """Take how a call ended: `live`, `machine`, `busy`, `no_answer` or `failed`, seconds after it was dialled."""
        learned = self._learned
        keep = 1.0 - 1.0 / _MEMORY
        learned.live = learned.live * keep + (kind == "live")
        learned.outcomes = learned.outcomes * keep + 1.0
        learned.n_outcomes += 1
        if kind == "live":
            learned.ring.add(ring_s)

    def observe_connected(self, wait_s: float) -> None:
        """Take that a person met an agent after a wait."""
        self._learned.connected += 1
        self._tolerate(self.settings.abandon_limit)

    def observe_abandoned(self, kind: str = "no_agent") -> None:
        """Take that a person met nobody: `no_agent`, `lost` in the switch, or cut by `detection`."""
        if kind == "no_agent":
            self._learned.abandoned += 1
            self._tolerate(self.settings.abandon_limit - 1.0)

    def _tolerate(self, surplus: float) -> None:
        """Move the tolerated risk by what an answer left of the budget, or took from it."""
        limit = max(self.settings.abandon_limit, 1e-6)
        risk = self._learned.tolerance * limit * exp(_GAIN * surplus)
        self._learned.tolerance = min(_RISK_MOST, max(_RISK_LEAST, risk)) / limit

    def observe_talk(self, duration_s: float) -> None:
        """Take the length of a conversation."""
        self._learned.talk.add(duration_s)

    def observe_wrap(self, duration_s: float) -> None:
        """Take the length of a wrap-up."""
        self._learned.wrap.add(duration_s)

    def observe_staff(self, agents: int) -> None:
        """Take how many agents work for this campaign now."""
        self._learned.staff = agents

    # ---- deciding

    def decide(
        self,
        at: float,
        free: int,
        waiting: int,
        talking_s: Sequence[float],
        wrapping_s: Sequence[float],
        ringing_s: Sequence[float],
        p_answer: Sequence[float] | None = None,
        p_next: Sequence[float] | None = None,
        detecting_s: Sequence[float] | None = None,
    ) -> Decision:
        """Return how many calls to place now.

        Parameters
        ----------
        at : float, s
            Since the start of the shift.
        free, waiting : int
            Agents free and not reserved; answered people without an agent.
        talking_s, wrapping_s, ringing_s, detecting_s : sequences of float, s
            Time spent so far per talking agent, wrapping agent, unanswered call, call in machine detection.
        p_answer : sequence of float in [0, 1], optional
            Forecast per unanswered call, in the order of `ringing_s`.
        p_next : sequence of float in [0, 1], optional
            Forecasts of the next leads.

        Returns
        -------
        Decision
            `dials` in [0, max_lines].
        """
        learned, settings = self._learned, self.settings
        n_detecting = len(detecting_s) if detecting_s is not None else 0
        in_flight = len(ringing_s) + waiting + n_detecting
        one_each = max(0, free - in_flight)
        answers = learned.connected + learned.abandoned
        budget_left = settings.abandon_limit * (answers + 1) - learned.abandoned
        room = settings.max_lines - in_flight - len(talking_s) if settings.max_lines is not None else _MAX_STEP
        if learned.n_outcomes < _EVIDENCE_OUTCOMES or learned.talk.n < _EVIDENCE_TALKS:
            return Decision(min(one_each, max(0, room)), "cold_start", float(free), float(in_flight), budget_left)
        # The rate is taken two standard errors high: too many answers harm people, too few only idle agents.
        n_seen = learned.outcomes + _PRIOR_N
        p_live = (learned.live + _PRIOR_LIVE) / n_seen
        p_live = min(0.99, p_live + 2.0 * sqrt(p_live * (1.0 - p_live) / n_seen))
        ring_s = learned.ring.value(10.0)
        horizon_s = ring_s + settings.patience_s
        mean_free, spread_free = _freed(
            talking_s, wrapping_s, horizon_s, learned.talk.value(120.0), learned.wrap.value(20.0)
        )
        mean_free += free
        mean_answers, spread_answers = 0.9 * n_detecting + waiting, 0.09 * n_detecting
        for index, age_s in enumerate(ringing_s):
            p = p_answer[index] if p_answer is not None else p_live
            # A call that has rung longer than most answers take is less and less likely to be one.
            p *= exp(-max(0.0, age_s - ring_s) / ring_s)
            mean_answers += p
            spread_answers += p * (1.0 - p)
        reason, threshold = "predicted", learned.tolerance * settings.abandon_limit
        if budget_left < 1.0 and learned.abandoned:
            reason, threshold = "budget", 0.0
        elif budget_left < 2.0:
            threshold *= 0.5
        dials = 0
        if threshold > 0.0:
            loss = _excess(mean_answers - mean_free, spread_free + spread_answers)
            while dials < min(room, _MAX_STEP):
                p = p_next[dials] if p_next is not None and dials < len(p_next) else p_live
                more = _excess(mean_answers + p - mean_free, spread_free + spread_answers + p * (1.0 - p))
                if more - loss > threshold * p:
                    break
                dials, loss = dials + 1, more
                mean_answers += p
                spread_answers += p * (1.0 - p)
        if dials < one_each:
            dials = one_each
        elif not dials and reason != "budget":
            reason = "enough_ringing"
        if dials > max(0, room):
            dials, reason = max(0, room), "lines"
        return Decision(dials, reason, mean_free, mean_answers, budget_left)

    # ---- memory

    def state(self) -> bytes:
        """Return all that was learned."""
        return msgspec.msgpack.encode(self._learned)

    @classmethod
    def restore(cls, settings: PacingSettings, blob: bytes) -> "Pacer":
        """Return a pacer that decides as the one whose `state` this is."""
        pacer = cls(settings)
        pacer._learned = msgspec.msgpack.decode(blob, type=_Learned)
        return pacer


def _freed(
    talking_s: Sequence[float], wrapping_s: Sequence[float], horizon_s: float, talk_s: float, wrap_s: float
) -> tuple[float, float]:
    """Return mean and variance of the number of busy agents who will be free within the horizon.

    Talk and wrap-up are taken as exponential: the time already spent tells nothing.
    """
    wrap_done = 1.0 - exp(-horizon_s / wrap_s)
    if abs(talk_s - wrap_s) < 1e-6 * talk_s:
        talk_done = 1.0 - exp(-horizon_s / talk_s) * (1.0 + horizon_s / talk_s)
    else:
        talk_done = 1.0 - (talk_s * exp(-horizon_s / talk_s) - wrap_s * exp(-horizon_s / wrap_s)) / (talk_s - wrap_s)
    n_talking, n_wrapping = len(talking_s), len(wrapping_s)
    mean = n_talking * talk_done + n_wrapping * wrap_done
    return mean, n_talking * talk_done * (1.0 - talk_done) + n_wrapping * wrap_done * (1.0 - wrap_done)


def _excess(mean: float, variance: float) -> float:
    """Return E[max(0, X)] of a normal X: how many people would meet nobody."""
    if variance <= 1e-12:
        return max(0.0, mean)
    spread = sqrt(variance)
    z = mean / spread
    return spread * exp(-0.5 * z * z) / sqrt(2.0 * pi) + mean * 0.5 * (1.0 + erf(z / sqrt(2.0)))
