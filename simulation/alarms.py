"""Callbacks on the SimPy clock: the hot path has no processes."""

from collections.abc import Callable
from heapq import heappop, heappush
from typing import Any, TypeVar

from simpy import Environment
from simpy.events import NORMAL, URGENT, Event

Subject = TypeVar("Subject")


class Clock(Environment):
    """SimPy's environment, started with an integer: its instants stay integers, microseconds UTC.

    They are read as `_now`, eight times an attempt: `now` is a property, and a call.
    """

    _now: int


class Alarm(Event):
    """Call back once after a delay, as `simpy.events.Timeout` with the callback and its subject in place."""

    # What Event sets for each and `Environment.schedule` does, without the ado: half the cost of calling up.
    _ok = True
    _value = None

    def __init__(self, env: Environment, after_us: int, act: Callable[[Subject], object], subject: Subject) -> None:
        self.act: Callable[[Any], Any] = act
        self.subject: Any = subject
        heappush(env._queue, (env._now + after_us, NORMAL, next(env._eid), self))

    def call_off(self) -> None:
        """Let nothing come of it; nothing does of an alarm that has gone off."""
        self.act = _nothing

    def _due(self) -> None:
        self.act(self.subject)

    #: SimPy calls each with the alarm.
    callbacks: Any = (_due,)


def _nothing(_: object) -> None:
    pass


class Beat(Alarm):
    """Call back again and again at equal distances.

    The callback returns the instant before which it would find nothing to do if nothing else happened, and is not
    called before that or before the next alarm; or None: it is over.
    """

    def __init__(self, env: Environment, every_us: int, act: Callable[[Subject], int | None], subject: Subject) -> None:
        self._env = env
        self._every_us = every_us
        self._beat, self._of = act, subject
        super().__init__(env, every_us, Beat._go_on, self)

    def _go_on(self) -> None:
        idle_until_us = self._beat(self._of)
        if idle_until_us is None:
            return
        env, every_us = self._env, self._every_us
        queue: Any = env._queue
        at_us = env._now + every_us
        idle_us = min(idle_until_us, queue[0][0]) - at_us if queue else 0
        if idle_us > 0:
            at_us += -(-idle_us // every_us) * every_us
        heappush(queue, (at_us, NORMAL, next(env._eid), self))


def elapse(env: Environment, until_us: int) -> None:
    """Let alarms go off up to an instant, its own not yet: `Environment.run`, where all events are alarms."""
    queue: Any = env._queue
    heappush(queue, (until_us, URGENT, next(env._eid), None))
    while True:
        env._now, _, _, alarm = heappop(queue)
        if alarm is None:
            return
        alarm.act(alarm.subject)
