"""What a reader of packs is told: their state, what to look at, what binds where, what two versions differ in."""

import shutil
from datetime import date
from pathlib import Path

import pytest

from compliance.packs import SHIPPED, load
from compliance.review import Changed, compare, row, standing, states, warnings
from compliance.rows import ENFORCED

TODAY = date(2026, 11, 21)


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    return Path(shutil.copytree(SHIPPED, tmp_path / "rules"))


def edit(rules: Path, name: str, old: str, new: str) -> None:
    path = rules / name
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def test_states_count_every_row_once() -> None:
    packs = load(SHIPPED)
    found = states(packs)
    assert sorted(one.file for one in found) == sorted(path.name for path in SHIPPED.glob("*.toml"))
    assert sum(sum(one.rows.values()) for one in found) == len(packs.rows)
    assert {code for one in found for code in one.names} == set(packs.jurisdictions)
    assert not any(one.signed or one.counsel for one in found)


def test_a_signature_is_shown_and_ends_the_warning(rules: Path) -> None:
    signed = 'signed = true\nname = "A. Letrada"\nfirm = "Bufete"\non = "2026-11-20"'
    edit(rules, "es.toml", 'signed = false\nname = ""\nfirm = ""\non = ""', signed)
    packs = load(rules)
    (spain,) = [one for one in states(packs) if one.file == "es.toml"]
    assert (spain.signed, spain.counsel) == (True, "A. Letrada, Bufete, 2026-11-20")
    unsigned = [one.file for one in warnings(packs, TODAY) if one.row is None]
    assert "es.toml" not in unsigned
    assert "co.toml" in unsigned


@pytest.mark.parametrize(("on", "said"), [(date(2026, 11, 30), []), (date(2026, 12, 1), ["expired on 2026-11-30"])])
def test_a_row_that_has_run_out_is_warned_of(rules: Path, on: date, said: list[str]) -> None:
    edit(rules, "co.toml", 'id = "CO.1day"', 'id = "CO.1day"\neffective_to = 2026-11-30')
    found = [one for one in warnings(load(rules), on) if one.row == "CO.1day"]
    assert [one.said[:21] for one in found] == said
    # A row that was repealed may well have ended.
    assert not [one for one in warnings(load(rules), on) if one.row == "NYC.2in7_old"]


def test_a_row_that_binds_unconfirmed_is_warned_of(rules: Path) -> None:
    old = 'confidence = "low"\nstatus = "house"'
    edit(rules, "co.toml", old, 'confidence = "low"\nstatus = "unconfirmed"')
    (found,) = [one for one in warnings(load(rules), TODAY) if one.file == "co.toml" and one.row]
    assert found.row == "CO.house_attempts"
    assert "not confirmed" in found.said


@pytest.mark.parametrize(
    ("code", "there", "not_there"),
    [
        ("US-NY-NYC", {"US.7in7", "NY.1plus3", "NYC.3in7", "HOUSE.paid"}, {"MA.2in7", "ES.hours", "EU.rec"}),
        ("US", {"US.7in7", "HOUSE.paid"}, {"MA.2in7", "NYC.3in7"}),
        ("ES", {"ES.hours", "EU.rec", "HOUSE.paid"}, {"US.7in7"}),
        ("EU", {"EU.rec"}, {"ES.hours", "HOUSE.paid"}),
    ],
)
def test_what_stands_at_a_place(code: str, there: set[str], not_there: set[str]) -> None:
    found = {one.id: one for one in standing(load(SHIPPED), code)}
    assert there <= set(found)
    assert not_there.isdisjoint(found)
    assert all(one.citation and one.source and one.binds is (one.status in ENFORCED) for one in found.values())


def test_a_row_binds_its_actors_alone() -> None:
    found = {one.id: one.binds for one in standing(load(SHIPPED), "US-MA", "first_party")}
    assert (found["US.7in7"], found["US.hours_first_party"], found["MA.2in7"]) == (False, True, True)


def test_a_row_in_either_reading() -> None:
    strict, literal = row(load(SHIPPED), "CO.1day"), row(load(SHIPPED, strict=False), "CO.1day")
    assert strict is not None
    assert literal is not None
    assert (strict.keys["scope"], literal.keys["scope"]) == (("person",), ("person", "creditor"))
    assert (strict.jurisdiction, strict.kind, strict.binds) == ("CO", "caps", True)
    assert row(load(SHIPPED), "CO.none") is None


def test_equal_packs_differ_in_nothing(rules: Path) -> None:
    edit(rules, "co.toml", "[pack]", "# a comment\n[pack]")
    assert compare(SHIPPED, rules) == []


def test_a_difference_is_told_key_by_key(rules: Path) -> None:
    edit(rules, "co.toml", 'strict = { scope = ["person"] } ', "strict = { limit = 2 } ")
    edit(rules, "co.toml", 'treat = "closed" }', 'treat = "as_weekday" }')
    edit(rules, "es.toml", "as_of = 2026-11-21", "as_of = 2026-12-01")
    edit(rules, "es.toml", 'id = "ES.robinson"', 'id = "ES.lista"\nnote = "renamed"')
    edit(rules, "timezones.toml", 'CO = ["America/Bogota"]', 'CO = ["America/Bogota", "America/Lima"]')
    found = {one.entry: one for one in compare(SHIPPED, rules)}
    assert found["CO.1day"] == Changed(
        entry="CO.1day", what="changed", keys={"strict": ({"scope": ["person"]}, {"limit": 2})}
    )
    assert list(found["[jurisdiction.CO]"].keys) == ["holidays"]
    assert found["[pack] of es.toml"].keys == {"as_of": (date(2026, 11, 21), date(2026, 12, 1))}
    assert found["[timezones.country]"].keys == {"CO": (["America/Bogota"], ["America/Bogota", "America/Lima"])}
    assert (found["ES.robinson"].what, found["ES.lista"].what) == ("removed", "added")
    assert found["ES.lista"].keys["note"] == (None, "renamed")
    assert len(found) == 6
    back = {one.entry: one for one in compare(rules, SHIPPED)}
    assert (back["ES.robinson"].what, back["ES.lista"].what) == ("added", "removed")
