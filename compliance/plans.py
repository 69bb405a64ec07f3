"""The rows that bind one kind of contact at one place, ready to judge.

Rows are filtered once by status, actor, purpose, channel and kind of line; what is left to a verdict is time, history,
stops and consents.
"""

from typing import TypeVar

import msgspec

from compliance.counting import Counter, Counters, counter_of_cooldown, counters_of_cap
from compliance.hours import Closed, Hours, OpenDays
from compliance.packs import Packs
from compliance.places import Place
from compliance.rows import (
    ENFORCED,
    KINDS,
    Abandonment,
    Cap,
    Jurisdiction,
    Notice,
    Recording,
    Registry,
    Row,
    Stop,
    Window,
)
from domain.instants import DAY

#: What is not named here is law in force.
_FIRMNESS = {"unconfirmed": 1, "house": 2}
_SUPPOSED = 3
#: Channels that a holiday closes even where no window speaks of them.
_IN_PERSON = frozenset({"call", "prerecorded", "voicemail", "ringless_vm", "visit"})
_WRITTEN = frozenset({"sms", "email", "im"})
#: When a notice falls due, by channel; the others depend on what happens, and no contact alone tells.
_NOTICE_CHANNELS: dict[str, frozenset[str]] = {
    "call_open": frozenset({"call"}),
    "initial_communication": frozenset({"call", "visit", "letter"}) | _WRITTEN,
    "first_contact": frozenset({"call", "visit", "letter"}) | _WRITTEN,
    "voicemail": frozenset({"voicemail", "ringless_vm"}),
    "each_electronic_message": _WRITTEN,
    "voicebot_answer": frozenset({"prerecorded"}),
}


_T = TypeVar("_T", bound=Row)


class Contact(msgspec.Struct, frozen=True, kw_only=True):
    """The kind of contact that a plan is for."""

    channel: str
    actor: str
    purpose: str
    #: Kind of line of the number, of `domain.people.Phone`.
    line_type: str
    #: Kind of address of the number.
    address: str


