"""Commands that fit the simulator to the record and say how far it may be believed: simulate fit, simulate fidelity."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from console.command_line import HERE, AsJson, Folder, check_number, note, tell

if TYPE_CHECKING:
    from rich.console import RenderableType

    from simulation.fidelity import Fidelity, Line
    from simulation.fit import Fitted

#: Joins the other commands of `simulate`.
app = typer.Typer()


@app.command()
def fit(
    from_ledger: Annotated[
        bool, typer.Option("--from-ledger", help="From this folder's record: the one source.")
    ] = True,
    since: Annotated[str | None, typer.Option("--from", help="First local day; else the first on record.")] = None,
    until: Annotated[str | None, typer.Option("--to", help="Last local day; else the last on record.")] = None,
    base: Annotated[str, typer.Option("--base", help="World that fills what the record does not tell.")] = "default",
    out: Annotated[Path, typer.Option("--out", help="File of the world's document.")] = Path("world.toml"),
    agents: Annotated[
        Path | None, typer.Option("--agents", help="Also write your agents here: hours, paces, wrap-up; a roster.")
    ] = None,
    complaints: Annotated[
        int | None, typer.Option("--complaints", help="Complaints that came in; without it, those on record.")
    ] = None,
    folder: Folder = HERE,
    as_json: AsJson = False,
) -> None:
    """What world does your record show? Writes it as a document, each number with its cases and interval."""
    from rich.progress import Progress

    from console import settings
    from console.shift import window_of
    from domain.errors import BadInput
    from domain.instants import iso
    from ledger import experience
    from ledger.attendance import agent_spans
    from ledger.complaints import complaints as recorded
    from ledger.store import open_ledger
    from simulation.aftermath import After
    from simulation.circumstances import day_of
    from simulation.fit import ROUNDS
    from simulation.fit import fit as fit_world
    from simulation.staffing import staffing

    if not from_ledger:
        raise BadInput("simulate fit: --from-ledger is the only source there is; leave the option out")
    if complaints is not None:
        check_number("simulate fit: --complaints", complaints, least=0, most=1_000_000)
    for option, word in (("--from", since), ("--to", until)):
        if word is not None:
            day_of(word, f"simulate fit: {option}")
    for option, file in (("--out", out), ("--agents", agents)):
        if file is not None and not file.absolute().parent.is_dir():
            raise BadInput(
                f"{file}: there is no folder {file.absolute().parent}; make it, or name another with {option}"
            )
    loaded = settings.load(folder)
    zone, stream = loaded.floor.zone, loaded.floor.stream
    ledger = open_ledger(loaded.ledger_url)
    try:
        with ledger.reading() as connection:
            to_us = window_of(connection, stream, zone, until)[1]
            from_us = first_us(connection, stream) if since is None else window_of(connection, stream, zone, since)[0]
            if from_us >= to_us and since is None:
                raise BadInput(f"simulate fit: nobody was called until {until}; name a later day with --to")
            if from_us >= to_us:
                last = f"--to {until}" if until else f"the last day on record, {iso(to_us - 1, zone)[:10]}"
                raise BadInput(f"simulate fit: --from {since} lies after {last}; name an earlier day")
            tries = list(experience.tries(connection, stream, from_us, to_us))
            people = experience.everybody(connection, stream, from_us, to_us)
            after = After(
                zone=zone,
                paid=experience.payments(connection, from_us, to_us),
                promised=experience.promises(connection, from_us, to_us),
                asked=experience.stops_asked(connection, from_us, to_us),
                messages=experience.messages(connection, from_us, to_us),
                complaints=recorded(connection, from_us, to_us) or None if complaints is None else complaints,
            )
            spans = [] if agents is None else list(agent_spans(connection, stream, from_us, to_us, zone))
    finally:
        ledger.close()
    with Progress(disable=as_json, transient=True) as bar:
        task = bar.add_task(f"dialling {len(tries):,} attempts again", total=ROUNDS)
        fitted = fit_world(
            tries, people, stream=stream, from_us=from_us, to_us=to_us, base=base, after=after,
            done=lambda: bar.advance(task),
        )  # fmt: skip
    _write(out, fitted.document(zone), "--out")
    if agents is not None:
        floor = staffing(tries, spans, stream=stream, from_us=from_us, to_us=to_us, zone=zone)
        if not floor.shifts:
            raise BadInput(
                f"simulate fit: --agents: no agent has hours of the day on record in this time; {out} is written, "
                "name more days for a roster"
            )
        _write(agents, floor.document(zone), "--agents")
    tell(fitted, as_json, lambda: _fitted(fitted, out))
    if not as_json:
        roster = "" if agents is None else f" --agents {agents}"
        note(f"Next: cadencia simulate fidelity --world {out}{roster}, on a day that was not fitted.")


def _write(path: Path, text: str, option: str) -> None:
    from domain.errors import BadInput

    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise BadInput(f"{path}: cannot be written ({error.strerror}); name another file with {option}") from None


def first_us(connection: object, stream: str) -> int:
    """Return the beginning of a floor's record."""
    from sqlalchemy import Connection, func, select

    from ledger.schema import attempt

    assert isinstance(connection, Connection)
    first = connection.execute(select(func.min(attempt.c.reserved_us)).where(attempt.c.stream == stream)).scalar()
    return first or 0


