"""A portfolio file on both databases: what lands, what does not, and that it may come every day.

Over 500 lines: every story starts from the same file and the same two ledgers.
"""

import gzip
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pc
import pyarrow.parquet as pq
import pytest
from sqlalchemy import func, insert, select, update

from compliance.gate import Gate
from compliance.packs import SHIPPED
from domain.errors import BadInput, LedgerStalled
from domain.instants import DAY, parse
from domain.people import CapKey, ContactEvent, Debt, Dossier, Stop, StopKind
from domain.settings import CampaignSettings
from ledger.intake import workers
from ledger.intake.cells import Form
from ledger.portfolio import complete_imports
from ledger.schema import (
    balance_history,
    cap_key,
    change,
    debt,
    history,
    import_file,
    person,
    person_phone,
    phone,
    stop,
)
from ledger.store import SqlLedger, open_ledger
from simulation.sample import write_sample
from tests.integration.portfolio_files import NOW, TOMORROW, bring, content, rejects, row, write

GATE = Gate.load(SHIPPED)


@pytest.fixture
def ledger(ledger_url: str) -> Iterator[SqlLedger]:
    """Give an empty ledger on disk: imports are for those."""
    with open_ledger(ledger_url) as found:
        yield found


def person_of(ledger: SqlLedger, account: str, creditor: str = "Banco") -> int:
    from ledger.schema import creditor as creditors

    query = select(debt.c.person).join(creditors, creditors.c.id == debt.c.creditor)
    with ledger.reading() as connection:
        return connection.execute(query.where(debt.c.account == account, creditors.c.name == creditor)).scalar_one()


def dossier(ledger: SqlLedger, account: str, creditor: str = "Banco") -> Dossier:
    (found,) = ledger.dossiers([person_of(ledger, account, creditor)])
    return found


def the_debt(ledger: SqlLedger, account: str) -> Debt:
    (found,) = dossier(ledger, account).debts
    return found


def events(ledger: SqlLedger, of: int) -> list[tuple[str, str]]:
    query = select(history.c.event, history.c.detail).where(history.c.person == of).order_by(history.c.id)
    with ledger.reading() as connection:
        return [(event, detail) for event, detail in connection.execute(query)]


def version(ledger: SqlLedger, of: int) -> int:
    with ledger.reading() as connection:
        return connection.execute(select(cap_key.c.version).where(cap_key.c.key == f"person:{of}")).scalar() or 0


def digits(ledger: SqlLedger, account: str) -> list[str]:
    phones = [one.phone for one in dossier(ledger, account).phones]
    found = ledger.numbers(phones)
    return [found[one] for one in phones]


# ---- what lands


def test_a_row_becomes_a_dossier(ledger: SqlLedger, tmp_path: Path) -> None:
    path = write(
        tmp_path / "daily.csv",
        [
            row(
                region="Canarias",
                city="Las Palmas",
                postal_code="35001",
                language="Español",
                due_date="2026-08-01",
                product="card",
                household="H1",
                owner="agent07",
                rank="3",
                consents="prior_express_consent:call",
                stops="vulnerable@2026-11-01; dispute",
                phone2="928 123 456",
                prior_attempts="2026-11-10T10:00:00+01:00 call no_answer 600123456; "
                "2026-11-12T10:00:00Z sms message_sent",
            )
        ],
    )
    report = bring(ledger, path)
    assert (report.rows, report.added, report.new_people, report.new_phones) == (1, 1, 1, 2)
    assert report.landed
    assert report.rejects is None
    found = dossier(ledger, "A1")
    assert found.country == "ES"
    assert found.address_zones == ("Atlantic/Canary",)
    assert found.language == "es"
    (owed,) = found.debts
    assert owed == Debt(
        debt=owed.debt, creditor=owed.creditor, balance_minor=12050, currency="EUR", due_on="2026-08-01", product="card"
    )
    assert digits(ledger, "A1") == ["+34600123456", "+34928123456"]
    assert [one.line_type for one in found.phones] == ["mobile", "fixed"]
    assert set(found.stops) == {Stop(kind=StopKind.vulnerable), Stop(kind=StopKind.dispute, debt=owed.debt)}
    assert [one.kind for one in found.consents] == ["prior_express_consent"]
    first, second = found.history
    assert (first.event, first.at_us) == (ContactEvent.no_answer, parse("2026-11-10T09:00:00Z"))
    assert (first.phone, first.debts) == (found.phones[0].phone, (owed.debt,))
    assert (second.event, second.channel, second.phone) == (ContactEvent.message_sent, "sms", None)
    assert {one.key.split(":")[0] for one in found.keys} == {"person", "phone", "household"}
    with ledger.reading() as connection:
        (kept,) = connection.execute(select(person)).all()
        assert (kept.name, kept.owner, kept.postal_code) == ("María García", "agent07", "35001")
        assert connection.execute(select(debt.c.rank)).scalar_one() == 3
        known = {one.event: (one.event_us, one.known_us) for one in connection.execute(select(history))}
    assert known["no_answer"] == (parse("2026-11-10T09:00:00Z"), NOW)
    assert known["assigned"] == (NOW, NOW)
    assert ("stop", "vulnerable") in events(ledger, found.person)


