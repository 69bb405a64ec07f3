"""Leads in the order of their turn, as they stand in one place of a list.

In a single heap, the next of a hundred thousand costs microseconds to take, most of them waiting for memory. Here what
is there is sorted once and taken from the end; a heap holds what came since, and is sorted in when it has grown.
"""

from collections.abc import Iterable, Iterator
from heapq import heappop, heappush, merge

#: (rank or instant, token, person).
Entry = tuple[int, int, int]
#: So many may come before they are sorted in, or an eighth of what is sorted, whatever is more.
_FEW = 256


class Queue:
    """Entries by their order; those that leads have left behind are for the caller to skip."""

    __slots__ = ("_came", "_sorted")

    def __init__(self, entries: Iterable[Entry] = ()) -> None:
        #: The last is the first to be taken.
        self._sorted = sorted(entries, reverse=True)
        self._came: list[Entry] = []

    def __bool__(self) -> bool:
        return bool(self._came or self._sorted)

    def __iter__(self) -> Iterator[Entry]:
        """Yield the entries in order, without sorting what came since."""
        return merge(reversed(self._sorted), _in_order(self._came))

    def entries(self) -> list[Entry]:
        """Return all entries, in no order."""
        return self._sorted + self._came

    def push(self, entry: Entry) -> None:
        heappush(self._came, entry)

    def first(self) -> Entry | None:
        """Return the entry whose turn is next; None: there is none."""
        came, rest = self._came, self._sorted
        if not came:
            return rest[-1] if rest else None
        if len(came) > _FEW and len(came) > len(rest) // 8:
            rest = self._sorted = sorted(rest + came, reverse=True)
            self._came = []
            return rest[-1]
        return came[0] if not rest or came[0] < rest[-1] else rest[-1]

    def pop(self) -> Entry:
        """Take the entry whose turn is next; there must be one."""
        came, rest = self._came, self._sorted
        return heappop(came) if came and (not rest or came[0] < rest[-1]) else rest.pop()


def _in_order(heap: list[Entry]) -> Iterator[Entry]:
    paths = [(heap[0], 0)] if heap else []
    while paths:
        entry, index = heappop(paths)
        yield entry
        for child in (2 * index + 1, 2 * index + 2):
            if child < len(heap):
                heappush(paths, (heap[child], child))
