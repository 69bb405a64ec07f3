"""A floor whose hours go their own way learns of it, simulated and from its ledger alike, and plans the day anew."""

import asyncio
from collections.abc import Iterator
from datetime import date

import pytest

from compliance.gate import Gate
from compliance.packs import SHIPPED
from console.why import _moved, moved_words
from dialer.clocks import RehearsedClock
from dialer.commits import Commits
from dialer.engine import Engine
from dialer.engine.state import LeadState
from dialer.lookups import Lookups
from dialer.measures import Measure
from dialer.reader import Reader
from dialer.waiting import present
from domain.calls import Mode
from domain.events import AnyEvent, LeadsLoaded
from domain.instants import HOUR, midnight_us, to_datetime
from domain.orders import Reserve
from domain.settings import CampaignSettings, FloorSettings
from ledger import plans
from ledger.store import SqlLedger, open_ledger
from ledger.strategic import counts_of
from simulation import books
from simulation.circumstances import Swings
from simulation.month import Arm, Month, Plan
from simulation.roster import roster
from simulation.tape import Tape
from strategy.documents import Document, Limits, Segment, Step, Strategy, Treatment, attached
from strategy.learning import HABIT_US, Count
from strategy.planning import Floor

ZONE = "Europe/Madrid"
START = "2027-02-01"
GATE = Gate.load(SHIPPED, strict=True)
CALL = Treatment(steps=(Step(channel="call"),))
DOCUMENT = Document(
    name="hours", rank_by=("balance",), plan="slots", replan=True, explore=0.0,
    limits=Limits(calls_per_day=1, calls_per_week=3),
    segments=(Segment(name="all", when="true", treatment="call"),), treatments={"call": CALL},
)  # fmt: skip
CAMPAIGN = attached(CampaignSettings(name="c", mode=Mode.predictive), Strategy(document=DOCUMENT))
FLOOR = FloorSettings(zone=ZONE, campaigns=(CAMPAIGN,), tick_s=2.0)


def plan(swings: Swings, days: int = 8) -> Plan:
    hours = roster(3, begin="10:00", end="20:00")
    return Plan(world="bank_early", debtors=1200, start=START, days=days, roster=hours, swings=swings)


@pytest.fixture(scope="module")
def swung(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Month, SqlLedger]]:
    url = f"sqlite:///{tmp_path_factory.mktemp('swung') / 'ledger.db'}"
    with open_ledger(url) as ledger:
        kept = books.Books(ledger, midnight_us(date.fromisoformat(START), ZONE))
        made = Month(Arm(name="a", floor=FLOOR, scores="truth"), plan(Swings(deviation=0.5, persistence=0.8)), 3, kept)
        made.month()
        kept.flush()
        yield made, ledger


def test_lists_move_who_waits_and_has_not_been_called_that_day(swung: tuple[Month, SqlLedger]) -> None:
    _, ledger = swung
    called: dict[int, str] = {}
    taught, off = 0, list[float]()
    for row in ledger.read("floor"):
        record, local = row.record, to_datetime(row.at_us, ZONE)
        if isinstance(record, Reserve):
            called[record.person] = local.date().isoformat()
        elif isinstance(record, LeadsLoaded) and record.learned is not None:
            taught += 1
            assert (record.replaces, record.people) == (False, ())
            assert record.learned.hour == local.hour
            assert record.learned.moved == len(record.leads) <= record.learned.waiting
            assert not any(called.get(lead.person) == local.date().isoformat() for lead in record.leads)
            off.append(abs(record.learned.answers[0] - 1.0))
    assert taught >= 2
    # Others go back to where the day began.
    assert max(off) > 0.09


def test_the_record_of_such_days_holds_and_folds_to_the_same_floor(swung: tuple[Month, SqlLedger]) -> None:
    made, ledger = swung
    (verified,) = ledger.verify()
    assert verified.broken_seq is None
    engine = Engine(GATE)
    for row in ledger.read("floor"):
        engine.fold(row)
    kept, folded = (one.state.campaigns["c"].leads for one in (made.engine, engine))

    def stands(leads: dict[int, LeadState]) -> dict[int, tuple[int, str, int, str]]:
        return {one.person: (one.rank, one.place, one.at_us, one.why) for one in leads.values()}

    assert stands(folded) == stands(kept)