def test_the_same_file_again_changes_nothing(ledger: SqlLedger, tmp_path: Path) -> None:
    path = tmp_path / "sample.csv"
    write_sample(path, debtors=40, seed=11, at_us=NOW)
    assert bring(ledger, path, full=True).added > 40
    before = content(ledger)
    for at_us in (NOW, TOMORROW):
        report = bring(ledger, path, at_us, full=True)
        assert (report.added, report.changed, report.withdrawn, report.touched_people) == (0, 0, 0, 0)
        assert report.unchanged == report.rows
        assert content(ledger) == before


def test_a_sample_has_the_people_asked_for(ledger: SqlLedger, tmp_path: Path) -> None:
    path = tmp_path / "sample.csv"
    accounts = write_sample(path, debtors=300, seed=5, at_us=NOW)
    report = bring(ledger, path)
    assert (report.rejected, report.mended, report.unknown_columns) == (0, 0, ())
    assert (report.added, report.new_people) == (accounts, 300)


def test_a_list_in_the_creditors_own_order(ledger: SqlLedger, tmp_path: Path) -> None:
    rows = [
        row("A1", rank="2"),
        row("A2"),
        row("A3", rank="1"),
        row("A4"),
        row("A5", rank="9"),
        row("A6", person="P-A5", rank="0"),
    ]
    bring(ledger, write(tmp_path / "f.csv", rows))
    plan = ledger.make_plan(CampaignSettings(name="spring", order="rank"), NOW, "Europe/Madrid")
    leads = [lead.person for event in ledger.plan_events(plan, "spring", NOW) for lead in event.leads]
    assert leads == [person_of(ledger, account) for account in ("A5", "A3", "A1", "A2", "A4")]


def test_people_share_numbers_and_accounts_share_people(ledger: SqlLedger, tmp_path: Path) -> None:
    rows = [
        row("A1", person="P1", phone="600123456"),
        row("A2", person="P1", phone="600123456", phone2="600123457"),
        row("A3", person="P2", phone="+34 600 12 34 56"),
        row("A1", person="P1", creditor="Caja"),
    ]
    bring(ledger, write(tmp_path / "f.csv", rows))
    assert person_of(ledger, "A1") == person_of(ledger, "A2") != person_of(ledger, "A3")
    # A reference is the creditor's own.
    assert person_of(ledger, "A1", "Caja") != person_of(ledger, "A1")
    assert len(dossier(ledger, "A1").debts) == 2
    assert digits(ledger, "A1") == ["+34600123456", "+34600123457"]
    with ledger.reading() as connection:
        assert connection.execute(select(func.count()).select_from(phone)).scalar() == 2


def test_a_global_reference_is_one_person_at_every_creditor(ledger: SqlLedger, tmp_path: Path) -> None:
    rows = [row("A1", global_reference="12345678Z"), row("A1", creditor="Caja", global_reference="12345678Z")]
    bring(ledger, write(tmp_path / "f.csv", rows))
    assert person_of(ledger, "A1") == person_of(ledger, "A1", "Caja")


def test_a_person_without_a_reference_is_known_by_the_account(ledger: SqlLedger, tmp_path: Path) -> None:
    rows = [row("A1", person=""), row("A2", person="")]
    path = write(tmp_path / "f.csv", rows)
    assert bring(ledger, path).new_people == 2
    assert bring(ledger, path).touched_people == 0


