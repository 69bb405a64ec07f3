"""A simulated floor whose engine can be killed at any instant and comes back from the record; the switch lives on.

It keeps the order of the live loop: an Originate leaves after the commit of its own row and before its verdict runs
out, answers come after the commit, other orders leave at once. Unlike it, everything here is late at random: commits,
news of what others wrote, and the lists.
"""

import random
from collections.abc import Iterable

from msgspec.structs import replace

from dialer.engine import Engine, Gate
from dialer.recovery import recover
from domain.calls import CampaignState, Mode
from domain.events import AnyEvent, CampaignOrdered, FloorOpened, ModeSet, NotSent, PersonChanged, Tick
from domain.facts import AgentShifted, AttemptClosed
from domain.instants import DAY, HOUR, MINUTE, SECOND
from domain.orders import Order, Originate, Reserve
from domain.people import Dossier
from domain.records import Row
from domain.settings import FloorSettings
from ledger.store import SqlLedger
from simulation.agents import Chair, Staff, Temper
from simulation.alarms import Alarm, Clock
from simulation.chance import Chance
from simulation.exchange import WorldSettings
from simulation.population import Debtors
from simulation.population import load as load_world
from simulation.world import World

#: People who answer often, and have much to say: the more lines and stops, the more there is to leak. Most ask to be
#: called again, as few of those calls are still allowed a day later.
LAWS = load_world(
    "default",
    {
        "answering": {"p_pick_up": [0.55, 0.53, 0.5, 0.5, 0.47, 0.45], "fatigue": [1.0, 1.0], "same_day": 1.0},
        "numbers": {"p_debtor_fixed": 0.8},
        "outcomes": {
            "promise": 0.12,
            "plan": 0.03,
            "no_promise": 0.12,
            "call_back": 0.60,
            "dispute": 0.05,
            "already_paid": 0.04,
            "do_not_call": 0.03,
        },
    },
)
#: One of so many commits is the engine's last act, before or after it.
_KILLED_OF_COMMITS = 150
#: News are read at one of so many heartbeats.
_P_NEWS = 0.3
_NODE = "main"


class HuntedFloor:
    """One floor of one or several on a ledger.

    Parameters
    ----------
    env : Clock
        Its clock counts microseconds UTC.
    people : iterable of Dossier
        Everybody who may be on a list.
    n_agents : int
        Agents who work around the clock, but for breaks.
    """

    def __init__(
        self,
        env: Clock,
        ledger: SqlLedger,
        gate: Gate,
        settings: FloorSettings,
        people: Iterable[Dossier],
        n_agents: int,
        seed: int,
    ) -> None:
        self.env = env
        self.ledger = ledger
        self.gate = gate
        self.settings = settings
        self.chance = random.Random(seed)
        drawn = Chance(seed)
        start_us = int(env.now)
        callees = Debtors(LAWS, drawn, start_us=start_us)
        callees.meet(people)
        self.world = World(env, WorldSettings(p_person_as_machine=0.1), callees, drawn, self._hear)
        previews = any(campaign.mode is Mode.preview for campaign in settings.campaigns)
        chairs = [
            Chair(agent=f"{settings.stream}a{n}", starts_us=start_us, previews=previews and n == 0)
            for n in range(n_agents)
        ]
        self.staff = Staff(
            env, self.world, callees, drawn, Temper(break_after_s=14_400.0, ask_again_s=300.0), chairs, self._hear
        )
        self._life: _Life | None = None
        self._cursor = 0

    def start(self) -> None:
        """Open the floor, load its lists and begin."""
        self._cursor = self.ledger.change_cursor()
        self._life = life = _Life(self, Engine(self.gate), self._cursor)
        life.open()
        for campaign in self.settings.campaigns:
            plan = self.ledger.make_plan(campaign, life.now_us, self.settings.zone)
            for load in self.ledger.plan_events(plan, campaign.name, life.now_us):
                life.accept(load)
        self.world.start()
        for campaign in self.settings.campaigns:
            life.accept(CampaignOrdered(at_us=life.now_us, campaign=campaign.name, verb="run"))
        self.staff.start()
        life.tick()
        self._later(self._us(6 * HOUR), self._new_list, None)
        self._later(self._us(DAY), self._meddle, None)
        self._later(self._us(3 * DAY), self._kill, None)

    def stop(self) -> None:
        """Make durable what waits, and end."""
        if self._life is not None:
            self._life.end()

    def _hear(self, event: AnyEvent) -> None:
        if self._life is not None:
            self._life.accept(event)

    # ---- what befalls a floor

    def _kill(self, _: None) -> None:
        self._later(self._us(3 * DAY), self._kill, None)
        self.die()

    def die(self) -> None:
        """End the engine's process now; the next one starts after a while."""
        if self._life is None:
            return
        self._life.alive = False
        self._life = None
        self.world.cut_link(_NODE)
        self._later(self.chance.choice((2 * SECOND, self._us(10 * MINUTE), self._us(4 * HOUR))), self._come_back, None)

    def _come_back(self, _: None) -> None:
        self._life = life = _Life(self, recover(self.ledger, self.settings.stream, self.gate), 0)
        life.open()
        self.world.mend_link(_NODE)
        life.tick()

    def _new_list(self, _: None) -> None:
        self._later(self._us(6 * HOUR), self._new_list, None)
        life = self._life
        if life is not None:
            campaign = self.chance.choice(self.settings.campaigns)
            plan = self.ledger.make_plan(campaign, life.now_us, self.settings.zone)
            # Read in pieces, while others write.
            self._later(self._us(10 * MINUTE), life.load, (plan, campaign.name))

    def _meddle(self, _: None) -> None:
        """Change a campaign's mode, or run it again where it has stopped."""
        self._later(self._us(DAY), self._meddle, None)
        life = self._life
        if life is None:
            return
        campaign = self.chance.choice(self.settings.campaigns)
        mode = self.chance.choice([mode for mode in Mode if mode is not Mode.preview])
        if campaign.mode is not Mode.preview:
            life.accept(ModeSet(at_us=life.now_us, campaign=campaign.name, mode=mode))
        life.accept(CampaignOrdered(at_us=life.now_us, campaign=campaign.name, verb="run"))

    def _us(self, mean_us: int) -> int:
        return int(self.chance.expovariate(1.0 / mean_us))

    def _later(self, after_us: int, act: object, subject: object) -> None:
        Alarm(self.env, after_us, act, subject)  # type: ignore[arg-type]


