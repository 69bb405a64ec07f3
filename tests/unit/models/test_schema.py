"""What an analyst says of a table: every slip is named with what was found and what to do."""

from pathlib import Path

import pytest

from domain.errors import BadInput
from models.schema import Recipe, Schema, read_schema

GOOD = 'name = "bank"\ntarget = "y"\norder = "rows"\n'


def stated(tmp_path: Path, text: str) -> Schema:
    path = tmp_path / "schema.toml"
    path.write_text(text)
    return read_schema(path)


def test_all_but_name_target_and_order_has_a_default(tmp_path: Path) -> None:
    schema = stated(tmp_path, GOOD)
    assert (schema.recipe.learner, schema.windows.blocks, schema.barred) == (
        "lightgbm", 5, (),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (GOOD + 'categorys = ["job"]', "no key categorys (did you mean categories?)"),
        (GOOD + "[recipe]\nround = 5", "no key recipe.round (did you mean rounds?)"),
        (GOOD + "[windows]\nblock = 5", "no key windows.block"),
        (GOOD + "[recipe]\nrounds = 0", "recipe.rounds must be 1 or more, was 0"),
        (GOOD + "[recipe.params]\nnum_leave = 3", "recipe.params.num_leave cannot be set for lightgbm"),
        (GOOD + "[recipe.params]\nseed = 3", "recipe.params.seed cannot be set"),
        (GOOD + '[recipe]\nlearner = "forest"', "forest"),
        (GOOD + '[recipe]\nlearner = "logistic"\nparams = {C = 0}', "recipe.params.C must be a number above 0, was 0"),
        (GOOD + '[recipe]\nlearner = "logistic"\nparams = {C = "1"}', "recipe.params.C must be a number above 0"),
        (GOOD + 'delimiter = ";;"', "delimiter must be one character, was ';;'"),
        (GOOD + 'time = "at"', "both are set"),
        ('name = "bank"\ntarget = "y"', "neither is set"),
        (GOOD + 'barred = ["y"]', "column y is also named as target"),
        (GOOD + 'barred = ["a"]\nprotected = ["a"]', "column a is also named as barred"),
        (GOOD + 'barred = ["a"]\nsegments = ["a"]', "segments: column a is named as barred"),
        (GOOD + 'categories = ["a"]\n[monotone]\na = 1', "has no up or down"),
        (GOOD + "[monotone]\na = 2", "2"),
        (GOOD + "horizon = -1", "horizon must be 0 or more"),
        (GOOD.replace("bank", "a/b"), "name must be of letters"),
        (GOOD + "target = 1", "is no TOML"),
        ('target = "y"\norder = "rows"', "name"),
    ],
)
def test_a_slip_is_named(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(BadInput, match=r"schema\.toml") as caught:
        stated(tmp_path, text)
    assert words in str(caught.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"none\.toml: cannot be read"):
        read_schema(tmp_path / "none.toml")


def test_the_logistic_regression_takes_its_own_parameter_alone() -> None:
    assert Recipe(learner="logistic", params={"C": 0.1}).params == {"C": 0.1}
    with pytest.raises(BadInput, match="num_leaves cannot be set for logistic"):
        Recipe(learner="logistic", params={"num_leaves": 3})
