"""Worker processes, each with a thread of the parent that feeds it. One death costs one attempt, whoever dies.

The thread of a place sends its process a job, waits for the outcome or for the process's end, and takes the next. So
it is always known which job a process had in hand when it died, and a counter in memory that both share says whether it
had begun: then that attempt ends as Crashed, which the store counts, and max_crashes sets a killer aside; else the job
goes to the next process. A run that is over its hard limit is ended with SIGKILL, and so are the
programs that it has started, which share its process group. Either way the thread starts another process, and while
there is none the place is not counted as ready, so that no job is claimed for it.

Processes are started afresh ("spawn"), never forked: a fork would copy locks that other threads hold. See
docs/decisions/0042-worker-processes-are-spawned.md and child.py, the other side.
"""

from __future__ import annotations

import json
import logging
import mmap
import os
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import ExitStack, suppress
from functools import partial
from typing import Any, Final

from ...clock import Clock, SystemClock
from ...errors import TimeLimitExceeded
from ...job import Claim, Crashed, Job, Outcome, Released
from ...safety.calm import CalmLogger, calmly
from ...tasks.registry import Registry
from ..run.runner import Known, Run, Runner
from .imports import what_to_import
from .options import PoolOptions
from .protocol import Done
from .threads import ThreadPool
from .wire import COUNTER, Channel, outcome_of, packed_job

_LOG: Final = CalmLogger("hourwheel.worker")
_monotonic: Final = SystemClock().monotonic  # a fake clock does not move what the kernel does
_FIRST_PAUSE_S: Final = 0.5
_LONGEST_PAUSE_S: Final = 30.0
_STARTS_S: Final = 60.0
"""A process that is not ready after so long, with all that it imports, is given up."""
_ENDS_S: Final = 5.0
"""One that was asked to end has so long for what it does at exit."""
_BOOT: Final = """\
import json, os, sys
fd, text = int(sys.argv[1]), b""
while not text.endswith(b"\\n"):
    text += os.read(fd, 1) or sys.exit()
sys.path[:] = json.loads(text)
from hourwheel.worker.pool.child import main
main(fd, int(sys.argv[2]))
"""


class ProcessPool(ThreadPool):
    """Runs claims in ``workers`` processes."""

    def __init__(self, options: PoolOptions, registry: Registry, runner: Runner, clock: Clock) -> None:
        """A pool that is not started.

        Args:
            options: how many processes, and how long each lives.
            registry: the tasks; their modules are what the processes import.
            runner: decides what comes of a job that was killed or cannot be sent.
            clock: measures the runs.
        """
        super().__init__(options.workers, runner, clock)
        self.ready = 0
        self.isolates = True
        self._options = options
        self._registry = registry
        self._runner = runner
        self._counting = threading.Lock()
        self._closing = threading.Event()
        self._told: set[str] = set()

    def close(self) -> list[Claim]:
        """See Pool.close."""
        self._closing.set()
        return super().close()

    def join(self, timeout_s: float) -> None:
        """See Pool.join."""
        until = self._clock.monotonic() + timeout_s
        for place, thread in enumerate(self._threads):
            if self._now[place] is None and thread is not threading.current_thread():
                thread.join(max(0.0, until - self._clock.monotonic()))

    # ---- in the thread of a place ------------------------------------------------------------------------

    def _serve(self, place: int) -> None:
        take = self._take_of(place)
        child = self._start_child(place)
        try:
            while child is not None and (claim := take()) is not None:
                self._now[place] = claim
                started = self._clock.monotonic()
                while (outcome := self._run_in(child, claim, started)) is None:
                    child = self._replace(child, place)
                    if child is None:
                        outcome = Released(reason="the worker stopped before it began")
                        break
                self.waits.set(claim.token, ())
                self._hand_over(place, Done(claim, outcome, self._clock.monotonic() - started))
                if child is not None and child.spent:
                    child = self._replace(child, place)
        finally:
            if child is not None:
                self._count(-1, place)
                child.end()

    def _hand_over(self, place: int, done: Done) -> None:
        self._done.append(done)
        self._now[place] = None
        if self._abandoned:
            self._settle_late(self.collect())
        elif self._inbox.qsize() <= self.low_water:
            self._wake()

    def _run_in(self, child: Child, claim: Claim, started: float) -> Outcome | None:
        """What came of it; None if the process died before it began: that is no fault of this job."""
        found = self._runner.find(claim.job)
        if isinstance(found, Released):
            return found
        job = self._runner.admit(claim.job)
        if not isinstance(job, Job):
            return job
        limits = found.limits
        answer = child.run(_order(job, found), limits.hard_s, partial(self.waits.set, claim.token))
        if answer is not None:
            return answer
        if child.overran:
            error = TimeLimitExceeded(f"it ran for more than its time_limit, {limits.hard_s:g} s, and was killed")
            return self._runner.outcome(job, found.task, Run(entered=True, raised=error), started)
        if not child.had_begun:
            return None
        reason = f"its worker process {child.how_it_ended()}"
        _LOG.error("Task %s[%s] crashed: %s", job.task, job.id, reason, extra={"job_id": job.id, "task_name": job.task})
        return Crashed(reason=reason)

    # ---- processes come and go ---------------------------------------------------------------------------

    def _replace(self, child: Child, place: int) -> Child | None:
        self._count(-1, place)
        child.end()
        return self._start_child(place)

    def _start_child(self, place: int) -> Child | None:
        """A process that is ready; None if the pool is closed before there is one."""
        pause_s = _FIRST_PAUSE_S
        while not self._closing.is_set():
            try:
                child = Child(_setup(self._registry, self._options))
            except OSError as error:  # no more processes or descriptors may be had
                why = f"could not be started: {error}"
            else:
                faults = child.wait_ready(_STARTS_S)
                if faults is not None:
                    self._welcome(faults, place)
                    return child
                child.end()
                why = f"{child.how_it_ended()} before it was ready"
            _LOG.critical("A worker process %s; the next is started in %g s", why, pause_s)
            self._closing.wait(pause_s)
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
        return None

    def _welcome(self, faults: dict[str, str], place: int) -> None:
        self._tell(faults)
        self._count(+1, place)
        self._wake()

    def _count(self, more: int, place: int) -> None:
        if place < self.workers:  # a guest is there for what others wait for only
            with self._counting:
                self.ready += more

    def _tell(self, faults: dict[str, str]) -> None:
        for module, fault in faults.items():
            if module not in self._told:
                self._told.add(module)
                _LOG.critical(
                    "A worker process cannot import %s; jobs of tasks that it does not find there wait: %s",
                    module,
                    fault,
                )


