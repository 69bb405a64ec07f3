"""What debtors do by themselves: whatever befalls them and however time is cut, the same; and money is conserved."""

from collections import defaultdict
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from domain.calls import Disposition
from domain.instants import DAY, HOUR, MINUTE, parse
from domain.people import ContactEvent, Dossier
from simulation.callees import Meeting
from simulation.chance import Chance
from simulation.population import Asked, Complained, Debtors, Deed, Paid, load, portfolio

START_US = parse("2026-10-20T00:00:00+00:00")
#: Days: over the end of summer time in two of the three countries, and over paydays.
SPAN = 14
N = 40
#: People who do in a fortnight what others do in a year.
BUSY = load(
    "default",
    {
        "payment": {"self_cure_per_day": [0.08] * 6},
        "complaints": {"per_day": 0.002, "per_pressure": 0.02},
        "asks": [
            {"stop": "cease_written", "per_day": 0.002, "per_pressure": 0.01, "received": "letter"},
            {"stop": "bankrupt", "per_day": 0.004, "per_pressure": 0.0, "received": "letter"},
            {"stop": "revoked_sms", "per_day": 0.002, "per_pressure": 0.01, "received": "sms", "channel": "sms"},
        ],
        "outcomes": {"promise": 3.0, "plan": 1.0},
        "promises": {"days": [1, 6]},
    },
)
PEOPLE = list(portfolio(BUSY, N, 1, START_US))
BY_PERSON = {one.person: one for one in PEOPLE}

instants = st.integers(1, SPAN * 24 * 60).map(lambda minute: START_US + minute * MINUTE)
persons = st.integers(1, N)
messages = st.lists(st.tuples(instants, persons, st.sampled_from(["sms", "email", "letter", "voicemail"])), max_size=30)
calls = st.lists(st.tuples(instants, persons), max_size=25).map(sorted)
cuts = st.lists(instants, max_size=12).map(sorted)


def debtors(seed: int = 3) -> Debtors:
    made = Debtors(BUSY, Chance(seed), start_us=START_US)
    made.meet(PEOPLE)
    return made


def meet_on_the_telephone(world: Debtors, person: int, at_us: int) -> Any:
    phone = BY_PERSON[person].phones[0].phone
    meeting = Meeting(phone=phone, person=person, nth=1, who="debtor", fate=None, setup_us=0, ring_us=0)
    world.dial(phone, at_us)
    return world.say(meeting, at_us, person, ())


def passed(world: Debtors, instants: list[int], from_us: int = START_US) -> list[Deed]:
    deeds: list[Deed] = []
    for at_us in instants:
        deeds += world.pass_time(from_us, at_us)
        from_us = at_us
    return deeds


END_US = START_US + SPAN * DAY


@given(messages, cuts)
@settings(max_examples=50)
def test_time_may_be_cut_anyhow_and_messages_told_before_their_time(
    sent: list[tuple[int, int, str]], at: list[int]
) -> None:
    told_early, as_they_come = debtors(), debtors()
    # The first message of a channel is the first in whatever order they are told.
    for at_us, person, channel in sorted(sent):
        told_early.reached(person, channel, at_us, ContactEvent.message_delivered)
    one = passed(told_early, [*at, END_US])
    other: list[Deed] = []
    now_us = START_US
    for at_us, person, channel in sorted(sent):
        other += as_they_come.pass_time(now_us, at_us)
        now_us = at_us
        as_they_come.reached(person, channel, at_us, ContactEvent.message_delivered)
    other += as_they_come.pass_time(now_us, END_US)
    assert one == other


@given(calls, cuts)
@settings(max_examples=50)
def test_calls_and_promises_do_not_care_how_time_is_cut(placed: list[tuple[int, int]], at: list[int]) -> None:
    def run(extra: list[int]) -> list[Any]:
        world, now_us = debtors(), START_US
        seen: list[Any] = []
        for at_us, person in [*placed, (END_US, 0)]:
            stops = [cut for cut in extra if now_us < cut < at_us]
            seen += passed(world, [*stops, at_us], now_us)
            now_us = at_us
            if person:
                seen.append(meet_on_the_telephone(world, person, at_us))
        return seen

    assert run([]) == run(at)


