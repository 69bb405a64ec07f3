"""The case file: one contact to judge a line, as JSON, and a line of answer for each. docs/cases.md has the form.

Every case is its own world: names of persons, debts, creditors and numbers mean something within their line alone. What
a case leaves open is taken at its strictest; what it writes wrongly is an error, never a guess.
"""

import re
from datetime import UTC, datetime, timedelta, timezone
from functools import lru_cache
from typing import Any, cast

import msgspec

from compliance.caseform import CaseConsent, CaseDebtor, CaseFlag, CaseLine, Name, Names, identity, read
from compliance.gate import Gate
from compliance.numbers import NumberFacts, Numbers
from compliance.rows import LEGAL_TRIGGERS
from compliance.zones import Zones, load_zone
from domain.errors import BadInput
from domain.instants import DAY, parse
from domain.people import (
    BOUNDED_CONSENTS,
    OF_A_NUMBER,
    STOP_WORDS,
    CapKey,
    Consent,
    ContactEvent,
    Debt,
    Dossier,
    PastContact,
    Phone,
    Stop,
    StopKind,
    Verdict,
    as_message,
)

#: Words of the law for a consent that is not on record.
_ABSENCES = {"no_written_electronic_consent": "written_electronic_consent"}


def _stops_meant(word: str) -> tuple[StopKind, ...]:
    # A word that rows name and no record carries stands for itself as well: rows are found by the word alone.
    itself = (cast(StopKind, word),) if word in LEGAL_TRIGGERS else ()
    return (*itself, STOP_WORDS[word]) if word in STOP_WORDS else itself


#: Stops on record by flag.
FLAGS: dict[str, tuple[StopKind, ...]] = {str(kind): (kind,) for kind in StopKind} | {
    word: _stops_meant(word) for word in sorted({*LEGAL_TRIGGERS, *STOP_WORDS, *_ABSENCES})
}
#: Words of the law for consents on record.
_CONSENT_ALIASES = {
    "separate_instrument_signed_by_debtor": "hours",
    "debtor_consent_or_known_inconvenience": "hours",
}
_WRITTEN = frozenset({"sms", "email", "im", "letter"})
_IN_PERSON = frozenset({"call", "prerecorded", "visit"})
_MESSAGES = frozenset({ContactEvent.message_sent, ContactEvent.message_delivered})
_BETWEEN_DIGITS = re.compile("[ .()/\\xa0\\u2010\\u2011-]")
_E164 = re.compile("[+][1-9][0-9]{4,14}")
_FOREVER = 1 << 62
_FIRST, _LAST = parse("1990-01-01T00:00:00Z"), parse("2100-01-01T00:00:00Z")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """A case in the engine's own terms: what `Gate.judge` is asked."""

    dossier: Dossier
    at_us: int
    channel: str
    phone: Phone | None
    debts: tuple[int, ...]
    actor: str
    purpose: str
    live_agent_guaranteed: bool
    strict: bool


def judge(gate: Gate, numbers: Numbers, line: bytes | str) -> dict[str, Any]:
    """Return the answer to one line of a case file, itself a line.

    Parameters
    ----------
    gate : Gate
        Of either reading; a case that wants the other is given to its twin.

    Returns
    -------
    dict
        `id`, `allowed`, `rule`, `reason`, `next_allowed_at`; or `id` and `error` where the line cannot be judged.
    """
    try:
        case = read(line)
        question = ask(case, numbers)
        _check_registers(gate, case)
        return {"id": case.id, **answer(gate.reading(question.strict), question)}
    except BadInput as error:
        return {"id": identity(line), "error": str(error)}


