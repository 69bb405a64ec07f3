"""The lists of a month's strategies, and what they follow from: decisions before, calls of recent days, who works."""

from collections import deque
from collections.abc import Callable, Sequence
from datetime import date
from functools import partial

from msgspec.structs import replace

from compliance.gate import Gate
from domain.facts import AttemptClosed
from domain.instants import HOUR, SECOND, to_datetime
from domain.people import ContactEvent, Dossier
from domain.settings import CampaignSettings, FloorSettings
from ledger.decisions import REMEMBERED_US
from simulation.agents import Chair
from simulation.chance import Chance
from simulation.lists import Known, Made, by_strategy
from simulation.roster import Roster
from strategy.eligible import eligible
from strategy.fields import Scores
from strategy.listing import Stand
from strategy.planning import RECENT_US, Pace, Workplace

#: Returns what a model says of people at an instant.
Scorer = Callable[[Sequence[Dossier], int], Scores | None]


class DayLists:
    """What one floor makes its strategies' lists from."""

    def __init__(self, floor: FloorSettings, law: Gate, roster: Roster, scores: Scorer | None) -> None:
        self._floor, self._law, self._roster, self._scores = floor, law, roster, scores
        #: What is known beside the dossiers.
        self.known = Known()
        self._shifts: dict[date, list[Chair]] = {}
        #: By campaign, calls of recent days: when they ended, whether an agent and whether the debtor was on them,
        #: how long they took.
        self._recent: dict[str, deque[tuple[int, bool, bool, int]]] = {one.name: deque() for one in floor.campaigns}
        #: By campaign, who stands where since when.
        self.stands: dict[str, dict[int, tuple[Stand, int]]] = {one.name: {} for one in floor.campaigns}

    def closed(self, fact: AttemptClosed, at_us: int) -> None:
        """Take down how an attempt ended."""
        if fact.event is not None:
            took_us = (fact.talk_us or 0) + (fact.wrap_us or 0)
            right = fact.event == ContactEvent.right_party_contact
            self._recent[fact.campaign].append((at_us, fact.talk_us is not None, right, took_us))

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

    def _place(self, campaign: CampaignSettings) -> Workplace:
        floor = self._floor
        return Workplace(self._law, floor.zone, floor.first_hour, floor.slots, partial(self._staff, campaign))

    def pace(self, campaign: str, at_us: int) -> Pace:
        recent = self._recent[campaign]
        while recent and recent[0][0] < at_us - RECENT_US:
            recent.popleft()
        return Pace(
            attempts=len(recent),
            connected=sum(met for _, met, _, _ in recent),
            right_party=sum(right for _, _, right, _ in recent),
            handling_s=sum(took_us for _, _, _, took_us in recent) / SECOND,
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
