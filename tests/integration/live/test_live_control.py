"""The control socket: what arrives wrong, too long, too slow or too late does no harm."""

import asyncio
import socket
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import msgspec
import pytest

from dialer import control
from dialer.control import LINE_LIMIT, Behind, Client, Server
from dialer.desk import DeskCommand, Pause
from dialer.screens import AgentPush
from domain.errors import BadInput
from tests.integration.live.scene import until


class Recorder:
    """Stands behind the socket and notes what comes through."""

    def __init__(self) -> None:
        self.obeyed: list[DeskCommand] = []
        self.ended: list[float] = []

    def behind(self) -> Behind:
        return Behind(
            obey=self.obey,
            load=self.load,
            rules=self.rules,
            status=lambda: {"board": {"size": "x" * 1000}},
            stand=lambda agent: stands(agent) if agent != "nobody" else None,
            end=self.ended.append,
        )

    async def obey(self, command: DeskCommand) -> dict[str, Any]:
        if isinstance(command, Pause):
            raise BadInput("pause: no; work on")
        self.obeyed.append(command)
        return {"durable": True}

    async def load(self, campaign: str) -> dict[str, Any]:
        return {"people": len(campaign)}

    async def rules(self, version: str) -> dict[str, Any]:
        return {"rules": version}


def stands(agent: str, state: str = "ready") -> AgentPush:
    return AgentPush(agent=agent, state=state, reason="", since_us=1, call_id=None)


@asynccontextmanager
async def served(folder: Path) -> AsyncIterator[tuple[Server, Recorder, Path]]:
    recorder, path = Recorder(), folder / "cadencia.sock"
    server = Server(path, recorder.behind())
    await server.open()
    try:
        yield server, recorder, path
    finally:
        await server.close()


@asynccontextmanager
async def client(path: Path) -> AsyncIterator[Client]:
    opened = await Client.open(path)
    try:
        yield opened
    finally:
        await opened.close()


async def test_requests_are_answered_in_order_with_their_ids(tmp_path: Path) -> None:
    async with served(tmp_path) as (_, recorder, path), client(path) as one:
        answers = await asyncio.gather(
            one.ask("ready", agent="a1"), one.ask("load", campaign="es"), one.ask("status"), one.ask("end", within_s=3)
        )
        assert answers[:2] == [{"durable": True}, {"people": 2}]
        assert answers[2]["board"]["size"]
        with pytest.raises(BadInput, match="work on"):
            await one.ask("pause", agent="a1", reason="break")
        with pytest.raises(BadInput, match=r"within_s must be in \[0, 3600\]"):
            await one.ask("end", within_s=-1)
    assert [command.agent for command in recorder.obeyed] == ["a1"]  # type: ignore[union-attr]
    assert recorder.ended == [3.0]


async def raw(path: Path, *lines: bytes) -> list[dict[str, Any]]:
    """Send bytes and return what comes back."""
    reader, writer = await asyncio.open_unix_connection(path)
    writer.write(b"".join(lines))
    writer.write_eof()
    found = []
    with suppress(ConnectionResetError):
        while line := await reader.readline():
            found.append(msgspec.json.decode(line))
    writer.close()
    return found


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (b"hello\n", "cannot be read"),
        (b"[1, 2]\n", "cannot be read"),
        (b"\xff\xfe\n", "cannot be read"),
        (b'{"id": 7, "do": "dance"}\n', "Invalid value 'dance'"),
        (b'{"id": 7, "do": "ready"}\n', "missing required field `agent`"),
        (b'{"id": 7, "do": "ready", "agent": 5}\n', "Expected `str`, got `int`"),
        (b'{"id": 7, "do": "ready", "agent": "a1", "now": true}\n', "unknown field `now`"),
    ],
)
async def test_a_wrong_line_gets_an_error_and_the_next_is_heard(line: bytes, says: str, tmp_path: Path) -> None:
    async with served(tmp_path) as (_, recorder, path):
        first, second = await raw(path, line, b"\n", b'{"id": 8, "do": "ready", "agent": "a1"}\n')
    assert says in first["error"]
    assert first["id"] in (0, 7)
    assert second == {"id": 8, "ok": {"durable": True}}
    assert len(recorder.obeyed) == 1


