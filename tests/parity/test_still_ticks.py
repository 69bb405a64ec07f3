"""A simulated month without the ticks that would change nothing is the same month, row by row."""

import pytest

from domain.calls import Mode
from domain.events import Tick
from domain.records import Row
from domain.settings import CampaignSettings, FloorSettings
from simulation import run
from simulation.month import Arm, Month, Plan
from simulation.outcome import Outcome
from simulation.roster import roster
from simulation.tape import Tape

#: Agents, debtors, and what they dial.
FLOORS = {
    "progressive": (2, 400, (CampaignSettings(name="a", mode=Mode.progressive),)),
    "power": (4, 400, (CampaignSettings(name="a", mode=Mode.power, ratio=2.0),)),
    "predictive, dry": (6, 200, (CampaignSettings(name="a", mode=Mode.predictive),)),
    "shared": (
        5,
        300,
        (
            CampaignSettings(name="a", mode=Mode.predictive),
            CampaignSettings(name="b", mode=Mode.progressive, order="ageing"),
        ),
    ),
}


def lived(name: str) -> tuple[list[Row], int, Outcome]:
    """Return the rows of two days but their ticks, how many ticks there were, and the outcome."""
    agents, debtors, campaigns = FLOORS[name]
    plan = Plan(world="bank_early", debtors=debtors, start="2027-02-01", days=2, roster=roster(agents))
    tape = Tape(keep=True)
    outcome = Month(Arm(name="a", floor=FloorSettings(campaigns=campaigns)), plan, 3, tape).month()
    rows = [row for row in tape.rows if type(row.record) is not Tick]
    return rows, len(tape.rows) - len(rows), outcome


@pytest.mark.parametrize("name", FLOORS)
def test_ticks_that_change_nothing_may_be_left_out(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    rows, ticks, outcome = lived(name)
    monkeypatch.setattr(run, "still_until", lambda _: 0)
    all_rows, all_ticks, whole = lived(name)
    assert ticks < all_ticks / 2
    told = [(row.at_us, type(row.record), row.campaign) for row in rows]
    assert told == [(row.at_us, type(row.record), row.campaign) for row in all_rows]
    assert {field: getattr(outcome, field) for field in outcome.__struct_fields__ if field != "rows"} == {
        field: getattr(whole, field) for field in whole.__struct_fields__ if field != "rows"
    }
