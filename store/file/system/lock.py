"""Locks that the kernel drops when their holder dies: the writers' lock, and the life signs of owners.

They are flocks, as an fcntl lock is dropped when *any* descriptor of the file is closed in the process. The lock is
taken without blocking and polled: a blocking flock has no deadline, and stops a greenlet hub.

A lock belongs to the open file, not to the process, so a forked child shares it. The child must neither unlock it,
which would free the parent's lock, nor keep the descriptor open, which would let the lock outlive the parent. It only
closes the descriptor.
"""

from __future__ import annotations

import fcntl
import os
import re
import time
import weakref
from collections.abc import Callable, Container, Iterable
from contextlib import suppress
from threading import get_ident
from typing import Final

from ....clock import SystemClock
from ....errors import StoreBusy, StoreError, StoreReentered, StoreUnsafe
from .begun import Mark
from .ended import is_named
from .place import Place
from .system import MAKE, READ, System, close_file, opened, write_all

_TRY = fcntl.LOCK_EX | fcntl.LOCK_NB
_RELEASE = fcntl.LOCK_UN
_KINDS = (".lock", ".next", ".owner.", ".journal.")
_FIRST_PAUSE_S = 0.0001
_LONGEST_PAUSE_S = 0.002
_GLANCES_S: Final = (0.001, 0.01, 0.05)
"""A process that looks whether a sign is held locks it for an instant."""
DOUBT_MS: Final = 3_000
"""How long an owner has to show a removed sign again: more than two ticks."""
_DOUBT_MOST: Final = 20
_SIGN_MOST: Final = 512
SLEEP_CLOCK: Final = SystemClock()
"""Measures how long a thread has slept, whatever a test does to its own clock."""


