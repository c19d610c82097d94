"""Leaving: tasks that end by Ignore, Reject or replace(), in functions and in coroutines."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from ...tasks.options.retry import Snooze
from ...worker.run.failure import OURS
from .. import states
from ..exceptions import Ignore, Reject
from .request import EAGER

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from ...job import Job
    from ...tasks.canvas import Canvas

OURS.add(__file__)
Asked = Ignore | Reject
LEFT: Final[dict[tuple[str, int], Asked]] = {}
"""What runs have raised that are noted as left and have not been told of, by (id, token) of the job."""


class Replaced(Ignore):
    """Raised by replace()."""

    def __init__(self, by: Canvas[Any]) -> None:
        super().__init__("replaced")
        self.by = by


def state_of(asked: Asked) -> str:
    """Celery's word for a job that ended so."""
    return states.REJECTED if isinstance(asked, Reject) else states.IGNORED


def left(task: Any, job: Job, asked: Asked) -> Any:
    """Return what a run comes to that has raised this.

    Raises:
        Ignore, Reject: the same, if it runs where it was called.
        Snooze: it is to run again.
    """
    is_eager = job.owner == EAGER
    if isinstance(asked, Replaced):
        return asked.by.apply().get() if is_eager else asked.by.apply_async().get()  # type: ignore[attr-defined]
    if is_eager:
        raise asked
    if isinstance(asked, Reject) and asked.requeue:
        raise Snooze(0, reason=f"rejected: {asked.reason}") from None
    found = task.scheduler.store.get([job.id])[0]
    said = None if found is None else found.progress
    note = said if isinstance(said, dict) else {"meta": said}
    task.update_state(meta={"state": state_of(asked), **note, "left": True})
    LEFT[job.id, job.token] = asked
    return None


async def awaited(task: Any, job: Job, work: Coroutine[Any, Any, Any]) -> Any:
    """Await a coroutine function's work, and return what the run comes to; see left()."""
    try:
        return await work
    except (Ignore, Reject) as asked:
        if not isinstance(asked, Replaced) or job.owner == EAGER:
            return await asyncio.to_thread(left, task, job, asked)
        result: Any = await asyncio.to_thread(asked.by.apply_async)
        await result.aget(propagate=False)  # in a thread, many of them could take all there are
        return await asyncio.to_thread(result.get, 0)