class _Life:
    """One process of the engine, from its start to its death."""

    def __init__(self, floor: HuntedFloor, engine: Engine, cursor: int) -> None:
        self.alive = True
        self._floor = floor
        self._engine = engine
        self._cursor = cursor
        #: Until it has read once what was written while no engine ran.
        self._catching_up = cursor == 0
        self._reading = False
        self._waiting: list[Row] = []
        #: Somebody waits for the commit of one of them.
        self._urgent = False
        self._committing_since_us: int | None = None

    @property
    def now_us(self) -> int:
        return int(self._floor.env.now)

    def open(self) -> None:
        floor = self._floor
        self.accept(
            FloorOpened(
                at_us=self.now_us, settings=floor.settings, rules=floor.gate.version, versions={}, rehearsed=True
            )
        )

    def load(self, plan: tuple[str, str]) -> None:
        """Load a list that was made a while ago."""
        number, name = plan
        if not self.alive:
            return
        for load in self._floor.ledger.plan_events(number, name, self.now_us):
            self.accept(load)
        if self._engine.state.campaigns[name].state is CampaignState.finished:
            self.accept(CampaignOrdered(at_us=self.now_us, campaign=name, verb="run"))

    # ---- events in, orders out

    def accept(self, event: AnyEvent) -> None:
        if not self.alive:
            return
        rows = self._engine.handle(event)
        self._waiting += rows
        for row in rows:
            record = row.record
            if isinstance(record, Order):
                if isinstance(record, Reserve):
                    self._urgent = True
                    self._floor.staff.see(record)
                elif isinstance(record, Originate):
                    self._urgent = True
                else:
                    self._floor.world.send(record)
            elif isinstance(record, AgentShifted | AttemptClosed):
                self._floor.staff.see(record)
        # Rows that nobody waits for ride along, but how an attempt ended is soon known to all.
        self._urgent = self._urgent or any(isinstance(row.record, AttemptClosed) for row in rows)
        if self._urgent and self._committing_since_us is None:
            self._commit()

    def _commit(self) -> None:
        batch, self._waiting, self._urgent = self._waiting, [], False
        self._committing_since_us = self.now_us
        chance = self._floor.chance
        # A disk that hesitates: others write meanwhile, and verdicts run out.
        took_us = 5_000 if chance.random() < 0.97 else self._floor._us(5 * SECOND)
        self._floor._later(took_us, self._committed, batch)

    def _committed(self, batch: list[Row]) -> None:
        floor = self._floor
        if not self.alive:
            # The process died while the database worked: it may have been just in time.
            if floor.chance.random() < 0.5 and floor._life is None:
                floor.ledger.append(batch)
            return
        matters = any(isinstance(row.record, Reserve | Originate) for row in batch)
        dies = matters and floor.chance.random() * _KILLED_OF_COMMITS < 1.0
        if dies and floor.chance.random() < 0.5:
            floor.die()
            return
        answers = floor.ledger.append(batch)
        if dies:
            floor.die()
            return
        now_us = self.now_us
        for row in batch:
            order = row.record
            if isinstance(order, Originate):
                if now_us < order.valid_until_us:
                    floor.world.send(order)
                else:
                    self.accept(NotSent(at_us=now_us, call_id=order.call_id, why="verdict_ended"))
        for answer in answers:
            self.accept(replace(answer, at_us=now_us))
        self._committing_since_us = None
        if self._urgent:
            self._commit()

    def tick(self, _: None = None) -> None:
        """Beat, hear the news, and beat again after a while."""
        if not self.alive:
            return
        since_us = self._committing_since_us
        self.accept(Tick(at_us=self.now_us, commit_lag_us=0 if since_us is None else self.now_us - since_us))
        if not self._reading and (self._catching_up or self._floor.chance.random() < _P_NEWS):
            self._read_news()
        self._floor._later(round(self._floor.settings.tick_s * SECOND), self.tick, None)

    def _read_news(self) -> None:
        floor, people = self._floor, self._engine.state.people
        self._cursor, persons = floor.ledger.changes(self._cursor, floor.settings.stream)
        found = floor.ledger.dossiers([person for person in persons if person in people])
        if self._catching_up:
            versions = self._engine.state.versions
            found = [one for one in found if any(cap.version != versions.get(cap.key) for cap in one.keys)]
            self._catching_up = False
        if found:
            self._reading = True
            late_us = floor.chance.choice((1_000, floor._us(2 * SECOND), floor._us(MINUTE)))
            floor._later(late_us, self._tell, found)

    def _tell(self, found: list[Dossier]) -> None:
        self._reading = False
        for dossier in found:
            self.accept(PersonChanged(at_us=self.now_us, dossier=dossier))

    def end(self) -> None:
        if self._waiting:
            self._floor.ledger.append(self._waiting)
