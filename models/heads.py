"""What the ledger's history teaches, head by head: one row for each instant at which something was to be decided.

A row stands as of its instant: features look at what was known before it, the outcome at what happened after it, within
the head's window. Rows whose window had not closed when the record ends are censored: left out, not counted as no.
Who learns as of an instant leaves out rows whose window had not closed by then (`Rows.known_us`, the schema's horizon).

| head | a row is | the outcome | window |
|---|---|---|---|
| reach | a call | a person answers | 4 hours |
| right_party | a call of which it is known who answered, if anybody did | the debtor answers | 4 hours |
| payment | a decision: a contact by lot or by plan, or none | anything is paid on the debts | N days |
| amount | the same, where something was paid | what was paid ÷ what was owed, at most 1 | N days |
| cure | the same, where something was owed | all that was owed is paid | N days |
| promise | a call begun | a promise or a plan is recorded | 4 hours |
| kept | a promise made | 90 % of it is paid from its day on until the day due and three of grace | until then |
| machine | a call that no person answered | a machine does | 4 hours |
| valid | a call that ended, the network having carried it | the number is in service and the debtor's | 4 hours |
"""

from collections.abc import Container, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from domain.errors import BadInput
from domain.instants import DAY, HOUR
from domain.people import GRACE_DAYS, KEPT_SHARE
from models import export
from models import history_kernel as kinds
from models.decisions import Decisions
from models.feature_kernel import Asked, Usual, settled
from models.feature_list import FEATURES, NAMES, check_features
from models.features import CATEGORIES, Features, ask
from models.history import History
from models.reach import Attempts
from models.reach import params as reach_params
from models.reach import rounds as reach_rounds
from models.schema import Recipe, Schema, Windows
from models.slots import OF_THE_DAY, constraints
from models.table import Table, make_table
from models.uplift import OUTCOME

I8 = NDArray[np.int64]
F8 = NDArray[np.float64]

#: Those that become models of their own; what is paid is part of `payment`.
HEADS: Final = ("reach", "right_party", "promise", "payment", "cure", "kept", "machine", "valid")
#: Heads of decisions: what was done is a feature, and whoever owes is scored as if left alone.
DECIDED: Final = ("payment", "cure")
#: A call and what is recorded of it are over by then.
_CALL_US: Final = 4 * HOUR
#: Heads of a call at an hour, which are scored for every hour of the week.
SLOTTED: Final = ("reach", "right_party")
#: Heads of a number as such, whenever it is called.
OF_NUMBERS: Final = ("machine", "valid")


def _of(*groups: str) -> tuple[str, ...]:
    return tuple(one.name for one in FEATURES if one.group in groups)


#: Features that a head may not use besides those that no head may (`feature_list.AFTER`): of the contact's own day,
#: where a row stands for a week; of a number or an hour, where a row has none.
BARRED: Final = {
    "reach": OF_THE_DAY,
    "right_party": OF_THE_DAY,
    "promise": (),
    "payment": (*_of("moment", "own", "number"), "line_type"),
    # Who is held out was never called: calls on record would tell him from all whom the head is asked about.
    "cure": _of("moment", "own", "rhythm", "number", "person"),
    "kept": (*_of("own", "number"), "line_type"),
} | dict.fromkeys(OF_NUMBERS, (*_of("moment", "own", "day"), "number_today", "calls_today", "days_payday"))


@dataclass(slots=True, frozen=True)
class Rows:
    """The rows of a head; arrays of one length."""

    head: str
    asked: Asked
    person: I8
    at_us: I8
    #: When the outcome is known.
    known_us: I8
    #: 0 or 1; of `amount`, a share.
    y: F8
    #: Place of each row among the decisions, calls or promises that were asked about.
    place: I8
    #: How much each counts; None: all as much.
    weight: F8 | None = None

    def __len__(self) -> int:
        return len(self.y)


def spoken_to(history: History, rows: Rows) -> F8:
    """Return 1 for each row within whose window the debtor was spoken to, (n,)."""
    spoken = _sums(history, rows.asked.row, rows.at_us, rows.known_us, kinds=(kinds.RIGHT,), count=True)
    return (spoken > 0.0).astype(np.float64)


def paid_minor(history: History, row: I8, after_us: I8, until_us: I8) -> F8:
    """Return what people of some rows of the history paid in (after, until], minor units, (n,)."""
    return _sums(history, row, after_us, until_us)


