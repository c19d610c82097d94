"""Gather the facts about one job: from its store, from the processes that use the store, and from the app."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from ..contract import Filter, Store, pages
from ..job import Bound, Job, State
from ..results.deadlock import awaited
from .known import App, Judge
from .plan import held_back
from .processes import Process, processes_of
from .reasons import Facts

_FEW: Final = 100
_RUNNING: Final = Filter(states=frozenset({State.RUNNING}))


def facts_of(
    job: Job,
    store: Store,
    app: App | None,
    now_ms: int,
    *,
    look: Callable[[Store], list[Process] | None] = processes_of,
) -> Facts:
    """Return the facts about a job, about a finished one none. ``look`` finds the processes; tests pass their own."""
    if job.finished:
        return Facts(now_ms=now_ms)
    paused = frozenset(store.paused())
    running = store.scan(_RUNNING)
    processes = look(store)
    return Facts(
        now_ms=now_ms,
        paused=paused,
        before=_each(store, () if job.after is None else job.after.ids),
        holders={bound.name: _holders(bound, running) for bound in job.limits if not bound.per_ms},
        opens_ms={bound.name: _opens_ms(bound, job, store) for bound in job.limits if bound.per_ms},
        ahead=_ahead(job, store, paused, now_ms),
        running=len(running),
        waiting=sum(1 for one in running if awaited(one.reason)),
        awaited=_each(store, awaited(job.reason)) if job.state is State.RUNNING else (),
        processes=None if processes is None else tuple(processes),
        taken_ms=store.stats(now_ms).hand * 1000,
        known=None if app is None else Judge.of(app).known(job),
        queues=None if app is None else app.queues,
    )


def few_facts_of(job: Job, store: Store, now_ms: int, *, nobody: bool = False) -> Facts:
    """Return the facts that are cheap to look up in a store of any size.

    ``nobody``: the caller knows that no process takes jobs from the store.
    """
    processes = processes_of(store)
    return Facts(
        now_ms=now_ms,
        paused=frozenset(store.paused()),
        before=_each(store, () if job.after is None else job.after.ids[:_FEW]),
        processes=() if nobody else None if processes is None else tuple(processes),
        taken_ms=store.stats(now_ms).hand * 1000,
    )


def _holders(bound: Bound, running: list[Job]) -> tuple[Job, ...]:
    return tuple(job for job in running if any(one.name == bound.name and not one.per_ms for one in job.limits))


def _opens_ms(bound: Bound, job: Job, store: Store) -> int:
    """When a rate limit lets the next job start: one interval after the last start that the store knows of."""
    own = f"task:{job.task}"
    named = Filter(task=job.task) if f"{bound.name} ".startswith(f"{own} ") else Filter()
    starts = (
        one.started_ms
        for one in pages(store, named)
        if one.started_ms is not None and any(other.name == bound.name and other.per_ms for other in one.limits)
    )
    last_ms = max(starts, default=None)
    return 0 if last_ms is None else last_ms - (-bound.per_ms // bound.most)


def _ahead(job: Job, store: Store, paused: frozenset[str], now_ms: int) -> int:
    """How many due jobs are claimed before this one."""
    if job.due_ms > now_ms:
        return 0
    place = (-job.priority, job.due_ms, job.id)
    due = pages(store, Filter(states=frozenset({State.SCHEDULED}), due_before_ms=now_ms + 1))
    return sum((-one.priority, one.due_ms, one.id) < place for one in due if not held_back(one, paused))


def _each(store: Store, ids: Sequence[str]) -> tuple[tuple[str, Job | None], ...]:
    return tuple(zip(ids, store.get(ids), strict=True))
