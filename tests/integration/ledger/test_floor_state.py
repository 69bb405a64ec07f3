"""Leases, snapshots and migrations: what a floor's start relies on."""

import re
from collections.abc import Callable

import pytest
from sqlalchemy import Connection, insert, inspect, text, update

from domain.errors import BadInput, Broken
from domain.instants import DAY
from ledger.database import Database
from ledger.migrate import HEAD
from ledger.queries import Agent
from ledger.schema import agent, lease, metadata, snapshot
from ledger.store import SqlLedger, open_ledger
from tests.integration.ledger.scribe import NOW


def test_one_process_runs_a_floor(ledger: SqlLedger) -> None:
    ledger.take_lease("floor", "host-a 17", 30)
    ledger.take_lease("north", "host-b 18", 30)
    with pytest.raises(BadInput, match="run by host-a 17"):
        ledger.take_lease("floor", "host-b 18", 30)
    ledger.renew_lease("floor", "host-a 17", 30)
    ledger.take_lease("floor", "host-a 17", 30)
    with pytest.raises(Broken, match="gone to host-a 17"):
        ledger.renew_lease("floor", "host-b 18", 30)
    ledger.release_lease("floor", "host-b 18")
    with pytest.raises(BadInput):
        ledger.take_lease("floor", "host-b 18", 30)
    ledger.release_lease("floor", "host-a 17")
    ledger.take_lease("floor", "host-b 18", 30)


def test_a_lease_runs_out(ledger: SqlLedger) -> None:
    ledger.take_lease("floor", "host-a 17", 30)
    with ledger.writing() as connection:
        connection.execute(update(lease).values(expires_us=1))
    ledger.take_lease("floor", "host-b 18", 30)
    with pytest.raises(Broken, match="may not dial any more"):
        ledger.renew_lease("floor", "host-a 17", 30)


def test_the_last_snapshot_that_can_be_read(ledger: SqlLedger) -> None:
    assert ledger.last_snapshot("floor") is None
    for seq in range(1, 6):
        ledger.save_snapshot("floor", seq, NOW + seq, b"state %d" % seq)
    ledger.save_snapshot("north", 9, NOW, b"north")
    found = ledger.last_snapshot("floor")
    assert found is not None
    assert (found.seq, found.at_us, found.state) == (5, NOW + 5, b"state 5")
    with ledger.writing() as connection:
        kept = connection.execute(text("SELECT seq FROM snapshot WHERE stream = 'floor' ORDER BY seq")).scalars().all()
        assert kept == [3, 4, 5]
        connection.execute(update(snapshot).where(snapshot.c.seq == 5).values(state=b"not this"))
        connection.execute(update(snapshot).where(snapshot.c.seq == 4).values(sha256="0"))
    found = ledger.last_snapshot("floor")
    assert found is not None
    assert found.state == b"state 3"


def test_the_last_snapshot_of_each_day_stays(ledger: SqlLedger) -> None:
    seqs = range(1, 200)
    for seq in seqs:
        # Four a day.
        ledger.save_snapshot("floor", seq, seq * DAY // 4, b"state %d" % seq)
    with ledger.reading() as connection:
        kept = connection.execute(text("SELECT seq FROM snapshot WHERE stream = 'floor' ORDER BY seq")).scalars().all()
    last_of_days = [seq for seq in seqs if seq % 4 == 3][-40:]
    assert kept == sorted({*last_of_days, 197, 198, 199})
    found = ledger.last_snapshot("floor", before_seq=151)
    assert found is not None
    assert found.seq == 147
    assert ledger.last_snapshot("floor", before_seq=kept[0]) is None


def test_agents(ledger: SqlLedger) -> None:
    with ledger.writing() as connection:
        connection.execute(
            insert(agent),
            [
                {"agent": "luz", "name": None, "extension": None, "campaigns": "", "groups": "", "created_us": NOW},
                {
                    "agent": "ana", "name": "Ana", "extension": "101", "campaigns": "spring,autumn",
                    "groups": "seniors,plans", "created_us": NOW,
                },
            ],
        )  # fmt: skip
    assert ledger.agents() == [
        Agent(
            agent="ana",
            name="Ana",
            extension="101",
            campaigns=("spring", "autumn"),
            active=True,
            groups=("seniors", "plans"),
        ),
        Agent(agent="luz", name=None, extension=None, campaigns=(), active=True),
    ]


def shape(connection: Connection) -> dict[str, object]:
    """Return all that a database says of its tables, whatever their order."""
    found: dict[str, object] = {}
    if connection.dialect.name == "sqlite":
        for name, sql in connection.exec_driver_sql("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL"):
            parts = re.split(r",(?![^(]*\))", re.sub(r"\s+", " ", sql))
            found[name] = sorted(part.strip().removesuffix(" )") for part in parts)
        return found
    look = inspect(connection)
    for table in look.get_table_names():
        for of in ("columns", "pk_constraint", "foreign_keys", "unique_constraints", "check_constraints"):
            found[f"{table} {of}"] = str(sorted(map(str, getattr(look, f"get_{of}")(table))))
    found |= dict(
        connection.exec_driver_sql("SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'").all()
    )
    found |= {
        f"{table}.{column}": comment
        for table, column, comment in connection.exec_driver_sql(
            "SELECT c.relname, a.attname, col_description(c.oid, a.attnum) FROM pg_class c "
            "JOIN pg_attribute a ON a.attrelid = c.oid JOIN pg_namespace n ON n.oid = c.relnamespace "
            "WHERE n.nspname = 'public' AND c.relkind = 'r' AND a.attnum > 0"
        )
    }
    return found


BOTH = pytest.mark.parametrize("kind", ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])


