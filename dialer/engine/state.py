"""The engine's state: what a fold of the journal leaves in memory. Only `dialer.engine.evolve` changes it."""

from collections.abc import Callable, Iterator
from datetime import date, timedelta
from math import ceil

import msgspec

from dialer.engine.columns import Busy, Unanswered
from dialer.engine.queue import Agenda, Queue
from dialer.pacing import Limit, Pacer, PacingSettings
from domain import forecasts
from domain.calls import AgentState, AnswerClass, CampaignState, Mode, Phase
from domain.events import DayCount, Disposed
from domain.facts import PacingDecided
from domain.instants import HOUR, SECOND, to_datetime
from domain.offers import Offer
from domain.pace import Pace, PaceRule, strictest
from domain.people import Choice, Dossier, Phone
from domain.settings import CampaignSettings, FloorSettings, Window

#: A lead's place: callable now, waiting for an instant, waiting for an agent of its own, in a call or preview, gone.
READY, PARKED, HELD, BUSY, CLOSED = "ready", "parked", "held", "busy", "closed"
#: States of agents who work: they have a call or may be given one.
WORKING = frozenset(
    {AgentState.ready, AgentState.reserved, AgentState.previewing, AgentState.talking, AgentState.wrapup}
)
#: States that may have lasted long enough.
CLOCKED = frozenset({AgentState.away, AgentState.wrapup, AgentState.previewing})


# Calls, agents and leads hold no cycles, so the collector need not walk them (`gc=False`).


class Call(msgspec.Struct, gc=False, kw_only=True, omit_defaults=True):
    call_id: str
    campaign: str
    person: int
    debts: tuple[int, ...]
    phone: int
    #: Names of the cap keys that its reservation bumped.
    keys: tuple[str, ...]
    mode: Mode
    node: str
    trunk: str
    caller_id: str
    language: str
    abandon_message: bool
    #: Verdict's end.
    valid_until_us: int | None = None
    #: Chance that it takes an agent.
    p_taken: float | None = None
    #: The last that the network told before the outcome: 0 nothing, 1 ringing, 2 early media.
    progress: int = 0
    phase: Phase = Phase.reserving
    #: Entered the phase.
    since_us: int = 0
    reserved_us: int = 0
    dialled_us: int = 0
    answered_us: int = 0
    #: Where the patience started; 0 before.
    clock_us: int = 0
    connected_us: int = 0
    ended_us: int = 0
    #: Reserved for it, being connected, or talking.
    agent: str | None = None
    #: The agent was reserved before dialling: this call may never find nobody.
    pinned: bool = False
    #: Agents who refused it.
    refused: tuple[str, ...] = ()
    #: Why we asked the switch to end it; empty: we did not.
    hangup_why: str = ""
    answer_class: AnswerClass | None = None
    detected: str = ""
    #: What the agent recorded before the conversation was over.
    disposed: Disposed | None = None
    #: What the agent may offer, by the step under which the call was decided.
    offer: Offer | None = None
    q850: int | None = None
    sip: int | None = None
    #: Group of agents that its step asks for; empty: none.
    agent_group: str = ""


class Agent(msgspec.Struct, gc=False, kw_only=True, omit_defaults=True):
    agent: str
    node: str
    #: Empty: every campaign of the floor.
    campaigns: tuple[str, ...] = ()
    call_me: bool = True
    state: AgentState = AgentState.offline
    since_us: int = 0
    reason: str = ""
    phone_up: bool = False
    call_id: str | None = None
    #: What follows the call or wrap-up at hand, or the calls that ring for him: `ready`, `leave`, or a pause reason.
    then: str = "ready"
    #: When he asked to pause or leave; 0: he did not, or is ready again.
    asked_us: int = 0
    allotted: str | None = None
    #: Campaign and person on a preview screen.
    preview: tuple[str, int] | None = None
    calls_today: int = 0
    #: End of the shift, where it is known.
    until_us: int | None = None
    #: Campaign of the conversation at hand or being wrapped up; `allotted` is the one worked for next.
    serving: str | None = None
    #: Since when the conversation at hand is about to end, by the agent's word; 0: it is not.
    finishing_us: int = 0
    groups: tuple[str, ...] = ()


