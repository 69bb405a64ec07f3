"""Commands that run a floor and talk to the one that runs: run, status, pause, drain, stop, limit, mode, stock."""

from pathlib import Path
from typing import Annotated, Any

import typer

from console.command_line import HERE, AsJson, Folder, printer, tell

app = typer.Typer()

Campaign = Annotated[str | None, typer.Argument(help="Name of a campaign; without it, every one of the floor.")]


def ask(folder: Path, do: str, **fields: Any) -> dict[str, Any]:
    """Ask the engine that runs in a working folder."""
    from console.settings import SOCKET
    from dialer import control

    return control.ask(folder / SOCKET, do, **fields)


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


def _board(answer: dict[str, Any]) -> Any:
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
    answer = ask(folder, "limit", campaign=campaign, abandon_limit=share)
    tell(answer, as_json, lambda: f"{campaign}: at most {share * 100:g} % abandoned from now on.")


@app.command(rich_help_panel="Run")
def mode(
    campaign: Annotated[str, typer.Argument(help="Name of the campaign.")],
    to: Annotated[str, typer.Argument(help="preview, progressive, power or predictive.")],
    ratio: Annotated[float | None, typer.Option(help="Lines per free agent, for power.")] = None,
    folder: Folder = HERE,
    as_json: AsJson = False,
) -> None:
    """Change how a running campaign dials."""
    answer = ask(folder, "mode", campaign=campaign, mode=to, ratio=ratio)
    tell(answer, as_json, lambda: f"{campaign}: {to}{f' ×{ratio:g}' if ratio else ''} from now on.")
