"""Which of several memories to believe: each by how it has foretold, ready to change.

Fixed share: Herbster & Warmuth, "Tracking the best expert", Machine Learning 32, 1998.
"""

from collections.abc import Sequence


def equal(n: int) -> list[float]:
    """Return n equal beliefs."""
    return [1.0 / n] * n


def updated(beliefs: Sequence[float], likelihoods: Sequence[float], share: float) -> list[float]:
    """Return beliefs, which sum to one, after an outcome.

    Parameters
    ----------
    likelihoods : sequence of float
        Of the outcome, as each memory foretold it.
    share : float in [0, 1]
        Chance that the best memory changes from one outcome to the next.
    """
    told = [belief * likelihood for belief, likelihood in zip(beliefs, likelihoods, strict=True)]
    scale, floor = (1.0 - share) / sum(told), share / len(told)
    return [one * scale + floor for one in told]


def mixed(beliefs: Sequence[float], values: Sequence[float]) -> float:
    """Return the mean of what the memories say."""
    total = 0.0
    for belief, value in zip(beliefs, values, strict=True):
        total += belief * value
    return total
