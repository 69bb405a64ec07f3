"""Compare and bump: whoever judged an older state is told the new one, and nobody is called twice."""

import json
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from msgspec.structs import replace
from sqlalchemy import event

from compliance.packs import SHIPPED
from domain.calls import Disposition
from domain.errors import Broken
from domain.events import Reserved, Stale
from domain.instants import DAY, HOUR
from domain.people import CapKey, ContactEvent, PastContact, Phone
from ledger.reservations import announce, bump
from ledger.standing import put_stops
from ledger.store import SqlLedger, open_ledger
from tests.integration.ledger.scribe import NOW, Scribe, person, reserve, settle, touch


def test_granted_once_per_version(ledger: SqlLedger) -> None:
    one = person(1)
    settle(ledger, [one])
    north, south = Scribe("north"), Scribe("south")
    (first,) = ledger.append(north.reserve(one))
    assert first == Reserved(at_us=north.at_us, call_id="north-1", keys=(CapKey("person:1", 1), CapKey("phone:10", 1)))
    (second,) = ledger.append(south.reserve(one))
    assert isinstance(second, Stale)
    assert second.dossier.keys == first.keys
    assert second.dossier.history == (
        PastContact(
            at_us=north.at_us,
            event=ContactEvent.dialed,
            phone=10,
            creditor=1,
            debts=(100,),
            attempt="north-1",
        ),
    )
    # Judged again on what it was told, it may go.
    (third,) = ledger.append(south.reserve(second.dossier))
    assert isinstance(third, Reserved)


def test_two_of_one_batch_on_one_key(ledger: SqlLedger) -> None:
    one, two = person(1, home=7), person(2, home=7)
    settle(ledger, [one, two])
    scribe = Scribe()
    answers = ledger.append(scribe.reserve(one) + scribe.reserve(two) + scribe.reserve(one))
    assert [type(answer) for answer in answers] == [Reserved, Stale, Stale]
    assert isinstance(answers[1], Stale)
    assert answers[1].dossier.keys == (CapKey("household:7", 1), CapKey("person:2", 0), CapKey("phone:20", 0))
    # The engine counts its own bumps: two rows of one batch may follow each other on one person.
    fresh = ledger.dossiers([2])[0]
    assert fresh.keys == answers[1].dossier.keys
    closing = scribe.reserve(fresh) + scribe.closed(scribe.next_id, two, Disposition.busy)
    assert isinstance(ledger.append(closing)[0], Reserved)


def test_who_bumps(ledger: SqlLedger) -> None:
    one = person(1, home=7, n_phones=2)
    settle(ledger, [one])
    scribe = Scribe()

    def versions() -> dict[str, int]:
        return {cap.key: cap.version for cap in ledger.dossiers([1])[0].keys}

    (answer,) = ledger.append(scribe.reserve(one))
    assert versions() == {"person:1": 1, "household:7": 1, "phone:10": 1, "phone:11": 0}
    assert isinstance(answer, Reserved)
    ledger.append(scribe.dialled(answer, one) + scribe.ringing(answer.call_id))
    assert versions()["person:1"] == 1
    ledger.append(scribe.closed(answer.call_id, one, Disposition.no_answer))
    assert versions() == {"person:1": 2, "household:7": 2, "phone:10": 2, "phone:11": 0}
    # Never dialled: counts against no cap, and is no news.
    (answer,) = ledger.append(scribe.reserve(ledger.dossiers([1])[0]))
    ledger.append(scribe.closed(answer.call_id, one, Disposition.not_sent))
    assert versions() == {"person:1": 3, "household:7": 3, "phone:10": 3, "phone:11": 0}
    assert [line.event for line in ledger.dossiers([1])[0].history] == [ContactEvent.no_answer]


