"""Settings of a floor as records; they are journalled whole, so they hold no secret and no person."""

from datetime import datetime, time, timedelta
from typing import Annotated
from zoneinfo import ZoneInfo

import msgspec
from msgspec import Meta

from domain import countries
from domain.calls import Disposition, Mode
from domain.errors import BadInput
from domain.instants import HOUR, from_datetime, to_datetime
from domain.matching import Matching
from domain.offers import Offer

#: Machine detection hears so much silence after a greeting before it says "a person", and takes so long at most.
AFTER_GREETING_MS = 800
DETECTION_MS = 1900
#: With detection inside the patience, less leaves no time for an agent.
LEAST_DETECTING_S = 2.5
#: Nobody rests for longer than ten years.
MOST_AFTER_MIN = 10 * 366 * 24 * 60


def _in_range(where: str, record: msgspec.Struct, *ranges: tuple[str, float, float]) -> None:
    """Refuse a field that is told and not between its bounds."""
    for field, low, high in ranges:
        value = getattr(record, field)
        if value is not None and not low <= value <= high:
            raise BadInput(f"{where}: {field} must be in [{low:g}, {high:.10g}], was {value!r}; correct it")


class Retry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """What follows one disposition."""

    #: Minutes until the person may be tried again; None: leaves the list.
    after_min: Annotated[float, Meta(ge=0.0, le=MOST_AFTER_MIN)] | None = None
    #: Try the next number of this person.
    next_number: bool = False
    #: Attempts of this person in this campaign that may end so before it leaves the list.
    limit: Annotated[int, Meta(ge=1, le=1_000_000)] = 1000


DEFAULT_RETRY: dict[str, Retry] = {
    Disposition.busy: Retry(after_min=15, limit=6),
    Disposition.no_answer: Retry(after_min=120, next_number=True),
    Disposition.rejected: Retry(after_min=240, next_number=True, limit=4),
    Disposition.not_in_service: Retry(after_min=0, next_number=True),
    Disposition.network_fail: Retry(after_min=5, limit=8),
    Disposition.machine: Retry(after_min=180, next_number=True),
    Disposition.cut: Retry(after_min=1440),
    Disposition.abandoned: Retry(after_min=60),
    Disposition.lost: Retry(after_min=60),
    Disposition.cancelled: Retry(after_min=30),
    Disposition.not_sent: Retry(after_min=0),
    Disposition.stale: Retry(after_min=0),
    Disposition.unknown: Retry(after_min=120),
    Disposition.unrecorded: Retry(after_min=1440),
    Disposition.wrong_party: Retry(after_min=0, next_number=True),
    Disposition.third_party: Retry(after_min=1440, next_number=True),
    Disposition.no_promise: Retry(after_min=4320),
    Disposition.promise: Retry(),
    Disposition.plan: Retry(),
    Disposition.dispute: Retry(),
    Disposition.already_paid: Retry(),
    Disposition.call_back: Retry(after_min=0),
    Disposition.do_not_call: Retry(),
    Disposition.vulnerable: Retry(),
    Disposition.attorney: Retry(),
    Disposition.bankrupt: Retry(),
    Disposition.deceased: Retry(),
}


#: What follows by disposition; editors complete their names.
Retries = Annotated[
    dict[str, Retry],
    Meta(
        extra_json_schema={
            "properties": {key: {"$ref": "#/$defs/Retry"} for key in sorted(DEFAULT_RETRY)},
            "propertyNames": {"enum": sorted(DEFAULT_RETRY)},
        }
    ),
]


