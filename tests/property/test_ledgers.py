"""Whatever two floors and other writers do, in any order: the ledger in memory answers as the one on disk."""

import tempfile
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from domain.calls import Disposition
from domain.events import Reserved, Stale
from domain.people import Dossier
from domain.records import Row
from ledger.memory import MemoryLedger
from ledger.store import SqlLedger, open_ledger
from tests.integration.ledger.scribe import Scribe, person, reserve, settle, touch

#: Three people, two of one household; the third has two numbers.
PEOPLE = [person(1, home=7), person(2, home=7), person(3, n_phones=2)]
FLOORS = st.sampled_from(["north", "south"])
PERSONS = st.sampled_from([1, 2, 3])
ENDS = st.sampled_from([Disposition.busy, Disposition.not_sent, Disposition.wrong_party, Disposition.do_not_call])


class Ledgers(RuleBasedStateMachine):
    @initialize()
    def open(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        disk = open_ledger(f"sqlite:///{self.folder.name}/ledger.db")
        self.ledgers: list[SqlLedger] = [MemoryLedger(), disk]
        for ledger in self.ledgers:
            settle(ledger, PEOPLE)
        self.scribes = {name: Scribe(name) for name in ("north", "south")}
        #: What each floor believes of each person.
        self.known = {(name, one.person): one for name in self.scribes for one in PEOPLE}
        self.batches: dict[str, list[Row]] = {"north": [], "south": []}
        self.last: list[Row] = []
        self.running: dict[str, tuple[str, Dossier]] = {}
        self.cursor = 0

    def teardown(self) -> None:
        if hasattr(self, "folder"):
            for ledger in self.ledgers:
                ledger.close()
            self.folder.cleanup()

    # ---- a floor writes rows, and sends them now or later

    @rule(floor=FLOORS, number=PERSONS)
    def ask(self, floor: str, number: int) -> None:
        one, scribe = self.known[floor, number], self.scribes[floor]
        phone = one.phones[-1].phone
        self.batches[floor] += scribe.rows(reserve(one, scribe.next_id, phone=phone))

    @rule(data=st.data(), disposition=ENDS)
    def end(self, data: st.DataObject, disposition: Disposition) -> None:
        if self.running:
            call_id = data.draw(st.sampled_from(sorted(self.running)))
            floor, one = self.running.pop(call_id)
            self.batches[floor] += self.scribes[floor].closed(call_id, one, disposition)

    @rule(floor=FLOORS)
    def send(self, floor: str) -> None:
        batch, self.batches[floor] = self.batches[floor], []
        self.last = batch or self.last
        answers = self.agree(lambda ledger: ledger.append(batch))
        for answer in answers:
            if isinstance(answer, Stale):
                self.known[floor, answer.dossier.person] = answer.dossier
            else:
                assert isinstance(answer, Reserved)
                order = next(r.record for r in batch if getattr(r.record, "call_id", "") == answer.call_id)
                self.running[answer.call_id] = (floor, self.known[floor, order.person])  # type: ignore[union-attr]

    @rule()
    def send_again(self) -> None:
        if self.last:
            before = self.agree(lambda ledger: ledger.verify(self.last[0].stream))
            self.agree(lambda ledger: [type(answer) for answer in ledger.append(self.last)])
            assert self.agree(lambda ledger: ledger.verify(self.last[0].stream)) == before

    # ---- others write and read

    @rule(number=PERSONS)
    def write(self, number: int) -> None:
        self.agree(lambda ledger: touch(ledger, [number]))

    @rule(floor=FLOORS, number=PERSONS)
    def look(self, floor: str, number: int) -> None:
        (self.known[floor, number],) = self.agree(lambda ledger: ledger.dossiers([number]))

    @rule(floor=FLOORS)
    def hear(self, floor: str) -> None:
        self.cursor, _ = self.agree(lambda ledger: ledger.changes(self.cursor, floor))

    def agree(self, ask: Any) -> Any:
        memory, disk = (ask(ledger) for ledger in self.ledgers)
        assert memory == disk
        return disk

    @invariant()
    def versions_count_what_was_written(self) -> None:
        if hasattr(self, "ledgers"):
            memory = self.ledgers[0]
            assert isinstance(memory, MemoryLedger)
            told = {cap.key: cap.version for one in self.ledgers[1].dossiers([1, 2, 3]) for cap in one.keys}
            assert {key: memory._versions[key] for key in told} == told


TestLedgers = Ledgers.TestCase
TestLedgers.settings = settings(max_examples=25, stateful_step_count=25)
