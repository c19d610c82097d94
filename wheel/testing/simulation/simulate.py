"""simulate(): a forecast for a schedule, with given workers, durations of runs, and failures."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from hashlib import sha256
from random import Random
from typing import Final, NamedTuple, cast

from ...clock import SystemClock, deadline_ms
from ...contract import Filter
from ...errors import InvalidValue
from ...job import Claim, State
from ...settings.checks import checked_workers, moment_ms
from ...tasks.options.times import Seconds, span
from .clock import MS
from .forecast import Forecast, Watch, peak, percentile
from .judge import Judge
from .load import Call, Load, calls_of
from .stores import MemoryStores
from .world import World

_DAY_S: Final = 86_400.0
_REST_MS: Final = 60_000
_EXPIRED: Final = Filter(states=frozenset({State.EXPIRED}))


def simulate(
    load: Load,
    *,
    workers: int = 4,
    nodes: int = 1,
    duration: Seconds | Mapping[str, Seconds] = 1.0,
    within: Seconds = _DAY_S,
    down: Seconds = 0.0,
    crash_every: Seconds | None = None,
    restart_after: Seconds = 5.0,
    seeds: int = 1,
    seed: int = 0,
    now: datetime | int | None = None,
    judge: Callable[[], Judge] = Judge,
) -> Forecast:
    """Simulate a schedule on a virtual clock, to forecast how late its jobs start and how many wait.

    The ticker and the store (in memory) are real; only time and the runs are simulated. No job is run or changed.

    Args:
        load: a Store, for its scheduled jobs, or an iterable of Jobs and Streams.
        workers: the number of workers of each node.
        nodes: the number of processes that share the store.
        duration: the average duration of a run, in seconds; or {task: seconds}, with "*" for all other tasks. Durations
            are distributed exponentially.
        within: leave out jobs that are due later than this, in seconds; by default a day.
        down: for how many seconds all nodes are down at first, while jobs become due.
        crash_every: kill a node every so many seconds, on average; None for never.
        restart_after: the seconds until a killed node is started again.
        seeds: how many worlds to simulate.
        seed: the first seed; the next worlds have the next numbers.
        now: the time at the beginning, an aware datetime or milliseconds since the epoch; None for now.
        judge: makes a judge for each world; by default one that checks that no job is lost, starts early or starts
            twice.

    Returns:
        The forecast; the same for the same arguments.

    Raises:
        InvalidValue: an argument is not valid.

    >>> from hourwheel.testing import Stream
    >>> forecast = simulate([Stream(task="remind", calls=60, per=60)], within=600, duration=0.5, now=0)
    >>> forecast.sound, forecast.p50_ms < 50
    (True, True)
    """
    setting = _Setting(
        workers=checked_workers(workers),
        nodes=_whole("nodes", nodes),
        durations=_durations(duration),
        within_ms=_span("within", within),
        down_ms=_span("down", down),
        crash_ms=None if crash_every is None else max(1, _span("crash_every", crash_every)),
        restart_ms=_span("restart_after", restart_after),
        now_ms=SystemClock().now_ms() if now is None else moment_ms(now),
    )
    first = _whole("seed", seed, least=0)
    worlds = [_one(load, setting, number, judge()) for number in range(first, first + _whole("seeds", seeds))]
    return _together(worlds)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Setting:
    workers: int
    nodes: int
    durations: Callable[[str], float]
    within_ms: int
    down_ms: int
    crash_ms: int | None
    restart_ms: int
    now_ms: int


class _Played(NamedTuple):
    jobs: int
    watch: Watch
    deaths: int
    hash: str
    violation: str | None


def _one(load: Load, setting: _Setting, seed: int, judge: Judge) -> _Played:
    watch = Watch(setting.now_ms)

    def lasts_ms(claim: Claim) -> int:
        job = claim.job
        watch.began(job, world.clock.now_ms())
        drawn = Random(f"{seed} {job.id} {watch.starts[job.id]}").expovariate(1.0)
        return round(drawn * setting.durations(job.task) * 1000)

    world = World(
        MemoryStores(),
        judge,
        nodes=setting.nodes,
        workers=setting.workers,
        start_ms=setting.now_ms,
        seed=seed,
        lasts_ms=lasts_ms,
    )
    violation = world.play(_plan(world, calls_of(load, setting.now_ms, setting.within_ms, seed), setting, seed) * MS)
    watch.expired(world.store.scan(_EXPIRED))
    accepted = world.store.stats(world.clock.now_ms()).accepted
    return _Played(accepted, watch, world.deaths, world.hash, violation and f"seed {seed}: {violation}")


def _plan(world: World, calls: list[Call], setting: _Setting, seed: int) -> int:
    """Plan the calls, and crashes for as long as there may be work. Return the length of the world in milliseconds."""
    if setting.down_ms:
        for node in world.nodes:
            world.at(0, partial(world.kill, node, setting.down_ms))
    last_ms = max([setting.down_ms, *(call.job.due_ms - setting.now_ms for call in calls)])
    work_s = sum(setting.durations(call.job.task) for call in calls) / (setting.workers * setting.nodes)
    _plan_crashes(world, setting, last_ms + round(work_s * 1000), Random(f"crash {seed}"))
    for call in calls:
        world.at(call.at_ms * MS, partial(world.add, [call.job]))
    return last_ms + _REST_MS


def _plan_crashes(world: World, setting: _Setting, until_ms: int, random: Random) -> None:
    at_ms = setting.down_ms
    while setting.crash_ms is not None:
        at_ms += max(1, round(random.expovariate(1 / setting.crash_ms)))
        if at_ms >= until_ms:
            return
        world.at(at_ms * MS, partial(world.kill, random.choice(world.nodes), setting.restart_ms))


def _together(worlds: list[_Played]) -> Forecast:
    lateness = sorted(late for one in worlds for late in one.watch.lateness())
    backlog, backlog_at_ms = peak(one.watch for one in worlds)
    begun = sum(one.watch.starts.total() for one in worlds)
    hashes = "".join(one.hash for one in worlds)
    return Forecast(
        jobs=worlds[0].jobs,
        seeds=len(worlds),
        begun=begun,
        again=begun - len(lateness),
        deaths=sum(one.deaths for one in worlds),
        p50_ms=percentile(lateness, 0.5),
        p99_ms=percentile(lateness, 0.99),
        max_ms=lateness[-1] if lateness else 0,
        backlog=backlog,
        backlog_at_ms=backlog_at_ms,
        minutes=worlds[0].watch.minutes(),
        violations=tuple(one.violation for one in worlds if one.violation is not None),
        hash=sha256(hashes.encode()).hexdigest() if len(worlds) > 1 else hashes,
    )


# ---- arguments -------------------------------------------------------------------------------------------


def _whole(name: str, value: object, least: int = 1) -> int:
    if type(value) is not int or not least <= value <= 1_000_000:
        raise InvalidValue.of(name, f"a whole number from {least} to 1000000", value)
    return value


def _span(name: str, value: object) -> int:
    return deadline_ms(0, span(name, cast("Seconds", value)))


def _durations(duration: object) -> Callable[[str], float]:
    if not isinstance(duration, Mapping):
        seconds = _span("duration", duration) / 1000
        return lambda task: seconds  # noqa: ARG005
    known = {task: _span("duration", value) / 1000 for task, value in duration.items()}
    others = known.get("*", 1.0)
    return lambda task: known.get(task, others)
