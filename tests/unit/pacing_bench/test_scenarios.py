"""The laws, forecasts and days of the pacing bench are what they are said to be."""

import msgspec
import numpy as np
import pytest

from benchmarks.pacing import forecasts
from benchmarks.pacing.forecasts import Forecast
from benchmarks.pacing.laws import QUANTILES_PER_UNIT, Law
from benchmarks.pacing.scenarios import MACHINE_RING, PERSON_RING, SCENARIOS, Scenario
from benchmarks.pacing.world import run_day
from tests.unit.pacing_bench.scripts import at_once

LAWS = {
    "exponential": Law(family="exponential", mean_s=75.0),
    "gamma": Law(family="gamma", mean_s=20.0, cv=0.8),
    "lognormal": Law(family="lognormal", mean_s=75.0, cv=1.0),
    "uniform": Law(family="uniform", mean_s=2.0, cv=0.2),
    "person ring": PERSON_RING,
    "machine ring": MACHINE_RING,
}


@pytest.mark.parametrize("law", LAWS.values(), ids=LAWS)
def test_the_quantiles_of_a_law_have_its_mean_and_spread(law: Law) -> None:
    table = law.quantiles()
    depth = np.arange(len(table)) / QUANTILES_PER_UNIT
    weights = np.exp(-depth[:-1]) - np.exp(-depth[1:])
    middle = 0.5 * (table[:-1] + table[1:])
    mean = float(np.sum(weights * middle))
    assert mean == pytest.approx(law.mean_s, rel=1e-3)
    spread = float(np.sqrt(np.sum(weights * (middle - mean) ** 2)))
    assert spread == pytest.approx(law.mean_s * law.cv, rel=6e-3)
    np.testing.assert_allclose(law.survival(table[1:2000]), np.exp(-depth[1:2000]), rtol=1e-6, atol=1e-12)


def test_a_lomax_law_has_its_mean_and_its_tail() -> None:
    law = Law(family="lomax", mean_s=120.0, shape=1.6)
    ages_s = np.linspace(0.0, 3e6, 3_000_001)
    assert float(np.trapezoid(law.survival(ages_s), ages_s)) == pytest.approx(120.0, rel=0.01)
    assert float(law.survival(1e6) / law.survival(2e6)) == pytest.approx(2.0**1.6, rel=1e-3)


def test_no_answer_comes_before_the_set_up_or_after_the_ring_out() -> None:
    assert float(PERSON_RING.quantiles()[0]) == 2.0
    assert float(PERSON_RING.quantiles()[-1]) == pytest.approx(25.0, abs=1e-6)


def test_a_scaled_law_is_the_law_of_the_longer_time() -> None:
    law = LAWS["lognormal"]
    ages_s = np.array([1.0, 30.0, 200.0])
    np.testing.assert_allclose(law.scaled(1.4).survival(1.4 * ages_s), law.survival(ages_s))


@pytest.mark.parametrize("scenario", SCENARIOS.values(), ids=SCENARIOS)
def test_scenarios_hang_together(scenario: Scenario) -> None:
    for at in (0.0, *(stretch.from_s for stretch in scenario.stretches), scenario.day_s - 1.0):
        stretch = scenario.stretch(at)
        assert stretch.machine + stretch.busy + stretch.no_answer + stretch.invalid == pytest.approx(1.0)
        assert 0.0 < scenario.p_person(at) <= scenario.p_live(at) < 1.0
        ages_s = np.linspace(0.0, 30.0, 301)
        for survival in (scenario.live_ring_survival(ages_s, at), scenario.rest_ring_survival(ages_s, at)):
            assert survival[0] == pytest.approx(1.0)
            assert survival[-1] == 0.0
            assert np.all(np.diff(survival) <= 1e-12)
        assert scenario.talk_survival(0.0, at) == scenario.wrap_survival(0.0, at) == 1.0
    present = 0
    for at, change in scenario.staff:
        present += change
        assert 0 <= present <= scenario.agents
        assert 0.0 <= at < scenario.day_s
    assert [at for at, _ in scenario.staff] == sorted(at for at, _ in scenario.staff)


def test_with_detection_off_machines_look_live() -> None:
    scenario = SCENARIOS["undetected"]
    assert scenario.p_live(0.0) == pytest.approx(0.25 + 0.75 * 0.45)
    assert float(scenario.talk_survival(60.0, 0.0)) < 0.5 * float(scenario.talk.survival(60.0))


