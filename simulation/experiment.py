"""An experiment: arms tried on the same months with the same luck, until the answer is clear.

Cells (one arm, one seed) are pure, so it does not matter where or in which order they run: what is concluded is
concluded from whole replications in the order of their seeds, and is the same bytes on any number of workers. The watch
looks after each replication; cells that ran ahead of the stop are kept for later but not counted.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Annotated

import msgspec
import numpy as np
from msgspec import Meta
from msgspec.structs import replace

from domain.calls import Mode
from domain.errors import BadInput
from simulation.month import Arm, Plan
from simulation.outcome import Outcome
from simulation.roster import Roster, Shift
from simulation.statistics import ALPHA, Watch
from simulation.store import Store, digest, key
from simulation.workers import Cell, Workers
from strategy.documents import strategy_of
from strategy.objectives import NET_RECOVERY

#: Seeds of arms with luck of their own lie so far apart.
_APART = 1_000_003


class Experiment(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is tried. Every combination of the factors is a setting in which all arms meet."""

    #: In the reader's words; empty: made from the arms.
    question: str = ""
    #: The first is the champion that the others are compared with.
    arms: tuple[Arm, ...]
    plan: Plan
    #: Factors; an empty one leaves what arms and plan say.
    modes: tuple[Mode, ...] = ()
    limits: tuple[float, ...] = ()
    agents: tuple[int, ...] = ()
    #: Length of the shift.
    hours: tuple[float, ...] = ()
    #: Folders of rule packs.
    packs: tuple[str, ...] = ()
    replications: Annotated[int, Meta(ge=1, le=100_000)] = 40
    #: Of the first replication; the others follow by one.
    seed: int = 1
    #: Stop when the answer is clear.
    sequential: bool = True
    #: Share of the champion's mean of the deciding metric below which a difference is none that matters.
    negligible: Annotated[float, Meta(ge=0.0, le=1.0)] = 0.002
    #: The same luck for all arms; otherwise each arm has its own, and only a large difference shows.
    same_luck: bool = True

    def __post_init__(self) -> None:
        if not self.arms:
            raise BadInput("experiment: there is no arm; name a strategy")
        names = [arm.name for arm in self.arms]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise BadInput(f"experiment: two arms are called {twice[0]!r}; give one another name (NAME=STRATEGY)")
        for field, low, high in (("limits", 0.0, 0.999), ("agents", 1, 100_000), ("hours", 0.25, 24.0)):
            for value in getattr(self, field):
                if not low <= value <= high:
                    raise BadInput(f"experiment: {field} must be in [{low:g}, {high:g}], was {value!r}; correct it")
        for field in ("modes", "limits", "agents", "hours", "packs"):
            values = getattr(self, field)
            if len(set(values)) < len(values):
                raise BadInput(f"experiment: {field} names {', '.join(map(str, values))}; name each once")

    @property
    def settings(self) -> tuple["Setting", ...]:
        """Return the combinations of the factors, in order."""
        chosen = {
            name: values for name in ("modes", "limits", "agents", "hours", "packs") if (values := getattr(self, name))
        }
        return tuple(
            Setting(tuple(zip((_ONE[name] for name in chosen), values, strict=True)))
            for values in product(*chosen.values())
        )

    @property
    def objectives(self) -> dict[str, str]:
        """Return the objective of each arm: its strategies' where they have one and the same, else net recovery."""
        found: dict[str, str] = {}
        for arm in self.arms:
            strategies = [strategy_of(campaign) for campaign in arm.floor.campaigns]
            named = {NET_RECOVERY if one is None else one.document.objective for one in strategies}
            found[arm.name] = named.pop() if len(named) == 1 else NET_RECOVERY
        return found

    @property
    def deciding(self) -> str:
        """Return the objective that decides: that of all arms; where they differ, net recovery."""
        named = set(self.objectives.values())
        return named.pop() if len(named) == 1 else NET_RECOVERY

    def case(self, setting: "Setting", number: int) -> tuple[Arm, Plan]:
        """Return an arm and the plan as they are in a setting."""
        arm, plan = self.arms[number], self.plan
        changes: dict[str, object] = {}
        for name, value in setting.factors:
            if name == "mode":
                changes["mode"] = value
            elif name == "limit":
                changes["abandon_limit"] = value
            elif name == "packs":
                arm = replace(arm, rules=str(value))
        if changes:
            campaigns = tuple(replace(one, **changes) for one in arm.floor.campaigns)
            arm = replace(arm, floor=replace(arm.floor, campaigns=campaigns))
        told = dict(setting.factors)
        if "agents" in told or "hours" in told:
            plan = replace(plan, roster=_staffed(plan.roster, told.get("agents"), told.get("hours")))
        return arm, plan

    def seed_of(self, arm: int, replication: int) -> int:
        """Return the seed of one cell."""
        return self.seed + replication + (0 if self.same_luck else _APART * arm)

    def watch(self, mean: float) -> Watch:
        """Return the rule for when to stop, given the champion's mean of the deciding metric so far."""
        return Watch(alpha=ALPHA, comparisons=max(1, len(self.arms) - 1), negligible=self.negligible * abs(mean))


