"""Limits of abandonment that the rules set bind a campaign's pacing, whatever its settings and its operator say."""

from msgspec.structs import replace

from dialer.pacing import Limit
from domain import events
from domain.calls import Cause, Mode
from domain.events import DayCount, LeadsLoaded
from domain.facts import AlarmRaised, PaceBound
from domain.orders import Originate
from domain.pace import PaceRule
from domain.people import Lead, Verdict
from domain.settings import CampaignSettings
from tests.unit.engine.floor import SECOND, Floor, of, person

DAY_RULE = PaceRule(rule="ES.day", share=0.02, counted=("no_agent", "lost"), max_wait_s=1.0, min_ring_s=40.0)
MONTH = PaceRule(rule="US.month", share=0.03, days=30, hard=True)


class Ruled(Floor):
    """A floor whose gate has limits before the lists are loaded."""

    def __init__(self, paces: dict[str, PaceRule], *campaigns: CampaignSettings, **floor: object) -> None:
        self.paces = paces
        super().__init__(*campaigns, **floor)

    def hear(self, kind, **fields):
        self.gate.paces = self.paces
        return super().hear(kind, **fields)


def other_rules(floor: Ruled, version: str, paces: dict[str, PaceRule]) -> list[object]:
    floor.gate.version, floor.paces = version, paces
    return floor.hear(events.RulesChanged, rules=version)


def pace_of(floor: Floor):
    return floor.engine.state.campaigns["c"].pace


def settings_of(floor: Floor):
    return floor.engine.state.pacers["c"].settings


def test_the_rules_of_the_people_on_a_list_bind_it_and_the_record_says_so():
    floor = Ruled({"ES": DAY_RULE, "US": MONTH}, CampaignSettings(name="c", abandon_limit=0.05))
    assert of(floor.rows_of(), PaceBound) == [
        PaceBound(campaign="c", day=floor.engine.state.day, rules=(DAY_RULE,)),
    ]
    told = settings_of(floor)
    assert (told.abandon_limit, told.patience_s, told.counted, told.limits) == (0.02, 1.0, ("no_agent", "lost"), ())
    (row,) = floor.engine.board().campaigns
    assert row.abandon_limit == 0.02
    assert row.bound_by == {"shift": "ES.day", "patience_s": "ES.day", "ring_timeout_s": "ES.day"}


def test_calls_ring_as_long_and_wait_as_short_as_the_rules_say():
    floor = Ruled({"ES": DAY_RULE}, CampaignSettings(name="c", patience_s=5.0, ring_timeout_s=20.0))
    floor.agent("1001")
    (call,) = floor.dial()
    assert call.ring_timeout_ms == 40_000
    assert call.grace_ms + call.limit_ms == 1_000


def test_an_operator_may_be_stricter_and_not_laxer():
    floor = Ruled({"ES": DAY_RULE})
    for asked, held in ((0.5, 0.02), (0.01, 0.01)):
        floor.hear(events.LimitSet, campaign="c", abandon_limit=asked)
        assert settings_of(floor).abandon_limit == held


def test_a_mixed_list_is_held_to_the_strictest_of_all_and_counts_the_days_before():
    floor = Ruled({"ES": DAY_RULE, "US": MONTH})
    abroad = replace(person(99), country="US")
    lead = Lead(person=99, rank=99, debts=(9900,))
    floor.hear(LeadsLoaded, campaign="c", plan="p", chunk=1, sha256="", leads=(lead,), people=(abroad,))
    assert [rule.rule for rule in floor.engine.state.campaigns["c"].rules] == ["ES.day", "US.month"]
    days = (DayCount(day="2026-11-10", connected=90, abandoned=5, lost=5),)
    floor.hear(events.PastCounted, campaign="c", days=days)
    assert settings_of(floor).limits == (
        Limit(name="30 days", share=0.03, hard=True, answered_before=100, abandoned_before=10),
    )
    assert settings_of(floor).abandon_limit == 0.02


def test_somebody_who_moves_brings_the_rules_of_the_place():
    floor = Ruled({"US": MONTH})
    assert not pace_of(floor).windows
    floor.hear(events.PersonChanged, dossier=replace(person(1), country="US"))
    assert pace_of(floor).by == {"30 days": "US.month"}


def test_the_next_day_is_asked_for_anew():
    floor = Ruled({"ES": DAY_RULE})
    floor.paces = {}
    floor.tick()
    assert pace_of(floor).share == 0.02
    bound = of(floor.tick(24 * 3600), PaceBound)
    assert bound == [PaceBound(campaign="c", day=floor.engine.state.day)]
    assert (pace_of(floor).share, settings_of(floor).abandon_limit) == (0.03, 0.03)
    assert not of(floor.tick(), PaceBound)


def test_other_rules_bind_from_the_same_moment_on():
    floor = Ruled({})
    assert not [fact for fact in of(floor.rows_of(), PaceBound) if fact.rules]
    (bound,) = of(other_rules(floor, "other", {"ES": DAY_RULE}), PaceBound)
    assert bound.rules == (DAY_RULE,)
    assert settings_of(floor).abandon_limit == 0.02
    other_rules(floor, "open", {})
    assert settings_of(floor).abandon_limit == 0.03


def test_what_counts_only_now_is_counted_for_the_whole_day():
    floor = Ruled({}, CampaignSettings(name="c", mode=Mode.power, ratio=3.0), people=20)
    floor.agent("1001")
    lost = floor.dial()[0]
    floor.hear(events.Answered, call_id=lost.call_id)
    floor.hear(events.Ended, call_id=lost.call_id, cause=Cause.switch_fail)
    campaign = floor.engine.state.campaigns["c"]
    assert campaign.tally.lost == 1
    assert campaign.abandonment() == (0, 0)
    pacer = floor.engine.state.pacers["c"]
    before = pacer._memory.budget.abandoned
    other_rules(floor, "other", {"ES": DAY_RULE})
    assert campaign.abandonment() == (1, 1)
    assert pacer._memory.budget.abandoned == before + 1


def test_an_alarm_stands_from_the_share_at_which_somebody_is_to_look():
    rule = PaceRule(rule="GB.day", share=0.9, alert_share=0.01)
    floor = Ruled({"ES": rule}, CampaignSettings(name="c", mode=Mode.power, ratio=3.0, abandon_limit=0.9), people=20)
    floor.agent("1001")
    met, left, *_ = floor.dial()
    floor.talk(met.call_id, "1001")
    floor.hear(events.Answered, call_id=left.call_id)
    floor.hear(events.Ended, call_id=left.call_id, cause=Cause.normal)
    assert AlarmRaised(kind="abandonment_near", subject="c") in of(floor.tick(), AlarmRaised)


def test_the_message_that_a_verdict_allows_reaches_the_order_and_nothing_else_does():
    for allowed, said in ((True, "message"), (False, "hangup")):
        floor = Floor(people=1)
        floor.gate.verdicts[1] = Verdict(
            allowed=True, valid_until_us=floor.at_us + 3600 * SECOND, abandon_message=allowed
        )
        floor.agent("1001")
        (call,) = floor.dial()
        assert isinstance(call, Originate)
        assert call.abandon == said
