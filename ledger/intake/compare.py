"""Compares what is staged with what the ledger holds: who is new, about whom the file says something new, who is gone.

Nothing of the ledger is written or locked here. What is found is only *who* has to land; landing looks again at each
value inside its own transaction, so nothing that happens in between is lost.
"""

import msgspec

from ledger.intake.stage import SCHEMA as S
from ledger.intake.stage import Stage

#: Columns of a person that a file may bring; a blank cell of a column empties it.
PERSON_COLUMNS = ("name", "region", "city", "postal_code", "street", "owner")
#: Columns of a debt that are taken as they stand.
DEBT_COLUMNS = ("product", "due_on", "rank")

#: Later kinds of news land after these: whether somebody may be contacted at all.
_FIRST, _LATER = 0, 1


class Given(msgspec.Struct, frozen=True, kw_only=True):
    """What the file speaks of; about the rest it says nothing, and the ledger keeps what it holds."""

    #: `accounts` or `attempts`.
    kind: str
    columns: frozenset[str]
    has_phones: bool
    #: Accounts of its creditors that are not in it are withdrawn.
    full: bool


class Found(msgspec.Struct, kw_only=True):
    """Counts."""

    repeated: int = 0
    added: int = 0
    changed: int = 0
    unchanged: int = 0
    withdrawn: int = 0
    new_people: int = 0
    touched_people: int = 0
    new_phones: int = 0
    #: What the operator should know.
    notes: list[str] = []


# ---- expressions shared with landing: `a` is the staged account, `d` the debt, `p` the person on record


def new_state() -> str:
    """Return the state of a known debt after the file: what was paid stays paid, whatever an older file says."""
    return "CASE WHEN d.state = 'paid' OR a.paid THEN 'paid' ELSE 'open' END"


def _kept(given: Given) -> str:
    """Return when a known debt keeps its balance: it was paid, or the file's balance is older than the ledger's."""
    if "balance_on" not in given.columns:
        return "d.state = 'paid'"
    older = "a.balance_us < (SELECT max(b.event_us) FROM balance_history b WHERE b.debt = d.id)"
    return f"(d.state = 'paid' OR (NOT a.paid AND a.balance_us IS NOT NULL AND {older}))"


def new_balance(given: Given) -> str:
    return f"CASE WHEN {_kept(given)} THEN d.balance_minor ELSE a.balance_minor END"


def new_currency(given: Given) -> str:
    return f"CASE WHEN {_kept(given)} THEN d.currency ELSE a.currency END"


def debt_differs(given: Given) -> str:
    """Return whether a known debt is not what the file says."""
    differing = [f"d.{column} {{differs}} a.{column}" for column in DEBT_COLUMNS if column in given.columns]
    return " OR ".join(
        (
            f"d.state <> {new_state()}",
            f"d.balance_minor <> {new_balance(given)}",
            f"d.currency <> {new_currency(given)}",
            *differing,
        )
    )


def person_values(given: Given) -> dict[str, str]:
    """Return what a file says of a known person: column → expression over `a` and its household `h`."""
    found = {"country": "a.country", "address_zones": "a.address_zones"}
    found |= {column: f"a.{column}" for column in PERSON_COLUMNS if column in given.columns}
    if "language" in given.columns:
        found["language"] = "a.language"
    if "household" in given.columns:
        found["household"] = "h.id"
    return found


def person_differs(given: Given) -> str:
    """Return whether a known person is not what the file says; a household that is to be made differs."""
    differing = [f"p.{column} {{differs}} {value}" for column, value in person_values(given).items()]
    if "household" in given.columns:
        differing.append("(a.household IS NOT NULL AND h.id IS NULL)")
    return " OR ".join(differing)


def consent_until() -> str:
    """Return the end of a consent that several rows `s` of a person give: the latest; no end is later than any."""
    return "CASE WHEN count(*) > count(s.until_us) THEN NULL ELSE max(s.until_us) END"


# ---- steps


