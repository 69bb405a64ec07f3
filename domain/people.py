"""People as the engine and the gate see them: ids, places, versions and history; never a name or a number.

These records hold no cycles, so the collector need not walk them (`gc=False`): with 60,000 people in memory a full
collection stops a floor for a seventh of the time, and lists load several times faster.
"""

import msgspec

from domain.calls import Disposition, Word
from domain.instants import DAY

#: A promise is kept when this share of it was paid by its day and the days of grace after it.
KEPT_SHARE = 0.9
GRACE_DAYS = 3


class ContactEvent(Word):
    """The event ladder that contact law counts."""

    dialed = "dialed"
    network_fail = "network_fail"
    not_in_service = "not_in_service"
    busy = "busy"
    no_answer = "no_answer"
    amd_machine = "amd_machine"
    voicemail_left = "voicemail_left"
    abandoned = "abandoned"
    answered = "answered"
    wrong_party = "wrong_party"
    third_party = "third_party"
    right_party_contact = "right_party_contact"
    #: A written message left our hands, or arrived.
    message_sent = "message_sent"
    message_delivered = "message_delivered"


#: Nobody rings or picks up in writing, nor in a mailbox: whatever rung is told of one of these, a message went out.
_IN_WRITING = frozenset({"sms", "email", "im", "letter"})
_MAILBOX = frozenset({"voicemail", "ringless_vm"})
_NOT_TOLD = frozenset({ContactEvent.dialed, ContactEvent.amd_machine, ContactEvent.answered})
#: Rungs on which the contact reached no line.
NOT_CONNECTED = frozenset({ContactEvent.network_fail, ContactEvent.not_in_service, ContactEvent.busy})


def as_message(event: ContactEvent, channel: str, inbound: bool) -> ContactEvent:
    """Return what a line of a history says where its rung is one of calls and its channel is not.

    A message that left is taken to have arrived, unless the line says that it was only sent or could not be delivered.
    """
    if inbound or event in NOT_CONNECTED or event is ContactEvent.message_sent:
        return event
    if channel in _IN_WRITING:
        return ContactEvent.message_delivered
    return ContactEvent.voicemail_left if channel in _MAILBOX and event in _NOT_TOLD else event


class StopKind(Word):
    """Why a person, debt, phone or channel may not be contacted."""

    paid = "paid"
    withdrawn = "withdrawn"
    cease_written = "cease_written"
    attorney = "attorney"
    dispute = "dispute"
    do_not_call = "do_not_call"
    vulnerable = "vulnerable"
    bankrupt = "bankrupt"
    deceased = "deceased"
    breathing_space = "breathing_space"
    #: The consent to one written channel was taken back.
    revoked_sms = "revoked_sms"
    revoked_email = "revoked_email"
    revoked_im = "revoked_im"
    #: The consent to what machines dial, send or play was taken back.
    revoke_consent_any_reasonable_means = "revoke_consent_any_reasonable_means"
    stop_request_electronic = "stop_request_electronic"
    #: Asked of one channel or number, which the record names.
    do_not_use_this_medium = "do_not_use_this_medium"
    channel_request = "channel_request"
    channel_not_authorized_by_debtor = "channel_not_authorized_by_debtor"
    reasonable_request_channel_or_time = "reasonable_request_channel_or_time"
    inconvenient_time_or_place = "inconvenient_time_or_place"
    employer_prohibits = "employer_prohibits"
    refusal_to_pay_written = "refusal_to_pay_written"
    statute_barred_and_wont_pay = "statute_barred_and_wont_pay"
    gdpr_objection = "gdpr_objection"
    identity_error = "identity_error"
    debt_adviser_plan_30d = "debt_adviser_plan_30d"
    mental_health_crisis_moratorium = "mental_health_crisis_moratorium"
    wrong_number = "wrong_number"
    not_in_service = "not_in_service"


#: Other words for stops on record. Where a rule names the word itself, that binds as well.
STOP_WORDS = {
    "vulnerable_stop": StopKind.vulnerable,
    "cease": StopKind.cease_written,
    "cease_communication_written": StopKind.cease_written,
    "cease_oral": StopKind.do_not_call,  # what was said aloud stops the voice
    "debtor_requests_no_more_calls": StopKind.do_not_call,
    "represented_by_attorney": StopKind.attorney,
    "disputed": StopKind.dispute,
    "debt_disputed": StopKind.dispute,
    "breathing_space_notice": StopKind.breathing_space,
}

#: Stops that say nothing unless a channel or a number is named with them.
OF_A_MEDIUM = frozenset(
    {StopKind.do_not_use_this_medium, StopKind.channel_request, StopKind.channel_not_authorized_by_debtor}
)
#: Stops that concern one number alone.
OF_A_NUMBER = frozenset({StopKind.wrong_number, StopKind.not_in_service})

#: Who says not to be called means every one of these.
VOICE = frozenset({"call", "prerecorded", "voicemail", "ringless_vm"})

