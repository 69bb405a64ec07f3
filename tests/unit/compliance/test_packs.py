"""Packs: what ships is whole; what an operator may get wrong is refused with file, row and remedy."""

import csv
import shutil
from pathlib import Path

import pytest

from compliance.gate import Gate
from compliance.packs import SHIPPED, load, read
from compliance.rows import KINDS, Cap
from domain.errors import BadInput
from domain.instants import parse
from tests.unit.compliance.debtors import debtor


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    return Path(shutil.copytree(SHIPPED, tmp_path / "rules"))


def edit(rules: Path, name: str, old: str, new: str) -> None:
    path = rules / name
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def test_what_ships_is_whole() -> None:
    packs = load(SHIPPED)
    assert set(packs.jurisdictions) == {
        *("HOUSE", "PCI", "EU", "ES", "GB", "CO", "CL", "PE", "MX", "AR", "AR-C", "AR-A"),
        *("US", "US-MA", "US-WA", "US-DC", "US-NY", "US-NY-NYC", "US-FL"),
        *("BR", "BR-SP", "BR-RJ", "BR-ES", "BR-AL", "BR-AM"),
    }
    assert all(row.citation and row.source for row in packs.rows.values())
    assert all("Not legal advice" in file.head.notice and not file.head.counsel.signed for file in packs.files.values())
    assert all("NOT LEGAL ADVICE" in path.read_text() for path in SHIPPED.glob("*.toml"))


def test_every_region_of_a_country_of_several_zones_has_its_own() -> None:
    packs = load(SHIPPED)
    zones = packs.timezones
    for country, place in packs.jurisdictions.items():
        if country in zones.country and (len(zones.country[country]) > 1 or place.regions):
            wanted = {f"{country}-{region}" for region in place.regions if len(zones.country[country]) > 1}
            assert wanted == {code for code in zones.region if code.startswith(f"{country}-")}, country


def test_no_row_of_the_sources_is_lost() -> None:
    packs = load(SHIPPED)
    with (Path(__file__).parents[2] / "rules" / "rows.csv").open(newline="") as file:
        wanted = {row["id"]: row for row in csv.DictReader(file)}
    found = {
        row.id: {"id": row.id, "table": code, "array": array}
        | {key: getattr(row, key) for key in ("confidence", "status", "force", "citation", "source")}
        for code, place in packs.jurisdictions.items()
        for array in KINDS
        for row in getattr(place, array)
        if row.id in wanted
    }
    assert len(wanted) == 104
    assert found == wanted


def test_the_strict_reading_replaces_keys() -> None:
    strict, literal = load(SHIPPED), load(SHIPPED, strict=False)
    caps = [packs.rows["US.7in7"] for packs in (strict, literal)]
    assert [cap.counts for cap in caps if isinstance(cap, Cap)] == ["attempts", "connected_attempts"]
    assert strict.version != literal.version


def test_the_version_names_the_contents(rules: Path) -> None:
    before = load(rules).version
    assert before == load(SHIPPED).version
    edit(rules, "co.toml", "[pack]", "# read by counsel\n[pack]")
    assert load(rules).version != before


CITED = 'citation = "Ley 2300/2023 art. 3"\n'
STRICT = 'strict = { scope = ["person"] }'
TUESDAY = 'tue = [["07:00", "19:00"]]'
COLOMBIA = "[jurisdiction.CO]"


