"""Callbacks on the SimPy clock: the hot path has no processes."""

from collections.abc import Callable
from typing import Any, TypeVar

from simpy import Environment
from simpy.events import NORMAL, Event

Subject = TypeVar("Subject")


class Alarm(Event):
    """Call back once after a delay, as `simpy.events.Timeout` with the callback and its subject in place."""

    def __init__(self, env: Environment, after_us: int, act: Callable[[Subject], None], subject: Subject) -> None:
        # As in Timeout, the fields of Event are set here: half the cost of calling up.
        self.env = env
        self.callbacks = [self._due]
        self._ok = True
        self._value = None
        self._act: Callable[[Any], None] = act
        self._subject: Any = subject
        env.schedule(self, NORMAL, after_us)

    def _due(self, _: Event) -> None:
        self._act(self._subject)
