"""A simulated month whose record is a real ledger: lists as stored plans, payments and stops in their tables."""

from collections.abc import Sequence
from datetime import date
from typing import Any

from sqlalchemy import insert, update

from domain.calls import Mode
from domain.events import Reserved, Stale
from domain.instants import DAY, midnight_us
from domain.people import Debt, Dossier
from domain.records import Row
from domain.settings import CampaignSettings, FloorSettings
from ledger.people import enroll
from ledger.reservations import announce, bump
from ledger.schema import balance_history, debt, payment
from ledger.standing import put_stops
from ledger.store import SqlLedger
from simulation.month import Arm, Month, Plan
from simulation.population import Asked, Complained, Deed, Paid
from simulation.roster import Roster
from simulation.tape import Tape


class _Record(Tape):
    """Hands the rows to the ledger, which answers."""

    def __init__(self, ledger: SqlLedger) -> None:
        super().__init__()
        self._ledger = ledger
        self.now_us = 0

    def append(self, rows: Sequence[Row]) -> tuple[Reserved | Stale, ...]:
        return self._ledger.append(rows)

    def moved(self, dossier: Dossier) -> Dossier:
        return self._ledger.dossiers([dossier.person], self.now_us)[0]


class LedgerMonth(Month):
    """One month, to be run once."""

    def __init__(self, ledger: SqlLedger, arm: Arm, plan: Plan, seed: int, *, snapshots: bool = False) -> None:
        self._record = _Record(ledger)
        self._sql = ledger
        self._snapshots = snapshots
        super().__init__(arm, plan, seed, self._record)
        numbers = {phone.phone: f"+346{phone.phone:08d}" for one in self.portfolio for phone in one.phones}
        with ledger.writing() as connection:
            enroll(connection, self.portfolio, numbers, midnight_us(self._first, self._zone) - DAY)
        self._payments = 0
        #: Debts whose balance before any payment is on record.
        self._told: set[int] = set()
        #: Deeds that no table of the ledger holds.
        self.complaints = 0

    def _load_lists(self, day: date) -> None:
        for campaign in self._floor.campaigns:
            made = self._sql.make_plan(campaign, self._now, self._zone)
            for load in self._sql.plan_events(made, campaign.name, self._now):
                self.accept(load)

    def _hear(self) -> None:
        self._record.now_us = self._now
        super()._hear()

    def _work(self, number: int) -> None:
        super()._work(number)
        if self._snapshots:
            # As a floor that is closed for the night.
            self._keep_rest()
            self._waiting, self._committing = [], []
            self._sql.save_snapshot("floor", self.engine.seq, self.engine.state.at_us, self.engine.snapshot())

    def _take(self, deed: Deed, dossier: Dossier) -> Dossier:
        if isinstance(deed, Complained):
            self.complaints += 1
            return super()._take(deed, dossier)
        after = super()._take(deed, dossier)
        with self._sql.writing() as connection:
            bump(connection, [f"person:{deed.person}"])
            if isinstance(deed, Paid):
                self._payments += 1
                owed = next(one for one in after.debts if one.debt == deed.debt)
                connection.execute(insert(payment), _paid(deed, owed, self._payments, self._now))
                connection.execute(
                    update(debt)
                    .where(debt.c.id == owed.debt)
                    .values(balance_minor=owed.balance_minor, state=owed.state)
                )
                known = {"debt": owed.debt, "currency": owed.currency, "event_us": deed.at_us, "why": "payment"}
                if deed.debt not in self._told:
                    self._told.add(deed.debt)
                    first = next(one for one in dossier.debts if one.debt == deed.debt)
                    since = {"event_us": 0, "known_us": 0, "why": "import"}
                    connection.execute(insert(balance_history), known | since | _stands(first))
                connection.execute(insert(balance_history), known | {"known_us": self._now} | _stands(owed))
            elif isinstance(deed, Asked):
                put_stops(connection, [_stop(deed, self._now)])
            announce(connection, [deed.person], self._now, "floor")
        return after


def _stands(owed: Debt) -> dict[str, Any]:
    return {"balance_minor": owed.balance_minor, "state": owed.state}


def _paid(deed: Paid, owed: Debt, number: int, now_us: int) -> dict[str, Any]:
    return {
        "creditor": owed.creditor, "reference": f"r{number}", "debt": deed.debt, "amount_minor": deed.amount_minor,
        "currency": deed.currency, "event_us": deed.at_us, "known_us": now_us,
    }  # fmt: skip


def _stop(deed: Asked, now_us: int) -> dict[str, Any]:
    return {
        "person": deed.person, "kind": deed.stop.value, "channel": deed.channel, "event_us": deed.at_us,
        "known_us": now_us, "source": "agent", "received": deed.received, "until_us": None,
    }  # fmt: skip


def month_of(
    ledger: SqlLedger, world: str, roster: Roster, *, seed: int, debtors: int, days: int, start: str = "2026-11-02",
    snapshots: bool = False, **campaign: Any,
) -> LedgerMonth:  # fmt: skip
    """Run a month of one campaign into a ledger and return it."""
    told: dict[str, Any] = {
        "name": "a", "mode": Mode.progressive, "detect_machines": True, "clock_starts": "greeting_end",
        "caller_ids": {"*": ("+34910000000",)},
    }  # fmt: skip
    floor = FloorSettings(campaigns=(CampaignSettings(**told | campaign),), max_lines=200, tick_s=2.0)
    plan = Plan(world=world, debtors=debtors, start=start, days=days, roster=roster)
    month = LedgerMonth(ledger, Arm(name="a", floor=floor), plan, seed, snapshots=snapshots)
    month.month()
    return month


def experience_of(month: LedgerMonth, ledger: SqlLedger, from_us: int, to_us: int) -> dict[str, Any]:
    """Return what `fit` asks of a ledger."""
    from ledger import experience
    from simulation.aftermath import After

    zone = month._zone
    with ledger.reading() as connection:
        return {
            "tries": list(experience.tries(connection, "floor", from_us, to_us)),
            "people": experience.everybody(connection, "floor", from_us, to_us),
            "after": After(
                zone=zone,
                paid=experience.payments(connection, from_us, to_us),
                promised=experience.promises(connection, from_us, to_us),
                asked=experience.stops_asked(connection, from_us, to_us),
                messages=experience.messages(connection, from_us, to_us),
                complaints=month.complaints,
            ),
        }
