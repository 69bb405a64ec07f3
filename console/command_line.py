"""What the commands share: their common options, and how they tell their answer (for people, or as JSON)."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

Folder = Annotated[
    Path,
    typer.Option("--folder", "-C", envvar="CADENCIA_FOLDER", help="Working folder made by `cadencia init`."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Answer as JSON.")]
HERE = Path()


def printer() -> "Console":
    """Return the console for people; wide text is wrapped only where there is a terminal."""
    from rich.console import Console

    return Console(highlight=False)


def check_number(option: str, value: float, *, least: float, most: float = 1e9, above: bool = False) -> None:
    """Refuse an option's number that is out of its range, or none.

    Parameters
    ----------
    above
        The number must lie above `least`.

    Raises
    ------
    BadInput
        Naming the option, what it must be and what was found.
    """
    from domain.errors import BadInput

    if not (least < value if above else least <= value) or not value <= most:
        words = f"above {least:g}" if above else f"{least:g} or more"
        upper = f" and at most {most:g}" if most < 1e9 else ""
        raise BadInput(f"{option} must be {words}{upper}, was {value:g}; correct it")


def tell(answer: Any, as_json: bool, shown: "Callable[[], RenderableType]") -> None:
    """Print an answer: the record as JSON, or what `shown` makes of it for people."""
    if as_json:
        import msgspec

        print(msgspec.json.encode(answer, enc_hook=str).decode())
    else:
        printer().print(shown())


def user() -> str:
    """Return who runs the command, for the record."""
    import getpass
    import os

    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a user id without a name
        return f"uid {os.getuid()}"


def age(at_us: int, now_us: int) -> str:
    """Return when something was imported, for people."""
    from domain.instants import HOUR, iso

    hours = (now_us - at_us) / HOUR
    if hours < 1:
        return "imported within the hour"
    return f"imported {iso(at_us)[:16]}Z, {f'{hours:.0f} h' if hours < 72 else f'{hours / 24:.0f} days'} ago"


def note(text: str) -> None:
    """Tell people something beside the answer, where no program reads it."""
    from rich.console import Console

    Console(stderr=True, highlight=False, soft_wrap=True).print(text)
