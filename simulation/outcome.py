"""What one replication of one arm comes to: counts by hour and segment, agents' time, money, promises, accounts.

The collector hears facts as the engine states them and deeds as the debtors do them; nothing is drawn or decided here.
Counts are integers (money in minor units, time in ms), so equal runs give equal bytes and parts add up exactly.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import date

import msgspec

from domain.calls import NEVER_DIALLED, RIGHT_PARTY, AgentState, AnswerClass, Disposition
from domain.facts import AttemptClosed, CallClassed
from domain.orders import Originate, Reserve
from domain.people import Dossier

#: Attempts of an account from which on they are counted together.
MOST_ATTEMPTS = 30
#: Days past due below which a debtor belongs to a stage, with its name; the last has no end.
STAGES = ((31, "1-30"), (61, "31-60"), (91, "61-90"), (181, "91-180"), (10**9, "181+"))

#: Counts of calls, in the order of a flow's values.
FLOW = (
    "attempts", "answered", "people", "abandoned", "machines", "cut", "lost", "contacts", "right_party", "promises",
    "plans", "refusals", "disputes", "ring_ms", "wait_ms", "talk_ms", "wrap_ms",
    "connected",
)  # fmt: skip
_AT = {name: place for place, name in enumerate(FLOW)}


class Flow(msgspec.Struct, frozen=True, array_like=True):
    """Calls of one hour of the floor's calendar to one segment, by the hour of their reservation."""

    day: int
    hour: int
    segment: int
    campaign: int
    #: As `FLOW` names them.
    counts: tuple[int, ...]


class Work(msgspec.Struct, frozen=True, array_like=True):
    """Time of all agents in one state in one hour."""

    day: int
    hour: int
    state: str
    agent_ms: int


class Money(msgspec.Struct, frozen=True, array_like=True):
    """Payments of one day by one segment in one currency."""

    day: int
    segment: int
    currency: str
    payments: int
    paid_minor: int
    #: By people to whom somebody had spoken before.
    contacted_minor: int


class Promised(msgspec.Struct, frozen=True, array_like=True):
    """Promises made on one day by one segment in one currency, and what was received on those that fell due."""

    day: int
    segment: int
    currency: str
    made: int
    made_minor: int
    due: int
    due_minor: int
    kept: int
    kept_minor: int


class Accounts(msgspec.Struct, frozen=True, array_like=True):
    """Accounts of one segment with one number of attempts."""

    segment: int
    currency: str
    #: `MOST_ATTEMPTS`: as many or more.
    attempts: int
    accounts: int
    reached: int
    right_party: int
    paid: int
    owed_minor: int
    paid_minor: int
    #: Somebody or something answered; promised or planned; kept a promise; paid anything.
    answered: int = 0
    promised: int = 0
    kept: int = 0
    payers: int = 0


class Contacts(msgspec.Struct, frozen=True, array_like=True):
    """Accounts of one segment with one number of contacts."""

    segment: int
    #: `MOST_ATTEMPTS`: as many or more.
    contacts: int
    accounts: int


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """One replication of one arm."""

    arm: str
    seed: int
    #: ISO dates of the floor's calendar; `day` elsewhere counts in them.
    days: tuple[str, ...]
    segments: tuple[str, ...]
    campaigns: tuple[str, ...]
    flows: tuple[Flow, ...]
    work: tuple[Work, ...]
    money: tuple[Money, ...]
    promised: tuple[Promised, ...]
    accounts: tuple[Accounts, ...]
    contacts: tuple[Contacts, ...]
    #: Asked by debtors on their own account or in a conversation: stops by kind; complaints.
    stops: dict[str, int]
    complaints: int
    #: ISO instant at which nobody was left to call, by campaign; absent: never.
    list_ended: dict[str, str]
    #: Contacts that should not have been, each told; must be empty.
    breaches: tuple[str, ...]
    rows: int

    def total(self, name: str) -> int:
        """Return a count of `FLOW` over all."""
        place = _AT[name]
        return sum(flow.counts[place] for flow in self.flows)


def segment_of(dossier: Dossier, today: date) -> str:
    """Return the segment of a debtor: country and stage, by the oldest debt that is open."""
    due = [date.fromisoformat(debt.due_on) for debt in dossier.debts if debt.due_on and debt.state == "open"]
    days = (today - min(due)).days if due else 0
    return f"{dossier.country} {next(name for below, name in STAGES if days < below)}"


class _Call(msgspec.Struct, gc=False, eq=False):
    """What is known of a call under way."""

    at: tuple[int, int]
    campaign: int
    person: int
    valid_until_us: int
    answer_class: AnswerClass | None = None
    wait_us: int = 0


class _Account:
    """What is known of a debtor."""

    __slots__ = (
        "answered", "attempts", "contacts", "currency", "kept", "owed_minor", "paid_minor", "promised", "right_party",
        "segment",
    )  # fmt: skip

    def __init__(self, segment: int, currency: str) -> None:
        self.segment = segment
        self.currency = currency
        self.owed_minor = 0
        self.paid_minor = 0
        self.attempts = 0
        self.contacts = 0
        self.answered = False
        self.right_party = False
        self.promised = False
        self.kept = False