def test_parquet_brings_what_csv_brings(ledger: SqlLedger, tmp_path: Path) -> None:
    text = tmp_path / "sample.csv"
    write_sample(text, debtors=30, seed=2, at_us=NOW)
    bring(ledger, text)
    typed = pc.ConvertOptions(
        column_types={"balance": pa.decimal128(18, 2), "due_date": pa.date32(), "postal_code": pa.string()},
        strings_can_be_null=True,
    )
    path = tmp_path / "sample.parquet"
    pq.write_table(pc.read_csv(text, convert_options=typed), path)
    report = bring(ledger, path, TOMORROW)
    assert (report.rows, report.unchanged, report.touched_people) == (report.rows, report.rows, 0)
    assert report.rows > 30


def test_a_packed_file_is_read_in_other_processes(
    ledger: SqlLedger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = tmp_path / "sample.csv"
    write_sample(plain, debtors=30, seed=2, at_us=NOW)
    bring(ledger, plain)
    packed = tmp_path / "sample.csv.gz"
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    monkeypatch.setattr(workers, "_ONE_PROCESS_BYTES", 0)
    seen = []
    report = bring(ledger, packed, TOMORROW, progress=lambda what, done, of: seen.append((what, done <= of)))
    assert (report.unchanged, report.touched_people) == (report.rows, 0)
    assert dict(seen).keys() >= {"reading", "comparing"}
    assert all(within for _, within in seen)


def test_the_example_of_the_document_lands(ledger: SqlLedger, tmp_path: Path) -> None:
    document = (Path(__file__).parents[2] / "docs" / "import.md").read_text(encoding="utf-8")
    path = tmp_path / "example.csv"
    path.write_text(document.partition("```csv\n")[2].partition("```")[0], encoding="utf-8")
    report = bring(ledger, path)
    assert (report.rows, report.added, report.rejected, report.mended, report.new_people) == (3, 3, 0, 0, 2)
    assert report.notes == ("decimals are read as marked by a comma", "dates are read as day/month/year")
    assert {one.balance_minor for one in dossier(ledger, "4411-1", "Banco del Duero").debts} == {123456, 8900}


# ---- day after day


def test_a_daily_file_brings_new_changed_and_withdrawn_accounts(ledger: SqlLedger, tmp_path: Path) -> None:
    bring(ledger, write(tmp_path / "1.csv", [row("A1"), row("A2"), row("A3"), row("B1", creditor="Caja")]))
    a1, a2, a3 = (person_of(ledger, account) for account in ("A1", "A2", "A3"))
    cursor = ledger.change_cursor()
    second = write(tmp_path / "2.csv", [row("A1"), row("A2", balance="99"), row("A4")])
    report = bring(ledger, second, TOMORROW, full=True)
    assert (report.added, report.changed, report.unchanged, report.withdrawn) == (1, 1, 1, 1)
    assert the_debt(ledger, "A2").balance_minor == 9900
    assert the_debt(ledger, "A3").state == "withdrawn"
    assert [one.kind for one in dossier(ledger, "A3").stops] == [StopKind.withdrawn]
    assert the_debt(ledger, "A1").state == "open"
    (kept,) = dossier(ledger, "B1", "Caja").debts
    assert kept.state == "open"
    # Whom the file tells nothing about keeps the version; new people are on nobody's list.
    assert [version(ledger, one) for one in (a1, a2, a3)] == [0, 1, 1]
    assert set(ledger.changes(cursor)[1]) == {a2, a3}
    assert events(ledger, a2) == [("assigned", "open"), ("balance", "open")]
    with ledger.reading() as connection:
        balances = select(balance_history).join(debt, debt.c.id == balance_history.c.debt).where(debt.c.account == "A2")
        assert [(one.balance_minor, one.known_us, one.event_us) for one in connection.execute(balances)] == [
            (12050, NOW, NOW),
            (9900, TOMORROW, TOMORROW),
        ]

    third = bring(ledger, write(tmp_path / "3.csv", [row("A3")]), TOMORROW + DAY)
    assert (third.changed, third.withdrawn) == (1, 0)
    assert the_debt(ledger, "A3").state == "open"
    assert dossier(ledger, "A3").stops == ()
    assert events(ledger, a3)[-2:] == [("reopened", "open"), ("stop_lifted", "withdrawn")]
    assert version(ledger, a3) == 2


def test_an_absent_column_keeps_what_is_known_and_a_blank_cell_empties_it(ledger: SqlLedger, tmp_path: Path) -> None:
    bring(ledger, write(tmp_path / "1.csv", [row(product="card", owner="agent01", due_date="2026-08-01")]))
    narrow = {"creditor": "Banco", "account": "A1", "person": "P-A1", "country": "ES", "balance": "120.50"}
    report = bring(ledger, write(tmp_path / "2.csv", [narrow | {"product": ""}]), TOMORROW)
    assert report.changed == 1
    assert (the_debt(ledger, "A1").product, the_debt(ledger, "A1").due_on) == (None, "2026-08-01")
    assert digits(ledger, "A1") == ["+34600123456"]
    with ledger.reading() as connection:
        assert connection.execute(select(person.c.name, person.c.owner)).one() == ("María García", "agent01")
    bring(ledger, write(tmp_path / "3.csv", [narrow | {"owner": ""}]), TOMORROW + DAY)
    with ledger.reading() as connection:
        assert connection.execute(select(person.c.name, person.c.owner)).one() == ("María García", None)


def test_what_was_paid_stays_paid(ledger: SqlLedger, tmp_path: Path) -> None:
    bring(ledger, write(tmp_path / "1.csv", [row("A1"), row("A2", pagado="sí"), row("A3", balance="0", pagado="no")]))
    assert [the_debt(ledger, one).state for one in ("A1", "A2", "A3")] == ["open", "paid", "paid"]
    assert the_debt(ledger, "A2").balance_minor == 0
    bring(ledger, write(tmp_path / "2.csv", [row("A1", pagado="sí"), row("A2"), row("A3")]), TOMORROW)
    for account in ("A1", "A2", "A3"):
        assert the_debt(ledger, account).state == "paid"
        assert [one.kind for one in dossier(ledger, account).stops] == [StopKind.paid]
    before = content(ledger)
    report = bring(ledger, write(tmp_path / "3.csv", [row("A1"), row("A2"), row("A3")]), TOMORROW + DAY)
    assert report.changed == 0
    assert content(ledger) == before


def test_an_older_balance_does_not_replace_a_newer_one(ledger: SqlLedger, tmp_path: Path) -> None:
    bring(ledger, write(tmp_path / "1.csv", [row(fecha_saldo="2026-11-15", balance="100")]))
    bring(ledger, write(tmp_path / "2.csv", [row(fecha_saldo="2026-11-10", balance="300")]), TOMORROW)
    assert the_debt(ledger, "A1").balance_minor == 10000
    bring(ledger, write(tmp_path / "3.csv", [row(fecha_saldo="2026-11-17", balance="90")]), TOMORROW)
    assert the_debt(ledger, "A1").balance_minor == 9000
    with ledger.reading() as connection:
        told = select(balance_history.c.event_us).order_by(balance_history.c.id)
        assert connection.execute(told).scalars().all() == [
            parse("2026-11-15T00:00:00Z"),
            parse("2026-11-17T00:00:00Z"),
        ]


def test_a_file_lifts_only_what_a_file_has_stopped(ledger: SqlLedger, tmp_path: Path) -> None:
    bring(ledger, write(tmp_path / "1.csv", [row(dispute="yes", vulnerable="2026-11-01", deceased="no")]))
    one = person_of(ledger, "A1")
    assert {each.kind for each in dossier(ledger, "A1").stops} == {StopKind.dispute, StopKind.vulnerable}
    with ledger.writing() as connection:
        connection.execute(
            insert(stop).values(person=one, kind="deceased", event_us=NOW, known_us=NOW, source="agent", why="deceased")
        )
    bring(ledger, write(tmp_path / "2.csv", [row(dispute="no", vulnerable="", deceased="no")]), TOMORROW)
    assert {each.kind for each in dossier(ledger, "A1").stops} == {StopKind.vulnerable, StopKind.deceased}
    assert ("stop_lifted", "dispute") in events(ledger, one)


def test_a_number_that_the_file_drops_is_not_dialled_any_more(ledger: SqlLedger, tmp_path: Path) -> None:
    both = [row("A1", person="P1", phone="600123456", phone2="600123457"), row("A2", person="P1", phone="600123458")]
    bring(ledger, write(tmp_path / "1.csv", both))
    assert set(digits(ledger, "A1")) == {"+34600123456", "+34600123457", "+34600123458"}
    # One account alone does not speak for all numbers of its person.
    bring(ledger, write(tmp_path / "2.csv", both[1:]), TOMORROW)
    assert len(digits(ledger, "A1")) == 3
    bring(ledger, write(tmp_path / "3.csv", [both[0] | {"phone2": ""}, both[1]]), TOMORROW)
    assert set(digits(ledger, "A1")) == {"+34600123456", "+34600123458"}
    with ledger.writing() as connection:
        wrong = select(phone.c.id).where(phone.c.e164 == "+34600123456").scalar_subquery()
        connection.execute(update(person_phone).where(person_phone.c.phone == wrong).values(status="wrong_party"))
    bring(ledger, write(tmp_path / "4.csv", both), TOMORROW)
    with ledger.reading() as connection:
        statuses = select(phone.c.e164, person_phone.c.status).join(phone, phone.c.id == person_phone.c.phone)
        assert dict(connection.execute(statuses).all()) == {
            "+34600123456": "wrong_party",
            "+34600123457": "usable",
            "+34600123458": "usable",
        }


def test_an_account_that_moves_concerns_both_people(ledger: SqlLedger, tmp_path: Path) -> None:
    bring(ledger, write(tmp_path / "1.csv", [row("A1", person="P1"), row("A2", person="P2")]))
    first, second = person_of(ledger, "A1"), person_of(ledger, "A2")
    cursor = ledger.change_cursor()
    bring(ledger, write(tmp_path / "2.csv", [row("A2", person="P1")]), TOMORROW)
    assert person_of(ledger, "A2") == first
    assert (version(ledger, first), version(ledger, second)) == (1, 1)
    assert set(ledger.changes(cursor)[1]) == {first, second}
    bring(ledger, write(tmp_path / "3.csv", [row("A2", person="P9")]), TOMORROW)
    assert (version(ledger, first), version(ledger, second)) == (2, 1)


def test_consents_and_contacts_are_told_once(ledger: SqlLedger, tmp_path: Path) -> None:
    contact = "2026-11-10T10:00:00Z call busy +34600123456"
    rows = [
        row("A1", person="P1", consents="hours:call@2026-12-31", prior_attempts=contact),
        row("A2", person="P1", consents="hours:call@2027-06-30", prior_attempts=contact),
    ]
    path = write(tmp_path / "1.csv", rows)
    bring(ledger, path)
    found = dossier(ledger, "A1")
    (consent,) = found.consents
    # Where the address tells no zone, a last day ends where it ends first.
    assert consent.until_us == parse("2027-07-01T00:00:00+14:00")
    (once,) = found.history
    assert once.debts == ()
    before = content(ledger)
    bring(ledger, path, TOMORROW)
    assert content(ledger) == before


def test_a_consent_ends_at_the_debtors_midnight_and_when_the_law_says(ledger: SqlLedger, tmp_path: Path) -> None:
    week = "direct_prior_consent_7d"
    rows = [
        row("A1", region="Cataluña", consents="hours@2026-12-31"),
        row("A2", region="Cataluña", consents=f"{week}@2026-11-20"),
        row("A3", region="Cataluña", consents=f"{week}@2026-11-25"),
        row("A4", consents=f"{week}@2026-11-27"),
        row("A5", consents=week),
    ]
    report = bring(ledger, write(tmp_path / "1.csv", rows), form=Form(zone="America/New_York"))
    assert report.rejected == 2
    ends = [dossier(ledger, account).consents[0].until_us for account in ("A1", "A2", "A3")]
    assert ends == [
        parse("2027-01-01T00:00:00+01:00"),
        parse("2026-11-21T00:00:00+01:00"),
        # Seven days from now are sooner over than the day named.
        NOW + 7 * DAY,
    ]


def test_a_file_of_prior_attempts(ledger: SqlLedger, tmp_path: Path) -> None:
    bring(ledger, write(tmp_path / "1.csv", [row("A1"), row("A2"), row("A2", creditor="Caja")]))
    sms = {"cuenta": "A1", "fecha_hora": "2026-11-17T12:00:00Z", "canal": "sms", "evento": "message_sent"}
    told = [
        sms
        | {"fecha_hora": "2026-11-17T10:00:00Z", "canal": "llamada", "evento": "no_answer", "telefono": "+34600123456"},
        sms,
        sms | {"cuenta": "A2"},
        sms | {"cuenta": "A9"},
        sms | {"fecha_hora": "2026-12-17T12:00:00Z"},
    ]
    path = write(tmp_path / "attempts.csv", told)
    report = bring(ledger, path, TOMORROW)
    assert (report.kind, report.rows, report.rejected, report.touched_people) == ("attempts", 5, 3, 1)
    assert [(one["reject_row"], one["reject_field"]) for one in rejects(path)] == [
        ("4", "account"),
        ("5", "account"),
        ("6", "at"),
    ]
    assert [one.event for one in dossier(ledger, "A1").history] == [ContactEvent.no_answer, ContactEvent.message_sent]
    assert version(ledger, person_of(ledger, "A1")) == 1
    before = content(ledger)
    bring(ledger, path, TOMORROW)
    assert content(ledger) == before


# ---- what does not land


def test_bad_rows_are_told_and_the_others_land(ledger: SqlLedger, tmp_path: Path) -> None:
    path = write(
        tmp_path / "f.csv",
        [
            row("A1"),
            row("A2", phone="12", balance="abc"),
            row("A3", phone2="999"),
            row("A4", country="XX"),
            row("A1", balance="7"),
            row("A1"),
            row(""),
            row("A5", balance="", currency="EURO"),
        ],
    )
    report = bring(ledger, path)
    assert (report.rows, report.added, report.rejected, report.mended, report.repeated) == (8, 2, 5, 1, 1)
    told = {one["reject_row"]: one for one in rejects(path)}
    assert list(told) == ["3", "4", "5", "6", "8", "9"]
    assert told["3"]["reject_field"] == "balance; phone"
    assert told["3"]["reject_found"] == "abc; 12"
    assert told["4"]["reject_field"] == "phone2"
    assert told["5"]["reject_field"] == "country"
    assert told["6"]["reject_do"] == "row 2 has the same account with other content: keep one of the two"
    assert told["8"]["reject_field"] == "account"
    assert told["9"]["reject_field"] == "balance; currency"
    assert told["3"]["name"] == "María García"
    assert oct((tmp_path / "f.csv.rejects.csv").stat().st_mode)[-3:] == "600"
    assert digits(ledger, "A3") == ["+34600123456"]

    # Corrected where it lies, the rejects file is a file like any other.
    fixed = [one | {"balance": "5", "phone": "600123459"} for one in rejects(path) if one["account"] == "A2"]
    again = bring(ledger, write(tmp_path / "fixed.csv", fixed))
    assert (again.added, again.rejected, again.unknown_columns) == (1, 0, ())
    assert the_debt(ledger, "A2").balance_minor == 500


def test_a_rejected_account_is_not_withdrawn(ledger: SqlLedger, tmp_path: Path) -> None:
    bring(ledger, write(tmp_path / "1.csv", [row("A1"), row("A2"), row("A3")]))
    report = bring(ledger, write(tmp_path / "2.csv", [row("A1"), row("A2", balance="x")]), TOMORROW, full=True)
    assert (report.withdrawn, report.rejected) == (1, 1)
    assert [the_debt(ledger, one).state for one in ("A1", "A2", "A3")] == ["open", "open", "withdrawn"]


def test_nothing_is_withdrawn_while_a_row_cannot_be_read(ledger: SqlLedger, tmp_path: Path) -> None:
    bring(ledger, write(tmp_path / "1.csv", [row("A1"), row("A2"), row("A3")]))
    path = write(tmp_path / "2.csv", [row("A1"), row("A2")])
    path.write_text(path.read_text(encoding="utf-8").replace("P-A2", "P,A2"), encoding="utf-8")
    report = bring(ledger, path, TOMORROW, full=True)
    assert (report.rejected, report.withdrawn) == (1, 0)
    assert "nothing was withdrawn" in report.notes[-1]
    assert rejects(path)[0]["reject_do"].startswith("the header has 8")
    assert the_debt(ledger, "A3").state == "open"


def test_too_many_rejects_land_nothing(ledger: SqlLedger, tmp_path: Path) -> None:
    path = write(tmp_path / "f.csv", [row("A1"), row("A2"), row("A3", balance="x")])
    before = content(ledger)
    report = bring(ledger, path, max_reject_share=0.3)
    assert (report.refused, report.landed, report.rejected) == (True, False, 1)
    assert len(rejects(path)) == 1
    assert content(ledger) == before
    with ledger.reading() as connection:
        assert connection.execute(select(import_file.c.state)).scalars().all() == ["refused"]
    assert bring(ledger, path, max_reject_share=0.4).landed


def test_a_dry_run_lands_nothing(ledger: SqlLedger, tmp_path: Path) -> None:
    before = content(ledger)
    report = bring(ledger, write(tmp_path / "f.csv", [row("A1"), row("A2", balance="x")]), dry_run=True)
    assert (report.landed, report.added, report.rejected) == (False, 1, 1)
    assert content(ledger) == before
    with ledger.reading() as connection:
        assert connection.execute(select(func.count()).select_from(import_file)).scalar() == 0


def test_unknown_columns_are_named(ledger: SqlLedger, tmp_path: Path) -> None:
    report = bring(ledger, write(tmp_path / "f.csv", [row(shoe_size="42")]))
    assert report.unknown_columns == ("shoe_size",)


# ---- alone, and cut off

_KILLED = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, {here!r})
from tests.integration.portfolio_files import NOW, bring
from ledger.intake import landing
from ledger.store import open_ledger
landing._FIRST_STEP = landing._MOST_STEP = 7
def progress(what, done, of):
    if (what, done >= {done}) == ({what!r}, True):
        os.kill(os.getpid(), signal.SIGKILL)
