"""From an export of the ledger to what each head learns from, is judged by, and is explained on.

An export is read once for all heads. A head whose rows cannot teach says so in words (`BadInput`); the others go on.
"""

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from domain.errors import BadInput
from models import heads
from models.best_times import Moments
from models.decisions import NONE, Decisions, alone_by_lot, read_decisions
from models.evaluation import LEAST_OF_EACH, LEAST_ROWS, splits
from models.feature_kernel import Asked, Usual
from models.feature_list import NAMES
from models.features import everybody, features, tallies, usual_of
from models.heads import Rows
from models.history import History, read_history
from models.protected import read_protected
from models.reach import Attempts, read_attempts
from models.schema import Windows
from models.table import Given, Table, make_table

F8 = NDArray[np.float64]

#: Days within which a payment counts.
PAYMENT_DAYS: Final = 10
#: Of promises by how far away their day is: the others, for the farthest days, are left out.
_KEPT_SHARE: Final = 0.9
#: Rows of a head at most, the latest: further ones are older, and cost memory.
MOST_ROWS: Final = 1_000_000
#: Blocks by which a head is judged: the most that its record can bear.
_BLOCKS: Final = (5, 3, 2, 1)


class Record(NamedTuple):
    """An export, read."""

    source: str
    history: History
    usual: Usual
    attempts: Attempts
    #: None: no strategy has decided on anybody.
    decisions: Decisions | None
    #: What no model may know, by field, in the order of `history.person`: for the audit of fairness alone.
    protected: Mapping[str, NDArray[np.str_]] = MappingProxyType({})


class Trial(NamedTuple):
    """What decisions by lot tell of contacts; arrays of one length."""

    #: (n, d) float32, NaN where not known; a category is its place in the fixed list of its words.
    x: NDArray[np.float32]
    names: tuple[str, ...]
    actions: tuple[str, ...]
    action: NDArray[np.int64]
    #: (n, actions): chance of each action.
    p: F8
    y: F8
    #: What was paid of what was owed, at most 1.
    share: F8
    group: NDArray[np.int64]
    #: 1: spoken to within the window.
    met: F8


class Lesson(NamedTuple):
    """A head's rows as an Arrow table, and what belongs to them besides."""

    head: str
    source: Any
    #: Days after a row within which its outcome is known.
    days: float
    trial: Trial | None = None
    #: Of a head of calls at an hour.
    moments: Moments | None = None
    #: Columns that are no features.
    protected: tuple[str, ...] = ()


def read_record(
    source: Path | str, until_us: int | None = None, protected: Any = None, where: str = "protected"
) -> Record:
    """Read an export as it was known before an instant.

    Parameters
    ----------
    protected : arrow table, optional
        Of people, what the export does not tell and must be audited: `person` and further fields.
    where
        What that table is called in complaints.

    Raises
    ------
    BadInput
        When a file or a column is missing.
    """
    history = read_history(source, until_us=until_us)
    return Record(
        str(source), history, usual_of([tallies(history)]), read_attempts(source, until_us),
        read_decisions(source, until_us), read_protected(str(source), history, protected, where),
    )  # fmt: skip


def lesson(record: Record, head: str, *, payment_days: int = PAYMENT_DAYS, threads: int = 1) -> Lesson:
    """Return what a head learns from, and by whom it is audited.

    Raises
    ------
    BadInput
        When there is no such head, or nothing on record that it could learn from.
    """
    found = _lesson(record, head, payment_days, threads)
    row, source = record.history.rows_of(np.asarray(found.source.column("person"))), found.source
    for name, words in record.protected.items():
        source = source.append_column(name, [words[row]])
    return found._replace(source=source, protected=tuple(record.protected))


def _lesson(record: Record, head: str, payment_days: int, threads: int) -> Lesson:
    check_head(head)
    history = record.history
    if head == "payment":
        return _payment(record, payment_days, threads)
    if head == "cure":
        return _cure(record, payment_days, threads)
    if head in heads.SLOTTED or head == "machine":
        rows = heads.reach(history, record.attempts, head)
    elif head == "promise":
        rows = heads.promise(history)
    elif head == "kept":
        rows = heads.kept(history)
    else:
        rows = heads.valid(history)
    rows = _latest(rows)
    if head == "kept" and len(rows):
        # The horizon of all is that of the longest: a few promises for a far day would leave nothing known in between.
        window_us = rows.known_us - rows.at_us
        rows = heads.take(rows, np.flatnonzero(window_us <= np.quantile(window_us, _KEPT_SHARE)))
    if not len(rows):
        raise BadInput(f"{head}: {_NOTHING[head]}")
    found = features(history, rows.asked, record.usual, threads=threads)
    days = float((rows.known_us - rows.at_us).max()) / _DAY_US
    moments = Moments(history, rows.asked, record.usual) if head in heads.SLOTTED else None
    return Lesson(head, heads.columns(rows, found), days, moments=moments)


