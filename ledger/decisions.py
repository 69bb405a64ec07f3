"""What strategies decided, as the ledger keeps it: models and later strategies need the chance of each action."""

from collections.abc import Iterable
from typing import Any

import msgspec
from sqlalchemy import Connection, and_, func, insert, select

from domain.instants import DAY
from ledger.reservations import batches
from ledger.schema import decision, stand
from strategy.listing import Decision, Stand

#: Whoever was in no decision for so long comes into his segment anew.
REMEMBERED_US = 35 * DAY
#: Where somebody stands is written again after so long, though it is the same: to be remembered on.
_TOLD_AGAIN_US = 7 * DAY


def put(connection: Connection, plan: int, campaign: str, made: Iterable[Decision]) -> int:
    """Keep what the list of a plan decided; return how many decisions."""
    n = 0
    for some in batches(made):
        connection.execute(insert(decision), [row(plan, campaign, one) for one in some])
        n += len(some)
    return n


def row(plan: int, campaign: str, one: Decision) -> dict[str, Any]:
    """Return a decision as a row of the table."""
    told = {name: getattr(one, name) for name in one.__struct_fields__}
    return told | {"plan": plan, "campaign": campaign, "p_action": msgspec.json.encode(one.p_action).decode()}


_chances = msgspec.json.Decoder(dict[str, float])


def chances(encoded: str) -> dict[str, float]:
    """Return the chance of each action, as a row of the table has them."""
    return _chances.decode(encoded)


def last(connection: Connection, campaign: str, person: int, at_us: int) -> Decision | None:
    """Return what the last list of a campaign decided about a person, as known at an instant; None: nothing."""
    names = Decision.__struct_fields__
    query = (
        select(*(decision.c[name] for name in names))
        .where(decision.c.campaign == campaign, decision.c.person == person, decision.c.known_us <= at_us)
        .order_by(decision.c.plan.desc())
        .limit(1)
    )
    row = connection.execute(query).one_or_none()
    return None if row is None else Decision(**(row._asdict() | {"p_action": _chances.decode(row.p_action)}))


def stands(connection: Connection, campaign: str, at_us: int) -> dict[int, Stand]:
    """Return in which segment each person stands, and since when, by the last that was told of it before an instant.

    It is told by a list's decisions, and by what was handed out besides calls.
    """
    since_us = at_us - REMEMBERED_US
    last = (
        select(decision.c.person, func.max(decision.c.plan).label("plan"))
        .where(decision.c.campaign == campaign, decision.c.decided_us >= since_us, decision.c.decided_us < at_us)
        .group_by(decision.c.person)
        .subquery()
    )
    query = select(decision.c.person, decision.c.decided_us, decision.c.segment, decision.c.since_day).join(
        last, and_(last.c.person == decision.c.person, last.c.plan == decision.c.plan)
    )
    found = {person: (decided_us, Stand(*told)) for person, decided_us, *told in connection.execute(query)}
    for person, known in _seen(connection, campaign, at_us).items():
        if person not in found or found[person][0] < known[0]:
            found[person] = known
    return {person: told for person, (_, told) in found.items()}


def untold(
    connection: Connection, campaign: str, standing: Iterable[tuple[int, Stand]], at_us: int
) -> list[dict[str, Any]]:
    """Return the rows of `stand` that have to be written, so that whoever is in no decision goes on in his segment."""
    known = _seen(connection, campaign, at_us + 1)
    return [
        {
            "campaign": campaign,
            "person": person,
            "known_us": at_us,
            "segment": told.segment,
            "since_day": told.since_day,
        }
        for person, told in standing
        if (before := known.get(person)) is None or before[1] != told or before[0] < at_us - _TOLD_AGAIN_US
    ]


def _seen(connection: Connection, campaign: str, at_us: int) -> dict[int, tuple[int, Stand]]:
    """Return where people stood when something was last handed out before an instant, and when that was told."""
    mine = [stand.c.campaign == campaign, stand.c.known_us >= at_us - REMEMBERED_US, stand.c.known_us < at_us]
    last = (
        select(stand.c.person, func.max(stand.c.known_us).label("known_us"))
        .where(*mine)
        .group_by(stand.c.person)
        .subquery()
    )
    query = (
        select(stand.c.person, stand.c.known_us, stand.c.segment, stand.c.since_day)
        .join(last, and_(last.c.person == stand.c.person, last.c.known_us == stand.c.known_us))
        .where(stand.c.campaign == campaign)
    )
    return {person: (known_us, Stand(*told)) for person, known_us, *told in connection.execute(query)}
