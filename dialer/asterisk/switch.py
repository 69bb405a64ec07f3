"""Asterisk as the engine's switch: orders out, events in, over one or several nodes.

The law of this file:

- An Originate leaves once. What became of one whose answer was lost is told by the resync, and else stays unknown.
- A node is usable from its `Resynced` on; before, the engine has not been told what lives there.
- What is told while a resync asks is newer than what the resync hears, and wins.
- A caller obeys one order at a time: the next waits until he has obeyed, and of several that wait the last is sent.
"""

import asyncio
import random
import re
import time
from collections.abc import Callable, Collection, Sequence
from functools import partial
from typing import Any

import structlog

from dialer.asterisk import orders, resync
from dialer.asterisk.client import Message
from dialer.asterisk.link import Link, exponential_delays
from dialer.asterisk.orders import AmiAction, AsteriskNode
from dialer.asterisk.translate import Call, Translator
from domain.errors import BadInput, SwitchLost
from domain.events import Abandoned, AnyEvent, LinkDown, LinkUp, LiveCall, Resynced
from domain.orders import (
    AnyOrder,
    Connect,
    DropAgent,
    HangUp,
    Keep,
    Originate,
    QueueAgent,
    Reserve,
    RingAgent,
    ShowLead,
)

#: Of OriginateResponse and Hangup the second comes within this, or never.
_HALF_TOLD_S = 1.0
#: Events travel beside the answers to a resync and may come so much later.
_EVENTS_LATE_S = 0.1
#: An agent's phone is called no more often than this.
_RING_AGAIN_S = 10.0
#: Refusals of orders that crossed the news: the call has ended, the member is there or gone, the agent has left.
_CROSSED = re.compile("[Cc]hannel|Already there|Interface not found|Not there|[Aa]gent")
#: A Redirect sent so shortly before the dialplan goes on by itself would cross it.
_CROSSING_US = 20_000
_BACK_OFF = exponential_delays(0.25, 10.0, random.random)

log = structlog.get_logger()


