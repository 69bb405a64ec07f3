"""How many calls to place now: pure numbers in, a decision out (docs/pacing.md)."""

from dialer.pacing.decision import REASONS, Decision
from dialer.pacing.pacer import Pacer
from dialer.pacing.seen import Seen
from dialer.pacing.settings import Limit, PacingSettings

__all__ = ["REASONS", "Decision", "Limit", "Pacer", "PacingSettings", "Seen"]
