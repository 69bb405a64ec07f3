"""A campaign's list: chosen by SQL, ranked, stored as immutable chunks with their SHA-256, loaded chunk by chunk.

Where the campaign has a strategy, that decides who is on it and where (`strategy.listing`); its decisions are kept.
"""

import hashlib
import zlib
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from itertools import groupby
from typing import TYPE_CHECKING, Any

import msgspec
from sqlalchemy import ColumnElement, Connection, Select, func, insert, select, update

from domain.errors import BadInput, Broken
from domain.events import DayLearned, LeadsLoaded
from domain.instants import to_datetime
from domain.people import Dossier, Lead
from domain.settings import CampaignSettings, Selection
from ledger.database import Database, streamed
from ledger.people import dossiers
from ledger.reservations import batches
from ledger.schema import balance_history, creditor, debt, person, person_phone, plan, plan_chunk

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from strategy.fields import Scores
    from strategy.planning import Floor

#: Leads of one chunk, and so of one event; and of one that moves who waits, while calls are answered.
CHUNK, _MOVED = 5_000, 1_000
_NO_RANK = 2**31 - 1


class Body(msgspec.Struct, frozen=True, array_like=True):
    """What a chunk holds."""

    leads: tuple[Lead, ...]
    people: tuple[Dossier, ...]
    #: The last chunk of a list that takes the place of those before.
    replaces: bool = False
    #: Which scores the forecasts of its leads come from.
    scores: str | None = None
    #: By what the day taught, where the list moves who waits on the one before.
    learned: DayLearned | None = None


#: Returns whom law lets a campaign call at all on the day of a list, shape (n,).
Eligible = Callable[[CampaignSettings, Sequence[Dossier]], "NDArray[np.bool_]"]

_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Body)


def make_plan(
    database: Database,
    campaign: CampaignSettings,
    at_us: int,
    zone: str,
    *,
    eligible: Eligible | None = None,
    scores: "Scores | None" = None,
    floor: "Floor | None" = None,
) -> str:
    """Choose, rank and store a campaign's people as they stand at an instant.

    Parameters
    ----------
    eligible : callable, optional
        Whose decisions a strategy keeps; without it, everybody's.
    scores : Scores, optional
        What a model says of them, for a strategy; without it, the set that serves.
    floor : Floor, optional
        Where it is worked, for a strategy that plans; without it nobody's hour is planned.

    Returns
    -------
    str
        The plan's id, `<campaign>-<number>`.

    Notes
    -----
    Others write while the dossiers are read; whom they concern has then moved on to a version that makes the
    reservation `Stale`.
    """
    with database.writing() as connection:
        number = connection.execute(
            insert(plan).values(campaign=campaign.name, at_us=at_us, zone=zone).returning(plan.c.number)
        ).scalar_one()
    if campaign.document:
        from ledger.strategic import store_list  # late: few commands need numerical libraries

        n_leads, chunks = store_list(database, campaign, number, at_us, zone, eligible, scores, floor)
    else:
        n_leads, chunks = _by_order(database, campaign, number, at_us, zone)
    with database.writing() as connection:
        connection.execute(
            update(plan).where(plan.c.number == number).values(leads=n_leads, chunks=chunks, sealed=True)
        )
    return f"{campaign.name}-{number}"


