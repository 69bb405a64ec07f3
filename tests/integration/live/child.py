"""A floor in a process of its own, to be killed. Imported once by a fork server, so that a start takes no time."""

import asyncio
import sys
from pathlib import Path

from compliance.gate import Gate
from dialer.robots import Habits
from ledger.store import open_ledger
from tests.integration.live.scene import RULES, START_US, floor, people
from tests.integration.live.telephone import Line

HABITS = Habits(wrapup_s=(0.01, 0.05), p_break=0.05, break_s=0.2)

#: Loads the calendars of holidays before the fork.
_SEEN = [
    Gate.load(RULES).judge(
        one, at_us=START_US, phone=one.phones[0], debts=(), actor="third_party", purpose="collection"
    )
    for one in people(1)
]


def main(folder: str) -> None:
    """Run the floor of a folder until it is killed or told to end."""
    home = Path(folder)
    with (home / "child.log").open("a", buffering=1) as log:
        sys.stdout = sys.stderr = log
        ledger = open_ledger(f"sqlite:///{home}/ledger.db")
        asyncio.run(floor(ledger, Line(home / "exchange.sock"), home).run())
        ledger.close()
