"""How a trial stands: its arms, what its rule says at the looks that are due, guardrails, and what is suspicious.

Debtors are compared by the arm that the lot gave them. Where whole days are drawn, days are compared within their
weekday, each with the payments that its calls brought (`Units.by_day`): agents are shared, and one arm's day may still
lend to the next one's.
"""

import msgspec
import numpy as np
from numpy.typing import NDArray

from domain.errors import BadInput
from domain.instants import DAY
from domain.intervals import Interval
from ledger.experiments import Registered
from ledger.trial_units import Units, weekdays
from strategy import evidence, fairness
from strategy.documents import HOLDOUT, Trial
from strategy.evidence import Contrast, Guard, Look
from strategy.objectives import OBJECTIVES

F8 = NDArray[np.float64]
Flags = NDArray[np.bool_]

#: Metrics of which arms are told, by unit.
TOLD = (
    "net",
    "collected",
    "cost",
    "agent_hours",
    "calls",
    "right_parties",
    "promises",
    "promises_kept",
    "complaints",
    "stops",
    "disputes",
)


class ArmTold(msgspec.Struct, frozen=True, kw_only=True):
    """One arm."""

    arm: str
    units: int
    #: Share of the lots, of all.
    share: float
    #: Of each metric by unit, with Student's interval of one look.
    by_unit: dict[str, Interval]
    #: Money spent for each unit of money collected; None: nothing was collected.
    cost_per_collected: float | None


class Compared(msgspec.Struct, frozen=True, kw_only=True):
    """One arm against the first."""

    arm: str
    #: At the days fixed beforehand that have come; intervals hold at all of them together.
    looks: list[Look]
    #: better, worse, no_difference (its end has come and none was seen) or open.
    says: str
    #: As it stands now, with intervals of one look: to read, and not to decide by.
    now: dict[str, Interval]


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """A trial as it stands."""

    experiment: str
    campaign: str
    strategy: str
    unit: str
    #: By what it is decided: one of `strategy.objectives`.
    metric: str
    currency: str
    rule: str
    as_of_us: int
    #: Days since the start, of how many.
    day: float
    days: int
    #: Days after the start at which it is looked at next; None: none is left.
    next_look: int | None
    arms: list[ArmTold]
    comparisons: list[Compared]
    #: The first arm less those who are left alone, for reading; None: nobody is.
    holdout: Interval | None
    #: How likely so uneven lots are, by chance.
    mismatch: float
    guards: list[Guard]
    warnings: list[str]
    #: Arm that its rule makes the champion; empty: not reached.
    reached: str
    stopped_why: str | None = None
    promoted: str | None = None


def rule_words(metric: str, unit: str, alpha: float, look_days: tuple[int, ...], arms: int) -> str:
    """Return how a trial is decided, in words."""
    each = "" if arms < 3 else f", shared among {arms - 1} comparisons"
    of = "by debtor" if unit == "debtor" else "by whole days of the floor within their weekday"
    by_lots = ", bounds by lots drawn anew" if unit == "debtor" else ""
    return (
        f"{OBJECTIVES[metric].words} {of}, intention to treat; looked at after {', '.join(map(str, look_days))} days; "
        f"{100 * alpha:g} % chance over all looks to call a difference that is none{each} (group-sequential, error "
        f"spent as O'Brien-Fleming, intervals valid at all looks together{by_lots})"
    )


