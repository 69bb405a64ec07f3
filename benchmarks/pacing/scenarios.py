"""The days of the bench: teams, lists, answer rates and what goes wrong in the course of a shift.

A scenario is the truth. Policies see of it what a dialer sees; the informed rule asks it for its laws, which are those
of what a policy calls live: with machine detection off a machine that answers looks live too.
"""

from math import pi, sin

import msgspec
import numpy as np
from numpy.typing import ArrayLike

from benchmarks.pacing.forecasts import Forecast
from benchmarks.pacing.laws import F8, Law

HOUR = 3600.0

#: Ring until answer: two seconds of set-up, then lognormal, before the ring-out at 25 s. Voicemail lets people go
#: first.
PERSON_RING = Law(family="lognormal_under", mean_s=12.0, cv=4.3 / 12.0, shift_s=2.0, end_s=25.0)
MACHINE_RING = Law(family="lognormal_under", mean_s=17.0, cv=4.3 / 17.0, shift_s=2.0, end_s=25.0)
BUSY_RING = Law(family="uniform", mean_s=2.0, cv=1.0 / (2.0 * 3.0**0.5))
SHORT_TALK, SHORT_WRAP = Law(family="lognormal", mean_s=75.0, cv=1.0), Law(family="lognormal", mean_s=20.0, cv=0.8)
LONG_TALK, LONG_WRAP = Law(family="lognormal", mean_s=240.0, cv=1.0), Law(family="lognormal", mean_s=45.0, cv=0.8)


class Stretch(msgspec.Struct, frozen=True, kw_only=True):
    """A part of the day with one list: who is dialled then."""

    from_s: float = 0.0
    #: Chance that a dialled call is answered by a person, and half the height of its wave over the day.
    p_live: float = 0.25
    wave: float = 0.0
    #: Shares of the rest: answered by a machine, busy, rings out, invalid number.
    machine: float = 0.45
    busy: float = 0.08
    no_answer: float = 0.40
    invalid: float = 0.07
    #: Conversations last this many times the scenario's.
    talk_factor: float = 1.0


