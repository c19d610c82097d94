"""Make the pool that a scheduler's options ask for."""

from __future__ import annotations

from collections.abc import Collection
from functools import partial
from typing import Any, Final

from ...clock import Clock
from ...contract import Store
from ...errors import SchedulerError
from ...events import Events
from ...tasks.options.routes import Routes
from ...tasks.options.time_limits import Limits
from ...tasks.registry import Registry
from ...tasks.task import Task
from ..heart import Heart
from ..run.refused import Refused
from ..run.runner import Known, Runner, known
from . import inside
from .options import PoolOptions
from .protocol import Pool
from .threads import ThreadPool

_PACKAGE: Final = __name__.partition(".")[0] + "."


def make_pool(
    options: PoolOptions,
    registry: Registry,
    clock: Clock,
    on: Events,
    queues: Collection[str] | None,
    routes: Routes | None,
    refused: Refused,
    store: Store,
    heart: Heart,
) -> Pool:
    """Make a pool, without starting it.

    Raises:
        SchedulerError: this program cannot have such a pool, or the pool cannot run one of the tasks.
    """
    inside.refuse_scheduler()
    _refuse_tasks(options, registry, queues, routes)

    def know(task: Task[..., Any], of_job: Limits | None) -> Known:
        limits = (of_job or task.limits).over(options.limits)
        return known(task, limits, options.kind.refusal(task, limits))

    runner = partial(Runner, registry, clock, on, know=know, refused=refused, look=store.get, mark=heart.marks())

    # Imported when needed: the thread pool should not pay for the others.
    match options.kind.name:
        case "asyncio":
            from .aio import AsyncioPool

            return AsyncioPool(options.workers, runner(), clock)
        case "processes":
            from .processes import ProcessPool

            return ProcessPool(options, registry, runner(), clock)
        case "gevent" | "eventlet" as name:
            from .green import GreenPool, guard_of

            return GreenPool(name, options.workers, runner(guard=guard_of(name)), clock)
    return ThreadPool(options.workers, runner(), clock)


def _refuse_tasks(
    options: PoolOptions, registry: Registry, queues: Collection[str] | None, routes: Routes | None
) -> None:
    for task in sorted(map(registry.get, registry.names()), key=_is_ours):  # a message names one of the program's
        name = task.name
        plan = task.plan if routes is None else routes.place(name, task.plan)
        if queues is None or plan.queue in queues:
            reason = options.kind.refusal(task, task.limits.over(options.limits))
            if reason is not None:
                raise SchedulerError(f"task {name} cannot be run by a pool of {options.kind.name}: {reason}")


def _is_ours(task: Task[..., Any]) -> bool:
    return task.origin[0].startswith(_PACKAGE)
