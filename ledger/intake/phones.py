"""Text of a cell to E.164, by the library's own patterns: plain digits directly, everything else through its parser.

The parser normalises, guesses prefixes and loops over regions, 20 µs a number. Plain digits that are a valid number of
a region and touch no prefix rule of it need none of that; tests/property holds that both ways agree.
"""

import re
from functools import lru_cache
from typing import NamedTuple

import phonenumbers
from phonenumbers import COUNTRY_CODE_TO_REGION_CODE, PhoneMetadata

from ledger.intake.cells import BadCell

_EXTENSION = re.compile(r"\s*(?:ext\.?|x|#)\s*\d+\s*$", re.IGNORECASE)
_KINDS = (
    "fixed_line", "mobile", "toll_free", "premium_rate", "shared_cost", "personal_number", "voip", "pager", "uan",
    "voicemail",
)  # fmt: skip
_NEVER = re.compile(r"(?!)")


class _Region(NamedTuple):
    calling_code: str
    general: re.Pattern[str]
    #: (possible lengths, pattern) of each kind of number.
    kinds: tuple[tuple[tuple[int, ...], re.Pattern[str]], ...]
    #: What the parser would take for a national or an international prefix.
    national_prefix: re.Pattern[str]
    international_prefix: re.Pattern[str]

    def holds(self, digits: str) -> bool:
        """Return whether digits are a valid national number that the parser would leave as it is."""
        return (
            self.general.fullmatch(digits) is not None
            and self.national_prefix.match(digits) is None
            and any(len(digits) in lengths and pattern.fullmatch(digits) for lengths, pattern in self.kinds)
        )


@lru_cache(maxsize=512)
def _region(country: str) -> _Region | None:
    """Return the patterns of a country, None unless it is the first of its calling code."""
    metadata = PhoneMetadata.metadata_for_region(country)
    if metadata is None or metadata.general_desc is None or metadata.leading_digits:
        return None
    if COUNTRY_CODE_TO_REGION_CODE[metadata.country_code or 0][0] != country:
        return None
    kinds = [getattr(metadata, kind) for kind in _KINDS]
    return _Region(
        calling_code=str(metadata.country_code),
        general=_compiled(metadata.general_desc.national_number_pattern),
        kinds=tuple(
            (tuple(kind.possible_length), re.compile(kind.national_number_pattern))
            for kind in kinds
            if kind is not None and kind.national_number_pattern
        ),
        national_prefix=_compiled(metadata.national_prefix_for_parsing),
        international_prefix=_compiled(metadata.international_prefix),
    )


def _compiled(pattern: str | None) -> re.Pattern[str]:
    return re.compile(pattern) if pattern else _NEVER


@lru_cache(maxsize=1024)
def _country_of(calling_code: str) -> str | None:
    regions = COUNTRY_CODE_TO_REGION_CODE.get(int(calling_code))
    return regions[0] if regions else None


def _plain(text: str, country: str) -> str | None:
    """Return plain digits as E.164 where no rule of the parser is needed."""
    if not text.isascii():
        return None
    if text[:1] == "+":
        digits = text[1:]
        if not digits.isdigit() or digits[0] == "0":
            return None
        # No calling code is the beginning of another.
        for length in (1, 2, 3):
            if of := _country_of(digits[:length]):
                region = _region(of)
                national = digits[length:]
                plain = region is not None and national[:1] != "0" and region.holds(national)
                return text if plain else None
        return None
    if not text.isdigit() or text[0] == "0":
        return None
    region = _region(country)
    if region is None or region.international_prefix.match(text) or not region.holds(text):
        return None
    return f"+{region.calling_code}{text}"


def parsed(text: str, country: str) -> str:
    """Return a number as E.164 by the library's parser."""
    try:
        number = phonenumbers.parse(text, country)
    except phonenumbers.NumberParseException:
        raise BadCell(f"no phone number of {country}: write it with its country code, e.g. +34 600 123 456") from None
    if not phonenumbers.is_valid_number(number):
        raise BadCell(
            f"+{number.country_code} {number.national_number} is not a number that can exist: "
            "correct it, or write it with its country code"
        )
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def e164(cell: str, country: str) -> str:
    """Return a number as E.164; one without `+` is of the country."""
    if number := _plain(cell, country):
        return number
    text = _EXTENSION.sub("", cell)
    if text.endswith(".0") and text[:-2].isdigit():  # spreadsheets make numbers of numbers
        text = text[:-2]
    return _plain(text, country) or parsed(text, country)
