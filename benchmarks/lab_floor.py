"""A whole floor on the real lab: portfolio file, import, gate, engine, live loop, Asterisk, SIPp, robot agents.

The engine runs in a process of its own, to be killed, stopped and started at will; the tests and the benchmarks that
need a campaign on a real switch build on this. `lab_truth` holds its record against what the network saw.
"""

import asyncio
import csv
import multiprocessing
import os
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import func, select

from compliance.gate import Gate
from compliance.numbers import Numbers
from compliance.packs import SHIPPED
from dialer.asterisk.client import AmiServer
from dialer.asterisk.connection import Connection
from dialer.asterisk.lab import Lab
from dialer.asterisk.lab_numbers import Behaviour, Outcome, lab_number, lab_outcome
from dialer.asterisk.orders import AsteriskNode
from dialer.asterisk.render import QueuePlan
from dialer.asterisk.resync import ask_endings
from dialer.asterisk.switch import AsteriskSwitch
from dialer.clocks import RehearsedClock
from dialer.control import Client
from dialer.engine import Engine
from dialer.engine.state import CLOSED, PARKED, State
from dialer.live import Floor
from dialer.robots import Habits, Robots
from domain.calls import NEVER_DIALLED, AnswerClass, Disposition, Mode
from domain.errors import BadInput
from domain.events import EndedCall, Reserved, Stale
from domain.instants import HOUR, parse
from domain.records import Row
from domain.settings import CampaignSettings, FloorSettings, Retry
from ledger.intake.cells import Form
from ledger.portfolio import import_portfolio
from ledger.schema import attempt, outcome, phone
from ledger.store import SqlLedger, open_ledger

#: A Wednesday inside the contact hours of Spain, Colombia and the eastern United States.
START_US = parse("2026-11-18T15:30:00+00:00")
SECRET = "CADENCIA_LAB_SECRET"
#: A lead that returns later than this does not return during a run.
_FAR_US = START_US + HOUR // 2
#: Quick agents: a run is short.
HABITS = Habits(wrapup_s=(0.2, 1.0), p_break=0.005, break_s=5.0)

#: Forked from a server that has imported everything: an engine is back in a moment.
_PROCESSES = multiprocessing.get_context("forkserver")
_PROCESSES.set_forkserver_preload([__name__])

#: Alembic keeps what it works on in a module: one at a time where floors are made in threads.
_MIGRATING = threading.Lock()

#: What a number asks for, and how its attempt may therefore end.
EXPECTED: dict[Outcome, tuple[set[str], set[str | None]]] = {
    Outcome.rejected: ({Disposition.rejected}, {None}),
    Outcome.busy: ({Disposition.busy}, {None}),
    Outcome.no_answer: ({Disposition.no_answer}, {None}),
    Outcome.not_in_service: ({Disposition.not_in_service}, {None}),
    Outcome.congestion: ({Disposition.network_fail}, {None}),
    Outcome.unreachable: ({Disposition.no_answer}, {None}),
    Outcome.answer: (set(), {AnswerClass.connected, AnswerClass.abandoned}),
    Outcome.leaves: (set(), {AnswerClass.connected, AnswerClass.abandoned}),
}


def one_each(**fields: Any) -> CampaignSettings:
    """Return a campaign that dials every row once: whatever the outcome, who was dialled leaves the list."""
    once = {one: Retry() for one in Disposition if one not in NEVER_DIALLED}
    given = {"mode": Mode.power, "ratio": 2.0, "ring_timeout_s": 5.0, "order": "rank", "max_attempts": 1}
    return CampaignSettings(name="lab", **{**given, "retry": once, **fields})


class Setup(msgspec.Struct, kw_only=True):
    """What the engine's process is to run."""

    floor: FloorSettings
    campaign: str
    host: str = "127.0.0.1"
    port: int = 5038
    user: str = ""
    secret: str = ""
    #: Every commit takes so much longer.
    commit_delay_s: float = 0.0


class SlowLedger(SqlLedger):
    """A ledger on a slow disk."""

    delay_s = 0.0

    def append(self, rows: Sequence[Row]) -> tuple[Reserved | Stale, ...]:
        if self.delay_s:
            time.sleep(self.delay_s)
        return super().append(rows)


def mix(n: int, *, talk_s: float = 3.0) -> list[Behaviour]:
    """Return n behaviours: 30 % answer, 15 % busy, 25 % no answer, 10 % each refused, unknown and congested."""
    kinds = [
        *[Behaviour(outcome=Outcome.answer, ring_s=1.0, talk_s=talk_s)] * 3,
        *[Behaviour(outcome=Outcome.leaves, ring_s=1.5, talk_s=talk_s)] * 3,
        *[Behaviour(outcome=Outcome.busy, ring_s=0.3)] * 3,
        *[Behaviour(outcome=Outcome.no_answer)] * 3,
        *[Behaviour(outcome=Outcome.unreachable, ring_s=2.0)] * 2,
        *[Behaviour(outcome=Outcome.rejected, ring_s=0.5)] * 2,
        *[Behaviour(outcome=Outcome.not_in_service)] * 2,
        *[Behaviour(outcome=Outcome.congestion)] * 2,
    ]
    # Strides coprime to the number of kinds spread them evenly over the list.
    return [kinds[index * 7 % len(kinds)] for index in range(n)]


