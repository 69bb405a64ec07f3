"""Debtors of a mixed portfolio, for benchmarks of the gate: places, numbers, debts, stops, consents and histories.

Each follows from its number and the seed alone. Half live in one of 3,000 towns that no rule names. A third of them
have no history, the others up to 30 contacts of the last 32 days; one in eight has a stop, one in eight a consent. The
frequencies are guesses at a portfolio some months old.
"""

import numpy as np

from domain.instants import DAY, HOUR, MINUTE
from domain.people import CapKey, Consent, ContactEvent, Debt, Dossier, PastContact, Phone, Stop, StopKind

#: Country, region, city, zones of the address; how many debtors in 40.
_PLACES: tuple[tuple[str, str | None, str | None, tuple[str, ...], int], ...] = (
    ("ES", "MD", "Madrid", ("Europe/Madrid",), 5),
    ("ES", "CT", "Barcelona", ("Europe/Madrid",), 4),
    ("ES", "AN", None, ("Europe/Madrid",), 3),
    ("ES", "CN", None, ("Atlantic/Canary",), 2),
    ("ES", None, None, (), 1),
    ("CO", None, "Bogotá", ("America/Bogota",), 7),
    ("CO", "ANT", "Medellín", ("America/Bogota",), 4),
    ("US", "CA", "Los Angeles", ("America/Los_Angeles",), 2),
    ("US", "TX", "Houston", ("America/Chicago",), 2),
    ("US", "TX", None, (), 1),
    ("US", "NY", "Brooklyn", ("America/New_York",), 2),
    ("US", "MA", None, ("America/New_York",), 1),
    ("US", "WA", None, ("America/Los_Angeles",), 1),
    ("US", "FL", "Miami", ("America/New_York",), 2),
    ("US", "DC", None, ("America/New_York",), 1),
    ("US", "IL", None, ("America/Chicago",), 1),
    ("US", None, None, (), 1),
)
_NUMBERS: dict[str, tuple[tuple[str, bool, tuple[str, ...]], ...]] = {
    "ES": (
        ("mobile", False, ("Atlantic/Canary", "Europe/Madrid")),
        ("mobile", False, ("Atlantic/Canary", "Europe/Madrid")),
        ("fixed", True, ("Europe/Madrid",)),
    ),
    "CO": (("mobile", False, ("America/Bogota",)), ("fixed", True, ("America/Bogota",))),
    "US": (
        ("fixed_or_mobile", True, ("America/New_York",)),
        ("fixed_or_mobile", True, ("America/Chicago",)),
        ("fixed_or_mobile", True, ("America/Los_Angeles",)),
        ("fixed_or_mobile", True, ("America/Chicago", "America/Denver")),
        ("toll_free", False, ()),
    ),
}
_EVENTS = (
    *(ContactEvent.no_answer,) * 22,
    *(ContactEvent.amd_machine,) * 9,
    *(ContactEvent.busy,) * 4,
    *(ContactEvent.right_party_contact,) * 3,
    *(ContactEvent.voicemail_left,) * 2,
    *(ContactEvent.third_party,) * 2,
    ContactEvent.wrong_party,
    ContactEvent.not_in_service,
    ContactEvent.abandoned,
    *(ContactEvent.message_sent,) * 3,
    *(ContactEvent.message_delivered,) * 2,
)
_MESSAGES = frozenset({ContactEvent.message_sent, ContactEvent.message_delivered})
_STOPS = (
    StopKind.dispute,
    StopKind.do_not_call,
    StopKind.wrong_number,
    StopKind.paid,
    StopKind.breathing_space,
    StopKind.attorney,
    StopKind.revoked_sms,
    StopKind.not_in_service,
)
_CONSENTS = ("hours", "prior_express_consent", "direct_prior_consent_7d", "written_electronic_consent")
_WHERE = np.repeat(np.arange(len(_PLACES)), [place[4] for place in _PLACES])
_CURRENCIES = {"ES": "EUR", "CO": "COP", "US": "USD"}


def debtor(person: int, at_us: int, seed: int = 0) -> Dossier:
    """Return one debtor as known at an instant."""
    draw = np.random.Generator(np.random.Philox(key=seed * 1_000_000_007 + person)).integers(0, 1 << 30, 140).tolist()
    country, region, city, zones, _ = _PLACES[_WHERE[draw[0] % _WHERE.size]]
    phones = tuple(
        Phone(
            phone=person * 4 + n,
            country=country,
            line_type=line_type,
            geographic=geographic,
            zones=where,
            address_type="work" if draw[1] % 40 == n else None,
        )
        for n in range((1, 1, 2, 2, 3)[draw[2] % 5])
        for line_type, geographic, where in (_NUMBERS[country][draw[3 + n] % len(_NUMBERS[country])],)
    )
    debts = tuple(
        Debt(
            debt=person * 4 + n,
            creditor=1 + draw[7 + n] % 5,
            balance_minor=1 + draw[10 + n] % 10**6,
            currency=_CURRENCIES[country],
            state="paid" if draw[13 + n] % 40 == 0 else "open",
        )
        for n in range((1, 1, 1, 2, 3)[draw[6] % 5])
    )
    return Dossier(
        person=person,
        keys=(CapKey(f"person:{person}", 0),),
        country=country,
        region=region,
        city=city or f"town {draw[139] % 3000}",
        address_zones=zones,
        debts=debts,
        phones=phones,
        stops=() if draw[16] % 8 else (_stop(draw[17:20], debts, phones, at_us),),
        consents=() if draw[20] % 8 else (_consent(draw[21:24], at_us),),
        history=_history(person, draw[24:], debts, phones, at_us),
    )


def _stop(draw: list[int], debts: tuple[Debt, ...], phones: tuple[Phone, ...], at_us: int) -> Stop:
    kind = _STOPS[draw[0] % len(_STOPS)]
    return Stop(
        kind=kind,
        debt=debts[0].debt if kind in (StopKind.dispute, StopKind.paid) else None,
        phone=phones[-1].phone if kind in (StopKind.wrong_number, StopKind.not_in_service) else None,
        until_us=at_us + draw[1] % (20 * DAY // MINUTE) * MINUTE if kind is StopKind.breathing_space else None,
    )


def _consent(draw: list[int], at_us: int) -> Consent:
    kind = _CONSENTS[draw[0] % len(_CONSENTS)]
    ends = kind == "direct_prior_consent_7d" or draw[1] % 2
    return Consent(kind=kind, until_us=at_us + draw[2] % (9 * DAY // MINUTE) * MINUTE if ends else None)


def _history(
    person: int, draw: list[int], debts: tuple[Debt, ...], phones: tuple[Phone, ...], at_us: int
) -> tuple[PastContact, ...]:
    length = 0 if draw[0] % 3 == 0 else 1 + draw[1] % 30
    found = []
    for n in range(length):
        when, what, which = draw[2 + 3 * n : 5 + 3 * n]
        event = _EVENTS[what % len(_EVENTS)]
        debt = debts[which % len(debts)]
        imported = what // 64 % 10 == 0
        found.append(
            PastContact(
                at_us=at_us - when % (32 * DAY // MINUTE) * MINUTE - HOUR,
                event=event,
                channel="sms" if event in _MESSAGES else "call",
                inbound=event is ContactEvent.right_party_contact and what // 64 % 8 == 1,
                phone=phones[which // 8 % len(phones)].phone,
                creditor=debt.creditor,
                debts=(debt.debt,) if which // 64 % 4 else tuple(one.debt for one in debts),
                attempt=None if imported else f"floor-{person}-{n}",
            )
        )
    found.sort(key=lambda line: line.at_us)
    return tuple(found)
