"""Random portfolios over every country of the packs: addresses, numbers, homes, debts, what went before."""

import random
from collections.abc import Callable
from typing import TypeVar

from compliance.numbers import address_zones, describe
from domain.instants import DAY, HOUR, MINUTE
from domain.people import CapKey, Consent, ContactEvent, Debt, Dossier, PastContact, Phone, Stop, StopKind

T = TypeVar("T")

#: Country, region, city; the address is verified in half of the cases.
ADDRESSES: tuple[tuple[str, str | None, str | None], ...] = (
    ("ES", "MD", "Madrid"),
    ("ES", "CN", None),
    ("ES", "CT", "Barcelona"),
    ("ES", None, None),
    ("CO", None, "Bogotá"),
    ("CO", "ANT", None),
    ("US", "NJ", None),
    ("US", "MA", "Boston"),
    ("US", "WA", "Seattle"),
    ("US", "DC", None),
    ("US", "NY", "NYC"),
    ("US", "NY", "Buffalo"),
    ("US", "FL", "Pensacola"),
    ("US", "TN", "Knoxville"),
    ("US", "TX", "El Paso"),
    ("US", "HI", None),
    ("US", None, None),
    ("GB", "ENG", "London"),
    ("GB", "SCT", "Glasgow"),
    ("GB", None, None),
    ("CL", "RM", "Santiago"),
    ("CL", "MA", None),
    ("CL", None, None),
    ("PE", None, "Lima"),
    ("MX", "ROO", "Cancún"),
    ("MX", "BCN", "Tijuana"),
    ("MX", None, None),
    ("AR", "C", "CABA"),
    ("AR", "X", None),
    ("AR", None, None),
    ("BR", "SP", "São Paulo"),
    ("BR", "AM", "Manaus"),
    ("BR", "RJ", None),
    ("BR", "AL", None),
    ("BR", None, None),
    ("FR", None, "Paris"),
)
#: Prefixes of numbers, with how many digits follow.
NUMBERS: dict[str, tuple[tuple[str, int], ...]] = {
    "ES": (("+346", 8), ("+34928", 6), ("+3491", 7)),
    "CO": (("+57310", 7), ("+57601", 7)),
    "US": (("+1212555", 4), ("+1617555", 4), ("+1206555", 4), ("+1423265", 4), ("+1915555", 4), ("+1800555", 4)),
    "GB": (("+447911", 6), ("+442079", 6), ("+44141", 7)),
    "CL": (("+569", 8), ("+562", 8), ("+5661", 7)),
    "PE": (("+519", 8), ("+511", 7)),
    "MX": (("+5255", 8), ("+52998", 7), ("+52664", 7)),
    "AR": (("+54911", 8), ("+5411", 8), ("+54351", 7)),
    "BR": (("+55119", 8), ("+5592", 8), ("+5581", 8)),
    "FR": (("+336", 8),),
}
CURRENCIES = {"ES": "EUR", "FR": "EUR", "US": "USD", "GB": "GBP", "CO": "COP", "CL": "CLP", "PE": "PEN", "MX": "MXN"}
CURRENCIES |= {"AR": "ARS", "BR": "BRL"}
#: Consents that some row of the packs asks for, or that lift one.
CONSENTS = ("hours", "prior_express_consent", "electronic_consent", "written_electronic_consent")
CREDITORS = 3

_PAST_EVENTS = (
    ContactEvent.no_answer,
    ContactEvent.busy,
    ContactEvent.abandoned,
    ContactEvent.amd_machine,
    ContactEvent.voicemail_left,
    ContactEvent.third_party,
    ContactEvent.right_party_contact,
)
_PAST_MESSAGES = (ContactEvent.message_sent, ContactEvent.message_delivered)


