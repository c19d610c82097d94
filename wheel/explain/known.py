"""What an app knows about a stored job: the task's current name, whether its arguments bind, whether it can be run.

No task is run. Whether arguments bind depends only on their number and on the names of keyword arguments, so each such
shape is checked once, however many jobs have it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from difflib import get_close_matches
from functools import cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Protocol

from ..errors import PayloadError
from ..job import Job
from ..payload import decode_call
from ..schedules.stored import DEFINITION
from ..tasks.carrier import Carrier
from ..worker.pool import PoolOptions

if TYPE_CHECKING:
    from ..schedules.entry import Entry
    from ..schedules.fires import Schedules
    from ..tasks.registry import Registry
    from ..tasks.task import Task

_NEAR: Final = 3


class App(Carrier, Protocol):
    """The parts of a scheduler that are needed here."""

    @property
    def fires(self) -> Schedules:
        """Its schedules."""

    @property
    def pool(self) -> PoolOptions:
        """The pool that runs its jobs."""

    @property
    def queues(self) -> frozenset[str] | None:
        """The queues that it serves; None for all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What an app knows about a job."""

    name: str | None
    """The task's name in the app; differs from the job's if that is an alias. None if the task is unknown."""
    near: tuple[str, ...] = ()
    """Names of similar tasks, if the task is unknown."""
    misfit: str | None = None
    """Why the arguments cannot be decoded or do not bind (Python's message)."""
    refusal: str | None = None
    """Why the app's pool cannot run the task."""
    orphaned: str | None = None
    """The name of the schedule that the job is a fire of, if the app has no such schedule."""

    @property
    def sound(self) -> bool:
        """Whether the app could run the job."""
        return self.name is not None and self.misfit is None and self.refusal is None and self.orphaned is None


class Judge:
    """Answers what an app knows about jobs, with a cache."""

    def __init__(
        self, registry: Registry, pool: PoolOptions, schedules: Mapping[str, Entry] = MappingProxyType({})
    ) -> None:
        """Judge by these tasks, options of the pool, and schedules (by name)."""
        self._registry: Final = registry
        self._pool: Final = pool
        self._schedules: Final = schedules
        self._task: Final = cache(self._looked_up)
        self._refused: Final = cache(_refused)

    @classmethod
    def of(cls, app: App) -> Judge:
        """Judge by what an app has now."""
        return cls(app.registry, app.pool, app.fires.entries)

    def known(self, job: Job) -> Known:
        """Return what the app knows about a job."""
        if job.task == DEFINITION:  # which is data, and does not run
            return Known(name=DEFINITION)
        orphaned = None
        if job.fire is not None and not job.fire.followed and not job.fire.stored:  # it calls what its schedule says
            entry = self._schedules.get(job.fire.schedule)
            if entry is None:
                orphaned = job.fire.schedule
            else:
                job = job._replace(task=entry.task, payload=entry.payload)
        task, known = self._task(job.task)
        misfit = None if task is None else self._misfit(task, job)
        return replace(known, misfit=misfit, orphaned=orphaned)

    def _looked_up(self, name: str) -> tuple[Task[..., Any] | None, Known]:
        task = self._registry.find(name)
        if task is None:
            return None, Known(name=None, near=near(name, self._registry))
        return task, Known(name=task.name, refusal=self._pool.kind.refusal(task, task.limits.over(self._pool.limits)))

    def _misfit(self, task: Task[..., Any], job: Job) -> str | None:
        try:
            args, kwargs = decode_call(job.payload)
        except PayloadError as error:
            return f"its arguments cannot be read: {error}"
        given = 0 if job.after is None or job.after.gives == "nothing" else 1  # results are passed as first argument
        return self._refused(task, given + len(args), tuple(kwargs))


def _refused(task: Task[..., Any], count: int, names: tuple[str, ...]) -> str | None:
    try:
        task.check(*(None,) * count, **dict.fromkeys(names))
    except TypeError as error:
        return str(error)
    return None


def near(name: str, registry: Registry) -> tuple[str, ...]:
    """Return names of tasks like an unknown one: first the same function in other modules, then similar spellings."""
    known = sorted({one for own in registry.names() for one in (own, *registry.get(own).aliases)})
    function = name.rpartition(".")[2]
    same = [one for one in known if one.rpartition(".")[2] == function]
    return tuple(dict.fromkeys([*same, *get_close_matches(name, known, n=_NEAR, cutoff=0.7)]))[:_NEAR]
