"""What `doctor` and `preflight` look at: each finding says what was found, and what to do where it is not well."""

import asyncio
import importlib.util
import os
import shutil
import sys
import time
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from console import settings as settings_files
from console.command_line import age
from console.roster import missing_groups
from console.settings import Settings
from domain.errors import CadenciaError, SwitchLost
from domain.instants import DAY, MINUTE, iso
from domain.pace import PATIENCE, RING, SHIFT, Pace, strictest
from domain.settings import LEAST_DETECTING_S, CampaignSettings

if TYPE_CHECKING:
    from rich.table import Table
    from sqlalchemy import Connection


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
    findings += [_disk(folder), _rules(settings), *_ledger(settings)]
    if settings.nodes:
        findings += asterisk(settings)
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
        from console.accepted import gate_in_force, history

        accepted = history(settings.rules)
        said = f"valid, version {gate_in_force(settings.rules).version}"
        return f"{said}, accepted {accepted[-1].at[:10]} by {accepted[-1].by}" if accepted else said

    found = attempted("rules", look)
    return found if not found.ok else msgspec.structs.replace(found, todo=_draft(settings))


def _draft(settings: Settings) -> str:
    """Say what is to be done about packs that were edited and bind nobody yet."""
    from console.accepted import draft_differs

    try:
        differs = draft_differs(settings.rules)
    except CadenciaError as error:
        return f"what rules/ holds is not in force, and wrong: {error}"
    return "what rules/ holds is not in force: see and accept it with `cadencia rules accept`" if differs else ""


def _ledger(settings: Settings) -> list[Finding]:
    """The ledger can be opened (which asserts durability and migrates), and the clock is not behind its record."""
    from ledger.migrate import HEAD
    from ledger.store import open_ledger

    last_us = 0

    def look() -> str:
        nonlocal last_us
        ledger = open_ledger(settings.ledger_url)
        try:
            for stream in ledger.streams():
                snapshot = ledger.last_snapshot(stream)
                last_us = max(last_us, snapshot.at_us if snapshot is not None else 0)
        finally:
            ledger.close()
        return f"{settings.ledger.url.partition('://')[0]}, durable, tables at version {HEAD}"

    return [attempted("ledger", look), _clock(last_us)]


def _clock(last_us: int) -> Finding:
    now_us = time.time_ns() // 1000
    found = f"{iso(now_us)}"
    if last_us > now_us + MINUTE:
        todo = f"the record of this folder ends later, {iso(last_us)}: set the clock, or rehearse in a copy"
        return Finding(what="clock", ok=False, found=found, todo=todo)
    return Finding(what="clock", ok=True, found=found)


def asterisk(settings: Settings) -> list[Finding]:
    """Ask each switch node what is missing there."""
    from console import logs

    # The standard output is the answer's.
    logs.to_stderr()
    return [finding for name in settings.nodes for finding in asyncio.run(_node(settings, name))]


async def _node(settings: Settings, name: str) -> list[Finding]:
    from console.floor import server
    from console.switch import plan
    from dialer.asterisk.check import check
    from dialer.asterisk.connection import Connection

    try:
        wanted = plan(settings, name)
        connection = Connection(server(name, settings.nodes[name]), lambda event: None)
        try:
            await connection.open()
            found = await check(connection, wanted)
        finally:
            connection.drop("checked")
    except SwitchLost as error:
        node = settings.nodes[name]
        todo = (
            f"is Asterisk running at {node.host}, is [nodes.{name}] port {node.port} its manager's (manager.conf: "
            "enabled = yes, port, bindaddr), and may this machine reach it?"
        )
        return [Finding(what=f"node {name}", ok=False, found=str(error), todo=todo)]
    except CadenciaError as error:
        return [Finding(what=f"node {name}", ok=False, found=str(error))]
    return [
        Finding(what=f"node {name}", ok=one.level != "error", found=one.what, todo=one.remedy)
        for one in found
        if one.level != "ok"
    ] or [Finding(what=f"node {name}", ok=True, found=f"{len(found)} things looked at, all there")]


# ---- one campaign


def preflight(settings: Settings, name: str) -> list[Finding]:
    """Look at everything that a campaign needs to start now."""
    campaign = settings.floor.campaign(name)
    findings = [_rules(settings), *_ledger(settings)]
    if all(finding.ok for finding in findings):
        findings += _list_and_hours(settings, campaign)
    else:
        findings.append(_message(campaign, ()))
    findings += [_trunks(settings, campaign), _caller_ids(campaign), _disk(settings.folder)]
    if settings.nodes:
        findings += asterisk(settings)
    else:
        todo = "add [nodes.NAME] to cadencia.toml; until then: run --rehearsal, or run --lab"
        findings.append(Finding(what="switch", ok=False, found="no node is configured", todo=todo))
    return findings


