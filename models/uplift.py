"""Whom a contact would move: P(pays | state, contact) − P(pays | state, none), and what that is worth.

Learned from rows in which chance had a hand: the probability of the contact is known, or estimated and then believed at
one's own risk. What the data do not show is nothing: an effect counts as far as rows that its learner never saw bear it
out, else the mean effect does, and where not even that is shown, none.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Literal, Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray

from domain.errors import BadInput
from models.metrics import Figure, by_chance, draws_of, qini

F8 = NDArray[np.float64]
I8 = NDArray[np.int64]

Learner = Literal["t", "s", "x", "dr", "r"]
LEARNERS: Final[tuple[Learner, ...]] = ("s", "t", "x", "dr", "r")
ABOUT: Final = {
    "s": "one model, the action a feature", "t": "a model for each action", "x": "effects imputed from the other arm",
    "dr": "doubly robust effects", "r": "residuals on residuals",
}  # fmt: skip
#: Folds of debtors: who is judged was not learned from.
FOLDS: Final = 3
#: An effect is shown when chance alone would do it this rarely.
ALPHA: Final = 0.01
#: A contact that adds less to the chance of paying than this is as good as none: it is about what one costs.
LITTLE: Final = 0.01
#: Fewer in an arm teach nothing.
LEAST_ROWS, LEAST_PAYING = 500, 20

#: Small trees that learn slowly: effects are slight beside the luck of paying (docs/decisions/0024).
OUTCOME: Final[dict[str, Any]] = {
    "objective": "binary", "learning_rate": 0.03, "num_leaves": 7, "min_data_in_leaf": 100, "feature_fraction": 0.7,
    "bagging_fraction": 0.8, "bagging_freq": 1, "lambda_l2": 10.0,
}  # fmt: skip
EFFECT: Final[dict[str, Any]] = OUTCOME | {
    "objective": "regression", "num_leaves": 4, "min_data_in_leaf": 500, "lambda_l2": 100.0,
}  # fmt: skip
ROUNDS: Final = 200
#: From so many rows on, trees may be twice as large: the effect's finer differences show.
MANY_ROWS: Final = 150_000
_SEED: Final = 1


class Rows(msgspec.Struct, frozen=True, kw_only=True):
    """Rows of one contact against none; arrays of one length."""

    #: (n, d) float, NaN where not known.
    x: NDArray[Any]
    #: 1: contacted.
    treated: F8
    #: Chance of it, in (0, 1).
    p_treated: F8
    #: Anything paid within the horizon.
    y: F8
    #: Debtors, by any number.
    group: I8
    #: Places of features that are categories.
    categories: tuple[int, ...] = ()

    def __len__(self) -> int:
        return len(self.y)

    def take(self, rows: Any) -> "Rows":
        return Rows(
            x=self.x[rows], treated=self.treated[rows], p_treated=self.p_treated[rows], y=self.y[rows],
            group=self.group[rows], categories=self.categories,
        )  # fmt: skip


class Predicts(Protocol):
    def __call__(self, x: NDArray[Any], /) -> F8: ...


class Effect(msgspec.Struct, frozen=True, kw_only=True):
    """What a learner found; text, so that it can be kept."""

    learner: Learner
    #: Of LightGBM, each with what its predictions are multiplied by.
    parts: tuple[tuple[str, float], ...]

    def predict(self, x: NDArray[Any]) -> F8:
        """Return (n,) effects on the probability of paying."""
        import lightgbm

        total = np.zeros(len(x))
        for text, weight in self.parts:
            booster = lightgbm.Booster(model_str=text)
            if self.learner == "s":
                done, undone = (np.column_stack((x, np.full(len(x), action))) for action in (1.0, 0.0))
                told = np.asarray(booster.predict(done, num_threads=1))
                told = told - np.asarray(booster.predict(undone, num_threads=1))
            else:
                told = np.asarray(booster.predict(x, num_threads=1))
            total += weight * told
        return total


class Shown(msgspec.Struct, frozen=True, kw_only=True):
    """What unseen rows bear out: effect = shift + slope × what the learner says.

    `effect`: differences among debtors; `mean`: one effect for all; `none`: that a contact does next to nothing;
    `unknown`: none of these, so few took part, and then nothing is said.
    """

    kind: Literal["effect", "mean", "none", "unknown"]
    #: Not numbers where nothing is known.
    shift: float | None
    slope: float | None
    #: One-sided chance of as much without any: differences among debtors, the mean.
    p_slope: float
    p_mean: float
    mean: Figure

    def __call__(self, told: F8) -> F8:
        """Return effects, (n,); NaN where nothing is known."""
        if self.shift is None or self.slope is None:
            return np.full(len(told), np.nan)
        return self.shift + self.slope * told


class Judged(msgspec.Struct, frozen=True, kw_only=True):
    """A learner on rows it never saw."""

    learner: Learner
    #: Area between its curve and contacting at random, in payers per row.
    qini: Figure
    #: The best's less its own.
    behind: Figure


def learn(rows: Rows, learner: Learner, params: Mapping[str, Any] | None = None, rounds: int = ROUNDS) -> Effect:
    """Return what a learner finds of the effect.

    Raises
    ------
    BadInput
        When an arm is too small.
    """
    check_enough(rows)
    return _learn(rows, learner, params, rounds)


def _learn(rows: Rows, learner: Learner, params: Mapping[str, Any] | None, rounds: int) -> Effect:
    one, none = rows.treated > 0.5, rows.treated < 0.5
    x, y, e = rows.x, rows.y, rows.p_treated

    def fitted(x: NDArray[Any], y: F8, settings: Mapping[str, Any], w: F8 | None = None) -> Any:
        return _fit(x, y, dict(settings) | dict(params or {}), rounds, rows.categories, w)

    if learner == "s":
        both = np.column_stack((x, rows.treated))
        return Effect(learner="s", parts=((_text(fitted(both, y, OUTCOME, _balance(rows))), 1.0),))
    if learner == "t":
        parts = ((_text(fitted(x[one], y[one], OUTCOME)), 1.0), (_text(fitted(x[none], y[none], OUTCOME)), -1.0))
        return Effect(learner="t", parts=parts)
    if learner == "x":
        m1, m0 = fitted(x[one], y[one], OUTCOME), fitted(x[none], y[none], OUTCOME)
        d1, d0 = y[one] - m0.predict(x[one], num_threads=1), m1.predict(x[none], num_threads=1) - y[none]
        share = float(e.mean())
        return Effect(
            learner="x",
            parts=((_text(fitted(x[one], d1, EFFECT)), 1.0 - share), (_text(fitted(x[none], d0, EFFECT)), share)),
        )
    m1, m0 = nuisance(rows, lambda part: _two_arms(part, params, rounds))
    if learner == "dr":
        return Effect(learner="dr", parts=((_text(fitted(x, robust(rows, m1, m0), EFFECT)), 1.0),))
    # Nie & Wager (2021): the effect that explains what is left of the outcome by what is left of the contact.
    left = rows.treated - e
    target = (y - e * m1 - (1.0 - e) * m0) / left
    return Effect(learner="r", parts=((_text(fitted(x, target, EFFECT, left * left)), 1.0),))


def robust(rows: Rows, m1: F8, m0: F8) -> F8:
    """Return (n,) doubly robust effects (Robins & Rotnitzky 1995): each row's own, noisy, right on the average."""
    t, e = rows.treated, rows.p_treated
    return np.asarray(m1 - m0 + t * (rows.y - m1) / e - (1.0 - t) * (rows.y - m0) / (1.0 - e))


