"""Decisions about leads: what an attempt's end means for its person, and what is left of the list."""

from itertools import islice

from dialer.engine.evolve import MAX_ATTEMPTS
from dialer.engine.state import BUSY, CLOSED, WORKING, Agent, Call, Campaign, LeadState, phones_of, put_off
from dialer.engine.step import Step
from domain.calls import Disposition, Phase
from domain.events import PersonChanged
from domain.facts import AttemptClosed, LeadClosed, LeadScheduled
from domain.instants import MINUTE
from domain.orders import HangUp
from domain.people import Dossier, rung
from domain.settings import NO_TREATMENT, CallTreatment, CampaignSettings

#: A skipped preview comes back after so long.
SKIP_REST_US = 30 * MINUTE
#: An agent who asks for a lead is not made to wait while the list is searched for one that is not kept for others.
OFFERED_OF = 200
#: Two campaigns want one person: the second looks again after so long.
IN_CALL_REST_US = MINUTE
#: Purpose of a call that the debtor asked for.
REPLY = "reply_to_debtor"

#: Asked often: see `domain.calls.Word`.
_CALL_BACK = Disposition.call_back


def close_attempt(step: Step, call: Call, disposition: Disposition) -> None:
    """End an attempt in its one disposition and say what follows for its lead."""
    at_us = step.at_us
    event = rung(disposition)
    ring_end_us = call.answered_us or at_us
    talk_end_us = call.ended_us or at_us
    step.emit(
        AttemptClosed(
            call_id=call.call_id,
            campaign=call.campaign,
            person=call.person,
            phone=call.phone,
            disposition=disposition,
            event=event,
            ring_us=ring_end_us - call.dialled_us if call.dialled_us else None,
            talk_us=talk_end_us - call.connected_us if call.connected_us else None,
            wrap_us=at_us - call.ended_us if call.connected_us and call.ended_us else None,
            q850=call.q850,
            sip=call.sip,
        ),
        call.campaign,
    )
    dialled = event is not None
    _follow(step, call, disposition, dialled)


def _follow(step: Step, call: Call, disposition: Disposition, dialled: bool) -> None:
    campaign = step.state.campaigns[call.campaign]
    settings = campaign.settings
    lead = campaign.leads[call.person]
    dossier = step.state.people[call.person]
    treatment = treatment_of(settings, lead)
    retry = settings.follow(disposition, treatment)
    worked = open_debts(dossier, lead.debts)
    if not worked:
        close_lead(step, campaign, lead, "paid" if dossier.debts else "withdrawn")
        return
    disposed = call.disposed
    if disposition is _CALL_BACK and disposed is not None and disposed.call_back_us is not None:
        agent = disposed.agent if disposed.own else None
        index = _index(lead, dossier, call.phone, 0)
        schedule(step, campaign, lead, disposed.call_back_us, disposition, index, agent)
        return
    if retry.after_min is None or lead.ended.get(disposition, 0) >= retry.limit:
        close_lead(step, campaign, lead, disposition)
        return
    most = settings.max_attempts
    if treatment.max_calls:
        most = min(most, treatment.max_calls)
    if lead.attempts >= most:
        close_lead(step, campaign, lead, MAX_ATTEMPTS)
        return
    index = lead.phone_index
    if retry.next_number and dossier.phones:
        index = (_index(lead, dossier, call.phone, index) + 1) % len(dossier.phones)
    # An attempt that was never dialled leaves a call-back to its owner.
    owner = None if dialled else lead.call_back
    schedule(step, campaign, lead, step.at_us + round(retry.after_min * MINUTE), disposition, index, owner)


def schedule(
    step: Step,
    campaign: Campaign,
    lead: LeadState,
    at_us: int,
    why: str,
    phone_index: int | None = None,
    agent: str | None = None,
) -> None:
    step.emit(
        LeadScheduled(
            campaign=campaign.name,
            person=lead.person,
            at_us=at_us,
            why=why,
            phone_index=lead.phone_index if phone_index is None else phone_index,
            agent=agent,
        ),
        campaign.name,
    )


