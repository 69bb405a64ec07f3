"""Decisions at ticks: who works for which campaign, how many lines, which leads, and whether the gate lets them."""

from functools import partial
from math import ceil

from dialer.engine import agents, calls, courtesy, leads
from dialer.engine.allotment import allot, stock
from dialer.engine.flight import Flight, flights
from dialer.engine.paced import by_rule, figures, free_agents, paced, resting
from dialer.engine.queue import Entry
from dialer.engine.state import BUSY, PARKED, Agent, Campaign, LeadState, State, phones_of
from dialer.engine.step import Step
from dialer.engine.transitions import ON_SWITCH
from domain.calls import AgentState, CampaignState, Mode, Phase
from domain.facts import AlarmCleared, AlarmRaised, CampaignShifted, Judged, LeadHeld
from domain.instants import MINUTE, SECOND
from domain.orders import Reserve, ShowLead
from domain.people import CapKey, Dossier, Phone, Verdict
from domain.settings import NO_TREATMENT, CampaignSettings

#: Leads judged for one campaign at one tick, so that a list that the law has closed does not stop the clock.
JUDGED_PER_TICK = 200
#: Reasons of a decision besides those of `dialer.pacing`.
OWN_REASONS = ("link_down", "commit_lag", "preview", "one_per_free_agent", "ratio", "no_leads")
#: An owned call-back goes to anybody when its owner has been away this long after the hour.
OWNER_WAIT_US = 30 * MINUTE

#: Asked often: see `domain.calls.Word`.
_RUNNING, _DRAINING = CampaignState.running, CampaignState.draining
_PREVIEW, _PROGRESSIVE, _PREDICTIVE = Mode.preview, Mode.progressive, Mode.predictive
_READY, _WRAPUP, _PREVIEWING = AgentState.ready, AgentState.wrapup, AgentState.previewing


def tick(step: Step) -> None:
    state = step.state
    overdue = agents.overdue(state)
    agents.rested(step, overdue)
    agents.let_go(step)
    _time_limits(step, overdue)
    if state.sweeping:
        calls.silent(step)
    allot(step)
    linked = any(map(state.nodes.get, state.settings.nodes))
    late = lagging(state)
    _alarm(step, "commit_lag", "", late)
    blocked = "link_down" if not linked else "commit_lag" if late else ""
    in_flight: dict[str, Flight] = {}
    lines = 0
    for campaign in list(state.campaigns.values()):
        if campaign.state is _RUNNING:
            if blocked or not dry(state, campaign):
                if not in_flight:
                    in_flight = flights(state)
                    lines = sum([one.lines for one in in_flight.values()])
                lines += _dial(step, campaign, in_flight[campaign.name], lines, blocked)
            else:
                _idle(step, campaign, "no_leads")
        _settle(step, campaign)


def lagging(state: State) -> bool:
    """Return whether the record is too far behind for anything new."""
    return state.commit_lag_us > state.settings.commit_patience_s * SECOND


def _time_limits(step: Step, overdue: list[Agent]) -> None:
    """End wrap-ups and previews that took too long."""
    for agent in overdue:
        if agent.state is _WRAPUP:
            agents.finish_wrapup(step, agent)
            agents.release(step, agent)
        elif agent.state is _PREVIEWING and agent.preview is not None:
            leads.drop_preview(step, agent, "preview_expired")
            agents.shift(step, agent, AgentState.paused, "preview_expired")


# ---- pacing


def dry(state: State, campaign: Campaign) -> bool:
    """Return whether a campaign has nobody to call at the moment, so that pacing need not be asked."""
    return not stock(campaign) and campaign.mode is not _PREVIEW and not state.pacers[campaign.name].trunk_failing


def _idle(step: Step, campaign: Campaign, reason: str) -> int:
    """Place no call, and say why once; what pacing would say is found out when somebody asks."""
    seen = partial(resting, step.state, campaign, reason)
    step.state.seen[campaign.name] = seen
    if campaign.pacing is None or campaign.pacing.reason != reason:
        step.emit(seen(), campaign.name)
    return 0


