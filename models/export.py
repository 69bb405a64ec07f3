"""An export of the ledger as Arrow tables and arrays: what is read, from where, and that it is what it should be."""

from collections.abc import Mapping
from importlib import import_module
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from domain.errors import BadInput

I8 = NDArray[np.int64]
Any1 = NDArray[Any]

COLUMNS: Final = {
    "history": (
        "event_at", "known_at", "person", "debts", "phone", "campaign", "channel", "inbound", "event", "detail",
        "amount_minor", "due_on",
    ),
    "debtors": ("person", "zones"),
    "numbers": ("person", "phone", "rank", "line_type", "zones"),
    "debts": ("debt", "person", "currency", "due_on"),
}  # fmt: skip
#: Besides the history: who talked, and what was written.
CALLS: Final = {
    "attempts": ("call_id", "person", "reserved_at", "held_agent", "agent"),
    "outcomes": ("call_id", "at", "disposition", "event"),
}
_SUBJECTS: Final = COLUMNS | CALLS
#: Days that no promise and no debt has.
NO_DAY: Final = np.iinfo(np.int32).min


class NotThereError(BadInput):
    """An export lacks a subject."""


def dataset(source: str, name: str) -> Any:
    """Return an Arrow dataset of one subject: a file, or a folder of parts.

    Raises
    ------
    NotThereError
        When there is none.
    BadInput
        When it is no Parquet.
    """
    ds = arrow().dataset
    form = ds.ParquetFileFormat(dictionary_columns={"event", "detail", "channel"})
    base, where = source.rstrip("/"), None
    if "://" in base:
        where, base = _filesystem(base)
    for path in (f"{base}/{name}.parquet", f"{base}/{name}"):
        try:
            return ds.dataset(path, filesystem=where, format=form, partitioning="hive")
        except FileNotFoundError:
            continue
        except (OSError, ValueError) as error:
            raise BadInput(
                f"{path}: cannot be read as Parquet: {error}; write it anew with `cadencia export --parquet`"
            ) from error
    raise NotThereError(
        f"{source}: there is no {name}.parquet and no folder {name}; write them with `cadencia export --parquet`"
    )


def _filesystem(url: str) -> tuple[Any, str]:
    """Return who opens a URL, and the path there."""
    fs = arrow().fs
    try:
        found, path = fs.FileSystem.from_uri(url)
        return found, str(path)
    except arrow().ArrowInvalid:
        try:
            core: Any = import_module("fsspec.core")
        except ImportError:
            raise BadInput(f"{url}: Arrow does not know this kind of address; install fsspec for it") from None
        try:
            opened, path = core.url_to_fs(url)
        except ValueError as error:
            raise BadInput(f"{url}: no such kind of address is known: {error}; correct it") from None
        return fs.PyFileSystem(fs.FSSpecHandler(opened)), str(path)


def check(schema: Any, name: str, where: str) -> None:
    """Refuse what lacks a column of a subject, or has it in another type.

    Raises
    ------
    BadInput
        With the column named.
    """
    missing = [column for column in _SUBJECTS[name] if column not in schema.names]
    if missing:
        raise BadInput(
            f"{where}: column {missing[0]} is missing; found {', '.join(schema.names)}; export the ledger anew"
        )
    kinds = arrow().types
    for column in _SUBJECTS[name]:
        found = schema.field(column).type
        told, right = _TYPES[column]
        value = found.value_type if kinds.is_dictionary(found) else found
        if not any(getattr(kinds, one)(value) for one in right):
            raise BadInput(f"{where}: column {column} must be {told}, was {found}; export the ledger anew")


def before(schema: Any, until_us: int) -> Any:
    """Return the filter of lines known before an instant."""
    pa = arrow()
    kind = schema.field("known_at").type
    at = pa.scalar(until_us, pa.timestamp("us", tz=kind.tz))
    return pa.compute.field("known_at") < at


_INT = ("whole numbers", ("is_integer",))
_WORD = ("text", ("is_string", "is_large_string", "is_null"))
_INSTANT = ("instants", ("is_timestamp",))
_DAY_TYPE = ("days", ("is_date", "is_null"))
_LIST = ("lists", ("is_list", "is_large_list"))
_TYPES: Final[Mapping[str, tuple[str, tuple[str, ...]]]] = {
    "event_at": _INSTANT, "known_at": _INSTANT, "person": _INT, "debts": _LIST, "phone": ("numbers", ("is_integer",
    "is_null")), "campaign": _WORD, "channel": _WORD, "inbound": ("true or false", ("is_boolean",)), "event": _WORD,
    "detail": _WORD, "amount_minor": ("whole numbers", ("is_integer", "is_null")), "due_on": _DAY_TYPE, "zones": _LIST,
    "rank": _INT, "line_type": _WORD, "debt": _INT, "currency": _WORD, "call_id": _WORD, "agent": _WORD,
    "held_agent": _WORD, "disposition": _WORD, "reserved_at": _INSTANT, "at": _INSTANT,
}  # fmt: skip


# ---- columns


def arrow() -> Any:
    """Return Arrow, loaded late: it takes a quarter of a second, and is not typed."""
    import pyarrow
    import pyarrow.compute
    import pyarrow.dataset
    import pyarrow.fs

    return pyarrow


def _column(of: Any, name: str) -> Any:
    column = of.column(name)
    return column.combine_chunks() if hasattr(column, "combine_chunks") else column


def ints(of: Any, name: str) -> I8:
    """Return whole numbers; null: -1."""
    pa = arrow()
    column = _column(of, name).cast(pa.int64())
    return np.asarray(column.fill_null(-1) if column.null_count else column)


def instants(of: Any, name: str) -> I8:
    """Return instants in µs UTC.

    Raises
    ------
    BadInput
        When one is empty.
    """
    pa = arrow()
    column = _column(of, name)
    if column.null_count:
        raise BadInput(f"history: {name} is empty in a line; every fact has both its times; export the ledger anew")
    return np.asarray(column.cast(pa.timestamp("us", tz=column.type.tz)).cast(pa.int64()))


def days(of: Any, name: str) -> NDArray[np.int32]:
    """Return days since 1970-01-01; null: NO_DAY."""
    pa = arrow()
    column = _column(of, name).cast(pa.date32()).cast(pa.int32())
    return np.asarray(column.fill_null(NO_DAY) if column.null_count else column)


def amounts(of: Any) -> NDArray[np.float64]:
    """Return money in minor units; null: NaN."""
    pa = arrow()
    return np.asarray(_column(of, "amount_minor").cast(pa.float64()).fill_null(float("nan")))


def coded(of: Any, name: str) -> tuple[list[str], I8]:
    """Return the words of a column and each row's place among them; -1: null."""
    pa = arrow()
    column = _column(of, name)
    if not pa.types.is_dictionary(column.type):
        column = column.cast(pa.string()).dictionary_encode()
    return column.dictionary.to_pylist(), np.asarray(column.indices.cast(pa.int64()).fill_null(-1))


def first_word(of: Any, name: str) -> Any1:
    """Return the first of each list of words; None: it is empty."""
    words = [one[0] if one else None for one in _column(of, name).to_pylist()]
    return np.array(words, object) if words else np.empty(0, object)


def first_debt(batch: Any) -> I8:
    """Return the first debt that each line names; -1: none."""
    column = batch.column("debts")
    offsets = np.asarray(column.offsets).astype(np.int64)
    values = np.asarray(column.values.cast("int64"))
    some = offsets[:-1] < offsets[1:]
    found = np.full(len(offsets) - 1, -1, np.int64)
    found[some] = values[offsets[:-1][some]]
    return found
