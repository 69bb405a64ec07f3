"""Runs many days over the cores of the machine and keeps each finished one, so that a stopped run goes on.

A kept day is good for the sources it was run with: those of the world, hashed here, and the policy's own version, which
the caller gives (`source_version` of its files). Development looks at seeds below 1000, the final table at fresh ones.
"""

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from functools import lru_cache
from hashlib import blake2b
from itertools import islice
from multiprocessing import get_context
from os import cpu_count
from pathlib import Path
from time import monotonic

import msgspec

from benchmarks.pacing.policy import Policy
from benchmarks.pacing.scenarios import MARKOV, SCENARIOS, Scenario
from benchmarks.pacing.world import DayResult, run_day

DEVELOPMENT_SEEDS = range(1000)
FRESH_SEEDS = range(40_000, 1_000_000)
CACHE = Path("~/.cache/cadencia/pacing").expanduser()

#: Makes the policy of a name, with a value of its knob, for a scenario. A function of a module: workers import it.
Makes = Callable[[str, float | None, Scenario], Policy]

_KNOWN = SCENARIOS | MARKOV


class Cell(msgspec.Struct, frozen=True, kw_only=True):
    """One day to run."""

    policy: str
    knob: float | None = None
    #: Name in `SCENARIOS` or `MARKOV`.
    scenario: str
    seed: int


class _Kept(msgspec.Struct, frozen=True, kw_only=True):
    """A line of the cache."""

    key: str
    cell: Cell
    result: DayResult


def source_version(*files: Path) -> str:
    """Return a short hash of what the files say."""
    return blake2b(b"\0".join(file.read_bytes() for file in sorted(files)), digest_size=8).hexdigest()


def run_days(
    cells: Sequence[Cell],
    make: Makes,
    versions: Mapping[str, str],
    *,
    cache: Path = CACHE,
    processes: int | None = None,
) -> list[DayResult]:
    """Return what came of each day, in order; run those not yet in the cache.

    Parameters
    ----------
    cells : sequence of Cell
    make : function of (policy name, knob, scenario)
    versions : mapping of policy name to the version of its sources
    cache : folder; one JSON line is added for each day as it finishes
    processes : how many to use; None: as many as there are cores
    """
    cache.mkdir(parents=True, exist_ok=True)
    file = cache / "days.jsonl"
    keys = [_key(cell, versions[cell.policy]) for cell in cells]
    done = _read(file, set(keys))
    todo = {key: cell for key, cell in zip(keys, cells, strict=True) if key not in done}
    started = monotonic()
    # Line-buffered: a day is kept when it ends, whatever happens next.
    with file.open("a", buffering=1, encoding="utf-8") as out:
        if out.tell() and not file.read_bytes().endswith(b"\n"):
            out.write("\n")
        for n_done, (key, result) in enumerate(_run(todo, make, processes), 1):
            done[key] = result
            kept = _Kept(key=key, cell=todo[key], result=result)
            out.write(msgspec.json.encode(kept).decode() + "\n")
            _progress(n_done, len(todo), monotonic() - started)
    return [done[key] for key in keys]


def _key(cell: Cell, version: str) -> str:
    told = msgspec.json.encode((cell, version, _world_version(), _KNOWN[cell.scenario]))
    return blake2b(told, digest_size=12).hexdigest()


@lru_cache(maxsize=1)
def _world_version() -> str:
    # What a scenario says is in the key by itself: a new one makes no other day run again.
    here = Path(__file__).parent
    return source_version(*(here / name for name in ("forecasts.py", "kernel.py", "laws.py", "world.py")))


def _read(file: Path, wanted: set[str]) -> dict[str, DayResult]:
    """Return the days of the cache that are wanted; a line cut short by a kill is no day."""
    done = {}
    for line in file.read_bytes().splitlines() if file.exists() else ():
        try:
            kept = msgspec.json.decode(line, type=_Kept)
        except msgspec.DecodeError:
            continue
        if kept.key in wanted:
            done[kept.key] = kept.result
    return done


def _run(todo: Mapping[str, Cell], make: Makes, processes: int | None) -> Iterator[tuple[str, DayResult]]:
    """Yield days as they end."""
    processes = min(processes or cpu_count() or 1, len(todo))
    if processes <= 1:
        for key, cell in todo.items():
            yield key, _work(cell, make)
        return
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        queue = iter(todo.items())
        running = {pool.submit(_work, cell, make): key for key, cell in islice(queue, 2 * processes)}
        while running:
            ended, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in ended:
                yield running.pop(future), future.result()
            for key, cell in islice(queue, 2 * processes - len(running)):
                running[pool.submit(_work, cell, make)] = key


_warm: set[str] = set()


def _work(cell: Cell, make: Makes) -> DayResult:
    scenario = _KNOWN[cell.scenario]
    if cell.policy not in _warm:
        # Compilation is not the cost of a decision.
        run_day(make(cell.policy, cell.knob, scenario), msgspec.structs.replace(scenario, day_s=120.0), 0)
        _warm.add(cell.policy)
    return run_day(make(cell.policy, cell.knob, scenario), scenario, cell.seed)


def _progress(n_done: int, n_all: int, elapsed_s: float) -> None:
    left_s = elapsed_s / n_done * (n_all - n_done)
    end = "\n" if n_done == n_all else ""
    print(f"\r{n_done}/{n_all} days, {left_s / 60.0:.1f} min left ", end=end, file=sys.stderr, flush=True)
