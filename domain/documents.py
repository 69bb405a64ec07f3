"""Where in a document of an operator's a fault lies, as far as msgspec tells it, and how it is told."""

import difflib
import math
import re
import types
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from datetime import date, datetime, time
from enum import Enum
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import msgspec

from domain.errors import BadInput

_FOUND_AT = re.compile(r" - at `(?:`?key`? in `?)?(\$[^`]*)`$")
_STEP = re.compile(r"\.([^.\[\]]+)|\[(\d+|\.\.\.)\]")
_FIELD = re.compile(r"field `([^`]+)`")


def fault(message: str, stated: Any, kind: type[Any]) -> tuple[str, list[str | int], Any]:
    """Return what is wrong, the path to it with the keys of free tables named, and what stands there.

    Parameters
    ----------
    message : str
        Of the `msgspec.ValidationError` when `stated` was converted to `kind`.
    """
    at = _FOUND_AT.search(message)
    what = message[: at.start()] if at else message
    whole = deepcopy(stated)
    found: Any = whole
    path: list[str | int] = []
    for name, index in _STEP.findall(at[1][1:]) if at else ():
        step: str | int = name
        if index == "...":
            # msgspec names no key of a free table: the entry that alone still gives the same message is the one meant.
            entries = dict(found)
            for step, value in entries.items():
                found.clear()
                found[step] = value
                if _complaint(whole, kind) == message:
                    break
        elif index:
            step = int(index)
        path.append(step)
        found = found[step]
    return what, path, found


def _complaint(stated: Any, kind: type[Any]) -> str:
    try:
        msgspec.convert(stated, kind)
    except (msgspec.ValidationError, BadInput) as error:
        return str(error)
    return ""


def unusable_numbers(stated: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Yield where a document holds a number that nobody can reckon with, and what to do about it.

    TOML writes `inf` and `nan`, which pass for numbers anywhere, and Python reads whole numbers of any length.
    """
    if isinstance(stated, Mapping):
        for key, value in stated.items():
            yield from unusable_numbers(value, (*path, key))
    elif isinstance(stated, list | tuple):
        for number, value in enumerate(stated):
            yield from unusable_numbers(value, (*path, number))
    elif isinstance(stated, float) and not math.isfinite(stated):
        yield path, f"is {toml_text(stated)}, which is no finite number; write a number, or leave the key out"
    elif isinstance(stated, int) and not -(2**63) <= stated < 2**63:
        yield path, f"has {len(str(abs(stated)))} digits, and a whole number has 19 at most; write a smaller one"


def toml_text(value: Any) -> str:
    """Return a value as a document has it."""
    match value:
        case bool():
            return "true" if value else "false"
        case datetime() | date() | time():
            return value.isoformat()
        case list() | tuple():
            return f"[{', '.join(map(toml_text, value))}]"
        case dict():
            return "{ " + ", ".join(f"{key} = {toml_text(one)}" for key, one in value.items()) + " }" if value else "{}"
        case _:
            return repr(value)


def key_text(path: Sequence[str | int], first: int = 0) -> str:
    """Return a path as people read it, entries of lists counted from `first` on."""
    return ".".join(str(step + first) if isinstance(step, int) else step for step in path)


def in_words(message: str, stated: Any, kind: type[Any], first: int = 0) -> tuple[list[str | int], str]:
    """Return the path to what is wrong, and in words: the key, what it must be, what was found, what to do.

    Parameters
    ----------
    first : int
        What entries of lists are counted from.
    """
    what, path, found = fault(message, stated, kind)
    key = key_text(path, first)
    field = _FIELD.search(what)
    if field and ("unknown field" in what or "missing" in what):
        name = field.group(1)
        whole = key_text([*path, name], first)
        if "missing" in what:
            return path, f"{whole} is missing; add it"
        fields = _fields(kind, path)
        near = [known for known in fields if name in known] or difflib.get_close_matches(name, fields, n=1)
        return [*path, name], f"{whole} is no setting; {f'did you mean {near[0]}?' if near else 'remove it'}"
    must = f"{key or 'the file'} must be {_expected(what, kind, path)}, was {toml_text(found)}"
    return path, f"{must}; {_remedy(what, found, _words(_at(kind, path)))}"


def _remedy(what: str, found: Any, words: Sequence[str]) -> str:
    if isinstance(found, str) and (near := difflib.get_close_matches(found, words, n=1)):
        return f"do you mean {near[0]}?"
    if re.match(r"Expected `float` <=? 1\.0", what) and isinstance(found, int | float) and 1.0 < found <= 100.0:
        return f"shares are from 0 to 1: {found:g} % is written {found / 100:g}"
    return "correct it"


def _expected(what: str, kind: type[Any], path: Sequence[str | int]) -> str:
    if "Invalid enum value" in what:
        all_words = _words(_at(kind, path))
        words = [word for word in all_words if word]
        known = f"{'one of ' * (len(words) > 1)}{', '.join(words)}" if words else "a known word"
        return known + ", or left out" * (len(words) < len(all_words))
    match = re.match(r"Expected `([^`]+)`(.*?)(?:, got .*)?$", what)
    if not match:
        return what
    words_of = {
        "str": "text in quotes",
        "int": "a whole number",
        "float": "a number",
        "bool": "true or false",
        "array": "a list in [ ]",
        "object": "a table",
        "null": "absent",
    }
    kinds = [kind.strip() for kind in match.group(1).split("|")]
    return " or ".join(words_of.get(kind, kind) for kind in kinds if kind != "null") + match.group(2)


def _fields(kind: type[Any], path: Sequence[str | int]) -> list[str]:
    """Return the settings that the table at a path may hold."""
    for option in _options(_at(kind, path)):
        if _is_record(option):
            return [field.encode_name for field in msgspec.structs.fields(option)]
    return []


def _words(kind: Any) -> list[str]:
    """Return the words that a value of a kind may be."""
    found: list[str] = []
    for option in _options(kind):
        if get_origin(option) is Literal:
            found += map(str, get_args(option))
        elif isinstance(option, type) and issubclass(option, Enum):
            found += [str(one.value) for one in option]
    return found


def _at(kind: Any, path: Sequence[str | int]) -> Any:
    """Return the kind of what stands at a path."""
    for step in path:
        inner: Any = None
        for option in _options(kind):
            if _is_record(option):
                inner = {field.encode_name: field.type for field in msgspec.structs.fields(option)}.get(str(step))
            elif get_origin(option) in (dict, list, tuple):
                arguments = get_args(option)
                inner = arguments[1] if get_origin(option) is dict else arguments[0]
            if inner is not None:
                break
        kind = inner
    return kind


def _options(kind: Any) -> list[Any]:
    """Return the kinds that a kind allows, without what narrows them."""
    if get_origin(kind) is Annotated:
        return _options(get_args(kind)[0])
    if get_origin(kind) in (Union, types.UnionType):
        return [one for option in get_args(kind) for one in _options(option)]
    return [kind]


def _is_record(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, msgspec.Struct)
