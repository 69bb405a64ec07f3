"""The rivals, written afresh from their public behaviour (docs/pacing.md names the sources).

Each has one knob that trades abandonment for occupancy, so that all can be compared at equal abandonment
(`knobs` lists its values).
"""

from collections import deque
from enum import Enum
from math import exp, floor, log
from typing import Final, NamedTuple

import numba
import numpy as np

from benchmarks.pacing.policy import F8, Dials


class Seen(NamedTuple):
    """What rivals look at: none of them knows ages of ringing calls or forecasts."""

    at: float
    free: int
    waiting: int
    talking_s: F8
    wrapping_s: F8
    #: Calls that ring, or that machine detection listens to.
    unanswered: int

    def by_ratio(self, ratio: float) -> int:
        """Return the calls that bring so many lines to each free agent."""
        return floor(ratio * self.free + 0.5) - self.waiting - self.unanswered


class Rival:
    """A policy that learns nothing and dials one to one; rivals override what they listen to and how they decide."""

    def dials(self, seen: Seen) -> int:
        """Return how many calls to place; fewer than none is none."""
        return seen.by_ratio(1.0)

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
        """Return how many calls to place now."""
        unanswered = len(ringing_s) + (0 if detecting_s is None else len(detecting_s))
        return Dials(max(0, self.dials(Seen(at, free, waiting, talking_s, wrapping_s, unanswered))))

    def observe_outcome(self, kind: str, ring_s: float, p_answer: float | None = None) -> None:
        """Take how a call ended."""

    def observe_connected(self, wait_s: float) -> None:
        """Take that a live answer met an agent."""

    def observe_abandoned(self, kind: str = "no_agent") -> None:
        """Take that a live answer met nobody."""

    def observe_talk(self, duration_s: float) -> None:
        """Take the length of a conversation."""

    def observe_wrap(self, duration_s: float) -> None:
        """Take the length of a wrap-up."""

    def observe_staff(self, agents: int) -> None:
        """Take how many agents are logged in."""


class FixedRatio(Rival):
    """So many lines per free agent, whatever happens. A ratio of one is progressive dialling.

    Parameters
    ----------
    ratio : float
        Lines per free agent: the knob.
    """

    def __init__(self, ratio: float) -> None:
        self.ratio = ratio

    def dials(self, seen: Seen) -> int:
        return seen.by_ratio(self.ratio)


class Progressive(Rival):
    """One call per free agent that no ringing call covers yet."""


class VicidialMode(Enum):
    """What happens when the drops of the day exceed the limit."""

    average = "average"
    hard = "hard"
    tapered = "tapered"


