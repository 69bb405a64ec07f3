"""How well the core paces, against yardsticks and rivals on equal days.

    python -m benchmarks.pacing [--quick] [--days N] [--hard N] [--only NAME...] [--cache FOLDER] [--out FOLDER]

The whole run takes some 80 minutes on two cores, prints the report and writes `docs/results-pacing.md` with its plots.
It may be stopped: finished days are kept, and those of other sources are not used. `--quick` shows in a minute that all
of it works; what it finds says nothing. `--only` runs what concerns some scenarios. Neither writes without `--out`.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec

from benchmarks.pacing import cost, questions, report, runs, table
from benchmarks.pacing.days import CACHE
from benchmarks.pacing.scenarios import MARKOV
from domain.errors import BadInput

_DAYS = 6
_QUICK = ("shift_end",)


def main(words: Sequence[str] | None = None) -> int:
    """Run the bench."""
    asked = _asked(words)
    try:
        found = _run(asked)
        if asked.out is None:
            with TemporaryDirectory() as folder:
                print(report.write(found, Path(folder)))
        else:
            print(report.write(found, asked.out))
    except BadInput as wrong:
        print(wrong, file=sys.stderr)
        return 2
    return 0


def _asked(words: Sequence[str] | None) -> argparse.Namespace:
    assert __doc__
    parser = argparse.ArgumentParser(prog="python -m benchmarks.pacing", description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="few and short days: that it works, not how well")
    parser.add_argument("--days", type=int, default=_DAYS, help="days of a cell of the comparison")
    parser.add_argument("--hard", type=int, default=runs.HARD_DAYS, help="days of a cell under a hard limit")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="what concerns these scenarios alone")
    parser.add_argument("--cache", type=Path, default=CACHE, help="where finished days are kept")
    parser.add_argument("--out", type=Path, help="where the report is written")
    parser.add_argument("--processes", type=int, help="how many to use")
    asked = parser.parse_args(words)
    known = (*runs.WATCHED, *MARKOV)
    if unknown := [name for name in asked.only or () if name not in known]:
        parser.error(f"--only: no scenario {', '.join(unknown)}; there are {', '.join(known)}")
    for name, days in (("days", asked.days), ("hard", asked.hard)):
        if days < 1:
            parser.error(f"--{name} must be at least 1, was {days}")
    if asked.out is None and not asked.quick and not asked.only:
        asked.out = Path(__file__).parents[2] / "docs"
    return asked


def _run(asked: argparse.Namespace) -> report.Findings:
    if asked.quick:
        # A pool would take longer to start than these days to run.
        return _quick(runs.Bench(cache=asked.cache, processes=1))
    bench = runs.Bench(cache=asked.cache, processes=asked.processes)

    def wanted(names: Sequence[str]) -> list[str]:
        return [name for name in names if asked.only is None or name in asked.only]

    sizes = runs.sizes(asked.days, asked.hard)
    rivals = tuple(table.FORMS)
    given = (("days", asked.days, _DAYS), ("hard", asked.hard, runs.HARD_DAYS))
    flags = "".join(f" --{name} {value}" for name, value, usual in given if value != usual)
    flags += f" --only {' '.join(asked.only)}" if asked.only else ""
    teams = [agents for agents in runs.MODELS if asked.only is None or f"markov_n{agents}" in asked.only]
    return report.Findings(
        command=f"python -m benchmarks.pacing{flags}",
        # Before the days: the machine is as quiet as it will be.
        cost=None if asked.only else cost.measure(),
        compared=table.compare(bench, wanted(runs.COMPARED), sizes, rivals),
        foretold=questions.foretell(bench, wanted(runs.FORETOLD), runs.AUCS, runs.BENT, sizes),
        watched=questions.watch(bench, wanted(runs.WATCHED), sizes),
        models=questions.model(bench, teams, sizes),
        curves=questions.trace(bench, wanted(runs.CURVES), sizes, rivals),
    )


def _quick(bench: runs.Bench) -> report.Findings:
    """Run a little of everything."""
    sizes = msgspec.structs.replace(runs.sizes(1), around=1, hard=1, foretold=1, model_agent_hours=1)
    rivals = ("pi",)
    return report.Findings(
        command="python -m benchmarks.pacing --quick",
        cost=cost.measure(teams=("n3",), repeats=1, starts=1, decisions=100),
        compared=table.compare(bench, _QUICK, sizes, rivals),
        watched=questions.watch(bench, _QUICK, sizes),
        foretold=questions.foretell(bench, ("n5",), (80,), (), sizes),
        models=questions.model(bench, (10,), sizes),
        curves=questions.trace(bench, _QUICK, sizes, rivals),
    )


if __name__ == "__main__":
    # Workers inherit it: the machine stays good for other work.
    os.nice(10)
    sys.exit(main())
