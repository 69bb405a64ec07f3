"""Who can be called: debtors and numbers as they really are, entered from dossiers."""

from collections.abc import Iterable, Sequence

import msgspec
import numpy as np
from msgspec.structs import replace

from domain.calls import Disposition
from domain.instants import to_datetime
from domain.people import NOT_CONNECTED, ContactEvent, Debt, Dossier, PastContact
from simulation.chance import Chance, Choice, Purpose
from simulation.population.conduct import Conduct
from simulation.population.laws import Laws
from simulation.population.traits import F8, I8, Mixture, at_home, draw_debts, draw_persons, dues_of

_NO_HOURS = bytes(24)
_MOBILE = ("mobile", "fixed_or_mobile")
#: Rungs on which somebody of the debtor's spoke.
_THEIRS = frozenset({ContactEvent.right_party_contact, ContactEvent.third_party})


class Neighbour(msgspec.Struct, gc=False, eq=False):
    """Whoever may pick up a telephone."""

    #: The debtor's id; a stranger's is the number negated.
    person: int
    #: Probability of being near a fixed line, a mobile, by slot of the week.
    at_hand: tuple[list[float], list[float]]
    #: Of picking up a first call.
    pick_up: float


class Person(Neighbour, gc=False, eq=False):
    """A debtor: what the hot path asks for."""

    row: int
    zone: str
    #: What this zone's clock says in each quarter of an hour: slot of the week, local day.
    clock: dict[int, tuple[int, int]]
    #: The word that ends all calling, if there is one.
    condition: Disposition | None
    outcomes: Choice[Disposition]
    #: Promises kept that would not be paid otherwise; 0: promises are words.
    keeps: float
    #: Rows of the debts on record, in the order of the dossier.
    debts: tuple[int, ...]
    #: Conversations so far: the counter of their draws.
    n_talks: int = 0
    #: What was said once and for all.
    said: Disposition | None = None


class Number(msgspec.Struct, gc=False, eq=False):
    """A number as it really is."""

    owner: Person
    mobile: bool
    #: That it is the debtor who answers, when somebody near does.
    p_debtor: float
    dead: bool = False
    voicemail: bool = False
    #: Debtors on whose records the number is, when several.
    residents: tuple[Person, ...] = ()
    stranger: Neighbour | None = None
    #: Attempts so far: the counter of their draws.
    nth: int = 0
    #: Attempts from before the world began, which tire a number as its own do.
    worn: int = 0
    #: Local day of the last attempt, attempts on it, and attempts by local hour.
    day: int = 0
    today: int = 0
    hours: bytes | bytearray = _NO_HOURS

    def who(self, owner: Person, drawn: float) -> str:
        """Return who answers where somebody does; `owner` is whose turn it is of those who share the number."""
        if self.stranger is not None:
            return "wrong_party"
        if owner.condition is Disposition.deceased:
            return "third_party"
        return "debtor" if drawn < self.p_debtor else "third_party"

    def rang(self, hour: int) -> None:
        """Count an attempt in a local hour."""
        hours = self.hours
        if type(hours) is not bytearray:
            # Most numbers are never called: they share the one that stays empty.
            hours = self.hours = bytearray(24)
        if hours[hour] < 255:
            hours[hour] += 1


