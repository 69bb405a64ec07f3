"""A day recorded in the simulator, decided again through the live loop: the same rows, the same orders on the wire.

The loop runs as it does live: real ledger, gate, commits, lists and lookups. The record plays what comes from outside
(the switch, the desk, the heartbeat with the lag that it measured); everything else the loop makes itself: it opens the
floor, makes and loads the list, reserves, and lets Originates go after their commits. Commits take the time that they
took in the simulator, on the clock of the record.
"""

import asyncio
import threading
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

import pytest

from compliance.gate import Gate
from dialer.live import Floor
from domain.calls import Mode
from domain.events import AnyEvent, FloorOpened, LeadsLoaded, Reserved, Stale
from domain.instants import SECOND
from domain.orders import AnyOrder, Originate, Reserve, ShowLead
from domain.records import Row, encode
from domain.settings import CampaignSettings, FloorSettings
from ledger.people import enroll
from ledger.store import SqlLedger, open_ledger
from simulation.agents import Chair
from simulation.run import RunSettings, SimulatedFloor
from tests.integration.simulated import RULES, START_US, dossier, image

COMMIT_US = 5_000
PEOPLE = [dossier(person) for person in range(1, 301)]
#: Instant, order as bytes.
Sent = tuple[int, bytes]


class PlayedClock:
    """Stands at the instant of what is being played. The loop's own timers never ring: its heartbeat is played."""

    rehearsed = True

    def __init__(self) -> None:
        self.at_us = START_US

    def now_us(self) -> int:
        return self.at_us

    def not_before(self, at_us: int) -> None:
        assert at_us <= self.at_us

    def real_s(self, span_us: int) -> float:
        return 0.0 if span_us < SECOND // 10 else 3600.0


class PlayedSwitch:
    """Takes down what it is told to do, and when."""

    def __init__(self, clock: PlayedClock) -> None:
        self.sent: list[Sent] = []
        self.numbers: dict[int, str | None] = {}
        self._clock = clock

    async def start(self, deliver: Callable[[AnyEvent], None], now_us: Callable[[], int]) -> None:
        self.deliver = deliver

    def send(self, order: AnyOrder, number: str | None = None) -> None:
        self.sent.append((self._clock.at_us, encode(order)))
        if isinstance(order, Originate):
            self.numbers[order.phone] = number

    async def stop(self) -> None:
        pass


class HeldLedger(SqlLedger):
    """A ledger in which a commit that somebody waits for takes `COMMIT_US` of the played time."""

    def __init__(self, url: str, clock: PlayedClock) -> None:
        super().__init__(open_ledger(url)._database)
        #: When the commit under way is to end; None: none is.
        self.due_us: int | None = None
        #: Commits that somebody waited for, and how many reservations the last one answered.
        self.commits = 0
        self.answered = 0
        self.go = threading.Event()
        self._clock = clock

    def append(self, rows: Sequence[Row]) -> tuple[Reserved | Stale, ...]:
        if not any(isinstance(row.record, Reserve | Originate) for row in rows):
            return super().append(rows)
        self.go.clear()
        self.due_us = self._clock.at_us + COMMIT_US
        assert self.go.wait(60)
        answers = super().append(rows)
        self.due_us, self.answered = None, len(answers)
        self.commits += 1
        return answers


