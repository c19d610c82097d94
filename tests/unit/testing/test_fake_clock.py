"""FakeClock stands still, goes on when it is told, and can be set without anybody noticing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hourwheel import Clock, InvalidValue
from hourwheel.testing import FakeClock


def test_advance_moves_the_wall_and_the_monotonic_clock_together() -> None:
    clock: Clock = FakeClock(datetime(2026, 1, 1, tzinfo=UTC))
    start_ms = clock.now_ms()
    clock.advance(1.25)  # type: ignore[attr-defined]
    clock.advance(timedelta(minutes=1))  # type: ignore[attr-defined]
    assert clock.now_ms() - start_ms == 61_250
    assert clock.monotonic() == 61.25


def test_fractions_of_a_millisecond_add_up_and_now_is_rounded_down() -> None:
    clock = FakeClock(0)
    clock.advance(0.0009)
    assert (clock.now_ms(), clock.now_ns()) == (0, 900_000)
    clock.advance(0.0001)
    assert clock.now_ms() == 1


@pytest.mark.parametrize("to", [0, datetime(1970, 1, 1, tzinfo=UTC)])
def test_travel_sets_the_wall_also_back_and_leaves_the_monotonic_clock(to: Any) -> None:
    clock = FakeClock()
    clock.advance(5)
    clock.travel(to)
    assert (clock.now_ms(), clock.monotonic()) == (0, 5.0)


@pytest.mark.parametrize("seconds", [-1, float("nan"), float("inf"), "1", True])
def test_time_does_not_go_back(seconds: Any) -> None:
    with pytest.raises(InvalidValue, match="seconds"):
        FakeClock().advance(seconds)


@pytest.mark.parametrize("moment", [-1, 1.5, "now", True, datetime(2026, 1, 1)])  # noqa: DTZ001 - naive on purpose
def test_what_is_no_instant_is_refused(moment: Any) -> None:
    with pytest.raises(InvalidValue, match="moment"):
        FakeClock().travel(moment)