@given(calls, messages)
@settings(max_examples=40)
def test_nobody_pays_more_than_is_owed_nor_after_all_is_paid_nor_once_bankrupt(
    placed: list[tuple[int, int]], sent: list[tuple[int, int, str]]
) -> None:
    world, now_us = debtors(), START_US
    owed = {debt.debt: debt.balance_minor for one in PEOPLE for debt in one.debts}
    paid: dict[int, int] = defaultdict(int)
    gone: set[int] = set()
    asked: set[tuple[int, str]] = set()
    for at_us, person, channel in sorted([*((at, who, "") for at, who in placed), *sent, (END_US, 0, "")]):
        last_us = now_us
        for deed in world.pass_time(now_us, at_us):
            assert last_us <= deed.at_us <= at_us
            assert deed.at_us > now_us
            last_us = deed.at_us
            if isinstance(deed, Paid):
                assert deed.person not in gone
                assert 0 < deed.amount_minor <= owed[deed.debt] - paid[deed.debt]
                assert deed.debt in {debt.debt for debt in BY_PERSON[deed.person].debts}
                paid[deed.debt] += deed.amount_minor
            elif isinstance(deed, Asked):
                assert (deed.person, deed.stop) not in asked
                asked.add((deed.person, deed.stop))
                if deed.stop == "bankrupt":
                    gone.add(deed.person)
        now_us = at_us
        if channel:
            world.reached(person, channel, at_us, ContactEvent.message_delivered)
        elif person:
            said = meet_on_the_telephone(world, person, at_us)
            if said.disposition in (Disposition.promise, Disposition.plan):
                assert 0 < said.amount_minor <= owed[said.debt] - paid[said.debt]
            if said.debt is not None and said.disposition is not Disposition.already_paid:
                assert paid[said.debt] < owed[said.debt]
    # What is known of the ledger's side changes nothing that was paid: whoever paid still owes the rest.
    world.meet([_after(one, paid) for one in PEOPLE])
    for deed in world.pass_time(END_US, END_US + 30 * DAY):
        if isinstance(deed, Paid):
            paid[deed.debt] += deed.amount_minor
    assert all(paid[debt] <= owed[debt] for debt in owed)


def _after(one: Dossier, paid: dict[int, int]) -> Dossier:
    from msgspec.structs import replace

    debts = (replace(debt, balance_minor=debt.balance_minor - paid[debt.debt]) for debt in one.debts)
    return replace(one, debts=tuple(replace(debt, state="open" if debt.balance_minor else "paid") for debt in debts))


@given(calls, calls)
@settings(max_examples=40)
def test_two_strategies_differ_only_where_their_contacts_do(
    one: list[tuple[int, int]], other: list[tuple[int, int]]
) -> None:
    def deeds_by_person(placed: list[tuple[int, int]]) -> dict[int, list[Deed]]:
        world, now_us = debtors(), START_US
        found: dict[int, list[Deed]] = defaultdict(list)
        for at_us, person in [*placed, (END_US, 0)]:
            for deed in world.pass_time(now_us, at_us):
                found[deed.person].append(deed)
            now_us = at_us
            if person:
                meet_on_the_telephone(world, person, at_us)
        return found

    first, second = deeds_by_person(one), deeds_by_person(other)
    alike = [person for person in BY_PERSON if calls_of(one, person) == calls_of(other, person)]
    assert [first[person] for person in alike] == [second[person] for person in alike]


def calls_of(placed: list[tuple[int, int]], person: int) -> list[int]:
    return [at_us for at_us, who in placed if who == person]


def test_what_is_done_is_of_every_kind_and_by_day() -> None:
    world = debtors()
    deeds = world.pass_time(START_US, END_US)
    assert {type(deed) for deed in deeds} >= {Paid, Asked}
    assert deeds == sorted(deeds, key=lambda deed: deed.at_us)
    pressed = debtors()
    for person in BY_PERSON:
        for hour in range(20):
            pressed.dial(BY_PERSON[person].phones[0].phone, START_US + hour * HOUR)
    kinds = {type(deed) for deed in pressed.pass_time(START_US, END_US)}
    assert kinds == {Paid, Asked, Complained}
