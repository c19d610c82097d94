"""The machine of a run, in words that name no host and no path; and how quiet it was."""

from __future__ import annotations

import os
import platform
import time
from importlib.metadata import version

from hourwheel.store.file.system.place import file_system_of

from .floor import Floor
from .harness import Sample, Scale, rate

_STEPS = 1_000_000


def describe(scale: Scale) -> list[str]:
    """Lines about the machine."""
    floor = Floor(scale.scratch("machine"))
    most = scale.size(1_000, 100)
    synced = Sample(tuple(1e6 / rate(floor.add_synced, most) for _ in range(5)))
    floor.close()
    peers = _installed("huey")
    kernel, kind = platform.release().split("-")[0], _filesystem(scale.directory)
    return [
        f"{os.cpu_count()} cores, {_memory_gb()} GB, Linux {kernel}, {kind}",
        f"Python {platform.python_version()}, simplejson {version('simplejson')}{peers}",
        f"a synced add by hand (encode, lock, pwrite into allocated space, fdatasync): {synced.show(' us')}",
    ]


def calibrate() -> float:
    """Milliseconds of a fixed loop: what it varies by is the noise of the machine."""
    begun = time.perf_counter()
    for _ in range(_STEPS):
        pass
    return (time.perf_counter() - begun) * 1000


def load() -> float:
    """The load average of the last minute."""
    return os.getloadavg()[0]


def _installed(name: str) -> str:
    try:
        return f", {name} {version(name)}"
    except ImportError:
        return ""


def _memory_gb() -> int:
    return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30)


def _filesystem(path: str) -> str:
    """The kind of file system that a path is on."""
    try:
        with open("/proc/self/mountinfo", encoding="utf-8", errors="replace") as mounts:
            return file_system_of(path, mounts.read()) or "an unknown file system"
    except FileNotFoundError:  # macOS
        return "a file system that cannot be told here"
