"""Locks that the kernel drops when their holder dies: the writers' lock, and the life signs of owners.

flock, not fcntl locks: those are dropped when *any* descriptor of the file is closed anywhere in the process. The
lock is taken without blocking and polled: a blocking flock cannot be given a deadline, and stops a greenlet hub.

A lock belongs to the open file, not to the process, so a forked child shares it. It must neither unlock (that would
free the parent's lock) nor keep the descriptor open (the lock would outlive the parent): the child only closes.
"""

from __future__ import annotations

import fcntl
import os
import threading
import time
from collections.abc import Callable, Container, Iterable
from typing import Final

from ..clock import SystemClock
from ..errors import StoreBusy, StoreError, StoreUnsafe
from .begun import write_mark, write_token
from .place import Place
from .system import System, close_file

_FLAGS = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
_TRY = fcntl.LOCK_EX | fcntl.LOCK_NB
_RELEASE = fcntl.LOCK_UN
_KINDS = (".lock", ".next", ".owner.", ".journal.")
_FIRST_PAUSE_S = 0.0001
_LONGEST_PAUSE_S = 0.002
_GLANCES_S: Final = (0.001, 0.01, 0.05)
"""Who looks whether a sign is held locks it for an instant, shared."""
SLEEP_CLOCK: Final = SystemClock()
"""How long a thread has slept, which is no matter of the clock that a test moves."""


