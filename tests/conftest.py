"""For all tests: nothing of one is left for the next, shipped suites explain failures, hypothesis is repeatable in CI."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator

import pytest

pytest.register_assert_rewrite("hourwheel.testing")  # before anything imports it

from hourwheel.tasks.default_app import set_default  # noqa: E402
from hourwheel.tasks.registry import SHARED  # noqa: E402
from hypothesis import settings  # noqa: E402

from tests.kit.unfolded import leave_unfolded  # noqa: E402

settings.register_profile("ci", deadline=None, derandomize=True)
settings.register_profile("dev", deadline=None)
settings.load_profile("ci" if os.environ.get("CI") else "dev")


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


@pytest.fixture(autouse=True)
def logging_as_it_was() -> Iterator[None]:
    """Commands set up logging for the whole process."""
    root, ours = logging.getLogger(), logging.getLogger("hourwheel")
    before = root.level, ours.level, list(root.handlers)
    yield
    root.setLevel(before[0])
    ours.setLevel(before[1])
    root.handlers[:] = before[2]


@pytest.fixture
def not_folded(monkeypatch: pytest.MonkeyPatch) -> None:
    """See unfolded. By the test's own monkeypatch, which may set the same: what one has set it undoes in order."""
    leave_unfolded(monkeypatch)
