"""AMI events to the engine's events: what real servers sent, and orders of arrival that are rare."""

from pathlib import Path

import pytest

from dialer.asterisk.causes import cause_of
from dialer.asterisk.client import Message, parse
from dialer.asterisk.translate import Call, Translator
from domain.calls import Cause
from domain.events import (
    Answered,
    AnyEvent,
    Connected,
    Detected,
    Ended,
    MadeReady,
    PauseAsked,
    PhoneDown,
    PhoneUp,
    Refused,
)

TRANSCRIPTS = Path(__file__).parents[2] / "integration" / "fixtures"


class Ear:
    """A translator, what it told, what it wants settled, and who takes orders."""

    def __init__(self) -> None:
        self.told: list[AnyEvent] = []
        self.postponed: list[str] = []
        #: Calls released, each with how much had been told by then.
        self.released: list[tuple[str, int]] = []
        self.translator = Translator(
            "main", "floor", self.told.append, lambda: len(self.told), self.postponed.append, self._release
        )

    def _release(self, call_id: str, call: Call) -> None:
        self.released.append((call_id, len(self.told)))

    def hear(self, name: str, **headers: str) -> None:
        self.translator.hear(Message(name, True, dict(headers)))

    def dialplan(self, name: str, **headers: str) -> None:
        self.hear("UserEvent", UserEvent=name, CallID="floor-1", **headers)

    def waits(self, context: str = "cadencia-answered", extension: str = "s") -> None:
        self.hear("BridgeEnter", **up(), BridgeType="base", BridgeUniqueid="all", Context=context, Exten=extension)

    def joined(self, agent: str = "1001", bridge: str = "b1") -> None:
        """Let the caller enter a bridge of his own, and an agent join him."""
        self.hear(
            "BridgeEnter", **up(), BridgeType="basic", BridgeUniqueid=bridge, Context="cadencia-connect", Exten=agent
        )
        self.joins(agent, bridge)

    def joins(self, agent: str, bridge: str) -> None:
        self.hear(
            "BridgeEnter", Uniqueid="x.1", BridgeType="basic", BridgeUniqueid=bridge, Context="cadencia-login",
            Exten=agent,
        )  # fmt: skip

    def story(self, call_id: str = "floor-1") -> list[str]:
        return [type(event).__name__ for event in self.told if getattr(event, "call_id", None) == call_id]

    @property
    def last(self) -> AnyEvent:
        return self.told[-1]


def up(call_id: str = "floor-1") -> dict[str, str]:
    return {"Uniqueid": call_id, "ChannelState": "6"}


@pytest.mark.parametrize("version", [16, 22])
def test_a_recorded_session(version: int) -> None:
    ear = Ear()
    for pack in (TRANSCRIPTS / f"asterisk-{version}.ami").read_bytes().decode().split("\r\n\r\n"):
        ear.translator.hear(parse(pack))
    for call_id in ear.postponed:
        ear.translator.settle(call_id)
    newer = version == 22
    ends = {event.call_id: (event.cause, event.q850, event.sip) for event in ear.told if isinstance(event, Ended)}
    assert ends == {
        **{f"floor-{number}": (Cause.normal, 16, None) for number in (1, 2, 3, 4, 7, 9, 10)},
        "floor-5": (Cause.busy, 17, 486 if newer else None),
        "floor-6": (Cause.no_answer, 19 if newer else 0, 480 if newer else None),
        "floor-8": (Cause.switch_fail, None, None),
    }
    assert {call_id: ear.story(call_id)[:-1] for call_id in ends} == {
        "floor-1": ["Ringing", "Answered", "Connected"],
        "floor-2": ["Ringing", "Answered", "Refused", "Queued", "Abandoned"],
        "floor-3": ["Ringing"],
        "floor-4": ["Ringing", "Answered", "Queued", "Connected"],
        "floor-5": ["Ringing"],
        "floor-6": ["Ringing"],
        "floor-7": ["Ringing", "Answered", "Detected"],
        "floor-8": [],
        "floor-9": ["Ringing", "Answered", "Connected"],
        "floor-10": ["Ringing", "Answered", "Detected", "Connected"],
    }
    assert [(event.call_id, event.result) for event in ear.told if isinstance(event, Detected)] == [
        ("floor-7", "machine"),
        ("floor-10", "human"),
    ]
    assert {(event.call_id, event.agent) for event in ear.told if isinstance(event, Connected)} == {
        (f"floor-{number}", "1001") for number in (1, 4, 9, 10)
    }
    assert [(event.call_id, event.agent, event.why) for event in ear.told if isinstance(event, Refused)] == [
        ("floor-2", "1002", "gone")
    ]
    assert [event.agent for event in ear.told if isinstance(event, PhoneUp | PhoneDown)] == ["1001", "1001"]
    assert ear.translator.calls == {}


