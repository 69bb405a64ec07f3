"""Two learners, one face: equal bytes, monotone where it must be, read back as they were."""

from typing import Any

import numpy as np
import pytest
from msgspec.structs import replace

from domain.errors import BadInput
from models import metrics
from models.learner import Trees, fit, loads, within
from models.schema import Recipe
from models.table import make_table
from tests.unit.models.tables import SCHEMA, columns, quick, source

TABLE = make_table(source(3000), SCHEMA)
TREES, LOGISTIC = Recipe(rounds=30), Recipe(learner="logistic")


@pytest.mark.parametrize("recipe", [TREES, replace(TREES, bags=3), LOGISTIC], ids=["trees", "bags", "logistic"])
class TestEach:
    def test_equal_rows_give_equal_bytes(self, recipe: Recipe) -> None:
        one, two = (fit(TABLE.x, TABLE.y, TABLE.weight, TABLE.encoding, recipe).dumps() for _ in range(2))
        assert one == two

    def test_it_is_read_back_as_it_was_and_changes_nothing(self, recipe: Recipe) -> None:
        made = fit(TABLE.x, TABLE.y, TABLE.weight, TABLE.encoding, recipe)
        before = TABLE.x.copy()
        p = made.predict(TABLE.x)
        np.testing.assert_array_equal(p, loads(made.dumps(), recipe.learner).predict(TABLE.x))
        np.testing.assert_array_equal(p, made.predict(TABLE.x))
        np.testing.assert_array_equal(before, TABLE.x)
        # A row's score is its own: it does not depend on which rows are scored with it.
        np.testing.assert_allclose(made.predict(TABLE.x[100:110]), p[100:110], rtol=1e-12)

    def test_it_comes_near_the_truth(self, recipe: Recipe) -> None:
        later = columns(4000, seed=2)
        truth = later.pop("p")
        table = make_table(later, SCHEMA)
        p = fit(TABLE.x, TABLE.y, TABLE.weight, TABLE.encoding, recipe).predict(table.x)
        assert metrics.auc(table.y, p) > metrics.auc(table.y, truth) - (0.02 if recipe.learner == "lightgbm" else 0.05)

    def test_what_tells_something_weighs_more_than_noise(self, recipe: Recipe) -> None:
        shares = fit(TABLE.x, TABLE.y, TABLE.weight, TABLE.encoding, recipe).importance()
        assert shares.sum() == pytest.approx(1.0)
        names = TABLE.encoding.features
        assert shares[names.index("noise")] < shares[names.index("line")]

    def test_a_weight_of_zero_is_a_row_left_out(self, recipe: Recipe) -> None:
        weight = (np.arange(len(TABLE)) < 1500).astype(float)
        changed = np.where(weight > 0.0, TABLE.y, 1.0 - TABLE.y)
        one, two = (fit(TABLE.x, y, weight, TABLE.encoding, recipe).predict(TABLE.x) for y in (TABLE.y, changed))
        np.testing.assert_allclose(one, two, atol=1e-6)


def test_a_monotone_feature_never_rises() -> None:
    made = fit(TABLE.x, TABLE.y, TABLE.weight, TABLE.encoding, Recipe(rounds=80, params={"min_data_in_leaf": 5}))
    place = TABLE.encoding.features.index("tries")
    rows = np.repeat(TABLE.x[:50], 8, axis=0)
    rows[:, place] = np.tile(np.arange(8.0), 50)
    steps = np.diff(made.predict(rows).reshape(50, 8), axis=1)
    assert (steps <= 1e-12).all()
    free = make_table(source(3000), quick(monotone={}))
    without = fit(free.x, free.y, free.weight, free.encoding, Recipe(rounds=80, params={"min_data_in_leaf": 5}))
    assert (np.diff(without.predict(rows).reshape(50, 8), axis=1) > 1e-6).any()


def test_bags_are_an_average_of_different_models() -> None:
    recipe = Recipe(rounds=10, bags=3, params={"feature_fraction": 0.5})
    made = fit(TABLE.x, TABLE.y, TABLE.weight, TABLE.encoding, recipe)
    assert isinstance(made, Trees)
    each = np.array([one.predict(TABLE.x) for one in made.boosters])
    assert (each[0] != each[1]).any()
    np.testing.assert_allclose(made.predict(TABLE.x), each.mean(axis=0), rtol=1e-12)


@pytest.mark.parametrize("groups", [[[0, 1], [99]], [[-1]], "[0,1]", [["nothing"]], [0], 7])
def test_constraints_on_features_that_are_not_there_are_refused(groups: object) -> None:
    with pytest.raises(BadInput, match="must be lists of features, by name or by place from 0 to 3"):
        fit(TABLE.x, TABLE.y, TABLE.weight, TABLE.encoding, replace(TREES, params={"interaction_constraints": groups}))


@pytest.mark.parametrize("bins", [{"nothing": 5}, {"hour": 1}, {"hour": True}, [5, 5]])
def test_bins_of_what_is_no_feature_are_refused(bins: object) -> None:
    with pytest.raises(BadInput, match="max_bin_by_feature must be whole numbers from 2 on by name"):
        fit(TABLE.x, TABLE.y, TABLE.weight, TABLE.encoding, replace(TREES, params={"max_bin_by_feature": bins}))


def test_features_are_kept_apart_and_coarse_by_name() -> None:
    names = list(TABLE.encoding.features)
    hour, others = names.index("hour"), [name for name in names if name != "hour"]
    by_name = {"interaction_constraints": [["hour"], others], "max_bin_by_feature": {"hour": 3}}
    by_place = {"interaction_constraints": [[hour], [names.index(name) for name in others]]}
    made = [
        fit(TABLE.x, TABLE.y, TABLE.weight, TABLE.encoding, replace(TREES, params=params))
        for params in (by_name, by_place)
    ]
    for one in made:
        assert isinstance(one, Trees)
        for tree in one.boosters[0].dump_model()["tree_info"]:
            used = features_of(tree["tree_structure"])
            assert not (hour in used and len(used) > 1)
    cuts = [thresholds_of(one, hour) for one in made]
    assert len(cuts[0]) <= 2 < len(cuts[1])


def features_of(node: dict[str, Any]) -> set[int]:
    if "split_feature" not in node:
        return set()
    return {node["split_feature"]} | features_of(node["left_child"]) | features_of(node["right_child"])


def thresholds_of(made: Any, place: int) -> set[float]:
    def below(node: dict[str, Any]) -> set[float]:
        if "split_feature" not in node:
            return set()
        own = {node["threshold"]} if node["split_feature"] == place else set()
        return own | below(node["left_child"]) | below(node["right_child"])

    return {one for tree in made.boosters[0].dump_model()["tree_info"] for one in below(tree["tree_structure"])}


def test_a_recipe_made_for_other_columns_speaks_of_those_that_are_there() -> None:
    params = {"interaction_constraints": [["a", "b"], ["c"]], "max_bin_by_feature": {"a": 5, "c": 7}}
    found = within(Recipe(params=params), ("a", "d"))
    assert found.params == {"interaction_constraints": [["a"]], "max_bin_by_feature": {"a": 5}}


def test_what_the_library_refuses_is_told_in_its_words() -> None:
    with pytest.raises(BadInput, match="recipe: LightGBM refuses it"):
        fit(TABLE.x, TABLE.y, TABLE.weight, TABLE.encoding, Recipe(params={"num_leaves": -3}))
