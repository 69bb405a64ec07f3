"""The one local control socket of a running engine: JSON lines, server and client.

A request is `{"id": 1, "do": "ready", "agent": "1001"}`; its reply `{"id": 1, "ok": {…}}` or `{"id": 1, "error": "…"}`.
`watch` and `attend` subscribe the connection: later lines without `id` are pushes, `{"push": "board", …}` each second,
`{"push": "agent", …}` at every change of an attended agent, `{"push": "lead", …}` before hello.

Rule 1: whatever arrives here, the loop goes on. A wrong line gets an error, an endless one ends its connection, a
listener that does not read is dropped.
Rule 2: the socket is its owner's alone (0600); what is personal in a push was looked up in the ledger for it.
"""

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any

import msgspec
import structlog

from dialer.desk import Command, DeskCommand
from domain.errors import BadInput, CadenciaError

#: Longest request.
LINE_LIMIT = 64 * 1024
#: Longest reply or push that a client takes; a board of a thousand agents has a tenth of it.
_REPLY_LIMIT = 16 * 1024 * 1024
#: A listener this far behind is dropped.
_BACKLOG_LIMIT = 4 * 1024 * 1024
_BOARD_EVERY_S = 1.0
#: What the kernel takes as the path of a socket.
_PATH_LIMIT = 107

log = structlog.get_logger()


class Status(Command, frozen=True, kw_only=True, tag="status"):
    """The board and the loop's measures, once."""


class Watch(Command, frozen=True, kw_only=True, tag="watch"):
    """The same, each second."""


class Attend(Command, frozen=True, kw_only=True, tag="attend"):
    """Pushes for these agents; the reply says how they stand."""

    agents: tuple[str, ...]


class Load(Command, frozen=True, kw_only=True, tag="load"):
    """Make a campaign's list anew, e.g. after an import; answered once it is loaded."""

    campaign: str


class TakeRules(Command, frozen=True, kw_only=True, tag="rules"):
    """Go on under an accepted version of the rule packs; answered once they are in force."""

    version: str


class End(Command, frozen=True, kw_only=True, tag="end"):
    """End the run: dial nothing new, wait for the calls up to a limit, leave."""

    within_s: float = 120.0


Request = DeskCommand | Status | Watch | Attend | Load | TakeRules | End

_requests: msgspec.json.Decoder[Request] = msgspec.json.Decoder(Request)
_encode = msgspec.json.Encoder().encode
_decode: Callable[[bytes], dict[str, Any]] = msgspec.json.decode


class _Id(msgspec.Struct):
    id: int = 0


_ids = msgspec.json.Decoder(_Id)


class Behind(msgspec.Struct, frozen=True, kw_only=True):
    """What the server asks of the loop behind it."""

    #: Carry out a desk command; returns what the reply holds.
    obey: Callable[[DeskCommand], Awaitable[dict[str, Any]]]
    #: Load a campaign's list anew; returns how many people are on it.
    load: Callable[[str], Awaitable[dict[str, Any]]]
    #: Put a version of the rules in force; returns what that changed.
    rules: Callable[[str], Awaitable[dict[str, Any]]]
    #: The board and measures of this moment.
    status: Callable[[], dict[str, Any]]
    #: How an agent stands, as its push says it; None: not on this floor.
    stand: Callable[[str], msgspec.Struct | None]
    #: End the run within so many seconds.
    end: Callable[[float], None]


