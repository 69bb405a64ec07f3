"""The journal's hash chain: SHA-256 over the previous row's hash and every field of the row, per stream."""

import hashlib
from collections.abc import Iterator

import msgspec
from sqlalchemy import Connection, select

from domain.errors import Broken
from domain.events import LeadsLoaded
from domain.records import decode
from ledger.database import streamed
from ledger.plans import check_chunk
from ledger.schema import journal, stream

#: What the first row of a stream chains to.
START = bytes(32)


def link(previous: bytes, floor: str, seq: int, at_us: int, campaign: str | None, kind: str, payload: str) -> bytes:
    """Return a row's hash. Fields end in NUL, which none of them can hold; an absent campaign differs from any name."""
    named = "" if campaign is None else "=" + campaign
    row = f"{floor}\0{seq}\0{at_us}\0{named}\0{kind}\0{payload}\0"
    return hashlib.sha256(previous + row.encode()).digest()


class Verified(msgspec.Struct, frozen=True, kw_only=True):
    """What a check of one stream found."""

    stream: str
    #: Rows that hold, from the first.
    rows: int
    #: Hash of the last row that holds: noted elsewhere, it proves later that nothing before it was touched.
    head: str
    #: The first row that does not hold, and why.
    broken_seq: int | None = None
    broken: str = ""


def verify(connection: Connection, floor: str) -> Verified:
    """Recompute a stream's chain up to the first row that does not hold."""
    rows, head = 0, START
    for seq, at_us, campaign, kind, payload, found in _raw(connection, floor):
        broken = ""
        if seq != rows + 1:
            broken = f"row {rows + 1} is missing"
        elif link(head, floor, seq, at_us, campaign, kind, payload) != found:
            broken = "the row, or its hash, is not what was written"
        elif kind == LeadsLoaded.__name__:
            broken = _broken_chunk(connection, payload)
        if broken:
            return Verified(stream=floor, rows=rows, head=head.hex(), broken_seq=rows + 1, broken=broken)
        rows, head = seq, found
    last = connection.execute(select(stream.c.seq, stream.c.hash).where(stream.c.stream == floor)).one_or_none()
    if last is None or (last.seq, last.hash) != (rows, head):
        broken = f"the stream was {0 if last is None else last.seq} rows long; its end is missing or was written over"
        return Verified(stream=floor, rows=rows, head=head.hex(), broken_seq=rows + 1, broken=broken)
    return Verified(stream=floor, rows=rows, head=head.hex())


def _raw(connection: Connection, floor: str) -> Iterator[tuple[int, int, str | None, str, str, bytes]]:
    query = (
        select(journal.c.seq, journal.c.at_us, journal.c.campaign, journal.c.kind, journal.c.payload, journal.c.hash)
        .where(journal.c.stream == floor)
        .order_by(journal.c.seq)
    )
    for row in streamed(connection, query):
        yield row.seq, row.at_us, row.campaign, row.kind, row.payload, row.hash


def _broken_chunk(connection: Connection, payload: str) -> str:
    record = decode(payload.encode())
    assert isinstance(record, LeadsLoaded)
    try:
        check_chunk(connection, record.plan, record.chunk, record.sha256)
    except Broken as error:
        return str(error)
    return ""
