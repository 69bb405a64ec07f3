"""Commands of the strategy lead about the plan of the week: plan prices, plan show."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from console.command_line import HERE, AsJson, Folder, tell
from console.strategising import Campaign

if TYPE_CHECKING:
    from console.why import Moved
    from strategy.planning import Plan

app = typer.Typer(no_args_is_help=True, help="The week by the hour: what an agent's hour is worth, who is for when.")


@app.command()
def prices(campaign: Campaign = "", folder: Folder = HERE, as_json: AsJson = False) -> None:
    """What is one more agent hour worth, by hour of the coming week? With what was assumed."""
    _tell("prices", campaign, folder, as_json)


@app.command()
def show(campaign: Campaign = "", folder: Folder = HERE, as_json: AsJson = False) -> None:
    """How many debtors and how much expected value each hour of the coming week holds, and the capacity used."""
    _tell("show", campaign, folder, as_json)


#: What a conversation is worth where it is no quantity of `rank_by`.
_VALUED = {"right_party_contacts": "one, whoever it is with", "kept_per_contact": "the kept promises that it brings"}


def _tell(what: str, campaign: str, folder: Path, as_json: bool) -> None:
    name, found, currency, moved, zone = _planned(campaign, folder)
    answer: dict[str, Any] = {
        "campaign": name,
        "currency": currency,
        "arms": {arm: _answer(what, plan) for arm, plan in found.items()},
    }
    if what == "show":
        answer["planned_anew"] = moved

    def shown() -> Any:
        from rich.console import Group

        from console.why import moved_words

        said = [f"Today's list was {moved_words(moved, zone)}."] if what == "show" and moved is not None else []
        return Group(_shown(what, name, found, currency), *said)

    tell(answer, as_json, shown)


def _answer(what: str, plan: "Plan") -> dict[str, Any]:
    import msgspec

    told: dict[str, Any] = msgspec.to_builtins(plan)
    own = ("agent_hour",) if what == "prices" else ("debtors", "value")
    kept = ("local", "agents", *own, "used")
    told["slots"] = [{field: one[field] for field in kept} for one in told["slots"] if one["agents"]]
    return told


def _planned(campaign: str, folder: Path) -> "tuple[str, dict[str, Plan], str | None, Moved | None, str]":
    """Return a campaign, the plans of its arms as the ledger stands now, and the currency of all; nothing is kept.

    And by what the rest of today was planned anew last, and the floor's zone.
    """
    import time

    from console import settings
    from console.accepted import gate_in_force
    from console.portfolio import opened
    from console.why import Moved
    from domain.errors import BadInput
    from domain.instants import midnight_us, to_datetime
    from ledger import score_fields
    from ledger.plans import last_learned
    from ledger.strategic import list_of, plan_of, wanted
    from strategy.planning import Floor, planned

    loaded = settings.load(folder)
    known = [one.name for one in loaded.floor.campaigns]
    if not campaign and len(known) != 1:
        raise BadInput(f"--campaign: name one of {', '.join(known) or 'none: make one with cadencia init'}")
    chosen = loaded.floor.campaign(campaign or known[0])
    if not chosen.document:
        raise BadInput(f'campaign {chosen.name!r} has no strategy; give it one that says plan = "slots"')
    at_us = time.time_ns() // 1000
    with opened(loaded) as ledger:
        with ledger.reading() as connection:
            scores = score_fields.serving(ledger.reading, connection, at_us, wanted(chosen))
            listing = list_of(connection, chosen, at_us, loaded.floor.zone, scores).listing
        if not planned(listing):
            raise BadInput(
                f'campaign {chosen.name!r}: strategy {chosen.strategy!r} plans no hours; write plan = "slots" into it'
            )
        floor = Floor(gate_in_force(loaded.rules), loaded.floor)
        _, _, plans = plan_of(ledger.reading, chosen, listing, scores, floor)
        today = to_datetime(at_us, loaded.floor.zone).date()
        with ledger.reading() as connection:
            last = last_learned(connection, chosen.name, midnight_us(today, loaded.floor.zone))
    if not plans:
        raise BadInput(f"campaign {chosen.name!r}: nobody is on its list now, so there is nothing to plan")
    if not any(one.agents for plan in plans.values() for one in plan.slots):
        raise BadInput(
            f"campaign {chosen.name!r}: no agent is planned in any hour; add agents (cadencia agents add), or say "
            "[capacity] agents = { 9 = 4, 10 = 4 } in its strategy"
        )
    currencies = set(listing.columns["currency"][listing.order].tolist())
    moved = None if last is None else Moved(at_us=last[0], by=last[1])
    return chosen.name, plans, currencies.pop() if len(currencies) == 1 else None, moved, loaded.floor.zone


def _shown(what: str, campaign: str, plans: "dict[str, Plan]", currency: str | None) -> Any:
    from rich.console import Group
    from rich.table import Table

    from domain.money import EXPONENTS

    parts: list[Any] = []
    for arm, plan in plans.items():
        unit = (
            f", {plan.unit}"
            if plan.unit and not plan.money
            else " (in units of what ranks, which is no money)"
            if not plan.money
            else f", {currency}"
            if currency
            else " (in minor units of several currencies)"
        )
        decimals = EXPONENTS[currency] if plan.money and currency else 2
        major = 10.0**decimals if plan.money and currency else 1.0
        table = Table(box=None, pad_edge=False, header_style="dim")
        days = list(dict.fromkeys(one.local[:10] for one in plan.slots if one.agents))
        hours = sorted({one.local[11:16] for one in plan.slots if one.agents})
        table.add_column("")
        for day in days:
            table.add_column(day[5:], justify="right")
        at = {(one.local[:10], one.local[11:16]): one for one in plan.slots}
        for hour in hours:
            cells = []
            for day in days:
                one = at.get((day, hour))
                if one is None or not one.agents:
                    cells.append("")
                elif what == "prices":
                    cells.append(f"{one.agent_hour / major:,.{decimals}f}")
                else:
                    worth = f"{one.value / major:,.{0 if plan.money or not plan.unit else 1}f}"
                    cells.append(f"{one.debtors:,} · {worth} · {100 * one.used:.0f} %")
            table.add_row(hour, *cells)
        head = (
            f"one more agent hour adds{unit}"
            if what == "prices"
            else f"debtors · expected value{unit} · share of the agents' time"
        )
        valued = (
            ", ".join(f"{_VALUED.get(name, name)} ({100 * share:.0f} %)" for name, share in plan.valued_by.items())
            or "nothing known"
        )
        pace = plan.pace
        apart = f"{pace.handling_per_person_s:.0f} s with people and {pace.handling_per_machine_s:.0f} s with machines"
        said = (
            f"{plan.debtors:,} debtors on the list, {plan.planned:,} planned within the week, {plan.today:,} of them "
            f"today. A conversation is worth {valued}; hours are told apart by a model for "
            f"{100 * plan.forecast:.0f} % of them. Assumed: {100 * plan.occupancy:.0f} % of agents' time on calls, "
            f"{100 * pace.p_answered:.0f} % of calls answered where no model says it, "
            f"{pace.handling_per_call_s:.0f} s each, where one tells machines apart {apart} "
            f"({pace.attempts:,} recent calls counted). "
            f"No plan at these terms is better by more than {100 * plan.gap:.2f} %."
        )
        parts += [f"[bold]{campaign}[/], arm {arm}: {head}", table, said]
    return Group(*parts)
