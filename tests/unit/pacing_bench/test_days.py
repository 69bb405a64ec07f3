"""Days run once, are kept, and are the same from a pool and from one process."""

from pathlib import Path

import pytest

from benchmarks.pacing.days import Cell, run_days, source_version
from benchmarks.pacing.policy import Policy
from benchmarks.pacing.scenarios import Scenario
from tests.unit.pacing_bench.scripts import Scripted, in_flight, progressive

CELLS = [Cell(policy="ratio", knob=knob, scenario="n300", seed=seed) for knob in (1.0, 3.0) for seed in (1, 2)]
VERSIONS = {"ratio": "1"}


def ratio(policy: str, knob: float | None, scenario: Scenario) -> Policy:
    if knob == 1.0:
        return progressive()
    return Scripted(lambda seen: max(0, int((knob or 0.0) * seen["free"]) - in_flight(seen)))


def never(policy: str, knob: float | None, scenario: Scenario) -> Policy:
    raise AssertionError("a day was run again")


def test_a_kept_day_is_not_run_again(tmp_path: Path) -> None:
    first = run_days(CELLS[:2], ratio, VERSIONS, cache=tmp_path, processes=1)
    assert first[0] != first[1]
    assert run_days(CELLS[:2], never, VERSIONS, cache=tmp_path, processes=1) == first
    with pytest.raises(AssertionError, match="run again"):
        run_days(CELLS[:1], never, {"ratio": "2"}, cache=tmp_path, processes=1)


def test_a_line_cut_short_costs_one_day(tmp_path: Path) -> None:
    first = run_days(CELLS[:2], ratio, VERSIONS, cache=tmp_path, processes=1)
    file = tmp_path / "days.jsonl"
    file.write_bytes(file.read_bytes()[:-40])
    assert run_days(CELLS[:1], never, VERSIONS, cache=tmp_path, processes=1) == first[:1]
    again = run_days(CELLS[:2], ratio, VERSIONS, cache=tmp_path, processes=1)
    assert [result.connected for result in again] == [result.connected for result in first]
    assert run_days(CELLS[:2], never, VERSIONS, cache=tmp_path, processes=1) == again


def test_a_pool_runs_the_same_days(tmp_path: Path) -> None:
    pooled = run_days(CELLS, ratio, VERSIONS, cache=tmp_path / "pool", processes=2)
    alone = run_days(CELLS, ratio, VERSIONS, cache=tmp_path / "alone", processes=1)
    assert [(r.dials, r.connected, r.abandoned) for r in pooled] == [(r.dials, r.connected, r.abandoned) for r in alone]


def test_a_version_follows_the_sources(tmp_path: Path) -> None:
    file = tmp_path / "policy.py"
    file.write_text("a = 1\n")
    before = source_version(file)
    assert source_version(file) == before
    file.write_text("a = 2\n")
    assert source_version(file) != before
