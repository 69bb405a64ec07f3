"""The learned reference finds the laws of a day, keeps its limits, and notices what changes."""

import numpy as np
import pytest

from benchmarks.pacing.reference import Durations, LearnedLaws, MarginalPacer, Price, informed, learned
from benchmarks.pacing.rule import RING_STEP_S, at_age
from benchmarks.pacing.scenarios import SCENARIOS
from benchmarks.pacing.world import run_day

NOTHING = np.empty(0)


def fed(laws: LearnedLaws, p_live: float, outcomes: int, from_s: float = 0.0, spacing_s: float = 2.0) -> None:
    """Let every so-many-th call be answered after 10 s, the others ring out after 25 s."""
    for index in range(outcomes):
        live = int((index + 1) * p_live) > int(index * p_live)
        laws.outcome(live, 10.0 if live else 25.0)
        laws.p_live(from_s + index * spacing_s, NOTHING)


def test_rate_is_learned_and_taken_two_standard_errors_high() -> None:
    laws = LearnedLaws()
    fed(laws, 0.3, 400)
    p, safe = laws.p_live(800.0, NOTHING)
    assert p == pytest.approx(0.3, abs=0.03)
    assert 0.02 < safe - p < 0.10


def test_a_jump_of_the_rate_is_noticed_within_minutes() -> None:
    laws = LearnedLaws()
    fed(laws, 0.5, 600, spacing_s=1.0)
    fed(laws, 0.1, 240, from_s=600.0, spacing_s=1.0)
    # The memory of 20 minutes alone would still say .4.
    assert laws.p_live(840.0, NOTHING)[0] < 0.22


def test_calls_that_failed_early_do_not_bias_the_rate_while_the_others_ring() -> None:
    laws = LearnedLaws()
    fed(laws, 0.3, 400)
    laws.refresh(800.0, NOTHING, NOTHING)
    before, _ = laws.p_live(800.0, NOTHING)
    # Forty dialled at once: sixteen are busy after 2 s, the others are still open.
    for _ in range(16):
        laws.outcome(False, 2.0)
    alone, _ = laws.p_live(802.0, NOTHING)
    with_ringing, _ = laws.p_live(802.0, np.full(24, 2.0))
    assert alone < with_ringing <= before


def test_ring_laws_are_the_histograms() -> None:
    laws = LearnedLaws()
    fed(laws, 0.5, 2000)
    laws.refresh(4000.0, NOTHING, NOTHING)
    assert at_age(laws.live, 9.5, RING_STEP_S) > 0.98
    assert at_age(laws.live, 11.0, RING_STEP_S) < 0.02
    assert at_age(laws.rest, 20.0, RING_STEP_S) > 0.98


def test_durations_use_those_still_running() -> None:
    generator = np.random.default_rng(3)
    true_s = generator.exponential(100.0, 3000)
    cut_s = generator.uniform(0.0, 200.0, 3000)
    durations = Durations(120.0)
    for length_s in true_s[true_s <= cut_s]:
        durations.add(float(length_s))
    survival = durations.survival(0.0, cut_s[true_s > cut_s])
    np.testing.assert_allclose(survival[[10, 50, 100, 150]], np.exp([-0.1, -0.5, -1.0, -1.5]), atol=0.04)
    # Without them the long ones would seem rarer than they are.
    blind = Durations(120.0)
    for length_s in true_s[true_s <= cut_s]:
        blind.add(float(length_s))
    assert blind.survival(0.0, NOTHING)[100] < survival[100] - 0.05


def test_price_falls_with_each_abandoned_call_and_rises_with_each_connected() -> None:
    price = Price(limit=0.03, theta=None, agents=20, day_s=28800.0, hard=False)
    start = price.theta(0.0, 0, 0.0)
    price.answered(100.0, False)
    risen = price.theta(100.0, 0, 0.0)
    price.answered(101.0, True)
    assert price.theta(101.0, 0, 0.0) < start < risen


def test_hard_price_is_nothing_where_one_more_abandoned_call_would_end_the_day_over() -> None:
    price = Price(limit=0.03, theta=None, agents=20, day_s=28800.0, hard=True)
    for index in range(100):
        price.answered(28700.0 + index, index % 20 == 0)
    assert price.theta(28799.0, 0, 5.0) == 0.0


def decide(policy: MarginalPacer, at: float, free: int, ringing: list[float]) -> int:
    return policy.decide(at, free, 0, NOTHING, NOTHING, np.array(ringing)).dials


def test_progressive_until_there_is_evidence() -> None:
    policy = learned(SCENARIOS["n20"])
    assert decide(policy, 0.0, 20, []) == 20
    assert decide(policy, 0.5, 20, [0.5] * 18) == 2


def test_a_dead_trunk_is_probed_and_its_failures_are_forgotten() -> None:
    policy = informed(SCENARIOS["n20"])
    assert decide(policy, 0.0, 5, []) > 5
    for _ in range(8):
        policy.observe_outcome("failed", 0.3)
    dials = [decide(policy, 1.0 + 0.5 * tick, 5, []) for tick in range(40)]
    assert sum(dials) == 4
    assert max(dials) == 1
    # A probe that rings on proves the trunk alive.
    assert decide(policy, 30.0, 5, [3.0]) > 1


@pytest.mark.parametrize("name", ["n3", "n20", "jump"])
def test_keeps_near_the_limit_and_not_far_behind_the_truth(name: str) -> None:
    scenario = SCENARIOS[name]
    found = run_day(learned(scenario), scenario, 7)
    truth = run_day(informed(scenario), scenario, 7)
    assert 0.02 < found.abandonment < 0.034
    assert 0.02 < truth.abandonment < 0.034
    assert found.occupancy > truth.occupancy - 0.035


def test_hard_days_end_under_the_limit() -> None:
    scenario = SCENARIOS["n10"]
    assert all(run_day(learned(scenario, hard=True), scenario, seed).abandonment <= 0.03 for seed in range(2))
