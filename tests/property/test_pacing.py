"""Laws of pacing: whatever was learned and whatever the floor looks like."""

from itertools import product
from math import isfinite
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dialer.pacing import REASONS, Limit, Pacer, PacingSettings, kernel

KINDS = ("live", "machine", "busy", "no_answer", "failed")
ages = st.lists(st.floats(0.0, 400.0), max_size=12)
rings = st.lists(st.floats(0.0, 40.0), max_size=12)


@st.composite
def pacers(draw: st.DrawFn) -> Pacer:
    """Draw a pacer that has seen some of a day."""
    agents = draw(st.sampled_from((1, 3, 10, 44, 60, 300)))
    limits = (Limit(name="30 days", share=0.03, hard=draw(st.booleans()), answered_before=900, abandoned_before=20),)
    pacer = Pacer(
        PacingSettings(
            agents=agents,
            abandon_limit=draw(st.sampled_from((0.0, 0.01, 0.03, 0.1))),
            hard=draw(st.booleans()),
            limits=limits if draw(st.booleans()) else (),
            staff_plan=((14_000.0, -1),) if draw(st.booleans()) else (),
            max_lines=draw(st.sampled_from((None, 8, 500))),
            calls_per_second=draw(st.sampled_from((None, 4.0))),
        )
    )
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    p_live = draw(st.floats(0.02, 0.9))
    for _ in range(draw(st.sampled_from((0, 30, 400)))):
        kind = "live" if rng.random() < p_live else str(rng.choice(KINDS[1:], p=(0.45, 0.08, 0.4, 0.07)))
        pacer.observe_outcome(kind, float(rng.uniform(0.5, 26.0)), float(rng.uniform(0.01, 0.99)))
        if kind == "live":
            if rng.random() < 0.97:
                pacer.observe_connected(0.1)
            else:
                pacer.observe_abandoned()
            pacer.observe_talk(float(rng.lognormal(4.0, 1.0)))
            pacer.observe_wrap(float(rng.lognormal(2.5, 0.8)))
    return pacer


@st.composite
def floors(draw: st.DrawFn) -> dict[str, Any]:
    """Draw the arguments of a decision."""
    floor: dict[str, Any] = {
        "at": draw(st.floats(0.0, 28_800.0)),
        "free": draw(st.integers(0, 12)),
        "waiting": draw(st.integers(0, 4)),
        "talking_s": draw(ages),
        "wrapping_s": draw(ages),
        "ringing_s": draw(rings),
        "detecting_s": draw(st.none() | st.lists(st.floats(0.0, 4.0), max_size=3)),
    }
    if draw(st.booleans()):
        floor["p_answer"] = draw(
            st.lists(st.floats(0.0, 1.0), min_size=len(floor["ringing_s"]), max_size=len(floor["ringing_s"]))
        )
        floor["p_next"] = draw(st.lists(st.floats(0.0, 1.0), max_size=10))
    return floor


@given(pacers(), floors())
def test_a_decision_is_sound(pacer: Pacer, floor: dict[str, Any]) -> None:
    decision = pacer.decide(**floor)
    assert decision.dials >= 0
    assert decision.reason in REASONS
    lines = pacer.settings.max_lines
    if lines is not None:
        held = len(floor["ringing_s"]) + floor["waiting"] + len(floor["talking_s"]) + len(floor["detecting_s"] or ())
        assert decision.dials <= max(0, lines - held)
    if pacer.settings.calls_per_second is not None:
        assert decision.dials <= pacer.settings.calls_per_second * pacer.settings.tick_s + 1.0
    figures = (decision.expected_free, decision.expected_answers, decision.risk, decision.tolerated)
    assert all(isfinite(figure) and figure >= 0.0 for figure in figures)
    assert isfinite(decision.budget_left)


@given(pacers(), floors())
def test_equal_inputs_give_equal_decisions_and_deciding_teaches_nothing(pacer: Pacer, floor: dict[str, Any]) -> None:
    before = pacer.state()
    first = pacer.decide(**floor)
    assert pacer.decide(**floor) == first
    assert pacer.state() == before


@given(pacers(), floors())
def test_what_was_restored_decides_and_learns_alike(pacer: Pacer, floor: dict[str, Any]) -> None:
    again = Pacer.restore(pacer.settings, pacer.state())
    assert again.decide(**floor) == pacer.decide(**floor)
    for one in (pacer, again):
        one.observe_outcome("live", 9.0, 0.4)
        one.observe_talk(31.0)
        one.observe_abandoned()
    assert again.state() == pacer.state()
    assert again.decide(**floor) == pacer.decide(**floor)


@given(pacers(), floors(), st.floats(0.0, 40.0))
def test_one_more_ringing_call_invites_no_further_one(pacer: Pacer, floor: dict[str, Any], age_s: float) -> None:
    floor.pop("p_answer", None)
    fewer = pacer.decide(**floor).dials
    assert pacer.decide(**{**floor, "ringing_s": [*floor["ringing_s"], age_s]}).dials <= fewer


