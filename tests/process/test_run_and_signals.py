"""run() as a program of its own, in real processes: signals, drain, second signal, fork, the end of the interpreter."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hourwheel import Scheduler, State
from hourwheel.store import JsonStore

LONG_S = 30.0

PROGRAM = """
import os, sys, time
from hourwheel import Scheduler, current_job

app = Scheduler(sys.argv[1], workers=2, durability="os")

@app.task(name="mark")
def mark(path):
    with open(path, "a") as file:
        file.write(f"{current_job().id} {os.getpid()}\\n")

@app.task(name="hold")
def hold(begun, release):
    open(begun, "w").close()
    while not os.path.exists(release):
        time.sleep(0.01)
    return "released"

"""


class Program:
    """A Python program in a process of its own, with tasks "mark" and "hold" and a scheduler ``app``."""

    def __init__(self, directory: Path, *lines: str, name: str = "program") -> None:
        script = directory / f"{name}.py"
        script.write_text(PROGRAM + "\n".join(lines) + "\n")
        self._out, self._err = directory / f"{name}.out", directory / f"{name}.err"
        with self._out.open("w") as out, self._err.open("w") as err:
            self.process = subprocess.Popen(
                [sys.executable, str(script), str(directory / "tasks.json")],
                stdout=out,
                stderr=err,
                env=os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
            )

    @property
    def log(self) -> str:
        return self._err.read_text()

    def until_ready(self) -> None:
        until(lambda: "Ready: 2 workers" in self.log or self.process.poll() is not None, "the program is ready")
        assert self.process.poll() is None, self.log

    def end(self) -> tuple[int, str]:
        """(exit status, what it printed)."""
        return self.process.wait(LONG_S), self._out.read_text().strip()


def until(condition: Callable[[], object], what: str) -> None:
    end = time.monotonic() + LONG_S
    while not condition():
        assert time.monotonic() < end, f"never came to pass: {what}"
        time.sleep(0.005)


@pytest.fixture
def app(tmp_path: Path) -> Iterator[Scheduler]:
    """Adds jobs and looks at them, in this process; runs none."""
    store = JsonStore(tmp_path / "tasks.json", durability="os")
    yield Scheduler(store)
    assert store.check() == []
    store.close()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Program]]:
    programs: list[Program] = []

    def started(*lines: str, name: str = "program") -> Program:
        programs.append(Program(tmp_path, *lines, name=name))
        return programs[-1]

    yield started
    for program in programs:
        if program.process.poll() is None:
            program.process.kill()
        program.process.wait(LONG_S)


def running(app: Scheduler) -> int:
    return app.store.stats(0).running


RUN = ("left = app.run()", "print('left', len(left))")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_first_signal_stops_claiming_and_lets_running_jobs_end(
    tmp_path: Path, app: Scheduler, start: Callable[..., Program], number: signal.Signals
) -> None:
    begun, release, marks = tmp_path / "begun", tmp_path / "release", tmp_path / "marks"
    held = app.send_task("hold", (str(begun), str(release)))
    program = start(*RUN)
    until(begun.exists, "the job began")
    program.process.send_signal(number)
    until(lambda: "Stopping" in program.log, "the signal was noticed")
    after = [app.send_task("mark", (str(marks),)) for _ in range(3)]
    time.sleep(0.3)
    assert not marks.exists(), "one of its two workers is idle, but it claims nothing more"
    release.touch()
    assert program.end() == (0, "left 0"), program.log
    assert held.get(timeout=1) == "released"
    assert {result.state for result in after} == {"scheduled"}


def test_second_signal_means_now_and_the_job_runs_again_elsewhere(
    tmp_path: Path, app: Scheduler, start: Callable[..., Program]
) -> None:
    begun, release = tmp_path / "begun", tmp_path / "release"
    held = app.send_task("hold", (str(begun), str(release)))
    program = start(*RUN)
    until(begun.exists, "the job began")
    program.process.terminate()
    until(lambda: "Stopping" in program.log, "the signal was noticed")
    sent = time.monotonic()
    program.process.terminate()
    assert program.end() == (0, "left 1"), program.log
    assert time.monotonic() - sent < 10, "it did not wait for the 30 s of the first"
    begun.unlink()
    release.touch()
    other = start(*RUN, name="other")
    assert held.get(timeout=LONG_S) == "released"
    job = held.job()
    assert job is not None and (job.attempt, job.crashes) == (1, 0), "an end in order is no crash"
    other.process.terminate()
    assert other.end() == (0, "left 0")


def test_idle_program_ends_at_once(app: Scheduler, start: Callable[..., Program]) -> None:
    program = start(*RUN)
    program.until_ready()
    sent = time.monotonic()
    program.process.terminate()
    assert program.end() == (0, "left 0"), program.log
    assert time.monotonic() - sent < 5


def test_jobs_of_a_killed_program_run_in_another_within_two_seconds(
    tmp_path: Path, app: Scheduler, start: Callable[..., Program]
) -> None:
    begun, release = tmp_path / "begun", tmp_path / "release"
    held = app.send_task("hold", (str(begun), str(release)))
    victim = start(*RUN, name="victim")
    until(begun.exists, "the job began")
    heir = start(*RUN, name="heir")
    heir.until_ready()
    begun.unlink()
    victim.process.kill()
    killed = time.monotonic()
    until(begun.exists, "the heir began the job")
    assert time.monotonic() - killed < 2.0 + 1.0, "two seconds, and one for a busy machine"
    release.touch()
    assert held.get(timeout=LONG_S) == "released"
    heir.process.terminate()
    assert heir.end() == (0, "left 0")


def test_two_programs_share_the_jobs_of_one_store_and_run_each_once(
    tmp_path: Path, app: Scheduler, start: Callable[..., Program]
) -> None:
    marks = tmp_path / "marks"
    ids = [app.send_task("mark", (str(marks),), countdown=1 + n % 100 / 100).id for n in range(500)]
    programs = [start(*RUN, name=f"program{n}") for n in range(2)]
    for program in programs:
        program.until_ready()
    until(lambda: app.store.stats(0).succeeded == 500, "all have run")
    lines = [line.split() for line in marks.read_text().splitlines()]
    assert Counter(id for id, _ in lines) == Counter(ids)
    assert len({pid for _, pid in lines}) == 2, "both had a share"
    for program in programs:
        program.process.terminate()
        assert program.end() == (0, "left 0")


def test_program_that_ends_without_stop_ends_cleanly_and_loses_nothing(
    tmp_path: Path, app: Scheduler, start: Callable[..., Program]
) -> None:
    begun, release, marks = tmp_path / "begun", tmp_path / "release", tmp_path / "marks"
    held = app.send_task("hold", (str(begun), str(release)))
    program = start(
        "from hourwheel.worker.run import ending",
        "ending.GRACE_S = 0.1",
        "app.start()",
        f"mark.delay({str(marks)!r}).get(timeout=20)",
        f"while not os.path.exists({str(begun)!r}): time.sleep(0.01)",
        "print('the end')",
    )
    assert program.end() == (0, "the end"), program.log
    assert app.store.stats(0).succeeded == 1
    assert held.state == "scheduled", "it was given back"
    [claim] = app.store.claim("somebody", app.clock.now_ms(), 10)
    assert claim.job.id == held.id


def test_program_that_ends_without_stop_gives_running_jobs_a_moment(
    tmp_path: Path, app: Scheduler, start: Callable[..., Program]
) -> None:
    begun, release = tmp_path / "begun", tmp_path / "release"
    held = app.send_task("hold", (str(begun), str(release)))
    program = start(
        "import threading",
        "app.start()",
        f"while not os.path.exists({str(begun)!r}): time.sleep(0.01)",
        f"soon = threading.Timer(0.2, lambda: open({str(release)!r}, 'w').close())",
        "soon.daemon = True",
        "soon.start()",
    )
    assert program.end() == (0, ""), program.log
    assert held.state == "succeeded"


def test_scheduler_does_not_survive_a_fork_in_the_child_and_can_be_started_there(
    tmp_path: Path, app: Scheduler, start: Callable[..., Program]
) -> None:
    marks = tmp_path / "marks"
    program = start(
        "app.start()",
        "pid = os.fork()",
        "if pid == 0:",
        "    assert not app.running and app.stop() == []",
        f"    [result.get(timeout=20) for result in app.schedule_many(mark, [(({str(marks)!r},), {{}})] * 20)]",
        "    app.start()",
        "    assert app.running",
        f"    [result.get(timeout=20) for result in app.schedule_many(mark, [(({str(marks)!r},), {{}})] * 20)]",
        "    app.stop()",
        "    os._exit(7)",
        "assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7",
        "assert app.running",
        f"mark.delay({str(marks)!r}).get(timeout=20)",
        "app.stop()",
        "print('both')",
    )
    assert program.end() == (0, "both"), program.log
    lines = [line.split() for line in marks.read_text().splitlines()]
    assert len(lines) == len({id for id, _ in lines}) == 41
    assert {job.state for job in app.store.scan(limit=100)} == {State.SUCCEEDED}


def test_forked_child_claims_in_a_name_of_its_own(app: Scheduler, start: Callable[..., Program]) -> None:
    program = start(
        "pid = os.fork()",
        "os.write(1, f'{app.owner}\\n'.encode())  # in one piece, which print() does not promise",
        "if pid: os.waitpid(pid, 0)",
    )
    status, printed = program.end()
    owners = printed.split()
    assert status == 0 and len(set(owners)) == len(owners) == 2, program.log


def test_signal_that_comes_while_nothing_runs_yet_is_not_lost(app: Scheduler, start: Callable[..., Program]) -> None:
    program = start(
        "import signal, threading",
        "start = app.start",
        "def start_and_be_told(): start(); os.kill(os.getpid(), signal.SIGTERM)",
        "app.start = start_and_be_told",
        *RUN,
    )
    assert program.end() == (0, "left 0"), program.log
