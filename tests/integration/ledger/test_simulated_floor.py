"""A simulated floor on every ledger: the same rows, and people as the engine knows them."""

from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from sqlalchemy import select

from compliance.gate import Gate
from dialer.engine import Engine
from domain.calls import Mode
from domain.instants import HOUR, parse
from domain.people import CapKey, Debt, Dossier, PastContact, Phone
from domain.records import Row
from domain.settings import CampaignSettings, FloorSettings
from ledger.memory import MemoryLedger
from ledger.schema import attempt, outcome
from ledger.store import SqlLedger
from simulation.agents import Chair
from simulation.run import RunSettings, SimulatedFloor
from tests.integration.ledger.scribe import settle

START_US = parse("2026-11-18T10:00:00+01:00")
#: Two campaigns that share their people: what one does, the other must know.
CAMPAIGNS = tuple(
    CampaignSettings(name=name, mode=mode, trunks=("t",), caller_ids={"*": ("+34910000000",)})
    for name, mode in (("spring", Mode.predictive), ("autumn", Mode.power))
)
FLOOR = FloorSettings(campaigns=CAMPAIGNS, max_lines=60)
RULES = Path(__file__).parents[3] / "config" / "rules"


def people() -> list[Dossier]:
    found = []
    for number in range(1, 301):
        phones = (2 * number, 2 * number + 1)
        keys = {f"person:{number}", *(f"phone:{phone}" for phone in phones), f"household:{number // 3}"}
        found.append(
            Dossier(
                person=number,
                keys=tuple(CapKey(key, 0) for key in sorted(keys)),
                country="ES",
                address_zones=("Europe/Madrid",),
                language="es",
                debts=(Debt(debt=number, creditor=1, balance_minor=10_000 + number, currency="EUR"),),
                phones=tuple(Phone(phone=phone, country="ES", line_type="mobile") for phone in phones),
            )
        )
    return found


def run(ledger: SqlLedger) -> Engine:
    settle(ledger, people(), START_US)
    loads = [
        load
        for campaign in CAMPAIGNS
        for load in ledger.plan_events(ledger.make_plan(campaign, START_US, FLOOR.zone), campaign.name, START_US)
    ]
    floor = SimulatedFloor(
        floor=FLOOR,
        run=RunSettings(start_us=START_US, hours=0.4),
        gate=Gate.load(RULES),
        ledger=ledger,
        loads=loads,
        chairs=[Chair(agent=f"a{number}", starts_us=START_US, ends_us=START_US + HOUR) for number in range(12)],
    )
    floor.go()
    return floor.engine


def decided(ledger: SqlLedger) -> list[Row]:
    """Return the rows but for the lists: a plan's number says how many a ledger has seen before."""
    return [row for row in ledger.read("floor") if row.kind != "LeadsLoaded"]


def by_time(history: tuple[PastContact, ...]) -> list[PastContact]:
    return sorted(history, key=lambda line: (line.at_us, line.attempt or ""))


@pytest.fixture(scope="module")
def expected() -> list[Row]:
    ledger = MemoryLedger()
    run(ledger)
    return decided(ledger)


def test_engine_and_ledger_agree(ledger: SqlLedger, expected: list[Row]) -> None:
    engine = run(ledger)
    assert decided(ledger) == expected
    assert [one.broken for one in ledger.verify()] == [""]
    with ledger.reading() as connection:
        opened = set(connection.execute(select(attempt.c.call_id)).scalars())
        closed = set(connection.execute(select(outcome.c.call_id)).scalars())
    assert opened - closed == {call_id for call_id in engine.state.calls if call_id in opened}
    assert len(closed) > 200
    kinds = {row.kind for row in expected}
    assert {"Stale", "Disposed", "Judged"} <= kinds
    behind = 0
    for dossier in ledger.dossiers(sorted(engine.state.people)):
        ours = engine.state.people[dossier.person]
        assert by_time(ours.history) == list(dossier.history)
        assert set(map(str, ours.stops)) == set(map(str, dossier.stops))
        apart: dict[str, Any] = dict.fromkeys(("history", "others", "stops", "keys"), ())
        assert replace(ours, **apart) == replace(dossier, **apart)
        # What the household was told since is not known here; then the next reservation will be stale.
        assert ours.keys != dossier.keys or ours.others == dossier.others
        behind += ours.keys != dossier.keys
        assert {cap.key: engine.state.versions.get(cap.key, 0) for cap in dossier.keys} == {
            cap.key: cap.version for cap in dossier.keys
        }
    assert 0 < behind < len(engine.state.people)
