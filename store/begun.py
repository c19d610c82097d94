"""Begun: how far an owner has come with its claims, in its life sign, where it outlives the process.

Workers take claims in the order of their tokens, so one number says which of them have begun: those up to it. It is
written into the page cache, without a sync: a killed process leaves it behind, a power failure may not. So the sign
says in which life of the kernel it was written; in another one nothing is known, and then every claim counts as begun.
"""

from __future__ import annotations

import os
import struct
from functools import cache
from typing import Final

from .system import System, close_file

_MARK: Final = struct.Struct("<36sQQ")
"""The kernel's boot id, the newest token that has begun, and since when the sign is shown (ms since the epoch)."""
_TOKEN: Final = struct.Struct("<Q")
_AT: Final = 36


def write_mark(system: System, fd: int, since_ms: int) -> None:
    """Begin: nothing has begun yet.

    Raises:
        OSError: it could not be written.
    """
    system.pwrite(fd, _MARK.pack(_boot_id(), 0, since_ms), 0)


def write_token(system: System, fd: int, token: int) -> None:
    """The claim of this token has begun, and those before it.

    Raises:
        OSError: it could not be written.
    """
    system.pwrite(fd, _TOKEN.pack(token), _AT)


def read_mark(system: System, path: str) -> tuple[int, int] | None:
    """(the newest token that has begun, since when the sign is shown); None if that is not known."""
    try:
        fd = system.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return None
    try:
        data = system.pread(fd, _MARK.size, 0)
    except OSError:
        return None
    finally:
        close_file(system, fd)
    if len(data) < _MARK.size:
        return None
    boot, token, since_ms = _MARK.unpack(data)
    return (token, since_ms) if boot == _boot_id() and boot.strip(b"\0") else None


@cache
def _boot_id() -> bytes:
    try:
        with open("/proc/sys/kernel/random/boot_id", "rb") as file:
            return file.read(_AT)
    except OSError:
        return b""
