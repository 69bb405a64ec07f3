"""The face of pacing: what happened goes in, a number of calls comes out."""

from collections.abc import Callable, Sequence
from functools import partial
from math import isnan

import msgspec
import numpy as np

from dialer.pacing import given, kernel
from dialer.pacing.budget import Budget, in_force
from dialer.pacing.decision import Decision
from dialer.pacing.kernel import Floats
from dialer.pacing.laws import Rings, Spells
from dialer.pacing.rates import AnswerRate, Forecasts, Progress
from dialer.pacing.seen import Seen
from dialer.pacing.settings import PacingSettings
from dialer.pacing.trunk import Trunk
from domain.errors import BadInput

#: Outcomes (the more, the larger the team) and talks seen before prediction starts.
_COLD_OUTCOMES, _COLD_SHARE, _COLD_TALKS = 20, 0.6, 3
#: Until then one call is dialled per free agent; teams from this size dial so many, as no list is known of which more
#: than six calls in ten are answered by people.
_COLD_TEAM, _COLD_EACH = 40, 1.6
#: Standard errors by which the answer rate is taken too high: too many answers harm people, too few idle agents.
_CAUTION = 1.0
#: Calls of one decision, where nothing else limits them.
_MOST = 1000
#: Talks and wrap-ups that tell how long each takes.
_SERVICE_MEMORY = 300
#: Decisions hear of finished spells one by one in teams smaller than this, every second or two in larger ones.
_TELL_STAFF = 25
#: Leavers so far ahead matter to the calls of now.
_AHEAD_S = 60.0
_NONE: tuple[float, ...] = ()
_EMPTY, _NOBODY, _UNTOLD = np.empty(0), np.empty((0, 2)), np.empty(0, np.uint8)


class _Memory(msgspec.Struct):
    """All that was learned."""

    rings: Rings
    rate: AnswerRate
    forecasts: Forecasts
    progress: Progress
    talk: Spells
    wrap: Spells
    finish: Spells
    budget: Budget
    trunk: Trunk
    #: Finished spells that decisions have not been told of, and how often they were told.
    untold: int = 0
    tellings: int = 0
    #: Means, for the answers to come.
    talk_s: float = 120.0
    wrap_s: float = 20.0
    #: Persons and machines among answers, for calls in detection.
    live: float = 2.0
    machine: float = 2.0
    staff: int = 0


def _encode(array: object) -> bytes:
    assert isinstance(array, np.ndarray)
    return array.tobytes()


def _decode(kind: type, blob: bytes) -> object:
    return np.frombuffer(blob, dtype=np.float64).copy()


_ENCODER = msgspec.msgpack.Encoder(enc_hook=_encode)
_DECODER = msgspec.msgpack.Decoder(_Memory, dec_hook=_decode)


