"""From an address to the tables of rules that hold there."""

import unicodedata

import msgspec
from msgspec.structs import astuple

from compliance.hours import Closed
from compliance.packs import Packs
from compliance.rows import Holidays, Jurisdiction
from compliance.zones import day_number

#: What a verdict says it assumed.
REGION, CITY = "region", "city"


class Place(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """Where a person is, as far as the rules can tell."""

    #: ISO country with a pack; None: no pack has rules for it.
    country: str | None
    #: Canonical code, None when unknown.
    region: str | None
    #: Codes of the tables that hold: country, region, city, then overlays and house rules.
    codes: tuple[str, ...]
    #: Holidays of the country, with those of the region.
    closed: Closed | None
    #: What was not known, so that all that might hold does.
    assumed: tuple[str, ...]

    @property
    def content(self) -> tuple[object, ...]:
        """What places that are alike to every rule have in common."""
        return astuple(self)


def fold(text: str) -> str:
    """Return a name without case, accents and outer blanks."""
    plain = unicodedata.normalize("NFKD", text.strip().casefold())
    return "".join(letter for letter in plain if not unicodedata.combining(letter))


class Places:
    """The tree of jurisdictions, by address."""

    def __init__(self, packs: Packs) -> None:
        self._packs = packs
        tables = packs.jurisdictions
        self._children: dict[str, list[str]] = {}
        for code, table in tables.items():
            if table.parent is not None:
                self._children.setdefault(table.parent, []).append(code)
        self._overlays = [code for code, table in tables.items() if table.overlay_for]
        # The house comes last: where a law stops a contact too, the law is named.
        self._overlays.sort(key=lambda code: ("*" in tables[code].overlay_for, code))
        self._regions: dict[str, dict[str, str]] = {}
        for code, table in tables.items():
            if table.parent is None and not table.overlay_for:
                self._regions[code] = self._region_names(code, table)

    def region(self, country: str, region: str | None) -> str | None:
        """Return the canonical code of a region given by code or name; None: not known in the packs."""
        if not region:
            return None
        names = self._regions.get(country, {})
        folded = fold(region)
        return names.get(folded) or names.get(folded.removeprefix(f"{country.casefold()}-"))

    def find(self, country: str, region: str | None, city: str | None) -> Place:
        """Return the place of an address; a part that is missing or not understood leaves all its tables standing."""
        table = self._packs.jurisdictions.get(country)
        overlays = tuple(
            code for code in self._overlays if {"*", country} & set(self._packs.jurisdictions[code].overlay_for)
        )
        if table is None or table.parent is not None or table.overlay_for:
            return Place(country=None, region=None, codes=overlays, closed=None, assumed=())
        known = self.region(country, region)
        children = self._children.get(country, [])
        cities = [town for code in children for town in self._children.get(code, [])]
        if known is None and city and (named := [town for town in cities if town.endswith(f"-{city.strip().upper()}")]):
            known = named[0].removeprefix(f"{country}-").partition("-")[0]
        assumed: list[str] = []
        if known is not None:
            children = [code for code in children if code == f"{country}-{known}"]
            cities = [town for code in children for town in self._children.get(code, [])]
        elif children or (table.holidays and table.holidays.subdiv_from_address):
            assumed.append(REGION)
        if city and known is not None:
            cities = [town for town in cities if self._is_city(town, city)]
        elif cities and known is not None:
            assumed.append(CITY)
        if not self._packs.strict:
            children = children if known is not None else []
            cities = cities if city and known is not None else []
        return Place(
            country=country,
            region=known,
            codes=(country, *children, *cities, *overlays),
            closed=self._closed(country, table.holidays, known, city),
            assumed=tuple(assumed),
        )

    def _region_names(self, country: str, table: Jurisdiction) -> dict[str, str]:
        names = {fold(code): code for code in table.regions}
        names |= {fold(name): code for name, code in table.region_names.items()}
        for child in self._children.get(country, []):
            code = child.removeprefix(f"{country}-")
            names |= {fold(name): code for name in (code, *self._packs.jurisdictions[child].aliases)}
        return names

    def _is_city(self, code: str, city: str) -> bool:
        names = (code.rpartition("-")[2], *self._packs.jurisdictions[code].aliases)
        return fold(city) in {fold(name) for name in names}

    def _closed(self, country: str, holidays: Holidays | None, region: str | None, city: str | None) -> Closed | None:
        if holidays is None or holidays.treat != "closed":
            return None
        subdivisions: tuple[str, ...] = ()
        if holidays.subdiv_from_address:
            everywhere = self._packs.jurisdictions[country].regions if self._packs.strict else ()
            subdivisions = (region,) if region is not None else everywhere
        extra = frozenset(
            day_number(day.date)
            for day in holidays.extra
            if _may_be(day.region, region) and _may_be(day.city and fold(day.city), city and fold(city))
        )
        return Closed(country=holidays.country, subdivisions=subdivisions, categories=holidays.categories, extra=extra)


def _may_be(wanted: str | None, actual: str | None) -> bool:
    """Return whether an address may lie where a day is kept: what is unknown may."""
    return not wanted or not actual or wanted == actual
