"""10,000 coroutines that await 100 ms, on four event loops of 500 each; beside them the same with bare asyncio."""

from __future__ import annotations

import asyncio
import os
import time

from hourwheel import Scheduler

from . import children
from .harness import Row, Scale, interleave

_WORKERS = 2_000
_NAP_S = 0.1


def rows(scale: Scale) -> list[Row]:
    count = scale.size(10_000, 2_000)
    parts = {
        "hourwheel": lambda: float(children.run("pool_asyncio:naps", f"{scale.scratch('asyncio')}/tasks.json", count)),
        "bare": lambda: float(children.run("pool_asyncio:bare", count)),
    }
    found = interleave(parts, scale.size(5, 1))
    return [
        Row(
            what=f"asyncio pool: {count:,} jobs that await 100 ms, sync, 4 loops of 500, all settled",
            figure=found["hourwheel"].show(" s", 2),
            beside=f"bare asyncio, {_WORKERS:,} at once, nothing stored {found['bare'].show(' s', 2)}",
            measure=found["hourwheel"].median,
            unit=" s",
            bound=3.0,
            sense="at most",
        )
    ]


def naps(path: str, count: int) -> float:
    """Seconds from the call until all are settled; in a child."""
    app = Scheduler(path, pool="asyncio", workers=_WORKERS)

    @app.task(name="app.nap")
    async def nap() -> None:
        await asyncio.sleep(_NAP_S)

    with app:
        begun = time.perf_counter()
        app.schedule_many(nap, [((), {})] * count)
        while app.store.stats(int(time.time() * 1000)).succeeded < count:
            time.sleep(0.01)
        took = time.perf_counter() - begun
    os.unlink(path)
    return took


def bare(count: int) -> float:
    """The same naps, so many at once, in one loop; in a child."""

    async def run() -> None:
        room = asyncio.Semaphore(_WORKERS)

        async def nap() -> None:
            async with room:
                await asyncio.sleep(_NAP_S)

        await asyncio.gather(*[nap() for _ in range(count)])

    begun = time.perf_counter()
    asyncio.run(run())
    return time.perf_counter() - begun
