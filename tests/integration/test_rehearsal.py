"""The simulated world behind the face of a live switch: order, clock, robots, drills, a clean end."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import pytest

from domain.calls import AgentState
from domain.errors import Broken, SwitchLost
from domain.events import (
    Answered,
    AnyEvent,
    Connected,
    Disposed,
    Ended,
    Event,
    HangUpAsked,
    LinkDown,
    LinkUp,
    MadeReady,
    PhoneUp,
    Resynced,
    SignedIn,
)
from domain.facts import AgentShifted
from domain.instants import SECOND, parse
from domain.orders import Connect, HangUp, Originate, RingAgent
from domain.people import Debt, Dossier, Phone
from simulation.agents import Chair, Temper
from simulation.population import load
from simulation.rehearsal import RehearsalClock, RehearsalSwitch
from tests.integration.waiting import eventually

START_US = parse("2026-11-18T15:30:00+00:00")
#: Everybody is at hand, picks up and talks for a while.
EAGER = load(
    "default",
    {
        "presence": {"weekday": [1.0] * 24},
        "answering": {
            "p_pick_up": [1.0] * 6, "spread": 0.0, "p_busy": 0.0, "p_congestion": 0.0, "p_network_fail": 0.0,
        },
        "numbers": {"p_dead": [0.0, 0.0], "p_stranger": [0.0, 0.0]},
        "line": {"patience_s": 1e6},
    },
)  # fmt: skip
PUNCTUAL = Temper(late_s=1.0, p_forget=0.0, p_drop=0.0, break_after_s=1e9)
PEOPLE = [
    Dossier(
        person=person,
        keys=(),
        country="ES",
        debts=(Debt(debt=person, creditor=1, balance_minor=9_000, currency="EUR"),),
        phones=(Phone(phone=person, country="ES", line_type="mobile"),),
    )
    for person in range(1, 201)
]


class Loop:
    """What stands in for the live loop: keeps what it hears, and answers by a rule."""

    def __init__(self, speed: float, agents: int = 0, rule: Callable[["Loop", AnyEvent], None] | None = None) -> None:
        self.heard: list[AnyEvent] = []
        self.rule = rule
        self.clock = RehearsalClock(START_US, speed)
        self.late_us = 0
        chairs = [Chair(agent=f"a{number}", starts_us=START_US) for number in range(agents)]
        self.switch = RehearsalSwitch(
            clock=self.clock, people=PEOPLE, chairs=chairs, desk=self.hear, laws=EAGER, temper=PUNCTUAL
        )

    def hear(self, event: AnyEvent) -> None:
        assert threading.current_thread() is threading.main_thread()
        self.late_us = max(self.late_us, self.clock.now_us() - event.at_us)
        self.heard.append(event)
        if self.rule is not None:
            self.rule(self, event)

    def of(self, kind: type[Event]) -> list[AnyEvent]:
        return [event for event in self.heard if isinstance(event, kind)]

    def dial(self, phone: int) -> None:
        self.switch.send(
            Originate(
                call_id=f"floor-{phone}", campaign="a", phone=phone, node="main", trunk="t", caller_id="",
                ring_timeout_ms=40_000, valid_until_us=2**62, detect=False, record=False, grace_ms=300,
                limit_ms=1_700, abandon="hangup", language="es",
            ),
            "+34910000000",
        )  # fmt: skip


def on_loop(test: Callable[[], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    """Run a test on an asyncio loop of its own."""

    def run() -> None:
        asyncio.run(asyncio.wait_for(test(), 30))

    return run


@asynccontextmanager
async def rehearsing(loop: Loop) -> AsyncIterator[Loop]:
    await loop.switch.start(loop.hear, loop.clock.now_us)
    try:
        await eventually(lambda: bool(loop.of(Resynced)))
        yield loop
    finally:
        await loop.switch.stop()
        assert not [thread for thread in threading.enumerate() if thread.name == "rehearsal"]


@on_loop
async def test_every_call_ends_once_and_events_come_in_order_of_the_floors_time() -> None:
    async with rehearsing(Loop(speed=300)) as loop:
        for phone in range(1, 101):
            loop.dial(phone)
        await eventually(lambda: len(loop.of(Ended)) >= 100)
        assert sorted(event.call_id for event in loop.of(Ended)) == sorted(f"floor-{n}" for n in range(1, 101))
        instants = [event.at_us for event in loop.heard]
        assert instants == sorted(instants)
        assert all(event.at_us <= loop.clock.now_us() for event in loop.heard)


def serve(loop: Loop, event: AnyEvent) -> None:
    """Ring agents who sign in; give each caller to a0."""
    if isinstance(event, SignedIn):
        loop.switch.send(RingAgent(agent=event.agent, node="main"))
    elif isinstance(event, PhoneUp):
        loop.switch.see(AgentShifted(agent=event.agent, state=AgentState.paused, reason="signed_in"))
    elif isinstance(event, Answered):
        time.sleep(0.03)  # slow in real time: 9 s of the floor's at this speed
        loop.switch.send(Connect(call_id=event.call_id, agent="a0", node="main"))
    elif isinstance(event, HangUpAsked):
        call_id = loop.of(Connected)[-1].call_id  # type: ignore[union-attr]
        loop.switch.send(HangUp(call_id=call_id, node="main", why="agent"))


@on_loop
async def test_robot_agent_works_a_call_and_a_slow_loop_is_not_late_in_the_floors_time() -> None:
    async with rehearsing(Loop(speed=300, agents=1, rule=serve)) as loop:
        await eventually(lambda: bool(loop.of(MadeReady)))
        loop.dial(1)
        await eventually(lambda: bool(loop.of(Disposed)))
        answered, connected, disposed = (loop.of(kind)[0] for kind in (Answered, Connected, Disposed))
        assert connected.at_us - answered.at_us < 50_000
        assert (disposed.agent, disposed.call_id) == ("a0", "floor-1")  # type: ignore[union-attr]
        assert loop.clock.stretched_s > 0.02


@on_loop
async def test_world_goes_on_without_a_loop_that_does_not_answer() -> None:
    stalled: list[bool] = []

    def stall(loop: Loop, event: AnyEvent) -> None:
        if isinstance(event, Answered) and not stalled:
            # Hold the loop until a minute of the floor's has passed.
            deadline_s = time.monotonic() + 10
            while loop.clock.now_us() < event.at_us + 60 * SECOND and time.monotonic() < deadline_s:
                time.sleep(0.01)
            stalled.append(loop.clock.now_us() >= event.at_us + 60 * SECOND)

    async with rehearsing(Loop(speed=100, rule=stall)) as loop:
        for phone in range(1, 101):
            loop.dial(phone)
        await eventually(lambda: len(loop.of(Ended)) == 100)
        assert stalled == [True]
        first = loop.of(Answered)[0].call_id  # type: ignore[union-attr]
        names = [type(event).__name__ for event in loop.heard if getattr(event, "call_id", "") == first]
        assert names == ["Ringing", "Answered", "Queued", "Abandoned", "Ended"]


@on_loop
async def test_cut_link_refuses_orders_until_it_is_mended() -> None:
    async with rehearsing(Loop(speed=100)) as loop:
        loop.switch.cut_link("main")
        await eventually(lambda: bool(loop.of(LinkDown)))
        with pytest.raises(SwitchLost):
            loop.dial(1)
        loop.switch.mend_link("main")
        await eventually(lambda: len(loop.of(LinkUp)) == 2 and len(loop.of(Resynced)) == 2)
        loop.dial(1)
        await eventually(lambda: bool(loop.of(Ended)))


@on_loop
async def test_failed_world_is_a_lost_switch_and_says_why_at_the_end() -> None:
    loop = Loop(speed=100)
    await loop.switch.start(loop.hear, loop.clock.now_us)
    await eventually(lambda: bool(loop.of(Resynced)))
    loop.dial(999)
    await eventually(lambda: bool(loop.of(LinkDown)))
    with pytest.raises(SwitchLost):
        loop.dial(1)
    with pytest.raises(Broken, match="phone 999 is dialled and belongs to nobody"):
        await loop.switch.stop()


@on_loop
async def test_people_met_later_can_be_called() -> None:
    async with rehearsing(Loop(speed=300)) as loop:
        loop.switch.meet([Dossier(person=999, keys=(), country="ES", phones=(Phone(phone=999, country="ES"),))])
        loop.dial(999)
        await eventually(lambda: bool(loop.of(Ended)))


@on_loop
async def test_another_clock_is_refused() -> None:
    loop = Loop(speed=10)
    with pytest.raises(Broken, match="the rehearsal's own clock"):
        await loop.switch.start(loop.hear, lambda: START_US + 3600 * SECOND)
    await loop.switch.stop()


def test_clock_runs_at_its_speed_stands_at_its_bound_and_never_goes_back() -> None:
    clock = RehearsalClock(START_US, speed=1000.0)
    assert clock.real_s(SECOND) == 0.001
    clock.not_before(START_US + 50 * SECOND)
    assert clock.now_us() >= START_US + 50 * SECOND
    bound_us = clock.now_us() + SECOND
    clock.bound(bound_us)
    deadline_s = time.monotonic() + 5
    while clock.now_us() < bound_us and time.monotonic() < deadline_s:
        time.sleep(0.001)
    time.sleep(0.01)
    assert clock.now_us() == bound_us
    clock.bound(float("inf"))
    assert bound_us <= clock.now_us() < bound_us + 5 * SECOND
    assert clock.stretched_s > 0.005
