"""What the live board, the control socket and the alarms show: one record, computed from the engine's state."""

import msgspec


class AgentRow(msgspec.Struct, frozen=True, kw_only=True):
    agent: str
    state: str
    reason: str
    since_us: int
    #: Campaign that the allocator gives this agent to, if any.
    campaign: str | None
    call_id: str | None
    calls_today: int
    #: Has said that the conversation is about to end.
    finishing: bool = False
    #: What follows once nothing holds the agent: `ready`, `leave`, or a pause reason.
    then: str = "ready"


class CampaignRow(msgspec.Struct, frozen=True, kw_only=True):
    campaign: str
    mode: str
    state: str
    ratio: float
    #: In force: the strictest of settings, operator and rules.
    abandon_limit: float
    #: Attempts dialled today (floor's calendar day), and over the last 5 minutes as calls per hour.
    attempts: int
    calls_per_hour: float
    #: Answered calls of today by class.
    connected: int
    abandoned: int
    machine: int
    cut: int
    lost: int
    #: Answered by a person, and abandoned, as the campaign counts them; their rate, None before the first.
    people: int
    counted_abandoned: int
    abandon_rate: float | None
    #: Answered by a person / attempts no longer unanswered, None before the first.
    answer_rate: float | None
    #: Mean time from answer to agent and 95th percentile, ms.
    wait_ms: float | None
    wait_p95_ms: float | None
    #: Mean time an agent stands ready between calls, s.
    agent_wait_s: float | None
    #: Calls now, by phase.
    originating: int
    ringing: int
    detecting: int
    waiting: int
    talking: int
    #: The pacing decision of the last tick (`domain.facts.PacingDecided`).
    pacing_reason: str
    pacing_dials: int
    free: int
    busy: int
    finishing: int
    expected_free: float
    expected_answers: float
    budget_left: float
    risk: float
    tolerated: float
    p_answer: float
    #: Leads: callable now, parked until later, held for an agent, closed, and the next that returns.
    ready: int
    parked: int
    held: int
    closed: int
    next_lead_us: int | None
    promises: int
    right_party: int
    #: By what they bind (`shift`, `patience_s`, `ring_timeout_s`, a window), the rules that bind pacing.
    bound_by: dict[str, str] = {}


#: Agents who can be given a call, now or when what they do is over.
_AT_WORK = ("ready", "reserved", "previewing", "talking", "wrapup")


class Board(msgspec.Struct, frozen=True, kw_only=True):
    at_us: int
    stream: str
    zone: str
    rehearsed: bool
    seq: int
    links: dict[str, bool]
    lines: int
    max_lines: int
    commit_lag_us: int
    agents: tuple[AgentRow, ...]
    campaigns: tuple[CampaignRow, ...]
    #: (kind, subject, since_us)
    alarms: tuple[tuple[str, str, int], ...]
    #: Version of the rules in force.
    rules: str = ""


def nobody_ready(board: Board) -> tuple[str, str, int] | None:
    """Return the alarm that a campaign has callable leads and no agent is there to talk to them, with what to do."""
    if any(agent.state in _AT_WORK for agent in board.agents):
        return None
    if not any(campaign.state == "running" and campaign.ready for campaign in board.campaigns):
        return None
    paused = next((agent.agent for agent in board.agents if agent.state == "paused"), None)
    away = next((agent.agent for agent in board.agents if agent.state == "away"), None)
    if paused is not None:
        todo = f"(cadencia agents ready {paused})"
    elif away is not None:
        todo = f"(the phone of {away} is on-hook)"
    else:
        todo = "(cadencia agents login NAME, then agents ready NAME)"
    return "no_agent_is_ready", todo, max((agent.since_us for agent in board.agents), default=board.at_us)
