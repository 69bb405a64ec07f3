"""Resync against a scripted manager: what is heard while asking wins over what was seen; refusals are told.

Over 500 lines: one scripted manager with its lists and its memory serves every story of a link that comes up.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import pytest

from dialer.asterisk.client import AmiServer
from dialer.asterisk.orders import AsteriskNode
from dialer.asterisk.switch import AsteriskSwitch
from domain.calls import AnswerClass, Cause
from domain.errors import BadInput, SwitchLost
from domain.events import (
    Abandoned,
    Answered,
    AnyEvent,
    Connected,
    Ended,
    EndedCall,
    LinkDown,
    LinkUp,
    LiveCall,
    PhoneUp,
    Resynced,
)
from domain.orders import Connect, HangUp, Keep, Originate
from tests.integration.fake_ami import FakeAmi, Session, event
from tests.integration.waiting import eventually

Items = list[tuple[str, list[tuple[str, object]]]]


@pytest.fixture(autouse=True)
def _secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AMI_SECRET", "right")


def run(test: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(test, 30))


def channel(call_id: str, state: int, *variables: str, bridge: str = "") -> tuple[str, list[tuple[str, object]]]:
    values: list[tuple[str, object]] = [("Variable", variable) for variable in variables]
    return "Status", [("Uniqueid", call_id), ("ChannelState", state), ("BridgeID", bridge), *values]


class Server(FakeAmi):
    """A manager with channels, agents, queue members and memory."""

    def __init__(self) -> None:
        super().__init__()
        self.channels: Items = []
        self.agents: Items = []
        self.members: Items = []
        #: Ended calls by key.
        self.memory: dict[str, str] = {}
        #: Called before a list is completed.
        self.meanwhile: Callable[[Session], None] = lambda session: None
        self.handlers |= {
            "Status": lambda session, action: self.list_items(session, action, self.channels),
            "Agents": lambda session, action: self.list_items(session, action, self.agents),
            "QueueStatus": lambda session, action: self.list_items(session, action, self.members),
            "DBGetTree": self.recall,
        }

    def list_items(self, session: Session, action: dict[str, str], items: Items) -> None:
        mine = ("ActionID", action["ActionID"])
        session.answer(action, "Success", ("EventList", "start"))
        for name, headers in items:
            session.send(event(name, mine, *headers))
        self.meanwhile(session)
        session.send(event(f"{action['Action']}Complete", mine, ("EventList", "Complete")))

    def recall(self, session: Session, action: dict[str, str]) -> None:
        family = f"/{action['Family']}/"
        items: Items = [
            ("DBGetTreeResponse", [("Key", key), ("Val", value)])
            for key, value in self.memory.items()
            if key.startswith(family)
        ]
        if items:
            self.list_items(session, action, items)
        else:
            session.answer(action, "Error", ("Message", "Database entry not found"))


@asynccontextmanager
async def started(server: Server, **options: Any) -> AsyncIterator[tuple[AsteriskSwitch, list[AnyEvent]]]:
    node = AsteriskNode(server=AmiServer(node="main", host="127.0.0.1", port=server.port, user="dialer"))
    switch = AsteriskSwitch([node], "floor", delays=lambda attempt: 0.02, **options)
    events: list[AnyEvent] = []
    await switch.start(events.append, lambda: len(events))
    try:
        yield switch, events
    finally:
        await switch.stop()


def last(events: list[AnyEvent]) -> Resynced:
    return [event for event in events if isinstance(event, Resynced)][-1]


def test_every_state_of_a_channel() -> None:
    async def test() -> None:
        async with Server() as server:
            server.channels = [
                channel("floor-1", 0),
                channel("floor-2", 5, "CADENCIA_STATE=(null)", "CADENCIA_AGENT=(null)"),
                channel("floor-3", 6, "CADENCIA_STATE=waiting", "CADENCIA_AGENT="),
                channel("floor-4", 6, "CADENCIA_STATE=detecting", "CADENCIA_AGENT="),
                channel("floor-5", 6, "CADENCIA_STATE=connected", "CADENCIA_AGENT=1001", bridge="b1"),
                channel("floor-6", 6, "CADENCIA_STATE=connected", "CADENCIA_AGENT=1001"),
                channel("floor-7", 6, "CADENCIA_STATE=queued", "CADENCIA_AGENT="),
                channel("floor-8", 6, "CADENCIA_STATE=message", "CADENCIA_AGENT="),
                channel("lab-17.3", 6, bridge="b1"),
                channel("other-5", 6, "CADENCIA_STATE=waiting"),
            ]
            async with started(server) as (_, events):
                states = {call.call_id: (call.state, call.agent) for call in last(events).calls}
                assert states == {
                    "floor-1": ("down", None),
                    "floor-2": ("ringing", None),
                    "floor-3": ("up", None),
                    "floor-4": ("up", None),
                    "floor-5": ("talking", "1001"),
                    "floor-6": ("up", None),
                    "floor-7": ("queued", None),
                    "floor-8": ("queued", None),
                }
                # Detection is news of an answer; an abandoned caller is told as such.
                assert [type(event) for event in events] == [LinkUp, Answered, Resynced, Abandoned]
                assert [event.call_id for event in events if isinstance(event, Answered | Abandoned)] == [
                    "floor-4",
                    "floor-8",
                ]

    run(test())


def test_what_is_heard_while_asking_wins() -> None:
    async def test() -> None:
        async with Server() as server:
            server.channels = [channel(f"floor-{number}", 6, "CADENCIA_STATE=waiting") for number in (1, 2, 3)]

            def meanwhile(session: Session) -> None:
                server.meanwhile = lambda session: None
                session.send(event("Hangup", ("Uniqueid", "floor-1"), ("ChannelState", 6), ("Cause", 16)))
                session.send(event("AgentConnect", ("Uniqueid", "floor-2"), ("MemberName", "1001")))
                session.send(event("AgentLogoff", ("Agent", "1002")))

            server.meanwhile = meanwhile
            server.agents = [("Agents", [("Agent", "1002"), ("Status", "AGENT_IDLE"), ("LoggedInTime", 1)])]
            async with started(server) as (_, events):
                resynced = last(events)
                assert {call.call_id: call for call in resynced.calls} == {
                    "floor-1": LiveCall(call_id="floor-1", state="up"),
                    "floor-2": LiveCall(call_id="floor-2", state="talking", agent="1001"),
                    "floor-3": LiveCall(call_id="floor-3", state="up"),
                }
                assert resynced.agents == ()
                at = events.index(resynced)
                assert [type(event) for event in events[:at]] == [LinkUp, Answered, Connected]
                # Only his end was heard: what he did before it, the lists told.
                assert [type(event) for event in events[at + 1 :]] == [Ended]

    run(test())


def test_who_hung_up_while_asking_is_remembered_with_his_agent() -> None:
    async def test() -> None:
        async with Server() as server:

            def recall(session: Session, action: dict[str, str]) -> None:
                if not server.memory:
                    ends = {"floor-1": "1006", "floor-3": "1003"}
                    server.memory = {f"/{action['Family']}/{k}": f"connected,{agent},16,1" for k, agent in ends.items()}
                server.recall(session, action)

            def meanwhile(session: Session) -> None:
                server.meanwhile = lambda session: None
                for number in (1, 2, 3):
                    gone = ("Uniqueid", f"floor-{number}"), ("ChannelState", 6), ("Cause", 16)
                    session.send(event("Hangup", *gone))

            server.handlers["DBGetTree"] = recall
            server.meanwhile = meanwhile
            # Two talk when the lists are made, and are gone before the memory is read out, which tells of one of them.
            server.channels = [
                channel("floor-2", 6, "CADENCIA_STATE=connected", "CADENCIA_AGENT=1002", bridge="b1"),
                channel("floor-3", 6, "CADENCIA_STATE=connected", "CADENCIA_AGENT=1003", bridge="b2"),
            ]
            async with started(server, open_calls=lambda node: {"floor-1", "floor-2", "floor-3"}) as (_, events):
                resynced = last(events)
                assert resynced.ended == (
                    EndedCall(call_id="floor-1", answer_class=AnswerClass.connected, agent="1006"),
                    EndedCall(call_id="floor-3", answer_class=AnswerClass.connected, agent="1003"),
                )
                assert resynced.calls == (LiveCall(call_id="floor-2", state="talking", agent="1002"),)
                told = [event for event in events if isinstance(event, Answered | Ended)]
                assert [(type(event), event.call_id) for event in told] == [(Ended, "floor-2")]

    run(test())


def test_events_may_come_a_little_after_the_lists() -> None:
    async def test() -> None:
        async with Server() as server:
            server.channels = [channel("floor-1", 6, "CADENCIA_STATE=waiting")]
            recalled: list[str] = []

            def recall(session: Session, action: dict[str, str]) -> None:
                server.recall(session, action)
                recalled.append(action["Family"])
                if len(recalled) == 3:  # the last thing asked
                    late = event("Hangup", ("Uniqueid", "floor-1"), ("ChannelState", 6), ("Cause", 16))
                    asyncio.get_running_loop().call_later(0.03, session.send, late)

            server.handlers["DBGetTree"] = recall
            async with started(server, memory_h=0.0) as (_, events):
                assert len(recalled) == 3
                assert [type(event) for event in events] == [LinkUp, Resynced, Ended]
                assert last(events).calls == (LiveCall(call_id="floor-1", state="up"),)

    run(test())


def test_agents_are_usable_after_a_while() -> None:
    async def test() -> None:
        async with Server() as server:
            server.agents = [
                ("Agents", [("Agent", "1001"), ("Status", "AGENT_IDLE"), ("LoggedInTime", 1)]),
                ("Agents", [("Agent", "1002"), ("Status", "AGENT_ONCALL"), ("LoggedInTime", 9_999_999_999)]),
                ("Agents", [("Agent", "1003"), ("Status", "AGENT_LOGGEDOFF")]),
                ("Agents", [("Agent", "1004"), ("Status", "AGENT_IDLE"), ("LoggedInTime", 9_999_999_999)]),
            ]
            async with started(server) as (_, events):
                assert last(events).agents == ("1001", "1002")
                server.sessions[0].send(event("DeviceStateChange", ("Device", "Agent:1004"), ("State", "NOT_INUSE")))
                await eventually(lambda: any(isinstance(event, PhoneUp) for event in events))
                assert [event.agent for event in events if isinstance(event, PhoneUp)] == ["1004"]

    run(test())


def test_ends_are_remembered_for_calls_that_the_engine_holds() -> None:
    async def test() -> None:
        async with Server() as server:
            asked: list[str] = []
            endings = [
                ("floor-1", "connected,1001,16,1", AnswerClass.connected, "1001"),
                ("floor-2", "message,,16,1", AnswerClass.abandoned, None),
                ("floor-3", "hangup,,16,1", AnswerClass.abandoned, None),
                ("floor-4", "machine,,16,1", AnswerClass.machine, None),
                ("floor-5", "detecting,,0,1", AnswerClass.cut, None),
                ("floor-6", "waiting,,0,1", AnswerClass.abandoned, None),
                ("floor-7", "queued,,0,1", AnswerClass.abandoned, None),
                ("floor-8", "queued,,0,1", AnswerClass.abandoned, None),
                ("other-9", "queued,,0,1", AnswerClass.abandoned, None),
            ]

            def recall(session: Session, action: dict[str, str]) -> None:
                asked.append(action["Family"])
                if len(asked) == 1:
                    family = action["Family"]
                    server.memory = {f"/{family}/{call_id}": value for call_id, value, _, _ in endings}
                server.recall(session, action)

            server.handlers["DBGetTree"] = recall
            server.channels = [channel("floor-7", 6, "CADENCIA_STATE=queued")]
            held = {f"floor-{number}" for number in range(1, 8)}
            async with started(server, open_calls=lambda node: held, memory_h=3.0) as (_, events):
                assert last(events).ended == tuple(
                    EndedCall(call_id=call_id, answer_class=answer_class, agent=agent)
                    for call_id, _, answer_class, agent in endings
                    if call_id in held - {"floor-7"}
                )
                assert len(asked) == 6  # three hours, this one, and one more at both ends
                assert len(set(asked)) == 6

    run(test())


def test_a_memory_of_another_version_is_refused() -> None:
    async def test() -> None:
        async with Server() as server:
            server.handlers["DBGetTree"] = lambda session, action: server.list_items(
                session,
                action,
                [("DBGetTreeResponse", [("Key", f"/{action['Family']}/floor-1"), ("Val", "sung,,1,1")])],
            )
            with pytest.raises(BadInput, match=r"floor-1 holds 'sung,,1,1'; render the dialplan"):
                async with started(server):
                    pass

    run(test())


def test_a_user_who_may_not_ask_is_told_which_class() -> None:
    async def test() -> None:
        async with Server() as server:
            server.handlers["Status"] = lambda session, action: session.answer(
                action, "Error", ("Message", "Permission denied")
            )
            with pytest.raises(BadInput, match="action Status of AMI user 'dialer' was refused: Permission denied"):
                async with started(server):
                    pass

    run(test())


def originate(number: int, grace_ms: int = 300) -> Originate:
    return Originate(
        call_id=f"floor-{number}", campaign="campaign", phone=1, node="main", trunk="trunk", caller_id="",
        ring_timeout_ms=1000, valid_until_us=0, detect=False, record=False, grace_ms=grace_ms, limit_ms=1700,
        abandon="hangup", language="es",
    )  # fmt: skip


def test_a_refused_originate_ends_and_a_lost_one_is_never_sent_again() -> None:
    async def test() -> None:
        async with Server() as server, started(server) as (switch, events):
            server.handlers["Originate"] = lambda session, action: session.answer(
                action, "Error", ("Message", "Extension does not exist.")
            )
            switch.send(originate(1), "600123456")
            await eventually(lambda: isinstance(events[-1], Ended))
            assert events[-1] == Ended(at_us=2, call_id="floor-1", cause=Cause.switch_fail)
            server.handlers["Originate"] = lambda session, action: session.writer.transport.abort()
            switch.send(originate(2), "600123456")
            await eventually(lambda: sum(isinstance(event, Resynced) for event in events) == 2)
            assert [type(event) for event in events[3:]] == [LinkDown, LinkUp, Resynced]
            assert last(events).calls == ()
            assert [action["ChannelId"] for action in server.named("Originate")] == ["floor-1", "floor-2"]

    run(test())


def test_orders_over_a_link_that_is_down_are_refused() -> None:
    async def test() -> None:
        async with Server() as server, started(server) as (switch, events):
            await server.stop()
            await eventually(lambda: isinstance(events[-1], LinkDown))
            with pytest.raises(SwitchLost, match="main: the link is down; Originate was not sent"):
                switch.send(originate(1), "600123456")

    run(test())


def enters(context: str = "cadencia-keep", extension: int = 60_000, kind: str = "base") -> bytes:
    return event(
        "BridgeEnter", ("Uniqueid", "floor-1"), ("ChannelState", 6), ("BridgeType", kind), ("BridgeUniqueid", "b1"),
        ("Context", context), ("Exten", extension),
    )  # fmt: skip


class Waiting:
    """A switch and the caller who waits on its only node."""

    def __init__(self, server: Server, switch: AsteriskSwitch, events: list[AnyEvent]) -> None:
        self.server = server
        self.switch = switch
        self.events = events
        self._phones = iter(range(1001, 9999))

    def keep(self, *orders_ms: int) -> None:
        for for_ms in orders_ms:
            self.switch.send(Keep(call_id="floor-1", node="main", for_ms=for_ms))

    async def hear(self, *news: bytes) -> None:
        """Let the switch hear news, and return when it has."""
        agent = str(next(self._phones))
        usable = event("DeviceStateChange", ("Device", f"Agent:{agent}"), ("State", "NOT_INUSE"))
        self.server.sessions[-1].send(b"".join(news) + event("AgentLogin", ("Agent", agent)) + usable)
        await eventually(lambda: any(isinstance(event, PhoneUp) and event.agent == agent for event in self.events))

    async def sent(self) -> list[str]:
        """Return the orders that left, of all given until now."""
        before = len(self.server.named("Hangup"))
        self.switch.send(HangUp(call_id="floor-99", node="main", why="test"))
        await eventually(lambda: len(self.server.named("Hangup")) > before)
        return [action["Exten"] for action in self.server.named("Redirect")]


@asynccontextmanager
async def one_waiting(bridge: str = "b0") -> AsyncIterator[Waiting]:
    async with Server() as server:
        server.channels = [channel("floor-1", 6, "CADENCIA_STATE=waiting", bridge=bridge)]
        for name in ("Redirect", "Hangup"):
            server.handlers[name] = lambda session, action: session.answer(action)
        async with started(server) as (switch, events):
            yield Waiting(server, switch, events)


def test_an_order_waits_until_the_one_before_is_obeyed_and_the_last_wins() -> None:
    async def test() -> None:
        async with one_waiting() as it:
            it.keep(1000, 2000, 3000)
            assert await it.sent() == ["1000"]
            await it.hear(enters())
            assert await it.sent() == ["1000", "3000"]
            # He is on his way there: what was given between is void.
            it.keep(2000, 3000)
            await it.hear(enters(), enters())
            assert await it.sent() == ["1000", "3000"]
            it.keep(3000)
            assert await it.sent() == ["1000", "3000", "3000"]
            # A hang-up takes back what waits.
            it.keep(4000)
            it.switch.send(HangUp(call_id="floor-1", node="main", why="test"))
            await it.hear(enters())
            assert await it.sent() == ["1000", "3000", "3000"]

    run(test())


def test_no_order_before_the_caller_sits() -> None:
    async def test() -> None:
        async with one_waiting(bridge="") as it:
            it.keep(1000)
            assert await it.sent() == []
            await it.hear(enters("cadencia-answered"))
            assert await it.sent() == ["1000"]

    run(test())


@pytest.mark.parametrize(
    "news",
    [
        event("UserEvent", ("UserEvent", "CadenciaQueued"), ("CallID", "floor-1")),
        event("AgentConnect", ("Uniqueid", "floor-1"), ("MemberName", "1001")),
        event("Hangup", ("Uniqueid", "floor-1"), ("ChannelState", 6), ("Cause", 16)),
    ],
    ids=["queued", "talking", "ended"],
)
def test_what_the_switch_says_last_holds(news: bytes) -> None:
    async def test() -> None:
        async with one_waiting() as it:
            it.keep(1000, 2000)
            await it.hear(news, enters("cadencia-queue", kind="basic"))
            it.keep(3000)
            assert await it.sent() == ["1000"]

    run(test())


def test_a_refused_order_makes_room_for_the_next_and_is_not_repeated() -> None:
    async def test() -> None:
        async with one_waiting() as it:
            it.server.handlers["Redirect"] = lambda session, action: session.answer(
                action, "Error", ("Message", "Redirect failed, channel not up.")
            )
            it.keep(1000, 2000)
            await eventually(lambda: len(it.server.named("Redirect")) == 2)
            await it.hear()
            assert await it.sent() == ["1000", "2000"]

    run(test())


def test_no_order_crosses_the_end_of_the_wait() -> None:
    async def test() -> None:
        async with one_waiting() as it:  # its clock counts events
            await it.hear(enters(extension=20))
            it.keep(1000)
            assert await it.sent() == []
            await it.hear(enters(extension=40))
            it.keep(1000)
            assert await it.sent() == ["1000"]

    run(test())


def test_the_originates_times_say_when_the_grace_ends() -> None:
    async def test() -> None:
        async with one_waiting() as it:
            it.server.handlers["Originate"] = lambda session, action: session.answer(action)
            await it.hear(event("Hangup", ("Uniqueid", "floor-1"), ("ChannelState", 6), ("Cause", 16)))
            for order in (originate(2, grace_ms=20), originate(3)):
                it.switch.send(order, "600123456")
                await it.hear(enters("cadencia-answered").replace(b"floor-1", order.call_id.encode()))
                it.switch.send(Connect(call_id=order.call_id, agent="1001", node="main"))
            await it.sent()
            assert [action["Channel"] for action in it.server.named("Redirect")] == ["floor-3"]

    run(test())


def test_what_waited_when_the_link_was_lost_is_not_sent_after() -> None:
    async def test() -> None:
        async with one_waiting() as it:
            it.keep(1000, 2000)
            assert await it.sent() == ["1000"]
            it.server.sessions[-1].writer.transport.abort()
            await eventually(lambda: sum(isinstance(event, Resynced) for event in it.events) == 2)
            await it.hear(enters())
            assert await it.sent() == ["1000"]
            it.keep(3000)
            assert await it.sent() == ["1000", "3000"]

    run(test())


def test_a_password_changed_in_mid_shift_is_told() -> None:
    async def test() -> None:
        async with Server() as server, started(server) as (switch, events):
            server.secret = "another"
            server.sessions[0].writer.transport.abort()
            with pytest.raises(BadInput, match="AMI_SECRET"):
                await switch.failed()
            assert isinstance(events[-1], LinkDown)

    run(test())


def test_orders_go_to_their_node_and_each_node_resyncs_alone() -> None:
    async def test() -> None:
        async with Server() as one, Server() as two:
            nodes = [
                AsteriskNode(server=AmiServer(node=name, host="127.0.0.1", port=server.port, user="dialer"))
                for name, server in (("one", one), ("two", two))
            ]
            switch = AsteriskSwitch(nodes, "floor", delays=lambda attempt: 0.02)
            events: list[AnyEvent] = []
            await switch.start(events.append, lambda: len(events))
            for server in (one, two):
                server.handlers["Hangup"] = lambda session, action: session.answer(action)
            for name, call_id in (("one", "floor-1"), ("two", "floor-2"), ("two", "floor-3")):
                switch.send(HangUp(call_id=call_id, node=name, why="test"))
            await eventually(lambda: len(one.named("Hangup")) == 1 and len(two.named("Hangup")) == 2)
            assert [action["Channel"] for action in two.named("Hangup")] == ["floor-2", "floor-3"]
            two.sessions[0].writer.transport.abort()
            await eventually(lambda: isinstance(events[-1], Resynced) and isinstance(events[-3], LinkDown))
            assert {event.node for event in events[-3:] if isinstance(event, LinkDown | Resynced)} == {"two"}
            await switch.stop()

    run(test())
