"""A list's queues: whatever comes and goes, entries are taken in their order."""

from heapq import heapify, heappop, heappush
from itertools import islice
from random import Random

from dialer.engine.queue import Queue


def test_entries_are_taken_in_order_whether_they_came_together_or_one_by_one() -> None:
    chance = Random(1)
    heap = [(chance.randrange(5_000), token, 0) for token in range(3_000)]
    queue = Queue(heap)
    heapify(heap)
    for token in range(3_000, 23_000):
        entry = (chance.randrange(5_000), token, 0)
        if chance.random() < 0.6:
            heappush(heap, entry)
            queue.push(entry)
        elif heap:
            assert queue.first() == heap[0]
            assert queue.pop() == heappop(heap)
        if not token % 1_000:
            assert list(islice(queue, 20)) == sorted(heap)[:20]
            assert sorted(queue.entries()) == sorted(heap)
    while heap:
        assert queue
        assert queue.pop() == heappop(heap)
    assert not queue
    assert queue.first() is None
