"""On which line of a TOML file each key stands: what `tomllib` knows and does not tell."""

from typing import Final

Path = tuple[str | int, ...]

_QUOTES: Final = ('"""', "'''")


def lines_of(text: str) -> dict[Path, int]:
    """Return the line, from 1, of every table header and of every key that begins a line.

    Parameters
    ----------
    text : str
        TOML that `tomllib` has read: what it would refuse is not looked for.
    """
    found: dict[Path, int] = {}
    counts: dict[Path, int] = {}
    table: Path = ()
    open_ = ""
    for number, line in enumerate(text.splitlines(), 1):
        inside = bool(open_)
        begun = _uncommented(line, open_)
        open_ = begun[1]
        if inside:
            continue
        shown = begun[0].strip()
        if shown.startswith("[["):
            place = _within(_keys(shown[2 : shown.index("]]")]), counts)
            counts[place] = counts.get(place, -1) + 1
            table = (*place, counts[place])
            found.setdefault(table, number)
            found.setdefault(place, number)
        elif shown.startswith("["):
            table = _within(_keys(shown[1 : shown.rindex("]")]), counts)
            found.setdefault(table, number)
        elif "=" in shown:
            found.setdefault((*table, *_keys(shown[: _equals(shown)])), number)
    return found


def line_of(lines: dict[Path, int], path: Path) -> int:
    """Return the line of a path, or of what holds it; 1 where nothing does."""
    while path:
        if path in lines:
            return lines[path]
        path = path[:-1]
    return 1


def _within(keys: tuple[str, ...], counts: dict[Path, int]) -> Path:
    """Return the path of a header's keys: of an array of tables its last is meant."""
    path: Path = ()
    for key in keys[:-1]:
        path = (*path, key)
        if path in counts:
            path = (*path, counts[path])
    return (*path, keys[-1])


def _keys(text: str) -> tuple[str, ...]:
    """Return the keys of `a."b.c".d`."""
    keys, word, quote = [], "", ""
    for letter in text:
        if quote:
            quote = "" if letter == quote else quote
            word += "" if not quote else letter
        elif letter in "\"'":
            quote = letter
        elif letter == ".":
            keys.append(word.strip())
            word = ""
        else:
            word += letter
    return (*keys, word.strip())


def _equals(shown: str) -> int:
    quote = ""
    for place, letter in enumerate(shown):
        if quote:
            quote = "" if letter == quote else quote
        elif letter in "\"'":
            quote = letter
        elif letter == "=":
            return place
    return len(shown)


def _uncommented(line: str, open_: str) -> tuple[str, str]:
    """Return a line without its comment, and what is still open at its end.

    What is open is a multi-line text (its quotes), or an array or table: a bracket for each.
    """
    kept, place = "", 0
    header = not open_ and line.lstrip().startswith("[")
    while place < len(line):
        three, letter = line[place : place + 3], line[place]
        if open_ in _QUOTES:
            if three == open_:
                open_, place = "", place + 3
            else:
                place += 2 if letter == "\\" and open_ == '"""' else 1
            continue
        if three in _QUOTES and not open_:
            open_, place = three, place + 3
            continue
        if letter in "\"'":
            end = place + 1
            while end < len(line) and line[end] != letter:
                end += 2 if line[end] == "\\" and letter == '"' else 1
            kept += line[place : end + 1]
            place = end + 1
            continue
        if letter == "#":
            break
        if not header and letter in "[{":
            open_ += letter
        elif not header and letter in "]}":
            open_ = open_[:-1]
        kept += letter
        place += 1
    return kept, open_
