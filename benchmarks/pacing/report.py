"""What was found, for a reader in a hurry: first whether the figures asked for are met, then tables, then plots."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import median
from typing import Final

import msgspec
import numpy as np

from benchmarks.pacing import plots
from benchmarks.pacing.compare import LIMIT, Estimate, estimate, geometric_mean, upper_bound
from benchmarks.pacing.cost import Cost
from benchmarks.pacing.questions import Curve, Foretold, Model, Watched
from benchmarks.pacing.runs import AUCS, BENT
from benchmarks.pacing.scenarios import SCENARIOS
from benchmarks.pacing.table import FIXED, FORMS, Compared, Rival

#: Points of occupancy that forecasts have to give, by team and AUC.
_GAINS: Final = {
    ("n3", 75): 2.5, ("n3", 80): 3.8, ("n5", 75): 2.0, ("n5", 80): 3.0,
    ("n10", 75): 1.2, ("n10", 80): 1.8, ("n20", 75): 0.6, ("n20", 80): 0.9,
}  # fmt: skip
#: Points of occupancy that a hard limit may cost, by team.
_HARDNESS: Final = {"n3": 0.5, "n10": 0.5, "n20": 0.3, "n50": 0.3, "n100": 0.3, "n300": 0.3}
_LARGE: Final = 20
_HARD_DAYS: Final = 1000
#: Median µs of a decision by (agents, ringing), and seconds to the first decision.
_COSTS_US: Final = {(50, 250): 60.0, (300, 1500): 150.0, (1000, 5000): 1000.0}
_START_S: Final = 1.0

Rows = list[tuple[str, ...]]


class Findings(msgspec.Struct, frozen=True, kw_only=True):
    """All that a run found; what was not run is empty."""

    command: str
    compared: list[Compared]
    watched: list[Watched]
    foretold: list[Foretold]
    models: list[Model]
    curves: list[Curve]
    cost: Cost | None


def write(found: Findings, folder: Path) -> str:
    """Write the report with its plots into a folder, and return its text."""
    if found.curves:
        plots.curves(found.curves, folder / "pacing" / "curves.svg")
    if teams := gains(found.compared):
        plots.gain([(agents, gained) for agents, _, _, gained in teams], folder / "pacing" / "gain.svg")
    if found.compared:
        plots.scenarios(found.compared, folder / "pacing" / "scenarios.svg")
    report = text(found)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "results-pacing.md").write_text(report, encoding="utf-8")
    return report


def text(found: Findings) -> str:
    """Return the report."""
    figures = asked(found)
    unmet = [figure[0] for figure in figures if not figure[3].startswith("yes")]
    parts = [
        "# How well it paces\n",
        f"Written by `{found.command}`, figures and plots alike; `docs/pacing.md` explains what is measured here.",
        "Days, teams and rivals are those of `benchmarks/pacing/`, on seeds apart from those used in development. "
        "Occupancy is (talk + wrap-up) / logged-in time. In brackets: 95 % intervals over days, paired where two are "
        "compared.\n",
        "## What was asked\n",
        f"**{len(figures) - len(unmet)} of {len(figures)} figures are met.** 'Within noise': the interval reaches over "
        "the bound." + (f" Not met: {'; '.join(unmet)}." if unmet else "") + "\n",
        _table(("asked", "wanted", "found", "met"), figures),
    ]
    if found.compared:
        parts += [_occupancies(found.compared), _rivals(found.compared)]
    if found.watched:
        parts.append(_limits(found.watched))
    if found.foretold:
        parts.append(_forecasts(found.foretold))
    if found.compared:
        parts.append(_gain(found.compared))
    if found.curves:
        parts.append("## Occupancy against abandonment\n\n![curves](pacing/curves.svg)\n")
    if found.models:
        parts.append(_models(found.models))
    if found.cost:
        parts.append(_costs(found.cost))
    if found.watched:
        parts.append(_days(found.watched))
    return "\n".join(parts)


# ---- what was asked


def asked(found: Findings) -> Rows:
    """Return one row for each figure asked for."""
    rows: Rows = []
    if found.compared:
        rows += _asked_of_occupancy(found.compared)
    if found.watched:
        rows += _asked_of_limits(found.watched)
    for cell in found.foretold:
        if cell.distortion == "calibrated" and (cell.team, cell.auc) in _GAINS:
            wanted = _GAINS[cell.team, cell.auc]
            points = _points(cell.gain, cell.n_days)
            rows.append(
                (
                    f"forecasts of AUC .{cell.auc}, {cell.team}: points of occupancy",
                    f"≥ +{wanted}",
                    _signed(points),
                    _met(points, wanted, least=True),
                )
            )
    if bent := [cell for cell in found.foretold if cell.distortion != "calibrated"]:
        worst = min(bent, key=lambda cell: _points(cell.gain, cell.n_days).value)
        harmful = [cell for cell in bent if _points(cell.gain, cell.n_days).high < 0.0]
        rows.append(
            (
                f"bent and useless forecasts, {len(bent)} cells: none worse than no forecasts by more than noise",
                "0 cells",
                f"{len(harmful)}; worst: {worst.team} {worst.distortion} {_signed(_points(worst.gain, worst.n_days))}",
                "no" if harmful else "yes",
            )
        )
    if found.cost:
        rows += _asked_of_cost(found.cost)
    return rows


def _asked_of_occupancy(compared: Sequence[Compared]) -> Rows:
    rows: Rows = []
    for yardstick, wanted in (("learned", 1.0), ("informed", 1.03)):
        ratios = [(1.0 - row.yardsticks["core"]) / (1.0 - row.yardsticks[yardstick]) for row in compared]
        ratio = estimate(geometric_mean(ratios), len(ratios) * (compared[0].n_days - 1) + 1)
        rows.append(
            (
                f"idle time against the {yardstick} reference, geometric mean of {len(ratios)} scenarios",
                f"≤ {wanted}",
                _between(ratio, ".3f"),
                _met(ratio, wanted),
            )
        )
    pairs = [(row.scenario, name, rival) for row in compared for name, rival in row.rivals.items()]
    behind = [f"{scenario} {name}" for scenario, name, rival in pairs if rival.kept and rival.behind[0] <= 0.0]
    unclear = [pair for pair in pairs if pair[2].kept and estimate(pair[2].behind, pair[2].n_days).low <= 0.0]
    rows.append(
        (
            f"ahead of every other rival in every scenario, {len(pairs)} comparisons",
            "all",
            f"{len(pairs) - len(behind)}, {len(pairs) - len(unclear)} of them by more than noise"
            + (f"; behind: {', '.join(behind)}" if behind else ""),
            "no" if behind else "yes, within noise" if unclear else "yes",
        )
    )
    return rows


def _asked_of_limits(watched: Sequence[Watched]) -> Rows:
    worst = max(watched, key=lambda row: float(row.core.abandonment[0]))
    hardest = max(watched, key=lambda row: float(row.hard.abandonment[0]))
    n_over, n = sum(int(row.hard.over().sum()) for row in watched), sum(len(row.hard) for row in watched)
    bound = upper_bound(n_over, n)
    enough = n >= _HARD_DAYS
    rows: Rows = [
        (
            f"mean abandonment in each of {len(watched)} scenarios, default settings",
            "≤ 3.0 %",
            f"highest: {worst.scenario} {_percent(estimate(worst.core.abandonment, len(worst.core)), 2)}",
            _met(estimate(worst.core.abandonment, len(worst.core)), LIMIT),
        ),
        (
            f"hard limit: share of days above, 95 % upper bound, at least {_HARD_DAYS:,} days",
            "< 1 %",
            f"{n_over} of {n:,} days, bound {100 * bound:.2f} %",
            ("yes" if bound < 0.01 else "no") if enough else "too few days",
        ),
        (
            "hard limit: mean abandonment in each scenario",
            "≤ 3.0 %",
            f"highest: {hardest.scenario} {_percent(estimate(hardest.hard.abandonment, len(hardest.hard)), 2)}",
            "yes" if hardest.hard.abandonment[0] <= LIMIT else "no",
        ),
    ]
    for row in watched:
        if (wanted := _HARDNESS.get(row.scenario)) is not None:
            lost = _points(row.lost, min(len(row.core), len(row.hard)))
            rows.append(
                (
                    f"hard limit: points of occupancy lost, {row.scenario}",
                    f"≤ {wanted}",
                    _signed(lost),
                    _met(lost, wanted),
                )
            )
    others = [row for row in watched if row.scenario not in _HARDNESS and SCENARIOS[row.scenario].agents >= _LARGE]
    if others:
        dearest = max(others, key=lambda row: float(row.lost[0]))
        lost = _points(dearest.lost, min(len(dearest.core), len(dearest.hard)))
        rows.append(
            (
                f"hard limit: points of occupancy lost, worst of {len(others)} others with {_LARGE} agents or more",
                f"≤ {_HARDNESS['n20']}",
                f"{dearest.scenario} {_signed(lost)}",
                _met(lost, _HARDNESS["n20"]),
            )
        )
    return rows


def _asked_of_cost(cost: Cost) -> Rows:
    rows: Rows = []
    for floor in cost.floors:
        wanted = _COSTS_US[floor.agents, floor.ringing]
        rows.append(
            (
                f"a decision with {floor.agents:,} agents and {floor.ringing:,} ringing, median",
                f"≤ {wanted:.0f} µs",
                f"{floor.median_us:.0f} µs",
                "yes" if floor.median_us <= wanted else "no",
            )
        )
    start_s = median(cost.starts_s)
    rows.append(
        (
            "start of a process to its first predicted call, median",
            f"≤ {_START_S:.0f} s",
            f"{start_s:.2f} s ({min(cost.starts_s):.2f} to {max(cost.starts_s):.2f})",
            "yes" if start_s <= _START_S else "no",
        )
    )
    rows.append(
        (
            "functions compiled after the first half-hour of work",
            "none",
            ", ".join(cost.compiled) or "none",
            "no" if cost.compiled else "yes",
        )
    )
    return rows


# ---- tables


def _occupancies(compared: Sequence[Compared]) -> str:
    rows: Rows = []
    for row in compared:
        core, learned, informed = (row.yardsticks[name] for name in ("core", "learned", "informed"))
        best, rival = max(row.rivals.items(), key=_strength, default=("–", None))
        rows.append(
            (
                row.scenario,
                f"{100 * row.progressive.occupancy[0]:.1f}",
                f"{100 * learned[0]:.1f}",
                f"{100 * informed[0]:.1f}",
                f"**{100 * core[0]:.1f}**",
                _signed(_points(core - learned, row.n_days)),
                _signed(_points(core - informed, row.n_days)),
                f"{best} {100 * rival.occupancy[0]:.1f}" if rival else "–",
                _signed(_points(rival.behind, rival.n_days)) if rival else "–",
            )
        )
    head = (
        *("scenario", "progressive", "learned", "informed", "core"),
        *("core less learned", "core less informed", "best other rival", "core less it"),
    )
    return (
        "\n## Occupancy at 3 % abandonment, %\n\n"
        "Core, learned and informed run at a limit of 3 % and are brought to exactly 3 % along the slope between "
        "limits of 2 and 4 %. Learned: the marginal rule with all laws learned online; informed: the same given the "
        "true laws. Progressive abandons nobody.\n\n"
        f"{_table(head, rows)}\n\n![scenarios](pacing/scenarios.svg)\n"
    )


def _strength(item: tuple[str, Rival]) -> float:
    return float(item[1].occupancy[0]) if item[1].kept else -1.0


def _rivals(compared: Sequence[Compared]) -> str:
    names = [name for name in FORMS if any(name in row.rivals for row in compared)]
    rows: Rows = []
    for row in compared:
        cells = []
        for name in names:
            rival = row.rivals.get(name)
            cells.append("–" if rival is None else _rival(rival))
        fixed = [
            f"{100 * row.fixed[ratio].occupancy[0]:.1f} at {100 * row.fixed[ratio].abandonment[0]:.1f}"
            for ratio in FIXED
        ]
        rows.append((row.scenario, *cells, *fixed))
    head = ("scenario", *names, *(f"ratio {ratio:g}, its abandonment" for ratio in FIXED))
    return (
        "\n## Rivals\n\n"
        "The knob of each is tuned by an oracle, per scenario: the value that does best under 3 % on another day, then "
        "those about it on these days; between two knobs on either side of 3 % the line counts. `ratio` is thus the "
        "best fixed ratio in hindsight, `pi` the best of three sets of gains. In brackets: the rival's knobs. over: no "
        "knob keeps 3 %. Ratios as they are usually set keep no limit.\n\n"
        f"{_table(head, rows)}\n"
    )


def _rival(rival: Rival) -> str:
    knobs = f"{rival.knobs[0]:g}" if len(rival.knobs) == 1 else f"{rival.knobs[0]:g}–{rival.knobs[-1]:g}"
    return f"{100 * rival.occupancy[0]:.1f} ({knobs})" if rival.kept else f"over ({knobs})"


def _limits(watched: Sequence[Watched]) -> str:
    rows: Rows = []
    for row in watched:
        n = min(len(row.core), len(row.hard))
        rows.append(
            (
                row.scenario,
                _percent(estimate(row.core.abandonment, len(row.core)), 2),
                f"{int(row.core.over().sum())} of {len(row.core)}",
                f"{100 * max(day.abandonment for day in row.core.results):.2f}",
                f"{100 * max(day.worst_half_hour for day in row.core.results):.1f}",
                f"{100 * row.hard.abandonment[0]:.2f}",
                f"{int(row.hard.over().sum())} of {len(row.hard)}",
                f"{100 * max(day.abandonment for day in row.hard.results):.2f}",
                _signed(_points(row.lost, n)),
            )
        )
    soft_over, soft_n = sum(int(row.core.over().sum()) for row in watched), sum(len(row.core) for row in watched)
    head = (
        *("scenario", "abandonment, %", "days over", "worst day, %", "worst half-hour, %"),
        *("hard: abandonment, %", "days over", "worst day, %", "points of occupancy lost"),
    )
    return (
        "\n## How limits are kept\n\n"
        f"Default settings with a limit of 3 %: {soft_over} of {soft_n} days above it. Half-hours are those with at "
        f"least 20 answers.\n\n{_table(head, rows)}\n"
    )


def _forecasts(foretold: Sequence[Foretold]) -> str:
    cells = {(cell.team, cell.auc, cell.distortion): cell for cell in foretold}
    columns = [(auc, "calibrated") for auc in AUCS] + [(80, distortion) for distortion in BENT]
    rows: Rows = []
    for team in dict.fromkeys(cell.team for cell in foretold):
        found = [cells.get((team, *column)) for column in columns]
        told = ("–" if cell is None else _signed(_points(cell.gain, cell.n_days)) for cell in found)
        rows.append((team, _days_of([cell for cell in foretold if cell.team == team]), *told))
    names = [f"AUC .{auc}" if how == "calibrated" else f".{auc} {how}" for auc, how in columns]
    return (
        "\n## What forecasts give, points of occupancy at 3 %\n\n"
        "The same core on the same days, with each lead's forecast and those of the next leads, less without; the "
        "order of the leads is given. The leads' true chances have an AUC of .85.\n\n"
        f"{_table(('team', 'days', *names), rows)}\n"
    )


def _days_of(cells: Sequence[Foretold]) -> str:
    least = min(cell.n_days for cell in cells)
    return ", ".join([str(least), *(f".{cell.auc}: {cell.n_days}" for cell in cells if cell.n_days > least)])


def gains(compared: Sequence[Compared]) -> list[tuple[int, Estimate, Estimate, Estimate]]:
    """Return by team size the talk minutes in an agent's hour of progressive and of the core, and the gain."""
    found = []
    for row in compared:
        scenario = SCENARIOS[row.scenario]
        if row.scenario == f"n{scenario.agents}":
            progressive, core, n = row.progressive.talk, row.core.talk, row.n_days
            gained = estimate(core / progressive - 1.0, n)
            found.append((scenario.agents, estimate(60.0 * progressive, n), estimate(60.0 * core, n), gained))
    return found


