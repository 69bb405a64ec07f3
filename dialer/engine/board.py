"""The board of a state: read-only, cheap enough for once a second."""

from dialer.board import AgentRow, Board, CampaignRow
from dialer.engine.state import BUSY, CLOSED, HELD, PARKED, READY, Campaign, State
from domain.calls import Phase


def board(state: State) -> Board:
    """Return what the live board shows of a state."""
    phases: dict[str, dict[Phase, int]] = {name: {} for name in state.campaigns}
    lines = 0
    for call in state.calls.values():
        counts = phases[call.campaign]
        counts[call.phase] = counts.get(call.phase, 0) + 1
        lines += call.phase not in (Phase.reserving, Phase.wrapping)
    return Board(
        at_us=state.at_us,
        stream=state.settings.stream,
        zone=state.settings.zone,
        rehearsed=state.rehearsed,
        seq=state.seq,
        links=dict(state.nodes),
        lines=lines,
        max_lines=state.settings.max_lines,
        commit_lag_us=state.commit_lag_us,
        agents=tuple(
            AgentRow(
                agent=agent.agent,
                state=agent.state,
                reason=agent.reason,
                since_us=agent.since_us,
                campaign=agent.allotted,
                call_id=agent.call_id,
                calls_today=agent.calls_today,
                finishing=bool(agent.finishing_us),
                then=agent.then,
            )
            for agent in state.agents.values()
        ),
        campaigns=tuple(_campaign(state, campaign, phases[campaign.name]) for campaign in state.campaigns.values()),
        rules=state.rules,
        alarms=tuple((*key.split("|", 1), since_us) for key, since_us in state.alarms.items()),  # type: ignore[misc]
    )


def _campaign(state: State, campaign: Campaign, phases: dict[Phase, int]) -> CampaignRow:
    tally, places = campaign.tally, campaign.places
    seen = state.seen.get(campaign.name)
    pacing = campaign.pacing if seen is None else seen()
    live = tally.people
    people, abandoned = campaign.abandonment()
    # Of the attempts whose answer is known by now.
    told = tally.attempts - phases.get(Phase.originating, 0) - phases.get(Phase.ringing, 0)
    waits = sorted(tally.waits_us)
    window_s = min(300.0, max(30.0, state.shift_s()))
    parked = state.head(campaign, campaign.parked)
    return CampaignRow(
        campaign=campaign.name,
        mode=campaign.mode,
        state=campaign.state,
        ratio=campaign.ratio,
        abandon_limit=campaign.pace.share,
        bound_by=campaign.pace.by,
        attempts=tally.attempts,
        calls_per_hour=len(tally.dials_us) * 3600.0 / window_s,
        connected=tally.connected,
        abandoned=tally.abandoned,
        machine=tally.machine,
        cut=tally.cut,
        lost=tally.lost,
        abandon_rate=abandoned / people if people else None,
        answer_rate=live / told if told else None,
        wait_ms=tally.wait_us / tally.connected / 1e3 if tally.connected else None,
        wait_p95_ms=waits[min(len(waits) - 1, int(0.95 * len(waits)))] / 1e3 if waits else None,
        agent_wait_s=tally.idle_us / tally.idle_n / 1e6 if tally.idle_n else None,
        originating=phases.get(Phase.originating, 0) + phases.get(Phase.reserving, 0),
        ringing=phases.get(Phase.ringing, 0),
        detecting=phases.get(Phase.detecting, 0),
        waiting=phases.get(Phase.waiting, 0) + phases.get(Phase.connecting, 0) + phases.get(Phase.queued, 0),
        talking=phases.get(Phase.talking, 0),
        pacing_reason=pacing.reason if pacing else "",
        pacing_dials=pacing.dials if pacing else 0,
        expected_free=pacing.expected_free if pacing else 0.0,
        expected_answers=pacing.expected_answers if pacing else 0.0,
        budget_left=pacing.budget_left if pacing else 0.0,
        free=pacing.free if pacing else 0,
        busy=pacing.busy if pacing else 0,
        finishing=pacing.finishing if pacing else 0,
        risk=pacing.risk if pacing else 0.0,
        tolerated=pacing.tolerated if pacing else 0.0,
        p_answer=pacing.p_answer if pacing else 0.0,
        people=people,
        counted_abandoned=abandoned,
        ready=places.get(READY, 0) + places.get(BUSY, 0),
        parked=places.get(PARKED, 0),
        held=places.get(HELD, 0),
        closed=places.get(CLOSED, 0),
        next_lead_us=parked.at_us if parked is not None else None,
        promises=tally.promises,
        right_party=tally.right_party,
    )
