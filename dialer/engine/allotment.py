"""The allocator: which campaign each agent works for now, where several share one floor."""

from dialer.engine.state import BUSY, HELD, READY, Agent, Campaign
from dialer.engine.step import Step
from domain.calls import AgentState, CampaignState
from domain.facts import AgentAllotted

_SOON_FREE = frozenset({AgentState.talking, AgentState.wrapup})
#: Asked often: see `domain.calls.Word`.
_OFFLINE, _AWAY, _READY, _RUNNING = AgentState.offline, AgentState.away, AgentState.ready, CampaignState.running


def allot(step: Step) -> None:
    """Share the agents who can take calls among the running campaigns by weight, moving as few as possible."""
    state = step.state
    if state.all_for and len(state.campaigns) == 1:
        return
    open_names = [
        campaign.name
        for campaign in state.campaigns.values()
        if campaign.state is _RUNNING and (stock(campaign) or campaign.places.get(BUSY, 0))
    ]
    if not open_names:
        return
    if len(open_names) == 1:
        if state.all_for != open_names[0]:
            _allot_all(step, open_names[0])
        return
    present = [a for a in state.agents.values() if _is_present(a)]
    weights = {name: state.campaign_settings(name).weight for name in open_names}
    #: How many agents each campaign has below its share.
    short = {name: len(present) * weight / sum(weights.values()) for name, weight in weights.items()}
    for agent in present:
        if agent.allotted in short:
            short[agent.allotted] -= 1
    for agent in present:
        if agent.allotted not in short or not state.serves(agent, agent.allotted):
            _move_agent(step, agent, _shortest(step, agent, short), short)
    # Idle agents move first; those soon free are shared as well, so that each campaign dials ahead for its own.
    movable = [a for a in present if a.state is _READY]
    movable += [a for a in present if a.state in _SOON_FREE and a.then == "ready"]
    moved = True
    while moved:
        moved = False
        for agent in movable:
            target = _shortest(step, agent, short)
            # Each move makes the shares truer, so moves end.
            if target is not None and agent.allotted is not None and short[target] - short[agent.allotted] > 1.0 + 1e-9:
                _move_agent(step, agent, target, short)
                moved = True


def _is_present(agent: Agent) -> bool:
    return agent.state is not _OFFLINE and agent.state is not _AWAY


def _allot_all(step: Step, name: str) -> None:
    """Give the only campaign everybody who serves it."""
    for agent in step.state.agents.values():
        if (agent.allotted != name or agent.campaigns) and _is_present(agent):
            target = name if step.state.serves(agent, name) else None
            if agent.allotted != target:
                step.emit(AgentAllotted(agent=agent.agent, campaign=target), target)
    step.state.all_for = name


def _shortest(step: Step, agent: Agent, short: dict[str, float]) -> str | None:
    """Return the campaign that an agent serves and that is furthest below its share."""
    best, most = None, float("-inf")
    for name, by in short.items():
        if by > most + 1e-9 and step.state.serves(agent, name):
            best, most = name, by
    return best


def _move_agent(step: Step, agent: Agent, target: str | None, short: dict[str, float]) -> None:
    if agent.allotted == target:
        return
    if agent.allotted in short:
        short[agent.allotted] += 1
    if target is not None:
        short[target] -= 1
    step.emit(AgentAllotted(agent=agent.agent, campaign=target), target)


def stock(campaign: Campaign) -> int:
    return campaign.places.get(READY, 0) + campaign.places.get(HELD, 0)
