"""A simulated year in hourwheel.testing: 100 daily schedules, and 100 jobs that plan themselves anew each day."""

from __future__ import annotations

from datetime import timedelta
from heapq import heapify, heapreplace

from hourwheel import Scheduler, crontab
from hourwheel.testing import travel

from . import children
from .harness import Row, Sample, Scale, interleave, seconds

_JOBS = 100
_DAY = timedelta(days=1)
_MS = timedelta(milliseconds=1)
_START = "2026-01-01"


def rows(scale: Scale) -> list[Row]:
    days = scale.size(365, 10)
    parts = {
        name: lambda name=name: float(children.run(f"travel:{name}", days)) for name in ("schedules", "jobs", "by_hand")
    }
    found = interleave(parts, scale.size(3, 1))
    beside = f"a heapq and the functions alone {found['by_hand'].show(' s', 3)}"
    return [
        _row("daily crontab schedules in Europe/Berlin", days, found["schedules"], beside),
        _row("jobs that plan themselves anew each day", days, found["jobs"], beside),
    ]


def _row(what: str, days: int, took: Sample, beside: str) -> Row:
    runs = _JOBS * days
    each_us = Sample(tuple(value * 1e6 / runs for value in took.values))
    return Row(
        what=f"time travel over {days} days, {_JOBS} {what}: {runs:,} runs, {each_us.show(' us')} each",
        figure=took.show(" s", 2),
        beside=beside,
        measure=took.median,
        unit=" s",
        bound=round(10 * days / 365, 2),
        sense="at most",
    )


def schedules(days: int) -> float:
    """Seconds that ``days`` of the journey take; in a child."""
    app = Scheduler("memory:", timezone="Europe/Berlin")
    ran: list[int] = []

    @app.task(name="app.daily")
    def daily(number: int) -> None:
        ran.append(number)

    for number in range(_JOBS):
        when = crontab(minute=number * 7 % 60, hour=number % 24)
        app.add_periodic_task(when, daily.s(number), name=f"daily-{number}")
    with travel(app, f"{_START} 00:00:00.001") as t:
        took = seconds(lambda: t.advance(_DAY * days))
    return _checked(took, ran, days)


def jobs(days: int) -> float:
    """The same of jobs that plan themselves anew; in a child."""
    app = Scheduler("memory:")
    ran: list[int] = []

    @app.task(name="app.daily")
    def daily(number: int) -> None:
        ran.append(number)
        daily.delay(number, countdown=_DAY)

    with travel(app, _START) as t:
        for number in range(_JOBS):
            daily.delay(number, countdown=_DAY * number / _JOBS)
        took = seconds(lambda: t.advance(_DAY * days - _MS))
    return _checked(took, ran, days)


def by_hand(days: int) -> float:
    """The same runs with nothing but a heap; in a child."""
    ran: list[int] = []
    due = [(_DAY * number / _JOBS, number) for number in range(_JOBS)]
    heapify(due)

    def run() -> None:
        while due[0][0] < _DAY * days:
            at, number = due[0]
            ran.append(number)
            heapreplace(due, (at + _DAY, number))

    return _checked(seconds(run), ran, days)


def _checked(took: float, ran: list[int], days: int) -> float:
    if len(ran) != _JOBS * days:
        raise RuntimeError(f"{len(ran)} runs, not {_JOBS * days}")
    return took
