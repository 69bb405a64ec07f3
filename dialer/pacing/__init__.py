"""How many calls to place now: pure numbers in, a decision out (docs/pacing.md)."""

from dialer.pacing.pacer import REASONS, Decision, Pacer
from dialer.pacing.settings import Limit, PacingSettings

__all__ = ["REASONS", "Decision", "Limit", "Pacer", "PacingSettings"]
