"""The call flow on a real Asterisk, as the engine's AMI user sees it: every line of docs/asterisk-events.md.

One long module, because its tests share two labs that take six seconds to get ready.
"""

import asyncio
import functools
import time
import wave
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from dialer.asterisk.check import check
from dialer.asterisk.client import AmiServer
from dialer.asterisk.connection import Connection
from dialer.asterisk.lab import Lab
from dialer.asterisk.lab_numbers import Behaviour, Outcome, lab_number
from dialer.asterisk.render import AsteriskPlan, QueuePlan
from tests.e2e.raw_ami import Message, RawAmi

pytestmark = pytest.mark.lab

#: Phones that do something else than answer and stay.
PHONES = {"1005": "silent", "1006": "busy", "1007": "leaves-010"}
READY = ("1001", "1002", "1003")
#: Short times keep the tests short; the flow is the same. What a story has to do within a time of the switch's has
#: seconds for it: on a busy machine a moment may last one.
QUICK = {"GRACE_MS": "150", "LIMIT_MS": "450"}
#: Into the queue at once, and time enough there.
QUEUED = {"GRACE_MS": "150", "LIMIT_MS": "4000"}


@pytest.fixture(scope="module")
def labs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[int, Lab]]:
    """Both versions side by side, two agents of each off-hook and usable."""
    folder = tmp_path_factory.mktemp("labs")
    started = {v: Lab(folder / str(v), agents=8, version=v, phones=PHONES) for v in (22, 16)}
    with started[22], started[16]:

        def ready(lab: Lab) -> None:
            assert lab.state is not None
            with RawAmi(lab.state) as ami:
                for agent in READY:
                    ami.log_in(agent)
                for agent in READY:
                    ami.wait(functools.partial(usable, agent=agent), f"{agent} usable")

        with ThreadPoolExecutor() as pool:
            list(pool.map(ready, started.values()))
        yield started


class Ami(RawAmi):
    """A session that knows its lab."""

    def __init__(self, lab: Lab) -> None:
        assert lab.state is not None
        super().__init__(lab.state)
        self.lab = lab


@pytest.fixture
def both(labs: dict[int, Lab]) -> Callable[[Callable[[Ami], None]], None]:
    """Run one story on both versions at the same time."""

    def run(story: Callable[[Ami], None]) -> None:
        def told_by(version: int) -> None:
            try:
                with Ami(labs[version]) as ami:
                    story(ami)
            except BaseException as error:
                error.add_note(f"on Asterisk {version}")
                raise

        with ThreadPoolExecutor() as pool:
            for future in [pool.submit(told_by, version) for version in labs]:
                future.result()

    return run


Both = Callable[[Callable[[Ami], None]], None]


def usable(event: Message, agent: str) -> bool:
    return (
        event["Event"] == "DeviceStateChange" and event["Device"] == f"Agent:{agent}" and event["State"] == "NOT_INUSE"
    )


def number(outcome: Outcome, *, ring_s: float = 0.2, talk_s: float = 0) -> str:
    return lab_number("ES", Behaviour(outcome=outcome, ring_s=ring_s, talk_s=talk_s))


_calls = iter(range(1, 10_000))


def call_id() -> str:
    return f"e2e-{next(_calls)}"


def parked(ami: RawAmi, call: str, context: str = "cadencia-answered") -> Message:
    """Wait until the caller sits where an order may find him."""
    return ami.wait(
        lambda e: (
            e["Event"] == "BridgeEnter" and (e["Uniqueid"], e["BridgeType"], e["Context"]) == (call, "base", context)
        ),
        f"caller waiting in {context}",
    )


def ended(ami: RawAmi, call: str) -> Message:
    return ami.wait(lambda e: e["Event"] == "Hangup" and e["Uniqueid"] == call, "Hangup")


def told(ami: RawAmi, call: str, name: str) -> Message:
    return ami.wait(lambda e: e.get("UserEvent") == name and e["CallID"] == call, name)


def user_events(ami: RawAmi, call: str) -> list[str]:
    return [e["UserEvent"] for e in ami.events if e["Event"] == "UserEvent" and e["CallID"] == call]