class LeadState(msgspec.Struct, gc=False, kw_only=True, omit_defaults=True):
    person: int
    rank: int
    debts: tuple[int, ...]
    owner: str | None = None
    place: str = READY
    #: Distinguishes the lead's newest queue entry from those it left behind.
    token: int = 0
    at_us: int = 0
    why: str = ""
    attempts: int = 0
    ended: dict[str, int] = {}
    phone_index: int = 0
    #: Agent who owns the call-back at hand.
    call_back: str | None = None
    #: Whether the debtor asked for the next call: until one is made, whatever puts it off.
    asked: bool = False
    #: Numbers in the order of trial; empty: as the dossier has them.
    numbers: tuple[int, ...] = ()
    choice: Choice | None = None
    #: The list that named it last.
    plan: str = ""
    #: By phone, where a model told it: `domain.forecasts`.
    reach: tuple[tuple[int, bytes], ...] = ()

    def chances(self, phone: int, hour: int, detected: bool) -> tuple[float | None, float | None]:
        """Return the chances, where they are told, that a person answers on a number at an hour of the floor's day, and
        that the call takes an agent: machines do unless they are detected.
        """
        for one, hours in self.reach:
            if one == phone:
                by_person = forecasts.at(hours, hour)
                return by_person, by_person if detected else forecasts.taken(hours, hour)
        return None, None


def phones_of(lead: LeadState, dossier: Dossier) -> tuple[Phone, ...]:
    """Return a lead's numbers in the order of trial; those that its list did not name come last."""
    if not lead.numbers:
        return dossier.phones
    place = {number: n for n, number in enumerate(lead.numbers)}
    return tuple(sorted(dossier.phones, key=lambda one: place.get(one.phone, len(place))))


class Lines:
    """One campaign's calls that hold a line, by how far they have come (`transitions.STAGES`), in order of arrival."""

    __slots__ = ("answered", "detecting", "talking", "unanswered")

    def __init__(self) -> None:
        self.unanswered = Unanswered()
        self.detecting: dict[str, Call] = {}
        #: Without an agent yet.
        self.answered: dict[str, Call] = {}
        self.talking: dict[str, Call] = {}

    def move(self, call: Call, here: str, there: str) -> None:
        """Take a call from one stage to another; empty: it holds no line there."""
        if here == "unanswered":
            self.unanswered.leave(call)
        elif here:
            del getattr(self, here)[call.call_id]
        if there == "unanswered":
            self.unanswered.enter(call)
        elif there:
            getattr(self, there)[call.call_id] = call

    def __len__(self) -> int:
        return len(self.unanswered) + len(self.detecting) + len(self.answered) + len(self.talking)


def put_off(lead: LeadState) -> bool:
    """Return whether a rule keeps a lead waiting or off the list: only ids of rules have a dot."""
    return lead.place in (PARKED, CLOSED) and "." in lead.why


class Tally(msgspec.Struct, kw_only=True, omit_defaults=True):
    """Counts of one campaign on one calendar day of the floor."""

    attempts: int = 0
    finished: int = 0
    connected: int = 0
    abandoned: int = 0
    machine: int = 0
    #: Of the connected, machines that an agent heard.
    heard_machines: int = 0
    cut: int = 0
    lost: int = 0
    promises: int = 0
    right_party: int = 0
    wait_us: int = 0
    #: Answer-to-agent of the last 200 connected calls.
    waits_us: list[int] = []
    idle_us: int = 0
    idle_n: int = 0
    #: Instants of the dials of the last five minutes.
    dials_us: list[int] = []

    @property
    def people(self) -> int:
        """Calls answered by a person, as far as known."""
        return self.connected - self.heard_machines + self.abandoned

    def day(self, day: str) -> DayCount:
        """Return what a further window has to know of this day."""
        return DayCount(
            day=day,
            connected=self.connected - self.heard_machines,
            abandoned=self.abandoned,
            cut=self.cut,
            lost=self.lost,
        )


def _abandoned(count: Tally | DayCount, counted: tuple[str, ...]) -> int:
    """Return how many answered calls count as abandoned."""
    found = count.abandoned
    if "lost" in counted:
        found += count.lost
    if "detection" in counted:
        found += count.cut
    return found


