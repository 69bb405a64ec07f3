"""Rule packs that change while a floor runs: nothing is dialled by the old ones any more, and nobody waits for long."""

import asyncio
import shutil
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from compliance.gate import Gate
from dialer.engine.replay import replay
from dialer.live import Floor, Hooks
from dialer.robots import Habits
from domain.errors import BadInput
from domain.events import FloorOpened, NotSent, PastCounted, RulesChanged
from domain.facts import Judged, PaceBound
from domain.orders import Originate, Reserve
from domain.records import Row
from ledger.database import Database
from ledger.migrate import migrate
from ledger.store import SqlLedger
from tests.integration.live.scene import (
    RULES,
    connected,
    exchange,
    fill,
    floor,
    records,
    running,
    settings,
    staffed,
    until,
)
from tests.integration.live.telephone import Line
from tests.integration.live.test_live_faults import Slow

HABITS = Habits(wrapup_s=(0.01, 0.05), p_break=0.0)


@pytest.fixture
def slow(tmp_path: Path) -> Iterator[Slow]:
    database = Database(f"sqlite:///{tmp_path}/ledger.db", patience_s=0.3)
    migrate(database)
    with closing(Slow(database)) as opened:
        yield opened


@pytest.fixture(scope="module")
def gates(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Gate]:
    """Give the shipped rules, and some under which Spain's day is over at four, before the floor's clock starts."""
    directory = tmp_path_factory.mktemp("packs") / "closed"
    shutil.copytree(RULES, directory)
    pack = directory / "es.toml"
    pack.write_text(pack.read_text().replace('"21:00"', '"16:00"'))
    return {gate.version: gate for gate in (Gate.load(RULES), Gate.load(directory))}


def changing(ledger: SqlLedger, path: Path, folder: Path, gates: dict[str, Gate], **fields: object) -> Floor:
    return floor(ledger, Line(path), folder, hooks=Hooks(rules=gates.__getitem__), **fields)


def assert_dialled_by_the_rules_in_force(rows: list[Row], dialled: set[str]) -> None:
    """By the journal alone: each call that left was judged by the rules of the row at which it left."""
    rules, reserved, ordered = "", {}, {}
    for row in rows:
        record = row.record
        if isinstance(record, FloorOpened | RulesChanged):
            rules = record.rules
        elif isinstance(record, Reserve):
            reserved[record.call_id] = record.verdict.rules
        elif isinstance(record, Originate):
            ordered[record.call_id] = rules
    assert dialled <= set(ordered)
    for call_id, version in ordered.items():
        assert reserved[call_id] == version


async def test_rules_come_into_force_while_a_campaign_runs_and_are_lifted_again(
    slow: Slow, tmp_path: Path, gates: dict[str, Gate]
) -> None:
    first, second = gates
    fill(slow, 150)
    async with exchange(tmp_path, pace_s=0.2) as (network, path), staffed(tmp_path, 4, HABITS):
        one = changing(slow, path, tmp_path, gates)
        async with running(one), connected(tmp_path) as client:
            await until(lambda: len(network.truth) > 10)
            # Commits take their time, so that some Originates are on their way when the rules change.
            slow.delay_s = 0.2
            await until(lambda: len(network.truth) > 20)
            said = await client.ask("rules", version=second)
            assert (said["rules"], said["durable"]) == (second, True)
            slow.delay_s = 0.0
            left = dict(network.originated)
            await until(lambda: len(records(slow, Judged)) > 20)
            await asyncio.sleep(0.5)
            assert network.originated == left, "dialled under rules that forbid it"
            assert one.board().rules == second
            # The old hours again: everybody who waits for tomorrow is back within a few ticks.
            assert (await client.ask("rules", version=first))["to_review"] > 20
            await until(lambda: len(network.originated) > len(left) + 20)
    rows = list(slow.read("floor"))
    assert [row.record.rules for row in rows if isinstance(row.record, RulesChanged)] == [second, first]
    assert_dialled_by_the_rules_in_force(rows, set(network.originated))
    sent_back = {row.record.call_id for row in rows if isinstance(row.record, NotSent)}
    assert not sent_back & set(network.originated)
    audit = replay(rows, gates.get)
    assert (audit.divergences, audit.rows, audit.rules) == ([], len(rows), [first, second, first])
    assert not [found for found in slow.verify() if found.broken]


