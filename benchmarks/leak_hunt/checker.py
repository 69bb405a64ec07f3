"""Hold every contact that left against the law and against what was on record when it was decided."""

from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import Connection

from benchmarks.leak_hunt.law import Law
from benchmarks.leak_hunt.record import Contact, Record, Standing
from benchmarks.leak_hunt.words import Asked, Held, Line

_REPLY = "reply_to_debtor"


@dataclass(frozen=True)
class Breach:
    #: windows, caps, cooldowns, stops, paid, consents or agents; or order: the journal alone shows it.
    kind: str
    #: Row of the packs; of kind order: unreserved, denied, late, twice or stale.
    rule: str
    at_us: int
    person: int
    #: The contact, then those that it came on top of.
    attempts: tuple[str, ...]


@dataclass
class Report:
    contacts: int
    calls: int
    messages: int
    by_hand: int
    call_backs: int
    denials: dict[str, int]
    stale: int
    restarts: int
    breaches: list[Breach]


def check(connection: Connection, law: Law) -> Report:
    """Return what a ledger holds and what is wrong with it."""
    record = Record(connection)
    breaches = [Breach("order", fault.why, fault.at_us, fault.person, (fault.contact,)) for fault in record.faults]
    for contact in record.contacts:
        breaches += _breaches(record, law, contact)
    return Report(
        contacts=len(record.contacts),
        calls=sum(one.channel == "call" for one in record.contacts),
        messages=sum(one.channel != "call" for one in record.contacts),
        by_hand=sum(one.by_hand for one in record.contacts),
        call_backs=sum(one.as_call_back for one in record.contacts),
        denials=dict(record.denials),
        stale=record.n_stale,
        restarts=record.restarts,
        breaches=breaches,
    )


def _breaches(record: Record, law: Law, contact: Contact) -> Iterator[Breach]:
    asked = ask(record, contact)
    for denial in law.denials(asked, contact.at_us):
        attempts = (contact.id, *(one for one in denial.attempts if one != contact.id))
        yield Breach(denial.kind, denial.rule, contact.at_us, contact.person, attempts)


def ask(record: Record, contact: Contact) -> Asked:
    """Return a contact with all that was on record when it was reserved."""
    debtor, order = record.debtors[contact.person], contact.order
    actor, purpose = record.campaigns[contact.campaign]
    if contact.as_call_back and _was_asked_for(record, contact):
        purpose = _REPLY
    lines: list[Line] = record.lines_before(contact.person, order)
    # What was sent to others counts where a rule goes by number or household.
    sharing = record.users.get(contact.phone or 0, set()) - {contact.person}
    home = {one for people in record.homes.values() if contact.person in people for one in people} - {contact.person}
    for other in sorted(sharing | home):
        lines += record.lines_before(other, order)
    return Asked(
        debtor=debtor,
        channel=contact.channel,
        number=debtor.numbers.get(contact.phone or 0),
        debts=contact.debts,
        actor=actor,
        purpose=purpose,
        guaranteed=contact.agent_held or contact.mode in ("preview", "progressive"),
        agent_held=contact.agent_held,
        closed=frozenset(debt for debt in contact.debts if record.closed.get(debt, order) < order),
        stops=_standing(record.stops[contact.person], order),
        consents=_standing(record.consents[contact.person], order),
        lines=tuple(lines),
        home=frozenset(home),
        sharing=frozenset(sharing),
    )


def _was_asked_for(record: Record, contact: Contact) -> bool:
    """Return whether the debtor had asked to be called by now, and had not been since."""
    return any(
        max(made_us, due_us) <= contact.reserved_us and (done_us is None or done_us >= contact.reserved_us)
        for made_us, due_us, done_us in record.call_backs[contact.person, contact.campaign]
    )


def _standing(known: list[Standing], order: int) -> tuple[Held, ...]:
    return tuple(one.held for one in known if one.since < order <= one.until)
