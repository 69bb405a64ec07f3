"""A population with known truth: debtors by country and segment, how they answer, respond, promise and pay.

`load` reads a world's laws, `portfolio` makes debtors; `Debtors` are whoever can be called, made or of a real ledger.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from simulation.population.laws import Laws
from simulation.population.portfolio import portfolio
from simulation.population.worlds import PRESETS, load

if TYPE_CHECKING:
    from simulation.population.conduct import Asked, Complained, Deed, Paid
    from simulation.population.debtors import Debtors
    from simulation.population.truth import Truth

__all__ = ["PRESETS", "Asked", "Complained", "Debtors", "Deed", "Laws", "Paid", "Truth", "load", "portfolio"]

#: Where the rest is, loaded when first asked for: documents of worlds are read without numerical libraries.
_ELSEWHERE = {
    **dict.fromkeys(("Asked", "Complained", "Deed", "Paid"), "conduct"),
    "Debtors": "debtors",
    "Truth": "truth",
}


def __getattr__(name: str) -> Any:
    if name not in _ELSEWHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = globals()[name] = getattr(import_module(f"{__name__}.{_ELSEWHERE[name]}"), name)
    return found