class VicidialLike(Rival):
    """The adaptive level of VICIdial as released in 2024.

    Parameters
    ----------
    ready_only : bool
        Count free agents alone instead of free and talking ones.
    limit : float
        Drops per human answer above which the level is cut: the knob.
    max_level : float
        Where the level stops: the other knob, as its operators use it.
    ends_at_s : float, s
        When the latest calling hour, 21:00, is reached.
    """

    intensity: Final = 0.0
    level_difference: Final = 0.0

    def __init__(
        self,
        mode: VicidialMode,
        *,
        ready_only: bool,
        limit: float = 0.03,
        max_level: float = 3.0,
        ends_at_s: float = 28800.0,
    ) -> None:
        self.mode, self.ready_only, self.ends_at_s = mode, ready_only, ends_at_s
        self.limit, self.max_level = limit, max_level
        self.level = 1.0
        self._ready: deque[int] = deque(maxlen=15)
        self._waiting: deque[int] = deque(maxlen=15)
        self._logged_in: deque[int] = deque(maxlen=15)
        self._sampled_at = self._acted_at = self._levelled_at = self._counted_at = -1e9
        self._calls = self._humans = self._drops = 0
        #: Of the last minute: calls and drops at its start, and what it brought.
        self._start = (0, 0)
        self._minute = (0, 0)
        #: As of the last count, once a minute.
        self._today = (0, 0)

    def observe_connected(self, wait_s: float) -> None:
        self._humans += 1

    def observe_abandoned(self, kind: str = "no_agent") -> None:
        self._humans += 1
        self._drops += 1

    def dials(self, seen: Seen) -> int:
        with_agent = len(seen.talking_s)
        if seen.at - self._sampled_at >= 1.0:
            self._ready.append(seen.free)
            self._waiting.append(seen.waiting)
            self._logged_in.append(seen.free + with_agent + len(seen.wrapping_s))
            self._sampled_at = seen.at
        if seen.at - self._counted_at >= 60.0:
            self._minute = (self._calls - self._start[0], self._drops - self._start[1])
            self._start = (self._calls, self._drops)
            self._today = (self._humans, self._drops)
            self._counted_at = seen.at
        if seen.at - self._levelled_at >= 15.0:
            self.level = self._next_level(seen.at)
            self._levelled_at = seen.at
        if seen.at - self._acted_at < 2.5:
            return 0
        self._acted_at = seen.at
        agents = seen.free if self.ready_only else seen.free + with_agent
        goal = floor(self.level * agents + 0.5) + (with_agent if self.ready_only else 0)
        dials = max(0, goal - (seen.unanswered + seen.waiting + with_agent))
        self._calls += dials
        return dials

    def _next_level(self, at: float) -> float:
        logged_in = _mean(self._logged_in)
        if logged_in == 0.0:
            return 1.0
        share = (_mean(self._ready) - _mean(self._waiting) + self.level_difference) / logged_in
        share *= 1.0 + self.intensity / 100.0 if share >= 0.0 else abs(self.intensity / 100.0 - 1.0)
        level = min(self.max_level, max(1.0, self.level * (1.0 + share)))
        calls, drops = self._minute
        if calls > 20 and drops / calls > 0.5:
            level /= 2.0
        humans, drops = self._today
        if self._calls > 50 and humans and drops / humans > self.limit:
            match self.mode:
                case VicidialMode.hard:
                    level = 1.0
                case VicidialMode.average:
                    level /= 2.0
                case VicidialMode.tapered:
                    left = 2100 - _clock_digits(21 * 3600.0 - self.ends_at_s + at)
                    level = 1.0 if left < 0 else level * min(1.0, left / 1000.0)
        return max(1.0, level)


def _mean(values: deque[int]) -> float:
    return sum(values) / len(values) if values else 0.0


def _clock_digits(second_of_day: float) -> int:
    """Return HHMM as a decimal number, whose differences are not minutes: it is what the original subtracts."""
    minute = int(second_of_day) // 60
    return minute // 60 * 100 + minute % 60


class _Mean:
    """A mean over the last so many values, older ones fading."""

    def __init__(self, start: float, memory: float = 200.0) -> None:
        self.total, self.weight, self.memory, self.n = start, 1.0, memory, 0

    def add(self, value: float) -> None:
        keep = 1.0 - 1.0 / self.memory
        self.total, self.weight, self.n = self.total * keep + value, self.weight * keep + 1.0, self.n + 1

    @property
    def value(self) -> float:
        return self.total / self.weight


class IssabelLike(Rival):
    """The predictor of Issabel with overcommit: free agents and those whose call is about to end, over the answer rate.

    The answers wanted are divided by the answer rate first and the calls in flight are taken off after that, as in the
    original; the other way round it would be little more than progressive.

    Parameters
    ----------
    least_rate : float in (0, 1]
        The answer rate divided by is never lower: .20 in the original, and the knob here.
    quality : float in (0, 1)
        Probability of having ended above which a busy agent is counted.
    """

    def __init__(self, least_rate: float = 0.20, *, quality: float = 0.97) -> None:
        self.least_rate, self.quality = least_rate, quality
        self._ring, self._talk = _Mean(10.0), _Mean(120.0)
        self._recent: deque[tuple[float, bool]] = deque()
        self._n_live = 0
        self._at = 0.0

    def observe_outcome(self, kind: str, ring_s: float, p_answer: float | None = None) -> None:
        self._recent.append((self._at, kind == "live"))
        if kind == "live":
            self._n_live += 1
            self._ring.add(ring_s)

    def observe_talk(self, duration_s: float) -> None:
        self._talk.add(duration_s)

    def dials(self, seen: Seen) -> int:
        self._at = seen.at
        while self._recent and self._recent[0][0] < seen.at - 1800.0:
            self._n_live -= self._recent.popleft()[1]
        ending = 1.0 - np.exp(-(seen.talking_s + self._ring.value) / self._talk.value)
        wanted = float(seen.free + int(np.count_nonzero(ending >= self.quality)) - seen.waiting)
        if len(self._recent) >= 10:
            wanted = floor(wanted / max(self.least_rate, self._n_live / len(self._recent)) + 0.5)
        return int(wanted) - seen.unanswered


