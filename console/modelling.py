"""Commands that make, judge and explain models: models fit, evaluate, compare, card, promote, drift, score, explain."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from console.command_line import HERE, AsJson, Folder, check_number, note, tell

if TYPE_CHECKING:
    from console.ledger_models import Report
    from models.registry import Model, Registry
    from models.table import Given

app = typer.Typer(no_args_is_help=True, help="Make models, judge them on what came later, choose the one that serves.")

#: In the working folder: a folder for each model, with its versions.
TRAINED = "trained"

SchemaFile = Annotated[
    Path | None, typer.Option("--schema", "-s", help="What the columns are; docs/models.md.", show_default=False)
]
Name = Annotated[str, typer.Argument(help="Of the model; not needed where there is one.", show_default=False)]
ModelName = Annotated[
    str, typer.Option("--model", "-m", "--head", help="Not needed where there is one.", show_default=False)
]
MaybeTable = Annotated[
    Path | None,
    typer.Argument(help="CSV or Parquet, file or folder; without it, the ledger's own history.", show_default=False),
]
History = Annotated[
    str, typer.Option("--history", help="An export to read instead of the ledger: folder or URL.", show_default=False)
]
Until = Annotated[str, typer.Option(help="As was known by the end of this day.", show_default=False)]
Version = Annotated[str, typer.Option("--version", "-v", help="A version, or candidate.")]
Workers = Annotated[int, typer.Option(help="Processes that learn; 0: one for each processor.")]
Cluster = Annotated[str, typer.Option(help="Dask scheduler whose workers do it instead, e.g. tcp://10.0.0.5:8786.")]


@app.command()
def fit(
    table: MaybeTable = None,
    schema: SchemaFile = None,
    head: Annotated[
        list[str] | None, typer.Option("--head", help="Of the ledger, instead of all; repeat it.", show_default=False)
    ] = None,
    until: Until = "",
    days: Annotated[int, typer.Option(help="After a contact, within which a payment counts.")] = 10,
    history: History = "",
    protected: Annotated[
        Path | None,
        typer.Option(
            help="Of the ledger's debtors, what is audited and never learned from: CSV or Parquet with account (or "
            "person) and a column for each field.",
            show_default=False,
        ),
    ] = None,
    workers: Workers = 0,
    cluster: Cluster = "",
    folder: Folder = HERE,
    as_json: AsJson = False,
) -> None:
    """Make models of the ledger, or of a table: judged on what came later, calibrated, kept as the candidates."""
    from domain.errors import BadInput

    count = _processes(workers)
    if table is None:
        if schema is not None:
            raise BadInput(f"models fit: {schema} says what the columns of a table are: name the TABLE too")
        check_number("models fit: --days", days, least=1, most=366)
        _fit_heads(head or [], until, days, history, protected, count, cluster, folder, as_json)
        return
    if head or until or history or protected:
        raise BadInput(
            "models fit: --head, --until, --history and --protected are of the ledger; leave them out, or the TABLE"
        )
    if schema is None:
        raise BadInput(f"models fit: say what the columns of {table} are with --schema FILE (docs/models.md shows one)")
    from console import models_text
    from console.simulating import progress
    from console.versions import trained
    from models.schema import read_schema
    from models.table import read_table
    from models.training import train

    stated = read_schema(schema)
    with progress(quiet=as_json) as report:
        report("reading the table", 0, 1)
        manifest, judged = train(
            read_table(table, stated), _registry(folder), made_at=_now(), versions=trained(), workers=count,
            cluster=cluster, report=report,
        )  # fmt: skip
    answer = {"name": manifest.name, "version": manifest.version, "manifest": manifest, "judged": judged}
    tell(answer, as_json, lambda: models_text.fitted(manifest, judged))
    if not as_json:
        home = _registry(folder).path(manifest.name, manifest.version)
        note(f"Card: {home / 'card.html'}")
        if judged.verdict.passed:
            note(f"Next: cadencia models promote {manifest.name}")


def _fit_heads(
    wanted: list[str], until: str, days: int, history: str, protected: Path | None, workers: int, cluster: str,
    folder: Path, as_json: bool,
) -> None:  # fmt: skip
    """Make a version of each head of the ledger that has enough to learn from; status 1 if there is none."""
    from console import ledger_models, models_text
    from console.simulating import progress
    from models.heads import HEADS
    from models.lessons import check_head

    for one in wanted:
        check_head(one)
    with (
        progress(quiet=as_json) as report,
        ledger_models.record_of(folder, history, until, report, protected) as record,
    ):
        made, left_out = ledger_models.fit(
            record,
            _registry(folder),
            wanted or HEADS,
            days=days,
            workers=workers,
            cluster=cluster,
            made_at=_now(),
            report=report,
        )
    answer = {
        "made": [
            {"name": manifest.name, "version": manifest.version, "manifest": manifest, "judged": judged}
            for manifest, judged in made
        ],
        "left_out": left_out,
    }
    tell(answer, as_json, lambda: models_text.heads(made, left_out))
    if not as_json and any(judged.verdict.passed for _, judged in made):
        note("Next: cadencia models card NAME, cadencia models promote --all")
    raise typer.Exit(0 if made else 1)


@app.command()
def evaluate(
    table: MaybeTable = None,
    schema: SchemaFile = None,
    model: ModelName = "",
    version: Version = "",
    random_folds: Annotated[int, typer.Option("--folds", help="Random folds instead; they overstate.")] = 0,
    until: Until = "",
    history: History = "",
    workers: Workers = 0,
    folder: Folder = HERE,
    as_json: AsJson = False,
) -> None:
    """How good would a model of this table be? With --model: how good is a version on later rows, as it stands?"""
    from console import models_text
    from console.simulating import progress
    from domain.errors import BadInput

    check_number("models evaluate: --folds", random_folds, least=0, most=100)
    if random_folds == 1:
        raise BadInput("models evaluate: --folds must be 2 or more; with one there is nothing to learn from")
    if schema is not None and (model or version):
        raise BadInput("models evaluate: --schema judges a recipe, --model a version that is kept; leave one out")
    if schema is None and random_folds:
        raise BadInput("models evaluate: --folds judges a recipe: name its --schema, or leave --folds out")
    count = _processes(workers)
    with progress(quiet=as_json) as report:
        if schema is None:
            from models.serving import judge_version

            registry, name = _named(folder, model)
            loaded = registry.load(name, version)
            with _given(table, loaded, folder, history, until, report) as given:
                found = judge_version(loaded, given)
        elif table is None:
            raise BadInput(f"models evaluate: {schema} says what the columns of a table are: name the TABLE too")
        else:
            from models.crew import Crew
            from models.evaluation import judge
            from models.schema import read_schema
            from models.table import read_table

            stated = read_schema(schema)
            with Crew(read_table(table, stated), count) as crew:
                judged = judge(crew, stated.recipe, stated.windows, random_folds=random_folds, report=report)
            found = judged.evaluation
    tell(found, as_json, lambda: models_text.evaluated(found, overstated=random_folds > 0))


@app.command()
def compare(
    name: Name = "",
    one: Annotated[str, typer.Option("--version", "-v", help="A version.")] = "candidate",
    other: Annotated[str, typer.Option("--with", help="Another.")] = "champion",
    folder: Folder = HERE,
    as_json: AsJson = False,
) -> None:
    """Which of two versions is better, pair by pair on the rows that neither had seen; by default the two stages."""
    from console import models_text
    from models.serving import compare as compare_versions

    registry, name = _named(folder, name)
    found = compare_versions(registry, name, registry.resolve(name, one), registry.resolve(name, other))
    tell(found, as_json, lambda: models_text.compared(found))


@app.command()
def card(
    name: Name = "",
    version: Annotated[str, typer.Option("--version", "-v", help="A version, or champion.")] = "candidate",
    folder: Folder = HERE,
    as_json: AsJson = False,
) -> None:
    """The card of a version: what it was made of, how good it is, for whom less so."""
    from rich.markdown import Markdown

    from models.registry import CARD_PAGE, CARD_TEXT

    registry, name = _named(folder, name)
    found = registry.resolve(name, version)
    home = registry.path(name, found)
    text = registry.content(name, found, CARD_TEXT).decode()
    told = {"name": name, "version": found, "markdown": str(home / CARD_TEXT), "page": str(home / CARD_PAGE)}
    tell(told, as_json, lambda: Markdown("\n".join(line for line in text.splitlines() if not line.startswith("!["))))
    if not as_json:
        note(f"With plots: {home / CARD_PAGE}")


@app.command()
def promote(
    name: Name = "",
    version: Annotated[str, typer.Option("--version", "-v", help="A version.")] = "candidate",
    despite: Annotated[
        str, typer.Option(help="Why, although the gate refuses; it stays on record.", show_default=False)
    ] = "",
    every: Annotated[bool, typer.Option("--all", help="The candidates of all models that pass the gate.")] = False,
    folder: Folder = HERE,
    as_json: AsJson = False,
) -> None:
    """Make a version the champion, which serves; the gate refuses what is worse or miscalibrated (status 1)."""
    from console import models_text
    from console.command_line import user
    from models.serving import may_be_champion

    if every:
        _promote_all(name, version, despite, folder, as_json)
        return
    registry, name = _named(folder, name)
    found = registry.resolve(name, version)
    verdict = may_be_champion(registry, name, found)
    before = registry.stages(name).champion
    promoted = verdict.passed or bool(despite)
    if promoted:
        registry.promote(name, found, at=_now(), by=user(), why=despite or "passed the gate")
    told = {"name": name, "version": found, "promoted": promoted, "before": before, "verdict": verdict}
    tell(told, as_json, lambda: models_text.promoted(name, found, before, verdict, despite))
    raise typer.Exit(0 if promoted else 1)


def _promote_all(name: str, version: str, despite: str, folder: Path, as_json: bool) -> None:
    """Promote every candidate that passes the gate; status 1 if one was refused."""
    from console import models_text
    from console.command_line import user
    from domain.errors import BadInput
    from models.serving import promote_all

    if name or despite or version != "candidate":
        raise BadInput("models promote: --all is of all candidates; leave the name, --version and --despite out")
    found = promote_all(_registry(folder), at=_now(), by=user())
    if not found:
        raise BadInput(f"models promote: {folder / TRAINED} has no model; make some: cadencia models fit")
    tell(found, as_json, lambda: models_text.promoted_all(found))
    raise typer.Exit(1 if any(one.verdict is not None and not one.promoted for one in found) else 0)


@app.command()
def rollback(name: Name = "", folder: Folder = HERE, as_json: AsJson = False) -> None:
    """Make the champion before this one champion again, at once."""
    from console.command_line import user

    registry, name = _named(folder, name)
    now, before = registry.rollback(name, at=_now(), by=user())
    told = {"name": name, "champion": now, "rolled_back_from": before}
    tell(told, as_json, lambda: f"Champion of {name}: [bold]{now}[/], rolled back from {before}.")


@app.command()
def drift(
    table: MaybeTable = None,
    model: ModelName = "",
    version: Version = "",
    blocks: Annotated[int, typer.Option(help="Of time, where the answers are there.")] = 5,
    until: Until = "",
    history: History = "",
    folder: Folder = HERE,
    as_json: AsJson = False,
) -> None:
    """Do later rows still look like those that it learned from, and are its scores worth as much? Status 1: act."""
    from console import models_text
    from console.simulating import progress
    from models.serving import drift_of

    check_number("models drift: --blocks", blocks, least=1, most=1000)
    registry, name = _named(folder, model)
    found_version = registry.resolve(name, version)
    with (
        progress(quiet=as_json) as report,
        _given(table, registry.load(name, found_version), folder, history, until, report) as given,
    ):
        found = drift_of(registry, name, found_version, given, blocks)
    tell(found, as_json, lambda: models_text.drifted(found))
    raise typer.Exit(1 if found.level == "act" else 0)


@app.command()
def score(
    table: MaybeTable = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Parquet, or CSV by its name; of a TABLE.", show_default=False)
    ] = None,
    model: ModelName = "",
    version: Version = "",
    intervals: Annotated[bool, typer.Option("--intervals", help="Least and greatest probability too.")] = False,
    history: History = "",
    workers: Workers = 0,
    cluster: Cluster = "",
    folder: Folder = HERE,
    as_json: AsJson = False,
) -> None:
    """Score everybody who owes by the champions, into the ledger; or the rows of a table, into a file."""
    from console import models_text
    from console.simulating import progress
    from domain.errors import BadInput

    count = _processes(workers)
    if table is None:
        if model or version or intervals or out:
            raise BadInput(
                "models score: the ledger is scored by all champions: leave --model, --version, --intervals and --out "
                "out, or name a TABLE"
            )
        import time

        from console import ledger_models, settings

        loaded = settings.load(folder)
        with progress(quiet=as_json) as report, ledger_models.export(folder, history, report) as source:
            made = ledger_models.score(
                loaded,
                _registry(folder),
                source,
                at_us=time.time_ns() // 1000,
                threads=count,
                cluster=cluster,
                report=report,
            )
        tell(made, as_json, lambda: models_text.scored(made))
        return
    if history or cluster:
        raise BadInput("models score: --history and --cluster are of the ledger; leave them out, or the TABLE")
    from models.serving import score as score_table

    registry, name = _named(folder, model)
    rows_by = registry.load(name, version)
    out = out or Path("scores.parquet")
    with progress(quiet=as_json) as report:
        found = score_table(rows_by, table, out, intervals=intervals, report=report)
    tell(
        found,
        as_json,
        lambda: f"{found.rows:,} rows scored by [bold]{found.version}[/], {found.mean:.4f} on average → {out}",
    )


@app.command()
def explain(
    table: MaybeTable = None,
    who: Annotated[
        list[str] | None,
        typer.Option("--who", "-w", help="Account or debtor; of a table, of its group column. Repeat it."),
    ] = None,
    language: Annotated[str, typer.Option("--language", "-l", help="Of the reasons: en or es.")] = "en",
    most: Annotated[int, typer.Option(help="Reasons for each row.")] = 4,
    limit: Annotated[int, typer.Option(help="Rows at most.")] = 20,
    model: ModelName = "",
    version: Version = "",
    at: Annotated[str, typer.Option(help="As of this instant, with its offset; else now.", show_default=False)] = "",
    history: History = "",
    folder: Folder = HERE,
    as_json: AsJson = False,
) -> None:
    """Why rows score as they do: what moved each most, in the agent's words. Of the ledger: as of now."""
    from console import models_text
    from console.simulating import progress

    check_number("models explain: --most", most, least=1, most=100)
    check_number("models explain: --limit", limit, least=1, most=10_000)
    registry, name = _named(folder, model)
    from models.reasons import check_language
    from models.reasons import explain as explain_rows
    from models.table import Given

    check_language(language)
    loaded = registry.load(name, version)
    words = tuple(who or ())
    with progress(quiet=as_json) as report:
        if table is not None:
            given = Given(path=table)
        else:
            from console import ledger_models

            given = ledger_models.given_now(loaded, folder, history, words, at, report)
            words = ()
        found = explain_rows(loaded, given, language=language, most=most, groups=words, limit=limit)
    tell({"version": loaded.version, "rows": found}, as_json, lambda: models_text.explained(found))


