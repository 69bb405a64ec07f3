"""Verdicts: bounds to the second, clocks that change, zones, caps, cool-downs, actors, regions, consents, notices."""

import shutil
from pathlib import Path

import pytest
from msgspec.structs import replace

from compliance.gate import Gate
from compliance.packs import SHIPPED
from domain.errors import BadInput
from domain.instants import HOUR, parse
from domain.people import Consent, Dossier, Phone, Stop, StopKind
from tests.unit.compliance.debtors import (
    BOGOTA,
    CO,
    ES_MOBILE,
    LOS_ANGELES,
    MADRID,
    MD,
    NEW_YORK,
    NJ,
    NOON,
    TENNESSEE,
    TOLL_FREE,
    WEEK,
    debt,
    debtor,
    judge,
    shipped,
    times,
    us,
)


@pytest.mark.parametrize(
    ("dossier", "phone", "at", "rule"),
    [
        # Spain, house hours: the start is allowed, the end is not.
        (MD, MADRID, "2026-11-18T08:59:59.999999+01:00", "ES.hours"),
        (MD, MADRID, "2026-11-18T09:00:00+01:00", None),
        (MD, MADRID, "2026-11-18T20:59:59.999999+01:00", None),
        (MD, MADRID, "2026-11-18T21:00:00+01:00", "ES.hours"),
        (MD, MADRID, "2026-11-21T12:00:00+01:00", "ES.hours"),
        # The day after clocks change, and before.
        (MD, MADRID, "2026-03-27T09:00:00+01:00", None),
        (MD, MADRID, "2026-03-30T09:00:00+02:00", None),
        (MD, MADRID, "2026-03-30T08:59:59+02:00", "ES.hours"),
        # Holidays: national, of the region, of another region, of an unknown region.
        (MD, MADRID, "2026-12-08T12:00:00+01:00", "ES.hours"),
        (debtor("ES", region="CT", address_zones=("Europe/Madrid",)), MADRID, "2026-09-11T12:00:00+02:00", "ES.hours"),
        (MD, MADRID, "2026-09-11T12:00:00+02:00", None),
        (debtor("ES", address_zones=("Europe/Madrid",)), MADRID, "2026-09-11T12:00:00+02:00", "ES.hours"),
        # Colombia: Saturday from eight to three, Sunday and holidays never.
        (CO, BOGOTA, "2026-11-18T06:59:59-05:00", "CO.hours"),
        (CO, BOGOTA, "2026-11-18T07:00:00-05:00", None),
        (CO, BOGOTA, "2026-11-18T18:59:59-05:00", None),
        (CO, BOGOTA, "2026-11-18T19:00:00-05:00", "CO.hours"),
        (CO, BOGOTA, "2026-11-21T07:59:59-05:00", "CO.hours"),
        (CO, BOGOTA, "2026-11-21T08:00:00-05:00", None),
        (CO, BOGOTA, "2026-11-21T14:59:59-05:00", None),
        (CO, BOGOTA, "2026-11-21T15:00:00-05:00", "CO.hours"),
        (CO, BOGOTA, "2026-11-22T10:00:00-05:00", "CO.hours"),
        (CO, BOGOTA, "2026-11-16T10:00:00-05:00", "CO.hours"),
        # United States: neither bound is allowed; a holiday is a weekday.
        (NJ, NEW_YORK, "2026-11-18T08:00:00-05:00", "US.hours"),
        (NJ, NEW_YORK, "2026-11-18T08:00:00.999999-05:00", "US.hours"),
        (NJ, NEW_YORK, "2026-11-18T08:00:01-05:00", None),
        (NJ, NEW_YORK, "2026-11-18T20:59:59-05:00", None),
        (NJ, NEW_YORK, "2026-11-18T21:00:00-05:00", "US.hours"),
        (NJ, NEW_YORK, "2026-12-25T12:00:00-05:00", None),
        (NJ, NEW_YORK, "2026-11-22T12:00:00-05:00", None),
        # Washington opens half an hour earlier; the federal hours still bind.
        (debtor("US", region="WA", address_zones=("America/Los_Angeles",)), LOS_ANGELES, "2026-11-18T07:45:00-08:00",
         "US.hours"),
        # No pack speaks of France.
        (debtor("FR", address_zones=("Europe/Paris",)), MADRID, "2026-11-18T12:00:00+01:00", "HOUSE.no_rules"),
    ],
)  # fmt: skip
def test_hours(dossier: Dossier, phone: Phone, at: str, rule: str | None) -> None:
    verdict = judge(dossier, at, phone)
    assert (verdict.allowed, verdict.rule) == (rule is None, rule)


