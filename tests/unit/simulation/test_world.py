"""The simulated switch follows the dialplan's call flow, to the microsecond where that is fixed."""

import pytest

from domain.calls import AnswerClass, Cause
from domain.events import Connected, Detected, Ended, EndedCall, LiveCall, PhoneDown, PhoneUp, Refused, Resynced
from domain.orders import Connect, DropAgent, HangUp, Keep, QueueAgent, RingAgent
from simulation.callees import BUSY, CONGESTION, NETWORK_FAIL, NO_ANSWER, NOT_IN_SERVICE, REJECTED, Fate
from simulation.exchange import WorldSettings
from tests.unit.simulation.scripted import START_US, Script, Stage, connect_at_once

#: Order, set-up and ring of the default script: the answer.
ANSWER_US = 1_000 + 500_000 + 5_000_000


def ended(stage: Stage) -> Ended:
    events = [event for event in stage.events if isinstance(event, Ended)]
    assert len(events) == 1
    return events[0]


@pytest.mark.parametrize(
    ("fate", "names", "cause", "q850"),
    [
        (BUSY, ["Ended"], Cause.busy, 17),
        (NOT_IN_SERVICE, ["Ended"], Cause.not_in_service, 1),
        (CONGESTION, ["Ended"], Cause.congestion, 34),
        (NETWORK_FAIL, ["Ended"], Cause.network_fail, 38),
        (REJECTED, ["Ringing", "Ended"], Cause.rejected, 21),
        (NO_ANSWER, ["Ringing", "Ended"], Cause.no_answer, 19),
    ],
)
def test_unanswered_call_ends_once_with_its_cause(fate: Fate, names: list[str], cause: Cause, q850: int) -> None:
    stage = Stage(Script(fate=fate))
    stage.dial()
    stage.run(60)
    assert stage.names() == names
    assert (ended(stage).cause, ended(stage).q850, ended(stage).sip) == (cause, q850, fate.sip)
    assert not stage.world.lines


def test_switch_gives_up_ringing_at_the_timeout_counted_from_the_dial() -> None:
    stage = Stage(Script(ring_us=24_600_000))
    stage.dial(ring_timeout_ms=25_000)
    assert stage.run(60) == [("Ringing", 501_000), ("Ended", 25_000_000)]
    assert ended(stage).cause is Cause.no_answer


def test_without_an_engine_the_caller_queues_after_the_grace_and_hears_the_message_at_the_limit() -> None:
    stage = Stage(Script())
    stage.dial()
    assert stage.run(60) == [
        ("Ringing", 501_000),
        ("Answered", ANSWER_US),
        ("Queued", ANSWER_US + 300_000),
        ("Abandoned", ANSWER_US + 2_000_000),
        ("Ended", ANSWER_US + 10_000_000),
    ]
    assert stage.events[3].how == "message"  # type: ignore[union-attr]


def test_abandonment_without_message_hangs_up_at_once() -> None:
    stage = Stage(Script())
    stage.dial(abandon="hangup")
    assert stage.run(60)[-2:] == [("Abandoned", ANSWER_US + 2_000_000), ("Ended", ANSWER_US + 2_000_000)]


def test_patience_without_rest_is_over_with_the_grace() -> None:
    stage = Stage(Script())
    stage.dial(limit_ms=0)
    assert stage.run(60)[-2][0] == "Abandoned"
    assert "Queued" not in stage.names()


def test_connect_joins_within_milliseconds_and_the_callee_ends_the_talk() -> None:
    stage = Stage(Script(talk_us=60_000_000), react=connect_at_once("ana"))
    stage.seat("ana")
    start_us = int(stage.env.now) - START_US
    stage.dial()
    stage.run(90)
    connected = next(event for event in stage.events if isinstance(event, Connected))
    assert (connected.at_us - START_US - start_us, connected.agent) == (ANSWER_US + 2_000, "ana")
    assert ended(stage).at_us == connected.at_us + 60_000_000
    assert ended(stage).cause is Cause.normal


