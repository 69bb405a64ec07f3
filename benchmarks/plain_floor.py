"""A floor as one writes it first in SimPy: a process for each call and each agent, a store of free agents, no engine.

The same debtors, the same times and the same robots' habits as `benchmarks.world`, and nothing else of Cadencia: lines
by a fixed ratio to free agents, who is due in one heap, no law, no record, no history. It is what the speed of the
whole floor is held against.
"""

from collections.abc import Generator, Iterable
from heapq import heappop, heappush
from typing import Any

from simpy import Environment, Event, Store

from domain.calls import Cause, Disposition
from domain.instants import HOUR, MINUTE, SECOND
from domain.people import Dossier
from domain.settings import DEFAULT_RETRY
from simulation.agents import Temper
from simulation.callees import Meeting
from simulation.chance import Purpose, entity_of, lognormal
from simulation.draws import Draws
from simulation.exchange import WorldSettings
from simulation.population import Debtors, load

_TICK_US = SECOND // 2
_RING_US = 25 * SECOND
_PATIENCE_US = 2 * SECOND
#: Lines for each free agent: about as many as pacing finds.
_RATIO = 12.0

_ENDS = {
    Cause.busy: Disposition.busy,
    Cause.no_answer: Disposition.no_answer,
    Cause.rejected: Disposition.rejected,
    Cause.not_in_service: Disposition.not_in_service,
    Cause.congestion: Disposition.network_fail,
    Cause.network_fail: Disposition.network_fail,
}

Process = Generator[Event, Any, None]


class Seat:
    """A free agent, waiting for a caller."""

    def __init__(self, env: Environment) -> None:
        self.caller = env.event()
        self.over = env.event()


class PlainFloor:
    """One floor, predictive in name only."""

    def __init__(self, people: Iterable[Dossier], *, agents: int, start_us: int, seed: int = 1) -> None:
        self.env = Environment(start_us)
        self.attempts = self.connected = self.abandoned = 0
        self.busy_us = 0
        self._chance = Draws(seed)
        self._world = WorldSettings()
        self._temper = Temper()
        self._debtors = Debtors(load("default"), self._chance, start_us=start_us)
        self._people = list(people)
        self._debtors.meet(self._people)
        self._free = Store(self.env)
        self._in_flight = 0
        #: (due, order, person's index, number's index).
        self._due = [(start_us, order, order, 0) for order in range(len(self._people))]
        self._order = len(self._due)
        self._agents = agents

    def run(self, hours: float) -> None:
        for number in range(self._agents):
            self.env.process(self._agent(f"a{number}"))
        self.env.process(self._dialler())
        self.env.run(until=self.env.now + int(hours * HOUR))

    def _dialler(self) -> Process:
        while True:
            for _ in range(int(len(self._free.items) * _RATIO) - self._in_flight):
                if not self._due or self._due[0][0] > self.env.now:
                    break
                _, _, person, index = heappop(self._due)
                self.env.process(self._call(person, index))
            yield self.env.timeout(_TICK_US)

    def _call(self, person: int, index: int) -> Process:
        self.attempts += 1
        self._in_flight += 1
        dossier = self._people[person]
        meeting = self._debtors.dial(dossier.phones[index].phone, int(self.env.now))
        yield self.env.timeout(meeting.setup_us)
        if meeting.fate is not None and not meeting.fate.rings:
            self._end(person, index, _ENDS[meeting.fate.cause])
            return
        yield self.env.timeout(min(meeting.ring_us, _RING_US))
        if meeting.fate is not None or meeting.ring_us > _RING_US:
            self._end(person, index, _ENDS[meeting.fate.cause if meeting.fate is not None else Cause.no_answer])
            return
        self._debtors.answer(meeting)
        low, high = self._world.detect_person_us
        u = self._chance.u(Purpose.detect_time, meeting.phone, meeting.nth)
        yield self.env.timeout(low + int(u * (high - low)))
        if self._sounds_like_a_machine(meeting):
            self._end(person, index, Disposition.machine)
            return
        asked = self._free.get()
        yield asked | self.env.timeout(_PATIENCE_US)
        self._in_flight -= 1
        if not asked.triggered:
            asked.cancel()
            self.abandoned += 1
            self._retry(person, index, Disposition.abandoned)
            return
        self.connected += 1
        seat = asked.value
        assert isinstance(seat, Seat)
        self._debtors.talk(meeting)
        seat.caller.succeed(meeting)
        said = yield seat.over
        self._retry(person, index, said)

    def _sounds_like_a_machine(self, meeting: Meeting) -> bool:
        u = self._chance.u(Purpose.detect, meeting.phone, meeting.nth)
        if meeting.who == "machine":
            return u > self._world.p_machine_as_person
        return u < self._world.p_person_as_machine

    def _agent(self, name: str) -> Process:
        entity, calls = entity_of(name), 0
        while True:
            seat = Seat(self.env)
            self._free.put(seat)
            meeting: Meeting = yield seat.caller
            began = self.env.now
            yield self.env.timeout(meeting.talk_us)
            calls += 1
            law = self._temper.wrap_debtor_s if meeting.who == "debtor" else self._temper.wrap_other_s
            yield self.env.timeout(int(lognormal(self._chance.u(Purpose.wrap, entity, calls), *law) * SECOND))
            self.busy_us += int(self.env.now - began)
            said = self._debtors.say(meeting, int(self.env.now), meeting.person, ())
            seat.over.succeed(said.disposition)

    def _end(self, person: int, index: int, disposition: Disposition) -> None:
        self._in_flight -= 1
        self._retry(person, index, disposition)

    def _retry(self, person: int, index: int, disposition: Disposition) -> None:
        retry = DEFAULT_RETRY[disposition]
        if retry.after_min is None:
            return
        if retry.next_number:
            index = (index + 1) % len(self._people[person].phones)
        self._order += 1
        heappush(self._due, (int(self.env.now + retry.after_min * MINUTE), self._order, person, index))
