"""Hunt for leaks: weeks of random floors on shared ledgers, then every contact that left held against the law.

    python -m benchmarks.leak_hunt --person-weeks 10000 --seed 1 [--to FILE.jsonl] [--json]

Scenes differ in everything that chance may decide: countries, homes and shared numbers, what went before, campaigns of
every mode, purpose and actor, one to three floors on one ledger, engines killed and started again, calls by hand,
messages, inbound calls, stops, consents and payments at any moment. Most scenes run in one process on SQLite; of ten,
one has a process for each floor, and one of those in two is on PostgreSQL. Each scene's result is a line of the file;
the same command goes on where it was stopped. Exit status 1 when there are breaches.
"""

import argparse
import json
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import msgspec

from benchmarks.leak_hunt.checker import check
from benchmarks.leak_hunt.law import Law
from benchmarks.leak_hunt.scene import Scene, play
from compliance.packs import SHIPPED
from ledger.store import open_ledger
from tests.postgres import CannotRunError, Postgres

_COUNTS = ("person_weeks", "contacts", "calls", "messages", "by_hand", "call_backs", "stale", "restarts")
_IN_MEMORY = Path("/dev/shm")


def scene_of(seed: int, number: int, days: float) -> tuple[Scene, str]:
    """Return a scene by its number, and the kind of its ledger."""
    chance = random.Random(f"{seed} {number}")
    apart = number % 10 == 9
    kind = "postgres" if number % 20 == 19 else "sqlite"
    n_people = 40 if apart else chance.choice((40, 80, 120))
    scene = Scene(
        seed=chance.randrange(1 << 30),
        n_people=n_people,
        n_floors=chance.choice((2, 3)) if apart else chance.choice((1, 2, 2, 3)),
        apart=apart,
        days=days,
    )
    return scene, kind


def hunt(scene: Scene, kind: str, server: Postgres | None) -> dict[str, Any]:
    """Play a scene, check it, and return what there is to tell of it."""
    started_s = time.monotonic()
    room = _IN_MEMORY if _IN_MEMORY.is_dir() else None
    folder = Path(tempfile.mkdtemp(prefix="cadencia-hunt-", dir=room))
    try:
        url = f"sqlite:///{folder}/ledger.db" if server is None else server.url()
        play(scene, url, folder)
        with open_ledger(url) as ledger, ledger.reading() as connection:
            report = check(connection, Law(SHIPPED))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    told = msgspec.to_builtins(report)
    return {
        "scene": msgspec.to_builtins(scene),
        "ledger": kind,
        "person_weeks": scene.n_people * scene.days / 7,
        "took_s": round(time.monotonic() - started_s, 1),
        **told,
    }


def total(lines: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the sums over scenes."""
    denials: Counter[str] = Counter()
    for line in lines:
        denials.update(line["denials"])
    return {
        "scenes": len(lines),
        "on_postgres": sum(line["ledger"] == "postgres" for line in lines),
        "apart": sum(line["scene"]["apart"] for line in lines),
        **{name: sum(line[name] for line in lines) for name in _COUNTS},
        "denials": sum(denials.values()),
        "denials_by_rule": dict(denials.most_common()),
        "breaches": [breach for line in lines for breach in line["breaches"]],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--person-weeks", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--days", type=float, default=7.0, help="length of a scene")
    parser.add_argument("--to", type=Path, help="results, a line for each scene; default leak-hunt-SEED.jsonl")
    parser.add_argument("--json", action="store_true", help="print the sums as JSON")
    options = parser.parse_args()
    to: Path = options.to or Path(f"leak-hunt-{options.seed}.jsonl")
    lines = [json.loads(line) for line in to.read_text().splitlines()] if to.exists() else []
    done = sum(line["person_weeks"] for line in lines)
    with ExitStack() as stack, to.open("a") as file:
        server: Postgres | None = None
        while done < options.person_weeks:
            scene, kind = scene_of(options.seed, len(lines), options.days)
            if kind == "postgres" and server is None:
                try:
                    server = stack.enter_context(Postgres())
                except CannotRunError as error:
                    print(f"on SQLite instead: {error}", file=sys.stderr)
                    kind = "sqlite"
            line = hunt(scene, kind, server if kind == "postgres" else None)
            lines.append(line)
            file.write(json.dumps(line) + "\n")
            file.flush()
            done += line["person_weeks"]
            print(
                f"{done:.0f} person-weeks, {line['contacts']} contacts in {line['took_s']} s, "
                f"{sum(len(one['breaches']) for one in lines)} breaches",
                file=sys.stderr,
                flush=True,
            )
    sums = total(lines)
    if options.json:
        print(json.dumps(sums, indent=2))
    else:
        for name, value in sums.items():
            if name == "breaches":
                for breach in value:
                    print(f"breach: {breach}")
                print(f"breaches: {len(value)}")
            elif name == "denials_by_rule":
                for rule, n in value.items():
                    print(f"  {rule}: {n}")
            else:
                print(f"{name}: {value}")
    sys.exit(1 if sums["breaches"] else 0)


if __name__ == "__main__":
    main()