class _Promise:
    """A promise that has not fallen due, or has."""

    __slots__ = ("account", "amount_minor", "currency", "day", "debt", "due_us", "paid_minor")

    def __init__(self, day: int, account: _Account, debt: int, amount_minor: int, currency: str, due_us: int) -> None:
        self.day = day
        self.account = account
        self.debt = debt
        self.amount_minor = amount_minor
        self.currency = currency
        self.due_us = due_us
        self.paid_minor = 0


class Collector:
    """Adds up one replication.

    Parameters
    ----------
    campaigns : sequence of str
        Of the floor.
    """

    def __init__(self, campaigns: Sequence[str]) -> None:
        self._campaigns = {name: place for place, name in enumerate(campaigns)}
        self._days: list[str] = []
        self._segments: dict[str, int] = {}
        self._accounts: dict[int, _Account] = {}
        self._flows: defaultdict[tuple[int, int, int, int], list[int]] = defaultdict(lambda: [0] * len(FLOW))
        self._work: defaultdict[tuple[int, int, str], int] = defaultdict(int)
        self._money: defaultdict[tuple[int, int, str], list[int]] = defaultdict(lambda: [0, 0, 0])
        self._promises: list[_Promise] = []
        #: Open promises by debt, the last made.
        self._promised: dict[int, _Promise] = {}
        self._calls: dict[str, _Call] = {}
        self._stops: defaultdict[str, int] = defaultdict(int)
        self._complaints = 0
        self._ended: dict[str, str] = {}
        self._breaches: list[str] = []

    # ---- the calendar and the people

    def begin_day(self, day: str) -> None:
        self._days.append(day)

    def meet(self, dossiers: Iterable[Dossier], today: date) -> None:
        """Assign debtors; whoever was met before stays in his segment."""
        for dossier in dossiers:
            account = self._accounts.get(dossier.person)
            if account is None:
                name = segment_of(dossier, today)
                segment = self._segments.setdefault(name, len(self._segments))
                currency = dossier.debts[0].currency if dossier.debts else ""
                account = self._accounts[dossier.person] = _Account(segment, currency)
                account.owed_minor = sum(
                    debt.balance_minor
                    for debt in dossier.debts
                    if debt.state == "open" and debt.currency == account.currency
                )

    # ---- what the engine states

    def reserved(self, order: Reserve, hour: int) -> None:
        at = len(self._days) - 1, hour
        self._calls[order.call_id] = _Call(
            at, self._campaigns[order.campaign], order.person, order.verdict.valid_until_us or 0
        )

    def originated(self, order: Originate, at_us: int, *, paid: bool, stopped: str | None) -> None:
        """Take a call that leaves.

        Parameters
        ----------
        paid : bool
            Whether all that it is about was known to be paid.
        stopped : str or None
            A stop that was known and forbids it.
        """
        call = self._calls.get(order.call_id)
        if call is None:
            self._breaches.append(f"{order.call_id}: ordered without a reservation")
        elif at_us >= call.valid_until_us:
            self._breaches.append(f"{order.call_id}: ordered when its verdict had ended")
        elif paid:
            self._breaches.append(f"{order.call_id}: person {call.person} owed nothing")
        elif stopped is not None:
            self._breaches.append(f"{order.call_id}: person {call.person} had said {stopped}")

    def classed(self, fact: CallClassed) -> None:
        call = self._calls.get(fact.call_id)
        if call is not None:
            call.answer_class, call.wait_us = fact.answer_class, fact.wait_us or 0

    def closed(self, fact: AttemptClosed) -> None:
        call = self._calls.pop(fact.call_id)
        if fact.disposition in NEVER_DIALLED or fact.event is None:
            return
        account = self._accounts[fact.person]
        account.attempts += 1
        day, hour = call.at
        counts = self._flows[day, hour, account.segment, call.campaign]
        counts[0] += 1
        counts[_RING] += (fact.ring_us or 0) // 1000
        answer = call.answer_class
        if answer is None:
            return
        counts[1] += 1
        account.answered = True
        heard_machine = fact.disposition is _HEARD_MACHINE
        if answer is _MET_AGENT:
            counts[_MACHINES if heard_machine else _PEOPLE] += 1
            counts[_CONNECTED] += 1
            counts[_WAIT] += call.wait_us // 1000
            counts[_TALK] += (fact.talk_us or 0) // 1000
            counts[_WRAP] += (fact.wrap_us or 0) // 1000
            if not heard_machine:
                counts[_CONTACTS] += 1
                account.contacts += 1
        elif answer is _NO_AGENT:
            counts[_PEOPLE] += 1
            counts[_ABANDONED] += 1
        else:
            counts[_BY_CLASS[answer]] += 1
        if fact.disposition in RIGHT_PARTY:
            counts[_RIGHT] += 1
            account.right_party = True
            place = _BY_DISPOSITION.get(fact.disposition)
            if place is not None:
                counts[place] += 1
            account.promised = account.promised or fact.disposition in _AGREED

    def worked(self, state: AgentState, day: int, hour: int, span_us: int) -> None:
        self._work[day, hour, state] += span_us

    def list_over(self, campaign: str, at: str) -> None:
        self._ended.setdefault(campaign, at)

    # ---- what the debtors do

    def promise(self, person: int, debt: int, amount_minor: int, currency: str, due_us: int) -> None:
        """Take a promise; one made before of the same debt that is not due yet gives way to it.

        Parameters
        ----------
        due_us : int
            When its day and its days of grace are over.
        """
        account = self._accounts[person]
        one = _Promise(len(self._days) - 1, account, debt, amount_minor, currency, due_us)
        self._promises.append(one)
        self._promised[debt] = one

    def paid(self, person: int, debt: int, amount_minor: int, currency: str, at_us: int) -> None:
        account = self._accounts.get(person)
        if account is None:
            return
        found = self._money[max(0, len(self._days) - 1), account.segment, currency]
        found[0] += 1
        found[1] += amount_minor
        if account.right_party:
            found[2] += amount_minor
        if currency == account.currency:
            account.paid_minor += amount_minor
        promise = self._promised.get(debt)
        if promise is not None and at_us <= promise.due_us:
            promise.paid_minor += amount_minor

    def asked(self, kind: str) -> None:
        self._stops[kind] += 1

    def complained(self) -> None:
        self._complaints += 1

    # ---- the end

    def outcome(self, *, arm: str, seed: int, end_us: int, rows: int) -> Outcome:
        """Return what it came to."""
        promised: defaultdict[tuple[int, int, str], list[int]] = defaultdict(lambda: [0] * 6)
        for one in self._promises:
            found = promised[one.day, one.account.segment, one.currency]
            found[0] += 1
            found[1] += one.amount_minor
            if one.due_us <= end_us:
                found[2] += 1
                found[3] += one.amount_minor
                kept = 10 * one.paid_minor >= 9 * one.amount_minor
                one.account.kept = one.account.kept or kept
                found[4] += kept
                found[5] += min(one.paid_minor, one.amount_minor)
        accounts: defaultdict[tuple[int, str, int], list[int]] = defaultdict(lambda: [0] * 10)
        contacts: defaultdict[tuple[int, int], int] = defaultdict(int)
        for account in self._accounts.values():
            found = accounts[account.segment, account.currency, min(account.attempts, MOST_ATTEMPTS)]
            found[0] += 1
            found[1] += account.contacts > 0
            found[2] += account.right_party
            found[3] += 0 < account.owed_minor <= account.paid_minor
            found[4] += account.owed_minor
            found[5] += account.paid_minor
            found[6] += account.answered
            found[7] += account.promised
            found[8] += account.kept
            found[9] += account.paid_minor > 0
            contacts[account.segment, min(account.contacts, MOST_ATTEMPTS)] += 1
        return Outcome(
            arm=arm,
            seed=seed,
            days=tuple(self._days),
            segments=tuple(self._segments),
            campaigns=tuple(self._campaigns),
            flows=tuple(Flow(*key, tuple(counts)) for key, counts in sorted(self._flows.items())),
            work=tuple(Work(*key, span_us // 1000) for key, span_us in sorted(self._work.items())),
            money=tuple(Money(*key, *found) for key, found in sorted(self._money.items())),
            promised=tuple(Promised(*key, *found) for key, found in sorted(promised.items())),
            accounts=tuple(Accounts(*key, *found) for key, found in sorted(accounts.items())),
            contacts=tuple(Contacts(*key, found) for key, found in sorted(contacts.items())),
            stops=dict(sorted(self._stops.items())),
            complaints=self._complaints,
            list_ended=dict(sorted(self._ended.items())),
            breaches=tuple(self._breaches),
            rows=rows,
        )


_PEOPLE, _ABANDONED, _MACHINES, _CONTACTS, _RIGHT = (
    _AT[name] for name in ("people", "abandoned", "machines", "contacts", "right_party")
)
_RING, _WAIT, _TALK, _WRAP = (_AT[name] for name in ("ring_ms", "wait_ms", "talk_ms", "wrap_ms"))
#: Met an agent: people and machines.
_CONNECTED = _AT["connected"]
_BY_CLASS = {
    AnswerClass.machine: _AT["machines"],
    AnswerClass.cut: _AT["cut"],
    AnswerClass.lost: _AT["lost"],
}
_BY_DISPOSITION = {
    Disposition.promise: _AT["promises"],
    Disposition.plan: _AT["plans"],
    Disposition.no_promise: _AT["refusals"],
    Disposition.dispute: _AT["disputes"],
}
_AGREED = frozenset({Disposition.promise, Disposition.plan})
#: Asked often: see `domain.calls.Word`.
_MET_AGENT, _NO_AGENT, _HEARD_MACHINE = AnswerClass.connected, AnswerClass.abandoned, Disposition.machine
