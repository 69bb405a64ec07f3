"""Experiments on simulated months: any number of workers, interrupted runs, exact repeats, the commands."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from typer.testing import CliRunner

from console.demo import prepare
from console.main import app
from console.simulating import with_month
from domain.calls import Mode
from domain.errors import BadInput
from domain.settings import CampaignSettings, FloorSettings
from simulation.experiment import Experiment, Ran, run
from simulation.measures import read_costs, tally
from simulation.month import Arm, Plan
from simulation.outcome import Outcome
from simulation.ownlist import read_people
from simulation.roster import roster
from simulation.selfcheck import check
from simulation.store import Store, key
from simulation.workers import Workers

ROOT = Path(__file__).parents[2]
VERSIONS = {"code": "as it is"}
COSTS = read_costs()
#: Decisions every 10 s: a day of two agents in a second.
FLOOR = FloorSettings(tick_s=10.0, campaigns=(CampaignSettings(name="sample", mode=Mode.predictive),))
AGEING = replace(FLOOR, campaigns=(replace(FLOOR.campaigns[0], order="ageing"),))
PLAN = Plan(world="default", debtors=120, start="2027-02-01", days=1, roster=roster(2, end="11:00"))


def net_of(outcome: Outcome) -> float:
    return tally(outcome, COSTS, "EUR")["net"]


def tried(**more: object) -> Experiment:
    arms = (Arm(name="balance", floor=FLOOR), Arm(name="ageing", floor=AGEING))
    return Experiment(**{"arms": arms, "plan": PLAN, "replications": 3, "sequential": False} | more)  # type: ignore[arg-type]


def go(experiment: Experiment, folder: Path, processes: int = 1) -> Ran:
    return run(experiment, Store(folder), Workers(processes=processes), versions=VERSIONS, net_of=net_of)


def cells(folder: Path) -> dict[str, tuple[int, int]]:
    """Return every cell kept, with when it was written and its file's number."""
    return {path.name: (path.stat().st_mtime_ns, path.stat().st_ino) for path in folder.rglob("*.cell")}


def test_any_number_of_workers_gives_equal_bytes_and_nothing_is_computed_twice(tmp_path: Path) -> None:
    one, two = go(tried(), tmp_path / "one"), go(tried(), tmp_path / "two", processes=2)
    assert one.digests == two.digests
    assert one.computed == two.computed == 6
    assert len(set(one.digests[0][0])) == 3
    again = go(tried(replications=4), tmp_path / "two")
    assert again.computed == 2
    assert tuple(some[:3] for some in again.digests[0]) == two.digests[0]


def test_a_cell_that_is_not_whole_is_computed_again(tmp_path: Path) -> None:
    first = go(tried(replications=1), tmp_path)
    path = next(tmp_path.rglob("*.cell"))
    path.write_bytes(path.read_bytes()[:-7])
    second = go(tried(replications=1), tmp_path)
    assert (second.computed, second.digests) == (1, first.digests)


def test_the_key_names_everything_that_an_outcome_follows_from() -> None:
    arm = Arm(name="A", floor=FLOOR)
    keys = {
        key(arm, PLAN, 1, VERSIONS),
        key(arm, PLAN, 2, VERSIONS),
        key(arm, PLAN, 1, {"code": "another"}),
        key(arm, replace(PLAN, debtors=121), 1, VERSIONS),
        key(arm, replace(PLAN, world="utility"), 1, VERSIONS),
        key(replace(arm, floor=AGEING), PLAN, 1, VERSIONS),
        key(replace(arm, strict=False), PLAN, 1, VERSIONS),
    }
    assert len(keys) == 7
    # Where the packs that ship lie is no part of it.
    assert key(replace(arm, rules=str(ROOT / "config" / "rules")), PLAN, 1, VERSIONS) in keys


