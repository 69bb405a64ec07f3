"""A strategy's list is the same from the ledger's tables and from people in memory, month in, month out."""

from collections.abc import Iterator
from datetime import date
from json import loads
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from msgspec.structs import replace
from sqlalchemy import select

from compliance.gate import Gate
from compliance.packs import SHIPPED
from domain.forecasts import MACHINE, UNIT, at
from domain.instants import DAY, HOUR, midnight_us, to_datetime
from domain.people import Dossier
from domain.settings import CampaignSettings, FloorSettings
from ledger import decisions, score_fields
from ledger import scores as ledger_scores
from ledger.book import read_book
from ledger.plans import chosen
from ledger.schema import agent, decision, person
from ledger.store import SqlLedger, open_ledger
from ledger.strategic import pace_of
from simulation import books
from simulation.lists import Known, by_strategy, leads
from simulation.month import Arm, Month, Plan
from simulation.population import load, portfolio
from simulation.roster import roster
from simulation.truths import truths
from strategy.checking import read
from strategy.documents import attached
from strategy.eligible import eligible
from strategy.fields import Scores, columns
from strategy.planning import Floor, Workplace

ZONE = "Europe/Madrid"
EXAMPLES = Path("config/strategies")
START = "2027-02-01"
DAYS = 9
AT_US = midnight_us(date(2027, 2, 1 + DAYS), ZONE) + 9 * HOUR
HALF_US = AT_US - 4 * DAY
GATE = Gate.load(SHIPPED, strict=True)
FLOOR = FloorSettings(zone=ZONE)


def campaign(name: str) -> CampaignSettings:
    return attached(CampaignSettings(name="c", mode="predictive"), read(EXAMPLES / f"{name}.toml"))


class Kept(Month):
    """A month of which can be asked afterwards what its floor knows."""

    def everybody(self) -> list[Dossier]:
        return [self._as_it_stands(one.person) for one in self.portfolio]

    @property
    def known(self) -> Known:
        return self._lists.known

    def standing(self, name: str) -> dict[int, Any]:
        return {person: stand for person, (stand, _) in self._lists.stands[name].items()}


@pytest.fixture(scope="module", params=["gentle", "digital-first"])
def month(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Kept, SqlLedger]]:
    url = f"sqlite:///{tmp_path_factory.mktemp('month') / 'ledger.db'}"
    arm = Arm(name="a", floor=replace(FLOOR, campaigns=(campaign(request.param),)))
    plan = Plan(world="bank_early", debtors=250, start=START, days=DAYS, roster=roster("4"))
    with open_ledger(url) as ledger:
        kept = books.Books(ledger, midnight_us(date.fromisoformat(START), ZONE))
        made = Kept(arm, plan, 3, kept, scores=lambda people, at_us: scores() if at_us > HALF_US else None)
        made.month()
        kept.flush()
        yield made, ledger


def weekday(at_us: int) -> int:
    return to_datetime(at_us, ZONE).weekday()


def scores_of(ledger: SqlLedger, told: Scores, people: list[Dossier]) -> str:
    """Write scores into the ledger as a model's; return their version."""
    ids = sorted(one.person for one in people)
    assert told.numbers is not None
    numbers = told.numbers(ids)

    def packed(chances: Any) -> bytes:
        return np.round(chances * UNIT).astype("<u2").tobytes()

    phones: dict[int, list[ledger_scores.PhoneScore]] = {}
    for row, (one, phone) in enumerate(zip(numbers.person.tolist(), numbers.phone.tolist(), strict=True)):
        phones.setdefault(one, []).append(
            ledger_scores.PhoneScore(
                phone=phone,
                p_answered=packed(numbers.p_answered[row]),
                p_right=packed(numbers.p_right[row]),
                p_machine=float(numbers.p_machine[row]),
            )
        )
    values = dict(zip(told.person.tolist(), told.values["value_contact"].tolist(), strict=True))
    rows = [
        ledger_scores.PersonScore(person=one, value_minor={"call": round(values[one])}, phones=tuple(phones[one]))
        for one in ids
    ]
    ledger_scores.write(ledger, rows, at_us=AT_US - HOUR, versions={"answered": "a1", "uplift": "u2"}, zone=ZONE)
    return "a1,u2"


