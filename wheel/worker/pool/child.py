"""A worker process: imports the modules of the tasks, then runs the jobs that it is sent, one at a time.

Jobs run in the main thread, where SIGALRM can enforce a soft limit. The process does not start a scheduler or open the
store. If a task calls ``delay()``, the store is opened then, as in any program.

It dies together with its parent (die_with in kernel.py). It ignores SIGINT and SIGTERM, which terminals and service
managers send to all processes; the parent handles them.
"""

from __future__ import annotations

import logging
import mmap
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

from ...clock import SystemClock
from ...errors import HourwheelError, NotRegistered, SchedulerError, SoftTimeLimitExceeded
from ...events import Events
from ...job import Claim, Outcome
from ...kernel import die_with, resident_kib
from ...results.waits import HERE, Here
from ...safety import calm
from ...safety.shield import ALARMS, Alarm, take_off
from ...tasks.default_app import get_default
from ...tasks.options.time_limits import UNLIMITED, Limits
from ...tasks.registry import SHARED, Registry
from ...tasks.task import Task
from .. import log
from ..looking import Rule, set_rule
from ..run.ending import ALL, App, is_scheduler
from ..run.runner import Known, Runner, known
from . import inside
from .imports import MAIN, find_app, import_all
from .wire import COUNTER, Channel, job_of, packed_outcome, packed_record

if TYPE_CHECKING:
    from ...contract import Store

R = TypeVar("R")


def main(fd: int, counter: int, lifeline: int | None = None) -> None:
    """Run a worker process, given the descriptors of its end of the socket pair, the counter and the lifeline."""
    os.set_inheritable(fd, False)
    begun = mmap.mmap(counter, COUNTER.size)
    os.close(counter)
    inside.be_child()
    calm.nobody_waits()
    channel = Channel(socket.socket(fileno=fd))
    setup = channel.receive()
    if setup is None:
        return
    die_with(setup["parent"], lifeline)
    for number in (signal.SIGINT, signal.SIGTERM):  # not SIG_IGN, which programs started by a job would inherit
        signal.signal(number, lambda *_: None)
    sys.argv[:] = setup["argv"]
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(line_buffering=True)  # type: ignore[union-attr]  # so that output is not lost when the process is killed
    set_rule(Rule(reason="the pool's own process runs the jobs", starts="later", say=lambda _: None))
    faults = import_all(setup)
    _log_to(channel, setup)
    app = find_app(setup)
    if app is not None:
        app.on.worker_process_init.tell(app)
    channel.send(["ready", faults])
    _serve(channel, setup, Worker(faults, app), begun)
    if app is not None:
        app.on.worker_process_shutdown.tell(app)


def _serve(channel: Channel, setup: dict[str, Any], worker: Worker, begun: mmap.mmap) -> None:
    left, most_kib, count = setup["max_tasks"] or -1, setup["max_memory"], 0
    while left != 0 and (sent := channel.receive()) is not None:
        left -= 1
        count += 1
        COUNTER.pack_into(begun, 0, count)
        HERE.set(Here(lambda ids: channel.send(["waits", ids])))
        outcome = worker.run(*sent)
        if most_kib is not None and resident_kib() > most_kib:
            left = 0
        channel.send(["done", packed_outcome(outcome), left == 0])


# ---- running ---------------------------------------------------------------------------------------------


_RUNNERS_MOST: Final = 100
"""How many runners are kept: each call may have a time limit of its own."""


class Worker:
    """Runs jobs of the tasks that the imported modules have registered."""

    def __init__(self, faults: dict[str, str], app: App | None = None) -> None:
        """Run jobs of ``app``. ``faults`` says why modules could not be imported."""
        self._faults = faults
        self._app = app
        self._runners: dict[tuple[str, float | None], Runner] = {}

    def run(self, fields: list[Any], name: str, origin: list[str], module: str, soft_s: float | None) -> Outcome:
        """Run a job. Never raises.

        Args:
            fields: the packed job.
            name: the task's name; the job may be stored under an alias.
            origin: (module, function) of the task.
            module: the module that defines it, by its name in the parent.
            soft_s: the soft time limit, in seconds.
        """
        job = job_of(fields)
        runner = self._runners.get((name, soft_s))
        if runner is None:
            try:
                task, app = self._find(name, (origin[0], origin[1]), module)
            except (NotRegistered, ImportError, SystemExit) as error:
                return Runner(SHARED, SystemClock()).put_off(job, str(error))
            if len(self._runners) == _RUNNERS_MOST:
                self._runners.clear()
            runner = self._runners[name, soft_s] = _runner_of(task, app, soft_s)
        return runner(Claim(job, job.token, job.owner or ""))

    def _find(self, name: str, origin: tuple[str, str], module: str) -> tuple[Task[..., Any], App | None]:
        if module not in ("__main__", MAIN) and module not in self._faults:
            import_module(module)
        having = [app for app in list(ALL) if _has(app.registry, name, origin)]
        if self._app in having:
            having = [self._app]
        if len(having) > 1:  # made by one function that was called twice
            raise NotRegistered(
                f"several schedulers of {module!r} have a task {name!r}, and a worker process cannot tell which one to "
                "use; assign each scheduler to a global name of its module"
            )
        for app in having:
            _cut_off(app)
            return app.registry.get(name), app
        task = SHARED.own(name)
        if task is not None and task.origin == origin:
            return task, self._app
        why = self._faults.get(module) or "importing it does not register the task"
        raise NotRegistered(f"{module!r}, as imported by a worker process, has no task {name!r}: {why}")


