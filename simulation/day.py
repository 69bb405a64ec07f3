"""A recorded day of a floor, taken apart: what came from outside, who worked when and how, what each call met.

Everything is read from the journal in one pass: the same facts that the engine states in a simulation are counted here
by the same code (`Tally`), so that what is compared is defined once.
"""

import math
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, timedelta
from statistics import fmean, median, pstdev
from typing import Final

import msgspec

from dialer.engine import Engine, Gate
from dialer.engine.snapshot import freeze
from domain import events
from domain.calls import AgentState, AnswerClass, Disposition
from domain.errors import BadInput, Broken
from domain.facts import AgentShifted, AttemptClosed, CallClassed
from domain.instants import HOUR, SECOND, iso, midnight_us
from domain.orders import Reserve, RingAgent, ShowLead
from domain.people import Dossier
from domain.records import Row
from domain.settings import FloorSettings
from ledger.queries import seq_at
from ledger.store import SqlLedger
from simulation.agents import OF_THE_ENGINE, Break, Chair, Temper
from simulation.estimates import paces
from simulation.exchange import WorldSettings
from simulation.outcome import Collector, Outcome
from simulation.recorded import Call, calls_of

#: Inputs that come from outside the floor's calls and desks, and are played as they were.
OUTER = (
    events.FloorOpened,
    events.RulesChanged,
    events.LeadsLoaded,
    events.PastCounted,
    events.PersonChanged,
    events.CampaignOrdered,
    events.LimitSet,
    events.ModeSet,
    events.AgentMoved,
    events.LinkUp,
    events.LinkDown,
)
#: An engine without a row for so long was not there: it ticks more often.
_AWAY_US: Final = 60 * SECOND


class Day(msgspec.Struct, frozen=True, kw_only=True):
    """A day to be simulated again."""

    day: str
    #: First row; the last.
    from_us: int
    to_us: int
    settings: FloorSettings
    #: Version of the rules in force at the first row that is not an opening; of any within the day.
    rules: tuple[str, ...]
    #: The engine before the first row, frozen; None: the stream begins with it.
    before: bytes | None
    outer: tuple[Row, ...]
    #: Stretches in which the engine lived.
    lives: tuple[tuple[int, int], ...]
    calls: tuple[Call, ...]
    chairs: tuple[Chair, ...]
    temper: Temper
    world: WorldSettings
    commit_us: int
    observed: Outcome

    @property
    def people(self) -> Iterator[Dossier]:
        """Yield everybody whom the day's lists brought."""
        for row in self.outer:
            if isinstance(row.record, events.LeadsLoaded):
                yield from row.record.people


