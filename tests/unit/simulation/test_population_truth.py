"""What is told as true of debtors is what happens to them; in null worlds nothing is to be found."""

from datetime import date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from numpy.typing import NDArray

from domain.calls import Disposition
from domain.instants import DAY, HOUR, from_datetime, parse, to_datetime
from domain.people import ContactEvent, Debt, Dossier, Phone
from simulation.callees import Meeting, Said
from simulation.chance import Chance
from simulation.population import Debtors, Paid, Truth, load, portfolio

START_US = parse("2026-11-18T09:00:00+01:00")
N = 12_000
#: Debtors who owe one debt, so that a promise is about all that they owe.
ONE_DEBT = {"portfolio": {"p_second_debt": 0.0}}


def agrees(happened: NDArray[np.bool_], p: NDArray[np.float64], what: str) -> None:
    """Check frequencies against probabilities that differ between people: within four standard errors."""
    deviation = np.sqrt((p * (1.0 - p)).sum())
    assert abs(happened.sum() - p.sum()) <= 4.0 * deviation + 0.5, (
        what,
        int(happened.sum()),
        float(p.sum()),
        deviation,
    )


@lru_cache(maxsize=8)
def people(world: str, n: int = N) -> tuple[Dossier, ...]:
    return tuple(portfolio(load(world, ONE_DEBT), n, 1, START_US))


def debtors(world: str, seed: int = 2) -> Debtors:
    made = Debtors(load(world, ONE_DEBT), Chance(seed), start_us=START_US)
    made.meet(people(world))
    return made


def converse(world: Debtors, one: Dossier, at_us: int, nth: int = 1) -> Said:
    """Let a debtor be reached, whatever the telephone would say."""
    phone = one.phones[0].phone
    meeting = Meeting(phone=phone, person=one.person, nth=nth, who="debtor", fate=None, setup_us=0, ring_us=0)
    return world.say(meeting, at_us, one.person, ())


def paid_within(world: Debtors, days: int, n: int = N) -> dict[int, NDArray[np.bool_]]:
    """Return who paid anything within 10 and within so many days."""
    found = {horizon: np.zeros(n, np.bool_) for horizon in (10, days)}
    for deed in world.pass_time(START_US, START_US + days * DAY):
        if isinstance(deed, Paid):
            for horizon, paid in found.items():
                paid[deed.person - 1] |= deed.at_us <= START_US + horizon * DAY
    return found


@pytest.mark.parametrize("world", ["default", "telco_late", "bank_early", "default+no_effect"])
def test_payments_come_as_the_truth_says_with_and_without_a_contact(world: str) -> None:
    alone, reached = debtors(world), debtors(world)
    truth = alone.truth(people(world), START_US)
    said = [converse(reached, one, START_US) for one in people(world)]
    without, after = paid_within(alone, 30), paid_within(reached, 30)
    groups = {"all": np.ones(N, np.bool_)} | {f"kind {kind}": truth.kind == kind for kind in range(4)}
    groups |= {f"stage {stage}": truth.stage == stage for stage in range(6)}
    for name, group in groups.items():
        agrees(without[10][group], truth.p_pay_10[group], f"{name}, 10 days, without")
        agrees(without[30][group], truth.p_pay_30[group], f"{name}, 30 days, without")
        agrees(after[10][group], truth.p_pay_10_contact[group], f"{name}, 10 days, after a contact")
        agrees(after[30][group], truth.p_pay_30_contact[group], f"{name}, 30 days, after a contact")
        promised = np.array([one.disposition in (Disposition.promise, Disposition.plan) for one in said])
        agrees(promised[group], truth.p_promise[group], f"{name}, promised")


def test_kinds_of_people_are_what_they_are_called() -> None:
    laws = load("default")
    alone, reached = debtors("default"), debtors("default")
    truth = alone.truth(people("default"), START_US)
    for one in people("default"):
        converse(reached, one, START_US)
    without, after = paid_within(alone, 30)[30], paid_within(reached, 30)[30]
    uplift = truth.p_pay_30_contact - truth.p_pay_30
    lost, negative, persuadable, sure = (truth.kind == list(laws.responses).index(kind) for kind in laws.responses)
    assert list(laws.responses) == ["lost_cause", "negative", "persuadable", "sure_thing"]
    # One by one: nothing changes for those on whom contact has no effect.
    assert not uplift[lost | sure].any()
    assert np.array_equal(without[lost | sure], after[lost | sure])
    assert (uplift[negative] <= 0.0).all()
    assert not (after & ~without)[negative].any()
    assert uplift[persuadable].mean() > 0.2
    assert without[sure].mean() > 0.45
    assert without[lost].mean() < 0.01