def test_a_granted_call_may_end_in_its_own_batch(ledger: SqlLedger) -> None:
    one = person(1)
    settle(ledger, [one])
    scribe = Scribe()
    call_id = scribe.next_id
    ledger.append(scribe.reserve(one) + scribe.closed(call_id, one, Disposition.busy))
    (fresh,) = ledger.dossiers([1])
    assert {cap.version for cap in fresh.keys} == {2}
    again = scribe.reserve(fresh) + scribe.reserve(one)
    assert [type(answer) for answer in ledger.append(again)] == [Reserved, Stale]


def test_a_stale_call_leaves_nothing_but_its_rows(ledger: SqlLedger) -> None:
    one = person(1)
    settle(ledger, [one])
    scribe = Scribe()
    ledger.append(scribe.reserve(one))
    (answer,) = ledger.append(scribe.reserve(one))
    assert isinstance(answer, Stale)
    ledger.append(scribe.closed(answer.call_id, one, Disposition.stale))
    assert ledger.dossiers([1])[0] == answer.dossier


def test_other_writers_make_it_stale_and_are_heard(ledger: SqlLedger) -> None:
    people = [person(1), person(2)]
    settle(ledger, people)
    scribe = Scribe()
    cursor = ledger.change_cursor()
    touch(ledger, [2, 2])
    answers = ledger.append(scribe.reserve(people[0]) + scribe.reserve(people[1]))
    assert [type(answer) for answer in answers] == [Reserved, Stale]
    ledger.append(scribe.closed(answers[0].call_id, people[0], Disposition.busy))
    after, persons = ledger.changes(cursor, "floor")
    assert persons == [2]
    assert ledger.changes(after, "floor") == (after, [])
    assert ledger.changes(cursor, "north") == (after, [2, 1])
    assert ledger.changes(cursor, "north", limit=1) == (after - 1, [2])


def test_contacts_of_no_floor(ledger: SqlLedger) -> None:
    people = [person(1), person(2)]
    settle(ledger, people)
    scribe = Scribe()
    ledger.append(scribe.opened())
    answers = ledger.reserve([reserve(people[0], "hand-1"), reserve(people[0], "hand-2")], NOW)
    assert [type(answer) for answer in answers] == [Reserved, Stale]
    assert [answer.at_us for answer in answers] == [NOW, NOW]
    # The floor is told, and its own judgement is too old.
    assert ledger.changes(0, "floor")[1] == [1]
    answers = ledger.append(scribe.reserve(people[0]) + scribe.reserve(people[1]))
    assert [type(answer) for answer in answers] == [Stale, Reserved]
    # It holds a key at the version before the bump: refused.
    assert isinstance(ledger.reserve([reserve(people[1], "hand-3")], NOW)[0], Stale)


def test_somebody_unknown_cannot_be_reserved_stale(ledger: SqlLedger) -> None:
    scribe = Scribe()
    stranger = person(9)
    ledger.append(scribe.reserve(stranger))
    with pytest.raises(Broken, match="person 9 is not in the ledger"):
        ledger.append(scribe.reserve(stranger))


#: Reserves people 1…n, each in a batch of its own, and prints whom it got.
RACER = """
import json, sys
sys.path[:0] = {path!r}
from tests.integration.ledger.scribe import Scribe, person
from domain.events import Reserved
from ledger.store import open_ledger
ledger = open_ledger({url!r}, patience_s=60)
scribe = Scribe({stream!r})
print("ready", flush=True)
sys.stdin.readline()
got = []
for number in range(1, {n} + 1):
    (answer,) = ledger.append(scribe.reserve(person(number, home=number // 2)))
    if isinstance(answer, Reserved):
        got.append(number)
print(json.dumps(got))
"""


