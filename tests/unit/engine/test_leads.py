"""What an attempt, a rule or a change means for its lead: when and which number next, whose, or never again."""

import msgspec
import pytest

from domain import events
from domain.calls import Cause, Disposition
from domain.facts import AttemptClosed, LeadClosed, LeadScheduled
from domain.orders import HangUp, Originate
from domain.people import CapKey, Lead, Stop, StopKind, Verdict
from domain.settings import CampaignSettings, Retry
from tests.unit.engine.floor import SECOND, Floor, of, one_call, person


def test_retry_rules_choose_when_and_which_number():
    retry = {"busy": Retry(after_min=10), "no_answer": Retry(after_min=30, next_number=True, limit=2)}
    floor = Floor(CampaignSettings(name="c", retry=retry), people=1, n_phones=2)
    floor.agent("1001")
    (call,) = floor.dial()
    assert call.phone == 10
    (scheduled,) = of(floor.hear(events.Ended, call_id=call.call_id, cause=Cause.busy), LeadScheduled)
    assert (scheduled.at_us - floor.at_us, scheduled.phone_index) == (600 * SECOND, 0)
    (call,) = floor.dial(600)
    assert call.phone == 10
    (scheduled,) = of(floor.hear(events.Ended, call_id=call.call_id, cause=Cause.no_answer), LeadScheduled)
    assert scheduled.phone_index == 1
    (call,) = floor.dial(1800)
    assert call.phone == 11
    (gone,) = of(floor.hear(events.Ended, call_id=call.call_id, cause=Cause.no_answer), LeadClosed)
    assert gone.why == "no_answer"


def test_own_call_back_waits_for_its_agent():
    floor, call_id = one_call()
    floor.agent("1002")
    floor.talk(call_id, "1001")
    floor.hear(events.Ended, call_id=call_id, cause=Cause.normal)
    floor.hear(
        events.Disposed,
        agent="1001",
        call_id=call_id,
        disposition=Disposition.call_back,
        call_back_us=floor.at_us + 3600 * SECOND,
        own=True,
    )
    floor.hear(events.PauseAsked, agent="1001", reason="break")
    assert floor.dial(3601) == []
    floor.hear(events.MadeReady, agent="1001")
    (call,) = floor.dial()
    assert floor.engine.state.calls[call.call_id].agent == "1001"


@pytest.mark.parametrize("put_off", ["denied", "changed", "stale", "not_sent"])
def test_a_call_back_put_off_is_still_what_the_debtor_asked_for_and_its_owners(put_off):
    floor, call_id = one_call()
    floor.agent("1002")
    floor.talk(call_id, "1001")
    floor.hear(events.Ended, call_id=call_id, cause=Cause.normal)
    asked = {"disposition": Disposition.call_back, "call_back_us": floor.at_us + 3600 * SECOND, "own": True}
    floor.hear(events.Disposed, agent="1001", call_id=call_id, **asked)
    opens_us = floor.at_us + 4000 * SECOND
    denied = put_off in ("denied", "changed")

    def gate(at_us):
        if at_us < opens_us and denied:
            return Verdict(allowed=False, rule="ES.cap", next_allowed_at_us=opens_us)
        return Verdict(allowed=True, valid_until_us=at_us + 1800 * SECOND)

    floor.gate.verdicts[1] = gate
    if denied:
        assert floor.dial(3601) == []
        if put_off == "changed":
            floor.hear(events.PersonChanged, dossier=floor.engine.state.people[1])
            assert floor.dial() == []
        floor.after(400)
        (call,) = floor.dial(60)
    else:
        floor.after(3600)
        rows = floor.engine.handle(events.Tick(at_us=floor.at_us))
        reserve = next(row.record for row in rows if type(row.record).__name__ == "Reserve")
        if put_off == "stale":
            floor.hear(events.Stale, call_id=reserve.call_id, dossier=floor.engine.state.people[1])
        else:
            floor.hear(events.Reserved, call_id=reserve.call_id, keys=reserve.keys)
            floor.hear(events.NotSent, call_id=reserve.call_id, why="link_down")
        (call,) = floor.dial(120)
    assert floor.engine.state.calls[call.call_id].agent == "1001"
    assert floor.gate.purposes[-1] == "reply_to_debtor"
    # The call is made: one after it is the campaign's own again.
    floor.hear(events.Ended, call_id=call.call_id, cause=Cause.no_answer)
    floor.dial(24 * 3600)
    assert floor.gate.purposes[-1] != "reply_to_debtor"


