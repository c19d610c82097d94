"""A store in each of the forms that it can have: as it is, read again from its journal, compacted, indexed anew."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from hourwheel.errors import HourwheelError
from hourwheel.store import JsonStore

from .jobs import StoppedClock
from .memory_system import DIRECTORY, MemorySystem

Form = Callable[[JsonStore], JsonStore]
_OPENED: Final[list[JsonStore]] = []


def new_store(system: MemorySystem | None = None, **options: Any) -> JsonStore:
    """A store without a disk."""
    options.setdefault("durability", "os")
    options.setdefault("clock", StoppedClock())
    store = JsonStore(f"{DIRECTORY}/tasks.json", system=system or MemorySystem(), **options)
    _OPENED.append(store)
    return store


def close_all() -> None:
    """Close what was opened since the last time."""
    while _OPENED:
        try:
            _OPENED.pop().close()
        except HourwheelError:
            continue


def as_it_is(store: JsonStore) -> JsonStore:
    return store


def read_again(store: JsonStore) -> JsonStore:
    """As another process reads it from snapshot and journal. The first stays open, or its owners would be dead."""
    return new_store(_system_of(store))


def compacted(store: JsonStore) -> JsonStore:
    """All of it is in a new snapshot."""
    store.compact()
    return store


def compacted_and_read_again(store: JsonStore) -> JsonStore:
    return read_again(compacted(store))


def indexed_anew(store: JsonStore) -> JsonStore:
    """Read again from a snapshot whose index is lost."""
    system = _system_of(compacted(store))
    for name in system.files():
        if ".index." in name:
            system.unlink(f"{DIRECTORY}/{name}")
    return new_store(system)


def _system_of(store: JsonStore) -> MemorySystem:
    system = store._keeper.newest.system
    assert isinstance(system, MemorySystem)
    return system


FORMS: Final[tuple[Form, ...]] = (as_it_is, read_again, compacted, compacted_and_read_again, indexed_anew)
