"""A light load of everything that a scheduler and its store do, round after round."""

from __future__ import annotations

import logging
import os
import time
from collections import Counter

import hourwheel.explain.unanswered  # noqa: F401 - it is loaded by a get() that waits long, at whatever time: no leak
from hourwheel import Retry, Scheduler, current_job
from hourwheel.contract import Filter, Found
from hourwheel.store import JsonStore
from hourwheel.store.file import epoch

from ..pace import patient
from ..processes import ended, forked
from ..report import Report

JOURNAL = 256 << 10
"""The store compacts when its journal is so long, so that some minutes see many compactions. (Users have 32 MiB.)"""
ROUND_S = 0.1
_VISIT_EVERY = 100
_KEYS = 5


class Load:
    """One scheduler, and what it was asked to do."""

    def __init__(self, directory: str, *, result_ttl: float, compact_every: int) -> None:
        epoch.LEAST_JOURNAL = JOURNAL  # type: ignore[misc]
        logging.getLogger("hourwheel").setLevel(logging.CRITICAL)  # jobs fail here on purpose, by the thousand
        self.directory = directory
        self.compact_every = compact_every
        self.store = JsonStore(os.path.join(directory, "tasks.json"), failed_ttl=0)
        self.app = Scheduler(self.store, workers=4, result_ttl=result_ttl)
        self.asked: Counter[str] = Counter()
        self.ran: Counter[str] = Counter()
        self.cancelled = 0
        self.visits = 0
        self.rounds = 0
        app, ran = self.app, self.ran

        @app.task(name="works")
        def works(text: str) -> str:
            ran["works"] += 1
            return text

        @app.task(name="keyed")
        def keyed(text: str) -> None:
            ran["keyed"] += 1

        @app.task(name="fails")
        def fails() -> None:
            ran["fails"] += 1
            raise ValueError("as always")

        @app.task(name="retries")
        def retries() -> None:
            job = current_job()
            if job is not None and job.attempt == 1:
                raise Retry(countdown=0.3)
            ran["retries"] += 1

        @app.task(name="never")
        def never() -> None:
            ran["never"] += 1

    def round(self, report: Report) -> None:
        """Adds, a countdown, a keyed replacement, a failure, a retry, a cancellation, a result; now and then more."""
        self.rounds += 1
        text = "x" * (self.rounds % 200)
        first = self._ask("works", (text,))
        self._ask("works", (text,), countdown=0.5)
        self._ask("keyed", (text,), countdown=0.4, key=f"key-{self.rounds % _KEYS}", on_conflict="replace")
        self._ask("fails", ())
        self._ask("retries", ())
        found = self._ask("never", (), countdown=60).cancel()
        self.cancelled += found is Found.SCHEDULED
        report.demand(first.get(timeout=patient(30)) == text, "a result is not what the function returned")
        if self.rounds % self.compact_every == 0:
            self.store.compact()
        if self.rounds % _VISIT_EVERY == 0:
            self._visit(report)

    def _ask(self, name: str, args: tuple[str, ...], **options: object):
        self.asked[name] += 1
        return self.app.send_task(name, args, **options)  # type: ignore[arg-type]

    def _visit(self, report: Report) -> None:
        """Another process opens the store, adds a job and closes it."""
        self.visits += 1
        self.asked["works"] += 1
        path = self.store.path

        def visit() -> None:
            other = Scheduler(JsonStore(path), result_ttl=1)
            other.send_task("works", ("visitor",))
            other.store.close()

        report.demand(ended(forked(visit), 20.0) == 0, "a visiting process failed")

    def rest(self, report: Report) -> None:
        """Let everything end, and be forgotten: a compaction drops the jobs whose result_ttl is over."""
        end = time.monotonic() + patient(30)
        while self.store.scan(Filter(), limit=1):
            if time.monotonic() > end:
                report.wrong(f"jobs are left: {self.store.stats(0)}")
                return
            time.sleep(0.1)
            self.store.compact()

    def finish(self, report: Report) -> None:
        """Stop, and look what became of everything."""
        stats = self.store.stats(0)
        self.app.stop()
        for name in ("works", "fails", "retries"):
            report.demand(self.ran[name] == self.asked[name], f"{name}: {self.ran[name]} of {self.asked[name]} ran")
        report.demand(not self.ran["never"], "a cancelled job ran")
        report.demand(self.cancelled == self.asked["never"], "a job could not be cancelled")
        replaced = self.asked["keyed"] - self.ran["keyed"]
        report.demand(stats.cancelled == self.cancelled + replaced, f"replaced {replaced}: {stats}")
        report.demand(stats.accepted == self.asked.total(), f"of {self.asked.total()} jobs {stats.accepted} are known")
        for violation in self.store.check():
            report.wrong(f"check: {violation}")
        self.store.close()
