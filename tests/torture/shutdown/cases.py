"""One case: a worker, told to stop at some moment in some way."""

from __future__ import annotations

import fcntl
import os
import random
import re
import select
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import Final

from ..pace import allowed
from ..processes import LATE, ended, forked, lines_of, until
from ..report import Report
from .judge import judge
from .worker import GRACE_S, Files, live

ALLOWED_S: Final = 1.0
_LOOK_MS: Final = 200
WAYS: Final = {
    "works": 67,
    "stubborn": 6,
    "stop() in a job": 8,
    "no stop()": 8,
    "locked": 2,
    "twice": 10,
}
_PROGRAM: Final = """
import sys
from tests.torture.shutdown.worker import Files, make_app
app = make_app(Files({directory!r}))
"""


@dataclass(slots=True)
class Case:
    """A worker that runs, and how it is told to stop."""

    number: int
    way: str
    files: Files
    pid: int
    began: float
    moment_s: float
    signal: signal.Signals
    told: float = 0.0
    lock: int = -1
    signals: int = 0
    over: float = 0.0
    told_again: bool = False

    @property
    def bound_s(self) -> float:
        """How long it may take to end."""
        return (1.0 if self.waited_for else GRACE_S) + allowed(ALLOWED_S)

    @property
    def waited_for(self) -> bool:
        """Whether it ends by itself."""
        return self.way == "no stop()"


def begin(number: int, seed: int, directory: str) -> Case:
    """Start a worker that was warmed up: it begins where the imports end."""
    choose = random.Random(seed * 1_000_003 + number)
    way = choose.choices(list(WAYS), list(WAYS.values()))[0]
    files = Files(directory)
    pid = forked(lambda: live(files, choose, how=way))
    number_of_signal = choose.choices([signal.SIGTERM, signal.SIGINT], [85, 15])[0]
    late = way in ("stubborn", "locked")  # of use only once it runs
    moment_s = choose.uniform(0.0, 0.12) + (0.05 if late else 0.0)
    return Case(number, way, files, pid, time.monotonic(), moment_s, number_of_signal)


def begin_program(number: int, seed: int, directory: str) -> Case:
    """Start `hourwheel worker` as users do, so that the signal may come while it still imports."""
    choose = random.Random(seed * 1_000_003 + number)
    with open(os.path.join(directory, "stopped_app.py"), "w") as file:
        file.write(_PROGRAM.format(directory=directory))
    files = Files(directory)
    where = os.pathsep.join([os.getcwd(), directory, *(path for path in sys.path if path)])
    command = [sys.executable, "-m", "hourwheel.cli", "worker", "-A", "stopped_app", "--timeout", str(GRACE_S)]
    with open(files.log, "w") as log:
        process = subprocess.Popen(
            command, cwd=directory, env=os.environ | {"PYTHONPATH": where}, stdout=log, stderr=log
        )
    process.returncode = 0  # it is waited for by its pid
    return Case(number, "program", files, process.pid, time.monotonic(), choose.uniform(0.0, 0.7), signal.SIGTERM)


def tell(case: Case) -> None:
    """Send the signal, at the case's moment; not before the fork is over (what SIGINT raises in its hooks is lost)."""
    until(lambda: os.path.exists(case.files.log), 5.0)
    time.sleep(max(0.0, case.began + case.moment_s - time.monotonic()))
    if case.waited_for:
        until(lambda: lines_of(case.files.lines), 5.0, 0.001)
        case.told = time.monotonic()
        return
    if case.way == "locked":
        case.lock = _hold_the_lock(case.files.store + ".lock")
    case.told = time.monotonic()
    os.kill(case.pid, case.signal)
    case.signals = 1
    if case.way == "twice":
        time.sleep(random.Random(case.number).uniform(0.0, 0.05))
        os.kill(case.pid, signal.SIGTERM)
        case.signals = 2