def _dial(step: Step, campaign: Campaign, flight: Flight, lines: int, blocked: str) -> int:
    """Place a campaign's calls of this tick and return how many."""
    state = step.state
    settings = campaign.settings
    mode = campaign.mode
    room = min((settings.max_lines or state.settings.max_lines) - flight.lines, state.settings.max_lines - lines)
    full = "lines"
    if (allowed := int(state.calls_allowed(campaign) + 1e-9)) < room:
        room, full = allowed, "calls_per_second"
    n_free = free_agents(state, campaign)
    # Pacing alone tells a dead trunk, in every mode; what else it says is for predictive dialling.
    own_rule = mode is not _PREDICTIVE and not blocked and not state.pacers[campaign.name].trunk_failing
    if own_rule:
        wanted, reason, budget_left = by_rule(campaign, n_free, flight.covered)
        if wanted <= min(0, room):
            return _idle(step, campaign, reason)
    decision = paced(state, campaign, flight, n_free, room)
    if not own_rule:
        wanted, reason, budget_left = decision.dials, decision.reason, decision.budget_left
        if blocked:
            wanted, reason = 0, blocked
    elif budget_left is None:
        budget_left = decision.budget_left
    placed = 0
    if mode is not _PREVIEW and not blocked:
        spare = 0
        if wanted > 0 or campaign.held:
            # Leads that need an agent of their own need certainty: one is free whom no call in flight may take.
            claims = flight.covered
            if mode is _PREDICTIVE:
                claims = ceil(min(decision.expected_answers, claims))
            if campaign.held:
                most_held = min(n_free - claims, room, wanted if reason == "trunk_failing" else room)
                placed = _dial_held(step, campaign, settings, most_held)
            spare, room = n_free - claims - placed, room - placed
            if mode is _PROGRESSIVE or reason == "trunk_failing":
                wanted -= placed
        if wanted > room:
            wanted, reason = room, full
        if wanted > 0:
            ready = _dial_ready(step, campaign, settings, wanted, spare)
            if ready < wanted and not stock(campaign):
                reason = "no_leads"
            placed += ready
    seen = partial(figures, campaign.name, placed, reason, n_free, flight, decision, budget_left)
    state.seen[campaign.name] = seen
    if placed or campaign.pacing is None or campaign.pacing.reason != reason:
        step.emit(seen(), campaign.name)
    return placed


# ---- the list


def _dial_held(step: Step, campaign: Campaign, settings: CampaignSettings, most: int) -> int:
    """Dial up to `most` leads that need an agent of their own, each against one; return how many left."""
    placed = 0
    owner_busy: list[Entry] = []
    for _ in range(JUDGED_PER_TICK):
        lead = step.state.head(campaign, campaign.held) if placed < most else None
        if lead is None:
            break
        agent = _free_agent(step, campaign, lead)
        if agent is None:
            # Only its owner will do: look at the next one, and put this one back.
            owner_busy.append(campaign.held.pop())
        else:
            placed += _try(step, campaign, settings, lead, agent)
    for entry in owner_busy:
        campaign.held.push(entry)
    return placed


def _free_agent(step: Step, campaign: Campaign, lead: LeadState) -> Agent | None:
    state = step.state
    if lead.call_back is not None and step.at_us - lead.at_us < OWNER_WAIT_US:
        owner = state.agents.get(lead.call_back)
        return owner if owner is not None and owner.state is _READY else None
    asked, first = leads.treatment_of(campaign.settings, lead).agent_group, None
    for name in state.ready:
        agent = state.agents[name]
        if agent.allotted == campaign.name and agent.then == "ready":
            if not asked or asked in agent.groups:
                return agent
            first = first or agent
    return first


def _dial_ready(step: Step, campaign: Campaign, settings: CampaignSettings, wanted: int, spare: int) -> int:
    """Dial up to `wanted` leads from the head of the list; return how many left."""
    placed = 0
    for _ in range(JUDGED_PER_TICK):
        if placed >= wanted:
            break
        lead = step.state.head(campaign, campaign.ready)
        if lead is None:
            break
        campaign.ready.pop()  # whatever comes of it, it stands here no longer
        placed += _try(step, campaign, settings, lead, None, spare=spare > placed)
    return placed


