"""The settings files of a working folder: read, checked, and told in the operator's words what is wrong.

`cadencia.toml` holds the floor, the ledger and the switch nodes; each file of `campaigns/` one campaign. Secrets are in
no file: a node names the environment variable that holds its own.
"""

import difflib
import os
import re
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

import msgspec

from domain.calls import Mode
from domain.documents import fault
from domain.errors import BadInput
from domain.settings import CampaignSettings, FloorSettings

T = TypeVar("T")

SETTINGS_FILE = "cadencia.toml"
CAMPAIGNS = "campaigns"
RULES = "rules"
ASTERISK = "asterisk"
SOCKET = "cadencia.sock"

_FIELD = re.compile(r"field `([^`]+)`")


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
    campaigns = []
    for campaign_path in sorted((folder / CAMPAIGNS).glob("*.toml")):
        campaign = read(campaign_path, CampaignSettings, shown_from=folder)
        if campaign.name != campaign_path.stem:
            raise BadInput(
                f"{CAMPAIGNS}/{campaign_path.name}: name is {campaign.name!r}, but the file is called "
                f"{campaign_path.name}; give both the same name"
            )
        campaigns.append(campaign)
    try:
        floor = msgspec.structs.replace(
            file.floor, campaigns=tuple(campaigns), nodes=tuple(file.nodes) or FloorSettings().nodes
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
    try:
        return msgspec.convert(data, kind)
    except msgspec.ValidationError as error:
        raise BadInput(f"{shown}: {_in_words(str(error), data, kind)}") from None
    except BadInput as error:
        # The records name themselves ("campaign 'es': …", "floor 'floor': …"); the file's name says it better.
        text = re.sub(r"^campaign [^:]*: ", "", str(error))
        raise BadInput(f"{shown}: {re.sub(r'^floor [^:]*: ', 'floor: ', text)}") from None


def schema(kind: type[Any]) -> bytes:
    """Return the JSON Schema of a settings record, for editors."""
    return msgspec.json.format(msgspec.json.encode(msgspec.json.schema(kind)), indent=2)


def _in_words(message: str, data: Any, kind: type[Any]) -> str:
    """Turn msgspec's message into: key path, what it must be, what was found, what to do."""
    what, path, found = fault(message, data, kind)
    steps = [str(step) for step in path]
    key = ".".join(steps)
    field = _FIELD.search(what)
    if field and "unknown field" in what:
        name = ".".join([*steps, field.group(1)])
        fields = _fields(kind, steps)
        near = [known for known in fields if field.group(1) in known]
        near = near or difflib.get_close_matches(field.group(1), fields, n=1)
        return f"{name} is no setting; {f'did you mean {near[0]}?' if near else 'remove it'}"
    if field and "missing" in what:
        return f"{'.'.join([*steps, field.group(1)])} is missing; add it"
    return f"{key or 'the file'} must be {_expected(what, key)}, was {found!r}; correct it"


def _expected(what: str, key: str) -> str:
    if "Invalid enum value" in what:
        return f"one of {', '.join(Mode)}" if key.endswith("mode") else "a known word"
    match = re.match(r"Expected `([^`]+)`(.*?)(?:, got .*)?$", what)
    if not match:
        return what
    words = {
        "str": "text in quotes",
        "int": "a whole number",
        "float": "a number",
        "bool": "true or false",
        "array": "a list in [ ]",
        "object": "a table",
        "null": "absent",
    }
    kinds = [kind.strip() for kind in match.group(1).split("|")]
    return " or ".join(words.get(kind, kind) for kind in kinds if kind != "null") + match.group(2)


def _fields(kind: type[Any], steps: Sequence[str]) -> list[str]:
    """Return the settings that the table at `steps` may hold."""
    for step in steps:
        info = {field.name: field.type for field in msgspec.structs.fields(kind)} if _is_record(kind) else {}
        inner = info.get(step)
        while inner is not None and not _is_record(inner):
            arguments = [argument for argument in getattr(inner, "__args__", ()) if _is_record(argument)]
            inner = arguments[0] if arguments else None
        kind = inner or kind
    return [field.encode_name for field in msgspec.structs.fields(kind)] if _is_record(kind) else []


def _is_record(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, msgspec.Struct)
