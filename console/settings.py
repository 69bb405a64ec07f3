"""The settings files of a working folder: read, checked, and told in the operator's words what is wrong.

`cadencia.toml` holds the floor, the ledger and the switch nodes; each file of `campaigns/` one campaign. Secrets are in
no file: a node names the environment variable that holds its own.
"""

import difflib
import inspect
import os
import re
import tomllib
from pathlib import Path
from typing import Annotated, Any, TypeVar, get_args
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

import msgspec

from domain.documents import in_words, key_text, unusable_numbers
from domain.errors import BadInput
from domain.matching import Matching
from domain.settings import MADE, MADE_OF_FLOOR, CampaignSettings, FloorSettings

T = TypeVar("T")

SETTINGS_FILE = "cadencia.toml"
CAMPAIGNS = "campaigns"
RULES = "rules"
STRATEGIES = "strategies"
ASTERISK = "asterisk"
SOCKET = "cadencia.sock"
#: Which agent suits which debtor, as promoted; without the file nothing is.
MATCHING = "matching.json"


class NodeSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One Asterisk server; `config/cadencia.toml` explains every key."""

    host: str = "127.0.0.1"
    port: Annotated[int, msgspec.Meta(ge=1, le=65535)] = 5038
    user: str = "cadencia"
    #: Name of the environment variable that holds the secret.
    secret_variable: str = "AMI_SECRET"
    tls: bool = False
    #: PEM file of the authority to trust; None trusts those of the system.
    ca_file: str | None = None
    tls_verify: bool = True
    #: How a trunk is dialled: {number} is E.164, {digits} without its plus, {trunk} the trunk's name.
    dial: str = "PJSIP/{number}@{trunk}"
    #: How the phone of an agent without an extension of its own is dialled.
    dial_agent: str = "PJSIP/agent{agent}"
    #: Major version of that Asterisk, for the rendered files.
    version: int = 22
    #: Addresses from which the engine may connect, for the rendered files.
    permit: tuple[str, ...] = ("127.0.0.1",)
    #: PJSIP transport of rendered endpoints; empty: the server's first.
    transport: str = ""
    #: What agents dial before their number to begin their shift on pause, to be ready, and to pause.
    login_code: str = "*7"
    ready_code: str = "*8"
    pause_code: str = "*9"

    def secret(self) -> str:
        """Return the secret from the environment.

        Raises
        ------
        BadInput
            When the variable is unset or empty.
        """
        secret = os.environ.get(self.secret_variable, "")
        if not secret:
            raise BadInput(
                f"environment: {self.secret_variable} holds no secret for the AMI user {self.user!r} of "
                f"{self.host}:{self.port}; export {self.secret_variable}=… before starting"
            )
        return secret


class TrunkSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A way to the telephone network."""

    #: SIP address of the carrier; empty: the server has this endpoint already.
    contact: str = ""
    #: Addresses from which the carrier calls.
    match: tuple[str, ...] = ()
    codecs: tuple[str, ...] = ("alaw", "ulaw")
    username: str = ""
    #: Name of the environment variable that holds the carrier's password.
    password_variable: str = ""
    #: Leads back to this machine, never to the real network: only then may a rehearsed clock dial through it.
    loopback: bool = False


class Promoted(msgspec.Struct, frozen=True, kw_only=True):
    """A table of matching in force; its file tells besides what it was learned from."""

    at: str
    by: str
    matching: Matching


class LedgerSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    #: SQLAlchemy URL; a relative SQLite path lies in the working folder.
    url: str = "sqlite:///ledger.db"
    #: Share of bad rows above which nothing of an import lands.
    max_reject_share: Annotated[float, msgspec.Meta(ge=0.0, le=1.0)] = 0.05


class FileSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`cadencia.toml` as it stands in the file."""

    floor: FloorSettings = FloorSettings()
    ledger: LedgerSettings = LedgerSettings()
    nodes: dict[str, NodeSettings] = {}
    trunks: dict[str, TrunkSettings] = {}


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """All settings of a working folder."""

    folder: Path
    #: With the campaigns and the names of the nodes.
    floor: FloorSettings
    ledger: LedgerSettings
    nodes: dict[str, NodeSettings]
    trunks: dict[str, TrunkSettings]

    @property
    def ledger_url(self) -> str:
        """Return the ledger's URL with a relative SQLite path resolved against the folder."""
        return resolved_url(self.ledger.url, self.folder)

    @property
    def rules(self) -> Path:
        """Return the folder of the rule packs."""
        return self.folder / RULES

    @property
    def socket(self) -> Path:
        """Return the path of the control socket."""
        return self.folder / SOCKET


def resolved_url(url: str, folder: Path) -> str:
    """Return a ledger URL whose relative SQLite path is made absolute."""
    head, slashes, path = url.partition(":///")
    if slashes and head.split("+")[0] == "sqlite" and not path.startswith("/"):
        return f"{head}:///{folder.resolve() / path}"
    return url


def load(folder: Path) -> Settings:
    """Read a working folder's settings.

    Raises
    ------
    BadInput
        Naming file, key path, what was found and what to do.
    """
    path = folder / SETTINGS_FILE
    if not path.is_file():
        raise BadInput(
            f"{path}: there is no such file; make a working folder with `cadencia init DIR` and name it with "
            "--folder DIR (or CADENCIA_FOLDER), or change into it"
        )
    file = read(path, FileSettings, shown_from=folder)
    for name in MADE_OF_FLOOR:
        if getattr(file.floor, name) is not None:
            raise BadInput(f"{SETTINGS_FILE}: floor.{name} is made by `cadencia models match --promote`; remove it")
    campaigns = []
    for campaign_path in sorted((folder / CAMPAIGNS).glob("*.toml")):
        campaign = read(campaign_path, CampaignSettings, shown_from=folder)
        if campaign.name != campaign_path.stem:
            raise BadInput(
                f"{CAMPAIGNS}/{campaign_path.name}: name is {campaign.name!r}, but the file is called "
                f"{campaign_path.name}; give both the same name"
            )
        campaigns.append(with_strategy(campaign, folder, f"{CAMPAIGNS}/{campaign_path.name}"))
    try:
        floor = msgspec.structs.replace(
            file.floor,
            campaigns=tuple(campaigns),
            nodes=tuple(file.nodes) or FloorSettings().nodes,
            matching=None if (promoted := matching_in_force(folder)) is None else promoted.matching,
        )
    except BadInput as error:
        raise BadInput(f"{SETTINGS_FILE}: {error}") from None
    try:
        ZoneInfo(floor.zone)
    except (ZoneInfoNotFoundError, ValueError):
        near = difflib.get_close_matches(floor.zone, sorted(available_timezones()), n=1)
        raise BadInput(
            f"{SETTINGS_FILE}: floor.zone must be an IANA time zone such as {near[0] if near else 'Europe/Madrid'}, "
            f"was {floor.zone!r}; correct it"
        ) from None
    return Settings(folder=folder, floor=floor, ledger=file.ledger, nodes=file.nodes, trunks=file.trunks)


def matching_in_force(folder: Path) -> Promoted | None:
    """Return a working folder's table of matching; None: callers go to the longest idle.

    Raises
    ------
    BadInput
        When its file is none.
    """
    try:
        return msgspec.json.decode((folder / MATCHING).read_bytes(), type=Promoted)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.DecodeError) as error:
        raise BadInput(
            f"{MATCHING}: cannot be read ({error}); take it back with `cadencia models match --withdraw`, and "
            "learn it anew"
        ) from None


