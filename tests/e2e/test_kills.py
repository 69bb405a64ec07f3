"""kill -9 of the engine at random moments of a campaign on the real lab.

`CADENCIA_LAB_KILLS` sets how many; the moments follow from `CADENCIA_KILL_SEED`. The long run:
`benchmarks/lab_kills.py`.
"""

import os
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from benchmarks.lab_kills import run
from benchmarks.lab_truth import Account

pytestmark = pytest.mark.lab

KILLS = int(os.environ.get("CADENCIA_LAB_KILLS", "20"))
SEED = int(os.environ.get("CADENCIA_KILL_SEED", "1"))


@pytest.fixture(scope="module")
def campaigns(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[bool, "Future[tuple[int, Account]]"]]:
    """Run both at the same time: they mostly wait."""
    with ThreadPoolExecutor() as pool:
        yield {
            twice: pool.submit(run, tmp_path_factory.mktemp("kills"), KILLS // (1 + twice), SEED, twice=twice)
            for twice in (False, True)
        }


@pytest.mark.timeout(120 + 12 * KILLS)
@pytest.mark.parametrize("twice", [False, True], ids=["once_each", "up_to_the_legal_cap"])
def test_kills_lose_no_attempt_double_none_and_part_no_talk(
    campaigns: dict[bool, "Future[tuple[int, Account]]"], twice: bool
) -> None:
    killed, found = campaigns[twice].result()
    assert found.findings == []
    assert killed == KILLS // (1 + twice)
    # Too few kills of the second campaign to count on one in the middle of a talk.
    assert found.readopted or twice
