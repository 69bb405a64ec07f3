"""Stops on record: what each closes, where, for whom, until when; debts that are paid or withdrawn."""

import pytest
from msgspec.structs import replace

from domain.instants import parse
from domain.people import Consent, Stop, StopKind
from tests.unit.compliance.debtors import (
    BOGOTA,
    CO,
    MADRID,
    MD,
    NEW_YORK,
    NJ,
    NOON,
    WEEK,
    debt,
    judge,
    times,
    us,
)

VOICE = {"call", "prerecorded", "voicemail", "ringless_vm"}
ALL = VOICE | {"sms", "email", "im", "letter", "visit"}


@pytest.mark.parametrize("kind", list(StopKind))
def test_every_stop_closes_its_channels_in_every_country(kind: StopKind) -> None:
    voice_only = {StopKind.do_not_call}
    written = {
        StopKind.revoked_sms: {"sms"},
        StopKind.revoked_email: {"email"},
        StopKind.revoked_im: {"im"},
        StopKind.stop_request_electronic: {"sms", "email", "im"},
        StopKind.revoke_consent_any_reasonable_means: {"prerecorded", "ringless_vm", "sms", "im"},
    }
    number = {StopKind.wrong_number, StopKind.not_in_service}
    closed = (
        VOICE
        if kind in voice_only
        else written[kind]
        if kind in written
        else VOICE | {"sms", "im"}
        if kind in number
        else ALL
    )
    # What a dialer places may be autodialed: there a consent taken back stops it, too.
    also = {"US": {"call"}} if kind is StopKind.revoke_consent_any_reasonable_means else {}
    recorded = replace(NJ, consents=(Consent(kind="prior_express_consent"),))
    for dossier, phone in ((MD, MADRID), (CO, BOGOTA), (recorded, NEW_YORK)):
        stopped = replace(dossier, stops=(Stop(kind=kind),))
        for actor in ("third_party", "first_party"):
            denied = {c for c in ALL if not judge(stopped, NOON, phone, channel=c, actor=actor).allowed}
            free = {c for c in ALL if not judge(dossier, NOON, phone, channel=c, actor=actor).allowed}
            assert (denied, free) == (closed | also.get(dossier.country or "", set()), set())


def test_the_law_is_named_before_the_house() -> None:
    ceased = (Stop(kind=StopKind.cease_written),)
    assert judge(replace(NJ, stops=ceased), NOON, NEW_YORK).rule == "US.cease_written"
    assert judge(replace(NJ, stops=ceased), NOON, NEW_YORK, actor="first_party").rule == "HOUSE.cease"
    assert judge(replace(CO, stops=ceased), NOON, BOGOTA).rule == "HOUSE.cease"
    assert judge(replace(MD, stops=(Stop(kind=StopKind.dispute),)), NOON, MADRID).rule == "ES.rights"
    notice = judge(replace(NJ, stops=ceased), NOON, NEW_YORK, channel="letter", purpose="legally_required_notice")
    assert notice.allowed
    gone = (Stop(kind=StopKind.deceased), *ceased)
    assert not judge(replace(NJ, stops=gone), NOON, NEW_YORK, purpose="legally_required_notice").allowed


def test_a_stop_binds_what_it_names() -> None:
    until = parse("2026-11-20T12:00:00+01:00")
    by_debt = replace(MD, debts=(debt(1), debt(2)), stops=(Stop(kind=StopKind.dispute, debt=1),))
    assert judge(by_debt, NOON, MADRID, debts=(2,)).allowed
    assert judge(by_debt, NOON, MADRID, debts=(1,)).rule == "ES.rights"
    assert not judge(by_debt, NOON, MADRID, debts=(1, 2)).allowed
    by_phone = replace(MD, stops=(Stop(kind=StopKind.wrong_number, phone=1),))
    assert judge(by_phone, NOON, MADRID).rule == "HOUSE.wrong_number"
    assert judge(by_phone, NOON, replace(MADRID, phone=2)).allowed
    for_now = judge(replace(MD, stops=(Stop(kind=StopKind.breathing_space, until_us=until),)), NOON, MADRID)
    assert (for_now.rule, for_now.next_allowed_at_us) == ("HOUSE.breathing_space", until)
    lifted = judge(replace(MD, stops=(Stop(kind=StopKind.breathing_space, until_us=parse(NOON)),)), NOON, MADRID)
    assert lifted.allowed


