"""The sample portfolio: the same for a seed, plausible, and with nothing in it that an import would refuse."""

from collections import Counter
from datetime import date
from pathlib import Path

import phonenumbers
import pytest

from domain.instants import parse
from simulation.sample import HEADER, Sample, write_sample

NOW = parse("2026-11-18T15:30:00Z")


@pytest.fixture(scope="module")
def rows() -> list[dict[str, str]]:
    return [dict(zip(HEADER, row, strict=True)) for row in Sample(1, NOW).rows(3000)]


def test_a_seed_writes_one_file(tmp_path: Path) -> None:
    first, again, other = tmp_path / "1.csv", tmp_path / "2.csv", tmp_path / "3.csv"
    assert write_sample(first, debtors=200, seed=1, at_us=NOW) > 200
    write_sample(again, debtors=200, seed=1, at_us=NOW)
    write_sample(other, debtors=200, seed=2, at_us=NOW)
    assert first.read_bytes() == again.read_bytes() != other.read_bytes()


def test_fewer_debtors_are_the_first_of_more() -> None:
    few, many = list(Sample(1, NOW).rows(50)), list(Sample(1, NOW).rows(80))
    assert many[: len(few)] == few


def test_every_number_can_exist_in_its_country(rows: list[dict[str, str]]) -> None:
    for row in rows:
        numbers = [row[f"phone{n}"] for n in (1, 2, 3) if row[f"phone{n}"]]
        assert numbers
        for number in map(phonenumbers.parse, numbers):
            assert phonenumbers.is_valid_number_for_region(number, row["country"]), row


def test_it_is_a_portfolio(rows: list[dict[str, str]]) -> None:
    assert len({row["account"] for row in rows}) == len(rows)
    assert len({row["global_person"] for row in rows}) == 3000
    countries = Counter(row["country"] for row in rows)
    assert set(countries) == {"ES", "CO", "US"}
    assert min(countries.values()) > 500
    assert all(date.fromisoformat(row["due_date"]) < date(2026, 11, 18) for row in rows)
    assert all(float(row["balance"]) > 0 for row in rows)
    assert 0.01 < sum(bool(row["stops"]) for row in rows) / len(rows) < 0.08
    assert 0.2 < sum(bool(row["prior_attempts"]) for row in rows) / len(rows) < 0.7
    homes = Counter(row["household"] for row in rows if row["household"])
    assert max(homes.values()) >= 2