@pytest.mark.parametrize(
    ("dossier", "phone", "zones", "assumed"),
    [
        (MD, MADRID, ("Europe/Madrid",), ()),
        # A mobile tells no place: the verified address alone decides, where there is one.
        (MD, ES_MOBILE, ("Europe/Madrid",), ()),
        (debtor("ES", region="MD"), ES_MOBILE, ("Atlantic/Canary", "Europe/Madrid"), ()),
        (debtor("ES"), ES_MOBILE, ("Atlantic/Canary", "Europe/Madrid"), ("region",)),
        # A geographic number and another address: both.
        (debtor("ES", region="CN", address_zones=("Atlantic/Canary",)), MADRID,
         ("Atlantic/Canary", "Europe/Madrid"), ()),
        (NJ, LOS_ANGELES, ("America/Los_Angeles", "America/New_York"), ()),
        # A region without a verified zone widens.
        (debtor("US", region="NJ"), LOS_ANGELES, ("America/Los_Angeles", "America/New_York"), ()),
        (debtor("US", region="TN"), NEW_YORK, ("America/Chicago", "America/New_York"), ()),
        # A split state's number: the verified zone that lies in it stands alone.
        (debtor("US", region="TN", address_zones=("America/Chicago",)), TENNESSEE, ("America/Chicago",), ()),
        (debtor("US", region="NJ", address_zones=("America/New_York",)), TENNESSEE,
         ("America/Chicago", "America/New_York"), ()),
        (debtor("US", region="TN"), TENNESSEE, ("America/Chicago", "America/New_York"), ()),
        # Nothing known: every zone of the country.
        (debtor("US", region="NJ", address_zones=("America/New_York",)), TOLL_FREE, ("America/New_York",), ()),
        (debtor("US"), TOLL_FREE, tuple(sorted(shipped().packs.timezones.country["US"])), ("region", "zone")),
        (debtor("US", region="NY"), NEW_YORK, ("America/New_York",), ("city",)),
        (debtor("CO"), None, ("America/Bogota",), ("zone",)),
    ],
)  # fmt: skip
def test_candidate_zones(
    dossier: Dossier, phone: Phone | None, zones: tuple[str, ...], assumed: tuple[str, ...]
) -> None:
    verdict = judge(dossier, "2026-11-18T17:00:00Z", phone)
    assert (verdict.zones, verdict.assumed) == (zones, assumed)


def test_every_candidate_zone_must_be_open() -> None:
    both = debtor("US", region="NJ", address_zones=("America/New_York",))
    early, late = judge(both, "2026-11-18T15:59:59Z", LOS_ANGELES), judge(both, "2026-11-19T02:00:00Z", LOS_ANGELES)
    assert (early.rule, early.local_time) == ("US.hours", "2026-11-18T07:59:59-08:00")
    assert (late.rule, late.local_time) == ("US.hours", "2026-11-18T21:00:00-05:00")
    assert early.next_allowed_at_us == parse("2026-11-18T16:00:01Z")
    allowed = judge(both, "2026-11-18T16:00:01Z", LOS_ANGELES)
    assert allowed.allowed
    assert allowed.valid_until_us == parse("2026-11-19T02:00:00Z")


AUGUST = times("no_answer", *["2026-08-31T10:00:00-04:00"] * 3)


