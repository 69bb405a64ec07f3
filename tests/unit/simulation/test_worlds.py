"""Worlds' documents: those that ship, one over the other, and refused where no world could be so."""

import re
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from domain.errors import BadInput
from simulation.population import PRESETS, load

NULLS = ("no_effect", "no_timing")


def test_every_world_that_ships_can_be_and_says_what_it_is() -> None:
    assert {"bank_early", "telco_late", "utility", "debt_buyer", *NULLS} < set(PRESETS)
    abouts = {load(name).about for name in PRESETS}
    assert len(abouts) == len(PRESETS)


@pytest.mark.parametrize("null", NULLS)
@pytest.mark.parametrize("preset", sorted(set(PRESETS) - set(NULLS)))
def test_null_worlds_can_be_put_over_any_other(preset: str, null: str) -> None:
    plain, over = load(preset), load(f"{preset}+{null}")
    assert (plain.presence.timing, plain.contact.works) == (True, True)
    assert (over.presence.timing, over.contact.works) == (null != "no_timing", null != "no_effect")
    # Nothing else differs.
    back = structs.replace(
        over,
        about=plain.about,
        presence=structs.replace(over.presence, timing=True),
        contact=structs.replace(over.contact, works=True),
    )
    assert back == plain


def test_document_states_what_differs_from_its_base(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(
        'base = "telco_late+no_timing"\nabout = "mine"\n[numbers]\np_dead = [0.5, 0.5]\n'
    )
    (tmp_path / "ours.toml").write_text('base = "mine.toml"\n[payment]\np_full = 0.25\n')
    mine, ours = load(tmp_path / "mine.toml"), load(str(tmp_path / "ours.toml"))
    assert mine.numbers.p_dead == (0.5, 0.5)
    assert mine.numbers.p_stranger == load("telco_late").numbers.p_stranger
    assert not mine.presence.timing
    assert ours == structs.replace(mine, payment=structs.replace(mine.payment, p_full=0.25))
    # Over another world a document lays what it states itself, not its base.
    laid = load(f"utility+{tmp_path / 'ours.toml'}")
    utility = load("utility")
    assert laid == structs.replace(utility, payment=structs.replace(utility.payment, p_full=0.25))


def test_what_is_put_over_a_world_may_be_given_in_code() -> None:
    assert load("utility", {"talk": {"longest_s": 60.0}}).talk.longest_s == 60.0


def test_unknown_worlds_are_told_with_those_that_are_known(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"atlantis: neither a preset nor a document; the presets are bank_early, "):
        load("atlantis")
    with pytest.raises(BadInput, match="atlantis: neither"):
        load("utility+atlantis")
    (tmp_path / "a.toml").write_text('base = "b.toml"')
    (tmp_path / "b.toml").write_text('base = "a.toml"')
    with pytest.raises(BadInput, match="is its own base"):
        load(tmp_path / "a.toml")
    (tmp_path / "c.toml").write_text("base = 3")
    with pytest.raises(BadInput, match="base must be the name or path of a world, was 3"):
        load(tmp_path / "c.toml")
    (tmp_path / "d.toml").write_text("base = [")
    with pytest.raises(BadInput, match=r"d\.toml: cannot be read as TOML"):
        load(tmp_path / "d.toml")


IMPOSSIBLE: list[tuple[dict[str, Any], str]] = [
    ({"payment": {"self_cure_per_day": [-0.1] * 6}}, "payment.self_cure_per_day[0] must be a number >= 0.0, was -0.1"),
    ({"numbers": {"p_dead": [1.5, 0.0]}}, "numbers.p_dead[0] must be a number <= 1.0, was 1.5"),
    ({"line": {"setup_s": [0.0, 0.5]}}, "line.setup_s[0] must be a number > 0.0, was 0.0"),
    ({"line": {"patience_s": float("nan")}}, "line.patience_s: nan is no number"),
    ({"payment": {"by_ability": float("inf")}}, "payment.by_ability: inf is no number"),
    ({"payment": {"p_full": "all"}}, "payment.p_full must be a number, was 'all'"),
    ({"talk": 3}, "talk must be a table, was 3"),
    ({"payment": {"selfcure": 1.0}}, "payment takes no key `selfcure`"),
    ({"presence": {"weekday": [0.5] * 23}}, "presence.weekday must be a list of length >= 24, was list of 23"),
    ({"answering": {"p_pick_up": [0.1] * 5}}, "p_pick_up must have one number for each of the 6 stages, had 5"),
    ({"stage_days": [30, 30, 90, 180, 365]}, "stage_days must rise"),
    ({"outcomes": {"no_answer": 1.0}}, "outcomes: no_answer does not belong here"),
    ({"conditions": {"promise": 0.1}}, "conditions: promise does not belong here"),
    ({"conditions": {"vulnerable": 0.6, "deceased": 0.6}}, "conditions together exceed 1"),
    ({"responses": {"negative": {"tilt": {"vulnerable": 1.0}}}}, "responses.negative.tilt: vulnerable does not belong"),
    ({"complaints": {"about": dict.fromkeys(load("default").complaints.about, 0)}},
     "complaints.about must add up to more than 0"),
    ({"responses": {"persuadable": {"keeps": 2.0}}}, r"responses.persuadable.keeps must be a number <= 1.0, was 2.0"),
    ({"channels": {"sms": {"p_seen": 3.0}}}, r"channels.sms.p_seen must be a number <= 1.0, was 3.0"),
    ({"channels": {"sms": {"seen": 0.5}}}, "channels.sms takes no key `seen`"),
    ({"outcomes": {"promise": -1}}, r"outcomes.promise must be a number >= 0.0, was -1"),
    ({"payment": {"weekdays": [0] * 7}}, "payment.weekdays must add up to more than 0"),
    ({"promises": {"days": [21, 2]}}, "promises.days must go from the lesser to the greater, was [21, 2]"),
    ({"payment": {"hours": [8, 8]}}, "payment.hours must go from the lesser to the greater"),
    ({"presence": {"rhythms": {"office_hours": {"weekday": [[18, 8, 1.0]]}}}}, "from hour 18 to hour 8 is no time"),
    ({"answering": {"p_busy": 0.995}}, "p_busy together exceed 1"),
    ({"promises": {"p_late": 0.9}}, "p_late and p_short together exceed 1"),
    ({"answering": {"fatigue": [1.0, 0.0, 0.0]}}, "fatigue must not reach 0 before its last number"),
    ({"correlation": {"ability wit": 0.1}}, "'ability wit' must name two of rhythm, ability"),
    ({"correlation": {"willingness ability": 0.1}}, "a pair is stated twice"),
    ({"correlation": {"standing ability": 0.99, "standing willingness": 0.99, "ability willingness": -0.9}},
     "nobody can be correlated so"),
    ({"payment": {"payday_factor": 20.0}}, "payday_factor 20.0 on 3 days leaves less than nothing"),
    ({"countries": {"ES": {"paydays": {"weekly": 0.9}}}}, "countries.ES.paydays: the shares together exceed 1"),
    ({"countries": {"ES": {"currency": "PESETA"}}}, "'PESETA' is no ISO 4217 code"),
    ({"countries": {"ES": {"places": [{"city": "Oz", "zones": ["Europe/Oz"], "weight": 1}]}}}, "'Europe/Oz' is no"),
    ({"portfolio": {"countries": {"FR": 1.0}}}, "FR has no places; state [[countries.FR.places]]"),
    ({"responses": {kind: {"pays": 0.0} for kind in ("lost_cause", "negative", "persuadable", "sure_thing")}},
     "in stage 0 nobody would ever pay"),
]  # fmt: skip


@pytest.mark.parametrize(("over", "complaint"), IMPOSSIBLE)
def test_impossible_worlds_are_refused_with_the_place_named(over: dict[str, Any], complaint: str) -> None:
    with pytest.raises(BadInput, match=rf"^world default: .*{re.escape(complaint)}"):
        load("default", over)


def test_document_without_a_base_states_everything(tmp_path: Path) -> None:
    text = (files("config") / "worlds" / "default.toml").read_text(encoding="utf-8")
    own = tmp_path / "own.toml"
    own.write_text(text)
    assert load(own) == load("default")
    own.write_text(text.replace('[countries."*"]', "[countries.FR]"))
    with pytest.raises(BadInput, match=r"own\.toml: countries must have one named"):
        load(own)
    own.write_text(text.replace("p_full = 0.45\nfull_by", "full_by"))
    with pytest.raises(BadInput, match=r"own\.toml: payment lacks `p_full`"):
        load(own)
