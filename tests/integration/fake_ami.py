"""A manager interface that does what a test tells it: answer, keep silent, flood, die in mid-sentence."""

import asyncio
import contextlib
import ssl
from collections.abc import Callable
from types import TracebackType

Handler = Callable[["Session", dict[str, str]], None]


def event(name: str, *headers: tuple[str, object]) -> bytes:
    """Return an event as it goes over the wire."""
    return "".join([f"Event: {name}\r\n", *(f"{key}: {value}\r\n" for key, value in headers), "\r\n"]).encode()


class Session:
    """One client of the fake."""

    def __init__(self, writer: asyncio.StreamWriter):
        self.writer = writer
        self.actions: list[dict[str, str]] = []

    def send(self, data: bytes) -> None:
        self.writer.write(data)

    def answer(self, action: dict[str, str], status: str = "Success", *headers: tuple[str, object]) -> None:
        lines = [f"Response: {status}\r\n", f"ActionID: {action['ActionID']}\r\n"]
        self.send("".join([*lines, *(f"{key}: {value}\r\n" for key, value in headers), "\r\n"]).encode())


class FakeAmi:
    """A manager on loopback. `handlers` says what follows each action; an action without one is refused."""

    def __init__(self, *, host: str = "127.0.0.1", tls: ssl.SSLContext | None = None, reading: bool = True):
        self.host = host
        self.port = 0
        self.tls = tls
        self.greeting = b"Asterisk Call Manager/11.0.0\r\n"
        self.uptime_s = 1000
        self.secret = "right"
        #: False leaves what clients send in the kernel's buffers.
        self.reading = reading
        self.sessions: list[Session] = []
        self.handlers: dict[str, Handler] = {
            "Login": self.log_in,
            "Ping": lambda session, action: session.answer(action, "Success", ("Ping", "Pong")),
        }
        self._server: asyncio.Server | None = None

    def log_in(self, session: Session, action: dict[str, str]) -> None:
        if action["Secret"] != self.secret:
            session.answer(action, "Error", ("Message", "Authentication failed"))
            session.writer.close()
            return
        session.answer(action, "Success", ("Message", "Authentication accepted"))
        session.send(event("FullyBooted", ("Uptime", self.uptime_s), ("Status", "Fully Booted")))

    @property
    def actions(self) -> list[dict[str, str]]:
        """Return every action of every session, in order."""
        return [action for session in self.sessions for action in session.actions]

    def named(self, name: str) -> list[dict[str, str]]:
        return [action for action in self.actions if action["Action"] == name]

    async def __aenter__(self) -> "FakeAmi":
        await self.listen()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def listen(self) -> None:
        self._server = await asyncio.start_server(self._accept, self.host, self.port, ssl=self.tls)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Refuse new clients and reset those that are there."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for session in self.sessions:
            session.writer.transport.abort()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        session = Session(writer)
        self.sessions.append(session)
        session.send(self.greeting)
        if not self.reading:
            writer.transport.pause_reading()  # type: ignore[attr-defined]
            return
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                text = (await reader.readuntil(b"\r\n\r\n")).decode()
                action = dict(line.split(": ", 1) for line in text.split("\r\n") if line)
                session.actions.append(action)
                handler = self.handlers.get(action["Action"])
                if handler is None:
                    session.answer(action, "Error", ("Message", "Invalid/unknown command"))
                else:
                    handler(session, action)
