"""Leaks, sown into this process."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from hourwheel.store.file.compaction import Compaction
from hourwheel.worker.run.runner import Runner

_KEPT: list[object] = []


def _leaks_memory() -> None:
    right = Runner.__call__

    def run(self: Runner, claim: Any) -> Any:
        _KEPT.append(os.urandom(1024))
        return right(self, claim)

    Runner.__call__ = run  # type: ignore[method-assign]


def _leaks_objects() -> None:
    right = Runner.__call__

    def run(self: Runner, claim: Any) -> Any:
        _KEPT.append(object())
        return right(self, claim)

    Runner.__call__ = run  # type: ignore[method-assign]


def _leaks_descriptors() -> None:
    right = Compaction.clean_up

    def clean_up(self: Compaction) -> None:
        os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
        right(self)

    Compaction.clean_up = clean_up  # type: ignore[method-assign]


BUGS: dict[str, Callable[[], None]] = {
    "1 KiB is kept of every job": _leaks_memory,
    "a descriptor is kept of every compaction": _leaks_descriptors,
    "a small object is kept of every job": _leaks_objects,
}
NOTICED_BY = {
    "1 KiB is kept of every job": "bytes a job",
    "a descriptor is kept of every compaction": "file descriptors",
    "a small object is kept of every job": "objects a job",
}
"""By which gauge each must be noticed."""
