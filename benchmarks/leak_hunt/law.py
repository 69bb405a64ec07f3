"""The packs' own words, read one row at a time: which rules forbid a contact at an instant, given what was on record.

Nothing of `compliance` is used, and nothing of the engine: TOML as it stands in the files, datetimes and loops. What
the gate works out with stretches of time is asked anew of every line and zone, so that both cannot be wrong alike.
"""

import tomllib
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from holidays import country_holidays

from benchmarks.leak_hunt.words import Asked, Debtor, Denial, Held, Line, Number

#: A row of a pack, or a table of them, as TOML gives it.
Table = dict[str, Any]

KINDS = ("windows", "caps", "cooldowns", "stops", "abandonment")
VOICE_OR_DOOR = ("call", "prerecorded", "voicemail", "ringless_vm", "visit")
_WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FAILED = ("network_fail", "not_in_service", "busy")


@dataclass
class Place:
    country: str
    region: str | None
    city: str | None
    tables: list[tuple[str, Table]] = field(default_factory=list)


class Law:
    """The packs of a directory.

    Parameters
    ----------
    strict : bool
        Rows take the keys of their `strict` table.
    """

    def __init__(self, directory: Path, *, strict: bool = True) -> None:
        self.strict = strict
        self.tables: dict[str, Table] = {}
        self.timezones: Table = {}
        for path in sorted(directory.glob("*.toml")):
            with path.open("rb") as file:
                pack = tomllib.load(file)
            self.timezones |= pack.get("timezones", {})
            for code, table in pack.get("jurisdiction", {}).items():
                rows = {kind: [self._reading(row) for row in table.get(kind, [])] for kind in KINDS}
                self.tables[code] = table | rows
        self._bound: dict[tuple[Any, ...], list[tuple[str, Table, Table]]] = {}

    def _reading(self, row: Table) -> Table:
        return row | row.get("strict", {}) if self.strict else row

    # ---- the question

    def denials(self, asked: Asked, at_us: int) -> Iterator[Denial]:
        """Yield every rule that forbids the contact at an instant."""
        place = self.place(asked.debtor)
        if not place.tables:
            yield Denial("stops", "no rules for the country")
            return
        for debt in asked.debts:
            if debt in asked.closed:
                yield Denial("paid", f"debt {debt} was closed")
        zones = self.zones(asked, place)
        today = [local(at_us, zone).date() for zone in zones]
        bound = self._rows(place, asked)
        speaks = any(
            kind == "windows" and asked.channel in row["channels"] and not table.get("overlay_for")
            for kind, row, table in bound
        )
        if asked.channel in VOICE_OR_DOOR and not speaks and any(self.holiday(place, day) for day in today):
            yield Denial("windows", f"{place.country}.holidays")
        for kind, row, table in bound:
            if kind == "windows":
                if asked.channel in row["channels"] and self._closed(row, table, place, asked, zones, at_us):
                    yield Denial(kind, row["id"])
            elif any(_in_effect(row, day) for day in today):
                yield from self._others(kind, row, asked, zones, at_us)

    def _rows(self, place: Place, asked: Asked) -> list[tuple[str, Table, Table]]:
        key = (place.country, place.region, place.city, asked.actor, asked.purpose)
        if key not in self._bound:
            self._bound[key] = [
                (kind, row, table)
                for _, table in place.tables
                for kind in KINDS
                for row in table[kind]
                if row["status"] in ("in_force", "house", "unconfirmed")
                and asked.actor in row.get("actors", table["actors"])
                and ("purposes" not in row or asked.purpose in row["purposes"])
                and (not row.get("regions") or self._may_be_in(row["regions"], place.region))
            ]
        return self._bound[key]

    def _may_be_in(self, regions: list[str], region: str | None) -> bool:
        return self.strict if region is None else region in regions

    def _others(self, kind: str, row: Table, asked: Asked, zones: list[ZoneInfo], at_us: int) -> Iterator[Denial]:
        channels = row.get("blocks_channels" if kind == "cooldowns" else "channels")
        if channels is not None and asked.channel not in channels:
            return
        if asked.purpose in (*row.get("exceptions", ()), *row.get("exclude", ())) or not _is_line(row, asked.number):
            return
        if kind == "abandonment":
            if asked.channel == "call" and not asked.agent_held and self._wants_agent(row, asked, at_us):
                yield Denial("agents", row["id"])
            return
        if "address_types" in row and _kind_of_address(asked.number) not in row["address_types"]:
            return
        if "needs_consent" in row and not _consented(asked, row["needs_consent"], at_us):
            yield Denial("consents", row["id"])
        if kind == "stops":
            if any(self._stopped(held, row, asked, at_us) for held in asked.stops):
                yield Denial(kind, row["id"])
        elif not self._lifted(row, asked, at_us):
            counted = (
                self._full(row, asked, zones, at_us) if kind == "caps" else self._cooling(row, asked, zones, at_us)
            )
            if counted is not None:
                yield Denial(kind, row["id"], tuple(line.attempt or "imported" for line in counted))

    # ---- places and zones

    def place(self, debtor: Debtor) -> Place:
        """Return the tables that hold, or may hold, at an address; none for a country without a pack."""
        country = self.tables.get(debtor.country)
        if country is None or "parent" in country or country.get("overlay_for"):
            return Place(debtor.country, None, None)
        regions = self._children(debtor.country)
        region = self._region(debtor.country, country, debtor.region) if debtor.region else None
        city = debtor.city
        if region is None and city:
            for code, table in regions:
                if _fold(city) in map(_fold, table.get("aliases", ())):
                    region = code.removeprefix(f"{debtor.country}-")
        if region is None:
            for name in filter(None, (city, debtor.region)):
                for code, table in [town for parent, _ in regions for town in self._children(parent)]:
                    if region is None and f"-{code}".endswith(f"-{name.strip().upper()}"):
                        region = str(table["parent"]).removeprefix(f"{debtor.country}-")
                        city = code.rpartition("-")[2]
        if region is not None:
            here = f"{debtor.country}-{region}"
            regions = [
                (code, table)
                for code, table in regions
                # Where the collector sits is not told, so that it may be there.
                if code == here or (self.strict and table.get("applies_when") == "debtor_or_collector_domicile")
            ]
        elif not self.strict:
            regions = []
        cities = [town for code, _ in regions for town in self._children(code)]
        if region is not None and city:
            named = _fold(city)
            cities = [
                (code, table)
                for code, table in cities
                if named in map(_fold, (code.rpartition("-")[2], *table.get("aliases", ())))
            ]
        elif not self.strict:
            cities = []
        over = [
            (code, table)
            for code, table in self.tables.items()
            if {"*", debtor.country} & set(table.get("overlay_for", ()))
        ]
        return Place(debtor.country, region, city, [(debtor.country, country), *regions, *cities, *over])

    def _children(self, code: str) -> list[tuple[str, Table]]:
        return [(child, table) for child, table in self.tables.items() if table.get("parent") == code]

    def _region(self, country: str, table: Table, region: str) -> str | None:
        names = {_fold(code): code for code in table.get("regions", ())}
        names |= {_fold(name): code for name, code in table.get("region_names", {}).items()}
        for code, child in self._children(country):
            short = code.removeprefix(f"{country}-")
            names |= {_fold(name): short for name in (short, *child.get("aliases", ()))}
        return names.get(_fold(region)) or names.get(_fold(region).removeprefix(f"{country.casefold()}-"))

    def zones(self, asked: Asked, place: Place) -> list[ZoneInfo]:
        """Return the zones in which the person may be."""
        debtor, number = asked.debtor, asked.number
        country = self.timezones["country"].get(debtor.country, ["UTC"])
        of_region = self.timezones["region"].get(f"{place.country}-{place.region}", [])
        address = list(debtor.address_zones) or of_region
        if number is None:
            names = address or country
        else:
            told = list(number.zones)
            if not told or len(told) > self.timezones["max_number_zones"]:
                told = self.timezones["country"].get(number.country, country)
            halves = [
                region
                for region in self.timezones["split_area_codes"]
                if set(self.timezones["region"][region]) == set(told)
            ]
            settled = (
                halves
                and set(debtor.address_zones) <= set(told)
                and (place.region is None or f"{place.country}-{place.region}" in halves)
            )
            verified = bool(debtor.address_zones) and (not number.geographic or bool(settled))
            names = list(debtor.address_zones) if verified else told + address
        return [zone_of(name) for name in sorted(set(names))]

    # ---- windows

    def _closed(self, row: Table, table: Table, place: Place, asked: Asked, zones: list[ZoneInfo], at_us: int) -> bool:
        if "override" in row and _consented(asked, [row["override"]], at_us):
            return False
        return any(not self._open(row, table, place, local(at_us, zone)) for zone in zones)

    def _open(self, row: Table, table: Table, place: Place, now: datetime) -> bool:
        if not _in_effect(row, now.date()):
            return True
        if not table.get("overlay_for") and self.holiday(place, now.date()):
            return False
        clock = now.strftime("%H:%M:%S.%f")
        for start, end in row["days"][_WEEKDAYS[now.weekday()]]:
            begins = f"{start}:01" <= clock if row["boundary"] == "exclusive" else f"{start}:00" <= clock
            if begins and clock < f"{end}:00":
                return True
        return False

    def holiday(self, place: Place, day: date) -> bool:
        """Return whether a local date is, or may be, a holiday that closes."""
        country = self.tables[place.country]
        days = country.get("holidays")
        if days is None or days["treat"] != "closed":
            return False
        by_region = days.get("subdiv_from_address", False)
        for extra in days.get("extra", ()):
            there = self._may_be(extra.get("region"), place.region) and self._may_be(extra.get("city"), place.city)
            if extra["date"] == day and there:
                return True
        kept: list[str | None] = [None]
        if by_region and place.region is not None:
            kept = [place.region]
        elif by_region and self.strict:
            kept = list(country.get("regions", ())) or [None]
        for own in days.get("cities", ()):
            if self._may_be(own["region"], place.region) and self._may_be(own["city"], place.city):
                kept.append(own["subdivision"])
        categories = tuple(days.get("categories", ("public",)))
        return any(day in calendar(days["country"], name, categories, day.year) for name in kept)

    def _may_be(self, wanted: str | None, actual: str | None) -> bool:
        return not wanted or (_fold(wanted) == _fold(actual) if actual else self.strict)

    # ---- stops, consents, agents

    def _stopped(self, held: Held, row: Table, asked: Asked, at_us: int) -> bool:
        return (
            held.kind in row["trigger"]
            and (held.until_us is None or at_us < held.until_us)
            and (held.phone is None or (asked.number is not None and asked.number.phone == held.phone))
            and (held.debt is None or held.debt in asked.debts)
        )

    def _lifted(self, row: Table, asked: Asked, at_us: int) -> bool:
        if row.get("unless") == "live_agent_guaranteed" and asked.guaranteed:
            return True
        kinds = [row["unless"]] if "unless" in row else []
        kinds += [word for word in row.get("exclude", ()) if word == "direct_prior_consent_7d"]
        return _consented(asked, kinds, at_us)

    def _wants_agent(self, row: Table, asked: Asked, at_us: int) -> bool:
        if not row.get("agent_always") or ("unless" in row and _consented(asked, [row["unless"]], at_us)):
            return False
        hours = row.get("after_abandoned_hours")
        return hours is None or any(
            line.person == asked.debtor.person
            and line.event == "abandoned"
            and not line.inbound
            and at_us - line.at_us < hours * 3_600_000_000
            for line in asked.lines
        )

    # ---- counting

    def _full(self, row: Table, asked: Asked, zones: list[ZoneInfo], at_us: int) -> list[Line] | None:
        """Return the lines that leave no room under a cap; None: there is room."""
        lines = [
            line
            for line in asked.lines
            if not line.inbound
            and line.channel in row["channels"]
            and ("address_types" not in row or _address(line, asked) in row["address_types"])
            and not (line.event in _FAILED and {"not_connected", "unable_to_leave_message"} & {*row.get("exclude", ())})
        ]
        limits = {row["counts"]: row["limit"]} | row.get("sub_limits", {})
        for part in _parts(row["scope"], lines, asked):
            for zone in zones:
                near = [line for line in part if _within(line, row["window"], zone, at_us)]
                if row.get("after") == "contact" and not any(_counts(line, "contacts") for line in near):
                    continue
                for what, limit in limits.items():
                    if what == "distinct_channels":
                        if len({line.channel for line in near} | {asked.channel}) > limit:
                            return near
                    elif len(counted := [line for line in near if _counts(line, what)]) >= limit:
                        return counted
        return None

    def _cooling(self, row: Table, asked: Asked, zones: list[ZoneInfo], at_us: int) -> list[Line] | None:
        for part in _parts(row["scope"], asked.lines, asked):
            for line in part:
                if line.channel not in row.get("trigger_channels", [line.channel]):
                    continue
                if line.inbound and row["trigger"] != "contact":
                    continue
                if _counts(line, row["trigger"]) and any(_rests(line, row["duration"], zone, at_us) for zone in zones):
                    return [line]
        return None


