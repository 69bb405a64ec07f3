"""What is wrong with a document of the simulator, in the words of whoever wrote it."""

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from domain.documents import fault


def in_words(error: msgspec.ValidationError, stated: Mapping[str, Any], kind: type[Any]) -> str:
    """Return an error of converting what is stated to a kind in the words of whoever wrote the document."""
    text, path, value = fault(str(error), stated, kind)
    at = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path).removeprefix(".")
    if expected := _EXPECTED.match(text):
        found = repr(value) if not isinstance(value, dict | list) else f"{type(value).__name__} of {len(value)}"
        return f"{at} must be {_KINDS.get(expected[1], expected[1])}{expected[2]}, was {found}"
    if field := _FIELD.match(text):
        return f"{at or 'the document'} {'lacks' if field[1] else 'takes no key'} `{field[2]}`"
    return f"{at}: {text}" if at else text


_EXPECTED = re.compile(r"Expected `([^`]+)`((?: of length)?(?: [<>]=? \S+)?)")
_FIELD = re.compile(r"Object (?:(missing) required|contains unknown) field `([^`]+)`")
_KINDS = {
    "float": "a number", "int": "a whole number", "array": "a list", "object": "a table", "str": "text",
    "bool": "true or false",
}  # fmt: skip