def read_day(ledger: SqlLedger, stream: str, day: str, zone: str) -> Day:
    """Read a local day of a floor.

    Raises
    ------
    BadInput
        When the day cannot be read, is not on record, or holds no call.
    """
    try:
        on = date.fromisoformat(day)
    except ValueError:
        raise BadInput(f"fidelity: --day must be a date like 2026-11-18, was {day!r}") from None
    if stream not in ledger.streams():
        raise BadInput(f"fidelity: floor {stream!r} has no record yet; run a campaign first (`cadencia run CAMPAIGN`)")
    begin_us, end_us = (midnight_us(on + timedelta(days=n), zone) for n in (0, 1))
    with ledger.reading() as connection:
        first, last = seq_at(connection, stream, begin_us), seq_at(connection, stream, end_us) - 1
    if last < first:
        raise BadInput(
            f"fidelity: nothing is on record of floor {stream!r} on {day}; {_recorded(ledger, stream, zone)}"
        )
    engine = _before(ledger, stream, first)
    rows: list[Row] = []
    for row in _read(ledger, stream, first - 1, day):
        if row.seq > last:
            break
        rows.append(row)
    calls = calls_of(rows)
    if not calls:
        raise BadInput(f"fidelity: nobody was called on {day}; {_recorded(ledger, stream, zone)}")
    opened = next((row.record for row in rows if isinstance(row.record, events.FloorOpened)), None)
    if engine is None and opened is None:
        raise Broken(f"stream {stream}: does not begin with FloorOpened")
    settings = engine.state.settings if engine is not None else opened.settings  # type: ignore[union-attr]
    named = [row.record.rules for row in rows if isinstance(row.record, events.FloorOpened | events.RulesChanged)]
    lives = tuple(_lives(rows))
    tally = Tally(settings, on, zone)
    if engine is not None:
        tally.meet(engine.state.people.values())
    tally.read(rows, lives)
    return Day(
        day=day,
        from_us=rows[0].at_us,
        to_us=rows[-1].at_us,
        settings=settings,
        rules=tuple(dict.fromkeys([*([engine.state.rules] if engine is not None else []), *named])),
        before=None if engine is None else freeze(engine.state),
        outer=tuple(row for row in rows if isinstance(row.record, OUTER)),
        lives=lives,
        calls=tuple(calls),
        chairs=tuple(chairs_of(rows, calls)),
        temper=temper_of(rows, calls),
        world=world_of(rows, calls, settings),
        commit_us=commit_of(rows),
        observed=tally.outcome("observed", rows[-1].at_us),
    )


def _read(ledger: SqlLedger, stream: str, after_seq: int, day: str) -> Iterator[Row]:
    try:
        yield from ledger.read(stream, after_seq)
    except Broken as error:
        if "plan" not in str(error):
            raise
        raise BadInput(f"fidelity: the list of {day} cannot be had any more ({error}); take a later day") from None


class _Ungated:
    """Stands where nothing is decided."""

    version = ""

    def judge(self, *_: object, **__: object) -> "object":
        raise Broken("folding a record judges nothing")

    pace_rules = judge


def _before(ledger: SqlLedger, stream: str, first: int) -> Engine | None:
    """Return the engine as it was before a row; None before the first."""
    if first == 1:
        return None
    nobody: Gate = _Ungated()  # type: ignore[assignment]
    engine = Engine(nobody)
    found = ledger.last_snapshot(stream, before_seq=first)
    if found is not None:
        try:
            engine = Engine.restore(found.state, nobody)
        except Broken:  # of another release: the rows always are of use
            engine = Engine(nobody)
    for row in ledger.read(stream, engine.seq):
        if row.seq >= first:
            break
        engine.fold(row)
    return engine


def _recorded(ledger: SqlLedger, stream: str, zone: str) -> str:
    from sqlalchemy import func, select

    from ledger.schema import attempt

    with ledger.reading() as connection:
        spans = select(func.min(attempt.c.reserved_us), func.max(attempt.c.reserved_us))
        low, high = connection.execute(spans.where(attempt.c.stream == stream)).one()
    if low is None:
        return "it has no call at all; run a campaign first (`cadencia run CAMPAIGN`)"
    return f"its calls are of {iso(low, zone)[:10]} to {iso(high, zone)[:10]}: name one of those days"


def _lives(rows: Sequence[Row]) -> Iterator[tuple[int, int]]:
    """Yield the stretches between openings: an engine that was away wrote nothing."""
    since_us, last_us = rows[0].at_us, rows[0].at_us
    for row in rows:
        if isinstance(row.record, events.FloorOpened) and row.at_us - last_us > _AWAY_US:
            yield since_us, last_us
            since_us = row.at_us
        last_us = row.at_us
    yield since_us, last_us


# ---- counting