def drop_repeated(stage: Stage) -> int:
    """Keep the first row of each account; reject later ones that contradict it, return how many only repeat it."""
    stage.index("account", "creditor", "account")
    stage.run(f"""
        INSERT INTO {S}.repeated
        SELECT b."row", f."row", a.digest = b.digest
        FROM (SELECT creditor, account, min("row") AS "row" FROM {S}.account
              GROUP BY creditor, account HAVING count(*) > 1) f
        JOIN {S}.account a ON a."row" = f."row"
        JOIN {S}.account b ON b.creditor = f.creditor AND b.account = f.account AND b."row" > f."row"
    """)
    stage.run(f"""
        INSERT INTO {S}.reject
        SELECT r."row", 'account', a.account,
            'row ' || CAST(r.first AS TEXT) || ' has the same account with other content: keep one of the two',
            NULL, a.creditor, a.account, TRUE
        FROM {S}.repeated r JOIN {S}.account a ON a."row" = r."row" WHERE NOT r.same
    """)
    for table in ("account", "number", "stop", "consent", "contact"):
        stage.run(f'DELETE FROM {S}.{table} WHERE "row" IN (SELECT "row" FROM {S}.repeated)')
    return stage.scalar(f"SELECT count(*) FROM {S}.repeated WHERE same")


def find_accounts(stage: Stage) -> None:
    """Find the accounts that rows of prior attempts name; reject those that cannot be told."""
    stage.run(f"""
        INSERT INTO {S}.known_debt
        SELECT r."row", min(d.id), min(d.person), FALSE
        FROM {S}.prior r JOIN creditor c ON r.creditor IS NULL OR c.name = r.creditor
        JOIN debt d ON d.creditor = c.id AND d.account = r.account
        GROUP BY r."row" HAVING count(*) = 1
    """)
    stage.run(f"""
        INSERT INTO {S}.reject
        SELECT r."row", 'account', r.account,
            CASE WHEN EXISTS (SELECT 1 FROM creditor c JOIN debt d ON d.creditor = c.id AND d.account = r.account)
            THEN 'several creditors have this account, or not this one: name its creditor as the accounts do'
            ELSE 'the ledger has no such account: import the accounts first, or correct it' END,
            NULL, r.creditor, r.account, TRUE
        FROM {S}.prior r WHERE r."row" NOT IN (SELECT "row" FROM {S}.known_debt)
    """)
    stage.run(f"""
        INSERT INTO {S}.contact
        SELECT r."row", r.event_us, r.channel, r.event, r.e164
        FROM {S}.prior r JOIN {S}.known_debt k ON k."row" = r."row"
    """)


def compare(stage: Stage, given: Given) -> Found:
    """Find who has to land, and in which order."""
    found = Found()
    stage.analyze()
    if given.kind == "accounts":
        found.repeated = drop_repeated(stage)
        _match(stage, given, found)
    else:
        find_accounts(stage)
    stage.analyze()
    _touch_contacts(stage)
    if given.kind == "accounts":
        _touch_stops(stage)
        _touch_consents(stage)
        _touch_debts(stage)
        _touch_people(stage, given)
        if given.has_phones:
            _touch_phones(stage)
    stage.run(f"""
        INSERT INTO {S}.missing (e164)
        SELECT e164 FROM (SELECT e164 FROM {S}.number UNION SELECT e164 FROM {S}.contact) n
        WHERE e164 IS NOT NULL AND NOT EXISTS (SELECT 1 FROM phone f WHERE f.e164 = n.e164)
        ORDER BY e164
    """)
    found.touched_people = stage.run(f"""
        INSERT INTO {S}.turn (ref, "row", person)
        SELECT p.ref, p."row", t.person FROM {S}.touched t LEFT JOIN {S}.people p ON p.person = t.person
        ORDER BY t.turn, t.person
    """)
    found.new_people = stage.run(f"""
        INSERT INTO {S}.turn (ref, "row", person)
        SELECT ref, "row", NULL FROM {S}.people WHERE person IS NULL ORDER BY "row"
    """)
    found.new_phones = stage.scalar(f"SELECT count(*) FROM {S}.missing")
    stage.analyze()
    return found


