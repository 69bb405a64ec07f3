"""Where in a document of an operator's a fault lies, as far as msgspec tells it."""

import re
from copy import deepcopy
from typing import Any

import msgspec

from domain.errors import BadInput

_FOUND_AT = re.compile(r" - at `(?:`?key`? in `?)?(\$[^`]*)`$")
_STEP = re.compile(r"\.([^.\[\]]+)|\[(\d+|\.\.\.)\]")


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
