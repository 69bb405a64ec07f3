"""Caps and cool-downs as stretches of time in which a history forbids the next contact.

What a cap counts leaves its span at an instant that depends on the line alone, so every cap reduces to one number: when
the contact that is one too many falls out of the span. A cool-down is a cap of one. Local dates are those of the
strictest candidate zone. Adding lines can only add to these stretches or lengthen them.
"""

from collections.abc import Iterable

import msgspec

from compliance.rows import EXCLUDED_CONSENTS, EXCLUDED_EVENTS, Cap, Cooldown, Span
from compliance.zones import Zones
from domain.instants import DAY, HOUR
from domain.people import NOT_CONNECTED, ContactEvent, Dossier, PastContact

#: From when, until when (excluded), which rule.
Block = tuple[int, int, str]
FOREVER = 1 << 62

_EVERY = frozenset(ContactEvent)
CONTACTS = frozenset({ContactEvent.right_party_contact, ContactEvent.message_delivered})
#: An attempt of ours that stands here may be, or may have been, a contact: nobody knows yet, or nobody recorded it.
PERHAPS_CONTACTS = frozenset({ContactEvent.dialed, ContactEvent.answered, ContactEvent.message_sent})
_COUNTED: dict[str, frozenset[ContactEvent]] = {
    "attempts": _EVERY,
    # An attempt without an outcome may yet connect, or has: it counts.
    "connected_attempts": _EVERY - NOT_CONNECTED,
    "contacts": CONTACTS,
    "messages": frozenset({ContactEvent.message_sent, ContactEvent.message_delivered, ContactEvent.voicemail_left}),
    "distinct_channels": _EVERY,
}
_TRIGGERS: dict[str, frozenset[ContactEvent]] = {
    "attempt": _EVERY,
    "contact": CONTACTS,
    "abandoned": frozenset({ContactEvent.abandoned}),
    "amd_machine": frozenset({ContactEvent.amd_machine}),
    # Whether a machine was none is learnt too late to be on record: every detection may have been wrong.
    "amd_false_positive": frozenset({ContactEvent.amd_machine}),
    "message_sent": frozenset({ContactEvent.message_sent, ContactEvent.message_delivered}),
}
#: Triggers that the debtor may set off as well.
_EITHER_SIDE = frozenset({"contact"})
_WEEKDAYS = {"mon": 0, "sun": 6}


