"""The lists of a month's strategies, and what they follow from: decisions before, calls of recent days, who works."""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial

from msgspec.structs import replace

from compliance.gate import Gate
from dialer.engine.state import State
from dialer.waiting import present, waiting
from domain.calls import Disposition
from domain.facts import AttemptClosed, CallClassed
from domain.instants import HOUR, SECOND, to_datetime
from domain.orders import Reserve
from domain.people import ContactEvent, Dossier
from domain.settings import CampaignSettings, FloorSettings
from ledger.decisions import REMEMBERED_US
from simulation.agents import Chair
from simulation.chance import Chance
from simulation.lists import Known, Made, by_strategy
from simulation.roster import Roster
from strategy.eligible import eligible
from strategy.fields import Scores
from strategy.learning import LIVE, STRETCH_US, Count, Habit
from strategy.listing import Stand
from strategy.planning import RECENT_US, Pace, Workplace
from strategy.replanning import Beliefs, Learnt, Replanned, beliefs, learn, learns, replan

#: Asked often: see `domain.calls.Word`.
_FAILED, _MACHINE, _RIGHT_PARTY = Disposition.network_fail, Disposition.machine, ContactEvent.right_party_contact
#: Returns what a model says of people at an instant.
Scorer = Callable[[Sequence[Dossier], int], Scores | None]


@dataclass(slots=True)
class _Try:
    """A call under way."""

    campaign: str
    #: When the stretch of time began in which it was reserved.
    stretch_us: int
    forecast: float | None
    #: Whether a person answered, as far as is known; None: nobody has yet.
    live: bool | None = None


