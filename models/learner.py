"""Two learners behind one face: LightGBM, and the logistic regression that it has to beat.

Equal rows, recipe, lock file, processor and threads give equal bytes. A fitted learner is text (`dumps`, `loads`), so
that a folder of models holds no code and can be read by whoever checks it.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray

from domain.errors import BadInput
from models.schema import Recipe
from models.table import Encoding

F8 = NDArray[np.float64]

#: Plain ones for tables of ten thousand rows and more; every one may be overridden by the recipe.
DEFAULTS: dict[str, Any] = {
    "learning_rate": 0.05,
    "num_leaves": 15,
    "min_data_in_leaf": 50,
}
#: Of a number, where a recipe names bins of others alone: LightGBM's own default.
_BINS = 255
#: Of one bag and the next.
_SEED_STEP = 7919


class Fitted(Protocol):
    """A learner that has learned."""

    def predict(self, x: F8) -> F8:
        """Return (n,) probabilities of (n, d) features, before calibration."""
        ...

    def importance(self) -> F8:
        """Return (d,) how much each feature tells, adding up to 1."""
        ...

    def dumps(self) -> str: ...


def fit(x: F8, y: F8, w: F8, encoding: Encoding, recipe: Recipe, done: Callable[[], None] = lambda: None) -> Fitted:
    """Return what a recipe learns from rows.

    Parameters
    ----------
    x : (n, d) features, NaN where not known; categories as codes
    y : (n,) 0 or 1
    w : (n,) how much a row counts
    done
        Called for every bag that is ready.

    Raises
    ------
    BadInput
        When the library refuses the recipe's parameters, in its own words.
    """
    if recipe.learner == "logistic":
        return _fit_logistic(x, y, w, encoding, recipe)
    return _fit_trees(x, y, w, encoding, recipe, done)


def loads(text: str, learner: str) -> Fitted:
    """Return a learner from its text."""
    if learner == "logistic":
        return msgspec.json.decode(text, type=Logistic)
    return Trees(text.split(_BETWEEN))


# ---- LightGBM

_BETWEEN = "\n=== next bag ===\n"


class Trees:
    """Bags of LightGBM models; their probabilities are averaged."""

    def __init__(self, texts: Sequence[str]) -> None:
        import lightgbm

        #: As LightGBM writes them; features are called f0, f1, … in the order of the encoding.
        self.texts = list(texts)
        self.boosters = [lightgbm.Booster(model_str=text) for text in self.texts]

    def predict(self, x: F8) -> F8:
        # One thread: scores are asked for by processes that already share the machine.
        found = sum(np.asarray(one.predict(x, num_threads=1)) for one in self.boosters) / len(self.boosters)
        return np.asarray(found, dtype=np.float64)

    def importance(self) -> F8:
        gains = sum(one.feature_importance("gain") for one in self.boosters)
        total = float(np.sum(gains))
        return np.asarray(gains, dtype=np.float64) / (total if total > 0.0 else 1.0)

    def dumps(self) -> str:
        return _BETWEEN.join(self.texts)


def _fit_trees(x: F8, y: F8, w: F8, encoding: Encoding, recipe: Recipe, done: Callable[[], None]) -> Trees:
    import lightgbm

    names = list(encoding.features)
    params = DEFAULTS | _by_places(recipe.params, names) | {
        "objective": "binary", "verbosity": -1, "deterministic": True, "force_col_wise": True,
        "num_threads": recipe.threads,
    }  # fmt: skip
    if encoding.monotone:
        params["monotone_constraints"] = [encoding.monotone.get(name, 0) for name in names]
    places = [place for place, name in enumerate(names) if name in encoding.categories]
    texts = []
    try:
        # Binned once for all bags: what a seed changes comes after.
        data = lightgbm.Dataset(
            x, y, weight=None if (w == 1.0).all() else w, categorical_feature=places, free_raw_data=False,
            params=params, feature_name=[f"f{place}" for place in range(len(names))],
        )  # fmt: skip
        for bag in range(recipe.bags):
            seeded = params | {"seed": recipe.seed + bag * _SEED_STEP}
            booster = lightgbm.train(seeded, data, num_boost_round=recipe.rounds)
            texts.append(booster.model_to_string())
            done()
    except lightgbm.basic.LightGBMError as error:
        raise BadInput(f"recipe: LightGBM refuses it: {error}; correct recipe.params") from None
    return Trees(texts)


def _by_places(params: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    """Return parameters that speak of features as LightGBM takes them: by place, for every feature.

    Raises
    ------
    BadInput
        When one speaks of what is no feature: LightGBM reads beyond its columns, and may end the process.
    """
    found, known = dict(params), {name: place for place, name in enumerate(names)}
    if "interaction_constraints" in params:
        groups = params["interaction_constraints"]
        told = isinstance(groups, list) and all(isinstance(group, list) for group in groups)
        lists = groups if told else []
        places = [[known.get(one, -1) if isinstance(one, str) else one for one in group] for group in lists]
        if not told or any(one not in range(len(names)) for group in places for one in group):
            raise BadInput(
                f"recipe.params.interaction_constraints must be lists of features, by name or by place from 0 to "
                f"{len(names) - 1}, was {groups!r}; correct it"
            )
        found["interaction_constraints"] = places
    if (bins := params.get("max_bin_by_feature")) is not None:
        if (
            not isinstance(bins, dict)
            or any(one not in known for one in bins)
            or any(isinstance(n, bool) or not isinstance(n, int) or n < 2 for n in bins.values())
        ):
            raise BadInput(
                f"recipe.params.max_bin_by_feature must be whole numbers from 2 on by name of a feature, was {bins!r}; "
                "correct it"
            )
        found["max_bin_by_feature"] = [bins.get(name, params.get("max_bin", _BINS)) for name in names]
    return found


def within(recipe: Recipe, features: Sequence[str]) -> Recipe:
    """Return a recipe that speaks of these features alone: one that was made for others fits a table without them."""
    params = dict(recipe.params)
    if isinstance(bins := params.get("max_bin_by_feature"), dict):
        params["max_bin_by_feature"] = {name: n for name, n in bins.items() if name in features}
    if "interaction_constraints" in params:
        places = range(len(features))
        groups = [
            [one for one in group if one in features or one in places] for group in params["interaction_constraints"]
        ]
        params["interaction_constraints"] = [group for group in groups if group]
    return msgspec.structs.replace(recipe, params=params)


# ---- logistic regression


class Logistic(msgspec.Struct, frozen=True, kw_only=True):
    """Numbers standardised, with their median and a mark where they are not known; a weight for each category."""

    #: By feature: (centre, scale, median) of a number.
    numbers: dict[int, tuple[float, float, float]]
    #: By feature: count of categories.
    categories: dict[int, int]
    #: In the order of the columns of `_spread`; the first is the intercept.
    weights: list[float]
    features: int

    def predict(self, x: F8) -> F8:
        # Not `@`: its sums depend on the number of threads.
        z = self.weights[0] + np.einsum("ij,j->i", self._spread(x), np.array(self.weights[1:]))
        return np.asarray(0.5 * (1.0 + np.tanh(z / 2.0)))

    def importance(self) -> F8:
        """Return the shares of the weights' sizes; numbers are standardised, so that they can be compared."""
        found, at = np.zeros(self.features), 1
        for place in range(self.features):
            width = self.categories[place] + 1 if place in self.categories else 2
            found[place] = np.abs(self.weights[at : at + width]).sum()
            at += width
        return found / (found.sum() or 1.0)

    def dumps(self) -> str:
        return msgspec.json.encode(self).decode()

    def _spread(self, x: F8) -> F8:
        columns = []
        for place in range(self.features):
            values = x[:, place]
            unknown = np.isnan(values)
            if place in self.categories:
                count = self.categories[place]
                codes = np.where(unknown, count, values).astype(np.int64)
                columns.append(np.eye(count + 1)[codes])
            else:
                centre, scale, median = self.numbers[place]
                standard = (np.where(unknown, median, values) - centre) / scale
                # What lies far beyond anything seen in training may not decide alone.
                columns.append(np.column_stack((np.clip(standard, -10.0, 10.0), unknown)))
        return np.hstack(columns)


def _fit_logistic(x: F8, y: F8, w: F8, encoding: Encoding, recipe: Recipe) -> Logistic:
    from sklearn.linear_model import LogisticRegression
    from threadpoolctl import threadpool_limits

    numbers, categories = {}, {}
    for place, name in enumerate(encoding.features):
        if name in encoding.categories:
            categories[place] = len(encoding.categories[name])
            continue
        values = x[:, place]
        known = values[~np.isnan(values)]
        median = float(np.median(known)) if len(known) else 0.0
        filled = np.where(np.isnan(values), median, values)
        numbers[place] = (float(filled.mean()), float(filled.std()) or 1.0, median)
    empty = Logistic(numbers=numbers, categories=categories, weights=[], features=x.shape[1])
    make: Any = LogisticRegression
    one_thread: Any = threadpool_limits
    learner = make(C=float(recipe.params.get("C", 1.0)), max_iter=2000)
    # One thread: sums in another order have other last digits.
    with one_thread(1):
        learner.fit(empty._spread(x), y, sample_weight=w)
    weights = [float(learner.intercept_[0]), *learner.coef_[0].tolist()]
    return msgspec.structs.replace(empty, weights=weights)
