"""Labs start, stop, stand side by side and leave nothing behind, however their owner goes."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from dialer.asterisk import lab as labs
from dialer.asterisk import packages
from dialer.asterisk.lab import Lab
from domain.errors import BadInput
from tests.e2e.raw_ami import RawAmi

pytestmark = pytest.mark.lab

#: Starts a lab in the folder given, says so, and waits to be killed.
OWNER = """
import sys, time
from pathlib import Path
from dialer.asterisk.lab import Lab
lab = Lab(Path(sys.argv[1]), agents=1)
lab.start(detached=sys.argv[2] == "detached")
print("up", flush=True)
time.sleep(600 if sys.argv[2] == "attached" else 0)
"""


def alive(pids: Iterable[int]) -> list[int]:
    return [pid for pid in pids if labs._started(pid) is not None]


def eventually(true: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 15
    while not true():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def run_owner(folder: Path, how: str) -> "subprocess.Popen[bytes]":
    owner = subprocess.Popen([sys.executable, "-c", OWNER, str(folder), how], stdout=subprocess.PIPE)
    assert owner.stdout is not None
    with owner.stdout:
        assert owner.stdout.readline() == b"up\n"
    return owner


def test_two_labs_stand_side_by_side_and_leave_nothing(tmp_path: Path) -> None:
    first, second = Lab(tmp_path / "a", agents=1), Lab(tmp_path / "b", agents=1)
    with first, second:
        assert first.state is not None
        assert second.state is not None
        assert first.state.address != second.state.address
        pids = [*first.pids().values(), *second.pids().values()]
        assert len(alive(pids)) == 6
        with pytest.raises(BadInput, match=r"one runs in .* already"):
            Lab(tmp_path / "a").start()
        for lab in (first, second):
            assert lab.state is not None
            with RawAmi(lab.state) as ami:
                ami.log_in("1001")
    assert alive(pids) == []
    assert labs.find(tmp_path / "a") is None
    # What was there does not disturb a new start in the same folder.
    with Lab(tmp_path / "a", agents=1) as again:
        assert again.state is not None


def test_a_lab_goes_with_its_owner_killed(tmp_path: Path) -> None:
    owner = run_owner(tmp_path, "attached")
    state = labs.find(tmp_path)
    assert state is not None
    pids = [state.pid, *Lab(tmp_path).pids().values()]
    owner.kill()
    owner.wait()
    assert eventually(lambda: alive(pids) == [])


def test_a_detached_lab_is_found_and_stopped_by_another(tmp_path: Path) -> None:
    owner = run_owner(tmp_path, "detached")
    assert owner.wait() == 0
    state = labs.find(tmp_path)
    assert state is not None
    pids = [state.pid, *Lab(tmp_path).pids().values()]
    with RawAmi(state) as ami:
        ami.log_in("1001")
    assert labs.stop(tmp_path)
    assert eventually(lambda: alive(pids) == [])
    assert not labs.stop(tmp_path)


def test_processes_go_with_their_supervisor_killed(tmp_path: Path) -> None:
    with Lab(tmp_path, agents=1) as lab:
        assert lab.state is not None
        pids = list(lab.pids().values())
        os.kill(lab.state.pid, signal.SIGKILL)
        assert eventually(lambda: alive(pids) == [])


@pytest.mark.parametrize("version", [22, 16])
def test_asterisk_comes_back_after_a_restart(tmp_path: Path, version: int) -> None:
    with Lab(tmp_path, agents=1, version=version) as lab:
        assert lab.state is not None
        with RawAmi(lab.state) as ami:
            ami.originate("before", "+34600400000")
            ami.wait(lambda e: e["Event"] == "DialState", "ringing")
            lab.restart()
            assert ami.wait(lambda e: e["Event"] == "Shutdown", "Shutdown")["Restart"] == "True"
        lab.await_booted()
        with RawAmi(lab.state) as ami:
            booted = ami.wait(lambda e: e["Event"] == "FullyBooted", "FullyBooted")
            assert int(booted["Uptime"]) < 30
            assert ami.listing("Status", "StatusComplete") == []


def test_a_killed_asterisk_is_started_again(tmp_path: Path) -> None:
    with Lab(tmp_path, agents=1) as lab:
        first = lab.pids()["asterisk"]
        os.kill(first, signal.SIGKILL)
        assert eventually(lambda: lab.pids()["asterisk"] != first)
        lab.await_booted()
        assert "1001" in lab.cli("agent show all")


def test_what_asterisk_says_when_it_cannot_start_is_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(labs, "AMI_PORT", 5060)
    monkeypatch.setattr(labs, "START_PATIENCE_S", 0.5)
    monkeypatch.setattr(labs, "_booted", lambda _: False)
    with pytest.raises(BadInput, match=r"Asterisk does not answer; read asterisk\.log"):
        Lab(tmp_path, agents=1).start()
    assert labs.find(tmp_path) is None


def test_a_folder_that_asterisk_could_not_use_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="too long a name"):
        Lab(tmp_path / ("x" * 100)).start()
    with pytest.raises(BadInput, match="choose a plainer one"):
        Lab(Path("a folder")).start()


@pytest.mark.soak
def test_two_at_once_unpack_once(tmp_path: Path) -> None:
    """Both get the same folder and neither sees it half made."""
    script = (
        "import sys; from pathlib import Path; from dialer.asterisk.packages import fetch; "
        "print(fetch(22, Path(sys.argv[1]), lambda t: print(t, file=sys.stderr)).asterisk_version)"
    )
    command = [sys.executable, "-c", script, str(tmp_path)]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in "12"]
    told = [process.communicate(timeout=200) for process in both]
    assert [process.returncode for process in both] == [0, 0], told
    assert {out for out, _ in told} == {packages.fetch(22).asterisk_version + "\n"}
    assert sum("fetching" in err for _, err in told) == 1
