"""The rivals on examples worked by hand."""

from math import exp

import numpy as np
import pytest

from benchmarks.pacing.knobs import KNOBS, RIVALS
from benchmarks.pacing.policy import Policy
from benchmarks.pacing.rivals import (
    FixedRatio,
    ImpactLike,
    IssabelLike,
    PiRatio,
    Progressive,
    SamuelsonLike,
    VicidialLike,
    VicidialMode,
    replay,
)
from benchmarks.pacing.scenarios import SCENARIOS
from benchmarks.pacing.world import run_day


def dials(
    policy: Policy,
    at: float = 0.0,
    free: int = 0,
    waiting: int = 0,
    talking: int = 0,
    wrapping: int = 0,
    ringing: int = 0,
) -> int:
    return policy.decide(at, free, waiting, np.full(talking, 30.0), np.full(wrapping, 5.0), np.full(ringing, 4.0)).dials


@pytest.mark.parametrize(
    ("ratio", "free", "waiting", "ringing", "expected"),
    [(1.0, 3, 0, 1, 2), (1.0, 2, 1, 4, 0), (1.5, 3, 0, 0, 5), (3.0, 2, 1, 3, 2), (2.0, 0, 0, 0, 0)],
)
def test_ratio_counts_lines_per_free_agent(ratio: float, free: int, waiting: int, ringing: int, expected: int) -> None:
    assert dials(FixedRatio(ratio), free=free, waiting=waiting, ringing=ringing) == expected


def test_progressive_covers_each_free_agent_once() -> None:
    assert dials(Progressive(), free=4, ringing=3, talking=9) == 1


def test_vicidial_acts_every_two_and_a_half_seconds_on_ready_and_talking() -> None:
    policy = VicidialLike(VicidialMode.average, ready_only=False)
    # The first sample: 4 of 10 free, so the level goes from 1 to 1.4; goal round(1.4 * 8) = 11, less 3 + 4.
    assert dials(policy, 0.0, free=4, talking=4, wrapping=2, ringing=3) == 4
    assert policy.level == pytest.approx(1.4)
    assert dials(policy, 2.0, free=4, talking=4, wrapping=2) == 0
    assert dials(policy, 2.5, free=4, talking=4, wrapping=2, ringing=3) == 4


def test_vicidial_ready_only_counts_lines_per_ready_agent() -> None:
    policy = VicidialLike(VicidialMode.average, ready_only=True)
    # Level 1.4: round(1.4 * 4) + 4 with agents, less 3 ringing and those 4.
    assert dials(policy, 0.0, free=4, talking=4, wrapping=2, ringing=3) == 3


def worked_over_the_limit(mode: VicidialMode, *, drops: int = 30, ends_at_s: float = 28800.0) -> VicidialLike:
    """Return a level after 100 human answers, so many of them dropped, long before the end of the day."""
    policy = VicidialLike(mode, ready_only=True, ends_at_s=ends_at_s)
    for at in np.arange(0.0, 45.0, 2.5):
        dials(policy, at, free=10, talking=10)
    assert policy.level == pytest.approx(3.0)
    for _ in range(100 - drops):
        policy.observe_connected(0.0)
    for _ in range(drops):
        policy.observe_abandoned()
    for at in np.arange(45.0, 61.0, 1.0):
        dials(policy, at, free=10, talking=10)
    return policy


def test_vicidial_cuts_its_level_above_the_limit() -> None:
    assert worked_over_the_limit(VicidialMode.average).level == pytest.approx(1.5)
    assert worked_over_the_limit(VicidialMode.hard).level == 1.0
    assert worked_over_the_limit(VicidialMode.average, drops=3).level == 3.0


def test_vicidial_tapers_by_the_difference_of_clock_digits() -> None:
    # A day that ends at 21:00 after 8 h: at 13:01 there are 2100 - 1301 = 799 left, so the level is 3 * .799.
    assert worked_over_the_limit(VicidialMode.tapered).level == pytest.approx(3.0 * 0.799)
    assert worked_over_the_limit(VicidialMode.tapered, ends_at_s=50.0).level == 1.0


