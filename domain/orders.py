"""What the engine tells the world to do. Orders are journalled like facts.

Only `Originate` starts a contact: it leaves after the durable commit of its own row. All others serve a call or
an agent already there and leave at once.
"""

import msgspec

from domain.calls import Mode
from domain.matching import Match, Sought
from domain.people import CapKey, Choice, Verdict


class Order(msgspec.Struct, gc=False, frozen=True, kw_only=True, omit_defaults=True, tag_field="type", tag=True):
    pass


class Reserve(Order, frozen=True, kw_only=True):
    """To the ledger: compare and bump the keys, insert the attempt, answer `Reserved` or `Stale`."""

    #: `<stream>-<seq>` of this row.
    call_id: str
    campaign: str
    person: int
    debts: tuple[int, ...]
    phone: int
    keys: tuple[CapKey, ...]
    mode: Mode
    verdict: Verdict
    node: str
    trunk: str
    caller_id: str
    #: How many-th attempt of this person in this campaign, from 1.
    ordinal: int
    #: The agent reserved for it, where one must be.
    agent: str | None = None
    #: Chance that a person answers, and the scores that tell it.
    p_answer: float | None = None
    #: Chance that it takes an agent, where that is another: machines do where they are not detected.
    p_taken: float | None = None
    score_version: str | None = None
    #: Of the campaign's strategy, where it has one.
    choice: Choice | None = None


class Originate(Order, frozen=True, kw_only=True):
    """To the switch: place the call. The driver looks the digits of `phone` up in the ledger."""

    call_id: str
    campaign: str
    phone: int
    node: str
    trunk: str
    caller_id: str
    ring_timeout_ms: int
    #: Not to leave at or after this instant: the driver answers `NotSent`.
    valid_until_us: int
    detect: bool
    record: bool
    #: Time in which the engine says Connect or Keep before the dialplan goes on by itself.
    grace_ms: int
    #: The rest of the patience after the grace.
    limit_ms: int
    #: `message` or `hangup` when no agent comes.
    abandon: str
    language: str


class Connect(Order, frozen=True, kw_only=True):
    """To the switch: this caller to this agent, atomically; a busy agent answers `Refused`."""

    call_id: str
    agent: str
    node: str
    #: Where a table of matching chose among several.
    match: Match | None = None
    #: Where the call asked for agents of a group.
    sought: Sought | None = None


class Keep(Order, frozen=True, kw_only=True):
    """To the switch: hold the caller for so long; Connect may still come."""

    call_id: str
    node: str
    for_ms: int


class HangUp(Order, frozen=True, kw_only=True):
    call_id: str
    node: str
    why: str


class RingAgent(Order, frozen=True, kw_only=True):
    """To the switch: call the agent's phone and keep it off-hook."""

    agent: str
    node: str


class DropAgent(Order, frozen=True, kw_only=True):
    """To the switch: the agent's phone may go on-hook, the agent leaves every queue."""

    agent: str
    node: str


class QueueAgent(Order, frozen=True, kw_only=True):
    """To the switch: the agent is (not) to be given calls by the queues of these campaigns."""

    agent: str
    node: str
    campaigns: tuple[str, ...]
    paused: bool


class ShowLead(Order, frozen=True, kw_only=True):
    """To the desk: what the agent's screen shows before hello."""

    agent: str
    campaign: str
    person: int
    call_id: str | None = None


AnyOrder = Reserve | Originate | Connect | Keep | HangUp | RingAgent | DropAgent | QueueAgent | ShowLead
