"""Choose jobs of a store: the options that say which, shared by all commands that choose some."""

from __future__ import annotations

from argparse import ArgumentTypeError, Namespace
from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING, Final

from ..contract import Filter, Store
from ..explain.when import read_either, read_span
from ..job import State
from .command import Argument, Context, argument, checked, whole
from .near import guess
from .places import named_app

if TYPE_CHECKING:
    from ..scheduler.scheduler import Scheduler

_LOOKED_AT: Final = 10_000
"""How many jobs to look at for the names of queues and tasks, to guess what was meant."""


def states(text: str) -> frozenset[State]:
    """Read names of states, separated by commas."""
    return frozenset(map(_state, text.split(",")))


def _state(name: str) -> State:
    try:
        return State(name.strip().lower())
    except ValueError:
        hint = guess(name.strip(), State)
        raise ArgumentTypeError(f"must be from {', '.join(State)}, got {name.strip()!r}{hint}") from None


_AGE: Final = "since they finished; of running jobs, since they started, of scheduled ones, since they were created"
FILTERS: Final = (
    argument("--state", metavar="STATE,...", type=states, help=f"only these states: {', '.join(State)}"),
    argument("-T", "--task", metavar="NAME", help="only jobs of this task; with *, of all like it: 'shop.mail.*'"),
    argument("-Q", "--queue", metavar="NAME", help="only jobs of this queue"),
    argument("--key", metavar="KEY", help="only jobs with this unique key"),
    argument("--error", metavar="TEXT", help="only jobs whose last error contains this, as in 'TimeoutError: no ans'"),
    argument(
        "--older", metavar="AGE", type=checked(read_span), help=f"only jobs as old as this or older, such as 3d: {_AGE}"
    ),
    argument("--newer", metavar="AGE", type=checked(read_span), help="only jobs that are not so old yet, such as 2h"),
    argument(
        "--due-before", metavar="TIME", help="only jobs due before this: 15m from now, or 2026-12-24T18:00 (local)"
    ),
)
_NAMES: Final = ("state", "task", "queue", "key", "error", "older", "newer", "due_before")


def limit(help: str) -> Argument:
    """``--limit``; ``help`` says what happens without it."""
    return argument("--limit", metavar="N", type=whole, help=help)


def chooses(args: Namespace) -> bool:
    """Whether any of the options is given."""
    return any(getattr(args, name) is not None for name in _NAMES)


def filter_of(args: Namespace, now_ms: int, states: Collection[State] | None = None) -> Filter:
    """The filter that the options come to; ``states``: those without --state."""
    chosen = states if args.state is None else args.state
    return Filter(
        states=None if chosen is None else frozenset(chosen),
        task=args.task,
        queue=args.queue,
        key=args.key,
        error=args.error,
        since_from_ms=None if args.newer is None else now_ms - args.newer + 1,
        since_before_ms=None if args.older is None else now_ms - args.older + 1,
        due_before_ms=None if args.due_before is None else read_either(args.due_before, now_ms),
    )


def tell_strangers(store: Store, args: Namespace, context: Context) -> None:
    """Tell if the store has no job at all of the queue and the task that were asked for: they may be mistyped."""
    say_strangers(store, args, context, *([one] if one else [] for one in (args.queue, args.task)))


def say_strangers(
    store: Store, args: Namespace, context: Context, queues: Iterable[str] = (), tasks: Iterable[str] = ()
) -> None:
    """Write a notice for each queue and task of which the store has no job, with what may have been meant.

    Args:
        store: where to look for jobs.
        args: if -A is given, the app's names are known, too.
        context: where to write.
        queues: names of queues.
        tasks: names of tasks, or patterns.
    """
    odd = [("queue", name) for name in queues if not store.scan(Filter(queue=name), 1)]
    odd += [("task", name) for name in tasks if not store.scan(Filter(task=name), 1)]
    if odd:
        some, app = store.scan(limit=_LOOKED_AT), named_app(args)
        known = {"queue": {job.queue for job in some}, "task": {job.task for job in some}}
        if app is not None:
            known["task"].update(app.registry.names())
            known["queue"].update(queues_of(app))
        for kind, name in odd:
            hint = "" if name in known[kind] else guess(name, known[kind])
            context.console.error(f"hourwheel: the store has no job of {kind} {name!r}{hint}")


def say_odd_queues(app: Scheduler, queues: Iterable[str], context: Context) -> None:
    """Write a notice for each queue that no task of the app uses, if it is like one that some task uses."""
    known = queues_of(app)
    for name in queues:
        hint = "" if name in known else guess(name, known)
        if hint:
            context.console.error(f"hourwheel: no task of the app uses queue {name!r}{hint}")


def queues_of(app: Scheduler) -> set[str]:
    """The queues that the tasks of an app use."""
    plans = {name: app.registry.get(name).plan for name in app.registry.names()}
    placed = (plan if app.routes is None else app.routes.place(name, plan) for name, plan in plans.items())
    return {plan.queue for plan in placed}
