"""The world of the pacing bench against theory, its laws of conservation, and equal luck under any policy."""

import math
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.pacing import kernel
from benchmarks.pacing.forecasts import Forecast
from benchmarks.pacing.laws import Law
from benchmarks.pacing.scenarios import HOUR, SCENARIOS, Scenario
from benchmarks.pacing.world import Day, run_day
from simulation.chance import Chance, Purpose, mix
from tests.unit.pacing_bench.scripts import NONE, Scripted, at_once, day, in_flight, progressive


def test_luck_is_that_of_the_simulator() -> None:
    chance = Chance(11)
    first = mix((11 + 0x9E3779B97F4A7C15) % 2**64)
    for purpose in (Purpose.answer, Purpose.preview):
        key = np.uint64(mix((first + purpose * 0x9E3779B97F4A7C15) % 2**64))
        for entity, counter in ((0, 0), (17, 0), (2**40, 3)):
            assert kernel.uniform(key, entity, counter) == chance.u(purpose, entity, counter)


# ---- theory


def lost(agents: int, load: float, service_s: float, patience_s: float) -> tuple[float, float]:
    """Return the shares who are lost and who wait in M/M/n with a fixed patience.

    Zeltyn & Mandelbaum, "Call centers with impatient customers: many-server asymptotics of the M/M/n+G queue",
    Queueing Systems 51 (2005), section 2; without patience it is Erlang's loss formula.
    """
    blocked = 1.0
    for n in range(1, agents):
        blocked = load * blocked / (n + load * blocked)
    rate, serving = load / service_s, agents / service_s
    surplus = rate - serving
    waits = (math.exp(surplus * patience_s) - 1.0) / surplus + math.exp(surplus * patience_s) / serving
    return (1.0 + surplus * waits) / (1.0 / blocked + rate * waits), rate * waits / (1.0 / blocked + rate * waits)


@pytest.mark.parametrize(
    ("agents", "load", "patience_s"),
    [(5, 4.0, 0.0), (20, 18.0, 0.0), (10, 9.0, 2.0), (10, 9.0, 40.0), (20, 22.0, 20.0)],
)
def test_blind_dialling_loses_what_theory_says(agents: int, load: float, patience_s: float) -> None:
    service_s, p_live = 100.0, 0.25
    scenario = day(
        agents=agents,
        p_live=p_live,
        day_s=24 * HOUR,
        tick_s=8.0,
        patience_s=patience_s,
        talk=Law(family="exponential", mean_s=service_s),
        wrap=NONE,
    )
    lost_by_day, waited_by_day = [], []
    for seed in range(8):
        chance = np.random.default_rng(seed)
        dials = chance.poisson(load / service_s / p_live * scenario.tick_s, size=10_800).tolist()
        policy = Scripted(lambda seen, dials=dials: dials[int(seen["at"] / 8.0)])
        result = run_day(policy, scenario, seed)
        lost_by_day.append(result.abandonment)
        waited_by_day.append((result.abandoned + sum(wait_s > 0.0 for wait_s in policy.waits_s)) / result.answered)
    p_lost, p_waits = lost(agents, load, service_s, patience_s)
    for found, expected in ((lost_by_day, p_lost), (waited_by_day, p_waits)):
        within = 4.0 * float(np.std(found, ddof=1)) / math.sqrt(len(found))
        assert np.mean(found) == pytest.approx(expected, abs=within)
        assert within < 0.2 * expected


def test_without_patience_loss_is_blind_to_the_law_of_service() -> None:
    service = Law(family="lognormal", mean_s=100.0, cv=2.0)
    scenario = day(agents=5, day_s=24 * HOUR, tick_s=8.0, patience_s=0.0, talk=service, wrap=NONE)
    found = []
    for seed in range(8):
        dials = np.random.default_rng(seed).poisson(0.04 / 0.25 * 8.0, size=10_800).tolist()
        found.append(
            run_day(Scripted(lambda seen, dials=dials: dials[int(seen["at"] / 8.0)]), scenario, seed).abandonment
        )
    within = 4.0 * float(np.std(found, ddof=1)) / math.sqrt(len(found))
    assert np.mean(found) == pytest.approx(lost(5, 4.0, 100.0, 0.0)[0], abs=within)