@app.command()
def fidelity(
    day: Annotated[str | None, typer.Option("--day", help="A local day, 2026-11-18; without it, the last.")] = None,
    world: Annotated[str, typer.Option("--world", help="Preset or document, besides the record itself.")] = "default",
    agents: Annotated[
        Path | None, typer.Option("--agents", help="Roster whose paces agents have in that world; else the day's own.")
    ] = None,
    replications: Annotated[int, typer.Option("--replications", help="Simulated days of each world.")] = 10,
    seed: Annotated[int, typer.Option("--seed", help="Of the first replication.")] = 1,
    folder: Folder = HERE,
    as_json: AsJson = False,
) -> None:
    """May the simulator be believed? A recorded day again, metric by metric; status 1 where it may not."""
    from functools import cache, partial

    from rich.progress import Progress

    from console import settings
    from console.accepted import gate_of
    from console.shift import window_of
    from domain.instants import to_datetime
    from ledger.store import open_ledger
    from simulation.day import read_day
    from simulation.fidelity import fidelity as compare
    from simulation.population import load
    from simulation.roster import roster

    check_number("simulate fidelity: --replications", replications, least=2, most=10_000)
    laws = load(world)
    known = None if agents is None else roster(agents)
    loaded = settings.load(folder)
    zone, stream = loaded.floor.zone, loaded.floor.stream
    ledger = open_ledger(loaded.ledger_url)
    try:
        with ledger.reading() as connection:
            from_us, _ = window_of(connection, stream, zone, day)
        recorded = read_day(ledger, stream, to_datetime(from_us, zone).date().isoformat(), zone)
    finally:
        ledger.close()
    with Progress(disable=as_json, transient=True) as bar:
        task = bar.add_task(f"simulating {recorded.day}", total=2 * replications)
        found = compare(
            recorded, cache(partial(gate_of, loaded.rules)), laws, world=world, replications=replications,
            first_seed=seed, agents=known, done=lambda: bar.advance(task),
        )  # fmt: skip
    tell(found, as_json, lambda: _compared(found))
    if not found.comparisons[-1].ok:
        raise typer.Exit(1)


# ---- for people


def _fitted(fitted: "Fitted", out: Path) -> "RenderableType":
    from rich.console import Group
    from rich.table import Table

    table = Table(title=f"{fitted.attempts:,} attempts on {fitted.people:,} people → {out}", title_justify="left")
    for column in ("of the world", "value", "cases", "95 % in"):
        table.add_column(column, overflow="fold")
    for one in fitted.estimates:
        values = one.value if isinstance(one.value, tuple) else (one.value,)
        shown = ", ".join(f"{value:g}" for value in values[:8]) + (" …" if len(values) > 8 else "")
        interval = "" if one.low is None or one.high is None else f"{one.low:.4g} – {one.high:.4g}"
        table.add_row(one.at, shown, f"{one.n:,}", interval)
    rest = "\n".join(f"  {place}: {why}" for place, why in sorted(fitted.missing.items()))
    return Group(table, f"\nLeft to {fitted.base}:\n{rest}")


_COLOURS = {"inside": "green", "near": "yellow", "outside": "red", "unknown": "dim"}


def _compared(found: "Fidelity") -> "RenderableType":
    from rich.console import Group
    from rich.table import Table

    parts: list[RenderableType] = [
        f"[bold]{found.day}[/]  {found.attempts:,} attempts, {found.agents} agents, {found.agent_hours:.1f} agent-hours"
    ]
    for one in found.comparisons:
        what = "its own calls" if one.world == "record" else f"the debtors of {one.world}"
        table = Table(title=f"\nWith {what}, {one.replications} times", title_justify="left")
        for column in ("metric", "observed", "simulated", "95 % of days in", "off", "verdict"):
            table.add_column(column, justify="left" if column in ("metric", "verdict") else "right")
        for line in [*one.lines, *one.by_hour]:
            _add(table, line)
        parts.append(table)
        if one.from_record is not None:
            parts.append(f"{one.from_record:.1%} of its attempts met what was on record; the rest met debtors of laws.")
        believed = ", ".join(
            name if within is None else f"{name} to ±{within:.0%}" for name, within in one.believed.items()
        )
        parts.append(f"May be believed: {believed or 'nothing'}.")
        if one.doubted:
            parts.append(f"[red]May not be believed:[/] {', '.join(one.doubted)}.")
        whole = "[green]Believe it[/]" if one.ok else "[red]Do not believe it[/]"
        parts.append(f"{whole} for days like this one, within the intervals shown.")
    return Group(*parts)


def _add(table: object, line: "Line") -> None:
    from rich.table import Table

    assert isinstance(table, Table)
    interval = (
        "" if line.low is None or line.high is None else f"{_number(line.low, line)} – {_number(line.high, line)}"
    )
    table.add_row(
        line.metric if line.hour is None else f"  {line.hour:02d} h {line.metric}",
        _number(line.observed, line),
        _number(line.simulated, line),
        interval,
        "" if line.off is None else f"{line.off:+.1%}",
        f"[{_COLOURS[line.verdict]}]{line.verdict}[/]",
    )


def _number(value: float | None, line: "Line") -> str:
    if value is None:
        return "–"
    if line.unit == "share":
        return f"{value:.2%}"
    return f"{value:,.0f}" if line.unit == "count" else f"{value:,.2f}"
