"""The demonstration: a sample portfolio, its campaigns and its robots, in a folder that is made anew each time."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tomlkit
from sqlalchemy import select

from console import folder, settings
from console.floor import START_US
from console.portfolio import bring_in
from console.rehearsals import claim, robot_agents
from console.roster import put
from console.settings import Settings
from ledger.schema import attempt, debt
from ledger.store import open_ledger
from simulation.sample import write_sample

if TYPE_CHECKING:
    from console.shift import Shift
    from ledger.portfolio import ImportReport

#: What its campaigns set, beyond the template.
CAMPAIGNS: dict[str, dict[str, Any]] = {
    "es": {
        "mode": "predictive",
        "detect_machines": True,
        "clock_starts": "greeting_end",
        "selection": {"countries": ["ES"]},
        "caller_ids": {"ES": ["+34910000000"]},
    },
    "co": {
        "mode": "predictive",
        "detect_machines": True,
        "clock_starts": "greeting_end",
        "selection": {"countries": ["CO"]},
        "caller_ids": {"CO": ["+576010000000"]},
    },
    "us": {
        "mode": "progressive",
        "selection": {"countries": ["US"]},
        "caller_ids": {"US": ["+12025550100"]},
    },
}


def prepare(
    directory: Path, *, debtors: int, agents: int, seed: int, report: Callable[[str, int, int], None]
) -> tuple[Settings, "ImportReport"]:
    """Make the folder with its portfolio imported and its agents on record.

    Raises
    ------
    BadInput
        When the folder exists and was not made by a demonstration, or one runs there.
    """
    claim(directory)
    folder.make_folder(directory, tuple(CAMPAIGNS))
    for name, values in CAMPAIGNS.items():
        _edit(directory / settings.CAMPAIGNS / f"{name}.toml", values)
    loaded = settings.load(directory)
    portfolio = directory / "portfolio.csv"
    write_sample(portfolio, debtors=debtors, seed=seed, at_us=START_US)
    ledger = open_ledger(loaded.ledger_url)
    try:
        put(ledger, robot_agents(agents), START_US)
        found = bring_in(ledger, loaded, portfolio, at_us=START_US, report=report)
    finally:
        ledger.close()
    return loaded, found


def _edit(path: Path, values: dict[str, Any]) -> None:
    """Set keys of a settings file and keep its comments."""
    document = tomlkit.parse(path.read_text(encoding="utf-8"))
    for key, value in values.items():
        document[key] = value
    path.write_text(tomlkit.dumps(document), encoding="utf-8")


def closing(loaded: Settings) -> tuple["Shift", str]:
    """Return how the demonstration's shift went, and an account worth asking about: the first that was called."""
    from console.shift import read_shift

    ledger = open_ledger(loaded.ledger_url)
    try:
        with ledger.reading() as connection:
            query = select(debt.c.account).join(attempt, attempt.c.person == debt.c.person)
            account = connection.execute(query.order_by(attempt.c.reserved_us).limit(1)).scalar()
            return read_shift(connection, loaded.floor, None), account or "ACCOUNT"
    finally:
        ledger.close()
