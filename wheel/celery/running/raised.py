"""What a task raised, as an exception again: of its own class where that is imported here, and a JobFailed besides."""

from __future__ import annotations

import sys
from typing import Any, cast

from ...errors import JobFailed
from ...job import Job, State
from ...results import result

_KINDS: dict[type, Any] = {}


def error_of(job: Job) -> BaseException:
    """The exception of a job that did not succeed. It is a JobFailed, and of the class that the task raised."""
    if job.error is None or job.state in (State.CANCELLED, State.EXPIRED):
        return result.error_of(job)
    kind, message, traceback = job.error
    made = _of_class(_class_of(kind), message)
    if made is None:
        return JobFailed(f"{kind}: {message}" if message else kind, type=kind, traceback=traceback)
    made.type, made.traceback = kind, traceback
    return cast("BaseException", made)


def _of_class(cls: type[BaseException] | None, message: str) -> Any:
    """An exception of a class, without calling its ``__init__``, of which only the message is known."""
    if cls is None:
        return None
    try:
        made: Any = cls.__new__(cls)
    except TypeError:
        return None
    made.args = (message,) if message else ()
    return made


def _class_of(name: str) -> type[BaseException] | None:
    """JobFailed joined with the class of that name, if its module is imported; nothing is imported for it."""
    module, _, attribute = name.rpartition(".")
    found: Any = sys.modules.get(module or "builtins")
    if module == "hourwheel":  # whose names are loaded when they are needed
        found = getattr(found, attribute, None)
    else:
        found = None if found is None else vars(found).get(attribute)
    if not isinstance(found, type) or not issubclass(found, Exception):
        return None
    if issubclass(found, JobFailed):
        return found
    if found not in _KINDS:
        try:
            _KINDS[found] = type(found.__name__, (JobFailed, found), {"__module__": found.__module__, "__str__": _text})
        except TypeError:  # their memory layouts differ
            return None
    joined: type[BaseException] = _KINDS[found]
    return joined


def _text(error: Any) -> str:
    return str(error.args[0]) if error.args else ""
