"""A TCP proxy that spoils a connection on demand: cut, half-open, slow, split. Reusable by any test of a link."""

import asyncio
import contextlib
from types import TracebackType


class FaultProxy:
    """Stands between a client and `target`; listens on loopback, on a port of its own.

    Faults are attributes, read before each piece is forwarded, so a test sets them while traffic flows.
    """

    def __init__(self, target_port: int, target_host: str = "127.0.0.1"):
        self.port = 0
        #: Forward nothing more, in neither direction, and close nothing: what a dead router does.
        self.half_open = False
        #: Forward pieces of this many bytes, each in a packet of its own; None forwards what came.
        self.piece_bytes: int | None = None
        #: Wait so long after each piece.
        self.delay_s = 0.0
        #: Connections accepted so far.
        self.accepted = 0
        self._target = (target_host, target_port)
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> "FaultProxy":
        await self.listen()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.refuse()
        self.cut()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def listen(self) -> None:
        """Accept connections, on the same port as before if there was one."""
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def refuse(self) -> None:
        """Accept no new connection; those that stand go on."""
        if self._server is not None:
            self._server.close()
            self._server = None

    def cut(self) -> None:
        """Reset every connection."""
        for writer in list(self._writers):
            writer.transport.abort()
        self._writers.clear()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        self._writers.add(writer)
        try:
            far_reader, far_writer = await asyncio.open_connection(*self._target)
        except OSError:
            writer.transport.abort()
            return
        self._writers.add(far_writer)
        for source, sink in ((reader, far_writer), (far_reader, writer)):
            task = asyncio.create_task(self._forward(source, sink))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _forward(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, OSError):
            while data := await source.read(1 << 16):
                step = self.piece_bytes or len(data)
                for start in range(0, len(data), step):
                    if self.half_open:
                        await asyncio.Event().wait()  # for ever, until the proxy ends
                    sink.write(data[start : start + step])
                    await sink.drain()
                    await asyncio.sleep(self.delay_s)
        sink.close()
