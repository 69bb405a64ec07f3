"""A list made by a strategy: who is on it today, in which order, under which arm, and with which chance.

The ledger and the simulator both call `decide`; chance is `strategy.lots` alone. Law kept: of every decision the chance
of each action is told as it was when the lots were drawn, over all of them: holdout, arm, exploration.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from domain.instants import to_datetime
from domain.people import Choice, ContactEvent, Dossier
from strategy.documents import HOLDOUT, Document, NumberOrder, Strategy, key_of, rules_of
from strategy.fields import Book, Columns, Scores, columns, day_number, kept_per_contact
from strategy.lots import draw

F8 = NDArray[np.float64]
I8 = NDArray[np.int64]
Flags = NDArray[np.bool_]

#: Priority of who is called by lot in a step that does not call.
PRIORITY: Final = 5
CALL, NONE = "call", "none"


class Stand(NamedTuple):
    """In which segment somebody stands, and since which day (days since 1970-01-01)."""

    segment: str
    since_day: int


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """What a list decided about one debtor."""

    person: int
    decided_us: int
    known_us: int
    action: str
    #: The chance of each action, adding up to 1.
    p_action: dict[str, float]
    arm: str
    strategy: str
    score_version: str | None
    segment: str
    treatment: str
    #: Day on which the debtor came into the segment, in days since 1970-01-01.
    since_day: int


@dataclass(slots=True, frozen=True)
class _Arm:
    """What one arm would do with everybody; all (n,)."""

    document: Document
    #: Places in `document.segments`.
    segment: I8
    #: Step of the segment's treatment, from 0; -1: its first has not come.
    step: I8
    since_day: I8
    calls: Flags
    #: Chance of being called under this arm.
    p_call: F8
    priority: I8


@dataclass(slots=True, frozen=True)
class Listing:
    """What was decided about everybody of a book, (n,) each unless said otherwise."""

    strategy: Strategy
    person: I8
    at_us: int
    #: Places in `arms`; -1: held out.
    arm: I8
    called: Flags
    p_call: F8
    #: Chance of being called under the own arm, for whoever is not held out: it holds whatever happened before.
    p_own: F8
    #: (n_called,) rows in the order of the list.
    order: I8
    score_version: str | None
    scored: Flags
    #: What ranked: place in the document's `ranks`, its length for nothing; and the value.
    tier: I8
    value: F8
    columns: Columns
    #: Called by lot, whatever their step says.
    by_lot: Flags
    priority: I8
    #: What orders those of one priority: `tier` and `value`, until a plan says better.
    stands: tuple[I8, F8]
    _arms: tuple[_Arm, ...]

    def ordered(self, tier: I8, value: F8) -> "Listing":
        """Return the list in another order: by tier, and within one by falling value; (n,) each."""
        order = _order(self.called, self.arm, self.priority, tier, value, self.person)
        return replace(self, order=order, stands=(tier, value))

    def keys(self, rows: I8) -> list[str]:
        """Return the keys of a campaign's treatments of those on the list in some rows."""
        names = [arm.name for arm in self.strategy.arms]
        found = []
        for row in rows.tolist():
            number = int(self.arm[row])
            _, treatment, step = self._where(row, number)
            found.append(key_of(names[number], treatment, step))
        return found

    def choices(self) -> Iterator[tuple[int, Choice, NumberOrder]]:
        """Yield the row, the choice and the order of numbers of those on the list, first first."""
        word, n = self.strategy.word, len(self.order)
        others = 1.0 - self.strategy.document.trial.holdout
        p_arms = [round(others * arm.share, 9) for arm in self.strategy.arms]
        names = [arm.name for arm in self.strategy.arms]
        for place, row in enumerate(self.order.tolist(), 1):
            number = int(self.arm[row])
            document = self._arms[number].document
            segment, treatment, step = self._where(row, number)
            ranked = int(self.tier[row]) < len(document.ranks)
            steps = document.treatments[treatment].steps
            yield (
                row,
                Choice(
                    strategy=word,
                    segment=segment,
                    treatment=key_of(names[number], treatment, step),
                    arm=names[number],
                    p_arm=p_arms[number],
                    p_call=round(float(self.p_call[row]), 9),
                    place=place,
                    of=n,
                    by=document.ranks[int(self.tier[row])] if ranked else "",
                    value=float(self.value[row]) if ranked else None,
                    score_version=self.score_version if self.scored[row] else None,
                ),
                steps[step].numbers,
            )

    def decisions(self, rows: Sequence[int] | I8) -> Iterator[Decision]:
        """Yield what was decided about the people of some rows."""
        word, arms = self.strategy.word, self.strategy.arms
        for row in map(int, rows):
            number = int(self.arm[row])
            # Whoever is held out stands where the champion would have him.
            segment, treatment, step = self._where(row, max(0, number))
            name = arms[number].name if number >= 0 else HOLDOUT
            p_call = round(float(self.p_call[row]), 9)
            yield Decision(
                person=int(self.person[row]),
                decided_us=self.at_us,
                known_us=self.at_us,
                action=CALL if self.called[row] else NONE,
                p_action={CALL: p_call, NONE: round(1.0 - p_call, 9)},
                arm=name,
                strategy=word,
                score_version=self.score_version if self.scored[row] else None,
                segment=segment,
                treatment=key_of(name, treatment, step),
                since_day=int(self._arms[max(0, number)].since_day[row]),
            )

    def segments(self, arm: int = 0) -> I8:
        """Return the place of everybody's segment in an arm's document."""
        return self._arms[arm].segment

    def since(self, arm: int = 0) -> I8:
        """Return the day on which everybody came into that segment, in days since 1970-01-01."""
        return self._arms[arm].since_day

    def steps(self, arm: int = 0) -> I8:
        """Return the step of everybody's treatment in an arm's document, from 0; -1: its first has not come."""
        return self._arms[arm].step

    def in_order(self, rows: Flags, priority: I8) -> I8:
        """Return the rows of some who are not held out as a list would have them; (n,) both, lowest priority first."""
        return _order(rows, self.arm, priority, *self.stands, self.person)

    def _where(self, row: int, arm: int) -> tuple[str, str, int]:
        found = self._arms[arm]
        segment = found.document.segments[int(found.segment[row])]
        return segment.name, segment.treatment, max(0, int(found.step[row]))


