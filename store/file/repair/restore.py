"""Restore: write a new, sound store beside a damaged one, which stays as it is."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from ....errors import StoreError, StoreUnsafe
from ..format.noted import write_rows
from ..readonly import ReadOnlyStore
from ..system.lock import FileLock
from ..system.place import Place, place_at
from ..system.system import SYSTEM, System, sync_directory
from .salvage import Salvage, salvage


@dataclass(frozen=True, slots=True, kw_only=True)
class Repaired:
    """What repair() found and did."""

    path: str
    output: str | None
    """The path of the new store; None if the old one is sound and you gave no ``output``."""
    salvage: Salvage
    violations: list[str]
    """Invariants that the new store violates; nearly always []."""


def survey(path: str | os.PathLike[str], *, lock_timeout_s: float = 2.0, system: System = SYSTEM) -> Salvage:
    """What repair() would find. Writes nothing.

    Args:
        path: of the store.
        lock_timeout_s: how long to wait for processes that are writing, in seconds.
        system: the system calls; for tests.

    Raises:
        FileNotFoundError: there is no store.
        StoreFormatError: it is not a store, or that of a newer Hourwheel.
        StoreBusy: another process holds its lock.
    """
    place = place_at(path)
    with _still(place, system, lock_timeout_s):
        return salvage(place, system)


def repair(
    path: str | os.PathLike[str],
    output: str | os.PathLike[str] | None = None,
    *,
    lock_timeout_s: float = 2.0,
    system: System = SYSTEM,
) -> Repaired:
    """Write what can be read of a store into a new one beside it. The old one stays as it is.

    Args:
        path: of the damaged store.
        output: of the new one, which must not exist; by default ``path`` plus ".repaired".
        lock_timeout_s: how long to wait for processes that are writing, in seconds.
        system: the system calls; for tests.

    Returns:
        What was kept and what is lost. A sound store is copied only if you give ``output``.

    Raises:
        FileNotFoundError, StoreFormatError, StoreBusy: see survey().
        StoreError: the output exists, or cannot be written.

    >>> repair("tasks.json").output
    '/var/lib/app/tasks.json.repaired'
    """
    found = survey(path, lock_timeout_s=lock_timeout_s, system=system)
    old = place_at(path).path
    if output is None and not found.harmed:
        return Repaired(path=old, output=None, salvage=found, violations=[])
    new = place_at(old + ".repaired" if output is None else output).path
    _write(new, found, system)
    try:
        sync_directory(system, os.path.dirname(new))
        with ReadOnlyStore(new, system=system) as store:
            violations = store.check()
    except (OSError, StoreError) as error:
        system.unlink(new)
        raise StoreError(f"{new} was written, but cannot be relied on, and was removed: {error}") from error
    return Repaired(path=old, output=new, salvage=found, violations=violations)


def _write(path: str, found: Salvage, system: System) -> None:
    place = Place(path)
    try:
        beside = place.siblings(system, "journal")
        if beside:
            raise StoreError(f"{path} cannot be written: {beside[0]} exists already; name another output")
        header = replace(found.header, store_id=secrets.token_hex(8), whole=True)
        write_rows(path, system, header, found.state.rows)
    except FileExistsError:
        raise StoreError(f"{path} exists already; name another output") from None
    except OSError as error:
        raise StoreError(f"{path} cannot be written: {error.strerror}") from error


@contextmanager
def _still(place: Place, system: System, timeout_s: float) -> Iterator[None]:
    """Hold the writers' lock, so that no process writes meanwhile. No lock is made where there is none."""
    try:
        system.lstat(place.lock)
        lock = FileLock(place.lock, system, timeout_s=timeout_s)
    except (FileNotFoundError, StoreUnsafe):  # no process can be writing; or this user cannot take the lock
        yield
        return
    try:
        lock.acquire()
        yield
    finally:
        lock.close()
