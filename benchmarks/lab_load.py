"""The highest originate rate that a whole floor holds on the real lab with no wrong outcome.

    python -m benchmarks.lab_load [--rates 25 50 75 100] [--seconds 60] [--agents 40]

For each rate: a list for so many seconds, dialled as fast as the rate allows (power mode, no detection); answered calls
are taken by robot agents. Reported: calls a second held, wrong outcomes, answer to agent, and the share of a core that
the engine's process took. Asterisk, SIPp and the robots share the machine with it. A second session of the engine's own
AMI user counts what its filters let through: events and octets for each call (the engine hears the answers to its
orders besides: one for each Originate, Connect and Keep).
"""

import argparse
import asyncio
import json
import os
import tempfile
import time
from pathlib import Path

from benchmarks.lab_floor import LabFloor, one_each, wrong
from dialer.asterisk.lab_numbers import Behaviour, Outcome
from dialer.robots import Habits
from ledger.metrics import count, quantile

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


def processor_s(pid: int) -> float:
    """Return the processor time of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS_PER_S


def list_of(rate: int, seconds: int) -> list[Behaviour]:
    """Return behaviours for a rate over a time: 10 % answer and talk for 2 s, the rest fails or rings on."""
    kinds = [
        *[Behaviour(outcome=Outcome.leaves, ring_s=1.5, talk_s=2.0)] * 2,
        *[Behaviour(outcome=Outcome.busy, ring_s=0.3)] * 4,
        *[Behaviour(outcome=Outcome.unreachable, ring_s=2.0)] * 4,
        *[Behaviour(outcome=Outcome.no_answer)] * 2,
        *[Behaviour(outcome=Outcome.rejected, ring_s=1.0)] * 4,
        *[Behaviour(outcome=Outcome.not_in_service)] * 2,
        *[Behaviour(outcome=Outcome.congestion)] * 2,
    ]
    return [kinds[index * 7 % len(kinds)] for index in range(rate * seconds)]


class Heard:
    """What a session of the engine's AMI user hears, in numbers."""

    def __init__(self) -> None:
        self.events = 0
        self.octets = 0

    async def listen(self, floor: LabFloor) -> None:
        """Count until cancelled or cut off."""
        reader, writer = await asyncio.open_connection(floor.setup.host, floor.setup.port)
        writer.write(f"Action: Login\r\nUsername: {floor.setup.user}\r\nSecret: {floor.setup.secret}\r\n\r\n".encode())
        before = b""
        try:
            while data := await reader.read(1 << 16):
                # An event's first line may be cut in two.
                self.events += (before + data).count(b"\r\n\r\nEvent: ")
                self.octets += len(data)
                before = data[-10:]
        finally:
            writer.close()


async def load(floor: LabFloor, within_s: float) -> dict[str, object]:
    heard = Heard()
    listening = asyncio.create_task(heard.listen(floor))
    try:
        return await _load(floor, within_s, heard)
    finally:
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)


async def _load(floor: LabFloor, within_s: float, heard: Heard) -> dict[str, object]:
    begun: tuple[float, float, int, int] | None = None
    figures: dict[str, object] = {}
    last = 0
    async with floor.staffed(Habits(wrapup_s=(0.1, 0.3), p_break=0.0)), asyncio.timeout(within_s):
        floor.start()
        while floor.ended() < floor.n_leads:
            await asyncio.sleep(1.0)
            status = await floor.status()
            attempts = status["board"]["campaigns"][0]["attempts"] if status else 0
            if attempts and begun is None:
                begun = (time.monotonic(), processor_s(floor.pid), heard.events, heard.octets)
                last = attempts
            elif begun is not None and last < attempts < floor.n_leads:
                took_s, calls = time.monotonic() - begun[0], attempts - last
                figures = {
                    "calls_per_s": round(calls / took_s, 1),
                    "seconds": round(took_s, 1),
                    "engine_core_share": round((processor_s(floor.pid) - begun[1]) / took_s, 4),
                    "events_per_call": round((heard.events - begun[2]) / calls, 2),
                    "octets_per_call": round((heard.octets - begun[3]) / calls),
                    "loop": status["measures"],
                }
    return figures


def held(rate: int, seconds: int, agents: int) -> dict[str, object]:
    with tempfile.TemporaryDirectory() as folder:
        floor = LabFloor(
            Path(folder),
            list_of(rate, seconds),
            agents=agents,
            campaign=one_each(ratio=10.0, abandon_limit=0.99, calls_per_second=float(rate)),
            max_lines=rate * 8,
        )
        try:
            floor.open()
            figures = asyncio.run(load(floor, seconds * 3.0 + 120.0))
            attempts = floor.attempts()
            with floor.ledger.reading() as connection:
                counts = count(connection, 0, 2**62)["all"]
        finally:
            floor.close()
    ends = wrong(attempts)
    return {
        "asked_per_s": rate,
        **figures,
        "attempts": len(attempts),
        "wrong": len(ends),
        "first_wrong": ends[:3],
        "abandoned": counts.by_class.get("abandoned", 0),
        "answer_to_agent_ms": {f"p{q}": (quantile(counts.waits_us, q / 100) or 0.0) / 1e3 for q in (50, 99, 100)},
    }


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--rates", type=int, nargs="+", default=[25, 50, 75, 100])
    options.add_argument("--seconds", type=int, default=60)
    options.add_argument("--agents", type=int, default=40)
    given = options.parse_args()
    for rate in given.rates:
        print(json.dumps(held(rate, given.seconds, given.agents)), flush=True)


if __name__ == "__main__":
    main()