class Scenario(msgspec.Struct, frozen=True, kw_only=True):
    """A day, but for its luck."""

    name: str
    #: The whole team.
    agents: int
    day_s: float
    stretches: tuple[Stretch, ...] = (Stretch(),)
    talk: Law = SHORT_TALK
    wrap: Law = SHORT_WRAP
    person_ring: Law = PERSON_RING
    machine_ring: Law = MACHINE_RING
    ring_out_s: float = 25.0
    invalid_s: float = 1.0
    #: (at_s, ±agents) who log in or go, in order; empty: all are there from the start. Who goes ends call and wrap-up.
    staff: tuple[tuple[float, int], ...] = ()
    #: Off: a machine that answers is taken for a person.
    machine_detection: bool = True
    #: Time that detection takes after the answer.
    detection_s: float = 0.0
    machine_talk: Law = Law(family="gamma", mean_s=9.0, cv=0.5)
    machine_wrap: Law = Law(family="gamma", mean_s=3.0, cv=0.8)
    #: (from_s, to_s) in which every dial fails, and at whose start every ringing call is lost.
    outages: tuple[tuple[float, float], ...] = ()
    forecast: Forecast | None = None
    max_lines: int | None = None
    #: Agents go at the end of the day, and calls answered after it still count. Else counting stops there.
    ends_hard: bool = False
    patience_s: float = 2.0
    tick_s: float = 0.5

    def stretch(self, at: float) -> Stretch:
        """Return the stretch whose list is dialled at an instant."""
        return [stretch for stretch in self.stretches if stretch.from_s <= at][-1]

    def p_person(self, at: float) -> float:
        """Return the chance that a call dialled at an instant is answered by a person."""
        stretch = self.stretch(at)
        return stretch.p_live + stretch.wave * sin(2.0 * pi * at / self.day_s)

    def p_live(self, at: float) -> float:
        """Return the chance that a call dialled at an instant is answered by what looks live."""
        p_person = self.p_person(at)
        if self.machine_detection:
            return p_person
        return p_person + (1.0 - p_person) * self.stretch(at).machine

    def _p_person_of_live(self, at: float) -> float:
        return self.p_person(at) / self.p_live(at)

    def live_ring_survival(self, age_s: ArrayLike, at: float) -> F8:
        """Return P(rings longer than age_s) of a call dialled at `at` that will be answered by what looks live."""
        share = self._p_person_of_live(at)
        return share * self.person_ring.survival(age_s) + (1.0 - share) * self.machine_ring.survival(age_s)

    def rest_ring_survival(self, age_s: ArrayLike, at: float) -> F8:
        """Return P(no outcome before age_s) of a call dialled at `at` that ends otherwise; outages apart."""
        age_s = np.asarray(age_s, dtype=np.float64)
        stretch = self.stretch(at)
        machine = stretch.machine if self.machine_detection else 0.0
        rung = (
            machine * self.machine_ring.survival(age_s)
            + stretch.busy * BUSY_RING.survival(age_s)
            + stretch.no_answer * (age_s < self.ring_out_s)
            + stretch.invalid * (age_s < self.invalid_s)
        )
        return np.asarray(rung / (machine + stretch.busy + stretch.no_answer + stretch.invalid), dtype=np.float64)

    def talk_survival(self, elapsed_s: ArrayLike, at: float) -> F8:
        """Return P(talk longer than elapsed_s) of a call dialled at `at` that met an agent."""
        share = self._p_person_of_live(at)
        person = self.talk.scaled(self.stretch(at).talk_factor)
        return share * person.survival(elapsed_s) + (1.0 - share) * self.machine_talk.survival(elapsed_s)

    def wrap_survival(self, elapsed_s: ArrayLike, at: float) -> F8:
        """Return P(wrap-up longer than elapsed_s) of a call dialled at `at` that met an agent."""
        share = self._p_person_of_live(at)
        return share * self.wrap.survival(elapsed_s) + (1.0 - share) * self.machine_wrap.survival(elapsed_s)


def _day_s(agents: int) -> float:
    return (8.0 if agents <= 20 else 4.0 if agents <= 100 else 2.0) * HOUR


def _plain(agents: int, p_live: float = 0.25, *, long: bool = False, forecast: Forecast | None = None) -> Scenario:
    name = f"n{agents}" + (f"_p{100 * p_live:.0f}" if p_live != 0.25 else "") + ("_long" if long else "")
    if forecast is not None:
        bent = "" if forecast.distortion == "calibrated" else f"_{forecast.distortion}"
        name += f"_auc{100 * forecast.auc_shown:.0f}{bent}"
    return Scenario(
        name=name,
        agents=agents,
        day_s=_day_s(agents),
        stretches=(Stretch(p_live=p_live),),
        talk=LONG_TALK if long else SHORT_TALK,
        wrap=LONG_WRAP if long else SHORT_WRAP,
        forecast=forecast,
    )


def _breaks(start_s: float, length_s: float, groups: tuple[int, ...]) -> list[tuple[float, int]]:
    """Return the comings and goings of groups that take a break one after another."""
    changes: list[tuple[float, int]] = []
    for index, group in enumerate(groups):
        changes += [(start_s + index * length_s, -group), (start_s + (index + 1) * length_s, group)]
    # Who comes back comes before the next group goes.
    return sorted(changes, key=lambda change: (change[0], -change[1]))


def _uneven(name: str, *, stretches: tuple[Stretch, ...] = (Stretch(),), **other: object) -> Scenario:
    """Return a day of 20 agents and 8 hours that is not all alike."""
    return msgspec.structs.replace(_plain(20), name=name, stretches=stretches, **other)


