"""Commands that bring files in and out: import, import-payments, export."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from console.command_line import HERE, AsJson, Folder, check_number, tell

if TYPE_CHECKING:
    from console.settings import Settings
    from ledger.intake.cells import Form
    from ledger.intake.direct import FileReport
    from ledger.portfolio import ImportReport
    from ledger.store import SqlLedger

app = typer.Typer()

File = Annotated[Path, typer.Argument(help="CSV or Parquet; with gzip where its name ends in .gz.", show_default=False)]
At = Annotated[
    str | None, typer.Option(help="When the file became known, for rehearsals: 2026-11-18T07:00:00Z; without it, now.")
]


DryRun = Annotated[bool, typer.Option("--dry-run", help="Read and compare everything, land nothing.")]
Decimal = Annotated[str | None, typer.Option(help="Sign that marks decimals: , or .")]
Dates = Annotated[str | None, typer.Option(help="Order of ambiguous dates: dmy or mdy.")]


@app.command("import", rich_help_panel="Data")
def import_file(
    file: File,
    dry_run: DryRun = False,
    full: Annotated[
        bool, typer.Option("--full", help="The file holds every account of its creditors: others are withdrawn.")
    ] = False,
    decimal: Decimal = None,
    dates: Dates = None,
    country: Annotated[str | None, typer.Option(help="Country of rows that name none, e.g. ES.")] = None,
    zone: Annotated[
        str | None, typer.Option(help="Zone of instants without an offset; without it, the floor's.")
    ] = None,
    max_rejects: Annotated[
        float | None, typer.Option(help="Share of bad rows above which nothing lands; without it, of the settings.")
    ] = None,
    at: At = None,
    folder: Folder = HERE,
    as_json: AsJson = False,
) -> None:
    """Bring accounts in: new, changed, withdrawn. Repeatable; the same file twice changes nothing."""
    from console import settings

    if max_rejects is not None:
        check_number("import: --max-rejects", max_rejects, least=0, most=1)
    loaded = settings.load(folder)
    form = form_of(decimal_mark=decimal, date_order=dates, country=country, zone=zone or loaded.floor.zone)
    with opened(loaded) as ledger, progress(quiet=as_json) as report:
        found = bring_in(
            ledger, loaded, file, at_us=known_us(at), dry_run=dry_run, full=full, max_rejects=max_rejects, form=form,
            report=report,
        )  # fmt: skip
    tell(found, as_json, lambda: summary(found))
    raise typer.Exit(1 if found.refused else 0)


@app.command("import-payments", rich_help_panel="Data")
def import_payments(
    file: File,
    dry_run: DryRun = False,
    decimal: Decimal = None,
    dates: Dates = None,
    zone: Annotated[str | None, typer.Option(help="Zone of dates; without it, the floor's.")] = None,
    at: At = None,
    folder: Folder = HERE,
    as_json: AsJson = False,
) -> None:
    """Bring payments in, at once and also while a campaign runs: a paid debt is not dialled again."""
    from console import settings
    from ledger import payments

    loaded = settings.load(folder)
    form = form_of(decimal_mark=decimal, date_order=dates, zone=zone or loaded.floor.zone)
    with opened(loaded) as ledger, progress(quiet=as_json) as report:
        found = payments.import_payments(
            ledger, file, at_us=known_us(at), form=form, dry_run=dry_run, progress=report
        )  # fmt: skip
    counts = f"{found.added:,} new payments, {found.paid:,} accounts paid in full, {found.repeated:,} known before"
    tell(found, as_json, lambda: file_summary(found, counts))


def bring_in(
    ledger: "SqlLedger",
    loaded: "Settings",
    file: Path,
    *,
    at_us: int,
    report: Callable[[str, int, int], None],
    dry_run: bool = False,
    full: bool = False,
    max_rejects: float | None = None,
    form: "Form | None" = None,
) -> "ImportReport":
    """Import a file with the zones of the folder's own rule packs."""
    from compliance.numbers import Numbers
    from console.accepted import in_force
    from ledger.portfolio import import_portfolio

    numbers = Numbers.load(in_force(loaded.rules))
    return import_portfolio(
        ledger,
        file,
        describe=numbers.describe,
        address_zones=numbers.address_zones,
        at_us=at_us,
        dry_run=dry_run,
        full=full,
        max_reject_share=loaded.ledger.max_reject_share if max_rejects is None else max_rejects,
        form=form,
        progress=report,
    )


