"""Does the world still look as it did when the model learned? Features, scores, and what the scores were worth.

PSI (population stability index) compares shares by bins fixed at training: above .10 watch, above .25 act. Where
answers are there, log-loss by blocks of time is held against what the model showed on rows it had not seen.
"""

from itertools import pairwise
from typing import Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from models import metrics
from models.evaluation import time_words
from models.metrics import Figure, Scored
from models.table import NOT_KNOWN, Encoding, Table

F8 = NDArray[np.float64]
Level = Literal["still", "watch", "act"]

WATCH, ACT = 0.10, 0.25
#: Of a column not in the profile's categories.
_NEW = "new"
#: An empty bin counts as so small a share, so that the index stays finite.
_LEAST = 1e-4


class Shares(msgspec.Struct, frozen=True, kw_only=True):
    """How a column was distributed: shares of its bins, the last two: not known, and words never seen."""

    #: Upper ends of the bins of a number.
    cuts: tuple[float, ...]
    #: Of a category.
    words: tuple[str, ...]
    shares: tuple[float, ...]


class Profile(msgspec.Struct, frozen=True, kw_only=True):
    """What the training rows and their scores looked like."""

    columns: dict[str, Shares]
    score: Shares
    #: On rows that the model had not seen.
    log_loss: Figure


class Moved(msgspec.Struct, frozen=True, kw_only=True):
    """How far one column has moved."""

    column: str
    psi: float
    level: Level
    #: The bin whose share changed most, with its share then and now.
    most: str
    then: float
    now: float


class BlockLoss(msgspec.Struct, frozen=True, kw_only=True):
    """What the model was worth on one block of later rows."""

    begins: str
    rows: int
    rate: float
    mean: float
    log_loss: Figure
    ece: float
    ece_by_chance: float
    level: Level


class Drift(msgspec.Struct, frozen=True, kw_only=True):
    """What has changed since the model learned."""

    version: str
    rows: int
    level: Level
    score: Moved
    columns: tuple[Moved, ...]
    #: Empty where the answers are not there.
    blocks: tuple[BlockLoss, ...]
    expected_log_loss: Figure


def profile(table: Table, p: F8, loss: Figure) -> Profile:
    """Return what later rows are compared with.

    Parameters
    ----------
    p : (m,) scores of rows that their models had not seen
    """
    return Profile(
        columns={
            name: _shares(table.x[:, place], table.encoding.categories.get(name), ())
            for place, name in enumerate(table.encoding.features)
        },
        score=_shares(p, None, ()),
        log_loss=loss,
    )


def drift(then: Profile, table: Table, p: F8, version: str, blocks: int = 5) -> Drift:
    """Return how far a table has moved from a profile; by blocks of time, what the scores were worth.

    Parameters
    ----------
    table
        Encoded as the model does.
    p : (n,) the model's scores of its rows
    """
    columns = [
        _moved(name, then.columns[name], table.x[:, place], table.encoding)
        for place, name in enumerate(table.encoding.features)
    ]
    score = _moved("score", then.score, p, None)
    told = []
    if len(table.y):
        edges = np.linspace(0, len(table), blocks + 1).astype(int)
        for begin, end in pairwise(edges.tolist()):
            if end > begin:
                told.append(_block(then, table, p, begin, end))
    levels = [score.level, *(one.level for one in columns), *(one.level for one in told)]
    return Drift(
        version=version,
        rows=len(table),
        level="act" if "act" in levels else "watch" if "watch" in levels else "still",
        score=score,
        columns=tuple(sorted(columns, key=lambda one: -one.psi)),
        blocks=tuple(told),
        expected_log_loss=then.log_loss,
    )


def psi(then: F8, now: F8) -> float:
    """Return the population stability index of two sets of shares."""
    old, new = np.maximum(then, _LEAST), np.maximum(now, _LEAST)
    return float(((new - old) * np.log(new / old)).sum())


def _block(then: Profile, table: Table, p: F8, begin: int, end: int) -> BlockLoss:
    y, w, block = table.y[begin:end], table.weight[begin:end], p[begin:end]
    loss = metrics.losses(y, block)
    mean = metrics.bootstrap(lambda weight: float((weight * loss).sum() / weight.sum()), table.group[begin:end], w)
    ece, by_chance = Scored(y, block).figures(w)["ece"], metrics.ece_by_chance(block, w)
    # A rate that has changed changes log-loss too, but only a model that no longer knows it is miscalibrated.
    lost = mean.low > then.log_loss.high
    off = ece - by_chance
    return BlockLoss(
        begins=time_words(table, begin),
        rows=end - begin,
        rate=float(y.mean()),
        mean=float(block.mean()),
        log_loss=mean,
        ece=ece,
        ece_by_chance=by_chance,
        level="act" if lost and off > 0.02 else "watch" if lost or off > 0.02 else "still",
    )


def _shares(values: F8, words: tuple[str, ...] | None, cuts: tuple[float, ...]) -> Shares:
    known = values[~np.isnan(values)]
    if words is None and not cuts and len(known):
        cuts = tuple(np.unique(np.quantile(known, np.arange(1, 10) / 10)).tolist())
    return Shares(cuts=cuts, words=words or (), shares=tuple(_counted(values, words, cuts).tolist()))


def _counted(values: F8, words: tuple[str, ...] | None, cuts: tuple[float, ...]) -> F8:
    unknown = np.isnan(values)
    if words is not None:
        place, count = np.where(unknown, len(words), values).astype(np.int64), len(words) + 1
    else:
        count = len(cuts) + 2
        place = np.where(unknown, count - 1, np.searchsorted(np.array(cuts), values))
    found: F8 = np.bincount(place, minlength=count) / max(1, len(values))
    return found


def _moved(name: str, then: Shares, values: F8, encoding: Encoding | None) -> Moved:
    words = encoding.categories.get(name) if encoding is not None else None
    now, old = _counted(values, words, then.cuts), np.array(then.shares)
    index, most = psi(old, now), int(np.abs(now - old).argmax())
    if words is not None:
        label = [*words, f"{NOT_KNOWN} or {_NEW}"][most]
    else:
        label = [*(f"up to {cut:g}" for cut in then.cuts), "above" if then.cuts else "any", NOT_KNOWN][most]
    return Moved(
        column=name,
        psi=index,
        level="act" if index > ACT else "watch" if index > WATCH else "still",
        most=label,
        then=float(old[most]),
        now=float(now[most]),
    )
