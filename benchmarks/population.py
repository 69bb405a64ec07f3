"""What is true of the debtors of each world that ships, and what a month of them costs.

    python -m benchmarks.population [--debtors N]

Truth is told before any contact, on a Wednesday, of debtors made with one seed: no luck is in it but who they are. The
cost is of 30 days of 50,000 debtors and 600,000 attempts, processor time. Prints one JSON object.
"""

import argparse
import json
import random
import time

import numpy as np

from domain.instants import DAY, HOUR, parse
from simulation.chance import Chance
from simulation.population import PRESETS, Debtors, Truth, load, portfolio
from simulation.population.traits import F8

START_US = parse("2026-11-18T09:00:00+00:00")
#: Local hours of a working day.
_DAY = slice(9, 21)


def discrimination(p: F8) -> float:
    """Return the AUC that the probabilities themselves would have against what comes of them."""
    ordered = np.sort(p)
    lost = 1.0 - ordered
    return float((ordered * (np.cumsum(lost) - lost / 2)).sum() / (ordered.sum() * lost.sum()))


def told(truth: Truth) -> dict[str, float]:
    """Return the figures of a world, over debtors; of promises, over those who would be reached."""
    calls = truth.p_right_party[:, :5, _DAY].astype(float)
    reach = calls.mean(axis=(1, 2))
    weights = reach / reach.sum()
    promised = weights * truth.p_promise
    wednesday = truth.p_right_party[reach > 0.0, 2, _DAY].astype(float)
    best_first = np.sort(reach)[::-1]
    return {
        "right_party_per_first_call": float(reach.mean()),
        "best_hour_over_mean": float((wednesday.max(axis=1) / wednesday.mean(axis=1)).mean()),
        "promise_per_contact": float(promised.sum()),
        "kept_per_promise": float((promised * truth.p_kept).sum() / promised.sum()),
        "pay_10": float(truth.p_pay_10.mean()),
        "pay_10_after_contact": float(truth.p_pay_10_contact.mean()),
        "pay_30": float(truth.p_pay_30.mean()),
        "pay_30_after_contact": float(truth.p_pay_30_contact.mean()),
        "contacts_in_first_tenth": float(best_first[: len(reach) // 10].sum() / best_first.sum()),
        "contacts_in_first_fifth": float(best_first[: len(reach) // 5].sum() / best_first.sum()),
        "auc_contact": discrimination(calls.ravel()),
        "auc_promise_given_contact": discrimination(truth.p_promise),
        "auc_pay_10": discrimination(truth.p_pay_10),
    }


def world(name: str, debtors: int) -> dict[str, float]:
    laws = load(name)
    people = list(portfolio(laws, debtors, 1, START_US))
    return told(Debtors(laws, Chance(2), start_us=START_US).truth(people, START_US))


def month(debtors: int, attempts: int) -> dict[str, float]:
    """Return what a month costs, a day at a time, calls spread evenly."""
    laws, luck = load("default"), random.Random(1)
    started_s = time.process_time()
    people = list(portfolio(laws, debtors, 1, START_US))
    made_s = time.process_time()
    callees = Debtors(laws, Chance(2), start_us=START_US)
    callees.meet(people)
    met_s = time.process_time()
    passing_s, deeds = 0.0, 0
    for day in range(30):
        day_us = START_US + day * DAY
        calls = sorted(
            (day_us + int(luck.random() * 11 * HOUR), luck.randrange(debtors)) for _ in range(attempts // 30)
        )
        for at_us, index in calls:
            meeting = callees.dial(people[index].phones[0].phone, at_us)
            if meeting.fate is None:
                callees.answer(meeting)
                callees.talk(meeting)
                callees.say(meeting, at_us, people[index].person, ())
        before_s = time.process_time()
        deeds += len(callees.pass_time(day_us, day_us + DAY))
        passing_s += time.process_time() - before_s
    calling_s = time.process_time() - met_s - passing_s
    return {
        "portfolio_s": made_s - started_s,
        "meet_s": met_s - made_s,
        "pass_time_s": passing_s,
        "us_per_attempt": 1e6 * calling_s / attempts,
        "deeds": deeds,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--debtors", type=int, default=30_000, help="of each world's truth")
    options = parser.parse_args()
    worlds = {name: world(name, options.debtors) for name in PRESETS}
    figures = worlds | {"cost_of_a_month": month(50_000, 600_000)}
    print(
        json.dumps(
            {name: {key: round(value, 4) for key, value in one.items()} for name, one in figures.items()}, indent=2
        )
    )


if __name__ == "__main__":
    main()
