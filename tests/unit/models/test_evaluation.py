"""Judged on what came later: no peeking, no instant cut apart, answers not yet known left out."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from domain.errors import BadInput
from models.crew import Crew
from models.evaluation import BASE, INCUMBENT, LOGISTIC, RAW, folds, judge, splits
from models.schema import Recipe, Schema, Windows
from models.table import Table, make_table
from tests.unit.models.tables import SCHEMA, columns, quick, source

QUICK = Recipe(rounds=10)


def timed(seed: int, instants: int, horizon: float) -> Table:
    random = np.random.default_rng(seed)
    n = int(random.integers(900, 1200))
    times = random.integers(0, instants, n)
    return make_table(
        {"at": times, "a": random.random(n), "y": np.arange(n) % 2},
        Schema(name="x", target="y", time="at", horizon=horizon),
    )


@settings(max_examples=40)
@given(
    st.integers(0, 1000),
    st.sampled_from([4, 60, 100_000]),
    st.sampled_from([0.0, 3.0]),
    st.integers(1, 5),
    st.sampled_from([0, 50, 400]),
    st.sampled_from([0, 500]),
)
def test_windows_never_know_the_future(
    seed: int, instants: int, horizon: float, blocks: int, refit_rows: int, window_rows: int
) -> None:
    table = timed(seed, instants, horizon if instants == 60 else 0.0)
    planned = splits(
        table, Windows(blocks=blocks, last_rows=400, refit_rows=refit_rows), Recipe(window_rows=window_rows)
    )
    scored = np.concatenate([np.arange(one.score.start, one.score.stop) for one in planned])
    assert (np.diff(scored) == 1).all()
    assert scored[-1] == len(table) - 1
    assert len(scored) >= 400
    assert [one.block for one in planned] == sorted(one.block for one in planned)
    for one in planned:
        begins = table.time[one.score.start]
        known = table.time[one.learn] + table.horizon
        assert (known < begins).all()
        # An instant is wholly in one window.
        assert one.score.start == 0 or table.time[one.score.start - 1] < begins
        # Everything known is used, but for the window.
        n_known = int((table.time + table.horizon < begins).sum())
        assert len(known) == (min(n_known, window_rows) if window_rows else n_known)


def test_what_comes_later_never_changes_an_earlier_score() -> None:
    whole = columns(3000)
    changed = {name: np.array(values, dtype=object) for name, values in whole.items()}
    later = slice(1800, None)
    changed["answered"][later] = ~whole["answered"][later]
    changed["tries"][later] = 5.0
    changed["hour"][later] = 9.0
    schema = quick(recipe=QUICK)
    judged = []
    for one in (whole, {name: values.tolist() for name, values in changed.items()}):
        with Crew(make_table({n: v for n, v in one.items() if n != "p"}, schema), 0) as crew:
            judged.append(judge(crew, QUICK, Windows(blocks=4)))
    begins = judged[0].rows < 1800
    np.testing.assert_array_equal(judged[0].p[begins], judged[1].p[begins])
    assert (judged[0].p[~begins] != judged[1].p[~begins]).any()


def test_workers_change_nothing() -> None:
    table = make_table(source(1500), quick(recipe=QUICK))
    found = []
    for workers in (0, 1, 2):
        with Crew(table, workers) as crew:
            found.append(judge(crew, QUICK, Windows(blocks=3)))
    for other in found[1:]:
        np.testing.assert_array_equal(found[0].p, other.p)
        assert found[0].evaluation == other.evaluation


def test_it_is_judged_beside_others_and_near_the_truth() -> None:
    told = columns(8000)
    truth = told.pop("p")
    table = make_table(told, SCHEMA)
    with Crew(table, 0) as crew:
        judged = judge(
            crew, SCHEMA.recipe, SCHEMA.windows, incumbent=replace(QUICK, rounds=2),
            others={"truth": lambda _table, rows: truth[rows]},
        )  # fmt: skip
    found = judged.evaluation
    assert {one.contestant for one in found.lines} == {"model", RAW, LOGISTIC, BASE, INCUMBENT, "truth"}
    assert found.against[BASE]["log_loss"].is_below
    assert found.against[INCUMBENT]["log_loss"].is_below
    assert not found.against["truth"]["log_loss"].is_below
    assert found.line().figures["auc"].value > found.line("truth").figures["auc"].value - 0.02
    assert found.line().figures["ece"].value < found.ece_by_chance + 0.02
    assert (found.blocks, found.rows) == (4, 6400)
    assert found.line(block=4).rows == 1600
    assert {one.word for one in found.segments} == {"mobile", "fixed", "work"}
    assert found.gain[0] == 0.0
    assert found.gain[-1] == 1.0
    assert found.span == ("2026-09-12 11:40:00", "2026-10-26 21:10:00") or found.span[0] < found.span[1]


def test_random_folds_keep_groups_whole() -> None:
    table = make_table(source(1200), SCHEMA)
    planned = folds(table, 4, seed=1)
    np.testing.assert_array_equal(np.sort(np.concatenate([one.score for one in planned])), np.arange(1200))
    for one in planned:
        assert not set(table.group[one.score]) & set(table.group[one.learn])


@pytest.mark.parametrize(
    ("rows", "windows", "words"),
    [
        (150, Windows(), "too little data: 150 rows in all"),
        (800, Windows(blocks=10), "known before row"),
        (800, Windows(last_rows=800), "leaves nothing to learn from"),
    ],
)
def test_too_little_is_refused(rows: int, windows: Windows, words: str) -> None:
    with pytest.raises(BadInput, match=words):
        splits(make_table(source(rows), SCHEMA), windows, QUICK)


def test_too_few_groups_are_refused() -> None:
    told = columns(2000) | {"debtor": ["d1", "d2"] * 1000}
    del told["p"]
    with pytest.raises(BadInput, match="debtor has 2 groups"):
        splits(make_table(told, SCHEMA), Windows(), QUICK)


def test_a_horizon_that_swallows_what_there_is_to_learn_is_refused() -> None:
    with pytest.raises(BadInput, match="a shorter horizon"):
        splits(make_table(source(2000), quick(horizon=10.0)), Windows(), QUICK)


def test_a_process_that_dies_is_told() -> None:
    import os
    import signal

    from models.crew import Job

    table = make_table(source(1500), SCHEMA)
    jobs = [Job(Recipe(rounds=3000), slice(0, 1500), slice(0, 10))] * 3
    with Crew(table, 1) as crew:
        assert crew._pool is not None
        os.kill(crew._pool.submit(os.getpid).result(), signal.SIGKILL)
        with pytest.raises(BadInput, match="died"):
            crew.carry_out(jobs)


def test_whoever_learns_waits_passively_and_alone_does_so() -> None:
    import os

    with Crew(make_table(source(300), SCHEMA), 1) as crew:
        assert crew._pool is not None
        assert crew._pool.submit(os.getenv, "OMP_WAIT_POLICY").result() == "PASSIVE"
        assert crew._pool.submit(os.getpid).result() != os.getpid()


def test_a_run_up_calibrates_the_first_and_is_not_judged() -> None:
    table = make_table(source(2400), SCHEMA)
    recipe = replace(QUICK, calibration="recent")
    plain = Windows(blocks=1, last_rows=800, refit_rows=200)
    with Crew(table, 0) as crew:
        without = judge(crew, recipe, plain)
        judged = judge(crew, recipe, replace(plain, run_up_rows=600))
    np.testing.assert_array_equal(judged.rows, without.rows)
    np.testing.assert_array_equal(judged.raw, without.raw)
    np.testing.assert_array_equal(without.p[:200], without.raw[:200])
    assert (judged.p[:200] != judged.raw[:200]).all()
    assert judged.evaluation.blocks == 1
    for name, one in judged.others.items():
        assert len(one) == 800, name
    with pytest.raises(BadInput, match="run_up_rows is 1,600 of 1,600 rows"):
        splits(table, replace(plain, run_up_rows=1600), recipe)
