"""Do-not-contact registers on both databases: whole, matched to phones known now or later, replaced at each import."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import func, select

from domain.errors import BadInput
from domain.people import Dossier
from ledger.registers import RegisterReport, import_register, registers
from ledger.schema import person, register_number
from ledger.store import SqlLedger, open_ledger
from tests.integration.portfolio_files import NOW, TOMORROW, bring, row, write


@pytest.fixture
def ledger(ledger_url: str, tmp_path: Path) -> Iterator[SqlLedger]:
    rows = [row("A1", phone="600 123 456", phone2="600 123 457"), row("A2", phone="600 123 458")]
    with open_ledger(ledger_url) as found:
        bring(found, write(tmp_path / "portfolio.csv", rows))
        yield found


def listed(ledger: SqlLedger, folder: Path, text: str, name: str = "robinson", at_us: int = NOW) -> RegisterReport:
    path = folder / "register.txt"
    path.write_text(text, encoding="utf-8")
    return import_register(ledger, name, path, country="ES", at_us=at_us)


def people(ledger: SqlLedger) -> list[Dossier]:
    with ledger.reading() as connection:
        ids = connection.execute(select(person.c.id).order_by(person.c.id)).scalars().all()
    return ledger.dossiers(ids)


def marks(ledger: SqlLedger) -> list[list[tuple[str, ...]]]:
    return [[phone.registers for phone in one.phones] for one in people(ledger)]


def test_a_register_marks_its_numbers_and_tells_the_floors(ledger: SqlLedger, tmp_path: Path) -> None:
    before, cursor = people(ledger), ledger.change_cursor()
    report = listed(ledger, tmp_path, "600123457\n+34 600 999 999\n600123457\n")
    assert (report.rows, report.numbers, report.marked, report.unmarked, report.rejected) == (3, 2, 1, 0, 0)
    assert marks(ledger) == [[(), ("robinson",)], [()]]
    assert ledger.changes(cursor)[1] == [before[0].person]
    versions = [{cap.key: cap.version for cap in one.keys} for one in (*before, *people(ledger))]
    assert versions[2][f"person:{before[0].person}"] == versions[0][f"person:{before[0].person}"] + 1
    assert versions[3] == versions[1]
    # A second register marks on its own, and the first is replaced whole.
    listed(ledger, tmp_path, "number\n600123456\n600123457\n", "other")
    assert marks(ledger) == [[("other",), ("other", "robinson")], [()]]
    report = listed(ledger, tmp_path, "name;telefono\nx;600 123 458\n", at_us=TOMORROW)
    assert (report.numbers, report.marked, report.unmarked) == (1, 1, 1)
    assert marks(ledger) == [[("other",), ("other",)], [("robinson",)]]
    with ledger.reading() as connection:
        assert connection.execute(select(func.count()).select_from(register_number)).scalar_one() == 3
        assert [(one.name, one.numbers, one.imported_us) for one in registers(connection)] == [
            ("other", 2, NOW),
            ("robinson", 1, TOMORROW),
        ]
    cursor = ledger.change_cursor()
    assert listed(ledger, tmp_path, "600123458\n", at_us=TOMORROW).marked == 0
    assert ledger.changes(cursor)[1] == []


def test_numbers_that_come_on_record_later_are_found(ledger: SqlLedger, tmp_path: Path) -> None:
    listed(ledger, tmp_path, "600123459\n")
    bring(ledger, write(tmp_path / "more.csv", [row("A3", phone="600 123 459"), row("A4", phone="600 123 450")]))
    assert marks(ledger) == [[(), ()], [()], [("robinson",)], [()]]


def test_a_file_of_something_else_leaves_the_register_as_it_was(ledger: SqlLedger, tmp_path: Path) -> None:
    listed(ledger, tmp_path, "600123457\n")
    with pytest.raises(BadInput, match=r"3 of 4 rows hold no number .*row 2: .*stays as it was"):
        listed(ledger, tmp_path, "600123456\nhello\nworld\n12\n")
    with pytest.raises(BadInput, match="0 of 0 rows"):
        listed(ledger, tmp_path, "number\n")
    for nothing in ("", "\ufeff"):
        with pytest.raises(BadInput, match="the file is empty; give a file with a number"):
            listed(ledger, tmp_path, nothing, "dnc")
    with pytest.raises(BadInput, match="2 of 2 rows hold no number"):
        listed(ledger, tmp_path, "hello\nworld\n", "dnc")
    with pytest.raises(BadInput, match="no column of numbers"):
        listed(ledger, tmp_path, "name;street\nx;y\n")
    with pytest.raises(BadInput, match="small letters"):
        listed(ledger, tmp_path, "600123457\n", "Lista Robinson")
    with pytest.raises(BadInput, match="cannot be read"):
        import_register(ledger, "robinson", tmp_path / "none.txt", country="ES", at_us=NOW)
    assert marks(ledger) == [[(), ("robinson",)], [()]]
    with ledger.reading() as connection:
        # Of what was never brought in nothing stays.
        assert [one.name for one in registers(connection)] == ["robinson"]
        assert connection.execute(select(register_number.c.e164)).scalars().all() == ["+34600123457"]


def test_what_was_cut_off_is_put_right_by_the_next(
    ledger: SqlLedger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class CutOff(Exception):
        pass

    def die(*_: object) -> None:
        raise CutOff

    listed(ledger, tmp_path, "600123457\n")
    with monkeypatch.context() as patched:
        patched.setattr("ledger.registers._mark", die)
        with pytest.raises(CutOff):
            listed(ledger, tmp_path, "600123456\n", at_us=TOMORROW)
    with ledger.reading() as connection:
        (found,) = registers(connection)
        assert found.imported_us is None
    assert marks(ledger) == [[(), ("robinson",)], [()]]
    report = listed(ledger, tmp_path, "600123456\n", at_us=TOMORROW)
    assert (report.marked, report.unmarked) == (1, 1)
    assert marks(ledger) == [[("robinson",), ()], [()]]