def bridged(ami: RawAmi, call: str, agent: str) -> Message:
    """Wait until debtor and agent are in one bridge; return the agent's entering."""
    debtor = ami.wait(
        lambda e: (
            e["Event"] == "BridgeEnter"
            and (e["Uniqueid"], e["BridgeType"], e["Context"], e["Exten"]) == (call, "basic", "cadencia-connect", agent)
        ),
        "debtor in a bridge",
    )
    return ami.wait(
        lambda e: (
            e["Event"] == "BridgeEnter"
            and e["BridgeUniqueid"] == debtor["BridgeUniqueid"]
            and (e["Context"], e["Exten"], e["BridgeNumChannels"]) == ("cadencia-login", agent, "2")
        ),
        "agent in the debtor's bridge",
    )


def statuses(ami: RawAmi) -> dict[str, str]:
    """Return what the switch says of each agent."""
    return {e["Agent"]: e["Status"] for e in ami.listing("Agents", "AgentsComplete")}


def remembered(ami: RawAmi, call: str) -> str:
    """Return what the switch remembers of an ended call: its state and agent."""
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        for hour in (0, 3600):
            family = time.strftime("cadencia-ended-%Y%m%d%H", time.gmtime(time.time() - hour))
            for entry in ami.listing("DBGetTree", "DBGetTreeComplete", Family=family):
                if entry["Key"] == f"/{family}/{call}":
                    return ",".join(entry["Val"].split(",")[:2])
    return "nothing"


def member(agent: str) -> str:
    return f"Local/{agent}@cadencia-agentpool/n"


@contextmanager
def queued_member(ami: RawAmi, agent: str) -> Iterator[None]:
    added = ami.action(
        "QueueAdd", Queue="campaign", Interface=member(agent), StateInterface=f"Agent:{agent}", MemberName=agent,
        Paused="false",
    )  # fmt: skip
    assert added["Response"] == "Success"
    yield
    ami.action("QueueRemove", Queue="campaign", Interface=member(agent))


@pytest.mark.parametrize(
    ("outcome", "cause", "sip", "rings"),
    [
        (Outcome.busy, "17", "486", True),
        (Outcome.not_in_service, "1", "404", False),
        (Outcome.congestion, "34", "503", False),
        (Outcome.rejected, "21", "603", False),
        (Outcome.unreachable, "19", "480", True),
    ],
)
def test_a_call_that_nobody_answers_ends_with_its_cause(
    both: Both, outcome: Outcome, cause: str, sip: str, rings: bool
) -> None:
    def story(ami: Ami) -> None:
        call = call_id()
        ami.originate(call, number(outcome))
        end = ended(ami, call)
        assert end["Cause"] == cause
        assert end.get("TechCause") == (sip if ami.lab.version == 22 else None)
        ringing = [e["DialStatus"] for e in ami.of(call) if e["Event"] == "DialState"]
        assert ringing == (["RINGING"] if rings else [])
        response = ami.wait(lambda e: e["Event"] == "OriginateResponse" and e["ActionID"] == call, "response")
        assert (response["Response"], response["Reason"]) == ("Failure", "0")
        assert len(ami.of(call)) == (3 if rings else 2)

    both(story)


def test_a_call_that_rings_too_long_is_given_up(both: Both) -> None:
    def story(ami: Ami) -> None:
        call = call_id()
        ami.originate(call, number(Outcome.no_answer), TIMEOUT="700")
        assert ended(ami, call)["Cause"] == ("19" if ami.lab.version == 22 else "0")
        response = ami.wait(lambda e: e["Event"] == "OriginateResponse" and e["ActionID"] == call, "response")
        assert (response["Response"], response["Reason"]) == ("Failure", "3")

    both(story)


def test_a_ringing_call_can_be_hung_up(both: Both) -> None:
    def story(ami: Ami) -> None:
        call = call_id()
        ami.originate(call, number(Outcome.no_answer))
        ami.wait(lambda e: e["Event"] == "DialState" and e["DestUniqueid"] == call, "ringing")
        assert ami.action("Hangup", Channel=call, Cause="16")["Response"] == "Success"
        assert ended(ami, call)["Cause"] == "16"

    both(story)


