"""One connection to one Asterisk as the loop sees it: log in, ask and be answered, hear events, learn of the end.

Used once: when it is lost every pending answer fails, and `link` builds a new one. Everything here runs in the loop
but `_take` and `_append`, which put batches into a deque and wake the loop, once per batch.
"""

import asyncio
import contextlib
import itertools
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import structlog

from dialer.asterisk.client import AmiServer, CagedClient, Message, build_action
from domain.errors import BadInput, Broken, SwitchLost

log = structlog.get_logger()

#: Messages handed on before the loop gets its turn back.
_BATCH = 256

_T = TypeVar("_T")


class _Greeted:
    """Stands in the deque where the greeting came."""


class _Pending:
    """An action that waits for its answer."""

    __slots__ = ("future", "items", "timer")

    def __init__(self, future: asyncio.Future[Message], timer: asyncio.TimerHandle):
        self.future = future
        self.timer = timer
        #: Events of the list so far; None for an action that a response answers whole.
        self.items: list[Message] | None = None


class Connection:
    """One connection to one Asterisk.

    Parameters
    ----------
    on_event
        Called with each event that belongs to no list. What it raises is logged and counted, and stops nothing.
    most_backlog
        Messages that may wait for the loop. Beyond, the connection is given up: reading the state of the switch
        anew is cheaper than an ever older story.
    """

    def __init__(self, server: AmiServer, on_event: Callable[[Message], None], most_backlog: int = 20_000):
        self._secret = server.read_secret()
        self.server = server
        #: Exceptions of `on_event`.
        self.handler_errors = 0
        self._on_event = on_event
        self._most_backlog = most_backlog
        self._loop = asyncio.get_running_loop()
        self._arrived: deque[Message | _Greeted | Exception] = deque()
        self._awake = False
        self._pending: dict[str, _Pending] = {}
        self._numbers = itertools.count(1)
        self._greeted: asyncio.Future[None] = self._loop.create_future()
        self._booted: asyncio.Future[int] = self._loop.create_future()
        #: Done when the connection is over; the result says why.
        self.lost: asyncio.Future[Exception] = self._loop.create_future()
        self._client = CagedClient(server, self._take)
        self._client.add_listener(  # type: ignore[no-untyped-call]
            on_connect=lambda source: self._append([_Greeted()]),
            on_disconnect=lambda source, error: self._append([error]),
        )

    # ------------------------------------------------------------------ opening and ending

    async def open(self) -> int:
        """Connect, log in, wait until Asterisk is fully booted; return its uptime in seconds.

        Raises
        ------
        BadInput
            The secret is wrong, the certificate is not trusted, the port speaks something else.
        SwitchLost
            It cannot be reached now.
        """
        server = self.server
        self._client.connect()
        await self._reach(self._greeted, "greeting")
        login = {"Username": server.user, "Secret": self._secret}
        response = await self.request("Login", login, timeout_s=server.connect_timeout_s)
        if response.refused:
            told = response.get("Message")
            if "uthentication failed" in told:
                raise BadInput(
                    f"{server.where}: AMI user {server.user!r} was refused ({told}); compare its name, secret and "
                    f"permit= in manager.conf with environment variable {server.secret_variable}"
                )
            raise SwitchLost(f"{server.where}: log-in refused: {told}")
        return await self._reach(self._booted, "FullyBooted event (still loading, or the AMI user lacks read=system)")

    async def _reach(self, step: asyncio.Future[_T], what: str) -> _T:
        """Wait for a step of the opening, no longer than one may take."""
        timeout_s = self.server.connect_timeout_s
        steps: set[asyncio.Future[Any]] = {step, self.lost}
        done, _ = await asyncio.wait(steps, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
        if self.lost in done:
            raise self.lost.result()
        if not done:
            raise SwitchLost(f"{self.server.where}: no {what} within {timeout_s:g} s")
        return step.result()

    @property
    def octets(self) -> int:
        """Return how many bytes came."""
        return self._client.octets

    def drop(self, reason: str) -> None:
        """End the connection from this side; what waits in the deque is forgotten."""
        self._end(SwitchLost(f"{self.server.where}: {reason}"))

    def _end(self, error: Exception) -> None:
        if self.lost.done():
            return
        self.lost.set_result(error)
        self._arrived.clear()
        for pending in self._pending.values():
            pending.timer.cancel()
            if not pending.future.done():
                pending.future.set_exception(type(error)(*error.args))
        self._pending.clear()
        self._client.disconnect()

    # ------------------------------------------------------------------ asking

    @property
    def unanswered(self) -> int:
        """Return how many actions wait for their answer."""
        return len(self._pending)

    def request(
        self,
        name: str,
        headers: Mapping[str, str | int] | None = None,
        variables: Mapping[str, str | int] | None = None,
        *,
        action_id: str | None = None,
        timeout_s: float = 5.0,
    ) -> asyncio.Future[Message]:
        """Send an action now; the future holds its response, `Error` included.

        Raises
        ------
        BadInput
            At once, when a field may not be sent.
        SwitchLost
            At once or from the future: the connection is over, or no answer came in time. What became of the
            action is then unknown.
        """
        action_id = action_id or f"#{next(self._numbers)}"
        # The ActionID goes first, so that a refused message still names it.
        action = build_action(name, {"ActionID": action_id, **(headers or {})}, variables or {})
        self._check_open()
        if action_id in self._pending:
            raise Broken(f"AMI action {name}: ActionID {action_id} already waits for an answer")
        future: asyncio.Future[Message] = self._loop.create_future()
        timer = self._loop.call_later(timeout_s, self._expire, action_id, name, timeout_s)
        self._pending[action_id] = _Pending(future, timer)
        self._client.send(action)
        return future

    async def collect(
        self, name: str, headers: Mapping[str, str | int] | None = None, *, nothing: str = "", timeout_s: float = 15.0
    ) -> list[Message]:
        """Send an action that is answered by a list of events; return the events.

        Parameters
        ----------
        nothing
            Part of the refusal by which Asterisk says that the list is empty.

        Raises
        ------
        BadInput
            Asterisk does not let this user ask, or does not know the action.
        """
        items: list[Message] = []
        action_id = f"#{next(self._numbers)}"
        answer = self.request(name, headers, action_id=action_id, timeout_s=timeout_s)
        self._pending[action_id].items = items
        response = await answer
        if response.refused and not (nothing and nothing in response.get("Message")):
            raise BadInput(
                f"{self.server.where}: action {name} of AMI user {self.server.user!r} was refused: "
                f"{response.get('Message')}; give the user its class in manager.conf, or load its module"
            )
        return items

    def _check_open(self) -> None:
        if self.lost.done():
            error = self.lost.result()
            raise type(error)(*error.args)

    def _expire(self, action_id: str, name: str, timeout_s: float) -> None:
        pending = self._pending.pop(action_id)
        if not pending.future.done():
            pending.future.set_exception(SwitchLost(f"{self.server.where}: no answer to {name} within {timeout_s:g} s"))

    # ------------------------------------------------------------------ hearing

    def _take(self, messages: list[Message]) -> None:
        """Accept a batch unless too much waits already. Runs in the reader's thread."""
        if len(self._arrived) > self._most_backlog:
            raise SwitchLost(f"{self.server.where}: this side fell {len(self._arrived)} messages behind")
        self._append(messages)

    def _append(self, items: Sequence[Message | _Greeted | Exception]) -> None:
        """Put items into the deque. Runs in the reader's thread."""
        self._arrived.extend(items)
        if not self._awake:
            self._awake = True
            with contextlib.suppress(RuntimeError):  # the loop has ended: nobody listens any more
                self._loop.call_soon_threadsafe(self._hand_on)

    def _hand_on(self) -> None:
        """Hand on what arrived, in the loop, a batch at a time."""
        self._awake = False
        arrived = self._arrived
        for _ in range(_BATCH):
            if not arrived:
                return
            item = arrived.popleft()
            if isinstance(item, Message):
                if item.is_event:
                    self._hear(item)
                else:
                    self._answer(item)
            elif isinstance(item, Exception):
                self._end(item)
            elif not self._greeted.done():
                self._greeted.set_result(None)
        if arrived and not self._awake:
            self._awake = True
            self._loop.call_soon(self._hand_on)

    def _answer(self, response: Message) -> None:
        action_id = response.get("ActionID")
        pending = self._pending.get(action_id)
        if pending is None:
            log.debug("ami_response_to_nobody", node=self.server.node, response=response.name, action_id=action_id)
        elif pending.items is None or response.get("EventList") != "start":
            self._resolve(action_id, pending, response)

    def _hear(self, event: Message) -> None:
        if self._pending:
            action_id = event.get("ActionID")
            pending = self._pending.get(action_id)
            if pending is not None and pending.items is not None:
                if "EventList" in event.headers:  # Complete or Cancelled
                    self._resolve(action_id, pending, event)
                else:
                    pending.items.append(event)
                return
        if event.name == "FullyBooted" and not self._booted.done():
            self._booted.set_result(int(event.get("Uptime", "0")))
        try:
            self._on_event(event)
        except Exception:
            self.handler_errors += 1
            log.exception("ami_handler_failed", node=self.server.node, ami_event=event.name)

    def _resolve(self, action_id: str, pending: _Pending, answer: Message) -> None:
        del self._pending[action_id]
        pending.timer.cancel()
        if not pending.future.done():
            pending.future.set_result(answer)
