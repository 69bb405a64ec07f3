"""`complaints` from the command line: recorded once, from a file any number of times, refused with what to do."""

from pathlib import Path

import pytest
from sqlalchemy import select

from console import settings
from domain.errors import BadInput
from ledger.complaints import complaints
from ledger.schema import history, stop
from ledger.store import open_ledger
from tests.unit.console.test_stops import AT, answer, cadencia, folder

__all__ = ["folder"]


def test_a_complaint_is_in_the_history_and_stops_nothing(folder: Path) -> None:
    said = ("complaints", "add", "A1", "too_many_calls", "--since", "2026-11-17", *AT)
    assert answer(folder, *said) == {"added": True}
    assert answer(folder, *said) == {"added": False}
    assert answer(folder, "complaints", "add", "A1", "--since", "2026-11-17", *AT) == {"added": True}
    with open_ledger(settings.load(folder).ledger_url) as ledger, ledger.reading() as connection:
        found = connection.execute(
            select(history.c.event, history.c.detail, history.c.channel).where(history.c.event == "complaint")
        ).all()
        assert sorted(map(tuple, found)) == [("complaint", "other", None), ("complaint", "too_many_calls", None)]
        assert connection.execute(select(stop.c.id)).all() == []
        assert complaints(connection, 0, 2**61) == 2


def test_a_file_lands_its_good_rows_once_and_tells_the_others(folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "complaints.csv"
    file.write_text(
        "creditor;account;fecha;motivo\n;A1;17/11/2026;tone\nCaja;A2;2026-11-18T09:00:00+01:00;\n"
        ";A2;17/11/2026;tone\n;A9;17/11/2026;tone\n;A1;17/11/2027;tone\n;A1;17/11/2026;weather\n",
        encoding="utf-8",
    )
    first = cadencia(folder, "complaints", "import", str(file), *AT)
    assert first.exit_code == 1
    assert "2 new, 0 known" in first.stdout
    rejects = (tmp_path / "complaints.csv.rejects.csv").read_text(encoding="utf-8")
    for words in ("name the creditor", "no such account", "lies in the future", "write one of too_many_calls, tone"):
        assert words in rejects
    assert "0 new, 2 known" in cadencia(folder, "complaints", "import", str(file), *AT).stdout


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("A9",), "account 'A9': the ledger has no such account"),
        (("A2",), "account 'A2': several creditors have this account"),
        (("A1", "weather"), "about 'weather': write one of too_many_calls"),
        (("A1", "--since", "2026-12-24"), "at '2026-12-24': it lies in the future"),
    ],
)
def test_what_cannot_be_recorded_is_told(folder: Path, words: tuple[str, ...], says: str) -> None:
    done = cadencia(folder, "complaints", "add", *words, *AT)
    assert isinstance(done.exception, BadInput)
    assert says in str(done.exception)
