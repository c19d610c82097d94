"""A real scheduler in a process of its own is stopped by SIGSTOP while jobs come due, and goes on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

from hourwheel.contract import Filter
from hourwheel.job import Job, State
from hourwheel.store import JsonStore

from ..pace import patient
from .machine import Wrong

PROGRAM = """
import os, sys, time
from hourwheel import Scheduler
app = Scheduler(sys.argv[1], workers=8, durability="os")
log = os.open(sys.argv[2], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

@app.task(name="note")
def note(id, due_ms):
    os.write(log, f"{id} {due_ms} {time.time_ns() // 1_000_000}\\n".encode())

print("ready", flush=True)
app.run()
"""
LIMIT_S = 30.0


def stop_and_go(seconds: float, jobs: int, *, wrong: Wrong) -> float:
    """One stop; how many seconds it took from SIGCONT until all that was due had been run."""
    what = f"SIGSTOP for {seconds} s with {jobs} due"
    with TemporaryDirectory(prefix="hourwheel-stop-") as directory:
        path, log = f"{directory}/tasks.json", Path(directory, "log")
        store = JsonStore(path, durability="os")
        command = [sys.executable, "-c", PROGRAM, path, str(log)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        try:
            assert process.stdout is not None
            process.stdout.readline()
            took_s = _stop_and_go(process.pid, store, seconds, jobs)
        finally:
            process.send_signal(signal.SIGCONT)
            process.terminate()
            process.communicate(timeout=patient(LIMIT_S))
        lines = [line.split() for line in log.read_text().splitlines()]
        starts = Counter(id for id, _, _ in lines)
        if len(starts) != jobs or max(starts.values(), default=0) != 1:
            wrong(f"{what}: {len(starts)} jobs began, one of them {max(starts.values(), default=0)} times")
        if early := [id for id, due_ms, at_ms in lines if int(at_ms) < int(due_ms)]:
            wrong(f"{what}: early: {early[:5]}")
        if took_s > LIMIT_S or store.check():
            wrong(f"{what}: took {took_s:.1f} s; {store.check()[:3]}")
        store.close()
    return took_s


def _stop_and_go(pid: int, store: JsonStore, seconds: float, jobs: int) -> float:
    now_ms = time.time_ns() // 1_000_000
    dues = [now_ms + 200 + n * round(seconds * 1000) // jobs for n in range(jobs)]
    store.add(
        [Job(id=f"job-{n}", task="note", due_ms=due, payload=f'[["{n}",{due}],{{}}]') for n, due in enumerate(dues)], 0
    )
    time.sleep(0.3)  # some have begun
    os.kill(pid, signal.SIGSTOP)
    time.sleep(seconds)  # what is tried is that time passes
    os.kill(pid, signal.SIGCONT)
    began = time.monotonic()
    waits = Filter(states=frozenset({State.SCHEDULED, State.RUNNING}))
    while store.scan(waits, 1) and time.monotonic() - began < LIMIT_S:
        time.sleep(0.01)
    return time.monotonic() - began
