"""A simulated month: what goes in comes out, equal seeds meet equal luck, and nobody is called who should not be."""

import pickle
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from itertools import pairwise
from multiprocessing import get_context
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from domain.calls import Mode
from domain.errors import BadInput
from domain.events import AnyEvent, LeadsLoaded, PersonChanged, Tick
from domain.instants import HOUR, parse
from domain.orders import Originate
from domain.settings import CampaignSettings, FloorSettings, Selection
from simulation.agents import Temper
from simulation.circumstances import Change, Incident
from simulation.month import Arm, Month, Plan, Tape, replicate
from simulation.outcome import FLOW, Outcome
from simulation.population import Deed, Paid
from simulation.roster import Roster, Shift

ROSTER = Roster(shift=(Shift(agents=6, begin="15:00", end="18:00"),), absence=0.0)


def plan(**changes: Any) -> Plan:
    told: dict[str, Any] = {"world": "bank_early", "debtors": 900, "start": "2026-11-16", "days": 3, "roster": ROSTER}
    return Plan(**told | changes)


def arm(name: str = "a", **campaign: Any) -> Arm:
    told: dict[str, Any] = {"name": "c", "mode": Mode.predictive, "caller_ids": {"*": ("+34910000000",)}}
    return Arm(name=name, floor=FloorSettings(campaigns=(CampaignSettings(**told | campaign),)))


@pytest.fixture(scope="module")
def three_days() -> tuple[Outcome, Tape]:
    tape = Tape(keep=True)
    return replicate(arm(), plan(), 7, tape), tape


def test_calls_time_and_money_are_kept(three_days: tuple[Outcome, Tape]) -> None:
    found, tape = three_days
    assert found.days == ("2026-11-16", "2026-11-17", "2026-11-18")
    assert found.breaches == ()
    ordered = Counter(row.record.call_id for row in tape.rows if isinstance(row.record, Originate))
    assert set(ordered.values()) == {1}
    # Every call that was dialled is an attempt of one account.
    assert found.total("attempts") == sum(one.attempts * one.accounts for one in found.accounts)
    assert len(ordered) - 20 <= found.total("attempts") <= len(ordered)
    assert found.total("attempts") > 1000
    classes = sum(found.total(name) for name in ("people", "machines", "cut", "lost"))
    assert found.total("answered") == classes
    assert found.total("people") == found.total("contacts") + found.total("abandoned")
    assert sum(one.accounts for one in found.accounts) == 900
    for one in found.accounts:
        assert 0 <= one.paid_minor <= one.owed_minor
        assert one.right_party <= one.reached <= one.accounts
    assert sum(one.paid_minor for one in found.money) == sum(one.paid_minor for one in found.accounts)
    # Six agents for three hours on each of three days, but for being late and the last outcome's overtime.
    hours = sum(one.agent_ms for one in found.work) / 3_600_000
    assert 52.0 < hours < 54.6
    busy = sum(one.agent_ms for one in found.work if one.state == "talking")
    assert abs(busy - found.total("talk_ms")) < 0.02 * busy + 60_000
    for one in found.promised:
        assert one.kept <= one.due <= one.made
        assert one.kept_minor <= one.due_minor <= one.made_minor


def test_the_floor_hears_of_payments_and_calls_nobody_who_has_paid_all(three_days: tuple[Outcome, Tape]) -> None:
    _, tape = three_days
    gone: dict[int, int] = {}
    for row in tape.rows:
        record = row.record
        if isinstance(record, PersonChanged) and all(debt.state != "open" for debt in record.dossier.debts):
            for phone in record.dossier.phones:
                gone[phone.phone] = row.at_us
        elif isinstance(record, Originate):
            assert record.phone not in gone
    assert gone


