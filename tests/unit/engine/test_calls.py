"""The life of a call: classes, dispositions, the agent who gets it, what a link that was away means for it."""

import pytest
from msgspec.structs import replace

from dialer.engine import Engine
from dialer.engine.transitions import ALLOWED, TRIGGERED
from domain import events
from domain.calls import AgentState, AnswerClass, Cause, Disposition, Mode, Phase
from domain.errors import Broken
from domain.facts import AttemptClosed, CallClassed, CallMoved, LeadClosed
from domain.orders import Connect, DropAgent, HangUp, Keep, QueueAgent, Reserve, RingAgent
from domain.settings import CampaignSettings
from tests.unit.engine.floor import SECOND, Floor, of, one_call


def test_every_trigger_is_allowed():
    for phase, triggers in TRIGGERED.items():
        assert set(triggers.values()) <= ALLOWED[phase]


@pytest.mark.parametrize(
    ("cause", "disposition", "rung"),
    [
        (Cause.busy, Disposition.busy, "busy"),
        (Cause.no_answer, Disposition.no_answer, "no_answer"),
        (Cause.rejected, Disposition.rejected, "no_answer"),
        (Cause.not_in_service, Disposition.not_in_service, "not_in_service"),
        (Cause.congestion, Disposition.network_fail, "network_fail"),
        (Cause.switch_fail, Disposition.network_fail, "network_fail"),
    ],
)
def test_unanswered_calls_end_as_their_cause_says(cause, disposition, rung):
    floor, call_id = one_call()
    floor.hear(events.Ringing, call_id=call_id)
    (closed,) = of(floor.hear(events.Ended, call_id=call_id, cause=cause, q850=17, sip=486), AttemptClosed)
    assert (closed.disposition, closed.event, closed.q850, closed.sip) == (disposition, rung, 17, 486)
    assert closed.ring_us == 5 * SECOND