class Register:
    """The debtors and numbers of a world; what they owe is entered in `conduct`."""

    def __init__(self, laws: Laws, chance: Chance, conduct: Conduct, start_us: int) -> None:
        self.persons: dict[int, Person] = {}
        self.numbers: dict[int, Number] = {}
        self.mixture = Mixture(laws)
        self._laws = laws
        self._chance = chance
        self._conduct = conduct
        self._start_on = to_datetime(start_us).date()
        self._debt_rows: dict[int, int] = {}
        self._clocks: dict[str, dict[int, tuple[int, int]]] = {}
        self._at_hand = _at_hand(laws)
        p_pick_up = laws.answering.p_pick_up
        self._usual_pick_up = sum(p_pick_up) / len(p_pick_up)
        rhythms = list(laws.presence.rhythms.values())
        self._rhythms = Choice(range(len(rhythms)), [one.share for one in rhythms])

    def meet(self, dossiers: Iterable[Dossier]) -> list[Dossier]:
        """Enter people, see `Debtors.meet`; return those who are new."""
        new: dict[int, Dossier] = {}
        again: list[Dossier] = []
        known = self.persons
        for dossier in dossiers:
            person = dossier.person
            if person in known or person in new:
                again.append(dossier)
            else:
                new[person] = dossier
        entered = list(new.values())
        self._enter(entered)
        for dossier in again:
            self._meet_again(dossier)
        return entered

    def remember(self, number: Number, line: PastContact, zone: str) -> None:
        """Let a call from before the world began have been: it tired the number, and told what is behind it."""
        number.worn += 1
        if line.event is ContactEvent.not_in_service:
            number.dead = True
        if line.event in NOT_CONNECTED:
            return
        number.dead = False
        local = to_datetime(line.at_us, zone)
        # Of several who share the number, one's calls are told after another's.
        if local.toordinal() > number.day:
            number.day, number.today = local.toordinal(), 0
        number.today += local.toordinal() == number.day
        number.rang(local.hour)
        if line.event in _THEIRS:
            number.stranger = None
        elif line.event is ContactEvent.wrong_party and number.stranger is None and line.phone is not None:
            number.stranger = self._stranger(line.phone, self._chance.u(Purpose.number, line.phone, 3))

    def _meet_again(self, dossier: Dossier) -> None:
        person, conduct = self.persons[dossier.person], self._conduct
        new = [debt for debt in dossier.debts if debt.debt not in self._debt_rows]
        if new:
            rates = conduct.everybody()[0].rate[person.row : person.row + 1]
            newly = [replace(dossier, debts=tuple(new))]
            self._enter_debts(newly, dues_of(newly), rates, person.row)
        before, person.debts = person.debts, tuple(self._debt_rows[debt.debt] for debt in dossier.debts)
        for row in before:
            if row not in person.debts:
                conduct.owed[row] = 0
        for row, debt in zip(person.debts, dossier.debts, strict=True):
            conduct.owed[row] = min(conduct.owed[row], _owed(debt))
        self._enter_numbers([(dossier, person)])

    def _enter(self, people: list[Dossier]) -> None:
        if not people:
            return
        conduct, laws = self._conduct, self._laws
        first_row, debt_row = conduct.people, len(conduct.owed)
        dues = dues_of(people)
        persons = draw_persons(self.mixture, self._chance, people, dues, conduct.zones, self._start_on)
        conduct.add_persons(persons)
        self._enter_debts(people, dues, persons.rate, first_row)
        conditions = [*laws.conditions, None]
        zones = [(name, self._clocks.setdefault(name, {})) for name in conduct.zones]
        p_pick_up, choices = laws.answering.p_pick_up, self.mixture.choices
        entered: list[Person] = []
        week = 3 * persons.rhythm + persons.shift
        traits = (
            persons.zone, persons.stage, persons.kind, week, persons.condition, persons.reach, persons.keeps
        )  # fmt: skip
        for row, (dossier, zone, stage, kind, week_of, condition, reach, keeps) in enumerate(
            zip(people, *(column.tolist() for column in traits), strict=True), first_row
        ):
            name, clock = zones[zone]
            first_debt, debt_row = debt_row, debt_row + len(dossier.debts)
            person = self.persons[dossier.person] = Person(
                dossier.person,
                self._at_hand[week_of],
                p_pick_up[stage] * reach,
                row,
                name,
                clock,
                conditions[condition],
                choices[stage][kind],
                keeps,
                tuple(range(first_debt, debt_row)),
            )
            entered.append(person)
        self._enter_numbers(zip(people, entered, strict=True))

    def _enter_debts(self, people: Sequence[Dossier], dues: tuple[I8, I8], rates: F8, first_row: int) -> None:
        conduct = self._conduct
        debts = [debt for one in people for debt in one.debts]
        row = len(conduct.owed)
        conduct.add_debts(
            draw_debts(self.mixture, people, dues, rates, first_row),
            map(_owed, debts),
            [debt.currency for debt in debts],
        )
        self._debt_rows.update(zip(conduct.ids[row:], range(row, row + len(debts)), strict=True))

    def _enter_numbers(self, people: Iterable[tuple[Dossier, Person]]) -> None:
        law = self._laws.numbers
        p_debtor = law.p_debtor_fixed, law.p_debtor_mobile
        new: list[Number] = []
        ids: list[int] = []
        places: list[int] = []
        for dossier, person in people:
            for index, phone in enumerate(dossier.phones):
                number = self.numbers.get(phone.phone)
                if number is None:
                    mobile = phone.line_type in _MOBILE
                    number = self.numbers[phone.phone] = Number(person, mobile, p_debtor[mobile])
                    new.append(number)
                    ids.append(phone.phone)
                    places.append(index)
                    continue
                residents = {one.person: one for one in (*number.residents, number.owner, person)}
                if len(residents) > 1:
                    number.residents = tuple(residents[key] for key in sorted(residents))
        if not new:
            return
        further = np.minimum(places, 1)
        phones = np.array(ids)
        dead, strange, voicemail = (self._chance.many(Purpose.number, phones, nth) for nth in range(3))
        p_voicemail = np.where([number.mobile for number in new], law.p_voicemail_mobile, law.p_voicemail_fixed)
        for place in np.flatnonzero(dead < np.array(law.p_dead)[further]).tolist():
            new[place].dead = True
        for place in np.flatnonzero(voicemail < p_voicemail).tolist():
            new[place].voicemail = True
        strangers = np.flatnonzero(strange < np.array(law.p_stranger)[further])
        drawn = self._chance.many(Purpose.number, phones[strangers], 3)
        for place, rhythm in zip(strangers.tolist(), drawn.tolist(), strict=True):
            new[place].stranger = self._stranger(ids[place], rhythm)

    def _stranger(self, phone: int, drawn: float) -> Neighbour:
        """Return somebody else who has a number: with a rhythm, and as much inclined to pick up as the average."""
        rhythm = self._rhythms.of(drawn)
        return Neighbour(-phone, self._at_hand[3 * rhythm + 1], self._usual_pick_up)


def _at_hand(laws: Laws) -> list[tuple[list[float], list[float]]]:
    """Return for each rhythm and shift the probability of being near a fixed line and a mobile, by slot of the week."""
    home = at_home(laws).reshape(3 * len(laws.presence.rhythms), -1)
    mobile = home + (1.0 - home) * laws.presence.mobile_at_hand
    return list(zip(home.tolist(), mobile.tolist(), strict=True))


def _owed(debt: Debt) -> int:
    return debt.balance_minor if debt.state == "open" and debt.balance_minor > 0 else 0
