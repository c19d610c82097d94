"""Identity: whether the files that a process holds open are those that their names say now.

A descriptor outlives its name. What is written into a file that was removed, moved away or replaced is lost to the next
process that opens the store by name, so the names are checked before anything is acknowledged.

Nearly always one system call shows that nothing has changed: a stat of the directory, by its path. Adding, removing or
changing a name in a directory changes its modification time. If the directory itself was renamed, or a link on the way
to it switched, the path leads to another one. Only then each file is checked (``confirm``). A file system notes times
in steps of some milliseconds, so a time that has just passed is not trusted.

No name shows that a file was written over in place (``cp`` of an older copy). The snapshot is never changed in place,
so its size and time must stay the same; a journal must still end where its last record did (``Journal.has_more``).
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import Any, Final

from ...errors import StoreError, StoreMoved
from .epoch import Epoch
from .system.lock import SLEEP_CLOCK, FileLock
from .system.place import Place
from .system.system import System

_STEP_NS: Final = 100_000_000
_COARSE_STEP_NS: Final = 3_000_000_000
"""Of a file system that notes times in whole seconds (FAT: two of them)."""
_SECOND_NS: Final = 1_000_000_000
_AGAIN: Final = (
    "nothing was accepted. Put it back, or stop what uses this store, see `hourwheel check`, and start again"
)


class Identity:
    """The files of one open store. ``inner`` looks names up in the held directory, ``outer`` by their whole path."""

    def __init__(self, place: Place, inner: System, outer: System) -> None:
        self._place = place
        self._directory: Final = place.directory
        self._inner = inner
        self._by_path = outer.stat
        self._fstat = inner.fstat
        self._store_id: str | None = None
        self._held: tuple[int, int] | None = None
        self._seen: tuple[int, int, int] | None = None
        """(device, number, time) of the directory when each file was the right one."""
        self._epoch: Epoch | None = None
        self._number = 0
        """Of the newest epoch that was open here."""
        self._snapshot: tuple[int, int, int, int] | None = None
        self._journal: tuple[int, int] | None = None

    def hold(self, *, timeout_s: float) -> FileLock:
        """Hold the directory open from now on; returns the writers' lock in it, which is not taken."""
        self._inner.take(self._place.path)
        try:
            return FileLock(self._place.lock, self._inner, timeout_s=timeout_s)
        except BaseException:
            self._inner.let_go()
            raise

    def stirred(self) -> bool:
        """Whether a name in the directory, or the way to it, may have changed since confirm() last looked."""
        try:
            at = self._by_path(self._directory)
        except OSError:
            return True
        return (at.st_dev, at.st_ino, at.st_mtime_ns) != self._seen

    def rewritten(self, epoch: Epoch) -> bool:
        """Whether the snapshot was written over in place, so that it cannot be trusted."""
        return epoch is self._epoch and _of_snapshot(self._fstat(epoch.snapshot.fd)) != self._snapshot

    def check(self, lock: FileLock) -> None:
        """Make sure that a held lock is on the file that has its name now, and make none where the store is gone.

        Raises:
            StoreMoved: the store has gone.
            StoreBusy: see FileLock.check.
        """
        if not self.stirred():
            return
        try:
            self._inner.lstat(self._place.path)
        except FileNotFoundError:
            raise _gone(self._place.path) from None
        lock.check()

    def reopen(self) -> Epoch:
        """Open the newest epoch by its name, as Epoch.open does; StoreMoved if it is not that of this store."""
        return Epoch.open(self._place, self._inner, refuse=self.refuse_other)

    def refuse_other(self, epoch: Epoch) -> None:
        """Raise StoreMoved for an epoch of another store, and for one that was over when the newest here began."""
        if self._store_id not in (None, epoch.store_id):
            raise StoreMoved(f"{self._place.path} was replaced by another store; {_AGAIN}")
        if epoch.number < self._number:
            raise StoreMoved(
                f"{self._place.path} was replaced by an older copy, of epoch {epoch.number} and not {self._number}; "
                f"{_AGAIN}"
            )

    def may_have_changed(self, epoch: Epoch) -> bool:
        """Whether there is anything to catch up with, or to look at more closely."""
        return epoch.journal.has_more() or epoch.sealed is not None or self.stirred() or self.rewritten(epoch)

    def confirm(self, epoch: Epoch) -> None:
        """Raise unless the names lead to the files of ``epoch``. The lock is held, and the epoch is up to date.

        Raises:
            StoreMoved: they do not; it says what is found instead.
            StoreError: that cannot be told.
        """
        try:
            self._confirm(epoch)
        except StoreMoved:
            self._seen = None
            raise
        except OSError as error:
            self._seen = None
            raise StoreError(f"{self._place.path}: its files cannot be looked at: {error.strerror}") from error

    def _confirm(self, epoch: Epoch) -> None:
        at = self._at_the_path()
        self._store_id = epoch.store_id
        if epoch is not self._epoch:
            self._note(epoch)
        elif self.rewritten(epoch):
            raise StoreMoved(f"{self._place.path} was written over in place, by a copy perhaps; {_AGAIN}")
        seen = (at.st_dev, at.st_ino, at.st_mtime_ns)
        if seen == self._seen:
            return
        self._compare(self._place.path, self._snapshot)
        self._compare(epoch.journal.path, self._journal, sole=True)
        self._compare(self._place.lock, None, sole=True)
        step = _STEP_NS if at.st_mtime_ns % _SECOND_NS else _COARSE_STEP_NS
        self._seen = seen if SLEEP_CLOCK.now_ns() - at.st_mtime_ns > step else None

    def _at_the_path(self) -> os.stat_result:
        if self._held is None:
            self._held = _of(self._inner.stat(self._directory))
        try:
            at = self._by_path(self._directory)
        except (FileNotFoundError, NotADirectoryError):
            raise StoreMoved(
                f"{self._directory} is gone: it was renamed or removed{self._whither()}; {_AGAIN}"
            ) from None
        if (at.st_dev, at.st_ino) != self._held:
            raise StoreMoved(
                f"{self._directory} is not the directory in which {self._place.path} was opened: that was renamed, "
                f"or a link on the way to it switched{self._whither()}; {_AGAIN}"
            )
        return at

    def _whither(self) -> str:
        fd = getattr(self._inner, "fd", -1)
        try:
            found = os.readlink(f"/proc/self/fd/{fd}")
        except OSError:
            return ""
        return "" if found.endswith(" (deleted)") else f" (its files are in {found} now)"

    def note(self, epoch: Epoch) -> None:
        """Remember the files of an epoch that was just opened, and show other processes that it is open here."""
        epoch.journal.share()
        with suppress(OSError):  # confirm() will tell
            self._note(epoch)

    def _note(self, epoch: Epoch) -> None:
        self._snapshot = _of_snapshot(self._fstat(epoch.snapshot.fd))
        self._journal = _of(self._fstat(epoch.journal.fd))
        self._epoch, self._seen = epoch, None
        self._number = max(self._number, epoch.number)

    def _compare(self, path: str, wanted: tuple[int, ...] | None, *, sole: bool = False) -> None:
        try:
            found = self._inner.lstat(path)
        except FileNotFoundError:
            raise _gone(path) from None
        if wanted is not None and _of(found) != wanted[:2]:
            raise StoreMoved(f"{path} is another file than the one that was opened: it was replaced; {_AGAIN}")
        if sole and found.st_nlink > 1:
            raise StoreMoved(
                f"{path} has {found.st_nlink} names (hard links), so another program may take it for a store of its "
                "own; nothing was accepted. Remove the other name, or copy the file"
            )


def _gone(path: str) -> StoreMoved:
    return StoreMoved(f"{path} is gone: it was removed or renamed; {_AGAIN}")


def _of(found: Any) -> tuple[int, int]:
    return found.st_dev, found.st_ino


def _of_snapshot(found: Any) -> tuple[int, int, int, int]:
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns
