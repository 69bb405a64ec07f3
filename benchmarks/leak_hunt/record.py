"""What the journal and the ledger's tables say of everybody who was contacted, as text and JSON; no code of the ledger.

Order is that of the commits: whoever writes about a person holds the person's cap key until the commit, so the numbers
of one person's history lines tell who wrote before whom, whatever clock each writer had.
"""

import json
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection, text

from benchmarks.leak_hunt.words import Debtor, Held, Line, Number

#: Before everything that the journal tells.
_FROM_THE_START = 0
_NEVER = 1 << 62


@dataclass(frozen=True)
class Contact:
    """One contact that left, or may have left."""

    id: str
    person: int
    channel: str
    phone: int | None
    debts: tuple[int, ...]
    #: Number of its own line in the history: what was on record before it has a lower one.
    order: int
    #: When it was reserved, and when it left.
    reserved_us: int
    at_us: int
    campaign: str
    mode: str
    agent_held: bool
    #: The list had it as a call that the debtor asked for.
    as_call_back: bool = False
    #: Nobody's list: an agent called by hand.
    by_hand: bool = False


@dataclass(frozen=True)
class Fault:
    """A contact that the journal itself shows to be wrong."""

    contact: str
    person: int
    at_us: int
    #: unreserved, denied, late, twice or stale.
    why: str


@dataclass(frozen=True)
class Written(Line):
    """One row of the history; its channel is empty where it tells of no contact."""

    order: int
    known_us: int
    detail: str


@dataclass(frozen=True)
class Standing:
    """A stop or consent, from one line of the history until another."""

    held: Held
    since: int
    until: int = _NEVER


