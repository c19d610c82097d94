"""One machine: a clock that is moved by hand, a store, and two real tickers on it whose pools run nothing by themselves."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from hourwheel.contract import Claims, Store
from hourwheel.job import Claim, Outcome, Succeeded
from hourwheel.store import JsonStore, MemoryStore
from hourwheel.testing import FakeClock
from hourwheel.worker.pool import Done, ThreadPool
from hourwheel.worker.ticker import Ticker

from tests.kit.memory_system import DIRECTORY, MemorySystem

Wrong = Callable[[str], None]
TICK_S = 1.0


class HandPool(ThreadPool):
    """Ends what it is given at the next ``work``; jobs named ``long...`` only at ``end_long``."""

    def __init__(self, workers: int, clock: FakeClock) -> None:
        super().__init__(0, _succeeds, clock)
        self.workers = self.ready = workers
        self._given: list[Claim] = []
        self._long: list[Claim] = []

    def put(self, claims: Any) -> None:
        self._given.extend(claims)

    def waiting(self) -> int:
        return 0

    def recall(self) -> list[Claim]:
        return []

    def work(self) -> None:
        self._long += [claim for claim in self._given if claim.job.id.startswith("long")]
        self._done.extend(Done(c, Succeeded(), 0.0) for c in self._given if not c.job.id.startswith("long"))
        self._given = []

    def end_long(self) -> None:
        self._done.extend(Done(claim, Succeeded(), 1.0) for claim in self._long)
        self._long = []


def _succeeds(claim: Claim) -> Outcome:
    return Succeeded()


class Watched:
    """A store whose claims are looked at: none may be early."""

    def __init__(self, store: Store, machine: Machine) -> None:
        self._store = store
        self._machine = machine
        self.settle, self.tidy, self.lease_ms, self.beat = store.settle, store.tidy, store.lease_ms, store.beat

    def claim(self, *args: Any, **options: Any) -> Claims:
        claims = self._store.claim(*args, **options)
        self._machine.claimed(claims)
        return claims


class Machine:
    """A store, a clock, two owners."""

    def __init__(self, stores: Sequence[Store], clock: FakeClock, wrong: Wrong, workers: int = 1024) -> None:
        self.clock = clock
        self.store = stores[0]
        self.stores = stores
        self.starts: Counter[str] = Counter()
        self.pools = [HandPool(workers, clock) for _ in stores]
        self._wrong = wrong
        self.tickers = [
            Ticker(Watched(store, self), pool, clock, owner=f"owner-{n}")  # type: ignore[arg-type]
            for n, (store, pool) in enumerate(zip(stores, self.pools, strict=True))
        ]

    def claimed(self, claims: Sequence[Claim]) -> None:
        now_ms = self.clock.now_ms()
        for claim in claims:
            self.starts[claim.job.id] += 1
            if claim.job.due_ms > now_ms:
                self._wrong(f"{claim.job.id}, due {claim.job.due_ms}, began at {now_ms}: early")
            if self.starts[claim.job.id] > 1:
                self._wrong(f"{claim.job.id} began {self.starts[claim.job.id]} times")

    def wake(self) -> None:
        """Tell every ticker that there is something new, as a scheduler does that adds a job."""
        for ticker in self.tickers:
            ticker.wake()

    def turn(self) -> None:
        """Every ticker steps until it wants to sleep."""
        for ticker, pool in zip(self.tickers, self.pools, strict=True):
            sleep_s = 0.0
            while sleep_s == 0.0:
                sleep_s = ticker.step()
                pool.work()
            if sleep_s > TICK_S:
                self._wrong(f"a ticker wants to sleep for {sleep_s} s, more than a tick")

    def tick(self) -> None:
        """Go on to the next whole second of the wall, as a ticker does, and a step there."""
        self.clock.advance((1_000_000_000 - self.clock.now_ns() % 1_000_000_000) / 1_000_000_000)
        self.turn()

    def settle(self) -> None:
        """Have settled what has ended."""
        for _ in range(2):
            self.turn()


def memory_stores() -> list[Store]:
    """One store for both owners."""
    store = MemoryStore()
    return [store, store]


def json_stores(clock: FakeClock) -> list[Store]:
    """Two processes on one file, in memory."""
    system = MemorySystem()
    return [JsonStore(f"{DIRECTORY}/tasks.json", system=system, clock=clock) for _ in range(2)]
