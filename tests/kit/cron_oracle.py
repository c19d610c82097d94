"""What a crontab means, by brute force: every minute is looked at, and every day of 400 years.

Nothing here is fast or shares a line with the product. A case is an expression or Celery's fields, a zone and a start;
``answer`` says at which minute it fires next, or that it never does.
"""

from __future__ import annotations

import random
from calendar import monthrange
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

from hourwheel import InvalidValue, crontab

MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)
FOUR_CENTURIES = 146_097  # days; then the calendar repeats
ZONES = sorted(available_timezones() - {"localtime", "Factory"})
MONTHS = "jan feb mar apr may jun jul aug sep oct nov dec".split()
WEEKDAYS = "sun mon tue wed thu fri sat".split()


@dataclass(frozen=True)
class Case:
    """Five fields in the order of cron, and how they are understood."""

    words: tuple[str, ...]
    fields: bool
    """Celery's fields, of which both days must match; else an expression, of which one is enough, as in cron."""
    zone: str
    start: datetime


# ---- a field by its definition ---------------------------------------------------------------------------------


def number(word: str) -> int:
    word = word.lower()[:3] if word[0].isalpha() else word
    return MONTHS.index(word) + 1 if word in MONTHS else WEEKDAYS.index(word) if word in WEEKDAYS else int(word)


def holds(word: str, value: int, low: int, size: int) -> bool:
    """Whether a value is named by a field whose values are ``size`` numbers from ``low`` on."""
    for part in word.split(","):
        span, _, step = part.partition("/")
        if span == "*":
            first, last = low, low + size - 1
        elif "-" in span:
            first, last = (number(end) for end in span.split("-"))
        else:
            first = number(span)
            last = (7 if size == 7 else low + size - 1) if step else first  # 7 is Sunday, too
        place, count = (value - first) % size, last - first if last >= first else (last - first) % size
        if place <= count and place % int(step or 1) == 0:
            return True
    return False


def day_matches(case: Case, day: date) -> bool:
    _, _, dom, month, dow = case.words
    length = monthrange(day.year, day.month)[1]
    if not holds(month, day.month, 1, 12):
        return False
    of_month = any(
        day.day == length
        if part == "L"
        else day.day == max(d for d in range(length - 3, length + 1) if date(day.year, day.month, d).weekday() < 5)
        if part == "LW"
        else holds(part, day.day, 1, 31)
        for part in dom.split(",")
    )
    of_week = any(
        day.isoweekday() % 7 == number(part[:-1]) % 7 and day.day + 7 > length
        if part[-1] == "L"
        else day.isoweekday() % 7 == number(part.split("#")[0]) % 7 and (day.day - 1) // 7 + 1 == int(part[-1])
        if "#" in part
        else holds(part, day.isoweekday() % 7, 0, 7)
        for part in dow.split(",")
    )
    if case.fields or dom.startswith("*") or dow.startswith("*"):
        return of_month and of_week
    return of_month or of_week


@cache
def kinds_of_days() -> tuple[date, ...]:
    """One day of each kind that there is in 400 years: its month, number, weekday, and the length of the month."""
    found: dict[tuple[int, int, int, int], date] = {}
    for n in range(FOUR_CENTURIES):
        day = date(2000, 1, 1) + n * DAY
        found.setdefault((day.month, day.day, day.weekday(), monthrange(day.year, day.month)[1]), day)
    return tuple(found.values())


def never(case: Case) -> bool:
    """Whether none of the 146,097 days matches."""
    return not any(day_matches(case, day) for day in kinds_of_days())


# ---- the next fire ---------------------------------------------------------------------------------------------


def answer(case: Case) -> datetime | None:
    """The next fire after the start, in UTC; None if no day ever matches."""
    if never(case):
        return None
    zone, day = ZoneInfo(case.zone), case.start.astimezone(ZoneInfo(case.zone)).date() - 2 * DAY
    while True:
        while not day_matches(case, day):
            day += DAY
        begin = datetime(day.year, day.month, day.day, tzinfo=UTC) - 2 * DAY
        for found in _fires(case, zone, begin, 5):
            if found > case.start:
                return found
        day += DAY


