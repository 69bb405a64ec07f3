"""What is appended is read back, once and whole; whatever is changed afterwards is found."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Connection, LargeBinary, delete, func, select, text, update

from domain.calls import Disposition
from domain.errors import Broken
from domain.events import Reserved
from domain.records import Row, encode
from ledger.chain import START, link
from ledger.schema import attempt, cap_key, history, journal, plan_chunk, stream
from ledger.store import SqlLedger
from tests.integration.ledger.scribe import NOW, SETTINGS, Scribe, person, settle

PEOPLE = [person(1), person(2)]


def told(ledger: SqlLedger, scribe: Scribe) -> list[Row]:
    """Append a floor's first minutes: a list, two calls, one of them closed; return the rows."""
    plan = ledger.make_plan(SETTINGS.campaigns[0], NOW, "Europe/Madrid")
    rows = scribe.opened()
    for event in ledger.plan_events(plan, "spring", NOW):
        rows += scribe.rows(event)
    ledger.append(rows)
    people = ledger.dossiers([1, 2])
    asked = scribe.reserve(people[0]) + scribe.reserve(people[1])
    first, second = ledger.append(asked)
    assert isinstance(first, Reserved)
    assert isinstance(second, Reserved)
    rest = scribe.dialled(first, PEOPLE[0]) + scribe.dialled(second, PEOPLE[1])
    rest += scribe.closed(first.call_id, PEOPLE[0], Disposition.busy)
    ledger.append(rest)
    return rows + asked + rest


def test_reads_what_was_appended(ledger: SqlLedger) -> None:
    settle(ledger, PEOPLE)
    rows = told(ledger, Scribe())
    other = told(ledger, Scribe("north"))
    found = list(ledger.read("floor"))
    assert found == rows
    assert [encode(row.record) for row in found] == [encode(row.record) for row in rows]
    assert list(ledger.read("floor", 7)) == rows[7:]
    assert list(ledger.read("north")) == other
    assert list(ledger.read("nowhere")) == []
    assert ledger.streams() == ["floor", "north"]
    assert [(one.stream, one.rows, one.broken) for one in ledger.verify()] == [
        ("floor", len(rows), ""),
        ("north", len(other), ""),
    ]


def test_chain_is_the_same_everywhere(ledger: SqlLedger) -> None:
    settle(ledger, PEOPLE)
    rows = told(ledger, Scribe())
    head = START
    for row in rows:
        head = link(head, row.stream, row.seq, row.at_us, row.campaign, row.kind, encode(row.record).decode())
    assert ledger.verify("floor")[0].head == head.hex()


def counts(ledger: SqlLedger) -> tuple[int, ...]:
    with ledger.reading() as connection:
        return tuple(
            connection.execute(query).scalar_one()
            for query in (
                select(func.count()).select_from(journal),
                select(func.count()).select_from(attempt),
                select(func.count()).select_from(history),
                select(func.sum(cap_key.c.version)),
            )
        )


def test_a_batch_sent_again_changes_nothing(ledger: SqlLedger) -> None:
    settle(ledger, PEOPLE)
    scribe = Scribe()
    ledger.append(scribe.opened())
    batch = scribe.reserve(PEOPLE[0]) + scribe.reserve(PEOPLE[0])
    answers = ledger.append(batch)
    before = counts(ledger)
    assert ledger.append(batch) == answers
    assert counts(ledger) == before
    # A batch of which half is on record already.
    third = scribe.reserve(PEOPLE[1])
    assert ledger.append(batch + third)[:2] == answers
    assert isinstance(ledger.append(third)[0], Reserved)
    assert list(ledger.read("floor", 2)) == batch + third


def test_a_gap_is_refused(ledger: SqlLedger) -> None:
    scribe = Scribe()
    ledger.append(scribe.opened())
    scribe.seq += 1
    with pytest.raises(Broken, match="rows are missing"):
        ledger.append(scribe.rows(SETTINGS_ORDER))


def test_other_content_under_a_number_is_refused(ledger: SqlLedger) -> None:
    first, second = Scribe(), Scribe(at_us=NOW + 1)
    ledger.append(first.opened())
    with pytest.raises(Broken, match="other content"):
        ledger.append(second.opened())


