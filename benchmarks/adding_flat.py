"""delay() with a million jobs pending, against delay() with none: one append costs the same whatever waits."""

from __future__ import annotations

from .harness import Row, Sample, Scale, interleave, rate, ratio
from .workload import ARGS, copy, countdowns, pending, scheduler


def rows(scale: Scale) -> list[Row]:
    count, most, rounds = scale.size(1_000_000, 20_000), scale.size(10_000, 1_000), scale.size(11, 3)
    app, remind = scheduler(copy(pending(scale, count)[0], scale.scratch("flat")), durability="os")
    remind.delay(*ARGS, countdown=9_999)
    when = countdowns()

    def full(times: int) -> float:
        return rate(lambda: remind.delay(*ARGS, countdown=next(when)), times)

    def none(times: int) -> float:
        new_app, new = scheduler(f"{scale.scratch('flat-none')}/tasks.json", durability="os")
        new.delay(*ARGS, countdown=9_999)
        try:
            return rate(lambda: new.delay(*ARGS, countdown=next(when)), times)
        finally:
            new_app.close()

    found = interleave({"none": lambda: none(most), "full": lambda: full(most)}, rounds)
    long = 40 * most
    sustained = interleave({"none": lambda: none(long), "full": lambda: full(long)}, scale.size(1, 1))
    app.close()
    what = f"`delay()`, os, with {count:,} jobs pending"
    return [
        _row(what, found, bound=0.8),
        _row(f"{what}, {long:,} calls, compactions included", sustained, bound=None),
    ]


def _row(what: str, found: dict[str, Sample], *, bound: float | None) -> Row:
    return Row(
        what=what,
        figure=found["full"].show("/s"),
        beside=f"with none {found['none'].show('/s')}",
        measure=ratio(found["full"], found["none"]).median,
        unit=" of that",
        bound=bound,
    )