def last_known_us(history: History) -> int:
    """Return when the last fact of the record was learned."""
    known = history.lines.known_us
    return int(known.max()) if len(known) else 0


def reach(history: History, attempts: Attempts, head: str = "reach") -> Rows:
    """Return a row for each call: whether a person answered; of `right_party`, whether the debtor did; of `machine`,
    for each that no person answered, whether a machine did.

    Raises
    ------
    BadInput
        When somebody is not among the debtors, or a number is none of theirs.
    """
    y = {"reach": attempts.answered, "right_party": attempts.right_party, "machine": attempts.machine}[head]
    known = np.flatnonzero(y >= 0)
    at_us = attempts.decided_us[known]
    asked = ask(history, person=attempts.person[known], phone=attempts.phone[known], as_of_us=at_us)
    return Rows(
        head=head, asked=asked, person=attempts.person[known], at_us=at_us, known_us=at_us + _CALL_US,
        y=y[known].astype(np.float64), place=known,
        weight=attempts.weight()[known] if head == "right_party" else None,
    )  # fmt: skip


def payment(history: History, decisions: Decisions, days: int, *, until_us: int | None = None) -> tuple[Rows, F8]:
    """Return the rows of `payment`, and what was paid within the window, in minor units.

    Parameters
    ----------
    days : int
        The window. Payments count by when they were made.
    until_us : int, optional
        The record is whole up to here; without it, up to the last fact learned.

    Raises
    ------
    BadInput
        When nobody is left whose window has closed.
    """
    asked = ask(history, person=decisions.person, phone=None, as_of_us=decisions.at_us)
    end_us = decisions.at_us + days * DAY
    whole = _whole(end_us, last_known_us(history) if until_us is None else until_us, "payment", f"{days} days")
    asked = Asked(*(column[whole] for column in asked))
    sums = _sums(history, asked.row, decisions.at_us[whole], end_us[whole])
    rows = Rows(
        head="payment", asked=asked, person=decisions.person[whole], at_us=decisions.at_us[whole],
        known_us=end_us[whole], y=(sums > 0.0).astype(np.float64), place=whole,
    )  # fmt: skip
    return rows, sums


def cure(history: History, decisions: Decisions, days: int, *, until_us: int | None = None) -> Rows:
    """Return the rows of `cure`: those of `payment` of whoever owed something, and whether all of it was paid.

    Parameters
    ----------
    days, until_us
        As `payment` takes them. What is owed is what was known as of the decision, debt by debt; what becomes due after
        it does not count.

    Raises
    ------
    BadInput
        When nobody is left whose window has closed.
    """
    asked = ask(history, person=decisions.person, phone=None, as_of_us=decisions.at_us)
    end_us = decisions.at_us + days * DAY
    whole = _whole(end_us, last_known_us(history) if until_us is None else until_us, "cure", f"{days} days")
    asked = Asked(*(column[whole] for column in asked))
    paid = np.empty(len(whole))
    settled(asked, end_us[whole], history.lines, history.debts, paid)
    rows = Rows(
        head="cure", asked=asked, person=decisions.person[whole], at_us=decisions.at_us[whole],
        known_us=end_us[whole], y=paid, place=whole,
    )  # fmt: skip
    return take(rows, np.flatnonzero(~np.isnan(paid)))


def amount(rows: Rows, paid_minor: F8, owed_minor: F8) -> Rows:
    """Return the rows of `amount` from those of `payment`: shares of what was owed."""
    some = np.flatnonzero((rows.y > 0.0) & (owed_minor > 0.0))
    return Rows(
        head="amount", asked=Asked(*(column[some] for column in rows.asked)), person=rows.person[some],
        at_us=rows.at_us[some], known_us=rows.known_us[some],
        y=np.minimum(paid_minor[some] / owed_minor[some], 1.0), place=rows.place[some],
    )  # fmt: skip


