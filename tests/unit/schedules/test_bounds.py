"""From when, until when, how often; and the delays of jitter, on which all processes must agree."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hourwheel import InvalidValue, Retry, Scheduler, State, crontab, every
from hourwheel.schedules.jitter import jittered
from hourwheel.schedules.when import Schedule
from hourwheel.store import MemoryStore
from hourwheel.testing import FakeClock
from hypothesis import given
from hypothesis import strategies as st

START = datetime(2026, 12, 1, 7, 30, tzinfo=UTC)
START_MS = 1_796_110_200_000
HOUR = timedelta(hours=1)
HOUR_MS = 3_600_000


def hours(schedule: Schedule, since_ms: int = 0, most: int = 20) -> list[float]:
    """The fires, in hours since START."""
    found: list[float] = []
    following = schedule.after(since_ms)
    while following is not None and len(found) < most:
        found.append((following - START_MS) / HOUR_MS)
        following = schedule.after(following)
    return found


# ---- start, end, times -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("schedule", "fires"),
    [
        (every(hours=1, start=START, end=START + 3 * HOUR), [0, 1, 2, 3]),
        (every(hours=1, start=START, times=3), [0, 1, 2]),
        (every(hours=1, anchor=START, times=3), [0, 1, 2]),
        (every(hours=1, anchor=datetime(2026, 1, 1, tzinfo=UTC), start=START, times=3), [0.5, 1.5, 2.5]),
        (every(hours=1, anchor=START + HOUR, start=START, times=2), [1, 2]),
        (every(hours=1, start=START, times=1), [0]),
        (crontab("30 * * * *", start=START, times=3), [0, 1, 2]),
        (crontab("0 * * * *", start=START, end=START + 2 * HOUR), [0.5, 1.5]),
        (crontab("0 * * * *", start=START, end=START + HOUR / 4), []),
        (every(at="09:30", timezone="UTC", start=START, times=2), [2, 26]),
        (every(hours=1, start=START, end=START + HOUR, times=10), [0, 1]),
        (every(hours=1, end=datetime(1970, 1, 1, 1, tzinfo=UTC)), [1 - START_MS / HOUR_MS]),
        (every(hours=1, start=START, end=START), [0]),
    ],
)
def test_fires_keep_to_their_bounds(schedule: Schedule, fires: list[float]) -> None:
    assert hours(schedule) == fires
    assert hours(schedule, START_MS + 100 * HOUR_MS) == []


def test_a_schedule_that_was_asked_late_counts_from_its_start_all_the_same() -> None:
    """Otherwise a process that starts later would fire it ten times more."""
    assert hours(every(hours=1, start=START, times=10), START_MS + 7 * HOUR_MS) == [8, 9]


def test_times_are_counted_again_in_another_time_zone() -> None:
    made = crontab("0 0 * * *", start=START, times=2)
    in_utc, in_tokyo = hours(made), hours(made.localized(ZoneInfo("Asia/Tokyo")))
    assert (in_utc, in_tokyo) == ([16.5, 40.5], [7.5, 31.5])


@pytest.mark.parametrize(
    ("options", "rule"),
    [
        ({"times": 3}, "times must be given with start"),
        ({"start": START, "times": 0}, "times must be a whole number from 1 to 10,000; for more, use end"),
        ({"start": START, "times": True}, "times must be a whole number"),
        ({"start": START, "times": 10_001}, "times must be a whole number"),
        ({"start": START, "end": START - HOUR}, "end must be later than start"),
        ({"start": datetime(2026, 1, 1)}, "start must be an aware datetime"),
        ({"end": "2026-01-01"}, "end must be an aware datetime"),
        ({"jitter": 0}, "jitter must be a number of seconds or a timedelta, more than zero"),
        ({"jitter": -1}, "jitter must be"),
        ({"jitter": float("nan")}, "jitter must be"),
    ],
)
@pytest.mark.parametrize("kind", [every, crontab])
def test_bounds_that_make_no_sense_are_refused(kind: Any, options: dict[str, Any], rule: str) -> None:
    with pytest.raises(InvalidValue, match=rule):
        kind(5, **options)


def test_what_a_schedule_is_shows_its_bounds() -> None:
    made = every(60, start=START, end=START + HOUR, jitter=5)
    assert made.spec == f"every 60000 ms from {START_MS} end {START_MS + HOUR_MS} jitter 5000"
    assert repr(made) == f"<every 0:01:00 from 2026-12-01 07:30:00+00:00 end {START_MS + HOUR_MS} jitter 5000>"
    bounded = crontab("0 7 * * *", start=START, times=3, timezone="UTC")
    assert bounded.spec == f"crontab 0 0 7 * * * UTC start {START_MS} times 3"
    assert bounded != crontab("0 7 * * *", timezone="UTC")
    assert bounded == crontab("0 7 * * *", start=START, times=3, timezone="UTC")


def test_a_schedule_that_has_ended_leaves_nothing_pending_and_does_not_begin_again() -> None:
    clock, store = FakeClock(START), MemoryStore()

    def process() -> Scheduler:
        app = Scheduler(store, clock=clock)
        app.periodic(every(10, start=START, times=3), name="thrice")(lambda: None)
        return app

    app = process()
    for _ in range(8):
        app.run_due()
        clock.advance(5)
    later = process()
    clock.advance(600)
    later.run_due()
    assert [(job.id[-9:], job.state) for job in store.scan()] == [
        ("07:30:10Z", State.SUCCEEDED), ("07:30:20Z", State.SUCCEEDED),
    ]  # fmt: skip
    assert later.schedules[0].next_at is None
    assert store.check() == []


def test_the_last_fire_was_skipped_for_being_late_when_it_was_tried_again() -> None:
    clock, store = FakeClock(START), MemoryStore()
    app, tries = Scheduler(store, clock=clock), list[int]()

    def fails_once() -> None:
        tries.append(clock.now_ms() - START_MS)
        if len(tries) == 1:
            raise Retry(countdown=600)

    app.periodic(every(10, end=START + timedelta(seconds=10)), name="last", misfire="skip")(fails_once)
    app.run_due()
    for _ in range(70):
        clock.advance(10)
        app.run_due()
    assert tries == [10_000, 610_000]


# ---- jitter ------------------------------------------------------------------------------------------------


@given(
    every_ms=st.integers(100, 100_000), jitter_ms=st.integers(1, 1_000_000), name=st.text(max_size=9),
    since_ms=st.integers(0, 10**9),
)  # fmt: skip
def test_delayed_fires_stay_between_their_time_and_the_next(
    every_ms: int, jitter_ms: int, name: str, since_ms: int
) -> None:
    after, found, ms = every(every_ms / 1000).after, list[int](), since_ms
    for _ in range(5):
        following = jittered(after, jitter_ms, name, ms)
        assert following is not None
        assert following > ms
        found.append(following)
        ms = following
    nominal = [ms // every_ms for ms in found]
    assert nominal == list(range(nominal[0], nominal[0] + 5)), "each fire of the schedule, once"
    assert all(ms % every_ms < jitter_ms for ms in found)


@given(
    fires=st.sets(st.integers(0, 2_000), max_size=12), jitter_ms=st.integers(1, 500),
    looks=st.lists(st.integers(0, 2_600)),
)  # fmt: skip
def test_wherever_one_begins_to_look_the_delayed_fires_are_the_same(
    fires: set[int], jitter_ms: int, looks: list[int]
) -> None:
    """A process that starts in the middle of a delay must wait for the same instant as the others."""
    listed = sorted(fires)

    def after(ms: int) -> int | None:
        return next((fire for fire in listed if fire > ms), None)

    delayed, ms = list[int](), -1_000
    while (following := jittered(after, jitter_ms, "x", ms)) is not None:
        delayed.append(following)
        ms = following
    assert len(delayed) == len(listed)
    for look in looks:
        assert jittered(after, jitter_ms, "x", look) == next((one for one in delayed if one > look), None)


def test_a_thousand_schedules_do_not_start_at_once() -> None:
    after = crontab("0 0 * * *", timezone="UTC").after
    delays = {jittered(after, 600_000, f"user-{n}", START_MS) for n in range(1_000)}
    assert len(delays) > 950
    assert None not in delays


def test_jitter_is_kept_by_the_job_and_is_the_same_in_each_process() -> None:
    clock = FakeClock(START)

    def fires_of() -> list[str]:
        app = Scheduler(MemoryStore(), clock=FakeClock(START))
        app.periodic(crontab("*/5 * * * *", jitter=60), name="spread")(lambda: None)
        app.run_due()
        return [job.id for job in app.store.scan()]

    one, other = fires_of(), fires_of()
    assert one == other
    assert one[0].startswith("spread@2026-12-01T07:3")
    app = Scheduler(MemoryStore(), clock=clock)
    app.periodic(crontab("*/5 * * * *", jitter=60), name="spread")(lambda: None)
    ran = 0
    for _ in range(1200):
        ran += app.run_due()
        clock.advance(1)
    assert ran == 4
    late = [(job.due_ms - START_MS) % 300_000 for job in islice(app.store.scan(), 5)]
    assert all(0 <= ms < 60_000 for ms in late)
    assert len(set(late)) == 5


def test_a_delayed_fire_is_not_late() -> None:
    """A grace time counts from the delayed instant; else a grace that is shorter than the jitter would skip most."""
    clock = FakeClock(START)
    app = Scheduler(MemoryStore(), clock=clock)
    app.periodic(every(60, jitter=50), name="spread", misfire="skip", misfire_grace_time=1)(lambda: None)
    ran = 0
    for _ in range(600):
        ran += app.run_due()
        clock.advance(1)
    assert ran in (9, 10)
