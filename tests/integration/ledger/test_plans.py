"""Whom a list holds, in which order, and that it stays what it was."""

import pytest
from sqlalchemy import update

from domain.errors import BadInput
from domain.instants import DAY
from domain.people import Debt, Dossier, Lead
from domain.settings import CampaignSettings, Selection
from ledger import plans
from ledger.decisions import last, stands
from ledger.schema import creditor, debt, person_phone, plan
from ledger.schema import person as people
from ledger.store import SqlLedger
from strategy.checking import examine_text
from strategy.documents import Strategy, attached
from strategy.listing import Stand
from tests.integration.ledger.scribe import NOW, person, settle

ZONE = "Europe/Madrid"


def owing(number: int, *debts: tuple[int, str, str | None], country: str = "ES", **more: object) -> Dossier:
    """Return a person with debts of (balance, currency, due day)."""
    owed = tuple(
        Debt(debt=number * 100 + i, creditor=1, balance_minor=balance, currency=currency, due_on=due_on)
        for i, (balance, currency, due_on) in enumerate(debts)
    )
    return person(number, country=country, debts=owed, **more)  # type: ignore[arg-type]


PORTFOLIO = [
    owing(1, (500, "EUR", "2026-11-01")),
    owing(2, (900, "EUR", "2026-09-01"), (200, "EUR", None)),
    owing(3, (300_000, "COP", "2026-10-01"), country="CO"),
    owing(4, (100_000, "COP", "2025-10-01"), country="CO"),
    owing(5, (700, "EUR", "2026-11-18"), (0, "EUR", None)),
]


def listed(ledger: SqlLedger, **settings: object) -> list[Lead]:
    campaign = CampaignSettings(name="spring", **settings)  # type: ignore[arg-type]
    made = ledger.make_plan(campaign, NOW, ZONE)
    events = list(ledger.plan_events(made, "spring", NOW))
    leads = [lead for event in events for lead in event.leads]
    assert [one.person for event in events for one in event.people] == [lead.person for lead in leads]
    assert ledger.dossiers([lead.person for lead in leads]) == [one for event in events for one in event.people]
    assert [lead.rank for lead in leads] == list(range(len(leads)))
    return leads


def test_order(ledger: SqlLedger) -> None:
    settle(ledger, PORTFOLIO)

    def order(name: str) -> list[int]:
        return [lead.person for lead in listed(ledger, order=name)]

    # The greatest of each currency first: 2 (11.00 EUR) and 3, then 5, then the least of each.
    assert order("balance") == [2, 3, 5, 1, 4]
    assert order("ageing") == [4, 2, 3, 1, 5]
    assert order("rank") == [1, 2, 3, 4, 5]
    with ledger.writing() as connection:
        connection.execute(update(debt).where(debt.c.person == 4).values(first_seen_us=NOW + 1))
    assert order("newest") == [4, 1, 2, 3, 5]


def test_one_lead_a_person_with_the_debts_worked(ledger: SqlLedger) -> None:
    settle(ledger, PORTFOLIO)
    with ledger.writing() as connection:
        connection.execute(update(people).where(people.c.id == 2).values(owner="ana"))
    leads = {lead.person: lead for lead in listed(ledger)}
    assert leads[2].debts == (200, 201)
    assert leads[2].owner == "ana"
    assert leads[5].debts == (500,)  # nothing is owed on the other
    assert {lead.debts for lead in listed(ledger, selection=Selection(min_balance_minor=600, countries=("ES",)))} == {
        (200,),
        (500,),
    }


@pytest.mark.parametrize(
    ("selection", "persons"),
    [
        (Selection(countries=("CO",)), [3, 4]),
        (Selection(creditors=("nobody",)), []),
        (Selection(creditors=("creditor 1", "nobody")), [1, 2, 3, 4, 5]),
        (Selection(products=("loan",)), [1]),
        (Selection(min_days_due=17), [1, 2, 3, 4]),
        (Selection(min_days_due=18), [2, 3, 4]),
        (Selection(max_days_due=17), [1, 5]),
        (Selection(min_days_due=0, max_days_due=0), [5]),
        (Selection(min_balance_minor=1_000), [3, 4]),
    ],
)
def test_selection(ledger: SqlLedger, selection: Selection, persons: list[int]) -> None:
    settle(ledger, PORTFOLIO)
    with ledger.writing() as connection:
        connection.execute(update(debt).where(debt.c.person == 1).values(product="loan"))
    assert [lead.person for lead in listed(ledger, order="rank", selection=selection)] == persons


def test_the_day_is_the_floors(ledger: SqlLedger) -> None:
    settle(ledger, PORTFOLIO)
    today = CampaignSettings(name="spring", selection=Selection(max_days_due=0))
    late_us = NOW + 8 * 3600 * 10**6  # 23:30 UTC: the 19th in Madrid, the 18th in Bogotá

    def persons(zone: str) -> list[int]:
        made = ledger.make_plan(today, late_us, zone)
        return [lead.person for event in ledger.plan_events(made, "spring", NOW) for lead in event.leads]

    assert persons("Europe/Madrid") == []
    assert persons("America/Bogota") == [5]