def ask(case: CaseLine, numbers: Numbers) -> Question:
    """Return a case in the engine's terms.

    Raises
    ------
    BadInput
        When a word, number, zone or instant of it is not understood.
    """
    at_us = _instant(case.at, "at")
    number = None if case.debtor.phone is None else _e164(case.debtor.phone, "debtor.phone")
    phone = _phone(case.debtor, number, numbers)
    phones = _Ids(number, phone is not None)
    creditor = case.creditor or None
    debts, creditors = _Ids(), _Ids(creditor)
    named = _names(case.debt)
    history = []
    for index, past in enumerate(case.history or ()):
        past_us = _instant(past.at, f"history[{index}].at")
        past_number = None if past.phone is None else _e164(past.phone, f"history[{index}].phone")
        if past_us > at_us:
            continue  # not known then
        channel = past.channel or _channel(past.event, case.channel)
        inbound = past.direction == "inbound"
        history.append(
            PastContact(
                at_us=past_us,
                event=as_message(past.event or ContactEvent.right_party_contact, channel, inbound),
                channel=channel,
                inbound=inbound,
                # A contact on a number that the case does not tell may be on any of them; likewise its creditor.
                phone=phones.of(past_number) if past_number is not None and number is not None else None,
                creditor=creditors.of(past.creditor) if past.creditor and creditor is not None else None,
                debts=tuple(debts.of(name) for name in _names(past.debt)),
                address_type=past.address_type,
                of=past.of,
            )
        )
    history.sort(key=lambda one: one.at_us)
    about = tuple(debts.of(name) for name in named)
    if not about:
        # About no debt in particular: about each one that this creditor is known to have.
        own = (one for one in history if one.of is None and one.creditor in (None, 1))
        about = tuple({debt: 0 for one in own for debt in one.debts}) or (0,)
    dossier = Dossier(
        person=1,
        keys=(CapKey("person:1", 0),),
        country=case.debtor.country,
        region=case.debtor.region or None,
        city=case.debtor.city or None,
        address_zones=_zones(case.debtor.address_timezone),
        debts=tuple(Debt(debt=debt, creditor=1, balance_minor=1, currency="EUR") for debt in about),
        phones=() if phone is None else (phone,),
        stops=tuple(stop for index, flag in enumerate(case.flags or ()) for stop in _stops(flag, index, phone)),
        consents=_consents(case, at_us, phones),
        history=tuple(one for one in history if one.of is None),
        others=tuple(one for one in history if one.of is not None),
    )
    return Question(
        dossier=dossier,
        at_us=at_us,
        channel=case.channel,
        phone=phone,
        debts=about,
        actor=case.actor or "third_party",
        purpose=case.purpose or "collection",
        live_agent_guaranteed=bool(case.live_agent_guaranteed),
        strict=case.strict is not False,
    )


def _check_registers(gate: Gate, case: CaseLine) -> None:
    """Refuse the name of a register that no pack speaks of: the number would pass for one that nobody registered."""
    if not case.debtor.registers:
        return
    known = sorted({row.register for table in gate.packs.jurisdictions.values() for row in table.registries} - {""})
    for index, name in enumerate(case.debtor.registers):
        if name not in known:
            raise BadInput(
                f"debtor.registers[{index}]: no rule pack speaks of {name!r}; write one of {', '.join(known) or 'none'}"
            )


def answer(gate: Gate, question: Question) -> dict[str, Any]:
    """Return `allowed`, `rule`, `reason` and `next_allowed_at` of a case."""
    asked: dict[str, Any] = {
        name: getattr(question, name)
        for name in ("at_us", "channel", "phone", "debts", "actor", "purpose", "live_agent_guaranteed")
    }
    verdict = gate.judge(question.dossier, **asked)
    if verdict.allowed:
        reason = _allowed(verdict)
    else:
        (said,) = gate.explain(question.dossier, **asked, only=verdict.rule)
        reason = f"{verdict.rule}: {said.detail}; {_where(verdict)}"
        if said.citation:
            reason += f"; {said.citation} (confidence {said.confidence})"
    next_us = verdict.next_allowed_at_us
    return {
        "allowed": verdict.allowed,
        "rule": verdict.rule,
        "reason": reason,
        "next_allowed_at": None if next_us is None else local_iso(verdict.zones, next_us),
    }


def local_iso(zones: tuple[str, ...], at_us: int) -> str:
    """Return an instant exactly, in the local time of the zone where it is latest."""
    offset = timezone(timedelta(microseconds=_candidates(zones).latest_offset(at_us)))
    return (_EPOCH + timedelta(microseconds=at_us)).astimezone(offset).isoformat()


def _allowed(verdict: Verdict) -> str:
    text = f"no rule denies; {_where(verdict)}"
    if verdict.agent_always:
        text += "; only against an agent reserved for it"
    if verdict.notices:
        text += f"; due: {', '.join(verdict.notices)}"
    return text


def _where(verdict: Verdict) -> str:
    text = f"it is {verdict.local_time} for the debtor ({', '.join(verdict.zones)})"
    if verdict.assumed:
        text += f", whose {' and '.join(verdict.assumed)} is not known: all that may hold does"
    return text


# ---- parts of a case


class _Ids:
    """Numbers for names, in the order in which they come up; the case's own is 1."""

    def __init__(self, first: Name | None = None, taken: bool = True) -> None:
        self._known: dict[Name, int] = {} if first is None else {first: 1}
        self._next = 2 if taken else 1

    def of(self, name: Name) -> int:
        if name not in self._known:
            self._known[name] = self._next
            self._next += 1
        return self._known[name]


def _names(names: Names | None) -> tuple[Name, ...]:
    """Return the names given; an empty one names nothing."""
    if names is None or names == "":
        return ()
    return tuple(name for name in names if name != "") if isinstance(names, tuple) else (names,)


