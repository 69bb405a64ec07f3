"""The record of a lab floor, held against what the telephone network was asked and what the switch remembers."""

from collections import Counter
from collections.abc import Iterable

import msgspec

from benchmarks.lab_floor import LabFloor, as_asked
from compliance.gate import Gate
from compliance.packs import SHIPPED
from dialer.engine.replay import replay
from domain.calls import NEVER_DIALLED, AnswerClass, Cause, Disposition, Phase
from domain.events import Ended, FloorOpened, Resynced, Ringing
from domain.facts import AttemptClosed, CallClassed, CallMoved
from domain.orders import Originate, Reserve
from domain.records import Record, Row

#: A disposition that only the network's own word can give.
_NETWORKS_WORD = frozenset({Disposition.busy, Disposition.rejected, Disposition.not_in_service})


class Call(msgspec.Struct):
    """What the record says of one attempt."""

    person: int
    phone: int
    originated: int = 0
    #: The network showed a sign of it.
    heard: bool = False
    answer_class: AnswerClass | None = None
    agent: str | None = None
    closed: list[AttemptClosed] = []
    #: What the last of them followed from.
    closed_by: Record | None = None


class Account(msgspec.Struct):
    """What was found."""

    attempts: int = 0
    #: How often the network was asked to call somebody.
    invites: int = 0
    #: Calls that the engine could not see end, and that the switch did not remember.
    blind: list[str] = []
    #: Calls that talked while no engine ran, and ended with the agent they had.
    readopted: list[str] = []
    segments: int = 0
    #: Everything that should not be.
    findings: list[str] = []


def account(floor: LabFloor, *, most_attempts: int = 1) -> Account:
    """Hold a floor's record against the network and the switch, while the lab still runs.

    Parameters
    ----------
    most_attempts : int
        How often one person may have been dialled.
    """
    rows = list(floor.ledger.read(floor.setup.floor.stream))
    numbers = floor.ledger.numbers([row.record.phone for row in rows if isinstance(row.record, Reserve)])
    calls = calls_of(rows)
    found = Account(attempts=len(calls), segments=sum(1 for row in rows if isinstance(row.record, FloorOpened)))
    found.findings += [f"chain: {one}" for one in floor.ledger.verify() if one.broken]
    gate = Gate.load(SHIPPED)
    divergences = replay(rows, {gate.version: gate}.get).divergences
    found.findings += [f"decided again: {one}" for one in divergences]
    for call_id, call in calls.items():
        found.findings += [f"{call_id} {numbers[call.phone]}: {what}" for what in _contradictions(call)]
        _judge(found, call_id, call, numbers[call.phone])
    _compare_tables(floor, calls, found)
    _compare_network(floor, calls, numbers, found)
    _compare_memory(floor, calls, found)
    dialled = Counter(call.person for call in calls.values() if _dialled(call))
    found.findings += [f"person {one} was dialled {n} times" for one, n in dialled.items() if n > most_attempts]
    for call_id, agent in _talking_at_resync(rows).items():
        call = calls[call_id]
        if call.answer_class is AnswerClass.connected and call.agent == agent:
            found.readopted.append(call_id)
        else:
            found.findings.append(f"{call_id}: talked to {agent} across a gap, ended {call.answer_class} {call.agent}")
    return found


def calls_of(rows: Iterable[Row]) -> dict[str, Call]:
    """Return every attempt of a record."""
    calls: dict[str, Call] = {}
    cause: Record | None = None
    for row in rows:
        record = row.record
        if row.is_input:
            cause = record
        match record:
            case Reserve():
                calls[record.call_id] = Call(person=record.person, phone=record.phone)
            case Originate():
                calls[record.call_id].originated += 1
            case Ringing() if record.call_id in calls:
                calls[record.call_id].heard = True
            case CallMoved(phase=Phase.ringing | Phase.detecting | Phase.waiting | Phase.talking):
                calls[record.call_id].heard = True
                calls[record.call_id].agent = record.agent or calls[record.call_id].agent
            case CallClassed():
                calls[record.call_id].answer_class = record.answer_class
            case AttemptClosed():
                call = calls[record.call_id]
                call.closed = [*call.closed, record]
                call.closed_by = cause
                call.heard = call.heard or record.disposition in _NETWORKS_WORD
    return calls


