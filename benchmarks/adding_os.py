"""delay(), durability os, one thread: against the floor, and against huey without fsync."""

from __future__ import annotations

from collections.abc import Callable

from . import peer
from .floor import Floor
from .harness import Row, Scale, interleave, rate, ratio
from .workload import ARGS, countdowns, scheduler


def rows(scale: Scale) -> list[Row]:
    directory = scale.scratch("os")
    app, remind = scheduler(f"{directory}/tasks.json", durability="os")
    floor, when = Floor(directory), countdowns()
    most = scale.size(20_000, 2_000)
    adders: dict[str, Callable[[], object]] = {
        "floor": floor.add,
        "noria": lambda: remind.delay(*ARGS, countdown=next(when)),
    }
    huey = peer.adder(directory, when, fsync=False)
    if huey is not None:
        adders["huey"] = huey
    parts = {name: (lambda add=add: rate(add, most)) for name, add in adders.items()}
    found = interleave(parts, scale.size(11, 3))
    app.close()
    floor.close()
    of_floor = ratio(found["noria"], found["floor"])
    what = "`delay()`, os, one thread (compactions included)"
    result = [
        Row(
            what=what, figure=found["noria"].show("/s"), beside=f"floor {found['floor'].show('/s')}",
            measure=of_floor.median, unit=" of the floor", bound=0.45,
        )
    ]  # fmt: skip
    if "huey" in found:
        beside = ratio(found["noria"], found["huey"])
        peers = f"{peer.name()}, fsync=False: {found['huey'].show('/s')}"
        figure, share = found["noria"].show("/s"), beside.median
        result.append(Row(what=what, figure=figure, beside=peers, measure=share, unit=" of the peer", bound=1))
    return result
