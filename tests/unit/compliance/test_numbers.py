"""What numbers and addresses tell, with the corrections to the library."""

import pytest

from compliance.numbers import address_zones, describe
from compliance.zones import load_zone
from domain.errors import BadInput

_CHILE = ("America/Coyhaique", "America/Punta_Arenas", "America/Santiago", "Pacific/Easter")


@pytest.mark.parametrize(
    ("number", "country", "line_type", "geographic", "zones"),
    [
        ("+34912345678", "ES", "fixed", True, ("Europe/Madrid",)),
        ("+34928123456", "ES", "fixed", True, ("Atlantic/Canary",)),
        ("+34612345678", "ES", "mobile", False, ("Atlantic/Canary", "Europe/Madrid")),
        ("+34900123456", "ES", "toll_free", False, ("Atlantic/Canary", "Europe/Madrid")),
        ("+573001234567", "CO", "mobile", False, ("America/Bogota",)),
        ("+576012345678", "CO", "fixed", True, ("America/Bogota",)),
        ("+12125550123", "US", "fixed_or_mobile", True, ("America/New_York",)),
        ("+14155550123", "US", "fixed_or_mobile", True, ("America/Los_Angeles",)),
        ("+18005550123", "US", "toll_free", False, ()),
        # The library gives one wrong zone; the state has two.
        ("+14232655555", "US", "fixed_or_mobile", True, ("America/Chicago", "America/New_York")),
        ("+13055550123", "US", "fixed_or_mobile", True, ("America/Chicago", "America/New_York")),
        ("+19155550123", "US", "fixed_or_mobile", True, ("America/Chicago", "America/Denver")),
        ("+56612212345", "CL", "fixed_or_mobile", True, ("America/Punta_Arenas",)),
        ("+56961234567", "CL", "mobile", False, _CHILE),
        ("+558132123456", "BR", "fixed", True, ("America/Noronha", "America/Recife")),
        ("+541143210000", "AR", "fixed", True, ("America/Argentina/Buenos_Aires",)),
        ("+5491143210000", "AR", "mobile", True, ("America/Argentina/Buenos_Aires",)),
        ("+56672212345", "CL", "fixed_or_mobile", True, ("America/Coyhaique",)),
        ("+56322212345", "CL", "fixed_or_mobile", True, ("America/Santiago", "Pacific/Easter")),
        ("+559732345678", "BR", "fixed", True, ("America/Eirunepe", "America/Manaus")),
        ("+556832123456", "BR", "fixed", True, ("America/Rio_Branco",)),
        ("+526641234567", "MX", "fixed_or_mobile", True, ("America/Tijuana",)),
        ("+51912345678", "PE", "mobile", False, ("America/Lima",)),
        ("+442079460123", "GB", "fixed", True, ("Europe/London",)),
        ("+447700900123", "GB", "unknown", False, ()),
    ],
)
def test_a_number_tells(number: str, country: str, line_type: str, geographic: bool, zones: tuple[str, ...]) -> None:
    facts = describe(number)
    assert (facts.country, facts.geographic, facts.zones) == (country, geographic, zones)
    if country != "CL":  # the library tells Chilean mobiles from fixed numbers or not, by release
        assert facts.line_type == line_type


@pytest.mark.parametrize("number", ["", "912345678", "+", "no number", "+9991234"])
def test_what_is_no_number_is_refused(number: str) -> None:
    with pytest.raises(BadInput, match=r"E\.164"):
        describe(number)


@pytest.mark.parametrize(
    ("country", "region", "city", "postal_code", "zones"),
    [
        ("ES", "MD", None, None, ("Europe/Madrid",)),
        ("ES", "Canarias", None, None, ("Atlantic/Canary",)),
        ("ES", None, "Las Palmas", "35001", ("Atlantic/Canary",)),
        ("ES", None, "Madrid", None, ()),
        ("CO", None, "Bogotá", None, ("America/Bogota",)),
        ("US", "MA", "Boston", "02108", ("America/New_York",)),
        ("US", "massachusetts ", None, None, ("America/New_York",)),
        ("US", "US-MA", None, None, ("America/New_York",)),
        ("US", "TN", None, None, ("America/New_York", "America/Chicago")),
        ("US", "TN", "NASHVILLE", None, ("America/Chicago",)),
        ("US", "TX", None, "79901", ("America/Denver",)),
        ("US", "TX", "Houston", None, ("America/Chicago",)),
        ("US", "FL", None, "32456", ("America/New_York", "America/Chicago")),
        ("US", "FL", None, "33101", ("America/New_York",)),
        # Postal code and region contradict each other: both stand.
        ("US", "CA", None, "33101", ("America/Los_Angeles", "America/New_York")),
        ("US", None, None, None, ()),
        ("US", "Freedonia", None, None, ()),
        ("GB", "Scotland", "Glasgow", "G1 1AA", ("Europe/London",)),
        ("CL", "Magallanes", None, None, ("America/Punta_Arenas",)),
        ("CL", "Valparaíso", None, None, ("America/Santiago", "Pacific/Easter")),
        ("CL", "VS", "Viña del Mar", None, ("America/Santiago",)),
        ("CL", "Valparaiso", "hanga roa", None, ("Pacific/Easter",)),
        ("CL", None, None, None, ()),
        ("MX", "Quintana Roo", None, None, ("America/Cancun",)),
        ("MX", "Chihuahua", "Ciudad Juarez", None, ("America/Ciudad_Juarez",)),
        ("MX", "Tamaulipas", None, None, ("America/Monterrey", "America/Matamoros")),
        ("AR", "Córdoba", None, None, ("America/Argentina/Buenos_Aires",)),
        ("BR", "Acre", None, None, ("America/Rio_Branco",)),
        ("BR", "AM", "Manaus", None, ("America/Manaus",)),
        ("BR", "AM", "tabatinga", None, ("America/Eirunepe",)),
        ("BR", "Pernambuco", None, None, ("America/Recife", "America/Noronha")),
        ("BR", "PE", "Recife", None, ("America/Recife",)),
        ("PE", None, "Lima", None, ("America/Lima",)),
        ("FR", "IDF", "Paris", "75001", ()),
    ],
)
def test_an_address_tells(
    country: str, region: str | None, city: str | None, postal_code: str | None, zones: tuple[str, ...]
) -> None:
    found = address_zones(country, region, city, postal_code)
    assert found == zones
    for zone in found:
        load_zone(zone)
