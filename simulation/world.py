"""The simulated switch: takes the engine's orders, gives its events, on a SimPy clock of integer microseconds.

The call flow is that of the dialplan (`config/asterisk/cadencia-extensions.conf`): after the answer, and detection
where asked, the caller waits GRACE for Connect or Keep; then the switch goes on by itself to its own queue, and at the
limit to the message or the hang-up. `env.now` is the instant: events carry it as `at_us`.

Laws of this file:
1. `send` never delivers: what an order brings about comes later, by the clock. So an engine may order while it handles.
2. A call has one alarm; whatever comes between calls it off. No processes, only callbacks: this is the hot path.
3. Every Originate that reaches the switch ends exactly once, whether or not the link is up to tell it.
"""

from collections.abc import Callable
from typing import Any

from domain.calls import Cause
from domain.events import (
    Abandoned,
    Answered,
    AnyEvent,
    Connected,
    Detected,
    Ended,
    EndedCall,
    LinkDown,
    LinkUp,
    LiveCall,
    PhoneDown,
    PhoneUp,
    Queued,
    Refused,
    Resynced,
    Ringing,
)
from domain.orders import Connect, DropAgent, HangUp, Keep, Originate, QueueAgent, RingAgent, ShowLead
from simulation.alarms import Alarm, Clock, Subject
from simulation.callees import CONGESTION, NO_ANSWER, Callees, Meeting
from simulation.chance import Chance, Purpose
from simulation.exchange import (
    CLASSES,
    DETECTING,
    GONE,
    KEPT,
    LIVE,
    MACHINE,
    MESSAGE,
    QUEUED,
    RINGING,
    TALKING,
    WAITING,
    Line,
    Listener,
    Seat,
    WorldSettings,
)

#: What a switch understands; Reserve is the ledger's.
SwitchOrder = Originate | Connect | Keep | HangUp | RingAgent | DropAgent | QueueAgent | ShowLead

#: Q.850 cause of a call cleared by either side.
_CLEARED = 16
_NORMAL = Cause.normal


