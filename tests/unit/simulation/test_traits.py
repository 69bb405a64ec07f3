"""What the laws state of all people together is true of them, however they differ; and a draw is a debtor's own."""

from datetime import date, timedelta
from typing import Any

import numpy as np
import pytest

from domain.instants import parse
from simulation.chance import Chance, Purpose, normal
from simulation.population import PRESETS, Laws, load, portfolio
from simulation.population.laws import LATENTS
from simulation.population.traits import (
    BIWEEKLY,
    MONTHLY,
    NO_PAYDAY,
    TWICE_MONTHLY,
    WEEKLY,
    Calendar,
    Debts,
    Mixture,
    Persons,
    at_home,
    draw_debts,
    draw_persons,
    dues_of,
    quantiles,
    stage_of,
)

START_US = parse("2026-11-18T09:00:00+01:00")
TODAY = date(2026, 11, 18)
N = 20_000
COLUMNS = [name for name in Persons.__slots__ if name != "zone"]


def drawn(laws: Laws, n: int = N, seed: int = 1) -> tuple[Persons, Debts]:
    mixture, people = Mixture(laws), list(portfolio(laws, n, 1, START_US))
    dues = dues_of(people)
    persons = draw_persons(mixture, Chance(seed), people, dues, [], TODAY)
    return persons, draw_debts(mixture, people, dues, persons.rate, 0)


@pytest.mark.parametrize("name", PRESETS)
def test_people_together_are_at_home_as_the_curves_say(name: str) -> None:
    laws = load(name)
    shares = np.array([rhythm.share for rhythm in laws.presence.rhythms.values()])
    weights = np.outer(shares / shares.sum(), np.array(laws.presence.shifts) / sum(laws.presence.shifts))
    curves = at_home(laws)
    together = np.einsum("rs,rsdh->dh", weights, curves)
    stated = np.array([laws.presence.weekday, laws.presence.saturday, laws.presence.sunday])
    if laws.presence.timing:
        assert np.abs(together - stated).max() < 1e-9
        assert np.ptp(curves[:, 1, 0, 18], axis=0) > 0.5
    else:
        assert np.ptp(curves, axis=(2, 3)).max() == 0.0
        first, last = laws.presence.day
        week = (5 * stated[0] + stated[1] + stated[2]) / 7
        assert np.abs(together - week[first:last].mean()).max() < 1e-9


def test_nobody_and_everybody_at_home_are_nobody_and_everybody_of_every_rhythm() -> None:
    curves = at_home(load("default", {"presence": {"weekday": [0.0] * 12 + [1.0] * 12}}))
    assert not curves[:, :, 0, :12].any()
    assert (curves[:, :, 0, 12:] == 1.0).all()


@pytest.mark.parametrize("name", ["default", "debt_buyer", "bank_early"])
def test_outcomes_of_all_kinds_reached_are_those_stated(name: str) -> None:
    laws = load(name)
    mixture = Mixture(laws)
    persons, _ = drawn(laws)
    p = mixture.p_outcome[persons.stage, persons.kind]
    assert np.allclose(p.sum(axis=1), 1.0)
    reached = (p * persons.reach[:, None]).sum(axis=0) / persons.reach.sum()
    stated = np.array(list(laws.outcomes.values())) / sum(laws.outcomes.values())
    assert reached == pytest.approx(stated, abs=0.009)
    kinds = list(laws.responses)
    promise = mixture.outcomes.index("promise")  # type: ignore[arg-type]
    of_kind = {kind: mixture.p_outcome[1, kinds.index(kind), promise] for kind in kinds}
    assert of_kind["sure_thing"] > of_kind["persuadable"] > of_kind["lost_cause"] > of_kind["negative"]


