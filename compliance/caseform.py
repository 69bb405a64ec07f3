"""The form of a line of the case file; who writes it wrongly is told what, where, what was found and what to do."""

import re
from typing import Annotated, Any, Literal, get_args

import msgspec

from compliance.rows import ACTORS, CHANNELS, PURPOSES, Actor, AddressType, Channel, LineType, Purpose
from domain.errors import BadInput
from domain.people import ContactEvent

Direction = Literal["outbound", "inbound"]
Of = Literal["household", "phone"]
Name = str | int
#: One name or several: a contact may be about more than one debt.
Names = Name | tuple[Name, ...]
Country = Annotated[str, msgspec.Meta(pattern="^[A-Z]{2}$")]


class _Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    pass


class CaseDebtor(_Part, frozen=True, kw_only=True):
    """Whom the contact is for."""

    country: Country
    person: Name | None = None
    #: Codes or names of the packs; a city's code may stand in either.
    region: str | None = None
    city: str | None = None
    #: E.164.
    phone: str | None = None
    #: Zone or zones of the verified address.
    address_timezone: str | tuple[str, ...] | None = None
    #: Takes the place of what the number says.
    line_type: LineType | None = None
    address_type: AddressType | None = None
    #: Names of the do-not-contact registers that hold the number.
    registers: tuple[str, ...] | None = None


class CaseContact(_Part, frozen=True, kw_only=True):
    """One line of the history."""

    at: str
    #: Missing: the channel of the case, or the one that the event speaks of where that is another.
    channel: Channel | None = None
    #: Missing: the rung that counts for most, a conversation or a delivered message.
    event: ContactEvent | None = None
    direction: Direction | None = None
    phone: str | None = None
    #: Missing: unspecified, counts on each.
    debt: Names | None = None
    creditor: Name | None = None
    address_type: AddressType | None = None
    #: Missing: the debtor's own; otherwise of somebody else in the household, or on the number.
    of: Of | None = None


class CaseConsent(_Part, frozen=True, kw_only=True):
    kind: str
    channel: Channel | None = None
    phone: str | None = None
    #: Missing: it stands whenever the case is judged.
    until: str | None = None


class CaseFlag(_Part, frozen=True, kw_only=True):
    kind: str
    #: Missing: every channel; `call` stands for every voice.
    channel: Channel | None = None
    #: Missing: until it is lifted.
    until: str | None = None


class CaseLine(_Part, frozen=True, kw_only=True):
    """A line of the file; only what has no value here must be there."""

    id: Name
    at: str
    channel: Channel
    debtor: CaseDebtor
    actor: Actor | None = None
    strict: bool | None = None
    debt: Names | None = None
    creditor: Name | None = None
    purpose: Purpose | None = None
    flags: tuple[str | CaseFlag, ...] | None = None
    history: tuple[CaseContact, ...] | None = None
    consents: tuple[str | CaseConsent, ...] | None = None
    live_agent_guaranteed: bool | None = None


_decoder = msgspec.json.Decoder(CaseLine)
_NOT_JSON = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_PARTS: dict[str, type[msgspec.Struct]] = {
    "debtor": CaseDebtor,
    "history": CaseContact,
    "consents": CaseConsent,
    "flags": CaseFlag,
}
_WORDS: dict[str, tuple[str, ...]] = {
    "channel": CHANNELS,
    "actor": ACTORS,
    "purpose": PURPOSES,
    "direction": get_args(Direction),
    "of": get_args(Of),
    "event": tuple(ContactEvent),
    "line_type": get_args(LineType),
    "address_type": get_args(AddressType),
}


def read(line: bytes | str) -> CaseLine:
    """Return a line of the file as a record.

    Raises
    ------
    BadInput
        When it is no such line: says where in it, what was found and what to write.
    """
    try:
        return _decoder.decode(line)
    except msgspec.ValidationError as error:
        raise BadInput(_complaint(str(error), _json(line))) from None
    except _NOT_JSON as error:
        raise _no_json(error) from None


def identity(line: bytes | str) -> str | int | None:
    """Return the id of a line, judged or not; None where none can be read."""
    try:
        found = _json(line)
    except BadInput:
        return None
    given = found.get("id") if isinstance(found, dict) else None
    return given if isinstance(given, str | int) and not isinstance(given, bool) else None


def _json(line: bytes | str) -> Any:
    try:
        return msgspec.json.decode(line)
    except _NOT_JSON as error:
        raise _no_json(error) from None


def _no_json(error: Exception) -> BadInput:
    return BadInput(f"line is not JSON: {error}; write one object a line")


def _complaint(error: str, found: Any) -> str:
    """Return what is wrong with a line, where in it, what was found and what to write."""
    said, _, path = error.partition(" - at `$")
    path = path.removeprefix(".").rstrip("`")
    said = f"{path or 'line'}: {said[0].lower()}{said[1:]}"
    name = re.sub(r"\[\d+\]$", "", path).rpartition(".")[2]
    if "field `" in said:
        fields = _PARTS.get(name, CaseLine).__struct_fields__
        return f"{said}; its fields are {', '.join(fields)}"
    for key in re.findall(r"\w+", path):
        found = found[int(key) if isinstance(found, list) else key]
    if "enum value" in said:
        said = f"{path}: is no word known"
    hint = "write the ISO code in capitals, e.g. ES" if name == "country" else "correct it"
    if name in _WORDS:
        hint = f"write one of {', '.join(_WORDS[name])}"
    return f"{said}, found {_short(found)}; {hint}"


def _short(found: Any) -> str:
    text = msgspec.json.encode(found).decode()
    return text if len(text) <= 60 else f"{text[:60]}…"
