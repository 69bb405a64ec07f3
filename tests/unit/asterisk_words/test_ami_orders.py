"""Orders as AMI actions; nothing but digits, ids and configured words crosses."""

from typing import Any

import pytest

from dialer.asterisk import orders
from dialer.asterisk.client import AmiServer
from dialer.asterisk.orders import AmiAction, AsteriskNode
from domain.errors import BadInput
from domain.orders import Connect, DropAgent, HangUp, Keep, Originate, QueueAgent, RingAgent

SERVER = AmiServer(node="main", host="127.0.0.1", port=5038, user="cadencia")
NODE = AsteriskNode(server=SERVER)
INTERFACE = "Local/1001@cadencia-agentpool/n"


def originate(**changes: Any) -> Originate:
    fields: dict[str, Any] = {
        "call_id": "floor-7", "campaign": "spring-es", "phone": 1, "node": "main", "trunk": "trunk",
        "caller_id": "+34910000001", "ring_timeout_ms": 25000, "valid_until_us": 0, "detect": True, "record": False,
        "grace_ms": 300, "limit_ms": 1700, "abandon": "message", "language": "es",
    }  # fmt: skip
    return Originate(**{**fields, **changes})


def test_originate() -> None:
    action = orders.originate(originate(), "+34600123456", NODE)
    assert action == AmiAction(
        "Originate",
        {
            "Channel": "PJSIP/+34600123456@trunk", "ChannelId": "floor-7", "Context": "cadencia-answered",
            "Exten": "s", "Priority": 1, "Async": "true", "Timeout": 25000, "CallerID": "+34910000001",
        },
        {
            "CALLID": "floor-7", "QNAME": "spring-es", "DETECT": 1, "RECORD": 0, "GRACE_MS": 300, "LIMIT_MS": 1700,
            "ABANDON": "message", "LANGUAGE": "es",
        },
    )  # fmt: skip
    other = AsteriskNode(server=SERVER, dial="SIP/{trunk}/00{digits}")
    assert orders.originate(originate(), "+34600123456", other).headers["Channel"] == "SIP/trunk/0034600123456"


@pytest.mark.parametrize(
    ("changes", "number"),
    [
        ({}, "600 123"),
        ({}, "600@evil"),
        ({}, ""),
        ({}, "+"),
        ({}, "600\r\nAction: Command"),
        ({"call_id": "floor-7\n"}, "600123"),
        ({"call_id": "7"}, "600123"),
        ({"caller_id": "Bank <600>"}, "600123"),
        ({"trunk": "trunk/x"}, "600123"),
        ({"campaign": "a,B=1"}, "600123"),
        ({"campaign": "${SHELL(x)}"}, "600123"),
        ({"language": "es/../x"}, "600123"),
        ({"abandon": "System"}, "600123"),
    ],
)
def test_what_may_not_cross(changes: dict[str, Any], number: str) -> None:
    with pytest.raises(BadInput, match=r"order to the switch: .* may not cross"):
        orders.originate(originate(**changes), number, NODE)


def test_connect_keep_and_hang_up_name_the_call() -> None:
    redirect = {"Channel": "floor-7", "Priority": 1}
    assert orders.connect(Connect(call_id="floor-7", agent="1001", node="main")) == AmiAction(
        "Redirect", {**redirect, "Context": "cadencia-connect", "Exten": "1001"}
    )
    assert orders.keep(Keep(call_id="floor-7", node="main", for_ms=1650)) == AmiAction(
        "Redirect", {**redirect, "Context": "cadencia-keep", "Exten": "1650"}
    )
    assert orders.keep(Keep(call_id="floor-7", node="main", for_ms=-3)).headers["Exten"] == "0"
    assert orders.hang_up(HangUp(call_id="floor-7", node="main", why="x")) == AmiAction(
        "Hangup", {"Channel": "floor-7", "Cause": 16}
    )
    with pytest.raises(BadInput, match="agent"):
        orders.connect(Connect(call_id="floor-7", agent="1001,1", node="main"))


def test_ring_agent_finds_the_phone() -> None:
    order = RingAgent(agent="1001", node="main")
    assert orders.ring_agent(order, "floor-agent1001-5", NODE).headers["Channel"] == "PJSIP/agent1001"
    named = AsteriskNode(server=SERVER, phones={"1001": "PJSIP/desk-7"})
    assert orders.ring_agent(order, "floor-agent1001-5", named).headers["Channel"] == "PJSIP/desk-7"


def test_queue_agent_sends_only_what_changes() -> None:
    order = QueueAgent(agent="1001", node="main", campaigns=("a", "b"), paused=True)
    pause = AmiAction("QueuePause", {"Interface": INTERFACE, "Paused": "true"})
    assert orders.queue_agent(order, {"a", "b"}) == [pause]
    assert orders.queue_agent(order, {"a", "c"}) == [
        AmiAction("QueueRemove", {"Queue": "c", "Interface": INTERFACE}),
        AmiAction(
            "QueueAdd",
            {
                "Queue": "b", "Interface": INTERFACE, "MemberName": "1001", "StateInterface": "Agent:1001",
                "Paused": "true",
            },
        ),
        pause,
    ]  # fmt: skip


def test_drop_agent_leaves_queues_and_phone() -> None:
    order = DropAgent(agent="1001", node="main")
    assert orders.drop_agent(order, {"a"}, "floor-agent1001-5") == [
        AmiAction("QueueRemove", {"Queue": "a", "Interface": INTERFACE}),
        AmiAction("Hangup", {"Channel": "floor-agent1001-5"}),
        AmiAction("AgentLogoff", {"Agent": "1001", "Soft": "true"}),
    ]
    assert orders.drop_agent(order, set(), None) == [AmiAction("AgentLogoff", {"Agent": "1001", "Soft": "true"})]


def test_interfaces_name_their_agents() -> None:
    assert orders.agent_of(orders.interface_of("1001")) == "1001"
    assert orders.agent_of("PJSIP/1001") is None


@pytest.mark.parametrize("changes", [{"dial": "PJSIP/{nummer}@x"}, {"dial": "PJSIP/{"}, {"dial_agent": "PJSIP/{}"}])
def test_a_mark_that_nothing_fills_is_refused_at_once(changes: dict[str, str]) -> None:
    with pytest.raises(BadInput, match=r"switch node main: dial\w* may hold the marks \{"):
        AsteriskNode(server=SERVER, **changes)
