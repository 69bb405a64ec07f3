"""Best times that unseen calls bear out, for heads of calls at an hour: measured in training, kept with the version.

Each window's model says of every call that it had not seen what it would have said of the same number at every other
hour at which people are called. What that adds to their mean is held against what came (`models.timing`); scores of
the week claim as much of hours as that bears out, and no more.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from models import timing
from models.calibration import Calibrator
from models.evaluation import Judged
from models.feature_kernel import Asked, Usual
from models.features import own_hours
from models.history import History
from models.learner import Trees, loads
from models.metrics import losses
from models.registry import Model, Serving
from models.slots import BagScorer, Slots
from models.table import Encoding, Table
from models.timing import BestTimes, Timing

F4 = NDArray[np.float32]
F8 = NDArray[np.float64]
I8 = NDArray[np.int64]

#: Hours of the week with a smaller share of the calls are none at which people are called.
_LEAST_SHARE: Final = 0.001
#: Rows in one go: each has the record of 48 hours.
_ROWS: Final = 50_000
#: Calls of whose numbers is told what is claimed of hours.
_CLAIMS: Final = 3_000


class Moments(NamedTuple):
    """The calls of a head's rows, so that the same numbers can be asked about at other hours."""

    history: History
    asked: Asked
    usual: Usual

    def take(self, at: I8 | NDArray[np.bool_]) -> "Moments":
        return self._replace(asked=Asked(*(column[at] for column in self.asked)))

    def own(self) -> F4:
        """Return what each number's own record tells of each hour, (rows, 48, 2)."""
        return own_hours(self.history, self.asked, self.usual)


def measure(table: Table, judged: Judged, moments: Moments, plain: Calibrator) -> tuple[Timing, F8]:
    """Return what is borne out of hours, and the mean log odds over them of each unseen row's number, (n,).

    Parameters
    ----------
    judged
        With the learners of its windows.
    moments
        Of the rows of the source of the table, in its order.
    plain
        Calibrates unseen scores by a method, and no segment.
    """
    hours = _called(table)
    mean, told = np.empty(len(judged.rows)), moments.take(table.source_row[judged.rows])
    for window, text in enumerate(judged.learners):
        at = np.flatnonzero(judged.window == window)
        if len(at):
            x = table.x[judged.rows[at]]
            mean[at] = _means(_texts(text), table.encoding, plain, hours, x, told.take(at))
    at = judged.rows
    adds = plain.log_odds(judged.raw) - mean
    found = timing.borne_out(mean, adds, table.y[at], table.group[at], table.weight[at])
    return msgspec.structs.replace(found, hours=hours), mean


def told(
    table: Table, judged: Judged, moments: Moments, serving: Serving, mean: F8, said: F8, served: F8
) -> BestTimes:  # fmt: skip
    """Return what a version claims of hours.

    Parameters
    ----------
    serving
        As it will be served, with its timing.
    mean, said, served : (n,)
        Of unseen rows: mean log odds over the hours, and probabilities with the hours as the trees have them and as
        served.
    """
    assert serving.timing is not None
    last = np.flatnonzero(judged.window == len(judged.learners) - 1)
    some = last[np.unique(np.linspace(0, len(last) - 1, _CLAIMS).astype(np.int64))]
    at = judged.rows[some]
    odds = _odds(
        _texts(judged.learners[-1]), table.encoding, serving.calibrator, serving.timing.hours, table.x[at],
        moments.take(table.source_row[at]),
    )  # fmt: skip
    held = serving.timing.held(odds, mean[some][:, None])
    if "hour" in serving.calibrator.segments:
        blank = np.full((len(serving.timing.hours), table.x.shape[1]), np.nan)
        blank[:, table.encoding.features.index("hour")] = np.array(serving.timing.hours) % 24
        held = held + serving.calibrator.offsets("hour", serving.encoding.words("hour", blank))[None, :]
    y, w = table.y[judged.rows], table.weight[judged.rows]
    return BestTimes(
        timing=serving.timing,
        calls=len(judged.rows),
        debtors=len(np.unique(table.group[judged.rows])),
        said=timing.uplift(_chances(odds)),
        claimed=timing.uplift(_chances(held)),
        log_loss_said=float(np.average(losses(y, said), weights=w)),
        log_loss_served=float(np.average(losses(y, served), weights=w)),
    )


def means(model: Model, x: F8, moments: Moments | None) -> F8 | None:
    """Return the mean log odds of each row's number over the hours at which people are called, (n,).

    None where a version claims of hours what its trees say, as tables' do and old ones, or where it is not known when
    the rows' calls were made.
    """
    if model.timing is None or moments is None or not isinstance(model.fitted, Trees):
        return None
    return _means(model.fitted.texts, model.encoding, model.calibrator, model.timing.hours, x, moments)


def _called(table: Table) -> tuple[int, ...]:
    of = 24 * table.column("weekday").astype(np.int64) + table.column("hour").astype(np.int64)
    share = np.bincount(of, minlength=7 * 24) / len(of)
    return tuple(np.flatnonzero(share >= _LEAST_SHARE).tolist())


def _means(
    texts: Sequence[str], encoding: Encoding, calibrator: Calibrator, hours: Sequence[int], x: F8, moments: Moments
) -> F8:  # fmt: skip
    return _odds(texts, encoding, calibrator, hours, x, moments, mean=True)


def _odds(
    texts: Sequence[str], encoding: Encoding, calibrator: Calibrator, hours: Sequence[int], x: F8, moments: Moments, *,
    mean: bool = False,
) -> F8:  # fmt: skip
    """Return log odds of rows at hours of the debtor's week, (n, hours), or their means, (n,)."""
    scorer = BagScorer(texts, encoding.features)
    weekday, hour = np.divmod(np.array(hours or range(7 * 24), np.int64), 24)
    # By everybody's own clock hours are the same for all.
    slots = Slots(*(one[None, :] for one in (hour, weekday, hour + 24 * (weekday >= 5))))
    found = np.empty(len(x) if mean else (len(x), len(hour)))
    for first in range(0, len(x), _ROWS):
        at = np.arange(first, min(first + _ROWS, len(x)))
        p = scorer.chances(x[at].astype(np.float32), moments.take(at).own(), np.zeros(len(at), np.int32), slots)
        odds = calibrator.log_odds(p.astype(np.float64))
        found[at] = odds.mean(axis=1) if mean else odds
    return found


def _texts(learned: str) -> Sequence[str]:
    fitted = loads(learned, "lightgbm")
    assert isinstance(fitted, Trees)
    return fitted.texts


def _chances(odds: F8) -> F4:
    return np.asarray(0.5 * (1.0 + np.tanh(odds / 2.0)), np.float32)
