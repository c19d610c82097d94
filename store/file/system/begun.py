"""Begun: which claims of an owner have begun, noted in its life sign, so that it outlives the process.

Workers begin claims in the order of their tokens, so one number is enough: claims up to it have begun. It is written
into the page cache, without a sync, so it survives a killed process but perhaps no power failure. The sign therefore
holds the boot id of the kernel; after another boot nothing is known, and every claim counts as begun.
"""

from __future__ import annotations

import ctypes
import os
import struct
from collections.abc import Callable
from functools import partial
from typing import Final, NamedTuple

from ....errors import StoreError
from ....safety.gate import Gate
from .kernel import BOOT_ID, boot_id
from .system import System, opened

_MARK: Final = struct.Struct("=36sQQ")
"""The kernel's boot id, the newest token that has begun, and since when the sign is shown (ms since the epoch)."""
_TOKEN: Final = struct.Struct("=Q")
_AT: Final = BOOT_ID


class _Open(NamedTuple):
    """An open file and what writes a token into it: one value, so that an exception cannot separate the two."""

    fd: int
    write: Callable[[int], object]


class Mark:
    """The mark of one owner in its open life sign."""

    def __init__(self, system: System, fd: int, since_ms: int) -> None:
        """Write that nothing has begun yet; OSError if that fails."""
        self._gate = Gate("life sign")
        """Keeps an older token from overwriting a newer one, and from being written to a reused descriptor."""
        self._system = system
        self._since_ms = since_ms
        self._newest = 0
        self._open: _Open | None = None
        self.move(fd)

    def move(self, fd: int) -> None:
        """Go on in another file, with the same content: the sign was removed, and is shown again."""
        self._gate.run(self._move, fd)

    def _move(self, fd: int) -> None:
        self._system.pwrite(fd, _MARK.pack(boot_id(), self._newest, self._since_ms), 0)
        self._open = _Open(fd, _token_of(self._system, fd))

    def begun(self, token: int) -> None:
        """The claim of this token has begun, and those before it.

        Raises:
            StoreError: it could not be written, or the sign is not shown any more.
            StoreReentered: called by the handler of a signal that has interrupted this thread in here.
        """
        self._gate.run(self._begun, token)

    def _begun(self, token: int) -> None:
        if token <= self._newest:
            return
        if self._open is None:
            raise StoreError("the life sign of this owner is not shown any more")
        try:
            self._open.write(token)
        except OSError as error:
            raise StoreError(f"the life sign of this owner cannot be written: {error.strerror}") from error
        self._newest = token

    @property
    def ended(self) -> bool:
        """Whether the sign is not shown any more."""
        return self._open is None

    def end(self, fd: int | None = None) -> None:
        """The sign is about to be closed. With ``fd`` only if it is in that file."""
        self._gate.run(self._end, fd)

    def _end(self, fd: int | None) -> None:
        if self._open is not None and fd in (None, self._open.fd):
            self._open = None


def _token_of(system: System, fd: int) -> Callable[[int], object]:
    """What writes a token into the mark in an open file."""
    if system.pwrite is os.pwrite:
        return _Word(fd, _AT).write
    return lambda token: system.pwrite(fd, _TOKEN.pack(token), _AT)  # a test's System


class _Word:
    """Eight bytes at one place of an open file, written into the page cache without releasing the GIL.

    os.pwrite releases it, and then waits to get it back: with four workers a job without work cost twice as much. The
    arguments are converted once, as that takes longer than the call.
    """

    def __init__(self, fd: int, at: int) -> None:
        self._value = ctypes.c_uint64()
        size = ctypes.c_size_t(_TOKEN.size)
        self._call = partial(_PWRITE, ctypes.c_int(fd), ctypes.byref(self._value), size, ctypes.c_long(at))

    def write(self, number: int) -> None:
        """Write a number in native byte order."""
        self._value.value = number
        if self._call() != _TOKEN.size:
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code))


_PWRITE: Final = ctypes.PyDLL(None, use_errno=True)["pwrite"]


def read_mark(system: System, path: str) -> tuple[int, int] | None:
    """(the newest token that has begun, since when the sign is shown); None if not known."""
    try:
        with opened(system, path) as fd:
            data = system.pread(fd, _MARK.size, 0)
    except OSError:
        return None
    if len(data) < _MARK.size:
        return None
    boot, token, since_ms = _MARK.unpack(data)
    return (token, since_ms) if boot == boot_id() and boot.strip(b"\0") else None