def _channel(event: ContactEvent | None, channel: str) -> str:
    """Return the channel of a line of the history that names none."""
    if event is None:
        return channel
    if event in _MESSAGES:
        return channel if channel in _WRITTEN else "sms"
    # Nobody rings, answers or converses in writing or with a mailbox.
    return channel if channel in _IN_PERSON else "call"


def _instant(text: str, where: str) -> int:
    try:
        at_us = parse(text)
    except (ValueError, OverflowError):
        raise BadInput(
            f"{where}: {text!r} is no instant with its offset; write ISO 8601, 2026-11-18T15:30:00+01:00"
        ) from None
    if not _FIRST <= at_us < _LAST:
        raise BadInput(f"{where}: {text!r} lies outside 1990 to 2099; correct the year")
    return at_us


def _e164(text: str, where: str) -> str:
    """Return a number without what people set between its digits."""
    number = _BETWEEN_DIGITS.sub("", text)
    if not _E164.fullmatch(number):
        raise BadInput(f"{where}: number {text!r} is not E.164; write + country code number")
    return number


@lru_cache(maxsize=1 << 16)
def _facts(numbers: Numbers, e164: str) -> NumberFacts:
    return numbers.describe(e164)


def _phone(debtor: CaseDebtor, number: str | None, numbers: Numbers) -> Phone | None:
    if number is not None:
        try:
            facts = _facts(numbers, number)
        except BadInput as error:
            raise BadInput(f"debtor.phone: {error}") from None
        country, line_type, geographic, zones = facts.country, facts.line_type, facts.geographic, facts.zones
    elif debtor.line_type is not None or debtor.address_type is not None or debtor.registers:
        # No number, and yet something of it: it lies where the region does, or anywhere in the country.
        country, line_type, geographic = debtor.country, "unknown", False
        zones = numbers.address_zones(debtor.country, debtor.region, debtor.city, None)
    else:
        return None
    if debtor.line_type is not None:
        line_type = "fixed" if debtor.line_type == "landline" else debtor.line_type
        if line_type == "toll_free":
            geographic, zones = False, ()
    return Phone(
        phone=1,
        country=country,
        line_type=line_type,
        geographic=geographic,
        zones=zones,
        address_type=debtor.address_type,
        registers=debtor.registers or (),
    )


def _zones(names: str | tuple[str, ...] | None) -> tuple[str, ...]:
    found = (names,) if isinstance(names, str) else names or ()
    for name in found:
        try:
            load_zone(name)
        except BadInput as error:
            raise BadInput(f"debtor.address_timezone: {error}") from None
    return found


@lru_cache(maxsize=4096)
def _candidates(names: tuple[str, ...]) -> Zones:
    return Zones(names)


def _stops(flag: str | CaseFlag, index: int, phone: Phone | None) -> list[Stop]:
    word, until, channel = (flag, None, None) if isinstance(flag, str) else (flag.kind, flag.until, flag.channel)
    if word not in FLAGS:
        raise BadInput(f"flags[{index}]: {word!r} is no stop known; write one of {', '.join(FLAGS)}")
    until_us = None if until is None else _instant(until, f"flags[{index}].until")
    return [
        Stop(
            kind=kind,
            phone=phone.phone if phone is not None and kind in OF_A_NUMBER else None,
            channel=channel,
            until_us=until_us,
        )
        for kind in FLAGS[word]
    ]


def _consents(case: CaseLine, at_us: int, phones: _Ids) -> tuple[Consent, ...]:
    """Return the consents on record; what a flag says is absent, or the law ends sooner than the line, is not."""
    flagged = {flag if isinstance(flag, str) else flag.kind for flag in case.flags or ()}
    absent = {_ABSENCES[word] for word in flagged & _ABSENCES.keys()}
    given = [_consent(one, index, at_us, phones) for index, one in enumerate(case.consents or ())]
    return tuple(one for one in given if one is not None and one.kind not in absent)


def _consent(given: str | CaseConsent, index: int, at_us: int, phones: _Ids) -> Consent | None:
    if isinstance(given, str):
        given = CaseConsent(kind=given)
    if not given.kind:
        raise BadInput(f"consents[{index}]: is empty; name the consent, e.g. hours")
    number = None if given.phone is None else _e164(given.phone, f"consents[{index}].phone")
    until_us = None if given.until is None else _instant(given.until, f"consents[{index}].until")
    if given.kind in BOUNDED_CONSENTS:
        # Without an end it is said of the instant asked, whichever it is. One that ends later than the law lets it was
        # not given yet.
        most_us = at_us + BOUNDED_CONSENTS[given.kind] * DAY
        if until_us is not None and until_us > most_us:
            return None
        until_us = most_us if until_us is None else until_us
    return Consent(
        kind=_CONSENT_ALIASES.get(given.kind, given.kind),
        channel=given.channel,
        phone=None if number is None else phones.of(number),
        until_us=_FOREVER if until_us is None else until_us,
    )
