"""The demonstration through the real command: from nothing to a record that can be asked, checked and decided again."""

import csv
import fcntl
import json
import os
import pty
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet
import pytest
from sqlalchemy import select as choose
from typer.testing import CliRunner, Result

from console.main import app
from domain.errors import BadInput
from domain.instants import to_datetime
from ledger import schema
from ledger.store import open_ledger

START = "2026-11-18T15:30:00Z"
COMMAND = (sys.executable, "-m", "console.main")


def cadencia(folder: Path, *words: str) -> Result:
    """Run a command in this process: imports are paid once."""
    return CliRunner().invoke(app, [*words, "--folder", str(folder)])


def iso(at_us: int) -> str:
    return to_datetime(at_us).isoformat()


def answered(folder: Path, *words: str) -> Any:
    done = cadencia(folder, *words, "--json")
    assert done.exit_code == 0, (done.output, done.exception)
    return json.loads(done.stdout)


def refusal(folder: Path, *words: str) -> str:
    done = cadencia(folder, *words)
    assert isinstance(done.exception, BadInput), done.output
    return str(done.exception)


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[dict[str, Any]]]:
    """Return the folder of a short demonstration and the boards it wrote."""
    home = tmp_path_factory.mktemp("demo")
    words = ("demo", "floor", "--debtors", "200", "--agents", "5", "--speed", "120", "--hours", "0.1", "--json")
    done = subprocess.run([*COMMAND, *words], capture_output=True, text=True, cwd=home, check=False)
    assert done.returncode == 0, done.stderr
    return home / "floor", [json.loads(line) for line in done.stdout.splitlines()]


def test_it_dials_and_every_attempt_ends(demo: tuple[Path, list[dict[str, Any]]]) -> None:
    folder, lines = demo
    last = [line for line in lines if "rehearsed" in line][-1]
    assert last["rehearsed"]
    assert sum(row["attempts"] for row in last["campaigns"]) > 20
    assert sum(row["connected"] for row in last["campaigns"]) > 0
    assert last["lines"] == 0
    assert {agent["agent"] for agent in last["agents"]} == {f"agent{n:02d}" for n in range(1, 6)}
    assert (folder / "cadencia.log").exists()
    assert not (folder / "cadencia.sock").exists()


def test_the_record_holds_and_decides_the_same_again(demo: tuple[Path, list[dict[str, Any]]]) -> None:
    folder, lines = demo
    (verified,) = answered(folder, "verify")
    assert verified["broken_seq"] is None
    assert verified["rows"] >= [line for line in lines if "rehearsed" in line][-1]["seq"]
    replayed = answered(folder, "replay")
    assert replayed["divergences"] == []
    assert replayed["rows"] == verified["rows"]
    assert replayed["versions"][0]["tzdata"]


def test_it_says_why(demo: tuple[Path, list[dict[str, Any]]]) -> None:
    folder, _ = demo
    account, reserved_us = first_dialled(folder)
    (found,) = answered(folder, "why", account)
    attempt = found["attempts"][0]
    assert attempt["disposition"]
    assert attempt["verdict"]["allowed"]
    listed = [one for one in found["campaigns"] if one["place"] != "not_listed"]
    assert [one["campaign"] for one in listed] == [attempt["campaign"]]
    assert listed[0]["phones"][0]["rules"]
    assert all("not on its list" in one["said"] for one in found["campaigns"] if one["place"] == "not_listed")
    # Just before, the same account had not been called, and its place in the line is known.
    (before,) = answered(folder, "why", account, "--at", iso(reserved_us - 1))
    assert before["attempts"] == []
    (then,) = [one for one in before["campaigns"] if one["campaign"] == attempt["campaign"]]
    assert then["place"] == "ready"
    assert then["before"] is not None
    pacing = answered(folder, "why", "--pacing", iso(reserved_us), "--within", "60")
    assert attempt["campaign"] in {one["decision"]["campaign"] for one in pacing["around"]}
    (in_force,) = [one for one in pacing["in_force"] if one["decision"]["campaign"] == attempt["campaign"]]
    assert in_force["at_us"] <= reserved_us
    assert "placed" in in_force["said"][0]
    # For people, too.
    assert account in cadencia(folder, "why", account).stdout


