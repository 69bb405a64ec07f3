"""What pacing does when something changes, and what it says about it."""

from collections.abc import Callable, Iterable
from math import inf, nan
from typing import Any

import numpy as np
import pytest

from dialer.pacing import Limit, Pacer, PacingSettings
from dialer.pacing.budget import Budget
from domain.errors import BadInput

REST = (("machine", 17.0), ("no_answer", 25.0), ("busy", 2.0), ("machine", 15.0), ("no_answer", 25.0), ("failed", 1.0))


def taught(pacer: Pacer, answers: int = 120, *, every: int = 4, talk_s: float = 75.0) -> Pacer:
    """Let a pacer see a steady list: one person in `every` calls."""
    rng = np.random.default_rng(7)
    for _ in range(answers):
        pacer.observe_outcome("live", float(rng.normal(12.0, 3.0)))
        for _ in range(every - 1):
            pacer.observe_outcome(*REST[int(rng.integers(len(REST)))])
        pacer.observe_connected(0.0)
        pacer.observe_talk(float(rng.exponential(talk_s)))
        pacer.observe_wrap(float(rng.exponential(20.0)))
    return pacer


def share_of_people(budget: Budget) -> float:
    people, machines = budget.met()
    return people / (people + machines)


def busy(n: int, mean_s: float = 75.0) -> list[float]:
    return [mean_s * (i + 0.5) / n for i in range(n)]


def test_progressive_while_evidence_is_thin() -> None:
    pacer = Pacer(PacingSettings(agents=5))
    decision = pacer.decide(10.0, 3, 0, busy(2), [], [4.0])
    assert (decision.dials, decision.reason) == (2, "cold_start")


def test_predictive_dials_ahead_of_agents() -> None:
    pacer = taught(Pacer(PacingSettings(agents=20)))
    decision = pacer.decide(3000.0, 1, 0, busy(15), busy(4, 20.0), [])
    assert decision.reason == "predicted"
    assert decision.dials >= 3  # one agent is free
    assert decision.expected_free > 3.0
    assert 0.0 < decision.tolerated < 0.1


def test_it_reacts_in_a_tick_when_agents_go() -> None:
    pacer = taught(Pacer(PacingSettings(agents=20)))
    ringing = [2.0 * i for i in range(4)]
    assert pacer.decide(3000.0, 5, 0, busy(15), busy(2, 20.0), ringing).dials > 0
    decision = pacer.decide(3000.5, 1, 0, busy(3), [], ringing)
    assert (decision.dials, decision.reason) == (0, "enough_ringing")
    gone = pacer.decide(3001.0, 0, 0, [], [], ringing)
    assert (gone.dials, gone.reason) == (0, "no_agents")


def test_a_dead_trunk_is_probed_and_not_dialled_into() -> None:
    pacer = taught(Pacer(PacingSettings(agents=20)))
    for _ in range(12):
        pacer.observe_outcome("failed", 0.3, at=3000.0)
    rate = pacer.decide(3001.6, 12, 0, [], [], []).p_answer
    assert pacer.decide(3001.6, 12, 0, [], [], []).reason == "trunk_failing"
    # Those in flight fail with it: no reason to wait longer for the first probe.
    for _ in range(30):
        pacer.observe_outcome("failed", 4.0, at=3001.7)
    assert pacer.decide(3004.0, 12, 0, [], [], []).dials == 1
    probes = 0
    at = 3001.6
    while at < 3600.0:
        decision = pacer.decide(at, 12, 0, [], [], [])
        assert decision.dials <= 1
        if decision.dials:
            probes += 1
            pacer.observe_outcome("failed", 0.3, at=at)
        at += 0.5
    assert 5 < probes < 20
    # While a probe rings, there is no second one; its answer opens the trunk again, and failures taught nothing.
    assert pacer.decide(3700.0, 12, 0, [], [], [1.0]).dials == 0
    pacer.observe_outcome("no_answer", 25.0, at=3725.0)
    again = pacer.decide(3725.5, 12, 0, [], [], [])
    assert again.dials >= 12
    assert again.p_answer == pytest.approx(rate, rel=0.02)