SETTINGS_ORDER = Scribe().opened()[1].record


# ---- tampering


TAMPERING: dict[str, Callable[[Connection, int], object]] = {
    "instant": lambda c, seq: c.execute(at(seq).values(at_us=journal.c.at_us + 1)),
    "campaign": lambda c, seq: c.execute(at(seq).values(campaign="other")),
    "no campaign": lambda c, seq: c.execute(at(seq).values(campaign=None)),
    "empty campaign": lambda c, seq: c.execute(at(seq).values(campaign="")),
    "kind": lambda c, seq: c.execute(at(seq).values(kind=journal.c.kind + "s")),
    "payload": lambda c, seq: c.execute(at(seq).values(payload=func.replace(journal.c.payload, "1", "2"))),
    "one more blank": lambda c, seq: c.execute(at(seq).values(payload=journal.c.payload + " ")),
    "hash": lambda c, seq: c.execute(at(seq).values(hash=bytes(32))),
    "row gone": lambda c, seq: c.execute(delete(journal).where(journal.c.seq == seq)),
}


def at(seq: int):  # type: ignore[no-untyped-def]
    return update(journal).where(journal.c.stream == "floor", journal.c.seq == seq)


@pytest.mark.parametrize("how", TAMPERING)
def test_whatever_is_changed_is_found(ledger: SqlLedger, how: str) -> None:
    settle(ledger, PEOPLE)
    rows = told(ledger, Scribe())
    assert ledger.verify("floor")[0].broken == ""
    for seq in (rows[-1].seq, 6, 4):  # each earlier than the last, so that each is the first broken row
        with ledger.writing() as connection:
            TAMPERING[how](connection, seq)
        found = ledger.verify("floor")[0]
        assert (found.broken_seq, found.rows) == (seq, seq - 1), f"row {seq}: {found}"


def test_a_cut_tail_is_found(ledger: SqlLedger) -> None:
    settle(ledger, PEOPLE)
    rows = told(ledger, Scribe())
    with ledger.writing() as connection:
        connection.execute(delete(journal).where(journal.c.seq > 5))
    found = ledger.verify("floor")[0]
    assert (found.rows, found.broken_seq) == (5, 6)
    assert str(len(rows)) in found.broken


def test_a_changed_list_is_found(ledger: SqlLedger) -> None:
    settle(ledger, PEOPLE)
    told(ledger, Scribe())
    with ledger.writing() as connection:
        connection.execute(update(plan_chunk).values(body=func.cast(b"no", LargeBinary)))
    found = ledger.verify("floor")[0]
    assert found.broken_seq == 3
    assert "chunk 0" in found.broken


ROW = st.tuples(
    st.text("abc_", min_size=1),
    st.integers(1, 10**6),
    st.integers(0, 2**60),
    st.none() | st.text("abc-", min_size=1),
    st.sampled_from(["Tick", "Reserve"]),
    st.text(st.characters(min_codepoint=32, exclude_categories=("Cs",))),
)


@given(ROW, ROW, st.binary(min_size=32, max_size=32))
def test_equal_hashes_only_for_equal_rows(one: tuple, other: tuple, previous: bytes) -> None:  # type: ignore[type-arg]
    assert (link(previous, *one) == link(previous, *other)) == (one == other)
    assert link(previous, *one) != link(START, *one) or previous == START


def test_an_erasure_leaves_the_chain_whole(ledger: SqlLedger) -> None:
    settle(ledger, PEOPLE)
    told(ledger, Scribe())
    with ledger.writing() as connection:
        connection.execute(text("UPDATE phone SET e164 = NULL WHERE id = 10"))
        connection.execute(text("UPDATE person SET name = NULL, street = NULL, erased_us = 1 WHERE id = 1"))
    assert ledger.verify("floor")[0].broken == ""
    assert ledger.numbers([10, 20]) == {20: "+34600000020"}
    with ledger.reading() as connection:
        payloads = connection.execute(select(journal.c.payload)).scalars().all()
        assert not [payload for payload in payloads if "+34600" in payload]
        assert connection.execute(select(stream.c.seq)).scalar_one() == len(payloads)
