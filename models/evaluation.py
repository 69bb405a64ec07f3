"""How good a model is, told only from rows that came after what it learned from.

Random folds overstate: rows of one week, one campaign, one debtor help to guess each other. Here the model learns from
what was known before a window, scores the window, and goes on; figures are told of each block, with intervals that
draw whole debtors, beside a logistic regression, the base rate and the incumbent on the same rows.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from domain.errors import BadInput
from models import calibration, metrics
from models.crew import Crew, Job, Rows
from models.metrics import METRICS, Bin, Figure, Resampled, Scored
from models.schema import Recipe, Windows
from models.table import Table, Words

F8 = NDArray[np.float64]
I8 = NDArray[np.int64]
#: What, how many are done, of how many.
Report = Callable[[str, int, int], None]

#: The contestants beside the model.
LOGISTIC, BASE, INCUMBENT, RAW = "logistic", "base rate", "incumbent", "uncalibrated"
#: Less is not enough to learn from, or to judge by.
LEAST_ROWS, LEAST_OF_EACH = 200, 20
#: Draws of the bootstrap, and for tables so large that intervals are narrow anyway.
_DRAWS, _FEWER_DRAWS, _LARGE = 400, 100, 300_000


class Split(NamedTuple):
    """Learn from some rows, score those that follow."""

    learn: Rows
    score: Rows
    #: -1: of the run-up, not judged.
    block: int


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One contestant over one block, or over all (block 0)."""

    contestant: str
    block: int
    rows: int
    rate: float
    mean: float
    figures: dict[str, Figure]


class Segment(msgspec.Struct, frozen=True, kw_only=True):
    """What the model said of one segment and what came."""

    column: str
    word: str
    rows: int
    rate: float
    mean: float
    ece: float
    #: What a model of true probabilities would show, by chance alone.
    ece_by_chance: float


class Evaluation(msgspec.Struct, frozen=True, kw_only=True):
    """A model, judged."""

    rows: int
    groups: int
    rate: float
    blocks: int
    refits: int
    #: The first and last time scored, in the table's own words.
    span: tuple[str, str]
    lines: tuple[Line, ...]
    #: The model's figure less the other's, by contestant and metric.
    against: dict[str, dict[str, Figure]]
    #: How the scores were calibrated in the last window, and would be in the next.
    calibration: str
    ece_by_chance: float
    reliability: tuple[Bin, ...]
    segments: tuple[Segment, ...]
    #: Share of all yes among the best 0, 5, … 100 % of rows.
    gain: tuple[float, ...]

    def line(self, contestant: str = "model", block: int = 0) -> Line:
        return next(one for one in self.lines if (one.contestant, one.block) == (contestant, block))


class Judged(NamedTuple):
    """An evaluation with the scores behind it."""

    evaluation: Evaluation
    #: (n,) places in the table.
    rows: I8
    block: I8
    raw: F8
    #: Calibrated on earlier blocks.
    p: F8
    others: dict[str, F8]
    #: (n,) place of the learner that scored each row in `learners`.
    window: I8
    #: Of the windows, as text, where they were to be kept.
    learners: tuple[str, ...] = ()


def splits(table: Table, windows: Windows, recipe: Recipe) -> list[Split]:
    """Return the forward windows of a table.

    Rows of one instant are never cut apart, and whoever learns leaves out rows whose answer was not yet known when
    the window begins.

    Raises
    ------
    BadInput
        When there is too little to learn from or to score.
    """
    n = len(table)
    _check_all(table)
    first = n - windows.last_rows if windows.last_rows else n // (windows.blocks + 1)
    if first < 1:
        raise BadInput(
            f"windows.last_rows is {windows.last_rows:,} of {n:,} rows, which leaves nothing to learn from; lower it"
        )
    edges = sorted({_tie(table.time, round(first + (n - first) * i / windows.blocks)) for i in range(windows.blocks)})
    if windows.run_up_rows >= first:
        raise BadInput(
            f"windows.run_up_rows is {windows.run_up_rows:,} of {first:,} rows before those judged, which leaves "
            "nothing to learn from; lower it"
        )
    blocks = list(enumerate(zip(edges, [*edges[1:], n], strict=True)))
    if windows.run_up_rows:
        blocks.insert(0, (-1, (_tie(table.time, first - windows.run_up_rows), edges[0])))
    found = []
    for block, (begin, end) in blocks:
        at = begin
        while at < end:
            until = min(end, _tie(table.time, at + windows.refit_rows)) if windows.refit_rows else end
            if until <= at:
                until = int(np.searchsorted(table.time, table.time[at], side="right"))
            known = int(np.searchsorted(table.time + table.horizon, table.time[at], side="left"))
            learn = slice(max(0, known - recipe.window_rows) if recipe.window_rows else 0, known)
            check_enough(table, learn, f"known before row {at + 1:,} of {n:,}")
            found.append(Split(learn=learn, score=slice(at, until), block=block))
            at = until
    return found