class Counter(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """A cap, or a cool-down as a cap of one, ready to count."""

    rule: str
    #: `cap` or `cooldown`.
    kind: str
    #: What is counted, for the reader.
    counts: str
    limit: int
    #: As `compliance.zones.Zones.release` takes it.
    span: str
    n: int
    events: frozenset[ContactEvent]
    #: Counted of our own attempts alone, not of imported history.
    own_events: frozenset[ContactEvent] = frozenset()
    #: Channels of the lines counted; None: any.
    channels: frozenset[str] | None
    #: Counts what the debtor started, too.
    inbound: bool = False
    #: Counts apart for each `debt`, each `creditor`, or all together (empty).
    apart: str = ""
    #: Only lines of the number, channel or kind of address of this contact.
    same_phone: bool = False
    #: Lines of others in the household count as well.
    household: bool = False
    same_channel: bool = False
    same_address: bool = False
    #: Only lines to these kinds of address.
    addresses: frozenset[str] = frozenset()
    #: Counts how many channels were used, and not how often.
    distinct: bool = False
    #: Binds once a contact stands within the span.
    after_contact: bool = False
    #: Consents that lift it.
    lifted_by: tuple[str, ...] = ()
    #: Lifted when the campaign guarantees an agent.
    lifted_by_agent: bool = False
    row: Cap | Cooldown

    def wants(self, event: ContactEvent, channel: str, inbound: bool, imported: bool, of: str | None) -> bool:
        """Return whether a line of this kind is counted."""
        return (
            # Who lives in the household may have been called on the same number as well.
            (of is None or self.same_phone or (self.household and of == "household"))
            and (event in self.events or (not imported and event in self.own_events))
            and (self.channels is None or channel in self.channels)
            and (self.inbound or not inbound)
        )


def counters_of_cap(row: Cap) -> tuple[Counter, ...]:
    """Return the counters that keep a cap: its own and those of its sub-limits."""
    limits = {row.counts: row.limit} | row.sub_limits
    excluded = frozenset[ContactEvent]().union(*(EXCLUDED_EVENTS.get(name, frozenset()) for name in row.exclude))
    span, n = _span(row.window)
    return tuple(
        Counter(
            rule=row.id,
            kind="cap",
            counts=counts,
            limit=limit,
            span=span,
            n=n,
            events=_COUNTED[counts] - excluded,
            own_events=PERHAPS_CONTACTS if counts == "contacts" else frozenset(),
            channels=frozenset(row.channels),
            apart=_apart(row.scope),
            same_phone="phone" in row.scope,
            household="household" in row.scope,
            same_channel="channel" in row.scope,
            same_address="address_type" in row.scope,
            addresses=frozenset(row.address_types),
            distinct=counts == "distinct_channels",
            after_contact=row.after == "contact",
            lifted_by=_consents(row),
            lifted_by_agent=row.unless == "live_agent_guaranteed",
            row=row,
        )
        for counts, limit in limits.items()
    )


def counter_of_cooldown(row: Cooldown) -> Counter:
    """Return the counter that keeps a cool-down."""
    excluded = frozenset[ContactEvent]().union(*(EXCLUDED_EVENTS.get(name, frozenset()) for name in row.exclude))
    if row.duration.calendar_days is not None:
        span, n = "days", row.duration.calendar_days + (0 if row.duration.first_day_counts else 1)
    else:
        span, n = "hours", row.duration.hours or 0
    return Counter(
        rule=row.id,
        kind="cooldown",
        counts=row.trigger,
        limit=1,
        span=span,
        n=n,
        events=_TRIGGERS[row.trigger] - excluded,
        own_events=PERHAPS_CONTACTS if row.trigger == "contact" else frozenset(),
        channels=frozenset(row.trigger_channels) or None,
        inbound=row.trigger in _EITHER_SIDE,
        apart=_apart(row.scope),
        same_phone="phone" in row.scope,
        household="household" in row.scope,
        same_channel="channel" in row.scope,
        same_address="address_type" in row.scope,
        lifted_by=_consents(row),
        lifted_by_agent=row.unless == "live_agent_guaranteed",
        row=row,
    )


def _span(window: Span) -> tuple[str, int]:
    if window.type == "rolling_hours":
        return "hours", window.n
    if window.type == "calendar_week":
        return "weeks", _WEEKDAYS[window.week_start]
    if window.type == "calendar_month":
        return "months", 1
    return "days", window.n if window.type == "rolling_days" else 1


def _reach_us(counter: Counter) -> int:
    """Return how long a line may count at most; clocks that change and dates that a zone skips included."""
    if counter.span == "hours":
        return counter.n * HOUR
    return ({"weeks": 7, "months": 31}.get(counter.span, counter.n) + 2) * DAY


def _apart(scope: tuple[str, ...]) -> str:
    return "debt" if "debt" in scope else "creditor" if "creditor" in scope else ""


def _consents(row: Cap | Cooldown) -> tuple[str, ...]:
    unless = (row.unless,) if row.unless and row.unless != "live_agent_guaranteed" else ()
    return unless + tuple(name for name in row.exclude if name in EXCLUDED_CONSENTS)


class Subject(msgspec.Struct, gc=False, frozen=True, kw_only=True):
    """What the next contact is about."""

    dossier: Dossier
    #: (debt, creditor) of each open debt judged.
    debts: tuple[tuple[int, int], ...]
    phone: int | None
    channel: str
    address: str
    #: Names of the registers that hold the number.
    registers: tuple[str, ...] = ()


#: As `Counter.wants` takes it.
_Kind = tuple[ContactEvent, str, bool, bool, str | None]
#: The key under which a counter counts all together, how far it reaches, what it counts apart for, and whether it
#: chooses among the lines that it wants.
_Wanted = tuple[tuple[Counter, None], int, str, bool]
#: Counter and the debt or creditor it counts apart for (None: all) → lines counted.
Tally = dict[tuple[Counter, int | None], list[PastContact]]


class Counters:
    """All counters of one kind of contact at one place, indexed by the kind of line that each wants."""

    __slots__ = ("_wanted", "all", "by_number", "reach_us")

    def __init__(self, counters: Iterable[Counter]) -> None:
        self.all = tuple(counters)
        #: A line older than this counts nowhere any more.
        self.reach_us = max((_reach_us(counter) for counter in self.all), default=0)
        #: Whether one of them counts the lines of the contact's number alone.
        self.by_number = any(counter.same_phone for counter in self.all)
        #: By kind of line, what `_wanting` tells.
        self._wanted: dict[_Kind, tuple[_Wanted, ...]] = {}

    def tally(self, subject: Subject, at_us: int = 0) -> Tally:
        """Return what each counter has counted; a counter that counted nothing is absent.

        Parameters
        ----------
        at_us : int
            Lines that count no more at this instant may be left out.
        """
        found: Tally = {}
        dossier = subject.dossier
        lines = (*dossier.history, *dossier.others) if dossier.others else dossier.history
        if not lines:
            return found
        wanted, debts, reach_us = self._wanted, subject.debts, self.reach_us
        for line in lines:
            age_us = at_us - line.at_us
            if age_us > reach_us:
                continue
            kind = (line.event, line.channel, line.inbound, line.attempt is None, line.of)
            counters = wanted.get(kind)
            if counters is None:
                counters = wanted[kind] = self._wanting(kind)
            for whole, counter_reach_us, apart, chooses in counters:
                if age_us > counter_reach_us or (chooses and not _chosen(whole[0], line, subject)):
                    continue
                if not apart or not debts:
                    counted = found.get(whole)
                    if counted is None:
                        found[whole] = [line]
                    else:
                        counted.append(line)
                    continue
                counter = whole[0]
                if apart == "debt":
                    for debt, creditor in debts:
                        if debt in line.debts if line.debts else line.creditor is None or line.creditor == creditor:
                            found.setdefault((counter, debt), []).append(line)
                else:
                    for creditor in {creditor: None for _, creditor in debts}:
                        if concerns(line, creditor, dossier):
                            found.setdefault((counter, creditor), []).append(line)
        return found

    def _wanting(self, kind: _Kind) -> tuple[_Wanted, ...]:
        """Return the counters that want a kind of line."""
        return tuple(
            (
                (counter, None),
                _reach_us(counter),
                counter.apart,
                bool(counter.same_phone or counter.same_channel or counter.same_address or counter.addresses),
            )
            for counter in self.all
            if counter.wants(*kind)
        )


def _chosen(counter: Counter, line: PastContact, subject: Subject) -> bool:
    """Return whether a line went to the number, channel or kind of address that the counter counts."""
    # A number not told may be any that the person has, and whoever shares one with him; and none of a housemate's.
    if counter.same_phone and (line.of == "household" if line.phone is None else line.phone != subject.phone):
        return False
    if counter.same_channel and line.channel != subject.channel:
        return False
    if not (counter.addresses or counter.same_address):
        return True
    address = address_of(line, subject.dossier)
    return (not counter.addresses or address in counter.addresses) and (
        not counter.same_address or address == subject.address
    )


def address_of(line: PastContact, dossier: Dossier) -> str:
    """Return the kind of address that a line went to; unknown is personal."""
    if line.address_type is not None:
        return line.address_type
    for phone in dossier.phones:
        if phone.phone == line.phone:
            return phone.address_type or "personal"
    return "personal"


def concerns(line: PastContact, creditor: int, dossier: Dossier) -> bool:
    """Return whether a line concerns a creditor, as far as the record tells; in doubt it does."""
    owed = {debt.debt: debt.creditor for debt in dossier.debts}
    told = {owed[debt] for debt in line.debts if debt in owed}
    if line.creditor is not None:
        told.add(line.creditor)
    return creditor in told or not told


def released_at(counter: Counter, lines: list[PastContact], zones: Zones, channel: str) -> int:
    """Return from which instant on the lines no longer forbid a contact through the channel; 0: they do not."""
    if counter.distinct:
        return _released_channels(counter, lines, zones, channel)
    if len(lines) < counter.limit:
        return 0
    at_us = lines[0].at_us if len(lines) == 1 else sorted([line.at_us for line in lines])[-counter.limit]
    return zones.release(counter.span, counter.n, at_us)


def _released_channels(counter: Counter, lines: list[PastContact], zones: Zones, channel: str) -> int:
    """The channels used within the span, and this one, may be `limit` in all."""
    last_use: dict[str, int] = {}
    last_contact = 0
    for line in lines:
        if line.channel != channel:
            last_use[line.channel] = max(line.at_us, last_use.get(line.channel, 0))
        if line.event in CONTACTS or (line.attempt is not None and line.event in PERHAPS_CONTACTS):
            last_contact = max(line.at_us, last_contact)
    if len(last_use) < counter.limit or (counter.after_contact and not last_contact):
        return 0
    release = zones.release(counter.span, counter.n, sorted(last_use.values(), reverse=True)[counter.limit - 1])
    if counter.after_contact:
        release = min(release, zones.release(counter.span, counter.n, last_contact))
    return release