class Record:
    """Everything about the people of one ledger that bears on the right to contact them."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.debtors = self._debtors()
        #: People who share a home with somebody; people who have a number.
        self.homes = self._groups("SELECT household, id FROM person WHERE household IS NOT NULL")
        self.users = self._groups("SELECT phone, person FROM person_phone")
        self.written = self._history()
        self.stops = self._stops()
        self.consents = self._consents()
        self.closed = self._closed()
        self.call_backs: dict[tuple[int, str], list[tuple[int, int, int | None]]] = defaultdict(list)
        for person, campaign, made_us, due_us, done_us in self._rows(
            "SELECT person, campaign, made_us, due_us, done_us FROM call_back"
        ):
            self.call_backs[person, campaign].append((made_us, due_us, done_us))
        #: Actor and purpose by campaign.
        self.campaigns: dict[str, tuple[str, str]] = {}
        self.faults: list[Fault] = []
        self.contacts: list[Contact] = []
        self.denials: dict[str, int] = defaultdict(int)
        self.restarts = 0
        self.n_stale = 0
        self._read_journal()
        self._read_messages()

    def _rows(self, query: str, **values: Any) -> Iterable[Any]:
        return self._connection.execute(text(query), values).all()

    def _groups(self, query: str) -> dict[int, set[int]]:
        found: dict[int, set[int]] = defaultdict(set)
        for group, member in self._rows(query):
            found[group].add(member)
        return found

    # ---- people

    def _debtors(self) -> dict[int, Debtor]:
        numbers: dict[int, dict[int, Number]] = defaultdict(dict)
        for person, phone, country, line_type, geographic, zones, address in self._rows(
            "SELECT t.person, p.id, p.country, p.line_type, p.geographic, p.zones, t.address_type "
            "FROM person_phone t JOIN phone p ON p.id = t.phone"
        ):
            numbers[person][phone] = Number(phone, country, line_type, bool(geographic), _names(zones), address)
        owed: dict[int, dict[int, int]] = defaultdict(dict)
        for person, debt, creditor in self._rows("SELECT person, id, creditor FROM debt"):
            owed[person][debt] = creditor
        return {
            person: Debtor(person, country, region, city, _names(zones), numbers[person], owed[person])
            for person, country, region, city, zones in self._rows(
                "SELECT id, country, region, city, address_zones FROM person"
            )
        }

    def _history(self) -> dict[int, list[Written]]:
        found: dict[int, list[Written]] = defaultdict(list)
        for person, debts, inbound, *rest in self._rows(
            "SELECT person, debts, inbound, id, event_us, known_us, event, channel, phone, address_type, creditor, "
            "attempt, detail FROM history ORDER BY id"
        ):
            order, event_us, known_us, event, channel, phone, address, creditor, attempt, detail = rest
            found[person].append(
                Written(
                    order=order,
                    at_us=event_us,
                    known_us=known_us,
                    event=event,
                    channel=channel or "",
                    inbound=bool(inbound),
                    phone=phone,
                    address_type=address,
                    creditor=creditor,
                    debts=_ids(debts),
                    attempt=attempt,
                    person=person,
                    detail=detail,
                )
            )
        return found

    def _stops(self) -> dict[int, list[Standing]]:
        found: dict[int, list[Standing]] = defaultdict(list)
        for person, kind, debt, phone, until_us, known_us, lifted_us in self._rows(
            "SELECT person, kind, debt, phone, until_us, known_us, lifted_us FROM stop"
        ):
            since = self._told(person, "stop", kind, known_us)
            until = _NEVER if lifted_us is None else self._told(person, "stop_lifted", kind, lifted_us)
            found[person].append(Standing(Held(kind, debt, phone, None, until_us), since, until))
        return found

    def _consents(self) -> dict[int, list[Standing]]:
        found: dict[int, list[Standing]] = defaultdict(list)
        for person, kind, channel, phone, until_us, known_us, revoked_us in self._rows(
            "SELECT person, kind, channel, phone, until_us, known_us, revoked_us FROM consent"
        ):
            since = self._told(person, "consent", kind, known_us)
            until = _NEVER if revoked_us is None else self._told(person, "consent_revoked", kind, revoked_us)
            found[person].append(Standing(Held(kind, None, phone, channel, until_us), since, until))
        return found

    def _told(self, person: int, event: str, detail: str, known_us: int) -> int:
        """Return the number of the line that first told of it; what came with the person has none."""
        for line in self.written[person]:
            if line.event == event and line.detail == detail and line.known_us == known_us:
                return line.order
        return _FROM_THE_START

    def _closed(self) -> dict[int, int]:
        """Return since which line each closed debt is closed."""
        found: dict[int, int] = {}
        for person, debt in self._rows("SELECT person, id FROM debt WHERE state != 'open'"):
            told = [
                line.order
                for line in self.written[person]
                if line.event == "stop" and line.detail in ("paid", "withdrawn") and debt in line.debts
            ]
            found[debt] = min(told, default=_FROM_THE_START)
        return found

    # ---- contacts

    def _read_journal(self) -> None:
        attempts = {
            call_id: (stream, keys)
            for call_id, stream, keys in self._rows("SELECT call_id, stream, cap_keys FROM attempt")
        }
        dialled = {
            line.attempt: line.order
            for lines in self.written.values()
            for line in reversed(lines)
            if line.attempt is not None and line.event == "dialed"
        }
        self._versions(attempts)
        for (stream,) in self._rows("SELECT stream FROM stream ORDER BY stream"):
            self._read_stream(stream, attempts, dialled)
        # Calls by hand: no engine, no journal.
        for call_id, person, phone, debts, campaign, mode, reserved_us, verdict in self._rows(
            "SELECT call_id, person, phone, debts, campaign, mode, reserved_us, verdict FROM attempt "
            "WHERE stream IS NULL"
        ):
            self.contacts.append(
                Contact(
                    id=call_id,
                    person=person,
                    channel="call",
                    phone=phone,
                    debts=_ids(debts),
                    order=dialled[call_id],
                    reserved_us=reserved_us,
                    at_us=reserved_us,
                    campaign=campaign,
                    mode=mode,
                    agent_held=True,
                    by_hand=True,
                )
            )
            self._judge_verdict(call_id, person, reserved_us, json.loads(verdict))

    def _versions(self, attempts: dict[str, tuple[str | None, str]]) -> None:
        """No two attempts may have been judged at one version of a key."""
        taken: dict[tuple[str, int], str] = {}
        people = dict(self._rows("SELECT call_id, person FROM attempt"))
        for call_id, (_, keys) in attempts.items():
            for key, version in json.loads(keys):
                if (key, version) in taken:
                    self.faults.append(Fault(call_id, people[call_id], 0, "stale"))
                taken[key, version] = call_id

    def _read_stream(self, stream: str, attempts: dict[str, tuple[str | None, str]], dialled: dict[str, int]) -> None:
        reserves: dict[str, tuple[int, dict[str, Any], bool]] = {}
        ordered: dict[str, tuple[int, dict[str, Any]]] = {}
        unsent: set[str] = set()
        #: Leads whose next call was asked for, whatever puts it off until one is made.
        wanted: set[tuple[str, int]] = set()
        for at_us, kind, payload in self._rows(
            "SELECT at_us, kind, payload FROM journal WHERE stream = :stream AND kind IN ('FloorOpened', 'Reserve', "
            "'Originate', 'NotSent', 'LeadScheduled', 'AttemptClosed', 'Judged', 'Stale') ORDER BY seq",
            stream=stream,
        ):
            told = json.loads(payload)
            match kind:
                case "FloorOpened":
                    self.restarts += 1
                    for one in told["settings"]["campaigns"]:
                        self.campaigns[one["name"]] = (
                            one.get("actor", "third_party"),
                            one.get("purpose", "collection"),
                        )
                case "LeadScheduled":
                    if told["why"] == "call_back":
                        wanted.add((told["campaign"], told["person"]))
                case "AttemptClosed":
                    if told.get("event") is not None:
                        wanted.discard((told["campaign"], told["person"]))
                case "Reserve":
                    asked_for = (told["campaign"], told["person"]) in wanted
                    reserves[told["call_id"]] = at_us, told, asked_for
                case "Originate":
                    if told["call_id"] in ordered:
                        self.faults.append(
                            Fault(told["call_id"], reserves[told["call_id"]][1]["person"], at_us, "twice")
                        )
                    ordered[told["call_id"]] = at_us, told
                case "NotSent":
                    unsent.add(told["call_id"])
                case "Judged":
                    if not told["verdict"]["allowed"]:
                        self.denials[told["verdict"].get("rule", "")] += 1
                case "Stale":
                    self.n_stale += 1
        self.restarts -= 1
        for call_id, (at_us, order) in ordered.items():
            if call_id in unsent:
                continue
            if call_id not in reserves or call_id not in attempts:
                person = reserves[call_id][1]["person"] if call_id in reserves else 0
                self.faults.append(Fault(call_id, person, at_us, "unreserved"))
                continue
            reserved_us, reserve, asked_for = reserves[call_id]
            judged = [[key, version + 1] for key, version in reserve["keys"]]
            if judged != json.loads(attempts[call_id][1]):
                self.faults.append(Fault(call_id, reserve["person"], at_us, "stale"))
            self._judge_verdict(call_id, reserve["person"], at_us, reserve["verdict"])
            if at_us >= order["valid_until_us"]:
                self.faults.append(Fault(call_id, reserve["person"], at_us, "late"))
            self.contacts.append(
                Contact(
                    id=call_id,
                    person=reserve["person"],
                    channel="call",
                    phone=reserve["phone"],
                    debts=tuple(reserve["debts"]),
                    order=dialled[call_id],
                    reserved_us=reserved_us,
                    at_us=at_us,
                    campaign=reserve["campaign"],
                    mode=reserve["mode"],
                    agent_held="agent" in reserve,
                    as_call_back=asked_for,
                )
            )

    def _judge_verdict(self, call_id: str, person: int, at_us: int, verdict: dict[str, Any]) -> None:
        if not verdict["allowed"]:
            self.faults.append(Fault(call_id, person, at_us, "denied"))
        elif at_us >= verdict.get("valid_until_us", _NEVER):
            self.faults.append(Fault(call_id, person, at_us, "late"))

    def _read_messages(self) -> None:
        campaigns = dict(self._rows("SELECT id, campaign FROM history WHERE event = 'message_sent'"))
        for person, lines in self.written.items():
            for line in lines:
                if line.event == "message_sent" and line.attempt is not None and line.channel:
                    self.contacts.append(
                        Contact(
                            id=line.attempt,
                            person=person,
                            channel=line.channel,
                            phone=line.phone,
                            debts=line.debts,
                            order=line.order,
                            reserved_us=line.known_us,
                            at_us=line.at_us,
                            campaign=campaigns[line.order],
                            mode="",
                            agent_held=False,
                        )
                    )

    def lines_before(self, person: int, order: int) -> list[Line]:
        """Return the contacts of a person on record before a line: one an attempt, at the rung that it had reached."""
        found: dict[str, Line] = {}
        undone: set[str] = set()
        for row in self.written[person]:
            if row.order >= order:
                break
            if row.event == "not_dialled":
                undone.add(row.attempt or "")
            if row.channel:
                key = row.attempt or f"imported {row.order}"
                # It counts from when it was dialled.
                found[key] = replace(row, at_us=found[key].at_us) if key in found else row
        return [line for key, line in found.items() if key not in undone]


def _names(column: str) -> tuple[str, ...]:
    return tuple(column.split(",")) if column else ()


def _ids(column: str) -> tuple[int, ...]:
    return tuple(int(one) for one in column.split(",")) if column else ()
