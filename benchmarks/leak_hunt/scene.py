"""One week of some floors and other writers on one ledger, from a seed: in one process, or each floor in its own."""

import multiprocessing
import random
from dataclasses import dataclass
from multiprocessing.synchronize import Barrier
from pathlib import Path

import structlog

from benchmarks.leak_hunt.floor import HuntedFloor
from benchmarks.leak_hunt.people import CREDITORS, WEEK_US, Portfolio
from benchmarks.leak_hunt.writers import Writers
from compliance.gate import Gate
from compliance.packs import SHIPPED
from dialer.engine import Gate as AnyGate
from domain.calls import Disposition, Mode
from domain.instants import HOUR, MINUTE, parse
from domain.settings import CampaignSettings, FloorSettings, Retry, Selection
from ledger.people import enroll
from ledger.store import open_ledger
from simulation.alarms import Clock

#: Weeks in which clocks change on either side of the ocean, a rule takes effect, holidays fall.
FIRST_US, LAST_US = parse("2026-08-20T00:00:00Z"), parse("2027-04-03T00:00:00Z")
#: Floors of several processes meet so often: none is further ahead of another.
_STEP_US = 5 * MINUTE
_PATIENCE_S = 300.0
_ACTORS = ("third_party", "third_party", "debt_buyer", "first_party")
_PURPOSES = ("collection", "collection", "collection", "collection", "cross_sell", "legally_required_notice")
#: Ends of an attempt after which the next may follow soon.
_SOON = (
    Disposition.busy,
    Disposition.no_answer,
    Disposition.rejected,
    Disposition.network_fail,
    Disposition.machine,
    Disposition.cut,
    Disposition.abandoned,
    Disposition.lost,
    Disposition.cancelled,
    Disposition.unknown,
    Disposition.unrecorded,
    Disposition.wrong_party,
    Disposition.third_party,
    Disposition.no_promise,
    Disposition.promise,
    Disposition.plan,
)


@dataclass(frozen=True)
class Scene:
    """What is played; equal scenes in one process are equal to the byte."""

    seed: int
    n_people: int
    n_floors: int
    #: Each floor in a process of its own.
    apart: bool = False
    days: float = 7.0


def play(scene: Scene, url: str, folder: Path, gate: AnyGate | None = None) -> None:
    """Live through a scene on an empty ledger.

    Parameters
    ----------
    folder : Path
        For files of payments.
    gate : Gate or None
        What judges in place of the real gate; None: the real one.
    """
    portfolio, start_us, _ = _cast(scene)
    with open_ledger(url) as ledger, ledger.writing() as connection:
        enroll(connection, portfolio.people, portfolio.numbers, start_us)
    if not scene.apart:
        _live(scene, url, folder, None, None, gate)
        return
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(scene.n_floors)
    processes = [
        context.Process(target=_live, args=(scene, url, folder, number, barrier, gate), name=f"floor{number}")
        for number in range(scene.n_floors)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    failed = [process.name for process in processes if process.exitcode]
    if failed:
        raise RuntimeError(f"{scene}: {', '.join(failed)} ended with an error; its traceback stands above")


def _cast(scene: Scene) -> tuple[Portfolio, int, list[FloorSettings]]:
    chance = random.Random(scene.seed)
    start_us = chance.randrange(FIRST_US, LAST_US, HOUR)
    portfolio = Portfolio(chance, scene.n_people, start_us)
    return portfolio, start_us, [_floor(chance, number) for number in range(scene.n_floors)]


def _floor(chance: random.Random, number: int) -> FloorSettings:
    campaigns = tuple(_campaign(chance, f"floor{number}-{letter}") for letter in "abc"[: chance.choice((1, 2, 3))])
    zone = chance.choice(("Europe/Madrid", "America/Bogota", "America/New_York", "UTC"))
    return FloorSettings(stream=f"floor{number}", zone=zone, campaigns=campaigns, max_lines=30, tick_s=120.0)


def _campaign(chance: random.Random, name: str) -> CampaignSettings:
    some = chance.sample(range(1, CREDITORS + 1), chance.choice((1, 2, 3)))
    retry: dict[str, Retry] = {
        word: Retry(after_min=chance.choice((0.0, 1.0, 20.0, 240.0)), next_number=True) for word in _SOON
    }
    return CampaignSettings(
        name=name,
        mode=chance.choice((Mode.progressive, Mode.progressive, Mode.predictive, Mode.power, Mode.preview)),
        ratio=chance.choice((1.5, 3.0)),
        abandon_limit=0.2,
        detect_machines=chance.random() < 0.5,
        clock_starts="greeting_end",
        actor=chance.choice(_ACTORS),
        purpose=chance.choice(_PURPOSES),
        max_attempts=500,
        selection=Selection(creditors=tuple(f"creditor {one}" for one in some))
        if chance.random() < 0.5
        else Selection(),
        retry=retry,
    )


def _live(
    scene: Scene, url: str, folder: Path, only: int | None, barrier: Barrier | None, gate: AnyGate | None
) -> None:
    """Run the floor of a number, or all, with other writers, to the scene's end."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    portfolio, start_us, floors = _cast(scene)
    judge = gate or Gate.load(SHIPPED)
    env = Clock(start_us)
    try:
        with open_ledger(url, patience_s=60.0) as ledger:
            lives = [
                HuntedFloor(env, ledger, judge, floor, portfolio.people, n_agents=4, seed=scene.seed * 100 + number)
                for number, floor in enumerate(floors)
                if only in (None, number)
            ]
            writers = Writers(
                env,
                ledger,
                judge,
                portfolio,
                [campaign for floor in floors for campaign in floor.campaigns],
                name=str(only or 0),
                # One file at a time, as the ledger wants it.
                folder=None if only else folder,
                seed=scene.seed * 1000 + (only or 0),
                share=1.0 if only is None else 1.0 / scene.n_floors,
            )
            for life in lives:
                life.start()
            writers.start()
            _run(env, start_us + round(scene.days / 7 * WEEK_US), barrier)
            for life in lives:
                life.stop()
    except BaseException:
        if barrier is not None:
            barrier.abort()
        raise


def _run(env: Clock, end_us: int, barrier: Barrier | None) -> None:
    if barrier is None:
        env.run(until=end_us)
        return
    while int(env.now) < end_us:
        barrier.wait(_PATIENCE_S)
        env.run(until=min(end_us, int(env.now) + _STEP_US))
