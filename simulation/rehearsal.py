"""A rehearsal: the simulated world as a live switch, at any speed, in a thread of its own, robot agents included.

Rule 1: the floor's time never passes an instant at which something happens in the world before the loop has heard of
it and answered. A machine too slow for the speed stretches time; no call meets an engine that is late because of the
speed alone.
Rule 2: a loop that does not answer for `_PATIENCE_S` is taken for dead: until it does, the world goes on by itself.
"""

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

import structlog
from simpy.rt import RealtimeEnvironment

from domain.errors import Broken, SwitchLost
from domain.events import AnyEvent, LinkDown, LinkUp
from domain.instants import SECOND
from domain.orders import AnyOrder, Reserve, ShowLead
from domain.people import Dossier
from simulation.agents import Chair, Shown, Staff, Temper
from simulation.alarms import Alarm, Clock
from simulation.chance import Chance
from simulation.exchange import WorldSettings
from simulation.population import Debtors, Laws, load
from simulation.world import World

#: Real seconds that the world waits for the loop's answer to what it was told.
_PATIENCE_S = 0.25
#: The speed is out of reach, and said to be, when this share of a real time of `_REVIEW_S` was stretched.
_STRETCH = 0.2
_REVIEW_S = 10.0

log = structlog.get_logger()


class RehearsalClock:
    """The floor's clock: starts at a given instant, runs `speed` times as fast as real time, waits for the world.

    Parameters
    ----------
    speed : float
        Seconds of the floor in a second of real time; any positive number.
    """

    rehearsed = True

    def __init__(self, start_us: int, speed: float = 1.0) -> None:
        self.speed = speed
        #: Real seconds by which the time was stretched.
        self.stretched_s = 0.0
        self._lock = threading.Lock()
        self._origin_us = start_us
        self._origin_ns = time.monotonic_ns()
        #: The instant that may not be passed.
        self._bound_us: float = float("inf")

    def now_us(self) -> int:
        """Return the present instant, never before one returned earlier."""
        with self._lock:
            return int(min(self._free_us(), self._bound_us))

    def not_before(self, at_us: int) -> None:
        """Go on from an instant of the record when that is later than now."""
        with self._lock:
            self._origin_us += max(0, at_us - self._free_us())

    def real_s(self, span_us: int) -> float:
        """Return how many seconds of waiting a span of the floor's time takes."""
        return span_us / SECOND / self.speed

    def bound(self, at_us: float) -> None:
        """Let time run up to an instant and stand there."""
        with self._lock:
            over_us = self._free_us() - self._bound_us
            if over_us > 0:
                self._origin_us -= int(over_us)
                self.stretched_s += over_us / SECOND / self.speed
            self._bound_us = at_us

    def _free_us(self) -> int:
        return self._origin_us + int((time.monotonic_ns() - self._origin_ns) * self.speed) // 1000


class PacedEnvironment(RealtimeEnvironment, Clock):
    """SimPy's real-time environment, by the floor's clock and interruptible: a step waits or does, but never sleeps on.

    Parameters
    ----------
    wait : callable
        Waits so many real seconds, or shorter when something has arrived.
    """

    def __init__(self, clock: RehearsalClock, wait: Callable[[float | None], None]) -> None:
        super().__init__(clock.now_us(), factor=1.0 / SECOND / clock.speed, strict=False)
        self._clock = clock
        self._wait = wait

    def step(self) -> None:
        """Process the next event if its instant has come; otherwise wait for it, or for something to arrive."""
        due_us = self.peek()
        self._clock.bound(due_us)
        early_us = due_us - self._clock.now_us()
        if early_us > 0:
            self._wait(None if due_us == float("inf") else early_us * self.factor)
        else:
            super(RealtimeEnvironment, self).step()


