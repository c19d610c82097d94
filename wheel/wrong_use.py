"""What to write instead, for a task, a call or a result that is used as if it were another of the three.

    remind             a task: it makes calls
    remind.s(7)        a call that has not been made yet
    remind.delay(7)    a result: a call that was made

Python alone would say "'Task' object has no attribute 'get'" for ``remind.get()``. Names of other libraries are known
here, too (dramatiq's ``send``, RQ's and Django's ``enqueue``, huey's ``schedule``). The methods below are hidden from
type checkers, which report such code as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from inspect import getattr_static
from typing import TYPE_CHECKING, Any, Final, NoReturn, TypeVar

from .errors import WrongUse

T = TypeVar("T")

_OF_RESULTS: Final = (
    *("aget()", "date_done", "exists()", "failed()", "forget()", "get()", "id", "info", "job()", "progress", "ready()"),
    *("reschedule()", "result", "revoke()", "state", "status", "successful()", "task_id", "traceback"),
)
_JOIN: Final = "| joins calls that have not been made, so write task.s(...) | other.s(...)"

OF_TASK: Final = {
    **{name.removesuffix("()"): f"task.delay(...).{name}" for name in _OF_RESULTS if name != "job()"},
    "aenqueue": "await task.adelay(...)",
    "call_local": "task(...)",
    "enqueue": "task.delay(...)",
    "enqueue_at": "task.at(moment).delay(...)",
    "enqueue_in": "task.after(seconds).delay(...)",
    "message": "task.s(...)",
    "schedule": "task.after(seconds).delay(...) or task.at(moment).delay(...)",
    "send": "task.delay(...)",
    "send_with_options": "task.apply_async((...), countdown=seconds)",
    "using": "task.options(...)",
}
"""What to write instead of an attribute that a task does not have."""
OF_CALL: Final = {
    **{name.removesuffix("()"): f"signature.delay().{name}" for name in _OF_RESULTS},
    "error": "signature.set(link_error=...)",
    "run": "signature.delay()",
    "then": "signature | other.s(...)",
}
"""The same for a signature, chain, group or chord."""
OF_RESULT: Final = {
    **dict.fromkeys(("after", "apply_async", "at", "delay", "options", "s", "si"), "task.delay(...) for another call"),
    **dict.fromkeys(("get_result", "latest_result", "return_value"), "result.get(timeout=seconds)"),
    "get_status": "result.state",
    "is_failed": "result.failed()",
    "is_finished": "result.successful()",
    "is_ready": "result.ready()",
    "meta": "result.progress",
    "requeue": "result.retry()",
    "restore": "result.retry()",
}
"""The same for a result."""
OF_SCHEDULER: Final = {
    **dict.fromkeys(("actor", "job"), "@app.task"),
    "add_job": "task.delay(...), task.at(moment).delay(...) or app.add_periodic_task(schedule, task)",
    **dict.fromkeys(("apply_async", "delay", "enqueue"), "task.delay(...), of a function with @app.task"),
    "enqueue_at": "task.at(moment).delay(...)",
    "enqueue_in": "task.after(seconds).delay(...)",
    "every": "@app.periodic(every(minutes=5))",
    "get_jobs": "app.store.scan() for jobs, app.schedules for schedules",
    **dict.fromkeys(("periodic_task", "scheduled_job"), "@app.periodic(schedule)"),
    "remove_job": "result.cancel() or app.remove_schedule(name)",
    "run_pending": "app.run_due()",
    "shutdown": "app.stop(timeout=seconds)",
}
"""The same for a Scheduler."""


def lacks(what: str, instead: Mapping[str, str]) -> Callable[[type[T]], type[T]]:
    """Return a class decorator: for these names, unless they are there, an object says what to write instead.

    (A ``__getattr__`` would do the same, but makes every attribute slower that is there, and hides an AttributeError
    inside of a property.)

    Args:
        what: what an object of the class is, for the messages.
        instead: what to write, by name.

    >>> remind.get()
    Traceback (most recent call last):
    hourwheel.WrongUse: a task has no 'get'; write task.delay(...).get()
    """

    def decorate(cls: type[T]) -> type[T]:
        for name in instead.keys() - {*dir(cls)}:
            setattr(cls, name, _Lacking(f"{what} has no {name!r}; write {instead[name]}"))
        cls.__dir__ = _without_lacking  # type: ignore[method-assign]
        return cls

    return decorate


class _Lacking:
    """An attribute that is not there."""

    def __init__(self, message: str) -> None:
        self._message: Final = message

    def __get__(self, thing: object, owner: type | None = None) -> NoReturn:
        raise WrongUse(self._message)


def _without_lacking(self: object) -> list[str]:
    kind = type(self)
    return [name for name in object.__dir__(self) if type(getattr_static(kind, name, None)) is not _Lacking]


class NoOperand:
    """Base class of what cannot stand beside ``|``, but often does."""

    __slots__ = ()

    if not TYPE_CHECKING:

        def __or__(self, other: Any) -> NoReturn:
            raise WrongUse(f"{_JOIN}, got {self!r} | {other!r}")

        def __ror__(self, other: Any) -> NoReturn:
            raise WrongUse(f"{_JOIN}, got {other!r} | {self!r}")
