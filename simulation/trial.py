"""A randomised trial on a world's debtors: a past of calls and messages, a contact or none by lot, then what is paid.

No telephone floor is needed for it: debtors are called as laws and chance have it, and all that a ledger would know of
it is written as an export of one. Beside it stands the truth: each person's expected payments with each action and
without, given everything, which no ledger knows.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import islice
from typing import Any, Final

import msgspec
import numpy as np

from domain.calls import Cause, Disposition
from domain.errors import BadInput
from domain.instants import DAY, HOUR, MINUTE, to_datetime
from domain.money import EXPONENTS
from domain.people import ContactEvent, Dossier, rung, stops_after
from simulation.callees import Meeting, Said
from simulation.chance import Chance
from simulation.population import Asked, Debtors, Laws, Paid, portfolio
from simulation.population.traits import F8, I8, zone_of

#: What may be done at the instant of the lot; the others are channels of the laws.
NONE, TALK = "none", "talk"
#: People drawn together; each part has a seed of its own for the luck of the lot, and none for people.
PART: Final = 10_000
_CAMPAIGN: Final = "trial"
#: Channel of messages in the past.
_MESSAGE: Final = "sms"
#: Local hours of calls in the past.
_HOURS: Final = (9, 21)


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """How the trial goes."""

    #: Days of calls and messages before the first lot.
    past_days: int = 60
    #: Lots fall on one of so many days.
    spread_days: int = 28
    #: Days after the lot in which payments count.
    horizon_days: int = 30
    calls_per_week: float = 2.0
    messages_per_week: float = 0.3
    #: Chance of each action.
    actions: dict[str, float] = msgspec.field(default_factory=lambda: {NONE: 0.5, TALK: 0.5})

    def __post_init__(self) -> None:
        if NONE not in self.actions or abs(sum(self.actions.values()) - 1.0) > 1e-9 or min(self.actions.values()) <= 0:
            raise BadInput(
                "actions: the chances must be positive, add up to 1, and `none` be one of them; correct them"
            )
        for name in ("past_days", "spread_days", "horizon_days"):
            if getattr(self, name) < 1:
                raise BadInput(f"{name} must be 1 or more, was {getattr(self, name)}; correct it")


@dataclass(slots=True, frozen=True)
class Drawn:
    """A part of a trial."""

    #: history, debtors, numbers, debts: as `cadencia export` writes them.
    tables: dict[str, Any]
    #: Whom the lot fell on, (n,): debtors who owe something and have not asked to be left alone.
    person: I8
    at_us: I8
    #: Place in `actions`, and its chance.
    action: I8
    p_action: F8
    actions: tuple[str, ...]
    #: (n, actions): chance that anything is paid within the horizon, and payments expected, in units of account.
    p_pay: F8
    paid: F8
    #: (n,): chance that all that is owed is paid within it by who is left alone.
    p_self_cure: F8
    #: Index of the kind of response, for analysts alone.
    kind: I8
    #: Minor units of a unit of account where each lives.
    price: F8


def draw(laws: Laws, plan: Plan, seed: int, start_us: int, part: int = 0, n: int = PART) -> Drawn:
    """Return one part of a trial: people `part * PART + 1` and on; parts are independent of each other.

    Parameters
    ----------
    start_us : int
        When the debts come; the first lots fall `plan.past_days` later, at the same time of day.
    n : int
        People, at most PART.

    Raises
    ------
    BadInput
        When nobody is asked for, or more than a part.
    """
    if not 1 <= n <= PART:
        raise BadInput(f"trial: {n} people are no part; ask for 1 to {PART}")
    people = list(islice(portfolio(laws, part * PART + n, seed, start_us), part * PART, None))
    return _Trial(laws, plan, people, seed, start_us, part).run()


def _price_of(laws: Laws, dossier: Dossier) -> float:
    """Return how many minor units a unit of account is where somebody lives."""
    country = laws.countries.get(dossier.country, laws.countries["*"])
    return float(country.price_level) * 10.0 ** EXPONENTS.get(country.currency, 2)


class _Trial:
    def __init__(self, laws: Laws, plan: Plan, people: Sequence[Dossier], seed: int, start_us: int, part: int) -> None:
        self._plan, self._people, self._start_us = plan, people, start_us
        self._channels = tuple({NONE: "", TALK: "call"}.get(name, name) for name in plan.actions)
        if unknown := [name for name in self._channels if name not in ("", "call", *laws.channels)]:
            known = ", ".join((NONE, TALK, *laws.channels))
            raise BadInput(f"actions: {unknown[0]!r} is no action of this world; choose of {known}")
        if plan.messages_per_week and _MESSAGE not in laws.channels:
            raise BadInput(f"messages_per_week: this world has no channel {_MESSAGE!r}; make it 0")
        self._debtors = Debtors(laws, Chance(seed + 1), start_us=start_us)
        self._debtors.meet(people)
        self._luck = np.random.default_rng((seed, part))
        self._at = {one.person: place for place, one in enumerate(people)}
        self._price = np.array([_price_of(laws, one) for one in people])
        self._book = _Book()
        self._zones = np.array([zone_of(one) for one in people])
        for one in people:
            for owed in one.debts:
                self._book.line(
                    start_us, one.person, "assigned", debts=[owed.debt], amount_minor=owed.balance_minor,
                    currency=owed.currency, detail=owed.state,
                )  # fmt: skip
        #: Whoever is to be left alone, and numbers that lead nowhere.
        self._stopped = np.zeros(len(people), np.bool_)
        self._bad: set[tuple[int, int]] = set()
        self._turn = [0] * len(people)

    def run(self) -> Drawn:
        plan, n = self._plan, len(self._people)
        names = tuple(plan.actions)
        chances = np.array(list(plan.actions.values()))
        day = self._luck.integers(0, plan.spread_days, n)
        action = np.searchsorted(np.cumsum(chances)[:-1], self._luck.random(n), side="right")
        asked: list[I8] = []
        columns: list[tuple[F8, F8, F8, I8, I8]] = []
        now_us = self._start_us
        for step in range(plan.past_days + plan.spread_days + plan.horizon_days):
            lot = step - plan.past_days
            if 0 <= lot < plan.spread_days:
                chosen = np.flatnonzero((day == lot) & ~self._stopped)
                found = self._debtors.responses(
                    [self._people[i] for i in chosen.tolist()], now_us, plan.horizon_days, self._channels
                )
                owing = found.owed_minor > 0.0
                chosen = chosen[owing]
                asked.append(chosen)
                price = self._price[chosen][:, None]
                columns.append((
                    found.p_pay[owing], found.paid_minor[owing] / price, found.p_self_cure[owing], found.kind[owing],
                    np.full(len(chosen), now_us, np.int64),
                ))  # fmt: skip
                for i in chosen.tolist():
                    self._act(i, self._channels[action[i]], now_us)
            self._contact(np.flatnonzero((day > lot) & ~self._stopped), now_us)
            self._pass(now_us, now_us + DAY)
            now_us += DAY
        rows = np.concatenate(asked)
        p_pay, paid, p_self_cure, kind, at_us = (np.concatenate(column) for column in zip(*columns, strict=True))
        return Drawn(
            tables=self._book.tables(self._people),
            person=np.array([self._people[i].person for i in rows], np.int64),
            at_us=at_us,
            action=action[rows].astype(np.int64),
            p_action=chances[action[rows]],
            actions=names,
            p_pay=p_pay,
            paid=paid,
            p_self_cure=p_self_cure,
            kind=kind,
            price=self._price[rows],
        )

    def _contact(self, callable_: I8, from_us: int) -> None:
        """Call and write to people for a day, wherever it is day."""
        plan, luck = self._plan, self._luck
        first, last = _HOURS
        day = 24.0 / (last - first)
        calls = np.repeat(callable_, luck.poisson(plan.calls_per_week / 6.0 * day, len(callable_)))
        messages = np.repeat(callable_, luck.poisson(plan.messages_per_week / 6.0 * day, len(callable_)))
        who = np.concatenate((calls, messages))
        # As many again fall at night, where nobody is disturbed.
        at_us = from_us + 1 + (luck.random(len(who)) * (DAY - 2)).astype(np.int64)
        offset_us = {zone: _offset(zone, from_us) for zone in np.unique(self._zones).tolist()}
        local_us = at_us + np.array([offset_us[zone] for zone in self._zones[who].tolist()], np.int64)
        hour, weekday = local_us % DAY // HOUR, (local_us // DAY + 3) % 7
        wanted = (hour >= first) & (hour < last) & (weekday < 6)
        for nth in np.argsort(at_us, kind="stable").tolist():
            i = int(who[nth])
            if wanted[nth] and not self._stopped[i]:
                if nth < len(calls):
                    self._call(i, int(at_us[nth]))
                else:
                    self._act(i, _MESSAGE, int(at_us[nth]))

    def _call(self, i: int, at_us: int) -> None:
        """Call the next number of somebody that is not known to lead nowhere."""
        one = self._people[i]
        good = [phone.phone for phone in one.phones if (i, phone.phone) not in self._bad]
        if not good:
            return
        phone = good[self._turn[i] % len(good)]
        self._turn[i] += 1
        meeting = self._debtors.dial(phone, at_us)
        if meeting.fate is not None:
            said = Said(disposition=_ENDS[meeting.fate.cause])
        else:
            said = self._debtors.say(meeting, at_us, one.person, ())
        self._end(i, phone, at_us, said)

    def _act(self, i: int, channel: str, at_us: int) -> None:
        """Do something to somebody, for sure."""
        one = self._people[i]
        if channel == "call":
            meeting = Meeting(
                phone=one.phones[0].phone, person=one.person, nth=0, who="debtor", fate=None, setup_us=0, ring_us=0
            )
            self._end(i, meeting.phone, at_us, self._debtors.say(meeting, at_us, one.person, ()))
        elif channel:
            self._debtors.reached(one.person, channel, at_us, ContactEvent.message_delivered)
            self._book.line(at_us, one.person, ContactEvent.message_delivered, channel=channel, campaign=_CAMPAIGN)

    def _end(self, i: int, phone: int, at_us: int, said: Said) -> None:
        """Write down a call, and what follows from how it ended."""
        person, debts = self._people[i].person, [owed.debt for owed in self._people[i].debts]
        call: dict[str, Any] = {"phone": phone, "campaign": _CAMPAIGN, "attempt": f"t-{self._book.next_call()}"}
        self._book.line(at_us, person, ContactEvent.dialed, channel="call", debts=debts, **call)
        event = rung(said.disposition)
        assert event is not None
        after_us = at_us + _TALK_US
        self._book.line(after_us, person, event, channel="call", debts=debts, detail=said.disposition, **call)
        for stop in stops_after(said.disposition, phone, tuple(debts)):
            self._book.line(after_us, person, "stop", debts=debts, detail=stop.kind, **call)
            if stop.phone is not None:
                self._bad.add((i, stop.phone))
            else:
                self._stopped[i] = True
        if said.amount_minor is not None:
            assert said.due_on is not None
            self._book.line(
                after_us, person, str(said.disposition), debts=[said.debt], amount_minor=said.amount_minor,
                currency=said.currency, due_on=date.fromisoformat(said.due_on), **call,
            )  # fmt: skip

    def _pass(self, from_us: int, to_us: int) -> None:
        """Let debtors do what they do; a floor hears of payments at the end of the day."""
        for deed in self._debtors.pass_time(from_us, to_us):
            if isinstance(deed, Paid):
                self._book.line(
                    deed.at_us, deed.person, "payment", known_us=to_us, debts=[deed.debt],
                    amount_minor=deed.amount_minor, currency=deed.currency,
                )  # fmt: skip
            elif isinstance(deed, Asked):
                self._book.line(deed.at_us, deed.person, "stop", known_us=to_us, detail=deed.stop)
                self._stopped[self._at[deed.person]] = True


#: Between the call and the end of the conversation.
_TALK_US: Final = 2 * MINUTE
_ENDS: Final = {
    Cause.busy: Disposition.busy, Cause.no_answer: Disposition.no_answer, Cause.rejected: Disposition.rejected,
    Cause.not_in_service: Disposition.not_in_service, Cause.congestion: Disposition.network_fail,
    Cause.network_fail: Disposition.network_fail,
}  # fmt: skip


def _offset(zone: str, at_us: int) -> int:
    return (to_datetime(at_us, zone).utcoffset() or timedelta()) // timedelta(microseconds=1)


class _Book:
    """What a ledger would know, column by column."""

    def __init__(self) -> None:
        self._lines: list[tuple[Any, ...]] = []
        self._n_calls = 0

    def next_call(self) -> int:
        self._n_calls += 1
        return self._n_calls

    def line(
        self, event_us: int, person: int, event: str, *, known_us: int | None = None, debts: Sequence[int | None] = (),
        phone: int | None = None, campaign: str | None = None, channel: str | None = None, attempt: str | None = None,
        detail: str = "", amount_minor: int | None = None, currency: str | None = None, due_on: date | None = None,
    ) -> None:  # fmt: skip
        known_us = event_us if known_us is None else known_us
        self._lines.append((
            event_us, known_us, person, debts, phone, campaign, channel, False, event, attempt, detail, amount_minor,
            currency, due_on,
        ))  # fmt: skip

    def tables(self, people: Sequence[Dossier]) -> dict[str, Any]:
        """Return the tables of an export."""
        import pyarrow

        pa: Any = pyarrow
        instant, words = pa.timestamp("us", tz="UTC"), pa.list_(pa.string())
        kinds = {
            "instant": instant, "id": pa.int64(), "ids": pa.list_(pa.int64()), "word": pa.string(), "flag": pa.bool_(),
            "day": pa.date32(),
        }  # fmt: skip
        phones = [(one.person, rank, phone) for one in people for rank, phone in enumerate(one.phones)]
        debts = [(one.person, owed) for one in people for owed in one.debts]
        return {
            "history": pa.table({
                name: pa.array(column, kinds[kind])
                for (name, kind), column in zip(HISTORY.items(), zip(*self._lines, strict=True), strict=True)
            }),
            "debtors": pa.table({
                "person": pa.array([one.person for one in people], pa.int64()),
                "zones": pa.array([list(one.address_zones) for one in people], words),
            }),
            "numbers": pa.table({
                "person": pa.array([person for person, _, _ in phones], pa.int64()),
                "phone": pa.array([phone.phone for _, _, phone in phones], pa.int64()),
                "rank": pa.array([rank for _, rank, _ in phones], pa.int32()),
                "line_type": pa.array([phone.line_type for _, _, phone in phones], pa.string()),
                "zones": pa.array([list(phone.zones) for _, _, phone in phones], words),
            }),
            "debts": pa.table({
                "debt": pa.array([owed.debt for _, owed in debts], pa.int64()),
                "person": pa.array([person for person, _ in debts], pa.int64()),
                "currency": pa.array([owed.currency for _, owed in debts], pa.string()),
                "due_on": pa.array([owed.due_on and date.fromisoformat(owed.due_on) for _, owed in debts], pa.date32()),
            }),
        }  # fmt: skip


#: Columns of the history, with their kind.
HISTORY: Final = {
    "event_at": "instant", "known_at": "instant", "person": "id", "debts": "ids", "phone": "id", "campaign": "word",
    "channel": "word", "inbound": "flag", "event": "word", "attempt": "word", "detail": "word", "amount_minor": "id",
    "currency": "word", "due_on": "day",
}  # fmt: skip
