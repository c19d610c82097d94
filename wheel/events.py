"""Hooks: functions of yours that are called when something happens to a job.

A hook is called in the process and thread in which the event happens (the caller's, a worker's or the ticker's), so it
should be quick. If it raises, that is logged and has no other effect. An event without hooks costs almost nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Generic, ParamSpec, TypeVar

from .errors import InvalidValue
from .job import Job
from .safety.calm import CalmLogger, passes

P = ParamSpec("P")
R = TypeVar("R")

_LOG: Final = CalmLogger("hourwheel.events")


class Hook(Generic[P]):
    """An event. Call it with a function to add that as a hook; it returns the function, so it works as a decorator.

    >>> @app.on.failed
    ... def alert(job, error):
    ...     print(f"{job.task} failed: {error}")
    >>> app.on.failed.remove(alert)
    """

    __slots__ = ("_functions", "name")

    def __init__(self, name: str) -> None:
        self.name: Final = name
        self._functions: tuple[Callable[P, object], ...] = ()

    def __repr__(self) -> str:
        return f"<Hook {self.name}: {len(self._functions)} functions>"

    def __bool__(self) -> bool:
        return bool(self._functions)

    @property
    def functions(self) -> tuple[Callable[P, object], ...]:
        """The functions that are hooks of the event, in the order in which they were added."""
        return self._functions

    def __call__(self, function: Callable[P, R]) -> Callable[P, R]:
        """Add ``function`` as a hook, unless it is one already, and return it."""
        if not callable(function):
            raise InvalidValue.of("hook", "a function", function)
        if function not in self._functions:
            self._functions = (*self._functions, function)
        return function

    connect = __call__

    def remove(self, function: Callable[P, object]) -> None:
        """Remove a hook. Does nothing if the function is not one."""
        self._functions = tuple(one for one in self._functions if one != function)

    disconnect = remove

    def tell(self, *args: P.args, **kwargs: P.kwargs) -> None:
        """Call the hooks, in the order in which they were added."""
        for function in self._functions:
            try:
                function(*args, **kwargs)
            except BaseException as error:
                if passes(error):
                    raise
                _LOG.exception("The hook %r of %s raised; the exception is ignored", function, self.name)


class Events:
    """The events of a scheduler. Their types show the arguments of the hooks.

    >>> @app.on.succeeded
    ... def measure(job, result, seconds):
    ...     print(f"{job.task} took {seconds:.3f} s")
    """

    __slots__ = (
        "before_add",
        "cancelled",
        "failed",
        "received",
        "retried",
        "shutdown",
        "skipped",
        "snoozed",
        "started",
        "succeeded",
        "worker_init",
        "worker_process_init",
        "worker_process_shutdown",
        "worker_ready",
    )

    def __init__(self) -> None:
        self.before_add: Final[Hook[[Job]]] = Hook("before_add")
        """A job is about to be stored."""
        self.received: Final[Hook[[Job]]] = Hook("received")
        """A job was claimed and waits for a worker of this process."""
        self.started: Final[Hook[[Job]]] = Hook("started")
        """The job's function is about to be called."""
        self.succeeded: Final[Hook[[Job, Any, float]]] = Hook("succeeded")
        """The function has returned. Arguments: the job, the result, the duration in seconds. Not stored yet."""
        self.failed: Final[Hook[[Job, BaseException]]] = Hook("failed")
        """The function has raised and no attempt is left; or, with JobFailed, the job expired before a retry."""
        self.retried: Final[Hook[[Job, BaseException, int]]] = Hook("retried")
        """The function has raised, and the job runs again at this instant (milliseconds since the epoch)."""
        self.snoozed: Final[Hook[[Job, int]]] = Hook("snoozed")
        """The job runs later, at this instant (milliseconds since the epoch). The attempt does not count."""
        self.skipped: Final[Hook[[Job]]] = Hook("skipped")
        """The job ended without being run. Its ``reason`` says why: it expired, was too late, or waited for a job that
        did not end as required."""
        self.cancelled: Final[Hook[[str]]] = Hook("cancelled")
        """The job with this id was cancelled by this process."""
        self.worker_init: Final[Hook[[Any]]] = Hook("worker_init")
        """The scheduler is about to start; it has not claimed any job yet."""
        self.worker_process_init: Final[Hook[[Any]]] = Hook("worker_process_init")
        """A process is about to run its first job: a worker process, or this one if the pool has no processes."""
        self.worker_process_shutdown: Final[Hook[[Any]]] = Hook("worker_process_shutdown")
        """A process has run its last job. Not called in a process that is killed."""
        self.worker_ready: Final[Hook[[Any]]] = Hook("worker_ready")
        """The workers have started, and jobs are claimed after this hook: do not wait for a job in it."""
        self.shutdown: Final[Hook[[Any]]] = Hook("shutdown")
        """The scheduler has stopped."""
