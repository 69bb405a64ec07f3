"""A table as the learners see it: a matrix of features in order of time, the target, who belongs together.

What decides how a cell becomes a number (columns, categories' codes, values that mean "not known") is an `Encoding`:
learned once from the table that trains, kept with the model, and used by every score after.
"""

from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from domain.errors import BadInput
from domain.instants import DAY
from models.schema import Cell, Schema, missing_column

F8 = NDArray[np.float64]
I8 = NDArray[np.int64]
Words = NDArray[np.str_]

NOT_KNOWN = "not known"
#: A number with no more values than this names a segment by each.
_FEW = 24

#: A category seen more often than this is a name that tells rows apart, not a kind.
MOST_CATEGORIES = 2000


class Encoding(msgspec.Struct, frozen=True, kw_only=True):
    """How cells become numbers."""

    features: tuple[str, ...]
    #: The words of each category, in the order of their codes; any other word is not known.
    categories: dict[str, tuple[str, ...]]
    missing: dict[str, tuple[Cell, ...]]
    monotone: dict[str, int]
    #: Of numbers that name segments: the values themselves where they are few, else the quartiles.
    cuts: dict[str, tuple[float, ...]] = {}
    few: tuple[str, ...] = ()

    @property
    def hash(self) -> str:
        """SHA-256 of all of it: models of one hash read the same columns alike."""
        return sha256(msgspec.json.encode(self, order="deterministic")).hexdigest()

    def matrix(self, source: pa.Table, where: str, first_row: int = 0) -> F8:
        """Return the features of a table's rows.

        Parameters
        ----------
        first_row
            Where the table begins in what `where` names; complaints count rows from there.

        Returns
        -------
        (n, d) float64
            A category is its code; what is not known is NaN.

        Raises
        ------
        BadInput
            Naming a column that is not there, or holds what it cannot.
        """
        found = np.empty((source.num_rows, len(self.features)))
        for place, name in enumerate(self.features):
            if name not in source.column_names:
                raise missing_column(name, "a feature", source.column_names, where)
            column = _known(source.column(name), self.missing.get(name, ()))
            if name in self.categories:
                words = pa.array(self.categories[name], pa.string())
                codes = pc.index_in(words_of(column, name, where), value_set=words, skip_nulls=True)
                found[:, place] = _floats(codes)
            else:
                found[:, place] = _numbers(column, name, where, first_row)
        return found

    def words(self, name: str, x: F8) -> Words:
        """Return what a segment's column holds as words: (n,) of the rows of a matrix."""
        values = x[:, self.features.index(name)]
        unknown = np.isnan(values)
        if name in self.categories:
            names, place = [*self.categories[name]], np.where(unknown, 0, values).astype(np.int64)
        else:
            cuts = self.cuts[name]
            place = np.searchsorted(np.array(cuts), values)
            if name in self.few:
                names, place = [f"{cut:g}" for cut in cuts], np.minimum(place, len(cuts) - 1)
            else:
                names = [f"up to {cut:g}" for cut in cuts] + [f"above {cuts[-1]:g}"]
        found: Words = np.array([*names, NOT_KNOWN], dtype=str)[np.where(unknown, len(names), place)]
        return found


class Table(msgspec.Struct, frozen=True, kw_only=True):
    """Rows in the order of time."""

    schema: Schema
    encoding: Encoding
    #: (n, d) float64.
    x: F8
    #: (n,) 0 or 1; empty where the table has no target (it is to be scored).
    y: F8
    #: (n,) never falling; microseconds for dates and instants, else the column's numbers, else the rows' numbers.
    time: F8
    #: In the units of `time`.
    horizon: float
    #: (n,) codes 0…; rows of one debtor share one.
    group: I8
    #: (n,) how much a row counts.
    weight: F8
    #: Words of the protected columns, apart from the features; "" is not known.
    protected: dict[str, Words]
    #: (n,) where each row stood in the source.
    source_row: I8
    #: What it is called in complaints.
    where: str
    #: Dates and instants rather than numbers.
    is_dated: bool = False

    def __len__(self) -> int:
        return len(self.x)

    @property
    def hash(self) -> str:
        """SHA-256 of the rows: equal tables give equal models."""
        found = sha256()
        for array in (self.x, self.y, self.time, self.group, self.weight):
            found.update(np.ascontiguousarray(array).data)
        return found.hexdigest()

    def column(self, name: str) -> F8:
        return self.x[:, self.encoding.features.index(name)]

    def words(self, name: str) -> Words:
        """Return a segment's values as words."""
        return self.encoding.words(name, self.x)


