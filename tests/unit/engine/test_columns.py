"""What pacing is told is what calls and agents say, however many they are and whatever has come and gone."""

import random

import numpy as np

from dialer.engine.columns import Busy, Unanswered, seen
from dialer.engine.state import Agent, Call
from domain.calls import AgentState, Mode

AT_US = 90_000_000


def call(number: int, dialled_us: int) -> Call:
    return Call(
        call_id=f"floor-{number}",
        campaign="c",
        person=number,
        debts=(),
        phone=number,
        keys=(),
        mode=Mode.predictive,
        node="main",
        trunk="t",
        caller_id="",
        language="es",
        abandon_message=False,
        dialled_us=dialled_us,
    )


def told(calls: Unanswered, busy: Busy, campaign: str = "c") -> tuple[list[float], list[int], tuple[int, int, int]]:
    ages_s, last, talking, wrapping, finishing, unanswered = seen(busy, campaign, calls, AT_US)
    assert (len(last), len(ages_s)) == (unanswered, talking + wrapping + finishing + unanswered)
    return ages_s.tolist(), last.tolist(), (talking, wrapping, finishing)


def test_calls_come_and_go_and_keep_their_order() -> None:
    luck = random.Random(1)
    calls = Unanswered()
    for number in range(2_000):
        one = call(number, luck.choice((0, 1_000_000 + number)))
        calls.enter(one)
        some = luck.choice(list(calls.values()))
        some.progress, some.pinned = luck.randrange(3), luck.random() < 0.1
        calls.note(some)
        # First more come than go, then the other way round.
        while len(calls) > (300 if number < 1_000 else 20):
            calls.leave(luck.choice(list(calls.values())))
        if number % 50 == 0:
            free = [one for one in calls.values() if not one.pinned]
            ages_s, last, _ = told(calls, Busy())
            assert ages_s == [(AT_US - (one.dialled_us or AT_US)) / 1e6 for one in free]
            assert last == [one.progress for one in free]
    assert calls.told.size < 2_000


def test_agents_are_told_in_the_order_of_the_floor() -> None:
    busy = Busy()
    talks, wraps = AgentState.talking, AgentState.wrapup
    agents = [
        Agent(
            agent=f"a{number}",
            node="main",
            state=(talks, wraps, AgentState.ready)[number % 3],
            since_us=number + 1,
            allotted=("c", "d")[number % 2],
            then="leave" if number % 7 == 0 else "ready",
            finishing_us=50_000_000 + number if number % 12 == 0 else 0,
        )
        for number in range(200)
    ]
    for one in agents:
        busy.note(one)
    for name in ("c", "d"):
        ours = [one for one in agents if one.allotted == name and one.then == "ready"]
        talking = [one.since_us for one in ours if one.state is talks and not one.finishing_us]
        wrapping = [one.since_us for one in ours if one.state is wraps]
        finishing = [one.finishing_us for one in ours if one.state is talks and one.finishing_us]
        ages_s, last, counts = told(Unanswered(), busy, name)
        assert ages_s == [(AT_US - us) / 1e6 for us in (*talking, *wrapping, *finishing)]
        assert counts == (len(talking), len(wrapping), len(finishing))
        assert last == []
    agents[2].state, agents[2].since_us = talks, 5_000
    busy.note(agents[2])
    assert told(Unanswered(), busy)[0].count((AT_US - 5_000) / 1e6) == 1
    assert busy.places["a199"] == 199
    assert np.count_nonzero(busy.spells[1]) == sum(
        one.then == "ready" and one.state in (talks, wraps) for one in agents
    )
