"""Closing: who closes a small store as the last leaves one whole file, which a person can read, copy or move.

Each process that has a store open holds a shared lock on its journal (``Journal.share``). Who closes it tries for the
lock alone; if it is had, nobody else has this epoch open, and the journal is folded into a new snapshot that says of
itself that it is whole (``Header.whole``). That is a compaction like any other, so a crash at any point of it leaves
the old epoch or the new one. The journal of a whole snapshot is empty, and is removed; who opens the store begins the
next epoch before anything else, so that the word stays true.

Who is alone by mistake does no harm: whoever still follows an older journal finds its seal, and begins the next epoch.
"""

from __future__ import annotations

from typing import Final

from ...errors import HourwheelError
from .background import LOG
from .compaction import Compaction, claim_work
from .epoch import Epoch
from .identity import Identity
from .system.lock import FileLock
from .system.place import Place
from .system.system import System

SMALL: Final = 2 << 20
"""Bytes of snapshot and journal; what is larger is left to lie, so that closing takes no longer than a moment."""


def fold(
    place: Place,
    system: System,
    lock: FileLock,
    identity: Identity,
    epoch: Epoch,
    now_ms: int,
    failed_ttl_ms: int,
) -> None:
    """Leave one whole file, if the store is small and nobody else has it open. Everything in it is safe already.

    Args:
        place: where it is.
        system: the system calls.
        lock: the writers' lock, not held.
        identity: of the open files.
        epoch: the newest, up to what this process has read.
        now_ms: results that are over by then are left out.
        failed_ttl_ms: how long failed jobs are kept.
    """
    if epoch.snapshot.header.length + epoch.journal.end > SMALL or not lock.try_now():
        return
    try:
        identity.check(lock)
        if not epoch.journal.has_more() and epoch.sealed is None:
            identity.confirm(epoch)
            if epoch.journal.alone():
                _fold(place, system, epoch, now_ms, failed_ttl_ms)
    except (HourwheelError, OSError) as error:
        LOG.info("%s was closed with its journal beside it: %s", place.path, error)
    finally:
        lock.release()


def _fold(place: Place, system: System, epoch: Epoch, now_ms: int, failed_ttl_ms: int) -> None:
    fd = claim_work(place, system)
    if fd is None:
        return
    work = Compaction(place, system, fd, epoch, now_ms, failed_ttl_ms, whole=True)
    try:
        for _ in work.prepare():
            pass
        new = work.finish()
    except BaseException:
        work.abandon()
        raise
    work.clean_up()
    new.close()
    system.unlink(new.journal.path)
