"""Journal rows per second, in and out: memory, SQLite and PostgreSQL, each as durable as in earnest.

    python -m benchmarks.ledger [--agents N] [--hours H] [--batch ROWS] [--postgres]

A simulated floor (the engine that runs live, predictive, robot agents) makes the rows once. Each ledger takes them in
batches as a busy floor makes them, with chain, projections and a commit on disk for every batch; then they are read
back as recovery reads them, raw and decoded, and the chain is verified. `settle` is what the tables of the ledger in
memory take to catch up. `--postgres` starts a PostgreSQL of its own. Prints one JSON object: rows per second of wall
time, and the median and worst commit.
"""

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack

from sqlalchemy import select

from benchmarks.world import RULES, START_US, portfolio
from compliance.gate import Gate
from domain.calls import Mode
from domain.events import Reserved, Stale
from domain.instants import HOUR
from domain.people import Dossier
from domain.records import Row
from domain.settings import CampaignSettings, FloorSettings
from ledger.database import streamed
from ledger.memory import MemoryLedger
from ledger.people import enroll
from ledger.schema import journal
from ledger.store import SqlLedger, open_ledger
from simulation.agents import Chair
from simulation.run import RunSettings, SimulatedFloor

CAMPAIGN = CampaignSettings(
    name="a",
    mode=Mode.predictive,
    detect_machines=True,
    clock_starts="greeting_end",
    caller_ids={"*": ("+34910000000",)},
)


def load(ledger: SqlLedger, people: Sequence[Dossier]) -> str:
    """Put people into a ledger and make their list."""
    with ledger.writing() as connection:
        enroll(connection, people, {phone.phone: f"+34{phone.phone:09d}" for one in people for phone in one.phones}, 0)
    return ledger.make_plan(CAMPAIGN, START_US, "Europe/Madrid")


class Overheard(MemoryLedger):
    """Keeps what a run appends, so that others can be given the same."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[Row] = []

    def append(self, rows: Sequence[Row]) -> tuple[Reserved | Stale, ...]:
        self.rows += rows
        return super().append(rows)


def day(people: Sequence[Dossier], agents: int, hours: float) -> list[Row]:
    """Return the rows of a simulated floor."""
    ledger = Overheard()
    plan = load(ledger, people)
    SimulatedFloor(
        floor=FloorSettings(campaigns=(CAMPAIGN,), max_lines=10 * agents),
        run=RunSettings(start_us=START_US, hours=hours),
        gate=Gate.load(RULES),
        ledger=ledger,
        loads=list(ledger.plan_events(plan, "a", START_US)),
        chairs=[
            Chair(agent=f"a{number}", starts_us=START_US, ends_us=START_US + int(hours * HOUR))
            for number in range(agents)
        ],
    ).go()
    return ledger.rows


def measured(ledger: SqlLedger, people: Sequence[Dossier], rows: Sequence[Row], batch: int) -> dict[str, float]:
    """Return what one ledger does with the rows."""
    load(ledger, people)
    commits_s = []
    started_s = time.perf_counter()
    for first in range(0, len(rows), batch):
        commit_s = time.perf_counter()
        ledger.append(rows[first : first + batch])
        commits_s.append(time.perf_counter() - commit_s)
    found = {
        "append_rows_per_s": len(rows) / (time.perf_counter() - started_s),
        "commit_ms_median": 1e3 * statistics.median(commits_s),
        "commit_ms_worst": 1e3 * max(commits_s),
    }
    if isinstance(ledger, MemoryLedger):
        found["settle_rows_per_s"] = len(rows) / timed(ledger.streams)
    found["read_raw_rows_per_s"] = len(rows) / timed(lambda: sum(1 for _ in raw(ledger)))
    found["read_rows_per_s"] = len(rows) / timed(lambda: sum(1 for _ in ledger.read("floor")))
    found["verify_rows_per_s"] = len(rows) / timed(ledger.verify)
    return found


def raw(ledger: SqlLedger) -> Iterator[object]:
    query = select(journal.c.seq, journal.c.at_us, journal.c.campaign, journal.c.payload).order_by(journal.c.seq)
    with ledger.reading() as connection:
        yield from streamed(connection, query.where(journal.c.stream == "floor"))


def timed(action: Callable[[], object]) -> float:
    started_s = time.perf_counter()
    action()
    return time.perf_counter() - started_s


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--agents", type=int, default=50)
    parser.add_argument("--hours", type=float, default=1.0)
    parser.add_argument("--batch", type=int, default=60, help="rows of one commit")
    parser.add_argument("--postgres", action="store_true")
    options = parser.parse_args()
    people = tuple(portfolio(int(options.agents * options.hours * 250) + 2_000))
    rows = day(people, options.agents, options.hours)
    found: dict[str, object] = {"rows": len(rows), "batch": options.batch}
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        urls = {"sqlite": f"sqlite:///{folder}/ledger.db"}
        if options.postgres:
            from tests.postgres import Postgres

            urls["postgres"] = stack.enter_context(Postgres()).url()
        found["memory"] = measured(stack.enter_context(MemoryLedger()), people, rows, options.batch)
        for name, url in urls.items():
            found[name] = measured(stack.enter_context(open_ledger(url)), people, rows, options.batch)
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
