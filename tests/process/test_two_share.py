"""Two scheduler processes on one file, one of which is killed with -9 and started again, over and over."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

from hourwheel import Scheduler
from hourwheel.contract import Filter
from hourwheel.job import State
from hourwheel.store import JsonStore

PROGRAM = """
import os, pathlib, sys
from hourwheel.store import JsonStore
from hourwheel import Scheduler, current_job
app = Scheduler(JsonStore(sys.argv[1], durability="os"), workers=4)
witness = os.open(sys.argv[2], os.O_WRONLY | os.O_APPEND | os.O_CREAT)

@app.task(name="work")
def work(number):
    job = current_job()
    os.write(witness, b"%d %d %d\\n" % (number, job.token, os.getpid()))

if __name__ == "__main__":
    pathlib.Path(f"{sys.argv[2]}.{os.getpid()}").touch()
    app.run(timeout=5)
"""
DEATHS = 8


def start(program: Path, store: Path, witness: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, program, store, witness], stderr=subprocess.DEVNULL)


def lines_of(witness: Path) -> list[tuple[int, int, int]]:
    if not witness.exists():
        return []
    whole = witness.read_text().rpartition("\n")[0]
    return [(int(number), int(token), int(pid)) for number, token, pid in map(str.split, whole.splitlines())]


def wait_for(happened: object, deadline_s: float = 60.0) -> None:
    end = time.monotonic() + deadline_s
    while not happened():  # type: ignore[operator]
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.02)


def test_two_processes_share_ten_thousand_jobs_though_one_is_killed_again_and_again(tmp_path: Path) -> None:
    program, path, witness = tmp_path / "program.py", tmp_path / "tasks.json", tmp_path / "witness"
    program.write_text(PROGRAM)
    store = JsonStore(path, durability="os")
    app = Scheduler(store)
    work = app.task(name="work")(lambda number: None)
    numbers = itertools.count()
    steady = start(program, path, witness)
    killed: list[int] = []

    def give(jobs: int) -> int:
        given = [next(numbers) for _ in range(jobs)]
        app.schedule_many(work, [((number,), {}) for number in given])
        return given[-1] + 1

    def is_at_work(victim: subprocess.Popen[bytes]) -> bool:
        return any(pid == victim.pid for *_, pid in lines_of(witness))

    try:
        jobs = 0
        while len(killed) < DEATHS or jobs < 10_000:
            victim = start(program, path, witness)
            wait_for(Path(f"{witness}.{victim.pid}").exists)
            jobs = give(10_000 // DEATHS)
            end = time.monotonic() + 60.0
            while not is_at_work(victim):  # the steady one took them all: there are more, however slow the machine
                assert time.monotonic() < end, "the second process was given nothing to do"
                jobs = give(100)
                time.sleep(0.02)
            victim.send_signal(signal.SIGKILL)
            victim.wait()
            killed.append(victim.pid)
        wait_for(lambda: store.stats(0).succeeded == jobs)
        steady.send_signal(signal.SIGTERM)
        assert steady.wait(timeout=20) == 0
    finally:
        for process in (steady, victim):
            process.kill()
            process.wait()
    started = lines_of(witness)
    assert {number for number, *_ in started} == set(range(jobs)), "lost"
    tokens = Counter(token for _, token, _ in started)
    assert max(tokens.values()) == 1, "one claim ran twice"
    by_number: dict[int, list[int]] = {}
    for number, _, pid in started:
        by_number.setdefault(number, []).append(pid)
    assert all(pid in killed for pids in by_number.values() for pid in pids[:-1]), "a second start without a death"
    assert {pid for *_, pid in started} == {steady.pid, *killed}, "somebody was not killed at work"
    assert store.scan(Filter(states=frozenset({State.RUNNING, State.SCHEDULED}))) == []
    assert store.check() == []
    store.close()


def test_the_jobs_of_a_killed_process_start_again_elsewhere_within_two_seconds(tmp_path: Path) -> None:
    program, path, witness = tmp_path / "program.py", tmp_path / "tasks.json", tmp_path / "witness"
    program.write_text(
        PROGRAM.replace("    job = current_job()", "    import time\n    job = current_job()").replace(
            "os.getpid()))\n", "os.getpid()))\n    time.sleep(0.0 if job.crashes else 60.0)\n", 1
        )
    )
    store = JsonStore(path, durability="os")
    app = Scheduler(store)
    work = app.task(name="work")(lambda number: None)
    app.schedule_many(work, [((number,), {}) for number in range(3)])
    victim = start(program, path, witness)
    wait_for(lambda: len(lines_of(witness)) == 3)
    rescuer = start(program, path, witness)
    try:
        wait_for(lambda: any(name.endswith(".lock") for name in os.listdir(tmp_path)))
        wait_for(lambda: store.stats(0).running == 3)
        time.sleep(1.5)  # the rescuer is up, and must not touch the jobs of a process that lives
        assert len(lines_of(witness)) == 3
        victim.send_signal(signal.SIGKILL)
        victim.wait()
        died = time.monotonic()
        wait_for(lambda: len(lines_of(witness)) == 6, 10.0)
        took = time.monotonic() - died
    finally:
        for process in (victim, rescuer):
            process.kill()
            process.wait()
    assert took < 2.0
    assert {pid for *_, pid in lines_of(witness)[3:]} == {rescuer.pid}
    store.close()
