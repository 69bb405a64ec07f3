"""The debtors behind a ledger's dossiers, as callees: who answers when, what comes of it, what they do by themselves.

Every law draws by (seed, purpose, person or number, how many-th), so two strategies meet the same people with the same
luck, and calling again within the hour meets the same absence.
"""

import math
from collections.abc import Iterable, Sequence
from datetime import timedelta

import numpy as np

from domain.calls import Disposition
from domain.errors import Broken
from domain.instants import HOUR, MINUTE, SECOND, to_datetime
from domain.people import GRACE_DAYS, NOT_CONNECTED, ContactEvent, Dossier
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
from simulation.chance import Chance, Purpose, entity_of, exponential, lognormal, normal, uniform
from simulation.population.conduct import Conduct, Deed
from simulation.population.laws import Laws
from simulation.population.register import Neighbour, Number, Person, Register
from simulation.population.response import Action, Response, responses
from simulation.population.suits import Suits
from simulation.population.traits import F8, moved_odds
from simulation.population.truth import Truth, clock_of, of_paying, weekly

#: Zones change their offset from UTC at multiples of this.
_QUARTER = 15 * MINUTE
#: Attempts after which fatigue grows no more.
_WORN = 64
#: What a debtor who once said it says again.
_STICKS = frozenset({Disposition.do_not_call, Disposition.dispute})


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
        self._conduct = Conduct(laws, chance, start_us)
        self._register = Register(laws, chance, self._conduct, start_us)
        self._persons, self._numbers = self._register.persons, self._register.numbers
        self.suits = Suits(self._register, self._conduct)
        self._rang_row, self._rang_at = self._conduct.rang[0].append, self._conduct.rang[1].append
        #: For days that differ: people pick up so many times as often, conversations take so many times as long.
        self.answer_rate = self.talk_time = 1.0
        #: Messages so far, by person and channel: the counter of their draws.
        self._messages: dict[tuple[int, str], int] = {}
        # The hot path asks for these at every call.
        answering = self._answering = laws.answering
        self._line = laws.line
        self._p_failed = answering.p_congestion + answering.p_network_fail
        self._p_free = 1.0 - answering.p_busy
        self._fatigue = _worn(answering.fatigue)
        self._same_day = [answering.same_day**n for n in range(_WORN)]
        self._same_hour = [(answering.same_hour if laws.presence.timing else 1.0) ** n for n in range(256)]
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
        more is owed no more. What the history of somebody new tells from before the world began has been: calls have
        tired their numbers and told what is behind them, contacts still work and press.
        """
        for dossier in self._register.meet(dossiers):
            if dossier.history:
                self._remember(dossier)

    def _remember(self, dossier: Dossier) -> None:
        person = self._persons[dossier.person]
        numbers = {phone.phone: self._numbers[phone.phone] for phone in dossier.phones}
        for line in dossier.history:
            if line.at_us >= self._start_us or line.inbound:
                continue
            if line.channel != "call":
                if line.channel in self.laws.channels:
                    self.reached(dossier.person, line.channel, line.at_us, line.event)
                continue
            if line.phone is not None and (number := numbers.get(line.phone)) is not None:
                self._register.remember(number, line, person.zone)
            if line.event in NOT_CONNECTED:
                continue
            self.rang(dossier.person, line.at_us, spoke=line.event is ContactEvent.right_party_contact)

    # ---- Callees

    def dial(self, phone: int, at_us: int) -> Meeting:
        number = self._numbers.get(phone)
        if number is None:
            raise Broken(f"phone {phone} is dialled and belongs to nobody: `meet` its person before")
        number.nth = nth = number.nth + 1
        owner = number.owner
        if number.residents:
            owner = number.residents[int(self._chance.u(Purpose.resident, phone, nth) * len(number.residents))]
        # Who would pick up: the owner; or the stranger who has the number by now.
        near = number.stranger or owner
        network, setup, home, answers, machine, rings, whose = self._chance.of_attempt(
            phone, nth, near.person, at_us // HOUR
        )
        fate: Fate | None = None
        who = ""
        ring_us = 0
        if number.dead:
            fate = NOT_IN_SERVICE
        elif network < self._p_failed:
            fate = CONGESTION if network < self._answering.p_congestion else NETWORK_FAIL
        elif network > self._p_free:
            fate = BUSY
        else:
            quarter = at_us // _QUARTER
            slot, day = owner.clock.get(quarter) or self._tell_time(owner, quarter)
            if number.day != day:
                number.day = day
                number.today = 0
            at_hand = home < near.at_hand[number.mobile][slot]
            hour, today = slot % 24, number.today
            picked_up = False
            if at_hand:
                tired = nth + number.worn
                p_answer = (
                    near.pick_up
                    * self._fatigue[tired if tired < _WORN else _WORN - 1]
                    * self._same_day[today if today < _WORN else _WORN - 1]
                    * self._same_hour[number.hours[hour]]
                )
                if self.answer_rate != 1.0:
                    p_answer = min(1.0, p_answer) * self.answer_rate
                picked_up = answers < p_answer
            if picked_up:
                who = number.who(owner, whose)
                ring_us = self._ring_us(rings)
            else:
                fate, who, ring_us = self._missed(number, at_hand, machine, rings)
            number.today = today + 1
            number.rang(hour)
            self._rang_row(owner.row)
            self._rang_at(at_us)
        median_s, spread = self._line.setup_s
        setup_us = int(lognormal(setup, median_s, spread) * SECOND)
        return Meeting(phone, owner.person, nth, who, fate, setup_us, ring_us)

    def answer(self, meeting: Meeting) -> None:
        u = self._chance.u(Purpose.patience, meeting.phone, meeting.nth)
        line = self._line
        seconds = uniform(u, *line.voicemail_s) if meeting.who == "machine" else exponential(u, line.patience_s)
        meeting.patience_us = int(seconds * SECOND)

    def talk(self, meeting: Meeting) -> None:
        law = self.laws.talk
        seconds = lognormal(self._chance.u(Purpose.talk, meeting.phone, meeting.nth), *self._talk_s[meeting.who])
        meeting.talk_us = int(min(seconds, law.longest_s) * self.talk_time * SECOND)
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
        return self._converse(asked_for, at_us, debts, meeting.agent)

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
            works = law.works * self._taste(person, channel)
        self._conduct.contacted(known.row, at_us, works, law.pressure)

    def rang(self, person: int, at_us: int, *, spoke: bool) -> None:
        """Note a call that was made elsewhere, as far as it bears on what people do: it rang, and the debtor spoke."""
        row = self._persons[person].row
        self._rang_row(row)
        self._rang_at(at_us)
        if spoke and self.laws.contact.works:
            self._conduct.contacted(row, at_us, 1.0, self.laws.contact.talk_pressure)

    def truth(self, people: Iterable[Dossier], start_us: int) -> Truth:
        """Return the known truth about people, as it stands for whoever has not been contacted before an instant.

        Whoever was not met yet is met.
        """
        asked = list(people)
        self.meet(one for one in asked if one.person not in self._persons)
        known = [self._persons[one.person] for one in asked]
        rows = np.array([one.row for one in known], np.int64)
        persons, _ = self._conduct.everybody()
        answered = [self._p_answered(one.phones[0].phone, person) for one, person in zip(asked, known, strict=True)]
        by_slot = np.array([p for p, _ in answered]), np.array([p for _, p in answered])
        traits = ("person", "stage", "kind", "rhythm", "shift", "condition", "ability", "willingness", "reach", "touch")
        return Truth(
            p_answer=weekly(by_slot[0]).astype(np.float32),
            p_right_party=weekly(by_slot[1]).astype(np.float32),
            **{name: getattr(persons, name)[rows] for name in traits},
            **of_paying(self._conduct, self._register.mixture, rows, start_us),
        )

    def responses(self, people: Iterable[Dossier], at_us: int, days: int, channels: Sequence[str]) -> Response:
        """Return what would come within some days of a contact at an instant, by channel, and of none.

        Parameters
        ----------
        channels
            Of `laws.channels`; "" for no contact, "call" for a conversation with the debtor.
        """
        known = [self._persons[one.person] for one in people]
        rows = np.array([one.row for one in known], np.int64)
        free = np.array([one.condition is None and one.said is None for one in known], np.bool_)
        return responses(
            self._conduct, self._register.mixture, rows, free, at_us, days,
            [self._action(channel, known) for channel in channels],
        )  # fmt: skip

    def _action(self, channel: str, known: Sequence[Person]) -> Action:
        nobody, works = np.zeros(len(known)), self.laws.contact.works
        if not channel or not works:
            return Action(nobody, nobody)
        if channel == "call":
            return Action(np.ones(len(known)), np.ones(len(known)), talk=True)
        law = self.laws.channels[channel]
        taste = np.array([self._taste(one.person, channel) for one in known])
        return Action(np.full(len(known), law.p_seen), law.works * taste)

    def _taste(self, person: int, channel: str) -> float:
        spread = self.laws.contact.channel_spread
        drawn = spread * normal(self._chance.u(Purpose.taste, person, entity_of(channel)))
        return math.exp(drawn - spread * spread / 2)

    def _p_answered(self, phone: int, asked_for: Person) -> tuple[F8, F8]:
        """Return the probabilities by slot of the week that a first call is answered, and by the one asked for."""
        number, law = self._numbers[phone], self.laws.answering
        answered, right = np.zeros(72), np.zeros(72)
        if number.dead:
            return answered, right
        rings = 1.0 - law.p_congestion - law.p_network_fail - law.p_busy
        if (stranger := number.stranger) is not None:
            return rings * np.array(stranger.at_hand[number.mobile]) * min(1.0, stranger.pick_up), right
        residents = number.residents or (number.owner,)
        for one in residents:
            p = rings / len(residents) * np.array(one.at_hand[number.mobile]) * min(1.0, one.pick_up)
            answered += p
            if one is asked_for and one.condition is not Disposition.deceased:
                right = p * number.p_debtor
        return answered, right

    def hours(self, person: int, phone: int, hours_us: tuple[int, ...]) -> tuple[F8, F8]:
        """Return the known truth of the next call in hours that begin at some instants, (hours,) each.

        That a person answers, and that the debtor asked for does, over the whole hour where the debtor lives; the calls
        of today and those before tell on it.
        """
        number, owner = self._numbers[phone], self._persons[person]
        slots, days = clock_of(number.owner.zone, hours_us)
        nth = min(number.nth + 1 + number.worn, _WORN - 1)
        worn = self._fatigue[nth] * np.array([self._same_hour[n] for n in number.hours])
        again = np.where(days == number.day, self._same_day[min(number.today, _WORN - 1)], 1.0)
        by_quarter = [(p.reshape(3, 24) * worn).reshape(-1)[slots] * again for p in self._p_answered(phone, owner)]
        if slots.shape[1] == 1:
            return by_quarter[0][:, 0], by_quarter[1][:, 0]
        return by_quarter[0].mean(axis=1), by_quarter[1].mean(axis=1)

    def machine(self, person: int, phone: int) -> float:
        """Return the known truth that a machine answers a number where no person does, over the hours of a week."""
        number, law = self._numbers[phone], self.laws.answering
        if number.dead or not number.voicemail:
            return 0.0
        answered = weekly(self._p_answered(phone, self._persons[person])[0][None]).mean()
        rings = 1.0 - law.p_congestion - law.p_network_fail - law.p_busy
        missed = rings - answered
        if number.mobile:
            # Some of those at hand decline.
            near = [number.stranger] if number.stranger else number.residents or [number.owner]
            at_hand = weekly(np.mean([one.at_hand[True] for one in near], axis=0)[None]).mean()
            missed -= law.p_decline * max(0.0, rings * at_hand - answered)
        return float(missed / (1.0 - answered))

    def chance_now(self, phone: int, at_us: int) -> tuple[float, dict[int, float]]:
        """Return the known truth of the next call: that a person answers, and by whom asked for, that they do.

        It is over who is near the phone in this hour, what was said before being what it is; an earlier call within
        the hour, which meets the same absence, is not minded.
        """
        number, law = self._numbers[phone], self.laws.answering
        right: dict[int, float] = {one.person: 0.0 for one in number.residents or (number.owner,)}
        if number.dead:
            return 0.0, right
        slot, day = self._tell_time(number.owner, at_us // _QUARTER)
        nth, today = number.nth + 1, number.today if number.day == day else 0
        worn = self._fatigue[min(nth + number.worn, _WORN - 1)] * self._same_day[min(today, _WORN - 1)]
        worn *= self._same_hour[number.hours[slot % 24]]
        rings = 1.0 - law.p_congestion - law.p_network_fail - law.p_busy

        def picks_up(one: Neighbour) -> float:
            picked_up = min(1.0, min(1.0, one.pick_up * worn) * self.answer_rate)
            return rings * one.at_hand[number.mobile][slot] * picked_up

        if number.stranger is not None:
            return picks_up(number.stranger), right
        residents = number.residents or (number.owner,)
        p = {one.person: picks_up(one) / len(residents) for one in residents}
        for one in residents:
            if one.condition is not Disposition.deceased:
                right[one.person] = p[one.person] * number.p_debtor
        return sum(p.values()), right

    # ---- a call

    def _ring_us(self, rings: float) -> int:
        line = self._line
        if rings < line.p_early_ring:
            seconds = lognormal(rings / line.p_early_ring, *line.ring_s)
        else:
            seconds = lognormal((rings - line.p_early_ring) / (1.0 - line.p_early_ring), *line.late_ring_s)
        return int(seconds * SECOND)

    def _missed(self, number: Number, at_hand: bool, how: float, rings: float) -> tuple[Fate | None, str, int]:
        """Return fate, who and ring time of a call that nobody picks up."""
        line = self._line
        if number.mobile and at_hand and how < self._answering.p_decline:
            return REJECTED, "", int(uniform(rings, *line.decline_ring_s) * SECOND)
        if not number.voicemail:
            return NO_ANSWER, "", int(line.network_ring_s * SECOND)
        off = number.mobile and not at_hand and how < self._answering.p_off
        low_s, high_s = line.off_ring_s if off else line.voicemail_ring_s
        return None, "machine", int(uniform(rings, low_s, high_s) * SECOND)

    def _tell_time(self, owner: Person, quarter: int) -> tuple[int, int]:
        """Return slot of the week and local day of a quarter of an hour where somebody lives."""
        local = to_datetime(quarter * _QUARTER, owner.zone)
        told = owner.clock[quarter] = max(0, local.weekday() - 4) * 24 + local.hour, local.toordinal()
        return told

    # ---- a conversation

    def _converse(self, debtor: Person, at_us: int, debts: tuple[int, ...], agent: str) -> Said:
        u = self._chance.u
        debtor.n_talks = nth = debtor.n_talks + 1
        if self.laws.contact.works:
            self._conduct.contacted(debtor.row, at_us, 1.0, self.laws.contact.talk_pressure)
        if debtor.condition is not None:
            return Said(disposition=debtor.condition)
        disposition = debtor.said or self.suits.outcomes(debtor, agent).of(u(Purpose.outcome, debtor.person, nth))
        if disposition in _STICKS:
            debtor.said = disposition
        if disposition is Disposition.call_back:
            days = uniform(u(Purpose.call_back, debtor.person, nth), 0.9, 1.1)
            return Said(disposition=disposition, call_back_us=at_us + int(days * 24 * HOUR), own=days > 1.05)
        conduct = self._conduct
        asked = [row for row in debtor.debts if not debts or conduct.ids[row] in debts]
        open_rows = [row for row in asked if conduct.owed[row] > 0]
        if not open_rows:
            paid = [row for row in asked if row in conduct.paid]
            if paid:
                return Said(disposition=Disposition.already_paid, debt=conduct.ids[paid[0]])
            if disposition in (Disposition.promise, Disposition.plan):
                return Said(disposition=Disposition.no_promise)
            return Said(disposition=disposition)
        row = max(open_rows, key=lambda row: int(conduct.owed[row]))
        if disposition in (Disposition.promise, Disposition.plan):
            return self._promise(debtor, disposition, row, at_us)
        if disposition in (Disposition.dispute, Disposition.already_paid):
            return Said(disposition=disposition, debt=conduct.ids[row])
        return Said(disposition=disposition)

    def _promise(self, debtor: Person, disposition: Disposition, row: int, at_us: int) -> Said:
        """Promise to pay; who promises nothing but words names what will come anyhow, as far as it will."""
        laws, conduct, nth = self.laws.promises, self._conduct, debtor.n_talks
        u = self._chance.u
        first, last = laws.days
        today = to_datetime(at_us, debtor.zone).date()
        due_on = today + timedelta(days=first + int(u(Purpose.promise_due, debtor.person, nth) * (last - first + 1)))
        v = u(Purpose.promise, debtor.person, nth)
        plan = disposition is Disposition.plan
        share = 1.0 if plan or v < laws.p_full else uniform((v - laws.p_full) / (1.0 - laws.p_full), *laws.part)
        keeps = debtor.keeps
        if not keeps and (own := conduct.own_payment(row, at_us, last + GRACE_DAYS)) is not None:
            due_on, own_share = min(max(own[0], today + timedelta(days=1)), today + timedelta(days=last)), own[1]
            share = share if plan else own_share
        owed = int(conduct.owed[row])
        amount = max(1, int(owed * share))
        if keeps and laws.by_amount:
            usual = float(conduct.everybody()[1].usual[row])
            keeps = float(moved_odds(keeps, laws.by_amount * math.log(amount / usual)))
        instalments = laws.instalments if plan else 1
        if keeps:
            instants = [
                conduct.instant(Purpose.promise_time, debtor.row, due_on + timedelta(days=30 * n))
                for n in range(instalments)
            ]
            self._keep(debtor, row, amount, instants, keeps)
        return Said(
            disposition=disposition,
            debt=conduct.ids[row],
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


def _worn(fatigue: Sequence[float]) -> list[float]:
    """Return the factor of each attempt, from 1; beyond the table its last step goes on."""
    factors = [1.0, *fatigue]
    step = fatigue[-1] / fatigue[-2]
    while len(factors) < _WORN:
        factors.append(factors[-1] * step)
    return factors