def test_keep_holds_the_caller_past_the_grace_and_connect_may_still_come() -> None:
    stage = Stage(Script(), Script())
    stage.seat("ana")
    for phone in (1, 2):
        stage.dial(phone)
    stage.run(5.6)
    for phone in (1, 2):
        stage.world.send(Keep(call_id=f"floor-{phone}", node="main", for_ms=1_500))
    stage.run(1.0)
    assert "Queued" not in stage.names()
    stage.world.send(Connect(call_id="floor-1", agent="ana", node="main"))
    stage.run(20)
    calls = {event.call_id: type(event).__name__ for event in stage.events if hasattr(event, "call_id")}
    assert [type(event).__name__ for event in stage.events if getattr(event, "call_id", "") == "floor-1"][-1] == (
        "Connected"
    )
    assert calls["floor-2"] == "Ended"
    assert stage.names().count("Abandoned") == 1


def test_busy_agent_refuses_and_the_caller_goes_on_to_the_queue() -> None:
    stage = Stage(Script(), Script(), react=connect_at_once("ana"))
    stage.seat("ana")
    stage.dial(1)
    stage.run(1)
    stage.dial(2)
    stage.run(12)
    refused = next(event for event in stage.events if isinstance(event, Refused))
    assert (refused.call_id, refused.agent, refused.why) == ("floor-2", "ana", "busy")
    mine = [type(event).__name__ for event in stage.events if getattr(event, "call_id", "") == "floor-2"]
    assert mine == ["Ringing", "Answered", "Refused", "Queued", "Abandoned"]


def test_absent_agent_refuses_as_gone() -> None:
    stage = Stage(Script(), react=connect_at_once("nobody"))
    stage.dial()
    stage.run(6)
    assert next(event for event in stage.events if isinstance(event, Refused)).why == "gone"


def test_queue_takes_the_least_recently_used_free_agent_who_serves_and_is_not_paused() -> None:
    stage = Stage(Script(talk_us=1_000_000), Script(talk_us=1_000_000), Script())
    for agent in ("other", "paused", "ana", "eva"):
        stage.seat(agent)
    for agent, campaigns, paused in (
        ("ana", ("a",), False),
        ("eva", ("b", "a"), False),
        ("paused", ("a",), True),
        ("other", ("b",), False),
    ):
        stage.world.send(QueueAgent(agent=agent, node="main", campaigns=campaigns, paused=paused))
    for phone in (1, 2, 3):
        stage.dial(phone)
        stage.run(9)
    assert [event.agent for event in stage.events if isinstance(event, Connected)] == ["ana", "eva", "ana"]


def test_queue_finds_an_agent_who_gets_free_before_the_limit() -> None:
    stage = Stage(Script())
    stage.seat("ana")
    stage.dial()
    stage.run(6)
    assert stage.names()[-1] == "Queued"
    stage.world.send(QueueAgent(agent="ana", node="main", campaigns=("a",), paused=False))
    stage.run(2)
    assert stage.names()[-1] == "Connected"


@pytest.mark.parametrize(("who", "result"), [("debtor", "human"), ("machine", "machine")])
def test_detection_takes_its_time_and_a_machine_is_hung_up(who: str, result: str) -> None:
    sure = WorldSettings(p_person_as_machine=0.0, p_machine_as_person=0.0, p_unsure=0.0)
    stage = Stage(Script(who=who), settings=sure)
    stage.dial(detect=True)
    stage.run(60)
    detected = next(event for event in stage.events if isinstance(event, Detected))
    assert detected.result == result
    low, high = sure.detect_machine_us if who == "machine" else sure.detect_person_us
    assert low <= detected.at_us - START_US - ANSWER_US <= high
    after = stage.names()[stage.names().index("Detected") + 1 :]
    assert after == (["Ended"] if who == "machine" else ["Queued", "Abandoned", "Ended"])


@pytest.mark.parametrize(
    ("settings", "who", "result"),
    [
        (WorldSettings(p_unsure=1.0), "debtor", "unsure"),
        (WorldSettings(p_unsure=0.0, p_person_as_machine=1.0), "debtor", "machine"),
        (WorldSettings(p_unsure=0.0, p_machine_as_person=1.0), "machine", "human"),
    ],
)
def test_detection_errs_as_its_settings_say(settings: WorldSettings, who: str, result: str) -> None:
    stage = Stage(Script(who=who), settings=settings)
    stage.dial(detect=True)
    stage.run(60)
    assert next(event for event in stage.events if isinstance(event, Detected)).result == result


