"""The append-only journal: rows in with everything that follows from them, and out again as records.

Rule 1: a batch is one transaction: rows, chain, projections and the answers to its reservations, or nothing.
Rule 2: a batch sent again is recognised row by row and answered as before; it changes nothing.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, insert, select

from domain.errors import Broken
from domain.events import LeadsLoaded, Reserved, Stale
from domain.facts import AttemptClosed
from domain.orders import Reserve
from domain.people import CapKey, Dossier
from domain.records import Row, decode, encode
from ledger.chain import START, link
from ledger.database import streamed
from ledger.people import dossiers
from ledger.plans import read_chunk
from ledger.projections import Grants, Known, Projection, attempt_row, dialled_row, known_attempts
from ledger.reservations import announce, batches, bump, compare, overwrite, versions
from ledger.schema import attempt, history, journal, stream

_keys = msgspec.json.Decoder(tuple[CapKey, ...])


def write(connection: Connection, rows: Sequence[Row]) -> Grants:
    """Write rows of one stream and all that follows from them.

    Raises
    ------
    Broken
        When they do not continue the stream, or contradict what it holds.
    """
    floor = rows[0].stream
    head = connection.execute(select(stream).where(stream.c.stream == floor).with_for_update()).one_or_none()
    seq, previous = (0, START) if head is None else (head.seq, head.hash)
    again = [row for row in rows if row.seq <= seq]
    fresh = rows[len(again) :]
    grants = _recognise(connection, again) if again else {}
    if not fresh:
        return grants
    known = known_attempts(connection, fresh)
    standing = versions(connection, _keys_of(fresh, known), lock=True)
    projection = Projection(floor, known, standing)
    written: list[dict[str, Any]] = []
    for row in fresh:
        if row.seq != seq + 1 or row.stream != floor:
            raise Broken(
                f"stream {floor}: row {row.stream}-{row.seq} does not follow {floor}-{seq}; "
                "rows are missing, or another process writes this stream"
            )
        seq = row.seq
        kind, payload = row.kind, encode(row.record).decode()
        previous = link(previous, floor, seq, row.at_us, row.campaign, kind, payload)
        written.append(
            {
                "stream": floor,
                "seq": seq,
                "at_us": row.at_us,
                "campaign": row.campaign,
                "kind": kind,
                "payload": payload,
                "hash": previous,
            }
        )
        projection.take(row)
    connection.execute(insert(journal), written)
    overwrite(connection, stream, [{"stream": floor, "seq": seq, "at_us": fresh[-1].at_us, "hash": previous}])
    projection.write(connection)
    return grants | projection.grants


def _keys_of(rows: Sequence[Row], known: dict[str, Known]) -> set[str]:
    keys: set[str] = set()
    for row in rows:
        record = row.record
        if type(record) is Reserve:
            keys.update(cap.key for cap in record.keys)
        elif type(record) is AttemptClosed and record.call_id in known:
            keys.update(known[record.call_id].keys)
    return keys


def _recognise(connection: Connection, rows: Sequence[Row]) -> Grants:
    """Return how the reservations of rows already on record were answered; `Broken` if others stand in their place."""
    found = {}
    for batch in batches(rows):
        query = select(journal.c.seq, journal.c.at_us, journal.c.campaign, journal.c.payload).where(
            journal.c.stream == batch[0].stream, journal.c.seq.between(batch[0].seq, batch[-1].seq)
        )
        found.update({seq: rest for seq, *rest in connection.execute(query)})
    for row in rows:
        if found.get(row.seq) != [row.at_us, row.campaign, encode(row.record).decode()]:
            raise Broken(
                f"stream {row.stream}: row {row.seq} is on record with other content; "
                "another process writes this stream, or this one was not folded to its end"
            )
    wanted = [row.record.call_id for row in rows if type(row.record) is Reserve]
    granted: Grants = dict.fromkeys(wanted)
    for some in batches(wanted):
        query = select(attempt.c.call_id, attempt.c.cap_keys).where(attempt.c.call_id.in_(some))
        granted.update({row.call_id: _keys.decode(row.cap_keys) for row in connection.execute(query)})
    return granted


def answers(connection: Connection, rows: Sequence[Row], grants: Grants) -> tuple[Reserved | Stale, ...]:
    """Return the answers to the reservations among rows, in order, each at its row's instant."""
    asked = [(row.at_us, row.record) for row in rows if type(row.record) is Reserve]
    return answered(connection, asked, grants)


def answered(
    connection: Connection, asked: Sequence[tuple[int, Reserve]], grants: Grants
) -> tuple[Reserved | Stale, ...]:
    """Return the answer to each order; a `Stale` one with the dossier as this transaction leaves it."""
    refused = [order.person for _, order in asked if grants[order.call_id] is None]
    fresh: dict[int, Dossier] = {}
    if refused:
        fresh = {one.person: one for one in dossiers(connection, refused, asked[-1][0])}
    found: list[Reserved | Stale] = []
    for at_us, order in asked:
        keys = grants[order.call_id]
        if keys is not None:
            found.append(Reserved(at_us=at_us, call_id=order.call_id, keys=keys))
        elif order.person in fresh:
            found.append(Stale(at_us=at_us, call_id=order.call_id, dossier=fresh[order.person]))
        else:
            raise Broken(f"call {order.call_id}: person {order.person} is not in the ledger and cannot be reserved")
    return tuple(found)


def reserve(connection: Connection, orders: Sequence[Reserve], at_us: int) -> tuple[Reserved | Stale, ...]:
    """Carry out reservations that no floor's engine makes; every floor hears of them."""
    standing = versions(connection, {cap.key for order in orders for cap in order.keys}, lock=True)
    grants: Grants = {}
    granted = []
    for order in orders:
        keys = grants[order.call_id] = compare(order.keys, standing)
        if keys is not None:
            granted.append((order, keys))
    if granted:
        bump(connection, (cap.key for _, keys in granted for cap in keys))
        connection.execute(insert(attempt), [attempt_row(order, keys, at_us, None) for order, keys in granted])
        connection.execute(insert(history), [dialled_row(order, at_us) for order, _ in granted])
        announce(connection, (order.person for order, _ in granted), at_us)
    return answered(connection, [(at_us, order) for order in orders], grants)


def read(connection: Connection, floor: str, after_seq: int) -> Iterator[Row]:
    """Yield a stream's rows in order, loaded lists put back from their plans.

    Raises
    ------
    Broken
        When a payload cannot be read, or a loaded list is not what it was.
    """
    query = (
        select(journal.c.seq, journal.c.at_us, journal.c.campaign, journal.c.payload)
        .where(journal.c.stream == floor, journal.c.seq > after_seq)
        .order_by(journal.c.seq)
    )
    for seq, at_us, campaign, payload in streamed(connection, query):
        record = decode(payload)
        if type(record) is LeadsLoaded:
            body = read_chunk(connection, record.plan, record.chunk, record.sha256)
            record = msgspec.structs.replace(record, leads=body.leads, people=body.people)
        yield Row(stream=floor, seq=seq, at_us=at_us, campaign=campaign, record=record)