def read(path: Path, kind: type[T], *, shown_from: Path) -> T:
    """Return one TOML file as a record of `kind`.

    Raises
    ------
    BadInput
        Naming file (relative to `shown_from`), key path, what was found and what to do.
    """
    shown = path.relative_to(shown_from).as_posix()
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadInput(f"{shown}: cannot be read ({error.strerror}); check its owner and mode") from None
    except UnicodeDecodeError as error:
        raise BadInput(f"{shown}: byte {error.start} is not UTF-8; save the file as UTF-8") from None
    except tomllib.TOMLDecodeError as error:
        raise BadInput(f"{shown}: is not TOML: {error}; correct that line") from None
    for key, what in unusable_numbers(data):
        raise BadInput(f"{shown}: {key_text(key)} {what}")
    try:
        return msgspec.convert(data, kind)
    except msgspec.ValidationError as error:
        raise BadInput(f"{shown}: {in_words(str(error), data, kind)[1]}") from None
    except BadInput as error:
        # The records name themselves ("campaign 'es': …", "floor 'floor': …"); the file's name says it better.
        text = re.sub(r"^campaign [^:]*: ", "", str(error))
        raise BadInput(f"{shown}: {re.sub(r'^floor [^:]*: ', 'floor: ', text)}") from None


def with_strategy(campaign: CampaignSettings, folder: Path, shown: str) -> CampaignSettings:
    """Return a campaign as its file states it with the strategy that it names.

    Parameters
    ----------
    shown : str
        The campaign as errors name it.

    Raises
    ------
    BadInput
        When there is no such strategy, or something is wrong with it.
    """
    for name in MADE:
        if getattr(campaign, name):
            raise BadInput(f"{shown}: {name} is made from the strategy's own file; remove it, and change that file")
    if not campaign.strategy:
        return campaign
    from strategy.checking import read as read_strategy
    from strategy.documents import attached

    home = folder / STRATEGIES
    path = home / f"{campaign.strategy}.toml"
    if not path.is_file():
        known = sorted(one.stem for one in home.glob("*.toml"))
        near = difflib.get_close_matches(campaign.strategy, known, n=1)
        hint = f"did you mean {near[0]}?" if near else f"it has {', '.join(known) or 'none'}"
        raise BadInput(f"{shown}: strategy is {campaign.strategy!r}, and {STRATEGIES}/ has no {path.name}; {hint}")
    return attached(campaign, read_strategy(path, f"{STRATEGIES}/{path.name}"))


def _records(kind: Any, found: dict[str, type[msgspec.Struct]]) -> dict[str, type[msgspec.Struct]]:
    """Return the records that a kind holds, itself among them, by name."""
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct) and kind.__name__ not in found:
        found[kind.__name__] = kind
        for field in msgspec.structs.fields(kind):
            _records(field.type, found)
    for inner in get_args(kind):
        _records(inner, found)
    return found


def _comments(record: type[msgspec.Struct]) -> dict[str, str]:
    """Return what the `#:` lines above a record's keys say of them; none where its source was not installed."""
    try:
        lines = inspect.getsource(record).splitlines()
    except OSError:
        return {}
    found, above = {}, list[str]()
    for line in map(str.strip, lines):
        if line.startswith("#:"):
            above.append(line.removeprefix("#:").strip())
            continue
        key = re.match(r"(\w+): ", line)
        if key and above and key[1] in record.__struct_fields__:
            found[key[1]] = " ".join(above)
        above.clear()
    return found


def schema(kind: type[Any]) -> bytes:
    """Return the JSON Schema of a settings record, for editors; each key is described by its comment in the code."""
    told = msgspec.json.schema(kind)
    for record in _records(kind, {}).values():
        keys = told["$defs"][record.__name__]["properties"]
        for name, words in _comments(record).items():
            keys[name].setdefault("description", words)
    for name in MADE:
        told["$defs"].get("CampaignSettings", {"properties": {}})["properties"].pop(name, None)
    for name in MADE_OF_FLOOR:
        told["$defs"].get("FloorSettings", {"properties": {}})["properties"].pop(name, None)
    return msgspec.json.format(msgspec.json.encode(told), indent=2)
