"""What the check decides without a server: times that do not fit."""

import pytest

from dialer.asterisk.check import limit_ms
from dialer.asterisk.render import QueuePlan


@pytest.mark.parametrize(
    ("campaign", "left_ms"),
    [
        (QueuePlan(name="a"), 1700),
        (QueuePlan(name="a", detect_machines=True), -200),
        (QueuePlan(name="a", detect_machines=True, clock_starts="greeting_end"), 900),
        (QueuePlan(name="a", detect_machines=True, patience_s=3), 800),
        (QueuePlan(name="a", patience_s=0.5), 200),
    ],
)
def test_patience_left_when_the_engine_has_had_its_time(campaign: QueuePlan, left_ms: int) -> None:
    assert limit_ms(campaign) == left_ms
