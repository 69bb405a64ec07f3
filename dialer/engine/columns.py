"""What pacing is told of calls and agents, kept in columns from record to record.

A tick asks for the age of every unanswered call and of every spell of work, in order of arrival. To gather them from
the records' objects took a tenth of a simulated floor's time. `dialer.engine.evolve` notes here what it changes.
"""

from typing import TYPE_CHECKING, Any

import numpy as np
from numba import njit

from dialer.pacing.kernel import Floats, Places, Stages
from domain.calls import AgentState

if TYPE_CHECKING:
    from dialer.engine.state import Agent, Call


#: Asked often: see `domain.calls.Word`.
_READY, _TALKS, _WRAPS_UP = AgentState.ready, AgentState.talking, AgentState.wrapup
#: What an agent does, as far as pacing is concerned.
_NOTHING, _TALKING, _WRAPPING, _FINISHING = 0, 1, 2, 3
#: In the place of a call that is gone, or has an agent of its own: only a line to pacing.
_GONE = 255
#: Places at first.
_ROOM = 64


class Unanswered(dict[str, "Call"]):
    """One campaign's calls that nobody has answered yet, in order of arrival: they come by `enter`, go by `leave`."""

    __slots__ = ("_places", "_since_us", "_told", "ages_s", "end", "last", "since_us", "told")

    def __init__(self) -> None:
        self._places: dict[str, int] = {}
        #: Places taken, those of calls that are gone among them.
        self.end = 0
        self._make_room(_ROOM)

    def _make_room(self, size: int) -> None:
        #: By place: the instant of the dial (0: not yet), and the last that the network told (`Call.progress`).
        self.since_us = np.zeros(size, np.int64)
        self.told = np.full(size, _GONE, np.uint8)
        # One number is written through a view in a third of NumPy's time.
        self._since_us, self._told = self.since_us.data, self.told.data
        #: What `seen` returns, until it is asked again.
        self.ages_s, self.last = np.empty(0), np.empty(0, np.uint8)

    def enter(self, call: "Call") -> None:
        # Not `__setitem__`: to call a method of `dict` that a class has its own of takes Python twice as long.
        if self.end == self.told.size:
            self._close_up()
        self[call.call_id] = call
        self._places[call.call_id] = self.end
        self.end += 1
        self.note(call)

    def leave(self, call: "Call") -> None:
        del self[call.call_id]
        self._told[self._places.pop(call.call_id)] = _GONE

    def note(self, call: "Call") -> None:
        """Take down how far a call that is here has come."""
        place = self._places[call.call_id]
        self._since_us[place] = call.dialled_us
        self._told[place] = _GONE if call.pinned else call.progress

    def _close_up(self) -> None:
        """Close the gaps that calls left, or make more room where there are few."""
        self.end = len(self)
        self._places = {call_id: place for place, call_id in enumerate(self)}
        self._make_room(max(_ROOM, 4 * self.end))
        for call in self.values():
            self.note(call)


class Busy:
    """What every agent does, in the order of `State.agents`."""

    def __init__(self) -> None:
        #: How many-th of `State.agents` each is.
        self.places: dict[str, int] = {}
        #: Free agents who asked to pause or leave: looked for at every tick, and mostly there are none.
        self.going: set[str] = set()
        self._campaigns: dict[str, int] = {}
        self._take(np.zeros((3, _ROOM), np.int64))
        # Loaded, or compiled where the cache is cold, before the first tick.
        nothing = np.empty(0), np.empty(0, np.uint8)
        _see(self.spells, 0, self.spells[0], nothing[1], 0, 0, *nothing)

    def _take(self, spells: Places) -> None:
        #: By place: the beginning of the spell at hand; what it is; and for which campaign, as `of` numbers it.
        self.spells = spells
        self._since_us, self._does, self._for = [column.data for column in spells]

    def of(self, campaign: str) -> int:
        """Return a campaign's number."""
        number = self._campaigns.get(campaign)
        if number is None:
            number = self._campaigns[campaign] = len(self._campaigns)
        return number

    def note(self, agent: "Agent") -> None:
        """Take down what an agent does now; who will not be ready afterwards does nothing that counts."""
        place = self.places.setdefault(agent.agent, len(self.places))
        if place == len(self._does):
            self._take(np.concatenate((self.spells, np.zeros_like(self.spells)), axis=1))
        does, since_us = _NOTHING, agent.since_us
        if agent.then == "ready" and agent.allotted is not None:
            self._for[place] = self.of(agent.allotted)
            if agent.state is _WRAPS_UP:
                does = _WRAPPING
            elif agent.state is _TALKS:
                does = _TALKING
                if agent.finishing_us:
                    does, since_us = _FINISHING, agent.finishing_us
        self._does[place], self._since_us[place] = does, since_us
        if agent.state is _READY and agent.then != "ready":
            self.going.add(agent.agent)
        else:
            self.going.discard(agent.agent)


def seen(busy: Busy, campaign: str, calls: Unanswered, at_us: int) -> tuple[Floats, Stages, int, int, int, int]:
    """Return what pacing is told of a campaign; the arrays are good until this is asked again.

    Returns
    -------
    ages_s : float64 array
        Of agents who talk, who wrap up, who are about to finish, and of unanswered calls, one after the other.
    told : uint8 array
        The last that the network told of each unanswered call.
    talking, wrapping, finishing, unanswered : int
        How many of `ages_s` are of each.
    """
    # Arrays that are made at a tick cost more than to fill them: these are kept.
    most = busy.spells.shape[1] + calls.told.size
    if calls.ages_s.size != most:
        calls.ages_s, calls.last = np.empty(most), np.empty(calls.told.size, np.uint8)
    ages_s, told = calls.ages_s, calls.last
    talking, wrapping, finishing, unanswered = _see(
        busy.spells, busy.of(campaign), calls.since_us, calls.told, calls.end, at_us, ages_s, told
    )
    n = talking + wrapping + finishing + unanswered
    return ages_s[:n], told[:unanswered], talking, wrapping, finishing, unanswered


@njit(cache=True)
def _see(
    spells: Places,
    campaign: int,
    since_us: Any,
    told: Any,
    end: int,
    at_us: int,
    ages_s: Floats,
    last: Stages,
) -> tuple[int, int, int, int]:
    """Fill the arrays that `seen` returns, and return how many agents do what, and how many calls are unanswered."""
    begun_us, does, campaigns = spells
    n = 0
    counts = np.zeros(4, np.int64)
    for doing in (_TALKING, _WRAPPING, _FINISHING):
        before = n
        for i in range(does.size):
            if does[i] == doing and campaigns[i] == campaign:
                ages_s[n] = (at_us - begun_us[i]) / 1e6
                n += 1
        counts[doing] = n - before
    calls = 0
    for i in range(end):
        if told[i] != _GONE:
            ages_s[n] = (at_us - since_us[i]) / 1e6 if since_us[i] else 0.0
            last[calls] = told[i]
            n += 1
            calls += 1
    return int(counts[_TALKING]), int(counts[_WRAPPING]), int(counts[_FINISHING]), calls
