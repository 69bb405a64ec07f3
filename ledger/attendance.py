"""Agents' time: how long each was in which state, while an engine lived to know it.

Rule 1: a state lasts until the agent's next one, and counts only within the lives of the floor's engine: who is left
signed in when it ends, or is killed, works no longer.
Rule 2: where an engine runs through the night, a day's time counts from its first call to its last.
"""

from bisect import bisect_right
from collections.abc import Iterator
from datetime import timedelta
from typing import NamedTuple

from sqlalchemy import Connection, func, select

from domain.calls import AgentState
from domain.instants import from_datetime, to_datetime
from ledger.database import streamed
from ledger.queries import seq_at
from ledger.schema import agent_state, attempt, outcome
from ledger.terms import known_streams, lives


class Span(NamedTuple):
    agent: str
    state: str
    reason: str
    from_us: int
    to_us: int


def agent_spans(connection: Connection, stream: str | None, from_us: int, to_us: int, zone: str) -> Iterator[Span]:
    """Yield agents' spans of a window, agent by agent; `stream` None: of every floor."""
    for one in known_streams(connection) if stream is None else (stream,):
        stretches = worked(connection, one, from_us, to_us, zone)
        if not stretches:
            continue
        starts = [start_us for start_us, _ in stretches]
        for span in _signed_in(connection, one, stretches[0][0], stretches[-1][1]):
            first = max(0, bisect_right(starts, span.from_us) - 1)
            for start_us, end_us in stretches[first:]:
                if start_us >= span.to_us:
                    break
                low_us, high_us = max(span.from_us, start_us), min(span.to_us, end_us)
                if low_us < high_us:
                    yield span._replace(from_us=low_us, to_us=high_us)


def worked(connection: Connection, stream: str, from_us: int, to_us: int, zone: str) -> list[tuple[int, int]]:
    """Return the stretches of a window in which agents' time counts, in order."""
    found: list[tuple[int, int]] = []
    for life in lives(connection, stream, from_us, to_us):
        day_us = max(life.from_us, from_us)
        while day_us < min(life.to_us, to_us):
            begin_us, end_us = day_us, _midnight_after(day_us, zone)
            started_before, runs_on = life.from_us < _midnight_of(day_us, zone), life.to_us > end_us
            if started_before or runs_on:
                calls = called(connection, stream, _midnight_of(day_us, zone), end_us)
                if calls is None:
                    day_us = end_us
                    continue
                begin_us = max(begin_us, calls[0]) if started_before else begin_us
                day_us, end_us = end_us, min(end_us, calls[1]) if runs_on else end_us
            else:
                day_us = end_us
            end_us = min(end_us, life.to_us, to_us)
            if begin_us < end_us:
                found.append((begin_us, end_us))
    return found


def _midnight_of(at_us: int, zone: str) -> int:
    return from_datetime(to_datetime(at_us, zone).replace(hour=0, minute=0, second=0, microsecond=0))


def _midnight_after(at_us: int, zone: str) -> int:
    local = to_datetime(at_us, zone).replace(hour=0, minute=0, second=0, microsecond=0)
    return from_datetime(local + timedelta(days=1))


def called(connection: Connection, stream: str, from_us: int, to_us: int) -> tuple[int, int] | None:
    """Return when the first call of a window was reserved and the last one ended."""
    first_us, reserved_us, ended_us = connection.execute(
        select(func.min(attempt.c.reserved_us), func.max(attempt.c.reserved_us), func.max(outcome.c.at_us))
        .select_from(attempt.outerjoin(outcome, outcome.c.call_id == attempt.c.call_id))
        .where(attempt.c.stream == stream, attempt.c.reserved_us >= from_us, attempt.c.reserved_us < to_us)
    ).one()
    return None if first_us is None else (first_us, max(reserved_us, ended_us or 0))


def _signed_in(connection: Connection, stream: str, from_us: int, to_us: int) -> Iterator[Span]:
    """Yield the states that agents were in, from the one that each brought into the window."""
    columns = (agent_state.c.agent, agent_state.c.at_us, agent_state.c.state, agent_state.c.reason)
    of_floor = agent_state.c.stream == stream
    begin = seq_at(connection, stream, from_us)
    brought = (
        select(func.max(agent_state.c.seq)).where(of_floor, agent_state.c.seq < begin).group_by(agent_state.c.agent)
    )
    query = (
        select(*columns)
        .where(of_floor, (agent_state.c.seq >= begin) | agent_state.c.seq.in_(brought), agent_state.c.at_us < to_us)
        .order_by(agent_state.c.agent, agent_state.c.seq)
    )
    held: Span | None = None
    for row in streamed(connection, query):
        if held is not None and held.state != AgentState.offline:
            yield held._replace(to_us=row.at_us if row.agent == held.agent else to_us)
        held = Span(row.agent, row.state, row.reason, row.at_us, to_us)
    if held is not None and held.state != AgentState.offline:
        yield held
