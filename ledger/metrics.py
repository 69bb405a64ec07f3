"""The metric dictionary, computed from the record: every figure with its numerator, its denominator and an interval.

One definition each, as `docs/glossary.md` tells them. Attempts are read once and counted into groups; agents' time is
folded from the log of their states.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator
from math import sqrt
from typing import NamedTuple

import msgspec
from sqlalchemy import Connection, select

from domain.calls import RIGHT_PARTY, AgentState, AnswerClass, Disposition
from domain.instants import HOUR, to_datetime
from ledger.schema import agent_state, attempt, outcome, promise

#: How attempts may be grouped.
GROUPS = ("none", "campaign", "hour", "agent", "trunk", "mode", "day")

_Z95 = 1.959964


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """A metric's value with what it was made of; None where the denominator is zero."""

    name: str
    value: float | None
    numerator: float
    denominator: float
    #: 95 % interval, for shares (Wilson) and for counts per hour (Poisson).
    low: float | None = None
    high: float | None = None


class Counts(msgspec.Struct, kw_only=True):
    """What one group of attempts adds up to."""

    attempts: int = 0
    not_dialled: int = 0
    answered: int = 0
    live: int = 0
    by_class: dict[str, int] = msgspec.field(default_factory=dict)
    by_disposition: dict[str, int] = msgspec.field(default_factory=dict)
    by_cause: dict[str, int] = msgspec.field(default_factory=dict)
    #: Of the connected, machines that an agent heard.
    heard_machines: int = 0
    right_party: int = 0
    promises: int = 0
    handled: int = 0
    ring_us: int = 0
    talk_us: int = 0
    wrap_us: int = 0
    #: Answer to agent, one per connected call, µs.
    waits_us: list[int] = msgspec.field(default_factory=list)
    people: set[int] = msgspec.field(default_factory=set)
    people_reached: set[int] = msgspec.field(default_factory=set)
    people_right: set[int] = msgspec.field(default_factory=set)
    #: Agents' time by state, µs.
    agent_us: dict[str, int] = msgspec.field(default_factory=dict)
    promised_minor: dict[str, int] = msgspec.field(default_factory=dict)
    deliveries: int = 0

    def of(self, answer_class: AnswerClass) -> int:
        return self.by_class.get(answer_class, 0)


class AttemptRow(NamedTuple):
    call_id: str
    campaign: str
    person: int
    trunk: str
    mode: str
    reserved_us: int
    answered_us: int | None
    agent: str | None
    answer_class: str | None
    wait_us: int | None
    disposition: str | None
    ring_us: int | None
    talk_us: int | None
    wrap_us: int | None
    q850: int | None


def attempt_rows(connection: Connection, from_us: int, to_us: int, campaign: str | None = None) -> Iterator[AttemptRow]:
    """Yield the attempts reserved in [from_us, to_us), oldest first."""
    query = (
        select(
            attempt.c.call_id,
            attempt.c.campaign,
            attempt.c.person,
            attempt.c.trunk,
            attempt.c.mode,
            attempt.c.reserved_us,
            attempt.c.answered_us,
            attempt.c.agent,
            attempt.c.answer_class,
            attempt.c.wait_us,
            outcome.c.disposition,
            outcome.c.ring_us,
            outcome.c.talk_us,
            outcome.c.wrap_us,
            outcome.c.q850,
        )
        .select_from(attempt.outerjoin(outcome, outcome.c.call_id == attempt.c.call_id))
        .where(attempt.c.reserved_us >= from_us, attempt.c.reserved_us < to_us)
        .order_by(attempt.c.reserved_us, attempt.c.call_id)
        .execution_options(yield_per=5000)
    )
    if campaign is not None:
        query = query.where(attempt.c.campaign == campaign)
    for row in connection.execute(query):
        yield AttemptRow._make(row)


def agent_spans(connection: Connection, from_us: int, to_us: int) -> Iterator[tuple[str, str, str, int, int]]:
    """Yield (agent, state, reason, from, to) over a window; a state lasts until the agent's next."""
    query = (
        select(agent_state.c.agent, agent_state.c.at_us, agent_state.c.state, agent_state.c.reason)
        .where(agent_state.c.at_us < to_us)
        .order_by(agent_state.c.agent, agent_state.c.at_us, agent_state.c.seq)
        .execution_options(yield_per=5000)
    )
    held: tuple[str, int, str, str] | None = None
    for row in connection.execute(query):
        entry = (row.agent, row.at_us, row.state, row.reason)
        if held is not None:
            end_us = entry[1] if entry[0] == held[0] else to_us
            if end_us > from_us and held[2] != AgentState.offline:
                yield held[0], held[2], held[3], max(held[1], from_us), end_us
        held = entry
    if held is not None and held[2] != AgentState.offline:
        yield held[0], held[2], held[3], max(held[1], from_us), to_us


