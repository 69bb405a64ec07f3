"""What the bench asks of a policy of pacing: the face of `dialer.pacing.Pacer`."""

from collections.abc import Callable
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from benchmarks.pacing.scenarios import Scenario

F8 = NDArray[np.float64]


class Dials(NamedTuple):
    """The least decision there is."""

    dials: int


class Decided(Protocol):
    """A decision: any object that says how many calls to place."""

    @property
    def dials(self) -> int: ...


class Policy(Protocol):
    """Decides how many calls to place; told everything a dialer can see, in the order in which it happened.

    The arrays are views of the world's own buffers, good for the length of the call alone: copy what is kept.
    """

    def observe_outcome(self, kind: str, ring_s: float, p_answer: float | None = None) -> None:
        """Take how a call ended: `live`, `machine`, `busy`, `no_answer` or `failed`, and the forecast it had."""

    def observe_connected(self, wait_s: float) -> None:
        """Take that a live answer met an agent after a wait."""

    def observe_abandoned(self, kind: str = ...) -> None:
        """Take that a live answer met nobody."""

    def observe_talk(self, duration_s: float) -> None:
        """Take the length of a conversation that ended."""

    def observe_wrap(self, duration_s: float) -> None:
        """Take the length of a wrap-up that ended."""

    def observe_staff(self, agents: int) -> None:
        """Take how many agents are logged in now."""

    def decide(
        self,
        at: float,
        free: int,
        waiting: int,
        talking_s: F8,
        wrapping_s: F8,
        ringing_s: F8,
        p_answer: F8 | None = None,
        p_next: F8 | None = None,
        detecting_s: F8 | None = None,
    ) -> Decided:
        """Return how many calls to place now; called once a tick."""
        ...


#: Makes the policy that works one day of a scenario.
Make = Callable[[Scenario], Policy]
