"""Hooks: functions of the program that are told what happens to its jobs.

A hook runs where the event happens (in the thread of the caller, the worker or the ticker) and only in the process
where it happens, so it should be quick. One that raises is logged and changes nothing else. A hook that nobody has set
costs one look.
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
    """One event. Called with a function it takes it as a hook, and gives it back, so it is a decorator.

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
        """The functions that it calls, in the order in which they were set."""
        return self._functions

    def __call__(self, function: Callable[P, R]) -> Callable[P, R]:
        """Call ``function`` at each such event from now on; a function that is a hook already stays one once."""
        if not callable(function):
            raise InvalidValue.of("hook", "a function", function)
        if function not in self._functions:
            self._functions = (*self._functions, function)
        return function

    connect = __call__

    def remove(self, function: Callable[P, object]) -> None:
        """Call it no more; does nothing if it is no hook."""
        self._functions = tuple(one for one in self._functions if one != function)

    disconnect = remove

    def tell(self, *args: P.args, **kwargs: P.kwargs) -> None:
        """Call the functions, in the order in which they were set."""
        for function in self._functions:
            try:
                function(*args, **kwargs)
            except BaseException as error:
                if passes(error):
                    raise
                _LOG.exception("The hook %r of %s raised; nothing else is changed by that", function, self.name)


class Events:
    """What can be listened to; the arguments of each hook are in its type.

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
        """It was claimed, and waits for a worker of this process."""
        self.started: Final[Hook[[Job]]] = Hook("started")
        """Its function is about to be called."""
        self.succeeded: Final[Hook[[Job, Any, float]]] = Hook("succeeded")
        """Its function returned this, after so many seconds. The store is told next."""
        self.failed: Final[Hook[[Job, BaseException]]] = Hook("failed")
        """Its function raised this, and no attempt is left; or a job that failed before has expired: with JobFailed."""
        self.retried: Final[Hook[[Job, BaseException, int]]] = Hook("retried")
        """It raised this, and is to run again at this instant (milliseconds since the epoch)."""
        self.snoozed: Final[Hook[[Job, int]]] = Hook("snoozed")
        """It is to run later, at this instant, without the attempt being counted."""
        self.skipped: Final[Hook[[Job]]] = Hook("skipped")
        """It ended unrun, and its ``reason`` says why: it had expired, was due for too long, or had waited for another
        that did not end as it should."""
        self.cancelled: Final[Hook[[str]]] = Hook("cancelled")
        """The job of this id was cancelled, by this process."""
        self.worker_init: Final[Hook[[Any]]] = Hook("worker_init")
        """The scheduler is about to start: nothing runs yet, and nothing was claimed."""
        self.worker_process_init: Final[Hook[[Any]]] = Hook("worker_process_init")
        """A process is about to run its first job: each worker process, or this one if its pool has none."""
        self.worker_process_shutdown: Final[Hook[[Any]]] = Hook("worker_process_shutdown")
        """It has run its last job. A process that is killed tells nothing."""
        self.worker_ready: Final[Hook[[Any]]] = Hook("worker_ready")
        """Its workers have been started, and the first claim comes next: not the place to wait for a job."""
        self.shutdown: Final[Hook[[Any]]] = Hook("shutdown")
        """It has ended."""
