"""Which hour of the week each debtor is for: where an agent's time brings most, under law, caps and capacity.

The ledger's lists and the simulator's both call `Planner`. An attempt is worth P(the debtor himself answers) times what
a conversation with him is worth, and takes P(somebody answers) times the length of a conversation of an agent's time,
and P(a machine does) times the length of those, where agents hear them and a model tells them apart (decision 0043).
`strategy.slots` knows places and not seconds; so seconds are priced, at what the plan itself says that they bring, and
a place is as many of them as its hour's attempts take (decision 0029). Laws kept: nobody is planned for an hour that
the mask or his treatment's limits forbid; nobody is taken off the list: who is for another day is dialled when nobody
else is left, or waits for it if all calls that he may get in a week are planned (decision 0031).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

import msgspec
import numpy as np
from numpy.typing import NDArray

from compliance.columns import columns_of
from compliance.gate import Gate
from compliance.mask import calls_left
from domain.calls import Mode
from domain.instants import DAY, HOUR, from_datetime, to_datetime
from domain.people import Dossier
from domain.settings import CallTreatment, CampaignSettings, FloorSettings
from strategy.documents import Document
from strategy.fields import Scores
from strategy.forecasts import Forecasts
from strategy.listing import Listing
from strategy.objectives import NET_RECOVERY
from strategy.resting import rest
from strategy.seconds import in_seconds
from strategy.worths import is_money, unit_of, worths

F4 = NDArray[np.float32]
F8 = NDArray[np.float64]
I8 = NDArray[np.int64]
Flags = NDArray[np.bool_]

#: Days planned ahead, today the first.
DAYS: Final = 7
#: What the floor did counts so long.
RECENT_US: Final = 14 * DAY
#: Slots of a debtor in a week at most, where a document does not say.
PER_WEEK: Final = 3
#: Share of the agents' time that is spent on calls (assumed): so much of a large floor, less the fewer they are, since
#: calls cannot be dialled ahead for few.
_OCCUPANCY, _FEW, _LEAST = 0.9, 0.5, 0.3
#: What is assumed of a floor before it has called, and weighs as much as so many attempts.
_ASSUMED: Final = 300
_P_ANSWERED, _P_RIGHT, _HANDLING_S = 0.22, 0.13, 170.0
#: Machines heard that what is assumed of them counts as, and how long one is assumed to take, s.
_ASSUMED_HEARD: Final = 20
_HEARD_S: Final = 15.0
#: Where no forecast tells it: a call is worth so much of the one before at the same hour of the day.
_SAME_HOUR: Final = 0.85
#: Agents wait while a call rings, unless calls are dialled ahead of them.
_RING_S: Final = 25.0
_AHEAD: Final = frozenset({Mode.predictive, Mode.power})
WEEKDAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


class Pace(NamedTuple):
    """What a campaign's calls of recent days came to."""

    attempts: int = 0
    #: Calls that met an agent, those of them with the debtor himself, and how long agents talked and wrapped up.
    connected: int = 0
    right_party: int = 0
    handling_s: float = 0.0
    #: Of those calls, machines that agents heard, and how long these took.
    machines: int = 0
    machines_s: float = 0.0

    @property
    def p_answered(self) -> float:
        return (self.connected + _ASSUMED * _P_ANSWERED) / (self.attempts + _ASSUMED)

    @property
    def p_right(self) -> float:
        return (self.right_party + _ASSUMED * _P_RIGHT) / (self.attempts + _ASSUMED)

    @property
    def handling_per_call_s(self) -> float:
        """Return how long an answered call takes an agent."""
        n = _ASSUMED * _P_ANSWERED
        return (self.handling_s + n * _HANDLING_S) / (self.connected + n)

    @property
    def handling_per_person_s(self) -> float:
        """Return how long a call takes an agent that a person answers."""
        n = _ASSUMED * _P_ANSWERED
        took_s = max(0.0, self.handling_s - self.machines_s)
        return (took_s + n * _HANDLING_S) / (max(0, self.connected - self.machines) + n)

    @property
    def handling_per_machine_s(self) -> float:
        """Return how long a machine takes an agent who hears it."""
        return (self.machines_s + _ASSUMED_HEARD * _HEARD_S) / (self.machines + _ASSUMED_HEARD)


