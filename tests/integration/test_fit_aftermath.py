"""Fitted to a month of a known world, what follows contact comes out as it was: promises, stops, complaints, paces."""

import math
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from domain.instants import midnight_us
from ledger.attendance import agent_spans
from ledger.figures import share
from ledger.memory import MemoryLedger
from simulation.aftermath import Contacts, Lived
from simulation.counted import Record
from simulation.fit import Fitted, fit
from simulation.population import Laws, load
from simulation.roster import Roster, Shift, roster
from simulation.staffing import Staffing, staffing
from tests.integration.ledger_month import experience_of, month_of

ZONE = "Europe/Madrid"
WORLD = """
base = "bank_early"
[portfolio.countries]
ES = 1
CO = 0
US = 0
[responses.persuadable]
keeps = 0.9
[asked]
do_not_call = 20.0
cease_written = 20.0
[complaints]
per_day = 0.0001
per_pressure = 0.01
"""
#: Wrap-ups, conversations.
PACES = {"ana": (1.5, 1.0), "ben": (0.8, 1.3), "eva": (1.0, 0.7), "leo": (0.9, 1.1)}
DAYS = 19
FROM_US, TO_US = (midnight_us(date(2026, 11, 2) + timedelta(days=n), ZONE) for n in (0, DAYS))
STAFF = Roster(
    shift=tuple(
        Shift(agents=(name,), begin="16:00", end="19:00", pace=wrap, talk_pace=talk, days=("mon", "tue", "wed", "thu"))
        for name, (wrap, talk) in PACES.items()
    ),
    pace_spread=0.0,
    absence=0.1,
)


class Month:
    """A month on record, and what was fitted to it."""

    def __init__(self, world: Path) -> None:
        world.write_text(WORLD, encoding="utf-8")
        self.truth = load(str(world))
        with MemoryLedger() as ledger:
            self.month = month_of(ledger, str(world), STAFF, seed=3, debtors=1_400, days=DAYS)
            told = experience_of(self.month, ledger, FROM_US, TO_US)
            with ledger.reading() as connection:
                spans = list(agent_spans(connection, "floor", FROM_US, TO_US, ZONE))
        self.fitted: Fitted = fit(stream="floor", from_us=FROM_US, to_us=TO_US, base="bank_early", **told)
        self.staffing: Staffing = staffing(
            told["tries"], spans, stream="floor", from_us=FROM_US, to_us=TO_US, zone=ZONE
        )
        self.contacts = Contacts(Record(told["tries"], told["people"], self.truth, FROM_US), told["after"], TO_US)
        self.told: dict[str, Any] = told

    def lived(self, laws: Laws) -> Lived:
        return self.contacts.lived(laws)


@pytest.fixture(scope="module")
def month(tmp_path_factory: pytest.TempPathFactory) -> Month:
    return Month(tmp_path_factory.mktemp("world") / "truth.toml")


def kept(lived: Lived) -> float:
    return sum(one.weight * one.kept for one in lived.due) / sum(one.weight for one in lived.due)


def test_promises_are_kept_as_often_as_in_the_world_that_made_them(month: Month) -> None:
    seen = month.contacts.seen()
    n = len(seen.due)
    interval = share("", sum(one.kept for one in seen.due), n)
    assert interval.low is not None
    assert interval.high is not None
    assert n >= 60
    truth, fitted, base = (kept(month.lived(laws)) for laws in (month.truth, month.fitted.laws(), load("bank_early")))
    assert interval.low < truth < interval.high
    assert interval.low < fitted < interval.high
    # And not as the base has it.
    assert base < interval.low
    one = next(one for one in month.fitted.estimates if one.at == "promises.by_stage")
    assert one.n == n
    assert "kept by 90% until 3 days after their day" in one.how


def test_stops_and_complaints_are_found(month: Month) -> None:
    found = {one.at: one for one in month.fitted.estimates}
    for at, true in (("asked.do_not_call", 20.0), ("asked.cease_written", 20.0), ("complaints.per_pressure", 0.01)):
        one = found[at]
        assert one.n > 20
        assert one.low is not None
        assert one.high is not None
        # Widened from 95 to 99.7 %.
        value = one.value
        assert isinstance(value, float)
        assert value - 1.55 * (value - one.low) < true < value + 1.55 * (one.high - value), (
            at,
            value,
            one.low,
            one.high,
        )
    assert found["complaints.per_day"].value / found["complaints.per_pressure"].value == pytest.approx(  # type: ignore[operator]
        0.000005 / 0.0002, rel=1e-3
    )
    with_none = fit(
        stream="floor", from_us=FROM_US, to_us=TO_US, base="bank_early", tries=month.told["tries"][:400],
        people=month.told["people"],
    )  # fmt: skip
    assert {"promises.by_stage", "promises.by_amount", "asked", "complaints", "channels", "payment"} <= set(
        with_none.missing
    )
    assert "--complaints" in with_none.missing["complaints"]


def test_what_is_paid_after_conversations_is_told_beside_what_this_world_would_pay(month: Month) -> None:
    text = month.fitted.observed["paid within 10 days of the first conversation"]
    hits, rest = text.split(" of ", 1)
    assert int(hits) > 5
    assert "in this world" in rest


def test_each_agent_has_the_pace_hours_and_days_that_were_his(month: Month, tmp_path: Path) -> None:
    for place, found in ((0, month.staffing.wraps), (1, month.staffing.talks)):
        assert set(found) == set(PACES)
        weights = {name: one.n for name, one in found.items()}
        middle = sum(n * math.log(PACES[name][place]) for name, n in weights.items()) / sum(weights.values())
        for name, one in found.items():
            assert isinstance(one.value, float)
            assert one.low is not None
            assert one.high is not None
            spread = 1.55 * math.log(one.high / one.low) / 2.0
            assert abs(math.log(one.value) - math.log(PACES[name][place]) + middle) < spread, (name, place)
    file = tmp_path / "agents.toml"
    file.write_text(month.staffing.document(ZONE), encoding="utf-8")
    known = roster(file)
    assert known.names() == sorted(PACES)
    assert {one.days for one in known.shift} == {("mon", "tue", "wed", "thu")}
    assert {(one.begin, one.end) for one in known.shift} == {("16:00", "19:00")}
    assert known.pace_spread == 0.0
    assert 0.0 < known.absence < 0.25
    assert known.temper is not None
    assert known.temper.late_s == 0.0
    assert 3.0 < known.temper.wrap_other_s[0] < 8.0 < known.temper.wrap_debtor_s[0] < 30.0
    assert 0.02 < known.temper.p_early < 0.09
    paces = known.paces()
    assert paces["ana"][0] == max(wrap for wrap, _ in paces.values())
    assert paces["ben"][1] == max(talk for _, talk in paces.values())
