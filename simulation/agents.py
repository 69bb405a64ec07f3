"""Robot agents: they sense their phone and their screen, and act only through the desk, as people do.

A robot signs in, makes itself ready, talks, hangs up, writes wrap-up notes, records what the debtor said, takes breaks,
reads previewed leads, now and then forgets to record or loses its phone, and signs out at the end of its shift.
"""

from collections.abc import Callable, Iterable
from typing import Annotated

import msgspec
from msgspec import Meta

from domain.calls import AgentState
from domain.events import (
    AnyEvent,
    Disposed,
    Finishing,
    HangUpAsked,
    LeadAccepted,
    LeadAsked,
    LeadSkipped,
    MadeReady,
    PauseAsked,
    SignedIn,
    SignedOut,
)
from domain.facts import AgentShifted, AttemptClosed
from domain.instants import SECOND
from domain.orders import Reserve, ShowLead
from simulation.alarms import Alarm, Clock, Subject
from simulation.callees import Callees, Meeting
from simulation.chance import Chance, Purpose, entity_of, exponential, lognormal
from simulation.exchange import Listener
from simulation.world import World

#: What agents' screens are made of.
Shown = AgentShifted | ShowLead | Reserve | AttemptClosed
#: Why the engine itself pauses an agent; every other reason is somebody's word.
OF_THE_ENGINE = frozenset({"signed_in", "preview_expired", "busy", "gone", "no_answer"})
_BREAK = "break"
#: Asked often: see `domain.calls.Word`.
_OFFLINE, _READY, _PAUSED = AgentState.offline, AgentState.ready, AgentState.paused


Seconds = Annotated[float, Meta(ge=0.0, le=86_400.0)]
Probability = Annotated[float, Meta(ge=0.0, le=1.0)]
#: Median in seconds and deviation of the logarithm.
Law = tuple[Annotated[float, Meta(gt=0.0, le=86_400.0)], Annotated[float, Meta(ge=0.0, le=3.0)]]


