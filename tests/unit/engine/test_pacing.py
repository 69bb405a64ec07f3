"""What the engine tells its pacers, what it takes from them, and what it records of their decisions."""

import random
from math import nan

import msgspec
import pytest
from msgspec.structs import replace

from dialer.engine import Engine, dialling
from dialer.engine.flight import flights
from dialer.engine.paced import LOOK_AHEAD, forecasts, paced
from dialer.engine.snapshot import freeze, thaw
from dialer.pacing import REASONS, Limit, Pacer
from domain import events
from domain.calls import AgentState, Cause, Disposition, Mode
from domain.errors import BadInput
from domain.events import DayCount
from domain.facts import PacingDecided
from domain.forecasts import pack
from domain.instants import parse
from domain.orders import Originate, Reserve
from domain.people import Lead
from domain.settings import CampaignSettings, Window
from tests.unit.engine.floor import SECOND, START_US, Floor, OpenGate, of, person

HOUR_S = 3600.0
#: 12 slots from 9 in Madrid end at 21:00, 20:00 UTC in winter.
END_US = parse("2026-11-18T20:00:00Z")


def predictive(**changes: object) -> CampaignSettings:
    return CampaignSettings(name="c", mode=Mode.predictive, **changes)  # type: ignore[arg-type]


def pacer_of(floor: Floor):
    return floor.engine.state.pacers["c"].settings


def at(floor: Floor, text: str) -> None:
    floor.at_us = parse(text)
    floor.hear(events.Tick)


# ---- what pacers are told


def test_the_shift_is_as_long_as_the_floors_calendar_has_hours_left():
    floor = Floor(predictive(), zone="Europe/Madrid")
    at(floor, "2026-11-19T08:30:00Z")  # the next day: 9:30 in Madrid
    assert pacer_of(floor).day_s == pytest.approx(11.5 * HOUR_S)
    at(floor, "2026-11-20T06:00:00Z")  # 7:00: the shift begins at 9
    assert floor.engine.state.shift_s() == 0.0
    assert pacer_of(floor).day_s == pytest.approx(12 * HOUR_S)
    at(floor, "2026-11-20T20:00:00Z")  # 21:00, and people still work
    assert pacer_of(floor).day_s == pytest.approx(15 * HOUR_S)


def test_nobody_is_dialled_ahead_when_the_shift_is_about_to_end():
    floor = Floor(predictive(), people=2_000, zone="Europe/Madrid")
    at(floor, "2026-11-19T19:30:00Z")
    floor.agent(*(str(1000 + i) for i in range(8)))
    learn(floor)
    at(floor, "2026-11-19T19:59:57Z")
    assert floor.dial() == []
    assert floor.engine.state.seen["c"]().reason == "shift_end"


def test_agents_who_said_when_they_leave_are_in_the_plan_of_the_staff():
    floor = Floor(predictive())
    floor.agent("1001", "1002", until_us=START_US + 600 * SECOND)
    floor.agent("1003")
    floor.tick()
    shift_us = floor.engine.state.shift_us
    assert pacer_of(floor).staff_plan == (((START_US + 600 * SECOND - shift_us) / 1e6, -2),)
    floor.hear(events.SignedOut, agent="1002")
    floor.tick(60)  # what rang for him is over
    assert [more for _, more in pacer_of(floor).staff_plan] == [-1]


def test_limits_count_the_days_before_in_the_campaigns_own_way():
    windows = (Window(days=30, share=0.03, hard=True), Window(days=2, share=0.05))
    floor = Floor(predictive(limits=windows, counted=("no_agent", "lost")))
    today = floor.engine.state.day
    days = (
        DayCount(day="2026-10-01", connected=9, abandoned=9),
        DayCount(day="2026-11-01", connected=100, abandoned=2, lost=1, cut=5),
        DayCount(day="2026-11-17", connected=50, abandoned=1),
        DayCount(day=today, connected=7, abandoned=7),
    )
    assert today == "2026-11-18"
    floor.hear(events.PastCounted, campaign="c", days=days)
    assert pacer_of(floor).limits == (
        Limit(name="30 days", share=0.03, hard=True, answered_before=154, abandoned_before=4),
        Limit(name="2 days", share=0.05, answered_before=51, abandoned_before=1),
    )