bring(open_ledger({url!r}), Path({path!r}), progress=progress)
"""


def import_and_die(url: str, path: Path, what: str, done: int) -> None:
    script = _KILLED.format(here=str(Path(__file__).parent), url=url, path=str(path), what=what, done=done)
    ended = subprocess.run([sys.executable, "-c", script], check=False)
    assert ended.returncode == -signal.SIGKILL


@pytest.mark.parametrize("what", ["reading", "comparing", "describing numbers"])
def test_killed_before_the_flip_leaves_the_ledger_as_it_was(ledger_url: str, tmp_path: Path, what: str) -> None:
    path = tmp_path / "sample.csv"
    write_sample(path, debtors=30, seed=3, at_us=NOW)
    with open_ledger(ledger_url) as ledger:
        before = content(ledger)
        import_and_die(ledger_url, path, what, 0)
        assert content(ledger) == before
        assert complete_imports(ledger) == ()
        assert bring(ledger, path).new_people == 30
    assert not list(tmp_path.glob("*.stage"))


@pytest.mark.parametrize("done", [0, 20, 40])
def test_killed_after_the_flip_is_completed_by_the_next(ledger_url: str, tmp_path: Path, done: int) -> None:
    first, second = tmp_path / "first.csv", tmp_path / "second.csv"
    write_sample(first, debtors=30, seed=3, at_us=NOW)
    write_sample(second, debtors=40, seed=3, at_us=NOW - 3 * DAY)
    with open_ledger(ledger_url) as ledger:
        bring(ledger, first)
        import_and_die(ledger_url, second, "landing", done)
        (note,) = complete_imports(ledger)
        assert "completed first" in note
        # As if it had never been cut off: nothing twice, nothing missing.
        after = content(ledger)
        assert bring(ledger, second).touched_people == 0
        assert content(ledger) == after
        with ledger.reading() as connection:
            assert connection.execute(select(import_file.c.state)).scalars().all() == ["landed"] * 3
            told = connection.execute(select(change.c.person)).scalars().all()
            assert len(told) == len(set(told)) == 30
            # Households and numbers of prior attempts move on with each step that tells of them.
            persons = select(cap_key.c.version).where(cap_key.c.key.like("person:%"))
            versions = connection.execute(persons).scalars().all()
            assert versions == [1] * 30
    assert not list(tmp_path.glob("*.stage"))


def test_a_lost_stage_is_told_and_the_file_imported_again(new_url: Callable[[str], str], tmp_path: Path) -> None:
    url, path = new_url("sqlite"), tmp_path / "sample.csv"
    write_sample(path, debtors=30, seed=3, at_us=NOW)
    with open_ledger(url) as ledger:
        import_and_die(url, path, "landing", 20)
        for stage in tmp_path.glob("*.stage"):
            stage.unlink()
        report = bring(ledger, path)
        assert "import sample.csv again" in report.notes[0]
        with ledger.reading() as connection:
            assert connection.execute(select(func.count()).select_from(person)).scalar() == 30


def test_a_ledger_that_stays_locked_is_told(new_url: Callable[[str], str], tmp_path: Path) -> None:
    url, path = new_url("sqlite"), write(tmp_path / "f.csv", [row()])
    with open_ledger(url, patience_s=0.2) as ledger, open_ledger(url) as other:
        with other.writing(), pytest.raises(LedgerStalled, match="locked"):
            bring(ledger, path)
        assert not list(tmp_path.glob("*.stage"))
        assert bring(ledger, path).added == 1


def test_one_import_at_a_time(ledger: SqlLedger, ledger_url: str, tmp_path: Path) -> None:
    path = write(tmp_path / "f.csv", [row()])

    def progress(what: str, _done: int, _of: int) -> None:
        if what == "comparing":
            with open_ledger(ledger_url) as other, pytest.raises(BadInput, match="another import"):
                bring(other, path)

    assert bring(ledger, path, progress=progress).added == 1


# ---- and a contact reserved before it is stale after it


def test_a_reservation_judged_before_an_import_is_stale(ledger: SqlLedger, tmp_path: Path) -> None:
    bring(ledger, write(tmp_path / "1.csv", [row()]))
    before = dossier(ledger, "A1").keys
    bring(ledger, write(tmp_path / "2.csv", [row(stops="cease_written")]), TOMORROW)
    after = dossier(ledger, "A1").keys
    assert [(one.key, one.version) for one in after if one not in before] == [(f"person:{person_of(ledger, 'A1')}", 1)]
    assert isinstance(after[0], CapKey)


def test_what_is_told_of_one_is_news_of_the_household_and_of_whoever_has_the_number(
    ledger: SqlLedger, tmp_path: Path
) -> None:
    rows = [
        row("A1", household="H1", phone="600 123 456"),
        row("A2", household="H1", phone="600 123 457"),
        row("A3", phone="600 123 456"),
        row("A4", phone="600 123 458"),
    ]
    bring(ledger, write(tmp_path / "portfolio.csv", rows))
    with ledger.reading() as connection:
        ids = connection.execute(select(person.c.id).order_by(person.c.id)).scalars().all()
    before = ledger.dossiers(ids)
    tried = {"account": "A1", "at": "2026-11-17T10:00:00+01:00", "event": "no_answer", "phone": "600123456"}
    bring(ledger, write(tmp_path / "attempts.csv", [tried | {"country": "ES"}]), TOMORROW)
    after = ledger.dossiers(ids)
    assert [[line.of for line in one.others] for one in after] == [[], ["household"], ["phone"], []]
    assert len(after[0].history) == 1
    # Whoever was judged before it, is not reserved on that judgement.
    moved = [{*one.keys} != {*then.keys} for one, then in zip(after, before, strict=True)]
    assert moved == [True, True, True, False]
    # Who moves in brings what was said to him.
    bring(ledger, write(tmp_path / "moved.csv", [row("A4", household="H1", phone="600 123 458")]), TOMORROW)
    newest = ledger.dossiers(ids)
    assert {*newest[0].keys} != {*after[0].keys}
    assert [line.of for line in newest[3].others] == ["household"]


def test_an_attempt_whose_number_is_not_told_rests_every_number_that_the_person_has(
    ledger: SqlLedger, tmp_path: Path
) -> None:
    shared, own = "020 7946 0123", "020 7946 0199"
    rows = [
        row("A1", country="GB", currency="GBP", household="H1", phone=shared),
        row("A2", country="GB", currency="GBP", phone=shared, phone2=own),
        row("A3", country="GB", currency="GBP", household="H1", phone="020 7946 0177"),
    ]
    bring(ledger, write(tmp_path / "portfolio.csv", rows))
    before = dossier(ledger, "A2")
    tried = {"account": "A1", "at": "2026-11-18T10:00:00+00:00", "event": "abandoned"}
    bring(ledger, write(tmp_path / "attempts.csv", [tried]), TOMORROW)
    sharing, mate = dossier(ledger, "A2"), dossier(ledger, "A3")

    def rests(one: Dossier) -> list[bool]:
        asked = {"at_us": TOMORROW, "debts": (), "actor": "third_party", "purpose": "collection"}
        return [GATE.judge(one, phone=number, **asked).rule == "GB.72h_abandon" for number in one.phones]

    # The shared number may have been it, whoever is asked for there; none that only others have was.
    assert rests(dossier(ledger, "A1")) == [True]
    assert rests(sharing) == [True, False]
    assert rests(mate) == [False]
    # What was judged before it is not reserved.
    assert {*sharing.keys} != {*before.keys}
    # Who is given a number brings what was sent to him.
    given = row("A1", country="GB", currency="GBP", household="H1", phone=shared, phone2=own)
    bring(ledger, write(tmp_path / "again.csv", [given]), TOMORROW)
    after = dossier(ledger, "A2")
    assert rests(after) == [True, True]
    assert {*after.keys} != {*sharing.keys}
