"""Under which terms a floor ran: when its engine lived, and each campaign's mode and limit with every change.

Only some rows of the journal tell of it; an index of their own finds them in years of calls (`ledger.schema.TERMS`).
"""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Connection, select, text

from domain.events import FloorOpened, LeadsLoaded, LimitSet, ModeSet
from domain.facts import PaceBound
from domain.pace import PaceRule, strictest
from domain.records import decode
from domain.settings import CampaignSettings
from ledger.reservations import batches
from ledger.schema import TERMS, journal
from ledger.schema import stream as streams

#: After every instant on record.
_END_US = 2**62


class Life(NamedTuple):
    """One run of a floor's engine, from its opening to the last row that it wrote, however it ended."""

    stream: str
    from_us: int
    #: The last row: an engine that was killed lives on in nothing but its record.
    to_us: int
    rehearsed: bool


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """What was in force for a campaign from an instant on."""

    at_us: int
    mode: str
    ratio: float
    #: The strictest of settings, operator and rules.
    abandon_limit: float
    #: Set by an operator while the floor ran; otherwise read from its settings, or asked by the rules.
    by_hand: bool = False
    #: Rules that bind pacing, by what they bind (`domain.pace.Pace.by`).
    bound_by: dict[str, str] = {}


def term_rows(connection: Connection, stream: str, until_us: int = _END_US) -> Iterator[tuple[int, int, Any]]:
    """Yield (seq, instant, record) of what tells the terms, from the stream's beginning until before an instant."""
    query = (
        select(journal.c.seq, journal.c.at_us, journal.c.payload)
        .where(journal.c.stream == stream, text(TERMS), journal.c.at_us < until_us)
        # In the order of the index, or SQLite reads the whole stream instead.
        .order_by(journal.c.kind, journal.c.seq)
    )
    for row in sorted(connection.execute(query)):
        yield row.seq, row.at_us, decode(row.payload)


def lives(connection: Connection, stream: str, from_us: int, to_us: int) -> list[Life]:
    """Return the runs of a floor's engine that reach into a window, oldest first."""
    opened = [
        (seq, at_us, record.rehearsed)
        for seq, at_us, record in term_rows(connection, stream)
        if isinstance(record, FloorOpened)
    ]
    if not opened:
        return []
    head = connection.execute(select(streams.c.seq).where(streams.c.stream == stream)).scalar_one()
    last = [*(seq - 1 for seq, _, _ in opened[1:]), head]
    ended: dict[int, int] = {}
    for some in batches(last):
        query = select(journal.c.seq, journal.c.at_us).where(journal.c.stream == stream, journal.c.seq.in_(some))
        ended.update({row.seq: row.at_us for row in connection.execute(query)})
    found = [
        Life(stream, at_us, ended[end], rehearsed) for (_, at_us, rehearsed), end in zip(opened, last, strict=True)
    ]
    return [life for life in found if life.to_us > from_us and life.from_us < to_us]


def in_force(connection: Connection, stream: str, from_us: int, to_us: int) -> dict[str, list[Terms]]:
    """Return each campaign's terms at the start of a window, or at its first opening, and every later change in it."""
    files: dict[str, CampaignSettings] = {}
    limits: dict[str, float] = {}
    rules: dict[str, tuple[PaceRule, ...]] = {}
    found: dict[str, list[Terms]] = {}

    def put(campaign: str, at_us: int, by_hand: bool, **changed: Any) -> None:
        steps = found[campaign]
        pace = strictest(files[campaign], limits[campaign], rules.get(campaign, ()))
        changed |= {"abandon_limit": pace.share, "bound_by": pace.by}
        fresh = msgspec.structs.replace(steps[-1], at_us=at_us, by_hand=by_hand, **changed)
        if fresh == msgspec.structs.replace(steps[-1], at_us=at_us, by_hand=by_hand):
            return
        if at_us <= from_us:
            steps.clear()
        steps.append(fresh)

    for _, at_us, record in term_rows(connection, stream, to_us):
        if isinstance(record, FloorOpened):
            for settings in record.settings.campaigns:
                before = files.get(settings.name)
                files[settings.name] = settings
                if before is None:
                    limits[settings.name] = settings.abandon_limit
                    found[settings.name] = [
                        Terms(
                            at_us=at_us,
                            mode=settings.mode,
                            ratio=settings.ratio,
                            abandon_limit=settings.abandon_limit,
                        )
                    ]
                    continue
                # As the engine does: what was set by hand stays unless the file itself was changed.
                if (before.mode, before.ratio) != (settings.mode, settings.ratio):
                    put(settings.name, at_us, False, mode=settings.mode, ratio=settings.ratio)
                if before.abandon_limit != settings.abandon_limit:
                    limits[settings.name] = settings.abandon_limit
                put(settings.name, at_us, False)
        elif isinstance(record, LimitSet) and record.campaign in found:
            limits[record.campaign] = record.abandon_limit
            put(record.campaign, at_us, True)
        elif isinstance(record, PaceBound) and record.campaign in found:
            rules[record.campaign] = record.rules
            put(record.campaign, at_us, False)
        elif isinstance(record, ModeSet) and record.campaign in found:
            ratio = {} if record.ratio is None else {"ratio": record.ratio}
            put(record.campaign, at_us, True, mode=record.mode, **ratio)
    return found


def lists(connection: Connection, stream: str, from_us: int, to_us: int) -> dict[str, list[LeadsLoaded]]:
    """Return the chunks that made up each campaign's list in a window: loaded in it, and the last list before it."""
    before: dict[str, list[LeadsLoaded]] = {}
    found: dict[str, list[LeadsLoaded]] = {}
    for _, at_us, record in term_rows(connection, stream, to_us):
        # One that moves who waits within the day names nobody who is not on the list.
        if not isinstance(record, LeadsLoaded) or record.learned is not None:
            continue
        if at_us >= from_us:
            found.setdefault(record.campaign, []).append(record)
            continue
        held = before.setdefault(record.campaign, [])
        if held and held[-1].plan != record.plan:
            held.clear()
        held.append(record)
    return {name: before.get(name, []) + found.get(name, []) for name in sorted({*before, *found})}


def known_streams(connection: Connection) -> Sequence[str]:
    """Return every floor that has a record."""
    return connection.execute(select(streams.c.stream).order_by(streams.c.stream)).scalars().all()
