"""Made debtors are dossiers like any others: each his own draw, lawful to judge, and on the ledger as they are."""

from collections import Counter
from datetime import date
from pathlib import Path

import pytest

from compliance.gate import Gate
from domain.errors import BadInput
from domain.instants import parse
from ledger.memory import MemoryLedger
from ledger.people import enroll
from simulation.population import PRESETS, load, portfolio

START_US = parse("2026-11-18T15:30:00+00:00")
RULES = Path(__file__).parents[3] / "config" / "rules"


@pytest.mark.parametrize("world", PRESETS)
def test_each_debtor_is_drawn_from_seed_and_person_alone(world: str) -> None:
    laws = load(world)
    few, many = list(portfolio(laws, 50, 7, START_US)), list(portfolio(laws, 400, 7, START_US))
    assert many[:50] == few
    assert list(portfolio(laws, 50, 8, START_US)) != few
    assert [one.person for one in many] == list(range(1, 401))
    phones = {phone.phone: phone for one in many for phone in one.phones}
    debts = [debt.debt for one in many for debt in one.debts]
    assert len(debts) == len(set(debts))
    # A number is shared within a household and by nobody else.
    homes = {
        phone: {next((cap.key for cap in one.keys if cap.key.startswith("household:")), one.person) for one in many
                if phone in {each.phone for each in one.phones}}
        for phone in list(phones)[:200]
    }  # fmt: skip
    assert all(len(home) == 1 for home in homes.values())
    for one in many:
        keys = [cap.key for cap in one.keys]
        assert keys == sorted(keys)
        assert {f"person:{one.person}", *(f"phone:{phone.phone}" for phone in one.phones)} <= set(keys)
        least, most = laws.portfolio.days_between
        for debt in one.debts:
            assert debt.due_on is not None
            assert least <= (date(2026, 11, 18) - date.fromisoformat(debt.due_on)).days <= most
            assert debt.balance_minor > 0
            assert debt.product in laws.portfolio.products


def test_shares_of_a_portfolio_are_those_stated() -> None:
    laws = load("default")
    made = list(portfolio(laws, 20_000, 1, START_US))
    law = laws.portfolio

    def shares(counts: Counter[str]) -> dict[str, float]:
        return {key: count / counts.total() for key, count in counts.items()}

    def stated(weights: dict[str, float]) -> dict[str, float]:
        return {key: pytest.approx(weight / sum(weights.values()), abs=0.015) for key, weight in weights.items()}

    assert shares(Counter(one.country for one in made)) == stated(law.countries)
    products = Counter(debt.product or "" for one in made for debt in one.debts)
    assert shares(products) == stated({name: product.weight for name, product in law.products.items()})
    assert sum(len(one.debts) - 1 for one in made) / len(made) == pytest.approx(law.p_second_debt, abs=0.01)
    together = sum(any(cap.key.startswith("household:") for cap in one.keys) for one in made)
    assert together / len(made) == pytest.approx(law.p_household, abs=0.012)
    assert sum(bool(one.consents) for one in made) / len(made) == pytest.approx(law.p_consent, abs=0.01)
    balances = sorted(
        debt.balance_minor for one in made for debt in one.debts if one.country == "ES" and debt.product == "card"
    )
    assert balances[len(balances) // 2] / 100 == pytest.approx(law.products["card"].balance, rel=0.08)


def test_gate_and_ledger_take_them_as_they_are() -> None:
    places = {code: 1 for code, country in load("default").countries.items() if country.places}
    assert len(places) == 9
    made = list(portfolio(load("default", {"portfolio": {"countries": places}}), 600, 1, START_US))
    gate = Gate.load(RULES)
    allowed = 0
    for one in made:
        verdict = gate.judge(
            one,
            at_us=START_US,
            phone=one.phones[0],
            debts=tuple(debt.debt for debt in one.debts),
            actor="third_party",
            purpose="collection",
        )
        allowed += verdict.allowed
        # Places are known to the rules.
        assert not {"region", "city", "zone"} & set(verdict.assumed)
    assert allowed > 500
    ledger = MemoryLedger()
    with ledger.writing() as connection:
        enroll(
            connection,
            made,
            {phone.phone: f"+34{910_000_000 + phone.phone}" for one in made for phone in one.phones},
            START_US,
        )
    assert list(ledger.dossiers([one.person for one in made])) == made


def test_nobody_is_no_portfolio() -> None:
    with pytest.raises(BadInput, match="0 debtors are nobody; ask for at least one"):
        portfolio(load("default"), 0, 1, START_US)
