"""Debtors for the tests of the gate, each in one line."""

from functools import lru_cache
from typing import Any

from compliance.gate import Gate
from compliance.packs import SHIPPED
from domain.instants import parse
from domain.people import CapKey, ContactEvent, Debt, Dossier, PastContact, Phone, Verdict

MADRID = Phone(phone=1, country="ES", line_type="fixed", zones=("Europe/Madrid",))
ES_MOBILE = Phone(
    phone=1, country="ES", line_type="mobile", geographic=False, zones=("Atlantic/Canary", "Europe/Madrid")
)
BOGOTA = Phone(phone=1, country="CO", line_type="mobile", geographic=False, zones=("America/Bogota",))
NEW_YORK = Phone(phone=1, country="US", line_type="fixed_or_mobile", zones=("America/New_York",))
LOS_ANGELES = Phone(phone=1, country="US", line_type="fixed_or_mobile", zones=("America/Los_Angeles",))
TENNESSEE = Phone(phone=1, country="US", line_type="fixed_or_mobile", zones=("America/Chicago", "America/New_York"))
TOLL_FREE = Phone(phone=1, country="US", line_type="toll_free", geographic=False, zones=())


@lru_cache(maxsize=2)
def shipped(strict: bool = True) -> Gate:
    return Gate.load(SHIPPED, strict=strict)


def debt(number: int = 1, **changes: Any) -> Debt:
    return Debt(**({"debt": number, "creditor": 1, "balance_minor": 10_000, "currency": "EUR"} | changes))


def line(at: str, event: str, **changes: Any) -> PastContact:
    return PastContact(**({"at_us": parse(at), "event": ContactEvent(event), "debts": (1,), "phone": 1} | changes))


def debtor(country: str, *history: PastContact, **changes: Any) -> Dossier:
    return Dossier(
        **(
            {
                "person": 1,
                "keys": (CapKey("person:1", 0),),
                "country": country,
                "debts": (debt(),),
                "history": history,
            }
            | changes
        )
    )


def judge(dossier: Dossier, at: str, phone: Phone | None, *, strict: bool = True, **changes: Any) -> Verdict:
    """Judge a contact of a third-party collector about all debts."""
    asked: dict[str, Any] = {"debts": (), "actor": "third_party", "purpose": "collection"} | changes
    return shipped(strict).judge(dossier, at_us=parse(at), phone=phone, **asked)


MD = debtor("ES", region="MD", address_zones=("Europe/Madrid",))
CO = debtor("CO", address_zones=("America/Bogota",))
#: A state with no rules of its own.
NJ = debtor("US", region="NJ", address_zones=("America/New_York",))
NOON = "2026-11-18T17:00:00Z"  # midday in New York and Bogotá, six in the evening in Madrid
WEEK = [f"2026-11-{day}T10:00:00-05:00" for day in range(11, 18)]


def us(region: str, city: str | None = None, **changes: object) -> Dossier:
    return debtor("US", region=region, city=city, address_zones=("America/New_York",), **changes)


def times(event: str, *instants: str, **changes: object) -> tuple[object, ...]:
    return tuple(line(at, event, **changes) for at in instants)