class Campaign(msgspec.Struct, kw_only=True, omit_defaults=True):
    name: str
    #: As last opened; kept when the campaign leaves the floor's settings, for the calls it still has.
    settings: CampaignSettings
    state: CampaignState = CampaignState.stopped
    mode: Mode
    ratio: float
    abandon_limit: float
    leads: dict[int, LeadState] = {}
    #: By rank, by instant, by rank; entries that leads have left behind are skipped.
    ready: Queue = msgspec.field(default_factory=Queue)
    parked: Agenda = msgspec.field(default_factory=Agenda)
    held: Queue = msgspec.field(default_factory=Queue)
    #: How many leads stand in each place.
    places: dict[str, int] = {}
    tally: Tally
    pacing: PacingDecided | None = None
    #: What the rules ask of its pacing, and the day for which they were asked; with the settings: what is in force.
    rules: tuple[PaceRule, ...] = ()
    ruled_on: str = ""
    pace: Pace
    #: Days before this one, oldest first, as far as a limit looks back.
    past: list[DayCount] = []
    #: Calls that might be placed at once at an instant, by `calls_per_second`.
    credit: float = 0.0
    credit_us: int = 0
    trunk_turn: int = 0
    #: The list last loaded, the instant of its first chunk, and how many chunks of it are in.
    plan: str = ""
    plan_us: int = 0
    plan_chunks: int = 0
    #: Which scores the forecasts of its leads come from.
    scores: str | None = None
    #: Persons whom a rule put off before the rules changed, not judged again yet, in the order of the list.
    review: list[int] = []

    def abandonment(self) -> tuple[int, int]:
        """Return (answered by a person, of those abandoned) today, as this campaign counts them."""
        tally = self.tally
        abandoned = _abandoned(tally, self.pace.counted)
        return tally.connected - tally.heard_machines + abandoned, abandoned

    def set_pace(self) -> None:
        """Bring what is in force up to settings, operator and rules."""
        self.pace = strictest(self.settings, self.abandon_limit, self.rules)