def _in_effect(row: Table, day: date) -> bool:
    first, last = row.get("effective_from", date.min), row.get("effective_to", date.max)
    return bool(first <= day <= last)


def _is_line(row: Table, number: Number | None) -> bool:
    wanted = row.get("line_types")
    kind = "unknown" if number is None else number.line_type
    if not wanted or kind in ("unknown", "other"):
        return True
    may_be = {"fixed_or_mobile": {"fixed", "landline", "mobile"}, "fixed": {"fixed", "landline"}}.get(kind, {kind})
    return bool(may_be & set(wanted))


def _consented(asked: Asked, kinds: Iterable[str], at_us: int) -> bool:
    return any(
        held.kind in kinds
        and held.channel in (None, asked.channel)
        and (held.phone is None or (asked.number is not None and held.phone == asked.number.phone))
        and (at_us < held.until_us if held.until_us is not None else held.kind != "direct_prior_consent_7d")
        for held in asked.consents
    )


def _kind_of_address(number: Number | None) -> str:
    return (number.address_type if number is not None else None) or "personal"


def _address(line: Line, asked: Asked) -> str:
    return line.address_type or _kind_of_address(asked.debtor.numbers.get(line.phone or 0))


def _counts(line: Line, what: str) -> bool:
    """Return whether a line is one of what a row counts, or one of ours that may yet turn out to be."""
    match what:
        case "connected_attempts":
            return line.event not in _FAILED
        case "contact" | "contacts":
            undecided = line.attempt is not None and line.event in ("dialed", "answered", "message_sent")
            return undecided or line.event in ("right_party_contact", "message_delivered")
        case "messages":
            return line.event in ("message_sent", "message_delivered", "voicemail_left")
        case "message_sent":
            return line.event in ("message_sent", "message_delivered")
        case "amd_false_positive":
            return line.event == "amd_machine"
        case "attempts" | "attempt":
            return True
        case _:
            return line.event == what


