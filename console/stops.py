"""Commands about what debtors asked for: stops on record, lifted, confirmed, due."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from console.command_line import HERE, AsJson, Folder, tell, user
from console.portfolio import At, Dates, DryRun, File, file_summary, form_of, known_us, opened, progress

if TYPE_CHECKING:
    from rich.console import RenderableType

    from compliance.duties import Duty
    from console.settings import Settings
    from ledger.queries import Account
    from ledger.stops import StopOnRecord
    from ledger.store import SqlLedger

app = typer.Typer(
    help="What debtors asked for: recorded, lifted, confirmed, due. A stop binds every channel at once.",
    no_args_is_help=True,
)

AccountName = Annotated[str, typer.Argument(help="The creditor's number of the account.")]
Kind = Annotated[str, typer.Argument(help="The stop, e.g. do_not_call, cease_written, attorney, dispute.")]
Creditor = Annotated[str | None, typer.Option(help="Where several creditors have the account.")]
By = Annotated[str | None, typer.Option(help="Who says so, for the record; without it, who runs the command.")]
PhoneNumber = Annotated[str | None, typer.Option("--phone", help="This number alone.")]
Channel = Annotated[str | None, typer.Option(help="This channel alone; call: every voice.")]


@app.command()
def add(
    account: AccountName,
    kind: Kind,
    of_debt: Annotated[
        bool | None,
        typer.Option("--debt/--person", help="The account alone, or all that the person owes; without it, by kind."),
    ] = None,
    phone: PhoneNumber = None,
    channel: Channel = None,
    since: Annotated[str | None, typer.Option(help="When the debtor said it; without it, now.")] = None,
    until: Annotated[str | None, typer.Option(help="Its end, or last day; without it, until lifted.")] = None,
    received: Annotated[
        str | None, typer.Option("--received", help="Channel by which it came: letter, email, sms, call…")
    ] = None,
    note: Annotated[str | None, typer.Option(help="For people; enters no journal.")] = None,
    creditor: Creditor = None,
    by: By = None,
    at: At = None,
    folder: Folder = HERE,
    as_json: AsJson = False,
) -> None:
    """Record a stop: campaigns, other floors and channels obey from now on."""
    from console import settings
    from ledger.stops import import_cells

    loaded = settings.load(folder)
    cells = {
        "account": account, "stop": kind, "phone": phone, "channel": channel, "since": since, "until": until,
        "received": received, "note": note, "creditor": creditor,
        "scope": None if of_debt is None else "debt" if of_debt else "person",
    }  # fmt: skip
    with opened(loaded) as ledger:
        owed = _owed(ledger, account, creditor)
        (debtor,) = ledger.dossiers([owed[0].person])
        added = import_cells(
            ledger,
            {name: text for name, text in cells.items() if text},
            at_us=known_us(at),
            by=by or user(),
            form=form_of(zone=loaded.floor.zone, country=debtor.country),
        )
        standing = _of_kind(_on_record(ledger, owed), kind)

    def shown() -> str:
        word = "[bold green]Recorded.[/]" if added else "[bold]It stood already.[/]"
        ends = [one.until_us for one in standing]
        held = "lifted" if None in ends else _minute(max(filter(None, ends)), loaded.floor.zone)
        return f"{word} {account}: {kind}, until {held}; whoever is asked now is told so"

    tell({"added": added, "stops": standing}, as_json, shown)


@app.command("import")
def import_file(
    file: File,
    dry_run: DryRun = False,
    dates: Dates = None,
    country: Annotated[str | None, typer.Option(help="Country of numbers without a calling code, e.g. ES.")] = None,
    by: By = None,
    at: At = None,
    folder: Folder = HERE,
    as_json: AsJson = False,
) -> None:
    """Record the stops of a file, at once and also while a campaign runs. Repeatable."""
    from console import settings
    from ledger.stops import import_stops

    loaded = settings.load(folder)
    form = form_of(zone=loaded.floor.zone, date_order=dates, country=country)
    with opened(loaded) as ledger, progress(quiet=as_json) as report:
        found = import_stops(
            ledger, file, at_us=known_us(at), by=by or user(), form=form, dry_run=dry_run, progress=report
        )
    tell(found, as_json, lambda: file_summary(found, f"{found.added:,} new, {found.repeated:,} known"))
    raise typer.Exit(1 if found.rejected else 0)


@app.command("list")
def listed(
    account: AccountName,
    creditor: Creditor = None,
    folder: Folder = HERE,
    as_json: AsJson = False,
) -> None:
    """What is on record of an account's debtor, lifted stops too."""
    from console import settings
    from ledger.stops import notes

    loaded = settings.load(folder)
    with opened(loaded) as ledger:
        found = _on_record(ledger, _owed(ledger, account, creditor))
        with ledger.reading() as connection:
            said = notes(connection, [one.stop for one in found])
    tell(
        [{"stop": one, "note": said.get(one.stop)} for one in found],
        as_json,
        lambda: _lines(found, said, loaded.floor.zone),
    )


