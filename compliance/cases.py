"""One question put to the gate, looked up: what stands in the way of a contact, and from when until when.

Whatever forbids a contact is either a closed window or a *block*: a stretch of time with the rule that makes it.
Stops on record, missing consents, full caps and cool-downs are blocks. None of them depends on the instant judged; so a
verdict knows how long it holds, and the next contact is allowed at the first instant in an open window and in no block.
"""

import msgspec

from compliance.counting import FOREVER, Block, Subject, Tally, released_at
from compliance.hours import Hours
from compliance.plans import Plan
from compliance.rows import NO_RULES, Row
from compliance.zones import Zones
from domain.instants import HOUR
from domain.people import BOUNDED_CONSENTS, ContactEvent, Dossier, StopKind

#: Kinds of a consent that lifts windows.
HOURS = ("hours",)
#: Stops on a debt that end its being worked, so that the person's other debts may be.
CLOSING = frozenset({StopKind.paid, StopKind.withdrawn})
_ABANDONED = ContactEvent.abandoned


class Case(msgspec.Struct, gc=False, frozen=True, kw_only=True):
    subject: Subject
    plan: Plan
    zones: Zones
    tally: Tally
    blocks: list[Block]
    #: Until when a consent to other hours lifts windows; 0: none does.
    lifted_until: int

    def hours(self, at_us: int) -> Hours:
        """Return the hours that bind at an instant."""
        if at_us < self.lifted_until and self.plan.hours_lifted is not None:
            return self.plan.hours_lifted
        return self.plan.hours

    def open_until(self, at_us: int) -> int:
        """Return until when the windows are open from an instant on; 0: closed now."""
        if not self.lifted_until:
            return self.plan.hours.open_until(self.zones, at_us)
        end = self.hours(at_us).open_until(self.zones, at_us)
        if at_us < self.lifted_until < end:
            return max(self.lifted_until, self.plan.hours.open_until(self.zones, self.lifted_until))
        return end

    def next_allowed(self, at_us: int) -> int | None:
        """Return the first instant from this one on at which the contact is allowed, should nothing change."""
        opening: int | None = None
        while True:
            for start, end, _ in self.blocks:
                if start <= at_us < end:
                    if end == FOREVER:
                        return None
                    at_us = end
            if at_us == opening:
                return opening
            opening = self._next_open(at_us)
            if opening is None:
                return None
            at_us = opening

    def _next_open(self, at_us: int) -> int | None:
        if at_us < self.lifted_until:
            opening = self.hours(at_us).next_open(self.zones, at_us)
            # Without the consent there are fewer hours: where none is in sight with it, none is.
            if opening is None or opening < self.lifted_until:
                return opening
            at_us = self.lifted_until
        return self.plan.hours.next_open(self.zones, at_us)


def open_case(
    plan: Plan, zones: Zones, subject: Subject, named: tuple[int, ...], live_agent_guaranteed: bool, at_us: int
) -> Case:
    """Return the case of a contact, for instants from `at_us` on.

    Parameters
    ----------
    named : tuple of int
        Debts that the caller named; empty: all.
    """
    blocks: list[Block] = []
    if subject.dossier.stops or not subject.debts or plan.place.country is None:
        _add_stops(blocks, plan, zones, subject, named)
    for name in subject.registers:
        for registry in plan.registers.get(name, ()):
            lifted = consent_until(subject, (registry.unless,)) if registry.unless else 0
            _add(blocks, registry, zones, lifted, FOREVER)
    for need in plan.needs:
        _add(blocks, need, zones, consent_until(subject, need.needs_consent), FOREVER)
    tally = plan.counters.tally(subject, at_us)
    for (counter, _), lines in tally.items():
        if live_agent_guaranteed and counter.lifted_by_agent:
            continue
        end = released_at(counter, lines, zones, subject.channel)
        if end:
            lifted = consent_until(subject, counter.lifted_by) if counter.lifted_by else 0
            _add(blocks, counter.row, zones, lifted, end)
    return Case(
        subject=subject,
        plan=plan,
        zones=zones,
        tally=tally,
        blocks=blocks,
        lifted_until=0 if plan.hours_lifted is None else consent_until(subject, HOURS),
    )