def _try(
    step: Step,
    campaign: Campaign,
    settings: CampaignSettings,
    lead: LeadState,
    agent: Agent | None,
    *,
    spare: bool = False,
) -> int:
    """Judge a lead's numbers in turn and reserve the first that may be called. Return 1 if a call was ordered.

    `agent` is reserved for the call in any case; where there is none and the verdict demands one, a `spare` one is.
    """
    state = step.state
    dossier = state.people[lead.person]
    if lead.person in state.person_call:
        leads.postpone(step, campaign, lead, step.at_us + leads.IN_CALL_REST_US, "in_call")
        return 0
    worked = leads.open_debts(dossier, lead.debts)
    guaranteed = agent is not None or campaign.mode is _PROGRESSIVE
    found = judge(step, settings, lead, dossier, worked, guaranteed)
    if found is None:
        leads.close_lead(step, campaign, lead, "no_number")
        return 0
    phone, verdict = found
    if not verdict.allowed:
        deny(step, campaign, lead, phone, verdict)
        return 0
    if phone.phone in state.phone_call:
        leads.postpone(step, campaign, lead, step.at_us + leads.IN_CALL_REST_US, "in_call")
        return 0
    if lead.choice is not None and (rest := _rest(step, settings, lead, verdict)) is not None:
        leads.postpone(step, campaign, lead, *rest)
        return 0
    if verdict.agent_always and agent is None:
        agent = _free_agent(step, campaign, lead) if spare else None
        if agent is None:
            step.emit(LeadHeld(campaign=campaign.name, person=lead.person), campaign.name)
            return 0
    reserve(step, campaign, settings, lead, dossier, worked, phone, verdict, agent)
    return 1


def judge(
    step: Step, settings: CampaignSettings, lead: LeadState, dossier: Dossier, worked: tuple[int, ...], guaranteed: bool
) -> tuple[Phone, Verdict] | None:
    """Return the first number that may be called now, else the one that may be called soonest; None: no number.

    `worked` are those of the lead's debts that are open.
    """
    best: tuple[Phone, Verdict] | None = None
    purpose = leads.purpose_of(settings, lead)
    phones = phones_of(lead, dossier)
    first = lead.phone_index % len(phones) if phones else 0
    for phone in phones[first:] + phones[:first] if first else phones:
        verdict = step.gate.judge(
            dossier,
            at_us=step.at_us,
            phone=phone,
            debts=worked or lead.debts,
            actor=settings.actor,
            purpose=purpose,
            live_agent_guaranteed=guaranteed,
        )
        if verdict.allowed:
            return phone, verdict
        if best is None or _sooner(verdict, best[1]):
            best = (phone, verdict)
    return best


def _rest(step: Step, settings: CampaignSettings, lead: LeadState, verdict: Verdict) -> tuple[int, str] | None:
    """Return until when and why a lead rests though law lets it be called; None: it does not."""
    treatment = leads.treatment_of(settings, lead)
    # What the debtor asked for is no courtesy to refuse.
    if treatment is NO_TREATMENT or lead.asked:
        return None
    return courtesy.rest(treatment, step.state.people[lead.person], verdict, step.at_us)


def _sooner(verdict: Verdict, than: Verdict) -> bool:
    if verdict.next_allowed_at_us is None:
        return False
    return than.next_allowed_at_us is None or verdict.next_allowed_at_us < than.next_allowed_at_us


def deny(step: Step, campaign: Campaign, lead: LeadState, phone: Phone, verdict: Verdict) -> None:
    """Journal a denial once; the lead leaves the queue until it may be judged again."""
    step.emit(Judged(campaign=campaign.name, person=lead.person, phone=phone.phone, verdict=verdict), campaign.name)
    why = verdict.rule or "denied."
    if verdict.next_allowed_at_us is None:
        leads.close_lead(step, campaign, lead, why)
    else:
        leads.postpone(step, campaign, lead, max(verdict.next_allowed_at_us, step.at_us + SECOND), why)