def _within(line: Line, window: Table, zone: ZoneInfo, at_us: int) -> bool:
    then, today = local(line.at_us, zone).date(), local(at_us, zone).date()
    n = window.get("n", 1)
    match window["type"]:
        case "rolling_hours":
            return bool(at_us - line.at_us < n * 3_600_000_000)
        case "calendar_day":
            return then >= today
        case "calendar_week":
            first = 0 if window.get("week_start", "mon") == "mon" else 6
            return then >= today - timedelta(days=(today.weekday() - first) % 7)
        case "calendar_month":
            return then >= today.replace(day=1)
        case "rolling_days":
            return then > today - timedelta(days=n)
    raise ValueError(f"window type {window['type']!r}: teach the checker what it means")


def _rests(line: Line, duration: Table, zone: ZoneInfo, at_us: int) -> bool:
    if "hours" in duration:
        return bool(at_us - line.at_us < duration["hours"] * 3_600_000_000)
    day_of_line = 1 if duration.get("first_day_counts", False) else 0
    days = (local(at_us, zone).date() - local(line.at_us, zone).date()).days
    return bool(days + day_of_line <= duration["calendar_days"])


def _parts(scope: list[str], lines: Iterable[Line], asked: Asked) -> list[list[Line]]:
    """Return the lines that a scope counts together: one list, or one for each debt or creditor of the contact."""
    debtor = asked.debtor
    if "phone" in scope:
        number = None if asked.number is None else asked.number.phone
        # A number not told may be any that the person has, whoever else has it; and none of a housemate's.
        users = {debtor.person} | asked.sharing
        own = [line for line in lines if (line.person in users if line.phone is None else line.phone == number)]
    else:
        counted = {debtor.person} | (asked.home if "household" in scope else set())
        own = [line for line in lines if line.person in counted]
    if "channel" in scope:
        own = [line for line in own if line.channel == asked.channel]
    if "address_type" in scope:
        own = [line for line in own if _address(line, asked) == _kind_of_address(asked.number)]
    if "debt" in scope and asked.debts:
        return [
            [line for line in own if (debt in line.debts if line.debts else _of(line, debtor.owed[debt], debtor))]
            for debt in asked.debts
        ]
    if "creditor" in scope and asked.debts:
        return [
            [line for line in own if _of(line, creditor, debtor)]
            for creditor in sorted({debtor.owed[debt] for debt in asked.debts})
        ]
    return [own]


def _of(line: Line, creditor: int, debtor: Debtor) -> bool:
    """Return whether a line is, or may be, about a creditor's debts."""
    told = {debtor.owed[debt] for debt in line.debts if debt in debtor.owed}
    told |= set() if line.creditor is None else {line.creditor}
    return not told or creditor in told


def _fold(name: str) -> str:
    letters = unicodedata.normalize("NFKD", name.strip().casefold())
    return "".join(letter for letter in letters if not unicodedata.combining(letter))


def local(at_us: int, zone: ZoneInfo) -> datetime:
    return (_EPOCH + timedelta(microseconds=at_us)).astimezone(zone)


@lru_cache
def zone_of(name: str) -> ZoneInfo:
    """Return a zone of the pinned tzdata, whatever the operating system holds."""
    with files("tzdata").joinpath("zoneinfo", *name.split("/")).open("rb") as file:
        return ZoneInfo.from_file(file, key=name)


@lru_cache
def calendar(country: str, region: str | None, categories: tuple[str, ...], year: int) -> frozenset[date]:
    return frozenset(country_holidays(country, subdiv=region, years=year, categories=categories))