def test_failures_that_are_invalid_numbers_stop_nobody() -> None:
    pacer = Pacer(PacingSettings(agents=20))
    for _ in range(400):
        for kind in ("failed", "failed", "no_answer", "failed", "live"):
            pacer.observe_outcome(kind, 5.0, at=1.0)
        pacer.observe_talk(60.0)
        pacer.observe_wrap(10.0)
    assert pacer.decide(3000.0, 5, 0, busy(15), [], []).reason == "predicted"


def test_no_call_whose_answer_would_find_nobody() -> None:
    pacer = taught(Pacer(PacingSettings(agents=20, day_s=28_800.0)))
    seen = (5, 0, busy(12), busy(3, 20.0), [])
    assert pacer.decide(28_700.0, *seen).dials > 0
    last = pacer.decide(28_790.0, *seen)
    assert (last.dials, last.reason) == (0, "shift_end")
    planned = taught(Pacer(PacingSettings(agents=20, staff_plan=((10_000.0, -18),))))
    assert planned.decide(9_800.0, *seen).dials > planned.decide(9_995.0, *seen).dials


def abandon(pacer: Pacer, n: int) -> None:
    for _ in range(n):
        pacer.observe_abandoned()


def test_risk_falls_with_the_room_left() -> None:
    def dials(lost: int) -> Iterable[int]:
        pacer = taught(Pacer(PacingSettings(agents=20)), 300)
        abandon(pacer, lost)
        return [pacer.decide(27_000.0, 2, 0, busy(14), busy(3, 20.0), [3.0] * k).dials for k in range(12)]

    spent = [sum(dials(lost)) for lost in (0, 6, 9, 12)]
    assert spent == sorted(spent, reverse=True)
    assert spent[0] > spent[-1]


def test_a_hard_limit_dials_one_each_before_it_is_passed() -> None:
    soft, hard = (taught(Pacer(PacingSettings(agents=20, hard=h)), 300) for h in (False, True))
    for pacer in (soft, hard):
        abandon(pacer, 10)
    seen = (28_600.0, 2, 0, busy(14), busy(3, 20.0), [])
    assert soft.decide(*seen).dials > 2
    decision = hard.decide(*seen)
    assert (decision.dials, decision.reason) == (2, "budget")


def test_the_tightest_window_binds() -> None:
    full = Limit(name="30 days", share=0.03, hard=True, answered_before=60_000, abandoned_before=1_900)
    pacer = taught(Pacer(PacingSettings(agents=20, limits=(full,))))
    decision = pacer.decide(3000.0, 2, 0, busy(14), busy(3, 20.0), [])
    assert (decision.dials, decision.reason) == (2, "budget")
    assert decision.budget_left < 0.0


def test_only_configured_kinds_count() -> None:
    plain = taught(Pacer(PacingSettings(agents=20)))
    strict = taught(Pacer(PacingSettings(agents=20, counted=("no_agent", "lost", "detection"))))
    for pacer in (plain, strict):
        pacer.observe_abandoned("lost")
        pacer.observe_abandoned("detection")
    seen = (3000.0, 2, 0, busy(14), busy(3, 20.0), [])
    assert strict.decide(*seen).budget_left < plain.decide(*seen).budget_left - 1.5


def test_machines_that_agents_heard_are_in_no_denominator() -> None:
    plain, heard = (taught(Pacer(PacingSettings(agents=20)), 300) for _ in range(2))
    for _ in range(200):
        heard.observe_heard_machine()
    seen = (3000.0, 2, 0, busy(14), busy(3, 20.0), [])
    assert heard.decide(*seen).budget_left == pytest.approx(plain.decide(*seen).budget_left - 0.03 * 200)