@app.command(name="list")
def list_models(folder: Folder = HERE, as_json: AsJson = False) -> None:
    """The models, their versions, and which of them serves."""
    from console import models_text
    from models.serving import listed

    found = listed(_registry(folder))
    tell(found, as_json, lambda: models_text.listed(found))


# ---- what the commands share


def _registry(folder: Path) -> "Registry":
    from models.registry import Registry

    return Registry(folder / TRAINED)


def _named(folder: Path, name: str) -> "tuple[Registry, str]":
    """Return the registry and the model meant: the one named, or the only one."""
    from domain.errors import BadInput

    registry = _registry(folder)
    if name:
        registry.versions(name)
        return registry, name
    known = registry.names()
    if len(known) != 1:
        there = f"there are {', '.join(known)}: name one" if known else "make some: cadencia models fit"
        raise BadInput(f"models: which model? In {registry.folder} {there if known else 'there is none; ' + there}")
    return registry, known[0]


@contextmanager
def _given(
    table: Path | None, model: "Model", folder: Path, history: str, until: str, report: "Report"
) -> "Iterator[Given]":
    """Give the rows of a table; or a head's of the ledger, those later than what its version learned from."""
    from domain.errors import BadInput
    from models.table import Given

    if table is not None:
        if history or until:
            raise BadInput("models: --history and --until are of the ledger; leave them out, or the TABLE")
        yield Given(path=table)
        return
    from console import ledger_models

    ledger_models.check_head(model)
    with ledger_models.record_of(folder, history, until, report) as record:
        yield ledger_models.given(record, model)


def _processes(workers: int) -> int:
    import os

    check_number("models: --workers", workers, least=0, most=1024)
    return workers or len(os.sched_getaffinity(0))


def _now() -> str:
    from datetime import UTC, datetime

    return datetime.now(UTC).isoformat(timespec="seconds")
