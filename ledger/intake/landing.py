"""Carries staged rows into the ledger: person by person, in short transactions, each of which can be the last.

Rule 1: a person's news lands whole, in one transaction with the bump of its cap keys and the word to the floors.
Rule 2: the transaction that lands people also writes down how far it came: whoever goes on begins there.
Rule 3: every value is looked at again inside the transaction; what others wrote since the comparison stands.
Rule 4: locks are taken in the order of `ledger.reservations`: cap keys, rows, news.
"""

import time
from collections.abc import Callable
from typing import NamedTuple

import msgspec

from ledger.intake.compare import (
    DEBT_COLUMNS,
    Given,
    consent_until,
    debt_differs,
    new_balance,
    new_currency,
    new_state,
    person_differs,
    person_values,
)
from ledger.intake.stage import SCHEMA as S
from ledger.intake.stage import Stage
from ledger.reservations import announce, bump

_FIRST_STEP, _LEAST_STEP, _MOST_STEP = 200, 10, 20_000


class _Pace(NamedTuple):
    """How an import shares the ledger with others."""

    #: A transaction should take so long: it may take 100 ms.
    aim_s: float
    #: Others get SQLite's lock in between: they ask for it every millisecond, where they get a processor.
    rest_s: float
    #: Pages of the log that are carried into the file at once: a floor's commit may find itself doing it.
    pages: int


_ALONE = _Pace(0.06, 0.003, 10_000)
_BESIDE_A_FLOOR = _Pace(0.035, 0.015, 1_000)
#: PostgreSQL locks the people of a step alone.
_NO_SHARED_LOCK = _Pace(0.08, 0.0, 0)


class Landing(msgspec.Struct, frozen=True, kw_only=True):
    """One import on its way into the ledger; kept with the stage, so that another process can go on."""

    #: Its row in `import_file`, from the flip on.
    file: int = 0
    at_us: int
    given: Given
    #: Phones land first, then people, each by its place in its table.
    n_phones: int
    n_people: int

    @property
    def n(self) -> int:
        return self.n_phones + self.n_people


def land(stage: Stage, landing: Landing, progress: Callable[[int, int], None]) -> None:
    """Land what has not landed yet."""
    _make_tables(stage)
    statements = _Statements(stage, landing)
    step = _FIRST_STEP
    done = stage.scalar("SELECT landed FROM import_file WHERE id = :file", file=landing.file)
    progress(done, landing.n)
    pace: _Pace | None = None
    counted = 0
    while done < landing.n:
        in_phones = done < landing.n_phones
        if done == landing.n_phones:  # a person takes many times as long as a phone
            step = min(step, _FIRST_STEP)
        last = min(done + step, landing.n_phones if in_phones else landing.n)
        if done >= 4 * counted:
            counted = max(1000, done)
            stage.analyze(ledger=True)
        began = time.perf_counter()
        pace = _pace(stage, pace)
        with stage.writing():
            if in_phones:
                statements.phones(done + 1, last)
            else:
                statements.people(done + 1 - landing.n_phones, last - landing.n_phones)
            stage.execute("UPDATE import_file SET landed = :last WHERE id = :file", last=last, file=landing.file)
        took_s = time.perf_counter() - began
        done = last
        progress(done, landing.n)
        step = max(_LEAST_STEP, min(_MOST_STEP, int(step * min(1.4, max(0.3, pace.aim_s / took_s)))))
        time.sleep(pace.rest_s)
    stage.analyze(ledger=True)


