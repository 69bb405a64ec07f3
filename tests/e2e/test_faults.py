"""What goes wrong around a campaign on the real lab: engine stopped, links bad, switch restarted, ledger locked.

Whatever happened, `account` compares the record with the network and the switch: every attempt ended once and as its
number asked, blindness excepted where there was any, and each answered caller met an agent or was abandoned on record.
Each story has a lab of its own; three run at a time, because they mostly wait.
"""

import asyncio
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from benchmarks.lab_floor import LabFloor, mix, one_each
from benchmarks.lab_truth import Account, account, calls_of
from dialer.asterisk.lab import Lab
from dialer.asterisk.lab_numbers import Behaviour, Outcome
from domain.calls import AnswerClass, Mode, Phase
from domain.events import Ended, FloorOpened, LinkDown, PhoneUp, Queued, Resynced
from domain.facts import AlarmCleared, AlarmRaised, CallMoved
from domain.records import Record
from tests.e2e.raw_ami import RawAmi
from tests.integration.fault_proxy import FaultProxy

pytestmark = pytest.mark.lab

#: Bytes of these characters stand in packets of their own.
TEXT = "Ñandú, señorita — 漢字 😀"


@contextmanager
def opened(home: Path, behaviours: list[Behaviour], **fields: Any) -> Iterator[LabFloor]:
    floor = LabFloor(home, behaviours, agents=8, **fields)
    try:
        floor.open()
        yield floor
    finally:
        floor.close()


def records(floor: LabFloor, kind: type[Record]) -> list[Any]:
    return [row.record for row in floor.ledger.read("lab") if isinstance(row.record, kind)]


def in_phase(floor: LabFloor, phase: Phase) -> list[str]:
    return [call.call_id for call in floor.state.calls.values() if call.phase is phase]


def dialled(floor: LabFloor, more: int) -> Any:
    """Return a condition: so many more calls have left than now."""
    enough = len(floor.lab.called()) + more
    return lambda: len(floor.lab.called()) >= enough


def on_the_line(floor: LabFloor) -> set[str]:
    """Return the debtors' channels that live on the switch."""
    return set(re.findall(r"!(lab-\d+)$", floor.lab.cli("core show channels concise"), re.MULTILINE))


def settled(floor: LabFloor) -> Account:
    """Return the account of a campaign that has ended; nothing may be wrong."""
    found = account(floor)
    assert found.findings == []
    assert found.attempts >= floor.n_leads
    return found


def a_stopped_engine_loses_no_caller_and_tells_afterwards_whom_each_met(home: Path) -> None:
    async def story(floor: LabFloor) -> None:
        alone: set[str] = set()
        async with floor.staffed():
            floor.start()
            # Once people were abandoned, the law's limit leaves one call for each free agent.
            for least, wait_for_all in ((7, False), (3, True)):
                await floor.until(lambda least=least: len(in_phase(floor, Phase.ringing)) >= least)
                alone |= set(in_phase(floor, Phase.ringing))
                os.kill(floor.pid, signal.SIGSTOP)
                # Whoever rings is seen to by the dialplan alone: by its queue, or by the message.
                await asyncio.sleep(6.5)
                if wait_for_all:
                    await floor.until(lambda: not on_the_line(floor))
                # In the middle of talks: what the engine orders before it has heard all must not disturb them.
                os.kill(floor.pid, signal.SIGCONT)
                await floor.until(dialled(floor, 10))
            await floor.until(floor.done)
        classes = {calls_of(floor.ledger.read("lab"))[one].answer_class for one in alone}
        assert classes == {AnswerClass.connected, AnswerClass.abandoned}
        talks = Counter(one.call_id for one in records(floor, CallMoved) if one.phase is Phase.talking)
        assert set(talks.values()) == {1}

    answers = [Behaviour(outcome=Outcome.answer, ring_s=2.0, talk_s=talk_s) for talk_s in (2.0, 7.0)] * 28
    with opened(home, answers, campaign=one_each()) as floor:
        asyncio.run(story(floor))
        settled(floor)