class Tally:
    """Counts a day from what the engine states, recorded or simulated."""

    def __init__(self, settings: FloorSettings, day: date, zone: str) -> None:
        self._collector = Collector([campaign.name for campaign in settings.campaigns])
        self._collector.begin_day(day.isoformat())
        self._day = day
        self._midnight_us = midnight_us(day, zone)
        self._states: dict[str, tuple[AgentState, int]] = {}
        self._known: set[int] = set()
        #: Calls reserved on this day.
        self._ours: set[str] = set()

    def meet(self, people: Iterable[Dossier]) -> None:
        fresh = [one for one in people if one.person not in self._known]
        self._known.update(one.person for one in fresh)
        self._collector.meet(fresh, self._day)

    def read(self, rows: Iterable[Row], lives: Sequence[tuple[int, int]]) -> None:
        """Count recorded rows."""
        ends = [end_us for _, end_us in lives]
        life = 0
        for row in rows:
            while life < len(ends) - 1 and row.at_us > ends[life]:
                self.pause(ends[life])
                life += 1
            self.take(row)

    def take(self, row: Row) -> None:
        record = row.record
        if isinstance(record, events.LeadsLoaded):
            self.meet(record.people)
        elif isinstance(record, Reserve):
            self.reserved(record, row.at_us)
        elif isinstance(record, CallClassed):
            self.classed(record)
        elif isinstance(record, AttemptClosed):
            self.closed(record)
        elif isinstance(record, AgentShifted):
            self.shifted(record, row.at_us)

    def reserved(self, order: Reserve, at_us: int) -> None:
        self._ours.add(order.call_id)
        self._collector.reserved(order, (at_us - self._midnight_us) // HOUR)

    def classed(self, fact: CallClassed) -> None:
        self._collector.classed(fact)

    def closed(self, fact: AttemptClosed) -> None:
        if fact.call_id in self._ours:
            self._collector.closed(fact)

    def shifted(self, fact: AgentShifted, at_us: int) -> None:
        before = self._states.get(fact.agent)
        if before is not None:
            self._spend(*before, at_us)
        self._states[fact.agent] = fact.state, at_us

    def pause(self, at_us: int) -> None:
        """Count agents' time up to here and no further, until they are heard of again."""
        for state, since_us in self._states.values():
            self._spend(state, since_us, at_us)
        self._states.clear()

    def outcome(self, arm: str, end_us: int, seed: int = 0) -> Outcome:
        self.pause(end_us)
        return self._collector.outcome(arm=arm, seed=seed, end_us=end_us, rows=0)

    def _spend(self, state: AgentState, since_us: int, until_us: int) -> None:
        if state is AgentState.offline:
            return
        at_us = max(since_us, self._midnight_us)
        while at_us < until_us:
            hour = (at_us - self._midnight_us) // HOUR
            next_us = min(until_us, self._midnight_us + (hour + 1) * HOUR)
            self._collector.worked(state, 0, hour, next_us - at_us)
            at_us = next_us


# ---- who worked when, and how


def chairs_of(rows: Iterable[Row], calls: Iterable[Call]) -> list[Chair]:
    """Return agents' stretches at work with their pauses, and each one's pace."""
    wraps, talks = _paces(calls)
    signed: dict[str, events.SignedIn] = {}
    began: dict[str, int] = {}
    ready: dict[str, int] = {}
    asked: dict[str, int] = {}
    paused: dict[str, tuple[int, int, str]] = {}
    breaks: defaultdict[str, list[Break]] = defaultdict(list)
    previews: set[str] = set()
    gone: set[str] = set()
    found: list[Chair] = []
    last_us = 0

    def over(agent: str, at_us: int | None) -> None:
        if agent in paused:
            asked_us, since_us, why = paused.pop(agent)
            breaks[agent].append(Break(at_us=asked_us, span_us=(at_us or last_us) - since_us, reason=why))
        if agent not in began:
            return
        told = signed.get(agent)
        found.append(
            Chair(
                agent=agent,
                starts_us=began.pop(agent),
                ends_us=at_us,
                campaigns=told.campaigns if told is not None else (),
                node=told.node if told is not None else "main",
                call_me=told.call_me if told is not None else False,
                previews=agent in previews,
                pace=wraps.get(agent, 1.0),
                talk_pace=talks.get(agent, 1.0),
                ready_us=ready.pop(agent, None),
                breaks=tuple(breaks.pop(agent, ())),
                groups=told.groups if told is not None else (),
            )
        )

    for row in rows:
        record, last_us = row.record, row.at_us
        if isinstance(record, events.SignedIn):
            signed[record.agent] = record
            gone.discard(record.agent)
            began.setdefault(record.agent, row.at_us)
        elif isinstance(record, events.LeadAsked):
            previews.add(record.agent)
        elif isinstance(record, events.PauseAsked):
            asked.setdefault(record.agent, row.at_us)
        elif isinstance(record, events.SignedOut):
            # Leaves at the end of the call at hand, as in the simulation.
            over(record.agent, row.at_us)
            gone.add(record.agent)
        elif isinstance(record, AgentShifted):
            agent = record.agent
            if agent in paused:
                asked_us, since_us, why = paused.pop(agent)
                breaks[agent].append(Break(at_us=asked_us, span_us=row.at_us - since_us, reason=why))
            if record.state is AgentState.ready and agent in began:
                ready.setdefault(agent, row.at_us)
            if record.state is AgentState.offline:
                over(agent, row.at_us)
                gone.add(agent)
            elif record.state is AgentState.paused and record.reason == "signed_in":
                # By the phone alone, perhaps.
                gone.discard(agent)
                began.setdefault(agent, row.at_us)
            elif agent not in gone:
                began.setdefault(agent, row.at_us)
                if record.state is AgentState.paused and record.reason not in OF_THE_ENGINE:
                    paused[agent] = asked.pop(agent, row.at_us), row.at_us, record.reason
    for agent in sorted(began):
        over(agent, None)
    return sorted(found, key=lambda chair: (chair.starts_us, chair.agent))


def _paces(calls: Iterable[Call]) -> tuple[dict[str, float], dict[str, float]]:
    """Return how long each agent wraps up and talks against the floor, few cases drawn to 1."""
    wraps: defaultdict[str, defaultdict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    talks: defaultdict[str, defaultdict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for call in calls:
        if call.agent is None or call.said is None:
            continue
        if call.wrap_us:
            wraps[call.agent]["debtor" if call.who == "debtor" else "other"].append(call.wrap_us / SECOND)
        until_us = call.hung_up_us or call.ended_us
        if call.talking_us is not None and until_us is not None:
            talks[call.agent][call.who or ""].append((until_us - call.talking_us) / SECOND)
    return _factors(wraps), _factors(talks)


def _factors(seconds: Mapping[str, Mapping[str, Sequence[float]]]) -> dict[str, float]:
    return {agent: value for agent, one in paces(seconds).items() if isinstance(value := one.value, float)}


def temper_of(rows: Iterable[Row], calls: Sequence[Call]) -> Temper:
    """Return how the floor's agents worked; what the day does not tell stays as assumed, pauses are on file."""
    known = Temper()
    talked = [call for call in calls if call.talking_us is not None and call.disposition is not None]
    said = [call for call in talked if call.said is not None and call.disposition is not Disposition.unrecorded]
    early = [
        call for call in said if call.ended_us is not None and call.said is not None and call.said.at_us < call.ended_us
    ]
    wraps = {
        kind: [call.wrap_us / SECOND for call in said if call.wrap_us and (call.who == "debtor") is kind]
        for kind in (True, False)
    }
    settles: list[float] = []
    reads: list[float] = []
    shown: dict[str, int] = {}
    up: dict[str, int] = {}
    skipped = accepted = announced = 0
    ahead: list[float] = []
    ends = {call.agent or "": [] for call in talked}  # type: dict[str, list[int]]
    for call in talked:
        if call.ended_us is not None:
            ends[call.agent or ""].append(call.ended_us)
    for row in rows:
        record = row.record
        if isinstance(record, events.PhoneUp):
            up[record.agent] = row.at_us
        elif isinstance(record, AgentShifted) and record.state is AgentState.ready and record.agent in up:
            settles.append((row.at_us - up.pop(record.agent)) / SECOND)
        elif isinstance(record, ShowLead) and record.call_id is None:
            shown[record.agent] = row.at_us
        elif isinstance(record, events.LeadAccepted | events.LeadSkipped) and record.agent in shown:
            reads.append((row.at_us - shown.pop(record.agent)) / SECOND)
            accepted += isinstance(record, events.LeadAccepted)
            skipped += isinstance(record, events.LeadSkipped)
        elif isinstance(record, events.Finishing) and record.about_to:
            announced += 1
            later = ends.get(record.agent, [])
            place = bisect_left(later, row.at_us)
            if place < len(later):
                ahead.append((later[place] - row.at_us) / SECOND)
    return Temper(
        late_s=0.0,
        settle_s=median(settles) if settles else known.settle_s,
        wrap_debtor_s=lognormal_of(wraps[True]) or known.wrap_debtor_s,
        wrap_other_s=lognormal_of(wraps[False]) or known.wrap_other_s,
        p_early=len(early) / len(said) if said else 0.0,
        p_announce=min(1.0, announced / len(talked)) if talked else 0.0,
        announce_s=lognormal_of(ahead) or known.announce_s,
        p_forget=1.0 - len(said) / len(talked) if talked else 0.0,
        p_drop=0.0,
        preview_s=lognormal_of(reads) or known.preview_s,
        p_skip=skipped / (skipped + accepted) if skipped + accepted else 0.0,
    )


def world_of(rows: Iterable[Row], calls: Sequence[Call], settings: FloorSettings) -> WorldSettings:
    """Return the switch as the day tells it: how quickly phones are picked up, what machine detection says."""
    known = WorldSettings()
    rung: dict[str, int] = {}
    picks: list[int] = []
    for row in rows:
        record = row.record
        if isinstance(record, RingAgent):
            rung[record.agent] = row.at_us
        elif isinstance(record, events.PhoneUp) and record.agent in rung:
            picks.append(row.at_us - rung.pop(record.agent))
    # The quickest: when each was ready is on file.
    answer_us = max(0, min(picks) - known.order_us) if picks else known.agent_answer_us
    detected = [call for call in calls if call.detected]
    unsure = sum(call.detected == "unsure" for call in detected)
    caught = sum(call.answer_class is AnswerClass.machine for call in detected)
    heard = sum(call.detected == "human" and call.who == "machine" for call in detected)
    messages = [
        call.ended_us - call.message_us for call in calls if call.message_us is not None and call.ended_us is not None
    ]
    return WorldSettings(
        nodes=settings.nodes,
        message_us=max(messages, default=known.message_us),
        agent_answer_us=answer_us,
        agent_usable_us=0 if picks else known.agent_usable_us,
        p_unsure=unsure / len(detected) if detected else known.p_unsure,
        p_machine_as_person=heard / (heard + caught) if heard + caught else known.p_machine_as_person,
    )


def commit_of(rows: Iterable[Row]) -> int:
    """Return how long a reservation waits for its answer, the median, in µs."""
    asked: dict[str, int] = {}
    waits: list[int] = []
    for row in rows:
        if isinstance(row.record, Reserve):
            asked[row.record.call_id] = row.at_us
        elif isinstance(row.record, events.Reserved) and row.record.call_id in asked:
            waits.append(row.at_us - asked.pop(row.record.call_id))
    return round(median(waits)) if waits else 5_000


def lognormal_of(values: Iterable[float]) -> tuple[float, float] | None:
    """Return median and deviation of the logarithm; None below two values."""
    logs = [math.log(value) for value in values if value > 0.0]
    return (math.exp(fmean(logs)), pstdev(logs)) if len(logs) >= 2 else None
