"""Strategy documents: what a strategy lead writes, as records, and what the engine is told of it.

A document is one TOML file of a folder's `strategies/`; `strategy.checking` reads it and says what is wrong with it.
Its version is the hash of what it means: comments, spaces, the order of tables and `about` change nothing.
"""

from collections.abc import Iterable
from functools import lru_cache
from hashlib import sha256
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta

from domain.offers import Offer
from domain.settings import CallTreatment, CampaignSettings, Retries
from strategy import objectives
from strategy.expressions import Condition, Quantity, parse, parse_quantity
from strategy.fields import FIELDS

Channel = Literal["call", "sms", "email", "messaging", "letter", "none"]
NumberOrder = Literal["as_imported", "mobile_first", "last_reached_first", "rotate"]
Share = Annotated[float, Meta(ge=0.0, le=1.0)]
AtLeastOne = Annotated[int, Meta(ge=1, le=1_000_000)]

#: Channels of steps that are a written message.
WRITTEN: Final = ("sms", "email", "messaging", "letter")
#: What is done about a debtor where nobody contacts him.
TASKS: Final = ("number_research", "address_research", "review")
#: Hours of a day, as `capacity` names them.
HOURS: Final = tuple(map(str, range(24)))
#: The arm of the document itself, where it names none.
CHAMPION: Final = "champion"
#: The arm of those who are left alone by lot.
HOLDOUT: Final = "holdout"
#: What guardrails may limit, what each is counted in, and the most that it can be; infinity: any number.
GUARDED: Final = {
    "complaints": ("debtors of 1,000 who complained", 1000.0),
    "stops": ("debtors of 1,000 who asked for a stop", 1000.0),
    "disputes": ("debtors of 1,000 who disputed", 1000.0),
    "abandonment": ("share of people who answered", 1.0),
    "calls_per_week": ("calls by debtor and week", float("inf")),
}
#: Those of them that can be told of an arm where whole days are drawn: all others are of debtors, who are in each arm.
GUARDED_BY_DAY: Final = ("abandonment",)


def _words(of: Iterable[str], kind: dict[str, Any]) -> Meta:
    """Return what makes editors complete the keys of a table, and `strategy.checking` says what is none."""
    words = sorted(of)
    return Meta(extra_json_schema={"properties": dict.fromkeys(words, kind), "propertyNames": {"enum": words}})


def _guarded() -> Meta:
    words = _words(GUARDED, {}).extra_json_schema
    assert words is not None
    limits = {
        name: {"type": "number", "minimum": 0.0, "description": f"At most so many: {unit}."}
        | ({} if most == float("inf") else {"maximum": most})
        for name, (unit, most) in GUARDED.items()
    }
    return Meta(extra_json_schema=words | {"properties": limits})