def grouper(by: str, zone: str) -> Callable[[AttemptRow], str]:
    """Return the function that names an attempt's group."""
    if by == "hour":
        return lambda row: to_datetime(row.reserved_us, zone).strftime("%Y-%m-%d %H:00")
    if by == "day":
        return lambda row: to_datetime(row.reserved_us, zone).strftime("%Y-%m-%d")
    if by == "none":
        return lambda row: "all"
    if by == "agent":
        return lambda row: row.agent or "-"
    return lambda row: str(getattr(row, by))


def count(
    connection: Connection,
    from_us: int,
    to_us: int,
    *,
    by: str = "none",
    zone: str = "UTC",
    campaign: str | None = None,
) -> dict[str, Counts]:
    """Count attempts, agents' time and promises of a window into groups.

    Agents' time is told where a group is a whole floor or an agent; elsewhere it cannot be shared out honestly.
    """
    groups: dict[str, Counts] = defaultdict(Counts)
    name_of = grouper(by, zone)
    group_of_call: dict[str, str] = {}
    for row in attempt_rows(connection, from_us, to_us, campaign):
        name = name_of(row)
        group_of_call[row.call_id] = name
        _add(groups[name], row)
    if by in ("none", "agent") and campaign is None:
        for agent, state, _, start_us, end_us in agent_spans(connection, from_us, to_us):
            times = groups[agent if by == "agent" else "all"].agent_us
            times[state] = times.get(state, 0) + end_us - start_us
    query = select(promise.c.call_id, promise.c.amount_minor, promise.c.currency).where(
        promise.c.made_us >= from_us, promise.c.made_us < to_us
    )
    for call_id, amount_minor, currency in connection.execute(query):
        if (group := group_of_call.get(call_id)) is not None:
            promised = groups[group].promised_minor
            promised[currency] = promised.get(currency, 0) + amount_minor
    return dict(sorted(groups.items()))


def _add(counts: Counts, row: AttemptRow) -> None:
    disposition = row.disposition or "open"
    counts.by_disposition[disposition] = counts.by_disposition.get(disposition, 0) + 1
    if disposition in (Disposition.not_sent, Disposition.stale):
        counts.not_dialled += 1
        return
    counts.attempts += 1
    counts.people.add(row.person)
    counts.ring_us += row.ring_us or 0
    if row.q850 is not None:
        cause = str(row.q850)
        counts.by_cause[cause] = counts.by_cause.get(cause, 0) + 1
    if row.answered_us is not None:
        counts.answered += 1
    if row.answer_class is not None:
        counts.by_class[row.answer_class] = counts.by_class.get(row.answer_class, 0) + 1
    heard = row.answer_class == AnswerClass.connected and disposition == Disposition.machine
    counts.heard_machines += heard
    if row.answer_class in (AnswerClass.connected, AnswerClass.abandoned) and not heard:
        counts.live += 1
        counts.people_reached.add(row.person)
    if row.answer_class == AnswerClass.connected:
        counts.handled += 1
        counts.talk_us += row.talk_us or 0
        counts.wrap_us += row.wrap_us or 0
        if row.wait_us is not None:
            counts.waits_us.append(row.wait_us)
    if disposition in RIGHT_PARTY:
        counts.right_party += 1
        counts.people_right.add(row.person)
    if disposition in (Disposition.promise, Disposition.plan):
        counts.promises += 1


# ---- the dictionary


def share(name: str, numerator: float, denominator: float) -> Figure:
    """Return a share with its Wilson interval."""
    if denominator <= 0:
        return Figure(name=name, value=None, numerator=numerator, denominator=denominator)
    p, n, z = numerator / denominator, denominator, _Z95
    middle = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z * sqrt(p * (1 - p) / n + z * z / (4 * n * n)) / (1 + z * z / n) if 0 <= p <= 1 else 0.0
    return Figure(
        name=name,
        value=p,
        numerator=numerator,
        denominator=denominator,
        low=max(0.0, middle - half),
        high=min(1.0, middle + half),
    )


def per_hour(name: str, events: int, duration_us: int) -> Figure:
    """Return events per hour with a Poisson interval (Byar's approximation)."""
    hours = duration_us / HOUR
    if hours <= 0:
        return Figure(name=name, value=None, numerator=events, denominator=hours)
    n = float(events)
    low = n * (1 - 1 / (9 * n) - _Z95 / (3 * sqrt(n))) ** 3 if events else 0.0
    more = n + 1
    high = more * (1 - 1 / (9 * more) + _Z95 / (3 * sqrt(more))) ** 3
    return Figure(
        name=name, value=n / hours, numerator=n, denominator=hours, low=max(0.0, low) / hours, high=high / hours
    )


def mean(name: str, total: float, n: float) -> Figure:
    return Figure(name=name, value=total / n if n else None, numerator=total, denominator=n)


def quantile(values: list[int], q: float) -> float | None:
    """Return the q-quantile (nearest rank) of a list, None when empty."""
    if not values:
        return None
    ordered = sorted(values)
    return float(ordered[min(len(ordered) - 1, int(q * len(ordered)))])


