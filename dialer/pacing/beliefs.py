"""Which of several memories to believe: each by how it has foretold, ready to change.

Fixed share: Herbster & Warmuth, "Tracking the best expert", Machine Learning 32, 1998.
"""

from collections.abc import Sequence


def equal(n: int) -> list[float]:
    """Return n equal beliefs."""
    return [1.0 / n] * n


def mixed(beliefs: Sequence[float], values: Sequence[float]) -> float:
    """Return the mean of what the memories say."""
    total = 0.0
    for belief, value in zip(beliefs, values, strict=True):
        total += belief * value
    return total
