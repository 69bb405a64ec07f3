"""The people of a portfolio, as callees: who answers when, what comes of it. Small, and honest about what is assumed.

Every law draws by (seed, purpose, person or number, how many-th), so two strategies meet the same people with the same
luck, and calling again within the hour meets the same absence.
"""

import math
from collections.abc import Iterable
from datetime import date, timedelta

import msgspec

from domain.calls import Disposition
from domain.errors import Broken
from domain.instants import HOUR, MINUTE, SECOND, to_datetime
from domain.people import Debt, Dossier, Phone
from simulation.callees import (
    BUSY,
    CONGESTION,
    NETWORK_FAIL,
    NO_ANSWER,
    NOT_IN_SERVICE,
    REJECTED,
    Fate,
    Meeting,
    Said,
)
from simulation.chance import Chance, Choice, Purpose, exponential, lognormal, uniform

#: Zones change their offset from UTC at multiples of this.
_QUARTER = 15 * MINUTE

# fmt: off
#: Share of people at home by local hour 0..23. Weekday hours 8, 10, 12, 14, 16, 17, 18–21 and 22 and weekend hour 10
#: are published anchors for one person (.53 .42 .43 .38 .51 .61 .70–.73 .56 and .55); between them lines, the rest
#: assumed.
AT_HOME_WEEKDAY = (
    .60, .60, .60, .60, .60, .60, .60, .58, .53, .47, .42, .42,
    .43, .40, .38, .45, .51, .61, .70, .72, .73, .71, .56, .58,
)
AT_HOME_WEEKEND = (
    .60, .60, .60, .60, .60, .60, .60, .60, .59, .57, .55, .53,
    .55, .57, .55, .52, .52, .54, .56, .58, .58, .57, .55, .58,
)
# fmt: on


