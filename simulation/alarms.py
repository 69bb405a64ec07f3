"""Callbacks on the SimPy clock: the hot path has no processes."""

from collections.abc import Callable
from heapq import heappop, heappush
from typing import Any, TypeVar

from simpy import Environment
from simpy.events import NORMAL, Event

Subject = TypeVar("Subject")


class Alarm(Event):
    """Call back once after a delay, as `simpy.events.Timeout` with the callback and its subject in place."""

    # What Event sets for each and `Environment.schedule` does, without the ado: half the cost of calling up.
    _ok = True
    _value = None

    def __init__(self, env: Environment, after_us: int, act: Callable[[Subject], object], subject: Subject) -> None:
        self._act: Callable[[Any], Any] = act
        self._subject: Any = subject
        heappush(env._queue, (env._now + after_us, NORMAL, next(env._eid), self))

    def _due(self) -> None:
        self._act(self._subject)

    #: SimPy calls each with the alarm.
    callbacks: Any = (_due,)


class Beat(Alarm):
    """Call back again and again at equal distances, as long as the callback returns true."""

    def __init__(self, env: Environment, every_us: int, act: Callable[[Subject], bool], subject: Subject) -> None:
        self._env = env
        self._every_us = every_us
        super().__init__(env, every_us, act, subject)

    def _due(self) -> None:
        if self._act(self._subject):
            env = self._env
            heappush(env._queue, (env._now + self._every_us, NORMAL, next(env._eid), self))

    callbacks: Any = (_due,)


def elapse(env: Environment, until_us: int) -> None:
    """Let alarms go off up to an instant, its own not yet: `Environment.run`, where all events are alarms."""
    queue: Any = env._queue
    while queue and queue[0][0] < until_us:
        env._now, _, _, alarm = heappop(queue)
        alarm._due()
    env._now = until_us
