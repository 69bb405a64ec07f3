"""The link to one switch node, kept for ever: connect, log in, tell that it is up, watch, lose, wait, again.

What is lost comes back without anybody's help; only what an operator must change (a wrong secret, an untrusted
certificate) ends the link, at once.
"""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

import structlog

from dialer.asterisk.client import AmiServer, Message
from dialer.asterisk.connection import Connection
from domain.errors import SwitchLost

log = structlog.get_logger()

#: Uptime counts whole seconds and travels; two estimates of one start differ by less than this.
_SAME_START_S = 3.0
#: The watchdog divides its patience into so many ticks, so that one long stop of this process costs one tick.
_TICKS = 6


def exponential_delays(first_s: float, longest_s: float, chance: Callable[[], float]) -> Callable[[int], float]:
    """Return the back-off of a link: the n-th delay doubles up to a ceiling, and is then cut by up to a half.

    Parameters
    ----------
    chance
        Gives a number in [0, 1) for each delay, so that many links do not come back in step.
    """
    return lambda attempt: min(longest_s, first_s * 2.0 ** min(attempt, 60)) * (1.0 - chance() / 2.0)


class Link:
    """A connection that is rebuilt whenever it is lost.

    Parameters
    ----------
    on_event
        Called in the loop with each event.
    on_up
        Awaited after each log-in, while events already flow; told whether Asterisk was started anew since the last
        connection. The link counts as up from its beginning.
    on_down
        Called with the reason, once per outage (also when the first connection fails).
    delays
        Seconds to wait after the n-th failure in a row, n from 0.
    silence_s
        A link on which nothing was heard for so long, not even the answer to our Ping, is given up.
    """

    def __init__(
        self,
        server: AmiServer,
        *,
        on_event: Callable[[Message], None],
        on_up: Callable[[bool], Coroutine[Any, Any, None]],
        on_down: Callable[[str], None],
        delays: Callable[[int], float],
        silence_s: float = 6.0,
        most_backlog: int = 20_000,
    ):
        self.server = server
        self._on_event = on_event
        self._on_up = on_up
        self._on_down = on_down
        self._delays = delays
        self._silence_s = silence_s
        self._most_backlog = most_backlog
        self._connection: Connection | None = None
        #: By the loop's clock; None before the first connection.
        self._started_s: float | None = None

    @property
    def is_up(self) -> bool:
        """Tell whether actions can be sent."""
        return self._connection is not None

    async def run(self) -> None:
        """Keep the link until cancelled.

        Raises
        ------
        BadInput
            An operator has to change something first.
        """
        failures = 0
        told = False
        while True:
            connection = Connection(self.server, self._on_event, self._most_backlog)
            try:
                uptime_s = await connection.open()
                self._connection = connection
                failures, told = 0, False
                await self._serve(connection, self._started_anew(uptime_s))
            except SwitchLost as lost:
                reason = str(lost)
            finally:
                self._connection = None
                connection.drop("closed by this side")
            if not told:
                told = True
                self._on_down(reason)
            delay_s = self._delays(failures)
            failures += 1
            log.info("ami_link_lost", node=self.server.node, why=reason, next_try_s=round(delay_s, 2))
            await asyncio.sleep(delay_s)

    def _started_anew(self, uptime_s: int) -> bool:
        before_s, self._started_s = self._started_s, asyncio.get_running_loop().time() - uptime_s
        return before_s is not None and self._started_s - before_s > _SAME_START_S

    async def _serve(self, connection: Connection, restarted: bool) -> None:
        """Hold a connection until it is lost; always raises."""
        up = asyncio.ensure_future(self._on_up(restarted))
        watchdog = asyncio.ensure_future(self._watch(connection))
        try:
            ends: set[asyncio.Future[Any]] = {up, connection.lost}
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            if not connection.lost.done():
                up.result()  # a refusal that an operator must mend ends the link
                await asyncio.wait({connection.lost})
            raise connection.lost.result()
        finally:
            up.cancel()
            watchdog.cancel()
            await asyncio.gather(up, watchdog, return_exceptions=True)

    async def _watch(self, connection: Connection) -> None:
        silent = heard = 0
        while True:
            await asyncio.sleep(self._silence_s / _TICKS)
            silent = silent + 1 if connection.octets == heard else 0
            heard = connection.octets
            if silent == _TICKS:
                connection.drop(f"nothing heard for {self._silence_s:g} s")
            elif silent == _TICKS // 2:
                ping = connection.request("Ping", timeout_s=self._silence_s)
                ping.add_done_callback(_ignore)

    # ------------------------------------------------------------------ use

    def request(
        self,
        name: str,
        headers: Mapping[str, str | int] | None = None,
        variables: Mapping[str, str | int] | None = None,
        *,
        action_id: str | None = None,
        timeout_s: float = 5.0,
    ) -> asyncio.Future[Message]:
        """Send an action now, as `Connection.request`; `SwitchLost` at once while the link is down."""
        return self._now().request(name, headers, variables, action_id=action_id, timeout_s=timeout_s)

    async def collect(
        self, name: str, headers: Mapping[str, str | int] | None = None, *, nothing: str = ""
    ) -> list[Message]:
        """Return the events that answer an action, as `Connection.collect`."""
        return await self._now().collect(name, headers, nothing=nothing)

    def _now(self) -> Connection:
        if self._connection is None:
            raise SwitchLost(f"{self.server.node}: the link to {self.server.where} is down")
        return self._connection

    def drop(self, reason: str) -> None:
        """Give up the present connection; the link builds another."""
        if self._connection is not None:
            self._connection.drop(reason)


def _ignore(answer: asyncio.Future[Message]) -> None:
    """Read the exception of an answer that nobody waits for."""
    if not answer.cancelled():
        answer.exception()
