"""A population with known truth: debtors by country and segment, how they answer, respond, promise and pay.

`load` reads a world's laws, `portfolio` makes debtors; `Debtors` are whoever can be called, made or of a real ledger.
"""

from simulation.population.conduct import Asked, Complained, Deed, Paid
from simulation.population.debtors import Debtors
from simulation.population.laws import Laws
from simulation.population.portfolio import portfolio
from simulation.population.truth import Truth
from simulation.population.worlds import PRESETS, load

__all__ = ["PRESETS", "Asked", "Complained", "Debtors", "Deed", "Laws", "Paid", "Truth", "load", "portfolio"]
