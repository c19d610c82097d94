"""``hourwheel preflight``: what the new code could not run of what the old code has promised."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from hourwheel import Scheduler
from hourwheel.cli.commands.preflight import findings_of
from hourwheel.explain.known import Judge, near
from hourwheel.job import After, Fire, Job
from hourwheel.store import JsonStore, MemoryStore

from .conftest import NOW_MS, Run, job

APP = """
from hourwheel import Scheduler

app = Scheduler("shop.json")
ran = []


@app.task(aliases=["shop.old"])
def welcome(user_id, text="x", /, *, subject=None):
    ran.append(user_id)
"""


@pytest.fixture
def shop(tmp_path: Path) -> str:
    (tmp_path / "shop.py").write_text(APP)
    return "shop"


def stored(tmp_path: Path, *jobs: Job) -> Path:
    path = tmp_path / "shop.json"
    opened = JsonStore(path, durability="os")
    opened.add(jobs, 0)
    opened.close()
    return path


def welcome(id: str, payload: str, task: str = "shop.welcome", **fields: Any) -> Job:
    return job(id, fields.pop("due_ms", NOW_MS), task=task, payload=payload, **fields)


def test_jobs_that_fit_are_fine(run: Run, tmp_path: Path, shop: str) -> None:
    path = stored(tmp_path, welcome("a", '[[1],{"subject":"x"}]'), welcome("b", '[[1,"y"],{}]'))
    status, out, err = run("preflight", "-A", shop)
    assert (status, err) == (0, "")
    assert out == f"{path}: 2 jobs pending: the app can run them all\n"


def test_jobs_of_a_task_that_is_gone_or_takes_other_arguments_are_found(run: Run, tmp_path: Path, shop: str) -> None:
    path = stored(
        tmp_path,
        welcome("a", "[[1],{}]"),
        welcome("b", "[[],{}]", due_ms=NOW_MS + 5_000),
        welcome("c", "[[],{}]", due_ms=NOW_MS - 5_000),
        welcome("d", '[[1],{"text":"x"}]'),
        welcome("e", "[[1],{}]", task="shop.mail.welcome"),
        welcome("f", "[[1],{}]", task="shop.old"),
        welcome("g", "[[1],{}]", task="zzz"),
    )
    status, out, _ = run("preflight", "-A", shop)
    assert status == 1
    assert out.splitlines() == [
        "alias: 1 job stored as shop.old will run as shop.welcome",
        (
            "shop.welcome: 2 jobs: welcome() missing 1 required positional argument: 'user_id' "
            "(such as c, due 2030-03-17 17:46:35 UTC)"
        ),
        (
            "shop.mail.welcome: 1 job: the app has no task of that name; if it is called shop.welcome now, "
            "add aliases=['shop.mail.welcome'] (such as e, due 2030-03-17 17:46:40 UTC)"
        ),
        (
            "shop.welcome: 1 job: welcome() got some positional-only arguments passed as keyword arguments: 'text' "
            "(such as d, due 2030-03-17 17:46:40 UTC)"
        ),
        "zzz: 1 job: the app has no task of that name (such as g, due 2030-03-17 17:46:40 UTC)",
        f"{path}: 7 jobs pending: 5 could not be run; nothing was changed",
    ]


def test_programs_are_told_the_same(run: Run, tmp_path: Path, shop: str) -> None:
    path = stored(
        tmp_path, welcome("e", "[[1],{}]", task="shop.mail.welcome"), welcome("f", "[[1],{}]", task="shop.old")
    )
    status, out, _ = run("preflight", "-A", shop, "--json")
    assert status == 1
    assert json.loads(out) == {
        "store": str(path),
        "sound": False,
        "pending": 2,
        "elsewhere": 0,
        "bad": 1,
        "problems": [
            {
                "task": "shop.mail.welcome", "kind": "unknown", "why": "the app has no task of that name",
                "near": ["shop.welcome"], "count": 1, "example": "e", "due_ms": NOW_MS, "due": "2030-03-17T17:46:40.250Z",
            },
        ],
        "aliases": [{"stored": "shop.old", "name": "shop.welcome", "count": 1}],
    }  # fmt: skip


def test_only_what_is_pending_is_looked_at_and_only_in_the_queues_of_the_app(
    run: Run, store: Path, tmp_path: Path
) -> None:
    """done and bad have finished, run runs, mail is of a task that nobody knows."""
    (tmp_path / "mine.py").write_text(
        f"from hourwheel import Scheduler\napp = Scheduler({str(store)!r})\n"
        "@app.task(name='app.remind')\ndef remind(user_id, text): ...\n"
    )
    module = "mine"
    status, out, _ = run("preflight", "-A", module)
    assert (status, out.splitlines()[-1]) == (1, f"{store}: 4 jobs pending: 1 could not be run; nothing was changed")
    status, out, _ = run("preflight", "-A", module, "-Q", "default")
    assert (status, out) == (
        0,
        f"{store}: 3 jobs pending, and 1 in other queues: the app can run them all\n",
    )


LIMITED = """
from hourwheel import Scheduler
app = Scheduler("shop.json", pool="processes")
@app.task(time_limit=5)
def welcome(user_id): ...
"""


def test_a_pool_that_cannot_keep_to_the_limits_is_found_with_jobs_and_without(run: Run, tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text(LIMITED)
    path = stored(tmp_path)
    assert run("preflight", "-A", "shop")[0] == 0
    status, out, _ = run("preflight", "-A", "shop", "-P", "threads")
    assert status == 1
    assert out.startswith("shop.welcome: 0 jobs: it has a time_limit, and a thread cannot be stopped")
    assert out.splitlines()[0].endswith(": a worker would not start")
    stored(tmp_path, welcome("a", "[[1],{}]"))
    status, out, _ = run("preflight", "-A", "shop", "-P", "threads")
    assert (status, out.splitlines()[-1]) == (1, f"{path}: 1 job pending: 1 could not be run; nothing was changed")


def test_another_store_may_be_held_against_the_app(run: Run, tmp_path: Path, shop: str) -> None:
    other = tmp_path / "other.json"
    JsonStore(other).close()
    assert run("preflight", "-A", shop, "--store", other)[1].startswith(f"{other}: 0 jobs pending")
    assert not (tmp_path / "shop.json").exists()


def judge(**tasks: Any) -> Judge:
    app = Scheduler(MemoryStore())
    for name, function in tasks.items():
        app.task(name=name)(function)
    app.close()
    return Judge.of(app)


def test_what_a_job_waits_for_counts_as_an_argument() -> None:
    def total(numbers: list[int]) -> None: ...

    after = After(ids=("a",), left=1, gives="results")
    asked = judge(total=total)
    assert asked.known(job("x", 1, task="total", payload="[[],{}]", after=after)).misfit is None
    assert (
        asked.known(job("x", 1, task="total", payload="[[],{}]", after=after._replace(gives="nothing"))).misfit
        is not None
    )
    assert asked.known(job("x", 1, task="total", payload="[[],{}]")).misfit is not None


def test_the_next_fire_of_a_schedule_is_held_against_the_schedule_as_it_is_now() -> None:
    """Whoever takes it calls what the schedule says by then; a schedule that is gone is a finding."""
    app = Scheduler(MemoryStore())
    app.task(name="app.clean")(lambda depth: None)
    app.add_beat_schedule({"hourly": {"task": "app.clean", "schedule": 3600, "args": (7,)}})
    planned = job("hourly@x", NOW_MS, task="app.gone", payload="[[],{}]", fire=Fire("hourly", NOW_MS, "every 60000 ms"))
    asked = Judge.of(app)
    assert asked.known(planned).sound
    taken = planned._replace(fire=planned.fire and planned.fire._replace(followed=True))
    assert asked.known(taken).name is None
    orphan = job("daily@x", NOW_MS, task="app.clean", payload="[[1],{}]", fire=Fire("daily", NOW_MS, "every 60000 ms"))
    assert asked.known(orphan).orphaned == "daily"
    found = findings_of([planned, orphan], asked)
    assert [(one.kind, one.example) for one in found.problems.values()] == [("orphaned", "daily@x")]
    app.close()


def test_arguments_that_cannot_be_read_are_a_misfit() -> None:
    known = judge(anything=lambda *args: None).known(job("x", 1, task="anything", payload="[[NaN],{}]"))
    assert known.misfit is not None
    assert known.misfit.startswith("its arguments cannot be read: ")


def test_names_that_are_near_are_of_the_same_function_or_letters() -> None:
    app = Scheduler(MemoryStore())
    for name in ("shop.mail.welcome", "shop.bills.remind", "welcome"):
        app.task(name=name, aliases=[f"{name}s"])(lambda: None)
    assert near("old.welcome", app.registry)[:2] == ("shop.mail.welcome", "welcome")
    assert near("shop.bill.remind", app.registry)[0] == "shop.bills.remind"
    assert near("zzz", app.registry) == ()
    app.close()


def test_a_hundred_thousand_jobs_take_a_question_for_each_shape(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = judge(app_remind=lambda user_id, text: None)
    task = asked._registry.get("app_remind")
    questions: list[Any] = []
    check = task.check
    monkeypatch.setattr(task, "check", lambda *args, **kwargs: (questions.append(args), check(*args, **kwargs)))
    many = [job(str(n), n, task="app_remind", payload=f'[[{n}],{{"text":"x{n}"}}]') for n in range(100_000)]
    began = time.process_time()
    found = findings_of(many, asked)
    assert (found.pending, found.bad, len(questions)) == (100_000, 0, 1)
    assert time.process_time() - began < 10
