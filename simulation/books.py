"""A simulated month that leaves its record behind as a live one would: in a ledger, or as an export for models alone.

Payments are learned when the floor hears of them. An export without a ledger costs a fraction of the time, for a ledger
holds every row of the journal; both hold the same history, line by line.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import date
from pathlib import Path
from typing import Any, Final, NamedTuple

from msgspec.structs import replace
from sqlalchemy import Connection, bindparam, insert, update

from domain.errors import Broken
from domain.events import Disposed, LeadsLoaded, Reserved, Stale
from domain.facts import AttemptClosed
from domain.instants import DAY, midnight_us
from domain.orders import Reserve
from domain.people import COMPLAINT, Dossier, StopKind
from domain.records import Row
from ledger import decisions, plans
from ledger.parquet_own import DecisionsFile, HistoryFile, write_people
from ledger.people import enroll
from ledger.projections import Known, Projection
from ledger.reservations import bump
from ledger.schema import balance_history, debt, history, payment
from ledger.schema import plan as lists
from ledger.standing import put_stops
from ledger.store import SqlLedger
from simulation.callees import Callees
from simulation.chance import Chance
from simulation.month import Arm, Month, Plan
from simulation.outcome import Outcome
from simulation.population import Asked, Deed, Paid
from simulation.tape import Tape
from strategy.listing import Decision

#: Rows in one transaction, lines in one piece of a file.
_ROWS: Final = 20_000

Meets = Callable[[Callees, Chance], Callees]
Report = Callable[[str, int, int], None]


def _silent(_what: str, _done: int, _of: int) -> None:
    """Tell nobody."""


def book_month(
    arm: Arm, plan: Plan, seed: int, ledger: SqlLedger, meets: Meets | None = None, *, report: Report = _silent
) -> Outcome:
    """Run one arm through a plan with the luck of one seed, and leave all of it in a ledger.

    Parameters
    ----------
    ledger : SqlLedger
        Without people.
    meets : callable, optional
        As `simulation.run.SimulatedFloor` takes it.
    report : callable, optional
        Told what, how many days are written, of how many.

    Raises
    ------
    BadInput
        When nobody of the world is on any list.
    """
    start_us = _begins(arm, plan)

    def told(at_us: int) -> None:
        report("days", min((at_us - start_us) // DAY, plan.days), plan.days)

    books = Books(ledger, start_us, arm.floor.zone, told)
    found = Month(arm, plan, seed, books, meets=meets).month()
    books.flush()
    return found


def export_month(arm: Arm, plan: Plan, seed: int, folder: Path, meets: Meets | None = None) -> Outcome:
    """Run one arm through a plan with the luck of one seed, and write what models read of an export.

    Parameters
    ----------
    folder : Path
        Gets `history`, `decisions`, `debtors`, `numbers` and `debts`, as `ledger.parquet` writes them.

    Raises
    ------
    BadInput
        When nobody of the world is on any list.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with Annals(folder, _begins(arm, plan)) as annals:
        return Month(arm, plan, seed, annals, meets=meets).month()


def _begins(arm: Arm, plan: Plan) -> int:
    return midnight_us(date.fromisoformat(plan.start), arm.floor.zone)


class _Told(NamedTuple):
    """Rows that deeds write."""

    payments: list[dict[str, Any]]
    balances: list[dict[str, Any]]
    history: list[dict[str, Any]]
    stops: list[dict[str, Any]]
    #: By debt, what is left of it.
    debts: dict[int, dict[str, Any]]