def test_debts_of_a_stage_are_paid_at_its_mean_rate_whatever_people_are() -> None:
    """The mean of lognormals is known to about one part in twenty here: their largest tenth holds two thirds of it."""
    law = {"conditions": {"deceased": 0.0, "bankrupt": 0.0}, "portfolio": {"p_second_debt": 0.0}}
    persons, debts = drawn(load("default", law), 2 * N)
    assert (debts.row == np.arange(2 * N)).all()
    for stage in range(6):
        mine = persons.stage == stage
        assert debts.rate[mine].mean() == pytest.approx(1.0, abs=5 * debts.rate[mine].std() / np.sqrt(mine.sum()))
        assert mine.sum() > 1_500


def test_latent_traits_are_correlated_as_stated() -> None:
    laws = load("default")
    persons, _ = drawn(laws)
    traits = {
        "ability": persons.ability,
        "willingness": persons.willingness,
        "reach": np.log(persons.reach),
    }
    assert np.corrcoef(traits["ability"], traits["willingness"])[0, 1] == pytest.approx(
        laws.correlation["ability willingness"], abs=0.02
    )
    assert np.corrcoef(traits["reach"], traits["willingness"])[0, 1] == pytest.approx(
        laws.correlation["reach willingness"], abs=0.02
    )
    assert (persons.ability.mean(), persons.ability.std()) == (
        pytest.approx(0.0, abs=0.02),
        pytest.approx(1.0, abs=0.02),
    )
    assert persons.reach.mean() == pytest.approx(1.0, abs=0.02)
    # Who stands well with the debts is able, willing, in reach; office hours go with ability.
    for trait in ("ability", "willingness", "reach"):
        means = [traits[trait][persons.kind == kind].mean() for kind in range(4)]
        assert means == sorted(means)
    means = [persons.ability[persons.rhythm == rhythm].mean() for rhythm in range(5)]
    assert means[0] < 0 < means[-1]


def test_shares_of_kinds_rhythms_conditions_and_paydays_are_those_stated() -> None:
    laws = load("default", {"portfolio": {"countries": {"ES": 0, "CO": 1, "US": 0}}})
    persons, _ = drawn(laws)
    found = np.bincount(persons.rhythm) / N
    assert found == pytest.approx([rhythm.share for rhythm in laws.presence.rhythms.values()], abs=0.014)
    for stage in range(6):
        mine = persons.kind[persons.stage == stage]
        stated = [response.share[stage] for response in laws.responses.values()]
        assert np.bincount(mine, minlength=4) / len(mine) == pytest.approx(stated, abs=4 * 0.5 / np.sqrt(len(mine)))
    assert np.bincount(persons.condition, minlength=5)[:4] / N == pytest.approx(
        list(laws.conditions.values()), abs=0.003
    )
    paydays = laws.countries["CO"].paydays
    assert np.bincount(persons.payday, minlength=5)[1:] / N == pytest.approx(
        [paydays.monthly, paydays.twice_monthly, paydays.weekly, paydays.biweekly], abs=0.014
    )
    monthly = set(persons.payday_on[persons.payday == MONTHLY].tolist())
    assert monthly == {25, 26, 27, 28, 29, 30, 31, 1, 2, 3, 4, 5}


def test_traits_are_a_debtors_own_whoever_else_is_drawn() -> None:
    laws = load("default")
    mixture, people = Mixture(laws), list(portfolio(laws, 300, 1, START_US))
    whole = draw_persons(mixture, Chance(5), people, dues_of(people), [], TODAY)
    for rows in ([*range(250, 300), *range(17)], [123], [7, 6]):
        some = [people[row] for row in rows]
        part = draw_persons(mixture, Chance(5), some, dues_of(some), [], TODAY)
        for name in COLUMNS:
            assert np.array_equal(getattr(whole, name)[rows], getattr(part, name)), name
    other = draw_persons(mixture, Chance(6), people, dues_of(people), [], TODAY)
    assert not np.array_equal(other.ability, whole.ability)


