"""Ready: the jobs that are due and wait for a claim, by queue, in claim order.

When a job is cancelled, moved or claimed in another way, it is removed from ``_due``; its entry stays in the heap and
is skipped when it comes up. A job that comes back at the same instant leaves two equal entries: the first to come up
takes it, and the other is skipped.

A job that came up and is held back, by a limit that is used up or because its task is paused, is parked behind that
barrier, with all others that wait there, so that a claim need not look at each of them again. Once the barrier may be
open, its jobs come up among the others, in claim order, until one of them is held back.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from heapq import heapify, heappop, heappush
from typing import NamedTuple

from ...job import DEFAULT_QUEUE, Job, bare
from .limits import Barrier, foreign_name


class Entry(NamedTuple):
    """A due job in claim order: higher priority first, then the earlier due, then the id."""

    rank: int
    due_ms: int
    id: str


class Lane(list[Entry]):
    """A heap of entries of one queue."""

    __slots__ = ("lowest",)
    lowest: int
    """The largest rank that was put since it was last empty."""


class Ready:
    """Entries of due jobs."""

    __slots__ = ("_due", "_foreign", "_heaps", "_opening", "_openings", "_parked", "_seen_ms")

    def __init__(self) -> None:
        self._due: dict[str, int] = {}
        """The due_ms of each job that is here."""
        self._heaps: dict[str, Lane] = {}
        self._parked: dict[str, dict[str, Lane]] = {}
        """By barrier and queue, the entries behind it."""
        self._openings: dict[str, int] = {}
        """By barrier, when it may be open, where that is known."""
        self._opening: list[tuple[int, str]] = []
        """The same as a heap, with some entries that are out of date."""
        self._foreign: set[str] = set()
        """The barriers that exist for some claims only; see limits.foreign_name."""
        self._seen_ms = 0

    def put(self, job: Job) -> None:
        """Add a due job."""
        self.add(job.id, job.due_ms, job.queue, -job.priority)

    def add(self, id: str, due_ms: int, queue: str = DEFAULT_QUEUE, rank: int = 0) -> None:
        """Add a due job by what claim order needs."""
        self._due[id] = due_ms
        heap = self._heaps.get(queue)
        if heap is None:
            heap = self._heaps[queue] = Lane()
        if not heap or rank > heap.lowest:
            heap.lowest = rank
        heappush(heap, bare(Entry, (rank, due_ms, id)))

    def discard(self, id: str) -> bool:
        """Remove a job; False if it is not here."""
        return self._due.pop(id, None) is not None

    def put_back(self, entries: list[tuple[str, Entry]]) -> None:
        """Add entries that were taken again."""
        for queue, entry in entries:
            self.add(entry.id, entry.due_ms, queue, entry.rank)

    # ---- barriers ----------------------------------------------------------------------------------------

    def park(self, queue: str, entry: Entry, barrier: Barrier) -> None:
        """Put an entry that was taken behind a barrier, and close that."""
        self._due[entry.id] = entry.due_ms
        heap = self._parked.setdefault(barrier.name, {}).setdefault(queue, Lane())
        if not heap or entry.rank > heap.lowest:
            heap.lowest = entry.rank
        heappush(heap, entry)
        self._openings.pop(barrier.name, None)
        if barrier.foreign:
            self._foreign.add(barrier.name)
        if barrier.until_ms is not None:
            self._openings[barrier.name] = barrier.until_ms
            heappush(self._opening, (barrier.until_ms, barrier.name))

    def open(self, name: str) -> None:
        """The jobs behind a barrier may be claimable now."""
        if name in self._parked:
            self._openings[name] = 0
            heappush(self._opening, (0, name))

    def _open_at(self, now_ms: int) -> list[str]:
        """The barriers that may be open by now."""
        if now_ms < self._seen_ms:  # the clock was set back, so the known instants are wrong
            for name in self._openings:
                self.open(name)
        found = {}
        while self._opening and self._opening[0][0] <= now_ms:
            until_ms, name = heappop(self._opening)
            if self._openings.get(name) == until_ms:
                found[name] = until_ms
        for name, until_ms in found.items():
            heappush(self._opening, (until_ms, name))  # until one of its jobs is held back
        return list(found)

    def _let(self, without: Collection[str]) -> list[str]:
        """The barriers that exist for other claims, but not for a claim without these names."""
        if not self._foreign:
            return []
        shut = set(map(foreign_name, without))
        return [name for name in sorted(self._foreign) if name not in shut]

    # ---- taking ------------------------------------------------------------------------------------------

    def take(
        self,
        queues: Collection[str] | None,
        now_ms: int = 0,
        paused: Collection[str] = (),
        without: Collection[str] = (),
    ) -> Iterator[tuple[str, Entry]]:
        """Take live entries in claim order, with their queues, for as long as the caller goes on.

        Args:
            queues: only of these; None for all.
            now_ms: the present; what is behind barriers that may be open by now is taken, too.
            paused: nothing of these queues.
            without: nothing that was parked because a claim excluded these names. (What is not parked yet is taken.)
        """
        lanes: list[tuple[str | None, str, Lane]] = [
            (None, queue, heap) for queue, heap in self._heaps.items() if heap and _wanted(queue, queues, paused)
        ]
        if self._parked:
            open_now = [(name, name) for name in self._open_at(now_ms)]
            for name, barrier in (*open_now, *((None, name) for name in self._let(without))):
                behind = self._behind(barrier)
                lanes += [(name, queue, heap) for queue, heap in behind.items() if _wanted(queue, queues, paused)]
        self._seen_ms = now_ms  # also where nothing is parked yet: this claim may park the first
        while lanes:
            at = min(range(len(lanes)), key=lambda n: lanes[n][2][0]) if len(lanes) > 1 else 0
            name, queue, heap = lanes[at]
            if name is not None and self._openings.get(name, now_ms + 1) > now_ms:
                del lanes[at]  # one was held back
                continue
            entry = heappop(heap)
            if not heap:
                del lanes[at]
            if self._live(entry):
                del self._due[entry.id]
                yield queue, entry

    def _behind(self, name: str) -> dict[str, Lane]:
        """By queue, the heaps behind a barrier, each with a live entry first; without any, the barrier is dropped."""
        behind = {queue: heap for queue, heap in self._parked.get(name, {}).items() if self._first(heap)}
        if behind:
            self._parked[name] = behind
        else:
            self._parked.pop(name, None)
            self._openings.pop(name, None)
            self._foreign.discard(name)
        return behind

    # ---- looking -----------------------------------------------------------------------------------------

    def named(self, ids: Collection[str], rank: Callable[[str], int]) -> list[Entry]:
        """The entries of these jobs, in claim order, as far as they are here."""
        return sorted(Entry(rank(id), self._due[id], id) for id in set(ids) if id in self._due)

    def earliest(
        self, queues: Collection[str] | None, paused: Collection[str] = (), without: Collection[str] = ()
    ) -> int | None:
        """The earliest instant at which a job may start: its due_ms, or when its barrier opens."""
        wanted = [heap for queue, heap in self._heaps.items() if _wanted(queue, queues, paused)]
        firsts = [first for heap in wanted if (first := self._earliest_in(heap)) is not None]
        openings = [*self._openings.items(), *((name, 0) for name in self._let(without))]
        for name, until_ms in openings:
            for queue, heap in self._behind(name).items():
                if _wanted(queue, queues, paused):
                    opens_last = heap[0].due_ms <= until_ms  # as nearly always: what is parked was due
                    firsts.append(until_ms if opens_last else max(until_ms, self._earliest_in(heap) or 0))
        return min(firsts, default=None)

    def _earliest_in(self, heap: Lane) -> int | None:
        if not self._first(heap):
            return None
        if heap[0].rank == heap.lowest:  # only one priority, so the first in claim order is the first due
            return heap[0].due_ms
        return min(entry.due_ms for entry in self._clean(heap))

    def entries(self) -> Iterator[Entry]:
        """Every live entry, each job once."""
        for heap in self._heaps.values():
            yield from self._clean(heap)
        for behind in self._parked.values():
            for heap in behind.values():
                yield from self._clean(heap)

    def _first(self, heap: Lane) -> bool:
        """Whether there is a live entry, which is the first one then."""
        while heap and not self._live(heap[0]):
            heappop(heap)
        return bool(heap)

    def _clean(self, heap: Lane) -> list[Entry]:
        live = [entry for entry in set(heap) if self._live(entry)]
        if len(live) < len(heap):
            heap[:] = live
            heapify(heap)
        return live

    def _live(self, entry: Entry) -> bool:
        return self._due.get(entry.id) == entry.due_ms


def _wanted(queue: str, queues: Collection[str] | None, paused: Collection[str]) -> bool:
    return (queues is None or queue in queues) and queue not in paused
