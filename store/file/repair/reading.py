"""Reading: the bytes of a file; on a disk with bad sectors, those that it still gives."""

from __future__ import annotations

from typing import Final

from ..system.system import System, opened, pread_all

_SECTOR: Final = 4096
_UNREADABLE: Final = b"\xff"
"""Stands for a byte that could not be read. No text of ours has it, and it is not a blank."""


def read_file(path: str, system: System, *, around: bool = False) -> bytes:
    """The whole of a file, which may not be a link.

    Raises:
        OSError: it cannot be opened, or not be read. With ``around``, 0xFF stands for what cannot be read.
    """
    with opened(system, path) as fd:
        try:
            return pread_all(system, fd)
        except OSError:
            if not around:
                raise
        size = system.fstat(fd).st_size
        return b"".join(_sector(fd, at, min(_SECTOR, size - at), system) for at in range(0, size, _SECTOR))


def _sector(fd: int, at: int, length: int, system: System) -> bytes:
    try:
        found = system.pread(fd, length, at)
    except OSError:
        found = b""
    return found + _UNREADABLE * (length - len(found))
