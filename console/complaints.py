"""Commands about complaints: recorded one by one, or from a file."""

from typing import Annotated

import typer

from console.command_line import HERE, AsJson, Folder, tell
from console.portfolio import At, Dates, DryRun, File, file_summary, form_of, known_us, opened, progress

app = typer.Typer(
    help="Complaints that came in: counted by `experiment status`. They stop nothing; a stop does.",
    no_args_is_help=True,
)


@app.command()
def add(
    account: Annotated[str, typer.Argument(help="The creditor's number of the account.")],
    about: Annotated[
        str, typer.Argument(help="too_many_calls, tone, third_party, wrong_amount, already_paid or other.")
    ] = "other",
    since: Annotated[str | None, typer.Option("--since", help="When it came; without it, now.")] = None,
    creditor: Annotated[str | None, typer.Option(help="Where several creditors have the account.")] = None,
    at: At = None,
    folder: Folder = HERE,
    as_json: AsJson = False,
) -> None:
    """Record a complaint."""
    from console import settings
    from ledger.complaints import add_complaint

    loaded = settings.load(folder)
    cells = {"account": account, "about": about, "at": since, "creditor": creditor}
    with opened(loaded) as ledger:
        added = add_complaint(
            ledger,
            {name: text for name, text in cells.items() if text},
            at_us=known_us(at),
            form=form_of(zone=loaded.floor.zone),
        )
    word = "[bold green]Recorded.[/]" if added else "[bold]It was on record already.[/]"
    tell({"added": added}, as_json, lambda: f"{word} {account}: a complaint")


@app.command("import")
def import_file(
    file: File,
    dry_run: DryRun = False,
    dates: Dates = None,
    at: At = None,
    folder: Folder = HERE,
    as_json: AsJson = False,
) -> None:
    """Record the complaints of a file, also while a campaign runs. Repeatable."""
    from console import settings
    from ledger.complaints import import_complaints

    loaded = settings.load(folder)
    form = form_of(zone=loaded.floor.zone, date_order=dates)
    with opened(loaded) as ledger, progress(quiet=as_json) as report:
        found = import_complaints(ledger, file, at_us=known_us(at), form=form, dry_run=dry_run, progress=report)
    tell(found, as_json, lambda: file_summary(found, f"{found.added:,} new, {found.repeated:,} known"))
    raise typer.Exit(1 if found.rejected else 0)
