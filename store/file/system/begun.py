"""Begun: how far an owner has come with its claims, in its life sign, where it outlives the process.

Workers take claims in the order of their tokens, so one number says which of them have begun: those up to it. It is
written into the page cache, without a sync: a killed process leaves it behind, a power failure may not. So the sign
says in which life of the kernel it was written; in another one nothing is known, and then every claim counts as begun.
"""

from __future__ import annotations

import ctypes
import os
import struct
from collections.abc import Callable
from functools import cache, partial
from typing import Final, NamedTuple

from ....errors import StoreError
from ....safety.gate import Gate
from .system import System, opened

_MARK: Final = struct.Struct("=36sQQ")
"""The kernel's boot id, the newest token that has begun, and since when the sign is shown (ms since the epoch)."""
_TOKEN: Final = struct.Struct("=Q")
_AT: Final = 36


class _Open(NamedTuple):
    """An open file and what writes a token into it: one value, so that no exception strikes between the two."""

    fd: int
    write: Callable[[int], object]


class Mark:
    """How far one owner has come, in its sign, which is open."""

    def __init__(self, system: System, fd: int, since_ms: int) -> None:
        """Begin: nothing has begun yet.

        Raises:
            OSError: it could not be written.
        """
        self._gate = Gate("life sign")
        """Not to write an older token over a newer one, nor into a file that has the number next."""
        self._system = system
        self._since_ms = since_ms
        self._newest = 0
        self._open: _Open | None = None
        self.move(fd)

    def move(self, fd: int) -> None:
        """Say the same in another file, and go on there: the sign was taken away, and is shown again.

        Raises:
            OSError: it could not be written.
        """
        self._gate.run(self._move, fd)

    def _move(self, fd: int) -> None:
        self._system.pwrite(fd, _MARK.pack(_boot_id(), self._newest, self._since_ms), 0)
        self._open = _Open(fd, _token_of(self._system, fd))

    def begun(self, token: int) -> None:
        """The claim of this token has begun, and those before it.

        Raises:
            StoreError: it could not be written, or the sign is shown no more.
            StoreReentered: by the handler of a signal that has interrupted this thread in here.
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
        """Whether the sign is shown no more."""
        return self._open is None

    def end(self, fd: int | None = None) -> None:
        """The sign is about to be closed; or an open file, if that is its."""
        self._gate.run(self._end, fd)

    def _end(self, fd: int | None) -> None:
        if self._open is not None and fd in (None, self._open.fd):
            self._open = None


def _token_of(system: System, fd: int) -> Callable[[int], object]:
    """What writes a token into the mark in an open file."""
    if system.pwrite is os.pwrite:
        return _Word(fd, _AT).write
    return lambda token: system.pwrite(fd, _TOKEN.pack(token), _AT)  # a System of a test has calls of its own


class _Word:
    """Eight bytes at one place of an open file, written into the page cache without letting other threads run.

    That takes less time than to let them, which os.pwrite does, and then waits for its turn: with four workers a job
    without work cost twice as much. The arguments are converted once; doing so takes longer than the call.
    """

    def __init__(self, fd: int, at: int) -> None:
        self._value = ctypes.c_uint64()
        size = ctypes.c_size_t(_TOKEN.size)
        self._call = partial(_PWRITE, ctypes.c_int(fd), ctypes.byref(self._value), size, ctypes.c_long(at))

    def write(self, number: int) -> None:
        """Write a number, in the order of bytes of this machine."""
        self._value.value = number
        if self._call() != _TOKEN.size:
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code))


_PWRITE: Final = ctypes.PyDLL(None, use_errno=True)["pwrite"]


def read_mark(system: System, path: str) -> tuple[int, int] | None:
    """(the newest token that has begun, since when the sign is shown); None if that is not known."""
    try:
        with opened(system, path) as fd:
            data = system.pread(fd, _MARK.size, 0)
    except OSError:
        return None
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
