"""What `doctor` and `preflight` look at: each finding says what was found, and what to do where it is not well."""

import importlib.util
import os
import shutil
import sys
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from console import settings as settings_files
from console.settings import Settings
from domain.errors import CadenciaError

if TYPE_CHECKING:
    from rich.table import Table

ROOMS = ("domain", "compliance", "dialer", "ledger", "simulation", "console", "config")
#: Free disk below which nothing should be started, and below which somebody should look, bytes.
LEAST_DISK = 500_000_000
LITTLE_DISK = 5_000_000_000


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One thing looked at."""

    what: str
    ok: bool
    found: str
    #: What to do; empty when nothing.
    todo: str = ""


def table(findings: list[Finding], title: str) -> "Table":
    """Return the findings for people, with the verdict as caption."""
    from rich.markup import escape
    from rich.table import Table

    bad = sum(not finding.ok for finding in findings)
    shown = Table(
        title=title,
        title_justify="left",
        caption=f"[bold red]Not ready: {bad} to put right.[/]" if bad else "[bold green]Ready.[/]",
        caption_justify="left",
        box=None,
        show_header=False,
        pad_edge=False,
    )
    shown.add_column(width=1)
    shown.add_column(style="bold", no_wrap=True)
    shown.add_column(overflow="fold")
    for finding in findings:
        mark = "[green]✓[/]" if finding.ok else "[red]✗[/]"
        todo = f"\n[yellow]{escape(finding.todo)}[/]" if finding.todo else ""
        shown.add_row(mark, finding.what, f"{escape(finding.found)}{todo}")
    return shown


def doctor(folder: Path) -> list[Finding]:
    """Look at the installation, and at the working folder when there is one."""
    findings = [_python(), _rooms(), _numba_cache(), _time_zones()]
    if not (folder / settings_files.SETTINGS_FILE).exists():
        shown = folder.resolve()
        return [*findings, Finding(what="folder", ok=True, found=f"{shown} is no working folder: looked no further")]
    try:
        settings = settings_files.load(folder)
    except CadenciaError as error:
        return [*findings, Finding(what="settings", ok=False, found=str(error))]
    names = ", ".join(campaign.name for campaign in settings.floor.campaigns) or "none"
    findings.append(Finding(what="settings", ok=True, found=f"floor {settings.floor.stream}, campaigns: {names}"))
    findings += [_disk(folder), _rules(settings), *_ledger_and_clock(settings)]
    return findings


def attempted(what: str, look: Callable[[], str]) -> Finding:
    """Return what `look` found, or its error as a finding."""
    try:
        return Finding(what=what, ok=True, found=look())
    except CadenciaError as error:
        return Finding(what=what, ok=False, found=str(error))


def _python() -> Finding:
    found = f"{sys.version.split()[0]} at {sys.executable}"
    if sys.prefix == sys.base_prefix:
        todo = "rooms have plain names: install Cadencia into a virtual environment of its own"
        return Finding(what="python", ok=False, found=f"{found}, in no virtual environment", todo=todo)
    return Finding(what="python", ok=True, found=found)


def _rooms() -> Finding:
    """Every room that Python would import is ours: it lies beside this one, and nobody else claims its name."""
    home = Path(__file__).resolve().parent.parent
    claims = metadata.packages_distributions()
    strange = []
    for room in ROOMS:
        spec = importlib.util.find_spec(room)
        if spec is None or spec.origin is None:
            strange.append(f"{room} is missing")
        elif Path(spec.origin).resolve().parent.parent != home:
            strange.append(f"{room} comes from {spec.origin}")
        strange += [f"{room} is also installed by {other}" for other in claims.get(room, ()) if other != "cadencia"]
    if strange:
        todo = f"remove what shadows the rooms of {home}, or install Cadencia into a virtual environment of its own"
        return Finding(what="rooms", ok=False, found="; ".join(strange), todo=todo)
    return Finding(what="rooms", ok=True, found=f"{', '.join(ROOMS)}: all from {home}")


def _numba_cache() -> Finding:
    """Compiled kernels are kept on disk, or every start costs seconds."""
    named = os.environ.get("NUMBA_CACHE_DIR")
    home = Path(__file__).resolve().parent.parent / "dialer"
    user = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
    for place in (Path(named),) if named else (home, user):
        nearest = next(parent for parent in (place, *place.parents) if parent.exists())
        if os.access(nearest, os.W_OK):
            return Finding(what="numba cache", ok=True, found=f"{place} can be written")
    todo = "export NUMBA_CACHE_DIR=DIR with a folder that this user can write"
    return Finding(
        what="numba cache", ok=False, found=f"none of {named or f'{home}, {user}'} can be written", todo=todo
    )


def _time_zones() -> Finding:
    found = f"of the pinned tzdata package, {metadata.version('tzdata')}"
    return Finding(what="time zones", ok=True, found=found)


def _disk(folder: Path) -> Finding:
    free = shutil.disk_usage(folder).free
    found = f"{free / 1e9:.1f} GB free"
    if free < LEAST_DISK:
        return Finding(what="disk", ok=False, found=found, todo=f"make room: at least {LEAST_DISK / 1e9:g} GB")
    todo = f"a long campaign wants {LITTLE_DISK / 1e9:g} GB" if free < LITTLE_DISK else ""
    return Finding(what="disk", ok=True, found=found, todo=todo)


def _rules(settings: Settings) -> Finding:
    def look() -> str:
        from compliance.gate import Gate

        return f"valid, version {Gate.load(settings.folder / settings_files.RULES).version}"

    return attempted("rules", look)


def _ledger_and_clock(settings: Settings) -> list[Finding]:
    raise NotImplementedError
