"""Four processes with the same schedules on one file, killed with -9 and started again: every fire once, none forgotten."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

from hourwheel.contract import Filter
from hourwheel.job import State
from hourwheel.store import JsonStore

PROGRAM = """
import os, sys
from hourwheel.store import JsonStore
from hourwheel import Scheduler, current_job, every
app = Scheduler(JsonStore(sys.argv[1], durability="os"), workers=2)
witness = os.open(sys.argv[2], os.O_WRONLY | os.O_APPEND | os.O_CREAT)

def leave(name):
    job = current_job()
    os.write(witness, f"{job.id} {job.crashes}\\n".encode())

for number in range(5):
    app.periodic(every(0.2), name=f"beat-{number}", args=(number,), misfire="each", max_crashes=1000)(leave)

@app.on.worker_ready
def ready(_):
    open(f"{sys.argv[2]}.{os.getpid()}", "w").close()

if __name__ == "__main__":
    app.run(timeout=5)
"""


def test_every_fire_is_issued_once_though_processes_are_killed_again_and_again(tmp_path: Path) -> None:
    program, path, witness = tmp_path / "program.py", tmp_path / "tasks.json", tmp_path / "witness"
    program.write_text(PROGRAM)
    processes = [_started(program, path, witness) for _ in range(3)]
    try:
        for number in range(8):
            time.sleep(0.5)
            victim = processes[number % 3]
            victim.send_signal(signal.SIGKILL)
            victim.wait()
            processes[number % 3] = _started(program, path, witness)
        time.sleep(1.5)
    finally:
        for process in processes:
            while not os.path.exists(f"{witness}.{process.pid}"):  # before it is ready, a signal just ends it
                assert process.poll() is None
                time.sleep(0.05)
            process.send_signal(signal.SIGTERM)
        assert [process.wait(timeout=30) for process in processes] == [0, 0, 0]
    store = JsonStore(path)
    jobs = store.scan(Filter(), 100_000)
    assert store.check() == []
    store.close()
    for number in range(5):
        fires = sorted(job.fire.at_ms for job in jobs if job.fire is not None and job.fire.schedule == f"beat-{number}")
        gaps = {later - earlier for earlier, later in zip(fires, fires[1:], strict=False)}
        assert gaps == {200}, "with misfire each no instant is left out, and none is there twice"
        pending = [job for job in jobs if job.key == f"schedule:beat-{number}" and not job.finished]
        assert len(pending) == 1
    begun = Counter(line.split()[0] for line in witness.read_text().splitlines())
    crashes = {job.id: job.crashes for job in jobs}
    assert len(begun) > 50
    assert [id for id, count in begun.items() if count > 1 + crashes[id]] == []
    ended = {job.id for job in jobs if job.state is State.SUCCEEDED}
    assert ended <= set(begun)


def _started(program: Path, store: Path, witness: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, str(program), str(store), str(witness)], env=os.environ)
