"""Shadow mode as it is run: a file, a pipe, an Asterisk that hears nothing but questions."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from console import settings, shadowing
from console.main import app
from dialer.asterisk.client import AmiServer
from dialer.asterisk.overhear import Overhearing, listen
from dialer.shadow import words
from domain.calls import Cause
from domain.errors import BadInput
from domain.settings import CampaignSettings
from tests.integration.fake_ami import FakeAmi, Session, event
from tests.integration.waiting import eventually

ES = CampaignSettings(name="es", trunks=("carrier",))


# ---- events of a file


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "cadencia.toml").write_text("")
    (tmp_path / "campaigns").mkdir()
    (tmp_path / "campaigns" / "es.toml").write_text('name = "es"\nmode = "predictive"\n')
    return tmp_path


def told(hours: float = 0.2) -> list[dict[str, object]]:
    """A progressive dialer of four agents: each calls at once when ready; every third call is answered after 10 s."""
    lines: list[dict[str, object]] = []
    for agent in range(4):
        at, call = 1_795_075_200.0 + agent, 0
        while at < 1_795_075_200.0 + hours * 3600:
            lines.append({"event": "agent", "at": at, "agent": str(agent), "state": "ready"})
            while True:
                call += 1
                name = f"{agent}-{call}"
                lines.append({"event": "dialled", "at": at, "call": name, "campaign": "es"})
                if (call + agent) % 3 == 0:
                    break
                at += 18.0
                lines.append({"event": "ended", "at": at, "call": name, "cause": "no_answer"})
            lines.append({"event": "answered", "at": at + 10, "call": name})
            lines.append({"event": "connected", "at": at + 10.4, "call": name, "agent": str(agent)})
            at += 40 + call * 13 % 60
            lines.append({"event": "ended", "at": at, "call": name})
            at += 9
    return sorted(lines, key=lambda line: line["at"])  # type: ignore[arg-type,return-value]


def follow(folder: Path, events: str | None) -> None:
    shadowing.follow(settings.load(folder), ["es"], events, hours=None, as_json=True)


def test_a_day_in_a_file_and_through_a_pipe_gives_the_same_advice_and_a_comparison(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = "".join(json.dumps(line) + "\n" for line in told())
    (folder / "day.jsonl").write_text(text)
    before = sorted(path.name for path in folder.rglob("*"))
    follow(folder, str(folder / "day.jsonl"))
    filed = capsys.readouterr().out
    command = [sys.executable, "-m", "console.main", "run", "es", "--shadow", "--events", "-", "--folder", str(folder)]
    piped = subprocess.run(command, capture_output=True, text=True, input=text, check=False)
    assert (piped.returncode, piped.stdout) == (0, filed), piped.stderr
    *advice, last = map(json.loads, filed.splitlines())
    assert {line["campaign"] for line in advice} == {"es"}
    dialled = sum(line["event"] == "dialled" for line in told())
    assert sum(line["placed"] for line in advice) == dialled - last_tick(advice)
    (summary,) = last["summary"]
    assert summary["theirs"]["abandoned"] == 0
    assert summary["ours"]["dialled"] > 0
    assert summary["ours"]["occupancy"] > 0.3
    assert last["unused"] == {}
    # No ledger, no record, no socket: nothing was written.
    assert sorted(path.name for path in folder.rglob("*")) == before


def last_tick(advice: list[dict[str, float]]) -> int:
    """Count the calls placed after the last tick, which no advice answers to."""
    end_us = max(line["at_us"] for line in advice)
    return sum(line["event"] == "dialled" and round(line["at"] * 1e6) > end_us for line in told())  # type: ignore[call-overload]


def test_what_cannot_be_followed_is_told(folder: Path) -> None:
    (folder / "bad.jsonl").write_text('{"event":"answered","at":1795075200,"call":"1"}\n{"event":"rang"}\n')
    for events, says in (
        (str(folder / "bad.jsonl"), "bad.jsonl:2: is no event"),
        (str(folder / "none"), "cannot be read"),
        (None, r"no \[nodes.NAME\]"),
    ):
        with pytest.raises(BadInput, match=says):
            follow(folder, events)
    for options in (["--shadow", "--rehearsal"], ["--events", "-"]):
        with pytest.raises(BadInput, match="--shadow"):
            app(["run", "es", *options, "--folder", str(folder)], standalone_mode=False)


# ---- AMI


def test_a_switch_that_is_away_is_told_beside_the_advice_not_in_it(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    node = f'host = "127.0.0.1"\nport = {port}\nuser = "cadencia"\nsecret_variable = "AMI_SECRET"\n'
    (folder / "cadencia.toml").write_text(f"[nodes.main]\n{node}")
    command = [sys.executable, "-m", "console.main", "run", "es", "--shadow", "--json", "--folder", str(folder)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ | {"AMI_SECRET": "x"}
    ) as running:
        assert running.stderr is not None
        said = json.loads(running.stderr.readline())
        running.send_signal(signal.SIGINT)
        out, _ = running.communicate(timeout=60)
    assert (said["event"], said["node"]) == ("shadow_link_down", "main")
    assert [json.loads(line) for line in out.splitlines()] == [{"summary": [], "unused": {}}]


def test_its_hours_end_though_nothing_is_ever_heard(folder: Path) -> None:
    command = [sys.executable, "-m", "console.main", "run", "es", "--shadow", "--json", "--hours", "0.0003"]
    with subprocess.Popen(
        [*command, "--events", "-", "--folder", str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as running:
        assert running.stdout is not None
        assert json.loads(running.stdout.read()) == {"summary": [], "unused": {}}
    assert running.returncode == 0


def queue_status(session: Session, action: dict[str, str]) -> None:
    session.answer(action, "Success", ("EventList", "start"))
    for name, status, paused in (("1001", "1", "0"), ("1002", "1", "1"), ("1003", "5", "0")):
        session.send(
            event(
                "QueueMember",
                ("ActionID", action["ActionID"]),
                ("Queue", "es"),
                ("Name", name),
                ("Status", status),
                ("Paused", paused),
            )
        )
    session.send(event("QueueStatusComplete", ("ActionID", action["ActionID"]), ("EventList", "Complete")))


def test_on_asterisk_nothing_leaves_but_a_log_in_and_questions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AMI_SECRET", "right")
    heard: list[words.AnyWord] = []

    async def follow() -> None:
        async with FakeAmi() as fake:
            fake.handlers["QueueStatus"] = queue_status
            server = AmiServer(node="main", host="127.0.0.1", port=fake.port, user="shadow")
            task = asyncio.create_task(listen([server], Overhearing([ES], heard.append, lambda: 1.0)))
            await eventually(lambda: len(heard) == 3)
            for data in calls():
                fake.sessions[0].send(data)
            await eventually(lambda: len(heard) == 3 + len(EXPECTED))
            # After a cut it asks again, and still orders nothing.
            fake.sessions[0].writer.transport.abort()
            await eventually(lambda: len(fake.named("QueueStatus")) == 2)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            assert {action["Action"] for action in fake.actions} <= {"Login", "Ping", "QueueStatus", "Logoff"}

    asyncio.run(asyncio.wait_for(follow(), 30))
    assert heard[:3] == [
        words.AgentIs(at=1.0, agent=agent, state=state, campaign="es")
        for agent, state in (("1001", "ready"), ("1002", "paused"), ("1003", "offline"))
    ]
    assert heard[3 : 3 + len(EXPECTED)] == EXPECTED


def channel(name: str, call: str, *headers: tuple[str, object], state: str = "0") -> bytes:
    return event(name, ("Channel", f"PJSIP/carrier-{call}"), ("ChannelState", state), ("Uniqueid", call), *headers)


def calls() -> list[bytes]:
    dial = ("DestChannel", "PJSIP/carrier-b"), ("DestUniqueid", "b"), ("DialStatus", "RINGING")
    return [
        channel("Newchannel", "a"),
        # The same call again, one that comes in, one of an agent's phone: nothing new.
        event("DialState", ("DestChannel", "PJSIP/carrier-a"), ("DestUniqueid", "a"), ("DialStatus", "RINGING")),
        channel("Newchannel", "in", state="4"),
        event("Newchannel", ("Channel", "PJSIP/agent1001-1"), ("ChannelState", "0"), ("Uniqueid", "phone")),
        event("DialState", *dial),
        channel("Newstate", "a", state="6"),
        channel("VarSet", "a", ("Variable", "AMDSTATUS"), ("Value", "HUMAN"), state="6"),
        channel("AgentConnect", "a", ("Queue", "es"), ("MemberName", "1001"), state="6"),
        event("QueueMemberStatus", ("Queue", "es"), ("MemberName", "1001"), ("Status", "2"), ("Paused", "0")),
        channel("AgentComplete", "a", ("Queue", "es"), ("MemberName", "1001"), state="6"),
        channel("Hangup", "a", ("Cause", "16"), state="6"),
        event("QueueMemberStatus", ("Queue", "es"), ("MemberName", "1001"), ("Status", "1"), ("Paused", "0")),
        channel("Newstate", "b", state="6"),
        channel("QueueCallerAbandon", "b", ("Queue", "es"), state="6"),
        channel("Hangup", "b", ("Cause", "16"), state="6"),
        channel("Newchannel", "c"),
        channel("Hangup", "c", ("Cause", "17"), state="5"),
        channel("Newchannel", "d"),
        channel("Hangup", "d", ("Cause", "0"), state="5"),
        event("QueueMemberPause", ("Queue", "es"), ("MemberName", "1001"), ("Status", "1"), ("Paused", "1")),
        event("QueueMemberRemoved", ("Queue", "es"), ("MemberName", "1001"), ("Status", "1"), ("Paused", "0")),
    ]


EXPECTED: list[words.AnyWord] = [
    words.Dialled(at=1.0, call="a", campaign="es"),
    words.Progressed(at=1.0, call="a", to="ringing"),
    words.Dialled(at=1.0, call="b", campaign="es"),
    words.Progressed(at=1.0, call="b", to="ringing"),
    words.Answered(at=1.0, call="a"),
    words.Detected(at=1.0, call="a", result="human"),
    words.Connected(at=1.0, call="a", agent="1001"),
    words.AgentIs(at=1.0, agent="1001", state="wrapup"),
    words.Ended(at=1.0, call="a"),
    words.AgentIs(at=1.0, agent="1001", state="ready", campaign="es"),
    words.Answered(at=1.0, call="b"),
    words.Abandoned(at=1.0, call="b"),
    words.Ended(at=1.0, call="b"),
    words.Dialled(at=1.0, call="c", campaign="es"),
    words.Ended(at=1.0, call="c", cause=Cause.busy),
    words.Dialled(at=1.0, call="d", campaign="es"),
    words.Ended(at=1.0, call="d", cause=Cause.no_answer),
    words.AgentIs(at=1.0, agent="1001", state="paused", campaign="es"),
    words.AgentIs(at=1.0, agent="1001", state="offline", campaign="es"),
]


def test_calls_of_a_trunk_that_two_campaigns_share_cannot_be_told_apart() -> None:
    other = CampaignSettings(name="co", trunks=("carrier",))
    with pytest.raises(BadInput, match="used by es and co"):
        Overhearing([ES, other], lambda word: None, lambda: 0.0)
