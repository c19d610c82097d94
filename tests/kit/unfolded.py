"""Stores that keep their journal when they are closed, for tests of what stands in it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest


@contextmanager
def unfolded() -> Iterator[None]:
    """Closing a store leaves its files as they are, as being killed does."""
    with pytest.MonkeyPatch.context() as patch:
        leave_unfolded(patch)
        yield


def leave_unfolded(patch: pytest.MonkeyPatch) -> None:
    """The same until ``patch`` is undone."""
    patch.setattr("hourwheel.store.file.newest.SMALL", 0)
