"""Why somebody was called, why not, until when, and outranked by what: the record folded up to an instant.

Folding gives the engine's own view of that instant, so the answer is what the engine knew and not a reconstruction.
"""

from contextlib import suppress
from datetime import date

import msgspec
from sqlalchemy import Connection

from compliance.explaining import Answer
from compliance.gate import Gate
from console.accepted import gate_in_force, gate_of
from console.settings import Settings
from console.why_offer import Had, had
from dialer.engine import Engine
from dialer.engine.evolve import OFF_LIST
from dialer.engine.leads import purpose_of
from dialer.engine.state import READY, Campaign, LeadState, State
from domain.calls import Phase
from domain.errors import BadInput, Broken
from domain.events import DayLearned
from domain.instants import to_datetime
from domain.people import Choice, Debt, Dossier, Stop, Verdict
from domain.settings import CampaignSettings
from ledger import decisions, plans, queries
from ledger.handover import OnRecord, handed_out
from ledger.people import dossiers
from ledger.schema import attempt
from ledger.store import SqlLedger
from strategy.documents import HOLDOUT
from strategy.listing import Decision

#: Attempts and denials shown, newest last.
LAST = 20


class OnPhone(msgspec.Struct, frozen=True, kw_only=True):
    """What the gate says of one number of the person, or of the person where no number is on record."""

    phone: int | None
    line_type: str
    zones: tuple[str, ...]
    verdict: Verdict
    #: Each rule that binds, with what it says.
    rules: list[Answer]


class Moved(msgspec.Struct, frozen=True, kw_only=True):
    """The rest of a day was planned anew, and this one moved."""

    at_us: int
    by: DayLearned


class OnCampaign(msgspec.Struct, frozen=True, kw_only=True):
    """Where the person stands in one campaign."""

    campaign: str
    state: str
    mode: str
    #: ready, parked, held, busy, closed, or not_listed.
    place: str
    #: One sentence.
    said: str
    rank: int | None = None
    #: Leads that are callable and stand before this one, and the first of them.
    before: int | None = None
    first: int | None = None
    attempts: int = 0
    next_us: int | None = None
    agent: str | None = None
    pacing: str = ""
    phones: list[OnPhone] = []
    #: Of the campaign's strategy: why it has the person on its list, and what its last list decided.
    choice: Choice | None = None
    decision: Decision | None = None
    #: By what its strategy's plan has moved the person within the day.
    moved: Moved | None = None