def folds(table: Table, count: int, seed: int) -> list[Split]:
    """Return random folds of whole groups, to compare with what others report; they overstate."""
    _check_all(table)
    names, member = np.unique(table.group, return_inverse=True)
    fold = (np.random.default_rng(seed).permutation(len(names)) % count)[member]
    return [Split(learn=np.flatnonzero(fold != i), score=np.flatnonzero(fold == i), block=i) for i in range(count)]


def scores(crew: Crew, recipe: Recipe, planned: Sequence[Split], what: str, report: Report) -> F8:
    """Return the scores of all windows, one after the other."""
    return _scored(crew, recipe, planned, what, report)[0]


def _scored(
    crew: Crew, recipe: Recipe, planned: Sequence[Split], what: str, report: Report, *, keep: bool = False
) -> tuple[F8, tuple[str, ...]]:
    """Return the scores of all windows, and their learners where they are to be kept."""
    jobs = [Job(recipe, one.learn, one.score, keep) for one in planned]
    answers = crew.carry_out(jobs, lambda done: report(what, done, len(jobs)))
    return np.concatenate([p for p, _ in answers if p is not None]), tuple(text for _, text in answers if text)


def judge(
    crew: Crew,
    recipe: Recipe,
    windows: Windows,
    *,
    random_folds: int = 0,
    incumbent: Recipe | None = None,
    others: Mapping[str, Callable[[Table, I8], F8]] | None = None,
    keep: bool = False,
    report: Report = lambda _what, _done, _of: None,
) -> Judged:
    """Return how good a recipe is on a table.

    Parameters
    ----------
    random_folds
        Judge on so many random folds instead of forward windows; nothing is calibrated then.
    incumbent
        The champion's recipe, refitted on the same windows.
    others
        Further contestants: functions of (table, rows) to (n,) probabilities.
    keep
        Keep the learners of the windows.
    """
    table = crew.table
    planned = folds(table, random_folds, recipe.seed) if random_folds else splits(table, windows, recipe)
    rows = np.concatenate([_places(one.score) for one in planned])
    lengths = [len(_places(one.score)) for one in planned]
    block, window = np.repeat([one.block for one in planned], lengths), np.repeat(np.arange(len(planned)), lengths)
    y, w = table.y[rows], table.weight[rows]
    segments = {name: table.words(name)[rows] for name in table.schema.segments}

    def calibrated(one: Recipe, raw: F8) -> tuple[F8, str]:
        if random_folds or one.calibration == "none":
            return raw, "none"
        known, begins = _answers_known(table, rows, window)
        return calibration.forward(raw, y, w, window, known, begins, one.calibration, segments)

    raw, learners = _scored(crew, recipe, planned, "learning and scoring windows", report, keep=keep)
    p, method = calibrated(recipe, raw)
    contestants: dict[str, F8] = {"model": p}
    if (raw != p).any():
        contestants[RAW] = raw
    if recipe.learner != "logistic":
        plain = Recipe(learner="logistic", window_rows=recipe.window_rows)
        contestants[LOGISTIC] = scores(crew, plain, planned, "logistic regression", report)
    contestants[BASE] = np.repeat([rate(table, one.learn) for one in planned], lengths)
    if incumbent is not None:
        same = planned
        if incumbent.window_rows != recipe.window_rows and not random_folds:
            same = splits(table, windows, incumbent)
        contestants[INCUMBENT], _ = calibrated(incumbent, scores(crew, incumbent, same, "incumbent", report))
    # The run-up has served.
    told = block >= 0
    rows, block, window, raw = rows[told], block[told], window[told], raw[told]
    contestants = {name: one[told] for name, one in contestants.items()}
    segments = {name: words[told] for name, words in segments.items()}
    p = contestants["model"]
    for name, score in (others or {}).items():
        contestants[name] = score(table, rows)
    evaluation = evaluate(table, rows, block, contestants, segments, method=method, refits=len(planned), report=report)
    beside = {name: one for name, one in contestants.items() if name != "model"}
    return Judged(evaluation, rows, block, raw, p, beside, window, learners)


