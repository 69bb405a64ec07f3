"""A campaign's list made by its strategy: read from the tables, decided by `strategy.listing`, and stored."""

from collections.abc import Sequence
from typing import NamedTuple

import msgspec
import numpy as np
from sqlalchemy import Connection, select

from domain.instants import to_datetime
from domain.people import Choice, Dossier, Lead
from domain.settings import CampaignSettings
from ledger import decisions
from ledger.book import read_book
from ledger.database import Database
from ledger.people import dossiers
from ledger.plans import CHUNK, Body, Eligible, chosen, store
from ledger.reservations import batches
from ledger.schema import person
from strategy.documents import strategy_of
from strategy.fields import Book, Scores, day_number
from strategy.listing import Listing, decide, numbers_of


def store_list(
    database: Database,
    campaign: CampaignSettings,
    number: int,
    at_us: int,
    zone: str,
    eligible: Eligible | None,
    scores: Scores | None,
) -> tuple[int, int]:
    """Store a strategy's list and its decisions; return its leads and chunks, one at least."""
    with database.reading() as connection:
        made = list_of(connection, campaign, at_us, zone, scores)
    today = day_number(to_datetime(at_us, zone).date().isoformat())
    on_list = list(made.listing.choices())
    off_list = np.flatnonzero(~made.listing.called)
    n_chunks = max(1, -(-len(on_list) // CHUNK))
    for chunk in range(n_chunks):
        some = on_list[chunk * CHUNK : (chunk + 1) * CHUNK]
        rows = [row for row, _, _ in some]
        people = _people(database, made.listing, rows, at_us)
        listed = [
            msgspec.structs.replace(made.lead(row, choice), numbers=numbers_of(order, dossier, today))
            for (row, choice, order), dossier in zip(some, people, strict=True)
        ]
        judged = rows if eligible is None else np.array(rows, np.int64)[eligible(campaign, people)]
        with database.writing() as storing:
            store(storing, number, chunk, Body(tuple(listed), tuple(people), chunk == n_chunks - 1))
            decisions.put(storing, number, campaign.name, made.listing.decisions(judged))
    for others in batches(off_list[made.book.n_phones[off_list] > 0].tolist(), CHUNK):
        judged = others
        if eligible is not None:
            people = _people(database, made.listing, others, at_us)
            judged = np.array(others, np.int64)[eligible(campaign, people)]
        with database.writing() as storing:
            decisions.put(storing, number, campaign.name, made.listing.decisions(judged))
    return len(on_list), n_chunks


def _people(database: Database, listing: Listing, rows: Sequence[int], at_us: int) -> list[Dossier]:
    with database.reading() as connection:
        return dossiers(connection, listing.person[np.array(rows, np.int64)].tolist(), at_us)


class Made(NamedTuple):
    """A list as a strategy makes it."""

    book: Book
    listing: Listing
    #: By person, the agent who owns him.
    owners: dict[int, str]

    def lead(self, row: int, choice: Choice) -> Lead:
        """Return the lead of a row, with its numbers as the dossier has them."""
        person_id = int(self.book.person[row])
        first, last = np.searchsorted(self.book.debts.row, (row, row + 1))
        return Lead(
            person=person_id,
            rank=choice.place - 1,
            debts=tuple(self.book.debts.debt[first:last].tolist()),
            owner=self.owners.get(person_id),
            choice=choice,
        )


def list_of(
    connection: Connection,
    campaign: CampaignSettings,
    at_us: int,
    zone: str,
    scores: Scores | None = None,
) -> Made:
    """Return what a strategy decides about a campaign's people at an instant; nothing is kept."""
    strategy = strategy_of(campaign)
    assert strategy is not None
    book = read_book(connection, chosen(campaign.selection, at_us, zone, reachable=False), at_us)
    owned = select(person.c.id, person.c.owner).where(person.c.owner.is_not(None))
    stood = decisions.stands(connection, campaign.name, at_us)
    return Made(
        book=book,
        listing=decide(strategy, campaign.name, book, at_us, zone, stood, scores),
        owners=dict(connection.execute(owned).all()),
    )
