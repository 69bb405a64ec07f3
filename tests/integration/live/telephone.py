"""A telephone network that outlives the floor: what a killed engine meets again when it comes back.

`Exchange` runs in the test and keeps its calls whatever happens to the floor; `Line` is the floor's socket to it.
Numbers end in what happens: see `FATES`. The exchange remembers the truth of every call, to compare the record with.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

from domain.calls import AnswerClass, Cause
from domain.errors import SwitchLost
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
    PhoneDown,
    PhoneUp,
    Queued,
    Refused,
    Resynced,
    Ringing,
)
from domain.orders import AnyOrder, Connect, DropAgent, HangUp, Keep, Originate, QueueAgent, RingAgent
from domain.records import decode, encode

NODE = "main"
#: By the last digit of the number: most people answer.
FATES = ("person",) * 6 + ("busy", "no_answer", "not_in_service", "person")
_UNANSWERED = {"busy": Cause.busy, "no_answer": Cause.no_answer, "not_in_service": Cause.not_in_service}

_encode = msgspec.json.Encoder().encode


class Channel:
    """One call on the exchange."""

    def __init__(self, order: Originate, fate: str) -> None:
        self.order = order
        self.fate = fate
        self.state = "ringing"
        self.agent: str | None = None
        self.timer: asyncio.Task[None] | None = None


class Exchange:
    """The network and the agents' phones.

    Parameters
    ----------
    pace_s : float
        How long things take: a ring, a conversation.
    """

    def __init__(self, pace_s: float = 0.05) -> None:
        self.pace_s = pace_s
        self.originated: Counter[str] = Counter()
        #: How each call really ended: a fate, `connected` or `abandoned`; absent while it lives.
        self.truth: dict[str, str] = {}
        self.phone_of: dict[str, int] = {}
        self.live: dict[str, Channel] = {}
        self._remembered: dict[str, EndedCall] = {}
        self._phones: dict[str, None] = {}
        self._paused: set[str] = set()
        self._floor: asyncio.StreamWriter | None = None
        self._chance = random.Random(1)

    async def serve(self, path: Path) -> asyncio.Server:
        return await asyncio.start_unix_server(self._connected, path, limit=1 << 24)

    # ---- the floor's line

    def cut(self) -> None:
        """Break the line to the floor, in the middle of whatever is being said."""
        if self._floor is not None:
            self._floor.transport.abort()
            self._floor = None

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._floor = writer
        self._tell(LinkUp(at_us=0, node=NODE))
        self._tell(self._resync())
        with suppress(ConnectionError):
            while line := await reader.readline():
                message = msgspec.json.decode(line)
                self._take(decode(_encode(message["order"])), message["number"])
        if self._floor is writer:
            self._floor = None
        writer.close()

    def _resync(self) -> Resynced:
        states = {"ringing": "ringing", "up": "up", "kept": "up", "queued": "queued", "talking": "talking"}
        return Resynced(
            at_us=0,
            node=NODE,
            calls=tuple(
                LiveCall(call_id=call_id, state=states[channel.state], agent=channel.agent)
                for call_id, channel in self.live.items()
            ),
            ended=tuple(self._remembered.values()),
            agents=tuple(self._phones),
        )

    def _tell(self, event: Any) -> None:
        if self._floor is not None:
            self._floor.write(_encode(event) + b"\n")

    def _take(self, order: Any, number: str | None) -> None:
        match order:
            case Originate():
                assert number is not None
                self.originated[order.call_id] += 1
                self.phone_of[order.call_id] = order.phone
                channel = self.live[order.call_id] = Channel(order, FATES[int(number[-1])])
                channel.timer = asyncio.create_task(self._ring(channel))
            case Connect():
                self._connect(order.call_id, order.agent)
            case Keep():
                if (kept := self.live.get(order.call_id)) is not None and kept.state == "up":
                    kept.state = "kept"
                    self._after(kept, order.for_ms / 1000, self._abandon)
            case HangUp():
                if (channel := self.live.get(order.call_id)) is not None:
                    self._end(channel, channel.fate if channel.state == "ringing" else self._so_far(channel))
            case RingAgent():
                self._phones[order.agent] = None
                self._tell(PhoneUp(at_us=0, agent=order.agent, node=NODE))
            case DropAgent():
                self._phones.pop(order.agent, None)
                self._tell(PhoneDown(at_us=0, agent=order.agent))
            case QueueAgent():
                (self._paused.add if order.paused else self._paused.discard)(order.agent)

    # ---- the life of a call

    async def _ring(self, channel: Channel) -> None:
        await asyncio.sleep(self.pace_s * self._chance.uniform(0.1, 0.5))
        self._tell(Ringing(at_us=0, call_id=channel.order.call_id))
        await asyncio.sleep(self.pace_s * self._chance.uniform(0.2, 1.5))
        if channel.fate != "person":
            self._end(channel, channel.fate, _UNANSWERED[channel.fate])
            return
        channel.state = "up"
        self._tell(Answered(at_us=0, call_id=channel.order.call_id))
        self._after(channel, channel.order.grace_ms / 1000, self._queue)

    def _after(self, channel: Channel, delay_s: float, act: Callable[[Channel], None]) -> None:
        async def later() -> None:
            await asyncio.sleep(delay_s)
            if self.live.get(channel.order.call_id) is channel:
                act(channel)

        if channel.timer is not None and channel.timer is not asyncio.current_task():
            channel.timer.cancel()
        channel.timer = asyncio.create_task(later())

    def _busy(self) -> set[str | None]:
        return {channel.agent for channel in self.live.values()}

    def _connect(self, call_id: str, agent: str) -> None:
        channel = self.live.get(call_id)
        if channel is None or channel.state not in ("up", "kept"):
            return
        if agent not in self._phones or agent in self._busy():
            self._tell(Refused(at_us=0, call_id=call_id, agent=agent, why="busy"))
            return
        self._talk(channel, agent)

    def _talk(self, channel: Channel, agent: str) -> None:
        channel.state, channel.agent = "talking", agent
        self._tell(Connected(at_us=0, call_id=channel.order.call_id, agent=agent))
        self._after(channel, self.pace_s * self._chance.uniform(1, 4), lambda channel: self._end(channel, "connected"))

    def _queue(self, channel: Channel) -> None:
        channel.state = "queued"
        self._tell(Queued(at_us=0, call_id=channel.order.call_id))
        free = [agent for agent in self._phones if agent not in self._busy() and agent not in self._paused]
        if free:
            self._talk(channel, free[0])
        else:
            self._after(channel, channel.order.limit_ms / 1000, self._abandon)

    def _abandon(self, channel: Channel) -> None:
        self._tell(Abandoned(at_us=0, call_id=channel.order.call_id, how="hangup"))
        self._end(channel, "abandoned")

    def _so_far(self, channel: Channel) -> str:
        return "connected" if channel.state == "talking" else "abandoned"

    def _end(self, channel: Channel, truth: str, cause: Cause = Cause.normal) -> None:
        call_id = channel.order.call_id
        del self.live[call_id]
        self.truth[call_id] = truth
        if channel.timer is not None and channel.timer is not asyncio.current_task():
            channel.timer.cancel()
        if truth in ("connected", "abandoned"):
            self._remembered[call_id] = EndedCall(call_id=call_id, answer_class=AnswerClass(truth), agent=channel.agent)
        self._tell(Ended(at_us=0, call_id=call_id, cause=cause))


class Line:
    """The floor's switch: a socket to the exchange."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._writer: asyncio.StreamWriter | None = None

    async def start(self, deliver: Callable[[AnyEvent], None], now_us: Callable[[], int]) -> None:
        self._listening = asyncio.create_task(self._listen(deliver, now_us))

    async def _listen(self, deliver: Callable[[AnyEvent], None], now_us: Callable[[], int]) -> None:
        while True:
            reader, self._writer = await asyncio.open_unix_connection(self._path, limit=1 << 24)
            with suppress(ConnectionError):
                while line := await reader.readline():
                    deliver(msgspec.structs.replace(decode(line), at_us=now_us()))  # type: ignore[arg-type]
            self._writer.close()
            self._writer = None
            deliver(LinkDown(at_us=now_us(), node=NODE))
            await asyncio.sleep(0.2)

    def send(self, order: AnyOrder, number: str | None = None) -> None:
        if self._writer is None:
            raise SwitchLost("the exchange is away")
        self._writer.write(b'{"order":%s,"number":%s}\n' % (encode(order), _encode(number)))

    async def stop(self) -> None:
        self._listening.cancel()
        if self._writer is not None:
            self._writer.close()
