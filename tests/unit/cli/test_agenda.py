"""``hourwheel agenda``: what is to come, in order, how dense, and how late."""

from __future__ import annotations

import doctest
import json
import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hourwheel import Scheduler
from hourwheel.cli.commands import agenda
from hourwheel.cli.find_app import find_app
from hourwheel.explain import plan
from hourwheel.explain.plan import durations_of, plan_of, upcoming
from hourwheel.job import Job, State
from hourwheel.store import JsonStore, MemoryStore

from .conftest import DAY_MS, MINUTE_MS, NOW_MS, Run, job

HOUR_MS = 60 * MINUTE_MS


def stored(tmp_path: Path, *jobs: Job) -> Path:
    path = tmp_path / "busy.json"
    opened = JsonStore(path, durability="os")
    opened.add(jobs, 0)
    opened.close()
    return path


def test_what_is_due_within_the_hour_is_listed_in_order(run: Run, store: Path) -> None:
    status, out, err = run("agenda", store)
    assert (status, err) == (0, "")
    lines = out.splitlines()
    assert lines[0] == "2 jobs due within 1h, 1 of them overdue"
    assert [line.split()[-3] for line in lines[2:4]] == ["late", "soon"]
    assert lines[4].startswith("load: █··············█····")
    assert lines[4].endswith("  each bar 1m, at most 1, from 2030-03-17 17:46")
    assert lines[5].startswith("forecast: 1 process of 4 workers, though none is alive now: half start ")
    assert lines[6] == "runs take: app.remind 3s"
    assert "mail" not in out
    assert run("agenda", store, "--next", "2d")[1].startswith("3 jobs due within 2d, 1 of them overdue\n")


def test_an_empty_agenda_says_so(run: Run, tmp_path: Path) -> None:
    assert run("agenda", stored(tmp_path)) == (0, "0 jobs due within 1h\n", "")


def test_only_so_many_are_listed(run: Run, tmp_path: Path) -> None:
    path = stored(tmp_path, *(job(f"n{n}", NOW_MS + n * 1000) for n in range(30)))
    assert "and 10 more; --limit 0 lists all\n" in run("agenda", path)[1]
    assert "and 27 more; --limit 0 lists all\n" in run("agenda", path, "--limit", "3")[1]
    assert "more" not in run("agenda", path, "--limit", "0")[1]


def test_what_is_paused_is_counted_and_not_listed(run: Run, store: Path) -> None:
    run("pause", "-Q", "default", "--store", store)
    assert run("agenda", store) == (0, "0 jobs due within 1h, and 2 paused\n", "")
    told = json.loads(run("agenda", store, "--json")[1])
    assert (told["jobs"], [one["id"] for one in told["paused"]], told["forecast"]) == ([], ["late", "soon"], None)


def test_too_few_workers_are_forecast_as_lateness(run: Run, tmp_path: Path) -> None:
    """62 jobs at one instant, 3 s each: two workers are 93 s at it."""
    path = stored(tmp_path, *(job(f"n{n}", NOW_MS + MINUTE_MS) for n in range(62)))

    def forecast(*words: object) -> dict[str, Any]:
        told: dict[str, Any] = json.loads(run("agenda", path, "--json", "-d", "3s", *words)[1])["forecast"]
        return told

    few, many = forecast("--workers", 2), forecast("--workers", 62)
    assert 60_000 < few["max_ms"] < 150_000
    assert few["backlog"] >= 60
    assert many["max_ms"] < 1_000
    assert (few["processes"], few["alive"], few["workers"]) == (1, 0, 2)
    assert forecast("--workers", 2, "-d", "app.remind=100ms")["max_ms"] < 10_000


def test_the_workers_are_the_app_s_if_nobody_says(run: Run, module: str) -> None:
    assert json.loads(run("agenda", "-A", module, "--json")[1])["forecast"]["workers"] == 2


