"""One shift as a record: what the terminal and the page of `cadencia report` show, every figure from the ledger."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import msgspec
from sqlalchemy import Connection, func, select

from domain.calls import AgentState, AnswerClass, Disposition
from domain.errors import BadInput
from domain.instants import DAY, HOUR, MINUTE, from_datetime, iso, to_datetime
from domain.settings import FloorSettings
from ledger.metrics import Counts, Figure, agent_spans, attempt_rows, count, figures, quantile
from ledger.schema import attempt, call_back, creditor, debt, denial, outcome, promise

_BUCKETS = 48


class CampaignLine(msgspec.Struct, frozen=True, kw_only=True):
    campaign: str
    mode: str
    abandon_limit: float
    figures: list[Figure]


class Slice(msgspec.Struct, frozen=True, kw_only=True):
    """One bucket of the plots over the shift."""

    #: Local time of its start.
    at_local: str
    dials: int
    connected: int
    abandoned: int
    machine: int
    #: Abandoned / live since the start of the shift.
    abandon_rate_so_far: float | None
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


class Due(msgspec.Struct, frozen=True, kw_only=True):
    """A call-back or a promise to look after."""

    account: str
    what: str
    due: str
    agent: str | None
    amount_minor: int | None = None
    currency: str | None = None


class Shift(msgspec.Struct, frozen=True, kw_only=True):
    stream: str
    zone: str
    from_us: int
    to_us: int
    from_local: str
    to_local: str
    attempts: int
    connected: int
    right_party: int
    promises: int
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
    exceptions: list[str]


def window_of(connection: Connection, zone: str, day: str | None) -> tuple[int, int]:
    """Return the local day asked for, or the last one with attempts, as instants.

    Raises
    ------
    BadInput
        When the day cannot be read or nothing has been dialled yet.
    """
    if day is None:
        last_us = connection.execute(select(func.max(attempt.c.reserved_us))).scalar()
        if last_us is None:
            raise BadInput("report: no attempt is on record yet; run a campaign first (`cadencia run CAMPAIGN`)")
        local = to_datetime(last_us, zone).date()
    else:
        try:
            local = date.fromisoformat(day)
        except ValueError as error:
            raise BadInput(f"report: --day must be a date like 2026-11-18, was {day!r}") from error
    start = datetime(local.year, local.month, local.day, tzinfo=ZoneInfo(zone))
    following = local + timedelta(days=1)
    end = datetime(following.year, following.month, following.day, tzinfo=ZoneInfo(zone))
    return from_datetime(start), from_datetime(end)


def read_shift(connection: Connection, floor: FloorSettings, day: str | None = None) -> Shift:
    """Read one local day of a floor from the ledger."""
    zone = floor.zone
    from_us, to_us = window_of(connection, zone, day)
    whole = count(connection, from_us, to_us, zone=zone)
    if not whole or whole[next(iter(whole))].attempts == 0:
        raise BadInput(f"report: nothing was dialled on {to_datetime(from_us, zone).date()} ({zone})")
    total = whole["all"]
    begin_us, end_us = _edges(connection, from_us, to_us)
    # Nobody knows what agents did after the last thing on record.
    total.agent_us = _agent_totals(connection, from_us, end_us)
    limits = {campaign.name: (campaign.mode, campaign.abandon_limit) for campaign in floor.campaigns}
    waits = total.waits_us
    return Shift(
        stream=floor.stream,
        zone=zone,
        from_us=begin_us,
        to_us=end_us,
        from_local=iso(begin_us, zone)[:16].replace("T", " "),
        to_local=iso(end_us, zone)[:16].replace("T", " "),
        attempts=total.attempts,
        connected=total.of(AnswerClass.connected),
        right_party=total.right_party,
        promises=total.promises,
        promised_minor=total.promised_minor,
        figures=figures(total),
        campaigns=[
            CampaignLine(
                campaign=name,
                mode=str(limits.get(name, ("-", 0.03))[0]),
                abandon_limit=limits.get(name, ("-", 0.03))[1],
                figures=figures(counts),
            )
            for name, counts in count(connection, from_us, to_us, by="campaign").items()
        ],
        by_hour={
            name[11:]: figures(counts)
            for name, counts in count(connection, from_us, to_us, by="hour", zone=zone).items()
        },
        trunks={name: figures(counts) for name, counts in count(connection, from_us, to_us, by="trunk").items()},
        agents=_agents(connection, from_us, end_us, count(connection, from_us, to_us, by="agent")),
        dispositions=dict(sorted(total.by_disposition.items(), key=lambda item: -item[1])),
        causes=dict(sorted(total.by_cause.items(), key=lambda item: -item[1])),
        denials=_denials(connection, from_us, to_us),
        wait_ms={f"p{int(q * 100)}": _ms(quantile(waits, q)) for q in (0.5, 0.95, 0.99)},
        wait_histogram=_histogram(waits),
        slices=_slices(connection, begin_us, end_us, zone),
        call_backs=_call_backs(connection, end_us, zone),
        promises_due=_promises(connection, end_us, zone),
        exceptions=_exceptions(connection, from_us, to_us, total),
    )


def _edges(connection: Connection, from_us: int, to_us: int) -> tuple[int, int]:
    """Return when the shift's first attempt was reserved and its last thing happened."""
    row = connection.execute(
        select(func.min(attempt.c.reserved_us), func.max(outcome.c.at_us), func.max(attempt.c.reserved_us))
        .select_from(attempt.outerjoin(outcome, outcome.c.call_id == attempt.c.call_id))
        .where(attempt.c.reserved_us >= from_us, attempt.c.reserved_us < to_us)
    ).one()
    return int(row[0]), int(max(row[1] or 0, row[2]))


