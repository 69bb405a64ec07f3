"""The record of a simulated run, decided again, gives the same rows byte for byte."""

import pytest

from compliance.gate import Gate
from dialer.engine import Engine
from domain.calls import Mode
from domain.records import Row
from tests.integration.simulated import RULES, image, rows_of, simulated


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
