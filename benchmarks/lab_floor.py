"""A whole floor on the real lab: portfolio file, import, gate, engine, live loop, Asterisk, SIPp, robot agents.

The engine runs in a process of its own (`python -m benchmarks.lab_floor HOME`), to be killed or stopped at will;
the tests and the benchmarks that need a campaign on a real switch build on this.
"""

import asyncio
import csv
import os
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec
from sqlalchemy import select

from compliance.gate import Gate
from compliance.numbers import Numbers
from compliance.packs import SHIPPED
from dialer.asterisk.client import AmiServer
from dialer.asterisk.lab import Lab
from dialer.asterisk.lab_numbers import Behaviour, Outcome, lab_number, lab_outcome
from dialer.asterisk.orders import AsteriskNode
from dialer.asterisk.render import QueuePlan
from dialer.asterisk.switch import AsteriskSwitch
from dialer.clocks import RehearsedClock
from dialer.live import Floor, Hooks
from domain.calls import AnswerClass, Disposition
from domain.events import Reserved, Stale
from domain.instants import parse
from domain.records import Row
from domain.settings import CampaignSettings, FloorSettings, Retry
from ledger.intake.cells import Form
from ledger.portfolio import import_portfolio
from ledger.schema import attempt, outcome, phone
from ledger.store import SqlLedger, open_ledger

#: A Wednesday inside the contact hours of Spain, Colombia and the eastern United States.
START_US = parse("2026-11-18T15:30:00+00:00")
SECRET = "CADENCIA_LAB_SECRET"
_NEVER = Retry()

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


class Setup(msgspec.Struct, kw_only=True):
    """What the engine's process is to run."""

    floor: FloorSettings
    campaign: str
    host: str = "127.0.0.1"
    port: int = 5038
    user: str = ""
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


class Attempt(NamedTuple):
    call_id: str
    number: str
    disposition: str | None
    answer_class: str | None
    wait_us: int | None
    person: int


class LabFloor:
    """A lab, a ledger with an imported portfolio, and an engine process in a folder."""

    def __init__(
        self,
        home: Path,
        behaviours: Sequence[Behaviour],
        *,
        agents: int,
        campaign: CampaignSettings | None = None,
        max_lines: int = 100,
        commit_delay_s: float = 0.0,
        version: int = 22,
    ) -> None:
        settings = campaign or CampaignSettings(name="lab")
        # One attempt for each row: whatever the outcome, the lead leaves the list.
        settings = msgspec.structs.replace(
            settings, ring_timeout_s=5.0, retry=dict.fromkeys(Disposition, _NEVER), order="rank", max_attempts=1
        )
        self.home = home
        self.n_leads = len(behaviours)
        home.mkdir(parents=True, exist_ok=True)
        self.lab = Lab(home / "lab", agents=agents, version=version, campaigns=(QueuePlan(name=settings.name),))
        self.setup = Setup(
            floor=FloorSettings(stream="lab", max_lines=max_lines, campaigns=(settings,), nodes=("lab",)),
            campaign=settings.name,
            commit_delay_s=commit_delay_s,
        )
        write_portfolio(home / "portfolio.csv", behaviours)
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
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"sqlite:///{self.home}/ledger.db"

    @property
    def socket(self) -> Path:
        return self.home / "cadencia.sock"

    def open(self) -> None:
        """Start the lab and say where it is."""
        state = self.lab.start()
        os.environ[SECRET] = state.ami_secret
        self.point(state.address, state.ami_port, state.ami_user)

    def point(self, host: str, port: int, user: str) -> None:
        """Tell the engine's next process which manager port to use, e.g. that of a faulty link."""
        self.setup.host, self.setup.port, self.setup.user = host, port, user
        self.write_setup()

    def write_setup(self) -> None:
        (self.home / "setup.json").write_bytes(msgspec.json.encode(self.setup))

    def start(self) -> None:
        """Start the engine's process."""
        with (self.home / "engine.log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "benchmarks.lab_floor", str(self.home)],
                stdout=log,
                stderr=log,
                cwd=Path(__file__).parent.parent,
            )

    def kill(self) -> None:
        """Kill the engine's process, as the kernel would."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def close(self) -> None:
        self.kill()
        self.lab.stop()
        self.ledger.close()

    # ---- the record

    def ended(self) -> int:
        """Return how many attempts have their outcome on record."""
        with self.ledger.reading() as connection:
            return len(connection.execute(select(outcome.c.call_id)).all())

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
    found = []
    for one in attempts:
        asked = lab_outcome(one.number).outcome
        words, classes = EXPECTED[asked]
        if one.disposition is None or one.answer_class not in classes or (words and one.disposition not in words):
            found.append(f"{one.call_id} {one.number} {asked.name}: {one.disposition} {one.answer_class}")
    return found


async def _run(home: Path) -> None:
    setup = msgspec.json.decode((home / "setup.json").read_bytes(), type=Setup)
    SlowLedger.delay_s = setup.commit_delay_s
    ledger = SlowLedger(open_ledger(f"sqlite:///{home}/ledger.db")._database)
    floor: Floor
    switch = AsteriskSwitch(
        [
            AsteriskNode(
                server=AmiServer(node="lab", host=setup.host, port=setup.port, user=setup.user, secret_variable=SECRET)
            )
        ],
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
        hooks=Hooks(),
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


if __name__ == "__main__":
    asyncio.run(_run(Path(sys.argv[1])))
