"""Decisions about calls: what the switch says happened, and what we answer. The table in `transitions` is the law."""

from dialer.engine import agents, leads
from dialer.engine.state import Call, Lines
from dialer.engine.step import Step
from dialer.engine.transitions import ALLOWED, HOLDING, ON_SWITCH, TRIGGERED, UNANSWERED
from domain import events
from domain.calls import AgentState, AnswerClass, Cause, Disposition, Phase
from domain.facts import CallClassed, CallMoved
from domain.instants import SECOND
from domain.orders import HangUp, Originate
from domain.settings import AFTER_GREETING_MS, DETECTION_MS, CampaignSettings

#: The engine has so long to say Connect or Keep before the dialplan goes on by itself.
GRACE_MS = 300
#: A call this long in one pre-answer phase beyond its ring time has been forgotten by the switch.
SILENT_US = 20 * SECOND

_UNANSWERED_ENDS = {
    Cause.normal: Disposition.no_answer,
    Cause.busy: Disposition.busy,
    Cause.no_answer: Disposition.no_answer,
    Cause.rejected: Disposition.rejected,
    Cause.not_in_service: Disposition.not_in_service,
    Cause.congestion: Disposition.network_fail,
    Cause.network_fail: Disposition.network_fail,
    Cause.switch_fail: Disposition.network_fail,
}

_Progress = events.Answered | events.Queued | events.Abandoned
#: A method of an imported name would be looked up anew for every input.
_triggered = TRIGGERED.get
_NOTHING: dict[type[events.Event], Phase] = {}

#: Asked often: see `domain.calls.Word`.
_RESERVING, _ORIGINATING, _DETECTING, _WAITING = Phase.reserving, Phase.originating, Phase.detecting, Phase.waiting
_CONNECTING, _MESSAGE, _TALKING, _WRAPPING = Phase.connecting, Phase.message, Phase.talking, Phase.wrapping
_CONNECTED, _ABANDONED, _MACHINE = AnswerClass.connected, AnswerClass.abandoned, AnswerClass.machine
_CUT, _LOST, _SWITCH_FAIL = AnswerClass.cut, AnswerClass.lost, Cause.switch_fail
_HEARD_MACHINE = Disposition.machine


def reserved(step: Step, event: events.Reserved) -> None:
    call = step.state.calls.get(event.call_id)
    if call is None or call.phase is not _RESERVING:
        return
    too_late = call.valid_until_us is not None and step.at_us >= call.valid_until_us
    if too_late or (call.pinned and not _has_agent(step, call)):
        # The verdict ran out, or the agent reserved for it went away, while the ledger answered.
        finish(step, call, Disposition.not_sent)
        return
    campaign = step.campaign_of(call)
    settings, pace = campaign.settings, campaign.pace
    patience_ms = round(pace.patience_s * 1000) - spent_detecting_ms(settings)
    step.emit(
        Originate(
            call_id=call.call_id,
            campaign=call.campaign,
            phone=call.phone,
            node=call.node,
            trunk=call.trunk,
            caller_id=call.caller_id,
            ring_timeout_ms=round(pace.ring_timeout_s * 1000),
            valid_until_us=call.valid_until_us or step.at_us + 60 * SECOND,
            detect=settings.detect_machines,
            record=settings.record,
            grace_ms=GRACE_MS,
            limit_ms=max(0, patience_ms - GRACE_MS),
            abandon="message" if call.abandon_message else "hangup",
            language=call.language,
        ),
        call.campaign,
    )


def _has_agent(step: Step, call: Call) -> bool:
    agent = step.agent_of(call)
    return agent is not None and agent.call_id == call.call_id


def spent_detecting_ms(settings: CampaignSettings) -> int:
    """Return how much of the patience is gone when the switch says that a person answered."""
    if not settings.detect_machines:
        return 0
    return AFTER_GREETING_MS if settings.clock_starts == "greeting_end" else DETECTION_MS


def stale(step: Step, event: events.Stale) -> None:
    call = step.state.calls.get(event.call_id)
    if call is not None and call.phase is _RESERVING:
        agents.free_of(step, call)
        leads.close_attempt(step, call, Disposition.stale)


def not_sent(step: Step, event: events.NotSent) -> None:
    call = step.state.calls.get(event.call_id)
    if call is not None and call.phase in (_RESERVING, _ORIGINATING):
        agents.free_of(step, call)
        leads.close_attempt(step, call, Disposition.not_sent)


def _move(step: Step, call: Call, phase: Phase, agent: str | None = None) -> None:
    step.emit(CallMoved(call_id=call.call_id, phase=phase, agent=agent), call.campaign)


def _class(step: Step, call: Call, answer_class: AnswerClass, why: str = "", wait_us: int | None = None) -> None:
    if call.answer_class is None:
        step.emit(CallClassed(call_id=call.call_id, answer_class=answer_class, why=why, wait_us=wait_us), call.campaign)


