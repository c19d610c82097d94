"""Kernel: what Linux and macOS do for files in different ways.

Which way is taken depends on what is there, and on the name of the system only where nothing else tells. (For what
worker processes need, see wheel/kernel.py.)
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import struct
import sys
from collections.abc import Iterator, Set
from contextlib import suppress
from functools import cache
from typing import Final

_NOT_OFFERED: Final = frozenset({errno.ENOTSUP, errno.ENOTTY, errno.EINVAL})
"""What SMB, other file systems and FUSE say of F_FULLFSYNC on macOS."""
_PATH_MOST: Final = 1024
BOOT_ID: Final = 36
"""The length of a boot id, in bytes."""
_LOCAL: Final = 0x1000
_STATFS: Final = struct.Struct("=64xII16s")
"""Of macOS: the flags and the type, in the first 88 of 2168 bytes."""


# ---- syncs -----------------------------------------------------------------------------------------------


def full_sync(fd: int) -> None:
    """Make what was written to a file durable where fsync() only hands it to the drive (macOS).

    A file system that does not offer that is asked for an fsync(). Any other error is one: to try again after a failed
    sync would only hide it.

    Raises:
        OSError: it failed; what is on the disk is not known.
    """
    try:
        fcntl.fcntl(fd, fcntl.F_FULLFSYNC)  # type: ignore[attr-defined,unused-ignore]
    except OSError as error:
        if error.errno not in _NOT_OFFERED:
            raise
        os.fsync(fd)


if hasattr(fcntl, "F_FULLFSYNC"):
    fsync = fdatasync = full_sync
else:
    fsync = os.fsync
    fdatasync = getattr(os, "fdatasync", os.fsync)


# ---- open files ------------------------------------------------------------------------------------------


def path_of(fd: int) -> str:
    """The path of an open file, as the kernel knows it; OSError if it has none or the kernel does not tell."""
    if hasattr(fcntl, "F_GETPATH"):
        return os.fsdecode(fcntl.fcntl(fd, fcntl.F_GETPATH, bytes(_PATH_MOST)).partition(b"\0")[0])
    return os.readlink(f"/proc/self/fd/{fd}")


def open_descriptors() -> Iterator[int]:
    """The descriptors that this process has open, as far as the system tells."""
    for directory in ("/proc/self/fd", "/dev/fd"):
        with suppress(OSError):
            return map(int, os.listdir(directory))
    return iter(())


def holders_of(paths: Set[str]) -> list[int] | None:
    """The pids of other processes that have one of the files open; None if the system does not tell.

    Processes of other users are missing unless this is root.
    """
    try:
        pids = [int(name) for name in os.listdir("/proc") if name.isdecimal()]
    except OSError:
        return None
    return sorted(pid for pid in pids if pid != os.getpid() and not paths.isdisjoint(_files_of(pid)))


def _files_of(pid: int) -> Iterator[str]:
    with suppress(OSError):
        for fd in os.listdir(f"/proc/{pid}/fd"):
            with suppress(OSError):
                yield os.readlink(f"/proc/{pid}/fd/{fd}")


# ---- the machine -----------------------------------------------------------------------------------------


@cache
def boot_id() -> bytes:
    """What is different after each boot, BOOT_ID bytes; b"" if the system does not tell."""
    try:
        with open("/proc/sys/kernel/random/boot_id", "rb") as file:
            return file.read(BOOT_ID)
    except OSError:
        return _boot_session()


def _boot_session() -> bytes:
    ask = getattr(ctypes.CDLL(None), "sysctlbyname", None)
    value, size = ctypes.create_string_buffer(BOOT_ID + 1), ctypes.c_size_t(BOOT_ID + 1)
    none = ctypes.c_size_t(0)
    if ask is None or ask(b"kern.bootsessionuuid", value, ctypes.byref(size), None, none) != 0:
        return b""
    return value.value


def remote_type(path: str) -> str | None:
    """The type of the file system of ``path``, if macOS says that it is not on a disk of this machine."""
    if sys.platform != "darwin":  # elsewhere the call has the same name and another result
        return None
    libc, found = ctypes.CDLL(None), ctypes.create_string_buffer(4096)
    statfs = getattr(libc, "statfs$INODE64", None) or libc.statfs  # on Intel, and on ARM
    return remote_type_in(found.raw) if statfs(os.fsencode(path), found) == 0 else None


def remote_type_in(found: bytes) -> str | None:
    """The type of a file system that is not local, from a ``struct statfs`` of macOS.

    >>> remote_type_in(bytes(64) + (0x1000).to_bytes(4, "little") + bytes(4) + b"apfs".ljust(16, bytes(1)))
    >>> remote_type_in(bytes(64) + (0).to_bytes(4, "little") + bytes(4) + b"smbfs".ljust(16, bytes(1)))
    'smbfs'
    """
    flags, _, name = _STATFS.unpack_from(found)
    return None if flags & _LOCAL else name.partition(b"\0")[0].decode("ascii", "replace")