def test_a_trunk_that_is_not_there_fails_without_a_channel(both: Both) -> None:
    def story(ami: Ami) -> None:
        call = call_id()
        ami.action(
            "Originate", ActionID=call, ChannelId=call, Channel="PJSIP/1@nosuch", Context="cadencia-answered",
            Exten="s", Priority="1", Async="true", Timeout="1000",
        )  # fmt: skip
        response = ami.wait(lambda e: e["Event"] == "OriginateResponse" and e["ActionID"] == call, "response")
        assert (response["Response"], response["Uniqueid"]) == ("Failure", call)
        # Events keep their order: had there been a channel, its end would be here when the next call's is.
        other = call_id()
        ami.originate(other, number(Outcome.not_in_service))
        ended(ami, other)
        assert [e["Event"] for e in ami.of(call)] == ["OriginateResponse"]

    both(story)


def test_connect_brings_debtor_and_agent_together(both: Both) -> None:
    def story(ami: Ami) -> None:
        call = call_id()
        ami.originate(call, number(Outcome.human, talk_s=40), RECORD="1")
        parked(ami, call)
        assert ami.connect(call, "1001")["Response"] == "Success"
        met = bridged(ami, call, "1001")
        status = {e["Uniqueid"]: e for e in resync(ami)}[call]
        assert (status["ChannelState"], status["CADENCIA_STATE"], status["CADENCIA_AGENT"]) == (
            "6",
            "connected",
            "1001",
        )
        # The switch notes that an agent is on a call a moment after it has put him there.
        patience = time.monotonic() + 10
        while (agents := statuses(ami))["1001"] != "AGENT_ONCALL" and time.monotonic() < patience:
            time.sleep(0.05)
        assert (agents["1001"], agents["1002"], agents["1004"]) == ("AGENT_ONCALL", "AGENT_IDLE", "AGENT_LOGGEDOFF")
        time.sleep(1.5)
        assert ami.action("Hangup", Channel=call)["Response"] == "Success"
        talked_s = float(ended(ami, call)["Timestamp"]) - float(met["Timestamp"])
        taken = ami.wait(lambda e: e["Event"] == "DeviceStateChange" and e["State"] == "INUSE", "agent taken")
        assert taken["Device"] == "Agent:1001"
        ami.wait(lambda e: usable(e, "1001"), "agent free again")
        assert user_events(ami, call) == []
        assert remembered(ami, call) == "connected,1001"
        recording = ami.lab.directory / "var" / "spool" / "monitor" / "cadencia" / f"{call}.wav"
        with wave.open(str(recording)) as sound:
            assert 1 < sound.getnframes() / sound.getframerate() < talked_s + 1
            assert any(sound.readframes(sound.getnframes()))

    both(story)


def resync(ami: RawAmi) -> list[Message]:
    """Return the channels with their variables as keys."""
    channels = ami.listing("Status", "StatusComplete", Variables="CALLID,CADENCIA_STATE,CADENCIA_AGENT")
    return [c | dict(line.split("=", 1) for line in c["Variable"].split("\n")) for c in channels]


def test_a_connected_call_costs_seven_messages(both: Both) -> None:
    def story(ami: Ami) -> None:
        call = call_id()
        before = len(ami.events)
        ami.originate(call, number(Outcome.answer, talk_s=3))
        parked(ami, call)
        ami.connect(call, "1001")
        ended(ami, call)
        ami.wait(lambda e: usable(e, "1001"), "agent free again")
        assert sorted(e["Event"] for e in ami.events[before:] if e["Event"] != "FullyBooted") == [
            *["BridgeEnter"] * 3, *["DeviceStateChange"] * 2, "DialState", "Hangup",
        ]  # fmt: skip

    both(story)


def test_an_agent_who_leaves_ends_the_talk(both: Both) -> None:
    def story(ami: Ami) -> None:
        call = call_id()
        ami.originate(call, number(Outcome.answer))
        parked(ami, call)
        ami.connect(call, "1003")
        bridged(ami, call, "1003")
        time.sleep(0.2)  # one who leaves within a millisecond has refused, and the caller stays ours
        assert ami.action("AgentLogoff", Agent="1003")["Response"] == "Success"
        ami.wait(lambda e: e["Event"] == "AgentLogoff" and e["Agent"] == "1003", "logoff")
        assert ended(ami, call)["Cause"] == "16"
        assert remembered(ami, call) == "connected,1003"

    both(story)


