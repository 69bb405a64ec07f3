"""Laws of the gate over any debtor, history and instant."""

import shutil
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from compliance.gate import Gate
from compliance.packs import SHIPPED
from compliance.places import Places
from compliance.rows import ACTORS, CHANNELS, PURPOSES
from domain.instants import DAY, HOUR, MINUTE, SECOND, parse
from domain.people import CapKey, Consent, ContactEvent, Debt, Dossier, PastContact, Phone, Stop, StopKind, Verdict
from tests.property.plain_gate import PlainGate


def _invented(strict: bool) -> Gate:
    """Return a gate over a country that has a row of every kind, whatever the shipped packs need today."""
    with TemporaryDirectory() as folder:
        for name in ("house.toml", "timezones.toml"):
            shutil.copy(SHIPPED / name, folder)
        shutil.copy(Path(__file__).parent / "invented.toml", folder)
        return Gate.load(Path(folder), strict=strict)


GATES = {"shipped": Gate.load(SHIPPED), "invented": _invented(True)}
LITERAL = {"shipped": Gate.load(SHIPPED, strict=False), "invented": _invented(False)}

#: Weeks in which clocks change on either side of the ocean, a rule takes effect, holidays fall.
FIRST, LAST = parse("2026-08-20T00:00:00Z"), parse("2027-04-10T00:00:00Z")

ADDRESSES: list[tuple[str, str | None, str | None, tuple[str, ...]]] = [
    ("ES", "MD", "Madrid", ("Europe/Madrid",)),
    ("ES", "CN", None, ("Atlantic/Canary",)),
    ("ES", "CT", "Barcelona", ("Europe/Madrid",)),
    ("ES", None, None, ()),
    ("CO", None, None, ("America/Bogota",)),
    ("CO", "ANT", None, ()),
    ("US", "NJ", None, ("America/New_York",)),
    ("US", "MA", None, ("America/New_York",)),
    ("US", "WA", None, ("America/Los_Angeles",)),
    ("US", "DC", None, ()),
    ("US", "NY", "NYC", ("America/New_York",)),
    ("US", "FL", None, ()),
    ("US", "HI", None, ("Pacific/Honolulu",)),
    ("US", None, None, ()),
    ("GB", "ENG", None, ("Europe/London",)),
    ("GB", "SCT", "Glasgow", ("Europe/London",)),
    ("GB", None, None, ()),
    ("CL", "RM", None, ("America/Santiago",)),
    ("CL", "VS", None, ()),
    ("CL", None, None, ()),
    ("PE", None, None, ("America/Lima",)),
    ("MX", "ROO", None, ("America/Cancun",)),
    ("MX", None, None, ()),
    ("AR", "C", None, ("America/Argentina/Buenos_Aires",)),
    ("AR", "X", None, ()),
    ("AR", None, None, ()),
    ("BR", "SP", "São Paulo", ("America/Sao_Paulo",)),
    ("BR", "AM", None, ("America/Manaus",)),
    ("BR", "AL", None, ()),
    ("BR", None, None, ()),
    ("FR", None, None, ("Europe/Paris",)),
]
INVENTED: list[tuple[str, str | None, str | None, tuple[str, ...]]] = [
    ("BR", "SP", None, ("America/Sao_Paulo",)),
    ("BR", "AM", None, ("America/Manaus",)),
    ("BR", "RJ", None, ()),
    ("BR", "RJ", "Niterói", ("America/Sao_Paulo",)),
    ("BR", None, None, ()),
]
NUMBERS: list[tuple[str, str, bool, tuple[str, ...]]] = [
    ("ES", "mobile", False, ("Atlantic/Canary", "Europe/Madrid")),
    ("ES", "fixed", True, ("Europe/Madrid",)),
    ("CO", "mobile", False, ("America/Bogota",)),
    ("US", "fixed_or_mobile", True, ("America/New_York",)),
    ("US", "fixed_or_mobile", True, ("America/Chicago", "America/New_York")),
    ("US", "toll_free", False, ()),
    ("US", "fixed", True, ("America/Los_Angeles",)),
    ("GB", "mobile", False, ("Europe/Guernsey", "Europe/Isle_of_Man", "Europe/Jersey", "Europe/London")),
    (
        "CL",
        "fixed_or_mobile",
        False,
        ("America/Coyhaique", "America/Punta_Arenas", "America/Santiago", "Pacific/Easter"),
    ),
    ("CL", "fixed_or_mobile", True, ("America/Santiago",)),
    ("MX", "fixed_or_mobile", True, ("America/Tijuana",)),
    ("PE", "fixed", True, ("America/Lima",)),
    ("BR", "mobile", True, ("America/Sao_Paulo",)),
    ("BR", "fixed_or_mobile", True, ("America/Noronha", "America/Recife")),
]
ADDRESS_TYPES = [None, None, "home", "work"]

