"""The command `due`: what a strategy has due besides calls, and the files for whoever does it."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from console.command_line import HERE, AsJson, Folder, tell, user
from console.portfolio import known_us, opened, progress

if TYPE_CHECKING:
    from console.settings import Settings
    from domain.settings import CampaignSettings
    from ledger.due import Found, Work
    from ledger.handover import Debtor

app = typer.Typer()

At = Annotated[str | None, typer.Option(help="At this instant, for rehearsals: 2026-11-18T09:30:00Z; without it, now.")]


@app.command(rich_help_panel="Run")
def due(
    campaign: Annotated[str, typer.Argument(help="Where there is one alone, it need not be named.")] = "",
    channel: Annotated[str, typer.Option(help="This one alone: sms, email, messaging or letter.")] = "",
    task: Annotated[str, typer.Option(help="This one alone: number_research, address_research or review.")] = "",
    csv: Annotated[
        Path | None, typer.Option("--csv", help="Hand out: record who may be written to now, and write this file.")
    ] = None,
    again: Annotated[
        bool, typer.Option("--again", help="With --csv: write the last hand-over's file again, and record nothing.")
    ] = False,
    by: Annotated[str | None, typer.Option(help="Who hands out; without it, the user of this machine.")] = None,
    at: At = None,
    folder: Folder = HERE,
    as_json: AsJson = False,
) -> None:
    """Who is due a message or a task today, and who may be written to now; with --csv, the file for whoever does it."""
    from console import settings
    from console.accepted import gate_in_force
    from domain.errors import BadInput
    from ledger.due import Work, look

    what = _what(channel, task, csv, again)
    loaded = settings.load(folder)
    known = [one.name for one in loaded.floor.campaigns]
    if not campaign and len(known) != 1:
        raise BadInput(f"due: name one of {', '.join(known) or 'none: make one with cadencia init'}")
    chosen = loaded.floor.campaign(campaign or known[0])
    if not chosen.document and not again:
        raise BadInput(
            f"due: campaign {chosen.name!r} has no strategy, so nothing is due besides calls; give it one that has "
            "steps by sms, email, messaging or letter, or tasks"
        )
    gate, at_us = gate_in_force(loaded.rules), known_us(at)
    with opened(loaded) as ledger, progress(quiet=as_json) as report:
        if csv is not None and again:
            answer = _write_again(ledger, gate, chosen, what, csv, at_us, loaded.floor.zone)
            tell(answer, as_json, lambda: _said(answer))
            return
        clock = None if at is not None else lambda: known_us(None)
        work = Work(ledger, gate, chosen, at_us, loaded.floor.zone, clock)
        if csv is not None:
            if channel:
                _check_registers(loaded, work)
            answer = _hand_out(work, what, csv, by or user(), report)
            tell(answer, as_json, lambda: _said(answer))
            return
        found = look(work, what, report)
    tell(found, as_json, lambda: _shown(found, loaded.floor.zone))


def _what(channel: str, task: str, csv: Path | None, again: bool) -> str:
    """Return the channel or the task that is asked about, empty: all; refuse what makes no sense."""
    from domain.errors import BadInput
    from strategy.documents import TASKS, WRITTEN

    for option, word, words in (("--channel", channel, WRITTEN), ("--task", task, TASKS)):
        if word and word not in words:
            raise BadInput(f"due: {option} must be one of {', '.join(words)}, was {word!r}; correct it")
    if channel and task:
        raise BadInput("due: --channel and --task are two files; name one of the two")
    if csv is None and again:
        raise BadInput("due: --again writes a file again: name it with --csv FILE")
    if csv is not None:
        if not (channel or task):
            raise BadInput("due: --csv writes one kind of thing: name it with --channel or --task")
        if not csv.parent.is_dir():
            raise BadInput(f"due: --csv {csv}: there is no folder {csv.parent}; make it, or name another file")
        if csv.exists() and not again:
            raise BadInput(
                f"due: --csv {csv}: is there already, and what was handed out in it is not handed out twice; name "
                "another file, or write the last hand-over again with --again"
            )
    return channel or task


def _check_registers(loaded: "Settings", work: "Work") -> None:
    """Refuse to hand out messages while a register that the rules want for these people is missing or too old."""
    from console.registers import needs
    from domain.errors import BadInput
    from domain.instants import to_datetime
    from ledger import queries, registers

    countries = set(work.made.book.country.tolist())
    with work.ledger.reading() as connection:
        addresses = [one for one in queries.addresses(connection) if one[0] in countries]
        held = registers.registers(connection)
    campaign, today = work.campaign, to_datetime(work.at_us, loaded.floor.zone).date()
    wanted = work.gate.registers(addresses, on=today, actor=campaign.actor, purpose=campaign.purpose)
    for one in needs(wanted, held, work.at_us):
        if one.todo:
            raise BadInput(f"due: {one.rule} wants register {one.register} ({one.found}): {one.todo}")


def _hand_out(work: "Work", what: str, csv: Path, by: str, report: Any) -> dict[str, Any]:
    import msgspec

    from ledger.handover import finish, hand_out, lines

    handed = hand_out(work, what, by, report)
    if handed.handover is not None:
        with work.ledger.reading() as connection:
            listed = lines(connection, handed.handover)
        _write(csv, what, listed, work.zone)
        finish(work.ledger, handed.handover, known_us(None))
    file = None if handed.handover is None else str(csv)
    return msgspec.structs.asdict(handed) | {"file": file, "again": False}


def _write_again(
    ledger: Any, gate: Any, campaign: "CampaignSettings", what: str, csv: Path, at_us: int, zone: str
) -> dict[str, Any]:
    from ledger.handover import finish, last_handover, lines, still_allowed

    with ledger.reading() as connection:
        number = last_handover(connection, campaign.name, what)
        listed = lines(connection, number)
    kept, left_out = still_allowed(ledger, gate, campaign, number, at_us)
    _write(csv, what, [one for one in listed if one.reference in kept], zone)
    finish(ledger, number, known_us(None))
    return {
        "handover": number,
        "what": what,
        "lines": len(kept),
        "over_budget": 0,
        "not_now": left_out,
        "file": str(csv),
        "again": True,
    }


# ---- files

#: What no hour closes may be sent for ever; 2100-01-01.
_NO_END_US = 4_102_444_800_000_000
_OF_DEBT = ("debtor", "creditor", "account", "accounts", "balance", "currency", "due_on")
_OF_ADDRESS = ("street", "postal_code", "city", "region", "country")
_COLUMNS: dict[str, tuple[str, ...]] = {
    "sms": ("to",),
    "messaging": ("to",),
    "email": (),
    "letter": _OF_ADDRESS,
}


def _columns(what: str) -> tuple[str, ...]:
    """Return the columns of a file: what its work needs of a person, and no more."""
    if what not in _COLUMNS:
        return ("reference", "task", "language", "name", *_OF_DEBT, "numbers", *_OF_ADDRESS)
    said = ("reference", "channel", "template", "language")
    return (*said, *_COLUMNS[what], "name", *_OF_DEBT, "send_before", "notices")


def _cells(what: str, one: "Debtor", zone: str) -> dict[str, Any]:
    from domain.instants import iso
    from domain.money import amount_text

    creditor, account = one.accounts[0]
    until_us = one.valid_until_us
    return {
        "reference": one.reference,
        "task": what,
        "channel": what,
        "template": one.template,
        "language": one.language,
        "to": " ".join(one.numbers),
        "numbers": " ".join(one.numbers),
        "name": one.name,
        # A reference of one creditor's own stands behind that creditor's name.
        "debtor": (one.ref or "").rpartition("\t")[2],
        "creditor": creditor,
        "account": account,
        "accounts": len(one.accounts),
        "balance": amount_text(one.balance_minor, one.currency).split()[0],
        "currency": one.currency,
        "due_on": one.due_on,
        "street": one.street,
        "postal_code": one.postal_code,
        "city": one.city,
        "region": one.region,
        "country": one.country,
        "send_before": "" if until_us is None or until_us > _NO_END_US else iso(until_us, zone),
        "notices": " ".join(one.notices),
    }


def _write(path: Path, what: str, listed: "Sequence[Debtor]", zone: str) -> None:
    """Write a file whole or not at all; it holds names and numbers, so it is its owner's alone."""
    import csv
    import os

    from domain.errors import BadInput

    columns = _columns(what)
    part = path.with_name(f".{path.name}.part")
    try:
        part.unlink(missing_ok=True)
        part.touch(mode=0o600)
        with part.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, columns, extrasaction="ignore")
            writer.writeheader()
            writer.writerows(_cells(what, one, zone) for one in listed)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError as error:
        raise BadInput(
            f"due: --csv {path}: cannot be written: {error.strerror}; the hand-over is on record, so mend that and "
            "write it with --again"
        ) from error


