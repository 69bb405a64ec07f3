"""What another dialer tells, a JSON object a line: its calls and its agents, by ids of its own.

`docs/shadow.md` explains each word to whoever writes them.
"""

from typing import Literal

import msgspec

from domain.calls import Cause
from domain.errors import BadInput
from domain.instants import SECOND, parse


class Word(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="event"):
    #: Unix seconds, or ISO 8601 with offset.
    at: float | str


class Dialled(Word, frozen=True, kw_only=True, tag="dialled"):
    call: str
    campaign: str
    #: Forecast that it takes an agent, where one is known: a person answers, or a machine that is not detected.
    p_answer: float | None = None


class Progressed(Word, frozen=True, kw_only=True, tag="progressed"):
    """What the network told of a call that is not answered yet."""

    call: str
    to: Literal["ringing", "early_media"]


class Answered(Word, frozen=True, kw_only=True, tag="answered"):
    call: str


class Detected(Word, frozen=True, kw_only=True, tag="detected"):
    """What machine detection found; without this word an answer is a person's."""

    call: str
    result: Literal["human", "machine", "unsure"]


class Connected(Word, frozen=True, kw_only=True, tag="connected"):
    call: str
    agent: str


class Abandoned(Word, frozen=True, kw_only=True, tag="abandoned"):
    """A person who answered met nobody in time, or hung up waiting."""

    call: str


class Ended(Word, frozen=True, kw_only=True, tag="ended"):
    """The debtor's line is gone, answered or not."""

    call: str
    cause: Cause = Cause.normal


class AgentIs(Word, frozen=True, kw_only=True, tag="agent"):
    """An agent changes state; `connected` and `ended` tell of talking and of the wrap-up by themselves."""

    agent: str
    state: Literal["ready", "wrapup", "paused", "offline"]
    #: The campaign worked for; None: as before, or the only one.
    campaign: str | None = None


class Finishing(Word, frozen=True, kw_only=True, tag="finishing"):
    """The conversation is about to end, by the agent's word; forgotten with the conversation."""

    agent: str
    about_to: bool = True


AnyWord = Dialled | Progressed | Answered | Detected | Connected | Abandoned | Ended | AgentIs | Finishing

_words: msgspec.json.Decoder[AnyWord] = msgspec.json.Decoder(AnyWord)


def read(line: bytes | str, where: str) -> tuple[int, AnyWord]:
    """Return the instant and the word of a line.

    Parameters
    ----------
    where : str
        File and line, for the message.

    Raises
    ------
    BadInput
        When it is no word, or its instant is none.
    """
    try:
        word = _words.decode(line)
    except msgspec.DecodeError as error:
        raise BadInput(f"{where}: is no event: {error}; docs/shadow.md lists them") from None
    if isinstance(word.at, str):
        try:
            return parse(word.at), word
        except ValueError as error:
            raise BadInput(f"{where}: at: {error}; or write Unix seconds") from None
    if not 0.0 < word.at < 1e11:
        raise BadInput(f"{where}: at must be Unix seconds or ISO 8601 with offset, was {word.at!r}; correct it")
    return round(word.at * SECOND), word
