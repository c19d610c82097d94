"""Refused: the tasks whose jobs this process cannot run, so that it claims no more of them.

Two programs with different tasks may share a store without using queues. Each claims a job of the other one once,
releases it immediately (the attempt does not count), and from then on claims without that task. So the other one's jobs
start on time. A name is dropped as soon as its task is registered, or registered again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from ...clock import SystemClock
from ...tasks.registry import Registry

if TYPE_CHECKING:
    from ...schedules.fires import Schedules
    from ...tasks.task import Task


_MONOTONIC: Final = SystemClock().monotonic
_AGAIN_S: Final = 60.0


class Refused:
    """The tasks that one pool, or the sweeps of one process, cannot run."""

    def __init__(self, registry: Registry, schedules: Schedules | None = None) -> None:
        self._registry = registry
        self._unknown: Final = list if schedules is None else schedules.unknown
        self._tasks: dict[str, Task[..., Any] | None] = {}
        """The task as it was when it was refused, by name; None if there was none."""
        self._until: dict[str, float] = {}
        """When to claim a job of the task again, by name: it may have to be expired."""

    def add(self, name: str) -> bool:
        """Record that a job of a task was released. Return whether the task was not recorded before."""
        is_new = not self._is_current(name)
        self._tasks[name] = self._registry.find(name)
        self._until[name] = _MONOTONIC() + _AGAIN_S
        return is_new

    def names(self) -> list[str]:
        """Return what to exclude; see ``without`` of Store.claim."""
        if not self._tasks:
            return self._unknown()
        now = _MONOTONIC()
        tasks = [f"task:{name}" for name, until in list(self._until.items()) if now < until and self._is_current(name)]
        return [*tasks, *self._unknown()]

    def _is_current(self, name: str) -> bool:
        return name in self._tasks and self._tasks[name] is self._registry.find(name)