def test_why_at_an_instant_sets_apart_what_came_later(demo: tuple[Path, list[dict[str, Any]]]) -> None:
    folder, _ = demo
    ledger = open_ledger(f"sqlite:///{folder}/ledger.db")
    with ledger.reading() as connection:
        table = schema.attempt
        query = choose(schema.debt.c.account, table.c.call_id, table.c.answered_us, schema.outcome.c.disposition)
        query = query.join(table, table.c.person == schema.debt.c.person)
        query = query.join(schema.outcome, schema.outcome.c.call_id == table.c.call_id)
        found = connection.execute(query.where(table.c.talking_us.is_not(None), table.c.ended_us.is_not(None))).first()
    ledger.close()
    assert found is not None
    (then,) = answered(folder, "why", found.account, "--at", iso(found.answered_us))
    attempt = then["attempts"][-1]
    assert (attempt["call_id"], attempt["disposition"], attempt["ended_us"], attempt["agent"]) == (
        (found.call_id, None, None, None)
    )
    assert [(one["call_id"], one["disposition"]) for one in then["later"]] == [(found.call_id, found.disposition)]
    assert f"{found.call_id} became {found.disposition}" in " ".join(
        cadencia(folder, "why", found.account, "--at", iso(found.answered_us)).stdout.split()
    )


def first_dialled(folder: Path) -> tuple[str, int]:
    """Return the account of the first attempt, and when it was reserved."""
    ledger = open_ledger(f"sqlite:///{folder}/ledger.db")
    with ledger.reading() as connection:
        query = choose(schema.debt.c.account, schema.attempt.c.reserved_us)
        query = query.join(schema.attempt, schema.attempt.c.person == schema.debt.c.person)
        found = connection.execute(query.order_by(schema.attempt.c.reserved_us)).first()
    ledger.close()
    assert found is not None
    return found.account, found.reserved_us


def test_stock_and_doctor_know_the_folder(demo: tuple[Path, list[dict[str, Any]]]) -> None:
    folder, _ = demo
    stocks = {one["campaign"]: one for one in answered(folder, "stock")}
    assert set(stocks) == {"es", "co", "us"}
    for one in stocks.values():
        assert len(one["callable"]) == len(one["hours_us"])
        assert all(0 <= count <= one["leads"] for count in one["callable"])
    assert stocks["co"]["callable"][0] > 0
    findings = {one["what"]: one for one in answered(folder, "doctor")}
    assert findings["rooms"]["ok"]
    assert findings["rules"]["ok"]
    assert findings["ledger"]["ok"]
    known = answered(folder, "agents", "list")
    assert [one["agent"] for one in known] == [f"agent{n:02d}" for n in range(1, 6)]


def test_the_same_file_again_changes_nothing(demo: tuple[Path, list[dict[str, Any]]]) -> None:
    folder, _ = demo
    found = answered(folder, "import", str(folder / "portfolio.csv"), "--at", "2026-11-18T18:00:00Z")
    assert (found["added"], found["changed"], found["withdrawn"]) == (0, 0, 0)


def test_a_payment_takes_an_account_off_at_once(demo: tuple[Path, list[dict[str, Any]]]) -> None:
    folder, _ = demo
    rows = list(csv.DictReader((folder / "portfolio.csv").read_text(encoding="utf-8").splitlines()))
    row = next(one for one in rows if one["country"] == "CO" and not one["stops"])
    paid = folder / "paid.csv"
    with paid.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["creditor", "account", "paid_on", "amount", "currency", "reference"])
        writer.writerow([row["creditor"], row["account"], "2026-11-18", row["balance"], row["currency"], "R-1"])
        writer.writerow([row["creditor"], "no-such-account", "2026-11-18", "1.00", row["currency"], "R-2"])
    found = answered(folder, "import-payments", str(paid), "--at", "2026-11-18T18:30:00Z")
    assert (found["added"], found["paid"], found["rejected"]) == (1, 1, 1)
    again = answered(folder, "import-payments", str(paid), "--at", "2026-11-18T18:31:00Z")
    assert (again["added"], again["repeated"]) == (0, 1)
    (why,) = answered(folder, "why", row["account"])
    phones = [phone for one in why["campaigns"] for phone in one["phones"]]
    assert all(phone["verdict"]["rule"] == "HOUSE.paid" for phone in phones)


