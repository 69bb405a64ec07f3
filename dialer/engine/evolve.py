"""Fold one record into the state. The only code that changes it; it decides nothing and refuses what cannot be.

Over 500 lines because every change of state is to be read in one place; one short function for each type of record.
"""

from bisect import bisect_left
from collections.abc import Callable
from datetime import timedelta
from operator import attrgetter
from typing import Any, NoReturn

from msgspec.structs import replace

from dialer.engine.queue import Queue
from dialer.engine.state import (
    BUSY,
    CLOCKED,
    CLOSED,
    HELD,
    PARKED,
    READY,
    WORKING,
    Agent,
    Call,
    Campaign,
    LeadState,
    Lines,
    State,
    Tally,
    put_off,
)
from dialer.engine.transitions import CHANGES, UNANSWERED
from dialer.pacing import Pacer
from domain import events, facts, orders
from domain.calls import RIGHT_PARTY, AgentState, AnswerClass, CampaignState, Disposition, Phase
from domain.errors import Broken
from domain.instants import MINUTE, SECOND, from_datetime, to_datetime
from domain.pace import strictest
from domain.people import (
    CapKey,
    ContactEvent,
    Dossier,
    Lead,
    PastContact,
    consents_after,
    stops_after,
    with_consents,
)
from domain.settings import AFTER_GREETING_MS

#: Why a lead is closed that a strategy's list of the day does not name.
OFF_LIST = "off_list"
#: Why one is closed for good whose attempts are used up.
MAX_ATTEMPTS = "max_attempts"
#: Why one waits for the hour of the day that its list plans it for.
PLANNED_HOUR = "planned_hour"
_KEPT_WAITS = 200
#: Days of counts that are kept at least.
KEPT_DAYS = 31
_DIAL_WINDOW_US = 5 * MINUTE
#: How often calls that the switch has forgotten are looked for.
SWEEP_US = 5 * SECOND


def evolve(state: State, record: Any) -> None:
    """Fold an input, a fact or an order.

    Raises
    ------
    Broken
        When the record contradicts the state: a forbidden transition, an unknown call.
    """
    fold = FOLDS.get(type(record))
    if fold is not None:
        fold(state, record)


# ---- the floor


def _floor_opened(state: State, event: events.FloorOpened) -> None:
    state.settings = event.settings
    state.overdue_us = 0
    state.rehearsed = event.rehearsed
    _take_rules(state, event.rules)
    for node in event.settings.nodes:
        state.nodes[node] = False
    for settings in event.settings.campaigns:
        campaign = state.campaigns.get(settings.name)
        if campaign is None:
            state.campaigns[settings.name] = Campaign(
                name=settings.name,
                settings=settings,
                mode=settings.mode,
                ratio=settings.ratio,
                abandon_limit=settings.abandon_limit,
                pace=strictest(settings, settings.abandon_limit),
                tally=Tally(),
            )
            state.lines[settings.name] = Lines()
            continue
        # What an operator set by hand stays unless the file itself was changed.
        before, campaign.settings = campaign.settings, settings
        if before.detect_machines != settings.detect_machines and settings.name in state.pacers:
            state.pacers[settings.name].forget_forecasts()
        if before.mode != settings.mode or before.ratio != settings.ratio:
            campaign.mode, campaign.ratio = settings.mode, settings.ratio
        if before.abandon_limit != settings.abandon_limit:
            campaign.abandon_limit = settings.abandon_limit
        campaign.set_pace()
    names = {settings.name for settings in event.settings.campaigns}
    for campaign in state.campaigns.values():
        if campaign.name not in names:
            campaign.state = CampaignState.stopped
    state.opened = True
    if not _roll_day(state, event.at_us):
        _set_shift_end(state, event.at_us)
    for settings in event.settings.campaigns:
        if settings.name not in state.pacers:
            state.pacers[settings.name] = Pacer(state.pacing_settings(settings.name))
    _retune(state)


