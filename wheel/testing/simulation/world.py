"""World: simulates nodes with a clock and a store. All random numbers are drawn before.

The world goes from one event to the next: a planned one, the end of a run, or the step of a node. Between them are
ticks at which no job is due and nothing has changed: a quarter of a million in a day with three nodes. They are
skipped, so a node goes on at its last tick before the next event. A test simulates the same day tick by tick, to show
that this changes nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from functools import partial
from hashlib import sha256
from heapq import heappop, heappush
from typing import Final

from ...contract import OnConflict, Store
from ...job import Claim, Job, Outcome, Succeeded
from .clock import MS, SECOND, VirtualClock
from .judge import Judge, Violation
from .node import NEVER, Node
from .pool import VirtualPool
from .stores import Stores

_LOG: Final = logging.getLogger("hourwheel.worker")


class World:
    """One course of events. Plan it with ``at``, then ``play`` it.

    Args:
        stores: a new, empty store.
        judge: checks what happens.
        nodes: how many nodes there are.
        workers: how many workers each node has.
        start_ms: the wall time at the beginning.
        seed: decides how late nodes wake up.
        lasts_ms: returns how long the run of a claim takes.
    """

    node_type: type[Node] = Node
    patience_s = 3600
    """If jobs are left and nothing has happened for so long, the world is stuck."""

    def __init__(
        self,
        stores: Stores,
        judge: Judge,
        *,
        nodes: int,
        workers: int,
        start_ms: int,
        seed: int,
        lasts_ms: Callable[[Claim], int],
    ) -> None:
        self.stores: Final = stores
        self.judge: Final = judge
        self.clock: Final = VirtualClock(start_ms)
        self.deaths = 0
        self._lasts_ms = lasts_ms
        self._moments: list[tuple[int, int, Callable[[], None]]] = []
        self._planned = 0
        self._digest = sha256()
        self.nodes: Final = [
            self.node_type(number, workers=workers, clock=self.clock, seed=seed, begin=self._begin)
            for number in range(nodes)
        ]
        self.store: Final = self.open("")

    def open(self, owner: str) -> Store:
        """Open the store for an owner; "" for producers."""
        return self.judge.watching(self.stores.open(owner), owner)

    def note(self, who: str, *what: object) -> None:
        """Record an event that happens now."""
        self._digest.update(f"{self.clock.at} {who} {' '.join(map(str, what))}\n".encode())

    @property
    def hash(self) -> str:
        """The SHA-256 of all events and their times; equal only for equal courses of events."""
        return self._digest.hexdigest()

    # ---- the course of time ------------------------------------------------------------------------------

    def at(self, at: int, act: Callable[[], None]) -> None:
        """Plan an event, in nanoseconds since the world began."""
        self._planned += 1
        heappush(self._moments, (at, self._planned, act))

    def play(self, until: int) -> str | None:
        """Run until then, and on until all jobs have finished. Return what was wrong, or None.

        An exception is wrong, too. The log of the tickers is off, because failures are part of the simulation.
        """
        before = _LOG.level
        _LOG.setLevel(logging.CRITICAL + 1)
        try:
            self._play(until)
        except Violation as violation:
            return str(violation)
        except Exception as error:
            return f"{type(error).__name__}: {error}"
        finally:
            _LOG.setLevel(before)
        return None

    def _play(self, until: int) -> None:
        for node in self.nodes:
            self._start(node)
        while self._moments or self.clock.at < until or self.unfinished():
            if self._moments:
                until = max(until, self._moments[0][0])
            elif self.clock.at > until + self.patience_s * SECOND:
                raise Violation(f"stuck: {self.unfinished()} jobs are left")
            self._go_on()
        self.judge.over(self.store, self.clock.now_ms())

    def _go_on(self) -> None:
        self.skip()
        node = min(self.nodes, key=lambda node: node.next_at)
        if self._moments and self._moments[0][0] <= node.next_at:
            at, _, act = heappop(self._moments)
            self.clock.at = max(self.clock.at, at)
            act()
        else:
            self.clock.at = max(self.clock.at, node.next_at)
            self.step(node)

    def step(self, node: Node) -> None:
        self.judge.stepped(node, node.step())

    def skip(self) -> None:
        """Skip the ticks before the next event that change nothing."""
        limit = self._moments[0][0] if self._moments else NEVER
        awake = self.awake()
        if not any(node.may_skip_to(limit) for node in awake):
            return
        due_ms = self.next_due_ms()
        overdue = due_ms is not None and due_ms <= self.clock.now_ms()
        if not all(node.idle(overdue=overdue) for node in awake) or self.orphaned():
            return
        if due_ms is not None and any(node.has_room for node in awake):
            limit = min(limit, self.clock.world_of(due_ms))
        if limit < NEVER:
            for node in awake:
                node.skip_to(limit)

    # ---- the state of the store -------------------------------------------------------------------------

    def awake(self) -> Sequence[Node]:
        """The nodes that are running."""
        return [node for node in self.nodes if node.alive]

    def next_due_ms(self) -> int | None:
        return self.store.next_due()

    def orphaned(self) -> bool:
        """Whether there are running jobs of dead processes, which the next tick recovers."""
        return self.stores.orphaned()

    def unfinished(self) -> int:
        stats = self.store.stats(self.clock.now_ms())
        return stats.scheduled + stats.running

    # ---- events ------------------------------------------------------------------------------------------

    def add(self, jobs: Sequence[Job], *, on_conflict: OnConflict = "keep", node: int = 0) -> None:
        """A producer in the process of a node adds jobs in one call, and wakes the ticker if they are due soon."""
        self.store.add(jobs, self.clock.now_ms(), on_conflict=on_conflict)
        due_ms = jobs[0].due_ms
        self.note("producer", "adds", jobs[0].id, len(jobs), due_ms)
        beside = self.nodes[node % len(self.nodes)]
        if beside.alive and due_ms < beside.ticker.horizon_ms:
            beside.ticker.wake()
            beside.wake()

    def kill(self, node: Node, down_ms: int) -> None:
        """A process is killed. After ``down_ms``, another one starts in its place."""
        if node.alive:
            self.note(node.owner, "dies")
            self.deaths += 1
            self.stores.died(node.owner)
            self.end(node, down_ms)

    def end(self, node: Node, down_ms: int) -> None:
        """A process ends. After ``down_ms``, another one starts in its place."""
        self.judge.died(node.owner)
        node.die()
        self.at(self.clock.at + down_ms * MS, partial(self._start, node))

    def _start(self, node: Node) -> None:
        if not node.alive:
            node.start(self.open)
            self.note(node.owner, "starts")

    def _begin(self, node: Node, pool: VirtualPool, place: int, claim: Claim) -> None:
        self.judge.began(claim, self.clock.now_ms())
        self.note(node.owner, "begin", claim.job.id, claim.token)
        lasts_ms = self._lasts_ms(claim)
        self.at(self.clock.at + lasts_ms * MS, partial(self.end_run, node, pool, place, claim))

    def end_run(self, node: Node, pool: VirtualPool, place: int, claim: Claim) -> None:
        """A run ends, if its process is still alive."""
        if node.alive and node.pool is pool:
            self.note(node.owner, "end", claim.job.id)
            pool.end(place, self.outcome(claim))

    def outcome(self, claim: Claim) -> Outcome:  # noqa: ARG002
        return Succeeded()