def test_a_day_that_ends_enters_the_windows():
    floor = Floor(predictive(limits=(Window(days=2, share=0.03),)), people=20)
    floor.agent("1001")
    (call,) = floor.dial()
    floor.talk(call.call_id, "1001")
    floor.tick(86_400)
    (limit,) = pacer_of(floor).limits
    assert (limit.answered_before, limit.abandoned_before) == (1, 0)
    floor.tick(86_400)
    (limit,) = pacer_of(floor).limits
    assert (limit.answered_before, limit.abandoned_before) == (0, 0)


def test_the_pacer_of_a_new_day_counts_anew_and_knows_how_long_people_talk():
    floor = Floor(predictive(), people=20)
    floor.agent("1001")
    for _ in range(4):
        (call,) = floor.dial()
        floor.talk(call.call_id, "1001")
        floor.after(40)
        floor.hear(events.Ended, call_id=call.call_id, cause=Cause.normal)
        floor.hear(events.Disposed, agent="1001", call_id=call.call_id, disposition=Disposition.no_promise)
    before = floor.engine.state.pacers["c"]._memory
    assert before.budget.answered == 4
    floor.tick(86_400)
    after = floor.engine.state.pacers["c"]._memory
    assert (after.budget.answered, after.rate.n) == (0, 0)
    assert (after.talk, after.wrap, after.rings) == (before.talk, before.wrap, before.rings)


def test_each_window_that_is_over_its_limit_is_an_alarm():
    floor = Floor(predictive(limits=(Window(days=30, share=0.03), Window(days=7, share=0.03))))
    days = (
        DayCount(day="2026-10-30", connected=900, abandoned=40),
        DayCount(day="2026-11-15", connected=99, abandoned=1),
    )
    floor.hear(events.PastCounted, campaign="c", days=days)
    floor.tick()
    assert [key for key in floor.engine.state.alarms if key.startswith("abandonment")] == ["abandonment|c, 30 days"]
    floor.hear(events.PastCounted, campaign="c", days=days[1:])
    floor.tick()
    assert not any(key.startswith("abandonment") for key in floor.engine.state.alarms)


def test_changed_settings_and_limits_reach_a_pacer_that_has_learned():
    floor = Floor(predictive())
    floor.hear(events.LimitSet, campaign="c", abandon_limit=0.01)
    assert pacer_of(floor).abandon_limit == 0.01
    campaigns = (predictive(hard=True, calls_per_second=5.0),)
    floor.hear(
        events.FloorOpened,
        settings=msgspec.structs.replace(floor.settings, campaigns=campaigns),
        rules="open",
        versions={},
    )
    assert pacer_of(floor).hard
    assert pacer_of(floor).calls_per_second == 5.0
    assert pacer_of(floor).abandon_limit == 0.01


def test_staff_is_who_works_and_not_who_once_signed_in():
    floor = Floor(predictive())
    floor.agent("1001", "1002", "1003")
    floor.tick()
    floor.hear(events.SignedOut, agent="1002")
    floor.hear(events.PauseAsked, agent="1003", reason="break")
    floor.tick(60)  # what rang for them is over
    assert floor.engine.state.staff("c") == 1
    assert pacer_of(floor).agents == 1


def told(number: int, chance: float | None) -> tuple[tuple[int, bytes], ...]:
    """Return the forecast of a debtor's first number: from 14:00 on half of what it was before."""
    phone = person(number).phones[0].phone
    return () if chance is None else ((phone, pack([chance] * 14 + [chance / 2] * 10)),)


def test_a_forecast_is_that_of_the_hour_and_goes_with_the_attempt():
    floor = Floor(predictive(), people=0)
    for scores, chance in (("reach@1", 0.2), ("reach@2", 0.3)):
        floor.hear(
            events.LeadsLoaded, campaign="c", plan=scores, chunk=0, sha256="", scores=scores,
            leads=(Lead(person=1, rank=1, debts=(100,), reach=told(1, chance)),), people=(person(1),),
        )  # fmt: skip
    at(floor, "2026-11-18T13:59:59.999999+01:00")
    assert forecasts(floor.engine.state, floor.engine.state.campaigns["c"], 9) == pytest.approx([0.3], abs=1e-5)
    at(floor, "2026-11-18T14:00:00+01:00")
    assert forecasts(floor.engine.state, floor.engine.state.campaigns["c"], 9) == pytest.approx([0.15], abs=1e-5)
    floor.agent("1001")
    (asked,) = of(floor.tick(), Reserve)
    assert (asked.p_answer, asked.score_version) == (pytest.approx(0.15, abs=1e-5), "reach@2")
    assert thaw(freeze(floor.engine.state)).forecast