def _roll_day(state: State, at_us: int) -> bool:
    """Start the counts of a new calendar day of the floor, once; return whether it did."""
    if at_us < state.midnight_us:
        return False
    local = to_datetime(at_us, state.settings.zone)
    tomorrow = (local + timedelta(days=1)).date()
    # The zone decides where the next date begins; search from its noon so that a missing midnight does no harm.
    low, high = at_us, at_us + 36 * 3600 * SECOND
    while high - low > SECOND:
        middle = (low + high) // 2
        if to_datetime(middle, state.settings.zone).date() >= tomorrow:
            high = middle
        else:
            low = middle
    past_day, state.day = state.day, local.date().isoformat()
    state.midnight_us = high // SECOND * SECOND
    # Who opens before the first hour gets ready: the shift begins with the hour.
    state.shift_us = max(at_us, _hour_us(state, at_us, state.settings.first_hour))
    _set_shift_end(state, at_us)
    for campaign in state.campaigns.values():
        if past_day:
            longest = max((window.days for window in campaign.pace.windows), default=1)
            # A window of calendar weeks or months grows from day to day.
            longest = max(longest, KEPT_DAYS)
            past = [*campaign.past, campaign.tally.day(past_day)]
            campaign.past = past[max(0, len(past) - longest + 1) :]
        campaign.tally = Tally()
        if pacer := state.pacers.get(campaign.name):
            state.pacers[campaign.name] = pacer.next_shift(state.pacing_settings(campaign.name))
    for agent in state.agents.values():
        agent.calls_today = 0
    return True


def _hour_us(state: State, at_us: int, hour: int) -> int:
    """Return the instant of an hour of the floor's day at hand, midnight at the latest."""
    if hour >= 24:
        return state.midnight_us
    local = to_datetime(at_us, state.settings.zone)
    return from_datetime(local.replace(hour=hour, minute=0, second=0, microsecond=0))


def _set_shift_end(state: State, at_us: int) -> None:
    """Expect everybody to leave at the end of the floor's calendar; who works later, at midnight."""
    settings = state.settings
    end_us = min(state.midnight_us, _hour_us(state, at_us, settings.first_hour + settings.slots))
    state.shift_end_us = end_us if end_us > at_us else state.midnight_us


def _retune(state: State) -> None:
    for name in state.pacers:
        state.retune(name)


def _rules_changed(state: State, event: events.RulesChanged) -> None:
    _take_rules(state, event.rules)


def _take_rules(state: State, rules: str) -> None:
    """Put rules in force; what others had said ends here."""
    if rules == state.rules:
        return
    state.rules, state.rules_seq = rules, state.seq
    for call in state.calls.values():
        if call.phase is Phase.reserving:
            call.valid_until_us = state.at_us
    for campaign in state.campaigns.values():
        waiting = sorted((lead.rank, lead.person) for lead in campaign.leads.values() if put_off(lead))
        campaign.review = [person for _, person in waiting]


def _leads_reviewed(state: State, fact: facts.LeadsReviewed) -> None:
    del state.campaigns[fact.campaign].review[: fact.leads]


def _leads_loaded(state: State, event: events.LeadsLoaded) -> None:
    campaign = state.campaigns[event.campaign]
    if campaign.plan != event.plan:
        campaign.plan, campaign.plan_us = event.plan, event.at_us
    campaign.plan_chunks = event.chunk + 1
    campaign.scores = event.scores
    state.forecast = state.forecast or any(lead.reach for lead in event.leads)
    for dossier in event.people:
        _learn(state, dossier)
    for lead in event.leads:
        known = campaign.leads.get(lead.person)
        if event.learned is not None and (known is None or not waits(known)):
            continue  # called, closed or asked for meanwhile
        if known is not None:
            # A later list: what is owed may be new, and who had paid may owe again.
            known.debts, known.owner, known.reach = lead.debts, lead.owner, lead.reach
            if lead.choice is not None:
                _listed_again(state, campaign, known, lead, event.plan)
                continue
            known.numbers, known.choice = lead.numbers, None
            if known.place == CLOSED and known.why in ("paid", "withdrawn", OFF_LIST):
                state.place(campaign, known, READY)
            continue
        entry = LeadState(
            person=lead.person,
            rank=lead.rank,
            debts=lead.debts,
            owner=lead.owner,
            numbers=lead.numbers,
            choice=lead.choice,
            plan=event.plan,
            reach=lead.reach,
        )
        campaign.leads[lead.person] = entry
        _ready_from(state, campaign, entry, lead.from_us)
    if event.replaces:
        for entry in campaign.leads.values():
            # What the debtor asked for is done, whatever the list says.
            if entry.plan != event.plan and entry.place not in (BUSY, CLOSED) and not entry.asked:
                entry.why = OFF_LIST
                state.place(campaign, entry, CLOSED, entry.at_us)
        # Entries left behind would be walked over at every look ahead.
        campaign.ready = Queue(one for one in campaign.ready.entries() if campaign.leads[one[2]].token == one[1])


def waits(lead: LeadState) -> bool:
    """Return whether a lead waits for its turn or its hour, and for nothing else: a plan of the day may move it."""
    return not lead.asked and (lead.place == READY or (lead.place == PARKED and lead.why == PLANNED_HOUR))


