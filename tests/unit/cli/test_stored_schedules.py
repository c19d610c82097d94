"""``hourwheel schedules add``, ``change``, ``remove``, ``pause`` and ``resume``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hourwheel import Scheduler
from hourwheel.store import JsonStore
from hourwheel.testing import FakeClock

from .conftest import APP, NOW_MS, Run

NEW = ("schedules", "add", "clean", "--task", "app.clean")


def test_a_schedule_is_added_listed_paused_resumed_and_removed(run: Run, store: Path) -> None:
    at = ("--store", store)
    status, out, _ = run(*NEW, "--every", "5m", "--args", "[1]", *at)
    assert (status, out) == (0, "clean: every 5 minutes, next 2030-03-17 17:50:00 UTC (in 3m 19s)\n")
    assert run("schedules", "pause", "clean", *at) == (0, "clean: paused\n", "")
    assert run("schedules", "pause", "clean", *at) == (0, "clean: already paused\n", "")
    assert run("schedules", store)[1].startswith("clean  every 5 minutes  2030-03-17 17:50:00 UTC (in 3m 19s)")
    assert run("schedules", store)[1].rstrip().endswith("stored, paused")
    assert run("schedules", "resume", "clean", *at)[:2] == (0, "clean: resumed\n")
    assert run("schedules", "remove", "clean", *at)[:2] == (0, "clean: removed\n")
    assert run("schedules", store)[1] == "no schedules\n"
    for verb in ("remove", "pause", "resume"):
        assert run("schedules", verb, "clean", *at)[:2] == (1, "clean: no such schedule\n")


def test_a_schedule_is_changed_and_keeps_what_is_not_given(run: Run, store: Path) -> None:
    at = ("--store", store)
    run(*NEW, "--every", "5m", "--args", "[1]", "--kwargs", '{"deep": true}', "--max-instances", "2", *at)
    change = ("schedules", "change", "clean")
    assert run(*change, "--every", "10m", *at) == (
        0,
        "clean: every 10 minutes, next 2030-03-17 18:00:00 UTC (in 13m 19s)\n",
        "",
    )
    status, out, _ = run(*change, "--args", "[2]", "--task", "app.sweep", "--json", *at)
    assert (status, json.loads(out)["task"], json.loads(out)["words"]) == (0, "app.sweep", "every 10 minutes")
    clock, ran = FakeClock(NOW_MS), list[object]()
    opened = JsonStore(store, durability="os", clock=clock)
    app = Scheduler(opened, clock=clock)
    app.task(name="app.sweep")(lambda *args, **kwargs: ran.append((args, kwargs)))
    clock.advance(800)
    app.run_due()
    assert ran == [((2,), {"deep": True})]
    opened.close()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "pass what is to change, such as --every 10m"),
        (("--at", "07:30"), "pass --at together with --every or --cron"),
        (("--times", "3", "--args", "[2]"), "pass --times together with --every or --cron"),
        (("--every", "60", "--cron", "@daily"), "pass --every or --cron, not both"),
        (("--max-instances", "0"), "must be a whole number"),
        (("--every", "90m", "--at", "07:30"), "whole days"),
    ],
)
def test_a_change_that_cannot_be_made_changes_nothing(run: Run, store: Path, words: tuple[str, ...], said: str) -> None:
    run(*NEW, "--every", "5m", "--args", "[1]", "--store", store)
    before = run("schedules", store, "--json")[1]
    status, _, err = run("schedules", "change", "clean", *words, "--store", store)
    assert (status, said in err) == (2, True), err
    assert run("schedules", store, "--json")[1] == before


def test_who_changes_a_schedule_that_is_not_there_is_told(run: Run, store: Path) -> None:
    status, _, err = run("schedules", "change", "clean", "--every", "5m", "--store", store)
    assert status != 0
    assert "the store has no schedule named 'clean'" in err


def test_it_fires_in_a_process_that_knows_the_task(run: Run, store: Path) -> None:
    run(*NEW, "--every", "5m", "--args", "[1]", "--kwargs", '{"deep": true}', "--store", store)
    clock, ran = FakeClock(NOW_MS), list[object]()
    opened = JsonStore(store, durability="os", clock=clock)
    app = Scheduler(opened, clock=clock)
    app.task(name="app.clean")(lambda *args, **kwargs: ran.append((args, kwargs)))
    clock.advance(300)
    app.run_due()
    assert ran == [((1,), {"deep": True})]
    assert opened.check() == []
    opened.close()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ("--cron", "30 7 * * mon-fri", "--timezone", "Europe/Berlin"),
            "every Monday to Friday at 07:30 (Europe/Berlin)",
        ),
        (("--every", "2d", "--at", "07:30"), "every 2 days at 07:30 (UTC)"),
        (("--every", "60", "--times", "3"), "every minute, from 2030-03-17 17:46:40.250 UTC, 3 times"),
        (("--every", "60", "--jitter", "5"), "every minute, delayed by up to 5 seconds"),
        (
            ("--cron", "@daily", "--start", "2031-01-01", "--end", "2032-01-01"),
            "every day at 00:00 (UTC), from 2031-01-01 00:00 UTC, until 2032-01-01 00:00 UTC",
        ),
    ],
)
def test_what_every_and_crontab_can_do_can_be_said(run: Run, store: Path, words: tuple[str, ...], said: str) -> None:
    status, out, _ = run(*NEW, *words, "--store", store, "--json")
    assert (status, json.loads(out)["words"]) == (0, said)


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ((), "pass --every or --cron"),
        (("--every", "5m", "--cron", "@daily"), "pass --every or --cron"),
        (("--every", "5m", "--at", "07:30"), "--at needs an interval of whole days"),
        (("--cron", "@daily", "--at", "07:30"), "pass --at with --every"),
        (("--cron", "61 * * * *"), "minute must be made of numbers"),
        (("--every", "5m", "--timezone", "UTC"), "timezone must be left out"),
        (("--every", "5m", "--times", "0"), "times must be a whole number"),
        (("--every", "5m", "--max-instances", "0"), "max_instances must be a whole number"),
        (("--every", "5m", "--args", "7"), "must be a JSON list"),
        (("--every", "5m", "--end", "2020-01-01"), "schedule must be one that fires from now on"),
    ],
)
def test_what_cannot_be_meant_is_refused_and_nothing_is_stored(
    run: Run, store: Path, words: tuple[str, ...], why: str
) -> None:
    status, _, err = run(*NEW, *words, "--store", store)
    assert status == 2
    assert why in err
    assert run("schedules", store)[1] == "no schedules\n"


def test_a_name_is_given_once(run: Run, store: Path) -> None:
    run(*NEW, "--every", "5m", "--store", store)
    status, _, err = run(*NEW, "--every", "6m", "--store", store)
    assert status == 2
    assert "name must be new: the store has a schedule of that name" in err


def test_with_the_app_its_tasks_and_arguments_are_checked(run: Run, module: str) -> None:
    add = ("-A", module, "schedules", "add", "x", "--every", "5m", "--task")
    status, _, err = run(*add, "shop_tasks.remin")
    assert status == 2
    assert "the app has no task shop_tasks.remin; did you mean shop_tasks.remind?" in err
    status, _, err = run(*add, "shop_tasks.remind")
    assert status == 2
    assert "shop_tasks.remind cannot be called with these arguments" in err
    assert run(*add, "shop_tasks.remind", "--args", "[1]")[0] == 0
    rows = json.loads(run("schedules", "-A", module, "--json")[1])
    shown = [(row["name"], row["task"], row["stored"], row["unknown"], row["unregistered"]) for row in rows]
    assert shown == [("x", "shop_tasks.remind", True, False, False)]


def test_the_store_of_an_app_that_has_not_run_yet_is_made(run: Run, tmp_path: Path) -> None:
    """As `hourwheel call` makes it; but none that is named by its path, which may be a mistake."""
    (tmp_path / "fresh.py").write_text(APP.format(store="fresh.json"))
    assert (
        run("schedules", "add", "x", "--every", "5m", "--task", "fresh.remind", "--args", "[1]", "-A", "fresh")[0] == 0
    )
    assert run("schedules", "fresh.json")[1].startswith("x  every 5 minutes")
    assert run(*NEW, "--every", "5m", "--store", "none.json")[0] == 2
    assert not (tmp_path / "none.json").exists()


def test_a_task_that_the_app_does_not_have_is_shown_as_unregistered(run: Run, store: Path, module: str) -> None:
    run(*NEW, "--every", "5m", "--store", store)
    assert "unregistered: the app does not have its task" in run("schedules", "-A", module)[1]
    found = json.loads(run("preflight", "-A", module, "--json")[1])
    assert [problem["task"] for problem in found["problems"]].count("hourwheel.schedule") == 0
    assert "app.clean" in [problem["task"] for problem in found["problems"]]


def test_what_the_code_defines_is_not_removed_from_outside(run: Run, store: Path, module: str, tmp_path: Path) -> None:
    with (tmp_path / "shop_tasks.py").open("a") as file:
        file.write('\napp.periodic(60, name="coded")(lambda: None)\n')
    status, _, err = run("schedules", "remove", "coded", "-A", module)
    assert status == 2
    assert "schedule coded is defined in the code" in err


def test_its_definition_says_what_it_is(run: Run, store: Path) -> None:
    run(*NEW, "--every", "5m", "--store", store)
    jobs = json.loads(run("jobs", store, "--json")[1])
    id = next(job["id"] for job in jobs if job["task"] == "hourwheel.schedule")
    out = run("why", id, "--store", store)[1]
    assert "definition of schedule clean (every 5 minutes)" in out
    assert "It is the definition of schedule clean: data, which is never due." in out


def test_a_file_of_the_name_of_a_command_can_be_listed_all_the_same(run: Run, store: Path, tmp_path: Path) -> None:
    store.rename(tmp_path / "add")
    assert run("schedules", "./add") == (0, "no schedules\n", "")


def test_the_store_may_stand_before_the_name_as_for_every_command(run: Run, store: Path) -> None:
    assert run("schedules", "add", store, "clean", "--task", "app.clean", "--every", "5m")[0] == 0
    assert run("schedules", "pause", store, "clean")[1] == "clean: paused\n"
    assert run("schedules", "remove", store, "clean")[1] == "clean: removed\n"
    status, _, err = run("schedules", "remove", store)
    assert (status, "pass the names of schedules" in err) == (2, True)