def test_the_record_goes_out_as_parquet(demo: tuple[Path, list[dict[str, Any]]]) -> None:
    folder, _ = demo
    written = answered(folder, "export", "--parquet", str(folder / "out"))
    assert written["attempts"] > 20
    assert pyarrow.parquet.read_table(folder / "out" / "attempts.parquet").num_rows == written["attempts"]


def test_a_folder_that_is_no_demonstrations_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("keep", encoding="utf-8")
    done = CliRunner().invoke(app, ["demo", str(tmp_path / "mine")])
    assert isinstance(done.exception, BadInput)
    assert "made by a rehearsal or demonstration" in str(done.exception)
    assert (tmp_path / "mine" / "notes.txt").read_text("utf-8") == "keep"


def until(true: Callable[[], Any], within_s: float = 60.0) -> Any:
    deadline = time.monotonic() + within_s
    while not (found := true()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return found


@pytest.fixture
def rehearsal(demo: tuple[Path, list[dict[str, Any]]]) -> Iterator[tuple[Path, "subprocess.Popen[str]"]]:
    """Give the folder of a rehearsal that runs on a copy of the demonstration's."""
    folder, _ = demo
    command = [*COMMAND, "run", "es", "co", "--rehearsal", "--speed", "60", "--start", START, "--json"]
    with (folder / "run.out").open("w") as out:
        running = subprocess.Popen(command, cwd=folder, stdout=out, stderr=subprocess.PIPE, text=True)
    try:
        copy = folder / "rehearsal"
        until(lambda: (copy / "cadencia.sock").exists() or running.poll() is not None)
        assert running.poll() is None, running.stderr and running.stderr.read()
        yield copy, running
    finally:
        if running.poll() is None:
            running.kill()
        running.wait()
        assert running.stderr is not None
        running.stderr.close()


def test_a_running_floor_takes_commands(rehearsal: tuple[Path, "subprocess.Popen[str]"]) -> None:
    folder, running = rehearsal

    def campaigns() -> dict[str, Any]:
        return {row["campaign"]: row for row in answered(folder, "status")["board"]["campaigns"]}

    def standing(state: str) -> set[str]:
        return {one["agent"] for one in answered(folder, "agents", "list") if state in (one["state"], one["reason"])}

    until(lambda: campaigns()["es"]["attempts"] > 0)
    until(lambda: not {"agent01", "agent02"} & standing("offline"))
    assert campaigns()["us"]["state"] == "stopped"
    answered(folder, "limit", "es", "0.02")
    answered(folder, "mode", "co", "power", "--ratio", "2")
    answered(folder, "pause", "co")
    now = campaigns()
    assert now["es"]["abandon_limit"] == 0.02
    assert (now["co"]["mode"], now["co"]["ratio"], now["co"]["state"]) == ("power", 2.0, "paused")
    answered(folder, "resume", "co")
    assert campaigns()["co"]["state"] == "running"
    answered(folder, "agents", "move", "agent01", "--campaign", "es")
    answered(folder, "agents", "pause", "agent02", "--reason", "lunch")
    until(lambda: "agent02" in standing("lunch"))
    # No robot undoes what a supervisor says; one refusal of several keeps nobody else from it.
    begun_us = answered(folder, "status")["board"]["at_us"]
    until(lambda: answered(folder, "status")["board"]["at_us"] > begun_us + 60_000_000)
    assert "agent02" in standing("lunch")
    several = cadencia(folder, "agents", "pause", "nobody", "agent02", "--reason", "training")
    assert several.exit_code == 2
    assert "nobody: pause: agent nobody is not signed in" in " ".join(several.stdout.split())
    assert "agent02: on pause (training)" in several.stdout
    answered(folder, "agents", "ready", "agent02")
    until(lambda: "agent02" not in standing("paused") | standing("training"))
    assert "nap" in refusal(folder, "agents", "pause", "agent02", "--reason", "nap")
    assert "agents add" in refusal(folder, "agents", "login", "zzz")
    assert "[nodes.NAME]" in refusal(folder, "run", "es")
    answered(folder, "agents", "logout", "agent02")
    until(lambda: "agent02" in standing("offline"))
    answered(folder, "stop", "--within", "5")
    assert running.wait(60) == 0
    assert "no engine answers" in refusal(folder, "status")
    (verified,) = answered(folder, "verify")
    assert verified["broken_seq"] is None


def test_keys_steer_the_board_in_a_terminal(demo: tuple[Path, list[dict[str, Any]]]) -> None:
    folder, _ = demo
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    running = subprocess.Popen(
        [*COMMAND, "run", "co", "--rehearsal", "--speed", "20", "--start", START],
        cwd=folder, stdin=theirs, stdout=theirs, stderr=theirs, env={**os.environ, "TERM": "xterm"},
    )  # fmt: skip
    os.close(theirs)
    screen = b""

    def shows(text: str) -> bool:
        nonlocal screen
        if select.select([ours], [], [], 0.1)[0]:
            screen += os.read(ours, 65536)
        return text.encode() in screen

    try:
        until(lambda: shows("● running"))
        os.write(ours, b"p")
        until(lambda: shows("● paused"))
        os.write(ours, b"r")
        os.write(ours, b"q")
        until(lambda: shows("q again"))
        os.write(ours, b"q")
        until(lambda: shows("The run has ended"))
        assert running.wait(30) == 0
    finally:
        running.kill()
        running.wait()
        os.close(ours)


def test_its_record_is_fitted_and_simulated_again(demo: tuple[Path, list[dict[str, Any]]], tmp_path: Path) -> None:
    folder, _ = demo
    world = tmp_path / "world.toml"
    fitted = answered(folder, "simulate", "fit", "--from-ledger", "--out", str(world))
    assert fitted["attempts"] > 20
    assert fitted["missing"]
    text = world.read_text(encoding="utf-8")
    assert text.startswith("# Fitted to the record of floor 'floor', 2026-11-18")
    done = cadencia(folder, "simulate", "fidelity", "--world", str(world), "--replications", "2", "--json")
    found = json.loads(done.stdout)
    by_record, by_world = found["comparisons"]
    assert (by_record["world"], by_world["world"]) == ("record", str(world))
    assert by_record["from_record"] > 0.5
    assert {line["metric"] for line in by_record["lines"]} >= {"attempts", "rpc_rate", "occupancy", "talk_s"}
    # The status is the verdict on the world that was named.
    doubted = {line["metric"] for line in by_world["lines"] if line["core"] and line["verdict"] == "outside"}
    assert done.exit_code == (1 if doubted else 0)
    shown = cadencia(folder, "simulate", "fidelity", "--replications", "2")
    assert "May be believed" in shown.output
    assert "its calls are of 2026-11-18" in refusal(folder, "simulate", "fidelity", "--day", "2026-11-17")
    assert "must be 2 or more" in refusal(folder, "simulate", "fidelity", "--replications", "1")
    assert "presets are" in refusal(folder, "simulate", "fidelity", "--world", "nowhere")
    assert "nobody was called until" in refusal(folder, "simulate", "fit", "--to", "2026-11-17")
    backwards = ("--from", "2026-11-19", "--to", "2026-11-18")
    assert "lies after --to" in refusal(folder, "simulate", "fit", *backwards)
    assert "there is no folder" in refusal(folder, "simulate", "fit", "--out", str(tmp_path / "no" / "world.toml"))
