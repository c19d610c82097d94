"""A run: make a workload's steps on a watched disk, and after every change of it judge what a crash could leave.

``sync`` must keep whatever was acknowledged. ``interval`` may lose at a power loss what was acknowledged in the last
second; its thread is driven by the run, on a time of the run's own. ``os`` may lose any end of the history. A killed
process loses nothing with any of them. Whatever is left is a prefix of the history.
"""

from __future__ import annotations

import errno
import random
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from hourwheel.store import JsonStore
from hourwheel.store.file.store import Durability

from tests.kit.jobs import StoppedClock

from .disk import Disk, Order, Process
from .judge import NAME, Judge, Shares
from .quickly import quickly
from .recovery import recover
from .workload import DOUBTFUL, USUAL, Others, Scene, history, steps

_BOUND_S = 1.0
"""What was acknowledged so long ago survives a power loss with ``interval``."""
_INTERVAL_S = 0.5
_SCRATCH = "hourwheel-power-loss-"


@dataclass
class Findings:
    """How many states were judged, how many of them were opened, and what was wrong."""

    states: int = 0
    opened: int = 0
    nested: int = 0
    refused: int = 0
    wrong: Counter[str] = field(default_factory=Counter)

    def __str__(self) -> str:
        return f"{self.states} states, {self.wrong.total()} violations: {dict(self.wrong.most_common(3))}"


@dataclass
class WatchedRun:
    """Watches one run of a workload.

    ``first_only`` ends it at the first violation. ``handicap`` is given each process before it begins, so that a
    protocol can be seeded with a bug. ``most`` states end it as well.
    """

    seed: int
    order: Order
    durability: Durability = "sync"
    steps: int = 40
    kinds: str = USUAL
    kills_each: int = 2
    states_each: int = 3
    nested: float = 0.01
    """Share of the states in which the power fails a second time, while what it has left is being opened."""
    shares: Shares = field(default_factory=Shares)
    most: int = 1 << 60
    first_only: bool = False
    handicap: Callable[[Process], None] = lambda process: None
    findings: Findings = field(default_factory=Findings)

    def __post_init__(self) -> None:
        self._rng = random.Random(self.seed)
        kinds = self.kinds if self.durability == "sync" else _without_sync_fails(self.kinds)
        self._steps = steps(self.seed, self.steps, kinds)
        self._history, self._ends = history(self._steps)
        self._judge = Judge(self._history, self._rng, self.shares)
        self._floor, self._ceiling = 0, 0
        self._now = self._synced_at = 0.0
        self._acknowledged: list[tuple[float, int]] = [(-_BOUND_S, 0)]

    def run(self) -> Findings:
        """Make every step on a JsonStore, and judge what could be left after each system call."""
        self._disk = Disk(self._judge_all)
        directory = tempfile.mkdtemp(prefix=_SCRATCH)
        self._path = f"{directory}/{NAME}"
        try:
            with quickly(self.seed):
                self._act()
        except _Enough:
            pass
        finally:
            for process in list(self._disk.processes):
                process.die()
            shutil.rmtree(directory)
        self.findings.opened += self._judge.opened
        return self.findings

    def _act(self) -> None:
        process = Process(self._disk)
        store = self._open(process)
        others = Others(disk=self._disk, open=self._open)
        scene = Scene(store=store, process=process, others=others, acknowledged=self._acknowledge)
        for step, end in zip(self._steps, self._ends, strict=True):
            self._let_time_pass(store, process)
            self._ceiling = end
            try:
                if step(scene) is not DOUBTFUL:
                    self._acknowledge(end - self._floor)
            except Exception as error:
                self._note(f"a step failed: {error!r:.90}")
                break
        store.close()

    def _acknowledge(self, changes: int) -> None:
        self._floor += changes
        self._acknowledged.append((self._now, self._floor))

    def _open(self, process: Process) -> JsonStore:
        self.handicap(process)
        return JsonStore(
            self._path,
            system=process,
            clock=StoppedClock(),
            durability=self.durability,
            allow_network_fs=True,
            lock_timeout_s=1.0,
        )

    # ---- the time of "interval" --------------------------------------------------------------------------

    def _let_time_pass(self, store: JsonStore, process: Process) -> None:
        until = self._now + self._rng.choice([0.0, 0.1, 0.4, 0.9])
        while self._synced_at + _INTERVAL_S <= until:
            self._now = self._synced_at = self._synced_at + _INTERVAL_S
            if self.durability == "interval":
                self._sync_in_its_turn(store, process)
        self._now = until

    def _sync_in_its_turn(self, store: JsonStore, process: Process) -> None:
        """What the thread does every half second; now and then the sync fails."""
        if "sync_fails" in self.kinds and self._rng.random() < 0.2:
            process.before = _failing_once(process, "fdatasync")
        assert store._keeper._background._regular is not None
        store._keeper._background._regular[1]()
        process.before = lambda call, path: None

    def _floor_after_power_loss(self) -> int:
        if self.durability == "os":
            return 0
        if self.durability == "sync":
            return self._floor
        return max(end for when, end in self._acknowledged if when <= self._now - _BOUND_S)

    # ---- judging -----------------------------------------------------------------------------------------

    def _judge_all(self) -> None:
        for _ in range(self.kills_each):
            self._judge_one(self._disk.after_kill(self._rng), self._floor, "killed")
        low = self._floor_after_power_loss()
        for _ in range(self.states_each):
            self._judge_one(self._disk.after_power_loss(self._rng, self.order), low, "power")
        if self.findings.states >= self.most:
            raise _Enough

    def _judge_one(self, files: dict[str, bytes], low: int, how: str) -> None:
        self.findings.states += 1
        wrong = self._judge.wrong_with(files, low, self._ceiling)
        if wrong:
            self._note(f"{how}: {wrong}")
        elif self._rng.random() < self.nested:
            self._judge_recovery(files)

    def _judge_recovery(self, files: dict[str, bytes]) -> None:
        """The crash may have left these files; now the power fails again, while they are being opened."""
        found = self._judge.open(files).content
        if found is None:
            return
        states, wrong = recover(files, found, self._rng, self.order, self.handicap)
        self.findings.states += states
        self.findings.nested += states
        if wrong:
            self._note(f"power, and again while opening: {wrong}")

    def _note(self, wrong: str) -> None:
        self.findings.wrong[wrong] += 1
        if self.first_only:
            raise _Enough


def _without_sync_fails(kinds: str) -> str:
    """With these durabilities no verb syncs, so no verb can be told that a sync has failed."""
    return " ".join(kind for kind in kinds.split() if kind != "sync_fails") or "add"


def _failing_once(process: Process, failing: str) -> Callable[[str, str], None]:
    def before(call: str, path: str) -> None:
        if call == failing and ".journal." in path:
            process.before = lambda call, path: None
            raise OSError(errno.EIO, "injected")

    return before


class _Enough(BaseException):
    """Leaves a run at the first violation, or when there were states enough."""
