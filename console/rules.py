"""Commands about contact rules: gate judges cases from a file; rules list, show, check and diff read the packs."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO

import typer

from console.command_line import HERE, AsJson, Folder, tell

if TYPE_CHECKING:
    from datetime import date

    from rich.console import RenderableType

    from compliance.gate import Gate
    from compliance.numbers import Numbers

app = typer.Typer()
rules_app = typer.Typer(
    help="The rule packs: what they hold, whether they are whole, what a change changes.", no_args_is_help=True
)

#: How long a running engine may take to read other packs and get ready for them.
_TAKEN_WITHIN_S = 120.0
#: Lines between two looks at the progress bar.
_STRIDE = 500

Rules = Annotated[
    Path | None,
    typer.Option("--rules", help="Folder of rule packs; without it, the working folder's, or else those shipped."),
]
Strict = Annotated[
    bool, typer.Option("--strict/--literal", help="The conservative reading of what is ambiguous, or the literal one.")
]


@app.command(rich_help_panel="Rules")
def gate(
    cases: Annotated[
        str, typer.Option("--cases", help="File of cases, one JSON object a line; - for the standard input.")
    ],
    rules: Rules = None,
    folder: Folder = HERE,
    as_json: AsJson = False,
) -> None:
    """May these contacts be made? One verdict a line, in the order of the cases; status 1 if a line was bad."""
    import msgspec

    from compliance.gate import Gate
    from compliance.numbers import Numbers
    from console.accepted import in_force

    # Of a working folder, what it goes by; packs that are named, as they are.
    loaded = Gate.load(rules if rules is not None else in_force(_directory(None, folder)))
    numbers = Numbers(loaded.packs)
    encode = msgspec.json.Encoder().encode
    n_bad = 0
    # Who writes a case and waits for its answer gets it at once.
    waits = cases == "-"
    with _lines(cases) as lines:
        for answer in _answers(lines, loaded, numbers):
            n_bad += "error" in answer
            sys.stdout.buffer.write(encode(answer) + b"\n")
            if waits:
                sys.stdout.buffer.flush()
    raise typer.Exit(1 if n_bad else 0)


@rules_app.command("list")
def list_packs(rules: Rules = None, folder: Folder = HERE, as_json: AsJson = False) -> None:
    """Which packs are there: places, version, state of the sources, rows by status, counsel's signature."""
    from compliance.packs import load
    from compliance.review import states
    from console.accepted import history

    packs = load(_directory(rules, folder))
    found, accepted = states(packs), history(packs.directory)

    def shown() -> "RenderableType":
        from console.rules_view import state_table

        return state_table(found, packs, accepted)

    said = {"folder": str(packs.directory), "version": packs.version, "packs": found, "accepted": accepted}
    tell(said, as_json, shown)


@rules_app.command()
def show(
    what: Annotated[str, typer.Argument(help="Code or name of a place (ES, US-MA, NYC), or id of a row (US.7in7).")],
    actor: Annotated[
        str | None, typer.Option(help="Only what binds this one: third_party, debt_buyer or first_party.")
    ] = None,
    strict: Strict = True,
    rules: Rules = None,
    folder: Folder = HERE,
    as_json: AsJson = False,
) -> None:
    """What binds at a place, overlays and house rules included, or one row in full; each with its citation."""
    from compliance.packs import load
    from compliance.review import places_named, row, standing
    from compliance.rows import ACTORS
    from domain.errors import BadInput

    if actor is not None and actor not in ACTORS:
        raise BadInput(f"rules show: --actor must be one of {', '.join(ACTORS)}, was {actor!r}; correct it")
    packs = load(_directory(rules, folder), strict=strict)
    codes = places_named(packs, what)
    if len(codes) > 1:
        raise BadInput(f"rules show: {what!r} may be {' or '.join(codes)}; name one")
    code = codes[0] if codes else None
    if code is not None:
        found = [one for one in standing(packs, code, actor) if one.binds]
    else:
        one = row(packs, what)
        if one is None:
            raise BadInput(
                f"rules show: {what!r} is no code of a place and no id of a row; the places are "
                f"{', '.join(packs.jurisdictions)}; `cadencia rules show CODE` names the rows of one"
            )
        found = [one]

    def shown() -> "RenderableType":
        from console.rules_view import full_row, standing_table

        return full_row(found[0]) if code is None else standing_table(found, packs, code)

    tell(found, as_json, shown)


