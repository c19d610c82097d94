"""Under a limit of the size of files (ulimit -f): what has ended makes room for what comes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

PROGRAM = """
import resource, time
resource.setrlimit(resource.RLIMIT_FSIZE, (3_000_000, 3_000_000))
from hourwheel.errors import StoreFull
from hourwheel.job import Job
from hourwheel.store import JsonStore

def job(number):
    return Job(id=f"a{number}", task="t", due_ms=10**12, payload='[["' + "x" * 5_000 + '"],{}]')

store, count = JsonStore("tasks.json", durability="os"), 0
try:
    while True:
        store.add([job(count)], 0, fresh=True)
        count += 1
except StoreFull:
    assert count > 300, count
store.cancel([f"a{number}" for number in range(count)], 1)
until = time.monotonic() + 20
while True:
    try:
        store.add([job(count)], 0, fresh=True)
        break
    except StoreFull:
        assert time.monotonic() < until, "full for ever, of jobs that have ended"
        time.sleep(0.01)
assert [found.id for found in store.scan() if not found.finished] == [f"a{count}"]
assert store.check() == []
"""


def test_a_store_at_the_limit_was_full_for_ever_of_jobs_that_had_ended(tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr[-2000:]
