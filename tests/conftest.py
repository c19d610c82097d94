"""For all tests: the shipped suites explain their failures as tests do; hypothesis is repeatable in CI."""

from __future__ import annotations

import os

import pytest

pytest.register_assert_rewrite("noria.wheel.testing")  # before anything imports it

from hypothesis import settings  # noqa: E402

settings.register_profile("ci", deadline=None, derandomize=True)
settings.register_profile("dev", deadline=None)
settings.load_profile("ci" if os.environ.get("CI") else "dev")