def test_answered_call_goes_to_the_agent_and_ends_connected_with_the_agents_word():
    floor, call_id = one_call()
    (connect,) = of(floor.hear(events.Answered, call_id=call_id), Connect)
    assert connect.agent == "1001"
    floor.after(0.05)
    (classed,) = of(floor.hear(events.Connected, call_id=call_id, agent="1001"), CallClassed)
    assert (classed.answer_class, classed.wait_us) == (AnswerClass.connected, SECOND // 20)
    floor.after(60)
    records = floor.hear(events.Ended, call_id=call_id, cause=Cause.normal)
    assert of(records, AttemptClosed) == []
    assert floor.engine.state.agents["1001"].state is AgentState.wrapup
    floor.after(10)
    records = floor.hear(
        events.Disposed, agent="1001", call_id=call_id, disposition=Disposition.promise, amount_minor=5000
    )
    (closed,) = of(records, AttemptClosed)
    assert (closed.disposition, closed.talk_us, closed.wrap_us) == (Disposition.promise, 60 * SECOND, 10 * SECOND)
    assert of(records, LeadClosed)[0].why == "promise"
    assert floor.engine.state.agents["1001"].state is AgentState.ready


def test_outcome_recorded_while_talking_counts_at_the_end():
    floor, call_id = one_call()
    floor.talk(call_id, "1001")
    floor.hear(events.Disposed, agent="1001", call_id=call_id, disposition=Disposition.dispute)
    (closed,) = of(floor.hear(events.Ended, call_id=call_id, cause=Cause.normal), AttemptClosed)
    assert closed.disposition is Disposition.dispute
    assert floor.engine.state.people[1].stops[0].kind == "dispute"


def test_wrap_up_has_a_limit():
    floor, call_id = one_call(wrapup_s=30)
    floor.talk(call_id, "1001")
    floor.hear(events.Ended, call_id=call_id, cause=Cause.normal)
    assert of(floor.tick(29), AttemptClosed) == []
    (closed,) = of(floor.tick(1), AttemptClosed)
    assert closed.disposition is Disposition.unrecorded
    assert floor.engine.state.agents["1001"].state is AgentState.ready


def test_waiting_caller_is_kept_and_meets_the_first_agent_who_is_free():
    floor = Floor(CampaignSettings(name="c", mode=Mode.power, ratio=2.0), people=2)
    floor.agent("1001")
    first, second = floor.dial()
    floor.talk(first.call_id, "1001")
    (keep,) = of(floor.hear(events.Answered, call_id=second.call_id), Keep)
    assert keep.for_ms == 2000
    floor.after(1)
    floor.hear(events.Ended, call_id=first.call_id, cause=Cause.normal)
    records = floor.hear(events.Disposed, agent="1001", call_id=first.call_id, disposition=Disposition.no_promise)
    assert [(c.call_id, c.agent) for c in of(records, Connect)] == [(second.call_id, "1001")]


def test_nobody_is_connected_to_a_caller_about_to_hear_the_message():
    floor = Floor(CampaignSettings(name="c", mode=Mode.power, ratio=2.0), people=2)
    floor.agent("1001")
    first, second = floor.dial()
    floor.talk(first.call_id, "1001")
    floor.hear(events.Answered, call_id=second.call_id)
    floor.after(1.95)
    floor.hear(events.Ended, call_id=first.call_id, cause=Cause.normal)
    records = floor.hear(events.Disposed, agent="1001", call_id=first.call_id, disposition=Disposition.no_promise)
    assert of(records, Connect) == []
    (classed,) = of(floor.hear(events.Abandoned, call_id=second.call_id, how="message"), CallClassed)
    assert classed.answer_class is AnswerClass.abandoned
    (closed,) = of(floor.hear(events.Ended, call_id=second.call_id, cause=Cause.normal), AttemptClosed)
    assert closed.disposition is Disposition.abandoned


def test_caller_who_hangs_up_waiting_is_abandoned():
    floor = Floor(CampaignSettings(name="c", mode=Mode.power, ratio=2.0), people=2)
    floor.agent("1001")
    first, second = floor.dial()
    floor.talk(first.call_id, "1001")
    floor.hear(events.Answered, call_id=second.call_id)
    records = floor.hear(events.Ended, call_id=second.call_id, cause=Cause.normal)
    (classed,) = of(records, CallClassed)
    assert (classed.answer_class, classed.why) == (AnswerClass.abandoned, "caller_left")


@pytest.mark.parametrize(
    ("result", "unsure", "answer_class"),
    [("machine", "person", AnswerClass.machine), ("unsure", "cut", AnswerClass.cut)],
)
def test_machine_detection_classes(result, unsure, answer_class):
    floor, call_id = one_call(detect_machines=True, clock_starts="greeting_end", unsure=unsure)
    assert of(floor.hear(events.Answered, call_id=call_id), Connect) == []
    records = floor.hear(events.Detected, call_id=call_id, result=result)
    assert of(records, CallClassed)[0].answer_class is answer_class
    (closed,) = of(floor.hear(events.Ended, call_id=call_id, cause=Cause.normal), AttemptClosed)
    assert closed.disposition == answer_class.value
    assert floor.engine.state.agents["1001"].state is AgentState.ready


def test_person_who_leaves_during_detection_is_cut():
    floor, call_id = one_call(detect_machines=True, clock_starts="greeting_end")
    floor.hear(events.Answered, call_id=call_id)
    (classed,) = of(floor.hear(events.Ended, call_id=call_id, cause=Cause.normal), CallClassed)
    assert classed.answer_class is AnswerClass.cut


def test_patience_starts_where_the_campaign_says():
    floor, call_id = one_call(detect_machines=True, clock_starts="greeting_end")
    floor.hear(events.Answered, call_id=call_id)
    floor.after(1.8)
    records = floor.hear(events.Detected, call_id=call_id, result="human")
    assert len(of(records, Connect)) == 1
    # The greeting was over before the switch was sure of it.
    assert floor.engine.state.calls[call_id].clock_us == floor.at_us - 800_000


def test_agent_who_refuses_is_set_aside_and_the_caller_goes_to_the_next():
    floor = Floor(people=1)
    floor.agent("1001", "1002")
    (call,) = floor.dial()
    (connect,) = of(floor.hear(events.Answered, call_id=call.call_id), Connect)
    assert connect.agent == "1001"
    records = floor.hear(events.Refused, call_id=call.call_id, agent="1001", why="no_answer")
    assert [c.agent for c in of(records, Connect)] == ["1002"]
    assert floor.engine.state.agents["1001"].state is AgentState.paused
    assert floor.engine.state.agents["1001"].reason == "no_answer"


def test_agent_whom_the_switch_calls_busy_rests_a_moment():
    floor = Floor(people=1)
    floor.agent("1001")
    (call,) = floor.dial()
    floor.hear(events.Answered, call_id=call.call_id)
    records = floor.hear(events.Refused, call_id=call.call_id, agent="1001", why="busy")
    assert len(of(records, Keep)) == 1
    assert floor.engine.state.agents["1001"].state is AgentState.away
    floor.tick(2.5)
    assert floor.engine.state.agents["1001"].state is AgentState.ready


def test_switch_that_took_over_is_believed():
    floor = Floor(CampaignSettings(name="c", mode=Mode.power, ratio=2.0), people=2)
    floor.agent("1001")
    first, second = floor.dial()
    floor.hear(events.Queued, call_id=first.call_id)
    (classed,) = of(floor.hear(events.Connected, call_id=first.call_id, agent="1001"), CallClassed)
    assert classed.answer_class is AnswerClass.connected
    assert floor.engine.state.agents["1001"].call_id == first.call_id
    assert of(floor.hear(events.Answered, call_id=second.call_id), Connect) == []


def test_pause_while_talking_takes_effect_after_the_wrap_up():
    floor, call_id = one_call()
    floor.talk(call_id, "1001")
    floor.hear(events.PauseAsked, agent="1001", reason="break")
    assert floor.engine.state.agents["1001"].state is AgentState.talking
    floor.hear(events.Ended, call_id=call_id, cause=Cause.normal)
    floor.hear(events.Disposed, agent="1001", call_id=call_id, disposition=Disposition.no_promise)
    agent = floor.engine.state.agents["1001"]
    assert (agent.state, agent.reason) == (AgentState.paused, "break")


def state_of(floor: Floor, agent: str) -> AgentState:
    return floor.engine.state.agents[agent].state


@pytest.mark.parametrize("leaves", [False, True])
def test_who_asks_to_go_while_a_call_rings_for_him_goes_when_it_has_rung(leaves):
    floor = Floor(people=3)
    floor.agent("1001")
    (call,) = floor.dial()
    if leaves:
        floor.hear(events.SignedOut, agent="1001")
    else:
        floor.hear(events.PauseAsked, agent="1001", reason="lunch")
    assert state_of(floor, "1001") is AgentState.ready
    floor.hear(events.Ended, call_id=call.call_id, cause=Cause.no_answer)
    # Nobody is dialled on his account meanwhile.
    assert of(floor.tick(), Reserve) == []
    assert state_of(floor, "1001") is (AgentState.offline if leaves else AgentState.paused)


def test_who_asks_to_go_still_takes_the_call_that_rang_for_him():
    floor = Floor(people=3)
    floor.agent("1001")
    (call,) = floor.dial()
    floor.hear(events.PauseAsked, agent="1001", reason="lunch")
    (connect,) = of(floor.hear(events.Answered, call_id=call.call_id), Connect)
    assert connect.agent == "1001"
    floor.hear(events.Connected, call_id=call.call_id, agent="1001")
    floor.hear(events.Ended, call_id=call.call_id, cause=Cause.normal)
    floor.hear(events.Disposed, agent="1001", call_id=call.call_id, disposition=Disposition.no_promise)
    agent = floor.engine.state.agents["1001"]
    assert (agent.state, agent.reason) == (AgentState.paused, "lunch")


def test_who_asks_to_go_waits_no_longer_than_a_minute_and_not_at_all_if_he_thinks_better_of_it():
    floor = Floor(people=3)
    floor.agent("1001")
    floor.dial()
    floor.hear(events.PauseAsked, agent="1001", reason="lunch")
    floor.hear(events.MadeReady, agent="1001")
    floor.tick(1)
    assert (state_of(floor, "1001"), floor.engine.state.agents["1001"].then) == (AgentState.ready, "ready")
    floor.hear(events.PauseAsked, agent="1001", reason="lunch")
    floor.tick(30)
    # Asking again, or for something else, does not make it longer.
    floor.hear(events.PauseAsked, agent="1001", reason="break")
    floor.tick(29)
    assert state_of(floor, "1001") is AgentState.ready
    floor.tick(1)
    assert (state_of(floor, "1001"), floor.engine.state.agents["1001"].reason) == (AgentState.paused, "break")


def test_who_asks_to_go_goes_at_once_where_others_can_take_what_rings():
    floor = Floor(people=1)
    floor.agent("1001", "1002")
    floor.dial()
    floor.hear(events.PauseAsked, agent="1001", reason="lunch")
    assert state_of(floor, "1001") is AgentState.paused
    # The other is needed now.
    floor.hear(events.PauseAsked, agent="1002", reason="lunch")
    assert state_of(floor, "1002") is AgentState.ready


def test_callers_go_to_those_who_stay_first():
    floor = Floor(people=2)
    floor.agent("1001", "1002")
    first, second = floor.dial()
    floor.hear(events.PauseAsked, agent="1001", reason="lunch")
    assert [c.agent for c in of(floor.hear(events.Answered, call_id=first.call_id), Connect)] == ["1002"]
    assert [c.agent for c in of(floor.hear(events.Answered, call_id=second.call_id), Connect)] == ["1001"]


def test_agents_come_and_go():
    floor = Floor()
    assert [r.agent for r in of(floor.hear(events.SignedIn, agent="1001"), RingAgent)] == ["1001"]
    floor.hear(events.PhoneUp, agent="1001", node="main")
    assert floor.engine.state.agents["1001"].state is AgentState.paused
    records = floor.hear(events.MadeReady, agent="1001")
    assert [q.paused for q in of(records, QueueAgent)] == [False]
    records = floor.hear(events.SignedOut, agent="1001")
    assert len(of(records, DropAgent)) == 1
    assert floor.engine.state.agents["1001"].state is AgentState.offline


def test_the_switchs_last_word_on_who_has_a_caller_holds():
    floor = Floor(people=1)
    floor.agent("1001", "1002")
    (call,) = floor.dial()
    (connect,) = of(floor.hear(events.Answered, call_id=call.call_id), Connect)
    assert connect.agent == "1001"
    # The order crosses the switch's own queue: the caller has another agent for a moment.
    floor.hear(events.Queued, call_id=call.call_id)
    assert len(of(floor.hear(events.Connected, call_id=call.call_id, agent="1002"), CallClassed)) == 1
    floor.after(0.001)
    assert of(floor.hear(events.Connected, call_id=call.call_id, agent="1001"), CallClassed) == []
    agents = floor.engine.state.agents
    assert (agents["1001"].state, agents["1002"].state) == (AgentState.talking, AgentState.ready)
    floor.after(60)
    floor.hear(events.Ended, call_id=call.call_id, cause=Cause.normal)
    records = floor.hear(
        events.Disposed, agent="1001", call_id=call.call_id, disposition=Disposition.promise, amount_minor=5000
    )
    (closed,) = of(records, AttemptClosed)
    assert (closed.disposition, closed.talk_us) == (Disposition.promise, 60 * SECOND + 1000)


def two_waiting_and_one_talking():
    """Return a floor with one agent in a talk, two kept callers and the ids of the three calls."""
    floor = Floor(CampaignSettings(name="c", mode=Mode.power, ratio=3.0), people=3)
    floor.agent("1001")
    talks, first, second = (call.call_id for call in floor.dial())
    floor.talk(talks, "1001")
    for call_id in (first, second):
        floor.hear(events.Answered, call_id=call_id)
    return floor, talks, first, second


def test_after_blindness_a_free_agent_meets_who_still_waits_and_nobody_who_does_not():
    floor, talks, first, second = two_waiting_and_one_talking()
    floor.hear(events.Disposed, agent="1001", call_id=talks, disposition=Disposition.dispute)
    floor.agent("1002")  # takes the first caller
    records = floor.hear(
        events.Resynced,
        node="main",
        # The talk is over; the switch's queue gave the first caller to somebody who was not asked for.
        calls=(
            events.LiveCall(call_id=first, state="talking", agent="1002"),
            events.LiveCall(call_id=second, state="up"),
        ),
        ended=(events.EndedCall(call_id=talks, answer_class=AnswerClass.connected, agent="1001"),),
        agents=("1001", "1002"),
    )
    assert [(order.call_id, order.agent) for order in of(records, Connect)] == [(second, "1001")]


def test_an_agent_who_went_from_caller_to_caller_while_we_were_blind_is_with_the_last():
    floor, talks, first, second = two_waiting_and_one_talking()
    records = floor.hear(
        events.Resynced,
        node="main",
        calls=(events.LiveCall(call_id=first, state="talking", agent="1001"),),
        ended=tuple(
            events.EndedCall(call_id=call_id, answer_class=AnswerClass.connected, agent="1001")
            for call_id in (talks, second)
        ),
        agents=("1001",),
    )
    assert of(records, Connect) == []
    agent = floor.engine.state.agents["1001"]
    assert (agent.state, agent.call_id) == (AgentState.talking, first)


def test_after_blindness_the_node_tells_what_lives():
    floor = Floor(CampaignSettings(name="c", mode=Mode.power, ratio=5.0), people=5)
    floor.agent("1001")
    a, b, c, d, e = (call.call_id for call in floor.dial())
    floor.talk(a, "1001")
    for call_id in (b, c):
        floor.hear(events.Answered, call_id=call_id)
    floor.hear(events.LinkDown, node="main")
    records = floor.hear(
        events.Resynced,
        node="main",
        calls=(events.LiveCall(call_id=a, state="talking", agent="1001"), events.LiveCall(call_id=d, state="ringing")),
        ended=(events.EndedCall(call_id=b, answer_class=AnswerClass.abandoned),),
        agents=("1001",),
    )
    closed = {fact.call_id: fact.disposition for fact in of(records, AttemptClosed)}
    assert closed == {b: Disposition.abandoned, c: Disposition.lost, e: Disposition.unknown}
    assert floor.engine.state.calls[a].phase is Phase.talking
    assert floor.engine.state.calls[d].phase is Phase.ringing


def test_call_alive_that_the_record_does_not_know_is_ended():
    floor = Floor()
    records = floor.hear(
        events.Resynced, node="main", calls=(events.LiveCall(call_id="floor-999999", state="up"),), agents=()
    )
    assert [hang_up.call_id for hang_up in of(records, HangUp)] == ["floor-999999"]


def test_the_networks_ring_is_a_phase_of_its_own_and_late_news_of_it_nothing():
    floor, call_id = one_call()
    assert floor.engine.state.calls[call_id].phase is Phase.originating
    assert floor.hear(events.Ringing, call_id=call_id) == []
    call = floor.engine.state.calls[call_id]
    assert (call.phase, call.since_us) == (Phase.ringing, floor.at_us)
    floor.after(3)
    floor.hear(events.Ringing, call_id=call_id)
    assert call.since_us == floor.at_us - 3 * SECOND
    floor.hear(events.Answered, call_id=call_id)
    floor.hear(events.Ringing, call_id=call_id)
    assert call.phase is Phase.connecting


def test_record_that_says_twice_what_follows_from_another_folds_to_the_same_state():
    """Of a call that rang, and of an attempt that was closed, older records had a fact besides."""
    again = ((events.Ringing, Phase.ringing), (AttemptClosed, Phase.closed))
    floor, call_id = one_call()
    floor.hear(events.Ringing, call_id=call_id)
    floor.after(5)
    floor.hear(events.Ended, call_id=call_id, cause=Cause.busy)
    folded = []
    for extra in (False, True):
        engine = Engine(floor.gate)
        for row in floor.rows:
            more = [CallMoved(call_id=call_id, phase=phase) for kind, phase in again if type(row.record) is kind]
            for record in (row.record, *(more if extra else ())):
                engine.fold(replace(row, seq=engine.seq + 1, record=record))
        assert engine.seq == len(floor.rows) + len(again) * extra
        engine.state.seq = 0
        folded.append(engine.snapshot())
    assert folded[0] == folded[1]


def test_forbidden_transition_is_broken():
    floor, call_id = one_call()
    floor.talk(call_id, "1001")
    row = floor.rows[-1]
    moved = type(row)(
        stream=row.stream,
        seq=row.seq + 1,
        at_us=row.at_us,
        campaign="c",
        record=CallMoved(call_id=call_id, phase=Phase.ringing),
    )
    with pytest.raises(Broken, match="may not go from talking to ringing"):
        floor.engine.fold(moved)


def test_counts_start_afresh_at_the_floors_midnight():
    floor, call_id = one_call()
    floor.hear(events.Ended, call_id=call_id, cause=Cause.busy)
    assert floor.engine.state.campaigns["c"].tally.attempts == 1
    floor.hear(events.PauseAsked, agent="1001", reason="break")
    floor.tick(86_400)
    assert floor.engine.state.campaigns["c"].tally.attempts == 0
    assert floor.engine.board().campaigns[0].abandon_rate is None


def test_conversation_that_the_switch_remembers_is_connected_whether_or_not_it_knows_with_whom():
    for agent in ("1001", None):
        floor, call_id = one_call()
        floor.hear(events.LinkDown, node="main")
        ended = events.EndedCall(call_id=call_id, answer_class=AnswerClass.connected, agent=agent)
        records = floor.hear(events.Resynced, node="main", ended=(ended,), agents=("1001",))
        assert [fact.answer_class for fact in of(records, CallClassed)] == [AnswerClass.connected]
        if agent is None:
            assert of(records, AttemptClosed)[0].disposition is Disposition.unrecorded
        else:
            assert floor.engine.state.agents["1001"].state is AgentState.wrapup
