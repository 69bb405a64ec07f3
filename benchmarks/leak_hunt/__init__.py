"""Leak hunt: random floors on shared ledgers, held against the law by a checker that trusts nothing of the engine."""
