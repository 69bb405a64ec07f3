"""Callees from the record: the nth attempt on a number meets what the nth recorded attempt on it met.

What the record does not tell (an attempt that was never made, the talk of somebody who was left waiting) is asked of
other callees, and counted: `Recorded.told` says how much of a simulation was not from the record.
"""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any, Final

import msgspec

from domain.calls import RIGHT_PARTY, AnswerClass, Cause, Disposition
from domain.events import Abandoned, Answered, Connected, Detected, Disposed, Ended, Ringing
from domain.facts import AttemptClosed, CallClassed
from domain.instants import HOUR, SECOND
from domain.orders import HangUp, Originate, Reserve
from domain.records import Row
from simulation.callees import Callees, Fate, Meeting, Said
from simulation.chance import Chance, Choice, Purpose

#: A number that rang until we gave up rings for so long.
_ON_AND_ON_US: Final = HOUR
#: A ring that ended so close to its limit was ended by us.
_GAVE_UP_US: Final = SECOND // 5
#: By an agent's word, who was on the line.
_WHO = {
    Disposition.machine: "machine",
    Disposition.wrong_party: "wrong_party",
    Disposition.third_party: "third_party",
    Disposition.deceased: "third_party",
} | dict.fromkeys(RIGHT_PARTY, "debtor")


class Call(msgspec.Struct, kw_only=True):
    """An attempt as the record tells it; instants are those at which the engine heard."""

    call_id: str
    campaign: str
    person: int
    phone: int
    reserved_us: int
    #: Instant of the Originate's row; it left when that was durable.
    dialled_us: int = 0
    ring_timeout_us: int = 0
    ringing_us: int | None = None
    answered_us: int | None = None
    #: Instant and result of machine detection.
    detected_us: int | None = None
    detected: str = ""
    talking_us: int | None = None
    agent: str | None = None
    #: The message to somebody to whom no agent came began.
    message_us: int | None = None
    #: The agent hung up.
    hung_up_us: int | None = None
    #: None: the switch has not told how the call ended, until the record does at `seen_us`.
    ended_us: int | None = None
    seen_us: int = 0
    cause: Cause = Cause.normal
    q850: int | None = None
    sip: int | None = None
    answer_class: AnswerClass | None = None
    class_why: str = ""
    said: Disposed | None = None
    #: None: not closed.
    disposition: Disposition | None = None
    wrap_us: int | None = None

    @property
    def who(self) -> str | None:
        """Return who answered; None where the record cannot tell."""
        if self.answer_class is AnswerClass.machine:
            return "machine"
        return None if self.said is None else _WHO[self.said.disposition]

    @property
    def clear(self) -> bool:
        """Return whether the record tells how the callee's end came about."""
        if self.answered_us is not None:
            return True
        return self.ended_us is not None and self.cause not in (Cause.normal, Cause.switch_fail)


def calls_of(rows: Iterable[Row]) -> list[Call]:
    """Return the calls that were dialled, in the order of their Originates, from rows of a journal."""
    calls: dict[str, Call] = {}
    dialled: list[Call] = []
    last_us = 0
    for row in rows:
        record: Any = row.record
        last_us = row.at_us
        take = _TAKES.get(type(record))
        if isinstance(record, Reserve):
            calls[record.call_id] = Call(
                call_id=record.call_id,
                campaign=record.campaign,
                person=record.person,
                phone=record.phone,
                reserved_us=row.at_us,
            )
        elif take is not None and (call := calls.get(record.call_id)) is not None:
            take(call, record, row.at_us)
            if isinstance(record, Originate):
                dialled.append(call)
    for call in dialled:
        call.seen_us = last_us
    # Ordered and never sent: the ledger or the engine changed its mind.
    return [call for call in dialled if call.disposition is not Disposition.not_sent]


def _originated(call: Call, order: Originate, at_us: int) -> None:
    call.dialled_us, call.ring_timeout_us = at_us, order.ring_timeout_ms * 1000


