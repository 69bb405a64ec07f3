"""What `--strategy WORD` means: one place where a word becomes an arm.

    WORD = [LABEL=]SOURCE[:KEY=VALUE[,KEY=VALUE…]]

SOURCE is a campaign of the working folder, or the path of a TOML file with a campaign's keys; KEY is one of its own
settings (`order`, `strategy`, `retry.no_answer.after_min`) and takes the place of what stands there. A strategy's
document may stand in place of a campaign: it makes the list of the folder's only campaign, or of the sample that ships.
"""

import difflib
import tomllib
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

import msgspec

from console import settings
from console.accepted import in_force
from domain.documents import in_words, key_text, unusable_numbers
from domain.errors import BadInput
from domain.settings import MADE, CampaignSettings, FloorSettings
from simulation.month import Arm

#: The campaign that ships, for whoever has no working folder yet.
_SAMPLE = "sample"


def arm_of(word: str, folder: Path, *, rules: str = "") -> Arm:
    """Return the arm that a word means.

    Parameters
    ----------
    rules : str
        Folder of rule packs; empty: those that the working folder goes by, or else those that ship.

    Raises
    ------
    BadInput
        When there is no such campaign or file, or a setting is none.
    """
    head, _, changes = word.partition(":")
    label, equals, source = head.rpartition("=")
    if not source or (equals and not label):
        raise BadInput(f"--strategy {word!r}: names no campaign; write CAMPAIGN, FILE.toml or NAME=CAMPAIGN:key=value")
    campaign = _campaign(source, folder)
    if changes:
        campaign = _changed(word, campaign, changes, folder)
    floor = FloorSettings()
    if (folder / settings.SETTINGS_FILE).is_file():
        loaded = settings.load(folder)
        floor = loaded.floor
        rules = rules or str(in_force(loaded.rules).resolve())
    return Arm(
        name=label or (Path(source).stem if source.endswith(".toml") else source) + (f":{changes}" if changes else ""),
        floor=msgspec.structs.replace(floor, campaigns=(campaign,)),
        rules=rules,
    )


def _campaign(source: str, folder: Path) -> CampaignSettings:
    if source.endswith(".toml"):
        path = Path(source)
        if not path.is_file():
            raise BadInput(
                f"--strategy {source}: there is no such file; name one with a campaign's keys, or a strategy's document"
            )
        if _is_document(path):
            from strategy.checking import read
            from strategy.documents import attached

            campaigns = sorted((folder / settings.CAMPAIGNS).glob("*.toml"))
            own = settings.read(campaigns[0], CampaignSettings, shown_from=folder) if len(campaigns) == 1 else _sample()
            return attached(own, read(path))
        return settings.with_strategy(
            settings.read(path, CampaignSettings, shown_from=path.parent), folder, f"--strategy {source}"
        )
    home = folder / settings.CAMPAIGNS
    path = home / f"{source}.toml"
    if path.is_file():
        return settings.with_strategy(
            settings.read(path, CampaignSettings, shown_from=folder), folder, f"{settings.CAMPAIGNS}/{path.name}"
        )
    if source == _SAMPLE and not (folder / settings.SETTINGS_FILE).is_file():
        return _sample()
    if not (folder / settings.SETTINGS_FILE).is_file():
        raise BadInput(
            f"--strategy {source}: {folder.resolve()} is no working folder; name one with --folder, or a FILE.toml "
            f"with a campaign's keys, or {_SAMPLE}, which ships"
        )
    known = sorted(one.stem for one in home.glob("*.toml")) or ["none"]
    raise BadInput(
        f"--strategy {source}: {folder / settings.CAMPAIGNS} has no campaign of that name; it has {', '.join(known)}. "
        "Name one of them, or a file FILE.toml with a campaign's keys"
    )


def _sample() -> CampaignSettings:
    with as_file(files("config")) as config:
        return settings.read(config / "campaign.toml", CampaignSettings, shown_from=config)


def _is_document(path: Path) -> bool:
    """Return whether a file is a strategy's document, and not a campaign's: it alone has segments."""
    try:
        return any(key in tomllib.loads(path.read_text(encoding="utf-8")) for key in ("segments", "rank_by"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError):
        return False  # whoever reads it next says what is wrong


def _changed(word: str, campaign: CampaignSettings, changes: str, folder: Path) -> CampaignSettings:
    told: dict[str, Any] = msgspec.to_builtins(campaign)
    for change in changes.split(","):
        key, equals, text = change.partition("=")
        steps = key.strip().split(".")
        if not equals or not text or not all(steps):
            raise BadInput(f"--strategy {word!r}: {change!r} changes nothing; write KEY=VALUE, such as order=ageing")
        fields = CampaignSettings.__struct_fields__
        if steps[0] not in fields or steps[0] in ("name", *MADE):
            near = difflib.get_close_matches(steps[0], fields, n=1)
            raise BadInput(
                f"--strategy {word!r}: {steps[0]} is no setting of a campaign that can be changed; "
                + (f"did you mean {near[0]}?" if near else "see config/campaign.toml for those that can")
            )
        place = told
        for step in steps[:-1]:
            place = place.setdefault(step, {})
            if not isinstance(place, dict):
                raise BadInput(f"--strategy {word!r}: {key} is no setting: {step} holds no others; correct it")
        place[steps[-1]] = _value(text.strip())
    for path, what in unusable_numbers(told):
        raise BadInput(f"--strategy {word!r}: {key_text(path)} {what}")
    try:
        changed = msgspec.convert(told, CampaignSettings)
    except msgspec.ValidationError as error:
        raise BadInput(f"--strategy {word!r}: {in_words(str(error), told, CampaignSettings)[1]}") from None
    if changed.strategy == campaign.strategy:
        return changed
    plain = msgspec.structs.replace(changed, document="", treatments={})
    return settings.with_strategy(plain, folder, f"--strategy {word!r}")


def _value(text: str) -> Any:
    """Return a TOML value, or the text itself where it is none: `ageing` needs no quotes."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text