class Pacer:
    """Learns from outcomes and decides the number of calls to place.

    Parameters
    ----------
    settings : PacingSettings
    """

    def __init__(self, settings: PacingSettings) -> None:
        self.settings = settings
        #: Of the last decision. Not part of what was learned: a record that is folded decides nothing.
        self._at = 0.0
        self._memory = _Memory(
            rings=Rings(),
            rate=AnswerRate(),
            forecasts=Forecasts(),
            progress=Progress(),
            talk=Spells(prior_s=60.0),
            wrap=Spells(prior_s=12.0),
            finish=Spells(prior_s=10.0),
            budget=Budget(),
            trunk=Trunk(held=[]),
            staff=settings.agents,
        )
        #: What `kernel.outcomes` and `kernel.spells` make of it.
        self._survival, self._moments = np.zeros((2, kernel.RING_BINS + 2)), np.zeros(kernel.MOMENTS)
        tables, hazards = np.zeros((3, kernel.AGES, kernel.HORIZONS)), np.zeros((3, kernel.SPELL_BINS + 1))
        self._spells = tables, hazards, np.zeros(3), np.zeros(3), np.zeros(kernel.HORIZONS)
        #: As of which telling these five are.
        self._told = -1
        #: `kernel.asked` with all of these.
        self._ask = partial(kernel.asked, self._survival, self._moments, *self._spells)
        #: The rate of answers, the same on the safe side, and `kernel.asked` with all that was learned, as long as
        #: nothing new is.
        self._known: tuple[float, float, Callable[..., tuple[int, int, float, float, float]]] | None = None
        self._warm()

    @property
    def settings(self) -> PacingSettings:
        return self._settings

    @settings.setter
    def settings(self, settings: PacingSettings) -> None:
        self._settings, self._limits = settings, in_force(settings)

    def _warm(self) -> None:
        """Have every kernel loaded, or compiled where the cache is cold, before the first tick."""
        Spells(prior_s=1.0).add(1.0)
        rings, rate = Rings(), AnswerRate()
        kernel.add_outcome(True, 0.0, 1, rings.live, rings.rest, rate.live, rate.seen, rate.beliefs)
        rate.value()
        Budget().risk(self._limits, 0.0, 1.0, 1, 0)
        kernel.believed(_EMPTY, 0.5, 0.0, 1.0, 0.0, 0.5)
        ask = self._believes()[2]
        ask(0, 0, 0, _EMPTY, 0, 0, 0, _EMPTY, _UNTOLD, _EMPTY, _NOBODY, 0.0, 1.0, 1, 0, self._settings.patience_s)
        self._told, self._known = -1, None

    # ---- learning

    def observe_outcome(
        self,
        kind: str,
        ring_s: float,
        p_answer: float | None = None,
        *,
        at: float | None = None,
        progress: int | None = None,
    ) -> None:
        """Take how a call ended.

        Parameters
        ----------
        kind : str
            `live`, `machine`, `busy`, `no_answer` or `failed`.
        ring_s : float, s
            From the dial to the outcome.
        p_answer : float in [0, 1], optional
            The forecast that the call had; NaN, as None, where there was none.
        at : float, s, optional
            When, since the start of the shift; without it the last decision's time.
        progress : int, optional
            The last that the network had told before: 0 nothing, 1 ringing, 2 early media.

        Raises
        ------
        BadInput
            Of what cannot be, before anything is learned of it; likewise from all that is observed or asked here.
        """
        given.one_of("kind", kind, given.KINDS)
        given.seconds("ring_s", ring_s)
        if p_answer is not None and not 0.0 <= p_answer <= 1.0:
            if not isnan(p_answer):
                given.number("p_answer", p_answer, most=1.0)
            p_answer = None
        if progress is not None:
            given.one_of("progress", progress, given.STAGES)
        if kind == "failed":
            self.learn_failure(ring_s, self._at if at is None else at, progress)
        else:
            self.learn(kind, float(ring_s), p_answer, progress)

    def learn(self, kind: str, ring_s: float, p_answer: float | None, progress: int | None) -> None:
        """Take what `observe_outcome` does but a failure, of what is known to be what it is said to be."""
        memory = self._memory
        for held_s, held_progress in memory.trunk.take_other():
            self._take(False, float(held_s), None, held_progress)
        is_live = kind == "live"
        self._take(is_live, ring_s, p_answer, progress)
        if is_live:
            memory.live += 1.0
        elif kind == "machine":
            memory.machine += 1.0

    def learn_failure(self, ring_s: float, at: float, progress: int | None) -> None:
        """Take a failure likewise."""
        self._memory.trunk.take_failure(at, ring_s, progress, self._memory.staff)

    def _take(self, is_live: bool, ring_s: float, p_answer: float | None, progress: int | None) -> None:
        memory, self._known = self._memory, None
        rate, rings = memory.rate, memory.rings
        if p_answer is not None:
            memory.forecasts.add(is_live, p_answer, rate.value())
        rate.n += 1
        kernel.add_outcome(is_live, ring_s, memory.staff, rings.live, rings.rest, rate.live, rate.seen, rate.beliefs)
        if progress is not None:
            memory.progress.add(is_live, progress)

    def observe_connected(self, wait_s: float) -> None:
        """Take that a person met an agent after a wait."""
        given.seconds("wait_s", wait_s)
        self._memory.budget.answered += 1

    def observe_heard_machine(self) -> None:
        """Take that an answer was a machine's, as the agent who met it says: the limit is on answers by people."""
        self._memory.budget.answered -= 1
        self._memory.budget.heard += 1

    def observe_abandoned(self, kind: str = "no_agent") -> None:
        """Take that a person met nobody: `no_agent`, `lost` in the switch, or cut by `detection`."""
        given.one_of("kind", kind, given.ABANDONED)
        if kind in self.settings.counted:
            self._memory.budget.answered += 1
            self._memory.budget.abandoned += 1

    def observe_talk(self, duration_s: float) -> None:
        """Take the length of a conversation."""
        given.seconds("duration_s", duration_s)
        memory = self._memory
        memory.talk.add(duration_s)
        memory.talk_s += (duration_s - memory.talk_s) / min(memory.talk.n, _SERVICE_MEMORY)
        self._tell()

    def observe_wrap(self, duration_s: float) -> None:
        """Take the length of a wrap-up."""
        given.seconds("duration_s", duration_s)
        memory = self._memory
        memory.wrap.add(duration_s)
        memory.wrap_s += (duration_s - memory.wrap_s) / min(memory.wrap.n, _SERVICE_MEMORY)
        self._tell()

    def observe_finish(self, duration_s: float) -> None:
        """Take how long an agent still talked after the signal that the talk was about to end."""
        given.seconds("duration_s", duration_s)
        self._memory.finish.add(duration_s)
        self._tell()

    def _tell(self) -> None:
        """Let decisions hear of finished spells, unless they have heard of others a moment ago.

        By counts and not by the clock: what was folded from a record or restored has heard the same.
        """
        memory = self._memory
        memory.untold += 1
        if memory.untold * _TELL_STAFF > memory.staff:
            for spells in (memory.talk, memory.wrap, memory.finish):
                if spells.n:
                    spells.tell()
            memory.untold, self._known = 0, None
            memory.tellings += 1

    def forget_forecasts(self) -> None:
        """Begin anew with what forecasts are worth: they tell of something else now, of machines too or no more."""
        self._memory.forecasts = Forecasts()

    def observe_staff(self, agents: int) -> None:
        """Take how many agents work for this campaign now."""
        given.count("agents", agents)
        self._memory.staff = agents

    # ---- deciding

    @property
    def trunk_failing(self) -> bool:
        """Whether calls fail in a row as on a dead trunk: only a probe now and then is placed."""
        return self._memory.trunk.dead

    def decide(
        self,
        at: float,
        free: int,
        waiting: int,
        talking_s: Sequence[float] | Floats,
        wrapping_s: Sequence[float] | Floats,
        ringing_s: Sequence[float] | Floats,
        p_answer: Sequence[float] | Floats | None = None,
        p_next: Sequence[float] | Floats | None = None,
        detecting_s: Sequence[float] | Floats | None = None,
        *,
        finishing_s: Sequence[float] | Floats | None = None,
        progress: Sequence[int] | None = None,
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
        p_answer, p_next : sequences of float in [0, 1], optional
            Forecasts per unanswered call, in the order of `ringing_s`, and of the next leads; NaN where there is none.
        finishing_s : sequence of float, s, optional
            Since the signal that the talk is about to end, per agent who gave one; these are not in `talking_s`.
        progress : sequence of int, optional
            The last that the network told of each unanswered call: 0 nothing, 1 ringing, 2 early media.

        Returns
        -------
        Decision
            `dials` is 0 or more and never above the lines.
        """
        ages_s = given.spells(
            talking_s=talking_s,
            wrapping_s=wrapping_s,
            finishing_s=_NONE if finishing_s is None else finishing_s,
            ringing_s=ringing_s,
        )
        given.seconds("at", at)
        given.count("free", free)
        given.count("waiting", waiting)
        if p_answer is not None:
            given.alike("p_answer", len(p_answer), len(ringing_s))
        if progress is not None:
            given.alike("progress", len(progress), len(ringing_s))
        seen = Seen(
            ages_s=ages_s,
            talking=len(talking_s),
            wrapping=len(wrapping_s),
            finishing=0 if finishing_s is None else len(finishing_s),
            ringing=len(ringing_s),
            told=_UNTOLD if progress is None else np.frombuffer(bytearray(progress), dtype=np.uint8),
            p_answer=p_answer,
            detecting=0 if detecting_s is None else len(detecting_s),
            waiting=waiting,
        )
        return self.answer(at, free, seen, p_next)

    def answer(self, at: float, free: int, seen: Seen, p_next: Sequence[float] | Floats | None = None) -> Decision:
        """Return what `decide` does, of what is known to be what it is said to be."""
        memory, settings = self._memory, self._settings
        self._at = at
        ages_s, talking, wrapping, finishing = seen.ages_s, seen.talking, seen.wrapping, seen.finishing
        ringing, waiting, detecting, staff = seen.ringing, seen.waiting, seen.detecting, memory.staff
        busy = talking + wrapping + finishing
        in_flight = ringing + waiting + detecting
        room, full = _MOST, "lines"
        if settings.max_lines is not None:
            room = min(room, settings.max_lines - in_flight - talking - finishing)
        if settings.calls_per_second is not None:
            # By the clock, so that one call in several ticks is exact too.
            per_second = settings.calls_per_second
            per_tick = int((at + settings.tick_s) * per_second) - int(at * per_second)
            if per_tick < room:
                room, full = per_tick, "calls_per_second"
        room = max(0, room)
        n_staff = free + busy
        agent_s, service_s = self._agent_s(at, n_staff), memory.talk_s + memory.wrap_s
        theta, budget_left, headroom = memory.budget.risk(self._limits, agent_s, service_s, staff, waiting)
        rate, p, ask = self._believes()
        free_soon, answers, risk = float(free), float(in_flight), 0.0
        if memory.trunk.dead:
            dials, reason = int(free > 0 and not ringing and memory.trunk.may_probe(at)), "trunk_failing"
        elif not n_staff:
            dials, reason = 0, "no_agents"
        elif memory.rate.n < _COLD_OUTCOMES or memory.rate.n < _COLD_SHARE * staff:
            first = free
            if staff >= _COLD_TEAM:
                # If every call were answered after all, a hard limit would still hold.
                first += int(min((_COLD_EACH - 1.0) * free, max(0.0, headroom)))
            dials, reason = max(0, first - in_flight), "cold_start"
        else:
            if memory.talk.n < _COLD_TALKS:
                # How long agents talk is not known yet: only those who are free are counted on.
                ages_s, talking, wrapping, finishing = ages_s[ages_s.size - ringing :], 0, 0, 0
            leaving = self._leaving(at, n_staff)
            dials, stopped, free_soon, answers, risk = ask(
                free,
                waiting,
                detecting,
                ages_s,
                talking,
                wrapping,
                finishing,
                _EMPTY if seen.p_answer is None else self._believed("p_answer", seen.p_answer, p),
                seen.told,
                _EMPTY if p_next is None else self._believed("p_next", p_next, p),
                leaving,
                theta,
                headroom,
                staff,
                room,
                settings.patience_s,
            )
            if dials < free - in_flight and not leaving.size:
                dials, reason = free - in_flight, "budget"
            elif stopped == kernel.BY_ROOM:
                reason = full
            elif dials:
                reason = "predicted"
            elif leaving.size:
                reason = "shift_end"
            else:
                reason = "budget" if headroom <= 0.0 else "enough_ringing"
        if dials > room:
            dials, reason = room, full
        return Decision(dials, reason, free_soon, answers, budget_left, risk, theta, rate)

    def _believes(self) -> tuple[float, float, Callable[..., tuple[int, int, float, float, float]]]:
        """Return the rate of answers, the same on the safe side, and `kernel.asked` with all that was learned."""
        if self._known is None:
            memory = self._memory
            rings, held = memory.rings, memory.rate
            rate, error, resolved = kernel.outcomes(
                rings.live, rings.rest, held.live, held.seen, held.beliefs, 2.0, self._survival, self._moments
            )
            p = min(0.99, rate + _CAUTION * error)
            p_detected = memory.live / (memory.live + memory.machine)
            ringing, media = memory.progress.factors()
            if self._told != memory.tellings:
                talk, wrap, finish = memory.talk, memory.wrap, memory.finish
                kernel.spells(talk.told, talk.told_s, wrap.told, wrap.told_s, finish.told, finish.told_s, *self._spells)
                self._told = memory.tellings
            self._known = rate, p, partial(self._ask, p, resolved, p_detected, ringing, media)
        return self._known

    def _believed(self, name: str, forecasts: Sequence[float] | Floats, p: float) -> Floats:
        """Return forecasts set right by what came of earlier ones."""
        held = self._memory.forecasts
        return kernel.believed(given.chances(name, forecasts), p, held.offset, held.slope, held.mean, held.belief)

    def _agent_s(self, at: float, n_staff: int) -> float:
        """Return how long agents will still work in the shift, all together."""
        settings = self._settings
        left_s = max(0.0, settings.day_s - at)
        agent_s = n_staff * left_s
        for when, more in settings.staff_plan:
            if at < when < settings.day_s:
                agent_s += more * (settings.day_s - when)
        return agent_s

    def _leaving(self, at: float, n_staff: int) -> Floats:
        """Return when which share of the team leaves soon."""
        day_s, rows = self._settings.day_s, []
        for when, more in self._settings.staff_plan:
            if more < 0 and at < when < at + _AHEAD_S:
                rows.append((when - at, -more / n_staff))
        if day_s - at < _AHEAD_S:
            rows.append((day_s - at, 1.0))
        return np.array(rows) if rows else _NOBODY

    # ---- memory

    def next_shift(self, settings: PacingSettings) -> "Pacer":
        """Return the pacer of the shift after this one, which is over.

        How long people ring, talk and wrap up, what the network tells and what forecasts are worth it still knows;
        counts, the trunk and the rate of answers, which the hour and the list make, begin anew.
        """
        pacer, known = Pacer(settings), self._memory
        pacer._memory = msgspec.structs.replace(
            known, rate=AnswerRate(), budget=known.budget.next_shift(), trunk=Trunk(held=[]), staff=settings.agents
        )
        return pacer

    def state(self) -> bytes:
        """Return all that was learned."""
        return _ENCODER.encode(self._memory)

    @classmethod
    def restore(cls, settings: PacingSettings, blob: bytes) -> "Pacer":
        """Return a pacer that decides as the one whose `state` this is."""
        pacer = cls(settings)
        try:
            pacer._memory = _DECODER.decode(blob)
        except msgspec.DecodeError as error:
            raise BadInput(
                f"state: this is no state of a pacer of this version ({error}); begin with a new one"
            ) from None
        return pacer