def nuisance(rows: Rows, learner: Callable[[Rows], tuple[Predicts, Predicts]], folds: int = FOLDS) -> tuple[F8, F8]:
    """Return the probabilities of paying with and without contact, each row's by who never saw its debtor."""
    m1, m0 = np.empty(len(rows)), np.empty(len(rows))
    for unseen in fold_rows(rows.group, folds):
        with_, without = learner(rows.take(~unseen))
        m1[unseen], m0[unseen] = with_(rows.x[unseen]), without(rows.x[unseen])
    return m1, m0


def unseen_effects(rows: Rows, learner: Learner, params: Mapping[str, Any] | None = None, rounds: int = ROUNDS) -> F8:
    """Return each row's effect by a learner that never saw its debtor, (n,).

    Raises
    ------
    BadInput
        When an arm is too small.
    """
    check_enough(rows)
    found = np.empty(len(rows))
    for unseen in fold_rows(rows.group):
        found[unseen] = _learn(rows.take(~unseen), learner, params, rounds).predict(rows.x[unseen])
    return found


def shown(told: F8, effects: F8, group: I8, alpha: float = ALPHA, reached: F8 | None = None) -> Shown:
    """Return what unseen rows bear out of a learner's effects.

    Parameters
    ----------
    told : (n,)
        By who never saw the row's debtor.
    effects : (n,)
        `robust`, or any other that is right on the average.
    reached : (n,), optional
        By how much likelier the contact came about because the lot ordered it: then effects are of the order, what is
        told is of a contact that came about, and so is what is returned.

    Notes
    -----
    The best linear predictor of Chernozhukov, Demirer, Duflo & Fernández-Val (2018), standard errors by debtor. It also
    sets right a learner that ranks well and tells too little, as one model with the action for a feature does. An order
    works through the contact alone (Imbens & Angrist 1994), so that its effect is `reached` times that of a contact.
    """
    by = np.ones(len(told)) if reached is None else reached
    size = float((by * by).sum())
    centre = float((by * by * told).sum()) / size
    design = np.column_stack((by, by * (told - centre)))
    spread = float((design[:, 1] ** 2).sum())
    mean = float((by * effects).sum()) / size
    slope = float((design[:, 1] * effects).sum() / spread) if spread > 0.0 else 0.0
    left = effects - mean * by - slope * design[:, 1]
    _, member = np.unique(group, return_inverse=True)

    def error(column: F8, bread: float) -> float:
        return float(np.sqrt((np.bincount(member, column * left) ** 2).sum())) / bread if bread > 0.0 else np.inf

    p_mean = by_chance(mean, error(design[:, 0], size))
    p_slope = by_chance(slope, error(design[:, 1], spread)) if spread > 0.0 else 1.0
    half = 1.96 * error(design[:, 0], size)
    figure = Figure(value=mean, low=mean - half, high=mean + half)
    if p_slope < alpha:
        shift = mean - slope * centre
        return Shown(kind="effect", shift=shift, slope=slope, p_slope=p_slope, p_mean=p_mean, mean=figure)
    if p_mean < alpha:
        return Shown(kind="mean", shift=mean, slope=0.0, p_slope=p_slope, p_mean=p_mean, mean=figure)
    if figure.high <= LITTLE:
        return Shown(kind="none", shift=0.0, slope=0.0, p_slope=p_slope, p_mean=p_mean, mean=figure)
    return Shown(kind="unknown", shift=None, slope=None, p_slope=p_slope, p_mean=p_mean, mean=figure)


