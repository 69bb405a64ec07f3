"""People, settings and a floor on the exchange of `telephone`, for the tests of the live loop."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

from compliance.gate import Gate
from dialer.clocks import RehearsedClock
from dialer.control import Client
from dialer.live import Floor
from dialer.robots import Habits, Robots
from domain.calls import Mode
from domain.errors import BadInput
from domain.instants import parse
from domain.people import CapKey, Debt, Dossier, Phone
from domain.settings import CampaignSettings, FloorSettings
from ledger.people import enroll
from ledger.store import SqlLedger
from tests.integration.live.telephone import Exchange

#: A Wednesday afternoon in Spain.
START_US = parse("2026-11-18T15:30:00+00:00")
RULES = Path(__file__).parents[3] / "config" / "rules"
T = TypeVar("T")
CAMPAIGN = CampaignSettings(name="es", mode=Mode.power, ratio=2.0, wrapup_s=5.0, ring_timeout_s=5.0)


def settings(*campaigns: CampaignSettings, **fields: Any) -> FloorSettings:
    return FloorSettings(campaigns=campaigns or (CAMPAIGN,), **{"tick_s": 0.05, "max_lines": 40} | fields)


def people(n: int, first: int = 1) -> list[Dossier]:
    """Debtors of Madrid, ids from 1; a person's debt and phone have ids of their own."""
    return [
        Dossier(
            person=person,
            keys=(CapKey(f"person:{person}", 0), CapKey(f"phone:{person + 500_000}", 0)),
            country="ES",
            region="MD",
            address_zones=("Europe/Madrid",),
            language="es",
            debts=(Debt(debt=person + 1_000_000, creditor=1, balance_minor=10_000 + person, currency="EUR"),),
            phones=(Phone(phone=person + 500_000, country="ES", line_type="mobile", geographic=False),),
        )
        for person in range(first, n + 1)
    ]


def fill(ledger: SqlLedger, n: int, first: int = 1) -> None:
    """Put people on record; the last digit of a number is that of its person."""
    listed = people(n, first)
    with ledger.writing() as connection:
        enroll(connection, listed, {one.phones[0].phone: f"+346{one.person:08d}" for one in listed}, START_US)


def floor(ledger: SqlLedger, switch: Any, folder: Path, **fields: Any) -> Floor:
    given: dict[str, Any] = {
        "ledger": ledger,
        "switch": switch,
        "gate": Gate.load(RULES),
        "settings": settings(),
        "clock": RehearsedClock(START_US),
        "versions": {},
        "run": ("es",),
        "loopback": True,
        "socket_path": folder / "cadencia.sock",
    }
    return Floor(**given | fields)


@asynccontextmanager
async def exchange(folder: Path, **fields: Any) -> AsyncIterator[tuple[Exchange, Path]]:
    """Serve an exchange; gives its socket's path too."""
    made = Exchange(**fields)
    path = folder / "exchange.sock"
    server = await made.serve(path)
    try:
        yield made, path
    finally:
        server.close()
        for channel in list(made.live.values()):
            if channel.timer is not None:
                channel.timer.cancel()


@asynccontextmanager
async def running(one: Floor) -> AsyncIterator[asyncio.Task[None]]:
    """Run a floor; end it at once at the end unless it has ended."""
    task = asyncio.create_task(one.run())
    try:
        yield task
        one.end(0.0)
        await task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@asynccontextmanager
async def staffed(folder: Path, n: int, habits: Habits) -> AsyncIterator[Robots]:
    """Let robots work the floor of a folder."""
    robots = Robots(folder / "cadencia.sock", [f"a{number}" for number in range(1, n + 1)], habits=habits)
    task = asyncio.create_task(robots.work())
    try:
        yield robots
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def records(ledger: SqlLedger, kind: type[T]) -> list[T]:
    """Return the floor's records of a kind."""
    return [row.record for row in ledger.read("floor") if isinstance(row.record, kind)]


async def until(true: Callable[[], Any], within_s: float = 20.0) -> None:
    """Wait until something holds."""
    async with asyncio.timeout(within_s):
        while not true():
            await asyncio.sleep(0.01)


@asynccontextmanager
async def connected(folder: Path, within_s: float = 20.0) -> AsyncIterator[Client]:
    """Connect to the control socket as soon as it is served."""
    async with asyncio.timeout(within_s):
        while True:
            try:
                client = await Client.open(folder / "cadencia.sock")
                break
            except BadInput:
                await asyncio.sleep(0.02)
    try:
        yield client
    finally:
        await client.close()


async def up(folder: Path) -> None:
    """Wait until the floor of a folder answers."""
    async with connected(folder):
        pass