def test_the_ledger_tells_the_same_as_the_simulated_floor(swung: tuple[Month, SqlLedger]) -> None:
    made, ledger = swung
    end_us = midnight_us(date(2027, 2, 9), ZONE)
    with ledger.reading() as connection:
        found = counts_of(connection, "c", end_us - HABIT_US, end_us)
    kept = made._lists.counts["c"]
    wanted = sorted(Count(at_us, *of) for at_us, of in kept.items())
    assert [(one.at_us, one.answered) for one in found] == [(one.at_us, one.answered) for one in wanted]
    assert [one.forecast for one in found] == pytest.approx([one.forecast for one in wanted])
    assert sum(one.answered for one in found) > 100
    learnt = ledger.learn_day(CAMPAIGN, end_us - 1, Floor(GATE, FLOOR), 3.0, None)
    last = made._lists.learnt["c"]
    assert learnt.habit.learns
    assert (learnt.habit.strength, learnt.habit.kept) == (last.habit.strength, last.habit.kept)
    assert learnt.habit.usual == pytest.approx(last.habit.usual)
    assert [one[::2] for one in learnt.today] == [one[::2] for one in last.today]


def test_hours_that_are_as_forecast_teach_nothing() -> None:
    made = Month(Arm(name="a", floor=FLOOR, scores="truth"), plan(Swings()), 3, Tape())
    made.month()
    assert made._lists.learnt["c"].habit.hours >= 35
    assert not made._lists.learnt["c"].habit.learns
    assert made.replans == 0


def test_a_live_floor_plans_anew_what_its_ledger_has_taught(swung: tuple[Month, SqlLedger]) -> None:
    _, ledger = swung
    rows = list(ledger.read("floor"))
    taught = [row for row in rows if isinstance(row.record, LeadsLoaded) and row.record.learned is not None]
    last = taught[-1]
    # The floor as it stood just before it last planned anew.
    engine = Engine(GATE)
    for row in rows:
        if row.seq == last.seq:
            break
        engine.fold(row)
    before = {one.person: (one.rank, one.place, one.at_us) for one in engine.state.campaigns["c"].leads.values()}
    heard: list[AnyEvent] = []

    async def learn() -> None:
        # Just before the quarter of an hour at which it looks.
        clock, lookups = RehearsedClock(last.at_us - 300_000, 1.0), Lookups()
        commits = Commits(ledger, lambda _: None, Measure())

        def accept(event: AnyEvent) -> None:
            heard.append(event)
            engine.handle(event)
            commits.seq = engine.seq

        reader = Reader(ledger, lookups, engine, commits, accept, clock)
        assert present(engine.state, CAMPAIGN) > 0
        learning = asyncio.create_task(reader.learn(FLOOR))
        while not heard and not learning.done():
            await asyncio.sleep(0.05)
        learning.cancel()
        await asyncio.gather(learning, return_exceptions=True)
        await lookups.close()

    asyncio.run(learn())
    (load,) = heard
    assert isinstance(load, LeadsLoaded)
    assert isinstance(last.record, LeadsLoaded)
    assert load.learned is not None
    assert load.learned.answers == pytest.approx(last.record.learned.answers, abs=0.2)  # type: ignore[union-attr]
    leads = engine.state.campaigns["c"].leads
    moved_to = {one.person: leads[one.person] for one in load.leads}
    assert all((one.rank, one.place, one.at_us) != before[person] for person, one in moved_to.items())
    with ledger.reading() as connection:
        told = plans.last_learned(connection, "c", last.at_us - HOUR)
        assert told is not None
        assert told[1] == load.learned
        assert plans.learned_of(connection, "c-1") is None
        moved = _moved(connection, engine.state.campaigns["c"], load.leads[0].person)
    assert moved is not None
    assert f"{load.learned.moved:,} of {load.learned.waiting:,} who waited moved" in moved_words(moved, ZONE)
