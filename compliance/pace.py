"""What the rules ask of a campaign as a whole: its rate of abandoned calls, the message to whom no agent came, and the
do-not-contact registers to be on record.
"""

from collections.abc import Iterable
from datetime import date
from typing import NamedTuple

from compliance.packs import Packs
from compliance.places import Place
from compliance.plans import Contact, binding
from compliance.rows import COUNTED, Ratio, Registry, Row, Span
from domain.pace import PaceRule

_KIND_UNKNOWN = "unknown"


class NeededRegister(NamedTuple):
    """A register that a row wants on record, for debtors of a country."""

    row: Registry
    country: str


def pace_rules(packs: Packs, places: Iterable[Place], actor: str, purpose: str, on: date) -> tuple[PaceRule, ...]:
    """Return the limits of abandonment that bind calls to people of some places on a day of the floor, by id."""
    contact = _call(actor, purpose)
    found: dict[str, PaceRule] = {}
    for place in places:
        for table in map(packs.jurisdictions.__getitem__, place.codes):
            for row in binding(table.ratios, table, contact, place):
                if row.metric == "abandoned" and row.id not in found and _on(row, on):
                    found[row.id] = _rule(row, on)
    return tuple(found[rule] for rule in sorted(found))


def required_messages(packs: Packs, places: Iterable[Place], actor: str, purpose: str, on: date) -> tuple[str, ...]:
    """Return the rows by which somebody to whom no agent came must be told who called, by id."""
    contact = _call(actor, purpose)
    found: set[str] = set()
    for place in places:
        rows = [
            row
            for table in map(packs.jurisdictions.__getitem__, place.codes)
            for row in binding(table.abandonment, table, contact, place)
            if _on(row, on)
        ]
        # What is forbidden on every line and whatever was consented to is not required.
        if not any(row.message == "forbidden" and not row.line_types and row.unless is None for row in rows):
            found.update(row.id for row in rows if row.message == "required")
    return tuple(sorted(found))


def needed_registers(
    packs: Packs, places: Iterable[tuple[str, Place]], actor: str | None, purpose: str | None, on: date
) -> list[NeededRegister]:
    """Return the registers that rows want for people of some countries' places, by name; of no actor, whoever calls."""
    contact = None if actor is None or purpose is None else _call(actor, purpose)
    found = {
        (row.register, row.id, country): NeededRegister(row, country)
        for country, place in places
        for table in map(packs.jurisdictions.__getitem__, place.codes)
        for row in binding(table.registries, table, contact, place)
        if row.register and (contact is None or contact.channel in row.channels) and _on(row, on)
    }
    return [found[key] for key in sorted(found)]


def _call(actor: str, purpose: str) -> Contact:
    return Contact(channel="call", actor=actor, purpose=purpose, line_type=_KIND_UNKNOWN, address="personal")


def _on(row: Row, day: date) -> bool:
    return (row.effective_from or day) <= day <= (row.effective_to or day)


def _rule(row: Ratio, on: date) -> PaceRule:
    return PaceRule(
        rule=row.id,
        share=row.limit,
        days=_days(row.window, on),
        hard=row.status == "in_force",
        alert_share=row.alert_at,
        counted=COUNTED[row.numerator],
        max_wait_s=row.max_agent_delay_s,
        min_ring_s=row.min_ring_s,
    )


def _days(span: Span, on: date) -> int:
    """Return how many calendar days a span reaches back on a day, that day included."""
    match span.type:
        case "rolling_days":
            return span.n
        case "rolling_hours":
            # Of the floor's days: 24 hours are the day at hand.
            return -(-span.n // 24)
        case "calendar_week":
            return (on.weekday() - (6 if span.week_start == "sun" else 0)) % 7 + 1
        case "calendar_month":
            return on.day
        case _:
            return 1