def test_the_next_shift_begins_cautiously_with_what_is_known_of_machines() -> None:
    first = taught(Pacer(PacingSettings(agents=20)), 300)
    for _ in range(225):
        first.observe_heard_machine()
    share = share_of_people(first._memory.budget)
    second = first.next_shift(PacingSettings(agents=10))
    assert share_of_people(second._memory.budget) == pytest.approx(share)
    decision = second.decide(10.0, 3, 0, busy(7), [], [])
    assert (decision.dials, decision.reason) == (3, "cold_start")
    again = Pacer.restore(second.settings, second.state())
    assert taught(again, 40).decide(900.0, 2, 0, busy(8), [], []) == taught(second, 40).decide(
        900.0, 2, 0, busy(8), [], []
    )


def test_machines_heard_of_after_their_shift_make_no_people_less_than_none() -> None:
    pacer = taught(Pacer(PacingSettings(agents=20)), 300).next_shift(PacingSettings(agents=20))
    for _ in range(80):
        pacer.observe_heard_machine()
    assert share_of_people(pacer._memory.budget) == 0.0
    for _ in range(30):
        pacer.observe_outcome("no_answer", 20.0)
    decision = pacer.decide(600.0, 3, 0, busy(7), [], [])
    assert (decision.dials, decision.tolerated) == (3, 0.0)
    assert 0.0 < share_of_people(taught(pacer, 300).next_shift(PacingSettings())._memory.budget) < 1.0