# ---- for people


def _reasons(not_now: dict[str, int]) -> str:
    from rich.markup import escape

    words = {
        "no_number": "no number that takes it",
        "no_address": "no postal address",
        "lapsed": "might have left until before now",
        "busy": "others write about them now",
    }
    return escape(", ".join(f"{n:,} {words.get(reason, reason)}" for reason, n in not_now.items()))


def _said(answer: dict[str, Any]) -> str:
    from rich.markup import escape

    if answer["handover"] is None:
        parts = [f"[bold]Nobody was handed out[/], and no file was written: {answer['what']}."]
    else:
        head = "Written again." if answer["again"] else "Handed out."
        parts = [
            f"[bold green]{head}[/] {answer['lines']:,} in {escape(answer['file'])}: {answer['what']}, "
            f"hand-over {answer['handover']}"
        ]
    if answer["not_now"]:
        parts.append(f"  {'left out by now' if answer['again'] else 'not now'}: {_reasons(answer['not_now'])}")
    if answer["over_budget"]:
        parts.append(f"  over budget: {answer['over_budget']:,}; they come first when there is room")
    return "\n".join(parts)


def _shown(found: "Found", zone: str) -> Any:
    from rich.console import Group
    from rich.markup import escape

    from domain.instants import to_datetime

    parts: list[Any] = [
        f"[bold]{escape(found.campaign)}[/], {found.strategy}, {to_datetime(found.at_us, zone):%a %d %b %Y %H:%M} "
        f"{zone}; {found.held_out:,} are held out and in none of this"
    ]
    for one in found.unfinished:
        when = f"{to_datetime(one.at_us, zone):%d %b %H:%M}"
        parts.append(
            f"[yellow]hand-over {one.handover} ({one.what}, {one.lines:,} lines, {when}) is on record and its file "
            f"never became whole: write it with --csv FILE --again[/]"
        )
    if found.messages:
        table = _table("messages", "due", "may go now", "over budget", "handed out today")
        notes = []
        for what, told in found.messages.items():
            budget = "" if told.budget is None else f" of {told.budget:,}"
            counts = (told.due, told.ready, told.over_budget)
            table.add_row(what, *(f"{n:,}" for n in counts), f"{told.handed_today:,}{budget}")
            notes += [f"{what}, by text: {escape(_texts(told.texts))}"] if told.texts else []
            notes += [f"{what}, not now: {_reasons(told.not_now)}"] if told.not_now else []
        parts += [table, *notes]
    if found.tasks:
        table = _table("tasks", "due", "may be done", "in hand", "since", "new numbers since")
        notes = []
        for what, of in found.tasks.items():
            table.add_row(what, f"{of.due:,}", f"{of.ready:,}", f"{of.in_hand:,}", of.since or "", f"{of.found:,}")
            notes += [f"{what}, not now: {_reasons(of.not_now)}"] if of.not_now else []
        parts += [table, *notes]
    if not (found.messages or found.tasks):
        parts.append("No step of its strategy is a message or a task for anybody.")
    return Group(*parts)


def _table(*titles: str) -> Any:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="dim")
    for number, title in enumerate(titles):
        table.add_column(title, justify="left" if number == 0 or title == "since" else "right")
    return table


def _texts(texts: dict[str, dict[str, int]]) -> str:
    return "; ".join(
        f"{template} ({', '.join(f'{language} {n:,}' for language, n in by.items())})" for template, by in texts.items()
    )