@rules_app.command()
def check(
    directory: Annotated[
        Path | None,
        typer.Argument(help="Folder of rule packs; without it, the working folder's, or else those shipped."),
    ] = None,
    on: Annotated[
        str | None, typer.Option("--on", help="Day on which rows expire or not: 2026-11-18; else today.")
    ] = None,
    folder: Folder = HERE,
    as_json: AsJson = False,
) -> None:
    """Are the packs whole? Every error at once (status 1); expired, unconfirmed and unsigned rows as warnings."""
    from compliance.packs import read
    from compliance.review import Warned, warnings

    where, day = _directory(directory, folder), _day(on)
    errors: list[str] = []
    packs = read(where, errors)
    warned: list[Warned] = [] if packs is None else warnings(packs, day)

    def shown() -> "RenderableType":
        from console.rules_view import check_table

        return check_table(where, errors, warned)

    version = None if packs is None else packs.version
    tell({"folder": str(where), "version": version, "errors": errors, "warnings": warned}, as_json, shown)
    raise typer.Exit(1 if errors else 0)


@rules_app.command()
def diff(
    before: Annotated[
        Path | None, typer.Argument(help="Folder of packs; without it, those the folder accepted last, or shipped.")
    ] = None,
    after: Annotated[Path | None, typer.Argument(help="Folder of packs; without it, the working folder's.")] = None,
    cases: Annotated[
        str | None, typer.Option("--cases", help="Judge this case file by both, and show which verdicts change.")
    ] = None,
    on_list: Annotated[
        bool, typer.Option("--list", help="What changes for the lists of the working folder's campaigns, by hour.")
    ] = False,
    at: Annotated[
        str | None, typer.Option("--at", help="With --list: as of this instant, 2026-11-18T16:05:00Z; else now.")
    ] = None,
    folder: Folder = HERE,
    as_json: AsJson = False,
) -> None:
    """What differs between two versions of the packs, key by key, and what that changes for cases or for the lists."""
    from compliance.gate import Gate
    from compliance.review import compare

    new = _directory(after, folder)
    old = before if before is not None else _accepted(new)
    gates = (Gate.load(old), Gate.load(new))  # both must be whole
    found: dict[str, Any] = {
        "before": {"folder": str(old), "version": gates[0].version},
        "after": {"folder": str(new), "version": gates[1].version},
        "changes": compare(old, new),
    }
    if cases is not None:
        found["cases"] = _compared(cases, gates)
    if on_list:
        found["lists"] = _lists(folder, gates, at)

    def shown() -> "RenderableType":
        from console.rules_view import diff_text

        return diff_text(found)

    tell(found, as_json, shown)
    raise typer.Exit(1 if cases is not None and found["cases"]["errors"] else 0)


@rules_app.command()
def accept(
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Accept without being asked.")] = False,
    by: Annotated[str | None, typer.Option(help="Who accepts; without it, the user of this machine.")] = None,
    remark: Annotated[str, typer.Option("--note", help="Why: kept with the version.")] = "",
    folder: Folder = HERE,
    as_json: AsJson = False,
) -> None:
    """Put the edited packs in force, in a running engine too; first shows what they change for today's lists."""
    from compliance.gate import Gate
    from compliance.packs import SHIPPED
    from compliance.review import compare
    from console import accepted, settings
    from domain.errors import BadInput

    if not yes and (as_json or not sys.stdin.isatty()):
        raise BadInput("rules accept: nobody is there to ask; look at `cadencia rules diff --list`, then give --yes")
    rules, socket = settings.load(folder).rules, folder / settings.SOCKET
    known = accepted.history(rules)
    old, new = accepted.gate_in_force(rules) if known else Gate.load(SHIPPED), _whole(rules)
    found: dict[str, Any] = {
        "before": {"folder": str(old.packs.directory), "version": old.version},
        "after": {"folder": str(rules), "version": new.version},
        "changes": compare(old.packs.directory, rules),
    }
    fresh = not known or old.version != new.version
    if old.version != new.version:
        found["lists"] = _lists(folder, (old, new), None)

    def shown() -> "RenderableType":
        from console.rules_view import diff_text

        return diff_text(found)

    if not yes:
        tell(found, as_json, shown)
        if fresh and not typer.confirm("Put these rules in force?", err=True):
            raise typer.Exit(1)
    found["accepted"] = accepted.keep(rules, new.version, by=by, note=remark) if fresh else known[-1]
    found["engine"] = _take_up(socket, new.version)
    tell(found, as_json, lambda: _accepted_text(found, None if not yes else shown()))


def _whole(rules: Path) -> "Gate":
    """Return the gate of edited packs; every error in them at once."""
    from compliance.gate import Gate
    from compliance.packs import read
    from domain.errors import BadInput

    errors: list[str] = []
    packs = read(rules, errors)
    if packs is None:
        raise BadInput("\n".join(["rules accept: refused, nothing has changed", *errors]))
    return Gate(packs)


