"""One AMI connection against a manager that misbehaves in every way that was seen."""

import asyncio
import contextlib
import socket
import ssl
import threading
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from dialer.asterisk.client import AmiServer, Message
from dialer.asterisk.connection import Connection
from domain.errors import BadInput, Broken, SwitchLost
from tests.integration.fake_ami import FakeAmi, Session, event
from tests.integration.fault_proxy import FaultProxy
from tests.integration.waiting import eventually

FIXTURES = Path(__file__).parent / "fixtures"


@pytest.fixture(autouse=True)
def _secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AMI_SECRET", "right")


def run(test: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(test, 30))
    assert [thread.name for thread in threading.enumerate() if thread.name.startswith("ami-")] == []


def server(port: int, **changes: Any) -> AmiServer:
    fields: dict[str, Any] = {
        "node": "main",
        "host": "127.0.0.1",
        "port": port,
        "user": "dialer",
        "connect_timeout_s": 2.0,
    }
    return AmiServer(**{**fields, **changes})


@asynccontextmanager
async def opened(port: int, events: list[Message] | None = None, **changes: Any) -> AsyncIterator[Connection]:
    heard: list[Message] = [] if events is None else events
    connection = Connection(server(port, **changes), heard.append)
    try:
        await connection.open()
        yield connection
    finally:
        await ended(connection)


async def ended(connection: Connection) -> None:
    """Drop a connection and wait for its thread."""
    connection.drop("test over")
    await eventually(lambda: f"ami-{connection.server.node}" not in {thread.name for thread in threading.enumerate()})


def names(events: list[Message]) -> list[str]:
    return [message.name for message in events if message.name != "FullyBooted"]


def test_log_in_gives_the_uptime_and_events_flow() -> None:
    async def test() -> None:
        events: list[Message] = []
        async with FakeAmi() as fake:
            fake.uptime_s = 77
            connection = Connection(server(fake.port), events.append)
            assert await connection.open() == 77
            fake.sessions[0].send(event("Hangup", ("Uniqueid", "floor-1"), ("Cause", 16)))
            await eventually(lambda: names(events) == ["Hangup"])
            assert events[-1].headers == {"Event": "Hangup", "Uniqueid": "floor-1", "Cause": "16"}
            await ended(connection)

    run(test())


def test_a_wrong_password_names_host_user_and_variable() -> None:
    async def test() -> None:
        async with FakeAmi() as fake:
            fake.secret = "another"
            with pytest.raises(BadInput, match=rf"127\.0\.0\.1:{fake.port}: AMI user 'dialer'.*AMI_SECRET"):
                async with opened(fake.port):
                    pass

    run(test())


def test_a_missing_secret_says_which_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AMI_SECRET")

    async def test() -> None:
        async with FakeAmi() as fake:
            with pytest.raises(BadInput, match=r"environment variable AMI_SECRET is not set.*'dialer'"):
                async with opened(fake.port):
                    pass
            assert fake.sessions == []

    run(test())


def test_shutting_down_is_no_wrong_password() -> None:
    async def test() -> None:
        async with FakeAmi() as fake:
            fake.handlers["Login"] = lambda session, action: session.answer(
                action, "Error", ("Message", "Asterisk is shutting down")
            )
            with pytest.raises(SwitchLost, match="Asterisk is shutting down"):
                async with opened(fake.port):
                    pass

    run(test())


def test_a_refused_connection_is_a_lost_switch() -> None:
    async def test() -> None:
        async with FakeAmi() as fake:
            port = fake.port
        with pytest.raises(SwitchLost, match="refused"):
            async with opened(port):
                pass

    run(test())


