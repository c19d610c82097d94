"""``hourwheel agenda``: which jobs come due, how many per minute, and a forecast of how late they start."""

from __future__ import annotations

from argparse import Namespace
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from ...clock import MAX_MS
from ...contract import Filter, Store
from ...errors import InvalidValue
from ...explain.plan import MOST, Plan, bars, durations_of, plan_of, upcoming
from ...explain.processes import processes_of
from ...explain.when import counted, local, read_span, span, utc
from ...job import Job, State
from ...schedules.stored import stored_entries
from ..command import STORE, Command, Context, argument, as_json, checked, whole
from ..console import Cell
from ..describe import call, moment
from ..outcome import YES
from ..places import known_app, opened
from .simulate import duration, workers

if TYPE_CHECKING:
    from ...scheduler.scheduler import Scheduler
    from ...testing.simulation import Forecast

_SCHEDULED: Final = frozenset({State.SCHEDULED})
_ENDED: Final = Filter(states=frozenset({State.SUCCEEDED, State.FAILED}))
_MEASURED: Final = 10_000
"""How many finished jobs to look at for the duration of runs."""
_FORECAST_MOST: Final = 5_000
"""With more jobs, a forecast takes too long to make without being asked."""
_WORKERS: Final = 4
_NOTICED_MS: Final = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class _World:
    """What the forecast assumes."""

    nodes: int
    workers: int
    durations: dict[str, float]
    alive: int | None
    """How many processes take jobs now; None if unknown."""

    def __str__(self) -> str:
        nodes = "1 process" if self.nodes == 1 else f"{self.nodes} processes"
        workers = "1 worker" if self.workers == 1 else f"{self.workers} workers"
        none = ", though none is alive now" if self.alive == 0 else ""
        return f"{nodes} of {workers}{none}"


@Command(
    name="agenda",
    summary="list the jobs of the next hour, with the load and a forecast of delays",
    description="List the jobs that come due, in order, with the load per minute as a row of bars. A forecast says how "
    "late they start, given the processes that are alive now (or one, if none is), their workers, and how long runs "
    "took so far. With -A, future fires of schedules are included. Nothing is run.",
    examples=("hourwheel agenda tasks.json", "hourwheel agenda -A shop.tasks --next 8h --workers 8 --duration 2s"),
    takes=(
        *STORE,
        argument(
            "-n",
            "--next",
            metavar="SPAN",
            type=checked(read_span),
            default=3_600_000,
            help="how far to look; default: 1h",
        ),
        argument("--limit", metavar="N", type=whole, default=20, help="list at most N jobs, 0 for all; default: 20"),
        workers("workers of each process, for the forecast; default: the app's, or 4"),
        duration("how long a run takes", "the average of the task's finished jobs, or else 1s"),
        as_json("the agenda"),
    ),
)
def agenda(args: Namespace, context: Context) -> int:
    now_ms = context.clock.now_ms()
    if not 0 < args.next <= MAX_MS - now_ms:
        raise InvalidValue.of("--next", "more than zero, and within the year 9999", f"{args.next} ms")
    until_ms = now_ms + args.next
    app = known_app(args, context.environ)
    with opened(args, context.environ) as store:
        jobs = store.scan(Filter(states=_SCHEDULED, due_before_ms=until_ms))
        paused = store.paused()
        fires, cut = upcoming(app, now_ms, until_ms, stored_entries(store))
        plan = plan_of(jobs, fires, paused, now_ms, until_ms)
        world = _world(args, app, store)
        name = str(getattr(store, "path", repr(store)))
    asked = args.workers is not None or bool(args.duration)
    forecast = _forecast(plan, world) if plan.jobs and (asked or len(plan.jobs) <= _FORECAST_MOST) else None
    if args.json:
        context.console.json({**_document(name, plan, world, forecast), "cut": cut})
    else:
        _show(plan, world, forecast, args, context)
        if cut:
            context.console.prose(Cell("cut: ", "yellow"), f"only the first {MOST:,} fires of {', '.join(cut)}")
    return YES


def _world(args: Namespace, app: Scheduler | None, store: Store) -> _World:
    processes = processes_of(store)
    alive = None if processes is None else sum(one.alive for one in processes)
    measured = durations_of(store.scan(_ENDED, _MEASURED))
    return _World(
        nodes=max(1, alive or 0),
        workers=args.workers or (_WORKERS if app is None else app.workers),
        durations={"*": 1.0, **measured, **dict(args.duration)},
        alive=alive,
    )


