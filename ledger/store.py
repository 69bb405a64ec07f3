"""The system of record behind one face: `open_ledger(url)`.

What the rooms call is here; what it takes is in the modules beside (journal, people, plans, reservations, chain).
"""

import hashlib
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from datetime import date
from typing import TYPE_CHECKING, Self

import msgspec
from sqlalchemy import Connection, func, select

from domain.events import DayCount, LeadsLoaded, Reserved, Stale
from domain.instants import DAY
from domain.orders import Reserve
from domain.people import Dossier, Lead
from domain.records import Row
from domain.settings import CampaignSettings
from ledger import chain, journal, leases, people, plans, queries
from ledger.chain import Verified
from ledger.database import Database
from ledger.migrate import migrate
from ledger.queries import Agent, Fact
from ledger.reservations import batches, upsert
from ledger.schema import change, phone, snapshot
from ledger.schema import stream as streams

if TYPE_CHECKING:
    from strategy.fields import Scores
    from strategy.planning import Floor
    from strategy.replanning import Beliefs, Learnt

#: Snapshots kept of a stream; the last one might be the one that cannot be read.
_KEPT_SNAPSHOTS = 3
#: And the last one of each of so many days (of UTC): whoever asks about a day need not fold all that was before.
_KEPT_DAYS = 40
#: Dossiers of a whole portfolio are read so many at a time.
_READ_AT_ONCE = 5_000


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """An engine's state after one of its rows."""

    seq: int
    at_us: int
    state: bytes


def open_ledger(url: str, *, patience_s: float = 5.0) -> "SqlLedger":
    """Open a ledger, bring its tables to this code's schema and assert that commits are durable.

    Parameters
    ----------
    url : str
        `sqlite:///ledger.db` or `postgresql://user@host/name`.
    patience_s : float
        How long a transaction waits for a lock before it is `LedgerStalled`.

    Raises
    ------
    BadInput
        When it cannot be opened, is not durable, or was written by newer code.
    """
    database = Database(url, patience_s=patience_s)
    try:
        migrate(database)
    except BaseException:
        database.close()
        raise
    return SqlLedger(database)


