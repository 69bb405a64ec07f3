"""Commands that tell how it went: report, metrics."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from console.command_line import HERE, AsJson, Folder, tell

if TYPE_CHECKING:
    from console.shift import Shift
    from ledger.figures import Figure

app = typer.Typer()


@app.command(rich_help_panel="Record")
def report(
    day: Annotated[str | None, typer.Option("--day", help="A local day, 2026-11-18; without it, the last.")] = None,
    close: Annotated[bool, typer.Option("--close", help="Call-backs and promises due, and exceptions.")] = False,
    html: Annotated[Path | None, typer.Option("--html", help="Write the page to this file.")] = None,
    lang: Annotated[str, typer.Option("--lang", help="Language of the page: en or es.")] = "en",
    folder: Folder = HERE,
    as_json: AsJson = False,
) -> None:
    """How did the shift go? In the terminal, as one self-contained page, or as JSON."""
    from console import settings
    from console.shift import read_shift
    from domain.errors import BadInput
    from ledger.store import open_ledger

    if lang not in ("en", "es"):
        raise BadInput(f"report: --lang must be en or es, was {lang!r}")
    loaded = settings.load(folder)
    ledger = open_ledger(loaded.ledger_url)
    try:
        with ledger.reading() as connection:
            shift = read_shift(connection, loaded.floor, day)
    finally:
        ledger.close()
    if html is not None:
        from console.shift_page import page

        html.write_text(page(shift, lang), encoding="utf-8")
    from console import shift_text

    tell(shift, as_json, lambda: shift_text.closing(shift) if close else shift_text.overview(shift))
    if html is not None and not as_json:
        typer.echo(f"page: {html}")


@app.command(rich_help_panel="Record")
def metrics(
    by: Annotated[str, typer.Option("--by", help="none, campaign, hour, day, agent, trunk or mode.")] = "campaign",
    since: Annotated[str | None, typer.Option("--from", help="First local day; else the last on record.")] = None,
    until: Annotated[str | None, typer.Option("--to", help="Last local day.")] = None,
    campaign: Annotated[str | None, typer.Option("--campaign", help="One campaign only.")] = None,
    folder: Folder = HERE,
    as_json: AsJson = False,
) -> None:
    """The dictionary's metrics, each with numerator, denominator and interval."""
    from console import settings, shift_text
    from console.shift import window_of
    from domain.errors import BadInput
    from ledger.metrics import GROUPS, count, figures
    from ledger.store import open_ledger

    if by not in GROUPS:
        raise BadInput(f"metrics: --by must be one of {', '.join(GROUPS)}, was {by!r}")
    loaded = settings.load(folder)
    zone, stream = loaded.floor.zone, loaded.floor.stream
    ledger = open_ledger(loaded.ledger_url)
    try:
        with ledger.reading() as connection:
            from_us, to_us = window_of(connection, stream, zone, since)
            if until is not None:
                to_us = window_of(connection, stream, zone, until)[1]
            counted = count(connection, from_us, to_us, by=by, zone=zone, stream=stream, campaign=campaign)
    finally:
        ledger.close()
    found: dict[str, list[Figure]] = {name: figures(counts) for name, counts in counted.items()}
    tell(found, as_json, lambda: shift_text.metrics_table(found) if found else "Nothing is on record in this window.")


def write_page(shift: "Shift", path: Path, lang: str) -> None:
    """Write the self-contained page of a shift."""
    from console.shift_page import page

    path.write_text(page(shift, lang), encoding="utf-8")