@pytest.mark.parametrize("agent", ["1004", "1002"])
def test_a_refused_caller_stays_ours_and_may_be_connected_again(both: Both, agent: str) -> None:
    """1004 is not there, 1002 is talking."""

    def story(ami: Ami) -> None:
        other = call_id()
        ami.originate(other, number(Outcome.answer))
        parked(ami, other)
        ami.connect(other, "1002")
        bridged(ami, other, "1002")
        call = call_id()
        ami.originate(call, number(Outcome.answer, talk_s=5))
        parked(ami, call)
        ami.connect(call, agent)
        refused = told(ami, call, "CadenciaAgentRefused")
        assert (refused["Agent"], refused["Status"]) == (agent, "BUSY" if agent == "1002" else "NOT_LOGGED_IN")
        parked(ami, call, "cadencia-connect")
        ami.connect(call, "1001")
        bridged(ami, call, "1001")
        ended(ami, call)
        assert user_events(ami, call) == ["CadenciaAgentRefused"]
        ami.action("Hangup", Channel=other)
        ended(ami, other)
        ami.wait(lambda e: usable(e, "1002"), "agent free again")

    both(story)


def test_a_refused_caller_without_another_order_meets_the_message(both: Both) -> None:
    def story(ami: Ami) -> None:
        call = call_id()
        ami.originate(call, number(Outcome.answer), **QUICK)
        parked(ami, call)
        ami.connect(call, "1004")
        ended(ami, call)
        assert user_events(ami, call) == ["CadenciaAgentRefused", "CadenciaQueued", "CadenciaAbandoned"]

    both(story)


def test_keep_holds_the_caller_until_connect(both: Both) -> None:
    def story(ami: Ami) -> None:
        call = call_id()
        ami.originate(call, number(Outcome.answer, talk_s=8), GRACE_MS="2000", LIMIT_MS="500")
        parked(ami, call)
        assert (
            ami.action("Redirect", Channel=call, Context="cadencia-keep", Exten="3000", Priority="1")["Response"]
            == "Success"
        )
        parked(ami, call, "cadencia-keep")
        time.sleep(2.7)  # longer than grace and limit: only Keep holds this caller now
        ami.connect(call, "1001")
        bridged(ami, call, "1001")
        ended(ami, call)
        assert user_events(ami, call) == []

    both(story)


def test_a_late_refusal_does_not_stretch_the_limit(both: Both) -> None:
    def story(ami: Ami) -> None:
        call = call_id()
        ami.originate(call, number(Outcome.answer), ABANDON="hangup", GRACE_MS="3000", LIMIT_MS="100")
        answer = parked(ami, call)
        ami.action("Redirect", Channel=call, Context="cadencia-keep", Exten="9000", Priority="1")
        time.sleep(2.5)
        ami.connect(call, "1004")
        abandoned = told(ami, call, "CadenciaAbandoned")
        # 3.1 s is the limit; another whole grace would end after 5.5 s.
        assert float(abandoned["Timestamp"]) - float(answer["Timestamp"]) < 5

    both(story)


def test_keep_that_runs_out_abandons(both: Both) -> None:
    def story(ami: Ami) -> None:
        call = call_id()
        ami.originate(call, number(Outcome.answer), ABANDON="hangup", **QUICK)
        parked(ami, call)
        ami.action("Redirect", Channel=call, Context="cadencia-keep", Exten="200", Priority="1")
        assert told(ami, call, "CadenciaAbandoned")["How"] == "hangup"
        ended(ami, call)
        assert user_events(ami, call) == ["CadenciaAbandoned"]
        assert remembered(ami, call) == "hangup,"

    both(story)


def test_without_orders_the_queue_connects_a_free_agent(both: Both) -> None:
    def story(ami: Ami) -> None:
        call = call_id()
        with queued_member(ami, "1001"):
            ami.originate(call, number(Outcome.answer, talk_s=7), GRACE_MS="150", LIMIT_MS="2000")
            parked(ami, call)
            told(ami, call, "CadenciaQueued")
            connected = ami.wait(lambda e: e["Event"] == "AgentConnect" and e["Uniqueid"] == call, "AgentConnect")
            assert (connected["MemberName"], connected["Queue"]) == ("1001", "campaign")
            status = {e["Uniqueid"]: e for e in resync(ami)}[call]
            assert (status["CADENCIA_STATE"], status["CADENCIA_AGENT"]) == ("connected", "1001")
            end = ended(ami, call)
        # The limit was 2 s: it must not cut a talk.
        assert float(end["Timestamp"]) - float(connected["Timestamp"]) > 2.5
        assert user_events(ami, call) == ["CadenciaQueued"]
        assert remembered(ami, call) == "connected,1001"
        ami.wait(lambda e: usable(e, "1001"), "agent free again")

    both(story)