def decide(
    strategy: Strategy,
    campaign: str,
    book: Book,
    at_us: int,
    zone: str,
    stands: Mapping[int, Stand],
    scores: Scores | None = None,
) -> Listing:
    """Decide about everybody of a book.

    Parameters
    ----------
    campaign : str
        Lots of different campaigns have nothing to do with each other.
    stands : mapping of int to Stand
        Where people stood at the list before, as its decisions tell it.
    """
    found = columns(book, at_us, zone, scores)
    today = day_number(to_datetime(at_us, zone).date().isoformat())
    document, n = strategy.document, len(book.person)
    # Of the campaign, whatever document it has: who is held out is so for good, and two documents meet equal lots.
    lots = f"{campaign}/"
    before = [stands.get(person) for person in book.person.tolist()]
    stood = np.array([one.segment if one else "" for one in before], object)
    since = np.array([one.since_day if one else today for one in before], np.int64)
    arms = tuple(_arm(strategy.of_arm(arm.name), found, n, today, stood, since) for arm in strategy.arms)
    arm = _drawn(strategy, lots, book.person, today)
    held = draw(lots + "holdout", book.person) < document.trial.holdout
    explored, by_lot = draw(lots + "explore", book.person, today), draw(lots + "action", book.person, today) < 0.5
    called, p_call, p_own = np.zeros(n, bool), np.zeros(n), np.zeros(n)
    tier, value, priority = np.zeros(n, np.int64), np.full(n, np.nan), np.zeros(n, np.int64)
    drawn = np.zeros(n, bool)
    for number, (one, share) in enumerate(zip(arms, strategy.arms, strict=True)):
        p_call += (1.0 - document.trial.holdout) * share.share * one.p_call
        mine = arm == number
        p_own[mine] = one.p_call[mine]
        lot = mine & (explored < one.document.explore) & (one.p_call > 0.0) & (one.p_call < 1.0)
        called |= mine & np.where(lot, by_lot, one.calls)
        drawn |= lot & by_lot & ~one.calls
        tiers, values = _ranked(one.document, found, n)
        tier[mine], value[mine], priority[mine] = tiers[mine], values[mine], one.priority[mine]
    called &= ~held
    scored = np.zeros(n, bool) if scores is None else np.isin(book.person, scores.person)
    return Listing(
        strategy=strategy,
        person=book.person,
        at_us=at_us,
        arm=np.where(held, -1, arm),
        called=called,
        p_call=p_call,
        p_own=p_own,
        order=_order(called, arm, priority, tier, value, book.person),
        score_version=None if scores is None else scores.version,
        scored=scored,
        tier=tier,
        value=value,
        columns=found,
        by_lot=drawn,
        priority=priority,
        stands=(tier, value),
        _arms=arms,
    )


