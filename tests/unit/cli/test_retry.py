"""``hourwheel retry``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hourwheel.job import State
from hourwheel.store import JsonStore
from hourwheel.testing import FakeClock

from .conftest import MINUTE_MS, NOW_MS, Run, job
from .test_change import get

BOTH = "pass ids of jobs, or options that choose jobs, not both"


def test_retry_schedules_a_failed_job_once_more(run: Run, store: Path) -> None:
    assert run("retry", "bad", "--store", store) == (0, "bad: scheduled again\n", "")
    found = get(store, "bad")
    assert (found.state, found.due_ms, found.attempt) == (State.SCHEDULED, NOW_MS, 0)


def test_retry_may_wait(run: Run, store: Path) -> None:
    run("retry", "bad", "done", "--countdown", "1m", "--store", store)
    assert get(store, "bad").due_ms == get(store, "done").due_ms == NOW_MS + MINUTE_MS


@pytest.mark.parametrize(
    ("id", "why"),
    [("run", "it is running"), ("soon", "it is already scheduled"), ("nobody", "there is no such job")],
)
def test_what_has_not_finished_is_not_scheduled_once_more(run: Run, store: Path, id: str, why: str) -> None:
    before = get(store, "soon")
    assert run("retry", id, "--store", store) == (1, f"{id}: not scheduled, {why}\n", "")
    assert get(store, "soon") == before


def test_all_that_failed_can_be_run_once_more(run: Run, store: Path) -> None:
    assert run("retry", "--failed", "--task", "app.other", "--store", store)[:2] == (0, "no jobs\n")
    status, out, _ = run("retry", "--failed", "--store", store, "--json", "--yes")
    assert (status, json.loads(out)) == (0, {"chosen": 1, "scheduled_again": 1, "left": {}})
    assert get(store, "bad").state is State.SCHEDULED
    assert get(store, "done").state is State.SUCCEEDED


def test_a_job_whose_key_is_taken_is_not_scheduled_and_the_holder_is_named(run: Run, store: Path) -> None:
    run("cancel", "mail", "--store", store)
    opened = JsonStore(store, clock=FakeClock(NOW_MS))
    opened.add([job("newer", NOW_MS + MINUTE_MS, key="m")], 0)
    opened.close()
    status, out, _ = run("retry", "mail", "--store", store)
    assert (status, out) == (1, "mail: not scheduled, key 'm' is held by job newer, which is scheduled\n")


@pytest.mark.parametrize(
    ("words", "advice"),
    [
        ([], "pass ids of jobs, or options that choose jobs, such as --queue or --error; --all for all"),
        (["bad", "--failed"], f"{BOTH}; 'bad' is taken for an id, as there is no store at that path"),
        (["bad", "--dry-run"], f"{BOTH}; 'bad' is taken for an id, as there is no store at that path"),
        (["bad", "--limit", "1"], f"{BOTH}; 'bad' is taken for an id, as there is no store at that path"),
        (["--state", "running"], "retry is not for running jobs; use --state cancelled,expired,failed,succeeded"),
    ],
)
def test_what_is_not_clear_is_refused(run: Run, store: Path, words: list[str], advice: str) -> None:
    status, _, err = run("retry", *words, "--store", store)
    assert status == 2
    assert err == f"hourwheel: {advice}\n"
    assert get(store, "bad").state is State.FAILED


@pytest.mark.parametrize("words", [["bad"], ["--failed", "--yes"]])
def test_a_time_that_cannot_be_shown_is_refused(run: Run, store: Path, words: list[str]) -> None:
    """The job was stored, and from then on `hourwheel jobs` ended with an OverflowError."""
    status, _, err = run("retry", *words, "--store", store, "--countdown", "99999999d")
    assert (status, "countdown must be a time up to the year 9999" in err) == (2, True)
    assert get(store, "bad").state is State.FAILED
    assert run("jobs", store)[0] == 0