def reserve(
    step: Step,
    campaign: Campaign,
    settings: CampaignSettings,
    lead: LeadState,
    dossier: Dossier,
    worked: tuple[int, ...],
    phone: Phone,
    verdict: Verdict,
    agent: Agent | None,
) -> None:
    call_id = step.next_id()
    # As the dossier was read: a key that has moved on with somebody else's call makes this one stale.
    number = f"phone:{phone.phone}"
    keys: list[CapKey] = []
    for cap in dossier.keys:
        if cap.key == number or not cap.key.startswith("phone:"):
            keys.append(cap)
    told = lead.chances(phone.phone, step.state.hour(), settings.detect_machines) if lead.reach else (None, None)
    p_answer, p_taken = told
    of_country = settings.caller_ids.get(phone.country) or settings.caller_ids.get("*")
    numbers = leads.treatment_of(settings, lead).caller_ids or of_country or ("",)
    step.emit(
        Reserve(
            call_id=call_id,
            campaign=campaign.name,
            person=lead.person,
            debts=worked,
            phone=phone.phone,
            keys=tuple(keys),
            mode=campaign.mode,
            verdict=verdict,
            node=agent.node if agent is not None else _node(step, campaign.name),
            trunk=settings.trunks[campaign.trunk_turn % len(settings.trunks)],
            # The same debtor sees the same number.
            caller_id=numbers[lead.person % len(numbers)],
            ordinal=lead.attempts + 1,
            agent=agent.agent if agent is not None else None,
            p_answer=p_answer,
            p_taken=p_taken if p_taken != p_answer else None,
            score_version=_scores(campaign, lead, p_answer),
            choice=lead.choice,
        ),
        campaign.name,
    )
    if agent is not None:
        agents.shift(step, agent, AgentState.reserved, call_id=call_id)


def _scores(campaign: Campaign, lead: LeadState, p_answer: float | None) -> str | None:
    """Return which scores an attempt goes by: those that told its chance, or else those that ranked it."""
    if p_answer is not None:
        return campaign.scores
    return None if lead.choice is None else lead.choice.score_version


def _node(step: Step, campaign: str) -> str:
    """Return the linked node whose agents have fewest calls in flight each."""
    state = step.state
    nodes = state.settings.nodes
    if len(nodes) > 1:
        nodes = tuple([node for node in nodes if state.nodes.get(node)])
    if len(nodes) == 1:
        return nodes[0]
    staff = dict.fromkeys(nodes, 0)
    flying = dict.fromkeys(nodes, 0)
    for agent in state.agents.values():
        if agent.node in staff and agent.allotted == campaign:
            staff[agent.node] += 1
    for call in state.calls.values():
        if call.node in flying and call.campaign == campaign and call.phase in ON_SWITCH | {Phase.reserving}:
            flying[call.node] += 1
    return min(nodes, key=lambda node: (flying[node] + 1) / staff[node] if staff[node] else float("inf"))


# ---- preview


def lead_asked(step: Step, name: str) -> None:
    """Show an agent the next lead that may be called."""
    state = step.state
    agent = state.agents.get(name)
    if agent is None or agent.state is not AgentState.ready:
        return
    for campaign in state.campaigns.values():
        if campaign.mode is not Mode.preview or campaign.state is not CampaignState.running:
            continue
        if not state.serves(agent, campaign.name):
            continue
        settings = state.campaign_settings(campaign.name)
        for _ in range(JUDGED_PER_TICK):
            lead = leads.offered(step, campaign, agent)
            if lead is None:
                break
            dossier = state.people[lead.person]
            worked = leads.open_debts(dossier, lead.debts)
            found = judge(step, settings, lead, dossier, worked, True)
            if found is None:
                leads.close_lead(step, campaign, lead, "no_number")
            elif not found[1].allowed:
                deny(step, campaign, lead, *found)
            elif (rest := _rest(step, settings, lead, found[1])) is not None:
                leads.postpone(step, campaign, lead, *rest)
            elif lead.person in state.person_call:
                leads.postpone(step, campaign, lead, step.at_us + leads.IN_CALL_REST_US, "in_call")
            else:
                agents.shift(step, agent, AgentState.previewing)
                step.emit(ShowLead(agent=name, campaign=campaign.name, person=lead.person), campaign.name)
                return