def test_a_forecast_of_very_many_jobs_is_made_if_it_is_asked_for(
    run: Run, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(agenda, "_FORECAST_MOST", 1)
    assert (
        "forecast: takes a while for so many jobs; use -c N, or `hourwheel simulate`, to get one\n"
        in run("agenda", store)[1]
    )
    assert "forecast: 1 process of 8 workers, " in run("agenda", store, "-c", 8)[1]


def test_a_narrow_terminal_has_two_lines_a_job(run: Run, store: Path, terminal: Any) -> None:
    terminal(50)
    out = run("agenda", store)[1]
    assert max(map(len, out.splitlines())) <= 50
    assert "\n    app.remind(1, text='x')\n" in out


@pytest.mark.parametrize(
    "words", [["--next", "0"], ["--next", "9999999d"], ["--next", "soon"], ["-c", "0"], ["-d", "x"]]
)
def test_what_is_no_span_is_refused(run: Run, store: Path, words: list[str]) -> None:
    status, out, err = run("agenda", store, *words)
    assert (status, out) == (2, "")
    assert "must be" in err


# ---- the plan --------------------------------------------------------------------------------------------


SCHEDULED = """
from hourwheel import Scheduler, every

app = Scheduler({store!r})


@app.periodic(every(minutes=20), name="clean", args=(7,))
def clean(depth): ...
"""


def test_fires_of_schedules_are_merged_and_none_is_there_twice(run: Run, store: Path, tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text(SCHEDULED.format(store=str(store)))
    first_ms = (NOW_MS // 1_200_000 + 1) * 1_200_000
    fires, _ = upcoming(find_app("shop", str(tmp_path)), NOW_MS, NOW_MS + HOUR_MS)
    assert [one.due_ms for one in fires] == [first_ms, first_ms + 1_200_000, first_ms + 2_400_000]
    opened = JsonStore(store)
    opened.add(fires[:1], 0)
    opened.close()
    told = json.loads(run("agenda", "-A", "shop", "--json")[1])
    assert [(one["id"], one["schedule"], one["stored"]) for one in told["jobs"]] == [
        ("late", None, True),
        (fires[0].id, "clean", True),
        ("soon", None, True),
        (fires[1].id, "clean", False),
        (fires[2].id, "clean", False),
    ]  # fmt: skip
    out = run("agenda", "-A", "shop")[1]
    assert re.search(rf"{fires[2].id} +clean\(7\)\n", out)
    assert out.startswith("5 jobs due within 1h, 1 of them overdue\n")


def test_a_paused_schedule_is_counted_as_paused(run: Run, store: Path, tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text(SCHEDULED.format(store=str(store)))
    opened = JsonStore(store)
    opened.pause(["schedule:clean"])
    opened.close()
    assert run("agenda", "-A", "shop")[1].startswith("2 jobs due within 1h, 1 of them overdue, and 3 paused\n")


def test_fires_that_come_very_often_are_shown_up_to_a_limit() -> None:
    app = Scheduler(MemoryStore())
    app.task(name="tick")(lambda: None)
    app.add_beat_schedule({"tick": {"task": "tick", "schedule": 0.1}})
    fires, cut = upcoming(app, NOW_MS, NOW_MS + DAY_MS)
    assert (len(fires), len(cut)) == (10_000, 1)
    assert upcoming(None, NOW_MS, NOW_MS + DAY_MS) == ([], [])
    app.close()


@pytest.mark.parametrize(
    ("length_ms", "cells", "each_ms"),
    [
        (1_000, 1, None), (HOUR_MS, 61, MINUTE_MS), (HOUR_MS - 50_000, 60, MINUTE_MS), (2 * HOUR_MS, 61, 2 * MINUTE_MS),
        (DAY_MS, 49, 30 * MINUTE_MS), (90 * DAY_MS, 61, 36 * HOUR_MS),
    ],
)  # fmt: skip
def test_the_load_is_by_minutes_or_by_about_sixty_stretches(length_ms: int, cells: int, each_ms: int | None) -> None:
    ends = [job("a", NOW_MS - DAY_MS), job("b", NOW_MS + length_ms - 1)]
    found = plan_of(ends, [], (), NOW_MS, NOW_MS + length_ms).load()
    assert len(found) == cells
    assert {later.at_ms - earlier.at_ms for earlier, later in pairwise(found)} == ({each_ms} if each_ms else set())
    assert found[0].at_ms <= NOW_MS
    assert (found[0].due, found[-1].due, sum(one.due for one in found)) == ((1, 1, 2) if each_ms else (2, 2, 2))


def test_durations_are_means_of_what_ended() -> None:
    ended = [
        job("a", 0, state=State.SUCCEEDED, started_ms=1_000, finished_ms=2_000),
        job("b", 0, state=State.FAILED, started_ms=1_000, finished_ms=4_000),
        job("c", 0, state=State.CANCELLED, finished_ms=9_000),
        job("d", 0, state=State.SUCCEEDED, started_ms=5_000, finished_ms=4_000, task="app.back"),
    ]
    assert durations_of(ended) == {"app.remind": 2.0, "app.back": 0.0}


def test_the_examples_do_what_they_say() -> None:
    assert doctest.testmod(plan).failed == 0


def test_fires_of_a_stored_schedule_are_forecast_like_those_of_the_code(run: Run, store: Path, tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text(SCHEDULED.format(store=str(store)).replace("minutes=20", "days=1"))
    assert run("schedules", "add", "often", "--every", "20m", "--task", "clean", "--args", "[1]", "-A", "shop")[0] == 0
    told = json.loads(run("agenda", "-A", "shop", "--json")[1])
    assert sorted(one["stored"] for one in told["jobs"] if one["schedule"] == "often") == [False, False, False, True]
