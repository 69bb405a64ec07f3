"""Commands about do-not-contact registers: brought in, which are on record, and which the rules want."""

from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer

from console.command_line import HERE, AsJson, Folder, age, check_number, tell
from console.portfolio import At, File, form_of, known_us, opened, progress
from domain.instants import DAY

if TYPE_CHECKING:
    from compliance.pace import NeededRegister
    from ledger.registers import RegisterOnRecord

app = typer.Typer()


class Need(msgspec.Struct, frozen=True, kw_only=True):
    """A register that a rule wants on record for debtors of a country."""

    register: str
    rule: str
    country: str
    #: Of the contacts that it closes; empty: of all.
    purposes: tuple[str, ...]
    #: An import older than these days may not be relied on; None: any may.
    within_days: int | None
    #: The register's own name, and how old what is on record is.
    found: str
    #: What to do; empty where it is on record and fresh enough.
    todo: str


def needs(needed: "list[NeededRegister]", held: "list[RegisterOnRecord]", now_us: int) -> list[Need]:
    """Return what is to be done about the registers that rules want."""
    on_record = {one.name: one for one in held}
    found = []
    for row, country in needed:
        one = on_record.get(row.register)
        at_us = None if one is None else one.imported_us
        stale = at_us is not None and row.refresh_days is not None and now_us - at_us > row.refresh_days * DAY
        limit = "" if row.refresh_days is None else f"; {row.id} wants one of the last {row.refresh_days} days"
        todo = f"cadencia import-register {row.register} FILE --country {country}" if stale or at_us is None else ""
        found.append(
            Need(
                register=row.register,
                rule=row.id,
                country=country,
                purposes=row.purposes or (),
                within_days=row.refresh_days,
                found=f"{row.name}: {_since(one, now_us)}{limit}",
                todo=todo,
            )
        )
    return found


def _since(one: "RegisterOnRecord | None", now_us: int) -> str:
    if one is None:
        return "never imported"
    return "its import was cut off" if one.imported_us is None else age(one.imported_us, now_us)


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
    tables = load(loaded.rules).jurisdictions.values()
    known = sorted({row.register for table in tables for row in table.registries if row.register})
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
    """Which do-not-contact registers are on record, which the rules want for the people on record, and what to do."""
    from console import settings
    from console.accepted import gate_in_force
    from domain.instants import to_datetime
    from ledger import queries
    from ledger.registers import RegisterOnRecord
    from ledger.registers import registers as on_record

    loaded, now_us = settings.load(folder), known_us(None)
    gate, today = gate_in_force(loaded.rules), to_datetime(now_us, loaded.floor.zone).date()
    with opened(loaded) as ledger, ledger.reading() as connection:
        held = on_record(connection)
        wanted = needs(gate.registers(queries.addresses(connection), on=today), held, now_us)
    absent = dict.fromkeys(one.register for one in wanted if one.register not in {known.name for known in held})
    listed = [*held, *(RegisterOnRecord(name=name, numbers=0, imported_us=None, sha256=None) for name in absent)]

    def shown() -> str:
        from rich.markup import escape

        lines = []
        for one in listed:
            said = _since(None, now_us) if one.name in absent else f"{one.numbers:,} numbers, {_since(one, now_us)}"
            lines.append(f"[bold]{one.name}[/]: {said}")
            for need in wanted:
                if need.register == one.name:
                    what = f"contacts for {', '.join(need.purposes)}" if need.purposes else "any contact"
                    age_limit = f", of the last {need.within_days} days" if need.within_days else ""
                    lines.append(f"  {need.rule} wants it{age_limit}, before {what} in {need.country}")
                    lines += [f"  [yellow]{escape(need.todo)}[/]"] if need.todo else []
        return "\n".join(lines) or "None is on record, and no rule wants one for the people on record."

    answer: list[dict[str, Any]] = [
        msgspec.structs.asdict(one) | {"wanted": [need for need in wanted if need.register == one.name]}
        for one in listed
    ]
    tell(answer, as_json, shown)
