"""Restore: a new, sound store beside a damaged one, which is left as it is."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from ....errors import StoreError, StoreUnsafe
from ...state.invariants import violations
from ...state.limits import Limits
from ...state.state import State
from ..format.snapshot import open_snapshot
from ..system.lock import FileLock
from ..system.place import Place, place_at
from ..system.system import SYSTEM, System
from .layout import write_new
from .salvage import Salvage, salvage


@dataclass(frozen=True, slots=True, kw_only=True)
class Repaired:
    """What repair() has found and done."""

    path: str
    output: str | None
    """The new store; None if the old one is sound and no copy was asked for."""
    salvage: Salvage
    violations: list[str]
    """Invariants that the new store violates: [] unless the damage was of a very strange kind."""


def survey(path: str | os.PathLike[str], *, lock_timeout_s: float = 2.0, system: System = SYSTEM) -> Salvage:
    """What repair() would find; changes nothing and writes nothing.

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
    """Write what can be read of a store into a new one beside it. The old one is neither changed nor removed.

    Args:
        path: of the damaged store.
        output: of the new one, by default ``path`` with ".repaired" behind it. It must not exist.
        lock_timeout_s: how long to wait for processes that are writing, in seconds.
        system: the system calls; for tests.

    Returns:
        What was kept and what was lost. A sound store is copied only if ``output`` is given.

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
        violations = _violations(new, system)
    except (OSError, StoreError) as error:
        system.unlink(new)
        raise StoreError(f"{new} was written, but cannot be read back: {error}") from error
    return Repaired(path=old, output=new, salvage=found, violations=violations)


def _write(path: str, found: Salvage, system: System) -> None:
    place = Place(path)
    try:
        beside = place.siblings(system, "journal")
        if beside:
            raise StoreError(f"{path} cannot be written: {beside[0]} stands there already; name another output")
        header = replace(found.header, store_id=secrets.token_hex(8), whole=True)
        write_new(path, system, header, found.state.rows.values())
    except FileExistsError:
        raise StoreError(f"{path} exists already; name another output") from None
    except OSError as error:
        raise StoreError(f"{path} cannot be written: {error.strerror}") from error


def _violations(path: str, system: System) -> list[str]:
    """Read the new store back, strictly."""
    snapshot = open_snapshot(path, Place(path).index, system)
    try:
        header = snapshot.header
        state = State(
            snapshot,
            counts=header.counts,
            hand=header.hand,
            token=header.token,
            running=snapshot.running(),
            limits=Limits(header.paused, header.next_us),
        )
        return violations(state)
    finally:
        snapshot.close()


@contextmanager
def _still(place: Place, system: System, timeout_s: float) -> Iterator[None]:
    """Hold the writers' lock, so that nobody writes while we read. No lock is made where there is none."""
    lock: FileLock | None = None
    try:
        system.lstat(place.lock)
        lock = FileLock(place.lock, system, timeout_s=timeout_s)
    except (FileNotFoundError, StoreUnsafe):
        pass  # nobody can be writing; or the lock is not ours to take, but what can be read can be told
    if lock is None:
        yield
        return
    try:
        lock.acquire()
        yield
    finally:
        lock.close()
