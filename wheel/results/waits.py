"""Waits: which jobs of a pool are waiting in get(), and for which other jobs.

A waiting job occupies a worker. If all workers are waiting, none is left for the awaited jobs. So the pool adds a
place for each waiting job, and the ticker fills it only with an awaited job (lending.py). A nested call therefore
needs one more place, however many other jobs are due.

No locks here: a time limit may strike in a job's thread at any line, and would leave a lock held.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from functools import partial
from itertools import chain
from typing import Final

from ..errors import SchedulerError

Ids = tuple[str, ...]
"""Of the jobs that one wait is for: it is over when the first of them has ended."""


class Waits:
    """The waiting jobs of one pool."""

    def __init__(self) -> None:
        self.changed: Callable[[], None] = _nothing
        """Called when a job has begun to wait."""
        self._ids: dict[int, tuple[str, ...]] = {}
        """The ids of the awaited jobs, by the token of the waiting job's claim."""

    def __len__(self) -> int:
        """How many jobs are waiting."""
        return len(self._ids)

    def ids(self) -> list[str]:
        """The ids of all awaited jobs."""
        return [id for ids in list(self._ids.values()) for id in ids]

    def set(self, token: int, ids: Sequence[str]) -> None:
        """Record what the job of a claim waits for now; nothing if ``ids`` is empty."""
        if ids:
            self._ids[token] = tuple(ids)
            self.changed()
        else:
            self._ids.pop(token, None)

    def enter(self, token: int, loop: asyncio.AbstractEventLoop | None = None) -> None:
        """Mark the current context as that of a job: get() called in it counts as this job's wait.

        Args:
            token: the token of the job's claim.
            loop: the event loop that runs the job beside others and must not be blocked, if any.
        """
        HERE.set(Here(partial(self.set, token), loop))


class Here:
    """The place where get() is called: in a job, in a hook, or in a thread where it is refused."""

    __slots__ = ("_help", "_loop", "_pid", "_refusal", "_tell", "_waits")

    def __init__(
        self,
        tell: Callable[[Sequence[str]], object] | None = None,
        loop: asyncio.AbstractEventLoop | None = None,
        refusal: str | None = None,
        help: Callable[[str], bool] | None = None,
    ) -> None:
        """Describe a place.

        Args:
            tell: called with the ids of the awaited jobs each time they change.
            loop: the event loop that must not be blocked, if any.
            refusal: why waiting is refused here; None if it is allowed.
            help: runs the awaited job in the waiting thread; returns whether there was something to run.
        """
        self._tell = tell
        self._help = help
        self._loop = loop
        self._refusal = refusal
        self._waits: list[Ids] = []
        self._pid = _pid

    @property
    def ids(self) -> list[str]:
        """The ids of the jobs that are awaited here."""
        return list(dict.fromkeys(chain.from_iterable(self._waits)))

    @property
    def waits(self) -> list[Ids]:
        """The ids of the jobs of each wait."""
        return list(self._waits)

    def begin(self, ids: Ids, *, blocks: bool) -> None:
        """Record that a wait begins, for the first of these jobs. ``blocks``: whether it blocks the thread.

        Raises:
            SchedulerError: the wait would never end, or is refused here.
        """
        if self._refusal is not None:
            raise SchedulerError(self._refusal)
        if blocks and self._loop is not None and asyncio._get_running_loop() is self._loop:
            raise SchedulerError(
                "get() would block the event loop that runs this job and perhaps the one it waits for; in a coroutine, "
                "use: await result.aget()"
            )
        self._change(self._waits.append, ids)

    def help(self, id: str) -> bool:
        """Run the awaited job, or one that it needs, if possible; return whether one was run."""
        if self._help is None or _pid != self._pid:
            return False
        if asyncio._get_running_loop() is None:
            return self._help(id)
        found: list[bool] = []
        thread = threading.Thread(target=lambda: found.append(self._help(id)))  # type: ignore[misc]
        try:
            thread.start()  # the awaited job may be a coroutine, which needs a loop of its own
        except RuntimeError:  # no thread could be started
            return False
        thread.join()
        return any(found)

    def end(self, ids: Ids) -> None:
        """Record that a wait is over."""
        self._change(self._remove, ids)

    def _remove(self, ids: Ids) -> None:
        if ids in self._waits:
            self._waits.remove(ids)

    def _change(self, change: Callable[[Ids], None], ids: Ids) -> None:
        if _pid == self._pid:  # not in a child process that the job has forked
            change(ids)
            if self._tell is not None:
                self._tell(self.ids)


HERE: Final[ContextVar[Here | None]] = ContextVar("hourwheel_here", default=None)


def without_waits(function: Callable[[], None], refusal: str) -> None:
    """Run the body of a thread in which get() is refused if it would have to wait; ``refusal`` says why."""
    HERE.set(Here(refusal=refusal))
    function()


def _nothing(*_: object) -> None:
    """The default of ``changed``."""


def _after_fork_in_child() -> None:
    global _pid
    _pid = os.getpid()


_pid = os.getpid()
"""Cached: one system call per job would take 5 % of the time of a burst."""
os.register_at_fork(after_in_child=_after_fork_in_child)
