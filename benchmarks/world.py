"""Simulated attempts per second of processor time: the world alone, a whole floor around it, and a plain SimPy floor.

    python -m benchmarks.world [--agents N] [--hours H] [--rounds N] [--profile]

The world alone is dialled at a steady rate by the simplest engine there is: whoever answers meets a free agent or is
kept until one is free. The whole floor is the engine that runs live, predictive, with the shipped rules, robot agents
and the in-memory ledger. The plain floor has the same debtors and habits in a process for each call and agent, and no
engine, law or record (`benchmarks.plain_floor`). Each run has a process of its own: none finds the memory that another
left in pieces. Prints one JSON object: of each, the median over the rounds; the ratios are medians of rounds in which
all three took turns. With --profile, one more run of the whole floor says in which module its time goes.
"""

import argparse
import gc
import json
import signal
import statistics
import time
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from types import FrameType
from typing import Any

from benchmarks.plain_floor import PlainFloor
from compliance.gate import Gate
from domain.calls import Mode
from domain.events import Answered, AnyEvent, Ended, LeadsLoaded
from domain.instants import HOUR, SECOND, parse
from domain.orders import Connect, Keep, Originate
from domain.people import CapKey, Debt, Dossier, Lead, Phone
from domain.settings import CampaignSettings, FloorSettings
from ledger.memory import MemoryLedger
from simulation.agents import Chair
from simulation.alarms import Alarm, Clock
from simulation.draws import Draws
from simulation.exchange import WorldSettings
from simulation.population import Debtors, load
from simulation.run import RunSettings, SimulatedFloor
from simulation.world import World

ROOT = Path(__file__).parents[1]
RULES = ROOT / "config" / "rules"
#: 10:00 in Madrid, a Wednesday.
START_US = parse("2026-11-18T10:00:00+01:00")
CHUNK = 5_000
CAMPAIGN = CampaignSettings(
    name="a",
    mode=Mode.predictive,
    detect_machines=True,
    clock_starts="greeting_end",
    caller_ids={"*": ("+34910000000",)},
)


def portfolio(size: int) -> Iterator[Dossier]:
    """Yield debtors of Madrid with two numbers each, at three ages of debt."""
    for person in range(1, size + 1):
        phones = (2 * person, 2 * person + 1)
        yield Dossier(
            person=person,
            keys=tuple(CapKey(key, 0) for key in sorted((f"person:{person}", *(f"phone:{phone}" for phone in phones)))),
            country="ES",
            address_zones=("Europe/Madrid",),
            language="es",
            debts=(
                Debt(
                    debt=person,
                    creditor=1,
                    balance_minor=10_000 + person,
                    currency="EUR",
                    due_on=("2026-10-20", "2026-08-01", "2026-02-01")[person % 3],
                ),
            ),
            phones=(
                Phone(phone=phones[0], country="ES", line_type="fixed" if person % 10 < 3 else "mobile"),
                Phone(phone=phones[1], country="ES", line_type="mobile"),
            ),
        )


