"""The debtors behind a ledger's dossiers, as callees: who answers when, what comes of it, what they do by themselves.

Every law draws by (seed, purpose, person or number, how many-th), so two strategies meet the same people with the same
luck, and calling again within the hour meets the same absence.
"""

import math
from collections.abc import Iterable, Sequence
from datetime import timedelta

from msgspec.structs import replace

from domain.calls import Disposition
from domain.errors import Broken
from domain.instants import HOUR, MINUTE, SECOND, to_datetime
from domain.people import NOT_CONNECTED, ContactEvent, Dossier, Phone
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
from simulation.chance import Chance, Choice, Purpose, entity_of, exponential, lognormal, normal, uniform
from simulation.population.conduct import Conduct, Deed
from simulation.population.laws import Laws
from simulation.population.traits import Mixture, at_home, draw_debts, draw_persons, zone_of

#: Zones change their offset from UTC at multiples of this.
_QUARTER = 15 * MINUTE
#: Attempts after which fatigue grows no more.
_WORN = 64
#: A promise counts as kept when it is paid so many days late.
GRACE_DAYS = 3
_MOBILE = ("mobile", "fixed_or_mobile")
#: What a debtor who once said it says again.
_STICKS = frozenset({Disposition.do_not_call, Disposition.dispute})


class Person:
    """A debtor: what the hot path asks for."""

    __slots__ = (
        "at_hand", "clock", "condition", "debts", "n_talks", "outcomes", "person", "pick_up", "row", "said", "zone",
    )  # fmt: skip

    def __init__(self, person: int, row: int, zone: str, clock: dict[int, tuple[int, int]]) -> None:
        self.person = person
        self.row = row
        self.zone = zone
        #: What this zone's clock says in each quarter of an hour: slot of the week, local day.
        self.clock = clock
        #: Probability of being near a fixed line, a mobile, by slot of the week.
        self.at_hand: tuple[list[float], list[float]] = ([], [])
        #: Of picking up a first call.
        self.pick_up = 0.0
        #: The word that ends all calling, if there is one.
        self.condition: Disposition | None = None
        self.outcomes: Choice[Disposition] | None = None
        #: Rows of the debts on record, in the order of the dossier.
        self.debts: tuple[int, ...] = ()
        #: Conversations so far: the counter of their draws.
        self.n_talks = 0
        #: What was said once and for all.
        self.said: Disposition | None = None


class Number:
    """A number as it really is."""

    __slots__ = (
        "at_hand", "day", "dead", "home", "hours", "mobile", "nth", "p_debtor", "pick_up", "residents", "today",
        "voicemail",
    )  # fmt: skip

    def __init__(self, owner: Person, mobile: bool) -> None:
        #: Debtors on whose records the number is.
        self.residents: tuple[Person, ...] = (owner,)
        self.mobile = mobile
        self.dead = False
        self.voicemail = False
        self.p_debtor = 0.0
        #: A stranger's number: the stranger's id, presence and inclination.
        self.home: int | None = None
        self.at_hand: list[float] = []
        self.pick_up = 0.0
        #: Attempts so far: the counter of their draws.
        self.nth = 0
        #: Local day of the last attempt, attempts on it, and attempts by local hour.
        self.day = 0
        self.today = 0
        self.hours = bytearray(24)


