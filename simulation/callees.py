"""Who is at the other end of a simulated call: the face that the switch asks, and what it is told.

`simulation.population` is the one that ships; tests and experiments bring others.
"""

from typing import Protocol

import msgspec

from domain.calls import Cause, Disposition


class Fate(msgspec.Struct, frozen=True, kw_only=True):
    """How a dialled number ends when nobody answers it."""

    cause: Cause
    #: The number rings before it ends so.
    rings: bool
    q850: int
    sip: int


#: By the table of SIP answers measured on Asterisk 22 (`Hangup.Cause` and `TechCause`).
BUSY = Fate(cause=Cause.busy, rings=False, q850=17, sip=486)
NO_ANSWER = Fate(cause=Cause.no_answer, rings=True, q850=19, sip=480)
REJECTED = Fate(cause=Cause.rejected, rings=True, q850=21, sip=603)
NOT_IN_SERVICE = Fate(cause=Cause.not_in_service, rings=False, q850=1, sip=404)
CONGESTION = Fate(cause=Cause.congestion, rings=False, q850=34, sip=503)
NETWORK_FAIL = Fate(cause=Cause.network_fail, rings=False, q850=38, sip=500)


class Meeting(msgspec.Struct, gc=False, eq=False):
    """One attempt on one number as chance has it; filled in as far as the call comes."""

    phone: int
    person: int
    #: How many-th attempt on this number, from 1: the counter of its draws.
    nth: int
    #: Who answers: debtor, third_party, wrong_party or machine.
    who: str
    #: None: answered.
    fate: Fate | None
    #: From the Originate to the ringing, or to the end of a number that does not ring.
    setup_us: int
    #: From the ringing to the answer or the end.
    ring_us: int
    #: From the answer to hanging up when no agent comes; known once answered.
    patience_us: int = 0
    #: Length of the conversation; known once connected. On record: it is as long whoever talks; otherwise slow agents
    #: make it longer.
    talk_us: int = 0
    talk_on_record: bool = False
    #: Who talks; known once connected.
    agent: str = ""
    #: The callee ends the conversation, not the agent.
    person_ends: bool = True
    #: On record: how long machine detection took and what it said; None: chance has it.
    detected: tuple[int, str] | None = None
    #: On record: how long the agent wrapped up; None: the agent's own law.
    wrap_us: int | None = None
    #: On record: whether the agent recorded nothing in time; None: the agent's own law.
    forgotten: bool | None = None


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """What a conversation comes to, in the words that an agent records (`domain.events.Disposed`)."""

    disposition: Disposition
    debt: int | None = None
    amount_minor: int | None = None
    currency: str | None = None
    due_on: str | None = None
    instalments: int | None = None
    call_back_us: int | None = None
    own: bool = False


class Callees(Protocol):
    """Everybody who can be called. Nothing here may depend on the order in which calls are asked about."""

    def dial(self, phone: int, at_us: int) -> Meeting:
        """Return what the next attempt on a number meets."""
        ...

    def answer(self, meeting: Meeting) -> None:
        """Fill in how long the callee waits for somebody to speak."""
        ...

    def talk(self, meeting: Meeting) -> None:
        """Fill in how long the conversation takes and who ends it."""
        ...

    def say(self, meeting: Meeting, at_us: int, person: int, debts: tuple[int, ...]) -> Said:
        """Return what the conversation came to; asked once, by the agent.

        Parameters
        ----------
        person : int
            Who was asked for: others may share the number.
        debts : tuple of int
            What the call was about; empty: not known.
        """
        ...
