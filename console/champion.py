"""A new champion: the document of an arm takes the place of the one that drew the arms, with all its comments."""

from pathlib import Path
from typing import TYPE_CHECKING

from domain.errors import BadInput

if TYPE_CHECKING:
    from ledger.experiments import Registered

#: Beside the documents: what a promotion replaced, by name and version.
EARLIER = "earlier"
#: Parts of a trial that end with it.
_ENDED = ("arms", "ends_after_days")


def written(path: Path, one: "Registered", arm: str) -> tuple[str, Path]:
    """Write an arm's document as the champion's; return its NAME@VERSION, and where the one before is kept.

    The holdout stays, and so do lot and guardrails; the arms end.

    Raises
    ------
    BadInput
        When a document is no longer what was tried, or cannot be written.
    """
    import tomlkit
    from tomlkit.items import Table

    from strategy.checking import examine, read

    now, then = read(path), one.read
    if now.word != one.strategy:
        raise BadInput(
            f"{path}: is {now.word} now, and {one.strategy} was tried; put back what was tried, or start a new trial"
        )
    chosen = next(each for each in then.arms if each.name == arm)
    source = path.with_name(f"{chosen.strategy}.toml") if chosen.strategy else path
    before = path.read_text(encoding="utf-8")
    champion = tomlkit.parse(before)
    winner = tomlkit.parse(source.read_text(encoding="utf-8"))
    winner["name"] = then.document.name
    trial = champion.get("trial")
    winner.pop("trial", None)
    if isinstance(trial, Table):
        for key in _ENDED:
            trial.pop(key, None)
        if trial.unwrap():
            winner.append("trial", trial)
    earlier = path.parent / EARLIER / f"{one.strategy.replace('@', '-')}.toml"
    draft = path.with_name(f"{path.name}.draft")
    try:
        earlier.parent.mkdir(exist_ok=True)
        earlier.write_text(before, encoding="utf-8")
        draft.write_text(tomlkit.dumps(winner), encoding="utf-8")
        draft.replace(path)
    except OSError as error:
        raise BadInput(
            f"{error.filename or path}: cannot be written ({error.strerror}); make room or give yourself the right"
        ) from None
    strategy, problems = examine(path)
    if strategy is None:
        path.write_text(before, encoding="utf-8")
        raise BadInput(f"{problems[0]}; nothing was promoted")
    return strategy.word, earlier
