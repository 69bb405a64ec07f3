"""The settings files: what is wrong is told with file, key path, what was found and what to do."""

import re
import tomllib
from importlib.resources import files
from pathlib import Path
from typing import Any

import msgspec
import pytest

from console import settings
from domain.errors import BadInput
from domain.settings import MADE, MADE_OF_FLOOR, CampaignSettings, FloorSettings, Selection


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "campaigns").mkdir()
    (tmp_path / "cadencia.toml").write_text("", encoding="utf-8")
    return tmp_path


def complaint(folder: Path) -> str:
    with pytest.raises(BadInput) as caught:
        settings.load(folder)
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("abandon_limit = 3.0", "abandon_limit must be in [0, 0.999], was 3.0; correct it"),
        ('abandon_limit = "x"', "abandon_limit must be a number, was 'x'; correct it"),
        ("abandon_limt = 0.1", "abandon_limt is no setting; did you mean abandon_limit?"),
        ("zzz = 1", "zzz is no setting; remove it"),
        (
            'mode = "predictiv"',
            "mode must be one of preview, progressive, power, predictive, was 'predictiv'; do you mean predictive?",
        ),
        (
            "retry.busy.after_min = nan",
            "retry.busy.after_min is nan, which is no finite number; write a number, or leave the key out",
        ),
        ("retry.busy.after_min = -5", "retry.busy.after_min must be a number >= 0.0, was -5; correct it"),
        ("max_attempts = 0", "max_attempts must be in [1, 1000000], was 0; correct it"),
        ("record = 1", "record must be true or false, was 1; correct it"),
        ('selection.countries = "ES"', "selection.countries must be a list in [ ], was 'ES'; correct it"),
        ('selection.countries = ["es"]', "selection.countries has 'es', which is no country; do you mean ES?"),
        (
            'caller_ids = { "*" = ["+34910000000"], Spain = [] }',
            "caller_ids has 'Spain', which is no country; do you mean ES?",
        ),
        ("selection.countries = [3]", "selection.countries.0 must be text in quotes, was 3; correct it"),
        (
            'caller_ids.CO = ["+571"]\ncaller_ids.ES = [34]',
            "caller_ids.ES.0 must be text in quotes, was 34; correct it",
        ),
        ("[retry.busy]\nlimit = 1.5", "retry.busy.limit must be a whole number, was 1.5; correct it"),
        ("[[limits]]\ndays = 30\nshare = 3", "limits.0.share must be in (0, 0.999], was 3.0; write 0.03 for 3 %"),
        ("[[limits]]\ndays = 30", "limits.0.share is missing; add it"),
        ("counted = ['lost']", "counted must hold no_agent and may hold lost, detection, was lost; correct it"),
        ("[retry.busy]\nafter_mins = 3", "retry.busy.after_mins is no setting; did you mean after_min?"),
        ("x =", "is not TOML: Invalid value (at line 2, column 4); correct that line"),
    ],
)
def test_a_wrong_campaign_file_is_told_by_key_and_value(folder: Path, text: str, told: str) -> None:
    (folder / "campaigns/es.toml").write_text(f'name = "es"\n{text}\n', encoding="utf-8")
    assert complaint(folder) == f"campaigns/es.toml: {told}"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('[floor]\nstrem = "x"', "floor.strem is no setting; did you mean stream?"),
        ("[floor]\nmax_lines = 0", "floor: max_lines must be 1 or more and nodes may not be empty"),
        (
            '[floor]\nzone = "Europe/Madird"',
            "floor.zone must be an IANA time zone such as Europe/Madrid, was 'Europe/Madird'; correct it",
        ),
        ("[nodes.main]\nport = 0", "nodes.main.port must be a whole number >= 1, was 0; correct it"),
        ('[nodes.a]\n[nodes.main]\nport = "1"', "nodes.main.port must be a whole number, was '1'; correct it"),
        ('[nodes.main]\nsecret = "hush"', "nodes.main.secret is no setting; did you mean secret_variable?"),
        (
            "[ledger]\nmax_reject_share = 2",
            "ledger.max_reject_share must be a number <= 1.0, was 2; shares are from 0 to 1: 2 % is written 0.02",
        ),
        (
            "[floor]\ntick_s = inf",
            "floor.tick_s is inf, which is no finite number; write a number, or leave the key out",
        ),
        ("[floor]\ntick_s = 0.0", "floor: tick_s must be in [0.01, 3600], was 0.0; correct it"),
        ("[floor]\nfirst_hour = 24", "floor: first_hour must be in [0, 23], was 24; correct it"),
    ],
)
def test_a_wrong_floor_file_is_told_by_key_and_value(folder: Path, text: str, told: str) -> None:
    (folder / "cadencia.toml").write_text(text, encoding="utf-8")
    assert complaint(folder) == f"cadencia.toml: {told}"


