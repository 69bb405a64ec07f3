"""Days of a simulated floor on a real ledger, as a live one would have left them."""

from typing import Any

from compliance.gate import Gate
from domain.calls import Mode
from domain.events import CampaignOrdered, FloorOpened
from domain.instants import parse
from domain.people import Dossier
from domain.settings import CampaignSettings, FloorSettings
from ledger.people import enroll
from ledger.store import SqlLedger
from simulation.agents import Chair
from simulation.run import RunSettings, SimulatedFloor
from tests.integration.simulated import RULES, dossier

MORNING_US = parse("2026-11-18T10:00:00+01:00")


def campaign(mode: Mode = Mode.predictive, **fields: Any) -> CampaignSettings:
    given: dict[str, Any] = {
        "name": "a", "mode": mode, "detect_machines": True, "clock_starts": "greeting_end",
        "caller_ids": {"*": ("+34910000000",)},
    }  # fmt: skip
    return CampaignSettings(**{**given, **fields})


def enrolled(ledger: SqlLedger, people: int) -> list[Dossier]:
    """Put debtors of Madrid on record."""
    listed = [dossier(person) for person in range(1, people + 1)]
    numbers = {phone.phone: f"+346{phone.phone:08d}" for one in listed for phone in one.phones}
    with ledger.writing() as connection:
        enroll(connection, listed, numbers, MORNING_US - 10**12)
    return listed


def work_a_day(
    ledger: SqlLedger,
    *,
    settings: FloorSettings | None = None,
    start_us: int = MORNING_US,
    hours: float = 1.0,
    agents: int = 6,
    chairs: list[Chair] | None = None,
    **run: Any,
) -> SimulatedFloor:
    """Simulate some hours of a floor into a ledger that holds its people; the floor goes on from the record."""
    floor_settings = settings or FloorSettings(campaigns=(campaign(),), max_lines=100)
    loads = []
    for one in floor_settings.campaigns:
        plan = ledger.make_plan(one, start_us, floor_settings.zone)
        loads += list(ledger.plan_events(plan, one.name, start_us))
    floor = SimulatedFloor(
        floor=floor_settings,
        run=RunSettings(start_us=start_us, hours=hours, **run),
        gate=Gate.load(RULES),
        ledger=ledger,
        loads=loads,
        chairs=chairs or [Chair(agent=f"a{number}", starts_us=start_us + number * 10**6) for number in range(agents)],
    )
    for row in ledger.read(floor_settings.stream):
        floor.engine.fold(row)
    floor.go()
    return floor


__all__ = ["CampaignOrdered", "FloorOpened", "campaign", "enrolled", "work_a_day"]