def _fires(case: Case, zone: ZoneInfo, begin: datetime, days: int) -> list[datetime]:
    """All fires of some days, minute by minute; the first day is there to know what the clocks have shown before."""
    named, found = not case.words[1].startswith("*"), []
    shown = begin.astimezone(zone).replace(tzinfo=None)
    for n in range(1, days * 1440):
        instant = begin + n * MINUTE
        wall = instant.astimezone(zone).replace(tzinfo=None)
        if not named:
            times = [wall]
        else:  # what is shown, or passed, for the first time
            times = [shown + k * MINUTE for k in range(1, (wall - shown) // MINUTE + 1)]
            shown = max(shown, wall)
        if n >= 1440 and any(_matches(case, time) for time in times):
            found.append(instant)
    return found


def _matches(case: Case, time: datetime) -> bool:
    minute, hour = case.words[:2]
    return holds(minute, time.minute, 0, 60) and holds(hour, time.hour, 0, 24) and day_matches(case, time.date())


# ---- against the product ---------------------------------------------------------------------------------------


def disagreement(case: Case, made: Callable[..., crontab] = crontab) -> str | None:
    """What the product says of a case, if it is something else."""
    minute, hour, dom, month, dow = case.words
    wanted = answer(case)
    try:
        if case.fields:
            schedule = made(minute, hour, dow, dom, month, timezone=case.zone)
        else:
            schedule = made(" ".join(case.words), timezone=case.zone)
    except InvalidValue as error:
        return None if wanted is None else f"{case} fires at {wanted}, and is refused: {error}"
    found = schedule.after(round(case.start.timestamp() * 1000))
    told = None if found is None else datetime.fromtimestamp(found / 1000, UTC)
    return None if told == wanted and told is not None else f"{case} fires at {wanted}, and not at {told}"


# ---- cases -----------------------------------------------------------------------------------------------------


def a_case(rng: random.Random) -> Case:
    """An expression of any shape, in a zone, shortly before its clocks are set as often as not."""
    fields = rng.random() < 0.5
    minute, hour = _field(rng, 0, 60), _field(rng, 0, 24)
    dom, month, dow = _days(rng), _field(rng, 1, 12, MONTHS), _week(rng)
    if rng.random() < 0.5:
        dom, month, dow = rng.choice([("*", "*", "*"), ("*", "*", dow), (dom, "*", "*")])
    zone = rng.choice(ZONES)
    start = datetime(2020, 1, 1, tzinfo=UTC) + timedelta(seconds=rng.randrange(17 * 365 * 86_400))
    if rng.random() < 0.7:
        change = _before_a_change(ZoneInfo(zone), start)
        start = change + timedelta(seconds=rng.randrange(-3 * 86_400, 86_400))
        if rng.random() < 0.6:  # about the hour that the clocks skip or show twice
            start = change + timedelta(minutes=rng.randrange(-240, 180))
            shown = change.astimezone(ZoneInfo(zone)).hour
            hour = rng.choice([hour, str(shown), f"{(shown - 1) % 24}-{(shown + 1) % 24}", f"{(shown - 1) % 24}"])
            minute = rng.choice([minute, "*/10", "0,30", "*"])
    return Case((minute, hour, dom, month, dow), fields, zone, start.replace(second=0))


def _field(rng: random.Random, low: int, size: int, names: list[str] | None = None) -> str:
    def one() -> str:
        value = rng.randrange(low, low + size)
        return rng.choice(names)[: rng.choice([3, 9])] if names and rng.random() < 0.3 else str(value)

    shapes = [
        lambda: "*",
        lambda: f"*/{rng.randrange(1, size + 5)}",
        one,
        lambda: f"{one()}-{one()}",
        lambda: f"{one()}-{one()}/{rng.randrange(1, 9)}",
        lambda: f"{rng.randrange(low, low + size)}/{rng.randrange(1, 9)}",
    ]
    return ",".join(rng.choice(shapes)() for _ in range(rng.choice([1, 1, 1, 2, 3])))


def _days(rng: random.Random) -> str:
    return rng.choice(
        [lambda: "L", lambda: "LW", lambda: f"{rng.randrange(1, 32)},L", *[lambda: _field(rng, 1, 31)] * 6]
    )()


def _week(rng: random.Random) -> str:
    day = rng.choice([*WEEKDAYS, "0", "3", "7"])
    shapes = [
        f"{day}#{rng.randrange(1, 6)}",
        f"{day}L",
        f"{number(day)}/2",
        f"{day}-2",
        *[_field(rng, 0, 7, WEEKDAYS)] * 6,
    ]
    return rng.choice(shapes)


def _before_a_change(zone: ZoneInfo, start: datetime) -> datetime:
    """The next time at which the clocks of a zone are set; the start itself if there is none for two years."""
    offset = start.astimezone(zone).utcoffset()
    for n in range(17_520):
        if (start + timedelta(hours=n)).astimezone(zone).utcoffset() != offset:
            return start + timedelta(hours=n)
    return start
