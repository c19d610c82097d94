"""Pausing: methods of Scheduler that hold back the jobs of a queue or a task, in all processes, and let them go on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..errors import InvalidValue
from ..tasks.options.plan import checked_queue

if TYPE_CHECKING:
    from ..tasks.carrier import Carrier
    from ..tasks.task import Task


def name_of(queue: object, task: Task[..., Any] | str | None) -> str:
    """What the store calls a queue or a task that is to be paused.

    Raises:
        InvalidValue: not exactly one of the two is given, or it breaks its rule.

    >>> name_of("mail", None)
    'queue:mail'
    """
    if (queue is None) == (task is None):
        raise InvalidValue.of("queue", "given, or task, and not both", queue)
    if queue is not None:
        return f"queue:{checked_queue(queue)}"
    name = task if isinstance(task, str) else getattr(task, "name", None)
    if type(name) is not str or not name:
        raise InvalidValue.of("task", "a task, or the name of one", task)
    return f"task:{name}"


def pause(app: Carrier, *, queue: str | None = None, task: Task[..., Any] | str | None = None) -> bool:
    """Start no more jobs of a queue or a task, in any process that uses the store, until resume(). Durable.

    Jobs that run go on. Those that are held back become due, expire and misfire as ever.

    Args:
        queue: its name; or
        task: the task, or its name.

    Returns:
        Whether this changed anything.

    Raises:
        InvalidValue: not exactly one of the two is given, or it breaks its rule.
        StoreError: the store cannot pause.

    >>> app.pause(queue="mail")
    True
    """
    return bool(app.store.pause([name_of(queue, task)]))


def resume(app: Carrier, *, queue: str | None = None, task: Task[..., Any] | str | None = None) -> bool:
    """Let the jobs of a queue or a task go on; see pause().

    >>> app.resume(queue="mail")
    True
    """
    resumed = app.store.resume([name_of(queue, task)])
    if resumed:
        app.wake()
    return bool(resumed)


def paused(app: Carrier) -> list[str]:
    """What is paused: ``queue:<name>`` and ``task:<name>``, sorted."""
    return app.store.paused()
