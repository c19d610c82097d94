"""Ended: the files of epochs that are over, or that never came, and how they are told from somebody else's.

A name proves nothing: another store may have been put where this one was. The first line of a journal and of an index
says which store it belongs to, so what is removed or written over is looked into before.
"""

from __future__ import annotations

import os
import re
from typing import Final

from ....errors import StoreError
from .place import Place
from .system import System, opened

_STORE_ID: Final = re.compile(rb'"store_id":"([^"]*)"')
_FIRST: Final = 4096


def is_named(path: str, fd: int, system: System) -> bool:
    """Whether an open file is the one that has the name ``path`` now."""
    try:
        return os.path.samestat(system.fstat(fd), system.lstat(path))
    except FileNotFoundError:
        return False


def store_of(path: str, system: System) -> str | None:
    """The id of the store that a journal or an index belongs to; "" if it says of none, None if there is no file.

    Raises:
        OSError: it cannot be read.
    """
    try:
        with opened(system, path) as fd:
            found = _STORE_ID.search(system.pread(fd, _FIRST, 0).partition(b"\n")[0])
    except FileNotFoundError:
        return None
    return found[1].decode("ascii", "replace") if found else ""


def remove_ended(place: Place, system: System, store_id: str, before: int) -> None:
    """Remove what belongs to epochs of a store before one. What cannot be removed, or read, does no harm."""
    try:
        names = [name for kind in ("journal", "index") for name in place.siblings(system, kind)]
    except OSError:
        return
    for name in names:
        number = name.rpartition(".")[2]
        path = os.path.join(place.directory, name)
        if number.isdecimal() and int(number) < before:
            try:
                if store_of(path, system) == store_id:
                    system.unlink(path)
            except OSError:
                continue


def clear_the_way(path: str, system: System, store_id: str) -> None:
    """Remove what an attempt that came to nothing has left under the name of a journal that is to be made.

    Raises:
        StoreError: it is the journal of another store.
        OSError: it cannot be read or removed.
    """
    found = store_of(path, system)
    if found is None:
        return
    if found not in ("", store_id):
        raise StoreError(f"{path} is in the way: it belongs to another store (id {found}); move it away")
    system.unlink(path)