def store_moves(
    database: Database, campaign: str, at_us: int, zone: str, leads: Sequence[Lead], scores: str | None, by: DayLearned
) -> str:
    """Store a list that moves some of those who wait on the one before; return its id."""
    n_chunks = -(-len(leads) // _MOVED)
    with database.writing() as connection:
        made = {"campaign": campaign, "at_us": at_us, "zone": zone, "leads": len(leads), "chunks": n_chunks}
        number = connection.execute(insert(plan).values(made | {"sealed": True}).returning(plan.c.number)).scalar_one()
        for chunk in range(n_chunks):
            some = tuple(leads[chunk * _MOVED : (chunk + 1) * _MOVED])
            store(connection, number, chunk, Body(some, (), False, scores, by))
    return f"{campaign}-{number}"


def learned_of(connection: Connection, plan_id: str) -> tuple[int, DayLearned] | None:
    """Return when and by what a list moved who waited; None: it is none of those."""
    number = _number(plan_id)
    stored = connection.execute(
        select(plan.c.at_us, plan_chunk.c.body)
        .join(plan_chunk, plan_chunk.c.plan == plan.c.number)
        .where(plan.c.number == number, plan_chunk.c.chunk == 0)
    ).one_or_none()
    if stored is None:
        return None
    learned = _decoder.decode(zlib.decompress(stored.body)).learned
    return None if learned is None else (stored.at_us, learned)


def last_learned(connection: Connection, campaign: str, since_us: int) -> tuple[int, DayLearned] | None:
    """Return when and by what a campaign's day was planned anew last, since an instant; None: it was not."""
    query = (
        select(plan.c.number)
        .where(plan.c.campaign == campaign, plan.c.at_us >= since_us, plan.c.sealed)
        .order_by(plan.c.number.desc())
        .limit(1)
    )
    number = connection.execute(query).scalar_one_or_none()
    return None if number is None else learned_of(connection, f"{campaign}-{number}")


def _by_order(database: Database, campaign: CampaignSettings, number: int, at_us: int, zone: str) -> tuple[int, int]:
    """Store a list by the campaign's order; return its leads and chunks."""
    n_leads = chunks = 0
    with database.reading() as connection:
        for listed in batches(leads(connection, campaign, at_us, zone), CHUNK):
            people = dossiers(connection, [lead.person for lead in listed], at_us)
            with database.writing() as storing:
                store(storing, number, chunks, Body(tuple(listed), tuple(people)))
            n_leads, chunks = n_leads + len(listed), chunks + 1
    return n_leads, chunks


def store(connection: Connection, number: int, chunk: int, content: Body) -> str:
    """Keep a chunk of a list; return its SHA-256."""
    body = _encoder.encode(content)
    sha256 = hashlib.sha256(body).hexdigest()
    row = {"plan": number, "chunk": chunk, "leads": len(content.leads), "sha256": sha256}
    connection.execute(insert(plan_chunk), row | {"body": zlib.compress(body, 1)})
    return sha256


def leads(connection: Connection, campaign: CampaignSettings, at_us: int, zone: str) -> Iterator[Lead]:
    """Yield a campaign's people as a list made at this instant would have them."""
    if campaign.document:
        from ledger.strategic import list_of

        made = list_of(connection, campaign, at_us, zone)
        yield from (made.lead(row, choice) for row, choice, _ in made.listing.choices())
        return
    rows = streamed(connection, _ranked(campaign, at_us, zone))
    for rank, (one, of_one) in enumerate(groupby(rows, key=lambda row: row.person)):
        debts = list(of_one)
        yield Lead(person=one, rank=rank, debts=tuple(row.id for row in debts), owner=debts[0].owner)


def _ranked(campaign: CampaignSettings, at_us: int, zone: str) -> Select[Any]:
    """Return the query of the chosen debts, the people in the campaign's order and each one's debts together."""
    rows = chosen(campaign.selection, at_us, zone).cte("chosen")
    people: Select[Any]
    if campaign.order == "balance":
        # Money of two currencies has no order: a person stands by the share of people of the currency who owe less.
        owed = (
            select(rows.c.person, rows.c.currency, func.sum(rows.c.balance_minor).label("owed"))
            .group_by(rows.c.person, rows.c.currency)
            .subquery()
        )
        share = func.percent_rank().over(partition_by=owed.c.currency, order_by=owed.c.owed)
        shares = select(owed.c.person, share.label("share")).subquery()
        people = select(shares.c.person, (-func.max(shares.c.share)).label("place")).group_by(shares.c.person)
    else:
        # As the imports ranked them; without a rank last, in the order in which they came.
        place: ColumnElement[Any] = func.min(func.coalesce(rows.c.rank, _NO_RANK))
        if campaign.order == "ageing":
            place = func.min(func.coalesce(rows.c.due_on, "9999-12-31"))
        elif campaign.order == "newest":
            place = -func.max(rows.c.first_seen_us)
        people = select(rows.c.person, place.label("place")).group_by(rows.c.person)
    placed = people.subquery()
    return (
        select(rows.c.person, rows.c.id, rows.c.owner)
        .join(placed, placed.c.person == rows.c.person)
        .order_by(placed.c.place, rows.c.person, rows.c.id)
    )


def chosen_people(connection: Connection, campaign: CampaignSettings, at_us: int, zone: str) -> list[int]:
    """Return everybody whom a campaign's selection chooses and who has a number, whatever a strategy says today."""
    debts = chosen(campaign.selection, at_us, zone).subquery()
    return list(connection.execute(select(debts.c.person).distinct().order_by(debts.c.person)).scalars())


def chosen(
    selection: Selection, at_us: int, zone: str, *, reachable: bool = True, as_known: bool = False
) -> Select[Any]:
    """Return the query of the debts that a campaign works.

    Parameters
    ----------
    reachable : bool
        Of people with a usable number alone.
    as_known : bool
        By what was known at the instant of balances, and not by what is known now.
    """
    stood: Any = debt
    if as_known:
        past = balance_history.c
        latest = func.row_number().over(partition_by=past.debt, order_by=(past.known_us.desc(), past.id.desc()))
        ranked = (
            select(past.debt, past.balance_minor, past.state, latest.label("n"))
            .where(past.known_us <= at_us)
            .subquery()
        )
        stood = select(ranked).where(ranked.c.n == 1).subquery()
    today = to_datetime(at_us, zone).date()
    numbers = select(person_phone.c.phone).where(
        person_phone.c.person == debt.c.person, person_phone.c.status == "usable"
    )
    query = (
        select(
            debt.c.person, debt.c.id, stood.c.balance_minor, debt.c.currency, debt.c.due_on, debt.c.first_seen_us,
            debt.c.rank, debt.c.product, person.c.owner,
        )
        .join(person, person.c.id == debt.c.person)
        .where(stood.c.state == "open", stood.c.balance_minor >= selection.min_balance_minor)
    )  # fmt: skip
    if as_known:
        query = query.join(stood, stood.c.debt == debt.c.id)
    if reachable:
        query = query.where(numbers.exists())
    if selection.countries:
        query = query.where(person.c.country.in_(selection.countries))
    if selection.creditors:
        query = query.join(creditor, creditor.c.id == debt.c.creditor).where(creditor.c.name.in_(selection.creditors))
    if selection.products:
        query = query.where(debt.c.product.in_(selection.products))
    # ISO days compare as text.
    if selection.min_days_due is not None:
        query = query.where(debt.c.due_on <= (today - timedelta(days=selection.min_days_due)).isoformat())
    if selection.max_days_due is not None:
        query = query.where(debt.c.due_on >= (today - timedelta(days=selection.max_days_due)).isoformat())
    return query


def plan_events(database: Database, plan_id: str, campaign: str, at_us: int) -> Iterator[LeadsLoaded]:
    """Yield a stored plan as inputs of the engine, verified against their hashes.

    Raises
    ------
    BadInput
        When there is no such plan, or it was never finished.
    """
    with database.reading() as connection:
        stored = connection.execute(select(plan).where(plan.c.number == _number(plan_id))).one_or_none()
    if stored is None or not stored.sealed:
        raise BadInput(f"plan {plan_id}: the ledger has no finished plan of this id; make one for campaign {campaign}")
    for chunk in range(stored.chunks):
        with database.reading() as connection:
            sha256 = connection.execute(
                select(plan_chunk.c.sha256).where(plan_chunk.c.plan == stored.number, plan_chunk.c.chunk == chunk)
            ).scalar_one()
            body = read_chunk(connection, plan_id, chunk, sha256)
        yield LeadsLoaded(
            at_us=at_us,
            campaign=campaign,
            plan=plan_id,
            chunk=chunk,
            sha256=sha256,
            scores=body.scores,
            replaces=body.replaces,
            learned=body.learned,
            leads=body.leads,
            people=body.people,
        )


def read_chunk(connection: Connection, plan_id: str, chunk: int, sha256: str) -> Body:
    """Return the leads and people of a chunk.

    Raises
    ------
    Broken
        When it is gone or not what the record says was loaded.
    """
    return _decoder.decode(check_chunk(connection, plan_id, chunk, sha256))


def check_chunk(connection: Connection, plan_id: str, chunk: int, sha256: str) -> bytes:
    """Return a chunk's bytes if they are those of the hash; `Broken` otherwise."""
    stored = connection.execute(
        select(plan_chunk.c.body).where(plan_chunk.c.plan == _number(plan_id), plan_chunk.c.chunk == chunk)
    ).scalar_one_or_none()
    if stored is None:
        raise Broken(f"plan {plan_id}: chunk {chunk} was loaded and is no longer stored")
    try:
        body = zlib.decompress(stored)
    except zlib.error as error:
        raise Broken(f"plan {plan_id}: chunk {chunk} cannot be unpacked: {error}") from error
    if hashlib.sha256(body).hexdigest() != sha256:
        raise Broken(f"plan {plan_id}: chunk {chunk} is not what was loaded: its SHA-256 differs")
    return body


def _number(plan_id: str) -> int:
    name, _, number = plan_id.rpartition("-")
    if not name or not number.isdecimal():
        raise BadInput(f"plan {plan_id!r}: an id is a campaign's name and a number, as spring-12; correct it")
    return int(number)
