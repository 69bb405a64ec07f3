"""What is done with versions that are kept: score with them, judge them on later rows, compare, watch, choose."""

import io
from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from domain.errors import BadInput
from models import drift, evaluation, promotion
from models.drift import Drift, Profile
from models.evaluation import BASE, Evaluation, Line
from models.metrics import METRICS, Figure, Resampled, Scored
from models.promotion import Check, Verdict
from models.registry import JUDGED, PROFILE, UNSEEN, Manifest, Model, Registry
from models.table import Given, Table, make_table, opened, read_source
from models.training import Judgement

F8 = NDArray[np.float64]
_CHUNK = 100_000


class Score(msgspec.Struct, frozen=True, kw_only=True):
    """What was scored."""

    version: str
    rows: int
    mean: float
    out: str


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """Two versions."""

    name: str
    one: str
    other: str
    #: Rows that both scored unseen; 0: they learned from different tables, so each has figures of its own rows.
    pairs: int
    lines: tuple[Line, ...]
    #: The figure of one less that of the other; empty without pairs.
    differences: dict[str, Figure]


class Listed(msgspec.Struct, frozen=True, kw_only=True):
    """One version in the list of all."""

    name: str
    version: str
    made_at: str
    stage: str
    rows: int
    cut_off: str
    auc: float
    log_loss: float
    passed: bool


