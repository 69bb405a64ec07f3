"""Other rules come into force: what waits is judged again, what was reserved under the old ones is not dialled."""

import pytest

from dialer.engine import Engine
from dialer.engine.replay import replay
from dialer.engine.review import REVIEWED_PER_TICK
from dialer.engine.snapshot import freeze
from domain import events
from domain.calls import Disposition
from domain.errors import Broken
from domain.facts import AttemptClosed, Judged, LeadsReviewed
from domain.orders import Originate, Reserve
from domain.people import CapKey, Verdict
from domain.settings import CampaignSettings
from tests.unit.engine.floor import SECOND, Floor, OpenGate, of

HOUR = 3600 * SECOND


def other(**denied: Verdict) -> OpenGate:
    """Return the gate of other rules; denials by person, `p3=`."""
    gate = OpenGate()
    gate.version = "other"
    gate.verdicts = {int(name[1:]): verdict for name, verdict in denied.items()}
    return gate


def change(floor: Floor, gate: OpenGate) -> list[object]:
    floor.engine.gate = floor.gate = gate
    return floor.hear(events.RulesChanged, rules=gate.version)


def put_off(floor: Floor, *persons: int, for_us: int = HOUR) -> None:
    for person in persons:
        floor.gate.verdicts[person] = Verdict(allowed=False, rule="test.hours", next_allowed_at_us=floor.at_us + for_us)


def test_who_waits_under_the_old_rules_is_called_as_soon_as_the_new_ones_allow():
    floor = Floor(people=3)
    put_off(floor, 1, 2, 3)
    floor.agent("1001", "1002", "1003")
    assert not floor.dial()
    assert len(of(floor.rows_of(), Judged)) == 3
    change(floor, other())
    floor.tick()
    assert sorted(call.phone for call in floor.dial()) == [10, 20, 30]


def test_without_a_change_nobody_is_judged_before_his_time():
    floor = Floor(people=3)
    put_off(floor, 1, 2, 3)
    floor.agent("1001")
    floor.dial()
    floor.gate.verdicts.clear()
    assert not floor.dial()
    assert not of(floor.rows_of(), LeadsReviewed)


def test_who_was_stopped_for_good_comes_back_and_who_had_paid_does_not():
    floor = Floor(people=2)
    floor.gate.verdicts[1] = Verdict(allowed=False, rule="test.stop")
    floor.agent("1001", "1002")
    (call,) = floor.dial()
    floor.hear(events.Ended, call_id=call.call_id, cause="busy")
    change(floor, other())
    floor.tick()
    assert [call.phone for call in floor.dial()] == [10]
    assert of(floor.rows_of(), LeadsReviewed) == [LeadsReviewed(campaign="c", leads=1)]


def test_a_denial_is_written_again_only_where_it_is_another():
    floor = Floor(people=3)
    put_off(floor, 1, 2, 3)
    floor.agent("1001")
    floor.dial()
    same, sooner = floor.gate.verdicts[1], floor.at_us + HOUR // 2
    earlier = Verdict(allowed=False, rule="test.hours", next_allowed_at_us=sooner)
    change(floor, other(p1=same, p2=earlier, p3=Verdict(allowed=False, rule="test.cap", next_allowed_at_us=sooner)))
    judged = of(floor.tick(), Judged)
    assert [(fact.person, fact.verdict.rule) for fact in judged] == [(2, "test.hours"), (3, "test.cap")]
    assert floor.engine.state.campaigns["c"].leads[2].at_us == sooner
    assert not of(floor.tick(), LeadsReviewed)


def test_a_long_list_is_reviewed_a_stretch_at_a_time_in_its_order():
    n = REVIEWED_PER_TICK + 50
    floor = Floor(people=n)
    put_off(floor, *range(1, n + 1))
    floor.agent("1001")
    while floor.engine.state.campaigns["c"].places["ready"]:
        floor.tick()
    change(floor, other())
    assert of(floor.tick(), LeadsReviewed)[0].leads == REVIEWED_PER_TICK
    assert floor.engine.state.campaigns["c"].review == list(range(REVIEWED_PER_TICK + 1, n + 1))
    assert of(floor.tick(), LeadsReviewed)[0].leads == 50


class Unanswered(Floor):
    """A floor whose ledger answers when told."""

    def __init__(self, **fields):
        self.reserves: list[Reserve] = []
        super().__init__(**fields)

    def hear(self, kind, **fields):
        rows = self.engine.handle(kind(at_us=self.at_us, **fields))
        self.rows += rows
        records = [row.record for row in rows[1:]]
        self.reserves += of(records, Reserve)
        return records

    def answer(self) -> list[object]:
        found = []
        for order in self.reserves:
            keys = tuple(CapKey(cap.key, cap.version + 1) for cap in order.keys)
            found += self.hear(events.Reserved, call_id=order.call_id, keys=keys)
        self.reserves = []
        return found