def _rang(call: Call, event: Ringing, at_us: int) -> None:
    if call.ringing_us is None:
        call.ringing_us = at_us


def _answered(call: Call, event: Answered, at_us: int) -> None:
    if call.answered_us is None:
        call.answered_us = at_us


def _detected(call: Call, event: Detected, at_us: int) -> None:
    if call.detected_us is None:
        call.detected_us, call.detected = at_us, event.result


def _connected(call: Call, event: Connected, at_us: int) -> None:
    call.agent = event.agent
    if call.talking_us is None:
        call.talking_us = at_us
        call.answered_us = at_us if call.answered_us is None else call.answered_us


def _abandoned(call: Call, event: Abandoned, at_us: int) -> None:
    if event.how == "message" and call.message_us is None:
        call.message_us = at_us


def _hung_up(call: Call, order: HangUp, at_us: int) -> None:
    if order.why == "agent" and call.hung_up_us is None:
        call.hung_up_us = at_us


def _ended(call: Call, event: Ended, at_us: int) -> None:
    if call.ended_us is None:
        call.ended_us, call.cause, call.q850, call.sip = at_us, event.cause, event.q850, event.sip


def _classed(call: Call, fact: CallClassed, at_us: int) -> None:
    call.answer_class, call.class_why = fact.answer_class, fact.why


def _disposed(call: Call, event: Disposed, at_us: int) -> None:
    if call.disposition is None and event.agent == call.agent:
        call.said = event


def _closed(call: Call, fact: AttemptClosed, at_us: int) -> None:
    call.disposition, call.wrap_us = fact.disposition, fact.wrap_us


_TAKES: dict[type, Any] = {
    Originate: _originated,
    Ringing: _rang,
    Answered: _answered,
    Detected: _detected,
    Connected: _connected,
    Abandoned: _abandoned,
    HangUp: _hung_up,
    Ended: _ended,
    CallClassed: _classed,
    Disposed: _disposed,
    AttemptClosed: _closed,
}


class Told(msgspec.Struct, kw_only=True):
    """How much of a simulation was from the record."""

    dialled: int = 0
    #: Attempts beyond the last recorded one on their number; attempts of which the record does not tell how they ended.
    beyond: int = 0
    unclear: int = 0
    #: Of the attempts on record, those answered by nobody knows whom; and talks, or words, that the record lacks.
    who_drawn: int = 0
    talks_drawn: int = 0
    words_drawn: int = 0

    @property
    def share(self) -> float | None:
        """Share of attempts whose fate was from the record; None before the first."""
        return (self.dialled - self.beyond - self.unclear) / self.dialled if self.dialled else None


