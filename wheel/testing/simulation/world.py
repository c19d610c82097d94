"""World: nodes, a clock, a store and a history, played to its end. What is random was drawn before: see happenings.

The world goes from moment to moment: the next happening, the next end of a run, or the next step of a node, whichever
comes first. Between them there are ticks at which nothing is due and nothing has changed, a quarter of a million in a
day of three nodes. They are skipped (``fast``): each node goes on at its last tick before the next moment. That this
changes nothing is tested by playing the same history tick by tick.
"""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappop, heappush
from typing import Final

from ...contract import Filter
from ...job import Claim, Failed, Failure, Job, Outcome, Retried, Succeeded
from .clock import MS, SECOND, VirtualClock
from .entry import Entry
from .happenings import Add, Cancel, Crash, Disown, Drain, Fail, Happening, Pause, Reschedule, SetClock
from .history import History
from .ledger import Ledger, Violation
from .node import Node
from .pool import VirtualPool
from .seam import NodeDied, Weather
from .stores import Stores
from .trace import Trace

_EVERYTHING: Final = 1 << 30
_PATIENCE_NS: Final = 1000 * 24 * 3600 * SECOND
"""A world that is not done so long after its last happening is stuck."""
_STEPS_A_SECOND: Final = 2_000
_NEVER: Final = 1 << 80
_COMPARE_EVERY: Final = 8
_BROKEN: Final = Failure("SimulatedError", "the run failed")

Began = Callable[[Entry, int], None]


