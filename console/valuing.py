"""The command ope: what a strategy would have been worth on decisions that others took."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from console.command_line import HERE, AsJson, Folder, check_number, tell

if TYPE_CHECKING:
    from strategy.documents import Strategy

app = typer.Typer()


@app.command(rich_help_panel="Try out")
def ope(
    strategy: Annotated[str, typer.Option("--strategy", "-s", help="The new one: NAME or FILE.")],
    campaign: Annotated[str, typer.Option("--campaign", "-c", help="Whose decisions.", show_default=False)] = "",
    days: Annotated[int, typer.Option(help="Money counts so long after each decision.")] = 7,
    back: Annotated[int, typer.Option("--back", help="Decisions of so many days back.")] = 90,
    costs: Annotated[Path | None, typer.Option("--costs", help="What calling costs.", show_default=False)] = None,
    folder: Folder = HERE,
    as_json: AsJson = False,
) -> None:
    """What would it have been worth to call whom a strategy calls, on the record? Refuses where that cannot be said."""
    import time

    import msgspec
    import numpy as np

    from console import settings
    from console.portfolio import opened
    from console.prices import prices_of
    from console.simulating import progress
    from console.strategising import path_of
    from domain.errors import BadInput
    from domain.instants import DAY
    from ledger.experiments import experiments
    from ledger.past_decisions import ACTIONS, documents, log_of
    from strategy.checking import read
    from strategy.documents import rules_of, strategy_of
    from strategy.fields import SCORES
    from strategy.offpolicy import NOT_VALUED, VALUED, expected, worth

    check_number("ope: --days", days, least=1, most=366)
    check_number("ope: --back", back, least=1, most=3660)
    loaded = settings.load(folder)
    known = [one.name for one in loaded.floor.campaigns]
    if not campaign and len(known) != 1:
        raise BadInput(f"ope: --campaign: name one of {', '.join(known) or 'none: make one with cadencia init'}")
    own = loaded.floor.campaign(campaign or known[0])
    new = read(path := path_of(strategy, folder))
    rules = rules_of(new.document)
    reads = frozenset().union(*(one.reads for one in (*rules.segments, *rules.stops.values())))
    if scores := sorted(reads & set(SCORES)):
        raise BadInput(
            f"ope: {new.document.name} divides debtors by {', '.join(scores)}, and what a model said on past days is "
            "not made again here; try it as a challenger"
        )
    now_us = time.time_ns() // 1000
    with opened(loaded) as ledger, ledger.reading() as connection:
        at_hand = documents(connection, own.name) | {one.strategy: one.read for one in experiments(connection)}
        if (running := strategy_of(own)) is not None:
            at_hand[running.word] = running
        with progress(quiet=as_json) as report:
            log = log_of(
                connection, own, new, at_hand, days=days, from_us=now_us - back * DAY, to_us=now_us,
                zone=loaded.floor.zone, prices=(prices := prices_of(connection, costs)), report=report,
            )  # fmt: skip
    if not len(log.reward):
        raise BadInput(
            f"ope: the record of campaign {own.name} has no decision of {days} to {back} days ago that can be made "
            f"again ({log.unknown} by documents that the record does not hold, {log.differing} not made again as they "
            f"were, {log.held_out} held out); give the campaign a strategy, and wait"
        )
    predicted = expected(log.reward, log.action, log.features, log.fold, len(ACTIONS))
    found = worth(
        reward=log.reward, action=log.action, logged=log.logged, new=log.new, debtor=log.debtor, predicted=predicted
    )
    others = [word for word in log.by if word != new.word]
    if others and np.allclose(log.new, log.logged, rtol=0.0, atol=1e-9):
        running_one = own.name if running is not None and running.word != new.word else "EARLIER.toml"
        blind = _blind(at_hand[others[-1]], new, f"--strategy {running_one} --strategy {path}")
        found = msgspec.structs.replace(found, refused=blind, ips=None, snips=None, dr=None)
    answer = {
        "strategy": new.word,
        "campaign": own.name,
        "currency": prices.currency,
        "days": days,
        "values": VALUED,
        "does_not_value": NOT_VALUED,
        "by_document": log.by,
        "left_out": {"held_out": log.held_out, "unknown_document": log.unknown, "not_made_again": log.differing},
        "worth": msgspec.to_builtins(found),
    }

    def shown() -> Any:
        from console.experiment_text import valued

        return valued(answer, found)

    tell(answer, as_json, shown)
    raise typer.Exit(1 if found.refused else 0)


def _blind(ran: "Strategy", new: "Strategy", both: str) -> str:
    """Return why there is no value of a strategy that holds on its lists whom those that ran held."""
    from strategy.words import sentences

    before, after = sentences(ran), sentences(new)
    differ = [key for key in dict.fromkeys((*after, *before)) if before.get(key) != after.get(key)]
    return (
        f"{new.word} holds on every list of the record whom what ran held, with the same chances; it differs from "
        f"{ran.word} in {', '.join(differ) or 'nothing but its name'}, and none of that is valued here. Compare them "
        f"where it counts: cadencia simulate run {both}, or an experiment"
    )
