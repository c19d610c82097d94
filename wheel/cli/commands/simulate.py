"""``hourwheel simulate``: how late jobs would start, given workers, durations, downtime and crashes."""

from __future__ import annotations

from argparse import ArgumentTypeError, Namespace
from collections.abc import Iterable
from dataclasses import asdict
from math import ceil
from typing import TYPE_CHECKING, Any, Final

from ...contract import Filter
from ...explain.plan import MINUTE_MS, step_of
from ...explain.when import counted, local, read_span, span, utc
from ...job import State
from ...settings.checks import checked_workers
from ..command import STORE, Argument, Command, Context, argument, as_json, checked, whole
from ..console import Cell
from ..outcome import NO, YES
from ..places import named_store, opened

if TYPE_CHECKING:
    from ...testing.simulation import Forecast, Minute

_ROWS: Final = 12
_BAR: Final = 24
_DAY_MS: Final = 86_400_000
_SCHEDULED: Final = Filter(states=frozenset({State.SCHEDULED}))


# ---- arguments ---------------------------------------------------------------------------------------------


def _seconds(text: str) -> float:
    return read_span(text) / 1000


def read_workers(text: str) -> int:
    """Read a number of workers."""
    return checked_workers(int(text) if text.isdecimal() else text)


def read_duration(text: str) -> tuple[str, float]:
    """Read a duration of runs into (task, seconds): ``TASK=2s`` is (TASK, 2.0), and ``2s`` is (*, 2.0)."""
    task, equals, length = text.rpartition("=")
    return (task if equals else "*"), _seconds(length)


def _stream(text: str) -> tuple[str, float, float, float]:
    """Read ``TASK=COUNT/SPAN`` or ``TASK=COUNT/SPAN+DELAY`` into (task, count, span, delay), in seconds."""
    task, equals, rest = text.partition("=")
    calls, slash, spans = rest.partition("/")
    per, _, countdown = spans.partition("+")
    if not (task and equals and slash and calls.isdecimal() and int(calls)):
        raise ArgumentTypeError(f"must be like mail=20/1m or mail=20/1m+15m, got {text!r}")
    return task, float(calls), _seconds(per), _seconds(countdown or "0")


def _positive(text: str) -> int:
    if not whole(text):
        raise ArgumentTypeError(f"must be a whole number, 1 or more, got {text!r}")
    return whole(text)


def workers(help: str, **default: int) -> Argument:
    """``-c``."""
    return argument("-c", "--workers", metavar="N", type=checked(read_workers), help=help, **default)


def duration(what: str, default: str) -> Argument:
    """``-d``, which may be repeated."""
    told = f"{what}, or TASK=SPAN for one task; may be repeated; default: {default}"
    read = checked(read_duration)
    return argument("-d", "--duration", metavar="SPAN", type=read, action="append", default=[], help=told)


def _length(name: str, help: str, **default: float) -> Argument:
    return argument(name, metavar="SPAN", type=checked(_seconds), help=help, **default)


# ---- output ------------------------------------------------------------------------------------------------


@Command(
    name="simulate",
    summary="forecast how late the jobs of a store start, given a number of workers",
    description="Simulate the scheduled jobs with the real ticker on a virtual clock. Shows load, lateness and backlog "
    "per minute, with crashes and downtime if you ask for them. No task is run, and the store is not changed. Running "
    "jobs are left out. The same seed gives the same result. Exit status 1 if a job was lost, started early or started "
    "twice.",
    examples=(
        "hourwheel simulate tasks.json --workers 4 --duration 2s",
        "hourwheel simulate -A shop.tasks --duration mail=300ms --down 2h",
        "hourwheel simulate tasks.json --seeds 100 --crash-every 10m",
        "hourwheel simulate --add mail=20/1m+15m --within 2h",
    ),
    takes=(
        *STORE,
        argument(
            "--add",
            metavar="LOAD",
            type=checked(_stream),
            action="append",
            default=[],
            help="add calls: mail=20/1m+15m is task mail 20 times a minute, each due 15 minutes later; "
            "may be repeated; STORE may be left out",
        ),
        workers("workers of each node; default: 4", default=4),
        argument("-n", "--nodes", metavar="N", type=_positive, default=1, help="processes on the store; default: 1"),
        duration("how long a run takes on average", "1s"),
        _length("--within", "how far to look; default: 1d", default=_DAY_MS / 1000),
        _length("--down", "run nothing for this long at first; default: 0s", default=0.0),
        _length("--crash-every", "kill a node this often, on average"),
        _length("--restart-after", "how long until a killed node restarts; default: 5s", default=5.0),
        argument(
            "--seeds", metavar="N", type=_positive, default=1, help="run N simulations with different seeds; default: 1"
        ),
        argument("--seed", metavar="N", type=whole, default=0, help="seed of the first simulation; default: 0"),
        as_json("the forecast"),
    ),
)
def simulate(args: Namespace, context: Context) -> int:
    from ...testing.simulation import Stream, simulate  # slow to import

    now_ms = context.clock.now_ms()
    load: list[Any] = [Stream(task=t, calls=calls, per=per, countdown=wait) for t, calls, per, wait in args.add]
    name = ""
    if named_store(args) or args.app or not args.add:
        with opened(args, context.environ) as store:
            name = str(getattr(store, "path", repr(store)))
            load += store.scan(_SCHEDULED)
    forecast = simulate(
        load,
        workers=args.workers,
        nodes=args.nodes,
        duration={"*": 1.0, **dict(args.duration)},
        within=args.within,
        down=args.down,
        crash_every=args.crash_every,
        restart_after=args.restart_after,
        seeds=args.seeds,
        seed=args.seed,
        now=now_ms,
    )
    if args.json:
        context.console.json(_document(name, forecast))
    else:
        _show(name, forecast, args, context)
    return YES if forecast.sound else NO