def read_source(path: Path, delimiter: str = "") -> pa.Table:
    """Return the rows of a CSV or Parquet file, or of a folder of Parquet files.

    Raises
    ------
    BadInput
        When it cannot be read.
    """
    try:
        if path.is_dir() or path.suffix in (".parquet", ".pq"):
            import pyarrow.dataset as ds

            found = ds.dataset(path, format="parquet", partitioning="hive").to_table()
        else:
            from pyarrow import csv

            with path.open("rb") as file:
                head = file.readline()
            separator = delimiter or max(",;\t|", key=head.decode("utf-8", "replace").count)
            found = csv.read_csv(
                path,
                parse_options=csv.ParseOptions(delimiter=separator),
                convert_options=csv.ConvertOptions(strings_can_be_null=True),
            )
        names = found.column_names
    except UnicodeDecodeError:
        raise BadInput(f"{path}: the names of its columns are not UTF-8; save it as UTF-8") from None
    except OSError as error:
        reason = error.strerror or str(error).splitlines()[0]
        raise BadInput(f"{path}: cannot be read ({reason}); name a CSV or Parquet file") from None
    except pa.ArrowInvalid as error:
        raise BadInput(
            f"{path}: cannot be read ({str(error).splitlines()[0]}); save it as CSV with a header, or as Parquet"
        ) from None
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise BadInput(f"{path}: column {twice} is there {names.count(twice)} times; give each a name of its own")
    return found


def make_table(
    source: "pa.Table | Mapping[str, Any]",
    schema: Schema,
    *,
    where: str = "table",
    encoding: Encoding | None = None,
    labelled: bool = True,
) -> Table:
    """Return a table as learners see it.

    Parameters
    ----------
    source : arrow table, or arrays of one length by column
    encoding
        Of the model that is to score it; without one, learned from the rows.
    labelled
        The target must be there; otherwise it is read where it is.

    Raises
    ------
    BadInput
        Naming the column that is missing or holds what it cannot.
    """
    if not isinstance(source, pa.Table):
        source = pa.table(dict(source))
    if source.num_rows == 0:
        raise BadInput(f"{where}: has no rows; name a table with rows")
    _check_columns(source, schema, where, labelled=labelled, serving=encoding is not None)
    time, dated = _time(source, schema, where)
    learned = encoding or _encoding(source, schema, where)
    has_target = schema.target in source.column_names and (
        labelled or source.column(schema.target).null_count < source.num_rows
    )
    x = learned.matrix(source, where)
    y = _target(source.column(schema.target), schema, where, learning=labelled) if has_target else np.empty(0)
    group, weight = _groups(source, schema), _weights(source, schema, where)
    protected = {
        name: np.array(pc.fill_null(words_of(source.column(name), name, where), "").to_pylist(), dtype=str)
        for name in schema.protected
        if name in source.column_names
    }
    # Complaints name rows as they stand in the source, so order comes last.
    order = np.argsort(time, kind="stable")
    if (order[1:] < order[:-1]).any():
        x, time, group, weight = x[order], time[order], group[order], weight[order]
        y = y[order] if has_target else y
        # Codes by first appearance in time, however the source was stored.
        _, first, group = np.unique(group, return_index=True, return_inverse=True)
        group = np.argsort(np.argsort(first))[group]
        protected = {name: words[order] for name, words in protected.items()}
    return Table(
        schema=schema,
        encoding=learned,
        x=x,
        y=y,
        time=time,
        horizon=schema.horizon * (DAY if dated else 1.0),
        group=group,
        weight=weight,
        protected=protected,
        source_row=order.astype(np.int64),
        where=where,
        is_dated=dated,
    )


class Given(NamedTuple):
    """Rows to be looked at: a file, or a table that somebody has made."""

    path: Path | None = None
    table: Any = None
    #: What the table is called in complaints.
    where: str = ""
    #: Of rows of the ledger: the calls that they are about (`models.best_times.Moments`), where they are about calls.
    moments: Any = None


def opened(given: Given, schema: Schema) -> tuple[pa.Table, str]:
    """Return the rows given, and what they are called in complaints."""
    if given.path is None:
        return given.table, given.where
    return read_source(given.path, schema.delimiter), str(given.path)


def read_table(path: Path, schema: Schema) -> Table:
    """Return a file's rows as learners see them."""
    return make_table(read_source(path, schema.delimiter), schema, where=str(path))


