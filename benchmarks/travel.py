"""A simulated year in noria.wheel.testing: 100 jobs that plan themselves anew each day, each at its own time of day."""

from __future__ import annotations

from datetime import timedelta
from heapq import heapify, heapreplace

from noria.wheel import Scheduler
from noria.wheel.testing import travel

from . import children
from .harness import Row, Sample, Scale, interleave, seconds

_JOBS = 100
_DAY = timedelta(days=1)
_MS = timedelta(milliseconds=1)
_START = "2026-01-01"


def rows(scale: Scale) -> list[Row]:
    days = scale.size(365, 10)
    parts = {
        "noria": lambda: float(children.run("travel:year", days)),
        "floor": lambda: float(children.run("travel:by_hand", days)),
    }
    found = interleave(parts, scale.size(3, 1))
    took = found["noria"]
    each_us = Sample(tuple(value * 1e6 / (_JOBS * days) for value in took.values))
    return [
        Row(
            what=f"time travel: {_JOBS} jobs a day over {days} days, {_JOBS * days:,} runs, {each_us.show(' us')} each",
            figure=took.show(" s", 2),
            beside=f"a heapq and the functions alone {found['floor'].show(' s', 3)}",
            measure=took.median,
            unit=" s",
            bound=10 * days / 365,
            sense="at most",
        )
    ]


def year(days: int) -> float:
    """Seconds that ``days`` of the journey take; in a child."""
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
    if len(ran) != _JOBS * days:
        raise RuntimeError(f"{len(ran)} runs, not {_JOBS * days}")
    return took


def by_hand(days: int) -> float:
    """The same with nothing but a heap; in a child."""
    ran: list[int] = []
    due = [(_DAY * number / _JOBS, number) for number in range(_JOBS)]
    heapify(due)

    def run() -> None:
        while due[0][0] < _DAY * days:
            at, number = due[0]
            ran.append(number)
            heapreplace(due, (at + _DAY, number))

    took = seconds(run)
    if len(ran) != _JOBS * days:
        raise RuntimeError(f"{len(ran)} runs, not {_JOBS * days}")
    return took