def _document(name: str, forecast: Forecast) -> dict[str, Any]:
    found = asdict(forecast)
    found["minutes"] = [{**minute._asdict(), "at": utc(minute.at_ms)} for minute in forecast.minutes]
    found["violations"] = list(forecast.violations)
    return {"store": name or None, "sound": forecast.sound, **found}


def _show(name: str, forecast: Forecast, args: Namespace, context: Context) -> None:
    console = context.console
    for label, text, colour in _rows(name, forecast, args):
        console.line(Cell(f"{label:11}", "dim"), Cell(text, colour))
    if forecast.minutes:
        _show_minutes(forecast, context)
    for violation in forecast.violations:
        console.prose(Cell("violated: ", "red"), violation)
    if forecast.sound:
        promise = "nothing lost, nothing early, no double start, in every world"
        console.prose(Cell("sound: ", "green"), promise)


def _rows(name: str, forecast: Forecast, args: Namespace) -> Iterable[tuple[str, str, str]]:
    if name:
        yield "store", name, ""
    yield "load", f"{counted(forecast.jobs)} due within {span(round(args.within * 1000))}", ""
    yield "world", _world(args), ""
    again = f", {forecast.again:,} of them again after a node died" if forecast.deaths else ""
    yield "runs", f"{forecast.begun:,} started{again}", ""
    late = f"half {span(forecast.p50_ms)}, 99 % {span(forecast.p99_ms)}, all {span(forecast.max_ms)} at most"
    yield "lateness", late, "yellow" if forecast.p99_ms >= MINUTE_MS else ""
    when = f", at {local(forecast.backlog_at_ms)}" if forecast.backlog else ""
    yield "backlog", f"{counted(forecast.backlog)} at most{when}", ""
    yield "hash", forecast.hash[:16], "dim"


def _world(args: Namespace) -> str:
    nodes = "1 node" if args.nodes == 1 else f"{args.nodes} nodes"
    words = [f"{nodes} of {args.workers} workers"]
    if args.down:
        words.append(f"down for the first {span(round(args.down * 1000))}")
    if args.crash_every is not None:
        words.append(f"one killed every {span(round(args.crash_every * 1000))}")
    words.append(f"seed {args.seed}" if args.seeds == 1 else f"seeds {args.seed} to {args.seed + args.seeds - 1}")
    return ", ".join(words)


def _show_minutes(forecast: Forecast, context: Context) -> None:
    rows = _condensed(forecast.minutes)
    most = max((row[3] for row in rows), default=0)
    cells = [
        [
            Cell(local(at_ms)[:16]),
            Cell(f"{due:>9,}"),
            Cell(f"{begun:>9,}"),
            Cell(f"{span(latest):>11}", "yellow" if latest >= MINUTE_MS else ""),
            Cell(f"{waiting:>7,} {_bar(waiting, most)}".rstrip()),
        ]
        for at_ms, due, begun, waiting, latest in rows
    ]
    if not context.console.table(("from", f"{'due':>9}", f"{'begun':>9}", f"{'latest':>11}", "waiting"), cells):
        context.console.line(Cell("the terminal is too narrow for the table of minutes", "dim"))


def _condensed(minutes: Iterable[Minute]) -> list[tuple[int, int, int, int, int]]:
    """Merge minutes into at most 12 rows of (from, due, begun, most waiting, latest)."""
    found = list(minutes)
    length = (found[-1].at_ms - found[0].at_ms) // MINUTE_MS + 1
    step = step_of(length, _ROWS) * MINUTE_MS
    rows: dict[int, tuple[int, int, int, int, int]] = {}
    for minute in found:
        at_ms = minute.at_ms // step * step
        _, due, begun, waiting, latest = rows.get(at_ms, (0, 0, 0, 0, 0))
        waiting, latest = max(waiting, minute.waiting), max(latest, minute.latest_ms)
        rows[at_ms] = at_ms, due + minute.due, begun + minute.begun, waiting, latest
    return list(rows.values())


def _bar(value: int, most: int) -> str:
    return "#" * ceil(value / most * _BAR) if most else ""
