"""Of any text: phones as the library reads them, money exactly, and nothing but `BadCell` where it cannot be read."""

from contextlib import suppress
from decimal import Decimal

import phonenumbers
from hypothesis import given
from hypothesis import strategies as st

from domain.money import EXPONENTS
from ledger.intake import cells, lists
from ledger.intake.cells import BadCell, Form
from ledger.intake.phones import e164, parsed

COUNTRIES = sorted(phonenumbers.SUPPORTED_REGIONS)
_KINDS = range(11)


@st.composite
def number_texts(draw: st.DrawFn) -> tuple[str, str]:
    """Give a country and digits near a number of it, with or without calling code and prefixes."""
    country = draw(st.sampled_from(COUNTRIES))
    example = phonenumbers.example_number_for_type(country, draw(st.sampled_from(_KINDS)))
    digits = list(phonenumbers.national_significant_number(example) if example else "123456789")
    for place, digit in draw(st.dictionaries(st.integers(0, len(digits) - 1), st.sampled_from("0123456789"))).items():
        digits[place] = digit
    code = phonenumbers.country_code_for_region(country)
    prefix = draw(st.sampled_from(["", "", f"+{code}", f"+{code}", str(code), f"00{code}", "0", "1", "011"]))
    return country, prefix + "".join(digits) + draw(st.sampled_from(["", "", "", "5"]))


@given(number_texts())
def test_plain_digits_are_read_as_the_library_reads_them(case: tuple[str, str]) -> None:
    country, text = case
    try:
        expected = parsed(text, country)
    except BadCell:
        expected = None
    try:
        found = e164(text, country)
    except BadCell:
        found = None
    assert found == expected


@given(st.integers(0, 10**14), st.sampled_from(sorted(EXPONENTS)), st.sampled_from([".", ","]), st.booleans())
def test_money_is_exact(minor: int, currency: str, mark: str, grouped: bool) -> None:
    exponent = EXPONENTS[currency]
    whole, _, part = format(Decimal(minor).scaleb(-exponent), "f").partition(".")
    if grouped:
        whole = f"{int(whole):,}".replace(",", "." if mark == "," else ",")
    assert cells.amount(f"{whole}{mark}{part}" if part else whole, currency, mark) == minor


@given(st.text(), st.sampled_from(["ES", "CO", "US"]))
def test_any_text_is_read_or_refused(text: str, country: str) -> None:
    form = Form(zone="Europe/Madrid")
    readers = (
        lambda: e164(text, country),
        lambda: cells.amount(text, "EUR", None),
        lambda: cells.iso_date(text, None),
        lambda: cells.instant(text, form),
        lambda: cells.country_code(text),
        lambda: cells.language_code(text),
        lambda: cells.currency_code(text),
        lambda: cells.free_text(text, 100),
        lambda: cells.whole_number(text),
        lambda: lists.stop_list(text, None),
        lambda: lists.consent_list(text, None),
        lambda: lists.attempt_list(text, country, form),
        lambda: lists.flag(text, None),
    )
    for read in readers:
        with suppress(BadCell):
            read()
