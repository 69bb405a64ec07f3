"""A/A: one strategy against itself. With the same luck nothing may differ; with luck of their own, little may seem to.

Differences that are none are called at the rate that was promised, or the intervals are worth nothing. One comparison
tells little (its metrics move together), so the same replications are dealt anew into two arms many times.
"""

from collections.abc import Sequence

import msgspec
import numpy as np

from simulation.experiment import Ran
from simulation.measures import MEASURES, PRIMARY, Costs, parts, tally
from simulation.statistics import ALPHA, Watch, difference, student

#: Deals of the replications into two arms.
DEALS = 400


class SelfCheck(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it."""

    strategy: str
    replications: int
    #: Metrics that differ although the luck is the same; must be empty.
    differ: tuple[str, ...]
    metrics: int
    #: Metrics whose 95 % interval leaves zero out, with luck of their own.
    called: tuple[str, ...]
    #: Share of intervals that leave zero out, over all deals and metrics; should be about 5 %.
    called_share: float
    #: Share of deals in which net recovery was ever called, looked at after every replication; 5 % at most.
    watched_share: float
    #: The same with Student's interval instead: what looking without a watch costs.
    unwatched_share: float

    @property
    def ok(self) -> bool:
        """Return whether all is as promised, within what so many deals can tell."""
        margin = 3.0 * (ALPHA * (1 - ALPHA) / DEALS) ** 0.5
        return not self.differ and self.called_share <= ALPHA + margin and self.watched_share <= ALPHA + margin


def check(same_luck: Ran, own_luck: Ran, costs: Costs) -> SelfCheck:
    """Compare an arm with itself.

    Parameters
    ----------
    same_luck, own_luck : Ran
        Of two arms that differ in name alone, each run anew.
    """
    currency = costs.currency_of(one for some in same_luck.outcomes[0] for one in some)
    first, twin = ([tally(one, costs, currency) for one in some] for some in same_luck.outcomes[0])
    a, b = ([tally(one, costs, currency) for one in some] for some in own_luck.outcomes[0])
    everything, n = [*a, *b], len(a)
    by_measure = {one.name: parts(one, everything) for one in MEASURES}
    # Metrics that never vary tell nothing of how often a difference is called.
    moving = [name for name, rows in by_measure.items() if len({tuple(row) for row in rows.tolist()}) > 1]
    draw = np.random.default_rng(own_luck.outcomes[0][0][0].seed)
    called = tried = watched = unwatched = 0
    watch = Watch()
    for _ in range(DEALS):
        order = draw.permutation(len(everything))
        left, right = order[:n], order[n:]
        for name in moving:
            found = difference(by_measure[name][left], by_measure[name][right])
            tried += 1
            called += found.is_clear
        paired = by_measure[PRIMARY.name][right, 0] - by_measure[PRIMARY.name][left, 0]
        looks = range(watch.least, n + 1)
        watched += any(watch.says(paired[:k]) in ("more", "less") for k in looks)
        unwatched += any(student(paired[:k]).is_clear for k in looks)
    return SelfCheck(
        strategy=own_luck.outcomes[0][0][0].arm,
        replications=n,
        differ=tuple(one.words for one in MEASURES if _differs(parts(one, first).tolist(), parts(one, twin).tolist())),
        metrics=len(moving),
        called=tuple(
            one.words for one in MEASURES if one.name in moving and difference(parts(one, a), parts(one, b)).is_clear
        ),
        called_share=called / tried if tried else 0.0,
        watched_share=watched / DEALS,
        unwatched_share=unwatched / DEALS,
    )


def _differs(one: Sequence[object], other: Sequence[object]) -> bool:
    return one != other
