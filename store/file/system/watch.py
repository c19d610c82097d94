"""Watch: wakes who sleeps on a store when anybody writes to its journal, in this process or in another.

The kernel tells the sleeper (inotify), so a writer makes no system call for it, keeps no list of sleepers, and leaves
nothing in the directory. The events of a watched file fall into one while nobody reads them, so a bell that rings a
thousand times costs one wake-up. What does not concern the sleeper, such as a job that is due tomorrow, wakes it too;
therefore it listens at most some 200 times a second, and sleeps in between.

One thread of a process listens; others are woken by it, or look every 30 ms. So do all where the kernel has no inotify,
grants no more of them, or cannot know of writes (on a network file system), and where poll() would stop all greenlets.
docs/decisions/0094 has the measurements.
"""

from __future__ import annotations

import ctypes
import os
import select
import threading
import weakref
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final, Protocol

from ...doorbell import Doorbell
from .lock import SLEEP_CLOCK

POLL_S: Final = 0.03
"""How often a sleeper looks that cannot listen."""
_LEAST_S: Final = 0.001
"""How much of its timeout a wake-up uses up where the clock stands still."""
_LONGEST_S: Final = 1.0
"""A sleeper that has heard nothing looks after this time all the same."""
_BURST: Final = 50
_PER_SECOND: Final = 200.0
_LIBC: Final[Any] = ctypes.CDLL(None, use_errno=True)
_WRITTEN: Final = 2
"""IN_MODIFY"""


class Written(Protocol):
    """An open file; ``fd`` is -1 once it is closed."""

    fd: int


class Watch:
    """The doorbell of a store: rung by ``ring``, and by every write to its journal.

    Args:
        deaf: the file system does not tell what other machines write.
    """

    def __init__(self, *, deaf: bool = False) -> None:
        self._bell = Doorbell()
        self._deaf = deaf or not hasattr(_LIBC, "inotify_init1") or not hasattr(os, "eventfd")
        self._ears: _Ears | None = None
        self._listening: dict[int, object] = {}
        self._pace = _Pace()
        _ALL.add(self)

    def ring(self) -> None:
        """Wake all waiting threads of this process."""
        self._bell.ring()
        ears = self._ears
        if self._listening and ears is not None:
            ears.wake()

    def rest(self, timeout_s: float) -> None:
        """Sleep until ``ring``, or for ``timeout_s`` seconds."""
        self._bell.wait(timeout_s)

    def wait(self, timeout_s: float, file: Callable[[], Written], has_news: Callable[[], bool]) -> bool:
        """Sleep until ``ring``, until there is news, or for ``timeout_s`` seconds; return False in the last case.

        Args:
            timeout_s: how long to sleep at most, in seconds.
            file: the file to which others write, as of now.
            has_news: whether they have; called after each wake-up.
        """
        left, before = timeout_s, SLEEP_CLOCK.monotonic()
        while True:
            rang, slept_s = self._sleep(min(left, _LONGEST_S), file, has_news)
            if rang:
                return True
            now = SLEEP_CLOCK.monotonic()
            left -= now - before or max(slept_s, _LEAST_S)  # in a test, the clock may stand still
            before = now
            if has_news():
                return True
            if left <= 0:
                return False

    def _sleep(self, most_s: float, file: Callable[[], Written], has_news: Callable[[], bool]) -> tuple[bool, float]:
        """Returns whether the bell was rung, and a part of the time that was slept."""
        me = object()
        pause_s = self._pace.pause_s()
        ears = None if pause_s or most_s <= 0 else self._open()
        if ears is None or self._listening.setdefault(0, me) is not me:
            pause_s = min(most_s, pause_s or POLL_S)
            return self._bell.wait(pause_s), pause_s
        try:
            if not ears.turn_to(file()):
                most_s = min(most_s, POLL_S)
            ears.forget()  # before looking: what is written from here on wakes
            if self._bell.wait(0):
                return True, 0.0
            if has_news():
                return False, 0.0
            heard = ears.listen(most_s)
            if heard:
                self._pace.woken()
            return self._bell.wait(0), 0.0 if heard else most_s
        finally:
            if self._listening.get(0) is me:
                del self._listening[0]

    def _open(self) -> _Ears | None:
        if not _may_poll():
            return None
        if self._ears is None and not self._deaf:
            with suppress(OSError):  # there are too many open files, or inotify instances of this user
                self._ears = _Ears()
        return self._ears

    def close(self) -> None:
        """Wake all, and listen no more. A thread that listens closes its files when it wakes up."""
        self._deaf = True
        self.ring()
        self._ears = None

    def forget_parent(self) -> None:
        """In a forked child, where no other thread listens: close what is shared with the parent."""
        ears, self._ears = self._ears, None
        self._listening = {}
        if ears is not None:
            ears.close()