def status(one: Registered, units: Units, at_us: int, zone: str) -> Status:
    """Return how a trial stands at an instant.

    Raises
    ------
    BadInput
        When no list was made since its start.
    """
    if not len(units):
        raise BadInput(
            f"experiment {one.name}: no list of campaign {one.campaign} was made since it started; it is told from "
            "the first day's list on"
        )
    strategy = one.read
    trial, names = strategy.document.trial, [arm.name for arm in strategy.arms]
    days = one.look_days[-1]
    due = [day for day in one.look_days if one.started_us + day * DAY <= at_us]
    comparisons = [
        _compared(units, one, number, name, due, at_us, zone, len(names) - 1)
        for number, name in enumerate(names)
        if number
    ]
    shares = np.array([(1.0 - trial.holdout) * arm.share for arm in strategy.arms] + [trial.holdout])
    if one.unit == "debtor":
        counts = np.array([(units.arm == place).sum() for place in (*range(len(names)), -1)], float)
    else:
        counts = np.array([(units.list_arm == place).sum() for place in range(len(names))] + [0], float)
        shares[-1] = 0.0
    even = evidence.mismatch(counts, shares)
    guards = _guards(units, trial, names, at_us, one.unit, zone)
    alarms = [one for one in guards if one.state == "alarm"]
    warnings = [*_warnings(one, units, even), *_not_compared(trial, names, guards, one.unit)]
    safe = {name for name in names if not any(alarm.arm == name for alarm in alarms)}
    better = [each for each in comparisons if each.says == "better" and each.arm in safe]
    best = max(better, key=lambda each: each.looks[-1].difference.value).arm if better else ""
    if not best and comparisons and all(each.says in ("worse", "no_difference") for each in comparisons):
        best = names[0]
    return Status(
        experiment=one.name,
        campaign=one.campaign,
        strategy=one.strategy,
        unit=one.unit,
        metric=one.metric,
        currency=units.prices.currency,
        rule=rule_words(one.metric, one.unit, one.alpha, one.look_days, len(names)),
        as_of_us=at_us,
        day=(at_us - one.started_us) / DAY,
        days=days,
        next_look=next((day for day in one.look_days if day not in due), None),
        arms=_arms(units, names, shares, at_us, one.unit, zone),
        comparisons=comparisons,
        holdout=_left_alone(units, at_us),
        mismatch=even,
        guards=guards,
        warnings=warnings,
        reached=best if even >= evidence.MISMATCH else "",
        stopped_why=one.stopped_why,
        promoted=one.promoted,
    )


def contrast_at(
    units: Units, arm: int, at_us: int, unit: str, zone: str, metric: str = "net", first: int = 0
) -> Contrast | None:
    """Return an arm's difference from the first as known at an instant; None: there are too few units."""
    if unit == "debtor":
        arms, ready = units.arm, units.entered_us < at_us
        figures = units.figures(at_us)
        covariates = np.column_stack([units.covariates, figures["weeks"]])
    else:
        arms, (figures, ready) = units.list_arm, units.by_day(at_us)
        covariates = weekdays(units, zone)
    mask = ready & ((arms == first) | (arms == arm))
    treated = arms[mask] == arm
    if min(int(treated.sum()), int((~treated).sum())) < evidence.LEAST_UNITS or metric not in figures:
        return None
    found = evidence.contrast(figures[metric][mask], treated, covariates[mask])
    return found.among(mask)


def _compared(
    units: Units, one: Registered, number: int, name: str, due: list[int], at_us: int, zone: str, comparisons: int
) -> Compared:
    days, alpha = one.look_days[-1], one.alpha / comparisons
    figure = OBJECTIVES[one.metric].figure
    seen = [(day, contrast_at(units, number, one.started_us + day * DAY, one.unit, zone, figure)) for day in due]
    kept = [(day, found) for day, found in seen if found is not None]
    # A look that had nothing to look at spends nothing.
    fractions = np.array([day / days for day, _ in kept])
    looks = evidence.looks([found for _, found in kept], fractions, alpha, by_lots=one.unit == "debtor")
    says = "open"
    for look in looks:
        if look.difference.is_clear:
            says = "better" if look.difference.low > 0.0 else "worse"
            break
    if says == "open" and looks and looks[-1].fraction == 1.0:
        says = "no_difference"
    now = {
        metric: evidence.reading(found)
        for metric in TOLD
        if (found := contrast_at(units, number, at_us, one.unit, zone, metric)) is not None
    }
    return Compared(arm=name, looks=looks, says=says, now=now)


def _arms(units: Units, names: list[str], shares: F8, at_us: int, unit: str, zone: str) -> list[ArmTold]:
    told = []
    figures, arms = units.figures(at_us), units.arm
    places = [*enumerate(names), (-1, HOLDOUT)] if (units.arm < 0).any() else list(enumerate(names))
    if unit != "debtor":
        (figures, ready), arms = units.by_day(at_us), units.list_arm
        arms = np.where(ready, arms, -2)
        places = list(enumerate(names))
    for place, name in places:
        here = arms == place
        collected = float(figures["collected"][here].sum())
        told.append(
            ArmTold(
                arm=name,
                units=int(here.sum()),
                share=float(shares[place]),
                by_unit={metric: _mean(figures[metric][here]) for metric in TOLD if metric in figures},
                cost_per_collected=float(figures["cost"][here].sum()) / collected if collected else None,
            )
        )
    return told


