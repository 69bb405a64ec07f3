"""The plots of the report: SVG whose bytes follow from the figures alone."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from matplotlib import rc_context
from matplotlib.figure import Figure

from benchmarks.pacing.compare import Estimate, estimate
from benchmarks.pacing.questions import Curve
from benchmarks.pacing.table import Compared

#: Names of elements from a fixed salt, letters as text and not as outlines: small files, equal when made again.
_STYLE: Final[dict[Any, Any]] = {
    "svg.hashsalt": "cadencia",
    "svg.fonttype": "none",
    "font.size": 9.0,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.3,
    "legend.frameon": False,
}
_COLOURS: Final = {
    "core": "#c1272d",
    "learned": "#1f4e79",
    "informed": "#6a9fd4",
    "ratio": "#7a7a7a",
    "samuelson": "#2e8b57",
    "pi": "#b8860b",
    "vicidial_average": "#8e44ad",
    "vicidial_ready_only": "#d291e6",
    "issabel": "#a0522d",
    "impact": "#20a0a0",
    "progressive": "#000000",
}


def _save(figure: Figure, file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(file, format="svg", metadata={"Date": None, "Creator": None}, bbox_inches="tight")


def curves(found: Sequence[Curve], file: Path) -> None:
    """Draw occupancy against abandonment, one panel a team."""
    scenarios = list(dict.fromkeys(curve.scenario for curve in found))
    with rc_context(_STYLE):
        figure = Figure(figsize=(3.6 * len(scenarios), 3.4))
        panels = figure.subplots(1, len(scenarios), squeeze=False)[0]
        for panel, scenario in zip(panels, scenarios, strict=True):
            for curve in found:
                if curve.scenario == scenario:
                    panel.plot(
                        [100.0 * share for share in curve.abandonment],
                        [100.0 * share for share in curve.occupancy],
                        marker=".",
                        linewidth=2.0 if curve.policy == "core" else 1.0,
                        color=_COLOURS[curve.policy],
                        label=curve.policy,
                    )
            panel.axvline(3.0, color="#999999", linewidth=0.8, linestyle=":")
            panel.set(title=scenario, xlim=(-0.2, 8.0), xlabel="abandonment, %")
        panels[0].set_ylabel("occupancy, %")
        panels[-1].legend(loc="center left", bbox_to_anchor=(1.0, 0.5), fontsize=7)
        _save(figure, file)


def gain(teams: Sequence[tuple[int, Estimate]], file: Path) -> None:
    """Draw the predictive gain by team size."""
    with rc_context(_STYLE):
        figure = Figure(figsize=(5.0, 3.0))
        panel = figure.subplots()
        agents = [size for size, _ in teams]
        panel.errorbar(
            agents,
            [100.0 * gained.value for _, gained in teams],
            yerr=[100.0 * (gained.high - gained.value) for _, gained in teams],
            marker="o",
            capsize=3,
            color=_COLOURS["core"],
        )
        panel.set_xscale("log")
        panel.set_xticks(agents, [str(size) for size in agents], minor=False)
        panel.set_xticks([], minor=True)
        panel.set(xlabel="agents", ylabel="talk time gained over progressive, %")
        panel.set_ylim(bottom=0.0)
        _save(figure, file)


def scenarios(rows: Sequence[Compared], file: Path) -> None:
    """Draw the occupancy at the limit of core, yardsticks and rivals, one line a scenario."""
    marks = {"progressive": "|", "core": "o", "learned": "s", "informed": "d"}
    with rc_context(_STYLE):
        figure = Figure(figsize=(6.5, 0.28 * len(rows) + 1.2))
        panel = figure.subplots()
        for place, row in enumerate(reversed(rows)):
            for rival, reached in row.rivals.items():
                panel.plot(100.0 * reached.occupancy[0], place, ".", color=_COLOURS.get(rival, "#cccccc"), markersize=4)
            panel.plot(100.0 * row.progressive.occupancy[0], place, "|", color="#000000", markersize=8)
            for policy, draws in row.yardsticks.items():
                at = estimate(draws, row.n_days)
                panel.plot(100.0 * at.value, place, marks[policy], color=_COLOURS[policy], markersize=5, mfc="none")
        for policy, mark in marks.items():
            panel.plot([], [], mark, color=_COLOURS[policy], mfc="none", label=policy)
        panel.plot([], [], ".", color=_COLOURS["ratio"], label="other rivals")
        panel.set_yticks(range(len(rows)), [row.scenario for row in reversed(rows)])
        panel.set(xlabel="occupancy at 3 % abandonment, %")
        panel.set_ylim(-0.6, len(rows) - 0.4)
        panel.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=5, fontsize=7)
        _save(figure, file)
