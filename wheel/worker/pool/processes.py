"""The process pool: worker processes, each served by a thread of the parent. A death costs one attempt of one job.

The thread sends its process a job, waits for the outcome or for the end of the process, and takes the next claim. So it
is always known which job a process had when it died. A counter in shared memory says whether the job had started. If it
had, the attempt ends as Crashed, which the store counts, and max_crashes sets the job aside in the end. If not, the job
goes to the next process. A run over its hard limit is ended with SIGKILL, together with programs that it has started,
which are in the same process group. In each case the thread starts a new process. Until that is ready, the place is not
counted as ready, so no job is claimed for it.

Processes are spawned, not forked: a fork would copy locks that other threads hold. See
docs/decisions/0042-worker-processes-are-spawned.md, and child.py for the other side.
"""

from __future__ import annotations

import json
import logging
import mmap
import os
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
from ...kernel import Lifeline, end_of, nameless_file
from ...safety.calm import CalmLogger, calmly
from ...tasks.registry import Registry
from ..run.runner import Known, Run, Runner
from .imports import what_to_import
from .options import PoolOptions
from .protocol import Done
from .threads import ThreadPool
from .wire import COUNTER, Channel, outcome_of, packed_job

_LOG: Final = CalmLogger("hourwheel.worker")
_monotonic: Final = SystemClock().monotonic  # timeouts of processes must not follow a fake clock
_FIRST_PAUSE_S: Final = 0.5
_LONGEST_PAUSE_S: Final = 30.0
_STARTS_S: Final = 60.0
"""How long a new process may take until it is ready, imports included."""
_ENDS_S: Final = 5.0
"""How long a process may take to exit."""
_BOOT: Final = """\
import json, os, sys
fd, text = int(sys.argv[1]), b""
while not text.endswith(b"\\n"):
    text += os.read(fd, 1) or sys.exit()
sys.path[:] = json.loads(text)
from hourwheel.worker.pool.child import main
main(fd, *map(int, sys.argv[2:]))
"""


class ProcessPool(ThreadPool):
    """Runs claims in ``workers`` processes."""

    def __init__(self, options: PoolOptions, registry: Registry, runner: Runner, clock: Clock) -> None:
        """Make a pool, without starting it. ``runner`` gives the outcome of a job that was killed or cannot be sent."""
        super().__init__(options.workers, runner, clock)
        self.ready = 0
        self.isolates = True
        self._options = options
        self._registry = registry
        self._runner = runner
        self._counting = threading.Lock()
        self._closing = threading.Event()
        self._logged: set[str] = set()

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
                self._done.append(Done(claim, outcome, self._clock.monotonic() - started))
                self._now[place] = None
                self._notify()
                if child is not None and child.spent:
                    child = self._replace(child, place)
        finally:
            if child is not None:
                self._count(-1, place)
                child.end()

    def _run_in(self, child: Child, claim: Claim, started: float) -> Outcome | None:
        """Run a claim and return its outcome; None if the process died before the job started."""
        found = self._runner.find(claim.job)
        if not isinstance(found, Known):
            return found
        job = self._runner.admit(claim.job)
        if not isinstance(job, Job):
            return job
        limits = found.limits
        task = found.task  # the order is for Worker.run in child.py
        order = [packed_job(job), task.name, task.origin, task.fn.__module__, limits.soft_s]
        answer = child.run(order, limits.hard_s, partial(self.waits.set, claim.token))
        if answer is not None:
            return answer
        if child.overran:
            error = TimeLimitExceeded(f"it ran for more than its time_limit, {limits.hard_s:g} s, and was killed")
            return self._runner.outcome(job, task, Run(entered=True, raised=error), started)
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
        """Start a process and wait until it is ready. Return None if the pool is closed first."""
        pause_s = _FIRST_PAUSE_S
        while not self._closing.is_set():
            try:
                child = Child(_setup(self._registry, self._options))
            except OSError as error:  # no more processes or descriptors are available
                why = f"could not be started: {error}"
            else:
                faults = child.wait_ready(_STARTS_S)
                if faults is not None:
                    self._log_faults(faults)
                    self._count(+1, place)
                    self._wake()
                    return child
                child.end()
                why = f"{child.how_it_ended()} before it was ready"
            _LOG.critical("A worker process %s; starting another one in %g s", why, pause_s)
            self._closing.wait(pause_s)
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
        return None

    def _count(self, more: int, place: int) -> None:
        if place < self.workers:  # guests do not count
            with self._counting:
                self.ready += more

    def _log_faults(self, faults: dict[str, str]) -> None:
        for module, fault in faults.items():
            if module not in self._logged:
                self._logged.add(module)
                text = "A worker process cannot import %s; jobs of tasks that it lacks because of that wait: %s"
                _LOG.critical(text, module, fault)


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


