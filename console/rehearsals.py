"""A rehearsal never touches the real record: it runs on a copy of the folder, which is a working folder of its own."""

import shutil
from datetime import timedelta

import tomlkit
from sqlalchemy import insert, select

from console import settings as files
from console.roster import agents
from console.settings import Settings
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


def copy_folder(original: Settings) -> Settings:
    """Copy settings, rules and everything known of people into the folder's `rehearsal/`, replacing the last one.

    Returns
    -------
    Settings
        Of the copy; its ledger is an SQLite file.
    """
    folder = original.folder / COPY
    if (folder / files.SETTINGS_FILE).exists():
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    for part in (files.CAMPAIGNS, files.RULES):
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
