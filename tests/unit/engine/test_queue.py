"""A list's queues: whatever comes and goes, entries are taken in their order."""

from heapq import heapify, heappop, heappush
from itertools import islice
from random import Random

from dialer.engine.queue import Agenda, Queue
from domain.instants import MINUTE, SECOND


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


def test_an_agenda_gives_what_is_due_in_order_and_tells_what_is_next() -> None:
    chance = Random(2)
    heap: list[tuple[int, int, int]] = []
    agenda = Agenda()
    for token in range(20_000):
        at_us = token * SECOND // 2
        entry = (at_us + chance.choice((SECOND, chance.randrange(10 * MINUTE), 600 * MINUTE)), token, 0)
        heappush(heap, entry)
        agenda.push(entry)
        if not token % 7:
            assert agenda.first() == heap[0]
        if not token % 49:
            assert agenda.pop() == heappop(heap)
        due = []
        while heap and heap[0][0] <= at_us:
            due.append(heappop(heap))
        assert agenda.due(at_us) == due
    assert sorted(agenda.entries()) == sorted(heap)
    restored = Agenda(heap)
    while heap:
        assert agenda.first() == restored.first() == heap[0]
        assert agenda.pop() == restored.pop() == heappop(heap)
    assert agenda.first() is None
