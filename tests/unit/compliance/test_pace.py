"""What the packs ask of a campaign as a whole: limits of abandonment by place and day, the message that is due,
and the registers that must be on record.
"""

import shutil
from datetime import date
from pathlib import Path

import pytest

from compliance.gate import Gate
from compliance.pace import _days
from compliance.packs import SHIPPED, load
from compliance.rows import Span
from domain.errors import BadInput
from domain.pace import PATIENCE, RING, SHIFT, PaceRule, strictest
from domain.people import Dossier
from domain.settings import CampaignSettings, Window

DAY = date(2026, 11, 18)


@pytest.fixture(scope="module")
def gate() -> Gate:
    return Gate.load(SHIPPED)


def living(*countries: str, region: str | None = None) -> list[Dossier]:
    return [Dossier(person=number, keys=(), country=country, region=region) for number, country in enumerate(countries)]


def asked(gate: Gate, *countries: str, actor: str = "third_party", on: date = DAY) -> list[str]:
    found = gate.pace_rules(living(*countries), actor=actor, purpose="collection", on=on)
    return [rule.rule for rule in found]


def test_each_country_brings_its_own(gate: Gate) -> None:
    assert asked(gate, "ES") == ["ES.abandon_house"]
    assert asked(gate, "US") == ["US.abandon_house"]
    assert asked(gate, "CO") == []
    # The rate of short calls is no matter of pacing.
    assert asked(gate, "BR") == ["BR.abandon_house"]
    assert asked(gate, "ES", "CO", "GB", "ES") == ["ES.abandon_house", "GB.abandon"]


def test_a_row_says_how_it_binds(gate: Gate) -> None:
    (rule,) = gate.pace_rules(living("GB"), actor="third_party", purpose="collection", on=DAY)
    assert rule == PaceRule(
        rule="GB.abandon", share=0.03, days=1, hard=True, alert_share=0.01,
        counted=("no_agent", "lost", "detection"), max_wait_s=2.0, min_ring_s=15.0,
    )  # fmt: skip
    (rule,) = gate.pace_rules(living("US"), actor="third_party", purpose="collection", on=DAY)
    assert (rule.days, rule.hard, rule.counted) == (30, False, ("no_agent", "lost"))


def changed(tmp_path: Path, country: str, old: str, new: str) -> Path:
    directory = Path(shutil.copytree(SHIPPED, tmp_path / "packs"))
    pack = directory / f"{country}.toml"
    text = pack.read_text()
    assert old in text
    pack.write_text(text.replace(old, new, 1))
    return directory


def test_a_row_binds_on_its_dates_and_in_its_regions_alone(tmp_path: Path) -> None:
    row = 'id = "ES.abandon_house"\n'
    gate = Gate.load(changed(tmp_path, "es", row, row + "effective_from = 2026-11-19\nregions = ['CT']\n"))
    assert asked(gate, "ES") == []
    on = date(2026, 11, 19)
    # An unknown region may be that one.
    assert asked(gate, "ES", on=on) == ["ES.abandon_house"]
    for region, rules in (("MD", 0), ("CT", 1)):
        found = gate.pace_rules(living("ES", region=region), actor="third_party", purpose="collection", on=on)
        assert len(found) == rules


def test_a_row_that_is_not_in_force_binds_nobody(tmp_path: Path) -> None:
    row = 'id = "ES.abandon_house"\n'
    text = (SHIPPED / "es.toml").read_text()
    start = text.index(row)
    status = text[start : text.index("force =", start)]
    gate = Gate.load(changed(tmp_path, "es", status, status.replace('"house"\n', '"proposed"\n')))
    assert asked(gate, "ES") == []


def test_what_the_numerator_counts_must_be_known(tmp_path: Path) -> None:
    old = 'numerator = "answered_live_not_connected_within_2s"'
    with pytest.raises(BadInput, match=r"ES\.abandon_house.*numerator 'dropped' is not known"):
        load(changed(tmp_path, "es", old, 'numerator = "dropped"'))


@pytest.mark.parametrize(
    ("span", "days"),
    [
        (Span(type="rolling_days", n=30), 30),
        (Span(type="rolling_hours", n=24), 1),
        (Span(type="rolling_hours", n=25), 2),
        (Span(type="calendar_day"), 1),
        (Span(type="calendar_week"), 3),
        (Span(type="calendar_week", week_start="sun"), 4),
        (Span(type="calendar_month"), 18),
    ],
)
def test_a_span_in_days_of_the_floor(span: Span, days: int) -> None:
    assert DAY.strftime("%a") == "Wed"
    assert _days(span, DAY) == days


