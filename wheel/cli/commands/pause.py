"""``hourwheel pause`` and ``hourwheel resume``: hold back the jobs of queues and tasks, in all processes."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Sequence
from typing import Final

from ...contract import Store
from ...errors import InvalidValue
from ...scheduler.pausing import name_of
from ..command import Command, Context, names, take_app, take_json
from ..outcome import YES
from ..places import opened


def _arguments(parser: ArgumentParser) -> None:
    parser.add_argument("-Q", "--queue", metavar="NAMES", type=names, default=[], help="queues, with commas between")
    parser.add_argument("-T", "--task", metavar="NAMES", type=names, default=[], help="tasks, with commas between")
    parser.add_argument("-S", "--schedule", metavar="NAMES", type=names, default=[], help="schedules, likewise")
    parser.add_argument("--store", metavar="STORE", help="path or URL of the store; default: $HOURWHEEL_STORE")
    take_app(parser)
    take_json(parser, "what is paused now")


def _runner(change: Callable[[Store, Sequence[str]], list[str]], done: str) -> Callable[[Namespace, Context], int]:
    def run(args: Namespace, context: Context) -> int:
        wanted = [name_of(queue, None) for queue in args.queue] + [name_of(None, task) for task in args.task]
        wanted += [f"schedule:{name}" for name in args.schedule]
        if not wanted:
            raise InvalidValue.of("--queue", "given, or --task or --schedule", None)
        with opened(args, context.environ) as store:
            changed = change(store, wanted)
            paused = store.paused()
        if args.json:
            context.console.json({"changed": changed, "paused": paused})
            return YES
        for name in wanted:
            context.console.line(f"{name}: {done}" if name in changed else f"{name}: it was {done} already")
        context.console.line(f"paused now: {', '.join(paused) or 'nothing'}")
        return YES

    return run


PAUSE: Final = Command(
    name="pause",
    summary="hold back queues, tasks or schedules",
    description="Start no more jobs of these queues and tasks, and no fire of these schedules, in any process that "
    "uses the store, until they are resumed. Durable. Jobs that run go on; what is held back expires as ever.",
    examples=(
        "hourwheel pause --queue mail --store tasks.json",
        "hourwheel pause --task shop.mail.welcome -A shop.tasks",
    ),
    arguments=_arguments,
    run=_runner(lambda store, wanted: store.pause(wanted), "paused"),
    use="changes",
)

RESUME: Final = Command(
    name="resume",
    summary="let queues, tasks or schedules go on",
    description="End what `hourwheel pause` began. A schedule that missed fires goes on as its misfire policy says.",
    examples=(
        "hourwheel resume --queue mail --store tasks.json",
        "hourwheel resume --task shop.mail.welcome -A shop.tasks",
    ),
    arguments=_arguments,
    run=_runner(lambda store, wanted: store.resume(wanted), "resumed"),
    use="changes",
)