def _dialled(call: Call) -> bool:
    return call.originated > 0 and call.closed[-1].disposition not in NEVER_DIALLED if call.closed else True


def _contradictions(call: Call) -> Iterable[str]:
    if len(call.closed) != 1:
        yield f"closed {len(call.closed)} times"
    if call.originated > 1:
        yield f"originated {call.originated} times"


def _judge(found: Account, call_id: str, call: Call, number: str) -> None:
    """Compare an attempt's end with what its number asks for; blindness excuses, where there was any."""
    end = call.closed[-1].disposition if call.closed else None
    if end in NEVER_DIALLED or as_asked(number, end, call.answer_class):
        return
    lost_sight = isinstance(call.closed_by, Resynced) and end in (Disposition.unknown, Disposition.lost)
    cut_off = isinstance(call.closed_by, Ended) and call.closed_by.cause is Cause.switch_fail
    if lost_sight or (cut_off and end in (Disposition.network_fail, Disposition.lost)):
        found.blind.append(f"{call_id} {number}: {end}")
    else:
        found.findings.append(f"{call_id} {number}: ended {end} {call.answer_class} after {call.closed_by}")


def _compare_tables(floor: LabFloor, calls: dict[str, Call], found: Account) -> None:
    """The tables tell what the journal tells."""
    tables = {one.call_id: (one.disposition, one.answer_class) for one in floor.attempts()}
    for call_id, call in calls.items():
        end = call.closed[-1].disposition if call.closed else None
        if end != Disposition.stale and tables.get(call_id) != (end, call.answer_class):
            found.findings.append(f"{call_id}: journal {end} {call.answer_class}, table {tables.get(call_id)}")


def _compare_network(floor: LabFloor, calls: dict[str, Call], numbers: dict[int, str], found: Account) -> None:
    """Nothing was dialled that is not on record as an attempt, and nothing is on record that was not dialled."""
    invites = Counter(floor.lab.called())
    found.invites = invites.total()
    least = Counter(numbers[call.phone] for call in calls.values() if call.heard)
    most = Counter(numbers[call.phone] for call in calls.values() if _dialled(call))
    for number in {*invites, *most}:
        if not least[number] <= invites[number] <= most[number]:
            found.findings.append(
                f"{number}: the network was called {invites[number]} times, "
                f"the record says {least[number]} to {most[number]}"
            )


def _compare_memory(floor: LabFloor, calls: dict[str, Call], found: Account) -> None:
    """Each answered caller met an agent or was abandoned, and the record says which."""
    remembered = {one.call_id: one for one in floor.remembered()}
    for call_id, one in remembered.items():
        call = calls.get(call_id)
        told = f"{one.answer_class} {one.agent or ''}".rstrip()
        if call is None:
            found.findings.append(f"{call_id}: the switch remembers {told}, the record knows no such call")
        elif (
            one.answer_class is AnswerClass.connected
            and call.answer_class is AnswerClass.abandoned
            and call.agent == one.agent
        ):
            continue  # met an agent after all, out of the message
        elif call.answer_class is not one.answer_class or (one.agent and call.agent != one.agent):
            found.findings.append(
                f"{call_id}: the switch remembers {told}, the record {call.answer_class} {call.agent}"
            )
    for call_id, call in calls.items():
        if call.answer_class in (AnswerClass.connected, AnswerClass.abandoned) and call_id not in remembered:
            found.findings.append(f"{call_id}: {call.answer_class} on record, and the switch remembers nothing")


def _talking_at_resync(rows: Iterable[Row]) -> dict[str, str]:
    """Return the calls, with their agents, that an engine's first resync found talking though it began before."""
    talking: dict[str, str] = {}
    opened = False
    for row in rows:
        match row.record:
            case FloorOpened():
                opened = True
            case Resynced(calls=alive) if opened:
                opened = False
                talking |= {one.call_id: one.agent for one in alive if one.state == "talking" and one.agent}
    return talking
