"""Schedules in words: what is simple is said, and what is not stays as it was written."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hourwheel import Scheduler, crontab, every
from hourwheel.schedules.when import Schedule
from hourwheel.schedules.words import words_of
from hourwheel.store import MemoryStore
from hypothesis import given
from hypothesis import strategies as st

BERLIN = ZoneInfo("Europe/Berlin")
START, END = datetime(2026, 12, 1, 7, 30, tzinfo=UTC), datetime(2026, 12, 2, tzinfo=UTC)


@pytest.mark.parametrize(
    ("schedule", "words"),
    [
        (every(minutes=5), "every 5 minutes"),
        (every(60), "every minute"),
        (every(minutes=90), "every 90 minutes"),
        (every(hours=2), "every 2 hours"),
        (every(days=1), "every day"),
        (every(weeks=1), "every 7 days"),
        (every(0.1), "every 0.1 seconds"),
        (every(1.001), "every 1.001 seconds"),
        (every(days=1, anchor=datetime(2026, 1, 1, 7, 30, tzinfo=UTC)), "every day, from 2026-01-01 07:30 UTC"),
        (crontab(), "every minute"),
        (crontab("*/15"), "every 15 minutes"),
        (crontab("*/1"), "every minute"),
        (crontab(0), "every hour"),
        (crontab(5), "every hour at minute 5"),
        (crontab("0 7 * * *"), "every day at 07:00 (Europe/Berlin)"),
        (crontab("5 0 7 * * *"), "every day at 07:00:05 (Europe/Berlin)"),
        (crontab("30 7,19 * * *"), "every day at 07:30 and 19:30 (Europe/Berlin)"),
        (crontab("30 7 * * 1-5"), "every Monday to Friday at 07:30 (Europe/Berlin)"),
        (crontab("30 7 * * mon,Thu", timezone="UTC"), "every Monday and Thursday at 07:30 (UTC)"),
        (crontab("30 7 * * 0,3,sat-7"), "every Sunday, Wednesday and Saturday to Sunday at 07:30 (Europe/Berlin)"),
        (crontab("@monthly"), "every month on day 1 at 00:00 (Europe/Berlin)"),
        (crontab("0 0 1,15 * *"), "every month on day 1 and 15 at 00:00 (Europe/Berlin)"),
        (crontab(0, 0, day_of_month="L"), "every month on the last day at 00:00 (Europe/Berlin)"),
        (every(at="07:30"), "every day at 07:30 (Europe/Berlin)"),
        (every(days=2, at="07:30:15"), "every 2 days at 07:30:15 (Europe/Berlin)"),
        (every(on="mon-wed", at="9:00"), "every Monday, Tuesday and Wednesday at 09:00 (Europe/Berlin)"),
        (every(weeks=2, on="thu", timezone="UTC"), "every 2 weeks on Thursday at 00:00 (UTC)"),
        (every(months=1, at="07:30"), "every month on day 1 at 07:30 (Europe/Berlin)"),
        (every(months=3, day="1,15"), "every 3 months on day 1 and 15 at 00:00 (Europe/Berlin)"),
        (every(day="L"), "every month on the last day at 00:00 (Europe/Berlin)"),
        (every(60, start=START, end=END), "every minute, from 2026-12-01 07:30 UTC, until 2026-12-02 00:00 UTC"),
        (every(60, start=START, times=1), "every minute, from 2026-12-01 07:30 UTC, once"),
        (crontab(0, jitter=90), "every hour, delayed by up to 90 seconds"),
        (
            crontab("0 7 * * *", start=START, times=10, jitter=1),
            "every day at 07:00 (Europe/Berlin), from 2026-12-01 07:30 UTC, 10 times, delayed by up to 1 second",
        ),
    ],
)
def test_what_is_simple_is_said_in_words(schedule: Schedule, words: str) -> None:
    assert words_of(schedule.localized(BERLIN).spec) == words


@pytest.mark.parametrize(
    ("schedule", "text"),
    [
        (crontab("*/7"), "crontab */7 * * * * (Europe/Berlin)"),  # 56, then 0: not every seven minutes
        (crontab("1-59/2"), "crontab 1-59/2 * * * * (Europe/Berlin)"),
        (crontab("0 8-18/2 * * *"), "crontab 0 8-18/2 * * * (Europe/Berlin)"),
        (crontab("*/10 * * * * *"), "crontab */10 * * * * * (Europe/Berlin)"),
        (crontab("0 12 13 * fri"), "crontab 0 12 13 * fri (Europe/Berlin)"),
        (crontab(0, 12, day_of_month=13, day_of_week="fri"), "crontab 0 12 13 * * and fri (Europe/Berlin)"),
        (crontab("0 0 1 1 *"), "crontab 0 0 1 1 * (Europe/Berlin)"),
        (crontab("0 7 * * fri#2"), "crontab 0 7 * * fri#2 (Europe/Berlin)"),
        (crontab("0 7 * * 5L"), "crontab 0 7 * * 5L (Europe/Berlin)"),
        (crontab("0 7 * * mon-fri/2"), "crontab 0 7 * * mon-fri/2 (Europe/Berlin)"),
        (crontab("0 7 LW * *"), "crontab 0 7 LW * * (Europe/Berlin)"),
    ],
)
def test_what_is_not_simple_stays_a_crontab(schedule: Schedule, text: str) -> None:
    assert words_of(schedule.localized(BERLIN).spec) == text


@given(text=st.text(max_size=30) | st.from_regex(r"(every|crontab) [0-9*,/a-z-]{1,9}( \S{1,5}){0,7}", fullmatch=True))
def test_a_description_of_somebody_elses_is_no_error(text: str) -> None:
    assert words_of(text) != "" or text == ""


@pytest.mark.parametrize(
    "spec", [f"every 5 ms from {'9' * 30}", f"every {'9' * 9_000} ms", f"every 5 ms start {10**18}"]
)
def test_a_number_that_is_no_instant_is_shown_as_it_is(spec: str) -> None:
    assert words_of(spec) == spec


@given(ms=st.integers(100, 10**12))
def test_intervals_of_different_length_are_said_differently(ms: int) -> None:
    near = {words_of(f"every {ms + more} ms") for more in (0, 1, 1_000, 60_000)}
    assert len(near) == 4


def test_the_schedules_of_an_app_have_words_beside_their_description() -> None:
    app = Scheduler(MemoryStore())
    app.add_periodic_task(timedelta(minutes=5), app.task(name="clean")(lambda: None))
    assert [(one.spec, one.words) for one in app.schedules] == [("every 300000 ms", "every 5 minutes")]