def _agent_totals(connection: Connection, from_us: int, to_us: int) -> dict[str, int]:
    totals: dict[str, int] = {}
    for _, state, _, start_us, end_us in agent_spans(connection, from_us, to_us):
        totals[state] = totals.get(state, 0) + end_us - start_us
    return totals


def _ms(value_us: float | None) -> float | None:
    return None if value_us is None else value_us / 1e3


def _histogram(waits_us: Sequence[int]) -> list[tuple[int, int]]:
    bounds_ms = (5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000)
    counts = dict.fromkeys(bounds_ms, 0)
    for wait_us in waits_us:
        bound = next((b for b in bounds_ms if wait_us <= b * 1000), bounds_ms[-1])
        counts[bound] += 1
    return list(counts.items())


def _agents(connection: Connection, from_us: int, to_us: int, counts: dict[str, Counts]) -> list[AgentLine]:
    times: dict[str, dict[str, int]] = {}
    for agent, state, _, start_us, end_us in agent_spans(connection, from_us, to_us):
        spent = times.setdefault(agent, {})
        spent[state] = spent.get(state, 0) + end_us - start_us
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


def _denials(connection: Connection, from_us: int, to_us: int) -> dict[str, int]:
    rows = connection.execute(
        select(denial.c.rule, func.count())
        .where(denial.c.at_us >= from_us, denial.c.at_us < to_us)
        .group_by(denial.c.rule)
        .order_by(func.count().desc(), denial.c.rule)
    )
    return {str(rule): int(n) for rule, n in rows}


