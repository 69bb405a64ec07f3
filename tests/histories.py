"""Histories written by hand, as Arrow tables with the columns of an export."""

from collections.abc import Iterable
from datetime import date
from typing import Any

import pyarrow as pa

from domain.instants import parse

INSTANT = pa.timestamp("us", tz="UTC")
HISTORY = pa.schema(
    [
        ("event_at", INSTANT), ("known_at", INSTANT), ("person", pa.int64()), ("debts", pa.list_(pa.int64())),
        ("phone", pa.int64()), ("campaign", pa.string()), ("channel", pa.string()), ("inbound", pa.bool_()),
        ("event", pa.string()), ("attempt", pa.string()), ("detail", pa.string()), ("amount_minor", pa.int64()),
        ("currency", pa.string()), ("due_on", pa.date32()),
    ]
)  # fmt: skip
DEBTORS = pa.schema([("person", pa.int64()), ("zones", pa.list_(pa.string()))])
NUMBERS = pa.schema(
    [("person", pa.int64()), ("phone", pa.int64()), ("rank", pa.int32()), ("line_type", pa.string()),
     ("zones", pa.list_(pa.string()))]
)  # fmt: skip
DEBTS = pa.schema([("debt", pa.int64()), ("person", pa.int64()), ("currency", pa.string()), ("due_on", pa.date32())])

Line = dict[str, Any]


def line(at: str | int, event: str, person: int = 1, **more: Any) -> Line:
    """Return a line known when it happened, unless `known` says otherwise; times are ISO 8601 or µs."""
    known = more.pop("known", at)
    told: Line = {
        "event_at": _us(at), "known_at": _us(known), "person": person, "debts": [], "phone": None, "campaign": None,
        "channel": None, "inbound": False, "event": event, "attempt": None, "detail": "", "amount_minor": None,
        "currency": None, "due_on": None,
    }  # fmt: skip
    return told | more


def call(at: str | int, event: str, phone: int = 10, person: int = 1, detail: str = "", **more: Any) -> list[Line]:
    """Return the two lines of an attempt of ours: dialled, and a minute later its end."""
    told = {"phone": phone, "campaign": "c", "channel": "call", "attempt": f"f-{at}-{phone}"} | more
    dialled = line(at, "dialed", person, **told)
    ends_us = dialled["event_at"] + 60_000_000
    return [dialled, line(ends_us, event, person, detail=detail, **told)]


def _us(at: str | int) -> int:
    return at if isinstance(at, int) else parse(at if at.endswith("Z") else at + "Z")


def tables(
    lines: Iterable[Line],
    *,
    numbers: Iterable[tuple[int, int, str]] = ((1, 10, "mobile"), (1, 11, "fixed")),
    zones: dict[int, list[str]] | None = None,
    debts: Iterable[tuple[int, int, str, str | None]] = ((100, 1, "EUR", "2026-09-01"),),
) -> dict[str, Any]:
    """Return the four tables; numbers are (person, phone, kind), debts (debt, person, currency, due day)."""
    told = zones if zones is not None else {1: ["Europe/Madrid"]}
    listed = list(numbers)
    return {
        "history": pa.Table.from_pylist(list(lines), HISTORY),
        "debtors": pa.Table.from_pylist([{"person": one, "zones": where} for one, where in told.items()], DEBTORS),
        "numbers": pa.Table.from_pylist(
            [
                {"person": one, "phone": phone, "rank": rank, "line_type": kind, "zones": []}
                for rank, (one, phone, kind) in enumerate(listed)
            ],
            NUMBERS,
        ),
        "debts": pa.Table.from_pylist(
            [
                {"debt": debt, "person": one, "currency": currency, "due_on": day and date.fromisoformat(day)}
                for debt, one, currency, day in debts
            ],
            DEBTS,
        ),
    }