class Simplest:
    """An engine of three rules, for the world alone."""

    def __init__(self, people: Iterable[Dossier], agents: int, attempts: int, per_second: float) -> None:
        chance = Draws(1)
        self.env = Clock(START_US)
        self.people = Debtors(load("default"), chance, start_us=START_US)
        met = tuple(people)
        self.people.meet(met)
        self.phones = sum(len(one.phones) for one in met)
        self.world = World(self.env, WorldSettings(), self.people, chance, self.deliver)
        self.world.start()
        self.free = deque(f"a{number}" for number in range(agents))
        self.kept: deque[str] = deque()
        self.agents: dict[str, str] = {}
        for agent in self.free:
            self.world.lift(agent, "main")
        self.attempts = attempts
        self.every_us = int(SECOND / per_second)

    def run(self) -> None:
        Alarm(self.env, 10 * SECOND, self.dial, 0)
        self.env.run()

    def dial(self, number: int) -> None:
        phones = self.phones
        self.world.send(
            Originate(
                call_id=f"floor-{number}",
                campaign="a",
                phone=2 + number % phones,
                node="main",
                trunk="t",
                caller_id="",
                ring_timeout_ms=25_000,
                valid_until_us=2**62,
                detect=True,
                record=False,
                grace_ms=300,
                limit_ms=1_700,
                abandon="message",
                language="es",
            )
        )
        if number + 1 < self.attempts:
            Alarm(self.env, self.every_us, self.dial, number + 1)

    def deliver(self, event: AnyEvent) -> None:
        if isinstance(event, Answered):
            if self.free:
                self.connect(event.call_id)
            else:
                self.kept.append(event.call_id)
                self.world.send(Keep(call_id=event.call_id, node="main", for_ms=2_000))
        elif isinstance(event, Ended) and (agent := self.agents.pop(event.call_id, None)) is not None:
            self.free.append(agent)
            if self.kept:
                self.connect(self.kept.popleft())

    def connect(self, call_id: str) -> None:
        if call_id in self.world.lines:
            self.agents[call_id] = self.free.popleft()
            self.world.send(Connect(call_id=call_id, agent=self.agents[call_id], node="main"))


def world_alone(attempts: int, agents: int) -> dict[str, float]:
    """Return speed and mix of a world without an engine."""
    simplest = Simplest(portfolio(20_000), agents, attempts, per_second=agents / 25)
    started_s = time.process_time()
    simplest.run()
    took_s = time.process_time() - started_s
    return {
        "attempts": attempts,
        "attempts_per_cpu_s": attempts / took_s,
        "us_per_attempt": 1e6 * took_s / attempts,
        "answered_share": simplest.world.answered / attempts,
    }


def size(agents: int, hours: float) -> int:
    """Return how many debtors keep a floor busy."""
    return int(agents * hours * 250) + 2_000


def predictive_floor(agents: int, hours: float, ledger: MemoryLedger) -> SimulatedFloor:
    """Return a floor with the engine that runs live, ready to go: one predictive campaign with machine detection."""
    people = tuple(portfolio(size(agents, hours)))
    loads = [
        LeadsLoaded(
            at_us=START_US,
            campaign="a",
            plan="a-1",
            chunk=number,
            sha256="",
            leads=tuple(
                Lead(person=one.person, rank=one.person, debts=(one.person,)) for one in people[first : first + CHUNK]
            ),
            people=people[first : first + CHUNK],
        )
        for number, first in enumerate(range(0, len(people), CHUNK))
    ]
    return SimulatedFloor(
        floor=FloorSettings(campaigns=(CAMPAIGN,), max_lines=10 * agents),
        run=RunSettings(start_us=START_US, hours=hours),
        gate=Gate.load(RULES),
        ledger=ledger,
        loads=loads,
        chairs=[
            Chair(agent=f"a{number}", starts_us=START_US, ends_us=START_US + int(hours * HOUR))
            for number in range(agents)
        ],
    )


def whole_floor(agents: int, hours: float) -> dict[str, float]:
    """Return speed and figures of a floor with the engine that runs live."""
    floor = predictive_floor(agents, hours, MemoryLedger())
    started_s = time.process_time()
    summary = floor.go()
    took_s = time.process_time() - started_s
    return {
        "attempts": summary.attempts,
        "attempts_per_cpu_s": summary.attempts / took_s,
        "rows_per_cpu_s": summary.rows / took_s,
        "rows_per_attempt": summary.rows / summary.attempts,
        "occupancy": summary.occupancy or 0.0,
        "abandon_rate": summary.abandon_rate or 0.0,
    }


def plain_floor(agents: int, hours: float) -> dict[str, float]:
    """Return speed and figures of a floor without an engine, in plain SimPy."""
    floor = PlainFloor(portfolio(size(agents, hours)), agents=agents, start_us=START_US)
    started_s = time.process_time()
    floor.run(hours)
    took_s = time.process_time() - started_s
    return {
        "attempts": floor.attempts,
        "attempts_per_cpu_s": floor.attempts / took_s,
        "occupancy": floor.busy_us / (agents * hours * HOUR),
        "abandon_rate": floor.abandoned / (floor.connected + floor.abandoned),
    }


