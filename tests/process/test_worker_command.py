"""``hourwheel worker`` as a process: jobs come from another process, SIGTERM ends it with status 0."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

LONG_S = 30.0

TASKS = """
import os
import time
from hourwheel import Scheduler

app = Scheduler("tasks.json", durability="os")


@app.task
def note(text):
    with open("notes.txt", "a") as file:
        file.write(f"{os.getpid()} {text}\\n")
    return text


@app.task(queue="slow")
def hold():
    open("held", "w").close()
    while not os.path.exists("let-go"):
        time.sleep(0.01)
    return "held"
"""


def hourwheel(directory: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "hourwheel.cli", *words]
    return subprocess.run(command, cwd=directory, capture_output=True, text=True, timeout=LONG_S, check=False)


def call(directory: Path, code: str) -> str:
    """Run code against the app in a process of its own; what it prints."""
    command = [sys.executable, "-c", f"from shop import *\n{code}"]
    environ = os.environ | {"PYTHONPATH": str(directory)}
    done = subprocess.run(
        command, cwd=directory, capture_output=True, text=True, timeout=LONG_S, check=True, env=environ
    )
    return done.stdout.strip()


def until(condition: Callable[[], object], what: str) -> None:
    end = time.monotonic() + LONG_S
    while not condition():
        assert time.monotonic() < end, f"never came to pass: {what}"
        time.sleep(0.01)


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    (tmp_path / "shop.py").write_text(TASKS)
    return tmp_path


@pytest.fixture
def worker(shop: Path) -> Iterator[subprocess.Popen[str]]:
    with open(shop / "out.txt", "w") as out, open(shop / "err.txt", "w") as err:
        command = [sys.executable, "-m", "hourwheel.cli", "-A", "shop", "worker", "-l", "info", "-c", "3"]
        process = subprocess.Popen(command, cwd=shop, stdout=out, stderr=err, text=True)
    until(lambda: "Ready: 3 workers" in (shop / "err.txt").read_text() or process.poll() is not None, "ready")
    assert process.poll() is None, (shop / "err.txt").read_text()
    yield process
    process.kill()
    process.wait(LONG_S)


def test_a_worker_runs_what_others_add_and_ends_at_sigterm(shop: Path, worker: subprocess.Popen[str]) -> None:
    id = call(shop, "print(note.delay('hello').id)")
    until(lambda: (shop / "notes.txt").exists() and (shop / "notes.txt").read_text(), "the job ran")
    assert (shop / "notes.txt").read_text() == f"{worker.pid} hello\n"
    until(
        lambda: '"succeeded"' in hourwheel(shop, "show", id, "--store", "tasks.json", "--json").stdout,
        "it was recorded",
    )
    assert json.loads(hourwheel(shop, "show", id, "-A", "shop", "--json").stdout)["result"] == "hello"
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(LONG_S) == 0
    log = (shop / "err.txt").read_text()
    assert f"Received task: shop.note[{id}]" in log
    assert f"Task shop.note[{id}] succeeded in" in log
    assert (shop / "out.txt").read_text().splitlines()[1].split() == ["store", *hourwheel_store(shop)]
    assert hourwheel(shop, "check", "tasks.json").returncode == 0


def hourwheel_store(shop: Path) -> list[str]:
    return [f"JsonStore('{shop / 'tasks.json'}',", "durability='os')"]


def test_a_job_can_be_seen_moved_and_cancelled_while_a_worker_runs(shop: Path, worker: subprocess.Popen[str]) -> None:
    ids = call(shop, "print(*[note.delay(text, countdown=3600).id for text in ('a', 'b', 'c')])").split()
    listed = json.loads(hourwheel(shop, "jobs", "tasks.json", "--json").stdout)
    assert [found["state"] for found in listed] == ["scheduled"] * 3
    assert hourwheel(shop, "cancel", ids[0], "--store", "tasks.json").returncode == 0
    assert hourwheel(shop, "reschedule", ids[1], "--countdown", "0", "--store", "tasks.json").returncode == 0
    until(lambda: (shop / "notes.txt").exists() and (shop / "notes.txt").read_text(), "the job that was moved ran")
    assert (shop / "notes.txt").read_text() == f"{worker.pid} b\n"
    assert hourwheel(shop, "cancel", ids[1], "--store", "tasks.json").returncode == 1
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(LONG_S) == 0


def test_sigint_waits_for_the_running_job(shop: Path, worker: subprocess.Popen[str]) -> None:
    id = call(shop, "print(hold.delay().id)")
    until((shop / "held").exists, "the job runs")
    worker.send_signal(signal.SIGINT)
    until(lambda: "Stopping" in (shop / "err.txt").read_text(), "it heard the signal")
    assert worker.poll() is None
    (shop / "let-go").touch()
    assert worker.wait(LONG_S) == 0
    assert json.loads(hourwheel(shop, "show", id, "-A", "shop", "--json").stdout)["state"] == "succeeded"


def test_a_worker_with_a_call_that_waited_for_the_store_took_ten_seconds_to_end(shop: Path) -> None:
    """Another process holds the store's lock, as one does that was stopped by SIGSTOP; a thread of this one waits for it."""
    (shop / "busy.py").write_text(
        "import os, threading, time\nfrom shop import app, note\n"
        "def call():\n    while not os.path.exists('go'):\n        time.sleep(0.001)\n    note.delay('x')\n"
        "threading.Thread(target=call, daemon=True).start()\n"
    )
    with open(shop / "err.txt", "w") as err:
        command = [sys.executable, "-m", "hourwheel.cli", "-A", "busy", "worker", "--timeout", "0.1"]
        worker = subprocess.Popen(command, cwd=shop, stdout=err, stderr=err, text=True)
    until(lambda: "Ready" in (shop / "err.txt").read_text(), "ready")
    with open(shop / "tasks.json.lock", "rb+") as lock:
        time.sleep(1.05 - time.time() % 1)  # the ticker has just ticked, so that it does not wait for the store, too
        fcntl.flock(lock, fcntl.LOCK_EX)
        (shop / "go").touch()
        time.sleep(0.1)
        begun = time.monotonic()
        worker.send_signal(signal.SIGTERM)
        status = worker.wait(LONG_S)
        took = time.monotonic() - begun
    assert (status, took < 5.0) == (1, True)  # lock_timeout_s is 10
    assert "the store does not answer" in (shop / "err.txt").read_text()
    assert hourwheel(shop, "check", "tasks.json").returncode == 0


def test_only_the_queues_that_are_named_are_served(shop: Path) -> None:
    (shop / "let-go").touch()
    quick, slow = call(shop, "print(note.delay('x').id, hold.delay().id)").split()
    command = [sys.executable, "-m", "hourwheel.cli", "worker", "-A", "shop:app", "-Q", "slow", "-l", "warning"]
    process = subprocess.Popen(command, cwd=shop, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    until((shop / "held").exists, "the job of the queue ran")
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=LONG_S)
    assert (process.returncode, err) == (0, "")
    states = {
        found["id"]: found["state"] for found in json.loads(hourwheel(shop, "jobs", "tasks.json", "--json").stdout)
    }
    assert states == {quick: "scheduled", slow: "succeeded"}