@pytest.mark.parametrize(
    ("dossier", "at", "rule", "next_allowed"),
    [
        # Seven attempts in seven local dates, today among them.
        (us("NJ", history=times("no_answer", *WEEK[1:])), "2026-11-18T10:00:00-05:00", None, None),
        (us("NJ", history=times("no_answer", WEEK[0], *WEEK[1:])), "2026-11-17T11:00:00-05:00", "US.7in7",
         "2026-11-18T08:00:01-05:00"),
        # They count although they never connected: the strict reading.
        (us("NJ", history=times("busy", *[WEEK[6]] * 7)), "2026-11-17T11:00:00-05:00", "US.7in7",
         "2026-11-24T08:00:01-05:00"),
        # Attempts about another debt do not count; those about none in particular do.
        (us("NJ", history=times("no_answer", *[WEEK[6]] * 7, debts=(2,))), "2026-11-17T11:00:00-05:00", None, None),
        (us("NJ", history=times("no_answer", *[WEEK[6]] * 7, debts=())), "2026-11-17T11:00:00-05:00", "US.7in7",
         "2026-11-24T08:00:01-05:00"),
        (us("NJ", history=times("no_answer", *[WEEK[6]] * 7, debts=(), creditor=2)), "2026-11-17T11:00:00-05:00", None,
         None),
        # Messages do not.
        (us("NJ", history=times("message_delivered", *[WEEK[6]] * 7, channel="sms")), "2026-11-17T11:00:00-05:00", None,
         None),
        # A conversation is day 1 of seven days without calls, whoever began it.
        (us("NJ", history=times("right_party_contact", WEEK[0])), "2026-11-17T20:59:59-05:00", "US.7after",
         "2026-11-18T08:00:01-05:00"),
        (us("NJ", history=times("right_party_contact", WEEK[0])), "2026-11-18T08:00:01-05:00", None, None),
        (us("NJ", history=times("right_party_contact", WEEK[0], inbound=True)), "2026-11-17T12:00:00-05:00",
         "US.7after", "2026-11-18T08:00:01-05:00"),
        (us("NJ", history=times("right_party_contact", WEEK[6], debts=(2,))), "2026-11-17T12:00:00-05:00", None, None),
        (us("NJ", history=times("third_party", WEEK[6])), "2026-11-17T12:00:00-05:00", None, None),
        # An attempt of ours without an outcome may have become a conversation.
        (us("NJ", history=times("dialed", WEEK[6], attempt="floor-1")), "2026-11-17T12:00:00-05:00", "US.7after",
         "2026-11-24T08:00:01-05:00"),
        (us("NJ", history=times("dialed", WEEK[6])), "2026-11-17T12:00:00-05:00", None, None),
        # Massachusetts: two in seven days, messages among them; other addresses two in thirty.
        (us("MA", history=times("no_answer", WEEK[5], WEEK[6])), "2026-11-17T12:00:00-05:00", "MA.2in7",
         "2026-11-23T08:00:01-05:00"),
        (us("MA", history=(*times("message_sent", WEEK[5], channel="sms"), *times("busy", WEEK[6]))),
         "2026-11-17T12:00:00-05:00", "MA.2in7", "2026-11-23T08:00:01-05:00"),
        (us("MA", history=times("no_answer", WEEK[5], WEEK[6], address_type="work")), "2026-11-17T12:00:00-05:00", None,
         None),
        # Washington counts all debts together, and letters too.
        (debtor("US", *times("message_sent", *WEEK[4:], channel="letter", debts=(9,)), region="WA",
                address_zones=("America/New_York",)),
         "2026-11-17T12:00:00-05:00", "WA.3week", "2026-11-22T08:00:01-05:00"),
        # District of Columbia: strictly three calls a debt.
        (us("DC", history=times("no_answer", *WEEK[4:])), "2026-11-17T12:00:00-05:00", "DC.4calls",
         "2026-11-22T08:00:01-05:00"),
        # New York State has only a proposal; the city's rule began on 1 September 2026.
        (us("NY", "Albany", history=times("no_answer", *WEEK[3:])), "2026-11-17T12:00:00-05:00", None, None),
        (us("NY", "Brooklyn", history=times("no_answer", *WEEK[4:])), "2026-11-17T12:00:00-05:00", "NYC.3in7",
         "2026-11-22T08:00:01-05:00"),
        (us("NY", "NYC", history=AUGUST), "2026-08-31T12:00:00-04:00", None, None),
        (us("NY", "NYC", history=AUGUST), "2026-09-01T12:00:00-04:00", "NYC.3in7", "2026-09-07T08:00:01-04:00"),
        # A state that is not known, or not understood, may be any of them.
        (debtor("US", *times("no_answer", WEEK[5], WEEK[6]), address_zones=("America/New_York",)),
         "2026-11-17T12:00:00-05:00", "MA.2in7", "2026-11-23T08:00:01-05:00"),
        (us("Mass.", history=times("no_answer", WEEK[5], WEEK[6])), "2026-11-17T12:00:00-05:00", "MA.2in7",
         "2026-11-23T08:00:01-05:00"),
        (us("NY", None, history=times("no_answer", *WEEK[4:])), "2026-11-17T12:00:00-05:00", "NYC.3in7",
         "2026-11-22T08:00:01-05:00"),
    ],
)  # fmt: skip
def test_caps_and_cooldowns_of_the_united_states(
    dossier: Dossier, at: str, rule: str | None, next_allowed: str | None
) -> None:
    verdict = judge(dossier, at, NEW_YORK)
    assert (verdict.allowed, verdict.rule) == (rule is None, rule)
    assert verdict.next_allowed_at_us == (None if next_allowed is None else parse(next_allowed))


