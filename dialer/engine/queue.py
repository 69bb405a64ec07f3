"""Leads in the order of their turn, as they stand in one place of a list.

In a single heap, the next of a hundred thousand costs microseconds to take, most of them waiting for memory. So only
what is likely to be taken soon stands in a heap here. Entries that leads have left behind are for the caller to skip.
"""

from collections.abc import Iterable, Iterator
from heapq import heapify, heappop, heappush, merge
from itertools import chain

from domain.instants import MINUTE

#: (rank or instant, token, person).
Entry = tuple[int, int, int]
#: So many may come before they are sorted in, or an eighth of what is sorted, whatever is more.
_FEW = 256


class Queue:
    """Entries by rank: what is there is sorted once and taken from the end, a heap holds what came since."""

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
        """Take the entry that `first` returned."""
        came, rest = self._came, self._sorted
        return heappop(came) if came and (not rest or came[0] < rest[-1]) else rest.pop()


class Agenda:
    """Entries by instant: gathered by the minute, and a heap of those whose minute has come."""

    __slots__ = ("_come", "_minutes", "_until_us", "_waiting")

    def __init__(self, entries: Iterable[Entry] = ()) -> None:
        #: Those before this instant: of the minute at hand, or of one after it that was looked for.
        self._come: list[Entry] = []
        self._until_us = 0
        #: The others by minute, and a heap of these minutes.
        self._waiting: dict[int, list[Entry]] = {}
        self._minutes: list[int] = []
        for entry in entries:
            self.push(entry)

    def entries(self) -> list[Entry]:
        """Return all entries, in no order."""
        return [*self._come, *chain.from_iterable(self._waiting.values())]

    def push(self, entry: Entry) -> None:
        if entry[0] < self._until_us:
            heappush(self._come, entry)
            return
        minute = entry[0] // MINUTE
        waiting = self._waiting.get(minute)
        if waiting is not None:
            waiting.append(entry)
        else:
            self._waiting[minute] = [entry]
            heappush(self._minutes, minute)

    def due(self, at_us: int) -> list[Entry]:
        """Take the entries whose instant has come, in order."""
        if at_us >= self._until_us:
            self._open(at_us // MINUTE)
        come, found = self._come, []
        while come and come[0][0] <= at_us:
            found.append(heappop(come))
        return found

    def _open(self, minute: int) -> None:
        while self._minutes and self._minutes[0] <= minute:
            self._come += self._waiting.pop(heappop(self._minutes))
        heapify(self._come)
        self._until_us = (minute + 1) * MINUTE

    def first(self) -> Entry | None:
        """Return the entry whose instant is next; None: there is none."""
        if not self._come and self._minutes:
            self._open(self._minutes[0])
        return self._come[0] if self._come else None

    def pop(self) -> Entry:
        """Take the entry that `first` returned."""
        return heappop(self._come)


def _in_order(heap: list[Entry]) -> Iterator[Entry]:
    paths = [(heap[0], 0)] if heap else []
    while paths:
        entry, index = heappop(paths)
        yield entry
        for child in (2 * index + 1, 2 * index + 2):
            if child < len(heap):
                heappush(paths, (heap[child], child))
