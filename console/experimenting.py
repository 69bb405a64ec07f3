"""Commands that try a strategy on live people: experiment plan, start, status, stop, promote."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from console.command_line import HERE, AsJson, Folder, check_number, note, tell, user

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from domain.settings import CampaignSettings
    from ledger.experiments import Registered
    from ledger.trial_status import Status
    from strategy.documents import Strategy

app = typer.Typer(no_args_is_help=True, help="Try a strategy on live people: sizes, start, state, end, new champion.")

Costs = Annotated[Path | None, typer.Option("--costs", help="What calling costs; without it, assumed prices.")]
Word = Annotated[
    str, typer.Argument(metavar="[NAME|CAMPAIGN]", help="Without one, the last that was started.", show_default=False)
]
AskedBy = Annotated[str, typer.Option("--asked-by", help="Who wants it; without it, you.", show_default=False)]
ApprovedBy = Annotated[str, typer.Option("--approved-by", help="Who allows it: somebody else.", show_default=False)]
_METRIC = "net_recovery, right_party_contacts or promises_kept; without it, the objective of the document."
Metric = Annotated[str, typer.Option("--metric", help=_METRIC, show_default=False)]
At = Annotated[str, typer.Option("--at", help="As known at this instant, ISO 8601.", show_default=False)]


@app.command()
def plan(
    strategy: Annotated[str, typer.Argument(metavar="NAME|FILE", help="The document that draws the arms.")],
    mde: Annotated[float, typer.Option(help="Difference worth seeing, as a share of the metric.")] = 0.02,
    metric: Metric = "",
    power: Annotated[float, typer.Option(help="Chance to see it.")] = 0.8,
    alpha: Annotated[float, typer.Option(help="Chance to see one that is none, over all looks.")] = 0.05,
    days: Annotated[int, typer.Option(help="How long debtors are watched; days simulated.")] = 28,
    debtors: Annotated[int, typer.Option(help="Simulated.")] = 1000,
    agents: Annotated[str, typer.Option(help="A number, or a roster file.")] = "3",
    world: Annotated[str, typer.Option(help="Whose debtors; see `cadencia simulate worlds`.")] = "default",
    people: Annotated[
        int, typer.Option(help="Debtors that you have; 0: those of the working folder's campaign.", show_default=False)
    ] = 0,
    seed: Annotated[int, typer.Option(help="Of people and luck.")] = 1,
    costs: Costs = None,
    folder: Folder = HERE,
    as_json: AsJson = False,
) -> None:
    """How many debtors (or days) see how large a difference? From the spread of simulated debtors."""
    from console import experiment_text
    from console.simulating import check_folder, progress
    from console.strategising import path_of
    from console.trial_plan import planned
    from domain.errors import BadInput

    check_number("experiment plan: --mde", mde, least=0, most=10, above=True)
    check_number("experiment plan: --power", power, least=0.5, most=0.999)
    check_number("experiment plan: --alpha", alpha, least=0, most=0.5, above=True)
    check_number("experiment plan: --days", days, least=2, most=366)
    check_number("experiment plan: --debtors", debtors, least=100, most=1_000_000)
    check_folder(folder)
    path = path_of(strategy, folder)
    have = people or _own_people(folder)
    with progress(quiet=as_json) as report:
        found = planned(
            path, folder, mde=mde, power=power, alpha=alpha, days=days, debtors=debtors, agents=agents, world=world,
            people=have, seed=seed, costs=costs, metric=metric, report=report,
        )  # fmt: skip
    if found is None:
        raise BadInput(
            f"experiment plan: {strategy} brings nothing in this world by its metric (0 or less), so a share of it "
            "means nothing; name another --world, --metric, or your own --costs"
        )
    tell(found, as_json, lambda: experiment_text.plan(found))


@app.command()
def start(
    campaign: Annotated[str, typer.Argument(help="Its strategy's document draws the arms.")],
    name: Annotated[str, typer.Option("--name", help="Without it, the campaign's and the day's.")] = "",
    days: Annotated[
        int, typer.Option(help="Until it ends; without it, the document's ends_after_days, or 28.", show_default=False)
    ] = 0,
    alpha: Annotated[float, typer.Option(help="Chance to see a difference that is none, over all looks.")] = 0.05,
    mde: Annotated[float, typer.Option(help="Planned for, as a share; for the record.", show_default=False)] = 0.0,
    metric: Metric = "",
    since: Annotated[
        str, typer.Option("--since", help="Day on which it began, if before today; told for ever.", show_default=False)
    ] = "",
    asked_by: AskedBy = "",
    approved_by: ApprovedBy = "",
    folder: Folder = HERE,
    as_json: AsJson = False,
) -> None:
    """Write a trial down before anybody looks: document, arms, metric, looks, error, who asks, who approves."""
    import time
    from datetime import date

    import msgspec

    from console import settings
    from console.portfolio import opened
    from domain.errors import BadInput
    from domain.instants import midnight_us, to_datetime
    from ledger.experiments import Registered, register
    from ledger.trial_status import rule_words
    from strategy.evidence import schedule
    from strategy.objectives import check_metric

    check_number("experiment start: --alpha", alpha, least=0, most=0.5, above=True)
    loaded = settings.load(folder)
    own, strategy = _strategy(loaded.floor.campaign(campaign))
    trial = strategy.document.trial
    check_metric("experiment start", metric or strategy.document.objective)
    if len(strategy.arms) < 2:
        raise BadInput(
            f"strategies/{own.strategy}.toml: trial.arms has no challenger, so there is nothing to try; add "
            "[[trial.arms]] with the champion and its challengers"
        )
    days = days or trial.ends_after_days or 28
    check_number("experiment start: --days", days, least=1, most=366)
    now_us = time.time_ns() // 1000
    started_us = now_us
    if since:
        try:
            started_us = midnight_us(date.fromisoformat(since), loaded.floor.zone)
        except ValueError:
            raise BadInput(f"experiment start: --since must be a day as 2026-11-18, was {since!r}") from None
        if started_us > now_us:
            raise BadInput(f"experiment start: --since is {since}, which has not come; start it on that day")
    one = Registered(
        name=name or f"{campaign}-{to_datetime(started_us, loaded.floor.zone).date().isoformat()}",
        campaign=campaign,
        strategy=strategy.word,
        document=msgspec.json.encode(strategy).decode(),
        unit=trial.unit,
        metric=metric or strategy.document.objective,
        alpha=alpha,
        look_days=tuple(schedule(days)),
        mde=mde or None,
        started_us=started_us,
        registered_us=now_us,
        asked_by=asked_by or user(),
        approved_by=approved_by,
    )
    with opened(loaded) as ledger:
        register(ledger, one)
    rule = rule_words(one.metric, one.unit, alpha, one.look_days, len(strategy.arms))
    told = {name: getattr(one, name) for name in one.__struct_fields__ if name != "document"} | {"rule": rule}
    tell(
        told,
        as_json,
        lambda: (
            f"[green]started[/]  {one.name}: {strategy.word}, arms {', '.join(arm.name for arm in strategy.arms)}; "
            f"asked for by {one.asked_by}, approved by {one.approved_by}.\nDecided by {rule}."
        ),
    )


@app.command("status")
def show(
    name: Word = "",
    at: At = "",
    costs: Costs = None,
    folder: Folder = HERE,
    as_json: AsJson = False,
) -> None:
    """How a trial stands: money and counts by arm, what its rule says, guardrails, and what is suspicious."""
    from console import experiment_text, settings
    from console.portfolio import opened
    from ledger.experiments import find

    loaded = settings.load(folder)
    with opened(loaded) as ledger, ledger.reading() as connection:
        one = find(connection, name)
        found = _status(connection, one, at, costs, loaded.floor.zone)
    tell(found, as_json, lambda: experiment_text.status(found))


@app.command()
def stop(
    name: Word = "",
    why: Annotated[str, typer.Option("--why", help="For whoever reads the record later.")] = "",
    by: Annotated[str, typer.Option("--by", help="Who stops it; without it, you.", show_default=False)] = "",
    folder: Folder = HERE,
    as_json: AsJson = False,
) -> None:
    """End a trial: what comes later does not count. The document still draws arms until it is changed."""
    import time

    from console import settings
    from console.portfolio import opened
    from ledger import experiments

    loaded = settings.load(folder)
    with opened(loaded) as ledger:
        with ledger.reading() as connection:
            one = experiments.find(connection, name)
        experiments.stop(ledger, one.name, by=by or user(), why=why, at_us=time.time_ns() // 1000)
    tell(
        {"stopped": one.name, "why": why},
        as_json,
        lambda: f"[green]stopped[/]  {one.name}. Its document draws arms until you change it.",
    )


@app.command()
def promote(
    arm: Annotated[str, typer.Argument(help="Arm that becomes the champion.")],
    name: Word = "",
    despite: Annotated[
        str, typer.Option("--despite", help="Why, though its rule was not reached; kept.", show_default=False)
    ] = "",
    asked_by: AskedBy = "",
    approved_by: ApprovedBy = "",
    costs: Costs = None,
    folder: Folder = HERE,
    as_json: AsJson = False,
) -> None:
    """Make an arm's document the champion's, its comments kept; the one before is kept in strategies/earlier/."""
    import time

    from console import settings
    from console.champion import written
    from console.portfolio import opened
    from domain.errors import BadInput
    from ledger import experiments

    loaded = settings.load(folder)
    with opened(loaded) as ledger:
        with ledger.reading() as connection:
            one = experiments.find(connection, name)
            found = _status(connection, one, "", costs, loaded.floor.zone)
        arms = [each.name for each in one.read.arms]
        if arm not in arms:
            raise BadInput(f"experiment promote: {one.name} has no arm {arm!r}; it has {', '.join(arms)}")
        experiments.four_eyes(asked_by or user(), approved_by)
        if one.promoted is not None:
            raise BadInput(f"experiment promote: {one.promoted} of {one.name} was promoted before; start a new one")
        if found.reached != arm and not despite.strip():
            says = f"it names {found.reached}" if found.reached else "it has named no arm yet"
            raise BadInput(
                f"experiment promote: the rule of {one.name} does not name {arm}: {says}; wait for the next look, or "
                'say why all the same: --despite "…"'
            )
        path = folder / settings.STRATEGIES / f"{one.read.document.name}.toml"
        strategy, earlier = written(path, one, arm)
        experiments.promote(
            ledger, one, arm, strategy, asked_by=asked_by or user(), approved_by=approved_by,
            despite=despite if found.reached != arm else None, at_us=time.time_ns() // 1000,
        )  # fmt: skip
    told = {"promoted": arm, "strategy": strategy, "file": str(path), "earlier": str(earlier), "rule": found.reached}
    tell(
        told,
        as_json,
        lambda: (
            f"[green]promoted[/]  {arm} of {one.name}: {path} is {strategy} now, and the trial has ended.\n"
            f"What stood there is in {earlier}. The next list is made by it; see cadencia strategy show "
            f"{one.read.document.name}"
        ),
    )
    if not as_json and found.reached != arm:
        note("Its rule was not reached; your reason is on record.")


# ---- what the commands share


def _strategy(campaign: "CampaignSettings") -> "tuple[CampaignSettings, Strategy]":
    from domain.errors import BadInput
    from strategy.documents import strategy_of

    strategy = strategy_of(campaign)
    if strategy is None:
        raise BadInput(
            f'campaigns/{campaign.name}.toml: has no strategy, so nothing draws arms; write strategy = "NAME" in it'
        )
    return campaign, strategy


def _own_people(folder: Path) -> int:
    """Return how many people the folder's only campaign works; 0 where that cannot be said."""
    import time

    from console import settings
    from console.portfolio import opened
    from ledger.plans import chosen_people

    if not (folder / settings.SETTINGS_FILE).is_file():
        return 0
    loaded = settings.load(folder)
    if len(loaded.floor.campaigns) != 1:
        return 0
    with opened(loaded) as ledger, ledger.reading() as connection:
        now_us = time.time_ns() // 1000
        return len(chosen_people(connection, loaded.floor.campaigns[0], now_us, loaded.floor.zone))


def _status(connection: "Connection", one: "Registered", at: str, costs: Path | None, zone: str) -> "Status":
    import time

    from console.prices import prices_of
    from console.running import instant
    from ledger.trial_status import status
    from ledger.trial_units import read_units

    at_us = instant(at) if at else time.time_ns() // 1000
    if one.stopped_us is not None:
        at_us = min(at_us, one.stopped_us)
    arms = [arm.name for arm in one.read.arms]
    prices = prices_of(connection, costs)
    fairness = one.read.document.trial.fairness
    groups = () if fairness is None else fairness.by
    units = read_units(connection, one.campaign, arms, one.started_us, at_us, zone, prices, groups)
    return status(one, units, at_us, zone)