def test_who_comes_on_a_list_later_comes_as_he_stands_then() -> None:
    tape = Tape(keep=True)
    chosen = arm(selection=Selection(min_days_due=30))
    month = Month(chosen, plan(days=6, roster=Roster(shift=(Shift(agents=1, begin="15:00", end="15:10"),))), 4, tape)
    paid: Counter[int] = Counter()
    pass_time = month.people.pass_time

    def watched(from_us: int, to_us: int) -> list[Deed]:
        deeds = pass_time(from_us, to_us)
        paid.update({deed.debt: deed.amount_minor for deed in deeds if isinstance(deed, Paid)})
        return deeds

    month.people.pass_time = watched  # type: ignore[method-assign]
    owed = {debt.debt: debt.balance_minor for one in month.portfolio for debt in one.debts}
    late = 0
    take = month.accept

    def accept(event: AnyEvent) -> None:
        nonlocal late
        if isinstance(event, LeadsLoaded):
            for debt in (debt for one in event.people for debt in one.debts):
                assert debt.balance_minor == owed[debt.debt] - paid[debt.debt]
                late += event.plan != "c-1" and paid[debt.debt] > 0
        take(event)

    month.accept = accept  # type: ignore[method-assign]
    month.month()
    assert late > 0


def test_equal_seeds_give_equal_bytes_in_any_process() -> None:
    small = plan(debtors=300, days=2, roster=Roster(shift=(Shift(agents=3, begin="15:00", end="16:30"),)))
    found = replicate(arm(), small, 7)
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        other = pool.submit(replicate, *pickle.loads(pickle.dumps((arm(), small, 7)))).result()
    assert found.total("attempts") > 100
    assert msgspec.json.encode(other) == msgspec.json.encode(found)
    assert msgspec.json.encode(replicate(arm(), small, 8)) != msgspec.json.encode(found)


def test_where_contact_changes_nothing_two_arms_collect_the_same_to_the_cent() -> None:
    shift = Roster(shift=(Shift(agents=4, begin="15:00", end="16:00"),), absence=0.0)
    world = plan(world="bank_early+no_effect", roster=shift)
    first = replicate(arm("balance"), world, 3)
    second = replicate(arm("ageing", order="ageing", mode=Mode.progressive), world, 3)
    assert first.total("attempts") != second.total("attempts")

    def paid(one: Outcome) -> list[tuple[int, str, int]]:
        found: Counter[tuple[int, str]] = Counter()
        for money in one.money:
            found[money.day, money.currency] += money.paid_minor
        return sorted((*key, minor) for key, minor in found.items())

    assert paid(first) == paid(second)
    assert sum(minor for *_, minor in paid(first)) > 0


def test_incidents_befall_the_floor() -> None:
    def answered(*incidents: Incident) -> Counter[int]:
        found: Counter[int] = Counter()
        for flow in replicate(arm(), plan(days=1, debtors=1500, incidents=incidents), 5).flows:
            found[flow.hour] += flow.counts[1]
        return found

    usual = answered()
    assert min(usual[hour] for hour in (15, 16, 17)) > 20
    cut = answered(Incident(day="2026-11-16", at="16:00", minutes=60, kind="no_lines"))
    assert cut[16] < 5
    assert cut[17] > 20
    down = answered(Incident(day="2026-11-16", at="16:00", minutes=60, kind="link_down"))
    assert down[16] < 5
    assert down[17] > 20
    restarted = answered(Incident(day="2026-11-16", at="16:30", minutes=2, kind="switch_restart"))
    assert restarted[17] > 20


def test_days_that_differ_differ_by_as_much_and_no_other_day_does() -> None:
    """Three days, of which the second is another: what is asked of it shows there and nowhere before."""

    def tried(*changes: Change) -> Outcome:
        # One call per free agent: attempts follow the agents' time, and no pacing answers back.
        return replicate(arm(mode=Mode.progressive), plan(debtors=3000, changes=changes), 5)

    def on(found: Outcome, day: int) -> Counter[str]:
        sums: Counter[str] = Counter()
        for flow in found.flows:
            if flow.day == day:
                sums.update(dict(zip(FLOW, flow.counts, strict=True)))
        return sums

    usual = tried()
    second = {"first": "2026-11-17", "last": "2026-11-17"}
    fewer, slower, absent = (
        tried(Change(**second, **change))  # type: ignore[arg-type]
        for change in ({"answer_rate": 0.5}, {"handling_time": 2.0}, {"absence": 0.5})
    )
    for other in (fewer, slower, absent):
        assert on(other, 0) == on(usual, 0)
    rate = on(usual, 1)["people"] / on(usual, 1)["attempts"]
    assert on(fewer, 1)["people"] / on(fewer, 1)["attempts"] == pytest.approx(0.5 * rate, rel=0.2)
    rate = on(usual, 2)["people"] / on(usual, 2)["attempts"]
    assert on(fewer, 2)["people"] / on(fewer, 2)["attempts"] == pytest.approx(rate, rel=0.2)
    for name in ("talk_ms", "wrap_ms"):
        per_contact = on(usual, 1)[name] / on(usual, 1)["contacts"]
        assert on(slower, 1)[name] / on(slower, 1)["contacts"] == pytest.approx(2 * per_contact, rel=0.35)
    at_work = [sum(one.agent_ms for one in found.work if one.day == 1) for found in (usual, absent)]
    assert 0 < at_work[1] < at_work[0]


