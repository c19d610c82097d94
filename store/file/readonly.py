"""ReadOnlyStore: a JSON store that can only be read.

It opens the snapshot and its journal for reading, takes no lock, and makes, mends and removes no file. So monitoring by
another user needs only the right to read these two files, and to search their directory.

That is safe without the writers' lock: a whole change stays in a journal, so what is read is the store as it was after
some change. An incomplete change is being written, or was left by a writer that died; it is skipped until it is whole.
A compaction renames a new snapshot over the old one, so each read checks the name, and opens the new one.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Final, NoReturn, TypeVar

from ...contract import Filter
from ...errors import HourwheelError, StoreClosed, StoreCorrupt, StoreError, StoreReadOnly, StoreReentered
from ...job import Job
from ...safety.gate import Gate
from ..state import views
from ..state.records import Record
from ..state.state import State
from ..state.verbs import StateVerbs
from .creation import refuse_remains
from .epoch import Epoch
from .format.lines import classify
from .system.failure import store_error
from .system.place import network_type, place_at, refuse_unsafe
from .system.system import SYSTEM, System
from .system.watch import Watch

R = TypeVar("R")

_PAUSES_S: Final = (0.001, 0.01, 0.1, 0.2)


class ReadOnlyStore(StateVerbs):
    """A ring in a JSON file, for reading only.

    Each verb that reads shows the store as it is at that moment, while others write to it. Verbs that change anything
    raise StoreReadOnly.

    Args:
        path: of the file.
        system: the system calls; for tests.

    Raises:
        StoreError: there is no store, or it may not be read.
        StoreUnsafe: the path is a symbolic link, or no file.
        StoreFormatError: the file is not a store, or was written by a newer Hourwheel.
        StoreCorrupt: it is damaged.

    >>> JsonStore("tasks.json").close()
    >>> with ReadOnlyStore("tasks.json") as store:
    ...     store.stats(0).scheduled
    0
    """

    def __init__(self, path: str | os.PathLike[str], *, system: System = SYSTEM) -> None:
        place = place_at(path)
        refuse_unsafe(  # it trusts no lock
            place, system, allow_network_fs=True, allow_shared_directory=True, links=True, others=True
        )
        self.path: Final = place.path
        self._place = place
        self._system = system
        self._gate = Gate(self.path)
        self._bell = Watch(deaf=network_type(place.directory) is not None)
        self._closed = False
        self._doubted = False
        """A change may be half applied in memory: the next read starts again from the files."""
        self._epoch = self._open(check=True)
        try:
            self._newest()
        except BaseException:
            self._epoch.close()
            raise

    def __repr__(self) -> str:
        return f"ReadOnlyStore({self.path!r})"

    def __enter__(self) -> ReadOnlyStore:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the files. Twice is fine."""
        self._closed = True
        self._bell.close()
        self._gate.run(self._epoch.close)

    # ---- reading -----------------------------------------------------------------------------------------

    def _reading(self, look: Callable[[State], R], *, one: bool = False) -> R:
        try:
            return self._gate.run(self._look, look)
        except StoreReentered:  # a signal's handler, which must not wait for the thread that it has interrupted
            if not one:
                raise
            return look(self._epoch.state)

    def each(self, filter: Filter = Filter()) -> Iterator[Job]:  # noqa: B008 - a frozen value
        """Like scan(), one by one, all as they were at the first; for more jobs than memory can hold.

        If the store is read in another way before the last job, StoreError is raised.
        """
        epoch = self.newest()
        state, end = epoch.state, epoch.journal.end
        for job in views.each(state, filter):
            if epoch is not self._epoch or epoch.journal.end != end:
                raise StoreError(f"{self.path} was read by another call meanwhile; read all of each() first")
            yield job

    def newest(self) -> Epoch:
        """The newest epoch, which does not change until the next read; for a caller that does not share this store."""
        return self._reading(lambda _: self._epoch)

    def _look(self, look: Callable[[State], R]) -> R:
        if self._closed:
            raise StoreClosed(f"the store {self.path} is closed")
        doubted, self._doubted = self._doubted, True  # until it is whole again: Ctrl-C may strike in between
        epoch = self._newest(doubted=doubted)
        self._doubted = False
        return look(epoch.state)

    def _newest(self, *, doubted: bool = False) -> Epoch:
        """The newest epoch, with what others have written by now."""
        try:
            if not doubted:  # up to its present end: others may write as fast as this reads
                self._epoch.follow(until=self._epoch.journal.length())
            while doubted or self._is_over():
                newer = self._open(check=False)
                self._epoch.close()
                self._epoch, doubted = newer, False
            self._refuse_damage()
        except OSError as error:
            if isinstance(error, HourwheelError):
                raise
            raise store_error(error, f"{self.path} cannot be read any more") from error
        return self._epoch

    def _is_over(self) -> bool:
        """Whether another epoch has begun."""
        return not self._epoch.snapshot.is_at(self.path)

    def _refuse_damage(self) -> None:
        """Raise if what follows the last change in the journal is not an unfinished write."""
        journal = self._epoch.journal
        for pause in (*_PAUSES_S, 0):
            if not journal.has_more():
                return
            verdict, why = classify(journal.rest(), journal.end)
            if verdict != "damaged":
                return
            time.sleep(pause)  # it may be half of a write in progress
            self._epoch.follow()
        raise StoreCorrupt(journal.path, journal.end, why)

    def _open(self, *, check: bool) -> Epoch:
        while True:
            before = self._identity()
            try:
                return Epoch.read(self._place, self._system, check=check, write=False)
            except (OSError, StoreCorrupt) as error:
                if self._identity() == before:  # otherwise a compaction came between opening the two files
                    raise self._not_opened(error) from error

    def _identity(self) -> tuple[int, ...] | None:
        try:
            status = self._system.stat(self.path)
        except OSError:
            return None
        return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns  # a number alone may be used again

    def _not_opened(self, error: OSError | StoreCorrupt) -> Exception:
        if isinstance(error, HourwheelError):
            return error
        if self._identity() is None and isinstance(error, FileNotFoundError):
            refuse_remains(self._place, self._system)
            return StoreError(f"there is no store at {self.path}")
        if isinstance(error, PermissionError):
            return StoreError(
                f"{error.filename or self.path} may not be read by this user; to let a group read it: "
                f"chgrp GROUP {self.path}* && chmod g+r {self.path}*"
            )
        return store_error(error, f"{self.path} cannot be read")

    def wait(self, timeout_s: float) -> bool:
        """See Wakeup.wait."""
        if self._closed or self._has_news():
            return True
        return self._bell.wait(timeout_s, lambda: self._epoch.journal, self._has_news)

    def _has_news(self) -> bool:
        try:
            return self._epoch.journal.has_more() or self._is_over()
        except OSError:  # the next read will tell
            return True

    def notify(self) -> None:
        """See Wakeup.notify: nothing was changed here."""

    # ---- changing ----------------------------------------------------------------------------------------

    def _changing(self, change: Callable[[State], R]) -> R:  # noqa: ARG002
        raise StoreReadOnly(f"{self.path} was opened for reading; nothing was changed")

    def _commit(self, new: Sequence[Job], records: Sequence[Record]) -> NoReturn:  # noqa: ARG002
        raise StoreReadOnly(f"{self.path} was opened for reading; nothing was changed")
