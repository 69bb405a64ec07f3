"""The adapter on a real Asterisk: each outcome as the engine hears it, agents, cuts, restarts; 22 and 16."""

import asyncio
import time
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import msgspec
import pytest

from dialer.asterisk.client import AmiServer
from dialer.asterisk.connection import Connection
from dialer.asterisk.lab import Lab
from dialer.asterisk.lab_numbers import Behaviour, Outcome, lab_number
from dialer.asterisk.orders import AsteriskNode
from dialer.asterisk.switch import AsteriskSwitch
from domain.calls import AnswerClass, Cause
from domain.errors import BadInput, SwitchLost
from domain.events import (
    Abandoned,
    Answered,
    AnyEvent,
    Connected,
    Detected,
    Ended,
    EndedCall,
    LinkDown,
    LinkUp,
    LiveCall,
    PhoneDown,
    PhoneUp,
    Refused,
    Resynced,
)
from domain.orders import Connect, DropAgent, HangUp, Keep, Originate, QueueAgent, RingAgent
from tests.integration.fault_proxy import FaultProxy
from tests.integration.waiting import eventually

pytestmark = pytest.mark.lab

E = TypeVar("E", bound=AnyEvent)

#: Agents of the lab: two who stay, one whose phone is busy, one who leaves 6.5 s after taking the call.
FIRST, SECOND, BUSY, LEAVING = "1001", "1002", "1003", "1004"

#: Call ids are never used twice on one Asterisk.
_serial = iter(range(1, 1_000_000))


