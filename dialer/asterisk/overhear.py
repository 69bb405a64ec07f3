"""Another dialer's calls on an Asterisk, by its AMI events alone: nothing is ordered, nothing changed.

The law of this file: what leaves is a log-in, `Ping` and `QueueStatus`. A call is one that went out on a campaign's
trunk; an agent is a member of a queue. Dialers that hold agents otherwise (conferences, parked channels) tell their
own events instead: `dialer.shadow.words`.
"""

import asyncio
import random
from collections.abc import Callable, Sequence

import structlog

from dialer.asterisk.causes import RING_TIMEOUT, cause_of
from dialer.asterisk.client import AmiServer, Message
from dialer.asterisk.link import Link, exponential_delays
from dialer.shadow import words
from domain.errors import BadInput
from domain.settings import CampaignSettings

log = structlog.get_logger()

#: `ChannelState` of a channel that goes out, and of one that was answered.
_DOWN, _UP = "0", "6"
#: Device states of a member who can be called, and of one who cannot be.
_NOT_IN_USE, _GONE = "1", ("0", "4", "5")

_PROGRESS = {"RINGING": "ringing", "PROGRESS": "early_media"}
_DETECTED = {"HUMAN": "human", "MACHINE": "machine", "NOTSURE": "unsure"}


async def listen(servers: Sequence[AmiServer], overhearing: "Overhearing") -> None:
    """Keep a link to each node and hear what happens there, until cancelled.

    Raises
    ------
    BadInput
        When an operator has to change something first.
    """
    async with asyncio.TaskGroup() as nodes:
        for server in servers:
            nodes.create_task(_listen(server, overhearing))


async def _listen(server: AmiServer, overhearing: "Overhearing") -> None:
    async def ask(_restarted: bool) -> None:
        # Who sits in the queues: the one question that is asked.
        for message in await link.collect("QueueStatus"):
            overhearing.hear(message)

    link = Link(
        server,
        on_event=overhearing.hear,
        on_up=ask,
        on_down=lambda why: log.warning("shadow_link_down", node=server.node, why=why),
        delays=exponential_delays(0.5, 10.0, random.random),
    )
    await link.run()


