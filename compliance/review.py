"""Packs for who reads, checks and changes them: their state, what to look at, what two versions differ in."""

import tomllib
from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Any

import msgspec

from compliance.packs import TIMEZONES, Packs
from compliance.places import Places, fold
from compliance.rows import ENFORCED, KINDS, Row


class PackState(msgspec.Struct, frozen=True, kw_only=True):
    """One file of packs."""

    file: str
    #: Names the file's contents.
    version: str
    #: Of its jurisdictions, by code.
    names: dict[str, str]
    as_of: date
    #: How many rows stand at each status.
    rows: dict[str, int]
    signed: bool
    #: Who signed, when; empty: nobody.
    counsel: str


class Warned(msgspec.Struct, frozen=True, kw_only=True):
    """Something of valid packs that a person should look at."""

    file: str
    row: str | None
    said: str


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """One row, where it stands and whether it binds."""

    jurisdiction: str
    #: Array of the pack: windows, caps …
    kind: str
    id: str
    status: str
    confidence: str
    force: str
    citation: str
    source: str
    actors: tuple[str, ...]
    binds: bool
    #: All its other keys.
    keys: dict[str, Any]


class Changed(msgspec.Struct, frozen=True, kw_only=True):
    """A row, a jurisdiction's own keys, a file's head or a table of zones that is not the same in two versions."""

    entry: str
    #: `added`, `removed` or `changed`.
    what: str
    #: By key, its value before and after; a key that one of them lacks is None there.
    keys: dict[str, tuple[Any, Any]]


def states(packs: Packs) -> list[PackState]:
    """Return the state of each file."""
    found = []
    for name, file in packs.files.items():
        counted: dict[str, int] = {}
        for row in _rows_of(packs, file.codes):
            counted[row.status] = counted.get(row.status, 0) + 1
        counsel = file.head.counsel
        signed = ", ".join(filter(None, (counsel.name, counsel.firm, counsel.on)))
        found.append(
            PackState(
                file=name,
                version=file.version,
                names={code: packs.jurisdictions[code].name for code in file.codes},
                as_of=file.head.as_of,
                rows=counted,
                signed=counsel.signed,
                counsel=signed if counsel.signed else "",
            )
        )
    return found


def warnings(packs: Packs, on: date) -> list[Warned]:
    """Return what of valid packs a person should look at on a day: expired, unconfirmed, unsigned."""
    found = []
    for name, file in packs.files.items():
        for row in _rows_of(packs, file.codes):
            if row.status not in ENFORCED:
                continue
            if row.effective_to is not None and row.effective_to < on:
                said = f"expired on {row.effective_to} and is still marked {row.status}; renew it or mark it repealed"
                found.append(Warned(file=name, row=row.id, said=said))
            if row.status == "unconfirmed":
                said = f"binds and is not confirmed ({row.citation}); have counsel confirm it"
                found.append(Warned(file=name, row=row.id, said=said))
        if not file.head.counsel.signed:
            said = "no counsel has signed it; have it read, and fill in [pack.counsel]"
            found.append(Warned(file=name, row=None, said=said))
    return found


def standing(packs: Packs, code: str, actor: str | None = None) -> list[Standing]:
    """Return the rows at a place, from the country down, then overlays and house; those that bind nobody included.

    Parameters
    ----------
    code : str
        Of a jurisdiction: a country, a region, a city or an overlay. Rows of places within it are left out.
    actor : str or None
        For whom a row must bind to be said to; None: for anybody.
    """
    country, *_ = code.split("-")
    above = [code[:end] for end, letter in enumerate(code) if letter == "-"]
    codes = dict.fromkeys(one for one in (*above, code) if one in packs.jurisdictions)
    if not packs.jurisdictions[code].overlay_for:
        codes |= dict.fromkeys(Places(packs).overlays(country))
    return [found for one in codes for found in _standing(packs, one, actor)]


def places_named(packs: Packs, name: str) -> list[str]:
    """Return the codes of the jurisdictions that a name is of: a whole code or its last part, or another name."""
    asked = fold(name)
    whole = [code for code in packs.jurisdictions if fold(code) == asked]
    return whole or [
        code
        for code, table in packs.jurisdictions.items()
        if asked in map(fold, (code.rpartition("-")[2], table.name, *table.aliases))
    ]


def row(packs: Packs, rule: str) -> Standing | None:
    """Return one row by its id; None: there is none."""
    for code in packs.jurisdictions:
        for found in _standing(packs, code, None):
            if found.id == rule:
                return found
    return None


def compare(before: Path, after: Path) -> list[Changed]:
    """Return what two directories of valid packs differ in, as their files are written, key by key."""
    old, new = _entries(before), _entries(after)
    found = []
    for entry in (*old, *(entry for entry in new if entry not in old)):
        left, right = old.get(entry), new.get(entry)
        what = "added" if left is None else "removed" if right is None else "changed"
        left, right = left or {}, right or {}
        keys = {
            key: (left.get(key), right.get(key))
            for key in (*left, *(key for key in right if key not in left))
            if left.get(key) != right.get(key)
        }
        if keys or what != "changed":
            found.append(Changed(entry=entry, what=what, keys=keys))
    return found


def _rows_of(packs: Packs, codes: tuple[str, ...]) -> Iterator[Row]:
    for code in codes:
        for kind in KINDS:
            yield from getattr(packs.jurisdictions[code], kind)


_SAID = {"id", "status", "confidence", "force", "citation", "source", "actors"}


def _standing(packs: Packs, code: str, actor: str | None) -> Iterator[Standing]:
    place = packs.jurisdictions[code]
    for kind in KINDS:
        for row in getattr(place, kind):
            actors = row.actors or place.actors
            yield Standing(
                jurisdiction=code,
                kind=kind,
                id=row.id,
                status=row.status,
                confidence=row.confidence,
                force=row.force,
                citation=row.citation,
                source=row.source,
                actors=actors,
                binds=row.status in ENFORCED and (actor is None or actor in actors),
                keys={
                    field.name: msgspec.to_builtins(value)
                    for field in msgspec.structs.fields(row)
                    if field.name not in _SAID and (value := getattr(row, field.name)) not in (field.default, (), {})
                },
            )


def _entries(directory: Path) -> dict[str, dict[str, Any]]:
    """Return the entries of a directory as written: rows by id, and the rest by the table it stands in."""
    found: dict[str, dict[str, Any]] = {}
    for path in sorted(directory.glob("*.toml")):
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
        found[f"[pack] of {path.name}"] = tables["pack"]
        if path.name == TIMEZONES:
            found |= _split("timezones", tables["timezones"])
        for code, table in tables.get("jurisdiction", {}).items():
            found[f"[jurisdiction.{code}]"] = {key: value for key, value in table.items() if key not in KINDS}
            for kind in KINDS:
                for raw in table.get(kind, ()):
                    found[raw["id"]] = {"jurisdiction": code, "kind": kind} | raw
    return found


def _split(name: str, table: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    found = {f"[{name}]": {key: value for key, value in table.items() if not isinstance(value, dict)}}
    return found | {f"[{name}.{key}]": value for key, value in table.items() if isinstance(value, dict)}
