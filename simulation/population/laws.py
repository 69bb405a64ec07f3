"""The laws of a world of debtors: rates, curves and shares, as a world's document states them.

Every number stands in a document of `config/worlds`, beside its source or the word (assumed); `default.toml` states
all of them. Curves that a floor's record can estimate are plain tables of what is seen of all people together; what
tells one person from another (rhythms, responses, spreads) is stated apart from them and never moves them.
"""

from typing import Annotated

import msgspec
from msgspec import Meta

from domain.calls import Disposition
from domain.people import StopKind

Probability = Annotated[float, Meta(ge=0.0, le=1.0)]
Rate = Annotated[float, Meta(ge=0.0)]
Positive = Annotated[float, Meta(gt=0.0)]
Weight = Annotated[float, Meta(ge=0.0)]
Days = Annotated[int, Meta(ge=0)]
Hour = Annotated[int, Meta(ge=0, le=24)]
#: One for each local hour 0..23.
Hours = Annotated[tuple[Probability, ...], Meta(min_length=24, max_length=24)]
#: Median and deviation of the logarithm.
Lognormal = tuple[Positive, Rate]
#: Least and greatest.
Span = tuple[Rate, Rate]
#: From hour, to hour, what is added to the log odds of being at home.
Tilt = tuple[Hour, Hour, float]
#: One for each stage: `stage_days` has one less.
Staged = tuple[Rate, ...]
StagedProbability = tuple[Probability, ...]

#: The latent traits of a person: standard normal, correlated as `Laws.correlation` says.
LATENTS = ("rhythm", "ability", "willingness", "standing", "reach", "touch")


