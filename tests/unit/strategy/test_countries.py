"""The countries that conditions may name: all that files may bring, and the names that people write instead."""

import phonenumbers

from domain.countries import CODES, NAMES, meant
from strategy.fields import FIELDS


def test_every_country_that_an_import_takes_may_be_named() -> None:
    assert set(phonenumbers.SUPPORTED_REGIONS) <= CODES
    assert set(FIELDS["country"].words) == CODES
    assert set(NAMES.values()) <= CODES
    assert all(len(code) == 2 and code.isupper() for code in CODES)
    assert len(CODES) == 252


def test_what_somebody_means() -> None:
    assert [meant(word) for word in ("es", "España", "u.s.a.", "Reino Unido", "Narnia", "")] == [
        "ES", "ES", "US", "GB", None, None,
    ]  # fmt: skip
