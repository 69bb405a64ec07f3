"""What a floor reads from the ledger while it runs: the day's lists, and what others wrote about its people."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from datetime import date, timedelta
from functools import partial
from typing import Protocol

import numpy as np
import structlog
from msgspec.structs import replace
from numpy.typing import NDArray

from compliance.gate import Gate as LawGate
from dialer.clocks import Clock
from dialer.commits import Commits
from dialer.engine import Engine, Gate
from dialer.engine.evolve import KEPT_DAYS
from dialer.lookups import Lookups
from dialer.recovery import settle
from dialer.waiting import present, waiting
from dialer.warming import warm_gate
from domain.calls import CampaignState
from domain.errors import LedgerStalled
from domain.events import AnyEvent, DayCount, LeadsLoaded, PastCounted, PersonChanged
from domain.instants import SECOND, to_datetime
from domain.people import Dossier, Lead
from domain.settings import CampaignSettings, FloorSettings
from strategy.eligible import eligible
from strategy.learning import STRETCH_US
from strategy.planning import Floor
from strategy.replanning import Beliefs, Learnt, beliefs, learns

#: How often the ledger is asked what others wrote, at most.
NEWS_EVERY_S = 0.25
#: People read at once.
_CHUNK = 200

Eligible = Callable[[CampaignSettings, Sequence[Dossier]], NDArray[np.bool_]]

log = structlog.get_logger()


class Lists(Protocol):
    """Lists and news as the ledger gives them."""

    def make_plan(
        self,
        campaign: CampaignSettings,
        at_us: int,
        zone: str,
        *,
        eligible: Eligible | None = None,
        floor: Floor | None = None,
    ) -> str: ...
    def plan_events(self, plan: str, campaign: str, at_us: int) -> Iterator[LeadsLoaded]: ...
    def learn_day(
        self, campaign: CampaignSettings, at_us: int, floor: Floor, present: float, before: Learnt | None
    ) -> Learnt: ...
    def replan_day(
        self,
        campaign: CampaignSettings,
        leads: Sequence[Lead],
        people: Sequence[Dossier],
        at_us: int,
        floor: Floor,
        learnt: Learnt,
        found: Beliefs,
    ) -> str | None: ...
    def changes(self, after: int, stream: str | None = None) -> tuple[int, list[int]]: ...
    def change_cursor(self) -> int: ...
    def dossiers(self, persons: Sequence[int]) -> list[Dossier]: ...
    def day_counts(self, campaign: str, first: date, until: date, zone: str) -> list[DayCount]: ...


class Reader:
    """Turns what the ledger holds into inputs of the engine."""

    def __init__(
        self,
        ledger: Lists,
        lookups: Lookups,
        engine: Engine,
        commits: Commits,
        accept: Callable[[AnyEvent], None],
        clock: Clock,
    ) -> None:
        self._ledger = ledger
        self._lookups = lookups
        self._engine = engine
        self._commits = commits
        self._accept = accept
        self._clock = clock
        #: What others wrote has been heard up to here; 0 after a restart: all of it is compared with the record.
        self._cursor = 0
        #: One list after the other: one that takes the place of another and one that moves who waits do not mix.
        self._listing = asyncio.Lock()
        #: By campaign, what its day has taught, and what its plan of the day goes by.
        self._learnt: dict[str, Learnt] = {}
        self._beliefs: dict[str, Beliefs] = {}
        #: By campaign, the day and the number of days that its past was counted for.
        self._counted: dict[str, tuple[date, int]] = {}

    # ---- lists

    async def load_day(self, settings: FloorSettings) -> None:
        """Load every campaign's list of this calendar day of the floor, as far as the record does not hold it."""
        async with self._listing:
            await self._load_day(settings)

    async def _load_day(self, settings: FloorSettings) -> None:
        for campaign in settings.campaigns:
            await self._count_past(settings, campaign.name)
            now_us, held = self._clock.now_us(), self._engine.state.campaigns[campaign.name]
            of_today = _day(held.plan_us, settings.zone) == _day(now_us, settings.zone)
            if held.plan and of_today:
                await self._load(campaign.name, held.plan)
                await self._count_past(settings, campaign.name)
            else:
                await self._load_new(settings, campaign)

    async def count_past(self, settings: FloorSettings) -> None:
        """Tell the engine of every campaign how the days before this one went, as far as its limits look back."""
        for campaign in settings.campaigns:
            await self._count_past(settings, campaign.name)

    async def _count_past(self, settings: FloorSettings, name: str) -> None:
        windows = self._engine.state.campaigns[name].pace.windows
        if not windows:
            return
        today = _day(self._clock.now_us(), settings.zone)
        # A window of calendar weeks or months grows from day to day, up to a month.
        wanted = (today, max(KEPT_DAYS, *(window.days for window in windows)))
        if self._counted.get(name) == wanted:
            return
        first = today - timedelta(days=wanted[1] - 1)
        days = await self._lookups.insist("past", self._ledger.day_counts, name, first, today, settings.zone)
        self._counted[name] = wanted
        self._accept(PastCounted(at_us=self._clock.now_us(), campaign=name, days=tuple(days)))

    async def load_new(self, settings: FloorSettings, campaign: CampaignSettings) -> None:
        """Make a campaign's list anew and load it; who is on the list already stays where he stands."""
        async with self._listing:
            await self._load_new(settings, campaign)

    async def _load_new(self, settings: FloorSettings, campaign: CampaignSettings) -> None:
        now_us = self._clock.now_us()
        make = self._ledger.make_plan
        if campaign.document and isinstance(self._engine.gate, LawGate):
            # A strategy's decisions are kept of those whom law lets it call.
            may = partial(eligible, self._engine.gate, settings.hours_us(now_us))
            make = partial(make, eligible=may, floor=Floor(self._engine.gate, settings))
        plan = await self._lookups.insist("plan", make, campaign, now_us, settings.zone)
        await self._load(campaign.name, plan)
        # Its people may have brought further limits.
        await self._count_past(settings, campaign.name)

    async def _load(self, name: str, plan: str) -> None:
        campaign = self._engine.state.campaigns[name]
        chunks = self._ledger.plan_events(plan, name, self._clock.now_us())
        while True:
            try:
                chunk = await self._lookups.call(next, chunks, None)
            except LedgerStalled as error:
                # An iterator that failed is spent; the next begins at the first chunk.
                await self._lookups.stalled("plan", error)
                chunks = self._ledger.plan_events(plan, name, self._clock.now_us())
                continue
            if chunk is None:
                break
            if campaign.plan != plan or chunk.chunk >= campaign.plan_chunks:
                await self._warm(self._engine.gate, name, chunk.people)
                self._accept(replace(chunk, at_us=self._clock.now_us()))
                settle()
                await self._commits.until(self._engine.seq)
        self._lookups.troubles.pop("plan", None)
        log.info("list_loaded", campaign=name, plan=plan, people=len(campaign.leads))

    # ---- the day's learning

    async def learn(self, settings: FloorSettings) -> None:
        """Plan the rest of the day anew wherever it has taught to, for ever."""
        learning = [one for one in settings.campaigns if learns(one)]
        while learning:
            await asyncio.sleep(max(0.05, self._clock.real_s(STRETCH_US - self._clock.now_us() % STRETCH_US)))
            for campaign in learning:
                await self.learn_once(settings, campaign)

    async def learn_once(self, settings: FloorSettings, campaign: CampaignSettings) -> None:
        """Plan the rest of a campaign's day anew if it has taught to."""
        state, name, gate = self._engine.state, campaign.name, self._engine.gate
        held = state.campaigns[name]
        now_us = self._clock.now_us()
        of_today = _day(held.plan_us, settings.zone) == _day(now_us, settings.zone)
        if held.state is not CampaignState.running or not of_today or not isinstance(gate, LawGate):
            return
        floor, here, before = Floor(gate, settings), present(state, campaign), self._learnt.get(name)
        ledger, insist = self._ledger, self._lookups.insist
        learnt = await insist("learning", ledger.learn_day, campaign, now_us, floor, here, before)
        self._learnt[name] = learnt
        found = beliefs(learnt, now_us, settings.zone)
        if not learnt.habit.learns or found.stands(self._beliefs.get(name)):
            return
        async with self._listing:
            leads, people = await self._waiting(name)
            if not leads:
                return
            self._beliefs[name] = found
            plan = await insist("learning", ledger.replan_day, campaign, leads, people, now_us, floor, learnt, found)
            if plan is not None:
                await self._load(name, plan)

    async def _waiting(self, name: str) -> tuple[list[Lead], list[Dossier]]:
        """Return who waits on a campaign's list, some at a time: callers do not wait for this."""
        state = self._engine.state
        leads: list[Lead] = []
        people: list[Dossier] = []
        entries = list(state.campaigns[name].leads.values())
        for start in range(0, len(entries), _CHUNK):
            some, theirs = waiting(state, entries[start : start + _CHUNK])
            leads += some
            people += theirs
            await asyncio.sleep(0)
        return leads, people

    # ---- news

    async def open(self) -> None:
        """Before anybody is called or loaded: note where the news stand, and get ready to judge who is on the lists."""
        if not self._engine.state.people:
            self._cursor = await self._lookups.insist("news", self._ledger.change_cursor)
        await self.get_ready(self._engine.gate)

    async def get_ready(self, gate: Gate) -> None:
        """Have a gate judge one of each kind on the lists, so that it is quick when it has to be."""
        state = self._engine.state
        for campaign in state.settings.campaigns:
            people = [state.people[person] for person in state.campaigns[campaign.name].leads]
            await self._warm(gate, campaign.name, people)

    async def _warm(self, gate: Gate, campaign: str, people: Sequence[Dossier]) -> None:
        state = self._engine.state
        await self._lookups.call(warm_gate, gate, state.campaign_settings(campaign), people, state.at_us)

    async def hear(self, tick_s: float) -> None:
        """Tell the engine what others write, for ever; first what they wrote while no engine ran."""
        state = self._engine.state
        stream = state.settings.stream
        cursor = self._cursor
        catching_up = cursor == 0
        while True:
            before = cursor
            cursor, persons = await self._lookups.insist("news", self._ledger.changes, cursor, stream)
            ours = [person for person in persons if person in state.people]
            for start in range(0, len(ours), _CHUNK):
                chunk = ours[start : start + _CHUNK]
                for dossier in await self._lookups.insist("news", self._ledger.dossiers, chunk):
                    if not catching_up or self._moved(dossier):
                        self._accept(PersonChanged(at_us=self._clock.now_us(), dossier=dossier))
            if cursor == before:
                catching_up = False
                await asyncio.sleep(max(NEWS_EVERY_S, self._clock.real_s(round(tick_s * SECOND))))

    def _moved(self, dossier: Dossier) -> bool:
        """Return whether a dossier tells of something that the record does not hold."""
        versions = self._engine.state.versions
        return any(cap.version != versions.get(cap.key, 0) for cap in dossier.keys)


def _day(at_us: int, zone: str) -> date:
    return to_datetime(at_us, zone).date()
