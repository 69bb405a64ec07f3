"""A simulated floor: the engine that runs live, a SimPy world, robot agents and a ledger, in virtual time.

The driver keeps the order of the live loop: an Originate leaves after the commit of its own row and before its verdict
runs out; the ledger's answers come back after the commit; every other order leaves at once. Equal inputs and seeds give
equal rows, byte for byte.
"""

import gc
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from typing import Any, get_args

import msgspec
from msgspec.structs import replace

from dialer.engine import Engine, Gate
from dialer.engine.still import still_until
from domain.calls import AgentState, AnswerClass, Disposition
from domain.events import AnyEvent, CampaignOrdered, FloorOpened, LeadsLoaded, NotSent, RulesChanged, Tick
from domain.facts import AgentShifted, AttemptClosed, CallClassed
from domain.instants import SECOND
from domain.orders import Originate, Reserve
from domain.protocols import Journal
from domain.records import Row
from domain.settings import FloorSettings
from simulation.agents import Chair, Staff, Temper
from simulation.alarms import Alarm, Beat, Clock, elapse
from simulation.callees import Callees
from simulation.chance import Chance
from simulation.draws import Draws
from simulation.exchange import WorldSettings
from simulation.population import Debtors, Laws
from simulation.population import load as load_world
from simulation.world import SwitchOrder, World


class RunSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a run adds to a floor's own settings."""

    start_us: int
    hours: float = 8.0
    seed: int = 1
    #: How long a commit takes.
    commit_us: int = 5_000
    world: WorldSettings = WorldSettings()
    laws: Laws = msgspec.field(default_factory=lambda: load_world("default"))
    temper: Temper = Temper()
    versions: dict[str, str] = {}


class Summary(msgspec.Struct, kw_only=True):
    """Counts of a run, from its rows."""

    rows: int = 0
    attempts: int = 0
    classes: dict[AnswerClass, int] = msgspec.field(default_factory=dict)
    dispositions: dict[Disposition, int] = msgspec.field(default_factory=dict)
    #: Seconds that agents spent in each state, over all agents.
    agent_s: dict[AgentState, float] = msgspec.field(default_factory=dict)
    #: Answer to agent, over connected calls.
    wait_s: float = 0.0
    talk_s: float = 0.0

    @property
    def abandon_rate(self) -> float | None:
        """Abandoned calls per call answered by a person; None before the first."""
        connected = self.classes.get(AnswerClass.connected, 0)
        abandoned = self.classes.get(AnswerClass.abandoned, 0)
        return abandoned / (connected + abandoned) if connected + abandoned else None

    @property
    def occupancy(self) -> float | None:
        """Talk and wrap-up per time at work off pause; None without any."""
        busy_s = self.agent_s.get(AgentState.talking, 0.0) + self.agent_s.get(AgentState.wrapup, 0.0)
        idle_s = self.agent_s.get(AgentState.ready, 0.0) + self.agent_s.get(AgentState.reserved, 0.0)
        return busy_s / (busy_s + idle_s) if busy_s + idle_s else None


