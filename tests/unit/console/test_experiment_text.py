"""Amounts of a trial as people read them: with as many decimals as their currency has."""

import pytest
from msgspec.structs import replace
from rich.console import Console

from console import experiment_text
from console.trial_plan import Planned
from strategy.offpolicy import Estimate, Worth


def shown(what: object) -> str:
    console = Console(width=200)
    with console.capture() as caught:
        console.print(what)
    return caught.get()


@pytest.mark.parametrize(
    ("currency", "mean", "effect"), [("EUR", "1,234.57", "0.50"), ("CLP", "1,235", "0"), ("KWD", "1,234.568", "0.500")]
)
def test_money_has_the_decimals_of_its_currency(currency: str, mean: str, effect: str) -> None:
    plan = Planned(
        strategy="s@1", unit="debtor", metric="net_recovery", currency=currency, mean=1234.5678, deviation=1.0,
        explained=0.0, mde=0.1,
        effect=0.4999, power=0.8, alpha=0.05, looks=(7,), shares=(0.5, 0.5), units=10, people=0, visible=None, days=7,
        assumed=[],
    )  # fmt: skip
    assert f"nets {mean} {currency}" in shown(experiment_text.plan(plan))
    assert f"({effect} {currency} a debtor)" in shown(experiment_text.plan(plan))
    counted = replace(plan, metric="promises_kept", mean=0.25, effect=0.025)
    assert "a debtor brings 0.250 promises kept" in shown(experiment_text.plan(counted))
    assert "(0.025 promises kept a debtor)" in shown(experiment_text.plan(counted))
    one = Estimate(value=1234.5678, low=0.0, high=1234.5678)
    worth = Worth(n=1, debtors=1, had=one, ess=1.0, support=1.0, cut=0.0, most_weight=1.0, refused="", ips=one)
    answer = {
        "strategy": "s@1", "campaign": "c", "currency": currency, "days": 7,
        "left_out": {"held_out": 0, "unknown_document": 0, "not_made_again": 0},
        "values": "calls", "does_not_value": ["order"],
    }  # fmt: skip
    assert f"IPS: {mean} (" in shown(experiment_text.valued(answer, worth))
