"""What a strategy would have brought on contacts that another one chose: value from logged probabilities.

Of every decision the log keeps the chance of each action that was eligible, the action taken, and what came of it. A
new strategy's value is the mean outcome with each decision weighed by how much likelier the new strategy makes the
action taken (IPS, Horvitz & Thompson 1952), divided by the sum of weights (SNIPS, Swaminathan & Joachims 2015), or as
a correction of predicted outcomes (DR, Dudík, Langford & Li 2011). Intervals are by debtor: one debtor's decisions are
not independent, and corrected for skewness: few decisions with large weights make a value lopsided.

What is weighed is an action, and whatever else a strategy says is not in it: `VALUED`, `NOT_VALUED`.

Where the log says too little there is no estimate, but a reason: when the new strategy does what was never tried, or
its weights leave too few decisions that count.
"""

from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from domain.errors import BadInput

F8 = NDArray[np.float64]
I8 = NDArray[np.int64]

#: Below so many decisions' worth, or with less of the new strategy's choices ever tried, nothing is said.
LEAST_ESS, LEAST_SUPPORT = 200.0, 0.95
#: A weight above this counts as this; what that may hide is told.
MOST_WEIGHT: Final = 50.0
#: What a value is of where the actions are to call and not to call, and what it is blind to: two strategies that
#: differ in this alone have the same value.
VALUED: Final = "whom a list holds and whom it leaves out, with the chance of each"
NOT_VALUED: Final = (
    "the order of the list",
    "planned hours and parts of the day",
    "capacity",
    "limits of calls",
    "numbers, retries and caller ids",
    "offers and groups of agents",
    "messages and tasks",
)
#: Of Student's quantile, for intervals of 95 %.
_LEVEL: Final = 0.975


class Estimate(msgspec.Struct, frozen=True, kw_only=True):
    """A value per decision, with a 95 % interval."""

    value: float
    low: float
    high: float


class Worth(msgspec.Struct, frozen=True, kw_only=True):
    """What the log says of a new strategy."""

    #: Decisions, and debtors.
    n: int
    debtors: int
    #: What was had per decision under the strategy that ran.
    had: Estimate
    #: Decisions that the weighed ones are worth (Kish), and the share of the new strategy's choices that were tried.
    ess: float
    support: float
    #: Share of weights that were cut, and the largest before.
    cut: float
    most_weight: float
    #: Why nothing is estimated; empty: something is.
    refused: str
    ips: Estimate | None = None
    snips: Estimate | None = None
    #: Only where outcomes were predicted.
    dr: Estimate | None = None


def worth(
    *,
    reward: F8,
    action: I8,
    logged: F8,
    new: F8,
    debtor: I8,
    predicted: F8 | None = None,
    most_weight: float = MOST_WEIGHT,
) -> Worth:
    """Return what decisions would have brought under a new strategy.

    Parameters
    ----------
    reward : (n,)
        What came of each decision, in any unit.
    action : (n,) int
        The action taken, a column of `logged`.
    logged, new : (n, a)
        Chance of each action under the strategy that ran, 0 where it was not eligible, and under the new one; each
        row adds up to 1.
    debtor : (n,) int
        Whom it was about.
    predicted : (n, a), optional
        What each action was expected to bring, by a model that has not seen these outcomes.

    Raises
    ------
    BadInput
        When shapes disagree, a row is no distribution, or an action was taken that had no chance.
    """
    _check(reward, action, logged, new, debtor, predicted)
    n = len(reward)
    rows = np.arange(n)
    raw = new[rows, action] / logged[rows, action]
    weight = np.minimum(raw, most_weight)
    _, group = np.unique(debtor, return_inverse=True)
    n_debtors = int(group.max()) + 1
    tried = np.where(logged > 0.0, new, 0.0).sum(axis=1)
    support = float(tried.mean())
    ess = float(weight.sum() ** 2 / np.square(weight).sum()) if weight.any() else 0.0
    told = Worth(
        n=n,
        debtors=n_debtors,
        had=_mean(reward, np.ones(n), group, n_debtors),
        ess=ess,
        support=support,
        cut=float((raw > most_weight).mean()),
        most_weight=float(raw.max()),
        refused=_refusal(ess, support, n_debtors),
    )
    if told.refused:
        return told
    dr = None
    if predicted is not None:
        expected = (new * predicted).sum(axis=1)
        dr = _mean(expected + weight * (reward - predicted[rows, action]), np.ones(n), group, n_debtors)
    return msgspec.structs.replace(
        told,
        ips=_mean(weight * reward, np.ones(n), group, n_debtors),
        snips=_mean(weight * reward, weight, group, n_debtors),
        dr=dr,
    )


