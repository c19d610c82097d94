"""Rewiring: let jobs wait again for what they were to wait for, where damage has taken what would have woken them."""

from __future__ import annotations

from ....job import Job
from ....job import State as JobState
from ...state.records import Awaited
from ...state.state import State


def rewire(state: State) -> list[str]:
    """Make sure that each waiting job is woken by as many jobs as it waits for; returns what was done.

    If none of these jobs is left, it is due, and ends as failed where it needs a result that is gone.
    """
    return [note for id, row in list(state.rows.items()) if b'"after":' in _text(row) for note in _rewired(state, id)]


def _text(row: Job | bytes) -> bytes:
    return row if isinstance(row, bytes) else b'"after":' if row.after is not None else b""


def _rewired(state: State, id: str) -> list[str]:
    job = state.get(id)
    if job is None or job.state is not JobState.SCHEDULED or job.after is None:
        return []
    others = [other for other in map(state.get, dict.fromkeys(job.after.ids)) if other is not None]
    unfinished = [other for other in others if not other.finished]
    if job.after.left <= sum(id in other.wakes for other in unfinished):
        return []
    if unfinished:
        state.apply(Awaited([other.id for other in unfinished], [id]))
    ended_ms = max((other.finished_ms or 0 for other in others), default=job.created_ms)
    due_ms = job.due_ms if unfinished else ended_ms + job.after.delay_ms
    state.left.pop(id, None)
    state.ring.discard(id, job.due_ms)
    state.rows[id] = job._replace(after=job.after._replace(left=len(unfinished)), due_ms=due_ms)
    state.ring.add(id, due_ms)
    return [f"job {id} waits for {len(unfinished)} of {len(job.after.ids)} jobs: nothing would have woken it"]
