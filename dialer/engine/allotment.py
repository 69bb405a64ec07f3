"""The allocator: which campaign each agent works for now, where several share one floor."""

from dialer.engine.state import BUSY, HELD, READY, Agent, Campaign
from dialer.engine.step import Step
from domain.calls import AgentState, CampaignState
from domain.facts import AgentAllotted


def allot(step: Step) -> None:
    """Share the agents who can take calls among the running campaigns by weight, moving as few as possible."""
    state = step.state
    open_names = [
        campaign.name
        for campaign in state.campaigns.values()
        if campaign.state is CampaignState.running and (stock(campaign) or campaign.places.get(BUSY, 0))
    ]
    if not open_names:
        return
    present = [a for a in state.agents.values() if a.state not in (AgentState.offline, AgentState.away)]
    have = dict.fromkeys(open_names, 0)
    for agent in present:
        if agent.allotted in have:
            have[agent.allotted] += 1
    for agent in present:
        if agent.allotted in have and state.serves(agent, agent.allotted):
            continue
        _move_agent(step, agent, _neediest(step, agent, open_names, have, len(present)), have)
    if len(open_names) < 2:
        return
    for agent in present:
        # An idle agent moves when another campaign is a whole agent further below its share.
        if agent.state is AgentState.ready and agent.allotted is not None:
            target = _neediest(step, agent, open_names, have, len(present))
            if target is not None and target != agent.allotted:
                gap = _want(step, target, open_names, len(present)) - have[target]
                surplus = have[agent.allotted] - _want(step, agent.allotted, open_names, len(present))
                if gap >= 1.0 - 1e-9 or (gap > 0.5 and surplus > 0.5):
                    _move_agent(step, agent, target, have)


def _want(step: Step, name: str, open_names: list[str], n_agents: int) -> float:
    weights = {each: step.state.campaign_settings(each).weight for each in open_names}
    return n_agents * weights[name] / sum(weights.values())


def _neediest(step: Step, agent: Agent, open_names: list[str], have: dict[str, int], n_agents: int) -> str | None:
    best, best_gap = None, float("-inf")
    for name in open_names:
        if step.state.serves(agent, name):
            gap = _want(step, name, open_names, n_agents) - have[name]
            if gap > best_gap + 1e-9:
                best, best_gap = name, gap
    return best


def _move_agent(step: Step, agent: Agent, target: str | None, have: dict[str, int]) -> None:
    if agent.allotted == target:
        return
    if agent.allotted in have:
        have[agent.allotted] -= 1
    if target is not None:
        have[target] += 1
    step.emit(AgentAllotted(agent=agent.agent, campaign=target), target)


def stock(campaign: Campaign) -> int:
    return campaign.places.get(READY, 0) + campaign.places.get(HELD, 0)