async def test_an_originate_on_its_way_to_disk_when_the_rules_change_does_not_leave(
    slow: Slow, tmp_path: Path, gates: dict[str, Gate]
) -> None:
    _, second = gates
    fill(slow, 30)
    async with exchange(tmp_path) as (network, path), staffed(tmp_path, 3, HABITS):
        one = changing(slow, path, tmp_path, gates, settings=settings(commit_patience_s=5.0))
        async with running(one), connected(tmp_path) as client:
            await until(lambda: len(network.truth) > 3)
            slow.delay_s = 0.4
            known = set(network.originated)
            # Ordered, and not committed yet.
            await until(lambda: [call for call in one._engine.state.calls.values() if _on_its_way(call, known)])
            await client.ask("rules", version=second)
            slow.delay_s = 0.0
            await until(lambda: [record for record in records(slow, NotSent) if record.why == "rules_changed"])
    not_sent = {record.call_id for record in records(slow, NotSent)}
    assert not not_sent & set(network.originated)
    assert_dialled_by_the_rules_in_force(list(slow.read("floor")), set(network.originated))


def _on_its_way(call: object, known: set[str]) -> bool:
    return call.phase == "originating" and call.call_id not in known  # type: ignore[attr-defined]


async def test_what_cannot_be_loaded_changes_nothing(slow: Slow, tmp_path: Path, gates: dict[str, Gate]) -> None:
    first, _ = gates

    def refuse(version: str) -> Gate:
        raise BadInput(f"rules: version {version!r} was never accepted")

    fill(slow, 20)
    async with exchange(tmp_path) as (network, path), staffed(tmp_path, 2, HABITS):
        one = floor(slow, Line(path), tmp_path, hooks=Hooks(rules=refuse))
        async with running(one), connected(tmp_path) as client:
            await until(lambda: network.truth)
            with pytest.raises(BadInput, match="never accepted"):
                await client.ask("rules", version="unheard")
            before = len(network.truth)
            await until(lambda: len(network.truth) > before + 3)
            assert one.board().rules == first
    assert not records(slow, RulesChanged)


async def test_a_restart_under_other_rules_goes_on_by_them(slow: Slow, tmp_path: Path, gates: dict[str, Gate]) -> None:
    first, second = gates
    fill(slow, 60)
    async with exchange(tmp_path) as (network, path), staffed(tmp_path, 3, HABITS):
        async with running(changing(slow, path, tmp_path, gates, gate=gates[second])):
            await until(lambda: len(records(slow, Judged)) >= 60)
        assert not network.originated
        async with running(changing(slow, path, tmp_path, gates, gate=gates[first])):
            await until(lambda: len(network.truth) > 10)
    rows = list(slow.read("floor"))
    assert_dialled_by_the_rules_in_force(rows, set(network.originated))
    audit = replay(rows, gates.get)
    assert (audit.divergences, audit.rules) == ([], [second, first])


async def test_limits_that_the_rules_bring_look_back_at_the_days_before(
    slow: Slow, tmp_path: Path, gates: dict[str, Gate]
) -> None:
    directory = shutil.copytree(RULES, tmp_path / "packs")
    pack = directory / "es.toml"
    day = 'window = { type = "rolling_hours", n = 24 }'
    text = pack.read_text()
    assert day in text
    pack.write_text(text.replace(day, 'window = { type = "rolling_days", n = 7 }'))
    weekly = Gate.load(directory)
    fill(slow, 30)
    async with exchange(tmp_path) as (network, path), staffed(tmp_path, 2, HABITS):
        one = changing(slow, path, tmp_path, gates | {weekly.version: weekly})
        async with running(one), connected(tmp_path) as client:
            await until(lambda: network.truth)
            assert one.board().campaigns[0].bound_by["shift"] == "ES.abandon_house"
            assert not records(slow, PastCounted)
            await client.ask("rules", version=weekly.version)
            await until(lambda: records(slow, PastCounted))
            assert one.board().campaigns[0].bound_by["7 days"] == "ES.abandon_house"
            # The operator cannot lift what the rules ask, and is told so.
            said = await client.ask("limit", campaign="es", abandon_limit=0.5)
            assert (said["abandon_limit"], said["bound_by"]) == (0.5, None)
        # A start under them counts before anybody is called.
        first = len(records(slow, PastCounted))
        async with running(changing(slow, path, tmp_path, {}, gate=weekly)):
            await until(lambda: len(records(slow, PastCounted)) > first)
    bound = records(slow, PaceBound)
    assert [[rule.days for rule in fact.rules] for fact in bound] == [[1], [7]]
