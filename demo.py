"""A demonstration of Hourwheel. Run: python demo.py (about 20 seconds; --fast shortens the delays).

Part one: ten calls with random countdowns of 1 to 10 seconds, run by a scheduler in this process.
Part two: two worker processes share the same file. One is killed with -9 while it runs jobs, and the other runs those
jobs again.

Each call also writes lines to a separate file, the witness, which Hourwheel does not know about. That file decides the
result: the exit status is 0 if every call ran, none started early, and each ran exactly once unless its worker was
killed.
"""

from __future__ import annotations

import argparse
import logging
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from hourwheel import Filter, Job, Scheduler, State, Stats, current_job
from hourwheel import task as shared_task

AHEAD: Final = 12
"""How many slots of the ring the live line shows."""
PATIENCE_S: Final = 60.0
"""A part that takes longer than this has failed."""
HEAD: Final = f"  {'slot':>5} {'pending':>8} {'running':>8} {'done':>5}   {'ahead':<{AHEAD}}   started + ms late"
COLOURED: Final = sys.stdout.isatty() and "NO_COLOR" not in os.environ


# ---- the task and its witness ----------------------------------------------------------------------------


@shared_task(name="demo.test")
def test(number: int, seconds: float, witness: str) -> int:
    """Stand in for real work, such as sending a mail, and record when it started and ended."""
    job = current_job()
    assert job is not None
    leave(witness, f"began {job.id} {number} {os.getpid()} {now_ms() - job.due_ms}")
    time.sleep(seconds)
    leave(witness, f"ended {job.id} {number} {os.getpid()} 0")
    say(coloured(2, f"{'':>6} test({number}) says hello from process {os.getpid()}"))
    return number


def leave(path: str, words: str) -> None:
    """Append a line in a single write, so that it survives the death of this process."""
    fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(fd, f"{now_ms()} {words}\n".encode())
    finally:
        os.close(fd)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """One line of the witness."""

    at_ms: int
    what: str
    id: str
    number: int
    pid: int
    late_ms: int


@dataclass(slots=True)
class Witness:
    """The lines that the calls have written."""

    path: str
    _seen: int = 0

    def marks(self) -> list[Mark]:
        """All lines so far."""
        try:
            lines = Path(self.path).read_text(encoding="ascii").splitlines()
        except FileNotFoundError:
            return []
        fields = (line.split() for line in lines)
        return [
            Mark(at_ms=int(at), what=what, id=id, number=int(number), pid=int(pid), late_ms=int(late))
            for at, what, id, number, pid, late in fields
        ]

    def news(self) -> list[Mark]:
        """The lines added since the last call of this method."""
        marks = self.marks()
        new, self._seen = marks[self._seen :], len(marks)
        return new


def now_ms() -> int:
    """The wall clock, in milliseconds."""
    return time.time_ns() // 1_000_000


# ---- showing ---------------------------------------------------------------------------------------------


def coloured(code: int, text: str) -> str:
    """The text in a colour, if this is a terminal."""
    return f"\x1b[{code}m{text}\x1b[0m" if COLOURED else text


def say(text: str = "") -> None:
    """Print a line now, also into a pipe."""
    print(text, flush=True)


def live_line(stats: Stats, density: Sequence[int], news: Sequence[Mark]) -> str:
    """One second of the ring: the hand, the counts, the slots ahead, and which jobs started how late."""
    second = now_ms() // 1000
    ahead = [density[(second + n) % len(density)] for n in range(1, AHEAD + 1)]
    strip = "".join("·▂▄▆█"[min(count, 4)] for count in ahead)
    began = "  ".join(f"{mark.number} +{mark.late_ms}" for mark in news if mark.what == "began")
    done = stats.accepted - stats.scheduled - stats.running
    counts = f"  {second % 3600:>5} {stats.scheduled:>8} {stats.running:>8} {done:>5}"
    return f"{counts}   {coloured(36, strip)}   {began}"


def watch(
    app: Scheduler, witness: Witness, until: Callable[[Stats], bool], look: Callable[[], None] | None = None
) -> None:
    """Print a line every second until ``until`` returns true; call ``look`` in between."""
    give_up = time.monotonic() + PATIENCE_S
    while time.monotonic() < give_up:
        second = time.time() // 1
        while time.time() // 1 == second:
            if look is not None:
                look()
            time.sleep(min(0.02, 1.0 - time.time() % 1.0))
        stats = app.store.stats(now_ms())
        say(live_line(stats, app.store.density(now_ms(), AHEAD), witness.news()))
        if until(stats):
            return


