"""Deadlock: jobs that wait for each other in get(), directly or through others, so that none can end.

What a running job waits for is stored as its ``reason``, so a cycle is found whichever processes its jobs run in. Each
job first stores what it waits for and then looks for a cycle, so the last one to join a cycle always sees it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from ..contract import Filter, Store, find
from ..job import Bound, Job, State

_SAYS: Final = "waits in get() for job "
_SAYS_FIRST: Final = "waits for the first of these and other jobs: "
_NAMED: Final = 5
"""How many of the jobs are named, of which a job waits for the first."""
_RUNNING: Final = Filter(states=frozenset({State.RUNNING}))


def words_for(waits: Sequence[tuple[str, ...]]) -> str | None:
    """The ``reason`` of a running job with these waits, each for the first of some jobs; None if there are none.

    >>> words_for([("a",), ("b",)])
    'waits in get() for job a, b'
    """
    alone = dict.fromkeys(ids[0] for ids in waits if len(ids) == 1)
    if alone:
        return _SAYS + ", ".join(alone)
    return _SAYS_FIRST + ", ".join(waits[0][:_NAMED]) if waits else None


def awaited(reason: str | None) -> list[str]:
    """The ids of jobs that a running job with this ``reason`` waits for, at least for the first of them.

    >>> awaited(words_for([("a", "b")]))
    ['a', 'b']
    """
    return _named(reason, _SAYS) or _named(reason, _SAYS_FIRST)


def _named(reason: str | None, says: str) -> list[str]:
    return reason.removeprefix(says).split(", ") if reason is not None and reason.startswith(says) else []


def why_never(store: Store, me: str, id: str) -> str | None:
    """Return why job ``id`` can never end while job ``me`` waits for it, as text; None if it can."""
    return "it is the job itself" if me == id else _Circle(store, me).why(id, (me,))


class _Circle:
    def __init__(self, store: Store, me: str) -> None:
        self._store = store
        self._me = me
        self._running: list[Job] | None = None

    def why(self, id: str, path: tuple[str, ...]) -> str | None:
        """Why the job cannot end as long as the jobs in ``path`` do not; None if it can."""
        job = find(self._store, id)
        if job is None or job.finished:
            return None
        if job.state is State.RUNNING:
            return self._of_all(_named(job.reason, _SAYS), f"job {id} waits for", (*path, id))
        if job.after is not None and job.after.left:
            return self._of_all(job.after.ids, f"job {id} is to run after", (*path, id))
        found = (self._held(bound, (*path, id)) for bound in job.limits if not bound.per_ms)
        return next((f"job {id} {why}" for why in found if why is not None), None)

    def _of_all(self, ids: Iterable[str], what: str, path: tuple[str, ...]) -> str | None:
        """Why one of the jobs, all of which must end, cannot; None if all can."""
        for id in ids:
            if id in path:
                return f"{what} {'this one' if id == self._me else f'job {id}'}"
            if (why := self.why(id, path)) is not None:
                return f"{what} job {id}, and {why}"
        return None

    def _held(self, bound: Bound, path: tuple[str, ...]) -> str | None:
        """Why none of the running jobs that use up a limit can end; None if one can."""
        if self._running is None:
            self._running = self._store.scan(_RUNNING)
        holders = [
            job for job in self._running if any(other.name == bound.name and not other.per_ms for other in job.limits)
        ]
        stuck = [job.id for job in holders if job.id in path or self.why(job.id, path) is not None]
        if len(stuck) < bound.most:
            return None
        named = ", ".join("this one" if id == self._me else f"job {id}" for id in stuck)
        return f"is held back by limit {bound.name}, which {named} {'has' if len(stuck) == 1 else 'have'}"
