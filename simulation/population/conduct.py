"""What debtors do by themselves: pay, ask to be left alone, complain.

One draw for each debt and day says whether it is paid that day, one for each person and day whether they write, so two
strategies differ only where their contacts do. A day's payment has its instant, drawn too; the contacts before it count
and no later ones, however the time is cut.
"""

import heapq
import math
from bisect import bisect_right
from collections.abc import Iterable
from datetime import date, datetime, time
from itertools import accumulate
from zoneinfo import ZoneInfo

import msgspec
import numpy as np
from numpy.typing import NDArray

from domain.errors import Broken
from domain.instants import DAY, HOUR, from_datetime, to_datetime
from domain.people import StopKind
from simulation.chance import Chance, Choice, Purpose
from simulation.population.laws import Laws
from simulation.population.traits import F8, I8, Calendar, Debts, Persons, joined


class Paid(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A debtor paid."""

    at_us: int
    person: int
    debt: int
    amount_minor: int
    currency: str


class Asked(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A debtor, or somebody for them, asked in writing not to be contacted."""

    at_us: int
    person: int
    stop: StopKind
    #: The one channel it is about; None: all.
    channel: str | None
    #: Channel by which it came.
    received: str


class Complained(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    at_us: int
    person: int
    about: str


Deed = Paid | Asked | Complained


class _Stock:
    """Something that contacts add to and time takes away: half of it in each half-life. A number for each person."""

    def __init__(self, since_us: int, half_life_days: float) -> None:
        self._since_us = since_us
        self._half_life_us = half_life_days * DAY
        #: What was added before the time that has passed, as it would have been worth in the beginning.
        self._past = np.zeros(0)
        #: What was added since: whose, when, how much.
        self._rows, self._instants, self._amounts = np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0)
        #: The last of it, not in those columns yet.
        self._new: list[tuple[int, int, float]] = []

    def grow(self, n: int) -> None:
        self._past = np.concatenate((self._past, np.zeros(n - len(self._past))))

    def add(self, row: int, at_us: int, amount: float) -> None:
        self._new.append((row, at_us, amount))

    def add_many(self, rows: list[int], instants: list[int], amount: float) -> None:
        self._rows = np.concatenate((self._rows, np.array(rows, np.int64)))
        self._instants = np.concatenate((self._instants, np.array(instants, np.int64)))
        self._amounts = np.concatenate((self._amounts, np.full(len(rows), amount)))

    def at(self, rows: I8, instants: I8) -> F8:
        """Return how much each of some people has at an instant of their own; a row may not come twice."""
        had = self._past[rows] * np.exp2(-(instants - self._since_us) / self._half_life_us)
        self._settle()
        if len(self._rows):
            index = np.full(len(self._past), -1)
            index[rows] = np.arange(len(rows))
            of = index[self._rows]
            before = (of >= 0) & (self._instants <= instants[of])
            of = of[before]
            age = (instants[of] - self._instants[before]) / self._half_life_us
            had += np.bincount(of, self._amounts[before] * np.exp2(-age), len(rows))
        return np.asarray(had)

    def of(self, row: int, at_us: int) -> float:
        """Return how much one person has at an instant."""
        return float(self.at(np.array([row]), np.array([at_us]))[0])

    def pass_to(self, to_us: int) -> None:
        """Forget when what was added up to an instant was added: nobody asks about an earlier one any more."""
        self._settle()
        over = self._instants <= to_us
        age = (self._instants[over] - self._since_us) / self._half_life_us
        self._past += np.bincount(self._rows[over], self._amounts[over] * np.exp2(age), len(self._past))
        later = ~over
        self._rows, self._instants, self._amounts = self._rows[later], self._instants[later], self._amounts[later]

    def _settle(self) -> None:
        if self._new:
            rows, instants, amounts = zip(*self._new, strict=True)
            self._new = []
            self._rows = np.concatenate((self._rows, np.array(rows, np.int64)))
            self._instants = np.concatenate((self._instants, np.array(instants, np.int64)))
            self._amounts = np.concatenate((self._amounts, np.array(amounts, np.float64)))


class Conduct:
    """The state of people and debts, and what comes of it in time."""

    def __init__(self, laws: Laws, chance: Chance, start_us: int) -> None:
        self.laws = laws
        self.zones: list[str] = []
        #: How many people there are; their columns and those of the debts, in as many parts as they came in.
        self.people = 0
        self._persons: list[Persons] = []
        self._debts: list[Debts] = []
        #: What each debt comes to still, minor units; its id and currency.
        self.owed = np.zeros(0, np.int64)
        self.ids: list[int] = []
        self.currencies: list[str] = []
        #: Rows of debts that were paid off.
        self.paid: set[int] = set()
        self._calendar = Calendar(laws)
        self._hours: dict[tuple[int, int], tuple[int, int]] = {}
        self._chance = chance
        self._passed_us = start_us
        contact = laws.contact
        self._contact = _Stock(start_us, contact.half_life_days)
        self._pressure = _Stock(start_us, contact.half_life_days)
        #: Calls that rang since time last passed, answered or not: whose, when. The hot path appends to both.
        self.rang: tuple[list[int], list[int]] = [], []
        #: Payments that promises bring: (instant, debt's row, amount).
        self._promised: list[tuple[int, int, int]] = []
        #: Who has asked for what; and who pays no more.
        self._asked: set[tuple[int, int]] = set()
        self._gone: set[int] = set()
        self._stages = np.array(laws.stage_days)
        payment = laws.payment
        self._self_cure = np.array(payment.self_cure_per_day)
        #: The greatest daily rate of anybody at any time, for each unit of `Debts.rate`.
        self._most_per_day = max(payment.self_cure_per_day) * self._calendar.greatest
        factors = [laws.asked.get(ask.stop, 1.0) for ask in laws.asks]
        per_day = [ask.per_day * factor for ask, factor in zip(laws.asks, factors, strict=True)]
        pressed = [ask.per_pressure * factor * contact.works for ask, factor in zip(laws.asks, factors, strict=True)]
        self._asks = np.array(per_day, np.float64), np.array(pressed, np.float64)
        complaints = laws.complaints
        self._complaints = complaints.per_day, complaints.per_pressure if contact.works else 0.0
        self._about = Choice(tuple(complaints.about), tuple(complaints.about.values()))

    # ---- who there is, and what happens to them

    def add_persons(self, persons: Persons) -> None:
        """Take more people."""
        self._persons.append(persons)
        self.people += len(persons)
        self._contact.grow(self.people)
        self._pressure.grow(self.people)

    def add_debts(self, debts: Debts, owed: Iterable[int], currencies: Iterable[str]) -> None:
        """Take more debts, of people taken before."""
        self._debts.append(debts)
        self.owed = np.concatenate((self.owed, np.array(list(owed), np.int64)))
        self.ids += debts.debt.tolist()
        self.currencies += currencies

    def contacted(self, row: int, at_us: int, works: float, pressure: float) -> None:
        """Note a contact: what it does to paying, in conversations, and how it presses."""
        if works:
            self._contact.add(row, at_us, works)
        if pressure:
            self._pressure.add(row, at_us, pressure)

    def promised(self, debt_row: int, at_us: int, amount_minor: int) -> None:
        """Note a payment that will come because it was promised."""
        heapq.heappush(self._promised, (at_us, debt_row, amount_minor))

    def still_works(self, rows: I8, at_us: int) -> F8:
        """Return how much contact is at work on people at an instant, in conversations; a row may not come twice."""
        return self._contact.at(rows, np.full(len(rows), at_us, np.int64))

    def promised_until(self, end_us: int) -> dict[int, list[tuple[int, int]]]:
        """Return what promises will bring by an instant: (instant, minor units) by debt's row."""
        found: dict[int, list[tuple[int, int]]] = {}
        for at_us, debt_row, amount in sorted(self._promised):
            if at_us <= end_us:
                found.setdefault(debt_row, []).append((at_us, amount))
        return found

    # ---- time

    def pass_time(self, from_us: int, to_us: int) -> list[Deed]:
        """Return what is done in (from_us, to_us], in time order.

        Raises
        ------
        Broken
            When the time before was not passed, or twice.
        """
        if from_us != self._passed_us or to_us < from_us:
            raise Broken(
                f"pass_time from {from_us} to {to_us}: time has passed up to {self._passed_us}, go on from there"
            )
        rows, instants = self.rang
        if self.laws.contact.works:
            self._pressure.add_many(rows, instants, self.laws.contact.attempt_pressure)
        rows.clear()
        instants.clear()
        due: list[tuple[int, int, int, int]] = []
        for zone, name in enumerate(self.zones):
            first, last = to_datetime(from_us, name).date(), to_datetime(to_us, name).date()
            for ordinal in range(first.toordinal(), last.toordinal() + 1):
                due += self._day(zone, date.fromordinal(ordinal), from_us, to_us)
        while self._promised and self._promised[0][0] <= to_us:
            at_us, debt_row, amount = heapq.heappop(self._promised)
            due.append((max(at_us, from_us + 1), _PROMISED, debt_row, amount))
        self._contact.pass_to(to_us)
        self._pressure.pass_to(to_us)
        self._passed_us = to_us
        due.sort()
        return [deed for one in due if (deed := self._do(*one)) is not None]

    def own_payment(self, debt_row: int, after_us: int, days: int) -> tuple[date, float] | None:
        """Return on which of the next days somebody will pay a debt if nothing more happens, and the share of it."""
        persons, debts = self.everybody()
        row = int(debts.row[debt_row])
        zone, effect, rate = int(persons.zone[row]), float(persons.effect[row]), float(debts.rate[debt_row])
        if rate <= 0.0:
            return None
        person, debt, due = int(persons.person[row]), int(debts.debt[debt_row]), int(debts.due[debt_row])
        payday = int(persons.payday[row]), int(persons.payday_on[row])
        today = to_datetime(after_us, self.zones[zone]).toordinal()
        u = self._chance.u
        # No day's probability is greater, so most days need no more than their draw.
        most = self._most_per_day * rate * math.exp(max(0.0, effect * self.laws.contact.most))
        end = today + days + 1
        while (on := self._chance.first_below(most, Purpose.pay, debt, today, end)) is not None:
            today, drawn = on + 1, u(Purpose.pay, debt, on)
            first_us, last_us = self.hours_of(zone, on)
            at_us = first_us + int(u(Purpose.pay_time, person, on) * (last_us - first_us))
            if at_us <= after_us:
                continue
            base = self.laws.payment.self_cure_per_day[bisect_right(self.laws.stage_days, on - due if due else 0)]
            daily = base * rate * float(self._calendar.on(on)[payday])
            if effect:
                daily *= math.exp(effect * min(self._contact.of(row, at_us), self.laws.contact.most))
            if drawn < -math.expm1(-daily):
                return date.fromordinal(on), self._share(debt_row, on)
        return None

    def instant(self, purpose: int, row: int, on: date) -> int:
        """Return at which instant of a local day somebody does something."""
        persons, _ = self.everybody()
        first_us, last_us = self.hours_of(int(persons.zone[row]), on.toordinal())
        return first_us + int(self._chance.u(purpose, int(persons.person[row]), on.toordinal()) * (last_us - first_us))

    # ---- a day of the people of one zone

    def _day(self, zone: int, on: date, from_us: int, to_us: int) -> list[tuple[int, int, int, int]]:
        persons, debts = self.everybody()
        here = np.flatnonzero(persons.zone == zone)
        instants = np.zeros(len(persons), np.int64)
        instants[here] = self._instants(Purpose.pay_time, here, on)
        found: list[tuple[int, int, int, int]] = []
        rows = here[(instants[here] > from_us) & (instants[here] <= to_us)]
        if len(rows):
            paying = np.zeros(len(persons), np.bool_)
            paying[rows] = True
            open_debts = np.flatnonzero((self.owed > 0) & paying[debts.row])
            of = debts.row[open_debts]
            stock = np.zeros(len(persons))
            stock[rows] = self._contact.at(rows, instants[rows])
            hits = open_debts[self._pays(open_debts, of, stock[of], on)]
            ordinal = on.toordinal()
            found += [(int(instants[debts.row[hit]]), _OWN, int(hit), ordinal) for hit in hits]
        wrote = self._instants(Purpose.ask_time, here, on)
        within = (wrote > from_us) & (wrote <= to_us)
        if within.any():
            found += self._writes(here[within], wrote[within], on)
        return found

    def _instants(self, purpose: int, rows: I8, on: date) -> I8:
        """Return the instants of a local day, one for each person of one zone."""
        persons, _ = self.everybody()
        if not len(rows):
            return np.zeros(0, np.int64)
        first_us, last_us = self.hours_of(int(persons.zone[rows[0]]), on.toordinal())
        u = self._chance.many(purpose, persons.person[rows], on.toordinal())
        return np.asarray(first_us + (u * (last_us - first_us)).astype(np.int64))

    def _pays(self, debt_rows: I8, of: I8, stock: F8, on: date) -> NDArray[np.bool_]:
        """Say which debts are paid on a day by owners of so much contact that still works."""
        _, debts = self.everybody()
        rates = self.daily_rates(debt_rows, of, stock, on)
        drawn = self._chance.many(Purpose.pay, debts.debt[debt_rows], on.toordinal())
        return np.asarray(drawn < -np.expm1(-rates))

    def daily_rates(self, debt_rows: I8, of: I8, stock: F8, on: date) -> F8:
        """Return the rates of paying debts on a day; `of` are the rows of who owes them."""
        persons, debts = self.everybody()
        due = debts.due[debt_rows]
        days = np.where(due > 0, on.toordinal() - due, 0)
        base = self._self_cure[np.searchsorted(self._stages, days, side="right")]
        factor = self._calendar.on(on.toordinal())[persons.payday[of], persons.payday_on[of]]
        works = np.exp(persons.effect[of] * np.minimum(stock, self.laws.contact.most))
        return np.asarray(base * debts.rate[debt_rows] * factor * works)

    def hours_of(self, zone: int, ordinal: int) -> tuple[int, int]:
        """Return from when until when people of a zone pay and write on a day."""
        known = self._hours.get((zone, ordinal))
        if known is None:
            midnight = datetime.combine(date.fromordinal(ordinal), time(), ZoneInfo(self.zones[zone]))
            first, last = self.laws.payment.hours
            midnight_us = from_datetime(midnight)
            known = self._hours[zone, ordinal] = midnight_us + first * HOUR, midnight_us + last * HOUR
        return known

    def _share(self, debt_row: int, ordinal: int) -> float:
        """Return how much of a debt its own payment of a day settles."""
        persons, debts = self.everybody()
        u = self._chance.u(Purpose.pay_share, int(debts.debt[debt_row]), ordinal)
        p_full = float(persons.p_full[debts.row[debt_row]])
        low, high = self.laws.payment.part
        return 1.0 if u < p_full else low + (high - low) * (u - p_full) / (1.0 - p_full)

    def _writes(self, rows: I8, instants: I8, on: date) -> list[tuple[int, int, int, int]]:
        persons, _ = self.everybody()
        ordinal = on.toordinal()
        pressure = self._pressure.at(rows, instants) * persons.touch[rows]
        base, pressed = self._asks
        asks = self._chance.many(Purpose.ask, persons.person[rows], ordinal) < -np.expm1(
            -(base.sum() + pressed.sum() * pressure)
        )
        found = []
        for index in np.flatnonzero(asks):
            weights = base + pressed * pressure[index]
            u = self._chance.u(Purpose.ask_kind, int(persons.person[rows[index]]), ordinal)
            bounds = list(accumulate(weights.tolist()))
            which = min(bisect_right(bounds, u * bounds[-1]), len(bounds) - 1)
            found.append((int(instants[index]), _ASKS, int(rows[index]), which))
        per_day, per_pressure = self._complaints
        complains = self._chance.many(Purpose.complain, persons.person[rows], ordinal) < -np.expm1(
            -(per_day + per_pressure * pressure)
        )
        for index in np.flatnonzero(complains):
            found.append((int(instants[index]), _COMPLAINS, int(rows[index]), ordinal))
        return found

    def _do(self, at_us: int, what: int, row: int, more: int) -> Deed | None:
        """Carry out what is due, as far as there is anything to it by then."""
        persons, debts = self.everybody()
        if what == _ASKS:
            ask = self.laws.asks[more]
            if (row, more) in self._asked:
                return None
            self._asked.add((row, more))
            if ask.stop in (StopKind.deceased, StopKind.bankrupt):
                self._gone.add(row)
            return Asked(
                at_us=at_us,
                person=int(persons.person[row]),
                stop=ask.stop,
                channel=ask.channel,
                received=ask.received,
            )
        if what == _COMPLAINS:
            person = int(persons.person[row])
            about = self._about.of(self._chance.u(Purpose.complain_about, person, more))
            return Complained(at_us=at_us, person=person, about=about)
        owed, owner = int(self.owed[row]), int(debts.row[row])
        if owed <= 0 or owner in self._gone:
            return None
        amount = min(owed, more) if what == _PROMISED else max(1, int(owed * self._share(row, more)))
        self.owed[row] = owed - amount
        if amount == owed:
            self.paid.add(row)
        return Paid(
            at_us=at_us,
            person=int(persons.person[owner]),
            debt=self.ids[row],
            amount_minor=amount,
            currency=self.currencies[row],
        )

    def everybody(self) -> tuple[Persons, Debts]:
        """Return all people and debts; there must be some."""
        if len(self._persons) > 1 or len(self._debts) > 1:
            self._persons, self._debts = [joined(self._persons)], [joined(self._debts)]
        return self._persons[0], self._debts[0]


_PROMISED, _OWN, _ASKS, _COMPLAINS = range(4)