@pytest.mark.parametrize(("name", "published"), [("n100", 0.587), ("n50_p10", 0.353), ("n50_p50", 0.759)])
def test_progressive_dialling_keeps_agents_as_busy_as_the_laws_say(name: str, published: float) -> None:
    scenario = SCENARIOS[name]
    p_live, ages_s = scenario.p_live(0.0), np.linspace(0.0, 30.0, 30_001)
    live_s = float(np.trapezoid(scenario.live_ring_survival(ages_s, 0.0), ages_s))
    rest_s = float(np.trapezoid(scenario.rest_ring_survival(ages_s, 0.0), ages_s))
    # A call is placed at the next tick, half a tick after an agent is free or the last call failed.
    idle_s = live_s + (1.0 - p_live) / p_live * rest_s + 0.5 * scenario.tick_s / p_live
    busy_s = scenario.talk.mean_s + scenario.wrap.mean_s
    results = [run_day(progressive(), scenario, seed) for seed in range(4)]
    assert sum(result.abandoned for result in results) == 0
    found = [result.occupancy for result in results]
    within = 4.0 * float(np.std(found, ddof=1)) / math.sqrt(len(found))
    assert np.mean(found) == pytest.approx(busy_s / (busy_s + idle_s), abs=within)
    assert busy_s / (busy_s + idle_s) == pytest.approx(published, abs=0.004)
    assert np.mean([result.wait_mean_s for result in results]) == pytest.approx(idle_s, rel=0.03)


# ---- conservation

ODD = [
    day(),
    day(agents=1, p_live=0.5, talk=Law(family="exponential", mean_s=1.0), wrap=NONE),
    day(agents=3, machine_detection=False),
    day(agents=3, detection_s=3.0, p_live=0.5),
    day(agents=4, outages=((5.0, 12.0), (30.0, 31.0))),
    day(agents=4, staff=((0.0, 2), (3.0, 2), (9.0, -3), (10.0, 2), (10.0, -1), (20.2, -1), (22.0, 1))),
    day(agents=2, forecast=Forecast(auc_shown=0.75, distortion="fading")),
    day(agents=6, max_lines=12, p_live=0.6),
]


@settings(max_examples=60)
@given(st.sampled_from(ODD), st.integers(0, 10**9), st.lists(st.integers(0, 12), max_size=120))
def test_nothing_is_lost_and_nobody_waits_beside_a_free_agent(scenario: Scenario, seed: int, dials: list[int]) -> None:
    world = Day(scenario, seed)
    placed = 0
    counts = dict.fromkeys(range(10), 0)
    last_at = 0.0
    for number in [*dials, *[0] * 60]:
        before = int(world.state["dialled"][0])
        events = world.step(number)
        placed += int(world.state["dialled"][0]) - before
        for word in events["word"].tolist():
            counts[word] += 1
        seen = {"detecting_s": None, **world.look()}
        state = world.state[0]
        assert (
            sum(counts[word] for word in range(5))
            + len(seen["ringing_s"])
            + len(seen["detecting_s"] if seen["detecting_s"] is not None else ())
            == placed
        )
        assert counts[kernel.LIVE] == counts[kernel.CONNECTED] + counts[kernel.ABANDONED] + seen["waiting"]
        assert counts[kernel.CONNECTED] == counts[kernel.TALKED] + len(seen["talking_s"])
        assert counts[kernel.TALKED] == counts[kernel.WRAPPED] + len(seen["wrapping_s"])
        assert seen["free"] + len(seen["talking_s"]) + len(seen["wrapping_s"]) == world.logged_in <= scenario.agents
        assert not (seen["free"] and seen["waiting"])
        assert np.all(seen["ringing_s"] >= 0.0)
        assert np.all(np.diff(seen["ringing_s"]) <= 0.0)
        assert last_at < seen["at"]
        last_at = seen["at"]
        assert state["talk_s"] + state["wrap_s"] <= state["logged_in_s"] + 1e-6
        if scenario.max_lines is not None:
            assert in_flight(seen) + len(seen["talking_s"]) <= scenario.max_lines
    assert scenario.machine_detection or not counts[kernel.MACHINE]


# ---- luck


def test_a_lead_meets_the_same_whatever_the_policy() -> None:
    scenario = msgspec.structs.replace(SCENARIOS["n10_auc80"], day_s=HOUR)
    fates = []
    for policy in (progressive(), Scripted(lambda seen: max(0, 30 - len(seen["ringing_s"])))):
        run_day(policy, scenario, 3)
        # The forecast tells one lead from another.
        fates.append({shown: (kind, round(ring_s, 6)) for kind, ring_s, shown in policy.outcomes})
    common = fates[0].keys() & fates[1].keys()
    assert len(common) > 500
    assert all(fates[0][lead] == fates[1][lead] for lead in common)


