"""The chance of reaching people in every slot of a week at once, exactly, for little more than one slot costs.

A model whose features keep apart in its trees (`constraints`) is a sum: what the debtor and the number tell, whatever
the hour; what a rhythm tells of a moment; what the moment's own record tells. The first is added up once a row. The
others are tables: of the few rhythms that a portfolio has, and of the few records that an hour has, by the moments of
the week. A cell is then two look-ups and a logistic; docs/decisions/0023 has what that costs and what it loses.
"""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from domain.errors import BadInput
from domain.instants import DAY, HOUR
from models.feature_list import FEATURES
from models.history import Clocks
from models.history_kernel import cell_of, offset_of, weekday_of
from models.trees import Coded, code_of, codes_of, forest, parse_model, share_out

F4 = NDArray[np.float32]
F8 = NDArray[np.float64]
I8 = NDArray[np.int64]
I4 = NDArray[np.int32]

#: Features that another day of the week changes: a model of slots does without them.
OF_THE_DAY: Final = ("number_today", "calls_today", "month_day", "days_payday")

_GROUP: Final = {one.name: one.group for one in FEATURES}
#: Whose sums a model is: the debtor's, a rhythm's and a moment's, an hour's own record and a moment's.
_DEBTOR, _RHYTHM, _OWN, _NOBODY = 0, 1, 2, 3
#: Rows in one go: what is made of them in between stays small.
_ROWS: Final = 100_000
#: Cells of a table beyond which it is no saving.
_MOST_CELLS: Final = 200_000_000


def constraints(names: Sequence[str]) -> list[list[int]]:
    """Return LightGBM's `interaction_constraints` under which a model of these features can be scored by slots.

    Features that `models.feature_list` does not know are the debtor's. A rhythm may mix with the debtor and with the
    moment, the hour's own record with the moment alone.

    Raises
    ------
    BadInput
        When one is of the day of the contact (`OF_THE_DAY`): a row stands for seven days.
    """
    _refuse_days(names)
    of = {group: [n for n, name in enumerate(names) if _GROUP.get(name, "") == group] for group in set(_GROUP.values())}
    debtor = [n for n, name in enumerate(names) if _GROUP.get(name, "") not in ("moment", "own")]
    groups = [debtor, of["moment"] + of["rhythm"], of["moment"] + of["own"]]
    return [group for group in groups if group]


class Slots(NamedTuple):
    """What slots are on each clock: (clocks, slots)."""

    hour: I8
    weekday: I8
    #: Local hour, and 24 more at the weekend: place in what `models.features.own_hours` returns.
    cell: I8


def slots_of(clocks: Clocks, starts_us: Sequence[int] | I8) -> Slots:
    """Return what slots are by the clocks of a history; the hour of a slot is that of its start."""
    starts = np.asarray(starts_us, np.int64)
    found = Slots(*(np.empty((len(clocks.first) - 1, len(starts)), np.int64) for _ in range(3)))
    _tell_slots(clocks, starts, *found)
    return found


