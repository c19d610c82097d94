"""The journal: what has happened since the snapshot of its epoch, one record a line, only ever appended.

lines.py has the format.
"""

from __future__ import annotations

import errno
import fcntl
import os
from contextlib import suppress
from typing import Any, Final

from ....errors import StoreCorrupt, StoreFormatError, StoreMoved, StoreReentered
from ....safety.gate import Gate, Occupied
from ...codec import loads
from ..system.system import MAKE, READ, SYSTEM, System, close_file, opened, pread_all, write_all
from .lines import PREFIX, Batch, frame, is_prefix, is_sound, split

CHUNK: Final = 1 << 20
RESERVE: Final = 256 * 1024
"""Allocated bytes that adding jobs leaves free, so that claims can still be settled when the disk is full."""
_BLANK: Final = b"\n" * CHUNK
_READ: Final = 1 << 18
_MUCH = 1 << 20
_ENDS_HERE: Final = b"}\n\n"
"""The bytes around the end of the last record as long as no other follows."""


class NoRoom(OSError):
    """The journal could not be made longer, and nothing of the change was written."""


class Unbegun(FileNotFoundError):
    """The file exists, but is blank, or its first line was never finished."""


def _is_unbegun(fd: int, system: System) -> bool:
    """Whether a journal has at most the beginning of a header, so that nothing can have been accepted in it."""
    line, _, _ = system.pread(fd, 4096, 0).replace(b"\0", b"\n").partition(b"\n")
    return is_prefix(line) and _is_blank(fd, system, len(line))


def _is_blank(fd: int, system: System, at: int) -> bool:
    while piece := system.pread(fd, CHUNK, at):
        if piece != _BLANK[: len(piece)] and piece.strip(b"\n\0"):  # comparing is a hundred times faster
            return False
        at += len(piece)
    return True


def is_unused(path: str, system: System) -> bool:
    """Whether a journal has no record after its header, or not even that."""
    with opened(system, path) as fd:
        line, _, _ = system.pread(fd, 4096, 0).partition(b"\n")
        return _is_blank(fd, system, len(line)) if is_sound(line) else _is_unbegun(fd, system)


def _header_in(line: bytes, path: str) -> dict[str, Any]:
    try:
        header = loads(line[PREFIX:])
    except ValueError as error:
        raise StoreCorrupt(path, 0, f"the header is not JSON: {error}") from None
    if not isinstance(header, dict):
        raise StoreCorrupt(path, 0, "the header is not a JSON object")
    return header