def test_silence_after_connecting_is_a_lost_switch() -> None:
    async def test() -> None:
        async with FakeAmi() as fake:
            fake.greeting = b""
            with pytest.raises(SwitchLost, match="no greeting within"):
                async with opened(fake.port, connect_timeout_s=0.2):
                    pass
            fake.greeting = b"Asterisk Call Manager/11.0.0\r\n"
            fake.handlers["Login"] = lambda session, action: None
            with pytest.raises(SwitchLost, match="no answer to Login within"):
                async with opened(fake.port, connect_timeout_s=0.2):
                    pass
            fake.handlers["Login"] = lambda session, action: session.answer(action)
            with pytest.raises(SwitchLost, match="no FullyBooted"):
                async with opened(fake.port, connect_timeout_s=0.2):
                    pass

    run(test())


def test_a_close_before_the_greeting_is_a_lost_switch() -> None:
    async def test() -> None:
        async with FakeAmi() as fake:
            fake.greeting = b""
            connection = Connection(server(fake.port), lambda message: None)
            opening = asyncio.create_task(connection.open())
            await eventually(lambda: len(fake.sessions) == 1)
            fake.sessions[0].writer.close()
            with pytest.raises(SwitchLost, match="closed by the switch"):
                await opening
            await ended(connection)

    run(test())


def test_another_protocol_on_the_port_is_bad_input() -> None:
    async def test() -> None:
        async with FakeAmi() as fake:
            fake.greeting = b"HTTP/1.1 400 Bad Request\r\n\r\n"
            with pytest.raises(BadInput, match=r"no Asterisk manager listens here.*HTTP/1\.1 400"):
                async with opened(fake.port):
                    pass

    run(test())


@pytest.mark.parametrize("piece_bytes", [1, 2, 3, 7])
def test_pieces_that_end_inside_a_character_or_a_line_end(piece_bytes: int) -> None:
    async def test() -> None:
        events: list[Message] = []
        async with FakeAmi() as fake, FaultProxy(fake.port) as proxy, opened(proxy.port, events) as connection:
            proxy.piece_bytes = piece_bytes
            for number in range(20):
                fake.sessions[0].send(event("Newchannel", ("CallerIDName", "Peñarol Ñuñoa ☎ 🎧"), ("Number", number)))
            await eventually(lambda: len(names(events)) == 20)
            assert [message.get("Number") for message in events[-20:]] == [str(number) for number in range(20)]
            assert {message.get("CallerIDName") for message in events[-20:]} == {"Peñarol Ñuñoa ☎ 🎧"}
            assert not connection.lost.done()

    run(test())


@pytest.mark.parametrize("line_break", ["\u2028", "\u2029", "\x85", "\x0b", "\x0c", "\x1c", "\x1d", "\x1e", "\r", "\n"])
def test_no_character_but_cr_lf_forges_a_header(line_break: str) -> None:
    async def test() -> None:
        events: list[Message] = []
        async with FakeAmi() as fake, opened(fake.port, events):
            name = f"Eve{line_break}Uniqueid: forged"
            fake.sessions[0].send(event("Newchannel", ("Uniqueid", "floor-7"), ("CallerIDName", name), ("Cause", 1)))
            await eventually(lambda: len(names(events)) == 1)
            assert events[-1].get("Uniqueid") == "floor-7"
            assert events[-1].get("CallerIDName") == name

    run(test())


def test_repeated_headers_are_lists_and_a_missing_blank_is_forgiven() -> None:
    async def test() -> None:
        events: list[Message] = []
        async with FakeAmi() as fake, opened(fake.port, events):
            fake.sessions[0].send(
                b"Event: UserEvent\r\nVariable: A=1\r\nVariable: B=2\r\nKey:value\r\nVariable: C\r\nEmpty:\r\n\r\n"
            )
            await eventually(lambda: len(names(events)) == 1)
            message = events[-1]
            assert message.all("Variable") == ["A=1", "B=2", "C"]
            assert (message.get("Variable"), message.get("Key"), message.get("Empty")) == ("A=1", "value", "")
            assert message.all("Absent") == []

    run(test())


