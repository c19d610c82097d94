"""Systems whose calls fail, so that a store can be seen to bear it."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from typing import Any

from hourwheel.store.file.system import kernel
from hourwheel.store.file.system.system import System

CALLS = (
    "open",
    "close",
    "pread",
    "pwrite",
    "fsync",
    "fdatasync",
    "ftruncate",
    "fstat",
    "stat",
    "lstat",
    "replace",
    "unlink",
    "listdir",
    "flock",
)
"""The names of every system call that a store makes."""


class Watched(System):
    """Passes each call to ``before`` (name, arguments), which may raise; then makes it."""

    def __init__(self, before: Callable[[str, tuple[Any, ...]], None]) -> None:
        self.before = before
        for name in CALLS:
            setattr(self, name, self._watched(name))

    def _watched(self, name: str) -> Callable[..., Any]:
        real = getattr(System, name)

        def call(*args: Any, **within: int) -> Any:
            self.before(name, args)
            return real(*args, **within)

        return call


class Failing(Watched):
    """Fails the calls of one name for as long as ``failing`` says so; counts all calls."""

    def __init__(self, name: str, number: int = errno.EIO, *, failing: bool = False) -> None:
        super().__init__(self._before)
        self.name = name
        self.number = number
        self.failing = failing
        self.calls: dict[str, int] = dict.fromkeys(CALLS, 0)

    def _before(self, name: str, args: tuple[Any, ...]) -> None:
        self.calls[name] += 1
        if self.failing and name == self.name:
            raise OSError(self.number, os.strerror(self.number))


def open_descriptors() -> int:
    """How many descriptors this process has open."""
    return len(list(kernel.open_descriptors()))
