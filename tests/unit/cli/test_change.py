"""``hourwheel cancel`` and ``hourwheel reschedule``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hourwheel.job import Job, State
from hourwheel.store import JsonStore
from hourwheel.testing import FakeClock

from .conftest import DAY_MS, MINUTE_MS, NOW_MS, Run


def get(store: Path, id: str) -> Job:
    opened = JsonStore(store, clock=FakeClock(NOW_MS))
    found = opened.get([id])[0]
    opened.close()
    assert found is not None
    return found


def test_cancel_ends_a_scheduled_job(run: Run, store: Path) -> None:
    assert run("cancel", "soon", "--store", store) == (0, "soon: cancelled\n", "")
    found = get(store, "soon")
    assert (found.state, found.reason, found.finished_ms) == (State.CANCELLED, "cancelled by hand", NOW_MS)


def test_cancel_keeps_the_reason(run: Run, store: Path) -> None:
    run("cancel", "soon", "--store", store, "--reason", "paid")
    assert get(store, "soon").reason == "paid"


@pytest.mark.parametrize(
    ("id", "why"),
    [
        ("run", "it is running, and has been asked to stop"),
        ("done", "it has finished"),
        ("nobody", "there is no such job"),
    ],
)
def test_what_is_not_scheduled_is_not_cancelled(run: Run, store: Path, id: str, why: str) -> None:
    assert run("cancel", id, "--store", store) == (1, f"{id}: not cancelled, {why}\n", "")


def test_several_jobs_can_be_cancelled_and_one_no_is_no(run: Run, store: Path) -> None:
    status, out, _ = run("cancel", "soon", "run", "mail", "--store", store)
    assert status == 1
    assert out.splitlines() == [
        "soon: cancelled",
        "run: not cancelled, it is running, and has been asked to stop",
        "mail: cancelled",
    ]


def test_cancel_json_says_how_each_was_found(run: Run, store: Path) -> None:
    status, out, _ = run("cancel", "soon", "run", "--store", store, "--json")
    assert status == 1
    assert json.loads(out) == [
        {"id": "soon", "cancelled": True, "found": "scheduled"},
        {"id": "run", "cancelled": False, "found": "running"},
    ]


def test_reschedule_by_countdown(run: Run, store: Path) -> None:
    status, out, _ = run("reschedule", "soon", "--store", store, "--countdown", "1h30m")
    assert (status, out) == (0, "soon: due 2030-03-17 19:16:40 UTC (in 1h 30m)\n")
    assert get(store, "soon").due_ms == NOW_MS + 90 * MINUTE_MS


@pytest.mark.parametrize(
    "eta", ["2030-03-18T17:46:40.250", "2030-03-18 17:46:40.250Z", "2030-03-18T18:46:40.250+01:00"]
)
def test_reschedule_by_eta(run: Run, store: Path, eta: str) -> None:
    assert run("reschedule", "soon", "--store", store, "--eta", eta)[0] == 0
    assert get(store, "soon").due_ms == NOW_MS + DAY_MS


def test_reschedule_says_no_to_a_running_job(run: Run, store: Path) -> None:
    status, out, _ = run("reschedule", "run", "--store", store, "--countdown", "5")
    assert (status, out) == (1, "run: not rescheduled, it is running\n")


def test_reschedule_json(run: Run, store: Path) -> None:
    status, out, _ = run("reschedule", "soon", "--store", store, "--countdown", "0.5", "--json")
    told = json.loads(out)
    assert (status, told["rescheduled"], told["due_ms"], told["due"]) == (
        0,
        True,
        NOW_MS + 500,
        "2030-03-17T17:46:40.750Z",
    )


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "one of the arguments --countdown --eta is required"),
        (["--countdown", "5", "--eta", "2030-01-01"], "not allowed with"),
        (
            ["--countdown", "soon"],
            "a duration must be a number of seconds, or text such as 15m, 1h30m or 2d, got 'soon'",
        ),
        (["--countdown", "-5"], "got '-5'"),
        (["--eta", "yesterday"], "a time must be a date and time such as"),
        (["--countdown", "9999999d"], "countdown must be a time up to the year 9999"),
    ],
)
def test_wrong_times_are_explained(run: Run, store: Path, words: list[str], message: str) -> None:
    status, out, err = run("reschedule", "soon", "--store", store, *words)
    assert (status, out) == (2, "")
    assert message in err


@pytest.mark.parametrize("words", [["cancel", "soon"], ["reschedule", "soon", "--countdown", "5"], ["show", "soon"]])
def test_the_store_of_a_job_may_be_that_of_an_app(run: Run, module: str, words: list[str]) -> None:
    assert run(*words, "-A", module)[0] == 0
