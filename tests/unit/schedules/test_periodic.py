"""When schedules fire: whole multiples, the calendar, and what becomes of it where the clocks are set."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hourwheel import InvalidValue, crontab, every
from hourwheel.clock import MAX_MS, as_datetime
from hourwheel.schedules.when import Schedule
from hypothesis import example, given
from hypothesis import strategies as st

ZONES = sorted(available_timezones() - {"localtime", "Factory"})
SECOND = timedelta(seconds=1)
YEARS = st.datetimes(datetime(2020, 1, 1), datetime(2037, 12, 1), timezones=st.just(UTC))
HOUR_MS = 3_600_000


def ms_of(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1000)


def fires(schedule: Schedule, after: str, count: int, zone: str = "UTC") -> list[str]:
    """The next fires, as the clocks of a zone show them."""
    found, ms = [], ms_of(after)
    for _ in range(count):
        following = schedule.after(ms)
        assert following is not None
        assert following > ms
        found.append(as_datetime(following).astimezone(ZoneInfo(zone)).strftime("%m-%d %H:%M:%S %z"))
        ms = following
    return found


# ---- every -------------------------------------------------------------------------------------------------


@given(every_ms=st.integers(100, 10**10), ms=st.integers(0, 10**13))
def test_every_fires_at_the_next_whole_multiple_and_never_at_the_instant_itself(every_ms: int, ms: int) -> None:
    found = every(every_ms / 1000).after(ms)
    assert found is not None
    assert found % every_ms == 0
    assert ms < found <= ms + every_ms


@pytest.mark.parametrize(
    ("made", "ms"),
    [
        (every(5), 5_000), (every(timedelta(minutes=1)), 60_000), (every(minutes=2), 120_000),
        (every(hours=1, minutes=30), 5_400_000), (every(days=1), 86_400_000), (every(weeks=1), 604_800_000), (every(0.1), 100),
        (every(seconds=0.1, minutes=0.1), 6_100),
    ],
)  # fmt: skip
def test_lengths_of_time_add_up(made: every, ms: int) -> None:
    assert (made.after(0), made.spec) == (ms, f"every {ms} ms")


def test_a_period_of_a_hundred_days_and_some_milliseconds_was_a_millisecond_longer() -> None:
    """As a float it is a little more than what was written, and was rounded up."""
    made = every(8_812_824.276)
    assert (made.after(0), made.spec) == (8_812_824_276, "every 8812824276 ms")


def test_an_anchor_is_one_of_the_fires() -> None:
    made = every(days=1, anchor=datetime(2026, 1, 1, 7, 30, tzinfo=UTC))
    assert fires(made, "2026-05-05T08:00:00+00:00", 2) == ["05-06 07:30:00 +0000", "05-07 07:30:00 +0000"]
    assert made.spec == "every 86400000 ms from 1767252600000"
    assert made.localized(UTC) is made


@pytest.mark.parametrize("wrong", [0, -1, 0.05, "5", True, float("nan"), float("inf"), None, timedelta(0)])
def test_what_is_no_length_of_time_is_refused(wrong: Any) -> None:
    with pytest.raises(InvalidValue, match="every must be"):
        every(wrong)


def test_a_naive_anchor_is_refused() -> None:
    with pytest.raises(InvalidValue, match="anchor must be an aware datetime"):
        every(5, anchor=datetime(2026, 1, 1))  # noqa: DTZ001


def test_nothing_fires_after_the_end_of_time() -> None:
    assert every(days=1).after(MAX_MS) is None
    assert crontab().after(MAX_MS) is None


# ---- crontab -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("made", "first"),
    [
        (crontab(), "01-01 00:01:00 +0000"),
        (crontab(minute="*/15"), "01-01 00:15:00 +0000"),
        (crontab(minute=30, hour=7), "01-01 07:30:00 +0000"),
        (crontab(minute=0, hour="8-18/2", day_of_week="mon-fri"), "01-01 08:00:00 +0000"),
        (crontab(0, 0, "sun"), "01-04 00:00:00 +0000"),
        (crontab(0, 0, 7), "01-04 00:00:00 +0000"),
        (crontab(0, 0, day_of_month=1, month_of_year="mar"), "03-01 00:00:00 +0000"),
        (crontab("0 12 * * 1-5"), "01-01 12:00:00 +0000"),
        (crontab("*/10 * * * * *"), "01-01 00:00:10 +0000"),
        (crontab("0 0 29 2 *"), "02-29 00:00:00 +0000"),
    ],
)
def test_fields_are_those_of_celery_and_of_cron(made: crontab, first: str) -> None:
    assert fires(made, "2026-01-01T00:00:00+00:00", 1) == [first]


@pytest.mark.parametrize(
    ("written", "means"),
    [
        (crontab("5-5/4"), crontab(5)), (crontab("0, 30", 7), crontab("0,30", 7)), (crontab(0, "8 ,17"), crontab(0, "8,17")),
        (crontab([0, 30]), crontab("0,30")), (crontab({0, 30}, (7, 8)), crontab("0,30", "7,8")),
        (crontab(range(0, 60, 20)), crontab("*/20")), (crontab(0, 7, "Monday"), crontab(0, 7, 1)),
        (crontab(0, 7, month_of_year="january,Sept"), crontab(0, 7, month_of_year="1,9")),
        (crontab(0, "22-4"), crontab(0, "22,23,0,1,2,3,4")), (crontab(0, 7, "fri-mon"), crontab(0, 7, "5,6,0,1")),
        (crontab(0, 7, "5-1/2"), crontab(0, 7, "5,0")), (crontab(0, 7, "sat-7"), crontab(0, 7, "6,0")),
        (crontab(0, 7, month_of_year="nov-feb"), crontab(0, 7, month_of_year="11,12,1,2")), (crontab("*/90"), crontab(0)),
        (crontab(0, 7, day_of_month="25-5/3"), crontab(0, 7, day_of_month="25,28,31,3")),
        (crontab("@daily"), crontab(0, 0)), (crontab("@Hourly"), crontab(0)), (crontab("@weekly"), crontab(0, 0, 0)),
        (crontab("@monthly"), crontab(0, 0, day_of_month=1)), (crontab("@yearly"), crontab("0 0 1 1 *")),
        (crontab("TZ=Asia/Tokyo @daily"), crontab(0, 0, timezone="Asia/Tokyo")),
        (crontab("CRON_TZ=Asia/Tokyo 0, 30 7 * * *"), crontab("0,30", 7, timezone="Asia/Tokyo")),
    ],
)  # fmt: skip
def test_celery_s_fields_were_refused_or_misread(written: crontab, means: crontab) -> None:
    assert written == means


@pytest.mark.parametrize(
    ("fields", "hint"),
    [
        (("@reboot",), "to run code when a worker starts, use @app.on.worker_ready"), (("@every 5m",), "for an interval, use every(...)"),
        (("@fortnightly",), "@hourly"), (("0 7 ? * MON",), "? is Quartz syntax"), (("@daily", 3), "a whole expression without other fields"),
        (("0 0 7 * * * 2027",), "five fields as in cron"), (("61 * * * *",), "minute must be made of numbers from 0 to 59"),
        (("* 24 * * *",), "hour must be made of numbers from 0 to 23"), ((0, 0, "mon/2"), "day_of_week must be"),
        ((0, 0, "mo"), "day_of_week must be"), ((0, 0, "*", "*", "jam"), "month_of_year must be"), (("TZ=Mars/X 0 7 * * *",), "timezone must be"),
        ((0, 0, "*", "L/2"), "day_of_month must be"), ((0, 0, "fri#6"), "day_of_week must be"),
    ],
)  # fmt: skip
def test_what_is_refused_says_which_field_and_what_to_write(fields: tuple[Any, ...], hint: str) -> None:
    with pytest.raises(InvalidValue) as refused:
        crontab(*fields)
    assert hint in str(refused.value)


def test_an_expression_with_a_zone_takes_no_other() -> None:
    with pytest.raises(InvalidValue, match="timezone must be left out if the expression names a zone"):
        crontab("CRON_TZ=Asia/Tokyo 0 7 * * *", timezone="UTC")


def test_both_days_must_match_in_fields_and_one_in_an_expression() -> None:
    """Celery's crontab() asks for both, cron for one of them; each is what its users expect."""
    both = crontab(0, 0, day_of_week="fri", day_of_month=13)
    assert fires(both, "2026-01-01T00:00:00+00:00", 2) == ["02-13 00:00:00 +0000", "03-13 00:00:00 +0000"]
    one = crontab("0 0 13 * fri")
    assert fires(one, "2026-01-01T00:00:00+00:00", 2) == ["01-02 00:00:00 +0000", "01-09 00:00:00 +0000"]


