"""An orderly end is no crash: the end of a program, Ctrl-C, close() in one that lives on, a main thread that has ended."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hourwheel.job import Job, State
from hourwheel.store import JsonStore

LONG_S = 30.0

PROGRAM = """
import asyncio, os, sys, threading, time
from concurrent.futures import ThreadPoolExecutor
from hourwheel import Scheduler
from hourwheel.worker.run import ending

ending.GRACE_S = float(os.environ.get("GRACE", "0.1"))
app = Scheduler("tasks.json", workers=3, durability="os")

@app.task(name="hold")
def hold(number):
    open(f"begun-{number}-{len(os.listdir())}", "w").close()
    while not os.path.exists("release"):
        time.sleep(0.01)

@app.task(name="once", acks_early=True)
def once():
    hold(9)

@app.task(name="fan_out")
def fan_out():
    open("begun-fan", "w").close()
    while not os.path.exists("release"):
        time.sleep(0.01)
    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(abs, [-1, -2]))

def begun(count):
    while sum(name.startswith("begun") for name in os.listdir()) < count:
        time.sleep(0.01)
"""


def run(directory: Path, *lines: str, grace: str = "0.1", wait: bool = True) -> subprocess.Popen[str]:
    (directory / "program.py").write_text(PROGRAM + "\n".join(lines) + "\n")
    paths = os.pathsep.join(path for path in sys.path if path)
    process = subprocess.Popen(
        [sys.executable, "program.py"],
        cwd=directory,
        env=os.environ | {"PYTHONPATH": paths, "GRACE": grace},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    if wait:
        process.communicate(timeout=LONG_S)
    return process


def jobs(directory: Path) -> list[Job]:
    store = JsonStore(directory / "tasks.json", durability="os")
    found = store.scan()
    store.close()
    return found


def until(condition: Callable[[], object]) -> None:
    end = time.monotonic() + LONG_S
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_three_clean_exits_made_a_running_job_fail_as_if_its_worker_had_died(tmp_path: Path) -> None:
    for life in range(4):
        call = "hold.delay(1)" if not life else ""
        ended = run(tmp_path, call, "app.start()", f"begun({life + 1})")
        assert ended.returncode == 0
        [job] = jobs(tmp_path)
        assert (job.state, job.crashes, job.attempt) == (State.SCHEDULED, 0, 0)
    assert job.reason == "the program ended in order while it ran"


@pytest.mark.parametrize("close", ["app.close()", ""])
def test_what_runs_at_the_end_has_the_grace_of_stop(tmp_path: Path, close: str) -> None:
    free = "threading.Timer(0.2, lambda: open('release', 'w').close()).start()"
    run(tmp_path, "hold.delay(1)", "app.start()", "begun(1)", free, close, grace="30")
    assert [job.state for job in jobs(tmp_path)] == [State.SUCCEEDED]


def test_jobs_failed_in_the_grace_because_python_3_12_gives_no_more_threads_from_the_end_of_the_main_one_on(
    tmp_path: Path,
) -> None:
    free = "threading.Timer(0.5, lambda: open('release', 'w').close()).start()"
    run(tmp_path, "fan_out.delay()", "app.start()", "begun(1)", free, grace="30")
    [job] = jobs(tmp_path)
    assert (job.state, job.error) in {(State.SUCCEEDED, None), (State.SCHEDULED, None)}


def test_a_job_that_must_not_run_twice_has_failed_at_an_end_in_the_midst_of_it(tmp_path: Path) -> None:
    run(tmp_path, "once.delay()", "app.start()", "begun(1)")
    [job] = jobs(tmp_path)
    assert (job.state, job.crashes, job.reason) == (State.FAILED, 0, "at most once (acks_early): it had started")


def test_ctrl_c_in_a_script_is_no_crash_of_its_jobs_and_once_more_ends_the_wait(tmp_path: Path) -> None:
    process = run(tmp_path, "hold.delay(1)", "app.start()", "begun(1)", "time.sleep(60)", grace="60", wait=False)
    until(lambda: any(name.startswith("begun") for name in os.listdir(tmp_path)))
    process.send_signal(signal.SIGINT)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.5)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=LONG_S)
    [job] = jobs(tmp_path)
    assert (job.state, job.crashes) == (State.SCHEDULED, 0)


def test_close_in_a_program_that_lived_on_let_the_running_job_start_a_second_time_elsewhere(tmp_path: Path) -> None:
    process = run(
        tmp_path,
        *("hold.delay(1)", "app.start()", "begun(1)", "app.stop(0.1)", "app.close()", "open('closed', 'w').close()"),
        *("while not os.path.exists('end'): time.sleep(0.01)",),
        wait=False,
    )
    until(lambda: (tmp_path / "closed").exists())
    store = JsonStore(tmp_path / "tasks.json", durability="os")
    try:
        [job] = store.scan()
        assert store.claim("elsewhere", job.due_ms + 10_000, 10) == []
        (tmp_path / "release").touch()
        until(lambda: store.stats(0).succeeded == 1)
        until(lambda: [name for name in os.listdir(tmp_path) if ".owner." in name] == ["tasks.json.owner.elsewhere"])
    finally:
        (tmp_path / "end").touch()
        process.communicate(timeout=LONG_S)
        store.close()


def test_jobs_failed_for_good_when_the_main_thread_had_ended_and_another_served(tmp_path: Path) -> None:
    serve = [
        "def serve():",
        "    while threading.main_thread().is_alive(): time.sleep(0.01)",
        "    time.sleep(0.5)",  # the grace is over
        "    open('release', 'w').close()",
        "    late = fan_out.delay()",
        "    while app.AsyncResult(first.id).state == 'running': time.sleep(0.01)",
        "    time.sleep(0.5)",
        "    try: app.start()",
        "    except Exception as error: print(error)",
        "first = fan_out.delay()",
        "app.start()",
        "begun(1)",
        "threading.Thread(target=serve).start()",
    ]
    process = run(tmp_path, *serve, wait=False)
    out, err = process.communicate(timeout=LONG_S)
    assert [(job.state, job.crashes, job.attempt) for job in jobs(tmp_path)] == [(State.SCHEDULED, 0, 0)] * 2
    assert "the main thread has ended, so jobs could no longer" in out
    assert "The main thread has ended" in err