def _listed_again(state: State, campaign: Campaign, known: LeadState, lead: Lead, plan: str) -> None:
    """Give a lead the place that a strategy's new list gives it; its rests and its attempts stay."""
    moved = lead.numbers != known.numbers
    known.rank, known.numbers, known.choice, known.plan = lead.rank, lead.numbers, lead.choice, plan
    if moved and known.place != BUSY:
        known.phone_index = 0
    planned_us = 0 if known.asked else lead.from_us
    if known.place == HELD:
        state.place(campaign, known, HELD, known.at_us)
    elif known.place == READY or (known.place == PARKED and (known.why == PLANNED_HOUR or planned_us > known.at_us)):
        _ready_from(state, campaign, known, planned_us)
    elif known.place == CLOSED and not put_off(known) and known.why != MAX_ATTEMPTS:
        resting = known.at_us > max(state.at_us, planned_us)
        if resting:
            state.place(campaign, known, PARKED, known.at_us)
        else:
            _ready_from(state, campaign, known, planned_us)


def _ready_from(state: State, campaign: Campaign, lead: LeadState, from_us: int) -> None:
    """Make a lead callable from an instant on: that of the hour that it is planned for."""
    if from_us > state.at_us:
        lead.why = PLANNED_HOUR
        state.place(campaign, lead, PARKED, from_us)
    else:
        state.place(campaign, lead, READY, lead.at_us)


def _past_counted(state: State, event: events.PastCounted) -> None:
    campaign = state.campaigns.get(event.campaign)
    if campaign is not None:
        campaign.past = sorted((one for one in event.days if one.day < state.day), key=lambda one: one.day)
        state.retune(event.campaign)


def _person_changed(state: State, event: events.PersonChanged) -> None:
    _learn(state, event.dossier)


def _learn(state: State, dossier: Dossier) -> None:
    """Take a dossier from the ledger, keeping what only we know yet: our own attempts not in it.

    Lists and news are read while others write, and may come late: one that was read before something that we know
    already is left. Its versions are taken as they were read, with what was read: where they are behind, the next
    reservation is stale.
    """
    known = state.people.get(dossier.person)
    if known is not None:
        own = f"person:{dossier.person}"
        if any(cap.key == own and cap.version < state.versions.get(own, 0) for cap in dossier.keys):
            return
        told = {line.attempt for line in dossier.history}
        kept = [line for line in known.history if line.attempt is not None and line.attempt not in told]
        if kept:
            lines = sorted((*dossier.history, *kept), key=_by_time)
            dossier = replace(dossier, history=tuple(lines))
    state.people[dossier.person] = dossier
    for cap in dossier.keys:
        # Most of a new list's have never moved: they stand at 0 without being kept.
        if cap.version and cap.version > state.versions.get(cap.key, 0):
            state.versions[cap.key] = cap.version


def _by_time(line: PastContact) -> int:
    return line.at_us


def _tick(state: State, event: events.Tick) -> None:
    state.commit_lag_us = event.commit_lag_us
    state.sweeping = event.at_us - state.swept_us >= SWEEP_US
    if state.sweeping:
        state.swept_us = event.at_us
    if event.at_us >= state.midnight_us:
        _roll_day(state, event.at_us)
    elif event.at_us >= state.shift_end_us:
        _set_shift_end(state, event.at_us)
        _retune(state)
    horizon = event.at_us - _DIAL_WINDOW_US
    for campaign in state.campaigns.values():
        for _, token, person in campaign.parked.due(event.at_us):
            lead = campaign.leads[person]
            if lead.token == token:
                state.place(campaign, lead, READY if lead.call_back is None else HELD, lead.at_us)
        dials = campaign.tally.dials_us
        if dials and dials[0] < horizon:
            del dials[: bisect_left(dials, horizon)]


def _campaign_shifted(state: State, fact: facts.CampaignShifted) -> None:
    state.campaigns[fact.campaign].state = fact.state


def _limit_set(state: State, event: events.LimitSet) -> None:
    campaign = state.campaigns.get(event.campaign)
    if campaign is not None:
        campaign.abandon_limit = event.abandon_limit
        campaign.set_pace()
        state.retune(event.campaign)


def _mode_set(state: State, event: events.ModeSet) -> None:
    campaign = state.campaigns.get(event.campaign)
    if campaign is not None:
        campaign.mode = event.mode
        if event.ratio is not None:
            campaign.ratio = event.ratio


def _alarm_raised(state: State, fact: facts.AlarmRaised) -> None:
    state.alarms[f"{fact.kind}|{fact.subject}"] = state.at_us
    state.looked.clear()


def _alarm_cleared(state: State, fact: facts.AlarmCleared) -> None:
    state.alarms.pop(f"{fact.kind}|{fact.subject}", None)
    state.looked.clear()


