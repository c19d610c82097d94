"""Refused: tasks of which this process was given a job and cannot run it. It asks for no more of them.

Two programs with different tasks may share a store without naming queues. Each claims a job of the other's once, gives
it back at once and uncounted, and from then on claims without that task, so the other's jobs start on time. A name is
forgotten by itself as soon as something has changed: the task was registered, or registered anew.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypedDict

from ...clock import SystemClock
from ...tasks.registry import Registry

if TYPE_CHECKING:
    from ...schedules.fires import Schedules
    from ...tasks.task import Task


_MONOTONIC: Final = SystemClock().monotonic
_AGAIN_S: Final = 60.0


class Without(TypedDict, total=False):
    """An option of Store.claim and Store.next_due."""

    without: list[str]


class Refused:
    """What one pool, or the sweeps of one process, cannot run."""

    def __init__(self, registry: Registry, schedules: Schedules | None = None) -> None:
        self._registry = registry
        self._unknown: Final = list if schedules is None else schedules.unknown
        self._tasks: dict[str, Task[..., Any] | None] = {}
        """By name, the task as it was then; None if there was none."""
        self._until: dict[str, float] = {}
        """By name, when one of its jobs is looked at again, which may have expired since."""

    def add(self, name: str) -> bool:
        """A job of this task was given back; whether that is news."""
        is_news = not self._stands(name)
        self._tasks[name] = self._registry.find(name)
        self._until[name] = _MONOTONIC() + _AGAIN_S
        return is_news

    def names(self) -> list[str]:
        """What to claim without; see Store.claim."""
        if not self._tasks:
            return self._unknown()
        now = _MONOTONIC()
        tasks = [f"task:{name}" for name, until in list(self._until.items()) if now < until and self._stands(name)]
        return [*tasks, *self._unknown()]

    def _stands(self, name: str) -> bool:
        return name in self._tasks and self._tasks[name] is self._registry.find(name)

    def option(self) -> Without:
        """The same as an option of Store.claim and next_due; none if there is nothing to do without."""
        names = self.names()
        return {"without": names} if names else {}
