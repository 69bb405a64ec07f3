"""A portfolio that nobody owes: debtors of Spain, Colombia and the United States as an import file has them.

The same seed writes the same file, row by row, however many rows are asked for. The numbers are valid and may belong to
somebody: this file is for rehearsals and the lab, whose networks reach nobody.
"""

import csv
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Final

import msgspec

from domain.instants import DAY, HOUR, iso, to_datetime
from simulation.chance import Chance, Choice, lognormal

HEADER: Final = (
    "creditor", "account", "global_person", "name", "phone1", "phone2", "phone3", "country", "region", "city",
    "postal_code", "street", "language", "balance", "currency", "due_date", "product", "household", "owner", "rank",
    "consents", "stops", "prior_attempts",
)  # fmt: skip


class _Draw:
    """One purpose for each quantity, apart from those of `simulation.chance.Purpose`."""

    country: Final = 48
    name: Final = 49
    place: Final = 50
    phones: Final = 51
    digits: Final = 52
    product: Final = 53
    balance: Final = 54
    due: Final = 55
    second: Final = 56
    home: Final = 57
    stop: Final = 58
    attempts: Final = 59
    consent: Final = 60


class _Place(msgspec.Struct, frozen=True):
    region: str
    city: str
    #: First digits of its postal codes.
    postal: str
    #: First digits of its fixed numbers.
    area: str


class _Country(msgspec.Struct, frozen=True):
    code: str
    prefix: str
    currency: str
    languages: Choice[str]
    names: tuple[str, ...]
    surnames: tuple[str, ...]
    #: Surnames of one person.
    n_surnames: int
    places: Choice[_Place]
    streets: tuple[str, ...]
    #: First digits of mobile numbers; empty: mobile numbers have the area's.
    mobile: tuple[str, ...]
    #: Digits of a national number.
    n_digits: int
    n_postal: int
    #: (product, creditor, median balance in the currency's major unit)
    products: Choice[tuple[str, str, float]]
    decimals: int


