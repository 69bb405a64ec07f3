"""What is wrong with a document of the simulator, in the words of whoever wrote it."""

import re
from collections.abc import Mapping
from typing import Any

import msgspec

_FOUND_AT = re.compile(r" - at `(?:key` in `|key in )?\$\.?([^`]*)`$")


def in_words(error: msgspec.ValidationError, stated: Mapping[str, Any]) -> str:
    """Return an error of conversion in the words of whoever wrote the document."""
    text = str(error)
    place = _FOUND_AT.search(text)
    at, text = (place[1], text[: place.start()]) if place else ("", text)
    if expected := _EXPECTED.match(text):
        value: Any = stated
        for name, index in _STEP.findall(at):
            value = value[int(index)] if index else value[name]
        found = repr(value) if not isinstance(value, dict | list) else f"{type(value).__name__} of {len(value)}"
        must = f"must be {_KINDS.get(expected[1], expected[1])}{expected[2]}"
        # Of a table's values the error does not tell which.
        return f"every one of {at[:-5]} {must}" if at.endswith("[...]") else f"{at} {must}, was {found}"
    if field := _FIELD.match(text):
        return f"{at or 'the document'} {'lacks' if field[1] else 'takes no key'} `{field[2]}`"
    return f"{at}: {text}"


_EXPECTED = re.compile(r"Expected `([^`]+)`((?: of length)?(?: [<>]=? \S+)?)")
_FIELD = re.compile(r"Object (?:(missing) required|contains unknown) field `([^`]+)`")
_STEP = re.compile(r"([^.\[\]]+)|\[(\d+)\]")
_KINDS = {
    "float": "a number", "int": "a whole number", "array": "a list", "object": "a table", "str": "text",
    "bool": "true or false",
}  # fmt: skip
