"""schedule_many() against the encoding alone of as many records."""

from __future__ import annotations

from . import floor
from .harness import Row, Scale, interleave, rate, ratio, seconds
from .workload import ARGS, CALL, countdowns, scheduler


def rows(scale: Scale) -> list[Row]:
    return [_row(scale, durability) for durability in ("os", "sync")]


def _row(scale: Scale, durability: str) -> Row:
    most = scale.size(10_000, 2_000)
    calls, when = [CALL] * most, countdowns()

    def hourwheel() -> float:
        app, remind = scheduler(f"{scale.scratch('bulk')}/tasks.json", durability=durability)
        remind.delay(*ARGS, countdown=9_999)
        try:
            return most / seconds(lambda: app.schedule_many(remind, calls, countdown=next(when)))
        finally:
            app.close()

    found = interleave({"encode": lambda: rate(floor.encode, most), "hourwheel": hourwheel}, scale.size(15, 3))
    return Row(
        what=f"`schedule_many()`, {most:,} calls at a time, {durability}",
        figure=found["hourwheel"].show("/s"),
        beside=f"encoding alone {found['encode'].show('/s')}",
        measure=ratio(found["hourwheel"], found["encode"]).median,
        unit=" of that",
        bound=0.5,
    )