class _Accounts:
    """What is owed, and the rows that tell how it came to that."""

    def __init__(self) -> None:
        #: Balance, currency and creditor of each debt.
        self._owed: dict[int, tuple[int, str, int]] = {}
        self._n_payments = 0

    def come(self, people: Iterable[Dossier], at_us: int) -> _Told:
        """Return what says that people's debts have come."""
        told = _Told([], [], [], [], {})
        for one in people:
            for owed in one.debts:
                self._owed[owed.debt] = owed.balance_minor, owed.currency, owed.creditor
                both = {"event_us": at_us, "known_us": at_us, "currency": owed.currency}
                told.history.append(
                    _BLANK
                    | both
                    | {
                        "person": one.person,
                        "debts": str(owed.debt),
                        "creditor": owed.creditor,
                        "event": "assigned",
                        "detail": owed.state,
                        "amount_minor": owed.balance_minor,
                    }
                )
                told.balances.append(
                    both
                    | {
                        "debt": owed.debt,
                        "balance_minor": owed.balance_minor,
                        "state": owed.state,
                        "why": "import",
                    }
                )
        return told

    def deeds(self, deeds: Iterable[Deed], known_us: int) -> _Told:
        """Return what says that people paid, asked for stops, and complained."""
        told = _Told([], [], [], [], {})
        for deed in deeds:
            if isinstance(deed, Paid):
                self._pay(deed, known_us, told)
            elif isinstance(deed, Asked):
                _stop(told, known_us, deed.person, deed.stop, deed.at_us, via=(deed.channel, deed.received))
            else:
                both = {"event_us": deed.at_us, "known_us": known_us, "person": deed.person}
                told.history.append(_BLANK | both | {"event": COMPLAINT, "detail": deed.about})
        return told

    def _pay(self, deed: Paid, known_us: int, told: _Told) -> None:
        balance, currency, creditor = self._owed[deed.debt]
        left = balance - deed.amount_minor
        self._owed[deed.debt] = left, currency, creditor
        self._n_payments += 1
        state = "open" if left else "paid"
        both = {"event_us": deed.at_us, "known_us": known_us, "currency": currency}
        told.payments.append(
            both
            | {
                "creditor": creditor,
                "reference": f"simulated {self._n_payments}",
                "debt": deed.debt,
                "amount_minor": deed.amount_minor,
            }
        )
        told.balances.append(both | {"debt": deed.debt, "balance_minor": left, "state": state, "why": "payment"})
        told.history.append(
            _BLANK
            | both
            | {
                "person": deed.person,
                "debts": str(deed.debt),
                "creditor": creditor,
                "event": "payment",
                "detail": "partial" if left else "full",
                "amount_minor": deed.amount_minor,
            }
        )
        told.debts[deed.debt] = {"after": left, "state_": state}
        if not left:
            _stop(told, known_us, deed.person, StopKind.paid, deed.at_us, debt_=deed.debt)


_BLANK: Final[dict[str, Any]] = {
    "amount_minor": None, "currency": None, "creditor": None, "debts": "", "detail": "", "phone": None,
    "campaign": None, "channel": None, "attempt": None, "due_on": None,
}  # fmt: skip
_DEBTS = (
    update(debt).where(debt.c.id == bindparam("of")).values(balance_minor=bindparam("after"), state=bindparam("state_"))
)


def _stop(
    told: _Told, known_us: int, person: int, kind: StopKind, event_us: int, *, debt_: int | None = None,
    via: tuple[str | None, str | None] = (None, None),
) -> None:  # fmt: skip
    both = {"event_us": event_us, "known_us": known_us}
    told.stops.append(
        both
        | {
            "person": person,
            "kind": kind,
            "debt": debt_,
            "phone": None,
            "channel": via[0],
            "until_us": None,
            "source": "payments" if kind is StopKind.paid else "import",
            "why": "",
            "received": via[1],
        }
    )
    told.history.append(
        _BLANK
        | both
        | {
            "person": person,
            "debts": "" if debt_ is None else str(debt_),
            "event": "stop",
            "detail": kind,
            "currency": None,
        }
    )