class Promoted(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a candidate."""

    name: str
    version: str
    promoted: bool
    #: The champion before; empty: there was none.
    before: str
    #: None: there was nothing to decide, the candidate is the champion.
    verdict: Verdict | None = None


def score(model: Model, path: Path, out: Path, *, intervals: bool, report: Callable[[str, int, int], None]) -> Score:
    """Write the scores of a file's rows, in the order of the rows.

    Columns: group and time where the file has them, the row, the probability (with its interval where asked), the
    version.

    Raises
    ------
    BadInput
        When the file has no rows or lacks a feature, or the scores cannot be written.
    """
    import pyarrow as pa

    schema = model.manifest.schema
    source = read_source(path, schema.delimiter)
    if not source.num_rows:
        raise BadInput(f"{path}: has no rows; name a table with rows")
    p, low, high = np.empty(source.num_rows), np.empty(source.num_rows), np.empty(source.num_rows)
    for begin in range(0, source.num_rows, _CHUNK):
        rows = slice(begin, min(source.num_rows, begin + _CHUNK))
        x = model.encoding.matrix(source.slice(begin, _CHUNK), str(path), first_row=begin)
        p[rows] = model.predict(x)
        if intervals:
            low[rows], high[rows] = model.interval(x)
        report("scoring", rows.stop, source.num_rows)
    columns = {name: source.column(name) for name in (schema.group, schema.time) if name in source.column_names}
    columns |= {"row": np.arange(source.num_rows), "p": p}
    if intervals:
        columns |= {"least": low, "greatest": high}
    version = pa.array([model.version]).dictionary_encode()
    columns["version"] = pa.DictionaryArray.from_arrays(np.zeros(source.num_rows, np.int32), version.dictionary)
    table = pa.table(columns).replace_schema_metadata({"model": model.version})
    try:
        if out.suffix == ".csv":
            from pyarrow import csv

            csv.write_csv(table.set_column(table.num_columns - 1, "version", table["version"].cast(pa.string())), out)
        else:
            import pyarrow.parquet

            pyarrow.parquet.write_table(table, out)
    except OSError as error:
        raise BadInput(f"{out}: cannot be written ({error.strerror or error}); name another file with --out") from None
    return Score(version=model.version, rows=source.num_rows, mean=float(p.mean()), out=str(out))


def judge_version(model: Model, given: Given) -> Evaluation:
    """Return how good a version is, as it stands, on the rows given that are later than what it learned from.

    Raises
    ------
    BadInput
        When no row is later, or too few are.
    """
    table = _later(model, given)
    rows = np.arange(len(table))
    block = rows * min(5, max(1, len(rows) // evaluation.LEAST_ROWS)) // len(rows)
    p = model.predict(table.x, _means(model, table, given))
    contestants = {"model": p, BASE: np.full(len(rows), model.manifest.data.rate)}
    segments = {name: table.words(name) for name in table.schema.segments}
    method = model.calibrator.method
    return evaluation.evaluate(table, rows, block, contestants, segments, method=method, refits=0)


def drift_of(registry: Registry, name: str, version: str, given: Given, blocks: int) -> Drift:
    """Return how far rows have moved from those that a version learned from."""
    model = registry.load(name, version)
    schema = model.manifest.schema
    source, where = opened(given, schema)
    table = make_table(source, schema, where=where, encoding=model.encoding, labelled=False)
    then = registry.read(name, version, PROFILE, Profile)
    return drift.drift(then, table, model.predict(table.x, _means(model, table, given)), model.version, blocks)


def may_be_champion(registry: Registry, name: str, version: str) -> Verdict:
    """Return the gate's verdict on a version: that of its own day, against the champion of today."""
    judged = registry.read(name, version, JUDGED, Judgement)
    manifest = registry.manifest(name, version)
    verdict = promotion.judge(judged.evaluation, manifest.schema.gate)
    champion = registry.stages(name).champion
    if champion not in ("", version, manifest.incumbent):
        met = f"against {manifest.incumbent}" if manifest.incumbent else "when there was no champion"
        words = f"it was judged {met}, and the champion is now {champion}; fit it again"
        verdict = Verdict(
            passed=False, checks=(*verdict.checks, Check(name="champion of today", passed=False, words=words))
        )
    return verdict


def promote_all(registry: Registry, *, at: str, by: str) -> list[Promoted]:
    """Make champions of all candidates that pass the gate; one that is champion already stays it."""
    found = []
    for name in registry.names():
        stages = registry.stages(name)
        if not stages.candidate or stages.candidate == stages.champion:
            found.append(Promoted(name=name, version=stages.champion, promoted=False, before=stages.champion))
            continue
        verdict = may_be_champion(registry, name, stages.candidate)
        if verdict.passed:
            registry.promote(name, stages.candidate, at=at, by=by, why="passed the gate")
        found.append(
            Promoted(
                name=name, version=stages.candidate, promoted=verdict.passed, before=stages.champion, verdict=verdict
            )
        )  # fmt: skip
    return found


def compare(registry: Registry, name: str, one: str, other: str) -> Comparison:
    """Return two versions side by side; pair by pair where they learned from the same table."""
    if one == other:
        raise BadInput(f"model {name}: {one} is both; name two versions with --version and --with")
    first, second = registry.manifest(name, one), registry.manifest(name, other)
    if first.data.sha256 == second.data.sha256:
        return _paired(registry, name, first, second)
    lines = [
        msgspec.structs.replace(registry.read(name, version, JUDGED, Judgement).evaluation.line(), contestant=version)
        for version in (one, other)
    ]
    return Comparison(name=name, one=one, other=other, pairs=0, lines=tuple(lines), differences={})


def listed(registry: Registry) -> list[Listed]:
    """Return all versions of all models."""
    found = []
    for name in registry.names():
        stages = registry.stages(name)
        for version in registry.versions(name):
            manifest = registry.manifest(name, version)
            judged = registry.read(name, version, JUDGED, Judgement)
            line = judged.evaluation.line()
            found.append(
                Listed(
                    name=name,
                    version=version,
                    made_at=manifest.made_at,
                    stage=", ".join(stage for stage in ("champion", "candidate") if getattr(stages, stage) == version),
                    rows=manifest.data.rows,
                    cut_off=manifest.data.cut_off,
                    auc=line.figures["auc"].value,
                    log_loss=line.figures["log_loss"].value,
                    passed=judged.verdict.passed,
                )
            )
    return found


def _later(model: Model, given: Given) -> Table:
    schema, data = model.manifest.schema, model.manifest.data
    source, where = opened(given, schema)
    table = make_table(source, schema, where=where, encoding=model.encoding)
    if schema.time:
        first = int(np.searchsorted(table.time, data.cut_off_at, side="right"))
        if first == len(table):
            raise BadInput(
                f"{where}: no row is later than {data.cut_off}, the last that {model.version} learned from; name a "
                "table with later rows, or judge its recipe with --schema"
            )
        table = _from(table, first)
    elif table.hash == data.sha256:
        raise BadInput(f"{where}: is the table that {model.version} learned from; name later rows, or use --schema")
    evaluation.check_enough(table, slice(0, len(table)), "later than it learned from")
    return table


def _means(model: Model, table: Table, given: Given) -> F8 | None:
    """Return what `Model.predict` takes, of rows about calls of the ledger."""
    if given.moments is None:
        return None
    from models.best_times import means

    return means(model, table.x, given.moments.take(table.source_row))


def _from(table: Table, first: int) -> Table:
    cut = {name: getattr(table, name)[first:] for name in ("x", "y", "time", "group", "weight", "source_row")}
    return msgspec.structs.replace(
        table, **cut, protected={name: words[first:] for name, words in table.protected.items()}
    )


def _paired(registry: Registry, name: str, first: Manifest, second: Manifest) -> Comparison:
    import pyarrow.parquet

    tables = [
        pyarrow.parquet.read_table(io.BytesIO(registry.content(name, one.version, UNSEEN))) for one in (first, second)
    ]
    rows = [one["row"].to_numpy() for one in tables]
    _, here, there = np.intersect1d(rows[0], rows[1], return_indices=True)
    if not len(here):
        raise BadInput(
            f"model {name}: {first.version} and {second.version} scored no row in common; widen their windows"
        )
    left, right = tables[0].take(here), tables[1].take(there)
    y, w, group = (left[column].to_numpy().astype(np.float64) for column in ("y", "weight", "group"))
    scores = {first.version: left["p"].to_numpy(), second.version: right["p"].to_numpy()}
    drawn = Resampled({version: Scored(y, p) for version, p in scores.items()}, group.astype(np.int64), w)
    lines = tuple(
        Line(
            contestant=version,
            block=0,
            rows=len(y),
            rate=float((w * y).sum() / w.sum()),
            mean=float((w * p).sum() / w.sum()),
            figures={metric: drawn.figure(version, metric) for metric in METRICS},
        )
        for version, p in scores.items()
    )
    return Comparison(
        name=name,
        one=first.version,
        other=second.version,
        pairs=len(y),
        lines=lines,
        differences={metric: drawn.difference(first.version, second.version, metric) for metric in METRICS},
    )