def bad_links_change_no_outcome(home: Path) -> None:
    async def story(floor: LabFloor) -> None:
        state = floor.lab.state
        assert state is not None
        async with FaultProxy(state.ami_port, state.address) as proxy, floor.staffed():
            floor.point("127.0.0.1", proxy.port)
            floor.start()

            async def comes_back(n_downs: int) -> None:
                await floor.until(lambda: len(records(floor, LinkDown)) >= n_downs)
                await floor.until(lambda: floor.state.nodes["lab"])
                await floor.until(dialled(floor, 5))

            await floor.until(lambda: len(in_phase(floor, Phase.talking)) > 2)
            proxy.cut()
            await comes_back(1)
            await proxy.refuse()
            proxy.cut()
            await floor.until(lambda: len(records(floor, LinkDown)) >= 2)
            await asyncio.sleep(1.0)  # several calls in vain
            await proxy.listen()
            await comes_back(2)
            proxy.half_open = True
            await floor.until(lambda: len(records(floor, LinkDown)) >= 3)
            proxy.half_open = False
            await comes_back(3)
            proxy.piece_bytes, proxy.delay_s = 1000, 0.05
            await floor.until(dialled(floor, 15))
            proxy.piece_bytes, proxy.delay_s = 1, 0.0
            with RawAmi(state, "observer") as ami:
                for number in range(10):
                    ami.action("UserEvent", UserEvent="CadenciaNote", CallID=f"note-{number}", Text=TEXT)
                    await floor.until(dialled(floor, 1))
            assert len(records(floor, LinkDown)) == 3
            proxy.piece_bytes = None
            await floor.until(floor.done)

    with opened(home, mix(180)) as floor:
        asyncio.run(story(floor))
        assert "ami_handler_failed" not in floor.log
        settled(floor)


def a_switch_that_restarts_ends_its_calls_on_record_and_dialling_goes_on(home: Path) -> None:
    async def story(floor: LabFloor) -> None:
        async with floor.staffed():
            floor.start()
            await floor.until(lambda: len(in_phase(floor, Phase.talking)) > 2)
            floor.lab.restart()
            await floor.until(lambda: len(records(floor, Resynced)) >= 2)
            # Nobody is off-hook any more; the agents' phones are called again.
            ups = len(records(floor, PhoneUp))
            await floor.until(lambda: len(records(floor, PhoneUp)) >= ups + len(floor.lab.agents))
            await floor.until(floor.done)

    with opened(home, mix(120)) as floor:
        asyncio.run(story(floor))
        settled(floor)
        rows = list(floor.ledger.read("lab"))
        back = next(row.seq for row in rows if isinstance(row.record, Resynced) and row.record.at_us > rows[0].at_us)
        later = {call_id: call for call_id, call in calls_of(rows).items() if int(call_id[4:]) > back}
        assert AnswerClass.connected in {call.answer_class for call in later.values()}


def a_switch_that_is_shutting_down_is_tried_again(home: Path) -> None:
    async def story(floor: LabFloor) -> None:
        async with floor.staffed():
            floor.start()
            await floor.until(lambda: len(in_phase(floor, Phase.talking)) > 2)
            # Agents are off-hook, so it waits for ever, and refuses every order and log-in meanwhile.
            shutting_down = asyncio.create_task(asyncio.to_thread(floor.lab.cli, "core restart gracefully"))
            await floor.until(lambda: [one for one in records(floor, Ended) if one.cause == "switch_fail"])
            floor.kill()
            floor.start()
            await floor.until(lambda: "Asterisk is shutting down" in floor.log)
            floor.lab.cli("core abort shutdown")
            await shutting_down
            await floor.until(lambda: floor.state.nodes["lab"])
            await floor.until(floor.done)

    with opened(home, mix(100)) as floor:
        asyncio.run(story(floor))
        settled(floor)


def a_wrong_password_or_a_second_run_is_refused_at_once_and_clearly(home: Path) -> None:
    """Through the command line, as an operator meets it."""
    folder = home / "work"
    cadencia = [sys.executable, "-m", "console.main"]

    def run(secret: str) -> "subprocess.Popen[str]":
        command = [*cadencia, "run", "sample", "--folder", str(folder), "--json"]
        environment = os.environ | {"AMI_SECRET": secret}
        return subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)

    with Lab(home / "lab", agents=1) as lab:
        assert lab.state is not None
        subprocess.run([*cadencia, "init", str(folder)], check=True, stdout=subprocess.DEVNULL)
        with (folder / "cadencia.toml").open("a") as settings:
            settings.write(f'\n[nodes.main]\nhost = "{lab.state.address}"\nport = {lab.state.ami_port}\n')
        wrong = run("wrong")
        _, told = wrong.communicate(timeout=60)
        assert wrong.returncode == 2
        assert "AMI user 'cadencia' was refused (Authentication failed)" in told
        assert "AMI_SECRET" in told
        first = run(lab.state.ami_secret)
        lock = folder / "cadencia.lock"
        eventually(lambda: lock.exists() and f"process {first.pid} " in lock.read_text())
        second = run(lab.state.ami_secret)
        _, told = second.communicate(timeout=60)
        assert second.returncode == 2
        assert "is run from this folder by" in told
        assert f"process {first.pid} " in told
        first.terminate()
        _, told = first.communicate(timeout=60)
        assert first.returncode == 0, told


