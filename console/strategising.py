"""Commands of the strategy lead about documents: strategy check, show, diff, new, schema."""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import as_file, files
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from console.command_line import HERE, AsJson, Folder, tell

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from domain.settings import CampaignSettings

app = typer.Typer(no_args_is_help=True, help="Whom to call, when, in which order: documents, and what they do.")

Word = Annotated[str, typer.Argument(metavar="NAME|FILE", help="Of the folder's strategies, or a file.")]
Campaign = Annotated[
    str,
    typer.Option("--campaign", "-c", help="Whose people to count.", show_default=False),
]


@app.command()
def check(
    documents: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME|FILE]…", help="Without any, all of the folder's.")
    ] = None,
    folder: Folder = HERE,
    as_json: AsJson = False,
) -> None:
    """Does a document hold? Every mistake with file, line, key and what to do; and what is not done yet."""
    from console import settings
    from domain.errors import BadInput
    from strategy.checking import advice, agent_groups, examine, planned
    from strategy.currencies import mixed

    paths = [path_of(word, folder) for word in documents or ()]
    if not documents:
        paths = sorted((folder / settings.STRATEGIES).glob("*.toml"))
        if not paths:
            raise BadInput(
                f"{folder / settings.STRATEGIES}: there is no strategy; make one with `cadencia strategy new NAME`"
            )
    answers, good = [], True
    owed = _owed(folder)
    for path in paths:
        strategy, problems = examine(path)
        good = good and not problems
        consider = [] if strategy is None else [*advice(strategy), *map(_first, agent_groups(strategy))]
        if strategy is not None:
            # Of a document that no campaign names yet, any may be the one.
            its = {name: one for name, one in owed.items() if one[0] == strategy.document.name} or owed
            consider += [words for name, (_, found) in its.items() for words in mixed(strategy, name, found)]
        answers.append(
            {
                "file": str(path),
                "strategy": strategy.word if strategy is not None else None,
                "problems": problems,
                "planned": planned(strategy) if strategy is not None else [],
                "advice": consider,
            }
        )

    def shown() -> Any:
        from console import strategy_text

        return strategy_text.checked(answers)

    tell(answers, as_json, shown)
    raise typer.Exit(0 if good else 1)


def _first(group: str) -> str:
    """Say what asking for a group of agents means, where no record is at hand that tells who is in it."""
    return (
        f"agents of the group {group} come first for the callers who ask for it, and others take them when none of it "
        "is free; `cadencia agents list` shows who is in it"
    )


@app.command()
def show(document: Word, campaign: Campaign = "", folder: Folder = HERE, as_json: AsJson = False) -> None:
    """What a document does, in words; in a working folder also for how many accounts and how much money."""
    from strategy.checking import advice, agent_groups, planned, read
    from strategy.words import sentences

    strategy = read(path_of(document, folder))
    said = sentences(strategy)
    found = None
    asked = agent_groups(strategy)
    consider = [*advice(strategy), *map(_first, asked)]
    with _ledger(campaign, folder) as own:
        if own is not None:
            from console.roster import missing_groups
            from ledger.queries import agents
            from ledger.strategy_counts import counts, currencies
            from strategy.currencies import mixed

            connection, settings, at_us, zone = own
            found = counts(connection, settings, strategy, at_us, zone)
            consider = [*advice(strategy), *missing_groups(asked, agents(connection))]
            consider += mixed(strategy, settings.name, currencies(connection, settings, at_us, zone))
    answer = {
        "strategy": strategy.word,
        "about": strategy.document.about,
        "says": said,
        "planned": planned(strategy),
        "advice": consider,
        "counts": found,
    }

    def shown() -> Any:
        from console import strategy_text

        return strategy_text.document(answer, found)

    tell(answer, as_json, shown)


@app.command()
def diff(first: Word, second: Word, campaign: Campaign = "", folder: Folder = HERE, as_json: AsJson = False) -> None:
    """What changes from one document to another, in words; in a working folder also for how many accounts."""
    from strategy.checking import read
    from strategy.words import sentences

    strategies = [read(path_of(word, folder)) for word in (first, second)]
    before, after = (sentences(one) for one in strategies)
    changes = [
        {"of": key, "before": before.get(key), "after": after.get(key)}
        for key in dict.fromkeys((*before, *after))
        if before.get(key) != after.get(key)
    ]
    found = None
    with _ledger(campaign, folder) as own:
        if own is not None:
            from ledger.strategy_counts import moves

            connection, settings, at_us, zone = own
            found = moves(connection, settings, strategies[0], strategies[1], at_us, zone)
    answer = {"first": strategies[0].word, "second": strategies[1].word, "changes": changes, "accounts": found}

    def shown() -> Any:
        from console import strategy_text

        return strategy_text.changed(answer, found)

    tell(answer, as_json, shown)