def nothing_left(stats: Stats) -> bool:
    """Whether every accepted job has ended."""
    return stats.scheduled == 0 and stats.running == 0


# ---- part one: in this process ---------------------------------------------------------------------------


def part_one(app: Scheduler, witness: Witness, *, scale: float) -> list[str]:
    """Ten calls with random countdowns, run by an embedded scheduler; returns the ids."""
    say(coloured(1, "Part one: ten calls with random countdowns, and a scheduler in this process"))
    say()
    results = []
    for number in range(10):
        countdown = random.uniform(1, 10) * scale
        results.append(test.delay(number, 0.5 * scale, witness.path, countdown=countdown))
        say(f"  test({number}) in {countdown:5.2f} s")
    say()
    say(HEAD)
    with app:
        watch(app, witness, nothing_left)
    say()
    return [result.id for result in results]


# ---- part two: two workers on one file, and kill -9 ------------------------------------------------------


@dataclass(slots=True)
class Workers:
    """Worker processes started by this program."""

    path: str
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def start(self, name: str) -> None:
        """Start a worker and wait until it is ready."""
        ready, tell = os.pipe()
        command = [sys.executable, __file__, "--worker", name, self.path, str(tell)]
        process = self.processes[name] = subprocess.Popen(command, pass_fds=[tell])
        os.close(tell)
        with open(ready, encoding="ascii") as pipe:
            if pipe.read() != "ready":
                raise SystemExit(f"worker {name} did not start")
        say(f"  worker {name} is process {process.pid}")

    def end(self, name: str, number: signal.Signals) -> int:
        """Send a worker a signal, wait until it has exited, and return its exit status."""
        process = self.processes.pop(name)
        process.send_signal(number)
        return process.wait(PATIENCE_S)

    def close(self) -> None:
        """Kill the workers that are left."""
        for name in list(self.processes):
            self.end(name, signal.SIGKILL)


def be_worker(name: str, path: str, tell: str) -> int:
    """Be a worker process: run jobs until SIGTERM."""
    logging.getLogger("hourwheel").addHandler(logging.NullHandler())
    app = Scheduler(path, workers=4, owner=name)
    app.start()
    with open(int(tell), "w", encoding="ascii") as pipe:
        pipe.write("ready")
    left = app.run()
    app.close()
    return len(left)


@dataclass(slots=True)
class Killer:
    """Kills a worker with -9 as soon as it is running two of the ``wanted`` jobs."""

    app: Scheduler
    workers: Workers
    name: str
    wanted: Sequence[str]
    witness: Witness = field(default_factory=lambda: Witness(os.devnull))
    pid: int | None = None
    at_ms: int = 0

    def look(self) -> None:
        """Kill the worker if it is time."""
        if self.pid is not None:
            return
        begun = {mark.id for mark in self.witness.marks()}
        held = [job for job in running(self.app) if (job.owner or "").startswith(f"{self.name}-") and job.id in begun]
        if len([job for job in held if job.id in self.wanted]) < 2:
            return
        self.pid = self.workers.processes[self.name].pid
        self.at_ms = now_ms()
        self.workers.end(self.name, signal.SIGKILL)
        begun = [mark.id for mark in self.witness.marks() if mark.what == "began" and mark.pid == self.pid]
        found = [job for job in self.app.store.get(begun) if job is not None]  # one may have begun since the look
        calls = ", ".join(f"test({job.args[0]})" for job in found if not job.finished)
        say(coloured(31, f"  kill -9 {self.pid}: worker {self.name} is dead; it was running {calls}"))


def part_two(app: Scheduler, witness: Witness, workers: Workers, *, scale: float) -> tuple[list[str], Killer]:
    """Make three waves of calls for two workers, and kill one worker in the second wave; returns the ids."""
    say(coloured(1, "Part two: two worker processes on the same file, and kill -9"))
    say()
    workers.start("A")
    workers.start("B")
    ids: list[str] = []
    for wave, countdown in enumerate((1.0, 3.0, 5.0)):
        calls = [(100 + 6 * wave + n, random.uniform(0.5, 1.5) * max(scale, 0.5), witness.path) for n in range(6)]
        ids += app.schedule_many(test, [(call, {}) for call in calls], countdown=countdown * max(scale, 0.3)).ids
    say(f"  {len(ids)} calls in waves of six; one worker can only run four at a time")
    say()
    say(HEAD)
    killer = Killer(app, workers, "A", wanted=ids[6:12], witness=witness)
    watch(app, witness, nothing_left, killer.look)
    say()
    return ids, killer