@app.command()
def lift(
    account: AccountName,
    kind: Kind,
    reason: Annotated[str, typer.Option(help="answered, ended, mistaken, resolved or taken_back.")],
    creditor: Creditor = None,
    channel: Channel = None,
    by: By = None,
    at: At = None,
    folder: Folder = HERE,
    as_json: AsJson = False,
) -> None:
    """Lift the standing stops of a kind: the account's own and the person's."""
    from console import settings
    from ledger.stops import lift_stops

    with opened(settings.load(folder)) as ledger:
        which = _standing(ledger, account, creditor, kind, channel)
        found = lift_stops(ledger, which, reason=reason, at_us=known_us(at), by=by or user())
    tell(found, as_json, lambda: f"[bold green]Lifted.[/] {account}: {len(found)} of {kind}, {reason}")


@app.command()
def confirm(
    account: AccountName,
    kind: Kind,
    creditor: Creditor = None,
    by: By = None,
    at: At = None,
    folder: Folder = HERE,
    as_json: AsJson = False,
) -> None:
    """Note that the debtor was told that a stop is obeyed."""
    from console import settings
    from ledger.stops import confirm_stops

    with opened(settings.load(folder)) as ledger:
        which = _standing(ledger, account, creditor, kind)
        n = confirm_stops(ledger, which, at_us=known_us(at), by=by or user())
    tell({"confirmed": n}, as_json, lambda: f"{account}: {n} of {kind} noted as confirmed")


@app.command()
def due(
    at: Annotated[str | None, typer.Option(help="As of: 2026-11-18T07:00:00Z; without it, now.")] = None,
    folder: Folder = HERE,
    as_json: AsJson = False,
) -> None:
    """What the law asks for besides obeying: confirmations to send, stops recorded late, or to be looked at again."""
    from console import settings

    loaded = settings.load(folder)
    at_us = known_us(at)
    with opened(loaded) as ledger:
        found = _due(ledger, loaded, at_us)

    def shown() -> "RenderableType":
        from rich.table import Table

        from domain.instants import to_datetime

        if not found:
            return "Nothing is due."
        table = Table(box=None, pad_edge=False)
        for title in ("due", "account", "stop", "what", "rule"):
            table.add_column(title, overflow="fold")
        for account, stop, duty in found:
            late = duty.due_us <= at_us
            when = f"{to_datetime(duty.due_us, loaded.floor.zone):%Y-%m-%d %H:%M}"
            table.add_row(f"[red]{when}[/]" if late else when, account, stop.kind, duty.what, duty.rule)
        return table

    answer = [
        {"account": account, "stop": stop, "duty": duty, "overdue": duty.due_us <= at_us}
        for account, stop, duty in found
    ]
    tell(answer, as_json, shown)


# ---- what the commands share


def _owed(ledger: "SqlLedger", account: str, creditor: str | None) -> "list[Account]":
    """Return the debts that bear an account's number, of one person."""
    from domain.errors import BadInput
    from ledger import queries

    with ledger.reading() as connection:
        found = queries.accounts(connection, account, creditor)
    if len({one.person for one in found}) != 1:
        do = (
            "is not on record; check its spelling, or import it first"
            if not found
            else f"is of several debtors: name one of the creditors with --creditor: "
            f"{', '.join(sorted(one.creditor for one in found))}"
        )
        raise BadInput(f"stops: account {account!r} {do}")
    return found


def _on_record(ledger: "SqlLedger", owed: "list[Account]") -> "list[StopOnRecord]":
    """Return the stops of an account, lifted ones too: its own and those of its person."""
    from ledger.schema import stop
    from ledger.stops import stops

    debts = {one.debt for one in owed}
    with ledger.reading() as connection:
        found = stops(connection, stop.c.person == owed[0].person)
    return [one for one in found if one.debt is None or one.debt in debts]


