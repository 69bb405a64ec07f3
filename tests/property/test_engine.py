"""Can any history break a law? A random floor of people, agents and a switch drives the real engine with the real
in-memory compare-and-bump; every record is watched. Over 500 lines: one machine, whose rules share its state.
"""

from collections import Counter

from hypothesis import given
from hypothesis import settings as profile
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from dialer.engine import Engine
from dialer.engine.allotment import allot
from dialer.engine.evolve import evolve
from dialer.engine.flight import flights
from dialer.engine.replay import replay
from dialer.engine.snapshot import freeze
from dialer.engine.state import Agent, State
from dialer.engine.step import Step
from dialer.engine.transitions import ON_SWITCH, STAGES
from domain import events
from domain.calls import AGENT_DISPOSITIONS, AgentState, AnswerClass, CampaignState, Cause, Mode, Phase
from domain.facts import AttemptClosed, CallClassed, CallMoved
from domain.instants import iso
from domain.matching import Matching
from domain.orders import Connect, Originate, Reserve
from domain.pace import PaceRule
from domain.people import CapKey, Choice, Debt, Dossier, Lead, Phone, Verdict
from domain.records import Row, decode, encode
from domain.settings import CallTreatment, CampaignSettings, FloorSettings, Window

SECOND = 1_000_000
START_US = 1_795_000_000 * SECOND


VERSIONS = ("pattern", "other")


class PatternGate:
    """Denies some people by rule, demands an agent for others; a pure function of version, person and instant."""

    def __init__(self, version="pattern"):
        self.version = version

    def judge(self, dossier, *, at_us, phone, debts, **_):
        minute = at_us // (60 * SECOND)
        denied = 0 if self.version == "pattern" else 5
        if not debts or all(debt.state != "open" for debt in dossier.debts if debt.debt in debts):
            return Verdict(allowed=False, rule="house.paid")
        if any(stop.debt is None and stop.phone in (None, phone.phone) for stop in dossier.stops):
            return Verdict(allowed=False, rule="house.stop")
        if (dossier.person * 7 + minute) % 11 == denied:
            return Verdict(allowed=False, rule="test.hours", next_allowed_at_us=(minute + 1) * 60 * SECOND)
        return Verdict(
            allowed=True,
            valid_until_us=(minute + 2) * 60 * SECOND,
            agent_always=dossier.person % 5 == 0,
            abandon_message=dossier.person % 2 == 0,
            rules=self.version,
            local_time=f"{iso(at_us)[:19]}+00:00",
        )

    def pace_rules(self, people, **_):
        if self.version == "pattern" or not any(one.person % 2 for one in people):
            return ()
        return (
            PaceRule(rule="test.day", share=0.02, counted=("no_agent", "lost", "detection"), max_wait_s=1.0),
            PaceRule(rule="test.month", share=0.01, days=30, hard=True, min_ring_s=40.0),
        )


#: Who suits whom, by the age of debts alone: little is owed by all.
SUITS = Matching(
    version="s",
    days=(100, 200),
    much_minor={"EUR": 5001},
    gains={str(1000 + i): tuple(0.01 * ((3 * i + g) % 5 - 2) for g in range(6)) for i in range(4)},
)


#: Who is in which group, and what steps ask for: one for a group in which nobody is.
GROUPS = (("seniors",), (), ("plans", "seniors"), ())
ASKED = ("", "seniors", "plans", "nobody")


def choice(person):
    """Return the step by which a person is called, one of those of `ASKED`."""
    return Choice(
        strategy="s@1", segment="s", treatment=f"a.t.{person % 4}", arm="a", p_arm=1.0, p_call=1.0, place=1, of=1
    )


class Ledger:
    """Compare and bump over plain dictionaries, the dossiers' truth outside the engine."""

    def __init__(self, people):
        self.people = {dossier.person: dossier for dossier in people}
        self.versions = {cap.key: cap.version for dossier in people for cap in dossier.keys}
        self.calls = {}

    def fresh(self, person):
        dossier = self.people[person]
        keys = tuple(CapKey(cap.key, self.versions[cap.key]) for cap in dossier.keys)
        return type(dossier)(
            person=person, keys=keys, country=dossier.country, debts=dossier.debts, phones=dossier.phones
        )

    def take(self, row, at_us):
        record = row.record
        if type(record) is Reserve:
            if all(self.versions[cap.key] == cap.version for cap in record.keys):
                for cap in record.keys:
                    self.versions[cap.key] += 1
                self.calls[record.call_id] = record
                keys = tuple(CapKey(cap.key, self.versions[cap.key]) for cap in record.keys)
                return events.Reserved(at_us=at_us, call_id=record.call_id, keys=keys)
            return events.Stale(at_us=at_us, call_id=record.call_id, dossier=self.fresh(record.person))
        if type(record) is AttemptClosed and record.event is not None:
            for cap in self.calls[record.call_id].keys:
                self.versions[cap.key] += 1
        return None


