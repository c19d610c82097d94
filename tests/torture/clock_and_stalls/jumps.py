"""The wall clock jumps, by a second to ten years, both ways; jobs lie before, within and behind what is jumped over."""

from __future__ import annotations

from random import Random

from hourwheel.contract import Found
from hourwheel.job import Job
from hourwheel.testing import FakeClock

from .machine import Machine, Wrong, json_stores, memory_stores

YEAR_MS = 365 * 86_400_000
START_MS = 40 * YEAR_MS
LAST_MS = 100 * YEAR_MS
KINDS_MS = ((1000, 5000), (5000, 3_600_000), (3_600_000, 86_400_000), (86_400_000, YEAR_MS), (YEAR_MS, 10 * YEAR_MS))
TTL_MS = 1 << 60


class Jumps:
    """A course of jumps on one machine.

    After each jump there are two ticks, and then everything that is due by the wall clock must have begun, once; what
    is due later by it must not have. What runs over a jump goes on running, and is settled by who ran it.
    """

    def __init__(self, seed: int, *, durable: bool, wrong: Wrong) -> None:
        self._random = Random(seed)
        self._wrong = lambda what: wrong(f"jumps, seed {seed}, {'json' if durable else 'memory'}: {what}")
        self._clock = FakeClock(START_MS)
        stores = json_stores(self._clock) if durable else memory_stores()
        self._machine = Machine(stores, self._clock, self._wrong)
        self._due: dict[str, int] = {}
        self._pending: set[str] = set()
        self._made = 0

    def run(self, jumps: int) -> None:
        for _ in range(jumps):
            self._jump()
        self._end()

    def _jump(self) -> None:
        by_ms = self._length_ms()
        before_ms = self._clock.now_ms()
        self._add(before_ms, before_ms + by_ms)
        self._machine.tick()
        if self._random.random() < 0.3:
            self._add_long()
            self._machine.wake()
            self._machine.turn()
        self._clock.travel(min(max(1_000_000, self._clock.now_ms() + by_ms), LAST_MS))
        self._add(before_ms, self._clock.now_ms())  # also into an interval that is repeated
        self._change_minds()
        self._machine.tick()
        self._machine.tick()
        self._must_have_begun(by_ms)
        if self._random.random() < 0.5:
            for pool in self._machine.pools:
                pool.end_long()
            self._machine.settle()
        if violations := self._machine.store.check():
            self._wrong(f"check: {violations[:3]}")

    def _length_ms(self) -> int:
        least, most = self._random.choice(KINDS_MS)
        return self._random.randint(least, most) * self._random.choice([1, -1])

    def _add(self, one_ms: int, other_ms: int) -> None:
        low, high = sorted((one_ms, other_ms))
        dues = [self._random.randint(low, high), low + 1, high, high + 1500, self._clock.now_ms()]
        self._add_jobs([(f"job-{self._number()}", max(0, due_ms)) for due_ms in dues])

    def _add_long(self) -> None:
        self._add_jobs([(f"long-{self._number()}", self._clock.now_ms())])

    def _add_jobs(self, jobs: list[tuple[str, int]]) -> None:
        self._machine.store.add([Job(id=id, task="t", due_ms=due_ms, result_ttl_ms=TTL_MS) for id, due_ms in jobs], 0)
        self._due.update(jobs)
        self._pending.update(id for id, _ in jobs)

    def _number(self) -> int:
        self._made += 1
        return self._made

    def _change_minds(self) -> None:
        """Cancel one that waits, and move another."""
        waiting = sorted(id for id in self._pending if not self._machine.starts[id])
        if len(waiting) < 4:
            return
        cancelled, moved = self._random.sample(waiting, 2)
        now_ms, store = self._clock.now_ms(), self._machine.store
        due_ms = now_ms + self._random.randint(0, 4000)
        found = store.cancel([cancelled], now_ms)[0], store.reschedule([moved], due_ms, now_ms)[0]
        if found != (Found.SCHEDULED, Found.SCHEDULED):
            self._wrong(f"{cancelled} and {moved}, which wait, were found {found}")
        self._pending.discard(cancelled)
        self._due[moved] = due_ms

    def _must_have_begun(self, by_ms: int) -> None:
        now_ms = self._clock.now_ms()
        for id in sorted(self._pending):
            if self._due[id] <= now_ms:
                if self._machine.starts[id] != 1:
                    self._wrong(f"{id}, due {self._due[id]}, has not begun 2 ticks after a jump by {by_ms} to {now_ms}")
                self._pending.discard(id)

    def _end(self) -> None:
        """Time goes on until everything was due; then all have run once, and the sum is right."""
        for pool in self._machine.pools:
            pool.end_long()
        self._machine.settle()
        self._clock.travel(max(self._clock.now_ms(), *self._due.values()) + 1000)
        self._machine.tick()
        self._machine.tick()
        self._must_have_begun(0)
        self._machine.settle()
        stats = self._machine.store.stats(self._clock.now_ms())
        if (stats.succeeded, stats.running, stats.scheduled) != (len(self._machine.starts), 0, 0):
            self._wrong(f"at the end: {stats}, {len(self._machine.starts)} jobs began")
        for store in self._machine.stores:
            store.close()
