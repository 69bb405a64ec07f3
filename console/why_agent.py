"""Why this agent was given a call, and what he could offer: what the engine's orders say of it, the table of matching
that stood then, and the step under which it was decided.
"""

import msgspec
from sqlalchemy import Connection, select

from console.why_offer import Had, had, offer_words
from domain.events import FloorOpened
from domain.instants import to_datetime
from domain.matching import Match, Sought
from domain.orders import Connect, Keep
from ledger import queries
from ledger.schema import attempt
from ledger.store import SqlLedger
from ledger.terms import term_rows


class WhyAgent(msgspec.Struct, frozen=True, kw_only=True):
    """Whom a call was given to, and why."""

    call_id: str
    campaign: str
    person: int
    #: Who talked; None: nobody.
    agent: str | None
    #: When the engine last gave it to somebody, and to whom; None: it never did.
    at_us: int | None
    given_to: str | None
    #: As the engine noted it where a table chose among several.
    match: Match | None
    #: As the engine noted it where the call asked for agents of a group.
    sought: Sought | None
    #: What the agent could offer; None: its step offered nothing.
    offer: Had | None
    #: In sentences.
    said: list[str]


def call_of(ledger: SqlLedger, word: str) -> queries.Attempt | None:
    """Return the attempt of a call id; None: there is no such call."""
    with ledger.reading() as connection:
        return next(queries.attempts(connection, attempt.c.call_id == word), None)


def why_agent(ledger: SqlLedger, call: queries.Attempt, zone: str) -> WhyAgent:
    """Return why a call was given to whom it was given."""
    stream, last_us = call.call_id.rpartition("-")[0], call.ended_us or call.talking_us or call.answered_us or 0
    with ledger.reading() as connection:
        held = connection.execute(select(attempt.c.held_agent).where(attempt.c.call_id == call.call_id)).scalar()

        def orders(kind: type[Connect | Keep]) -> list[tuple[int, Connect | Keep]]:
            told = queries.records(connection, stream, kind, call.reserved_us, max(last_us, call.reserved_us) + 1)
            return [(at_us, record) for _, at_us, record in told if record.call_id == call.call_id]

        given, kept = orders(Connect)[-1:], bool(orders(Keep))
        said: list[str] = []
        for at_us, record in given:
            assert isinstance(record, Connect)
            local = f"{to_datetime(at_us, zone):%a %d %b %Y %H:%M:%S} {zone}"
            said = [
                f"Given to agent {record.agent} at {local}.",
                *_sought(record),
                *_reason(connection, stream, at_us, record, held, kept),
            ]
            if call.agent not in (None, record.agent):
                said.append(f"Agent {call.agent} talked in the end: the switch told so.")
    if not given and call.agent is not None:
        said = [f"The switch gave it to agent {call.agent} by itself: no order of the engine reached it in time."]
    elif not given:
        said = ["It was given to nobody." if call.answered_us else "Nobody answered it, so it was given to nobody."]
    with ledger.reading() as connection:
        offer = had(connection, call)
    if offer is not None:
        words = offer_words(offer)
        said.append(f"{words[0].upper()}{words[1:]}.")
    at, order = given[0] if given else (None, None)
    return WhyAgent(
        call_id=call.call_id,
        campaign=call.campaign,
        person=call.person,
        agent=call.agent,
        at_us=at,
        given_to=order.agent if isinstance(order, Connect) else None,
        match=order.match if isinstance(order, Connect) else None,
        sought=order.sought if isinstance(order, Connect) else None,
        offer=offer,
        said=said,
    )


def _sought(order: Connect) -> list[str]:
    sought = order.sought
    if sought is None:
        return []
    asked = f"It asked for agents of the group {sought.group}"
    if sought.free is None:
        return [f"{asked}: this one {'is' if sought.within else 'is not'} of them."]
    if not sought.within:
        return [f"{asked}: none of them was free for this campaign, so it went to another."]
    return [f"{asked}: {sought.free} free, agent {order.agent} of them."]


def _reason(
    connection: Connection, stream: str, at_us: int, order: Connect, held: str | None, kept: bool
) -> list[str]:  # fmt: skip
    match = order.match
    if match is None:
        if held == order.agent:
            return ["The agent had been reserved for this call before it was dialled."]
        if kept:
            return ["Nobody was free when it was answered; this agent was the first who came free while it waited."]
        chosen = order.sought is not None and order.sought.within
        return [f"Of {'these' if chosen else 'the agents free for it'}, this one had been idle longest."]
    opened = [row for _, _, row in term_rows(connection, stream, at_us + 1) if isinstance(row, FloorOpened)]
    table = next((row.settings.matching for row in reversed(opened) if row.settings.matching is not None), None)
    known = table is not None and table.version == match.version
    group = f" ({table.words(match.group)})" if table is not None and known else ""
    said = [f"{match.of} agents were free for a debtor of group {match.group}{group}, table {match.version}."]
    if match.idle:
        return [
            *said,
            f"This one had been idle for so long that he came first, whoever suits better ({_adds(match.gain)}).",
        ]
    if not match.instead:
        return [*said, f"This one had been idle longest, and none of the others adds more ({_adds(match.gain)})."]
    return [
        *said,
        f"This one suits best ({_adds(match.gain)}); agent {match.instead} had been idle longest "
        f"({_adds(match.passed)}).",
    ]


def _adds(gain: float) -> str:
    return f"{100 * gain:+.1f} points to the chance of the outcome"
