"""Trials for people: what a plan can see, and how a trial stands, in money."""

from typing import TYPE_CHECKING, Any

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from domain.instants import iso
from domain.money import EXPONENTS
from strategy.objectives import OBJECTIVES

if TYPE_CHECKING:
    from console.trial_plan import Planned
    from domain.intervals import Interval
    from ledger.trial_status import Status
    from strategy.offpolicy import Estimate, Worth

_WORDS = {
    "net": "net recovery",
    "collected": "collected",
    "cost": "cost",
    "agent_hours": "agent hours",
    "calls": "calls",
    "right_parties": "right-party contacts",
    "promises": "promises and plans",
    "promises_kept": "promises kept",
    "complaints": "complained",
    "stops": "asked for a stop",
    "disputes": "disputed",
}
_MONEY = frozenset({"net", "collected", "cost"})
_SAYS = {
    "better": "[bold green]better[/]",
    "worse": "[bold red]worse[/]",
    "no_difference": "no difference seen",
    "open": "open",
}


def plan(found: "Planned") -> RenderableType:
    """Return what a trial can see."""
    unit, of = "debtor" if found.unit == "debtor" else "day", OBJECTIVES[found.metric]
    told = (found.mean, found.deviation, found.effect)
    mean, deviation, effect = (_figure(of.figure, one, found.currency) for one in told)
    currency = of.unit or found.currency
    lines = [
        f"[bold]{found.strategy}[/]: a {unit} {'brings' if of.unit else 'nets'} {mean} {currency}; {unit}s "
        f"differ by {deviation} ({100 * found.explained:.0f} % of the variance is known before and taken out).",
        f"To see {100 * found.mde:g} % ({effect} {currency} a {unit}) with {100 * found.power:g} % "
        f"chance: [bold]{found.units:,} {unit}s[/] in {found.days} days of the calendar, "
        f"{' and '.join(f'{100 * share:.3g} %' for share in found.shares)} of them in the arms.",
    ]
    if found.visible is not None:
        lines.append(
            f"With the {found.people:,} that you have you see [bold]{100 * found.visible:.0f} %[/] or more in "
            f"{found.looks[-1]} days."
        )
    lines += [f"Assumed: {one}." for one in found.assumed]
    return Text.from_markup("\n".join(lines))


def status(found: "Status") -> RenderableType:
    """Return how a trial stands."""
    currency, of = found.currency, OBJECTIVES[found.metric]
    ended = f"; stopped: {found.stopped_why}" if found.stopped_why else ""
    parts: list[RenderableType] = [
        Text.from_markup(
            f"[bold]{found.experiment}[/] of campaign {found.campaign}, {found.strategy}: day {found.day:.0f} of "
            f"{found.days}, as known {iso(found.as_of_us)[:16]}Z{ended}\nDecided by {found.rule}."
        )
    ]
    table = Table(title=f"By {'debtor' if found.unit == 'debtor' else 'day'}; money in {currency}")
    table.add_column("")
    for arm in found.arms:
        units = f"{arm.units:,}" if arm.units else "no one yet" if found.unit == "debtor" else "no day yet"
        table.add_column(f"{arm.arm}\n{units} ({100 * arm.share:.3g} %)", justify="right")
    for metric, words in _WORDS.items():
        if any(metric in arm.by_unit for arm in found.arms):
            table.add_row(
                words,
                *(_figure(metric, arm.by_unit[metric].value, currency) if arm.units else "–" for arm in found.arms),
            )
    costs = [arm.cost_per_collected for arm in found.arms]
    table.add_row("cost per unit collected", *("–" if one is None else f"{one:.3f}" for one in costs))
    parts.append(table)
    for each in found.comparisons:
        lines = [f"[bold]{each.arm}[/] against {found.arms[0].arm}: {_SAYS[each.says]}"]
        for look in each.looks:
            uplift = f", {_share(look.relative)}" if look.relative is not None else ""
            lines.append(
                f"  day {look.fraction * found.days:.0f}: {_interval(look.difference, currency, of.figure)} "
                f"{of.unit or currency}{uplift} "
                f"(valid at all looks; {100 * look.explained:.0f} % of the variance taken out)"
            )
        lines += [
            f"  {_WORDS[metric]}: {_interval(one, currency, metric)} (to read, not to decide by)"
            for metric, one in each.now.items()
        ]
        parts.append(Text.from_markup("\n".join(lines)))
    lines = []
    if found.holdout is not None:
        lines.append(
            f"{found.arms[0].arm} against left alone: {_interval(found.holdout, currency)} {currency} a debtor "
            "(to read: what the work is worth)"
        )
    for guard in found.guards:
        colour = {"alarm": "bold red", "over": "yellow", "holds": "green"}[guard.state]
        lines.append(
            f"guardrail {escape(guard.metric)}, {guard.arm}: {guard.value:.3g} (at most {guard.most:g}; surely above "
            f"{guard.at_least:.3g}) [{colour}]{guard.state}[/]"
        )
    lines += [f"[yellow]careful:[/] {one}" for one in found.warnings]
    if found.promoted:
        lines.append(f"{found.promoted} was promoted.")
    elif found.reached:
        lines.append(f"Its rule names [bold]{found.reached}[/]: cadencia experiment promote {found.reached}")
    elif found.next_look is not None:
        lines.append(f"Its rule names no arm yet; the next look is after {found.next_look} days.")
    else:
        lines.append("Its end has come and its rule names no arm.")
    return Group(*parts, Text.from_markup("\n".join(lines)))


