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

    __slots__ = ("functions", "name")

    def __init__(self, name: str) -> None:
        self.name: Final = name
        self.functions: tuple[Callable[P, object], ...] = ()
        """The functions that are hooks of the event, in the order in which they were added."""

    def __repr__(self) -> str:
        return f"<Hook {self.name}: {len(self.functions)} functions>"

    def __bool__(self) -> bool:
        return bool(self.functions)

    def __call__(self, function: Callable[P, R]) -> Callable[P, R]:
        """Add ``function`` as a hook, unless it is one already, and return it."""
        if not callable(function):
            raise InvalidValue.of("hook", "a function", function)
        if function not in self.functions:
            self.functions = (*self.functions, function)
        return function

    connect = __call__

    def remove(self, function: Callable[P, object]) -> None:
        """Remove a hook. Does nothing if the function is not one."""
        self.functions = tuple(one for one in self.functions if one != function)

    disconnect = remove

    def tell(self, *args: P.args, **kwargs: P.kwargs) -> None:
        """Call the hooks, in the order in which they were added."""
        for function in self.functions:
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

    before_add: Hook[[Job]]
    """A job is about to be stored."""
    received: Hook[[Job]]
    """A job was claimed and waits for a worker of this process."""
    started: Hook[[Job]]
    """The job's function is about to be called."""
    succeeded: Hook[[Job, Any, float]]
    """The function has returned. Arguments: the job, the result, the duration in seconds. Not stored yet."""
    failed: Hook[[Job, BaseException]]
    """The function has raised and no attempt is left; or, with JobFailed, the job expired before a retry."""
    retried: Hook[[Job, BaseException, int]]
    """The function has raised, and the job runs again at this instant (milliseconds since the epoch)."""
    snoozed: Hook[[Job, int]]
    """The job runs later, at this instant (milliseconds since the epoch). The attempt does not count."""
    skipped: Hook[[Job]]
    """The job ended without being run. Its ``reason`` says why: it expired, was too late, or waited for a job that
    did not end as required."""
    cancelled: Hook[[str]]
    """The job with this id was cancelled by this process."""
    worker_init: Hook[[Any]]
    """The scheduler is about to start; it has not claimed any job yet."""
    worker_process_init: Hook[[Any]]
    """A process is about to run its first job: a worker process, or this one if the pool has no processes."""
    worker_process_shutdown: Hook[[Any]]
    """A process has run its last job. Not called in a process that is killed."""
    worker_ready: Hook[[Any]]
    """The workers have started, and jobs are claimed after this hook: do not wait for a job in it."""
    shutdown: Hook[[Any]]
    """The scheduler has stopped."""

    __slots__ = tuple(__annotations__)

    def __init__(self) -> None:
        for name in self.__slots__:
            setattr(self, name, Hook(name))