@pytest.mark.parametrize(
    ("name", "old", "new", "said"),
    [
        ("co.toml", CITED, "", r"co\.toml.*windows.*row 1 \(CO\.hours\).*citation"),
        ("co.toml", CITED, 'citation = " "\n', r"CO\.hours.*citation is empty"),
        ("co.toml", 'override = "hours"', 'overide = "hours"', r"CO\.hours.*unknown field `overide`"),
        ("co.toml", TUESDAY, 'tue = [["07:00", "12:00"], ["11:59", "19:00"]]', r"days\.tue.*overlap"),
        ("co.toml", TUESDAY, 'tue = [["19:00", "07:00"]]', r"days\.tue.*ends before it begins"),
        ("co.toml", TUESDAY, 'tue = [["7:00", "19:00"]]', r"days\.tue.*no pair of HH:MM"),
        ("co.toml", TUESDAY, 'tue = [["07:00", "24:01"]]', r"days\.tue.*no pair of HH:MM"),
        ("co.toml", 'counts = "contacts"', 'counts = "chats"', r"CO\.1day.*Invalid enum value 'chats'"),
        ("co.toml", "limit = 1\n", "limit = 0\n", r"CO\.1day.*limit must be 1 or more"),
        ("co.toml", STRICT, 'strict = { scpe = ["person"] }', r"CO\.1day.*unknown field `scpe`"),
        ("co.toml", 'id = "CO.1day"', 'id = "CO.hours"', r"CO\.hours.*stands twice"),
        ("co.toml", '["channel_not_authorized_by_debtor"]', '["no_channel"]', r"trigger 'no_channel' is no stop known"),
        ("co.toml", 'window = { type = "calendar_day" }', 'window = { type = "calendar_day", n = 0 }', r"window\.n"),
        ("co.toml", "[[jurisdiction.CO.windows]]", "[[jurisdiction.CO.caps]]", r"CO\.hours"),
        ("co.toml", '[[jurisdiction.CO.windows]]\nid = "CO.hours"\nchannels = ["call", ',
         '[[jurisdiction.CO.windows]]\nid = "CO.hours"\nchannels = [', r"no window binds calls of third_party"),
        ("co.toml", COLOMBIA, "[jurisdiction.CO]\ncapital = 1", r"jurisdiction\.CO.*unknown field `capital`"),
        ("co.toml", COLOMBIA, "[jurisdictions.CO]\n[jurisdiction.CO]", r"unknown table \[jurisdictions\]"),
        ("co.toml", COLOMBIA, "[jurisdiction.CO", r"co\.toml: not TOML"),
        ("co.toml", COLOMBIA, "[jurisdiction.EU]\nname = 'E'\nactors = []\n[jurisdiction.CO]",
         r"eu\.toml: jurisdiction EU stands in another file"),
        ("co.toml", "[[jurisdiction.CO.windows]]", "[jurisdiction.CO.windows]", r"CO\.windows.*\[\[double brackets"),
        ("co.toml", COLOMBIA, "[jurisdiction]\nAA = 1\n[jurisdiction.CO]", r"jurisdiction\.AA\] is no table"),
        ("co.toml", STRICT, 'strict = true', r"CO\.1day.*strict is no table"),
        ("co.toml", "schema_version = 1", "schema_version = 2", r"co\.toml.*schema_version 2"),
        ("co.toml", "signed = false", "signed = true", r"co\.toml.*signed by nobody"),
        ("us.toml", "effective_from = 2026-09-01",
         "effective_from = 2027-01-01\neffective_to = 2026-01-01", r"3in7.*after"),
        ("us.toml", 'parent = "US-NY"', 'parent = "US-NJ"', r"US-NY-NYC.*parent 'US-NJ'"),
        ("us.toml", "duration = { calendar_days", "duration = { hours = 7, calendar_days", r"US\.7after.*either"),
        ("gb.toml", 'regions = ["ENG", "WLS"] ', 'regions = ["ENG", "WAL"] ', r"GB\.breathing_space: region 'WAL'"),
        ("br.toml", 'cities = [{ region = "SP"', 'cities = [{ region = "XX"', r"holidays name region 'XX'"),
        ("house.toml", 'trigger = ["deceased"]', 'trigger = ["bankrupt"]', r"stops deceased; add house rows"),
        ("timezones.toml", 'CO = ["America/Bogota"]', "", r"CO.*timezones\.toml has no zones for CO"),
        ("timezones.toml", 'CO = ["America/Bogota"]', "CO = []", r"timezones\.country\] CO names no zone"),
        ("timezones.toml", 'US-TN = ["America/New_York"', 'US-TN = ["America/Knoxville"', r"US-TN.*America/Knoxville"),
        ("timezones.toml", 'US-TN = ["+1423"', 'US-XX = ["+1423"', r"region US-XX has no zones"),
        ("timezones.toml", "max_number_zones = 10", "max_number_zones = many", r"timezones\.toml: not TOML"),
        ("timezones.toml", "max_number_zones = 10", 'max_number_zones = "10"', r"\[timezones\].*max_number_zones"),
    ],
)  # fmt: skip
def test_a_mistake_is_named_with_its_place(rules: Path, name: str, old: str, new: str, said: str) -> None:
    edit(rules, name, old, new)
    with pytest.raises(BadInput, match=said):
        load(rules)


