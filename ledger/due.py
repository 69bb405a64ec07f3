"""What a campaign's strategy has due besides calls: who may be written to now, what a clerk has to find out.

Law kept: a message passes the one gate, by its channel, on its number, in the debtor's own time. Looking keeps nothing;
`ledger.handover` hands out.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Final, NamedTuple

import msgspec
from sqlalchemy import Connection, func, select

from compliance.gate import Gate
from domain.instants import DAY, midnight_us, to_datetime
from domain.people import Dossier, Phone, Verdict
from domain.settings import CampaignSettings
from ledger import score_fields
from ledger.people import dossiers, from_ids
from ledger.reservations import batches
from ledger.schema import handed, handover, person, person_phone, phone
from ledger.store import SqlLedger
from ledger.strategic import Made, list_of, wanted
from strategy.documents import TASKS, WRITTEN
from strategy.due import Budget, Due, due
from strategy.fields import day_number
from strategy.listing import numbers_of

#: As the rules call the channels of documents.
CHANNELS: Final = {"sms": "sms", "email": "email", "messaging": "im", "letter": "letter"}
_TO_A_NUMBER: Final = ("sms", "messaging")
#: Which contact a task is done for: where law would never allow that one, the task is idle work with somebody's data.
_SERVES: Final = {"number_research": "call", "address_research": "letter"}
#: Lines that show no text.
_MUTE: Final = ("fixed", "toll_free")
#: Reasons beside the rules of the packs.
NO_NUMBER, NO_ADDRESS = "no_number", "no_address"
#: People who are looked at together.
STEP: Final = 100

Progress = Callable[[str, int, int], None]


class Messages(msgspec.Struct, frozen=True, kw_only=True):
    """What is due by one channel."""

    #: In a step by this channel that was not handed out to them yet.
    due: int
    #: Of those, who may be written to now and is within the budget; and by template and language.
    ready: int
    texts: dict[str, dict[str, int]]
    over_budget: int
    #: Why the others may not be written to now: by rule, or `no_number`, `no_address`.
    not_now: dict[str, int]
    #: Messages a day, None: no budget; and what was handed out today before.
    budget: int | None
    handed_today: int


class Tasks(msgspec.Struct, frozen=True, kw_only=True):
    """What is due of one task."""

    #: In a step of this task that was not handed out for them yet; who may be, and by rule why the others may not.
    due: int
    ready: int
    not_now: dict[str, int]
    #: Handed out, still in that step, and nothing came of it yet; and since which day the first of them.
    in_hand: int
    since: str | None
    #: Of all who are worked by the campaign and were handed out: with a number that was not on record then.
    found: int


class Unfinished(msgspec.Struct, frozen=True, kw_only=True):
    """A hand-over that is on record, and whose file never became whole."""

    handover: int
    what: str
    at_us: int
    lines: int


class Found(msgspec.Struct, frozen=True, kw_only=True):
    campaign: str
    strategy: str
    at_us: int
    messages: dict[str, Messages]
    tasks: dict[str, Tasks]
    #: Held out by lot: in none of these.
    held_out: int
    unfinished: list[Unfinished]


class Judged(NamedTuple):
    due: Due
    dossier: Dossier
    debts: tuple[int, ...]
    phones: tuple[int, ...]
    verdict: Verdict | None
    #: Why not now; empty: it may go.
    reason: str


class Work:
    """Who is due in a campaign at an instant; made for one question, for it reads everybody.

    Parameters
    ----------
    now : callable, optional
        Returns the instant at which somebody is judged, microseconds UTC; without it, that of the question.
    """

    def __init__(
        self,
        ledger: SqlLedger,
        gate: Gate,
        campaign: CampaignSettings,
        at_us: int,
        zone: str,
        now: Callable[[], int] | None = None,
    ) -> None:
        self.ledger, self.gate, self.campaign, self.at_us, self.zone = ledger, gate, campaign, at_us, zone
        self.now = now or (lambda: at_us)
        with ledger.reading() as connection:
            scores = score_fields.serving(ledger.reading, connection, at_us, wanted(campaign))
            self.made: Made = list_of(connection, campaign, at_us, zone, scores)
        self.listing = self.made.listing
        self.due = due(self.listing)

    def person(self, one: Due) -> int:
        return int(self.listing.person[one.row])

    def not_done(self, connection: Connection, what: str) -> list[Due]:
        """Return who is due and was not handed out yet."""
        listed = self.due.get(what, [])
        if not listed:
            return []
        # Nobody was handed out for a step before he came into its segment; a day for zones.
        first_us = (min(one.since_day for one in listed) - 1) * DAY
        done = {tuple(row) for row in connection.execute(
            select(handed.c.person, handed.c.step, handed.c.since_day).where(
                handed.c.campaign == self.campaign.name, handed.c.what == what, handed.c.at_us >= first_us
            )
        )}  # fmt: skip
        return [one for one in listed if (self.person(one), one.step, one.since_day) not in done]

    def budget(self, connection: Connection, what: str) -> tuple[Budget, int]:
        """Return what is left of a channel's budget today, and how many were handed out today."""
        today_us = midnight_us(to_datetime(self.at_us, self.zone).date(), self.zone)
        query = select(handed.c.arm, func.count()).where(
            handed.c.campaign == self.campaign.name, handed.c.what == what, handed.c.at_us >= today_us
        )
        by_arm: dict[str, int] = dict(connection.execute(query.group_by(handed.c.arm)).all())
        return Budget(self.listing.strategy, what, by_arm), sum(by_arm.values())

    def judged(self, what: str, some: Sequence[Due]) -> Iterator[Judged]:
        """Yield whether some may be handed out now, each with the dossier as it stands."""
        persons = [self.person(one) for one in some]
        at_us = self.now()
        with self.ledger.reading() as connection:
            people = {one.person: one for one in dossiers(connection, persons, at_us)}
            there = _addressed(connection, persons) if what == "letter" else frozenset()
            known = _dialable(connection, persons) if what in _TO_A_NUMBER else frozenset()
        today = day_number(to_datetime(self.at_us, self.zone).date().isoformat())
        for one, who in zip(some, persons, strict=True):
            if (dossier := people.get(who)) is None:
                continue
            debts = self.made.debts(one.row)
            if what in TASKS:
                known_phones = tuple(each.phone for each in dossier.phones)
                yield Judged(one, dossier, debts, known_phones, None, self._idle(what, dossier, debts, at_us))
                continue
            phones: list[Phone | None] = [None]
            if what in _TO_A_NUMBER:
                places = {number: place for place, number in enumerate(numbers_of(one.what.numbers, dossier, today))}
                ordered = sorted(dossier.phones, key=lambda each: places.get(each.phone, 0))
                phones = [each for each in ordered if each.phone in known and each.line_type not in _MUTE]
            if not phones or (what == "letter" and who not in there):
                yield Judged(one, dossier, debts, (), None, NO_NUMBER if not phones else NO_ADDRESS)
                continue
            to, verdict = self._first_allowed(what, dossier, debts, phones, at_us)
            yield Judged(one, dossier, debts, () if to is None else (to.phone,), verdict, reason(verdict))

    def _idle(self, what: str, dossier: Dossier, debts: tuple[int, ...], at_us: int) -> str:
        """Return the rule that never lets the contact be which a task is done for; empty: it may be, now or later."""
        if what not in _SERVES:
            return ""
        verdict = judge(self.gate, self.campaign, _SERVES[what], dossier, None, debts, at_us)
        return "" if verdict.next_allowed_at_us is not None else reason(verdict)

    def _first_allowed(
        self, what: str, dossier: Dossier, debts: tuple[int, ...], phones: Sequence[Phone | None], at_us: int
    ) -> tuple[Phone | None, Verdict]:
        """Return the first number that may be written to, or the first of all with why not."""
        channel = CHANNELS[what]
        told = [(each, judge(self.gate, self.campaign, channel, dossier, each, debts, at_us)) for each in phones]
        return next((one for one in told if one[1].allowed), told[0])


