"""Scores of everybody who owes, by the champions: each number for every hour of the floor's week, and each person.

A portfolio is read and scored in parts, so that memory is that of a part. A chance of the week is a whole number of
1/65535; the model's own prediction for that person, number and hour, calibrated, is what it stands for.
"""

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, time, timedelta
from functools import partial
from pathlib import Path
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from domain.errors import BadInput
from domain.forecasts import UNIT, WEEK
from domain.instants import HOUR, from_datetime, midnight_us, to_datetime
from models import export, heads
from models.cluster import learning_code, opened
from models.decisions import NONE
from models.feature_kernel import Asked, Usual
from models.feature_list import INDEX
from models.features import CATEGORIES, Features, Tallies, everybody, features, own_hours, tallies, usual_of
from models.history import History, read_history
from models.learner import Trees
from models.registry import WORTH, Model, Registry
from models.slots import BagScorer, Slots, slots_of
from models.table import Encoding
from models.worth import Worth

F4 = NDArray[np.float32]
F8 = NDArray[np.float64]
I8 = NDArray[np.int64]
U2 = NDArray[np.uint16]

#: People read and scored together: two heads of a week for their numbers are held at once.
PART: Final = 150_000
#: Rows calibrated at a time.
_ROWS: Final = 4_096
_MOMENT: Final = ("hour", "weekday")


class Champions(NamedTuple):
    """The models that serve, by head."""

    models: Mapping[str, Model]
    worth: Worth | None

    @property
    def versions(self) -> dict[str, str]:
        return {head: one.manifest.version for head, one in self.models.items()}


class Numbers(NamedTuple):
    """Scores of numbers; arrays of one length, None where no model tells it."""

    person: I8
    phone: I8
    #: (n, WEEK): that a person answers, that the debtor does.
    p_answered: U2 | None
    p_right: U2 | None
    #: That the number is in service, and not a stranger's.
    p_valid: F8 | None
    #: That a machine answers where no person does.
    p_machine: F8 | None


class People(NamedTuple):
    """Scores of people; arrays of one length, NaN where nothing can be told of somebody, None where of nobody."""

    person: I8
    #: That a call on the first number at midday of the next day brings a promise.
    p_promise: F8 | None
    #: That the last promise is kept; of those that have not fallen due.
    p_kept: F8 | None
    #: That something is paid within the model's window, the person left alone.
    p_pay: F8 | None
    #: That all that is owed is.
    p_self_cure: F8 | None
    #: What a contact through a channel adds to `p_pay`, and to what is paid, in minor units, before its cost.
    uplift: Mapping[str, F8]
    value_minor: Mapping[str, F8]
    #: Of the first debt; None: no debt.
    currency: NDArray[Any]


class Part(NamedTuple):
    numbers: Numbers
    people: People


def champions(registry: Registry, only: tuple[str, ...] = heads.HEADS) -> Champions:
    """Return the champions of the ledger's heads.

    Raises
    ------
    BadInput
        When there is none, or one is of another table than the ledger's.
    """
    names = [name for name in only if registry.stages(name).champion]
    if not names:
        raise BadInput(
            f"{registry.folder}: no head of the ledger has a champion yet ({', '.join(heads.HEADS)}); "
            "make them with `cadencia models fit`, then `cadencia models promote --all`"
        )
    found = {name: registry.load(name) for name in names}
    for one in found.values():
        check_own(one)
    paying = found.get("payment")
    worth = None
    if paying is not None and WORTH in paying.manifest.files:
        worth = registry.read("payment", paying.manifest.version, WORTH, Worth)
    return Champions(found, worth)


def check_own(model: Model) -> None:
    """Refuse a model that learned from other columns than the features of the ledger."""
    if strange := [name for name in model.encoding.features if name not in INDEX and name != "action"]:
        raise BadInput(
            f"model {model.version} was made of a table of its own: {strange[0]} is no feature of the ledger; roll it "
            "back, and keep models of tables under names of their own (name in the schema)"
        )


def scored(
    source: Path | str, served: Champions, as_of_us: int, zone: str, *, threads: int = 1, cluster: str = "",
    part: int = PART, report: Callable[[str, int, int], None] = lambda _what, _done, _of: None,
) -> Iterator[Part]:  # fmt: skip
    """Yield the scores of whoever owes, part by part, people in the order of their ids.

    Parameters
    ----------
    source
        An export of the ledger.
    zone
        The floor's clock, by which hours of the week are named; hours are those of the seven days from `as_of_us` on.
    cluster
        Address of a Dask scheduler whose workers score, a part each; they read the export themselves.
    part
        People in one.

    Raises
    ------
    BadInput
        When a file or a column of the export is missing.
    """
    ids = np.sort(export.ints(export.dataset(str(source), "debtors").to_table(columns=["person"]), "person"))
    if not len(ids):
        raise BadInput(f"{source}: nobody is among the debtors; import a portfolio")
    edges = [(int(ids[first]), int(ids[min(first + part, len(ids)) - 1])) for first in range(0, len(ids), part)]
    if cluster:
        yield from _on_cluster(cluster, str(source), served, as_of_us, zone, edges, report)
        return
    only = read_history(source) if len(edges) == 1 else None
    counts = []
    for nth, one in enumerate(edges):
        report("reading the history", nth, len(edges))
        counts.append(tallies(only if only is not None else read_history(source, one)))
    serve = _Serving(served, as_of_us, zone, threads)
    for nth, one in enumerate(edges):
        report("scoring debtors", min(nth * part, len(ids)), len(ids))
        history = only if only is not None else read_history(source, one)
        yield serve.part(history, usual_of(counts, history.currencies))
    report("scoring debtors", len(ids), len(ids))


