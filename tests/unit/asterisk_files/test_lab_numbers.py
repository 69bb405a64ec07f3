"""The lab's numbers are valid where import looks, distinct, and read back as written."""

import re
from importlib.resources import files

import phonenumbers
import pytest

from dialer.asterisk.lab_numbers import RANGES, Behaviour, Outcome, lab_number, lab_outcome
from domain.errors import BadInput


@pytest.mark.parametrize("country", RANGES)
def test_two_thousand_distinct_valid_numbers_behave_the_same(country: str) -> None:
    behaviour = Behaviour(outcome=Outcome.human, ring_s=0.7, talk_s=12.5)
    numbers = [lab_number(country, behaviour, serial) for serial in range(2000)]
    assert len(set(numbers)) == 2000
    assert {lab_outcome(number) == behaviour for number in numbers} == {True}
    assert all(phonenumbers.is_valid_number_for_region(phonenumbers.parse(number), country) for number in numbers)


@pytest.mark.parametrize("country", RANGES)
@pytest.mark.parametrize("outcome", Outcome)
def test_any_behaviour_is_valid_under_every_head(country: str, outcome: Outcome) -> None:
    code, ranges = RANGES[country]
    for serial in range(0, 10 * sum(last - first + 1 for first, last in ranges), 10):
        behaviour = Behaviour(outcome=outcome, ring_s=serial % 100 / 10, talk_s=serial % 4.5)
        number = lab_number(country, behaviour, serial)
        assert number.startswith(f"+{code}")
        assert phonenumbers.is_valid_number_for_region(phonenumbers.parse(number), country), number


@pytest.mark.parametrize(
    ("behaviour", "digits"),
    [
        (Behaviour(outcome=Outcome.answer, ring_s=0.2, talk_s=0), "102000"),
        (Behaviour(outcome=Outcome.human, ring_s=9.9, talk_s=49.5), "799990"),
        (Behaviour(outcome=Outcome.leaves, ring_s=0, talk_s=0.5), "200050"),
        (Behaviour(outcome=Outcome.rejected, ring_s=0), "000000"),
    ],
)
def test_the_last_six_digits_say_what_happens(behaviour: Behaviour, digits: str) -> None:
    number = lab_number("ES", behaviour)
    assert number == f"+34600{digits}"
    assert lab_outcome(number) == behaviour


def test_the_telephone_network_knows_every_outcome() -> None:
    scenario = (files("config") / "asterisk" / "lab" / "pstn.xml").read_text(encoding="utf-8")
    told_apart = {int(digit) for digit in re.findall(r'variable="o" value="(\d)"', scenario)}
    assert told_apart | {Outcome.answer} == set(Outcome)


@pytest.mark.parametrize(
    ("country", "behaviour", "serial", "complaint"),
    [
        ("FR", Behaviour(outcome=Outcome.busy), 0, "no ranges for country 'FR'"),
        ("ES", Behaviour(outcome=Outcome.busy, ring_s=10), 0, "ring_s may be 0 to 9.9"),
        ("ES", Behaviour(outcome=Outcome.leaves, talk_s=10), 0, "talk_s 0 to 9.9"),
        ("ES", Behaviour(outcome=Outcome.busy), 100_000, "no number 100000"),
    ],
)
def test_what_the_digits_cannot_hold_is_refused(
    country: str, behaviour: Behaviour, serial: int, complaint: str
) -> None:
    with pytest.raises(BadInput, match=complaint):
        lab_number(country, behaviour, serial)