def open_debts(dossier: Dossier, named: tuple[int, ...]) -> tuple[tuple[int, int], ...]:
    """Return (debt, creditor) of the debts that a contact may still be about."""
    closed = [stop.debt for stop in dossier.stops if stop.kind in CLOSING] if dossier.stops else ()
    # Mostly there is one: this costs less than a list would.
    found: tuple[tuple[int, int], ...] = ()
    for debt in dossier.debts:
        if debt.state == "open" and (not named or debt.debt in named) and debt.debt not in closed:
            found += ((debt.debt, debt.creditor),)
    return found


def consent_until(subject: Subject, kinds: tuple[str, ...]) -> int:
    """Return until when a consent of one of these kinds holds for the contact; 0: there is none."""
    found = 0
    for consent in subject.dossier.consents:
        if (
            consent.kind in kinds
            and consent.channel in (None, subject.channel)
            and consent.phone in (None, subject.phone)
            and not (consent.until_us is None and consent.kind in BOUNDED_CONSENTS)
        ):
            found = max(found, FOREVER if consent.until_us is None else consent.until_us)
    return found


def abandonment(case: Case, at_us: int) -> tuple[bool, bool]:
    """Return whether an agent must be reserved, and whether a message may be played if none comes."""
    agent_always, allowed, forbidden = case.plan.unreached
    for row in case.plan.abandonment:
        if row.after_abandoned_hours is not None and not _abandoned(case, at_us - row.after_abandoned_hours * HOUR):
            continue
        if row.unless is not None and at_us < consent_until(case.subject, (row.unless,)):
            continue
        if not in_effect(row, case.zones, at_us):
            continue
        agent_always = agent_always or row.agent_always
        allowed = allowed or row.message in ("allowed", "required")
        forbidden = forbidden or row.message == "forbidden"
    return agent_always, allowed and not forbidden


def in_effect(row: Row, zones: Zones, at_us: int) -> bool:
    """Return whether a row binds on the local date of an instant, in any zone."""
    if row.effective_from is None and row.effective_to is None:
        return True
    first, last = zones.dates(row.effective_from, row.effective_to)
    return first <= at_us and (last is None or at_us < last)


def _abandoned(case: Case, after_us: int) -> bool:
    for line in case.subject.dossier.history:
        if line.at_us > after_us and line.event is _ABANDONED and not line.inbound:
            return True
    return False


def _add_stops(blocks: list[Block], plan: Plan, zones: Zones, subject: Subject, named: tuple[int, ...]) -> None:
    dossier = subject.dossier
    if plan.place.country is None:
        _add_stop(blocks, plan, zones, NO_RULES, FOREVER)
    if not subject.debts and (named or dossier.debts):
        # Nothing is left to collect: say paid where one of the debts was.
        paid = any(debt.state == "paid" and (not named or debt.debt in named) for debt in dossier.debts) or any(
            stop.kind is StopKind.paid for stop in dossier.stops
        )
        _add_stop(blocks, plan, zones, StopKind.paid if paid else StopKind.withdrawn, FOREVER)
    for stop in dossier.stops:
        if stop.debt is not None and (stop.kind in CLOSING or not any(stop.debt == debt for debt, _ in subject.debts)):
            continue
        if stop.binds(subject.channel, subject.phone):
            _add_stop(blocks, plan, zones, stop.kind, FOREVER if stop.until_us is None else stop.until_us)


def _add_stop(blocks: list[Block], plan: Plan, zones: Zones, word: str, end: int) -> None:
    for row in plan.stops.get(word, ()):
        _add(blocks, row, zones, 0, end)


def _add(blocks: list[Block], row: Row, zones: Zones, start: int, end: int) -> None:
    """Add a block for as long as its row is in effect."""
    if row.effective_from is not None or row.effective_to is not None:
        first, last = zones.dates(row.effective_from, row.effective_to)
        start, end = max(start, first), end if last is None else min(end, last)
    if start < end:
        blocks.append((start, end, row.id))
