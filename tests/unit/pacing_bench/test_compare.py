"""Comparison at equal abandonment finds what is known beforehand; the whole bench runs."""

from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

import msgspec
import numpy as np
import pytest

from benchmarks.pacing import plots, report, table
from benchmarks.pacing.__main__ import main
from benchmarks.pacing.compare import (
    DRAWS,
    Days,
    Estimate,
    drawn,
    estimate,
    geometric_mean,
    keeps,
    near_limit,
    slope,
    under_limit,
    upper_bound,
)
from benchmarks.pacing.days import DEVELOPMENT_SEEDS, FRESH_SEEDS
from benchmarks.pacing.knobs import KNOBS, RIVALS
from benchmarks.pacing.policies import core, make, versions
from benchmarks.pacing.report import Findings
from benchmarks.pacing.runs import COMPARED, WATCHED, Want, sizes
from benchmarks.pacing.scenarios import MARKOV, SCENARIOS
from benchmarks.pacing.table import FORMS, boldness
from benchmarks.pacing.world import DayResult, run_day

PLAIN = DayResult(
    occupancy=0.8,
    talk_utilisation=0.6,
    logged_in_s=3600.0,
    wait_mean_s=5.0,
    wait_p95_s=9.0,
    connected=970,
    abandoned=30,
    answered=1000,
    abandonment=0.03,
    worst_half_hour=0.05,
    dials=4000,
    dials_per_answer=4.0,
    dials_into_outage=0,
    lines_mean=20.0,
    lines_most=40,
    decide_us=20.0,
    decide_median_us=20.0,
)


def day(abandoned: int, occupancy: float, answered: int = 1000) -> DayResult:
    return msgspec.structs.replace(
        PLAIN, abandoned=abandoned, answered=answered, abandonment=abandoned / answered, occupancy=occupancy
    )


def days(abandonment: float, occupancy: float, n: int = 4, spread: float = 0.0) -> Days:
    """Return days of given means, each seed off by its own amount."""
    off = np.linspace(-spread, spread, n)
    return Days([day(round(100_000 * abandonment), occupancy + extra, 100_000) for extra in off])


# ---- draws and intervals


def test_the_first_draw_is_the_figure_itself_and_all_take_as_many_days() -> None:
    rows = drawn(12)
    assert rows.shape == (1 + DRAWS, 12)
    assert rows[0].tolist() == list(range(12))
    assert set(np.unique(rows[1:])) == set(range(12))


def test_abandonment_is_pooled_over_answers_and_not_the_mean_of_days() -> None:
    both = Days([day(0, 0.8, 100), day(90, 0.8, 900)])
    assert both.abandonment[0] == pytest.approx(0.09)


def test_an_interval_covers_the_truth_as_often_as_it_says() -> None:
    chance = np.random.default_rng(5)
    covered = 0
    for _ in range(400):
        found = Days([day(30, x) for x in 0.8 + 0.02 * chance.standard_normal(8)]).occupancy
        interval = estimate(found, 8)
        covered += interval.low <= 0.8 <= interval.high
    assert covered / 400 == pytest.approx(0.95, abs=0.035)


def test_one_day_tells_no_interval() -> None:
    assert estimate(days(0.03, 0.8, n=1).occupancy, 1) == Estimate(pytest.approx(0.8), float("-inf"), float("inf"))


def test_a_difference_on_the_same_seeds_is_surer_than_its_sides() -> None:
    one, other = days(0.03, 0.80, n=8, spread=0.05), days(0.03, 0.78, n=8, spread=0.05)
    apart = estimate(one.occupancy - other.occupancy, 8)
    assert apart.value == pytest.approx(0.02)
    assert apart.high - apart.low < 1e-9
    assert estimate(one.occupancy, 8).high - estimate(one.occupancy, 8).low > 0.04


# ---- at the limit


def test_a_policy_on_a_line_is_brought_to_the_limit_along_it() -> None:
    around = [days(0.02, 0.78), days(0.03, 0.80), days(0.04, 0.82)]
    assert slope(around)[0] == pytest.approx(2.0)
    assert near_limit(days(0.028, 0.796, n=12), around)[0] == pytest.approx(0.80)


def test_knobs_that_do_the_same_or_worse_give_no_slope() -> None:
    assert slope([days(0.02, 0.78), days(0.02, 0.80)])[0] == 0.0
    assert slope([days(0.02, 0.80), days(0.04, 0.78)])[0] == 0.0