def test_valid_until_a_rule_takes_effect() -> None:
    # Seen from Los Angeles and New York, 1 September begins when it begins in New York.
    city = debtor("US", *AUGUST, region="NY", city="NYC", address_zones=("America/Los_Angeles",))  # type: ignore[arg-type]
    open_hours = Consent(kind="hours")
    verdict = judge(replace(city, consents=(open_hours,)), "2026-08-31T20:00:00-04:00", NEW_YORK)
    assert verdict.allowed
    assert verdict.valid_until_us == parse("2026-09-01T00:00:00-04:00")


@pytest.mark.parametrize(
    ("history", "channel", "at", "rule", "next_allowed"),
    [
        # After one contact none on the same day, through any channel.
        (times("right_party_contact", "2026-11-18T08:00:00-05:00"), "call", "2026-11-18T10:00:00-05:00", "CO.1day",
         "2026-11-19T07:00:00-05:00"),
        (times("message_delivered", "2026-11-18T08:00:00-05:00", channel="sms"), "sms", "2026-11-18T10:00:00-05:00",
         "CO.1day", "2026-11-19T07:00:00-05:00"),
        # What the debtor began does not use up what the collector may begin.
        (times("right_party_contact", "2026-11-18T08:00:00-05:00", inbound=True), "call", "2026-11-18T10:00:00-05:00",
         None, None),
        # For the week after a contact one channel alone.
        (times("right_party_contact", "2026-11-13T08:00:00-05:00"), "sms", "2026-11-18T10:00:00-05:00",
         "CO.1channel_week", "2026-11-20T07:00:00-05:00"),
        (times("right_party_contact", "2026-11-13T08:00:00-05:00"), "call", "2026-11-18T10:00:00-05:00", None, None),
        # The other channel's use binds as long as the contact does, and not longer.
        ((*times("right_party_contact", "2026-11-13T08:00:00-05:00"),
          *times("message_sent", "2026-11-17T08:00:00-05:00", channel="email")), "call", "2026-11-18T10:00:00-05:00",
         "CO.1channel_week", "2026-11-20T07:00:00-05:00"),
        ((*times("message_sent", "2026-11-12T08:00:00-05:00", channel="email"),
          *times("right_party_contact", "2026-11-17T08:00:00-05:00")), "call", "2026-11-18T10:00:00-05:00",
         "CO.1channel_week", "2026-11-19T07:00:00-05:00"),
        (times("no_answer", "2026-11-13T08:00:00-05:00"), "sms", "2026-11-18T10:00:00-05:00", None, None),
        # Unanswered attempts: the house stops at three a day; Sunday follows Saturday.
        (times("no_answer", *["2026-11-21T08:00:00-05:00"] * 3), "call", "2026-11-21T10:00:00-05:00",
         "CO.house_attempts", "2026-11-23T07:00:00-05:00"),
        (times("no_answer", *["2026-11-21T08:00:00-05:00"] * 2), "call", "2026-11-21T10:00:00-05:00", None, None),
        # An attempt of ours that has no outcome yet uses up the day's contact.
        (times("dialed", "2026-11-18T08:00:00-05:00", attempt="floor-1"), "sms", "2026-11-18T10:00:00-05:00",
         "CO.1channel_week", "2026-11-25T07:00:00-05:00"),
    ],
)  # fmt: skip
def test_colombia(history: tuple, channel: str, at: str, rule: str | None, next_allowed: str | None) -> None:  # type: ignore[type-arg]
    verdict = judge(replace(CO, history=history), at, BOGOTA, channel=channel)
    assert (verdict.allowed, verdict.rule) == (rule is None, rule)
    assert verdict.next_allowed_at_us == (None if next_allowed is None else parse(next_allowed))