class Journal:
    """One journal file, open. The caller holds the writers' lock around append() and cut()."""

    def __init__(self, path: str, fd: int, system: System, *, end: int, seq: int, size: int) -> None:
        self.path = path
        self.end = end
        """Where the next record goes, bytes."""
        self.seq = seq
        """The number of the newest record known here."""
        self.size = size
        self.synced = 0
        """Up to which byte it is known to be on the disk."""
        self.broken = False
        """A write or sync failed, so nothing in this journal may be acknowledged any more."""
        self._closing = False
        self._turn = Gate(path)
        self.fd = fd
        self._system = system
        self._pread = system.pread
        self._pwrite = system.pwrite
        self._fdatasync = system.fdatasync

    @classmethod
    def create(cls, path: str, system: System, *, store_id: str, epoch: int, seq: int, over: bool = False) -> Journal:
        """Begin the journal of an epoch whose snapshot has everything up to ``seq``.

        FileExistsError if there is a file already, unless it is to be written ``over``.
        """
        fd = system.open(path, MAKE | (os.O_TRUNC if over else os.O_EXCL), 0o600)
        try:
            header = frame(
                f'{{"journal":"hourwheel","version":1,"store_id":"{store_id}","epoch":{epoch},"after":{seq}}}'
            )
            write_all(system, fd, header + _BLANK, 0)
        except BaseException:
            close_file(system, fd)
            raise
        return cls(path, fd, system, end=len(header), seq=seq, size=len(header) + CHUNK)

    @classmethod
    def open(cls, path: str, system: System, *, store_id: str, epoch: int, seq: int, write: bool = True) -> Journal:
        """Open the journal that belongs to a snapshot; without ``write`` for reading only.

        Raises:
            FileNotFoundError: there is none, or (Unbegun) it is blank.
            StoreCorrupt: its header is damaged, or is that of another store or epoch.
        """
        fd = system.open(path, READ | os.O_RDWR if write else READ)
        try:
            line, _, _ = system.pread(fd, 4096, 0).partition(b"\n")
            if not is_sound(line):
                if _is_unbegun(fd, system):
                    raise Unbegun(path)
                raise StoreCorrupt(path, 0, "the header's checksum does not match")
            header = _header_in(line, path)
            if header.get("version") != 1:
                raise StoreFormatError(
                    f"{path} was written by a newer Hourwheel (journal version {header.get('version')!r})"
                )
            if (header.get("store_id"), header.get("epoch"), header.get("after")) != (store_id, epoch, seq):
                raise StoreCorrupt(path, 0, f"the journal is that of another store or epoch: {line[PREFIX:].decode()}")
            size = system.fstat(fd).st_size
        except BaseException:
            close_file(system, fd)
            raise
        return cls(path, fd, system, end=len(line) + 1, seq=seq, size=size)

    @classmethod
    def nothing(cls, path: str, *, seq: int) -> Journal:
        """Stands for the missing journal of a whole snapshot: it can be read, but not written. Its size is 0."""
        header = frame(f'{{"journal":"hourwheel","after":{seq}}}')
        fd = os.memfd_create("journal", os.MFD_CLOEXEC)
        os.write(fd, header + b"\n")
        return cls(path, fd, SYSTEM, end=len(header), seq=seq, size=0)

    # ---- reading -----------------------------------------------------------------------------------------

    def has_more(self) -> bool:
        """Whether something follows the last record known here; StoreMoved if that record itself is gone."""
        found = self._pread(self.fd, 3, self.end - 2)
        if found == _ENDS_HERE:
            return False
        if found[:2] != _ENDS_HERE[:2]:
            raise StoreMoved(
                f"{self.path} was written over or cut short in place, by a copy perhaps: its last record is gone; "
                "nothing was accepted. Stop what uses this store, and put all its files back"
            )
        return found[2:] not in (b"", b"\0")

    def has_much_more(self) -> bool:
        """Whether so much follows that reading it takes a while."""
        return bool(self._pread(self.fd, 2, self.end + _MUCH).strip(b"\n\0"))  # one of two bytes is not a line feed

    def share(self) -> None:
        """Show other processes that this one has it open; see alone()."""
        with suppress(OSError):  # the last process that has it open is closing the store: another epoch will come
            self._system.flock(self.fd, fcntl.LOCK_SH | fcntl.LOCK_NB)

    def alone(self) -> bool:
        """Whether no other process shows that it has it open."""
        try:
            self._system.flock(self.fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        return True

    def length(self) -> int:
        """The size of the file now, in bytes."""
        return self._system.fstat(self.fd).st_size

    def is_blank(self) -> bool:
        """Whether everything after the last record known here is blank, up to the end of the file."""
        return _is_blank(self.fd, self._system, self.end)

    def read(self, most: int = _READ) -> list[Batch]:
        """Whole changes after the last one known, about ``most`` bytes of them; [] at the end.

        The caller moves ``end`` and ``seq`` as it applies them.
        """
        size = most
        while True:
            data = self._pread(self.fd, size, self.end)
            batches, _ = split(data, self.end)
            if batches or len(data) < size or b"\n\n" in data:
                return batches
            size *= 4

    def rest(self) -> bytes:
        """Everything from the last record known to the end of the file."""
        return pread_all(self._system, self.fd, self.end)

    def between(self, start: int, end: int) -> bytes:
        """The bytes of records that have been read."""
        return pread_all(self._system, self.fd, start, end)

    # ---- writing -----------------------------------------------------------------------------------------

    def append(self, lines: bytes, records: int, *, reserve: bool) -> None:
        """Write the lines of a change of so many records; with ``reserve`` leave RESERVE allocated bytes free.

        Raises:
            NoRoom: the file could not be made longer; nothing was written.
            OSError: the write failed; how much of it is in the file is not known.
        """
        at = self.end
        end = at + len(lines)
        if end + RESERVE > self.size:
            self._allocate(end + RESERVE, end + RESERVE if reserve else end)
        if at + self._pwrite(self.fd, lines, at) != end:
            write_all(self._system, self.fd, lines, at)
        self.end = end
        self.seq += records

    def _allocate(self, wanted: int, needed: int) -> None:
        self.size = self._system.fstat(self.fd).st_size  # another process may have made it longer
        while self.size < wanted:
            try:
                write_all(self._system, self.fd, _BLANK, self.size)
            except OSError as error:
                self.size = self._system.fstat(self.fd).st_size
                if self.size < needed:
                    raise NoRoom(error.errno, error.strerror) from error
                return
            self.size += CHUNK

    def end_line(self, length: int) -> None:
        """Write a line feed ``length`` bytes after the last record known."""
        write_all(self._system, self.fd, b"\n", self.end + length)
        self._fdatasync(self.fd)

    def cut(self) -> None:
        """Cut off everything after the last record known here, durably.

        Overwriting it with blanks would not do: if the process is killed meanwhile, what is left looks like damage.
        """
        self._system.ftruncate(self.fd, self.end)
        self._fdatasync(self.fd)
        self._allocate(self.end + RESERVE, 0)

    def sync(self, upto: int | None = None) -> None:
        """Make everything that was appended durable, at least up to ``upto``.

        One thread at a time: the kernel reports a failed write-back once for each open file, so of two syncs at the
        same time one would seem to succeed.

        Raises:
            OSError: this sync failed, or an earlier one; what is on the disk is not known.
        """
        try:
            self._turn.run(self._sync_now, upto)
        except StoreReentered:  # a signal handler has interrupted a sync: another one follows it
            self._turn.defer(lambda: self._sync_now(upto))
        if self._closing:
            self.close()

    def _sync_now(self, upto: int | None) -> None:
        if self.fd < 0 or (upto is not None and upto <= self.synced):
            return
        if self.broken:
            raise OSError(errno.EIO, "an earlier write or sync failed")
        end = self.end
        try:
            self._fdatasync(self.fd)
        except OSError:  # an exception from outside, such as Ctrl-C, says nothing about the disk
            self.broken = True
            raise
        self.synced = end

    def close(self) -> None:
        """Close the file, now or after a sync that is under way; does not wait."""
        self._closing = True
        with suppress(Occupied, StoreReentered):
            self._turn.run(self._close, wait=False)

    def _close(self) -> None:
        fd, self.fd = self.fd, -1
        if fd >= 0:
            close_file(self._system, fd)