class RehearsalSwitch:
    """A simulated telephone network with robot agents, behind the face of a live switch.

    Parameters
    ----------
    clock : RehearsalClock
        The one that the loop runs by.
    people : iterable of Dossier
        Everybody who may be called; `meet` adds more.
    chairs : iterable of Chair
        The robots' shifts.
    desk : callable
        Takes what the robots do, on the loop's thread.
    """

    def __init__(
        self,
        *,
        clock: RehearsalClock,
        people: Iterable[Dossier],
        chairs: Iterable[Chair],
        desk: Callable[[AnyEvent], None],
        seed: int = 1,
        world: WorldSettings | None = None,
        laws: Laws | None = None,
        temper: Temper | None = None,
    ) -> None:
        self.clock = clock
        self._chance = Chance(seed)
        self._people = Debtors(laws or load("default"), self._chance, start_us=clock.now_us())
        self._people.meet(people)
        self._chairs = tuple(chairs)
        self._desk = desk
        self._world_settings = world or WorldSettings()
        self._temper = temper or Temper()
        self._linked = dict.fromkeys(self._world_settings.nodes, False)
        self._arrived = threading.Condition()
        #: What the world's thread is to do, in order.
        self._inbox: deque[tuple[Callable[[Any], None], Any]] = deque()
        #: What the loop is to hear, in order.
        self._outbox: list[tuple[Callable[[AnyEvent], None], AnyEvent]] = []
        #: Set once the loop has answered what it was told last.
        self._heard = threading.Event()
        self._heard.set()
        self._stopping = False
        self._error: Exception | None = None
        self._thread: threading.Thread | None = None

    # ---- the face of a switch, on the loop's thread

    async def start(self, deliver: Callable[[AnyEvent], None], now_us: Callable[[], int]) -> None:
        """Start the world; events come to `deliver` on the loop's thread from now on.

        Raises
        ------
        Broken
            When the loop runs by another clock.
        """
        if abs(now_us() - self.clock.now_us()) > SECOND * max(1.0, self.clock.speed):
            raise Broken("rehearsal: the loop must run by the rehearsal's own clock")
        self._loop = asyncio.get_running_loop()
        self._deliver = deliver
        self._thread = threading.Thread(target=self._live, name="rehearsal", daemon=True)
        self._thread.start()

    def send(self, order: AnyOrder, number: str | None = None) -> None:
        """Hand an order over; the number's digits mean nothing here.

        Raises
        ------
        SwitchLost
            When the node's link is down and nothing was sent.
        """
        if isinstance(order, Reserve):
            raise Broken(f"rehearsal: Reserve is the ledger's order: {order.call_id}")
        if not isinstance(order, ShowLead) and not self._linked[order.node]:
            raise SwitchLost(f"rehearsal: node {order.node} is cut off")
        self._post(self._send, order)

    async def stop(self) -> None:
        """End the world; its calls are gone.

        Raises
        ------
        Broken
            When the world had failed.
        """
        if self._thread is None:
            return
        with self._arrived:
            self._stopping = True
            self._arrived.notify()
        await asyncio.get_running_loop().run_in_executor(None, self._thread.join)
        self._thread = None
        log.info("rehearsal_over", speed=self.clock.speed, stretched_s=round(self.clock.stretched_s, 3))
        if self._error is not None:
            raise Broken(f"rehearsal: the world failed: {self._error}") from self._error

    # ---- what a rehearsal has beyond a switch

    def see(self, shown: Shown) -> None:
        """Let the robots see what agents' screens are made of: states, leads, whom a call asks for."""
        self._post(self._see, shown)

    def meet(self, dossiers: Iterable[Dossier]) -> None:
        """Make more people callable."""
        self._post(self._people.meet, tuple(dossiers))

    def cut_link(self, node: str) -> None:
        """Lose the link to a node, as a drill."""
        self._post(self._cut_link, node)

    def mend_link(self, node: str) -> None:
        """Bring it back."""
        self._post(self._mend_link, node)

    def _post(self, act: Callable[[Any], None], subject: Any) -> None:
        with self._arrived:
            self._inbox.append((act, subject))
            self._arrived.notify()

    # ---- the world's thread

    def _live(self) -> None:
        try:
            env = PacedEnvironment(self.clock, self._wait)
            self._world = World(env, self._world_settings, self._people, self._chance, self._tell_switch)
            self._staff = Staff(
                env, self._world, self._people, self._chance, self._temper, self._chairs, self._tell_desk
            )
            self._world.start()
            self._staff.start()
            self._flush()
            review_s, reviewed_s = time.monotonic(), 0.0
            while not self._stopping:
                self._take(env)
                env.step()
                self._flush()
                if (now_s := time.monotonic()) - review_s >= _REVIEW_S:
                    stretched_s = self.clock.stretched_s - reviewed_s
                    if stretched_s > _STRETCH * (now_s - review_s):
                        log.warning(
                            "rehearsal_too_fast_for_this_machine",
                            speed=self.clock.speed,
                            reached=round(self.clock.speed * (1 - stretched_s / (now_s - review_s)), 1),
                        )
                    review_s, reviewed_s = now_s, self.clock.stretched_s
        except Exception as error:
            self._error = error
            log.exception("rehearsal_failed")
            at_us = self.clock.now_us()
            self.clock.bound(float("inf"))
            for node in self._world_settings.nodes:
                self._tell_switch(LinkDown(at_us=at_us, node=node))
            self._flush()

    def _wait(self, real_s: float | None) -> None:
        with self._arrived:
            self._arrived.wait_for(lambda: self._inbox or self._stopping, real_s)

    def _take(self, env: PacedEnvironment) -> None:
        """Let what has arrived happen now, after all that was due before."""
        with self._arrived:
            arrived = list(self._inbox)
            self._inbox.clear()
        if arrived:
            after_us = max(0, self.clock.now_us() - int(env.now))
            for act, subject in arrived:
                Alarm(env, after_us, act, subject)

    def _flush(self) -> None:
        """Tell the loop what happened and wait for its answer, unless it owes one already."""
        if not self._outbox or self._stopping:
            return
        told, self._outbox = self._outbox, []
        alive = self._heard.is_set()
        self._heard = threading.Event()
        self._loop.call_soon_threadsafe(self._hear, told, self._heard)
        if alive:
            self._heard.wait(_PATIENCE_S)

    def _hear(self, told: list[tuple[Callable[[AnyEvent], None], AnyEvent]], heard: threading.Event) -> None:
        """On the loop's thread: take what happened; the answer is complete once the loop has gone round twice."""
        for deliver, event in told:
            if isinstance(event, LinkUp | LinkDown):
                self._linked[event.node] = isinstance(event, LinkUp)
            deliver(event)
        self._loop.call_soon(self._loop.call_soon, heard.set)

    def _tell_switch(self, event: AnyEvent) -> None:
        self._outbox.append((self._deliver, event))

    def _tell_desk(self, event: AnyEvent) -> None:
        self._outbox.append((self._desk, event))

    def _send(self, order: Any) -> None:
        self._world.send(order)

    def _see(self, shown: Shown) -> None:
        self._staff.see(shown)

    def _cut_link(self, node: str) -> None:
        self._world.cut_link(node)

    def _mend_link(self, node: str) -> None:
        self._world.mend_link(node)
