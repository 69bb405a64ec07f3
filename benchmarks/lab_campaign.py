"""A campaign of portfolio rows with mixed outcomes against the real lab, and what became of every one.

    python -m benchmarks.lab_campaign [--rows 2000] [--agents 50] [--mode predictive] [--commit-delay 0.5]

Prints one JSON object: attempts, wrong outcomes, lost, doubled, answer to agent, abandonment under every definition.
"""

import argparse
import asyncio
import json
import tempfile
import time
from pathlib import Path

from benchmarks.lab_floor import LabFloor, mix, one_each, wrong
from domain.calls import Mode
from ledger.metrics import abandonment, count, quantile


async def campaign(floor: LabFloor, within_s: float) -> dict[str, object]:
    """Run the campaign until every lead has had its attempt; return the loop's measures."""
    measures: dict[str, object] = {}
    async with floor.staffed():
        floor.start()
        async with asyncio.timeout(within_s):
            while not floor.done():
                await asyncio.sleep(1.0)
                measures = (await floor.status()).get("measures", measures)
    return measures


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rows", type=int, default=2000)
    options.add_argument("--agents", type=int, default=50)
    options.add_argument("--mode", choices=[mode.value for mode in Mode], default="predictive")
    options.add_argument("--commit-delay", type=float, default=0.0)
    options.add_argument("--within", type=float, default=900.0)
    options.add_argument("--version", type=int, default=22)
    given = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        floor = LabFloor(
            Path(folder),
            mix(given.rows),
            agents=given.agents,
            campaign=one_each(mode=Mode(given.mode)),
            max_lines=200,
            commit_delay_s=given.commit_delay,
            version=given.version,
        )
        try:
            floor.open()
            started_s = time.monotonic()
            measures = asyncio.run(campaign(floor, given.within))
            took_s = time.monotonic() - started_s
            attempts = floor.attempts()
            with floor.ledger.reading() as connection:
                counts = count(connection, 0, 2**62)["all"]
        finally:
            floor.close()
    waits = counts.waits_us
    people = [person for *_, person in attempts]
    print(
        json.dumps(
            {
                "rows": given.rows,
                "agents": given.agents,
                "mode": given.mode,
                "commit_delay_s": given.commit_delay,
                "seconds": round(took_s, 1),
                "attempts": len(attempts),
                "wrong": wrong(attempts),
                "without_attempt": given.rows - len(set(people)),
                "doubled": len(people) - len(set(people)),
                "connected": len(waits),
                "answer_to_agent_ms": {f"p{q}": (quantile(waits, q / 100) or 0.0) / 1e3 for q in (50, 95, 99, 100)},
                "abandonment": {one.name: [one.value, one.numerator, one.denominator] for one in abandonment(counts)},
                "dispositions": dict(sorted(counts.by_disposition.items())),
                "loop": measures,
            },
            indent=2,
        )
    )


if __name__ == "__main__":
    main()