@pytest.mark.parametrize("detect", [False, True])
def test_callee_who_hears_nothing_hangs_up(detect: bool) -> None:
    stage = Stage(Script(patience_us=900_000))
    stage.dial(detect=detect)
    assert stage.run(60)[-1] == ("Ended", ANSWER_US + 900_000)
    assert "Abandoned" not in stage.names()


@pytest.mark.parametrize("after_s", [0.2, 3.0, 5.6, 6.5, 9.0])
def test_hang_up_ends_a_call_wherever_it_is(after_s: float) -> None:
    stage = Stage(Script())
    call_id = stage.dial()
    stage.run(after_s)
    stage.world.send(HangUp(call_id=call_id, node="main", why="stopped"))
    stage.run(60)
    assert ended(stage).at_us - START_US == round(after_s * 1e6) + 1_000
    assert ended(stage).cause is Cause.normal


def test_orders_for_a_call_that_is_gone_do_nothing() -> None:
    stage = Stage(Script(fate=BUSY))
    call_id = stage.dial()
    stage.run(5)
    stage.world.send(HangUp(call_id=call_id, node="main", why="late"))
    stage.world.send(Keep(call_id=call_id, node="main", for_ms=10))
    stage.world.send(Connect(call_id=call_id, agent="ana", node="main"))
    assert stage.run(60) == []


def test_connect_to_a_second_agent_does_not_move_a_caller_who_talks() -> None:
    stage = Stage(Script(), react=connect_at_once("ana"))
    stage.seat("ana", "eva")
    stage.dial()
    stage.run(10)
    stage.world.send(Connect(call_id="floor-1", agent="eva", node="main"))
    stage.run(100)
    assert [event.agent for event in stage.events if isinstance(event, Connected)] == ["ana"]
    assert "Refused" not in stage.names()


def test_call_beyond_the_lines_meets_congestion() -> None:
    stage = Stage(Script(), Script(), settings=WorldSettings(lines=1))
    stage.dial(1)
    stage.dial(2)
    stage.run(1)
    assert (ended(stage).call_id, ended(stage).cause) == ("floor-2", Cause.congestion)
    # The line is free again once its call is over.
    stage.run(60)
    stage.world.send(HangUp(call_id="floor-1", node="main", why="test"))
    stage.events.clear()
    stage.dial(2)
    stage.run(2)
    assert stage.names() == ["Ringing"]


def test_agent_is_rung_usable_after_login_and_dropped() -> None:
    stage = Stage(Script())
    stage.world.send(RingAgent(agent="ana", node="main"))
    assert stage.run(10) == [("PhoneUp", 1_000 + 2_000_000 + 4_800_000)]
    stage.world.send(DropAgent(agent="ana", node="main"))
    assert [name for name, _ in stage.run(1)] == ["PhoneDown"]


def test_agent_whose_ringing_phone_is_called_off_does_not_come_up() -> None:
    stage = Stage(Script())
    stage.world.send(RingAgent(agent="ana", node="main"))
    stage.run(3)
    stage.world.send(DropAgent(agent="ana", node="main"))
    assert stage.run(30) == []


def test_phone_that_is_lost_in_a_talk_ends_the_call_and_cannot_be_rung_for_a_while() -> None:
    stage = Stage(Script(), react=connect_at_once("ana"))
    stage.seat("ana")
    stage.dial()
    stage.run(10)
    stage.world.drop("ana", 30_000_000)
    assert stage.names()[-2:] == ["Ended", "PhoneDown"]
    stage.world.send(RingAgent(agent="ana", node="main"))
    assert stage.run(60) == []
    stage.world.send(RingAgent(agent="ana", node="main"))
    assert [name for name, _ in stage.run(10)] == ["PhoneUp"]


