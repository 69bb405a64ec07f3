"""What follows contact, from a record: promises kept, stops asked for, complaints, payments after contacts by channel.

None is seen as such: a promise comes true because it was made or because the money was coming, a stop follows calls or
comes anyhow. So the recorded contacts are lived again: simulated debtors are rung when yours were, speak when yours
spoke, and get the messages that yours got; whether they promise, keep, pay, write or complain is theirs. The laws are
moved until these do it as often as yours did.

Whoever speaks is no average person: each counts by how readily he picks up.
"""

import math
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date, timedelta
from typing import Any, Final

import msgspec
from msgspec.structs import replace

from domain.instants import DAY, midnight_us, to_datetime
from domain.people import GRACE_DAYS, KEPT_SHARE, ContactEvent
from ledger.experience import Message, Paid, Promised, Try
from ledger.figures import share
from simulation.callees import Meeting
from simulation.chance import Chance
from simulation.counted import LEAST, Record, met, who
from simulation.estimates import Estimate, between, poisson, shrunk_ratios
from simulation.population import Asked, Complained, Debtors, Laws
from simulation.population import Paid as PaidHere

#: Rounds by which keeping is found, and seeds of each.
_ROUNDS: Final = 3
_SEEDS: Final = (31, 32, 33, 34, 35, 36)
#: Rounds by which rare deeds are found.
_RARE_ROUNDS: Final = 3
#: Of promises, so many must have been kept and so many not.
_OF_EACH: Final = 5
#: Where none was seen, with 95 % certainty no more than these were to be expected.
_NONE_SEEN: Final = 3.7
#: Payments within so many days of a contact are told.
AFTER_DAYS: Final = 10
#: By how much the loading of keeping on the amount differs between floors (assumed).
_SLOPES_APART: Final = 0.3


class After(msgspec.Struct, frozen=True, kw_only=True):
    """What a record holds of what followed its calls."""

    zone: str = "UTC"
    paid: Sequence[Paid] = ()
    promised: Sequence[Promised] = ()
    #: Person and kind of stops asked for in writing.
    asked: Sequence[tuple[int, str]] = ()
    messages: Sequence[Message] = ()
    #: How many complaints came in; None: nobody recorded or counted any.
    complaints: int | None = None


class Due(msgspec.Struct, frozen=True):
    """A promise whose day and grace are over."""

    stage: int
    #: Logarithm of the amount against the usual balance of its product.
    size: float
    kept: bool
    weight: float = 1.0


class Lived:
    """What came of contacts, added up."""

    def __init__(self) -> None:
        self.due: list[Due] = []
        self.asked: defaultdict[str, float] = defaultdict(float)
        self.complaints = 0.0
        #: By channel: first contacts with whole `AFTER_DAYS` to follow, and those after which something was paid.
        self.contacts: defaultdict[str, float] = defaultdict(float)
        self.paid_after: defaultdict[str, float] = defaultdict(float)


