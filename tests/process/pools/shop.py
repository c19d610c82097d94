"""The tasks that test_pools.py runs in every kind of pool, and the program that runs them there.

``python shop.py KIND`` plays each scene and prints what came of it as JSON. For asyncio the functions are coroutines.
"""

from __future__ import annotations

import os
import sys

KIND = os.environ["POOL_KIND"]
if __name__ == "__main__" and KIND == "gevent":
    from gevent import monkey

    monkey.patch_all()
if __name__ == "__main__" and KIND == "eventlet":
    import eventlet

    eventlet.monkey_patch()

import asyncio  # noqa: E402
import contextvars  # noqa: E402
import json  # noqa: E402
import time  # noqa: E402
from typing import Any  # noqa: E402

from hourwheel import Scheduler, SoftTimeLimitExceeded, current_job, task  # noqa: E402
from hourwheel.worker.pool.kinds import KINDS  # noqa: E402

WORKERS = 1 if KIND == "solo" else 3
LONG_S = 30
HARD = KINDS[KIND].stops_coroutines if KIND == "asyncio" else KINDS[KIND].stops_functions
app = Scheduler(os.environ["POOL_STORE"], workers=WORKERS, pool=KIND, durability="os")
if (here := os.path.dirname(os.path.abspath(__file__))) not in sys.path:
    sys.path.insert(0, here)
import seen  # noqa: E402

seen.set_hooks(app)
mark: contextvars.ContextVar[str] = contextvars.ContextVar("mark", default="clean")


def as_kind(function: Any) -> Any:
    """The function, or for asyncio a coroutine function: its sleeps are then awaited."""
    if KIND != "asyncio":
        return function

    async def wrapped(*args: Any, **kwargs: Any) -> Any:
        steps = function(*args, **kwargs)
        if not hasattr(steps, "send"):
            return steps
        error: BaseException | None = None
        while True:
            try:
                pause = steps.send(None) if error is None else steps.throw(error)
            except StopIteration as end:
                return end.value
            error = None
            try:
                await asyncio.sleep(pause)
            except BaseException as raised:
                error = raised

    wrapped.__name__, wrapped.__qualname__, wrapped.__module__ = function.__name__, function.__qualname__, __name__
    return wrapped


def slept(steps: Any) -> Any:
    """Run a generator that yields how long to sleep, by sleeping; what it returns."""
    error: BaseException | None = None
    while True:
        try:
            pause = next(steps) if error is None else steps.throw(error)
        except StopIteration as end:
            return end.value
        error = None
        try:
            time.sleep(pause)
        except BaseException as raised:
            error = raised


def scene_task(**options: Any) -> Any:
    """Make a task of a generator function that yields how long to sleep."""

    def decorate(function: Any) -> Any:
        if KIND == "asyncio":
            return app.task(**options)(as_kind(function))

        def plain(*args: Any, **kwargs: Any) -> Any:
            return slept(function(*args, **kwargs))

        plain.__name__, plain.__qualname__, plain.__module__ = function.__name__, function.__qualname__, __name__
        return app.task(**options)(plain)

    return decorate


@scene_task()
def who(x: int) -> Any:
    yield 0
    job = current_job()
    return [None if job is None else job.id, x]


@scene_task()
def interval(seconds: float) -> Any:
    begun = time.monotonic()
    yield seconds
    return [begun, time.monotonic()]


@scene_task(bind=True, default_retry_delay=0)
def third_time_lucky(self: Any) -> Any:
    yield 0
    if self.request.retries < 2:
        raise self.retry()
    return self.request.retries


@scene_task()
def raises() -> Any:
    yield 0
    raise KeyError("lamp")


@scene_task()
def exits() -> Any:
    yield 0
    sys.exit(3)


@scene_task()
def leaves_a_mark() -> Any:
    found = mark.get()
    mark.set("dirty")
    yield 0.01
    return found


@scene_task(soft_time_limit=0.2)
def cleans_up() -> Any:
    try:
        while True:
            yield 0.01
    except SoftTimeLimitExceeded:
        return "cleaned up"


