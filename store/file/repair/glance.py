"""Glance: find the damaged places of a large store, line by line, and keep nothing else.

survey() reads whole files and everything in them, which takes about eight times their size in memory. A repair needs
that; naming the damaged places of a store of gigabytes does not.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from ....job import Job
from ..format.lines import is_prefix, is_sound
from ..format.snapshot import lines_of
from ..system.place import Place
from ..system.system import SYSTEM, System, opened
from .damage import Damage, id_in
from .loose_snapshot import LooseSnapshot, Reader

LARGE: Final = 64 << 20
_MOST: Final = 1_000


@dataclass(slots=True, kw_only=True)
class Glance:
    """What glance() found."""

    damages: list[Damage] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def is_large(path: str, system: System = SYSTEM) -> bool:
    """Whether the files of a store are too large to read them into memory at once."""
    place, size = Place(path), 0
    for name in (os.path.basename(path), *place.siblings(system, "journal")):
        try:
            size += system.stat(os.path.join(place.directory, name)).st_size
        except FileNotFoundError:
            continue
    return size > LARGE


def glance(path: str, system: System = SYSTEM) -> Glance:
    """Name the damaged places of a store. The memory for it does not depend on the store's size."""
    place, seen = Place(path), Glance()
    found = LooseSnapshot(jobs=_Nothing())
    reader = Reader(found, path)
    for at, line in _lines(path, system):
        reader.take(at, line)
        if len(found.damages) >= _MOST:
            seen.notes.append(f"there are more damaged places in {path} than the first {_MOST:,}")
            break
    seen.damages += found.damages
    for name in place.siblings(system, "journal"):
        journal = os.path.join(place.directory, name)
        seen.damages += list(_in_journal(journal, system))[:_MOST]
    if not seen.damages:
        seen.notes.append("each line can be read, but some value is not as it was written")
    seen.notes.append(
        "a store this large is checked line by line; `hourwheel repair` says which jobs are lost, but needs more memory"
    )
    return seen


class _Nothing(dict[str, Job | bytes]):
    """Keeps no job."""

    def __setitem__(self, id: str, job: Job | bytes) -> None:
        return


def _in_journal(path: str, system: System) -> Iterator[Damage]:
    last: Damage | None = None
    for at, line in _lines(path, system):
        if not line.strip(b"\0"):
            continue
        if last is not None:
            yield last
            last = None
        if not is_sound(line):
            reason = "the checksum of a record does not match"
            last = Damage(path=path, offset=at, length=len(line), reason=reason, job=id_in(line))
            if not is_prefix(line):
                yield last
                last = None
    # a last line that looks cut short is an unfinished write


def _lines(path: str, system: System) -> Iterator[tuple[int, bytes]]:
    """(offset, line without its line feed) of a file; nothing if it is missing."""
    try:
        with opened(system, path) as fd:
            for at, line in lines_of(fd, system, 0):
                if text := line.removesuffix(b"\n"):
                    yield at, text.rstrip(b"\r")
    except FileNotFoundError:
        return