def write_portfolio(path: Path, behaviours: Iterable[Behaviour], country: str = "ES") -> None:
    """Write an import file whose numbers do in the lab what is asked of them."""
    serials: dict[Behaviour, int] = {}
    with path.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(
            ["creditor", "account", "name", "phone1", "country", "region", "postal_code", "balance", "currency", "rank"]
        )
        for index, behaviour in enumerate(behaviours):
            serial = serials[behaviour] = serials.get(behaviour, -1) + 1
            number = lab_number(country, behaviour, serial)
            rows.writerow(
                ["Banco", f"A{index:06d}", f"Persona {index}", number, country, "MD", "28001", "100", "EUR", index]
            )


async def _remembered(server: AmiServer, since_s: float) -> list[EndedCall]:
    connection = Connection(server, lambda _event: None)
    await connection.open()
    try:
        return await ask_endings(connection, since_s)
    finally:
        connection.drop("asked")


class Attempt(NamedTuple):
    call_id: str
    number: str
    disposition: str | None
    answer_class: str | None
    wait_us: int | None
    person: int


class LabFloor:
    """A lab, a ledger with an imported portfolio, and an engine process in a folder.

    Parameters
    ----------
    floor
        Fields of the floor's settings.
    """

    def __init__(
        self,
        home: Path,
        behaviours: Sequence[Behaviour],
        *,
        agents: int,
        campaign: CampaignSettings | None = None,
        commit_delay_s: float = 0.0,
        version: int = 22,
        **floor: Any,
    ) -> None:
        settings = campaign or one_each()
        self.home = home
        self.n_leads = len(behaviours)
        home.mkdir(parents=True, exist_ok=True)
        self.lab = Lab(home / "lab", agents=agents, version=version, campaigns=(QueuePlan(name=settings.name),))
        self.setup = Setup(
            floor=FloorSettings(stream="lab", campaigns=(settings,), nodes=("lab",), **{"max_lines": 100, **floor}),
            campaign=settings.name,
            commit_delay_s=commit_delay_s,
        )
        write_portfolio(home / "portfolio.csv", behaviours)
        with _MIGRATING:
            self.ledger = open_ledger(self.url)
        numbers = Numbers.load(SHIPPED)
        report = import_portfolio(
            self.ledger,
            home / "portfolio.csv",
            describe=numbers.describe,
            address_zones=numbers.address_zones,
            at_us=START_US - 10**9,
            form=Form(zone="Europe/Madrid"),
        )
        assert report.added == len(behaviours), report
        self.process: BaseProcess | None = None
        self._opened_s = 0.0
        self._folded = Engine(Gate.load(SHIPPED))

    @property
    def url(self) -> str:
        return f"sqlite:///{self.home}/ledger.db"

    @property
    def socket(self) -> Path:
        return self.home / "cadencia.sock"

    @property
    def log(self) -> str:
        """What the engine's processes have said."""
        path = self.home / "engine.log"
        return path.read_text(encoding="utf-8") if path.exists() else ""

    # ---- the lab and the engine's process

    def open(self) -> None:
        """Start the lab and say where it is."""
        self._opened_s = time.time()
        state = self.lab.start()
        self.setup.user, self.setup.secret = state.ami_user, state.ami_secret
        self.point(state.address, state.ami_port)

    def point(self, host: str, port: int) -> None:
        """Tell the engine's next process which manager port to use, e.g. that of a faulty link."""
        self.setup.host, self.setup.port = host, port

    def start(self) -> None:
        """Start the engine's process, under the setup of this moment."""
        setup = msgspec.json.encode(self.setup)
        self.process = _PROCESSES.Process(target=_main, args=(self.home, setup), daemon=True)
        self.process.start()

    def kill(self) -> None:
        """Kill the engine's process, as the kernel would."""
        if self.process is not None:
            self.process.kill()
            self.process.join()
            self.process = None

    @property
    def pid(self) -> int:
        """The engine's process."""
        assert self.process is not None
        assert self.process.pid is not None
        return self.process.pid

    def close(self) -> None:
        """End everything; the files stay."""
        self.kill()
        self.lab.stop()
        self.ledger.close()

    # ---- while it runs

    @asynccontextmanager
    async def staffed(self, habits: Habits = HABITS) -> AsyncIterator[Robots]:
        """Let robots work the floor, whether its engine runs or not."""
        robots = Robots(self.socket, self.lab.agents, habits=habits)
        room = asyncio.create_task(robots.work())
        try:
            yield robots
        finally:
            room.cancel()
            await asyncio.gather(room, return_exceptions=True)

    async def until(self, true: Callable[[], Any], within_s: float = 180.0) -> None:
        """Wait until something holds, while the engine's process lives.

        Raises
        ------
        AssertionError
            When it does not hold in time, or the process has ended; with what the engine said last.
        """
        end_s = time.monotonic() + within_s
        while not true():
            gone = self.process is not None and self.process.exitcode is not None
            if gone or time.monotonic() > end_s:
                how = f"the engine ended with {self.process.exitcode}" if gone and self.process else f"{within_s} s"
                raise AssertionError(f"{how}; dialled {len(self.lab.called())}; it said:\n{self.log[-4000:]}")
            await asyncio.sleep(0.05)

    async def status(self) -> dict[str, Any]:
        """Return what the engine says of its run; nothing where none answers."""
        with suppress(BadInput, ConnectionError):
            client = await Client.open(self.socket)
            try:
                return await client.ask("status")
            finally:
                await client.close()
        return {}

    # ---- the record

    @property
    def state(self) -> State:
        """The engine's state as the record tells it now."""
        for row in self.ledger.read(self.setup.floor.stream, self._folded.seq):
            self._folded.fold(row)
        return self._folded.state

    def done(self) -> bool:
        """Tell whether every attempt has its outcome and nobody is to be dialled any more."""
        state = self.state
        campaign = state.campaigns.get(self.setup.campaign)
        if campaign is None or state.calls or len(campaign.leads) < self.n_leads:
            return False
        return all(
            lead.place == CLOSED or (lead.place == PARKED and lead.at_us > _FAR_US) for lead in campaign.leads.values()
        )

    def remembered(self) -> list[EndedCall]:
        """Return the calls that the switch remembers to have ended, as an engine that comes back asks it.

        Its console is not asked: it drops lines when whoever reads them is slow.
        """
        state = self.lab.state
        assert state is not None
        # Floors of several threads have secrets of their own.
        name = f"{SECRET}_{id(self)}"
        server = AmiServer(
            node="lab", host=state.address, port=state.ami_port, user=state.ami_user, secret_variable=name
        )
        os.environ[name] = state.ami_secret
        try:
            return asyncio.run(_remembered(server, self._opened_s))
        finally:
            del os.environ[name]

    def ended(self) -> int:
        """Return how many dialled attempts have their outcome on record."""
        with self.ledger.reading() as connection:
            return connection.execute(select(func.count()).where(outcome.c.event.is_not(None))).scalar_one()

    def attempts(self) -> list[Attempt]:
        """Return every attempt."""
        with self.ledger.reading() as connection:
            rows = connection.execute(
                select(
                    attempt.c.call_id,
                    phone.c.e164,
                    outcome.c.disposition,
                    attempt.c.answer_class,
                    attempt.c.wait_us,
                    attempt.c.person,
                ).select_from(
                    attempt.join(phone, phone.c.id == attempt.c.phone).outerjoin(
                        outcome, outcome.c.call_id == attempt.c.call_id
                    )
                )
            )
            return [Attempt(*row) for row in rows]