#: What the history calls a complaint, and what complaints are about.
COMPLAINT = "complaint"
COMPLAINTS = ("too_many_calls", "tone", "third_party", "wrong_amount", "already_paid", "other")


class Stop(msgspec.Struct, gc=False, frozen=True, kw_only=True, omit_defaults=True):
    """One stop on record; a scope that is None covers all."""

    kind: StopKind
    debt: int | None = None
    phone: int | None = None
    #: `call` stands for every voice.
    channel: str | None = None
    #: None: until lifted.
    until_us: int | None = None

    def binds(self, channel: str, phone: int | None) -> bool:
        """Return whether a contact through a channel on a number is within the scope."""
        return self.phone in (None, phone) and (
            self.channel in (None, channel) or (self.channel == "call" and channel in VOICE)
        )


class Consent(msgspec.Struct, gc=False, frozen=True, kw_only=True, omit_defaults=True):
    """A consent on record, e.g. kind `prior_express_consent` or `hours`; scope None covers all."""

    kind: str
    channel: str | None = None
    phone: int | None = None
    until_us: int | None = None


class PastContact(msgspec.Struct, gc=False, frozen=True, kw_only=True, omit_defaults=True):
    """One line of a person's contact history."""

    at_us: int
    event: ContactEvent
    channel: str = "call"
    inbound: bool = False
    phone: int | None = None
    creditor: int | None = None
    #: Debts it concerned; empty: unspecified, counts on each.
    debts: tuple[int, ...] = ()
    #: The attempt (call id) this line tells of; None for imported history.
    attempt: str | None = None
    #: home, mobile, personal, work, other; None: as the phone's.
    address_type: str | None = None
    #: Whose line it is: `household`, somebody of the same household; `phone`, somebody else on the same number; None:
    #: the person's own.
    of: str | None = None


class Debt(msgspec.Struct, gc=False, frozen=True, kw_only=True, omit_defaults=True):
    debt: int
    creditor: int
    balance_minor: int
    currency: str
    #: ISO date or None.
    due_on: str | None = None
    product: str | None = None
    #: open, paid or withdrawn.
    state: str = "open"


class Phone(msgspec.Struct, gc=False, frozen=True, kw_only=True, omit_defaults=True):
    """A number by id; what law and pacing need to know of it, not the digits."""

    phone: int
    #: ISO country of the number.
    country: str
    #: mobile, fixed, fixed_or_mobile, toll_free, voip, other, unknown.
    line_type: str = "unknown"
    #: True when the number tells a place.
    geographic: bool = True
    #: IANA zones the number may be in, by the number alone; empty: unknown.
    zones: tuple[str, ...] = ()
    #: home, mobile, personal, work, other; None: personal.
    address_type: str | None = None
    #: Names of the imported do-not-contact registers that hold the number.
    registers: tuple[str, ...] = ()


class CapKey(msgspec.Struct, gc=False, frozen=True, array_like=True):
    """What caps count on, with the version a verdict judged."""

    key: str
    version: int


class Dossier(msgspec.Struct, gc=False, frozen=True, kw_only=True, omit_defaults=True):
    """All that decides whether and how one person may be contacted now."""

    person: int
    #: `person:ID`, `phone:ID` of every phone, `household:ID`; sorted by key.
    keys: tuple[CapKey, ...]
    country: str
    #: State or province code of the rule packs (`MA`, `CN`), None when unknown.
    region: str | None = None
    city: str | None = None
    #: IANA zones of the verified address; empty: none on record.
    address_zones: tuple[str, ...] = ()
    language: str = "en"
    debts: tuple[Debt, ...] = ()
    #: In the order in which they are to be tried.
    phones: tuple[Phone, ...] = ()
    stops: tuple[Stop, ...] = ()
    consents: tuple[Consent, ...] = ()
    #: At least the last 30 days, oldest first.
    history: tuple[PastContact, ...] = ()
    #: The same of other people: of the household, or on one of the numbers. Only rules whose scope says so count them.
    others: tuple[PastContact, ...] = ()


class Choice(msgspec.Struct, gc=False, frozen=True, kw_only=True, omit_defaults=True):
    """Why a strategy has somebody on its list, and where."""

    #: NAME@VERSION.
    strategy: str
    segment: str
    #: Key of the campaign's `treatments`: ARM.TREATMENT.STEP.
    treatment: str
    arm: str
    #: Probability with which the arm was drawn.
    p_arm: float
    #: Chance of being on the list, over all lots that were drawn.
    p_call: float
    #: Place on the list, from 1, of so many.
    place: int
    of: int
    #: What ranked it, and its value; None: nothing that ranks is known of the debtor.
    by: str = ""
    value: float | None = None
    score_version: str | None = None