class FileLock:
    """The writers' lock on a file that is made once and never replaced.

    Should somebody remove it all the same, two processes could each hold a lock. So whoever finds it missing beside a
    store (``made``) begins a new epoch, which everybody notices before his next append; and ``check``, called whenever
    others have appended and by every verb but the adding of one job, looks whether the locked file still has a name.
    """

    def __init__(
        self, path: str, system: System, *, timeout_s: float, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._path = path
        self._system = system
        self._timeout_s = timeout_s
        self._waited_s = 0.0
        self._sleep = sleep
        self._flock = system.flock
        self._fstat = system.fstat
        self.made = False
        """Whether the file had to be made."""
        self._taken = False
        """Whether the lock may be held: noted before it is taken, for an exception may strike just behind that."""
        self._fd = self._open()

    def _open(self) -> int:
        try:
            try:
                fd = self._system.open(self._path, _FLAGS | os.O_EXCL, 0o600)
                self.made = True
            except FileExistsError:
                fd = self._system.open(self._path, _FLAGS, 0o600)
        except OSError as error:
            raise StoreUnsafe(f"the lock file {self._path} cannot be opened: {error.strerror}") from error
        return fd

    def acquire(self) -> None:
        """Take the lock.

        Raises:
            StoreBusy: it could not be had within the timeout.
        """
        self._waited_s = 0.0
        self.reacquire()

    def reacquire(self) -> None:
        """Take the lock once more in the same verb, which released it: the time that it has waited already counts.

        Raises:
            StoreBusy: it could not be had in what is left of the timeout.
        """
        if self._fd < 0:  # check() could not open the file that has the name now
            self._fd = self._open()
        self._taken = True
        try:
            self._flock(self._fd, _TRY)
        except BlockingIOError:
            self._poll()
        except OSError as error:
            raise StoreError(f"{self._path}: flock failed: {error.strerror}") from error

    def check(self) -> None:
        """Once the lock is held: make sure that it is on the file that has its name now.

        Raises:
            StoreBusy: it is not, and the lock on that file could not be had within the timeout.
        """
        while not self._fstat(self._fd).st_nlink:
            self.close()
            self._fd = self._open()
            self.reacquire()

    def release(self) -> None:
        """Give the lock back, if it is held. One that cannot be given back is dropped with its file."""
        if self._fd >= 0 and self._taken:
            try:
                self._flock(self._fd, _RELEASE)
            except OSError:
                self.close()
            self._taken = False

    def close(self) -> None:
        """Close the file; a lock that is held is dropped with it, unless a parent process shares it."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            close_file(self._system, fd)

    def _poll(self) -> None:
        pause, before = _FIRST_PAUSE_S, SLEEP_CLOCK.monotonic()
        while True:
            self._sleep(pause)
            now = SLEEP_CLOCK.monotonic()
            self._waited_s += max(pause, now - before)  # it may be busy and sleep longer, or its clock stand still
            before = now
            try:
                self._flock(self._fd, _TRY)
            except BlockingIOError:
                if self._waited_s >= self._timeout_s:
                    raise StoreBusy(
                        f"{self._path} has been locked by another process for {self._timeout_s} s "
                        f"(see `fuser {self._path}`)"
                    ) from None
                pause = min(pause * 1.5, _LONGEST_PAUSE_S)
            else:
                return


class LifeSigns:
    """For each owner a file that it keeps locked: when the lock can be had, the owner is dead.

    The name of an owner is never used twice (it has random digits), so a sign that has gone stays gone.
    """

    def __init__(self, system: System) -> None:
        self._system = system
        self._held: dict[str, int] = {}
        self._marks: dict[str, int] = {}
        self._marking = threading.Lock()

    def show(self, path: str) -> None:
        """Hold the sign at ``path`` from now on. Must be called before the owner's first claim."""
        if path in self._held:
            return
        try:
            fd = self._system.open(path, _FLAGS, 0o600)
        except OSError as error:
            raise StoreError(f"the life sign {path} cannot be opened: {error.strerror}") from error
        try:
            self._hold(fd)
        except OSError as error:
            close_file(self._system, fd)
            if isinstance(error, BlockingIOError):
                raise StoreError(f"{path} is locked: another process uses this owner's name") from error
            raise StoreError(f"the life sign {path} cannot be locked: {error.strerror}") from error
        self._held[path] = fd

    def _hold(self, fd: int) -> None:
        for pause in _GLANCES_S:
            try:
                return self._system.flock(fd, _TRY)
            except BlockingIOError:
                time.sleep(pause)
        return self._system.flock(fd, _TRY)

    def mark(self, path: str, token: int, now_ms: int) -> None:
        """Say in the sign that the claim of this token has begun, and those before it; see begun.py.

        Raises:
            StoreError: it could not be said.
        """
        with self._marking:
            newest = self._marks.get(path)
            if newest is not None and newest >= token:
                return
            fd = self._held.get(path)
            if fd is None:
                raise StoreError(f"the life sign {path} is not shown")
            try:
                if newest is None:
                    write_mark(self._system, fd, now_ms)
                if token:
                    write_token(self._system, fd, token)
            except OSError as error:
                raise StoreError(f"the life sign {path} cannot be written: {error.strerror}") from error
            self._marks[path] = token

    def lives(self, path: str) -> bool:
        """Whether somebody holds the sign at ``path``.

        Raises:
            StoreError: that cannot be told, and nobody is dead for it.
        """
        if path in self._held:
            return True
        try:
            fd = self._system.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
        except FileNotFoundError:
            return False
        except OSError as error:
            raise StoreError(f"the life sign {path} cannot be opened: {error.strerror}") from error
        try:
            self._system.flock(fd, _TRY)
        except BlockingIOError:
            return True
        except OSError as error:
            raise StoreError(f"the life sign {path} cannot be locked: {error.strerror}") from error
        finally:
            close_file(self._system, fd)
        return False

    def bury_idle(self, place: Place, owners: Iterable[str]) -> None:
        """Remove the signs that nobody holds, of programs that ended without closing the store.

        The writers' lock is held, so nobody is about to show one. Those of ``owners``, who still have jobs, stay.
        """
        needed = {place.owner(owner) for owner in owners}
        try:
            names = place.siblings(self._system, "owner")
        except OSError:
            return  # they do no harm
        for name in names:
            path = os.path.join(place.directory, name)
            try:
                if path not in needed and not self.lives(path):
                    self.bury(path)
            except StoreError:
                continue

    def bury(self, path: str) -> None:
        """Remove the sign of an owner that is dead. One that cannot be removed does no harm: nobody holds it."""
        try:
            self._system.unlink(path)
        except OSError:
            return

    def close(self, *, remove: bool) -> None:
        """Let go of the signs held here; with ``remove`` also their files (not in a forked child)."""
        held, self._held = self._held, {}
        self._marks = {}
        for path, fd in held.items():
            if remove:
                self.bury(path)
            close_file(self._system, fd)


def name_of_open_file(path: str) -> str:
    """The name by which the kernel knows what is opened as ``path``: without symbolic links in its directory."""
    return os.path.join(os.path.realpath(os.path.dirname(path)), os.path.basename(path))


def drop_inherited(stores: Container[str]) -> None:
    """In a forked child: close every lock and journal of the stores of these names that it has from its parent.

    A lock lasts until the last copy of its descriptor is closed, and a thread of the parent may have been about to open
    or close one at the moment of the fork, known to nobody but that thread; so the kernel is asked what is open. (A
    journal that a thread of the parent was syncing would be closed by that thread.) What it takes depends on the number
    of open files, not on that of the stores there have ever been: a suite of tests may open thousands.
    """
    for fd in os.listdir("/proc/self/fd"):
        try:
            if belongs_to(os.readlink(f"/proc/self/fd/{fd}"), stores):
                os.close(int(fd))
        except OSError:
            continue


def belongs_to(path: str, stores: Container[str]) -> bool:
    """Whether a file is a lock, a life sign or a journal of one of the stores.

    >>> belongs_to("/data/tasks.json.journal.7", {"/data/tasks.json"})
    True
    """
    directory, name = os.path.split(path)
    return any(
        name.startswith(_KINDS, at) and os.path.join(directory, name[:at]) in stores for at in range(1, len(name))
    )
