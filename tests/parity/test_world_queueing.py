"""The simulated switch gives queueing theory's answers, within intervals from batch means at fixed seeds."""

import math
from collections import deque
from itertools import accumulate

import pytest
from simpy import Environment

from domain.calls import Disposition
from domain.events import Answered, AnyEvent, Connected, Ended
from domain.orders import Connect, HangUp, Keep, Originate
from simulation.alarms import Alarm
from simulation.callees import Meeting, Said
from simulation.chance import Chance, Purpose, exponential
from simulation.exchange import WorldSettings
from simulation.world import World

TALK_S = 100.0
CALLS = 25_000
BATCHES = 20
NEVER_MS = 10**12


class Exponential:
    """Callees who answer at once, talk for an exponential time and wait for another."""

    def __init__(self, chance: Chance, patience_s: float) -> None:
        self.chance = chance
        self.patience_s = patience_s

    def dial(self, phone: int, at_us: int) -> Meeting:
        return Meeting(phone=phone, person=phone, nth=1, who="debtor", fate=None, setup_us=0, ring_us=0)

    def answer(self, meeting: Meeting) -> None:
        meeting.patience_us = int(exponential(self.chance.u(Purpose.patience, meeting.phone), self.patience_s) * 1e6)

    def talk(self, meeting: Meeting) -> None:
        meeting.talk_us = int(exponential(self.chance.u(Purpose.talk, meeting.phone), TALK_S) * 1e6)

    def say(self, meeting: Meeting, at_us: int, person: int, debts: tuple[int, ...]) -> Said:
        return Said(disposition=Disposition.no_promise)


class Floor:
    """Poisson calls, some agents, and the simplest engine: first come first served, or away when nobody is free."""

    def __init__(self, *, agents: int, load: float, queue: bool, patience_s: float = 1e9, seed: int = 1) -> None:
        self.env = Environment(0)
        self.chance = Chance(seed)
        instant = WorldSettings(order_us=0, bridge_us=0, agent_usable_us=0)
        self.world = World(self.env, instant, Exponential(self.chance, patience_s), self.chance, self.deliver)
        self.world.start()
        self.queue = queue
        self.free = deque(f"a{number}" for number in range(agents))
        self.line: deque[str] = deque()
        self.answered_us: dict[str, int] = {}
        self.agent: dict[str, str] = {}
        #: By call, in order of arrival.
        self.wait_s = [math.nan] * CALLS
        self.turned_away = [False] * CALLS
        for agent in self.free:
            self.world.lift(agent, "main")
        gaps_s = (exponential(self.chance.u(Purpose.ring, number), TALK_S / load) for number in range(CALLS))
        for number, at_s in enumerate(accumulate(gaps_s)):
            Alarm(self.env, 1 + int(at_s * 1e6), self.dial, number)
        self.env.run()

    def dial(self, number: int) -> None:
        self.world.send(
            Originate(
                call_id=f"f-{number}",
                campaign="a",
                phone=number,
                node="main",
                trunk="t",
                caller_id="",
                ring_timeout_ms=60_000,
                valid_until_us=2**62,
                detect=False,
                record=False,
                grace_ms=NEVER_MS,
                limit_ms=0,
                abandon="hangup",
                language="es",
            )
        )

    def deliver(self, event: AnyEvent) -> None:
        if isinstance(event, Answered):
            self.answered_us[event.call_id] = event.at_us
            if self.free:
                self.connect(event.call_id)
            elif self.queue:
                self.line.append(event.call_id)
                self.world.send(Keep(call_id=event.call_id, node="main", for_ms=NEVER_MS))
            else:
                self.world.send(HangUp(call_id=event.call_id, node="main", why="full"))
        elif isinstance(event, Connected):
            self.wait_s[int(event.call_id[2:])] = (event.at_us - self.answered_us[event.call_id]) / 1e6
        elif isinstance(event, Ended):
            agent = self.agent.pop(event.call_id, None)
            if agent is None:
                self.turned_away[int(event.call_id[2:])] = True
                if self.queue:
                    self.line.remove(event.call_id)
                return
            self.free.append(agent)
            if self.line:
                self.connect(self.line.popleft())

    def connect(self, call_id: str) -> None:
        self.agent[call_id] = self.free.popleft()
        self.world.send(Connect(call_id=call_id, agent=self.agent[call_id], node="main"))


def interval(values: list[float]) -> tuple[float, float]:
    """Return mean and four standard errors, from batch means, the first batch left out as warm-up."""
    size = len(values) // BATCHES
    means = [sum(values[i * size : (i + 1) * size]) / size for i in range(1, BATCHES)]
    mean = sum(means) / len(means)
    return mean, 4 * math.sqrt(sum((m - mean) ** 2 for m in means) / (len(means) - 1) / len(means))


def erlang_b(agents: int, load: float) -> float:
    blocked = 1.0
    for n in range(1, agents + 1):
        blocked = load * blocked / (n + load * blocked)
    return blocked


def erlang_c(agents: int, load: float) -> float:
    blocked = erlang_b(agents, load)
    return agents * blocked / (agents - load * (1 - blocked))


def erlang_a(agents: int, load: float, patience_s: float) -> float:
    """Return the share of callers who hang up before an agent comes, from the birth-death chain."""
    weights = [1.0]
    for n in range(1, agents + 400):
        leaving = min(n, agents) / TALK_S + max(0, n - agents) / patience_s
        weights.append(weights[-1] * (load / TALK_S) / leaving)
    waiting = sum(max(0, n - agents) * weight for n, weight in enumerate(weights)) / sum(weights)
    return (waiting / patience_s) / (load / TALK_S)


@pytest.mark.parametrize(("agents", "load"), [(5, 4.0), (20, 18.0)])
def test_calls_turned_away_follow_erlang_b(agents: int, load: float) -> None:
    floor = Floor(agents=agents, load=load, queue=False)
    mean, within = interval([float(away) for away in floor.turned_away])
    assert mean == pytest.approx(erlang_b(agents, load), abs=within)
    assert within < 0.25 * mean


@pytest.mark.parametrize(("agents", "load"), [(1, 0.6), (10, 7.0)])
def test_callers_wait_as_erlang_c_says(agents: int, load: float) -> None:
    floor = Floor(agents=agents, load=load, queue=True)
    p_wait = erlang_c(agents, load)
    mean, within = interval([float(wait > 0) for wait in floor.wait_s])
    assert mean == pytest.approx(p_wait, abs=within)
    assert within < 0.25 * mean
    mean_s, within_s = interval(floor.wait_s)
    assert mean_s == pytest.approx(p_wait * TALK_S / (agents - load), abs=within_s)
    assert within_s < 0.5 * mean_s


def test_callers_of_limited_patience_leave_as_erlang_a_says() -> None:
    floor = Floor(agents=10, load=10.0, queue=True, patience_s=30.0)
    mean, within = interval([float(away) for away in floor.turned_away])
    assert mean == pytest.approx(erlang_a(10, 10.0, 30.0), abs=within)
    assert within < 0.25 * mean
