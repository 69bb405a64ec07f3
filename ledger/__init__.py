"""The system of record: portfolio, journal, reservations, history; on SQLite, on PostgreSQL, or in memory."""

from ledger.store import SqlLedger, open_ledger

__all__ = ["SqlLedger", "open_ledger"]
