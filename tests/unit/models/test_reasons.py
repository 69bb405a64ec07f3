"""Reasons add up to the score, name what moved it, and are written for every feature in both languages."""

import lightgbm
import numpy as np
import pytest

from domain.errors import BadInput
from models.feature_list import FEATURES, NAMES
from models.features import CATEGORIES
from models.reasons import LANGUAGES, PHRASES, contributions, reasons


def booster(x: np.ndarray, y: np.ndarray) -> lightgbm.Booster:
    data = lightgbm.Dataset(x, y)
    return lightgbm.train({"objective": "binary", "verbosity": -1, "num_threads": 1, "num_leaves": 7}, data, 20)


def rows(d: int, moves: int, n: int = 2_000) -> tuple[np.ndarray, lightgbm.Booster]:
    random = np.random.default_rng(1)
    x = random.random((n, d))
    y = (random.random(n) < 0.1 + 0.8 * (x[:, moves] > 0.5)).astype(np.float64)
    return x, booster(x, y)


def test_contributions_add_up_to_the_score() -> None:
    x, model = rows(4, 2)
    told = contributions([model, model], x[:50])
    assert told.sum(axis=1) == pytest.approx(model.predict(x[:50], raw_score=True))


def test_what_moves_the_score_comes_first_with_its_sign() -> None:
    x, model = rows(len(NAMES), NAMES.index("kept_share"), n=3_000)
    x[:, NAMES.index("line_type")] = 1.0
    x[:, NAMES.index("last_end")] = 2.0
    for row, told in zip(x[:20], reasons([model], x[:20], NAMES, most=3), strict=True):
        assert told[0].feature == "kept_share"
        assert (told[0].effect > 0.0) == (row[NAMES.index("kept_share")] > 0.5)
        assert len(told) <= 3


def test_every_feature_has_words_in_every_language() -> None:
    assert set(PHRASES) - {"action"} == set(NAMES)
    random = np.random.default_rng(2)
    n = 600
    for one in FEATURES:
        x = np.zeros((n, 1))
        x[:, 0] = random.integers(0, 3, n)
        x[: n // 3, 0] = np.nan
        model = booster(x, np.isnan(x[:, 0]).astype(np.float64))
        texts = {
            language: {told[0].text for told in reasons([model], x, [one.name], language=language) if told}
            for language in LANGUAGES
        }
        assert all(found and all(text and "{" not in text for text in found) for found in texts.values()), one.name
        assert texts["en"] != texts["es"], one.name


def test_words_are_those_of_the_agent() -> None:
    x = np.array([[3.0, np.nan, CATEGORIES["last_end"].index("no_answer")]] * 300 + [[0.0, 5.0, 3.0]] * 300)
    y = np.repeat([1.0, 0.0], 300)
    names = ["promises_broken", "days_right", "last_end"]
    texts = {}
    for place, name in enumerate(names):
        model = booster(x[:, [place]], y if name != "last_end" else np.tile([0.0, 1.0], 300))
        if name == "last_end":
            continue
        texts[name] = [reasons([model], x[:1, [place]], [name], language=one)[0][0].text for one in LANGUAGES]
    assert texts == {
        "promises_broken": ["3 promises broken", "3 promesas incumplidas"],
        "days_right": ["never spoken to", "nunca se habló con él"],
    }


def test_a_day_that_is_past_and_a_place_are_told_as_people_count() -> None:
    x = np.repeat([[-5.0], [0.0], [3.0]], 300, axis=0)
    model = booster(x, np.repeat([1.0, 0.0, 1.0], 300))
    told = {
        name: [reasons([model], x[row : row + 1], [name], language=one)[0][0].text for row in rows for one in LANGUAGES]
        for name, rows in (("days_promise_due", (0, 600)), ("number_rank", (300,)))
    }
    assert told == {
        "days_promise_due": [
            "last promise fell due 5 days ago", "última promesa venció hace 5 días", "last promise due in 3 days",
            "última promesa vence en 3 días",
        ],
        "number_rank": ["number 1 in the order of trial", "número 1 en el orden de marcado"],
    }  # fmt: skip


def test_a_column_of_any_table_is_told_by_its_name() -> None:
    x, model = rows(1, 0)
    assert reasons([model], x[:1], ["income"])[0][0].text == f"income: {x[0, 0]:g}"


def test_another_language_is_refused() -> None:
    x, model = rows(1, 0)
    with pytest.raises(BadInput, match="one of en, es, was 'fr'"):
        reasons([model], x[:1], ["income"], language="fr")