class Behaviour(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Rates and laws of a population. Marked (assumed) where no published figure was found.

    With these and calls over a working day, right-party contact is about 7.4 % of attempts and a promise follows about
    35 % of contacts: the figures of Sánchez, Maldonado & Vairetti (Decision Support Systems 159, 2022) over 1,023,418
    collection calls.
    """

    at_home_weekday: tuple[float, ...] = AT_HOME_WEEKDAY
    at_home_weekend: tuple[float, ...] = AT_HOME_WEEKEND
    #: A mobile is at hand when its owner is not at home, in this share of hours (assumed).
    mobile_at_hand: float = 0.5
    #: Numbers out of service: a person's first, and any further one (assumed).
    p_dead_first: float = 0.04
    p_dead_further: float = 0.12
    #: Numbers that are a stranger's by now: first, further (assumed).
    p_stranger_first: float = 0.08
    p_stranger_further: float = 0.22
    #: A fixed line answered at home is answered by the debtor (assumed; the rest are third parties), a mobile.
    p_debtor_fixed: float = 0.5
    p_debtor_mobile: float = 0.93
    #: Reachable people pick up a call from an unknown number: debts under 60 days, under 180, older (assumed, to meet
    #: the contact rate above).
    p_pick_up: tuple[float, float, float] = (0.21, 0.155, 0.11)
    #: Each further attempt on a number is picked up this much less often (assumed).
    fatigue: float = 0.96
    #: Spread of picking up between people: the least and the most inclined, as factors (assumed).
    inclination: tuple[float, float] = (0.3, 1.7)
    p_busy: float = 0.03
    #: A mobile at hand that is not picked up is declined (assumed).
    p_decline: float = 0.12
    #: Numbers with a voicemail behind: mobile, fixed (assumed), and the share of mobiles away that are off.
    p_voicemail_mobile: float = 0.55
    p_voicemail_fixed: float = 0.25
    p_off: float = 0.25
    p_congestion: float = 0.008
    p_network_fail: float = 0.004
    #: Post-dial delay: median and spread (assumed).
    setup_s: tuple[float, float] = (1.4, 0.5)
    #: Answers cluster at 6–10 s of ringing and at 18–22 s: median and spread of each, share of the first.
    ring_s: tuple[float, float] = (7.5, 0.3)
    late_ring_s: tuple[float, float] = (19.5, 0.08)
    p_early_ring: float = 0.8
    #: Voicemail takes over after so long, of a phone that is off after that.
    voicemail_ring_s: tuple[float, float] = (16.0, 24.0)
    off_ring_s: tuple[float, float] = (0.5, 3.0)
    #: The network gives up ringing.
    network_ring_s: float = 60.0
    #: Somebody who hears silence hangs up: mean of an exponential (assumed).
    patience_s: float = 12.0
    #: A voicemail greets and records for so long.
    voicemail_s: tuple[float, float] = (25.0, 70.0)
    #: Conversations, median and spread: with the debtor mu 4.624, sigma 1.202 of 31,277 recorded service calls
    #: (mean 185 s, capped at an hour); with others (assumed).
    talk_debtor_s: tuple[float, float] = (math.exp(4.624), 1.202)
    talk_third_party_s: tuple[float, float] = (35.0, 0.6)
    talk_wrong_party_s: tuple[float, float] = (20.0, 0.5)
    talk_machine_s: tuple[float, float] = (7.0, 0.3)
    talk_longest_s: float = 3600.0
    #: The callee hangs up rather than the agent (assumed).
    p_person_ends: float = 0.5
    #: What a conversation with a debtor comes to: promise by the source above, the rest assumed.
    outcomes: tuple[tuple[Disposition, float], ...] = (
        (Disposition.promise, 0.30),
        (Disposition.plan, 0.05),
        (Disposition.no_promise, 0.42),
        (Disposition.call_back, 0.10),
        (Disposition.dispute, 0.05),
        (Disposition.already_paid, 0.04),
        (Disposition.do_not_call, 0.03),
        (Disposition.vulnerable, 0.01),
    )
    #: A third party says that the debtor has died (assumed).
    p_deceased: float = 0.005


class Person:
    """A debtor: what is known, and the traits that chance gave."""

    __slots__ = ("currency", "debts", "inclination", "n_talks", "person", "stage", "zone")

    def __init__(self, dossier: Dossier, zone: str, stage: int, inclination: float) -> None:
        self.person = dossier.person
        self.debts = dossier.debts
        self.zone = zone
        #: 0 early, 1 middle, 2 late.
        self.stage = stage
        #: Factor on picking up.
        self.inclination = inclination
        #: Conversations so far: the counter of their draws.
        self.n_talks = 0


class Number:
    """A number as it really is."""

    __slots__ = ("dead", "home", "mobile", "nth", "owner", "p_debtor", "phone", "pick_up", "voicemail")

    def __init__(self, phone: int, owner: Person) -> None:
        self.phone = phone
        self.owner = owner
        self.dead = False
        self.mobile = False
        self.voicemail = False
        #: Whose presence counts: the debtor's id, or the stranger's, who is the number negated.
        self.home = owner.person
        self.p_debtor = 0.0
        self.pick_up = 0.0
        #: Attempts so far: the counter of their draws.
        self.nth = 0


class People:
    """The callees behind a ledger's dossiers."""

    def __init__(self, behaviour: Behaviour, chance: Chance, *, start_us: int) -> None:
        self.behaviour = behaviour
        self._chance = chance
        self._start_on = to_datetime(start_us).date()
        self._known: dict[int, tuple[Dossier, int]] = {}
        self._persons: dict[int, Person] = {}
        self._numbers: dict[int, Number] = {}
        self._hours: dict[tuple[str, int], tuple[int, bool]] = {}
        self._outcomes = Choice(*zip(*behaviour.outcomes, strict=True))

    def meet(self, dossiers: Iterable[Dossier]) -> None:
        """Make people callable; whoever was met before keeps its traits and gets its new debts."""
        for dossier in dossiers:
            for index, phone in enumerate(dossier.phones):
                self._known.setdefault(phone.phone, (dossier, index))
            if (person := self._persons.get(dossier.person)) is not None:
                person.debts = dossier.debts

    # ---- Callees

    def dial(self, phone: int, at_us: int) -> Meeting:
        number = self._numbers.get(phone) or self._draw_number(phone)
        number.nth = nth = number.nth + 1
        law, u = self.behaviour, self._chance.u
        network = u(Purpose.network, phone, nth)
        setup_us = int(lognormal(u(Purpose.setup, phone, nth), *law.setup_s) * SECOND)
        fate: Fate | None = None
        who = ""
        ring_us = 0
        if number.dead:
            fate = NOT_IN_SERVICE
        elif network < law.p_congestion:
            fate = CONGESTION
        elif network < law.p_congestion + law.p_network_fail:
            fate = NETWORK_FAIL
        elif network > 1.0 - law.p_busy:
            fate = BUSY
        else:
            at_hand = self._at_hand(number, at_us)
            picked = at_hand and u(Purpose.answer, phone, nth) < number.pick_up * law.fatigue ** (nth - 1)
            if picked:
                who = self._who(number, nth)
                ring_us = self._ring_us(phone, nth)
            else:
                fate, who, ring_us = self._missed(number, nth, at_hand)
        return Meeting(
            phone=phone, person=number.owner.person, nth=nth, who=who, fate=fate, setup_us=setup_us, ring_us=ring_us
        )

    def answer(self, meeting: Meeting) -> None:
        u = self._chance.u(Purpose.patience, meeting.phone, meeting.nth)
        law = self.behaviour
        seconds = uniform(u, *law.voicemail_s) if meeting.who == "machine" else exponential(u, law.patience_s)
        meeting.patience_us = int(seconds * SECOND)

    def talk(self, meeting: Meeting) -> None:
        law = self.behaviour
        median_s, sigma = {
            "debtor": law.talk_debtor_s,
            "third_party": law.talk_third_party_s,
            "wrong_party": law.talk_wrong_party_s,
            "machine": law.talk_machine_s,
        }[meeting.who]
        seconds = lognormal(self._chance.u(Purpose.talk, meeting.phone, meeting.nth), median_s, sigma)
        meeting.talk_us = int(min(seconds, law.talk_longest_s) * SECOND)
        ends = self._chance.u(Purpose.ends, meeting.phone, meeting.nth) < law.p_person_ends
        meeting.person_ends = meeting.who != "machine" and ends

    def say(self, meeting: Meeting, at_us: int, person: int, debts: tuple[int, ...]) -> Said:
        if meeting.who == "machine":
            return Said(disposition=Disposition.machine)
        if meeting.who == "wrong_party":
            return Said(disposition=Disposition.wrong_party)
        u = self._chance.u
        if meeting.who == "third_party" or person != meeting.person:
            deceased = u(Purpose.outcome, meeting.phone, meeting.nth) < self.behaviour.p_deceased
            return Said(disposition=Disposition.deceased if deceased else Disposition.third_party)
        debtor = self._persons[person]
        debtor.n_talks += 1
        disposition = self._outcomes.of(u(Purpose.outcome, person, debtor.n_talks))
        if disposition is Disposition.call_back:
            days = uniform(u(Purpose.call_back, person, debtor.n_talks), 0.9, 1.1)
            return Said(disposition=disposition, call_back_us=at_us + int(days * 24 * HOUR), own=days > 1.05)
        debt = _largest(debt for debt in debtor.debts if not debts or debt.debt in debts)
        if disposition in (Disposition.promise, Disposition.plan):
            if debt is None:
                return Said(disposition=Disposition.no_promise)
            return self._promise(debtor, disposition, debt, at_us)
        if disposition in (Disposition.dispute, Disposition.already_paid) and debt is not None:
            return Said(disposition=disposition, debt=debt.debt)
        return Said(disposition=disposition)

    # ---- laws

    def _at_hand(self, number: Number, at_us: int) -> bool:
        """Say whether somebody is near the phone in this hour; the same for every call of the hour."""
        law = self.behaviour
        hour, weekend = self._local_hour(number.owner.zone, at_us)
        p = (law.at_home_weekend if weekend else law.at_home_weekday)[hour]
        if number.mobile:
            p += (1.0 - p) * law.mobile_at_hand
        return self._chance.u(Purpose.home, number.home, at_us // HOUR) < p

    def _who(self, number: Number, nth: int) -> str:
        if number.home < 0:
            return "wrong_party"
        return "debtor" if self._chance.u(Purpose.who, number.phone, nth) < number.p_debtor else "third_party"

    def _ring_us(self, phone: int, nth: int) -> int:
        law = self.behaviour
        u = self._chance.u(Purpose.ring, phone, nth)
        if u < law.p_early_ring:
            seconds = lognormal(u / law.p_early_ring, *law.ring_s)
        else:
            seconds = lognormal((u - law.p_early_ring) / (1.0 - law.p_early_ring), *law.late_ring_s)
        return int(seconds * SECOND)

    def _missed(self, number: Number, nth: int, at_hand: bool) -> tuple[Fate | None, str, int]:
        """Return fate, who and ring time of a call that nobody picks up."""
        law = self.behaviour
        u = self._chance.u(Purpose.machine, number.phone, nth)
        ring = self._chance.u(Purpose.ring, number.phone, nth)
        if number.mobile and at_hand and u < law.p_decline:
            return REJECTED, "", int(uniform(ring, 2.0, 12.0) * SECOND)
        if not number.voicemail:
            return NO_ANSWER, "", int(law.network_ring_s * SECOND)
        off = number.mobile and not at_hand and u < law.p_off
        return None, "machine", int(uniform(ring, *(law.off_ring_s if off else law.voicemail_ring_s)) * SECOND)

    def _promise(self, person: Person, disposition: Disposition, debt: Debt, at_us: int) -> Said:
        u = self._chance.u(Purpose.promise, person.person, person.n_talks)
        full = disposition is Disposition.plan or u < 0.45
        share = 1.0 if full else 0.25 + 0.5 * u
        due_on = to_datetime(at_us, person.zone).date() + timedelta(days=2 + int(u * 20))
        return Said(
            disposition=disposition,
            debt=debt.debt,
            amount_minor=max(1, int(debt.balance_minor * share)),
            currency=debt.currency,
            due_on=due_on.isoformat(),
            instalments=3 if disposition is Disposition.plan else None,
        )

    def _local_hour(self, zone: str, at_us: int) -> tuple[int, bool]:
        """Return the local hour and whether it is a weekend."""
        key = zone, at_us // _QUARTER
        known = self._hours.get(key)
        if known is None:
            local = to_datetime(at_us, zone)
            known = self._hours[key] = local.hour, local.weekday() >= 5
        return known

    # ---- traits, drawn when first needed

    def _draw_number(self, phone: int) -> Number:
        if phone not in self._known:
            raise Broken(f"phone {phone} is dialled and belongs to nobody: `meet` its person before")
        dossier, index = self._known[phone]
        owner = self._persons.get(dossier.person) or self._draw_person(dossier)
        law, u = self.behaviour, self._chance.u
        number = self._numbers[phone] = Number(phone, owner)
        number.mobile = dossier.phones[index].line_type in ("mobile", "fixed_or_mobile")
        number.dead = u(Purpose.number, phone, 0) < (law.p_dead_further if index else law.p_dead_first)
        if u(Purpose.number, phone, 1) < (law.p_stranger_further if index else law.p_stranger_first):
            number.home = -phone
        number.voicemail = u(Purpose.number, phone, 2) < (
            law.p_voicemail_mobile if number.mobile else law.p_voicemail_fixed
        )
        number.p_debtor = law.p_debtor_mobile if number.mobile else law.p_debtor_fixed
        number.pick_up = law.p_pick_up[owner.stage] * owner.inclination
        return number

    def _draw_person(self, dossier: Dossier) -> Person:
        inclination = uniform(self._chance.u(Purpose.trait, dossier.person, 0), *self.behaviour.inclination)
        person = Person(dossier, _zone(dossier), self._stage(dossier.debts), inclination)
        self._persons[dossier.person] = person
        return person

    def _stage(self, debts: Iterable[Debt]) -> int:
        days = max(
            ((self._start_on - date.fromisoformat(debt.due_on)).days for debt in debts if debt.due_on), default=0
        )
        return 0 if days < 60 else 1 if days < 180 else 2


def _zone(dossier: Dossier) -> str:
    """Return where the person lives: the address before the numbers."""
    phones: tuple[Phone, ...] = dossier.phones
    return next(iter(dossier.address_zones or [zone for phone in phones for zone in phone.zones]), "UTC")


def _largest(debts: Iterable[Debt]) -> Debt | None:
    return max(
        (debt for debt in debts if debt.state == "open" and debt.balance_minor > 0),
        key=lambda debt: debt.balance_minor,
        default=None,
    )
