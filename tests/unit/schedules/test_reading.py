"""What a schedule is called in the store is enough to make it again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hourwheel import InvalidValue, crontab, every
from hourwheel.schedules.reading import schedule_of
from hourwheel.schedules.when import Schedule
from hypothesis import given
from hypothesis import strategies as st

MOMENTS = st.datetimes(datetime(1970, 1, 2), datetime(2100, 1, 1), timezones=st.just(UTC))
SPANS = st.integers(1, 10**9).map(lambda ms: timedelta(milliseconds=ms))
BOUNDS = st.fixed_dictionaries(
    {"start": MOMENTS},
    optional={"times": st.integers(1, 50), "jitter": SPANS, "end": st.just(datetime(2200, 1, 1, tzinfo=UTC))},
)
ZONES = st.sampled_from(
    ["UTC", "Europe/Berlin", timezone(timedelta(hours=-3, minutes=-30)), timezone(timedelta(hours=14))]
)
CRONTABS = st.sampled_from(
    [
        "* * * * *",
        "30 7 * * 1-5",
        "*/10 * * * * *",
        "0 12 13 * fri",
        "0 0 L * *",
        "0 7 * * fri#2,5L",
        "@daily",
        "0 0 1,15 1-3 *",
    ]
).map(lambda text: {"minute": text}) | st.fixed_dictionaries(
    {"minute": st.sampled_from([0, "*/15", [0, 30]])},
    optional={"hour": st.sampled_from(["8-18/2", 7]), "day_of_month": st.just(13), "day_of_week": st.just("fri")},
)
INTERVALS = st.integers(100, 10**12).map(lambda ms: {"seconds": timedelta(milliseconds=ms)})
DATES = st.one_of(
    st.fixed_dictionaries({"days": st.integers(1, 99), "at": st.sampled_from(["07:30", "00:00", "23:59:59"])}),
    st.fixed_dictionaries({"weeks": st.integers(1, 9), "on": st.sampled_from(["mon", "mon,thu", "sat-sun"])}),
    st.fixed_dictionaries({"months": st.integers(1, 9), "day": st.sampled_from([1, "L", "1,15"])}),
)


@given(made=st.builds(lambda parts, zone, bounds: crontab(**parts, timezone=zone, **bounds), CRONTABS, ZONES, BOUNDS))
def test_a_crontab_comes_back(made: Any) -> None:
    read = schedule_of(made.spec)
    assert read == made
    assert read.spec == made.spec


@given(
    made=st.builds(lambda parts, zone, bounds: every(**parts, timezone=zone, **bounds), DATES, ZONES, BOUNDS)
    | st.builds(lambda parts, bounds: every(**parts, **bounds), INTERVALS, BOUNDS)
    | st.builds(lambda parts, anchor, bounds: every(**parts, anchor=anchor, **bounds), INTERVALS, MOMENTS, BOUNDS),
    ms=st.integers(0, 5 * 10**12),
)
def test_an_interval_and_dates_come_back_and_fire_when_they_did(made: Any, ms: int) -> None:
    read = schedule_of(made.spec)
    assert (read, read.after(ms)) == (made, made.after(ms))


@pytest.mark.parametrize("made", [crontab("0 7 * * *"), every(at="07:30"), every(5)])
def test_one_without_a_time_zone_has_none_either(made: Schedule) -> None:
    zone = ZoneInfo("Asia/Tokyo")
    assert schedule_of(made.spec).localized(zone).spec == made.localized(zone).spec


@pytest.mark.parametrize(
    "text",
    [
        None, 5, "", "every", "every 5 minutes", "every 0 ms", "every 5 ms", "crontab * * * * *", "crontab 0 61 * * * *",
        "every 1 days at 07:30", "every 01 days at 07:30:00", "crontab 0 0 7 * * * Mars/X", "every 60000 ms jitter 0",
        "every 60000 ms start 0 times 0", "every 1 weeks on moon at 00:00:00", "listed", "every 60000 ms from 5 from 6",
        "every 99999999999999999999 ms", "every 60000 ms from 99999999999999999999", "every 1 days on mon at 07:30:00",
    ],
)  # fmt: skip
def test_what_is_no_description_is_refused(text: Any) -> None:
    with pytest.raises(InvalidValue):
        schedule_of(text)
