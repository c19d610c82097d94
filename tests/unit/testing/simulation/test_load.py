"""What a forecast is made for: streams, jobs, stores."""

from __future__ import annotations

import pytest
from hourwheel.errors import InvalidValue
from hourwheel.testing import Stream, simulate


@pytest.mark.parametrize("wrong", [{"calls": 0}, {"per": 0}, {"countdown": -1}, {"calls": True}])
def test_wrong_streams_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(InvalidValue, match="must be"):
        Stream(**{"task": "t", "calls": 1, "per": 1, **wrong})


def test_a_load_of_something_else_is_refused() -> None:
    with pytest.raises(InvalidValue, match="load must be"):
        simulate([1], now=0)
