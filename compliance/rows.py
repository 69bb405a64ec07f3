"""The vocabulary of contact rules: one record type for each kind of row in a pack.

A row states one rule of one jurisdiction. No jurisdiction is named in code: what differs between places is data.
"""

from datetime import date
from typing import Literal, get_args

import msgspec

from domain.people import NOT_CONNECTED, ContactEvent, StopKind

Channel = Literal["call", "prerecorded", "voicemail", "ringless_vm", "sms", "email", "im", "letter", "visit"]
Actor = Literal["third_party", "debt_buyer", "first_party"]
Status = Literal["in_force", "house", "unconfirmed", "proposed", "not_applicable", "repealed"]
Force = Literal[
    "statute", "regulation", "regulator_policy", "case_law", "code_of_conduct", "industry_standard", "house_default"
]
Confidence = Literal["high", "medium", "low"]
Purpose = Literal[
    "collection",
    "cross_sell",
    "legally_required_notice",
    "confirm_termination",
    "notify_specific_remedy",
    "reply_to_debtor",
    "information_requested",
    "consent_request",
    "professional_recipient",
]
#: `phone` and `household` count what was sent to others too: on that number, in that household.
Scope = Literal["debt", "person", "household", "phone", "address_type", "creditor", "collector", "channel"]
Counts = Literal["attempts", "connected_attempts", "contacts", "messages", "distinct_channels"]
#: What an `exclude` list may name: events that do not count, purposes that are free, consents that lift the row.
Exclusion = Literal[
    "not_connected",
    "unable_to_leave_message",
    "direct_prior_consent_7d",
    "reply_to_debtor",
    "information_requested",
    "professional_recipient",
    "legally_required_notice",
    "consent_request",
]
Trigger = Literal["attempt", "contact", "abandoned", "amd_machine", "amd_false_positive", "message_sent"]
LineType = Literal["mobile", "fixed", "landline", "fixed_or_mobile", "toll_free", "voip", "other", "unknown"]
AddressType = Literal["home", "mobile", "personal", "work", "other"]

CHANNELS: tuple[str, ...] = get_args(Channel)
ACTORS: tuple[str, ...] = get_args(Actor)
PURPOSES: tuple[str, ...] = get_args(Purpose)
#: Statuses that bind; the others stand in a pack for the reader.
ENFORCED: frozenset[str] = frozenset({"in_force", "house", "unconfirmed"})

#: Voicemail could not be left either; whether a mailbox existed is not on record, so only these are sure.
EXCLUDED_EVENTS: dict[str, frozenset[ContactEvent]] = {
    "not_connected": NOT_CONNECTED,
    "unable_to_leave_message": NOT_CONNECTED,
}
EXCLUDED_CONSENTS = frozenset({"direct_prior_consent_7d"})

#: Words of the law that mean a kind of stop on record (`compliance.casefile` says which); rows name them beside it.
LEGAL_TRIGGERS = frozenset({"debtor_requests_no_more_calls"})
#: The engine itself raises this one: no pack has rules for the debtor's country.
NO_RULES = "no_rules_for_country"
TRIGGERS: frozenset[str] = frozenset(StopKind) | LEGAL_TRIGGERS | {NO_RULES}


