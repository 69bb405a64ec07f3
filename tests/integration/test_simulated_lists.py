"""A list made from people in memory is the one that the ledger makes from its tables."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select

from domain.instants import DAY, to_datetime
from domain.people import Dossier, Lead
from domain.settings import CampaignSettings, Selection
from ledger.schema import person
from ledger.store import SqlLedger, open_ledger
from simulation.lists import leads
from simulation.sample import write_sample
from tests.integration.portfolio_files import NOW, bring, write


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SqlLedger]:
    folder = tmp_path_factory.mktemp("list")
    write_sample(folder / "accounts.csv", debtors=800, seed=5, at_us=NOW)
    with open_ledger(f"sqlite:///{folder / 'ledger.db'}") as found:
        bring(found, folder / "accounts.csv")
        yield found


@pytest.mark.parametrize(
    "selection",
    [
        Selection(),
        Selection(countries=("ES", "CO")),
        Selection(min_balance_minor=50_000, min_days_due=30),
        Selection(max_days_due=90, countries=("US",)),
    ],
)
@pytest.mark.parametrize("order", ["balance", "ageing"])
def test_the_same_people_in_the_same_order(ledger: SqlLedger, order: str, selection: Selection) -> None:
    campaign = CampaignSettings(name="c", order=order, selection=selection)
    at_us = NOW + DAY
    plan = ledger.make_plan(campaign, at_us, "Europe/Madrid")
    wanted = [lead for event in ledger.plan_events(plan, "c", at_us) for lead in event.leads]
    found = leads(_everybody(ledger), campaign, to_datetime(at_us, "Europe/Madrid").date())
    assert len(wanted) > 20
    # An owner is the ledger's own business: a population has none.
    assert found == [Lead(person=lead.person, rank=lead.rank, debts=lead.debts) for lead in wanted]


def test_products_are_chosen_too(ledger: SqlLedger) -> None:
    people = _everybody(ledger)
    product = next(debt.product for one in people for debt in one.debts if debt.product)
    campaign = CampaignSettings(name="c", selection=Selection(products=(product,)))
    plan = ledger.make_plan(campaign, NOW, "Europe/Madrid")
    wanted = {lead.person for event in ledger.plan_events(plan, "c", NOW) for lead in event.leads}
    assert {lead.person for lead in leads(people, campaign, to_datetime(NOW, "Europe/Madrid").date())} == wanted


def test_equal_debtors_keep_one_order(tmp_path: Path) -> None:
    rows = [
        {"creditor": "B", "account": f"T{n}", "person": f"T{n}", "name": "x", "phone": f"6001234{n:02d}",
         "country": "ES", "balance": "100", "currency": "EUR", "due_date": "2026-09-01"}
        for n in range(5)
    ]  # fmt: skip
    campaign = CampaignSettings(name="c")
    with open_ledger(f"sqlite:///{tmp_path / 'ledger.db'}") as own:
        bring(own, write(tmp_path / "ties.csv", rows))
        plan = own.make_plan(campaign, NOW, "Europe/Madrid")
        wanted = [lead.person for event in own.plan_events(plan, "c", NOW) for lead in event.leads]
        people = _everybody(own)
    found = leads(people, campaign, to_datetime(NOW, "Europe/Madrid").date())
    assert [lead.person for lead in found] == wanted


def _everybody(ledger: SqlLedger) -> list[Dossier]:
    with ledger.reading() as connection:
        return ledger.dossiers(list(connection.execute(select(person.c.id)).scalars()))
