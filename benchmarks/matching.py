"""What choosing the agent for the debtor brings: learned from one month, tried on others, with and without.

    python -m benchmarks.matching --out DIR [--world FILE] [--debtors 8000] [--agents 10] [--days 3]
        [--learn-debtors 16000] [--learn-days 26] [--replications 8] [--idle 120] [--processes 2]

A month is simulated in which callers go to the longest idle; from its record alone `models.matching` learns, as
`cadencia models match` does. If it claims anything, further days of other debtors, with the same agents, are worked
with the table and without, with the same luck. A conversation counts by the truth: its chance to end in a promise or
plan, given debtor and agent; that it did, and what was paid, are told beside it. `--idle` is for how long a free agent
may be passed over, in seconds. What was simulated stays in DIR. Prints one JSON object.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from datetime import date
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from msgspec.structs import replace

from dialer.engine import agents as engine_agents
from domain.calls import Mode
from domain.events import Connected, Reserved, Stale
from domain.facts import AttemptClosed
from domain.instants import SECOND, midnight_us
from domain.matching import Matching
from domain.orders import Connect, Reserve
from domain.records import Row
from domain.settings import CampaignSettings, FloorSettings
from models.matching import Learned, learn
from models.talks import read_talks
from simulation.books import Annals
from simulation.callees import Callees, Meeting, Said
from simulation.chance import Chance
from simulation.measures import BY_NAME, parts, read_costs, tally
from simulation.month import Arm, Month, Plan
from simulation.population import Debtors
from simulation.roster import roster
from simulation.statistics import relative
from simulation.tape import Tape

WORLD: Final = Path(__file__).with_suffix(".toml")
#: Seed of the month that is learned from: none of those tried.
OTHERS: Final = 1_000_000
_SETTINGS: Final = ("world", "debtors", "agents", "days", "learn_debtors", "learn_days", "idle")
#: Told of both arms, with an interval of what is gained; each a ratio of two sums.
RATIOS: Final = {
    "agreed_per_conversation": ("p_agreed", "conversations"),
    "promises_and_plans": ("agreed", "ones"),
    "conversations": ("conversations", "ones"),
    "attempts": ("attempts", "ones"),
    "net_recovery": ("net_recovery", "ones"),
    "collected": ("collected", "ones"),
}


def arm(matching: Matching | None, tick_s: float) -> Arm:
    campaign = CampaignSettings(name="c", mode=Mode.predictive, caller_ids={"*": ("+34910000000",)})
    floor = FloorSettings(campaigns=(campaign,), tick_s=tick_s, matching=matching)
    return Arm(name="matched" if matching else "longest idle", floor=floor)


class Calls(Annals):
    """The history of a month as an export, and of calls who talked and what was written."""

    def __init__(self, folder: Path, start_us: int) -> None:
        super().__init__(folder, start_us)
        self._calls: dict[str, dict[str, Any]] = {}
        self._home = folder

    def append(self, rows: Sequence[Row]) -> tuple[Reserved | Stale, ...]:
        for row in rows:
            record = row.record
            if isinstance(record, Reserve):
                told = {"person": record.person, "reserved_at": row.at_us, "held_agent": record.agent, "agent": None}
                self._calls[record.call_id] = told
            elif isinstance(record, Connected):
                self._calls[record.call_id]["agent"] = record.agent
            elif isinstance(record, AttemptClosed):
                self._calls[record.call_id] |= {
                    "at": row.at_us, "disposition": str(record.disposition), "event": record.event
                }  # fmt: skip
        return super().append(rows)

    def write_calls(self) -> None:
        """Write who talked, and what was written."""
        instants = pa.timestamp("us", tz="UTC")
        types = {"person": pa.int64(), "reserved_at": instants, "at": instants}
        for name, columns in (
            ("attempts", ("call_id", "person", "reserved_at", "held_agent", "agent")),
            ("outcomes", ("call_id", "at", "disposition", "event")),
        ):
            ended = [{"call_id": call_id} | one for call_id, one in self._calls.items() if "at" in one]
            table = pa.table(
                {name: pa.array([one[name] for one in ended], types.get(name, pa.string())) for name in columns}
            )
            pq.write_table(table, self._home / f"{name}.parquet")


class Heard:
    """Debtors, and the truth of their conversations added up."""

    def __init__(self, debtors: Debtors) -> None:
        self._debtors = debtors
        self.dial, self.answer, self.talk = debtors.dial, debtors.answer, debtors.talk
        self.p_agreed = 0.0
        self.by_agent: dict[str, int] = {}

    def say(self, meeting: Meeting, at_us: int, person: int, debts: tuple[int, ...]) -> Said:
        if meeting.who == "debtor" and person == meeting.person:
            self.p_agreed += self._debtors.suits.p_agrees(person, meeting.agent)
            self.by_agent[meeting.agent] = self.by_agent.get(meeting.agent, 0) + 1
        return self._debtors.say(meeting, at_us, person, debts)


class Given(Tape):
    """A tape that counts to whom callers were given."""

    def __init__(self) -> None:
        super().__init__()
        self.connects = self.chosen = self.passed = 0

    def append(self, rows: Sequence[Row]) -> tuple[Reserved | Stale, ...]:
        for row in rows:
            if isinstance(row.record, Connect):
                self.connects += 1
                self.chosen += row.record.match is not None
                self.passed += row.record.match is not None and bool(row.record.match.instead)
        return super().append(rows)


def plan_of(asked: dict[str, Any], debtors: int, days: int) -> Plan:
    return Plan(
        world=asked["world"], debtors=debtors, start="2027-02-01", days=days,
        roster=replace(roster(asked["agents"], begin="11:00", end="20:00"), absence=0.0),
    )  # fmt: skip


def learned(folder: Path, asked: dict[str, Any], tick_s: float) -> Learned:
    """Return what the record of a month tells; a month that lies there already is not simulated again."""
    of, plan = arm(None, tick_s), plan_of(asked, asked["learn_debtors"], asked["learn_days"])
    told = (Path(asked["world"]).stem, asked["learn_debtors"], asked["agents"], asked["learn_days"])
    home = folder / "-".join(("learned", *map(str, told)))
    if not (home / "outcomes.parquet").exists():
        home.mkdir(parents=True, exist_ok=True)
        calls = Calls(home, midnight_us(date.fromisoformat(plan.start), of.floor.zone))
        with calls:
            Month(of, plan, OTHERS, calls).month()
        calls.write_calls()
    return learn(read_talks(home, of.floor.zone))


def month(asked: dict[str, Any], seed: int, table: bytes, tick_s: float) -> dict[str, Any]:
    """Return the counts of a month, worked by a table (JSON; empty: none)."""
    engine_agents.MOST_IDLE_US = round(asked["idle"] * SECOND)
    matching = msgspec.json.decode(table, type=Matching) if table else None
    heard: list[Heard] = []

    def meets(debtors: Callees, _chance: Chance) -> Callees:
        assert isinstance(debtors, Debtors)
        heard.append(Heard(debtors))
        return heard[0]

    tape, costs = Given(), read_costs()
    outcome = Month(
        arm(matching, tick_s), plan_of(asked, asked["debtors"], asked["days"]), seed, tape, meets=meets
    ).month()
    currency = costs.currency_of([outcome])
    of = tally(outcome, costs, currency)
    talked = list(heard[0].by_agent.values())
    return {
        "p_agreed": heard[0].p_agreed,
        "conversations": sum(talked),
        "agreed": outcome.total("promises") + outcome.total("plans"),
        "attempts": outcome.total("attempts"),
        "abandoned": outcome.total("abandoned"),
        "people": outcome.total("people"),
        "least_talks": min(talked),
        "most_talks": max(talked),
        "connects": tape.connects,
        "chosen": tape.chosen,
        "passed_over": tape.passed,
        "breaches": len(outcome.breaches),
        "ones": 1,
    } | {name: float(parts(BY_NAME[name], [of])[0, 0]) for name in ("net_recovery", "collected")}


def tried(path: Path, asked: dict[str, Any], seeds: Sequence[int], table: bytes, processes: int, tick_s: float) -> None:
    """Work the months that are not on file yet, with and without the table."""
    wanted = [(seed, which) for seed in seeds for which in (b"", table)]
    kept = {(row["seed"], row["table"]) for row in _rows(path, asked)}
    missing = [(seed, which) for seed, which in wanted if (seed, _version(which)) not in kept]
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        jobs = {pool.submit(month, asked, seed, which, tick_s): (seed, which) for seed, which in missing}
        for done, job in enumerate(as_completed(jobs), 1):
            seed, which = jobs[job]
            with path.open("a") as out:
                out.write(json.dumps({**asked, "seed": seed, "table": _version(which), **job.result()}) + "\n")
            print(f"{done} of {len(jobs)}", file=sys.stderr, flush=True)


def _version(table: bytes) -> str:
    return str(msgspec.json.decode(table)["version"]) if table else ""


def _rows(path: Path, asked: dict[str, Any]) -> list[dict[str, Any]]:
    if not path.exists():
        return []
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    # Without a table it is all the same for how long somebody may be passed over.
    return [
        row
        for row in rows
        if all(row[name] == value or (name == "idle" and not row["table"]) for name, value in asked.items())
    ]


def told(rows: list[dict[str, Any]], seeds: Sequence[int], version: str) -> dict[str, Any]:
    """Return the figures of both arms, and what the table gains."""
    by = {(row["seed"], row["table"]): row for row in rows}
    arms = [[by[seed, which] for seed in seeds] for which in ("", version)]

    def sums(some: list[dict[str, Any]], over: str, under: str) -> Any:
        return np.array([[row[over], row[under]] for row in some], np.float64)

    found: dict[str, Any] = {}
    for name, (over, under) in RATIOS.items():
        before, after = (sums(some, over, under) for some in arms)
        gain = relative(before, after)
        values = [float(of[:, 0].sum() / of[:, 1].sum()) for of in (before, after)]
        found[name] = {
            "longest_idle": round(values[0], 4), "matched": round(values[1], 4),
            "gained": [round(float(one), 4) for one in (gain.value, gain.low, gain.high)],
        }  # fmt: skip
    for name, some in zip(("longest_idle", "matched"), arms, strict=True):
        total = {key: sum(row[key] for row in some) for key in some[0] if isinstance(some[0][key], int | float)}
        found[f"share_of_{name}"] = {
            "callers_for_whom_several_were_free": round(total["chosen"] / total["connects"], 4),
            "longest_idle_passed_over": round(total["passed_over"] / total["connects"], 4),
            "abandoned": round(total["abandoned"] / total["people"], 4),
            "least_and_most_conversations_of_an_agent": [total["least_talks"], total["most_talks"]],
            "breaches": total["breaches"],
        }
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--world", default=str(WORLD))
    parser.add_argument("--debtors", type=int, default=8000)
    parser.add_argument("--agents", type=int, default=10)
    parser.add_argument("--days", type=int, default=3)
    parser.add_argument("--learn-debtors", type=int, default=16_000)
    parser.add_argument("--learn-days", type=int, default=26)
    parser.add_argument("--replications", type=int, default=8)
    parser.add_argument("--idle", type=float, default=engine_agents.MOST_IDLE_US / SECOND)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--tick-s", type=float, default=2.0)
    given = parser.parse_args()
    asked = {name: getattr(given, name) for name in _SETTINGS}
    given.out.mkdir(parents=True, exist_ok=True)
    found = learned(given.out, asked, given.tick_s)
    answer: dict[str, Any] = {
        **asked, "world": Path(given.world).name,
        "learned": msgspec.to_builtins(replace(found, matching=None), str_keys=True),
    }  # fmt: skip
    if found.matching is not None:
        table, path = msgspec.json.encode(found.matching), given.out / "months.jsonl"
        seeds = range(1, given.replications + 1)
        tried(path, asked, seeds, table, given.processes, given.tick_s)
        answer |= {"replications": given.replications, **told(_rows(path, asked), seeds, found.matching.version)}
    print(json.dumps(answer, indent=2))


if __name__ == "__main__":
    main()