class Profile:
    """Where a run's processor time goes, by module: samples of the stack, a few hundred a second.

    A sample belongs to the innermost module of this project or of SimPy: whoever calls a library pays for it. The
    collector is timed apart; its time is in the modules', too.
    """

    def __init__(self) -> None:
        self.samples: Counter[str] = Counter()
        self.collector_s = 0.0
        self._started_s = 0.0

    def run(self, agents: int, hours: float) -> dict[str, Any]:
        """Return shares of time by module, the greatest first."""
        floor = predictive_floor(agents, hours, MemoryLedger())
        gc.callbacks.append(self._collect)
        signal.signal(signal.SIGPROF, self._sample)
        signal.setitimer(signal.ITIMER_PROF, 0.001, 0.001)
        started_s = time.process_time()
        floor.go()
        took_s = time.process_time() - started_s
        signal.setitimer(signal.ITIMER_PROF, 0)
        gc.callbacks.remove(self._collect)
        total = self.samples.total()
        rooms: Counter[str] = Counter()
        for module, n in self.samples.items():
            rooms[_ROOMS.get(module.rpartition("/")[0], module.partition("/")[0])] += n
        return {
            "samples": total,
            "rooms": {room: round(n / total, 3) for room, n in rooms.most_common()},
            "modules": {module: round(n / total, 3) for module, n in self.samples.most_common(25)},
            "collector": round(self.collector_s / took_s, 3),
        }

    def _sample(self, _: int, frame: FrameType | None) -> None:
        while frame is not None:
            path = frame.f_code.co_filename
            if path.startswith(_OURS) and path != __file__:
                self.samples[path.removeprefix(_OURS)] += 1
                return
            if "/simpy/" in path:
                self.samples["simpy"] += 1
                return
            frame = frame.f_back

    def _collect(self, phase: str, _: dict[str, int]) -> None:
        now_s = time.process_time()
        if phase == "stop":
            self.collector_s += now_s - self._started_s
        self._started_s = now_s


_OURS = f"{ROOT}/"
#: Parts of a room that are told apart.
_ROOMS = {"dialer/engine": "dialer.engine", "dialer/pacing": "dialer.pacing"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--agents", type=int, default=50)
    parser.add_argument("--hours", type=float, default=1.0, help="of the whole floor")
    parser.add_argument("--attempts", type=int, default=50_000, help="of the world alone")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--profile", action="store_true", help="say where the whole floor's time goes")
    options = parser.parse_args()
    alone, floor, plain = [], [], []
    # What is compiled is compiled before.
    first = partial(whole_floor, options.agents, 0.02)
    with ProcessPoolExecutor(1, get_context("spawn"), first, max_tasks_per_child=1) as own:
        for _ in range(options.rounds):
            alone.append(own.submit(world_alone, options.attempts, options.agents).result())
            floor.append(own.submit(whole_floor, options.agents, options.hours).result())
            plain.append(own.submit(plain_floor, options.agents, options.hours).result())
    figures = {
        what: {name: round(statistics.median(each[name] for each in rounds), 4) for name in rounds[0]}
        for what, rounds in (("world_alone", alone), ("whole_floor", floor), ("plain_floor", plain))
    }
    ratios = {
        f"{what}_to_plain": round(statistics.median(map(_ratio, rounds, plain)), 3)
        for what, rounds in (("world_alone", alone), ("whole_floor", floor))
    }
    told: dict[str, Any] = {"agents": options.agents, "hours": options.hours, **figures, "ratios": ratios}
    if options.profile:
        first()
        told["profile"] = Profile().run(options.agents, options.hours)
    print(json.dumps(told, indent=2))


def _ratio(one: dict[str, float], other: dict[str, float]) -> float:
    return one["attempts_per_cpu_s"] / other["attempts_per_cpu_s"]


if __name__ == "__main__":
    main()