def compare(
    told: Mapping[Learner, F8], rows: Rows, expected: F8, *, draws: int = 200, seed: int = _SEED
) -> list[Judged]:
    """Return how learners rank unseen rows, the best first.

    Parameters
    ----------
    told : (n,) by learner
    expected : (n,)
        Probability of paying, whatever is done, by who never saw the row's debtor: taking it away leaves the curves as
        they are on the average and takes most of their noise.
    """
    left, weight = rows.y - expected, np.ones(len(rows))
    found = {name: qini(left, rows.treated, one, rows.p_treated, weight) for name, one in told.items()}
    best = max(found, key=lambda name: found[name])
    drawn: dict[Learner, list[float]] = {name: [] for name in told}
    for times in draws_of(rows.group, draws, seed):
        for name, one in told.items():
            drawn[name].append(qini(left, rows.treated, one, rows.p_treated, times))
    judged = []
    for name in sorted(told, key=lambda name: -found[name]):
        low, high = np.quantile(drawn[name], (0.025, 0.975))
        apart = np.array(drawn[best]) - np.array(drawn[name])
        behind = np.quantile(apart, (0.025, 0.975))
        judged.append(
            Judged(
                learner=name,
                qini=Figure(value=found[name], low=float(low), high=float(high)),
                behind=Figure(value=found[best] - found[name], low=float(behind[0]), high=float(behind[1])),
            )
        )
    return judged


def choose(judged: Sequence[Judged]) -> Learner:
    """Return the simplest learner that is not clearly behind the best; simple is in the order of LEARNERS."""
    return min((one.learner for one in judged if one.behind.low <= 0.0), key=LEARNERS.index)


def value(effect: F8, amount: F8, owed: F8, cost: F8 | float) -> F8:
    """Return what a contact is worth: effect × share of the balance that a payment settles × balance − cost."""
    return np.asarray(effect * amount * owed - cost)


class Reached(msgspec.Struct, frozen=True, kw_only=True):
    """How often an order to contact leads to a contact."""

    #: Chance of one where it is ordered: LightGBM, as text.
    text: str
    #: Chance of one where none was ordered: another day's order, or the debtor himself.
    of_itself: float
    #: Less is never said: effects are divided by it.
    least: float
    #: Mean over the rows that learned.
    mean: float

    def __call__(self, x: NDArray[Any]) -> F8:
        """Return by how much likelier a contact comes about where one is ordered, (n,)."""
        import lightgbm

        told = np.asarray(lightgbm.Booster(model_str=self.text).predict(x, num_threads=1), np.float64)
        return np.maximum(told - self.of_itself, self.least)