class State:
    """Everything the engine knows. Plain dictionaries in order of arrival; nothing iterates over a set."""

    # Of more than thirty attributes, Python would look every one up in a dictionary.
    __slots__ = (
        *("seq", "at_us", "settings", "rules", "rules_seq", "rehearsed", "opened", "shift_us", "midnight_us"),
        *("shift_end_us", "day", "commit_lag_us", "swept_us", "sweeping", "tokens", "campaigns", "agents", "all_for"),
        *("clocked", "overdue_us", "busy", "ready", "calls", "lines", "person_call", "phone_call", "people"),
        *("forecast", "versions", "nodes", "alarms", "looked", "pacers", "seen", "_hour"),
    )

    def __init__(self) -> None:
        self.seq = 0
        self.at_us = 0
        self.settings = FloorSettings()
        self.rules = ""
        #: Row since which these rules are in force.
        self.rules_seq = 0
        self.rehearsed = False
        self.opened = False
        #: First instant of the shift and of the next calendar day of the floor.
        self.shift_us = 0
        self.midnight_us = 0
        #: When everybody is expected to leave: the end of the floor's calendar, after it midnight.
        self.shift_end_us = 0
        #: ISO date of the floor.
        self.day = ""
        self.commit_lag_us = 0
        #: When forgotten calls were last looked for, and whether the tick at hand looks.
        self.swept_us = 0
        self.sweeping = False
        self.tokens = 0
        self.campaigns: dict[str, Campaign] = {}
        self.agents: dict[str, Agent] = {}
        #: The campaign that everybody present is known to work for, or not to serve; empty: to be looked at. Not in
        #: snapshots: whoever takes over looks.
        self.all_for = ""
        #: Those in a state that may have lasted long enough.
        self.clocked: dict[str, None] = {}
        #: Until when none of them is known to have been there too long; 0: to be looked at. Not in snapshots.
        self.overdue_us: float = 0
        #: What they do, as pacing is told.
        self.busy = Busy()
        #: Agents in state ready, longest idle first.
        self.ready: dict[str, None] = {}
        self.calls: dict[str, Call] = {}
        #: Of these, by campaign, those that hold a line.
        self.lines: dict[str, Lines] = {}
        #: Unclosed call of a person, of a phone.
        self.person_call: dict[int, str] = {}
        self.phone_call: dict[int, str] = {}
        self.people: dict[int, Dossier] = {}
        #: Whether a forecast ever came with a lead.
        self.forecast = False
        #: The newest known of every key; what a reservation claims stands in the dossier that was judged.
        self.versions: dict[str, int] = {}
        #: True: link up and resynced.
        self.nodes: dict[str, bool] = {}
        self.alarms: dict[str, int] = {}
        #: By campaign, for what its alarms were last looked at; forgotten with every change of an alarm. Not in
        #: snapshots: whoever takes over looks.
        self.looked: dict[str, tuple[object, ...]] = {}
        self.pacers: dict[str, Pacer] = {}
        #: Tells what was last seen of each campaign at a tick. For the board alone: not folded, not in snapshots.
        self.seen: dict[str, Callable[[], PacingDecided]] = {}
        #: The hour of the floor's day last asked for, its zone, and the instants between which it is that.
        self._hour = 0, "", 0, 0

    # ---- reading

    def campaign_settings(self, name: str) -> CampaignSettings:
        return self.campaigns[name].settings

    def shift_s(self) -> float:
        """Seconds since the start of the shift, the pacer's clock."""
        since_us = self.at_us - self.shift_us
        return since_us / 1e6 if since_us > 0 else 0.0

    def hour(self) -> int:
        """Return the hour of the floor's day, 0 to 23."""
        hour, zone, from_us, until_us = self._hour
        if not from_us <= self.at_us < until_us or zone != self.settings.zone:
            zone = self.settings.zone
            local = to_datetime(self.at_us, zone)
            hour, from_us = local.hour, self.at_us
            until_us = from_us + HOUR - (local.minute * 60 + local.second) * SECOND - local.microsecond
            self._hour = hour, zone, from_us, until_us
        return hour

    def serves(self, agent: Agent, campaign: str) -> bool:
        return not agent.campaigns or campaign in agent.campaigns

    # ---- the list

    def place(self, campaign: Campaign, lead: LeadState, place: str, at_us: int = 0) -> None:
        """Put a lead in a place and forget where it stood."""
        places = campaign.places
        if lead.token:
            places[lead.place] -= 1
        places[place] = places.get(place, 0) + 1
        token = lead.token = self.tokens = self.tokens + 1
        lead.place = place
        lead.at_us = at_us
        if place == READY:
            campaign.ready.push((lead.rank, token, lead.person))
        elif place == PARKED:
            campaign.parked.push((at_us, token, lead.person))
        elif place == HELD:
            campaign.held.push((lead.rank, token, lead.person))

    def head(self, campaign: Campaign, queue: Queue | Agenda) -> LeadState | None:
        """Return the first lead of a queue that still stands there, dropping entries left behind."""
        leads = campaign.leads
        while (entry := queue.first()) is not None:
            lead = leads[entry[2]]
            if lead.token == entry[1]:
                return lead
            queue.pop()
        return None

    def next_leads(self, campaign: Campaign) -> Iterator[LeadState]:
        """Yield the callable leads in the order in which they will be dialled."""
        for _, token, person in campaign.ready:
            lead = campaign.leads[person]
            if lead.token == token:
                yield lead

    # ---- pacing

    def calls_allowed(self, campaign: Campaign) -> float:
        """Return how many calls `calls_per_second` allows now; a tick's worth at most, and one at least in time."""
        rate = campaign.settings.calls_per_second
        saved = campaign.credit + rate * (self.at_us - campaign.credit_us) / 1e6
        most = ceil(rate * self.settings.tick_s) or 1
        return saved if saved < most else float(most)

    def pacing_settings(self, name: str) -> PacingSettings:
        """Return what a campaign's pacer is to know now."""
        campaign = self.campaigns[name]
        settings = campaign.settings
        return PacingSettings(
            abandon_limit=campaign.pace.share,
            patience_s=campaign.pace.patience_s,
            tick_s=self.settings.tick_s,
            agents=max(1, self.staff(name)),
            max_lines=min(settings.max_lines or self.settings.max_lines, self.settings.max_lines),
            day_s=(self.shift_end_us - self.shift_us) / 1e6,
            hard=campaign.pace.hard,
            limits=tuple(self._limit(campaign, window) for window in campaign.pace.windows),
            staff_plan=self._staff_plan(name),
            counted=campaign.pace.counted,
            calls_per_second=settings.calls_per_second,
        )

    def staff(self, name: str) -> int:
        """Return how many agents work for a campaign now."""
        return sum(1 for agent in self.agents.values() if agent.allotted == name and agent.state in WORKING)

    def _limit(self, campaign: Campaign, window: Window) -> Limit:
        first = (date.fromisoformat(self.day) - timedelta(days=window.days - 1)).isoformat()
        past = [one for one in campaign.past if one.day >= first]
        abandoned = sum(_abandoned(one, campaign.pace.counted) for one in past)
        return Limit(
            name=window.name,
            share=window.share,
            hard=window.hard,
            answered_before=sum(one.connected for one in past) + abandoned,
            abandoned_before=abandoned,
        )

    def _staff_plan(self, name: str) -> tuple[tuple[float, int], ...]:
        """Return when how many of a campaign's agents leave, as far as known."""
        leaving: dict[int, int] = {}
        for agent in self.agents.values():
            if agent.until_us is not None and agent.allotted == name and agent.state in WORKING:
                leaving[agent.until_us] = leaving.get(agent.until_us, 0) + 1
        return tuple([((end_us - self.shift_us) / 1e6, -leaving[end_us]) for end_us in sorted(leaving)])

    def retune(self, name: str) -> None:
        """Tell a campaign's pacer what has changed around it."""
        pacer = self.pacers.get(name)
        if pacer is not None:
            pacer.settings = self.pacing_settings(name)
            pacer.observe_staff(self.staff(name))
