"""A short hunt for leaks, and proof that the checker sees: of each kind of check, one gate or ledger without it."""

import shutil
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from sqlalchemy import text

import ledger.journal
import ledger.projections
from benchmarks.leak_hunt.checker import Report, check
from benchmarks.leak_hunt.law import KINDS, Law
from benchmarks.leak_hunt.scene import Scene, play
from compliance.gate import Gate
from compliance.packs import SHIPPED
from domain.instants import MINUTE
from domain.pace import PaceRule
from domain.people import CapKey, Verdict
from ledger.store import open_ledger

LAW = Law(SHIPPED)
#: Kind of row by the rule's id.
KIND_OF = {row["id"]: kind for table in LAW.tables.values() for kind in KINDS for row in table[kind]}
WANTS_CONSENT = {
    row["id"] for table in LAW.tables.values() for kind in KINDS for row in table[kind] if "needs_consent" in row
}


def played(scene: Scene, folder: Path, gate: Any = None) -> Report:
    play(scene, f"sqlite:///{folder}/ledger.db", folder, gate)
    return checked(folder / "ledger.db")


def checked(path: Path) -> Report:
    with open_ledger(f"sqlite:///{path}") as opened, opened.reading() as connection:
        return check(connection, LAW)


@pytest.fixture(scope="module")
def hunted(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Report]:
    """Some hundred people, three floors and all other writers for a day and a half: some 20 person-weeks."""
    folder = tmp_path_factory.mktemp("hunt")
    report = played(Scene(seed=3, n_people=100, n_floors=3, days=1.5), folder)
    return folder / "ledger.db", report


def test_nothing_leaks(hunted: tuple[Path, Report]) -> None:
    _, report = hunted
    assert report.breaches == []
    # It was a hunt: all who can contact did, some met each other, engines died.
    assert min(report.calls, report.messages, report.by_hand, report.stale, report.restarts) > 0
    assert {KIND_OF.get(rule) for rule in report.denials} >= {"windows", "caps", "cooldowns", "stops"}


# ---- the checker sees what a gate overlooks


class Deaf:
    """The gate, but deaf to rows of one kind."""

    def __init__(self, kind: str) -> None:
        self._gate = Gate.load(SHIPPED)
        self._kind = kind

    @property
    def version(self) -> str:
        return self._gate.version

    def pace_rules(self, *asked: Any, **how: Any) -> tuple[PaceRule, ...]:
        return self._gate.pace_rules(*asked, **how)

    def judge(self, *asked: Any, at_us: int, **how: Any) -> Verdict:
        verdict = self._gate.judge(*asked, at_us=at_us, **how)
        if self._kind == "agents":
            return replace(verdict, agent_always=False)
        rule = verdict.rule or ""
        if self._kind == ("consents" if rule in WANTS_CONSENT else KIND_OF.get(rule)):
            return replace(verdict, allowed=True, rule=None, valid_until_us=at_us + MINUTE, next_allowed_at_us=None)
        return verdict


@pytest.mark.parametrize("kind", ["windows", "caps", "cooldowns", "stops", "consents", "agents"])
def test_what_a_gate_overlooks_is_found(kind: str, tmp_path: Path) -> None:
    report = played(Scene(seed=5, n_people=30, n_floors=1, days=1.0), tmp_path, Deaf(kind))
    assert kind in {breach.kind for breach in report.breaches}


def test_reservations_at_old_versions_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def careless(keys: Any, standing: dict[str, int]) -> tuple[CapKey, ...]:
        after = tuple(CapKey(cap.key, standing[cap.key] + 1) for cap in keys)
        standing.update((cap.key, cap.version) for cap in after)
        return after

    for room in (ledger.journal, ledger.projections):
        monkeypatch.setattr(room, "compare", careless)
    report = played(Scene(seed=5, n_people=30, n_floors=3, days=1.0), tmp_path)
    assert ("order", "stale") in {(breach.kind, breach.rule) for breach in report.breaches}
    # And that is how a cap runs over though every verdict was right when it was given.
    assert {"caps", "cooldowns"} & {breach.kind for breach in report.breaches}


# ---- the checker sees what a forged record tells

ORIGINATE = "SELECT seq FROM journal WHERE kind = 'Originate' AND stream = 'floor0' ORDER BY seq LIMIT 1"
CALL = "SELECT json_extract(payload, '$.call_id') FROM journal WHERE stream = 'floor0' AND seq = :seq"
FORGED = {
    ("order", "unreserved"): ["DELETE FROM outcome WHERE call_id = :call", "DELETE FROM attempt WHERE call_id = :call"],
    ("order", "denied"): [
        "UPDATE journal SET payload = json_set(payload, '$.verdict.allowed', json('false')) "
        "WHERE kind = 'Reserve' AND json_extract(payload, '$.call_id') = :call"
    ],
    ("order", "late"): ["UPDATE journal SET at_us = at_us + 864000000000 WHERE stream = 'floor0' AND seq = :seq"],
    ("order", "twice"): [
        "INSERT INTO journal SELECT stream, 1000000000, at_us, campaign, kind, payload, hash FROM journal "
        "WHERE stream = 'floor0' AND seq = :seq"
    ],
    ("order", "stale"): ["UPDATE attempt SET cap_keys = replace(cap_keys, ']]', '0]]') WHERE call_id = :call"],
    ("paid", None): [
        "UPDATE debt SET state = 'paid' WHERE id = (SELECT CAST(debts AS INTEGER) FROM attempt WHERE call_id = :call)",
        "INSERT INTO history (id, event_us, known_us, person, debts, event, detail, inbound) "
        "SELECT -1, 1, 1, person, debts, 'stop', 'paid', 0 FROM attempt WHERE call_id = :call",
    ],
    ("stops", "HOUSE.bankrupt"): [
        "INSERT INTO stop (person, kind, event_us, known_us, source) "
        "SELECT person, 'bankrupt', 1, 1, 'forged' FROM attempt WHERE call_id = :call"
    ],
}


@pytest.mark.parametrize("kind", FORGED)
def test_a_forged_record_is_found(kind: tuple[str, str | None], hunted: tuple[Path, Report], tmp_path: Path) -> None:
    path = tmp_path / "forged.db"
    shutil.copy(hunted[0], path)
    with open_ledger(f"sqlite:///{path}") as opened, opened.writing() as connection:
        seq = connection.execute(text(ORIGINATE)).scalar_one()
        call = connection.execute(text(CALL), {"seq": seq}).scalar_one()
        for statement in FORGED[kind]:
            connection.execute(text(statement), {"seq": seq, "call": call})
    found = [breach for breach in checked(path).breaches if breach.attempts[0] == call]
    assert kind[0] in {breach.kind for breach in found}
    assert kind[1] in {None, *(breach.rule for breach in found)}
