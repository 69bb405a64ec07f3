"""What a campaign's pacer is told of its calls and agents at a tick."""

from collections.abc import Sequence

import msgspec

from dialer.pacing.kernel import Floats, Stages


class Seen(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Calls and agents of one campaign at one instant, as counts and columns."""

    #: Seconds so far: per agent who talks, who wraps up, since one said that he is about to finish, and per unanswered
    #: call since its dial, one group after the other; and how many each are.
    ages_s: Floats
    talking: int
    wrapping: int
    finishing: int
    ringing: int
    #: The last that the network told of each unanswered call: 0 nothing, 1 ringing, 2 early media; empty: unknown.
    told: Stages
    #: Forecast of each unanswered call, NaN where there is none; None where none has one.
    p_answer: Sequence[float] | Floats | None
    #: Calls in machine detection, and answered people without an agent.
    detecting: int
    waiting: int

    @property
    def busy(self) -> int:
        """Agents who will be ready afterwards."""
        return self.talking + self.wrapping + self.finishing

    @property
    def in_flight(self) -> int:
        """Calls that may need an agent."""
        return self.ringing + self.detecting + self.waiting
