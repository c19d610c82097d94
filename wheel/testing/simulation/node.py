"""Node: a simulated process with a real Ticker and a virtual pool. It can be killed and started again."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final

from ...contract import Beginning, Store
from ...job import Claim
from ...worker.heart import Heart
from ...worker.ticker import Ticker
from .clock import SECOND, VirtualClock
from .pool import VirtualPool

JITTER_NS: Final = 2_000_000
"""How late a sleeping node may wake up."""
NEVER: Final = 1 << 80

Begin = Callable[["Node", VirtualPool, int, Claim], None]


class Node:
    """The place of one process after the other."""

    def __init__(self, number: int, *, workers: int, clock: VirtualClock, seed: int, begin: Begin) -> None:
        """Make a node without a process. ``seed`` decides how late it wakes up; ``begin`` is called at each run."""
        self.number = number
        self.life = 0
        self.alive = False
        self.clock = clock
        self.next_at = NEVER
        """When its next step is, in nanoseconds since the world began."""
        self.store: Store
        self.heart: Heart
        self.ticker: Ticker
        self.pool: VirtualPool
        self._workers = workers
        self._seed = seed
        self._begin = begin
        self._target = NEVER

    @property
    def owner(self) -> str:
        """The owner of its claims: another one for each process."""
        return f"node-{self.number}.{self.life}"

    # ---- life --------------------------------------------------------------------------------------------

    def start(self, open: Callable[[str], Store]) -> None:
        """Start a process, which opens the store."""
        self.life += 1
        self.alive = True
        self.store = open(self.owner)
        if isinstance(self.store, Beginning):
            self.store.begin(self.owner, 0)
        self.heart = Heart(self.store, self.clock, self.owner)
        self.pool = VirtualPool(self._workers, self.clock, partial(self._begin, self), self.heart.marks())
        self.ticker = Ticker(self.store, self.pool, self.clock, owner=self.owner, heart=self.heart)
        self.pool.start(wake=self.wake, settle_late=self.ticker.late.settle)
        self._sleep_until(self.clock.at)

    def die(self) -> None:
        self.alive = False
        self.next_at = NEVER

    def wake(self) -> None:
        soon = self.clock.at + self._late(self.clock.at) // 8
        if self.alive and self.next_at > soon:
            self._target = self.next_at = soon

    def step(self) -> float:
        """Do one step of the ticker. Return how long it wants to sleep."""
        before = self.clock.at
        sleep_s = self.ticker.step()
        if self.next_at <= before:  # otherwise a worker woke it meanwhile
            self._sleep_until(before + round(sleep_s * SECOND))
        return sleep_s

    def _sleep_until(self, target: int) -> None:
        self._target = target
        self.next_at = target + self._late(target)

    def _late(self, target: int) -> int:
        """How late it wakes up; depends on the time only, so that skipping ticks does not change it."""
        mixed = (target // 1000 + 7919 * self.number + 104_729 * self._seed) * 2_654_435_761
        return (mixed & 0xFFFFFFFF) % JITTER_NS

    # ---- skipping idle ticks -----------------------------------------------------------------------------

    @property
    def has_room(self) -> bool:
        """Whether it would claim a due job."""
        return self.ticker.credit > 0

    def idle(self, *, overdue: bool) -> bool:
        """Whether its next ticks change nothing while nothing happens and no job comes due."""
        ticks = (self._target + self.clock.offset) % SECOND == 0
        held_back = not self.has_room and not self.pool.full  # by a quarantine, which may end at any tick
        return ticks and self.pool.still and not held_back and not (overdue and self.has_room)

    def may_skip_to(self, limit: int) -> bool:
        """Whether there is a tick to skip before ``limit``."""
        return limit - JITTER_NS - self._target >= SECOND

    def skip_to(self, limit: int) -> None:
        """Skip the ticks that end a second or more before ``limit``."""
        skipped = (limit - JITTER_NS - self._target) // SECOND
        if skipped > 0:
            self._sleep_until(self._target + skipped * SECOND)