def _all() -> list[Scenario]:
    steady = [_plain(agents) for agents in (3, 5, 10, 20, 50, 100, 300, 1000)]
    steady += [_plain(agents, p) for agents in (3, 10, 50) for p in (0.10, 0.50)]
    steady += [_plain(agents, long=True) for agents in (3, 20, 50)]
    uneven = [
        _uneven("drift", stretches=(Stretch(wave=0.15),)),
        _uneven("jump", stretches=(Stretch(p_live=0.35), Stretch(from_s=4 * HOUR, p_live=0.12))),
        _uneven("jump_up", stretches=(Stretch(p_live=0.12), Stretch(from_s=4 * HOUR, p_live=0.35))),
        _uneven(
            "lists",
            stretches=(
                Stretch(p_live=0.40),
                # Old numbers, then people who are out, then numbers bought in.
                Stretch(
                    from_s=2 * HOUR, p_live=0.15, talk_factor=0.6, machine=0.60, busy=0.10, no_answer=0.20, invalid=0.10
                ),
                Stretch(
                    from_s=4 * HOUR, p_live=0.30, talk_factor=1.4, machine=0.30, busy=0.10, no_answer=0.50, invalid=0.10
                ),
                Stretch(
                    from_s=6 * HOUR, p_live=0.10, talk_factor=2.0, machine=0.35, busy=0.10, no_answer=0.25, invalid=0.30
                ),
            ),
        ),
        _uneven(
            "blocks",
            staff=(
                *((0.0, 10), (HOUR, 5), (2 * HOUR, 5)),
                *((6 * HOUR, -5), (6.5 * HOUR, -4), (7 * HOUR, -4), (7.5 * HOUR, -4)),
            ),
        ),
        _uneven(
            "breaks",
            staff=(
                (0.0, 20),
                *_breaks(1.5 * HOUR, 900.0, (7, 7, 6)),
                *_breaks(3.5 * HOUR, 1800.0, (10, 10)),
                *_breaks(6 * HOUR, 900.0, (7, 7, 6)),
            ),
        ),
        _uneven("mass_pause", staff=((0.0, 20), *_breaks(2 * HOUR, 900.0, (15,)), *_breaks(5 * HOUR, 1200.0, (18,)))),
        _uneven("undetected", machine_detection=False),
        _uneven("heavy", talk=Law(family="lomax", mean_s=120.0, shape=1.6)),
        _uneven("outages", outages=((2 * HOUR, 2 * HOUR + 1200.0), (5 * HOUR, 5 * HOUR + 2400.0))),
        _uneven("shift_end", day_s=2 * HOUR, ends_hard=True),
        _uneven("few_lines", max_lines=26),
        _uneven("detection_3s", detection_s=3.0),
    ]
    foretold = [
        _plain(agents, forecast=Forecast(auc_shown=auc))
        for agents in (3, 5, 10, 20, 50)
        for auc in (0.65, 0.75, 0.80, 0.85)
    ]
    foretold += [
        _plain(agents, forecast=Forecast(auc_shown=0.80, distortion=distortion))
        for agents in (3, 10, 20)
        for distortion in ("times_1.5", "monotone", "drifting", "fading", "useless")
    ]
    return steady + uneven + foretold


#: Every day of the bench by its name.
SCENARIOS: dict[str, Scenario] = {scenario.name: scenario for scenario in _all()}


def _markov(agents: int) -> Scenario:
    """Return a day of the model that `optimum` solves: no ring-out, no patience, nothing but exponential laws."""
    ring = Law(family="exponential", mean_s=12.0)
    return Scenario(
        name=f"markov_n{agents}",
        agents=agents,
        day_s=8.0 * HOUR,
        # What is not answered by a person ends like a machine: its ring is as long.
        stretches=(Stretch(machine=1.0, busy=0.0, no_answer=0.0, invalid=0.0),),
        talk=Law(family="exponential", mean_s=95.0),
        wrap=Law(family="uniform", mean_s=1e-6, cv=0.1),
        person_ring=ring,
        machine_ring=ring,
        patience_s=0.0,
        # The model decides at once.
        tick_s=0.25,
    )


#: Days whose best pacing is known exactly.
MARKOV: dict[str, Scenario] = {scenario.name: scenario for scenario in map(_markov, (3, 5, 10))}
