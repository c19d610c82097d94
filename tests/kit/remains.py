"""What opening the files of a store comes to: its content, or the refusal."""

from __future__ import annotations

from collections.abc import Mapping

from hourwheel.errors import StoreCorrupt, StoreFormatError
from hourwheel.job import Job
from hourwheel.store.file.creation import open_or_create
from hourwheel.store.file.epoch import Epoch
from hourwheel.store.file.system.place import Place
from hourwheel.store.state.invariants import violations
from hourwheel.store.state.views import jobs

from .memory_system import DIRECTORY, MemorySystem

PLACE = Place(f"{DIRECTORY}/tasks.json")

Refusal = StoreCorrupt | StoreFormatError


def opened(files: Mapping[str, bytes]) -> Epoch:
    """The newest epoch of a store with these files, named without their directory."""
    return open_or_create(PLACE, MemorySystem(files))


def what_is_left(files: Mapping[str, bytes]) -> dict[str, Job] | Refusal:
    """The jobs of a store with these files, or why it refuses to open."""
    try:
        epoch = opened(files)
    except (StoreCorrupt, StoreFormatError) as refusal:
        return refusal
    held = {job.id: job for job in jobs(epoch.state)}
    assert violations(epoch.state) == []
    return held