def _mean(values: F8) -> Interval:
    from scipy.special import stdtrit

    n = len(values)
    if n < 2:
        return Interval(float(values.mean()) if n else float("nan"), -float("inf"), float("inf"))
    return evidence.around(float(values.mean()), float(values.std(ddof=1) / np.sqrt(n)), float(stdtrit(n - 1, 0.975)))


def _left_alone(units: Units, at_us: int) -> Interval | None:
    """Return what the first arm nets by debtor above those who are left alone."""
    if not (units.arm < 0).any():
        return None
    found = contrast_at(units, 0, at_us, "debtor", "UTC", first=-1)
    return None if found is None else evidence.reading(found)


def _guards(units: Units, trial: Trial, names: list[str], at_us: int, unit: str, zone: str) -> list[Guard]:
    found = []
    by_person, arms = units.figures(at_us), units.arm
    days = units.by_day(at_us)[0] if unit != "debtor" else {}
    for metric, most in trial.guardrails.items():
        for place, name in enumerate(names):
            here = arms == place
            if metric in ("complaints", "stops", "disputes") and unit == "debtor":
                found.append(_guard(metric, name, most, by_person[metric][here].sum(), here.sum(), 1000.0, False))
            elif metric == "abandonment":
                of, mine = (by_person, here) if unit == "debtor" else (days, units.list_arm == place)
                abandoned, people = (of[key][mine].sum() for key in ("abandoned", "answered_people"))
                found.append(_guard(metric, name, most, abandoned, people, 1.0, False))
            elif metric == "calls_per_week" and unit == "debtor":
                calls, weeks = by_person["calls"][here].sum(), by_person["weeks"][here].sum()
                found.append(_guard(metric, name, most, calls, weeks, 1.0, True))
    if trial.fairness is not None and unit == "debtor":
        for field, words in units.groups.items():
            for place, name in enumerate(names):
                here = arms == place
                most, calls, weeks = trial.fairness.intensity_ratio, by_person["calls"][here], by_person["weeks"][here]
                if (told := fairness.intensity(field, words[here], name, most, calls, weeks)) is not None:
                    found.append(told)
    return found


def _not_compared(trial: Trial, names: list[str], guards: list[Guard], unit: str) -> list[str]:
    """Return in words by what fairness is asked for and cannot be told."""
    if trial.fairness is None or unit != "debtor":
        return []
    told = {(guard.arm, guard.metric.partition(",")[0]) for guard in guards}
    found = []
    for field in trial.fairness.by:
        if silent := [name for name in names if (name, f"{fairness.CALLS_BY} {field}") not in told]:
            found.append(
                f"fairness by {field} is not told of {', '.join(silent)}: there are no two groups of "
                f"{fairness.LEAST_DEBTORS} debtors that were called"
            )
    return found


def _guard(metric: str, arm: str, most: float, events: float, of: float, scale: float, counted: bool) -> Guard:
    return evidence.guard(metric, arm, most, float(events), float(of), scale, counted=counted)


def _warnings(one: Registered, units: Units, even: float) -> list[str]:
    found = []
    if one.registered_us - one.started_us > DAY:
        late = (one.registered_us - one.started_us) / DAY
        found.append(f"was written down {late:.0f} days after it began: what was seen by then may have chosen it")
    others = [name for name in units.versions if name != one.strategy]
    if even < evidence.MISMATCH:
        # Whoever stood on another document's list counts in the arm that it gave him.
        why = (
            f"lists by {', '.join(others)} gave people other arms first, and no difference can be trusted; stop this "
            f"trial, and start one from a day on which {one.strategy} made the list"
            if others
            else "the lots or the record are broken, and no difference can be trusted; find out who is missing before "
            "anything else"
        )
        found.append(f"the arms' sizes do not fit their shares (p = {even:.2g}): {why}")
    if unwatched := one.read.document.trial.unwatched:
        found.append(
            f"guardrails {', '.join(unwatched)} are of debtors, and whole days are drawn here, so that every debtor is "
            "in every arm: nobody watches that; look at the floor's complaints and stops yourself"
        )
    if others and one.strategy not in units.versions:
        found.append(
            f"no list was made by {one.strategy} since the start, so nobody is in its arms as it draws them; "
            f"{', '.join(others)} made them"
        )
    elif others:
        found.append(
            f"lists were made by {', '.join(others)} too, and not only by {one.strategy}: what is compared is what "
            "ran, and not the document that was started"
        )
    if units.moved and one.unit == "debtor":
        found.append(
            f"{units.moved} debtors changed their arm: shares or lot were edited; each counts in his first arm"
        )
    return found