#: By what counts as abandoned, how many of today's calls are such.
_TALLIED: dict[str, Callable[[Tally], int]] = {"lost": lambda tally: tally.lost, "detection": lambda tally: tally.cut}


def _pace_bound(state: State, fact: facts.PaceBound) -> None:
    campaign = state.campaigns[fact.campaign]
    before = campaign.pace.counted
    campaign.rules, campaign.ruled_on = fact.rules, fact.day
    campaign.set_pace()
    state.retune(fact.campaign)
    pacer = state.pacers.get(fact.campaign)
    if pacer is None:
        return
    for kind in campaign.pace.counted:
        if kind not in before:
            for _ in range(_TALLIED[kind](campaign.tally)):
                pacer.observe_abandoned(kind)


# ---- the list


def _lead_scheduled(state: State, fact: facts.LeadScheduled) -> None:
    campaign = state.campaigns[fact.campaign]
    lead = campaign.leads[fact.person]
    lead.why, lead.phone_index, lead.call_back = fact.why, fact.phone_index, fact.agent
    if fact.why == _CALL_BACK:
        lead.asked = True
    if fact.at_us <= state.at_us:
        state.place(campaign, lead, READY if fact.agent is None else HELD, fact.at_us)
    else:
        state.place(campaign, lead, PARKED, fact.at_us)


def _lead_held(state: State, fact: facts.LeadHeld) -> None:
    campaign = state.campaigns[fact.campaign]
    state.place(campaign, campaign.leads[fact.person], HELD)


def _lead_closed(state: State, fact: facts.LeadClosed) -> None:
    campaign = state.campaigns[fact.campaign]
    lead = campaign.leads[fact.person]
    lead.why = fact.why
    state.place(campaign, lead, CLOSED)


def _show_lead(state: State, order: orders.ShowLead) -> None:
    if order.call_id is None:
        campaign = state.campaigns[order.campaign]
        state.place(campaign, campaign.leads[order.person], BUSY)
        state.agents[order.agent].preview = (order.campaign, order.person)


# ---- calls


_ANSWERED = frozenset({Phase.detecting, Phase.waiting, Phase.queued, Phase.message, Phase.talking})
#: Asked often: see `domain.calls.Word`.
_ORIGINATING, _RINGING, _DETECTING, _WAITING = Phase.originating, Phase.ringing, Phase.detecting, Phase.waiting
_CONNECTING, _TALKING, _WRAPPING, _CLOSED = Phase.connecting, Phase.talking, Phase.wrapping, Phase.closed
_DIALED, _MACHINE, _CONNECTED = ContactEvent.dialed, AnswerClass.machine, AnswerClass.connected
_HEARD_MACHINE, _CALL_BACK = Disposition.machine, Disposition.call_back
_PROMISES = frozenset({Disposition.promise, Disposition.plan})
_key: Callable[[CapKey], str] = attrgetter("key")


def _unknown(state: State, call_id: str) -> NoReturn:
    raise Broken(f"record {state.seq}: call {call_id} is not in the state")


def _reserve(state: State, order: orders.Reserve) -> None:
    dossier = state.people[order.person]
    campaign = state.campaigns[order.campaign]
    call = Call(
        call_id=order.call_id,
        campaign=order.campaign,
        person=order.person,
        debts=order.debts,
        phone=order.phone,
        keys=tuple(map(_key, order.keys)),
        mode=order.mode,
        node=order.node,
        trunk=order.trunk,
        caller_id=order.caller_id,
        language=dossier.language,
        abandon_message=order.verdict.abandon_message,
        valid_until_us=order.verdict.valid_until_us,
        p_taken=order.p_answer if order.p_taken is None else order.p_taken,
        since_us=state.at_us,
        reserved_us=state.at_us,
    )
    if order.agent is not None:
        call.agent, call.pinned = order.agent, True
    if order.choice is not None:
        # The call's own, whatever a later list says of the lead.
        how = campaign.settings.treatment(order.choice.treatment)
        call.agent_group, call.offer = how.agent_group, how.offer
    state.calls[order.call_id] = call
    state.lines[order.campaign].unanswered.enter(call)
    state.person_call[order.person] = order.call_id
    state.phone_call[order.phone] = order.call_id
    state.place(campaign, campaign.leads[order.person], BUSY)
    campaign.credit, campaign.credit_us = state.calls_allowed(campaign) - 1.0, state.at_us
    state.people[order.person] = replace(dossier, history=(*dossier.history, _line(dossier, call, _DIALED)))


