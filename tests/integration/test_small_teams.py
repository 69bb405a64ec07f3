"""Small teams with the whole engine: agents who take breaks and go home leave nobody alone on the line."""

import pytest

from domain.calls import Mode
from domain.settings import CampaignSettings, FloorSettings
from simulation.month import Arm, Plan, replicate
from simulation.roster import roster


@pytest.mark.parametrize("seed", [1, 6])
def test_one_call_for_each_free_agent_abandons_nobody(seed: int) -> None:
    # Agents who paused while a call rang for them left 4 and 6 people in these days.
    campaign = CampaignSettings(name="a", mode=Mode.progressive, caller_ids={"*": ("+34910000000",)})
    arm = Arm(name="a", floor=FloorSettings(campaigns=(campaign,)))
    plan = Plan(world="default", debtors=2_000, start="2027-02-01", days=2, roster=roster(3))
    outcome = replicate(arm, plan, seed)
    assert outcome.total("people") > 250
    assert outcome.total("abandoned") == 0
