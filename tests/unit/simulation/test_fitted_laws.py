"""What a fit may state of a world: how promises are kept, how often stops are asked for, how fast agents are."""

import math
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from domain.calls import Disposition
from domain.errors import BadInput
from domain.instants import DAY, MINUTE, SECOND, parse
from domain.people import GRACE_DAYS, StopKind
from ledger.experience import Try
from simulation.callees import Meeting
from simulation.chance import Chance, lognormal
from simulation.counted import Record, observed
from simulation.estimates import paces
from simulation.population import Asked, Debtors, Laws, Paid, load, portfolio

START_US = parse("2026-11-02T00:00:00+01:00")
Column = NDArray[Any]
#: Everybody promises, and nobody pays but for that.
PROMISING: dict[str, Any] = {
    "outcomes": {"promise": 1, "plan": 0, "no_promise": 0, "call_back": 0, "dispute": 0, "already_paid": 0,
                 "do_not_call": 0},
    "payment": {"self_cure_per_day": [1e-9] * 6},
    "contact": {"most": 1e-9},
    "promises": {"p_late": 0.0, "p_short": 0.0},
}  # fmt: skip


def kept(laws: Laws) -> tuple[Column, Column, Column, Column]:
    """Return of all who can keep: stage, whether the share promised is of the larger half, truth, whether it came."""
    people = list(portfolio(laws, 3_000, 5, START_US))
    debtors = Debtors(laws, Chance(2), start_us=START_US)
    debtors.meet(people)
    truth = debtors.truth(people, START_US)
    able = list(laws.responses).index("persuadable")
    made = {}
    for row, one in enumerate(people):
        if truth.kind[row] != able or truth.condition[row] != len(laws.conditions):
            continue
        meeting = Meeting(
            phone=one.phones[0].phone, person=one.person, nth=1, who="debtor", fate=None, setup_us=0, ring_us=0
        )
        said = debtors.say(meeting, START_US + DAY // 2, one.person, ())
        owed = next(debt for debt in one.debts if debt.debt == said.debt)
        made[owed.debt] = row, (said.amount_minor or 0) / owed.balance_minor
    paid = {
        deed.debt for deed in debtors.pass_time(START_US, START_US + (21 + GRACE_DAYS + 2) * DAY)
        if isinstance(deed, Paid)
    }  # fmt: skip
    rows = np.array([row for row, _ in made.values()])
    sizes = np.array([size for _, size in made.values()])
    return truth.stage[rows], sizes > np.median(sizes), truth.p_kept[rows], np.array([debt in paid for debt in made])


def test_promises_are_kept_by_stage_and_amount_as_stated() -> None:
    _, _, true, came = kept(load("default", PROMISING))
    assert came.mean() == pytest.approx(true.mean(), abs=0.04)
    odds = load("default", PROMISING | {"promises": PROMISING["promises"] | {"by_stage": [2.0, 2, 2, -2, -2, -2]}})
    stage, _, moved, came = kept(odds)
    for part, by in ((stage < 3, 2.0), (stage >= 3, -2.0)):
        assert came[part].mean() == pytest.approx(moved[part].mean(), abs=0.04)
        assert logit(moved[part].mean()) - logit(true[part].mean()) == pytest.approx(by, abs=0.5)
    _, larger, _, came = kept(load("default", PROMISING | {"promises": PROMISING["promises"] | {"by_amount": -1.0}}))
    assert came[larger].mean() < came[~larger].mean() - 0.1


def logit(p: float) -> float:
    return math.log(p / (1.0 - p))


def test_stops_are_asked_for_as_many_times_as_stated() -> None:
    def stops(asked: dict[str, float]) -> dict[StopKind, int]:
        laws = load("default", {"asked": asked})
        debtors = Debtors(laws, Chance(2), start_us=START_US)
        debtors.meet(portfolio(laws, 4_000, 5, START_US))
        found: dict[StopKind, int] = {}
        for deed in debtors.pass_time(START_US, START_US + 20 * DAY):
            if isinstance(deed, Asked):
                found[deed.stop] = found.get(deed.stop, 0) + 1
        return found

    found = stops({"dispute": 50.0, "attorney": 0.0})
    # 4,000 people, 20 days, 0.00006 a day and person.
    assert found[StopKind.dispute] == pytest.approx(50.0 * 4_000 * 20 * 0.00006, rel=0.25)
    assert StopKind.attorney not in found
    with pytest.raises(BadInput, match="asked: Invalid enum value 'holiday'"):
        load("default", {"asked": {"holiday": 2.0}})
    with pytest.raises(BadInput, match="by_stage must have one number for each of the 6 stages, had 2"):
        load("default", {"promises": {"by_stage": [0.1, 0.2]}})


def test_paces_cover_what_is_true_and_few_cases_are_drawn_to_the_floor() -> None:
    chance = Chance(4)
    covered = total = 0
    for world in range(60):
        true = {f"a{n}": 0.2 * lognormal_of(chance, world, n) for n in range(10)}
        cases = {agent: 12 if n < 5 else 150 for n, agent in enumerate(true)}
        seconds = {
            agent: {
                kind: [
                    lognormal(chance.u(2, 1000 * world + n, 500 * place + case), median * math.exp(true[agent]), spread)
                    for case in range(cases[agent])
                ]
                for place, (kind, median, spread) in enumerate((("debtor", 100.0, 1.2), ("other", 20.0, 0.5)))
            }
            for n, agent in enumerate(true)
        }
        found = paces(seconds)
        weights = {agent: float(cases[agent]) for agent in true}
        middle = sum(weights[agent] * true[agent] for agent in true) / sum(weights.values())
        for agent, one in found.items():
            assert one.low is not None
            assert one.high is not None
            covered += one.low <= math.exp(true[agent] - middle) <= one.high
            total += 1
            assert one.n == 2 * cases[agent]
    assert total == 600
    # 95 %, give or take; the floor's own mean is not known exactly either.
    assert 0.92 < covered / total < 0.98, covered / total
    few = paces({"a": {"talk": [10.0] * 3}, "b": {"talk": [float(n) for n in range(5, 60)]}})
    assert isinstance(few["a"].value, float)
    # A third of the floor's, by three cases.
    assert 0.5 < few["a"].value < 0.9
    assert paces({"a": {"talk": [10.0] * 3}}) == {}


def test_outcomes_that_were_never_recorded_say_nothing_of_wrapping_up() -> None:
    laws = load("default")
    (one,) = portfolio(laws, 1, 5, START_US)

    def call(nth: int, disposition: Disposition, wrap_s: int) -> Try:
        at_us = START_US + nth * MINUTE
        return Try(
            call_id=f"floor-{nth}", person=one.person, phone=one.phones[0].phone, agent="ana", reserved_us=at_us,
            ringing_us=at_us, answered_us=at_us, talking_us=at_us, ended_us=at_us, answer_class="connected",
            class_why=None, wait_us=0, disposition=disposition, closed_us=at_us, ring_us=0, talk_us=30 * SECOND,
            wrap_us=wrap_s * SECOND, q850=16,
        )  # fmt: skip

    tries = [call(n, Disposition.no_promise, 20) for n in range(12)]
    tries += [call(20 + n, Disposition.unrecorded, 300) for n in range(12)]
    assert observed(Record(tries, [one], laws, START_US))["wrap-up"] == "median 20 s, spread 0, n = 12"


def lognormal_of(chance: Chance, world: int, agent: int) -> float:
    """Return a draw of the standard normal law."""
    return math.log(lognormal(chance.u(1, world, agent), 1.0, 1.0))
