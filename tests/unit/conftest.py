"""What all unit tests stand on: nothing of one test, or of a module that was imported, is left for the next."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from noria.wheel.default import set_default
from noria.wheel.registry import SHARED


@pytest.fixture(autouse=True)
def nothing_shared() -> Iterator[None]:
    """No shared tasks, and no default scheduler."""
    kept = dict(SHARED._tasks)
    SHARED._tasks.clear()
    set_default(None)
    yield
    set_default(None)
    SHARED._tasks.clear()
    SHARED._tasks.update(kept)
