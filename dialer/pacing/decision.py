"""What a decision says."""

import msgspec

#: Every reason that a decision can give.
REASONS = (
    "predicted",
    "enough_ringing",
    "budget",
    "cold_start",
    "lines",
    "calls_per_second",
    "trunk_failing",
    "shift_end",
    "no_agents",
)


class Decision(msgspec.Struct, frozen=True, gc=False):
    """A number of calls, the binding reason, and the figures behind it."""

    dials: int
    #: One of `REASONS`.
    reason: str
    #: Agents free now and freed, and calls answered, until half of the new calls' answers have come.
    expected_free: float
    expected_answers: float
    #: Abandoned calls left under the tightest limit.
    budget_left: float
    #: Chance that one more call, if answered, would meet nobody; and the chance that is tolerated.
    risk: float = 0.0
    tolerated: float = 0.0
    #: Chance that a call is answered, by a person or by a machine that takes an agent.
    p_answer: float = 0.0
