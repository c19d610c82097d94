"""Tails, rot and edits: a store of 64 KiB is harmed in every way that disks and people know, and never reads wrong in silence.

A case is one harmed store that was opened, salvaged or accepted. Each bit of snapshot and journal is flipped (in CI
every sixth, which ones the seed says), files are cut at every byte of their last records, sectors are blank, swapped,
doubled or stale, each record in turn is destroyed and salvaged, and the corpus of edits by hand is tried. Everything is
opened by the store's own code, over files in memory (tests/kit/memory_system.py); edits are tried on a real disk.
"""

from __future__ import annotations

import random

from tests.kit.unfolded import unfolded
from tests.torture.report import Report, Size, pick

from . import bugs, edits, flips, mangling, salvaging, tails
from .specimen import SIZE, make_specimen

BITS = SIZE * 8


def run(size: Size, seed: int) -> Report:
    """524,288 flipped bits at full size, 87,381 in CI."""
    with unfolded():
        return _run(size, seed)


def _run(size: Size, seed: int) -> Report:
    report = Report()
    choose = random.Random(seed)
    made = make_specimen(seed)
    report.demand(
        len(made.snapshot) + len(made.journal) == SIZE, f"seed {seed}: the store has another size than {SIZE}"
    )
    step = pick(size, smoke=1_201, ci=6, full=1)
    flips.every_bit(report, made, range(seed % step, BITS, step))
    flips.index_bits(report, made, choose, pick(size, smoke=20, ci=400, full=2_000))
    flips.lock_and_signs(report, made, choose, pick(size, smoke=5, ci=100, full=400))
    flips.bursts(report, made, choose, pick(size, smoke=200, ci=6_000, full=40_000))
    tails.cuts(report, made, pick(size, smoke=149, ci=1, full=1), thorough=size != "ci")
    tails.snapshot_cuts(report, made, pick(size, smoke=7, ci=1, full=1))
    tails.holes(report, made, pick(size, smoke=24, ci=1, full=1))
    tails.moved_blocks(report, made, choose, pick(size, smoke=100, ci=3_000, full=15_000))
    salvaging.every_record(report, made, choose, pick(size, smoke=60, ci=1, full=1))
    salvaging.every_job(report, made, choose, pick(size, smoke=160, ci=2, full=1))
    mangling.mangled(report, seed, pick(size, smoke=40, ci=4_000, full=60_000))
    with edits.bench() as bench:
        edits.every_edit(report, bench, pick(size, smoke=5, ci=1, full=1))
    bugs.try_all(report, made, seed, pick(size, smoke=slice(1, None, 5), ci=slice(None), full=slice(None)))
    return report
