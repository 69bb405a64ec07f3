"""A short hunt for leaks, and proof that the checker sees: of each kind of check, one gate or ledger without it."""

import shutil
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from sqlalchemy import text

import ledger.journal
import ledger.projections
from benchmarks.leak_hunt.checker import Report, ask, check
from benchmarks.leak_hunt.law import KINDS, Law
from benchmarks.leak_hunt.record import Contact, Record
from benchmarks.leak_hunt.scene import Scene, play
from compliance.gate import Gate
from compliance.packs import SHIPPED
from domain.instants import DAY, HOUR, MINUTE, parse
from domain.pace import PaceRule
from domain.people import CapKey, ContactEvent, Debt, Dossier, PastContact, Phone, Verdict
from ledger.people import enroll
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


# ---- the checker sees whom else a rule counts

NOON = parse("2026-11-18T17:00:00Z")
SHARED, OWN, ANOTHER = 1, 2, 3


def living(person: int, country: str, home: int, phones: tuple[int, ...], *lines: PastContact) -> Dossier:
    keys = [f"person:{person}", f"household:{home}", *(f"phone:{phone}" for phone in phones)]
    return Dossier(
        person=person,
        keys=tuple(CapKey(key, 0) for key in sorted(keys)),
        country=country,
        region="WA" if country == "US" else "ENG",
        debts=(Debt(debt=person, creditor=1, balance_minor=1, currency="EUR"),),
        phones=tuple(Phone(phone=phone, country=country, line_type="fixed") for phone in phones),
        history=lines,
    )


@pytest.mark.parametrize(
    ("country", "at_home", "phones", "lines", "rule"),
    [
        # A number not told may be any that the other has, and none that only the debtor has.
        ("GB", False, (SHARED, ANOTHER), [("abandoned", None)], "GB.72h_abandon"),
        ("GB", True, (SHARED, ANOTHER), [("abandoned", None)], "GB.72h_abandon"),
        ("GB", True, (ANOTHER,), [("abandoned", None)], None),
        ("GB", True, (ANOTHER,), [("abandoned", SHARED)], "GB.72h_abandon"),
        ("GB", True, (SHARED, ANOTHER), [("abandoned", ANOTHER)], None),
        # Washington counts a housemate's on every number, and nobody else's.
        ("US", True, (SHARED, ANOTHER), [("no_answer", ANOTHER)] * 3, "WA.3week"),
        ("US", True, (ANOTHER,), [("no_answer", None)] * 3, "WA.3week"),
        ("US", False, (SHARED, ANOTHER), [("no_answer", SHARED)] * 3, None),
    ],
)
def test_what_others_were_sent_counts_by_number_and_household(
    country: str,
    at_home: bool,
    phones: tuple[int, ...],
    lines: list[tuple[str, int | None]],
    rule: str | None,
    tmp_path: Path,
) -> None:
    told = [
        PastContact(at_us=NOON - (9 - n) * HOUR, event=ContactEvent(event), phone=phone)
        for n, (event, phone) in enumerate(lines)
    ]
    people = [living(1, country, 1, (SHARED, OWN)), living(2, country, 1 if at_home else 2, phones, *told)]
    contact = Contact(
        id="floor-1",
        person=1,
        channel="call",
        phone=SHARED,
        debts=(1,),
        order=1 << 40,
        reserved_us=NOON,
        at_us=NOON,
        campaign="campaign",
        mode="predictive",
        agent_held=False,
    )
    with open_ledger(f"sqlite:///{tmp_path}/ledger.db") as opened:
        with opened.writing() as connection:
            enroll(connection, people, {n: f"+1206555010{n}" for n in (SHARED, OWN, ANOTHER)}, NOON - DAY)
        with opened.reading() as connection:
            record = Record(connection)
        (debtor,) = opened.dossiers([1], NOON)
    record.campaigns["campaign"] = ("third_party", "collection")
    found = {denial.rule for denial in LAW.denials(ask(record, contact), NOON)}
    assert found & {"GB.72h_abandon", "WA.3week"} == {rule} - {None}
    # The gate reads the same out of the dossier that the ledger gives.
    (phone,) = (one for one in debtor.phones if one.phone == SHARED)
    answers = Gate.load(SHIPPED).explain(
        debtor, at_us=NOON, phone=phone, debts=(1,), actor="third_party", purpose="collection"
    )
    assert {one.rule for one in answers if not one.passed} & {"GB.72h_abandon", "WA.3week"} == {rule} - {None}
