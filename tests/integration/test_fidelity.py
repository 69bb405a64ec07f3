"""A recorded day simulated again: with its own calls it comes out as observed, with the wrong laws it does not."""

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from msgspec.structs import replace

from compliance.gate import Gate
from domain.calls import AgentState
from domain.errors import BadInput
from domain.events import AnyEvent, Tick
from domain.instants import DAY, HOUR, MINUTE, SECOND
from domain.records import Row
from ledger.memory import MemoryLedger
from ledger.schema import plan_chunk, snapshot
from ledger.store import SqlLedger
from simulation.agents import Break, Chair
from simulation.day import Day, read_day
from simulation.fidelity import RECORD, compare, fidelity, simulate, sums_of
from simulation.outcome import FLOW, Flow, Outcome
from simulation.population import load
from simulation.replayed import Replayed
from simulation.roster import Roster, Shift
from simulation.run import RunSettings
from tests.integration.days import MORNING_US, enrolled, work_a_day
from tests.integration.simulated import RULES

ZONE = "Europe/Madrid"
CHAIRS = [
    Chair(
        agent=f"a{number}",
        starts_us=MORNING_US + number * 20 * SECOND,
        ends_us=MORNING_US + 58 * MINUTE if number % 2 else None,
        breaks=(Break(at_us=MORNING_US + (15 + number) * MINUTE, span_us=4 * MINUTE, reason="lunch"),),
        pace=0.5 if number == 0 else 1.0,
    )
    for number in range(8)
]
GATE = Gate.load(RULES)
GATES = {GATE.version: GATE}.get


@pytest.fixture(scope="module")
def two_days() -> Iterator[SqlLedger]:
    """Two mornings of one floor, the second on what the first had left."""
    with MemoryLedger() as ledger:
        enrolled(ledger, 1_500)
        work_a_day(ledger, hours=1.0, chairs=CHAIRS, seed=11)
        work_a_day(ledger, hours=0.5, start_us=MORNING_US + DAY, seed=12, agents=5)
        yield ledger


@pytest.fixture(scope="module")
def first(two_days: SqlLedger) -> Day:
    return read_day(two_days, "floor", "2026-11-18", ZONE)


def test_shifts_pauses_and_habits_are_read_from_the_record(first: Day) -> None:
    longer = 0
    for was, chair in zip(sorted(first.chairs, key=lambda one: one.agent), CHAIRS, strict=True):
        assert was.agent == chair.agent
        # Robots come a minute late on the average.
        assert 0 <= was.starts_us - chair.starts_us < 10 * MINUTE
        assert was.ends_us == chair.ends_us
        assert was.breaks is not None
        assert [one.reason for one in was.breaks] == ["lunch"]
        assert chair.breaks is not None
        assert 0 <= was.breaks[0].at_us - chair.breaks[0].at_us <= SECOND
        longer += abs(was.breaks[0].span_us - chair.breaks[0].span_us) > SECOND
    # One pause may have begun late, behind a wrap-up that somebody forgot to end.
    assert longer <= 1
    paces = {chair.agent: chair.pace for chair in first.chairs}
    assert paces["a0"] == min(paces.values()) < 0.9
    # They all talk alike.
    assert all(0.75 < chair.talk_pace < 1.33 for chair in first.chairs)
    assert first.commit_us == 5_000
    assert (first.temper.late_s, first.temper.p_drop) == (0.0, 0.0)
    assert 12.0 < first.temper.wrap_debtor_s[0] < 25.0


def test_the_record_as_world_comes_out_as_observed(first: Day) -> None:
    found = fidelity(first, GATES, load("default"), world="default", replications=3, with_record=True)
    by_record, by_laws = found.comparisons
    assert (by_record.world, by_laws.world) == (RECORD, "default")
    assert by_record.ok, by_record.doubted
    assert by_record.from_record is not None
    assert by_record.from_record > 0.9
    assert by_laws.from_record is None
    lines = {line.metric: line for line in by_record.lines}
    assert lines["attempts"].off is not None
    assert abs(lines["attempts"].off) < 0.1
    assert {line.hour for line in by_record.by_hour} == {10}
    assert found.attempts == first.observed.total("attempts") > 500


def test_where_luck_is_wide_a_share_still_lies_between_none_and_all(first: Day) -> None:
    def day(answered: int) -> Outcome:
        counts = tuple({"attempts": 10, "answered": answered}.get(name, 0) for name in FLOW)
        return replace(first.observed, flows=[Flow(0, 10, 0, 0, counts)])

    found = compare(day(5), [day(0), day(10)], "wide")
    line = next(one for one in found.lines if one.metric == "answer_rate")
    # Two such days alone would allow for 1,100 % and less than nothing.
    assert (line.low, line.high, line.within, line.verdict) == (0.0, 1.0, 1.0, "inside")


def test_the_second_day_goes_on_from_where_the_first_had_ended(two_days: SqlLedger) -> None:
    day = read_day(two_days, "floor", "2026-11-19", ZONE)
    assert day.before is not None
    outcome, told = simulate(day, GATES, load("default"), 5, recorded=True)
    seen, now = sums_of(day.observed), sums_of(outcome)
    assert told is not None
    assert told.share is not None
    assert told.share > 0.8
    assert abs(now["attempts"] / seen["attempts"] - 1.0) < 0.15
    assert abs(now["logged_h"] - seen["logged_h"]) < 0.05
    # Nobody is called here whom the first day had settled: a fresh floor would call the list from its top.
    again = {call.person for call in day.calls}
    assert again
    fresh = read_day(two_days, "floor", "2026-11-18", ZONE)
    assert len(again & {call.person for call in fresh.calls[:50]}) < 50


