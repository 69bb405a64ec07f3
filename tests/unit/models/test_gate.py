"""The gate, suspects of leakage, drift and fairness: what must be refused is, and what is sound passes."""

from typing import Any

import msgspec
import numpy as np
import pytest
from msgspec.structs import replace

from domain.errors import BadInput
from models import drift, fairness, leakage, promotion
from models.crew import Crew
from models.evaluation import INCUMBENT, LOGISTIC, Judged, judge
from models.metrics import Figure
from models.schema import Gate, Schema
from models.table import Table, make_table
from tests.unit.models.tables import SCHEMA, columns, quick, source

TABLE = make_table(source(5000), SCHEMA)


@pytest.fixture(scope="module")
def judged() -> Judged:
    with Crew(TABLE, 0) as crew:
        return judge(crew, SCHEMA.recipe, SCHEMA.windows, incumbent=replace(SCHEMA.recipe, seed=2))


def failed(evaluation: Any, gate: Gate | None = None) -> set[str]:
    found = promotion.judge(evaluation, gate or Gate())
    names = {one.name for one in found.checks if not one.passed}
    assert found.passed == (not names)
    return names


def test_a_sound_model_passes(judged: Judged) -> None:
    assert failed(judged.evaluation) == set()


def with_against(evaluation: Any, rival: str, value: float, low: float, high: float) -> Any:
    figures = dict(evaluation.against[rival]) | {"log_loss": Figure(value=value, low=low, high=high)}
    return replace(evaluation, against=dict(evaluation.against) | {rival: figures})


def test_a_worse_model_is_refused(judged: Judged) -> None:
    found = judged.evaluation
    assert failed(with_against(found, INCUMBENT, 0.0005, 0.0001, 0.0009)) == {INCUMBENT}
    assert failed(with_against(found, INCUMBENT, 0.0005, -0.0005, 0.0015)) == set()
    assert failed(with_against(found, LOGISTIC, 0.01, -0.01, 0.03)) == {LOGISTIC}
    assert failed(with_against(found, "base rate", -0.01, -0.03, 0.01)) == {"base rate"}


def test_a_miscalibrated_model_is_refused(judged: Judged) -> None:
    found = judged.evaluation
    line = found.line()
    ece = Figure(value=found.ece_by_chance + 0.021, low=0.0, high=1.0)
    worse = replace(line, figures=dict(line.figures) | {"ece": ece})
    assert failed(replace(found, lines=(worse, *found.lines[1:]))) == {"calibration"}
    assert failed(replace(found, lines=(replace(line, mean=line.rate * 1.2), *found.lines[1:]))) == {"mean"}
    assert failed(replace(found, lines=(worse, *found.lines[1:])), Gate(ece=0.05)) == set()


def test_a_model_of_noise_is_refused() -> None:
    random = np.random.default_rng(1)
    table = make_table(
        {"a": random.random(2500), "b": random.random(2500), "y": random.integers(0, 2, 2500)},
        Schema(name="noise", target="y", order="rows", recipe=SCHEMA.recipe),
    )
    with Crew(table, 0) as crew:
        found = judge(crew, table.schema.recipe, table.schema.windows)
    assert {"base rate", "rank"} <= failed(found.evaluation)


def test_a_column_written_after_the_contact_is_named_and_refused() -> None:
    open_door = quick(barred=())
    with pytest.raises(BadInput, match=r"alone predicts answered too well: talk_s \(AUC 0\.9"):
        leakage.suspects(make_table(source(3000), open_door))
    found = leakage.suspects(make_table(source(3000), replace(open_door, trusted=("talk_s",))))
    assert [(one.column, one.trusted) for one in found] == [("talk_s", True)]
    assert leakage.suspects(TABLE) == []


def test_missing_values_and_categories_can_leak_too() -> None:
    random = np.random.default_rng(2)
    y = random.integers(0, 2, 3000)
    schema = Schema(name="x", target="y", order="rows", categories=("how",))
    gap = np.where((y == 1) & (random.random(3000) < 0.97), np.nan, random.random(3000))
    how = np.where(random.random(3000) < 0.6, np.where(y == 1, "paid", "unpaid"), "other")
    with pytest.raises(BadInput, match="gap"):
        leakage.suspects(make_table({"gap": gap, "how": how, "y": y}, schema))
    found = leakage.suspects(make_table({"gap": random.random(3000), "how": how, "y": y}, schema))
    assert [one.column for one in found] == ["how"]
    # Many words, each seen once, tell nothing about other debtors.
    many = make_table({"how": [f"w{n}" for n in range(1500)], "y": y[:1500]}, schema)
    assert leakage.suspects(many) == []


def scores_of(table: Table) -> Any:
    """Return scores that are true in the world as it was."""
    from tests.unit.models.tables import law

    words = table.encoding.words("line", table.x)
    tries = table.column("tries")
    return law(np.where(np.isnan(tries), 2.0, tries), table.column("hour"), words)


