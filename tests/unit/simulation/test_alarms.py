"""Time passes from alarm to alarm, as SimPy lets it."""

from simpy import Environment

from simulation.alarms import Alarm, elapse


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
