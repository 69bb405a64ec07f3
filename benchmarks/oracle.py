"""What the record of a floor could tell of reach at best: who knows a world's laws and every earlier call, but nobody's
traits, weighs all they may be by how well each explains the calls so far (Bayes), and predicts the next.

A person is one of the rhythms, earlier, as stated or later, with one of some inclinations; a number is the person's, a
stranger's or dead. Left out: that calls within one hour meet the same absence, what a conversation tells besides that
there was one, and, where people share a number, the others' own calls (they count as average).
"""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from simulation.population.laws import Laws
from simulation.population.traits import at_home

F8 = NDArray[np.float64]

_NODES = 13


class Try(NamedTuple):
    """A call that left: where, when by the debtor's clock, and what came of it (rung, disposition)."""

    person: int
    phone: int
    hour: int
    weekday: int
    #: Days since some day, by the debtor's clock.
    day: int
    event: str
    detail: str


class Line(NamedTuple):
    """A number as the files give it."""

    mobile: bool
    further: bool
    residents: int


class Oracle:
    """Predicts each call before it is told what came of it.

    Parameters
    ----------
    stage : mapping of person to stage of the debt when the world began
    lines : mapping of phone to what is known of it
    """

    def __init__(self, laws: Laws, stage: dict[int, int], lines: dict[int, Line]) -> None:
        self._laws, self._stage, self._lines = laws, stage, lines
        home = at_home(laws)
        rhythms, shifts = home.shape[:2]
        week = home.reshape(rhythms, shifts, 72)
        self._at = (week, week + (1.0 - week) * laws.presence.mobile_at_hand)
        shares = np.array([one.share for one in laws.presence.rhythms.values()])
        shifted = np.array(laws.presence.shifts)
        z, weight = np.polynomial.hermite_e.hermegauss(_NODES)
        spread = laws.answering.spread
        self._reach = np.exp(spread * z - spread * spread / 2)
        prior = (shares / shares.sum())[:, None, None] * (shifted / shifted.sum())[None, :, None]
        self._prior: F8 = prior * (weight / weight.sum())[None, None, :]
        self._strangers: F8 = shares / shares.sum()
        answering = laws.answering
        self._rings = 1.0 - answering.p_congestion - answering.p_network_fail - answering.p_busy
        self._pick_up = np.array(answering.p_pick_up)
        #: By number: how well its being the person's, a stranger's, dead explains its calls.
        self._own: dict[tuple[int, int], F8] = {}
        self._stranger: dict[int, F8] = {}
        self._dead: dict[int, float] = {}
        self._of: dict[int, list[int]] = {}
        self._calls: dict[int, tuple[int, int, int, list[int]]] = {}

    def predict(self, tries: Iterable[Try]) -> F8:
        """Return the chances that a person answers, that the debtor does, before each call, (calls, 2)."""
        return np.array([self._one(one) for one in tries])

    def _one(self, one: Try) -> tuple[float, float]:
        line, law = self._lines[one.phone], self._laws.numbers
        slot = max(0, one.weekday - 4) * 24 + one.hour
        worn = self._worn(one)
        at = self._at[line.mobile][:, :, slot]
        pick = np.minimum(1.0, self._pick_up[self._stage[one.person]] * self._reach * worn)
        near, answers = at[:, :, None], at[:, :, None] * pick
        average = float((self._prior * answers).sum())
        answers = (answers + (line.residents - 1) * average) / line.residents
        near_stranger = at[:, 1]
        answers_stranger = near_stranger * min(1.0, self._pick_up.mean() * worn)
        p_dead, p_stranger = law.p_dead[line.further], law.p_stranger[line.further]
        p_own, p_stranger = (1 - p_dead) * (1 - p_stranger), (1 - p_dead) * p_stranger
        key = one.person, one.phone
        if key not in self._own:
            self._own[key] = np.ones_like(self._prior)
            self._of.setdefault(one.person, []).append(one.phone)
            self._stranger.setdefault(one.phone, self._strangers.copy())
            self._dead.setdefault(one.phone, 1.0)
        # How well each person explains the calls of the other numbers, and of this one.
        person = self._prior.copy()
        for phone in self._of[one.person]:
            if phone != one.phone:
                other = self._lines[phone]
                dead, strange = law.p_dead[other.further], law.p_stranger[other.further]
                person *= (1 - dead) * (
                    (1 - strange) * self._own[one.person, phone] + strange * self._stranger[phone].sum()
                ) + dead * self._dead[phone]
        own = p_own * person * self._own[key]
        stranger = p_stranger * person.sum() * self._stranger[one.phone]
        total = own.sum() + stranger.sum() + p_dead * person.sum() * self._dead[one.phone]
        assert total > 0.0, f"nothing explains what came of calls of phone {one.phone}"
        by_own = self._rings * float((own * answers).sum())
        by_stranger = self._rings * float((stranger * answers_stranger).sum())
        p_debtor = law.p_debtor_mobile if line.mobile else law.p_debtor_fixed
        # Of those who share a number, each is the one met as often.
        found = (by_own + by_stranger) / total, by_own * p_debtor / line.residents / total
        self._learn(one, near, answers, near_stranger, answers_stranger)
        return found

    def _learn(self, one: Try, near: F8, answers: F8, near_stranger: F8, answers_stranger: F8) -> None:
        declines = self._laws.answering.p_decline if self._lines[one.phone].mobile else 0.0
        key = one.person, one.phone
        if one.event == "not_in_service":
            self._own[key] *= 0.0
            self._stranger[one.phone] *= 0.0
            return
        self._dead[one.phone] = 0.0
        if one.event in ("busy", "network_fail") or one.detail in ("lost", "unknown", "cancelled"):
            return
        if one.event == "wrong_party":
            told, told_stranger = np.zeros_like(answers), answers_stranger
        elif one.event in ("abandoned", "answered") or one.detail == "unrecorded":
            told, told_stranger = answers, answers_stranger
        elif one.event in ("right_party_contact", "third_party"):
            told, told_stranger = answers, np.zeros_like(answers_stranger)
        elif one.detail == "rejected":
            told, told_stranger = (near - answers) * declines, (near_stranger - answers_stranger) * declines
        else:
            told = 1.0 - answers - np.maximum(near - answers, 0.0) * declines
            told_stranger = 1.0 - answers_stranger - (near_stranger - answers_stranger) * declines
        self._own[key] = self._own[key] * np.maximum(told, 0.0)
        self._stranger[one.phone] = self._stranger[one.phone] * np.maximum(told_stranger, 0.0)

    def _worn(self, one: Try) -> float:
        """Return the factor of the calls before on picking up, and count this one."""
        answering = self._laws.answering
        nth, day, today, hours = self._calls.get(one.phone, (0, -1, 0, [0] * 24))
        fatigue = [1.0, *answering.fatigue]
        step = answering.fatigue[-1] / answering.fatigue[-2]
        nth += 1
        factor = fatigue[nth] if nth < len(fatigue) else fatigue[-1] * step ** (nth - len(fatigue) + 1)
        today = today if day == one.day else 0
        factor *= answering.same_day**today
        if self._laws.presence.timing:
            factor *= answering.same_hour ** hours[one.hour]
        rings = one.event not in ("busy", "network_fail", "not_in_service")
        if rings:
            hours[one.hour] += 1
        self._calls[one.phone] = nth, one.day if rings else day, today + rings, hours
        return float(factor)
