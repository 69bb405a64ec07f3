"""An experiment in words: the answer in a sentence that a manager understands, and figures for people."""

from collections.abc import Callable
from datetime import date
from math import isfinite
from typing import TYPE_CHECKING

from domain.intervals import Interval
from simulation.agents import Temper
from simulation.circumstances import differing, told
from simulation.exchange import WorldSettings
from simulation.measures import PRIMARY
from strategy.objectives import OBJECTIVES

if TYPE_CHECKING:
    from simulation.comparison import Line, Result, Versus
    from simulation.month import Plan
    from simulation.roster import Roster


def answer_of(result: "Result") -> tuple[str, str]:
    """Return the answer as a manager would want it, and whether it is clear."""
    warning = (
        "" if not result.breaches else f" But {result.breaches:,} contacts broke a rule: do not use this as it is."
    )
    if result.differing:
        warning = f" Objectives differ ({result.differing}), so net recovery decides.{warning}"
    if len(result.compared) > 1:
        return _best(result) + warning, "sweep"
    one = result.compared[0]
    if not one.versus:
        brings = _brings(one.lines[0], one.lines[0].values[0], result.currency)
        return (
            f"{result.arms[0]} {brings} in {days(result.n_days)} ({replications(result.replications)}).{warning}"
        ), "open"
    told = [_sentence(versus, result) for versus in one.versus]
    clear = all(versus.says != "open" for versus in one.versus)
    said = "the answer is clear" if clear else "the answer is not clear yet"
    return f"{'; '.join(told)} ({replications(result.replications)}; {said}).{warning}", "clear" if clear else "open"


def _sentence(versus: "Versus", result: "Result") -> str:
    arm, than, what = versus.arm, versus.champion, OBJECTIVES[result.objective]
    if what.unit:
        return _counted(versus, result, what.words)
    if versus.says == "same":
        if not any(versus.paired):
            return f"{arm} nets exactly what {than} nets"
        return f"between {arm} and {than} there is no difference that matters: {_amount(versus, result)}"
    if versus.says == "open":
        return f"{arm} may net more or less than {than}: {_amount(versus, result)}"
    return f"{arm} collects {_amount(versus, result)} {versus.says} net than {than}"


def _counted(versus: "Versus", result: "Result", what: str) -> str:
    arm, than = versus.arm, versus.champion
    if versus.says == "same":
        if not any(versus.paired):
            return f"{arm} brings exactly as many {what} as {than}"
        return f"between {arm} and {than} there is no difference in {what} that matters: {_amount(versus, result)}"
    if versus.says == "open":
        return f"{arm} may bring more or fewer {what} than {than}: {_amount(versus, result)}"
    return f"{arm} brings {_amount(versus, result)} {versus.says.replace('less', 'fewer')} {what} than {than}"


def _brings(line: "Line", value: float | None, currency: str) -> str:
    """Return what an arm comes to by the metric that decides."""
    told = value_text(line, value, currency)
    return f"nets {told}" if line.name == PRIMARY.name else f"brings {told} {line.words.lower()}"


def _amount(versus: "Versus", result: "Result") -> str:
    """Return the difference with its interval, in shares where the champion nets anything, without signs if clear."""
    sign = -1.0 if versus.says == "less" else 1.0
    found = versus.share or versus.watched
    value, low, high = sign * found.value, *sorted((sign * found.low, sign * found.high))

    def words(amount: float, plus: str = "") -> str:
        if versus.share is None:
            return value_text(result.compared[0].lines[0], amount, result.currency)
        size = f"{abs(100 * amount):.1f} %"
        return signed(amount, size) if plus or amount < 0 else size

    told = words(value, "" if versus.says in ("more", "less") else "+")
    return f"{told} ({words(low)} to {words(high)})" if isfinite(low) else f"{told}, with no telling yet how far off"


