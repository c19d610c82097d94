"""MemoryStore: a state behind a lock. Durable for as long as the process lives; a verified fake for tests."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from ..errors import StoreClosed
from ..job import Job
from .admission import checked_max_pending
from .doorbell import Doorbell
from .records import Record
from .state import State
from .verbs import StateVerbs

_FORGET_EVERY = 1024


class MemoryStore(StateVerbs):
    """Keeps the ring in this process's memory.

    >>> store = MemoryStore()
    >>> store.add([Job(id="a", task="app.remind", due_ms=1000)])
    ['a']
    >>> [claim.token for claim in store.claim("me", 1000, 10)]
    [1]
    """

    def __init__(self, *, max_pending: int | None = None) -> None:
        """An empty store.

        Args:
            max_pending: while so many jobs are scheduled, adding one raises TooManyPending.

        Raises:
            InvalidValue: that is no whole number, 1 or more.
        """
        self.max_pending = checked_max_pending(max_pending)
        self._state = State()
        self._lock = threading.Lock()
        self._bell = Doorbell()
        self._closed = False
        self._settled = 0

    def __repr__(self) -> str:
        return "MemoryStore()"

    @contextmanager
    def _reading(self) -> Iterator[State]:
        with self._lock:
            if self._closed:
                raise StoreClosed("the store is closed")
            yield self._state

    _changing = _reading

    def _commit(self, new: Sequence[Job], records: Sequence[Record]) -> None:
        state = self._state
        for record in records:
            state.apply(record)
        for job in new:
            state.insert(job.id, job.due_ms, job, job.key)
        self._forget_now_and_then(records)

    def _forget_now_and_then(self, records: Sequence[Record]) -> None:
        self._settled += len(records)
        if self._settled >= _FORGET_EVERY:
            self._settled = 0
            now_ms = max((getattr(record, "now_ms", 0) for record in records), default=0)
            self._state.forget(now_ms)

    def wait(self, timeout_s: float) -> bool:
        """See Wakeup.wait."""
        return self._bell.wait(timeout_s)

    def notify(self) -> None:
        """See Wakeup.notify."""
        self._bell.ring()

    def close(self) -> None:
        """Let go of everything."""
        with self._lock:
            self._closed = True
        self._bell.ring()