class Plan(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """All that binds one kind of contact at one place."""

    place: Place
    contact: Contact
    #: By kind of stop on record, the rows that it sets off.
    stops: dict[str, tuple[Stop, ...]]
    #: By name of an imported register, the rows that close the channel to its numbers.
    registers: dict[str, tuple[Registry, ...]]
    #: Rows that close the channel for want of a consent.
    needs: tuple[Cap | Stop, ...]
    hours: Hours
    #: The hours without the rows that a consent to other hours lifts; None: there are none such.
    hours_lifted: Hours | None
    counters: Counters
    #: What rows of abandonment ask of all such contacts at any time: whether an agent must be reserved, and whether a
    #: message may, or may not, be played if none comes. And the rows that ask something at times.
    unreached: tuple[bool, bool, bool]
    abandonment: tuple[Abandonment, ...]
    #: Ids of notices and recording rows due on every such contact; those due on the first one only.
    notices: tuple[str, ...]
    first_notices: tuple[str, ...]
    #: Ids of notices due where a message is played to somebody whom no agent reached.
    message_notices: tuple[str, ...]
    #: Ids of the rows on how long the record of such a contact is kept.
    retention: tuple[str, ...]
    #: Rows of these notices and retentions that bind on some dates alone.
    dated: tuple[Row, ...]
    #: Of two rules that deny alike, the one of the lower number is named.
    rank: dict[str, int]


def plan_for(packs: Packs, place: Place, contact: Contact, number_country: str | None) -> Plan:
    """Return what binds a contact.

    Parameters
    ----------
    number_country : str or None
        Country of the number: what may be played to a line that nobody answers for follows the number too.
    """
    tables = [packs.jurisdictions[code] for code in place.codes]
    # Of two that deny alike the firmer is named: law before what is not confirmed, that before the house; last what
    # binds only because nobody says where the collector sits.
    order = [
        (_SUPPOSED if place.supposes(code) else _FIRMNESS.get(row.status, 0), row)
        for code, table in zip(place.codes, tables, strict=True)
        for row in _rows(table)
    ]
    order.sort(key=lambda pair: pair[0])
    rank = {row.id: number for number, (_, row) in enumerate(order)}
    stops: dict[str, list[Stop]] = {}
    registers: dict[str, list[Registry]] = {}
    needs: list[Cap | Stop] = []
    windows: list[tuple[Window, Closed | None]] = []
    counters: list[Counter] = []
    notices: list[str] = []
    first: list[str] = []
    message: list[str] = []
    for table in tables:
        for stop in binding(table.stops, table, contact, place):
            if (
                contact.channel in stop.channels
                and contact.purpose not in stop.exceptions
                and _is_line(stop.line_types, contact.line_type)
            ):
                for word in stop.trigger:
                    stops.setdefault(word, []).append(stop)
                if stop.needs_consent:
                    needs.append(stop)
        for registry in binding(table.registries, table, contact, place):
            if registry.register and contact.channel in registry.channels:
                registers.setdefault(registry.register, []).append(registry)
        for window in binding(table.windows, table, contact, place):
            if contact.channel in window.channels:
                windows.append((window, None if table.overlay_for else place.closed))
        for cap in binding(table.caps, table, contact, place):
            if contact.channel in cap.channels and _addressed(cap, contact) and contact.purpose not in cap.exclude:
                counters.extend(counters_of_cap(cap))
                if cap.needs_consent:
                    needs.append(cap)
        for cooldown in binding(table.cooldowns, table, contact, place):
            if contact.channel in cooldown.blocks_channels and contact.purpose not in cooldown.exclude:
                counters.append(counter_of_cooldown(cooldown))
        for notice in binding(table.notices, table, contact, place):
            _sort_notice(notice, contact, notices, first, message)
        if contact.channel == "call":
            notices.extend(row.id for row in binding(table.recording, table, contact, place) if _announced(row))
    windows.sort(key=lambda pair: rank[pair[0].id])
    rows = [OpenDays.of(row, closed) for row, closed in windows]
    if place.closed is not None and contact.channel in _IN_PERSON and all(closed is None for _, closed in windows):
        rows.append(_holidays_only(place))
    lifted = [OpenDays.of(row, closed) for row, closed in windows if row.override is None]
    retention = tuple(row.id for table in tables for row in binding(table.retention, table, contact, place))
    named = {*notices, *first, *message, *retention}
    abandonment = _abandonment(packs, place, contact, number_country)
    always = [row for row in abandonment if _at_any_time(row)]
    return Plan(
        place=place,
        contact=contact,
        stops={word: tuple(found) for word, found in stops.items()},
        registers={name: tuple(found) for name, found in registers.items()},
        needs=tuple(needs),
        hours=Hours(tuple(rows)),
        hours_lifted=Hours(tuple(lifted)) if len(lifted) < len(windows) else None,
        counters=Counters(counters),
        unreached=(
            any(row.agent_always for row in always),
            any(row.message in ("allowed", "required") for row in always),
            any(row.message == "forbidden" for row in always),
        ),
        abandonment=tuple(row for row in abandonment if not _at_any_time(row)),
        notices=tuple(notices),
        first_notices=tuple(first),
        message_notices=tuple(message),
        retention=retention,
        dated=tuple(
            row
            for table in tables
            for row in (*table.notices, *table.recording, *table.retention)
            if row.id in named and _is_dated(row)
        ),
        rank=rank,
    )


def _rows(table: Jurisdiction) -> list[Row]:
    return [row for name in KINDS for row in getattr(table, name)]


def binding(rows: tuple[_T, ...], table: Jurisdiction, contact: Contact | None, place: Place) -> list[_T]:
    """Return the rows of a table that bind a contact with somebody of a place; None: any contact."""
    return [
        row
        for row in rows
        if row.status in ENFORCED
        and (contact is None or contact.actor in (row.actors or table.actors))
        and (contact is None or row.purposes is None or contact.purpose in row.purposes)
        and (not row.regions or place.lies_in(row.regions))
    ]


def _is_line(line_types: tuple[str, ...], line_type: str) -> bool:
    """Return whether a number may be of these types; one whose type is not sure is of any that it may be."""
    if not line_types or line_type in ("unknown", "other"):
        return True
    may_be = {"fixed_or_mobile": ("mobile", "fixed", "landline"), "fixed": ("fixed", "landline")}
    return not set(line_types).isdisjoint(may_be.get(line_type, (line_type,)))


def _addressed(row: Cap, contact: Contact) -> bool:
    to_it = not row.address_types or contact.address in row.address_types
    return to_it and _is_line(row.line_types, contact.line_type)


def _announced(row: Recording) -> bool:
    return row.notice_before_recording or "notice" in row.consent or row.default == "announce_every_call"


def _sort_notice(row: Notice, contact: Contact, always: list[str], first: list[str], message: list[str]) -> None:
    if row.when == "abandoned" and row.must_contain:
        message.append(row.id)
    elif contact.channel in _NOTICE_CHANNELS.get(row.when, ()):
        (first if row.when == "first_contact" else always).append(row.id)


def _abandonment(packs: Packs, place: Place, contact: Contact, number_country: str | None) -> tuple[Abandonment, ...]:
    if contact.channel != "call":
        return ()
    codes = dict.fromkeys(place.codes)
    if number_country in packs.jurisdictions:
        codes[number_country] = None
    return tuple(
        row
        for table in map(packs.jurisdictions.__getitem__, codes)
        for row in binding(table.abandonment, table, contact, place)
        if _is_line(row.line_types, contact.line_type)
    )


def _at_any_time(row: Abandonment) -> bool:
    """Return whether a row asks the same of every contact that it binds."""
    return row.after_abandoned_hours is None and row.unless is None and not _is_dated(row)


def _is_dated(row: Row) -> bool:
    return row.effective_from is not None or row.effective_to is not None


def _holidays_only(place: Place) -> OpenDays:
    return OpenDays(
        rule=f"{place.country}.holidays", week=(((0, DAY),),) * 7, closed=place.closed, first=None, last=None
    )
