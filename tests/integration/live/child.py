"""A floor in a process of its own, to be killed: `python child.py FOLDER`."""

import asyncio
import sys
from pathlib import Path

from dialer.robots import Habits
from ledger.store import open_ledger
from tests.integration.live.scene import floor
from tests.integration.live.telephone import Line

HABITS = Habits(wrapup_s=(0.01, 0.05), p_break=0.05, break_s=0.2)


def main(folder: Path) -> None:
    ledger = open_ledger(f"sqlite:///{folder}/ledger.db")
    asyncio.run(floor(ledger, Line(folder / "exchange.sock"), folder).run())
    ledger.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
