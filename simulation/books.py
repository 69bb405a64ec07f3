"""A simulated month that leaves a ledger behind: journal, debts, payments, stops, as if it had been live.

For models and reports, which then read it as they read a real one. Payments are learned when the floor hears of them.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import date
from typing import Any, Final, NamedTuple

from sqlalchemy import bindparam, insert, update

from domain.errors import Broken
from domain.events import Reserved, Stale
from domain.instants import midnight_us
from domain.people import Dossier, StopKind
from domain.records import Row
from ledger.people import enroll
from ledger.reservations import bump
from ledger.schema import balance_history, debt, history, payment
from ledger.standing import put_stops
from ledger.store import SqlLedger
from simulation.callees import Callees
from simulation.chance import Chance
from simulation.month import Arm, Month, Plan
from simulation.outcome import Outcome
from simulation.population import Asked, Deed, Paid
from simulation.tape import Tape

#: Rows in one transaction.
_ROWS: Final = 20_000


class Books(Tape):
    """A tape that copies what it answers into a ledger, and what it hears."""

    def __init__(self, ledger: SqlLedger, start_us: int) -> None:
        super().__init__()
        self._ledger = ledger
        self._start_us = start_us
        self._rows: list[Row] = []
        self._answers: list[Reserved | Stale] = []
        #: Balance and currency, creditor and person of each debt.
        self._owed: dict[int, tuple[int, str, int, int]] = {}
        self._n_payments = 0

    def meet(self, dossiers: Iterable[Dossier]) -> None:
        """Put people into the ledger, their debts having come when the world begins."""
        people = list(dossiers)
        super().meet(people)
        at_us = self._start_us
        debts = [(one.person, owed) for one in people for owed in one.debts]
        self._owed |= {owed.debt: (owed.balance_minor, owed.currency, owed.creditor, person) for person, owed in debts}
        both = {"event_us": at_us, "known_us": at_us}
        with self._ledger.writing() as connection:
            enroll(connection, people, {}, at_us)
            connection.execute(
                insert(history),
                [
                    both
                    | {
                        "person": person,
                        "debts": str(owed.debt),
                        "creditor": owed.creditor,
                        "event": "assigned",
                        "detail": owed.state,
                        "amount_minor": owed.balance_minor,
                        "currency": owed.currency,
                    }
                    for person, owed in debts
                ],
            )
            connection.execute(
                insert(balance_history),
                [
                    both
                    | {
                        "debt": owed.debt,
                        "balance_minor": owed.balance_minor,
                        "currency": owed.currency,
                        "state": owed.state,
                        "why": "import",
                    }
                    for _, owed in debts
                ],
            )

    def append(self, rows: Sequence[Row]) -> tuple[Reserved | Stale, ...]:
        answers = super().append(rows)
        self._rows += rows
        self._answers += answers
        if len(self._rows) >= _ROWS:
            self.flush()
        return answers

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
        told = [(type(one), one.call_id) for one in found]
        if told != [(type(one), one.call_id) for one in given]:
            raise Broken("a simulated month: the ledger answers reservations otherwise than the simulation did")

    def heard(self, deeds: Sequence[Deed], at_us: int) -> None:
        """Write what people did; the versions of who did it move as the tape moves them."""
        if not deeds:
            return
        known_us = at_us
        self.flush()
        gathered = _Told([], [], [], [], {})
        for deed in deeds:
            if isinstance(deed, Paid):
                self._pay(deed, known_us, gathered)
            elif isinstance(deed, Asked):
                _stop(gathered, known_us, deed.person, deed.stop, deed.at_us, via=(deed.channel, deed.received))
        with self._ledger.writing() as connection:
            # One move for each person, as the floor hears of them.
            bump(connection, [f"person:{person}" for person in dict.fromkeys(deed.person for deed in deeds)])
            for table, rows in (
                (payment, gathered.payments),
                (balance_history, gathered.balances),
                (history, gathered.history),
            ):
                if rows:
                    connection.execute(insert(table), rows)
            if gathered.debts:
                connection.execute(_DEBTS, [{"of": of} | told for of, told in gathered.debts.items()])
            put_stops(connection, gathered.stops)

    def _pay(self, deed: Paid, known_us: int, told: "_Told") -> None:
        balance, currency, creditor, person = self._owed[deed.debt]
        left = balance - deed.amount_minor
        self._owed[deed.debt] = left, currency, creditor, person
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
            both
            | _BLANK
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


class _Told(NamedTuple):
    """Rows that deeds write."""

    payments: list[dict[str, Any]]
    balances: list[dict[str, Any]]
    history: list[dict[str, Any]]
    stops: list[dict[str, Any]]
    debts: dict[int, dict[str, Any]]


_BLANK: Final[dict[str, Any]] = {"amount_minor": None, "creditor": None, "debts": "", "detail": ""}
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
        both
        | _BLANK
        | {
            "person": person,
            "debts": "" if debt_ is None else str(debt_),
            "event": "stop",
            "detail": kind,
            "currency": None,
        }
    )


def book_month(
    arm: Arm, plan: Plan, seed: int, ledger: SqlLedger, meets: Callable[[Callees, Chance], Callees] | None = None
) -> Outcome:
    """Run one arm through a plan with the luck of one seed, and leave all of it in a ledger.

    Parameters
    ----------
    ledger : SqlLedger
        Without people.
    meets : callable, optional
        As `simulation.run.SimulatedFloor` takes it.

    Raises
    ------
    BadInput
        When nobody of the world is on any list.
    """
    books = Books(ledger, midnight_us(date.fromisoformat(plan.start), arm.floor.zone))
    found = Month(arm, plan, seed, books, meets=meets).month()
    books.flush()
    return found