class FileLock:
    """The writers' lock, on a file that is made once and never replaced.

    If the file is removed all the same, two processes could each hold a lock. So a process that finds it missing beside
    a store (``made``) begins a new epoch, which every other process notices before its next append. And ``check``,
    which each verb calls except the adding of one job to a store that nobody else has changed, looks whether the locked
    file still has its name.
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
        """Whether the lock may be held: set before it is taken, as an exception may strike just after that."""
        self._thread = 0
        self._fd = self._open()

    def _open(self) -> int:
        try:
            try:
                fd = self._system.open(self._path, MAKE | os.O_EXCL, 0o600)
                self.made = True
                return fd
            except FileExistsError:
                return self._system.open(self._path, MAKE, 0o600)
        except OSError as error:
            raise StoreUnsafe(f"the lock file {self._path} cannot be opened: {error.strerror}") from error

    def acquire(self) -> None:
        """Take the lock; StoreBusy if it could not be had within the timeout."""
        self._waited_s = 0.0
        self.reacquire()

    def reacquire(self) -> None:
        """Take the lock again in the same verb, within what is left of the timeout; else StoreBusy."""
        if self._fd < 0:  # check() could not open the file that has the name now
            self._fd = self._open()
        self._taken, self._thread = True, get_ident()
        try:
            self._flock(self._fd, _TRY)
        except BlockingIOError:
            self._refuse_to_wait_for_itself()
            self._poll()
        except OSError as error:
            raise StoreError(f"{self._path}: flock failed: {error.strerror}") from error

    def try_now(self) -> bool:
        """Take the lock if it is free."""
        try:
            if self._fd < 0:
                self._fd = self._open()
            self._taken, self._thread = True, get_ident()
            self._flock(self._fd, _TRY)
        except (OSError, StoreError):
            self._taken = False
            return False
        return True

    def check(self) -> None:
        """Make sure that the lock, which is held, is on the file that has its name now.

        The lock on the old file is kept until the new one is taken, so that no process that knows only the old file is
        in the middle of a change then. StoreBusy if the new one could not be had within the timeout.
        """
        while not is_named(self._path, self._fd, self._system):
            old, self._fd = self._fd, -1
            try:
                self.reacquire()
            finally:
                close_file(self._system, old)

    def release(self) -> None:
        """Release the lock, if it is held. If that fails, the file is closed, which drops the lock."""
        if self._fd >= 0 and self._taken:
            try:
                self._flock(self._fd, _RELEASE)
            except OSError:
                self.close()
            self._taken = False

    def close(self) -> None:
        """Close the file; a lock that is held is dropped with it, unless a parent process shares it."""
        fd, self._fd = self._fd, -1
        self._taken = False
        if fd >= 0:
            close_file(self._system, fd)

    def know_handlers(self) -> FileLock:
        """From now on a signal handler does not wait for a lock that the interrupted thread holds.

        That thread may just be opening the store again.
        """
        _LOCKS.add(self)
        return self

    def _refuse_to_wait_for_itself(self) -> None:
        others = list(_LOCKS) if self in _LOCKS else ()
        for other in others:
            if other is not self and other._taken and (other._path, other._thread) == (self._path, self._thread):
                raise StoreReentered(self._path)

    def _poll(self) -> None:
        pause, before = _FIRST_PAUSE_S, SLEEP_CLOCK.monotonic()
        while True:
            self._sleep(pause)
            now = SLEEP_CLOCK.monotonic()
            self._waited_s += max(pause, now - before)  # it may sleep longer, or a test's clock stand still
            before = now
            try:
                self._flock(self._fd, _TRY)
            except BlockingIOError:
                if self._waited_s >= self._timeout_s:
                    raise StoreBusy(
                        f"{self._path} has been locked by {holder_of(self._fd)} for {self._timeout_s} s "
                        f"(see `fuser {self._path}`)"
                    ) from None
                pause = min(pause * 1.5, _LONGEST_PAUSE_S)
            else:
                return


def holder_of(fd: int) -> str:
    """Which process holds a lock on an open file, in words; "another process" if the kernel does not say."""
    try:
        number = os.fstat(fd).st_ino
        with open("/proc/locks", encoding="ascii") as locks:
            found = re.search(rf"FLOCK +ADVISORY +WRITE (\d+) \S+:{number} ", locks.read())
        if found is None:
            return "another process"
        with open(f"/proc/{found[1]}/cmdline", encoding="utf-8", errors="replace") as words:
            command = words.read(200).replace("\0", " ").strip()
    except (OSError, ValueError):
        return "another process"
    me = ", this very one" if int(found[1]) == os.getpid() else ""
    return f"another process (pid {found[1]}{me}: {command})"


_LOCKS: Final[weakref.WeakSet[FileLock]] = weakref.WeakSet()


class LifeSigns:
    """For each owner a file that it keeps locked: if another process can lock it, the owner is dead.

    The name of an owner is never used twice (it has random digits), so a sign that its owner removed stays gone. If it
    is missing although its owner has jobs, something else has removed it, such as a cleaner of old files. Then a
    *doubt* takes its place: an unlocked sign that says since when. A living owner shows its sign again at its next
    claim, within a second if it ticks; one that is in doubt for DOUBT_MS is dead.

    If a sign cannot be read, perhaps because it is another user's, its owner counts as alive.
    """

    def __init__(self, system: System) -> None:
        self._system = system
        self._held: dict[str, int] = {}
        self._marks: dict[str, Mark] = {}

    def show(self, path: str) -> None:
        """Hold the sign at ``path`` from now on; StoreError if that fails. Call this before each claim of the owner."""
        held, mark = self._held.get(path), self._marks.get(path)
        if held is not None and is_named(path, held, self._system):
            return
        try:
            fd = self._system.open(path, MAKE, 0o600)
        except OSError as error:
            raise StoreError(f"the life sign {path} cannot be opened: {error.strerror}") from error
        try:
            self._hold(fd)
            if self._system.fstat(fd).st_size:
                self._system.ftruncate(fd, 0)  # a doubt about us
            if mark is not None:
                mark.move(fd)
            self._held[path] = fd
        except BaseException as error:  # an exception from outside would leave it locked, even for this process
            if self._held.get(path) != fd:
                if mark is not None:
                    mark.end(fd)
                close_file(self._system, fd)
            if isinstance(error, BlockingIOError):
                raise StoreError(f"{path} is locked: another process uses this owner's name") from error
            if isinstance(error, OSError) and not isinstance(error, StoreError):
                raise StoreError(f"the life sign {path} cannot be locked: {error.strerror}") from error
            raise
        if held is not None:
            close_file(self._system, held)

    def _hold(self, fd: int) -> None:
        for pause in _GLANCES_S:
            try:
                return self._system.flock(fd, _TRY)
            except BlockingIOError:
                time.sleep(pause)
        return self._system.flock(fd, _TRY)

    def mark(self, path: str, now_ms: int) -> Mark:
        """The mark in the sign at ``path``, which is shown (see begun.py); StoreError if it cannot be written."""
        mark = self._marks.get(path)
        if mark is None:
            try:
                mark = self._marks[path] = Mark(self._system, self._held[path], now_ms)
            except OSError as error:
                raise StoreError(f"the life sign {path} cannot be written: {error.strerror}") from error
        return mark

    def lives(self, path: str) -> bool:
        """Whether the sign at ``path`` is held, or that is not known."""
        return self._look(path) not in ("missing", "")

    def living(self, place: Place) -> list[str]:
        """The owners whose signs are held, as their files are named."""
        start = len(os.path.basename(place.owner("")))
        names = place.siblings(self._system, "owner")
        return [name[start:] for name in names if self.lives(os.path.join(place.directory, name))]

    def died(self, path: str, now_ms: int) -> bool:
        """Whether the owner of the sign at ``path``, which has jobs, is dead for sure. The writers' lock is held."""
        found = self._look(path)
        if found == "missing":
            self._doubt(path, now_ms)
            return False
        if found == "":
            return True
        if found is None:
            return False
        since_ms = int(found)
        if since_ms > now_ms:  # the clock was set back
            self._doubt(path, now_ms)
        return since_ms + DOUBT_MS <= now_ms

    def _look(self, path: str) -> str | None:
        """None if the owner lives or nothing is known; "missing"; otherwise the content of a sign that is not held."""
        if path in self._held:
            return None
        try:
            with opened(self._system, path, READ | os.O_RDWR) as fd:
                self._system.flock(fd, _TRY)
                text = self._system.pread(fd, _DOUBT_MOST, 0).decode("ascii", "replace")
        except FileNotFoundError:
            return "missing"
        except OSError:
            return None
        return text if text.isdecimal() else ""

    def _doubt(self, path: str, now_ms: int) -> None:
        with suppress(OSError), opened(self._system, path, MAKE | os.O_TRUNC) as fd:
            write_all(self._system, fd, b"%d" % now_ms, 0)  # a sign left blank calls the owner dead a little sooner

    def bury_idle(self, place: Place, owners: Iterable[str]) -> None:
        """Remove the signs that are not held, left by programs that ended without closing the store.

        The writers' lock is held, so no process is about to show one. Those of ``owners``, which have jobs, stay.
        """
        needed = {place.owner(owner) for owner in owners}
        try:
            names = place.siblings(self._system, "owner")
        except OSError:
            return  # they do no harm
        for name in names:
            path = os.path.join(place.directory, name)
            if path not in needed and not self.lives(path):
                self.bury(path)

    def bury(self, path: str) -> None:
        """Remove the sign of a dead owner. If that fails it does no harm, as the sign is not held."""
        with suppress(OSError):
            self._system.unlink(path)

    def close(self, *, remove: bool, keep: Container[str] = ()) -> None:
        """Let go of the signs held here.

        Args:
            remove: remove their files as well (not in a forked child).
            keep: files that stay: their owners have jobs, and must be seen to be dead at once.
        """
        held, self._held = self._held, {}
        marks, self._marks = self._marks, {}
        for mark in marks.values() if remove else ():  # a forked child must not wait for a lock of its parent's
            mark.end()
        for path, fd in held.items():
            if remove and path not in keep:
                self.bury(path)
            close_file(self._system, fd)


def name_of_open_file(path: str) -> str:
    """The kernel's name for a file that is opened as ``path``: without symbolic links in its directory."""
    return os.path.join(os.path.realpath(os.path.dirname(path)), os.path.basename(path))


def drop_inherited(stores: Container[str]) -> None:
    """In a forked child: close every inherited lock and journal of the stores with these names.

    A lock lasts until the last copy of its descriptor is closed. A thread of the parent may have been opening or
    closing one at the moment of the fork, and only that thread knew of it; so the kernel is asked what is open. The
    time this takes depends on the number of open files, not on how many stores there have been: a test suite may open
    thousands.
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
