"""One shift as a record: what the terminal and the page of `cadencia report` show, every figure from the ledger."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import msgspec
from sqlalchemy import Connection, func, select

from console.shift_close import Due, OpenCall, Remark, call_backs, exceptions, open_calls, promises
from domain.calls import NEVER_DIALLED, AgentState, AnswerClass, Disposition
from domain.errors import BadInput
from domain.instants import MINUTE, from_datetime, iso, to_datetime
from domain.settings import FloorSettings
from ledger.attendance import Span, agent_spans, called, worked
from ledger.figures import Figure
from ledger.metrics import Counts, attempt_rows, count, figures, quantile
from ledger.schema import attempt, denial
from ledger.terms import Terms, in_force

_BUCKETS = 48


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """Something else came into force while the floor ran."""

    at_local: str
    #: mode, ratio or abandon_limit.
    what: str
    before: str
    after: str
    #: By an operator; otherwise the settings had changed when the floor was opened again.
    by_hand: bool


class CampaignLine(msgspec.Struct, frozen=True, kw_only=True):
    campaign: str
    #: In force last, by the record.
    mode: str
    abandon_limit: float
    #: Rules that bind pacing, by what they bind: `shift`, `patience_s`, `ring_timeout_s`, a window.
    bound_by: dict[str, str]
    changes: list[Change]
    figures: list[Figure]


class Slice(msgspec.Struct, frozen=True, kw_only=True):
    """One bucket of the plots over the shift."""

    #: Local time of its start.
    at_local: str
    dials: int
    #: Answers by people who met an agent; machines that an agent heard are machines.
    people: int
    abandoned: int
    machine: int
    #: Abandoned / answered by people since the start of the shift, and the tightest limit then in force.
    abandon_rate_so_far: float | None
    abandon_limit: float
    #: Mean number of agents by state.
    talking: float
    wrapup: float
    ready: float
    paused: float
    occupancy: float | None


class AgentLine(msgspec.Struct, frozen=True, kw_only=True):
    agent: str
    logged_in_s: float
    talking_s: float
    wrapup_s: float
    ready_s: float
    paused_s: float
    calls: int
    right_party: int
    promises: int
    occupancy: float | None


class Shift(msgspec.Struct, frozen=True, kw_only=True):
    stream: str
    zone: str
    from_us: int
    to_us: int
    from_local: str
    to_local: str
    attempts: int
    #: Calls that met an agent, and of those, the ones where a machine had answered.
    connected: int
    heard_machines: int
    right_party: int
    promises: int
    plans: int
    promised_minor: dict[str, int]
    figures: list[Figure]
    campaigns: list[CampaignLine]
    by_hour: dict[str, list[Figure]]
    trunks: dict[str, list[Figure]]
    agents: list[AgentLine]
    dispositions: dict[str, int]
    #: Q.850 causes of calls that a person did not take.
    causes: dict[str, int]
    denials: dict[str, int]
    #: Answer to agent, ms: p50, p95, p99 and a histogram (upper bound, calls).
    wait_ms: dict[str, float | None]
    wait_histogram: list[tuple[int, int]]
    slices: list[Slice]
    call_backs: list[Due]
    promises_due: list[Due]
    exceptions: list[Remark]
    #: Attempts without a disposition.
    open_calls: list[OpenCall]


def window_of(connection: Connection, stream: str, zone: str, day: str | None) -> tuple[int, int]:
    """Return the local day asked for, or the floor's last one with attempts, as instants.

    Raises
    ------
    BadInput
        When the day cannot be read or nothing has been dialled yet.
    """
    if day is None:
        last_us = connection.execute(select(func.max(attempt.c.reserved_us)).where(attempt.c.stream == stream)).scalar()
        if last_us is None:
            raise BadInput("no attempt is on record yet; run a campaign first (`cadencia run CAMPAIGN`)")
        local = to_datetime(last_us, zone).date()
    else:
        try:
            local = date.fromisoformat(day)
        except ValueError as error:
            raise BadInput(f"a day must be a date like 2026-11-18, was {day!r}") from error
    start = datetime(local.year, local.month, local.day, tzinfo=ZoneInfo(zone))
    following = local + timedelta(days=1)
    end = datetime(following.year, following.month, following.day, tzinfo=ZoneInfo(zone))
    return from_datetime(start), from_datetime(end)


def read_shift(connection: Connection, floor: FloorSettings, day: str | None = None) -> Shift:
    """Read one local day of a floor from the ledger."""
    zone, stream = floor.zone, floor.stream
    from_us, to_us = window_of(connection, stream, zone, day)

    def counted(by: str) -> dict[str, Counts]:
        return count(connection, from_us, to_us, by=by, zone=zone, stream=stream)

    total = counted("none").get("all", Counts())
    if total.attempts == 0:
        raise BadInput(f"report: nothing was dialled on {to_datetime(from_us, zone).date()} ({zone})")
    spans = list(agent_spans(connection, stream, from_us, to_us, zone))
    begin_us, end_us = _edges(connection, stream, from_us, to_us, zone)
    terms = {name: _within(steps, begin_us) for name, steps in in_force(connection, stream, from_us, to_us).items()}
    waits = total.waits_us
    campaigns = counted("campaign")
    return Shift(
        stream=stream,
        zone=zone,
        from_us=begin_us,
        to_us=end_us,
        from_local=iso(begin_us, zone)[:16].replace("T", " "),
        to_local=iso(end_us, zone)[:16].replace("T", " "),
        attempts=total.attempts,
        connected=total.of(AnswerClass.connected),
        heard_machines=total.heard_machines,
        right_party=total.right_party,
        promises=total.promises,
        plans=total.plans,
        promised_minor=total.promised_minor,
        figures=figures(total),
        campaigns=[
            CampaignLine(
                campaign=name,
                mode=terms[name][-1].mode,
                abandon_limit=terms[name][-1].abandon_limit,
                bound_by=terms[name][-1].bound_by,
                changes=_changes(terms[name], zone),
                figures=figures(counts),
            )
            for name, counts in campaigns.items()
            if name in terms
        ],
        by_hour={name[11:]: figures(counts) for name, counts in counted("hour").items()},
        trunks={name: figures(counts) for name, counts in counted("trunk").items()},
        agents=_agents(spans, counted("agent")),
        dispositions=dict(sorted(total.by_disposition.items(), key=lambda item: -item[1])),
        causes=dict(sorted(total.by_cause.items(), key=lambda item: -item[1])),
        denials=_denials(connection, stream, from_us, to_us),
        wait_ms={f"p{int(q * 100)}": _ms(quantile(waits, q)) for q in (0.5, 0.95, 0.99)},
        wait_histogram=_histogram(waits),
        slices=_slices(connection, stream, spans, terms, begin_us, end_us, zone),
        call_backs=call_backs(connection, stream, end_us, zone),
        promises_due=promises(connection, stream, end_us, zone),
        exceptions=exceptions(connection, stream, total),
        open_calls=open_calls(connection, stream, from_us, to_us),
    )


def _edges(connection: Connection, stream: str, from_us: int, to_us: int, zone: str) -> tuple[int, int]:
    """Return when the shift began and ended: with its first and last call, or with the time that agents worked."""
    stretches = [called(connection, stream, from_us, to_us), *worked(connection, stream, from_us, to_us, zone)]
    begins, ends = zip(*filter(None, stretches), strict=True)
    return min(begins), max(ends)


def _within(steps: list[Terms], begin_us: int) -> list[Terms]:
    """Return what was in force when the shift began, and what came after."""
    first = max((index for index, step in enumerate(steps) if step.at_us <= begin_us), default=0)
    return steps[first:]


def _changes(steps: list[Terms], zone: str) -> list[Change]:
    found = []
    for before, after in pairwise(steps):
        at_local = to_datetime(after.at_us, zone).strftime("%H:%M:%S")
        for what, shown in (("mode", str), ("ratio", "{:g}".format), ("abandon_limit", "{:.2%}".format)):
            old, new = getattr(before, what), getattr(after, what)
            if old != new:
                found.append(
                    Change(at_local=at_local, what=what, before=shown(old), after=shown(new), by_hand=after.by_hand)
                )
    return found


def _ms(value_us: float | None) -> float | None:
    return None if value_us is None else value_us / 1e3


def _histogram(waits_us: Sequence[int]) -> list[tuple[int, int]]:
    bounds_ms = (5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000)
    counts = dict.fromkeys(bounds_ms, 0)
    for wait_us in waits_us:
        bound = next((b for b in bounds_ms if wait_us <= b * 1000), bounds_ms[-1])
        counts[bound] += 1
    return list(counts.items())


def _agents(spans: Sequence[Span], counts: dict[str, Counts]) -> list[AgentLine]:
    times: dict[str, dict[str, int]] = {}
    for span in spans:
        spent = times.setdefault(span.agent, {})
        spent[span.state] = spent.get(span.state, 0) + span.to_us - span.from_us
    lines = []
    for agent, spent in sorted(times.items()):
        talking, wrapup = spent.get(AgentState.talking, 0), spent.get(AgentState.wrapup, 0)
        ready = sum(spent.get(state, 0) for state in (AgentState.ready, AgentState.reserved, AgentState.previewing))
        worked = talking + wrapup + ready
        made = counts.get(agent, Counts())
        lines.append(
            AgentLine(
                agent=agent,
                logged_in_s=sum(spent.values()) / 1e6,
                talking_s=talking / 1e6,
                wrapup_s=wrapup / 1e6,
                ready_s=ready / 1e6,
                paused_s=spent.get(AgentState.paused, 0) / 1e6,
                calls=made.handled,
                right_party=made.right_party,
                promises=made.promises,
                occupancy=(talking + wrapup) / worked if worked else None,
            )
        )
    return lines


def _denials(connection: Connection, stream: str, from_us: int, to_us: int) -> dict[str, int]:
    rows = connection.execute(
        select(denial.c.rule, func.count())
        .where(denial.c.stream == stream, denial.c.at_us >= from_us, denial.c.at_us < to_us)
        .group_by(denial.c.rule)
        .order_by(func.count().desc(), denial.c.rule)
    )
    return {str(rule): int(n) for rule, n in rows}


def _slices(
    connection: Connection,
    stream: str,
    spans: Sequence[Span],
    terms: dict[str, list[Terms]],
    begin_us: int,
    end_us: int,
    zone: str,
) -> list[Slice]:
    width_us = max(MINUTE, -(-(end_us - begin_us) // _BUCKETS // MINUTE) * MINUTE)
    n = max(1, -(-(end_us - begin_us + 1) // width_us))
    dials, people, abandoned, machine = ([0] * n for _ in range(4))
    for row in attempt_rows(connection, begin_us, end_us + 1, stream=stream):
        if row.disposition in NEVER_DIALLED:
            continue
        dials[(row.reserved_us - begin_us) // width_us] += 1
        if row.answer_class is not None and row.answered_us is not None:
            at = min(n - 1, max(0, (row.answered_us - begin_us) // width_us))
            heard = row.answer_class == AnswerClass.connected and row.disposition == Disposition.machine
            people[at] += row.answer_class == AnswerClass.connected and not heard
            abandoned[at] += row.answer_class == AnswerClass.abandoned
            machine[at] += heard or row.answer_class == AnswerClass.machine
    staffed = [dict.fromkeys(("talking", "wrapup", "ready", "paused"), 0) for _ in range(n)]
    for span in spans:
        word = "ready" if span.state in (AgentState.ready, AgentState.reserved, AgentState.previewing) else span.state
        if word not in staffed[0]:
            continue
        first, last = (span.from_us - begin_us) // width_us, min(n - 1, (span.to_us - begin_us) // width_us)
        for index in range(first, last + 1):
            low, high = begin_us + index * width_us, begin_us + (index + 1) * width_us
            staffed[index][word] += max(0, min(span.to_us, high) - max(span.from_us, low))
    slices = []
    live_so_far = abandoned_so_far = 0
    for index in range(n):
        start_us = begin_us + index * width_us
        abandoned_so_far += abandoned[index]
        live_so_far += people[index] + abandoned[index]
        spent = staffed[index]
        span_us = min(width_us, end_us - start_us) or width_us
        handling = spent["talking"] + spent["wrapup"]
        slices.append(
            Slice(
                at_local=to_datetime(start_us, zone).strftime("%H:%M"),
                dials=dials[index],
                people=people[index],
                abandoned=abandoned[index],
                machine=machine[index],
                abandon_rate_so_far=abandoned_so_far / live_so_far if live_so_far else None,
                abandon_limit=min(_at(steps, start_us + width_us).abandon_limit for steps in terms.values()),
                talking=spent["talking"] / span_us,
                wrapup=spent["wrapup"] / span_us,
                ready=spent["ready"] / span_us,
                paused=spent["paused"] / span_us,
                occupancy=handling / (handling + spent["ready"]) if handling + spent["ready"] else None,
            )
        )
    return slices


def _at(steps: list[Terms], at_us: int) -> Terms:
    return next((step for step in reversed(steps) if step.at_us < at_us), steps[0])
