"""Estimates with what they rest on: a value, how many cases, an interval; and how thin cells are drawn to the rest."""

import math
from collections.abc import Mapping, Sequence
from statistics import NormalDist
from typing import Final

import msgspec

from ledger.figures import share

_Z95 = NormalDist().inv_cdf(0.975)


class Estimate(msgspec.Struct, frozen=True, kw_only=True):
    """One number or table of the world, as a document states it."""

    #: Dotted place in the document, e.g. `answering.p_busy`.
    at: str
    value: float | tuple[float, ...]
    #: Cases that it rests on.
    n: int
    low: float | None = None
    high: float | None = None
    how: str = ""

    @property
    def rests_on(self) -> str:
        """Return its cases, interval and making, in words."""
        interval = "" if self.low is None or self.high is None else f", 95 % in [{self.low:.4g}, {self.high:.4g}]"
        return f"n = {self.n:,}{interval}{'; ' + self.how if self.how else ''}"


def p(at: str, hits: int, n: int, how: str = "") -> Estimate | None:
    """Return a probability with its Wilson interval; None without a case."""
    if not n:
        return None
    found = share(at, hits, n)
    return Estimate(at=at, value=_short(hits / n), n=n, low=found.low, high=found.high, how=how)


def lognormal(at: str, seconds: Sequence[float], how: str = "") -> Estimate | None:
    """Return median and deviation of the logarithm, with the median's interval; None below ten cases."""
    logs = [math.log(value) for value in seconds if value > 0.0]
    n = len(logs)
    if n < 10:
        return None
    mean = sum(logs) / n
    deviation = math.sqrt(sum((value - mean) ** 2 for value in logs) / (n - 1))
    half = _Z95 * deviation / math.sqrt(n)
    return Estimate(
        at=at,
        value=(_short(math.exp(mean)), _short(deviation)),
        n=n,
        low=math.exp(mean - half),
        high=math.exp(mean + half),
        how=how,
    )


def two_lognormals(
    seconds: Sequence[float], first: tuple[float, float], second: tuple[float, float], share_first: float
) -> tuple[tuple[float, float], tuple[float, float], float]:
    """Return two clusters of times and the share of the first, by expectation and maximisation from a first guess."""
    logs = [math.log(value) for value in seconds if value > 0.0]
    laws = [[math.log(first[0]), first[1]], [math.log(second[0]), second[1]]]
    weight = share_first
    for _ in range(40):
        belongs = []
        for x in logs:
            near = [
                w * math.exp(-(((x - mean) / spread) ** 2) / 2) / spread
                for (mean, spread), w in zip(laws, (weight, 1.0 - weight), strict=True)
            ]
            belongs.append(near[0] / sum(near) if sum(near) > 0.0 else float(x < laws[1][0]))
        for place in (0, 1):
            of = [b if place == 0 else 1.0 - b for b in belongs]
            total = sum(of)
            if total < 2.0:
                continue
            mean = sum(b * x for b, x in zip(of, logs, strict=True)) / total
            spread = math.sqrt(sum(b * (x - mean) ** 2 for b, x in zip(of, logs, strict=True)) / total)
            laws[place] = [mean, max(0.02, spread)]
        weight = min(0.999, max(0.001, sum(belongs) / len(logs)))
    one, other = ((_short(math.exp(mean)), _short(spread)) for mean, spread in laws)
    return one, other, _short(weight)


def shrunk_ratios(seen: Mapping[object, float], expected: Mapping[object, float]) -> dict[object, float]:
    """Return seen ÷ expected by cell, thin cells drawn to the ratio of all: empirical Bayes, gamma on Poisson.

    The cells' true ratios are taken as gamma about the pooled ratio m, with a variance t² that is what their spread
    exceeds chance by (method of moments); a cell's ratio is then m · (seen + k) / (m · expected + k) with k = 1 / t².
    Where the spread is no more than chance, all cells have the pooled ratio. (Clayton & Kaldor 1987.)
    """
    cells = [cell for cell, count in expected.items() if count > 0.0]
    total = sum(expected[cell] for cell in cells)
    pooled = sum(seen.get(cell, 0.0) for cell in cells) / total if total else 1.0
    if not total or pooled <= 0.0:
        return dict.fromkeys(expected, 1.0)
    e = {cell: pooled * expected[cell] for cell in cells}
    spread = sum(e[cell] * (seen.get(cell, 0.0) / e[cell] - 1.0) ** 2 for cell in cells) - (len(cells) - 1)
    weight = sum(e.values()) - sum(one * one for one in e.values()) / sum(e.values())
    variance = spread / weight if weight > 0.0 else 0.0
    if variance <= 1e-9:
        return dict.fromkeys(expected, pooled)
    k = 1.0 / variance
    return {cell: pooled * (seen.get(cell, 0.0) + k) / (e[cell] + k) if cell in e else pooled for cell in expected}