def fulfilled(said: list[Said], world: Debtors) -> dict[int, bool]:
    """Return by person whether what was promised came by its day and three of grace."""
    made = {person: one for person, one in enumerate(said, 1) if one.disposition is Disposition.promise}
    received = dict.fromkeys(made, 0)
    for deed in world.pass_time(START_US, START_US + 40 * DAY):
        if isinstance(deed, Paid) and deed.person in made:
            due_on = date.fromisoformat(made[deed.person].due_on or "")
            zone = people("default")[deed.person - 1].address_zones[0]
            if to_datetime(deed.at_us, zone).date() <= due_on + timedelta(days=3):
                received[deed.person] += deed.amount_minor
    return {person: received[person] >= 0.9 * (made[person].amount_minor or 0) for person in made}


def test_promises_are_kept_as_the_truth_says() -> None:
    """Of those whose promises bring payments, what comes besides may meet a promise too, so more are kept than told."""
    world = debtors("default")
    truth = world.truth(people("default"), START_US)
    kept = fulfilled([converse(world, one, START_US) for one in people("default")], world)
    promised = np.array(sorted(kept)) - 1
    happened, p = np.array([kept[person] for person in sorted(kept)]), truth.p_kept[promised]
    words = truth.kind[promised] != 2
    for kind in (0, 1, 3):
        mine = truth.kind[promised] == kind
        agrees(happened[mine], p[mine], f"promises of kind {kind}")
    assert happened[words].sum() > 100
    told, found = p[~words].sum(), happened[~words].sum()
    assert told - 4 * np.sqrt((p * (1 - p))[~words].sum()) <= found <= 1.1 * told


def test_first_calls_are_answered_as_the_truth_says_hour_by_hour() -> None:
    hours = range(8, 23)
    hour = np.array([hours[row % len(hours)] for row in range(N)])
    for on in (date(2026, 11, 20), date(2026, 11, 21), date(2026, 11, 22)):  # Friday to Sunday
        called = debtors("default", seed=on.day)
        truth = called.truth(people("default"), START_US)
        answered, right = np.zeros(N, np.bool_), np.zeros(N, np.bool_)
        for row, one in enumerate(people("default")):
            meeting = called.dial(one.phones[0].phone, at_local(one, on, int(hour[row])))
            answered[row] = meeting.fate is None and meeting.who != "machine"
            right[row] = answered[row] and meeting.who == "debtor" and meeting.person == one.person
        told = np.arange(N), on.weekday(), hour
        agrees(answered, truth.p_answer[told].astype(float), f"answered on {on}")
        p_right = truth.p_right_party[told].astype(float)
        agrees(right, p_right, f"right party on {on}")
        for each in hours:
            agrees(right[hour == each], p_right[hour == each], f"right party on {on} at {each}")


def at_local(one: Dossier, on: date, hour: int) -> int:
    return from_datetime(datetime.combine(on, time(hour, 30), ZoneInfo(one.address_zones[0])))


def spread(truth: Truth) -> float:
    """Return how much better the best working hour of a debtor is than the mean, on weekdays."""
    day = truth.p_right_party[:, 2, 9:21].astype(float)
    reachable = day.mean(axis=1) > 0.0
    return float((day[reachable].max(axis=1) / day[reachable].mean(axis=1)).mean())


def test_hour_tells_of_answering_and_nothing_in_the_null_world() -> None:
    plain = debtors("default").truth(people("default"), START_US)
    null = debtors("default+no_timing").truth(people("default"), START_US)
    assert spread(plain) > 1.25
    assert spread(null) == pytest.approx(1.0, abs=1e-6)
    assert np.ptp(null.p_answer, axis=(1, 2)).max() == 0.0
    # Who is at home all day is still met more often than who is not, and all together as often as before.
    week = (5 * plain.p_right_party[:, 0] + plain.p_right_party[:, 5] + plain.p_right_party[:, 6]) / 7
    assert null.p_right_party.mean() == pytest.approx(week[:, 9:21].mean(), rel=0.01)
    assert null.p_right_party[null.rhythm == 0].mean() > 1.1 * null.p_right_party[null.rhythm == 4].mean()
    # Every debtor has a best hour, and not the same one.
    best = plain.p_right_party[plain.p_right_party[:, 2, 10] > 0, 2, 9:21].argmax(axis=1)
    assert np.count_nonzero(np.bincount(best) > 0.02 * len(best)) >= 5