async def test_an_endless_line_ends_its_connection_and_no_other(tmp_path: Path) -> None:
    async with served(tmp_path) as (_, _, path), client(path) as other:
        (answer,) = await raw(path, b"x" * (LINE_LIMIT * 3))
        assert f"may have {LINE_LIMIT} bytes" in answer["error"]
        assert await other.ask("ready", agent="a1") == {"durable": True}


async def test_pushes_reach_those_who_attend(tmp_path: Path) -> None:
    async with served(tmp_path) as (server, _, path), client(path) as one, client(path) as two:
        assert not server.attended("a1")
        answer = await one.ask("attend", agents=["a1", "nobody"])
        assert answer == {"agents": [msgspec.to_builtins(stands("a1"))]}
        await two.ask("attend", agents=["a2"])
        assert server.attended("a1")
        server.push("a1", stands("a1", "talking"))
        server.push("a2", stands("a2", "wrapup"))
        assert (await one.pushes.get())["state"] == "talking"  # type: ignore[index]
        assert (await two.pushes.get())["state"] == "wrapup"  # type: ignore[index]
        await one.close()
        await until(lambda: not server.attended("a1"))


async def test_the_board_comes_each_second_until_the_engine_goes(tmp_path: Path) -> None:
    async with served(tmp_path) as (server, _, path), client(path) as one:
        assert "board" in await one.ask("watch")
        push = await one.pushes.get()
        assert push is not None
        assert push["push"] == "board"
        await server.close()
        assert await one.pushes.get() is None
        with pytest.raises(ConnectionError):
            await one.ask("status")


async def test_a_listener_that_does_not_read_is_dropped(tmp_path: Path) -> None:
    async with served(tmp_path) as (server, _, path):
        with socket.socket(socket.AF_UNIX) as deaf:
            deaf.connect(str(path))
            deaf.sendall(b'{"do": "attend", "agents": ["a1"]}\n')
            await until(lambda: server.attended("a1"))
            for _ in range(200):
                server.push("a1", stands("a1", "x" * 50_000))
            assert not server.attended("a1")


async def test_the_socket_is_its_owners_alone_and_goes_with_the_engine(tmp_path: Path) -> None:
    async with served(tmp_path) as (_, _, path):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert not path.exists()


async def test_a_dead_socket_is_replaced_and_a_live_one_refused(tmp_path: Path) -> None:
    path = tmp_path / "cadencia.sock"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    async with served(tmp_path) as (_, recorder, _), client(path) as one:
        with pytest.raises(BadInput, match="already serves this folder"):
            await Server(path, recorder.behind()).open()
        assert await one.ask("ready", agent="a1") == {"durable": True}


async def test_where_no_engine_runs_the_client_says_so(tmp_path: Path) -> None:
    for path in (tmp_path / "cadencia.sock", tmp_path / ("deep" * 40) / "cadencia.sock"):
        with pytest.raises(BadInput, match="cadencia run"):
            await Client.open(path)
        with pytest.raises(BadInput, match="cadencia run"):
            control.ask(path, "status")


async def test_a_path_too_long_for_a_socket_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="shorter path"):
        await Server(tmp_path / ("deep" * 40) / "cadencia.sock", Recorder().behind()).open()


async def test_programs_without_a_loop_ask_and_watch(tmp_path: Path) -> None:
    async with served(tmp_path) as (server, recorder, path):
        assert await asyncio.to_thread(control.ask, path, "ready", agent="a1") == {"durable": True}
        with pytest.raises(BadInput, match="work on"):
            await asyncio.to_thread(control.ask, path, "pause", agent="a1", reason="break")
        boards = control.watch(path)
        for _ in range(2):
            assert "board" in await asyncio.to_thread(next, boards)
        await server.close()
        assert await asyncio.to_thread(next, boards, None) is None
    assert len(recorder.obeyed) == 1
