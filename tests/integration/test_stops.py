"""Stops on both databases: told one by one or in a file, lifted, confirmed; and they bind at once."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select

from compliance.gate import Gate
from compliance.packs import SHIPPED
from domain.errors import BadInput
from domain.events import Stale
from domain.instants import DAY, parse, to_datetime
from domain.people import Dossier, Stop, StopKind
from domain.settings import Selection
from ledger.book import read_book
from ledger.complaints import import_complaints
from ledger.intake.cells import Form
from ledger.intake.direct import FileReport
from ledger.plans import chosen
from ledger.schema import history, person, person_phone, stop
from ledger.stops import (
    StopOnRecord,
    confirm_stops,
    import_cells,
    import_stops,
    lift_stops,
    notes,
    stops,
)
from ledger.store import SqlLedger, open_ledger
from tests.integration.portfolio_files import NOW, TOMORROW, bring, content, rejects, reserve, row, write

GATE = Gate.load(SHIPPED)
FORM = Form(zone="Europe/Madrid", country="ES")
EVERY = ("call", "sms", "email", "letter")


@pytest.fixture
def ledger(ledger_url: str, tmp_path: Path) -> Iterator[SqlLedger]:
    """Give a ledger with a debtor of two accounts, one of them a number at two creditors, and somebody else."""
    rows = [
        row("A1", person="P1", phone="600 123 456", phone2="600 123 457"),
        row("A2", person="P1", phone="600 123 456", phone2="600 123 457"),
        row("A2", creditor="Caja", person="P2", phone="600 123 458"),
    ]
    with open_ledger(ledger_url) as found:
        bring(found, write(tmp_path / "portfolio.csv", rows))
        yield found


def tell(ledger: SqlLedger, at_us: int = NOW, **cells: str) -> bool:
    return import_cells(ledger, {"account": "A1"} | cells, at_us=at_us, by="ana", form=FORM)


def bring_stops(
    ledger: SqlLedger, folder: Path, *rows: dict[str, str], at_us: int = NOW, dry_run: bool = False
) -> FileReport:
    path = write(folder / "stops.csv", rows)
    return import_stops(ledger, path, at_us=at_us, by="ana", form=FORM, dry_run=dry_run)


def people(ledger: SqlLedger) -> list[int]:
    with ledger.reading() as connection:
        return list(connection.execute(select(person.c.id).order_by(person.c.id)).scalars())


def dossier(ledger: SqlLedger, place: int = 0) -> Dossier:
    (found,) = ledger.dossiers([people(ledger)[place]])
    return found


def closed(of: Dossier, phone: int = 0, debts: tuple[int, ...] = ()) -> set[str]:
    """Return the channels that the gate closes now."""
    return {
        channel
        for channel in EVERY
        if not GATE.judge(
            of, at_us=NOW, channel=channel, phone=of.phones[phone], debts=debts, actor="third_party",
            purpose="collection",
        ).allowed
    }  # fmt: skip


def standing(ledger: SqlLedger) -> list[StopOnRecord]:
    with ledger.reading() as connection:
        return stops(connection, stop.c.lifted_us.is_(None))


def test_a_stop_binds_every_channel_from_its_transaction_on(ledger: SqlLedger) -> None:
    before, cursor = dossier(ledger), ledger.change_cursor()
    assert closed(before) == set()
    assert tell(
        ledger, stop="attorney", received="letter", note="her lawyer is Mr Gómez, 600 999 999", since="2026-11-17"
    )
    (stale,) = ledger.reserve([reserve(before)], NOW)
    assert isinstance(stale, Stale)
    assert stale.dossier.stops == (Stop(kind=StopKind.attorney),)
    assert closed(stale.dossier) == set(EVERY)
    assert ledger.changes(cursor)[1] == [before.person]
    (kept,) = standing(ledger)
    assert (kept.recorded_by, kept.received, kept.source) == ("ana", "letter", "desk")
    assert (kept.event_us, kept.known_us) == (parse("2026-11-17T00:00:00+01:00"), NOW)
    with ledger.reading() as connection:
        (told,) = connection.execute(select(history).where(history.c.event == "stop")).all()
        assert (told.detail, told.person, told.event_us, told.known_us) == (
            "attorney",
            before.person,
            kept.event_us,
            NOW,
        )
        assert "Gómez" not in str(tuple(told))
        assert notes(connection, [kept.stop]) == {kept.stop: "her lawyer is Mr Gómez, 600 999 999"}


@pytest.mark.parametrize(
    ("cells", "of_first", "of_second"),
    [
        ({"stop": "do_not_call"}, {"call"}, {"call"}),
        ({"stop": "No llamar", "phone": "600 123 457"}, set(), {"call"}),
        ({"stop": "do_not_use_this_medium", "channel": "email"}, {"email"}, {"email"}),
        ({"stop": "do_not_use_this_medium", "channel": "llamada", "phone": "+34600123456"}, {"call"}, set()),
        ({"stop": "wrong_number", "phone": "600123457"}, set(), {"call", "sms"}),
        ({"stop": "gdpr_objection", "scope": "debt"}, set(EVERY), set(EVERY)),
        ({"stop": "employer_prohibits", "phone": "600123457"}, set(), set(EVERY)),
    ],
)
def test_a_stop_is_of_what_it_names(
    ledger: SqlLedger, cells: dict[str, str], of_first: set[str], of_second: set[str]
) -> None:
    assert tell(ledger, **cells)
    found = dossier(ledger)
    assert (closed(found, 0), closed(found, 1)) == (of_first, of_second)
    first, other = found.debts
    if cells.get("scope") == "debt":
        assert closed(found, debts=(first.debt,)) == set(EVERY)
        assert closed(found, debts=(other.debt,)) == set()
    assert closed(dossier(ledger, 1)) == set()


def test_told_again_it_changes_nothing_but_a_later_end(ledger: SqlLedger) -> None:
    assert tell(ledger, stop="breathing_space", until="2026-12-01")
    # The last day ends where it ends last: the debtor may be anywhere.
    assert [one.until_us for one in standing(ledger)] == [parse("2026-12-02T00:00:00-12:00")]
    assert not tell(ledger, TOMORROW, stop="moratoria", until="2026-11-20")
    assert not tell(ledger, TOMORROW, stop="breathing_space", until="2026-12-03")
    (kept,) = standing(ledger)
    assert (kept.known_us, kept.until_us) == (NOW, parse("2026-12-04T00:00:00-12:00"))
    with ledger.reading() as connection:
        assert len(connection.execute(select(history).where(history.c.event == "stop")).all()) == 1
    # Of another channel it is another stop.
    assert tell(ledger, stop="breathing_space", channel="sms")


def test_a_lifted_stop_keeps_its_row_and_binds_no_more(ledger: SqlLedger) -> None:
    tell(ledger, stop="dispute")
    (kept,) = standing(ledger)
    before, cursor = dossier(ledger), ledger.change_cursor()
    assert closed(before) == set(EVERY)
    with pytest.raises(BadInput, match="reason must be one of answered"):
        lift_stops(ledger, [kept.stop], reason="because", at_us=TOMORROW, by="eva")
    assert [one.kind for one in lift_stops(ledger, [kept.stop], reason="answered", at_us=TOMORROW, by="eva")] == [
        "dispute"
    ]
    assert lift_stops(ledger, [kept.stop], reason="answered", at_us=TOMORROW, by="eva") == []
    assert isinstance(ledger.reserve([reserve(before)], TOMORROW)[0], Stale)
    assert ledger.changes(cursor)[1] == [before.person]
    assert closed(dossier(ledger)) == set()
    with ledger.reading() as connection:
        (row_,) = stops(connection)
        assert (row_.lifted_us, row_.lifted_by, row_.lifted_why) == (TOMORROW, "eva", "answered")
        told = connection.execute(select(history).where(history.c.event == "stop_lifted")).one()
        assert (told.detail, told.known_us) == ("dispute", TOMORROW)
    assert tell(ledger, TOMORROW + DAY, stop="dispute")


def test_a_number_that_was_right_after_all_may_be_dialled_again(ledger: SqlLedger) -> None:
    def status() -> list[str]:
        with ledger.reading() as connection:
            query = select(person_phone.c.status).where(person_phone.c.person == first).order_by(person_phone.c.rank)
            return list(connection.execute(query).scalars())

    first = people(ledger)[0]

    tell(ledger, stop="wrong_number", phone="600123456")
    assert status() == ["wrong_party", "usable"]
    lift_stops(ledger, [standing(ledger)[0].stop], reason="mistaken", at_us=TOMORROW, by="eva")
    assert status() == ["usable", "usable"]
    # A past day is looked at as it was: before the word, between word and lifting, after.
    debts = chosen(Selection(), NOW, FORM.zone, reachable=False)
    with ledger.reading() as connection:
        then = [read_book(connection, debts, at_us) for at_us in (NOW - DAY, NOW, TOMORROW)]
    assert [book.n_phones[book.person == first].tolist() for book in then] == [[2], [1], [2]]
    tell(ledger, stop="wrong_number", phone="600123457", at_us=TOMORROW)
    with ledger.reading() as connection:
        then = [read_book(connection, debts, at_us) for at_us in (NOW - DAY, NOW, TOMORROW)]
    assert [book.n_phones[book.person == first].tolist() for book in then] == [[2], [1], [1]]


def test_what_a_payment_closed_is_not_opened_by_hand(ledger: SqlLedger) -> None:
    tell(ledger, stop="paid")
    (kept,) = standing(ledger)
    with pytest.raises(BadInput, match="paid cannot be lifted by hand"):
        lift_stops(ledger, [kept.stop], reason="mistaken", at_us=TOMORROW, by="eva")


def test_confirmed_once(ledger: SqlLedger) -> None:
    tell(ledger, stop="gdpr_objection")
    (kept,) = standing(ledger)
    assert confirm_stops(ledger, [kept.stop], at_us=TOMORROW, by="eva") == 1
    assert confirm_stops(ledger, [kept.stop], at_us=TOMORROW + DAY, by="ana") == 0
    (kept,) = standing(ledger)
    assert (kept.confirmed_us, kept.confirmed_by) == (TOMORROW, "eva")


@pytest.mark.parametrize(
    ("cells", "says"),
    [
        ({"account": "A9", "stop": "attorney"}, "no such account"),
        ({"account": "A2", "stop": "attorney"}, "several creditors"),
        ({"stop": "tired"}, "'tired' is no stop"),
        ({"stop": "withdrawn"}, "is no stop"),
        ({"stop": "wrong_number"}, "is of one number: name it"),
        ({"stop": "do_not_use_this_medium"}, "is of one channel or number"),
        ({"stop": "do_not_call", "phone": "600 123 458"}, "no number of this debtor's"),
        ({"stop": "do_not_call", "phone": "12"}, "phone '12'"),
        ({"stop": "do_not_call", "channel": "pigeon"}, "is no channel"),
        ({"stop": "do_not_call", "since": "2027-01-01"}, "lies in the future"),
        ({"stop": "do_not_call", "until": "soon"}, "until 'soon'"),
        ({"stop": "dispute", "scope": "all"}, "write debt or person"),
    ],
)
def test_what_cannot_be_recorded_is_told(ledger: SqlLedger, cells: dict[str, str], says: str) -> None:
    before = content(ledger)
    with pytest.raises(BadInput, match=says):
        tell(ledger, **cells)
    assert content(ledger) == before


def test_words_of_the_law_and_of_other_systems_are_known(ledger: SqlLedger) -> None:
    tell(ledger, stop="represented_by_attorney")
    tell(ledger, stop="Cease (oral)")
    assert [one.kind for one in standing(ledger)] == ["attorney", "do_not_call"]


def test_the_order_of_dates_is_inferred_from_either_column(ledger: SqlLedger, tmp_path: Path) -> None:
    rows = [
        {"account": "A1", "stop": "cease_written", "since": "16/11/2026", "until": ""},
        {"account": "A2", "stop": "dispute", "creditor": "Caja", "since": "", "until": "05/12/2026"},
    ]
    report = bring_stops(ledger, tmp_path, *rows)
    assert (report.added, report.rejected) == (2, 0)
    # The fifth of December, until the last zone has ended it.
    assert to_datetime(standing(ledger)[1].until_us or 0, "UTC").date().isoformat() == "2026-12-06"


def test_a_file_lands_its_good_rows_and_tells_the_others(ledger: SqlLedger, tmp_path: Path) -> None:
    rows = [
        {"account": "A1", "stop": "cease_written", "since": "2026-11-16", "received": "carta"},
        {"account": "A2", "stop": "dispute", "creditor": "Caja"},
        {"account": "A2", "stop": "dispute"},
        {"account": "A1", "stop": "nothing"},
        {"account": "A1", "stop": "cease_written"},
    ]
    before = content(ledger)
    dry = bring_stops(ledger, tmp_path, *rows, dry_run=True)
    assert (dry.landed, dry.added) == (False, 2)
    assert content(ledger) == before
    report = bring_stops(ledger, tmp_path, *rows)
    assert (report.rows, report.added, report.repeated, report.rejected) == (5, 2, 1, 2)
    told = rejects(tmp_path / "stops.csv")
    assert [(one["reject_row"], one["reject_field"]) for one in told] == [("4", "account"), ("5", "stop")]
    first, second = people(ledger)
    assert [(one.kind, one.person, one.received) for one in standing(ledger)] == [
        ("cease_written", first, "letter"),
        ("dispute", second, None),
    ]
    after = content(ledger)
    assert bring_stops(ledger, tmp_path, *rows).added == 0
    assert {name: table for name, table in content(ledger).items() if name not in ("cap_key", "change")} == {
        name: table for name, table in after.items() if name not in ("cap_key", "change")
    }


def test_a_file_of_complaints_lands_on_both(ledger: SqlLedger, tmp_path: Path) -> None:
    path = write(tmp_path / "complaints.csv", [{"account": "A1", "at": "2026-11-17", "about": "tone"}])
    assert import_complaints(ledger, path, at_us=NOW, form=FORM).added == 1
