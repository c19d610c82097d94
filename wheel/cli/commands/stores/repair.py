"""``hourwheel repair``: save what can be read of a damaged store to a new one beside it."""

from __future__ import annotations

import os
from argparse import Namespace
from dataclasses import asdict
from glob import escape, glob
from shlex import quote
from typing import Any

from ....store.file import repair as files
from ....store.file.repair import Repaired
from ...command import STORE, Context, argument, as_json, command
from ...console import Cell, Console
from ...findings import documents, losses, show_damages, show_lines
from ...outcome import NO, YES
from ...places import file_of, url_of


@command(
    "repair",
    summary="save what can be read of a damaged store to a new one",
    description="Save every job that can be read to a new store beside the damaged one, which is never changed. Shows "
    "what was kept and what was lost. Exit status 0 if a sound store was written, or if there was nothing to repair.",
    examples=("hourwheel repair tasks.json", "hourwheel repair tasks.json --output /var/tmp/tasks.json"),
    takes=(
        *STORE,
        argument("--output", metavar="PATH", help="the new store; default: STORE.repaired. It must not exist"),
        as_json("what was kept and lost"),
    ),
)
def repair(args: Namespace, context: Context) -> int:
    console = context.console
    done = files.repair(file_of(url_of(args, context.environ)), args.output)
    if args.json:
        console.json(_document(done))
    elif done.output is None:
        words = "sound, nothing to repair; use --output PATH to write a copy anyway"
        console.prose(Cell(f"{done.path}: ", "green"), words)
    else:
        _show(console, done, done.output)
    return NO if done.violations else YES


def _show(console: Console, done: Repaired, output: str) -> None:
    found = done.salvage
    show_damages(console, found.damages)
    show_lines(console, "note: ", found.notes)
    console.prose(Cell("kept: ", "green"), _kept(done))
    show_lines(console, Cell("lost: ", "red"), losses(found))
    if not found.lost:
        console.prose(Cell("lost: ", "green"), "nothing")
    show_lines(console, Cell("not sound: ", "red"), done.violations)
    console.prose("written: ", f"{output}; {done.path} and its other files are unchanged")
    if found.harmed:
        console.prose("", "to use it, stop all workers, move the old files away, and rename the new one:")
        for command in _commands(done.path, output):
            console.raw("  " + command)


def _commands(path: str, output: str) -> list[str]:
    """Shell commands that replace the old store by the new one. The lock file stays where it is."""
    old, aside = quote(path), quote(path + ".damaged")
    files = [old] if os.path.lexists(path) else []
    files += [f"{old}.journal.*"] if glob(escape(path) + ".journal.*") else []
    return [f"mkdir {aside}", f"mv {' '.join(files)} {aside}/", f"mv {quote(output)} {old}"]


def _kept(done: Repaired) -> str:
    counts, rows = done.salvage.header.counts, done.salvage.state.rows
    text = f"{counts.scheduled:,} scheduled, {counts.running:,} running, "
    text += f"{len(rows) - counts.scheduled - counts.running:,} finished"
    return text + ("; the running ones will be run again, because their end is not on record" if counts.running else "")


def _document(done: Repaired) -> dict[str, Any]:
    found = done.salvage
    return {
        "store": done.path,
        "output": done.output,
        "kept": asdict(found.header.counts),
        "lost": found.lost,
        "lost_jobs": found.lost_jobs,
        "lost_pending": found.lost_pending,
        "lost_unknown": found.lost_unknown,
        "lost_changes": found.lost_changes,
        "lost_journal": found.lost_journal,
        "damages": documents(found.damages),
        "notes": found.notes,
        "violations": done.violations,
    }
