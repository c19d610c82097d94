"""``hourwheel schedules add``, ``change``, ``remove``, ``pause``, ``resume``: schedules that are data in the store."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from ...clock import as_datetime
from ...errors import PayloadError, UnknownSchedule
from ...explain.when import local, read_instant, read_span, until
from ...schedules.misfires import MISFIRES
from ...schedules.when import Schedule, crontab, every
from ..command import STORE, STORE_OPTION, Command, Context, argument, as_json, checked, whole
from ..outcome import NO, YES, CommandError
from ..places import known_app, named_store, opened, take_store
from .call import integer, json_list, json_object, task_of

if TYPE_CHECKING:
    from ...scheduler.book import ScheduleBook
    from ...scheduler.scheduler import Scheduler
    from ...scheduler.scheduling import Scheduled

_DAY_MS: Final = 86_400_000
_INSTANT: Final = checked(read_instant)
_SPAN: Final = checked(read_span)


_WHEN: Final = (
    argument("--every", metavar="SPAN", type=_SPAN, help="an interval, such as 5m or 2d"),
    argument("--at", metavar="TIME", help="with --every in whole days: the time of day, such as 07:30"),
    argument("--cron", metavar="EXPRESSION", help="instead: five fields as in cron, or a name such as @daily"),
    argument("--timezone", metavar="ZONE", help="of --cron and --at; default: the scheduler's"),
    argument("--start", metavar="TIME", type=_INSTANT, help="no fire before it"),
    argument("--end", metavar="TIME", type=_INSTANT, help="no fire after it"),
    argument("--times", metavar="N", type=whole, help="so many fires, from --start or now on"),
    argument("--jitter", metavar="SPAN", type=_SPAN, help="delay each fire by a random time up to this"),
)
_CALL: Final = (
    argument("-a", "--args", metavar="JSON", type=json_list, help="its arguments as a JSON list"),
    argument("-k", "--kwargs", metavar="JSON", type=json_object, help="keyword arguments as a JSON object"),
    argument("--queue", metavar="NAME", help="queue of the calls; default: the task's"),
    argument("--priority", metavar="N", type=integer, help="-100 to 100; higher runs first"),
    argument("--misfire", choices=MISFIRES, help="what to do with missed fires; default: coalesce"),
    argument("--max-instances", metavar="N", type=whole, help="skip a fire while N earlier ones have not ended"),
)
_OPTIONS: Final = ("queue", "priority", "misfire", "max_instances")


@Command(
    name="schedules add",
    summary="define a schedule in the store",
    description="Define a schedule in the store, durably and for all processes that use it. With -A, the app must have "
    "the task, the arguments must fit the function, and the app's time zone is the default. With --store alone, the "
    "task is named and unchecked.",
    examples=(
        "hourwheel schedules add night --every 5m --task clean --args '[1]' -A shop",
        "hourwheel schedules add report --cron '30 7 * * 1-5' --task report -A shop",
    ),
    takes=(
        STORE[0],
        argument("name", metavar="NAME", help="name of the schedule"),
        *_WHEN,
        argument("-t", "--task", metavar="TASK", required=True, help="name of the task to call"),
        *_CALL,
        *STORE_OPTION,
        as_json("the schedule"),
    ),
    use="changes",
)
def add(args: Namespace, context: Context) -> int:
    when = _when(args, context.clock.now_ms())
    if when is None:
        raise CommandError("pass --every or --cron")
    with _scheduler(args, context, creates=True) as (app, named):
        if named:
            task_of(app, args.task)
        with _fitting(args.task):
            made = app.schedules.add(args.name, when, args.task, args.args or (), args.kwargs or {}, **_options(args))
    return _show(made, args, context)


@Command(
    name="schedules change",
    summary="change a schedule of the store",
    description="Change a schedule that is defined in the store, durably and for all processes that use it. What is "
    "not given stays as it is; --every or --cron replaces the whole time, with its bounds.",
    examples=(
        "hourwheel schedules change night --every 10m --store tasks.json",
        "hourwheel schedules change report --args '[\"weekly\"]' -A shop",
    ),
    takes=(
        STORE[0],
        argument("name", metavar="NAME", help="name of the schedule"),
        *_WHEN,
        argument("-t", "--task", metavar="TASK", help="name of the task to call"),
        *_CALL,
        *STORE_OPTION,
        as_json("the schedule"),
    ),
    use="changes",
)
def change(args: Namespace, context: Context) -> int:
    asked = {name: getattr(args, name) for name in ("task", "args", "kwargs", *_OPTIONS)}
    when = _when(args, context.clock.now_ms())
    if when is None and all(value is None for value in asked.values()):
        raise CommandError("pass what is to change, such as --every 10m")
    with _scheduler(args, context) as (app, named):
        if named and args.task is not None:
            task_of(app, args.task)
        with _fitting(args.task or f"the task of {args.name}"):
            made = app.schedules.change(args.name, when=when, **asked)
    return _show(made, args, context)


def _options(args: Namespace) -> dict[str, Any]:
    return {name: getattr(args, name) for name in _OPTIONS}


@contextmanager
def _fitting(task: str) -> Iterator[None]:
    try:
        yield
    except TypeError as error:
        if isinstance(error, PayloadError):
            raise
        raise CommandError(f"{task} cannot be called with these arguments: {error}") from None


def _show(made: Scheduled, args: Namespace, context: Context) -> int:
    next_ms = None if made.next_at is None else round(made.next_at.timestamp() * 1000)
    if args.json:
        shown = {"name": made.name, "spec": made.spec, "words": made.words, "task": made.task, "next_ms": next_ms}
        context.console.json(shown)
    else:
        first = "" if next_ms is None else f", next {local(next_ms)} ({until(next_ms, context.clock.now_ms())})"
        context.console.line(f"{made.name}: {made.words}{first}")
    return YES


def _when(args: Namespace, now_ms: int) -> Schedule | None:
    """The schedule that the arguments describe; None if neither --every nor --cron is given.

    Raises:
        CommandError: both are given, or what is given does not fit.
        InvalidValue: a value breaks the rule of every() or crontab().
    """
    if args.every is None and args.cron is None:
        names = ("at", "timezone", "start", "end", "times", "jitter")
        if lone := [f"--{name}" for name in names if getattr(args, name) is not None]:
            raise CommandError(f"pass {' and '.join(lone)} together with --every or --cron")
        return None
    if args.every is not None and args.cron is not None:
        raise CommandError("pass --every or --cron, not both")
    start_ms = now_ms if args.times is not None and args.start is None else args.start
    bounds: dict[str, Any] = {
        "start": None if start_ms is None else as_datetime(start_ms),
        "end": None if args.end is None else as_datetime(args.end),
        "times": args.times,
        "jitter": None if args.jitter is None else args.jitter / 1000,
    }
    if args.cron is not None:
        if args.at is not None:
            raise CommandError("pass --at with --every; a cron expression has its own time")
        return crontab(args.cron, timezone=args.timezone, **bounds)
    if args.at is None:
        return every(args.every / 1000, timezone=args.timezone, **bounds)
    if args.every % _DAY_MS:
        raise CommandError("--at needs an interval of whole days, such as --every 1d")
    return every(days=args.every // _DAY_MS, at=args.at, timezone=args.timezone, **bounds)


@contextmanager
def _scheduler(args: Namespace, context: Context, *, creates: bool = False) -> Iterator[tuple[Scheduler, bool]]:
    """The app that is named; or a scheduler without tasks, on the store that is named. Says which of them it is.

    ``creates``: the store of an app that is named by -A need not exist yet, as for a program that calls a task.
    """
    from ...scheduler.scheduler import Scheduler

    app = None if named_store(args) else known_app(args, context.environ)
    if app is not None and args.app and creates:
        try:
            yield app, True
        finally:
            app.close()
        return
    with opened(args, context.environ) as store:
        if app is not None and app.backing.store is store:
            yield app, True
            return
        app = Scheduler(store, clock=context.clock)
        try:
            yield app, False
        finally:
            app.close()


def _change(args: Namespace, context: Context, change: Callable[[ScheduleBook, str], bool], done: str) -> int:
    take_store(args, args.name)
    if not args.name:
        raise CommandError("pass the names of schedules")
    results: dict[str, str] = {}
    with _scheduler(args, context) as (app, _):
        for name in args.name:
            try:
                results[name] = done if change(app.schedules, name) else f"already {done}"
            except UnknownSchedule:
                results[name] = "no such schedule"
    if args.json:
        context.console.json(results)
    else:
        for name, result in results.items():
            context.console.line(f"{name}: {result}")
    return NO if "no such schedule" in results.values() else YES


def _removed(book: ScheduleBook, name: str) -> bool:
    found = book.get(name)
    if found is not None and not found.stored:
        raise CommandError(f"schedule {name} is defined in the code; remove it there, or pause it")
    return book.remove(name)


_TAKES: Final = (
    argument("name", nargs="*", metavar="NAME", help="names of schedules; STORE may stand before them"),
    *STORE_OPTION,
    as_json("what became of each"),
)
_WHICH: Final = "With --store alone, only schedules that are defined in the store are known."


@Command(
    name="schedules remove",
    summary="remove schedules from the store",
    description=f"Remove schedules from the store, and cancel their next fires. Running jobs go on. {_WHICH}",
    examples=("hourwheel schedules remove cleanup --store tasks.json",),
    takes=_TAKES,
    use="changes",
)
def remove(args: Namespace, context: Context) -> int:
    return _change(args, context, _removed, "removed")


@Command(
    name="schedules pause",
    summary="pause schedules",
    description=f"Let schedules not fire, in all processes, until they are resumed. Durable. {_WHICH}",
    examples=("hourwheel schedules pause cleanup --store tasks.json",),
    takes=_TAKES,
    use="changes",
)
def pause_schedule(args: Namespace, context: Context) -> int:
    return _change(args, context, lambda book, name: book.pause(name), "paused")


@Command(
    name="schedules resume",
    summary="resume schedules",
    description=f"Let paused schedules fire again, from their next time on: what was missed is not run. {_WHICH}",
    examples=("hourwheel schedules resume cleanup --store tasks.json",),
    takes=_TAKES,
    use="changes",
)
def resume_schedule(args: Namespace, context: Context) -> int:
    return _change(args, context, lambda book, name: book.resume(name), "resumed")