def judge(
    gate: Gate,
    campaign: CampaignSettings,
    channel: str,
    dossier: Dossier,
    to: Phone | None,
    debts: tuple[int, ...],
    at_us: int,
) -> Verdict:
    """Return whether a campaign's contact through a channel of the rules may leave at an instant."""
    return gate.judge(
        dossier,
        at_us=at_us,
        channel=channel,
        phone=to,
        debts=debts,
        actor=campaign.actor,
        purpose=campaign.purpose,
    )


def look(work: Work, only: str = "", progress: Progress | None = None) -> Found:
    """Return what is due, of one channel or task or of all; nothing is kept."""
    with work.ledger.reading() as connection:
        open_ = unfinished(connection, work.campaign.name)
    asked = [what for what in (*WRITTEN, *TASKS) if what in work.due and only in ("", what)]
    return Found(
        campaign=work.campaign.name,
        strategy=work.listing.strategy.word,
        at_us=work.at_us,
        messages={what: _messages(work, what, progress) for what in asked if what in WRITTEN},
        tasks={what: _tasks(work, what) for what in asked if what in TASKS},
        held_out=int((work.listing.arm < 0).sum()),
        unfinished=open_,
    )


def _messages(work: Work, what: str, progress: Progress | None) -> Messages:
    with work.ledger.reading() as connection:
        budget, today = work.budget(connection, what)
        waiting = work.not_done(connection, what)
    not_now, ready, over = Counter[str](), 0, 0
    texts: dict[str, Counter[str]] = {}
    for some in batches(waiting, STEP):
        for one in work.judged(what, some):
            if one.reason:
                not_now[one.reason] += 1
            elif not budget.take(one.due.arm):
                over += 1
            else:
                ready += 1
                texts.setdefault(one.due.what.template, Counter())[one.dossier.language] += 1
        if progress is not None:
            progress(what, ready + over + sum(not_now.values()), len(waiting))
    return Messages(
        due=len(waiting),
        ready=ready,
        texts={template: dict(sorted(count.items())) for template, count in sorted(texts.items())},
        over_budget=over,
        not_now=dict(not_now.most_common()),
        budget=budget.of_campaign,
        handed_today=today,
    )


