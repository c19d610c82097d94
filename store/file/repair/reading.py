"""Reading: the bytes of a file; on a disk with bad sectors, whatever of them it still gives."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Final

from ..system.system import System, close_file

_PIECE: Final = 1 << 24
_SECTOR: Final = 4096
_UNREADABLE: Final = b"\xff"
"""Stands in the place of each byte that could not be read: in no text of ours, and no blank."""


def read_file(path: str, system: System, *, around: bool = False) -> bytes:
    """The whole of a file.

    Args:
        path: of the file; not a link.
        system: the system calls.
        around: put bytes that are nothing of ours where the disk gives none.

    Raises:
        OSError: it cannot be opened; or, unless ``around``, not be read.
    """
    fd = system.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        return b"".join(_pieces(fd, system))
    except OSError:
        if not around:
            raise
        size = system.fstat(fd).st_size
        return b"".join(_sector(fd, at, min(_SECTOR, size - at), system) for at in range(0, size, _SECTOR))
    finally:
        close_file(system, fd)


def _pieces(fd: int, system: System) -> Iterator[bytes]:
    at = 0
    while piece := system.pread(fd, _PIECE, at):
        yield piece
        at += len(piece)


def _sector(fd: int, at: int, length: int, system: System) -> bytes:
    try:
        found = system.pread(fd, length, at)
    except OSError:
        found = b""
    return found + _UNREADABLE * (length - len(found))