def _check_columns(source: pa.Table, schema: Schema, where: str, *, labelled: bool, serving: bool) -> None:
    roles = [("time", schema.time), ("group", schema.group)]
    roles += [("the target", schema.target)] if labelled else []
    if not serving:
        roles += [("weight", schema.weight)]
        for role in ("categories", "barred", "protected", "segments", "monotone", "missing", "trusted"):
            roles += [(role, name) for name in getattr(schema, role)]
    for role, name in roles:
        if name and name not in source.column_names:
            raise missing_column(name, role, source.column_names, where)


def _encoding(source: pa.Table, schema: Schema, where: str) -> Encoding:
    """Learn which columns are features, and the codes of categories: the words in alphabetical order."""
    none = {schema.target, schema.time, schema.group, schema.weight, *schema.barred, *schema.protected}
    features = [name for name in source.column_names if name not in none]
    if not features:
        raise BadInput(f"{where}: no column is left to be a feature; leave some out of barred")
    categories, cuts, few = {}, {}, []
    for name in features:
        column = _known(source.column(name), schema.missing.get(name, ()))
        if name in schema.categories:
            words = sorted(word for word in pc.unique(words_of(column, name, where)).to_pylist() if word is not None)
            if len(words) > MOST_CATEGORIES:
                raise BadInput(
                    f"{where}: column {name} has {len(words):,} different values, as a name of rows has and not a "
                    "category; bar it, or group its values"
                )
            categories[name] = tuple(words)
            continue
        values = _numbers(column, name, where)
        if name in schema.segments:
            seen = np.unique(values[~np.isnan(values)])
            if len(seen) <= _FEW:
                few.append(name)
            else:
                seen = np.unique(np.quantile(values[~np.isnan(values)], (0.25, 0.5, 0.75)))
            cuts[name] = tuple(seen.tolist()) or (0.0,)
    return Encoding(
        features=tuple(features),
        categories=categories,
        missing={name: values for name, values in schema.missing.items() if name in features},
        monotone=dict(schema.monotone),
        cuts=cuts,
        few=tuple(few),
    )


def _known(column: pa.ChunkedArray, missing: Sequence[Cell]) -> pa.ChunkedArray:
    """Return a column with null for every value that means "not known"."""
    for value in missing:
        try:
            meant = pa.scalar(value).cast(column.type)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            continue
        column = pc.if_else(pc.equal(column, meant), pa.scalar(None, column.type), column)
    return column


def words_of(column: pa.ChunkedArray, name: str, where: str) -> pa.ChunkedArray:
    """Return a column as words.

    Raises
    ------
    BadInput
        When it holds what has none, or text that is not UTF-8.
    """
    try:
        if pa.types.is_dictionary(column.type):
            column = column.cast(column.type.value_type)
        return column.cast(pa.string())
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        raise _neither(column.type, name, where) from None


def _neither(kind: pa.DataType, name: str, where: str) -> BadInput:
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        return BadInput(f"{where}: column {name} holds text that is not UTF-8; save the table as UTF-8, or bar it")
    return BadInput(f"{where}: column {name} holds {kind}, which is no number and no word; bar it")


def _numbers(column: pa.ChunkedArray, name: str, where: str, first_row: int = 0) -> F8:
    kind = column.type
    if pa.types.is_temporal(kind):
        raise BadInput(
            f"{where}: column {name} holds {kind}, which is no number; turn it into one (days since …), or bar it"
        )
    if pa.types.is_dictionary(kind) or pa.types.is_string(kind) or pa.types.is_large_string(kind):
        words = pc.utf8_trim_whitespace(words_of(column, name, where))
        try:
            found = _floats(words)
            wrong = np.isinf(found) | (np.isnan(found) & np.asarray(words.is_valid()))
        except pa.ArrowInvalid:
            wrong = np.array([not _is_number(word) for word in words])
        if wrong.any():
            row = int(wrong.argmax())
            word = column[row].as_py()
            raise BadInput(
                f"{where}: column {name} is not all numbers: row {first_row + row + 1} holds {word!r}; name it in "
                f"categories, bar it, or say under [missing] that it means nothing: {name} = [{word!r}]"
            )
        return found
    if pa.types.is_null(kind):
        return np.full(len(column), np.nan)
    if (
        pa.types.is_integer(kind)
        or pa.types.is_floating(kind)
        or pa.types.is_boolean(kind)
        or pa.types.is_decimal(kind)
    ):
        found = _floats(column)
        if (infinite := np.isinf(found)).any():
            raise BadInput(
                f"{where}: column {name} is infinite in row {first_row + int(infinite.argmax()) + 1}; correct it, or "
                "leave it empty"
            )
        return found
    raise _neither(kind, name, where)


