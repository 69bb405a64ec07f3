"""Which tables hold at an address, and which local days are kept there."""

import shutil
from pathlib import Path

import pytest

from compliance.gate import Gate
from compliance.packs import SHIPPED, load
from compliance.places import Places
from domain.instants import parse
from tests.unit.compliance.debtors import MADRID, debtor, shipped

EVERYWHERE = ("HOUSE", "PCI")
ALL_STATES = ("US", "US-MA", "US-WA", "US-DC", "US-NY", "US-FL", "US-NY-NYC", *EVERYWHERE)
ALL_PROVINCES = ("AR", "AR-C", "AR-A", *EVERYWHERE)


@pytest.mark.parametrize(
    ("country", "region", "city", "codes", "assumed"),
    [
        ("US", "NJ", None, ("US", *EVERYWHERE), ()),
        ("US", "New Jersey", "Newark", ("US", *EVERYWHERE), ()),
        ("US", "ma", None, ("US", "US-MA", *EVERYWHERE), ()),
        ("US", "NY", "NYC", ("US", "US-NY", "US-NY-NYC", *EVERYWHERE), ()),
        ("US", "NY", "the bronx", ("US", "US-NY", "US-NY-NYC", *EVERYWHERE), ()),
        ("US", "NY", "Albany", ("US", "US-NY", *EVERYWHERE), ()),
        ("US", "NY", None, ("US", "US-NY", "US-NY-NYC", *EVERYWHERE), ("city",)),
        ("US", None, "NYC", ("US", "US-NY", "US-NY-NYC", *EVERYWHERE), ()),
        ("US", "US-NY-NYC", None, ("US", "US-NY", "US-NY-NYC", *EVERYWHERE), ()),
        ("US", None, "NY-NYC", ("US", "US-NY", "US-NY-NYC", *EVERYWHERE), ()),
        ("AR", "AR-C", None, ("AR", "AR-C", *EVERYWHERE), ()),
        ("US", "NYC", None, ("US", "US-NY", "US-NY-NYC", *EVERYWHERE), ()),
        ("US", "nyc ", "NYC", ("US", "US-NY", "US-NY-NYC", *EVERYWHERE), ()),
        ("US", None, None, ALL_STATES, ("region",)),
        # A Manhattan lies in Kansas too.
        ("US", None, "Manhattan", ALL_STATES, ("region",)),
        ("ES", "Castilla y León", None, ("ES", "EU", *EVERYWHERE), ()),
        ("ES", "ES-MD", None, ("ES", "EU", *EVERYWHERE), ()),
        ("ES", None, None, ("ES", "EU", *EVERYWHERE), ("region",)),
        ("CO", "Antioquia", "Medellín", ("CO", *EVERYWHERE), ()),
        ("GB", "Scotland", None, ("GB", *EVERYWHERE), ()),
        ("GB", None, "Leeds", ("GB", *EVERYWHERE), ("region",)),
        ("BR", "São Paulo", None, ("BR", "BR-SP", *EVERYWHERE), ()),
        ("BR", "PR", "Curitiba", ("BR", *EVERYWHERE), ()),
        ("AR", "CABA", None, ("AR", "AR-C", *EVERYWHERE), ()),
        ("AR", None, "CABA", ("AR", "AR-C", *EVERYWHERE), ()),
        ("AR", "", "ciudad autonoma de Buenos Aires", ("AR", "AR-C", *EVERYWHERE), ()),
        ("AR", None, None, ALL_PROVINCES, ("region",)),
        # Province or city? Both may be meant.
        ("AR", "Buenos Aires", None, ALL_PROVINCES, ("region",)),
        # The city's law binds its collectors wherever the debtor lives, and nobody says where this one sits.
        ("AR", "Córdoba", None, ("AR", "AR-C", *EVERYWHERE), ("collector",)),
        ("AR", "Salta", None, ("AR", "AR-C", "AR-A", *EVERYWHERE), ("collector",)),
        ("EU", None, None, EVERYWHERE, ()),
        ("US-MA", None, None, EVERYWHERE, ()),
        ("FR", None, None, EVERYWHERE, ()),
    ],
)  # fmt: skip
def test_tables_of_an_address(
    country: str, region: str | None, city: str | None, codes: tuple[str, ...], assumed: tuple[str, ...]
) -> None:
    place = Places(load(SHIPPED)).find(country, region, city)
    assert (place.codes, place.assumed) == (codes, assumed)


@pytest.mark.parametrize(("seats", "binds"), [('["AR-C"]', True), ('["AR-X"]', False), ("[]", False)])
def test_the_house_says_where_it_sits(tmp_path: Path, seats: str, binds: bool) -> None:
    rules = Path(shutil.copytree(SHIPPED, tmp_path / "rules"))
    text = (rules / "house.toml").read_text()
    line = '# collector_domiciles = ["AR-C"]'
    assert line in text
    (rules / "house.toml").write_text(text.replace(line, f"collector_domiciles = {seats}"))
    for strict in (True, False):
        place = Places(load(rules, strict=strict)).find("AR", "X", None)
        assert (place.codes, place.assumed) == (("AR", *["AR-C"] * binds, *EVERYWHERE), ())


def test_the_literal_reading_takes_no_region_for_granted() -> None:
    places = Places(load(SHIPPED, strict=False))
    assert places.find("US", None, None).codes == ("US", *EVERYWHERE)
    assert places.find("US", "NY", None).codes == ("US", "US-NY", *EVERYWHERE)
    assert places.find("AR", "X", None).codes == ("AR", *EVERYWHERE)
    spain = places.find("ES", None, None).closed
    assert spain is not None
    assert spain.subdivisions == ()


@pytest.mark.parametrize(
    ("region", "city", "strict", "open_on"),
    [
        ("CT", "barcelona", True, False),
        ("CT", None, True, False),
        (None, None, True, False),
        ("CT", None, False, True),
        ("CT", "Girona", True, True),
        ("MD", "Barcelona", True, True),
    ],
)
def test_a_city_keeps_the_days_that_the_library_knows(
    region: str | None, city: str | None, strict: bool, open_on: bool
) -> None:
    verdict = shipped(strict).judge(
        debtor("ES", region=region, city=city, address_zones=("Europe/Madrid",)),
        at_us=parse("2026-09-24T12:00:00+02:00"),
        phone=MADRID,
        debts=(),
        actor="third_party",
        purpose="collection",
    )
    assert verdict.allowed is open_on


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
