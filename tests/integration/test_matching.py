"""Matching from the record to the floor: conversations read, a table promoted, callers given by it, and why."""

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from benchmarks import matching
from console import settings
from console.main import app
from dialer.engine.agents import MOST_IDLE_US
from domain.calls import Mode
from domain.errors import BadInput
from domain.facts import AgentShifted
from domain.instants import HOUR, SECOND, to_datetime
from domain.matching import Match, Matching
from domain.orders import Connect, Reserve
from domain.settings import CampaignSettings, FloorSettings
from ledger.parquet import FOR_MATCHING, export_parquet
from ledger.store import open_ledger
from models.matching import _groups
from models.talks import read_talks
from simulation.books import book_month
from simulation.chance import Chance
from simulation.month import Arm, Plan
from simulation.population import Debtors, load
from simulation.roster import Roster, Shift

BEGIN = datetime(2026, 11, 2, 8, tzinfo=UTC)
AGENTS = ("1001", "1002", "1003", "1004")


def cadencia(folder: Path, *words: str, status: int = 0) -> Any:
    done = CliRunner().invoke(app, [*words, "-C", str(folder), "--json"])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == status, done.output
    return json.loads(done.stdout)


def write_export(folder: Path, *, suits: float, n: int = 3000) -> None:
    """Write an export of conversations in which every other agent is better with old debts, or none is."""
    folder.mkdir()
    random = np.random.default_rng(4)
    people = np.arange(1, n // 2 + 1)
    due = [date(2026, 10, 30) - timedelta(days=int(days)) for days in random.integers(10, 200, len(people))]
    person = random.choice(people, n)
    agent = random.integers(0, len(AGENTS), n)
    at = [BEGIN + timedelta(minutes=5 * number) for number in range(n)]
    old = np.array([(BEGIN.date() - due[one - 1]).days > 100 for one in person])
    p = 0.35 + suits * np.where(old, 1.0, -1.0) * np.where(agent % 2, 1.0, -1.0)
    said = np.where(random.random(n) < p, "promise", "no_promise")
    ids = [f"floor-{number}" for number in range(n)]
    instants = pa.timestamp("us", tz="UTC")
    none = [None] * len(people)
    rows = {
        "debtors": {"person": people, "zones": [["Europe/Madrid"]] * len(people)},
        "numbers": {
            "person": people, "phone": people, "rank": [0] * len(people), "line_type": ["mobile"] * len(people),
            "zones": [["Europe/Madrid"]] * len(people),
        },
        "debts": {"debt": people, "person": people, "currency": ["EUR"] * len(people), "due_on": due},
        "attempts": {
            "call_id": ids, "person": person, "reserved_at": pa.array(at, instants),
            # A held agent was not given the caller by chance.
            "held_agent": [AGENTS[0] if number % 100 == 0 else None for number in range(n)],
            "agent": [AGENTS[one] for one in agent],
        },
        "outcomes": {
            "call_id": ids, "at": pa.array([one + timedelta(minutes=3) for one in at], instants), "disposition": said,
            "event": ["right_party_contact" if number % 50 else "third_party" for number in range(n)],
        },
        "history": {
            "event_at": pa.array([BEGIN - timedelta(days=1)] * len(people) + [at[-1] + timedelta(days=9)], instants),
            "known_at": pa.array([BEGIN - timedelta(days=1)] * len(people) + [at[-1] + timedelta(days=9)], instants),
            "person": [*people, 1], "debts": [[int(one)] for one in [*people, 1]],
            "phone": pa.array([*none, 1], pa.int64()), "campaign": pa.array([*none, "c"], pa.string()),
            "channel": pa.array([*none, "call"], pa.string()), "inbound": [False] * (len(people) + 1),
            "event": ["assigned"] * len(people) + ["dialed"], "attempt": pa.array([*none, "floor-1"], pa.string()),
            "detail": pa.array([*none, None], pa.string()),
            "amount_minor": pa.array([*random.integers(1_000, 90_000, len(people)), None], pa.int64()),
            "due_on": pa.array([*none, None], pa.date32()),
        },
    }  # fmt: skip
    for name, columns in rows.items():
        pq.write_table(pa.table(columns), folder / f"{name}.parquet")


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("match") / "desk"
    assert CliRunner().invoke(app, ["init", str(folder)]).exit_code == 0
    write_export(folder / "suits", suits=0.12)
    write_export(folder / "none", suits=0.0)
    return folder


def test_where_nothing_is_borne_out_nothing_is_promoted(desk: Path) -> None:
    told = cadencia(desk, "models", "match", "--history", str(desk / "none"), "--promote", status=1)
    assert told["learned"]["slope"] == 0.0
    assert told["learned"]["matching"] is None
    assert (told["promoted"], told["in_force"]) == (False, None)
    assert not (desk / settings.MATCHING).exists()
    assert settings.load(desk).floor.matching is None


def test_a_table_is_learned_promoted_and_taken_back(desk: Path) -> None:
    told = cadencia(desk, "models", "match", "--history", str(desk / "suits"))
    learned = told["learned"]
    # 30 calls had an agent held, 60 no debtor; of these none had both but one in a hundred.
    assert learned["conversations"] == 3000 - 60
    assert (learned["agents"], learned["slope"]) == (4, pytest.approx(1.0, abs=0.2))
    assert settings.load(desk).floor.matching is None
    told = cadencia(desk, "models", "match", "--history", str(desk / "suits"), "--promote")
    table = settings.load(desk).floor.matching
    assert table is not None
    assert told["in_force"] == table.version == told["learned"]["matching"]["version"]
    old = table.group_of(days=190, owed_minor=90_000, currency="EUR")
    assert old is not None
    assert min(table.gains[name][old] for name in AGENTS[1::2]) > 0.03
    assert max(table.gains[name][old] for name in AGENTS[::2]) < -0.03
    shown = CliRunner().invoke(app, ["models", "match", "--history", str(desk / "suits"), "-C", str(desk)])
    for words in ("Borne out", "2 free +", f"In force: table {table.version}, this one"):
        assert words in " ".join(shown.stdout.split())
    assert cadencia(desk, "models", "match", "--withdraw") == {"withdrawn": True}
    assert settings.load(desk).floor.matching is None
    gone = CliRunner().invoke(app, ["models", "match", "--withdraw", "-C", str(desk)])
    assert "nothing to take back" in str(gone.exception)


def test_a_broken_table_is_named(desk: Path) -> None:
    (desk / settings.MATCHING).write_text('{"at": "", "by": ""}')
    loaded = CliRunner().invoke(app, ["models", "match", "-C", str(desk)])
    (desk / settings.MATCHING).unlink()
    assert "matching.json: cannot be read (Object missing required field `matching`)" in str(loaded.exception)


def test_a_table_in_the_settings_file_is_refused(desk: Path) -> None:
    path = desk / settings.SETTINGS_FILE
    before = path.read_text(encoding="utf-8")
    path.write_text(
        before.replace("[floor]", "[floor]\nmatching = { version = 'x', days = [], much_minor = {}, gains = {} }", 1)
    )
    with pytest.raises(BadInput, match=r"floor\.matching is made by `cadencia models match --promote`; remove it"):
        settings.load(desk)
    path.write_text(before)


TABLE = Matching(
    version="t", days=(40, 60, 75), much_minor={"EUR": 70_000},
    gains={f"a{n:03}": tuple(0.01 * ((5 * n + g) % 7 - 3) for g in range(8)) for n in range(1, 7)},
)  # fmt: skip


@pytest.fixture(scope="module")
def worked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A working folder whose ledger holds three afternoons under a table."""
    folder = tmp_path_factory.mktemp("worked") / "desk"
    assert CliRunner().invoke(app, ["init", str(folder)]).exit_code == 0
    campaign = CampaignSettings(name="c", mode=Mode.progressive, caller_ids={"*": ("+34910000000",)})
    arm = Arm(name="a", floor=FloorSettings(campaigns=(campaign,), matching=TABLE))
    shift = Shift(agents=tuple(TABLE.gains), begin="15:00", end="18:00")
    plan = Plan(world="bank_early", debtors=600, start="2026-11-16", days=3, roster=Roster(shift=(shift,), absence=0.0))
    with open_ledger(settings.load(folder).ledger_url) as ledger:
        book_month(arm, plan, 5, ledger)
        export_parquet(ledger, folder / "export", only=FOR_MATCHING)
    return folder


def test_the_engine_and_the_record_tell_the_same_group(worked: Path) -> None:
    with open_ledger(settings.load(worked).ledger_url) as ledger:
        rows = list(ledger.read("floor"))
    reserved = {row.record.call_id: row for row in rows if isinstance(row.record, Reserve)}
    noted = [
        (reserved[row.record.call_id], row.record.match)
        for row in rows
        if isinstance(row.record, Connect) and row.record.match is not None
    ]
    assert len(noted) > 50
    assert sum(bool(match.instead) for _, match in noted) > 10
    assert any(match.idle for _, match in noted)
    talks = read_talks(worked / "export", "Europe/Madrid")
    group = dict(zip(zip(talks.person, talks.at_us, strict=True), _groups(talks, TABLE).tolist(), strict=True))
    both = [
        (group[row.record.person, row.at_us], match.group)
        for row, match in noted
        if (row.record.person, row.at_us) in group
    ]
    assert len(both) > 25
    # The engine knows of a payment when it is told, and a debt's age by the floor's own day.
    assert np.mean([one == other for one, other in both]) > 0.95
    local = [to_datetime(at_us, "Europe/Madrid").hour for at_us in talks.at_us.tolist()]
    assert talks.hour.tolist() == local
    assert (talks.known_us - talks.at_us > 5 * SECOND).all()
    assert (talks.known_us - talks.at_us < HOUR).all()


def test_why_of_a_call_says_why_this_agent(worked: Path) -> None:
    with open_ledger(settings.load(worked).ledger_url) as ledger:
        given = [row for row in ledger.read("floor") if isinstance(row.record, Connect)]

    def why(wanted: Any) -> tuple[Connect, Any]:
        order = next(row.record for row in given if wanted(row.record.match))
        told = cadencia(worked, "why", order.call_id)
        assert (told["call_id"], told["given_to"]) == (order.call_id, order.agent)
        return order, told

    def is_match(match: Match | None, **fields: bool) -> bool:
        return match is not None and all(bool(getattr(match, name)) == value for name, value in fields.items())

    order, told = why(lambda match: is_match(match, instead=True))
    assert TABLE.words(order.match.group) in told["said"][1]
    assert f"{order.match.of} agents were free" in told["said"][1]
    assert f"agent {order.match.instead} had been idle longest" in told["said"][2]
    assert f"{100 * order.match.gain:+.1f} points" in told["said"][2]
    _, told = why(lambda match: is_match(match, idle=True))
    assert "idle for so long that he came first" in told["said"][2]
    _, told = why(lambda match: match is None)
    assert told["match"] is None
    assert told["said"][1].startswith(("Of the agents free", "Nobody was free"))
    shown = CliRunner().invoke(app, ["why", order.call_id, "-C", str(worked)])
    assert f"Given to agent {order.agent}" in shown.stdout


def test_idle_time_is_bounded(worked: Path) -> None:
    """Nobody is passed over who was idle for longer than is allowed."""
    since: dict[str, int] = {}
    with open_ledger(settings.load(worked).ledger_url) as ledger:
        for row in ledger.read("floor"):
            if isinstance(row.record, AgentShifted) and row.record.state == "ready":
                since[row.record.agent] = row.at_us
            if isinstance(row.record, Connect) and row.record.match is not None and row.record.match.instead:
                assert row.at_us - since[row.record.match.instead] < MOST_IDLE_US


def test_a_campaign_worked_by_a_true_table_brings_more_of_each_conversation(tmp_path: Path) -> None:
    """Same debtors, agents and luck: with the table, by the truth of every conversation."""
    world = tmp_path / "suits.toml"
    world.write_text(
        'base = "default"\n[portfolio.countries]\nCO = 0\nUS = 0\n[promises]\nby_agent = 1.5\n', encoding="utf-8"
    )
    hand = Debtors(load(str(world)), Chance(1), start_us=0).suits.hand
    names = [f"a{number:04}" for number in range(1, 9)]
    # By the ages of debts from one end of the world's stages to the other, and by how much is owed.
    gains = {
        name: tuple(0.25 * (age * hand(name)[0] + much * hand(name)[1]) for age in (-0.8, 0.0, 0.8) for much in (-1, 1))
        for name in names
    }
    table = Matching(version="true", days=(60, 180), much_minor={"EUR": 220_000}, gains=gains)
    asked = {"world": str(world), "debtors": 600, "agents": len(names), "days": 2, "idle": MOST_IDLE_US / SECOND}
    without, matched = (matching.month(asked, 3, given, 1.0) for given in (b"", msgspec.json.encode(table)))
    assert without["chosen"] == 0
    assert matched["passed_over"] > 20
    assert matched["conversations"] > 50

    def agreed(of: dict[str, Any]) -> float:
        return float(of["p_agreed"] / of["conversations"])

    assert agreed(matched) > 1.05 * agreed(without)
    assert matched["breaches"] == without["breaches"] == 0
