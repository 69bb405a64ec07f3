"""The metric dictionary over simulated months, and what a month cost: every metric a quotient of two sums.

One definition each, as `docs/glossary.md` tells them. A total is the quotient whose denominator is 1, so that one way
of comparing (`simulation.statistics`) serves all. Money is converted here, at the very end, into one currency's major
unit; up to here it is integer minor units.
"""

import tomllib
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from domain.calls import AgentState
from domain.errors import BadInput
from domain.money import EXPONENTS
from simulation.documents import in_words
from simulation.outcome import FLOW, Outcome
from strategy.objectives import OBJECTIVES

F8 = NDArray[np.float64]

#: The prices that ship.
SHIPPED = Path(__file__).resolve().parent.parent / "config" / "costs.toml"


class Prices(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What work costs, in minor units of one currency; parts of one are allowed."""

    #: An agent signed in for an hour, breaks included, with everything that comes with a seat.
    agent_hour: float
    #: A minute of an answered call.
    call_minute: float
    #: A call placed, answered or not.
    attempt: float
    #: Dealing with a complaint.
    complaint: float

    def __post_init__(self) -> None:
        for field in self.__struct_fields__:
            value = getattr(self, field)
            if not 0.0 <= value < 1e12:
                raise BadInput(f"costs: {field} must be 0 or more, was {value!r}; correct it")


class Costs(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A costs document."""

    #: Reported in when debtors owe in several currencies.
    currency: str
    #: By currency.
    prices: dict[str, Prices]
    #: What one unit of a currency is worth in units of `currency`.
    exchange: dict[str, float] = {}

    def __post_init__(self) -> None:
        for code in (self.currency, *self.prices, *self.exchange):
            if code not in EXPONENTS:
                raise BadInput(f"costs: {code!r} is no currency; use its ISO 4217 code, such as EUR")
        if self.currency not in self.prices:
            raise BadInput(f"costs: there are no prices in {self.currency}; add [prices.{self.currency}]")
        for code, rate in self.exchange.items():
            if not 0.0 < rate < 1e9:
                raise BadInput(f"costs: exchange.{code} must be above 0, was {rate!r}; correct it")

    def currency_of(self, outcomes: Iterable[Outcome]) -> str:
        """Return the currency to report in: the debtors' own where they have one and it is priced."""
        owed = {one.currency for outcome in outcomes for one in outcome.accounts if one.currency}
        return owed.pop() if len(owed) == 1 and owed <= set(self.prices) else self.currency

    def worth(self, code: str, currency: str) -> float:
        """Return how many major units of `currency` one minor unit of another is.

        Raises
        ------
        BadInput
            When no rate is known.
        """
        rate = 1.0
        if code != currency:
            for one in (code, currency):
                if one != self.currency and one not in self.exchange:
                    raise BadInput(
                        f"costs: {one} has no rate; add exchange.{one}, what 1 {one} is worth in {self.currency}"
                    )
            rate = self.exchange.get(code, 1.0) / self.exchange.get(currency, 1.0)
        return float(rate / 10 ** EXPONENTS[code])


def read_costs(path: Path = SHIPPED) -> Costs:
    """Return a costs document.

    Raises
    ------
    BadInput
        Saying what is wrong with the file.
    """
    try:
        stated = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadInput(f"costs {path}: cannot be read ({error.strerror}); name a costs file") from None
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise BadInput(f"costs {path}: is no TOML ({error}); correct it") from None
    try:
        return msgspec.convert(stated, Costs)
    except msgspec.ValidationError as error:
        raise BadInput(f"costs {path}: {in_words(error, stated, Costs)}; correct it") from None
    except BadInput as error:
        raise BadInput(f"costs {path}: {str(error).removeprefix('costs: ')}") from None


class Measure(msgspec.Struct, frozen=True):
    """One metric: a sum of named tallies over another; without a denominator, a total."""

    name: str
    words: str
    #: money, share, count, rate (a number with decimals), s (seconds) or ratio (money per money).
    unit: str
    #: 1: more is better; -1: less is; 0: neither.
    better: int
    numerator: tuple[str, ...]
    denominator: tuple[str, ...] = ()
    formula: str = ""


#: The one that decides where strategies have no other objective.
PRIMARY = Measure("net_recovery", "Net recovery", "money", 1, ("net",), (), "collected − cost")
MEASURES = (
    PRIMARY,
    Measure("collected", "Collected", "money", 1, ("paid",), (), "all that was paid, called or not"),
    Measure("cost", "Cost", "money", -1, ("cost",), (), "agents + call minutes + attempts + complaints"),
    Measure("cost_per_collected", "Cost per unit collected", "ratio", -1, ("cost",), ("paid",), "cost ÷ collected"),
    Measure("liquidation", "Liquidation rate", "share", 1, ("paid",), ("owed",), "collected ÷ placed"),
    Measure(
        "collected_per_agent_hour", "Collected per agent-hour", "money", 1, ("paid",), ("worked_h",),
        "collected ÷ (logged-in − pause) hours",
    ),
    Measure("right_party", "Right-party contacts", "count", 1, ("right_party",)),
    Measure(
        "rpc_per_agent_hour", "RPC per agent-hour", "rate", 1, ("right_party",), ("worked_h",),
        "right-party contacts ÷ (logged-in − pause) hours",
    ),
    Measure("rpc_rate", "RPC rate", "share", 1, ("right_party",), ("attempts",), "right-party contacts ÷ attempts"),
    Measure("promises", "Promises", "count", 1, ("promises",)),
    Measure("ptp_rate", "PTP rate", "share", 1, ("promises",), ("right_party",), "promises ÷ right-party contacts"),
    Measure("promises_kept", "Promises kept", "count", 1, ("kept",), (), "of those fallen due"),
    Measure("kept_ptp_rate", "Kept-PTP rate", "share", 1, ("kept",), ("due",), "promises kept ÷ fallen due"),
    Measure(
        "promise_value_kept", "Promise value kept", "share", 1, ("kept_money",), ("due_money",),
        "received on promises due ÷ promised",
    ),
    Measure("attempts", "Attempts", "count", 0, ("attempts",)),
    Measure("attempts_per_account", "Attempts per account", "rate", 0, ("attempts",), ("assigned",)),
    Measure(
        "list_penetration", "List penetration", "share", 1, ("attempted",), ("assigned",),
        "accounts attempted ÷ assigned",
    ),
    Measure("live_answer_rate", "Live-answer rate", "share", 1, ("people",), ("attempts",), "people ÷ attempts"),
    Measure(
        "contact_rate", "Contact rate", "share", 1, ("reached",), ("attempted",),
        "accounts with a contact ÷ accounts attempted",
    ),
    Measure("abandon_rate", "Abandonment", "share", -1, ("abandoned",), ("people",), "abandoned ÷ people"),
    Measure(
        "occupancy", "Occupancy", "share", 1, ("busy_h",), ("busy_h", "ready_h"),
        "(talk + wrap-up) ÷ (talk + wrap-up + ready)",
    ),
    Measure("aht_s", "Average handling time", "s", 0, ("handling_s",), ("connected",), "(talk + wrap-up) ÷ connected"),
    Measure("wait_s", "Answer to agent", "s", -1, ("wait_s",), ("connected",), "mean over connected calls"),
    Measure("agent_hours", "Agent-hours", "count", 0, ("logged_h",), (), "signed in, breaks included"),
    Measure("complaints", "Complaints", "count", -1, ("complaints",)),
    Measure("stops", "Stops asked for", "count", -1, ("stops",)),
)  # fmt: skip
BY_NAME = {one.name: one for one in MEASURES}


def deciding(objective: str) -> Measure:
    """Return the total by which strategies of an objective are judged."""
    return BY_NAME[OBJECTIVES[objective].measure]


Tally = dict[str, float]
_BUSY = frozenset({AgentState.talking, AgentState.wrapup})
_READY = frozenset({AgentState.ready, AgentState.reserved})


def tally(outcome: Outcome, costs: Costs, currency: str) -> Tally:
    """Return what a replication adds to every sum."""
    return _tally(outcome, costs, currency, "all")["all"]


def tally_by(outcome: Outcome, costs: Costs, currency: str, by: str) -> dict[str, Tally]:
    """Return the same by `segment` (no agents' time, hence no cost of it) or by `hour` (no money)."""
    return _tally(outcome, costs, currency, by)


def _tally(outcome: Outcome, costs: Costs, currency: str, by: str) -> dict[str, Tally]:
    names, whole, by_hour = outcome.segments, by == "all", by == "hour"
    found: defaultdict[str, defaultdict[str, float]] = defaultdict(lambda: defaultdict(float))

    def of(segment: int, hour: int = 0) -> defaultdict[str, float]:
        return found["all" if whole else f"{hour:02d}" if by_hour else names[segment]]

    worth = {code: costs.worth(code, currency) for code in sorted(_currencies(outcome))}
    for flow in outcome.flows:
        sums = of(flow.segment, flow.hour)
        for name, count in zip(FLOW, flow.counts, strict=True):
            sums[name] += count
    if whole or by_hour:
        for work in outcome.work:
            sums, hours = of(0, work.hour), work.agent_ms / 3.6e6
            if work.state != AgentState.offline:
                sums["logged_h"] += hours
                sums["worked_h"] += 0.0 if work.state == AgentState.paused else hours
                sums["busy_h"] += hours if work.state in _BUSY else 0.0
                sums["ready_h"] += hours if work.state in _READY else 0.0
    if not by_hour:
        for money in outcome.money:
            sums = of(money.segment)
            sums["paid"] += money.paid_minor * worth[money.currency]
            sums["contacted"] += money.contacted_minor * worth[money.currency]
            sums["payments"] += money.payments
        for one in outcome.promised:
            sums = of(one.segment)
            sums["due"] += one.due
            sums["kept"] += one.kept
            sums["due_money"] += one.due_minor * worth[one.currency]
            sums["kept_money"] += one.kept_minor * worth[one.currency]
        for account in outcome.accounts:
            sums = of(account.segment)
            sums["assigned"] += account.accounts
            sums["attempted"] += account.accounts if account.attempts else 0
            sums["accounts_answered"] += account.answered
            sums["reached"] += account.reached
            sums["accounts_right_party"] += account.right_party
            sums["accounts_promised"] += account.promised
            sums["accounts_kept"] += account.kept
            sums["payers"] += account.payers
            if account.currency:
                sums["owed"] += account.owed_minor * worth[account.currency]
    if whole:
        found["all"]["complaints"] += outcome.complaints
        found["all"]["stops"] += sum(outcome.stops.values())
        found["all"]["breaches"] += len(outcome.breaches)
    for sums in found.values():
        _derive(sums, costs.prices[currency], 10.0 ** -EXPONENTS[currency])
    return {name: dict(sums) for name, sums in sorted(found.items())}


def _derive(sums: defaultdict[str, float], prices: Prices, minor: float) -> None:
    sums["handling_s"] = (sums["talk_ms"] + sums["wrap_ms"]) / 1e3
    sums["wait_s"] = sums["wait_ms"] / 1e3
    sums["cost_agents"] = minor * prices.agent_hour * sums["logged_h"]
    sums["cost_minutes"] = minor * prices.call_minute * (sums["talk_ms"] + sums["wait_ms"]) / 6e4
    sums["cost_attempts"] = minor * prices.attempt * sums["attempts"]
    sums["cost_complaints"] = minor * prices.complaint * sums["complaints"]
    sums["cost"] = sum(sums[name] for name in COSTS)
    sums["net"] = sums["paid"] - sums["cost"]


#: Parts of the cost.
COSTS = ("cost_agents", "cost_minutes", "cost_attempts", "cost_complaints")


def _currencies(outcome: Outcome) -> set[str]:
    return (
        {one.currency for one in outcome.money}
        | {one.currency for one in outcome.promised}
        | {one.currency for one in outcome.accounts if one.currency}
    )


def parts(measure: Measure, tallies: Iterable[Tally]) -> F8:
    """Return numerator and denominator of a measure by replication, (n, 2)."""
    rows = [
        (
            sum(one.get(name, 0.0) for name in measure.numerator),
            sum(one.get(name, 0.0) for name in measure.denominator) if measure.denominator else 1.0,
        )
        for one in tallies
    ]
    return np.array(rows, dtype=np.float64).reshape(-1, 2)