@scene_task(soft_time_limit=0.1)
def is_surprised() -> Any:
    while True:
        yield 0.01


@scene_task()
def calls_another() -> Any:
    yield 0
    return who.delay(5).id


@task
def shared() -> str:
    return "shared"


@scene_task(time_limit=0.3 if HARD else None)
def hangs() -> Any:
    while True:
        yield 60


@scene_task(time_limit=0.3 if HARD else None)
def hangs_on() -> Any:
    """Goes on when it is told to stop."""
    until = time.monotonic() + 2.5
    while time.monotonic() < until:
        try:
            yield 60
        except BaseException:
            continue


# ---- scenes --------------------------------------------------------------------------------------------------


def failure_of(result: Any) -> list[Any]:
    try:
        return ["returned", result.get(timeout=LONG_S)]
    except Exception as error:
        return [getattr(error, "type", type(error).__name__), str(error), getattr(error, "traceback", "")]


def most_at_once() -> int:
    intervals = [r.get(timeout=LONG_S) for r in [interval.delay(0.3) for _ in range(2 * WORKERS)]]
    instants = [begun for begun, _ in intervals]
    return max(sum(begun <= now < ended for begun, ended in intervals) for now in instants)


def ran() -> dict[str, Any]:
    found: dict[str, Any] = {}
    result = who.delay(7)
    found["who"] = result.get(timeout=LONG_S) == [result.id, 7]
    found["retried"] = third_time_lucky.delay().get(timeout=LONG_S)
    found["raised"] = failure_of(raises.delay())
    found["exited"] = failure_of(exits.delay())
    found["marks"] = [leaves_a_mark.delay().get(timeout=LONG_S) for _ in range(2 * WORKERS)]
    found["at_once"] = most_at_once()
    found["soft"] = cleans_up.delay().get(timeout=LONG_S)
    found["surprised"] = failure_of(is_surprised.delay())
    found["another"] = app.AsyncResult(calls_another.delay().get(timeout=LONG_S)).get(timeout=LONG_S)[1]
    found["seen"] = seen.seen(app, WORKERS, KINDS[KIND].runs_coroutines)
    found["shared"] = shared.delay().get(timeout=LONG_S)
    if HARD:
        begun = time.monotonic()
        found["hung"] = [failure_of(one)[0] for one in [hangs.delay() for _ in range(4 * WORKERS)]]
        found["hung_for"] = time.monotonic() - begun
        begun = time.monotonic()
        found["hung_on"] = failure_of(hangs_on.delay())[0]
        found["hung_on_for"] = time.monotonic() - begun
        found["at_once_after"] = most_at_once()
    return found


def stopped() -> dict[str, Any]:
    """A stop that waits, and one that does not."""
    found: dict[str, Any] = {}
    app.start()
    while app.life.ticker.pool.ready < WORKERS:
        time.sleep(0.01)
    results = [interval.delay(0.4) for _ in range(WORKERS + 3)]
    while len(app.life.ticker.pool.running()) < WORKERS:  # those that the store calls running may wait for a worker
        time.sleep(0.01)
    found["left"] = len(app.stop(timeout=LONG_S))
    found["states"] = sorted(str(result.state) for result in results)
    app.start()
    for result in results:
        result.get(timeout=LONG_S)
    late = interval.delay(0.6)
    while not app.life.ticker.pool.running():
        time.sleep(0.01)
    found["late_left"] = [job.id for job in app.stop(timeout=0.05)] == [late.id]
    until = time.monotonic() + LONG_S
    while late.state != "succeeded" and time.monotonic() < until:
        time.sleep(0.02)
    found["late_state"] = str(late.state)
    return found


if __name__ == "__main__":
    os.environ["SET_BY_THE_PROGRAM"] = "yes"
    with app:
        told = ran()
    told |= {"stopped": stopped(), "check": app.store.check()}
    print(json.dumps(told))