def test_a_creditors_cap_counts_its_debts_alone_in_the_literal_reading() -> None:
    two = replace(
        CO,
        debts=(debt(1, creditor=1), debt(2, creditor=2)),
        history=times("right_party_contact", "2026-11-18T08:00:00-05:00", debts=(2,)),
    )
    at = "2026-11-18T10:00:00-05:00"
    assert judge(two, at, BOGOTA, debts=(1,), strict=False).allowed
    assert judge(two, at, BOGOTA, debts=(2,), strict=False).rule == "CO.1day"
    assert judge(two, at, BOGOTA, debts=(1,)).rule == "CO.1day"


@pytest.mark.parametrize(
    ("actor", "purpose", "at", "rule"),
    [
        # The creditor itself: outside the federal act, inside the house's hours and the law of some states.
        ("first_party", "collection", "2026-11-17T21:00:00-05:00", "US.hours_first_party"),
        ("first_party", "collection", "2026-11-17T12:00:00-05:00", None),
        ("debt_buyer", "collection", "2026-11-17T12:00:00-05:00", "US.7in7"),
        ("third_party", "collection", "2026-11-17T12:00:00-05:00", "US.7in7"),
    ],
)
def test_actors(actor: str, purpose: str, at: str, rule: str | None) -> None:
    seven = us("NJ", history=times("no_answer", *[WEEK[6]] * 7))
    assert judge(seven, at, NEW_YORK, actor=actor, purpose=purpose).rule == rule


def test_a_states_rule_binds_the_creditor_too() -> None:
    two = us("MA", history=times("no_answer", WEEK[5], WEEK[6]))
    assert judge(two, "2026-11-17T12:00:00-05:00", NEW_YORK, actor="first_party").rule == "MA.2in7"


def test_florida_closes_earlier_for_selling() -> None:
    at = "2026-11-17T20:30:00-05:00"
    assert judge(us("FL"), at, NEW_YORK).allowed
    assert judge(us("FL"), at, NEW_YORK, purpose="cross_sell").rule == "FL.ftsa_8pm"


@pytest.mark.parametrize(
    ("consent", "rule"),
    [
        (None, "US.7after"),
        (Consent(kind="direct_prior_consent_7d", until_us=parse("2026-11-20T12:00:00-05:00")), None),
        (Consent(kind="direct_prior_consent_7d", until_us=parse("2026-11-18T12:00:00-05:00")), "US.7after"),
        # The law itself limits this consent to seven days: one without an end is not believed.
        (Consent(kind="direct_prior_consent_7d"), "US.7after"),
        (
            Consent(kind="direct_prior_consent_7d", channel="sms", until_us=parse("2026-11-20T12:00:00-05:00")),
            "US.7after",
        ),
        (Consent(kind="direct_prior_consent_7d", phone=2, until_us=parse("2026-11-20T12:00:00-05:00")), "US.7after"),
        (Consent(kind="hours"), "US.7after"),
    ],
)
def test_a_consent_lifts_what_it_is_for(consent: Consent | None, rule: str | None) -> None:
    spoken = us("NJ", history=times("right_party_contact", WEEK[6]), consents=(consent,) if consent else ())
    verdict = judge(spoken, "2026-11-18T12:00:00-05:00", NEW_YORK)
    assert verdict.rule == rule
    if rule is None:
        # The hours close before the consent ends; on its last day the consent ends first.
        assert verdict.valid_until_us == parse("2026-11-18T21:00:00-05:00")
        last = judge(spoken, "2026-11-20T11:00:00-05:00", NEW_YORK)
        assert last.valid_until_us == parse("2026-11-20T12:00:00-05:00")
        after = judge(spoken, "2026-11-20T12:00:00-05:00", NEW_YORK)
        assert (after.rule, after.next_allowed_at_us) == ("US.7after", parse("2026-11-24T08:00:01-05:00"))


def test_a_consent_to_other_hours_lifts_the_hours_while_it_lasts() -> None:
    night = parse("2026-11-19T22:00:00-05:00")
    signed = replace(CO, consents=(Consent(kind="hours", until_us=night),))
    verdict = judge(signed, "2026-11-18T21:00:00-05:00", BOGOTA)
    assert (verdict.allowed, verdict.valid_until_us) == (True, night)
    denied = judge(signed, "2026-11-19T22:00:00-05:00", BOGOTA)
    assert (denied.rule, denied.next_allowed_at_us) == ("CO.hours", parse("2026-11-20T07:00:00-05:00"))