@pytest.mark.parametrize("hangup_first", [True, False])
@pytest.mark.parametrize(
    ("cause", "reason", "expected"),
    [("0", "3", Cause.no_answer), ("17", "0", Cause.busy), ("0", "0", Cause.switch_fail), ("19", "3", Cause.no_answer)],
)
def test_hangup_and_originate_response_in_either_order(
    hangup_first: bool, cause: str, reason: str, expected: Cause
) -> None:
    ear = Ear()
    news = [
        ("Hangup", {"Uniqueid": "floor-1", "ChannelState": "5", "Cause": cause}),
        ("OriginateResponse", {"ActionID": "floor-1", "Response": "Failure", "Reason": reason}),
    ]
    for name, headers in news if hangup_first else news[::-1]:
        ear.hear(name, **headers)
    assert ear.story() == ["Ended"]
    assert ear.last == Ended(at_us=0, call_id="floor-1", cause=expected, q850=int(cause))
    for name, headers in news:  # late echoes
        ear.hear(name, **headers)
    ear.translator.settle("floor-1")
    assert ear.story() == ["Ended"]


def test_half_an_end_is_settled() -> None:
    ear = Ear()
    ear.hear("OriginateResponse", ActionID="floor-1", Response="Failure", Reason="0")
    ear.hear("Hangup", Uniqueid="floor-2", ChannelState="0", Cause="0")
    assert (ear.told, ear.postponed) == ([], ["floor-1", "floor-2"])
    for call_id in ear.postponed:
        ear.translator.settle(call_id)
    assert ear.told == [
        Ended(at_us=0, call_id="floor-1", cause=Cause.switch_fail),
        Ended(at_us=1, call_id="floor-2", cause=Cause.switch_fail, q850=0),
    ]


def test_an_answer_is_told_when_an_order_will_find_the_caller() -> None:
    ear = Ear()
    ear.hear("OriginateResponse", ActionID="floor-1", Response="Success", Reason="4")
    assert ear.told == []
    ear.waits()
    assert ear.told == [Answered(at_us=0, call_id="floor-1")]
    assert ear.translator.calls["floor-1"].ready
    assert ear.released == [("floor-1", 1)]
    ear.waits("cadencia-keep", "1500")
    assert ear.story() == ["Answered"]
    assert ear.released == [("floor-1", 1)] * 2


@pytest.mark.parametrize(("status", "result"), [("HUMAN", "human"), ("NOTSURE", "unsure")])
def test_a_person_detected_is_told_when_an_order_will_find_him(status: str, result: str) -> None:
    ear = Ear()
    ear.dialplan("CadenciaAnswered")
    assert ear.story() == ["Answered"]
    ear.dialplan("CadenciaDetected", Status=status)
    assert ear.story() == ["Answered"]
    assert not ear.translator.calls["floor-1"].ready
    ear.waits()
    assert ear.last == Detected(at_us=1, call_id="floor-1", result=result)
    assert ear.released == [("floor-1", 2)]
    ear.waits("cadencia-keep", "1500")
    assert ear.story() == ["Answered", "Detected"]


def test_a_machine_is_told_at_once() -> None:
    ear = Ear()
    ear.dialplan("CadenciaAnswered")
    ear.dialplan("CadenciaDetected", Status="MACHINE")
    assert ear.last == Detected(at_us=1, call_id="floor-1", result="machine")
    assert ear.released == []


def test_who_leaves_before_he_sits_has_his_whole_story_told() -> None:
    ear = Ear()
    ear.dialplan("CadenciaDetected", Status="NOTSURE")
    ear.hear("Hangup", **up(), Cause="0")
    ear.hear("Hangup", **up("floor-2"), Cause="16")
    assert ear.story("floor-1") == ["Answered", "Detected", "Ended"]
    assert ear.story("floor-2") == ["Answered", "Ended"]
    assert ear.released == []


