"""Ready: the jobs that are due and wait for a claim, by queue, in claim order.

A job that is cancelled, moved or claimed another way is forgotten in ``_due``; its entry stays in the heap and is
found dead when it comes up. One that comes back at the same instant leaves two equal entries: the first to come up
takes it, and so the other is dead.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from heapq import heapify, heappop, heappush
from typing import NamedTuple

from ..wheel.job import Job


class Entry(NamedTuple):
    """What claim order is made of: higher priority first, then the earlier due, then the id."""

    rank: int
    due_ms: int
    id: str


class Ready:
    """Entries of due jobs."""

    __slots__ = ("_due", "_heaps", "_lowest")

    def __init__(self) -> None:
        self._due: dict[str, int] = {}
        """The due_ms of each job that is here."""
        self._heaps: dict[str, list[Entry]] = {}
        self._lowest: dict[str, int] = {}
        """By queue, the largest rank that was put since its heap was last empty."""

    def put(self, job: Job) -> None:
        """Add a due job."""
        queue, rank = job.queue, -job.priority
        self._due[job.id] = job.due_ms
        heap = self._heaps.get(queue)
        if heap is None:
            heap = self._heaps[queue] = []
        if not heap or rank > self._lowest[queue]:
            self._lowest[queue] = rank
        heappush(heap, Entry(rank, job.due_ms, job.id))

    def discard(self, id: str) -> bool:
        """Take a job out, wherever it stands; False if it is not here."""
        return self._due.pop(id, None) is not None

    def put_back(self, entries: list[tuple[str, Entry]]) -> None:
        """Add entries again that were taken."""
        for queue, entry in entries:
            self._due[entry.id] = entry.due_ms
            heappush(self._heaps[queue], entry)

    def take(self, queues: Collection[str] | None) -> Iterator[tuple[str, Entry]]:
        """Take live entries in claim order, with their queues, for as long as the caller goes on."""
        heaps = {name: heap for name, heap in self._heaps.items() if heap and (queues is None or name in queues)}
        while heaps:
            queue = min(heaps, key=lambda name: heaps[name][0]) if len(heaps) > 1 else next(iter(heaps))
            heap = heaps[queue]
            entry = heappop(heap)
            if not heap:
                del heaps[queue]
            if self._live(entry):
                del self._due[entry.id]
                yield queue, entry

    def earliest(self, queues: Collection[str] | None) -> int | None:
        """The earliest due_ms."""
        names = [name for name in self._heaps if queues is None or name in queues]
        firsts = [first for name in names if (first := self._earliest_of(name)) is not None]
        return min(firsts, default=None)

    def _earliest_of(self, queue: str) -> int | None:
        heap = self._heaps[queue]
        while heap and not self._live(heap[0]):
            heappop(heap)
        if not heap:
            return None
        if heap[0].rank == self._lowest[queue]:  # one priority only, so the first in claim order is the first due
            return heap[0].due_ms
        return min(entry.due_ms for entry in self._clean(queue))

    def entries(self) -> Iterator[Entry]:
        """Every live entry, each job once."""
        for queue in self._heaps:
            yield from self._clean(queue)

    def _clean(self, queue: str) -> list[Entry]:
        heap = self._heaps[queue]
        live = [entry for entry in set(heap) if self._live(entry)]
        if len(live) < len(heap):
            heap[:] = live
            heapify(heap)
        return live

    def _live(self, entry: Entry) -> bool:
        return self._due.get(entry.id) == entry.due_ms
