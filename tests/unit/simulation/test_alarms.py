"""Time passes from alarm to alarm, as SimPy lets it."""

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


def test_a_beat_comes_again_until_it_is_over_each_time_after_what_was_set_for_its_instant_before() -> None:
    def heard(*, by_alarms: bool) -> list[tuple[int, str]]:
        env = Environment(100)
        found: list[tuple[int, str]] = []

        def beat(last_us: int) -> bool:
            found.append((int(env.now), "beat"))
            Alarm(env, 10, note, f"set at {env.now}")
            return env.now < last_us

        def note(what: str) -> None:
            found.append((int(env.now), what))

        def again(last_us: int) -> None:
            if beat(last_us):
                Alarm(env, 5, again, last_us)

        if by_alarms:
            Alarm(env, 5, again, 115)
        else:
            Beat(env, 5, beat, 115)
        Alarm(env, 10, note, "set at first")
        elapse(env, 200)
        return found

    assert heard(by_alarms=False) == heard(by_alarms=True)
    assert [at_us for at_us, what in heard(by_alarms=False) if what == "beat"] == [105, 110, 115]
