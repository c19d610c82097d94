"""A System without a disk: the files of a store as bytes in a dict, so that a state of them can be opened in no time."""

from __future__ import annotations

import errno
import fcntl
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from hourwheel.store.file.system.system import System

from .systems import CALLS

DIRECTORY = "/model"
_FIRST_DESCRIPTOR = 1_000_000


class Status(NamedTuple):
    """The fields of a stat_result that a store looks at."""

    st_mode: int
    st_ino: int
    st_dev: int
    st_nlink: int
    st_size: int
    st_mtime_ns: int = 0
    st_uid: int = os.geteuid()
    st_gid: int = os.getegid()


@dataclass(eq=False)
class _File:
    data: bytearray
    number: int
    links: int = 1
    holder: int | None = None
    sharers: set[int] = field(default_factory=set)


class MemorySystem(System):
    """Every call on files named ``/model/...``; one process, whose descriptors share nothing."""

    has_directories = False

    def __init__(self, files: Mapping[str, bytes] = {}) -> None:
        self._numbers = 1
        self._renamed = 1
        """How often a name was given, taken or changed: the time of the directory."""
        self._names: dict[str, _File] = {}
        self._held: dict[int, _File | None] = {}
        self._next = _FIRST_DESCRIPTOR
        for name, data in files.items():
            self._make(f"{DIRECTORY}/{name}").data[:] = data
        for name in CALLS:
            setattr(self, name, getattr(self, f"_do_{name}"))

    def files(self) -> dict[str, bytes]:
        """What is in the directory now."""
        return {os.path.basename(name): bytes(file.data) for name, file in self._names.items()}

    def open_count(self) -> int:
        """How many descriptors are open."""
        return len(self._held)

    def path_of(self, fd: int) -> str:
        """The name of an open file, or "" if it has none."""
        file = self._held.get(fd)
        return next((name for name, other in self._names.items() if other is file), "")

    def _make(self, path: str) -> _File:
        self._numbers += 1
        self._renamed += 1
        file = self._names[path] = _File(bytearray(), self._numbers)
        return file

    def _found(self, path: str) -> _File:
        if path not in self._names:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
        return self._names[path]

    def _at(self, fd: int) -> _File:
        file = self._held.get(fd)
        if file is None:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        return file

    def _do_open(self, path: str, flags: int, mode: int = 0o600) -> int:
        file = None if flags & os.O_DIRECTORY else self._file_to_open(path, flags)
        if file is not None and flags & os.O_TRUNC:
            file.data.clear()
        self._next += 1
        self._held[self._next] = file
        return self._next

    def _file_to_open(self, path: str, flags: int) -> _File:
        if not flags & os.O_CREAT:
            return self._found(path)
        if path not in self._names:
            return self._make(path)
        if flags & os.O_EXCL:
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), path)
        return self._names[path]

    def _do_pread(self, fd: int, size: int, offset: int) -> bytes:
        return bytes(self._at(fd).data[offset : offset + size])

    def _do_pwrite(self, fd: int, data: bytes, offset: int) -> int:
        held = self._at(fd).data
        if len(held) < offset:
            held.extend(bytes(offset - len(held)))
        held[offset : offset + len(data)] = data
        return len(data)

    def _do_fsync(self, fd: int) -> None:
        if fd not in self._held:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))

    _do_fdatasync = _do_fsync

    def _do_ftruncate(self, fd: int, length: int) -> None:
        held = self._at(fd).data
        del held[length:]
        held.extend(bytes(length - len(held)))

    def _do_close(self, fd: int) -> None:
        self._do_fsync(fd)
        file = self._held.pop(fd)
        if file is not None:
            file.sharers.discard(fd)
            if file.holder == fd:
                file.holder = None

    def _status(self, file: _File) -> Status:
        return Status(stat.S_IFREG | 0o600, file.number, 1, file.links, len(file.data))

    def _do_fstat(self, fd: int) -> Status:
        return self._status(self._at(fd))

    def _do_lstat(self, path: str) -> Status:
        if path == DIRECTORY:
            return Status(stat.S_IFDIR | 0o700, 1, 1, 2, 0, self._renamed)
        return self._status(self._found(path))

    _do_stat = _do_lstat

    def _do_replace(self, old: str, new: str) -> None:
        file = self._found(old)
        self._renamed += 1
        if new in self._names:
            self._names[new].links = 0
        del self._names[old]
        self._names[new] = file

    def _do_unlink(self, path: str) -> None:
        self._found(path).links = 0
        self._renamed += 1
        del self._names[path]

    def _do_listdir(self, path: str) -> list[str]:
        return [os.path.basename(name) for name in self._names]

    def _do_flock(self, fd: int, operation: int) -> None:
        file = self._at(fd)
        if file.holder == fd:
            file.holder = None
        file.sharers.discard(fd)
        if operation & fcntl.LOCK_UN:
            return
        if file.holder is not None or (operation & fcntl.LOCK_EX and file.sharers):
            raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
        if operation & fcntl.LOCK_SH:
            file.sharers.add(fd)
        else:
            file.holder = fd