def test_a_bad_hour_is_bad_and_the_others_are_not() -> None:
    def rates(*changes: Change) -> dict[int, float]:
        tried, people = Counter[int](), Counter[int]()
        for flow in replicate(arm(mode=Mode.progressive), plan(days=1, debtors=2000, changes=changes), 5).flows:
            of = dict(zip(FLOW, flow.counts, strict=True))
            tried[flow.hour] += of["attempts"]
            people[flow.hour] += of["people"]
        return {hour: people[hour] / tried[hour] for hour in (15, 16, 17)}

    usual, other = rates(), rates(Change(hours=(16, 17), answer_rate=0.3))
    assert other[15] == usual[15]
    assert other[16] < 0.5 * usual[16]
    assert other[17] == pytest.approx(usual[17], rel=0.25)


def test_shifts_that_meet_at_midnight_have_one_ticker() -> None:
    # A floor at the other end of the world: its midnight is noon where it calls, and conversations go on beyond it.
    far = replace(arm(), floor=replace(arm().floor, zone="Pacific/Auckland"))
    nights = (
        Shift(agents=4, days=("mon",), begin="23:00", end="23:59"),
        Shift(agents=("eva", "ana"), days=("tue",), begin="00:00", end="00:30"),
    )
    slow = Temper(p_forget=0.5)
    month = Month(far, plan(days=2, roster=Roster(shift=nights, absence=0.0), temper=slow), 4, Tape())
    ticked: list[int] = []
    heard: list[int] = []
    take, hear = month.accept, month._hear

    def accept(event: AnyEvent) -> None:
        if isinstance(event, Tick):
            ticked.append(event.at_us)
        take(event)

    def listen() -> None:
        heard.append(month.env.now)
        hear()

    month.accept = accept  # type: ignore[method-assign]
    month._hear = listen  # type: ignore[method-assign]
    month.month()
    midnight_us = parse("2026-11-17T00:00:00+13:00")
    assert ticked[0] < midnight_us < ticked[-1]
    assert max(later - earlier for earlier, later in pairwise(ticked)) < 60_000_000, "nobody talked past midnight"
    assert min(later - earlier for earlier, later in pairwise(ticked)) >= 500_000
    # Each evening or night is heard from its own beginning, once an hour.
    assert len([at_us for at_us in heard if midnight_us - HOUR <= at_us < ticked[-1] + HOUR]) <= 5


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"debtors": 0}, "debtors must be 1 or more"),
        ({"days": 0}, "days must be 1 or more"),
        ({"start": "16/11/2026"}, "is no day"),
        ({"start": "2026-11-14", "days": 2}, "no agent ever logs in"),
        ({"world": "atlantis"}, "atlantis"),
    ],
)
def test_a_plan_that_cannot_be(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(BadInput, match=says):
        replicate(arm(), plan(**changes), 1)


def test_an_empty_list_is_told() -> None:
    with pytest.raises(BadInput, match="on the list of campaign 'c'"):
        replicate(arm(selection=Selection(countries=("IS",))), plan(), 1)


@pytest.mark.parametrize(("field", "value"), [("kind", "flood"), ("minutes", 0.0), ("day", "monday")])
def test_an_incident_that_cannot_be(field: str, value: Any) -> None:
    told: dict[str, Any] = {"day": "2026-11-16", "at": "11:00", "minutes": 30.0, "kind": "no_lines"}
    with pytest.raises(BadInput, match="incident"):
        Incident(**told | {field: value})
