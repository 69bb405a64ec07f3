"""Snapshots: a state as bytes and back, so that recovery need not fold a stream from its first row."""

from heapq import heapify
from typing import NamedTuple

import msgspec

from dialer.engine.queue import Agenda, Entry, Queue
from dialer.engine.state import CLOCKED, Agent, Call, Campaign, Lines, State
from dialer.engine.transitions import STAGES
from dialer.pacing import Pacer
from domain.errors import BadInput, Broken
from domain.people import Dossier
from domain.settings import FloorSettings

_people: "msgspec.msgpack.Decoder[list[Dossier]]" = msgspec.msgpack.Decoder(list[Dossier])


class _Head(msgspec.Struct, array_like=True):
    version: int
    seq: int
    at_us: int
    settings: FloorSettings
    rules: str
    rules_seq: int
    rehearsed: bool
    shift_us: int
    midnight_us: int
    shift_end_us: int
    day: str
    swept_us: int
    tokens: int
    campaigns: dict[str, Campaign]
    agents: dict[str, Agent]
    ready: list[str]
    calls: dict[str, Call]
    versions: dict[str, int]
    nodes: dict[str, bool]
    alarms: dict[str, int]
    pacers: dict[str, bytes]


#: Changes with every change of what stands in `_Head` or below it, the pacers' memory included.
_FORM = 18
#: Dossiers encoded at once.
_SLICE = 500


class Image(NamedTuple):
    """A state as it was at one moment: what could still change, encoded; and people's dossiers, which cannot."""

    head: bytes
    people: list[Dossier]


def take(state: State) -> Image:
    """Return the image of a state; the loop waits for this, and not for `pack`."""
    head = _Head(
        version=_FORM,
        seq=state.seq,
        at_us=state.at_us,
        settings=state.settings,
        rules=state.rules,
        rules_seq=state.rules_seq,
        rehearsed=state.rehearsed,
        shift_us=state.shift_us,
        midnight_us=state.midnight_us,
        shift_end_us=state.shift_end_us,
        day=state.day,
        swept_us=state.swept_us,
        tokens=state.tokens,
        campaigns=state.campaigns,
        agents=state.agents,
        ready=list(state.ready),
        calls=state.calls,
        versions=state.versions,
        nodes=state.nodes,
        alarms=state.alarms,
        pacers={name: pacer.state() for name, pacer in state.pacers.items()},
    )
    return Image(msgspec.msgpack.encode(head, enc_hook=_entries), list(state.people.values()))


def pack(image: Image) -> bytes:
    """Return an image as bytes, encoded in slices so that other threads get their turns."""
    slices = [
        msgspec.msgpack.encode(image.people[start : start + _SLICE]) for start in range(0, len(image.people), _SLICE)
    ]
    return msgspec.msgpack.encode((image.head, slices))


def freeze(state: State) -> bytes:
    """Return a state as bytes; equal states give equal bytes."""
    for campaign in state.campaigns.values():
        campaign.ready = Queue(_living(campaign, campaign.ready))
        campaign.parked = Agenda(_living(campaign, campaign.parked))
        campaign.held = Queue(_living(campaign, campaign.held))
    return pack(take(state))


def _living(campaign: Campaign, queue: Queue | Agenda) -> list[Entry]:
    """Return a queue's living entries in order, the same whenever the leads are."""
    return sorted(entry for entry in queue.entries() if campaign.leads[entry[2]].token == entry[1])


def _entries(queue: Queue | Agenda) -> list[Entry]:
    """Return what a snapshot holds of a queue: a heap of its entries."""
    entries = queue.entries()
    heapify(entries)
    return entries


def _queue(kind: type[Queue | Agenda], entries: list[list[int]]) -> Queue | Agenda:
    return kind((key, token, person) for key, token, person in entries)


def thaw(blob: bytes) -> State:
    """Return the state of a snapshot.

    Raises
    ------
    Broken
        When the snapshot is of another form; fold the journal from its beginning instead.
    """
    try:
        packed, slices = msgspec.msgpack.decode(blob, type=tuple[bytes, list[bytes]])
        image = msgspec.msgpack.decode(packed, type=_Head, dec_hook=_queue)
        people = [dossier for part in slices for dossier in _people.decode(part)]
    except msgspec.DecodeError as error:
        raise Broken(f"snapshot cannot be read: {error}; fold the journal from its beginning") from error
    if image.version != _FORM:
        raise Broken(f"snapshot has form {image.version}, this code reads {_FORM}; fold the journal instead")
    state = State()
    for field in (
        *("seq", "at_us", "settings", "rules", "rules_seq", "rehearsed", "swept_us", "tokens"),
        *("shift_us", "midnight_us", "shift_end_us", "day"),
    ):
        setattr(state, field, getattr(image, field))
    state.opened = True
    state.campaigns, state.agents, state.calls = image.campaigns, image.agents, image.calls
    state.versions, state.nodes, state.alarms = image.versions, image.nodes, image.alarms
    for agent in state.agents.values():
        state.busy.note(agent)
        if agent.state in CLOCKED:
            state.clocked[agent.agent] = None
    state.ready = dict.fromkeys(image.ready)
    state.people = {dossier.person: dossier for dossier in people}
    leads = (lead for campaign in state.campaigns.values() for lead in campaign.leads.values())
    state.forecast = any(lead.reach for lead in leads) or any(call.p_taken is not None for call in state.calls.values())
    state.lines = {name: Lines() for name in state.campaigns}
    for call in state.calls.values():
        state.person_call[call.person] = call.call_id
        state.phone_call[call.phone] = call.call_id
        state.lines[call.campaign].move(call, "", STAGES[call.phase])
    for name, pacer in image.pacers.items():
        try:
            state.pacers[name] = Pacer.restore(state.pacing_settings(name), pacer)
        except BadInput as error:
            raise Broken(f"snapshot: pacer of {name} cannot be read: {error}; fold the journal instead") from error
    return state
