"""Control: ``app.control``: what can be told to jobs and asked of workers. The store answers, not the workers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any, Final

from ...contract import Filter, Found, pages
from ...errors import HourwheelError
from ...job import Job, State
from ..settings import absent
from ..settings.absent import forbid

_AT_ONCE: Final = 1_000
"""Jobs to cancel in one durable write."""


class Control:
    """Commands of an app."""

    def __init__(self, app: Any) -> None:
        self.app = app
        self.inspect = lambda *_, **__: Inspect(app)

    def revoke(
        self,
        task_id: str | Iterable[str],
        destination: Any = None,
        terminate: bool = False,
        signal: Any = None,
        **_: Any,
    ) -> None:
        """Cancel jobs that have not started, durably.

        Raises:
            HourwheelError: with ``terminate``, if one of them runs: a run cannot be stopped from outside.
        """
        ids = [task_id] if isinstance(task_id, str) else list(task_id)
        found = self.app.store.cancel(ids, self.app.clock.now_ms())
        running = [id for id, state in zip(ids, found, strict=True) if state is Found.RUNNING]
        if terminate and running:
            raise HourwheelError(
                f"{', '.join(running)} run, and a run cannot be stopped from outside; they are marked as cancelled: "
                "let the task look at self.is_cancelled(), or give it a time_limit"
            )

    def terminate(self, task_id: str, signal: Any = None, **_: Any) -> None:
        """Cancel jobs; see revoke()."""
        self.revoke(task_id, terminate=True, signal=signal)

    def purge(self, connection: Any = None) -> int:
        """Cancel all jobs that wait, whenever they are due; returns how many."""
        store, count = self.app.store, 0
        waiting = iter([job.id for job in pages(store, Filter(states=frozenset({State.SCHEDULED})))])
        while ids := list(islice(waiting, _AT_ONCE)):
            count += store.cancel(ids, self.app.clock.now_ms()).count(Found.SCHEDULED)
        return count

    discard_all = purge

    def rate_limit(self, *_: Any, **__: Any) -> None:
        """Refused: a limit is the task's."""
        raise HourwheelError("a rate limit is the task's: give it to @app.task(rate_limit=...)")

    def _refuse(self, *_: Any, **__: Any) -> None:
        raise HourwheelError(
            "workers take no commands from others; stop one by its signal (SIGTERM), and see `hourwheel jobs`, `why` "
            "and `pause`, which ask the store"
        )

    time_limit = shutdown = pool_grow = pool_shrink = pool_restart = autoscale = broadcast = _refuse
    add_consumer = cancel_consumer = enable_events = disable_events = heartbeat = election = _refuse

    def ping(self, *_: Any, **__: Any) -> list[dict[str, Any]]:
        """The workers that have running jobs."""
        return [{owner: {"ok": "pong"}} for owner in Inspect(self.app).active()]


class Inspect:
    """What the store knows of jobs, in the shape in which workers would answer."""

    def __init__(self, app: Any) -> None:
        self._app = self.app = app

    def _jobs(self, state: State) -> Iterable[Job]:
        return pages(self._app.store, Filter(states=frozenset({state})))

    def active(self, safe: Any = None) -> dict[str, list[dict[str, Any]]]:
        """The jobs that run, by the worker that runs them."""
        found: dict[str, list[dict[str, Any]]] = {}
        for job in self._jobs(State.RUNNING):
            found.setdefault(job.owner or "", []).append(_told(job))
        return found

    def scheduled(self, safe: Any = None) -> dict[str, list[dict[str, Any]]]:
        """The jobs that wait for their time."""
        waiting = [
            {"eta": job.due_ms / 1000, "priority": job.priority, "request": _told(job)}
            for job in self._jobs(State.SCHEDULED)
        ]
        return {self._app.owner: waiting}

    def reserved(self, safe: Any = None) -> dict[str, list[dict[str, Any]]]:
        """Nothing: a job is claimed when a worker is free."""
        return {self._app.owner: []}

    def registered(self, *_: Any) -> dict[str, list[str]]:
        """The tasks of this process."""
        return {self._app.owner: self._app.registry.names()}

    registered_tasks = registered

    def stats(self) -> dict[str, Mapping[str, Any]]:
        """The number of jobs by their state."""
        found = self._app.store.stats(self._app.clock.now_ms())
        return {
            self._app.owner: {name: getattr(found, name) for name in ("scheduled", "running", "succeeded", "failed")}
        }

    def ping(self, *_: Any) -> dict[str, dict[str, str]]:
        """The workers that have running jobs."""
        return {owner: {"ok": "pong"} for owner in self.active()}

    def query_task(self, *ids: Any) -> dict[str, Any]:
        """The jobs of these ids."""
        wanted = [one for id in ids for one in ([id] if isinstance(id, str) else id)]
        found = [job for job in self._app.store.get(wanted) if job is not None]
        return {self._app.owner: {job.id: [str(job.state), _told(job)] for job in found}}


def _told(job: Job) -> dict[str, Any]:
    return {
        "id": job.id,
        "name": job.task,
        "args": list(job.args),
        "kwargs": job.kwargs,
        "hostname": job.owner,
        "time_start": None,
        "delivery_info": {"routing_key": job.queue, "priority": job.priority},
    }


forbid(Control, absent.CONTROL)
forbid(Inspect, absent.INSPECT)
