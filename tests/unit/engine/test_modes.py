"""How many calls each mode places, for whom, and when it places none."""

from domain import events
from domain.calls import Cause, Disposition, Mode
from domain.facts import LeadHeld, PacingDecided
from domain.orders import HangUp, Originate, Reserve, ShowLead
from domain.people import Verdict
from domain.settings import CampaignSettings
from tests.unit.engine.floor import SECOND, Floor, of


def test_progressive_places_one_call_per_free_agent():
    floor = Floor()
    floor.agent("1001", "1002", "1003")
    assert len(floor.dial()) == 3
    assert floor.dial() == []


def test_progressive_counts_ringing_calls_against_free_agents():
    floor = Floor()
    floor.agent("1001", "1002")
    first, _ = floor.dial()
    floor.hear(events.Ended, call_id=first.call_id, cause=Cause.busy)
    assert len(floor.dial()) == 1


def test_power_places_its_ratio_and_falls_back_when_the_days_budget_is_spent():
    floor = Floor(CampaignSettings(name="c", mode=Mode.power, ratio=2.0, abandon_limit=0.03), people=30)
    floor.agent("1001", "1002")
    calls = floor.dial()
    assert len(calls) == 4
    floor.talk(calls[0].call_id, "1001")
    floor.talk(calls[1].call_id, "1002")
    floor.hear(events.Answered, call_id=calls[2].call_id)
    floor.hear(events.Abandoned, call_id=calls[2].call_id, how="hangup")
    for call in calls:
        floor.hear(events.Ended, call_id=call.call_id, cause=Cause.normal)
    for call, agent in zip(calls, ("1001", "1002"), strict=False):
        floor.hear(events.Disposed, agent=agent, call_id=call.call_id, disposition=Disposition.no_promise)
    assert len(floor.dial()) == 2
    assert floor.engine.state.campaigns["c"].pacing.reason == "budget"


def test_predictive_starts_one_per_agent_and_later_dials_ahead():
    floor = Floor(CampaignSettings(name="c", mode=Mode.predictive), people=600)
    floor.agent(*(str(1000 + i) for i in range(10)))
    most = 0
    for round_ in range(80):
        calls = floor.dial()
        most = max(most, len(calls))
        if round_ == 0:
            assert len(calls) == 10
            assert floor.engine.state.campaigns["c"].pacing.reason == "cold_start"
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
    assert most > 10


def test_lines_of_campaign_and_floor_bind():
    floor = Floor(CampaignSettings(name="c", max_lines=2), max_lines=3)
    floor.agent("1001", "1002", "1003", "1004")
    assert len(floor.dial()) == 2
    assert floor.engine.state.campaigns["c"].pacing.reason == "lines"


def test_preview_waits_for_the_agent_and_dials_only_against_him():
    floor = Floor(CampaignSettings(name="c", mode=Mode.preview))
    floor.agent("1001")
    assert floor.dial() == []
    (shown,) = of(floor.hear(events.LeadAsked, agent="1001"), ShowLead)
    assert shown.person == 1
    records = floor.hear(events.LeadAccepted, agent="1001")
    (reserve,) = of(records, Reserve)
    assert reserve.agent == "1001"
    assert len(of(records, Originate)) == 1


def test_preview_skipped_comes_back_later():
    floor = Floor(CampaignSettings(name="c", mode=Mode.preview), people=1)
    floor.agent("1001")
    floor.hear(events.LeadAsked, agent="1001")
    floor.hear(events.LeadSkipped, agent="1001", reason="no_file")
    assert of(floor.hear(events.LeadAsked, agent="1001"), ShowLead) == []
    floor.tick(31 * 60)
    assert len(of(floor.hear(events.LeadAsked, agent="1001"), ShowLead)) == 1


def test_lead_that_needs_an_agent_is_dialled_only_against_a_reserved_one():
    floor = Floor(CampaignSettings(name="c", mode=Mode.power, ratio=3.0), people=4)
    for number in range(1, 5):
        floor.gate.verdicts[number] = lambda at_us: Verdict(
            allowed=True, agent_always=True, valid_until_us=at_us + 60 * SECOND
        )
    floor.agent("1001", "1002")
    calls = floor.dial()
    assert len(calls) == 2
    assert {call.agent for call in floor.engine.state.calls.values()} == {"1001", "1002"}
    assert floor.dial() == []
    assert len(of([row.record for row in floor.rows], LeadHeld)) >= 1