def running(app: Scheduler) -> list[Job]:
    """The jobs that are running now, in any process."""
    return app.store.scan(Filter(states=frozenset({State.RUNNING})))


# ---- the verdict -----------------------------------------------------------------------------------------


def restarts(marks: Sequence[Mark], killer: Killer) -> list[Mark]:
    """The second starts of the jobs that the killed worker was running."""
    begun = {mark.id for mark in marks if mark.what == "began" and mark.pid == killer.pid}
    return [mark for mark in marks if mark.what == "began" and mark.id in begun and mark.pid != killer.pid]


def faults_of(app: Scheduler, marks: Sequence[Mark], ids: Sequence[str], killer: Killer) -> list[str]:
    """The broken promises, in words."""
    faults = [] if killer.pid is not None else ["no worker was killed while it was running jobs"]
    for id in ids:
        job = app.store.get([id])[0]
        began = [mark for mark in marks if mark.id == id and mark.what == "began"]
        if job is None or job.state is not State.SUCCEEDED or not began:
            faults.append(f"job {id} did not run to its end: {job}")
        elif len(began) > 1 + job.crashes:  # fewer is fine: a worker may be killed before it wrote a line
            faults.append(f"job {id} started {len(began)} times, but {job.crashes} of its workers were killed")
    faults += [f"test({mark.number}) started {-mark.late_ms} ms early" for mark in marks if mark.late_ms < 0]
    stats = app.store.stats(now_ms())
    if not stats.accepted == stats.succeeded == len(ids):
        faults.append(f"the counts do not balance: {stats}")
    return faults + app.store.check()


def verdict(app: Scheduler, marks: Sequence[Mark], ids: Sequence[str], killer: Killer) -> int:
    """Print the results and return the exit status."""
    say(coloured(1, "Results"))
    say()
    for mark in restarts(marks, killer):
        after_s = (mark.at_ms - killer.at_ms) / 1000
        say(f"  test({mark.number}) started again in process {mark.pid}, {after_s:.2f} s after the kill")
    calm = sorted(mark.late_ms for mark in marks if mark.what == "began" and mark.id in ids[:10])
    if calm:
        say(f"  lateness in part one: median {calm[len(calm) // 2]} ms, worst {calm[-1]} ms")
    faults = faults_of(app, marks, ids, killer)
    stats = app.store.stats(now_ms())
    begun = sum(mark.what == "began" for mark in marks)
    rest = f"pending {stats.scheduled} + running {stats.running}"
    say(f"  accepted {stats.accepted} = succeeded {stats.succeeded} + {rest}")
    say(f"  {begun} starts: one per call, and one more for each job whose worker was killed")
    for fault in faults:
        say(coloured(31, f"  FAULT: {fault}"))
    say()
    say(coloured(31, "Something was lost.") if faults else coloured(32, "Nothing was lost."))
    return 1 if faults else 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the demonstration; returns 0 if Hourwheel kept its promises."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--fast", action="store_true", help="shorten the delays, for tests")
    parser.add_argument("--worker", nargs=3, metavar=("NAME", "PATH", "PIPE"), help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.worker:
        return be_worker(*options.worker)
    scale = 0.2 if options.fast else 1.0
    with tempfile.TemporaryDirectory(prefix="hourwheel-demo-") as directory:
        app = Scheduler(os.path.join(directory, "tasks.json"), workers=4)
        witness = Witness(os.path.join(directory, "witness.txt"))
        workers = Workers(os.path.join(directory, "tasks.json"))
        try:
            ids = part_one(app, witness, scale=scale)
            more, killer = part_two(app, witness, workers, scale=scale)
            if workers.end("B", signal.SIGTERM) != 0:
                say("worker B did not stop cleanly")
                return 1
            return verdict(app, witness.marks(), [*ids, *more], killer)
        finally:
            workers.close()
            app.close()


if __name__ == "__main__":
    sys.exit(main())
