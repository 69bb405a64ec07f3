"""Until when ticks would change nothing: what a simulation, which has no wall to show, may leave out."""

from dialer.engine.agents import BUSY_REST_US
from dialer.engine.dialling import dry, lagging
from dialer.engine.evolve import SWEEP_US
from dialer.engine.flight import flights
from dialer.engine.paced import by_rule, free_agents
from dialer.engine.state import Agent, State
from domain.calls import AgentState, CampaignState, Mode
from domain.instants import SECOND

#: Asked often: see `domain.calls.Word`.
_RUNNING, _DRAINING, _PREDICTIVE = CampaignState.running, CampaignState.draining, Mode.predictive


def still_until(state: State) -> int:
    """Return the instant (µs) before which no tick changes anything, if no other input comes; 0: the next one may.

    To be asked after a tick that changed nothing. Predictive dialling with somebody to call is never still: its answer
    moves with the seconds that calls have rung and talks have lasted.
    """
    for campaign in state.campaigns.values():
        if campaign.mode is _PREDICTIVE and campaign.state is _RUNNING and not dry(state, campaign):
            return 0
    if lagging(state) or not any(map(state.nodes.get, state.settings.nodes)):
        return 0
    due_us = min(state.swept_us + SWEEP_US, state.midnight_us, state.shift_end_us)
    in_flight = None
    for campaign in state.campaigns.values():
        if campaign.state is _DRAINING or campaign.review:
            return 0
        parked = state.head(campaign, campaign.parked)
        if parked is not None:
            due_us = min(due_us, parked.at_us)
        if campaign.state is not _RUNNING:
            continue
        if state.pacers[campaign.name].trunk_failing:
            return 0
        # A predictive one is dry, as was seen above.
        if campaign.mode is not _PREDICTIVE and not dry(state, campaign):
            in_flight = in_flight or flights(state)
            if by_rule(campaign, free_agents(state, campaign), in_flight[campaign.name].covered)[0] > 0:
                return 0
    if state.busy.going:
        return 0
    for name in state.clocked:
        due_us = min(due_us, _due_us(state, state.agents[name]))
    return due_us


def _due_us(state: State, agent: Agent) -> int:
    """Return when an agent has been long enough in a state that a tick ends."""
    if agent.state is AgentState.wrapup:
        call = state.calls.get(agent.call_id) if agent.call_id is not None else None
        return agent.since_us + (round(state.campaign_settings(call.campaign).wrapup_s * SECOND) if call else 0)
    if agent.state is AgentState.previewing and agent.preview is not None:
        return agent.since_us + round(state.campaign_settings(agent.preview[0]).preview_s * SECOND)
    if agent.state is AgentState.away and agent.reason == "busy":
        return agent.since_us + BUSY_REST_US
    return state.midnight_us
