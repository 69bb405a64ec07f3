"""Campaigns' lists from people in memory, as `ledger.plans` and `ledger.strategic` make them from the tables."""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from operator import attrgetter, itemgetter
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from domain.instants import to_datetime
from domain.people import OF_A_NUMBER, ContactEvent, Debt, Dossier, Lead
from domain.settings import CampaignSettings, Selection
from strategy.documents import strategy_of
from strategy.fields import (
    ANY_DEBT,
    LOOK_BACK_US,
    Book,
    Contacts,
    Debts,
    Payments,
    Promises,
    Scores,
    day_number,
)
from strategy.forecasts import tell
from strategy.listing import Decision, Stand, decide, numbers_of
from strategy.planning import NO_PACE, Pace, Plan, Workplace, plan_list, planned

#: People planned at once.
_PART = 5_000
_debt = attrgetter("debt")
#: A debt without a due date is the newest.
_NO_DATE = "9999-12-31"


def leads(
    dossiers: Iterable[Dossier],
    campaign: CampaignSettings,
    today: date,
    listed: Mapping[int, tuple[int, ...]] = MappingProxyType({}),
) -> list[Lead]:
    """Return a campaign's people as a list made today would have them, but for those who are listed as they are.

    Parameters
    ----------
    listed : mapping
        Who stands on a list already, and with which debts.

    Notes
    -----
    People of equal place stand in the order of their ids, as do all under `newest` and `rank` here: a population has
    no imports that would have ranked them.
    """
    chosen = [(one.person, debts) for one in dossiers if one.phones and (debts := _chosen(one, campaign, today))]
    chosen.sort(key=itemgetter(0))
    if places := _places(chosen, campaign.order):
        chosen.sort(key=lambda one: places[one[0]])
    found = []
    for rank, (person, debts) in enumerate(chosen):
        ids = tuple([debt.debt for debt in debts])
        if listed.get(person) != ids:
            found.append(Lead(person=person, rank=rank, debts=ids))
    return found


def _chosen(dossier: Dossier, campaign: CampaignSettings, today: date) -> list[Debt]:
    selection = campaign.selection
    if selection.countries and dossier.country not in selection.countries:
        return []
    found = [debt for debt in dossier.debts if debt.state == "open" and _wanted(debt, selection, today)]
    if len(found) > 1:
        found.sort(key=_debt)
    return found


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


# ---- by a strategy


@dataclass(slots=True)
class Known:
    """What a floor knows of its people that stands in no dossier, in the order in which it was learned."""

    #: Person, debt, amount, currency, due day (ISO), when it was made, and of a plan its instalments, else 0.
    promises: list[tuple[int, int | None, int, str, str, int, int]] = field(default_factory=list)
    #: Person, debt, amount, currency, when.
    payments: list[tuple[int, int, int, str, int]] = field(default_factory=list)


class Made(NamedTuple):
    """A list as a strategy makes it."""

    leads: list[Lead]
    decisions: list[Decision]
    #: How many debtors it was made from.
    chosen: int
    #: By arm, where its document plans.
    plans: Mapping[str, Plan]
    #: Which scores its forecasts come from.
    scores: str | None