def _order(job: Job, found: Known) -> list[Any]:
    """What is sent: see Worker.run."""
    task = found.task
    return [packed_job(job), task.name, task.origin, task.fn.__module__, found.limits.soft_s]


def _setup(registry: Registry, options: PoolOptions) -> dict[str, Any]:
    return {
        "parent": os.getpid(),
        "argv": sys.argv,
        **what_to_import(registry),
        "max_tasks": options.max_tasks_per_child,
        "max_memory": options.max_memory_per_child,
        "root_level": logging.getLogger().level,
        "hourwheel_level": _LOG.getEffectiveLevel(),
    }


def _spawn() -> tuple[socket.socket, subprocess.Popen[bytes], mmap.mmap]:
    """(our end of the channel, the process, the counter).

    Raises:
        OSError: no more processes or descriptors may be had.
    """
    flags = subprocess._args_from_interpreter_flags()  # type: ignore[attr-defined]
    with ExitStack() as ours_too, ExitStack() as theirs:
        ours, end = socket.socketpair()
        ours_too.enter_context(ours)
        theirs.enter_context(end)
        counter = os.memfd_create("begun")
        theirs.callback(os.close, counter)
        os.truncate(counter, COUNTER.size)
        begun = mmap.mmap(counter, COUNTER.size)
        process = subprocess.Popen(  # noqa: S603 - ourselves
            [sys.executable, *flags, "-c", _BOOT, str(end.fileno()), str(counter)],
            pass_fds=[end.fileno(), counter],
            stdin=subprocess.DEVNULL,
            process_group=0,
        )
        ours_too.pop_all()
        return ours, process, begun


