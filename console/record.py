"""Commands that read the record: why, verify, replay."""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from console.command_line import HERE, AsJson, Folder, check_number, printer, tell

if TYPE_CHECKING:
    from rich.console import RenderableType

    from domain.records import Row

app = typer.Typer()

Stream = Annotated[str | None, typer.Option("--stream", help="Name of a floor; without it, this folder's.")]


@app.command(rich_help_panel="Record")
def why(
    account: Annotated[str | None, typer.Argument(help="The creditor's account number; or the id of a call.")] = None,
    at: Annotated[str | None, typer.Option(help="At this instant: 2026-11-18T16:05:00Z; without it, now.")] = None,
    creditor: Annotated[str | None, typer.Option(help="Where several creditors have the account.")] = None,
    pacing: Annotated[
        str | None, typer.Option(help="Instead of an account: why so many calls were placed around this instant.")
    ] = None,
    within: Annotated[float, typer.Option(help="With --pacing: so many seconds around it.")] = 30.0,
    campaign: Annotated[
        str | None, typer.Option("--campaign", "-c", help="With --pacing: this campaign alone.")
    ] = None,
    folder: Folder = HERE,
    as_json: AsJson = False,
) -> None:
    """Why was an account called, why not, until when, outranked by what? Why this agent? Or: why so many lines?"""
    from console import settings, why_view
    from console import why as asking
    from console.running import instant
    from console.why_agent import call_of, why_agent
    from console.why_pacing import why_pacing
    from domain.errors import BadInput
    from domain.instants import SECOND
    from ledger.store import open_ledger

    if (account is None) == (pacing is None):
        raise BadInput("why: name an account, or an instant with --pacing; one of the two")
    check_number("why: --within", within, least=0)
    loaded = settings.load(folder)
    zone = loaded.floor.zone
    ledger = open_ledger(loaded.ledger_url)
    try:
        if pacing is not None:
            if campaign is not None:
                loaded.floor.campaign(campaign)
            decided = why_pacing(ledger, loaded, instant(pacing), named=campaign, within_us=round(within * SECOND))
            tell(decided, as_json, lambda: why_view.pacing(decided, zone))
            return
        assert account is not None
        if (call := call_of(ledger, account)) is not None:
            given = why_agent(ledger, call, zone)
            tell(given, as_json, lambda: why_view.given(given))
            return
        found = asking.why(ledger, loaded, account, creditor, instant(at) if at is not None else None)
    finally:
        ledger.close()

    def shown() -> "RenderableType":
        from rich.console import Group

        return Group(*[why_view.answer(one, zone) for one in found])

    tell(found, as_json, shown)


@app.command(rich_help_panel="Record")
def verify(
    stream: Annotated[str | None, typer.Option("--stream", help="Name of a floor; without it, all on record.")] = None,
    folder: Folder = HERE,
    as_json: AsJson = False,
) -> None:
    """Does the journal's hash chain hold, from the first row to the last?"""
    from console import settings
    from domain.errors import BadInput
    from ledger.store import open_ledger

    ledger = open_ledger(settings.load(folder).ledger_url)
    try:
        if stream is not None and stream not in ledger.streams():
            raise BadInput(
                f"verify: no stream {stream!r} on record; there are: {', '.join(ledger.streams()) or 'none'}"
            )
        found = ledger.verify(stream)
    finally:
        ledger.close()

    def shown() -> str:
        lines = []
        for one in found:
            if one.broken_seq is None:
                lines.append(f"[green]✓[/] [bold]{one.stream}[/]  {one.rows:,} rows hold; head {one.head}")
            else:
                lines.append(
                    f"[red]✗[/] [bold]{one.stream}[/]  row {one.broken_seq:,}: {one.broken}. "
                    f"{one.rows:,} rows before it hold; head {one.head}"
                )
        return "\n".join(lines) or "No stream is on record yet: nothing has run in this folder."

    tell(found, as_json, shown)
    raise typer.Exit(0 if all(one.broken_seq is None for one in found) else 1)


@app.command(rich_help_panel="Record")
def replay(
    stream: Stream = None,
    follow: Annotated[
        bool, typer.Option("--follow", help="After a difference go on from the record, and list every one.")
    ] = False,
    folder: Folder = HERE,
    as_json: AsJson = False,
) -> None:
    """Decide the record again and compare every row byte for byte."""
    from functools import cache, partial

    from console import settings
    from console.accepted import gate_of
    from console.versions import versions
    from dialer.engine.replay import replay as decide_again
    from domain.errors import BadInput
    from ledger.store import open_ledger

    loaded = settings.load(folder)
    name = stream or loaded.floor.stream
    ledger = open_ledger(loaded.ledger_url)
    try:
        if name not in ledger.streams():
            raise BadInput(
                f"replay: nothing of stream {name!r} is on record; there are: "
                f"{', '.join(ledger.streams()) or 'none: nothing has run in this folder'}"
            )
        rows = ledger.read(name)
        gates = cache(partial(gate_of, loaded.rules))
        found = decide_again(rows if as_json else _counted(rows), gates, follow=follow)
    finally:
        ledger.close()
    here = versions()
    others = [segment for segment in found.versions if segment != here]
    strange = sorted({key for segment in others for key in here if segment.get(key) != here[key]})

    def shown() -> str:
        lines = []
        if strange:
            lines.append(f"[yellow]Recorded under another {', '.join(strange)}: a difference may come from there.[/]")
        for version in dict.fromkeys(found.rules_missing):
            lines.append(
                f"[red]✗ rule packs {version}[/] are not to be had: what was decided under them cannot be decided "
                f"again; restore {loaded.rules / 'accepted' / version} from a copy"
                + ("" if follow else ", or take those rows as they are with --follow")
            )
        for one in found.divergences:
            lines.append(f"[red]✗ row {one.seq:,}[/] (input {one.input_seq:,})")
            lines += [f"    recorded {one.recorded or 'nothing'}", f"    decided  {one.decided or 'nothing'}"]
        if not found.divergences and (follow or not found.rules_missing):
            left = f"; {found.undecided:,} rows were not decided again" if found.undecided else ""
            lines.append(
                f"[green]✓[/] {found.rows:,} rows from {found.inputs:,} inputs: "
                f"every one of {found.orders_and_facts:,} facts and orders is the same, byte for byte{left}."
            )
        return "\n".join(lines)

    tell(found, as_json, shown)
    raise typer.Exit(1 if found.divergences or found.rules_missing else 0)


def _counted(rows: "Iterable[Row]") -> "Iterator[Row]":
    """Pass rows on under a counter on the terminal."""
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("{task.completed:,} rows decided again"), TimeElapsedColumn())
    with Progress(*columns, console=printer(), transient=True) as progress:
        task = progress.add_task("")
        for number, row in enumerate(rows, 1):
            if number % 1000 == 0:
                progress.update(task, completed=number)
            yield row