def _pace(stage: Stage, before: _Pace | None) -> _Pace:
    """Return how to go on: gently while a floor runs."""
    if not stage.is_sqlite:
        return _NO_SHARED_LOCK
    running = stage.scalar("SELECT count(*) FROM lease WHERE expires_us > :now_us", now_us=time.time_ns() // 1000)
    pace = _BESIDE_A_FLOOR if running else _ALONE
    if pace is not before:
        with stage.connection.begin():
            stage.execute(f"PRAGMA wal_autocheckpoint = {pace.pages}")
    return pace


def _make_tables(stage: Stage) -> None:
    """Make the tables that hold one step's people, debts and stops with the ledger's ids."""
    end = "" if stage.is_sqlite else " ON COMMIT DELETE ROWS"
    with stage.connection.begin():
        for table in (
            'here (ref TEXT, "row" BIGINT, person BIGINT PRIMARY KEY, fresh BOOLEAN)',
            'here_debt ("row" BIGINT PRIMARY KEY, person BIGINT, creditor BIGINT, account TEXT, debt BIGINT, '
            "fresh BOOLEAN, old_state TEXT, state TEXT, balance_minor BIGINT, currency TEXT, differs BOOLEAN, "
            "balance_differs BOOLEAN)",
            "here_stop (person BIGINT, kind TEXT, debt BIGINT, event_us BIGINT, why TEXT)",
        ):
            stage.execute(f"DROP TABLE IF EXISTS {'temp' if stage.is_sqlite else 'pg_temp'}.{table.split()[0]}")
            stage.execute(f"CREATE TEMP TABLE {table}{end}")
        stage.execute("CREATE INDEX here_debt_person ON here_debt (person)" if not stage.is_sqlite else
                      "CREATE INDEX temp.here_debt_person ON here_debt (person)")  # fmt: skip


_NUMBERS_HERE = f"""
    FROM here x JOIN {S}.account a ON a.ref = x.ref JOIN {S}.number n ON n."row" = a."row"
    JOIN phone f ON f.e164 = n.e164
"""


class _Statements:
    """The statements of one step, in their order."""

    def __init__(self, stage: Stage, landing: Landing) -> None:
        self._stage = stage
        self._landing = landing
        self._given = landing.given
        self._has = {
            table: stage.scalar(f"SELECT count(*) FROM (SELECT 1 FROM {S}.{table} LIMIT 1) q") > 0
            for table in ("stop", "consent", "contact", "withdrawal", "number")
        }
        self._moved = stage.scalar(f"""
            SELECT count(*) FROM {S}.known_debt k JOIN {S}.account a ON a."row" = k."row"
            JOIN {S}.people p ON p.ref = a.ref WHERE p.person IS NULL OR p.person <> k.person
        """) > 0  # fmt: skip

    def phones(self, first: int, last: int) -> None:
        self._run(
            "INSERT INTO phone (e164, country, line_type, geographic, zones) "
            f"SELECT e164, country, line_type, geographic, zones FROM {S}.phone WHERE ord BETWEEN :first AND :last "
            "ORDER BY ord ON CONFLICT (e164) DO NOTHING",
            first=first,
            last=last,
        )
        self._run(
            f"INSERT INTO phone_register (phone, register) SELECT f.id, n.register FROM {S}.phone s "
            "JOIN phone f ON f.e164 = s.e164 JOIN register r ON TRUE "
            "JOIN register_number n ON n.register = r.id AND n.edition = r.edition AND n.e164 = s.e164 "
            "WHERE s.ord BETWEEN :first AND :last ON CONFLICT (phone, register) DO NOTHING",
            first=first,
            last=last,
        )

    def people(self, first: int, last: int) -> None:
        span = {"first": first, "last": last}
        if not self._stage.is_sqlite:
            # Few rows of a step against large tables: never read those whole.
            for way in ("seqscan", "hashjoin", "mergejoin", "material"):
                self._stage.execute(f"SET LOCAL enable_{way} = off")
        touched = self._touched(span)
        bump(self._stage.connection, [*(f"person:{person}" for person in touched), *self._shared(span)])
        if self._stage.is_sqlite:
            for table in ("here", "here_debt", "here_stop"):
                self._run(f"DELETE FROM {table}")
        if self._given.kind == "accounts":
            self._persons(span)
            self._debts()
            if self._has["number"]:
                self._link_numbers()
            if self._given.has_phones and touched:
                self._drop_numbers()
            if self._has["withdrawal"]:
                self._withdrawals(span)
            if self._has["stop"]:
                self._stops()
            if touched:
                self._lift()
            if self._has["consent"]:
                self._consents()
        else:
            self._run(
                'INSERT INTO here_debt ("row", person, creditor, debt) '
                f'SELECT k."row", k.person, d.creditor, k.debt FROM {S}.turn t '
                f"JOIN {S}.known_debt k ON k.person = t.person JOIN debt d ON d.id = k.debt "
                "WHERE t.ord BETWEEN :first AND :last",
                **span,
            )
        if self._has["contact"]:
            self._contacts()
        announce(self._stage.connection, touched, self._landing.at_us)

    def _touched(self, span: dict[str, int]) -> list[int]:
        """Return the people on record of whom a step tells, the former holders of moved accounts too."""
        persons = f"SELECT person FROM {S}.turn WHERE ord BETWEEN :first AND :last AND person IS NOT NULL"
        if self._moved:
            persons += (
                f" UNION SELECT k.person FROM {S}.turn t JOIN {S}.account a ON a.ref = t.ref "
                f'JOIN {S}.known_debt k ON k."row" = a."row" '
                "WHERE t.ord BETWEEN :first AND :last AND (t.person IS NULL OR t.person <> k.person)"
            )
        return sorted(self._stage.execute(persons, **span).scalars())

    def _shared(self, span: dict[str, int]) -> list[str]:
        """Return the keys through which others count what a step tells: new households and numbers, prior attempts."""
        here = "WHERE t.ord BETWEEN :first AND :last"
        homes: list[str] = []
        if "household" in self._given.columns:
            changed = "" if self._has["contact"] else "AND (p.household IS NULL OR p.household <> h.id)"
            homes.append(
                f'SELECT h.id FROM {S}.turn t JOIN {S}.account a ON a."row" = t."row" '
                f"JOIN household h ON h.ref = a.household LEFT JOIN person p ON p.id = t.person {here} {changed}"
            )
        numbers: list[str] = []
        if self._has["contact"]:
            homes.append(
                f"SELECT p.household FROM {S}.turn t JOIN person p ON p.id = t.person {here} "
                "AND p.household IS NOT NULL"
            )
            of_turn = (
                f'JOIN {S}.account a ON a.ref = t.ref JOIN {S}.contact k ON k."row" = a."row"'
                if self._given.kind == "accounts"
                else f'JOIN {S}.known_debt d ON d.person = t.person JOIN {S}.contact k ON k."row" = d."row"'
            )
            numbers.append(f"SELECT f.id FROM {S}.turn t {of_turn} JOIN phone f ON f.e164 = k.e164 {here}")
            # An attempt whose number is not told may have been on any that the person has,
            numbers.append(
                f"SELECT l.phone FROM {S}.turn t {of_turn} JOIN person_phone l ON l.person = t.person {here} "
                "AND k.e164 IS NULL"
            )
        if self._has["number"]:
            # or is given here; and who is given a number brings what was on record before.
            brings = "t.person IS NOT NULL"
            if self._has["contact"]:
                brings += (
                    f' OR EXISTS (SELECT 1 FROM {S}.account b JOIN {S}.contact k ON k."row" = b."row" '
                    "WHERE b.ref = t.ref AND k.e164 IS NULL)"
                )
            numbers.append(
                f"SELECT f.id FROM {S}.turn t JOIN {S}.account a ON a.ref = t.ref "
                f'JOIN {S}.number n ON n."row" = a."row" JOIN phone f ON f.e164 = n.e164 '
                f"LEFT JOIN person_phone l ON l.person = t.person AND l.phone = f.id {here} "
                f"AND l.phone IS NULL AND ({brings})"
            )
        found = [(kind, " UNION ".join(queries)) for kind, queries in (("household", homes), ("phone", numbers))]
        return [
            f"{kind}:{number}"
            for kind, query in found
            if query
            for number in self._stage.execute(query, **span).scalars()
        ]

    def _persons(self, span: dict[str, int]) -> None:
        here = f'FROM {S}.turn t JOIN {S}.account a ON a."row" = t."row"'
        if "household" in self._given.columns:
            self._run(
                f"INSERT INTO household (ref) SELECT DISTINCT a.household {here} WHERE t.ord BETWEEN :first AND :last "
                "AND a.household IS NOT NULL ORDER BY 1 ON CONFLICT (ref) DO NOTHING",
                **span,
            )
        self._run(
            "INSERT INTO person (ref, household, name, language, country, region, city, postal_code, street, "
            "address_zones, owner, created_us) SELECT t.ref, h.id, a.name, a.language, a.country, a.region, a.city, "
            f"a.postal_code, a.street, a.address_zones, a.owner, :at_us {here} LEFT JOIN household h "
            "ON h.ref = a.household WHERE t.ord BETWEEN :first AND :last AND t.person IS NULL ORDER BY t.ord "
            "ON CONFLICT (ref) DO NOTHING",
            **span,
        )
        values = person_values(self._given)
        self._run(
            f"UPDATE person SET {', '.join(f'{column} = q.{column}' for column in values)} "
            f"FROM (SELECT t.person AS of, {', '.join(f'{value} AS {column}' for column, value in values.items())} "
            f"{here} JOIN person p ON p.id = t.person LEFT JOIN household h ON h.ref = a.household "
            f"WHERE t.ord BETWEEN :first AND :last AND ({person_differs(self._given)})) q WHERE person.id = q.of",
            **span,
        )
        self._run(
            'INSERT INTO here (ref, "row", person, fresh) SELECT t.ref, t."row", p.id, t.person IS NULL '
            f"FROM {S}.turn t JOIN person p ON p.ref = t.ref WHERE t.ord BETWEEN :first AND :last",
            **span,
        )

    def _debts(self) -> None:
        given = self._given
        self._run(f"""
            INSERT INTO here_debt ("row", person, creditor, account, debt, fresh, old_state, state, balance_minor,
                                   currency, differs, balance_differs)
            SELECT a."row", x.person, c.id, a.account, d.id, d.id IS NULL, d.state,
                CASE WHEN d.id IS NOT NULL THEN {new_state()} WHEN a.paid THEN 'paid' ELSE 'open' END,
                CASE WHEN d.id IS NULL THEN a.balance_minor ELSE {new_balance(given)} END,
                CASE WHEN d.id IS NULL THEN a.currency ELSE {new_currency(given)} END,
                d.id IS NOT NULL AND (d.person <> x.person OR {debt_differs(given)}),
                d.id IS NULL OR d.state <> {new_state()} OR d.balance_minor <> {new_balance(given)}
                    OR d.currency <> {new_currency(given)}
            FROM here x JOIN {S}.account a ON a.ref = x.ref JOIN creditor c ON c.name = a.creditor
            LEFT JOIN debt d ON d.creditor = c.id AND d.account = a.account
        """)
        self._run(f"""
            INSERT INTO debt (creditor, account, person, product, balance_minor, currency, due_on, rank, state,
                              first_seen_us, last_seen_us, last_file)
            SELECT x.creditor, x.account, x.person, a.product, x.balance_minor, x.currency, a.due_on, a.rank, x.state,
                :at_us, :at_us, :file
            FROM here_debt x JOIN {S}.account a ON a."row" = x."row" WHERE x.fresh ORDER BY x."row"
        """)
        columns = [column for column in DEBT_COLUMNS if column in given.columns]
        self._run(f"""
            UPDATE debt SET person = q.person, balance_minor = q.balance_minor, currency = q.currency, state = q.state,
                {"".join(f"{column} = q.{column}, " for column in columns)}last_seen_us = :at_us, last_file = :file
            FROM (SELECT x.*{"".join(f", a.{column}" for column in columns)}
                  FROM here_debt x JOIN {S}.account a ON a."row" = x."row" WHERE x.differs) q
            WHERE debt.id = q.debt
        """)
        self._run("""
            UPDATE here_debt SET debt = (SELECT d.id FROM debt d
                WHERE d.creditor = here_debt.creditor AND d.account = here_debt.account)
            WHERE fresh
        """)
        self._run(f"""
            INSERT INTO balance_history (debt, event_us, known_us, balance_minor, currency, state, why)
            SELECT x.debt, coalesce(a.balance_us, :at_us), :at_us, x.balance_minor, x.currency, x.state, 'import'
            FROM here_debt x JOIN {S}.account a ON a."row" = x."row" WHERE x.balance_differs
        """)
        self._run(f"""
            INSERT INTO history (event_us, known_us, person, debts, creditor, event, detail, amount_minor, currency)
            SELECT coalesce(a.balance_us, :at_us), :at_us, x.person, CAST(x.debt AS TEXT), x.creditor,
                CASE WHEN x.fresh THEN 'assigned' WHEN x.old_state = 'withdrawn' THEN 'reopened' ELSE 'balance' END,
                x.state, x.balance_minor, x.currency
            FROM here_debt x JOIN {S}.account a ON a."row" = x."row" WHERE x.balance_differs
        """)

    def _link_numbers(self) -> None:
        self._run(f"""
            INSERT INTO person_phone (person, phone, rank, status, source)
            SELECT x.person, f.id, n.place, 'usable', 'import' {_NUMBERS_HERE} WHERE TRUE
            ON CONFLICT (person, phone) DO UPDATE SET rank = excluded.rank,
                status = CASE WHEN person_phone.status = 'withdrawn' THEN 'usable' ELSE person_phone.status END
        """)

    def _drop_numbers(self) -> None:
        """Withdraw numbers that the file does not give any more, of people all of whose open accounts it has."""
        self._run(f"""
            UPDATE person_phone SET status = 'withdrawn'
            WHERE source = 'import' AND status = 'usable' AND person IN (SELECT person FROM here WHERE NOT fresh)
            AND NOT EXISTS (SELECT 1 {_NUMBERS_HERE} WHERE x.person = person_phone.person AND f.id = person_phone.phone)
            AND NOT EXISTS (SELECT 1 FROM debt d WHERE d.person = person_phone.person AND d.state = 'open'
                            AND d.id NOT IN (SELECT debt FROM here_debt))
        """)

    def _withdrawals(self, span: dict[str, int]) -> None:
        gone = f"""
            FROM {S}.turn t JOIN {S}.withdrawal w ON w.person = t.person JOIN debt d ON d.id = w.debt
            WHERE t.ord BETWEEN :first AND :last AND d.state = 'open'
        """
        self._run(
            f"INSERT INTO here_stop SELECT d.person, 'withdrawn', d.id, CAST(:at_us AS BIGINT), 'withdrawn' {gone}",
            **span,
        )
        self._run(f"""
            INSERT INTO balance_history (debt, event_us, known_us, balance_minor, currency, state, why)
            SELECT d.id, :at_us, :at_us, d.balance_minor, d.currency, 'withdrawn', 'withdrawn' {gone}
        """, **span)  # fmt: skip
        self._run(f"""
            INSERT INTO history (event_us, known_us, person, debts, creditor, event, detail, amount_minor, currency)
            SELECT :at_us, :at_us, d.person, CAST(d.id AS TEXT), d.creditor, 'withdrawn', 'withdrawn',
                d.balance_minor, d.currency {gone}
        """, **span)  # fmt: skip
        self._run(f"""
            UPDATE debt SET state = 'withdrawn', last_seen_us = :at_us, last_file = :file
            WHERE id IN (SELECT d.id {gone})
        """, **span)  # fmt: skip
        self._put_stops()

    def _stops(self) -> None:
        self._run(f"""
            INSERT INTO here_stop (person, kind, debt, event_us, why)
            SELECT x.person, s.kind, CASE WHEN s.of_debt THEN x.debt END, min(coalesce(s.event_us, :at_us)), ''
            FROM here_debt x JOIN {S}.stop s ON s."row" = x."row" WHERE s.stands
            GROUP BY x.person, s.kind, CASE WHEN s.of_debt THEN x.debt END
        """)
        self._put_stops()

    def _put_stops(self) -> None:
        """Record the stops noted that do not stand yet."""
        fresh = """
            FROM here_stop s WHERE NOT EXISTS (
                SELECT 1 FROM stop t WHERE t.person = s.person AND t.kind = s.kind AND t.lifted_us IS NULL
                AND t.phone IS NULL AND t.channel IS NULL AND coalesce(t.debt, 0) = coalesce(s.debt, 0))
        """
        self._run(f"""
            INSERT INTO history (event_us, known_us, person, debts, event, detail)
            SELECT s.event_us, :at_us, s.person, coalesce(CAST(s.debt AS TEXT), ''), 'stop', s.kind {fresh}
        """)
        self._run(f"""
            INSERT INTO stop (person, kind, debt, event_us, known_us, source, why)
            SELECT s.person, s.kind, s.debt, s.event_us, :at_us, 'import', s.why {fresh}
        """)
        self._run("DELETE FROM here_stop")

    def _lift(self) -> None:
        """Lift what an import had stopped and the file says does not stand, or stands in its accounts again."""
        lifted = f"""
            lifted_us IS NULL AND source = 'import' AND phone IS NULL AND channel IS NULL
            AND person IN (SELECT person FROM here_debt)
            AND ((kind = 'withdrawn' AND debt IN (SELECT debt FROM here_debt WHERE old_state = 'withdrawn'))
                OR (kind <> 'paid' AND EXISTS (
                    SELECT 1 FROM here_debt x JOIN {S}.stop s ON s."row" = x."row"
                    WHERE NOT s.stands AND x.person = stop.person AND s.kind = stop.kind
                    AND coalesce(stop.debt, 0) = CASE WHEN s.of_debt THEN x.debt ELSE 0 END)))
        """
        self._run(f"""
            INSERT INTO history (event_us, known_us, person, debts, event, detail)
            SELECT :at_us, :at_us, person, coalesce(CAST(debt AS TEXT), ''), 'stop_lifted', kind
            FROM stop WHERE {lifted}
        """)
        self._run(f"UPDATE stop SET lifted_us = :at_us WHERE {lifted}")

    def _consents(self) -> None:
        given = f"""
            FROM here_debt x JOIN {S}.consent s ON s."row" = x."row" WHERE TRUE GROUP BY x.person, s.kind, s.channel
        """
        self._run(f"""
            INSERT INTO history (event_us, known_us, person, event, detail)
            SELECT :at_us, :at_us, q.person, 'consent', q.kind FROM (SELECT x.person, s.kind, s.channel {given}) q
            WHERE NOT EXISTS (SELECT 1 FROM consent t WHERE t.person = q.person AND t.kind = q.kind
                AND coalesce(t.channel, '') = coalesce(q.channel, '') AND t.phone IS NULL AND t.revoked_us IS NULL)
        """)
        self._run(f"""
            INSERT INTO consent (person, kind, channel, event_us, known_us, until_us, source)
            SELECT x.person, s.kind, s.channel, :at_us, :at_us, {consent_until()}, 'import' {given}
            ON CONFLICT (person, kind, coalesce(channel, ''), coalesce(phone, 0)) WHERE revoked_us IS NULL
            DO UPDATE SET until_us = excluded.until_us WHERE consent.until_us {{differs}} excluded.until_us
        """)

    def _contacts(self) -> None:
        # One attempt told by two accounts is one; it then counts on every debt.
        self._run(f"""
            INSERT INTO history (event_us, known_us, person, debts, phone, creditor, channel, event, detail)
            SELECT k.event_us, :at_us, x.person,
                CASE WHEN min(x.debt) = max(x.debt) THEN CAST(min(x.debt) AS TEXT) ELSE '' END,
                f.id, CASE WHEN min(x.creditor) = max(x.creditor) THEN min(x.creditor) END, k.channel, k.event, 'import'
            FROM here_debt x JOIN {S}.contact k ON k."row" = x."row" LEFT JOIN phone f ON f.e164 = k.e164
            WHERE NOT EXISTS (SELECT 1 FROM history y WHERE y.person = x.person AND y.event_us = k.event_us
                AND y.event = k.event AND y.channel = k.channel AND y.attempt IS NULL
                AND NOT (y.phone {{differs}} f.id))
            GROUP BY x.person, k.event_us, k.channel, k.event, f.id
        """)

    def _run(self, sql: str, **values: object) -> int:
        if ":at_us" in sql:
            values["at_us"] = self._landing.at_us
        if ":file" in sql:
            values["file"] = self._landing.file
        return self._stage.execute(sql, **values).rowcount
