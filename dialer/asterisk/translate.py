"""From AMI events to the engine's events, for one node. No I/O and no clock: `docs/asterisk-events.md` as code.

The law of this file:

- A call is ours when its Uniqueid is `<stream>-<number>`; whatever else lives on the server is not ours.
- Each thing is told once. `Ended` is the last word on a call; what comes later is not heard.
- What asks for an order (an answer, a person detected, a refusal) is told when an order will find the caller: at his
  BridgeEnter. Only detection's answer, which asks for none, is told before.
- Between `Connected` and `Ended` nothing is told but another agent's `Connected`.
- `Hangup` has the cause. An OriginateResponse that failed ends a call only when no channel ever came.
"""

import re
from collections.abc import Callable

import msgspec

from dialer.asterisk.causes import cause_of
from dialer.asterisk.client import Message
from dialer.asterisk.orders import AmiAction
from domain.calls import Cause
from domain.events import (
    Abandoned,
    Answered,
    AnyEvent,
    Connected,
    Detected,
    Ended,
    MadeReady,
    PauseAsked,
    PhoneDown,
    PhoneUp,
    Progressed,
    Queued,
    Refused,
    Ringing,
)

#: `ChannelState` of a channel that was answered.
UP = "6"
#: Calls ended so many calls ago are forgotten; late news of them has long come.
_REMEMBERED_ENDS = 20_000

_DETECTED = {"HUMAN": "human", "MACHINE": "machine", "NOTSURE": "unsure"}
_REFUSED = {"BUSY": "busy", "NOT_CONNECTED": "no_answer"}


class Call:
    """What was heard of a call."""

    __slots__ = (
        "agent",
        "bridge",
        "failed",
        "grace_us",
        "half_told",
        "hangup",
        "heard",
        "held",
        "limit_at_us",
        "limit_us",
        "orders_until_us",
        "place",
        "ready",
        "reason",
        "sent",
        "untold",
    )

    def __init__(self) -> None:
        #: As in `LiveCall.state`, and `message`.
        self.place = "down"
        self.agent: str | None = None
        #: Bridge where it waits for its agent to join.
        self.bridge = ""
        #: `Reason` of the OriginateResponse.
        self.reason: int | None = None
        self.failed = False
        self.hangup: Message | None = None
        #: Its end waits for the other of OriginateResponse and Hangup, whose order is not fixed.
        self.half_told = False
        #: Told at his next BridgeEnter, or before whatever comes instead.
        self.untold: Detected | Refused | None = None
        #: He sits in a bridge: an order will find him.
        self.ready = False
        #: The order that he is obeying, or obeyed last, and the one to give him next.
        self.sent: AmiAction | None = None
        self.held: AmiAction | None = None
        #: The Originate's times; None when another process gave it.
        self.grace_us: int | None = None
        self.limit_us = 0
        #: End of the patience, from when he first sat.
        self.limit_at_us: int | None = None
        #: When the dialplan goes on by itself; None when that is not known or not to be.
        self.orders_until_us: int | None = None
        #: How many messages of it were heard.
        self.heard = 0

    @property
    def answered(self) -> bool:
        return self.place not in ("down", "ringing")


