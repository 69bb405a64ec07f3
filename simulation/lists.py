"""Campaigns' lists from people in memory, chosen and ranked as `ledger.plans` does from the tables."""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable
from datetime import date, timedelta

from domain.people import Debt, Dossier, Lead
from domain.settings import CampaignSettings, Selection

#: A debt without a due date is the newest.
_NO_DATE = "9999-12-31"


def leads(dossiers: Iterable[Dossier], campaign: CampaignSettings, today: date) -> list[Lead]:
    """Return a campaign's people as a list made today would have them.

    Notes
    -----
    People of equal place stand in the order of their ids, as do all under `newest` and `rank` here: a population has
    no imports that would have ranked them.
    """
    chosen = [(one.person, debts) for one in dossiers if one.phones and (debts := _chosen(one, campaign, today))]
    places = _places(chosen, campaign.order)
    chosen.sort(key=lambda one: (places[one[0]], one[0]) if places else (0, one[0]))
    return [
        Lead(person=person, rank=rank, debts=tuple(debt.debt for debt in debts))
        for rank, (person, debts) in enumerate(chosen)
    ]


def _chosen(dossier: Dossier, campaign: CampaignSettings, today: date) -> list[Debt]:
    selection = campaign.selection
    if selection.countries and dossier.country not in selection.countries:
        return []
    return sorted(
        (debt for debt in dossier.debts if debt.state == "open" and _wanted(debt, selection, today)),
        key=lambda debt: debt.debt,
    )


def _wanted(debt: Debt, selection: Selection, today: date) -> bool:
    if debt.balance_minor < selection.min_balance_minor:
        return False
    if selection.products and debt.product not in selection.products:
        return False
    # ISO days compare as text; a debt without a date passes no bound.
    due_on = debt.due_on
    least, most = selection.min_days_due, selection.max_days_due
    if least is not None and (due_on is None or due_on > (today - timedelta(days=least)).isoformat()):
        return False
    return most is None or (due_on is not None and due_on >= (today - timedelta(days=most)).isoformat())


def _places(chosen: list[tuple[int, list[Debt]]], order: str) -> dict[int, float] | dict[int, str]:
    if order == "ageing":
        return {person: min(debt.due_on or _NO_DATE for debt in debts) for person, debts in chosen}
    if order != "balance":
        return {}
    # Money of two currencies has no order: a person stands by the share of people of the currency who owe less.
    owed: defaultdict[str, defaultdict[int, int]] = defaultdict(lambda: defaultdict(int))
    for person, debts in chosen:
        for debt in debts:
            owed[debt.currency][person] += debt.balance_minor
    best: dict[int, float] = {}
    for of_currency in owed.values():
        amounts = sorted(of_currency.values())
        for person, amount in of_currency.items():
            share = bisect_left(amounts, amount) / (len(amounts) - 1) if len(amounts) > 1 else 0.0
            best[person] = max(best.get(person, 0.0), share)
    return {person: -share for person, share in best.items()}
