"""The command models match: which agent suits which debtor, learned from the record; and whether callers go by it."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from console.command_line import HERE, AsJson, Folder, check_number, note, tell, user
from console.modelling import History, Until

if TYPE_CHECKING:
    from console.settings import Promoted
    from models.matching import Learned

app = typer.Typer()


@app.command()
def match(
    promote: Annotated[bool, typer.Option("--promote", help="Let callers go by it, where it is borne out.")] = False,
    withdraw: Annotated[bool, typer.Option("--withdraw", help="Let callers go to the longest idle again.")] = False,
    outcome: Annotated[
        str, typer.Option(help="What agents are to bring: promise (or a plan), or payment within --days.")
    ] = "promise",
    days: Annotated[int, typer.Option(help="After a conversation, within which a payment counts.")] = 10,
    until: Until = "",
    history: History = "",
    folder: Folder = HERE,
    as_json: AsJson = False,
) -> None:
    """Does it pay to choose the agent for the debtor? Learned from conversations, judged on later ones."""
    from console import settings
    from domain.errors import BadInput

    check_number("models match: --days", days, least=1, most=366)
    if outcome not in ("promise", "payment"):
        raise BadInput(f"models match: --outcome must be promise or payment, was {outcome!r}; correct it")
    if withdraw:
        if promote:
            raise BadInput("models match: --promote and --withdraw are opposites; leave one out")
        _withdraw(folder, as_json)
        return
    if not (folder / settings.SETTINGS_FILE).is_file() and (promote or not history):
        settings.load(folder)  # says what is missing
    found = _learned(folder, outcome, days, until, history, as_json)
    put = found.matching is not None and promote
    if put:
        _write(folder, found, outcome, days)
    now = settings.matching_in_force(folder)
    told = {
        "outcome": outcome,
        "learned": found,
        "promoted": put,
        "in_force": None if now is None else now.matching.version,
    }
    tell(told, as_json, lambda: _shown(found, outcome, days, now, promoted=put))
    if not as_json and found.matching is not None and not promote:
        note("Next: cadencia models match --promote")
    raise typer.Exit(1 if promote and not put else 0)


def _learned(folder: Path, outcome: str, days: int, until: str, history: str, as_json: bool) -> "Learned":
    from console import ledger_models
    from console.simulating import progress
    from ledger.parquet import FOR_MATCHING
    from models.matching import learn
    from models.talks import read_talks

    until_us = ledger_models.end_of(until, folder, history) if until else None
    wanted: Literal["promise", "payment"] = "payment" if outcome == "payment" else "promise"
    with progress(quiet=as_json) as report, ledger_models.export(folder, history, report, FOR_MATCHING) as source:
        report("reading conversations", 0, 1)
        talks = read_talks(source, ledger_models.zone_of(folder, history), wanted, days, until_us)
        report("who suits whom", 0, 1)
        return learn(talks)


def _write(folder: Path, found: "Learned", outcome: str, days: int) -> None:
    """Put a table in force: the floor that is opened next takes it."""
    from datetime import UTC, datetime

    import msgspec

    from console.settings import MATCHING
    from domain.errors import BadInput

    told: dict[str, Any] = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "by": user(),
        "outcome": outcome if outcome == "promise" else f"payment within {days} days",
        "learned": msgspec.structs.replace(found, matching=None),
        "matching": found.matching,
    }
    draft = folder / f"{MATCHING}.draft"
    try:
        draft.write_bytes(msgspec.json.format(msgspec.json.encode(told), indent=2))
        draft.replace(folder / MATCHING)
    except OSError as error:
        raise BadInput(
            f"{error.filename or draft}: cannot be written ({error.strerror}); make room or give yourself the right"
        ) from None


def _withdraw(folder: Path, as_json: bool) -> None:
    from console.settings import MATCHING
    from domain.errors import BadInput

    try:
        (folder / MATCHING).unlink()
    except FileNotFoundError:
        raise BadInput(
            f"models match: {folder / MATCHING} is not there: no table is in force, nothing to take back"
        ) from None
    except OSError as error:
        raise BadInput(f"{folder / MATCHING}: cannot be removed ({error.strerror}); give yourself the right") from None
    tell({"withdrawn": True}, as_json, lambda: f"Withdrawn. {_NEXT}, callers go to the longest idle.")


_NEXT = "From when the floor is next opened"


def _shown(found: "Learned", outcome: str, days: int, now: "Promoted | None", *, promoted: bool) -> Any:
    from rich.console import Group
    from rich.table import Table

    what = "a promise or a plan" if outcome == "promise" else f"a payment within {days} days"
    table = Table(box=None, pad_edge=False, header_style="dim")
    for column, right in (("debtors", False), ("conversations", True), (f"brought {what}", True)):
        table.add_column(column, justify="right" if right else "left")
    for words, count, rate in found.groups:
        table.add_row(words, f"{count:,}", f"{100 * rate:.1f} %")
    return Group(
        f"{found.conversations:,} conversations of {found.agents} agents with {found.debtors:,} debtors; "
        f"{100 * found.rate:.1f} % brought {what}.",
        table,
        f"What an agent adds in a group, over what both bring by themselves: deviation "
        f"{100 * found.deviation:.1f} points over {found.cells} cells; chance alone would show as much "
        f"{_chance(found.p_cells)}.",
        _judged(found),
        _claimed(found),
        _standing(found, now, promoted=promoted),
    )


def _chance(p: float) -> str:
    return "less than once in 1,000 times" if p < 0.001 else f"{100 * p:.1f} times of 100"


def _judged(found: "Learned") -> str:
    if not found.error:
        return f"Nothing was said of {found.unseen:,} later conversations that they could bear out."
    return (
        f"On {found.unseen:,} later conversations with {found.unseen_debtors:,} debtors, each unit of what was said "
        f"was worth {found.measured:.2f} (standard error {found.error:.2f}); chance alone would show as much "
        f"{_chance(found.p_slope)}."
    )


def _claimed(found: "Learned") -> str:
    if not found.slope:
        return "[yellow]That is not borne out[/]: nothing is claimed, and callers go to the longest idle."
    gains = "; ".join(
        f"{free} free {100 * one.value:+.1f} points ({100 * one.low:+.1f} to {100 * one.high:+.1f})"
        for free, one in found.gains.items()
    )
    return (
        f"[green]Borne out[/]: {100 * found.slope:.0f} % of it is claimed. The best of some agents free by lot, "
        f"instead of any of them, adds to a conversation's chance: {gains}. On the floor it is less: the best are soon "
        "talking."
    )


def _standing(found: "Learned", now: "Promoted | None", *, promoted: bool) -> str:
    if promoted:
        return f"[bold]Promoted[/]. {_NEXT}, callers go by table {now.matching.version if now else ''}."
    if now is None:
        return "In force: nothing; callers go to the longest idle."
    same = found.matching is not None and found.matching.version == now.matching.version
    return f"In force: table {now.matching.version}{', this one' if same else ''}, promoted {now.at[:10]} by {now.by}."