def test_a_handler_that_raises_stops_nothing() -> None:
    async def test() -> None:
        heard: list[str] = []

        def fail(message: Message) -> None:
            heard.append(message.name)
            raise ValueError("handler")

        async with FakeAmi() as fake:
            connection = Connection(server(fake.port), fail)
            await connection.open()
            for _ in range(3):
                fake.sessions[0].send(event("Hangup"))
            await eventually(lambda: heard.count("Hangup") == 3)
            assert connection.handler_errors == len(heard)
            assert not (await connection.request("Ping")).refused
            await ended(connection)

    run(test())


def test_answers_out_of_order_find_their_actions() -> None:
    async def test() -> None:
        waiting: list[dict[str, str]] = []
        async with FakeAmi() as fake, opened(fake.port) as connection:
            fake.handlers["Redirect"] = lambda session, action: waiting.append(action)
            answers = [connection.request("Redirect", {"Channel": f"floor-{n}"}) for n in range(5)]
            await eventually(lambda: len(waiting) == 5)
            for action in reversed(waiting):
                fake.sessions[0].answer(action, "Success", ("Message", action["Channel"]))
            assert [(await answer).get("Message") for answer in answers] == [f"floor-{n}" for n in range(5)]

    run(test())


def test_an_unanswered_action_fails_and_is_forgotten() -> None:
    async def test() -> None:
        async with FakeAmi() as fake, opened(fake.port) as connection:
            late: list[dict[str, str]] = []
            fake.handlers["Redirect"] = lambda session, action: late.append(action)
            with pytest.raises(SwitchLost, match=r"no answer to Redirect within 0\.05 s"):
                await connection.request("Redirect", timeout_s=0.05)
            assert connection.unanswered == 0
            fake.sessions[0].answer(late[0])  # to nobody
            assert not (await connection.request("Ping")).refused

    run(test())


def test_one_action_id_cannot_wait_twice() -> None:
    async def test() -> None:
        async with FakeAmi() as fake, opened(fake.port) as connection:
            fake.handlers["Originate"] = lambda session, action: None
            first = connection.request("Originate", action_id="floor-9")
            with pytest.raises(Broken, match="floor-9"):
                connection.request("Originate", action_id="floor-9")
            first.cancel()

    run(test())


def test_a_death_in_mid_originate_fails_what_waits_after_the_last_words() -> None:
    async def test() -> None:
        events: list[Message] = []

        def die(session: Session, action: dict[str, str]) -> None:
            session.send(event("Newchannel", ("Uniqueid", action["ActionID"])) * 50 + b"Response: Succ")
            session.writer.close()

        async with FakeAmi() as fake, opened(fake.port, events) as connection:
            fake.handlers["Originate"] = die
            answer = connection.request("Originate", {"Channel": "PJSIP/1@trunk"}, action_id="floor-3")
            with pytest.raises(SwitchLost, match="closed by the switch"):
                await answer
            assert names(events) == ["Newchannel"] * 50
            assert connection.unanswered == 0
            with pytest.raises(SwitchLost, match="closed by the switch"):
                connection.request("Ping")

    run(test())


def test_event_lists_are_collected_among_other_events() -> None:
    async def test() -> None:
        events: list[Message] = []

        def list_channels(session: Session, action: dict[str, str]) -> None:
            mine = ("ActionID", action["ActionID"])
            session.answer(action, "Success", ("EventList", "start"), ("Message", "Channel status will follow"))
            session.send(event("Status", mine, ("Uniqueid", "floor-1")))
            session.send(event("Hangup", ("Uniqueid", "floor-0")))
            session.send(event("Status", mine, ("Uniqueid", "floor-2")))
            session.send(event("StatusComplete", mine, ("EventList", "Complete"), ("Items", 2)))

        async with FakeAmi() as fake, opened(fake.port, events) as connection:
            fake.handlers["Status"] = list_channels
            items = await connection.collect("Status")
            assert [item.get("Uniqueid") for item in items] == ["floor-1", "floor-2"]
            assert names(events) == ["Hangup"]
            with pytest.raises(
                BadInput, match="action Agents of AMI user 'dialer' was refused: Invalid/unknown command"
            ):
                await connection.collect("Agents")

    run(test())


