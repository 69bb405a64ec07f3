"""Parquet files, as the record's export has them, of what stands in no ledger: simulated months, for models."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

from domain.people import Dossier
from ledger.parquet import DEBTORS, DEBTS, DECISIONS, HISTORY, NUMBERS, Subject, SubjectFile
from ledger.people import enrolled

#: Rows in memory at a time.
_ROWS: Final = 20_000


class _OwnFile:
    """A subject's file for what stands in no ledger: it takes rows as the ledger's writers make them.

    One file, or with `parts` a folder of them, of which those that were cut can be read.
    """

    def __init__(self, subject: Subject, folder: Path, *, parts: bool = False) -> None:
        self._subject = subject
        self._folder = folder / subject.name if parts else folder
        self._folder.mkdir(parents=True, exist_ok=True)
        self._part = 0 if parts else None
        self._file = self._next()
        self._lines: list[dict[str, Any]] = []

    def add(self, lines: Iterable[dict[str, Any]]) -> None:
        self._lines += lines
        if len(self._lines) >= _ROWS:
            self._flush()

    def cut(self) -> None:
        """Finish a part: what was added so far can be read."""
        self._flush()
        if self._part is not None and self._file.rows:
            self._file.close(whole=True)
            self._part += 1
            self._file = self._next()

    def close(self, *, whole: bool) -> None:
        """Write what waits; without `whole`, leave no more than the parts that were cut."""
        if whole:
            self._flush()
        self._file.close(whole=whole)

    def _next(self) -> SubjectFile:
        return SubjectFile(self._subject, self._folder, "" if self._part is None else f"part-{self._part:05}")

    def _flush(self) -> None:
        if self._lines:
            self._file.add(_rows_of(self._subject, self._lines))
            self._lines = []


class HistoryFile(_OwnFile):
    def __init__(self, folder: Path, *, parts: bool = False) -> None:
        super().__init__(HISTORY, folder, parts=parts)


class DecisionsFile(_OwnFile):
    def __init__(self, folder: Path) -> None:
        super().__init__(DECISIONS, folder)


def write_people(people: Sequence[Dossier], folder: Path, at_us: int) -> None:
    """Write the debtors, numbers and debts of people who stand in no ledger, known since an instant."""
    told = enrolled(people, {}, at_us)
    of_phone = {row["id"]: row for row in told["phone"]}
    numbers = [of_phone[row["phone"]] | row for row in told["person_phone"]]
    for subject, lines in ((DEBTORS, told["person"]), (NUMBERS, numbers), (DEBTS, told["debt"])):
        file = SubjectFile(subject, folder)
        for first in range(0, len(lines), _ROWS):
            file.add(_rows_of(subject, lines[first : first + _ROWS]))
        file.close(whole=True)


def _rows_of(subject: Subject, lines: Iterable[dict[str, Any]]) -> list[tuple[Any, ...]]:
    """Return rows as the subject's query gives them, of rows by the names of the ledger's columns."""
    columns = [
        (column.source.name, _DEFAULTS.get(column.type)) for column in subject.columns if column.source is not None
    ]
    return [tuple(line.get(name, default) for name, default in columns) for line in lines]


#: What stands in the ledger where a writer says nothing.
_DEFAULTS = {"ids": "", "words": "", "flag": False}