def test_it_stops_when_the_answer_is_clear_wherever_it_was_computed(tmp_path: Path) -> None:
    arms = (Arm(name="A", floor=FLOOR), Arm(name="the same", floor=FLOOR))
    experiment = tried(arms=arms, replications=30, sequential=True)
    one, two = go(experiment, tmp_path / "one"), go(experiment, tmp_path / "two", processes=2)
    assert one.replications == two.replications == 6
    assert one.digests == two.digests


def test_the_same_strategy_with_the_same_luck_differs_in_nothing(tmp_path: Path) -> None:
    arms = (Arm(name="A", floor=FLOOR), Arm(name="A again", floor=FLOOR))
    same = go(tried(arms=arms, replications=8), tmp_path)
    own = go(tried(arms=arms, replications=8, same_luck=False), tmp_path)
    assert own.computed == 8
    found = check(same, own, COSTS)
    assert found.differ == ()
    assert found.metrics > 10
    assert 0.01 <= found.called_share <= 0.09
    assert found.watched_share <= 0.05 + 3 * 0.011


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"arms": ()}, "no arm"),
        ({"arms": (Arm(name="A", floor=FLOOR),) * 2}, "two arms are called 'A'"),
        ({"agents": (0,)}, "agents must be in"),
        ({"limits": (3.0,)}, "limits must be in"),
        ({"agents": (10, 10)}, "name each once"),
    ],
)
def test_experiments_that_cannot_be_are_refused(more: dict[str, object], said: str) -> None:
    with pytest.raises(BadInput, match=said):
        tried(**more)


def test_shifts_that_would_end_after_midnight_are_refused() -> None:
    experiment = tried(hours=(8.0, 20.0))
    with pytest.raises(BadInput, match="after midnight"):
        experiment.case(experiment.settings[1], 0)


def test_factors_change_arms_and_plan_in_every_combination() -> None:
    experiment = tried(agents=(3, 5), limits=(0.01, 0.02), modes=(Mode.power,), hours=(1.5,))
    assert len(experiment.settings) == 4
    arm, plan = experiment.case(experiment.settings[-1], 1)
    campaign, shift = arm.floor.campaigns[0], plan.roster.shift[0]
    assert (campaign.order, campaign.mode, campaign.abandon_limit) == ("ageing", "power", 0.02)
    assert (shift.agents, shift.begin, shift.end) == (5, "09:00", "10:30")


# ---- commands


@pytest.fixture
def working_folder(tmp_path: Path) -> Path:
    """Return a working folder whose floor decides every 10 s."""
    (tmp_path / "cadencia.toml").write_text("[floor]\ntick_s = 10.0\n")
    (tmp_path / "campaigns").mkdir()
    (tmp_path / "campaigns" / "early.toml").write_text('name = "early"\nmode = "predictive"\n')
    (tmp_path / "rules").symlink_to(ROOT / "config" / "rules")
    (tmp_path / "two.toml").write_text('[[shift]]\nagents = 2\nfrom = "09:00"\nto = "11:00"\n')
    return tmp_path


