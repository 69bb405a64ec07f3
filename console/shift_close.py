"""What closes a day: call-backs and promises to look after, what stood open, and what somebody should sign."""

import time
from collections import Counter
from datetime import timedelta

import msgspec
from sqlalchemy import ColumnElement, Connection, func, select

from domain.calls import Disposition
from domain.instants import DAY, HOUR, iso, to_datetime
from ledger.metrics import Counts
from ledger.reservations import batches
from ledger.schema import attempt, call_back, creditor, debt, lease, outcome, promise


class Due(msgspec.Struct, frozen=True, kw_only=True):
    """A call-back or a promise to look after."""

    account: str
    what: str
    due: str
    agent: str | None
    amount_minor: int | None = None
    currency: str | None = None


class OpenCall(msgspec.Struct, frozen=True, kw_only=True):
    """An attempt that the record does not see the end of."""

    call_id: str
    account: str
    campaign: str
    agent: str | None
    #: domain.calls.Phase: what was under way.
    phase: str


class Remark(msgspec.Struct, frozen=True, kw_only=True):
    """Something to look at before signing the day off; `kind` of the closed set of `console.shift_words`."""

    kind: str
    n: int
    #: Whom it concerns, where a few calls can be named.
    calls: list[str] = []


def call_backs(connection: Connection, stream: str, at_us: int, zone: str) -> list[Due]:
    """Return the call-backs not yet made that fall due by the end of the following day, overdue ones first."""
    rows = connection.execute(
        select(call_back.c.person, call_back.c.due_us, call_back.c.agent)
        .outerjoin(attempt, attempt.c.call_id == call_back.c.call_id)
        .where(call_back.c.done_us.is_(None), call_back.c.due_us < at_us + 2 * DAY, _of(stream))
        .order_by(call_back.c.due_us, call_back.c.id)
    ).all()
    names = _accounts(connection, [row.person for row in rows])
    return [
        Due(
            account=names.get(row.person, str(row.person)),
            what="overdue call-back" if row.due_us < at_us - HOUR else "call-back",
            due=iso(row.due_us, zone)[:16].replace("T", " "),
            agent=row.agent,
        )
        for row in rows
    ]


def promises(connection: Connection, stream: str, at_us: int, zone: str) -> list[Due]:
    """Return the open promises that fall due by the end of the following day."""
    tomorrow = (to_datetime(at_us, zone) + timedelta(days=1)).date().isoformat()
    rows = connection.execute(
        select(promise)
        .outerjoin(attempt, attempt.c.call_id == promise.c.call_id)
        .where(promise.c.state == "open", promise.c.due_on <= tomorrow, _of(stream))
        .order_by(promise.c.due_on, promise.c.id)
    ).all()
    names = _accounts(connection, [row.person for row in rows])
    return [
        Due(
            account=names.get(row.person, str(row.person)),
            what=row.kind,
            due=row.due_on,
            agent=row.agent,
            amount_minor=row.amount_minor,
            currency=row.currency,
        )
        for row in rows
    ]


def open_calls(connection: Connection, stream: str, from_us: int, to_us: int) -> list[OpenCall]:
    """Return the attempts without a disposition, in the order in which they were reserved."""
    rows = connection.execute(
        select(attempt.c.call_id, attempt.c.person, attempt.c.campaign, attempt.c.agent, attempt.c.phase)
        .outerjoin(outcome, outcome.c.call_id == attempt.c.call_id)
        .where(
            attempt.c.stream == stream,
            attempt.c.reserved_us >= from_us,
            attempt.c.reserved_us < to_us,
            outcome.c.call_id.is_(None),
        )
        .order_by(attempt.c.reserved_us, attempt.c.call_id)
    ).all()
    names = _accounts(connection, [row.person for row in rows])
    return [
        OpenCall(
            call_id=row.call_id,
            account=names.get(row.person, str(row.person)),
            campaign=row.campaign,
            agent=row.agent,
            phase=row.phase,
        )
        for row in rows
    ]


def exceptions(connection: Connection, stream: str, total: Counts) -> list[Remark]:
    """Return what somebody should look at before signing the day off."""
    found = []
    broken: dict[str, list[str]] = {}
    for breach in total.breaches:
        broken.setdefault(breach.why, []).append(breach.call_id)
    found += [Remark(kind=why, n=len(calls), calls=calls[:20]) for why, calls in sorted(broken.items())]
    if unended := total.by_disposition.get("open", 0):
        found.append(Remark(kind="open_running" if _runs(connection, stream) else "open_ended", n=unended))
    counts = Counter(
        {
            "unknown": total.by_disposition.get(Disposition.unknown, 0),
            "lost": total.by_disposition.get(Disposition.lost, 0),
            "cut_by_detection": total.cut_by_detection,
            "left_before_routing": total.left_before_routing,
            "unrecorded": total.by_disposition.get(Disposition.unrecorded, 0),
        }
    )
    return found + [Remark(kind=kind, n=n) for kind, n in counts.items() if n]


def _runs(connection: Connection, stream: str) -> bool:
    """Return whether an engine holds the floor now."""
    expires_us = connection.execute(select(func.max(lease.c.expires_us)).where(lease.c.stream == stream)).scalar()
    return expires_us is not None and expires_us > time.time_ns() // 1000


def _of(stream: str) -> ColumnElement[bool]:
    """Return the condition of what came from a floor's calls, or from no call."""
    return attempt.c.call_id.is_(None) | (attempt.c.stream == stream)


def _accounts(connection: Connection, people: list[int]) -> dict[int, str]:
    """Return the creditor and account by which an operator knows a person."""
    found: dict[int, str] = {}
    for some in batches(people):
        rows = connection.execute(
            select(debt.c.person, creditor.c.name, debt.c.account)
            .join(creditor, creditor.c.id == debt.c.creditor)
            .where(debt.c.person.in_(some))
            .order_by(debt.c.id.desc())
        )
        for person, name, account in rows:
            found[person] = f"{name} {account}"
    return found