def _slices(connection: Connection, begin_us: int, end_us: int, zone: str) -> list[Slice]:
    width_us = max(MINUTE, -(-(end_us - begin_us) // _BUCKETS // MINUTE) * MINUTE)
    n = max(1, -(-(end_us - begin_us + 1) // width_us))
    dials, connected, abandoned, machine = ([0] * n for _ in range(4))
    for row in attempt_rows(connection, begin_us, end_us + 1):
        if row.disposition in (Disposition.not_sent, Disposition.stale):
            continue
        dials[(row.reserved_us - begin_us) // width_us] += 1
        if row.answer_class is not None and row.answered_us is not None:
            at = min(n - 1, max(0, (row.answered_us - begin_us) // width_us))
            connected[at] += row.answer_class == AnswerClass.connected
            abandoned[at] += row.answer_class == AnswerClass.abandoned
            machine[at] += row.answer_class == AnswerClass.machine
    staffed = [dict.fromkeys(("talking", "wrapup", "ready", "paused"), 0) for _ in range(n)]
    for _, state, _, start_us, stop_us in agent_spans(connection, begin_us, end_us):
        word = "ready" if state in (AgentState.ready, AgentState.reserved, AgentState.previewing) else state
        if word not in staffed[0]:
            continue
        first, last = (start_us - begin_us) // width_us, min(n - 1, (stop_us - begin_us) // width_us)
        for index in range(first, last + 1):
            low, high = begin_us + index * width_us, begin_us + (index + 1) * width_us
            staffed[index][word] += max(0, min(stop_us, high) - max(start_us, low))
    slices = []
    live_so_far = abandoned_so_far = 0
    for index in range(n):
        abandoned_so_far += abandoned[index]
        live_so_far += connected[index] + abandoned[index]
        spent = staffed[index]
        span_us = min(width_us, end_us - (begin_us + index * width_us)) or width_us
        handling = spent["talking"] + spent["wrapup"]
        slices.append(
            Slice(
                at_local=to_datetime(begin_us + index * width_us, zone).strftime("%H:%M"),
                dials=dials[index],
                connected=connected[index],
                abandoned=abandoned[index],
                machine=machine[index],
                abandon_rate_so_far=abandoned_so_far / live_so_far if live_so_far else None,
                talking=spent["talking"] / span_us,
                wrapup=spent["wrapup"] / span_us,
                ready=spent["ready"] / span_us,
                paused=spent["paused"] / span_us,
                occupancy=handling / (handling + spent["ready"]) if handling + spent["ready"] else None,
            )
        )
    return slices


# ---- the close of the day


def _accounts(connection: Connection, people: list[int]) -> dict[int, str]:
    """Return the creditor and account by which an operator knows a person."""
    found: dict[int, str] = {}
    for start in range(0, len(people), 500):
        rows = connection.execute(
            select(debt.c.person, creditor.c.name, debt.c.account)
            .join(creditor, creditor.c.id == debt.c.creditor)
            .where(debt.c.person.in_(people[start : start + 500]))
            .order_by(debt.c.id.desc())
        )
        for person, name, account in rows:
            found[person] = f"{name} {account}"
    return found


def _call_backs(connection: Connection, at_us: int, zone: str) -> list[Due]:
    """Return the call-backs not yet made that fall due by the end of the following day, overdue ones first."""
    rows = connection.execute(
        select(call_back.c.person, call_back.c.due_us, call_back.c.agent)
        .where(call_back.c.done_us.is_(None), call_back.c.due_us < at_us + 2 * DAY)
        .order_by(call_back.c.due_us)
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


def _promises(connection: Connection, at_us: int, zone: str) -> list[Due]:
    """Return the open promises that fall due by the end of the following day."""
    tomorrow = (to_datetime(at_us, zone) + timedelta(days=1)).date().isoformat()
    rows = connection.execute(
        select(promise)
        .where(promise.c.state == "open", promise.c.due_on <= tomorrow)
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


def _exceptions(connection: Connection, from_us: int, to_us: int, total: Counts) -> list[str]:
    """Return what somebody should look at before signing the day off."""
    found = []
    unended = connection.execute(
        select(func.count())
        .select_from(attempt.outerjoin(outcome, outcome.c.call_id == attempt.c.call_id))
        .where(attempt.c.reserved_us >= from_us, attempt.c.reserved_us < to_us, outcome.c.call_id.is_(None))
    ).scalar_one()
    if unended:
        found.append(f"{unended} attempts have no disposition yet")
    for disposition, words in (
        (Disposition.unknown, "attempts whose outcome the switch could not tell"),
        (Disposition.lost, "answered calls lost in the switch"),
        (Disposition.cut, "calls cut by machine detection where a person was suspected"),
        (Disposition.unrecorded, "conversations without a recorded outcome"),
    ):
        n = total.by_disposition.get(disposition, 0)
        if n:
            found.append(f"{n} {words}")
    return found
