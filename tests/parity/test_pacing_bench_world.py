"""The compiled world of the pacing bench and the simulated switch live the same day, call by call."""

import math
from collections import deque

import msgspec
import numpy as np
import pytest
from simpy import Environment

from benchmarks.pacing.laws import QUANTILES_PER_UNIT, Law
from benchmarks.pacing.policy import F8, Dials
from benchmarks.pacing.scenarios import SCENARIOS, Scenario
from benchmarks.pacing.world import run_day
from domain.calls import Disposition
from domain.events import Answered, AnyEvent, Connected, Ended
from domain.orders import Connect, Keep, Originate
from simulation.alarms import Alarm
from simulation.callees import NO_ANSWER, Meeting, Said
from simulation.chance import Chance, Purpose
from simulation.exchange import WorldSettings
from simulation.world import World

SECOND_US = 1_000_000
NEVER_US = 10**15


def quantile(law: Law, u: float) -> float:
    table = law.quantiles()
    return float(np.interp(-math.log1p(-u) * QUANTILES_PER_UNIT, np.arange(len(table)), table))


class Leads:
    """The scenario's callees: the n-th lead is the n-th number, the n-th conversation is the n-th begun."""

    def __init__(self, scenario: Scenario, chance: Chance) -> None:
        self.scenario, self.chance, self.conversations = scenario, chance, 0

    def dial(self, phone: int, at_us: int) -> Meeting:
        scenario, stretch, u = self.scenario, self.scenario.stretches[0], self.chance.u
        luck, ring = u(Purpose.machine, phone), u(Purpose.ring, phone)
        bounds = np.cumsum([stretch.machine, stretch.busy, stretch.no_answer])
        fate = NO_ANSWER
        if u(Purpose.answer, phone) < stretch.p_live:
            fate, rings_s = None, quantile(scenario.person_ring, ring)
        elif luck < bounds[0]:
            rings_s = quantile(scenario.machine_ring, ring)
        elif luck < bounds[1]:
            rings_s = 1.0 + 2.0 * ring
        else:
            rings_s = scenario.ring_out_s if luck < bounds[2] else scenario.invalid_s
        # A call that ends with a tick has ended for it, as in the bench.
        ring_us = round(rings_s * SECOND_US) - 1
        return Meeting(phone=phone, person=phone, nth=1, who="debtor", fate=fate, setup_us=0, ring_us=ring_us)

    def answer(self, meeting: Meeting) -> None:
        meeting.patience_us = NEVER_US

    def talk(self, meeting: Meeting) -> None:
        u = self.chance.u(Purpose.talk, self.conversations)
        meeting.talk_us = round(quantile(self.scenario.talk, u) * SECOND_US)
        self.conversations += 1

    def say(self, meeting: Meeting, at_us: int, person: int, debts: tuple[int, ...]) -> Said:
        return Said(disposition=Disposition.no_promise)


class Floor:
    """The simplest engine: some calls per free agent at each tick, first come first served, away after the patience."""

    def __init__(self, scenario: Scenario, seed: int, per_free_agent: int) -> None:
        self.env = Environment(0)
        self.scenario, self.chance, self.per_free_agent = scenario, Chance(seed), per_free_agent
        instant = WorldSettings(order_us=0, bridge_us=0, agent_usable_us=0)
        self.world = World(self.env, instant, Leads(scenario, self.chance), self.chance, self.deliver)
        self.world.start()
        self.free = deque(f"a{number}" for number in range(scenario.agents))
        self.line: deque[str] = deque()
        self.agent: dict[str, str] = {}
        self.ringing: set[str] = set()
        self.dials = self.abandoned = 0
        self.wraps: dict[str, float] = {}
        for agent in self.free:
            self.world.lift(agent, "main")
        self.tick_us = round(scenario.tick_s * SECOND_US)
        # One microsecond late: what happens at the tick has happened.
        for tick in range(round(scenario.day_s / scenario.tick_s)):
            Alarm(self.env, 1 + tick * self.tick_us, self.tick, tick)
        self.env.run(until=round(scenario.day_s * SECOND_US))

    def tick(self, _: int) -> None:
        for _ in range(max(0, self.per_free_agent * len(self.free) - len(self.ringing))):
            call_id = f"c-{self.dials}"
            self.ringing.add(call_id)
            order = Originate(
                call_id=call_id,
                campaign="a",
                phone=self.dials,
                node="main",
                trunk="t",
                caller_id="",
                ring_timeout_ms=60_000,
                valid_until_us=2**62,
                detect=False,
                record=False,
                grace_ms=10**9,
                limit_ms=0,
                abandon="hangup",
                language="es",
            )
            self.dials += 1
            self.world.send(order)

    def deliver(self, event: AnyEvent) -> None:
        if isinstance(event, Answered):
            self.ringing.discard(event.call_id)
            if self.free:
                self.connect(event.call_id, self.free.popleft())
            else:
                self.line.append(event.call_id)
                self.world.send(Keep(call_id=event.call_id, node="main", for_ms=round(self.scenario.patience_s * 1000)))
        elif isinstance(event, Connected):
            u = self.chance.u(Purpose.wrap, len(self.wraps))
            self.wraps[event.call_id] = quantile(self.scenario.wrap, u)
        elif isinstance(event, Ended):
            self.ringing.discard(event.call_id)
            if event.call_id in self.line:
                self.line.remove(event.call_id)
                self.abandoned += 1
            elif event.call_id in self.agent:
                after_us = round(self.wraps[event.call_id] * SECOND_US)
                Alarm(self.env, after_us, self.be_free, self.agent.pop(event.call_id))

    def be_free(self, agent: str) -> None:
        if self.line:
            self.connect(self.line.popleft(), agent)
        else:
            self.free.append(agent)

    def connect(self, call_id: str, agent: str) -> None:
        self.agent[call_id] = agent
        self.world.send(Connect(call_id=call_id, agent=agent, node="main"))


class Ratio:
    """The same engine as a policy of the bench."""

    def __init__(self, per_free_agent: int) -> None:
        self.per_free_agent = per_free_agent

    def observe_outcome(self, kind: str, ring_s: float, p_answer: float | None = None) -> None: ...
    def observe_connected(self, wait_s: float) -> None: ...
    def observe_abandoned(self, kind: str = "no_agent") -> None: ...
    def observe_talk(self, duration_s: float) -> None: ...
    def observe_wrap(self, duration_s: float) -> None: ...
    def observe_staff(self, agents: int) -> None: ...
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
        return Dials(max(0, self.per_free_agent * free - len(ringing_s)))


@pytest.mark.parametrize(("name", "per_free_agent"), [("n3", 1), ("n10", 4), ("n20", 6)])
def test_both_worlds_live_the_same_day(name: str, per_free_agent: int) -> None:
    scenario = msgspec.structs.replace(SCENARIOS[name], day_s=7200.0)
    result = run_day(Ratio(per_free_agent), scenario, 9)
    floor = Floor(scenario, 9, per_free_agent)
    assert (floor.dials, len(floor.wraps), floor.abandoned) == (result.dials, result.connected, result.abandoned)
    assert (result.abandoned > 10) == (per_free_agent > 1)
