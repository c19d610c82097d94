"""A snapshot with a job of every kind, in the files of a System without a disk."""

from __future__ import annotations

import os
from typing import Any

from hourwheel.job import Job, State
from hourwheel.store.codec import encode_job
from hourwheel.store.file.format.header import Header
from hourwheel.store.file.format.index import Index
from hourwheel.store.file.format.snapshot import SnapshotFile, open_snapshot
from hourwheel.store.file.format.snapshot_writer import Content, write_snapshot
from hourwheel.store.state.counts import Counts

from .jobs import NOW, a_job
from .memory_system import DIRECTORY, MemorySystem

PATH = f"{DIRECTORY}/tasks.json"
TURN_MS = 3_600_000
ODD = 'an "odd" \\ nämé'


def header(**fields: Any) -> Header:
    counts = Counts(accepted=5, scheduled=4, running=1)
    return Header(**{"store_id": "s", "epoch": 1, "seq": 7, "token": 3, "hand": 9, "counts": counts} | fields)


def text_of(*jobs: Job) -> list[bytes]:
    return [encode_job(job).encode("ascii") for job in jobs]


def slots_of(*jobs: Job) -> list[tuple[int, list[tuple[int, list[bytes]]]]]:
    found: dict[int, dict[int, list[Job]]] = {}
    for job in sorted(jobs, key=lambda job: (job.slot, job.due_ms, job.id)):
        found.setdefault(job.slot, {}).setdefault(job.cycle, []).append(job)
    return [(slot, [(cycle, text_of(*those)) for cycle, those in cycles.items()]) for slot, cycles in found.items()]


RUNNING = a_job("runs", NOW - 5, state=State.RUNNING, owner="me", token=3, attempt=1)
FINISHED = [
    a_job(f"done-{n}", NOW - 9, payload='[[],{"finished":[1]}]', state=State.SUCCEEDED, finished_ms=NOW, key="f")
    for n in range(2)
]
SCHEDULED = [
    a_job("a", NOW),
    a_job("b", NOW + 1, key="k"),
    a_job("c", NOW + TURN_MS, key='odd "key"'),
    a_job(ODD, NOW + 5),
    a_job("d", NOW + 2000, payload='[["' + "x" * 9000 + '",{"a":1,"key":"k"}],{}]'),
    a_job("zero", 3 * TURN_MS),
]
ALL = {job.id: job for job in (*SCHEDULED, RUNNING, *FINISHED)}


def written(system: MemorySystem, slots: Any = None, running: Any = None, finished: Any = None, **fields: Any) -> Index:
    """A snapshot in ``PATH``; its index as it was made on the way."""
    fd = system.open(PATH, os.O_CREAT | os.O_TRUNC | os.O_RDWR)
    content = Content(
        slots_of(*SCHEDULED) if slots is None else slots,
        text_of(RUNNING) if running is None else running,
        text_of(*FINISHED) if finished is None else finished,
    )
    *_, index = write_snapshot(fd, system, header(**fields), content)
    system.close(fd)
    assert index is not None
    return index


def opened(system: MemorySystem, check: bool = True) -> SnapshotFile:
    return open_snapshot(PATH, lambda epoch: f"{PATH}.index.{epoch}", system, check=check)


def data_of(system: MemorySystem) -> bytearray:
    return system._names[PATH].data