def _of_kind(found: "list[StopOnRecord]", kind: str) -> "list[StopOnRecord]":
    """Return the stops of a kind, told in any of its words, that stand."""
    from ledger.intake.lists import told_stop

    word = told_stop(kind) or kind
    return [one for one in found if one.kind == word and one.lifted_us is None]


def _standing(
    ledger: "SqlLedger", account: str, creditor: str | None, kind: str, channel: str | None = None
) -> list[int]:
    """Return the numbers of an account's standing stops of a kind, of every channel or of one.

    Raises
    ------
    BadInput
        When there is none.
    """
    from domain.errors import BadInput

    found = _of_kind(_on_record(ledger, _owed(ledger, account, creditor)), kind)
    which = [one.stop for one in found if channel in (None, one.channel)]
    if not which:
        raise BadInput(f"stops: no {kind} of {account!r} stands; `cadencia stops list {account}` shows what does")
    return which


def _due(ledger: "SqlLedger", loaded: "Settings", at_us: int) -> "list[tuple[str, StopOnRecord, Duty]]":
    from sqlalchemy import or_, select

    from compliance.duties import duties
    from console.accepted import gate_in_force
    from ledger.reservations import batches
    from ledger.schema import debt, person, stop
    from ledger.stops import stops

    gate = gate_in_force(loaded.rules)
    with ledger.reading() as connection:
        found = stops(connection, stop.c.lifted_us.is_(None), or_(stop.c.until_us.is_(None), stop.c.until_us > at_us))
        address: dict[int, Any] = {}
        of_debt: dict[int, str] = {}
        of_person: dict[int, str] = {}
        for some in batches(dict.fromkeys(one.person for one in found)):
            where = select(person.c.id, person.c.country, person.c.region, person.c.city).where(person.c.id.in_(some))
            address.update({row.id: tuple(row)[1:] for row in connection.execute(where)})
            owed = select(debt.c.person, debt.c.id, debt.c.account).where(debt.c.person.in_(some)).order_by(debt.c.id)
            for who, number, name in connection.execute(owed):
                of_person.setdefault(who, name)
                of_debt[number] = name
    listed = [
        (of_person.get(one.person, "") if one.debt is None else of_debt[one.debt], one, duty)
        for one in found
        for duty in duties(
            gate,
            one.kind,
            address[one.person],
            event_us=one.event_us,
            known_us=one.known_us,
            until_us=one.until_us,
            confirmed=one.confirmed_us is not None,
            at_us=at_us,
        )
    ]
    return sorted(listed, key=lambda found: (found[2].due_us, found[1].stop))


def _minute(at_us: int, zone: str) -> str:
    from domain.instants import to_datetime

    return f"{to_datetime(at_us, zone):%Y-%m-%d %H:%M}"


def _lines(found: "list[StopOnRecord]", said: dict[int, str], zone: str) -> str:
    from rich.markup import escape

    def when(at_us: int) -> str:
        return _minute(at_us, zone)

    lines = []
    for one in found:
        scope = [f"debt {one.debt}" if one.debt else "", f"phone {one.phone}" if one.phone else "", one.channel or ""]
        until = f" until {when(one.until_us)}" if one.until_us else ""
        by = f" by {one.recorded_by}" if one.recorded_by else f" ({one.source})"
        received = f", received by {one.received}" if one.received else ""
        told = [f"since {when(one.event_us)}{until}{received}, recorded {when(one.known_us)}{by}"]
        if one.confirmed_us is not None:
            told.append(f"confirmed {when(one.confirmed_us)} by {one.confirmed_by}")
        if one.lifted_us is not None:
            whose = f" by {one.lifted_by}: {one.lifted_why}" if one.lifted_by else ""
            told.append(f"lifted {when(one.lifted_us)}{whose}")
        style = "dim" if one.lifted_us is not None else "bold"
        lines.append(f"[{style}]{one.kind}[/] of {', '.join(filter(None, scope)) or 'everything'}")
        lines += [f"  {escape(text)}" for text in told]
        lines += [f"  [italic]{escape(said[one.stop])}[/]"] if one.stop in said else []
    return "\n".join(lines) or "Nothing is on record."
