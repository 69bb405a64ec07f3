"""What a number and an address tell of where a person may be, with the corrections of `timezones.toml`."""

from functools import lru_cache
from pathlib import Path

import msgspec

from compliance.packs import SHIPPED, Packs, load
from compliance.places import Places, fold
from domain.errors import BadInput

#: Words of `domain.people.Phone.line_type` by the library's number type; the rest is `other`.
_LINE_TYPES = {
    0: "fixed",
    1: "mobile",
    2: "fixed_or_mobile",
    3: "toll_free",
    6: "voip",
    99: "unknown",
}
_UNKNOWN_TYPE = 99
_UNKNOWN_ZONE = "Etc/Unknown"


class NumberFacts(msgspec.Struct, frozen=True, kw_only=True):
    """As `domain.people.Phone` wants them."""

    #: ISO country of the number.
    country: str
    line_type: str
    #: True when the number tells a place.
    geographic: bool
    #: Empty: unknown.
    zones: tuple[str, ...]


class Numbers:
    """Numbers and addresses under one directory of packs."""

    def __init__(self, packs: Packs) -> None:
        self._timezones = packs.timezones
        self._places = Places(packs)
        self._overrides = dict(packs.timezones.prefix_override)
        for region, prefixes in packs.timezones.split_area_codes.items():
            for prefix in prefixes:
                self._overrides.setdefault(prefix, packs.timezones.region[region])
        self._lengths = sorted({len(prefix) for prefix in self._overrides}, reverse=True)
        self._cities = {
            region: {fold(name): zones for name, zones in cities.items()}
            for region, cities in packs.timezones.city.items()
        }

    @classmethod
    def load(cls, directory: Path) -> "Numbers":
        """Return the numbers of a directory of packs."""
        return cls(load(directory))

    def describe(self, e164: str) -> NumberFacts:
        """Return what a number in E.164 tells.

        Raises
        ------
        BadInput
            When the text is no number at all.
        """
        # Loaded late: most commands see no number.
        from phonenumbers import (
            NumberParseException,
            number_type,
            parse,
            region_code_for_country_code,
            region_code_for_number,
        )
        from phonenumbers.phonenumberutil import is_number_type_geographical
        from phonenumbers.tzdata import TIMEZONE_DATA, TIMEZONE_LONGEST_PREFIX

        try:
            number = parse(e164)
        except NumberParseException as error:
            raise BadInput(f"number {e164!r} is not E.164 ({error}); write + country code number") from error
        kind, calling_code = number_type(number), number.country_code or 0
        country = region_code_for_number(number) or region_code_for_country_code(calling_code)
        geographic = is_number_type_geographical(kind, calling_code)
        geographic = geographic and not e164.startswith(self._timezones.non_geographic)
        zones = next((self._overrides[e164[:n]] for n in self._lengths if e164[:n] in self._overrides), ())
        if not zones and kind != _UNKNOWN_TYPE:
            digits = e164[1:] if geographic else str(calling_code)
            lengths = range(TIMEZONE_LONGEST_PREFIX, 0, -1)
            zones = next((TIMEZONE_DATA[digits[:n]] for n in lengths if digits[:n] in TIMEZONE_DATA), ())
        if _UNKNOWN_ZONE in zones or len(zones) > self._timezones.max_number_zones:
            zones = ()
        return NumberFacts(
            country=country, line_type=_LINE_TYPES.get(kind, "other"), geographic=geographic, zones=tuple(sorted(zones))
        )

    def address_zones(
        self, country: str, region: str | None, city: str | None, postal_code: str | None
    ) -> tuple[str, ...]:
        """Return the zones of an address; empty when it tells none.

        The postal code speaks before the city, the city before the region, the region before a country of one zone;
        a postal code that contradicts the region widens it.
        """
        known, city = self._places.locate(country, region, city)
        key = f"{country}-{known}"
        of_region = self._timezones.region.get(key, ())
        prefixes = self._timezones.postal.get(country, {})
        code = (postal_code or "").strip()
        for length in range(len(code), 0, -1):
            zones = prefixes.get(code[:length], ())
            if zones:
                return zones if not of_region or set(zones) <= set(of_region) else tuple(sorted({*zones, *of_region}))
        if of_region:
            return self._cities.get(key, {}).get(fold(city or ""), of_region)
        zones = self._timezones.country.get(country, ())
        return zones if len(zones) == 1 else ()


@lru_cache(maxsize=1)
def _shipped() -> Numbers:
    return Numbers.load(SHIPPED)


def describe(e164: str) -> NumberFacts:
    """Return what a number tells, under the packs that come with the program."""
    return _shipped().describe(e164)


def address_zones(country: str, region: str | None, city: str | None, postal_code: str | None) -> tuple[str, ...]:
    """Return the zones of an address, under the packs that come with the program."""
    return _shipped().address_zones(country, region, city, postal_code)