class SlotScorer:
    """A model ready to score slots.

    Parameters
    ----------
    model : str
        `Booster.model_to_string()` of a binary model whose trees keep to `constraints`.
    names : sequence of str, optional
        Its features, where its text calls them otherwise.

    Raises
    ------
    BadInput
        When a tree mixes what must be kept apart, or a feature is of the day of the contact.
    """

    def __init__(self, model: str, names: Sequence[str] | None = None) -> None:
        parsed = parse_model(model)
        self.names = parsed.names if names is None else tuple(names)
        _refuse_days(self.names)
        self._sigmoid = parsed.sigmoid
        groups = [_GROUP.get(name, "") for name in self.names]

        def share(path: frozenset[int]) -> int:
            told = {groups[column] for column in path}
            if not told & {"moment", "own"}:
                return _DEBTOR
            if told <= {"moment", "own"} and "own" in told:
                return _OWN
            return _RHYTHM if told <= {"moment", "rhythm"} else _NOBODY

        shared = [share_out(tree, share, 4) for tree in parsed.trees]
        if any(parts[_NOBODY] is not None for parts in shared):
            raise BadInput(
                "model: a tree mixes the hour with features of the debtor; "
                "fit it with interaction_constraints=models.slots.constraints(names)"
            )
        self._debtor, self._rhythm, self._own = (
            forest(tree for parts in shared if (tree := parts[of]) is not None) for of in (_DEBTOR, _RHYTHM, _OWN)
        )

    def chances(self, values: F4, hours: F4, clock: I4, slots: Slots, *, raw: bool = False) -> F4:
        """Return the chance for every row in every slot.

        Parameters
        ----------
        values : (rows, len(names)) float32
            Features in the order of `names`; those of the moment and of its own record are not looked at.
        hours : (rows, 48, 2) float32
            As `models.features.own_hours` gives them.
        clock : (rows,) int32
            Place of each row's clock in `slots`.
        raw : bool
            Sums instead of chances, for a calibrator.

        Returns
        -------
        (rows, slots) float32
        """
        moments, moment = self._moments(slots)
        names = list(self.names)
        own = self._own_table(moments)
        own_columns = np.array([names[one.column] == "hour_lift" for one in own.coded], np.int64)
        out = np.empty((len(values), slots.hour.shape[1]), np.float32)
        # Rhythms first: they are few only over all rows.
        coded = [one for one in self._rhythm.coded if names[one.column] not in _MOMENT]
        rhythms, rhythm = _distinct(codes_of(coded, lambda column: values[:, column], len(values)))
        if len(rhythms) * len(moments) > _MOST_CELLS:
            raise BadInput(
                f"model: {len(rhythms)} rhythms and {len(moments)} moments make too large a table; "
                "fit with fewer bins for the features of the group rhythm (max_bin_by_feature)"
            )
        table = self._rhythm_table(coded, rhythms, moments)
        thresholds, first = _joined(own.coded)
        knows = np.array([one.knows_empty for one in own.coded], np.bool_)
        for start in range(0, len(values), _ROWS):
            part = slice(start, start + _ROWS)
            some = values[part]
            base = self._debtor.sums(codes_of(self._debtor.coded, lambda column, some=some: some[:, column], len(some)))  # type: ignore[misc]
            _fill(
                base, rhythm[part], table, hours[part], own_columns, thresholds, first, knows, own.sizes, own.table,
                clock[part], slots.cell, moment, self._sigmoid, raw, out[part],
            )  # fmt: skip
        return out

    def _moments(self, slots: Slots) -> tuple[I8, I8]:
        """Return the distinct (hour, weekday) of slots, (n, 2), and the place of each slot among them."""
        both = np.stack((slots.hour.ravel(), slots.weekday.ravel()), axis=1)
        moments, place = np.unique(both, axis=0, return_inverse=True)
        return moments, place.reshape(slots.hour.shape).astype(np.int64)

    def _rhythm_table(self, coded: list[Coded], rhythms: Any, moments: I8) -> F8:
        """Return what each rhythm tells of each moment, (rhythms, moments)."""
        names, trees = list(self.names), self._rhythm
        found = np.empty((len(rhythms), len(moments)))
        step = max(1, 1_000_000 // max(len(moments), 1))
        of_moment = {
            nth: one.codes(moments[:, _MOMENT.index(names[one.column])])
            for nth, one in enumerate(trees.coded)
            if names[one.column] in _MOMENT
        }
        for start in range(0, len(rhythms), step):
            some = rhythms[start : start + step]
            codes = np.empty((len(some), len(moments), len(trees.coded)), np.uint16)
            at = 0
            for nth in range(len(trees.coded)):
                if nth in of_moment:
                    codes[:, :, nth] = of_moment[nth][None, :]
                else:
                    codes[:, :, nth] = some[:, at][:, None]
                    at += 1
            cells = codes.reshape(len(some) * len(moments), len(trees.coded))
            found[start : start + step] = trees.sums(cells).reshape(len(some), len(moments))
        assert len(coded) + len(of_moment) == len(trees.coded)
        return found

    def _own_table(self, moments: I8) -> "_Own":
        """Return what each record of an hour tells of each moment."""
        names, trees = list(self.names), self._own
        coded = [one for one in trees.coded if names[one.column] not in _MOMENT]
        if any(one.words is not None for one in coded):
            raise BadInput("model: hour_tries and hour_lift are numbers and no categories; fit them as numbers")
        # One code more, for empty values.
        sizes = np.array([one.n + 1 for one in coded], np.int64)
        n = int(np.prod(sizes))
        if n * len(moments) > _MOST_CELLS:
            raise BadInput(f"model: {n} records of an hour make too large a table; fit with fewer bins for them")
        records = np.stack(np.unravel_index(np.arange(n), tuple(sizes)), axis=1) if coded else np.zeros((1, 0))
        codes = np.empty((len(moments), n, len(trees.coded)), np.uint16)
        at = 0
        for nth, one in enumerate(trees.coded):
            if names[one.column] in _MOMENT:
                codes[:, :, nth] = one.codes(moments[:, _MOMENT.index(names[one.column])])[:, None]
            else:
                record = records[:, at]
                codes[:, :, nth] = np.where(record == one.n, one.empty, record + 1)[None, :]
                at += 1
        table = trees.sums(codes.reshape(len(moments) * n, len(trees.coded))).reshape(len(moments), n)
        return _Own(coded, sizes, table)


class BagScorer:
    """Models of which the mean of chances is the score, ready to score slots.

    Parameters
    ----------
    models, names
        As `SlotScorer` takes one.
    """

    def __init__(self, models: Sequence[str], names: Sequence[str]) -> None:
        self._bags = [SlotScorer(one, names) for one in models]

    def chances(self, values: F4, hours: F4, clock: I4, slots: Slots) -> F4:
        """Return the score of every row in every slot, as `SlotScorer.chances` does."""
        found = self._bags[0].chances(values, hours, clock, slots)
        for one in self._bags[1:]:
            found += one.chances(values, hours, clock, slots)
        if len(self._bags) > 1:
            found /= len(self._bags)
        return found


def _refuse_days(names: Sequence[str]) -> None:
    for name in names:
        if name in OF_THE_DAY:
            raise BadInput(f"model: {name} is of the day of the contact, and slots lie on seven days; fit without it")


class _Own(NamedTuple):
    coded: list[Coded]
    #: Codes of each, the empty one counted.
    sizes: I8
    #: (moments, records).
    table: F8


_MOMENT: Final = ("hour", "weekday")


def _distinct(codes: Any) -> tuple[Any, I8]:
    """Return the distinct rows of codes, and the place of each row among them."""
    if codes.shape[1] == 0:
        return np.zeros((1, 0), np.uint16), np.zeros(len(codes), np.int64)
    rows = np.ascontiguousarray(codes).view(np.dtype((np.void, codes.dtype.itemsize * codes.shape[1]))).ravel()
    _, first, place = np.unique(rows, return_index=True, return_inverse=True)
    return codes[first], place.astype(np.int64)


def _joined(coded: Sequence[Coded]) -> tuple[F8, I8]:
    first = np.cumsum([0, *(len(one.thresholds) for one in coded)]).astype(np.int64)
    return np.concatenate([np.empty(0), *(one.thresholds for one in coded)]), first


@njit(cache=True, nogil=True)
def _tell_slots(clocks: Any, starts_us: I8, hour: I8, weekday: I8, cell: I8) -> None:
    for clock in range(hour.shape[0]):
        for s in range(len(starts_us)):
            local_us = starts_us[s] + offset_of(clocks, clock, starts_us[s])
            hour[clock, s] = local_us % DAY // HOUR
            weekday[clock, s] = weekday_of(local_us)
            cell[clock, s] = cell_of(local_us)


@njit(cache=True, nogil=True)
def _fill(
    base: F8, rhythm: I8, table: F8, hours: F4, own_columns: I8, thresholds: F8, first: I8, knows: Any, sizes: I8,
    own: F8, clock: I4, cell: I8, moment: I8, sigmoid: float, raw: bool, out: F4,
) -> None:  # fmt: skip
    n_slots = cell.shape[1]
    record = np.empty(hours.shape[1], np.int64)
    for r in range(len(base)):
        record[:] = -1
        of = clock[r]
        for s in range(n_slots):
            c = cell[of, s]
            if record[c] < 0:
                place = 0
                for k in range(len(own_columns)):
                    value = np.float64(hours[r, c, own_columns[k]])
                    if np.isnan(value) and knows[k]:
                        code = sizes[k] - 1
                    else:
                        code = code_of(0.0 if np.isnan(value) else value, thresholds[first[k] : first[k + 1]])
                    place = place * sizes[k] + code
                record[c] = place
            m = moment[of, s]
            total = base[r] + table[rhythm[r], m] + own[m, record[c]]
            out[r, s] = total if raw else 1.0 / (1.0 + np.exp(-sigmoid * total))