def _list_and_hours(settings: Settings, campaign: CampaignSettings) -> list[Finding]:
    from console.accepted import gate_in_force
    from console.registers import needs
    from console.stock import candidates, stock
    from console.why import folded, present_us
    from domain.instants import to_datetime
    from ledger import queries, registers
    from ledger.store import open_ledger

    gate = gate_in_force(settings.rules)
    zone = settings.floor.zone
    ledger = open_ledger(settings.ledger_url)
    try:
        state = folded(ledger, settings.floor.stream, gate, None)
        now_us = present_us(state)
        (found,) = stock(ledger, settings, gate, state, (campaign.name,), now_us)
        people = [one.dossier for one in candidates(ledger, settings, state, campaign, now_us)]
        asked: dict[str, Any] = {"actor": campaign.actor, "purpose": campaign.purpose}
        asked["on"] = to_datetime(now_us, zone).date()
        pace = strictest(campaign, campaign.abandon_limit, gate.pace_rules(people, **asked))
        required = gate.required_messages(people, **asked)
        needed = gate.registers(((one.country, one.region, one.city) for one in people), **asked)
        with ledger.reading() as connection:
            files = _files(connection)
            held = registers.registers(connection)
            agents = [one for one in queries.agents(connection) if one.active]
    finally:
        ledger.close()
    listed = Finding(
        what="list",
        ok=found.leads > 0,
        found=f"{found.leads:,} people; portfolio {_age(files.get('portfolio'), now_us)}",
        todo="" if found.leads else "import a portfolio, or widen the campaign's [selection]",
    )
    paid = Finding(
        what="payments",
        ok=True,
        found=f"file {_age(files.get('payments'), now_us)}",
        todo="" if now_us - files.get("payments", 0) < DAY else "import today's: cadencia import-payments FILE",
    )
    best = max(found.callable, default=0)
    now = found.callable[0] if found.callable else 0
    when = ", ".join(
        f"{to_datetime(at_us, zone):%H} h {count:,}"
        for at_us, count in zip(found.hours_us, found.callable, strict=True)
    )
    hours = Finding(
        what="hours",
        ok=now > 0,
        found=f"callable by hour: {when}" if when else "the floor's calendar has no hours",
        todo="" if now else "wait for the first such hour" if best else "nobody may be called today: see cadencia why",
    )
    nobody_in = missing_groups((one.agent_group for one in campaign.treatments.values()), agents)
    desk = Finding(
        what="agents",
        ok=True,
        found=f"{len(agents)} on record" if agents else "none on record: anybody may sign in",
        todo="; ".join(nobody_in),
    )
    rules = [_pace(campaign, pace), _message(campaign, required)]
    rules += [
        Finding(what=f"register {one.register}", ok=not one.todo, found=one.found, todo=one.todo)
        for one in needs(needed, held, now_us)
    ]
    return [listed, paid, hours, desk, *rules]


def _pace(campaign: CampaignSettings, pace: Pace) -> Finding:
    """What limits of abandonment hold, and which rules set them."""

    def by(what: str) -> str:
        return f" ({pace.by[what]})" if what in pace.by else ""

    held = [f"{pace.share * 100:g} % a shift{by(SHIFT)}"]
    held += [f"{window.share * 100:g} % over {window.name}{by(window.name)}" for window in pace.windows]
    wait = f"an answered person waits {pace.patience_s:g} s at most{by(PATIENCE)}"
    rings = f"a telephone rings {pace.ring_timeout_s:g} s{by(RING)}"
    counted = f"counted: {', '.join(pace.counted)}"
    found = f"abandoned at most {', '.join(held)}; {counted}; {wait}; {rings}"
    if campaign.detect_machines and campaign.clock_starts == "answer" and pace.patience_s < LEAST_DETECTING_S:
        todo = (
            f"machine detection takes up to 1.9 s and leaves no time to connect within {pace.patience_s:g} s of the "
            f"answer: detect_machines = false in campaigns/{campaign.name}.toml, or clock_starts = 'greeting_end' "
            "where counsel agrees"
        )
        return Finding(what="pacing", ok=False, found=found, todo=todo)
    return Finding(what="pacing", ok=True, found=found)


def _files(connection: "Connection") -> dict[str, int]:
    """Return when the newest file of each kind landed."""
    from sqlalchemy import func, select

    from ledger.schema import import_file

    landed = func.max(import_file.c.finished_us).label("landed_us")
    query = select(import_file.c.kind, landed).where(import_file.c.state == "landed").group_by(import_file.c.kind)
    return {row.kind: row.landed_us for row in connection.execute(query)}


def _age(at_us: int | None, now_us: int) -> str:
    return "never imported" if at_us is None else age(at_us, now_us)


def _trunks(settings: Settings, campaign: CampaignSettings) -> Finding:
    missing = [trunk for trunk in campaign.trunks if trunk not in settings.trunks]
    names = ", ".join(campaign.trunks)
    if missing and settings.nodes:
        todo = f"add [trunks.{missing[0]}] to cadencia.toml, or name another in campaigns/{campaign.name}.toml"
        return Finding(what="trunks", ok=False, found=f"not configured: {', '.join(missing)}", todo=todo)
    return Finding(what="trunks", ok=True, found=names)


def _message(campaign: CampaignSettings, required: tuple[str, ...]) -> Finding:
    """Where the rules let a message be played because no agent came, they ask that it name the caller.

    Parameters
    ----------
    required : tuple of str
        Rules by which one must be played to some people on the list.
    """
    default = next(field.default for field in msgspec.structs.fields(CampaignSettings) if field.name == "message")
    if campaign.message == default:
        todo = (
            "record a short one that says who called and what number to call, and nothing of a debt; put it "
            f'on the switch in each language, and name it: message = "cadencia/{campaign.name}" in '
            f"campaigns/{campaign.name}.toml; docs/operations.md says how"
        )
        found = f"{default}, Asterisk's own good-bye: it names no caller"
        if required:
            found += f", and {', '.join(required)} requires that one be played"
        return Finding(what="message", ok=not required, found=found, todo=todo)
    return Finding(what="message", ok=True, found=campaign.message)


def _caller_ids(campaign: CampaignSettings) -> Finding:
    wanted = campaign.selection.countries or ("*",)
    missing = [country for country in wanted if country not in campaign.caller_ids and "*" not in campaign.caller_ids]
    if missing:
        todo = f"add [caller_ids] to campaigns/{campaign.name}.toml: debtors should see who calls"
        return Finding(what="caller ids", ok=False, found=f"none for {', '.join(missing)}", todo=todo)
    return Finding(what="caller ids", ok=True, found=", ".join(campaign.caller_ids))