class Translator:
    """Hears one node's AMI events and tells the engine's.

    Parameters
    ----------
    stream
        The floor's name: its calls are `<stream>-<number>`.
    tell
        Called with each event; `now_us` dates it.
    postpone
        Called with a call whose end is half told: `settle` is to be called for it within a second or two.
    release
        Called with a call that an order will find again, after what this means was told.
    """

    def __init__(
        self,
        node: str,
        stream: str,
        tell: Callable[[AnyEvent], None],
        now_us: Callable[[], int],
        postpone: Callable[[str], None],
        release: Callable[[str, Call], None],
    ) -> None:
        self.node = node
        self.calls: dict[str, Call] = {}
        #: Ids of calls that have ended, oldest first.
        self.ended: dict[str, None] = {}
        #: Agents off-hook: True once usable.
        self.phones: dict[str, bool] = {}
        #: Agents whose phone was heard of since this was last cleared.
        self.phone_news: set[str] = set()
        #: Agents who said they are ready before their phone was usable.
        self.wanted_ready: dict[str, None] = {}
        #: RingAgent's channels that have not been answered, by agent.
        self.ringing_phones: dict[str, str] = {}
        #: Set by a Shutdown event: what ends from now on, the switch ended.
        self.stopping = False
        #: While a resync asks: answered calls of which the end alone was heard. What came before it, the resync tells.
        self.asking = False
        self.unheard: dict[str, Call] = {}
        self._ours = re.compile(rf"{re.escape(stream)}-\d+").fullmatch
        self._tell = tell
        self._now_us = now_us
        self._postpone = postpone
        self._release = release
        self._bridges: dict[str, str] = {}
        self._hear: dict[str, Callable[[Message], None]] = {
            "DialState": self._dial_state,
            "OriginateResponse": self._originate_response,
            "UserEvent": self._user_event,
            "BridgeEnter": self._bridge_enter,
            "AgentConnect": self._agent_connect,
            "Hangup": self._hangup,
            "AgentLogin": self._agent_login,
            "AgentLogoff": self._agent_logoff,
            "DeviceStateChange": self._device_state,
            "Shutdown": self._shutdown,
        }

    def hear(self, message: Message) -> None:
        """Take an event of the node."""
        handler = self._hear.get(message.name)
        if handler is not None:
            handler(message)

    def ours(self, call_id: str) -> bool:
        """Tell whether an id is of a call of this floor."""
        return self._ours(call_id) is not None

    def call(self, call_id: str) -> Call | None:
        """Return what was heard of a call of ours that has not ended."""
        call = self.calls.get(call_id)
        if call is None and call_id not in self.ended and self.ours(call_id):
            call = self.calls[call_id] = Call()
        if call is not None:
            call.heard += 1
        return call

    # ------------------------------------------------------------------ the life of a call

    def _dial_state(self, message: Message) -> None:
        call_id = message.get("DestUniqueid")
        call = self.call(call_id)
        if call is None:
            return
        status = message.get("DialStatus")
        if status == "RINGING" and call.place == "down":
            call.place = "ringing"
            self._tell(Ringing(at_us=self._now_us(), call_id=call_id))
        elif status == "PROGRESS":
            self._tell(Progressed(at_us=self._now_us(), call_id=call_id))

    def _originate_response(self, message: Message) -> None:
        if message.get("Response") != "Failure":
            return  # a success comes before the caller can be given orders, and an agent's before AgentLogin
        call_id = message.get("ActionID")
        for agent, channel_id in self.ringing_phones.items():
            if channel_id == call_id:
                del self.ringing_phones[agent]
                self._tell(PhoneDown(at_us=self._now_us(), agent=agent))
                return
        call = self.call(call_id)
        if call is None:
            return
        call.reason = int(message.get("Reason", "0"))
        if call.hangup is not None:
            self._end(call_id, call)
        else:
            call.failed = True
            self._wait_for_rest(call_id, call)

    def answer(self, call_id: str, call: Call) -> None:
        """Tell that a call was answered, unless told."""
        if not call.answered:
            call.place = "up"
            self._tell(Answered(at_us=self._now_us(), call_id=call_id))

    def _user_event(self, message: Message) -> None:
        name = message.get("UserEvent")
        if name == "CadenciaDesk":
            self._desk(message.get("Agent"), message.get("Do"), message.get("Reason"))
            return
        call_id = message.get("CallID")
        call = self.call(call_id) if name.startswith("Cadencia") else None
        if call is None or call.place == "talking":
            # Talking: his agent left in the moment of joining; another from the queue, or the Hangup, tells the rest.
            return
        self.answer(call_id, call)
        at_us = self._now_us()
        if name == "CadenciaDetected":
            result = _DETECTED.get(message.get("Status"))
            if result == "machine":  # hung up by the dialplan
                self._tell(Detected(at_us=at_us, call_id=call_id, result=result))
            elif result is not None:
                call.untold = Detected(at_us=at_us, call_id=call_id, result=result)
        elif name == "CadenciaAgentRefused":
            self._leave_bridge(call)
            why = _REFUSED.get(message.get("Status"), "gone")
            call.untold = Refused(at_us=at_us, call_id=call_id, agent=message.get("Agent"), why=why)
        elif name == "CadenciaQueued":
            self._tell_untold(call)
            call.place = "queued"
            self._tell(Queued(at_us=at_us, call_id=call_id))
        elif name == "CadenciaAbandoned":
            self._tell_untold(call)
            call.place = "message"
            self._tell(Abandoned(at_us=at_us, call_id=call_id, how=message.get("How")))

    def _tell_untold(self, call: Call) -> None:
        untold, call.untold = call.untold, None
        if untold is not None:
            self._tell(msgspec.structs.replace(untold, at_us=self._now_us()))

    def _bridge_enter(self, message: Message) -> None:
        bridge = message.get("BridgeUniqueid")
        call_id = message.get("Uniqueid")
        if self.ours(call_id):
            call = self.call(call_id)
            if call is not None:
                self._leave_bridge(call)
                # Those who wait share one bridge of type base.
                if message.get("BridgeType") == "basic" and message.get("Context") == "cadencia-connect":
                    call.bridge = bridge
                    self._bridges[bridge] = call_id
                call.ready = True
                call.orders_until_us = self._goes_on_at_us(call, message)
                self.answer(call_id, call)
                self._tell_untold(call)
                self._release(call_id, call)
        elif bridge in self._bridges and message.get("Context") == "cadencia-login":
            call_id = self._bridges.pop(bridge)
            call = self.call(call_id)
            if call is not None:
                self._connect(call_id, call, message.get("Exten"))

    def _leave_bridge(self, call: Call) -> None:
        self._bridges.pop(call.bridge, None)
        call.bridge = ""

    def _goes_on_at_us(self, call: Call, entered: Message) -> int | None:
        """Return when the dialplan takes a caller out of the bridge that he has entered, as far as is known."""
        now_us = self._now_us()
        if entered.get("BridgeType") != "base":
            return None
        if entered.get("Context") == "cadencia-keep":
            return now_us + int(entered.get("Exten")) * 1000
        if call.grace_us is None:
            return None
        if call.limit_at_us is None:
            call.limit_at_us = now_us + call.grace_us + call.limit_us
        return min(now_us + call.grace_us, call.limit_at_us)

    def _agent_connect(self, message: Message) -> None:
        call_id = message.get("Uniqueid")
        call = self.call(call_id)
        if call is not None:
            self._connect(call_id, call, message.get("MemberName"))

    def _connect(self, call_id: str, call: Call, agent: str) -> None:
        self.answer(call_id, call)
        self._tell_untold(call)
        call.place, call.agent = "talking", agent
        self._tell(Connected(at_us=self._now_us(), call_id=call_id, agent=agent))

    def _hangup(self, message: Message) -> None:
        call_id = message.get("Uniqueid")
        call = self.call(call_id)
        if call is None:
            return
        call.hangup = message
        if message.get("ChannelState") == UP:
            if self.asking and not call.answered:
                self.unheard[call_id] = call
                return
            self.answer(call_id, call)
        if call.answered or call.failed or message.get("Cause", "0") != "0":
            self._end(call_id, call)
        else:
            self._wait_for_rest(call_id, call)

    def _wait_for_rest(self, call_id: str, call: Call) -> None:
        if not call.half_told:
            call.half_told = True
            self._postpone(call_id)

    def refuse(self, call_id: str) -> None:
        """Take it that Asterisk did not accept an Originate."""
        call = self.call(call_id)
        if call is not None:
            self._end(call_id, call)

    def end_unheard(self) -> None:
        """Conclude the calls whose end came while a resync asked; those that the switch's memory told have gone."""
        self.asking = False
        for call_id, call in self.unheard.items():
            if self.calls.get(call_id) is call:
                self.answer(call_id, call)
                self._end(call_id, call)
            else:
                self.ended[call_id] = None
        self.unheard.clear()

    def settle(self, call_id: str) -> None:
        """Conclude an end of which only half was told."""
        call = self.calls.get(call_id)
        if call is not None and call.half_told:
            self._end(call_id, call)

    def _end(self, call_id: str, call: Call) -> None:
        call.ready = False
        self._tell_untold(call)
        self.drop(call_id)
        self.ended[call_id] = None
        if len(self.ended) > _REMEMBERED_ENDS:
            del self.ended[next(iter(self.ended))]
        q850 = sip = None
        if call.hangup is not None:
            q850 = int(call.hangup.get("Cause", "0"))
            sip = int(call.hangup.get("TechCause") or 0) or None
        cause = cause_of(q850, answered=call.answered, reason=call.reason)
        if self.stopping:
            cause = Cause.switch_fail
        self._tell(Ended(at_us=self._now_us(), call_id=call_id, cause=cause, q850=q850, sip=sip))

    def drop(self, call_id: str) -> None:
        """Forget a call of which nothing is known any more."""
        self._bridges.pop(self.calls.pop(call_id).bridge, None)

    # ------------------------------------------------------------------ agents' phones

    def _agent_login(self, message: Message) -> None:
        agent = message.get("Agent")
        self.ringing_phones.pop(agent, None)
        self.phone_news.add(agent)
        self.phones[agent] = False

    def _device_state(self, message: Message) -> None:
        # AgentRequest answers BUSY from the log-in until the first NOT_INUSE, for up to five seconds.
        agent = message.get("Device").removeprefix("Agent:")
        if message.get("State") == "NOT_INUSE":
            self.usable(agent)

    def usable(self, agent: str) -> None:
        """Take it that an agent who has logged in can be given calls."""
        if self.phones.get(agent) is False:
            self.phone_news.add(agent)
            self.phones[agent] = True
            self._tell(PhoneUp(at_us=self._now_us(), agent=agent, node=self.node))
            self.tell_wanted_ready()

    def _desk(self, agent: str, do: str, reason: str) -> None:
        """Take what an agent said by a feature code of the phone."""
        if do == "ready":
            self.wanted_ready[agent] = None
            self.tell_wanted_ready()
        elif do == "pause" and reason.isidentifier() and reason not in ("ready", "leave"):
            self.wanted_ready.pop(agent, None)
            self._tell(PauseAsked(at_us=self._now_us(), agent=agent, reason=reason))

    def tell_wanted_ready(self) -> None:
        """Tell of those who said they are ready and whose phone is usable, once that was told."""
        for agent in [one for one in self.wanted_ready if self.phones.get(one)]:
            del self.wanted_ready[agent]
            self._tell(MadeReady(at_us=self._now_us(), agent=agent))

    def _agent_logoff(self, message: Message) -> None:
        agent = message.get("Agent")
        self.wanted_ready.pop(agent, None)
        self.phone_news.add(agent)
        if self.phones.pop(agent, None) is not None:
            self._tell(PhoneDown(at_us=self._now_us(), agent=agent))

    def _shutdown(self, message: Message) -> None:
        self.stopping = True
