"""``hourwheel pause`` and ``hourwheel resume``: stop starting jobs of queues, tasks or schedules, in all processes."""

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
    parser.add_argument("-Q", "--queue", metavar="NAMES", type=names, default=[], help="queues, separated by commas")
    parser.add_argument("-T", "--task", metavar="NAMES", type=names, default=[], help="tasks, separated by commas")
    parser.add_argument("-S", "--schedule", metavar="NAMES", type=names, default=[], help="schedules, likewise")
    parser.add_argument("--store", metavar="STORE", help="path or URL of the store; default: $HOURWHEEL_STORE")
    take_app(parser)
    take_json(parser, "what is paused now")


def _runner(change: Callable[[Store, Sequence[str]], list[str]], done: str) -> Callable[[Namespace, Context], int]:
    def run(args: Namespace, context: Context) -> int:
        wanted = [name_of(queue, None) for queue in args.queue] + [name_of(None, task) for task in args.task]
        wanted += [f"schedule:{name}" for name in args.schedule]
        if not wanted:
            raise InvalidValue("pass --queue, --task or --schedule")
        with opened(args, context.environ) as store:
            changed = change(store, wanted)
            paused = store.paused()
        if args.json:
            context.console.json({"changed": changed, "paused": paused})
            return YES
        for name in wanted:
            context.console.line(f"{name}: {done}" if name in changed else f"{name}: already {done}")
        context.console.line(f"paused now: {', '.join(paused) or 'nothing'}")
        return YES

    return run


PAUSE: Final = Command(
    name="pause",
    summary="pause queues, tasks or schedules",
    description="Stop starting jobs of these queues and tasks, and fires of these schedules, in all processes that "
    "use the store, until they are resumed. Durable. Running jobs go on; paused jobs can still expire.",
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
    summary="resume queues, tasks or schedules",
    description="Undo `hourwheel pause`. What a schedule does with fires that it missed is up to its misfire policy.",
    examples=(
        "hourwheel resume --queue mail --store tasks.json",
        "hourwheel resume --task shop.mail.welcome -A shop.tasks",
    ),
    arguments=_arguments,
    run=_runner(lambda store, wanted: store.resume(wanted), "resumed"),
    use="changes",
)