def test_a_long_command_answer_is_one_message() -> None:
    async def test() -> None:
        lines = [f"line {number}" for number in range(20_000)]

        def show(session: Session, action: dict[str, str]) -> None:
            session.answer(action, "Success", *[("Output", line) for line in lines])

        async with FakeAmi() as fake, opened(fake.port) as connection:
            fake.handlers["Command"] = show
            answer = await connection.request("Command", {"Command": "core show channels"})
            assert answer.all("Output") == lines

    run(test())


def test_a_loop_hopelessly_behind_gives_the_connection_up() -> None:
    async def test() -> None:
        events: list[Message] = []
        flood = event("VarSet", ("Variable", "A"), ("Value", "1"))
        async with FakeAmi() as fake:
            connection = Connection(server(fake.port), events.append, most_backlog=100)
            await connection.open()
            sender = socket.socket(fileno=socket.dup(fake.sessions[0].writer.get_extra_info("socket").fileno()))
            sender.setblocking(True)
            sender.settimeout(5)
            with contextlib.suppress(OSError):  # until it is reset; the loop stands still meanwhile
                while True:
                    sender.sendall(flood * 500)
            sender.close()
            await asyncio.wait({connection.lost})
            assert "messages behind" in str(connection.lost.result())
            assert 0 < len(events) < 100_000
            await ended(connection)

    run(test())


def test_a_peer_that_does_not_read_never_stalls_the_loop() -> None:
    async def test() -> None:
        async with FakeAmi(reading=False) as fake:
            fake.handlers = {}
            connection = Connection(server(fake.port), lambda message: None)
            opening = asyncio.create_task(connection.open())
            await eventually(lambda: len(fake.sessions) == 1)
            answers = []
            while not connection.lost.done():
                answers += [connection.request("UserEvent", {"Padding": "x" * 900}) for _ in range(100)]
                await asyncio.sleep(0)
            assert "does not read" in str(connection.lost.result())
            outcomes = await asyncio.gather(*answers, opening, return_exceptions=True)
            assert {type(outcome) for outcome in outcomes} == {SwitchLost}
            await ended(connection)

    run(test())


def tls_context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(FIXTURES / "server.pem")
    return context


@pytest.mark.parametrize("choice", [{"ca_file": str(FIXTURES / "ca.pem")}, {"tls_verify": False}])
def test_tls_with_a_given_authority_or_none(choice: dict[str, Any]) -> None:
    async def test() -> None:
        events: list[Message] = []
        async with FakeAmi(tls=tls_context()) as fake, opened(fake.port, events, tls=True, **choice) as connection:
            fake.sessions[0].send(event("Hangup", ("Uniqueid", "ñ" * 20_000)) * 10)
            await eventually(lambda: len(names(events)) == 10)
            assert not (await connection.request("Ping")).refused

    run(test())


def test_an_untrusted_certificate_says_what_to_do() -> None:
    async def test() -> None:
        async with FakeAmi(tls=tls_context()) as fake:
            with pytest.raises(BadInput, match=r"not trusted.*ca_file of switch node main"):
                async with opened(fake.port, tls=True):
                    pass
            with pytest.raises(BadInput, match=r"ca_file of switch node main: .*absent\.pem"):
                async with opened(fake.port, tls=True, ca_file=str(FIXTURES / "absent.pem")):
                    pass

    run(test())


def test_ipv6() -> None:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError as fault:
        pytest.skip(f"no IPv6 loopback here: {fault}")

    async def test() -> None:
        async with FakeAmi(host="::1") as fake, opened(fake.port, host="::1") as connection:
            assert connection.server.where == f"[::1]:{fake.port}"
            assert not (await connection.request("Ping")).refused

    run(test())