def scores() -> Scores:
    ids = np.arange(2, 200, 3)
    values = {"value_call": np.cos(ids) * 100.0, "p_self_cure": (np.sin(ids) + 1) / 2}
    return Scores(ids, values, "m7")


def test_every_field_has_one_value(month: tuple[Kept, SqlLedger]) -> None:
    made, ledger = month
    settings = campaign("balance")
    from simulation import lists

    today = date(2027, 2, 1 + DAYS)
    owed = [(one, debts) for one in made.everybody() if (debts := lists._chosen(one, settings, today))]
    owed.sort(key=lambda one: one[0].person)
    inside = columns(lists._book(owed, AT_US, made.known), AT_US, ZONE, scores())
    with ledger.reading() as connection:
        book = read_book(connection, chosen(settings.selection, AT_US, ZONE, reachable=False), AT_US)
    outside = columns(book, AT_US, ZONE, scores())
    assert len(book.contacts.row) > 100
    assert min(len(book.promises.row), len(book.payments.row)) > 5
    assert inside.keys() == outside.keys()
    for name, values in inside.items():
        assert np.array_equal(values, outside[name], equal_nan=values.dtype.kind == "f"), name


@pytest.mark.parametrize("name", ["balance", "ageing", "gentle", "digital-first", "model"])
def test_the_same_list_and_the_same_decisions(month: tuple[Kept, SqlLedger], name: str) -> None:
    made, ledger = month
    settings = campaign(name)
    with ledger.reading() as connection:
        standing = decisions.stands(connection, "c", AT_US)
    assert standing == made.standing("c")

    def may(of: CampaignSettings, people: Any) -> Any:
        return eligible(GATE, FLOOR.hours_us(AT_US), of, people)

    found = by_strategy(made.everybody(), settings, AT_US, ZONE, made.known, standing, may, scores())
    number = int(ledger.make_plan(settings, AT_US, ZONE, eligible=may, scores=scores()).rpartition("-")[2])
    loads = list(ledger.plan_events(f"c-{number}", "c", AT_US))
    assert [lead for load in loads for lead in load.leads] == found.leads
    assert len(found.leads) > 20 or name == "digital-first"
    assert [load.replaces for load in loads] == [False] * (len(loads) - 1) + [True]
    with ledger.writing() as connection:
        rows = connection.execute(select(decision).where(decision.c.plan == number)).all()
        connection.execute(decision.delete().where(decision.c.plan == number))
    kept = {row.person: row for row in rows}
    assert len(kept) == len(rows) == len(found.decisions)
    for one in found.decisions:
        told = decisions.row(number, "c", one)
        assert {name: kept[one.person]._mapping[name] for name in told} == told


@pytest.mark.parametrize("scored", [False, True])
def test_the_same_plan(month: tuple[Kept, SqlLedger], scored: bool) -> None:
    made, ledger = month
    plain = read(EXAMPLES / "gentle.toml")
    document = replace(plain.document, plan="slots", rank_by=("value_contact", "balance"))
    settings = attached(CampaignSettings(name="c", mode="predictive"), replace(plain, document=document))
    people = made.everybody()
    version = None
    if scored:
        truth = truths(made.people, people, AT_US, ZONE)
        version = scores_of(ledger, truth, people)
    with ledger.reading() as connection:
        standing = decisions.stands(connection, "c", AT_US)
        told = score_fields.serving(ledger.reading, connection, AT_US, frozenset({"value_contact"}))
        pace = pace_of(connection, "c", AT_US)
    assert (None if told is None else told.version) == version
    assert pace == made._lists.pace("c", made._now)
    with ledger.writing() as connection:
        connection.execute(agent.delete())
        connection.execute(agent.insert(), [{"agent": name, "created_us": 1} for name in ("4", "5")])
    number = ledger.make_plan(settings, AT_US, ZONE, floor=Floor(GATE, replace(FLOOR, campaigns=(settings,))))
    loads = list(ledger.plan_events(number, "c", AT_US))
    with ledger.writing() as connection:
        connection.execute(decision.delete().where(decision.c.plan == int(number.rpartition("-")[2])))
    place = Workplace(GATE, ZONE, FLOOR.first_hour, FLOOR.slots, lambda at_us: 2.0 * (weekday(at_us) < 5))
    found = by_strategy(people, settings, AT_US, ZONE, made.known, standing, None, told, place, pace)
    assert [lead for load in loads for lead in load.leads] == found.leads
    assert [load.scores for load in loads] == [version] * len(loads)
    # Others wait for another day: all calls that they may get in a week are planned.
    tonight_us = int(place.hours_us(AT_US)[FLOOR.slots - 1])
    assert found.plans["champion"].today == sum(0 < lead.from_us <= tonight_us for lead in found.leads) > 10
    assert any(lead.reach for lead in found.leads) == scored
    # Voicemail is told with the hours of the day.
    machines = {at(hours, MACHINE) > 0.1 for lead in found.leads for _, hours in lead.reach}
    assert machines == ({True, False} if scored else set())
    assert pace.machines > 0
    assert pace.handling_per_machine_s < 0.5 * pace.handling_per_person_s


