"""The parent: forks at random moments while all its threads are busy, and watches its children."""

from __future__ import annotations

import os
import random
import signal
import time

from hourwheel.store.state.state import State

from ..pace import patient
from ..processes import LATE, append_line, ended, forked, lines_of, runs, scratch, until
from ..report import Report
from . import children
from .site import Site, held_elsewhere

AT_ONCE = 3
_EXPECTED = {"is killed": -signal.SIGKILL}


def preload(forks: int, seed: int, *, watchdog_s: float = 10.0, until_wrong: bool = False) -> Report:
    """Fork so often; with ``until_wrong`` the first violation is enough."""
    report = Report()
    choose = random.Random(seed)
    with scratch() as directory:
        site = Site(directory)
        site.start()
        site.app.AsyncResult(site.add()).get(timeout=patient(8))  # it claims from now on, so it holds its sign
        alive: list[tuple[int, str, float]] = []
        while report.cases < forks and not (until_wrong and report.violations):
            time.sleep(choose.uniform(0.0, 0.004))
            _fork_once(report, site, choose, alive, watchdog_s)
            _reap(report, site, alive, watchdog_s, most=AT_ONCE - 1)
        _reap(report, site, alive, watchdog_s, most=0)
        _reap_those_of_jobs(report, site, watchdog_s)
        site.rest()
        if not (until_wrong and report.violations):
            site.drain(report, f"seed {seed}")
        _count(report, site)
    return report


def _fork_once(
    report: Report, site: Site, choose: random.Random, alive: list[tuple[int, str, float]], watchdog_s: float
) -> None:
    report.cases += 1
    kind = choose.random()
    if kind < 0.1:
        result = site.forks.delay(choose.choice(["adds", "raises", "returns"]))
        append_line(site.added, result.id)
    elif kind < 0.2:
        _fork_with_the_lock_held(report, site, choose, watchdog_s)
    else:
        way = choose.choice(list(children.WAYS))
        alive.append((forked(lambda: children.run(site, way)), way, time.monotonic()))


def _fork_with_the_lock_held(report: Report, site: Site, choose: random.Random, watchdog_s: float) -> None:
    """The writers' lock is held for microseconds; here until the child is over, so that it can be probed."""
    way = choose.choice(["nothing", "closes unused"])
    store = site.app.store

    def fork(_: State) -> int:
        pid = forked(lambda: children.run(site, "nothing") if way == "nothing" else store.close())
        status = ended(pid, watchdog_s)
        report.demand(held_elsewhere(site.path + ".lock"), f"a child ({way}) freed its parent's writers' lock")
        return status

    status = store._changing(fork)  # type: ignore[attr-defined]
    report.demand(status == 0, f"a child forked while the lock was held ({way}) ended with {status}")


def _reap(report: Report, site: Site, alive: list[tuple[int, str, float]], watchdog_s: float, *, most: int) -> None:
    while len(alive) > most:
        pid, way, since = alive.pop(0)
        status = ended(pid, since + watchdog_s - time.monotonic())
        how = f"hung for {watchdog_s:g} s" if status == LATE else f"ended with status {status}"
        report.demand(status == _EXPECTED.get(way, 0), f"a child that {way} {how} (case {report.cases})")
        report.demand(held_elsewhere(site.sign), f"a child that {way} freed its parent's life sign")


def _reap_those_of_jobs(report: Report, site: Site, watchdog_s: float) -> None:
    """Children that were forked by jobs are this process's children as well, unless the job ran in a child."""
    for pid, parent, way in lines_of(site.children):
        if int(parent) == os.getpid():
            status = ended(int(pid), watchdog_s)
            report.demand(status == 0, f"a child of a job ({way}) ended with {'a hang' if status == LATE else status}")
        else:
            over = until(lambda pid=pid: not runs(int(pid)), watchdog_s)
            report.demand(over, f"a child of a job ({way}) in a child hung")


def _count(report: Report, site: Site) -> None:
    starts = lines_of(site.started)
    report.figures["jobs added"] = f"{len(lines_of(site.added)):,}"
    report.figures["processes that ran jobs"] = f"{len({pid for *_, pid in starts} - {str(os.getpid())}):,} children"
    report.figures["deaths with a claim in hand"] = f"{len(lines_of(site.deaths)):,}"