@pytest.mark.parametrize("detected", [False, True])
def test_a_machine_takes_an_agent_unless_it_is_detected(detected: bool):
    detects = {"detect_machines": True, "clock_starts": "greeting_end"} if detected else {}
    floor = Floor(predictive(**detects), people=0)
    phone = person(1).phones[0].phone
    floor.hear(
        events.LeadsLoaded, campaign="c", plan="q", chunk=0, sha256="", scores="reach@1", people=(person(1),),
        leads=(Lead(person=1, rank=1, debts=(100,), reach=((phone, pack([0.2] * 24 + [0.5])),)),),
    )  # fmt: skip
    state = floor.engine.state
    chance = 0.2 if detected else 0.6
    assert forecasts(state, state.campaigns["c"], 9) == pytest.approx([chance], abs=1e-4)
    floor.agent("1001")
    (asked,) = of(floor.tick(), Reserve)
    assert asked.p_answer == pytest.approx(0.2, abs=1e-4)
    assert asked.p_taken == (None if detected else pytest.approx(0.6, abs=1e-4))
    for now in (state, thaw(freeze(state))):
        assert flights(now)["c"].seen.p_answer == pytest.approx([chance], abs=1e-4)


def test_what_forecasts_are_worth_is_learned_anew_when_machines_take_agents_or_no_longer_do():
    floor = Floor(predictive(), people=9)
    pacer = floor.engine.state.pacers["c"]
    for n in range(200):
        pacer.observe_outcome("live" if n % 2 else "no_answer", 12.0, 0.8 if n % 2 else 0.2)
    learned = pacer.state()
    floor.hear(events.FloorOpened, settings=replace(floor.settings, max_lines=77), rules="open", versions={})
    assert pacer.state() == learned
    detects = replace(floor.settings.campaigns[0], detect_machines=True, clock_starts="greeting_end")
    floor.hear(events.FloorOpened, settings=replace(floor.settings, campaigns=(detects,)), rules="open", versions={})
    anew = Pacer.restore(pacer.settings, learned)
    anew.forget_forecasts()
    assert anew.state() == pacer.state() != learned


def test_the_next_leads_forecasts_come_in_the_order_of_the_list():
    floor = Floor(predictive(), people=0)
    chances = {1: 0.4, 2: 0.1, 3: 0.3, 4: 0.2, 5: None, 6: 0.5}
    dossiers = [person(number) for number in chances]
    ranks = {1: 30, 2: 10, 3: 50, 4: 20, 5: 60, 6: 70}
    floor.hear(
        events.LeadsLoaded,
        campaign="c",
        plan="q",
        chunk=0,
        sha256="",
        leads=tuple(
            Lead(person=n, rank=ranks[n], debts=(n * 100,), reach=told(n, chance)) for n, chance in chances.items()
        ),
        people=tuple(dossiers),
    )
    state = floor.engine.state
    campaign = state.campaigns["c"]
    assert [lead.person for lead in state.next_leads(campaign)] == [2, 4, 1, 3, 5, 6]
    # The fifth has none.
    assert forecasts(state, campaign, 100) == pytest.approx([0.1, 0.2, 0.4, 0.3, nan, 0.5], nan_ok=True, abs=1e-5)
    assert forecasts(state, campaign, 2) == pytest.approx([0.1, 0.2], abs=1e-5)
    # One that has left its place in the heap is not among them.
    floor.agent("1001")
    floor.dial()
    assert [lead.person for lead in state.next_leads(campaign)] == [4, 1, 3, 5, 6]


def test_looking_at_the_first_leads_alone_changes_no_answer():
    chance = random.Random(8)
    people = [person(n) for n in range(1, 60)]
    floor = Floor(predictive(), people=0)
    floor.hear(
        events.LeadsLoaded, campaign="c", plan="q", chunk=0, sha256="", scores="reach@1", people=tuple(people),
        leads=tuple(
            Lead(person=n, rank=n, debts=(n * 100,), reach=told(n, None if n % 7 == 0 else chance.uniform(0.01, 0.9)))
            for n in range(1, 60)
        ),
    )  # fmt: skip
    state = floor.engine.state
    campaign, pacer = state.campaigns["c"], state.pacers["c"]
    for _ in range(300):
        p = chance.uniform(0.05, 0.6)
        pacer.observe_outcome("live" if chance.random() < p else "no_answer", chance.uniform(2.0, 25.0), p)
        pacer.observe_talk(chance.uniform(20.0, 200.0))
        pacer.observe_wrap(chance.uniform(5.0, 30.0))
    flight, at_s = flights(state)["c"], state.shift_s()
    placed = []
    for n_free, room in [(n, room) for n in range(12) for room in (0, 1, 2, 4, 9, 100)]:
        shown = forecasts(state, campaign, min(room, n_free + LOOK_AHEAD))
        answer = paced(state, campaign, flight, n_free, room)
        assert answer == pacer.answer(at_s, n_free, flight.seen, shown)
        placed.append(answer.dials)
    assert {0, 1, 2, 3} <= set(placed), placed
    assert max(placed) > 8


