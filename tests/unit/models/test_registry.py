"""Versions: whole or not at all, never changed, one pointer, a way back."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
from msgspec.structs import replace

from domain.errors import BadInput
from models import serving
from models.registry import MODEL, Manifest, Registry
from models.schema import Gate, Recipe, Windows
from models.serving import compare, may_be_champion
from models.table import Table, make_table
from models.training import train
from tests.unit.models.tables import quick, source

SCHEMA = quick(
    recipe=Recipe(rounds=20, params={"learning_rate": 0.15}),
    windows=Windows(blocks=2),
    protected=(),
    barred=("talk_s", "sex"),
)
TABLE = make_table(source(3000), SCHEMA)
VERSIONS = {"code": "as it is"}


def fitted(registry: Registry, table: Table = TABLE, at: str = "2026-11-29T10:00:00+00:00", **recipe: Any) -> Manifest:
    recipe_now = replace(table.schema.recipe, **recipe)
    asked = replace(table, schema=replace(table.schema, recipe=recipe_now))
    return train(asked, registry, made_at=at, versions=VERSIONS, workers=0)[0]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three versions of one model; tests copy it."""
    folder = tmp_path_factory.mktemp("trained")
    registry = Registry(folder)
    fitted(registry)
    fitted(registry, seed=2, params={"feature_fraction": 0.7, "learning_rate": 0.15})
    fitted(registry, make_table(source(3300), SCHEMA))
    return folder


@pytest.fixture
def registry(folder: Path, tmp_path: Path) -> Registry:
    import shutil

    shutil.copytree(folder, tmp_path / "trained")
    return Registry(tmp_path / "trained")


def test_versions_are_numbered_and_named_by_their_content(registry: Registry) -> None:
    versions = registry.versions("reach")
    assert [one[:5] for one in versions] == ["0001-", "0002-", "0003-"]
    assert registry.resolve("reach", "candidate") == versions[2]
    assert registry.resolve("reach", "0002") == registry.resolve("reach", versions[1][5:9]) == versions[1]
    with pytest.raises(BadInput, match="no champion yet"):
        registry.resolve("reach")
    with pytest.raises(BadInput, match="may mean"):
        registry.resolve("reach", "000")
    with pytest.raises(BadInput, match="means none"):
        registry.resolve("reach", "9")
    with pytest.raises(BadInput, match=r"no model 'reech' \(there are: reach\)"):
        registry.versions("reech")


def test_equal_data_and_recipe_give_the_same_version_with_the_same_bytes(registry: Registry, tmp_path: Path) -> None:
    first = registry.versions("reach")[0]
    again = fitted(registry, at="2027-01-01T00:00:00+00:00")
    assert again.version == first
    assert registry.stages("reach").candidate == first
    elsewhere = Registry(tmp_path / "elsewhere")
    other = fitted(elsewhere)
    assert other.version == first
    for path in sorted(registry.path("reach", first).iterdir()):
        assert path.read_bytes() == (elsewhere.path("reach", other.version) / path.name).read_bytes(), path.name


def test_a_version_scores_as_it_did_and_every_score_carries_it(registry: Registry) -> None:
    version = registry.versions("reach")[0]
    model = registry.load("reach", version)
    p = model.predict(TABLE.x)
    assert model.version == f"reach/{version}"
    assert ((p > 0.0) & (p < 1.0)).all()
    np.testing.assert_array_equal(p, Registry(registry.folder).load("reach", version).predict(TABLE.x))
    low, high = model.interval(TABLE.x)
    assert (low <= p).all()
    assert (p <= high).all()


def test_a_cell_that_cannot_be_scored_is_named_by_its_row_in_the_file(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serving, "_CHUNK", 100)
    rows = source(300)
    words = [*map(str, range(249)), "many", *map(str, range(50))]
    rows = rows.set_column(rows.column_names.index("noise"), "noise", pa.array(words))
    path, out = tmp_path / "rows.parquet", tmp_path / "scores.parquet"
    model = registry.load("reach", registry.versions("reach")[0])
    pyarrow.parquet.write_table(rows, path)
    with pytest.raises(BadInput, match="row 250 holds 'many'"):
        serving.score(model, path, out, intervals=False, report=lambda _what, _done, _of: None)
    pyarrow.parquet.write_table(rows.slice(0, 0), path)
    with pytest.raises(BadInput, match="has no rows"):
        serving.score(model, path, out, intervals=False, report=lambda _what, _done, _of: None)


def test_the_pointer_moves_and_goes_back(registry: Registry) -> None:
    one, two, three = registry.versions("reach")
    with pytest.raises(BadInput, match="no champion before"):
        registry.rollback("reach", at="t", by="ana")
    for version in (one, two, three):
        registry.promote("reach", version, at="t", by="ana", why="passed the gate")
    assert registry.resolve("reach") == three
    assert registry.rollback("reach", at="t", by="ana") == (two, three)
    assert registry.rollback("reach", at="t", by="ana") == (one, two)
    assert registry.load("reach").manifest.version == one
    with pytest.raises(BadInput, match="no champion before"):
        registry.rollback("reach", at="t", by="ana")
    registry.promote("reach", three, at="t", by="ana", why="passed the gate")
    assert registry.rollback("reach", at="t", by="ana") == (one, three)
    assert [change.stage for change in registry.stages("reach").changes][-1] == "champion"