class Server:
    """Serves the control socket until closed."""

    def __init__(self, path: Path, behind: Behind) -> None:
        self._path = path
        self._behind = behind
        self._server: asyncio.Server | None = None
        self._boards: asyncio.Task[None] | None = None
        self._connections: dict[asyncio.StreamWriter, asyncio.Task[None]] = {}
        self._watchers: dict[asyncio.StreamWriter, None] = {}
        self._attended: dict[str, dict[asyncio.StreamWriter, None]] = {}

    async def open(self) -> None:
        """Bind the socket.

        Raises
        ------
        BadInput
            When another engine serves it, or its path is too long for the system.
        """
        if len(os.fsencode(self._path)) > _PATH_LIMIT:
            raise BadInput(
                f"control socket: the path {self._path} has over {_PATH_LIMIT} bytes, more than the system takes; "
                "use a working folder with a shorter path"
            )
        if self._path.exists():
            with socket.socket(socket.AF_UNIX) as probe:
                try:
                    probe.connect(str(self._path))
                except ConnectionRefusedError:
                    self._path.unlink()  # its engine died
                else:
                    raise BadInput(
                        f"control socket {self._path}: an engine already serves this folder; "
                        "see `cadencia status`, or end it with `cadencia stop`"
                    )
        mask = os.umask(0o177)
        try:
            self._server = await asyncio.start_unix_server(self._serve, self._path, limit=LINE_LIMIT)
        finally:
            os.umask(mask)
        self._boards = asyncio.create_task(self._push_boards())

    async def close(self) -> None:
        if self._server is None:
            return
        self._server.close()
        assert self._boards is not None
        self._boards.cancel()
        serving = list(self._connections.values())
        for writer in list(self._connections):
            writer.close()
        await asyncio.gather(self._boards, *serving, return_exceptions=True)
        self._path.unlink(missing_ok=True)

    def attended(self, agent: str) -> bool:
        """Return whether anybody listens to an agent's pushes."""
        return bool(self._attended.get(agent))

    def push(self, agent: str, message: msgspec.Struct) -> None:
        """Send a push to whoever attends an agent."""
        if listeners := self._attended.get(agent):
            line = _encode(message) + b"\n"
            for writer in list(listeners):
                self._send(writer, line)

    # ---- connections

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections[writer] = task
        try:
            while True:
                try:
                    line = await reader.readline()
                except ValueError:
                    error = f"a request may have {LINE_LIMIT} bytes, this one has more; send less at once"
                    self._send(writer, _encode({"id": 0, "error": error}) + b"\n")
                    break
                if not line:
                    break
                if line.strip():
                    self._send(writer, _encode(await self._reply(line, writer)) + b"\n")
        except ConnectionError:
            pass  # the other side left
        finally:
            self._forget(writer)
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()

    async def _reply(self, line: bytes, writer: asyncio.StreamWriter) -> dict[str, Any]:
        number = 0
        try:
            number = _ids.decode(line).id
            request = _requests.decode(line)
            return {"id": number, "ok": await self._answer(request, writer)}
        except msgspec.DecodeError as error:
            return {"id": number, "error": f"request cannot be read: {error}; send one JSON object a line with `do`"}
        except CadenciaError as error:
            return {"id": number, "error": str(error)}

    async def _answer(self, request: Request, writer: asyncio.StreamWriter) -> dict[str, Any]:
        match request:
            case Status():
                return self._behind.status()
            case Watch():
                self._watchers[writer] = None
                return self._behind.status()
            case Attend():
                for agent in request.agents:
                    self._attended.setdefault(agent, {})[writer] = None
                return {"agents": [stand for agent in request.agents if (stand := self._behind.stand(agent))]}
            case Load():
                return await self._behind.load(request.campaign)
            case TakeRules():
                return await self._behind.rules(request.version)
            case End():
                if not 0 <= request.within_s <= 3600:
                    raise BadInput(f"end: within_s must be in [0, 3600], was {request.within_s:g}; correct it")
                self._behind.end(request.within_s)
                return {}
            case _:
                return await self._behind.obey(request)

    def _send(self, writer: asyncio.StreamWriter, line: bytes) -> None:
        if writer.transport.get_write_buffer_size() > _BACKLOG_LIMIT:
            log.warning("control_listener_dropped", why="it does not read")
            self._forget(writer)
            writer.transport.abort()
        else:
            writer.write(line)

    def _forget(self, writer: asyncio.StreamWriter) -> None:
        self._connections.pop(writer, None)
        self._watchers.pop(writer, None)
        for listeners in self._attended.values():
            listeners.pop(writer, None)

    async def _push_boards(self) -> None:
        while True:
            await asyncio.sleep(_BOARD_EVERY_S)
            if self._watchers:
                line = _encode({"push": "board", **self._behind.status()}) + b"\n"
                for writer in list(self._watchers):
                    self._send(writer, line)


