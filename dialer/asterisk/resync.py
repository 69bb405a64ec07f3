"""What lives on a node, asked after a link came up, and what ended while nobody listened."""

import re
import time
from collections.abc import Collection, Iterable

import msgspec

from dialer.asterisk.client import Message
from dialer.asterisk.connection import Connection
from dialer.asterisk.link import Link
from dialer.asterisk.orders import agent_of
from domain.calls import AnswerClass
from domain.errors import BadInput
from domain.events import EndedCall

#: An agent who logged in so long ago is usable; before, AgentRequest may still call him busy.
USABLE_AFTER_S = 5.0

#: CADENCIA_STATE of a channel that is up, as the place of a call.
_PLACES = {
    "": "up",
    "waiting": "up",
    "detecting": "detecting",
    "connected": "connecting",
    "queued": "queued",
    # Hung up by the dialplan at this moment; nothing may be ordered for it.
    "machine": "queued",
    "message": "message",
    "hangup": "message",
}

#: The last CADENCIA_STATE of a call that ended unheard.
_CLASSES = {
    "connected": AnswerClass.connected,
    "machine": AnswerClass.machine,
    "detecting": AnswerClass.cut,
    "waiting": AnswerClass.abandoned,
    "queued": AnswerClass.abandoned,
    "message": AnswerClass.abandoned,
    "hangup": AnswerClass.abandoned,
}

_ENDING = re.compile(r"/cadencia-ended-\d+/([^/]+)")


class Channel(msgspec.Struct, frozen=True, kw_only=True):
    """A debtor's channel."""

    call_id: str
    #: `down`, `ringing`, `up`, `detecting`, `connecting`, `queued`, `talking` or `message`.
    place: str
    agent: str | None
    #: In a bridge, where an order finds him.
    sits: bool


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """A node's state while it was asked."""

    channels: list[Channel]
    #: Agents off-hook, and for how long, s.
    agents: dict[str, float]
    #: Queues where an agent is a member.
    queues: dict[str, set[str]]
    endings: list[EndedCall]


async def ask(link: Link, since_s: float) -> Snapshot:
    """Ask a node for all of it.

    Parameters
    ----------
    since_s : epoch seconds
        From when on ended calls are wanted.
    """
    statuses = await link.collect("Status", {"Variables": "CADENCIA_STATE,CADENCIA_AGENT"})
    agents = await link.collect("Agents")
    members = await link.collect("QueueStatus")
    return Snapshot(
        channels=[read_channel(status) for status in statuses],
        agents=read_agents(agents, time.time()),
        queues=read_queues(members),
        endings=await ask_endings(link, since_s),
    )


async def ask_endings(link: Link | Connection, since_s: float) -> list[EndedCall]:
    """Ask a node which calls ended since an instant, epoch seconds, by its own memory."""
    endings: list[EndedCall] = []
    for family in _families(since_s, time.time()):
        endings += read_endings(await link.collect("DBGetTree", {"Family": family}, nothing="entry not found"))
    return endings


def _families(since_s: float, now_s: float) -> Iterable[str]:
    """Yield the switch's memory by UTC hour, an hour more at both ends: clocks differ."""
    for hour in range(int(since_s) // 3600 - 1, int(now_s) // 3600 + 2):
        yield f"cadencia-ended-{time.strftime('%Y%m%d%H', time.gmtime(hour * 3600))}"


def read_channel(status: Message) -> Channel:
    """Return a `Status` event as a channel."""
    variables = dict(line.partition("=")[::2] for line in status.all("Variable"))
    known = {name: "" if value == "(null)" else value for name, value in variables.items()}
    place = {"5": "ringing", "6": "up"}.get(status.get("ChannelState"), "down")
    agent = None
    if place == "up":
        place = _PLACES.get(known.get("CADENCIA_STATE", ""), "up")
        if place == "connecting" and status.get("BridgeID"):
            place, agent = "talking", known.get("CADENCIA_AGENT")
    return Channel(call_id=status.get("Uniqueid"), place=place, agent=agent, sits=bool(status.get("BridgeID")))


def read_agents(items: Collection[Message], now_s: float) -> dict[str, float]:
    """Return who is off-hook, and for how long, from `Agents` events; one in a call is off-hook for ever."""
    up: dict[str, float] = {}
    for item in items:
        status = item.get("Status")
        if status == "AGENT_ONCALL":
            up[item.get("Agent")] = float("inf")
        elif status == "AGENT_IDLE":
            up[item.get("Agent")] = now_s - int(item.get("LoggedInTime", "0"))
    return up


def read_queues(items: Collection[Message]) -> dict[str, set[str]]:
    """Return our agents' queues from `QueueMember` events."""
    queues: dict[str, set[str]] = {}
    for item in items:
        agent = agent_of(item.get("Location")) if item.name == "QueueMember" else None
        if agent is not None:
            queues.setdefault(agent, set()).add(item.get("Queue"))
    return queues


def read_endings(items: Collection[Message]) -> list[EndedCall]:
    """Return the calls of `DBGetTreeResponse` events.

    Raises
    ------
    BadInput
        When the dialplan wrote something that this version does not read.
    """
    endings = []
    for item in items:
        key = _ENDING.fullmatch(item.get("Key"))
        state, _, rest = item.get("Val").partition(",")
        if key is None or state not in _CLASSES:
            raise BadInput(
                f"the switch's memory: {item.get('Key')} holds {item.get('Val')!r}; render the dialplan of this "
                "version (`cadencia asterisk render`) and load it"
            )
        agent = rest.partition(",")[0]
        endings.append(EndedCall(call_id=key[1], answer_class=_CLASSES[state], agent=agent or None))
    return endings