def promise(history: History, *, until_us: int | None = None) -> Rows:
    """Return a row for each call begun: whether a promise or a plan came of it."""
    lines = history.lines
    begun = np.flatnonzero((lines.kind == kinds.DIALED) & (lines.number >= 0))
    at_us = lines.known_us[begun]
    whole = _whole(at_us + _CALL_US, last_known_us(history) if until_us is None else until_us, "promise", "4 hours")
    begun, at_us = begun[whole], at_us[whole]
    person = _owner(history)[begun]
    said = _sums(history, person, at_us, at_us + _CALL_US, kinds=(kinds.PROMISE, kinds.PLAN), count=True)
    return _of_calls("promise", history, begun, (said > 0.0).astype(np.float64))


def valid(history: History) -> Rows:
    """Return a row for each call that ended: whether the number is in service and the debtor's (or his household's)."""
    lines = history.lines
    ended = (lines.kind >= kinds.DEAD) & (lines.kind <= kinds.RIGHT) & (lines.number >= 0) & ~lines.alone
    at = np.flatnonzero(ended)
    y = ~np.isin(lines.kind[at], (kinds.DEAD, kinds.WRONG))
    return _of_calls("valid", history, at, y.astype(np.float64))


def kept(history: History, *, until_us: int | None = None) -> Rows:
    """Return a row for each promise (not plan) with a day: whether it was kept; as of just after it was made."""
    lines = history.lines
    made = np.flatnonzero((lines.kind == kinds.PROMISE) & (lines.due_day != export.NO_DAY) & (lines.amount > 0.0))
    row = _owner(history)[made]
    at_us = lines.known_us[made] + 1
    offset_us = _offsets(history, row, at_us)
    end_us = (lines.due_day[made].astype(np.int64) + GRACE_DAYS + 1) * DAY - offset_us
    whole = _whole(end_us, last_known_us(history) if until_us is None else until_us, "kept", "the day due")
    made, row, at_us, end_us = made[whole], row[whole], at_us[whole], end_us[whole]
    # A file tells the day of a payment, not its hour: those of the day of the promise are on it.
    offset_us = offset_us[whole]
    since_us = (at_us + offset_us) // DAY * DAY - offset_us
    came = _sums(history, row, since_us - 1, end_us - 1)
    nowhere = np.full(len(row), -1, np.int64)
    return Rows(
        head="kept", asked=Asked(row, nowhere, at_us, at_us), person=history.person[row], at_us=at_us, known_us=end_us,
        y=(came >= KEPT_SHARE * lines.amount[made]).astype(np.float64), place=whole,
    )  # fmt: skip


def open_promises(history: History, as_of_us: int, row: I8) -> Asked:
    """Ask about the last promise of people, as of just after it was made, where it has not fallen due at an instant.

    Parameters
    ----------
    row : (n,)
        Rows of the history, rising.
    """
    lines, owner = history.lines, _owner(history)
    made = (lines.kind == kinds.PROMISE) & (lines.due_day != export.NO_DAY) & (lines.amount > 0.0)
    at = np.flatnonzero(made & (lines.known_us < as_of_us) & np.isin(owner, row))
    # A person's lines stand in the order in which they were learned.
    last = at[np.append(owner[at][1:] != owner[at][:-1], True)] if len(at) else at
    end_us = (lines.due_day[last].astype(np.int64) + GRACE_DAYS + 1) * DAY
    last = last[end_us - _offsets(history, owner[last], np.full(len(last), as_of_us)) > as_of_us]
    at_us = lines.known_us[last] + 1
    return Asked(owner[last], np.full(len(last), -1, np.int64), at_us, at_us)


def take(rows: Rows, at: I8) -> Rows:
    """Return some of the rows."""
    return Rows(
        head=rows.head, asked=Asked(*(column[at] for column in rows.asked)), person=rows.person[at],
        at_us=rows.at_us[at], known_us=rows.known_us[at], y=rows.y[at], place=rows.place[at],
        weight=None if rows.weight is None else rows.weight[at],
    )  # fmt: skip