class Section(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A table of a world's document."""


class Rhythm(Section, frozen=True, kw_only=True):
    """A way to spend the week: when somebody is at home, against all people together."""

    share: Weight
    weekday: tuple[Tilt, ...] = ()
    saturday: tuple[Tilt, ...] = ()
    sunday: tuple[Tilt, ...] = ()


class Presence(Section, frozen=True, kw_only=True):
    """When people are near which phone."""

    #: Share of people at home by local hour.
    weekday: Hours
    saturday: Hours
    sunday: Hours
    #: A mobile is at hand when its owner is not at home, in this share of hours.
    mobile_at_hand: Probability
    #: False: the hour tells nothing; everybody is as often at hand at any hour as on the average of these hours.
    timing: bool
    day: tuple[Hour, Hour]
    #: Weights of people who keep their rhythm an hour earlier, as stated, an hour later.
    shifts: tuple[Weight, Weight, Weight]
    #: In the order of the latent trait `rhythm`.
    rhythms: dict[str, Rhythm]


class Numbers(Section, frozen=True, kw_only=True):
    """What the numbers on record are worth: a person's first, and any further one."""

    p_dead: tuple[Probability, Probability]
    p_stranger: tuple[Probability, Probability]
    #: A voicemail is behind it.
    p_voicemail_mobile: Probability
    p_voicemail_fixed: Probability
    #: Picked up, it is the debtor who does; the rest are others of the household.
    p_debtor_mobile: Probability
    p_debtor_fixed: Probability
    #: Where the debtor has died, whoever of the household answers says so.
    p_told_deceased: Probability


class Answering(Section, frozen=True, kw_only=True):
    """Whether somebody near the phone picks up, and what becomes of calls that nobody does."""

    #: By stage, over all people who are at hand.
    p_pick_up: StagedProbability
    #: Deviation of the logarithm of people's inclination to pick up.
    spread: Rate
    #: Factor by how many-th attempt on the number; beyond the table, the last step goes on.
    fatigue: Annotated[tuple[Probability, ...], Meta(min_length=2)]
    #: Factor for each earlier attempt on the number on the same local day, and at the same hour of earlier days.
    same_day: Probability
    same_hour: Probability
    p_busy: Probability
    #: A mobile at hand that is not picked up is declined.
    p_decline: Probability
    #: A mobile away is off.
    p_off: Probability
    p_congestion: Probability
    p_network_fail: Probability


class Line(Section, frozen=True, kw_only=True):
    """Times on the line, in seconds."""

    setup_s: Lognormal
    #: Rings until the answer: two clusters, and the share of the first.
    ring_s: Lognormal
    late_ring_s: Lognormal
    p_early_ring: Probability
    decline_ring_s: Span
    voicemail_ring_s: Span
    #: Of a phone that is off.
    off_ring_s: Span
    #: The network gives up ringing.
    network_ring_s: Positive
    #: Somebody who hears silence hangs up: mean of an exponential.
    patience_s: Positive
    #: A voicemail greets and records.
    voicemail_s: Span


class Talk(Section, frozen=True, kw_only=True):
    """Conversations, in seconds, by who answers."""

    debtor_s: Lognormal
    third_party_s: Lognormal
    wrong_party_s: Lognormal
    machine_s: Lognormal
    longest_s: Positive
    #: The callee hangs up rather than the agent.
    p_person_ends: Probability


class Response(Section, frozen=True, kw_only=True):
    """How a kind of people responds to being contacted."""

    #: Weight among the people of each stage.
    share: tuple[Weight, ...]
    #: Factor on paying by themselves, against the other kinds.
    pays: Rate
    #: Added to the logarithm of the daily rate of paying, for each unit of contact that still works.
    effect: float
    #: Promises that bring a payment that would not have come otherwise, in full and in time. 0: a promise is words, and
    #: what these people promise is what they will do anyhow, as far as they will.
    keeps: Probability
    #: Added to the log odds of what a conversation comes to.
    tilt: dict[Disposition, float] = {}
    #: Factor on stops and complaints.
    touch: Rate = 1.0


class Contact(Section, frozen=True, kw_only=True):
    """How contact works, and how it wears people out."""

    #: False: contact changes nothing. Payments, stops and complaints come as they would anyhow, promises are words.
    works: bool
    half_life_days: Positive
    #: More contact than this at one time works no more.
    most: Positive
    #: Pressure by which stops and complaints grow: of a call that rings, of a conversation.
    attempt_pressure: Rate
    talk_pressure: Rate
    #: Deviation of the logarithm of how much one channel does to one person.
    channel_spread: Rate


class Channel(Section, frozen=True, kw_only=True):
    """What a message does, in units of a conversation with the debtor."""

    works: Rate
    pressure: Rate
    p_seen: Probability


class Paydays(Section, frozen=True, kw_only=True):
    """When money comes in, by shares of people; the rest have no payday."""

    monthly: Probability
    #: Days of the month on which monthly pay comes, from the first to the second, over the end of the month.
    monthly_days: tuple[Annotated[int, Meta(ge=1, le=31)], Annotated[int, Meta(ge=1, le=31)]]
    #: On the 15th and the last day of the month.
    twice_monthly: Probability
    #: Every week, every other week, on this weekday (Monday is 0).
    weekly: Probability
    biweekly: Probability
    weekday: Annotated[int, Meta(ge=0, le=6)]


class Payment(Section, frozen=True, kw_only=True):
    """Paying by oneself."""

    #: Mean daily rate over the debtors of each stage, without any contact.
    self_cure_per_day: Staged
    #: Loadings of the logarithm of that rate.
    by_ability: float
    by_willingness: float
    #: The rate goes with the balance, against what is usual of its product, to this power.
    by_balance: float
    #: Factor on the payday and the days after it, so many in all. The other days make up for it.
    payday_factor: Rate
    payday_days: Annotated[int, Meta(ge=1, le=6)]
    #: Weights of Monday to Sunday.
    weekdays: Annotated[tuple[Weight, ...], Meta(min_length=7, max_length=7)]
    #: Local hours between which people pay and write.
    hours: tuple[Hour, Hour]
    #: Share of payments that settle the debt, its loading on ability, and what the others pay of what is owed.
    p_full: Probability
    full_by_ability: float
    part: tuple[Probability, Probability]


class Promises(Section, frozen=True, kw_only=True):
    """What is promised, and what comes of the promises that are more than words."""

    #: Promised for so many days ahead: least, most.
    days: tuple[Annotated[int, Meta(ge=1)], Annotated[int, Meta(ge=1, le=60)]]
    #: Promises of all that is owed; the others are of a share in this range.
    p_full: Probability
    part: tuple[Probability, Probability]
    instalments: Annotated[int, Meta(ge=2, le=12)]
    #: Loading of keeping on ability and willingness together.
    by_traits: float
    #: Added to the log odds of keeping: by stage (empty: nothing), and for each e-fold of the amount against the usual
    #: balance of its product.
    by_stage: tuple[float, ...] = ()
    by_amount: float = 0.0
    #: Deviation of what an agent adds to the log odds that a conversation ends in a promise or plan, for how old the
    #: debt is and how much is owed. By the agent's name alone, whatever the seed: months meet the same agents.
    by_agent: Rate = 0.0
    #: Of those not kept: paid whole, but so many days late; or a share of it, in time.
    p_late: Probability
    late_days: tuple[Annotated[int, Meta(ge=4)], Annotated[int, Meta(ge=4)]]
    p_short: Probability
    short: tuple[Probability, Probability]


class Ask(Section, frozen=True, kw_only=True):
    """A stop that people ask for in writing."""

    stop: StopKind
    #: Daily rate, and more of it for each unit of pressure.
    per_day: Rate
    per_pressure: Rate
    received: str
    channel: str | None = None


class Complaints(Section, frozen=True, kw_only=True):
    per_day: Rate
    per_pressure: Rate
    #: Weights of what they are about.
    about: dict[str, Weight]
    #: Deviation of the logarithm of people's touchiness, in complaints and stops.
    spread: Rate


class Place(Section, frozen=True, kw_only=True):
    city: str
    zones: Annotated[tuple[str, ...], Meta(min_length=1)]
    weight: Weight
    #: Code of the rule packs.
    region: str | None = None


class Country(Section, frozen=True, kw_only=True):
    paydays: Paydays
    currency: str = "EUR"
    #: Major units for one of `Product.balance`.
    price_level: Positive = 1.0
    languages: dict[str, Weight] = {}
    #: Line type and whether a mobile number tells a place.
    mobile_type: str = "mobile"
    mobile_geographic: bool = False
    places: tuple[Place, ...] = ()


class Product(Section, frozen=True, kw_only=True):
    weight: Weight
    creditor: Annotated[int, Meta(ge=1)]
    #: Usual balance, in units that `Country.price_level` turns into money.
    balance: Positive


class Portfolio(Section, frozen=True, kw_only=True):
    """What `portfolio` makes: only a made portfolio needs it."""

    countries: dict[str, Weight]
    products: dict[str, Product]
    #: Deviation of the logarithm of balances.
    balance_spread: Rate
    days_past_due: Lognormal
    #: Least and most days.
    days_between: tuple[Days, Days]
    p_second_debt: Probability
    #: Weights of one, two, three… numbers, and the share of fixed lines among first, second, third… ones.
    numbers: Annotated[tuple[Weight, ...], Meta(min_length=1, max_length=6)]
    p_fixed: Annotated[tuple[Probability, ...], Meta(min_length=1)]
    #: Neighbouring debtors who live together, and share a fixed line.
    p_household: Probability
    #: Agreed to be called by machines.
    p_consent: Probability


class Laws(Section, frozen=True, kw_only=True):
    """A world. `population.load` reads one; the documents in `config/worlds` explain every number."""

    about: str
    #: Days past due at which the next stage begins.
    stage_days: tuple[Days, ...]
    presence: Presence
    numbers: Numbers
    answering: Answering
    line: Line
    talk: Talk
    #: What a conversation with a debtor comes to: weights over all conversations, whoever has no condition.
    outcomes: dict[Disposition, Weight]
    #: Shares of people about whom a word ends all calling: they or their household say it whenever they are reached.
    conditions: dict[Disposition, Probability]
    #: In the order of the latent trait `standing`.
    responses: dict[str, Response]
    contact: Contact
    channels: dict[str, Channel]
    payment: Payment
    promises: Promises
    asks: tuple[Ask, ...]
    #: Factors on the rates of `asks`, by stop; 1 where none is stated.
    asked: dict[StopKind, Rate] = {}
    complaints: Complaints
    #: Of two latent traits, `first second`.
    correlation: dict[str, Annotated[float, Meta(gt=-1.0, lt=1.0)]]
    #: By ISO code; `*` stands for all others.
    countries: dict[str, Country]
    portfolio: Portfolio