def summary(found: "ImportReport") -> str:
    """Return what a file of accounts or prior attempts came to, for people."""
    text = file_summary(
        found,
        f"{found.added:,} added, {found.changed:,} changed, {found.unchanged:,} unchanged, "
        f"{found.withdrawn:,} withdrawn, {found.repeated:,} repeated",
        f"{found.new_people:,} new people, {found.touched_people:,} touched, {found.new_phones:,} new numbers",
        rows=f"rows of {found.kind}",
        rejected=f"{found.rejected:,} rejected, {found.mended:,} mended",
        refused=found.refused,
    )
    return "\n".join([text, *(f"  [dim]{note}[/]" for note in found.notes)])


def file_summary(
    found: "FileReport | ImportReport", *counts: str, rows: str = "rows", rejected: str = "", refused: bool = False
) -> str:
    """Return what a file came to, for people.

    Parameters
    ----------
    counts : str
        What became of its rows, a line each.
    rows, rejected : str
        What its rows are called, and how many are in the rejects file.
    refused : bool
        Nothing landed for the number of them.
    """
    landed = "[bold green]Landed.[/]" if found.landed else "[bold]Dry run: nothing landed.[/]"
    head = "[bold red]Refused: nothing landed.[/]" if refused else landed
    lines = [f"{head} {found.file}: {found.rows:,} {rows}", *(f"  {text}" for text in counts)]
    if found.rejects:
        rejected = rejected or f"{found.rejected:,} rejected"
        lines.append(f"  [yellow]{rejected}: see {found.rejects}[/] (correct it there and import it)")
    if found.unknown_columns:
        lines.append(f"  [yellow]columns not read: {', '.join(found.unknown_columns)}[/]")
    return "\n".join(lines)


def form_of(
    *, zone: str, decimal_mark: str | None = None, date_order: str | None = None, country: str | None = None
) -> "Form":
    """Return how the file writes what can be written in two ways, as the options say."""
    from domain.errors import BadInput
    from ledger.intake.cells import Form

    for option, value, allowed in (("--decimal", decimal_mark, (",", ".")), ("--dates", date_order, ("dmy", "mdy"))):
        if value is not None and value not in allowed:
            raise BadInput(f"import: {option} must be one of {' '.join(allowed)}, was {value!r}; correct it")
    return Form(decimal_mark=decimal_mark, date_order=date_order, country=country, zone=zone)


def known_us(at: str | None) -> int:
    import time

    from console.running import instant

    return instant(at) if at is not None else time.time_ns() // 1000


@contextmanager
def opened(loaded: "Settings") -> Iterator["SqlLedger"]:
    """Give the folder's ledger and close it."""
    from ledger.store import open_ledger

    ledger = open_ledger(loaded.ledger_url)
    try:
        yield ledger
    finally:
        ledger.close()


@contextmanager
def progress(*, quiet: bool) -> Iterator[Callable[[str, int, int], None]]:
    """Give a report of (what, done, of) that draws bars on a terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

    out = Console(stderr=True)
    if quiet or not out.is_terminal:
        yield lambda _what, _done, _of: None
        return
    columns = (TextColumn("{task.description:<20}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    with Progress(*columns, console=out, transient=True) as bars:
        tasks: dict[str, Any] = {}

        def report(what: str, done: int, of: int) -> None:
            if what not in tasks:
                tasks[what] = bars.add_task(what, total=of)
            bars.update(tasks[what], completed=done, total=of)

        yield report


@app.command(rich_help_panel="Data")
def export(
    parquet: Annotated[Path, typer.Option("--parquet", help="Folder for the files; replaced where they exist.")],
    folder: Folder = HERE,
    as_json: AsJson = False,
) -> None:
    """The record as Parquet files for analysts: history, attempts, decisions. Ids only, no name and no number."""
    from console import settings
    from ledger.parquet import export_parquet

    with opened(settings.load(folder)) as ledger, progress(quiet=as_json) as report:
        written = export_parquet(ledger, parquet, lambda what, _rows: report(what, 1, 1))

    def shown() -> str:
        lines = [f"  {rows:>12,}  {parquet / name}.parquet" for name, rows in written.items()]
        return "\n".join(["[bold green]Written.[/] Rows by file:", *lines])

    tell(written, as_json, shown)