@contextmanager
def uncollected() -> Iterator[None]:
    """Let the garbage collector rest: a run makes no cycles, and to look for them takes a twentieth of its time."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            # Makes what there is as old as can be: else the collector would begin by looking through all of it.
            gc.freeze()
            gc.unfreeze()
            gc.enable()


class SimulatedFloor:
    """One floor in virtual time.

    Parameters
    ----------
    ledger : Journal
        Takes the rows and answers reservations.
    loads : iterable of LeadsLoaded
        The lists, as stored plans give them.
    chairs : iterable of Chair
        The agents' shifts.
    meets : callable, optional
        Returns whom calls meet instead of the population, given the population and the draws.
    """

    def __init__(
        self,
        *,
        floor: FloorSettings,
        run: RunSettings,
        gate: Gate,
        ledger: Journal,
        loads: Iterable[LeadsLoaded],
        chairs: Iterable[Chair],
        meets: Callable[[Callees, Chance], Callees] | None = None,
    ) -> None:
        chance = Draws(run.seed)
        self.env = Clock(run.start_us)
        self.engine = Engine(gate)
        self.summary = Summary()
        self.people = Debtors(run.laws, chance, start_us=run.start_us)
        callees = self.people if meets is None else meets(self.people, chance)
        self.world = World(self.env, run.world, callees, chance, self.accept)
        self.staff = Staff(self.env, self.world, callees, chance, run.temper, chairs, self._desk)
        self._floor = floor
        self._run = run
        self._gate = gate
        self._ledger = ledger
        self._loads = loads
        #: Rows that no commit has taken yet, and those of the commit under way.
        self._waiting: list[Row] = []
        self._committing: list[Row] = []
        self._committing_since_us: int | None = None
        #: Originates whose rows wait.
        self._leaving: list[Row] = []
        #: Rows wait whose commit somebody waits for.
        self._urgent = False
        self._ticking = False
        #: Before this instant no tick would change anything.
        self._still_until = 0
        #: How many-th stretch of ticking it is.
        self._stretch = 0
        #: Since when each agent is in which state.
        self._states: dict[str, tuple[AgentState, int]] = {}
        #: What follows here from a record; nothing from all others, and an Originate waits for its commit.
        self._follows: dict[type, Callable[[Any], None]] = {
            **dict.fromkeys(get_args(SwitchOrder), self._ordered),
            Reserve: self._reserved,
            AgentShifted: self._shifted,
            AttemptClosed: self._closed,
            CallClassed: self._classed,
        }

    def go(self) -> Summary:
        """Run to the end and return the summary; the rows are in the ledger."""
        with uncollected():
            self._go()
        return self.summary

    def _go(self) -> None:
        start_us = self._run.start_us
        self._open()
        for load in self._loads:
            self.people.meet(load.people)
            self.accept(replace(load, at_us=start_us))
        self.world.start()
        for campaign in self._floor.campaigns:
            self.accept(CampaignOrdered(at_us=start_us, campaign=campaign.name, verb="run"))
        self.staff.start()
        self._start_ticking()
        end_us = start_us + round(self._run.hours * 3600 * SECOND)
        self._run_until(end_us)
        for state, since_us in self._states.values():
            self._spent(state, end_us - since_us)
        self.summary.rows = self.engine.seq
        self._keep_rest()

    # ---- the parts of a run

    def _open(self) -> None:
        self.accept(
            FloorOpened(
                at_us=self._now,
                settings=self._floor,
                rules=self._gate.version,
                versions=self._run.versions,
                rehearsed=True,
            )
        )

    def _run_until(self, at_us: int) -> None:
        if at_us > self._now:
            elapse(self.env, at_us)

    def _start_ticking(self) -> None:
        """Tick until `_ticking` is taken back."""
        self._ticking = True
        self._stretch += 1
        self._tick(self._stretch)
        Beat(self.env, round(self._floor.tick_s * SECOND), self._tick, self._stretch)

    def _ticks(self, stretch: int) -> bool:
        """Return whether a stretch of ticking goes on: an alarm of an earlier one may come late, in another's time."""
        return self._ticking and stretch == self._stretch

    def _keep_rest(self) -> None:
        """Hand the ledger what no commit has brought it."""
        if left := self._committing + self._waiting:
            self._ledger.append(left)

    def change_rules(self, at_us: int, gate: Gate) -> None:
        """Put other rules in force at an instant of the run; to be told before it goes."""
        Alarm(self.env, at_us - self._now, self._take_rules, gate)

    def _take_rules(self, gate: Gate) -> None:
        self.engine.gate = gate
        self.accept(RulesChanged(at_us=self._now, rules=gate.version))

    # ---- events in, orders out

    def accept(self, event: AnyEvent) -> None:
        """Let the engine handle an input and carry out what follows."""
        self._still_until = 0
        rows = self.engine.handle(event)
        self._waiting += rows
        if len(rows) > 1:
            self._follow(rows)
        if self._urgent and self._committing_since_us is None:
            self._commit()

    def _follow(self, rows: list[Row]) -> None:
        """Carry out what follows from the records of an input; the first row is the input itself."""
        follows = self._follows
        for row in islice(rows, 1, None):
            record = row.record
            kind = type(record)
            if kind is Originate:
                self._leaving.append(row)
                self._urgent = True
            elif kind in follows:
                follows[kind](record)

    def _desk(self, event: AnyEvent) -> None:
        """Take what an agent does."""
        self.accept(event)

    def _reserved(self, order: Reserve) -> None:
        self._urgent = True
        self.staff.see(order)

    def _ordered(self, order: SwitchOrder) -> None:
        self.world.send(order)

    def _dial(self, order: Originate) -> None:
        """Let a call leave, its row being durable."""
        self.world.send(order)

    def _commit(self) -> None:
        """Begin a commit of all that waits: rows that nobody waits for ride along with the next that matters."""
        self._committing, self._waiting = self._waiting, []
        leaving, self._leaving = self._leaving, []
        self._committing_since_us, self._urgent = self.env._now, False
        Alarm(self.env, self._run.commit_us, self._committed, leaving)

    def _committed(self, leaving: list[Row]) -> None:
        batch, self._committing = self._committing, []
        answers = self._ledger.append(batch)
        now = self.env._now
        for row in leaving:
            order = row.record
            assert isinstance(order, Originate)
            self.summary.attempts += 1
            if row.seq < self.engine.state.rules_seq:
                self.accept(NotSent(at_us=now, call_id=order.call_id, why="rules_changed"))
            elif now < order.valid_until_us:
                self._dial(order)
            else:
                self.accept(NotSent(at_us=now, call_id=order.call_id, why="verdict_ended"))
        for answer in answers:
            self.accept(replace(answer, at_us=now))
        self._committing_since_us = None
        if self._urgent:
            self._commit()

    def _tick(self, stretch: int) -> int | None:
        """Return before when no other one would change anything; None: there is to be none."""
        if not self._ticks(stretch):
            return None
        now = self.env._now
        if now >= self._still_until:
            state, since_us = self.engine.state, self._committing_since_us
            seq = state.seq
            self.accept(Tick(at_us=now, commit_lag_us=0 if since_us is None else now - since_us))
            if since_us is None and state.seq == seq + 1:
                self._still_until = still_until(state)
        return self._still_until

    @property
    def _now(self) -> int:
        return self.env._now

    # ---- counting

    def _classed(self, fact: CallClassed) -> None:
        classes = self.summary.classes
        classes[fact.answer_class] = classes.get(fact.answer_class, 0) + 1
        if fact.wait_us is not None:
            self.summary.wait_s += fact.wait_us / SECOND

    def _shifted(self, fact: AgentShifted) -> None:
        now, before = self.env._now, self._states.get(fact.agent)
        if before is not None:
            self._spent(before[0], now - before[1])
        self._states[fact.agent] = fact.state, now
        self.staff.see(fact)

    def _spent(self, state: AgentState, span_us: int) -> None:
        agent_s = self.summary.agent_s
        agent_s[state] = agent_s.get(state, 0.0) + span_us / SECOND

    def _closed(self, fact: AttemptClosed) -> None:
        self.staff.see(fact)
        counts = self.summary.dispositions
        counts[fact.disposition] = counts.get(fact.disposition, 0) + 1
        if fact.talk_us is not None:
            self.summary.talk_s += fact.talk_us / SECOND