def by_strategy(
    dossiers: Iterable[Dossier],
    campaign: CampaignSettings,
    at_us: int,
    zone: str,
    known: Known,
    stands: Mapping[int, Stand],
    eligible: Callable[[CampaignSettings, Sequence[Dossier]], NDArray[np.bool_]] | None = None,
    scores: Scores | None = None,
    place: Workplace | None = None,
    pace: Pace = NO_PACE,
) -> Made:
    """Return a campaign's list as its strategy makes it at an instant; see `strategy.listing.decide`.

    Parameters
    ----------
    place : Workplace, optional
        Where it is planned; without it nobody's hour is.
    """
    strategy = strategy_of(campaign)
    assert strategy is not None
    today = to_datetime(at_us, zone).date()
    chosen = [(one, debts) for one in dossiers if (debts := _chosen(one, campaign, today))]
    chosen.sort(key=lambda one: one[0].person)
    book = _book(chosen, at_us, known)
    listing = decide(strategy, campaign.name, book, at_us, zone, stands, scores)
    day = day_number(today.isoformat())
    hours_us = np.zeros(len(chosen), np.int64)
    plans: dict[str, Plan] = {}
    if place is not None and planned(listing):

        def people(rows: NDArray[np.int64]) -> list[Dossier]:
            return [chosen[row][0] for row in rows]

        listing, hours_us, plans = plan_list(place, campaign, listing, scores, pace, people, _PART)
    on_list = list(listing.choices())
    told = tell(scores, [chosen[row][0] for row, _, _ in on_list], hours_us[listing.order].tolist(), at_us, zone)
    leads = []
    for (row, choice, order), of in zip(on_list, told, strict=True):
        dossier, debts = chosen[row]
        leads.append(
            Lead(
                person=dossier.person,
                rank=choice.place - 1,
                debts=tuple(debt.debt for debt in debts),
                numbers=of.numbers or numbers_of(order, dossier, day),
                choice=choice,
                reach=of.reach,
                from_us=int(hours_us[row]),
            )
        )
    rows = [*listing.order.tolist(), *np.flatnonzero(~listing.called & (book.n_phones > 0)).tolist()]
    if eligible is not None and rows:
        may = eligible(campaign, [chosen[row][0] for row in rows])
        rows = [row for row, allowed in zip(rows, may.tolist(), strict=True) if allowed]
    forecast = scores.version if scores is not None and any(lead.reach for lead in leads) else None
    return Made(leads, list(listing.decisions(rows)), len(chosen), plans, forecast)


def _book(chosen: list[tuple[Dossier, list[Debt]]], at_us: int, known: Known) -> Book:
    place = {dossier.person: row for row, (dossier, _) in enumerate(chosen)}
    debts = [(row, debt) for row, (_, owed) in enumerate(chosen) for debt in owed]
    calls = [
        (row, line)
        for row, (dossier, _) in enumerate(chosen)
        for line in dossier.history
        if line.channel == "call" and not line.inbound and line.of is None and line.at_us > at_us - LOOK_BACK_US
    ]
    promises = [one for one in known.promises if one[0] in place]
    payments = [one for one in known.payments if one[0] in place]
    return Book(
        person=_numbers(dossier.person for dossier, _ in chosen),
        country=_words(dossier.country for dossier, _ in chosen),
        n_phones=_numbers(_right_numbers(dossier) for dossier, _ in chosen),
        debts=Debts(
            row=_numbers(row for row, _ in debts),
            debt=_numbers(debt.debt for _, debt in debts),
            balance_minor=_numbers(debt.balance_minor for _, debt in debts),
            currency=_words(debt.currency for _, debt in debts),
            due_day=_numbers(day_number(debt.due_on) for _, debt in debts),
            product=_words(debt.product or "" for _, debt in debts),
        ),
        contacts=Contacts(
            row=_numbers(row for row, _ in calls),
            at_us=_numbers(line.at_us for _, line in calls),
            right_party=np.fromiter((line.event == ContactEvent.right_party_contact for _, line in calls), np.bool_),
        ),
        promises=Promises(
            row=_numbers(place[one[0]] for one in promises),
            debt=_numbers(ANY_DEBT if one[1] is None else one[1] for one in promises),
            amount_minor=_numbers(one[2] for one in promises),
            currency=_words(one[3] for one in promises),
            due_day=_numbers(day_number(one[4]) for one in promises),
            made_us=_numbers(one[5] for one in promises),
            instalments=_numbers(one[6] for one in promises),
        ),
        payments=Payments(
            row=_numbers(place[one[0]] for one in payments),
            debt=_numbers(one[1] for one in payments),
            amount_minor=_numbers(one[2] for one in payments),
            currency=_words(one[3] for one in payments),
            event_us=_numbers(one[4] for one in payments),
        ),
    )


def _right_numbers(dossier: Dossier) -> int:
    wrong = {stop.phone for stop in dossier.stops if stop.kind in OF_A_NUMBER}
    return sum(one.phone not in wrong for one in dossier.phones)


def _numbers(values: Iterable[int]) -> NDArray[np.int64]:
    return np.fromiter(values, np.int64)


def _words(values: Iterable[str]) -> NDArray[Any]:
    return np.array(list(values), object)