@BOTH
def test_migrations_make_the_schema(new_url: Callable[[str], str], kind: str) -> None:
    url = new_url(kind)
    open_ledger(url).close()
    database = Database(url)
    with database.reading() as connection:
        migrated = {name: told for name, told in shape(connection).items() if "alembic_version" not in name}
    with database.writing() as connection:
        for table in reversed(inspect(connection).get_table_names()):
            connection.exec_driver_sql(f'DROP TABLE "{table}"' + (" CASCADE" if kind == "postgres" else ""))
        metadata.create_all(connection)
    with database.reading() as connection:
        assert shape(connection) == migrated
    database.close()


@BOTH
def test_an_older_history_learns_the_days_of_its_promises(new_url: Callable[[str], str], kind: str) -> None:
    url = new_url(kind)
    open_ledger(url).close()
    database = Database(url)
    with database.writing() as connection:  # as version 4 left it
        connection.execute(text("DROP TABLE decision"))
        connection.execute(text("ALTER TABLE history DROP COLUMN due_on"))
        connection.execute(text("ALTER TABLE agent DROP COLUMN groups"))
        for table in ("experiment", "score", "score_person", "score_set", "stand", "handed", "handover"):
            connection.execute(text(f"DROP TABLE {table}"))
        connection.execute(text("UPDATE alembic_version SET version_num = '0004'"))
        connection.execute(
            text(
                "INSERT INTO promise (call_id, kind, person, amount_minor, currency, due_on, made_us)"
                " VALUES ('floor-3', 'promise', 1, 500, 'EUR', '2026-12-01', 7)"
            )
        )
        for event in ("dialed", "right_party_contact", "promise"):
            connection.execute(
                text(
                    "INSERT INTO history (event_us, known_us, person, event, attempt)"
                    f" VALUES (7, 7, 1, '{event}', 'floor-3')"
                )
            )
    database.close()
    with open_ledger(url) as ledger:
        found = {fact.event: fact.due_on for fact in ledger.history()}
    assert found == {"dialed": None, "right_party_contact": None, "promise": "2026-12-01"}


@BOTH
def test_agents_of_an_older_ledger_are_in_no_group(new_url: Callable[[str], str], kind: str) -> None:
    url = new_url(kind)
    open_ledger(url).close()
    database = Database(url)
    with database.writing() as connection:  # as the version before groups left it
        connection.execute(text("ALTER TABLE agent DROP COLUMN groups"))
        connection.execute(text("ALTER TABLE score DROP COLUMN p_machine"))
        connection.execute(text("INSERT INTO agent (agent, created_us) VALUES ('ana', 7)"))
        connection.execute(text("UPDATE alembic_version SET version_num = '0010'"))
    database.close()
    with open_ledger(url) as ledger:
        assert ledger.agents() == [Agent(agent="ana", name=None, extension=None, campaigns=(), active=True)]


@BOTH
def test_tables_of_newer_code_are_refused(new_url: Callable[[str], str], kind: str) -> None:
    url = new_url(kind)
    with open_ledger(url) as ledger, ledger.writing() as connection:
        assert connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one() == HEAD
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(BadInput, match="its tables are at version 9999"):
        open_ledger(url)
