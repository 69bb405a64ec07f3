"""Which tables hold at an address, and which local days are kept there."""

import shutil
from pathlib import Path

import pytest

from compliance.gate import Gate
from compliance.packs import SHIPPED, load
from compliance.places import Places
from domain.instants import parse
from tests.unit.compliance.debtors import MADRID, debtor

ALL_STATES = ("US", "US-MA", "US-WA", "US-DC", "US-NY", "US-FL", "US-NY-NYC", "HOUSE")


@pytest.mark.parametrize(
    ("country", "region", "city", "codes", "assumed"),
    [
        ("US", "NJ", None, ("US", "HOUSE"), ()),
        ("US", "New Jersey", "Newark", ("US", "HOUSE"), ()),
        ("US", "ma", None, ("US", "US-MA", "HOUSE"), ()),
        ("US", "NY", "NYC", ("US", "US-NY", "US-NY-NYC", "HOUSE"), ()),
        ("US", "NY", "the bronx", ("US", "US-NY", "US-NY-NYC", "HOUSE"), ()),
        ("US", "NY", "Albany", ("US", "US-NY", "HOUSE"), ()),
        ("US", "NY", None, ("US", "US-NY", "US-NY-NYC", "HOUSE"), ("city",)),
        ("US", None, "NYC", ("US", "US-NY", "US-NY-NYC", "HOUSE"), ()),
        ("US", "NYC", None, ("US", "US-NY", "US-NY-NYC", "HOUSE"), ()),
        ("US", "nyc ", "NYC", ("US", "US-NY", "US-NY-NYC", "HOUSE"), ()),
        ("US", None, None, ALL_STATES, ("region",)),
        # A Manhattan lies in Kansas too.
        ("US", None, "Manhattan", ALL_STATES, ("region",)),
        ("ES", "Castilla y León", None, ("ES", "EU", "HOUSE"), ()),
        ("ES", "ES-MD", None, ("ES", "EU", "HOUSE"), ()),
        ("ES", None, None, ("ES", "EU", "HOUSE"), ("region",)),
        ("CO", "Antioquia", "Medellín", ("CO", "HOUSE"), ()),
        ("EU", None, None, ("HOUSE",), ()),
        ("US-MA", None, None, ("HOUSE",), ()),
        ("FR", None, None, ("HOUSE",), ()),
    ],
)  # fmt: skip
def test_tables_of_an_address(
    country: str, region: str | None, city: str | None, codes: tuple[str, ...], assumed: tuple[str, ...]
) -> None:
    place = Places(load(SHIPPED)).find(country, region, city)
    assert (place.codes, place.assumed) == (codes, assumed)


def test_the_literal_reading_takes_no_region_for_granted() -> None:
    places = Places(load(SHIPPED, strict=False))
    assert places.find("US", None, None).codes == ("US", "HOUSE")
    assert places.find("US", "NY", None).codes == ("US", "US-NY", "HOUSE")
    spain = places.find("ES", None, None).closed
    assert spain is not None
    assert spain.subdivisions == ()


@pytest.mark.parametrize(
    ("region", "city", "open_on"),
    [
        ("MD", "Madrid", False),
        ("MD", "MADRID ", False),
        ("MD", None, False),
        (None, None, False),
        ("MD", "Getafe", True),
        ("CT", "Barcelona", True),
    ],
)
def test_a_municipality_keeps_its_own_days(tmp_path: Path, region: str | None, city: str | None, open_on: bool) -> None:
    rules = Path(shutil.copytree(SHIPPED, tmp_path / "rules"))
    text = (rules / "es.toml").read_text()
    day = 'extra = [{ date = 2026-11-09, name = "Almudena", region = "MD", city = "Madrid" }]'
    assert "extra = []" in text
    (rules / "es.toml").write_text(text.replace("extra = []", day))
    verdict = Gate.load(rules).judge(
        debtor("ES", region=region, city=city, address_zones=("Europe/Madrid",)),
        at_us=parse("2026-11-09T12:00:00+01:00"),
        phone=MADRID,
        debts=(),
        actor="third_party",
        purpose="collection",
    )
    assert verdict.allowed is open_on
