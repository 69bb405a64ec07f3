"""What pacing sees of a floor at a tick, gathered in one pass over its unanswered calls and one over its agents."""

from math import nan

from dialer.engine.state import State
from domain.calls import AgentState, Phase

#: Asked often: see `domain.calls.Word`.
_WAITING, _QUEUED = Phase.waiting, Phase.queued
_TALKS, _WRAPS_UP = AgentState.talking, AgentState.wrapup


class Flight:
    """One campaign's lines and busy agents; calls with an agent of their own count as lines only."""

    __slots__ = (
        "detecting_s",
        "finishing_s",
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
        #: Seconds since the dial, per unanswered call, and the last that the network told of it, as `Call.progress`.
        self.ringing_s: list[float] = []
        self.progress: list[int] = []
        #: Its forecast (NaN: none); empty where none has one.
        self.p_answer: list[float] = []
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
    for name, lines in state.lines.items():
        flight = found[name]
        flight.lines = len(lines)
        ringing = [call for call in lines.unanswered.values() if not call.pinned]
        flight.ringing_s = [(at_us - (call.dialled_us or at_us)) / 1e6 for call in ringing]
        flight.progress = [call.progress for call in ringing]
        if state.forecast and any(call.p_answer is not None for call in ringing):
            flight.p_answer = [nan if call.p_answer is None else call.p_answer for call in ringing]
        for call in lines.detecting.values():
            if not call.pinned and call.answer_class is None:
                flight.detecting_s.append((at_us - call.answered_us) / 1e6)
        for call in lines.answered.values():
            if not call.pinned and (call.phase is _WAITING or call.phase is _QUEUED):
                flight.waiting += 1
    for agent in state.agents.values():
        does = agent.state
        if does is _TALKS:
            if agent.then == "ready" and agent.allotted is not None:
                flight = found[agent.allotted]
                if agent.finishing_us:
                    flight.finishing_s.append((at_us - agent.finishing_us) / 1e6)
                else:
                    flight.talking_s.append((at_us - agent.since_us) / 1e6)
        elif does is _WRAPS_UP and agent.then == "ready" and agent.allotted is not None:
            found[agent.allotted].wrapping_s.append((at_us - agent.since_us) / 1e6)
    return found
