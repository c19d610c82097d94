"""Calls that are stored when a database transaction is committed.

A job that is stored inside a transaction can start before its rows are visible, and runs even if they are rolled back.
Here the arguments are checked and the job gets its id inside the transaction, and it is stored after the commit.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any

from ..contract import OnConflict
from ..errors import SchedulerError
from ..job import Job

if TYPE_CHECKING:
    from .carrier import Carrier

Later = Callable[[Callable[[], object]], object]
"""Takes a function and calls it once, later."""


class AfterCommit:
    """Wraps a carrier, and stores jobs later.

    Args:
        carrier: stores the jobs.
        later: gets a function that stores them, and calls it when they should be stored.

    >>> kept = []
    >>> carrier = AfterCommit(app, kept.append)
    >>> id = carrier.submit(Job(id="a", task="app.remind", due_ms=1000))
    >>> app.store.get([id]), kept.pop()(), app.store.get([id])[0].task
    ([None], 'a', 'app.remind')
    """

    def __init__(self, carrier: Carrier, later: Later) -> None:
        self._carrier = carrier
        self._later = later

    def submit(self, job: Job, *, fresh: bool = False, on_conflict: OnConflict = "keep") -> str:
        """See Carrier.submit. Returns the id of the job itself."""
        self._later(partial(self._carrier.submit, job, fresh=fresh, on_conflict=on_conflict))
        return job.id

    def submit_many(self, jobs: Sequence[Job], *, fresh: bool = True, on_conflict: OnConflict = "keep") -> list[str]:
        """See Carrier.submit_many."""
        self._later(partial(self._carrier.submit_many, jobs, fresh=fresh, on_conflict=on_conflict))
        return [job.id for job in jobs]

    def __getattr__(self, name: str) -> Any:
        """Everything else is the carrier's."""
        return getattr(self._carrier, name)


def django_commit(using: str | None) -> Later:
    """Return Django's transaction.on_commit for a database; None for the default one.

    Raises:
        SchedulerError: Django is not installed.
    """
    try:
        transaction: Any = import_module("django.db.transaction")
    except ImportError as error:
        raise SchedulerError(
            "delay_on_commit() needs Django, which is not installed; without it, call delay() after the commit"
        ) from error
    return partial(transaction.on_commit, using=using)
