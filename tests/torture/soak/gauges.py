"""What must stay as it is while a scheduler works for hours."""

from __future__ import annotations

import gc
import os
import sys
from array import array
from collections.abc import Callable
from statistics import median
from typing import Final

from tests.kit.jobs import epoch_of

from ..overload.watch import resident_mib
from ..report import Report
from .load import JOURNAL, Load
from .slope import slope_of

_HOUR_S: Final = 3600.0
SLOPE_MIB_H: Final = 1.0
"""The bound that a run of half an hour can be held to."""
PER_JOB: Final = 384.0
"""Bytes. In a run of a minute a slope of 1 MiB/h is 17 KiB, less than an allocator's page or two; what a leak per job
would come to can be told."""
ARENA_MIB: Final = 1.0
"""What Python takes from the system at a time, and fills little by little: so much may come to be used by chance."""
OBJECTS_PER_JOB: Final = 0.25
"""No allocator's page or arena is in the way of counting the pieces of memory that Python's objects take; and they are
counted while the store holds no job, so that it does not matter how many it happened to hold."""
_JOURNAL_MOST: Final = JOURNAL + (1 << 20)


class Gauges:
    """Samples of one run; what follows the warm-up, the first third, is judged."""

    def __init__(self, load: Load) -> None:
        self._load = load
        self._gauges: dict[str, Callable[[], int]] = {
            "file descriptors": lambda: len(os.listdir("/proc/self/fd")),
            "threads": lambda: len(os.listdir("/proc/self/task")),
            "files in the directory": lambda: len(os.listdir(load.directory)),
        }
        self._samples: dict[str, array[int]] = {name: array("i") for name in self._gauges}
        self._times, self._jobs, self._memory = array("d"), array("d"), array("d")  # small, so as not to be the leak
        self._at_rest: list[tuple[int, int]] = []
        self._longest_journal = 0

    def sample(self, at_s: float) -> None:
        """Look at everything now."""
        for name, gauge in self._gauges.items():
            self._samples[name].append(gauge())
        self._times.append(at_s)
        self._jobs.append(self._load.asked.total())
        self._memory.append(resident_mib())
        self._longest_journal = max(self._longest_journal, epoch_of(self._load.store).journal.end)

    def count_at_rest(self) -> None:
        """Count the objects, when nothing is left to be done."""
        gc.collect()
        self._at_rest.append((self._load.asked.total(), sys.getallocatedblocks()))

    def _objects_per_job(self) -> float:
        """Between the two times at rest."""
        (jobs, objects), (jobs_then, objects_then) = self._at_rest
        return (objects_then - objects) / max(1, jobs_then - jobs)

    def judge(self, report: Report, *, slope: bool, per_job: bool) -> None:
        """Compare the second third with the last, and fit a line to the memory."""
        for name, samples in self._samples.items():
            third = len(samples) // 3
            before, after = median(samples[third : 2 * third]), median(samples[2 * third :])
            report.demand(after <= before + 1, f"{name}: {before:g} have become {after:g}")
            report.figures[name] = f"{before:g} then {after:g} (medians)"
        report.demand(self._longest_journal <= _JOURNAL_MOST, f"the journal grew to {self._longest_journal} bytes")
        report.figures["longest journal"] = f"{self._longest_journal / 1024:.0f} KiB, compacted at {JOURNAL >> 10}"
        cold = len(self._memory) // 3
        warm = self._memory[cold:]
        by_time = slope_of(list(zip(self._times[cold:], warm, strict=True)))
        by_jobs = slope_of([(jobs, mib * (1 << 20)) for jobs, mib in zip(self._jobs[cold:], warm, strict=True)])
        objects = self._objects_per_job()
        low, high = by_time.low * _HOUR_S, by_time.high * _HOUR_S
        report.figures["memory"] = f"{warm[0]:.1f} MiB warm, {warm[-1]:.1f} at the end"
        report.figures["memory's slope"] = (
            f"{by_time.value * _HOUR_S:+.2f} MiB/h ({low:+.2f} to {high:+.2f}), {by_jobs.value:+.0f} bytes "
            f"and {objects:+.2f} objects a job; "
            + ("judged" if slope else "too short a run to judge the slope by the hour")
        )
        if slope:
            within = by_time.value * _HOUR_S <= SLOPE_MIB_H
            report.demand(within, f"memory grows by {by_time.value * _HOUR_S:.2f} MiB/h")
        if per_job:
            by_chance = by_jobs.value * (self._jobs[-1] - self._jobs[cold]) <= ARENA_MIB * (1 << 20)
            report.demand(by_jobs.value <= PER_JOB or by_chance, f"memory grows by {by_jobs.value:.0f} bytes a job")
            report.demand(objects <= OBJECTS_PER_JOB, f"memory grows by {objects:.2f} objects a job")