def _spawn() -> tuple[socket.socket, subprocess.Popen[bytes], mmap.mmap, Lifeline]:
    """Start a process. Returns (our end of the connection, the process, the counter, what tells it that we live).

    Raises:
        OSError: no more processes or descriptors are available.
    """
    flags = subprocess._args_from_interpreter_flags()  # type: ignore[attr-defined]
    with ExitStack() as ours_too, ExitStack() as theirs:
        ours, end = socket.socketpair()
        ours_too.enter_context(ours)
        theirs.enter_context(end)
        counter = nameless_file("begun")
        theirs.callback(os.close, counter)
        os.truncate(counter, COUNTER.size)
        begun = mmap.mmap(counter, COUNTER.size)
        lifeline = Lifeline()
        ours_too.callback(lifeline.close)
        passed = [end.fileno(), counter, *lifeline.to_pass]
        process = subprocess.Popen(  # noqa: S603 - starts this interpreter
            [sys.executable, *flags, "-c", _BOOT, *map(str, passed)],
            pass_fds=passed,
            stdin=subprocess.DEVNULL,
            process_group=0,
        )
        lifeline.passed()
        ours_too.pop_all()
        return ours, process, begun, lifeline


class Child:
    """A worker process, as its thread in the parent sees it."""

    def __init__(self, setup: dict[str, Any]) -> None:
        self.spent = False
        """Whether it takes no more jobs."""
        self.overran = False
        """Whether it was killed because its job reached the hard limit."""
        self._sent = 0
        self._waits: Callable[[list[str]], object] = list
        ours, self._process, self._begun, self._lifeline = _spawn()
        self._end = end_of(self._process, ours.fileno())
        self._channel = Channel(ours)
        try:
            ours.sendall(json.dumps(sys.path).encode() + b"\n")
            self._channel.send(setup)
        except OSError:
            self.spent = True

    @property
    def had_begun(self) -> bool:
        """Whether it had started the job that it was sent last."""
        return COUNTER.unpack_from(self._begun) == (self._sent,)

    def wait_ready(self, timeout_s: float) -> dict[str, str] | None:
        """Wait until it is ready. Returns the modules that it could not import, with the reason; None if it failed."""
        answer = self._answer(timeout_s)
        if answer is None:
            return None
        faults: dict[str, str] = answer[1]
        return faults

    def run(self, order: list[Any], hard_s: float | None, waits: Callable[[list[str]], None]) -> Outcome | None:
        """Run a job. Returns None if the process died, or was killed at the hard limit.

        Args:
            order: the message for the job.
            hard_s: the hard time limit, in seconds; None for none.
            waits: called with the ids of the jobs that the job waits for in get(), each time they change.
        """
        self._sent += 1
        self._waits = waits
        if self.spent or self._end.has_come(0.0):
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
        """Wait for the next answer, and handle log records meanwhile. None if the process died or ran out of time."""
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
            ended, readable = self._end.or_readable(left_s)
            if readable and self._channel.read():
                continue
            if ended or readable:  # it has died, or closed its end of the channel
                self._lose()
                return None

    def _lose(self) -> None:
        self.spent = True
        if not self.overran:
            self._end.has_come(0.5)  # its end of the channel is closed shortly before it is dead
        self._kill()

    def _kill(self) -> None:
        """Send SIGKILL to the process group, which includes programs that it has started."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        with suppress(subprocess.TimeoutExpired):  # in a hanging system call, it dies when that returns
            self._process.wait(_ENDS_S)

    def _wait(self, timeout_s: float) -> bool:
        """Wait for its end, and write its last log records. Return whether it ended in time."""
        deadline = _monotonic() + timeout_s
        while (left_s := deadline - _monotonic()) > 0:
            ended, readable = self._end.or_readable(left_s)
            if readable and not self._channel.read():
                self._end.only()
            while self._channel.at_hand:
                message = self._channel.receive()
                if message[0] == "log":
                    _write(message[1])
            if ended:
                self._process.wait()
                return True
        return False

    def end(self) -> None:
        """Let it exit by itself; kill it if that takes too long."""
        self.spent = True
        if self._process.returncode is None:
            self._channel.end()
            if not self._wait(_ENDS_S):
                self._kill()
        self._channel.close()
        self._begun.close()
        self._end.close()
        self._lifeline.close()

    def how_it_ended(self) -> str:
        """How the process ended, as text."""
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
    """Log a record of the worker process as if it had been logged here."""
    logger, record = logging.getLogger(fields.get("name")), logging.makeLogRecord(fields)
    with calmly():  # a user's handler may raise, and this thread must go on
        if logger.isEnabledFor(record.levelno):
            logger.handle(record)
