"""What pacing sees of a floor at a tick, gathered in one pass over its calls and one over its agents."""

from math import nan

from dialer.engine.state import State
from domain.calls import AgentState, Phase


class Flight:
    """One campaign's lines and busy agents; calls with an agent of their own count as lines only."""

    __slots__ = (
        "detecting_s",
        "finishing_s",
        "forecast",
        "lines",
        "p_answer",
        "progress",
        "ringing_s",
        "talking_s",
        "waiting",
        "wrapping_s",
    )

    def __init__(self) -> None:
        self.lines = 0
        #: Seconds since the dial, per unanswered call, and its forecast (NaN: none); whether any has one.
        self.ringing_s: list[float] = []
        self.p_answer: list[float] = []
        #: The last that the network told of each, as `Call.progress`.
        self.progress: list[int] = []
        self.forecast = False
        self.detecting_s: list[float] = []
        #: Answered people without an agent.
        self.waiting = 0
        #: Seconds so far, per agent who will be ready afterwards; of those about to finish, since they said so.
        self.talking_s: list[float] = []
        self.finishing_s: list[float] = []
        self.wrapping_s: list[float] = []

    @property
    def covered(self) -> int:
        """Free agents who are spoken for if every call in flight is answered."""
        return len(self.ringing_s) + len(self.detecting_s) + self.waiting


def flights(state: State) -> dict[str, Flight]:
    """Return what each campaign has in flight."""
    found = {name: Flight() for name in state.campaigns}
    at_us = state.at_us
    for call in state.calls.values():
        phase = call.phase
        if phase is Phase.wrapping:
            continue
        flight = found[call.campaign]
        flight.lines += 1
        if call.pinned or phase is Phase.talking:
            continue
        if phase is Phase.ringing or phase is Phase.originating or phase is Phase.reserving:
            flight.ringing_s.append((at_us - (call.dialled_us or at_us)) / 1e6)
            flight.progress.append(call.progress)
            flight.p_answer.append(nan if call.p_answer is None else call.p_answer)
            flight.forecast = flight.forecast or call.p_answer is not None
        elif phase is Phase.detecting:
            if call.answer_class is None:
                flight.detecting_s.append((at_us - call.answered_us) / 1e6)
        elif phase is Phase.waiting or phase is Phase.queued:
            flight.waiting += 1
    for agent in state.agents.values():
        if agent.allotted is None or agent.then != "ready":
            continue
        if agent.state is AgentState.talking and agent.finishing_us:
            found[agent.allotted].finishing_s.append((at_us - agent.finishing_us) / 1e6)
        elif agent.state is AgentState.talking:
            found[agent.allotted].talking_s.append((at_us - agent.since_us) / 1e6)
        elif agent.state is AgentState.wrapup:
            found[agent.allotted].wrapping_s.append((at_us - agent.since_us) / 1e6)
    return found