def later(shift: float = 0.0, seed: int = 9, **changed: Any) -> Table:
    told = columns(5000, seed=seed, shift=shift) | changed
    del told["p"]
    return make_table(told, SCHEMA, encoding=TABLE.encoding)


def test_a_world_as_it_was_is_still(judged: Judged) -> None:
    then = drift.profile(TABLE, scores_of(TABLE), Figure(value=0.59, low=0.57, high=0.61))
    table = later()
    found = drift.drift(then, table, scores_of(table), "reach/1")
    assert found.level == "still"
    assert [one.level for one in found.blocks] == ["still"] * 5
    assert max(one.psi for one in found.columns) < 0.02


def test_what_has_moved_is_named() -> None:
    then = drift.profile(TABLE, scores_of(TABLE), Figure(value=0.59, low=0.57, high=0.61))
    table = later(line=["mobile"] * 4000 + ["satellite"] * 1000)
    found = drift.drift(then, table, scores_of(table), "reach/1")
    assert found.level == "act"
    assert (found.columns[0].column, found.columns[0].level) == ("line", "act")
    assert {one.column for one in found.columns if one.level != "still"} == {"line"}


def test_scores_that_no_longer_hold_are_told_though_features_look_alike() -> None:
    then = drift.profile(TABLE, scores_of(TABLE), Figure(value=0.59, low=0.57, high=0.61))
    table = later(shift=1.2)
    found = drift.drift(then, table, scores_of(table), "reach/1")
    assert found.level == "act"
    assert {one.level for one in found.columns} == {"still"}
    assert {one.level for one in found.blocks} == {"act"}


def test_psi_is_the_textbook_s() -> None:
    assert drift.psi(np.array([0.5, 0.5]), np.array([0.5, 0.5])) == 0.0
    assert drift.psi(np.array([0.5, 0.5]), np.array([0.6, 0.4])) == pytest.approx(0.1 * np.log(1.2) - 0.1 * np.log(0.8))
    assert np.isfinite(drift.psi(np.array([1.0, 0.0]), np.array([0.0, 1.0])))


def audited(sex: Any, extra: Any = None, unfair: float = 0.0) -> fairness.Fairness:
    told = columns(6000)
    told["sex"] = sex
    if extra is not None:
        told["noise"] = extra
    truth = told.pop("p")
    p = np.where(np.array(sex) == "f", truth * (1.0 - unfair), truth)
    table = make_table(told, SCHEMA)
    rows = np.arange(6000)
    return fairness.audit(table, rows, p)


def test_an_even_model_raises_no_concern() -> None:
    random = np.random.default_rng(3)
    found = audited(np.where(random.random(6000) < 0.4, "f", "m").tolist())
    assert found.concerns == []
    assert [(one.group, one.rows) for one in found.groups] == [("f", found.groups[0].rows), ("m", found.groups[1].rows)]
    assert found.groups[0].intensity.low < 1.0 < found.groups[0].intensity.high
    assert found.proxies[0].level == "still"


def test_a_group_that_it_serves_worse_is_named() -> None:
    random = np.random.default_rng(3)
    found = audited(np.where(random.random(6000) < 0.4, "f", "m").tolist(), unfair=0.4)
    assert any("sex f" in words and "as many came as it said" in words for words in found.concerns)
    assert any("sex f" in words and "best fifth" in words for words in found.concerns)


def test_a_feature_that_stands_in_for_a_group_is_named() -> None:
    random = np.random.default_rng(3)
    woman = random.random(6000) < 0.4
    found = audited(np.where(woman, "f", "m").tolist(), extra=woman + random.normal(0.0, 0.4, 6000))
    (proxy,) = found.proxies
    assert (proxy.level, proxy.by[0][0]) == ("act", "noise")
    assert any("most by noise" in words for words in found.concerns)


def test_small_groups_are_put_together() -> None:
    words = ["f"] * 3000 + ["m"] * 2900 + ["x"] * 60 + [""] * 40
    found = audited(words)
    assert {one.group: one.rows for one in found.groups} == {"f": 3000, "m": 2900, fairness.OTHERS: 100}


def test_a_group_of_whom_none_came_is_told_and_read_again() -> None:
    """There is nothing to rank in it; what is kept of it is kept as such."""
    no = np.asarray(columns(6000)["answered"]).astype(float) == 0.0
    words = np.where(np.cumsum(no) % 10 == 0, np.where(no, "x", "f"), "m")
    found = audited(words.tolist())
    of = {one.group: one for one in found.groups}
    assert (of["x"].rate, of["x"].auc) == (0.0, None)
    assert of["m"].auc is not None
    assert msgspec.json.decode(msgspec.json.encode(found), type=fairness.Fairness) == found