@given(pacers(), floors())
def test_one_more_waiting_caller_invites_no_further_call(pacer: Pacer, floor: dict[str, Any]) -> None:
    fewer = pacer.decide(**floor).dials
    assert pacer.decide(**{**floor, "waiting": floor["waiting"] + 1}).dials <= fewer


@given(pacers(), floors())
def test_one_more_free_agent_forbids_no_call(pacer: Pacer, floor: dict[str, Any]) -> None:
    more = pacer.decide(**{**floor, "free": floor["free"] + 1}).dials
    assert more >= pacer.decide(**floor).dials


@pytest.mark.parametrize(("agents", "first"), [(1, 1), (20, 20), (300, 480)])
def test_an_empty_floor(agents: int, first: int) -> None:
    pacer = Pacer(PacingSettings(agents=agents))
    assert pacer.decide(0.0, 0, 0, [], [], []).dials == 0
    assert pacer.decide(0.0, agents, 0, [], [], [], [], [], []).dials == first


chances = st.lists(st.floats(0.0, 1.0), max_size=7)


@given(chances, chances, st.integers(-1, 12))
def test_the_convolution_is_the_sum_over_every_case(first: list[float], more: list[float], most: int) -> None:
    terms = first + more[:4]
    spread = np.empty(len(terms) + 4)
    kernel._distribution(np.array(first), spread)
    for size, p in enumerate(terms[len(first) :], len(first)):
        kernel._add(spread, size, p)
    truth = sum(
        np.prod([p if hit else 1.0 - p for p, hit in zip(terms, case, strict=True)])
        for case in product((0, 1), repeat=len(terms))
        if sum(case) <= most
    )
    assert kernel._tail(spread, len(terms), most) == pytest.approx(truth, abs=1e-9)


FLAT = np.ones(kernel.RING_BINS)
NOBODY = np.empty((0, 2))


def laws(p: float, talking: float, wrapping: float) -> dict[str, Any]:
    """Return laws with flat rings of 64 s, and agents' chances as given, all learned beyond doubt."""
    survival, moments = np.empty((2, kernel.RING_BINS + 2)), np.empty(kernel.MOMENTS)
    memories = np.ones(kernel.MEMORIES.size)
    kernel.outcomes(FLAT, FLAT, memories, memories, memories, 2.0, survival, moments)
    tables = np.empty((3, kernel.AGES, kernel.HORIZONS))
    tables[0], tables[1:] = talking, wrapping
    return {
        "survival": survival,
        "moments": moments,
        "p": p,
        "resolved": 1e12,
        "p_detected": 0.6,
        "ringing": 1.0,
        "media": 1.0,
        "tables": tables,
        "hazards": np.zeros((3, kernel.SPELL_BINS + 1)),
        "scales_s": np.array((60.0, 15.0, 15.0)),
        "finished": np.full(3, 1e6),
        "wrapped": np.zeros(kernel.HORIZONS),
    }


@settings(max_examples=60)
@given(
    p=st.floats(0.05, 0.9),
    free=st.integers(0, 2),
    waiting=st.integers(0, 1),
    talking=st.integers(0, 3),
    wrapping=st.integers(0, 2),
    ringing_s=st.lists(st.floats(0.0, 60.0), max_size=3),
    detecting=st.integers(0, 1),
    chance=st.tuples(st.floats(0.0, 1.0), st.floats(0.0, 1.0)),
)
def test_the_kernels_risk_is_that_of_enumeration(
    p: float,
    free: int,
    waiting: int,
    talking: int,
    wrapping: int,
    ringing_s: list[float],
    detecting: int,
    chance: tuple[float, float],
) -> None:
    floor = {
        "free": free,
        "waiting": waiting,
        "n_detecting": detecting,
        "ages_s": np.array([10.0] * talking + [4.0] * wrapping + ringing_s),
        "n_talking": talking,
        "n_wrapping": wrapping,
        "n_finishing": 0,
        "q_ringing": np.empty(0),
        "stages": np.empty(0, np.uint8),
        "q_next": np.empty(0),
        "leaving": NOBODY,
    }
    bounds = {"theta": 0.0, "headroom": np.inf, "staff": 8, "room": 5, "patience_s": 2.0}
    risk = kernel.asked(**laws(p, *chance), **floor, **bounds)[4]
    truth = 0.0
    for j in range(kernel.MOMENTS):
        ahead_s = 64.0 * (j + 0.5) / kernel.MOMENTS
        # A ring that has lasted a of 64 s is answered within u more with chance p * min(u, 64 - a) / (64 - a).
        answered = [p * min(ahead_s, 64.0 - age_s) / (64.0 - age_s) for age_s in ringing_s] + [0.6] * detecting
        freed = [chance[0]] * talking + [chance[1]] * wrapping
        for case in product((0, 1), repeat=len(answered) + len(freed)):
            weight = np.prod([q if hit else 1.0 - q for q, hit in zip(answered + freed, case, strict=True)])
            if free - waiting + sum(case[len(answered) :]) - sum(case[: len(answered)]) <= 0:
                truth += float(weight) / kernel.MOMENTS
    assert risk == pytest.approx(truth, abs=1e-6)
