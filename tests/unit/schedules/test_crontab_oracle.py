"""Crontabs against brute force: see tests/kit/cron_oracle.py. ``make models`` and ``make torture`` try thousands."""

from __future__ import annotations

import random
from datetime import UTC, date, datetime, timedelta

import pytest
from hourwheel import InvalidValue, crontab
from hourwheel.clock import as_datetime

from tests.kit.cron_oracle import FOUR_CENTURIES, Case, a_case, disagreement, never

START = datetime(2026, 11, 29, 12, tzinfo=UTC)
DAY_MS = 86_400_000


@pytest.mark.parametrize("seed", range(6))
def test_a_crontab_fires_when_a_look_at_every_minute_says(seed: int) -> None:
    rng = random.Random(seed)
    wrong = [told for _ in range(15) if (told := disagreement(a_case(rng))) is not None]
    assert wrong == []


@pytest.mark.parametrize(
    ("words", "zone", "start"),
    [
        (("30", "*", "1", "11", "*"), "America/Havana", "2026-01-01T00:00:00+00:00"),  # midnight comes twice
        (("30", "*", "1", "11", "*"), "America/Havana", "2026-11-01T04:30:00+00:00"),
        (("0", "*/4", "*", "*", "*"), "Europe/Berlin", "2026-03-29T00:30:00+00:00"),
        (("59", "23", "*", "*", "*"), "America/Nuuk", "2024-03-30T20:00:00+00:00"),  # the gap ends on another day
        (("15", "2", "L", "*", "*"), "Europe/Berlin", "2019-03-01T00:00:00+00:00"),  # the last day has the gap
        (("30", "0", "*", "*", "7L"), "Asia/Beirut", "2026-03-01T00:00:00+00:00"),
        (("0", "12", "30", "12", "*"), "Pacific/Apia", "2011-12-01T00:00:00+00:00"),  # no such day that year
        (("*/10", "1-2", "*", "*", "*"), "Europe/Berlin", "2026-10-25T00:15:00+00:00"),
        (("*/10", "1-2", "*", "*", "*"), "Europe/Berlin", "2026-10-25T01:15:00+00:00"),
    ],
)
def test_the_clocks_are_set_just_then(words: tuple[str, ...], zone: str, start: str) -> None:
    assert disagreement(Case(words, False, zone, datetime.fromisoformat(start))) is None


def test_fifty_six_pairs_of_a_day_and_a_weekday_were_refused_as_if_they_never_came() -> None:
    """And 140 of the 196 died silently within ten years: the search gave up after 10,000 minutes."""
    days = [date(2026, 11, 30) + timedelta(days=n) for n in range(30_000)]
    for dom in range(1, 32):
        for dow in range(7):
            wanted = [day for day in days if day.day == dom and day.isoweekday() % 7 == dow][:20]
            schedule, ms = crontab("*", "*", dow, dom, timezone="UTC"), round(START.timestamp() * 1000)
            found: list[date] = []
            while len(found) < 20:
                ms = schedule.after(ms // DAY_MS * DAY_MS + DAY_MS - 1) or 0
                found.append(as_datetime(ms).date())
            assert found == wanted


@pytest.mark.parametrize(
    "words",
    [
        ("0", "0", "30", "2", "*"), ("0", "0", "31", "4,6,9,11", "*"), ("0", "0", "31", "2", "mon"),
        ("0", "0", "1-7", "*", "mon#2"), ("0", "0", "LW", "*", "sun"), ("0", "0", "30,31", "feb", "mon#5"),
        ("0", "0", "1-14", "*", "5L"),
    ],
)  # fmt: skip
def test_what_never_comes_in_400_years_is_refused(words: tuple[str, ...]) -> None:
    assert never(Case(words, True, "UTC", START))
    minute, hour, dom, month, dow = words
    with pytest.raises(InvalidValue, match="crontab must be an expression that matches some day"):
        crontab(minute, hour, dow, dom, month)


def test_the_rarest_day_is_found_over_forty_years_at_once() -> None:
    """29 February on a Monday: with 2100, which is no leap year, forty years lie between two of them."""
    schedule = crontab(0, 0, "mon", 29, 2, timezone="UTC")
    days = [date(2026, 11, 30) + timedelta(days=n) for n in range(FOUR_CENTURIES)]
    wanted, ms = [d for d in days if (d.month, d.day, d.weekday()) == (2, 29, 0)], round(START.timestamp() * 1000)
    for day in wanted:
        ms = schedule.after(ms) or 0
        assert as_datetime(ms).date() == day
    assert len(wanted) == 15
    assert max(later - sooner for sooner, later in zip(wanted, wanted[1:], strict=False)) > timedelta(days=365 * 39)


def test_a_time_that_a_zone_never_shows_again_is_looked_for_once() -> None:
    """In Beirut the clocks are set at midnight of the last Sunday in March: 00:30 does not come on that day."""
    schedule = crontab("30 */24 * 3 sunL", timezone="Asia/Beirut")
    ms = round(datetime(9900, 1, 1, tzinfo=UTC).timestamp() * 1000)
    assert schedule.after(ms) is None
    assert schedule.after(ms + DAY_MS) is None