def _gain(compared: Sequence[Compared]) -> str:
    teams = gains(compared)
    if not teams:
        return ""
    rows: Rows = [
        (str(agents), f"{before.value:.1f}", f"{after.value:.1f}", _percent(gained, 0, signed=True))
        for agents, before, after, gained in teams
    ]
    paying = [(agents, gained) for agents, _, _, gained in teams if gained.low > 0.0]
    conclusion = "On these days no team gained by more than noise."
    if paying:
        (least, gained_least), (most, gained_most) = paying[0], paying[-1]
        conclusion = (
            f"Under a limit of 3 % predictive dialling pays from {least} agents on (the smallest team tried has "
            f"{teams[0][0]}): they talk {100 * gained_least.value:.0f} % more than with progressive dialling"
            + (f", {most} agents {100 * gained_most.value:.0f} %." if most > least else ".")
        )
    head = ("agents", "progressive: talk min per agent-hour", "core", "gain")
    return f"\n## Predictive gain\n\n{conclusion}\n\n{_table(head, rows)}\n\n![gain](pacing/gain.svg)\n"


def _models(models: Sequence[Model]) -> str:
    rows: Rows = []
    for model in models:
        reached = estimate(model.occupancy, model.n_days)
        rows.append(
            (
                str(model.agents),
                f"{100 * model.progressive:.1f}",
                f"{100 * model.optimum:.1f}",
                _percent(reached, 1),
                f"{100 * (reached.value - model.progressive) / (model.optimum - model.progressive):.0f} %",
                f"{100 * model.abandonment:.2f}",
                str(model.n_days),
            )
        )
    head = (
        *("agents", "best with no abandonment", "best at 3 %", "core, at 3 %"),
        *("share of what can be gained", "its abandonment, %", "days"),
    )
    return (
        "\n## Against the best possible\n\n"
        "In a world of exponential laws the best pacing is known exactly (`benchmarks/pacing/optimum.py`). The core "
        "knows nothing of that world, learns it during each day, and decides four times a second; occupancy in %.\n\n"
        f"{_table(head, rows)}\n"
    )