def test_the_nth_conversation_is_the_same_whatever_the_policy() -> None:
    policies = (progressive(), Scripted(lambda seen: max(0, 3 * seen["free"] - len(seen["ringing_s"]))))
    for policy in policies:
        run_day(policy, day(agents=1, day_s=4 * HOUR), 8)
    n = min(len(policy.wraps_s) for policy in policies)
    assert n > 50
    for one, other in ((policies[0].talks_s, policies[1].talks_s), (policies[0].wraps_s, policies[1].wraps_s)):
        np.testing.assert_allclose(one[:n], other[:n], atol=1e-6)


def test_the_next_leads_are_those_dialled_next() -> None:
    ahead: list[float] = []

    def look(seen: dict[str, Any]) -> int:
        if seen["at"] == 0.0:
            ahead.extend(seen["p_next"][:5])
            return 5
        if seen["at"] == 0.5:
            assert ahead == seen["p_answer"].tolist()
            assert ahead[1:] != seen["p_next"][:4].tolist()
        return 0

    run_day(Scripted(look), msgspec.structs.replace(SCENARIOS["n10_auc80"], day_s=60.0), 1)
    assert len(ahead) == 5


# ---- what goes wrong in a day


def test_an_outage_fails_every_dial_and_loses_what_rings() -> None:
    policy = Scripted(lambda seen: 50 if seen["at"] in (0.0, 20.0) else 0)
    result = run_day(policy, day(day_s=60.0, outages=((5.0, 30.0),)), 2)
    assert result.dials_into_outage == 50
    lost_ringing = [ring_s for kind, ring_s, _ in policy.outcomes[:50] if kind == "failed" and ring_s > 1.0]
    assert lost_ringing
    assert set(lost_ringing) == {5.0}
    assert all(kind == "failed" and 0.2 <= ring_s <= 0.6 for kind, ring_s, _ in policy.outcomes[50:])
    assert len(policy.outcomes) == 100


def test_who_answers_after_a_hard_end_is_abandoned() -> None:
    policy = at_once(400, at=59.5)
    result = run_day(policy, day(agents=30, day_s=60.0, ends_hard=True), 4)
    live = sum(kind == "live" for kind, _, _ in policy.outcomes)
    assert len(policy.outcomes) == 400
    assert result.abandoned == live > 50
    assert result.connected == 0
    assert run_day(at_once(400, at=59.5), day(agents=30, day_s=60.0), 4).answered == 0


def test_agents_go_after_their_call_and_the_policy_hears_of_it() -> None:
    talk = Law(family="uniform", mean_s=100.0, cv=0.001)
    scenario = day(agents=2, day_s=300.0, p_live=0.99, talk=talk, wrap=NONE, staff=((0.0, 2), (40.0, -2), (250.0, 1)))
    heard: list[tuple[float, int]] = []

    def dial(seen: dict[str, Any]) -> int:
        if policy.staff and (not heard or heard[-1][1] != policy.staff[-1]):
            heard.append((seen["at"], policy.staff[-1]))
        return 1 if seen["at"] == 0.0 else 0

    policy = Scripted(dial)
    result = run_day(policy, scenario, 1)
    assert [agents for _, agents in heard] == [2, 1, 0, 1]
    assert heard[1][0] == 40.0
    assert 100.0 < heard[2][0] < 135.0
    assert heard[3][0] == 250.0
    gone_s = 300.0 - 250.0 + 40.0
    assert gone_s + 100.0 < result.logged_in_s < gone_s + 135.0


def test_detection_delays_the_offer() -> None:
    sights: list[int] = []

    def dial(seen: dict[str, Any]) -> int:
        sights.append(len(seen["detecting_s"]))
        assert all(0.0 <= age_s <= 3.0 for age_s in seen["detecting_s"])
        return 200 if seen["at"] == 0.0 else 0

    policy = Scripted(dial)
    run_day(policy, day(agents=200, day_s=60.0, p_live=0.5, detection_s=3.0), 1)
    assert max(sights) > 10
    plain = at_once(200)
    run_day(plain, day(agents=200, day_s=60.0, p_live=0.5), 1)
    # The ring ends with the answer, not with what detection says.
    delayed, prompt = (sorted(ring_s for _, ring_s, _ in told.outcomes) for told in (policy, plain))
    np.testing.assert_allclose(delayed, prompt, atol=1e-9)


def test_the_worst_half_hour_is_that_of_the_burst() -> None:
    policy = Scripted(lambda seen: 100 if seen["at"] == 2 * HOUR else max(0, seen["free"] - in_flight(seen)))
    result = run_day(policy, day(agents=10, day_s=4 * HOUR), 6)
    assert result.worst_half_hour > 3.0 * result.abandonment > 0.0
