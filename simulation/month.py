"""A month of one floor: the engine that runs live, day after day, with debtors who pay, ask and complain meanwhile.

A day begins with its lists, as `cadencia run` begins one, and ends when the last call has. Nights are skipped: nothing
ticks, and what debtors did is heard in the morning. While the floor works it is heard every hour. Equal arm, plan and
seed give an equal outcome in any process.
"""

import gc
from collections.abc import Callable, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Final, Literal
from zoneinfo import ZoneInfo

import msgspec
from msgspec.structs import replace

from compliance.gate import Gate
from compliance.packs import SHIPPED
from dialer.engine.leads import open_debts
from domain.calls import AgentState, CampaignState, Disposition
from domain.errors import BadInput, Broken
from domain.events import AnyEvent, CampaignOrdered, Disposed, LeadsLoaded, PersonChanged
from domain.facts import AgentShifted, AttemptClosed, CallClassed
from domain.instants import HOUR, SECOND, from_datetime, iso, midnight_us
from domain.orders import Originate, Reserve
from domain.people import GRACE_DAYS, Debt, Dossier, Stop, StopKind
from domain.settings import CampaignSettings, FloorSettings
from simulation.agents import Chair, Temper
from simulation.alarms import Alarm
from simulation.callees import Callees
from simulation.chance import Chance
from simulation.circumstances import Change, Incident, Swings, check_within, day_of, swung, today
from simulation.daylists import DayLists, Scorer
from simulation.exchange import WorldSettings
from simulation.lists import leads
from simulation.outcome import Collector, Outcome
from simulation.ownlist import read_people
from simulation.population import Asked, Deed, Paid, load, portfolio
from simulation.roster import Roster
from simulation.run import RunSettings, SimulatedFloor, uncollected
from simulation.tape import Tape
from simulation.truths import truths
from strategy.fields import Scores
from strategy.learning import STRETCH_US, Habit

#: Asked often: see `domain.calls.Word`.
_RUNNING, _OFFLINE = CampaignState.running, AgentState.offline
#: Leads in one event.
CHUNK: Final = 5_000
#: A day's last calls are over by then.
_AFTER_US: Final = 2 * HOUR


