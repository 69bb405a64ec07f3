"""A promise kept counts for its debtor and its day from when it is known, by the words that fields and features use."""

from collections.abc import Sequence

import numpy as np
import pytest
from sqlalchemy import insert

from domain.instants import DAY, HOUR, midnight_us, to_datetime
from domain.settings import Selection
from ledger.book import read_book
from ledger.plans import chosen
from ledger.schema import decision, payment, promise
from ledger.store import SqlLedger
from ledger.trial_units import Prices, Units, read_units
from strategy.fields import columns
from tests.integration.live.scene import START_US, fill

ZONE = "Europe/Madrid"
#: Midnight of the trial's first day.
BEGUN_US = midnight_us(to_datetime(START_US, ZONE).date(), ZONE)
PRICES = Prices(currency="EUR", agent_hour=0, call_minute=0, attempt=0, complaint=0, worth={"EUR": 0.01})
#: Person, sum promised, made after so many days, due after so many; payments of the person: (after days, sum).
CASES = [
    (1, 1_000, 0, 3, [(2, 900)]),  # nine tenths are enough
    (2, 1_000, 0, 3, [(2, 899)]),
    (3, 1_000, 0, 3, [(2, 500), (6, 400)]),  # the third day of grace
    (4, 1_000, 0, 3, [(2, 500), (7, 500)]),  # too late
    (5, 1_000, 2, 5, [(1, 1_000)]),  # before it was promised
    (6, 1_000, 2, 5, [(2, 1_000)]),  # on its day, whatever the hour
]
KEPT = [1, 0, 1, 0, 0, 1]


def units(ledger: SqlLedger, to_us: int) -> Units:
    with ledger.reading() as connection:
        return read_units(connection, "es", ["champion"], BEGUN_US, to_us, ZONE, PRICES)


@pytest.fixture
def told(ledger: SqlLedger) -> SqlLedger:
    fill(ledger, 6)
    made = [(day, person) for day in range(3) for person in range(1, 7)]
    with ledger.writing() as connection:
        connection.execute(
            insert(decision),
            [
                {
                    "plan": 1 + day, "person": person, "campaign": "es", "decided_us": BEGUN_US + day * DAY,
                    "known_us": BEGUN_US + day * DAY, "action": "call", "p_action": "{}", "arm": "champion",
                    "strategy": "s@1", "segment": "all", "treatment": "champion.call.1", "since_day": 0,
                }
                for day, person in made
            ],
        )  # fmt: skip
        connection.execute(
            insert(promise),
            [
                {
                    "call_id": f"floor-{person}", "kind": "promise", "person": person, "debt": 1_000_000 + person,
                    "amount_minor": amount, "currency": "EUR", "due_on": day_of(due), "campaign": "es",
                    "made_us": BEGUN_US + made * DAY + 15 * HOUR,
                }
                for person, amount, made, due, _ in CASES
            ],
        )  # fmt: skip
        connection.execute(
            insert(payment),
            [
                {
                    "creditor": 1, "reference": f"{person}/{after}", "debt": 1_000_000 + person,
                    "amount_minor": amount, "currency": "EUR", "event_us": BEGUN_US + after * DAY,
                    "known_us": BEGUN_US + (after + 1) * DAY,
                }
                for person, _, _, _, paid in CASES
                for after, amount in paid
            ],
        )  # fmt: skip
    return ledger


def day_of(after: int) -> str:
    return to_datetime(BEGUN_US + after * DAY + HOUR, ZONE).date().isoformat()


def kept(of: dict[str, np.ndarray]) -> Sequence[float]:
    return list(of["promises_kept"])


def test_a_promise_is_kept_when_nine_tenths_came_in_time_and_as_soon_as_that_is_known(told: SqlLedger) -> None:
    found = units(told, BEGUN_US + 30 * DAY)
    assert kept(found.figures(BEGUN_US + 30 * DAY)) == KEPT
    # Known a day after it was paid, and no earlier: a look taken again says what it said.
    assert kept(found.figures(BEGUN_US + 3 * DAY - 1)) == [0, 0, 0, 0, 0, 0]
    assert kept(found.figures(BEGUN_US + 3 * DAY)) == [1, 0, 0, 0, 0, 1]
    assert kept(units(told, BEGUN_US + 3 * DAY).figures(BEGUN_US + 3 * DAY)) == [1, 0, 0, 0, 0, 1]


def test_of_whole_days_it_is_the_day_on_which_it_was_made(told: SqlLedger) -> None:
    by_day, _ = units(told, BEGUN_US + 30 * DAY).by_day(BEGUN_US + 30 * DAY)
    assert kept(by_day) == [2, 0, 1]


def test_conditions_of_strategies_count_the_same(told: SqlLedger) -> None:
    at_us = BEGUN_US + 30 * DAY
    with told.reading() as connection:
        book = read_book(connection, chosen(Selection(), at_us, ZONE, reachable=False), at_us)
    assert list(book.person) == [1, 2, 3, 4, 5, 6]
    assert list(columns(book, at_us, ZONE)["promises_kept"]) == KEPT