def _match(stage: Stage, given: Given, found: Found) -> None:
    """Find the accounts and people of the file that the ledger knows, and those that the file leaves out."""
    stage.index("account", "ref")
    stage.run(f"""
        INSERT INTO {S}.known_debt
        SELECT a."row", d.id, d.person, {debt_differs(given)}
        FROM {S}.account a JOIN creditor c ON c.name = a.creditor
        JOIN debt d ON d.creditor = c.id AND d.account = a.account
    """)
    stage.run(f"""
        INSERT INTO {S}.people (ref, "row", person)
        SELECT a.ref, max(a."row"), min(p.id) FROM {S}.account a LEFT JOIN person p ON p.ref = a.ref GROUP BY a.ref
    """)
    # A number that two rows of a person give is of the first.
    stage.run(f"""
        DELETE FROM {S}.number WHERE "row" IN (
            SELECT a."row" FROM (SELECT ref FROM {S}.account GROUP BY ref HAVING count(*) > 1) g
            JOIN {S}.account a ON a.ref = g.ref)
        AND EXISTS (
            SELECT 1 FROM {S}.account a JOIN {S}.account b ON b.ref = a.ref AND b."row" < a."row"
            JOIN {S}.number m ON m."row" = b."row" AND m.e164 = {S}.number.e164
            WHERE a."row" = {S}.number."row")
    """)
    unread = stage.scalar(f"SELECT count(*) FROM {S}.reject WHERE whole AND account IS NULL")
    if given.full and unread:
        found.notes.append(
            f"nothing was withdrawn: {unread} rejected rows do not say whose account they are; correct them and import "
            "the full file again"
        )
    elif given.full:
        found.withdrawn = stage.run(f"""
            INSERT INTO {S}.withdrawal
            SELECT d.id, d.person FROM debt d JOIN creditor c ON c.id = d.creditor
            WHERE d.state = 'open' AND c.name IN (SELECT creditor FROM {S}.account)
            AND NOT EXISTS (SELECT 1 FROM {S}.account a WHERE a.creditor = c.name AND a.account = d.account)
            AND NOT EXISTS (SELECT 1 FROM {S}.reject r
                            WHERE r.account = d.account AND (r.creditor = c.name OR r.creditor IS NULL))
        """)
    n_known = stage.scalar(f"SELECT count(*) FROM {S}.known_debt")
    found.added = stage.scalar(f"SELECT count(*) FROM {S}.account") - n_known
    found.changed = stage.scalar(f"SELECT count(*) FROM {S}.known_debt WHERE changed")
    found.unchanged = n_known - found.changed


def _touch(stage: Stage, turn: int, persons: str, **values: object) -> None:
    """Note the people that a query gives."""
    stage.run(
        f"INSERT INTO {S}.touched SELECT q.person, {turn} FROM ({persons}) q "
        "WHERE q.person IS NOT NULL GROUP BY q.person ON CONFLICT (person) DO NOTHING",
        **values,
    )


def _touch_stops(stage: Stage) -> None:
    _touch(stage, _FIRST, f"SELECT person FROM {S}.withdrawal")
    standing = """
        EXISTS (SELECT 1 FROM stop t WHERE t.person = p.person AND t.kind = s.kind AND t.lifted_us IS NULL
                AND t.phone IS NULL AND coalesce(t.debt, 0) = CASE WHEN s.of_debt THEN k.debt ELSE 0 END {more})
    """
    known = f"""
        SELECT p.person FROM {S}.stop s JOIN {S}.account a ON a."row" = s."row" JOIN {S}.people p ON p.ref = a.ref
        LEFT JOIN {S}.known_debt k ON k."row" = s."row" WHERE p.person IS NOT NULL
    """
    _touch(stage, _FIRST, f"{known} AND s.stands AND NOT {standing.format(more='')}")
    imported = standing.format(more="AND t.source = 'import'")
    _touch(stage, _LATER, f"{known} AND NOT s.stands AND s.kind <> 'paid' AND {imported}")


