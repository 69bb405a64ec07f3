"""A link for ever: back-off, restarts, silence, cuts, wrong passwords."""

import asyncio
import threading
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import pytest

from dialer.asterisk.client import AmiServer, Message
from dialer.asterisk.link import Link, exponential_delays
from domain.errors import BadInput, SwitchLost
from tests.integration.fake_ami import FakeAmi, Session, event
from tests.integration.fault_proxy import FaultProxy
from tests.integration.waiting import eventually


@pytest.fixture(autouse=True)
def _secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AMI_SECRET", "right")


def run(test: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(test, 30))


class Watched:
    """A link and what it told."""

    def __init__(self, port: int, silence_s: float = 5.0, most_backlog: int = 20_000):
        self.events: list[Message] = []
        self.ups: list[bool] = []
        self.downs: list[str] = []
        self.attempts: list[int] = []
        self.link = Link(
            AmiServer(node="main", host="127.0.0.1", port=port, user="dialer", connect_timeout_s=1.0),
            on_event=self.events.append,
            on_up=self.on_up,
            on_down=self.downs.append,
            delays=self.delay,
            silence_s=silence_s,
            most_backlog=most_backlog,
        )
        self.task = asyncio.create_task(self.link.run())

    def delay(self, attempt: int) -> float:
        self.attempts.append(attempt)
        return 0.01

    async def on_up(self, restarted: bool) -> None:
        self.ups.append(restarted)

    async def up(self, times: int) -> None:
        await eventually(lambda: len(self.ups) == times or self.task.done())
        assert not self.task.done(), self.task.exception()


@asynccontextmanager
async def watched(port: int, **options: Any) -> AsyncIterator[Watched]:
    it = Watched(port, **options)
    try:
        yield it
    finally:
        it.task.cancel()
        await asyncio.gather(it.task, return_exceptions=True)
        await eventually(lambda: not [thread for thread in threading.enumerate() if thread.name == "ami-main"])


def test_a_cut_link_comes_back_and_tells_once() -> None:
    async def test() -> None:
        async with FakeAmi() as fake, FaultProxy(fake.port) as proxy, watched(proxy.port) as it:
            await it.up(1)
            for times in (2, 3):
                proxy.cut()
                await it.up(times)
            assert it.ups == [False, False, False]
            assert len(it.downs) == 2
            assert not (await it.link.request("Ping")).refused

    run(test())


def test_the_first_connection_may_come_late() -> None:
    async def test() -> None:
        async with FakeAmi() as fake, FaultProxy(fake.port) as proxy:
            await proxy.refuse()
            async with watched(proxy.port) as it:
                await eventually(lambda: len(it.attempts) >= 5)
                assert len(it.downs) == 1
                assert "refused" in it.downs[0]
                assert it.attempts[:5] == [0, 1, 2, 3, 4]
                with pytest.raises(SwitchLost, match=r"main: the link to .* is down"):
                    it.link.request("Ping")
                await proxy.listen()
                await it.up(1)
                proxy.cut()
                await it.up(2)
                assert it.attempts[-1] == 0  # success starts the back-off anew

    run(test())


def test_a_restart_shows_in_the_uptime() -> None:
    async def test() -> None:
        async with FakeAmi() as fake, FaultProxy(fake.port) as proxy, watched(proxy.port) as it:
            await it.up(1)
            fake.uptime_s = 2
            proxy.cut()
            await it.up(2)
            proxy.cut()
            await it.up(3)
            assert it.ups == [False, True, False]

    run(test())


def test_a_wrong_password_stops_at_once() -> None:
    async def test() -> None:
        async with FakeAmi() as fake:
            fake.secret = "another"
            async with watched(fake.port) as it:
                with pytest.raises(BadInput, match=r"AMI user 'dialer' was refused .*AMI_SECRET"):
                    await it.task
                assert len(fake.sessions) == 1
                assert (it.ups, it.attempts) == ([], [])

    run(test())


def test_a_password_changed_in_mid_shift_stops_the_link() -> None:
    async def test() -> None:
        async with FakeAmi() as fake, FaultProxy(fake.port) as proxy, watched(proxy.port) as it:
            await it.up(1)
            fake.secret = "another"
            proxy.cut()
            with pytest.raises(BadInput, match="AMI_SECRET"):
                await it.task

    run(test())