@pytest.mark.parametrize("name", ["n20", "undetected", "lists"])
def test_the_laws_told_are_those_of_the_calls(name: str) -> None:
    scenario = SCENARIOS[name]
    listened = at_once(20_000)
    run_day(listened, msgspec.structs.replace(scenario, day_s=120.0), 7)
    live_s = np.array([ring_s for kind, ring_s, _ in listened.outcomes if kind == "live"])
    rest_s = np.array([ring_s for kind, ring_s, _ in listened.outcomes if kind != "live"])
    assert len(live_s) / 20_000 == pytest.approx(scenario.p_live(0.0), abs=0.015)
    for age_s in (1.5, 5.0, 12.0, 20.0, 24.0):
        assert np.mean(live_s > age_s) == pytest.approx(float(scenario.live_ring_survival(age_s, 0.0)), abs=0.03)
        assert np.mean(rest_s > age_s) == pytest.approx(float(scenario.rest_ring_survival(age_s, 0.0)), abs=0.02)


# ---- forecasts


def area(shown: np.ndarray, live: np.ndarray) -> float:
    ranks = np.empty(len(shown))
    ranks[np.argsort(shown)] = np.arange(1, len(shown) + 1)
    n_live = int(live.sum())
    return float((ranks[live].sum() - n_live * (n_live + 1) / 2) / (n_live * (len(shown) - n_live)))


def shown_and_live(forecast: Forecast, at: float = 0.0, day_s: float = 60.0) -> tuple[np.ndarray, np.ndarray]:
    listened = at_once(20_000, at)
    scenario = msgspec.structs.replace(SCENARIOS["n20"], forecast=forecast, day_s=day_s)
    run_day(listened, scenario, 5)
    return (
        np.array([shown for _, _, shown in listened.outcomes]),
        np.array([kind == "live" for kind, _, _ in listened.outcomes]),
    )


@pytest.mark.parametrize("auc", [0.65, 0.75, 0.80, 0.85])
def test_a_calibrated_forecast_has_its_auc_and_its_promise(auc: float) -> None:
    shown, live = shown_and_live(Forecast(auc_shown=auc))
    assert area(shown, live) == pytest.approx(auc, abs=0.02)
    for tenth in np.array_split(np.argsort(shown), 10):
        assert live[tenth].mean() == pytest.approx(shown[tenth].mean(), abs=0.045)


def test_distortions_bend_what_is_shown() -> None:
    honest, _ = shown_and_live(Forecast(auc_shown=0.80))
    for distortion, auc in (("times_1.5", 0.80), ("monotone", 0.80), ("useless", 0.5)):
        shown, live = shown_and_live(Forecast(auc_shown=0.80, distortion=distortion))
        assert area(shown, live) == pytest.approx(auc, abs=0.015), distortion
    high, _ = shown_and_live(Forecast(auc_shown=0.80, distortion="times_1.5"))
    np.testing.assert_allclose(high, np.minimum(1.5 * honest, 0.99), atol=0.02)
    useless, _ = shown_and_live(Forecast(auc_shown=0.80, distortion="useless"))
    assert useless.std() == pytest.approx(honest.std(), rel=0.05)


def test_a_drifting_forecast_changes_its_mind_and_a_fading_one_forgets() -> None:
    morning, _ = shown_and_live(Forecast(auc_shown=0.80, distortion="drifting"), at=0.0, day_s=120.0)
    noon, _ = shown_and_live(Forecast(auc_shown=0.80, distortion="drifting"), at=60.0, day_s=120.0)
    assert noon.mean() + 0.1 < 0.25 < morning.mean() - 0.05
    fresh, live = shown_and_live(Forecast(auc_shown=0.80, distortion="fading"), at=0.0, day_s=120.0)
    assert area(fresh, live) == pytest.approx(0.80, abs=0.02)
    stale, live = shown_and_live(Forecast(auc_shown=0.80, distortion="fading"), at=90.0, day_s=120.0)
    assert area(stale, live) < 0.70


def test_more_insight_more_auc() -> None:
    rho = [forecasts.insight(0.25, 0.85, auc) for auc in (0.65, 0.75, 0.80, 0.85)]
    assert rho == sorted(rho)
    assert rho[-1] == 1.0