class Conductor:
    """Plays the inputs of a record to a loop, each when the loop is at rest."""

    def __init__(self, floor: Floor, clock: PlayedClock, switch: PlayedSwitch, ledger: HeldLedger) -> None:
        self._floor, self._clock, self._switch, self._ledger = floor, clock, switch, ledger

    async def play(self, recorded: list[Row]) -> None:
        async with asyncio.timeout(30):
            while not self._floor.board().campaigns or self._floor.board().campaigns[0].ready < len(PEOPLE):
                await asyncio.sleep(0.01)
        await self._rest()
        answered = 0
        for row in recorded:
            record = row.record
            if not row.is_input or isinstance(record, FloorOpened | LeadsLoaded):
                continue
            if isinstance(record, Reserved | Stale):
                # The loop's own doing; a batch may have brought several.
                if answered == 0:
                    answered = await self._commit(row.at_us)
                answered -= 1
                continue
            while self._ledger.due_us is not None and self._ledger.due_us < row.at_us:
                assert await self._commit(self._ledger.due_us) == 0, f"row {row.seq}: an answer that is not on record"
            self._clock.at_us = row.at_us
            self._switch.deliver(record)  # type: ignore[arg-type]
            await self._rest()

    async def _commit(self, at_us: int) -> int:
        """Let the commit that is under way end at an instant; return how many reservations it answered."""
        assert self._ledger.due_us == at_us, f"no commit ends at {at_us}, but at {self._ledger.due_us}"
        self._clock.at_us, done = at_us, self._ledger.commits
        self._ledger.go.set()
        async with asyncio.timeout(30):
            while self._ledger.commits == done:
                await asyncio.sleep(0.001)
        answered = self._ledger.answered
        await self._rest()
        return answered

    async def _rest(self) -> None:
        """Wait until everything is durable, or a commit is under way."""
        async with asyncio.timeout(30):
            while self._floor.status()["pending_rows"] and self._ledger.due_us is None:
                await asyncio.sleep(0.001)


def noted(floor: SimulatedFloor) -> list[Sent]:
    """Take down what the simulated switch is told, and when; screens are no part of it."""
    sent: list[Sent] = []
    send = floor.world.send

    def note(order: AnyOrder) -> None:
        if not isinstance(order, ShowLead):
            sent.append((int(floor.env.now), encode(order)))
        send(order)  # type: ignore[arg-type]

    floor.world.send = note  # type: ignore[method-assign,assignment]
    return sent


def filled(path: Path) -> str:
    """Make a ledger with the people in it and return its address."""
    url = f"sqlite:///{path}"
    numbers = {phone.phone: f"+346{phone.phone:08d}" for one in PEOPLE for phone in one.phones}
    with closing(open_ledger(url)) as ledger, ledger.writing() as connection:
        enroll(connection, PEOPLE, numbers, START_US - 10**9)
    return url


@pytest.mark.parametrize("mode", [Mode.predictive, Mode.preview])
def test_the_live_loop_decides_a_recorded_day_again_to_the_byte(mode: Mode, tmp_path: Path) -> None:
    campaign = CampaignSettings(
        name="a",
        mode=mode,
        detect_machines=True,
        clock_starts="greeting_end",
        caller_ids={"*": ("+34910000000",)},
    )
    settings = FloorSettings(campaigns=(campaign,), max_lines=100, tick_s=1.0)
    gate = Gate.load(RULES)
    with closing(open_ledger(filled(tmp_path / "simulated.db"))) as first:
        plan = first.make_plan(campaign, START_US, settings.zone)
        simulated = SimulatedFloor(
            floor=settings,
            run=RunSettings(start_us=START_US, hours=0.1, commit_us=COMMIT_US),
            gate=gate,
            ledger=first,
            loads=list(first.plan_events(plan, "a", START_US)),
            chairs=[Chair(agent=f"a{n}", starts_us=START_US, previews=mode is Mode.preview) for n in range(8)],
        )
        told = noted(simulated)
        simulated.go()
        recorded = list(first.read("floor"))
    assert sum(isinstance(row.record, Originate) for row in recorded) > 30

    clock = PlayedClock()
    switch = PlayedSwitch(clock)
    with closing(HeldLedger(filled(tmp_path / "live.db"), clock)) as second:
        floor = Floor(
            ledger=second, switch=switch, gate=gate, settings=settings, clock=clock, versions={}, loopback=True
        )

        async def again() -> None:
            running = asyncio.create_task(floor.run())
            try:
                await Conductor(floor, clock, switch, second).play(recorded)
            finally:
                second.go.set()
                running.cancel()
                await asyncio.gather(running, return_exceptions=True)

        asyncio.run(again())
        decided = list(second.read("floor"))
    # What the last commit of the loop still held is not durable, and was never sent.
    assert len(recorded) - len(decided) < 50
    assert image(decided) == image(recorded)[: len(decided)]
    assert switch.sent == told[: len(switch.sent)]
    assert len(told) - len(switch.sent) < 5
    assert all(number == f"+346{phone:08d}" for phone, number in switch.numbers.items())