class Overhearing:
    """Turns one node's AMI events into words.

    Parameters
    ----------
    campaigns : sequence of CampaignSettings
        A call belongs to the campaign of its trunk, a member to the campaign called like the queue, or to the only one.
    tell : callable
        Takes each word.
    """

    def __init__(
        self,
        campaigns: Sequence[CampaignSettings],
        tell: Callable[[words.AnyWord], None],
        now_s: Callable[[], float],
    ) -> None:
        self._trunks: dict[str, str] = {}
        for campaign in campaigns:
            for trunk in campaign.trunks:
                if trunk in self._trunks:
                    raise BadInput(
                        f"shadow: trunk {trunk!r} is used by {self._trunks[trunk]} and {campaign.name}, so that nobody "
                        "can tell whose its calls are; follow one of them, or feed events with --events"
                    )
                self._trunks[trunk] = campaign.name
        self._campaigns = [campaign.name for campaign in campaigns]
        self._tell = tell
        self._now_s = now_s
        #: Calls out: True once answered.
        self._calls: dict[str, bool] = {}
        #: Members by the call that they talk in.
        self._talking: dict[str, str] = {}
        self._hear: dict[str, Callable[[Message], None]] = {
            "Newchannel": self._new_channel,
            "DialState": self._dial_state,
            "Newstate": self._new_state,
            "VarSet": self._variable,
            "AgentConnect": self._agent_connect,
            "AgentComplete": self._agent_complete,
            "QueueCallerAbandon": self._abandon,
            "Hangup": self._hangup,
            "QueueMember": self._member,
            "QueueMemberAdded": self._member,
            "QueueMemberStatus": self._member,
            "QueueMemberPause": self._member,
            "QueueMemberRemoved": self._removed,
        }

    def hear(self, message: Message) -> None:
        """Take an event of the node."""
        handler = self._hear.get(message.name)
        if handler is not None:
            handler(message)

    # ---- calls

    def _new_channel(self, message: Message) -> None:
        if message.get("ChannelState") == _DOWN:
            self._out(message.get("Uniqueid"), message.get("Channel"))

    def _dial_state(self, message: Message) -> None:
        call = message.get("DestUniqueid")
        self._out(call, message.get("DestChannel"))
        to = _PROGRESS.get(message.get("DialStatus"))
        if to is not None and self._calls.get(call) is False:
            self._tell(words.Progressed(at=self._now_s(), call=call, to=to))  # type: ignore[arg-type]

    def _out(self, call: str, channel: str) -> None:
        # PJSIP/TRUNK-0000000b, SIP/TRUNK-0000000b
        trunk = channel.partition("/")[2].rpartition("-")[0]
        campaign = self._trunks.get(trunk)
        if campaign is not None and call not in self._calls:
            self._calls[call] = False
            self._tell(words.Dialled(at=self._now_s(), call=call, campaign=campaign))

    def _new_state(self, message: Message) -> None:
        if message.get("ChannelState") == _UP:
            self._answer(message.get("Uniqueid"))

    def _answer(self, call: str) -> bool:
        """Tell that a call of theirs was answered, unless told; return whether it is theirs."""
        if self._calls.get(call) is False:
            self._calls[call] = True
            self._tell(words.Answered(at=self._now_s(), call=call))
        return call in self._calls

    def _variable(self, message: Message) -> None:
        result = _DETECTED.get(message.get("Value"))
        call = message.get("Uniqueid")
        if message.get("Variable") == "AMDSTATUS" and result is not None and self._answer(call):
            self._tell(words.Detected(at=self._now_s(), call=call, result=result))  # type: ignore[arg-type]

    def _agent_connect(self, message: Message) -> None:
        call, agent = message.get("Uniqueid"), message.get("MemberName")
        self._answer(call)
        self._talking[call] = agent
        self._tell(words.Connected(at=self._now_s(), call=call, agent=agent))

    def _agent_complete(self, message: Message) -> None:
        if self._talking.pop(message.get("Uniqueid"), None) is not None:
            agent = message.get("MemberName")
            self._tell(words.AgentIs(at=self._now_s(), agent=agent, state="wrapup"))

    def _abandon(self, message: Message) -> None:
        call = message.get("Uniqueid")
        if self._answer(call):
            self._tell(words.Abandoned(at=self._now_s(), call=call))

    def _hangup(self, message: Message) -> None:
        call = message.get("Uniqueid")
        if call not in self._calls:
            return
        if message.get("ChannelState") == _UP:
            self._answer(call)
        answered, q850 = self._calls.pop(call), int(message.get("Cause", "0"))
        # Asterisk 16 ends a call that rang out with cause 0.
        reason = RING_TIMEOUT if not answered and not q850 else None
        cause = cause_of(q850, answered=answered, reason=reason)
        self._talking.pop(call, None)
        self._tell(words.Ended(at=self._now_s(), call=call, cause=cause))

    # ---- members of queues

    def _campaign(self, queue: str) -> str | None:
        if queue in self._campaigns:
            return queue
        return self._campaigns[0] if len(self._campaigns) == 1 else None

    def _member(self, message: Message) -> None:
        campaign = self._campaign(message.get("Queue"))
        agent = message.get("MemberName") or message.get("Name")
        if campaign is None or agent in self._talking.values():
            return
        status = message.get("Status")
        if status in _GONE:
            self._is(agent, "offline", campaign)
        elif message.get("Paused") == "1":
            self._is(agent, "paused", campaign)
        elif status == _NOT_IN_USE:
            self._is(agent, "ready", campaign)
        elif message.name in ("QueueMember", "QueueMemberAdded"):
            # Busy with what was not seen to begin.
            self._is(agent, "paused", campaign)

    def _removed(self, message: Message) -> None:
        campaign = self._campaign(message.get("Queue"))
        if campaign is not None:
            self._is(message.get("MemberName"), "offline", campaign)

    def _is(self, agent: str, state: str, campaign: str) -> None:
        self._tell(words.AgentIs(at=self._now_s(), agent=agent, state=state, campaign=campaign))  # type: ignore[arg-type]
