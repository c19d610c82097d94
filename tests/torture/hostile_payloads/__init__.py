"""Hostile input: arguments, options, records, files and task names that nobody with good intentions would write.

A case is one value, text, job, file or name. One kind of error for each door (PayloadError for arguments, HourwheelError
for the rest), or an exact round trip; no error of Python's own gets through, and nothing is imported by a stored name.
"""

from __future__ import annotations

import random

from tests.kit.unfolded import unfolded
from tests.torture.report import Report, Size, pick
from tests.torture.rot.specimen import make_specimen

from . import bugs, calls, fields, imports, stores

_SMALL = 16 * 1024


def run(size: Size, seed: int) -> Report:
    """More than 200,000 cases in CI, more than 1,000,000 at full size."""
    with unfolded():
        return _run(size, seed)


def _run(size: Size, seed: int) -> Report:
    report = Report()
    choose = random.Random(seed)
    made = make_specimen(seed, _SMALL)
    many = pick(size, smoke=1, ci=120, full=600)
    calls.limits(report)
    calls.sound_values(report, choose, 500 * many)
    calls.texts(report, choose, 500 * many)
    calls.bad_values(report, choose, 60 * many)
    fields.options(report, choose, 150 * many)
    fields.jobs(report, choose, 150 * many)
    stores.records(report, choose, made, 300 * many)
    stores.raw_lines(report, choose, made, 200 * many)
    stores.stores(report, choose, made, pick(size, smoke=20, ci=600, full=4_000))
    stores.programs(report, choose, made, pick(size, smoke=14, ci=280, full=1_400))
    imports.names(report, choose, 10 * many)
    bugs.try_all(report, made, seed, slice(0, None, pick(size, smoke=3, ci=1, full=1)))
    return report
