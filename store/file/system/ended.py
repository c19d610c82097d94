"""Ended: remove the files of epochs that are over or never came, but not those of another store.

A name proves nothing: another store may have been put where this one was. The first line of a journal or an index says
which store it belongs to, so it is read before the file is removed or overwritten.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from ....errors import StoreError
from .place import Place, epoch_of
from .system import System, opened

_STORE_ID: Final = re.compile(rb'"store_id":"([^"]*)"')
_FIRST: Final = 4096


def is_named(path: str, fd: int, system: System) -> bool:
    """Whether ``path`` names this open file now."""
    try:
        return os.path.samestat(system.fstat(fd), system.lstat(path))
    except FileNotFoundError:
        return False


def store_of(path: str, system: System) -> str | None:
    """The id of the store that a journal or an index belongs to; "" if it names none, None if there is no file."""
    try:
        with opened(system, path) as fd:
            found = _STORE_ID.search(system.pread(fd, _FIRST, 0).partition(b"\n")[0])
    except FileNotFoundError:
        return None
    return found[1].decode("ascii", "replace") if found else ""


def remove_ended(
    place: Place, system: System, store_id: str, before: int, ours: Callable[[], bool] = lambda: True
) -> None:
    """Remove the files of a store's epochs before this one, as long as the store is ``ours``.

    One that cannot be read or removed does no harm.
    """
    try:
        names = [name for kind in ("journal", "index") for name in place.siblings(system, kind)]
    except OSError:
        return
    for name in names:
        path = os.path.join(place.directory, name)
        if 0 <= epoch_of(name) < before:
            with suppress(OSError):
                if store_of(path, system) == store_id and ours():
                    system.unlink(path)


def clear_the_way(path: str, system: System, store_id: str) -> None:
    """Remove what a failed attempt has left at the path of a file that is to be made.

    Raises:
        StoreError: the file belongs to another store.
        OSError: it cannot be read or removed.
    """
    found = store_of(path, system)
    if found is None:
        return
    if found not in ("", store_id):
        raise StoreError(f"{path} is in the way: it belongs to another store (id {found}); move it away")
    system.unlink(path)