def dossier(person, shared):
    phones = tuple(Phone(phone=person * 10 + i, country="ES") for i in range(1 + person % 2))
    if shared and person > 1:
        phones = (*phones, Phone(phone=10, country="ES"))
    keys = [CapKey(f"person:{person}", 1), *(CapKey(f"phone:{phone.phone}", 1) for phone in phones)]
    due_on = None if person % 7 == 0 else f"2026-{1 + person % 10:02}-01"
    debt = Debt(debt=person * 100, creditor=1, balance_minor=5000, currency="EUR", due_on=due_on)
    return Dossier(
        person=person, keys=tuple(sorted(keys, key=lambda k: k.key)), country="ES", debts=(debt,), phones=phones
    )


class Floor(RuleBasedStateMachine):
    @initialize(
        modes=st.tuples(st.sampled_from(list(Mode)), st.sampled_from(list(Mode))),
        detect=st.booleans(),
        n_people=st.integers(3, 25),
        n_agents=st.integers(1, 5),
        max_lines=st.integers(1, 12),
        shared=st.booleans(),
        matched=st.booleans(),
        grouped=st.booleans(),
    )
    def open(self, modes, detect, n_people, n_agents, max_lines, shared, matched, grouped):
        campaigns = tuple(
            CampaignSettings(
                name=name,
                mode=mode,
                ratio=2.5,
                detect_machines=detect,
                clock_starts="greeting_end" if detect else "answer",
                unsure="cut" if shared else "person",
                limits=(Window(days=30, share=0.03, hard=shared),) if detect else (),
                calls_per_second=4.0 if shared else 30.0,
                treatments={f"a.t.{n}": CallTreatment(agent_group=group) for n, group in enumerate(ASKED)},
            )
            for name, mode in zip(("uno", "dos"), modes, strict=True)
        )
        table = SUITS if matched else None
        self.settings = FloorSettings(campaigns=campaigns, max_lines=max_lines, stream="f", matching=table)
        people = [dossier(person, shared) for person in range(1, n_people + 1)]
        self.ledger = Ledger(people)
        self.engine = Engine(PatternGate())
        self.rows: list[Row] = []
        self.at_us = START_US
        self.answers = []
        self.classes, self.closed = Counter(), Counter()
        self.reserved, self.originated, self.answered = {}, set(), set()
        self.live = {}
        self.names = [str(1000 + i) for i in range(n_agents)]
        self.hear(events.FloorOpened, settings=self.settings, rules="pattern", versions={})
        self.hear(events.Resynced, node="main")
        for name in ("uno", "dos"):
            leads = tuple(
                Lead(
                    person=p.person,
                    rank=p.person,
                    debts=(p.person * 100,),
                    choice=choice(p.person) if grouped else None,
                )
                for p in people
                if name == "uno" or p.person % 3
            )
            self.hear(
                events.LeadsLoaded, campaign=name, plan="p", chunk=0, sha256="", leads=leads, people=tuple(people)
            )
            self.hear(events.CampaignOrdered, campaign=name, verb="run")
        for name, groups in zip(self.names, (*GROUPS, ()), strict=False):
            self.hear(events.SignedIn, agent=name, groups=groups)
            self.hear(events.PhoneUp, agent=name, node="main")
            self.hear(events.MadeReady, agent=name)

    def hear(self, kind, **fields):
        event = kind(at_us=self.at_us, **fields)
        for row in self.engine.handle(event):
            self.watch(row)

    def watch(self, row):
        record = row.record
        self.rows.append(row)
        answer = self.ledger.take(row, self.at_us)
        if answer is not None:
            self.answers.append(answer)
        if type(record) is Reserve:
            assert record.verdict.allowed
            assert record.call_id == f"f-{row.seq}"
            if record.verdict.agent_always:
                assert record.agent is not None
        elif type(record) is events.Reserved:
            self.reserved[record.call_id] = record
        elif type(record) is Originate:
            assert record.call_id in self.reserved, "Originate without a Reserved"
            assert self.at_us < record.valid_until_us
            assert self.ledger.calls[record.call_id].verdict.rules == self.engine.gate.version, "dialled by old rules"
            assert record.call_id not in self.originated, "dialled twice"
            self.originated.add(record.call_id)
            self.live[record.call_id] = "new"
        elif type(record) is CallClassed:
            self.classes[record.call_id] += 1
        elif type(record) is AttemptClosed:
            self.closed[record.call_id] += 1
            self.live.pop(record.call_id, None)
        elif type(record) is Connect:
            assert self.live[record.call_id] == "up"
            self.right_group(record)
        elif type(record) is CallMoved and record.phase in (
            Phase.waiting,
            Phase.detecting,
            Phase.talking,
            Phase.message,
        ):
            self.answered.add(record.call_id)

    def right_group(self, given):
        """Nobody of the group that a call asks for is passed over who might as well have been given it."""
        reserved, state = self.ledger.calls[given.call_id], self.engine.state
        asked = "" if reserved.choice is None else ASKED[reserved.person % 4]
        assert (given.sought is not None) == bool(asked)
        if not asked:
            return
        agent, call = state.agents[given.agent], state.calls[given.call_id]
        assert (given.sought.group, given.sought.within) == (asked, asked in agent.groups)
        if given.sought.free is None:
            return
        assert given.sought.within == (given.sought.free > 0)
        if given.sought.within:
            return
        for name in state.ready:
            other = state.agents[name]
            as_good = (other.allotted == call.campaign, other.then == "ready") == (
                agent.allotted == call.campaign,
                agent.then == "ready",
            )
            if as_good and asked in other.groups:
                assert name in call.refused or other.node != call.node or not state.serves(other, call.campaign)

    def some(self, data, *states):
        candidates = [call_id for call_id, state in self.live.items() if state in states]
        return data.draw(st.sampled_from(candidates)) if candidates else None

    # ---- what may happen

    @rule(seconds=st.floats(0.05, 40.0))
    def time(self, seconds):
        self.at_us += round(seconds * SECOND)
        self.hear(events.Tick)

    @rule()
    def ledger_answers(self):
        answers, self.answers = self.answers, []
        for answer in answers:
            self.hear(type(answer), **{f: getattr(answer, f) for f in answer.__struct_fields__ if f != "at_us"})

    @rule(data=st.data())
    def rings(self, data):
        if (call_id := self.some(data, "new")) is not None:
            self.hear(events.Ringing, call_id=call_id)

    @rule(data=st.data())
    def answers_phone(self, data):
        if (call_id := self.some(data, "new")) is not None:
            self.live[call_id] = "up"
            self.hear(events.Answered, call_id=call_id)

    @rule(data=st.data(), result=st.sampled_from(["human", "machine", "unsure"]))
    def detects(self, data, result):
        if (call_id := self.some(data, "up")) is not None:
            self.hear(events.Detected, call_id=call_id, result=result)

    @rule(data=st.data(), by_queue=st.booleans())
    def connects(self, data, by_queue):
        if (call_id := self.some(data, "up")) is None:
            return
        call = self.engine.state.calls[call_id]
        busy = {c.agent for c in self.engine.state.calls.values() if c.phase is Phase.talking}
        name = data.draw(st.sampled_from(self.names)) if by_queue or call.agent is None else call.agent
        if name in busy or not self.engine.state.agents[name].phone_up:
            self.hear(events.Refused, call_id=call_id, agent=name, why="busy" if name in busy else "gone")
            return
        self.live[call_id] = "talking"
        self.hear(events.Connected, call_id=call_id, agent=name)

    @rule(data=st.data(), how=st.sampled_from(["queued", "abandoned", "refused"]))
    def switch_goes_on(self, data, how):
        if (call_id := self.some(data, "up")) is None:
            return
        call = self.engine.state.calls[call_id]
        if how == "queued":
            self.hear(events.Queued, call_id=call_id)
        elif how == "abandoned":
            self.hear(events.Abandoned, call_id=call_id, how="message")
        elif call.agent is not None:
            self.hear(events.Refused, call_id=call_id, agent=call.agent, why="no_answer")

    @rule(data=st.data(), cause=st.sampled_from(list(Cause)))
    def ends(self, data, cause):
        if (call_id := self.some(data, "new", "up", "talking")) is not None:
            self.live[call_id] = "gone"
            self.hear(events.Ended, call_id=call_id, cause=cause, q850=16)

    @rule(data=st.data(), disposition=st.sampled_from(AGENT_DISPOSITIONS))
    def disposes(self, data, disposition):
        agent = self.engine.state.agents[data.draw(st.sampled_from(self.names))]
        if agent.call_id is not None and agent.state in (AgentState.talking, AgentState.wrapup):
            later = self.at_us + 90 * SECOND
            self.hear(
                events.Disposed,
                agent=agent.agent,
                call_id=agent.call_id,
                disposition=disposition,
                call_back_us=later,
                own=True,
            )

    @rule(
        data=st.data(),
        what=st.sampled_from(["ready", "pause", "out", "in", "down", "up", "ask", "take", "skip", "end"]),
    )
    def agent_acts(self, data, what):
        name = data.draw(st.sampled_from(self.names))
        match what:
            case "ready":
                self.hear(events.MadeReady, agent=name)
            case "pause":
                self.hear(events.PauseAsked, agent=name, reason="break")
            case "out":
                self.hear(events.SignedOut, agent=name)
            case "in":
                known = self.engine.state.agents[name]
                self.hear(events.SignedIn, agent=name, campaigns=known.campaigns, groups=known.groups)
            case "down":
                self.hear(events.PhoneDown, agent=name)
            case "up":
                self.hear(events.PhoneUp, agent=name, node="main")
            case "ask":
                self.hear(events.LeadAsked, agent=name)
            case "take":
                self.hear(events.LeadAccepted, agent=name)
            case "skip":
                self.hear(events.LeadSkipped, agent=name)
            case "end":
                self.hear(events.HangUpAsked, agent=name)

    @rule(data=st.data(), about_to=st.booleans())
    def says_finishing(self, data, about_to):
        self.hear(events.Finishing, agent=data.draw(st.sampled_from(self.names)), about_to=about_to)

    @rule(data=st.data(), names=st.sampled_from([(), ("uno",), ("dos",)]))
    def supervisor_moves(self, data, names):
        self.hear(events.AgentMoved, agent=data.draw(st.sampled_from(self.names)), campaigns=names)

    @rule(data=st.data(), minutes=st.integers(1, 60))
    def shift_ends_at(self, data, minutes):
        agent = self.engine.state.agents[data.draw(st.sampled_from(self.names))]
        until_us = self.at_us + minutes * 60 * SECOND
        self.hear(events.SignedIn, agent=agent.agent, campaigns=agent.campaigns, until_us=until_us)

    @rule(name=st.sampled_from(["uno", "dos"]), connected=st.integers(0, 500), abandoned=st.integers(0, 20))
    def ledger_counts(self, name, connected, abandoned):
        day = events.DayCount(day="2026-11-10", connected=connected, abandoned=abandoned)
        self.hear(events.PastCounted, campaign=name, days=(day,))

    @rule(data=st.data(), paid=st.booleans())
    def somebody_writes(self, data, paid):
        person = data.draw(st.sampled_from(sorted(self.ledger.people)))
        old = self.ledger.people[person]
        for cap in old.keys:
            self.ledger.versions[cap.key] += 1
        debt = Debt(debt=person * 100, creditor=1, balance_minor=5000, currency="EUR", state="paid" if paid else "open")
        self.ledger.people[person] = Dossier(
            person=person, keys=old.keys, country="ES", debts=(debt,), phones=old.phones
        )
        if data.draw(st.booleans()):
            self.hear(events.PersonChanged, dossier=self.ledger.fresh(person))

    @rule(verb=st.sampled_from(["run", "pause", "drain", "stop", "run"]), name=st.sampled_from(["uno", "dos"]))
    def operator(self, verb, name):
        self.hear(events.CampaignOrdered, campaign=name, verb=verb)

    @rule(mode=st.sampled_from(list(Mode)), name=st.sampled_from(["uno", "dos"]))
    def mode(self, mode, name):
        self.hear(events.ModeSet, campaign=name, mode=mode)

    @rule(version=st.sampled_from(VERSIONS))
    def rules_change(self, version):
        self.engine.gate = PatternGate(version)
        self.hear(events.RulesChanged, rules=version)

    @rule(data=st.data(), lost=st.booleans())
    def blind(self, data, lost):
        self.hear(events.LinkDown, node="main")
        alive, ended = [], []
        for call_id, state in list(self.live.items()):
            call = self.engine.state.calls.get(call_id)
            if call is None or call.phase not in ON_SWITCH or state == "gone" or (lost and data.draw(st.booleans())):
                if state != "gone":
                    self.live[call_id] = "gone"
                if call is not None and call.phase in ON_SWITCH and data.draw(st.booleans()):
                    answer_class = data.draw(st.sampled_from(list(AnswerClass)))
                    agent = data.draw(st.sampled_from([None, *self.names]))
                    ended.append(events.EndedCall(call_id=call_id, answer_class=answer_class, agent=agent))
                continue
            word = {"new": "ringing", "up": "up", "talking": "talking"}[state]
            alive.append(events.LiveCall(call_id=call_id, state=word, agent=call.agent if word == "talking" else None))
        off_hook = tuple(name for name in self.names if data.draw(st.booleans()))
        self.hear(events.Resynced, node="main", calls=tuple(alive), ended=tuple(ended), agents=off_hook)

    @precondition(lambda self: len(self.rows) > 30)
    @rule(rules=st.sampled_from(VERSIONS))
    def crash(self, rules):
        """Recover from snapshot or from nothing; the fold is the state."""
        before = freeze(self.engine.state)
        fresh = Engine(PatternGate())
        fresh.state.settings = self.settings
        for row in self.rows:
            record = row.record
            copy = record if type(record) is events.LeadsLoaded else decode(encode(record))
            fresh.fold(Row(stream="f", seq=row.seq, at_us=row.at_us, campaign=row.campaign, record=copy))
        assert freeze(fresh.state) == before, "folded facts differ from the live state"
        # The packs may have been changed while nothing ran.
        self.engine = Engine.restore(fresh.snapshot(), PatternGate(rules))
        assert freeze(self.engine.state) == before
        self.answers = []  # what was under way is lost with the process
        self.hear(events.FloorOpened, settings=self.settings, rules=rules, versions={})
        for call_id in [c for c in self.live if c not in self.engine.state.calls]:
            del self.live[call_id]
        alive = [
            events.LiveCall(
                call_id=call_id,
                state={"new": "ringing", "up": "up", "talking": "talking"}[state],
                agent=self.engine.state.calls[call_id].agent if state == "talking" else None,
            )
            for call_id, state in self.live.items()
            if state != "gone"
        ]
        self.hear(events.Resynced, node="main", calls=tuple(alive), agents=tuple(self.names))

    def teardown(self):
        if not hasattr(self, "rows"):
            return
        found = replay(self.rows, PatternGate)
        assert not found.divergences
        assert found.rows == len(self.rows)

    # ---- laws

    @invariant()
    def laws(self):
        if not hasattr(self, "engine"):
            return
        state = self.engine.state
        lines = [call for call in state.calls.values() if call.phase is not Phase.wrapping]
        assert len(lines) <= self.settings.max_lines
        held = [agent.call_id for agent in state.agents.values() if agent.call_id is not None]
        assert len(held) == len(set(held)), "two agents on one call"
        talking = Counter(call.agent for call in state.calls.values() if call.phase is Phase.talking)
        assert all(n == 1 for n in talking.values()), "an agent with two callers"
        assert all(n == 1 for n in self.classes.values()), "an answer with two classes"
        assert all(n == 1 for n in self.closed.values()), "an attempt with two dispositions"
        for call_id in self.answered & set(self.closed):
            assert self.classes[call_id] == 1, "an answer without a class"
        for agent in state.agents.values():
            assert (agent.agent in state.ready) == (agent.state is AgentState.ready)
            if agent.state is AgentState.reserved:
                assert state.calls[agent.call_id].agent == agent.agent
        for call in state.calls.values():
            if call.pinned and call.phase in (Phase.originating, Phase.ringing) and not call.hangup_why:
                assert state.agents[call.agent].call_id == call.call_id, "a pinned call without its agent"
        # The calls on a line are those of the phases that hold one, in the order in which they were reserved.
        for name, lines in state.lines.items():
            for stage in ("unanswered", "detecting", "answered", "talking"):
                held = {
                    call.call_id
                    for call in state.calls.values()
                    if call.campaign == name and STAGES[call.phase] == stage
                }
                assert set(getattr(lines, stage)) == held
            waiting = [call_id for call_id in state.calls if call_id in lines.unanswered]
            assert list(lines.unanswered) == waiting
        # Pacing: each pacer knows what there is to know, and sees no agent whom another sees.
        for name, pacer in state.pacers.items():
            assert pacer.settings == state.pacing_settings(name)
        found = flights(state)
        for name, flight in found.items():
            theirs = [a for a in state.agents.values() if a.allotted == name and a.then == "ready"]
            talking = [a.since_us for a in theirs if a.state is AgentState.talking and not a.finishing_us]
            wrapping = [a.since_us for a in theirs if a.state is AgentState.wrapup]
            finishing = [a.finishing_us for a in theirs if a.finishing_us]
            ringing = [call for call in state.lines[name].unanswered.values() if not call.pinned]
            since = [*talking, *wrapping, *finishing, *(call.dialled_us or state.at_us for call in ringing)]
            seen = flight.seen
            assert seen.ages_s.tolist() == [(state.at_us - us) / 1e6 for us in since]
            assert (seen.talking, seen.wrapping, seen.finishing) == (len(talking), len(wrapping), len(finishing))
            assert seen.told.tolist() == [call.progress for call in ringing]
            assert min(seen.ages_s, default=0.0) >= 0.0
        for agent in state.agents.values():
            assert not agent.finishing_us or agent.state is AgentState.talking
        for campaign in state.campaigns.values():
            assert sum(campaign.places.values()) == len(campaign.leads), "a lead is lost"