_SPAIN = _Country(
    code="ES",
    prefix="+34",
    currency="EUR",
    languages=Choice(("es", "ca", "en"), (92, 6, 2)),
    names=(
        "María",
        "Carmen",
        "Ana",
        "Laura",
        "Lucía",
        "Cristina",
        "Marta",
        "Elena",
        "Pilar",
        "Rosa",
        "Antonio",
        "José",
        "Manuel",
        "Francisco",
        "David",
        "Juan",
        "Javier",
        "Daniel",
        "Carlos",
        "Miguel",
        "Alejandro",
        "Rafael",
        "Íñigo",
    ),
    surnames=(
        "García",
        "Rodríguez",
        "González",
        "Fernández",
        "López",
        "Martínez",
        "Sánchez",
        "Pérez",
        "Gómez",
        "Martín",
        "Jiménez",
        "Hernández",
        "Ruiz",
        "Díaz",
        "Moreno",
        "Muñoz",
        "Álvarez",
        "Romero",
        "Gutiérrez",
        "Navarro",
        "Ibáñez",
    ),
    n_surnames=2,
    places=Choice(
        (
            _Place("Madrid", "Madrid", "280", "91"),
            _Place("Cataluña", "Barcelona", "080", "93"),
            _Place("Andalucía", "Sevilla", "410", "954"),
            _Place("Andalucía", "Málaga", "290", "952"),
            _Place("Comunidad Valenciana", "Valencia", "460", "963"),
            _Place("País Vasco", "Bilbao", "480", "944"),
            _Place("Galicia", "A Coruña", "150", "981"),
            _Place("Canarias", "Las Palmas de Gran Canaria", "350", "928"),
            _Place("Murcia", "Murcia", "300", "968"),
        ),
        (24, 20, 11, 9, 10, 7, 6, 7, 6),
    ),
    streets=("Calle Mayor", "Avenida de la Constitución", "Calle Real", "Paseo del Prado", "Calle del Carmen"),
    mobile=("60", "61", "62", "63", "64", "65", "66", "67", "68", "69"),
    n_digits=9,
    n_postal=5,
    products=Choice(
        (
            ("loan", "Banco del Duero", 4200),
            ("card", "Crédito Rápido SFC", 1800),
            ("telecom", "Telefonía Ibérica de Ejemplo", 260),
            ("utility", "Aguas de Ejemplo", 180),
        ),
        (30, 35, 25, 10),
    ),
    decimals=2,
)
_COLOMBIA = _Country(
    code="CO",
    prefix="+57",
    currency="COP",
    languages=Choice(("es",), (1,)),
    names=(
        "Luz Marina",
        "Diana",
        "Paola",
        "Sandra",
        "Claudia",
        "Andrea",
        "Natalia",
        "Yolanda",
        "Marcela",
        "Adriana",
        "Luis",
        "Jorge",
        "Andrés",
        "Camilo",
        "Santiago",
        "Hernán",
        "Álvaro",
        "Óscar",
        "Fabián",
        "Wilson",
        "Jhon Jairo",
    ),
    surnames=(
        "Rodríguez",
        "Gómez",
        "Martínez",
        "López",
        "González",
        "Ramírez",
        "Castro",
        "Vargas",
        "Rojas",
        "Moreno",
        "Muñoz",
        "Ortiz",
        "Restrepo",
        "Ospina",
        "Quintero",
        "Cárdenas",
        "Mejía",
        "Zapata",
        "Giraldo",
        "Peña",
    ),
    n_surnames=2,
    places=Choice(
        (
            _Place("Bogotá D.C.", "Bogotá", "110", "601"),
            _Place("Antioquia", "Medellín", "050", "604"),
            _Place("Valle del Cauca", "Cali", "760", "602"),
            _Place("Atlántico", "Barranquilla", "080", "605"),
            _Place("Santander", "Bucaramanga", "680", "607"),
            _Place("Risaralda", "Pereira", "660", "606"),
        ),
        (38, 22, 16, 11, 7, 6),
    ),
    streets=("Calle 45", "Carrera 7", "Avenida 68", "Diagonal 22", "Transversal 93"),
    mobile=("300", "301", "302", "310", "311", "312", "313", "314", "315", "316", "317", "318", "320", "321"),
    n_digits=10,
    n_postal=6,
    products=Choice(
        (
            ("loan", "Banco Cafetero de Ejemplo", 6_500_000),
            ("card", "Financiera Andina", 2_800_000),
            ("telecom", "Móvil Caribe", 310_000),
            ("store", "Almacenes de Ejemplo", 740_000),
        ),
        (35, 35, 20, 10),
    ),
    decimals=0,
)
_UNITED_STATES = _Country(
    code="US",
    prefix="+1",
    currency="USD",
    languages=Choice(("en", "es"), (84, 16)),
    names=(
        "Mary",
        "Jennifer",
        "Linda",
        "Jessica",
        "Karen",
        "Ashley",
        "Maria",
        "Michelle",
        "Angela",
        "Tamika",
        "James",
        "Robert",
        "John",
        "Michael",
        "William",
        "Christopher",
        "Anthony",
        "Kevin",
        "José",
        "Tyrone",
        "Brian",
    ),
    surnames=(
        "Smith",
        "Johnson",
        "Williams",
        "Brown",
        "Jones",
        "Miller",
        "Davis",
        "Garcia",
        "Rodriguez",
        "Wilson",
        "Martinez",
        "Anderson",
        "Taylor",
        "Thomas",
        "Hernandez",
        "Moore",
        "Jackson",
        "O'Brien",
        "Nguyen",
        "Robinson",
    ),
    n_surnames=1,
    places=Choice(
        (
            _Place("CA", "Los Angeles", "900", "213"),
            _Place("TX", "Houston", "770", "713"),
            _Place("FL", "Miami", "331", "305"),
            _Place("NY", "New York", "100", "212"),
            _Place("IL", "Chicago", "606", "312"),
            _Place("AZ", "Phoenix", "850", "602"),
            _Place("GA", "Atlanta", "303", "404"),
            _Place("MA", "Boston", "021", "617"),
            _Place("WA", "Seattle", "981", "206"),
            _Place("TN", "Nashville", "372", "615"),
        ),
        (18, 15, 14, 12, 9, 8, 8, 6, 5, 5),
    ),
    streets=("Main Street", "Oak Avenue", "2nd Street", "Maple Drive", "Washington Boulevard"),
    mobile=(),
    n_digits=10,
    n_postal=5,
    products=Choice(
        (
            ("card", "First Example Bank", 2400),
            ("medical", "Lakeside Medical Group", 900),
            ("auto", "Prairie Credit Union", 7800),
            ("telecom", "Example Wireless", 310),
        ),
        (40, 35, 15, 10),
    ),
    decimals=2,
)
_COUNTRIES: Final = Choice((_SPAIN, _COLOMBIA, _UNITED_STATES), (40, 35, 25))
_STOPS: Final = Choice(
    ("", "dispute", "do_not_call", "vulnerable", "cease_written", "attorney", "bankrupt", "deceased", "paid"),
    (965, 8, 6, 4, 4, 3, 3, 3, 4),
)
_EVENTS: Final = Choice(
    ("no_answer", "busy", "amd_machine", "right_party_contact", "third_party", "wrong_party", "not_in_service"),
    (50, 8, 18, 10, 8, 3, 3),
)


