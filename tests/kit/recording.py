"""A System without a disk that notes its calls, and fails those that it is told to."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from .memory_system import MemorySystem
from .systems import CALLS


class Recording(MemorySystem):
    """Notes (name, file, further arguments) of each call before it makes it; ``fails`` may raise instead."""

    def __init__(self, files: dict[str, bytes] | None = None) -> None:
        super().__init__(files or {})
        self.calls: list[tuple[str, ...]] = []
        self.fails: Callable[[str, tuple[Any, ...]], None] = lambda name, args: None
        for name in CALLS:
            setattr(self, name, self._noted(name))

    def _noted(self, name: str) -> Callable[..., Any]:
        real = getattr(self, f"_do_{name}")

        def call(*args: Any) -> Any:
            path = args[0] if isinstance(args[0], str) else self.path_of(args[0])
            self.calls.append((name, os.path.basename(path)))
            self.fails(name, args)
            return real(*args)

        return call

    def names(self) -> list[str]:
        """The names of the calls so far, which are then forgotten."""
        names = [name for name, *_ in self.calls]
        self.calls.clear()
        return names


def failing(name: str, number: int) -> Callable[[str, tuple[Any, ...]], None]:
    """For ``fails``: each call of that name fails with that errno."""

    def fail(called: str, args: tuple[Any, ...]) -> None:
        if called == name:
            raise OSError(number, os.strerror(number))

    return fail
