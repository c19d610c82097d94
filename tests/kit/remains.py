"""What opening the files of a store comes to: its content, or the refusal."""

from __future__ import annotations

from collections.abc import Mapping

from noria.store.creation import open_or_create
from noria.store.epoch import Epoch
from noria.store.invariants import violations
from noria.store.place import Place
from noria.store.views import jobs
from noria.wheel.errors import StoreCorrupt, StoreFormatError
from noria.wheel.job import Job

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