class SamuelsonLike(Rival):
    """A closed form: the answers expected while a new call rings equal the agents expected free by then.

    Talk and wrap-up are taken as exponential, the ringing calls as all equally likely to be answered.

    Parameters
    ----------
    share : float
        Part of the agents expected that is dialled for: the knob.
    """

    def __init__(self, share: float = 1.0, *, patience_s: float = 2.0) -> None:
        self.share, self.patience_s = share, patience_s
        self._live, self._ring = _Mean(0.3, 500.0), _Mean(10.0)
        self._talk, self._wrap = _Mean(120.0), _Mean(20.0)

    def observe_outcome(self, kind: str, ring_s: float, p_answer: float | None = None) -> None:
        self._live.add(float(kind == "live"))
        if kind == "live":
            self._ring.add(ring_s)

    def observe_talk(self, duration_s: float) -> None:
        self._talk.add(duration_s)

    def observe_wrap(self, duration_s: float) -> None:
        self._wrap.add(duration_s)

    def dials(self, seen: Seen) -> int:
        if self._live.n < 30 or self._talk.n < 5:
            return super().dials(seen)
        horizon_s = self._ring.value + self.patience_s
        talk_s, wrap_s = self._talk.value, max(0.1, self._wrap.value)
        wrap_left = exp(-horizon_s / wrap_s)
        # Both a conversation and its wrap-up have to end: the sum of two exponential times.
        if abs(talk_s - wrap_s) < 1e-3 * talk_s:
            both = 1.0 - wrap_left * (1.0 + horizon_s / wrap_s)
        else:
            both = 1.0 - (talk_s * exp(-horizon_s / talk_s) - wrap_s * wrap_left) / (talk_s - wrap_s)
        agents = seen.free + len(seen.talking_s) * both + len(seen.wrapping_s) * (1.0 - wrap_left)
        wanted = (self.share * agents - seen.waiting) / max(0.01, self._live.value)
        return floor(wanted) - seen.unanswered


class PiRatio(Rival):
    """A proportional and integral controller of the ratio: lines per free agent follow the abandonment seen.

    Parameters
    ----------
    limit : float
        Abandonment aimed at: the knob.
    kp, ki : float
        On the logarithm of the ratio: per unit of the recent error, and per unit of error and answer.
    """

    def __init__(self, limit: float = 0.03, *, kp: float = 3.0, ki: float = 0.1, memory: float = 100.0) -> None:
        self.limit, self.kp, self.ki, self.memory = limit, kp, ki, memory
        self._recent, self._integral = limit, log(1.5)

    @property
    def ratio(self) -> float:
        """Lines per free agent now."""
        return min(12.0, max(1.0, exp(self._integral + self.kp * (self.limit - self._recent))))

    def observe_connected(self, wait_s: float) -> None:
        self._answered(0.0)

    def observe_abandoned(self, kind: str = "no_agent") -> None:
        self._answered(1.0)

    def _answered(self, abandoned: float) -> None:
        self._recent += (abandoned - self._recent) / self.memory
        self._integral = min(log(12.0), max(0.0, self._integral + self.ki * (self.limit - abandoned)))

    def dials(self, seen: Seen) -> int:
        return seen.by_ratio(self.ratio)


