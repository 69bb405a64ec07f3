"""A new champion: the document of an arm takes the place of the one that drew the arms, with all its comments."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from domain.errors import BadInput

if TYPE_CHECKING:
    from tomlkit import TOMLDocument
    from tomlkit.items import Table

    from ledger.experiments import Registered
    from strategy.documents import Document

#: Beside the documents: what a promotion replaced, by name and version.
EARLIER = "earlier"
#: Parts of a trial that end with it.
_ENDED = ("arms", "ends_after_days")


def written(path: Path, one: "Registered", arm: str) -> tuple[str, Path]:
    """Write an arm's document as the champion's; return its NAME@VERSION, and where the one before is kept.

    The holdout stays, and so do unit, lot and guardrails; the arms end.

    Raises
    ------
    BadInput
        When a document is no longer what was tried, cannot be written, or would not say what is meant; nothing is
        changed then.
    """
    from strategy.checking import read
    from strategy.documents import Strategy

    now = read(path)
    if now.word != one.strategy:
        raise BadInput(
            f"{path}: is {now.word} now, and {one.strategy} was tried; put back what was tried, or start a new trial"
        )
    chosen = next(each for each in now.arms if each.name == arm)
    source = path.with_name(f"{chosen.strategy}.toml") if chosen.strategy else path
    before = path.read_text(encoding="utf-8")
    name = now.document.name
    trial = msgspec.structs.replace(now.document.trial, arms=(), ends_after_days=None)
    meant = msgspec.structs.replace(now.of_arm(arm), name=name, trial=trial)
    text = _text(source.read_text(encoding="utf-8"), before, name)
    _check(path, text, meant)
    earlier = path.parent / EARLIER / f"{one.strategy.replace('@', '-')}.toml"
    draft = path.with_name(f"{path.name}.draft")
    try:
        earlier.parent.mkdir(exist_ok=True)
        earlier.write_text(before, encoding="utf-8")
        draft.write_text(text, encoding="utf-8")
        draft.replace(path)
    except OSError as error:
        raise BadInput(
            f"{error.filename or path}: cannot be written ({error.strerror}); make room or give yourself the right"
        ) from None
    return Strategy(document=meant).word, earlier


def _text(winner: str, champion: str, name: str) -> str:
    """Return the winner's text under the champion's name, with what stays of the champion's trial."""
    import tomlkit

    new = tomlkit.parse(winner)
    new["name"] = name
    new.pop("trial", None)
    if stays := _stays(tomlkit.parse(champion)):
        new.append("trial", stays)
    return tomlkit.dumps(new)


def _stays(champion: "TOMLDocument") -> "Table":
    """Return what stays of a trial as one table with its comments, however its parts were written and wherever."""
    from tomlkit.items import Table

    parts: list[Any] = [part for key, part in champion.body if key is not None and key.key == "trial"]
    found = parts[0] if len(parts) == 1 and isinstance(parts[0], Table) else _joined(parts)
    for key in _ENDED:
        found.pop(key, None)
    return found


def _joined(parts: list[Any]) -> "Table":
    """Return tables that are one as one: an inline one, those of dotted keys, and those with others between them."""
    import tomlkit
    from tomlkit.items import Comment, InlineTable, Table

    found = tomlkit.table()
    inner: dict[str, list[Any]] = {}
    for part in parts:
        if part.trivia.comment:
            found.trivia.comment_ws, found.trivia.comment = " ", part.trivia.comment
        for key, item in part.value.body:
            if isinstance(item, Comment):
                found.add(item)
            elif isinstance(item, Table | InlineTable):
                inner.setdefault(key.key, []).append(item)
            elif key is not None:
                plain = tomlkit.item(item.unwrap())
                if item.trivia.comment:
                    plain.trivia.comment_ws, plain.trivia.comment = " ", item.trivia.comment
                found.append(key.key, plain)
    for name, pieces in inner.items():
        found.append(name, _joined(pieces))
    return found


def _check(path: Path, text: str, meant: "Document") -> None:
    """Refuse a text that does not say what is meant."""
    from strategy.checking import examine_text

    document, problems = examine_text(text, str(path), path.stem)
    if document is None or problems:
        raise BadInput(f"{problems[0]}; nothing was changed")
    for key in meant.__struct_fields__:
        says, wanted = getattr(document, key), getattr(meant, key)
        if says != wanted:
            raise BadInput(
                f"{path}: {key} would be {msgspec.to_builtins(says)} and has to be {msgspec.to_builtins(wanted)}, so "
                f"nothing was changed; write [{key}] in one piece, below everything else, and promote again"
            )
