"""Which instant each hour of a floor's week is, and how features become what a model takes."""

import numpy as np
import pytest

from domain.forecasts import WEEK
from domain.instants import DAY, HOUR, parse, to_datetime
from models.features import CATEGORIES, NAMES, Features
from models.scoring import encoded, week_of
from models.table import Encoding


@pytest.mark.parametrize("zone", ["Europe/Madrid", "America/Bogota", "Asia/Kolkata", "UTC"])
@pytest.mark.parametrize("as_of", ["2026-11-25T18:30:00Z", "2026-10-23T23:30:00Z", "2026-03-27T00:10:00Z"])
def test_every_hour_of_a_week_has_its_instant(zone: str, as_of: str) -> None:
    """Also in weeks in which clocks are changed; an hour that is skipped is the one after it."""
    starts = week_of(parse(as_of), zone)
    assert len(starts) == WEEK
    midnight = to_datetime(parse(as_of), zone).replace(hour=0, minute=0, second=0)
    for place, at_us in enumerate(starts.tolist()):
        then = to_datetime(at_us, zone)
        assert then.weekday() == place // 24
        skipped = zone == "Europe/Madrid" and then.month == 3 and then.day == 29 and place % 24 == 2
        assert then.hour == (3 if skipped else place % 24)
        assert 0 <= at_us - int(midnight.timestamp()) * 1_000_000 <= 7 * DAY + HOUR


def test_words_are_coded_as_the_model_learned_them() -> None:
    values = np.full((3, len(NAMES)), np.nan, np.float32)
    of = NAMES.index("line_type")
    values[:2, of] = [CATEGORIES["line_type"].index("mobile"), CATEGORIES["line_type"].index("voip")]
    values[:, NAMES.index("tries")] = [1, 2, 3]
    ids = np.arange(3)
    found = Features(ids, ids, ids, ids, values)
    encoding = Encoding(
        features=("tries", "line_type", "action"), missing={}, monotone={},
        categories={"line_type": ("fixed", "mobile"), "action": ("call", "none")},
    )  # fmt: skip
    x = encoded(found, encoding)
    np.testing.assert_array_equal(x[:, 0], [1, 2, 3])
    # A word that it never saw is not known, as in training.
    np.testing.assert_array_equal(x[:, 1], [1.0, np.nan, np.nan])
    np.testing.assert_array_equal(x[:, 2], [1.0, 1.0, 1.0])
    np.testing.assert_array_equal(encoded(found, encoding, "call")[:, 2], [0.0, 0.0, 0.0])
    assert np.isnan(encoded(found, encoding, "letter")[:, 2]).all()
