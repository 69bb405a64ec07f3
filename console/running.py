"""Commands that run a floor and talk to the one that runs: run, status, pause, drain, stop, limit,
mode, stock."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from console.command_line import HERE, AsJson, Folder, check_number, note, printer, tell

if TYPE_CHECKING:
    from console.floor import Wiring
    from console.settings import Settings
    from dialer.board import Board

app = typer.Typer()

#: How often the board is drawn, s.
REDRAW_S = 0.5

Campaign = Annotated[str | None, typer.Argument(help="Name of a campaign; without it, every one of the floor.")]


def ask(folder: Path, do: str, **fields: Any) -> dict[str, Any]:
    """Ask the engine that runs in a working folder."""
    from console.settings import SOCKET
    from dialer import control

    return control.ask(folder / SOCKET, do, **fields)


@app.command(rich_help_panel="Run")
def run(
    campaigns: Annotated[list[str], typer.Argument(help="Names of the campaigns to dial.", metavar="CAMPAIGN...")],
    rehearsal: Annotated[
        bool, typer.Option("--rehearsal", help="No telephone: a simulated network and robot agents, on a copy.")
    ] = False,
    lab: Annotated[bool, typer.Option("--lab", help="The lab's Asterisk (`cadencia lab start`), on a copy.")] = False,
    speed: Annotated[float, typer.Option(help="Of a rehearsal's clock against the wall's.")] = 1.0,
    start: Annotated[
        str | None,
        typer.Option(
            help="Where the clock starts, off the real network only; without it, the coming Wednesday, 15:30 UTC."
        ),
    ] = None,
    hours: Annotated[float | None, typer.Option(help="End by itself after so long; without it, on command.")] = None,
    agents: Annotated[int, typer.Option(help="Robot agents of a rehearsal, where none are on record.")] = 20,
    seed: Annotated[int, typer.Option(help="Of a rehearsal's chance.")] = 1,
    node: Annotated[list[str] | None, typer.Option(help="Only these switch nodes; repeat for several.")] = None,
    shadow: Annotated[
        bool, typer.Option("--shadow", help="Dial nothing: advise beside another dialer, fed by its events.")
    ] = False,
    events: Annotated[
        str | None,
        typer.Option(help="With --shadow: a file of that dialer's events, - for the standard input; else AMI's."),
    ] = None,
    folder: Folder = HERE,
    as_json: AsJson = False,
) -> None:
    """Dial, with the live board; without a terminal, a line of JSON a second."""
    import time

    from console import floor, settings
    from console.rehearsals import copy_folder, robots
    from console.rehearsals import start_us as coming
    from domain.errors import BadInput

    check_number("run: --speed", speed, least=0, most=1000, above=True)
    check_number("run: --agents", agents, least=1, most=10_000)
    if hours is not None:
        check_number("run: --hours", hours, least=0, above=True)
    loaded = settings.load(folder)
    for name in campaigns:
        loaded.floor.campaign(name)
    if shadow:
        from console import shadowing

        if rehearsal or start:
            raise BadInput("run: --shadow follows a real dialer by its own clock; leave --rehearsal and --start out")
        chosen = floor.on_lab(loaded, folder / "lab", "observer") if lab else _only(loaded, node)
        shadowing.follow(chosen, campaigns, events, hours=hours, as_json=as_json)
        return
    if events is not None:
        raise BadInput("run: --events feeds a shadow; give --shadow too")
    if rehearsal and lab:
        raise BadInput("run: --rehearsal and --lab exclude each other; choose one")
    if speed != 1.0 and not rehearsal:
        raise BadInput("run: --speed is for --rehearsal; a telephone runs in real time")
    if not (rehearsal or lab or start):
        dial(floor.telephone(_only(loaded, node), campaigns), folder, hours=hours, as_json=as_json)
        return
    start_us = instant(start) if start is not None else coming(time.time_ns() // 1000)
    copied = copy_folder(loaded)
    if rehearsal:
        who = robots(copied, agents)
        wiring = floor.rehearsal(copied, campaigns, start_us=start_us, speed=speed, robots=who, seed=seed)
    elif lab:
        wiring = floor.lab(copied, campaigns, folder / "lab", start_us)
    else:
        wiring = floor.telephone(_only(copied, node), campaigns, start_us)
    dial(wiring, copied.folder, hours=hours, as_json=as_json)


def instant(text: str) -> int:
    """Return the instant of an option."""
    from domain.errors import BadInput
    from domain.instants import parse

    try:
        return parse(text)
    except ValueError as error:
        raise BadInput(f"{text!r} is no instant ({error}); write it as 2026-11-18T15:30:00Z") from None


def _only(loaded: "Settings", names: list[str] | None) -> "Settings":
    import msgspec

    from domain.errors import BadInput

    if not names:
        return loaded
    if strange := [name for name in names if name not in loaded.nodes]:
        raise BadInput(f"run: no node {', '.join(strange)}; cadencia.toml has {', '.join(loaded.nodes) or 'none'}")
    return msgspec.structs.replace(
        loaded,
        nodes={name: loaded.nodes[name] for name in names},
        floor=msgspec.structs.replace(loaded.floor, nodes=tuple(names)),
    )


def dial(wiring: "Wiring", folder: Path, *, hours: float | None, as_json: bool) -> None:
    """Run a floor under its live board until it ends."""
    import asyncio

    from console import logs

    log = logs.to_file(folder)
    board = asyncio.run(_dial(wiring, hours, as_json))
    out = printer()
    if not as_json and board is not None and out.is_terminal:
        from console.board_view import view

        out.print(view(board, width=out.width, height=200, speed=wiring.speed))
    note(f"[dim]The run has ended; its log is {log}.[/]")


async def _dial(wiring: "Wiring", hours: float | None, as_json: bool) -> "Board | None":
    import asyncio

    from console.live_board import LiveBoard
    from domain.events import CampaignOrdered
    from domain.instants import HOUR

    floor = wiring.floor
    board: Board | None = None
    started_us: int | None = None
    ending = False

    def obey(verb: str) -> None:
        nonlocal ending
        if verb == "stop":
            floor.end(0.0 if ending else 120.0)
            live.tell("ending: waiting for the calls; q again leaves them to the switch")
            ending = True
        elif board is not None:
            for row in board.campaigns:
                floor.accept(CampaignOrdered(at_us=wiring.clock.now_us(), campaign=row.campaign, verb=verb))

    running = asyncio.create_task(wiring.run())
    with LiveBoard(obey, speed=wiring.speed, lines=as_json) as live:
        every_s = REDRAW_S if live.pictures else 1.0
        while not running.done():
            await asyncio.wait((running,), timeout=every_s)
            board = floor.board()
            if board.seq == 0:
                continue
            live.show(board)
            started_us = started_us or board.at_us
            if hours is not None and not ending and board.at_us - started_us >= hours * HOUR:
                ending = True
                floor.end(max(5.0, 900.0 / wiring.speed))
                live.tell("the hour is over: waiting for the calls")
    await running
    return board


@app.command(rich_help_panel="Run")
def status(
    folder: Folder = HERE,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Go on, each second, until the engine ends.")] = False,
    as_json: AsJson = False,
) -> None:
    """The board of the running engine."""
    from console.settings import SOCKET
    from dialer import control

    if not watch:
        answer = ask(folder, "status")
        tell(answer, as_json, lambda: _picture(answer))
        return
    import contextlib

    from console.live_board import LiveBoard

    with contextlib.suppress(KeyboardInterrupt), LiveBoard(lines=as_json) as live:
        for answer in control.watch(folder / SOCKET):
            live.show(_board(answer))


def _board(answer: dict[str, Any]) -> "Board":
    import msgspec

    from dialer.board import Board

    return msgspec.convert(answer["board"], Board)


def _picture(answer: dict[str, Any]) -> Any:
    from console.board_view import view

    width = printer().width
    return view(_board(answer), width=width, height=200)


@app.command(rich_help_panel="Run")
def pause(campaign: Campaign = None, folder: Folder = HERE, as_json: AsJson = False) -> None:
    """Dial nothing new; calls and agents go on. `cadencia resume` dials again."""
    _steer(folder, "pause", campaign, as_json, "paused")


@app.command(rich_help_panel="Run")
def resume(campaign: Campaign = None, folder: Folder = HERE, as_json: AsJson = False) -> None:
    """Dial again after pause or drain."""
    _steer(folder, "run", campaign, as_json, "running")


@app.command(rich_help_panel="Run")
def drain(campaign: Campaign = None, folder: Folder = HERE, as_json: AsJson = False) -> None:
    """Finish what is in flight and dial nothing new."""
    _steer(folder, "drain", campaign, as_json, "draining")


@app.command(rich_help_panel="Run")
def stop(
    campaign: Campaign = None,
    within: Annotated[float, typer.Option(help="Wait so many seconds for the calls to end.")] = 120.0,
    folder: Folder = HERE,
    as_json: AsJson = False,
) -> None:
    """Stop one campaign; without a name, end the run once its calls are over."""
    if campaign is not None:
        _steer(folder, "stop", campaign, as_json, "stopped")
        return
    check_number("stop: --within", within, least=0, most=3600)
    answer = ask(folder, "end", within_s=within)
    tell(answer, as_json, lambda: f"The engine ends when its calls are over, within {within:g} s.")


def _steer(folder: Path, verb: str, campaign: str | None, as_json: bool, word: str) -> None:
    answer = ask(folder, "campaign", verb=verb, campaign=campaign)
    tell(answer, as_json, lambda: f"{campaign or 'Every campaign'}: {word}.")


@app.command(rich_help_panel="Run")
def limit(
    campaign: Annotated[str, typer.Argument(help="Name of the campaign.")],
    share: Annotated[float, typer.Argument(help="Abandoned calls per call answered by a person, 0.03 for 3 %.")],
    folder: Folder = HERE,
    as_json: AsJson = False,
) -> None:
    """Change the limit of abandoned calls of a running campaign."""
    check_number("limit: SHARE", share, least=0, most=0.999)
    answer = ask(folder, "limit", campaign=campaign, abandon_limit=share)

    def shown() -> str:
        held, rule = answer["abandon_limit"], answer["bound_by"]
        bound = f" ({rule} binds)" if rule and held < share else ""
        return f"{campaign}: at most {held * 100:g} % abandoned from now on{bound}."

    tell(answer, as_json, shown)


@app.command(rich_help_panel="Run")
def mode(
    campaign: Annotated[str, typer.Argument(help="Name of the campaign.")],
    to: Annotated[str, typer.Argument(help="preview, progressive, power or predictive.")],
    ratio: Annotated[float | None, typer.Option(help="Lines per free agent, for power.")] = None,
    folder: Folder = HERE,
    as_json: AsJson = False,
) -> None:
    """Change how a running campaign dials."""
    if ratio is not None:
        check_number("mode: --ratio", ratio, least=1, most=10)
    answer = ask(folder, "mode", campaign=campaign, mode=to, ratio=ratio)
    tell(answer, as_json, lambda: f"{campaign}: {to}{f' ×{ratio:g}' if ratio else ''} from now on.")


@app.command(rich_help_panel="Run")
def stock(
    campaign: Campaign = None,
    at: Annotated[str | None, typer.Option(help="As of this instant: 2026-11-18T16:05:00Z.")] = None,
    folder: Folder = HERE,
    as_json: AsJson = False,
) -> None:
    """Callable leads by hour of the floor's day."""
    from console import settings
    from console import stock as counting
    from console.accepted import gate_in_force
    from console.why import folded, present_us
    from domain.instants import to_datetime
    from ledger.store import open_ledger

    loaded = settings.load(folder)
    names = [campaign] if campaign is not None else [one.name for one in loaded.floor.campaigns]
    gate = gate_in_force(loaded.rules)
    ledger = open_ledger(loaded.ledger_url)
    try:
        at_us = instant(at) if at is not None else None
        state = folded(ledger, loaded.floor.stream, gate, at_us)
        now_us = at_us if at_us is not None else present_us(state)
        found = counting.stock(ledger, loaded, gate, state, names, now_us)
    finally:
        ledger.close()

    def shown() -> Any:
        from rich.table import Table

        table = Table(box=None, pad_edge=False, title=f"Callable leads, {loaded.floor.zone}", title_justify="left")
        table.add_column("hour")
        for one in found:
            table.add_column(f"{one.campaign} ({one.leads:,})", justify="right")
            table.add_column(width=12)
        for index, start_us in enumerate(found[0].hours_us if found else ()):
            cells = [f"{to_datetime(start_us, loaded.floor.zone):%H:%M}"]
            for one in found:
                count = one.callable[index]
                cells += [f"{count:,}", f"[cyan]{'▇' * round(10 * count / max(one.leads, 1))}[/]"]
            table.add_row(*cells)
        return table

    tell(found, as_json, shown)
