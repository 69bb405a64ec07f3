"""A campaign's list made by its strategy: read from the tables, decided by `strategy.listing`, and stored."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, and_, case, func, or_, select

from domain.calls import Disposition
from domain.instants import SECOND, midnight_us, to_datetime
from domain.people import Choice, ContactEvent, Dossier, Lead
from domain.settings import CampaignSettings, FloorSettings
from ledger import decisions, score_fields
from ledger.book import read_book
from ledger.database import Database, Reading
from ledger.people import dossiers
from ledger.plans import CHUNK, Body, Eligible, chosen, store, store_moves
from ledger.queries import agents
from ledger.reservations import batches
from ledger.schema import attempt, outcome, person
from strategy.documents import Capacity, rules_of, strategy_of
from strategy.fields import Book, Scores, day_number
from strategy.forecasts import tell
from strategy.learning import HABIT_US, LIVE, STRETCH_US, Count
from strategy.listing import Listing, decide, numbers_of
from strategy.planning import RECENT_US, WEEKDAYS, Floor, Pace, Plan, Workplace, plan_list, planned
from strategy.replanning import Beliefs, Learnt, learn, replan


def store_list(
    database: Database,
    campaign: CampaignSettings,
    number: int,
    at_us: int,
    zone: str,
    eligible: Eligible | None,
    scores: Scores | None,
    floor: Floor | None,
) -> tuple[int, int]:
    """Store a strategy's list and its decisions; return its leads and chunks, one at least."""
    with database.reading() as connection:
        scores = scores or score_fields.serving(database.reading, connection, at_us, wanted(campaign))
        made = list_of(connection, campaign, at_us, zone, scores)
    hours_us = np.zeros(len(made.listing.person), np.int64)
    if floor is not None and planned(made.listing):
        listing, hours_us, _ = plan_of(database.reading, campaign, made.listing, scores, floor)
        made = made._replace(listing=listing)
    today = day_number(to_datetime(at_us, zone).date().isoformat())
    on_list = list(made.listing.choices())
    off_list = np.flatnonzero(~made.listing.called)
    n_chunks = max(1, -(-len(on_list) // CHUNK))
    for chunk in range(n_chunks):
        some = on_list[chunk * CHUNK : (chunk + 1) * CHUNK]
        rows = [row for row, _, _ in some]
        people = _people(database.reading, made.listing, rows, at_us)
        told = tell(scores, people, hours_us[rows].tolist(), at_us, zone)
        listed = [
            msgspec.structs.replace(
                made.lead(row, choice),
                numbers=of.numbers or numbers_of(order, dossier, today),
                reach=of.reach,
                from_us=int(hours_us[row]),
            )
            for (row, choice, order), dossier, of in zip(some, people, told, strict=True)
        ]
        forecast = scores.version if scores is not None and any(one.reach for one in listed) else None
        judged = rows if eligible is None else np.array(rows, np.int64)[eligible(campaign, people)]
        with database.writing() as storing:
            store(storing, number, chunk, Body(tuple(listed), tuple(people), chunk == n_chunks - 1, forecast))
            decisions.put(storing, number, campaign.name, made.listing.decisions(judged))
    for others in batches(off_list[made.book.n_phones[off_list] > 0].tolist(), CHUNK):
        judged = others
        if eligible is not None:
            people = _people(database.reading, made.listing, others, at_us)
            judged = np.array(others, np.int64)[eligible(campaign, people)]
        with database.writing() as storing:
            decisions.put(storing, number, campaign.name, made.listing.decisions(judged))
    return len(on_list), n_chunks


def plan_of(
    reading: Reading, campaign: CampaignSettings, listing: Listing, scores: Scores | None, floor: Floor
) -> tuple[Listing, NDArray[np.int64], dict[str, Plan]]:
    """Return a list in the order of its plan, the hour of today that each row is for, and the plans by arm."""
    at_us = listing.at_us
    with reading() as connection:
        place = _workplace(connection, campaign, floor)
        pace = pace_of(connection, campaign.name, at_us)
    return plan_list(
        place, campaign, listing, scores, pace, lambda rows: _people(reading, listing, rows.tolist(), at_us), CHUNK
    )


def _workplace(connection: Connection, campaign: CampaignSettings, floor: Floor) -> Workplace:
    settings = floor.settings
    return Workplace(
        floor.gate, settings.zone, settings.first_hour, settings.slots, _staffed(connection, campaign, settings)
    )


def _staffed(connection: Connection, campaign: CampaignSettings, settings: FloorSettings) -> Callable[[int], float]:
    """Return how many agents on record are to work for a campaign in the hour that holds an instant."""
    staff = sum(one.active and (not one.campaigns or campaign.name in one.campaigns) for one in agents(connection))
    shared = staff * campaign.weight / sum(one.weight for one in settings.campaigns)

    def planned_agents(hour_us: int) -> float:
        return shared if WEEKDAYS[to_datetime(hour_us, settings.zone).weekday()] in Capacity().days else 0.0

    return planned_agents


def learn_day(
    reading: Reading, campaign: CampaignSettings, at_us: int, floor: Floor, present: float, before: Learnt | None
) -> Learnt:
    """Return what a campaign's calls of recent days and of today tell of its day; see `strategy.replanning`."""
    zone = floor.settings.zone
    today_us = midnight_us(to_datetime(at_us, zone).date(), zone)
    known = before is not None and before.day == to_datetime(at_us, zone).date().isoformat()
    with reading() as connection:
        counts = counts_of(connection, campaign.name, today_us if known else today_us - HABIT_US, at_us)
        planned = _staffed(connection, campaign, floor.settings)(at_us)
    return learn(counts, at_us, zone, present, planned, before)


def counts_of(connection: Connection, campaign: str, since_us: int, until_us: int) -> list[Count]:
    """Return a campaign's calls that had a forecast and whose answer is known, by stretches of time."""
    stretch = attempt.c.reserved_us - attempt.c.reserved_us % STRETCH_US
    # A machine that an agent heard is told when he has said so.
    heard = func.coalesce(outcome.c.disposition, "") == str(Disposition.machine)
    live = case((attempt.c.answer_class.in_([str(one) for one in LIVE]) & ~heard, 1), else_=0)
    query = (
        select(stretch, func.sum(attempt.c.p_answer), func.sum(live))
        .select_from(attempt.outerjoin(outcome, outcome.c.call_id == attempt.c.call_id))
        .where(
            attempt.c.campaign == campaign,
            attempt.c.p_answer.is_not(None),
            attempt.c.reserved_us >= since_us,
            attempt.c.reserved_us <= until_us,
            or_(
                attempt.c.answer_class.is_not(None),
                and_(outcome.c.event.is_not(None), outcome.c.disposition != str(Disposition.network_fail)),
            ),
        )
        .group_by(stretch)
        .order_by(stretch)
    )
    return [Count(*row) for row in connection.execute(query)]


def replan_day(
    database: Database,
    campaign: CampaignSettings,
    leads: Sequence[Lead],
    people: Sequence[Dossier],
    at_us: int,
    floor: Floor,
    learnt: Learnt,
    found: Beliefs,
) -> str | None:
    """Plan those anew who wait, store the list of whom that moves, and return its id; None: nobody moves."""
    with database.reading() as connection:
        scores = score_fields.serving(database.reading, connection, at_us, wanted(campaign))
        place = _workplace(connection, campaign, floor)
        pace = pace_of(connection, campaign.name, at_us)
    made = replan(place, campaign, leads, people, at_us, scores, pace, learnt, found)
    if not made.leads:
        return None
    return store_moves(database, campaign.name, at_us, floor.settings.zone, made.leads, made.scores, made.by)


def pace_of(connection: Connection, campaign: str, at_us: int) -> Pace:
    """Return what the campaign's calls of recent days came to."""
    took = func.coalesce(outcome.c.talk_us, 0) + func.coalesce(outcome.c.wrap_us, 0)
    right = case((outcome.c.event == str(ContactEvent.right_party_contact), 1), else_=0)
    heard = and_(outcome.c.talk_us.is_not(None), outcome.c.disposition == str(Disposition.machine))
    machines, of_machines = func.sum(case((heard, 1), else_=0)), func.sum(case((heard, took), else_=0))
    query = (
        select(func.count(), func.count(outcome.c.talk_us), func.sum(right), func.sum(took), machines, of_machines)
        .select_from(attempt)
        .join(outcome, outcome.c.call_id == attempt.c.call_id)
        .where(
            attempt.c.campaign == campaign,
            attempt.c.reserved_us >= at_us - 2 * RECENT_US,
            outcome.c.event.is_not(None),
            outcome.c.at_us >= at_us - RECENT_US,
            outcome.c.at_us <= at_us,
        )
    )
    n, connected, *sums = connection.execute(query).one()
    spoken, took_us, n_machines, machines_us = (int(one or 0) for one in sums)
    return Pace(n, connected, spoken, took_us / SECOND, n_machines, machines_us / SECOND)


def wanted(campaign: CampaignSettings) -> frozenset[str]:
    """Return the fields that a campaign's documents read."""
    strategy = strategy_of(campaign)
    assert strategy is not None
    found: set[str] = set()
    for document in (strategy.document, *strategy.challengers.values()):
        rules = rules_of(document)
        for one in (*rules.segments, *rules.rank_by, *rules.stops.values()):
            found |= one.reads
        found |= {"p_promise", "p_right"} if document.plans_kept else set()
    return frozenset(found)


def _people(reading: Reading, listing: Listing, rows: Sequence[int], at_us: int) -> list[Dossier]:
    with reading() as connection:
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
        return Lead(
            person=person_id,
            rank=choice.place - 1,
            debts=self.debts(row),
            owner=self.owners.get(person_id),
            choice=choice,
        )

    def debts(self, row: int) -> tuple[int, ...]:
        """Return the debts of a row's person that the campaign works."""
        first, last = np.searchsorted(self.book.debts.row, (row, row + 1))
        return tuple(self.book.debts.debt[first:last].tolist())


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