@pytest.fixture(scope="module", params=[22, 16], ids=["asterisk22", "asterisk16"])
def lab(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    folder = tmp_path_factory.mktemp(f"lab{request.param}")
    with Lab(folder, agents=4, version=request.param, phones={BUSY: "busy", LEAVING: "leaves-065"}) as lab:
        assert lab.state is not None
        with pytest.MonkeyPatch.context() as environment:
            environment.setenv("AMI_SECRET", lab.state.ami_secret)
            run(_log_in(lab))  # takes five seconds: once for all tests
            yield lab


class Bench:
    """A switch between a test and a lab."""

    def __init__(self, switch: AsteriskSwitch) -> None:
        self.switch = switch
        self.events: list[AnyEvent] = []

    def deliver(self, event: AnyEvent) -> None:
        self.events.append(event)

    def of(self, kind: type[E], call_id: str | None = None) -> list[E]:
        return [
            event
            for event in self.events
            if isinstance(event, kind) and (call_id is None or getattr(event, "call_id", None) == call_id)
        ]

    async def heard(self, kind: type[E], call_id: str | None = None, times: int = 1) -> E:
        await eventually(lambda: len(self.of(kind, call_id)) >= times, 20.0)
        return self.of(kind, call_id)[times - 1]

    def story(self, call_id: str) -> list[str]:
        return [type(event).__name__ for event in self.events if getattr(event, "call_id", None) == call_id]

    def originate(self, outcome: Outcome, *, ring_s: float = 0.1, talk_s: float = 0.0, **changes: Any) -> str:
        call_id = f"floor-{next(_serial)}"
        order: dict[str, Any] = {
            "call_id": call_id, "campaign": "campaign", "phone": 1, "node": "main", "trunk": "trunk",
            "caller_id": "+34910000001", "ring_timeout_ms": 1500, "valid_until_us": 0, "detect": False,
            "record": False, "grace_ms": 300, "limit_ms": 700, "abandon": "message", "language": "en",
        }  # fmt: skip
        number = changes.pop("number", lab_number("ES", Behaviour(outcome=outcome, ring_s=ring_s, talk_s=talk_s)))
        self.switch.send(Originate(**{**order, **changes}), number)
        return call_id

    async def answered(self, **changes: Any) -> str:
        call_id = self.originate(Outcome.answer, **changes)
        await self.heard(Answered, call_id)
        return call_id

    async def kept(self, **changes: Any) -> str:
        """Answered, and waiting for long."""
        call_id = await self.answered(**changes)
        self.keep(call_id)
        return call_id

    def keep(self, call_id: str, for_ms: int = 20_000) -> None:
        self.switch.send(Keep(call_id=call_id, node="main", for_ms=for_ms))

    def connect(self, call_id: str, agent: str = FIRST) -> None:
        self.switch.send(Connect(call_id=call_id, agent=agent, node="main"))

    async def hang_up(self, call_id: str) -> Ended:
        self.switch.send(HangUp(call_id=call_id, node="main", why="test"))
        return await self.heard(Ended, call_id)


def node(lab: Lab, port: int | None = None, name: str = "main", **changes: Any) -> AsteriskNode:
    state = lab.state
    assert state is not None
    host = "127.0.0.1" if port else state.address
    fields = {"node": name, "host": host, "port": port or state.ami_port, "user": state.ami_user, **changes}
    return AsteriskNode(server=AmiServer(**fields))


@asynccontextmanager
async def bench(*nodes: AsteriskNode, **options: Any) -> AsyncIterator[Bench]:
    switch = AsteriskSwitch(nodes, "floor", delays=lambda attempt: 0.1, **options)
    it = Bench(switch)
    await switch.start(it.deliver, lambda: time.time_ns() // 1000)
    try:
        yield it
    finally:
        await switch.stop()


async def _log_in(lab: Lab) -> None:
    async with bench(node(lab)) as it:
        it.switch.send(RingAgent(agent=FIRST, node="main"))
        it.switch.send(RingAgent(agent=SECOND, node="main"))
        await it.heard(PhoneUp, times=2)


def run(test: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(test, 60))


def test_every_outcome(lab: Lab) -> None:
    expected = {
        Outcome.busy: (["Ringing", "Ended"], Cause.busy, 17, 486),
        Outcome.no_answer: (["Ringing", "Ended"], Cause.no_answer, 19, 480),
        Outcome.not_in_service: (["Ended"], Cause.not_in_service, 1, 404),
        Outcome.congestion: (["Ended"], Cause.congestion, 34, 503),
        Outcome.unreachable: (["Ringing", "Ended"], Cause.no_answer, 19, 480),
        Outcome.rejected: (["Ended"], Cause.rejected, 21, 603),
        Outcome.leaves: (["Ringing", "Answered", "Ended"], Cause.normal, None, None),
    }

    async def test() -> None:
        async with bench(node(lab)) as it:
            calls = {outcome: it.originate(outcome, talk_s=0.1) for outcome in expected}
            for outcome, (story, cause, q850, sip) in expected.items():
                ended = await it.heard(Ended, calls[outcome])
                assert (outcome, it.story(calls[outcome])) == (outcome, story)
                assert (outcome, ended.cause) == (outcome, cause)
                if cause is not Cause.normal:
                    # 16 has no SIP status, and ends a call that rang out without a cause.
                    rang_out = lab.version == 16 and outcome is Outcome.no_answer
                    assert ended.q850 == (0 if rang_out else q850)
                    assert ended.sip == (None if lab.version == 16 else sip)

    run(test())


@pytest.mark.parametrize(
    "changes",
    [{"trunk": "nosuch"}, {"number": "+34 600"}, {"number": "600,1\r\nAction: Hangup"}],
    ids=["no endpoint", "blank", "injection"],
)
def test_what_never_was_a_channel_ends_in_the_switch(lab: Lab, changes: dict[str, Any]) -> None:
    async def test() -> None:
        async with bench(node(lab)) as it:
            call_id = it.originate(Outcome.answer, **changes)
            ended = await it.heard(Ended, call_id)
            assert (ended.cause, ended.q850, it.story(call_id)) == (Cause.switch_fail, None, ["Ended"])

    run(test())


def test_hanging_up_while_it_rings(lab: Lab) -> None:
    async def test() -> None:
        async with bench(node(lab)) as it:
            call_id = it.originate(Outcome.no_answer, ring_timeout_ms=20_000)
            await eventually(lambda: it.story(call_id) == ["Ringing"])
            ended = await it.hang_up(call_id)
            assert (ended.cause, ended.q850) == (Cause.normal, 16)

    run(test())


def test_detection(lab: Lab) -> None:
    async def test() -> None:
        async with bench(node(lab)) as it:
            calls = {outcome: it.originate(outcome, detect=True) for outcome in (Outcome.human, Outcome.machine)}
            await it.heard(Ended, calls[Outcome.machine])
            assert it.of(Detected, calls[Outcome.machine])[0].result == "machine"
            assert it.story(calls[Outcome.machine]) == ["Ringing", "Answered", "Detected", "Ended"]
            assert (await it.heard(Detected, calls[Outcome.human])).result == "human"
            await it.hang_up(calls[Outcome.human])

    run(test())


def test_connect_keep_and_a_busy_agent(lab: Lab) -> None:
    async def test() -> None:
        async with bench(node(lab)) as it:
            first, second = await it.kept(), await it.kept()
            it.connect(first)
            assert (await it.heard(Connected, first)).agent == FIRST
            it.keep(second)
            it.connect(second)
            refused = await it.heard(Refused, second)
            assert (refused.agent, refused.why) == (FIRST, "busy")
            it.keep(second)
            await it.hang_up(first)
            it.connect(second)
            await it.heard(Connected, second)
            await it.hang_up(second)
            third = await it.answered()
            it.connect(third, "1999")
            assert (await it.heard(Refused, third)).why == "gone"
            await it.hang_up(third)
            assert it.story(first) == ["Ringing", "Answered", "Connected", "Ended"]
            assert it.story(second) == ["Ringing", "Answered", "Refused", "Connected", "Ended"]
            assert it.of(PhoneDown) == []

    run(test())


def test_a_silent_engine_leaves_the_caller_to_the_queue(lab: Lab) -> None:
    async def test() -> None:
        async with bench(node(lab)) as it:
            it.switch.send(QueueAgent(agent=FIRST, node="main", campaigns=("campaign",), paused=False))
            served = await it.answered(limit_ms=3000)
            assert (await it.heard(Connected, served)).agent == FIRST
            left, hung = await it.answered(), await it.answered(abandon="hangup")
            assert (await it.heard(Abandoned, left)).how == "message"
            assert (await it.heard(Abandoned, hung)).how == "hangup"
            await it.heard(Ended, left)
            await it.heard(Ended, hung)
            await it.hang_up(served)
            assert it.story(served) == ["Ringing", "Answered", "Queued", "Connected", "Ended"]
            assert it.story(left) == ["Ringing", "Answered", "Queued", "Abandoned", "Ended"]
            # Paused, and then a member of no queue: nobody takes the next ones.
            for campaigns, paused in ((("campaign",), True), ((), False)):
                it.switch.send(QueueAgent(agent=FIRST, node="main", campaigns=campaigns, paused=paused))
                alone = await it.answered(abandon="hangup", limit_ms=300)
                await it.heard(Abandoned, alone)
                await it.heard(Ended, alone)

    run(test())


def test_agents_come_and_go(lab: Lab) -> None:
    async def test() -> None:
        async with bench(node(lab)) as it:
            assert set(it.of(Resynced)[0].agents) == {FIRST, SECOND}
            it.switch.send(RingAgent(agent=LEAVING, node="main"))
            it.switch.send(RingAgent(agent=BUSY, node="main"))
            assert (await it.heard(PhoneDown)).agent == BUSY
            # Called again too soon, and dropped before the call: the phone stays quiet.
            it.switch.send(RingAgent(agent=BUSY, node="main"))
            it.switch.send(DropAgent(agent=BUSY, node="main"))
            it.switch.send(RingAgent(agent="no-digits", node="main"))
            it.switch.send(DropAgent(agent=SECOND, node="main"))
            assert (await it.heard(PhoneDown, times=2)).agent == SECOND
            assert (await it.heard(PhoneUp)).agent == LEAVING
            # He hangs up while he talks.
            call_id = await it.answered()
            it.connect(call_id, LEAVING)
            await it.heard(Connected, call_id)
            assert (await it.heard(PhoneDown, times=3)).agent == LEAVING
            await it.heard(Ended, call_id)
            assert len(it.of(PhoneUp)) == 1

    run(test())


def test_a_cut_link_resyncs_what_lives_and_what_ended(lab: Lab) -> None:
    async def test() -> None:
        assert lab.state is not None
        async with FaultProxy(lab.state.ami_port, lab.state.address) as proxy, bench(node(lab, proxy.port)) as it:
            assert [type(event) for event in it.events[:2]] == [LinkUp, Resynced]
            talking, waiting, served = await it.kept(), await it.kept(), await it.kept(talk_s=2.5)
            it.connect(talking)
            await it.heard(Connected, talking)
            ringing = it.originate(Outcome.no_answer, ring_timeout_ms=30_000)
            busy = it.originate(Outcome.busy, ring_s=2.0)
            await eventually(lambda: it.story(ringing) == ["Ringing"] and it.story(busy) == ["Ringing"])
            message = await it.answered(limit_ms=1000)
            await proxy.refuse()
            proxy.cut()
            await it.heard(LinkDown)
            with pytest.raises(SwitchLost):
                it.keep(waiting)
            await asyncio.to_thread(
                wait_until, lambda: f"{served} " not in channels(lab) and f"{busy} " not in channels(lab)
            )
            await proxy.listen()
            resynced = await it.heard(Resynced, times=2)
            assert FIRST in resynced.agents
            live = {call.call_id: call for call in resynced.calls}
            assert live.pop(message, None) in (None, LiveCall(call_id=message, state="queued"))
            assert live == {
                talking: LiveCall(call_id=talking, state="talking", agent=FIRST),
                waiting: LiveCall(call_id=waiting, state="up"),
                ringing: LiveCall(call_id=ringing, state="ringing"),
            }
            ended = {call.call_id: call for call in resynced.ended}
            assert ended[served] == EndedCall(call_id=served, answer_class=AnswerClass.abandoned)
            assert busy not in ended  # never answered: the engine calls it unknown
            # The link is whole again: orders reach the calls that lived through it.
            await it.hang_up(talking)
            it.connect(waiting)
            assert (await it.heard(Connected, waiting)).agent == FIRST
            await it.hang_up(waiting)
            await it.hang_up(ringing)

    run(test())


def channels(lab: Lab) -> str:
    """Return the ids of the channels that live, each followed by a blank."""
    return "".join(line.rpartition("!")[2] + " " for line in lab.cli("core show channels concise").splitlines())


def wait_until(condition: Any) -> None:
    while not condition():
        time.sleep(0.05)


def test_a_new_process_adopts_calls_and_hears_their_ends(lab: Lab) -> None:
    async def test() -> None:
        async with bench(node(lab)) as it:
            up, waiting, met = await it.kept(), await it.kept(), await it.kept(talk_s=2.0)
            it.connect(met, FIRST)
            await it.heard(Connected, met)
        await asyncio.to_thread(wait_until, lambda: f"{met} " not in channels(lab))
        held = {up, waiting, met}
        async with bench(node(lab), open_calls=lambda name: held) as it:
            resynced = it.of(Resynced)[0]
            assert {call.call_id: call.state for call in resynced.calls} == {up: "up", waiting: "up"}
            assert resynced.ended == (EndedCall(call_id=met, answer_class=AnswerClass.connected, agent=FIRST),)
            it.connect(up)
            await it.heard(Connected, up)
            await it.hang_up(up)
            await it.hang_up(waiting)

    run(test())


def test_few_messages_per_call(lab: Lab) -> None:
    """The filters let through what is needed and little more."""

    async def test() -> None:
        messages: list[str] = []
        # A second session of the same user hears what the first hears.
        listener = Connection(node(lab).server, lambda message: messages.append(message.name))
        await listener.open()
        async with bench(node(lab)) as it:
            messages.clear()
            met = await it.answered()
            it.connect(met)
            await it.heard(Connected, met)
            await it.hang_up(met)
            await eventually(lambda: messages.count("DeviceStateChange") == 2)
            assert len(messages) == 7, messages
            messages.clear()
            busy = it.originate(Outcome.busy)
            await it.heard(Ended, busy)
            await eventually(lambda: len(messages) == 3)
            assert sorted(messages) == ["DialState", "Hangup", "OriginateResponse"]
        listener.drop("test over")

    run(test())


def test_a_restart_of_asterisk(lab: Lab) -> None:
    async def test() -> None:
        async with bench(node(lab)) as it:
            waiting, ringing = await it.kept(), it.originate(Outcome.no_answer, ring_timeout_ms=30_000)
            await eventually(lambda: it.story(ringing) == ["Ringing"])
            if lab.version == 22:
                await asyncio.to_thread(lab.restart)
            else:
                await asyncio.to_thread(lab.cli, "core stop now")  # its loader cannot restart itself; the lab does
            await it.heard(LinkDown)
            resynced = await it.heard(Resynced, times=2)
            assert (resynced.calls, resynced.agents) == ((), ())
            # Asterisk hangs up first and says Shutdown a second later: a caller who waited seems to have left.
            assert it.of(Ended, ringing)[0].cause is Cause.switch_fail
            assert it.of(Ended, waiting)[0].cause is Cause.normal
            await it.hang_up(await it.answered())

    run(test())


def test_a_wrong_password_stops_at_once(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AMI_SECRET", "not-it-at-all")

    async def test() -> None:
        with pytest.raises(BadInput, match=r"AMI user 'cadencia' was refused \(Authentication failed.*AMI_SECRET"):
            async with bench(node(lab)):
                pass

    run(test())


def test_one_node_away_does_not_stop_the_other(lab: Lab) -> None:
    async def test() -> None:
        async with bench(node(lab, name="main"), node(lab, port=1, name="other")) as it:
            assert {event.node for event in it.of(LinkDown)} == {"other"}
            await it.heard(Resynced)
            with pytest.raises(SwitchLost, match="other"):
                it.originate(Outcome.answer, node="other")
            await it.hang_up(await it.answered())

    run(test())


def test_records_are_plain() -> None:
    """Every event can be journalled."""
    event = Resynced(at_us=1, node="main", calls=(LiveCall(call_id="floor-1", state="up"),))
    assert msgspec.json.decode(msgspec.json.encode(event), type=AnyEvent) == event
