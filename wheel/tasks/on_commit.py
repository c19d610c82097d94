"""Calls that are stored when a transaction of a database is committed, and whose id is known at once.

A call made inside of a transaction can start before the rows that it is about can be seen, and goes on if they are
rolled back. Here the arguments are checked and the job is made in the transaction; the store gets it after the commit.
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
"""Calls a function later, once."""


class AfterCommit:
    """A carrier like another one, but that it stores a job when it is told to.

    Args:
        carrier: what stores it.
        later: given a function that stores it.

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
        """See Carrier.submit; the id is that of the job itself."""
        self._later(partial(self._carrier.submit, job, fresh=fresh, on_conflict=on_conflict))
        return job.id

    def submit_many(self, jobs: Sequence[Job], *, fresh: bool = True, on_conflict: OnConflict = "keep") -> list[str]:
        """See Carrier.submit_many."""
        self._later(partial(self._carrier.submit_many, jobs, fresh=fresh, on_conflict=on_conflict))
        return [job.id for job in jobs]

    def __getattr__(self, name: str) -> Any:
        """All else is that of the carrier."""
        return getattr(self._carrier, name)


def django_commit(using: str | None) -> Later:
    """Django's transaction.on_commit for a database; None for the default one.

    Raises:
        SchedulerError: Django is not installed.
    """
    try:
        transaction: Any = import_module("django.db.transaction")
    except ImportError as error:
        raise SchedulerError(
            "delay_on_commit() asks Django to be told of the commit, and there is no Django here: "
            "make the call after your commit"
        ) from error
    return partial(transaction.on_commit, using=using)
