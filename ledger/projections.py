"""Which record writes which tables, beside its journal row and in the same transaction.

====================  ==================================================================================================
record                tables
====================  ==================================================================================================
Reserve, granted      attempt; history `dialed`; its cap keys + 1
Reserve, stale        none: the journal alone tells of it, and of whatever follows for that call id
Ringing               attempt: phase and instant, if it was only originated until then
CallMoved             attempt: phase, agent, the instants that the phase tells
CallClassed           attempt: answer class
Disposed              attempt.recorded: what the agent said, until the attempt closes
AttemptClosed         attempt: phase, end; outcome; without an event: history `not_dialled`; with one: history, the
                      attempt's cap keys + 1, change, call_back done, and what the disposition brings: stop, consent,
                      person_phone.status, promise, call_back
Judged, denied        denial
AgentShifted          agent_state
FloorOpened,          campaign
CampaignShifted
====================  ==================================================================================================

Nothing else bumps a key. The engine counts the same bumps on its own copy, so the floor that wrote learns nothing from
`change`; other floors do.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Connection, Table, bindparam, insert, select, update

from domain.calls import CampaignState, Disposition, Phase
from domain.events import Disposed, FloorOpened, Ringing
from domain.facts import (
    AgentShifted,
    AttemptClosed,
    CallClassed,
    CallMoved,
    CampaignShifted,
    Judged,
)
from domain.orders import Originate, Reserve
from domain.people import CapKey, ContactEvent, consents_after, stops_after
from domain.records import Row
from ledger.people import NOT_DIALLED, from_ids, ids
from ledger.progress import Progress
from ledger.reservations import announce, batches, bump, compare, overwrite
from ledger.schema import (
    agent_state,
    attempt,
    call_back,
    campaign,
    denial,
    history,
    outcome,
    person_phone,
    promise,
)
from ledger.standing import put_consents, put_stops

_json = msgspec.json.Encoder()
_keys = msgspec.json.Decoder(tuple[CapKey, ...])
_disposed = msgspec.json.Decoder(Disposed)

#: What the history says of a promise whose sum settles the debt.
SETTLES = "settles"
#: What a disposition says of the number.
_NUMBER_STATUS = {Disposition.wrong_party: "wrong_party", Disposition.not_in_service: "not_in_service"}


#: Which reservations stood: the keys one version on, or None.
Grants = dict[str, tuple[CapKey, ...] | None]


class Known(NamedTuple):
    """What a batch needs to know of an attempt reserved earlier, or in the same batch."""

    campaign: str
    person: int
    phone: int
    debts: tuple[int, ...]
    keys: tuple[str, ...]
    reserved_us: int
    recorded: Disposed | None
    closed: bool


def known_attempts(connection: Connection, rows: Iterable[Row]) -> dict[str, Known]:
    """Return the attempts on record of which these rows speak."""
    wanted = dict.fromkeys(row.record.call_id for row in rows if isinstance(row.record, Disposed | AttemptClosed))
    found: dict[str, Known] = {}
    for batch in batches(wanted):
        query = select(
            attempt.c.call_id,
            attempt.c.campaign,
            attempt.c.person,
            attempt.c.phone,
            attempt.c.debts,
            attempt.c.cap_keys,
            attempt.c.reserved_us,
            attempt.c.recorded,
            attempt.c.phase,
        ).where(attempt.c.call_id.in_(batch))
        for call_id, name, one, number, debts, keys, reserved_us, recorded, phase in connection.execute(query):
            found[call_id] = Known(
                campaign=name,
                person=one,
                phone=number,
                debts=from_ids(debts),
                keys=tuple(cap.key for cap in _keys.decode(keys)),
                reserved_us=reserved_us,
                recorded=None if recorded is None else _disposed.decode(recorded),
                closed=phase == Phase.closed,
            )
    return found


def attempt_row(order: Reserve, keys: tuple[CapKey, ...], at_us: int, place: tuple[str, int] | None) -> dict[str, Any]:
    """Return the attempt of a granted reservation; `place` is the stream and number of its journal row."""
    return {
        "call_id": order.call_id,
        "stream": None if place is None else place[0],
        "seq": None if place is None else place[1],
        "campaign": order.campaign,
        "person": order.person,
        "phone": order.phone,
        "debts": ids(order.debts),
        "mode": order.mode,
        "node": order.node,
        "trunk": order.trunk,
        "caller_id": order.caller_id,
        "ordinal": order.ordinal,
        "held_agent": order.agent,
        "p_answer": order.p_answer,
        "arm": None if order.choice is None else order.choice.arm,
        "p_arm": None if order.choice is None else order.choice.p_arm,
        "score_version": order.score_version,
        "rules": order.verdict.rules,
        "verdict": _json.encode(order.verdict).decode(),
        "cap_keys": _json.encode(keys).decode(),
        "phase": Phase.reserving,
        "reserved_us": at_us,
    }


def dialled_row(order: Reserve, at_us: int) -> dict[str, Any]:
    """Return the line of the history that a granted reservation writes."""
    return _line(order, order.call_id, ContactEvent.dialed, at_us, at_us)


def _line(
    of: Known | Reserve,
    call_id: str,
    event: str,
    event_us: int,
    known_us: int,
    detail: str = "",
    *,
    contact: bool = True,
    said: Disposed | None = None,
) -> dict[str, Any]:
    """Return a line of the history about an attempt; with a channel if it is a contact that law may count."""
    return {
        "event_us": event_us,
        "known_us": known_us,
        "person": of.person,
        "debts": ids(of.debts),
        "phone": of.phone,
        "campaign": of.campaign,
        "channel": "call" if contact else None,
        "event": event,
        "attempt": call_id,
        "detail": detail,
        "amount_minor": None if said is None else said.amount_minor,
        "currency": None if said is None else said.currency,
        "due_on": None if said is None else said.due_on,
    }


class Projection:
    """Gathers what one batch writes, row by row, and writes it table by table."""

    def __init__(self, stream: str, known: dict[str, Known], standing: dict[str, int]) -> None:
        #: How the batch's reservations were answered.
        self.grants: Grants = {}
        self._stream = stream
        self._known = known
        self._standing = standing
        self._inserts: dict[Table, list[dict[str, Any]]] = defaultdict(list)
        self._progress = Progress()
        self._campaigns: list[dict[str, Any]] = []
        self._campaign_states: list[dict[str, Any]] = []
        self._tried: list[dict[str, Any]] = []
        self._stops: list[dict[str, Any]] = []
        self._consents: list[dict[str, Any]] = []
        self._numbers: list[dict[str, Any]] = []
        self._bumped: list[str] = []
        self._news: list[int] = []
        self._known_us = 0

    def take(self, row: Row) -> None:
        handler = _HANDLERS.get(type(row.record))
        if handler is not None:
            handler(self, row, row.record)
        self._known_us = row.at_us

    @property
    def lines(self) -> list[dict[str, Any]]:
        """The lines of the history that are to be written."""
        return self._inserts[history]

    def write(self, connection: Connection) -> None:
        """Write everything, in the order that the locks need."""
        bump(connection, self._bumped)
        self._insert(connection, attempt)
        self._progress.write(connection)
        if self._tried:
            connection.execute(_TRIED, self._tried)
        for table in (outcome, history, denial, agent_state, promise, call_back):
            self._insert(connection, table)
        put_stops(connection, self._stops)
        put_consents(connection, self._consents)
        if self._numbers:
            connection.execute(_NUMBERS, self._numbers)
        overwrite(connection, campaign, self._campaigns, keep=("state", "why"))
        if self._campaign_states:
            connection.execute(_CAMPAIGN_STATES, self._campaign_states)
        announce(connection, self._news, self._known_us, self._stream)

    def _insert(self, connection: Connection, table: Table) -> None:
        if rows := self._inserts[table]:
            connection.execute(insert(table), rows)

    # ---- by record

    def _reserve(self, row: Row, order: Reserve) -> None:
        keys = self.grants[order.call_id] = compare(order.keys, self._standing)
        if keys is None:
            return
        self._known[order.call_id] = Known(
            campaign=order.campaign,
            person=order.person,
            phone=order.phone,
            debts=order.debts,
            keys=tuple(cap.key for cap in keys),
            reserved_us=row.at_us,
            recorded=None,
            closed=False,
        )
        self._bumped.extend(cap.key for cap in keys)
        self._inserts[attempt].append(attempt_row(order, keys, row.at_us, (row.stream, row.seq)))
        self._inserts[history].append(dialled_row(order, row.at_us))

    def _originate(self, row: Row, order: Originate) -> None:
        # The order itself begins the phase, as the network's word does: no fact says so once more.
        self._progress.move(order.call_id, Phase.originating, row.at_us)

    def _ringing(self, row: Row, event: Ringing) -> None:
        self._progress.ring(event.call_id, row.at_us)

    def _call_moved(self, row: Row, fact: CallMoved) -> None:
        self._progress.move(fact.call_id, fact.phase, row.at_us)
        if fact.agent is not None:
            self._progress.note(fact.call_id, agent=fact.agent)

    def _call_classed(self, row: Row, fact: CallClassed) -> None:
        said = {"answer_class": fact.answer_class, "class_why": fact.why, "wait_us": fact.wait_us}
        self._progress.note(fact.call_id, **said)

    def _disposed(self, row: Row, event: Disposed) -> None:
        known = self._known.get(event.call_id)
        if known is None or known.closed:
            return
        self._known[event.call_id] = known._replace(recorded=event)
        self._progress.note(event.call_id, recorded=_json.encode(event).decode())

    def _attempt_closed(self, row: Row, fact: AttemptClosed) -> None:
        known = self._known.get(fact.call_id)
        if known is None:
            return  # never granted
        self._known[fact.call_id] = known._replace(closed=True)
        self._progress.move(fact.call_id, Phase.closed, row.at_us)
        at_us = row.at_us
        self._inserts[outcome].append(
            {
                "call_id": fact.call_id,
                "at_us": at_us,
                "disposition": fact.disposition,
                "event": fact.event,
                "ring_us": fact.ring_us,
                "talk_us": fact.talk_us,
                "wrap_us": fact.wrap_us,
                "q850": fact.q850,
                "sip": fact.sip,
            }
        )
        if fact.event is None:
            self._inserts[history].append(
                _line(known, fact.call_id, NOT_DIALLED, known.reserved_us, at_us, fact.disposition)
            )
            return
        self._bumped.extend(known.keys)
        for key in known.keys:
            self._standing[key] += 1
        self._news.append(known.person)
        self._tried.append({"of": known.person, "within": known.campaign, "at": known.reserved_us, "by": fact.call_id})
        # The conversation was over when the wrap-up began. `dialed` is on record since the reservation.
        event_us = at_us - (fact.wrap_us or 0)
        if fact.event != ContactEvent.dialed:
            self._inserts[history].append(_line(known, fact.call_id, fact.event, event_us, at_us, fact.disposition))
        self._follow(known, fact, event_us, at_us)

    def _follow(self, known: Known, fact: AttemptClosed, event_us: int, at_us: int) -> None:
        """Write what a disposition brings."""
        call_id, disposition = fact.call_id, fact.disposition
        lines = self._inserts[history]
        for one in stops_after(disposition, known.phone, known.debts):
            self._stops.append(
                {
                    "person": known.person,
                    "kind": one.kind,
                    "debt": one.debt,
                    "phone": one.phone,
                    "event_us": event_us,
                    "known_us": at_us,
                    "until_us": one.until_us,
                    "source": "attempt",
                    "why": disposition,
                    "call_id": call_id,
                }
            )
            lines.append(_line(known, call_id, "stop", event_us, at_us, one.kind, contact=False))
        if status := _NUMBER_STATUS.get(disposition):
            self._numbers.append({"of": known.person, "number": known.phone, "status_": status})
        said = known.recorded
        if said is None or said.disposition is not disposition:
            return
        if said.amount_minor is not None:
            self._inserts[promise].append(
                {
                    "call_id": call_id,
                    "kind": disposition,
                    "person": known.person,
                    "debt": said.debt,
                    "amount_minor": said.amount_minor,
                    "currency": said.currency,
                    "due_on": said.due_on,
                    "instalments": said.instalments or 1,
                    "made_us": said.at_us,
                    "agent": said.agent,
                    "campaign": known.campaign,
                }
            )
            detail = SETTLES if said.settles else ""
            lines.append(_line(known, call_id, disposition, said.at_us, at_us, detail, contact=False, said=said))
        if said.call_back_us is not None:
            for given in consents_after(disposition, at_us):
                self._consents.append(
                    {
                        "person": known.person,
                        "kind": given.kind,
                        "channel": given.channel,
                        "phone": given.phone,
                        "event_us": said.at_us,
                        "known_us": at_us,
                        "until_us": given.until_us,
                        "source": "attempt",
                    }
                )
                lines.append(_line(known, call_id, "consent", said.at_us, at_us, given.kind, contact=False))
            self._inserts[call_back].append(
                {
                    "call_id": call_id,
                    "person": known.person,
                    "campaign": known.campaign,
                    "due_us": said.call_back_us,
                    "agent": said.agent if said.own else None,
                    "made_us": said.at_us,
                }
            )
            lines.append(_line(known, call_id, "call_back", said.at_us, at_us, contact=False))

    def _judged(self, row: Row, fact: Judged) -> None:
        verdict = fact.verdict
        if verdict.allowed:
            return
        self._inserts[denial].append(
            {
                "stream": row.stream,
                "seq": row.seq,
                "at_us": row.at_us,
                "campaign": fact.campaign,
                "person": fact.person,
                "phone": fact.phone,
                "rule": verdict.rule,
                "local_time": verdict.local_time,
                "next_allowed_at_us": verdict.next_allowed_at_us,
                "rules": verdict.rules,
                "verdict": _json.encode(verdict).decode(),
            }
        )

    def _agent_shifted(self, row: Row, fact: AgentShifted) -> None:
        self._inserts[agent_state].append(
            {
                "stream": row.stream,
                "seq": row.seq,
                "at_us": row.at_us,
                "agent": fact.agent,
                "state": fact.state,
                "reason": fact.reason,
                "call_id": fact.call_id,
            }
        )

    def _floor_opened(self, row: Row, event: FloorOpened) -> None:
        self._campaigns += [
            {
                "campaign": settings.name,
                "stream": row.stream,
                "settings": _json.encode(settings).decode(),
                "state": CampaignState.stopped,
                "why": "",
                "changed_us": row.at_us,
            }
            for settings in event.settings.campaigns
        ]

    def _campaign_shifted(self, row: Row, fact: CampaignShifted) -> None:
        self._campaign_states.append({"of": fact.campaign, "state_": fact.state, "why_": fact.why, "at": row.at_us})


_TRIED = (
    update(call_back)
    .where(
        call_back.c.person == bindparam("of"),
        call_back.c.campaign == bindparam("within"),
        call_back.c.done_us.is_(None),
        call_back.c.due_us <= bindparam("at"),
    )
    .values(done_us=bindparam("at"), done_call_id=bindparam("by"))
)
_NUMBERS = (
    update(person_phone)
    .where(person_phone.c.person == bindparam("of"), person_phone.c.phone == bindparam("number"))
    .values(status=bindparam("status_"))
)
_CAMPAIGN_STATES = (
    update(campaign)
    .where(campaign.c.campaign == bindparam("of"))
    .values(state=bindparam("state_"), why=bindparam("why_"), changed_us=bindparam("at"))
)

_HANDLERS: dict[type, Callable[[Projection, Row, Any], None]] = {
    Reserve: Projection._reserve,
    Originate: Projection._originate,
    Ringing: Projection._ringing,
    CallMoved: Projection._call_moved,
    CallClassed: Projection._call_classed,
    Disposed: Projection._disposed,
    AttemptClosed: Projection._attempt_closed,
    Judged: Projection._judged,
    AgentShifted: Projection._agent_shifted,
    FloorOpened: Projection._floor_opened,
    CampaignShifted: Projection._campaign_shifted,
}