def test_of_several_processes_one_gets_each_person(ledger_url: str) -> None:
    n = 24
    with open_ledger(ledger_url) as ledger:
        settle(ledger, [person(number, home=number // 2) for number in range(1, n + 1)])
    path = [str(Path(__file__).parent), str(Path(__file__).parents[3])]
    racers = [
        subprocess.Popen(
            [sys.executable, "-c", RACER.format(path=path, url=ledger_url, stream=stream, n=n)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for stream in ("north", "south", "west")
    ]
    for racer in racers:
        assert racer.stdout is not None
        assert racer.stdout.readline() == "ready\n"
    got = [json.loads(racer.communicate("go\n", timeout=120)[0].splitlines()[-1]) for racer in racers]
    assert [racer.returncode for racer in racers] == [0, 0, 0]
    homes = Counter(number // 2 for one in got for number in one)
    assert homes == dict.fromkeys(range(n // 2 + 1), 1)
    with open_ledger(ledger_url) as ledger:
        assert [one.broken for one in ledger.verify()] == ["", "", ""]
        fresh = ledger.dossiers(range(1, n + 1))
        held = {cap.key: cap.version for one in fresh for cap in one.keys}
        assert {version for key, version in held.items() if key.startswith("household:")} == {1}
        assert sum(version for key, version in held.items() if key.startswith("person:")) == n // 2 + 1


@pytest.mark.parametrize("refused", [False, True])
def test_who_reads_while_others_write_is_reserved_on_no_more_than_was_read(ledger_url: str, refused: bool) -> None:
    """Others commit between any two statements of a reading, or of a refusal, which reads as well."""
    if refused and ledger_url.startswith("sqlite"):
        pytest.skip("SQLite: nobody else writes within a transaction")
    answers: list[type] = []
    with open_ledger(ledger_url) as ledger, open_ledger(ledger_url) as other:
        while (answer := overtaken(ledger, other, len(answers) + 1, refused)) is not None:
            answers.append(answer)
    # What came before the first statement was read, what came before the last one not.
    assert len(answers) > 5
    assert {*answers} == {Reserved, Stale}


def overtaken(ledger: SqlLedger, other: SqlLedger, statement: int, refused: bool) -> type | None:
    """Return how who was read while others wrote before a statement is answered; None: there are fewer statements."""
    ours, mate, sharer = 3 * statement, 3 * statement + 1, 3 * statement + 2
    one, two = person(ours, home=statement, n_phones=2), person(mate, home=statement)
    number = one.phones[1]
    three = person(sharer, phones=(number,))
    three = replace(three, keys=(CapKey(f"person:{sharer}", 0), CapKey(f"phone:{number.phone}", 0)))
    settle(ledger, [one, two, three])
    # Whoever refuses has locked the person and the household.
    writers = [sharer] if refused else [mate, sharer]
    counted = 0

    def count(*_: object) -> None:
        nonlocal counted
        counted += 1
        if counted == statement:
            orders = [reserve(by_hand, f"by hand {by_hand.person}") for by_hand in other.dossiers(writers)]
            assert {*map(type, other.reserve(orders, NOW))} == {Reserved}
            if not refused:
                stop = {"person": ours, "kind": "attorney", "debt": None, "phone": None, "until_us": None}
                with other.writing() as connection:
                    bump(connection, [f"person:{ours}"])
                    put_stops(connection, [stop | {"event_us": NOW, "known_us": NOW, "source": "import"}])
                    announce(connection, [ours], NOW)

    touch(ledger, [ours])
    event.listen(ledger._database.engine, "before_cursor_execute", count)
    if refused:
        (stale,) = ledger.reserve([reserve(one, f"refused {ours}")], NOW)
        assert isinstance(stale, Stale)
        read = stale.dossier
    else:
        (read,) = ledger.dossiers([ours])
    event.remove(ledger._database.engine, "before_cursor_execute", count)
    if counted < statement:
        return None
    (now,) = ledger.dossiers([ours])
    assert len(now.others) == len(writers)
    (answer,) = ledger.reserve([reserve(read, f"ours {ours}", phone=number.phone)], NOW)
    assert isinstance(answer, Stale) or read == now
    return type(answer)


#: Calls one person again and again, as the gate allows; prints how often it was granted.
CALLER = """
import json, sys
from pathlib import Path
sys.path[:0] = {path!r}
from compliance.gate import Gate
from domain.events import Reserved
from ledger.store import open_ledger
from tests.integration.ledger.scribe import reserve
gate, ledger = Gate.load(Path({rules!r})), open_ledger({url!r}, patience_s=60)
(one,) = ledger.dossiers([{person}])
print("ready", flush=True)
sys.stdin.readline()
got = 0
for turn in range(40):
    phone = one.phones[0]
    verdict = gate.judge(one, at_us={at_us}, phone=phone, debts=(), actor="third_party", purpose="collection")
    if not verdict.allowed:
        break
    (answer,) = ledger.reserve([reserve(one, f"hand{person}-{{turn}}")], {at_us})
    got += isinstance(answer, Reserved)
    (one,) = [answer.dossier] if not isinstance(answer, Reserved) else ledger.dossiers([{person}])
print(json.dumps([got, verdict.rule]))
"""
AT_US = NOW + 4 * HOUR


def test_two_processes_call_a_couple_and_whoever_shares_a_number_as_the_law_counts_them(
    ledger_url: str, tmp_path: Path
) -> None:
    for name in ("house.toml", "timezones.toml"):
        shutil.copy(SHIPPED / name, tmp_path)
    invented = (Path(__file__).parents[2] / "property" / "invented.toml").read_text()
    # Of the invented country only the hours, and a row that counts by number.
    head, rows = invented.split("[[jurisdiction.BR.caps]]", 1)
    by_number = next(row for row in rows.split("[[") if 'id = "BR.phone"' in row)
    (tmp_path / "br.toml").write_text(f"{head}[[{by_number}")
    missed = PastContact(at_us=AT_US - 2 * DAY, event=ContactEvent.no_answer, phone=10, debts=(100,))
    washington = {"country": "US", "region": "WA", "address_zones": ("America/Los_Angeles",)}
    brazil = {"country": "BR", "region": "SP", "address_zones": ("America/Sao_Paulo",)}
    shared = (Phone(phone=77, country="BR", line_type="mobile"),)
    people = [
        person(1, home=7, history=(missed, missed), **washington),
        person(2, home=7, **washington),
        person(3, phones=shared, **brazil),
        person(4, phones=shared, **brazil),
    ]
    people[2:] = [replace(one, keys=(CapKey(f"person:{one.person}", 0), CapKey("phone:77", 0))) for one in people[2:]]
    with open_ledger(ledger_url) as ledger:
        settle(ledger, people)
    path = [str(Path(__file__).parent), str(Path(__file__).parents[3])]
    callers = [
        subprocess.Popen(
            [
                *(sys.executable, "-c"),
                CALLER.format(path=path, url=ledger_url, rules=str(rules), person=number, at_us=AT_US),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for number, rules in ((1, SHIPPED), (2, SHIPPED), (3, tmp_path), (4, tmp_path))
    ]
    for caller in callers:
        assert caller.stdout is not None
        assert caller.stdout.readline() == "ready\n"
    for caller in callers:
        assert caller.stdin is not None
        caller.stdin.write("go\n")
        caller.stdin.flush()
    told = [json.loads(caller.communicate(timeout=120)[0].splitlines()[-1]) for caller in callers]
    # Three a week for the couple, two of which were before; whoever was called rests by another rule still longer.
    assert told[0][0] + told[1][0] == 1
    assert [rule for got, rule in told[:2] if not got] == ["WA.3week"]
    assert told[2][0] + told[3][0] == 2
    assert [rule for _, rule in told[2:]] == ["BR.phone", "BR.phone"]
    with open_ledger(ledger_url) as ledger:
        for one in ledger.dossiers([1, 2, 3, 4]):
            assert {line.of for line in one.others} <= {"household" if one.person < 3 else "phone"}
            assert len(one.history) + len(one.others) == (3 if one.person < 3 else 2)
