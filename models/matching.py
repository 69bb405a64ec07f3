"""Which agent suits which debtor: what an agent adds in a group of debtors, over his own and the group's rate.

Learned from conversations with the debtor himself, as the record has them. A linear model of the outcome takes away
what agents, groups and hours of the week's days bring by themselves; what is left of each agent and group is drawn to
nothing as far as its few conversations leave it open (normal-normal, the spread between cells by moments). Then it is
held against conversations that came later: as far as those bear it out it is claimed, and where they do not, or the
cells do not clearly differ, nothing is.

It is right where chance gave callers to agents. The engine gives them to whoever is longest idle, so it does nearly;
calls for which an agent was held before (call-backs that he owns, previews) are left out, and agents' and groups' own
rates are taken away. Once a table is in force, who gets whom hangs on the group, which is known, and on who was free:
it goes on telling.
"""

import math
from hashlib import sha256
from itertools import pairwise
from typing import Final, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from domain.errors import BadInput
from domain.matching import Matching
from models.metrics import Figure, by_chance, claimed

F8 = NDArray[np.float64]
I8 = NDArray[np.int64]

#: One-sided chance of as much without any such effect, below which later conversations are taken to show one; and of
#: cells that differ so much.
ALPHA: Final = 0.01
ALPHA_CELLS: Final = 0.05
#: Fewer conversations teach nothing.
LEAST: Final = 500
#: Ages of debts fall into so many bands, as many conversations in each.
BANDS: Final = 3
#: Shares of the conversations, in time, at which one is ready to be judged by those up to the next.
_WINDOWS: Final = (0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
#: The gain is told for so many agents free at once.
FREE: Final = (2, 3, 5)


class Talks(NamedTuple):
    """Conversations with the debtor himself, in the order of their time; columns of one length."""

    agents: tuple[str, ...]
    currencies: tuple[str, ...]
    #: Place in `agents`.
    agent: I8
    person: I8
    #: When it began, and when its outcome was known.
    at_us: I8
    known_us: I8
    #: Hour of the floor's day, and 24 more at the weekend.
    hour: I8
    #: Of the oldest open debt, days past due.
    days: F8
    owed_minor: F8
    #: Place in `currencies`.
    currency: I8
    #: 1: the outcome came.
    y: F8

    def take(self, at: I8 | NDArray[np.bool_]) -> "Talks":
        return Talks(
            self.agents, self.currencies, self.agent[at], self.person[at], self.at_us[at], self.known_us[at],
            self.hour[at], self.days[at], self.owed_minor[at], self.currency[at], self.y[at],
        )  # fmt: skip


class Learned(msgspec.Struct, frozen=True, kw_only=True):
    """What was learned, and what is claimed of it."""

    conversations: int
    debtors: int
    agents: int
    #: Agents and groups with conversations.
    cells: int
    #: How often the outcome came.
    rate: float
    #: Of what agents add, over cells: the deviation, and the chance of cells that differ so much where none does.
    deviation: float
    p_cells: float
    #: Later conversations by which it was judged, and of how many debtors.
    unseen: int
    unseen_debtors: int
    #: Of what was said of them: as measured, its standard error by debtor, the chance of as much without any effect.
    measured: float
    error: float
    p_slope: float
    #: What is claimed of what was found, 0 to 1; 0: nothing.
    slope: float
    #: What a conversation's chance of the outcome gains with so many agents free by lot, the best of them instead of
    #: any; on a floor it is less, for who suits many is soon talking.
    gains: dict[int, Figure]
    #: By group: what it is, its conversations, and its rate.
    groups: list[tuple[str, int, float]]
    #: None: nothing is claimed.
    matching: Matching | None


class Fitted(NamedTuple):
    """A model of the outcome."""

    #: (agents, groups): what an agent adds in a group.
    adds: F8
    #: Variance between cells, and the chance of cells that differ so much where none does.
    between: float
    p_cells: float


def learn(talks: Talks) -> Learned:
    """Return what conversations tell of who suits whom.

    Raises
    ------
    BadInput
        When there are too few, or only one agent talked.
    """
    if len(talks.y) < LEAST or len(np.unique(talks.agent)) < 2:
        raise BadInput(
            f"matching: {len(talks.y):,} conversations of {len(np.unique(talks.agent))} agents with debtors of known "
            f"debts are on record; {LEAST} of two agents at least are wanted: come back when the floor has talked"
        )
    days, much_minor = _cuts(talks)
    plain = Matching(version="", days=days, much_minor=much_minor, gains={})
    group = _groups(talks, plain)
    whole = fit(talks, group, plain.groups)
    said, unseen = _said(talks, group, plain.groups)
    judged = talks.take(unseen)
    measured, error = _slope(judged, group[unseen], plain.groups, said)
    p_slope = by_chance(measured, error) if error > 0.0 else 1.0
    slope = 0.0
    if p_slope < ALPHA and whole.p_cells < ALPHA_CELLS and whole.between > 0.0:
        slope = claimed(measured, error)
    counts = np.bincount(group, minlength=plain.groups)
    rates = np.bincount(group, talks.y, plain.groups) / np.maximum(counts, 1)
    return Learned(
        conversations=len(talks.y),
        debtors=len(np.unique(talks.person)),
        agents=len(np.unique(talks.agent)),
        cells=len(np.unique(talks.agent * plain.groups + group)),
        rate=float(talks.y.mean()),
        deviation=math.sqrt(whole.between),
        p_cells=whole.p_cells,
        unseen=len(unseen),
        unseen_debtors=len(np.unique(judged.person)),
        measured=measured,
        error=error,
        p_slope=p_slope,
        slope=slope,
        gains=_gains(talks, group, whole.adds, slope, measured, error) if slope else {},
        groups=[(plain.words(n), int(counts[n]), round(float(rates[n]), 4)) for n in range(plain.groups)],
        matching=_table(talks, plain, slope * whole.adds) if slope else None,
    )


def fit(talks: Talks, group: I8, groups: int) -> Fitted:
    """Return a model of the outcome: agents, groups and hours each by themselves, and what is left of each cell.

    Notes
    -----
    Spread between cells by moments (Searle, Casella & McCulloch 1992, ch. 5), cells by the mixed model equations
    (Henderson 1975).
    """
    n_agents, n, y = len(talks.agents), len(talks.y), talks.y
    cell = talks.agent * groups + group
    by_themselves = _by_themselves(talks, group, groups)
    index, size, inverse, left = by_themselves.places, by_themselves.size, by_themselves.inverse, by_themselves.left
    plain = left(y)
    rss_plain = float(plain @ plain)
    rss_cells, rank_cells = _within(talks, cell, n_agents * groups)
    count = np.bincount(cell, minlength=n_agents * groups).astype(np.float64)
    more, over = rank_cells - by_themselves.rank, n - rank_cells
    if more < 1 or over < 1 or rss_cells <= 0.0:
        return Fitted(np.zeros((n_agents, groups)), 0.0, 1.0)
    variance = rss_cells / over
    # How much of a cell's own is left when agents, groups and hours are taken away.
    met = sum(_crossed(column, cell, size, n_agents * groups) for column in index.T)
    told = n - float(np.einsum("ij,ij->", met, inverse @ met))
    between = max(0.0, (rss_plain - rss_cells - more * variance) / told) if told > 1e-9 else 0.0
    if between == 0.0:
        return Fitted(np.zeros((n_agents, groups)), 0.0, _p_f((rss_plain - rss_cells) / more / variance, more, over))
    sure = np.where(count > 0, between / (between + variance / np.maximum(count, 1.0)), 0.0)
    adds = np.zeros(n_agents * groups)
    for _ in range(500):
        residual = left(y - adds[cell]) + adds[cell]
        new = sure * np.bincount(cell, residual, len(adds)) / np.maximum(count, 1.0)
        moved, adds = float(np.abs(new - adds).max()), new
        if moved < 1e-7:
            break
    p_cells = _p_f((rss_plain - rss_cells) / more / variance, more, over)
    return Fitted(adds.reshape(n_agents, groups), between, p_cells)


def _cuts(talks: Talks) -> tuple[tuple[int, ...], dict[str, int]]:
    """Return where the ages of debts are cut, and by currency from where on much is owed, in equal parts."""
    cuts = np.quantile(talks.days, np.arange(1, BANDS) / BANDS)
    days = tuple(sorted({math.ceil(cut) for cut in cuts.tolist()}))
    much = {}
    for code, name in enumerate(talks.currencies):
        of = talks.owed_minor[talks.currency == code]
        if len(of):
            much[name] = math.ceil(float(np.median(of)))
    return days, much


def _groups(talks: Talks, table: Matching) -> I8:
    cuts = np.array([table.much_minor.get(name, 0) for name in talks.currencies], np.int64)
    much = cuts[talks.currency]
    band = (talks.days[:, None] >= np.array(table.days)).sum(axis=1)
    return np.asarray(2 * band + (talks.owed_minor >= much), np.int64)


def _said(talks: Talks, group: I8, groups: int) -> tuple[F8, I8]:
    """Return what those before said of later conversations, and the rows of these."""
    rows, said = [], []
    n = len(talks.y)
    for low, high in pairwise(_WINDOWS):
        first, last = int(low * n), int(high * n)
        before = np.flatnonzero(talks.known_us < talks.at_us[first])
        if len(before) < LEAST // 2 or last <= first:
            continue
        adds = fit(talks.take(before), group[before], groups).adds
        at = np.arange(first, last)
        rows.append(at)
        said.append(adds[talks.agent[at], group[at]])
    if not rows:
        return np.zeros(0), np.zeros(0, np.int64)
    return np.concatenate(said), np.concatenate(rows)


def _slope(talks: Talks, group: I8, groups: int, said: F8) -> tuple[float, float]:
    """Return how much more often the outcome came for each unit of what was said, and its error by debtor."""
    if not len(said) or not np.abs(said).max() > 0.0:
        return 0.0, 0.0
    by_themselves = _by_themselves(talks, group, groups)
    own, y = by_themselves.left(said), by_themselves.left(talks.y)
    spread = float(own @ own)
    if spread <= 1e-12:
        return 0.0, 0.0
    slope = float(own @ y) / spread
    _, member = np.unique(talks.person, return_inverse=True)
    error = math.sqrt(float((np.bincount(member, own * (y - slope * own)) ** 2).sum())) / spread
    return slope, error


class _ByThemselves(NamedTuple):
    """What agents, groups and hours bring by themselves: dummies of each, by least squares."""

    #: Places of each row's agent, group and hour among all effects, (n, 3), and how many effects there are.
    places: I8
    size: int
    #: Pseudo-inverse of the normal equations, (size, size), and their rank.
    inverse: F8
    rank: int

    def left(self, of: F8) -> F8:
        """Return what is left of rows once that is taken away, (n,)."""
        effects = self.inverse @ np.bincount(self.places.ravel(), np.repeat(of, self.places.shape[1]), self.size)
        return np.asarray(of - effects[self.places].sum(axis=1), np.float64)


def _by_themselves(talks: Talks, group: I8, groups: int) -> _ByThemselves:
    _, hour = np.unique(talks.hour, return_inverse=True)
    agents = len(talks.agents)
    index = np.column_stack((talks.agent, agents + group, agents + groups + hour)).astype(np.int64)
    size = int(index.max()) + 1
    normal = sum(_crossed(one, other, size, size) for one in index.T for other in index.T)
    values, vectors = np.linalg.eigh(normal)
    some = values > 1e-9 * values.max()
    inverse: F8 = np.einsum("ik,k,jk->ij", vectors[:, some], 1.0 / values[some], vectors[:, some])
    return _ByThemselves(index, size, inverse, int(some.sum()))


def _crossed(one: I8, other: I8, size: int, sizes: int) -> F8:
    """Return how many rows are of both, (size, sizes)."""
    counts = np.bincount(one * sizes + other, minlength=size * sizes)
    return counts.reshape(size, sizes).astype(np.float64)


def _within(talks: Talks, cell: I8, cells: int) -> tuple[float, int]:
    """Return the squares left when every cell has a rate of its own besides the hours, and the rank of that model."""
    _, hour = np.unique(talks.hour, return_inverse=True)
    hours = int(hour.max()) + 1
    count = np.maximum(np.bincount(cell, minlength=cells), 1.0)
    mean = np.bincount(cell, talks.y, cells) / count
    y = talks.y - mean[cell]
    # Of hours within cells: D'D - Σ over cells of their counts' products.
    met = _crossed(cell, hour, cells, hours)
    normal = np.diag(met.sum(axis=0)) - np.einsum("ci,cj,c->ij", met, met, 1.0 / count)
    moment = np.bincount(hour, y, hours)
    values, vectors = np.linalg.eigh(normal)
    some = values > 1e-9 * max(float(values.max()), 1.0)
    along = vectors[:, some].T @ moment
    explained = float((along**2 / values[some]).sum())
    return float(y @ y) - explained, int((np.bincount(cell, minlength=cells) > 0).sum()) + int(some.sum())


def _p_f(ratio: float, more: int, over: int) -> float:
    import scipy.special

    return float(scipy.special.fdtrc(more, over, max(ratio, 0.0)))


def _gains(talks: Talks, group: I8, adds: F8, slope: float, measured: float, error: float) -> dict[int, Figure]:
    """Return what the best of several free agents adds over any of them, mean over the conversations."""
    share = np.bincount(group, minlength=adds.shape[1]) / len(group)
    there = adds[np.unique(talks.agent)]
    n, found = len(there), {}
    for free in (one for one in FREE if one <= n):
        # The chance that the k-th best of all is the best of those free, drawn by lot.
        p = np.array([math.comb(n - 1 - k, free - 1) / math.comb(n, free) for k in range(n)])
        best = p @ -np.sort(-there, axis=0) - there.mean(axis=0)
        gain = float(share @ best)
        low, high = (measured + sign * 1.96 * error for sign in (-1.0, 1.0))
        found[free] = Figure(value=slope * gain, low=min(low, slope) * gain, high=max(high, slope) * gain)
    return found


def _table(talks: Talks, plain: Matching, adds: F8) -> Matching:
    """Return what the engine reads, under a version by its contents."""
    gains = {
        name: tuple(round(float(one), 5) for one in adds[n])
        for n, name in enumerate(talks.agents)
        if np.abs(adds[n]).max() >= 5e-6
    }
    table = msgspec.structs.replace(plain, gains=gains)
    digest = sha256(msgspec.json.encode(table, order="deterministic")).hexdigest()[:12]
    return msgspec.structs.replace(table, version=digest)