def test_over_a_cut_link_nothing_passes_and_the_resync_tells_what_lives_and_what_ended() -> None:
    def engine(stage: Stage, event: object) -> None:
        if type(event).__name__ == "Answered" and event.call_id in ("floor-2", "floor-3"):  # type: ignore[attr-defined]
            agent = {"floor-2": "ana", "floor-3": "eva"}[event.call_id]  # type: ignore[attr-defined]
            stage.world.send(Connect(call_id=event.call_id, agent=agent, node="main"))  # type: ignore[attr-defined]

    stage = Stage(
        Script(fate=BUSY),
        Script(talk_us=20_000_000),
        Script(talk_us=90_000_000),
        Script(),
        Script(ring_us=20_000_000),
        react=engine,
    )
    stage.seat("ana", "eva")
    for phone in (2, 3):
        stage.dial(phone)
    stage.run(10)
    stage.dial(1)
    stage.dial(4)
    stage.dial(5)
    stage.world.cut_link("main", notice_us=2_000_000)
    stage.events.clear()
    assert [name for name, _ in stage.run(24)] == ["LinkDown"]
    # Nothing that is sent arrives.
    stage.world.send(HangUp(call_id="floor-3", node="main", why="test"))
    stage.world.mend_link("main")
    up, resync = stage.events[-2:]
    assert type(up).__name__ == "LinkUp"
    assert isinstance(resync, Resynced)
    assert resync.calls == (
        LiveCall(call_id="floor-3", state="talking", agent="eva"),
        LiveCall(call_id="floor-5", state="queued"),
    )
    assert resync.ended == (
        EndedCall(call_id="floor-4", answer_class=AnswerClass.abandoned),
        EndedCall(call_id="floor-2", answer_class=AnswerClass.connected, agent="ana"),
    )
    assert resync.agents == ("ana", "eva")
    # What was remembered is told once.
    stage.world.mend_link("main")
    assert stage.events[-1].ended == ()  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("who", "patience_us", "answer_class"),
    [
        ("machine", 60_000_000, AnswerClass.machine),
        ("machine", 500_000, AnswerClass.cut),
        ("debtor", 500_000, AnswerClass.cut),
        ("debtor", 2_000_000, AnswerClass.abandoned),
    ],
)
def test_switch_remembers_how_a_call_ended_under_detection(who: str, patience_us: int, answer_class: str) -> None:
    sure = WorldSettings(p_person_as_machine=0.0, p_machine_as_person=0.0, p_unsure=0.0)
    stage = Stage(Script(who=who, patience_us=patience_us), settings=sure)
    stage.dial(detect=True)
    stage.world.cut_link("main")
    stage.run(60)
    stage.world.mend_link("main")
    assert stage.events[-1].ended == (EndedCall(call_id="floor-1", answer_class=answer_class),)  # type: ignore[union-attr]


def test_refused_caller_gets_another_grace_but_never_beyond_the_limit() -> None:
    stage = Stage(Script())
    stage.dial(limit_ms=100)
    stage.run((ANSWER_US + 200_000) / 1e6)
    stage.world.send(Connect(call_id="floor-1", agent="nobody", node="main"))
    assert stage.run(30)[:3] == [
        ("Refused", ANSWER_US + 202_000),
        ("Abandoned", ANSWER_US + 400_000),
        ("Ended", ANSWER_US + 8_400_000),
    ]


def test_restarted_switch_has_lost_calls_and_agents() -> None:
    stage = Stage(Script(), Script(ring_us=20_000_000), react=connect_at_once("ana"))
    stage.seat("ana")
    stage.dial(1)
    stage.dial(2)
    stage.run(10)
    stage.events.clear()
    stage.world.restart_node("main", 3_000_000)
    stage.run(20)
    assert stage.names() == ["LinkDown", "LinkUp", "Resynced"]
    assert stage.events[-1] == Resynced(at_us=stage.events[-1].at_us, node="main")
    assert (stage.world.placed, stage.world.ended, len(stage.world.lines)) == (2, 2, 0)


def test_brief_cut_that_is_mended_before_anybody_notices_is_no_link_loss() -> None:
    stage = Stage(Script())
    stage.world.cut_link("main", notice_us=5_000_000)
    stage.run(1)
    stage.world.mend_link("main")
    stage.run(10)
    assert stage.names() == ["LinkUp", "Resynced"]


def test_agent_lifting_the_phone_is_told_with_its_node() -> None:
    stage = Stage(Script())
    stage.world.lift("ana", "main")
    stage.run(5)
    at_us = START_US + 4_800_000
    assert stage.events == [PhoneUp(at_us=at_us, agent="ana", node="main")]
    stage.world.drop("ana")
    assert stage.events[1:] == [PhoneDown(at_us=START_US + 5_000_000, agent="ana")]