def valued(answer: dict[str, Any], found: "Worth") -> RenderableType:
    """Return what a strategy would have been worth on the record."""
    left, money = answer["left_out"], answer["currency"]
    lines = [
        f"[bold]{answer['strategy']}[/] on {found.n:,} decisions about {found.debtors:,} debtors of campaign "
        f"{answer['campaign']}: net of cost within {answer['days']} days of each decision, {money}",
        f"  had: {_estimate(found.had, money)}",
    ]
    if found.refused:
        lines.append(f"[yellow]no estimate:[/] {found.refused}")
    for name in ("ips", "snips", "dr"):
        if (one := getattr(found, name)) is not None:
            lines.append(f"  {name.upper()}: {_estimate(one, money)}")
    lines += [
        f"Worth {found.ess:,.0f} decisions; {100 * found.support:.1f} % of what it would do was tried; weights up to "
        f"{found.most_weight:,.1f}, {100 * found.cut:.2f} % of them cut.",
        f"Left out: {left['held_out']:,} held out, {left['unknown_document']:,} by documents that the record does not "
        f"hold, "
        f"{left['not_made_again']:,} that are not made again as they were.",
        f"Valued: {answer['values']}, one decision at a time: what many days of it would do to debtors is for a trial.",
        f"[yellow]Not valued:[/] {', '.join(answer['does_not_value'])}. Documents that differ in these alone have the "
        "same figures here; compare them with cadencia simulate run --strategy A --strategy B, or by an experiment.",
    ]
    return Text.from_markup("\n".join(lines))


def _money(value: float, currency: str) -> str:
    """Return an amount of major units with as many decimals as the currency has."""
    return f"{value:,.{EXPONENTS[currency]}f}"


def _estimate(one: "Estimate", currency: str) -> str:
    value, low, high = (_money(each, currency) for each in (one.value, one.low, one.high))
    return f"{value} ({low} to {high})"


def _figure(metric: str, value: float, currency: str) -> str:
    return _money(value, currency) if metric in _MONEY else f"{value:,.3f}"


def _interval(one: "Interval", currency: str, metric: str = "net") -> str:
    form = f"+,.{EXPONENTS[currency]}f" if metric in _MONEY else "+,.3f"
    return f"{one.value:{form}} ({one.low:{form}} to {one.high:{form}})"


def _share(one: "Interval") -> str:
    return f"{100 * one.value:+.1f} % ({100 * one.low:+.1f} % to {100 * one.high:+.1f} %)"
