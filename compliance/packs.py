"""Rule packs: TOML files in a directory, checked on the way in, as records.

A directory holds one file per country or overlay and `timezones.toml`. Every mistake that a reader of the file could
make is refused here, with file and row, so that the engine may trust what it is given.
"""

import tomllib
from collections.abc import Iterator
from datetime import date
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from compliance.hours import minute_of_day
from compliance.rows import (
    ACTORS,
    COUNTED,
    ENFORCED,
    KINDS,
    TRIGGERS,
    Cap,
    Cooldown,
    Days,
    Jurisdiction,
    Ratio,
    Row,
    Stop,
    Window,
)
from compliance.zones import load_zone
from domain.errors import BadInput
from domain.people import StopKind

#: The packs that come with the program; `cadencia init` copies them.
SHIPPED = Path(__file__).resolve().parent.parent / "config" / "rules"
TIMEZONES = "timezones.toml"
SCHEMA_VERSION = 1

_R = TypeVar("_R")


class Counsel(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who signed a file off."""

    signed: bool = False
    name: str = ""
    firm: str = ""
    #: ISO date.
    on: str = ""
    #: For which use, with which reservations.
    note: str = ""


class Head(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    schema_version: int
    #: State of the sources.
    as_of: date
    notice: str
    counsel: Counsel


class Timezones(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is known of zones beyond the library."""

    #: A number with more zones than this tells no place.
    max_number_zones: int
    #: Prefixes of numbers that tell no place.
    non_geographic: tuple[str, ...]
    #: All zones of a country.
    country: dict[str, tuple[str, ...]]
    #: Zones by prefix of the number; the longest wins over the library.
    prefix_override: dict[str, tuple[str, ...]]
    #: Zones of a region, `US-TN`.
    region: dict[str, tuple[str, ...]]
    #: Prefixes of the numbers of regions that a zone border runs through.
    split_area_codes: dict[str, tuple[str, ...]]
    #: By country, zones by prefix of the postal code; the longest wins.
    postal: dict[str, dict[str, tuple[str, ...]]]
    #: By region, zones of a city.
    city: dict[str, dict[str, tuple[str, ...]]]


class PackFile(msgspec.Struct, frozen=True, kw_only=True):
    """One file of a directory."""

    head: Head
    #: Names the contents.
    version: str
    #: Codes of the jurisdictions in it.
    codes: tuple[str, ...]


class Packs(msgspec.Struct, frozen=True, kw_only=True):
    """All rules of a directory."""

    directory: Path
    jurisdictions: dict[str, Jurisdiction]
    timezones: Timezones
    #: Rows by id.
    rows: dict[str, Row]
    #: By name.
    files: dict[str, PackFile]
    #: Names the contents.
    contents: str
    #: Names the contents, and the reading taken.
    version: str
    #: Conservative reading where a text is ambiguous.
    strict: bool


def load(directory: Path, *, strict: bool = True) -> Packs:
    """Return the packs of a directory.

    Parameters
    ----------
    strict : bool
        Replace a row's keys by those of its `strict` table.

    Raises
    ------
    BadInput
        When a file or row is wrong: names both and what to do.
    """
    problems: list[str] = []
    packs = read(directory, problems, strict=strict)
    if packs is None:
        more = f" (and {len(problems) - 1} more: `cadencia rules check` names them)" if len(problems) > 1 else ""
        raise BadInput(problems[0] + more)
    return packs


def read(directory: Path, problems: list[str], *, strict: bool = True) -> Packs | None:
    """Return the packs of a directory, or None with everything that is wrong with them.

    What only all files together show is looked at once each of them is right.
    """
    paths = sorted(directory.glob("*.toml"))
    if not any(path.name == TIMEZONES for path in paths) or len(paths) < 2:
        problems.append(
            f"{directory}: no rule packs found; expected {TIMEZONES} and one file per country, copy them again"
        )
        return None
    digest = sha256()
    jurisdictions: dict[str, Jurisdiction] = {}
    files: dict[str, PackFile] = {}
    rows: dict[str, Row] = {}
    timezones: Timezones | None = None
    for path in paths:
        content = path.read_bytes()
        digest.update(path.name.encode() + b"\0" + content + b"\0")
        try:
            tables = tomllib.loads(content.decode())
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            problems.append(f"{path}: not TOML: {error}; correct the file")
            continue
        head = _head(path, tables.pop("pack", None), problems)
        codes: list[str] = []
        if path.name == TIMEZONES:
            timezones = _timezones(path, tables.pop("timezones", {}), problems)
        else:
            for code, table in tables.pop("jurisdiction", {}).items():
                if code in jurisdictions:
                    problems.append(f"{path}: jurisdiction {code} stands in another file already; merge the two")
                    continue
                place = _jurisdiction(path, code, table, strict, rows, problems)
                if place is not None:
                    jurisdictions[code] = place
                    codes.append(code)
        problems += [f"{path}: unknown table [{name}]; expected [pack] and [jurisdiction.CODE]" for name in tables]
        if head is not None:
            files[path.name] = PackFile(head=head, version=sha256(content).hexdigest()[:16], codes=tuple(codes))
    if not problems:
        assert timezones is not None
        problems += _tree_problems(directory, jurisdictions, timezones)
    if problems or timezones is None:
        return None
    contents = digest.hexdigest()[:16]
    return Packs(
        directory=directory,
        jurisdictions=jurisdictions,
        timezones=timezones,
        rows=rows,
        files=files,
        contents=contents,
        version=contents if strict else f"{contents}-literal",
        strict=strict,
    )


def _record(where: str, table: dict[str, Any], kind: type[_R], problems: list[str]) -> _R | None:
    try:
        return msgspec.convert(table, kind)
    except msgspec.ValidationError as error:
        # That names the first mistake; the operator is told of all.
        said = list(_mistakes(table, kind)) or [str(error)]
        problems += [f"{where}: {mistake}; docs/compliance.md lists the keys and words" for mistake in said]
        return None


def _mistakes(table: dict[str, Any], kind: type[Any]) -> Iterator[str]:
    fields = {field.name: field for field in msgspec.structs.fields(kind)}
    yield from (f"unknown field `{name}`" for name in table if name not in fields)
    missing = [f"`{name}`" for name, field in fields.items() if field.required and name not in table]
    if missing:
        yield f"missing {'field' if len(missing) == 1 else 'fields'} {', '.join(missing)}"
    for name, value in table.items():
        if name not in fields:
            continue
        try:
            msgspec.convert(value, fields[name].type)
        except msgspec.ValidationError as error:
            said, _, path = str(error).partition(" - at `$")
            yield f"{name}{path.rstrip('`')}: {said}"


def _head(path: Path, table: Any, problems: list[str]) -> Head | None:
    if not isinstance(table, dict):
        problems.append(
            f"{path}: no [pack] table; begin the file with schema_version, as_of, notice and [pack.counsel]"
        )
        return None
    head = _record(f"{path}: [pack]", table, Head, problems)
    if head is not None and head.schema_version != SCHEMA_VERSION:
        problems.append(
            f"{path}: [pack] schema_version {head.schema_version} is not {SCHEMA_VERSION}; use packs of this release"
        )
    if head is not None and head.counsel.signed and not (head.counsel.name and head.counsel.on):
        problems.append(f"{path}: [pack.counsel] is signed by nobody or on no day; fill in name and on")
    return head


def _timezones(path: Path, table: Any, problems: list[str]) -> Timezones | None:
    zones = _record(f"{path}: [timezones]", table, Timezones, problems)
    if zones is None:
        return None
    for group, tables in (
        ("country", [zones.country]),
        ("prefix_override", [zones.prefix_override]),
        ("region", [zones.region]),
        ("postal", list(zones.postal.values())),
        ("city", list(zones.city.values())),
    ):
        for entries in tables:
            for key, names in entries.items():
                if not names:
                    problems.append(f"{path}: [timezones.{group}] {key} names no zone; write at least one")
                for name in names:
                    try:
                        load_zone(name)
                    except BadInput as error:
                        problems.append(f"{path}: [timezones.{group}] {key}: {error}")
    for code in (*zones.split_area_codes, *zones.city):
        if code not in zones.region:
            problems.append(f"{path}: [timezones] region {code} has no zones in [timezones.region]; add them")
    return zones


def _jurisdiction(
    path: Path, code: str, table: Any, strict: bool, rows: dict[str, Row], problems: list[str]
) -> Jurisdiction | None:
    if not isinstance(table, dict):
        problems.append(f"{path}: [jurisdiction.{code}] is no table; see docs/compliance.md")
        return None
    fields = {key: value for key, value in table.items() if key not in KINDS}
    place = _record(f"{path}: [jurisdiction.{code}]", fields, Jurisdiction, problems)
    arrays: dict[str, tuple[Row, ...]] = {}
    for name, kind in KINDS.items():
        found = []
        listed = table.get(name, [])
        if not (isinstance(listed, list) and all(isinstance(raw, dict) for raw in listed)):
            problems.append(f"{path}: [jurisdiction.{code}.{name}] is no array of tables; write [[double brackets]]")
            continue
        for number, raw in enumerate(listed, 1):
            where = f"{path}: [[jurisdiction.{code}.{name}]] row {number} ({raw.get('id', 'no id')})"
            row = _row(where, raw, kind, strict, problems)
            if row is None:
                continue
            if row.id in rows:
                problems.append(f"{where}: id stands twice in the packs; give every row its own")
            rows[row.id] = row
            found.append(row)
        arrays[name] = tuple(found)
    return None if place is None else msgspec.structs.replace(place, **arrays)


def _row(where: str, raw: dict[str, Any], kind: type[Row], strict: bool, problems: list[str]) -> Row | None:
    literal = {key: value for key, value in raw.items() if key != "strict"}
    conservative = raw.get("strict", {})
    if not isinstance(conservative, dict):
        problems.append(f"{where}: strict is no table; write the keys that it replaces, strict = {{ limit = 3 }}")
        return None
    said: list[str] = []
    records = []
    for reading in (literal, literal | conservative):  # both must hold, whichever is used
        record = _record(where, reading, kind, said)
        if record is not None:
            said += [f"{where}: {problem}" for problem in _problems(record)]
        records.append(record)
    problems += dict.fromkeys(said)
    return records[1] if strict else records[0]


def _problems(row: Row) -> Iterator[str]:
    """Yield what types cannot say."""
    for key in ("id", "citation", "source"):
        if not getattr(row, key).strip():
            yield f"{key} is empty; every row names its source"
    if row.effective_from and row.effective_to and row.effective_from > row.effective_to:
        yield f"effective_from {row.effective_from} lies after effective_to {row.effective_to}; exchange them"
    match row:
        case Window():
            yield from _day_problems(row.days)
        case Cap():
            limits = (row.limit, *row.sub_limits.values())
            if min(limits) < 1:
                yield f"limit must be 1 or more, was {min(limits)}; close a channel by a window or a stop"
            if row.window.n < 1:
                yield f"window.n must be 1 or more, was {row.window.n}; correct it"
        case Cooldown():
            lengths = [n for n in (row.duration.calendar_days, row.duration.hours) if n is not None]
            if len(lengths) != 1 or lengths[0] < 1:
                yield "duration needs either calendar_days or hours, 1 or more; correct it"
        case Ratio() if row.metric == "abandoned":
            if row.numerator not in COUNTED:
                yield f"numerator {row.numerator!r} is not known; use one of {', '.join(COUNTED)}"
            if not 0.0 < row.limit <= 0.999:
                yield f"limit must be in (0, 0.999], was {row.limit}; write 0.03 for 3 %"
            if row.window.n < 1:
                yield f"window.n must be 1 or more, was {row.window.n}; correct it"
        case Stop():
            for word in row.trigger:
                if word not in TRIGGERS:
                    yield f"trigger {word!r} is no stop known; use one of {', '.join(sorted(TRIGGERS))}"


def _day_problems(days: Days) -> Iterator[str]:
    for name in Days.__struct_fields__:
        before = -1
        for pair in getattr(days, name):
            try:
                start, end = minute_of_day(pair[0]), minute_of_day(pair[1])
            except ValueError:
                yield f'days.{name} {list(pair)} is no pair of HH:MM; write e.g. ["08:00", "21:00"]'
                continue
            if start >= end:
                yield f"days.{name} {list(pair)} ends before it begins; exchange the times"
            if start < before:
                yield f"days.{name}: windows overlap at {pair[0]}; sort and merge them"
            before = end


def _closes_nights(row: Window, place: Jurisdiction, actor: str) -> bool:
    """Return whether a row binds every call of an actor, at any time and anywhere in the place."""
    return (
        actor in (row.actors or place.actors)
        and "call" in row.channels
        and row.status in ENFORCED
        and row.purposes is None
        and not row.regions
        and row.effective_from is None
        and row.effective_to is None
    )


def _tree_problems(directory: Path, jurisdictions: dict[str, Jurisdiction], timezones: Timezones) -> Iterator[str]:
    """Yield what only all files together show."""
    for code, place in jurisdictions.items():
        where = f"{directory}: [jurisdiction.{code}]"
        if place.parent is not None and (place.parent not in jurisdictions or not code.startswith(f"{place.parent}-")):
            yield f"{where}: parent {place.parent!r} is not in the packs or the code does not begin with it"
        if place.parent is None and not place.overlay_for:
            if code not in timezones.country:
                yield f"{where}: {TIMEZONES} has no zones for {code}; add them to [timezones.country]"
            days = place.holidays
            kept_in = [] if days is None else [one.region for one in days.extra] + [own.region for own in days.cities]
            for region in (region for region in kept_in if region is not None and region not in place.regions):
                yield f"{where}: holidays name region {region!r}, which is not in the place's regions; correct it"
            for row in (row for name in KINDS for row in getattr(place, name)):
                for region in row.regions:
                    if region not in place.regions:
                        yield f"{where}: {row.id}: region {region!r} is not in the place's regions; correct it"
            # A country must close the night for everybody, or silence would be permission to call.
            for actor in ACTORS:
                if not any(_closes_nights(row, place, actor) for row in place.windows):
                    yield f"{where}: no window binds calls of {actor}; add one, as a house default if need be"
    stopped = {
        word
        for place in jurisdictions.values()
        if "*" in place.overlay_for
        for row in place.stops
        for word in row.trigger
    }
    if missing := [kind.value for kind in StopKind if kind not in stopped]:
        yield f"{directory}: no overlay for all countries stops {', '.join(missing)}; add house rows (house.toml)"
