"""Sets of scores on every ledger: written in short transactions, served whole, pruned."""

from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from domain.errors import BadInput
from domain.forecasts import UNIT, WEEK
from domain.instants import DAY
from ledger import scores
from ledger.schema import score, score_person, score_set
from ledger.score_fields import STALE_US, serving
from ledger.scores import PersonScore, PhoneScore
from ledger.store import SqlLedger

WEEKS = np.random.default_rng(1).integers(0, UNIT + 1, (50, WEEK)).astype("<u2")
#: What a model tells of one and not of the other.
PEOPLE = [
    PersonScore(
        person=person, p_promise=0.1 * (person % 7), p_kept=None if person % 2 else 0.5, p_pay=0.25,
        p_self_cure=0.01 * (person % 90) if person % 5 else None,
        uplift={"call": 0.02, "sms": -0.001} if person % 3 else None,
        value_minor={"call": 1234, "sms": 0} if person % 3 else None, currency="EUR" if person % 3 else None,
        phones=tuple(
            PhoneScore(
                phone=1000 * nth + person, p_answered=WEEKS[person % 50].tobytes(),
                p_right=WEEKS[(person + nth) % 50].tobytes() if nth else None, p_valid=0.9 if nth else None,
                p_machine=0.01 * (person % 90) if nth else None,
            )
            for nth in range(person % 3)
        ),
    )
    for person in range(1, 701)
]  # fmt: skip


def write(ledger: SqlLedger, at_us: int = 7, people: Any = PEOPLE) -> scores.ScoreSet:
    return scores.write(ledger, iter(people), at_us=at_us, versions={"reach": "0001-a"}, zone="Europe/Madrid")


def test_what_was_written_is_read(ledger: SqlLedger) -> None:
    with ledger.reading() as connection:
        assert scores.latest(connection) is None
    made = write(ledger)
    assert (made.people, made.numbers) == (700, sum(len(one.phones) for one in PEOPLE))
    with ledger.reading() as connection:
        assert scores.latest(connection) == made
        found = scores.read(connection, made.number, [*range(1, 701), 10_000])
    assert found == {one.person: one for one in PEOPLE}
    packed = found[5].phones[0].p_answered
    assert packed is not None
    for weekday, hour in ((0, 0), (3, 17), (6, 23)):
        assert scores.chance(packed, weekday, hour) == WEEKS[5][24 * weekday + hour] / UNIT


def test_nobody_sees_a_set_before_it_is_whole_nor_an_old_one_for_long(ledger: SqlLedger) -> None:
    first = write(ledger)

    def cut_off() -> Any:
        yield from PEOPLE[:300]
        with ledger.reading() as connection:
            assert scores.latest(connection) == first
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write(ledger, people=cut_off())
    numbers = [first.number]
    with ledger.reading() as connection:
        assert scores.latest(connection) == first
        assert len(connection.execute(score_set.select()).all()) == 2
    # One that may still be under way is left alone for a day.
    numbers += [write(ledger, at_us=8).number, write(ledger, at_us=8 + 2 * DAY).number]
    with ledger.reading() as connection:
        latest = scores.latest(connection)
        assert latest is not None
        assert latest.number == numbers[-1]
        kept = {row.number for row in connection.execute(score_set.select())}
        assert kept == set(numbers[-scores.KEPT :])
        for table in (score, score_person):
            assert {row.score_set for row in connection.execute(table.select())} == kept
        assert scores.read(connection, first.number, [1, 2, 3]) == {}
    assert all(one < other for one, other in pairwise(numbers))


def test_nobody_is_no_set(ledger: SqlLedger) -> None:
    with pytest.raises(BadInput, match="nobody who owes anything"):
        write(ledger, people=[])
    with ledger.reading() as connection:
        assert connection.execute(score_set.select()).all() == []


def test_transactions_grow_while_they_are_short_and_shrink_when_they_hold_others_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now_s = 0.0
    monkeypatch.setattr(scores.time, "monotonic", lambda: now_s)
    monkeypatch.setattr(scores.time, "sleep", lambda _s: None)
    pace = scores._Pace()

    def held(seconds_a_row: float) -> list[float]:
        nonlocal now_s
        found = []
        for _ in range(30):
            with pace:
                took_s = pace.rows * seconds_a_row
                now_s += took_s
            found.append(took_s)
        return found

    assert max(held(1e-5)[5:]) <= 0.1
    assert pace.rows > 1000
    slow = held(1e-3)
    assert max(slow[2:]) <= 0.1
    assert pace.rows < 100


def test_strategies_read_the_set_that_serves(ledger: SqlLedger) -> None:
    with ledger.reading() as connection:
        assert serving(ledger.reading, connection, 8, frozenset()) is None
    write(ledger)
    every = frozenset({"value_call", "p_pay_uplift"})
    with ledger.reading() as connection:
        found = serving(ledger.reading, connection, 8, every)
        few = serving(ledger.reading, connection, 8, frozenset())
        # Not before it was made, and not when it has grown old.
        assert serving(ledger.reading, connection, 6, every) is None
        assert serving(ledger.reading, connection, 7 + STALE_US, every) is None
    assert found is not None
    assert few is not None
    assert few.values.keys() == {"p_promise", "p_pay", "p_self_cure"}
    assert (found.version, found.person.tolist()) == ("0001-a", list(range(1, 701)))
    row = {person: place for place, person in enumerate(found.person.tolist())}
    by_day = np.isin(np.arange(WEEK) % 24, range(9, 21))

    def right(person: int) -> float:
        return float((WEEKS[(person + 1) % 50] / UNIT)[by_day].mean())

    # 8 has a number whose right party is told, 4 one without, 6 none.
    told = {name: [values[row[one]] for one in (8, 4, 6)] for name, values in found.values.items()}
    assert told["p_promise"] == pytest.approx([0.1, 0.4, 0.6])
    assert told["p_self_cure"] == pytest.approx([0.08, 0.04, 0.06])
    assert told["p_pay_uplift"] == pytest.approx([0.02, 0.02, np.nan], nan_ok=True)
    assert told["value_contact"] == pytest.approx([1234, 1234, np.nan], nan_ok=True)
    assert told["p_right"] == pytest.approx([right(8), np.nan, np.nan], nan_ok=True)
    assert told["value_call"] == pytest.approx([1234 * right(8), np.nan, np.nan], nan_ok=True)
    assert found.numbers is not None
    numbers = found.numbers([4, 6, 8])
    assert list(zip(numbers.person.tolist(), numbers.phone.tolist(), strict=True)) == [(4, 4), (8, 8), (8, 1008)]
    assert numbers.p_answered[2] == pytest.approx(WEEKS[8] / UNIT, abs=1e-6)
    assert numbers.p_right[2] == pytest.approx(WEEKS[9] / UNIT, abs=1e-6)
    assert np.isnan(numbers.p_right[0]).all()
    assert numbers.p_machine.tolist() == pytest.approx([np.nan, np.nan, 0.08], nan_ok=True)