class Contacts:
    """The contacts of a record, in the order of time."""

    def __init__(self, record: Record, after: After, to_us: int) -> None:
        self.record = record
        self.after = after
        self.to_us = to_us
        #: First conversation of each debtor, with the call's instant.
        self.talks: dict[int, Try] = {}
        for case in record.cases:
            if who(case.one) == "debtor":
                self.talks.setdefault(case.one.person, case.one)
        #: Usual balance of each debt's product, minor units.
        self.usual = {
            debt.debt: record.mixture.usual_minor(one, debt.product, debt.currency)
            for one in record.people
            for debt in one.debts
        }
        known = record.stages
        self.messages = [one for one in after.messages if one.person in known]
        #: First contact of each person through each channel.
        self.firsts: dict[tuple[int, str], int] = {(one, "call"): call.closed_us for one, call in self.talks.items()}
        for message in self.messages:
            self.firsts.setdefault((message.person, message.channel), message.at_us)
        self._days: defaultdict[int, list[tuple[int, int, Any]]] = defaultdict(list)
        for place, case in enumerate(record.cases):
            if met(case.one) not in ("dead", "busy"):
                self._days[case.one.dialled_us // DAY].append((case.one.closed_us, place, case.one))
        for place, message in enumerate(self.messages):
            self._days[message.at_us // DAY].append((message.at_us, place, message))

    def seen(self) -> Lived:
        """Count the record."""
        found = Lived()
        call_of = {call.call_id: person for person, call in self.talks.items()}
        made = [one for one in self.after.promised if one.call_id in call_of]
        paid = [(one.person, one.debt, one.at_us, one.amount_minor) for one in self.after.paid]
        found.due += (one for _, one in _told(self, made, paid))
        for person, kind in self.after.asked:
            if person in self.record.stages:
                found.asked[kind] += 1
        found.complaints = float(self.after.complaints or 0)
        self._pay(found, ((one.person, one.at_us) for one in self.after.paid))
        return found

    def lived(self, laws: Laws, seeds: Sequence[int] = _SEEDS) -> Lived:
        """Count what came of them with debtors of these laws, per seed."""
        found = Lived()
        for seed in seeds:
            self._live(laws, seed, found, 1.0 / len(seeds))
        return found

    def _live(self, laws: Laws, seed: int, found: Lived, part: float) -> None:
        start_us, record = self.record.start_us, self.record
        debtors = Debtors(laws, Chance(seed), start_us=start_us)
        debtors.meet(record.people)
        spoke = [one for one in record.people if one.person in self.talks]
        ready = (
            dict(zip((one.person for one in spoke), debtors.truth(spoke, start_us).reach.tolist(), strict=True))
            if spoke
            else {}
        )
        total = sum(ready.values()) or 1.0
        weight = {person: value * len(ready) / total for person, value in ready.items()}
        made: list[Promised] = []
        paid: list[tuple[int, int, int, int]] = []
        at_us = start_us
        while at_us < self.to_us:
            until_us = min(self.to_us, (at_us // DAY + 1) * DAY)
            for _, _, one in sorted(self._days.get(at_us // DAY, ()), key=lambda each: each[:2]):
                self._contact(debtors, one, made, laws)
            for deed in debtors.pass_time(at_us, until_us):
                if isinstance(deed, PaidHere):
                    paid.append((deed.person, deed.debt, deed.at_us, deed.amount_minor))
                elif isinstance(deed, Asked):
                    found.asked[deed.stop.value] += part
                elif isinstance(deed, Complained):
                    found.complaints += part
            at_us = until_us
        found.due += [replace(one, weight=part * weight[person]) for person, one in _told(self, made, paid)]
        self._pay(found, ((person, when_us) for person, _, when_us, _ in paid), part, weight)

    def _contact(self, debtors: Debtors, one: Try | Message, made: list[Promised], laws: Laws) -> None:
        if isinstance(one, Message):
            if one.channel in laws.channels and one.event in ContactEvent.__members__:
                debtors.reached(one.person, one.channel, one.at_us, ContactEvent(one.event))
            return
        if self.talks.get(one.person) is not one:
            debtors.rang(one.person, one.dialled_us, spoke=who(one) == "debtor")
            return
        debtors.rang(one.person, one.dialled_us, spoke=False)
        meeting = Meeting(phone=one.phone, person=one.person, nth=1, who="debtor", fate=None, setup_us=0, ring_us=0)
        said = debtors.say(meeting, one.closed_us, one.person, ())
        if said.disposition == "promise" and said.due_on is not None:
            made.append(
                Promised(one.call_id, one.person, said.debt, said.amount_minor or 0, said.due_on, one.closed_us)
            )

    def _pay(
        self, found: Lived, paid: Iterable[tuple[int, int]], part: float = 1.0, weight: dict[int, float] | None = None
    ) -> None:
        """Count first contacts, and those after which something was paid."""
        of: defaultdict[int, list[int]] = defaultdict(list)
        for person, at_us in paid:
            of[person].append(at_us)
        for (person, channel), at_us in self.firsts.items():
            until_us = at_us + AFTER_DAYS * DAY
            if until_us > self.to_us:
                continue
            counts = part * (weight or {}).get(person, 1.0)
            found.contacts[channel] += counts
            instants = sorted(of.get(person, ()))
            found.paid_after[channel] += counts * (bisect_right(instants, until_us) > bisect_right(instants, at_us))


def _told(
    contacts: Contacts, made: Iterable[Promised], paid: Iterable[tuple[int, int, int, int]]
) -> Iterator[tuple[int, Due]]:
    """Say of each promise whose day and grace are over whether it was kept, as the reports do."""
    zone, usual = contacts.after.zone, contacts.usual
    of: defaultdict[int, list[tuple[int, int, int]]] = defaultdict(list)
    for person, debt, at_us, amount_minor in paid:
        of[person].append((debt, at_us, amount_minor))
    for one in made:
        until_us = midnight_us(date.fromisoformat(one.due_on) + timedelta(days=GRACE_DAYS + 1), zone)
        if until_us > contacts.to_us or one.person not in contacts.record.stages:
            continue
        since_us = midnight_us(to_datetime(one.made_us, zone).date(), zone)
        received = sum(
            amount
            for debt, at_us, amount in of.get(one.person, ())
            if one.debt in (None, debt) and since_us <= at_us < until_us
        )
        size = math.log(max(1, one.amount_minor) / usual[one.debt]) if one.debt in usual else 0.0
        yield one.person, Due(contacts.record.stages[one.person], size, received >= KEPT_SHARE * one.amount_minor)


# ---- the laws moved


def aftermath(
    record: Record, laws: Laws, after: After, to_us: int, missing: dict[str, str], observed: dict[str, str]
) -> list[Estimate]:
    """Estimate what the laws say of promises, stops and complaints; tell what was paid after contacts."""
    contacts = Contacts(record, after, to_us)
    seen = contacts.seen()
    missing["promises: amounts, late_days, p_late, p_short; plans"] = "not estimated: what is kept in time is"
    found = _kept(contacts, seen, laws, missing)
    for one in found:
        laws = replace(laws, promises=replace(laws.promises, **{one.at.split(".")[1]: one.value}))
    laws, of_writing = _written(contacts, seen, laws, missing)
    lived = contacts.lived(laws)
    found += of_writing(lived)
    if not after.messages:
        missing["channels"] = "no message is on record of this time"
    for channel, n in sorted(seen.contacts.items()):
        hits = seen.paid_after[channel]
        told = share("", round(hits), round(n))
        # Nobody counts who could not be reached in any of these worlds.
        of = lived.contacts[channel]
        here = f"{lived.paid_after[channel] / of:.1%}" if of else "not told"
        observed[f"paid within {AFTER_DAYS} days of the first {'conversation' if channel == 'call' else channel}"] = (
            f"{hits:.0f} of {n:.0f}, {hits / n:.1%} (95 % in {told.low:.1%} to {told.high:.1%}); {here} in this world"
        )
    return found


def _rate(due: Sequence[Due]) -> float:
    total = sum(one.weight for one in due)
    return sum(one.weight * one.kept for one in due) / total if total else 0.0


def _kept(contacts: Contacts, seen: Lived, laws: Laws, missing: dict[str, str]) -> list[Estimate]:
    """State by how much the odds of keeping differ from the base's, by stage and with the amount."""
    due = seen.due
    kept = sum(one.kept for one in due)
    if len(due) < 2 * LEAST or min(kept, len(due) - kept) < _OF_EACH:
        missing["promises.by_stage"] = (
            f"{len(due)} promises due, {kept} kept: {2 * LEAST} wanted, {_OF_EACH} kept and {_OF_EACH} not"
        )
        missing["promises.by_amount"] = missing["promises.by_stage"]
        return []
    stages = len(laws.stage_days) + 1
    by_stage = list(laws.promises.by_stage or (0.0,) * stages)
    by_amount = laws.promises.by_amount
    middle = sorted(one.size for one in due)[len(due) // 2]
    enough = all(
        min(sum(one.kept for one in half), sum(not one.kept for one in half)) >= LEAST for half in _halves(due, middle)
    )
    for _ in range(_ROUNDS):
        moved = replace(laws, promises=replace(laws.promises, by_stage=tuple(by_stage), by_amount=by_amount))
        here = contacts.lived(moved).due
        hits, wanted = defaultdict[object, float](float), defaultdict[object, float](float)
        n_seen = [sum(one.stage == stage for one in due) for stage in range(stages)]
        rates = [_rate([one for one in here if one.stage == stage]) or _rate(here) for stage in range(stages)]
        for one in due:
            hits[one.stage] += one.kept
        for stage in range(stages):
            wanted[stage] = n_seen[stage] * rates[stage]
        ratios = shrunk_ratios(hits, wanted)
        all_of = kept / max(1e-9, sum(wanted.values()))
        for stage, rate in enumerate(rates):
            target = min(0.95, rate * (ratios.get(stage, all_of) if n_seen[stage] else all_of))
            by_stage[stage] = _bounded(by_stage[stage] + _gain(moved, here, stage) * (_logit(target) - _logit(rate)))
        if enough:
            by_amount = _bounded(by_amount + _slope(due, here, middle))
    told = share("", kept, len(due))
    how = (
        f"kept by {KEPT_SHARE:.0%} until {GRACE_DAYS} days after their day: {kept} of {len(due)}, 95 % in "
        f"[{told.low:.3f}, {told.high:.3f}]; by stage "
        + ", ".join(
            f"{sum(one.kept for one in due if one.stage == stage)} of {n_seen[stage]}" for stage in range(stages)
        )
        + "; thin stages drawn to all"
    )
    found = [
        Estimate(at="promises.by_stage", value=tuple(float(f"{one:.3g}") for one in by_stage), n=len(due), how=how)
    ]
    if enough:
        halves = ", ".join(f"{sum(one.kept for one in half)} of {len(half)}" for half in _halves(due, middle))
        how = f"promises of the smaller and the larger half: kept {halves}; drawn to the base's by its own error"
        found.append(Estimate(at="promises.by_amount", value=float(f"{by_amount:.3g}"), n=len(due), how=how))
    else:
        missing["promises.by_amount"] = f"{LEAST} kept and {LEAST} not kept wanted of the smaller and the larger half"
    return found


def _gain(laws: Laws, here: Sequence[Due], stage: int) -> float:
    """Return by how much more the odds of those who can keep must move than those of all: others promise what comes."""
    rate = _rate([one for one in here if one.stage == stage]) or _rate(here)
    shares = [kind.share[stage] * (kind.keeps > 0.0) for kind in laws.responses.values()]
    able = sum(shares) / sum(kind.share[stage] for kind in laws.responses.values())
    return min(3.0, 1.0 / max(0.2, able)) if 0.0 < rate < 1.0 else 1.0


def _halves(due: Sequence[Due], middle: float) -> tuple[list[Due], list[Due]]:
    return [one for one in due if one.size < middle], [one for one in due if one.size >= middle]


def _slope(due: Sequence[Due], here: Sequence[Due], middle: float) -> float:
    """Return by how much keeping goes with the amount more than in the laws, drawn to nothing by its own error."""
    now, then = _halves(due, middle), _halves(here, middle)
    if any(not half or not 0.0 < _rate(half) < 1.0 for half in (*now, *then)):
        return 0.0
    apart = sum(one.size for one in now[1]) / len(now[1]) - sum(one.size for one in now[0]) / len(now[0])
    if apart < 0.1:
        return 0.0
    more = (_logit(_rate(now[1])) - _logit(_rate(now[0]))) - (_logit(_rate(then[1])) - _logit(_rate(then[0])))
    error2 = sum(1.0 / (len(half) * _rate(half) * (1.0 - _rate(half))) for half in now) / apart**2
    return more / apart * _SLOPES_APART**2 / (_SLOPES_APART**2 + error2)


def _logit(p: float) -> float:
    inside = min(0.995, max(0.005, p))
    return math.log(inside / (1.0 - inside))


def _bounded(value: float) -> float:
    return min(4.0, max(-4.0, value))


def _written(
    contacts: Contacts, seen: Lived, laws: Laws, missing: dict[str, str]
) -> tuple[Laws, Callable[[Lived], list[Estimate]]]:
    """Move the rates of stops asked for in writing, and of complaints; both rates of each go by one factor.

    Returns
    -------
    The laws moved, and what states it once it is known what these laws come to.
    """
    stops = list(dict.fromkeys(ask.stop for ask in laws.asks))
    hits: dict[object, float] = {stop.value: seen.asked.get(stop.value, 0.0) for stop in stops}
    asked, came = sum(hits.values()) >= LEAST, contacts.after.complaints
    if not asked:
        missing["asked"] = f"{sum(hits.values()):.0f} stops asked for in writing, {LEAST} wanted"
    if came is None:
        missing["complaints"] = "none is on record; say how many came in with --complaints"
    # Rare deeds: what the base has of them is known well once there are as many as came in.
    for _ in range(_RARE_ROUNDS * (asked or came is not None)):
        lived = contacts.lived(laws)
        if asked:
            ratios = shrunk_ratios(hits, {stop.value: lived.asked.get(stop.value, 0.0) for stop in stops})
            factors = {stop: between(laws.asked.get(stop, 1.0) * ratios[stop.value], 1e-3, 1e4) for stop in stops}
            laws = replace(laws, asked=factors)
        if came is not None:
            # Drawn to the base's as if one more had been expected and come.
            factor, of = (came + 1.0) / (lived.complaints + 1.0), laws.complaints
            of = replace(of, per_day=_short(of.per_day * factor), per_pressure=_short(of.per_pressure * factor))
            laws = replace(laws, complaints=of)

    def stated(lived: Lived) -> list[Estimate]:
        found: list[Estimate] = []
        for stop in stops if asked else ():
            n, here = hits[stop.value], max(lived.asked.get(stop.value, 0.0), 1e-9)
            how = "as many times as the base's people; thin ones drawn to all"
            found.append(_rate_of(f"asked.{stop.value}", laws.asked[stop], round(n), here, how))
        for key in ("per_day", "per_pressure") if came is not None else ():
            how = "both rates by one factor"
            found.append(
                _rate_of(f"complaints.{key}", getattr(laws.complaints, key), came or 0, lived.complaints or 1e-9, how)
            )
        return found

    return laws, stated


def _rate_of(at: str, value: float, n: int, here: float, how: str) -> Estimate:
    """State a rate by which `here` are to be expected where n were seen."""
    low, high = poisson(n)
    most = value * n * high / here if n else value * _NONE_SEEN / here
    return Estimate(at=at, value=value, n=n, low=value * n * low / here, high=most, how=how)


def _short(value: float) -> float:
    return float(f"{value:.4g}")