class CallTreatment(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """How the calls of one step of a strategy are made, where that differs from the campaign's own way."""

    #: Minutes of the debtor's local day between which to dial, [begin, end); empty: whenever law allows.
    hours: tuple[tuple[int, int], ...] = ()
    #: What follows a disposition, before the campaign's own word.
    retry: Retries = {}
    #: Numbers shown to the debtor; empty: the campaign's.
    caller_ids: tuple[str, ...] = ()
    #: Free agents of this group are given its callers before others; empty: all are alike.
    agent_group: str = ""
    #: Calls to one person at most, of whatever campaign: on a local day, in any 7 days.
    calls_per_day: int | None = None
    calls_per_week: int | None = None
    #: Attempts of one person in this campaign over its life.
    max_calls: int | None = None
    #: What the agent may offer; None: nothing is waived, and plans are as the campaign allows.
    offer: Offer | None = None


NO_TREATMENT = CallTreatment()


class Selection(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """Which debts a campaign works; an empty tuple takes all."""

    countries: tuple[str, ...] = ()
    creditors: tuple[str, ...] = ()
    products: tuple[str, ...] = ()
    min_balance_minor: int = 1
    min_days_due: int | None = None
    max_days_due: int | None = None


class Window(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """A legal window of abandonment besides the shift."""

    #: Calendar days of the floor, the one at hand included.
    days: int
    #: Abandoned calls per call answered by a person that may not be exceeded over the window.
    share: float
    #: Dial one call per free agent rather than risk to exceed it.
    hard: bool = False

    @property
    def name(self) -> str:
        return f"{self.days} days"


#: Answered calls that may count as abandoned: nobody came in time, lost in the switch, cut by detection in error.
COUNTABLE = ("no_agent", "lost", "detection")


#: Keys of a campaign that are made from the file of its strategy, and of a floor from what was promoted; written by
#: nobody.
MADE = ("document", "treatments")
MADE_OF_FLOOR = ("matching",)


class CampaignSettings(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """One campaign; `config/campaign.toml` explains every key to its operator."""

    #: Letters, digits and hyphens; also the name of its queue on the switch.
    name: str
    mode: Mode = Mode.progressive
    #: Lines per free agent in power mode.
    ratio: float = 1.5
    #: Abandoned calls per call answered by a person that may not be exceeded.
    abandon_limit: float = 0.03
    #: Dial one call per free agent rather than risk to exceed `abandon_limit` on a single shift.
    hard: bool = False
    #: Further legal windows; the tightest binds.
    limits: tuple[Window, ...] = ()
    #: What counts as abandoned, of `COUNTABLE`.
    counted: tuple[str, ...] = ("no_agent",)
    #: Answered people may wait this long for an agent.
    patience_s: float = 2.0
    #: Where the patience starts: `answer` or `greeting_end` (after machine detection).
    clock_starts: str = "answer"
    detect_machines: bool = False
    #: What to do when detection is unsure: treat as a `person` or `cut`.
    unsure: str = "person"
    record: bool = False
    #: Sound file of the switch, without its ending, for somebody to whom no agent came and law allows a message.
    message: str = "vm-goodbye"
    ring_timeout_s: float = 25.0
    #: Lines this campaign may hold at once; None: the floor's limit alone.
    max_lines: int | None = None
    calls_per_second: float = 30.0
    #: Share of free agents against the other campaigns.
    weight: float = 1.0
    #: The agent has this long to record an outcome.
    wrapup_s: float = 60.0
    #: The agent has this long to accept a previewed lead.
    preview_s: float = 60.0
    #: Names of trunks, used in turn.
    trunks: tuple[str, ...] = ("trunk",)
    #: Numbers shown to the debtor, by country of the number called; `*` for any.
    caller_ids: dict[str, tuple[str, ...]] = {}
    #: Actor of contact law: third_party, debt_buyer or first_party.
    actor: str = "third_party"
    purpose: str = "collection"
    #: Order of the list: balance, ageing, newest or rank (as imported).
    order: str = "balance"
    selection: Selection = Selection()
    #: Attempts of one person in this campaign over its life.
    max_attempts: int = 30
    retry: Retries = {}
    #: Least promise, share of the balance in [0, 1].
    min_promise_share: float = 0.0
    #: A promise may lie this many days ahead.
    max_promise_days: int = 60
    #: Strategy that makes its list instead of `order`: a file of the folder's strategies, without its ending.
    strategy: str = ""
    #: The strategy as JSON, with its challengers; made from the file when the settings are read.
    document: str = ""
    #: By the key that a lead's choice names; made from the file likewise.
    treatments: dict[str, CallTreatment] = {}

    def __post_init__(self) -> None:
        where = f"campaign {self.name!r}"
        if not self.name or not all(c.isascii() and (c.isalnum() or c == "-") for c in self.name):
            raise BadInput(f"{where}: name may hold letters, digits and hyphens only; rename the campaign")
        _in_range(
            where, self,
            ("ratio", 1.0, 10.0),
            ("abandon_limit", 0.0, 0.999),
            ("patience_s", 0.5, 30.0),
            ("ring_timeout_s", 5.0, 120.0),
            ("calls_per_second", 0.1, 1000.0),
            ("weight", 0.001, 1000.0),
            ("wrapup_s", 1.0, 3600.0),
            ("preview_s", 5.0, 3600.0),
            ("min_promise_share", 0.0, 1.0),
            ("max_attempts", 1, 1_000_000),
            ("max_promise_days", 0, 3650),
            ("max_lines", 1, 1_000_000),
        )  # fmt: skip
        for field, allowed in (
            ("clock_starts", ("answer", "greeting_end")),
            ("unsure", ("person", "cut")),
            ("actor", ("third_party", "debt_buyer", "first_party")),
            ("order", ("balance", "ageing", "newest", "rank")),
        ):
            value = getattr(self, field)
            if value not in allowed:
                raise BadInput(f"{where}: {field} must be one of {', '.join(allowed)}, was {value!r}; correct it")
        for key, places in (("selection.countries", self.selection.countries), ("caller_ids", self.caller_ids)):
            for place in places:
                if place not in countries.CODES and not (place == "*" and key == "caller_ids"):
                    code = countries.meant(place)
                    hint = f"do you mean {code}?" if code else "write the two letters of ISO 3166, as ES"
                    raise BadInput(f"{where}: {key} has {place!r}, which is no country; {hint}")
        if "no_agent" not in self.counted or any(kind not in COUNTABLE for kind in self.counted):
            raise BadInput(
                f"{where}: counted must hold no_agent and may hold {', '.join(COUNTABLE[1:])}, "
                f"was {', '.join(self.counted) or 'empty'}; correct it"
            )
        for number, window in enumerate(self.limits):
            if not 2 <= window.days <= 366:
                raise BadInput(
                    f"{where}: limits.{number}.days must be in [2, 366], was {window.days}; "
                    "for a single shift set abandon_limit and hard"
                )
            if not 0.0 < window.share <= 0.999:
                raise BadInput(
                    f"{where}: limits.{number}.share must be in (0, 0.999], was {window.share!r}; write 0.03 for 3 %"
                )
            if any(other.days == window.days for other in self.limits[:number]):
                raise BadInput(f"{where}: limits has two windows of {window.days} days; keep one")
        for key in self.retry:
            if key not in DEFAULT_RETRY:
                raise BadInput(f"{where}: retry.{key} is no disposition; use one of {', '.join(sorted(DEFAULT_RETRY))}")
        if self.detect_machines and self.clock_starts == "answer" and self.patience_s < LEAST_DETECTING_S:
            raise BadInput(
                f"{where}: machine detection takes up to 1.9 s and leaves no time within patience_s = "
                f"{self.patience_s:g} counted from the answer; set clock_starts = 'greeting_end' where the law "
                "allows it, or detect_machines = false"
            )

    def treatment(self, key: str) -> CallTreatment:
        """Return how a lead is called; where the key is not (any more) known, the campaign's own way."""
        return self.treatments.get(key, NO_TREATMENT)

    def follow(self, disposition: str, treatment: CallTreatment = NO_TREATMENT) -> Retry:
        """Return what follows a disposition: the treatment's word, the campaign's own, or the default."""
        return treatment.retry.get(disposition) or self.retry.get(disposition) or DEFAULT_RETRY[disposition]


class FloorSettings(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """One floor: the agents, lines and campaigns that one engine runs."""

    #: Name of the stream; letters, digits and underscores.
    stream: str = "floor"
    #: Calendar of the floor (shifts, slots, "today" of the board).
    zone: str = "Europe/Madrid"
    first_hour: int = 9
    slots: int = 12
    #: Lines of the floor over all campaigns.
    max_lines: int = 200
    tick_s: float = 0.5
    #: Nothing new is dialled when the oldest uncommitted row is older.
    commit_patience_s: float = 1.0
    #: An abandoned person is recalled within this time only with an agent reserved.
    recall_guard_h: float = 72.0
    campaigns: tuple[CampaignSettings, ...] = ()
    #: Names of the switch nodes, in the order in which calls are spread.
    nodes: tuple[str, ...] = ("main",)
    #: Of what the desk answers agents: en or es.
    language: str = "en"
    #: What an agent may give as the reason of a pause.
    pause_reasons: tuple[str, ...] = ("break", "lunch", "training", "back_office", "technical")
    #: Which agent suits which debtor, where that is borne out and promoted; None: callers go to the longest idle.
    matching: Matching | None = None

    def __post_init__(self) -> None:
        names = [campaign.name for campaign in self.campaigns]
        if len(set(names)) != len(names):
            raise BadInput(f"floor {self.stream!r}: two campaigns share a name in {', '.join(names)}; rename one")
        if not self.stream or not all(c.isascii() and (c.isalnum() or c == "_") for c in self.stream):
            raise BadInput(f"floor: stream {self.stream!r} may hold letters, digits and underscores only; rename it")
        if self.language not in ("en", "es"):
            raise BadInput(f"floor {self.stream!r}: language must be one of en, es, was {self.language!r}; correct it")
        for reason in self.pause_reasons:
            if not reason.isidentifier() or reason in ("ready", "leave"):
                raise BadInput(
                    f"floor {self.stream!r}: pause reason {reason!r} must be one word of letters and underscores, "
                    "and neither ready nor leave; rename it"
                )
        _in_range(
            f"floor {self.stream!r}", self,
            ("tick_s", 0.01, 3600.0),
            ("commit_patience_s", 0.01, 3600.0),
            ("recall_guard_h", 0.0, 8784.0),
            ("first_hour", 0, 23),
            ("slots", 1, 24),
        )  # fmt: skip
        if self.max_lines < 1 or not self.nodes:
            raise BadInput(f"floor {self.stream!r}: max_lines must be 1 or more and nodes may not be empty")

    def hours_us(self, at_us: int) -> tuple[int, ...]:
        """Return the starts of the hours of the floor's day that are not over; those of the next day when all are."""
        today = to_datetime(at_us, self.zone).date()
        for day in (today, today + timedelta(days=1)):
            first = from_datetime(datetime.combine(day, time(self.first_hour), ZoneInfo(self.zone)))
            found = tuple(first + n * HOUR for n in range(self.slots) if first + (n + 1) * HOUR > at_us)
            if found:
                return found
        return ()

    def campaign(self, name: str) -> CampaignSettings:
        """Return a campaign's settings by name."""
        for campaign in self.campaigns:
            if campaign.name == name:
                return campaign
        known = ", ".join(c.name for c in self.campaigns) or "none"
        raise BadInput(f"floor {self.stream!r}: no campaign {name!r}; use one of: {known}")