@pytest.mark.parametrize(
    ("place", "channel", "consents", "purpose", "rule"),
    [
        (("NY", "NYC"), "sms", (), "collection", "NYC.electronic_optin"),
        (("NY", "NYC"), "sms", ("written_electronic_consent",), "collection", None),
        (("NY", "NYC"), "call", (), "collection", None),
        (("DC", None), "email", (), "collection", "DC.5msgs"),
        (("DC", None), "email", (), "consent_request", None),
        (("DC", None), "email", ("electronic_consent",), "collection", None),
        (("NJ", None), "email", (), "collection", None),
    ],
)
def test_a_row_that_needs_a_consent(
    place: tuple[str, str | None], channel: str, consents: tuple[str, ...], purpose: str, rule: str | None
) -> None:
    asked = us(*place, consents=tuple(Consent(kind=kind) for kind in consents))
    verdict = judge(asked, NOON, NEW_YORK, channel=channel, purpose=purpose)
    assert (verdict.rule, verdict.next_allowed_at_us) == (rule, None)


@pytest.mark.parametrize("actor", ["third_party", "first_party"])
@pytest.mark.parametrize(
    ("line_type", "consents", "rule"),
    [
        ("mobile", (), "US.prerecorded_wireless"),
        ("fixed_or_mobile", (), "US.prerecorded_wireless"),
        ("unknown", (), "US.prerecorded_wireless"),
        ("fixed", (), None),
        ("mobile", (Consent(kind="prior_express_consent"),), None),
        ("mobile", (Consent(kind="prior_express_consent", phone=2),), "US.prerecorded_wireless"),
    ],
)
def test_a_recording_to_a_mobile_needs_consent(
    actor: str, line_type: str, consents: tuple[Consent, ...], rule: str | None
) -> None:
    asked = replace(NJ, consents=consents)
    phone = replace(NEW_YORK, line_type=line_type)
    assert judge(asked, NOON, phone, channel="prerecorded", actor=actor).rule == rule
    assert judge(asked, NOON, phone, actor=actor).allowed


@pytest.mark.parametrize(
    ("dossier", "phone", "agent_always", "message"),
    [
        (MD, MADRID, False, True),
        (CO, BOGOTA, False, True),
        (debtor("GB", region="ENG"), Phone(phone=1, country="GB", zones=("Europe/London",)), False, True),
        (debtor("CL", region="RM"), Phone(phone=1, country="CL", zones=("America/Santiago",)), False, True),
        (NJ, NEW_YORK, True, False),
        (NJ, TOLL_FREE, True, False),
        (NJ, Phone(phone=1, country="US", line_type="fixed", zones=("America/New_York",)), False, False),
        (NJ, Phone(phone=1, country="US"), True, False),
        (replace(NJ, consents=(Consent(kind="prior_express_consent"),)), NEW_YORK, False, False),
        # The number decides with the address: a mobile of the United States in Spain is one still.
        (MD, NEW_YORK, True, False),
        # Who met nobody is called again only against a reserved agent.
        (replace(MD, history=times("abandoned", "2026-11-15T17:00:01Z")), MADRID, True, True),
        (replace(MD, history=times("abandoned", "2026-11-15T17:00:00Z")), MADRID, False, True),
        (replace(MD, history=times("abandoned", "2026-11-15T17:00:01Z", inbound=True)), MADRID, False, True),
    ],
)
def test_what_holds_if_nobody_comes(dossier: Dossier, phone: Phone, agent_always: bool, message: bool) -> None:
    verdict = judge(dossier, NOON, phone)
    assert (verdict.agent_always, verdict.abandon_message) == (agent_always, message)
    assert judge(dossier, NOON, phone, channel="letter").agent_always is False