def _on_cluster(
    cluster: str, source: str, served: Champions, as_of_us: int, zone: str, edges: list[tuple[int, int]],
    report: Callable[[str, int, int], None],
) -> Iterator[Part]:  # fmt: skip
    with opened(cluster, learning_code) as client, client.get_executor(pure=False) as pool:
        counts = []
        for nth, counted in enumerate(pool.map(partial(_counted, source), edges)):
            report("reading the history", nth, len(edges))
            counts.append(counted)
        work = partial(_scored, source, served, as_of_us, zone, counts)
        for nth, found in enumerate(pool.map(work, edges)):
            report("scoring debtors", nth, len(edges))
            yield found
    report("scoring debtors", len(edges), len(edges))


def _counted(source: str, edges: tuple[int, int]) -> Tallies:
    return tallies(read_history(source, edges))


def _scored(
    source: str, served: Champions, as_of_us: int, zone: str, counts: list[Tallies], edges: tuple[int, int]
) -> Part:
    history = read_history(source, edges)
    return _Serving(served, as_of_us, zone, 1).part(history, usual_of(counts, history.currencies))


def week_of(as_of_us: int, zone: str) -> I8:
    """Return the instants at which the hours of a week begin, (WEEK,): those of the seven days from today on."""
    today = to_datetime(as_of_us, zone).date()
    days = {(today + timedelta(days=n)).weekday(): today + timedelta(days=n) for n in range(7)}
    found = np.empty(WEEK, np.int64)
    for weekday, day in days.items():
        for hour in range(24):
            found[24 * weekday + hour] = from_datetime(datetime.combine(day, time(hour), ZoneInfo(zone)))
    return found


def encoded(found: Features, encoding: Encoding, action: str = NONE) -> F8:
    """Return features as a model takes them, (rows, its features); words that it never saw are not known."""
    x = np.empty((len(found.values), len(encoding.features)))
    for place, name in enumerate(encoding.features):
        if name == "action":
            words = encoding.categories[name]
            x[:, place] = words.index(action) if action in words else np.nan
        elif name in CATEGORIES:
            code = {word: float(nth) for nth, word in enumerate(encoding.categories[name])}
            codes = np.array([*(code.get(word, np.nan) for word in CATEGORIES[name]), np.nan])
            values = found.column(name)
            x[:, place] = codes[np.where(np.isnan(values), len(codes) - 1, values).astype(np.int64)]
        else:
            x[:, place] = found.column(name)
    return x


class Hourly:
    """A model of reach ready to score hours.

    Raises
    ------
    BadInput
        When it is no model of trees that can be scored by slots.
    """

    def __init__(self, model: Model) -> None:
        if not isinstance(model.fitted, Trees):
            raise BadInput(f'model {model.version}: hours of the week need trees; fit it with learner = "lightgbm"')
        self._encoding, self._calibrator, self._timing = model.encoding, model.calibrator, model.timing
        self._bags = BagScorer(model.fitted.texts, model.encoding.features)

    def chances(self, x: F8, hours: F4, clock: Any, slots: Slots, threads: int = 1) -> U2:
        """Return the calibrated chance of each row in each slot, as whole numbers of 1/UNIT: (rows, slots).

        Parameters
        ----------
        x : (rows, d)
            As `encoded` gives it; features of the moment are not looked at.
        hours, clock, slots
            As `models.slots.SlotScorer.chances` takes them.
        """
        raw = self._bags.chances(x.astype(np.float32), hours, clock, slots)
        moment, own = self._offsets(x, slots)
        called = self._called(slots)
        out = np.empty(raw.shape, "<u2")

        def some(first: int) -> None:
            rows = slice(first, first + _ROWS)
            z = self._calibrator.log_odds(raw[rows].astype(np.float64))
            if self._timing is not None:
                of = called[clock[rows]]
                z = self._timing.held(z, (z * of).sum(axis=1, keepdims=True) / of.sum(axis=1, keepdims=True))
            p = self._calibrator.chances(z, offset=moment[clock[rows]] + own[rows, None])
            out[rows] = np.rint(p * UNIT)

        with ThreadPoolExecutor(max(threads, 1)) as pool:
            list(pool.map(some, range(0, len(raw), _ROWS)))
        return out

    def _called(self, slots: Slots) -> F8:
        """Return 1.0 for each slot, by clock, at whose hours people are called, and 0.0 for the others."""
        hours = self._timing.hours if self._timing is not None else ()
        found = np.isin(24 * slots.weekday + slots.hour, hours).astype(np.float64)
        found[~found.any(axis=1)] = 1.0
        return found

    def _offsets(self, x: F8, slots: Slots) -> tuple[F8, F8]:
        """Return what segments add to the log odds: by clock and slot, and by row."""
        moment, own = np.zeros(slots.hour.shape), np.zeros(len(x))
        for name in self._calibrator.segments:
            if name in _MOMENT:
                of = slots.hour if name == "hour" else slots.weekday
                told = np.full((24, x.shape[1]), np.nan)
                told[:, self._encoding.features.index(name)] = np.arange(24)
                moment += self._calibrator.offsets(name, self._encoding.words(name, told))[of]
            else:
                own += self._calibrator.offsets(name, self._encoding.words(name, x))
        return moment, own


