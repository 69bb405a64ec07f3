"""Debtors that nobody owes, as a ledger's dossiers: whom a world without a ledger of its own is about."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Final

from domain.errors import BadInput
from domain.instants import to_datetime
from domain.money import EXPONENTS
from domain.people import CapKey, Consent, Debt, Dossier, Phone
from simulation.chance import Chance, Choice, Purpose, lognormal
from simulation.population.laws import Country, Laws

#: Ids of a debtor's phones and debts: so many from one debtor's to the next.
_STRIDE: Final = 8
#: How many-th draw of a debtor is what.
(
    _COUNTRY, _PLACE, _HOUSEHOLD, _LANGUAGE, _CONSENT, _NUMBERS, _SECOND, _FIXED, _PRODUCT, _BALANCE, _DUE,
) = (16 * n for n in range(11))  # fmt: skip


def portfolio(laws: Laws, n: int, seed: int, start_us: int) -> Iterator[Dossier]:
    """Yield debtors 1 to n; each is drawn from (seed, person) alone, whoever else there is.

    Parameters
    ----------
    n : int
        At least one.
    start_us : int
        Debts are as many days past due on this day.

    Raises
    ------
    BadInput
        When nobody is asked for.
    """
    if n < 1:
        raise BadInput(f"portfolio: {n} debtors are nobody; ask for at least one")
    # Documents of worlds are read without numerical libraries.
    from simulation.draws import Draws

    maker = _Maker(laws, Draws(seed), start_us)
    return (maker.dossier(person) for person in range(1, n + 1))


class _Maker:
    def __init__(self, laws: Laws, chance: Chance, start_us: int) -> None:
        self._laws = laws.portfolio
        self._chance = chance
        self._today = to_datetime(start_us).date()
        self._countries = Choice(tuple(self._laws.countries), tuple(self._laws.countries.values()))
        self._products = Choice(
            tuple(self._laws.products.items()), [product.weight for product in self._laws.products.values()]
        )
        self._numbers = Choice(range(1, len(self._laws.numbers) + 1), self._laws.numbers)
        known = {code: laws.countries.get(code, laws.countries["*"]) for code in self._laws.countries}
        self._known = known
        self._places = {
            code: Choice(country.places, [place.weight for place in country.places]) for code, country in known.items()
        }
        self._languages = {
            code: Choice(tuple(country.languages), tuple(country.languages.values())) for code, country in known.items()
        }
        self._everywhere = {
            code: tuple(dict.fromkeys(zone for place in country.places for zone in place.zones))
            for code, country in known.items()
        }

    def dossier(self, person: int) -> Dossier:
        laws = self._laws

        def u(what: int, nth: int = 0) -> float:
            return self._chance.u(Purpose.made, person, what + nth)

        # Of two neighbours who live together the first has the home.
        pair = (person - 1) // 2 * 2 + 1
        together = self._chance.u(Purpose.made, pair, _HOUSEHOLD) < laws.p_household
        home = pair if together else person
        code = self._countries.of(self._chance.u(Purpose.made, home, _COUNTRY))
        country = self._known[code]
        place = self._places[code].of(self._chance.u(Purpose.made, home, _PLACE))
        phones = [
            self._phone(code, country, place.zones, _STRIDE * person + nth, u(_FIXED, nth) < self._p_fixed(nth))
            for nth in range(self._numbers.of(u(_NUMBERS)))
        ]
        if together:
            phones.append(self._phone(code, country, place.zones, _STRIDE * home + _STRIDE - 1, True))
        debts = [
            self._debt(country, _STRIDE * person + nth, u, nth) for nth in range(1 + (u(_SECOND) < laws.p_second_debt))
        ]
        keys = [f"person:{person}", *(f"phone:{phone.phone}" for phone in phones)]
        if together:
            keys.append(f"household:{home}")
        return Dossier(
            person=person,
            keys=tuple(CapKey(key, 0) for key in sorted(keys)),
            country=code,
            region=place.region,
            city=place.city,
            address_zones=place.zones,
            language=self._languages[code].of(u(_LANGUAGE)),
            debts=tuple(debts),
            phones=tuple(phones),
            consents=_CONSENTS if u(_CONSENT) < laws.p_consent else (),
        )

    def _p_fixed(self, nth: int) -> float:
        return self._laws.p_fixed[min(nth, len(self._laws.p_fixed) - 1)]

    def _phone(self, code: str, country: Country, zones: tuple[str, ...], phone: int, fixed: bool) -> Phone:
        if fixed:
            return Phone(phone=phone, country=code, line_type="fixed", zones=zones)
        placed = country.mobile_geographic
        return Phone(
            phone=phone,
            country=code,
            line_type=country.mobile_type,
            geographic=placed,
            zones=zones if placed else self._everywhere[code],
        )

    def _debt(self, country: Country, debt: int, u: Callable[[int, int], float], nth: int) -> Debt:
        laws = self._laws
        name, product = self._products.of(u(_PRODUCT, nth))
        least, most = laws.days_between
        days = min(max(int(lognormal(u(_DUE, nth), *laws.days_past_due)), least), most)
        units = lognormal(u(_BALANCE, nth), product.balance * country.price_level, laws.balance_spread)
        return Debt(
            debt=debt,
            creditor=product.creditor,
            balance_minor=max(1, round(units * 10 ** EXPONENTS[country.currency])),
            currency=country.currency,
            due_on=(self._today - timedelta(days=days)).isoformat(),
            product=name,
        )


_CONSENTS: Final = (Consent(kind="prior_express_consent", channel="call"),)