class Client:
    """An asynchronous client; open with `Client.open`.

    Attributes
    ----------
    pushes : asyncio.Queue
        Pushes in order of arrival; None once the connection is gone.
    """

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._ids = count(1)
        self._asked: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self.pushes: asyncio.Queue[dict[str, Any] | None] = asyncio.Queue()
        self._listener = asyncio.create_task(self._listen())

    @classmethod
    async def open(cls, path: Path) -> "Client":
        """Connect to the engine of a working folder.

        Raises
        ------
        BadInput
            When none runs there.
        """
        try:
            return cls(*await asyncio.open_unix_connection(path, limit=_REPLY_LIMIT))
        except OSError as error:
            raise _nobody(path) from error

    async def ask(self, do: str, **fields: Any) -> dict[str, Any]:
        """Send a request and return the reply's content.

        Raises
        ------
        BadInput
            When the engine refuses; the text is its own.
        ConnectionError
            When the engine goes away before it answers.
        """
        if self._listener.done():
            raise ConnectionResetError("the engine has gone")
        number = next(self._ids)
        reply: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._asked[number] = reply
        self._writer.write(_encode({"id": number, "do": do, **fields}) + b"\n")
        return await reply

    async def close(self) -> None:
        self._listener.cancel()
        await asyncio.gather(self._listener, return_exceptions=True)
        self._writer.close()
        with suppress(ConnectionError):
            await self._writer.wait_closed()

    async def _listen(self) -> None:
        try:
            while line := await self._reader.readline():
                message = _decode(line)
                if "push" in message:
                    self.pushes.put_nowait(message)
                elif (reply := self._asked.pop(message["id"], None)) is not None and not reply.done():
                    if "error" in message:
                        reply.set_exception(BadInput(message["error"]))
                    else:
                        reply.set_result(message["ok"])
        except ConnectionError:
            pass
        finally:
            for reply in self._asked.values():
                if not reply.done():
                    reply.set_exception(ConnectionResetError("the engine has gone"))
            self.pushes.put_nowait(None)


def ask(path: Path, do: str, timeout_s: float = 10.0, **fields: Any) -> dict[str, Any]:
    """Send one request from a program that has no loop; see `Client.ask`."""
    with _connected(path, timeout_s) as connection, connection.makefile("rwb") as stream:
        stream.write(_encode({"id": 1, "do": do, **fields}) + b"\n")
        stream.flush()
        return _content(stream.readline(_REPLY_LIMIT))


def serves(path: Path) -> bool:
    """Return whether an engine answers at a socket."""
    try:
        _connected(path, 10.0).close()
    except BadInput:
        return False
    return True


def watch(path: Path, timeout_s: float = 10.0) -> Iterator[dict[str, Any]]:
    """Yield the board and measures of a running engine, each second until it ends."""
    with _connected(path, timeout_s) as connection, connection.makefile("rwb") as stream:
        stream.write(_encode({"id": 1, "do": "watch"}) + b"\n")
        stream.flush()
        yield _content(stream.readline(_REPLY_LIMIT))
        while line := stream.readline(_REPLY_LIMIT):
            yield _decode(line)


def _connected(path: Path, timeout_s: float) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(timeout_s)
    try:
        connection.connect(str(path))
    except OSError as error:
        connection.close()
        raise _nobody(path) from error
    return connection


def _content(line: bytes) -> dict[str, Any]:
    if not line:
        raise ConnectionResetError("the engine has gone")
    message = _decode(line)
    if "error" in message:
        raise BadInput(message["error"])
    content: dict[str, Any] = message["ok"]
    return content


def _nobody(path: Path) -> BadInput:
    return BadInput(f"no engine answers at {path}; start one with `cadencia run`, or name its folder")
