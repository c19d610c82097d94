"""delay(), durability os, one thread: against the floor, and, over a longer time, against huey without fsync.

A batch is short enough for a new store not to be compacted meanwhile. The sustained rate is that of so many calls that
it is, several times; the peer's batches have its own housekeeping in them too.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import cycle

from . import peer
from .floor import Floor
from .harness import Row, Scale, interleave, rate, ratio
from .workload import ARGS, countdowns, scheduler


def rows(scale: Scale) -> list[Row]:
    when = countdowns()
    floor = Floor(scale.scratch("os-floor"))
    most = scale.size(20_000, 1_000)
    found = interleave(
        {
            "floor": lambda: rate(floor.add, most),
            "hourwheel": lambda: _rate(scale, when, most),
            "sustained": lambda: _rate(scale, when, 5 * most),
        },
        scale.size(9, 3),
    )
    beside = f"floor {found['floor'].show('/s')}"
    result = [
        Row(
            what="`delay()`, os, one thread", figure=found["hourwheel"].show("/s"), beside=beside,
            measure=ratio(found["hourwheel"], found["floor"]).median, unit=" of the floor", bound=0.45,
        ),
        Row(
            what=f"`delay()`, os, one thread, {5 * most:,} calls, compactions included",
            figure=found["sustained"].show("/s"), beside=beside,
            measure=ratio(found["sustained"], found["floor"]).median, unit=" of the floor",
        ),
    ]  # fmt: skip
    huey = peer.adder(scale.scratch("os-huey"), when, fsync=False)
    return result if huey is None else [*result, _beside_peer(scale, when, huey, most)]


def _beside_peer(scale: Scale, when: cycle[float], huey: Callable[[], object], most: int) -> Row:
    parts = {"huey": lambda: rate(huey, most), "hourwheel": lambda: _rate(scale, when, 5 * most)}
    found = interleave(parts, scale.size(5, 2))
    return Row(
        what=f"`delay()`, os, one thread, {5 * most:,} calls, compactions included",
        figure=found["hourwheel"].show("/s"),
        beside=f"{peer.name()}, fsync=False: {found['huey'].show('/s')}",
        measure=ratio(found["hourwheel"], found["huey"]).median,
        unit=" of the peer",
        bound=1,
    )


def _rate(scale: Scale, when: cycle[float], times: int) -> float:
    """Calls per second into a new store."""
    app, remind = scheduler(f"{scale.scratch('os')}/tasks.json", durability="os")
    remind.delay(*ARGS, countdown=9_999)
    try:
        return rate(lambda: remind.delay(*ARGS, countdown=next(when)), times)
    finally:
        app.close()