class Lead(msgspec.Struct, gc=False, frozen=True, kw_only=True, omit_defaults=True):
    """A person on a campaign's list."""

    person: int
    #: Place in the list; lower is dialled earlier.
    rank: int
    #: Debts of this person that the campaign works.
    debts: tuple[int, ...]
    #: Agent who owns this debtor, if any.
    owner: str | None = None
    #: Numbers in the order of trial; empty: as the dossier has them.
    numbers: tuple[int, ...] = ()
    #: Of the campaign's strategy, where it has one.
    choice: Choice | None = None
    #: By phone, where a model told it: `domain.forecasts`.
    reach: tuple[tuple[int, bytes], ...] = ()
    #: The hour of the day that it is planned for begins then: not to be dialled before; 0: at any time.
    from_us: int = 0


class Verdict(msgspec.Struct, gc=False, frozen=True, kw_only=True, omit_defaults=True):
    """The gate's answer for one contact of one person on one number through one channel."""

    allowed: bool
    #: Id of the row that denies, or that binds first; None when none binds.
    rule: str | None = None
    #: Local ISO time of the strictest zone considered.
    local_time: str = ""
    zones: tuple[str, ...] = ()
    #: An allowed contact must have left before this instant.
    valid_until_us: int | None = None
    #: A denied one may be judged again at this instant; None: not until something changes.
    next_allowed_at_us: int | None = None
    #: Dial only against an agent reserved for it.
    agent_always: bool = False
    #: A recorded message may be played if no agent comes.
    abandon_message: bool = False
    #: Ids of notices due on this contact.
    notices: tuple[str, ...] = ()
    #: Ids of the rows that say how long the record of this contact is kept.
    retention: tuple[str, ...] = ()
    #: Version of the rule packs that judged.
    rules: str = ""
    #: What was not known and taken at its strictest: `region`, `city`, `zone`.
    assumed: tuple[str, ...] = ()


#: What a disposition stops: a kind of `OF_A_NUMBER` the number, `dispute` the debts worked, any other the person.
_STOPS = {
    Disposition.wrong_party: StopKind.wrong_number,
    Disposition.not_in_service: StopKind.not_in_service,
    Disposition.dispute: StopKind.dispute,
    Disposition.already_paid: StopKind.dispute,
    Disposition.do_not_call: StopKind.do_not_call,
    Disposition.vulnerable: StopKind.vulnerable,
    Disposition.attorney: StopKind.attorney,
    Disposition.bankrupt: StopKind.bankrupt,
    Disposition.deceased: StopKind.deceased,
}


def stops_after(disposition: Disposition, phone: int, debts: tuple[int, ...]) -> tuple[Stop, ...]:
    """Return the stops that follow a disposition at once; the ledger writes them and the engine obeys them."""
    kind = _STOPS.get(disposition)
    if kind is None:
        return ()
    if kind in OF_A_NUMBER:
        return (Stop(kind=kind, phone=phone),)
    if kind is StopKind.dispute:
        return tuple(Stop(kind=kind, debt=debt) for debt in debts)
    return (Stop(kind=kind),)


_ASKED_FOR = "direct_prior_consent_7d"
#: Consents that the law itself limits in time, to so many days: one on record without an end is not believed.
BOUNDED_CONSENTS = {_ASKED_FOR: 7}


def consents_after(disposition: Disposition, at_us: int) -> tuple[Consent, ...]:
    """Return the consents that a disposition records: who asks for a call-back agrees to be called for a week."""
    if disposition is Disposition.call_back:
        return (Consent(kind=_ASKED_FOR, until_us=at_us + BOUNDED_CONSENTS[_ASKED_FOR] * DAY),)
    return ()


def with_consents(dossier: Dossier, given: tuple[Consent, ...]) -> Dossier:
    """Return a dossier with consents added; a newer one takes the place of an older one of the same scope."""
    standing = {(one.kind, one.channel, one.phone): one for one in (*dossier.consents, *given)}
    return msgspec.structs.replace(dossier, consents=tuple(standing.values()))


#: Asked often: see `domain.calls.Word`.
_RIGHT_PARTY = ContactEvent.right_party_contact
_EVENTS = {
    Disposition.busy: ContactEvent.busy,
    Disposition.no_answer: ContactEvent.no_answer,
    Disposition.rejected: ContactEvent.no_answer,
    Disposition.not_in_service: ContactEvent.not_in_service,
    Disposition.network_fail: ContactEvent.network_fail,
    Disposition.machine: ContactEvent.amd_machine,
    Disposition.cut: ContactEvent.abandoned,
    Disposition.abandoned: ContactEvent.abandoned,
    Disposition.lost: ContactEvent.abandoned,
    Disposition.cancelled: ContactEvent.no_answer,
    Disposition.unknown: ContactEvent.dialed,
    Disposition.unrecorded: ContactEvent.right_party_contact,
    Disposition.wrong_party: ContactEvent.wrong_party,
    Disposition.third_party: ContactEvent.third_party,
    Disposition.deceased: ContactEvent.third_party,
    Disposition.not_sent: None,
    Disposition.stale: None,
}


def rung(disposition: Disposition) -> ContactEvent | None:
    """Return the rung of the contact ladder that a disposition stands on; None: never dialled."""
    return _EVENTS.get(disposition, _RIGHT_PARTY)