_ALL: Final[weakref.WeakSet[Watch]] = weakref.WeakSet()


def _after_fork_in_child() -> None:
    for watch in list(_ALL):
        watch.forget_parent()


os.register_at_fork(after_in_child=_after_fork_in_child)


def _may_poll() -> bool:
    """Whether poll() stops this thread only. eventlet has none, and gevent has its own."""
    poll: Any = getattr(select, "poll", None)
    has_threads = threading.Lock.__module__ == "_thread"
    return poll is not None and (has_threads or poll.__module__ != "select")


class _Pace:
    """How often one may be woken: 50 times at once, and 200 times a second."""

    def __init__(self) -> None:
        self._left = float(_BURST)
        self._since = SLEEP_CLOCK.monotonic()

    def woken(self) -> None:
        self._left -= 1.0

    def pause_s(self) -> float:
        """How long not to listen, in seconds."""
        now = SLEEP_CLOCK.monotonic()
        self._left = min(float(_BURST), self._left + max(0.0, now - self._since) * _PER_SECOND)
        self._since = now
        return 0.0 if self._left >= 1.0 else 1.0 / _PER_SECOND


class _Ears:
    """What the kernel wakes a thread by.

    It is closed when nobody refers to it any more: a number that a thread still uses must not become another file's.
    """

    def __init__(self) -> None:
        """Make them; OSError if there are no more."""
        self._fds: list[int] = []
        self._file: Written | None = None
        self._watch = -1
        made = _LIBC.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        if made < 0:
            raise OSError(ctypes.get_errno(), "inotify_init1")
        self._fds.append(made)
        self._fds.append(os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC))  # type: ignore[attr-defined,unused-ignore]

    def turn_to(self, file: Written) -> bool:
        """Watch this file, in the place of another; return whether that is possible."""
        if file is not self._file:
            inotify = self._fds[0]
            _LIBC.inotify_rm_watch(inotify, self._watch)
            self._watch = _LIBC.inotify_add_watch(inotify, b"/proc/self/fd/%d" % file.fd, _WRITTEN)
            self._file = file
        return self._watch >= 0

    def forget(self) -> None:
        """Forget what was heard."""
        inotify, event = self._fds
        with suppress(BlockingIOError):
            while os.read(inotify, 4096):
                pass
        with suppress(BlockingIOError):
            os.read(event, 8)

    def listen(self, most_s: float) -> bool:
        """Sleep until something is heard, or for ``most_s`` seconds; return whether it was."""
        poll = select.poll()
        for fd in self._fds:
            poll.register(fd, select.POLLIN)
        return bool(poll.poll(most_s * 1000))

    def wake(self) -> None:
        """End the sleep of the thread that listens."""
        with suppress(OSError):
            os.eventfd_write(self._fds[1], 1)  # type: ignore[attr-defined,unused-ignore]

    def close(self) -> None:
        """Close the descriptors."""
        fds, self._fds = self._fds, []
        for fd in fds:
            with suppress(OSError):
                os.close(fd)

    __del__ = close
