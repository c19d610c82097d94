"""Every n days, weeks or months at a time of day: counted in a time zone, whatever its clocks do."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hourwheel import InvalidValue, crontab, every
from hourwheel.clock import MAX_MS, as_datetime
from hypothesis import given
from hypothesis import strategies as st

BERLIN = ZoneInfo("Europe/Berlin")
ZONES = ["UTC", "Europe/Berlin", "America/New_York", "Pacific/Apia", "Australia/Lord_Howe", "Africa/Cairo"]


def ms_of(when: datetime) -> int:
    return round(when.timestamp() * 1000)


def fires(schedule: every, since: str, count: int = 4, zone: ZoneInfo = BERLIN) -> list[str]:
    """The next fires, as the clocks of a zone show them."""
    found, ms = [], ms_of(datetime.fromisoformat(since).replace(tzinfo=zone))
    for _ in range(count):
        following = schedule.localized(zone).after(ms)
        if following is None:
            break
        found.append(as_datetime(following).astimezone(zone).strftime("%Y-%m-%d %a %H:%M:%S"))
        ms = following
    return found


@pytest.mark.parametrize(
    ("schedule", "since", "expected"),
    [
        (every(at="07:30"), "2026-12-01T07:30", ["2026-12-02 Wed 07:30:00", "2026-12-03 Thu 07:30:00"]),
        (every(days=2, at="07:30", start=datetime(2026, 12, 1, tzinfo=BERLIN)), "2026-12-01", [
            "2026-12-01 Tue 07:30:00", "2026-12-03 Thu 07:30:00",
        ]),
        (every(days=2, at="07:30", start=datetime(2026, 12, 1, 8, tzinfo=BERLIN)), "2026-01-01", [
            "2026-12-03 Thu 07:30:00", "2026-12-05 Sat 07:30:00",
        ]),
        (every(weeks=1, on="mon", at=time(9, 0, 5)), "2026-12-01", ["2026-12-07 Mon 09:00:05", "2026-12-14 Mon 09:00:05"]),
        (every(on=["thu", "Monday"], at="9:00"), "2026-12-01", ["2026-12-03 Thu 09:00:00", "2026-12-07 Mon 09:00:00"]),
        (every(weeks=2, on="mon,sun", start=datetime(2026, 12, 3, tzinfo=BERLIN)), "2026-12-01", [
            "2026-12-06 Sun 00:00:00", "2026-12-14 Mon 00:00:00", "2026-12-20 Sun 00:00:00",
        ]),
        (every(months=1, at="12:00"), "2026-12-01T12:00", ["2027-01-01 Fri 12:00:00", "2027-02-01 Mon 12:00:00"]),
        (every(months=3), "2026-12-01", ["2027-01-01 Fri 00:00:00", "2027-04-01 Thu 00:00:00"]),
        (every(months=3, start=datetime(2026, 12, 1, tzinfo=BERLIN)), "2026-11-01", [
            "2026-12-01 Tue 00:00:00", "2027-03-01 Mon 00:00:00",
        ]),
        (every(months=1, day=31), "2026-12-01", ["2026-12-31 Thu 00:00:00", "2027-01-31 Sun 00:00:00", "2027-03-31 Wed 00:00:00"]),
        (every(months=1, day="L"), "2027-01-01", ["2027-01-31 Sun 00:00:00", "2027-02-28 Sun 00:00:00"]),
        (every(day=[15, 1]), "2026-12-01", ["2026-12-15 Tue 00:00:00", "2027-01-01 Fri 00:00:00"]),
        (every(months=12, day=29, start=datetime(2028, 2, 1, tzinfo=BERLIN)), "2026-12-01", [
            "2028-02-29 Tue 00:00:00", "2032-02-29 Sun 00:00:00",
        ]),
    ],
)  # fmt: skip
def test_they_are_counted_from_the_start(schedule: every, since: str, expected: list[str]) -> None:
    assert fires(schedule, since, len(expected)) == expected


def test_every_month_is_as_in_cron() -> None:
    assert fires(every(months=1, day=13, at="05:00"), "2026-01-01", 30) == fires(
        crontab("0 5 13 * *"),
        "2026-01-01",
        30,  # type: ignore[arg-type]
    )


def test_a_time_in_the_gap_fires_at_the_first_instant_after_it_and_a_repeated_time_once() -> None:
    made = every(days=1, at="02:30")
    assert fires(made, "2026-03-28T12:00", 2) == ["2026-03-29 Sun 03:00:00", "2026-03-30 Mon 02:30:00"]
    assert fires(made, "2026-10-24T12:00", 2) == ["2026-10-25 Sun 02:30:00", "2026-10-26 Mon 02:30:00"]
    assert made.localized(BERLIN).after(ms_of(datetime(2026, 10, 24, 12, tzinfo=UTC))) == ms_of(
        datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    )


@given(
    zone=st.sampled_from(ZONES), count=st.integers(1, 40),
    start=st.datetimes(datetime(1975, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC)),
    at=st.times().map(lambda one: one.replace(microsecond=0)),
)  # fmt: skip
def test_each_nth_day_has_one_fire_in_every_zone(zone: str, count: int, start: datetime, at: time) -> None:
    where = ZoneInfo(zone)
    start = start.replace(microsecond=0)
    made, ms, seen = every(days=count, at=at, timezone=zone, start=start), 0, list[date]()
    first = start.astimezone(where).date()
    for _ in range(4):
        following = made.after(ms)
        assert following is not None
        shown = as_datetime(following).astimezone(where)
        gap = shown.time() != at
        day = shown.date() - timedelta(days=1) if gap and shown.time() < at else shown.date()
        assert (day - first).days % count == 0
        if gap:  # the first instant after it
            before = (as_datetime(following) - timedelta(seconds=1)).astimezone(where)
            assert before.replace(tzinfo=None) < datetime.combine(day, at) < shown.replace(tzinfo=None)
        seen.append(day)
        ms = following
    assert seen[0] - first <= timedelta(days=count)
    assert [(later - day).days for day, later in zip(seen, seen[1:], strict=False)] == [
        count
    ] * 3 or zone == "Pacific/Apia"


@given(unit=st.sampled_from(["days", "weeks", "months"]), count=st.integers(1, 10_000), ms=st.integers(0, MAX_MS))
def test_however_many_and_whenever_the_next_fire_is_later_or_none(unit: str, count: int, ms: int) -> None:
    made: Any = every(**{unit: count}, at="12:00", timezone="UTC")  # type: ignore[arg-type]
    following = made.after(ms)
    assert following is None or following > ms


def test_the_time_zone_is_the_scheduler_s_unless_it_has_its_own() -> None:
    plain, own = every(at="07:00"), every(at="07:00", timezone="Asia/Tokyo")
    assert plain.localized(BERLIN).spec == "every 1 days at 07:00:00 Europe/Berlin"
    assert own.localized(BERLIN) is own
    assert plain == every(days=1, at=time(7))
    assert (
        repr(every(weeks=2, on="thu,1,mon", at="07:30", timezone="UTC")) == "<every 2 weeks on mon,thu at 07:30:00 UTC>"
    )


def test_nothing_but_the_interval_counts_without_a_calendar() -> None:
    """every(days=1) has been 24 hours all along; it must not become midnight of a time zone."""
    assert every(days=1).localized(BERLIN).spec == "every 86400000 ms"


@pytest.mark.parametrize(
    ("options", "rule"),
    [
        ({"at": "24:00"}, 'at must be a time of day such as "07:30"'),
        ({"at": "7"}, "at must be"),
        ({"at": 730}, "at must be"),
        ({"at": time(7, tzinfo=UTC)}, "or a time without a time zone"),
        ({"days": 2, "weeks": 1, "at": "07:00"}, "every must be one of days, weeks or months"),
        ({"hours": 2, "at": "07:00"}, "every must be one of days, weeks or months"),
        ({"months": 1, "seconds": 5}, "every must be one of days, weeks or months"),
        ({"days": 1.5, "at": "07:00"}, "days must be a whole number from 1 to 10,000"),
        ({"days": -1, "at": "07:00"}, "days must be a whole number"),
        ({"months": 0.5}, "months must be a whole number"),
        ({"months": 10_001}, "months must be a whole number"),
        ({"months": True}, "every must be numbers"),
        ({"days": 2, "on": "mon"}, "on must be left out without weeks"),
        ({"weeks": 2, "day": 1}, "day must be left out without months"),
        ({"on": "mon", "day": 1}, "day must be left out without months"),
        ({"on": "moon"}, "on must be made of numbers from 0 to 7 or names"),
        ({"on": "fri#2"}, "on must be made of numbers from 0 to 7 or names"),
        ({"day": 32}, "must be made of numbers from 1 to 31"),
        ({"months": 12, "day": 30, "start": datetime(2027, 2, 1, tzinfo=UTC)}, "every must be a rule that matches some day"),
        ({"at": "07:00", "anchor": datetime(2027, 2, 1, tzinfo=UTC)}, "anchor must be left out if it goes by the calendar"),
        ({"seconds": 5, "timezone": "UTC"}, "timezone must be left out without at"),
        ({"at": "07:00", "timezone": "Mars/X"}, "timezone must be the name of a time zone"),
    ],
)  # fmt: skip
def test_what_cannot_be_meant_is_refused(options: dict[str, Any], rule: str) -> None:
    with pytest.raises(InvalidValue, match=rule):
        every(**options)