@app.command()
def new(
    name: Annotated[str, typer.Argument(help="Letters, digits, hyphens and underscores.")],
    like: Annotated[str, typer.Option("--from", help="An example, or one of the folder's.")] = "gentle",
    folder: Folder = HERE,
    as_json: AsJson = False,
) -> None:
    """Make a document of your own from an example: strategies/NAME.toml."""
    import re

    from console import settings
    from console.folder import schemas
    from domain.errors import BadInput

    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]*", name):
        raise BadInput(f"strategy new: {name!r} must be of letters, digits, hyphens and underscores; name it otherwise")
    source = path_of(like, folder)
    target = folder / settings.STRATEGIES / f"{name}.toml"
    if target.exists():
        raise BadInput(f"{target}: is there already; edit it, or name another")
    text = _renamed(source, name)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text, encoding="utf-8")
    schema_file = folder / "schemas" / "strategy.json"
    if not schema_file.exists():
        schema_file.parent.mkdir(parents=True, exist_ok=True)
        schema_file.write_bytes(schemas()["strategy.json"])
    tell(
        {"made": str(target), "from": str(source.stem)},
        as_json,
        lambda: f"[green]made[/]  {target}, from {source.stem}. Next: edit it, then cadencia strategy check {name}",
    )


def _renamed(source: Path, name: str) -> str:
    """Return a document's text, comments and all, under another name; arms that name the document itself follow it.

    Raises
    ------
    BadInput
        When it cannot be read, or is no TOML.
    """
    import tomlkit
    from tomlkit.exceptions import TOMLKitError

    from domain.errors import BadInput

    try:
        document = tomlkit.parse(source.read_text(encoding="utf-8"))
    except (TOMLKitError, UnicodeDecodeError) as error:
        raise BadInput(f"{source}: is not TOML ({error}); correct it, or make one from another with --from") from None
    before = document.get("name")
    document["name"] = name
    trial = document.get("trial", {})
    for arm in trial.get("arms", ()) if isinstance(trial, dict) else ():
        if isinstance(arm, dict) and "strategy" in arm and arm["strategy"] == before:
            arm["strategy"] = name
    return tomlkit.dumps(document)


@app.command()
def schema(as_json: AsJson = False) -> None:
    """The JSON Schema by which editors complete and check documents."""
    from console.folder import schemas

    print(schemas()["strategy.json"].decode())


# ---- what the commands share


def path_of(word: str, folder: Path) -> Path:
    """Return the file of a document: one of the folder's, one that ships, or a path.

    Raises
    ------
    BadInput
        When there is none.
    """
    import difflib

    from console import settings
    from domain.errors import BadInput

    if word.endswith(".toml"):
        if not Path(word).is_file():
            raise BadInput(f"{word}: there is no such file; name one, or a strategy of the folder without .toml")
        return Path(word)
    own = folder / settings.STRATEGIES / f"{word}.toml"
    if own.is_file():
        return own
    with as_file(files("config") / "strategies") as shipped:
        if (shipped / f"{word}.toml").is_file():
            return shipped / f"{word}.toml"
        known = sorted({one.stem for home in (own.parent, shipped) for one in home.glob("*.toml")})
    near = difflib.get_close_matches(word, known, n=1)
    hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(known)}"
    raise BadInput(f"strategy {word!r}: {own.parent} has none of that name, and none ships; {hint}")


def _owed(folder: Path) -> dict[str, tuple[str, list[str]]]:
    """Return by campaign its strategy and the currencies of its debts; empty where no ledger is at hand to tell."""
    import time

    from console import settings
    from console.portfolio import opened
    from domain.errors import BadInput

    if not (folder / settings.SETTINGS_FILE).is_file():
        return {}
    try:
        loaded = settings.load(folder)
        file = loaded.ledger_url.partition("sqlite:///")[2]
        if file and not Path(file).is_file():
            return {}
        from ledger.strategy_counts import currencies

        with opened(loaded) as ledger, ledger.reading() as connection:
            at_us, zone = time.time_ns() // 1000, loaded.floor.zone
            return {
                one.name: (one.strategy, currencies(connection, one, at_us, zone)) for one in loaded.floor.campaigns
            }
    except BadInput:
        return {}  # documents are checked all the same; what is wrong with the folder, `doctor` says


@contextmanager
def _ledger(campaign: str, folder: Path) -> "Iterator[tuple[Connection, CampaignSettings, int, str] | None]":
    """Give the ledger's connection, a campaign without its strategy, the present and the zone; None: no folder."""
    import time

    from console import settings
    from console.portfolio import opened
    from domain.errors import BadInput

    if not (folder / settings.SETTINGS_FILE).is_file():
        if campaign:
            raise BadInput(
                f"--campaign {campaign}: {folder.resolve()} is no working folder; name one with --folder DIR"
            )
        yield None
        return
    loaded = settings.load(folder)
    known = [one.name for one in loaded.floor.campaigns]
    if not campaign and len(known) != 1:
        raise BadInput(f"--campaign: name one of {', '.join(known) or 'none: make one with cadencia init'}")
    chosen = loaded.floor.campaign(campaign or known[0])
    with opened(loaded) as ledger, ledger.reading() as connection:
        yield connection, chosen, time.time_ns() // 1000, loaded.floor.zone