@pytest.mark.parametrize(
    ("channel", "closed"), [("email", {"email"}), ("call", VOICE), ("voicemail", {"voicemail"}), (None, ALL)]
)
def test_a_stop_of_one_medium_leaves_the_others(channel: str | None, closed: set[str]) -> None:
    stopped = replace(MD, stops=(Stop(kind=StopKind.do_not_use_this_medium, channel=channel),))
    assert {c for c in ALL if not judge(stopped, NOON, MADRID, channel=c).allowed} == closed


def test_a_register_closes_its_numbers_to_selling() -> None:
    listed = replace(MADRID, registers=("other", "robinson"))
    assert judge(MD, NOON, listed).allowed
    sold = judge(MD, NOON, listed, purpose="cross_sell")
    assert (sold.rule, sold.next_allowed_at_us) == ("ES.robinson_selling", None)
    assert judge(MD, NOON, MADRID, purpose="cross_sell").allowed
    assert judge(MD, NOON, None, purpose="cross_sell").allowed
    until = parse("2026-11-20T12:00:00+01:00")
    agreed = replace(MD, consents=(Consent(kind="advertising_consent", until_us=until),))
    assert judge(agreed, NOON, listed, purpose="cross_sell").valid_until_us is not None
    assert judge(agreed, "2026-11-20T12:00:00+01:00", listed, purpose="cross_sell").rule == "ES.robinson_selling"


@pytest.mark.parametrize(
    ("debts", "stops", "named", "rule"),
    [
        ((debt(1),), (), (1,), None),
        ((debt(1, state="paid"),), (), (1,), "HOUSE.paid"),
        ((debt(1, state="withdrawn"),), (), (1,), "HOUSE.withdrawn"),
        ((debt(1, state="paid"), debt(2)), (), (1, 2), None),
        ((debt(1, state="paid"), debt(2)), (), (1,), "HOUSE.paid"),
        ((debt(1, state="paid"), debt(2)), (), (), None),
        ((debt(1, state="paid"), debt(2, state="withdrawn")), (), (), "HOUSE.paid"),
        ((debt(1),), (Stop(kind=StopKind.paid, debt=1),), (1,), "HOUSE.paid"),
        ((debt(1), debt(2)), (Stop(kind=StopKind.paid, debt=1),), (1, 2), None),
        ((debt(1), debt(2)), (Stop(kind=StopKind.paid),), (1, 2), "HOUSE.paid"),
        ((), (), (1,), "HOUSE.withdrawn"),
        ((), (), (), None),
    ],
)
def test_paid_debts_are_not_worked(debts: tuple, stops: tuple, named: tuple, rule: str | None) -> None:  # type: ignore[type-arg]
    for channel in ("call", "sms", "letter"):
        verdict = judge(replace(MD, debts=debts, stops=stops), NOON, MADRID, debts=named, channel=channel)
        assert verdict.rule == rule
        assert verdict.next_allowed_at_us is None


def test_a_paid_debt_no_longer_counts() -> None:
    history = times("no_answer", *[WEEK[6]] * 7)
    two = us("NJ", debts=(debt(1, state="paid"), debt(2)), history=history)
    assert judge(two, "2026-11-17T12:00:00-05:00", NEW_YORK, debts=(1, 2)).allowed
    open_still = us("NJ", debts=(debt(1), debt(2)), history=history)
    assert judge(open_still, "2026-11-17T12:00:00-05:00", NEW_YORK, debts=(1, 2)).rule == "US.7in7"