def test_shutting_down_is_tried_again() -> None:
    async def test() -> None:
        async with FakeAmi() as fake:

            def refuse_twice(session: Session, action: dict[str, str]) -> None:
                if len(fake.sessions) > 2:
                    fake.log_in(session, action)
                else:
                    session.answer(action, "Error", ("Message", "Asterisk is shutting down"))
                    session.writer.close()

            fake.handlers["Login"] = refuse_twice
            async with watched(fake.port) as it:
                await it.up(1)
                assert len(it.downs) == 1
                assert "shutting down" in it.downs[0]

    run(test())


def test_an_idle_link_lives() -> None:
    async def test() -> None:
        async with FakeAmi() as fake, watched(fake.port, silence_s=0.3) as it:
            await it.up(1)
            await eventually(lambda: len(fake.named("Ping")) >= 6)
            assert len(fake.sessions) == 1
            assert it.downs == []

    run(test())


def test_a_half_open_link_is_rebuilt() -> None:
    async def test() -> None:
        async with FakeAmi() as fake, FaultProxy(fake.port) as proxy, watched(proxy.port, silence_s=1.0) as it:
            await it.up(1)
            proxy.half_open = True
            waiting = it.link.request("Redirect", {"Channel": "floor-1"})
            with pytest.raises(SwitchLost, match=r"nothing heard for 1 s"):
                await waiting
            proxy.half_open = False
            await it.up(2)
            assert len(it.downs) == 1

    run(test())


def test_a_slow_link_is_not_a_dead_one() -> None:
    async def test() -> None:
        lines = [("Output", f"line {number}") for number in range(400)]
        async with FakeAmi() as fake, FaultProxy(fake.port) as proxy, watched(proxy.port, silence_s=1.0) as it:
            fake.handlers["Command"] = lambda session, action: session.answer(action, "Success", *lines)
            await it.up(1)
            proxy.piece_bytes, proxy.delay_s = 64, 0.02
            answer = await it.link.request("Command", {"Command": "core show channels"}, timeout_s=20.0)
            assert len(answer.all("Output")) == 400
            assert (len(it.ups), it.downs) == (1, [])

    run(test())


def test_an_originate_whose_answer_was_lost_is_never_sent_again() -> None:
    async def test() -> None:
        async with FakeAmi() as fake, watched(fake.port) as it:
            fake.handlers["Originate"] = lambda session, action: session.writer.transport.abort()
            await it.up(1)
            with pytest.raises(SwitchLost):
                await it.link.request("Originate", {"Channel": "PJSIP/1@trunk"}, action_id="floor-1")
            await it.up(2)
            assert not (await it.link.request("Ping")).refused
            assert [action["ActionID"] for action in fake.named("Originate")] == ["floor-1"]

    run(test())


def test_a_flood_over_the_backlog_is_dropped_and_resynced() -> None:
    async def test() -> None:
        async with FakeAmi() as fake, watched(fake.port, most_backlog=50) as it:
            await it.up(1)
            fake.sessions[0].send(event("VarSet", ("Variable", "A")) * 20_000)
            threading.Event().wait(0.3)  # stand still, so that the reader runs ahead of the loop
            await it.up(2)
            assert "messages behind" in it.downs[0]

    run(test())


def test_an_exception_while_reading_the_state_is_not_hidden() -> None:
    async def test() -> None:
        async with FakeAmi() as fake, watched(fake.port) as it:

            async def fail(restarted: bool) -> None:
                raise BadInput("the user may not ask")

            it.link._on_up = fail
            with pytest.raises(BadInput, match="may not ask"):
                await it.task

    run(test())


def test_delays_double_to_a_ceiling_and_are_spread() -> None:
    longest = exponential_delays(0.5, 30.0, lambda: 0.0)
    shortest = exponential_delays(0.5, 30.0, lambda: 1.0)
    assert [longest(attempt) for attempt in (0, 1, 2, 5, 6, 7, 10_000)] == [0.5, 1.0, 2.0, 16.0, 30.0, 30.0, 30.0]
    assert [shortest(attempt) for attempt in (0, 10_000)] == [0.25, 15.0]
