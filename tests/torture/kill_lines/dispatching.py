"""Kills of a scheduler at work: sweeping by hand, and with its ticker and workers in threads of their own."""

from __future__ import annotations

import os
import random
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Final

from hourwheel import HourwheelError, Retry, Scheduler, Snooze, chain
from hourwheel.tasks.context import current_job

from tests.torture.pace import patient
from tests.torture.processes import until
from tests.torture.report import Report

from .tracing import Line, Point, killed_at, points, watched

_JOBS: Final = 6
Prepare = Callable[[], None]


def run(report: Report, rng: random.Random, kills: int, prepare: Prepare = lambda: None) -> set[Line]:
    """Kill schedulers at lines of theirs; the lines."""
    chosen_lines: set[Line] = set()
    for threads in (False, True):
        with tempfile.TemporaryDirectory(prefix="hourwheel-kill-") as directory:
            lines = watched(
                lambda step, threads=threads, where=directory: _work(where, -1, prepare, step, threads=threads)
            )
        chosen = points(lines, kills // 2, rng)
        chosen_lines |= {(at.file, at.line) for at in chosen}
        for at in chosen:
            directory = tempfile.mkdtemp(prefix="hourwheel-kill-")
            for wrong in _one_kill(directory, at, prepare, threads=threads):
                how = "threads" if threads else "by hand"
                report.wrong(f"dispatch {how}, killed at {at}: {wrong}")
            report.cases += 1
            shutil.rmtree(directory)
    return chosen_lines


def _app(directory: str) -> Scheduler:
    """Jobs note in a file when they begin and end; another failure, a snooze, and a chain are among them."""
    app = Scheduler(f"{directory}/tasks.json", workers=2, durability="os")
    witness = f"{directory}/witness"

    def note(word: str) -> None:
        job = current_job()
        assert job is not None
        fd = os.open(witness, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        os.write(fd, f"{word} {job.id} {job.token} {job.attempt}\n".encode())
        os.close(fd)

    @app.task(name="work")
    def work(number: int) -> int:
        note("begin")
        job = current_job()
        assert job is not None
        if number == 1 and job.attempt == 1:
            raise Retry(countdown=0)
        if number == 2 and not Path(f"{directory}/snoozed").exists():
            Path(f"{directory}/snoozed").touch()
            raise Snooze(0)
        note("end")
        return number

    @app.task(name="next")
    def go_on(number: int) -> int:
        note("begin")
        note("end")
        return number + 1

    return app


def _work(directory: str, pipe: int, prepare: Prepare, next_step: Callable[[], None], *, threads: bool) -> None:
    prepare()
    app = _app(directory)
    work, go_on = app.registry.get("work"), app.registry.get("next")
    if threads:
        app.start()
    for number in range(_JOBS):
        if not threads:  # there, only threads that are started later would be traced
            next_step()
        _acknowledge(pipe, work.delay(number).id)
    last = chain(work.s(9), go_on.s()).delay()
    _acknowledge(pipe, last.id)
    if threads:
        last.get(timeout=patient(20))
        app.stop(5)
    else:
        while not last.ready():
            next_step()
            app.run_due()
    app.close()


def _acknowledge(pipe: int, id: str) -> None:
    if pipe >= 0:
        os.write(pipe, f"{id}\n".encode())


def _one_kill(directory: str, at: Point, prepare: Prepare, *, threads: bool) -> list[str]:
    reads, writes = os.pipe()
    try:
        status = killed_at(lambda step: _work(directory, writes, prepare, step, threads=threads), at)
        os.close(writes)
        acknowledged = os.read(reads, 1 << 16).decode().split()
    finally:
        os.close(reads)
    if status not in (0, -9):
        return [f"the process ended with status {status}"]
    app = _app(directory)
    try:
        return [*_settled_by(app), *_judged(app, directory, acknowledged)]
    except HourwheelError as error:
        return [f"what is left cannot be used: {error!r:.120}"]
    finally:
        app.close()


def _settled_by(app: Scheduler) -> list[str]:
    """Let the survivor do what is left."""

    def done() -> bool:
        app.run_due()
        stats = app.store.stats(app.clock.now_ms())
        return stats.scheduled == stats.running == 0

    return [] if until(done, 10.0) else ["the survivor cannot do what is left"]


def _judged(app: Scheduler, directory: str, acknowledged: list[str]) -> list[str]:
    witness = Path(f"{directory}/witness")
    lines = [line.split() for line in witness.read_text().splitlines()] if witness.exists() else []
    begun = Counter(id for word, id, *_ in lines if word == "begin")
    ended = Counter(id for word, id, *_ in lines if word == "end")
    wrong = []
    for id in acknowledged:
        job = app.store.get([id])[0]
        if job is None or job.state != "succeeded" or not ended[id]:
            wrong.append(
                f"job {id} was acknowledged and is {None if job is None else job.state}, ended {ended[id]} times"
            )
    for job in app.store.scan(limit=1000):
        again = 1 if job.args[:1] in ((1,), (2,)) else 0  # a retry, a snooze
        if begun[job.id] > 2 + again:
            wrong.append(f"job {job.id} began {begun[job.id]} times for one death")
    tokens = [int(token) for word, _, token, _ in lines if word == "begin"]
    if len(set(tokens)) != len(tokens):
        wrong.append("a token was begun with twice")
    return [*wrong, *app.store.check()]
