"""From the engine's orders to AMI actions. Only digits, ids and configured strings cross; anything else is refused."""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

import msgspec

from dialer.asterisk.client import AmiServer
from domain.errors import BadInput
from domain.orders import Connect, DropAgent, HangUp, Keep, Originate, QueueAgent, RingAgent

#: An agent has so long to take the call that begins his shift.
_RING_AGENT_MS = 30_000

_RULES = {
    "call id": re.compile(r"[A-Za-z0-9_]+-[0-9]+"),
    "agent": re.compile(r"[0-9]{1,12}"),
    "number": re.compile(r"\+?[0-9]{3,18}"),
    "caller id": re.compile(r"\+?[0-9]{0,18}"),
    "trunk": re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,59}"),
    "campaign": re.compile(r"[A-Za-z0-9-]{1,60}"),
    "language": re.compile(r"[a-z]{2}(_[A-Z]{2})?"),
    "abandon": re.compile(r"message|hangup"),
}


class AsteriskNode(msgspec.Struct, frozen=True, kw_only=True):
    """One Asterisk of the floor."""

    server: AmiServer
    #: How a trunk is dialled: `{number}` is E.164 with its plus, `{digits}` without, `{trunk}` the trunk's name.
    dial: str = "PJSIP/{number}@{trunk}"
    #: How an agent's phone is dialled.
    dial_agent: str = "PJSIP/agent{agent}"
    #: Agents whose phone has another address.
    phones: dict[str, str] = {}

    def __post_init__(self) -> None:
        for field, marks in (("dial", ("number", "digits", "trunk")), ("dial_agent", ("agent",))):
            text = getattr(self, field)
            try:
                text.format(**dict.fromkeys(marks, "1"))
            except (KeyError, IndexError, ValueError, AttributeError):
                raise BadInput(
                    f"switch node {self.server.node}: {field} may hold the marks "
                    f"{', '.join(f'{{{mark}}}' for mark in marks)} and no other brace, was {text!r}; correct it"
                ) from None


class AmiAction(NamedTuple):
    name: str
    headers: Mapping[str, str | int]
    variables: Mapping[str, str | int] = MappingProxyType({})


def _checked(rule: str, value: str) -> str:
    if not _RULES[rule].fullmatch(value):
        raise BadInput(f"order to the switch: {rule} {value!r} may not cross; it must match {_RULES[rule].pattern}")
    return value


def originate(order: Originate, number: str, node: AsteriskNode) -> AmiAction:
    """Return the action that places a call. Its ActionID is the call id, as is the channel's."""
    call_id = _checked("call id", order.call_id)
    number = _checked("number", number)
    trunk = _checked("trunk", order.trunk)
    return AmiAction(
        "Originate",
        {
            "Channel": node.dial.format(number=number, digits=number.removeprefix("+"), trunk=trunk),
            "ChannelId": call_id,
            "Context": "cadencia-answered",
            "Exten": "s",
            "Priority": 1,
            "Async": "true",
            "Timeout": order.ring_timeout_ms,
            "CallerID": _checked("caller id", order.caller_id),
        },
        {
            "CALLID": call_id,
            "QNAME": _checked("campaign", order.campaign),
            "DETECT": int(order.detect),
            "RECORD": int(order.record),
            "GRACE_MS": order.grace_ms,
            "LIMIT_MS": order.limit_ms,
            "ABANDON": _checked("abandon", order.abandon),
            "LANGUAGE": _checked("language", order.language),
        },
    )


def connect(order: Connect) -> AmiAction:
    return _redirect(order.call_id, "cadencia-connect", _checked("agent", order.agent))


def keep(order: Keep) -> AmiAction:
    return _redirect(order.call_id, "cadencia-keep", str(max(0, order.for_ms)))


def _redirect(call_id: str, context: str, extension: str) -> AmiAction:
    channel = _checked("call id", call_id)
    return AmiAction("Redirect", {"Channel": channel, "Context": context, "Exten": extension, "Priority": 1})


def hang_up(order: HangUp) -> AmiAction:
    return AmiAction("Hangup", {"Channel": _checked("call id", order.call_id), "Cause": 16})


def ring_agent(order: RingAgent, channel_id: str, node: AsteriskNode) -> AmiAction:
    """Return the action that calls an agent's phone to begin the shift."""
    agent = _checked("agent", order.agent)
    return AmiAction(
        "Originate",
        {
            "Channel": node.phones.get(agent) or node.dial_agent.format(agent=agent),
            "ChannelId": channel_id,
            "Context": "cadencia-login",
            "Exten": agent,
            "Priority": 1,
            "Async": "true",
            "Timeout": _RING_AGENT_MS,
        },
    )


def drop_agent(order: DropAgent, queues: set[str], ringing: str | None) -> list[AmiAction]:
    """Return the actions that take an agent out of all queues and put his phone on-hook.

    Parameters
    ----------
    ringing
        Channel of a RingAgent that he has not answered.
    """
    agent = _checked("agent", order.agent)
    actions = [
        AmiAction("QueueRemove", {"Queue": _checked("campaign", queue), "Interface": interface_of(agent)})
        for queue in sorted(queues)
    ]
    if ringing is not None:
        actions.append(AmiAction("Hangup", {"Channel": ringing}))
    # Soft: after the talk, if there is one.
    return [*actions, AmiAction("AgentLogoff", {"Agent": agent, "Soft": "true"})]


def queue_agent(order: QueueAgent, queues: set[str]) -> list[AmiAction]:
    """Return the actions that make an agent member of the order's queues and of no other.

    Parameters
    ----------
    queues
        Those where he is a member now.
    """
    interface = interface_of(_checked("agent", order.agent))
    paused = "true" if order.paused else "false"
    wanted = {_checked("campaign", campaign) for campaign in order.campaigns}
    member = {
        "Interface": interface,
        "MemberName": order.agent,
        "StateInterface": f"Agent:{order.agent}",
        "Paused": paused,
    }
    return [
        *(AmiAction("QueueRemove", {"Queue": queue, "Interface": interface}) for queue in sorted(queues - wanted)),
        *(AmiAction("QueueAdd", {"Queue": queue, **member}) for queue in sorted(wanted - queues)),
        # Without a queue's name: in all of them.
        AmiAction("QueuePause", {"Interface": interface, "Paused": paused}),
    ]


def interface_of(agent: str) -> str:
    """Return how queues reach an agent."""
    return f"Local/{agent}@cadencia-agentpool/n"


def agent_of(interface: str) -> str | None:
    """Return whom an interface reaches; None for members that are not ours."""
    found = re.fullmatch(r"Local/([0-9]{1,12})@cadencia-agentpool/n", interface)
    return found[1] if found else None
