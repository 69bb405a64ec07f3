"""The command forecast: what a campaign's own list may bring with so many agents and hours."""

from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from console.command_line import HERE, AsJson, Folder, check_number, tell
from console.simulating import (
    CELLS,
    SIMULATIONS,
    Cluster,
    CostsFile,
    MonthFile,
    Processes,
    Seed,
    World,
    carried_out,
    costs_of,
    kept_of,
    numbers,
    whole,
    with_month,
    workers_of,
)

if TYPE_CHECKING:
    from rich.console import RenderableType

    from console.settings import Settings
    from simulation.forecast import Expected, Forecast

app = typer.Typer()


@app.command(rich_help_panel="Try out")
def forecast(
    campaign: Annotated[str, typer.Argument(help="Name of the campaign.", show_default=False)],
    agents: Annotated[str, typer.Option(help="10:60:10 or 10,20; without it, those on record.")] = "",
    hours: Annotated[str, typer.Option(help="Lengths of the shift: 6,8.")] = "8",
    days: Annotated[int, typer.Option(help="Days of the floor's calendar.")] = 5,
    start: Annotated[str | None, typer.Option(help="First day; without it, tomorrow.")] = None,
    month: MonthFile = None,
    world: World = "default",
    replications: Annotated[int, typer.Option(help="Of every staffing; the more, the surer the ranges.")] = 10,
    seed: Seed = 1,
    costs: CostsFile = None,
    processes: Processes = 0,
    cluster: Cluster = "",
    folder: Folder = HERE,
    as_json: AsJson = False,
) -> None:
    """What will this list bring? Agents and hours to attempts, contacts, promises, abandonment, and the list's end."""
    from console import settings
    from console.strategies import arm_of
    from domain.errors import BadInput
    from simulation.experiment import Experiment
    from simulation.forecast import forecast as expect
    from simulation.month import Plan
    from simulation.population import load
    from simulation.roster import roster
    from simulation.store import Store

    check_number("forecast: --replications", replications, least=3, most=100_000)
    loaded = settings.load(folder)
    loaded.floor.campaign(campaign)
    load(world)
    staffing = whole("forecast: --agents", agents) or (_on_record(loaded, campaign),)
    if not staffing[0]:
        raise BadInput(f"forecast: no agent of campaign {campaign!r} is on record; add them, or say --agents 20")
    people, accounts = own_people(campaign, folder)
    plan = Plan(
        world=world,
        debtors=accounts,
        people=people,
        start=first_day("forecast: --start", start, folder),
        days=days,
        roster=roster(staffing[0]),
    )
    experiment = Experiment(
        arms=(arm_of(campaign, folder),),
        plan=with_month(plan, month),
        agents=staffing,
        hours=numbers("forecast: --hours", hours),
        replications=replications,
        seed=seed,
        sequential=False,
    )
    prices = costs_of(costs)
    store = Store(folder / SIMULATIONS / CELLS)
    ran = carried_out(kept_of(experiment, prices), store, workers_of(processes, cluster), quiet=as_json)
    found = expect(experiment, ran, prices)
    tell(found, as_json, lambda: shown(found))
    raise typer.Exit(1 if any(one.breaches for one in found.expected) else 0)


def own_people(campaign: str, folder: Path) -> tuple[str, int]:
    """Keep a campaign's people, as the ledger knows them now, and return the file and how many they are.

    Raises
    ------
    BadInput
        When nobody is on its list.
    """
    import time

    from console import settings
    from domain.errors import BadInput
    from ledger.people import dossiers
    from ledger.plans import chosen_people
    from ledger.store import open_ledger
    from simulation.ownlist import write_people

    loaded = settings.load(folder)
    chosen, at_us = loaded.floor.campaign(campaign), time.time_ns() // 1000
    ledger = open_ledger(loaded.ledger_url)
    try:
        with ledger.reading() as connection:
            # Whoever is not called today may be tomorrow.
            persons = chosen_people(connection, chosen, at_us, loaded.floor.zone)
            people = dossiers(connection, persons, at_us)
    finally:
        ledger.close()
    if not people:
        raise BadInput(
            f"campaign {campaign!r}: nobody is on its list; import accounts (cadencia import FILE), or widen its "
            "selection"
        )
    return str(write_people(folder / SIMULATIONS / "lists", people).resolve()), len(people)


def _on_record(loaded: "Settings", campaign: str) -> int:
    """Return how many agents on record serve a campaign."""
    from console.portfolio import opened
    from console.roster import agents

    with opened(loaded) as ledger:
        return sum(one.active and (not one.campaigns or campaign in one.campaigns) for one in agents(ledger))


def first_day(option: str, start: str | None, folder: Path) -> str:
    """Return the day on which simulating an own list begins: the one named, or tomorrow.

    Raises
    ------
    BadInput
        When it is none, or past: what is on record since would still lie before those who are called.
    """
    import time
    from datetime import timedelta

    from console import settings
    from domain.errors import BadInput
    from domain.instants import to_datetime
    from simulation.circumstances import day_of

    today = to_datetime(time.time_ns() // 1000, settings.load(folder).floor.zone).date()
    if not start:
        return (today + timedelta(days=1)).isoformat()
    if day_of(start, option) < today:
        raise BadInput(f"{option} must be {today} or later, was {start}: the list is simulated as it stands now")
    return start


def shown(found: "Forecast") -> "RenderableType":
    """Return a forecast for people."""
    from rich.console import Group
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="dim")
    counts = ("attempts", "right-party contacts", "promises")
    for name in ("agents", "hours", *counts, "abandonment", "occupancy"):
        table.add_column(name, justify="right")
    # As likely before as after; whoever wants the first and the last asks for JSON.
    table.add_column("list ends")
    for one in found.expected:
        figures = one.figures
        table.add_row(
            *(f"{one.factors[name]:g}" if name in one.factors else "" for name in ("agents", "hours")),
            *(_range(figures[name].low, figures[name].high) for name in ("attempts", "right_party", "promises")),
            *(_shares(figures[name].low, figures[name].high) for name in ("abandon_rate", "occupancy")),
            _end(one),
        )
    head = (
        f"[bold]{found.campaign}[/]: {found.accounts:,} debtors on its list, {found.days} days from {found.start}, "
        f"world {found.world}.\nEach range holds what one such span of days brings, with 95 % certainty "
        f"({found.replications} replications)."
    )
    return Group(head, table)


def _range(low: float, high: float) -> str:
    return f"{low:,.0f} – {high:,.0f}"


def _shares(low: float, high: float) -> str:
    return f"{100 * low:.1f} – {100 * min(1.0, high):.1f} %" if isfinite(high) else "–"


def _end(one: "Expected") -> str:
    if not one.ends_at:
        return "not within these days"
    when = one.ends_at[1][:16].replace("T", " ")
    return when if one.list_ends == 1.0 else f"{when}, in {100 * one.list_ends:.0f} %"
