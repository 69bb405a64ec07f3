"""An estimate, and how far it may be off."""

import msgspec


class Interval(msgspec.Struct, frozen=True):
    """An estimate with its interval; infinite where nothing is known of the spread, nan where there is no estimate."""

    value: float
    low: float
    high: float

    @property
    def is_clear(self) -> bool:
        """Return whether zero is left out."""
        return self.low > 0.0 or self.high < 0.0