def test_the_message_is_due_where_a_row_requires_it(gate: Gate) -> None:
    def required(*countries: str) -> tuple[str, ...]:
        return gate.required_messages(living(*countries), actor="third_party", purpose="collection", on=DAY)

    assert required("ES", "US", "CO") == ()
    assert required("ES", "GB") == ("GB.message",)


# ---- the strictest of all


def test_of_settings_operator_and_rules_the_strictest_holds() -> None:
    settings = CampaignSettings(
        name="c", abandon_limit=0.05, limits=(Window(days=30, share=0.02),), patience_s=4.0, ring_timeout_s=10.0
    )
    rules = (
        PaceRule(rule="A.day", share=0.03, counted=("no_agent", "lost"), max_wait_s=3.0, min_ring_s=15.0),
        PaceRule(rule="B.day", share=0.04, hard=True, alert_share=0.01, max_wait_s=2.0),
        PaceRule(rule="B.month", share=0.03, days=30, hard=True),
        PaceRule(rule="C.week", share=0.05, days=7),
    )
    pace = strictest(settings, 0.05, rules)
    assert (pace.share, pace.hard, pace.alert_share) == (0.03, True, 0.01)
    assert pace.windows == (Window(days=30, share=0.02, hard=True), Window(days=7, share=0.05))
    assert (pace.counted, pace.patience_s, pace.ring_timeout_s) == (("no_agent", "lost"), 2.0, 15.0)
    assert pace.by == {SHIFT: "A.day", "7 days": "C.week", PATIENCE: "B.day", RING: "A.day"}
    # An operator may be stricter and not laxer.
    assert strictest(settings, 0.01, rules).share == 0.01
    assert SHIFT not in strictest(settings, 0.01, rules).by
    assert strictest(settings, 0.9, rules).share == 0.03


def test_without_rules_the_settings_stand() -> None:
    settings = CampaignSettings(name="c", abandon_limit=0.05, hard=True, counted=("no_agent", "detection"))
    pace = strictest(settings, 0.05)
    assert (pace.share, pace.hard, pace.windows, pace.counted, pace.by) == (
        0.05, True, (), ("no_agent", "detection"), {},
    )  # fmt: skip


def test_registers_are_needed_by_place_purpose_channel_and_day(tmp_path: Path) -> None:
    directory = Path(shutil.copytree(SHIPPED, tmp_path / "rules"))
    path = directory / "es.toml"
    text = path.read_text()
    row = text[text.index('id = "ES.robinson_selling"') :].partition("\n\n")[0]
    later = row.replace("ES.robinson_selling", "ES.later") + "\neffective_from = 2027-01-01"
    written = row.replace("ES.robinson_selling", "ES.written").replace('["call",', '["email",')
    written = written.replace(', "prerecorded", "voicemail", "ringless_vm", "sms", "im"', "")
    regional = row.replace("ES.robinson_selling", "ES.regional") + '\nregions = ["CT"]'
    extra = "".join(f"\n[[jurisdiction.ES.registries]]\n{one}\n" for one in (later, written, regional))
    path.write_text(text + extra)
    gate = Gate.load(directory)

    def needed(*addresses: tuple[str, str | None, str | None], on: date = DAY, **asked: str) -> list[tuple[str, str]]:
        return [(row.id, country) for row, country in gate.registers(addresses, on=on, **asked)]

    madrid, barcelona = ("ES", "MD", None), ("ES", "CT", "Barcelona")
    selling = {"actor": "third_party", "purpose": "cross_sell"}
    assert needed(madrid, ("ES", "MD", "Getafe"), **selling) == [("ES.robinson_selling", "ES")]
    assert needed(madrid, actor="third_party", purpose="collection") == []
    assert needed(barcelona, **selling) == [("ES.regional", "ES"), ("ES.robinson_selling", "ES")]
    assert ("ES.later", "ES") in needed(madrid, on=date(2027, 1, 1), **selling)
    # Whoever contacts them, what for and by whatever channel.
    assert needed(madrid) == [("ES.robinson_selling", "ES"), ("ES.written", "ES")]
    assert needed(("US", "NY", None), madrid, ("FR", None, None), **selling) == [
        ("US.dnc_selling", "US"),
        ("ES.robinson_selling", "ES"),
    ]