def test_notices_due() -> None:
    assert judge(NJ, NOON, NEW_YORK).notices == ("US.mini_miranda", "US.rec")
    assert judge(NJ, NOON, NEW_YORK, channel="email").notices == ("US.mini_miranda", "US.electronic_optout")
    assert judge(NJ, NOON, NEW_YORK, channel="voicemail").notices == ("US.limited_content_voicemail",)
    # A notice is due from the day on which its law applies.
    robot = [judge(MD, f"2026-0{day}T12:00:00+02:00", MADRID, channel="prerecorded") for day in ("7-31", "8-03")]
    assert ["EU.ai_disclosure" in verdict.notices for verdict in robot] == [False, True]
    # What a message to an abandoned call must say is due where one may be played.
    london = Phone(phone=1, country="GB", zones=("Europe/London",))
    assert judge(debtor("GB", region="ENG"), NOON, london).notices == ("GB.rec", "GB.abandon_msg")
    mexico = Phone(phone=1, country="MX", zones=("America/Mexico_City",))
    assert judge(debtor("MX"), NOON, mexico).notices == ("MX.open",)
    assert judge(MD, NOON, MADRID).notices == ("EU.data_source", "ES.open", "EU.rec")
    spoken = replace(MD, history=times("right_party_contact", "2026-11-02T12:00:00+01:00"))
    assert judge(spoken, NOON, MADRID).notices == ("ES.open", "EU.rec")


def test_a_verdict_says_when_it_ends() -> None:
    verdict = judge(MD, "2026-11-20T20:00:00+01:00", MADRID)
    assert verdict.valid_until_us == parse("2026-11-20T21:00:00+01:00")
    assert verdict.rules == shipped().version
    assert verdict.local_time == "2026-11-20T20:00:00+01:00"
    friday = judge(MD, "2026-11-20T21:00:00+01:00", MADRID)
    assert friday.next_allowed_at_us == parse("2026-11-23T09:00:00+01:00")
    # Christmas Eve at night: holiday on Friday, then the weekend.
    eve = judge(MD, "2026-12-24T21:00:00+01:00", MADRID)
    assert eve.next_allowed_at_us == parse("2026-12-28T09:00:00+01:00")


def test_a_channel_without_hours_is_judged_again_after_a_while() -> None:
    verdict = judge(MD, NOON, None, channel="letter")
    assert verdict.allowed
    assert verdict.valid_until_us is not None
    assert verdict.valid_until_us > parse(NOON) + 24 * HOUR
    # Holidays close visits although no window speaks of them.
    assert judge(MD, "2026-12-08T12:00:00+01:00", None, channel="visit").rule == "ES.holidays"


@pytest.mark.parametrize("asked", [{"channel": "fax"}, {"actor": "bank"}, {"purpose": "colection"}])
def test_a_word_that_no_rule_knows_is_refused(asked: dict[str, str]) -> None:
    with pytest.raises(BadInput, match=f"{next(iter(asked))} must be one of"):
        judge(MD, NOON, MADRID, **asked)


def test_what_never_opens_is_never_allowed_whatever_the_consent(tmp_path: Path) -> None:
    rules = Path(shutil.copytree(SHIPPED, tmp_path / "rules"))
    path = rules / "co.toml"
    shut = ", ".join(f"{day} = []" for day in ("mon", "tue", "wed", "thu", "fri", "sat", "sun"))
    path.write_text(
        path.read_text()
        + f'\n[[jurisdiction.CO.windows]]\nid = "CO.never"\nchannels = ["visit"]\ndays = {{ {shut} }}\n'
        'boundary = "inclusive_start"\ncitation = "test"\nsource = "test"\nconfidence = "low"\nstatus = "house"\n'
        'force = "house_default"\n'
    )
    agreed = replace(CO, consents=(Consent(kind="hours"),))
    asked = {"debts": (), "actor": "third_party", "purpose": "collection"}
    verdict = Gate.load(rules).judge(agreed, at_us=parse(NOON), phone=None, channel="visit", **asked)
    assert (verdict.allowed, verdict.rule, verdict.next_allowed_at_us) == (False, "CO.never", None)


def test_what_was_said_of_one_number_is_not_taken_for_another_that_something_on_record_concerns() -> None:
    first, second = ES_MOBILE, replace(ES_MOBILE, phone=2)
    at = "2026-11-18T12:00:00+01:00"
    twice = times("no_answer", "2026-11-18T10:00:00+01:00", "2026-11-18T11:00:00+01:00")
    stopped = debtor("ES", phones=(first, second), stops=(Stop(kind=StopKind.wrong_number, phone=2),))
    assert judge(stopped, at, first).allowed
    assert not judge(stopped, at, second).allowed
    capped = debtor("ES", *twice, phones=(first, second))
    assert judge(capped, at, first) == judge(capped, at, second)
    assert judge(capped, at, first).rule == "ES.house_daily"
    assert judge(capped, "2026-11-19T12:00:00+01:00", second).allowed
