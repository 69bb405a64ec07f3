"""Reading on several processors: pieces go out, lines come back in the same order, never more than a few at a time.

Small files are read in this process. The processes are started afresh (spawn), so what they call travels by name:
`describe` and `address_zones` have to be functions of a module.
"""

import gc
import multiprocessing
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from typing import Any, Protocol, TypeVar

import msgspec

from ledger.intake.cells import Form
from ledger.intake.columns import Columns
from ledger.intake.files import Piece, Table
from ledger.intake.rows import AddressZones, Lines, RowReader
from ledger.reservations import batches

#: Smaller files are read before two processes have started.
_ONE_PROCESS_BYTES = 8_000_000
_PROCESSES = 2
#: Pieces on their way; bounds the memory.
_IN_FLIGHT = 6
#: Numbers described at a time.
_NUMBERS = 2000

Sent = TypeVar("Sent")
Back = TypeVar("Back")


class NumberFacts(Protocol):
    """What law and pacing need to know of a number."""

    @property
    def country(self) -> str: ...
    @property
    def line_type(self) -> str: ...
    @property
    def geographic(self) -> bool: ...
    @property
    def zones(self) -> tuple[str, ...]: ...


#: E.164 → facts.
Describe = Callable[[str], NumberFacts]
#: (e164, country, line type, geographic, zones comma separated)
Described = tuple[str, str, str, bool, str]


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """All that makes a reader; everything in it can travel."""

    kind: str
    table: Table
    columns: Columns
    form: Form
    at_us: int
    describe: Describe
    address_zones: AddressZones

    def reader(self) -> RowReader:
        return RowReader(self.kind, self.table, self.columns, self.form, self.at_us, self.address_zones)


class Workers:
    """The processes of one import; used as a context."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._pool: Executor | None = None
        self._reader: RowReader | None = None

    def __enter__(self) -> "Workers":
        source = self._source
        if source.table.size_bytes > _ONE_PROCESS_BYTES:
            self._pool = ProcessPoolExecutor(
                _PROCESSES,
                mp_context=multiprocessing.get_context("spawn"),
                initializer=_start,
                initargs=(source,),
            )
        else:
            self._reader = source.reader()
        return self

    def __exit__(self, *_: object) -> None:
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)

    def read(self) -> Iterator[tuple[int, Lines]]:
        """Yield (bytes read so far, lines) of every piece of the file, in order."""
        pieces = self._source.table.pieces()
        if self._pool is None:
            assert self._reader is not None
            for piece in pieces:
                yield piece.read_bytes, self._reader.read(piece)
            return
        for read_bytes, encoded in _in_order(self._pool, _read, pieces):
            yield read_bytes, Lines(**_lines.decode(encoded))

    def describe(self, numbers: Iterable[str]) -> Iterator[list[Described]]:
        """Yield what is to be known of numbers, in order, some thousand at a time."""
        listed = batches(numbers, _NUMBERS)
        if self._pool is None:
            for batch in listed:
                yield _facts(self._source.describe, batch)
            return
        yield from _in_order(self._pool, _describe, listed)


#: `Lines` with plain tuples: named ones take longer to make than to read.
_lines: msgspec.msgpack.Decoder[Any] = msgspec.msgpack.Decoder(dict[str, int | list[tuple[Any, ...]]])
#: In a worker: what it calls.
_mine: dict[str, Any] = {}


def _start(source: Source) -> None:
    # What is made here holds no cycles: the collector need not look so often.
    gc.set_threshold(50_000)
    _mine["reader"] = source.reader()
    _mine["describe"] = source.describe


def _read(piece: Piece) -> tuple[int, bytes]:
    reader: RowReader = _mine["reader"]
    return piece.read_bytes, msgspec.msgpack.encode(reader.read(piece))


def _describe(numbers: Sequence[str]) -> list[Described]:
    return _facts(_mine["describe"], numbers)


def _facts(describe: Describe, numbers: Sequence[str]) -> list[Described]:
    found = []
    for number in numbers:
        facts = describe(number)
        found.append((number, facts.country, facts.line_type, facts.geographic, ",".join(facts.zones)))
    return found


def _in_order(pool: Executor, work: Callable[[Sent], Back], items: Iterable[Sent]) -> Iterator[Back]:
    waiting: deque[Future[Back]] = deque()
    for item in items:
        waiting.append(pool.submit(work, item))
        if len(waiting) >= _IN_FLIGHT:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()