def _is_number(word: pa.Scalar) -> bool:
    """Tell whether Arrow reads a word as a number; null is none that is wrong."""
    try:
        number = word.cast(pa.float64()).as_py()
    except pa.ArrowInvalid:
        return False
    return number is None or bool(np.isfinite(number))


def _floats(column: pa.ChunkedArray) -> F8:
    # Whole numbers beyond 2**53 are rounded: ids and nanoseconds are no reason to stop.
    found: F8 = column.cast(pa.float64(), safe=False).to_numpy()
    return found.astype(np.float64)


def _time(source: pa.Table, schema: Schema, where: str) -> tuple[F8, bool]:
    if not schema.time:
        return np.arange(source.num_rows, dtype=np.float64), False
    column = source.column(schema.time)
    empty = pc.is_null(column, nan_is_null=True)
    if count := pc.sum(empty).as_py():
        row = pc.index(empty, True).as_py() + 1
        raise BadInput(
            f"{where}: time {schema.time} is empty in {count:,} rows, first in row {row}; a row without a "
            "time cannot be put in order: fill it in, or leave those rows out"
        )
    if pa.types.is_date(column.type) or pa.types.is_timestamp(column.type):
        kind = pa.timestamp("us", getattr(column.type, "tz", None))
        return _floats(column.cast(kind, safe=False).cast(pa.int64())), True
    if pa.types.is_integer(column.type) or pa.types.is_floating(column.type):
        return _floats(column), False
    found = next((word for word in column.to_pylist() if word is not None), None)
    raise BadInput(
        f"{where}: time {schema.time} holds {column.type} ({found!r}), which has no order of time; write dates as "
        "2026-11-29, instants as 2026-11-29 14:05:00, or numbers"
    )


def _target(column: pa.ChunkedArray, schema: Schema, where: str, *, learning: bool) -> F8:
    name = schema.target
    if column.null_count:
        row = pc.index(pc.is_null(column), True).as_py() + 1
        raise BadInput(
            f"{where}: target {name} is empty in {column.null_count:,} rows, first in row {row}; leave those rows out"
        )
    words = words_of(column, name, where)
    seen = pc.unique(words).to_pylist()
    if schema.positive is not None:
        yes = str(schema.positive).lower() if isinstance(schema.positive, bool) else str(schema.positive)
        if yes not in seen and learning:
            raise BadInput(
                f"{where}: target {name} is never {yes!r}, which the schema names as positive; it is one of "
                f"{', '.join(map(repr, seen[:8]))}: correct positive"
            )
        found = _floats(pc.equal(words, yes))
    elif pa.types.is_boolean(column.type) or (set(seen) <= {"0", "1", "0.0", "1.0"} and not _is_text(column)):
        found = _floats(column)
    else:
        raise BadInput(
            f"{where}: target {name} is one of {', '.join(map(repr, seen[:8]))}; say which counts as yes: "
            f"positive = {seen[0]!r}"
        )
    if learning and found.min() == found.max():
        raise BadInput(
            f"{where}: target {name} is {seen[0]!r} in every row: with one class there is nothing to learn; name a "
            "table with both"
        )
    return found


def _is_text(column: pa.ChunkedArray) -> bool:
    return bool(pa.types.is_string(column.type) or pa.types.is_large_string(column.type))


def _groups(source: pa.Table, schema: Schema) -> I8:
    if not schema.group:
        return np.arange(source.num_rows)
    coded = pc.dictionary_encode(source.column(schema.group), null_encoding="encode").combine_chunks()
    indices = coded.indices if isinstance(coded, pa.DictionaryArray) else coded.chunk(0).indices
    codes: I8 = indices.to_numpy(zero_copy_only=False).astype(np.int64)
    return codes


def _weights(source: pa.Table, schema: Schema, where: str) -> F8:
    if not schema.weight or schema.weight not in source.column_names:
        return np.ones(source.num_rows)
    found = _numbers(source.column(schema.weight), schema.weight, where)
    if not (found >= 0.0).all() or not found.sum() > 0.0:
        row = int((~(found >= 0.0)).argmax()) + 1
        raise BadInput(
            f"{where}: weight {schema.weight} must be 0 or more everywhere, was not in row {row}; correct it"
        )
    return found