def test_who_cannot_be_called_is_left_out(ledger: SqlLedger) -> None:
    settle(ledger, PORTFOLIO)
    with ledger.writing() as connection:
        connection.execute(update(person_phone).where(person_phone.c.person == 1).values(status="wrong_party"))
        connection.execute(update(debt).where(debt.c.person == 2).values(state="paid"))
        connection.execute(update(debt).where(debt.c.id == 300).values(state="withdrawn"))
    assert [lead.person for lead in listed(ledger, order="rank")] == [4, 5]


def test_chunks(ledger: SqlLedger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plans, "CHUNK", 2)
    settle(ledger, PORTFOLIO)
    made = ledger.make_plan(CampaignSettings(name="spring"), NOW, ZONE)
    events = list(ledger.plan_events(made, "spring", NOW + 5))
    assert [(event.chunk, len(event.leads), len(event.people), event.at_us) for event in events] == [
        (0, 2, 2, NOW + 5),
        (1, 2, 2, NOW + 5),
        (2, 1, 1, NOW + 5),
    ]
    assert len({event.sha256 for event in events}) == 3
    # The list stays what it was, whatever becomes of its people.
    with ledger.writing() as connection:
        connection.execute(update(debt).values(state="paid"))
    assert list(ledger.plan_events(made, "spring", NOW + 5)) == events
    again = ledger.make_plan(CampaignSettings(name="spring"), NOW, ZONE)
    assert again != made
    assert list(ledger.plan_events(again, "spring", NOW)) == []


def test_no_such_plan(ledger: SqlLedger) -> None:
    settle(ledger, PORTFOLIO)
    made = ledger.make_plan(CampaignSettings(name="spring"), NOW, ZONE)
    with pytest.raises(BadInput, match="no finished plan"):
        list(ledger.plan_events("spring-99", "spring", NOW))
    with pytest.raises(BadInput, match="correct it"):
        list(ledger.plan_events("spring", "spring", NOW))
    with ledger.writing() as connection:
        connection.execute(update(plan).values(sealed=False))
    with pytest.raises(BadInput, match="no finished plan"):
        list(ledger.plan_events(made, "spring", NOW))


def test_creditors_are_known_by_name(ledger: SqlLedger) -> None:
    settle(ledger, PORTFOLIO)
    with ledger.writing() as connection:
        connection.execute(update(creditor).values(name="Banco Uno"))
    assert len(listed(ledger, selection=Selection(creditors=("Banco Uno",)))) == 5


RESTING = """
name = "resting"
rank_by = ["days_past_due"]
[[segments]]
name = "abroad"
when = 'country == "CO"'
treatment = "wait"
[[segments]]
name = "everybody"
when = "true"
treatment = "call"
[treatments.wait]
[[treatments.wait.steps]]
channel = "none"
[treatments.call]
explore = false
[[treatments.call.steps]]
channel = "call"
"""


def test_a_strategy_makes_the_list_and_its_decisions_are_kept(ledger: SqlLedger) -> None:
    settle(ledger, PORTFOLIO)
    document, wrong = examine_text(RESTING, "resting.toml")
    assert document is not None
    assert not wrong
    campaign = attached(CampaignSettings(name="spring"), Strategy(document=document))
    for number in (1, 2):
        made = ledger.make_plan(campaign, NOW + number * DAY, ZONE)
        (event,) = ledger.plan_events(made, "spring", NOW)
        assert [lead.person for lead in event.leads] == [2, 1, 5]
        assert [lead.debts for lead in event.leads] == [(200, 201), (100,), (500,)]
        assert event.replaces
    today = (NOW + DAY) // DAY
    with ledger.reading() as connection:
        stood = stands(connection, "spring", NOW + 2 * DAY)
        forgotten = stands(connection, "spring", NOW + 60 * DAY)
        abroad = last(connection, "spring", 3, NOW + 3 * DAY)
        before = last(connection, "spring", 3, NOW)
    assert stood == {one: Stand("abroad" if one in (3, 4) else "everybody", today) for one in (1, 2, 3, 4, 5)}
    assert forgotten == {}
    assert before is None
    assert abroad is not None
    assert (abroad.action, abroad.p_action, abroad.decided_us) == ("none", {"call": 0.0, "none": 1.0}, NOW + 2 * DAY)


def test_a_strategy_that_calls_nobody_empties_the_list(ledger: SqlLedger) -> None:
    settle(ledger, PORTFOLIO)
    document, _ = examine_text(RESTING.replace("""\'country == "CO"\'""", "'debts > 0'"), "resting.toml")
    assert document is not None
    campaign = attached(CampaignSettings(name="spring"), Strategy(document=document))
    (event,) = ledger.plan_events(ledger.make_plan(campaign, NOW, ZONE), "spring", NOW)
    assert (event.leads, event.replaces) == ((), True)
