"""The examples in the docstrings of the task API do what they say."""

from __future__ import annotations

import doctest
import importlib
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hourwheel import Scheduler, crontab, every, set_default
from hourwheel.job import Job
from hourwheel.store import MemoryStore

from tests.kit.django_project import databases

MODULES = [
    "cli.parser",
    "ids",
    "payload",
    "results.completing",
    "results.result",
    "scheduler.book",
    "scheduler.calling",
    "scheduler.configured",
    "scheduler.pausing",
    "scheduler.scheduler",
    "scheduler.scheduling",
    "schedules.cron_fields",
    "schedules.dates",
    "schedules.jitter",
    "schedules.misfires",
    "schedules.reading",
    "schedules.when",
    "schedules.words",
    "tasks.context",
    "tasks.decorator",
    "tasks.default_app",
    "tasks.naming",
    "tasks.on_commit",
    "tasks.options.existing",
    "tasks.options.plan",
    "tasks.options.retry",
    "tasks.registry",
    "tasks.sender",
    "tasks.signature",
    "tasks.task",
    "testing.clock",
    "testing.journey",
    "testing.simulation.clock",
    "testing.simulation.forecast",
    "testing.simulation.simulate",
    "testing.travel_clock",
    "worker.outage",
    "worker.pool.credit",
    "worker.run.runner",
    "worker.ticker",
]


class Finder(doctest.DocTestFinder):
    """An error of ours goes by the name under which it is imported, not by that of its file."""

    def _from_module(self, module: Any, object: Any) -> bool:
        if isinstance(object, type) and object.__module__ == "hourwheel":
            return getattr(module, object.__name__, None) is object
        return super()._from_module(module, object)


@pytest.fixture
def names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """What the examples take for granted: a scheduler that runs, a task, and a directory to write in."""
    monkeypatch.chdir(tmp_path)
    with databases(), Scheduler(MemoryStore(), workers=1) as app:

        @app.task(name="app.remind")
        def remind(user_id: int, text: str) -> str:
            return text.upper()

        yield {
            "app": app,
            "remind": remind,
            "crontab": crontab,
            "every": every,
            "datetime": datetime,
            "UTC": UTC,
            "Job": Job,
        }
    app.close()
    set_default(None)


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_of(name: str, names: dict[str, Any]) -> None:
    if name == "testing.journey":
        names["app"].stop()  # what runs does not travel
    runner = doctest.DocTestRunner()
    for example in Finder().find(importlib.import_module(f"hourwheel.{name}"), extraglobs=names):
        runner.run(example)
    assert runner.summarize().failed == 0
