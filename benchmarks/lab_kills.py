"""kill -9 of the engine at random moments of a campaign on the real lab, and its record against the network's.

    python -m benchmarks.lab_kills [--kills 200] [--seed 1] [--twice]

`--twice` lets people be tried again at once, so that the legal cap of two attempts a day is what stops the dialling.
Prints one JSON object; `findings` is to be empty.
"""

import argparse
import asyncio
import json
import random
import tempfile
import time
from pathlib import Path

import msgspec

from benchmarks.lab_floor import LabFloor, mix, one_each
from benchmarks.lab_truth import Account, account
from domain.calls import AGENT_DISPOSITIONS, NEVER_DIALLED, Disposition
from domain.settings import CampaignSettings, Retry

#: Longest life of an engine once it is up, and longest time without one.
LIFE_S = 3.5
GAP_S = 1.5
#: Attempts of one person a day by Spain's rules.
DAILY_CAP = 2


def again_at_once() -> CampaignSettings:
    """Return a campaign in which nothing but the law ends the attempts at somebody who was not reached."""
    retried = set(Disposition) - set(AGENT_DISPOSITIONS) - NEVER_DIALLED - {Disposition.not_in_service}
    return one_each(retry={**one_each().retry, **dict.fromkeys(retried, Retry(after_min=0.02))}, max_attempts=30)


async def kills(floor: LabFloor, n: int, seed: int) -> int:
    """Run a campaign to its end, killing its engine up to n times; return how often."""
    moments = random.Random(seed)
    done = 0
    async with floor.staffed():
        begun_s = time.monotonic()
        floor.start()
        await floor.until(lambda: floor.state.campaigns)
        # As long as this takes here and now: where it takes longer than a life, no engine would ever see a call.
        start_s = time.monotonic() - begun_s
        while done < n:
            if floor.process is None:
                floor.start()
            # From the first instant on: also in the middle of the recovery and of the resync.
            await asyncio.sleep(moments.uniform(0.05, start_s + LIFE_S))
            if floor.done():
                break
            assert floor.process is not None
            assert floor.process.exitcode is None, floor.log[-4000:]
            floor.kill()
            done += 1
            if moments.random() < 0.3:
                # The network goes on without an engine.
                await asyncio.sleep(moments.uniform(0.0, GAP_S))
        if floor.process is None:
            floor.start()
        # Ten agents talk with a third of those whom no kill met.
        await floor.until(floor.done, 120.0 + 0.3 * floor.n_leads)
    return done


def rows_for(n: int, twice: bool = False) -> int:
    """Return how many rows last for n kills."""
    return 60 + n * (9 if twice else 12)


def run(home: Path, n: int, seed: int, *, agents: int = 10, twice: bool = False) -> tuple[int, Account]:
    """Kill the engine of a campaign n times; return how often it was killed, and the account."""
    campaign = again_at_once() if twice else one_each()
    floor = LabFloor(home, mix(rows_for(n, twice)), agents=agents, campaign=campaign)
    try:
        floor.open()
        killed = asyncio.run(kills(floor, n, seed))
        return killed, account(floor, most_attempts=DAILY_CAP if twice else 1)
    finally:
        floor.close()


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--kills", type=int, default=200)
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--agents", type=int, default=10)
    options.add_argument("--twice", action="store_true")
    given = options.parse_args()
    started_s = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        killed, found = run(Path(folder), given.kills, given.seed, agents=given.agents, twice=given.twice)
    told = {"kills": killed, "seconds": round(time.monotonic() - started_s, 1), **msgspec.to_builtins(found)}
    told["blind"], told["readopted"] = len(found.blind), len(found.readopted)
    print(json.dumps(told, indent=2))


if __name__ == "__main__":
    main()