class World:
    """A telephone network with its callees, and a switch, between `send` and `deliver`.

    Parameters
    ----------
    env : Clock
        Says what time it is.
    callees : Callees
        Who can be called.
    deliver : callable
        Takes each event at its instant; may call `send`.
    """

    def __init__(
        self,
        env: Clock,
        settings: WorldSettings,
        callees: Callees,
        chance: Chance,
        deliver: Callable[[AnyEvent], None],
    ) -> None:
        self.env = env
        self.settings = settings
        self.listener = Listener()
        self.lines: dict[str, Line] = {}
        self.seats: dict[str, Seat] = {}
        #: Agents whose conversations take so many times as long as the floor's.
        self.talk_paces: dict[str, float] = {}
        #: Calls placed, answered and ended; `placed - ended` are live at any instant.
        self.placed = 0
        self.answered = 0
        self.ended = 0
        self._callees = callees
        self._chance = chance
        self._deliver = deliver
        self._linked = dict.fromkeys(settings.nodes, False)
        #: What the switch remembers of answered calls whose end it could not tell.
        self._memory: dict[str, list[EndedCall]] = {node: [] for node in settings.nodes}
        self._take: dict[type, Callable[[Any], None]] = {
            Originate: self._originate,
            Connect: lambda order: self._later(settings.order_us + settings.bridge_us, self._bridge, order),
            Keep: lambda order: self._later(settings.order_us, self._hold, order),
            HangUp: lambda order: self._later(settings.order_us, self._hang_up, order),
            RingAgent: self._ring_agent,
            DropAgent: lambda order: self._later(settings.order_us, self._drop_agent, order),
            QueueAgent: lambda order: self._later(settings.order_us, self._queue_agent, order),
        }

    def start(self) -> None:
        """Bring the links up."""
        for node in self.settings.nodes:
            self.mend_link(node)

    def send(self, order: SwitchOrder) -> None:
        """Take an order; over a link that is down it is lost."""
        if type(order) is ShowLead:
            self.listener.shown(order)
        elif self._linked[order.node]:  # type: ignore[union-attr]  # all others have one
            self._take[type(order)](order)

    # ---- links and faults

    def linked(self, node: str) -> bool:
        """Say whether the engine hears a node."""
        return self._linked[node]

    def cut_link(self, node: str, notice_us: int = 0) -> None:
        """Lose the link to a node: nothing passes from now on; the loss is noticed after a while."""
        self._linked[node] = False
        self._later(notice_us, self._notice_cut, node)

    def mend_link(self, node: str) -> None:
        """Bring the link up and tell all that lives on the node."""
        self._linked[node] = True
        self._deliver(LinkUp(at_us=self.env._now, node=node))
        ended, self._memory[node] = tuple(self._memory[node]), []
        calls = tuple(
            LiveCall(call_id=line.call_id, state=LIVE[line.place], agent=line.seat.agent if line.seat else None)
            for line in self.lines.values()
            if line.node == node
        )
        agents = tuple(seat.agent for seat in self.seats.values() if seat.up and seat.node == node)
        self._deliver(Resynced(at_us=self.env._now, node=node, calls=calls, ended=ended, agents=agents))

    def restart_node(self, node: str, down_us: int) -> None:
        """Kill the switch process: calls and agents vanish with it, and it remembers none of them."""
        self.cut_link(node)
        for line in [line for line in self.lines.values() if line.node == node]:
            self._interrupt(line)
            self._end(line, Cause.switch_fail)
        for seat in self.seats.values():
            if seat.node == node:
                self._put_down(seat)
        self._later(down_us, self.mend_link, node)

    def _notice_cut(self, node: str) -> None:
        if not self._linked[node]:
            self._deliver(LinkDown(at_us=self.env._now, node=node))

    # ---- agents' phones

    def lift(self, agent: str, node: str) -> None:
        """Take an agent's phone off-hook from its own side (the feature code)."""
        self._raise(self._seat(agent, node), self.settings.agent_usable_us)

    def drop(self, agent: str, dead_us: int = 0) -> None:
        """Put an agent's phone on-hook from its own side; it cannot be rung for a while."""
        seat = self.seats[agent]
        seat.dead_until_us = self.env._now + dead_us
        self._put_down(seat)

    def _seat(self, agent: str, node: str) -> Seat:
        seat = self.seats.get(agent)
        if seat is None:
            seat = self.seats[agent] = Seat(agent, node)
        seat.node = node
        return seat

    def _ring_agent(self, order: RingAgent) -> None:
        seat = self._seat(order.agent, order.node)
        if self.env._now >= seat.dead_until_us:
            settings = self.settings
            self._raise(seat, settings.order_us + settings.agent_answer_us + settings.agent_usable_us)

    def _raise(self, seat: Seat, after_us: int) -> None:
        if not seat.up:
            seat.turn += 1
            self._later(after_us, self._lifted, (seat, seat.turn))

    def _lifted(self, raised: tuple[Seat, int]) -> None:
        seat, turn = raised
        if seat.turn != turn:
            return
        seat.up = True
        seat.used_us = self.env._now
        self._tell(seat.node, PhoneUp(at_us=self.env._now, agent=seat.agent, node=seat.node))
        self.listener.lifted(seat.agent)

    def _put_down(self, seat: Seat) -> None:
        seat.turn += 1
        if not seat.up:
            return
        seat.up = False
        if seat.line is not None:
            self._interrupt(seat.line)
            # AgentRequest returns without a status and the dialplan hangs up.
            self._end(seat.line, Cause.normal, _CLEARED)
        self._tell(seat.node, PhoneDown(at_us=self.env._now, agent=seat.agent))
        self.listener.dropped(seat.agent)

    def _drop_agent(self, order: DropAgent) -> None:
        seat = self._seat(order.agent, order.node)
        seat.campaigns = ()
        self._put_down(seat)

    def _queue_agent(self, order: QueueAgent) -> None:
        seat = self._seat(order.agent, order.node)
        seat.campaigns = order.campaigns
        seat.paused = order.paused

    # ---- a call until it is answered

    def _originate(self, order: Originate) -> None:
        now, settings, node = self.env._now, self.settings, order.node
        meeting = self._callees.dial(order.phone, now)
        if settings.lines is not None and self._busy_lines(node) >= settings.lines:
            meeting.fate = CONGESTION
        line = Line(order.call_id, node, order, meeting, now + order.ring_timeout_ms * 1000)
        self.lines[order.call_id] = line
        self.placed += 1
        self._next(line, settings.order_us + meeting.setup_us, self._reach)

    def _busy_lines(self, node: str) -> int:
        if len(self.settings.nodes) == 1:
            return len(self.lines)
        return sum(line.node == node for line in self.lines.values())

    def _reach(self, line: Line) -> None:
        meeting = line.meeting
        fate = meeting.fate
        if fate is not None and not fate.rings:
            self._fail(line)
            return
        now = self.env._now
        line.place = RINGING
        rest_us = line.rang_out_us - now
        if rest_us <= meeting.ring_us:
            self._next(line, max(0, rest_us), self._ring_out)
        else:
            self._next(line, meeting.ring_us, self._answer if fate is None else self._fail)
        self._tell(line.node, Ringing(at_us=now, call_id=line.call_id))

    def _ring_out(self, line: Line) -> None:
        self._end(line, NO_ANSWER.cause, NO_ANSWER.q850, NO_ANSWER.sip)

    def _fail(self, line: Line) -> None:
        fate = line.meeting.fate
        assert fate is not None
        self._end(line, fate.cause, fate.q850, fate.sip)

    def _answer(self, line: Line) -> None:
        now = self.env._now
        meeting = line.meeting
        self._callees.answer(meeting)
        self.answered += 1
        line.answered = True
        line.leave_us = now + meeting.patience_us
        if line.order.detect:
            line.place = DETECTING
            line.limit_us = now + (line.order.grace_ms + line.order.limit_ms) * 1000
            after_us, line.detected = self._detection(meeting)
            self._until(line, now, now + after_us, self._detect)
        else:
            self._wait(line, now)
        self._tell(line.node, Answered(at_us=now, call_id=line.call_id))

    def _detection(self, meeting: Meeting) -> tuple[int, str]:
        """Return how long machine detection takes and what it says, right or wrong."""
        if meeting.detected is not None:
            return meeting.detected
        settings = self.settings
        u = self._chance.u(Purpose.detect, meeting.phone, meeting.nth)
        if u < settings.p_unsure:
            return settings.detect_unsure_us, "unsure"
        is_machine = meeting.who == "machine"
        p_wrong = settings.p_machine_as_person if is_machine else settings.p_person_as_machine
        said_machine = is_machine is (u >= settings.p_unsure + p_wrong)
        low, high = settings.detect_machine_us if said_machine else settings.detect_person_us
        after_us = low + int(self._chance.u(Purpose.detect_time, meeting.phone, meeting.nth) * (high - low))
        return after_us, "machine" if said_machine else "human"

    def _detect(self, line: Line) -> None:
        now, is_machine = self.env._now, line.detected == "machine"
        if is_machine:
            line.place = MACHINE
        else:
            self._wait(line, now)
        self._tell(line.node, Detected(at_us=now, call_id=line.call_id, result=line.detected))
        if is_machine:
            self._clear(line)

    # ---- an answered call until somebody speaks

    def _wait(self, line: Line, now: int) -> None:
        """Give the engine its time to say Connect or Keep."""
        order = line.order
        go_on_us = now + order.grace_ms * 1000
        line.place = WAITING
        line.limit_us = go_on_us + order.limit_ms * 1000
        self._until(line, now, go_on_us, self._go_on)

    def _go_on(self, line: Line) -> None:
        """Nobody decided: the switch owns the call from here."""
        if line.limit_us - self.env._now < 1_000:
            self._abandon(line)
            return
        line.place = QUEUED
        self._tell(line.node, Queued(at_us=self.env._now, call_id=line.call_id))
        self._look(line)

    def _look(self, line: Line) -> None:
        """Look for the least recently used free agent of the campaign, now and again until the limit."""
        now = self.env._now
        if now >= line.limit_us:
            self._abandon(line)
            return
        campaign = line.order.campaign
        free = [
            seat
            for seat in self.seats.values()
            if seat.up and seat.line is None and not seat.paused and seat.node == line.node
            if campaign in seat.campaigns
        ]
        if free:
            chosen = min(free, key=lambda seat: seat.used_us)
            self._later(self.settings.queue_bridge_us, self._join, (line, chosen))
        self._until(line, now, min(line.limit_us, now + self.settings.queue_retry_us), self._look)

    def _join(self, pair: tuple[Line, Seat]) -> None:
        line, seat = pair
        if line.place == QUEUED and seat.up and seat.line is None:
            self._talk(line, seat)

    def _abandon(self, line: Line) -> None:
        now = self.env._now
        line.place = MESSAGE
        how = line.order.abandon
        self._tell(line.node, Abandoned(at_us=now, call_id=line.call_id, how=how))
        if how == "message":
            self._until(line, now, now + self.settings.message_us, self._clear)
        else:
            self._clear(line)

    # ---- the engine's word about a call

    def _bridge(self, order: Connect) -> None:
        line = self.lines.get(order.call_id)
        if line is None or not line.answered or line.place == TALKING:
            return
        seat = self.seats.get(order.agent)
        if seat is not None and seat.up and seat.line is None and seat.node == line.node:
            self._talk(line, seat)
            return
        self._interrupt(line)
        # Another grace, but never beyond the limit.
        now = self.env._now
        line.place = WAITING
        self._until(line, now, min(now + line.order.grace_ms * 1000, line.limit_us), self._go_on)
        why = "busy" if seat is not None and seat.up else "gone"
        self._tell(line.node, Refused(at_us=now, call_id=line.call_id, agent=order.agent, why=why))

    def _hold(self, order: Keep) -> None:
        line = self.lines.get(order.call_id)
        if line is not None and line.place in (DETECTING, WAITING, KEPT, QUEUED):
            now = self.env._now
            self._interrupt(line)
            line.place = KEPT
            self._until(line, now, now + order.for_ms * 1000, self._abandon)

    def _hang_up(self, order: HangUp) -> None:
        line = self.lines.get(order.call_id)
        if line is not None:
            self._interrupt(line)
            self._clear(line)

    # ---- conversation and end

    def _talk(self, line: Line, seat: Seat) -> None:
        self._interrupt(line)
        meeting = line.meeting
        self._callees.talk(meeting)
        if not meeting.talk_on_record:
            meeting.talk_us = int(meeting.talk_us * self.talk_paces.get(seat.agent, 1.0))
        line.place = TALKING
        line.seat = seat
        seat.line = line
        over_us = meeting.talk_us if meeting.person_ends else meeting.talk_us + self.settings.reluctance_us
        self._next(line, over_us, self._clear)
        self._tell(line.node, Connected(at_us=self.env._now, call_id=line.call_id, agent=seat.agent))
        self.listener.connected(seat.agent, line.call_id, meeting)

    def _clear(self, line: Line) -> None:
        self._end(line, _NORMAL, _CLEARED)

    def _end(self, line: Line, cause: Cause, q850: int | None = None, sip: int | None = None) -> None:
        now, call_id, node = self.env._now, line.call_id, line.node
        del self.lines[call_id]
        self.ended += 1
        place, line.place = line.place, GONE
        line.alarm = None
        seat = line.seat
        if seat is not None:
            seat.line = None
            seat.used_us = now
        if self._linked[node]:
            self._deliver(Ended(at_us=now, call_id=call_id, cause=cause, q850=q850, sip=sip))
        elif line.answered and cause is not Cause.switch_fail:
            self._remember(line, place, seat)
        if seat is not None:
            self.listener.left(seat.agent, call_id)

    def _remember(self, line: Line, place: str, seat: Seat | None) -> None:
        agent = seat.agent if seat else None
        self._memory[line.node].append(EndedCall(call_id=line.call_id, answer_class=CLASSES[place], agent=agent))

    # ---- the clock

    def _tell(self, node: str, event: AnyEvent) -> None:
        if self._linked[node]:
            self._deliver(event)

    def _later(self, after_us: int, act: Callable[[Subject], None], subject: Subject) -> None:
        """Call back after a delay, whatever becomes of any call."""
        Alarm(self.env, after_us, act, subject)

    def _next(self, line: Line, after_us: int, act: Callable[[Line], None]) -> None:
        """Make this the call's one alarm, the one before having gone off or been called off."""
        line.alarm = Alarm(self.env, after_us, act, line)

    def _interrupt(self, line: Line) -> None:
        """Let what comes between take the place of the call's one alarm."""
        if line.alarm is not None:
            line.alarm.call_off()

    def _until(self, line: Line, now: int, at_us: int, act: Callable[[Line], None]) -> None:
        """Make this the call's one alarm, unless the callee hangs up before."""
        if line.leave_us <= at_us:
            at_us, act = line.leave_us, self._clear
        line.alarm = Alarm(self.env, at_us - now if at_us > now else 0, act, line)
