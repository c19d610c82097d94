"""DayWorld: plays a history, in which everything happens that can, before the judge."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, cast

from hourwheel.contract import Found, Store
from hourwheel.job import Claim, Failed, Failure, Job, Outcome, Retried, Succeeded
from hourwheel.testing.simulation.clock import MS
from hourwheel.testing.simulation.node import Node
from hourwheel.testing.simulation.pool import VirtualPool
from hourwheel.testing.simulation.world import World

from ..judge import Auditor
from ..judge.signs import Signs
from .failing import Failing, NodeDied, Weather
from .happenings import (
    Add,
    Cancel,
    Crash,
    CutOff,
    Disown,
    Drain,
    Fail,
    Happening,
    Pause,
    Reschedule,
    SetClock,
    clock_face,
)
from .history import History
from .node import DayNode

_KEPT_MS = 1 << 50
_BROKEN = Failure("SimulatedError", "the run failed")


class _Auditor(Auditor):
    def excused(self, node: Node) -> bool:
        return not cast("DayNode", node).store.fair or super().excused(node)


class DayWorld(World):
    """A world and what happens in it.

    Args:
        history: the beginning, and what is to happen.
        stores: where jobs are kept; must be new.
        fast: skip the ticks at which nothing can happen.
    """

    node_type = DayNode
    patience_s = 10 * 24 * 3600  # the wall clock may have been set back by days
    nodes: Sequence[DayNode]

    def __init__(self, history: History, stores: Any, *, fast: bool = True) -> None:
        self.steps = 0
        self.trace: list[tuple[int, str, tuple[object, ...]]] = []
        self._history = history
        self._fast = fast
        self._weather = Weather()
        self._adds: dict[str, Add] = {}
        judge = _Auditor()
        self._ledger = judge.ledger
        super().__init__(
            stores,
            judge,
            nodes=history.nodes,
            workers=history.workers,
            start_ms=history.start_ms,
            seed=history.seed,
            lasts_ms=lambda claim: self._adds[claim.job.id].runs_ms,
        )
        if history.lease_ms is not None:
            stores.lease_now_ms = lambda: self.clock.at // MS
            judge.ledger.signs = Signs(history.lease_ms, stores.lease_now_ms)
            for node in self.nodes:
                node.lives = self._lives
        for happening in history.happenings:
            self.at(happening.at_ms * MS, partial(self._happens, happening))

    def open(self, owner: str) -> Store:
        store = super().open(owner)
        if not owner:
            return store
        return cast("Store", Failing(store, self._weather, self.note, partial(self._hindered, owner)))

    def _hindered(self, owner: str) -> None:
        if self._ledger.signs is not None:
            self._ledger.signs.hindered(owner)

    def _lives(self, owner: str, until: int) -> None:
        assert self._ledger.signs is not None
        self._ledger.signs.given(owner, until // MS)
        self.stores.lives(owner, until // MS)

    def note(self, who: str, *what: object) -> None:
        super().note(who, *what)
        self.trace.append((self.clock.at, who, what))

    def lines(self, last: int) -> list[str]:
        """The last so many lines of what happened."""
        return [f"{clock_face(at // MS)}  {who:10} {' '.join(map(str, what))}" for at, who, what in self.trace[-last:]]

    # ---- the course of time ------------------------------------------------------------------------------

    def step(self, node: Node) -> None:
        assert isinstance(node, DayNode)
        self.steps += 1
        try:
            super().step(node)
            if node.ticker._over:
                node.ticker.finish()
                self.note(node.owner, "has stopped")
                self.stores.ended(node.owner)
                self.end(node, node.down_ms)  # what its workers still run dies with it
        except NodeDied:
            self.kill(node, node.down_ms)

    def skip(self) -> None:
        if self._fast and self._weather.fair:
            super().skip()

    def awake(self) -> Sequence[DayNode]:
        return [node for node in self.nodes if node.alive and not node.paused]

    def next_due_ms(self) -> int | None:
        return self._ledger.next_due_ms(self.clock.now_ms())

    def orphaned(self) -> bool:
        if self._ledger.signs is None:
            return bool(self._ledger.orphans())
        awake = {node.owner for node in self.awake()}
        return any(entry.owner not in awake for entry in self._ledger.running.values())

    def unfinished(self) -> int:
        return self._ledger.unfinished

    def end_run(self, node: Node, pool: VirtualPool, place: int, claim: Claim) -> None:
        assert isinstance(node, DayNode)
        if node.alive and node.pool is pool and node.paused:
            self.at(node.next_at, partial(self.end_run, node, pool, place, claim))
        else:
            super().end_run(node, pool, place, claim)

    def outcome(self, claim: Claim) -> Outcome:
        add = self._adds[claim.job.id]
        match add.fate:
            case "fail":
                return Failed(error=_BROKEN)
            case "retry" if self._ledger.entries[claim.job.id].begun == 1:
                return Retried(due_ms=self.clock.now_ms() + add.retry_ms, error=_BROKEN)
        return Succeeded()

    # ---- happenings --------------------------------------------------------------------------------------

    def _happens(self, happening: Happening) -> None:
        match happening:
            case Add():
                self._add(happening)
            case Cancel() | Reschedule():
                self._change(happening)
            case SetClock(by_ms=by_ms):  # not before 1970
                self.note("clock", "set by", by_ms)
                self.clock.offset = max(self.clock.offset + by_ms * MS, -self.clock.at)
            case Fail(lasts_ms=lasts_ms, answer=answer):
                self._fail("store", self._weather, "swallowing" if answer else "refusing", lasts_ms)
            case _:
                self._befall(happening, self.nodes[happening.node % len(self.nodes)])

    def _befall(self, happening: Crash | Drain | Pause | Disown | CutOff, node: DayNode) -> None:
        if not node.alive:
            return
        match happening:
            case Crash(moment="now", down_ms=down_ms):
                self.kill(node, down_ms)
            case Crash(moment=moment, down_ms=down_ms):
                node.store.dies = moment
                node.down_ms = down_ms
            case Drain(timeout_ms=timeout_ms, down_ms=down_ms):
                self.note(node.owner, "is stopped")
                node.down_ms = down_ms
                node.drain(timeout_ms / 1000)
            case Pause(lasts_ms=lasts_ms):
                self.note(node.owner, "stands still for", lasts_ms)
                node.pause(self.clock.at + lasts_ms * MS)
                self._hindered(node.owner)
                self.at(self.clock.at + lasts_ms * MS, lambda: None)  # nobody is to skip past its next step
            case CutOff(lasts_ms=lasts_ms, answer=answer):
                self._fail(node.owner, node.store.line, "swallowing" if answer else "refusing", lasts_ms)
            case Disown():
                self._disown(node)

    def _add(self, add: Add) -> None:
        if self._weather.refusing:
            self.note("producer", "is refused", add.id)
            return
        now_ms = self.clock.now_ms()
        due_ms = max(0, now_ms + add.delay_ms)
        expires_ms = None if add.expires_ms is None else due_ms + add.expires_ms
        jobs = [
            Job(
                id=id, task=add.task, due_ms=due_ms, created_ms=now_ms, key=add.key, priority=add.priority,
                expires_ms=expires_ms, max_crashes=add.max_crashes, result_ttl_ms=_KEPT_MS,
            )
            for id in ([add.id] if add.count == 1 else [f"{add.id}.{n}" for n in range(add.count)])
        ]  # fmt: skip
        self._adds |= {job.id: add for job in jobs}
        self.add(jobs, on_conflict=add.on_conflict, node=add.node)

    def _change(self, happening: Cancel | Reschedule) -> None:
        if self._weather.refusing:
            return
        now_ms, id = self.clock.now_ms(), happening.id
        if isinstance(happening, Cancel):
            found = self.store.cancel([id], now_ms)[0]
        else:
            found = self.store.reschedule([id], max(0, now_ms + happening.delay_ms), now_ms)[0]
        if found is Found.UNKNOWN and id in self._ledger.entries:
            found = Found.FINISHED  # it was replaced, and dropped by a tick that may be skipped
        self.note("producer", type(happening).__name__.lower(), id, str(found))

    def _fail(self, who: str, weather: Weather, name: str, lasts_ms: int) -> None:
        self.note(who, "fails," if who == "store" else "is cut off,", name)
        setattr(weather, name, getattr(weather, name) + 1)
        self.at(self.clock.at + lasts_ms * MS, partial(self._recover, who, weather, name))

    def _recover(self, who: str, weather: Weather, name: str) -> None:
        self.note(who, "no longer fails,", name)
        setattr(weather, name, getattr(weather, name) - 1)

    def _disown(self, node: DayNode) -> None:
        held = [entry for entry in self._ledger.running.values() if entry.owner == node.owner]
        if self.stores.disown([Claim(Job(id=e.id, task="", due_ms=0), e.token, e.owner) for e in held]):
            self.note(node.owner, "is taken for dead")
            self._ledger.disown(node.owner)