#: How far agents' paces lie apart, as a deviation of the logarithm, and of how many agents that is known (assumed).
_APART: Final = (0.15, 5)


def paces(seconds: Mapping[str, Mapping[str, Sequence[float]]]) -> dict[str, Estimate]:
    """Return how long each agent takes against the floor, with intervals: a normal law of logarithms, two levels.

    Parameters
    ----------
    seconds : mapping of agent to kind to times
        Times of a kind (whom the conversation was with) have one spread, whoever took them.

    Notes
    -----
    An agent's mean is drawn to the floor's by t² / (t² + its error²), where t² is how far agents' means lie apart
    beyond chance (DerSimonian & Laird 1986), joined with what is assumed of floors as if five more agents had shown
    it. The interval is that of the drawn mean: its error is t · error / sqrt(t² + error²).
    """
    logs = {
        agent: {kind: [math.log(value) for value in values if value > 0.0] for kind, values in kinds.items()}
        for agent, kinds in seconds.items()
    }
    known = sorted(agent for agent, kinds in logs.items() if any(kinds.values()))
    weights, means = dict.fromkeys(known, 0.0), dict.fromkeys(known, 0.0)
    for kind in sorted({kind for kinds in logs.values() for kind in kinds}):
        of = {agent: values for agent in known if (values := logs[agent].get(kind))}
        n = sum(map(len, of.values()))
        if n - len(of) < 10:
            continue
        floor = sum(map(sum, of.values())) / n
        within = sum((x - sum(xs) / len(xs)) ** 2 for xs in of.values() for x in xs) / (n - len(of))
        for agent, xs in of.items():
            weights[agent] += len(xs) / max(within, 1e-6)
            means[agent] += (sum(xs) - len(xs) * floor) / max(within, 1e-6)
    told = [agent for agent in known if weights[agent]]
    total = sum(weights[agent] for agent in told)
    if not total:
        return {}
    middle = sum(means[agent] for agent in told) / total
    spread = sum((means[agent] / weights[agent] - middle) ** 2 * weights[agent] for agent in told) - (len(told) - 1)
    rest = total - sum(weights[agent] ** 2 for agent in told) / total
    seen = max(0.0, spread / rest) if rest > 0.0 else 0.0
    apart, others = _APART
    t2 = (others * apart**2 + (len(told) - 1) * seen) / (others + len(told) - 1)
    found = {}
    for agent in told:
        error2 = 1.0 / weights[agent]
        drawn = (means[agent] / weights[agent] - middle) * t2 / (t2 + error2)
        half = _Z95 * math.sqrt(t2 * error2 / (t2 + error2))
        n = sum(map(len, logs[agent].values()))
        found[agent] = Estimate(
            at=agent, value=_short(math.exp(drawn)), n=n, low=math.exp(drawn - half), high=math.exp(drawn + half)
        )
    return found


def poisson(n: float) -> tuple[float, float]:
    """Return the relative interval of a count: its bounds ÷ itself (Byar's approximation)."""
    if n <= 0:
        return 0.0, math.inf
    low = (1 - 1 / (9 * n) - _Z95 / (3 * math.sqrt(n))) ** 3
    more = n + 1
    high = more / n * (1 - 1 / (9 * more) + _Z95 / (3 * math.sqrt(more))) ** 3
    return max(0.0, low), high


def _short(value: float) -> float:
    """Return a value to four digits: a document is to be read."""
    return float(f"{value:.4g}")


def between(value: float, low: float, high: float) -> float:
    """Return a value within bounds, to four digits."""
    return _short(min(high, max(low, value)))