class Row(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What every row says of itself."""

    #: Unique over all packs, e.g. `US.7in7`.
    id: str
    #: The law, rule or source of the house default.
    citation: str
    #: Where the citation was read.
    source: str
    confidence: Confidence
    status: Status
    force: Force
    note: str = ""
    #: Local dates, both included.
    effective_from: date | None = None
    effective_to: date | None = None
    #: Replaces the jurisdiction's actors.
    actors: tuple[Actor, ...] | None = None
    #: Binds these purposes alone; None: all that the row does not exclude.
    purposes: tuple[Purpose, ...] | None = None
    #: Codes of the regions of the country where it binds alone; empty: in all. An unknown region may be one of them.
    regions: tuple[str, ...] = ()


class Days(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Hours by local weekday, as pairs of `HH:MM`; `24:00` ends a day."""

    mon: tuple[tuple[str, str], ...]
    tue: tuple[tuple[str, str], ...]
    wed: tuple[tuple[str, str], ...]
    thu: tuple[tuple[str, str], ...]
    fri: tuple[tuple[str, str], ...]
    sat: tuple[tuple[str, str], ...]
    sun: tuple[tuple[str, str], ...]


class Window(Row, frozen=True, kw_only=True):
    """Hours in which the channels may be used; all windows that apply are intersected over all candidate zones."""

    channels: tuple[Channel, ...]
    days: Days
    #: `exclusive` forbids both bounds, `inclusive_start` allows the start and forbids the end, to the second.
    boundary: Literal["exclusive", "inclusive_start"]
    #: Consent kind that lifts the row.
    override: Literal["hours"] | None = None
    clock: str = ""
    tz_presumption: str = ""


class Span(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Over what a cap counts: local calendar dates (today included), or elapsed hours."""

    type: Literal["rolling_days", "rolling_hours", "calendar_day", "calendar_week", "calendar_month"]
    n: int = 1
    week_start: Literal["mon", "sun"] = "mon"


class Cap(Row, frozen=True, kw_only=True):
    """At most `limit` of what is counted within the span, this contact included."""

    scope: tuple[Scope, ...]
    counts: Counts
    limit: int
    window: Span
    #: Channels that the row binds and whose lines it counts.
    channels: tuple[Channel, ...]
    address_types: tuple[AddressType, ...] = ()
    line_types: tuple[LineType, ...] = ()
    exclude: tuple[Exclusion, ...] = ()
    #: Binds only once such a line stands within the span.
    after: Literal["contact"] | None = None
    #: Consent kind, or `live_agent_guaranteed`, that lifts the row.
    unless: str | None = None
    #: Without a consent of one of these kinds the channels are closed altogether.
    needs_consent: tuple[str, ...] = ()
    #: Further limits over the same span, by what they count.
    sub_limits: dict[Counts, int] = {}
    presumption: str = ""
    grouping: str = ""


class Duration(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Either elapsed hours, or local calendar days after the trigger's date (which is day 1 or day 0)."""

    calendar_days: int | None = None
    first_day_counts: bool = False
    hours: int | None = None


class Cooldown(Row, frozen=True, kw_only=True):
    """After the trigger the channels are closed for the duration."""

    trigger: Trigger
    blocks_channels: tuple[Channel, ...]
    duration: Duration
    scope: tuple[Scope, ...]
    #: Channels of the triggering line; empty: any.
    trigger_channels: tuple[Channel, ...] = ()
    exclude: tuple[Exclusion, ...] = ()
    unless: str | None = None


class Stop(Row, frozen=True, kw_only=True):
    """A stop on record closes channels; the record says which debt, phone and end it has."""

    trigger: tuple[str, ...]
    effect: str
    scope: tuple[Scope, ...]
    channels: tuple[Channel, ...] = CHANNELS  # type: ignore[assignment]
    #: Purposes that pass nevertheless.
    exceptions: tuple[Purpose, ...] = ()
    #: The channels are closed unless one of these consents is on record.
    needs_consent: tuple[str, ...] = ()
    #: Binds numbers that are, or may be, of these types; empty: all.
    line_types: tuple[LineType, ...] = ()
    #: How soon the law wants it obeyed; the gate obeys at once.
    deadline: str | dict[str, int] = "on_receipt"
    #: How long it lasts where the record names no end; for whoever records it.
    duration: dict[str, int] = {}
    confirmation: dict[str, int] = {}
    revoke_all_from: date | None = None


class Abandonment(Row, frozen=True, kw_only=True):
    """What holds if an answered person might find no agent."""

    line_types: tuple[LineType, ...] = ()
    #: Dial only against an agent reserved for the call.
    agent_always: bool = False
    #: May a recorded message be played when no agent comes? Forbidden wins over allowed, silence means no.
    message: Literal["allowed", "required", "forbidden"] | None = None
    #: Binds only this long after an abandoned call to the person.
    after_abandoned_hours: int | None = None
    #: Consent kind that lifts the row.
    unless: str | None = None


class Notice(Row, frozen=True, kw_only=True):
    """What must, may or may not be said."""

    when: Literal[
        "call_open",
        "first_contact",
        "initial_communication",
        "voicemail",
        "each_electronic_message",
        "abandoned",
        "voicebot_answer",
        "debt_time_barred",
    ]
    must_contain: tuple[str, ...] = ()
    may_contain: tuple[str, ...] = ()
    must_not_contain: tuple[str, ...] = ()
    must_not: tuple[str, ...] = ()
    start_within_s: float | None = None
    then_when: str = ""
    then_must_contain: tuple[str, ...] = ()


class Recording(Row, frozen=True, kw_only=True):
    consent: str = ""
    notice_before_recording: bool = False
    object_right: bool = False
    all_party_states: tuple[str, ...] = ()
    default: str = ""
    #: While this happens nothing is recorded, in sound, picture or text.
    pause_on: str = ""
    never_store_after_auth: tuple[str, ...] = ()
    if_captured: str = ""


#: What the numerator of a rate of abandoned calls counts, in the words of `domain.settings.COUNTABLE`. Who is lost in
#: the switch was not connected in time either.
COUNTED: dict[str, tuple[str, ...]] = {
    "answered_live_not_connected_within_2s": ("no_agent", "lost"),
    "answered_live_not_connected_within_2s_plus_amd_false_positives": ("no_agent", "lost", "detection"),
}


class Ratio(Row, frozen=True, kw_only=True):
    """A rate that a campaign may not exceed: it binds pacing; the verdict on one contact does not depend on it."""

    metric: Literal["abandoned", "short_call"]
    limit: float
    numerator: str
    denominator: str
    window: Span
    group_by: tuple[str, ...]
    alert_at: float | None = None
    limit_basis: str = ""
    min_volume: int = 0
    max_agent_delay_s: float | None = None
    min_ring_s: float | None = None
    min_rings: int | None = None
    message: str = ""
    sanction: str = ""


class ThirdParty(Row, frozen=True, kw_only=True):
    allowed_for: tuple[str, ...] = ()
    max_contacts_per_third_party: int | None = None
    must_verify_identity_before_disclosure: bool = False
    must_not_disclose: tuple[str, ...] = ()
    must_not_ask: tuple[str, ...] = ()
    forbidden: tuple[str, ...] = ()


class CallerId(Row, frozen=True, kw_only=True):
    withheld_allowed: bool
    must_be_callable: bool = True
    must_not: tuple[str, ...] = ()
    forbidden_ranges: tuple[str, ...] = ()
    allowed_ranges: tuple[str, ...] = ()
    commercial_prefix: str = ""
    required_prefix: str = ""
    optional_prefix: tuple[str, ...] = ()
    #: Who need not use the prefix.
    exempt: tuple[str, ...] = ()
    authenticate_over_calls_per_month: int | None = None


class Retention(Row, frozen=True, kw_only=True):
    objects: tuple[str, ...]
    min: dict[str, int | str] = {}
    max: str = ""
    recordings_min: dict[str, int | str] = {}
    suggested: dict[str, int] = {}
    must_document_schedule: bool = False


class Registry(Row, frozen=True, kw_only=True):
    """A do-not-contact list: numbers on it are closed to the channels, for the row's purposes."""

    name: str
    applies_to_collection: bool
    #: Under which name `cadencia import-register` brings it in; empty: it cannot be imported, and no verdict asks it.
    register: str = ""
    channels: tuple[Channel, ...] = ("call", "prerecorded", "voicemail", "ringless_vm", "sms", "im")
    #: Consent kind that lifts the row.
    unless: str | None = None
    #: An import older than this may no longer be relied on.
    refresh_days: int | None = None


class Conduct(Row, frozen=True, kw_only=True):
    text: str


class ExtraDay(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A closed day that the library does not know (a municipality's, a bridge day)."""

    date: date
    name: str
    region: str | None = None
    city: str | None = None


class CityCalendar(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A city whose own days the library knows."""

    region: str
    city: str
    #: The library's name of the city's calendar.
    subdivision: str


class Holidays(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Public holidays and what they do to the hours."""

    provider: Literal["holidays"]
    #: ISO country of the `holidays` library.
    country: str
    treat: Literal["closed", "as_weekday"]
    #: The region of the address is the library's subdivision.
    subdiv_from_address: bool = False
    categories: tuple[str, ...] = ("public",)
    cities: tuple[CityCalendar, ...] = ()
    extra: tuple[ExtraDay, ...] = ()


class Jurisdiction(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A place, or an overlay over places, with its rows."""

    name: str
    #: Whom its rows bind, where a row does not say.
    actors: tuple[Actor, ...]
    #: Code of the jurisdiction that this one adds to.
    parent: str | None = None
    #: Codes of the countries that it lies over; `*` for all.
    overlay_for: tuple[str, ...] = ()
    #: Whose domicile brings its rows to bear. A collector's binds it for every debtor of the country.
    applies_when: Literal["debtor_domicile", "debtor_or_collector_domicile"] = "debtor_domicile"
    #: Of an overlay: codes of the tables where the house itself sits; None: not told, so it may be any.
    collector_domiciles: tuple[str, ...] | None = None
    #: Other names of the place in addresses.
    aliases: tuple[str, ...] = ()
    #: Codes of all regions of a country; a region that is not among them counts as unknown.
    regions: tuple[str, ...] = ()
    #: Names of regions in addresses, with their codes.
    region_names: dict[str, str] = {}
    subdivision_required: bool = False
    holidays: Holidays | None = None
    windows: tuple[Window, ...] = ()
    caps: tuple[Cap, ...] = ()
    cooldowns: tuple[Cooldown, ...] = ()
    stops: tuple[Stop, ...] = ()
    abandonment: tuple[Abandonment, ...] = ()
    notices: tuple[Notice, ...] = ()
    recording: tuple[Recording, ...] = ()
    ratios: tuple[Ratio, ...] = ()
    third_party: tuple[ThirdParty, ...] = ()
    caller_id: tuple[CallerId, ...] = ()
    retention: tuple[Retention, ...] = ()
    registries: tuple[Registry, ...] = ()
    conduct: tuple[Conduct, ...] = ()


#: Arrays of a jurisdiction's table and the record of their rows.
KINDS: dict[str, type[Row]] = {
    "windows": Window,
    "caps": Cap,
    "cooldowns": Cooldown,
    "stops": Stop,
    "abandonment": Abandonment,
    "notices": Notice,
    "recording": Recording,
    "ratios": Ratio,
    "third_party": ThirdParty,
    "caller_id": CallerId,
    "retention": Retention,
    "registries": Registry,
    "conduct": Conduct,
}
