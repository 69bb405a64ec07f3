"""Commands that make, judge and explain models: models fit, evaluate, compare, card, promote, drift, score, explain."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from console.command_line import HERE, AsJson, Folder, check_number, note, tell

if TYPE_CHECKING:
    from models.registry import Registry

app = typer.Typer(no_args_is_help=True, help="Make models, judge them on what came later, choose the one that serves.")

#: In the working folder: a folder for each model, with its versions.
TRAINED = "trained"

Table = Annotated[Path, typer.Argument(help="CSV or Parquet file, or a folder of Parquet files.")]
SchemaFile = Annotated[
    Path | None, typer.Option("--schema", "-s", help="What the columns are; docs/models.md.", show_default=False)
]
Name = Annotated[str, typer.Argument(help="Of the model; not needed where there is one.", show_default=False)]
ModelName = Annotated[str, typer.Option("--model", "-m", help="Not needed where there is one.", show_default=False)]
Version = Annotated[str, typer.Option("--version", "-v", help="A version, or candidate.")]
Workers = Annotated[int, typer.Option(help="Processes that learn; 0: one for each processor.")]


@app.command()
def fit(
    table: Annotated[Path | None, typer.Argument(help="CSV or Parquet, file or folder.", show_default=False)] = None,
    schema: SchemaFile = None,
    workers: Workers = 0,
    folder: Folder = HERE,
    as_json: AsJson = False,
) -> None:
    """Make a model of a table: judged on what came later, calibrated, learned from every row, kept as the candidate."""
    from console import models_text
    from console.simulating import progress
    from console.versions import trained
    from domain.errors import BadInput

    if table is None:
        raise BadInput("models fit: name a table and what its columns are: cadencia models fit TABLE --schema FILE")
    if schema is None:
        raise BadInput(f"models fit: say what the columns of {table} are with --schema FILE (docs/models.md shows one)")
    count = _processes(workers)
    from models.schema import read_schema
    from models.table import read_table
    from models.training import train

    stated = read_schema(schema)
    with progress(quiet=as_json) as report:
        report("reading the table", 0, 1)
        manifest, judged = train(
            read_table(table, stated), _registry(folder), made_at=_now(), versions=trained(), workers=count,
            report=report,
        )  # fmt: skip
    answer = {"name": manifest.name, "version": manifest.version, "manifest": manifest, "judged": judged}
    tell(answer, as_json, lambda: models_text.fitted(manifest, judged))
    if not as_json:
        home = _registry(folder).path(manifest.name, manifest.version)
        note(f"Card: {home / 'card.html'}")
        if judged.verdict.passed:
            note(f"Next: cadencia models promote {manifest.name}")


@app.command()
def evaluate(
    table: Table,
    schema: SchemaFile = None,
    model: ModelName = "",
    version: Version = "",
    random_folds: Annotated[int, typer.Option("--folds", help="Random folds instead; they overstate.")] = 0,
    workers: Workers = 0,
    folder: Folder = HERE,
    as_json: AsJson = False,
) -> None:
    """How good would a model of this table be? With --model: how good is a version on later rows?"""
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
            found = judge_version(registry.load(name, version), table)
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
    folder: Folder = HERE,
    as_json: AsJson = False,
) -> None:
    """Make a version the champion, which serves; the gate refuses what is worse or miscalibrated (status 1)."""
    from console import models_text
    from console.command_line import user
    from models.serving import may_be_champion

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
    table: Table,
    model: ModelName = "",
    version: Version = "",
    blocks: Annotated[int, typer.Option(help="Of time, where the answers are there.")] = 5,
    folder: Folder = HERE,
    as_json: AsJson = False,
) -> None:
    """Do later rows still look like those that it learned from, and are its scores worth as much? Status 1: act."""
    from console import models_text
    from models.serving import drift_of

    check_number("models drift: --blocks", blocks, least=1, most=1000)
    registry, name = _named(folder, model)
    found = drift_of(registry, name, registry.resolve(name, version), table, blocks)
    tell(found, as_json, lambda: models_text.drifted(found))
    raise typer.Exit(1 if found.level == "act" else 0)


@app.command()
def score(
    table: Table,
    out: Annotated[Path, typer.Option("--out", "-o", help="Parquet, or CSV by its name.")] = Path("scores.parquet"),
    model: ModelName = "",
    version: Version = "",
    intervals: Annotated[bool, typer.Option("--intervals", help="Least and greatest probability too.")] = False,
    folder: Folder = HERE,
    as_json: AsJson = False,
) -> None:
    """Score the rows of a table with the champion; every score carries the version that gave it."""
    from console.simulating import progress
    from models.serving import score as score_table

    registry, name = _named(folder, model)
    loaded = registry.load(name, version)
    with progress(quiet=as_json) as report:
        found = score_table(loaded, table, out, intervals=intervals, report=report)
    tell(
        found,
        as_json,
        lambda: f"{found.rows:,} rows scored by [bold]{found.version}[/], {found.mean:.4f} on average → {out}",
    )


@app.command()
def explain(
    table: Table,
    who: Annotated[
        list[str] | None, typer.Option("--who", "-w", help="Of the group column (debtors); several may be named.")
    ] = None,
    language: Annotated[str, typer.Option("--language", "-l", help="Of the reasons: en or es.")] = "en",
    most: Annotated[int, typer.Option(help="Reasons for each row.")] = 4,
    limit: Annotated[int, typer.Option(help="Rows at most.")] = 20,
    model: ModelName = "",
    version: Version = "",
    folder: Folder = HERE,
    as_json: AsJson = False,
) -> None:
    """Why rows score as they do: what moved each most, in the agent's words."""
    from console import models_text

    check_number("models explain: --most", most, least=1, most=100)
    check_number("models explain: --limit", limit, least=1, most=10_000)
    registry, name = _named(folder, model)
    from models.reasons import explain as explain_rows

    loaded = registry.load(name, version)
    found = explain_rows(loaded, table, language=language, most=most, groups=tuple(who or ()), limit=limit)
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
        there = (
            f"there are {', '.join(known)}: name one" if known else "make one: cadencia models fit TABLE --schema FILE"
        )
        raise BadInput(f"models: which model? In {registry.folder} {there if known else 'there is none; ' + there}")
    return registry, known[0]


def _processes(workers: int) -> int:
    import os

    check_number("models: --workers", workers, least=0, most=1024)
    return workers or len(os.sched_getaffinity(0))


def _now() -> str:
    from datetime import UTC, datetime

    return datetime.now(UTC).isoformat(timespec="seconds")