class Child:
    """A worker process, seen from its thread."""

    def __init__(self, setup: dict[str, Any]) -> None:
        self.spent = False
        """Whether it takes no further job."""
        self.overran = False
        """Whether it was killed because its job took too long."""
        self._sent = 0
        self._waits: Callable[[list[str]], object] = list
        ours, self._process, self._begun = _spawn()
        self._pidfd = os.pidfd_open(self._process.pid)
        self._channel = Channel(ours)
        self._ended = select.poll()
        self._ended.register(self._pidfd, select.POLLIN)
        self._poll = select.poll()
        self._poll.register(self._pidfd, select.POLLIN)
        self._poll.register(ours.fileno(), select.POLLIN)
        try:
            ours.sendall(json.dumps(sys.path).encode() + b"\n")
            self._channel.send(setup)
        except OSError:
            self.spent = True

    @property
    def alive(self) -> bool:
        """Whether it could take a job."""
        return not self.spent and not self._has_ended(0.0)

    @property
    def had_begun(self) -> bool:
        """Whether it had begun the job that it was sent last."""
        return COUNTER.unpack_from(self._begun) == (self._sent,)

    def _has_ended(self, timeout_s: float) -> bool:
        """Whether it has; it is not reaped, so that its number is still its own."""
        return bool(self._ended.poll(timeout_s * 1000))

    def wait_ready(self, timeout_s: float) -> dict[str, str] | None:
        """The modules that it could not import, with the reason; None if it is no good at all."""
        answer = self._answer(timeout_s)
        if answer is None:
            return None
        faults: dict[str, str] = answer[1]
        return faults

    def run(self, order: list[Any], hard_s: float | None, waits: Callable[[list[str]], None]) -> Outcome | None:
        """Have a job run; None if the process died of it, or was killed because it took too long.

        Args:
            order: what to run.
            hard_s: how long it may take, in seconds.
            waits: is told the ids of the jobs that it waits for, each time that they change.
        """
        self._sent += 1
        self._waits = waits
        if not self.alive:
            self._lose()
            return None
        try:
            self._channel.send(order)
        except OSError:
            self._lose()
            return None
        answer = self._answer(hard_s)
        if answer is None:
            return None
        self.spent = answer[2]
        return outcome_of(answer[1])

    def _answer(self, timeout_s: float | None) -> Any:
        """The next message that is no log line; None if the process has died, or was killed at the timeout."""
        deadline = None if timeout_s is None else _monotonic() + timeout_s
        while True:
            if self._channel.at_hand:
                message = self._channel.receive()
                if message[0] == "waits":
                    self._waits(message[1])
                elif message[0] == "log":
                    _write(message[1])
                else:
                    return message
                continue
            left_s = None if deadline is None else deadline - _monotonic()
            if left_s is not None and left_s <= 0:
                self.overran = True
                self._lose()
                return None
            events = dict(self._poll.poll(None if left_s is None else left_s * 1000))
            if self._channel.fileno() in events:
                if self._channel.read():
                    continue
                self._lose()
                return None
            if self._pidfd in events:
                self._lose()
                return None

    def _lose(self) -> None:
        self.spent = True
        if not self.overran:
            self._has_ended(0.5)  # its end of the channel is closed before it is dead altogether
        self._kill()

    def _kill(self) -> None:
        """SIGKILL to the whole group, the programs that it has started included."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        with suppress(subprocess.TimeoutExpired):  # in a call of the kernel that hangs it dies when that is over
            self._process.wait(_ENDS_S)

    def _wait(self, timeout_s: float) -> bool:
        """Whether it ends within the time, its last log lines written."""
        deadline = _monotonic() + timeout_s
        while (left_s := deadline - _monotonic()) > 0:
            events = dict(self._poll.poll(left_s * 1000))
            if self._channel.fileno() in events and not self._channel.read():
                self._poll.unregister(self._channel.fileno())
            while self._channel.at_hand:
                message = self._channel.receive()
                if message[0] == "log":
                    _write(message[1])
            if self._pidfd in events:
                self._process.wait()
                return True
        return False

    def end(self) -> None:
        """Let it end by itself, with a time for what it does at exit; then kill it."""
        self.spent = True
        if self._process.returncode is None:
            self._channel.end()
            if not self._wait(_ENDS_S):
                self._kill()
        self._channel.close()
        self._begun.close()
        os.close(self._pidfd)

    def how_it_ended(self) -> str:
        """In words."""
        status = self._process.returncode
        if status is None:
            return "did not end"
        if status >= 0:
            return f"exited with status {status}"
        try:
            return f"was killed by {signal.Signals(-status).name}"
        except ValueError:
            return f"was killed by signal {-status}"


def _write(fields: dict[str, Any]) -> None:
    """A log line of the process, as if it had been logged here."""
    logger, record = logging.getLogger(fields.get("name")), logging.makeLogRecord(fields)
    with calmly():  # a handler of the program's may raise, and a job is in this thread's hands
        if logger.isEnabledFor(record.levelno):
            logger.handle(record)