def _line(dossier: Dossier, call: Call, event: ContactEvent) -> PastContact:
    """Return what a history says of an attempt."""
    debts, creditor = call.debts, None
    for debt in dossier.debts:
        if debt.debt in debts:
            creditor = debt.creditor
            break
    return PastContact(
        at_us=call.reserved_us, event=event, phone=call.phone, creditor=creditor, debts=debts, attempt=call.call_id
    )


def _others(dossier: Dossier, call: Call) -> tuple[PastContact, ...]:
    """Return a history without what it says of an attempt."""
    lines = dossier.history
    if lines and lines[-1].attempt == call.call_id:
        return lines[:-1]
    return tuple([line for line in lines if line.attempt != call.call_id])


def _forget_attempt(state: State, call: Call) -> None:
    """Take an attempt that never was one out of its person's history."""
    dossier = state.people[call.person]
    state.people[call.person] = replace(dossier, history=_others(dossier, call))


def _reserved(state: State, event: events.Reserved) -> None:
    """Note our own bumps in the dossier of the one whose call it is, and in no other.

    Whoever shares a key (a household, a number) was judged without this call: the ledger has to find them stale.
    """
    versions = state.versions
    moved: dict[str, CapKey] = {}
    for cap in event.keys:
        versions[cap.key] = cap.version
        moved[cap.key] = cap
    call = state.calls.get(event.call_id)
    if call is not None:
        dossier = state.people[call.person]
        keys = tuple([moved.get(cap.key, cap) for cap in dossier.keys])
        state.people[call.person] = replace(dossier, keys=keys)


def _stale(state: State, event: events.Stale) -> None:
    call = state.calls.get(event.call_id)
    if call is not None:
        _forget_attempt(state, call)
    # Read in the transaction that refused: nothing is newer, whatever version we believed in.
    for cap in event.dossier.keys:
        state.versions[cap.key] = cap.version
    _learn(state, event.dossier)


def _originate(state: State, order: orders.Originate) -> None:
    call = state.calls.get(order.call_id) or _unknown(state, order.call_id)
    _enter(state, call, _ORIGINATING)
    call.dialled_us = state.at_us
    state.lines[order.campaign].unanswered.note(call)
    campaign = state.campaigns[order.campaign]
    campaign.tally.attempts += 1
    campaign.tally.dials_us.append(state.at_us)
    campaign.leads[call.person].attempts += 1
    campaign.trunk_turn += 1


def _enter(state: State, call: Call, phase: Phase) -> None:
    change = CHANGES[call.phase].get(phase)
    if change is None:
        raise Broken(f"record {state.seq}: call {call.call_id} may not go from {call.phase} to {phase}")
    call.phase = phase
    call.since_us = state.at_us
    here, there = change
    if here != there:
        state.lines[call.campaign].move(call, here, there)


def _call_moved(state: State, fact: facts.CallMoved) -> None:
    call = state.calls.get(fact.call_id)
    if call is None:
        if fact.phase is _CLOSED:
            return  # an older record says so once more
        _unknown(state, fact.call_id)
    was, phase = call.phase, fact.phase
    if phase is was is _RINGING:
        return  # likewise
    _enter(state, call, phase)
    if fact.agent is not None:
        call.agent = fact.agent
    if phase is _RINGING and not call.progress:
        call.progress = 1  # a resync told
        state.lines[call.campaign].unanswered.note(call)
    if phase in _ANSWERED:
        if not call.answered_us:
            call.answered_us = state.at_us
        if phase is not _DETECTING and not call.clock_us:
            _start_clock(state, call)
    if phase is _TALKING:
        call.connected_us = call.connected_us or state.at_us
    elif phase is _WAITING and was is _CONNECTING:
        call.agent = None
    elif phase is _WRAPPING:
        call.ended_us = state.at_us
        if call.connected_us and (pacer := state.pacers.get(call.campaign)) is not None:
            pacer.observe_talk((state.at_us - call.connected_us) / 1e6)


def _start_clock(state: State, call: Call) -> None:
    """Let the patience of a caller begin, who is taken for a person from here on."""
    settings = state.campaign_settings(call.campaign)
    if settings.clock_starts == "answer" or not settings.detect_machines:
        call.clock_us = call.answered_us
    else:
        call.clock_us = max(call.answered_us, state.at_us - AFTER_GREETING_MS * 1000)
    if call.answer_class is None and call.campaign in state.pacers:
        _outcome(state, call, "live", call.answered_us)


def _forget(state: State, call: Call) -> None:
    del state.calls[call.call_id]
    if call.connected_us or call.ended_us:
        state.overdue_us = 0  # somebody may have been wrapping it up
    if state.person_call.get(call.person) == call.call_id:
        del state.person_call[call.person]
    if state.phone_call.get(call.phone) == call.call_id:
        del state.phone_call[call.phone]


