"""What is due besides calls, handed out: messages for whoever sends them, tasks for a clerk, a file each.

Rule 1: a message passes the gate when it is handed out, and counts from that transaction on as if it had left: compared
and bumped like a call's reservation, with its line in the history. Nothing takes it back.
Rule 2: the record comes first, the file is made from it. A hand-over whose file never became whole blocks the next one
until somebody asks for it again: so nothing is lost, and nothing is sent twice without a word.
Rule 3: a step is done once while somebody stays in its segment.
"""

import time
from collections import Counter
from collections.abc import Sequence
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, delete, func, insert, select, update

from compliance.counting import FOREVER
from compliance.gate import Gate
from domain.errors import BadInput
from domain.instants import iso
from domain.people import ContactEvent, Verdict
from domain.settings import CampaignSettings
from ledger import decisions
from ledger.due import CHANNELS, NO_NUMBER, STEP, Judged, Progress, Work, judge, reason, unfinished
from ledger.people import dossiers, from_ids, ids
from ledger.reservations import announce, batches, bump, compare, upsert, versions
from ledger.schema import creditor, debt, handed, handover, history, person, phone, stand
from ledger.store import SqlLedger
from strategy.documents import TASKS, WRITTEN
from strategy.due import Due
from strategy.listing import Stand

#: Reasons beside those of `ledger.due`: it was allowed until before now; others wrote about him all the while.
LAPSED, BUSY = "lapsed", "busy"
#: The rest after a transaction, and how often somebody is judged anew whom others write about meanwhile.
_REST_S: Final = 0.005
_TRIES: Final = 5

_verdicts = msgspec.json.Decoder(Verdict)


class Handed(msgspec.Struct, frozen=True, kw_only=True):
    """What one hand-over came to; `handover` None: there was nobody to hand out."""

    handover: int | None
    what: str
    lines: int
    over_budget: int
    not_now: dict[str, int]


class Debtor(msgspec.Struct, frozen=True, kw_only=True):
    """One line of a hand-over, with what is on record of the debtor now; personal."""

    reference: str
    template: str
    language: str
    numbers: tuple[str, ...]
    ref: str | None
    name: str | None
    street: str | None
    postal_code: str | None
    city: str | None
    region: str | None
    country: str
    #: Creditor and account, largest balance first; what is owed on those of its currency; the oldest due day.
    accounts: tuple[tuple[str, str], ...]
    balance_minor: int
    currency: str
    due_on: str | None
    #: Not to be sent from then on; None: a task.
    valid_until_us: int | None
    #: Ids of the notices that are due with it.
    notices: tuple[str, ...]


# ---- handing out


def hand_out(work: Work, what: str, by: str, progress: Progress | None = None) -> Handed:
    """Record who is handed out now; the file is made of `lines`, and `finish` says that it is whole.

    Raises
    ------
    BadInput
        When the file of an earlier hand-over of the same campaign and kind never became whole.
    """
    ledger = work.ledger
    number = _open(work, what, by)
    with ledger.reading() as connection:
        budget, _ = work.budget(connection, what)
        waiting = work.not_done(connection, what)
        standing = [
            (one.person, Stand(one.segment, one.since_day))
            for one in work.listing.decisions(range(len(work.listing.person)))
        ]
        untold = decisions.untold(connection, work.campaign.name, standing, work.at_us)
    for rows in batches(untold, 20 * STEP):
        with ledger.writing() as connection:
            # A file of another kind may be handed out at the same instant.
            connection.execute(upsert(connection, stand).on_conflict_do_nothing(), rows)
        time.sleep(_REST_S)
    not_now, lines, over = Counter[str](), 0, 0
    for some in batches(waiting, STEP):
        again: list[Due] = some
        for _ in range(_TRIES):
            ready: list[Judged] = []
            for one in work.judged(what, again):
                if one.reason:
                    not_now[one.reason] += 1
                elif not budget.take(one.due.arm):
                    over += 1
                else:
                    ready.append(one)
            stale = _record(work, number, what, lines, ready)
            lines += len(ready) - len(stale)
            for left in stale:
                budget.give_back(left.arm)
            if not (again := stale):
                break
        not_now[BUSY] += len(again)
        if progress is not None:
            progress(what, lines + over + sum(not_now.values()), len(waiting))
    if not lines:
        with ledger.writing() as connection:
            connection.execute(delete(handover).where(handover.c.id == number))
    return Handed(
        handover=number if lines else None, what=what, lines=lines, over_budget=over,
        not_now=dict((+not_now).most_common()),
    )  # fmt: skip