instants = st.builds(
    lambda minute, second: FIRST + minute * MINUTE + second * SECOND,
    st.integers(0, (LAST - FIRST) // MINUTE),
    st.sampled_from([0, 0, 1, 59]),
)


@st.composite
def dossiers(draw: st.DrawFn, at_us: int, rules: str) -> Dossier:
    country, region, city, zones = draw(st.sampled_from(ADDRESSES if rules == "shipped" else INVENTED))
    phones = []
    for phone in (1, 2):
        of, line_type, geographic, where = draw(st.sampled_from([n for n in NUMBERS if n[0] in (country, "US")]))
        kind = draw(st.sampled_from(ADDRESS_TYPES))
        phones.append(
            Phone(
                phone=phone,
                country=of,
                line_type=line_type,
                geographic=geographic,
                zones=where,
                address_type=kind,
                registers=draw(st.sampled_from([(), (), ("robinson", "dnc", "tps", "rne", "reus", "invented")])),
            )
        )
    states = draw(st.lists(st.sampled_from(["open", "open", "open", "paid", "withdrawn"]), max_size=3))
    return Dossier(
        person=1,
        keys=(CapKey("person:1", 0),),
        country=country,
        region=region,
        city=city,
        address_zones=zones,
        debts=tuple(
            Debt(debt=n, creditor=1 + n % 2, balance_minor=1, currency="EUR", state=state)
            for n, state in enumerate(states, 1)
        ),
        phones=tuple(phones),
        stops=draw(st.lists(stops(at_us), max_size=1).map(tuple) if draw(st.integers(0, 4)) == 0 else st.just(())),
        consents=draw(st.lists(consents(at_us), max_size=2).map(tuple)),
        history=draw(histories(at_us)),
        others=draw(st.one_of(st.just(()), histories(at_us).map(of_others))),
    )


def of_others(lines: tuple[PastContact, ...]) -> tuple[PastContact, ...]:
    """Return the lines as somebody else's, by turns of the household and of whoever has the number."""
    return tuple(replace(past, of=("household", "phone")[n % 2], debts=()) for n, past in enumerate(lines))


def stops(at_us: int) -> st.SearchStrategy[Stop]:
    return st.builds(
        Stop,
        kind=st.sampled_from(list(StopKind)),
        debt=st.sampled_from([None, None, 1, 2]),
        phone=st.sampled_from([None, None, 1, 2]),
        channel=st.sampled_from([None, None, "call", "voicemail", "sms"]),
        until_us=st.one_of(st.none(), around(at_us, 3)),
    )


def consents(at_us: int) -> st.SearchStrategy[Consent]:
    given = ["hours", "direct_prior_consent_7d", "prior_express_consent", "written_electronic_consent"]
    return st.builds(
        Consent,
        kind=st.sampled_from([*given, "advertising_consent"]),
        channel=st.sampled_from([None, "call", "sms"]),
        phone=st.sampled_from([None, None, 1]),
        until_us=st.one_of(st.none(), around(at_us, 3)),
    )


def around(at_us: int, days: int) -> st.SearchStrategy[int]:
    return st.integers(-days * DAY // MINUTE, days * DAY // MINUTE).map(lambda minutes: at_us + minutes * MINUTE)


def lines(at_us: int) -> st.SearchStrategy[PastContact]:
    return st.builds(
        PastContact,
        at_us=st.sampled_from([20, 100, 300, 800])
        .flatmap(lambda hours: st.integers(0, hours))
        .map(lambda hours: at_us - hours * HOUR),
        event=st.one_of(
            st.sampled_from([ContactEvent.no_answer, ContactEvent.right_party_contact]), st.sampled_from(ContactEvent)
        ),
        channel=st.sampled_from(["call", "call", "call", "call", "sms", "sms", "email", "voicemail", "letter"]),
        inbound=st.sampled_from([False, False, False, False, True]),
        phone=st.sampled_from([None, 1, 1, 2]),
        creditor=st.sampled_from([None, None, 1, 2]),
        debts=st.sampled_from([(), (), (1,), (2,), (1, 2)]),
        attempt=st.sampled_from([None, "floor-1"]),
        address_type=st.sampled_from(ADDRESS_TYPES),
    )


def histories(at_us: int) -> st.SearchStrategy[tuple[PastContact, ...]]:
    """Some contacts, some of them made again and again until a cap is full."""
    several = st.tuples(lines(at_us), st.sampled_from([1, 1, 1, 2, 3, 7])).map(lambda drawn: [drawn[0]] * drawn[1])
    return st.lists(several, max_size=4).map(
        lambda found: tuple(sorted((line for group in found for line in group), key=lambda line: line.at_us))
    )


@st.composite
def questions(draw: st.DrawFn) -> "Question":
    at_us = draw(instants)
    rules = draw(st.sampled_from(["shipped", "invented"]))
    dossier = draw(dossiers(at_us, rules))
    return Question(
        gate=draw(st.sampled_from([GATES, GATES, LITERAL]))[rules],
        dossier=dossier,
        at_us=at_us,
        asked={
            "channel": draw(st.one_of(st.just("call"), st.sampled_from(["sms", "email"]), st.sampled_from(CHANNELS))),
            "phone": draw(st.sampled_from([dossier.phones[0], dossier.phones[0], dossier.phones[1], None])),
            "debts": draw(st.sampled_from([(), (1,), (1, 2)])),
            "actor": draw(st.sampled_from(ACTORS)),
            "purpose": draw(st.sampled_from(["collection"] * 8 + ["cross_sell"] * 2 + list(PURPOSES))),
            "live_agent_guaranteed": draw(st.booleans()),
        },
    )


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """What a gate is asked, and how to ask it again of another debtor or at another instant."""

    gate: Gate
    dossier: Dossier
    at_us: int
    asked: dict[str, Any]

    def judge(self, at_us: int | None = None, **changes: Any) -> Verdict:
        dossier = changes.pop("dossier", self.dossier)
        return self.gate.judge(dossier, at_us=self.at_us if at_us is None else at_us, **(self.asked | changes))

    def plain(self, zones: tuple[str, ...]) -> PlainGate:
        place = Places(self.gate.packs).find(self.dossier.country, self.dossier.region, self.dossier.city)
        return PlainGate(self.gate.packs, place, zones, self.dossier, **self.asked)


@settings(max_examples=3 * settings.default.max_examples)
@given(questions())
def test_the_gate_says_what_the_rules_read_aloud_say(question: Question) -> None:
    verdict = question.judge()
    assert verdict.allowed is question.plain(verdict.zones).allowed(question.at_us)
    assert verdict.allowed is (verdict.rule is None)
    answers = question.gate.explain(question.dossier, at_us=question.at_us, **question.asked)
    assert verdict.allowed is all(answer.passed for answer in answers)
    assert verdict.rule in {None, *(answer.rule for answer in answers if not answer.passed)}


@given(questions(), st.data())
def test_more_history_never_allows(question: Question, data: st.DataObject) -> None:
    before = question.judge()
    told = (*question.dossier.history, *data.draw(histories(question.at_us)))
    longer = replace(
        question.dossier,
        history=tuple(sorted(told, key=lambda line: line.at_us)),
        others=question.dossier.others + of_others(data.draw(histories(question.at_us))),
    )
    after = question.judge(dossier=longer)
    assert before.allowed or not after.allowed
    assert before.agent_always <= after.agent_always
    if not before.allowed:
        assert ending(after) >= ending(before)
    elif after.allowed:
        assert (after.valid_until_us or 0) <= (before.valid_until_us or 0)


@given(questions(), st.data())
def test_more_zones_never_allow(question: Question, data: st.DataObject) -> None:
    dossier = replace(question.dossier, address_zones=())
    phone = question.dossier.phones[0]
    phone = replace(phone, zones=phone.zones or ("America/Denver",))
    more = data.draw(st.sampled_from(["America/Adak", "America/New_York", "Asia/Kathmandu", "Pacific/Auckland"]))
    narrow = question.judge(dossier=dossier, phone=phone)
    wide = question.judge(dossier=dossier, phone=replace(phone, zones=(*phone.zones, more)))
    assert set(wide.zones) == {*narrow.zones, more}
    assert narrow.allowed or not wide.allowed
    if not narrow.allowed:
        assert ending(wide) >= ending(narrow)


@given(questions(), st.data())
def test_a_denial_ends_when_it_says(question: Question, data: st.DataObject) -> None:
    at_us, verdict = question.at_us, question.judge()
    if verdict.allowed:
        at_us = verdict.valid_until_us or 0
        verdict = question.judge(at_us)
    if verdict.allowed:
        return  # a channel without hours: no end was in sight
    rules, end = question.plain(verdict.zones), verdict.next_allowed_at_us
    if end is not None:
        assert end > at_us
        assert question.judge(end).allowed
        assert rules.allowed(end)
        assert not rules.allowed(end - 1)
    last = end - 1 if end is not None else at_us + 60 * DAY
    for instant in data.draw(st.lists(st.integers(at_us, last), max_size=8)):
        assert not rules.allowed(instant)
        assert question.judge(instant).next_allowed_at_us == end


@given(questions(), st.data())
def test_an_allowance_holds_as_long_as_it_says(question: Question, data: st.DataObject) -> None:
    at_us, verdict = question.at_us, question.judge()
    if verdict.next_allowed_at_us is not None:
        at_us = verdict.next_allowed_at_us
        verdict = question.judge(at_us)
    if not verdict.allowed:
        return  # never
    rules, end = question.plain(verdict.zones), verdict.valid_until_us
    assert end is not None
    assert end > at_us
    assert rules.allowed(end - 1)
    for instant in data.draw(st.lists(st.integers(at_us, end - 1), max_size=8)):
        assert rules.allowed(instant)
    # It does not end early either: where an end is in sight, a denial follows.
    if end - at_us < 7 * DAY:
        assert not rules.allowed(end)


def ending(verdict: Verdict) -> float:
    """Return when a denial ends, infinity where it does not."""
    return float("inf") if verdict.next_allowed_at_us is None else verdict.next_allowed_at_us