def test_a_reservation_under_the_old_rules_is_not_dialled_and_its_lead_is_judged_by_the_new():
    floor = Unanswered(people=1)
    floor.agent("1001")
    floor.tick()
    assert floor.reserves
    change(floor, other(p1=Verdict(allowed=False, rule="test.new", next_allowed_at_us=floor.at_us + HOUR)))
    answered = floor.answer()
    assert not of(answered, Originate)
    (closed,) = of(answered, AttemptClosed)
    assert closed.disposition is Disposition.not_sent
    assert closed.event is None, "counts against nobody"
    (judged,) = of(floor.tick(), Judged)
    assert judged.verdict.rule == "test.new"
    assert not floor.reserves


def test_the_same_rules_once_more_change_nothing():
    floor = Unanswered(people=1)
    floor.agent("1001")
    floor.tick()
    change(floor, floor.gate)
    assert of(floor.answer(), Originate)


def test_a_new_segment_under_other_rules_reviews_too():
    floor = Floor(people=1)
    put_off(floor, 1)
    floor.agent("1001")
    floor.dial()
    floor.engine.gate = other()
    floor.hear(events.FloorOpened, settings=floor.settings, rules="other", versions={})
    floor.hear(events.Resynced, node="main", agents=("1001",))
    floor.tick()
    assert of(floor.tick(), Originate)


def test_rules_that_the_gate_does_not_have_are_refused():
    floor = Floor(people=1)
    with pytest.raises(Broken, match=r"'unheard'.*'open'"):
        floor.hear(events.RulesChanged, rules="unheard")


def test_a_snapshot_in_the_middle_of_a_review_goes_on_with_it():
    floor = Floor(people=REVIEWED_PER_TICK + 50)
    put_off(floor, *range(1, REVIEWED_PER_TICK + 51))
    floor.agent("1001")
    while floor.engine.state.campaigns["c"].places["ready"]:
        floor.tick()
    gate = other()
    change(floor, gate)
    floor.tick()
    again = Engine.restore(floor.engine.snapshot(), gate)
    assert again.state.rules_seq == floor.engine.state.rules_seq > 0
    event = events.Tick(at_us=floor.at_us + SECOND)
    assert again.handle(event) == floor.engine.handle(event)
    assert freeze(again.state) == freeze(floor.engine.state)


# ---- deciding again


def day_with_a_change() -> tuple[Floor, OpenGate, OpenGate]:
    first, second = OpenGate(), other()
    floor = Floor(CampaignSettings(name="c"), people=6)
    first.verdicts = floor.gate.verdicts
    put_off(floor, 1, 2)
    second.verdicts[4] = Verdict(allowed=False, rule="test.new")
    floor.agent("1001", "1002")
    for _ in range(2):
        for call in floor.dial():
            floor.hear(events.Ended, call_id=call.call_id, cause="busy")
    change(floor, second)
    for _ in range(4):
        for call in floor.dial():
            floor.hear(events.Ended, call_id=call.call_id, cause="busy")
    return floor, first, second


def test_a_day_with_a_change_is_decided_again_under_the_rules_of_each_hour():
    floor, first, second = day_with_a_change()
    found = replay(floor.rows, {"open": first, "other": second}.get)
    assert (found.divergences, found.rows, found.rules) == ([], len(floor.rows), ["open", "other"])
    # The first rules throughout would not give this record.
    wrong = OpenGate()
    wrong.version, wrong.verdicts = "other", first.verdicts
    assert replay(floor.rows, {"open": first, "other": wrong}.get).divergences


def test_where_the_rules_are_not_to_be_had_nothing_is_claimed():
    floor, first, second = day_with_a_change()
    at = next(i for i, row in enumerate(floor.rows) if type(row.record) is events.RulesChanged)
    found = replay(floor.rows, {"open": first}.get)
    assert (found.rules_missing, found.divergences) == (["other"], [])
    assert found.rows < len(floor.rows)
    followed = replay(floor.rows, {"open": first}.get, follow=True)
    assert (followed.rows, followed.undecided) == (len(floor.rows), len(floor.rows) - at)
    late = replay(floor.rows, {"other": second}.get, follow=True)
    assert (late.rules_missing, late.undecided, late.divergences) == (["open"], at, [])
