"""The mask of many debtors says cell by cell what the gate says one by one."""

from datetime import date, timedelta
from random import Random
from typing import Any

import msgspec
import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from compliance.columns import columns_of
from compliance.gate import Gate
from compliance.mask import callable_mask
from compliance.packs import Packs
from compliance.rows import ACTORS, CHANNELS, PURPOSES, Cap, Cooldown, Jurisdiction, Registry, Row, Span, Window
from compliance.zones import day_start
from domain.instants import DAY, HOUR, MINUTE, parse
from domain.people import Consent, ContactEvent, Debt, Dossier, PastContact, Phone, Stop, StopKind
from tests.property.test_gate_laws import GATES, INVENTED, NUMBERS, around, dossiers, instants, lines, of_others

#: Around these something changes: clocks, rows that take effect or end, years.
TURNS = [
    parse(f"{day}T12:00:00Z")
    for day in ("2026-09-01", "2026-10-01", "2026-10-25", "2026-11-01", "2026-11-15", "2026-12-31", "2027-03-14")
]
BOUNDARIES: list[Any] = ["exclusive", "inclusive_start"]
SPANS: list[Any] = [
    Span(type="calendar_day"),
    Span(type="rolling_days", n=3),
    Span(type="rolling_hours", n=26),
    Span(type="calendar_week", week_start="sun"),
    Span(type="calendar_week", week_start="mon"),
    Span(type="calendar_month"),
]
EVENTS = [*ContactEvent, *[ContactEvent.no_answer, ContactEvent.right_party_contact, ContactEvent.message_sent] * 3]
SCOPES: list[Any] = [
    *[("person",), ("person", "debt"), ("creditor",), ("phone",), ("channel", "debt"), ("address_type",)],
    *[("household",), ("household", "creditor"), ("household", "phone")],
]
UNLESS: list[str | None] = [None, "advertising_consent"]


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """A week's mask that is asked for."""

    gate: Gate
    people: list[Dossier]
    named: list[tuple[int, ...]]
    phones: list[int]
    slots: list[int]
    asked: dict[str, Any]

    def phone(self, of: int) -> Phone | None:
        return self.people[of].phones[self.phones[of]] if self.phones[of] >= 0 else None

    def mask(self) -> list[list[bool]]:
        found: list[list[bool]] = callable_mask(
            self.gate,
            columns_of(self.people, self.named),
            np.array(self.slots, dtype=np.int64),
            phones=np.array(self.phones, dtype=np.int32),
            **self.asked,
        ).tolist()
        return found

    def judged(self, of: int, at_us: int) -> bool:
        verdict = self.gate.judge(
            self.people[of], at_us=at_us, phone=self.phone(of), debts=self.named[of], **self.asked
        )
        return verdict.allowed and (verdict.valid_until_us or 0) >= at_us + HOUR


@st.composite
def weeks(draw: st.DrawFn, at_us: int) -> list[int]:
    """Hours of the days about an instant: a floor's calendar, or any."""
    first = at_us // HOUR * HOUR + draw(st.sampled_from([0, 0, 15, 30])) * MINUTE - draw(st.integers(0, 72)) * HOUR
    hours = draw(st.sampled_from([range(24 * 4), [day * 24 + hour for day in range(7) for hour in range(12)]]))
    return [first + hour * HOUR for hour in hours]


