"""Pausing: hold back the jobs of a queue or a task, in all processes, until they are resumed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .contract import Pausable, Store
from .errors import InvalidValue, StoreError
from .options import checked_queue

if TYPE_CHECKING:
    from .task import Task


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


def pausable(store: Store) -> Pausable:
    """The store as one that can pause.

    Raises:
        StoreError: it cannot.
    """
    if not isinstance(store, Pausable):
        raise StoreError(f"{store!r} cannot pause queues and tasks")
    return store