def _tasks(work: Work, what: str) -> Tasks:
    with work.ledger.reading() as connection:
        waiting = work.not_done(connection, what)
        query = (
            select(handed.c.person, handed.c.step, handed.c.since_day, handed.c.at_us, handed.c.phones)
            .where(handed.c.campaign == work.campaign.name, handed.c.what == what)
            .order_by(handed.c.at_us)
        )
        last = {row.person: row for row in connection.execute(query)}
        worked = set(work.listing.person.tolist())
        numbers = _numbers(connection, [one for one in last if one in worked])
    now = {(work.person(one), one.step, one.since_day) for one in work.due[what]}
    found = {one for one in numbers if numbers[one] - set(from_ids(last[one].phones))}
    in_hand = [
        row for one, row in last.items() if one not in found and (row.person, row.step, row.since_day) in now
    ]  # fmt: skip
    since_us = min((row.at_us for row in in_hand), default=None)
    not_now = Counter(one.reason for some in batches(waiting, STEP) for one in work.judged(what, some) if one.reason)
    return Tasks(
        due=len(waiting),
        ready=len(waiting) - not_now.total(),
        not_now=dict(not_now.most_common()),
        in_hand=len(in_hand),
        since=None if since_us is None else to_datetime(since_us, work.zone).date().isoformat(),
        found=len(found),
    )


def reason(verdict: Verdict) -> str:
    return "" if verdict.allowed else str(verdict.rule)


def unfinished(connection: Connection, campaign: str, what: str = "") -> list[Unfinished]:
    lines_of = select(func.count()).where(handed.c.handover == handover.c.id).scalar_subquery()
    query = select(handover.c.id, handover.c.what, handover.c.at_us, lines_of).where(
        handover.c.campaign == campaign, handover.c.written_us.is_(None)
    )
    if what:
        query = query.where(handover.c.what == what)
    return [
        Unfinished(handover=number, what=kind, at_us=at_us, lines=n)
        for number, kind, at_us, n in connection.execute(query.order_by(handover.c.id))
    ]


def _addressed(connection: Connection, persons: Sequence[int]) -> frozenset[int]:
    """Return who has a postal address and a name to write on it."""
    query = select(person.c.id).where(person.c.id.in_(persons), person.c.street != "", person.c.name != "")
    return frozenset(connection.execute(query).scalars())


def _dialable(connection: Connection, persons: Sequence[int]) -> frozenset[int]:
    """Return the phones of people that are usable and whose digits are on record."""
    query = (
        select(phone.c.id)
        .join(person_phone, person_phone.c.phone == phone.c.id)
        .where(person_phone.c.person.in_(persons), person_phone.c.status == "usable", phone.c.e164.is_not(None))
    )
    return frozenset(connection.execute(query).scalars())


def _numbers(connection: Connection, persons: Sequence[int]) -> dict[int, set[int]]:
    found: dict[int, set[int]] = {}
    for some in batches(persons):
        query = select(person_phone.c.person, person_phone.c.phone).where(
            person_phone.c.person.in_(some), person_phone.c.status != "withdrawn"
        )
        for one, number in connection.execute(query):
            found.setdefault(one, set()).add(number)
    return found
