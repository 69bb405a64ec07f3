"""Scores that mean what they say: learned on earlier rows alone, true where truth is known, ranks kept."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models import metrics
from models.calibration import Calibrator, calibrate, forward
from models.metrics import F8


def drawn(n: int, slope: float = 1.0, shift: float = 0.0, seed: int = 1) -> tuple[F8, F8, F8]:
    """Return what came, the truth, and a score whose log odds need a slope and a shift."""
    random = np.random.default_rng(seed)
    z = random.normal(-1.0, 1.0, n)
    truth = 1.0 / (1.0 + np.exp(-(slope * z + shift)))
    return (random.random(n) < truth).astype(float), truth, 1.0 / (1.0 + np.exp(-z))


def test_platt_finds_slope_and_shift() -> None:
    y, truth, raw = drawn(40_000, 0.6, -0.4)
    found = calibrate(raw, y, np.ones(len(y)), "platt")
    assert (found.slope, found.shift) == (pytest.approx(0.6, abs=0.04), pytest.approx(-0.4, abs=0.04))
    assert np.abs(found(raw) - truth).max() < 0.02


def test_isotonic_follows_any_rising_curve_and_keeps_the_ranks() -> None:
    random = np.random.default_rng(2)
    raw = random.random(40_000)
    truth = np.where(raw < 0.5, 0.1, 0.1 + (raw - 0.5))
    y = (random.random(len(raw)) < truth).astype(float)
    p = calibrate(raw, y, np.ones(len(y)), "isotonic")(raw)
    assert np.abs(p - truth).mean() < 0.01
    order = np.argsort(raw)
    assert (np.diff(p[order]) >= 0.0).all()
    assert metrics.auc(y, p) > metrics.auc(y, raw) - 0.002


def test_ranks_are_never_turned_round() -> None:
    y, _, raw = drawn(5000)
    found = calibrate(raw, 1.0 - y, np.ones(len(y)), "platt")
    assert 0.0 < found.slope < 0.1
    assert found(raw).mean() == pytest.approx(1.0 - y.mean(), abs=0.005)
    assert metrics.auc(y, found(raw)) == metrics.auc(y, raw)


@settings(max_examples=30)
@given(st.integers(0, 40), st.sampled_from(["platt", "isotonic"]))
def test_a_probability_is_never_certain_and_never_falls(seed: int, method: str) -> None:
    y, _, raw = drawn(60, seed=seed)
    if len(np.unique(y)) < 2:
        return
    found = calibrate(raw, y, np.ones(len(y)), method, intervals=True)
    at = np.linspace(0.0, 1.0, 200)
    p = found(at)
    assert ((p > 0.0) & (p < 1.0)).all()
    assert (np.diff(p) >= -1e-12).all()
    low, high = found.interval(at)
    assert (low <= p).all()
    assert (p <= high).all()


def test_segments_are_mended_as_far_as_chance_does_not_explain_them() -> None:
    y, truth, raw = drawn(30_000)
    random = np.random.default_rng(3)
    words = np.array(["sms", "call", "letter"])[random.integers(0, 3, len(y))]
    moved = 1.0 / (1.0 + (1.0 - truth) / truth * np.exp(np.where(words == "call", 0.5, -0.25)))
    y = (random.random(len(y)) < moved).astype(float)
    w = np.ones(len(y))
    offsets = calibrate(raw, y, w, "platt", {"channel": words}).segments["channel"]
    assert offsets["call"] == pytest.approx(-0.5, abs=0.07)
    assert offsets["sms"] == pytest.approx(0.25, abs=0.07)
    by_chance = calibrate(raw, drawn(30_000)[0], w, "none", {"channel": words}).segments["channel"]
    assert max(abs(value) for value in by_chance.values()) < 0.03
    mended = calibrate(raw, y, w, "platt", {"channel": words})
    calls = words == "call"
    assert abs(mended(raw, {"channel": words})[calls].mean() - y[calls].mean()) < 0.01
    unknown = mended(raw[:5], {"channel": np.array(["fax"] * 5)})
    np.testing.assert_allclose(unknown, mended(raw[:5]), atol=1e-12)


def blocks_of(n: int, count: int) -> tuple[F8, F8, F8]:
    time = np.arange(n, dtype=float)
    block = (time * count // n).astype(np.int64)
    begins = np.array([time[block == one][0] for one in range(count)]) - 0.5
    return block, time, begins


@pytest.mark.parametrize("method", ["auto", "platt", "isotonic", "recent"])
def test_later_answers_never_change_an_earlier_score(method: str) -> None:
    y, _, raw = drawn(8000, 0.5, -0.5)
    block, time, begins = blocks_of(8000, 4)
    w = np.ones(8000)
    words = {"half": np.where(np.arange(8000) % 2 == 0, "a", "b")}
    p, _ = forward(raw, y, w, block, time, begins, method, words)
    changed = y.copy()
    changed[4000:] = 1.0 - changed[4000:]
    again, _ = forward(raw, changed, w, block, time, begins, method, words)
    np.testing.assert_array_equal(p[:6000], again[:6000])
    assert (p[6000:] != again[6000:]).any()
    np.testing.assert_array_equal(p[:2000], raw[:2000])


def test_answers_that_are_not_yet_known_are_left_out() -> None:
    y, _, raw = drawn(4000, 0.5, -0.5)
    block, time, begins = blocks_of(4000, 2)
    w = np.ones(4000)
    late, method = forward(raw, y, w, block, time + 1000.0, begins, "platt")
    only, _ = forward(
        np.delete(raw, np.s_[1000:2000]), np.delete(y, np.s_[1000:2000]), np.ones(3000),
        np.delete(block, np.s_[1000:2000]), np.delete(time, np.s_[1000:2000]), begins, "platt",
    )  # fmt: skip
    np.testing.assert_array_equal(late[2000:], only[1000:])
    assert method == "platt"


def test_auto_costs_nothing_where_nothing_needs_mending_and_mends_what_does() -> None:
    block, time, begins = blocks_of(20_000, 5)
    w = np.ones(20_000)
    for slope, shift, wanted in ((1.0, 0.0, {"recent"}), (0.5, -0.6, {"isotonic", "recent"})):
        y, _, raw = drawn(20_000, slope, shift)
        p, method = forward(raw, y, w, block, time, begins, "auto")
        assert method in wanted
        later = block > 1
        assert metrics.log_loss(y[later], p[later]) <= metrics.log_loss(y[later], raw[later]) + 1e-4
        assert metrics.ece(y[later], p[later]) < 0.012


def test_recent_follows_times_that_change() -> None:
    """Half way the world turns: the same scores now mean much more."""
    before, after = drawn(5000, 1.0, -0.5, seed=2), drawn(5000, 1.0, 1.0, seed=3)
    y, truth, raw = (np.concatenate(both) for both in zip(before, after, strict=True))
    block, time, begins = blocks_of(10_000, 50)
    loss = {}
    for method in ("none", "platt", "recent"):
        p, _ = forward(raw, y, np.ones(10_000), block, time, begins, method)
        loss[method] = metrics.log_loss(y[6000:], p[6000:]) - metrics.log_loss(y[6000:], truth[6000:])
    assert loss["recent"] < 0.6 * min(loss["none"], loss["platt"])


def test_recent_is_served_as_one_line() -> None:
    y, _, raw = drawn(4000, 0.5, -0.5)
    found = calibrate(raw, y, np.ones(4000), "recent")
    plain = calibrate(raw, y, np.ones(4000), "platt")
    # Half way from the scores as they stand.
    assert found.slope == pytest.approx((1.0 + plain.slope) / 2.0, abs=0.05)
    assert found.shift == pytest.approx(plain.shift / 2.0, abs=0.05)
    turned = calibrate(raw[::-1], y[::-1], np.ones(4000), "recent")
    assert turned != found


def test_venn_abers_holds_the_truth() -> None:
    y, _, raw = drawn(4000, 0.7, 0.2)
    at = np.linspace(0.08, 0.7, 30)
    z = np.log(at / (1.0 - at))
    truth = 1.0 / (1.0 + np.exp(-(0.7 * z + 0.2)))
    few, many = (calibrate(raw[:n], y[:n], np.ones(n), "platt", intervals=True) for n in (300, 4000))
    low, high = many.interval(at)
    assert np.abs((low + high) / 2 - truth).mean() < 0.03
    wide = few.interval(at)
    assert (wide[1] - wide[0]).mean() > 1.5 * (high - low).mean()


def test_it_is_read_back_as_it_was() -> None:
    import msgspec

    y, _, raw = drawn(3000)
    words = {"half": np.where(np.arange(3000) % 2 == 0, "a", "b")}
    made = calibrate(raw, y, np.ones(3000), "isotonic", words, intervals=True)
    again = msgspec.json.decode(msgspec.json.encode(made), type=Calibrator)
    np.testing.assert_array_equal(made(raw, words), again(raw, words))