class Sample:
    """The rows of one seed.

    Parameters
    ----------
    at_us : int
        The day on which the file is made: due dates and prior attempts lie before it.
    """

    def __init__(self, seed: int, at_us: int) -> None:
        self._chance = Chance(seed)
        self._at_us = at_us
        self._today = to_datetime(at_us).date()

    def rows(self, debtors: int) -> Iterator[tuple[str, ...]]:
        """Yield the accounts of so many debtors, in order; some have two."""
        for debtor in range(debtors):
            yield self._row(debtor, 0)
            if self._u(_Draw.second, debtor) < 0.08:
                yield self._row(debtor, 1)

    def _u(self, draw: int, debtor: int, counter: int = 0) -> float:
        return self._chance.u(draw, debtor, counter)

    def _of(self, draw: int, debtor: int, counter: int, options: tuple[str, ...]) -> str:
        return options[int(self._u(draw, debtor, counter) * len(options))]

    def _row(self, debtor: int, nth: int) -> tuple[str, ...]:
        # Every fortieth debtor lives with the one before.
        home = debtor - 1 if debtor % 40 == 39 else debtor
        country = _COUNTRIES.of(self._u(_Draw.country, home))
        place = country.places.of(self._u(_Draw.place, home))
        product, creditor, median = country.products.of(self._u(_Draw.product, debtor, nth))
        due_days = int(lognormal(self._u(_Draw.due, debtor, nth), 110, 0.8)) + 5
        units = lognormal(self._u(_Draw.balance, debtor, nth), median, 0.9)
        balance = f"{round(units, 2):.2f}" if country.decimals else f"{round(units, -2):.0f}"
        phones = self._phones(country, place, debtor)
        stop = _STOPS.of(self._u(_Draw.stop, debtor, nth))
        if stop in ("dispute", "cease_written", "deceased"):
            stop += f"@{self._today - timedelta(days=1 + debtor % 200)}"
        consents = "prior_express_consent:call" if self._u(_Draw.consent, debtor) < 0.85 else ""
        postal = (
            place.postal
            + f"{int(self._u(_Draw.place, home, 1) * 10 ** (country.n_postal - 3)):0{country.n_postal - 3}d}"
        )
        street = f"{self._of(_Draw.place, home, 2, country.streets)} {1 + int(self._u(_Draw.place, home, 3) * 140)}"
        surnames = [self._of(_Draw.name, debtor, 1 + n, country.surnames) for n in range(country.n_surnames)]
        return (
            creditor,
            f"{country.code}{debtor + 1:07d}-{nth + 1}",
            f"{country.code}-{debtor + 1:07d}",
            " ".join((self._of(_Draw.name, debtor, 0, country.names), *surnames)),
            *[*phones, "", ""][:3],
            country.code,
            place.region,
            place.city,
            postal,
            street,
            country.languages.of(self._u(_Draw.name, debtor, 5)),
            balance,
            country.currency,
            (self._today - timedelta(days=due_days)).isoformat(),
            product,
            f"H{home + 1:07d}" if debtor % 40 >= 38 else "",
            f"agent{1 + debtor % 20:02d}" if debtor % 25 == 7 else "",
            str(1 + debtor % 9),
            consents,
            stop,
            self._attempts(debtor, phones) if nth == 0 else "",
        )

    def _phones(self, country: _Country, place: _Place, debtor: int) -> list[str]:
        n = 1 + int(self._u(_Draw.phones, debtor) ** 2 * 2.6)
        return [self._phone(country, place, debtor, nth) for nth in range(n)]

    def _phone(self, country: _Country, place: _Place, debtor: int, nth: int) -> str:
        fixed = nth == 2 or not country.mobile
        start = place.area if fixed else self._of(_Draw.digits, debtor, 2 * nth, country.mobile)
        u = self._u(_Draw.digits, debtor, 2 * nth + 1)
        # After the area come 2 to 9: no exchange begins with 0 or 1.
        free = country.n_digits - len(start) - 1
        return f"{country.prefix}{start}{2 + int(u * 8)}{int(u * 8 % 1 * 10**free):0{free}d}"

    def _attempts(self, debtor: int, phones: list[str]) -> str:
        n = int(self._u(_Draw.attempts, debtor) ** 3 * 6)
        attempts = []
        for nth in range(n):
            u = self._u(_Draw.attempts, debtor, 2 * nth + 1)
            # Between 15:00 and 17:00 UTC: a decent hour in all three countries.
            day_us = (self._at_us // DAY - 1 - int(u * 27)) * DAY
            at_us = day_us + 15 * HOUR + int(u * 27 % 1 * 7200) * 1_000_000
            event = _EVENTS.of(self._u(_Draw.attempts, debtor, 2 * nth + 2))
            attempts.append(f"{iso(at_us)[:19]}Z call {event} {phones[nth % len(phones)]}")
        return ";".join(sorted(set(attempts)))


def write_sample(path: Path, *, debtors: int, seed: int, at_us: int) -> int:
    """Write the portfolio of a seed as CSV; return the number of accounts."""
    accounts = 0
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(HEADER)
        for row in Sample(seed, at_us).rows(debtors):
            writer.writerow(row)
            accounts += 1
    return accounts
