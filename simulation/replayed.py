"""A recorded day simulated again: its lists, rules, agents and orders as they were, the calls as callees have them.

What came from outside is played at its recorded instant; what the engine, the switch and the agents do follows from the
simulation. The floor begins as the record had left it the day before.
"""

from collections.abc import Callable
from datetime import date

from msgspec.structs import replace

from dialer.engine import Engine, Gate
from dialer.engine.snapshot import thaw
from domain import events
from domain.calls import AgentState
from domain.errors import BadInput
from domain.facts import AgentShifted, AttemptClosed, CallClassed
from domain.orders import Reserve
from domain.people import Dossier
from domain.records import Row
from simulation.callees import Callees
from simulation.chance import Chance
from simulation.day import Day, Tally
from simulation.outcome import Outcome
from simulation.run import RunSettings, SimulatedFloor
from simulation.tape import Tape


class Replayed(SimulatedFloor):
    """One simulation of a day, to be run once.

    Parameters
    ----------
    gates : callable
        Returns the gate of a version of the rules; None: it is not to be had.
    meets : callable, optional
        Whom calls meet, given the population and the draws; without it, the population.

    Raises
    ------
    BadInput
        When rules of the day are not to be had.
    """

    def __init__(
        self,
        day: Day,
        run: RunSettings,
        gates: Callable[[str], Gate | None],
        *,
        keep: bool = False,
        meets: Callable[[Callees, Chance], Callees] | None = None,
    ) -> None:
        self._gates = {version: _found(gates(version), version, day) for version in day.rules}
        state = None if day.before is None else thaw(day.before)
        #: Keeps the rows, if told to.
        self.tape = Tape(keep=keep, versions={} if state is None else state.versions)
        super().__init__(
            floor=day.settings,
            run=replace(run, start_us=day.from_us, commit_us=day.commit_us, world=day.world, temper=day.temper),
            gate=self._gates[day.rules[0]],
            ledger=self.tape,
            loads=(),
            chairs=day.chairs,
            meets=meets,
        )
        self._recorded = day
        self._tally = Tally(day.settings, date.fromisoformat(day.day), day.settings.zone)
        #: Attempts of the recorded day: they have not happened here.
        self._never = frozenset(call.call_id for call in day.calls)
        if state is not None:
            self.engine = Engine(self._gates[day.rules[0]], state)
            self._tally.meet(state.people.values())
            self.people.meet(state.people.values())
        self.tape.know(self.engine.state.people)

    def day(self) -> Outcome:
        """Run it to its end."""
        day = self._recorded
        for agent in list(self.engine.state.agents.values()):
            # Left signed in the day before.
            if agent.state is not AgentState.offline:
                self.accept(events.SignedOut(at_us=day.from_us, agent=agent.agent))
        self.staff.start()
        outer, place = day.outer, 0
        for began_us, ends_us in day.lives:
            self._run_until(began_us)
            while place < len(outer) and outer[place].at_us <= ends_us:
                self._live_until(outer[place].at_us)
                self._play(outer[place])
                place += 1
            self._live_until(ends_us)
            self._ticking = False
            self._tally.pause(self._now)
        self._keep_rest()
        return self._tally.outcome("simulated", self._now, self._run.seed)

    def _live_until(self, at_us: int) -> None:
        if at_us > self._now and not self._ticking and self.engine.state.opened:
            for node, linked in list(self.engine.state.nodes.items()):
                if linked and not self.world.linked(node):
                    self.world.mend_link(node)
            self._start_ticking()
        self._run_until(at_us)

    # ---- what came from outside

    def _play(self, row: Row) -> None:
        record = row.record
        if isinstance(record, events.LinkUp):
            self.world.mend_link(record.node)
        elif isinstance(record, events.LinkDown):
            self.world.cut_link(record.node)
        elif isinstance(record, events.FloorOpened):
            self.engine.gate = self._gates[record.rules]
            self._floor = record.settings
            self.accept(replace(record, at_us=self._now))
        elif isinstance(record, events.RulesChanged):
            self._take_rules(self._gates[record.rules])
        elif isinstance(record, events.LeadsLoaded):
            self._load(record)
        elif isinstance(record, events.PersonChanged):
            dossier = self.tape.moved(self._as_of_here(record.dossier))
            self.people.meet((dossier,))
            self.accept(replace(record, at_us=self._now, dossier=dossier))
        else:
            self.accept(replace(record, at_us=self._now))  # type: ignore[arg-type]

    def _load(self, load: events.LeadsLoaded) -> None:
        if not self.summary.attempts:
            # Nobody has been called here yet: the ledger stands as it stood.
            for dossier in load.people:
                self.tape.learned(dossier)
        people = tuple(self.tape.rebased(self._as_of_here(dossier)) for dossier in load.people)
        self._tally.meet(people)
        self.people.meet(people)
        self.accept(replace(load, at_us=self._now, people=people))

    def _as_of_here(self, dossier: Dossier) -> Dossier:
        """Return a dossier without the calls of the recorded day."""
        kept = tuple(line for line in dossier.history if line.attempt not in self._never)
        others = tuple(line for line in dossier.others if line.attempt not in self._never)
        return replace(dossier, history=kept, others=others)

    # ---- counting

    def _reserved(self, order: Reserve) -> None:
        super()._reserved(order)
        self._tally.reserved(order, self._now)

    def _classed(self, fact: CallClassed) -> None:
        super()._classed(fact)
        self._tally.classed(fact)

    def _closed(self, fact: AttemptClosed) -> None:
        super()._closed(fact)
        self._tally.closed(fact)

    def _shifted(self, fact: AgentShifted) -> None:
        super()._shifted(fact)
        self._tally.shifted(fact, self._now)


def _found(gate: Gate | None, version: str, day: Day) -> Gate:
    if gate is None:
        raise BadInput(
            f"fidelity: the rules {version[:12]} of {day.day} are not to be had any more; put the packs of that day "
            "back (see `cadencia rules`), or take a later day"
        )
    return gate
