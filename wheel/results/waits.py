"""Waits: which jobs of a pool wait for others in get(), and for which.

A job that waits keeps its place and does nothing. If all places are kept so, nobody is left for what they wait for. So
the pool lends a place for each job that waits, and the ticker takes for it what is waited for (lending.py), and nothing
else: one nested call needs one more place, whatever the number of jobs that are due.

Nothing here takes a lock: a time limit may strike in the thread of a job at any line.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from functools import partial
from typing import Final

from ..errors import SchedulerError


class Waits:
    """Of one pool."""

    def __init__(self) -> None:
        self.changed: Callable[[], None] = _nothing
        """Called when another job has begun to wait."""
        self._ids: dict[int, tuple[str, ...]] = {}
        """By the token of a claim, what its job waits for."""

    def __len__(self) -> int:
        """How many jobs wait."""
        return len(self._ids)

    def ids(self) -> list[str]:
        """What they wait for."""
        return [id for ids in list(self._ids.values()) for id in ids]

    def set(self, token: int, ids: Sequence[str]) -> None:
        """The job of this claim waits for these from now on; for none, it goes on."""
        if ids:
            self._ids[token] = tuple(ids)
            self.changed()
        else:
            self._ids.pop(token, None)

    def enter(self, token: int, loop: asyncio.AbstractEventLoop | None = None) -> None:
        """What is called from now on in this context belongs to the job of this claim.

        Args:
            token: of the claim.
            loop: runs the job beside others, and must not be blocked.
        """
        HERE.set(Here(partial(self.set, token), loop))


class Here:
    """Where a job runs; a hook of the job's, too."""

    __slots__ = ("_help", "_ids", "_loop", "_pid", "_refusal", "_tell")

    def __init__(
        self,
        tell: Callable[[Sequence[str]], object] | None = None,
        loop: asyncio.AbstractEventLoop | None = None,
        refusal: str | None = None,
        help: Callable[[str], bool] | None = None,
    ) -> None:
        """A place.

        Args:
            tell: is told what is waited for, each time that this changes.
            loop: must not be blocked.
            refusal: why nobody may wait here.
            help: runs the job that is waited for, in the thread that waits; whether there was something to run.
        """
        self._tell = tell
        self._help = help
        self._loop = loop
        self._refusal = refusal
        self._ids: list[str] = []
        self._pid = _pid

    @property
    def ids(self) -> list[str]:
        """What is waited for here."""
        return list(dict.fromkeys(self._ids))

    def begin(self, id: str, *, blocks: bool) -> None:
        """Somebody is about to wait here for a job.

        Args:
            id: of the job.
            blocks: whether the thread does nothing else meanwhile.

        Raises:
            SchedulerError: it would wait for ever.
        """
        if self._refusal is not None:
            raise SchedulerError(self._refusal)
        if blocks and self._loop is not None and asyncio._get_running_loop() is self._loop:
            raise SchedulerError(
                "get() would stop the event loop that runs this job and others, perhaps the very one that is waited "
                "for; in a coroutine use: await result.aget()"
            )
        self._change(self._ids.append, id)

    def help(self, id: str) -> bool:
        """Do something that brings the end of the wait nearer; False if there is nothing to be done here."""
        if self._help is None or _pid != self._pid:
            return False
        if asyncio._get_running_loop() is None:
            return self._help(id)
        found: list[bool] = []
        thread = threading.Thread(target=lambda: found.append(self._help(id)))  # type: ignore[misc]
        try:
            thread.start()  # a coroutine that is waited for needs a loop of its own
        except RuntimeError:  # there are too many threads
            return False
        thread.join()
        return any(found)

    def end(self, id: str) -> None:
        """The wait is over."""
        self._change(self._remove, id)

    def _remove(self, id: str) -> None:
        if id in self._ids:
            self._ids.remove(id)

    def _change(self, change: Callable[[str], None], id: str) -> None:
        if _pid == self._pid:  # a child that the job has forked waits for itself
            change(id)
            if self._tell is not None:
                self._tell(list(self._ids))


HERE: Final[ContextVar[Here | None]] = ContextVar("hourwheel_here", default=None)


def without_waits(function: Callable[[], None], refusal: str) -> None:
    """Call a function, as the life of a thread, in which get() is refused when it would have to wait."""
    HERE.set(Here(refusal=refusal))
    function()


def _nothing(*_: object) -> None:
    """Where nobody listens."""


def _after_fork_in_child() -> None:
    global _pid
    _pid = os.getpid()


_pid = os.getpid()
"""Asked once: a system call for each job is a twentieth of a burst."""
os.register_at_fork(after_in_child=_after_fork_in_child)