def test_paid_debt_leaves_every_list_and_its_ringing_call_is_ended():
    floor, call_id = one_call()
    dossier = person(1)
    paid = type(dossier.debts[0])(debt=100, creditor=1, balance_minor=0, currency="EUR", state="paid")
    # The reservation moved the keys on to 2, the payment its person's to 3.
    keys = tuple(CapKey(cap.key, 3 if cap.key == "person:1" else 2) for cap in dossier.keys)
    fresh = type(dossier)(person=1, keys=keys, country="ES", debts=(paid,), phones=dossier.phones)
    records = floor.hear(events.PersonChanged, dossier=fresh)
    assert [(h.call_id, h.why) for h in of(records, HangUp)] == [(call_id, "paid")]
    records = floor.hear(events.Ended, call_id=call_id, cause=Cause.normal)
    assert of(records, AttemptClosed)[0].disposition is Disposition.cancelled
    assert of(records, LeadClosed)[0].why == "paid"
    assert floor.dial(7200) == []


@pytest.mark.parametrize("late", ["list", "news"])
def test_what_was_read_before_a_stop_and_comes_after_it_does_not_undo_it(late):
    floor = Floor(people=1)
    before = person(1)
    moved = tuple(CapKey(cap.key, cap.version + (cap.key == "person:1")) for cap in before.keys)
    stopped = msgspec.structs.replace(before, keys=moved, stops=(Stop(kind=StopKind.cease_written),))
    floor.hear(events.PersonChanged, dossier=stopped)
    if late == "list":
        lead = Lead(person=1, rank=1, debts=(100,))
        floor.hear(events.LeadsLoaded, campaign="c", plan="q", chunk=0, sha256="", leads=(lead,), people=(before,))
    else:
        floor.hear(events.PersonChanged, dossier=before)
    assert floor.engine.state.people[1] == stopped


def test_denied_lead_leaves_until_it_may_be_judged_again():
    floor = Floor(people=1)
    opens_us = floor.at_us + 100 * SECOND

    def gate(at_us):
        if at_us < opens_us:
            return Verdict(allowed=False, rule="ES.hours", next_allowed_at_us=opens_us)
        return Verdict(allowed=True, valid_until_us=at_us + SECOND)

    floor.gate.verdicts[1] = gate
    floor.agent("1001")
    (scheduled,) = of(floor.tick(), LeadScheduled)
    assert (scheduled.why, scheduled.at_us) == ("ES.hours", opens_us)
    assert floor.dial(50) == []
    assert len(floor.dial(60)) == 1


def test_stale_reservation_is_judged_again_on_the_fresh_dossier():
    floor = Floor(people=1)
    floor.agent("1001")
    rows = floor.engine.handle(events.Tick(at_us=floor.at_us))
    reserve = next(row.record for row in rows if type(row.record).__name__ == "Reserve")
    fresh = person(1)
    records = floor.hear(events.Stale, call_id=reserve.call_id, dossier=fresh)
    assert of(records, AttemptClosed)[0].disposition is Disposition.stale
    assert floor.engine.state.people[1].history == ()
    assert len(floor.dial()) == 1


def test_verdict_that_ran_out_is_not_dialled():
    floor = Floor(people=1)
    floor.gate.verdicts[1] = lambda at_us: Verdict(allowed=True, valid_until_us=at_us + SECOND)
    floor.agent("1001")
    rows = floor.engine.handle(events.Tick(at_us=floor.at_us))
    reserve = next(row.record for row in rows if type(row.record).__name__ == "Reserve")
    floor.after(2)
    records = floor.hear(events.Reserved, call_id=reserve.call_id, keys=reserve.keys)
    assert of(records, Originate) == []
    assert of(records, AttemptClosed)[0].disposition is Disposition.not_sent


def test_an_attempt_that_was_never_dialled_is_not_counted():
    floor, call_id = one_call(max_attempts=1)
    records = floor.hear(events.NotSent, call_id=call_id, why="link_down")
    assert of(records, AttemptClosed)[0].disposition is Disposition.not_sent
    assert [fact.why for fact in of(records, LeadScheduled)] == ["not_sent"]
    assert len(floor.dial()) == 1