def _call_assigned(state: State, fact: facts.CallAssigned) -> None:
    call = state.calls.get(fact.call_id) or _unknown(state, fact.call_id)
    call.agent, call.pinned = fact.agent, fact.agent is not None
    if call.phase in UNANSWERED:
        state.lines[call.campaign].unanswered.note(call)


def _connect(state: State, order: orders.Connect) -> None:
    call = state.calls.get(order.call_id) or _unknown(state, order.call_id)
    if call.phase is not _CONNECTING:
        _enter(state, call, _CONNECTING)
    call.agent = order.agent


def _hang_up(state: State, order: orders.HangUp) -> None:
    call = state.calls.get(order.call_id)
    if call is not None:
        call.hangup_why = order.why


def _ringing(state: State, event: events.Ringing) -> None:
    # The word itself begins the phase; no fact says so once more.
    call = _told(state, event.call_id, 1)
    if call is not None and call.phase is _ORIGINATING:
        _enter(state, call, _RINGING)


def _progressed(state: State, event: events.Progressed) -> None:
    _told(state, event.call_id, 2)


def _told(state: State, call_id: str, progress: int) -> Call | None:
    """Note what the network tells of a call that is not answered, and return it; None: this is late news."""
    call = state.calls.get(call_id)
    if call is None or call.phase not in UNANSWERED:
        return None
    call.progress = progress
    state.lines[call.campaign].unanswered.note(call)
    return call


def _refused(state: State, event: events.Refused) -> None:
    call = state.calls.get(event.call_id)
    if call is not None:
        call.refused = (*call.refused, event.agent)


def _detected(state: State, event: events.Detected) -> None:
    call = state.calls.get(event.call_id)
    if call is not None and not call.detected:
        call.detected = event.result


def _ended(state: State, event: events.Ended) -> None:
    call = state.calls.get(event.call_id)
    if call is not None:
        call.q850, call.sip = event.q850, event.sip


def _disposed(state: State, event: events.Disposed) -> None:
    call = state.calls.get(event.call_id)
    if call is not None and call.agent == event.agent:
        call.disposed = event


def _call_classed(state: State, fact: facts.CallClassed) -> None:
    call = state.calls.get(fact.call_id) or _unknown(state, fact.call_id)
    if call.answer_class is not None:
        raise Broken(f"record {state.seq}: call {call.call_id} is {call.answer_class}, not {fact.answer_class}")
    call.answer_class = fact.answer_class
    tally = state.campaigns[call.campaign].tally
    pacer = state.pacers.get(call.campaign)
    if fact.answer_class is _MACHINE:
        tally.machine += 1
        if pacer is not None:
            _outcome(state, call, "machine", call.answered_us)
    elif fact.answer_class is _CONNECTED:
        tally.connected += 1
        wait_us = fact.wait_us or 0
        tally.wait_us += wait_us
        tally.waits_us.append(wait_us)
        if len(tally.waits_us) > _KEPT_WAITS:
            del tally.waits_us[0]
        if pacer is not None:
            pacer.observe_connected(wait_us / 1e6)
    elif fact.answer_class is AnswerClass.abandoned:
        tally.abandoned += 1
        if pacer is not None:
            pacer.observe_abandoned("no_agent")
    elif fact.answer_class is AnswerClass.cut:
        tally.cut += 1
        if pacer is not None:
            _outcome(state, call, "machine", call.answered_us)
            pacer.observe_abandoned("detection")
    else:
        tally.lost += 1
        if pacer is not None:
            pacer.observe_abandoned("lost")


#: By their words: a record that was read holds the word alone.
_RUNGS = {str(event): event for event in ContactEvent}
#: What an unanswered attempt teaches the pacer.
_PACED = {
    Disposition.busy: "busy",
    Disposition.no_answer: "no_answer",
    Disposition.cancelled: "no_answer",
    Disposition.rejected: "no_answer",
    Disposition.unknown: "no_answer",
    # The far network answered for a number that does not exist: the trunk is well.
    Disposition.not_in_service: "busy",
    Disposition.network_fail: "failed",
}