def _open(work: Work, what: str, by: str) -> int:
    """Begin a hand-over; of a campaign and kind one at a time."""
    with work.ledger.writing() as connection:
        versions(connection, {f"due:{work.campaign.name}:{what}"}, lock=True)
        for one in unfinished(connection, work.campaign.name, what):
            raise BadInput(
                f"due: hand-over {one.handover} ({what}, {one.lines:,} lines) was recorded {iso(one.at_us, work.zone)} "
                "and its file never became whole, or is being written now; write it first: the same command with "
                "--again"
            )
        row = {
            "campaign": work.campaign.name, "what": what, "strategy": work.listing.strategy.word,
            "rules": work.gate.version, "at_us": work.at_us, "handed_by": by,
        }  # fmt: skip
        return int(connection.execute(insert(handover).values(row).returning(handover.c.id)).scalar_one())


def _record(work: Work, number: int, what: str, place: int, ready: Sequence[Judged]) -> list[Due]:
    """Record some in one transaction; return those who were judged in vain: others wrote, or the time was over."""
    stale: list[Due] = []
    rows: list[dict[str, Any]] = []
    told: list[dict[str, Any]] = []
    bumped: list[str] = []
    if not ready:
        return stale
    with work.ledger.writing() as connection:
        message = what in WRITTEN
        keys = {cap.key for one in ready for cap in one.dossier.keys} if message else set()
        standing = versions(connection, keys, lock=True)
        at_us = work.now()
        for one in ready:
            if one.verdict is not None and (
                at_us >= (one.verdict.valid_until_us or FOREVER) or compare(one.dossier.keys, standing) is None
            ):
                stale.append(one.due)
                continue
            place += 1
            rows.append(_row(work, number, what, place, one, at_us))
            if message:
                bumped += [cap.key for cap in one.dossier.keys]
                told.append(_line(work, number, what, place, one, at_us))
        bump(connection, bumped)
        if rows:
            connection.execute(insert(handed), rows)
        if told:
            connection.execute(insert(history), told)
            announce(connection, (line["person"] for line in told), at_us)
    time.sleep(_REST_S)
    return stale


def _row(work: Work, number: int, what: str, place: int, one: Judged, at_us: int) -> dict[str, Any]:
    listing = work.listing
    return {
        "handover": number,
        "place": place,
        "campaign": work.campaign.name,
        "what": what,
        "at_us": at_us,
        "person": one.dossier.person,
        "arm": one.due.arm,
        "segment": one.due.segment,
        "step": one.due.step,
        "since_day": one.due.since_day,
        "template": one.due.what.template,
        "debts": ids(one.debts),
        "phones": ids(one.phones),
        "score_version": listing.score_version if listing.scored[one.due.row] else None,
        "verdict": None if one.verdict is None else msgspec.json.encode(one.verdict).decode(),
    }


def _line(work: Work, number: int, what: str, place: int, one: Judged, at_us: int) -> dict[str, Any]:
    """Return the line of the history by which caps count the message from now on: it may have left."""
    to = next((each for each in one.dossier.phones if each.phone in one.phones), None)
    return {
        "event_us": at_us,
        "known_us": at_us,
        "person": one.dossier.person,
        "debts": ids(one.debts),
        "phone": None if to is None else to.phone,
        "address_type": None if to is None else to.address_type,
        "campaign": work.campaign.name,
        "channel": CHANNELS[what],
        "event": ContactEvent.message_sent,
        "attempt": reference(number, place),
        "detail": "handed_out",
    }


def reference(number: int, place: int) -> str:
    """Return what a line of a hand-over is called, in its file and in the history."""
    return f"due-{number}-{place}"


def finish(ledger: SqlLedger, number: int, at_us: int) -> None:
    """Say that the file of a hand-over is whole."""
    with ledger.writing() as connection:
        connection.execute(
            update(handover).where(handover.c.id == number, handover.c.written_us.is_(None)).values(written_us=at_us)
        )


# ---- what is on record of it


class OnRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A message or a task that was handed out about somebody."""

    reference: str
    at_us: int
    campaign: str
    what: str
    #: NAME@VERSION.
    strategy: str
    segment: str
    #: ARM.TREATMENT.STEP.
    treatment: str
    template: str
    phones: tuple[int, ...]
    verdict: Verdict | None
    handed_by: str


def handed_out(connection: Connection, one: int, until_us: int) -> list[OnRecord]:
    """Return what was handed out about a person until an instant, oldest first."""
    query = (
        select(handed, handover.c.strategy, handover.c.handed_by)
        .join(handover, handover.c.id == handed.c.handover)
        .where(handed.c.person == one, handed.c.at_us <= until_us)
        .order_by(handed.c.at_us, handed.c.handover)
    )
    return [
        OnRecord(
            reference=reference(row.handover, row.place),
            at_us=row.at_us,
            campaign=row.campaign,
            what=row.what,
            strategy=row.strategy,
            segment=row.segment,
            treatment=f"{row.arm}.{row.step}",
            template=row.template,
            phones=from_ids(row.phones),
            verdict=None if row.verdict is None else _verdicts.decode(row.verdict),
            handed_by=row.handed_by,
        )
        for row in connection.execute(query)
    ]


def last_handover(connection: Connection, campaign: str, what: str) -> int:
    """Return the last hand-over of a campaign and kind.

    Raises
    ------
    BadInput
        When there is none.
    """
    query = select(func.max(handover.c.id)).where(handover.c.campaign == campaign, handover.c.what == what)
    number = connection.execute(query).scalar()
    if number is None:
        raise BadInput(f"due: {what} of campaign {campaign!r} was never handed out; leave --again out to do it")
    return int(number)


def lines(connection: Connection, number: int) -> list[Debtor]:
    """Return the lines of a hand-over in their order."""
    rows = connection.execute(select(handed).where(handed.c.handover == number).order_by(handed.c.place)).all()
    found: list[Debtor] = []
    for some in batches(rows):
        people = _people(connection, [row.person for row in some])
        owed = _owed(connection, {one for row in some for one in from_ids(row.debts)})
        digits = _digits(connection, {one for row in some for one in from_ids(row.phones)})
        for row in some:
            verdict = None if row.verdict is None else _verdicts.decode(row.verdict)
            debts = sorted((owed[one] for one in from_ids(row.debts)), key=lambda one: -one.balance_minor)
            currency = debts[0].currency
            who = people[row.person]
            found.append(
                Debtor(
                    reference=reference(number, row.place),
                    template=row.template,
                    language=who.language,
                    numbers=tuple(digits[one] for one in from_ids(row.phones) if one in digits),
                    ref=who.ref,
                    name=who.name,
                    street=who.street,
                    postal_code=who.postal_code,
                    city=who.city,
                    region=who.region,
                    country=who.country,
                    accounts=tuple((one.creditor, one.account) for one in debts),
                    balance_minor=sum(one.balance_minor for one in debts if one.currency == currency),
                    currency=currency,
                    due_on=min((one.due_on for one in debts if one.due_on), default=None),
                    valid_until_us=None if verdict is None else verdict.valid_until_us,
                    notices=() if verdict is None else verdict.notices,
                )
            )
    return found


def still_allowed(
    ledger: SqlLedger, gate: Gate, campaign: CampaignSettings, number: int, at_us: int
) -> tuple[set[str], dict[str, int]]:
    """Return which lines of a hand-over may be in its file if that is written again now, and why the others may not.

    A message is judged as if the hand-over had not been made, and not after the instant until which it was allowed.
    """
    with ledger.reading() as connection:
        what = connection.execute(select(handover.c.what).where(handover.c.id == number)).scalar_one()
        rows = connection.execute(select(handed).where(handed.c.handover == number).order_by(handed.c.place)).all()
    if what in TASKS:
        return {reference(number, row.place) for row in rows}, {}
    kept: set[str] = set()
    left_out = Counter[str]()
    own = f"due-{number}-"
    for some in batches(rows, STEP):
        with ledger.reading() as connection:
            people = {one.person: one for one in dossiers(connection, [row.person for row in some], at_us)}
        for row in some:
            first = _verdicts.decode(row.verdict)
            if first.valid_until_us is not None and at_us >= first.valid_until_us:
                left_out[LAPSED] += 1
                continue
            dossier = msgspec.structs.replace(
                people[row.person],
                history=tuple(one for one in people[row.person].history if not (one.attempt or "").startswith(own)),
                others=tuple(one for one in people[row.person].others if not (one.attempt or "").startswith(own)),
            )
            phones = from_ids(row.phones)
            to = next((each for each in dossier.phones if each.phone in phones), None)
            if phones and to is None:
                left_out[NO_NUMBER] += 1
                continue
            why_not = reason(judge(gate, campaign, CHANNELS[what], dossier, to, from_ids(row.debts), at_us))
            if why_not:
                left_out[why_not] += 1
            else:
                kept.add(reference(number, row.place))
    return kept, dict(left_out.most_common())


def _people(connection: Connection, persons: Sequence[int]) -> dict[int, Any]:
    names = ("id", "language", "ref", "name", "street", "postal_code", "city", "region", "country")
    query = select(*(person.c[name] for name in names)).where(person.c.id.in_(persons))
    return {row.id: row for row in connection.execute(query)}


def _owed(connection: Connection, debts: set[int]) -> dict[int, Any]:
    found: dict[int, Any] = {}
    for some in batches(sorted(debts)):
        query = (
            select(
                debt.c.id, debt.c.account, debt.c.balance_minor, debt.c.currency, debt.c.due_on,
                creditor.c.name.label("creditor"),
            )
            .join(creditor, creditor.c.id == debt.c.creditor)
            .where(debt.c.id.in_(some))
        )  # fmt: skip
        found |= {row.id: row for row in connection.execute(query)}
    return found


def _digits(connection: Connection, phones: set[int]) -> dict[int, str]:
    found: dict[int, str] = {}
    for some in batches(sorted(phones)):
        query = select(phone.c.id, phone.c.e164).where(phone.c.id.in_(some), phone.c.e164.is_not(None))
        found |= dict(connection.execute(query).all())
    return found
