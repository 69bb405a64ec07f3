"""The command simulate history: a ledger with a past, for whoever has none yet to try models and reports on."""

from typing import Annotated

import typer

from console.command_line import HERE, AsJson, Folder, check_number, note, tell

app = typer.Typer()

#: When the halves of a number of agents work, by the floor's clock.
_MORNING, _EVENING = ("10:00", "13:30"), ("17:00", "20:30")


@app.command()
def history(
    debtors: Annotated[int, typer.Option(help="How many owe.")] = 2000,
    days: Annotated[int, typer.Option(help="Days worked, the last of them yesterday.")] = 45,
    agents: Annotated[str, typer.Option(help="A number, half of them in the evening; or a roster file.")] = "4",
    campaign: Annotated[str, typer.Option(help="Of the working folder: how the list was worked.")] = "sample",
    world: Annotated[str, typer.Option(help="Whose debtors; see `cadencia simulate worlds`.")] = "default",
    seed: Annotated[int, typer.Option(help="Of people and luck.")] = 1,
    folder: Folder = HERE,
    as_json: AsJson = False,
) -> None:
    """Give an empty ledger a past: simulated debtors, called, promising and paying, day by day until yesterday."""
    import time
    from datetime import timedelta

    from sqlalchemy import select

    from console import settings
    from console.simulating import check_folder, progress
    from console.strategies import arm_of
    from domain.errors import BadInput
    from domain.instants import to_datetime
    from ledger.schema import person
    from ledger.store import open_ledger
    from simulation.books import book_month
    from simulation.month import Plan
    from simulation.population import load
    from simulation.roster import Roster, Shift, roster

    check_number("simulate history: --debtors", debtors, least=1, most=1_000_000)
    check_number("simulate history: --days", days, least=1, most=366)
    check_folder(folder)
    load(world)
    loaded = settings.load(folder)
    arm = arm_of(campaign, folder)
    today = to_datetime(time.time_ns() // 1000, loaded.floor.zone).date()
    start = today - timedelta(days=days)
    staff = roster(agents)
    if agents.isdecimal():
        # Who is called at one time of day alone teaches nothing of the others.
        halves = (((int(agents) + 1) // 2, *_MORNING), (int(agents) // 2, *_EVENING))
        staff = Roster(shift=tuple(Shift(agents=n, begin=begin, end=end) for n, begin, end in halves if n))
    plan = Plan(world=world, debtors=debtors, start=start.isoformat(), days=days, roster=staff)
    began = time.monotonic()
    with open_ledger(loaded.ledger_url) as ledger:
        with ledger.reading() as connection:
            if connection.execute(select(person.c.id).limit(1)).scalar() is not None:
                raise BadInput(
                    f"simulate history: the ledger of {folder} holds debtors already, and a made-up past does not "
                    "belong beside real ones; make another folder with `cadencia init`"
                )
        with progress(quiet=as_json) as report:
            found = book_month(arm, plan, seed, ledger, report=report)
    told = {
        "debtors": debtors, "first_day": start.isoformat(), "days": days, "attempts": found.total("attempts"),
        "right_party_contacts": found.total("right_party"), "promises": found.total("promises"),
        "seconds": round(time.monotonic() - began, 1),
    }  # fmt: skip
    tell(
        told,
        as_json,
        lambda: (
            f"{debtors:,} debtors with a past of {days} days from {start}: {told['attempts']:,} calls, "
            f"{told['right_party_contacts']:,} conversations with the debtor, {told['promises']:,} promises."
        ),
    )
    if not as_json:
        note("Next: cadencia models fit")
