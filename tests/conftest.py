"""For all tests: nothing of one is left for the next, shipped suites explain failures, hypothesis is repeatable in CI."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

pytest.register_assert_rewrite("hourwheel.testing")  # before anything imports it

from hourwheel.default import set_default  # noqa: E402
from hourwheel.registry import SHARED  # noqa: E402
from hypothesis import settings  # noqa: E402

from tests.kit.unfolded import unfolded  # noqa: E402

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


@pytest.fixture
def not_folded() -> Iterator[None]:
    """See unfolded."""
    with unfolded():
        yield
