"""Stores without a disk are closed when their test is over, whatever it did to them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.kit.forms import close_all


@pytest.fixture(autouse=True)
def nothing_open() -> Iterator[None]:
    """No thread of a store outlives its test."""
    yield
    close_all()
