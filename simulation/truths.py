"""What the world knows of its people, as a model that knew it too would score them: the best that scores could tell."""

from collections.abc import Sequence
from typing import Final

import numpy as np

from domain.forecasts import WEEK
from domain.people import Dossier
from simulation.population import Debtors
from strategy.fields import Numbers, Scores

#: Payments count so long.
HORIZON_DAYS: Final = 30
VERSION: Final = "truth"


def truths(debtors: Debtors, people: Sequence[Dossier], at_us: int, zone: str = "UTC") -> Scores:
    """Return the chances of every number in every hour of the floor's week, and what a conversation would add now.

    Parameters
    ----------
    zone : str
        Of the floor: its hours are told as they are where each debtor lives.
    """
    from models.scoring import week_of  # late: takes a moment to load

    hours_us = tuple(week_of(at_us, zone).tolist())
    known = sorted(people, key=lambda one: one.person)
    found = debtors.responses(known, at_us, HORIZON_DAYS, ("", "call"))
    pairs = [(one.person, phone.phone) for one in known for phone in one.phones]
    weeks = [debtors.hours(one, phone, hours_us) for one, phone in pairs]
    person = np.array([one for one, _ in pairs], np.int64)
    phone = np.array([one for _, one in pairs], np.int64)
    answered = np.array([one for one, _ in weeks], np.float32).reshape(-1, WEEK)
    right = np.array([one for _, one in weeks], np.float32).reshape(-1, WEEK)
    machine = np.array([debtors.machine(one, phone) for one, phone in pairs], np.float32)

    def numbers(persons: Sequence[int]) -> Numbers:
        of = np.isin(person, np.asarray(persons, np.int64))
        return Numbers(person[of], phone[of], answered[of], right[of], machine[of])

    values = {
        "p_pay": found.p_pay[:, 0],
        "p_self_cure": found.p_self_cure,
        "p_pay_uplift": found.p_pay[:, 1] - found.p_pay[:, 0],
        "value_contact": found.paid_minor[:, 1] - found.paid_minor[:, 0],
    }
    return Scores(np.array([one.person for one in known], np.int64), values, VERSION, numbers)
