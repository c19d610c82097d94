"""Files in memory whose system calls fail on demand: some of them by number, or all of them for a while."""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Callable, Collection, Mapping
from typing import Any, Final

from tests.kit.memory_system import MemorySystem
from tests.kit.systems import CALLS

SHORT: Final = -1
"""Not an errno: the write is cut short, and the next one fails for want of room."""
ERRORS: Final = (errno.EIO, errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EMFILE, errno.EINTR, SHORT)


def name_of(error: int) -> str:
    """EIO and the like."""
    return errno.errorcode.get(error, "a short write")


class Faults(MemorySystem):
    """Fails the calls whose numbers are given, each with its error; and every call from ``begin`` to before ``end``.

    A descriptor whose close fails is closed all the same, and giving a lock back cannot fail: that is Linux.
    """

    def __init__(self, single: Mapping[int, int] = {}, *, lasting: int | None = None, span: range = range(0)) -> None:
        super().__init__()
        self._single = dict(single)
        self._lasting = lasting
        self._span = span
        self.several = len(single) > 1 or lasting is not None
        self.calls = 0
        self.failed: list[str] = []
        """Which calls failed, as text."""
        self.unsound: set[str] = set()
        """Journals of which a sync has failed: what is read from them may not be on the disk."""
        self._untold: set[int] = set()
        """Who had a file open when a sync of it failed is told once, at his next sync; who opens it later is not."""
        self._write_fails_next = False
        for name in CALLS:
            setattr(self, name, self._counted(name))

    def lift(self) -> None:
        """From now on nothing fails."""
        self._single.clear()
        self._span = range(0)
        self._write_fails_next = False

    def _counted(self, name: str) -> Callable[..., Any]:
        real = getattr(self, f"_do_{name}")

        def call(*args: Any) -> Any:
            self.calls += 1
            error = self._error_now()
            if self._write_fails_next and name == "pwrite":
                self._write_fails_next = False
                error = errno.ENOSPC
            if name in ("fsync", "fdatasync") and args[0] in self._untold:
                self._untold.discard(args[0])
                error = errno.EIO
            if error is None or (name == "flock" and args[1] == fcntl.LOCK_UN):
                answer = real(*args)
                self._note_begun(name, args)
                return answer
            return self._fail(name, error, real, args)

        return call

    def _error_now(self) -> int | None:
        if self.calls in self._span:
            return self._lasting
        return self._single.pop(self.calls, None)

    def _note_begun(self, name: str, args: tuple[Any, ...]) -> None:
        """A file that is emptied, or was not there before, has nothing in it that is not on the disk.

        Who opens a journal is told by a mark in it that a sync has failed. When more than one call fails, that mark may
        be missing; docs/reliability.md says so.
        """
        if name == "open" and (args[1] & (os.O_TRUNC | os.O_EXCL) or self.several):
            self.unsound.discard(args[0])

    def _fail(self, name: str, error: int, real: Callable[..., Any], args: tuple[Any, ...]) -> Any:
        path = args[0] if isinstance(args[0], str) else self.path_of(args[0])
        if error == SHORT:
            if name != "pwrite":
                return real(*args)
            self._write_fails_next = True
            self.failed.append(f"short {name} of {os.path.basename(path)}")
            return real(args[0], args[1][: len(args[1]) // 2], args[2])
        self.failed.append(f"{name} of {os.path.basename(path)}: {name_of(error)}")
        if name == "close":
            real(*args)
        if name in ("fsync", "fdatasync") and ".journal." in path:
            self.unsound.add(path)
            self._untold.update(fd for fd, file in self._held.items() if fd != args[0] and file is self._at(args[0]))
        raise OSError(error, os.strerror(error))


class Full(MemorySystem):
    """A file system with so many bytes: what does not fit is not written, what is there can be written over."""

    def __init__(self, room: int) -> None:
        super().__init__()
        self.room = room
        self.pwrite = self._limited  # type: ignore[method-assign, assignment]

    def used(self) -> int:
        """Bytes in files that have a name, or are open."""
        held: Collection[Any] = {
            id(file): file for file in [*self._names.values(), *self._held.values()] if file
        }.values()
        return sum(len(file.data) for file in held)

    def _limited(self, fd: int, data: bytes, offset: int) -> int:
        grows = max(0, offset + len(data) - len(self._at(fd).data))
        fits = len(data) - max(0, grows - max(0, self.room - self.used()))
        if fits <= 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return self._do_pwrite(fd, data[:fits], offset)
