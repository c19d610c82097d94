"""``hourwheel run-due``: one sweep, what came of it, and an exit status for cron."""

from __future__ import annotations

import json
from pathlib import Path

from hourwheel.job import Job, State
from hourwheel.store import JsonStore

from .conftest import Run
from .test_change import get

APP = """
from hourwheel import Scheduler, Snooze

app = Scheduler("due.json")


@app.task
def good(): ...


@app.task
def bad():
    raise ValueError("no")


@app.task(autoretry_for=(OSError,), max_retries=3, retry_backoff=600)
def again():
    raise OSError("no route")


@app.task
def later():
    raise Snooze(600)
"""


def due(tmp_path: Path, *tasks: str, queue: str = "default") -> Path:
    """A store with jobs of these tasks, due long ago, and one far in the future."""
    (tmp_path / "due_app.py").write_text(APP)
    path = tmp_path / "due.json"
    opened = JsonStore(path, durability="os")
    opened.add([Job(id=task, task=f"due_app.{task}", due_ms=1_000, queue=queue) for task in tasks], 0)
    opened.add([Job(id="far", task="due_app.good", due_ms=250_000_000_000_000)], 0)
    opened.close()
    return path


def test_what_is_due_is_run_and_nothing_else(run: Run, tmp_path: Path) -> None:
    path = due(tmp_path, "good")
    assert run("run-due", "-A", "due_app")[:2] == (0, "1 job was run: 1 succeeded\n")
    assert (get(path, "good").state, get(path, "far").state) == (State.SUCCEEDED, State.SCHEDULED)
    assert run("run-due", "-A", "due_app") == (0, "0 jobs were run\n", "")


def test_a_job_that_failed_for_good_is_a_no_and_one_to_be_tried_again_is_not(run: Run, tmp_path: Path) -> None:
    path = due(tmp_path, "again", "later")
    assert run("run-due", "-A", "due_app")[:2] == (0, "2 jobs were run: 1 to be retried, 1 snoozed\n")
    assert get(path, "again").attempt == 1
    due(tmp_path, "bad", "good")
    assert run("run-due", "-A", "due_app")[:2] == (1, "2 jobs were run: 1 succeeded, 1 failed\n")


def test_only_some_queues_may_be_swept_and_programs_are_told_the_counts(run: Run, tmp_path: Path) -> None:
    path = due(tmp_path, "good", queue="mail")
    nothing = {"ran": 0, "succeeded": 0, "failed": 0, "retried": 0, "snoozed": 0, "unknown": 0, "skipped": 0}
    assert json.loads(run("run-due", "-A", "due_app", "--queues", "sms", "--json")[1]) == nothing
    assert get(path, "good").state is State.SCHEDULED
    told = json.loads(run("run-due", "-A", "due_app", "-Q", "sms,mail", "--json")[1])
    assert told == {**nothing, "ran": 1, "succeeded": 1}


def test_a_job_that_the_app_does_not_know_is_given_back_and_counted(run: Run, tmp_path: Path) -> None:
    path = due(tmp_path, "nobody")
    status, out, _ = run("run-due", "-A", "due_app")
    assert (status, out) == (
        0,
        "0 jobs were run: 1 released, because the app cannot run them (`hourwheel preflight` says why)\n",
    )
    assert get(path, "nobody").state is State.SCHEDULED


def test_one_that_had_expired_is_said_to_have_ended_unrun(run: Run, tmp_path: Path) -> None:
    path = due(tmp_path)
    opened = JsonStore(path, durability="os")
    opened.add([Job(id="old", task="due_app.good", due_ms=1_000, expires_ms=2_000)], 0)
    opened.close()
    assert run("run-due", "-A", "due_app")[:2] == (0, "0 jobs were run: 1 expired or skipped\n")


def test_an_app_must_be_named_and_a_level_must_be_one(run: Run, tmp_path: Path) -> None:
    assert run("run-due") == (2, "", "hourwheel: no app given: pass -A module:app, or set HOURWHEEL_APP\n")
    due(tmp_path)
    assert "must be one of debug" in run("run-due", "-A", "due_app", "-l", "loud")[2]


def test_a_queue_that_is_mistyped_is_guessed(run: Run, module: str) -> None:
    """Its jobs would wait, and the command would say that there are none."""
    told = "hourwheel: no task of the app uses queue 'defualt'; did you mean 'default'?\n"
    assert run("run-due", "-A", module, "-Q", "defualt")[2] == told
    assert run("preflight", "-A", module, "-Q", "defualt,sms")[2] == told
    assert run("preflight", "-A", module, "-Q", "default")[2] == ""
