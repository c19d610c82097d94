"""``hourwheel backup`` and ``hourwheel move``: copy a store into one file, or move it."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from dataclasses import asdict
from typing import Final

from ....store.file.backup import Copied, backup, move
from ...command import Command, Context, take_json, take_store
from ...console import Cell
from ...outcome import YES
from ...places import file_of, url_of


def _backup_arguments(parser: ArgumentParser) -> None:
    take_store(parser)
    parser.add_argument("to", metavar="TO", help="path of the copy")
    parser.add_argument("--force", action="store_true", help="replace TO if it exists")
    take_json(parser, "what was copied")


def _run_backup(args: Namespace, context: Context) -> int:
    path = file_of(url_of(args, context.environ))
    return _show(backup(path, args.to, now_ms=context.clock.now_ms(), replace=args.force), args, context)


def _move_arguments(parser: ArgumentParser) -> None:
    take_store(parser)
    parser.add_argument("to", metavar="TO", help="new path; may be on another file system")
    take_json(parser, "what was moved")


def _run_move(args: Namespace, context: Context) -> int:
    path = file_of(url_of(args, context.environ))
    return _show(move(path, args.to, now_ms=context.clock.now_ms()), args, context)


def _show(copied: Copied, args: Namespace, context: Context) -> int:
    if args.json:
        context.console.json(asdict(copied))
        return YES
    held = f"{copied.scheduled:,} scheduled, {copied.running:,} running, {copied.finished:,} finished"
    context.console.prose(Cell(f"{copied.path}: ", "green"), f"{held}; {copied.bytes:,} bytes, read back and sound")
    return YES


BACKUP: Final = Command(
    name="backup",
    summary="copy a store into one file, while it is in use",
    description="Write the present state of a store into one file, which is a complete store, and read it back. "
    "Workers are not blocked.",
    examples=(
        "hourwheel backup tasks.json /backup/tasks-monday.json",
        "hourwheel backup -A shop.tasks copy.json --force",
    ),
    arguments=_backup_arguments,
    run=_run_backup,
)

MOVE: Final = Command(
    name="move",
    summary="move a store that is not in use",
    description="Move a store with all its files, also to another file system. The new one is written, read back and "
    "synced before the old one is removed. Stop all processes that use it first; otherwise nothing is done.",
    examples=("hourwheel move tasks.json /var/lib/shop/tasks.json",),
    arguments=_move_arguments,
    run=_run_move,
    use="changes",
)
