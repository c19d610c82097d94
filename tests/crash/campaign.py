"""A campaign: run a workload on a watched disk, cut the power or kill the process after every change, and open what is left."""

from __future__ import annotations

import gc
import random
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from noria.store import JsonStore, journal
from noria.store.creation import open_or_create
from noria.store.invariants import violations
from noria.store.place import Place
from noria.store.views import jobs

from tests.kit.jobs import StoppedClock, a_job, content
from tests.kit.memory_system import DIRECTORY, MemorySystem

from .disk import Disk, Order, Process
from .workload import DOUBTFUL, USUAL, Content, Others, Scene, history, steps

NAME = "tasks.json"
_SMALL = 4096
"""Room that a journal is given at a time, so that it has to be made longer often."""


@dataclass
class Findings:
    """How many states were opened, and what was wrong with them."""

    states: int = 0
    wrong: Counter[str] = field(default_factory=Counter)

    def __str__(self) -> str:
        return f"{self.states} states, {self.wrong.total()} violations: {dict(self.wrong.most_common(3))}"


@dataclass
class Campaign:
    """Watches one run of a workload.

    ``first_only`` ends it at the first violation. ``handicap`` is given each process before it begins, so that a
    protocol can be seeded with a bug.
    """

    seed: int
    order: Order
    steps: int = 40
    kinds: str = USUAL
    states_each: int = 3
    first_only: bool = False
    handicap: Callable[[Process], None] = lambda process: None
    findings: Findings = field(default_factory=Findings)

    def __post_init__(self) -> None:
        self._rng = random.Random(self.seed)
        self._steps = steps(self.seed, self.steps, self.kinds)
        self._history, self._ends = history(self._steps)
        self._floor, self._ceiling = 0, 0

    def run(self) -> Findings:
        """Make every step on a JsonStore, and judge what could be left after each system call."""
        self._disk = Disk(self._judge)
        directory = tempfile.mkdtemp(prefix="noria-crash-")
        self._path = f"{directory}/{NAME}"
        try:
            with _quickly():
                self._act()
        except _Enough:
            pass
        finally:
            shutil.rmtree(directory)
        return self.findings

    def _act(self) -> None:
        process = Process(self._disk)
        store = self._open(process)
        others = Others(disk=self._disk, open=self._open)
        scene = Scene(store=store, process=process, others=others, acknowledged=self._acknowledged)
        for step, end in zip(self._steps, self._ends, strict=True):
            self._ceiling = end
            try:
                if step(scene) is not DOUBTFUL:
                    self._floor = end
            except Exception as error:
                self._note(f"a step failed: {error!r:.90}")
                break
        store.close()

    def _acknowledged(self, changes: int) -> None:
        self._floor += changes

    def _open(self, process: Process) -> JsonStore:
        self.handicap(process)
        return JsonStore(self._path, system=process, clock=StoppedClock(), allow_network_fs=True, lock_timeout_s=1.0)

    # ---- judging -----------------------------------------------------------------------------------------

    def _judge(self) -> None:
        self._open_what_is_left(self._disk.after_kill(self._rng), "killed")
        for _ in range(self.states_each):
            self._open_what_is_left(self._disk.after_power_loss(self._rng, self.order), "power")

    def _open_what_is_left(self, files: dict[str, bytes], how: str) -> None:
        self.findings.states += 1
        try:
            wrong = self._wrong_with(files)
        except Exception as error:
            wrong = f"cannot be opened: {error!r:.90}"
        if wrong:
            self._note(f"{how}: {wrong}")

    def _note(self, wrong: str) -> None:
        self.findings.wrong[wrong] += 1
        if self.first_only:
            raise _Enough

    def _wrong_with(self, files: dict[str, bytes]) -> str:
        system = MemorySystem(files)
        epoch = open_or_create(Place(f"{DIRECTORY}/{NAME}"), system)
        found = {job.id: job for job in jobs(epoch.state)}
        if found not in self._history[self._floor : self._ceiling + 1]:
            return self._what_is_missing(found)
        chance = self._rng.random()
        if chance < 0.3 and (broken := violations(epoch.state)):
            return f"an invariant: {broken[0]}"
        epoch.close()
        return self._goes_on(system, found) if chance < 0.1 else ""

    def _what_is_missing(self, found: Content) -> str:
        acknowledged = self._history[self._floor]
        if acknowledged.keys() - found.keys():
            return "an acknowledged job is lost"
        if found.keys() - self._history[self._ceiling].keys():
            return "a job is invented"
        return "the state is none that the store ever had since it last acknowledged"

    def _goes_on(self, system: MemorySystem, found: Content) -> str:
        """Work on with what is left, with records of many lengths, so that remains of the old ones would be met."""
        store = JsonStore(f"{DIRECTORY}/{NAME}", system=system, clock=StoppedClock(), allow_network_fs=True)
        wanted = dict(found)
        for number in range(8):
            job = a_job(f"new-{number}", payload=f'[["{"y" * self._rng.randint(0, 300)}"],{{}}]', result_ttl_ms=1 << 40)
            store.add([job], fresh=True)
            wanted[job.id] = job
            if content(store) != wanted:
                return "what was left behind came back to life"
        store.compact()
        if content(store) != wanted or store.check():
            return "compaction afterwards changed the content"
        store.close()
        return ""


class _Enough(BaseException):
    """Leaves a run at the first violation."""


@contextmanager
def _quickly() -> Iterator[None]:
    """Journals in small pieces, and no garbage collection among thousands of short lives."""
    kept = journal.CHUNK, journal._BLANK, journal.RESERVE
    journal.CHUNK, journal._BLANK, journal.RESERVE = _SMALL, b"\n" * _SMALL, _SMALL  # type: ignore[misc]
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        journal.CHUNK, journal._BLANK, journal.RESERVE = kept  # type: ignore[misc]
