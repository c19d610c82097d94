"""A site as gunicorn --preload has it: a process with a running scheduler, under load, that forks children."""

from __future__ import annotations

import fcntl
import os
import random
import threading
from collections import Counter

from hourwheel import Scheduler, current_job
from hourwheel.contract import Filter
from hourwheel.errors import StoreBusy
from hourwheel.job import Job, State
from hourwheel.store import JsonStore

from ..processes import append_line, lines_of, until
from ..report import Report

LOCKS = (".lock", ".next", ".owner.")


class Site:
    """One store with its scheduler, and files in which everybody writes what was added and what was started."""

    def __init__(self, directory: str, *, durability: str = "sync") -> None:
        self.path = os.path.join(directory, "tasks.json")
        self.added = os.path.join(directory, "added")
        self.started = os.path.join(directory, "started")
        self.deaths = os.path.join(directory, "deaths")
        self.children = os.path.join(directory, "children")
        self.app = Scheduler(JsonStore(self.path, durability=durability), workers=4, result_ttl=86_400)  # type: ignore[arg-type]
        self.mark = self.app.task(name="mark")(self._mark)
        self.forks = self.app.task(name="forks")(self._fork)
        self._busy = True
        self._threads = [
            *(threading.Thread(target=self._produce, args=(n,), daemon=True) for n in range(2)),
            threading.Thread(target=self._compact, daemon=True),
        ]

    # ---- what jobs do ------------------------------------------------------------------------------------

    def _mark(self) -> None:
        job = current_job()
        assert job is not None
        append_line(self.started, job.id, job.token, os.getpid())

    def _fork(self, way: str) -> None:
        self._mark()
        pid = os.fork()
        if pid:
            append_line(self.children, pid, os.getpid(), way)
            return
        if way == "adds":
            self.add()
            os._exit(0)
        if way == "raises":
            raise SystemExit(0)

    def add(self, countdown: float = 0.0) -> str:
        """Add a job and, once it is acknowledged, say so."""
        result = self.mark.delay(countdown=countdown)
        append_line(self.added, result.id)
        return result.id

    # ---- load --------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Start the scheduler and the threads that keep it busy."""
        self.app.start()
        for thread in self._threads:
            thread.start()

    def rest(self) -> None:
        """End the load."""
        self._busy = False
        for thread in self._threads:
            thread.join()

    def _produce(self, number: int) -> None:
        choose = random.Random(number)
        while self._busy:
            self.add(choose.choice([0.0, 0.0, 0.05]))
            threading.Event().wait(choose.uniform(0.002, 0.02))

    def _compact(self) -> None:
        while self._busy:
            threading.Event().wait(0.15)
            try:
                self.app.store.compact()  # type: ignore[attr-defined]
            except StoreBusy:
                continue

    # ---- what must hold ----------------------------------------------------------------------------------

    @property
    def sign(self) -> str:
        """The file that this process keeps locked for as long as its scheduler claims."""
        return self.app.store._keeper.newest.place.owner(self.app.owner)  # type: ignore[attr-defined]

    def drain(self, report: Report, what: str) -> None:
        """Let everything run, and judge what was left behind."""
        store = self.app.store
        report.demand(until(lambda: not unfinished(store), 20.0, 0.01), f"{what}: jobs are left that nobody runs")
        self.app.stop()
        self.judge(report, what)

    def judge(self, report: Report, what: str) -> None:
        """Nothing lost, nothing started twice by one claim, no start more than there were deaths."""
        store = self.app.store
        for violation in store.check():
            report.wrong(f"{what}: check: {violation}")
        held = {job.id: job for job in store.scan(Filter(), limit=1 << 30)}
        starts = [(id, token) for id, token, *_ in lines_of(self.started)]
        dead = Counter(id for id, *_ in lines_of(self.deaths))
        for id in {id for id, *_ in lines_of(self.added)}:
            fate = held[id].state if id in held else None
            killed = fate is State.FAILED and dead[id] >= held[id].max_crashes
            report.demand(fate is State.SUCCEEDED or killed, f"{what}: a job that was added is {fate or 'lost'}")
        twice = [token for token, times in Counter(token for _, token in starts).items() if times > 1]
        report.demand(not twice, f"{what}: {len(twice)} claims were started twice, the first is {twice[:1]}")
        often = [id for id, times in Counter(id for id, _ in starts).items() if times > 1 and id not in dead]
        report.demand(not often, f"{what}: {len(often)} jobs were started again, and nobody had died")


def unfinished(store: JsonStore) -> list[Job]:
    """Jobs that wait or run."""
    return store.scan(Filter(states=frozenset({State.SCHEDULED, State.RUNNING})), limit=10)


def held_elsewhere(path: str) -> bool:
    """Whether the lock on a file is held; asked as any other process would, by a descriptor of our own."""
    fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(fd)
    return False


def open_locks(path: str) -> list[str]:
    """The lock files of a store that this process has open."""
    names = []
    for fd in os.listdir("/proc/self/fd"):
        try:
            names.append(os.readlink(f"/proc/self/fd/{fd}"))
        except FileNotFoundError:
            continue
    return [name for name in names if name.startswith(tuple(path + kind for kind in LOCKS))]