def test_redialling_at_the_best_hour_wins_and_nothing_in_the_null_world() -> None:
    """Two strategies on equal luck: everybody called at his own best hour of the truth, and at a fixed hour."""

    def reached(world: str, best: bool) -> int:
        called = debtors(world)
        hours = called.truth(people(world), START_US).p_right_party[:, 2, 9:21].argmax(axis=1) + 9
        met = 0
        for row, one in enumerate(people(world)):
            hour = int(hours[row]) if best else 11
            for day in (18, 19, 20):
                meeting = called.dial(one.phones[0].phone, at_local(one, date(2026, 11, day), hour))
                met += meeting.fate is None and meeting.who == "debtor"
        return met

    assert reached("default", best=True) > 1.2 * reached("default", best=False)
    fixed, chosen = reached("default+no_timing", best=False), reached("default+no_timing", best=True)
    assert abs(chosen - fixed) < 4 * np.sqrt(chosen + fixed)


def test_contact_changes_nothing_in_the_null_world_to_the_last_deed() -> None:
    worlds = [debtors("default+no_effect") for _ in range(2)]
    for row, one in enumerate(people("default")):
        for day in range(3):
            at_us = START_US + day * DAY + (row % 12) * HOUR
            worlds[1].dial(one.phones[0].phone, at_us)
            converse(worlds[1], one, at_us, day + 1)
            worlds[1].reached(one.person, "sms", at_us, ContactEvent.message_delivered)
    one, other = (world.pass_time(START_US, START_US + 30 * DAY) for world in worlds)
    assert len(one) > 1_000
    assert one == other


def test_first_tenth_of_debtors_holds_as_many_contacts_as_a_vendors_score_finds() -> None:
    """34 % in the first tenth and 52 % in the first fifth: who knows the truth must find no less."""
    truth = debtors("default").truth(people("default"), START_US)
    reach = np.sort(truth.p_right_party[:, :5, 9:21].mean(axis=(1, 2)).astype(float))[::-1]
    assert 0.34 <= reach[: N // 10].sum() / reach.sum() < 0.45
    assert 0.52 <= reach[: N // 5].sum() / reach.sum() < 0.65


def test_payments_follow_attempts_as_published() -> None:
    """5.31 % of attempts are followed by a payment within ten days, contacts being 7.39 % of them."""
    truth = debtors("default").truth(people("default"), START_US)
    after = 0.0739 * truth.p_pay_10_contact.mean() + 0.9261 * truth.p_pay_10.mean()
    assert after == pytest.approx(0.0531, abs=0.003)


def test_real_dossiers_say_less_and_get_people_too() -> None:
    """Without an address, a due day, a product or numbers of known kind there is a debtor behind all the same."""
    bare = [
        Dossier(
            person=person,
            keys=(),
            country="XX",
            debts=(Debt(debt=person, creditor=1, balance_minor=5_000, currency="EUR"),),
            phones=(Phone(phone=person, country="XX"),),
        )
        for person in range(1, 2_001)
    ]
    world = Debtors(load("default"), Chance(1), start_us=START_US)
    world.meet([*bare, Dossier(person=9_999, keys=(), country="XX")])
    met = [world.dial(one.phones[0].phone, START_US + 9 * HOUR) for one in bare]
    assert 20 < sum(one.who == "debtor" for one in met) < 1_000
    assert converse(world, bare[0], START_US).disposition in set(Disposition)
    assert world.pass_time(START_US, START_US + 30 * DAY)
    assert world.truth(bare, START_US).p_pay_30.shape == (2_000,)


@pytest.mark.parametrize(("early", "late"), [("bank_early", "telco_late"), ("utility", "debt_buyer")])
def test_worlds_differ_as_their_names_say(early: str, late: str) -> None:
    one, other = (debtors(world).truth(people(world), START_US) for world in (early, late))
    assert one.p_pay_30.mean() > 2 * other.p_pay_30.mean()
    assert one.p_right_party.mean() > other.p_right_party.mean()
    assert one.stage.mean() < other.stage.mean()
