"""The two faces that I/O implements; the in-memory ledger of simulation and tests has them too."""

from collections.abc import Iterator, Sequence
from typing import Protocol

from domain.events import Reserved, Stale
from domain.orders import Reserve
from domain.records import Row


class Journal(Protocol):
    """The append-only record of the streams."""

    def append(self, rows: Sequence[Row]) -> tuple[Reserved | Stale, ...]:
        """Make rows and their projections durable in one transaction; return only when they are.

        Every `Reserve` among the rows is carried out in the same transaction and answered, in order.
        """
        ...

    def read(self, stream: str, after_seq: int = 0) -> Iterator[Row]:
        """Yield the rows of a stream in order, loaded lists put back."""
        ...


class Reservations(Protocol):
    """Compare and bump for contacts that no floor's engine makes (messages, manual calls)."""

    def reserve(self, orders: Sequence[Reserve], at_us: int) -> tuple[Reserved | Stale, ...]:
        """Answer each order in its place; the answer carries `at_us`."""
        ...