def test_a_connect_that_comes_late_takes_the_caller_out_of_the_queue(both: Both) -> None:
    def story(ami: Ami) -> None:
        call = call_id()
        ami.originate(call, number(Outcome.answer, talk_s=6), **QUEUED)
        parked(ami, call)
        told(ami, call, "CadenciaQueued")
        while {c["Uniqueid"]: c["Application"] for c in resync(ami)}[call] != "Queue":
            pass
        ami.connect(call, "1001")
        bridged(ami, call, "1001")
        ended(ami, call)
        assert user_events(ami, call) == ["CadenciaQueued"]
        ami.wait(lambda e: usable(e, "1001"), "agent free again")

    both(story)


@pytest.mark.parametrize("order", [("cadencia-connect", "1002"), ("cadencia-keep", "900")])
def test_an_order_that_comes_too_late_leaves_the_caller_with_the_agent_of_the_queue(
    both: Both, order: tuple[str, str]
) -> None:
    def story(ami: Ami) -> None:
        call = call_id()
        with queued_member(ami, "1001"):
            ami.originate(call, number(Outcome.answer, talk_s=6), **QUEUED)
            ami.wait(lambda e: e["Event"] == "AgentConnect" and e["Uniqueid"] == call, "AgentConnect")
            context, extension = order
            ami.action("Redirect", Channel=call, Context=context, Exten=extension, Priority="1")
            back = ami.wait(
                lambda e: e["Event"] == "BridgeEnter" and (e["Uniqueid"], e["Context"]) == (call, "cadencia-again"),
                "debtor on his way back",
            )
            ami.wait(
                lambda e: (
                    (e["Event"], e.get("BridgeUniqueid")) == ("BridgeEnter", back["BridgeUniqueid"])
                    and (e["Context"], e["Exten"]) == ("cadencia-login", "1001")
                ),
                "the agent he had",
            )
            end = ended(ami, call)
        # Kept on hold he would have been sent away before he wanted to leave.
        assert end["Context"] == "cadencia-again"
        assert user_events(ami, call) == ["CadenciaQueued"]
        assert remembered(ami, call) == "connected,1001"

    both(story)


def test_a_late_keep_lets_the_caller_wait_in_the_queue_or_hear_the_message_to_its_end(both: Both) -> None:
    def story(ami: Ami) -> None:
        call = call_id()
        ami.originate(call, number(Outcome.answer), ABANDON="message", GRACE_MS="150", LIMIT_MS="2000")
        told(ami, call, "CadenciaQueued")
        ami.action("Redirect", Channel=call, Context="cadencia-keep", Exten="60000", Priority="1")
        told(ami, call, "CadenciaAbandoned")
        ami.action("Redirect", Channel=call, Context="cadencia-keep", Exten="60000", Priority="1")
        ended(ami, call)
        assert user_events(ami, call)[-1:] == ["CadenciaAbandoned"]
        assert user_events(ami, call).count("CadenciaAbandoned") == 1
        assert remembered(ami, call) == "message,"

    both(story)


@pytest.mark.parametrize(("how", "language"), [("message", "es"), ("message", "en"), ("hangup", "es")])
def test_without_agents_the_limit_ends_the_wait(both: Both, how: str, language: str) -> None:
    def story(ami: Ami) -> None:
        call = call_id()
        ami.originate(call, number(Outcome.answer), ABANDON=how, LANGUAGE=language, GRACE_MS="200", LIMIT_MS="650")
        answer = parked(ami, call)
        abandoned = told(ami, call, "CadenciaAbandoned")
        assert abandoned["How"] == how
        waited_s = float(abandoned["Timestamp"]) - float(answer["Timestamp"])
        # GRACE_MS + LIMIT_MS, never less; more only by the machine's load.
        assert 0.84 < waited_s < 5
        end = ended(ami, call)
        assert (float(end["Timestamp"]) - float(abandoned["Timestamp"]) > 0.5) == (how == "message")
        assert user_events(ami, call) == ["CadenciaQueued", "CadenciaAbandoned"]
        assert remembered(ami, call) == f"{how},"
        if how == "message":
            assert f"<{end['Channel']}> Playing 'vm-goodbye" in ami.lab.log
            assert f"(language '{language}')" in ami.lab.log

    both(story)