def test_a_time_that_the_clocks_skip_fires_at_the_first_instant_after_it_and_once() -> None:
    made = crontab("*/20 2 * * *", timezone="Europe/Berlin")
    assert fires(made, "2026-03-28T01:40:00+00:00", 2, "Europe/Berlin") == [
        "03-29 03:00:00 +0200",
        "03-30 02:00:00 +0200",
    ]


def test_a_time_that_the_clocks_show_twice_fires_at_the_first() -> None:
    made = crontab("30 2 * * *", timezone="Europe/Berlin")
    assert fires(made, "2026-10-24T12:00:00+00:00", 2, "Europe/Berlin") == [
        "10-25 02:30:00 +0200",
        "10-26 02:30:00 +0100",
    ]


def test_what_fires_every_hour_goes_by_time_as_it_passes() -> None:
    made = crontab("*/30 * * * *", timezone="Europe/Berlin")
    assert [one[6:11] for one in fires(made, "2026-10-24T23:31:00+00:00", 6, "Europe/Berlin")] == [
        "02:00", "02:30", "02:00", "02:30", "03:00", "03:30",
    ]  # fmt: skip
    assert [one[6:11] for one in fires(made, "2026-03-29T00:00:00+00:00", 3, "Europe/Berlin")] == [
        "01:30",
        "03:00",
        "03:30",
    ]


