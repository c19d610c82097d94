"""``hourwheel backup`` and ``hourwheel move``: copy a store into one file, or move it."""

from __future__ import annotations

from argparse import Namespace
from dataclasses import asdict

from ....store.file import backup as files
from ....store.file.backup import Copied
from ...command import STORE, Context, argument, as_json, command
from ...console import Cell
from ...outcome import YES
from ...places import file_of, url_of


@command(
    "backup",
    summary="copy a store into one file, while it is in use",
    description="Write the present state of a store into one file, which is a complete store, and read it back. "
    "Workers are not blocked.",
    examples=(
        "hourwheel backup tasks.json /backup/tasks-monday.json",
        "hourwheel backup -A shop.tasks copy.json --force",
    ),
    takes=(
        *STORE,
        argument("to", metavar="TO", help="path of the copy"),
        argument("--force", action="store_true", help="replace TO if it exists"),
        as_json("what was copied"),
    ),
)
def backup(args: Namespace, context: Context) -> int:
    path = file_of(url_of(args, context.environ))
    return _show(files.backup(path, args.to, now_ms=context.clock.now_ms(), replace=args.force), args, context)


@command(
    "move",
    summary="move a store that is not in use",
    description="Move a store with all its files, also to another file system. The new one is written, read back and "
    "synced before the old one is removed. Stop all processes that use it first; otherwise nothing is done.",
    examples=("hourwheel move tasks.json /var/lib/shop/tasks.json",),
    takes=(
        *STORE,
        argument("to", metavar="TO", help="new path; may be on another file system"),
        as_json("what was moved"),
    ),
    use="changes",
)
def move(args: Namespace, context: Context) -> int:
    path = file_of(url_of(args, context.environ))
    return _show(files.move(path, args.to, now_ms=context.clock.now_ms()), args, context)


def _show(copied: Copied, args: Namespace, context: Context) -> int:
    if args.json:
        context.console.json(asdict(copied))
        return YES
    held = f"{copied.scheduled:,} scheduled, {copied.running:,} running, {copied.finished:,} finished"
    context.console.prose(Cell(f"{copied.path}: ", "green"), f"{held}; {copied.bytes:,} bytes, read back and sound")
    return YES