@pytest.mark.parametrize(("what", "event"), [("CadenciaQueued", "Queued"), ("CadenciaAbandoned", "Abandoned")])
def test_what_comes_instead_of_sitting_is_told_after_the_refusal(what: str, event: str) -> None:
    ear = Ear()
    ear.waits()
    ear.dialplan("CadenciaAgentRefused", Agent="1001", Status="BUSY")
    ear.dialplan(what, How="hangup")
    assert ear.story() == ["Answered", "Refused", event]


def test_when_the_dialplan_goes_on_alone() -> None:
    ear = Ear()
    call = ear.translator.call("floor-1")
    assert call is not None
    ear.waits()
    assert call.orders_until_us is None  # another process gave the Originate
    call.grace_us, call.limit_us = 300_000, 500_000
    ear.waits()
    assert call.orders_until_us == 300_001
    ear.waits("cadencia-keep", "1500")
    assert call.orders_until_us == 1_500_001
    ear.waits("cadencia-connect", "1001")  # after a refusal: another grace
    assert call.orders_until_us == 300_001
    call.limit_at_us = 200_000  # but never beyond the limit
    ear.waits("cadencia-connect", "1001")
    assert call.orders_until_us == 200_000
    ear.joined()
    assert call.orders_until_us is None


def test_others_on_the_server_are_not_ours() -> None:
    ear = Ear()
    for call_id in ("lab-1795291859.1", "other-1", "floor-x", "floor-1.2", "", "floorish-1", "floor-agent1001-17"):
        ear.hear("DialState", DestUniqueid=call_id, DialStatus="RINGING")
        ear.hear("OriginateResponse", ActionID=call_id, Response="Success", Reason="4")
        ear.hear("AgentConnect", Uniqueid=call_id, MemberName="1001")
        ear.hear("Hangup", Uniqueid=call_id, ChannelState="6", Cause="16")
    ear.hear("UserEvent", UserEvent="Other", CallID="floor-1")
    ear.hear("VarSet", Uniqueid="floor-1")
    assert ear.told == []


def test_the_agent_is_whose_channel_joins_the_bridge() -> None:
    ear = Ear()
    ear.waits()
    ear.hear("BridgeEnter", **up(), BridgeType="basic", BridgeUniqueid="b1", Context="cadencia-connect", Exten="1001")
    ear.joins("1002", "elsewhere")
    assert ear.story() == ["Answered"]
    ear.joins("1001", "b1")
    assert ear.last == Connected(at_us=1, call_id="floor-1", agent="1001")


def test_the_bridge_of_those_who_wait_is_nobodys() -> None:
    ear = Ear()
    ear.waits()
    ear.dialplan("CadenciaAgentRefused", Agent="1001", Status="BUSY")
    ear.waits("cadencia-connect", "1001")
    ear.joins("1002", "all")
    assert ear.story() == ["Answered", "Refused"]


def test_nobody_joins_a_bridge_that_the_caller_has_left() -> None:
    ear = Ear()
    ear.waits()
    ear.hear("BridgeEnter", **up(), BridgeType="basic", BridgeUniqueid="b1", Context="cadencia-connect", Exten="1001")
    ear.dialplan("CadenciaAgentRefused", Agent="1001", Status="NOT_CONNECTED")
    ear.joins("1001", "b1")
    ear.waits("cadencia-connect", "1001")
    assert ear.story() == ["Answered", "Refused"]


def test_an_agent_who_leaves_while_joining_makes_no_impossible_story() -> None:
    ear = Ear()
    ear.waits()
    ear.joined()
    ear.dialplan("CadenciaAgentRefused", Agent="1001", Status="NOT_CONNECTED")
    ear.waits("cadencia-connect", "1001")
    ear.dialplan("CadenciaQueued")
    assert ear.story() == ["Answered", "Connected"]
    ear.hear("AgentConnect", Uniqueid="floor-1", MemberName="1002")
    assert ear.last == Connected(at_us=2, call_id="floor-1", agent="1002")
    ear.dialplan("CadenciaAbandoned", How="message")
    ear.hear("Hangup", **up(), Cause="16")
    assert ear.story() == ["Answered", "Connected", "Connected", "Ended"]


