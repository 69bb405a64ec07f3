"""The days that a run of the bench needs, and where they are kept."""

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from benchmarks.pacing.compare import Days
from benchmarks.pacing.days import CACHE, DEVELOPMENT_SEEDS, FRESH_SEEDS, Cell, run_days
from benchmarks.pacing.policies import make, versions
from benchmarks.pacing.world import DayResult
from domain.errors import BadInput

#: Teams on days like any other, and days with something of their own.
TEAMS: Final = ("n3", "n5", "n10", "n20", "n50", "n100", "n300")
COMPARED: Final = (
    *TEAMS,
    *("n3_p10", "n10_p10", "n50_p50", "n20_long"),
    *("drift", "jump", "lists", "blocks", "breaks", "undetected", "heavy", "outages", "shift_end"),
)
#: Abandonment is watched on these too; lines or a mass pause say there what occupancy can be.
WATCHED: Final = (*COMPARED, "jump_up", "mass_pause", "few_lines", "detection_3s")
CURVES: Final = ("n3", "n10", "n50")
FORETOLD: Final = ("n3", "n5", "n10", "n20")
AUCS: Final = (65, 75, 80, 85)
#: Times as many days as elsewhere: with 36 the interval of ten agents' gain reached over the bound on either side.
LONGER: Final = {("n10", 75): 4, ("n10", 80): 4}
BENT: Final = ("times_1.5", "monotone", "drifting", "fading", "useless")
BENT_TEAMS: Final = ("n3", "n10", "n20")
MODELS: Final = (3, 5, 10)
#: Over all scenarios more than a thousand.
HARD_DAYS: Final = 42


class Sizes(msgspec.Struct, frozen=True, kw_only=True):
    """How many days of each kind."""

    #: Core and yardsticks, in each scenario, at the limit and at each knob around it.
    days: int
    around: int
    #: Rivals, at each knob near their best; those that come near to the core then run as many as the core.
    rivals: int
    #: The core under a hard limit, in each scenario.
    hard: int
    #: With forecasts.
    foretold: int
    #: At each knob of the curves.
    curve: int
    #: Agent-hours worth of days of the exactly solved model.
    model_agent_hours: int


def sizes(days: int, hard: int = HARD_DAYS) -> Sizes:
    """Return the sizes of a run by the days of a cell of the comparison and of one under a hard limit."""
    return Sizes(
        days=days,
        around=max(2, days // 4),
        rivals=max(1, days // 3),
        hard=hard,
        foretold=36,
        curve=max(1, days // 6),
        model_agent_hours=80 * days,
    )


class Want(NamedTuple):
    """Days of a policy in a scenario at a value of its knob."""

    policy: str
    scenario: str
    knob: float
    n: int
    #: Looked at while the knobs are tuned; the others are fresh.
    development: bool = False

    def cells(self) -> list[Cell]:
        """Return the days one by one."""
        first = (DEVELOPMENT_SEEDS if self.development else FRESH_SEEDS).start
        return [Cell(policy=self.policy, knob=self.knob, scenario=self.scenario, seed=first + i) for i in range(self.n)]


class Bench:
    """Runs days once and remembers them.

    Parameters
    ----------
    cache : Path
    processes : int, optional
    """

    def __init__(self, *, cache: Path = CACHE, processes: int | None = None) -> None:
        self._cache, self._processes = cache, processes
        self._versions = versions()
        self._results: dict[Cell, DayResult] = {}
        self._stage = 0

    def run(self, title: str, wants: Iterable[Want]) -> None:
        """Run the days wanted that were not run yet."""
        cells = list(dict.fromkeys(cell for want in wants for cell in want.cells() if cell not in self._results))
        if not cells:
            return
        if versions() != self._versions:
            raise BadInput("the sources of a policy changed while the bench runs: start it again, finished days stay")
        self._stage += 1
        print(f"{self._stage}. {title}: {len(cells)} days", file=sys.stderr, flush=True)
        results = run_days(cells, make, self._versions, cache=self._cache, processes=self._processes)
        self._results.update(zip(cells, results, strict=True))

    def days(self, want: Want) -> Days:
        """Return days that were run."""
        return Days([self._results[cell] for cell in want.cells()])