@pytest.fixture
def cadencia(working_folder: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Give the command on that folder."""

    def command(*words: str) -> subprocess.CompletedProcess[str]:
        line = [sys.executable, "-P", "-m", "console.main", *words, "--folder", str(working_folder)]
        environment = os.environ | {"PYTHONPATH": str(ROOT)}
        return subprocess.run(line, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=280, check=False)

    return command


def any_alive(group: int) -> bool:
    """Return whether any process of a group has not ended; one that nobody has waited for has."""
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            state, _parent, of_group = path.read_text().rpartition(")")[2].split()[:3]
            if int(of_group) == group and state != "Z":
                return True
    return False


def words(tmp_path: Path, *more: str) -> list[str]:
    return [
        "simulate", "run", "-s", "early", "-s", "ageing=early:order=ageing", "--days", "1", "--debtors", "120",
        "--agents", str(tmp_path / "two.toml"), "--replications", "4", "--out", str(tmp_path / "out"), *more,
    ]  # fmt: skip


def test_killed_and_run_again_it_goes_on_and_repeats_exactly(
    tmp_path: Path, cadencia: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    kept = tmp_path / "simulations" / "cells"
    asked = words(tmp_path, "--replications", "10", "--fixed")
    line = [sys.executable, "-P", "-m", "console.main", *asked, "--processes", "2", "--folder", str(tmp_path)]
    killed = subprocess.Popen(
        line, cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)}, start_new_session=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    until = time.monotonic() + 240
    while len(cells(kept)) < 2 and time.monotonic() < until and killed.poll() is None:
        time.sleep(0.05)
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    before = cells(kept)
    assert 2 <= len(before) < 20, "the run ended before it could be killed, or never began"
    done = cadencia(*asked, "--processes", "1", "--json")
    assert done.returncode == 0, done.stderr
    after = cells(kept)
    assert len(after) == 20
    assert {name: after[name] for name in before} == before
    result = json.loads(done.stdout)
    assert (result["replications"], result["breaches"]) == (10, 0)
    out = tmp_path / "out"
    assert (out / "report.html").read_text().count(result["answer"].replace("'", "&#x27;")) == 1
    assert {path.stem for path in (out / "outcomes").glob("*.parquet")} >= {
        "flows",
        "money",
        "accounts",
        "replications",
    }
    again = cadencia("simulate", "run", "--again", str(out), "--processes", "2", "--json")
    assert again.returncode == 0, again.stderr
    assert json.loads(again.stdout)["equal"] is True
    # A record that says otherwise is found out.
    record = json.loads((out / "experiment.json").read_text())
    record["outcomes"][0][0][0] = "0" * 64
    (out / "experiment.json").write_text(json.dumps(record))
    assert cadencia("simulate", "run", "--again", str(out), "--processes", "2").returncode == 1


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["-s", "early", "--days", "0"], "days must be 1 or more"),
        (["-s", "early", "--debtors", "0"], "debtors must be 1 or more"),
        (["-s", "early", "--start", "soon"], "no day"),
        (["-s", "early", "--replications", "0"], "--replications must be 1 or more"),
        (["-s", "early", "--agents", "nobody.toml", "--days", "2"], "no agent ever logs in"),
        (["-s", "early", "--agents", "0"], "agents must be 1 or more"),
        (["-s", "early", "--agents", "-3"], "agents must be 1 or more, was -3"),
        (["-s", "early", "--agents", "binary.toml"], "roster binary.toml: is no TOML"),
        (["-s", "early", "--costs", "negative.toml"], "costs negative.toml: agent_hour must be 0 or more, was -5"),
        (["-s", "early", "--month", "binary.toml"], "binary.toml: byte 0 is not UTF-8"),
        (["-s", "early", "--folder", "nowhere"], "there is no such folder"),
        (["--again", "half"], "is no experiment"),
        (["-s", "early", "--world", "paradise"], "paradise"),
        (["-s", "early", "-s", "early"], "two arms are called 'early'"),
        (["-s", "late"], "has no campaign of that name; it has early"),
        ([], "no strategy"),
        (["-s", "early:selection.min_balance_minor=99999999999", "--days", "1"], "widen its selection"),
        (["--again", "."], "cannot be read"),
        (["-s", "early", "-s", "B=early", "--aa"], "name it once"),
    ],
)
def test_bad_input_is_told_before_anything_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, working_folder: Path, more: list[str], said: str
) -> None:
    (working_folder / "nobody.toml").write_text('[[shift]]\nagents = 2\ndays = ["sun"]\n')
    (working_folder / "binary.toml").write_bytes(b"\xff\xfe")
    priced = "agent_hour = -5\ncall_minute = 1\nattempt = 1\ncomplaint = 1\n"
    (working_folder / "negative.toml").write_text(f'currency = "EUR"\n[prices.EUR]\n{priced}')
    (working_folder / "half").mkdir()
    (working_folder / "half" / "experiment.json").write_text('{"command": "cadencia"')
    monkeypatch.chdir(working_folder)
    found = CliRunner().invoke(app, ["simulate", "run", "--processes", "1", *more])
    assert isinstance(found.exception, BadInput), found.output
    assert said in str(found.exception)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ([], "nothing to vary"),
        (["--agents", "2.5,5"], "--agents must be of whole numbers from 1 on, was 2.5"),
        (["--agents", "0,5"], "--agents must be of whole numbers from 1 on, was 0"),
        (["--limit", "3,300"], "--limit (percent) must be 0 or more and at most 99.9, was 300"),
        (["--mode", "psychic"], "--mode must be of preview"),
        (["--hours", "8,20"], "after midnight"),
    ],
)
def test_sweeps_of_what_cannot_be_are_refused(
    monkeypatch: pytest.MonkeyPatch, working_folder: Path, more: list[str], said: str
) -> None:
    monkeypatch.chdir(working_folder)
    found = CliRunner().invoke(app, ["simulate", "sweep", "-s", "early", "--processes", "1", *more])
    assert isinstance(found.exception, BadInput), found.output
    assert said in str(found.exception)


def test_a_sweep_and_the_worlds(tmp_path: Path, cadencia: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    found = cadencia(
        "simulate", "sweep", "-s", "early", "--agents", "1:2:1", "--hours", "1", "--days", "1", "--debtors", "100",
        "--replications", "2", "--processes", "2", "--json",
    )  # fmt: skip
    assert found.returncode == 0, found.stderr
    result = json.loads(found.stdout)
    assert [one["factors"] for one in result["compared"]] == [{"agents": 1, "hours": 1.0}, {"agents": 2, "hours": 1.0}]
    assert result["staffing"][0]["agents"] == [1.0, 2.0]
    assert cadencia("simulate", "sweep", "-s", "early").returncode == 2


def test_what_a_month_brings_is_kept_shown_and_repeated(
    tmp_path: Path, cadencia: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    month = tmp_path / "ours.toml"
    month.write_text(
        '[[incident]]\nday = "2027-02-01"\nat = "09:30"\nminutes = 60\nkind = "no_lines"\n'
        "[[change]]\nanswer_rate = 0.5\n"
    )
    asked = words(tmp_path, "--replications", "2", "--fixed", "--processes", "1", "--json")
    usual = cadencia(*asked, "--out", str(tmp_path / "usual"))
    found = cadencia(*asked, "--month", str(month))
    assert (usual.returncode, found.returncode) == (0, 0), usual.stderr + found.stderr
    result = json.loads(found.stdout)
    outage = "2027-02-01 09:30, 60 minutes: no trunk takes a call"
    assert result["month"] == ["2027-02-01 to 2027-02-01: people pick up 0.5 times as often", outage]
    assert json.loads(usual.stdout)["month"] == []

    def answered(told: dict[str, Any]) -> dict[str, float]:
        lines = {hour: {one["name"]: one for one in some} for hour, some in told["compared"][0]["by_hour"].items()}
        return {hour: some["live_answer_rate"]["values"][0] or 0.0 for hour, some in lines.items()}

    before, after = answered(json.loads(usual.stdout)), answered(result)
    assert all(0 <= after[hour] < before[hour] for hour in before), (before, after)
    assert outage in (tmp_path / "out" / "report.html").read_text()
    # The file may go: the experiment's folder holds what it said.
    month.unlink()
    again = cadencia("simulate", "run", "--again", str(tmp_path / "out"), "--processes", "1", "--json")
    assert again.returncode == 0, again.stderr
    assert json.loads(again.stdout)["equal"] is True


@pytest.mark.parametrize("of", ["costs", "month", "shifts"])
def test_an_example_is_what_its_option_takes(tmp_path: Path, of: str) -> None:
    told = CliRunner().invoke(app, ["simulate", "example", of])
    assert told.exit_code == 0
    path = tmp_path / f"{of}.toml"
    path.write_text(told.stdout)
    if of == "costs":
        assert read_costs(path) == COSTS
    elif of == "month":
        assert with_month(replace(PLAN, days=30), path).incidents
    else:
        assert len(roster(path).names()) == 10
    refused = CliRunner().invoke(app, ["simulate", "example", "world"])
    assert "there is one of costs, month, shifts" in str(refused.exception)


def test_worlds_are_listed_and_shown_with_their_sources() -> None:
    listed = json.loads(CliRunner().invoke(app, ["simulate", "worlds", "--json"]).stdout)
    assert {"default", "no_effect", "no_timing"} <= {one["name"] for one in listed}
    assert "(assumed)" in CliRunner().invoke(app, ["simulate", "worlds", "bank_early"]).stdout


def test_ctrl_c_keeps_what_is_finished_and_leaves_no_process(
    tmp_path: Path, cadencia: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    # So many that it cannot be over before the signal comes.
    asked = words(tmp_path, "--processes", "2", "--replications", "400", "--fixed")
    line = [sys.executable, "-P", "-m", "console.main", *asked, "--folder", str(tmp_path)]
    running = subprocess.Popen(
        line, cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)}, start_new_session=True, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    until = time.monotonic() + 240
    while not cells(tmp_path) and time.monotonic() < until and running.poll() is None:
        time.sleep(0.05)
    # As a terminal does: to everybody of the group.
    os.killpg(running.pid, signal.SIGINT)
    _, told = running.communicate(timeout=60)
    assert running.returncode == 130, told
    assert "the same command goes on from there" in " ".join(told.split())
    assert 1 <= len(cells(tmp_path)) < 800
    until = time.monotonic() + 30
    while time.monotonic() < until and any_alive(running.pid):
        time.sleep(0.05)
    assert not any_alive(running.pid)


def test_a_forecast_is_of_the_campaigns_own_list(tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    prepare(folder, debtors=200, agents=2, seed=1, report=lambda _what, _done, _of: None)
    settings = folder / "cadencia.toml"
    settings.write_text(settings.read_text().replace("# tick_s = 0.5", "tick_s = 10.0"))
    today = datetime.now(UTC).date()
    monday = str(today + timedelta(days=7 - today.weekday()))
    words = ["forecast", "es", "--hours", "1", "--days", "1", "--start", monday, "--replications", "3"]
    found = CliRunner().invoke(app, [*words, "--processes", "1", "--json", "--folder", str(folder)])
    assert found.exit_code == 0, found.exception
    told = json.loads(found.stdout)
    own = {one.person for one in read_people(str(next((folder / "simulations" / "lists").glob("*.msgpack"))))}
    # The sample portfolio is of three countries; this campaign works one of them.
    assert 10 < told["accounts"] == len(own) < 200
    (expected,) = told["expected"]
    # As many agents as are on record.
    assert expected["factors"] == {"agents": 2, "hours": 1.0}
    attempts = expected["figures"]["attempts"]
    assert 0 <= attempts["low"] <= attempts["value"] <= attempts["high"]
    assert expected["breaches"] == 0
    (folder / "campaigns" / "empty.toml").write_text('name = "empty"\nselection = { countries = ["FR"] }\n')
    for start, says in (("2026-01-05", "or later, was 2026-01-05"), ("5/1/2026", "'5/1/2026' is no day")):
        refused = CliRunner().invoke(app, ["forecast", "es", "--start", start, "--folder", str(folder)])
        assert isinstance(refused.exception, BadInput)
        assert says in str(refused.exception)
    refused = CliRunner().invoke(app, ["forecast", "empty", "--agents", "2", "--folder", str(folder)])
    assert isinstance(refused.exception, BadInput)
    assert "nobody is on its list" in str(refused.exception)