def _costs(cost: Cost) -> str:
    teams: Rows = [
        (team.scenario, f"{team.core_us:.1f}", f"{team.learned_us:.1f}", f"{team.core_us / team.learned_us:.2f}")
        for team in cost.teams
    ]
    floors: Rows = [
        (f"{floor.agents:,}", f"{floor.ringing:,}", f"{floor.p_live:.3f}", f"{floor.median_us:.0f}")
        for floor in cost.floors
    ]
    return (
        "\n## What a decision costs\n\n"
        "Median µs in half an hour of a team's work, core and learned reference by turns in one process. Ratios "
        "travel, microseconds do not: these are of two shared cores.\n\n"
        f"{_table(('team', 'core', 'learned', 'ratio'), teams)}\n\n"
        "On floors made up, where talks and wrap-ups end as often as on real ones:\n\n"
        f"{_table(('agents', 'ringing', 'answer rate', 'median µs'), floors)}\n"
    )


def _days(watched: Sequence[Watched]) -> str:
    rows: Rows = []
    for row in watched:
        days = row.core.results
        talk = float(np.mean([day.talk_utilisation for day in days]))
        rows.append(
            (
                row.scenario,
                f"{100 * row.core.occupancy[0]:.1f}",
                f"{100 * talk:.1f}",
                f"{np.mean([day.wait_mean_s for day in days]):.1f}",
                f"{np.mean([day.wait_p95_s for day in days]):.1f}",
                f"{np.mean([day.dials_per_answer for day in days]):.2f}",
                f"{np.mean([day.lines_mean for day in days]):.1f}",
                str(max(day.lines_most for day in days)),
                f"{np.mean([day.dials_into_outage for day in days]):.0f}",
            )
        )
    head = (
        *("scenario", "occupancy, %", "talk, %", "agent's wait, mean s", "95th percentile, s"),
        *("calls per answer", "lines, mean", "most", "calls into a dead trunk"),
    )
    return f"\n## The core's days\n\nDefault settings, as they came: not brought to 3 %.\n\n{_table(head, rows)}\n"


# ---- words


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    head = tuple(head)
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _points(draws: np.ndarray[tuple[int, ...], np.dtype[np.float64]], n: int) -> Estimate:
    return estimate(100.0 * draws, n)


def _signed(points: Estimate) -> str:
    return _between(points, "+.1f")


def _percent(share: Estimate, digits: int, *, signed: bool = False) -> str:
    return _between(Estimate(*(100.0 * x for x in share)), f"{'+' if signed else ''}.{digits}f")


def _between(found: Estimate, how: str) -> str:
    """Return a figure with its interval; one day gives none."""
    value, low, high = (format(x, how) for x in found)
    return f"{value} ({low} to {high})" if np.isfinite(found.low) else value


def _met(found: Estimate, wanted: float, *, least: bool = False) -> str:
    """Return whether a bound holds, and whether all of the interval says so."""
    if least:
        found, wanted = Estimate(-found.value, -found.high, -found.low), -wanted
    if found.value <= wanted:
        return "yes" if found.high <= wanted else "yes, within noise"
    return "no, within noise" if found.low <= wanted else "no"
