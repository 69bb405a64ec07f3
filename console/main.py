"""The command `cadencia`: every noun's commands in one application, errors told as one clear message.

The files of commands import their rooms inside the functions, so that `--help` and the small commands stay quick.
Exit status: 0 done; 1 not now or not as it should be (a check failed, the switch is away, a law of ours broken);
2 the operator has to change something (command, settings, file).
"""

import os
import sys
from io import TextIOWrapper
from typing import Annotated
from zoneinfo import reset_tzpath

import typer

from console import (
    __version__,
    agents,
    calibrating,
    complaints,
    due,
    experimenting,
    folder,
    forecasting,
    matching,
    modelling,
    pasts,
    planning,
    portfolio,
    record,
    registers,
    reports,
    rules,
    running,
    simulating,
    stops,
    strategising,
    switch,
    valuing,
)
from domain.errors import BadInput, Broken, CadenciaError, LedgerStalled, SwitchLost

app = typer.Typer(
    name="cadencia",
    help="Predictive dialer and contact-strategy engine for debt collection.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)
for noun in (folder.app, portfolio.app, running.app, record.app, rules.app, reports.app, registers.app, due.app):
    app.add_typer(noun)
app.add_typer(agents.app, name="agents", rich_help_panel="Run")
app.add_typer(stops.app, name="stops", rich_help_panel="Data")
app.add_typer(complaints.app, name="complaints", rich_help_panel="Data")
app.add_typer(rules.rules_app, name="rules", rich_help_panel="Rules")
app.add_typer(forecasting.app)
app.add_typer(valuing.app)
simulating.app.add_typer(calibrating.app)
simulating.app.add_typer(pasts.app)
modelling.app.add_typer(matching.app)
app.add_typer(strategising.app, name="strategy", rich_help_panel="Try out")
app.add_typer(experimenting.app, name="experiment", rich_help_panel="Try out")
app.add_typer(planning.app, name="plan", rich_help_panel="Try out")
app.add_typer(simulating.app, name="simulate", rich_help_panel="Try out")
app.add_typer(modelling.app, name="models", rich_help_panel="Models")
app.add_typer(switch.lab_app, name="lab", rich_help_panel="Telephony")
app.add_typer(switch.asterisk_app, name="asterisk", rich_help_panel="Telephony")


def _version(asked: bool) -> None:
    if asked:
        print(__version__)
        raise typer.Exit


@app.callback()
def cadencia(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Say which.")] = False,
) -> None:
    """Predictive dialer and contact-strategy engine for debt collection."""


def main() -> None:
    """Run the command line and exit with its status."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            # A terminal that knows no bars shows question marks, and the run goes on.
            stream.reconfigure(errors="replace")
    # Machines differ in their time zone data; contact hours may not (the pinned package alone decides).
    reset_tzpath(to=[])
    try:
        app(prog_name="cadencia")
    except BadInput as error:
        _complain(error, 2)
    except (SwitchLost, LedgerStalled) as error:
        _complain(error, 1)
    except Broken as error:
        _complain(error, 1, "This is a defect of Cadencia, not of your files: please report it with this message.")
    except BrokenPipeError:
        # The reader of our output has gone (`… | head`); nothing to tell to nobody.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)


def _complain(error: CadenciaError, status: int, more: str = "") -> None:
    if "--json" in sys.argv:
        import msgspec

        line = msgspec.json.encode({"error": type(error).__name__, "message": str(error)}).decode()
        print(line, file=sys.stderr)
    else:
        from rich.console import Console
        from rich.markup import escape

        console = Console(stderr=True, highlight=False, soft_wrap=True)
        console.print(f"[bold red]cadencia:[/] {escape(str(error))}")
        if more:
            console.print(more)
    sys.exit(status)


if __name__ == "__main__":
    main()