class ImpactLike(Rival):
    """Replay the last hundred attempts at six ratios and keep the best one under the target.

    Parameters
    ----------
    limit : float
        Abandonment under which a ratio is taken: the knob.
    """

    ratios: Final = (1.0, 1.5, 2.0, 2.5, 3.0, 4.0)

    def __init__(self, limit: float = 0.03, *, patience_s: float = 2.0) -> None:
        self.limit, self.patience_s = limit, patience_s
        self.ratio = 1.0
        self._attempts: deque[tuple[float, bool]] = deque(maxlen=100)
        self._busy_s: deque[float] = deque(maxlen=100)
        self._wrap_s = _Mean(20.0)
        self._replayed_at = -1e9

    def observe_outcome(self, kind: str, ring_s: float, p_answer: float | None = None) -> None:
        self._attempts.append((ring_s, kind == "live"))

    def observe_talk(self, duration_s: float) -> None:
        self._busy_s.append(duration_s)

    def observe_wrap(self, duration_s: float) -> None:
        self._wrap_s.add(duration_s)

    def dials(self, seen: Seen) -> int:
        callers = seen.free + len(seen.talking_s) + len(seen.wrapping_s)
        if callers < 5 or len(self._attempts) < 50 or not self._busy_s:
            self.ratio = 1.0
        elif seen.at - self._replayed_at >= 30.0:
            self.ratio = self._replay(callers)
            self._replayed_at = seen.at
        return seen.by_ratio(self.ratio)

    def _replay(self, agents: int) -> float:
        ring_s = np.array([attempt[0] for attempt in self._attempts])
        live = np.array([attempt[1] for attempt in self._attempts])
        busy_s = np.array(self._busy_s) + self._wrap_s.value
        best, most = 1.0, -1.0
        for ratio in self.ratios:
            abandoned, connected, worked_s = replay(agents, ratio, ring_s, live, busy_s, self.patience_s)
            if abandoned <= self.limit * (abandoned + connected) and worked_s > most:
                best, most = ratio, worked_s
        return best


@numba.njit(cache=True)
def replay(agents: int, ratio: float, ring_s: F8, live: F8, busy_s: F8, patience_s: float) -> tuple[int, int, float]:
    """Return abandoned, connected and agents' seconds of work in 240 s of the attempts replayed in a circle.

    The agents start in the middle of the busy times seen, staggered evenly.
    """
    free_at = np.empty(agents)
    for i in range(agents):
        free_at[i] = busy_s[i % busy_s.size] * (i + 0.5) / agents
    ends_at = np.empty(0)
    ends_live = np.zeros(0, dtype=np.bool_)
    waiting_from = np.empty(0)
    n_placed, n_connected, n_abandoned, worked_s = 0, 0, 0, 0.0
    for second in range(240):
        now = float(second)
        ended = ends_at <= now
        waiting_from = np.concatenate((waiting_from, ends_at[ended & ends_live]))
        ends_at, ends_live = ends_at[~ended], ends_live[~ended]
        kept = np.zeros(waiting_from.size, dtype=np.bool_)
        for w in range(waiting_from.size):
            soonest = np.argmin(free_at)
            if free_at[soonest] <= now:
                length = busy_s[n_connected % busy_s.size]
                free_at[soonest] = now + length
                worked_s += min(length, 240.0 - now)
                n_connected += 1
            elif now - waiting_from[w] >= patience_s:
                n_abandoned += 1
            else:
                kept[w] = True
        waiting_from = waiting_from[kept]
        n_free = int((free_at <= now).sum())
        more = max(0, int(ratio * n_free + 0.5) - ends_at.size - waiting_from.size)
        rings = np.empty(more)
        lives = np.empty(more, dtype=np.bool_)
        for i in range(more):
            rings[i] = now + ring_s[(n_placed + i) % ring_s.size]
            lives[i] = live[(n_placed + i) % ring_s.size]
        n_placed += more
        ends_at = np.concatenate((ends_at, rings))
        ends_live = np.concatenate((ends_live, lives))
    return n_abandoned, n_connected, worked_s
