"""Reading ahead: long reads are done without the writers' lock, so that no process waits for another's reading.

Reading a journal of 32 MiB takes seconds. A process that starts beside a busy one, or that has long been idle, reads
all that it can before it takes the lock, or gives the lock back meanwhile; under the lock it reads what has come since.

That is safe because a whole change in a journal stays: a writer never takes back what is whole, and one that cuts a
torn tail cuts behind it. What is read this way is a prefix of what the lock would show, and nothing is done with it
before the lock is held: an epoch that is not the newest any more by then is thrown away.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Final

from ...errors import HourwheelError
from .creation import open_or_create
from .epoch import Epoch
from .system.lock import FileLock
from .system.place import Place
from .system.system import System

_TURNS: Final = 3
"""Others may write as fast as this reads; then the rest is read under the lock."""
_LONG = 3 << 20
"""A journal file of so many bytes is read without the lock."""


def open_first(place: Place, system: System, lock: FileLock) -> Epoch:
    """Open the newest epoch of a store, or the first of a new one. The lock is held afterwards.

    Raises:
        StoreBusy: the lock could not be had.
        StoreCorrupt, StoreFormatError, OSError: see open_or_create.
    """
    return open_or_create(place, system, ahead=_read_ahead(place, system, lock, check=True))


def open_next(
    place: Place, system: System, lock: FileLock, after: int, refuse: Callable[[Epoch], None] = lambda _: None
) -> Epoch:
    """Open the newest epoch, the one ``after`` that of this number or a later one. The lock is held before and after.

    Raises:
        StoreBusy: the lock could not be had again.
        StoreCorrupt, StoreFormatError, OSError: see Epoch.open.
    """
    ahead: Epoch | None = None
    if _is_long(place.journal(after + 1), system):
        ahead = _read_ahead(place, system, lock, check=False)
    return Epoch.open(place, system, check=False, ahead=ahead, refuse=refuse)


def _is_long(path: str, system: System) -> bool:
    try:
        return system.stat(path).st_size > _LONG
    except OSError:  # there is a later one, or this one was announced and never begun
        return True


def _read_ahead(place: Place, system: System, lock: FileLock, *, check: bool) -> Epoch | None:
    """What can be read of the newest epoch without the lock, which is held afterwards; None if nothing can."""
    lock.release()
    ahead: Epoch | None = None
    try:
        with suppress(OSError, HourwheelError):  # if it was not a write in progress, it happens again under the lock
            ahead = Epoch.read(place, system, check=check)
        lock.reacquire()
        lock.check()
    except BaseException:
        if ahead is not None:
            ahead.close()
        raise
    return ahead


def catch_up(epoch: Epoch, lock: FileLock) -> None:
    """Apply what others have appended to an epoch; most of it without the lock, which is held before and after.

    Raises:
        StoreBusy: the lock could not be had again; nothing is lost by that.
        StoreCorrupt: what stands there does not follow, or is no unfinished write.
    """
    for _ in range(_TURNS):
        if not epoch.journal.has_much_more():
            break
        lock.release()
        epoch.follow(until=epoch.journal.length())
        lock.reacquire()
        lock.check()
    epoch.follow()
    epoch.mend_tail()