def postpone(step: Step, campaign: Campaign, lead: LeadState, at_us: int, why: str) -> None:
    """Schedule a lead that was not called for later, with the number and the owner that it has."""
    schedule(step, campaign, lead, at_us, why, agent=lead.call_back)


def close_lead(step: Step, campaign: Campaign, lead: LeadState, why: str) -> None:
    step.emit(LeadClosed(campaign=campaign.name, person=lead.person, why=why), campaign.name)


def open_debts(dossier: Dossier, debts: tuple[int, ...]) -> tuple[int, ...]:
    """Return those of a lead's debts that are still owed."""
    # Mostly there is one: this costs less than a list would.
    found: tuple[int, ...] = ()
    for debt in dossier.debts:
        if debt.state == "open" and debt.debt in debts:
            found += (debt.debt,)
    return found


def treatment_of(settings: CampaignSettings, lead: LeadState) -> CallTreatment:
    """Return how a lead is called, by the strategy that listed it."""
    return NO_TREATMENT if lead.choice is None else settings.treatment(lead.choice.treatment)


def purpose_of(settings: CampaignSettings, lead: LeadState) -> str:
    """Return what the next call is for: some laws count one that the debtor asked for as an answer to him."""
    return REPLY if lead.asked else settings.purpose


def _index(lead: LeadState, dossier: Dossier, phone: int, otherwise: int) -> int:
    """Return where a number stands among a person's."""
    for index, one in enumerate(phones_of(lead, dossier)):
        if one.phone == phone:
            return index
    return otherwise


def offered(step: Step, campaign: Campaign, agent: Agent) -> LeadState | None:
    """Return the lead to show an agent: the first that is not kept for a group at work, else the first of all."""
    state, settings = step.state, campaign.settings
    first = state.head(campaign, campaign.held) or state.head(campaign, campaign.ready)
    if first is None or not treatment_of(settings, first).agent_group:
        return first
    others = [one for one in state.agents.values() if one.state in WORKING and state.serves(one, campaign.name)]
    kept = {group for one in others for group in one.groups}.difference(agent.groups)
    for lead in (first, *islice(state.next_leads(campaign), OFFERED_OF)):
        if treatment_of(settings, lead).agent_group not in kept:
            return lead
    return first


def drop_preview(step: Step, agent: Agent, why: str) -> None:
    """Give a previewed lead back to its list."""
    if agent.preview is None:
        return
    name, person = agent.preview
    campaign = step.state.campaigns[name]
    schedule(step, campaign, campaign.leads[person], step.at_us + SKIP_REST_US, why)


def person_changed(step: Step, event: PersonChanged) -> None:
    """Obey at once what somebody else wrote: a paid debt leaves every list, a lifted stop brings it back."""
    person = event.dossier.person
    for campaign in step.state.campaigns.values():
        lead = campaign.leads.get(person)
        if lead is None:
            continue
        worked = open_debts(step.state.people[person], lead.debts)
        if not worked:
            if lead.place not in (CLOSED, BUSY):
                close_lead(step, campaign, lead, "paid")
        elif lead.place == CLOSED and lead.why in ("paid", "withdrawn"):
            schedule(step, campaign, lead, step.at_us, "reopened")
        elif put_off(lead):
            # Parked or closed by a rule: what the rule saw has changed, so ask the gate again.
            postpone(step, campaign, lead, step.at_us, "changed")
    call_id = step.state.person_call.get(person)
    call = step.state.calls.get(call_id) if call_id is not None else None
    if (
        call is not None
        and call.phase in (Phase.originating, Phase.ringing)
        and not call.hangup_why
        and not open_debts(step.state.people[person], call.debts)
    ):
        step.emit(HangUp(call_id=call.call_id, node=call.node, why="paid"), call.campaign)
