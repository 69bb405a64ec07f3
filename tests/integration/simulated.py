"""A small simulated floor with the real gate and the in-memory ledger."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from compliance.gate import Gate
from domain.calls import Mode
from domain.events import LeadsLoaded
from domain.instants import parse
from domain.matching import Matching
from domain.people import CapKey, Debt, Dossier, Lead, Phone
from domain.records import Row, encode
from domain.settings import CampaignSettings, FloorSettings
from ledger.memory import MemoryLedger
from simulation.agents import Chair
from simulation.callees import Callees
from simulation.chance import Chance
from simulation.run import RunSettings, SimulatedFloor

START_US = parse("2026-11-18T16:30:00+01:00")
RULES = Path(__file__).parents[2] / "config" / "rules"


def dossier(person: int) -> Dossier:
    """Return a debtor of Madrid with two numbers."""
    phones = (2 * person, 2 * person + 1)
    return Dossier(
        person=person,
        keys=tuple(sorted((CapKey(key, 0) for key in (f"person:{person}", *(f"phone:{p}" for p in phones))), key=_key)),
        country="ES",
        address_zones=("Europe/Madrid",),
        language="es",
        debts=(Debt(debt=person, creditor=1, balance_minor=10_000 + person, currency="EUR", due_on="2026-09-01"),),
        phones=(
            Phone(phone=phones[0], country="ES", line_type="mobile" if person % 10 < 7 else "fixed"),
            Phone(phone=phones[1], country="ES", line_type="mobile"),
        ),
    )


def _key(cap: CapKey) -> str:
    return cap.key


def simulated(
    *,
    mode: Mode = Mode.progressive,
    people: int = 600,
    agents: int = 6,
    hours: float = 0.5,
    detect: bool = True,
    meets: Callable[[Callees, Chance], Callees] | None = None,
    matching: Matching | None = None,
    **run: Any,
) -> tuple[SimulatedFloor, MemoryLedger]:
    """Return a floor ready to go and its ledger."""
    dossiers = [dossier(person) for person in range(1, people + 1)]
    campaign = CampaignSettings(
        name="a", mode=mode, detect_machines=detect, clock_starts="greeting_end", caller_ids={"*": ("+34910000000",)}
    )
    load = LeadsLoaded(
        at_us=START_US,
        campaign="a",
        plan="a-1",
        chunk=0,
        sha256="",
        leads=tuple(Lead(person=one.person, rank=rank, debts=(one.person,)) for rank, one in enumerate(dossiers)),
        people=tuple(dossiers),
    )
    ledger = MemoryLedger()
    previews = mode is Mode.preview
    floor = SimulatedFloor(
        floor=FloorSettings(campaigns=(campaign,), max_lines=100, matching=matching),
        run=RunSettings(start_us=START_US, hours=hours, **run),
        gate=Gate.load(RULES),
        ledger=ledger,
        loads=[load],
        chairs=[Chair(agent=f"a{number}", starts_us=START_US, previews=previews) for number in range(agents)],
        meets=meets,
    )
    return floor, ledger


def rows_of(ledger: MemoryLedger) -> list[Row]:
    return list(ledger.read("floor"))


def image(rows: list[Row]) -> list[tuple[int, int, str | None, bytes]]:
    """Return what the journal would hold of rows."""
    return [(row.seq, row.at_us, row.campaign, encode(row.record)) for row in rows]
