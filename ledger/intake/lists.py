"""Cells that hold a list: stops, consents, prior attempts; and the words of which lists are made."""

import re
from functools import lru_cache

import msgspec

from domain.countries import plain
from domain.people import OF_A_MEDIUM, OF_A_NUMBER, STOP_WORDS, ContactEvent, StopKind, as_message
from ledger.intake.cells import BadCell, Form, instant, iso_date
from ledger.intake.phones import e164

#: Between the items of a list.
_ITEMS = re.compile(r"[;|]")

# ---- stops

#: Stops that people tell of; a withdrawal comes with a full file of accounts.
TOLD_STOPS = tuple(kind for kind in StopKind if kind is not StopKind.withdrawn)
#: Of those, the ones that an account file may carry: the others name a phone or a channel.
FILE_STOPS = tuple(kind for kind in TOLD_STOPS if kind not in OF_A_NUMBER | OF_A_MEDIUM)
#: Stops that concern the account alone and not the whole person, unless something else is said.
DEBT_STOPS = frozenset(
    {
        StopKind.paid,
        StopKind.withdrawn,
        StopKind.dispute,
        StopKind.identity_error,
        StopKind.statute_barred_and_wont_pay,
    }
)

_YES = frozenset({"1", "yes", "y", "si", "s", "true", "t", "x", "verdadero", "v"})
_NO = frozenset({"0", "no", "n", "false", "f", "falso"})


class Flag(msgspec.Struct, frozen=True):
    """What the column of one stop says: on (since a day, if told) or off."""

    on: bool
    since: str | None = None


_STOP_NAMES = {
    "pagado": "paid", "pagada": "paid", "liquidado": "paid", "cancelado": "paid",
    "cese": "cease_written", "cease_and_desist": "cease_written",
    "abogado": "attorney", "represented": "attorney",
    "disputa": "dispute", "reclamacion": "dispute",
    "no_llamar": "do_not_call", "dnc": "do_not_call", "lista_robinson": "do_not_call",
    "vulnerabilidad": "vulnerable",
    "concurso": "bankrupt", "insolvencia": "bankrupt", "bankruptcy": "bankrupt", "quiebra": "bankrupt",
    "fallecido": "deceased", "fallecida": "deceased", "difunto": "deceased",
    "moratoria": "breathing_space",
    "oposicion": "gdpr_objection", "canal_no_autorizado": "channel_not_authorized_by_debtor",
    "numero_equivocado": "wrong_number",
}  # fmt: skip


def stop_kind(word: str) -> StopKind | None:
    """Return the stop that a word of a file means, English or Spanish; None when none."""
    kind = told_stop(word)
    return kind if kind in FILE_STOPS else None


def told_stop(word: str) -> StopKind | None:
    """Return the stop of any scope that a word means; None when none."""
    word = plain(word)
    word = STOP_WORDS.get(word) or _STOP_NAMES.get(word, word)
    return StopKind(word) if word in TOLD_STOPS else None


def stop_word(cell: str) -> StopKind:
    """Return the stop that a cell names."""
    kind = told_stop(cell)
    if kind is None:
        raise BadCell(f"{cell.strip()!r} is no stop: use one of {', '.join(TOLD_STOPS)}")
    return kind


def lacking(kind: StopKind, channel: str | None, number: str | None) -> tuple[str, str, str] | None:
    """Return which field a stop cannot do without, what was found there and what to do; None: it is whole."""
    if kind in OF_A_NUMBER and number is None:
        return "phone", "", f"{kind} is of one number: name it"
    if kind in OF_A_MEDIUM and number is None and channel is None:
        return "channel", "", f"{kind} is of one channel or number: name it ({', '.join(CHANNELS)})"
    return None


