"""From a table to a version: judge on forward windows, calibrate on what was unseen, learn from every row, keep.

Heads on the ledger's history go the same way with tables of their own.
"""

import io
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from models import calibration, drift, fairness, leakage, promotion
from models.crew import Crew, Job
from models.evaluation import Evaluation, Judged, Report, judge, rate, time_words
from models.fairness import Fairness
from models.leakage import Suspect
from models.learner import within
from models.promotion import Verdict
from models.registry import (
    CARD_PAGE,
    CARD_TEXT,
    JUDGED,
    MODEL,
    PROFILE,
    SERVING,
    UNSEEN,
    WORTH,
    Data,
    Manifest,
    Registry,
    Serving,
)
from models.schema import Recipe
from models.table import Table
from models.timing import BestTimes
from models.worth import Worth

if TYPE_CHECKING:
    from models.best_times import Moments

F8 = NDArray[np.float64]


class Judgement(msgspec.Struct, frozen=True, kw_only=True):
    """`judged.json`: all that was found out about a version."""

    evaluation: Evaluation
    verdict: Verdict
    suspects: tuple[Suspect, ...]
    fairness: Fairness
    #: Share of what each feature tells, the greatest first.
    importance: tuple[tuple[str, float], ...]
    #: Of a head of calls at an hour.
    best_times: BestTimes | None = None


def train(
    table: Table,
    registry: Registry,
    *,
    made_at: str,
    versions: Mapping[str, str],
    workers: int = 1,
    cluster: str = "",
    worth: Worth | None = None,
    moments: "Moments | None" = None,
    report: Report = lambda _what, _done, _of: None,
) -> tuple[Manifest, Judgement]:
    """Judge, learn and publish a version as the candidate.

    Parameters
    ----------
    made_at, versions
        When, and by what code and libraries, as the caller knows them.
    workers
        Processes that learn; 0: this one.
    cluster
        Address of a Dask scheduler whose workers learn instead.
    worth
        Of a model of payments: what contacts add, kept with it.
    moments
        Of a head of calls at an hour, by the rows of the table's source: no more is claimed of hours than is borne out.

    Raises
    ------
    BadInput
        When the table holds too little, or a column that knows too much.
    """
    schema = table.schema
    recipe = schema.recipe
    suspects = leakage.suspects(table)
    champion = registry.stages(schema.name).champion
    incumbent = _incumbent(registry, table, champion) if champion else None
    with Crew(table, workers, cluster) as crew:
        judged = judge(crew, recipe, schema.windows, incumbent=incumbent, keep=moments is not None, report=report)
        report("learning from every row", 0, 1)
        last = slice(max(0, len(table) - recipe.window_rows) if recipe.window_rows else 0, len(table))
        ((_, text),) = crew.carry_out([Job(recipe, last)])
    assert text is not None
    report("learning from every row", 1, 1)
    evaluation = judged.evaluation
    if moments is not None:
        report("how far hours are borne out", 0, 1)
    served = _served(table, judged, moments)
    judgement = Judgement(
        evaluation=evaluation,
        verdict=promotion.judge(evaluation, schema.gate),
        suspects=tuple(suspects),
        fairness=fairness.audit(table, judged.rows, judged.p, workers=workers),
        importance=_importance(table, text, recipe),
        best_times=served.best_times,
    )
    manifest = Manifest(
        name=schema.name,
        version="",
        made_at=made_at,
        schema=schema,
        schema_hash=table.encoding.hash,
        recipe=recipe,
        data=Data(
            source=Path(table.where).name,
            rows=len(table),
            groups=len(np.unique(table.group)),
            rate=rate(table, slice(0, len(table))),
            first=time_words(table, 0),
            cut_off=time_words(table, len(table) - 1),
            cut_off_at=float(table.time[-1]),
            sha256=table.hash,
        ),
        versions=dict(versions),
        incumbent=champion,
        files={},
    )
    files = {
        MODEL: text.encode(),
        SERVING: _json(served.serving),
        JUDGED: _json(judgement),
        PROFILE: _json(drift.profile(table, served.p, evaluation.line().figures["log_loss"])),
        UNSEEN: _unseen(table, judged),
    } | ({} if worth is None else {WORTH: _json(worth)})

    def told(kept: Manifest) -> dict[str, bytes]:
        from models.card import card

        text_card, page, plots = card(kept, judgement, worth)
        drawn = {f"{name}.svg": svg.encode() for name, svg in plots.items()}
        return {CARD_TEXT: text_card.encode(), CARD_PAGE: page.encode()} | drawn

    return registry.publish(manifest, files, told), judgement


def _incumbent(registry: Registry, table: Table, champion: str) -> Recipe:
    """Return the champion's recipe; if it learned from other columns, as far as it speaks of those of the table."""
    manifest = registry.manifest(table.schema.name, champion)
    same = manifest.schema_hash == table.encoding.hash
    return manifest.recipe if same else within(manifest.recipe, table.encoding.features)


class _Served(NamedTuple):
    """How scores are made of what comes next."""

    serving: Serving
    #: (n,) what later scores are compared with: of the rows scored unseen.
    p: F8
    best_times: BestTimes | None = None


def _served(table: Table, judged: Judged, moments: "Moments | None") -> _Served:
    """Return how scores are made of what comes next: learned on every row that was scored unseen."""
    rows = judged.rows
    y, w, plain = table.y[rows], table.weight[rows], table.schema.recipe.calibration == "none"
    segments = {} if plain else {name: table.words(name)[rows] for name in table.schema.segments}
    found = calibration.calibrate(judged.raw, y, w, judged.evaluation.calibration, segments, intervals=True)
    if moments is None:
        return _Served(Serving(encoding=table.encoding, calibrator=found), judged.p)
    from models import best_times

    timing, mean = best_times.measure(table, judged, moments, msgspec.structs.replace(found, segments={}))
    odds = timing.held(found.log_odds(judged.raw), mean)
    # Where no hour is borne out none may come back as a segment.
    kept = {name: words for name, words in segments.items() if timing.slope > 0.0 or name not in _OF_HOURS}
    held = calibration.mended(found, odds, y, w, kept)
    serving = Serving(encoding=table.encoding, calibrator=held, timing=timing)
    said, p = found(judged.raw, segments), held.chances(odds, kept)
    return _Served(serving, p, best_times.told(table, judged, moments, serving, mean, said, p))


_OF_HOURS = ("hour", "weekday")


def _importance(table: Table, text: str, recipe: Recipe) -> tuple[tuple[str, float], ...]:
    from models.learner import loads

    shares = loads(text, recipe.learner).importance()
    order = np.argsort(-shares, kind="stable")
    return tuple((table.encoding.features[place], float(shares[place])) for place in order)


def _unseen(table: Table, judged: Judged) -> bytes:
    """Return the scores of unseen rows as Parquet, so that versions can be compared pair by pair."""
    import pyarrow as pa
    import pyarrow.parquet

    columns = {
        "row": table.source_row[judged.rows],
        "group": table.group[judged.rows],
        "block": judged.block,
        "time": table.time[judged.rows],
        "weight": table.weight[judged.rows],
        "y": table.y[judged.rows],
        "raw": judged.raw,
        "p": judged.p,
    } | {f"p of {name}": p for name, p in judged.others.items()}
    out = io.BytesIO()
    pyarrow.parquet.write_table(pa.table(columns), out, compression="zstd")
    return out.getvalue()


def _json(record: object) -> bytes:
    return msgspec.json.format(msgspec.json.encode(record, order="deterministic"), indent=1)
