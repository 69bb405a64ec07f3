"""The exact optimum of the Markov model: its closed forms, the published table, and the file checked in."""

import pytest

from benchmarks.pacing.optimum import Model, occupancy, solved

#: Published occupancies, per cent, under 0, 1, 3 and 5 %.
PUBLISHED = {1: (66.4, 66.9, 68.0, 69.2), 2: (66.4, 68.7, 71.2, 72.7), 3: (66.4, 69.6, 73.2, 75.3),
             5: (66.4, 72.3, 76.5, 78.9), 10: (66.4, 78.3, 82.2, 84.3)}  # fmt: skip


@pytest.mark.parametrize("agents", [1, 2, 3])
@pytest.mark.parametrize("limit", [0.0, 0.01, 0.03, 0.05])
def test_solved_again_it_is_what_is_checked_in(agents: int, limit: float) -> None:
    kept = next(found for found in solved() if (found.agents, found.limit) == (agents, limit))
    assert occupancy(agents, limit, Model()) == pytest.approx(kept.occupancy, abs=2e-5)


def test_without_abandonment_it_is_one_call_for_each_free_agent() -> None:
    # A free agent waits for the first answer of calls placed one after another: ring_s / p_live.
    model = Model(ring_s=9.0, service_s=60.0, p_live=0.3)
    assert occupancy(4, 0.0, model) == pytest.approx(60.0 / (60.0 + 9.0 / 0.3), abs=1e-6)


def test_the_file_agrees_with_the_published_table() -> None:
    checked = 0
    for found in solved():
        if found.agents in PUBLISHED:
            published = PUBLISHED[found.agents][(0.0, 0.01, 0.03, 0.05).index(found.limit)]
            assert 100.0 * found.occupancy == pytest.approx(published, abs=0.1)
            checked += 1
    assert checked == 20