@pytest.mark.parametrize("hard", [False, True])
def test_answers_to_come_are_people_only_as_often_as_agents_found(hard: bool) -> None:
    plain, heard = (taught(Pacer(PacingSettings(agents=20, hard=hard)), 300) for _ in range(2))
    n_met = heard._memory.budget.answered
    for _ in range(4 * n_met // 5):
        heard.observe_heard_machine()
    budget = heard._memory.budget
    assert share_of_people(budget) == pytest.approx(0.2, abs=0.03)
    seen = (3000.0, 2, 0, busy(14), busy(3, 20.0), [])
    # A caller without an agent may be a person: each counts whole, and those to come count for a fifth.
    assert heard.decide(*seen).tolerated < 0.3 * plain.decide(*seen).tolerated
    assert 2 <= heard.decide(*seen).dials < plain.decide(*seen).dials


def test_forecasts_move_the_decision_and_useless_ones_are_shut_out() -> None:
    rng = np.random.default_rng(3)

    def pacer(informed: bool) -> Pacer:
        one = Pacer(PacingSettings(agents=5))
        for _ in range(1500):
            p = float(rng.beta(0.6, 1.8))
            shown = p if informed else float(rng.beta(0.6, 1.8))
            one.observe_outcome("live" if rng.random() < p else "no_answer", 12.0, min(0.99, max(0.01, shown)))
        for _ in range(60):
            one.observe_talk(float(rng.exponential(75.0)))
            one.observe_wrap(float(rng.exponential(20.0)))
        return one

    seen = (3000.0, 1, 0, busy(3), [8.0])
    good, useless = pacer(True), pacer(False)
    weak = good.decide(*seen, [], p_next=[0.02] * 20).dials
    strong = good.decide(*seen, [], p_next=[0.9] * 20).dials
    assert weak > strong
    assert useless.decide(*seen, [], p_next=[0.02] * 20).dials == useless.decide(*seen, []).dials


def test_a_call_without_a_forecast_has_the_rate_of_all() -> None:
    pacer = taught(Pacer(PacingSettings(agents=20)))
    seen = (3000.0, 5, 0, busy(12), busy(3, 20.0), [3.0, 4.0])
    none = [float("nan")] * 2
    assert pacer.decide(*seen, none, none).expected_answers == pytest.approx(
        pacer.decide(*seen).expected_answers, rel=0.02
    )


def test_an_agent_about_to_finish_is_counted_on() -> None:
    pacer = taught(Pacer(PacingSettings(agents=5)), talk_s=200.0)
    for _ in range(60):
        pacer.observe_finish(4.0)
        pacer.observe_wrap(2.0)
    talking = [60.0, 90.0, 150.0, 20.0, 200.0]
    plain = pacer.decide(3000.0, 0, 0, talking, [], [])
    told = pacer.decide(3000.0, 0, 0, talking[2:], [], [], finishing_s=[1.0, 2.0])
    assert told.dials > plain.dials
    assert told.expected_free > plain.expected_free


def test_what_the_network_tells_early_is_learned() -> None:
    pacer = taught(Pacer(PacingSettings(agents=5)))
    plain = pacer.state()
    for index in range(400):
        # On this route early media is an announcement: nobody ever answers after it.
        pacer.observe_outcome(*("live", 12.0) if index % 4 == 0 else ("no_answer", 25.0), progress=1)
        pacer.observe_outcome("failed", 8.0, progress=2)
        pacer.observe_outcome("no_answer", 20.0)
    seen = (3000.0, 1, 0, busy(3), [5.0], [2.0, 3.0, 4.0])
    heard = {stage: pacer.decide(*seen, progress=[stage] * 3).expected_answers for stage in (0, 1, 2)}
    assert heard[2] < 0.5 * heard[0] < 0.6 * heard[1]
    assert pacer.state() != plain


def test_no_decision_compiles_anything_after_the_start() -> None:
    from dialer.pacing import kernel

    pacer = taught(Pacer(PacingSettings(agents=20)))
    compiled = [
        kernel.asked,
        kernel.believed,
        kernel.spells,
        kernel.outcomes,
        kernel.add_spell,
        kernel.add_outcome,
        kernel.rate,
        kernel.outside,
    ]
    before = [len(one.signatures) for one in compiled]
    views = np.frombuffer(np.arange(40.0).tobytes())  # read-only
    pacer.decide(100.0, np.int64(1), 0, views[::2], views, [], detecting_s=[1.0], finishing_s=views[:2])
    pacer.decide(100.0, 1, 0, [], (), views[:3], p_answer=views[:3] / 50.0, p_next=views[:9] / 50.0, progress=[0, 1, 2])
    assert [len(one.signatures) for one in compiled] == before


def test_lines_and_calls_per_second_bind() -> None:
    lines = taught(Pacer(PacingSettings(agents=20, max_lines=16)))
    decision = lines.decide(3000.0, 4, 0, busy(14), busy(2, 20.0), [1.0])
    assert (decision.dials, decision.reason) == (1, "lines")
    slow = taught(Pacer(PacingSettings(agents=20, calls_per_second=4.0)))
    decision = slow.decide(3000.0, 6, 0, busy(12), busy(2, 20.0), [])
    assert (decision.dials, decision.reason) == (2, "calls_per_second")
    slower = taught(Pacer(PacingSettings(agents=20, calls_per_second=0.5)))
    dials = [slower.decide(3000.0 + tick / 2, 6, 0, busy(12), busy(2, 20.0), []).dials for tick in range(20)]
    assert sum(dials) == 5


def test_a_young_shift_does_not_take_short_talks_for_all_talks() -> None:
    """Everybody began at once and the first to finish were quick: those who still talk say that talks are longer."""
    pacer = Pacer(PacingSettings(agents=300))
    rng = np.random.default_rng(1)
    for _ in range(600):
        pacer.observe_outcome(*REST[int(rng.integers(len(REST)))])
    for _ in range(20):
        pacer.observe_outcome("live", 12.0)
        pacer.observe_connected(0.0)
        pacer.observe_talk(float(rng.uniform(2.0, 20.0)))
        pacer.observe_wrap(10.0)
    decision = pacer.decide(40.0, 0, 0, [20.0 + 0.05 * i for i in range(280)], [], [])
    # The quick ones alone would promise most of the 280 within the next quarter of a minute.
    assert decision.expected_free < 90.0


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("abandon_limit", 1.5, "abandon_limit: expected a number, 0 or more and at most 1, found 1.5"),
        ("patience_s", -1.0, "patience_s: .* found -1"),
        ("tick_s", 0.0, "tick_s: expected a number above 0"),
        ("agents", -3, "agents: expected a whole number"),
        ("max_lines", 2.5, "max_lines: expected a whole number"),
        ("day_s", inf, "day_s: .* found inf"),
        ("staff_plan", ((nan, -1),), "staff_plan: at"),
        ("counted", ("nobody",), "counted: expected one of no_agent, lost, detection, found 'nobody'"),
        ("calls_per_second", 0.0, "calls_per_second"),
    ],
)
def test_settings_that_cannot_be_are_told(name: str, value: Any, says: str) -> None:
    with pytest.raises(BadInput, match=says):
        PacingSettings(**{name: value})


