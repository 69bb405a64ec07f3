"""What the engine decided or concluded. Only `evolve` over inputs, facts and orders changes its state."""

import msgspec

from domain.calls import AgentState, AnswerClass, CampaignState, Disposition, Phase
from domain.pace import PaceRule
from domain.people import Verdict


class Fact(msgspec.Struct, gc=False, frozen=True, kw_only=True, omit_defaults=True, tag_field="type", tag=True):
    pass


class PacingDecided(Fact, frozen=True, kw_only=True):
    """How many calls to place now, with the figures behind it."""

    campaign: str
    dials: int
    #: What bound it: one of `dialer.pacing.REASONS`, or of the engine's own in `dialer.engine.dialling.OWN_REASONS`.
    reason: str
    free: int
    #: Agents free now and soon, and answers, until half of the answers to new calls have come.
    expected_free: float
    expected_answers: float
    #: Abandoned calls left under the tightest limit.
    budget_left: float
    ringing: int
    waiting: int
    #: Agents who talk or wrap up and will be free then; of them, those who said that they are about to finish.
    busy: int = 0
    finishing: int = 0
    #: Chance that one more call, if answered, would meet nobody; and the chance that is tolerated.
    risk: float = 0.0
    tolerated: float = 0.0
    #: Chance that a call is answered, by a person or by a machine that takes an agent.
    p_answer: float = 0.0


class PaceBound(Fact, frozen=True, kw_only=True):
    """What the rules of the places of a campaign's people ask of its pacing on a day of the floor."""

    campaign: str
    #: ISO date.
    day: str
    rules: tuple[PaceRule, ...] = ()


class Judged(Fact, frozen=True, kw_only=True):
    """The gate's verdict on one lead and number; denials once per lead and window."""

    campaign: str
    person: int
    phone: int | None
    verdict: Verdict


class LeadScheduled(Fact, frozen=True, kw_only=True):
    """The lead comes back at an instant, with the number and agent it then wants."""

    campaign: str
    person: int
    at_us: int
    why: str
    #: Index into the dossier's phones to start from.
    phone_index: int = 0
    #: Call-back owned by this agent.
    agent: str | None = None


class LeadsReviewed(Fact, frozen=True, kw_only=True):
    """So many more leads that a rule had put off were judged again, because other rules are in force."""

    campaign: str
    leads: int


class LeadHeld(Fact, frozen=True, kw_only=True):
    """The lead needs an agent reserved for it and waits until one is free."""

    campaign: str
    person: int


class LeadClosed(Fact, frozen=True, kw_only=True):
    """The lead leaves the list: a disposition, `paid`, `max_attempts`, `no_number`, `withdrawn`…"""

    campaign: str
    person: int
    why: str


class CallMoved(Fact, frozen=True, kw_only=True):
    """A call enters a phase; the transition table allows it."""

    call_id: str
    phase: Phase
    agent: str | None = None


class CallAssigned(Fact, frozen=True, kw_only=True):
    """An unconnected call gets another agent; None: it has to find one like any other."""

    call_id: str
    agent: str | None


class CallClassed(Fact, frozen=True, kw_only=True):
    """An answered call ends in its one class."""

    call_id: str
    answer_class: AnswerClass
    #: no_agent, caller_left, detection, detection_unsure, switch, link…
    why: str = ""
    #: Answer to agent, for connected calls.
    wait_us: int | None = None


class AttemptClosed(Fact, frozen=True, kw_only=True):
    """An attempt ends in its one disposition; what caps and history count is `event`."""

    call_id: str
    campaign: str
    person: int
    phone: int
    disposition: Disposition
    #: The rung of the contact ladder (`domain.people.ContactEvent`); None: never dialled.
    event: str | None
    ring_us: int | None = None
    talk_us: int | None = None
    wrap_us: int | None = None
    q850: int | None = None
    sip: int | None = None


class AgentShifted(Fact, frozen=True, kw_only=True):
    """An agent enters a state."""

    agent: str
    state: AgentState
    reason: str = ""
    call_id: str | None = None


class AgentAllotted(Fact, frozen=True, kw_only=True):
    """The allocator gives an agent to a campaign until further notice; None: to nobody."""

    agent: str
    campaign: str | None


class CampaignShifted(Fact, frozen=True, kw_only=True):
    campaign: str
    state: CampaignState
    why: str = ""


class AlarmRaised(Fact, frozen=True, kw_only=True):
    """Something an operator should see: kind and subject, both from closed sets."""

    kind: str
    subject: str = ""


class AlarmCleared(Fact, frozen=True, kw_only=True):
    kind: str
    subject: str = ""


AnyFact = (
    PacingDecided
    | PaceBound
    | Judged
    | LeadScheduled
    | LeadsReviewed
    | LeadHeld
    | LeadClosed
    | CallMoved
    | CallAssigned
    | CallClassed
    | AttemptClosed
    | AgentShifted
    | AgentAllotted
    | CampaignShifted
    | AlarmRaised
    | AlarmCleared
)
