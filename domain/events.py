"""Inputs of the engine. Each carries its own time; the journal's payload of an input is the input itself.

The switch's words (`Ringing` … `Resynced`) are the same for Asterisk and for the simulated world.
"""

import msgspec

from domain.calls import AnswerClass, Cause, Disposition, Mode
from domain.people import CapKey, Dossier, Lead
from domain.settings import FloorSettings


class Event(msgspec.Struct, gc=False, frozen=True, kw_only=True, omit_defaults=True, tag_field="type", tag=True):
    #: Instant of arrival by the floor's clock, never decreasing within a stream.
    at_us: int


# ---- the floor


class FloorOpened(Event, frozen=True, kw_only=True):
    """A segment of the stream begins: settings, rules and versions under which the following rows were decided."""

    settings: FloorSettings
    #: Version of the rule packs.
    rules: str
    #: Versions of code and libraries, by name.
    versions: dict[str, str]
    #: True for lab and rehearsal clocks, which start at a given instant.
    rehearsed: bool = False


class RulesChanged(Event, frozen=True, kw_only=True):
    """Other rule packs are in force from here on: what is decided after this row is decided under them."""

    #: Version of the packs.
    rules: str


class DayLearned(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Why the rest of a day was planned anew."""

    #: Hour of the floor's day in which it was.
    hour: int
    #: From that hour to the last of the day: how many times as often as forecast calls are taken to be answered.
    answers: tuple[float, ...]
    #: As how many forecast answers the forecast weighs, and which share of what was learned an hour keeps.
    strength: float
    kept: float
    #: Agents at work for each who was to be.
    staff: float = 1.0
    #: Debtors who waited, and those of them who moved.
    waiting: int
    moved: int


class LeadsLoaded(Event, frozen=True, kw_only=True):
    """A chunk of a stored plan enters a campaign's list. The row keeps plan, chunk and hash, not leads and people."""

    campaign: str
    plan: str
    chunk: int
    sha256: str
    #: Which scores its forecasts come from; None: it has none.
    scores: str | None = None
    #: The last chunk of a list that takes the place of those before: whoever it does not name is off the list.
    replaces: bool = False
    #: The list moves some of those who wait on the one before, by what the day has told.
    learned: DayLearned | None = None
    leads: tuple[Lead, ...] = ()
    people: tuple[Dossier, ...] = ()


class DayCount(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Answered calls of one campaign on one calendar day of the floor."""

    #: ISO date.
    day: str
    #: People who met an agent.
    connected: int = 0
    abandoned: int = 0
    cut: int = 0
    lost: int = 0


class PastCounted(Event, frozen=True, kw_only=True):
    """What the ledger holds of a campaign's days before this one, for limits over several days."""

    campaign: str
    days: tuple[DayCount, ...]


class PersonChanged(Event, frozen=True, kw_only=True):
    """Somebody else wrote about a person of this floor (payment, stop, import, other channel)."""

    dossier: Dossier


class Tick(Event, frozen=True, kw_only=True):
    """The driver's heartbeat."""

    #: Age of the oldest row not yet durable.
    commit_lag_us: int = 0


class CampaignOrdered(Event, frozen=True, kw_only=True):
    campaign: str
    #: run, pause, drain or stop.
    verb: str


class LimitSet(Event, frozen=True, kw_only=True):
    campaign: str
    abandon_limit: float


class ModeSet(Event, frozen=True, kw_only=True):
    campaign: str
    mode: Mode
    ratio: float | None = None


# ---- the ledger's answers


class Reserved(Event, frozen=True, kw_only=True):
    call_id: str
    #: The keys after the bump.
    keys: tuple[CapKey, ...]


class Stale(Event, frozen=True, kw_only=True):
    call_id: str
    dossier: Dossier


class NotSent(Event, frozen=True, kw_only=True):
    """The driver did not send an Originate (verdict ran out, link down): the number was never dialled."""

    call_id: str
    why: str


# ---- the switch


class LinkUp(Event, frozen=True, kw_only=True):
    node: str


class LinkDown(Event, frozen=True, kw_only=True):
    node: str


class Ringing(Event, frozen=True, kw_only=True):
    call_id: str


class Progressed(Event, frozen=True, kw_only=True):
    """Early media (183): the far network speaks before anybody answers."""

    call_id: str


class Answered(Event, frozen=True, kw_only=True):
    call_id: str


class Detected(Event, frozen=True, kw_only=True):
    """Machine detection has decided: `human`, `machine` or `unsure`."""

    call_id: str
    result: str


class Connected(Event, frozen=True, kw_only=True):
    """Caller and agent hear each other, by our order or through the switch's own queue."""

    call_id: str
    agent: str


class Refused(Event, frozen=True, kw_only=True):
    """An agent could not take a call (busy, phone gone, no answer); the caller is still ours."""

    call_id: str
    agent: str
    #: `busy` (talking to somebody else), `gone` (phone on-hook) or `no_answer`.
    why: str


class Queued(Event, frozen=True, kw_only=True):
    """The dialplan went on by itself; from now on the switch owns the call."""

    call_id: str


class Abandoned(Event, frozen=True, kw_only=True):
    """The switch found no agent within the limit; how: `message` or `hangup`."""

    call_id: str
    how: str


class Ended(Event, frozen=True, kw_only=True):
    """The debtor's channel is gone, or never came to be."""

    call_id: str
    cause: Cause
    #: Q.850 cause and SIP status as the switch gave them, for reports by carrier.
    q850: int | None = None
    sip: int | None = None


class PhoneUp(Event, frozen=True, kw_only=True):
    """An agent's phone is off-hook and usable."""

    agent: str
    node: str


class PhoneDown(Event, frozen=True, kw_only=True):
    agent: str


class LiveCall(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A channel of ours found alive by a resync."""

    call_id: str
    #: `down`, `ringing`, `detecting`, `up` (answered, nobody yet), `queued` (the switch owns it) or `talking`.
    state: str
    agent: str | None = None


class EndedCall(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An answered call that ended while nobody listened, from the switch's memory."""

    call_id: str
    answer_class: AnswerClass
    agent: str | None = None


class Resynced(Event, frozen=True, kw_only=True):
    """All that lives on a node after its link came (back) up; what is in neither list is gone."""

    node: str
    calls: tuple[LiveCall, ...] = ()
    ended: tuple[EndedCall, ...] = ()
    #: Agents whose phone is off-hook.
    agents: tuple[str, ...] = ()


# ---- the desk


class SignedIn(Event, frozen=True, kw_only=True):
    agent: str
    #: Campaigns this agent serves; empty: all.
    campaigns: tuple[str, ...] = ()
    #: The engine calls the agent's phone; otherwise the agent dials the feature code.
    call_me: bool = True
    node: str = "main"
    #: When the agent's shift ends, where it is known.
    until_us: int | None = None
    #: Groups that the agent is in, which steps of strategies may ask for.
    groups: tuple[str, ...] = ()


class SignedOut(Event, frozen=True, kw_only=True):
    agent: str


class MadeReady(Event, frozen=True, kw_only=True):
    agent: str


class PauseAsked(Event, frozen=True, kw_only=True):
    agent: str
    #: A code of the floor's list, e.g. break, training, back_office.
    reason: str


class AgentMoved(Event, frozen=True, kw_only=True):
    """A supervisor gives an agent other campaigns."""

    agent: str
    campaigns: tuple[str, ...]


class LeadAsked(Event, frozen=True, kw_only=True):
    """Preview: the agent asks for the next lead."""

    agent: str


class LeadAccepted(Event, frozen=True, kw_only=True):
    agent: str


class LeadSkipped(Event, frozen=True, kw_only=True):
    agent: str
    reason: str = "skipped"


class HangUpAsked(Event, frozen=True, kw_only=True):
    agent: str


class Finishing(Event, frozen=True, kw_only=True):
    """The agent says that the conversation is about to end, or takes it back."""

    agent: str
    about_to: bool = True


class Disposed(Event, frozen=True, kw_only=True):
    """The agent records how the conversation ended; amounts and dates are validated by `dialer.desk`."""

    agent: str
    call_id: str
    disposition: Disposition
    debt: int | None = None
    amount_minor: int | None = None
    currency: str | None = None
    #: ISO date of the promise or of the first instalment.
    due_on: str | None = None
    instalments: int | None = None
    #: The sum is less than the balance and settles the debt: the rest is waived, as was offered.
    settles: bool = False
    #: When to call back, and whether this agent owns it.
    call_back_us: int | None = None
    own: bool = False


AnyEvent = (
    FloorOpened
    | RulesChanged
    | LeadsLoaded
    | PastCounted
    | PersonChanged
    | Tick
    | CampaignOrdered
    | LimitSet
    | ModeSet
    | Reserved
    | Stale
    | NotSent
    | LinkUp
    | LinkDown
    | Ringing
    | Progressed
    | Answered
    | Detected
    | Connected
    | Refused
    | Queued
    | Abandoned
    | Ended
    | PhoneUp
    | PhoneDown
    | Resynced
    | SignedIn
    | SignedOut
    | MadeReady
    | PauseAsked
    | AgentMoved
    | LeadAsked
    | LeadAccepted
    | LeadSkipped
    | HangUpAsked
    | Finishing
    | Disposed
)
