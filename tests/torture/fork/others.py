"""Other ways to come by a second process: a parent that dies, stop() in another thread, multiprocessing, reloaders."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time

from hourwheel import current_job

from ..pace import allowed, patient
from ..processes import LATE, add_to, append_line, ended, forked, found_by_child, lines_of, scratch, until
from ..report import Report, Size, pick
from . import children
from .programs import MULTIPROCESSING, RELOADED
from .site import Site, unfinished

_RESCUE_S = 2.0
_LONG_S = 30.0


def others(size: Size, seed: int) -> Report:
    """Each some times, in a process of its own."""
    report = Report()
    times = pick(size, smoke=1, ci=5, full=20)
    for n in range(times):
        _parent_dies(report, n)
    for n in range(pick(size, smoke=0, ci=10, full=50)):
        add_to(report, found_by_child(lambda n=n: _forks_while_stopping(seed + n), _LONG_S, name=f"stop() {seed + n}"))
    for way in pick(size, smoke=["fork"], ci=["fork", "spawn"], full=["fork", "spawn", "forkserver"]):
        _multiprocessing(report, way)
    _reloader(report, pick(size, smoke=1, ci=3, full=10))
    return report


def _parent_dies(report: Report, n: int) -> None:
    """Children hold copies of nothing that keeps the parent alive: its jobs start in one of them within 2 s."""
    report.cases += 1
    with scratch() as directory:
        begun, pids = os.path.join(directory, "begun"), os.path.join(directory, "pids")
        parent = forked(lambda: _die_slowly(directory, begun, pids))
        try:
            ready = until(lambda: len(lines_of(pids)) == 3 and len(lines_of(begun)) == 2, 10.0)
            report.demand(ready, f"parent dies {n}: it never came so far")
            os.kill(parent, signal.SIGKILL)
            died = time.monotonic()
            rescued = until(lambda: len(lines_of(begun)) >= 4, 10.0)
            took = time.monotonic() - died
            report.demand(
                rescued and took <= allowed(_RESCUE_S), f"parent dies {n}: its jobs started again after {took:.2f} s"
            )
            heirs = {pid for _, pid in lines_of(begun)[2:]}
            report.demand(heirs <= {pid for pid, *_ in lines_of(pids)}, f"parent dies {n}: started by {heirs}")
            longest = float(report.figures.get("jobs of a dead parent start again within", "0").split()[0])
            report.figures["jobs of a dead parent start again within"] = f"{max(took, longest):.2f} s"
        finally:
            ended(parent, 1.0)
            for pid, *_ in lines_of(pids):
                os.kill(int(pid), signal.SIGKILL)


def _die_slowly(directory: str, begun: str, pids: str) -> None:
    """Run two jobs that do not end here, with three children beside: they end in another process."""
    site = Site(directory, durability="os")

    @site.app.task(name="long")
    def long(pid: int) -> None:
        job = current_job()
        append_line(begun, job.id if job else "", os.getpid())
        while os.getpid() == pid:
            time.sleep(0.05)

    site.app.start()
    for _ in range(2):
        long.delay(os.getpid())
    until(lambda: len(lines_of(begun)) == 2, 10.0)
    for _ in range(3):
        append_line(pids, forked(lambda: (site.app.start(), time.sleep(_LONG_S))))
    time.sleep(_LONG_S)


def _forks_while_stopping(seed: int) -> Report:
    """Start and stop in one thread, fork in another: whatever stop() held, the child can start."""
    report = Report()
    choose = random.Random(seed)
    with scratch() as directory:
        site = Site(directory, durability="os")
        for _ in range(3):
            site.app.start()
            for _ in range(20):
                site.add()
            stopping = threading.Thread(target=site.app.stop)
            stopping.start()
            for _ in range(2):
                report.cases += 1
                time.sleep(choose.uniform(0.0, 0.01))
                status = ended(forked(lambda: children.run(site, "starts")), 10.0)
                how = "hung" if status == LATE else f"ended with {status}"
                report.demand(status == 0, f"seed {seed}: a child forked during stop() {how}")
            stopping.join()
        site.app.start()
        site.drain(report, f"stop() {seed}")
    return report


def _multiprocessing(report: Report, way: str) -> None:
    """Process, Pool and ProcessPoolExecutor inside jobs of a program that has taken the signals."""
    report.cases += 1
    with scratch() as directory:
        done = _program(directory, MULTIPROCESSING, way)
        out, err = done.communicate(timeout=patient(60)) if _over(done, 60.0) else ("", "it hung")
        right = (done.returncode, out.split()) == (0, ["7", "6", "10"])
        report.demand(right, f"multiprocessing, {way}: status {done.returncode}, {out!r}, {err[-300:]!r}")
        site = Site(directory, durability="os")
        site.judge(report, f"multiprocessing, {way}")
        report.demand(not unfinished(site.app.store), f"multiprocessing, {way}: jobs are left")  # type: ignore[arg-type]


def _reloader(report: Report, reloads: int) -> None:
    """As flask and django reload: a parent that has imported the app too watches a child that is started again."""
    report.cases += 1
    with scratch() as directory:
        watcher = _program(directory, RELOADED, str(reloads))
        over = _over(watcher, 60.0)
        err = watcher.communicate()[1]
        report.demand(over and watcher.returncode == 0, f"reloader: status {watcher.returncode}, {err[-300:]!r}")
        site = Site(directory, durability="os")
        site.app.start()
        site.drain(report, "reloader")


def _program(directory: str, text: str, *words: str) -> subprocess.Popen[str]:
    path = os.path.join(directory, "site_program.py")
    with open(path, "w") as file:
        file.write(text)
    where = os.pathsep.join([os.getcwd(), *(path for path in sys.path if path)])
    return subprocess.Popen(
        [sys.executable, path, directory, *words],
        cwd=directory,
        env=os.environ | {"PYTHONPATH": where},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def _over(process: subprocess.Popen[str], within_s: float) -> bool:
    try:
        process.wait(patient(within_s))
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        return False
    return True
