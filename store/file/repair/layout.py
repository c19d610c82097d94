"""Layout: a whole snapshot written at once, from jobs in any order.

Compaction merges what is new into a snapshot on the disk, in pieces, beside a store at work. Here nobody waits, so the
jobs are sorted in memory.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Final

from ....job import Job, State
from ...codec import peek
from ...state.state import Row
from ..format.header import Header
from ..format.index import SLOTS
from ..format.snapshot_writer import Content, text_of, write_snapshot
from ..system.system import System, sync_directory

_NEW: Final = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW

_Entry = tuple[int, str, bytes]


def write_new(path: str, system: System, header: Header, rows: Iterable[Row]) -> None:
    """Write a snapshot of jobs into a new file, durably.

    Raises:
        FileExistsError: there is a file of that name; it is left alone.
        OSError: it cannot be written; what was begun is removed.
    """
    content = lay_out(rows)
    fd = system.open(path, _NEW, 0o600)
    try:
        for _ in write_snapshot(fd, system, header, content):
            pass
        system.fsync(fd)
        sync_directory(system, os.path.dirname(path))
    except BaseException:
        system.unlink(path)
        raise
    finally:
        system.close(fd)


def lay_out(rows: Iterable[Row]) -> Content:
    """Jobs as a snapshot has them: by slot, cycle and due instant."""
    slots: list[list[_Entry]] = [[] for _ in range(SLOTS)]
    running: list[bytes] = []
    finished: list[bytes] = []
    for row in rows:
        text = text_of(row)
        if isinstance(row, Job) and row.state is not State.SCHEDULED:
            (running if row.state is State.RUNNING else finished).append(text)
            continue
        id, due_ms = peek(text)
        slots[due_ms // 1000 % SLOTS].append((due_ms, id, text))
    return Content(slots=_by_cycle(slots), running=running, finished=finished)


def _by_cycle(slots: list[list[_Entry]]) -> Iterator[tuple[int, list[tuple[int, list[bytes]]]]]:
    for slot, entries in enumerate(slots):
        if entries:
            entries.sort()
            yield slot, [(cycle, [text for _, _, text in group]) for cycle, group in groupby(entries, key=_cycle)]


def _cycle(entry: _Entry) -> int:
    return entry[0] // (SLOTS * 1000)
