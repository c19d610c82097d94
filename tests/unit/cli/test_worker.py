"""``hourwheel worker``: what it makes of its words. (That it runs jobs is for tests/process.)"""

from __future__ import annotations

import logging
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import hourwheel
import pytest
from hourwheel import Registry, Scheduler
from hourwheel.cli.commands import worker
from hourwheel.store import MemoryStore
from hourwheel.testing import FakeClock

from .conftest import NOW_MS, Run, job


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What the Scheduler was told when it was asked to run; it returns at once."""
    seen: list[dict[str, Any]] = []

    def run(self: Scheduler, *, timeout: float = 30.0) -> list[Any]:
        seen.append({"workers": self.workers, "queues": self.queues, "timeout": timeout})
        return []

    monkeypatch.setattr(Scheduler, "run", run)
    return seen


def test_the_app_runs_as_it_was_made(run: Run, module: str, runs: list[dict[str, Any]]) -> None:
    assert run("worker", "-A", module)[0] == 0
    assert runs == [{"workers": 2, "queues": None, "timeout": 30.0}]


def test_the_banner_says_what_will_run(run: Run, module: str, store: Path, runs: list[dict[str, Any]]) -> None:
    out = run("worker", "-A", module)[1].splitlines()
    assert out[0].startswith(f"hourwheel {hourwheel.__version__}")
    told = dict(line.split(maxsplit=1) for line in out[1:])
    assert str(store) in told["store"]
    assert (told["queues"], told["concurrency"]) == ("all", "2 threads")
    assert told["tasks"] == "shop_tasks.remind"


def test_an_app_without_tasks_is_told_so(
    run: Run, tmp_path: Path, runs: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "idle.py").write_text("from hourwheel import Scheduler\nmine = Scheduler('idle.json')\n")
    monkeypatch.setattr(Registry, "names", lambda self: [])
    assert "none: jobs stay scheduled" in run("worker", "-A", "idle")[1]


@pytest.mark.parametrize(
    "words",
    [
        ["worker", "-A", "{}", "-c", "8", "-Q", "mail,sms", "--timeout", "2.5", "-l", "debug", "-P", "threads"],
        ["worker", "-A", "{}", "--concurrency=8", "--queues=sms, mail", "--timeout=2.5", "--loglevel=DEBUG"],
        ["-A", "{}", "worker", "-l", "debug", "-c8", "-Qmail,sms", "--timeout", "2.5"],
        ["--app={}:app", "worker", "-l", "debug", "-c8", "-Qmail,sms", "--timeout", "2.5"],
    ],
    ids=" ".join,
)
def test_options_are_those_that_celery_users_know(
    run: Run, module: str, runs: list[dict[str, Any]], words: list[str]
) -> None:
    status, out, err = run(*[word.format(module) for word in words])
    assert (status, err) == (0, "")
    assert runs == [{"workers": 8, "queues": frozenset({"mail", "sms"}), "timeout": 2.5}]
    assert "mail, sms" in out
    assert logging.getLogger("hourwheel").level == logging.DEBUG


@pytest.mark.parametrize(
    ("pool", "more"),
    [
        ("threads", ["-c", "10"]),
        ("processes", ["-c", "10", "--max-tasks-per-child", "100", "--max-memory-per-child", "200000"]),
        ("prefork", ["-c", "10", "--max-tasks-per-child", "100", "--time-limit", "60", "--soft-time-limit", "50"]),
        ("asyncio", ["-c", "10"]),
        ("gevent", ["-c", "10"]),
        ("eventlet", ["-c", "10"]),
        ("solo", []),
    ],
    ids=lambda one: one if isinstance(one, str) else "",
)
def test_a_line_for_celery_s_worker_is_taken_as_it_is(
    run: Run, module: str, runs: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch, pool: str, more: list[str]
) -> None:
    monkeypatch.setattr(worker, "patch_for", lambda pool, words: None)  # it would begin this very process anew
    status, out, err = run("-A", module, "worker", "-l", "info", "-P", pool, "-Q", "a,b", "-B", *more)
    assert (status, err) == (0, "")
    assert runs == [{"workers": 10 if more else 1, "queues": frozenset({"a", "b"}), "timeout": 30.0}]


@pytest.mark.parametrize(("words", "tends"), [([], True), (["-B"], True), (["--beat"], True), (["--no-beat"], False)])
def test_a_worker_looks_after_the_schedules_unless_it_is_told_not_to(
    run: Run, module: str, monkeypatch: pytest.MonkeyPatch, words: list[str], tends: bool
) -> None:
    seen: list[bool] = []
    monkeypatch.setattr(Scheduler, "run", lambda self, *, timeout: seen.append(self.fires.tends) or [])
    status, out, _ = run("worker", "-A", module, *words)
    assert (status, seen) == (0, [tends])
    assert ("next fires are not added here" in out) is not tends


def test_without_beat_no_fire_is_added_and_one_that_is_taken_is_followed() -> None:
    app = Scheduler(MemoryStore(), clock=FakeClock(NOW_MS))
    app.task(name="clean")(lambda: None)
    app.add_beat_schedule({"clean": {"task": "clean", "schedule": 60}})
    app.fires.tends = False
    app.run_due(NOW_MS)
    assert app.store.scan() == []
    app.fires.tends = True
    app.run_due(NOW_MS)
    app.fires.tends = False
    (pending,) = app.store.scan()
    app.run_due(pending.due_ms)
    assert [(one.due_ms - pending.due_ms, one.state) for one in app.store.scan()] == [
        (0, "succeeded"),
        (60_000, "scheduled"),
    ]
    app.close()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["-c", "0"], "workers must be a whole number from 1 to 1024 for threads, got 0"),
        (["-c", "many"], "must be a whole number, 0 or more, got 'many'"),
        (["-P", "solo", "-c", "2"], "workers must be 1 for a solo pool, got 2"),
        (
            ["--max-tasks-per-child", "5"],
            "max_tasks_per_child must be left out: only a pool of processes has children",
        ),
        (["--time-limit", "0"], "time_limit must be a number of seconds or a timedelta, more than zero, got 0.0"),
        (["--time-limit", "5", "--soft-time-limit", "5"], "soft_time_limit must be less than time_limit, 5 s, got 5.0"),
        (["-l", "loud"], "must be one of debug, info, warning, error, critical, got 'loud'"),
        (["-P", "fibers"], "must be one of threads, processes, asyncio, gevent, eventlet, solo, prefork, got 'fibers'"),
        (["-Q", ","], "must be names separated by commas"),
        (["--timeout", "-1"], "timeout must be a number of seconds, zero or more"),
        (["--timeout", "soon"], "timeout must be a number of seconds, zero or more, got 'soon'"),
        (["--timeout", "nan"], "timeout must be a number of seconds, zero or more"),
        (["-Z"], "unrecognized arguments: -Z"),
    ],
)
def test_wrong_options_are_explained(run: Run, module: str, words: list[str], message: str) -> None:
    status, out, err = run("worker", "-A", module, *words)
    assert (status, out) == (2, "")
    assert message in err


@pytest.mark.skipif(find_spec("gevent") is not None, reason="gevent is installed")
def test_a_library_that_is_not_installed_is_named(run: Run, module: str) -> None:
    status, out, err = run("worker", "-A", module, "-P", "gevent")
    assert (status, out) == (2, "")
    assert err == "hourwheel: the pool gevent needs gevent, which is not installed: pip install 'hourwheel[gevent]'\n"


def test_an_app_must_be_named(run: Run) -> None:
    status, _, err = run("worker")
    assert (status, err) == (2, "hourwheel: no app given: pass -A module:app, or set HOURWHEEL_APP\n")


def test_an_app_that_is_not_there_is_explained(run: Run) -> None:
    status, out, err = run("worker", "-A", "nothere")
    assert (status, out) == (2, "")
    assert "there is no module 'nothere'" in err


def test_the_store_of_the_app_must_be_usable(run: Run, tmp_path: Path) -> None:
    (tmp_path / "notes.json").write_text("hello")
    (tmp_path / "wrong.py").write_text("from hourwheel import Scheduler\napp = Scheduler('notes.json')\n")
    status, out, err = run("worker", "-A", "wrong")
    assert (status, out) == (2, "")
    assert "not an Hourwheel store" in err


def test_jobs_that_were_still_running_are_a_no(run: Run, module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Scheduler, "run", lambda self, *, timeout: [job("x", 1)])
    status, _, err = run("worker", "-A", module)
    assert (status, err) == (1, "hourwheel: 1 jobs were still running; they will be run again\n")