def progressed(step: Step, event: _Progress) -> Call | None:
    """Move a call as the table says; None where the news is late or of no consequence."""
    call = step.state.calls.get(event.call_id)
    if call is None:
        return None
    phase = _triggered(call.phase, _NOTHING).get(type(event))
    if phase is None:
        return None
    if phase is _WAITING and step.campaign_of(call).settings.detect_machines:
        phase = _DETECTING
    _move(step, call, phase)
    return call


def answered(step: Step, event: events.Answered) -> None:
    call = progressed(step, event)
    if call is not None and call.phase is _WAITING:
        agents.seek_agent(step, call)


def detected(step: Step, event: events.Detected) -> None:
    call = step.state.calls.get(event.call_id)
    if call is None or call.phase is not _DETECTING or call.answer_class is not None:
        return
    if event.result == "machine":
        _class(step, call, _MACHINE, "detection")
    elif event.result == "unsure" and step.state.campaign_settings(call.campaign).unsure == "cut":
        _class(step, call, _CUT, "detection_unsure")
        cancel(step, call, "unsure")
    else:
        _move(step, call, _WAITING)
        agents.seek_agent(step, call)


def connected(step: Step, event: events.Connected) -> None:
    call = step.state.calls.get(event.call_id)
    if call is not None and call.phase in ON_SWITCH:
        _met(step, call, event.agent)


def _met(step: Step, call: Call, name: str) -> None:
    """Caller and agent hear each other; the switch's last word on who it is holds."""
    if call.phase is not _TALKING:
        agents.free_of(step, call, unless=name)
        talking(step, call, name)
    elif call.agent != name:
        # Our order crossed the queue, which had just given the caller to somebody else: he has nothing to wrap up.
        former = step.agent_of(call)
        talking(step, call, name)
        if former is not None and former.call_id == call.call_id:
            agents.release(step, former)


def talking(step: Step, call: Call, name: str) -> None:
    _move(step, call, _TALKING, name)
    _class(step, call, _CONNECTED, wait_us=max(0, step.at_us - call.clock_us))
    agent = step.state.agents.get(name)
    if agent is not None:
        agents.taken(step, agent, call)


def refused(step: Step, event: events.Refused) -> None:
    call = step.state.calls.get(event.call_id)
    agent = step.state.agents.get(event.agent)
    if agent is not None and agent.state in (AgentState.reserved, AgentState.ready):
        if event.why == "busy":
            agents.shift(step, agent, AgentState.away, "busy")
        else:
            agents.shift(step, agent, AgentState.paused, event.why)
    if call is not None and call.phase is _CONNECTING and call.agent == event.agent:
        agents.orphan(step, call)


def queued(step: Step, event: events.Queued) -> None:
    call = progressed(step, event)
    if call is not None:
        agents.free_of(step, call)


def abandoned(step: Step, event: events.Abandoned) -> None:
    call = progressed(step, event)
    if call is not None:
        _class(step, call, _ABANDONED, "no_agent")
        agents.free_of(step, call)


def ended(step: Step, event: events.Ended) -> None:
    call = step.state.calls.get(event.call_id)
    if call is None or call.phase not in ON_SWITCH:
        return
    switch_failed = event.cause is _SWITCH_FAIL
    if call.phase in UNANSWERED:
        disposition = Disposition.cancelled if call.hangup_why else _UNANSWERED_ENDS[event.cause]
        finish(step, call, disposition)
    elif call.phase is _DETECTING:
        if call.answer_class is _MACHINE:
            finish(step, call, _HEARD_MACHINE)
            return
        _class(step, call, *((_LOST, "switch") if switch_failed else (_CUT, "left_detecting")))
        finish(step, call, Disposition.lost if switch_failed else Disposition.cut)
    elif call.phase in HOLDING or call.phase is _MESSAGE:
        _class(step, call, *((_LOST, "switch") if switch_failed else (_ABANDONED, "caller_left")))
        finish(step, call, Disposition.lost if call.answer_class is _LOST else Disposition.abandoned)
    else:
        parted(step, call)


def finish(step: Step, call: Call, disposition: Disposition) -> None:
    agents.free_of(step, call)
    leads.close_attempt(step, call, disposition)


def cancel(step: Step, call: Call, why: str) -> None:
    if not call.hangup_why:
        step.emit(HangUp(call_id=call.call_id, node=call.node, why=why), call.campaign)


def parted(step: Step, call: Call) -> None:
    """A conversation is over: the agent wraps up, or has already said how it went."""
    agent = step.agent_of(call)
    _move(step, call, _WRAPPING)
    if agent is None or agent.call_id != call.call_id:
        leads.close_attempt(step, call, call.disposed.disposition if call.disposed else Disposition.unrecorded)
    elif call.disposed is not None:
        agents.wrap_up(step, agent, call)
        agents.finish_wrapup(step, agent)
        agents.release(step, agent)
    else:
        agents.wrap_up(step, agent, call)


def disposed(step: Step, event: events.Disposed) -> None:
    agent = step.state.agents.get(event.agent)
    call = step.state.calls.get(event.call_id)
    if agent is None or call is None or call.phase is not _WRAPPING:
        return  # while talking it is kept with the call; afterwards it is too late
    agents.finish_wrapup(step, agent)
    agents.release(step, agent)


