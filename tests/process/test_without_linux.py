"""Nothing needs what only Linux has: other tests are run without it, in a Python from which it was taken away.

See tests/kit/without_linux/sitecustomize.py. It shows that each fallback works, not that macOS does.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

ROOT = Path(__file__).parents[2]
IN_MEMORY = "/dev/shm" if os.path.isdir("/dev/shm") else None  # so that this is quick
WITHOUT = ROOT / "tests" / "kit" / "without_linux"
PARTS = {
    "the contract of stores, kept by JsonStore": (
        190,
        "tests/contract/test_jsonfile.py -k 'Synced or not TestJsonStore'",
    ),
    "files, locks and moves": (60, "tests/unit/store/file/system tests/unit/store/file/test_backup.py"),
    "worker processes, and how they die": (
        6,
        "tests/process/test_worker_processes.py -k 'attempt or large or hard_limit or parent'",
    ),
    "forks": (4, "tests/process/test_forks_and_locks.py -k forked"),
    "pools": (200, "tests/process/test_pools.py -k 'not gevent and not eventlet and not within_a_second'"),
    "the demo": (10, "tests/process/test_demo.py"),
}
"""What is run, and how many tests that must be at least. How quick it is, is for the tests of pools on Linux."""

WHOLE = "HOURWHEEL_WITHOUT_LINUX" in os.environ
"""Whether the parts are run: two minutes of a core."""

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere it is not there anyway")


def environ() -> Mapping[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
    return kept | {"PYTHONPATH": os.pathsep.join([str(WITHOUT), *filter(None, sys.path)])}


def test_what_only_linux_has_is_taken_away_from_programs_and_from_those_that_they_start() -> None:
    look = (
        "import ctypes, os; print([os.path.exists('/proc/self'), os.path.isfile('/dev/fd/0'), "
        "*(hasattr(os, name) for name in ('fdatasync', 'memfd_create', 'pidfd_open', 'sched_getaffinity', 'pipe2', "
        "'posix_fallocate')), hasattr(ctypes.CDLL(None), 'prctl'), hasattr(ctypes.CDLL(None), 'getpid')])"
    )
    start = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {look!r}], check=True)"
    said = subprocess.run([sys.executable, "-c", start], env=environ(), capture_output=True, text=True, check=True)
    assert said.stdout == f"{[False] * 9 + [True]}\n"


@pytest.mark.timeout(300)
@pytest.mark.parametrize("part", PARTS)
def test_it_works_without_what_only_linux_has(part: str) -> None:
    if not WHOLE:
        pytest.skip("make without-linux runs it")
    least, tests = PARTS[part]
    files, _, chosen = tests.partition(" -k ")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", *files.split()]
    with TemporaryDirectory(prefix="hourwheel-without-linux-", dir=IN_MEMORY) as directory:
        command += [f"--basetemp={directory}/inner", "-k", chosen.strip("'")]
        ended = subprocess.run(command, cwd=ROOT, env=environ(), capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout[-6000:] + ended.stderr[-2000:]
    passed = re.search(r"(\d+) passed", ended.stdout)
    assert passed is not None and int(passed[1]) >= least, ended.stdout[-2000:]