def test_a_reason_in_somebody_s_words_is_no_rollback(registry: Registry) -> None:
    one, two, three = registry.versions("reach")
    registry.promote("reach", one, at="t", by="ana", why="passed the gate")
    registry.promote("reach", two, at="t", by="ana", why="passed the gate")
    registry.promote("reach", three, at="t", by="ana", why="rolled back by hand, for the branch")
    assert registry.rollback("reach", at="t", by="ana") == (two, three)
    assert registry.rollback("reach", at="t", by="ana") == (one, two)


def test_a_folder_that_cannot_be_written_is_named(registry: Registry) -> None:
    lock = registry.folder / "reach" / ".lock"
    lock.unlink()
    lock.mkdir()
    with pytest.raises(BadInput, match=r"\.lock: cannot be written"):
        registry.promote("reach", registry.versions("reach")[0], at="t", by="ana", why="passed the gate")


def test_a_changed_file_is_never_used(registry: Registry) -> None:
    version = registry.versions("reach")[0]
    path = registry.path("reach", version) / MODEL
    path.write_bytes(path.read_bytes().replace(b"leaf_value=", b"leaf_value= ", 1))
    with pytest.raises(BadInput, match="SHA-256 differs"):
        registry.load("reach", version)
    path.unlink()
    with pytest.raises(BadInput, match=r"model\.txt: cannot be read"):
        registry.load("reach", version)


def test_what_a_crash_left_behind_is_no_version(registry: Registry) -> None:
    draft = registry.folder / "reach" / ".draft-1"
    draft.mkdir()
    (draft / MODEL).write_text("half")
    assert len(registry.versions("reach")) == 3
    assert registry.names() == ["reach"]
    (registry.folder / "reach" / "stages.json").write_text('{"champion": ')
    with pytest.raises(BadInput, match=r"stages\.json: cannot be read"):
        registry.stages("reach")


def test_who_was_judged_against_another_champion_is_judged_again(registry: Registry) -> None:
    one, two, _ = registry.versions("reach")
    assert may_be_champion(registry, "reach", one).passed
    registry.promote("reach", one, at="t", by="ana", why="passed the gate")
    refused = may_be_champion(registry, "reach", two)
    assert not refused.passed
    assert "fit it again" in refused.refusals[-1]
    again = fitted(registry, make_table(source(3600), SCHEMA))
    assert again.incumbent == one
    assert may_be_champion(registry, "reach", again.version).checks[2].name == "incumbent"


def test_fitting_again_is_the_way_out_for_who_was_judged_against_another_champion(registry: Registry) -> None:
    one, two, _ = registry.versions("reach")
    registry.promote("reach", two, at="t", by="ana", why="passed the gate")
    assert not may_be_champion(registry, "reach", one).passed
    again = fitted(registry)
    assert (again.version[5:], again.incumbent) == (one[5:], two)
    assert "champion of today" not in [check.name for check in may_be_champion(registry, "reach", again.version).checks]
    # Once is enough; and the champion's own table makes the champion again.
    assert fitted(registry).version == again.version
    seed = {"seed": 2, "params": {"feature_fraction": 0.7, "learning_rate": 0.15}}
    assert fitted(registry, **seed).version == two


def test_a_gate_that_has_changed_makes_another_version(registry: Registry) -> None:
    strict = replace(TABLE, schema=replace(SCHEMA, gate=Gate(ece=-1.0)))
    again = fitted(registry, strict)
    assert again.version not in registry.versions("reach")[:3]
    assert not may_be_champion(registry, "reach", again.version).passed


def test_the_rate_that_a_version_is_held_against_counts_rows_by_their_weight(registry: Registry) -> None:
    rows = source(3000)
    weight = np.where(np.asarray(rows["answered"]), 3.0, 1.0)
    made = fitted(registry, make_table(rows.append_column("times", pa.array(weight)), replace(SCHEMA, weight="times")))
    assert made.data.rate == pytest.approx(np.average(TABLE.y, weights=1.0 + 2.0 * TABLE.y))


def test_versions_of_one_table_are_compared_pair_by_pair(registry: Registry) -> None:
    one, two, three = registry.versions("reach")
    found = compare(registry, "reach", one, two)
    assert found.pairs == len(TABLE) - len(TABLE) // 3
    assert found.differences["auc"].value == pytest.approx(
        found.lines[0].figures["auc"].value - found.lines[1].figures["auc"].value
    )
    assert compare(registry, "reach", two, one).differences["auc"].value == -found.differences["auc"].value
    apart = compare(registry, "reach", one, three)
    assert (apart.pairs, apart.differences) == (0, {})
    with pytest.raises(BadInput, match="is both"):
        compare(registry, "reach", one, one)


def test_the_card_tells_what_a_reader_must_know(registry: Registry) -> None:
    version = registry.versions("reach")[0]
    home = registry.path("reach", version)
    text, page = (home / "card.md").read_text(), (home / "card.html").read_text()
    for words in ("May it be champion?", "By block", "Calibration by segment", "talk_s", "tries -1", "as it is"):
        assert words in text, words
        assert words in page, words
    assert "![What it said and what came](reliability.svg)" in text
    assert f"reach/{version}" in text
    assert (home / "reliability.svg").read_text().startswith("<svg")
    assert page.count("<svg") == 4
    assert "http" not in page.replace("http-equiv", "")
    assert "{{" not in page