@pytest.mark.parametrize(
    ("status", "why"),
    [
        ("BUSY", "busy"),
        ("NOT_CONNECTED", "no_answer"),
        ("NOT_LOGGED_IN", "gone"),
        ("INVALID", "gone"),
        ("ERROR", "gone"),
    ],
)
def test_refusals(status: str, why: str) -> None:
    ear = Ear()
    ear.waits()
    ear.dialplan("CadenciaAgentRefused", Agent="1001", Status=status)
    assert ear.story() == ["Answered"]
    ear.waits("cadencia-connect", "1001")
    assert ear.last == Refused(at_us=1, call_id="floor-1", agent="1001", why=why)


def test_a_phone_is_up_once_it_is_usable() -> None:
    ear = Ear()
    ear.hear("DeviceStateChange", Device="Agent:1001", State="NOT_INUSE")
    ear.hear("AgentLogin", Agent="1001")
    ear.hear("DeviceStateChange", Device="Agent:1001", State="INUSE")
    assert ear.told == []
    for state in ("NOT_INUSE", "INUSE", "NOT_INUSE"):
        ear.hear("DeviceStateChange", Device="Agent:1001", State=state)
    assert ear.told == [PhoneUp(at_us=0, agent="1001", node="main")]
    for _ in range(2):
        ear.hear("AgentLogoff", Agent="1001")
    assert ear.told[1:] == [PhoneDown(at_us=1, agent="1001")]


def test_what_ends_after_shutdown_the_switch_ended() -> None:
    ear = Ear()
    ear.waits()
    ear.hear("Shutdown")
    ear.hear("Hangup", **up(), Cause="16")
    assert ear.last == Ended(at_us=1, call_id="floor-1", cause=Cause.switch_fail, q850=16)


def test_memory_of_ended_calls_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dialer.asterisk.translate._REMEMBERED_ENDS", 10)
    ear = Ear()
    for number in range(100):
        ear.hear("Hangup", **up(f"floor-{number}"), Cause="16")
    assert list(ear.translator.ended) == [f"floor-{number}" for number in range(90, 100)]


def test_unlisted_causes_are_the_networks() -> None:
    assert cause_of(38, answered=False, reason=0) is Cause.network_fail
    assert cause_of(127, answered=False, reason=None) is Cause.network_fail
    assert cause_of(38, answered=True, reason=4) is Cause.normal


def test_an_agent_who_is_ready_by_phone_is_told_so_once_the_phone_is_usable() -> None:
    ear = Ear()
    ear.hear("UserEvent", UserEvent="CadenciaDesk", Agent="1001", Do="ready")
    ear.hear("AgentLogin", Agent="1001")
    assert ear.told == []
    ear.hear("DeviceStateChange", Device="Agent:1001", State="NOT_INUSE")
    assert ear.told == [PhoneUp(at_us=0, agent="1001", node="main"), MadeReady(at_us=1, agent="1001")]
    ear.hear("UserEvent", UserEvent="CadenciaDesk", Agent="1001", Do="pause", Reason="lunch")
    ear.hear("UserEvent", UserEvent="CadenciaDesk", Agent="1001", Do="ready")
    assert ear.told[2:] == [PauseAsked(at_us=2, agent="1001", reason="lunch"), MadeReady(at_us=3, agent="1001")]
    # Another log-in is another shift: only the code that says so makes ready.
    ear.hear("AgentLogoff", Agent="1001")
    ear.hear("AgentLogin", Agent="1001")
    ear.hear("DeviceStateChange", Device="Agent:1001", State="NOT_INUSE")
    assert isinstance(ear.last, PhoneUp)


def test_a_pause_takes_back_what_was_not_told_and_a_word_of_the_engine_is_no_reason() -> None:
    ear = Ear()
    ear.hear("UserEvent", UserEvent="CadenciaDesk", Agent="1001", Do="ready")
    for reason in ("", "ready", "leave", "two words"):
        ear.hear("UserEvent", UserEvent="CadenciaDesk", Agent="1001", Do="pause", Reason=reason)
    assert ear.told == []
    ear.hear("UserEvent", UserEvent="CadenciaDesk", Agent="1001", Do="pause", Reason="break")
    ear.hear("AgentLogin", Agent="1001")
    ear.hear("DeviceStateChange", Device="Agent:1001", State="NOT_INUSE")
    assert [type(event) for event in ear.told] == [PauseAsked, PhoneUp]