class Recorded:
    """The callees of a record, with others behind them for what it does not tell.

    Parameters
    ----------
    calls : iterable of Call
        In the order in which they were dialled.
    others : Callees
        Are asked about every attempt, so that their counts of attempts go along.
    sent_us : int
        From the row of an Originate to its effect on the switch, as the simulation will have it.
    message_us : int
        How long the message to an abandoned caller takes: whoever was gone before had hung up.
    """

    def __init__(
        self, calls: Iterable[Call], others: Callees, chance: Chance, *, sent_us: int, message_us: int
    ) -> None:
        self.told = Told()
        self._others = others
        self._chance = chance
        self._sent_us = sent_us
        self._message_us = message_us
        self._calls: defaultdict[int, list[Call]] = defaultdict(list)
        people: defaultdict[str, int] = defaultdict(int)
        for call in calls:
            self._calls[call.phone].append(call)
            if call.who not in (None, "machine"):
                people[call.who or ""] += 1
        found = people or {"debtor": 1}
        self._mix = Choice(sorted(found), [float(found[who]) for who in sorted(found)])

    # ---- Callees

    def dial(self, phone: int, at_us: int) -> Meeting:
        meeting = self._others.dial(phone, at_us)
        self.told.dialled += 1
        call = self._recorded(meeting)
        if call is None:
            self.told.beyond += 1
        elif not call.clear:
            self.told.unclear += 1
        else:
            self._overwrite(meeting, call)
        return meeting

    def answer(self, meeting: Meeting) -> None:
        self._others.answer(meeting)
        call = self._clear(meeting)
        if call is None or call.answered_us is None:
            return
        until_us = call.talking_us or call.ended_us or call.answered_us
        left = call.class_why in ("caller_left", "left_detecting")
        if call.message_us is not None and call.ended_us is not None and call.talking_us is None:
            left = call.ended_us - call.message_us < self._message_us - _GAVE_UP_US
        # Whoever did not leave would have waited longer: how long, the others say.
        meeting.patience_us = until_us - call.answered_us + (0 if left else meeting.patience_us)

    def talk(self, meeting: Meeting) -> None:
        self._others.talk(meeting)
        call = self._clear(meeting)
        if call is None:
            return
        if call.talking_us is None or call.ended_us is None or call.cause is Cause.switch_fail:
            self.told.talks_drawn += 1
            # Cut short by the end of the record, or by a failure: it would have gone on.
            so_far_us = 0 if call.talking_us is None else (call.ended_us or call.seen_us) - call.talking_us
            meeting.talk_us += so_far_us
            return
        meeting.person_ends = call.hung_up_us is None
        meeting.talk_us = max(0, (call.hung_up_us or call.ended_us) - call.talking_us)
        meeting.talk_on_record = True

    def say(self, meeting: Meeting, at_us: int, person: int, debts: tuple[int, ...]) -> Said:
        call = self._clear(meeting)
        if call is None or call.said is None or person != call.person:
            if call is not None:
                self.told.words_drawn += 1
            return self._others.say(meeting, at_us, person, debts)
        said = call.said
        again_us = None if said.call_back_us is None else at_us + said.call_back_us - said.at_us
        return Said(
            disposition=said.disposition,
            debt=said.debt,
            amount_minor=said.amount_minor,
            currency=said.currency,
            due_on=said.due_on,
            instalments=said.instalments,
            call_back_us=again_us,
            own=said.own,
        )

    # ---- the record

    def _recorded(self, meeting: Meeting) -> Call | None:
        calls = self._calls.get(meeting.phone, ())
        return calls[meeting.nth - 1] if meeting.nth <= len(calls) else None

    def _clear(self, meeting: Meeting) -> Call | None:
        call = self._recorded(meeting)
        return call if call is not None and call.clear else None

    def _overwrite(self, meeting: Meeting, call: Call) -> None:
        """Put what is on record in the place of what the others say."""
        by_others, meeting.person = meeting.who if meeting.fate is None else "", call.person
        over_us = call.answered_us if call.answered_us is not None else call.ended_us or call.dialled_us
        reached_us = over_us if call.ringing_us is None else call.ringing_us
        meeting.setup_us = max(0, reached_us - call.dialled_us - self._sent_us)
        meeting.ring_us = over_us - reached_us
        if call.answered_us is None:
            meeting.who = ""
            meeting.fate = Fate(
                cause=call.cause, rings=call.ringing_us is not None, q850=call.q850 or 0, sip=call.sip or 0
            )
            gave_up = call.cause is Cause.no_answer and over_us - call.dialled_us >= call.ring_timeout_us - _GAVE_UP_US
            if gave_up and meeting.fate.rings:
                meeting.ring_us = _ON_AND_ON_US
            return
        meeting.fate = None
        who = call.who
        if who is None:
            self.told.who_drawn += 1
            who = by_others if by_others not in ("", "machine") else self._draw_who(meeting)
        meeting.who = who
        if call.detected_us is not None:
            meeting.detected = call.detected_us - call.answered_us, call.detected
        if call.talking_us is not None and call.disposition is not None:
            meeting.forgotten = call.said is None
            meeting.wrap_us = None if call.said is None else call.wrap_us

    def _draw_who(self, meeting: Meeting) -> str:
        """Return who it may have been, as often as the agents of the record found them."""
        return self._mix.of(self._chance.u(Purpose.who, meeting.phone, meeting.nth))