class Arm(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is compared: how the list is worked."""

    name: str
    floor: FloorSettings
    #: Folder of rule packs; empty: those shipped.
    rules: str = ""
    #: Reading of rules in doubt.
    strict: bool = True
    #: Who scores the people of a strategy's lists: `truth`, the world itself; empty: nobody.
    scores: Literal["", "truth"] = ""


class Plan(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What all arms share."""

    #: Preset or document of the world, as `simulation.population.load` takes it.
    world: str
    debtors: int
    #: File of a real ledger's people (`simulation.ownlist`), who are then the debtors; empty: the world makes them.
    people: str = ""
    #: First day of the floor's calendar, ISO.
    start: str
    days: int
    roster: Roster
    temper: Temper = Temper()
    exchange: WorldSettings = WorldSettings()
    incidents: tuple[Incident, ...] = ()
    changes: tuple[Change, ...] = ()
    swings: Swings = Swings()
    commit_us: int = 5_000

    def __post_init__(self) -> None:
        for field in ("debtors", "days"):
            value = getattr(self, field)
            if value < 1:
                raise BadInput(f"simulation: {field} must be 1 or more, was {value}; correct it")
        start = day_of(self.start, "simulation: start")
        check_within(self.incidents, self.changes, start, self.days)
        nobody = Chance(0)
        whole = replace(self.roster, absence=0.0)
        if not any(whole.chairs(start + timedelta(days=n), "UTC", nobody, {}) for n in range(self.days)):
            raise BadInput(
                f"simulation: no agent ever logs in within {self.days} days from {self.start}; "
                "give the roster a shift on one of them, or more days"
            )


def replicate(arm: Arm, plan: Plan, seed: int, journal: Tape | None = None) -> Outcome:
    """Run one arm through a plan with the luck of one seed.

    Parameters
    ----------
    journal : Tape, optional
        Takes the rows; without one they are forgotten once answered.

    Raises
    ------
    BadInput
        When nobody of the world is on any list.
    """
    return Month(arm, plan, seed, journal or Tape()).month()


class Month(SimulatedFloor):
    """One replication, to be run once.

    Parameters
    ----------
    scores : callable, optional
        Returns what a model says of people at an instant, for campaigns with a strategy.
    habit : Habit, optional
        As `simulation.daylists.DayLists` takes it.
    """

    def __init__(
        self,
        arm: Arm,
        plan: Plan,
        seed: int,
        tape: Tape,
        *,
        meets: Callable[[Callees, Chance], Callees] | None = None,
        scores: Scorer | None = None,
        habit: Habit | None = None,
    ) -> None:
        self._arm, self._plan, self._seed, self._tape = arm, plan, seed, tape
        self._zone = arm.floor.zone
        self._first = date.fromisoformat(plan.start)
        start_us = midnight_us(self._first, self._zone)
        laws = load(plan.world)
        self._law = Gate.load(Path(arm.rules) if arm.rules else SHIPPED, strict=arm.strict)
        super().__init__(
            floor=arm.floor,
            run=RunSettings(
                start_us=start_us,
                seed=seed,
                commit_us=plan.commit_us,
                world=plan.exchange,
                temper=plan.roster.temper or plan.temper,
                laws=laws,
            ),
            gate=self._law,
            ledger=tape,
            loads=(),
            chairs=(),
            meets=meets,
        )
        self._luck = Chance(seed)
        self._people: dict[int, Dossier] = self.engine.state.people
        self.portfolio = (
            read_people(plan.people) if plan.people else tuple(portfolio(laws, plan.debtors, seed, start_us))
        )
        #: Of who has been on no list yet: the floor does not know them.
        self._unlisted = {one.person: one for one in self.portfolio}
        self._collector = Collector([campaign.name for campaign in arm.floor.campaigns])
        #: Days that each agent has worked.
        self._worked: dict[str, int] = {}
        self._heard_us = start_us
        self._day, self._midnight_us = 0, start_us
        #: By campaign, who is on its list with which debts.
        self._listed: dict[str, dict[int, tuple[int, ...]]] = {one.name: {} for one in arm.floor.campaigns}
        self._lines_before = plan.exchange.lines
        #: Lists that moved who waited.
        self.replans = 0
        #: What agents said of calls at hand.
        self._said: dict[str, Disposed] = {}
        told = scores or (self._true_scores if arm.scores == "truth" else None)
        self._lists = DayLists(arm.floor, self._law, plan.roster, told, habit)

    def month(self) -> Outcome:
        """Run it to its end."""
        end_us = midnight_us(self._first + timedelta(days=self._plan.days), self._zone)
        gc.collect()  # a month before this one: its people hold each other, and would stay beside these
        with uncollected():
            self._begin()
            for number in range(self._plan.days):
                self._work(number)
            self._run_until(end_us)
            self._hear()
            self._keep_rest()
        return self._collector.outcome(arm=self._arm.name, seed=self._seed, end_us=end_us, rows=self.engine.seq)

    def habit(self, campaign: str) -> Habit:
        """Return what the days have taught of a campaign's hours."""
        found = self._lists.learnt.get(campaign)
        return Habit() if found is None else found.habit

    def _begin(self) -> None:
        self.people.meet(self.portfolio)
        self._tape.meet(self.portfolio)
        self._tape.know(self._people)
        self._collector.meet(self.portfolio, self._first)
        self._open()
        self.world.start()
        for one in self._plan.incidents:
            at_us = from_datetime(one.begins.replace(tzinfo=ZoneInfo(self._zone)))
            Alarm(self.env, at_us - self._now, self._befall, one)

    # ---- a day

    def _work(self, number: int) -> None:
        day = self._first + timedelta(days=number)
        self._day, self._midnight_us = number, midnight_us(day, self._zone)
        self._collector.begin_day(day.isoformat())
        chairs = self._chairs(day)
        if not chairs:
            return
        self._run_until(min(chair.starts_us for chair in chairs))
        self._hear()
        self._load_lists(day)
        for campaign in self._floor.campaigns:
            if self.engine.state.campaigns[campaign.name].state is not _RUNNING:
                self.accept(CampaignOrdered(at_us=self._now, campaign=campaign.name, verb="run"))
        self.staff.take(chairs)
        self._start_ticking()
        self._listen(self._stretch)
        self._learn(self._stretch)
        closes_us = max(chair.ends_us or 0 for chair in chairs)
        self._run_until(closes_us)
        # Conversations end, outcomes are recorded.
        while self._now < closes_us + _AFTER_US and self._busy():
            self._run_until(self._now + _LOOK_US)
        self._ticking = False

    def _chairs(self, day: date) -> list[Chair]:
        """Return who comes, everybody being as the changes have them on this day."""
        plan = self._plan
        roster = plan.roster
        found = today(plan.changes, day, self._first, plan.days, roster.absence)
        self.people.talk_time = found.handling_time
        self._swing(day, found.answer_rate)
        chairs = replace(roster, absence=found.absence).chairs(day, self._zone, self._luck, self._worked)
        return [replace(chair, pace=chair.pace * found.handling_time) for chair in chairs]

    def _busy(self) -> bool:
        return bool(self.world.lines) or any(
            agent.state not in (_OFFLINE, AgentState.away) for agent in self.engine.state.agents.values()
        )

    def _load_lists(self, day: date) -> None:
        """Load what is new on each campaign's list: whoever stands there already with the same debts stays."""
        dossiers = [self._as_it_stands(one.person) for one in self.portfolio]
        for number, campaign in enumerate(self._floor.campaigns):
            if campaign.document:
                self._load_strategy(campaign, dossiers, self._day * len(self._floor.campaigns) + number + 1)
                continue
            listed = self._listed[campaign.name]
            new = leads(dossiers, campaign, day, listed)
            if not new and not listed:
                raise BadInput(
                    f"simulation: nobody of world {self._plan.world!r} is on the list of campaign {campaign.name!r}; "
                    "widen its selection, or simulate more debtors"
                )
            listed.update((lead.person, lead.debts) for lead in new)
            for chunk, first in enumerate(range(0, len(new), CHUNK)):
                some = new[first : first + CHUNK]
                self.accept(
                    LeadsLoaded(
                        at_us=self._now,
                        campaign=campaign.name,
                        plan=f"{campaign.name}-{self._day + 1}",
                        chunk=chunk,
                        sha256="",
                        leads=tuple(some),
                        people=tuple(self._as_it_stands(lead.person) for lead in some),
                    )
                )

    def _load_strategy(self, campaign: CampaignSettings, dossiers: list[Dossier], plan: int) -> None:
        """Load the day's list of a campaign with a strategy; it takes the place of the one before."""
        made = self._lists.make(campaign, dossiers, self._now)
        if not made.chosen and not self._listed[campaign.name]:
            raise BadInput(
                f"simulation: nobody of world {self._plan.world!r} is chosen by campaign {campaign.name!r}; widen its "
                "selection, or simulate more debtors"
            )
        self._tape.decided(plan, campaign.name, made.decisions)
        self._listed[campaign.name].update((lead.person, lead.debts) for lead in made.leads)
        last = max(0, len(made.leads) - 1) // CHUNK
        for chunk in range(last + 1):
            some = made.leads[chunk * CHUNK : (chunk + 1) * CHUNK]
            self.accept(
                LeadsLoaded(
                    at_us=self._now,
                    campaign=campaign.name,
                    plan=f"{campaign.name}-{plan}",
                    chunk=chunk,
                    sha256="",
                    scores=made.scores,
                    replaces=chunk == last,
                    leads=tuple(some),
                    # Whom the floor knows it knows best.
                    people=tuple(self._unlisted[lead.person] for lead in some if lead.person not in self._people),
                )
            )

    def _learn(self, stretch: int) -> None:
        """Ask at each quarter of an hour whether the day has taught to plan the rest of it anew."""
        if not self._ticks(stretch):
            return
        for campaign in self._floor.campaigns:
            again = self._lists.again(campaign, self.engine.state)
            if again is not None and again.leads:
                self.replans += 1
                self.accept(
                    LeadsLoaded(
                        at_us=self._now,
                        campaign=campaign.name,
                        plan=f"{campaign.name}-{self._day + 1}-again-{self.replans}",
                        chunk=0,
                        sha256="",
                        scores=again.scores,
                        learned=again.by,
                        leads=tuple(again.leads),
                    )
                )
        Alarm(self.env, STRETCH_US - self._now % STRETCH_US, self._learn, stretch)

    def _true_scores(self, people: Sequence[Dossier], at_us: int) -> Scores:
        return truths(self.people, people, at_us, self._zone)

    def _as_it_stands(self, person: int) -> Dossier:
        return self._people.get(person) or self._unlisted[person]

    # ---- what debtors do meanwhile

    def _listen(self, stretch: int) -> None:
        if self._ticks(stretch):
            self._hear()
            Alarm(self.env, HOUR, self._listen, stretch)

    def _hear(self) -> None:
        """Take what debtors did since it was last asked; the floor learns of it now."""
        since_us, self._heard_us = self._heard_us, self._now
        if since_us == self._heard_us:
            return
        changed: dict[int, Dossier] = {}
        deeds = self.people.pass_time(since_us, self._heard_us)
        self._tape.heard(deeds, self._now)
        for deed in deeds:
            dossier = changed.get(deed.person) or self._as_it_stands(deed.person)
            changed[deed.person] = self._take(deed, dossier)
        self.people.meet(changed.values())
        for dossier in map(self._tape.moved, changed.values()):
            if dossier.person in self._people:
                self.accept(PersonChanged(at_us=self._now, dossier=dossier))
            else:
                self._unlisted[dossier.person] = dossier

    def _take(self, deed: Deed, dossier: Dossier) -> Dossier:
        if isinstance(deed, Paid):
            self._collector.paid(deed.person, deed.debt, deed.amount_minor, deed.currency, deed.at_us)
            self._lists.known.payments.append((deed.person, deed.debt, deed.amount_minor, deed.currency, deed.at_us))
            return replace(dossier, debts=tuple(_less(debt, deed) for debt in dossier.debts))
        if isinstance(deed, Asked):
            self._collector.asked(deed.stop)
            return replace(dossier, stops=(*dossier.stops, Stop(kind=deed.stop, channel=deed.channel)))
        self._collector.complained()
        return dossier

    def _swing(self, day: date, rates: Sequence[float]) -> None:
        """Have people pick up as often as they do in each hour of a day."""
        found = swung(self._plan.swings, rates, day, self._luck)
        for hour, rate in enumerate(found):
            at_us = self._midnight_us + hour * HOUR
            if at_us <= self._now or hour == 0:
                self._set_answer_rate(rate)
            elif rate != found[hour - 1]:
                Alarm(self.env, at_us - self._now, self._set_answer_rate, rate)

    def _set_answer_rate(self, rate: float) -> None:
        self.people.answer_rate = rate

    def _befall(self, one: Incident) -> None:
        span_us = round(one.minutes * 60 * SECOND)
        for node in self._plan.exchange.nodes:
            if one.kind == "link_down":
                self.world.cut_link(node)
                Alarm(self.env, span_us, self.world.mend_link, node)
            elif one.kind == "switch_restart":
                self.world.restart_node(node, span_us)
        if one.kind == "no_lines":
            self.world.settings = replace(self.world.settings, lines=0)
            Alarm(self.env, span_us, self._lines_back, None)

    def _lines_back(self, _: None) -> None:
        self.world.settings = replace(self.world.settings, lines=self._lines_before)

    # ---- counting

    def _desk(self, event: AnyEvent) -> None:
        if type(event) is Disposed:
            self._heard_said(event)
        super()._desk(event)

    def _heard_said(self, event: Disposed) -> None:
        """Note what an agent says of a call, and the promise that was given in it."""
        self._said[event.call_id] = event
        if event.disposition is not Disposition.promise or event.due_on is None:
            return
        call = self.engine.state.calls.get(event.call_id)
        if call is not None and event.debt is not None and call.disposed is None:
            until = date.fromisoformat(event.due_on) + timedelta(days=GRACE_DAYS + 1)
            due_us = midnight_us(until, self._zone)
            self._collector.promise(call.person, event.debt, event.amount_minor or 0, event.currency or "", due_us)

    def _reserved(self, order: Reserve) -> None:
        super()._reserved(order)
        now = self.env._now
        self._collector.reserved(order, (now - self._midnight_us) // HOUR)
        self._lists.reserved(order, now)

    def _dial(self, order: Originate) -> None:
        call = self.engine.state.calls[order.call_id]
        dossier = self._people[call.person]
        said = None
        if dossier.stops:
            said = next((one.kind for one in dossier.stops if one.kind in _NO_CALLS and one.binds("call", None)), None)
        self._collector.originated(order, self.env._now, paid=not open_debts(dossier, call.debts), stopped=said)
        super()._dial(order)

    def _classed(self, fact: CallClassed) -> None:
        super()._classed(fact)
        self._collector.classed(fact)
        self._lists.classed(fact)

    def _closed(self, fact: AttemptClosed) -> None:
        super()._closed(fact)
        self._collector.closed(fact)
        self._lists.closed(fact, self.env._now)
        said = self._said.pop(fact.call_id, None)
        if (
            said is not None
            and fact.disposition is said.disposition
            and said.amount_minor is not None
            and said.due_on is not None
        ):
            instalments = (said.instalments or 1) if fact.disposition is Disposition.plan else 0
            self._lists.known.promises.append(
                (fact.person, said.debt, said.amount_minor, said.currency or "", said.due_on, said.at_us, instalments)
            )
        if fact.event is None or self.engine.state.campaigns[fact.campaign].state is _RUNNING:
            return
        self._collector.list_over(fact.campaign, iso(self._now, self._zone))

    def _shifted(self, fact: AgentShifted) -> None:
        before = self._states.get(fact.agent)
        if before is not None:
            self._spend(*before)
        super()._shifted(fact)

    def _spend(self, state: AgentState, since_us: int) -> None:
        """Add time in a state to the hours that it lay in."""
        if state is _OFFLINE:
            return
        now, begins_us = self.env._now, self._midnight_us
        at_us = max(since_us, begins_us)
        while at_us < now:
            hour = (at_us - begins_us) // HOUR
            until_us = min(now, begins_us + (hour + 1) * HOUR)
            self._collector.worked(state, self._day, hour, until_us - at_us)
            at_us = until_us


#: What no call may follow, whatever the place: looked for here again, apart from the gate.
_NO_CALLS = frozenset({StopKind.do_not_call, StopKind.deceased})
#: How often it is looked whether a day's last calls are over.
_LOOK_US: Final = 30 * SECOND


def _less(debt: Debt, deed: Paid) -> Debt:
    if debt.debt != deed.debt:
        return debt
    left = debt.balance_minor - deed.amount_minor
    if left < 0:
        raise Broken(f"debt {debt.debt}: {deed.amount_minor} paid of {debt.balance_minor} owed")
    return replace(debt, balance_minor=left, state="open" if left else "paid")