def evaluate(
    table: Table,
    rows: I8,
    block: I8,
    contestants: Mapping[str, F8],
    segments: Mapping[str, Words],
    *,
    method: str,
    refits: int,
    report: Report = lambda _what, _done, _of: None,
) -> Evaluation:
    """Return the figures of contestants over the same rows; the first is the model."""
    y, w, group = table.y[rows], table.weight[rows], table.group[rows]
    p = next(iter(contestants.values()))
    draws = _FEWER_DRAWS if len(rows) > _LARGE else _DRAWS
    n_blocks = int(block.max()) + 1
    lines, against = [], {}
    for number in range(n_blocks + 1 if n_blocks > 1 else 1):
        chosen = block == number - 1 if number else np.ones(len(rows), bool)
        scored = {name: Scored(y[chosen], one[chosen]) for name, one in contestants.items()}
        drawn = Resampled(scored, group[chosen], w[chosen], draws)
        for name, one in contestants.items():
            lines.append(
                Line(
                    contestant=name,
                    block=number,
                    rows=int(chosen.sum()),
                    rate=_mean(y[chosen], w[chosen]),
                    mean=_mean(one[chosen], w[chosen]),
                    figures={metric: drawn.figure(name, metric) for metric in METRICS},
                )
            )
            if not number and name != "model":
                against[name] = {metric: drawn.difference("model", name, metric) for metric in METRICS}
        report("intervals", number + 1, n_blocks + 1)
    return Evaluation(
        rows=len(rows),
        groups=len(np.unique(group)),
        rate=_mean(y, w),
        blocks=n_blocks,
        refits=refits,
        span=(time_words(table, int(rows[0])), time_words(table, int(rows[-1]))),
        lines=tuple(lines),
        against=against,
        calibration=method,
        ece_by_chance=metrics.ece_by_chance(p, w),
        reliability=tuple(metrics.reliability(y, p, w)),
        segments=tuple(by_segment(y, p, w, segments)),
        gain=tuple(metrics.gain(y, p, np.linspace(0.0, 1.0, 21)).tolist()),
    )


def by_segment(y: F8, p: F8, w: F8, segments: Mapping[str, Words]) -> list[Segment]:
    """Return calibration by segment, the largest error of each column first."""
    found = []
    for column, words in segments.items():
        lines = []
        for word in np.unique(words):
            rows = words == word
            lines.append(
                Segment(
                    column=column,
                    word=str(word),
                    rows=int(rows.sum()),
                    rate=_mean(y[rows], w[rows]),
                    mean=_mean(p[rows], w[rows]),
                    ece=Scored(y[rows], p[rows]).figures(w[rows])["ece"],
                    ece_by_chance=metrics.ece_by_chance(p[rows], w[rows], draws=50),
                )
            )
        found += sorted(lines, key=lambda one: -one.rows)
    return found


def time_words(table: Table, row: int) -> str:
    """Return when a row was, for people."""
    if table.is_dated:
        return str(np.datetime64(int(table.time[row]), "us").astype("datetime64[s]")).replace("T", " ")
    return repr(float(table.time[row])).removesuffix(".0") if table.schema.time else f"row {row + 1:,}"


def _answers_known(table: Table, rows: I8, window: I8) -> tuple[F8, F8]:
    """Return when each scored row's answer was known, and when each window begins."""
    first = np.searchsorted(window, np.arange(int(window.max()) + 1))
    # What happened at the very instant at which a window begins was not known to it.
    known = table.time[rows] + table.horizon
    return known, np.nextafter(table.time[rows][first], -np.inf)


def _places(rows: Rows) -> I8:
    return np.arange(rows.start, rows.stop) if isinstance(rows, slice) else rows


def _tie(time: F8, row: int) -> int:
    """Return the first row of the instant of a row."""
    return row if row >= len(time) else int(np.searchsorted(time, time[row], side="left"))


def _check_all(table: Table) -> None:
    check_enough(table, slice(0, len(table)), "in all")
    if (groups := len(np.unique(table.group))) < LEAST_OF_EACH:
        raise BadInput(
            f"{table.where}: {table.schema.group or 'its rows'} has {groups} groups, and intervals draw whole groups; "
            f"at least {LEAST_OF_EACH} are needed: name in group what tells debtors apart"
        )


def check_enough(table: Table, rows: slice, where: str) -> None:
    """Refuse to learn from, or to judge by, too few rows."""
    y = table.y[rows]
    yes = int(y.sum())
    if len(y) >= LEAST_ROWS and min(yes, len(y) - yes) >= LEAST_OF_EACH:
        return
    raise BadInput(
        f"{table.where}: too little data: {len(y):,} rows {where}, {yes:,} of them yes and {len(y) - yes:,} no; at "
        f"least {LEAST_ROWS} rows with {LEAST_OF_EACH} of each are needed: bring more rows, fewer windows.blocks, a "
        "greater windows.last_rows or a shorter horizon"
    )


def rate(table: Table, rows: Rows) -> float:
    """Return the share of yes among rows, each as much as it counts."""
    return _mean(table.y[rows], table.weight[rows])


def _mean(values: F8, w: F8) -> float:
    total = w.sum()
    return float((w * values).sum() / total) if total > 0.0 else float("nan")