def flag(cell: str, order: str | None) -> Flag:
    """Return what the cell of a stop's own column says: yes, no, or the day since when."""
    word = plain(cell)
    if word in _YES:
        return Flag(True)
    if word in _NO:
        return Flag(False)
    try:
        return Flag(True, iso_date(cell, order))
    except BadCell as error:
        raise BadCell(f"write yes, no or the date since when ({error})") from None


@lru_cache(maxsize=4096)
def stop_list(cell: str, order: str | None) -> tuple[tuple[StopKind, Flag], ...]:
    """Return the stops of a list such as `dispute@2026-10-01; deceased`."""
    found: list[tuple[StopKind, Flag]] = []
    for item in filter(None, (part.strip() for part in _ITEMS.split(cell))):
        name, _, since = item.partition("@")
        kind = stop_kind(name)
        if kind is None:
            raise BadCell(f"{name.strip()!r} is no stop: use one of {', '.join(FILE_STOPS)}, each with @date if known")
        found.append((kind, Flag(True, iso_date(since, order) if since else None)))
    return tuple(found)


# ---- contacts and consents

#: As the rule packs name them.
CHANNELS = ("call", "prerecorded", "voicemail", "ringless_vm", "sms", "email", "im", "letter", "visit")
_CHANNEL_NAMES = {
    "llamada": "call", "voz": "call", "voice": "call", "phone": "call", "telefono": "call", "ivr": "prerecorded",
    "buzon": "voicemail", "correo": "email", "message": "im", "mensajeria": "im", "whatsapp": "im", "carta": "letter",
    "visita": "visit",
}  # fmt: skip


@lru_cache(maxsize=4096)
def consent_list(cell: str, order: str | None) -> tuple[tuple[str, str | None, str | None], ...]:
    """Return (kind, channel or None, last day or None) of a list such as `prior_express_consent:call@2027-01-31`."""
    found: list[tuple[str, str | None, str | None]] = []
    for item in filter(None, (part.strip() for part in _ITEMS.split(cell))):
        scope, _, until = item.partition("@")
        kind, _, channel = scope.partition(":")
        kind = plain(kind)
        if not kind:
            raise BadCell("name the consent, e.g. prior_express_consent or hours:call@2027-01-31")
        found.append(
            (kind, channel_name(channel) if channel.strip() else None, iso_date(until, order) if until else None)
        )
    return tuple(found)


class PriorAttempt(msgspec.Struct, frozen=True, array_like=True):
    """A contact made before the account came to us."""

    at_us: int
    channel: str
    event: str
    #: E.164 or None.
    phone: str | None


def contact_event(cell: str) -> ContactEvent:
    """Return the rung of the contact ladder that a word names."""
    word = plain(cell)
    if word not in ContactEvent.__members__:
        raise BadCell(f"{cell.strip()!r} is no contact event: use one of {', '.join(ContactEvent)}")
    return ContactEvent(word)


def channel_name(cell: str) -> str:
    """Return a channel's name."""
    word = plain(cell)
    word = _CHANNEL_NAMES.get(word, word)
    if word not in CHANNELS:
        raise BadCell(f"{cell.strip()!r} is no channel: use one of {', '.join(CHANNELS)}")
    return word


def attempt_list(cell: str, country: str, form: Form) -> list[PriorAttempt]:
    """Return the contacts of a list such as `2026-11-18T10:05+01:00 call no_answer +34600123456; …`."""
    found: list[PriorAttempt] = []
    for item in filter(None, (part.strip() for part in _ITEMS.split(cell))):
        words = item.split()
        if len(words) > 4:
            raise BadCell(f"{item!r}: write instant, channel, event and phone with one blank between them")
        at_us = instant(words[0], form)
        channel = channel_name(words[1]) if len(words) > 1 else "call"
        event = contact_event(words[2]) if len(words) > 2 else ContactEvent.dialed
        phone = e164(words[3], country) if len(words) > 3 else None
        found.append(PriorAttempt(at_us, channel, as_message(event, channel, False).value, phone))
    return found
