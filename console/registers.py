"""Commands about do-not-contact registers: brought in, and which are on record."""

from typing import Annotated, Any

import typer

from console.command_line import HERE, AsJson, Folder, check_number, tell
from console.portfolio import At, File, form_of, known_us, opened, progress

app = typer.Typer()


@app.command("import-register", rich_help_panel="Data")
def import_register(
    name: Annotated[str, typer.Argument(help="The register, as the packs name it: robinson, dnc, tps, rne, reus…")],
    file: File,
    country: Annotated[str, typer.Option(help="ISO code, of numbers without a calling code.")],
    max_rejects: Annotated[
        float, typer.Option(help="Share of rows without a number above which nothing lands.")
    ] = 0.05,
    at: At = None,
    folder: Folder = HERE,
    as_json: AsJson = False,
) -> None:
    """Replace a do-not-contact register by the numbers of a file; running campaigns obey at once."""
    from compliance.packs import load
    from console import settings
    from domain.errors import BadInput
    from ledger import registers

    check_number("import-register: --max-rejects", max_rejects, least=0, most=1)
    loaded = settings.load(folder)
    known = sorted({row.register for row in _registry_rows(load(loaded.rules)) if row.register})
    if name not in known:
        raise BadInput(
            f"import-register: no rule pack speaks of register {name!r}; they know {', '.join(known) or 'none'}. "
            "Correct the name, or add a row with it"
        )
    code = form_of(zone=loaded.floor.zone, country=country.upper()).country or ""
    with opened(loaded) as ledger, progress(quiet=as_json) as report:
        found = registers.import_register(
            ledger, name, file, country=code, at_us=known_us(at), max_reject_share=max_rejects, progress=report
        )

    def shown() -> str:
        lines = [
            f"[bold green]In force.[/] {found.register}: {found.numbers:,} numbers of {found.rows:,} rows",
            f"  {found.marked:,} phones on record are on it now and were not, {found.unmarked:,} are no longer",
        ]
        if found.rejected:
            lines.append(f"  [yellow]{found.rejected:,} rows hold no number: {'; '.join(found.examples)}[/]")
        return "\n".join(lines)

    tell(found, as_json, shown)


@app.command(rich_help_panel="Data")
def registers(folder: Folder = HERE, as_json: AsJson = False) -> None:
    """Which do-not-contact registers are on record, and since when."""
    from console import settings
    from domain.instants import iso
    from ledger.registers import registers as on_record

    with opened(settings.load(folder)) as ledger, ledger.reading() as connection:
        found = on_record(connection)

    def shown() -> str:
        lines = [
            f"{one.name}: {one.numbers:,} numbers, "
            + (f"imported {iso(one.imported_us)[:16]}Z" if one.imported_us else "cut off: import it again")
            for one in found
        ]
        return "\n".join(lines) or "None is on record; bring one in: cadencia import-register NAME FILE"

    tell(found, as_json, shown)


def _registry_rows(packs: Any) -> list[Any]:
    return [row for table in packs.jurisdictions.values() for row in table.registries]
