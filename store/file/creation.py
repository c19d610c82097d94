"""Creation: make a new store, but not where the remains of another one are."""

from __future__ import annotations

import os
import secrets
from contextlib import suppress

from ...errors import StoreCorrupt
from ..state.counts import Counts
from .epoch import Epoch
from .format.header import Header
from .format.journal import Journal, is_unused
from .format.noted import write_rows
from .system.failure import store_error
from .system.place import Place
from .system.system import System, sync_directory

_FIRST = 1


def open_or_create(place: Place, system: System, *, ahead: Epoch | None = None) -> Epoch:
    """The newest epoch of a store, or the first of a new one; see Epoch.open.

    Raises:
        StoreCorrupt: the snapshot is missing or damaged; see also Epoch.open.
        StoreError: a new store cannot be made.
    """
    try:
        return Epoch.open(place, system, ahead=ahead)
    except FileNotFoundError:
        refuse_remains(place, system)
    _create(place, system)
    return Epoch.open(place, system)


def refuse_remains(place: Place, system: System) -> None:
    """Raise StoreCorrupt if there is a journal without its snapshot.

    An unused first journal is fine: the process that was making the store has died.
    """
    for name in place.siblings(system, "journal"):
        path = os.path.join(place.directory, name)
        if path != place.journal(_FIRST) or not is_unused(path, system):
            raise StoreCorrupt(place.path, 0, f"the snapshot is missing, but {name} is there")


def _create(place: Place, system: System) -> None:
    store_id, begun = secrets.token_hex(8), [place.next, place.journal(_FIRST)]
    header = Header(store_id=store_id, epoch=_FIRST, seq=0, token=0, hand=0, counts=Counts())
    try:
        write_rows(place.next, system, header, {}, over=True)
        journal = Journal.create(place.journal(_FIRST), system, store_id=store_id, epoch=_FIRST, seq=0, over=True)
        try:
            journal.sync()
        finally:
            journal.close()
        sync_directory(system, place.directory)
        system.replace(place.next, place.path)
        begun.insert(0, place.path)  # to be removed first: a snapshot must not be left without its journal
        sync_directory(system, place.directory)
    except OSError as error:
        _undo(begun, system)
        raise store_error(error, f"{place.path} cannot be made") from error


def _undo(begun: list[str], system: System) -> None:
    with suppress(OSError):
        for path in begun:
            with suppress(FileNotFoundError):
                system.unlink(path)