@st.composite
def rows_changed(draw: st.DrawFn, packs: Packs, at_us: int) -> Packs:
    """A few rows other than any that were written: limits, spans, scopes, bounds, days on which they take effect."""
    near = date(1970, 1, 1) + timedelta(days=at_us // DAY)

    def changed(row: Row) -> Row:
        if isinstance(row, Cap | Cooldown) and draw(st.integers(0, 3)):
            return replace(row, status="repealed")  # of many, the one that matters is seldom seen
        days = st.one_of(st.none(), st.none(), st.integers(-3, 3).map(lambda n: near + timedelta(days=n)))
        row = replace(row, effective_from=draw(days), effective_to=draw(days))
        if isinstance(row, Window):
            return replace(
                row, boundary=draw(st.sampled_from(BOUNDARIES)), override=draw(st.sampled_from([None, "hours"]))
            )
        if isinstance(row, Cap):
            row = replace(
                row,
                limit=draw(st.integers(1, 4)),
                window=draw(st.sampled_from(SPANS)),
                needs_consent=draw(st.sampled_from([(), (), (), ("prior_express_consent",)])),
                address_types=draw(st.sampled_from([(), (), ("work",), ("home", "personal")])),
                line_types=(),
                after=draw(st.sampled_from([None, None, "contact"])),
            )
        if isinstance(row, Cap | Cooldown):
            lifted_by = draw(st.sampled_from([None, "prior_express_consent", "live_agent_guaranteed"]))
            return replace(row, scope=draw(st.sampled_from(SCOPES)), unless=lifted_by)
        if isinstance(row, Registry):
            return replace(row, unless=draw(st.sampled_from(UNLESS)))
        return row

    def table(one: Jurisdiction) -> Jurisdiction:
        names = ("windows", "caps", "cooldowns", "stops", "registries")
        arrays = {name: tuple(map(changed, getattr(one, name))) for name in names}
        return replace(one, **arrays)

    return replace(packs, jurisdictions={code: table(one) for code, one in packs.jurisdictions.items()})


def stops(at_us: int) -> st.SearchStrategy[Stop]:
    return st.builds(
        Stop,
        kind=st.sampled_from(list(StopKind)),
        debt=st.sampled_from([None, 1, 2, 9]),
        phone=st.sampled_from([None, 1, 2, 9]),
        channel=st.sampled_from([None, None, "call", "voicemail", "sms"]),
        until_us=st.one_of(st.none(), around(at_us, 4), around(at_us, 4)),
    )


def consents(at_us: int) -> st.SearchStrategy[Consent]:
    return st.builds(
        Consent,
        kind=st.sampled_from(
            [
                "hours",
                "direct_prior_consent_7d",
                "prior_express_consent",
                "prior_express_consent",
                "advertising_consent",
            ]
        ),
        channel=st.sampled_from([None, None, None, "call", "sms"]),
        phone=st.sampled_from([None, None, 1, 9]),
        until_us=st.one_of(st.none(), around(at_us, 4), around(at_us, 4)),
    )


@st.composite
def burdened(draw: st.DrawFn, one: Dossier, at_us: int) -> Dossier:
    """Add what makes verdicts change within the week: consents that end, contacts at the edge of a day."""
    n_consents, n_lines = draw(st.sampled_from([(0, 0), (2, 0), (1, 3), (2, 4), (0, 6)]))
    n_others = draw(st.sampled_from([0, 0, 2, 4]))
    zone = draw(st.sampled_from(["Europe/Madrid", "America/Los_Angeles", "America/Sao_Paulo", "America/Manaus"]))
    edges = st.builds(
        lambda day, off_us: day_start(zone, at_us // DAY - day) + off_us,
        st.sampled_from([-2, 0, 1, 2, 6, 7, 8, 30]),
        st.sampled_from([-1, 0, 1]),
    )
    contacts = st.builds(
        lambda line, edge_us: replace(line, at_us=edge_us), lines(at_us), st.one_of(edges, edges, around(at_us, 3))
    )
    return replace(
        one,
        consents=(*one.consents, *draw(st.lists(consents(at_us), min_size=n_consents, max_size=n_consents))),
        history=(*one.history, *draw(st.lists(contacts, min_size=n_lines, max_size=n_lines))),
        others=(*one.others, *of_others(tuple(draw(st.lists(contacts, min_size=n_others, max_size=n_others))))),
    )


@st.composite
def questions(draw: st.DrawFn) -> Question:
    at_us = draw(st.one_of(instants, st.sampled_from(TURNS)))
    rules = draw(st.sampled_from(["shipped", "invented"]))
    gate = GATES[rules]
    if rules == "invented" and draw(st.integers(0, 2)):
        gate = Gate(draw(rows_changed(gate.packs, at_us)))
    people = [draw(burdened(one, at_us)) for one in draw(st.lists(dossiers(at_us, rules), min_size=1, max_size=3))]
    asked = {"channel": "call", "actor": draw(st.sampled_from(ACTORS)), "purpose": "collection"}
    named: list[tuple[int, ...]] = [(), (1,)]
    if draw(st.booleans()):
        # Nothing closes everything: what is counted decides.
        people = [replace(one, debts=tuple(replace(debt, state="open") for debt in one.debts)) for one in people]
    else:
        people = [replace(one, stops=(*one.stops, *draw(st.lists(stops(at_us), max_size=2)))) for one in people]
        asked["channel"] = draw(st.one_of(st.sampled_from(["sms", "email"]), st.sampled_from(CHANNELS)))
        asked["purpose"] = draw(st.one_of(st.just("collection"), st.sampled_from(PURPOSES)))
        named += [(1, 2), (9,)]
    return Question(
        gate=gate,
        people=people,
        named=[draw(st.sampled_from(named)) for _ in people],
        phones=[draw(st.sampled_from([0, 0, 1, -1])) for _ in people],
        slots=draw(weeks(at_us)),
        asked=asked | {"live_agent_guaranteed": draw(st.booleans())},
    )


@given(questions())
def test_a_cell_is_what_the_gate_says_of_the_whole_hour(question: Question) -> None:
    assert question.mask() == [
        [question.judged(of, at_us) for at_us in question.slots] for of in range(len(question.people))
    ]


@given(instants, st.data())
def test_in_a_crowd_too(at_us: int, data: st.DataObject) -> None:
    """Hundreds of debtors about whom a few rows disagree: more than a search for examples would draw one by one."""
    gate = Gate(data.draw(rows_changed(GATES["invented"].packs, at_us)))
    chance = Random(data.draw(st.integers(0, 1 << 32)))
    people = [someone(chance, person, at_us) for person in range(60)]
    question = Question(
        gate=gate,
        people=people,
        named=[chance.choice([(), (), (1,), (2,)]) for _ in people],
        phones=[chance.choice([0, 1]) for _ in people],
        slots=data.draw(weeks(at_us)),
        asked={
            "channel": chance.choice(["call", "call", "sms", "email", "voicemail", "letter"]),
            "actor": "third_party",
            "purpose": "collection",
            "live_agent_guaranteed": chance.random() < 0.1,
        },
    )
    for of, row in enumerate(question.mask()):
        judged = [question.judged(of, slot) for slot in question.slots]
        assert row == judged, (people[of], question.named[of], question.phones[of], question.asked)


def someone(chance: Random, person: int, at_us: int) -> Dossier:
    """Return a debtor in whom most rows find something."""
    country, region, city, zones = chance.choice(INVENTED)
    numbers = [
        (number, of)
        for number, of in zip((1, 2), chance.choices([n for n in NUMBERS if n[0] == "BR"], k=2), strict=True)
    ]
    times = [at_us + chance.randrange(-10 * DAY, DAY) for _ in range(chance.randrange(9))]
    midnights = [
        day_start(zone, at_us // DAY - chance.randrange(-2, 8)) + chance.choice([-1, 0, 1])
        for zone in ("America/Sao_Paulo", "America/Manaus", "America/Recife")
        if chance.random() < 0.4
    ]
    return Dossier(
        person=person,
        keys=(),
        country=country,
        region=region,
        city=city,
        address_zones=zones,
        debts=tuple(
            Debt(debt=n, creditor=chance.choice([1, 1, 2]), balance_minor=1, currency="EUR") for n in range(1, 4)
        ),
        phones=tuple(
            Phone(
                phone=number,
                country=of,
                line_type=line_type,
                geographic=geographic,
                zones=where,
                address_type=chance.choice([None, "home", "work"]),
                registers=chance.choice([(), (), (), ("invented",), ("robinson", "invented")]),
            )
            for number, (of, line_type, geographic, where) in numbers
        ),
        stops=tuple(
            Stop(
                kind=chance.choice(list(StopKind)),
                debt=chance.choice([None, 1, 2]),
                phone=chance.choice([None, 1, 2]),
                channel=chance.choice([None, "call", "voicemail", "sms"]),
                until_us=chance.choice([None, at_us + chance.randrange(-DAY, 4 * DAY)]),
            )
            for _ in range(chance.choice([0, 0, 0, 1, 2]))
        ),
        consents=tuple(
            Consent(
                kind=chance.choice(
                    ["hours", "prior_express_consent", "direct_prior_consent_7d", "advertising_consent"]
                ),
                channel=chance.choice([None, None, "call", "sms"]),
                phone=chance.choice([None, None, 1, 2]),
                until_us=chance.choice([None, at_us + chance.randrange(-DAY, 4 * DAY)]),
            )
            for _ in range(chance.choice([0, 0, 1, 2]))
        ),
        history=told(chance, sorted([*times, *midnights])),
        others=tuple(
            replace(one, of=chance.choice(["household", "phone"]))
            for one in told(
                chance, [at_us + chance.randrange(-6 * DAY, DAY) for _ in range(chance.choice([0, 0, 2, 5]))]
            )
        ),
    )


def told(chance: Random, times: list[int]) -> tuple[PastContact, ...]:
    """Return a contact of any kind for each instant."""
    return tuple(
        PastContact(
            at_us=when,
            event=chance.choice(EVENTS),
            channel=chance.choice(["call", "call", "call", "sms", "email", "voicemail"]),
            inbound=chance.random() < 0.1,
            phone=chance.choice([None, 1, 2]),
            creditor=chance.choice([None, 1, 2]),
            debts=chance.choice([(), (1,), (2,), (1, 3), (9,)]),
            attempt=chance.choice([None, "floor-1"]),
            address_type=chance.choice([None, None, "home", "work"]),
        )
        for when in times
    )