def lead_accepted(step: Step, name: str) -> None:
    state = step.state
    agent = state.agents.get(name)
    if agent is None or agent.state is not AgentState.previewing or agent.preview is None:
        return
    campaign_name, person = agent.preview
    campaign = state.campaigns[campaign_name]
    settings = state.campaign_settings(campaign_name)
    if _blocked(step, agent.node) or not _try(step, campaign, settings, campaign.leads[person], agent):
        if campaign.leads[person].place == BUSY:
            leads.drop_preview(step, agent, "not_now")
        agents.release(step, agent)


def _blocked(step: Step, node: str) -> bool:
    state = step.state
    return not state.nodes.get(node) or lagging(state)


def lead_skipped(step: Step, name: str, reason: str) -> None:
    agent = step.state.agents.get(name)
    if agent is not None and agent.state is AgentState.previewing:
        leads.drop_preview(step, agent, reason)
        agents.release(step, agent)


# ---- campaigns and alarms


def campaign_ordered(step: Step, name: str, verb: str) -> None:
    campaign = step.state.campaigns.get(name)
    if campaign is None:
        return
    target = {
        "run": CampaignState.running,
        "pause": CampaignState.paused,
        "drain": CampaignState.draining,
        "stop": CampaignState.stopped,
    }[verb]
    if campaign.state is not target:
        step.emit(CampaignShifted(campaign=name, state=target, why="ordered"), name)
    if target is CampaignState.stopped:
        for call in list(step.state.calls.values()):
            if call.campaign == name and call.phase in (Phase.originating, Phase.ringing):
                calls.cancel(step, call, "stopped")


def _settle(step: Step, campaign: Campaign) -> None:
    """Close a campaign that has nothing left, and keep its alarms true."""
    state, places = step.state, campaign.places
    empty = not stock(campaign) and bool(campaign.leads)
    if campaign.state is _DRAINING and not state.lines[campaign.name] and not places.get(BUSY, 0):
        step.emit(CampaignShifted(campaign=campaign.name, state=CampaignState.stopped, why="drained"), campaign.name)
    elif empty and campaign.state is _RUNNING and not (places.get(BUSY, 0) or places.get(PARKED, 0)):
        step.emit(CampaignShifted(campaign=campaign.name, state=CampaignState.finished, why="list_done"), campaign.name)
    running = campaign.state is _RUNNING
    empty = running and empty
    failing = running and campaign.pacing is not None and campaign.pacing.reason == "trunk_failing"
    people, abandoned = campaign.abandonment()
    windows = state.pacers[campaign.name].settings.limits
    looked = (empty, failing, people, abandoned, campaign.pace, windows)
    if state.looked.get(campaign.name) == looked:
        return  # mostly nothing has changed
    state.looked[campaign.name] = looked
    share, alert_share = campaign.pace.share, campaign.pace.alert_share
    over = abandoned > share * people
    near = alert_share is not None and alert_share * people < abandoned <= share * people
    over_in = [
        (one.name, one.abandoned_before + abandoned > one.share * (one.answered_before + people)) for one in windows
    ]
    _alarm(step, "abandonment", campaign.name, over)
    _alarm(step, "abandonment_near", campaign.name, near)
    for name, on in over_in:
        _alarm(step, "abandonment", f"{campaign.name}, {name}", on)
    _alarm(step, "trunk_failing", campaign.name, failing)
    _alarm(step, "no_leads", campaign.name, empty)


def link_alarm(step: Step, node: str) -> None:
    _alarm(step, "link_down", node, not step.state.nodes.get(node))


def _alarm(step: Step, kind: str, subject: str, on: bool) -> None:
    alarms = step.state.alarms
    if not (on or alarms) or (f"{kind}|{subject}" in alarms) == on:
        return
    step.emit(AlarmRaised(kind=kind, subject=subject) if on else AlarmCleared(kind=kind, subject=subject))