class Floor(NamedTuple):
    """Where a list is worked, as a running floor knows it."""

    gate: Gate
    settings: FloorSettings


NO_PACE: Final = Pace()


@dataclass(slots=True, frozen=True)
class Workplace:
    """The floor for which is planned."""

    gate: Gate
    zone: str
    first_hour: int
    slots: int
    #: Returns how many agents are to work for the campaign in the hour that begins at an instant, as far as is known.
    agents: Callable[[int], float]

    def hours_us(self, at_us: int) -> I8:
        """Return the starts of the hours of the floor's days from today on, (`DAYS` * slots,)."""
        today = to_datetime(at_us, self.zone).date()
        found = []
        for number in range(DAYS):
            day = today + timedelta(days=number)
            first = from_datetime(datetime.combine(day, time(self.first_hour), ZoneInfo(self.zone)))
            found += [first + n * HOUR for n in range(self.slots)]
        return np.array(found, np.int64)


def occupancy(agents: F8) -> F8:
    """Return which share of their time agents are planned to spend on calls, by how many they are."""
    return np.maximum(_LEAST, _OCCUPANCY - _FEW / np.sqrt(np.maximum(agents, 1.0)))


class Slot(msgspec.Struct, frozen=True, kw_only=True):
    """One hour of a plan."""

    hour_us: int
    local: str
    agents: float
    #: Debtors planned for it, what is expected of them, and the share of the agents' time that they take.
    debtors: int
    value: float
    used: float
    #: What one more agent in this hour would add.
    agent_hour: float


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What a plan comes to; values in minor units where `money`, else in units of `valued_by`."""

    slots: tuple[Slot, ...]
    debtors: int
    planned: int
    today: int
    value: float
    #: Share that a better plan might add at most, the price of a second being what it is.
    gap: float
    #: What conversations are valued by, with the share of the debtors; of the whole, whether it is money.
    valued_by: Mapping[str, float]
    money: bool
    #: What is counted: `money`, `contacts`, `promises kept`; empty: units of what ranks.
    unit: str
    #: Share of the debtors whose hours a model tells apart.
    forecast: float
    pace: Pace
    #: Share of agents' time that is planned to go into calls, over the week.
    occupancy: float


class Called(NamedTuple):
    """Whom a list calls, (n,) each, as a plan has to know them."""

    #: What ranks: place in the document's `ranks`, its length for nothing; and the value.
    tier: I8
    value: F8
    #: Called by lot, whatever their step says.
    by_lot: Flags
    treatments: Sequence[CallTreatment]


class Planned(NamedTuple):
    """Where everybody stands by a plan, (n,) each."""

    #: Start of the hour of today that a debtor is for; 0: of no hour of today.
    hour_us: I8
    #: What orders the list: 0 for today's, 1 for other days', 2 for those who cannot be called today; value per second.
    tier: I8
    gain: F8
    #: (n, slots of a debtor in a week) places of their hours in `Workplace.hours_us`, rising; before them -1.
    chosen: NDArray[np.int16]
    plan: Plan


class Planner:
    """Plans one arm's debtors of a list; rows are given part by part, then it is solved.

    Parameters
    ----------
    share : float
        Of the agents' time that is this arm's.
    learned : (slots,) float, optional
        How many times as often as forecast calls are answered in each hour of today; without it, as forecast.
    """

    def __init__(
        self,
        place: Workplace,
        campaign: CampaignSettings,
        document: Document,
        called: Called,
        at_us: int,
        scores: Scores | None,
        pace: Pace,
        share: float = 1.0,
        learned: Sequence[float] = (),
    ) -> None:
        self._place, self._campaign, self._document = place, campaign, document
        self._treatments, self._scores, self._pace, self._at_us = called.treatments, scores, pace, at_us
        self._hours = place.hours_us(at_us)
        n, s = len(called.tier), len(self._hours)
        self.value, self.work = np.zeros((n, s), np.float32), np.zeros((n, s), np.float32)
        self._per_week = min(PER_WEEK, document.limits.calls_per_week or PER_WEEK)
        #: Calls that each may have until and with an hour, if one is in it; by row, where the one before has to stand.
        self._left, self._after = np.zeros((n, s), np.uint8), dict[int, I8]()
        self._known = np.zeros(n, bool)
        self._worth, self._valued_by = worths(called.tier, called.value, called.by_lot, document)
        self._answers = np.ones(s, np.float32)
        self._answers[: len(learned)] = learned
        local = [to_datetime(int(at_us), place.zone) for at_us in self._hours]
        self._of_week = np.array([24 * one.weekday() + one.hour for one in local])
        self._of_day = np.array([one.hour for one in local])
        self._local = [one.isoformat(timespec="minutes") for one in local]
        agents = np.array([self._agents(int(at_us), one) for at_us, one in zip(self._hours, local, strict=True)])
        # Of the hour at hand the rest alone is left.
        left = np.clip((self._hours + HOUR - at_us) / HOUR, 0.0, 1.0)
        self.agents, self._share = share * agents * left, share

    def _agents(self, at_us: int, local: datetime) -> float:
        stated = self._document.capacity
        if not stated.agents:
            return self._place.agents(at_us)
        works = WEEKDAYS[local.weekday()] in stated.days
        return stated.agents.get(str(local.hour), 0.0) if works else 0.0

    def add(self, first: int, people: Sequence[Dossier]) -> None:
        """Take in the dossiers of some of the rows, from place `first` on."""
        n, s = len(people), len(self._hours)
        part = slice(first, first + n)
        worth = self._worth[part, None]
        numbers = None if self._scores is None or self._scores.numbers is None else Forecasts(self._scores, people)
        columns = columns_of(people)
        count = np.array([len(one.phones) for one in people], np.int64)
        own = rest(self._treatments[part], people, self._hours, self._at_us, self._place.zone, self._per_week + 1)
        left = np.zeros((n, s), np.uint8)
        after = np.broadcast_to(np.arange(s), (n, s))
        best = np.zeros((n, s), np.float32)
        work = np.zeros((n, s), np.float32)
        # Contacts and promises are not weighed against money.
        money = self._document.objective == NET_RECOVERY
        pace, cost = self._pace, self._document.capacity.cost_per_attempt if money else 0.0
        flat = np.power(_SAME_HOUR, self._same_hour(people))
        ring_s = 0.0 if self._campaign.mode in _AHEAD else _RING_S
        for number in range(int(count.max(initial=0))):
            # Hours that have begun may be planned still, for their rest: law is asked again at the call.
            law = calls_left(
                self._place.gate,
                columns,
                self._hours,
                self._per_week + 1,
                phones=np.where(number < count, number, -1).astype(np.int32),
                actor=self._campaign.actor,
                purpose=self._campaign.purpose,
                live_agent_guaranteed=True,
            )
            may = np.minimum(law.calls, own.calls)
            mask = (number < count)[:, None] & (may > 0)
            answered, right = pace.p_answered * flat, pace.p_right * flat
            takes_s, machines = np.full((n, 1), pace.handling_per_call_s), np.zeros((n, 1))
            if numbers is not None:
                told, (by_people, of_debtor, machine) = numbers.of(number, self._of_week)
                self._known[part] |= told
                # Models tell of people; agents hear machines out too.
                met = by_people + _machines(pace, by_people[told[:, None] & mask])
                if not self._campaign.detect_machines:
                    apart = (told & ~np.isnan(machine))[:, None]
                    met = np.where(apart, by_people, met)
                    takes_s = np.where(apart, pace.handling_per_person_s, takes_s)
                    machines = np.where(apart, machine[:, None], 0.0)
                answered, right = np.where(told[:, None], met, answered), np.where(told[:, None], of_debtor, right)
            answered, right = answered * self._answers, right * self._answers
            gain = np.where(mask, worth * right - cost, 0.0)
            better = gain > best
            best = np.where(better, gain, best)
            heard_s = (1.0 - np.minimum(answered, 1.0)) * machines * pace.handling_per_machine_s
            work = np.where(better, (answered * takes_s + heard_s + ring_s).astype(np.float32), work)
            left = np.where(better, may, left)
            after = np.where(better, np.minimum(law.after, own.after), after)
        self.value[part], self.work[part], self._left[part] = best, work, left
        # One slot a day says the same of most.
        bound = (after < np.arange(s) // self._place.slots * self._place.slots).any(axis=1)
        self._after |= {first + row: after[row] for row in np.flatnonzero(bound).tolist()}

    def _same_hour(self, people: Sequence[Dossier]) -> F4:
        """Return how often somebody was called at each hour of the floor's day, in recent days, (n, s)."""
        since_us, zone = self._at_us - RECENT_US, self._place.zone
        counts = np.zeros((len(people), 24), np.float32)
        for row, one in enumerate(people):
            for line in one.history:
                if line.at_us >= since_us and line.channel == "call" and not line.inbound:
                    counts[row, to_datetime(line.at_us, zone).hour] += 1
        return counts[:, self._of_day]

    def solve(self) -> Planned:
        """Return everybody's hour, and what orders the list: the best use of an agent's time first."""
        per_day, s = self._place.slots, len(self._hours)
        value = self.value
        # A debtor who is called now and then is less and less likely to be still unreached.
        p_right = np.divide(value, self._worth[:, None], out=np.zeros_like(value), where=self._worth[:, None] > 0)
        usual = np.where((p_right > 0).any(axis=1), p_right.sum(axis=1) / np.maximum(1, (p_right > 0).sum(axis=1)), 0.0)
        per_week = self._per_week
        ahead = (np.arange(s) // per_day) * (per_week / DAYS)
        unreached = np.power(np.clip(1.0 - usual, 0.0, 1.0)[:, None], ahead[None, :]).astype(np.float32)
        busy = occupancy(self.agents / max(self._share, 1e-9))
        seconds = self.agents * 3600.0 * busy
        chosen, prices, gap = in_seconds(value * unreached, self.work, seconds, per_week, per_day, self._left)
        self._part(chosen)
        row, place = np.nonzero(chosen >= 0)
        slot = chosen[row, place].astype(np.int64)
        today = slot < per_day
        hour = np.zeros(len(value), np.int64)
        hour[row[today]] = self._hours[slot[today]]
        is_today = hour > 0
        self._wait(chosen, hour)
        best = np.divide(value, self.work, out=np.zeros_like(value), where=self.work > 0)
        of_today = best[:, :per_day].max(axis=1, initial=0.0)
        gain = of_today.astype(np.float64)
        gain[row[today]] = best[row[today], slot[today]]
        # Who is for another day stands behind, and before those who cannot be called today as far as is known.
        tier = np.where(is_today, 0, np.where(of_today > 0, 1, 2))
        taken = np.bincount(slot, self.work[row, slot], s)
        brought = np.bincount(slot, (value * unreached)[row, slot], s)
        n = np.bincount(slot, minlength=s)
        slots = tuple(
            Slot(
                hour_us=int(self._hours[j]),
                local=self._local[j],
                agents=round(float(self.agents[j]), 3),
                debtors=int(n[j]),
                value=float(brought[j]),
                used=float(taken[j] / seconds[j]) if seconds[j] else 0.0,
                agent_hour=float(prices[j] * 3600.0 * busy[j]),
            )
            for j in range(s)
            if self._hours[j] + HOUR > self._at_us
        )
        plan = Plan(
            slots=slots,
            debtors=len(value),
            planned=int((chosen >= 0).any(axis=1).sum()),
            today=int(is_today.sum()),
            value=float(brought.sum()),
            gap=gap,
            valued_by=self._valued_by,
            money=is_money(self._document, self._valued_by),
            unit=unit_of(self._document, self._valued_by),
            forecast=float(self._known.mean()) if len(value) else 0.0,
            pace=self._pace,
            occupancy=float(seconds.sum() / max(1e-9, 3600.0 * self.agents.sum())),
        )
        return Planned(hour, tier, gain, chosen, plan)

    def _part(self, chosen: NDArray[np.int16]) -> None:
        """Leave out what comes too soon after a call that is planned: spans shorter than a week bind few, and late."""
        for row, after in self._after.items():
            before = -1
            for place, slot in enumerate(chosen[row].tolist()):
                if slot >= 0 and before >= after[slot]:
                    chosen[row, place] = -1
                elif slot >= 0:
                    before = slot
        if self._after:
            chosen.sort(axis=1)

    def _wait(self, chosen: NDArray[np.int16], hour: I8) -> None:
        """Let those wait for their day whose calls of the week are all planned: one today would take a better one's
        place."""
        rows = np.flatnonzero((hour == 0) & (chosen >= 0).any(axis=1))
        some = chosen[rows]
        planned = (some >= 0).sum(axis=1)
        nth = np.cumsum(some >= 0, axis=1)
        takes = (some >= 0) & (nth >= self._left[rows[:, None], some])
        limited = np.array([self._treatments[row].calls_per_week is not None for row in rows.tolist()], bool)
        waits = takes.any(axis=1) | (limited & (planned >= chosen.shape[1]))
        first = np.where(some >= 0, some, len(self._hours) - 1).min(axis=1)
        hour[rows[waits]] = self._hours[first[waits]]


def _machines(pace: Pace, by_people: F4) -> np.float32:
    """Return the chance that an agent meets a machine, given the chances that he meets a person."""
    return np.float32(max(0.0, pace.p_answered - float(by_people.mean())) if by_people.size else 0.0)


# ---- a whole list


def called_of(campaign: CampaignSettings, listing: Listing, rows: I8) -> Called:
    """Return some rows of a list as a plan knows them."""
    treatments = [campaign.treatment(key) for key in listing.keys(rows)]
    return Called(listing.tier[rows], listing.value[rows], listing.by_lot[rows], treatments)


def plan_list(
    place: Workplace,
    campaign: CampaignSettings,
    listing: Listing,
    scores: Scores | None,
    pace: Pace,
    people: Callable[[I8], Sequence[Dossier]],
    part: int,
) -> tuple[Listing, I8, dict[str, Plan]]:
    """Plan the arms of a list whose documents plan; return the list in its new order, hours by row, plans by arm.

    Parameters
    ----------
    people : callable
        Returns the dossiers of some rows, at most `part` at once.
    """
    hour_us = np.zeros(len(listing.person), np.int64)
    plans: dict[str, Plan] = {}
    strategy = listing.strategy
    on_list = int(listing.called.sum())
    for number, arm in enumerate(strategy.arms):
        document = strategy.of_arm(arm.name)
        rows = np.flatnonzero(listing.called & (listing.arm == number))
        if document.plan != "slots" or not len(rows):
            continue
        called = called_of(campaign, listing, rows)
        planner = Planner(place, campaign, document, called, listing.at_us, scores, pace, len(rows) / on_list)
        for first in range(0, len(rows), part):
            planner.add(first, people(rows[first : first + part]))
        found = planner.solve()
        tier, by = listing.stands[0].copy(), listing.stands[1].copy()
        hour_us[rows], tier[rows], by[rows] = found.hour_us, found.tier, found.gain
        listing = listing.ordered(tier, by)
        plans[arm.name] = found.plan
    return listing, hour_us, plans


def planned(listing: Listing) -> bool:
    """Return whether any arm of a list plans."""
    return any(listing.strategy.of_arm(arm.name).plan == "slots" for arm in listing.strategy.arms)