# ---- after blindness


def resynced(step: Step, event: events.Resynced) -> None:
    """Take what a node says is alive as the truth; end the rest."""
    alive = {live.call_id: live for live in event.calls}
    over = {end.call_id: end for end in event.ended}
    ours = [call for call in step.state.calls.values() if call.node == event.node and call.phase in ON_SWITCH]
    unsettled = step.unsettled = {call.call_id for call in ours}
    _phones(step, event)
    # What is over comes first: an agent may have gone from one caller to the next.
    for call in sorted(ours, key=lambda call: call.call_id in alive):
        live = alive.get(call.call_id)
        if live is not None:
            unsettled.discard(call.call_id)
            _adopt(step, call, live)
        elif call.call_id in over:
            _conclude(step, call, over[call.call_id])
        elif call.phase in UNANSWERED:
            finish(step, call, Disposition.unknown)
        elif call.phase is Phase.talking:
            parted(step, call)
        else:
            _class(step, call, AnswerClass.lost, "link")
            finish(step, call, _DISPOSITION_OF_CLASS[call.answer_class or AnswerClass.lost])
    prefix = f"{step.state.settings.stream}-"
    for call_id in alive:
        if call_id not in step.state.calls and call_id.startswith(prefix):
            step.emit(HangUp(call_id=call_id, node=event.node, why="unknown_call"))


_DISPOSITION_OF_CLASS = {
    AnswerClass.abandoned: Disposition.abandoned,
    AnswerClass.machine: Disposition.machine,
    AnswerClass.cut: Disposition.cut,
    AnswerClass.lost: Disposition.lost,
    AnswerClass.connected: Disposition.unrecorded,
}


def _phones(step: Step, event: events.Resynced) -> None:
    for agent in list(step.state.agents.values()):
        if agent.node != event.node:
            continue
        if agent.phone_up:
            agents.phone_up(step, agent.agent)
        else:
            agents.phone_down(step, agent.agent)


def _adopt(step: Step, call: Call, live: events.LiveCall) -> None:
    if live.state == "talking" and live.agent is not None:
        _met(step, call, live.agent)
        return
    if call.phase is Phase.talking:
        return
    if live.state == "ringing" and call.phase is Phase.originating:
        _move(step, call, Phase.ringing)
    elif live.state == "queued" and Phase.queued in ALLOWED[call.phase]:
        _move(step, call, Phase.queued)
        agents.free_of(step, call)
    elif live.state == "up" and call.phase in UNANSWERED:
        _move(step, call, Phase.waiting)
        agents.seek_agent(step, call)
    elif live.state == "detecting" and call.phase in UNANSWERED:
        _move(step, call, Phase.detecting)
    elif live.state == "up" and call.phase is Phase.connecting:
        agents.free_of(step, call)
        agents.orphan(step, call)
    elif live.state == "up" and call.phase is Phase.waiting:
        agents.seek_agent(step, call)


def _conclude(step: Step, call: Call, end: events.EndedCall) -> None:
    """An answered call ended while nobody listened; the switch remembered how."""
    if call.phase in UNANSWERED and end.answer_class is not AnswerClass.connected:
        _move(step, call, Phase.message if end.answer_class is AnswerClass.abandoned else Phase.detecting)
    if end.answer_class is AnswerClass.connected:
        if end.agent is not None:
            _met(step, call, end.agent)
        _class(step, call, AnswerClass.connected, "remembered")
        parted(step, call)
        return
    _class(step, call, end.answer_class, "remembered")
    finish(step, call, _DISPOSITION_OF_CLASS[call.answer_class or end.answer_class])


def silent(step: Step) -> None:
    """End calls that the switch has forgotten: no word long after their ring time."""
    state = step.state
    if not any(_longest_silent_us(step, lines) > 0 for lines in state.lines.values()):
        return
    for call in list(state.calls.values()):
        if call.phase in (Phase.originating, Phase.ringing) and state.nodes.get(call.node):
            over_us = step.at_us - call.dialled_us - _speaks_within_us(step, call)
            if over_us > 0:
                if not call.hangup_why:
                    step.emit(HangUp(call_id=call.call_id, node=call.node, why="silent"), call.campaign)
                elif over_us > SILENT_US:
                    finish(step, call, Disposition.unknown)


def _longest_silent_us(step: Step, lines: Lines) -> int:
    """Return by how much the eldest unanswered call may be overdue; no other is by more."""
    eldest = next(iter(lines.unanswered.values()), None)
    return 0 if eldest is None else step.at_us - eldest.reserved_us - _speaks_within_us(step, eldest)


def _speaks_within_us(step: Step, call: Call) -> int:
    return round(step.campaign_of(call).pace.ring_timeout_s * SECOND) + SILENT_US


def recovered(step: Step) -> None:
    """At a new segment: what was being reserved when the last one died was never dialled."""
    for call in list(step.state.calls.values()):
        if call.phase is Phase.reserving:
            finish(step, call, Disposition.not_sent)