def test_a_machine_that_an_agent_heard_is_no_person_to_the_limit():
    left = []
    for disposition in (Disposition.no_promise, Disposition.machine):
        floor = Floor(predictive(abandon_limit=0.5))
        floor.agent("1001")
        (call,) = floor.dial()
        floor.talk(call.call_id, "1001")
        floor.hear(events.Ended, call_id=call.call_id, cause=Cause.normal)
        floor.hear(events.Disposed, agent="1001", call_id=call.call_id, disposition=disposition)
        floor.tick()
        left.append(floor.engine.state.seen["c"]().budget_left)
    assert left[0] - left[1] == pytest.approx(0.5)


def test_the_last_word_of_the_network_on_each_unanswered_call_is_told():
    floor = Floor(predictive())
    floor.agent("1001", "1002", "1003", "1004")
    silent, rings, early, _ = floor.dial()
    floor.hear(events.Ringing, call_id=rings.call_id)
    floor.hear(events.Ringing, call_id=early.call_id)
    floor.hear(events.Progressed, call_id=early.call_id)
    assert flights(floor.engine.state)["c"].seen.told.tolist() == [0, 1, 2, 0]
    floor.talk(rings.call_id, "1001")
    assert flights(floor.engine.state)["c"].seen.told.tolist() == [0, 2, 0]
    # What comes late tells nothing.
    floor.hear(events.Progressed, call_id=rings.call_id)
    assert floor.engine.state.calls[rings.call_id].progress == 1
    assert silent.call_id in floor.engine.state.calls


# ---- how fast


@pytest.mark.parametrize(("rate", "most"), [(4.0, [2, 2, 2]), (0.5, [1, 0, 0]), (3.0, [2, 1, 2])])
def test_calls_per_second_hold_over_ticks(rate, most):
    floor = Floor(CampaignSettings(name="c", calls_per_second=rate), people=40)
    floor.agent(*(str(1000 + i) for i in range(20)))
    assert [len(floor.dial()) for _ in most] == most
    assert floor.engine.state.seen["c"]().reason == "calls_per_second"


# ---- a dead trunk, in every mode


@pytest.mark.parametrize("mode", [Mode.progressive, Mode.power, Mode.predictive])
def test_a_dead_trunk_is_told_by_pacing_alone_and_told_to_the_operator(mode):
    floor = Floor(CampaignSettings(name="c", mode=mode), people=300)
    floor.agent(*(str(1000 + i) for i in range(6)))
    placed = 0
    for _ in range(120):
        for call in floor.dial():
            placed += 1
            floor.hear(events.Ended, call_id=call.call_id, cause=Cause.congestion)
    assert placed < 40
    assert floor.engine.state.seen["c"]().reason == "trunk_failing"
    assert "trunk_failing|c" in floor.engine.state.alarms
    # A busy line is an answer of the far network: the trunk is well.
    while not (calls := floor.dial()):
        pass
    floor.hear(events.Ended, call_id=calls[0].call_id, cause=Cause.busy)
    assert len(floor.dial()) > 1
    assert "trunk_failing|c" not in floor.engine.state.alarms


def test_numbers_that_do_not_exist_are_no_dead_trunk():
    floor = Floor(people=300)
    floor.agent("1001", "1002")
    for _ in range(40):
        for call in floor.dial():
            floor.hear(events.Ended, call_id=call.call_id, cause=Cause.not_in_service)
    assert floor.engine.state.seen["c"]().reason == "one_per_free_agent"


# ---- about to finish


