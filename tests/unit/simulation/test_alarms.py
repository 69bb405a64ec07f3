"""Time passes from alarm to alarm, as SimPy lets it."""

import pytest
from simpy import Environment

from simulation.alarms import Alarm, Beat, elapse


def rung(until_us: tuple[int, ...], *, by_simpy: bool) -> list[tuple[int, str]]:
    env = Environment(100)
    heard: list[tuple[int, str]] = []

    def ring(name: str) -> None:
        heard.append((int(env.now), name))
        if name == "twice":
            Alarm(env, 3, ring, "again")

    for after_us, name in ((5, "late"), (2, "first"), (2, "second"), (4, "twice"), (0, "now")):
        Alarm(env, after_us, ring, name)
    for at_us in until_us:
        if by_simpy:
            env.run(until=at_us)
        else:
            elapse(env, at_us)
        heard.append((int(env.now), "until"))
    return heard


def test_alarms_go_off_in_order_and_those_of_the_last_instant_not_yet() -> None:
    heard = rung((102, 104, 120), by_simpy=False)
    assert heard == rung((102, 104, 120), by_simpy=True)
    assert [name for _, name in heard] == [
        "now",
        "until",
        "first",
        "second",
        "until",
        "twice",
        "late",
        "again",
        "until",
    ]


def beaten(*, idle_us: int, by_alarms: bool) -> list[tuple[int, str]]:
    """Return what is heard of a beat that has nothing to do for a while after each time that it has."""
    env = Environment(100)
    found: list[tuple[int, str]] = []
    due_us = 0

    def beat() -> None:
        nonlocal due_us
        if env.now >= due_us:
            found.append((int(env.now), "beat"))
            due_us = int(env.now) + idle_us
            Alarm(env, 10, note, f"set at {env.now}")

    def note(what: str) -> None:
        nonlocal due_us
        found.append((int(env.now), what))
        due_us = 0

    def again(last_us: int) -> None:
        beat()
        if env.now < last_us:
            Alarm(env, 5, again, last_us)

    def told(last_us: int) -> int | None:
        beat()
        return due_us if env.now < last_us else None

    if by_alarms:
        Alarm(env, 5, again, 215)
    else:
        Beat(env, 5, told, 215)
    Alarm(env, 10, note, "set at first")
    for at_us in (112, 150, 163, 300):
        elapse(env, at_us)
        note("from outside")
    return found


@pytest.mark.parametrize("idle_us", [0, 7, 10, 25, 1_000])
def test_a_beat_comes_when_an_alarm_set_anew_each_time_would_and_finds_something_to_do(idle_us: int) -> None:
    heard = beaten(idle_us=idle_us, by_alarms=False)
    assert heard == beaten(idle_us=idle_us, by_alarms=True)
    assert heard[0] == (105, "beat")