class Setting(msgspec.Struct, frozen=True):
    """One combination of the factors."""

    factors: tuple[tuple[str, str | float], ...] = ()

    @property
    def words(self) -> str:
        return ", ".join(factor_words(name, value) for name, value in self.factors)


def factor_words(name: str, value: str | float) -> str:
    """Return one factor's value for people."""
    return _WORDS[name].format(factor_value(name, value))


def factor_value(name: str, value: str | float) -> str:
    """Return one factor's value for people, where its name stands beside it."""
    if name == "packs":
        return Path(str(value)).name
    return f"{100 * float(value):.1f} %" if name == "limit" else value if isinstance(value, str) else f"{value:g}"


class Ran(msgspec.Struct, frozen=True, kw_only=True):
    """What came out: whole replications, in order."""

    settings: tuple[Setting, ...]
    #: By setting, arm and replication.
    outcomes: tuple[tuple[tuple[Outcome, ...], ...], ...]
    #: SHA-256 of each outcome's bytes, alike.
    digests: tuple[tuple[tuple[str, ...], ...], ...]
    replications: int
    #: Cells that were computed now; the others had been kept.
    computed: int
    #: Processor seconds of those.
    cpu_s: float


def run(
    experiment: Experiment,
    store: Store,
    workers: Workers,
    *,
    versions: Mapping[str, str],
    net_of: Callable[[Outcome], float],
    progress: Callable[[str, int, int], None] = lambda _what, _done, _of: None,
) -> Ran:
    """Run an experiment, or go on with it.

    Parameters
    ----------
    net_of : callable
        The primary metric of an outcome, by which it is judged when the answer is clear.
    progress : callable
        Takes what is being done, how many cells are done, and how many there are at most.

    Raises
    ------
    BadInput
        When an arm or the plan cannot be simulated, or a worker died.
    """
    settings, n_arms = experiment.settings, len(experiment.arms)
    watched = experiment.sequential and len(settings) == 1 and n_arms > 1
    n_cells = experiment.replications * len(settings) * n_arms

    def cells() -> Iterator[Cell]:
        cases = [(s, a, *experiment.case(one, a)) for s, one in enumerate(settings) for a in range(n_arms)]
        for replication in range(experiment.replications):
            for s, a, arm, plan in cases:
                seed = experiment.seed_of(a, replication)
                yield Cell((replication, s, a), key(arm, plan, seed, versions), arm, plan, seed)

    found: dict[tuple[int, int, int], tuple[Outcome, str]] = {}
    nets: list[list[float]] = [[] for _ in range(n_arms)]
    decode = msgspec.msgpack.Decoder(Outcome).decode
    whole, computed, cpu_s = 0, 0, 0.0
    what = "replications"
    stream = workers.carry_out(cells(), store)
    try:
        for at, content, spent_s in stream:
            found[at] = decode(content), digest(content)
            computed, cpu_s = computed + (spent_s is not None), cpu_s + (spent_s or 0.0)
            while all((whole, s, a) in found for s in range(len(settings)) for a in range(n_arms)):
                for a in range(n_arms if watched else 0):
                    nets[a].append(net_of(found[whole, 0, a][0]))
                whole += 1
                if watched and _clear(experiment, nets):
                    break
                if whole == experiment.replications:
                    break
            progress(what, len(found), n_cells)
            if whole == experiment.replications or (watched and whole and _clear(experiment, nets)):
                break
    finally:
        stream.close()
    shape = [[range(whole) for _ in range(n_arms)] for _ in settings]
    return Ran(
        settings=settings,
        outcomes=tuple(
            tuple(tuple(found[r, s, a][0] for r in some) for a, some in enumerate(arms)) for s, arms in enumerate(shape)
        ),
        digests=tuple(
            tuple(tuple(found[r, s, a][1] for r in some) for a, some in enumerate(arms)) for s, arms in enumerate(shape)
        ),
        replications=whole,
        computed=computed,
        cpu_s=cpu_s,
    )


def _clear(experiment: Experiment, nets: Sequence[Sequence[float]]) -> bool:
    champion = np.array(nets[0])
    watch = experiment.watch(float(champion.mean()))
    return all(watch.says(np.array(other) - champion) != "open" for other in nets[1:])


def _staffed(roster: Roster, agents: str | float | None, hours: str | float | None) -> Roster:
    """Return a roster with so many agents on its first shift's days, or with shifts of so many hours."""
    shifts = roster.shift
    if agents is not None:
        first = shifts[0]
        shifts = (Shift(agents=int(agents), days=first.days, begin=first.begin, end=first.end),)
    if hours is not None:
        shifts = tuple(replace(one, end=_later(one.begin, float(hours))) for one in shifts)
    return replace(roster, shift=shifts)


def _later(clock: str, hours: float) -> str:
    minutes = round(int(clock[:2]) * 60 + int(clock[3:5]) + hours * 60)
    if minutes >= 24 * 60:
        raise BadInput(f"experiment: a shift of {hours:g} hours from {clock} ends after midnight; begin earlier")
    return f"{minutes // 60:02d}:{minutes % 60:02d}"


_ONE = {"modes": "mode", "limits": "limit", "agents": "agents", "hours": "hours", "packs": "packs"}
_WORDS = {
    "mode": "{}",
    "limit": "limit {}",
    "agents": "{} agents",
    "hours": "{} hours",
    "packs": "rules {}",
}