def _attempt_closed(state: State, fact: facts.AttemptClosed) -> None:
    call = state.calls.get(fact.call_id) or _unknown(state, fact.call_id)
    _enter(state, call, _CLOSED)
    _forget(state, call)
    campaign = state.campaigns[fact.campaign]
    lead = campaign.leads[fact.person]
    lead.ended[fact.disposition] = lead.ended.get(fact.disposition, 0) + 1
    if fact.event is None:
        _forget_attempt(state, call)
        lead.attempts -= bool(call.dialled_us)  # ordered, never dialled
        return
    lead.asked = False
    bumped, versions = call.keys, state.versions
    for key in bumped:
        versions[key] = versions.get(key, 0) + 1
    dossier = state.people[call.person]
    dossier = replace(
        dossier,
        history=(*_others(dossier, call), _line(dossier, call, _RUNGS[fact.event])),
        keys=tuple([CapKey(cap.key, cap.version + 1) if cap.key in bumped else cap for cap in dossier.keys]),
    )
    if call.disposed is not None and call.disposed.call_back_us is not None:
        dossier = with_consents(dossier, consents_after(fact.disposition, state.at_us))
    if stops := stops_after(fact.disposition, call.phone, call.debts):
        dossier = replace(dossier, stops=(*dossier.stops, *stops))
    state.people[call.person] = dossier
    tally = campaign.tally
    tally.finished += 1
    if fact.disposition is _HEARD_MACHINE and call.answer_class is _CONNECTED:
        tally.heard_machines += 1
        if (pacer := state.pacers.get(fact.campaign)) is not None:
            pacer.observe_heard_machine()
    if fact.disposition in RIGHT_PARTY:
        tally.right_party += 1
    if fact.disposition in _PROMISES:
        tally.promises += 1
    paced = _PACED.get(fact.disposition)
    if paced is not None and not call.answered_us and fact.campaign in state.pacers:
        _outcome(state, call, paced, state.at_us)


def _outcome(state: State, call: Call, kind: str, at_us: int) -> None:
    """Teach a campaign's pacer how one of its calls came out at an instant."""
    ring_s = (at_us - call.dialled_us) / 1e6
    pacer = state.pacers[call.campaign]
    if kind == "failed":
        pacer.learn_failure(ring_s, state.shift_s(), call.progress)
    else:
        pacer.learn(kind, ring_s, call.p_taken, call.progress)


# ---- agents


def _signed_in(state: State, event: events.SignedIn) -> None:
    agent = state.agents.get(event.agent)
    if agent is None:
        agent = state.agents[event.agent] = Agent(agent=event.agent, node=event.node, since_us=state.at_us)
    agent.then = "signed_in"
    agent.campaigns, agent.call_me, agent.until_us = event.campaigns, event.call_me, event.until_us
    agent.groups = event.groups
    state.all_for = ""
    state.busy.note(agent)
    if not agent.phone_up:
        agent.node = event.node
    if agent.allotted is not None:
        state.retune(agent.allotted)


def _agent_moved(state: State, event: events.AgentMoved) -> None:
    agent = state.agents.get(event.agent)
    if agent is not None:
        agent.campaigns = event.campaigns
        state.all_for = ""


def _phone_up(state: State, event: events.PhoneUp) -> None:
    agent = state.agents.get(event.agent)
    if agent is None:
        agent = Agent(agent=event.agent, node=event.node, since_us=state.at_us, call_me=False, then="signed_in")
        state.agents[event.agent] = agent
        state.busy.note(agent)
    agent.phone_up, agent.node = True, event.node


def _phone_down(state: State, event: events.PhoneDown) -> None:
    agent = state.agents.get(event.agent)
    if agent is not None:
        agent.phone_up = False


def _made_ready(state: State, event: events.MadeReady) -> None:
    agent = state.agents.get(event.agent)
    if agent is not None:
        agent.then, agent.asked_us = "ready", 0
        state.busy.note(agent)


def _pause_asked(state: State, event: events.PauseAsked) -> None:
    agent = state.agents.get(event.agent)
    if agent is not None:
        _ask_to_go(state, agent, event.reason)


def _signed_out(state: State, event: events.SignedOut) -> None:
    agent = state.agents.get(event.agent)
    if agent is not None:
        _ask_to_go(state, agent, "leave")


def _ask_to_go(state: State, agent: Agent, then: str) -> None:
    # Who asks again, or for something else, has waited since the first time.
    agent.asked_us = agent.asked_us or state.at_us
    agent.then = then
    state.busy.note(agent)


def _finishing(state: State, event: events.Finishing) -> None:
    agent = state.agents.get(event.agent)
    if agent is not None and agent.state is AgentState.talking:
        agent.finishing_us = (agent.finishing_us or state.at_us) if event.about_to else 0
        state.busy.note(agent)


_READY, _RESERVED, _PREVIEWING = AgentState.ready, AgentState.reserved, AgentState.previewing
_IN_TALK, _WRAPUP = AgentState.talking, AgentState.wrapup
_OFFLINE, _AWAY = AgentState.offline, AgentState.away


