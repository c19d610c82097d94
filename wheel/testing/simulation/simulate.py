"""simulate(): what would become of a schedule, with so many workers, such runs, such misfortunes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from hashlib import sha256
from random import Random
from typing import Final

from ...clock import SystemClock
from ...contract import Filter
from ...errors import InvalidValue
from ...job import Claim, State
from ...settings.checks import checked_workers, moment_ms
from .clock import MS
from .forecast import Forecast, Watch, peak, percentile
from .judge import Judge
from .load import Call, Load, calls_of
from .stores import MemoryStores
from .world import World

Seconds = float | timedelta
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
    """Play a schedule on a virtual clock, and say how late its jobs begin and how many wait.

    The real ticker and a real store (in memory) do the work; only time and the runs are simulated. Nothing of the load
    is run or changed.

    Args:
        load: a Store, whose scheduled jobs are looked at, or an iterable of Jobs and Streams.
        workers: of each node.
        nodes: processes that share the store.
        duration: how long a run takes on average, in seconds, or {task: seconds} with "*" for all others; runs vary
            as random events do (exponentially).
        within: look so far, in seconds; a day by default. Jobs that are due later are left out.
        down: all nodes are down at first, for so many seconds, while jobs come due.
        crash_every: kill a node every so many seconds on average; None for never.
        restart_after: a killed node comes back after so many seconds.
        seeds: how many worlds to play.
        seed: of the first; the others follow.
        now: the beginning, an aware datetime or milliseconds since the epoch; None for the present.
        judge: makes a judge for each world; by default one that sees whether a job is lost, starts early or starts
            twice.

    Returns:
        The forecast; the same for the same arguments.

    Raises:
        InvalidValue: an argument breaks its rule.

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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Played:
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
    return _Played(
        jobs=world.store.stats(world.clock.now_ms()).accepted,
        watch=watch,
        deaths=world.deaths,
        hash=world.hash,
        violation=None if violation is None else f"seed {seed}: {violation}",
    )


def _plan(world: World, calls: list[Call], setting: _Setting, seed: int) -> int:
    """Plan the load, and crashes for as long as there may be work. How long the world is to last, in milliseconds."""
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
    number = value.total_seconds() if isinstance(value, timedelta) else value
    if isinstance(number, bool) or not isinstance(number, (int, float)) or not 0 <= number < 1e10:
        raise InvalidValue.of(name, "a number of seconds, zero or more, or a timedelta", value)
    return round(number * 1000)


def _durations(duration: object) -> Callable[[str], float]:
    if not isinstance(duration, Mapping):
        seconds = _span("duration", duration) / 1000
        return lambda task: seconds  # noqa: ARG005
    known = {task: _span("duration", value) / 1000 for task, value in duration.items()}
    others = known.get("*", 1.0)
    return lambda task: known.get(task, others)