def eventually(true: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + 60
    while not true():
        assert time.monotonic() < deadline_s
        time.sleep(0.05)


def a_locked_ledger_stops_the_dialling_and_says_so(home: Path) -> None:
    async def story(floor: LabFloor) -> None:
        async with floor.staffed():
            floor.start()
            await floor.until(lambda: len(in_phase(floor, Phase.talking)) > 2)
            with closing(sqlite3.connect(floor.home / "ledger.db", isolation_level=None)) as other:
                other.execute("BEGIN IMMEDIATE")
                async with asyncio.timeout(10):
                    while "commit_lag" not in {kind for kind, *_ in (await floor.status())["board"]["alarms"]}:
                        await asyncio.sleep(0.1)
                called = len(floor.lab.called())
                await asyncio.sleep(3.0)
                assert len(floor.lab.called()) == called
                other.execute("ROLLBACK")
            await floor.until(dialled(floor, 5))
            await floor.until(floor.done)

    with opened(home, mix(100)) as floor:
        asyncio.run(story(floor))
        settled(floor)
        alarms = [(type(one), one.kind) for one in records(floor, AlarmRaised) + records(floor, AlarmCleared)]
        assert {(AlarmRaised, "commit_lag"), (AlarmCleared, "commit_lag")} <= set(alarms)


def a_restart_goes_on_under_changed_settings(home: Path) -> None:
    async def story(floor: LabFloor) -> None:
        async with floor.staffed():
            floor.start()
            await floor.until(lambda: len(in_phase(floor, Phase.talking)) > 2)
            floor.kill()
            changed = one_each(mode=Mode.progressive, wrapup_s=7.0)
            floor.setup.floor = replace(floor.setup.floor, campaigns=(changed,), tick_s=0.25)
            floor.start()
            await floor.until(floor.done)

    # Talks that outlast a restart on a busy machine.
    with opened(home, mix(70, talk_s=9.0)) as floor:
        asyncio.run(story(floor))
        assert settled(floor).readopted
        assert [one.settings.tick_s for one in records(floor, FloorOpened)] == [0.5, 0.25]
        assert floor.state.campaigns["lab"].mode is Mode.progressive


def callers_wait_for_no_commit(home: Path) -> None:
    async def story(floor: LabFloor) -> None:
        async with floor.staffed():
            floor.start()
            await floor.until(floor.done, 120)

    answers = [Behaviour(outcome=Outcome.answer, ring_s=1.0, talk_s=2.0)] * 20
    with opened(home, answers, commit_delay_s=0.5, campaign=one_each(mode=Mode.progressive)) as floor:
        asyncio.run(story(floor))
        settled(floor)
        waits_us = [one.wait_us for one in floor.attempts() if one.answer_class == "connected"]
        assert len(waits_us) == len(answers)
        # The switch takes a caller into its own queue after 300 ms: nobody came so far.
        assert records(floor, Queued) == []


STORIES: tuple[Callable[[Path], None], ...] = (
    bad_links_change_no_outcome,
    a_switch_that_restarts_ends_its_calls_on_record_and_dialling_goes_on,
    a_stopped_engine_loses_no_caller_and_tells_afterwards_whom_each_met,
    a_switch_that_is_shutting_down_is_tried_again,
    a_restart_goes_on_under_changed_settings,
    a_locked_ledger_stops_the_dialling_and_says_so,
    callers_wait_for_no_commit,
    a_wrong_password_or_a_second_run_is_refused_at_once_and_clearly,
)


@pytest.fixture(scope="module")
def told(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[object, "Future[None]"]]:
    """Run the stories that were asked for."""
    asked = [item.callspec.params["story"] for item in request.session.items if item.path == request.path]
    with ThreadPoolExecutor(3) as pool:
        yield {story: pool.submit(story, tmp_path_factory.mktemp("floor")) for story in asked}


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.__name__)
def test_a_campaign_where(story: Callable[[Path], None], told: dict[object, "Future[None]"]) -> None:
    told[story].result()
