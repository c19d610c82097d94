"""The process that is to be stopped: `hourwheel worker`, in a forked child whose imports are done already."""

from __future__ import annotations

import atexit
import os
import random
import sys
import threading
import time
import types

from hourwheel import Scheduler, current_job
from hourwheel.cli.program import main
from hourwheel.errors import HourwheelError

from ..processes import append_line

GRACE_S = 0.3
JOBS = 40


class Files:
    """What a worker writes, for whoever judges it afterwards."""

    def __init__(self, directory: str) -> None:
        self.store = os.path.join(directory, "tasks.json")
        self.added = os.path.join(directory, "added")
        self.begun = os.path.join(directory, "begun")
        self.ended = os.path.join(directory, "ended")
        self.log = os.path.join(directory, "log")
        self.lines = os.path.join(directory, "life")


def make_app(files: Files) -> Scheduler:
    """A scheduler with every sort of job that makes stopping hard."""
    app = Scheduler(files.store, durability="os", workers=3, result_ttl=86_400)

    def begin() -> tuple[str, int]:
        job = current_job()
        assert job is not None
        append_line(files.begun, job.id, job.token)
        return job.id, job.token

    @app.task(name="works")
    def works(seconds: float) -> None:
        mine = begin()
        time.sleep(seconds)
        append_line(files.ended, *mine)

    @app.task(name="raises")
    def raises(exit: bool) -> None:
        begin()
        raise SystemExit(3) if exit else KeyboardInterrupt

    @app.task(name="ignores")
    def ignores() -> None:
        """Longer than any grace, in C."""
        begin()
        threading.Lock().acquire()
        time.sleep(60)

    @app.task(name="stops")
    def stops() -> None:
        mine = begin()
        app.stop(GRACE_S)
        append_line(files.ended, *mine)

    return app


def fill(app: Scheduler, files: Files, choose: random.Random, *, stubborn: bool, stops: bool) -> None:
    """Jobs that are due now and soon."""
    calls = [("works", (choose.choice([0.0, 0.0, 0.001, 0.02]),)) for _ in range(JOBS)]
    calls += [("raises", (True,)), ("raises", (False,)), ("works", (0.1,))]
    calls += [("stops", ())] if stops else []
    choose.shuffle(calls)
    if stubborn:
        append_line(files.added, app.send_task("ignores", priority=9).id, "ignores")
    for name, args in calls:
        append_line(files.added, app.send_task(name, args, countdown=choose.choice([0, 0, 0.03, 0.1, 0.5])).id, name)


def live(files: Files, choose: random.Random, *, how: str) -> None:
    """Be the worker; ends the process as an interpreter would."""
    log = os.open(files.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(log, 1)
    os.dup2(log, 2)
    app = make_app(files)
    fill(app, files, choose, stubborn=how == "stubborn", stops=how == "stop() in a job")
    threading.Thread(target=_keep_busy, args=(app, files), daemon=True).start()
    if how == "no stop()":
        app.start()
        time.sleep(choose.uniform(0.0, 0.1))
        append_line(files.lines, "ends")
        status = 0
    else:
        module = sys.modules["app_to_be_stopped"] = types.ModuleType("app_to_be_stopped")
        module.app = app  # type: ignore[attr-defined]
        status = main(["worker", "-A", "app_to_be_stopped:app", "--timeout", str(GRACE_S)])
    atexit._run_exitfuncs()  # type: ignore[attr-defined]
    threading._shutdown()  # type: ignore[attr-defined]
    os._exit(status)


def _keep_busy(app: Scheduler, files: Files) -> None:
    """Add and compact, until the store is closed under it."""
    try:
        for n in range(10_000):
            append_line(files.added, app.send_task("works", (0.0,)).id, "works")
            if n % 5 == 0:
                app.store.compact()  # type: ignore[attr-defined]
            time.sleep(0.003)
    except HourwheelError:
        return