def _forecast(plan: Plan, world: _World) -> Forecast:
    from ...testing.simulation import simulate  # slow to import

    return simulate(
        plan.jobs,
        workers=world.workers,
        nodes=world.nodes,
        duration=world.durations,
        within=(plan.until_ms - plan.now_ms) / 1000,
        now=plan.now_ms,
    )


# ---- output ------------------------------------------------------------------------------------------------


def _document(name: str, plan: Plan, world: _World, forecast: Forecast | None) -> dict[str, Any]:
    return {
        "store": name,
        "now_ms": plan.now_ms,
        "until_ms": plan.until_ms,
        "until": utc(plan.until_ms),
        "overdue": plan.overdue,
        "jobs": [_entry(job, plan) for job in plan.jobs],
        "paused": [_entry(job, plan) for job in plan.held],
        "load": [{"at_ms": one.at_ms, "at": utc(one.at_ms), "due": one.due} for one in plan.load()],
        "forecast": None
        if forecast is None
        else {
            "processes": world.nodes,
            "alive": world.alive,
            "workers": world.workers,
            "p50_ms": forecast.p50_ms,
            "p99_ms": forecast.p99_ms,
            "max_ms": forecast.max_ms,
            "backlog": forecast.backlog,
            "backlog_at_ms": forecast.backlog_at_ms,
        },
    }


def _entry(job: Job, plan: Plan) -> dict[str, Any]:
    return {
        "id": job.id,
        "due_ms": job.due_ms,
        "due": utc(job.due_ms),
        "task": job.task,
        "queue": job.queue,
        "call": call(job),
        "schedule": None if job.fire is None else job.fire.schedule,
        "stored": job.id not in plan.fires,
    }


def _show(plan: Plan, world: _World, forecast: Forecast | None, args: Namespace, context: Context) -> None:
    console = context.console
    head = f"{counted(len(plan.jobs))} due within {span(args.next)}"
    notes = [f"{plan.overdue:,} of them overdue"] if plan.overdue else []
    notes += [f"and {len(plan.held):,} paused"] if plan.held else []
    console.line(", ".join([head, *notes]))
    if not plan.jobs:
        return
    _list(plan, args.limit, context)
    _load(plan, context)
    if forecast is None:
        console.prose(
            Cell("forecast: ", "dim"), "takes a while for so many jobs; use -c N, or `hourwheel simulate`, to get one"
        )
        return
    late = f"half start {span(forecast.p50_ms)} late, 99 % {span(forecast.p99_ms)}, all {span(forecast.max_ms)} at most"
    waits = forecast.backlog and forecast.max_ms >= _NOTICED_MS
    backlog = f"; {forecast.backlog:,} of them wait at {local(forecast.backlog_at_ms)}" if waits else ""
    colour = "yellow" if forecast.p99_ms >= _NOTICED_MS else "dim"
    console.prose(Cell("forecast: ", colour), f"{world}: {late}{backlog}")
    console.prose(Cell("runs take: ", "dim"), _durations(plan, world))


def _list(plan: Plan, limit: int, context: Context) -> None:
    shown = plan.jobs[:limit] if limit else plan.jobs
    rows = [
        [
            Cell(local(job.due_ms)),
            moment(job, plan.now_ms),
            Cell(job.id, "dim" if job.id in plan.fires else ""),
            Cell(call(job)),
        ]
        for job in shown
    ]
    if not context.console.table(("DUE", "WHEN", "ID", "CALL"), rows):
        for due, when, id, called in rows:
            context.console.line(due, "  ", when, "  ", id)
            context.console.line("    ", called)
    if len(shown) < len(plan.jobs):
        context.console.line(Cell(f"and {len(plan.jobs) - len(shown):,} more; --limit 0 lists all", "dim"))


def _load(plan: Plan, context: Context) -> None:
    load = plan.load()
    fullest = max(load, key=lambda one: one.due)
    each = span(load[1].at_ms - load[0].at_ms) if len(load) > 1 else "1m"
    legend = f"  each bar {each}, at most {fullest.due:,}, from {local(fullest.at_ms)[:16]}"
    context.console.line(Cell("load: ", "dim"), bars(load), Cell(legend, "dim"))


def _durations(plan: Plan, world: _World) -> str:
    tasks = sorted({job.task for job in plan.jobs})
    shown = [f"{task} {span(round(world.durations.get(task, world.durations['*']) * 1000))}" for task in tasks[:5]]
    return ", ".join([*shown, "..."] if len(tasks) > len(shown) else shown)
