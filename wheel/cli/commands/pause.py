"""``hourwheel pause`` and ``hourwheel resume``: stop starting jobs of queues, tasks or schedules, in all processes."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable, Sequence
from typing import Final

from ...contract import Store
from ...errors import InvalidValue
from ...scheduler.pausing import name_of
from ..choosing import say_strangers
from ..command import STORE, Command, Context, argument, as_json, names
from ..outcome import YES
from ..places import opened


def _run(args: Namespace, context: Context, change: Callable[[Store, Sequence[str]], list[str]], done: str) -> int:
    wanted = [name_of(queue, None) for queue in args.queue] + [name_of(None, task) for task in args.task]
    wanted += [f"schedule:{name}" for name in args.schedule]
    if not wanted:
        raise InvalidValue("pass --queue, --task or --schedule")
    with opened(args, context.environ) as store:
        say_strangers(store, args, context, args.queue, args.task)
        changed = change(store, wanted)
        paused = store.paused()
    if args.json:
        context.console.json({"changed": changed, "paused": paused})
        return YES
    for name in wanted:
        context.console.line(f"{name}: {done}" if name in changed else f"{name}: already {done}")
    context.console.line(f"paused now: {', '.join(paused) or 'nothing'}")
    return YES


_TAKES: Final = (
    argument("-Q", "--queue", metavar="NAMES", type=names, default=[], help="queues, separated by commas"),
    argument("-T", "--task", metavar="NAMES", type=names, default=[], help="tasks, separated by commas"),
    argument("-S", "--schedule", metavar="NAMES", type=names, default=[], help="schedules, likewise"),
    *STORE,
    as_json("what is paused now"),
)


@Command(
    name="pause",
    summary="pause queues, tasks or schedules",
    description="Stop starting jobs of these queues and tasks, and fires of these schedules, in all processes that "
    "use the store, until they are resumed. Durable. Running jobs go on; paused jobs can still expire.",
    examples=(
        "hourwheel pause --queue mail --store tasks.json",
        "hourwheel pause --task shop.mail.welcome -A shop.tasks",
    ),
    takes=_TAKES,
    use="changes",
)
def pause(args: Namespace, context: Context) -> int:
    return _run(args, context, lambda store, wanted: store.pause(wanted), "paused")


@Command(
    name="resume",
    summary="resume queues, tasks or schedules",
    description="Undo `hourwheel pause`. What a schedule does with fires that it missed is up to its misfire policy.",
    examples=(
        "hourwheel resume --queue mail --store tasks.json",
        "hourwheel resume --task shop.mail.welcome -A shop.tasks",
    ),
    takes=_TAKES,
    use="changes",
)
def resume(args: Namespace, context: Context) -> int:
    return _run(args, context, lambda store, wanted: store.resume(wanted), "resumed")