def _drawn(strategy: Strategy, lots: str, person: I8, today: int) -> I8:
    """Return the arm of everybody, were nobody held out."""
    trial = strategy.document.trial
    purpose = f"{lots}arm/{trial.lot}"
    if trial.unit == "pool_day":
        u = np.broadcast_to(draw(purpose, np.array([today])), person.shape)
    else:
        u = draw(purpose, person)
    bounds = np.cumsum([arm.share for arm in strategy.arms])[:-1]
    return np.searchsorted(bounds, u, side="right")


def _arm(document: Document, found: Columns, n: int, today: int, stood: Any, since: I8) -> _Arm:
    rules = rules_of(document)
    segment = np.full(n, -1)
    for place, condition in enumerate(rules.segments):
        holds = np.ones(n, bool) if condition.everybody else condition.holds(found)
        segment[(segment < 0) & holds] = place
    names = np.array([one.name for one in document.segments], object)
    since_day = np.where(stood == names[segment], since, today)
    step, calls, may = np.full(n, -1), np.zeros(n, bool), np.zeros(n, bool)
    priority = np.full(n, PRIORITY)
    for place, one in enumerate(document.segments):
        treatment = document.treatments[one.treatment]
        here = segment == place
        for number, each in enumerate(treatment.steps):
            now = here & (today - since_day >= each.after_days)
            step[now], calls[now] = number, each.channel == "call"
            priority[now] = each.priority if each.channel == "call" else PRIORITY
        may[here] = treatment.explored
        if (stop := rules.stops.get(one.treatment)) is not None:
            stopped = here & stop.holds(found)
            calls[stopped] = may[stopped] = False
    reachable = found["n_phones"] > 0
    calls, may = calls & reachable, may & reachable
    lot = document.explore / 2.0
    p_call = np.where(may, np.where(calls, 1.0 - lot, lot), calls.astype(np.float64))
    return _Arm(document, segment, step, since_day, calls, p_call, priority)


def _ranked(document: Document, found: Columns, n: int) -> tuple[I8, F8]:
    """Return by which of `ranks` everybody is ranked, and by what value."""
    told = [kept_per_contact(found)] if document.plans_kept else []
    told += [quantity.of(found, n) for quantity in rules_of(document).rank_by]
    tier, value = np.full(n, len(told)), np.full(n, np.nan)
    for place, of in enumerate(told):
        new = (tier == len(told)) & ~np.isnan(of)
        tier[new], value[new] = place, of[new]
    return tier, value


def _order(called: Flags, arm: I8, priority: I8, tier: I8, value: F8, person: I8) -> I8:
    """Return the rows of the called in the order of the list: each arm in its own, arms share by share."""
    rows = np.flatnonzero(called)
    worth = np.where(np.isnan(value[rows]), 0.0, -value[rows])
    rows = rows[np.lexsort((person[rows], worth, tier[rows], priority[rows], arm[rows]))]
    counts = np.bincount(arm[rows]) if len(rows) else np.zeros(1, np.int64)
    within = np.arange(len(rows)) - np.repeat(counts.cumsum() - counts, counts)
    share = (within + 0.5) / counts[arm[rows]]
    return rows[np.lexsort((arm[rows], share))]


def numbers_of(rule: NumberOrder, dossier: Dossier, today: int) -> tuple[int, ...]:
    """Return a debtor's numbers in the order of trial; empty: as the dossier has them."""
    phones = dossier.phones
    if rule == "as_imported" or len(phones) < 2:
        return ()
    if rule == "rotate":
        first = today % len(phones)
        return tuple(one.phone for one in (*phones[first:], *phones[:first]))
    if rule == "mobile_first":
        return tuple(one.phone for one in sorted(phones, key=lambda one: one.line_type != "mobile"))
    reached = {line.phone: line.at_us for line in dossier.history if line.event == ContactEvent.right_party_contact}
    return tuple(one.phone for one in sorted(phones, key=lambda one: -reached.get(one.phone, 0)))