def test_a_file_and_its_campaign_have_one_name(folder: Path) -> None:
    (folder / "campaigns/es.toml").write_text('name = "co"\n', encoding="utf-8")
    assert "name is 'co', but the file is called es.toml" in complaint(folder)
    (folder / "campaigns/es.toml").write_text('mode = "power"\n', encoding="utf-8")
    assert complaint(folder) == "campaigns/es.toml: name is missing; add it"


def test_a_folder_without_settings_says_how_to_make_one(tmp_path: Path) -> None:
    assert "cadencia init" in complaint(tmp_path)


def test_campaigns_and_nodes_come_together_in_the_floor(folder: Path) -> None:
    (folder / "cadencia.toml").write_text('[nodes.north]\n[nodes.south]\nhost = "10.0.0.2"\n', encoding="utf-8")
    for name in ("us", "es"):
        (folder / f"campaigns/{name}.toml").write_text(f'name = "{name}"\n', encoding="utf-8")
    loaded = settings.load(folder)
    assert [campaign.name for campaign in loaded.floor.campaigns] == ["es", "us"]
    assert loaded.floor.nodes == ("north", "south")
    assert loaded.nodes["south"].host == "10.0.0.2"
    assert loaded.ledger_url == f"sqlite:///{folder.resolve() / 'ledger.db'}"


@pytest.mark.parametrize(
    ("url", "resolved"),
    [
        ("sqlite:///here.db", "sqlite:////f/here.db"),
        ("sqlite:////abs/there.db", "sqlite:////abs/there.db"),
        ("postgresql+psycopg://me@host/cadencia", "postgresql+psycopg://me@host/cadencia"),
    ],
)
def test_only_a_relative_sqlite_path_is_resolved(url: str, resolved: str) -> None:
    assert settings.resolved_url(url, Path("/f")) == resolved


def test_a_secret_comes_from_the_environment_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    node = settings.NodeSettings(secret_variable="CADENCIA_TEST_SECRET")
    monkeypatch.setenv("CADENCIA_TEST_SECRET", "hush")
    assert node.secret() == "hush"
    monkeypatch.delenv("CADENCIA_TEST_SECRET")
    with pytest.raises(BadInput, match="CADENCIA_TEST_SECRET holds no secret"):
        node.secret()


def uncommented(name: str) -> dict[str, Any]:
    """Return a template with every commented-out key and table put in."""
    text = files("config").joinpath(name).read_text(encoding="utf-8")
    return tomllib.loads(re.sub(r'^# (?=\[|"?[A-Za-z_*]+"? = )', "", text, flags=re.MULTILINE))


def test_the_campaign_template_explains_every_key_with_its_default() -> None:
    data = uncommented("campaign.toml")
    assert set(data) == {field.name for field in msgspec.structs.fields(CampaignSettings)} - set(MADE)
    assert set(data["selection"]) == {field.name for field in msgspec.structs.fields(Selection)}
    loaded, default = msgspec.convert(data, CampaignSettings), CampaignSettings(name="sample")
    examples = {"max_lines", "caller_ids", "selection", "retry", "limits"}
    for field in set(data) - examples:
        assert getattr(loaded, field) == getattr(default, field), field
    for disposition, retry in loaded.retry.items():
        assert retry == default.follow(disposition)


def test_the_floor_template_explains_every_key_with_its_default() -> None:
    data = uncommented("cadencia.toml")
    file = msgspec.convert(data, settings.FileSettings)
    given_elsewhere = {"campaigns", "nodes", *MADE_OF_FLOOR}
    assert set(data["floor"]) == {field.name for field in msgspec.structs.fields(FloorSettings)} - given_elsewhere
    assert msgspec.structs.replace(file.floor, max_lines=FloorSettings().max_lines) == FloorSettings()
    assert file.ledger == settings.LedgerSettings()
    example = msgspec.structs.replace(file.nodes["main"], ca_file=None)
    assert example == settings.NodeSettings()
    assert file.trunks["trunk"] == settings.TrunkSettings()
    assert set(data["trunks"]["trunk"]) == {field.name for field in msgspec.structs.fields(settings.TrunkSettings)}
    assert set(data["nodes"]["main"]) == {field.name for field in msgspec.structs.fields(settings.NodeSettings)}


def test_editors_get_a_schema() -> None:
    schema = msgspec.json.decode(settings.schema(CampaignSettings))
    assert "abandon_limit" in schema["$defs"]["CampaignSettings"]["properties"]
