"""What makes hundreds of thousands of openings affordable, and a run the same each time; nothing of what is tested."""

from __future__ import annotations

import gc
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from types import SimpleNamespace
from typing import Any

import pytest
from hourwheel.store import codec
from hourwheel.store.file import creation, epoch
from hourwheel.store.file.background import Background
from hourwheel.store.file.format import journal, noted, snapshot
from hourwheel.store.state import state

_SMALL = 4096
"""Room that a journal is given at a time, so that it has to be made longer often."""


@contextmanager
def quickly(seed: int) -> Iterator[None]:
    """Journals in small pieces, no job decoded twice, no collection of garbage, and no thread that syncs by the clock."""
    rng = random.Random(seed)
    gc.collect()
    gc.disable()
    try:
        with pytest.MonkeyPatch.context() as patch:
            for name, value in (("CHUNK", _SMALL), ("_BLANK", b"\n" * _SMALL), ("RESERVE", _SMALL)):
                patch.setattr(journal, name, value)
            decode = lru_cache(1 << 14)(codec.decode_job)  # a job is a value, and so is its text
            for module in (codec, epoch, noted, snapshot, state):
                patch.setattr(module, "decode_job", decode)
            patch.setattr(snapshot, "scan_index", _scanning_once(snapshot.scan_index))
            patch.setattr(creation, "secrets", SimpleNamespace(token_hex=lambda size: rng.randbytes(size).hex()))
            patch.setattr(Background, "every", _note_only)
            patch.setattr(Background, "overdue", lambda self: None)
            yield
    finally:
        gc.enable()


def _scanning_once(scan: Callable[[int, Any], Any]) -> Callable[[int, Any], Any]:
    """An index is a function of the snapshot's bytes, and is not changed once it is made."""
    made: dict[bytes, Any] = {}

    def scan_once(fd: int, system: Any) -> Any:
        data = system.pread(fd, system.fstat(fd).st_size, 0)
        if data not in made:
            made[data] = scan(fd, system)
        return made[data]

    return scan_once


def _note_only(self: Any, seconds: float, work: Callable[[], None]) -> None:
    """In place of Background.every: the run calls ``work`` itself, when it says that the time has come."""
    self._regular = (seconds, work)