def wrong(attempts: Iterable[Attempt]) -> list[str]:
    """Return the attempts that did not end as their number asked."""
    return [
        f"{one.call_id} {one.number} {lab_outcome(one.number).outcome.name}: {one.disposition} {one.answer_class}"
        for one in attempts
        if not as_asked(one.number, one.disposition, one.answer_class)
    ]


def as_asked(number: str, disposition: str | None, answer_class: str | None) -> bool:
    """Tell whether an attempt ended in a way that its number asks for."""
    words, classes = EXPECTED[lab_outcome(number).outcome]
    return disposition is not None and answer_class in classes and (not words or disposition in words)


# ---- the engine's process


def _main(home: Path, encoded: bytes) -> None:
    with (home / "engine.log").open("a") as log:
        for descriptor in (1, 2):
            os.dup2(log.fileno(), descriptor)
    setup = msgspec.json.decode(encoded, type=Setup)
    os.environ[SECRET] = setup.secret
    asyncio.run(_run(home, setup))


async def _run(home: Path, setup: Setup) -> None:
    SlowLedger.delay_s = setup.commit_delay_s
    ledger = SlowLedger(open_ledger(f"sqlite:///{home}/ledger.db")._database)
    floor: Floor
    server = AmiServer(node="lab", host=setup.host, port=setup.port, user=setup.user, secret_variable=SECRET)
    switch = AsteriskSwitch(
        [AsteriskNode(server=server)],
        setup.floor.stream,
        open_calls=lambda node: floor.open_calls(node),  # noqa: PLW0108
    )
    floor = Floor(
        ledger=ledger,
        switch=switch,
        gate=Gate.load(SHIPPED),
        settings=setup.floor,
        clock=RehearsedClock(START_US),
        versions={},
        run=(setup.campaign,),
        loopback=True,
        socket_path=home / "cadencia.sock",
    )
    running = asyncio.create_task(floor.run())
    failed = asyncio.ensure_future(switch.failed())
    await asyncio.wait((running, failed), return_when=asyncio.FIRST_COMPLETED)
    if failed.done():
        floor.end(0.0)
        await running
        failed.result()
    failed.cancel()
    await running
