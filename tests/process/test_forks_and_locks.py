"""What a fork in the wrong moment, or a process that was stopped with the lock in its hand, would have cost a user."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
from hourwheel import Scheduler
from hourwheel.errors import StoreError
from hourwheel.store import JsonStore

from tests.kit.jobs import epoch_of
from tests.kit.kernel import open_below

PROGRAM = """
import multiprocessing, os, sys, time
from hourwheel import Scheduler, current_job

app = Scheduler("tasks.json", workers=1, durability="os")

def witness(name):
    fd = os.open(name, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(fd, f"{current_job().token}\\n".encode())
    os.close(fd)

@app.task(name="short")
def short():
    witness("starts")

@app.task(name="forks")
def forks():
    witness("starts")
    if os.fork() == 0:
        time.sleep(0.01)
        return

@app.task(name="pool")
def pool():
    with multiprocessing.get_context("fork").Pool(2) as helpers:
        helpers.apply_async(time.sleep, (60,))
        return sum(helpers.map(abs, range(4)))  # leaving the block ends the helpers by SIGTERM

"""


def run(directory: Path, *lines: str) -> subprocess.CompletedProcess[str]:
    (directory / "program.py").write_text(PROGRAM + "\n".join(lines) + "\n")
    return subprocess.run(
        [sys.executable, "program.py"], cwd=directory, capture_output=True, text=True, timeout=40, check=False
    )


def starts(directory: Path) -> Counter[str]:
    return Counter((directory / "starts").read_text().split())


def test_a_pool_of_processes_in_a_job_ends_although_the_worker_has_taken_the_signals(tmp_path: Path) -> None:
    ended = run(
        tmp_path,
        "import threading",
        "result = pool.delay()",
        "def stop_when_it_ended():",
        "    print(result.get(timeout=20), flush=True)",
        "    os.kill(os.getpid(), 15)",
        "threading.Thread(target=stop_when_it_ended, daemon=True).start()",
        "threading.Timer(30, os._exit, [9]).start()",
        "left = app.run(timeout=5)",
        "os._exit(len(left))",
    )
    assert (ended.returncode, ended.stdout) == (0, "6\n"), ended.stderr


@pytest.mark.parametrize(
    "how", ["app.start(); [result.get(timeout=20) for result in results]; app.stop()", "app.run_due()"]
)
def test_a_forked_child_that_comes_back_from_its_job_does_not_start_the_parents_other_jobs(
    tmp_path: Path, how: str
) -> None:
    ended = run(
        tmp_path,
        "[short.delay() for _ in range(50)]",
        "app.run_due()",  # short jobs, so that some are claimed ahead
        "results = app.schedule_many(short, [((), {})] * 20)",
        "forks.apply_async(priority=1)",
        how,
        "time.sleep(0.3)",
        "print('parent')",
    )
    assert (ended.returncode, ended.stdout) == (0, "parent\n"), ended.stderr
    assert max(starts(tmp_path).values()) == 1, "one claim was run by two processes"
    assert starts(tmp_path).total() == 71


def test_a_forked_child_that_calls_sys_exit_in_a_job_ends_with_that_status(tmp_path: Path) -> None:
    ended = run(
        tmp_path,
        "@app.task(name='exits')",
        "def exits():",
        "    pid = os.fork()",
        "    if pid == 0: sys.exit(7)",
        "    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])",
        "with app: print(exits.delay().get(timeout=10))",
    )
    assert (ended.returncode, ended.stdout) == (0, "7\n"), ended.stderr


def test_a_child_forked_while_another_thread_closes_the_store_is_told_so_and_does_not_hang(tmp_path: Path) -> None:
    store = JsonStore(tmp_path / "tasks.json", durability="os")
    store._keeper._gate._held[0] = [-1]  # as close() passes it in another thread at the moment of the fork
    store._keeper._closed = True
    pid = os.fork()
    if pid == 0:
        os._exit(0 if store._keeper._gate.is_free() else 1)
    store._keeper._closed = False
    store._keeper._gate._held.clear()
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    store.close()


def test_a_forked_child_keeps_no_descriptor_of_its_parents_journal_that_was_being_synced(tmp_path: Path) -> None:
    store = JsonStore(tmp_path / "tasks.json", durability="os")
    epoch_of(store).journal._turn._held[0] = [-1]  # as a thread that syncs
    pid = os.fork()
    if pid == 0:
        os._exit(len(open_below(str(tmp_path))))
    epoch_of(store).journal._turn._held.clear()
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    store.close()


def test_a_worker_told_to_stop_ends_in_its_grace_although_a_stopped_process_holds_the_lock(tmp_path: Path) -> None:
    (tmp_path / "tasks.py").write_text('from hourwheel import Scheduler\napp = Scheduler("tasks.json")\n')
    Scheduler(JsonStore(tmp_path / "tasks.json")).close()
    command = [sys.executable, "-m", "hourwheel.cli", "worker", "-A", "tasks", "--timeout", "1"]
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True) as worker:
        assert worker.stderr is not None
        while "Ready" not in worker.stderr.readline():
            assert worker.poll() is None
        lock = os.open(tmp_path / "tasks.json.lock", os.O_RDWR)
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                time.sleep(0.001)
        time.sleep(1.1)  # a tick: the worker waits for the lock
        asked = time.monotonic()
        worker.terminate()
        status, took = worker.wait(40), time.monotonic() - asked
        rest = worker.stderr.read()
    os.close(lock)
    assert status == 1 and "the store does not answer" in rest
    assert took < 1 + 1 + 1, "grace, one second, and one for a busy machine"


def test_a_directory_that_is_gone_for_a_while_does_not_end_the_scheduler_for_good(tmp_path: Path) -> None:
    place, away = tmp_path / "place", tmp_path / "away"
    place.mkdir()
    store = JsonStore(place / "tasks.json", durability="os")
    app = Scheduler(store)
    double = app.task(name="double")(lambda number: 2 * number)
    (place / "tasks.json.lock").unlink()
    place.rename(away)
    with pytest.raises(StoreError):
        store.claim("somebody", 0, 1)
    with pytest.raises(StoreError):
        store.claim("somebody", 0, 1)
    away.rename(place)
    with app:
        assert double.delay(4).get(timeout=5) == 8
    store.close()
