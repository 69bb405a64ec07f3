"""Cadencia in the other dialer's place: the same team, calls with the fates of its calls, decisions of our own.

The n-th call that we would have placed has the fate (who answers, after how long) of the n-th call that the other
dialer placed since the comparison began, and likewise the n-th conversation its length; where we would have placed
more, the latest fates come round again. What depends on more than that is not in it: who is called, machines that
reach agents, agents who talk differently when they waited.
"""

from collections.abc import Callable
from heapq import heappop, heappush
from typing import NamedTuple

from dialer.pacing import Pacer
from dialer.shadow.summary import Side

#: Fates and conversations that must be known first, and how far back they are drawn from when they run out.
_FATES, _TALKS = 40, 5
_AGAIN = 400


class Fate(NamedTuple):
    """How a call ends that nobody cancels."""

    kind: str
    ring_s: float
    p_answer: float | None


class Ghost:
    """One campaign as we would have dialled it.

    Parameters
    ----------
    pacer : callable
        Makes a new pacer.
    patience_s : float
        How long an answered person waits for an agent.
    """

    def __init__(self, pacer: Callable[[], Pacer], patience_s: float) -> None:
        self.side = Side()
        self._pacer = pacer()
        self._patience_s = patience_s
        #: Fates of the other dialer's calls, and (talk, wrap-up) of its conversations, in order.
        self._fates: list[Fate] = []
        self._spells: list[tuple[float, float]] = []
        self._next_fate = self._next_spell = 0
        self.compares = False
        #: What is to happen: (at, number, what, since).
        self._agenda: list[tuple[float, int, str, float]] = []
        self._number = 0
        self._free = 0
        self._waiting: list[float] = []
        #: Calls and agents by number, with since when; a call with its fate, a talk with the wrap-up after it.
        self._ringing: dict[int, tuple[float, Fate]] = {}
        self._talking: dict[int, tuple[float, float]] = {}
        self._wrapping: dict[int, float] = {}
        #: Agents who leave when they have finished.
        self._leaving = 0
        self._at = 0.0

    # ---- what the other dialer shows

    def learn_fate(self, kind: str, ring_s: float, p_answer: float | None) -> None:
        self._fates.append(Fate(kind, ring_s, p_answer))
        if not self.compares:
            self._pacer.observe_outcome(kind, ring_s, p_answer, at=0.0)

    def learn_spell(self, talk_s: float, wrap_s: float) -> None:
        self._spells.append((talk_s, wrap_s))
        if not self.compares:
            self._pacer.observe_talk(talk_s)
            self._pacer.observe_wrap(wrap_s)

    # ---- our own floor

    def tick(self, at: float, agents: int) -> int:
        """Let time go on to a tick, with so many agents at work, and return how many calls we would place."""
        if not self.compares:
            if len(self._fates) < _FATES or len(self._spells) < _TALKS:
                return 0
            self.compares, self._at = True, at
            self._next_fate, self._next_spell = len(self._fates) - 1, len(self._spells) - 1
        while self._agenda and self._agenda[0][0] <= at:
            when, number, what, since = heappop(self._agenda)
            self._pass(when)
            self._happen(when, number, what, since)
        self._pass(at)
        self._staff(agents)
        chances = [fate.p_answer for _, fate in self._ringing.values() if fate.p_answer is not None]
        decision = self._pacer.decide(
            at,
            self._free,
            len(self._waiting),
            [at - since for since, _ in self._talking.values()],
            [at - since for since in self._wrapping.values()],
            [at - since for since, _ in self._ringing.values()],
            p_answer=chances if chances and len(chances) == len(self._ringing) else None,
        )
        for _ in range(decision.dials):
            self._dial(at)
        return decision.dials

    def _pass(self, at: float) -> None:
        span_s, self._at = at - self._at, at
        self.side.idle_s += span_s * self._free
        self.side.busy_s += span_s * (len(self._talking) + len(self._wrapping))

    def _staff(self, agents: int) -> None:
        present = self._free + len(self._talking) + len(self._wrapping) - self._leaving
        if agents > present:
            stay = min(self._leaving, agents - present)
            self._leaving -= stay
            for _ in range(agents - present - stay):
                self._become_free(self._at)
        elif agents < present:
            go = min(self._free, present - agents)
            self._free -= go
            self._leaving += present - agents - go
        self._pacer.observe_staff(agents)

    def _later(self, at: float, what: str, since: float, number: int | None = None) -> int:
        if number is None:
            self._number += 1
            number = self._number
        heappush(self._agenda, (at, number, what, since))
        return number

    def _dial(self, at: float) -> None:
        if self._next_fate >= len(self._fates):
            self._next_fate = max(0, len(self._fates) - _AGAIN)
        fate = self._fates[self._next_fate]
        self._next_fate += 1
        self.side.dialled += 1
        self._ringing[self._later(at + fate.ring_s, "outcome", at)] = at, fate

    def _happen(self, at: float, number: int, what: str, since: float) -> None:
        match what:
            case "outcome":
                _, fate = self._ringing.pop(number)
                self._pacer.observe_outcome(*fate, at=at)
                if fate.kind == "live":
                    self.side.answered += 1
                    if self._free:
                        self._connect(at, at)
                    else:
                        self._waiting.append(at)
                        self._later(at + self._patience_s, "gone", at)
            case "gone":
                if since in self._waiting:
                    self._waiting.remove(since)
                    self.side.abandoned += 1
                    self._pacer.observe_abandoned()
            case "hung_up":
                _, wrap_s = self._talking.pop(number)
                self._pacer.observe_talk(at - since)
                self._wrapping[number] = at
                self._later(at + wrap_s, "wrapped_up", at, number)
            case _:
                del self._wrapping[number]
                self._pacer.observe_wrap(at - since)
                if self._leaving:
                    self._leaving -= 1
                else:
                    self._become_free(at)

    def _become_free(self, at: float) -> None:
        self._free += 1
        if self._waiting:
            self._connect(at, self._waiting.pop(0))

    def _connect(self, at: float, answered: float) -> None:
        self._free -= 1
        self._pacer.observe_connected(at - answered)
        if self._next_spell >= len(self._spells):
            self._next_spell = max(0, len(self._spells) - _AGAIN)
        talk_s, wrap_s = self._spells[self._next_spell]
        self._next_spell += 1
        self._talking[self._later(at + talk_s, "hung_up", at)] = at, wrap_s
