"""A record is an input, a fact or an order: one row of the journal, as JSON with its type in `type`."""

import msgspec

from domain.errors import Broken
from domain.events import AnyEvent, Event, LeadsLoaded
from domain.facts import AnyFact
from domain.orders import AnyOrder

Record = AnyEvent | AnyFact | AnyOrder

_encoder = msgspec.json.Encoder()
_decoder: msgspec.json.Decoder[Record] = msgspec.json.Decoder(Record)


class Row(msgspec.Struct, gc=False, frozen=True, kw_only=True):
    """One row of the journal, before its hash."""

    stream: str
    seq: int
    at_us: int
    campaign: str | None
    record: Record

    @property
    def kind(self) -> str:
        return type(self.record).__name__

    @property
    def is_input(self) -> bool:
        return isinstance(self.record, Event)


def encode(record: Record) -> bytes:
    """Return the payload of a record; a loaded list is left to its plan."""
    if type(record) is LeadsLoaded:
        record = msgspec.structs.replace(record, leads=(), people=())
    return _encoder.encode(record)


def decode(payload: bytes | str) -> Record:
    """Return the record of a payload.

    Raises
    ------
    Broken
        When no type of this code can hold it.
    """
    try:
        return _decoder.decode(payload)
    except msgspec.ValidationError as error:
        raise Broken(f"journal payload cannot be read: {error}: {payload[:200]!r}") from error