def test_a_reserved_agent_who_vanishes_takes_the_ringing_call_with_him():
    floor = Floor(people=1)
    floor.gate.verdicts[1] = lambda at_us: Verdict(allowed=True, agent_always=True, valid_until_us=at_us + 60 * SECOND)
    floor.agent("1001")
    (call,) = floor.dial()
    records = floor.hear(events.PhoneDown, agent="1001")
    assert [hang_up.call_id for hang_up in of(records, HangUp)] == [call.call_id]


def test_nothing_is_dialled_while_commits_lag_or_the_link_is_down():
    floor = Floor()
    floor.agent("1001")
    floor.at_us += SECOND // 2
    assert of(floor.hear(events.Tick, commit_lag_us=1_200_000), Originate) == []
    assert of([row.record for row in floor.rows], PacingDecided)[-1].reason == "commit_lag"
    floor.hear(events.LinkDown, node="main")
    assert floor.dial() == []
    floor.hear(events.Resynced, node="main", agents=("1001",))
    assert len(floor.dial()) == 1


def test_a_dead_trunk_is_probed_not_hammered():
    floor = Floor(people=200)
    floor.agent("1001", "1002", "1003", "1004", "1005")
    placed = 0
    for _ in range(120):
        for call in floor.dial():
            placed += 1
            floor.hear(events.Ended, call_id=call.call_id, cause=Cause.congestion, q850=34)
    assert placed < 40
    assert "trunk_failing|c" in floor.engine.state.alarms


def test_free_agents_are_shared_among_campaigns_by_weight():
    floor = Floor(CampaignSettings(name="a", weight=3.0), CampaignSettings(name="b", weight=1.0), people=40)
    floor.agent(*(str(1000 + i) for i in range(8)))
    calls = floor.dial()
    by_campaign = [sum(call.campaign == name for call in calls) for name in ("a", "b")]
    assert by_campaign == [6, 2]


def test_one_person_is_never_in_two_calls_of_two_campaigns():
    floor = Floor(CampaignSettings(name="a"), CampaignSettings(name="b"), people=1)
    floor.agent("1001", "1002")
    assert len(floor.dial()) == 1
    assert floor.dial() == []


def test_agents_who_talk_are_shared_too_so_that_a_campaign_that_starts_dials_ahead_for_its_own():
    floor = Floor(CampaignSettings(name="a"), CampaignSettings(name="b"), people=60)
    floor.hear(events.CampaignOrdered, campaign="b", verb="pause")
    floor.agent(*(str(1000 + i) for i in range(6)))
    for call, agent in zip(floor.dial(), list(floor.engine.state.ready), strict=True):
        floor.talk(call.call_id, agent)
    floor.hear(events.CampaignOrdered, campaign="b", verb="run")
    floor.tick()
    seen = floor.engine.state.seen
    assert (seen["a"]().busy, seen["b"]().busy) == (3, 3)
    # What they learn of a conversation and its wrap-up is of the campaign that had it.
    learned = {name: pacer.state() for name, pacer in floor.engine.state.pacers.items()}
    for agent in list(floor.engine.state.agents.values()):
        floor.after(40)
        call_id = agent.call_id
        floor.hear(events.Ended, call_id=call_id, cause=Cause.normal)
        floor.after(5)
        floor.hear(events.Disposed, agent=agent.agent, call_id=call_id, disposition=Disposition.no_promise)
    assert floor.engine.state.pacers["a"].state() != learned["a"]
    assert floor.engine.state.pacers["b"].state() == learned["b"]
    # Settled: nobody moves to and fro.
    before = {agent.agent: agent.allotted for agent in floor.engine.state.agents.values()}
    for _ in range(5):
        floor.tick(0.1)
    assert {agent.agent: agent.allotted for agent in floor.engine.state.agents.values()} == before