def test_days_are_paid_on_by_the_calendar_and_their_factors_have_mean_one() -> None:
    laws = load("default")
    first = date(2025, 1, 1)
    days = [first + timedelta(days=ahead) for ahead in range(4 * 365 + 1)]
    calendar = Calendar(laws)
    factors = np.array([calendar.on(day.toordinal()) for day in days])
    # A period is not a whole number of days: to about one part in a hundred.
    assert np.abs(factors[:, MONTHLY, 1:].mean(axis=0) - 1.0).max() < 0.01
    assert np.abs(factors[:, [NO_PAYDAY, TWICE_MONTHLY], 0].mean(axis=0) - 1.0).max() < 0.01
    assert np.abs(factors[:, WEEKLY, :7].mean(axis=0) - 1.0).max() < 0.01
    assert np.abs(factors[:, BIWEEKLY, :14].mean(axis=0) - 1.0).max() < 0.01
    assert factors.max() <= calendar.greatest < 1.2 * factors.max()
    plain = Calendar(load("default", {"payment": {"weekdays": [1.0] * 7}}))
    lifted = {
        (kind, on): {
            day.isoformat()
            for day in days
            if day.year == 2027 and day.month in (1, 2, 3) and plain.on(day.toordinal())[kind, on] > 1.5
        }
        for kind, on in ((MONTHLY, 31), (MONTHLY, 28), (TWICE_MONTHLY, 0))
    }
    # The 31st is the last day of a shorter month.
    assert lifted[MONTHLY, 31] == {
        "2027-01-01", "2027-01-02", "2027-01-31", "2027-02-01", "2027-02-02", "2027-02-28", "2027-03-01", "2027-03-02",
        "2027-03-31",
    }  # fmt: skip
    assert lifted[MONTHLY, 28] == {
        "2027-01-28", "2027-01-29", "2027-01-30", "2027-02-28", "2027-03-01", "2027-03-02", "2027-03-28", "2027-03-29",
        "2027-03-30",
    }  # fmt: skip
    assert lifted[TWICE_MONTHLY, 0] == {
        "2027-01-01", "2027-01-02", "2027-01-15", "2027-01-16", "2027-01-17", "2027-01-31", "2027-02-01", "2027-02-02",
        "2027-02-15", "2027-02-16", "2027-02-17", "2027-02-28", "2027-03-01", "2027-03-02", "2027-03-15", "2027-03-16",
        "2027-03-17", "2027-03-31",
    }  # fmt: skip
    fridays = [day for day in days[:28] if plain.on(day.toordinal())[WEEKLY, 4] > 1.5]
    assert {day.weekday() for day in fridays} == {4, 5, 6}
    assert len(fridays) == 12
    assert sum(plain.on(day.toordinal())[BIWEEKLY, 4] > 1.5 for day in days[:28]) == 6


def test_stages_begin_on_their_days() -> None:
    laws = load("default")
    assert [stage_of(laws, days) for days in (-5, 0, 29, 30, 89, 90, 364, 365, 9_999)] == [0, 0, 0, 1, 2, 3, 4, 5, 5]


def test_latents_have_purposes_of_their_own() -> None:
    numbers: list[Any] = [value for name, value in vars(Purpose).items() if not name.startswith("_") and name != "end"]
    assert len(numbers) == len(set(numbers))
    assert max(numbers) < Purpose.end
    assert not set(numbers) & set(range(48, 61))  # those of simulation.sample
    assert len(LATENTS) <= 16


def test_quantiles_drawn_together_are_to_the_last_bit_those_drawn_apart() -> None:
    p = np.concatenate((np.random.default_rng(1).random(20_000), [0.075, 0.925, 0.5, 1e-300]))
    for each in (0.075, 0.925):
        p = np.append(p, [np.nextafter(each, 0.0), np.nextafter(each, 1.0)])
    assert quantiles(p).tolist() == [normal(each) for each in p.tolist()]
    assert quantiles(np.array([0.0, 1.0])).tolist() == [-np.inf, np.inf]
