"""From the tables of a ledger to the mask of a week."""

import numpy as np

from benchmarks.debtors import debtor
from compliance.columns import columns_of
from compliance.gate import Gate
from compliance.mask import callable_mask
from compliance.packs import SHIPPED
from domain.instants import HOUR, parse
from ledger.people import enroll
from ledger.store import SqlLedger

NOW = parse("2026-11-16T00:00:00Z")


def test_the_mask_of_what_is_on_record(ledger: SqlLedger) -> None:
    with ledger.writing() as connection:
        enroll(connection, [debtor(one, NOW) for one in range(60)], {}, NOW)
    persons = [one for one in range(59, -1, -1) if one != 7]
    people = ledger.dossiers(persons, NOW)
    assert list(ledger.each_dossier(iter(persons), NOW)) == people
    gate, slots = Gate.load(SHIPPED), NOW + 7 * HOUR + HOUR * np.arange(0, 7 * 24, 3)
    columns = columns_of(ledger.each_dossier(persons, NOW))
    assert columns.persons.tolist() == persons
    mask = callable_mask(gate, columns, slots, actor="third_party", purpose="collection")
    assert 0.2 < mask.mean() < 0.8
    for of, dossier in enumerate(people):
        for k, at_us in enumerate(slots.tolist()):
            verdict = gate.judge(
                dossier, at_us=at_us, phone=dossier.phones[0], debts=(), actor="third_party", purpose="collection"
            )
            assert mask[of, k] == (verdict.allowed and (verdict.valid_until_us or 0) >= at_us + HOUR)
