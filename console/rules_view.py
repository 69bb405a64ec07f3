"""The answers of `rules` for people."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from compliance.packs import Packs
from compliance.review import Changed, PackState, Standing, Warned
from compliance.rows import Days
from domain.instants import to_datetime

if TYPE_CHECKING:
    from console.accepted import Acceptance
    from console.stock import StockChange

_COLOURS = {"in_force": "green", "house": "cyan", "unconfirmed": "yellow"}
#: Verdicts shown; JSON has them all.
_SHOWN = 20


def state_table(found: list[PackState], packs: Packs, accepted: "list[Acceptance]") -> RenderableType:
    """Return the packs, one a line."""
    table = Table(box=None, pad_edge=False, title=f"{packs.directory}  version {packs.version}", title_justify="left")
    table.add_column("file", no_wrap=True)
    table.add_column("as of", no_wrap=True)
    for title in ("places", "rows", "counsel"):
        table.add_column(title)
    for one in found:
        rows = ", ".join(_coloured(word, f"{n} {word}") for word, n in sorted(one.rows.items()))
        signed = f"[green]{escape(one.counsel)}[/]" if one.signed else "[yellow]not signed[/]"
        table.add_row(one.file, str(one.as_of), " ".join(one.names), rows, signed)
    lines = [Text("Not legal advice: counsel reads and signs each file before the first call.", style="dim")]
    if accepted:
        last = accepted[-1]
        said = f"In force: version {last.version}, accepted {last.at} by {last.by}"
        if last.version != packs.version:
            lines.append(Text(f"{said}. What stands here is not: `cadencia rules accept`", style="bold yellow"))
        else:
            lines.append(Text(f"{said}."))
    return Group(table, *lines)


def standing_table(found: list[Standing], packs: Packs, code: str) -> RenderableType:
    """Return the rows that bind at a place, each with what it says and where it is written."""
    reading = "conservative" if packs.strict else "literal"
    parts: list[RenderableType] = [
        f"[bold]{escape(packs.jurisdictions[code].name)}[/]: {len(found)} rows bind, {reading} reading"
    ]
    for one in found:
        status = _coloured(one.status, one.status)
        parts.append(f"[bold]{one.id}[/]  {one.kind}, {status}, confidence {one.confidence}")
        said = "; ".join(f"{key} {_value(value)}" for key, value in one.keys.items() if key != "note")
        parts.append(Padding(Text(f"{said}\n{one.citation}", style="dim"), (0, 0, 0, 4)))
    within = [other for other in packs.jurisdictions if other.startswith(f"{code}-")]
    if within:
        more = f"Places within it add to these, all of them where the region is not known: {', '.join(within)}"
        parts.append(Text(more))
    return Group(*parts)


def full_row(one: Standing) -> RenderableType:
    """Return one row with all its keys."""
    table = Table.grid(padding=(0, 2))
    binds = "binds" if one.binds else "does not bind"
    table.add_row("[bold]id[/]", f"[bold]{one.id}[/]  ({one.kind} of {one.jurisdiction})")
    for name, value in (
        ("status", f"{one.status}: {binds}"),
        ("confidence", one.confidence),
        ("citation", one.citation),
        ("source", one.source),
        ("force", one.force),
        ("actors", ", ".join(one.actors)),
        *one.keys.items(),
    ):
        table.add_row(name, escape(_value(value)))
    return table


def check_table(where: Path, errors: list[str], warned: list[Warned]) -> RenderableType:
    """Return errors, then warnings, then the verdict."""
    lines = [Text.assemble(("✗ ", "red"), one) for one in errors]
    lines += [
        Text.assemble(("! ", "yellow"), (f"{one.file}{f' {one.row}' if one.row else ''}: ", "bold"), one.said)
        for one in warned
    ]
    if errors:
        lines.append(Text(f"{where}: {len(errors)} errors; nothing is judged by these packs.", style="bold red"))
    else:
        lines.append(Text(f"{where}: whole, {len(warned)} warnings.", style="bold green"))
    return Group(*lines)


def diff_text(found: dict[str, Any]) -> RenderableType:
    """Return what changed, key by key, and which verdicts."""
    before, after = found["before"], found["after"]
    lines = [Text(f"{before['folder']} {before['version']} → {after['folder']} {after['version']}", style="bold")]
    for change in found["changes"]:
        lines += _change(change)
    if not found["changes"]:
        lines.append(Text("Nothing differs."))
    if "cases" in found:
        lines += _verdicts(found["cases"])
    parts: list[RenderableType] = [
        *lines,
    ]
    if "lists" in found:
        parts += [_list(one, found["lists"]["zone"]) for one in found["lists"]["campaigns"]]
    return Group(*parts)


def accepted_text(found: dict[str, Any], shown: RenderableType | None) -> RenderableType:
    """Return what came into force, after what it changes where that was not shown yet."""
    accepted, engine = found["accepted"], found["engine"]
    lines = [
        Text(f"In force: version {accepted.version}, accepted {accepted.at} by {accepted.by}.", style="bold green")
    ]
    if engine is None:
        lines.append(Text("No engine runs in this folder: the next run goes by it."))
    else:
        lines.append(Text(f"The running engine goes by it; {engine['to_review']:,} leads that wait are judged again."))
        if not engine["durable"]:
            lines.append(Text("Its record is not durable yet: see `cadencia status`.", style="bold yellow"))
    return Group(*lines) if shown is None else Group(shown, *lines)


def _list(one: "StockChange", zone: str) -> RenderableType:
    title = f"{one.campaign}, {one.leads:,} leads: {one.losing:,} lose an hour, {one.gaining:,} gain one"
    table = Table(box=None, pad_edge=False, title=title, title_justify="left")
    for column in ("hour", "before", "after"):
        table.add_column(column, justify="right")
    for start_us, before, after in zip(one.hours_us, one.before, one.after, strict=True):
        colour = "red" if after < before else "green" if after > before else "dim"
        table.add_row(f"{to_datetime(start_us, zone):%a %H:%M}", f"{before:,}", f"[{colour}]{after:,}[/]")
    if not one.losing:
        return table
    rules = ", ".join(f"{rule} {n:,}" for rule, n in sorted(one.rules.items(), key=lambda pair: -pair[1]))
    return Group(table, Text(f"taken by {rules}; persons {', '.join(map(str, one.persons))} …", style="dim"))


def _change(change: Changed) -> list[Text]:
    if change.what != "changed":
        colour, mark = ("green", "+") if change.what == "added" else ("red", "-")
        said = " ".join(
            f"{key} = {_value(value)};"
            for key, pair in change.keys.items()
            if (value := pair[0] if pair[1] is None else pair[1]) is not None
        )
        return [Text.assemble((f"{mark} {change.entry} ", f"bold {colour}"), (said, "dim"))]
    lines = [Text(f"~ {change.entry}", style="bold yellow")]
    for key, (old, new) in change.keys.items():
        lines.append(Text.assemble(f"    {key}: ", (_value(old), "red"), " → ", (_value(new), "green")))
    return lines


def _verdicts(cases: dict[str, Any]) -> list[Text]:
    changed = cases["changed"]
    lines = [
        Text(
            f"{len(changed)} of {cases['judged']} verdicts change: {cases['newly_denied']} newly denied, "
            f"{cases['newly_allowed']} newly allowed",
            style="bold",
        )
    ]
    for one in changed[:_SHOWN]:
        sides = [
            "allowed" if side["allowed"] else f"denied by {side['rule']} until {side['next_allowed_at'] or 'lifted'}"
            for side in (one["before"], one["after"])
        ]
        lines.append(Text(f"    {one['id']}: {sides[0]} → {sides[1]}"))
    if len(changed) > _SHOWN:
        lines.append(Text(f"    … and {len(changed) - _SHOWN} more; --json names them all", style="dim"))
    lines += [Text(f"    line {one['line']} ({one['id']}): {one['error']}", style="red") for one in cases["errors"]]
    return lines


def _coloured(status: str, text: str) -> str:
    return f"[{_COLOURS.get(status, 'dim')}]{text.replace('_', ' ')}[/]"


def _value(value: Any) -> str:
    """Return a value as a pack writes it, or nearly."""
    if value is None:
        return "–"
    if isinstance(value, dict):
        if tuple(value) == Days.__struct_fields__:
            return _hours(value)
        return "{ " + ", ".join(f"{key} = {_value(inner)}" for key, inner in value.items()) + " }"
    if isinstance(value, list | tuple):
        return ", ".join(_value(inner) for inner in value) if value else "[]"
    return str(value).lower() if isinstance(value, bool) else str(value)


def _hours(days: dict[str, Any]) -> str:
    """Return hours by weekday, days with the same hours together."""
    found: list[tuple[list[str], str]] = []
    for day, pairs in days.items():
        hours = " and ".join(f"{start}-{end}" for start, end in pairs) or "closed"
        if found and found[-1][1] == hours:
            found[-1][0].append(day)
        else:
            found.append(([day], hours))
    return ", ".join(f"{names[0] if len(names) == 1 else f'{names[0]}-{names[-1]}'} {hours}" for names, hours in found)
