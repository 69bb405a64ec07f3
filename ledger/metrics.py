"""The metric dictionary, computed from the record: every figure with its numerator, its denominator and an interval.

One definition each, as `docs/glossary.md` tells them. Attempts are read once and counted into groups; what else is on
record about a group (agents' time, its list, money, breaches) is added where it can be told of that group.
An account, here, is a debtor on a list with the debts that the list works: they are called about together.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import NamedTuple

import msgspec
from sqlalchemy import Connection, case, false, func, select

from domain.calls import NEVER_DIALLED, RIGHT_PARTY, AgentState, AnswerClass, Disposition
from domain.instants import DAY, HOUR, from_datetime, to_datetime
from ledger.attendance import agent_spans
from ledger.breaches import Breach, audit
from ledger.figures import Figure, major, mean, part, per_hour, share
from ledger.plans import read_chunk
from ledger.receipts import DuePromise, collected, due_promises
from ledger.schema import attempt, denial, outcome, promise
from ledger.schema import stream as streams
from ledger.terms import known_streams, lists

#: How attempts may be grouped.
GROUPS = ("none", "campaign", "hour", "agent", "trunk", "mode", "day")

#: What settles an account at its first right-party contact.
RESOLVED = frozenset({Disposition.promise, Disposition.plan, Disposition.already_paid})


class Counts(msgspec.Struct, kw_only=True):
    """What one group of attempts adds up to."""

    attempts: int = 0
    not_dialled: int = 0
    answered: int = 0
    by_class: dict[str, int] = msgspec.field(default_factory=dict)
    by_disposition: dict[str, int] = msgspec.field(default_factory=dict)
    by_cause: dict[str, int] = msgspec.field(default_factory=dict)
    #: Of the connected, machines that an agent heard.
    heard_machines: int = 0
    #: Answered calls that ended before anybody could take them, by what ended them.
    cut_by_detection: int = 0
    left_before_routing: int = 0
    lost_in_switch: int = 0
    #: Attempts whose end the switch could not tell.
    unresolved: int = 0
    right_party: int = 0
    promises: int = 0
    plans: int = 0
    handled: int = 0
    ring_us: int = 0
    talk_us: int = 0
    wrap_us: int = 0
    #: Answer to agent, one per connected call, µs.
    waits_us: list[int] = msgspec.field(default_factory=list)
    #: Attempts of each account that had any.
    tries: dict[int, int] = msgspec.field(default_factory=dict)
    accounts_reached: set[int] = msgspec.field(default_factory=set)
    #: How each account's first right-party contact ended.
    first_right: dict[int, str] = msgspec.field(default_factory=dict)
    #: Accounts on the lists, and of those not dialled, the ones that a rule held back; None: not told of this group.
    assigned: set[int] | None = None
    held_back: set[int] = msgspec.field(default_factory=set)
    #: Agents' time by state, µs.
    agent_us: dict[str, int] = msgspec.field(default_factory=dict)
    promised_minor: dict[str, int] = msgspec.field(default_factory=dict)
    #: None: not told of this group.
    due: list[DuePromise] | None = None
    collected_minor: dict[str, int] = msgspec.field(default_factory=dict)
    #: (people answered, of those abandoned) by window before the end.
    windows: dict[str, tuple[int, int]] = msgspec.field(default_factory=dict)
    #: Calls ordered, and those that should not have been; None: not told of this group.
    ordered: int | None = None
    breaches: list[Breach] = msgspec.field(default_factory=list)

    def of(self, answer_class: AnswerClass) -> int:
        return self.by_class.get(answer_class, 0)

    @property
    def people(self) -> int:
        """Answers by people who met an agent."""
        return self.of(AnswerClass.connected) - self.heard_machines

    @property
    def live(self) -> int:
        """Answers by people."""
        return self.people + self.of(AnswerClass.abandoned)


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
    class_why: str | None
    wait_us: int | None
    disposition: str | None
    ring_us: int | None
    talk_us: int | None
    wrap_us: int | None
    q850: int | None


def attempt_rows(
    connection: Connection, from_us: int, to_us: int, *, stream: str | None = None, campaign: str | None = None
) -> Iterator[AttemptRow]:
    """Yield the attempts reserved in [from_us, to_us), oldest first; `stream` None: of every floor."""
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
            attempt.c.class_why,
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
    if stream is not None:
        query = query.where(attempt.c.stream == stream)
    if campaign is not None:
        query = query.where(attempt.c.campaign == campaign)
    for row in connection.execute(query):
        yield AttemptRow._make(row)


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
    stream: str | None = None,
    campaign: str | None = None,
) -> dict[str, Counts]:
    """Count all that a window holds into groups.

    Agents' time is told of whole floors and of agents; lists, windows of abandonment and breaches of whole floors and
    of campaigns: elsewhere they cannot be shared out honestly.

    Parameters
    ----------
    stream : str or None
        One floor's; None: every floor's.
    """
    to_us = min(to_us, _head_us(connection, stream) + DAY)
    groups: dict[str, Counts] = defaultdict(Counts)
    name_of = grouper(by, zone)
    group_of_call: dict[str, str] = {}
    for row in attempt_rows(connection, from_us, to_us, stream=stream, campaign=campaign):
        name = name_of(row)
        group_of_call[row.call_id] = name
        _add(groups[name], row)
    if by in ("none", "agent") and campaign is None:
        for span in agent_spans(connection, stream, from_us, to_us, zone):
            times = groups[span.agent if by == "agent" else "all"].agent_us
            times[span.state] = times.get(span.state, 0) + span.to_us - span.from_us
    query = select(promise.c.call_id, promise.c.amount_minor, promise.c.currency).where(
        promise.c.made_us >= from_us, promise.c.made_us < to_us, promise.c.kind == "promise"
    )
    for call_id, amount_minor, currency in connection.execute(query):
        if (group := group_of_call.get(call_id)) is not None:
            promised = groups[group].promised_minor
            promised[currency] = promised.get(currency, 0) + amount_minor
    if by in ("none", "campaign", "agent"):
        for counts in groups.values():
            counts.due = []
        for due in due_promises(connection, stream, from_us, to_us, zone, campaign):
            group = "all" if by == "none" else (due.campaign if by == "campaign" else due.agent) or "-"
            counts = groups[group]
            counts.due = [*(counts.due or []), due]
    paid = collected(connection, from_us, to_us)
    for counts in groups.values():
        for account in counts.tries:
            for currency, amount_minor in paid.get(account, {}).items():
                counts.collected_minor[currency] = counts.collected_minor.get(currency, 0) + amount_minor
    if by in ("none", "campaign"):
        _add_floor(connection, groups, stream, campaign, (from_us, to_us), by, zone)
    return dict(sorted(groups.items()))


def _head_us(connection: Connection, stream: str | None) -> int:
    query = select(func.max(streams.c.at_us))
    return connection.execute(query if stream is None else query.where(streams.c.stream == stream)).scalar() or 0


def _add_floor(
    connection: Connection,
    groups: dict[str, Counts],
    stream: str | None,
    campaign: str | None,
    window: tuple[int, int],
    by: str,
    zone: str,
) -> None:
    """Add what is told of whole floors and of campaigns alone."""
    from_us, to_us = window
    for one in known_streams(connection) if stream is None else (stream,):
        for name, chunks in lists(connection, one, from_us, to_us).items():
            group = "all" if by == "none" else name
            if group not in groups or campaign not in (None, name):
                continue
            assigned = groups[group].assigned = groups[group].assigned or set()
            for chunk in chunks:
                assigned.update(
                    lead.person for lead in read_chunk(connection, chunk.plan, chunk.chunk, chunk.sha256).leads
                )
    query = select(denial.c.campaign, denial.c.person).where(denial.c.at_us >= from_us, denial.c.at_us < to_us)
    for name, account in connection.execute(query if stream is None else query.where(denial.c.stream == stream)):
        group = "all" if by == "none" else name
        if group in groups and campaign in (None, name) and account not in groups[group].tries:
            groups[group].held_back.add(account)
    found = audit(connection, stream, from_us, to_us)
    for name, ordered in found.ordered.items():
        group = "all" if by == "none" else name
        if group in groups and campaign in (None, name):
            groups[group].ordered = (groups[group].ordered or 0) + ordered
            groups[group].breaches += [breach for breach in found.breaches if breach.campaign == name]
    end_us = min(to_us, _head_us(connection, stream))
    for name, windows in abandon_windows(connection, stream, end_us, zone).items():
        group = "all" if by == "none" else name
        if group in groups and campaign in (None, name):
            held = groups[group].windows
            for window_name, (people, abandoned) in windows.items():
                before = held.get(window_name, (0, 0))
                held[window_name] = (before[0] + people, before[1] + abandoned)


def abandon_windows(
    connection: Connection, stream: str | None, end_us: int, zone: str
) -> dict[str, dict[str, tuple[int, int]]]:
    """Return (answers by people, of those abandoned) of each campaign in the windows that end at an instant."""
    midnight = to_datetime(end_us, zone).replace(hour=0, minute=0, second=0, microsecond=0)
    since = {
        "abandon_day": from_datetime(midnight),
        "abandon_24h": end_us - DAY + 1,
        "abandon_30d": from_datetime(midnight - timedelta(days=29)),
    }
    heard = (attempt.c.answer_class == AnswerClass.connected) & (outcome.c.disposition == Disposition.machine)
    people = attempt.c.answer_class.in_((AnswerClass.connected, AnswerClass.abandoned))
    found: dict[str, dict[str, tuple[int, int]]] = defaultdict(dict)
    for name, since_us in since.items():
        query = (
            select(
                attempt.c.campaign,
                func.count(),
                func.sum(case((attempt.c.answer_class == AnswerClass.abandoned, 1), else_=0)),
            )
            .select_from(attempt.outerjoin(outcome, outcome.c.call_id == attempt.c.call_id))
            .where(
                people,
                ~func.coalesce(heard, false()),
                attempt.c.answered_us >= since_us,
                attempt.c.answered_us <= end_us,
            )
            .group_by(attempt.c.campaign)
        )
        if stream is not None:
            query = query.where(attempt.c.stream == stream)
        for campaign, n_people, abandoned in connection.execute(query):
            found[campaign][name] = (int(n_people), int(abandoned))
    return found


def _add(counts: Counts, row: AttemptRow) -> None:
    disposition = row.disposition or "open"
    counts.by_disposition[disposition] = counts.by_disposition.get(disposition, 0) + 1
    if disposition in NEVER_DIALLED:
        counts.not_dialled += 1
        return
    counts.attempts += 1
    counts.tries[row.person] = counts.tries.get(row.person, 0) + 1
    counts.ring_us += row.ring_us or 0
    if row.q850 is not None:
        cause = str(row.q850)
        counts.by_cause[cause] = counts.by_cause.get(cause, 0) + 1
    if row.answered_us is not None:
        counts.answered += 1
    if row.answer_class is not None:
        counts.by_class[row.answer_class] = counts.by_class.get(row.answer_class, 0) + 1
    counts.left_before_routing += row.class_why == "left_detecting"
    counts.cut_by_detection += row.answer_class == AnswerClass.cut and row.class_why != "left_detecting"
    forgotten = row.answer_class == AnswerClass.lost and row.class_why == "link"
    counts.lost_in_switch += row.answer_class == AnswerClass.lost and not forgotten
    counts.unresolved += disposition == Disposition.unknown or forgotten
    if row.answer_class == AnswerClass.connected:
        counts.handled += 1
        counts.talk_us += row.talk_us or 0
        counts.wrap_us += row.wrap_us or 0
        if row.wait_us is not None:
            counts.waits_us.append(row.wait_us)
        if disposition == Disposition.machine:
            counts.heard_machines += 1
        else:
            counts.accounts_reached.add(row.person)
    if disposition in RIGHT_PARTY:
        counts.right_party += 1
        counts.first_right.setdefault(row.person, disposition)
    counts.promises += disposition == Disposition.promise
    counts.plans += disposition == Disposition.plan


# ---- the dictionary


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
    logged_in_us, paused_us = sum(spent.values()), spent.get(AgentState.paused, 0)
    worked_us, contacts = logged_in_us - paused_us, counts.people
    found = [
        *_of_lists(counts),
        share("answer_rate", counts.answered, counts.attempts),
        share("live_answer_rate", counts.live, counts.attempts),
        share("contact_rate", len(counts.accounts_reached), len(counts.tries)),
        share("rpc_rate", counts.right_party, counts.attempts),
        share("rpc_accounts", len(counts.first_right), len(counts.tries)),
        share("hit_ratio", counts.promises + counts.plans, contacts),
        share("ptp_rate", counts.promises, counts.right_party),
        share("plan_rate", counts.plans, counts.right_party),
        *_of_promises(counts),
        share(
            "resolution",
            sum(disposition in RESOLVED for disposition in counts.first_right.values()),
            len(counts.first_right),
        ),
        *abandonment(counts),
        *(share(name, abandoned, people) for name, (people, abandoned) in counts.windows.items()),
        mean("aht_s", (counts.talk_us + counts.wrap_us) / 1e6, counts.handled),
        mean("answer_to_agent_ms", sum(counts.waits_us) / 1e3, len(counts.waits_us)),
    ]
    if spent:
        found += [
            per_hour("rpc_per_agent_hour", counts.right_party, worked_us),
            per_hour("promises_per_agent_hour", counts.promises, worked_us),
            part("occupancy", handling_us / HOUR, (handling_us + ready_us) / HOUR),
            mean("average_wait_s", ready_us / 1e6, counts.handled),
            part("pause_share", paused_us / HOUR, logged_in_us / HOUR),
        ]
    collected_in: list[tuple[str | None, float]] = [
        (currency, major(amount_minor, currency)) for currency, amount_minor in sorted(counts.collected_minor.items())
    ]
    for currency, amount in collected_in or [(None, 0.0)]:
        found += [
            mean("collected_per_attempt", amount, counts.attempts, currency),
            mean("collected_per_rpc", amount, counts.right_party, currency),
        ]
        if spent:
            found.append(mean("collected_per_agent_hour", amount, worked_us / HOUR, currency))
    if counts.ordered is not None:
        found.append(share("breaches", len(counts.breaches), counts.ordered))
    return found


#: Parts of the distribution of attempts over accounts: name, from, to.
TRIES = (("tried_0", 0, 0), ("tried_1", 1, 1), ("tried_2", 2, 2), ("tried_3_to_5", 3, 5), ("tried_6_more", 6, 10**9))


def _of_lists(counts: Counts) -> list[Figure]:
    if counts.assigned is None:
        return []
    # Who was dialled was on a list: by an agent's preview, or of a list before the one on record.
    assigned = counts.assigned | counts.tries.keys()
    return [
        mean("attempts_per_account", counts.attempts, len(assigned)),
        *(
            part(name, sum(low <= counts.tries.get(account, 0) <= high for account in assigned), len(assigned))
            for name, low, high in TRIES
        ),
        part("list_penetration", len(counts.tries), len(assigned - counts.held_back)),
    ]


def _of_promises(counts: Counts) -> list[Figure]:
    if counts.due is None:
        return []
    kept = sum(one.kept for one in counts.due)
    found = [
        share("kept_ptp_rate", kept, len(counts.due)),
        share("broken_ptp_rate", len(counts.due) - kept, len(counts.due)),
    ]
    for currency in sorted({one.currency for one in counts.due}):
        of_currency = [one for one in counts.due if one.currency == currency]
        received, promised = (
            major(sum(amounts), currency)
            for amounts in ((one.received_minor for one in of_currency), (one.amount_minor for one in of_currency))
        )
        found.append(msgspec.structs.replace(part("promise_value_kept", received, promised), currency=currency))
    return found


def abandonment(counts: Counts) -> list[Figure]:
    """Return the abandonment rate under every definition at once; the strictest configured one binds."""
    # People only: a machine that an agent heard is in no base but that of all answers.
    people, abandoned = counts.people, counts.of(AnswerClass.abandoned)
    cut, lost = counts.of(AnswerClass.cut), counts.of(AnswerClass.lost)
    connected = counts.of(AnswerClass.connected)
    # As many of the abandoned were machines, it is taken, as of those whom agents met.
    reduced = abandoned * people / connected if connected else float(abandoned)
    return [
        # 16 CFR 310.4(b)(4) style: machines in neither term.
        share("abandon_us", abandoned, people + abandoned),
        # Ofcom style.
        share("abandon_uk", reduced, people + reduced),
        # Cloud contact-centre style: every answered call in the base, machines too.
        share("abandon_all_answers", abandoned, counts.answered),
        # Ours: whatever a person may have suffered.
        share("abandon_strict", abandoned + cut + lost, people + abandoned + cut + lost),
        share("cut_by_detection", counts.cut_by_detection, counts.answered),
        share("left_before_routing", counts.left_before_routing, counts.answered),
        share("lost_in_switch", counts.lost_in_switch, counts.answered),
        share("unresolved_channel", counts.unresolved, counts.attempts),
    ]