def test_a_rival_gets_the_line_between_the_knobs_about_the_limit() -> None:
    knobs = [days(0.04, 0.82), days(0.005, 0.70), days(0.02, 0.78)]
    assert keeps(knobs)
    assert under_limit(knobs)[0] == pytest.approx(0.80)


def test_a_rival_whose_boldness_costs_it_occupancy_gets_its_best() -> None:
    assert under_limit([days(0.0, 0.80), days(0.029, 0.74), days(0.032, 0.61)])[0] == pytest.approx(0.80)


def test_a_rival_that_keeps_the_limit_everywhere_gets_no_more_than_it_reached() -> None:
    assert under_limit([days(0.01, 0.70), days(0.02, 0.75)])[0] == pytest.approx(0.75)


def test_a_rival_that_never_keeps_the_limit_is_said_to() -> None:
    knobs = [days(0.10, 0.85), days(0.05, 0.82)]
    assert not keeps(knobs)
    assert under_limit(knobs)[0] == pytest.approx(0.82)


def test_draws_far_off_the_limit_do_not_run_away() -> None:
    chance = np.random.default_rng(2)
    timid, bold = ([day(int(x), 0.8) for x in chance.poisson(mean, 3)] for mean in (29, 32))
    reached = under_limit([Days(timid), Days(bold)])
    assert np.all(np.isfinite(reached))
    assert np.ptp(reached) < 0.5


def test_a_geometric_mean_is_one_of_ratios() -> None:
    assert geometric_mean([np.array([0.5, 1.0]), np.array([2.0, 4.0])]).tolist() == pytest.approx([1.0, 2.0])


@pytest.mark.parametrize(
    ("n_over", "n", "bound"), [(0, 1000, 0.002991), (4, 1000, 0.009126), (3, 100, 0.075712), (5, 5, 1.0)]
)
def test_the_upper_bound_of_a_share_is_the_one_of_the_tables(n_over: int, n: int, bound: float) -> None:
    assert upper_bound(n_over, n) == pytest.approx(bound, abs=2e-5)


# ---- days


def test_no_day_of_development_is_among_the_fresh() -> None:
    want = Want("core", "n3", 0.03, 3)
    assert all(cell.seed in FRESH_SEEDS for cell in want.cells())
    assert all(cell.seed in DEVELOPMENT_SEEDS for cell in want._replace(development=True).cells())


def test_a_full_run_has_the_days_that_hard_limits_ask_for() -> None:
    full = sizes(12)
    assert full.hard * len(WATCHED) >= 1000
    assert min(full.days, full.foretold) >= 12
    assert set(COMPARED) <= set(WATCHED) <= set(SCENARIOS)


def test_every_policy_has_a_version_and_works_a_minute() -> None:
    named = versions()
    assert {form for forms in FORMS.values() for form in forms} | {"progressive"} == RIVALS.keys()
    assert named.keys() == {"core", "core_hard", "core_blind", "learned", "informed"} | RIVALS.keys()
    scenario = msgspec.structs.replace(SCENARIOS["n5_auc80"], day_s=60.0)
    for name in named:
        assert run_day(make(name, KNOBS.get(name, (0.03,))[0], scenario), scenario, 1).dials > 0


def test_rivals_knobs_go_from_timid_to_bold() -> None:
    scenario = SCENARIOS["shift_end"]
    for form in ("issabel", "ratio"):
        order = boldness(form)
        found = [run_day(make(form, knob, scenario), scenario, 2).abandonment for knob in (order[1], order[-2])]
        assert found[0] < found[1]
    assert all(one < other for one, other in pairwise(KNOBS["issabel"]))


def test_the_core_is_told_what_is_planned_and_nothing_else() -> None:
    assert core(0.03, SCENARIOS["breaks"]).settings.staff_plan == SCENARIOS["breaks"].staff
    assert not core(0.03, SCENARIOS["mass_pause"]).settings.staff_plan
    told = core(0.02, SCENARIOS["few_lines"], hard=True).settings
    assert (told.abandon_limit, told.max_lines, told.agents, told.hard) == (0.02, 26, 20, True)


def test_without_forecasts_the_core_does_as_if_there_were_none() -> None:
    foretold = msgspec.structs.replace(SCENARIOS["n10_auc80"], day_s=3600.0)
    results = [run_day(make(name, 0.03, foretold), foretold, 4) for name in ("core_blind", "core")]
    again = run_day(
        make("core_blind", 0.03, foretold),
        msgspec.structs.replace(foretold, forecast=SCENARIOS["n10_auc65"].forecast),
        4,
    )
    assert results[0].dials == again.dials
    assert results[0].dials != results[1].dials


