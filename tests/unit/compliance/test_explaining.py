"""Each rule's own answer agrees with the verdict and carries its figures."""

import msgspec
import pytest

from domain.instants import parse
from domain.people import Consent, Dossier, Phone, Stop, StopKind
from tests.unit.compliance.debtors import BOGOTA, MADRID, NEW_YORK, debtor, judge, line, shipped

SIX = tuple(line(f"2026-11-{day}T10:00:00-05:00", "no_answer") for day in range(12, 18))
NJ = debtor("US", *SIX, region="NJ", address_zones=("America/New_York",))
CO = debtor("CO", line("2026-11-17T10:00:00-05:00", "right_party_contact"), address_zones=("America/Bogota",))


def explained(dossier: Dossier, at: str, phone: Phone | None, **changes: str) -> dict[str, tuple[bool, str]]:
    asked = {"actor": "third_party", "purpose": "collection"} | changes
    answers = shipped().explain(dossier, at_us=parse(at), phone=phone, debts=(), **asked)
    return {answer.rule: (answer.passed, answer.detail) for answer in answers}


@pytest.mark.parametrize(
    ("dossier", "phone", "at", "channel", "rule", "passed", "detail"),
    [
        (NJ, NEW_YORK, "2026-11-17T12:00:00-05:00", "call", "US.7in7", True, "6 of 7 attempts used"),
        (NJ, NEW_YORK, "2026-11-18T12:00:00-05:00", "call", "US.7in7", True, "6 of 7 attempts used"),
        (NJ, NEW_YORK, "2026-11-19T12:00:00-05:00", "call", "US.7in7", True, "5 of 7 attempts used"),
        (NJ, NEW_YORK, "2026-11-17T12:00:00-05:00", "call", "US.hours", True, "open at 2026-11-17T12:00:00-05:00"),
        (NJ, NEW_YORK, "2026-11-17T22:00:00-05:00", "call", "US.hours", False,
         "closed at 2026-11-17T22:00:00-05:00 in America/New_York"),
        (NJ, NEW_YORK, "2026-11-17T12:00:00-05:00", "call", "US.7after", True, "no contact that still binds"),
        (NJ, NEW_YORK, "2026-11-17T12:00:00-05:00", "call", "HOUSE.deceased", True, "nothing on record of deceased"),
        (CO, BOGOTA, "2026-11-17T12:00:00-05:00", "call", "CO.1day", False,
         "1 of 1 contacts used, until 2026-11-18T00:00:00-05:00"),
        (CO, BOGOTA, "2026-11-18T12:00:00-05:00", "sms", "CO.1channel_week", False,
         "1 of 1 distinct channels used, until 2026-11-24T00:00:00-05:00"),
        (CO, BOGOTA, "2026-12-08T12:00:00-05:00", "call", "CO.hours", False,
         "closed for a holiday at 2026-12-08T12:00:00-05:00 in America/Bogota"),
    ],
)  # fmt: skip
def test_an_answer_carries_its_figures(
    dossier: Dossier, phone: Phone, at: str, channel: str, rule: str, passed: bool, detail: str
) -> None:
    found = explained(dossier, at, phone, channel=channel)[rule]
    assert found[0] is passed
    assert detail in found[1]


def test_a_stop_and_a_missing_consent_are_told() -> None:
    stopped = msgspec.structs.replace(NJ, stops=(Stop(kind=StopKind.attorney),))
    assert explained(stopped, "2026-11-17T12:00:00-05:00", NEW_YORK)["US.attorney_work_time"][0] is False
    city = debtor("US", region="NY", city="NYC", address_zones=("America/New_York",))
    passed, detail = explained(city, "2026-11-17T12:00:00-05:00", NEW_YORK, channel="sms")["NYC.electronic_optin"]
    assert (passed, detail) == (False, "no consent on record of written_electronic_consent")
    agreed = msgspec.structs.replace(city, consents=(Consent(kind="written_electronic_consent"),))
    assert explained(agreed, "2026-11-17T12:00:00-05:00", NEW_YORK, channel="sms")["NYC.electronic_optin"][0] is True


def test_lifted_rules_say_so() -> None:
    until = parse("2026-11-20T12:00:00-05:00")
    consents = (Consent(kind="hours", until_us=until), Consent(kind="direct_prior_consent_7d", until_us=until))
    spoken = debtor("US", line("2026-11-17T10:00:00-05:00", "right_party_contact"), region="NJ", consents=consents)
    found = explained(spoken, "2026-11-18T22:00:00-05:00", NEW_YORK)
    assert found["US.hours"] == (True, "lifted by a consent to other hours, until 2026-11-20T12:00:00-05:00")
    assert found["US.7after"] == (True, "1 of 1 contact used, lifted by a consent or an agent guaranteed")


@pytest.mark.parametrize("hour", range(0, 24, 3))
@pytest.mark.parametrize("channel", ["call", "sms", "letter"])
def test_the_answers_agree_with_the_verdict(hour: int, channel: str) -> None:
    at = f"2026-11-18T{hour:02}:00:00+01:00"
    stops = (Stop(kind=StopKind.do_not_call, until_us=parse("2026-11-18T12:00:00+01:00")),)
    dossiers = (NJ, CO, debtor("ES", region="MD", stops=stops), debtor("FR"))
    for dossier, phone in zip(dossiers, (NEW_YORK, BOGOTA, MADRID, MADRID), strict=True):
        verdict = judge(dossier, at, phone, channel=channel)
        found = explained(dossier, at, phone, channel=channel)
        assert verdict.allowed is all(passed for passed, _ in found.values())
        if verdict.rule is not None:
            assert found[verdict.rule][0] is False


def test_an_answer_carries_its_source() -> None:
    asked = {"actor": "third_party", "purpose": "collection"}
    at_us = parse("2026-11-17T12:00:00-05:00")
    for dossier in (NJ, CO, debtor("ES"), debtor("FR")):
        answers = shipped().explain(dossier, at_us=at_us, phone=None, debts=(), **asked)
        rows = [(answer, shipped().row(answer.rule)) for answer in answers]
        assert all(row and (row.citation, row.confidence) == (said.citation, said.confidence) for said, row in rows)
        for answer in answers:
            alone = shipped().explain(dossier, at_us=at_us, phone=None, debts=(), only=answer.rule, **asked)
            assert alone == [answer]