class Books(Tape):
    """A tape that copies what it answers, and what it hears, into a ledger."""

    def __init__(
        self, ledger: SqlLedger, start_us: int, zone: str = "UTC", told: Callable[[int], None] = lambda _at_us: None
    ) -> None:
        super().__init__()
        self._ledger = ledger
        self._zone = zone
        self._told = told
        #: By the name that the simulation gives a list, its number in the ledger.
        self._lists: dict[str, int] = {}
        self._start_us = start_us
        self._accounts = _Accounts()
        self._rows: list[Row] = []
        self._answers: list[Reserved | Stale] = []

    def meet(self, dossiers: Iterable[Dossier]) -> None:
        """Put people into the ledger, their debts having come when the world begins."""
        people = list(dossiers)
        super().meet(people)
        with self._ledger.writing() as connection:
            enroll(connection, people, {}, self._start_us)
            told = self._accounts.come(people, self._start_us)
            connection.execute(insert(history), told.history)
            connection.execute(insert(balance_history), told.balances)

    def append(self, rows: Sequence[Row]) -> tuple[Reserved | Stale, ...]:
        answers = super().append(rows)
        self._rows += [self._listed(row) if type(row.record) is LeadsLoaded else row for row in rows]
        self._answers += answers
        if len(self._rows) >= _ROWS:
            self.flush()
        return answers

    def _listed(self, row: Row) -> Row:
        """Keep a chunk of a list as a live floor's are kept, and return the row that says so."""
        load = row.record
        assert isinstance(load, LeadsLoaded)
        with self._ledger.writing() as connection:
            number = self._number(connection, load.plan, load.campaign, load.at_us)
            sha256 = plans.store(
                connection,
                number,
                load.chunk,
                plans.Body(load.leads, load.people, load.replaces, load.scores, load.learned),
            )
            more = {"leads": lists.c.leads + len(load.leads), "chunks": load.chunk + 1}
            connection.execute(update(lists).where(lists.c.number == number).values(more))
        return replace(row, record=replace(load, plan=f"{load.campaign}-{number}", sha256=sha256))

    def _number(self, connection: Connection, plan: str, campaign: str, at_us: int) -> int:
        """Return a list's number in the ledger; one that is new is put there."""
        if plan not in self._lists:
            of = {"campaign": campaign, "at_us": at_us, "zone": self._zone, "sealed": True}
            made = insert(lists).values(of).returning(lists.c.number)
            self._lists[plan] = int(connection.execute(made).scalar_one())
        return self._lists[plan]

    def flush(self) -> None:
        """Write the rows that wait.

        Raises
        ------
        Broken
            When the ledger answers their reservations otherwise than the tape did.
        """
        rows, self._rows = self._rows, []
        given, self._answers = self._answers, []
        found = self._ledger.append(rows) if rows else ()
        if rows:
            self._told(rows[-1].at_us)
        if [(type(one), one.call_id) for one in found] != [(type(one), one.call_id) for one in given]:
            raise Broken("a simulated month: the ledger answers reservations otherwise than the simulation did")

    def decided(self, plan: int, campaign: str, made: Sequence[Decision]) -> None:
        if not made:
            return
        with self._ledger.writing() as connection:
            number = self._number(connection, f"{campaign}-{plan}", campaign, made[0].decided_us)
            decisions.put(connection, number, campaign, made)

    def heard(self, deeds: Sequence[Deed], at_us: int) -> None:
        if not deeds:
            return
        self.flush()
        told = self._accounts.deeds(deeds, at_us)
        with self._ledger.writing() as connection:
            # One move for each person, as the floor hears of them.
            bump(connection, [f"person:{person}" for person in dict.fromkeys(deed.person for deed in deeds)])
            for table, rows in ((payment, told.payments), (balance_history, told.balances), (history, told.history)):
                if rows:
                    connection.execute(insert(table), rows)
            if told.debts:
                connection.execute(_DEBTS, [{"of": of} | left for of, left in told.debts.items()])
            put_stops(connection, told.stops)


class Annals(Tape):
    """A tape that writes the history alone, by the ledger's own projection, into an export.

    With `parts` the history is a folder of them: after `cut` all that was recorded until then can be read.
    """

    def __init__(self, folder: Path, start_us: int, *, parts: bool = False) -> None:
        super().__init__()
        self._folder = folder
        self._start_us = start_us
        self._accounts = _Accounts()
        self._known: dict[str, Known] = {}
        self._file = HistoryFile(folder, parts=parts)
        self._decisions = DecisionsFile(folder)

    def __enter__(self) -> "Annals":
        return self

    def __exit__(self, failed: object, *_: object) -> None:
        self._file.close(whole=failed is None)
        self._decisions.close(whole=failed is None)

    def meet(self, dossiers: Iterable[Dossier]) -> None:
        """Write who the people are, and that their debts have come when the world begins."""
        people = list(dossiers)
        super().meet(people)
        write_people(people, self._folder, self._start_us)
        self._file.add(self._accounts.come(people, self._start_us).history)

    def append(self, rows: Sequence[Row]) -> tuple[Reserved | Stale, ...]:
        telling = [row for row in rows if isinstance(row.record, Reserve | Disposed | AttemptClosed)]
        if telling:
            keys = {cap.key for row in telling if isinstance(row.record, Reserve) for cap in row.record.keys}
            ended = [row.record.call_id for row in telling if isinstance(row.record, AttemptClosed)]
            keys.update(key for call_id in ended if call_id in self._known for key in self._known[call_id].keys)
            projection = Projection(telling[0].stream, self._known, {key: self._versions[key] for key in keys})
            for row in telling:
                projection.take(row)
            for call_id in ended:
                self._known.pop(call_id, None)
            self._file.add(projection.lines)
        return super().append(rows)

    def decided(self, plan: int, campaign: str, made: Sequence[Decision]) -> None:
        self._decisions.add(decisions.row(plan, campaign, one) for one in made)

    def heard(self, deeds: Sequence[Deed], at_us: int) -> None:
        self._file.add(self._accounts.deeds(deeds, at_us).history)

    def cut(self) -> None:
        self._file.cut()
