"""The answers of the strategy commands for people."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from domain.money import amount_text

if TYPE_CHECKING:
    from ledger.strategy_counts import Counts, Moves


def checked(answers: Sequence[Mapping[str, Any]]) -> RenderableType:
    """Return what was found of each document."""
    parts: list[RenderableType] = []
    for one in answers:
        problems = one["problems"]
        if problems:
            many = "1 mistake" if len(problems) == 1 else f"{len(problems)} mistakes"
            parts.append(Text(f"{one['file']}: {many}", style="bold red"))
            parts += [Text(f"  {problem}") for problem in problems]
        else:
            parts.append(Text.assemble((f"{one['file']}: ", "bold"), ("holds", "bold green"), f", {one['strategy']}"))
        parts += _notes(one)
    return Group(*parts)


def _notes(one: Mapping[str, Any]) -> list[RenderableType]:
    notes = [Text(f"  not done yet: {note}", style="yellow") for note in one["planned"]]
    return [*notes, *(Text(f"  consider: {note}", style="cyan") for note in one["advice"])]


def document(answer: Mapping[str, Any], found: "Counts | None") -> RenderableType:
    """Return a document in words, and what its segments hold."""
    parts: list[RenderableType] = [Text(answer["strategy"], style="bold")]
    if answer["about"]:
        parts.append(Text(answer["about"]))
    table = Table.grid(padding=(0, 2))
    for key, sentence in answer["says"].items():
        table.add_row(f"[bold]{escape(key)}[/]", escape(sentence))
    parts += [table, *_notes(answer)]
    if found is not None:
        parts += ["", _counts(found)]
    return Group(*parts)


def _nobody(campaign: str) -> RenderableType:
    return (
        f"Campaign [bold]{escape(campaign)}[/]: no account that it works is on record, so nobody can be counted; "
        "cadencia import FILE brings them."
    )


def _counts(found: "Counts") -> RenderableType:
    if not found.accounts:
        return _nobody(found.campaign)
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("segment")
    table.add_column("treatment")
    for name in ("accounts", "owed", "on today's list"):
        table.add_column(name, justify="right")
    for one in found.segments:
        owed = "\n".join(amount_text(minor, currency) for currency, minor in one.owed_minor.items())
        table.add_row(one.segment, one.treatment, f"{one.accounts:,}", owed, f"{one.listed:,}")
    head = (
        f"Campaign [bold]{escape(found.campaign)}[/], as the ledger stands: {found.accounts:,} debtors, "
        f"{found.listed:,} on a list made now; {found.unreachable:,} have no number, {found.held_out:,} are held out."
    )
    return Group(head, table)


def changed(answer: Mapping[str, Any], found: "Moves | None") -> RenderableType:
    """Return what changes between two documents."""
    head = f"[bold]From {escape(answer['first'])} to {escape(answer['second'])}[/]"
    if not answer["changes"]:
        return f"{head}: nothing changes."
    parts: list[RenderableType] = [head]
    for one in answer["changes"]:
        parts.append(Text(one["of"], style="bold"))
        if one["before"] is not None:
            parts.append(Text(f"  - {one['before']}", style="red"))
        if one["after"] is not None:
            parts.append(Text(f"  + {one['after']}", style="green"))
    if found is not None:
        parts += ["", _moves(found)]
    return Group(*parts)


def _moves(found: "Moves") -> RenderableType:
    if not found.accounts:
        return _nobody(found.campaign)
    columns = list(dict.fromkeys(to for row in found.matrix.values() for to in row))
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("from \\ to")
    for name in columns:
        table.add_column(name, justify="right")
    for name, row in found.matrix.items():
        if not row:
            continue
        table.add_row(name, *(f"{row[to]:,}" if to in row else "" for to in columns))
    head = (
        f"Campaign [bold]{escape(found.campaign)}[/], as the ledger stands, {found.accounts:,} debtors: "
        f"{found.both:,} on both lists of today ({found.moved:,} of them move by more than a tenth of it), "
        f"{found.first_only:,} leave it, {found.second_only:,} come onto it."
    )
    return Group(head, table)