def test_limits_that_cannot_be_are_told() -> None:
    with pytest.raises(BadInput, match=r"limit '30 days': share: .* found 3"):
        Limit(name="30 days", share=3.0)
    with pytest.raises(BadInput, match="answered_before"):
        Limit(name="30 days", share=0.03, answered_before=-1)


@pytest.mark.parametrize(
    ("tell", "says"),
    [
        (lambda one: one.observe_outcome("maybe", 1.0), "kind: expected one of live, .* found 'maybe'"),
        (lambda one: one.observe_outcome("live", nan), "ring_s: .* found nan"),
        (lambda one: one.observe_outcome("live", -1.0), "ring_s"),
        (lambda one: one.observe_outcome("live", 1.0, 1.5), "p_answer: .* at most 1, found 1.5"),
        (lambda one: one.observe_outcome("live", 1.0, progress=3), "progress: expected one of 0, 1, 2, found 3"),
        (lambda one: one.observe_connected(-0.1), "wait_s"),
        (lambda one: one.observe_abandoned("bored"), "kind: .* found 'bored'"),
        (lambda one: one.observe_talk("long"), "duration_s: .* found 'long'"),
        (lambda one: one.observe_wrap(inf), "duration_s"),
        (lambda one: one.observe_finish(nan), "duration_s"),
        (lambda one: one.observe_staff(-1), "agents"),
        (lambda one: one.decide(nan, 1, 0, [], [], []), "at: "),
        (lambda one: one.decide(1.0, -1, 0, [], [], []), "free: expected a whole number, 0 or more, found -1"),
        (lambda one: one.decide(1.0, 1, 0.5, [], [], []), "waiting"),
        (lambda one: one.decide(1.0, 1, 0, [9.0, nan], [], []), "talking_s: .* found nan at place 1"),
        (lambda one: one.decide(1.0, 1, 0, [], [-1.0], []), "wrapping_s: .* at place 0"),
        (lambda one: one.decide(1.0, 1, 0, [], [], [inf]), "ringing_s"),
        (lambda one: one.decide(1.0, 1, 0, [], [], [], finishing_s=[-2.0]), "finishing_s"),
        (lambda one: one.decide(1.0, 1, 0, [], [], [1.0, 2.0], p_answer=[0.5]), "p_answer: .* each of the 2 calls"),
        (lambda one: one.decide(1.0, 1, 0, [], [], [1.0, 2.0], progress=[1]), "progress: .* each of the 2 calls"),
        (lambda one: one.decide(1.0, 1, 0, [], [], [1.0], p_answer=[1.5]), "p_answer: expected chances .* found 1.5"),
        (lambda one: one.decide(1.0, 1, 0, [], [], [1.0], p_next=[-0.5]), "p_next: expected chances"),
        (lambda one: Pacer.restore(one.settings, b"junk"), "no state of a pacer"),
    ],
)
def test_what_cannot_be_is_told_and_nothing_is_learned_of_it(tell: Callable[[Pacer], object], says: str) -> None:
    pacer = taught(Pacer(PacingSettings(agents=20)))
    before = pacer.state()
    with pytest.raises(BadInput, match=says):
        tell(pacer)
    assert pacer.state() == before


def test_numbers_of_any_make_and_missing_forecasts_are_taken() -> None:
    plain, other = (taught(Pacer(PacingSettings(agents=20))) for _ in range(2))
    plain.observe_outcome("live", 9.0)
    other.observe_outcome("live", np.float32(9.0), nan)
    assert other.state() == plain.state()
    seen = (3000.0, 1, 0, busy(15), busy(4, 20.0), [2.0])
    arrays = (3000, np.int64(1), np.int32(0), *(np.array(some) for some in seen[3:]))
    assert other.decide(*arrays, p_answer=[nan]).dials == plain.decide(*seen).dials