_DAY_US: Final = 86_400_000_000.0
_NOTHING: Final = {
    "reach": "no call of ours has ended yet",
    "right_party": "of no call of ours is it known who answered",
    "promise": "no call of ours was begun yet",
    "kept": "no promise with a day has fallen due",
    "machine": "no call of ours has ended yet without a person",
    "valid": "no call of ours has ended yet",
}


def check_head(head: str) -> None:
    """Refuse what is no head of the ledger."""
    if head not in heads.HEADS:
        raise BadInput(f"there is no head {head!r}; the ledger teaches {', '.join(heads.HEADS)}")


def table_of(lesson: Lesson) -> Table:
    """Return a lesson as learners see it, judged by as many blocks as its record can bear.

    Raises
    ------
    BadInput
        When it has too little data even for one.
    """
    where = f"ledger, head {lesson.head}"
    n = lesson.source.num_rows
    windows = [Windows(blocks=blocks) for blocks in _BLOCKS] + [Windows(blocks=1, last_rows=n // 3)]
    for one in windows:
        schema = heads.schema(lesson.head, lesson.source, days=lesson.days, windows=one, protected=lesson.protected)
        table = make_table(lesson.source, schema, where=where)
        with suppress(BadInput):
            splits(table, one, schema.recipe)
            return table
    yes = int(table.y.sum())
    raise BadInput(
        f"{lesson.head}: too little is on record yet: {n:,} rows, {yes:,} of them yes; a model needs {LEAST_ROWS} with "
        f"{LEAST_OF_EACH} of each whose outcome was known when two thirds had been, and as many after"
    )


def _latest(rows: Rows) -> Rows:
    if len(rows) <= MOST_ROWS:
        return rows
    return heads.take(rows, np.sort(np.argsort(rows.at_us, kind="stable")[-MOST_ROWS:]))


_MOVED: Final = {
    "payment": "whom a contact moves is learned from debtors of whom a strategy left some alone",
    "cure": "who pays all without a contact is learned from debtors whom a strategy left alone",
}


def _by_lot(record: Record, head: str) -> tuple[Decisions, NDArray[np.int64]]:
    """Return the decisions on record, and the places of those that chance might have made otherwise.

    Raises
    ------
    BadInput
        When there is none.
    """
    decisions = record.decisions
    if decisions is None:
        raise BadInput(f"{head}: nobody was left alone by lot; {_MOVED[head]}, with the chance of it on record")
    if NONE not in decisions.actions:
        raise BadInput(
            f"{head}: no decision on record was to leave somebody alone ({NONE!r}); give the strategy a share "
            "of debtors who are not contacted"
        )
    assert decisions.chances is not None
    none = decisions.chances[:, decisions.actions.index(NONE)]
    # Only whom chance might have left alone, and might have contacted, tells what a contact does.
    known = (none > 0.0) & (none < 1.0) & np.isin(decisions.person, record.history.person)
    if not known.any():
        raise BadInput(
            f"{head}: nobody was left alone by lot: every decision on record was certain; give the strategy a share of "
            "debtors who are not contacted"
        )
    return decisions, np.flatnonzero(known)


def _taken(decisions: Decisions, place: NDArray[np.int64]) -> Decisions:
    return Decisions(
        decisions.person[place], decisions.at_us[place], decisions.action[place], decisions.p_action[place],
        decisions.actions,
    )  # fmt: skip


def _cure(record: Record, days: int, threads: int) -> Lesson:
    decisions, place = _by_lot(record, "cure")
    assert decisions.chances is not None
    nobody = decisions.actions.index(NONE)
    # Whom a lot of the day spares is called on the next: that is not to be left alone for as long as the window.
    spared = (decisions.action == nobody) & (decisions.chances[:, nobody] < _LEFT_ALONE)
    if decisions.held_out is not None:
        spared &= ~decisions.held_out
    chosen = _taken(decisions, place[~spared[place]])
    if not (chosen.action == nobody).any():
        raise BadInput(
            "cure: nobody was left alone for longer than a day; who pays all without a contact is learned from debtors "
            "whom a strategy holds out: give it a holdout ([trial])"
        )
    rows = _latest(heads.cure(record.history, chosen, days))
    if not len(rows):
        raise BadInput("cure: whoever was decided on owed nothing as far as was known")
    found = features(record.history, rows.asked, record.usual, threads=threads)
    source = heads.columns(rows, found, actions=chosen.actions, action=chosen.action[rows.place])
    return Lesson("cure", source, float(days))


#: Chance of a decision to leave somebody alone from which on the next days' will be the same more often than not.
_LEFT_ALONE: Final = 0.5


def _payment(record: Record, days: int, threads: int) -> Lesson:
    history = record.history
    decisions, place = _by_lot(record, "payment")
    assert decisions.chances is not None
    chosen = _taken(decisions, place)
    rows, paid_minor = heads.payment(history, chosen, days)
    found = features(history, rows.asked, record.usual, threads=threads)
    action = chosen.action[rows.place]
    by_lot = np.flatnonzero(np.isin(place[rows.place], alone_by_lot(history, decisions)))
    owed = heads.owed_minor(history, found, rows.asked, record.usual)[by_lot]
    names = tuple(name for name in NAMES if name not in heads.BARRED["payment"])
    trial = Trial(
        x=np.column_stack([found.column(name)[by_lot] for name in names]), names=names, actions=chosen.actions,
        action=action[by_lot], p=decisions.chances[place][rows.place][by_lot], y=rows.y[by_lot],
        share=np.where(owed > 0.0, np.minimum(paid_minor[by_lot] / np.maximum(owed, 1e-9), 1.0), 1.0),
        group=rows.person[by_lot], met=heads.spoken_to(history, rows)[by_lot],
    )  # fmt: skip
    return Lesson("payment", heads.columns(rows, found, actions=chosen.actions, action=action), float(days), trial)


# ---- as of now


def asked_now(record: Record, head: str, as_of_us: int, persons: NDArray[np.int64] | None = None) -> Rows:
    """Return the rows about which a head could be asked now, of everybody or of some people.

    Raises
    ------
    BadInput
        When somebody is not among the debtors.
    """
    history = record.history
    asked = everybody(history, as_of_us, numbers=None if head in _OF_NUMBERS else 0)
    if persons is not None:
        asked = Asked(*(column[np.isin(asked.row, history.rows_of(persons))] for column in asked))
    if head == "kept":
        asked = heads.open_promises(history, as_of_us, np.unique(asked.row))
    n = len(asked.row)
    return Rows(
        head=head, asked=asked, person=history.person[asked.row], at_us=asked.at_us, known_us=asked.at_us,
        y=np.zeros(n), place=np.arange(n),
    )  # fmt: skip


def given_now(record: Record, head: str, as_of_us: int, persons: NDArray[np.int64] | None = None) -> Given:
    """Return the rows of `asked_now`, to be explained; of payments is asked as if nobody were contacted.

    Raises
    ------
    BadInput
        When somebody is not among the debtors, or nobody has a row.
    """
    rows = asked_now(record, head, as_of_us, persons)
    if not len(rows):
        raise BadInput(f"{head}: nobody of those has anything to be asked about: {_NOBODY.get(head, 'no number')}")
    found = features(record.history, rows.asked, record.usual)
    action = np.zeros(len(rows), np.int64) if head in heads.DECIDED else None
    source = heads.columns(rows, found, actions=(NONE,), action=action)
    if head in _OF_NUMBERS:
        source = source.append_column("phone", [found.phone])
    moments = Moments(record.history, rows.asked, record.usual) if head in heads.SLOTTED else None
    return Given(table=source, where=f"ledger, head {head}", moments=moments)


_NOBODY: Final = {"kept": "no promise is open", "payment": "no debtor", "cure": "no debtor"}
#: Heads of which every number of a person has a row of its own.
_OF_NUMBERS: Final = (*heads.SLOTTED, *heads.OF_NUMBERS, "promise")
