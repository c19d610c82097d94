"""Zones and types that are accepted: none of them is misread."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from decimal import Decimal
from fractions import Fraction
from importlib import resources
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import pytz
from dateutil import tz as dateutil_tz
from hourwheel import HourwheelError, InvalidValue, Scheduler, crontab, every
from hourwheel.clock import as_datetime
from hourwheel.store import MemoryStore
from hourwheel.zones import checked_zone

BERLIN = ZoneInfo("Europe/Berlin")
SUMMER_MS = round(datetime(2026, 7, 1, tzinfo=UTC).timestamp() * 1000)


class Moody(tzinfo):
    """It says that it is fixed, and is not."""

    def utcoffset(self, dt: datetime | None) -> timedelta:
        return timedelta(hours=2 if dt is not None and 3 < dt.month < 10 else 1)

    def dst(self, dt: datetime | None) -> timedelta:
        return self.utcoffset(dt) - timedelta(hours=1)

    def tzname(self, dt: datetime | None) -> str:
        return "moody"


class Failing(tzinfo):
    def utcoffset(self, dt: datetime | None) -> timedelta:
        raise RuntimeError("no")


@pytest.mark.parametrize("name", ["Europe/Berlin", "America/New_York", "Asia/Kolkata", "UTC", "Etc/GMT+2", "EST"])
def test_a_pytz_zone_fired_at_local_mean_time(name: str) -> None:
    """In Berlin a report of 07:30 came at 08:37 in summer, under the very spec that a zoneinfo has."""
    ours = crontab("30 7 * * *", timezone=name)
    for zone in (pytz.timezone(name), ZoneInfo(name)):
        theirs = crontab("30 7 * * *", timezone=zone)
        assert theirs == ours
        assert (theirs.spec, theirs.after(SUMMER_MS)) == (ours.spec, ours.after(SUMMER_MS))
    localized = pytz.timezone(name).localize(datetime(2026, 7, 1))  # its tzinfo is another object of the zone
    assert crontab("30 7 * * *", timezone=localized.tzinfo) == ours
    app = Scheduler(MemoryStore(), timezone=pytz.timezone(name))
    app.periodic(crontab("30 7 * * *"), name="report")(lambda: None)
    assert app.schedules[0].spec == ours.spec


@pytest.mark.parametrize(
    ("zone", "spec"),
    [
        (UTC, "UTC"), (pytz.utc, "UTC"), (dateutil_tz.tzutc(), "UTC"), (timezone(timedelta(0)), "UTC"),
        (pytz.FixedOffset(90), "UTC+01:30"), (dateutil_tz.tzoffset("IST", 19_800), "UTC+05:30"),
        (timezone(timedelta(hours=2), "CEST"), "UTC+02:00"), (timezone(timedelta(hours=-3)), "UTC-03:00"),
    ],
)  # fmt: skip
def test_a_fixed_distance_is_told_by_its_length_not_by_a_name_that_others_have(zone: tzinfo, spec: str) -> None:
    assert str(checked_zone(zone)) == spec
    assert crontab("0 7 * * *", timezone=zone).spec == f"crontab 0 0 7 * * * {spec}"


@pytest.mark.parametrize(
    "zone",
    [
        dateutil_tz.tzstr("EST5EDT"), dateutil_tz.tzrange("EST", -18_000, "EDT"), Moody(), Failing(), "", "Berlin", "Europe", "CEST",
        "../UTC", "Europe/Berlin\0", 2, 2.0, None, timedelta(hours=2), b"UTC", ZoneInfo, "local",
    ],
)  # fmt: skip
def test_a_zone_that_other_processes_could_not_read_is_refused_with_the_fix(zone: Any) -> None:
    with pytest.raises(InvalidValue, match='timezone must be the name of a time zone such as "Europe/Berlin"'):
        checked_zone(zone)
    with pytest.raises(InvalidValue, match="timezone must be"):
        Scheduler(MemoryStore(), timezone=zone)


def test_a_zone_of_dateutil_is_right_or_refused() -> None:
    """Newer ones say their name."""
    zone = dateutil_tz.gettz("Europe/Berlin")
    if hasattr(zone, "key"):
        assert checked_zone(zone) is BERLIN
    else:
        with pytest.raises(InvalidValue, match="pass its name"):
            checked_zone(zone)


def test_a_zone_without_a_name_is_refused() -> None:
    with resources.files("tzdata.zoneinfo.Europe").joinpath("Berlin").open("rb") as file:
        nameless = ZoneInfo.from_file(file)
    with pytest.raises(InvalidValue, match="pass its name"):
        checked_zone(nameless)


def test_a_datetime_with_a_pytz_zone_put_in_by_hand_was_37_minutes_off() -> None:
    """datetime(..., tzinfo=pytz.timezone(...)) is local mean time, in Berlin 53 minutes ahead of UTC; no clock shows it."""
    app = Scheduler(MemoryStore())
    call = app.task(name="t")(lambda: None)
    zone = pytz.timezone("Europe/Berlin")
    wrong, right = datetime(2031, 7, 1, 7, 30, tzinfo=zone), zone.localize(datetime(2031, 7, 1, 7, 30))
    for use in (call.at, lambda when: call.options(expires=when), lambda when: every(5, anchor=when), app.run_due):
        with pytest.raises(
            InvalidValue, match=r"must be a time with the real offset of its zone: use \w+=zone.localize"
        ):
            use(wrong)
    job = call.at(right).delay().job()
    assert job is not None
    assert as_datetime(job.due_ms) == datetime(2031, 7, 1, 7, 30, tzinfo=BERLIN)
    assert every(days=1, anchor=right) == every(days=1, anchor=datetime(2031, 7, 1, 7, 30, tzinfo=BERLIN))


NO_LENGTHS: Any = [
    True,
    "5",
    Decimal(5),
    Fraction(5),
    float("nan"),
    float("inf"),
    10**400,
    1j,
    b"5",
    [5],
    date(2026, 1, 1),
]
NO_MOMENTS: Any = [
    datetime(2031, 1, 1), date(2031, 1, 1), "2031-01-01T00:00:00Z", 1_900_000_000, 1.9e9, Decimal(1), timedelta(1), True,
    datetime(1960, 1, 1, tzinfo=UTC),
]  # fmt: skip


@pytest.mark.parametrize("wrong", NO_LENGTHS, ids=repr)
def test_what_is_no_length_of_time_is_refused_wherever_one_is_taken(wrong: Any) -> None:
    app = Scheduler(MemoryStore())
    call = app.task(name="t")(lambda: None)
    taking = [
        every, lambda w: every(minutes=w), lambda w: every(weeks=w), lambda w: app.periodic(w), lambda w: call.after(w),
        lambda w: call.apply_async(countdown=w), lambda w: call.options(expires=w), lambda w: call.options(result_ttl=w),
        lambda w: call.options(max_wait=w, key="k"), lambda w: call.options(misfire_grace_time=w),
        lambda w: app.conf.update(result_ttl=w), lambda w: app.conf.update(time_limit=w),
        lambda w: app.add_periodic_task(w, call), lambda w: app.add_periodic_task(5, call, misfire_grace_time=w),
        lambda w: app.add_beat_schedule({"x": {"task": "t", "schedule": w}}),
        lambda w: app.add_beat_schedule({"x": {"task": "t", "schedule": 5, "misfire_grace_time": w}}),
    ]  # fmt: skip
    for take in taking:
        with pytest.raises(HourwheelError):
            take(wrong)
    assert app.schedules == []


@pytest.mark.parametrize("wrong", NO_MOMENTS, ids=repr)
def test_what_is_no_moment_is_refused_wherever_one_is_taken(wrong: Any) -> None:
    app = Scheduler(MemoryStore())
    call = app.task(name="t")(lambda: None)
    for take in (call.at, lambda w: call.apply_async(eta=w), lambda w: every(5, anchor=w)):
        with pytest.raises(InvalidValue):
            take(wrong)


def test_seconds_that_were_taken_for_milliseconds_ran_nothing_in_silence() -> None:
    app = Scheduler(MemoryStore())
    with pytest.raises(InvalidValue, match="now must be milliseconds since the epoch"):
        app.run_due(1_900_000_000)
    assert app.run_due(1_900_000_000_000) == 0


@pytest.mark.parametrize(
    "queues", ["mail", b"mail", True, 1.5, {"mail": 1}, [], ["a b"], [""], [1], [b"a"], ["x" * 101]]
)
def test_queues_that_no_job_can_be_in_were_waited_for(queues: Any) -> None:
    with pytest.raises(InvalidValue, match="queues"):
        Scheduler(MemoryStore(), queues=queues)


class Whole:
    """As numpy's ints are: no int, but one can be made of it without loss."""

    def __init__(self, value: int) -> None:
        self._value = value

    def __index__(self) -> int:
        return self._value


@pytest.mark.parametrize("field", ["minute", "hour", "day_of_week", "day_of_month", "month_of_year"])
def test_fields_of_a_crontab_are_whole_numbers_and_text_and_nothing_else(field: str) -> None:
    assert crontab(**{field: 3}) == crontab(**{field: "3"}) == crontab(**{field: [3]}) == crontab(**{field: Whole(3)})
    assert crontab(**{field: [1, Whole(2), "4"]}) == crontab(**{field: "1,2,4"})
    wrongs: Any = (
        True,
        3.0,
        Decimal(3),
        None,
        [],
        [[3]],
        {3.0},
        b"3",
        timedelta(3),
        "",
        " ",
        "3.0",
        "-3",
        "٣",
        10**400,
        "9" * 5000,
    )
    for wrong in wrongs:
        with pytest.raises(InvalidValue, match=f"{field} must be"):
            crontab(**{field: wrong})