class DayLists:
    """What one floor makes its strategies' lists from.

    Parameters
    ----------
    habit : Habit, optional
        What earlier days have taught of the hours; without it, what those of the month teach.
    """

    def __init__(
        self, floor: FloorSettings, law: Gate, roster: Roster, scores: Scorer | None, habit: Habit | None = None
    ) -> None:
        self._floor, self._law, self._roster, self._scores, self._habit = floor, law, roster, scores, habit
        #: What is known beside the dossiers.
        self.known = Known()
        self._shifts: dict[date, list[Chair]] = {}
        #: By campaign with a strategy, calls of recent days: when they ended, whether an agent and whether the debtor
        #: was on them, whether an agent heard a machine, how long they took.
        self._recent: dict[str, deque[tuple[int, bool, bool, bool, int]]] = {
            one.name: deque() for one in floor.campaigns if one.document
        }
        #: Their calls under way.
        self._open: dict[str, _Try] = {}
        #: By campaign, of calls with a forecast, by the stretch in which they were reserved: its sum, and the answered.
        self.counts: dict[str, dict[int, tuple[float, int]]] = {one.name: {} for one in floor.campaigns}
        #: By campaign, what was learned last, and what its plan of the day goes by.
        self.learnt: dict[str, Learnt] = {}
        self._beliefs: dict[str, Beliefs] = {}
        #: By campaign, who stands where since when.
        self.stands: dict[str, dict[int, tuple[Stand, int]]] = {one.name: {} for one in floor.campaigns}

    def reserved(self, order: Reserve, at_us: int) -> None:
        """Take down that a call is to be made."""
        if order.campaign in self._recent:
            self._open[order.call_id] = _Try(order.campaign, at_us - at_us % STRETCH_US, order.p_answer)

    def classed(self, fact: CallClassed) -> None:
        """Take down that a call was answered, by whatever."""
        one = self._open.get(fact.call_id)
        if one is not None:
            one.live = fact.answer_class in LIVE
            self._count(one, one.forecast, int(one.live))

    def closed(self, fact: AttemptClosed, at_us: int) -> None:
        """Take down how an attempt ended."""
        one = self._open.pop(fact.call_id, None)
        if one is None or fact.event is None:
            return
        if one.live is None and fact.disposition is not _FAILED:
            self._count(one, one.forecast, 0)
        elif one.live and fact.disposition is _MACHINE:
            # As the agent heard.
            self._count(one, 0.0, -1)
        took_us = (fact.talk_us or 0) + (fact.wrap_us or 0)
        right = fact.event == _RIGHT_PARTY
        met = fact.talk_us is not None
        heard = met and fact.disposition is _MACHINE
        self._recent[fact.campaign].append((at_us, met, right, heard, took_us))

    def _count(self, one: _Try, forecast: float | None, answered: int) -> None:
        if one.forecast is not None:
            counts = self.counts[one.campaign]
            before = counts.get(one.stretch_us, (0.0, 0))
            counts[one.stretch_us] = before[0] + (forecast or 0.0), before[1] + answered

    def make(self, campaign: CampaignSettings, dossiers: list[Dossier], at_us: int) -> Made:
        """Return a campaign's list of the day."""
        stands = self.stands[campaign.name]
        standing = {person: stand for person, (stand, since_us) in stands.items() if since_us >= at_us - REMEMBERED_US}
        may = partial(eligible, self._law, self._floor.hours_us(at_us))
        scores = None if self._scores is None else self._scores(dossiers, at_us)
        made = by_strategy(
            dossiers, campaign, at_us, self._floor.zone, self.known, standing, may, scores, self._place(campaign),
            self.pace(campaign.name, at_us),
        )  # fmt: skip
        for one in made.decisions:
            stands[one.person] = Stand(one.segment, one.since_day), one.decided_us
        return made

    def again(self, campaign: CampaignSettings, state: State) -> Replanned | None:
        """Return whom the day has taught to move; None: the plan stands."""
        if not learns(campaign):
            return None
        at_us, zone = state.at_us, self._floor.zone
        told = [Count(since_us, *of) for since_us, of in self.counts[campaign.name].items()]
        here, planned = present(state, campaign), self._staff(campaign, at_us - at_us % HOUR)
        before = self.learnt.get(campaign.name)
        if self._habit is not None:
            before = Learnt(to_datetime(at_us, zone).date().isoformat(), self._habit, ())
        learnt = learn(told, at_us, zone, here, planned, before)
        self.learnt[campaign.name] = learnt
        found = beliefs(learnt, at_us, zone)
        if not learnt.habit.learns or found.stands(self._beliefs.get(campaign.name)):
            return None
        leads, people = waiting(state, state.campaigns[campaign.name].leads.values())
        if not leads:
            return None
        self._beliefs[campaign.name] = found
        scores = None if self._scores is None else self._scores(people, at_us)
        pace = self.pace(campaign.name, at_us)
        return replan(self._place(campaign), campaign, leads, people, at_us, scores, pace, learnt, found)

    def _place(self, campaign: CampaignSettings) -> Workplace:
        floor = self._floor
        return Workplace(self._law, floor.zone, floor.first_hour, floor.slots, partial(self._staff, campaign))

    def pace(self, campaign: str, at_us: int) -> Pace:
        recent = self._recent[campaign]
        while recent and recent[0][0] < at_us - RECENT_US:
            recent.popleft()
        return Pace(
            attempts=len(recent),
            connected=sum(met for _, met, _, _, _ in recent),
            right_party=sum(right for _, _, right, _, _ in recent),
            handling_s=sum(took_us for _, _, _, _, took_us in recent) / SECOND,
            machines=sum(heard for _, _, _, heard, _ in recent),
            machines_s=sum(took_us for _, _, _, heard, took_us in recent if heard) / SECOND,
        )

    def _staff(self, campaign: CampaignSettings, hour_us: int) -> float:
        """Return how many agents the roster has for a campaign in an hour, were everybody to come."""
        day = to_datetime(hour_us, self._floor.zone).date()
        if day not in self._shifts:
            whole = replace(self._roster, absence=0.0)
            self._shifts[day] = whole.chairs(day, self._floor.zone, Chance(0), {})
        found = 0.0
        for chair in self._shifts[day]:
            if chair.campaigns and campaign.name not in chair.campaigns:
                continue
            ends_us = hour_us + HOUR if chair.ends_us is None else chair.ends_us
            found += max(0, min(hour_us + HOUR, ends_us) - max(hour_us, chair.starts_us)) / HOUR
        return found * campaign.weight / sum(one.weight for one in self._floor.campaigns)