@given(
    weights=st.lists(st.sampled_from([0.5, 1.0, 3.0]), min_size=1, max_size=4),
    staff=st.lists(
        st.tuples(
            st.sampled_from(list(AgentState)),
            st.integers(-1, 3),
            st.sets(st.integers(0, 3), max_size=2),
            st.sampled_from(["ready", "ready", "break"]),
        ),
        max_size=12,
    ),
)
def test_shares_add_up_and_are_as_true_as_whole_agents_allow(weights, staff):
    names = [f"c{number}" for number in range(len(weights))]
    state = State()
    campaigns = tuple(CampaignSettings(name=name, weight=weight) for name, weight in zip(names, weights, strict=True))
    settings = FloorSettings(campaigns=campaigns)
    evolve(state, events.FloorOpened(at_us=START_US, settings=settings, rules="", versions={}))
    for campaign in state.campaigns.values():
        campaign.state, campaign.places = CampaignState.running, {"ready": 1}
    for number, (at_work, on, serves, then) in enumerate(staff):
        served = tuple(names[index] for index in sorted(serves) if index < len(names))
        on_name = names[on] if 0 <= on < len(names) else None
        agent = Agent(agent=str(number), node="main", state=at_work, allotted=on_name, campaigns=served, then=then)
        state.agents[agent.agent] = agent
        if at_work is AgentState.ready:
            state.ready[agent.agent] = None
    step = Step(state, PatternGate())
    allot(step)
    present = [a for a in state.agents.values() if a.state not in (AgentState.offline, AgentState.away)]
    have = Counter(agent.allotted for agent in present)
    assert sum(have.values()) == len(present)
    want = {name: len(present) * weight / sum(weights) for name, weight in zip(names, weights, strict=True)}
    for agent in present:
        assert agent.allotted is not None
        assert state.serves(agent, agent.allotted)
        soon_free = agent.state in (AgentState.talking, AgentState.wrapup) and agent.then == "ready"
        if agent.state is AgentState.ready or soon_free:
            for other in names:
                if state.serves(agent, other):
                    # Nobody would make the shares truer by going elsewhere.
                    assert want[other] - have[other] + have[agent.allotted] - want[agent.allotted] <= 1.0 + 1e-6
    n_rows = len(step.rows)
    allot(step)
    assert len(step.rows) == n_rows, "agents go to and fro"


Floor.TestCase.settings = profile(max_examples=200, stateful_step_count=80, deadline=None)
test_no_history_breaks_a_law = Floor.TestCase