class Temper(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How agents work. All assumed; a floor's own record replaces them once it has one."""

    #: Late for the shift: mean of an exponential.
    late_s: Seconds = 60.0
    #: From the phone's being usable to pressing ready.
    settle_s: Seconds = 2.0
    #: Wrap-up after a debtor, after anybody else: median and spread.
    wrap_debtor_s: Law = (18.0, 0.6)
    wrap_other_s: Law = (5.0, 0.5)
    #: The outcome is recorded while still talking.
    p_early: Probability = 0.05
    #: The end of a conversation is announced at the desk, so long before it comes: median and spread.
    p_announce: Probability = 0.0
    announce_s: Law = (8.0, 0.5)
    #: Nothing is recorded in time: the wrap-up takes for ever.
    p_forget: Probability = 0.005
    #: Work between breaks: mean of an exponential; length of a break: median and spread.
    break_after_s: Annotated[float, Meta(gt=0.0)] = 5400.0
    break_s: Law = (540.0, 0.4)
    #: The phone goes on-hook at the end of a call, and is off-hook again after so long.
    p_drop: Probability = 0.001
    drop_s: Seconds = 30.0
    #: Reading a previewed lead: median and spread; share of leads skipped.
    preview_s: Law = (12.0, 0.5)
    p_skip: Probability = 0.05
    #: An agent who got no lead to preview asks again.
    ask_again_s: Annotated[float, Meta(gt=0.0, le=86_400.0)] = 15.0


class Break(msgspec.Struct, frozen=True, kw_only=True):
    """A pause that is on file."""

    at_us: int
    span_us: int
    reason: str = _BREAK


class Chair(msgspec.Struct, frozen=True, kw_only=True):
    """One agent's shift."""

    agent: str
    starts_us: int
    #: None: stays to the end.
    ends_us: int | None = None
    #: Campaigns served; empty: all.
    campaigns: tuple[str, ...] = ()
    node: str = "main"
    #: The engine calls the phone; otherwise the agent dials the feature code.
    call_me: bool = True
    #: Asks for leads when ready.
    previews: bool = False
    #: Wrap-ups, and conversations, take so many times as long as the floor's.
    pace: float = 1.0
    talk_pace: float = 1.0
    #: On file: first ready at this instant, and the pauses, in order; None: as the temper has it.
    ready_us: int | None = None
    breaks: tuple[Break, ...] | None = None
    #: Groups that the agent is in, which steps of strategies may ask for.
    groups: tuple[str, ...] = ()


class Robot:
    """What one agent knows and counts."""

    __slots__ = (
        "at_work",
        "break_",
        "breaks",
        "call_id",
        "chair",
        "entity",
        "held",
        "meeting",
        "n_breaks",
        "n_calls",
        "n_previews",
        "n_shifts",
        "recorded",
        "resting",
        "state",
        "turn",
        "wants_break",
    )

    def __init__(self, chair: Chair) -> None:
        self.chair = chair
        self.entity = entity_of(chair.agent)
        self.at_work = False
        self.call_id: str | None = None
        self.meeting: Meeting | None = None
        #: The outcome of the call at hand is on record.
        self.recorded = False
        self.resting = False
        self.wants_break = False
        #: The pause at hand or to come, and those on file after it.
        self.break_: Break | None = None
        self.breaks: list[Break] = []
        #: Paused by a supervisor, until made ready by one.
        self.held = False
        self.n_calls = 0
        self.n_breaks = 0
        self.n_previews = 0
        self.n_shifts = 0
        #: What the screen says.
        self.state = AgentState.offline
        #: How many-th state that is: tells an intention from one formed in an earlier state.
        self.turn = 0


class Staff(Listener):
    """The robots of a floor.

    Parameters
    ----------
    desk : callable
        Takes what the robots do.
    """

    def __init__(
        self,
        env: Clock,
        world: World,
        callees: Callees,
        chance: Chance,
        temper: Temper,
        chairs: Iterable[Chair],
        desk: Callable[[AnyEvent], None],
    ) -> None:
        self.env = env
        self.temper = temper
        self.robots: dict[str, Robot] = {}
        self._chairs = tuple(chairs)
        self._world = world
        self._callees = callees
        self._chance = chance
        self._desk = desk
        #: By call, whom it asks for, and about which debts, as the screen says it.
        self._asked: dict[str, Reserve] = {}
        world.listener = self

    def start(self) -> None:
        """Let the shifts begin and end."""
        self.take(self._chairs)

    def take(self, chairs: Iterable[Chair]) -> None:
        """Let further shifts begin and end; an agent's next one begins after the last has ended."""
        now = self.env._now
        for chair in chairs:
            robot = self.robots.get(chair.agent)
            if robot is None:
                robot = self.robots[chair.agent] = Robot(chair)
            robot.chair = chair
            late_us = self._us(exponential(self._u(Purpose.late, robot, robot.n_shifts), self.temper.late_s))
            robot.n_shifts += 1
            self._later(max(0, chair.starts_us + late_us - now), self._sign_in, robot)
            if chair.ends_us is not None:
                self._later(max(0, chair.ends_us - now), self._sign_out, robot)

    # ---- the shift

    def _sign_in(self, robot: Robot) -> None:
        chair = robot.chair
        robot.at_work = True
        robot.breaks = list(chair.breaks or ())
        self._desk(
            SignedIn(
                at_us=self.env._now,
                agent=chair.agent,
                campaigns=chair.campaigns,
                call_me=chair.call_me,
                node=chair.node,
                until_us=chair.ends_us,
                groups=chair.groups,
            )
        )
        self._world.talk_paces[chair.agent] = chair.talk_pace
        if not chair.call_me:
            self._world.lift(chair.agent, chair.node)
        self._plan_break(robot)

    def _sign_out(self, robot: Robot) -> None:
        robot.at_work = False
        self._desk(SignedOut(at_us=self.env._now, agent=robot.chair.agent))

    def _plan_break(self, robot: Robot) -> None:
        robot.n_breaks += 1
        if robot.chair.breaks is not None:
            robot.break_ = robot.breaks.pop(0) if robot.breaks else None
            if robot.break_ is not None:
                self._later(max(0, robot.break_.at_us - self.env._now), self._want_break, (robot, robot.n_shifts))
            return
        after_s = exponential(self._u(Purpose.break_after, robot, robot.n_breaks), self.temper.break_after_s)
        self._later(self._us(after_s), self._want_break, (robot, robot.n_shifts))

    def _want_break(self, work: tuple[Robot, int]) -> None:
        robot, shift = work
        if not robot.at_work or robot.n_shifts != shift:
            return
        if robot.held:
            self._plan_break(robot)
            return
        robot.wants_break = True
        self._desk(PauseAsked(at_us=self.env._now, agent=robot.chair.agent, reason=_reason(robot)))

    def _rest(self, robot: Robot) -> None:
        robot.wants_break = False
        robot.resting = True
        if robot.break_ is not None:
            self._later(robot.break_.span_us, self._rested, robot)
            return
        length_s = lognormal(self._u(Purpose.break_length, robot, robot.n_breaks), *self.temper.break_s)
        self._later(self._us(length_s), self._rested, robot)

    def _rested(self, robot: Robot) -> None:
        robot.resting = False
        self._plan_break(robot)
        self._make_ready(robot)

    def _make_ready(self, robot: Robot) -> None:
        if robot.at_work and not robot.resting and not robot.held and robot.call_id is None:
            self._desk(MadeReady(at_us=self.env._now, agent=robot.chair.agent))

    # ---- the phone

    def lifted(self, agent: str) -> None:
        if (robot := self.robots.get(agent)) is not None:
            self._settle(robot)

    def _settle(self, robot: Robot) -> None:
        ready_us = robot.chair.ready_us or 0
        after_us = ready_us - self.env._now if ready_us >= self.env._now else self._us(self.temper.settle_s)
        self._later(after_us, self._make_ready, robot)

    def dropped(self, agent: str) -> None:
        robot = self.robots.get(agent)
        if robot is not None and robot.at_work:
            self._later(self._us(self.temper.drop_s), self._pick_up, robot)

    def _pick_up(self, robot: Robot) -> None:
        if robot.at_work:
            self._world.lift(robot.chair.agent, robot.chair.node)

    def connected(self, agent: str, call_id: str, meeting: Meeting) -> None:
        robot = self.robots.get(agent)
        if robot is None:
            return
        robot.n_calls += 1
        robot.call_id, robot.meeting, robot.recorded = call_id, meeting, False
        meeting.agent = agent
        if self._u(Purpose.early, robot, robot.n_calls) < self.temper.p_early:
            self._later(meeting.talk_us * 9 // 10, self._record, (robot, call_id))
        temper = self.temper
        if temper.p_announce and self._u(Purpose.announce, robot, robot.n_calls) < temper.p_announce:
            before_s = lognormal(self._u(Purpose.announce_before, robot, robot.n_calls), *temper.announce_s)
            self._later(max(0, meeting.talk_us - self._us(before_s)), self._announce, (robot, call_id))
        if not meeting.person_ends:
            self._later(meeting.talk_us, self._hang_up, (robot, call_id))

    def _announce(self, talk: tuple[Robot, str]) -> None:
        robot, call_id = talk
        if robot.call_id == call_id:
            self._desk(Finishing(at_us=self.env._now, agent=robot.chair.agent))

    def _hang_up(self, talk: tuple[Robot, str]) -> None:
        robot, call_id = talk
        if robot.call_id == call_id:
            self._desk(HangUpAsked(at_us=self.env._now, agent=robot.chair.agent))

    def left(self, agent: str, call_id: str) -> None:
        robot = self.robots.get(agent)
        if robot is None or robot.call_id != call_id or robot.meeting is None:
            return
        if self._u(Purpose.drop, robot, robot.n_calls) < self.temper.p_drop:
            self._later(0, self._lose_phone, robot)
        forgets = robot.meeting.forgotten
        if forgets is None:
            forgets = self._u(Purpose.forget, robot, robot.n_calls) < self.temper.p_forget
        if robot.recorded or forgets:
            self._finish(robot)
        elif robot.meeting.wrap_us is not None:
            self._later(robot.meeting.wrap_us, self._wrap, (robot, call_id))
        else:
            law = self.temper.wrap_debtor_s if robot.meeting.who == "debtor" else self.temper.wrap_other_s
            wrap_s = lognormal(self._u(Purpose.wrap, robot, robot.n_calls), *law)
            self._later(self._us(wrap_s * robot.chair.pace), self._wrap, (robot, call_id))

    def _wrap(self, talk: tuple[Robot, str]) -> None:
        robot, call_id = talk
        if robot.call_id == call_id:
            self._record(talk)
            self._finish(robot)

    def _record(self, talk: tuple[Robot, str]) -> None:
        robot, call_id = talk
        if robot.call_id != call_id or robot.meeting is None or robot.recorded:
            return
        robot.recorded = True
        asked = self._asked.get(call_id)
        person, debts = (robot.meeting.person, ()) if asked is None else (asked.person, asked.debts)
        said = self._callees.say(robot.meeting, self.env._now, person, debts)
        self._desk(
            Disposed(
                at_us=self.env._now,
                agent=robot.chair.agent,
                call_id=call_id,
                disposition=said.disposition,
                debt=said.debt,
                amount_minor=said.amount_minor,
                currency=said.currency,
                due_on=said.due_on,
                instalments=said.instalments,
                call_back_us=said.call_back_us,
                own=said.own,
            )
        )

    def _finish(self, robot: Robot) -> None:
        robot.call_id, robot.meeting = None, None

    def _lose_phone(self, robot: Robot) -> None:
        self._world.drop(robot.chair.agent, self._us(self.temper.drop_s))

    # ---- the screen

    def see(self, record: Shown) -> None:
        """Take what the screens show, for whom it concerns: states, leads, whom a call asks for."""
        # By the type itself: `isinstance` takes ten times as long where classes are records'.
        if type(record) is Reserve:
            self._asked[record.call_id] = record
        elif type(record) is AttemptClosed:
            self._asked.pop(record.call_id, None)
        elif type(record) is AgentShifted:
            self._see_state(record)
        elif type(record) is ShowLead:
            self.shown(record)

    def _see_state(self, fact: AgentShifted) -> None:
        robot = self.robots.get(fact.agent)
        if robot is None:
            return
        robot.state = fact.state
        robot.turn += 1
        if fact.state is _OFFLINE:
            # Signed out, by the robot itself or by a supervisor.
            robot.at_work = robot.wants_break = False
        if fact.state in (_OFFLINE, _READY):
            robot.held = False
        if fact.state is _READY and robot.chair.previews:
            self._later(SECOND, self._ask, (robot, robot.turn))
        if fact.state is not _PAUSED:
            return
        on_break = robot.resting or robot.wants_break
        if fact.reason not in OF_THE_ENGINE:
            robot.held = robot.held or fact.reason != _reason(robot) or not on_break
        elif not on_break:
            # The engine paused the agent, e.g. after an unaccepted call.
            self._settle(robot)
        if robot.wants_break:
            self._rest(robot)

    def _ask(self, intention: tuple[Robot, int]) -> None:
        robot, turn = intention
        if robot.at_work and robot.turn == turn:
            self._later(self._us(self.temper.ask_again_s), self._ask, intention)
            self._desk(LeadAsked(at_us=self.env._now, agent=robot.chair.agent))

    def shown(self, order: ShowLead) -> None:
        robot = self.robots.get(order.agent)
        if robot is None or order.call_id is not None:
            return
        robot.n_previews += 1
        read_s = lognormal(self._u(Purpose.preview, robot, robot.n_previews), *self.temper.preview_s)
        self._later(self._us(read_s), self._decide, (robot, robot.n_previews))

    def _decide(self, preview: tuple[Robot, int]) -> None:
        robot, nth = preview
        if robot.state is not AgentState.previewing or robot.n_previews != nth:
            return
        if self._u(Purpose.skip, robot, nth) < self.temper.p_skip:
            self._desk(LeadSkipped(at_us=self.env._now, agent=robot.chair.agent))
        else:
            self._desk(LeadAccepted(at_us=self.env._now, agent=robot.chair.agent))

    # ---- chance and clock

    def _u(self, purpose: int, robot: Robot, counter: int) -> float:
        return self._chance.u(purpose, robot.entity, counter)

    @staticmethod
    def _us(seconds: float) -> int:
        return int(seconds * SECOND)

    def _later(self, after_us: int, act: Callable[[Subject], None], subject: Subject) -> None:
        Alarm(self.env, after_us, act, subject)


def _reason(robot: Robot) -> str:
    return _BREAK if robot.break_ is None else robot.break_.reason
