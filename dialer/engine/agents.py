"""Decisions about agents: who is free, who takes a caller, what follows a call, pauses and departures."""

from math import inf
from typing import NamedTuple

from dialer.engine import leads
from dialer.engine.state import Agent, Call, State
from dialer.engine.step import Step
from dialer.engine.transitions import ON_SWITCH
from domain.calls import AgentState, Disposition, Phase
from domain.facts import AgentShifted, CallAssigned, CallMoved
from domain.instants import SECOND
from domain.matching import Match, Sought
from domain.orders import Connect, DropAgent, HangUp, Keep, QueueAgent, RingAgent

#: A switch calls an agent usable a moment before it is; a busy answer rests him for this long.
BUSY_REST_US = 2 * SECOND
#: A free agent who asked to pause waits no longer than this for calls that ring for him.
MOST_ASKED_US = 60 * SECOND
#: A connect ordered later than this before the end of the patience could reach a caller who hears the message.
CONNECT_MARGIN_US = 100_000
#: Who has been free for so long is given the next caller, whoever would suit him better: a longer bound hardly brings
#: more, and leaves some with less of the work (docs/results.md).
MOST_IDLE_US = 120 * SECOND
#: The best of so many, longest idle first, is hardly worse than the best of all, and a pick costs no more on any floor.
MOST_COMPARED = 32

#: Asked often: see `domain.calls.Word`.
_READY, _RESERVED, _OFFLINE, _AWAY = AgentState.ready, AgentState.reserved, AgentState.offline, AgentState.away
_TALKING, _WRAPUP, _WAITING, _WRAPPING = AgentState.talking, AgentState.wrapup, Phase.waiting, Phase.wrapping


def shift(step: Step, agent: Agent, state: AgentState, reason: str = "", call_id: str | None = None) -> None:
    """Move an agent to a state, and let the switch's own queues know whether he may be given calls."""
    was = agent.state
    step.emit(AgentShifted(agent=agent.agent, state=state, reason=reason, call_id=call_id), agent.allotted)
    # The queues may give calls to those who stand ready.
    if agent.phone_up and (was is _OFFLINE or (was is _READY) != (state is _READY)):
        queue(step, agent)


def queue(step: Step, agent: Agent) -> None:
    names = agent.campaigns or tuple([campaign.name for campaign in step.state.settings.campaigns])
    step.emit(QueueAgent(agent=agent.agent, node=agent.node, campaigns=names, paused=agent.state is not _READY))


class Pick(NamedTuple):
    """Who is given a caller, and why it is he."""

    agent: Agent | None
    #: Where a table of matching was asked.
    match: Match | None = None
    #: Of the group that the call asks for, so many might have been given it; None: it asks for none.
    of_group: int | None = None


def pick(step: Step, call: Call) -> Pick:
    """Return the agent for an answered caller.

    Of those allotted here who stay, else of those who leave, else of any: of the group that the call asks for, where
    one is among them; of these the best match, else the longest idle.
    """
    state = step.state
    group, asked = _group(step, call), call.agent_group
    staying: list[Agent] = []
    leaving: list[Agent] = []
    others: list[Agent] = []
    for name in state.ready:
        agent = state.agents[name]
        if agent.node != call.node or name in call.refused or not state.serves(agent, call.campaign):
            continue
        if agent.allotted != call.campaign:
            others.append(agent)
        elif agent.then != "ready":
            leaving.append(agent)
        elif group is None and not asked:
            return Pick(agent)
        else:
            staying.append(agent)
            if len(staying) == MOST_COMPARED and not asked:
                break
    free = staying or leaving or others
    n_of_group = None
    if asked:
        of_group = [agent for agent in free if asked in agent.groups]
        free, n_of_group = of_group or free, len(of_group)
    if group is None or len(free) < 2:
        return Pick(free[0] if free else None, None, n_of_group)
    return Pick(*_match(step, free[:MOST_COMPARED], group), n_of_group)


