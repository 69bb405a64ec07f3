"""Alembic migrations of the ledger; run by `open_ledger`, never by hand."""