def test_a_debtor_who_leaves_while_waiting_is_just_gone(both: Both) -> None:
    def story(ami: Ami) -> None:
        call = call_id()
        ami.originate(call, number(Outcome.leaves, talk_s=2), GRACE_MS="100", LIMIT_MS="9000")
        parked(ami, call)
        ended(ami, call)
        assert user_events(ami, call) == ["CadenciaQueued"]
        assert remembered(ami, call) == "queued,"

    both(story)


def test_detection_hangs_up_on_a_machine(both: Both) -> None:
    def story(ami: Ami) -> None:
        call = call_id()
        ami.originate(call, number(Outcome.machine), DETECT="1")
        told(ami, call, "CadenciaAnswered")
        assert told(ami, call, "CadenciaDetected")["Status"] == "MACHINE"
        assert ended(ami, call)["Cause"] == "16"
        assert user_events(ami, call) == ["CadenciaAnswered", "CadenciaDetected"]
        assert remembered(ami, call) == "machine,"

    both(story)


def test_detection_passes_a_person_on(both: Both) -> None:
    def story(ami: Ami) -> None:
        call = call_id()
        ami.originate(call, number(Outcome.human, talk_s=8), DETECT="1")
        assert told(ami, call, "CadenciaDetected")["Status"] == "HUMAN"
        parked(ami, call)
        ami.connect(call, "1001")
        bridged(ami, call, "1001")
        ended(ami, call)
        assert user_events(ami, call) == ["CadenciaAnswered", "CadenciaDetected"]

    both(story)


def test_a_debtor_who_leaves_during_detection_is_just_gone(both: Both) -> None:
    def story(ami: Ami) -> None:
        call = call_id()
        ami.originate(call, number(Outcome.leaves, talk_s=0.4), DETECT="1")
        ended(ami, call)
        assert user_events(ami, call) == ["CadenciaAnswered"]
        assert remembered(ami, call) == "detecting,"

    both(story)


def test_resync_tells_ringing_from_waiting(both: Both) -> None:
    def story(ami: Ami) -> None:
        rings, waits = call_id(), call_id()
        ami.originate(rings, number(Outcome.no_answer))
        ami.originate(waits, number(Outcome.answer), GRACE_MS="5000")
        parked(ami, waits)
        ami.wait(lambda e: e["Event"] == "DialState" and e["DestUniqueid"] == rings, "ringing")
        ours = {c["CALLID"]: c for c in resync(ami) if c["CALLID"] == c["Uniqueid"]}
        assert (ours[rings]["ChannelState"], ours[rings]["CADENCIA_STATE"]) == ("5", "(null)")
        assert (ours[waits]["ChannelState"], ours[waits]["CADENCIA_STATE"]) == ("6", "waiting")
        for call in (rings, waits):
            ami.action("Hangup", Channel=call)
            ended(ami, call)

    both(story)


@pytest.mark.parametrize(("agent", "reason"), [("1005", "3"), ("1006", "0")])
def test_a_phone_that_is_not_answered_says_so(both: Both, agent: str, reason: str) -> None:
    def story(ami: Ami) -> None:
        label = f"{agent}-{call_id()}"
        ami.action(
            "Originate", ActionID=label, ChannelId=label, Channel=f"PJSIP/agent{agent}", Context="cadencia-login",
            Exten=agent, Priority="1", Async="true", Timeout="500",
        )  # fmt: skip
        response = ami.wait(lambda e: e["Event"] == "OriginateResponse" and e["ActionID"] == label, "response")
        assert (response["Response"], response["Reason"]) == ("Failure", reason)

    both(story)


def test_a_phone_that_is_put_down_says_so(both: Both) -> None:
    def story(ami: Ami) -> None:
        ami.log_in("1007")
        ami.wait(lambda e: e["Event"] == "AgentLogoff" and e["Agent"] == "1007", "logoff")

    both(story)


