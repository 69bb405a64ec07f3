"""Whom does the model serve worse, and whom does it call more? Protected fields are kept for this audit alone.

They are never features. Yet a feature may stand in for one: the proxy test learns the protected group from the
features, and tells how well that can be done and by which of them.
"""

import msgspec
import numpy as np
from numpy.typing import NDArray

from models import metrics
from models.crew import Crew, Job
from models.evaluation import folds
from models.metrics import Figure, Scored
from models.schema import Recipe
from models.table import Table

F8 = NDArray[np.float64]

#: Of the proxy test's AUC.
WATCH, ACT = 0.70, 0.80
#: Smaller groups tell nothing of themselves; they are put together.
LEAST_ROWS = 100
OTHERS = "(others)"
UNKNOWN = "(not known)"
#: The share of rows that the floor has time for.
_SHARE = 0.2
#: Debtors by whom the proxy test is made, each by the latest row: others of the same debtor tell nothing new.
_ASKED = 20_000


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """One group of one protected field, on rows that the model had not seen."""

    field: str
    group: str
    rows: int
    #: Whose rows they are: rows ÷ debtors is how often each was contacted, where a row is a contact.
    debtors: int = 0
    rate: float
    mean: float
    #: What came over what was said: 1 is fair.
    came_over_said: Figure
    ece: float
    ece_by_chance: float
    #: None: all came, or none did, and there is nothing to rank.
    auc: float | None
    #: Share of its rows among the best fifth by score, over a fifth: whom contact would fall upon.
    intensity: Figure


class Proxy(msgspec.Struct, frozen=True, kw_only=True):
    """How well the features tell a group from the rest."""

    field: str
    group: str
    auc: float
    level: str
    #: The features that tell it best, with their share.
    by: tuple[tuple[str, float], ...]


class Fairness(msgspec.Struct, frozen=True, kw_only=True):
    """The audit."""

    groups: tuple[Group, ...]
    proxies: tuple[Proxy, ...]

    @property
    def concerns(self) -> list[str]:
        """What somebody should look at, in words."""
        found = [
            f"{one.field} {one.group}: {one.came_over_said.value:.2f} times as many came as it said "
            f"({one.came_over_said.low:.2f} to {one.came_over_said.high:.2f})"
            for one in self.groups
            if one.came_over_said.low > 1.1 or one.came_over_said.high < 0.9
        ]
        found += [
            f"{one.field} {one.group}: {one.intensity.value:.2f} times as likely as all to be among the best fifth"
            for one in self.groups
            if one.intensity.low > 1.25 or one.intensity.high < 0.8
        ]
        return found + [
            f"{one.field} {one.group} can be told from the features (AUC {one.auc:.2f}), most by {one.by[0][0]}"
            for one in self.proxies
            if one.level != "still"
        ]


def audit(table: Table, rows: NDArray[np.int64], p: F8, *, workers: int = 0) -> Fairness:
    """Return calibration and contact intensity by protected group, and the proxy test.

    Parameters
    ----------
    rows, p : (m,)
        Rows of the table that were scored unseen, and their scores.
    """
    groups, proxies = [], []
    for field, words in table.protected.items():
        named = _large(words)
        groups += _groups(field, named[rows], table, rows, p)
        proxies += _proxies(field, words, table, workers)
    return Fairness(groups=tuple(groups), proxies=tuple(proxies))


def _large(words: NDArray[np.str_]) -> NDArray[np.str_]:
    names, place, count = np.unique(words, return_inverse=True, return_counts=True)
    kept = [OTHERS if n < LEAST_ROWS else (str(name) or UNKNOWN) for name, n in zip(names, count, strict=True)]
    found: NDArray[np.str_] = np.array(kept, dtype=str)[place]
    return found


def _groups(field: str, words: NDArray[np.str_], table: Table, rows: NDArray[np.int64], p: F8) -> list[Group]:
    y, w, debtor = table.y[rows], table.weight[rows], table.group[rows]
    called = np.zeros(len(p))
    called[np.argsort(-p, kind="stable")[: round(_SHARE * len(p))]] = 1.0
    found = []
    for name in np.unique(words):
        mine = words == name
        ours, mine_w = np.flatnonzero(mine), w[mine]
        figures = Scored(y[mine], p[mine]).figures(mine_w)

        def ratio(weight: F8, ours: NDArray[np.int64] = ours) -> float:
            said = (weight * p[ours]).sum()
            return float((weight * y[ours]).sum() / said) if said > 0.0 else float("nan")

        def intensity(weight: F8, ours: NDArray[np.int64] = ours) -> float:
            return float((weight * called[ours]).sum() / weight.sum() / _SHARE) if weight.sum() > 0.0 else float("nan")

        found.append(
            Group(
                field=field,
                group=str(name),
                rows=len(ours),
                debtors=len(np.unique(debtor[mine])),
                rate=float((mine_w * y[mine]).sum() / mine_w.sum()),
                mean=float((mine_w * p[mine]).sum() / mine_w.sum()),
                came_over_said=metrics.bootstrap(ratio, debtor[mine], mine_w, draws=200),
                ece=figures["ece"],
                ece_by_chance=metrics.ece_by_chance(p[mine], mine_w, draws=50),
                auc=None if np.isnan(figures["auc"]) else figures["auc"],
                intensity=metrics.bootstrap(intensity, debtor[mine], mine_w, draws=200),
            )
        )
    return found


def _latest(table: Table, words: NDArray[np.str_]) -> tuple[Table, NDArray[np.str_]]:
    """Return the latest row of each debtor, of so many debtors at most, with their groups."""
    _, last = np.unique(table.group[::-1], return_index=True)
    at = np.sort(len(table) - 1 - last)
    at = at[np.unique(np.linspace(0, len(at) - 1, min(_ASKED, len(at))).astype(np.int64))]
    cut = {name: getattr(table, name)[at] for name in ("x", "y", "time", "group", "weight", "source_row")}
    return msgspec.structs.replace(table, **cut), _large(words[at])


def _proxies(field: str, words: NDArray[np.str_], table: Table, workers: int) -> list[Proxy]:
    from models.learner import loads

    table, words = _latest(table, words)
    names, count = np.unique(words, return_counts=True)
    # Of two groups one tells the other; of many the five largest are enough.
    asked = names[np.argsort(-count, kind="stable")][: {1: 0, 2: 1}.get(len(names), 5)]
    recipe = Recipe(rounds=60, calibration="none")
    found = []
    for name in asked:
        member = (words == name).astype(np.float64)
        if min(member.sum(), len(member) - member.sum()) < LEAST_ROWS:
            continue
        asking = msgspec.structs.replace(table, y=member, encoding=msgspec.structs.replace(table.encoding, monotone={}))
        planned = folds(asking, 3, seed=1)
        with Crew(asking, workers) as crew:
            jobs = [Job(recipe, one.learn, one.score) for one in planned]
            answers = crew.carry_out([*jobs, Job(recipe, slice(0, len(asking)))])
        p = np.empty(len(member))
        for one, (scores, _) in zip(planned, answers, strict=False):
            assert scores is not None
            p[one.score] = scores
        learned = answers[-1][1]
        assert learned is not None
        shares = loads(learned, "lightgbm").importance()
        told = metrics.auc(member, p)
        best = np.argsort(-shares)[:3]
        found.append(
            Proxy(
                field=field,
                group=str(name),
                auc=told,
                level="act" if told >= ACT else "watch" if told >= WATCH else "still",
                by=tuple((table.encoding.features[i], float(shares[i])) for i in best),
            )
        )
    return found