class AsteriskSwitch:
    """The nodes of a floor.

    Parameters
    ----------
    stream
        Name of the floor: its calls are `<stream>-<number>`.
    open_calls
        Gives the calls that the engine holds on a node: a resync reports the ends of those alone. None reports every
        end that the switch remembers of the gap.
    memory_h
        How far back a new process asks for the ends of calls; the switch remembers a week.
    """

    def __init__(
        self,
        nodes: Sequence[AsteriskNode],
        stream: str,
        *,
        open_calls: Callable[[str], Collection[str]] | None = None,
        memory_h: float = 24.0,
        silence_s: float = 6.0,
        delays: Callable[[int], float] = _BACK_OFF,
    ) -> None:
        self._stream = stream
        self._open_calls = open_calls
        self._memory_h = memory_h
        self._silence_s = silence_s
        self._delays = delays
        self._settings = {node.server.node: node for node in nodes}
        self._nodes: dict[str, _Node] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._failed: asyncio.Future[None] | None = None

    async def start(self, deliver: Callable[[AnyEvent], None], now_us: Callable[[], int]) -> None:
        """Connect to every node; return when each is resynced or found to be away.

        Raises
        ------
        BadInput
            When a node refuses us in a way that only an operator can mend.
        """
        failed = self._future()
        for name, settings in self._settings.items():
            node = _Node(settings, self._stream, deliver, now_us, self._open_calls, self._memory_h)
            node.connect_by(self._silence_s, self._delays)
            self._nodes[name] = node
            self._tasks.append(asyncio.create_task(self._keep(node)))
        firsts = [asyncio.create_task(node.settled.wait()) for node in self._nodes.values()]
        ends: set[asyncio.Future[Any]] = {asyncio.gather(*firsts), failed}
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        if failed.done():
            await self.stop()
            failed.result()

    async def _keep(self, node: "_Node") -> None:
        try:
            await node.link.run()
        except Exception as error:
            log.error("switch_node_stopped", node=node.name, error=str(error))
            node.went_down(str(error))
            if self._failed is not None and not self._failed.done():
                self._failed.set_exception(error)
                self._failed.exception()  # logged above; nobody has to ask

    async def failed(self) -> None:
        """Wait until a node's link has ended for good.

        Raises
        ------
        BadInput
            Then, saying what an operator has to change.
        """
        await asyncio.shield(self._future())

    def _future(self) -> asyncio.Future[None]:
        if self._failed is None:
            self._failed = asyncio.get_running_loop().create_future()
        return self._failed

    def send(self, order: AnyOrder, number: str | None = None) -> None:
        """Carry out an order without waiting; `number` is the E.164 of an Originate.

        Raises
        ------
        SwitchLost
            When the link to the node is down and nothing was sent.
        """
        if not isinstance(order, Reserve | ShowLead):
            self._nodes[order.node].send(order, number)

    async def stop(self) -> None:
        """End all links; calls go on."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for node in self._nodes.values():
            node.cancel_timers()


class _Node:
    """One Asterisk."""

    def __init__(
        self,
        settings: AsteriskNode,
        stream: str,
        deliver: Callable[[AnyEvent], None],
        now_us: Callable[[], int],
        open_calls: Callable[[str], Collection[str]] | None,
        memory_h: float,
    ) -> None:
        self.settings = settings
        self.name = settings.server.node
        #: Set at the first resync or the first failure.
        self.settled = asyncio.Event()
        self._stream = stream
        self._deliver = deliver
        self._now_us = now_us
        self._open_calls = open_calls
        self._loop = asyncio.get_running_loop()
        self._translator = Translator(self.name, stream, deliver, now_us, self._postpone, self._released)
        #: Queues where each agent is a member.
        self._queues: dict[str, set[str]] = {}
        #: Ends of calls are asked for from here on, epoch seconds.
        self._heard_until_s = time.time() - memory_h * 3600.0
        self._down_told = False
        self._up = False
        #: When an agent's phone may be called again, by the loop's clock, and what waits for it.
        self._ring_from_s: dict[str, float] = {}
        self._rings: dict[str, asyncio.TimerHandle] = {}
        self._timers: set[asyncio.TimerHandle] = set()

    def connect_by(self, silence_s: float, delays: Callable[[int], float]) -> None:
        """Make the link; it connects when run."""
        self.link = Link(
            self.settings.server,
            on_event=self._translator.hear,
            on_up=self._resync,
            on_down=self.went_down,
            delays=delays,
            silence_s=silence_s,
        )

    def went_down(self, reason: str) -> None:
        """Tell, once, that the node is away."""
        if self._up:
            self._heard_until_s = time.time()
        self._up = False
        for call in self._translator.calls.values():
            call.ready, call.sent, call.held, call.untold = False, None, None, None  # the resync tells what holds
        if not self._down_told:
            self._down_told = True
            log.warning("switch_link_down", node=self.name, why=reason)
            self._deliver(LinkDown(at_us=self._now_us(), node=self.name))
        self.settled.set()

    # ------------------------------------------------------------------ orders

    def send(self, order: AnyOrder, number: str | None) -> None:
        if not self.link.is_up:
            raise SwitchLost(f"{self.name}: the link is down; {type(order).__name__} was not sent")
        try:
            self._carry_out(order, number)
        except BadInput as error:
            log.error("order_refused_here", node=self.name, error=str(error))
            if isinstance(order, Originate):
                self._translator.refuse(order.call_id)

    def _carry_out(self, order: AnyOrder, number: str | None) -> None:
        match order:
            case Originate():
                action = orders.originate(order, number or "", self.settings)
                self._request(action, partial(self._originated, order.call_id), action_id=order.call_id)
                call = self._translator.call(order.call_id)
                if call is not None:
                    call.grace_us, call.limit_us = order.grace_ms * 1000, order.limit_ms * 1000
            case Connect():
                self._redirect(order.call_id, orders.connect(order))
            case Keep():
                self._redirect(order.call_id, orders.keep(order))
            case HangUp():
                call = self._translator.calls.get(order.call_id)
                if call is not None:
                    call.held = None
                self._request(orders.hang_up(order))
            case QueueAgent():
                for action in orders.queue_agent(order, self._queues.get(order.agent, set())):
                    self._request(action)
                self._queues[order.agent] = set(order.campaigns)
            case RingAgent():
                self._ring(order)
            case DropAgent():
                waiting = self._rings.pop(order.agent, None)
                if waiting is not None:
                    waiting.cancel()
                ringing = self._translator.ringing_phones.pop(order.agent, None)
                for action in orders.drop_agent(order, self._queues.pop(order.agent, set()), ringing):
                    self._request(action)

    def _request(
        self, action: AmiAction, then: Callable[[Message], None] | None = None, action_id: str | None = None
    ) -> None:
        answer = self.link.request(action.name, action.headers, action.variables, action_id=action_id)
        answer.add_done_callback(partial(self._answered, action, then))

    def _answered(
        self, action: AmiAction, then: Callable[[Message], None] | None, answer: "asyncio.Future[Message]"
    ) -> None:
        if answer.cancelled():
            return
        error = answer.exception()
        if error is not None:
            # Whether it was carried out is unknown: events or the resync will tell.
            log.warning("order_unanswered", node=self.name, action=action.name, why=str(error))
            return
        response = answer.result()
        if response.refused:
            say = log.debug if _CROSSED.search(response.get("Message")) else log.error
            say("order_refused", node=self.name, action=action.name, why=response.get("Message"))
        if then is not None:
            then(response)

    def _redirect(self, call_id: str, action: AmiAction) -> None:
        """Redirect a caller as soon as he can obey; the last order wins."""
        call = self._translator.calls.get(call_id)
        if call is None:
            log.debug("order_too_late", node=self.name, call_id=call_id)
            return
        if call.ready:
            self._redirect_now(call_id, call, action)
        else:
            call.held = None if action == call.sent else action

    def _redirect_now(self, call_id: str, call: Call, action: AmiAction) -> None:
        call.held = None
        until_us = call.orders_until_us
        if call.place != "up" or (until_us is not None and self._now_us() >= until_us - _CROSSING_US):
            # The switch has gone on by itself, or does so now, and tells how.
            log.debug("order_too_late", node=self.name, call_id=call_id)
            return
        call.ready, call.sent = False, action
        self._request(action, partial(self._redirected, call_id, action))

    def _redirected(self, call_id: str, action: AmiAction, response: Message) -> None:
        call = self._translator.calls.get(call_id)
        if response.refused and call is not None and call.sent is action:
            call.ready, call.sent = True, None
            self._released(call_id, call)

    def _released(self, call_id: str, call: Call) -> None:
        """Send the order that waited, unless news of the caller has just led to a newer one."""
        if call.ready and self.link.is_up:
            call.sent = None
            if call.held is not None:
                self._redirect_now(call_id, call, call.held)

    def _originated(self, call_id: str, response: Message) -> None:
        if response.refused:
            self._translator.refuse(call_id)

    def _ring(self, order: RingAgent) -> None:
        """Call an agent's phone, at once or when it may be called again."""
        self._rings.pop(order.agent, None)
        now_s = self._loop.time()
        from_s = self._ring_from_s.get(order.agent, 0.0)
        if now_s < from_s:
            self._rings[order.agent] = self._loop.call_at(from_s, self._ring_later, order)
            return
        self._ring_from_s[order.agent] = now_s + _RING_AGAIN_S
        channel_id = f"{self._stream}-agent{order.agent}-{time.time_ns()}"
        before = self._translator.ringing_phones.get(order.agent)
        if before is not None:
            self._request(AmiAction("Hangup", {"Channel": before}))
        action = orders.ring_agent(order, channel_id, self.settings)
        self._translator.ringing_phones[order.agent] = channel_id
        self._request(action, partial(self._unrung, channel_id), action_id=channel_id)

    def _ring_later(self, order: RingAgent) -> None:
        if self.link.is_up:  # else the resync tells the engine, which orders anew
            self._ring(order)

    def _unrung(self, channel_id: str, response: Message) -> None:
        if response.refused:
            failure: dict[str, str | list[str]] = {"ActionID": channel_id, "Response": "Failure"}
            self._translator.hear(Message("OriginateResponse", True, failure))

    # ------------------------------------------------------------------ half-told ends

    def _postpone(self, call_id: str) -> None:
        self._later(_HALF_TOLD_S, partial(self._translator.settle, call_id))

    def _later(self, delay_s: float, act: Callable[[], None]) -> None:
        def fire() -> None:
            self._timers.discard(timer)
            act()

        timer = self._loop.call_later(delay_s, fire)
        self._timers.add(timer)

    def cancel_timers(self) -> None:
        """Let nothing happen after the end."""
        for timer in (*self._timers, *self._rings.values()):
            timer.cancel()

    # ------------------------------------------------------------------ after a link came up

    async def _resync(self, restarted: bool) -> None:
        """Ask what lives here and tell the engine."""
        translator = self._translator
        translator.stopping = False
        translator.phone_news.clear()
        heard = {call_id: call.heard for call_id, call in translator.calls.items()}
        log.info("switch_link_up", node=self.name, restarted=restarted)
        self._deliver(LinkUp(at_us=self._now_us(), node=self.name))
        translator.asking = True
        translator.unheard.clear()
        snapshot = await resync.ask(self.link, self._heard_until_s)
        await asyncio.sleep(_EVENTS_LATE_S)
        over = {ending.call_id for ending in snapshot.endings if ending.call_id in translator.unheard}
        for call_id in over:
            translator.drop(call_id)
        self._adopt_calls(snapshot, heard, over)
        self._adopt_phones(snapshot)
        self._queues = snapshot.queues
        calls = {
            call_id: LiveCall(
                call_id=call_id,
                state="queued" if call.place == "message" else call.place,
                agent=call.agent if call.place == "talking" else None,
            )
            for call_id, call in translator.calls.items()
        }
        wanted = None if self._open_calls is None else set(self._open_calls(self.name))
        ended = tuple(
            ending
            for ending in snapshot.endings
            if translator.ours(ending.call_id)
            and ending.call_id not in translator.ended
            and ending.call_id not in translator.calls
            and (wanted is None or ending.call_id in wanted)
        )
        agents = tuple(agent for agent, usable in translator.phones.items() if usable)
        self._up, self._down_told = True, False
        self._deliver(
            Resynced(at_us=self._now_us(), node=self.name, calls=tuple(calls.values()), ended=ended, agents=agents)
        )
        translator.end_unheard()
        translator.tell_wanted_ready()
        for call_id, call in list(translator.calls.items()):
            if call.place == "message" and heard.get(call_id, 0) == call.heard:
                self._deliver(Abandoned(at_us=self._now_us(), call_id=call_id, how="message"))
        self.settled.set()

    def _adopt_calls(self, snapshot: resync.Snapshot, heard: dict[str, int], over: set[str]) -> None:
        """Bring what was heard of calls up to what was seen, unless something was heard while asking.

        Who hung up after he was seen, and whose end the switch's memory tells, is `over`.
        """
        translator = self._translator
        alive = {channel.call_id: channel for channel in snapshot.channels if translator.ours(channel.call_id)}
        for call_id, channel in alive.items():
            if call_id in translator.ended or call_id in over:
                continue
            call = translator.calls.setdefault(call_id, Call())
            if call.heard != heard.get(call_id, 0) and call_id not in translator.unheard:
                continue
            if channel.place == "detecting":
                # Told as news: only an answer leads the engine to wait for the detection's word.
                translator.answer(call_id, call)
            else:
                call.place = "up" if channel.place == "connecting" else channel.place
                call.agent = channel.agent
                call.ready = channel.sits
                call.orders_until_us = None
        for call_id, call in list(translator.calls.items()):
            if call_id not in alive and call_id not in translator.unheard:
                if call.half_told:
                    translator.settle(call_id)
                else:
                    translator.drop(call_id)

    def _adopt_phones(self, snapshot: resync.Snapshot) -> None:
        phones = self._translator.phones
        news = self._translator.phone_news
        for agent in list(phones):
            if agent not in snapshot.agents and agent not in news:
                del phones[agent]
        for agent, up_s in snapshot.agents.items():
            if agent in news:
                continue
            phones[agent] = phones.get(agent, False) or up_s >= resync.USABLE_AFTER_S
            if not phones[agent]:
                self._later(resync.USABLE_AFTER_S, partial(self._translator.usable, agent))
