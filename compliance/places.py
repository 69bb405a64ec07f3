"""From an address to the tables of rules that hold there."""

import unicodedata

import msgspec
from msgspec.structs import astuple

from compliance.hours import Closed
from compliance.packs import Packs
from compliance.rows import CityCalendar, ExtraDay, Holidays, Jurisdiction
from compliance.zones import day_number

#: What a verdict says it assumed.
REGION, CITY, COLLECTOR = "region", "city", "collector"


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
    #: An unknown region may be any of the country.
    cautious: bool

    def lies_in(self, regions: tuple[str, ...]) -> bool:
        """Return whether the place lies in one of these regions, or may."""
        return self.cautious if self.region is None else self.region in regions

    def supposes(self, code: str) -> bool:
        """Return whether a table holds here only as long as nobody says where the collector sits."""
        return COLLECTOR in self.assumed and code.startswith(f"{self.country}-") and code.split("-")[1] != self.region

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
        self._overlays.sort(key=lambda code: ("*" in tables[code].overlay_for, code))
        told = [tables[code].collector_domiciles for code in self._overlays]
        #: Where the collector sits; None: nobody says.
        self._seats = {code for codes in told for code in codes or ()} if any(c is not None for c in told) else None
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

    def locate(self, country: str, region: str | None, city: str | None) -> tuple[str | None, str | None]:
        """Return the canonical code of an address's region, None when it is not known, and its city.

        A city's code finds its region, and may stand where the region should; its other names may lie in several.
        """
        known = self.region(country, region)
        if known is not None:
            return known, city
        for code in self._children.get(country, []):
            # A city that is a region.
            if city and fold(city) in map(fold, self._packs.jurisdictions[code].aliases):
                return code.removeprefix(f"{country}-"), city
        for name in filter(None, (city, region)):
            for town in self._cities(country):
                if f"-{town}".endswith(f"-{name.strip().upper()}"):
                    return town.removeprefix(f"{country}-").partition("-")[0], town.rpartition("-")[2]
        return None, city

    def overlays(self, country: str) -> tuple[str, ...]:
        """Return the codes of the tables that lie over a country, the house's last."""
        return tuple(
            code for code in self._overlays if {"*", country} & set(self._packs.jurisdictions[code].overlay_for)
        )

    def find(self, country: str, region: str | None, city: str | None) -> Place:
        """Return the place of an address; a part that is missing or not understood leaves all its tables standing."""
        table = self._packs.jurisdictions.get(country)
        overlays = self.overlays(country)
        if table is None or table.parent is not None or table.overlay_for:
            return Place(country=None, region=None, codes=overlays, closed=None, assumed=(), cautious=True)
        known, city = self.locate(country, region, city)
        children = self._children.get(country, [])
        cities = self._cities(country)
        assumed: list[str] = []
        if known is not None:
            here = f"{country}-{known}"
            ours = [code for code in children if code != here and self._binds_us(code)]
            if ours and self._seats is None:
                assumed.append(COLLECTOR)
            children = [code for code in children if code == here or code in ours]
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
            cautious=self._packs.strict,
        )

    def _binds_us(self, code: str) -> bool:
        """Return whether a region's table binds by the collector's own domicile, or may."""
        if self._packs.jurisdictions[code].applies_when == "debtor_domicile":
            return False
        return self._packs.strict if self._seats is None else code in self._seats

    def _region_names(self, country: str, table: Jurisdiction) -> dict[str, str]:
        names = {fold(code): code for code in table.regions}
        names |= {fold(name): code for name, code in table.region_names.items()}
        for child in self._children.get(country, []):
            code = child.removeprefix(f"{country}-")
            names |= {fold(name): code for name in (code, *self._packs.jurisdictions[child].aliases)}
        return names

    def _cities(self, country: str) -> list[str]:
        return [town for code in self._children.get(country, []) for town in self._children.get(code, [])]

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
        subdivisions += tuple(own.subdivision for own in holidays.cities if self._kept_at(own, region, city))
        extra = frozenset(day_number(day.date) for day in holidays.extra if self._kept_at(day, region, city))
        return Closed(country=holidays.country, subdivisions=subdivisions, categories=holidays.categories, extra=extra)

    def _kept_at(self, local: ExtraDay | CityCalendar, region: str | None, city: str | None) -> bool:
        """Return whether an address lies where a day or calendar is kept, or may."""
        return self._may_be(local.region, region) and self._may_be(local.city and fold(local.city), city and fold(city))

    def _may_be(self, wanted: str | None, actual: str | None) -> bool:
        """Return whether an address may lie where a day is kept: what is unknown may, in the strict reading."""
        return not wanted or (wanted == actual if actual else self._packs.strict)