def expected(reward: F8, action: I8, features: F8, fold: I8, actions: int) -> F8:
    """Return what each action was expected to bring, (n, actions), by lines that have not seen the decision's debtor.

    Parameters
    ----------
    features : (n, k) float64
        Known at the decision; NaN counts as 0.
    fold : (n,) int
        Part, from 0, that the debtor belongs to: two parts or more.
    """
    known = np.nan_to_num(features)
    spread = known.std(axis=0)
    known = (known - known.mean(axis=0))[:, spread > 0.0] / spread[spread > 0.0]
    table = np.column_stack([np.ones(len(known)), known])
    found = np.full((len(reward), actions), float(reward.mean()))
    # A little of the mean is mixed in: a line through few decisions goes anywhere.
    ridge = np.diag([0.0, *np.full(known.shape[1], 10.0)])
    for part in range(int(fold.max()) + 1):
        for of in range(actions):
            seen = (fold != part) & (action == of)
            if seen.sum() > 5 * table.shape[1]:
                line = np.linalg.solve(table[seen].T @ table[seen] + ridge, table[seen].T @ reward[seen])
                found[fold == part, of] = table[fold == part] @ line
    return found


def _refusal(ess: float, support: float, n_debtors: int) -> str:
    if support < LEAST_SUPPORT:
        return (
            f"{100 * (1 - support):.1f} % of what the new strategy would do was never tried in its place (at most "
            f"{100 * (1 - LEAST_SUPPORT):.0f} % may be); let the running strategy explore it, or simulate"
        )
    if ess < LEAST_ESS:
        return (
            f"the log is worth {ess:.0f} decisions for the new strategy, and {LEAST_ESS:.0f} are needed; it differs "
            "too much from what ran: wait for more decisions, or try it as a challenger"
        )
    if n_debtors < 2:
        return "all decisions are about one debtor; intervals need more"
    return ""


def _mean(top: F8, bottom: F8, group: NDArray[np.intp], n_groups: int) -> Estimate:
    """Return sum(top) / sum(bottom), with the interval that the spread between debtors gives (linearised ratio)."""
    from scipy.special import stdtrit  # late: takes a moment to load

    value = float(top.sum() / bottom.sum())
    residual = np.bincount(group, weights=top - value * bottom, minlength=n_groups)
    spread = float(np.square(residual).sum())
    if n_groups < 2 or spread <= 0.0:
        half = float("inf") if n_groups < 2 else 0.0
        return Estimate(value=value, low=value - half, high=value + half)
    error = float(np.sqrt(n_groups / (n_groups - 1) * spread) / bottom.sum())
    # What few large weights make lopsided: Student's quantiles as Hall's transformation bends them.
    skew = float((residual**3).mean() / (spread / n_groups) ** 1.5 / np.sqrt(n_groups))
    quantile = float(stdtrit(n_groups - 1, _LEVEL))
    return Estimate(value=value, low=value - error * _bent(quantile, skew), high=value - error * _bent(-quantile, skew))


def _bent(t: float, skew: float) -> float:
    """Return what the transformation t + skew t²/3 + skew² t³/27 + skew/6 makes of itself into `t` (Hall 1992)."""
    if abs(skew) < 1e-6:
        return t
    return float(3.0 / skew * (np.cbrt(1.0 + skew * (t - skew / 6.0)) - 1.0))


def _check(reward: F8, action: I8, logged: F8, new: F8, debtor: I8, predicted: F8 | None) -> None:
    n = len(reward)
    if not n:
        raise BadInput("reward: no decisions; the log of the period is empty")
    for name, given in (("action", action), ("debtor", debtor)):
        if given.shape != (n,):
            raise BadInput(f"{name}: expected one for each of {n} decisions, found shape {given.shape}")
    for name, table in (("logged", logged), ("new", new), ("predicted", predicted)):
        if table is not None and (table.ndim != 2 or table.shape != (n, logged.shape[-1])):
            raise BadInput(f"{name}: expected {n} decisions by {logged.shape[-1]} actions, found shape {table.shape}")
    for name, table in (("reward", reward[:, None]), ("predicted", predicted)):
        if table is not None and not np.isfinite(table).all():
            row = int(np.flatnonzero(~np.isfinite(table).all(axis=1))[0])
            raise BadInput(f"{name}: decision {row} has {table[row]}; every figure must be finite")
    for name, table in (("logged", logged), ("new", new)):
        wrong = (table < 0.0).any(axis=1) | ~(np.abs(table.sum(axis=1) - 1.0) < 1e-6)
        if wrong.any():
            row = int(np.flatnonzero(wrong)[0])
            raise BadInput(f"{name}: the chances of decision {row} are {table[row]}; none below 0, all adding up to 1")
    if (action < 0).any() or (action >= logged.shape[1]).any():
        row = int(np.flatnonzero((action < 0) | (action >= logged.shape[1]))[0])
        raise BadInput(f"action: decision {row} took {action[row]}; there are {logged.shape[1]} actions, from 0")
    never = logged[np.arange(n), action] <= 0.0
    if never.any():
        row = int(np.flatnonzero(never)[0])
        raise BadInput(f"logged: decision {row} took action {action[row]}, which had no chance; the log is not its own")
