"""``hourwheel stats``: count the jobs of a store. ``hourwheel ring``: draw its ring."""

from __future__ import annotations

from argparse import Namespace
from dataclasses import asdict
from typing import Final

from ....contract import Density, Stats
from ....explain.when import local, read_span, since, span, until, utc
from ...command import STORE, Context, argument, as_json, checked, command
from ...console import Cell
from ...outcome import YES, CommandError
from ...picture import ring_svg, ring_text
from ...places import opened

_TURN_MS: Final = 3_600_000
_ROWS: Final = 10
_COLUMNS: Final = (120, 90, 72, 60, 45, 40, 36, 30, 24, 20, 18, 15, 12, 10, 9, 8, 6, 5, 4, 3, 2, 1)
"""Cells per row for which a cell is a whole number of seconds."""
_MARGIN: Final = 16
"""The columns that ring_text needs beside the cells."""


@command(
    "stats",
    summary="count the jobs of a store by state",
    description="Count the jobs by state: accepted = scheduled + running + succeeded + failed + cancelled + expired.",
    examples=("hourwheel stats tasks.json", "hourwheel stats -A shop.tasks:app --json"),
    takes=(*STORE, as_json("the counts")),
)
def stats(args: Namespace, context: Context) -> int:
    console, now_ms = context.console, context.clock.now_ms()
    with opened(args, context.environ) as store:
        stats = store.stats(now_ms)
        paused = store.paused()
        name = getattr(store, "path", repr(store))
    if args.json:
        console.json({"store": name, **asdict(stats), "next_due": utc(stats.next_due_ms), "paused": paused})
        return YES
    console.line(Cell(f"{'store':11}", "dim"), str(name))
    for label, count, note, colour in _rows(stats, now_ms):
        console.line(Cell(f"{label:11}", "dim"), f"{count:>12,}", Cell(f"  {note}" if note else "", colour))
    hand_ms = stats.hand * 1000
    swept = f"swept up to {local(hand_ms)} ({since(hand_ms, now_ms)})" if hand_ms else "never swept"
    console.line(Cell(f"{'hand':11}", "dim"), f"{stats.hand % 3600:>12,}", Cell(f"  of 3,600 slots, {swept}", "dim"))
    if paused:
        console.line(Cell(f"{'paused':11}", "dim"), ", ".join(paused))
    return YES


def _rows(stats: Stats, now_ms: int) -> list[tuple[str, int, str, str]]:
    first_ms = stats.next_due_ms
    scheduled = "" if first_ms is None else f"the first {until(first_ms, now_ms)}, {local(first_ms)}"
    return [
        ("accepted", stats.accepted, "", ""),
        ("scheduled", stats.scheduled, scheduled, "dim"),
        ("overdue", stats.overdue, "of the scheduled ones" if stats.overdue else "", "yellow"),
        *((name, getattr(stats, name), "", "") for name in ("running", "succeeded", "failed", "cancelled", "expired")),
    ]


@command(
    "ring",
    summary="draw the ring of a store",
    description="Draw the 3600 slots of the ring, in ten rows of six minutes. "
    "The height of a bar shows how many jobs are due there.",
    examples=("hourwheel ring tasks.json", "hourwheel ring tasks.json --within 30d --svg ring.svg"),
    takes=(
        *STORE,
        argument(
            "--within",
            metavar="SPAN",
            type=checked(read_span),
            default=_TURN_MS,
            help="only jobs due within this time from now, such as 15m or 30d; default: 1h, one turn",
        ),
        argument("--svg", metavar="FILE", help="write an SVG image instead"),
        as_json("the counts of the 3600 slots"),
    ),
)
def ring(args: Namespace, context: Context) -> int:
    console, now_ms = context.console, context.clock.now_ms()
    with opened(args, context.environ) as store:
        name = getattr(store, "path", repr(store))
        if not isinstance(store, Density):
            raise CommandError(f"{name} keeps no ring of 3600 slots that could be shown; see `hourwheel stats`")
        density = store.density(now_ms, args.within // 1000)
        hand = store.stats(now_ms).hand
    if args.json:
        console.json({"store": name, "hand": hand, "within_ms": args.within, "density": density})
    elif args.svg is not None:
        _write_svg(args.svg, ring_svg(density, hand, title=str(name), labels=[f"due within {span(args.within)}"]))
        console.line(f"{args.svg}: {sum(density):,} jobs due within {span(args.within)}")
    else:
        console.line(f"jobs due within {span(args.within)}, by minute and second (UTC), in {name}")
        room = (console.width or 80) - _MARGIN
        columns = next((columns for columns in _COLUMNS if columns <= room), 1)
        for line in ring_text(density, hand, columns=columns, rows=_ROWS).splitlines():
            console.line(line)
    return YES


def _write_svg(path: str, text: str) -> None:
    try:
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise CommandError(f"{path} cannot be written: {error.strerror}") from error