class Portfolio:
    """People and the digits of their numbers."""

    def __init__(self, chance: random.Random, n_people: int, start_us: int) -> None:
        self.people: list[Dossier] = []
        self.numbers: dict[int, str] = {}
        self._chance = chance
        self._start_us = start_us
        self._debts = 0
        self._homes = 0
        while len(self.people) < n_people:
            address = chance.choice(ADDRESSES)
            # People of one home share an address and often a number.
            at_home = chance.choice((1, 1, 1, 2, 3))
            home = None
            if at_home > 1:
                self._homes += 1
                home = self._homes
            shared = self._phone(address) if home is not None and chance.random() < 0.6 else None
            for _ in range(min(at_home, n_people - len(self.people))):
                self.people.append(self._person(address, home, shared))

    def _person(self, address: tuple[str, str | None, str | None], home: int | None, shared: Phone | None) -> Dossier:
        chance = self._chance
        country, region, city = address
        person = len(self.people) + 1
        phones = [self._phone(address) for _ in range(chance.choice((1, 1, 2, 3)))]
        if shared is not None:
            phones.insert(chance.randint(0, len(phones)), shared)
        debts = tuple(self._debt(country) for _ in range(chance.choice((1, 1, 2, 3))))
        keys = [f"person:{person}", *(f"phone:{one.phone}" for one in phones)]
        if home is not None:
            keys.append(f"household:{home}")
        return Dossier(
            person=person,
            keys=tuple(CapKey(key, 0) for key in sorted(keys)),
            country=country,
            region=region,
            city=city,
            address_zones=address_zones(country, region, city, None) if chance.random() < 0.5 else (),
            debts=debts,
            phones=tuple(phones),
            stops=self._some(0.06, lambda: self._stop(debts, phones)),
            consents=self._some(0.3, lambda: self._consent(phones)),
            history=self._past(debts, phones),
        )

    def _phone(self, address: tuple[str, str | None, str | None]) -> Phone:
        chance = self._chance
        country = "US" if chance.random() < 0.05 else address[0]
        while True:
            prefix, n_digits = chance.choice(NUMBERS[country])
            digits = prefix + "".join(chance.choice("0123456789") for _ in range(n_digits))
            if digits not in self.numbers.values():
                break
        facts = describe(digits)
        phone = len(self.numbers) + 1
        self.numbers[phone] = digits
        return Phone(
            phone=phone,
            country=facts.country,
            line_type=facts.line_type,
            geographic=facts.geographic,
            zones=facts.zones,
            address_type=chance.choice((None, None, "home", "mobile", "work")),
        )

    def _debt(self, country: str) -> Debt:
        chance = self._chance
        self._debts += 1
        return Debt(
            debt=self._debts,
            creditor=chance.randint(1, CREDITORS),
            balance_minor=chance.randint(1_000, 900_000),
            currency=CURRENCIES[country],
            due_on=f"2026-{chance.randint(1, 7):02}-{chance.randint(1, 28):02}",
            state=chance.choice(("open",) * 12 + ("paid", "withdrawn")),
        )

    def _some(self, p: float, make: Callable[[], T]) -> tuple[T, ...]:
        return (make(),) if self._chance.random() < p else ()

    def _stop(self, debts: tuple[Debt, ...], phones: list[Phone]) -> Stop:
        chance = self._chance
        kind = chance.choice((*STOPS, StopKind.wrong_number, StopKind.not_in_service))
        of_a_number = kind in (StopKind.wrong_number, StopKind.not_in_service)
        return Stop(
            kind=kind,
            debt=chance.choice(debts).debt if kind in OF_A_DEBT and chance.random() < 0.5 else None,
            phone=chance.choice(phones).phone if of_a_number else None,
            until_us=self._start_us + chance.randint(0, 6 * 24) * HOUR
            if kind in ENDING and chance.random() < 0.5
            else None,
        )

    def _consent(self, phones: list[Phone]) -> Consent:
        chance = self._chance
        return Consent(
            kind=chance.choice(CONSENTS),
            channel=chance.choice((None, None, "call", "sms")),
            phone=chance.choice(phones).phone if chance.random() < 0.2 else None,
            until_us=self._start_us + chance.randint(0, 6 * 24) * HOUR if chance.random() < 0.3 else None,
        )

    def _past(self, debts: tuple[Debt, ...], phones: list[Phone]) -> tuple[PastContact, ...]:
        chance = self._chance
        lines = []
        for _ in range(chance.choice((0, 0, 0, 1, 2, 5))):
            channel = chance.choice(("call", "call", "call", "sms", "email"))
            inbound = channel == "call" and chance.random() < 0.15
            event = chance.choice(_PAST_EVENTS if channel == "call" else _PAST_MESSAGES)
            about = chance.choice((None, None, chance.choice(debts)))
            lines.append(
                PastContact(
                    at_us=self._start_us - chance.randint(1, 31 * 24 * 60) * MINUTE,
                    event=ContactEvent.right_party_contact if inbound else event,
                    channel=channel,
                    inbound=inbound,
                    phone=None if channel == "email" else chance.choice((None, chance.choice(phones).phone)),
                    creditor=None if about is None else about.creditor,
                    debts=() if about is None else (about.debt,),
                    address_type=chance.choice((None, None, None, "work")),
                )
            )
        return tuple(sorted(lines, key=lambda line: line.at_us))


#: What somebody may write down of a person at any moment.
STOPS = (
    StopKind.cease_written,
    StopKind.attorney,
    StopKind.dispute,
    StopKind.do_not_call,
    StopKind.vulnerable,
    StopKind.bankrupt,
    StopKind.deceased,
    StopKind.breathing_space,
    StopKind.revoked_sms,
    StopKind.revoked_email,
)
#: Those that an agent never records, so that one that ends stays as it is.
ENDING = frozenset({StopKind.cease_written, StopKind.attorney, StopKind.bankrupt, StopKind.breathing_space})
OF_A_DEBT = frozenset({StopKind.cease_written, StopKind.attorney, StopKind.dispute, StopKind.breathing_space})
WEEK_US = 7 * DAY