class _Part(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    pass


class Limits(_Part, frozen=True, kw_only=True):
    """How often one person is called at most, besides what law says; None: as law says."""

    #: On a day of the debtor; calls of other campaigns count too.
    calls_per_day: AtLeastOne | None = None
    #: In any 7 days; calls of other campaigns count too.
    calls_per_week: AtLeastOne | None = None
    #: In this campaign over its life.
    max_calls: AtLeastOne | None = None


class Step(_Part, frozen=True, kw_only=True):
    """One step of a treatment; it holds from its day on until the day of the next."""

    #: By what the debtor is contacted; none: not at all. Messages are handed out by `cadencia due`.
    channel: Channel
    #: Days since the debtor came into the segment.
    after_days: Annotated[int, Meta(ge=0, le=3650)] = 0
    #: Names of `day_parts`; empty: whenever law allows.
    day_parts: tuple[str, ...] = ()
    #: 1 is dialled before 2, whatever the rank within.
    priority: Annotated[int, Meta(ge=1, le=9)] = 5
    #: Order in which a debtor's numbers are tried.
    numbers: NumberOrder = "as_imported"
    #: Numbers that the debtor sees, E.164; empty: the campaign's.
    caller_ids: tuple[str, ...] = ()
    #: What follows an outcome, where it differs from the campaign's own word.
    retry: Retries = {}
    #: Text to send.
    template: str = ""
    #: Free agents of this group come before others when a debtor answers.
    agent_group: str = ""
    #: What the agent may offer on its calls.
    offer: Offer | None = None
    #: With channel none: what is done about the debtor instead.
    task: Literal["", "number_research", "address_research", "review"] = ""

    @property
    def besides_calls(self) -> str:
        """Return the channel of the message, or the task, that the step is; empty: neither."""
        return self.channel if self.channel in WRITTEN else self.task


class Treatment(_Part, frozen=True, kw_only=True):
    """What is done with the debtors of a segment."""

    #: What is done, in the order of their days.
    steps: Annotated[tuple[Step, ...], Meta(min_length=1)]
    #: For readers.
    about: str = ""
    #: Nothing is done while this condition holds.
    stop_when: str = ""
    #: Whether lots may call whom this would not, and the other way round; None: where it calls.
    explore: bool | None = None
    #: In place of the document's.
    limits: Limits | None = None

    @property
    def explored(self) -> bool:
        calls = any(step.channel == "call" for step in self.steps)
        return calls if self.explore is None else self.explore


class Segment(_Part, frozen=True, kw_only=True):
    """Debtors who are treated alike: those for whom `when` is known to hold, and who are in no earlier segment."""

    #: Letters, digits, hyphens and underscores.
    name: str
    #: Condition over fields of a debtor, such as `days_past_due > 30`; `true`: everybody else.
    when: str
    #: Name of what is done with them, of `treatments`.
    treatment: str
    #: For readers.
    about: str = ""


class Arm(_Part, frozen=True, kw_only=True):
    """A share of the debtors who are not held out, and the document by which they are worked."""

    #: Letters, digits, hyphens and underscores.
    name: str
    #: Of the debtors who are not held out; more than 0, and those of all arms make 1.
    share: Share
    #: File beside this one, without its ending; empty: this document.
    strategy: str = ""


class Fairness(_Part, frozen=True, kw_only=True):
    """Whom an arm may not call more than others for what they are; `experiment status` looks at it."""

    #: Calls by debtor and week of one group: at most so many times those of all debtors of the arm.
    intensity_ratio: Annotated[float, Meta(gt=1.0, le=100.0)]
    #: What makes the groups; none of them is known to a model.
    by: Annotated[tuple[Literal["language", "region", "country"], ...], Meta(min_length=1, max_length=3)]


class Trial(_Part, frozen=True, kw_only=True):
    """Champion and challengers, and who is left alone."""

    #: Share of all debtors that nobody contacts.
    holdout: Annotated[float, Meta(ge=0.0, lt=1.0)] = 0.0
    #: What is drawn by lot: each debtor for good, or each day for all.
    unit: Literal["debtor", "pool_day"] = "debtor"
    #: Champion and challengers; empty: everybody is worked by this document.
    arms: tuple[Arm, ...] = ()
    #: Another word draws the arms anew; who is held out stays so.
    lot: str = ""
    #: By metric, what it may not exceed.
    guardrails: Annotated[dict[str, float], _guarded()] = {}
    #: Whom no arm may call more than others; without it nobody looks.
    fairness: Fairness | None = None
    #: When an experiment is decided, unless it is started with other days.
    ends_after_days: Annotated[int, Meta(ge=1, le=3650)] | None = None

    @property
    def unwatched(self) -> list[str]:
        """Return the guardrails that nobody watches because whole days are drawn."""
        if self.unit != "pool_day":
            return []
        fairness = ["fairness"] if self.fairness is not None else []
        return [name for name in [*self.guardrails, *fairness] if name not in GUARDED_BY_DAY]


class Capacity(_Part, frozen=True, kw_only=True):
    """What a plan may spend."""

    #: Agents by hour of the floor's day, from 0 to 23; empty: as the floor is staffed.
    agents: Annotated[
        dict[str, Annotated[float, Meta(ge=0.0, le=100_000.0)]], _words(HOURS, {"type": "number", "minimum": 0.0})
    ] = {}
    #: Days on which those agents work.
    days: Annotated[
        tuple[Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"], ...], Meta(min_length=1, max_length=7)
    ] = ("mon", "tue", "wed", "thu", "fri")
    #: Minor units that an attempt costs besides the agents' time.
    cost_per_attempt: Annotated[float, Meta(ge=0.0, le=1e9)] = 0.0


class Document(_Part, frozen=True, kw_only=True):
    """One strategy; `config/strategies/` has examples with every key explained."""

    #: As the file.
    name: str
    #: For readers.
    about: str = ""
    #: By what trials and simulations judge it, and what its plan counts.
    objective: objectives.Name = objectives.NET_RECOVERY
    #: What ranks the list, greatest first: each ranks those of whom nothing before it is known.
    rank_by: Annotated[tuple[str, ...], Meta(min_length=1)]
    #: `slots`: each debtor is given the hours of the week in which calling him pays best, `rank_by` being what a
    #: conversation is worth; empty: the list is dialled from its head.
    plan: Literal["", "slots"] = ""
    #: With `plan`: within the day those who wait are planned anew where answers differ from forecasts.
    replan: bool = False
    #: Share of decisions drawn by lot among calling and not calling, so that the record can tell what calls bring.
    explore: Share = 0.05
    #: How often one person is called at most, besides what law says.
    limits: Limits = Limits()
    #: Parts of the debtor's local day: `09:00-13:00`.
    day_parts: dict[str, str] = {}
    #: Who is treated alike: each debtor is in the first whose condition is known to hold.
    segments: Annotated[tuple[Segment, ...], Meta(min_length=1)]
    #: By the name that segments give, what is done.
    treatments: dict[str, Treatment]
    #: Arms that are compared, and who is left alone by lot.
    trial: Trial = Trial()
    #: With `plan`: what it may spend.
    capacity: Capacity = Capacity()
    #: Messages of a day by channel: of the campaign, or of its arm where a challenger says it.
    budgets: Annotated[dict[str, AtLeastOne], _words(WRITTEN, {"type": "integer", "minimum": 1})] = {}

    @property
    def plans_kept(self) -> bool:
        """Return whether hours are planned by the promises kept that conversations bring."""
        return bool(self.plan) and self.objective == objectives.PROMISES_KEPT

    @property
    def ranks(self) -> tuple[str, ...]:
        """Return the names of what ranks the list, the first first."""
        return (objectives.KEPT_PER_CONTACT, *self.rank_by) if self.plans_kept else self.rank_by


class Strategy(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A document with those of its challengers."""

    document: Document
    #: By the name of the arm.
    challengers: dict[str, Document] = {}

    @property
    def arms(self) -> tuple[Arm, ...]:
        return self.document.trial.arms or (Arm(name=CHAMPION, share=1.0),)

    def of_arm(self, name: str) -> Document:
        return self.challengers.get(name, self.document)

    @property
    def version(self) -> str:
        """Return the hash of what it means."""
        meaning = [_meaning(self.document), {name: _meaning(one) for name, one in self.challengers.items()}]
        return sha256(msgspec.json.encode(meaning, order="deterministic")).hexdigest()[:12]

    @property
    def word(self) -> str:
        return f"{self.document.name}@{self.version}"


def _meaning(document: Document) -> Any:
    told = msgspec.to_builtins(document)
    read = rules_of(document)
    told.pop("about", None)
    told["rank_by"] = [one.normal for one in read.rank_by]
    for segment, condition in zip(told["segments"], read.segments, strict=True):
        segment.pop("about", None)
        segment["when"] = condition.normal
    for name, treatment in told["treatments"].items():
        treatment.pop("about", None)
        if (stop := read.stops.get(name)) is not None:
            treatment["stop_when"] = stop.normal
    return told


# ---- read expressions


class Rules(msgspec.Struct, frozen=True):
    """A document's expressions, read."""

    segments: tuple[Condition, ...]
    rank_by: tuple[Quantity, ...]
    #: By treatment.
    stops: dict[str, Condition]


def rules_of(document: Document) -> Rules:
    """Return the expressions of a checked document."""
    return _rules(msgspec.json.encode(document))


@lru_cache(maxsize=64)
def _rules(encoded: bytes) -> Rules:
    document = msgspec.json.decode(encoded, type=Document)
    where = f"strategy {document.name}"
    return Rules(
        segments=tuple(parse(one.when, FIELDS, where) for one in document.segments),
        rank_by=tuple(parse_quantity(one, FIELDS, where) for one in document.rank_by),
        stops={name: parse(one.stop_when, FIELDS, where) for name, one in document.treatments.items() if one.stop_when},
    )


# ---- what the engine is told


def attached(campaign: CampaignSettings, strategy: Strategy) -> CampaignSettings:
    """Return a campaign's settings with a strategy in them, for the journal, the list and the engine."""
    return msgspec.structs.replace(
        campaign,
        strategy=strategy.document.name,
        document=msgspec.json.encode(strategy).decode(),
        treatments={
            key_of(arm.name, name, number): _told(strategy.of_arm(arm.name), treatment, step)
            for arm in strategy.arms
            for name, treatment in strategy.of_arm(arm.name).treatments.items()
            for number, step in enumerate(treatment.steps)
        },
    )


def key_of(arm: str, treatment: str, step: int) -> str:
    """Return the name of a step, counted from 0, in a campaign's settings and in the record."""
    return f"{arm}.{treatment}.{step + 1}"


@lru_cache(maxsize=64)
def _strategy(document: str) -> Strategy:
    return msgspec.json.decode(document, type=Strategy)


def strategy_of(campaign: CampaignSettings) -> Strategy | None:
    """Return the strategy of a campaign, None where it has none."""
    return _strategy(campaign.document) if campaign.document else None


def _told(document: Document, treatment: Treatment, step: Step) -> CallTreatment:
    limits = treatment.limits or document.limits
    return CallTreatment(
        hours=tuple(sorted(minutes(document.day_parts[name]) for name in step.day_parts)),
        retry=step.retry,
        caller_ids=step.caller_ids,
        agent_group=step.agent_group,
        calls_per_day=limits.calls_per_day,
        calls_per_week=limits.calls_per_week,
        max_calls=limits.max_calls,
        offer=step.offer,
    )


def minutes(part: str) -> tuple[int, int]:
    """Return the minutes of the day at which `09:00-13:30` begins and ends.

    Raises
    ------
    ValueError
        When it is no such text.
    """
    begin, end = (_minute(clock) for clock in part.split("-"))
    if not begin < end:
        raise ValueError(part)
    return begin, end


def _minute(clock: str) -> int:
    hour, minute = clock.strip().split(":")
    if not (len(hour) == len(minute) == 2 and hour.isdecimal() and minute.isdecimal()):
        raise ValueError(clock)
    found = int(hour) * 60 + int(minute)
    if int(minute) > 59 or found > 24 * 60:
        raise ValueError(clock)
    return found
