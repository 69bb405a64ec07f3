"""What leads take along of the scores of their numbers."""

from collections.abc import Sequence

import numpy as np
import pytest

from domain.forecasts import HOURS, MACHINE, WEEK, at, taken
from domain.people import Dossier, Phone
from strategy.fields import Numbers, Scores
from strategy.forecasts import Forecasts, tell

#: A Wednesday, 9:00 in UTC.
NOW_US = 1_795_597_200_000_000
PERSON = Dossier(
    person=7, keys=(), country="ES", address_zones=(), language="es", debts=(),
    phones=tuple(Phone(phone=phone, country="ES", line_type="mobile") for phone in (70, 71, 72)),
)  # fmt: skip


def scores(*machines: float) -> Scores:
    phones = np.arange(70, 70 + len(machines))
    hours = np.tile(np.arange(HOURS) / 100.0, WEEK // HOURS).astype(np.float32)

    def numbers(persons: Sequence[int]) -> Numbers:
        week = np.tile(hours, (len(phones), 1))
        return Numbers(np.full(len(phones), 7), phones, week, week / 2, np.array(machines, np.float32))

    return Scores(np.array([7]), {}, "m", numbers)


def test_a_machine_goes_along_with_the_hours_where_it_is_told():
    (told,) = tell(scores(0.5, np.nan), [PERSON], [0], NOW_US, "UTC")
    (first, with_it), (second, without) = told.reach
    assert (first, len(with_it), second, len(without)) == (70, 2 * HOURS + 2, 71, 2 * HOURS)
    assert at(with_it, MACHINE) == pytest.approx(0.5, abs=1e-5)
    assert at(with_it, 12) == at(without, 12) == taken(without, 12) == pytest.approx(0.12, abs=1e-5)
    assert taken(with_it, 12) == pytest.approx(0.12 + 0.88 * 0.5, abs=1e-5)
    # No model says it, as where the head has no champion yet: nothing but the hours.
    (told,) = tell(scores(np.nan, np.nan, np.nan), [PERSON], [0], NOW_US, "UTC")
    assert {len(hours) for _, hours in told.reach} == {2 * HOURS}


def test_plans_are_told_of_each_number_what_is_known():
    found = Forecasts(scores(0.5, np.nan), [PERSON])
    of = [found.of(number, np.array([12, 13])) for number in range(3)]
    assert [told.tolist() for told, _ in of] == [[True], [True], [False]]
    assert of[0][1][0].tolist() == [pytest.approx([0.12, 0.13])]
    assert [float(machine[0]) for _, (_, _, machine) in of] == pytest.approx([0.5, np.nan, np.nan], nan_ok=True)
