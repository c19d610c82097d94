"""A ticker driven step by step: a clock that the test moves, a pool that the test works, a store that fails when told to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Sequence

from hourwheel.contract import Claims, Filter
from hourwheel.errors import StoreBusy
from hourwheel.events import Events
from hourwheel.job import Claim, Job, Outcome, State, Succeeded
from hourwheel.store import MemoryStore
from hourwheel.testing import FakeClock
from hourwheel.turn import Effect
from hourwheel.worker.pool import Done, ThreadPool
from hourwheel.worker.ticker import Ticker


class StillPool(ThreadPool):
    """A pool without threads: the test says when its jobs run, and how long they take."""

    def start(self, *, wake: Callable[[], None], settle_late: Callable[[list[Done]], None]) -> None:
        raise AssertionError("this pool is worked by hand")

    def take(self, most: int = 1_000_000) -> list[Claim]:
        """Workers take claims, and have not ended them yet."""
        taken: list[Claim] = []
        while len(taken) < most and self.waiting():
            claim = self._inbox.get_nowait()
            assert claim is not None
            self._now[len(taken) % self.workers] = claim
            taken.append(claim)
        return taken

    def end(self, claims: Sequence[Claim], seconds: float = 0.0) -> None:
        """The claims end, having taken ``seconds`` each."""
        self._done.extend(Done(claim, self._run(claim), seconds) for claim in claims)

    def work(self, most: int = 1_000_000, seconds: float = 0.0) -> int:
        """Take and end claims."""
        claims = self.take(most)
        self.end(claims, seconds)
        return len(claims)


class World:
    """A store, a clock, a still pool, and a ticker over them."""

    def __init__(
        self,
        store: MemoryStore | None = None,
        clock: FakeClock | None = None,
        *,
        workers: int = 4,
        owner: str = "me",
        queues: Collection[str] | None = None,
        on: Events | None = None,
    ) -> None:
        self.clock = clock or FakeClock()
        self.store = store or MemoryStore()
        self.started: list[tuple[str, int]] = []
        self.pool = StillPool(workers, self.run, self.clock)
        self.ticker = Ticker(self.store, self.pool, self.clock, owner=owner, queues=queues, on=on)

    def run(self, claim: Claim) -> Outcome:
        self.started.append((claim.job.id, self.clock.now_ms()))
        return Succeeded()

    def add(self, count: int = 1, *, in_ms: int = 0, prefix: str = "job") -> list[str]:
        due_ms = self.clock.now_ms() + in_ms
        ids = self.store.add([Job(id=f"{prefix}{n}", task="t", due_ms=due_ms) for n in range(count)], 0, fresh=True)
        self.ticker.wake()
        return ids

    def count(self, state: State) -> int:
        return len(self.store.scan(Filter(states=frozenset({state})), limit=1_000_000))

    def drain(self, seconds: float = 0.0, steps: int = 10_000) -> int:
        """Step and work until the ticker has nothing to do now; how many steps that took."""
        for step in range(steps):
            delay = self.ticker.step()
            if not self.pool.work(seconds=seconds) and delay > 0:
                return step
        raise AssertionError("the ticker does not come to rest")


class FailingStore(MemoryStore):
    """A store whose verbs fail for as long as the test says."""

    def __init__(self) -> None:
        super().__init__()
        self.failing: set[str] = set()
        self.error: Exception = StoreBusy("held by pid 1")
        self.calls: Counter[str] = Counter()

    def _called(self, verb: str) -> None:
        self.calls[verb] += 1
        if verb in self.failing:
            raise self.error

    def claim(self, *args: object, **kwargs: object) -> Claims:
        self._called("claim")
        return super().claim(*args, **kwargs)  # type: ignore[arg-type]

    def settle(self, settlements: Sequence[tuple[Claim, Effect]], now_ms: int) -> list[Claim]:
        self._called("settle")
        return super().settle(settlements, now_ms)
