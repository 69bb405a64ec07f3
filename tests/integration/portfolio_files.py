"""Files of accounts for the import's tests, and the ledger's content to compare."""

import csv
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from sqlalchemy import select

from compliance.numbers import address_zones, describe
from domain.calls import Mode
from domain.instants import DAY, parse
from domain.orders import Reserve
from domain.people import Dossier, Verdict
from ledger.portfolio import ImportReport, import_portfolio
from ledger.schema import import_file, metadata
from ledger.store import SqlLedger

NOW = parse("2026-11-18T15:30:00Z")
TOMORROW = NOW + DAY


def row(account: str = "A1", **cells: str) -> dict[str, str]:
    """Return a row with all that is needed and nothing more."""
    return {
        "creditor": "Banco",
        "account": account,
        "person": f"P-{account}",
        "name": "María García",
        "phone": "600 123 456",
        "country": "ES",
        "balance": "120.50",
        "currency": "EUR",
    } | cells


def write(path: Path, rows: Iterable[Mapping[str, str]], delimiter: str = ",") -> Path:
    listed = list(rows)
    header = list(dict.fromkeys(title for one in listed for title in one))
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, header, restval="", delimiter=delimiter)
        writer.writeheader()
        writer.writerows(listed)
    return path


def bring(ledger: SqlLedger, path: Path, at_us: int = NOW, **options: Any) -> ImportReport:
    """Import a file; nothing is refused for its share of rejects unless the test says so."""
    options = {"max_reject_share": 1.0} | options
    return import_portfolio(ledger, path, describe=describe, address_zones=address_zones, at_us=at_us, **options)


def content(ledger: SqlLedger) -> dict[str, list[tuple[Any, ...]]]:
    """Return every row of every table but those about the files themselves."""
    with ledger.reading() as connection:
        return {
            table.name: sorted((tuple(one) for one in connection.execute(select(table))), key=repr)
            for table in metadata.sorted_tables
            if table is not import_file
        }


def rejects(path: Path) -> list[dict[str, str]]:
    with path.with_name(f"{path.name}.rejects.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def reserve(of: Dossier) -> Reserve:
    """Return the order by which another campaign reserves a call to a person."""
    return Reserve(
        call_id="other-1",
        campaign="spring",
        person=of.person,
        debts=tuple(one.debt for one in of.debts),
        phone=of.phones[0].phone,
        keys=of.keys,
        mode=Mode.progressive,
        verdict=Verdict(allowed=True),
        node="main",
        trunk="trunk",
        caller_id="+34910000000",
        ordinal=1,
    )
