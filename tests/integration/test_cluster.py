"""Work on a real Dask cluster of two processes of this machine: the same bytes as without it."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from distributed import LocalCluster

from domain.errors import BadInput
from domain.instants import DAY
from models import lessons, scoring
from models.registry import Registry
from models.table import make_table
from models.training import train
from simulation.experiment import run
from simulation.store import Store
from simulation.workers import Workers
from tests.integration.test_experiment import VERSIONS, cells, net_of, tried
from tests.integration.trial_export import PLAN, START_US, write_trial
from tests.unit.models.tables import quick, source

AS_OF_US = START_US + (PLAN.past_days + PLAN.spread_days + PLAN.horizon_days) * DAY


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0") as cluster:
        yield cluster.scheduler_address


def test_an_experiment_on_a_cluster_gives_equal_bytes(tmp_path: Path, address: str) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    for folder, workers in ((here, Workers(processes=1)), (there, Workers(cluster=address))):
        run(tried(), Store(folder), workers, versions=VERSIONS, net_of=net_of)
    assert len(cells(here)) == 6
    contents = [{path.name: path.read_bytes() for path in folder.rglob("*.cell")} for folder in (here, there)]
    assert contents[0] == contents[1]


def test_a_model_that_learned_on_a_cluster_is_the_same_version(tmp_path: Path, address: str) -> None:
    made = {}
    for name, cluster in (("here", ""), ("there", address)):
        table = make_table(source(), quick())
        made[name], _ = train(table, Registry(tmp_path / name), made_at="", versions={}, workers=0, cluster=cluster)
    assert made["here"].version == made["there"].version
    assert made["here"].files == made["there"].files


def test_a_portfolio_scored_on_a_cluster_has_the_same_scores(tmp_path: Path, address: str) -> None:
    write_trial(tmp_path / "export", 400)
    registry = Registry(tmp_path / "trained")
    table = lessons.table_of(lessons.lesson(lessons.read_record(tmp_path / "export"), "reach"))
    manifest, _ = train(table, registry, made_at="", versions={}, workers=0)
    registry.promote("reach", manifest.version, at="", by="test", why="")
    served = scoring.champions(registry)
    here, there = (
        list(scoring.scored(tmp_path / "export", served, AS_OF_US, "Europe/Madrid", part=150, cluster=cluster))
        for cluster in ("", address)
    )
    assert len(here) == len(there) == 3
    for one, other in zip(here, there, strict=True):
        assert np.array_equal(one.numbers.phone, other.numbers.phone)
        assert one.numbers.p_answered is not None
        assert other.numbers.p_answered is not None
        assert np.array_equal(one.numbers.p_answered, other.numbers.p_answered)


def test_a_cluster_that_cannot_be_is_told(tmp_path: Path) -> None:
    with LocalCluster(n_workers=0, dashboard_address=":0") as cluster:
        workers = Workers(cluster=cluster.scheduler_address)
        with pytest.raises(BadInput, match="nobody works for this scheduler"):
            run(tried(), Store(tmp_path), workers, versions=VERSIONS, net_of=net_of)
    with pytest.raises(BadInput, match="no scheduler answers"):
        run(tried(), Store(tmp_path), Workers(cluster="nowhere"), versions=VERSIONS, net_of=net_of)
