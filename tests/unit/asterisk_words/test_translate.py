"""AMI events to the engine's events: what real servers sent, and orders of arrival that are rare."""

from pathlib import Path

import pytest

from dialer.asterisk.causes import cause_of
from dialer.asterisk.client import Message, parse
from dialer.asterisk.translate import Translator
from domain.calls import Cause
from domain.events import AnyEvent, Connected, Detected, Ended, PhoneDown, PhoneUp, Refused

TRANSCRIPTS = Path(__file__).parents[2] / "integration" / "fixtures"


class Ear:
    """A translator, what it told, and what it wants settled."""

    def __init__(self) -> None:
        self.told: list[AnyEvent] = []
        self.postponed: list[str] = []
        self.translator = Translator("main", "floor", self.told.append, lambda: len(self.told), self.postponed.append)

    def hear(self, name: str, **headers: str) -> None:
        self.translator.hear(Message(name, True, dict(headers)))

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


def test_an_answer_is_told_even_when_its_own_news_comes_late() -> None:
    ear = Ear()
    ear.hear("UserEvent", UserEvent="CadenciaDetected", CallID="floor-1", Status="NOTSURE")
    ear.hear("OriginateResponse", ActionID="floor-1", Response="Success", Reason="4")
    ear.hear("Hangup", **up("floor-2"), Cause="16")
    assert ear.story("floor-1") == ["Answered", "Detected"]
    assert ear.story("floor-2") == ["Answered", "Ended"]


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
    caller = {**up(), "Context": "cadencia-connect", "Exten": "1001", "BridgeUniqueid": "b1"}
    ear.hear("BridgeEnter", **caller)
    ear.hear("BridgeEnter", Uniqueid="x.1", Context="cadencia-login", Exten="1002", BridgeUniqueid="elsewhere")
    assert ear.story() == ["Answered"]
    ear.hear("BridgeEnter", Uniqueid="x.2", Context="cadencia-login", Exten="1001", BridgeUniqueid="b1")
    assert ear.last == Connected(at_us=1, call_id="floor-1", agent="1001")


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
    ear.hear("UserEvent", UserEvent="CadenciaAgentRefused", CallID="floor-1", Agent="1001", Status=status)
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
    ear.hear("OriginateResponse", ActionID="floor-1", Response="Success", Reason="4")
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