def _take_up(socket: Path, version: str) -> dict[str, Any] | None:
    """Have the engine that runs in the folder go by a version; None: none runs."""
    from dialer import control
    from domain.errors import BadInput

    if not control.serves(socket):
        return None
    try:
        return control.ask(socket, "rules", timeout_s=_TAKEN_WITHIN_S, version=version)
    except (BadInput, OSError) as error:
        raise BadInput(
            f"rules accept: version {version} is accepted, but the running engine goes on by the one before ({error}); "
            "accept again, or end the run and start it anew"
        ) from None


def _accepted_text(found: dict[str, Any], before: "RenderableType | None") -> "RenderableType":
    from console.rules_view import accepted_text

    return accepted_text(found, before)


def _directory(rules: Path | None, folder: Path) -> Path:
    """Return the packs meant: those named, else the working folder's, else those shipped."""
    from compliance.packs import SHIPPED
    from console.settings import RULES, SETTINGS_FILE
    from domain.errors import BadInput

    if rules is not None:
        return rules
    if (folder / SETTINGS_FILE).is_file():
        return folder / RULES
    if folder != HERE:
        raise BadInput(f"{folder / SETTINGS_FILE}: there is no such file; name a working folder, or packs with --rules")
    return SHIPPED


def _accepted(directory: Path) -> Path:
    from compliance.packs import SHIPPED
    from console.accepted import history, in_force

    return in_force(directory) if history(directory) else SHIPPED


def _day(text: str | None) -> "date":
    from datetime import UTC, date, datetime

    from domain.errors import BadInput

    if text is None:
        return datetime.now(UTC).date()
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise BadInput(f"rules check: --on {text!r} is no day; write 2026-11-18") from None


@contextmanager
def _lines(cases: str) -> Iterator[Iterator[tuple[int, bytes]]]:
    """Give the numbered lines of a case file, empty ones left out; draws a bar for a file where somebody looks on."""
    from domain.errors import BadInput

    if cases == "-":
        yield _numbered(sys.stdin.buffer)
        return
    try:
        file = Path(cases).open("rb")  # noqa: SIM115 - closed below
    except OSError as error:
        raise BadInput(f"{cases}: cannot be read ({error.strerror}); name a case file, or - for the input") from None
    from console.portfolio import progress

    with file, progress(quiet=sys.stdout.isatty()) as report:
        size = Path(cases).stat().st_size

        def watched() -> Iterator[tuple[int, bytes]]:
            for number, line in _numbered(file):
                if number % _STRIDE == 0:
                    report("cases", file.tell(), size)
                yield number, line

        yield watched()


def _numbered(file: BinaryIO) -> Iterator[tuple[int, bytes]]:
    number = 0
    while line := file.readline():
        number += 1
        line = line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line
        if line.strip():
            yield number, line


def _answers(lines: Iterator[tuple[int, bytes]], gate: "Gate", numbers: "Numbers") -> Iterator[dict[str, Any]]:
    from compliance.casefile import judge

    for number, line in lines:
        answer = judge(gate, numbers, line)
        if answer["id"] is None:
            answer["error"] = f"line {number}: {answer['error']}"
        yield answer


def _compared(cases: str, gates: "tuple[Gate, Gate]") -> dict[str, Any]:
    """Return how many cases were judged alike by two gates, and each that was not."""
    from compliance.casefile import judge
    from compliance.numbers import Numbers

    numbers = tuple(Numbers(gate.packs) for gate in gates)
    judged, changed, errors = 0, [], []
    with _lines(cases) as lines:
        for number, line in lines:
            judged += 1
            both = [judge(gate, of, line) for gate, of in zip(gates, numbers, strict=True)]
            wrong = [one for one in both if "error" in one]
            if wrong:
                errors.append({"line": number, **wrong[0]})
                continue
            before, after = ({key: one[key] for key in ("allowed", "rule", "next_allowed_at")} for one in both)
            if before != after:
                changed.append({"id": both[0]["id"], "before": before, "after": after})
    return {
        "judged": judged,
        "changed": changed,
        "newly_allowed": sum(one["after"]["allowed"] > one["before"]["allowed"] for one in changed),
        "newly_denied": sum(one["after"]["allowed"] < one["before"]["allowed"] for one in changed),
        "errors": errors,
    }


def _lists(folder: Path, gates: "tuple[Gate, Gate]", at: str | None) -> dict[str, Any]:
    """Return what the second gate's rules would change for the lists of a working folder."""
    from console import settings, stock
    from console.running import instant
    from console.why import folded, present_us
    from ledger.store import open_ledger

    loaded = settings.load(folder)
    ledger = open_ledger(loaded.ledger_url)
    try:
        at_us = instant(at) if at is not None else None
        state = folded(ledger, loaded.floor.stream, gates[1], at_us)
        now_us = at_us if at_us is not None else present_us(state)
        changes = stock.compare(ledger, loaded, gates, state, now_us)
        return {"at_us": now_us, "zone": loaded.floor.zone, "campaigns": changes}
    finally:
        ledger.close()