def reached(rows: Rows, met: F8) -> tuple[Reached, F8]:
    """Return how often orders led to contacts, and for each row by how much likelier, by who never saw its debtor.

    Parameters
    ----------
    met : (n,)
        1: a contact came about within the window.
    """
    one = rows.treated > 0.5
    w = np.where(one, 1.0 / rows.p_treated, 1.0 / (1.0 - rows.p_treated))
    of_itself = float(np.average(met[~one], weights=w[~one]))
    mean = float(np.average(met[one], weights=w[one])) - of_itself
    least = max(_LEAST_REACHED * mean, 1e-3)

    def learned(some: NDArray[np.bool_]) -> Reached:
        booster = _fit(rows.x[some & one], met[some & one], OUTCOME, ROUNDS, rows.categories, None)
        return Reached(text=_text(booster), of_itself=of_itself, least=least, mean=mean)

    unseen = np.empty(len(rows))
    for fold in fold_rows(rows.group):
        unseen[fold] = learned(~fold)(rows.x[fold])
    return learned(np.ones(len(rows), bool)), unseen


#: Of the mean.
_LEAST_REACHED: Final = 0.25


class Amount:
    """Expected share of the balance that a payment settles, in [0, 1]; `text` keeps it."""

    def __init__(self, text: str) -> None:
        import lightgbm

        self.text = text
        self._booster = lightgbm.Booster(model_str=text)

    def __call__(self, x: NDArray[Any]) -> F8:
        return np.asarray(self._booster.predict(x, num_threads=1), dtype=np.float64)


def fit_amount(x: NDArray[Any], share: F8, categories: Sequence[int], rounds: int = ROUNDS) -> Amount:
    """Return what rows that paid teach of the share of the balance paid; shares in [0, 1]."""
    settings = OUTCOME | {"objective": "cross_entropy"}
    return Amount(_text(_fit(x, share, settings, rounds, tuple(categories), None)))


def check_enough(rows: Rows) -> None:
    """Refuse arms too small to learn from."""
    for word, arm in (("contacted", rows.treated > 0.5), ("left alone", rows.treated < 0.5)):
        n, paying = int(arm.sum()), int(rows.y[arm].sum())
        if n < LEAST_ROWS or min(paying, n - paying) < LEAST_PAYING:
            raise BadInput(
                f"uplift: {n:,} rows were {word} by lot, {paying:,} of them paid; at least {LEAST_ROWS} rows with "
                f"{LEAST_PAYING} of each are needed: let more debtors take part, or wait"
            )


def fold_rows(group: I8, folds: int = FOLDS, seed: int = _SEED) -> list[NDArray[np.bool_]]:
    """Return which rows each fold holds; a debtor's rows are in one."""
    names, member = np.unique(group, return_inverse=True)
    fold = (np.random.default_rng(seed).permutation(len(names)) % folds)[member]
    return [fold == i for i in range(folds)]


def _two_arms(rows: Rows, params: Mapping[str, Any] | None, rounds: int) -> tuple[Predicts, Predicts]:
    found = []
    for arm in (rows.treated > 0.5, rows.treated < 0.5):
        booster = _fit(rows.x[arm], rows.y[arm], OUTCOME | dict(params or {}), rounds, rows.categories, None)
        found.append(lambda x, booster=booster: np.asarray(booster.predict(x, num_threads=1), dtype=np.float64))
    return found[0], found[1]


def two_arms(rows: Rows) -> tuple[Predicts, Predicts]:
    """Return P(pays | state) with and without contact, a model for each."""
    return _two_arms(rows, None, ROUNDS)


def _balance(rows: Rows) -> F8 | None:
    """Return weights under which both arms count alike, unless they do."""
    w = rows.treated / rows.p_treated + (1.0 - rows.treated) / (1.0 - rows.p_treated)
    return None if np.ptp(w) == 0.0 else w / w.mean()


def _fit(x: NDArray[Any], y: F8, params: dict[str, Any], rounds: int, categories: Sequence[int], w: F8 | None) -> Any:
    import lightgbm

    if len(y) >= MANY_ROWS:
        params = params | {"num_leaves": 2 * params["num_leaves"] + 1}
    data = lightgbm.Dataset(x, y, weight=w, categorical_feature=list(categories), free_raw_data=True)
    steady = {"verbosity": -1, "deterministic": True, "force_col_wise": True, "num_threads": 1, "seed": _SEED}
    return lightgbm.train(params | steady, data, num_boost_round=rounds)


def _text(booster: Any) -> str:
    return str(booster.model_to_string())