def owed_minor(history: History, found: Features, asked: Asked, usual: Usual) -> F8:
    """Return what is owed as of each row, minor units of the currency of the person's first debt."""
    day = np.clip(asked.as_of_us // DAY - usual.first_day, 0, len(usual.debt) - 1)
    first = history.debts.first[asked.row]
    none = first == history.debts.first[asked.row + 1]
    currency = np.append(history.debts.currency, 0)[np.where(none, len(history.debts.currency), first)]
    found_minor: F8 = np.nan_to_num(2.0 ** found.column("balance").astype(np.float64) * usual.debt[day, currency])
    return found_minor


def table(
    rows: Rows, found: Features, *, days: float, actions: Sequence[str] = (), action: I8 | None = None,
    windows: Windows | None = None,
) -> Table:  # fmt: skip
    """Return a head's rows as the learners see them.

    Parameters
    ----------
    days : float
        The horizon, by which windows are purged: at most so long after the row the outcome is known.
    actions, action
        Of `payment` and `cure`: what was done is a feature of its own, a category.
    windows
        How the model is judged; a head with a long horizon may need fewer blocks on a short record.
    """
    source = columns(rows, found, actions=actions, action=action)
    return make_table(source, schema(rows.head, source, days=days, windows=windows), where=f"head {rows.head}")


def columns(rows: Rows, found: Features, *, actions: Sequence[str] = (), action: I8 | None = None) -> Any:
    """Return a head's rows as an Arrow table: `at`, `person`, the outcome `y`, every feature, and the action."""
    pa = export.arrow()
    told: dict[str, Any] = {
        "at": pa.array(rows.at_us, pa.timestamp("us", tz="UTC")), "person": rows.person, "y": rows.y
    }  # fmt: skip
    for name in NAMES:
        values = found.column(name).astype(np.float64)
        if name in CATEGORIES:
            words = np.array([*CATEGORIES[name], None], object)
            place = np.where(np.isnan(values), len(words) - 1, values).astype(np.int64)
            told[name] = pa.array(words[place], pa.string())
        else:
            told[name] = values
    if rows.head == "right_party":
        told["weight"] = np.ones(len(rows)) if rows.weight is None else rows.weight
    if action is not None:
        told["action"] = pa.array(np.array(actions, object)[action], pa.string())
    return pa.table(told)


def schema(
    head: str, source: Any, *, days: float, windows: Windows | None = None, protected: Sequence[str] = ()
) -> Schema:  # fmt: skip
    """Return what a head's columns are and how it learns from them; features that are empty everywhere are barred."""
    names = [*NAMES, *(["action"] if "action" in source.column_names else [])]
    barred = [
        name for name in names if name in BARRED.get(head, ()) or _is_empty(source.column(name))
    ]  # fmt: skip
    kept = [name for name in names if name not in barred]
    check_features(kept, f"head {head}")
    return Schema(
        name=head, target="y", time="at", group="person", horizon=days,
        weight="weight" if head == "right_party" else "",
        categories=tuple(name for name in (*CATEGORIES, "action") if name in kept),
        barred=tuple(barred), protected=tuple(protected), monotone=_signs(head, kept),
        segments=tuple(name for name in _SEGMENTS.get(head, ()) if name in kept),
        windows=windows or Windows(), recipe=_recipe(head, kept, source.num_rows),
    )  # fmt: skip


#: By which calibration is told, and mended where it differs.
_SEGMENTS: Final = dict.fromkeys(SLOTTED, ("hour", "line_type")) | dict.fromkeys(DECIDED, ("action",))


def _is_empty(column: Any) -> bool:
    pc = export.arrow().compute
    return bool(pc.all(pc.is_null(column, nan_is_null=True)).as_py())


def _recipe(head: str, names: Sequence[str], rows: int) -> Recipe:
    if head not in SLOTTED:
        # As chosen for outcomes of debtors by the truth of a world (docs/decisions/0024); a short record needs no less.
        told = {name: value for name, value in OUTCOME.items() if name != "objective"}
        return Recipe(params=told | {"min_data_in_leaf": int(np.clip(rows // 50, 20, 100))})
    # Kept apart, so that an hour is a look-up; few bins, so that tables are small (docs/decisions/0023).
    group = {one.name: one.group for one in FEATURES}
    few = {name: _BINS[of] for name in names if (of := group[name]) in _BINS and name not in CATEGORIES}
    apart = [[names[place] for place in of] for of in constraints(names)]
    params = reach_params(rows) | {"max_bin_by_feature": few, "interaction_constraints": apart}
    return Recipe(rounds=reach_rounds(rows), params=params)


_BINS: Final = {"rhythm": 6, "own": 16}


def _signs(head: str, names: Container[str]) -> dict[str, Literal[1, -1]]:
    """Return the directions in which a head's probability may only move: of paying, or of being reached."""
    found: dict[str, Literal[1, -1]] = {}
    for one in FEATURES:
        sign = 0 if head in OF_NUMBERS else one.reach if head in (*SLOTTED, "promise") else one.pay
        if sign and one.name in names:
            found[one.name] = 1 if sign > 0 else -1
    return found


# ---- small things


def _of_calls(head: str, history: History, at: I8, y: F8) -> Rows:
    """Return rows as of just before calls were begun."""
    lines, row = history.lines, _owner(history)[at]
    # A call that ended was decided before it was dialled: its own lines must not be known of it.
    begun = at if len(at) == 0 or lines.kind[at[0]] == kinds.DIALED else _beginnings(history, at)
    fine = begun >= 0
    at, row, y, begun = at[fine], row[fine], y[fine], begun[fine]
    at_us = lines.known_us[begun]
    return Rows(
        head=head, asked=Asked(row, lines.number[at].astype(np.int64), at_us, at_us), person=history.person[row],
        at_us=at_us, known_us=at_us + _CALL_US, y=y, place=np.flatnonzero(fine),
    )  # fmt: skip


def _beginnings(history: History, ends: I8) -> I8:
    """Return the line with which each call began: the last one dialled of the same number before; -1: none is told."""
    lines = history.lines
    begun = np.flatnonzero((lines.kind == kinds.DIALED) & (lines.number >= 0))
    found = np.full(len(ends), -1, np.int64)
    if not len(begun):
        return found
    owner = _owner(history)
    most = int(np.diff(history.numbers.first).max()) + 1
    key = (owner * most + lines.number).astype(np.int64)
    by = begun[np.lexsort((begun, key[begun]))]
    ranks, n = np.arange(len(by)), len(lines.kind)
    at = np.searchsorted(key[by] * n + by, key[ends] * n + ends) - 1
    same = (at >= 0) & (key[by[np.maximum(at, 0)]] == key[ends])
    found[same] = by[ranks[at[same]]]
    return found


def _owner(history: History) -> I8:
    return np.repeat(np.arange(len(history.person)), np.diff(history.lines.first))


def _sums(
    history: History, row: I8, after_us: I8, until_us: I8, kinds: Sequence[int] = (kinds.PAYMENT,), *,
    count: bool = False,
) -> F8:  # fmt: skip
    """Return the sum of amounts of a person's lines of some kinds that happened in (after, until], (n,)."""
    lines = history.lines
    of = np.flatnonzero(np.isin(lines.kind, kinds))
    owner = _owner(history)[of]
    order = np.lexsort((lines.event_us[of], owner))
    of, owner = of[order], owner[order]
    amounts = np.ones(len(of)) if count else np.nan_to_num(lines.amount[of])
    running = np.append(0.0, np.cumsum(amounts))
    found = np.zeros((2, len(row)))
    for nth, at_us in enumerate((until_us, after_us)):
        found[nth] = running[_places(owner, lines.event_us[of], row, at_us)]
    # Sums that are nothing must be nothing, whatever was added before them.
    some = _places(owner, lines.event_us[of], row, until_us) > _places(owner, lines.event_us[of], row, after_us)
    return np.where(some, found[0] - found[1], 0.0)


def _places(owner: I8, event_us: I8, row: I8, at_us: I8) -> I8:
    """Return how many of the lines, sorted by owner and instant, come up to an instant of an owner."""
    both = np.lexsort((
        np.concatenate((np.zeros(len(owner), np.int8), np.ones(len(row), np.int8))),
        np.concatenate((event_us, at_us)),
        np.concatenate((owner, row)),
    ))  # fmt: skip
    is_line = both < len(owner)
    before = np.cumsum(is_line)
    found = np.empty(len(row), np.int64)
    found[both[~is_line] - len(owner)] = before[~is_line]
    return found


def _whole(end_us: I8, until_us: int, head: str, window: str) -> I8:
    whole = np.flatnonzero(end_us <= until_us)
    if not len(whole):
        raise BadInput(
            f"head {head}: of {len(end_us):,} rows none is {window} old when the record ends; wait, or shorten the "
            "window"
        )
    return whole


def _offsets(history: History, row: I8, at_us: I8) -> I8:
    clocks = history.clocks
    return np.array(
        [kinds.offset_of(clocks, int(clock), int(at)) for clock, at in zip(history.clock[row], at_us, strict=True)],
        np.int64,
    )