class _Serving:
    def __init__(self, served: Champions, as_of_us: int, zone: str, threads: int) -> None:
        self._served, self._as_of_us, self._threads = served, as_of_us, threads
        self._starts = week_of(as_of_us, zone)
        tomorrow = to_datetime(as_of_us, zone).date() + timedelta(days=1)
        self._midday_us = midnight_us(tomorrow, zone) + 12 * HOUR
        self._hourly = {head: Hourly(served.models[head]) for head in heads.SLOTTED if head in served.models}

    def part(self, history: History, usual: Usual) -> Part:
        alone = everybody(history, self._as_of_us, numbers=0)
        told = features(history, alone, usual, threads=self._threads)
        owing = np.flatnonzero(told.column("debts_open") > 0.0)
        return Part(self._numbers(history, usual, owing), self._people(history, usual, owing, alone, told))

    def _numbers(self, history: History, usual: Usual, owing: I8) -> Numbers:
        models = self._served.models
        asked = everybody(history, self._as_of_us)
        asked = _some(asked, np.isin(asked.row, owing) & (asked.number >= 0))
        found = features(history, asked, usual, threads=self._threads)
        weeks: dict[str, U2] = {}
        if self._hourly:
            hours = own_hours(history, asked, usual, threads=self._threads)
            slots = slots_of(history.clocks, self._starts)
            for head, one in self._hourly.items():
                x = encoded(found, models[head].encoding)
                weeks[head] = one.chances(x, hours, history.clock[asked.row], slots, self._threads)
        return Numbers(
            found.person,
            found.phone,
            weeks.get("reach"),
            weeks.get("right_party"),
            self._said("valid", found),
            self._said("machine", found),
        )

    def _people(self, history: History, usual: Usual, owing: I8, alone: Asked, told: Features) -> People:
        served, threads = self._served, self._threads
        found = Features(told.person[owing], told.phone[owing], told.as_of_us[owing], told.at_us[owing],
                         told.values[owing])  # fmt: skip
        n = len(owing)

        def spread(head: str, asked: Asked) -> F8 | None:
            """Return what a head says of some of the people, each at the place of the person."""
            if head not in served.models:
                return None
            p = np.full(n, np.nan)
            if len(asked.row):
                p[np.searchsorted(owing, asked.row)] = self._said(
                    head, features(history, asked, usual, threads=threads)
                )
            return p

        first = everybody(history, self._as_of_us, numbers=1)
        first = _some(first, np.isin(first.row, owing) & (first.number >= 0))
        first = first._replace(at_us=np.full(len(first.row), self._midday_us, np.int64))
        uplift: dict[str, F8] = {}
        value: dict[str, F8] = {}
        if (worth := served.worth) is not None and n:
            x = np.column_stack([found.column(name) for name in worth.features])
            owed = heads.owed_minor(history, found, _some(alone, owing), usual)
            effects = worth.effects(x)
            values = worth.values(x, owed, {one.channel: 0.0 for one in worth.channels})
            for place, one in enumerate(worth.channels):
                uplift[one.channel], value[one.channel] = effects[:, place], values[:, place]
        debts = history.debts
        some = debts.first[owing] < debts.first[owing + 1]
        words: NDArray[Any] = np.array([*history.currencies, None], object)
        codes = np.append(debts.currency, 0)[np.where(some, debts.first[owing], len(debts.currency))]
        return People(
            person=found.person,
            p_promise=spread("promise", first),
            p_kept=spread("kept", heads.open_promises(history, self._as_of_us, owing)),
            p_pay=self._said("payment", found),
            p_self_cure=self._said("cure", found),
            uplift=uplift,
            value_minor=value,
            currency=np.where(some, words[codes], np.array(None, object)),
        )

    def _said(self, head: str, found: Features) -> F8 | None:
        model = self._served.models.get(head)
        if model is None:
            return None
        return model.predict(encoded(found, model.encoding)) if len(found.values) else np.empty(0)


def _some(asked: Asked, rows: Any) -> Asked:
    return Asked(*(column[rows] for column in asked))