@pytest.mark.parametrize("order", ["balance", "ageing"])
def test_the_plain_examples_rank_as_the_plain_orders(order: str) -> None:
    people = list(portfolio(load("default"), 400, 2, AT_US))
    found = by_strategy(people, campaign(order), AT_US, ZONE, Known(), {})
    wanted = leads(people, CampaignSettings(name="c", order=order), date(2027, 2, 1 + DAYS))
    assert [(one.person, one.rank, one.debts) for one in found.leads] == [
        (one.person, one.rank, one.debts) for one in wanted
    ]


def test_what_stands_on_the_attempts(month: tuple[Kept, SqlLedger]) -> None:
    _, ledger = month
    from ledger.schema import attempt

    with ledger.reading() as connection:
        arms = {tuple(row) for row in connection.execute(select(attempt.c.arm, attempt.c.p_arm))}
        persons = connection.execute(select(person.c.id)).scalars().all()
        listed = connection.execute(select(decision.c.person, decision.c.action)).all()
        scored = connection.execute(
            select(attempt.c.person, attempt.c.score_version, attempt.c.reserved_us).where(attempt.c.p_arm > 0)
        ).all()
        called = set(connection.execute(select(attempt.c.person)).scalars())
    assert arms == {("champion", 1.0)}
    assert called <= {one for one, action in listed if action == "call"}
    assert {one for one, _ in listed} <= set(persons)
    known = set(scores().person.tolist())
    for one, version, at_us in scored:
        assert version == ("m7" if one in known and at_us > HALF_US else None)
    assert {version for _, version, _ in scored} == {None, "m7"}


@pytest.mark.parametrize("month", ["gentle"], indirect=True)
def test_nobody_is_called_more_often_than_the_strategy_says(month: tuple[Kept, SqlLedger]) -> None:
    _, ledger = month
    from domain.instants import to_datetime
    from ledger.schema import attempt, call_back

    with ledger.reading() as connection:
        # What a debtor asked for is done, however often he was called.
        asked = select(call_back.c.person)
        query = select(attempt.c.person, attempt.c.reserved_us).where(attempt.c.person.not_in(asked))
        rows = connection.execute(query).all()
    verdicts = select(attempt.c.verdict).where(attempt.c.person.not_in(asked))
    days = [(one, to_datetime(at_us, ZONE).date()) for one, at_us in rows]
    assert len(set(days)) == len(days) > 50
    by_person: dict[int, list[int]] = {}
    for one, at_us in sorted(rows, key=lambda row: row[1]):
        week = [when for when in by_person.setdefault(one, []) if when > at_us - 7 * DAY]
        assert len(week) < 3
        by_person[one].append(at_us)
    with ledger.reading() as connection:
        local = {verdict["local_time"][11:16] for verdict in map(loads, connection.execute(verdicts).scalars())}
    assert all("10:00" <= clock < "13:00" or "17:00" <= clock < "20:30" for clock in local)