def _has(registry: Registry, name: str, origin: tuple[str, str]) -> bool:
    task = registry.own(name)
    return task is not None and task.origin == origin


class _Elsewhere:
    """Replaces a memory store: in this process it would be a different one, and jobs added to it would be lost."""

    def __getattr__(self, name: str) -> Any:
        raise SchedulerError(
            "a job in a worker process cannot reach a store in the memory of the parent process; use a file"
        )


def _cut_off(app: App) -> None:
    url = app.backing.url
    store = app.store if url is None else app.backing.store  # without opening one
    in_memory = type(store).__module__.endswith(".store.memory") or (url or "").lower().startswith("memory:")
    if in_memory:
        app.backing.store = cast("Store", _Elsewhere())


class _Only(Registry):
    """A registry of one task, which it finds by any name."""

    def __init__(self, task: Task[..., Any]) -> None:
        super().__init__()
        self._task = task

    def find(self, name: str) -> Task[..., Any]:  # noqa: ARG002
        return self._task


def _runner_of(task: Task[..., Any], app: App | None, soft_s: float | None) -> Runner:
    limits = UNLIMITED if soft_s is None else Limits(soft_s=soft_s)

    def know(task: Task[..., Any], _: Limits | None) -> Known:
        return known(task, limits)

    if app is None:
        try:
            carrier = get_default()
            app = carrier if is_scheduler(carrier) else None
        except HourwheelError:
            app = None
    clock, on = (SystemClock(), Events()) if app is None else (app.clock, app.on)
    return Runner(_Only(task), clock, on, know=know, guard=alarm)


def alarm(limits: Limits, work: Callable[[], R]) -> R:
    """Return ``work()``, in the main thread. After ``soft_s`` seconds, SoftTimeLimitExceeded is raised in it once."""
    if limits.soft_s is None:
        return work()
    thread = threading.get_ident()
    bell = Alarm(_time_is_over)
    try:
        try:
            ALARMS[thread] = bell
            signal.signal(signal.SIGALRM, lambda *_: bell.ring())
            signal.setitimer(signal.ITIMER_REAL, limits.soft_s)
            return work()
        finally:  # twice: the limit may strike in the first one
            _disarm(bell, thread)
    finally:
        _disarm(bell, thread)


def _time_is_over() -> None:
    raise SoftTimeLimitExceeded


def _disarm(bell: Alarm, thread: int) -> None:
    bell.end()
    signal.setitimer(signal.ITIMER_REAL, 0)
    take_off(bell, thread)


# ---- logging ---------------------------------------------------------------------------------------------


class _Forwarding(logging.Handler):
    def __init__(self, channel: Channel) -> None:
        super().__init__()
        self._channel = channel

    def emit(self, record: logging.LogRecord) -> None:
        try:
            if record.exc_info and not record.exc_text:
                record.exc_text = logging.Formatter().formatException(record.exc_info)
            self._channel.send(["log", packed_record(record)])
        except Exception:
            self.handleError(record)


def _log_to(channel: Channel, setup: dict[str, Any]) -> None:
    """Send log records to the parent, unless the imported modules have configured logging.

    The levels are those of the parent, so records that it would not show are not sent.
    """
    root = logging.getLogger()
    if root.handlers:
        return
    root.addHandler(_Forwarding(channel))
    root.setLevel(setup["root_level"])
    if log.LOG.logger.parent is not None and log.LOG.logger.parent.level == logging.NOTSET:
        logging.getLogger("hourwheel").setLevel(setup["hourwheel_level"])
