"""Words for calls and agents: phases, classes, dispositions, causes, modes, states."""

from enum import StrEnum


class Word(StrEnum):
    """A closed set of words, hashed as the text it is: the hash of Enum is slow, and these are keys everywhere.

    Python 3.11 takes ten times as long to find a member through its class as by a name of the module's own. Where one
    is asked for at every tick or call, the module gives it such a name.
    """

    __hash__ = str.__hash__


class Phase(Word):
    """Where a call is in its life; `dialer.engine.transitions` says what leads where."""

    reserving = "reserving"
    originating = "originating"
    ringing = "ringing"
    detecting = "detecting"
    waiting = "waiting"
    connecting = "connecting"
    queued = "queued"
    message = "message"
    talking = "talking"
    wrapping = "wrapping"
    closed = "closed"


class AnswerClass(Word):
    """Every answered call ends in exactly one."""

    connected = "connected"
    abandoned = "abandoned"
    machine = "machine"
    cut = "cut"
    lost = "lost"


class Disposition(Word):
    """Every attempt ends in exactly one; the first group is the system's, the second the agent's."""

    busy = "busy"
    no_answer = "no_answer"
    rejected = "rejected"
    not_in_service = "not_in_service"
    network_fail = "network_fail"
    machine = "machine"
    cut = "cut"
    abandoned = "abandoned"
    lost = "lost"
    cancelled = "cancelled"
    not_sent = "not_sent"
    stale = "stale"
    unknown = "unknown"
    #: Connected, and the agent recorded nothing in time.
    unrecorded = "unrecorded"

    wrong_party = "wrong_party"
    third_party = "third_party"
    no_promise = "no_promise"
    promise = "promise"
    plan = "plan"
    dispute = "dispute"
    already_paid = "already_paid"
    call_back = "call_back"
    do_not_call = "do_not_call"
    vulnerable = "vulnerable"
    attorney = "attorney"
    bankrupt = "bankrupt"
    deceased = "deceased"


#: What an agent may record.
AGENT_DISPOSITIONS = (
    Disposition.machine,
    Disposition.wrong_party,
    Disposition.third_party,
    Disposition.no_promise,
    Disposition.promise,
    Disposition.plan,
    Disposition.dispute,
    Disposition.already_paid,
    Disposition.call_back,
    Disposition.do_not_call,
    Disposition.vulnerable,
    Disposition.attorney,
    Disposition.bankrupt,
    Disposition.deceased,
)

#: The agent spoke with the debtor.
RIGHT_PARTY = frozenset(AGENT_DISPOSITIONS) - {
    Disposition.machine,
    Disposition.wrong_party,
    Disposition.third_party,
    Disposition.deceased,
}

#: The number was never dialled: counts against no cap.
NEVER_DIALLED = frozenset({Disposition.not_sent, Disposition.stale})


class Cause(Word):
    """Why a channel ended, in the switch-neutral words that the engine knows."""

    normal = "normal"
    busy = "busy"
    no_answer = "no_answer"
    rejected = "rejected"
    not_in_service = "not_in_service"
    congestion = "congestion"
    network_fail = "network_fail"
    switch_fail = "switch_fail"


class Mode(Word):
    preview = "preview"
    progressive = "progressive"
    power = "power"
    predictive = "predictive"


class AgentState(Word):
    offline = "offline"
    #: Signed in, phone not (yet) off-hook.
    away = "away"
    ready = "ready"
    #: Kept for one call that must not find nobody.
    reserved = "reserved"
    previewing = "previewing"
    talking = "talking"
    wrapup = "wrapup"
    paused = "paused"


class CampaignState(Word):
    stopped = "stopped"
    running = "running"
    paused = "paused"
    #: Finishes what is in flight, dials nothing new.
    draining = "draining"
    finished = "finished"