def _group(step: Step, call: Call) -> int | None:
    """Return a caller's group in the floor's table of matching; None: none counts for him."""
    state = step.state
    table, dossier = state.settings.matching, state.people.get(call.person)
    return None if table is None or dossier is None else table.group(dossier, state.day)


def _match(step: Step, free: list[Agent], group: int) -> tuple[Agent, Match]:
    """Return who suits a caller best of some agents, longest idle first, and of equals the longest idle."""
    table, first = step.state.settings.matching, free[0]
    assert table is not None
    gains = [of[group] if (of := table.gains.get(agent.agent)) else 0.0 for agent in free]
    idle = step.at_us - first.since_us >= MOST_IDLE_US
    best = 0 if idle else gains.index(max(gains))
    why = Match(
        version=table.version,
        group=group,
        of=len(free),
        gain=gains[best],
        instead=first.agent if best else "",
        passed=gains[0] if best else 0.0,
        idle=idle,
    )
    return free[best], why


def seek_agent(step: Step, call: Call) -> None:
    """Connect a waiting caller if anybody can take him; otherwise keep him for the rest of the patience."""
    deadline_us = call.clock_us + patience_us(step, call)
    if step.at_us >= deadline_us - CONNECT_MARGIN_US or call.call_id in step.unsettled:
        return
    picked = Pick(step.agent_of(call)) if call.pinned else pick(step, call)
    if picked.agent is None:
        step.emit(Keep(call_id=call.call_id, node=call.node, for_ms=(deadline_us - step.at_us) // 1000), call.campaign)
        return
    connect(step, call, picked.agent, picked)


def patience_us(step: Step, call: Call) -> int:
    return round(step.state.campaigns[call.campaign].pace.patience_s * SECOND)


def connect(step: Step, call: Call, agent: Agent, why: Pick | None = None) -> None:
    match, of_group = (why.match, why.of_group) if why is not None else (None, None)
    asked = call.agent_group
    sought = Sought(group=asked, within=asked in agent.groups, free=of_group) if asked else None
    step.emit(
        Connect(call_id=call.call_id, agent=agent.agent, node=call.node, match=match, sought=sought), call.campaign
    )
    if agent.state is not _RESERVED or agent.call_id != call.call_id:
        shift(step, agent, _RESERVED, call_id=call.call_id)


def become_ready(step: Step, agent: Agent) -> None:
    """Give a free agent to the caller who waits longest, or let him stand ready."""
    # Mostly nobody waits, and there are many calls to look at.
    best = _longest_waiting(step, agent) if any(lines.answered for lines in step.state.lines.values()) else None
    if agent.state is not _READY:
        shift(step, agent, _READY)
    if best is not None:
        connect(step, best, agent)


def _longest_waiting(step: Step, agent: Agent) -> Call | None:
    """Return the caller who waits longest for somebody like this agent."""
    state = step.state
    best: Call | None = None
    for call in state.calls.values():
        if (
            call.phase is _WAITING
            and not call.pinned
            and call.node == agent.node
            and agent.agent not in call.refused
            and call.call_id not in step.unsettled
            and state.serves(agent, call.campaign)
            and step.at_us < call.clock_us + patience_us(step, call) - CONNECT_MARGIN_US
            and (best is None or call.clock_us < best.clock_us)
        ):
            best = call
    return best


def release(step: Step, agent: Agent) -> None:
    """What an agent does when nothing holds him any more: leave, pause or be ready, as asked before."""
    if agent.then == "leave":
        shift(step, agent, AgentState.offline)
        step.emit(DropAgent(agent=agent.agent, node=agent.node))
    elif not agent.phone_up:
        shift(step, agent, AgentState.away, "phone_down")
        if agent.call_me:
            step.emit(RingAgent(agent=agent.agent, node=agent.node))
    elif agent.then == "ready":
        become_ready(step, agent)
    elif agent.state is not AgentState.paused or agent.reason != agent.then:
        shift(step, agent, AgentState.paused, agent.then)


def free_of(step: Step, call: Call, unless: str | None = None) -> None:
    """Let go of the agent a call held without having talked, e.g. when the caller left."""
    if call.agent is None:
        return
    agent = step.agent_of(call)
    if agent is not None and agent.agent != unless and agent.call_id == call.call_id:
        if agent.state is _RESERVED:
            release(step, agent)
        elif agent.state is _TALKING:
            wrap_up(step, agent, call)


def wrap_up(step: Step, agent: Agent, call: Call) -> None:
    shift(step, agent, _WRAPUP, call_id=call.call_id)


def taken(step: Step, agent: Agent, call: Call) -> None:
    """An agent talks to a caller: whoever else counted on him must find somebody else."""
    other_id = agent.call_id
    if agent.state is _WRAPUP and other_id != call.call_id and other_id is not None:
        finish_wrapup(step, agent)
    shift(step, agent, _TALKING, call_id=call.call_id)
    other = step.state.calls.get(other_id) if other_id is not None and other_id != call.call_id else None
    if other is not None and other.agent == agent.agent:
        orphan(step, other)


def orphan(step: Step, call: Call) -> None:
    """Find another agent for a call whose own is gone; one that may never find nobody is not left to ring."""
    if call.phase is Phase.connecting:
        step.emit(CallMoved(call_id=call.call_id, phase=Phase.waiting), call.campaign)
        if call.pinned:
            step.emit(CallAssigned(call_id=call.call_id, agent=None), call.campaign)
        seek_agent(step, call)
        return
    if not call.pinned or call.phase not in ON_SWITCH:
        return  # one still being reserved is given up when the ledger answers
    substitute = pick(step, call).agent
    step.emit(CallAssigned(call_id=call.call_id, agent=substitute.agent if substitute else None), call.campaign)
    if call.phase is Phase.waiting:
        seek_agent(step, call)
    elif substitute is not None:
        shift(step, substitute, AgentState.reserved, call_id=call.call_id)
    elif not call.answered_us and not call.hangup_why:
        step.emit(HangUp(call_id=call.call_id, node=call.node, why="agent_lost"), call.campaign)


def finish_wrapup(step: Step, agent: Agent) -> None:
    """Close the attempt an agent has finished with, recorded or not."""
    call = step.state.calls.get(agent.call_id) if agent.call_id is not None else None
    if call is not None and call.phase is _WRAPPING:
        leads.close_attempt(step, call, call.disposed.disposition if call.disposed else Disposition.unrecorded)


# ---- inputs of the desk and of agents' phones


def signed_in(step: Step, name: str) -> None:
    agent = step.state.agents[name]
    if agent.state is not AgentState.offline:
        return
    if agent.phone_up:
        shift(step, agent, AgentState.paused, "signed_in")
        return
    shift(step, agent, AgentState.away, "phone_down")
    if agent.call_me:
        step.emit(RingAgent(agent=agent.agent, node=agent.node))


def phone_up(step: Step, name: str) -> None:
    agent = step.state.agents[name]
    if agent.state is AgentState.offline:
        # Dialled the feature code without signing in at a desk.
        shift(step, agent, AgentState.paused, "signed_in")
        return
    if agent.state is AgentState.away:
        release(step, agent)
    queue(step, agent)


def phone_down(step: Step, name: str) -> None:
    agent = step.state.agents.get(name)
    if agent is None or agent.state is AgentState.offline:
        return
    held = step.state.calls.get(agent.call_id) if agent.call_id is not None else None
    if agent.state in (AgentState.talking, AgentState.wrapup):
        return  # the end of the call tells the rest
    was_previewing = agent.state is AgentState.previewing
    if was_previewing:
        leads.drop_preview(step, agent, "phone_down")
    if agent.state is not AgentState.away:
        shift(step, agent, AgentState.away, "phone_down")
    if agent.call_me:
        step.emit(RingAgent(agent=name, node=agent.node))
    if held is not None and held.agent == name:
        orphan(step, held)


def made_ready(step: Step, name: str) -> None:
    agent = step.state.agents.get(name)
    if agent is not None and agent.state is AgentState.paused:
        release(step, agent)


def pause_asked(step: Step, name: str) -> None:
    agent = step.state.agents.get(name)
    if agent is None:
        return
    if agent.state is AgentState.previewing:
        leads.drop_preview(step, agent, "paused")
        release(step, agent)
    elif agent.state in (AgentState.ready, AgentState.paused) and not _is_needed(step, agent):
        release(step, agent)


def signed_out(step: Step, name: str) -> None:
    agent = step.state.agents.get(name)
    if agent is None:
        return
    if agent.state is AgentState.previewing:
        leads.drop_preview(step, agent, "signed_out")
    gone = agent.state in (AgentState.ready, AgentState.paused, AgentState.away, AgentState.previewing)
    if gone and not _is_needed(step, agent):
        release(step, agent)


def _is_needed(step: Step, agent: Agent) -> bool:
    """Return whether calls that were under way when a free agent asked to pause or leave may find nobody without him.

    No new call is placed on his account meanwhile.
    """
    state, name = step.state, agent.allotted
    if agent.state is not _READY or name is None or step.at_us - agent.asked_us >= MOST_ASKED_US:
        return False
    others = [one for one in map(state.agents.__getitem__, state.ready) if one.allotted == name and one is not agent]
    stay = [one for one in others if one.then == "ready" or one.asked_us > agent.asked_us]
    lines = state.lines[name]
    flying = (*lines.unanswered.values(), *lines.detecting.values(), *lines.answered.values())
    return sum(not call.pinned and call.reserved_us <= agent.asked_us for call in flying) > len(stay)


def let_go(step: Step) -> None:
    """Let free agents who asked to pause or leave do so as soon as nobody rings for them."""
    state = step.state
    going = state.busy.going
    if not going:
        return
    for agent in [state.agents[name] for name in state.ready if name in going]:
        if not _is_needed(step, agent):
            release(step, agent)


def hang_up_asked(step: Step, name: str) -> None:
    agent = step.state.agents.get(name)
    call = step.state.calls.get(agent.call_id) if agent is not None and agent.call_id is not None else None
    if call is not None and call.phase in ON_SWITCH and not call.hangup_why:
        step.emit(HangUp(call_id=call.call_id, node=call.node, why="agent"), call.campaign)


def overdue(state: State) -> list[Agent]:
    """Return the agents who are away, or whose wrap-up or preview takes too long, in the order of the floor."""
    at_us, calls, campaigns = state.at_us, state.calls, state.campaigns
    if at_us < state.overdue_us:
        return []
    found = []
    next_us: float = inf
    for agent in map(state.agents.__getitem__, state.clocked):
        limit_s = 0.0
        if agent.state is _WRAPUP:
            call = calls.get(agent.call_id) if agent.call_id is not None else None
            if call is not None:
                limit_s = campaigns[call.campaign].settings.wrapup_s
        elif agent.preview is not None:
            limit_s = campaigns[agent.preview[0]].settings.preview_s
        if at_us - agent.since_us >= limit_s * SECOND:
            found.append(agent)
        else:
            next_us = min(next_us, agent.since_us + int(limit_s * SECOND))
    state.overdue_us = 0 if found else next_us
    if len(found) > 1:
        found.sort(key=lambda agent: state.busy.places[agent.agent])
    return found


def rested(step: Step, overdue: list[Agent]) -> None:
    """Let agents whom the switch called busy try again."""
    for agent in overdue:
        if agent.state is _AWAY and agent.reason == "busy" and step.at_us - agent.since_us >= BUSY_REST_US:
            release(step, agent)
