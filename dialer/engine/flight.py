"""What each campaign has in flight, as pacing sees it."""

from math import nan

import msgspec

from dialer.engine.columns import seen
from dialer.engine.state import State
from dialer.pacing import Seen
from domain.calls import Phase

#: Asked often: see `domain.calls.Word`.
_WAITING, _QUEUED = Phase.waiting, Phase.queued


class Flight(msgspec.Struct, frozen=True, gc=False):
    """One campaign's lines and busy agents; calls with an agent of their own count as lines only."""

    lines: int
    seen: Seen

    @property
    def covered(self) -> int:
        """Free agents who are spoken for if every call in flight is answered."""
        return self.seen.in_flight


def flights(state: State) -> dict[str, Flight]:
    """Return what each campaign has in flight."""
    found: dict[str, Flight] = {}
    for name, lines in state.lines.items():
        calls = lines.unanswered
        ages_s, told, talking, wrapping, finishing, ringing = seen(state.busy, name, calls, state.at_us)
        forecasts = None
        if state.forecast and any(call.p_taken is not None for call in calls.values() if not call.pinned):
            forecasts = [nan if call.p_taken is None else call.p_taken for call in calls.values() if not call.pinned]
        detecting = waiting = 0
        for call in lines.detecting.values():
            detecting += not call.pinned and call.answer_class is None
        for call in lines.answered.values():
            waiting += not call.pinned and (call.phase is _WAITING or call.phase is _QUEUED)
        found[name] = Flight(
            len(lines),
            Seen(
                ages_s=ages_s,
                talking=talking,
                wrapping=wrapping,
                finishing=finishing,
                ringing=ringing,
                told=told,
                p_answer=forecasts,
                detecting=detecting,
                waiting=waiting,
            ),
        )
    return found