class World:
    """One course of events.

    Args:
        history: the beginning, and what is to happen.
        stores: where jobs are kept; must be new.
        fast: skip the ticks at which nothing can happen.
        began: told of each run that begins, with its wall clock in milliseconds.
        lasts_ms: how long a run takes, from its job and how many runs it has begun; by default as its Add says.
    """

    def __init__(
        self,
        history: History,
        stores: Stores,
        *,
        fast: bool = True,
        began: Began | None = None,
        lasts_ms: Callable[[Entry], int] | None = None,
    ) -> None:
        self.history: Final = history
        self.stores: Final = stores
        self.clock: Final = VirtualClock(history.start_ms)
        self.ledger: Final = Ledger()
        self.weather: Final = Weather()
        self.trace: Final = Trace(self.clock)
        self.nodes: Final = [Node(self, number) for number in range(history.nodes)]
        self.deaths = 0
        self.steps = 0
        self.skipped = 0
        self.steps_a_second = _STEPS_A_SECOND + 200 * len(history.happenings)
        self._fast = fast
        self._began = began
        self._lasts_ms = lasts_ms
        self._moments: list[tuple[int, int, Callable[[], None]]] = []
        self._numbered = 0
        self._changes = 0
        self._store = stores.open("")

    # ---- the course of time ------------------------------------------------------------------------------

    def play(self) -> None:
        """Run to the end.

        Raises:
            Violation: an invariant does not hold.
        """
        for node in self.nodes:
            self._start(node)
        for happening in self.history.happenings:
            self._at(happening.at_ms * MS, self._doing(happening))
        end = self.history.length_ms * MS
        while self._moments or self.ledger.unfinished or self.clock.at < end:
            if self.clock.at > end + _PATIENCE_NS:
                raise Violation(f"stuck: {self.ledger.unfinished} jobs are left: {self.left_lying()}")
            self._go_on()
        self._look_over()

    def _go_on(self) -> None:
        if self._fast:
            self._skip()
        node = min(self.nodes, key=_next_at)
        if self._moments and self._moments[0][0] <= node.next_at:
            at, _, act = heappop(self._moments)
            self.clock.at = max(self.clock.at, at)
            act()
        else:
            self.clock.at = max(self.clock.at, node.next_at)
            self._step(node)

    def _step(self, node: Node) -> None:
        self.steps += 1
        try:
            node.step()
        except NodeDied:
            self._kill(node)
            return
        if node.over:
            node.ticker.finish()
            self._end(node)

    def _skip(self) -> None:
        """Pass over the ticks before the next moment, if they can change nothing."""
        limit = self._moments[0][0] if self._moments else _NEVER
        living = [node for node in self.nodes if node.alive and not node.paused]
        if not any(node.may_skip_to(limit) for node in living) or not self.weather.fair:
            return
        now_ms = self.clock.now_ms()
        due_ms = self.ledger.next_due_ms(now_ms)
        overdue = due_ms is not None and due_ms <= now_ms
        if self.ledger.orphans() or not all(node.idle(overdue=overdue) for node in living):
            return
        if due_ms is not None and any(node.has_room for node in living):
            limit = min(limit, self.clock.world_of(due_ms))
        if limit < _NEVER:
            self.skipped += sum(node.skip_to(limit) for node in living)

    def _at(self, at: int, act: Callable[[], None]) -> None:
        self._numbered += 1
        heappush(self._moments, (at, self._numbered, act))

    def overdue(self) -> bool:
        """Whether a job is due that nobody has taken."""
        now_ms = self.clock.now_ms()
        due_ms = self.ledger.next_due_ms(now_ms)
        return due_ms is not None and due_ms <= now_ms

    def left_lying(self) -> list[str]:
        """Some of the jobs that are due, run for nobody, or have been forgotten by who runs them."""
        now_ms = self.clock.now_ms()
        due = [e.id for e in self.ledger.entries.values() if e.where == "scheduled" and e.due_ms <= now_ms]
        forgotten = [id for node in self.nodes if node.alive for id in node.forgotten()]
        return [*due, *(entry.id for entry in self.ledger.orphans()), *forgotten][:5]

    def _look_over(self) -> None:
        """All that can be told of the store as a whole."""
        found = self._store.check()
        if found:
            raise Violation(f"check: {found[:5]}")
        self.ledger.compare(self._store.stats(self.clock.now_ms()))
        self.ledger.compare_jobs(self._store.scan(Filter(), _EVERYTHING))

    # ---- runs --------------------------------------------------------------------------------------------

    def begin(self, pool: VirtualPool, place: int, claim: Claim) -> None:
        """See Workshop.begin."""
        entry = self.ledger.began(claim)
        node = next(node for node in self.nodes if node.alive and node.pool is pool)
        self.trace.note(node.owner, "begin", entry.id, claim.token)
        if self._began is not None:
            self._began(entry, self.clock.now_ms())
        lasts_ms = entry.add.runs_ms if self._lasts_ms is None else self._lasts_ms(entry)
        self._at(self.clock.at + lasts_ms * MS, lambda: self._end_run(node, pool, place, entry))

    def _end_run(self, node: Node, pool: VirtualPool, place: int, entry: Entry) -> None:
        if self._dead(node, pool):
            return
        if node.paused:
            self._at(node.next_at, lambda: self._end_run(node, pool, place, entry))
            return
        self.trace.note(node.owner, "end", entry.id)
        pool.end(place, self._outcome(entry))

    def _dead(self, node: Node, pool: VirtualPool) -> bool:
        return not node.alive or node.pool is not pool

    def _outcome(self, entry: Entry) -> Outcome:
        match entry.add.fate:
            case "succeed":
                return Succeeded()
            case "fail":
                return Failed(error=_BROKEN)
            case "retry" if entry.begun == 1:
                return Retried(due_ms=self.clock.now_ms() + entry.add.retry_ms, error=_BROKEN)
        return Succeeded()

    def settled(self, claim: Claim, outcome: Outcome, counts: bool) -> None:
        """A settlement was answered."""
        what = type(outcome).__name__.lower() if counts else "refused"
        self.trace.note(claim.owner, what, claim.job.id, claim.token)

    # ---- happenings --------------------------------------------------------------------------------------

    def _doing(self, happening: Happening) -> Callable[[], None]:
        return lambda: self._happens(happening)

    def _happens(self, happening: Happening) -> None:
        match happening:
            case Add():
                self._add(happening)
            case Cancel() | Reschedule():
                self._change_mind(happening)
            case SetClock(by_ms=by_ms):
                self.trace.note("clock", "set by", by_ms)
                self.clock.set_by(by_ms)
            case Fail():
                self._fail(happening)
            case _:
                self._befall(happening, self.nodes[happening.node % len(self.nodes)])

    def _befall(self, happening: Crash | Drain | Pause | Disown, node: Node) -> None:
        if not node.alive:
            return
        match happening:
            case Crash(moment="now", down_ms=down_ms):
                self._kill(node, down_ms)
            case Crash(moment=moment, down_ms=down_ms):
                assert node.seam is not None
                node.seam.dies = moment
                node.down_ms = down_ms
            case Drain(timeout_ms=timeout_ms, down_ms=down_ms):
                self.trace.note(node.owner, "is stopped")
                node.down_ms = down_ms
                node.drain(timeout_ms / 1000)
            case Pause(lasts_ms=lasts_ms):
                self.trace.note(node.owner, "stands still for", lasts_ms)
                node.pause(self.clock.at + lasts_ms * MS)
            case Disown():
                self._disown(node)

    def _add(self, add: Add) -> None:
        now_ms = self.clock.now_ms()
        due_ms = max(0, now_ms + add.delay_ms)
        expires_ms = None if add.expires_ms is None else due_ms + add.expires_ms
        ids = [add.id] if add.count == 1 else [f"{add.id}.{n}" for n in range(add.count)]
        jobs = [
            Job(
                id=id, task=add.task, due_ms=due_ms, created_ms=now_ms, key=add.key, priority=add.priority,
                expires_ms=expires_ms, max_crashes=add.max_crashes, result_ttl_ms=_EVERYTHING << 20,
            )
            for id in ids
        ]  # fmt: skip
        if self.weather.refusing:
            self.trace.note("producer", "is refused", add.id)
            return
        standing = self._store.add(jobs, on_conflict=add.on_conflict)
        for job, stands in zip(jobs, standing, strict=True):
            self.ledger.added(job, add, stands)
        self.trace.note("producer", "adds", add.id, add.count, due_ms)
        self._compare_now_and_then()
        node = self.nodes[add.node % len(self.nodes)]
        if node.alive and due_ms < node.ticker.horizon_ms:
            node.wake()

    def _change_mind(self, happening: Cancel | Reschedule) -> None:
        if self.weather.refusing:
            return
        now_ms, id = self.clock.now_ms(), happening.id
        if isinstance(happening, Cancel):
            found = self._store.cancel([id], now_ms)[0]
            self.ledger.cancelled(id, found)
        else:
            due_ms = max(0, now_ms + happening.delay_ms)
            found = self._store.reschedule(id, due_ms, now_ms)
            self.ledger.moved(id, due_ms, found)
        self.trace.note("producer", type(happening).__name__.lower(), id, str(found))
        self._compare_now_and_then()

    def _compare_now_and_then(self) -> None:
        self._changes += 1
        if self._changes % (_COMPARE_EVERY + len(self.ledger.entries) // 100) == 0:
            self.ledger.compare(self._store.stats(self.clock.now_ms()))

    def _fail(self, fail: Fail) -> None:
        name = "swallowing" if fail.answer else "refusing"
        self.trace.note("store", "fails,", name)
        setattr(self.weather, name, getattr(self.weather, name) + 1)
        self._at(self.clock.at + fail.lasts_ms * MS, lambda: self._recover(name))

    def _recover(self, name: str) -> None:
        self.trace.note("store", "no longer fails,", name)
        setattr(self.weather, name, getattr(self.weather, name) - 1)

    # ---- lives -------------------------------------------------------------------------------------------

    def _start(self, node: Node) -> None:
        if node.alive:
            return
        node.start()
        self.trace.note(node.owner, "starts")

    def _kill(self, node: Node, down_ms: int | None = None) -> None:
        self.trace.note(node.owner, "dies")
        self.deaths += 1
        self.ledger.dead.add(node.owner)
        self.stores.died(node.owner)
        node.die()
        self._again(node, node.down_ms if down_ms is None else down_ms)

    def _end(self, node: Node) -> None:
        """It was stopped in order; what its workers still run dies with it."""
        self.trace.note(node.owner, "has stopped")
        self.ledger.dead.add(node.owner)
        self.stores.ended(node.owner)
        node.die()
        self._again(node, node.down_ms)

    def _again(self, node: Node, down_ms: int) -> None:
        self._at(self.clock.at + down_ms * MS, lambda: self._start(node))

    def _disown(self, node: Node) -> None:
        held = [entry for entry in self.ledger.running.values() if entry.owner == node.owner]
        claims = [Claim(Job(id=e.id, task="", due_ms=0), e.token, e.owner) for e in held]
        if self.stores.disown(claims):
            self.trace.note(node.owner, "is taken for dead")
            self.ledger.disown(node.owner)


def _next_at(node: Node) -> int:
    return node.next_at