def test_an_agent_about_to_finish_is_told_to_pacing_until_the_conversation_ends():
    floor = Floor(predictive())
    floor.agent("1001")
    (call,) = floor.dial()
    floor.talk(call.call_id, "1001")
    agent = floor.engine.state.agents["1001"]
    floor.after(30)
    floor.hear(events.Finishing, agent="1001")
    floor.tick(3)
    assert (floor.engine.state.seen["c"]().busy, floor.engine.state.seen["c"]().finishing) == (1, 1)
    # Said twice: the first word counts; taken back: nothing is learned.
    floor.hear(events.Finishing, agent="1001")
    assert floor.at_us - agent.finishing_us == 3 * SECOND
    floor.hear(events.Finishing, agent="1001", about_to=False)
    assert agent.finishing_us == 0
    floor.hear(events.Finishing, agent="1001")
    floor.after(5)
    learned = floor.engine.state.pacers["c"].state()
    floor.hear(events.Ended, call_id=call.call_id, cause=Cause.normal)
    assert agent.state is AgentState.wrapup
    assert agent.finishing_us == 0
    assert floor.engine.state.pacers["c"].state() != learned
    # Nobody talks: nothing to finish.
    floor.hear(events.Finishing, agent="1001")
    assert agent.finishing_us == 0


# ---- decisions on record


def test_decisions_are_recorded_when_something_is_dialled_or_the_reason_changes():
    floor = Floor(predictive(), people=50)
    floor.agent("1001", "1002")
    floor.dial()
    for _ in range(20):
        floor.tick()
    decided = of([row.record for row in floor.rows], PacingDecided)
    assert [(one.reason, one.dials) for one in decided] == [("cold_start", 2)]


def test_a_decision_carries_the_figures_behind_it_in_every_mode():
    for mode in (Mode.predictive, Mode.progressive):
        floor = Floor(CampaignSettings(name="c", mode=mode), people=600)
        floor.agent(*(str(1000 + i) for i in range(10)))
        learn(floor)
        floor.dial()
        seen = floor.engine.state.seen["c"]()
        assert seen.reason in (*REASONS, *dialling.OWN_REASONS)
        assert 0.0 < seen.p_answer < 1.0
        assert seen.tolerated > 0.0
        assert seen.budget_left > 0.0
        assert floor.engine.board().campaigns[0].p_answer == seen.p_answer


def test_what_pacing_learned_and_was_told_outlives_a_crash_from_rows_and_from_a_snapshot():
    floor = Floor(predictive(limits=(Window(days=30, share=0.03),)), people=300)
    floor.hear(events.PastCounted, campaign="c", days=(DayCount(day="2026-11-10", connected=90, abandoned=2),))
    floor.agent(*(str(1000 + i) for i in range(5)), until_us=START_US + 7200 * SECOND)
    learn(floor, rounds=10)
    folded = Engine(OpenGate())
    for row in floor.rows:
        folded.fold(row)
    restored = Engine.restore(floor.engine.snapshot(), OpenGate())
    for other in (folded, restored):
        assert freeze(other.state) == freeze(floor.engine.state)
        assert other.state.pacers["c"].settings == pacer_of(floor)


# ---- settings


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"counted": ("lost",)}, "counted must hold no_agent"),
        ({"counted": ("no_agent", "machine")}, "counted must hold no_agent and may hold lost, detection"),
        ({"limits": (Window(days=1, share=0.03),)}, r"limits.0.days must be in \[2, 366\], was 1"),
        ({"limits": (Window(days=30, share=3.0),)}, "limits.0.share must be in"),
        ({"limits": (Window(days=30, share=0.03), Window(days=30, share=0.02))}, "two windows of 30 days"),
    ],
)
def test_limits_that_cannot_be_are_refused(changes, said):
    with pytest.raises(BadInput, match=said):
        predictive(**changes)


def learn(floor: Floor, rounds: int = 40) -> None:
    """Let a quarter of some hundred calls be answered."""
    for _ in range(rounds):
        calls = of(floor.tick(), Originate)
        floor.after(8)
        for i, call in enumerate(calls):
            if i % 4 == 0 and floor.engine.state.ready:
                agent = next(iter(floor.engine.state.ready))
                floor.talk(call.call_id, agent)
                floor.after(1)
                floor.hear(events.Ended, call_id=call.call_id, cause=Cause.normal)
                floor.hear(events.Disposed, agent=agent, call_id=call.call_id, disposition=Disposition.no_promise)
            else:
                floor.hear(events.Ended, call_id=call.call_id, cause=Cause.no_answer)