@pytest.mark.parametrize(
    ("at", "channel", "region", "city", "rule"),
    [
        ("2026-11-16T12:30:00+01:00", "call", "N", None, "ZZ.hours"),
        ("2026-11-16T14:00:00+01:00", "call", "N", None, None),
        ("2026-11-19T10:00:00+01:00", "call", "N", "Strelsau", "ZZ.hours"),
        ("2026-11-19T10:00:00+01:00", "call", "N", "Zenda", None),
        ("2026-11-18T10:00:00+01:00", "sms", "Southern Ruritania", None, "S.optin"),
        ("2026-11-18T10:00:00+01:00", "sms", "Northern Ruritania", None, None),
        ("2026-11-18T10:00:00+01:00", "sms", None, None, "S.optin"),
    ],
)
def test_the_pack_of_the_manual_is_one(
    rules: Path, at: str, channel: str, region: str | None, city: str | None, rule: str | None
) -> None:
    manual = (SHIPPED.parents[1] / "docs" / "compliance.md").read_text()
    (rules / "zz.toml").write_text(manual.partition("```toml\n")[2].partition("```")[0])
    edit(rules, "timezones.toml", "[timezones.country]\n", '[timezones.country]\nZZ = ["Europe/Prague"]\n')
    verdict = Gate.load(rules).judge(
        debtor("ZZ", region=region, city=city),
        at_us=parse(at),
        channel=channel,
        phone=None,
        debts=(),
        actor="third_party",
        purpose="collection",
    )
    assert verdict.rule == rule


def test_a_file_without_a_head_is_refused(rules: Path) -> None:
    (rules / "xx.toml").write_text("[jurisdiction.XX]\nname = 'X'\nactors = []\n")
    with pytest.raises(BadInput, match=r"xx\.toml: no \[pack\] table"):
        load(rules)


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no rule packs found"):
        load(tmp_path)


def test_everything_wrong_is_named_at_once(rules: Path) -> None:
    edit(rules, "co.toml", 'override = "hours"', 'overide = "hours"\nclok = 1')
    edit(rules, "co.toml", CITED, "")
    edit(rules, "co.toml", "limit = 1\n", "limit = 0\n")
    edit(rules, "es.toml", 'counts = "attempts"', 'counts = "chats"\nlimits = 3')
    edit(rules, "house.toml", "schema_version = 1", "schema_version = 2")
    edit(rules, "timezones.toml", 'US-TN = ["America/New_York"', 'US-TN = ["America/Knoxville"')
    problems: list[str] = []
    assert read(rules, problems) is None
    for name, said in (
        ("co.toml", "(CO.hours): unknown field `overide`"),
        ("co.toml", "(CO.hours): unknown field `clok`"),
        ("co.toml", "(CO.hours): missing field `citation`"),
        ("co.toml", "(CO.1day): limit must be 1 or more"),
        ("es.toml", "counts: Invalid enum value 'chats'"),
        ("es.toml", "unknown field `limits`"),
        ("house.toml", "schema_version 2 is not 1"),
        ("timezones.toml", "US-TN: time zone 'America/Knoxville'"),
    ):
        assert len([one for one in problems if name in one and said in one]) == 1
    assert len(problems) == 8
    with pytest.raises(BadInput, match=r"overide.*and 7 more: `cadencia rules check`"):
        load(rules)


def test_each_file_has_its_own_version(rules: Path) -> None:
    before = load(rules).files
    edit(rules, "co.toml", "[pack]", "# read by counsel\n[pack]")
    after = load(rules).files
    assert [name for name in before if before[name].version != after[name].version] == ["co.toml"]
    assert after["co.toml"].codes == ("CO",)
    assert "US-NY-NYC" in after["us.toml"].codes