def _best(result: "Result") -> str:
    found = []
    for one in result.compared:
        line = one.lines[0]
        found += [
            (value, arm, one.setting) for value, arm in zip(line.values, result.arms, strict=True) if value is not None
        ]
    value, arm, setting = max(found, key=lambda one: one[0])
    line = result.compared[0].lines[0]
    most = "nets most" if line.name == PRIMARY.name else f"brings most {line.words.lower()}"
    told = (
        f"Of what was tried, {arm} with {setting} {most}: {value_text(line, value, result.currency)} in "
        f"{days(result.n_days)}"
    )
    for staffing in result.staffing[:1]:
        if isfinite(staffing.value.low):
            which = ", ".join(filter(None, (staffing.arm if len(result.arms) > 1 else "", staffing.setting)))
            where = f" with {which}" if len(result.staffing) > 1 else ""
            told += (
                f"; one more agent{where} is worth {money(staffing.value.value, result.currency)} "
                f"({money(staffing.value.low, result.currency)} to {money(staffing.value.high, result.currency)})"
            )
    return f"{told} ({replications(result.replications)})."


def staff_words(roster: "Roster") -> str:
    """Return who works, for people."""
    n, hours = len(roster.names()), roster.hours_a_week()
    return f"{n:,} agent{'' if n == 1 else 's'}, {hours:,.0f} agent-hours a week"


def brought(plan: "Plan") -> tuple[str, ...]:
    """Return what a plan's month brings besides its world and roster, a sentence each, in order."""
    start = date.fromisoformat(plan.start)
    found = told(plan.roster.holidays, plan.incidents, plan.changes, start, plan.days)
    network = differing(plan.exchange, WorldSettings())
    agents = differing(plan.temper, Temper())
    swings = plan.swings
    if swings.deviation:
        found = (
            *found,
            f"all days: people pick up more or less often from hour to hour (deviation {swings.deviation:g}, "
            f"persistence {swings.persistence:g})",
        )
    return (
        *found,
        *([f"all days, trunks and detection: {', '.join(network)}"] if network else []),
        *([f"all days, agents: {', '.join(agents)}"] if agents else []),
    )


def replications(n: int) -> str:
    return f"{n:,} replication{'' if n == 1 else 's'}"


def days(n: int) -> str:
    return f"{n:,} day{'' if n == 1 else 's'}"


def money(value: float | None, currency: str) -> str:
    """Return an amount of major units for people."""
    if value is None or not isfinite(value):
        return "–"
    return f"{value:,.{0 if abs(value) >= 100 else 2}f} {currency}".replace("-", "−")


# ---- figures


def value_text(line: "Line", value: float | None, currency: str) -> str:
    """Return a metric's value for people."""
    return "–" if value is None or not isfinite(value) else _WORDS[line.unit](value, currency)


def difference_text(line: "Line", one: Interval, currency: str) -> str:
    """Return a difference with its interval for people."""
    if not isfinite(one.value):
        return "–"

    def words(value: float) -> str:
        # Of two shares, a difference is in points: "−2 %" could mean either.
        size = f"{abs(100 * value):.2f} pp" if line.unit == "share" else _WORDS[line.unit](abs(value), currency)
        return signed(value, size)

    return interval_text(one, words)


def signed(value: float, size: str) -> str:
    """Return a size with the sign of its value; what is shown as zero has none."""
    if not any(digit in size for digit in "123456789"):
        return size
    return f"{'+' if value > 0 else '−'}{size}"


_WORDS: dict[str, Callable[[float, str], str]] = {
    "money": money,
    "share": lambda value, _: f"{100 * value:.2f} %",
    "count": lambda value, _: f"{value:,.0f}" if value >= 100 else f"{value:,.1f}",
    "rate": lambda value, _: f"{value:,.2f}",
    "s": lambda value, _: f"{value:,.1f} s",
    "ratio": lambda value, _: f"{value:.3f}",
}


def interval_text(one: Interval, words: Callable[[float], str]) -> str:
    if not isfinite(one.low) or not isfinite(one.high):
        return words(one.value) if isfinite(one.value) else "–"
    return f"{words(one.value)} ({words(one.low)} to {words(one.high)})"