class Debtors:
    """The people of a world, at one seed.

    Parameters
    ----------
    start_us : int
        When the world begins: stages count as of this day, and time passes from here.
    """

    def __init__(self, laws: Laws, chance: Chance, *, start_us: int) -> None:
        self.laws = laws
        self._chance = chance
        self._start_us = start_us
        self._start_on = to_datetime(start_us).date()
        self._mixture = Mixture(laws)
        self._conduct = Conduct(laws, chance, start_us)
        self._persons: dict[int, Person] = {}
        self._numbers: dict[int, Number] = {}
        self._debt_rows: dict[int, int] = {}
        self._clocks: dict[str, dict[int, tuple[int, int]]] = {}
        #: Messages so far, by person and channel: the counter of their draws.
        self._messages: dict[tuple[int, str], int] = {}
        self._at_hand = _at_hand(laws)
        answering = laws.answering
        self._fatigue = _worn(answering.fatigue)
        self._same_day = [answering.same_day**n for n in range(_WORN)]
        self._same_hour = [(answering.same_hour if laws.presence.timing else 1.0) ** n for n in range(256)]
        self._attempt_pressure = laws.contact.attempt_pressure if laws.contact.works else 0.0
        talk = laws.talk
        self._talk_s = {
            "debtor": talk.debtor_s,
            "third_party": talk.third_party_s,
            "wrong_party": talk.wrong_party_s,
            "machine": talk.machine_s,
        }

    def meet(self, dossiers: Iterable[Dossier]) -> None:
        """Make people callable; whoever was met before keeps the traits and gets the debts and numbers of now.

        A debt comes to what the dossier says or, where people have paid since, to less; one that the dossier names no
        more is owed no more.
        """
        new: dict[int, Dossier] = {}
        again: list[Dossier] = []
        for dossier in dossiers:
            if dossier.person in self._persons or dossier.person in new:
                again.append(dossier)
            else:
                new[dossier.person] = dossier
        self._enter(list(new.values()))
        for dossier in again:
            self._meet_again(dossier)

    # ---- Callees

    def dial(self, phone: int, at_us: int) -> Meeting:
        number = self._numbers.get(phone)
        if number is None:
            raise Broken(f"phone {phone} is dialled and belongs to nobody: `meet` its person before")
        number.nth = nth = number.nth + 1
        u = self._chance.u
        residents = number.residents
        owner = residents[0] if len(residents) == 1 else self._resident(residents, phone, nth)
        answering = self.laws.answering
        network = u(Purpose.network, phone, nth)
        setup_us = int(lognormal(u(Purpose.setup, phone, nth), *self.laws.line.setup_s) * SECOND)
        fate: Fate | None = None
        who = ""
        ring_us = 0
        if number.dead:
            fate = NOT_IN_SERVICE
        elif network < answering.p_congestion:
            fate = CONGESTION
        elif network < answering.p_congestion + answering.p_network_fail:
            fate = NETWORK_FAIL
        elif network > 1.0 - answering.p_busy:
            fate = BUSY
        else:
            quarter = at_us // _QUARTER
            slot, day = owner.clock.get(quarter) or self._tell_time(owner, quarter)
            if number.day != day:
                number.day, number.today = day, 0
            if number.home is None:
                p_at_hand, pick_up, home = owner.at_hand[number.mobile][slot], owner.pick_up, owner.person
            else:
                p_at_hand, pick_up, home = number.at_hand[slot], number.pick_up, number.home
            at_hand = u(Purpose.home, home, at_us // HOUR) < p_at_hand
            hours, hour = number.hours, slot % 24
            if at_hand and u(Purpose.answer, phone, nth) < (
                pick_up
                * self._fatigue[nth if nth < _WORN else _WORN - 1]
                * self._same_day[number.today if number.today < _WORN else _WORN - 1]
                * self._same_hour[hours[hour]]
            ):
                who = self._who(number, owner, phone, nth)
                ring_us = self._ring_us(phone, nth)
            else:
                fate, who, ring_us = self._missed(number, phone, nth, at_hand)
            number.today += 1
            if hours[hour] < 255:
                hours[hour] += 1
            if self._attempt_pressure:
                self._conduct.contacted(owner.row, at_us, 0.0, self._attempt_pressure)
        return Meeting(
            phone=phone, person=owner.person, nth=nth, who=who, fate=fate, setup_us=setup_us, ring_us=ring_us
        )

    def answer(self, meeting: Meeting) -> None:
        u = self._chance.u(Purpose.patience, meeting.phone, meeting.nth)
        line = self.laws.line
        seconds = uniform(u, *line.voicemail_s) if meeting.who == "machine" else exponential(u, line.patience_s)
        meeting.patience_us = int(seconds * SECOND)

    def talk(self, meeting: Meeting) -> None:
        law = self.laws.talk
        seconds = lognormal(self._chance.u(Purpose.talk, meeting.phone, meeting.nth), *self._talk_s[meeting.who])
        meeting.talk_us = int(min(seconds, law.longest_s) * SECOND)
        ends = self._chance.u(Purpose.ends, meeting.phone, meeting.nth) < law.p_person_ends
        meeting.person_ends = meeting.who != "machine" and ends

    def say(self, meeting: Meeting, at_us: int, person: int, debts: tuple[int, ...]) -> Said:
        if meeting.who == "machine":
            return Said(disposition=Disposition.machine)
        if meeting.who == "wrong_party":
            return Said(disposition=Disposition.wrong_party)
        asked_for = self._persons[person]
        if meeting.who == "third_party" or person != meeting.person:
            told = asked_for.condition is Disposition.deceased and (
                self._chance.u(Purpose.told, meeting.phone, meeting.nth) < self.laws.numbers.p_told_deceased
            )
            return Said(disposition=Disposition.deceased if told else Disposition.third_party)
        return self._converse(asked_for, at_us, debts)

    # ---- what debtors do by themselves

    def pass_time(self, from_us: int, to_us: int) -> list[Deed]:
        """Return what debtors do in (from_us, to_us], in time order: they pay, ask for stops, complain.

        It depends on the contacts before each deed and on keyed chance, and never on how the time is cut. What they
        paid they owe no more, whether or not the ledger is told.

        Raises
        ------
        Broken
            When the time before was not passed, or twice; the first time begins with the world.
        """
        return self._conduct.pass_time(from_us, to_us)

    def reached(self, person: int, channel: str, at_us: int, how: ContactEvent) -> None:
        """Note a message to a person through another channel than a call; calls report themselves.

        Parameters
        ----------
        how : ContactEvent
            What is known of it; one that reached no line or mailbox does nothing.

        Raises
        ------
        Broken
            When the person was never met, or the laws know no such channel.
        """
        law = self.laws.channels.get(channel)
        known = self._persons.get(person)
        if law is None or known is None:
            raise Broken(f"person {person} is reached by {channel}: one of them is unknown to this world")
        if how in NOT_CONNECTED or not self.laws.contact.works:
            return
        nth = self._messages[person, channel] = self._messages.get((person, channel), 0) + 1
        entity = entity_of(channel)
        works = 0.0
        if self._chance.u(Purpose.seen, person, entity + nth) < law.p_seen:
            spread = self.laws.contact.channel_spread
            taste = spread * normal(self._chance.u(Purpose.taste, person, entity)) - spread * spread / 2
            works = law.works * math.exp(taste)
        self._conduct.contacted(known.row, at_us, works, law.pressure)

    # ---- a call

    def _resident(self, residents: Sequence[Person], phone: int, nth: int) -> Person:
        return residents[int(self._chance.u(Purpose.resident, phone, nth) * len(residents))]

    def _who(self, number: Number, owner: Person, phone: int, nth: int) -> str:
        if number.home is not None:
            return "wrong_party"
        if owner.condition is Disposition.deceased:
            return "third_party"
        return "debtor" if self._chance.u(Purpose.who, phone, nth) < number.p_debtor else "third_party"

    def _ring_us(self, phone: int, nth: int) -> int:
        line = self.laws.line
        u = self._chance.u(Purpose.ring, phone, nth)
        if u < line.p_early_ring:
            seconds = lognormal(u / line.p_early_ring, *line.ring_s)
        else:
            seconds = lognormal((u - line.p_early_ring) / (1.0 - line.p_early_ring), *line.late_ring_s)
        return int(seconds * SECOND)

    def _missed(self, number: Number, phone: int, nth: int, at_hand: bool) -> tuple[Fate | None, str, int]:
        """Return fate, who and ring time of a call that nobody picks up."""
        answering, line = self.laws.answering, self.laws.line
        u = self._chance.u(Purpose.machine, phone, nth)
        ring = self._chance.u(Purpose.ring, phone, nth)
        if number.mobile and at_hand and u < answering.p_decline:
            return REJECTED, "", int(uniform(ring, *line.decline_ring_s) * SECOND)
        if not number.voicemail:
            return NO_ANSWER, "", int(line.network_ring_s * SECOND)
        off = number.mobile and not at_hand and u < answering.p_off
        return None, "machine", int(uniform(ring, *(line.off_ring_s if off else line.voicemail_ring_s)) * SECOND)

    def _tell_time(self, owner: Person, quarter: int) -> tuple[int, int]:
        """Return slot of the week and local day of a quarter of an hour where somebody lives."""
        local = to_datetime(quarter * _QUARTER, owner.zone)
        told = owner.clock[quarter] = max(0, local.weekday() - 4) * 24 + local.hour, local.toordinal()
        return told

    # ---- a conversation

    def _converse(self, debtor: Person, at_us: int, debts: tuple[int, ...]) -> Said:
        u = self._chance.u
        debtor.n_talks = nth = debtor.n_talks + 1
        if self.laws.contact.works:
            self._conduct.contacted(debtor.row, at_us, 1.0, self.laws.contact.talk_pressure)
        if debtor.condition is not None:
            return Said(disposition=debtor.condition)
        disposition = debtor.said or self._outcome(debtor, nth)
        if disposition in _STICKS:
            debtor.said = disposition
        if disposition is Disposition.call_back:
            days = uniform(u(Purpose.call_back, debtor.person, nth), 0.9, 1.1)
            return Said(disposition=disposition, call_back_us=at_us + int(days * 24 * HOUR), own=days > 1.05)
        conduct = self._conduct
        assert conduct.debts is not None
        asked = [row for row in debtor.debts if not debts or int(conduct.debts.debt[row]) in debts]
        open_rows = [row for row in asked if conduct.owed[row] > 0]
        if not open_rows:
            paid = [row for row in asked if row in conduct.paid]
            if paid:
                return Said(disposition=Disposition.already_paid, debt=int(conduct.debts.debt[paid[0]]))
            if disposition in (Disposition.promise, Disposition.plan):
                return Said(disposition=Disposition.no_promise)
            return Said(disposition=disposition)
        row = max(open_rows, key=lambda row: int(conduct.owed[row]))
        if disposition in (Disposition.promise, Disposition.plan):
            return self._promise(debtor, disposition, row, at_us)
        if disposition in (Disposition.dispute, Disposition.already_paid):
            return Said(disposition=disposition, debt=int(conduct.debts.debt[row]))
        return Said(disposition=disposition)

    def _outcome(self, debtor: Person, nth: int) -> Disposition:
        assert debtor.outcomes is not None
        return debtor.outcomes.of(self._chance.u(Purpose.outcome, debtor.person, nth))

    def _promise(self, debtor: Person, disposition: Disposition, row: int, at_us: int) -> Said:
        """Promise to pay; who promises nothing but words names what will come anyhow, as far as it will."""
        laws, conduct, nth = self.laws.promises, self._conduct, debtor.n_talks
        assert conduct.persons is not None
        assert conduct.debts is not None
        u = self._chance.u
        first, last = laws.days
        today = to_datetime(at_us, debtor.zone).date()
        due_on = today + timedelta(days=first + int(u(Purpose.promise_due, debtor.person, nth) * (last - first + 1)))
        v = u(Purpose.promise, debtor.person, nth)
        plan = disposition is Disposition.plan
        share = 1.0 if plan or v < laws.p_full else uniform((v - laws.p_full) / (1.0 - laws.p_full), *laws.part)
        keeps = float(conduct.persons.keeps[debtor.row])
        if not keeps and (own := conduct.own_payment(row, at_us, last + GRACE_DAYS)) is not None:
            due_on, own_share = min(max(own[0], today + timedelta(days=1)), today + timedelta(days=last)), own[1]
            share = share if plan else own_share
        owed = int(conduct.owed[row])
        amount = max(1, int(owed * share))
        instalments = laws.instalments if plan else 1
        if keeps:
            instants = [
                conduct.instant(Purpose.promise_time, debtor.row, due_on + timedelta(days=30 * n))
                for n in range(instalments)
            ]
            self._keep(debtor, row, amount, instants, keeps)
        return Said(
            disposition=disposition,
            debt=int(conduct.debts.debt[row]),
            amount_minor=amount,
            currency=conduct.currencies[row],
            due_on=due_on.isoformat(),
            instalments=instalments if plan else None,
        )

    def _keep(self, debtor: Person, row: int, amount: int, instants: list[int], keeps: float) -> None:
        """Let come what a promise brings: all of it in time, all of it late, a part, or nothing."""
        laws, nth = self.laws.promises, debtor.n_talks
        fate = self._chance.u(Purpose.promise_kept, debtor.person, nth)
        how = self._chance.u(Purpose.promise_late, debtor.person, nth)
        late_us = 0
        if fate >= keeps:
            fate = (fate - keeps) / (1.0 - keeps)
            if fate < laws.p_late:
                first, last = laws.late_days
                late_us = (first + int(how * (last - first + 1))) * 24 * HOUR
            elif fate < laws.p_late + laws.p_short:
                amount, instants = int(amount * uniform(how, *laws.short)), instants[:1]
            else:
                return
        each = amount // len(instants)
        for n, at_us in enumerate(instants):
            part = amount - each * (len(instants) - 1) if n == 0 else each
            if part > 0:
                self._conduct.promised(row, at_us + late_us, part)

    # ---- who there is

    def _meet_again(self, dossier: Dossier) -> None:
        person, conduct = self._persons[dossier.person], self._conduct
        new = [debt for debt in dossier.debts if debt.debt not in self._debt_rows]
        if new:
            self._enter_debts([replace(dossier, debts=tuple(new))], person.row)
        before, person.debts = person.debts, tuple(self._debt_rows[debt.debt] for debt in dossier.debts)
        for row in set(before) - set(person.debts):
            conduct.owed[row] = 0
        for row, debt in zip(person.debts, dossier.debts, strict=True):
            conduct.owed[row] = min(conduct.owed[row], _owed(debt.state, debt.balance_minor))
        self._enter_numbers([(dossier, person)])

    def _enter(self, people: list[Dossier]) -> None:
        if not people:
            return
        conduct, laws = self._conduct, self.laws
        first_row = 0 if conduct.persons is None else len(conduct.persons)
        persons = draw_persons(self._mixture, self._chance, people, conduct.zones, self._start_on)
        conduct.add_persons(persons)
        conditions = [*laws.conditions, None]
        entered: list[tuple[Dossier, Person]] = []
        traits = (persons.stage, persons.kind, persons.rhythm, persons.condition, persons.reach)
        for row, (dossier, stage, kind, rhythm, condition, reach) in enumerate(
            zip(people, *(column.tolist() for column in traits), strict=True), first_row
        ):
            zone = zone_of(dossier)
            person = Person(dossier.person, row, zone, self._clocks.setdefault(zone, {}))
            person.at_hand = self._at_hand[rhythm]
            person.pick_up = laws.answering.p_pick_up[stage] * reach
            person.condition = conditions[condition]
            person.outcomes = self._mixture.choices[stage][kind]
            self._persons[dossier.person] = person
            entered.append((dossier, person))
        self._enter_debts(people, first_row)
        for dossier, person in entered:
            person.debts = tuple(self._debt_rows[debt.debt] for debt in dossier.debts)
        self._enter_numbers(entered)

    def _enter_debts(self, people: Sequence[Dossier], first_row: int) -> None:
        conduct = self._conduct
        assert conduct.persons is not None
        rates = conduct.persons.rate[first_row : first_row + len(people)]
        debts = [debt for one in people for debt in one.debts]
        row = len(conduct.owed)
        conduct.add_debts(
            draw_debts(self._mixture, people, rates, first_row),
            [_owed(debt.state, debt.balance_minor) for debt in debts],
            [debt.currency for debt in debts],
        )
        self._debt_rows.update(zip((debt.debt for debt in debts), range(row, row + len(debts)), strict=True))

    def _enter_numbers(self, people: Iterable[tuple[Dossier, Person]]) -> None:
        law, u = self.laws.numbers, self._chance.u
        for dossier, person in people:
            for index, phone in enumerate(dossier.phones):
                number = self._numbers.get(phone.phone)
                if number is not None:
                    if person not in number.residents:
                        number.residents = tuple(sorted((*number.residents, person), key=lambda one: one.person))
                    continue
                further = index > 0
                number = self._numbers[phone.phone] = Number(person, _is_mobile(phone))
                number.dead = u(Purpose.number, phone.phone, 0) < law.p_dead[further]
                if u(Purpose.number, phone.phone, 1) < law.p_stranger[further]:
                    self._estrange(number, phone.phone)
                number.voicemail = u(Purpose.number, phone.phone, 2) < (
                    law.p_voicemail_mobile if number.mobile else law.p_voicemail_fixed
                )
                number.p_debtor = law.p_debtor_mobile if number.mobile else law.p_debtor_fixed

    def _estrange(self, number: Number, phone: int) -> None:
        """Give a number to somebody else: with a rhythm, and as much inclined to pick up as the average."""
        rhythms = list(self.laws.presence.rhythms.values())
        rhythm = Choice(range(len(rhythms)), [one.share for one in rhythms]).of(
            self._chance.u(Purpose.number, phone, 3)
        )
        number.home = -phone
        number.at_hand = self._at_hand[rhythm][number.mobile]
        number.pick_up = sum(self.laws.answering.p_pick_up) / len(self.laws.answering.p_pick_up)


def _at_hand(laws: Laws) -> list[tuple[list[float], list[float]]]:
    """Return for each rhythm the probability of being near a fixed line and a mobile, by slot of the week."""
    home = at_home(laws).reshape(len(laws.presence.rhythms), -1)
    mobile = home + (1.0 - home) * laws.presence.mobile_at_hand
    return list(zip(home.tolist(), mobile.tolist(), strict=True))


def _worn(fatigue: Sequence[float]) -> list[float]:
    """Return the factor of each attempt, from 1; beyond the table its last step goes on."""
    factors = [1.0, *fatigue]
    step = fatigue[-1] / fatigue[-2]
    while len(factors) < _WORN:
        factors.append(factors[-1] * step)
    return factors


def _is_mobile(phone: Phone) -> bool:
    return phone.line_type in _MOBILE


def _owed(state: str, balance_minor: int) -> int:
    return max(0, balance_minor) if state == "open" else 0
