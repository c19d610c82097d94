"""Print what is wrong with a store, for ``check`` and ``repair``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, Final

from ..store.file.repair import Damage, Salvage
from .console import Cell, Console

_SHOWN: Final = 20
_WORDS: Final = {"damaged": "damaged: ", "mended": "mended: ", "unfinished": "cut off: "}
_COLOURS: Final = {"damaged": "red", "mended": "yellow", "unfinished": "dim"}


def show_damages(console: Console, damages: Sequence[Damage]) -> None:
    """Print the damaged places, with their offsets."""
    for damage in damages[:_SHOWN]:
        console.prose(Cell(_WORDS[damage.kind], _COLOURS[damage.kind]), str(damage))
    if len(damages) > _SHOWN:
        console.prose("", f"and {len(damages) - _SHOWN:,} more places; --json has them all")


def show_lines(console: Console, lead: Cell | str, lines: Sequence[str]) -> None:
    """Print lines; if there are many, only the first ones."""
    for line in lines[:_SHOWN]:
        console.prose(lead, line)
    if len(lines) > _SHOWN:
        console.prose(lead, f"and {len(lines) - _SHOWN:,} more; --json has them all")


def losses(found: Salvage) -> list[str]:
    """Describe what could not be recovered, a line for each."""
    if not found.lost:
        return []
    lines = [f"job {id}: {words}" for id, words in found.lost_jobs.items()]
    if found.lost_pending is None:
        lines.append("an unknown number of jobs of the snapshot: its header cannot be read")
    elif found.lost_pending:
        lines.append(f"{found.lost_pending:,} of the pending jobs of the snapshot")
    if found.lost_unknown:
        places = "a place" if found.lost_unknown == 1 else f"{found.lost_unknown:,} places"
        lines.append(f"{places} of the snapshot cannot be read: perhaps finished jobs")
    if found.lost_journal:
        lines.append(f"{found.lost_journal} is missing: everything accepted since the snapshot was written")
    if found.lost_changes:
        lines.append(_lost_changes(found.lost_changes))
    return lines


def _lost_changes(seqs: Sequence[int]) -> str:
    numbers = ", ".join(map(str, seqs[:_SHOWN])) + (", ..." if len(seqs) > _SHOWN else "")
    count = f"{len(seqs):,} recorded change{'s' if len(seqs) > 1 else ''}"
    return f"{count} (record {numbers}): undone, so a job that one of them finished runs again"


def documents(damages: Sequence[Damage]) -> list[dict[str, Any]]:
    """The damages as JSON documents."""
    return [asdict(damage) for damage in damages]
