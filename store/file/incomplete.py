"""Incomplete: the errors when one of a store's files is missing, or is an older copy.

A journal is made and synced before its snapshot gets its name, and is removed only when a later snapshot has that name.
So no crash leaves a snapshot without its journal: the journal was removed, or only one file was copied, and what was
accepted since is missing, so the store must not open as if nothing had been. The only snapshot that needs no journal
says so itself (``whole`` in its header): it was written when a store was closed, or by ``hourwheel repair``.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Final

from ...errors import StoreIncomplete
from .system.place import Place, epoch_of
from .system.system import System

_HOW_TO_GO_ON: Final = (
    "nothing was changed. Put back all files of the store from one copy, or go on without what is missing: "
    "`hourwheel repair` writes a new store of what is here"
)


def missing_journal(place: Place, system: System, epoch: int, *, blank: bool) -> StoreIncomplete:
    """The error for a missing or ``blank`` journal of the snapshot's epoch."""
    later = _journals(place, system, above=epoch)
    if later:
        return _older_snapshot(place, epoch, later, "whose journal is missing")
    name = place.journal(epoch)
    what = f"its journal {name} is empty" if blank else f"its journal {name} is missing"
    others = _journals(place, system, above=-1)
    beside = f" ({', '.join(others)} is of another epoch)" if others and not blank else ""
    return StoreIncomplete(
        place.path,
        f"{what}{beside}: what was accepted since the snapshot of epoch {epoch} is in it alone; {_HOW_TO_GO_ON}",
    )


def refuse_older_snapshot(place: Place, system: System, epoch: int) -> None:
    """Raise StoreIncomplete if a journal shows that the snapshot, with its own journal, is an older copy."""
    later: list[str] = []
    with suppress(OSError):  # a directory that cannot be listed says nothing
        later = _journals(place, system, above=epoch + 1)
    if later:
        raise _older_snapshot(place, epoch, later, "with its journal")


def _older_snapshot(place: Place, epoch: int, later: list[str], how: str) -> StoreIncomplete:
    return StoreIncomplete(
        place.path,
        f"the snapshot is of epoch {epoch}, {how}, but there is {later[-1]}: "
        f"the snapshot is an older one, perhaps put back from a copy; {_HOW_TO_GO_ON}",
    )


def _journals(place: Place, system: System, *, above: int) -> list[str]:
    return sorted((name for name in place.siblings(system, "journal") if epoch_of(name) > above), key=epoch_of)