class SqlLedger:
    """Journal and Reservations (`domain.protocols`), people, plans, snapshots and leases on one database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def close(self) -> None:
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def reading(self) -> AbstractContextManager[Connection]:
        """Give a connection for queries."""
        return self._database.reading()

    def writing(self) -> AbstractContextManager[Connection]:
        """Give a connection whose statements commit together when the block ends.

        Notes
        -----
        SQLite has one writer: end within 100 ms, and rest some milliseconds before the next. Whatever a verdict could
        depend on is followed, in the same transaction, by `reservations.bump` of the keys and `reservations.announce`.
        """
        return self._database.writing()

    # ---- the journal

    def append(self, rows: Sequence[Row]) -> tuple[Reserved | Stale, ...]:
        """Make rows of one stream and their projections durable in one transaction; answer their reservations in order.

        Rows already on record are recognised and answered again, so a batch may be sent again after any error. Answers
        carry the instant of their order's row: whoever feeds them to an engine gives them its own.

        Raises
        ------
        LedgerStalled
            When the ledger cannot be written now; nothing of the batch remains.
        Broken
            When the rows do not continue their stream.
        """
        if not rows:
            return ()
        with self._database.writing() as connection:
            grants = journal.write(connection, rows)
            return journal.answers(connection, rows, grants)

    def read(self, stream: str, after_seq: int = 0) -> Iterator[Row]:
        """Yield the rows of a stream in order, loaded lists put back."""
        with self._database.reading() as connection:
            yield from journal.read(connection, stream, after_seq)

    def verify(self, stream: str | None = None) -> list[Verified]:
        """Recompute the hash chain of a stream, or of all."""
        with self._database.reading() as connection:
            named = [stream] if stream is not None else self._streams(connection)
            return [chain.verify(connection, name) for name in named]

    def streams(self) -> list[str]:
        """Return the names of the floors on record."""
        with self._database.reading() as connection:
            return self._streams(connection)

    def _streams(self, connection: Connection) -> list[str]:
        return list(connection.execute(select(streams.c.stream).order_by(streams.c.stream)).scalars())

    # ---- people

    def reserve(self, orders: Sequence[Reserve], at_us: int) -> tuple[Reserved | Stale, ...]:
        """Compare and bump for contacts that no floor's engine makes; each answer carries `at_us`."""
        with self._database.writing() as connection:
            return journal.reserve(connection, orders, at_us)

    def dossiers(self, persons: Sequence[int], at_us: int | None = None) -> list[Dossier]:
        """Return what is on record about people, in the order asked; who is not on record is left out."""
        with self._database.reading() as connection:
            return people.dossiers(connection, persons, at_us)

    def each_dossier(self, persons: Iterable[int], at_us: int | None = None) -> Iterator[Dossier]:
        """Yield what `dossiers` returns, some in memory at a time; each batch is as it stands when it is read."""
        for batch in batches(persons, _READ_AT_ONCE):
            yield from self.dossiers(batch, at_us)

    def numbers(self, phones: Sequence[int]) -> dict[int, str]:
        """Return the digits (E.164) of phones; an erased one is left out."""
        found: dict[int, str] = {}
        with self._database.reading() as connection:
            for batch in batches(dict.fromkeys(phones)):
                query = select(phone.c.id, phone.c.e164).where(phone.c.id.in_(batch), phone.c.e164.is_not(None))
                found.update(connection.execute(query).all())
        return found

    def changes(self, after: int, stream: str | None = None, limit: int = 5_000) -> tuple[int, list[int]]:
        """Return who has been written about after a cursor, and the cursor to ask with next.

        Parameters
        ----------
        stream : str or None
            The floor that asks: what it wrote itself is left out.
        """
        query = select(change.c.seq, change.c.person, change.c.stream).where(change.c.seq > after)
        with self._database.reading() as connection:
            rows = connection.execute(query.order_by(change.c.seq).limit(limit)).all()
        persons = dict.fromkeys(one for _, one, writer in rows if writer is None or writer != stream)
        return (rows[-1][0] if rows else after), list(persons)

    def change_cursor(self) -> int:
        """Return the cursor after which nothing has been written yet."""
        with self._database.reading() as connection:
            return connection.execute(select(func.max(change.c.seq))).scalar() or 0

    def history(
        self,
        *,
        persons: Sequence[int] | None = None,
        event_from_us: int | None = None,
        event_until_us: int | None = None,
        known_from_us: int | None = None,
        known_until_us: int | None = None,
    ) -> Iterator[Fact]:
        """Yield the history in the order in which it was learned; every `until` is exclusive."""
        with self._database.reading() as connection:
            yield from queries.facts(
                connection,
                persons=persons,
                event_from_us=event_from_us,
                event_until_us=event_until_us,
                known_from_us=known_from_us,
                known_until_us=known_until_us,
            )

    # ---- agents

    def agents(self) -> list[Agent]:
        """Return who is on record as an agent."""
        with self._database.reading() as connection:
            return queries.agents(connection)

    # ---- lists

    def make_plan(
        self,
        campaign: CampaignSettings,
        at_us: int,
        zone: str,
        *,
        eligible: plans.Eligible | None = None,
        scores: "Scores | None" = None,
        floor: "Floor | None" = None,
    ) -> str:
        """Choose, rank and store a campaign's people; return the plan's id. See `ledger.plans.make_plan`."""
        return plans.make_plan(self._database, campaign, at_us, zone, eligible=eligible, scores=scores, floor=floor)

    def learn_day(
        self, campaign: CampaignSettings, at_us: int, floor: "Floor", present: float, before: "Learnt | None"
    ) -> "Learnt":
        """Return what a campaign's calls tell of its day. See `ledger.strategic.learn_day`."""
        from ledger.strategic import learn_day  # late: few commands need numerical libraries

        return learn_day(self._database.reading, campaign, at_us, floor, present, before)

    def replan_day(
        self,
        campaign: CampaignSettings,
        leads: Sequence[Lead],
        people: Sequence[Dossier],
        at_us: int,
        floor: "Floor",
        learnt: "Learnt",
        found: "Beliefs",
    ) -> str | None:
        """Plan those anew who wait; return the id of the list that moves them. See `ledger.strategic.replan_day`."""
        from ledger.strategic import replan_day

        return replan_day(self._database, campaign, leads, people, at_us, floor, learnt, found)

    def plan_events(self, plan: str, campaign: str, at_us: int) -> Iterator[LeadsLoaded]:
        """Yield a stored plan as inputs of the engine, in chunks."""
        return plans.plan_events(self._database, plan, campaign, at_us)

    def day_counts(self, campaign: str, first: date, until: date, zone: str) -> list[DayCount]:
        """Return a campaign's answered calls by calendar day of a zone, from one day until before another."""
        with self._database.reading() as connection:
            return queries.day_counts(connection, campaign, first, until, zone)

    # ---- a floor's engine

    def save_snapshot(self, stream: str, seq: int, at_us: int, state: bytes) -> None:
        """Keep an engine's state after its row `seq`; of those before it the last ones, and each day's last."""
        row = {
            "stream": stream,
            "seq": seq,
            "at_us": at_us,
            "sha256": hashlib.sha256(state).hexdigest(),
            "state": zlib.compress(state, 1),
        }
        with self._database.writing() as connection:
            connection.execute(upsert(connection, snapshot).on_conflict_do_nothing(), row)
            query = select(snapshot.c.seq, snapshot.c.at_us).where(snapshot.c.stream == stream)
            stored = connection.execute(query.order_by(snapshot.c.seq.desc())).all()
            days: dict[int, int] = {}
            for number, taken_us in stored:
                days.setdefault(taken_us // DAY, number)
            kept = {number for number, _ in stored[:_KEPT_SNAPSHOTS]} | set(list(days.values())[:_KEPT_DAYS])
            gone = [number for number, _ in stored if number not in kept]
            connection.execute(snapshot.delete().where(snapshot.c.stream == stream, snapshot.c.seq.in_(gone)))

    def last_snapshot(self, stream: str, before_seq: int | None = None) -> Snapshot | None:
        """Return the newest state of a stream that is on disk as it was written; None: fold from the first row.

        Parameters
        ----------
        before_seq : int, optional
            The newest before this row.
        """
        of_stream = snapshot.c.stream == stream
        query = select(snapshot.c.seq).where(of_stream).order_by(snapshot.c.seq.desc())
        if before_seq is not None:
            query = query.where(snapshot.c.seq < before_seq)
        with self._database.reading() as connection:
            # One at a time: each is a floor's whole memory.
            for seq in connection.execute(query).scalars().all():
                row = connection.execute(select(snapshot).where(of_stream, snapshot.c.seq == seq)).one_or_none()
                if row is None:
                    continue  # a newer one has taken its place meanwhile
                try:
                    state = zlib.decompress(row.state)
                except zlib.error:
                    continue
                if hashlib.sha256(state).hexdigest() == row.sha256:
                    return Snapshot(seq=row.seq, at_us=row.at_us, state=state)
        return None

    def take_lease(self, stream: str, owner: str, ttl_s: float) -> None:
        """Become the only one to run a floor, until `ttl_s` after the last renewal.

        Raises
        ------
        BadInput
            When somebody else runs it; the text says who.
        """
        with self._database.writing() as connection:
            leases.take(connection, stream, owner, ttl_s)

    def renew_lease(self, stream: str, owner: str, ttl_s: float) -> None:
        """Go on running a floor; `Broken` when the lease has gone to somebody else."""
        with self._database.writing() as connection:
            leases.renew(connection, stream, owner, ttl_s)

    def release_lease(self, stream: str, owner: str) -> None:
        """Let the next one run the floor at once."""
        with self._database.writing() as connection:
            leases.release(connection, stream, owner)
