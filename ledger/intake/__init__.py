"""How files become rows of the ledger: columns, cells, records, staging and landing."""
