"""Kernel: what Linux offers to processes and macOS does not, each with what does instead.

Which of the two is used depends on what is there, not on the name of the system. (For what stores need, see
store/file/system/kernel.py. docs/decisions/0089-macos-for-development.md says why.)
"""

from __future__ import annotations

import ctypes
import os
import resource
import select
import signal
import sys
import threading
from typing import TYPE_CHECKING, Any, Final

from .clock import SystemClock

if TYPE_CHECKING:
    from subprocess import Popen

_SET_PDEATHSIG: Final = 1
_PRCTL: Final = getattr(ctypes.CDLL(None), "prctl", None)
_PIDFD_OPEN: Final[Any] = getattr(os, "pidfd_open", None)
_PAGES: Final = "/proc/self/statm"
_LOOK_S: Final = 0.05
"""How often to look whether a process has ended, where the kernel does not tell."""
_monotonic: Final = SystemClock().monotonic


def processors() -> int:
    """How many processors this process may use; all that there are, where the system does not tell."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def nameless_file(name: str) -> int:
    """Make a file that no path leads to, and return its descriptor. It is gone when the last descriptor is closed.

    Args:
        name: what it is for, for people who look at the open files of a process.

    Raises:
        OSError: it cannot be made.
    """
    if hasattr(os, "memfd_create"):
        fd: int = os.memfd_create(name)
        return fd
    import tempfile  # takes a while, and is not needed on Linux

    fd, path = tempfile.mkstemp(prefix=f"hourwheel-{name}-")
    os.unlink(path)
    return fd


def resident_kib() -> int:
    """How much memory this process uses, in KiB; the most that it has used, where the system tells only that."""
    try:
        with open(_PAGES, "rb") as pages:
            return int(pages.read().split()[1]) * (os.sysconf("SC_PAGE_SIZE") // 1024)
    except FileNotFoundError:
        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return most // 1024 if sys.platform == "darwin" else most  # only macOS counts in bytes


# ---- a parent and its child ------------------------------------------------------------------------------


class Lifeline:
    """What a parent holds for as long as it lives, so that a child learns of its death.

    It is a pipe: the parent's end is closed when the parent dies, however it does. Where the kernel kills the child by
    itself (PR_SET_PDEATHSIG), there is none.
    """

    def __init__(self) -> None:
        """Make one; OSError if no more descriptors are available."""
        self._ends = list(os.pipe()) if _PRCTL is None else []

    @property
    def to_pass(self) -> list[int]:
        """The descriptors that the child must inherit, and give to die_with()."""
        return self._ends[:1]

    def passed(self) -> None:
        """The child has been started: close its end here."""
        for fd in self._ends[:1]:
            os.close(fd)
        self._ends = self._ends[1:]

    def close(self) -> None:
        """Close what is open here. The child, if it runs, dies."""
        ends, self._ends = self._ends, []
        for fd in ends:
            os.close(fd)


def die_with(parent: int, lifeline: int | None) -> None:
    """From now on this process is killed when its parent dies.

    Without PR_SET_PDEATHSIG a thread does it, so a job that holds the interpreter is killed when it lets go.

    Args:
        parent: the parent's pid, as the parent sees it.
        lifeline: the inherited descriptor, if there is one; see Lifeline.
    """
    if _PRCTL is not None:
        _PRCTL(_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() not in (parent, 0):  # the parent has already died
        os._exit(1)
    if lifeline is not None:
        os.set_inheritable(lifeline, False)
        threading.Thread(target=_die_at_the_end_of, args=(lifeline,), name="hourwheel-lifeline", daemon=True).start()


def _die_at_the_end_of(lifeline: int) -> None:
    parent, poll = os.getppid(), select.poll()
    poll.register(lifeline, select.POLLIN)
    while not poll.poll(1000) and os.getppid() == parent:  # a fork of the parent may hold the pipe
        pass
    os.kill(os.getpid(), signal.SIGKILL)


class End:
    """The end of a child process, and a descriptor to read from, to be waited for together."""

    def __init__(self, process: Popen[bytes], fd: int) -> None:
        """Wait for the end of ``process`` or for ``fd``; OSError if no more descriptors are available."""
        self._pidfd = _PIDFD_OPEN(process.pid)
        self._fd = fd
        self._alone, self._both = select.poll(), select.poll()
        self._alone.register(self._pidfd, select.POLLIN)
        self._both.register(self._pidfd, select.POLLIN)
        self._both.register(fd, select.POLLIN)

    def has_come(self, timeout_s: float) -> bool:
        """Wait; return whether the process has ended. Its pid is not reused before it is waited for or killed."""
        return bool(self._alone.poll(timeout_s * 1000))

    def or_readable(self, timeout_s: float | None) -> tuple[bool, bool]:
        """Wait; return whether the process has ended, and whether the descriptor can be read."""
        events = dict(self._both.poll(None if timeout_s is None else timeout_s * 1000))
        return self._pidfd in events, self._fd in events

    def only(self) -> None:
        """Wait for the descriptor no more: nothing else will come from it."""
        self._both.unregister(self._fd)

    def close(self) -> None:
        """Wait no more."""
        os.close(self._pidfd)


class EndLookedFor(End):
    """The same where a process cannot be waited for together with a descriptor.

    Nearly always the descriptor tells at once, as its other end is closed by the death. Only if a program that the
    process has started holds that open, too, the death is noticed when it is looked for.

    To look is to reap. So whoever kills the process group of a dead process must do it at once, before its number is
    used again; and this looks only when it is asked.
    """

    def __init__(self, process: Popen[bytes], fd: int) -> None:
        """See End."""
        self._process = process
        self._fd = fd
        self._both = select.poll()
        self._both.register(fd, select.POLLIN)

    def has_come(self, timeout_s: float) -> bool:
        """See End.has_come, but the process is reaped."""
        return self._look(select.poll(), timeout_s)[0]

    def or_readable(self, timeout_s: float | None) -> tuple[bool, bool]:
        """See End.or_readable, but a process that has ended is reaped."""
        return self._look(self._both, timeout_s)

    def _look(self, poll: select.poll, timeout_s: float | None) -> tuple[bool, bool]:
        until, pause_s = None if timeout_s is None else _monotonic() + timeout_s, 0.0
        while True:
            left_s = _LOOK_S if until is None else max(0.0, until - _monotonic())
            if poll.poll(min(left_s, pause_s) * 1000):
                return False, True
            if self._process.poll() is not None:
                return True, bool(poll.poll(0))  # it may have written just before its end
            if left_s <= 0:
                return False, False
            pause_s = min(2 * pause_s + 0.001, _LOOK_S)

    def close(self) -> None:
        """See End.close."""


def end_of(process: Popen[bytes], fd: int) -> End:
    """The end of a child process or something to read from ``fd``, in the way that this system offers."""
    return (EndLookedFor if _PIDFD_OPEN is None else End)(process, fd)