def figures(counts: Counts) -> list[Figure]:
    """Return the dictionary's metrics of a group, in the dictionary's order."""
    spent = counts.agent_us
    handling_us = spent.get(AgentState.talking, 0) + spent.get(AgentState.wrapup, 0)
    ready_us = sum(spent.get(state, 0) for state in (AgentState.ready, AgentState.reserved, AgentState.previewing))
    worked_us, paused_us = handling_us + ready_us, spent.get(AgentState.paused, 0)
    hours_known = bool(spent)
    found = [
        mean("attempts_per_account", counts.attempts, len(counts.people)),
        share("answer_rate", counts.answered, counts.attempts),
        share("live_answer_rate", counts.live, counts.attempts),
        share("contact_rate", len(counts.people_reached), len(counts.people)),
        share("rpc_rate", counts.right_party, counts.attempts),
        share("rpc_accounts", len(counts.people_right), len(counts.people)),
        share("ptp_rate", counts.promises, counts.right_party),
        *abandonment(counts),
        mean("aht_s", (counts.talk_us + counts.wrap_us) / 1e6, counts.handled),
        mean("answer_to_agent_ms", sum(counts.waits_us) / 1e3, len(counts.waits_us)),
    ]
    if hours_known:
        found += [
            per_hour("rpc_per_agent_hour", counts.right_party, worked_us),
            per_hour("promises_per_agent_hour", counts.promises, worked_us),
            share("occupancy", handling_us / HOUR, worked_us / HOUR),
            mean("average_wait_s", ready_us / 1e6, counts.handled),
            share("pause_share", paused_us / HOUR, (worked_us + paused_us) / HOUR),
        ]
        # A share of time is no sample of independent trials.
        found = [
            msgspec.structs.replace(figure, low=None, high=None)
            if figure.name in ("occupancy", "pause_share")
            else figure
            for figure in found
        ]
    return found


def abandonment(counts: Counts) -> list[Figure]:
    """Return the abandonment rate under every definition at once; the strictest configured one binds."""
    # People only: a machine that an agent heard is in no base but that of all answers.
    connected, abandoned = counts.of(AnswerClass.connected) - counts.heard_machines, counts.of(AnswerClass.abandoned)
    cut, lost = counts.of(AnswerClass.cut), counts.of(AnswerClass.lost)
    return [
        # 16 CFR 310.4(b)(4) style: machines in neither term.
        share("abandon_us", abandoned, connected + abandoned),
        # Ofcom style: calls that detection cut where a person was suspected are added to both terms.
        share("abandon_uk", abandoned + cut, connected + abandoned + cut),
        # Cloud contact-centre style: every answered call in the base, machines too.
        share("abandon_all_answers", abandoned, sum(counts.by_class.values())),
        # Ours: whatever a person may have suffered, lost in the switch as well.
        share("abandon_strict", abandoned + cut + lost, connected + abandoned + cut + lost),
    ]


#: English and Spanish names, and what is divided by what.
DICTIONARY: dict[str, tuple[str, str, str]] = {
    "attempts_per_account": ("Attempts per account", "Intentos por cuenta", "attempts / accounts attempted"),
    "answer_rate": ("Answer rate", "Tasa de descuelgue", "answered by anything / attempts"),
    "live_answer_rate": ("Live-answer rate", "Descuelgue por persona", "people connected + abandoned / attempts"),
    "contact_rate": ("Contact rate", "Tasa de contacto", "accounts with a human contact / accounts attempted"),
    "rpc_rate": ("Right-party contact rate", "Contacto directo", "right-party contacts / attempts"),
    "rpc_accounts": ("Accounts with right-party contact", "Cuentas con contacto directo", "accounts / attempted"),
    "rpc_per_agent_hour": ("RPC per agent-hour", "Contactos directos por hora", "RPC / (handling + ready) hours"),
    "promises_per_agent_hour": ("Promises per agent-hour", "Promesas por hora", "promises / (handling + ready) hours"),
    "ptp_rate": ("PTP rate", "Tasa de promesa", "promises and plans / right-party contacts"),
    "abandon_us": ("Abandonment, US style", "Abandono, estilo EE. UU.", "abandoned / people (connected + abandoned)"),
    "abandon_uk": ("Abandonment, UK style", "Abandono, estilo R. Unido", "(abandoned + cut) / (connected + both)"),
    "abandon_all_answers": ("Abandonment, all answers", "Abandono, sobre descuelgues", "abandoned / answered"),
    "abandon_strict": (
        "Abandonment, strict",
        "Abandono, estricto",
        "(abandoned + cut + lost) / (connected + all three)",
    ),
    "aht_s": ("Average handling time, s", "Tiempo medio de gestión, s", "(talk + wrap) / handled calls"),
    "answer_to_agent_ms": ("Answer to agent, ms", "De descuelgue a agente, ms", "mean over connected calls"),
    "occupancy": ("Occupancy", "Ocupación", "(talk + wrap) / (talk + wrap + ready), h"),
    "average_wait_s": ("Average agent wait, s", "Espera media del agente, s", "ready time / calls delivered"),
    "pause_share": ("Pause share", "Proporción de pausa", "paused / logged-in time, h"),
}