def _hold_the_lock(path: str) -> int:
    """As a process would that was stopped with the lock in its hand."""
    if not until(lambda: os.path.exists(path), 5.0):
        return -1
    fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)

    def taken() -> bool:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    until(taken, 5.0, 0.0002)
    return fd


def wait_for(cases: list[Case]) -> None:
    """Wait for the end of all of them, and note when each ended."""
    poll, by_fd = select.poll(), {os.pidfd_open(case.pid): case for case in cases}
    for fd in by_fd:
        poll.register(fd, select.POLLIN)
    while any(not case.over and time.monotonic() < case.told + 4 * case.bound_s for case in cases):
        for fd, _ in poll.poll(_LOOK_MS):
            by_fd[fd].over = time.monotonic()
            poll.unregister(fd)
        for case in cases:
            if not case.over and not case.told_again and _was_lost_by_python(case):
                os.kill(case.pid, case.signal)
                case.told, case.told_again = time.monotonic(), True
    for fd in by_fd:
        os.close(fd)


def _was_lost_by_python(case: Case) -> bool:
    """A Ctrl-C that comes while Python clears up after an import is printed and forgotten; whoever sees that tries again."""
    if case.signal is not signal.SIGINT:
        return False
    lost = re.search(
        r"^Exception ignored in: .*\n(?:(?:Traceback|  ).*\n|\n)*KeyboardInterrupt", _log_of(case)[1], re.M
    )
    return lost is not None


def end(case: Case, report: Report) -> float:
    """Judge what is left; returns how long it took beyond the grace, in seconds."""
    bound_s = case.bound_s
    status = ended(case.pid, 0.0)
    took = (case.over or time.monotonic()) - case.told
    if case.lock >= 0:
        os.close(case.lock)
    what = f"case {case.number} ({case.way}, {case.signal.name} after {case.moment_s * 1000:.1f} ms)"
    report.demand(status != LATE and took <= bound_s, f"{what}: it ended after {took:.2f} s, allowed are {bound_s:.2f}")
    ready, text = _log_of(case)
    report.demand(
        _as_documented(case, status, ready=ready, said_goodbye="Stopping" in text),
        f"{what}: status {status}\n{text[:1500]}\n...\n{text[-1500:]}",
    )
    in_time = status == 0 and case.signals < 2 and case.way not in ("locked", "no stop()")
    clean = status in (0, 1) and case.way not in ("locked", "no stop()") and "does not answer" not in text
    for violation in judge(case.files, graceful=in_time, clean=clean):
        report.wrong(f"{what}, status {status}: {violation}")
    report.demand(
        "Traceback" not in text.replace(_expected_traceback(case, text), "") or ready, f"{what}: {text[-1500:]}"
    )
    return took - (0.0 if case.waited_for else GRACE_S)


def _expected_traceback(case: Case, text: str) -> str:
    """A worker that is interrupted while it imports says what Python says, as far as the second signal lets it."""
    return text if "KeyboardInterrupt" in text or case.signals == 2 else ""


def _log_of(case: Case) -> tuple[bool, str]:
    try:
        with open(case.files.log, errors="replace") as file:
            text = file.read()
    except FileNotFoundError:
        return False, ""
    return "Ready: " in text, text


def _as_documented(case: Case, status: int, *, ready: bool, said_goodbye: bool) -> bool:
    """0 if all ended, 1 if jobs still ran or the store was locked; a signal before or after run() has its own way."""
    if case.waited_for:
        return status == 0
    if status == 1 and not ready and case.signal is signal.SIGINT:
        return True  # before `hourwheel worker` proper
    if status in (0, 1):
        return status == 0 or case.way in ("stubborn", "locked", "twice", "stop() in a job") or said_goodbye
    outside = not ready or case.signals == 2 or case.way == "stop() in a job"  # that may be over when it comes
    return outside and status in (-signal.SIGTERM, 130, 1)