def test_agents_may_dial_in(both: Both) -> None:
    def story(ami: Ami) -> None:
        ami.lab.dial_in("1008")
        ami.wait(lambda e: e["Event"] == "AgentLogin" and e["Agent"] == "1008", "login")
        ami.action("AgentLogoff", Agent="1008")
        ami.wait(lambda e: e["Event"] == "AgentLogoff" and e["Agent"] == "1008", "logoff")

    both(story)


def test_agents_say_by_their_phones_that_they_are_ready_and_that_they_pause(both: Both) -> None:
    def said(ami: Ami, do: str) -> Message:
        return ami.wait(
            lambda e: (e.get("UserEvent"), e.get("Agent"), e.get("Do")) == ("CadenciaDesk", "1008", do), f"1008 {do}"
        )

    def story(ami: Ami) -> None:
        # Not off-hook yet: the code begins the shift as well.
        ami.lab.dial_in("1008", "*8")
        said(ami, "ready")
        ami.wait(lambda e: e["Event"] == "AgentLogin" and e["Agent"] == "1008", "login")
        ami.events.clear()
        # From another line: the shift goes on.
        ami.lab.dial_in("1008", "*9")
        assert said(ami, "pause")["Reason"] == "break"
        ami.lab.dial_in("1008", "*8")
        said(ami, "ready")
        assert not [e for e in ami.events if e["Event"] in ("AgentLogin", "AgentLogoff")]
        ami.action("AgentLogoff", Agent="1008")
        ami.wait(lambda e: e["Event"] == "AgentLogoff" and e["Agent"] == "1008", "logoff")

    both(story)


@pytest.mark.parametrize("version", [22, 16])
def test_nothing_is_wrong_in_asterisks_log_or_modules(labs: dict[int, Lab], version: int) -> None:
    lab = labs[version]
    assert "Not Running" not in lab.cli("module show")
    complaints = [line for line in lab.log.splitlines() if " WARNING[" in line or " ERROR[" in line]
    assert [line for line in complaints if "endpoint 'nosuch' was not found" not in line] == []


def ask(lab: Lab, plan: AsteriskPlan, monkeypatch: pytest.MonkeyPatch) -> dict[str, list[str]]:
    """Return the findings of a check by level."""
    assert lab.state is not None
    monkeypatch.setenv("AMI_SECRET", lab.state.ami_secret)
    server = AmiServer(node="lab", host=lab.state.address, port=lab.state.ami_port, user=lab.state.ami_user)

    async def run() -> dict[str, list[str]]:
        connection = Connection(server, lambda _: None)
        await connection.open()
        try:
            findings = await check(connection, plan)
        finally:
            connection.drop("the check is over")
        return {level: [f.what for f in findings if f.level == level] for level in ("error", "warning", "ok")}

    return asyncio.run(run())


@pytest.mark.parametrize("version", [22, 16])
def test_check_finds_its_own_lab_in_order(labs: dict[int, Lab], version: int, monkeypatch: pytest.MonkeyPatch) -> None:
    lab = labs[version]
    assert lab.state is not None
    found = ask(lab, lab.plan(lab.state.address.rpartition(".")[0] + "."), monkeypatch)
    assert found["error"] == []
    assert len(found["ok"]) == 10


@pytest.mark.parametrize("version", [22, 16])
def test_check_names_what_is_missing(labs: dict[int, Lab], version: int, monkeypatch: pytest.MonkeyPatch) -> None:
    lab = labs[version]
    assert lab.state is not None
    plan = lab.plan(lab.state.address.rpartition(".")[0] + ".")
    other = type(plan)(
        campaigns=(QueuePlan(name="other", detect_machines=True, message="custom/x"),),
        trunks=(*plan.trunks, type(plan.trunks[0])(name="second")),
        agents=(*plan.agents, type(plan.agents[0])(agent="77")),
        version=38 - version,
        ami_user="somebody",
        login_code="*8",
    )
    errors = ask(lab, other, monkeypatch)["error"]
    for part in (
        "campaign other: machine detection plus 300 ms does not fit a patience of 2 s counted from the answer",
        f"the files are for {38 - version}",
        "dialplan differs in cadencia-message, cadencia-agents",
        "manager.conf [somebody]: missing eventfilter",
        "queues.conf [other]: missing membergosub",
        "queues: missing other",
        "agents: missing 77",
        "pjsip: missing second, agent77",
    ):
        assert any(part in error for error in errors), (part, errors)
