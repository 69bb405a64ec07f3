"""The rule packs that a working folder goes by: accepted versions, each kept under the hash of its contents.

The packs in `rules/` are a draft: what is edited there binds nobody until it is accepted. A version once accepted is
kept for good, so that what was decided under it can be decided again.
"""

import os
import shutil
import time
from contextlib import suppress
from pathlib import Path

import msgspec

from compliance.gate import Gate
from compliance.packs import SHIPPED, load
from console.command_line import user
from domain.errors import BadInput
from domain.instants import iso

#: Below the folder of the packs: a folder for each version, and who accepted what, a line of JSON each.
ACCEPTED = "accepted"
LOG = "accepted.jsonl"
_LITERAL = "-literal"


class Acceptance(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A version came into force."""

    version: str
    #: ISO instant, UTC.
    at: str
    by: str
    note: str = ""
    #: In force until then; empty: nothing had been accepted.
    before: str = ""


def history(rules: Path) -> list[Acceptance]:
    """Return what was accepted in a folder of packs, oldest first.

    Raises
    ------
    BadInput
        When the list cannot be read.
    """
    path = rules / ACCEPTED / LOG
    try:
        lines = path.read_bytes().splitlines()
    except FileNotFoundError:
        return []
    except OSError as error:
        raise BadInput(f"{path}: cannot be read ({error.strerror}); check its owner and mode") from None
    found = []
    for number, line in enumerate(lines, 1):
        try:
            found.append(msgspec.json.decode(line, type=Acceptance))
        except msgspec.DecodeError as error:
            raise BadInput(f"{path}: line {number} is no acceptance ({error}); restore it from a copy") from None
    return found


def in_force(rules: Path) -> Path:
    """Return the folder of the packs that a working folder goes by: the last accepted, or else what it holds."""
    accepted = history(rules)
    return _folder(rules, accepted[-1].version) if accepted else rules


def gate_in_force(rules: Path) -> Gate:
    """Return the gate of those packs."""
    accepted = history(rules)
    return _whole(_folder(rules, accepted[-1].version), accepted[-1].version) if accepted else Gate.load(rules)


def gate_of(rules: Path, version: str) -> Gate | None:
    """Return the gate of any version that is to be had: accepted once, or the folder's or the release's own now.

    Raises
    ------
    BadInput
        When the version was kept, and its files are not what they were.
    """
    if not version:
        return None  # nothing was in force yet
    kept = _folder(rules, version)
    if kept.is_dir():
        return _whole(kept, version)
    for directory in (rules, SHIPPED):
        with suppress(BadInput):  # a draft may be wrong
            gate = Gate.load(directory, strict=not version.endswith(_LITERAL))
            if gate.version == version:
                return gate
    return None


def accepted_gate(rules: Path, version: str) -> Gate:
    """Return the gate of a version that was accepted.

    Raises
    ------
    BadInput
        When it was not, or its files are not what they were.
    """
    if not any(one.version == version for one in history(rules)):
        raise BadInput(f"rules: version {version!r} was never accepted in {rules}; use `cadencia rules accept`")
    return _whole(_folder(rules, version), version)


def keep(rules: Path, version: str, *, by: str | None = None, note: str = "") -> Acceptance:
    """Accept the packs that a folder holds; a copy of them is in force from now on.

    Parameters
    ----------
    version : str
        What was looked at; other contents are not accepted.

    Raises
    ------
    BadInput
        When the packs are not those, or cannot be copied.
    """
    accepted = history(rules)
    before = accepted[-1].version if accepted else ""
    at = iso(time.time_ns() // 1000)
    fresh = Acceptance(version=version, at=at, by=by or user(), note=note, before=before)
    home, kept = rules / ACCEPTED, _folder(rules, version)
    making = home / f".{version}.{os.getpid()}"
    try:
        if not kept.is_dir():
            making.mkdir(parents=True)
            for path in sorted(rules.glob("*.toml")):
                shutil.copyfile(path, making / path.name)
            if load(making).version != version:
                raise BadInput(f"{rules}: the packs changed while they were looked at; look again")
            making.rename(kept)
        with (home / LOG).open("ab") as log:
            log.write(msgspec.json.encode(fresh) + b"\n")
            log.flush()
            os.fsync(log.fileno())
    except OSError as error:
        raise BadInput(
            f"{home}: cannot be written ({error.strerror}); check its owner and mode, and the disk"
        ) from None
    finally:
        shutil.rmtree(making, ignore_errors=True)
    return fresh


def gate_to_run(rules: Path) -> Gate:
    """Return the gate in force; what a folder holds when nothing was accepted yet is accepted by running it."""
    gate = gate_in_force(rules)
    if not history(rules):
        keep(rules, gate.version, note="first run")
    return gate


def draft_differs(rules: Path) -> bool:
    """Return whether the folder's packs are not those in force."""
    accepted = history(rules)
    return bool(accepted) and load(rules).version != accepted[-1].version


def _folder(rules: Path, version: str) -> Path:
    return rules / ACCEPTED / version.removesuffix(_LITERAL)


def _whole(directory: Path, version: str) -> Gate:
    """Return the gate of kept packs, which must be what their folder says."""
    if not directory.is_dir():
        raise BadInput(f"{directory}: the accepted rule packs are gone; restore them from a copy, or accept anew")
    gate = Gate.load(directory, strict=not version.endswith(_LITERAL))
    if gate.version != version:
        raise BadInput(f"{directory}: holds version {gate.version} of the packs; restore the files that it was made of")
    return gate
