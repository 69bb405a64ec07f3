"""Commands that try strategies on simulated debtors: simulate run, sweep, worlds."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from console.command_line import HERE, AsJson, Folder, check_number, note, tell

if TYPE_CHECKING:
    from simulation.archive import Kept
    from simulation.experiment import Experiment, Ran
    from simulation.measures import Costs
    from simulation.month import Arm, Plan
    from simulation.outcome import Outcome
    from simulation.store import Store
    from simulation.workers import Workers

app = typer.Typer(no_args_is_help=True, help="Try strategies on simulated debtors before they touch real ones.")

#: In the working folder: a folder for each experiment, and the outcomes of replications, which experiments share.
SIMULATIONS = "simulations"
CELLS = "cells"
#: Documents that ship to be copied: for --costs, --month and --agents.
EXAMPLES = ("costs", "month", "shifts")
#: A Monday before days with few holidays; fixed, so that equal commands give equal answers.
START = "2027-02-01"

_HELP = (
    "[NAME=]CAMPAIGN, or FILE.toml with a strategy or a campaign, then :key=value,… to change it. Repeat it; the first "
    "is the champion."
)
Strategies = Annotated[list[str] | None, typer.Option("--strategy", "-s", help=_HELP, show_default=False)]
World = Annotated[str, typer.Option(help="Preset or document, joined by +; see `cadencia simulate worlds`.")]
Days = Annotated[int, typer.Option(help="Days of the floor's calendar.")]
Debtors = Annotated[int, typer.Option(help="How many owe.")]
_OWN = "A campaign on whose own list it is tried: people, debts and history of the working folder's ledger."
OwnList = Annotated[str, typer.Option("--list", help=_OWN, show_default=False)]
_MONTH = "What the month brings: holidays, outages, days that differ (`cadencia simulate example month`)."
MonthFile = Annotated[Path | None, typer.Option("--month", help=_MONTH, show_default=False)]
_FIRST = f"First day; without it, {START}, or tomorrow for a list of your own."
Start = Annotated[str, typer.Option(help=_FIRST, show_default=False)]
Seed = Annotated[int, typer.Option(help="Of the first replication.")]
Processes = Annotated[int, typer.Option(help="Processes; 0: one for each processor.")]
Cluster = Annotated[str, typer.Option(help="Dask scheduler instead, e.g. tcp://10.0.0.5:8786.", show_default=False)]
Out = Annotated[Path | None, typer.Option(help="Folder of this experiment; without it, one in simulations/.")]
CostsFile = Annotated[Path | None, typer.Option("--costs", help="What calling costs; without it, assumed prices.")]


@app.command()
def run(
    strategy: Strategies = None,
    days: Days = 30,
    replications: Annotated[int, typer.Option(help="At most: it stops before when the answer is clear.")] = 40,
    agents: Annotated[str, typer.Option(help="A number, or a roster file.")] = "10",
    month: MonthFile = None,
    world: World = "default",
    debtors: Debtors = 5000,
    own: OwnList = "",
    start: Start = "",
    seed: Seed = 1,
    fixed: Annotated[bool, typer.Option("--fixed", help="Run them all, however clear the answer.")] = False,
    negligible: Annotated[float, typer.Option(help="Share of what decides that does not matter.")] = 0.002,
    question: Annotated[str, typer.Option(help="What you want to know, in your words.")] = "",
    aa: Annotated[bool, typer.Option("--aa", help="Check the simulator: one strategy against itself.")] = False,
    again: Annotated[
        Path | None, typer.Option("--again", help="Repeat the experiment of this folder and compare the bytes.")
    ] = None,
    costs: CostsFile = None,
    processes: Processes = 0,
    cluster: Cluster = "",
    out: Out = None,
    folder: Folder = HERE,
    as_json: AsJson = False,
) -> None:
    """Which strategy brings more? The same debtors and luck for each, until the answer is clear."""
    from domain.errors import BadInput
    from simulation.experiment import Experiment

    check_folder(folder)
    workers = workers_of(processes, cluster)
    if again is not None:
        _repeat(again, workers, as_json)
        return
    check_number("simulate run: --replications", replications, least=1, most=100_000)
    check_number("simulate run: --negligible", negligible, least=0, most=1)
    arms = arms_of(strategy, folder)
    plan = plan_of(world, debtors, start, days, agents, own, month, folder)
    if aa:
        if len(arms) != 1:
            raise BadInput("simulate run: --aa compares one strategy with itself; name it once")
        _check_itself(arms[0], plan, replications, seed, costs_of(costs), workers, folder, as_json)
        return
    experiment = Experiment(
        question=question,
        arms=arms,
        plan=plan,
        replications=replications,
        seed=seed,
        sequential=not fixed,
        negligible=negligible,
    )
    _answer(experiment, costs_of(costs), workers, out, folder, as_json)


@app.command()
def sweep(
    strategy: Strategies = None,
    agents: Annotated[str, typer.Option(help="10:60:10 (from:to:by) or 10,20,40.", show_default=False)] = "",
    limit: Annotated[str, typer.Option(help="Abandonment limits in percent: 1,2,3,5.", show_default=False)] = "",
    hours: Annotated[str, typer.Option(help="Lengths of the shift: 6,8.", show_default=False)] = "",
    mode: Annotated[str, typer.Option(help="Pacing: progressive,predictive.", show_default=False)] = "",
    rules: Annotated[list[Path] | None, typer.Option("--rules", help="Folder of rule packs; repeat it.")] = None,
    days: Days = 5,
    replications: Annotated[int, typer.Option(help="Of every setting.")] = 5,
    month: MonthFile = None,
    world: World = "default",
    debtors: Debtors = 5000,
    own: OwnList = "",
    start: Start = "",
    seed: Seed = 1,
    costs: CostsFile = None,
    processes: Processes = 0,
    cluster: Cluster = "",
    out: Out = None,
    folder: Folder = HERE,
    as_json: AsJson = False,
) -> None:
    """What do more agents, another limit, other hours, another pacing bring? Every combination, with its frontier."""
    from domain.calls import Mode
    from domain.errors import BadInput
    from simulation.experiment import Experiment

    check_folder(folder)
    check_number("simulate sweep: --replications", replications, least=1, most=100_000)
    staffing = whole("simulate sweep: --agents", agents)
    limits = numbers("simulate sweep: --limit", limit)
    for one in limits:
        check_number("simulate sweep: --limit (percent)", one, least=0, most=99.9)
    modes = [one.strip() for one in mode.split(",") if one.strip()]
    if strange := [one for one in modes if one not in list(Mode)]:
        raise BadInput(f"simulate sweep: --mode must be of {', '.join(Mode)}, was {strange[0]!r}; correct it")
    experiment = Experiment(
        arms=arms_of(strategy, folder),
        plan=plan_of(world, debtors, start, days, str(staffing[0]) if staffing else "10", own, month, folder),
        agents=staffing,
        limits=tuple(one / 100 for one in limits),
        hours=numbers("simulate sweep: --hours", hours),
        modes=tuple(Mode(one) for one in modes),
        packs=tuple(str(one.resolve()) for one in rules or ()),
        replications=replications,
        seed=seed,
        sequential=False,
    )
    if len(experiment.settings) < 2:
        raise BadInput("simulate sweep: there is nothing to vary; add e.g. --agents 10:60:10 or --limit 1,2,3,5")
    _answer(experiment, costs_of(costs), workers_of(processes, cluster), out, folder, as_json)


@app.command()
def worlds(
    world: Annotated[str | None, typer.Argument(help="A preset or document to show whole.")] = None,
    as_json: AsJson = False,
) -> None:
    """The worlds that ship; or one of them, every number with its source."""
    from console import worlds_text
    from simulation.population import load

    if world is None:
        found = worlds_text.presets()
        tell(found, as_json, lambda: worlds_text.presets_table(found))
    else:
        laws = load(world)
        tell(laws, as_json, lambda: worlds_text.world(world, laws))


@app.command()
def example(
    of: Annotated[str, typer.Argument(metavar="NAME", help="costs, month or shifts.", show_default=False)],
    as_json: AsJson = False,
) -> None:
    """A document to begin with, its every key explained: simulate example costs > costs.toml."""
    from importlib.resources import files

    from domain.errors import BadInput

    if of not in EXAMPLES:
        raise BadInput(f"simulate example: there is one of {', '.join(EXAMPLES)}, not of {of!r}; name one of them")
    text = (files("config") / f"{of}.toml").read_text(encoding="utf-8")
    if as_json:
        tell({"name": f"{of}.toml", "text": text}, as_json, lambda: "")
    else:
        print(text, end="")


# ---- what the commands share


def check_folder(folder: Path) -> None:
    """Refuse a working folder that is not there: results would land in a folder that nobody meant."""
    from domain.errors import BadInput

    if not folder.is_dir():
        raise BadInput(f"--folder {folder}: there is no such folder; make it with `cadencia init {folder}`")


def arms_of(words: list[str] | None, folder: Path) -> "tuple[Arm, ...]":
    """Return the arms that the words of --strategy mean."""
    from console.strategies import arm_of
    from domain.errors import BadInput

    if not words:
        raise BadInput("simulate: no strategy; name one or more: --strategy CAMPAIGN --strategy CAMPAIGN:order=ageing")
    return tuple(arm_of(word, folder) for word in words)


def plan_of(
    world: str, debtors: int, start: str, days: int, agents: str, own: str, month: Path | None, folder: Path
) -> "Plan":
    """Return the plan that the options mean.

    Parameters
    ----------
    own : str
        A campaign whose people the working folder's ledger knows; empty: the world makes the debtors.
    """
    from simulation.month import Plan
    from simulation.population import load
    from simulation.roster import roster

    load(world)
    people, first = "", start or START
    if own:
        from console.forecasting import first_day, own_people

        people, debtors = own_people(own, folder)
        first = first_day("simulate: --start", start, folder)
    plan = Plan(world=world, debtors=debtors, people=people, start=first, days=days, roster=roster(agents))
    return with_month(plan, month)


def with_month(plan: "Plan", path: Path | None) -> "Plan":
    """Return a plan with what the document of --month says.

    Raises
    ------
    BadInput
        When there is no such document, it says what cannot be, or what would never happen in these days.
    """
    import tomllib

    from msgspec.structs import replace

    from console import settings
    from domain.errors import BadInput
    from simulation.circumstances import Circumstances

    if path is None:
        return plan
    if not path.is_file():
        raise BadInput(f"--month {path}: there is no such file; `cadencia simulate example month` prints one")
    told = settings.read(path, Circumstances, shown_from=path.parent)
    roster = replace(plan.roster, holidays=tuple(dict.fromkeys((*plan.roster.holidays, *told.holidays))))
    temper = plan.temper
    # What it leaves out stays as the roster has it.
    if stated := tomllib.loads(path.read_text(encoding="utf-8")).get("agents"):
        temper = replace(roster.temper or temper, **{name: getattr(told.agents, name) for name in stated})
        roster = replace(roster, temper=None)
    try:
        return replace(
            plan,
            roster=roster,
            incidents=told.incident,
            changes=told.change,
            swings=told.swings,
            temper=temper,
            exchange=told.network.over(plan.exchange),
        )
    except BadInput as error:
        raise BadInput(f"{path.name}: {error}") from None


def numbers(option: str, text: str) -> tuple[float, ...]:
    """Return the numbers of `10:60:10` (from:to:by, both ends in) or `10,20,40`.

    Raises
    ------
    BadInput
        When it is neither.
    """
    from domain.errors import BadInput

    try:
        if ":" in text:
            low, high, by = (float(one) for one in text.split(":"))
            count = int((high - low) / by + 1e-9) + 1
            if by <= 0 or not 1 <= count <= 1000:
                raise ValueError
            return tuple(round(low + by * n, 9) for n in range(count))
        return tuple(float(one) for one in text.split(",")) if text else ()
    except (ValueError, ZeroDivisionError):
        raise BadInput(f"{option} must be like 10:60:10 or 10,20,40, was {text!r}; correct it") from None


def whole(option: str, text: str) -> tuple[int, ...]:
    """Return numbers of agents, of `10:60:10` or `10,20,40`.

    Raises
    ------
    BadInput
        When one is none.
    """
    from domain.errors import BadInput

    found = numbers(option, text)
    for one in found:
        if one < 1 or one != round(one):
            raise BadInput(f"{option} must be of whole numbers from 1 on, was {one:g}; correct it")
    return tuple(round(one) for one in found)


def costs_of(path: Path | None) -> "Costs":
    from simulation.measures import SHIPPED, read_costs

    return read_costs(path or SHIPPED)


def workers_of(processes: int, cluster: str) -> "Workers":
    from simulation.workers import Workers

    check_number("simulate: --processes", processes, least=0, most=1024)
    return Workers(processes=processes, cluster=cluster)


def _answer(
    experiment: "Experiment", costs: "Costs", workers: "Workers", out: Path | None, folder: Path, as_json: bool
) -> None:
    """Run an experiment, keep it, and tell what it says."""
    from console import simulated_text
    from simulation import archive
    from simulation.comparison import compare
    from simulation.store import Store

    kept = kept_of(experiment, costs)
    home = out or folder / SIMULATIONS / archive.name_of(experiment, kept.versions)
    kept = archive.freeze(home, kept)
    ran = carried_out(kept, Store(folder / SIMULATIONS / CELLS), workers, quiet=as_json)
    result = compare(kept.experiment, ran, costs)
    archive.finish(home, kept, ran, result)
    tell(result, as_json, lambda: simulated_text.overview(result))
    if not as_json:
        note(f"The whole of it as a page: [bold]{(home / archive.REPORT).resolve().as_uri()}[/]")
    raise typer.Exit(1 if result.breaches else 0)


def kept_of(experiment: "Experiment", costs: "Costs") -> "Kept":
    import shlex
    import sys

    from console.versions import simulated
    from simulation.archive import Kept

    command = shlex.join(["cadencia", *sys.argv[1:]])
    return Kept(command=command, experiment=experiment, costs=costs, versions=simulated())


def carried_out(kept: "Kept", store: "Store", workers: "Workers", *, quiet: bool) -> "Ran":
    """Run the experiment with a bar; Ctrl-C keeps what is finished."""
    from simulation.experiment import run
    from simulation.measures import deciding, tally

    (by,) = deciding(kept.experiment.deciding).numerator

    def net_of(outcome: "Outcome") -> float:
        return tally(outcome, kept.costs, kept.costs.currency_of([outcome])).get(by, 0.0)

    try:
        with progress(quiet=quiet) as report:
            return run(kept.experiment, store, workers, versions=kept.versions, net_of=net_of, progress=report)
    except KeyboardInterrupt:
        note("Stopped. What is finished is kept: the same command goes on from there.")
        raise typer.Exit(130) from None


def _repeat(folder: Path, workers: "Workers", as_json: bool) -> None:
    """Compute an experiment anew from its folder and compare."""
    import tempfile

    from console.versions import simulated
    from domain.errors import BadInput
    from simulation import archive
    from simulation.store import Store

    kept = archive.read(folder)
    if not kept.outcomes:
        raise BadInput(f"{folder}: was never finished, so there is nothing to compare with; run its command first")
    now = simulated()
    differing = sorted(name for name, version in kept.versions.items() if now.get(name) != version)
    # What is kept in the working folder would only be compared with itself.
    with tempfile.TemporaryDirectory(prefix="cadencia-again-") as scratch:
        ran = carried_out(kept, Store(Path(scratch)), workers, quiet=as_json)
    equal = ran.digests == kept.outcomes
    told = {"folder": str(folder), "replications": ran.replications, "equal": equal, "other_versions": differing}

    def shown() -> str:
        if equal:
            return f"[bold green]Equal:[/] {ran.replications} replications gave the same bytes again."
        why = f"other versions: {', '.join(differing)}" if differing else "of the same versions; please report it"
        return f"[bold red]Not equal[/] ({why})."

    tell(told, as_json, shown)
    raise typer.Exit(0 if equal else 1)


def _check_itself(
    arm: "Arm",
    plan: "Plan",
    replications: int,
    seed: int,
    costs: "Costs",
    workers: "Workers",
    folder: Path,
    as_json: bool,
) -> None:
    from msgspec.structs import replace

    from console import simulated_text
    from simulation.experiment import Experiment
    from simulation.selfcheck import check
    from simulation.store import Store

    check_number("simulate run: --replications with --aa", replications, least=8, most=100_000)
    store = Store(folder / SIMULATIONS / CELLS)
    arms = (arm, replace(arm, name=f"{arm.name} again"))

    def ran(same_luck: bool) -> "Ran":
        experiment = Experiment(
            arms=arms, plan=plan, replications=replications, seed=seed, sequential=False, same_luck=same_luck
        )
        return carried_out(kept_of(experiment, costs), store, workers, quiet=as_json)

    found = check(ran(True), ran(False), costs)
    tell(found, as_json, lambda: simulated_text.checked(found))
    raise typer.Exit(0 if found.ok else 1)


@contextmanager
def progress(*, quiet: bool) -> Iterator[Callable[[str, int, int], None]]:
    """Give a report of (what, done, of) that draws a bar with the time left on a terminal."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    out = Console(stderr=True)
    if quiet or not out.is_terminal:
        yield lambda _what, _done, _of: None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    left = (TextColumn("left at most"), TimeRemainingColumn())
    with Progress(*columns, *left, console=out, transient=True) as bars:
        task = bars.add_task("months", total=None)
        yield lambda what, done, of: bars.update(task, description=what, completed=done, total=of)