def test_issabel_counts_agents_whose_call_is_nearly_over_and_divides_by_the_answer_rate() -> None:
    policy = IssabelLike(quality=0.9)
    for _ in range(20):
        policy.observe_talk(10.0)
    for live in (True, False) * 20:
        policy.observe_outcome("live" if live else "busy", 10.0)
    # Half are answered; 30 s into a talk of 10-16 s on average the chance to have ended is over .9 for all three.
    assert dials(policy, 10.0, free=2, waiting=1, talking=3, ringing=1) == (2 + 3 - 1) / 0.5 - 1
    assert dials(policy, 1900.0, free=2) == 2  # half an hour later nothing is known of the rate


def test_issabel_divides_by_no_less_than_its_least_rate() -> None:
    policy = IssabelLike()
    for _ in range(50):
        policy.observe_outcome("no_answer", 25.0)
    assert dials(policy, 1.0, free=2, ringing=3) == 2 / 0.20 - 3


def test_samuelson_matches_answers_with_agents_freed_while_a_call_rings() -> None:
    policy = SamuelsonLike(0.8)
    for _ in range(4000):
        policy.observe_outcome("live", 8.0)
        policy.observe_outcome("no_answer", 25.0)
        policy.observe_talk(60.0)
        policy.observe_wrap(20.0)
    both = 1.0 - (60.0 * exp(-10 / 60) - 20.0 * exp(-10 / 20)) / 40.0
    agents = 3 + 10 * both + 4 * (1.0 - exp(-10 / 20))
    assert dials(policy, free=3, talking=10, wrapping=4, waiting=1, ringing=2) == int((0.8 * agents - 1) / 0.5 - 2)


def test_pi_moves_the_ratio_against_the_error() -> None:
    policy = PiRatio(0.03, kp=0.0, ki=0.1)
    before = policy.ratio
    for _ in range(100):
        policy.observe_connected(0.0)
    assert policy.ratio == pytest.approx(before * exp(0.1 * 0.03 * 100))
    for _ in range(3):
        policy.observe_abandoned()
    assert policy.ratio == pytest.approx(before * exp(0.1 * (0.03 * 103 - 3)))


def test_impact_is_progressive_below_five_callers_or_fifty_attempts() -> None:
    policy = ImpactLike()
    for _ in range(49):
        policy.observe_outcome("no_answer", 25.0)
    policy.observe_talk(60.0)
    assert dials(policy, free=6, ringing=2) == 4
    policy.observe_outcome("no_answer", 25.0)
    assert dials(policy, free=4, ringing=2) == 2
    # Nobody answers: every ratio has nothing abandoned and no work done, the first of them stays.
    assert dials(policy, 60.0, free=6, ringing=2) == 4


def test_impact_dials_more_where_few_answer_and_nothing_is_lost() -> None:
    policy = ImpactLike()
    for index in range(100):
        policy.observe_outcome("live" if index % 10 == 0 else "no_answer", 10.0)
        policy.observe_talk(30.0)
    dials(policy, 0.0, free=5, talking=15)
    assert policy.ratio == 4.0


def test_replay_connects_all_who_answer_one_by_one() -> None:
    # One call for each free agent, all answered after 5 s, busy for 10 s: nobody is lost.
    abandoned, connected, worked_s = replay(2, 1.0, np.array([5.0]), np.array([True]), np.array([10.0]), 2.0)
    assert abandoned == 0
    assert worked_s == pytest.approx(10.0 * connected, abs=20.0)
    assert connected == pytest.approx(2 * 240 / 15, abs=3)
    # Three for each: two of three answers find nobody.
    abandoned, connected, _ = replay(2, 3.0, np.array([5.0]), np.array([True]), np.array([10.0]), 2.0)
    assert abandoned == pytest.approx(2 * connected, rel=0.15)


def test_all_rivals_work_a_day_and_their_knob_moves_them() -> None:
    scenario = SCENARIOS["shift_end"]
    for name, make in RIVALS.items():
        least, most = (run_day(make(knob, scenario), scenario, 1) for knob in (KNOBS[name][0], KNOBS[name][-1]))
        assert 0.5 < least.occupancy < 1.0, name
        assert name == "progressive" or least.dials != most.dials, name
    assert set(RIVALS) == set(KNOBS)
