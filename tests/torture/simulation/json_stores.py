"""JsonStores: the JSON store as several simulated processes see it, in files that are bytes in a dict.

Each process has descriptors of its own; when it dies the kernel closes them, and drops the locks with them, and
nothing else is tidied up: that is how its life sign ends.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from hourwheel.contract import Store
from hourwheel.job import Claim
from hourwheel.store import JsonStore
from hourwheel.store.file.system.system import System

from tests.kit.memory_system import DIRECTORY, MemorySystem
from tests.kit.systems import CALLS


class Process(System):
    """One process's view of the files."""

    has_directories = False

    def __init__(self, kernel: MemorySystem) -> None:
        self._kernel = kernel
        self._opened: set[int] = set()
        for name in CALLS:
            setattr(self, name, getattr(kernel, name))
        self.open: Any = self._open

    def _open(self, *args: Any) -> int:
        fd: int = self._kernel.open(*args)
        self._opened.add(fd)
        return fd

    def kill(self) -> None:
        """Close everything, as the kernel does."""
        for fd in self._opened:
            try:
                self._kernel.close(fd)
            except OSError:
                continue


class JsonStores:
    """See Stores."""

    lease_ms: int | None = None
    lease_now_ms: Callable[[], int]

    def __init__(self) -> None:
        self._kernel = MemorySystem()
        self._processes: dict[str, tuple[Process, JsonStore]] = {}

    def open(self, owner: str) -> Store:
        process = Process(self._kernel)
        store = JsonStore(f"{DIRECTORY}/tasks.json", system=process)
        self._processes[owner] = process, store
        return store

    def died(self, owner: str) -> None:
        process, store = self._processes.pop(owner)
        store._keeper._closed = True
        process.kill()

    def ended(self, owner: str) -> None:
        self._processes.pop(owner)[1].close()

    def disown(self, claims: Iterable[Claim]) -> bool:
        return False

    def lives(self, owner: str, until_ms: int) -> None:
        raise AssertionError(f"the kernel tells whether {owner} lives")