def _agent_shifted(state: State, fact: facts.AgentShifted) -> None:
    agent = state.agents[fact.agent]
    was, since_us = agent.state, agent.since_us
    if was is _READY and fact.state is not _READY:
        state.ready.pop(agent.agent, None)
        if agent.allotted is not None and fact.state in (_IN_TALK, _RESERVED):
            tally = state.campaigns[agent.allotted].tally
            tally.idle_us += state.at_us - since_us
            tally.idle_n += 1
    elif was is _WRAPUP and agent.serving in state.pacers:
        state.pacers[agent.serving].observe_wrap((state.at_us - since_us) / 1e6)
    if was is _PREVIEWING:
        agent.preview = None
    elif was is _OFFLINE or was is _AWAY:
        state.all_for = ""
    if agent.finishing_us and (fact.state is not _IN_TALK or fact.call_id != agent.call_id):
        if agent.serving in state.pacers:
            state.pacers[agent.serving].observe_finish((state.at_us - agent.finishing_us) / 1e6)
        agent.finishing_us = 0
    if fact.state is _IN_TALK:
        call = state.calls.get(fact.call_id or "")
        agent.serving = call.campaign if call is not None else None
        agent.calls_today += was is not _IN_TALK
    if not (was is fact.state is _READY):
        agent.since_us = state.at_us
    agent.state, agent.reason, agent.call_id = fact.state, fact.reason, fact.call_id
    state.busy.note(agent)
    if fact.state in CLOCKED:
        state.clocked[agent.agent] = None
        state.overdue_us = 0
    elif was in CLOCKED:
        state.clocked.pop(agent.agent, None)
    if fact.state is _READY:
        state.ready[agent.agent] = None
    if agent.allotted is not None and (was in WORKING) != (fact.state in WORKING):
        state.retune(agent.allotted)


def _agent_allotted(state: State, fact: facts.AgentAllotted) -> None:
    agent = state.agents[fact.agent]
    touched = [name for name in (agent.allotted, fact.campaign) if name is not None]
    agent.allotted = fact.campaign
    state.all_for = ""
    state.busy.note(agent)
    for name in touched:
        state.retune(name)


# ---- the switch


def _link_down(state: State, event: events.LinkDown) -> None:
    state.nodes[event.node] = False


def _resynced(state: State, event: events.Resynced) -> None:
    state.nodes[event.node] = True
    off_hook = dict.fromkeys(event.agents)
    for agent in state.agents.values():
        if agent.node == event.node:
            agent.phone_up = agent.agent in off_hook
    for name in off_hook:
        _phone_up(state, events.PhoneUp(at_us=event.at_us, agent=name, node=event.node))


def _pacing_decided(state: State, fact: facts.PacingDecided) -> None:
    state.campaigns[fact.campaign].pacing = fact


#: What each kind of record changes; of others there is nothing to fold.
FOLDS: dict[type, Callable[[State, Any], None]] = {
    events.FloorOpened: _floor_opened,
    events.RulesChanged: _rules_changed,
    events.LeadsLoaded: _leads_loaded,
    events.PastCounted: _past_counted,
    events.PersonChanged: _person_changed,
    events.Tick: _tick,
    events.LimitSet: _limit_set,
    events.ModeSet: _mode_set,
    events.Reserved: _reserved,
    events.Stale: _stale,
    events.LinkDown: _link_down,
    events.Resynced: _resynced,
    events.Ringing: _ringing,
    events.Progressed: _progressed,
    events.Refused: _refused,
    events.Detected: _detected,
    events.Ended: _ended,
    events.Disposed: _disposed,
    events.SignedIn: _signed_in,
    events.SignedOut: _signed_out,
    events.AgentMoved: _agent_moved,
    events.PhoneUp: _phone_up,
    events.PhoneDown: _phone_down,
    events.MadeReady: _made_ready,
    events.PauseAsked: _pause_asked,
    events.Finishing: _finishing,
    facts.PacingDecided: _pacing_decided,
    facts.PaceBound: _pace_bound,
    facts.LeadScheduled: _lead_scheduled,
    facts.LeadsReviewed: _leads_reviewed,
    facts.LeadHeld: _lead_held,
    facts.LeadClosed: _lead_closed,
    facts.CallMoved: _call_moved,
    facts.CallAssigned: _call_assigned,
    facts.CallClassed: _call_classed,
    facts.AttemptClosed: _attempt_closed,
    facts.AgentShifted: _agent_shifted,
    facts.AgentAllotted: _agent_allotted,
    facts.CampaignShifted: _campaign_shifted,
    facts.AlarmRaised: _alarm_raised,
    facts.AlarmCleared: _alarm_cleared,
    orders.Reserve: _reserve,
    orders.Originate: _originate,
    orders.Connect: _connect,
    orders.HangUp: _hang_up,
    orders.ShowLead: _show_lead,
}
