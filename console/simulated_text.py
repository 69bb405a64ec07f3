"""Experiments as a terminal shows them."""

from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from simulation.comparison import Compared, Result
from simulation.experiment import factor_value
from simulation.phrases import days, difference_text, interval_text, money, value_text
from strategy.objectives import OBJECTIVES

if TYPE_CHECKING:
    from simulation.selfcheck import SelfCheck

#: Of the dictionary, what a terminal shows.
_SHOWN = (
    "net_recovery", "collected", "cost", "cost_per_collected", "right_party", "rpc_per_agent_hour", "ptp_rate",
    "promises_kept", "kept_ptp_rate", "attempts", "live_answer_rate", "abandon_rate", "occupancy", "complaints",
)  # fmt: skip
#: Of those, what is shown of every setting of a sweep.
_OF_SETTINGS = ("net_recovery", "cost_per_collected", "right_party", "rpc_per_agent_hour", "abandon_rate", "occupancy")


def overview(result: Result) -> RenderableType:
    """Return the question, the answer, and what differs."""
    head = Text.assemble(
        (f"{result.question}\n", "dim"),
        (result.answer, "bold"),
        f"\nWorld {result.world}, {result.debtors:,} debtors, {days(result.n_days)} from {result.start}"
        f"{f', {result.staff}' if result.staff else ''}.",
        *(f"\n  {one}" for one in result.month),
    )
    parts: list[RenderableType] = [head]
    if len(result.compared) == 1:
        parts.append(_differences(result, result.compared[0]))
    else:
        parts.append(_settings(result))
        parts += [
            f"One more agent under {escape(one.arm)}{f' ({one.setting})' if one.setting else ''} nets "
            + interval_text(one.value, lambda value: money(value, result.currency))
            for one in result.staffing
        ]
    for versus in result.compared[0].versus if len(result.compared) == 1 else ():
        if versus.power is not None:
            parts.append(
                f"[dim]{escape(versus.arm)}: to see {100 * versus.power.effect:.0f} % of "
                f"{OBJECTIVES[result.objective].words} with a chance of {100 * versus.power.wanted:.0f} %: "
                f"{versus.power.keyed:,} replications with the same luck, {versus.power.independent:,} without.[/]"
            )
    breaches = "[green]0 breaches[/]" if not result.breaches else f"[bold red]{result.breaches:,} breaches[/]"
    parts.append(breaches)
    parts += [f"  [red]{escape(told)}[/]" for one in result.compared for told in one.breaches_told]
    return Group(*parts)


def _differences(result: Result, one: Compared) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("metric")
    for name in result.arms:
        table.add_column(escape(name), justify="right")
    for name in result.arms[1:]:
        table.add_column(
            escape(f"{name} − {result.arms[0]}") if len(result.arms) > 2 else "difference", justify="right"
        )
    for line in one.lines:
        if line.name not in _SHOWN:
            continue
        cells = [value_text(line, value, result.currency) for value in line.values]
        for found in line.differences:
            text = difference_text(line, found, result.currency)
            style = "" if not found.is_clear or not line.better else "green" if found.value * line.better > 0 else "red"
            cells.append(f"[{style}]{text}[/]" if style else text)
        table.add_row(line.words, *cells)
    return table


def _settings(result: Result) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    several = len(result.arms) > 1
    for name in (*result.compared[0].factors, *(["arm"] if several else [])):
        table.add_column(name)
    first, *others = result.compared[0].lines
    shown = [first, *(line for line in others if line.name in _OF_SETTINGS)]
    for line in shown:
        table.add_column(line.words, justify="right")
    for one in result.compared:
        by_name = {line.name: line for line in one.lines}
        for number, arm in enumerate(result.arms):
            values = [value_text(line, by_name[line.name].values[number], result.currency) for line in shown]
            table.add_row(
                *(escape(factor_value(name, value)) for name, value in one.factors.items()),
                *([escape(arm)] if several else []),
                *values,
            )
    return table


def checked(found: "SelfCheck") -> RenderableType:
    """Return what an A/A check found."""
    same = "[green]nothing differs[/]" if not found.differ else f"[bold red]{', '.join(found.differ)} differ[/]"
    called = f": {', '.join(found.called)}" if found.called else ""
    return (
        f"[bold]{escape(found.strategy)} against itself, {found.replications} replications: "
        f"{'as promised' if found.ok else 'not as promised'}.[/]\n"
        f"With the same luck {same}.\n"
        f"With luck of their own {len(found.called)} of {found.metrics} metrics seem to differ{called}.\n"
        f"Dealt anew many times, {found.called_share:.1%} of 95 % intervals leave zero out (5 % is promised);\n"
        f"net recovery, looked at after every replication, is called in {found.watched_share:.1%} "
        f"(5 % at most is promised; {found.unwatched_share:.1%} with ordinary intervals)."
    )
