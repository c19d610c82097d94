"""delay() with a million jobs pending, against delay() with none: one append costs the same whatever waits."""

from __future__ import annotations

import os

from .harness import Row, Scale, interleave, rate, ratio
from .workload import ARGS, copy, countdowns, pending, scheduler


def rows(scale: Scale) -> list[Row]:
    count, most = scale.size(1_000_000, 20_000), scale.size(10_000, 1_000)
    full_path = copy(pending(scale, count)[0], scale.scratch("flat"))
    empty_path = os.path.join(scale.scratch("flat-empty"), "tasks.json")
    full_app, full = scheduler(full_path, durability="os")
    empty_app, empty = scheduler(empty_path, durability="os")
    when = countdowns()
    full.delay(*ARGS, countdown=9_999)
    empty.delay(*ARGS, countdown=9_999)
    parts = {
        "none": lambda: rate(lambda: empty.delay(*ARGS, countdown=next(when)), most),
        "full": lambda: rate(lambda: full.delay(*ARGS, countdown=next(when)), most),
    }
    found = interleave(parts, scale.size(11, 3))
    full_app.close()
    empty_app.close()
    return [
        Row(
            what=f"`delay()`, os, with {count:,} jobs pending",
            figure=found["full"].show("/s"),
            beside=f"with none {found['none'].show('/s')}",
            measure=ratio(found["full"], found["none"]).median,
            unit=" of that",
            bound=0.8,
        )
    ]