def test_a_day_that_a_zone_has_skipped_is_no_end() -> None:
    """Samoa had no 30 December 2011; apscheduler has looped for ever over less (#980, #1021)."""
    made = crontab("0 12 * * *", timezone="Pacific/Apia")
    assert fires(made, "2011-12-29T22:30:00+00:00", 3, "Pacific/Apia") == [
        "12-31 00:00:00 +1400", "12-31 12:00:00 +1400", "01-01 12:00:00 +1400",
    ]  # fmt: skip


def test_the_zone_of_the_scheduler_is_taken_where_there_is_no_other() -> None:
    plain, own = crontab("0 7 * * *"), crontab("0 7 * * *", timezone="Asia/Tokyo")
    berlin = ZoneInfo("Europe/Berlin")
    assert plain.localized(berlin).spec == "crontab 0 0 7 * * * Europe/Berlin"
    assert own.localized(berlin) is own
    assert fires(own, "2026-01-01T00:00:00+00:00", 1) == ["01-01 22:00:00 +0000"]
    assert repr(plain.localized(timezone(timedelta(hours=2)))) == "<crontab 0 0 7 * * * UTC+02:00>"


@pytest.mark.parametrize(
    "fields", [("61",), ("a",), ("* * *",), ("0 0 31 2 *",), (0, 0, "fri", 32), ("* * * * *", 3), ("",), (-1,)]
)
def test_what_cannot_be_read_or_never_comes_is_refused(fields: tuple[Any, ...]) -> None:
    with pytest.raises(InvalidValue):
        crontab(*fields)


def test_a_zone_that_is_none_is_refused() -> None:
    with pytest.raises(InvalidValue, match="timezone must be the name of a time zone"):
        crontab(timezone="Berlin/Europe")


# ---- all zones, all years ----------------------------------------------------------------------------------


def shown(instant: datetime, zone: ZoneInfo) -> datetime:
    return instant.astimezone(zone).replace(tzinfo=None)


def near_a_change(zone: ZoneInfo, start: datetime) -> datetime:
    """A moment shortly before the next change of the offset; ``start`` itself if there is none for two years."""
    offset = start.astimezone(zone).utcoffset()
    for day in range(0, 750, 7):
        low = start + timedelta(days=day)
        high = low + timedelta(days=7)
        if high.astimezone(zone).utcoffset() != offset:
            while high - low > SECOND:
                middle = (low + (high - low) / 2).replace(microsecond=0)
                low, high = (middle, high) if middle.astimezone(zone).utcoffset() == offset else (low, middle)
            return high - timedelta(hours=2)
    return start


@given(zone=st.sampled_from(ZONES), start=YEARS, minute=st.integers(0, 59), hour=st.integers(0, 23), at=st.booleans())
@example(zone="Africa/Casablanca", start=datetime(2026, 2, 1, tzinfo=UTC), minute=30, hour=2, at=True)
@example(zone="Australia/Lord_Howe", start=datetime(2026, 3, 1, tzinfo=UTC), minute=45, hour=1, at=True)
@example(zone="America/Santiago", start=datetime(2026, 8, 1, tzinfo=UTC), minute=0, hour=0, at=True)
@example(zone="America/Nuuk", start=datetime(2024, 3, 1, tzinfo=UTC), minute=0, hour=23, at=True)
def test_a_named_time_fires_once_each_day_in_every_zone(
    zone: str, start: datetime, minute: int, hour: int, at: bool
) -> None:
    """By definition: at the first instant at which the clocks show the time, or have passed it for the first time."""
    where = ZoneInfo(zone)
    start = (near_a_change(where, start) if at else start).replace(second=0, microsecond=0)
    found = crontab(minute, hour, timezone=zone).after(round(start.timestamp() * 1000))
    assert found is not None
    instant = as_datetime(found)
    day = shown(instant, where).replace(hour=hour, minute=minute, second=0)
    if day > shown(instant, where):  # the clocks went forward over midnight: it was due yesterday
        day -= timedelta(days=1)
    assert shown(instant - SECOND, where) < day or shown(instant, where) == day
    before = [instant - n * timedelta(minutes=1) for n in range(1, 240)]
    earlier = [one for one in before if one > start and shown(one, where) == day]
    assert earlier == [], "it was shown before, after the start"
    assert instant - start <= timedelta(hours=49)


@given(zone=st.sampled_from(ZONES), start=YEARS, step=st.sampled_from([5, 15, 20, 30]), at=st.booleans())
def test_an_hourly_one_fires_whenever_the_clocks_show_it_in_every_zone(
    zone: str, start: datetime, step: int, at: bool
) -> None:
    """Against a look at every minute of five hours."""
    where = ZoneInfo(zone)
    start = (near_a_change(where, start) if at else start).replace(second=0, microsecond=0)
    made, ms, found = crontab(f"*/{step} * * * *", timezone=zone), round(start.timestamp() * 1000), []
    end_ms = ms + 5 * HOUR_MS
    while (following := made.after(ms)) is not None and following <= end_ms:
        found.append(following)
        ms = following
    minutes = [start + timedelta(minutes=n) for n in range(1, 301)]
    assert found == [round(one.timestamp() * 1000) for one in minutes if shown(one, where).minute % step == 0]