def test_an_engine_that_was_away_for_less_than_a_tick_has_one_ticker(first: Day) -> None:
    middle_us, end_us = first.from_us + 4 * MINUTE + 100_000, first.from_us + 8 * MINUTE
    short = replace(first, lives=((first.from_us, middle_us), (middle_us + 200_000, end_us)))
    floor = Replayed(short, RunSettings(start_us=first.from_us, laws=load("default")), GATES)
    ticked: list[int] = []
    take = floor.accept

    def accept(event: AnyEvent) -> None:
        if isinstance(event, Tick):
            ticked.append(event.at_us)
        take(event)

    floor.accept = accept  # type: ignore[method-assign]
    floor.day()
    assert ticked[-1] > end_us - SECOND
    # The second life ticks from its own beginning, and nothing of the first ticks on.
    assert next(at_us for at_us in ticked if at_us > middle_us) == middle_us + 200_000
    assert min(later - earlier for earlier, later in pairwise(ticked) if later != middle_us + 200_000) == 500_000


def test_a_snapshot_of_the_evening_before_saves_folding_what_was_before(two_days: SqlLedger) -> None:
    from ledger.queries import seq_at
    from simulation.day import _before

    with two_days.reading() as connection:
        first = seq_at(connection, "floor", MORNING_US + 12 * HOUR)
    folded = read_day(two_days, "floor", "2026-11-19", ZONE)
    engine = _before(two_days, "floor", first)
    assert engine is not None
    try:
        two_days.save_snapshot("floor", engine.seq, engine.state.at_us, engine.snapshot())
        # One of later is of no use.
        two_days.save_snapshot("floor", first + 100, MORNING_US + DAY, b"not asked for")
        read_from: list[int] = []
        read = two_days.read

        def watched(stream: str, after_seq: int = 0) -> Iterator[Row]:
            read_from.append(after_seq)
            return read(stream, after_seq)

        two_days.read = watched  # type: ignore[method-assign]
        assert read_day(two_days, "floor", "2026-11-19", ZONE).before == folded.before
        assert min(read_from) == first - 1
    finally:
        del two_days.read
        with two_days.writing() as connection:
            connection.execute(snapshot.delete())


def test_agents_time_is_conserved(first: Day) -> None:
    outcome, _ = simulate(first, GATES, load("default"), 3, recorded=False)
    states: dict[str, int] = {}
    for work in outcome.work:
        states[work.state] = states.get(work.state, 0) + work.agent_ms
    seen = sums_of(first.observed)
    assert abs(sum(states.values()) / 3.6e6 - seen["logged_h"]) < 0.1
    assert states[AgentState.paused] > 0


def test_a_roster_gives_its_agents_their_paces_in_the_world_of_laws_alone(first: Day) -> None:
    slow = Roster(shift=(Shift(agents=tuple(chair.agent for chair in CHAIRS), pace=6.0, talk_pace=4.0),))
    by_record, by_laws = fidelity(
        first, GATES, load("default"), world="default", replications=2, agents=slow
    ).comparisons
    assert by_record.ok, by_record.doubted
    off = {line.metric: line.off for line in by_laws.lines}
    assert (off["talk_s"] or 0.0) > 1.0
    assert (off["wrap_s"] or 0.0) > 1.0


def test_a_wrong_world_is_doubted_and_the_right_one_is_not(first: Day) -> None:
    # Nobody ever picks up in the wrong one as often as here.
    wrong = load("default", {"answering": {"p_pick_up": [0.6] * 6}})
    found = fidelity(first, GATES, wrong, world="wrong", replications=6, with_record=False).comparisons[0]
    assert not found.ok
    assert "live_answer_rate" in found.doubted


@pytest.mark.parametrize(
    ("day", "words"),
    [
        ("2026-11-17", "its calls are of 2026-11-18 to 2026-11-19"),
        ("yesterday", "must be a date like 2026-11-18"),
    ],
)
def test_a_day_that_is_not_to_be_had_is_refused(two_days: SqlLedger, day: str, words: str) -> None:
    with pytest.raises(BadInput, match=words):
        read_day(two_days, "floor", day, ZONE)
    with pytest.raises(BadInput, match="has no record yet"):
        read_day(two_days, "other", "2026-11-18", ZONE)


def test_rules_that_are_gone_and_too_few_replications_are_refused(first: Day) -> None:
    with pytest.raises(BadInput, match="are not to be had any more"):
        simulate(first, lambda version: None, load("default"), 1, recorded=False)
    with pytest.raises(BadInput, match="2 or more"):
        fidelity(first, GATES, load("default"), world="default", replications=1)


def test_a_list_that_is_gone_is_told(tmp_path: Path) -> None:
    from contextlib import closing

    from ledger.store import open_ledger

    with closing(open_ledger(f"sqlite:///{tmp_path}/ledger.db")) as ledger:
        enrolled(ledger, 60)
        work_a_day(ledger, hours=0.05, agents=3)
        with ledger.writing() as connection:
            connection.execute(plan_chunk.delete())
        with pytest.raises(BadInput, match="cannot be had any more"):
            read_day(ledger, "floor", "2026-11-18", ZONE)
