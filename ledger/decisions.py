"""What strategies decided, as the ledger keeps it: models and later strategies need the chance of each action."""

from collections.abc import Iterable
from typing import Any

import msgspec
from sqlalchemy import Connection, and_, func, insert, select

from domain.instants import DAY
from ledger.reservations import batches
from ledger.schema import decision
from strategy.listing import Decision, Stand

#: Whoever was in no decision for so long comes into his segment anew.
REMEMBERED_US = 35 * DAY


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
    """Return in which segment each person stands by a campaign's last decision before an instant, and since when."""
    last = (
        select(decision.c.person, func.max(decision.c.plan).label("plan"))
        .where(
            decision.c.campaign == campaign,
            decision.c.decided_us >= at_us - REMEMBERED_US,
            decision.c.decided_us < at_us,
        )
        .group_by(decision.c.person)
        .subquery()
    )
    query = select(decision.c.person, decision.c.segment, decision.c.since_day).join(
        last, and_(last.c.person == decision.c.person, last.c.plan == decision.c.plan)
    )
    return {person: Stand(segment, since_day) for person, segment, since_day in connection.execute(query)}
