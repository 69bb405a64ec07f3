"""What is given from outside can be what it is said to be; anything else is told (`BadInput`) before it is learned."""

from array import array
from collections.abc import Sequence
from math import inf, isfinite
from typing import Final

import numpy as np

from dialer.pacing import kernel
from dialer.pacing.kernel import Floats
from domain.errors import BadInput

KINDS: Final = ("live", "machine", "busy", "no_answer", "failed")
STAGES: Final = (0, 1, 2)
ABANDONED: Final = ("no_agent", "lost", "detection")


def one_of(name: str, found: object, known: tuple[object, ...]) -> None:
    if found not in known:
        raise BadInput(f"{name}: expected one of {', '.join(map(str, known))}, found {found!r}")


def seconds(name: str, found: float) -> None:
    # Asked at every outcome: the quick way first.
    if not (type(found) is float and 0.0 <= found < inf):
        number(name, found)


def number(
    name: str, found: float, *, above: float | None = None, least: float = 0.0, most: float | None = None
) -> None:
    """Refuse what is no finite number, not above `above`, under `least`, or over `most`."""
    expected = f"a number above {above:g}" if above is not None else f"a number, {least:g} or more"
    expected += "" if most is None else f" and at most {most:g}"
    try:
        good = (
            isfinite(found) and found >= least and (above is None or found > above) and (most is None or found <= most)
        )
    except TypeError:
        good = False
    if not good:
        raise BadInput(f"{name}: expected {expected}, found {found!r}")


def count(name: str, found: int) -> None:
    # The quick way first; NumPy's integers count as well.
    if not (type(found) is int and found >= 0) and (not hasattr(found, "__index__") or found < 0):
        raise BadInput(f"{name}: expected a whole number, 0 or more, found {found!r}")


def spells(**named: Sequence[float] | Floats) -> Floats:
    """Return elapsed seconds as one array, group after group, none of them endless or under 0."""
    # `array` reads a list in half of NumPy's time. A copy of one layout, whatever is given: another would be compiled
    # for anew.
    together = array("d")
    for values in named.values():
        together += array("d", values)
    found: Floats = np.frombuffer(together)
    at = kernel.outside(found, inf, False)
    if at >= 0:
        for name, values in named.items():
            if at < len(values):
                raise BadInput(f"{name}: expected seconds, 0 or more, found {values[at]} at place {at}")
            at -= len(values)
    return found


def chances(name: str, values: Sequence[float] | Floats) -> Floats:
    """Return forecasts as an array, each in [0, 1] or NaN: none."""
    found = np.array(values, dtype=np.float64)
    if (at := kernel.outside(found, 1.0, True)) >= 0:
        raise BadInput(
            f"{name}: expected chances from 0 to 1, or NaN where there is none; found {found[at]} at place {at}"
        )
    return found


def alike(name: str, found: int, ringing: int) -> None:
    if found != ringing:
        raise BadInput(f"{name}: expected one for each of the {ringing} calls in ringing_s, found {found}")