def _touch_debts(stage: Stage) -> None:
    paid = f"""
        SELECT k.person FROM {S}.known_debt k JOIN {S}.account a ON a."row" = k."row" WHERE k.changed AND a.paid
    """
    _touch(stage, _FIRST, paid)
    # Of the person who has the account and of the one who gets it.
    differing = f"""
        SELECT k.person FROM {S}.known_debt k
        JOIN {S}.account a ON a."row" = k."row" JOIN {S}.people p ON p.ref = a.ref
        WHERE k.changed OR p.person IS NULL OR p.person <> k.person
        UNION ALL
        SELECT p.person FROM {S}.people p JOIN {S}.account a ON a.ref = p.ref
        LEFT JOIN {S}.known_debt k ON k."row" = a."row"
        WHERE p.person IS NOT NULL AND (k.debt IS NULL OR k.changed OR k.person <> p.person)
    """
    _touch(stage, _LATER, differing)


def _touch_people(stage: Stage, given: Given) -> None:
    _touch(stage, _LATER, f"""
        SELECT o.person FROM {S}.people o JOIN person p ON p.id = o.person
        JOIN {S}.account a ON a."row" = o."row" LEFT JOIN household h ON h.ref = a.household
        WHERE {person_differs(given)}
    """)  # fmt: skip


def _touch_phones(stage: Stage) -> None:
    _touch(stage, _LATER, f"""
        SELECT o.person FROM {S}.people o JOIN {S}.account a ON a.ref = o.ref JOIN {S}.number n ON n."row" = a."row"
        LEFT JOIN phone f ON f.e164 = n.e164
        LEFT JOIN person_phone l ON l.person = o.person AND l.phone = f.id
        WHERE o.person IS NOT NULL AND (l.phone IS NULL OR l.rank <> n.place OR l.status = 'withdrawn')
    """)  # fmt: skip
    _touch(stage, _LATER, f"""
        SELECT o.person FROM {S}.people o JOIN person_phone l ON l.person = o.person JOIN phone f ON f.id = l.phone
        WHERE l.source = 'import' AND l.status = 'usable'
        AND NOT EXISTS (SELECT 1 FROM {S}.account a JOIN {S}.number n ON n."row" = a."row"
                        WHERE a.ref = o.ref AND n.e164 = f.e164)
        AND NOT EXISTS (SELECT 1 FROM debt d WHERE d.person = o.person AND d.state = 'open'
                        AND NOT EXISTS (SELECT 1 FROM {S}.account a JOIN {S}.known_debt k ON k."row" = a."row"
                                        WHERE a.ref = o.ref AND k.debt = d.id))
    """)  # fmt: skip


def _touch_consents(stage: Stage) -> None:
    _touch(stage, _LATER, f"""
        SELECT g.person FROM (
            SELECT p.person, s.kind, s.channel, {consent_until()} AS until_us
            FROM {S}.consent s JOIN {S}.account a ON a."row" = s."row" JOIN {S}.people p ON p.ref = a.ref
            WHERE p.person IS NOT NULL GROUP BY p.person, s.kind, s.channel
        ) g
        WHERE NOT EXISTS (SELECT 1 FROM consent t WHERE t.person = g.person AND t.kind = g.kind AND t.phone IS NULL
                          AND coalesce(t.channel, '') = coalesce(g.channel, '') AND t.revoked_us IS NULL
                          AND NOT (t.until_us {{differs}} g.until_us))
    """)  # fmt: skip


def _touch_contacts(stage: Stage) -> None:
    """Note people with a prior attempt that the ledger has not; of any of their accounts, told once."""
    _touch(stage, _FIRST, f"""
        SELECT k.person FROM {S}.contact s JOIN {S}.known_debt k ON k."row" = s."row"
        LEFT JOIN phone f ON f.e164 = s.e164
        WHERE NOT EXISTS (SELECT 1 FROM history y WHERE y.person = k.person AND y.event_us = s.event_us
                          AND y.event = s.event AND y.channel = s.channel AND y.attempt IS NULL
                          AND NOT (y.phone {{differs}} f.id))
    """)  # fmt: skip
