"""A rehearsal never touches the real record: it runs on a copy of the folder, which is a working folder of its own."""

import fcntl
import os
import shutil
from datetime import timedelta
from pathlib import Path

import tomlkit
from sqlalchemy import insert, select

from console import settings as files
from console.roster import agents
from console.settings import Settings
from domain.errors import BadInput
from domain.instants import DAY, from_datetime, to_datetime
from ledger.queries import Agent
from ledger.schema import metadata
from ledger.store import SqlLedger, open_ledger

COPY = "rehearsal"
#: What belongs to the engines that ran on the original, and not to its people. What was attempted is in the history.
_LEFT_BEHIND = frozenset(
    {
        "agent_state", "attempt", "campaign", "denial", "journal", "lease", "outcome", "plan", "plan_chunk",
        "snapshot", "stream",
    }
)  # fmt: skip
_CHUNK = 5_000
#: Marks a folder that was made for a trial and may be thrown away; who has it locked is using the folder.
MARK = ".cadencia-trial"
#: The marks that this process has locked, until it ends.
_OURS: dict[Path, int] = {}


def claim(folder: Path, *marks: str) -> None:
    """Empty a folder of trials for this process, which has it until it ends; make it where it is missing.

    Parameters
    ----------
    marks
        Further names of files by which such a folder is known.

    Raises
    ------
    BadInput
        When a trial runs there, or the folder is no trial's, or cannot be made.
    """
    try:
        made = not folder.exists() or not any(folder.iterdir())
        if not made and not any((folder / mark).exists() for mark in (MARK, *marks)):
            raise BadInput(f"{folder}: exists and was not made by a rehearsal or demonstration; remove it, or move it")
        folder.mkdir(parents=True, exist_ok=True)
        _lock(folder)
        for inside in folder.iterdir():
            if inside.name == MARK:
                continue
            shutil.rmtree(inside) if inside.is_dir() and not inside.is_symlink() else inside.unlink()
    except OSError as error:
        raise BadInput(f"{folder}: cannot be made anew ({error.strerror}: {error.filename}); see to it") from None


def _lock(folder: Path) -> None:
    """Lock the folder's mark for as long as this process lives, and see that no engine runs there."""
    key = folder.resolve() / MARK
    if key not in _OURS:
        mark = os.open(key, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        if not _flocked(mark):
            os.close(mark)
            raise _in_use(folder)
        _OURS[key] = mark
    engine = Path(files.SOCKET).with_suffix(".lock")
    # A trial in the folder's own copy would go with it.
    for lock in (folder / engine, folder / COPY / engine, folder / COPY / MARK):
        if not lock.exists():
            continue
        held = os.open(lock, os.O_RDWR | os.O_CLOEXEC)
        try:
            if not _flocked(held):
                raise _in_use(folder)
        finally:
            os.close(held)


def _flocked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _in_use(folder: Path) -> BadInput:
    return BadInput(
        f"{folder}: a rehearsal, a trial in the lab or a demonstration runs there, and a new one would replace it; see "
        f"`cadencia status --folder {folder}`, end it with `cadencia stop --folder {folder}`, or use another folder"
    )


def copy_folder(original: Settings) -> Settings:
    """Copy settings, rules and everything known of people into the folder's `rehearsal/`, replacing the last one.

    Returns
    -------
    Settings
        Of the copy; its ledger is an SQLite file.

    Raises
    ------
    BadInput
        When the last one runs still.
    """
    folder = original.folder / COPY
    claim(folder, files.SETTINGS_FILE)
    for part in (files.CAMPAIGNS, files.STRATEGIES, files.RULES):
        if (original.folder / part).is_dir():
            shutil.copytree(original.folder / part, folder / part)
    text = tomlkit.parse((original.folder / files.SETTINGS_FILE).read_text(encoding="utf-8"))
    text.setdefault("ledger", tomlkit.table())["url"] = "sqlite:///ledger.db"
    # A stream of its own: call ids begin with its name, and those of the original are in the history.
    text.setdefault("floor", tomlkit.table())["stream"] = f"{original.floor.stream}_rehearsal"
    (folder / files.SETTINGS_FILE).write_text(tomlkit.dumps(text), encoding="utf-8")
    copied = files.load(folder)
    source, target = open_ledger(original.ledger_url), open_ledger(copied.ledger_url)
    try:
        _copy_people(source, target)
    finally:
        source.close()
        target.close()
    return copied


def _copy_people(source: SqlLedger, target: SqlLedger) -> None:
    with source.reading() as reading:
        for table in metadata.sorted_tables:
            if table.name in _LEFT_BEHIND:
                continue
            rows = reading.execution_options(yield_per=_CHUNK).execute(select(table))
            for chunk in rows.mappings().partitions(_CHUNK):
                with target.writing() as writing:
                    writing.execute(insert(table), [dict(row) for row in chunk])


def start_us(now_us: int) -> int:
    """Return the coming Wednesday at 15:30 UTC: inside the contact hours of Spain, Colombia and the United States."""
    moment = to_datetime(now_us).replace(hour=15, minute=30, second=0, microsecond=0)
    moment += timedelta(days=(2 - moment.weekday()) % 7)
    return from_datetime(moment) + (7 * DAY if from_datetime(moment) <= now_us else 0)


def robots(settings: Settings, n_agents: int) -> list[Agent]:
    """Return who works in a rehearsal: the agents on record, else so many new ones."""
    ledger = open_ledger(settings.ledger_url)
    try:
        known = [one for one in agents(ledger) if one.active]
    finally:
        ledger.close()
    return known or robot_agents(n_agents)


def robot_agents(n_agents: int) -> list[Agent]:
    """Return so many agents called agent01 and on."""
    return [
        Agent(agent=f"agent{number:02d}", name=None, extension=None, campaigns=(), active=True)
        for number in range(1, n_agents + 1)
    ]