class Why(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that decides about one account at an instant."""

    account: str
    creditor: str
    at_us: int
    person: int
    debts: tuple[Debt, ...]
    stops: tuple[Stop, ...]
    campaigns: list[OnCampaign]
    #: As they stood at the instant.
    attempts: list[queries.Attempt]
    denials: list[queries.Denial]
    #: Messages and tasks that were handed out about the person, oldest first.
    handed: list[OnRecord] = []
    #: Of those attempts, the ones whose strategy offered something.
    offers: list[Had] = []
    #: Of those attempts, what became later of the ones that were open at the instant.
    later: list[queries.Attempt] = []


def folded(ledger: SqlLedger, stream: str, gate: Gate, at_us: int | None) -> State:
    """Return the engine's state after the last row at or before an instant; None: after the last row."""
    engine = Engine(gate)
    found = ledger.last_snapshot(stream)
    if found is not None and (at_us is None or found.at_us <= at_us):
        # A snapshot of another release is of no use; the rows always are.
        with suppress(Broken):
            engine = Engine.restore(found.state, gate)
    for row in ledger.read(stream, engine.seq):
        if at_us is not None and row.at_us > at_us:
            break
        engine.fold(row)
    return engine.state


def why(ledger: SqlLedger, settings: Settings, account: str, creditor: str | None, at_us: int | None) -> list[Why]:
    """Return the answer for each creditor that has this account.

    Raises
    ------
    BadInput
        When no creditor has it.
    """
    with ledger.reading() as connection:
        accounts = queries.accounts(connection, account, creditor)
    if not accounts:
        whose = f" of creditor {creditor!r}" if creditor else ""
        raise BadInput(f"why: no account {account!r}{whose} is on record; check its spelling, or import it first")
    gate = gate_in_force(settings.rules)
    state = folded(ledger, settings.floor.stream, gate, at_us)
    if at_us is not None:
        # As the floor judged at that instant, as far as those rules are to be had.
        gate = gate_of(settings.rules, state.rules) or gate
    now_us = at_us if at_us is not None else present_us(state)
    return [_answer(ledger, settings, gate, state, found, now_us, past=at_us is not None) for found in accounts]


def present_us(state: State) -> int:
    """Return the present: the floor's own where its clock is rehearsed."""
    import time

    return state.at_us if state.rehearsed else max(state.at_us, time.time_ns() // 1000)


def _answer(
    ledger: SqlLedger,
    settings: Settings,
    gate: Gate,
    state: State,
    found: queries.Account,
    at_us: int,
    *,
    past: bool,
) -> Why:
    with ledger.reading() as connection:
        # Of the ledger, which knows everybody; no word in it that was learned later than the instant asked about.
        (dossier,) = dossiers(connection, [found.person], known_us=at_us if past else None)
        attempts = list(queries.attempts(connection, attempt.c.person == found.person, attempt.c.reserved_us <= at_us))
        denials = queries.denials(connection, found.person, until_us=at_us)
        decided = {
            one.name: decisions.last(connection, one.name, found.person, at_us)
            for one in settings.floor.campaigns
            if one.document
        }
        handed = handed_out(connection, found.person, at_us)
        offers = [offer for one in attempts[-LAST:] if (offer := had(connection, one)) is not None]
        moved = {name: _moved(connection, one, found.person) for name, one in state.campaigns.items()}
    return Why(
        account=found.account,
        creditor=found.creditor,
        at_us=at_us,
        person=found.person,
        debts=dossier.debts,
        stops=dossier.stops,
        campaigns=[
            _on_campaign(
                settings,
                campaign,
                gate,
                state,
                dossier,
                found,
                at_us,
                decided.get(campaign.name),
                moved.get(campaign.name),
            )
            for campaign in settings.floor.campaigns
        ],
        attempts=[_as_of(one, at_us) for one in attempts[-LAST:]],
        denials=denials[-LAST:],
        handed=handed[-LAST:],
        offers=offers,
        later=[one for one in attempts[-LAST:] if _closed_us(one) > at_us],
    )


def _closed_us(one: queries.Attempt) -> int:
    """Return when an attempt was over, its wrap-up included."""
    last_us = one.ended_us or one.talking_us or one.answered_us or one.ringing_us or one.originated_us
    return (last_us or one.reserved_us) + (one.wrap_us or 0)


#: The phase an attempt is in once something has happened, the last first.
_PHASES = (
    ("ended_us", Phase.wrapping),
    ("talking_us", Phase.talking),
    ("answered_us", Phase.waiting),
    ("ringing_us", Phase.ringing),
    ("originated_us", Phase.originating),
)
_KNOWN_AT_THE_END = (
    "answer_class", "class_why", "disposition", "event", "ring_us", "talk_us", "wrap_us", "q850", "sip", "wait_us",
)  # fmt: skip


def _as_of(one: queries.Attempt, at_us: int) -> queries.Attempt:
    """Return an attempt with nothing that happened after an instant."""
    if _closed_us(one) <= at_us:
        return one
    until = {name: value if (value := getattr(one, name)) and value <= at_us else None for name, _ in _PHASES}
    return msgspec.structs.replace(
        one,
        **until,
        **dict.fromkeys(_KNOWN_AT_THE_END),
        agent=one.agent if until["talking_us"] else None,
        phase=next((phase for name, phase in _PHASES if until[name]), Phase.reserving),
    )


def _on_campaign(
    settings: Settings,
    campaign: CampaignSettings,
    gate: Gate,
    state: State,
    dossier: Dossier,
    found: queries.Account,
    at_us: int,
    decided: Decision | None,
    moved: Moved | None,
) -> OnCampaign:
    running = state.campaigns.get(campaign.name)
    lead = running.leads.get(dossier.person) if running is not None else None
    mode = running.mode if running is not None else campaign.mode
    word = running.state if running is not None else "never run"
    debts = lead.debts if lead is not None else (found.debt,)
    purpose = purpose_of(campaign, lead) if lead is not None else campaign.purpose
    phones = [
        OnPhone(
            phone=phone.phone if phone is not None else None,
            line_type=phone.line_type if phone is not None else "",
            zones=phone.zones if phone is not None else (),
            verdict=gate.judge(dossier, at_us=at_us, phone=phone, debts=debts, actor=campaign.actor, purpose=purpose),
            rules=gate.explain(dossier, at_us=at_us, phone=phone, debts=debts, actor=campaign.actor, purpose=purpose),
        )
        for phone in dossier.phones or (None,)
    ]
    if running is None or lead is None:
        said = _why_not_listed(campaign, running, dossier, found, at_us, settings.floor.zone)
        if decided is not None and decided.action == "none":
            said = f"not on its list: left alone by its strategy: {segment_words(decided)}"
        return OnCampaign(
            campaign=campaign.name,
            state=word,
            mode=mode,
            place="not_listed",
            said=said,
            phones=phones,
            decision=decided,
        )
    pacing = running.pacing.reason if running.pacing is not None else ""
    before, first = _before(running, lead)
    open_debts = [debt.debt for debt in dossier.debts if debt.debt in lead.debts and debt.state == "open"]
    said = _said(state, running, lead, phones, before, settings.floor.zone)
    if not open_debts and lead.place != "closed":
        said = "nothing is open any more: it is not dialled again, and leaves the list when the floor next looks"
    return OnCampaign(
        campaign=campaign.name,
        state=word,
        mode=mode,
        place=lead.place,
        said=said,
        rank=lead.rank,
        before=before if lead.place == READY else None,
        first=first,
        attempts=lead.attempts,
        next_us=lead.at_us or None,
        agent=lead.call_back or lead.owner,
        pacing=pacing,
        phones=phones,
        choice=lead.choice,
        decision=decided,
        moved=moved,
    )


def _moved(connection: Connection, campaign: Campaign, person: int) -> Moved | None:
    """Return by what a person stands where he does, where a plan made within the day has moved him."""
    lead = campaign.leads.get(person)
    found = plans.learned_of(connection, lead.plan) if lead is not None and lead.choice is not None else None
    return None if found is None else Moved(at_us=found[0], by=found[1])


def moved_words(moved: Moved, zone: str) -> str:
    """Return why the rest of a day was planned anew."""
    by, local = moved.by, to_datetime(moved.at_us, zone)
    away = f", with {100 * by.staff:.0f} % of the agents who were to be" if abs(by.staff - 1.0) >= 0.05 else ""
    return (
        f"planned anew at {local:%H:%M}: this hour was answered {by.answers[0]:.2f} times as often as forecast{away}; "
        f"{by.moved:,} of {by.waiting:,} who waited moved"
    )


def segment_words(decided: Decision) -> str:
    """Return where somebody stands whom a strategy left alone."""
    if decided.arm == HOLDOUT:
        return f"held out by lot, in segment {decided.segment}"
    by_lot = ", by lot" if 0.0 < decided.p_action["call"] < 1.0 else ""
    return f"segment {decided.segment}, arm {decided.arm}, treatment {decided.treatment}{by_lot}"


def _before(campaign: Campaign, lead: LeadState) -> tuple[int, int | None]:
    """Return how many callable leads stand before this one, and who is first."""
    ahead = sorted(
        (rank, token, person)
        for rank, token, person in campaign.ready.entries()
        if campaign.leads[person].token == token and (rank, token) < (lead.rank, lead.token)
    )
    return len(ahead), ahead[0][2] if ahead else None


def _said(
    state: State,
    campaign: Campaign,
    lead: LeadState,
    phones: list[OnPhone],
    before: int,
    zone: str,
) -> str:
    if lead.place == "closed" and lead.why == OFF_LIST:
        return f"not on the list of the day, after {lead.attempts} attempts"
    if lead.place == "closed":
        return f"off the list: {lead.why.replace('_', ' ')}, after {lead.attempts} attempts"
    if lead.place == "busy":
        call = state.person_call.get(lead.person)
        return f"in call {call} at this moment" if call else "on an agent's screen at this moment"
    if lead.place == "parked":
        back = "" if lead.at_us <= 0 else f" until {to_datetime(lead.at_us, zone):%a %d %b %H:%M:%S}"
        return f"waits{back}: {lead.why.replace('_', ' ')}"
    if lead.place == "held":
        whom = lead.call_back or lead.owner
        return f"waits for {f'agent {whom}' if whom else 'an agent to be reserved'}: must not find nobody"
    if phones[0].phone is None:
        return "has no usable number"
    if not any(phone.verdict.allowed for phone in phones):
        rules = ", ".join(sorted({str(phone.verdict.rule) for phone in phones}))
        return f"callable by the list, but every number is denied by {rules}"
    if campaign.state != "running":
        return f"callable, but the campaign is {campaign.state}"
    place = "next in line" if not before else f"{before:,} callable leads rank before it"
    return f"callable: {place}"


def _why_not_listed(
    campaign: CampaignSettings,
    running: Campaign | None,
    dossier: Dossier,
    found: queries.Account,
    at_us: int,
    zone: str,
) -> str:
    """Name the first word of the selection that leaves the account out."""
    debt = next((one for one in dossier.debts if one.debt == found.debt), None)
    chosen, today = campaign.selection, to_datetime(at_us, zone).date()
    if debt is None or debt.state != "open":
        return f"not on its list: the debt is {debt.state if debt else 'not on record at that time'}"
    if chosen.countries and dossier.country not in chosen.countries:
        return (
            f"not on its list: selection.countries is {', '.join(chosen.countries)}, the debtor's is {dossier.country}"
        )
    if chosen.creditors and found.creditor not in chosen.creditors:
        return f"not on its list: selection.creditors leaves {found.creditor} out"
    if chosen.products and debt.product not in chosen.products:
        return f"not on its list: selection.products leaves {debt.product} out"
    if debt.balance_minor < chosen.min_balance_minor:
        return f"not on its list: the balance {debt.balance_minor} is below selection.min_balance_minor"
    days = (today - date.fromisoformat(debt.due_on)).days if debt.due_on else None
    if chosen.min_days_due is not None and (days is None or days < chosen.min_days_due):
        return f"not on its list: due for {days} days, selection.min_days_due is {chosen.min_days_due}"
    if chosen.max_days_due is not None and (days is None or days > chosen.max_days_due):
        return f"not on its list: due for {days} days, selection.max_days_due is {chosen.max_days_due}"
    if not dossier.phones:
        return "not on its list: no number is on record"
    if running is None:
        return "not on its list yet: it fits, and the campaign had not run at that time"
    return "not on its list: the list was not loaded at that time, or the account was imported after it"
