"""What a word of --strategy means, and what is said of one that means nothing."""

from pathlib import Path

import pytest

from console.folder import make_folder
from console.simulating import numbers
from console.strategies import arm_of
from domain.errors import BadInput


def test_without_a_working_folder_the_sample_that_ships_is_meant(tmp_path: Path) -> None:
    arm = arm_of("sample", tmp_path)
    assert (arm.name, arm.rules, [one.name for one in arm.floor.campaigns]) == ("sample", "", ["sample"])


def test_a_campaign_of_the_folder_comes_with_its_floor_and_its_rules(tmp_path: Path) -> None:
    make_folder(tmp_path, ("evening", "other"))
    arm = arm_of("late=evening", tmp_path)
    assert arm.name == "late"
    assert [one.name for one in arm.floor.campaigns] == ["evening"]
    assert arm.floor.max_lines == 60
    assert Path(arm.rules) == tmp_path / "rules"


def test_changes_take_the_place_of_settings_and_name_the_arm(tmp_path: Path) -> None:
    arm = arm_of("sample:order=ageing,abandon_limit=0.01,retry.no_answer.after_min=30,hard=true", tmp_path)
    campaign = arm.floor.campaigns[0]
    assert (campaign.order, campaign.abandon_limit, campaign.hard) == ("ageing", 0.01, True)
    assert campaign.follow("no_answer").after_min == 30
    assert arm.name == "sample:order=ageing,abandon_limit=0.01,retry.no_answer.after_min=30,hard=true"
    assert arm_of("B=sample:order=ageing", tmp_path).name == "B"


def test_a_file_with_a_campaigns_keys_is_a_strategy(tmp_path: Path) -> None:
    path = tmp_path / "fresh.toml"
    path.write_text('name = "fresh"\norder = "newest"\n')
    assert arm_of(str(path), tmp_path).floor.campaigns[0].order == "newest"
    assert arm_of(str(path), tmp_path).name == "fresh"


def test_a_working_folder_says_which_campaigns_it_has(tmp_path: Path) -> None:
    make_folder(tmp_path, ("evening", "other"))
    with pytest.raises(BadInput, match="has no campaign of that name; it has evening, other"):
        arm_of("nowhere", tmp_path)


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("nowhere", "is no working folder; name one with --folder"),
        ("missing.toml", "no such file"),
        ("=sample", "names no campaign"),
        ("A=", "names no campaign"),
        ("sample:ordr=ageing", "did you mean order"),
        ("sample:order", "changes nothing"),
        ("sample:name=other", "no setting of a campaign that can be changed"),
        ("sample:order=alphabet", "order must be one of"),
        ("sample:ratio=fast", "ratio must be a number, was 'fast'"),
        ("sample:name.by=x", "no setting of a campaign that can be changed"),
        ("sample:retry.busy.after_min=inf", "retry.busy.after_min is inf, which is no finite number"),
        ("sample:order.by=x", "order must be text in quotes, was { by = 'x' }"),
        ("sample:order=ageing,order.by=x", "order holds no others"),
    ],
)
def test_what_means_nothing_is_refused(tmp_path: Path, word: str, said: str) -> None:
    with pytest.raises(BadInput, match=said):
        arm_of(word, tmp_path)


def test_numbers_are_a_range_or_a_list() -> None:
    assert numbers("--agents", "10:60:10") == (10, 20, 30, 40, 50, 60)
    assert numbers("--limit", "1,2.5") == (1, 2.5)
    assert numbers("--limit", "") == ()
    for text in ("10:60", "a", "10:5:1", "1:2:0"):
        with pytest.raises(BadInput, match="10:60:10"):
            numbers("--agents", text)
