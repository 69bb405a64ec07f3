"""What is left of the calls of a week: the gate itself, asked call after call, refuses none that was left."""

from random import Random
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from compliance.columns import columns_of
from compliance.gate import Gate
from compliance.mask import Left, callable_mask, calls_left
from compliance.packs import Packs
from compliance.rows import Span
from domain.instants import HOUR, MINUTE
from domain.people import ContactEvent, Dossier, PastContact
from tests.property.test_gate_laws import GATES, instants
from tests.property.test_mask_laws import rows_changed, someone, weeks

ASKED: dict[str, Any] = {"actor": "third_party", "purpose": "collection", "live_agent_guaranteed": False}
MOST = 3


def crowd(chance: Random, at_us: int, n: int) -> list[Dossier]:
    """Return debtors whom nothing closes but what is counted."""
    people = [someone(chance, person, at_us) for person in range(n)]
    phones = [tuple(replace(phone, registers=()) for phone in one.phones) for one in people]
    return [replace(one, stops=(), phones=some) for one, some in zip(people, phones, strict=True)]


def of_long_spans(packs: Packs, chance: Random) -> Packs:
    """Keep the caps alone, over spans longer than the slots reach."""
    spans = [Span(type="rolling_days", n=9), Span(type="rolling_hours", n=11 * 24), Span(type="rolling_days", n=30)]
    tables = {}
    for code, one in packs.jurisdictions.items():
        caps = tuple(replace(row, window=chance.choice(spans)) for row in one.caps if row.counts != "distinct_channels")
        tables[code] = replace(one, caps=caps, cooldowns=())
    return replace(packs, jurisdictions=tables)


def left_of(gate: Gate, people: list[Dossier], phones: list[int], slots: list[int]) -> Left:
    columns, starts, of = columns_of(people), np.array(slots, np.int64), np.array(phones, np.int32)
    found = calls_left(gate, columns, starts, MOST, phones=of, **ASKED)
    mask = callable_mask(gate, columns, starts, phones=of, **ASKED)
    assert np.array_equal(found.calls > 0, mask)
    assert (found.after <= np.arange(len(slots))).all()
    return found


def judged(gate: Gate, one: Dossier, phone: int, slot_us: int) -> bool:
    verdict = gate.judge(one, at_us=slot_us, phone=one.phones[phone], debts=(), **ASKED)
    return verdict.allowed and (verdict.valid_until_us or 0) >= slot_us + HOUR


def called(one: Dossier, phone: int, at_us: int) -> Dossier:
    line = PastContact(
        at_us=at_us, event=ContactEvent.no_answer, phone=one.phones[phone].phone, attempt="floor-9",
        debts=tuple(debt.debt for debt in one.debts), address_type=one.phones[phone].address_type,
    )  # fmt: skip
    return replace(one, history=(*one.history, line))


@given(instants, st.data())
def test_the_gate_refuses_no_call_that_was_left(at_us: int, data: st.DataObject) -> None:
    gate = Gate(data.draw(rows_changed(GATES["invented"].packs, at_us)))
    chance = Random(data.draw(st.integers(0, 1 << 32)))
    people = crowd(chance, at_us, 16)
    phones, slots = [chance.choice([0, 1]) for _ in people], data.draw(weeks(at_us))
    left = left_of(gate, people, phones, slots)
    per_day = 24 if len(slots) == 96 else 12
    for row, (phone, now) in enumerate(zip(phones, people, strict=True)):
        one, n, before = now, 0, -1
        for slot, start_us in enumerate(slots):
            if n == MOST or chance.random() < 0.7 or (before >= 0 and slot // per_day == before // per_day):
                continue
            if left.calls[row, slot] <= n or (n and left.after[row, slot] <= before):
                continue
            assert judged(gate, one, phone, start_us), (n, slot, one)
            one = called(one, phone, start_us + chance.randrange(60) * MINUTE)
            n, before = n + 1, slot


@given(instants, st.data())
def test_over_long_spans_what_is_not_left_the_gate_refuses(at_us: int, data: st.DataObject) -> None:
    chance = Random(data.draw(st.integers(0, 1 << 32)))
    gate = Gate(of_long_spans(data.draw(rows_changed(GATES["invented"].packs, at_us)), chance))
    people = crowd(chance, at_us, 12)
    phones, slots = [chance.choice([0, 1]) for _ in people], data.draw(weeks(at_us))
    left = left_of(gate, people, phones, slots)
    for row, (phone, now) in enumerate(zip(phones, people, strict=True)):
        one, n = now, 0
        for slot in sorted(chance.sample(range(len(slots)), 12)):
            if n == MOST:
                break
            may = judged(gate, one, phone, slots[slot])
            assert may == (left.calls[row, slot] > n), (n, slot, one)
            if may:
                one, n = called(one, phone, slots[slot] + chance.randrange(60) * MINUTE), n + 1
