"""Callable leads by hour of the floor's day: what is left to dial, and what other rules would leave of it."""

from collections.abc import Iterable, Iterator

import msgspec

from compliance.gate import Gate
from console.settings import Settings
from dialer.engine.state import CLOSED, State
from domain.instants import HOUR
from domain.people import Dossier
from domain.settings import CampaignSettings
from ledger.plans import leads
from ledger.reservations import batches
from ledger.store import SqlLedger

#: People read from the ledger at once.
_CHUNK = 5_000
#: Persons named of those whom other rules leave fewer hours.
_NAMED = 20


class Candidate(msgspec.Struct, frozen=True, kw_only=True):
    """A lead that may become callable."""

    dossier: Dossier
    debts: tuple[int, ...]
    #: Not before this instant by the list.
    from_us: int = 0


class Stock(msgspec.Struct, frozen=True, kw_only=True):
    """One campaign's stock."""

    campaign: str
    #: On the list and not closed.
    leads: int
    #: Instants at which hours begin, and the leads that may be dialled in each.
    hours_us: tuple[int, ...]
    callable: tuple[int, ...]


class StockChange(msgspec.Struct, frozen=True, kw_only=True):
    """What other rules would change of one campaign's stock."""

    campaign: str
    leads: int
    hours_us: tuple[int, ...]
    #: Leads that may be dialled in each hour, by the rules before and after.
    before: tuple[int, ...]
    after: tuple[int, ...]
    #: Leads that lose an hour, and leads that gain one.
    losing: int
    gaining: int
    #: Leads that lose an hour by the rule that takes their first one.
    rules: dict[str, int]
    #: Persons of the first of them.
    persons: tuple[int, ...]


def stock(
    ledger: SqlLedger, settings: Settings, gate: Gate, state: State, names: Iterable[str], at_us: int
) -> list[Stock]:
    """Count the callable leads of campaigns by hour."""
    wanted_us = settings.floor.hours_us(at_us)
    found = []
    for name in names:
        campaign = settings.floor.campaign(name)
        n_leads, counts = 0, [0] * len(wanted_us)
        for candidate in candidates(ledger, settings, state, campaign, at_us):
            n_leads += 1
            for index in callable_hours(candidate, gate, campaign, wanted_us, at_us):
                counts[index] += 1
        found.append(Stock(campaign=name, leads=n_leads, hours_us=wanted_us, callable=tuple(counts)))
    return found


def compare(
    ledger: SqlLedger, settings: Settings, gates: tuple[Gate, Gate], state: State, at_us: int
) -> list[StockChange]:
    """Return what the second gate's rules would change of every campaign's stock."""
    wanted_us = settings.floor.hours_us(at_us)
    found = []
    for campaign in settings.floor.campaigns:
        n_leads = gaining = 0
        counts = [[0] * len(wanted_us), [0] * len(wanted_us)]
        rules: dict[str, int] = {}
        persons = []
        for candidate in candidates(ledger, settings, state, campaign, at_us):
            n_leads += 1
            before, after = (callable_hours(candidate, gate, campaign, wanted_us, at_us) for gate in gates)
            for side, indices in zip(counts, (before, after), strict=True):
                for index in indices:
                    side[index] += 1
            gaining += not after <= before
            if not before <= after:
                asked_us = max(wanted_us[min(before - after)], at_us, candidate.from_us)
                rule = _denied_by(candidate, gates[1], campaign, asked_us)
                rules[rule] = rules.get(rule, 0) + 1
                persons.append(candidate.dossier.person)
        found.append(
            StockChange(
                campaign=campaign.name,
                leads=n_leads,
                hours_us=wanted_us,
                before=tuple(counts[0]),
                after=tuple(counts[1]),
                losing=len(persons),
                gaining=gaining,
                rules=rules,
                persons=tuple(persons[:_NAMED]),
            )
        )
    return found


def _denied_by(candidate: Candidate, gate: Gate, campaign: CampaignSettings, at_us: int) -> str:
    """Return the rule that denies the first number of a lead."""
    verdict = gate.judge(
        candidate.dossier,
        at_us=at_us,
        phone=candidate.dossier.phones[0],
        debts=candidate.debts,
        actor=campaign.actor,
        purpose=campaign.purpose,
    )
    assert verdict.rule is not None  # none of its numbers may be dialled in that hour
    return verdict.rule


def candidates(
    ledger: SqlLedger, settings: Settings, state: State, campaign: CampaignSettings, at_us: int
) -> Iterator[Candidate]:
    """Yield the leads of a campaign: as its engine holds them, or as a list made now would."""
    running = state.campaigns.get(campaign.name)
    if running is not None and running.leads:
        for lead in running.leads.values():
            if lead.place != CLOSED:
                yield Candidate(dossier=state.people[lead.person], debts=lead.debts, from_us=lead.at_us)
        return
    with ledger.reading() as connection:
        for chunk in batches(leads(connection, campaign, at_us, settings.floor.zone), _CHUNK):
            dossiers = {one.person: one for one in ledger.dossiers([listed.person for listed in chunk], at_us)}
            for listed in chunk:
                yield Candidate(dossier=dossiers[listed.person], debts=listed.debts)


def callable_hours(
    candidate: Candidate, gate: Gate, campaign: CampaignSettings, hours_us: tuple[int, ...], at_us: int
) -> set[int]:
    """Return the indices of the hours in which some number of a lead may be dialled."""
    found: set[int] = set()
    for phone in candidate.dossier.phones:
        allowed_until = denied_until = 0
        for index, start_us in enumerate(hours_us):
            end_us = start_us + HOUR
            asked_us = max(start_us, at_us, candidate.from_us, denied_until)
            if index in found or asked_us >= end_us:
                continue
            if asked_us >= allowed_until:
                verdict = gate.judge(
                    candidate.dossier,
                    at_us=asked_us,
                    phone=phone,
                    debts=candidate.debts,
                    actor=campaign.actor,
                    purpose=campaign.purpose,
                )
                if not verdict.allowed:
                    denied_until = verdict.next_allowed_at_us or hours_us[-1] + HOUR
                    if denied_until >= end_us:
                        continue
                allowed_until = verdict.valid_until_us or 0
            found.add(index)
    return found
