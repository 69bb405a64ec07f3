"""The record of a simulated run, decided again, gives the same rows byte for byte."""

import shutil
from pathlib import Path

import pytest

from compliance.gate import Gate
from dialer.engine import Engine
from dialer.engine.replay import replay
from domain.calls import Mode
from domain.events import FloorOpened, RulesChanged
from domain.instants import MINUTE
from domain.matching import Matching
from domain.orders import Connect, Originate, Reserve
from domain.records import Row
from tests.integration.simulated import RULES, START_US, image, rows_of, simulated


@pytest.mark.parametrize("mode", [Mode.predictive, Mode.preview])
def test_inputs_decided_again_give_the_recorded_rows(mode: Mode) -> None:
    floor, ledger = simulated(mode=mode)
    floor.go()
    recorded = rows_of(ledger)
    engine = Engine(Gate.load(RULES))
    again: list[Row] = []
    for row in recorded:
        if row.is_input:
            again += engine.handle(row.record)  # type: ignore[arg-type]
    assert image(again) == image(recorded)


def test_a_day_on_which_the_packs_change_is_decided_again_under_the_packs_of_each_hour(tmp_path: Path) -> None:
    directory = shutil.copytree(RULES, tmp_path / "packs")
    pack = directory / "es.toml"
    # Twenty minutes after the run begins the day is over; and people may be left waiting for less.
    text = pack.read_text().replace('"21:00"', '"16:50"').replace("max_agent_delay_s = 2\n", "max_agent_delay_s = 1\n")
    pack.write_text(text)
    first, second = Gate.load(RULES), Gate.load(directory)
    assert first.version != second.version
    floor, ledger = simulated(mode=Mode.predictive, people=300)
    at_us = [START_US + minutes * MINUTE for minutes in (5, 10, 15)]
    for instant, gate in zip(at_us, (second, first, second), strict=True):
        floor.change_rules(instant, gate)
    floor.go()
    recorded = rows_of(ledger)
    found = replay(recorded, {gate.version: gate for gate in (first, second)}.get)
    assert (found.divergences, found.rows) == ([], len(recorded))
    assert found.rules == [first.version, second.version, first.version, second.version]
    judged = {row.record.call_id: row.record.verdict.rules for row in recorded if isinstance(row.record, Reserve)}
    rules, last_us = "", 0
    for row in recorded:
        if isinstance(row.record, FloorOpened | RulesChanged):
            rules = row.record.rules
        elif isinstance(row.record, Originate):
            assert judged[row.record.call_id] == rules
            assert row.record.grace_ms + row.record.limit_ms <= (2000 if rules == first.version else 1000)
            last_us = row.at_us
    assert at_us[2] < last_us < START_US + 20 * MINUTE


def test_callers_given_by_a_table_are_given_so_again_and_by_the_record_alone() -> None:
    gains = {f"a{number}": (0.02 * number, -0.01 * number) for number in range(6)}
    table = Matching(version="t", days=(), much_minor={"EUR": 10_300}, gains=gains)
    floor, ledger = simulated(matching=table)
    floor.go()
    recorded = rows_of(ledger)
    given = [row.record for row in recorded if isinstance(row.record, Connect)]
    assert sum(order.match is not None and bool(order.match.instead) for order in given) > 5
    again, folded = Engine(Gate.load(RULES)), Engine(Gate.load(RULES))
    rows: list[Row] = []
    for row in recorded:
        if row.is_input:
            rows += again.handle(row.record)  # type: ignore[arg-type]
        folded.fold(row)
    assert image(rows) == image(recorded)
    assert folded.snapshot() == again.snapshot()