def test_in_the_solved_model_progressive_dialling_is_the_one_solved() -> None:
    scenario = MARKOV["markov_n10"]
    found = [run_day(make("progressive", None, scenario), scenario, seed) for seed in range(2)]
    assert not sum(result.abandoned for result in found)
    assert np.mean([result.occupancy for result in found]) == pytest.approx(0.664, abs=0.01)


# ---- the report


@pytest.mark.parametrize(
    ("found", "wanted", "least", "word"),
    [
        (Estimate(0.9, 0.8, 0.99), 1.0, False, "yes"),
        (Estimate(0.9, 0.8, 1.1), 1.0, False, "yes, within noise"),
        (Estimate(1.1, 0.9, 1.3), 1.0, False, "no, within noise"),
        (Estimate(1.2, 1.1, 1.3), 1.0, False, "no"),
        (Estimate(2.6, 2.2, 3.0), 2.5, True, "yes, within noise"),
        (Estimate(2.0, 1.6, 2.4), 2.5, True, "no"),
    ],
)
def test_a_figure_is_met_or_not_and_surely_or_not(found: Estimate, wanted: float, least: bool, word: str) -> None:
    assert report._met(found, wanted, least=least) == word


def test_a_rival_ahead_of_the_core_is_told_first(tmp_path: Path) -> None:
    core_days = days(0.03, 0.80, n=4, spread=0.01)

    def rival(occupancy: float) -> table.Rival:
        reached = days(0.03, occupancy, n=4, spread=0.01).occupancy
        return table.Rival(
            occupancy=reached,
            behind=core_days.occupancy - reached,
            n_days=4,
            form="ratio",
            knobs=(2.0, 3.0),
            kept=True,
        )

    row = table.Compared(
        scenario="n20",
        n_days=4,
        yardsticks={
            "core": core_days.occupancy,
            "learned": days(0.03, 0.79).occupancy,
            "informed": core_days.occupancy,
        },
        progressive=days(0.0, 0.58),
        core=core_days,
        fixed={ratio: days(0.1, 0.85) for ratio in table.FIXED},
        rivals={"ratio": rival(0.81), "samuelson": rival(0.75)},
    )
    found = Findings(command="x", compared=[row], watched=[], foretold=[], models=[], curves=[], cost=None)
    asked = {line[0].partition(",")[0]: line for line in report.asked(found)}
    assert asked["ahead of every other rival in every scenario"][2:] == (
        "1, 1 of them by more than noise; behind: n20 ratio",
        "no",
    )
    assert asked["idle time against the learned reference"][2].startswith("0.952")
    text = report.write(found, tmp_path)
    assert "**2 of 3 figures are met.**" in text
    assert "ratio 81.0" in text
    assert "## Predictive gain" in text
    assert (tmp_path / "pacing" / "gain.svg").exists()


def test_a_plot_drawn_again_has_the_same_bytes(tmp_path: Path) -> None:
    teams = [(agents, Estimate(0.1 * agents, 0.1 * agents - 0.02, 0.1 * agents + 0.02)) for agents in (3, 10)]
    for name in ("one", "other"):
        plots.gain(teams, tmp_path / f"{name}.svg")
    drawing = (tmp_path / "one.svg").read_bytes()
    assert drawing == (tmp_path / "other.svg").read_bytes()
    assert ElementTree.fromstring(drawing).tag.endswith("svg")
    assert len(drawing) < 20_000


def test_the_quick_bench_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--quick", "--cache", str(tmp_path / "cache"), "--out", str(tmp_path / "out")]) == 0
    text = capsys.readouterr().out
    assert (tmp_path / "out" / "results-pacing.md").read_text(encoding="utf-8") == text.removesuffix("\n")
    for heading in (
        "was asked",
        "at 3 %",
        "Rivals",
        "limits are kept",
        "forecasts give",
        "gain",
        "best",
        "costs",
        "days",
    ):
        assert f"{heading}" in " ".join(line for line in text.splitlines() if line.startswith("## "))
    assert "nan" not in text
    assert {plot.name for plot in (tmp_path / "out" / "pacing").iterdir()} == {"curves.svg", "scenarios.svg"}
    assert all(f"](pacing/{name}.svg)" in text for name in ("curves", "scenarios"))


def test_an_unknown_scenario_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--only", "n7"])
    assert "no scenario n7" in capsys.readouterr().err
