"""``hourwheel why``: the life of a job in a real store, and the facts that its reasons come from."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hourwheel import Scheduler
from hourwheel.cli.commands.why import life
from hourwheel.explain.facts import facts_of
from hourwheel.explain.processes import processes_of
from hourwheel.job import After, Bound, Failed, Failure, Fire, Job, Retried, State, Succeeded
from hourwheel.store import JsonStore, MemoryStore
from hourwheel.testing import FakeClock
from hourwheel.turn import Keep, effects

from .conftest import DAY_MS, MINUTE_MS, NOW_MS, Run, job


def opened(path: Path) -> JsonStore:
    return JsonStore(path, durability="os", clock=FakeClock(NOW_MS))


def test_a_job_that_is_to_come(run: Run, store: Path) -> None:
    status, out, err = run("why", "soon", "--store", store)
    assert (status, err) == (0, "")
    assert out.splitlines() == [
        "id        soon",
        "call      app.remind(1, text='x')",
        "state     scheduled",
        "          2030-03-17 17:45:40.250 UTC (1m ago)          accepted into queue default",
        "          2030-03-17 18:01:12.250 UTC (in 14m 32s)      due: slot 72 of cycle 527778",
        "why       It is not due yet: it is due in 14m 32s, at 2030-03-17 18:01:12 UTC.",
        (
            "besides   No process is alive that takes jobs from this store (the last was taken 5s ago): "
            "start one with `hourwheel worker`, app.start() or `hourwheel run-due`."
        ),
    ]


def test_a_job_that_failed_and_one_that_succeeded(run: Run, store: Path) -> None:
    out = run("why", "bad", "--store", store)[1]
    assert "attempt 1 started\n" in out
    assert re.search(r"\(2s ago\) +failed: ValueError: no\n", out)
    assert "why       It has run and failed 2s ago, in its first attempt: ValueError: no." in out
    assert 'succeeded: {"sent":true}\n' in run("why", "done", "--store", store)[1]


def test_a_job_of_a_process_that_has_died(run: Run, store: Path) -> None:
    out = run("why", "run", "--store", store)[1]
    assert "attempt 1 started by worker-a\n" in out
    assert "why       Its process has died: worker-a took it 5s ago" in out


def test_an_unknown_job_is_a_no(run: Run, store: Path) -> None:
    status, out, err = run("why", "nobody", "--store", store)
    assert (status, out) == (1, "")
    assert err == "hourwheel: no job nobody: it never existed, or its result_ttl is over\n"


def test_for_programs(run: Run, store: Path, module: str) -> None:
    told = json.loads(run("why", "mail", "-A", module, "--json")[1])
    assert told["job"]["id"] == "mail"
    assert told["life"][0]["what"] == "accepted into queue mail, priority 3, key m"
    assert told["life"][1] == {
        "at_ms": NOW_MS + DAY_MS,
        "at": "2030-03-18T17:46:40.250Z",
        "what": "due: slot 2800 of cycle 527801",
    }
    assert told["task"] == {"name": None, "near": [], "misfit": None, "refusal": None, "orphaned": None}
    assert [(one["owner"], one["alive"]) for one in told["processes"]] == [("worker-a", False)]
    assert told["reasons"][0].startswith("It is not due yet")
    assert told["reasons"][-1].startswith("The app does not know its task app.mail.")


def test_an_alias_is_shown_by_its_new_name(run: Run, store: Path, tmp_path: Path) -> None:
    (tmp_path / "renamed.py").write_text(
        f"from hourwheel import Scheduler\napp = Scheduler({str(store)!r})\n"
        "@app.task(aliases=['app.remind'])\ndef remember(user_id, text): ...\n"
    )
    out = run("why", "late", "-A", "renamed")[1]
    assert "task      renamed.remember; app.remind is an alias of it\n" in out
    assert "does not know" not in out


def test_an_app_beside_another_store_says_whether_it_knows_the_task(run: Run, store: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere.py").write_text("from hourwheel import Scheduler\napp = Scheduler('none.json')\n")
    assert "does not know its task app.remind" in run("why", "late", "--store", store, "-A", "elsewhere")[1]
    assert not (tmp_path / "none.json").exists()


# ---- its life --------------------------------------------------------------------------------------------


def words(found: Job) -> list[str]:
    return [what for _, what in life(found)]


def test_a_life_with_everything_in_it_is_told_in_order() -> None:
    lived = job(
        "x", NOW_MS, state=State.RUNNING, attempt=3, owner="web-1", started_ms=NOW_MS + 1_000, crashes=1, note='{"done":3}',
        error=Failure("OSError", "no route"), cancel_ms=NOW_MS + 3_000, reason="paid", expires_ms=NOW_MS + 9_000,
    )  # fmt: skip
    assert words(lived) == [
        "accepted into queue default",
        f"due again: slot {lived.slot} of cycle {lived.cycle}",
        "attempt 3 started by web-1",
        "its worker died 1 of at most 3 times",
        "last error: OSError: no route",
        'progress: {"done":3}',
        "asked to stop: paid",
        "expires: ends unrun if it has not started",
    ]
    instants = [at_ms for at_ms, _ in life(lived) if at_ms is not None]
    assert instants == sorted(instants)


def test_a_retry_comes_after_the_attempt_that_failed() -> None:
    again = job("x", NOW_MS + 8_000, attempt=1, started_ms=NOW_MS, error=Failure("OSError", "no route"))
    assert [what.partition(":")[0] for what in words(again)] == [
        "accepted into queue default",
        "attempt 1 started",
        "last error",
        "due again",
    ]


def test_one_that_waits_has_no_due_instant_and_one_given_back_no_attempt() -> None:
    waits = job("x", 253_402_300_799_999, after=After(ids=("a", "b"), left=2))
    assert words(waits)[1] == "due when 2 of 2 jobs that it waits for have ended"
    back = job("x", NOW_MS, started_ms=NOW_MS, reason="the worker stopped before it began")
    assert words(back)[2:] == [
        "claimed and released: that attempt does not count",
        "postponed: the worker stopped before it began",
    ]


# ---- the facts -------------------------------------------------------------------------------------------


def limited(id: str, due_ms: int, *bounds: Bound, **fields: Any) -> Job:
    return job(id, due_ms, limits=bounds, **fields)


def test_the_holders_of_a_limit_are_found(store: Path) -> None:
    with_limits = opened(store)
    two = Bound("smtp", 2)
    with_limits.add([limited(f"n{n}", NOW_MS - 4_000 + n, two) for n in range(3)], 0)
    with_limits.claim("me", NOW_MS - 3_000, 10)
    left = with_limits.get(["n2"])[0]
    assert left is not None
    found = facts_of(left, with_limits, None, NOW_MS)
    assert [one.id for one in found.holders["smtp"]] == ["n0", "n1"]
    with_limits.close()


def test_a_rate_opens_when_the_store_lets_the_next_one_start(store: Path) -> None:
    """The estimate is the very instant at which the store gives the job away."""
    with_limits = opened(store)
    rate = Bound("task:app.sms", 7, 60_000)
    with_limits.add([limited(f"n{n}", NOW_MS - 4_000 + n, rate, task="app.sms") for n in range(2)], 0)
    assert [claim.job.id for claim in with_limits.claim("me", NOW_MS, 10) if claim.job.task == "app.sms"] == ["n0"]
    left = with_limits.get(["n1"])[0]
    assert left is not None
    opens_ms = facts_of(left, with_limits, None, NOW_MS).opens_ms["task:app.sms"]
    assert NOW_MS + 8_571 <= opens_ms <= NOW_MS + 8_572
    assert [claim.job.id for claim in with_limits.claim("me", opens_ms - 2, 10) if claim.job.task == "app.sms"] == []
    assert [claim.job.id for claim in with_limits.claim("me", opens_ms, 10) if claim.job.task == "app.sms"] == ["n1"]
    with_limits.close()


def test_a_rate_of_which_nothing_has_started_is_open(store: Path) -> None:
    with_limits = opened(store)
    waiting = limited("n", NOW_MS - 1, Bound("shared", 1, 60_000))
    with_limits.add([waiting], 0)
    assert facts_of(waiting, with_limits, None, NOW_MS).opens_ms == {"shared": 0}
    with_limits.close()


def test_what_goes_before_it_is_counted_but_not_what_is_paused() -> None:
    memory = MemoryStore()
    memory.add([
        job("it", NOW_MS - 1_000), job("earlier", NOW_MS - 2_000), job("later", NOW_MS - 500), job("first", NOW_MS - 1, priority=1),
        job("held", NOW_MS - 9_000, queue="mail"), job("held too", NOW_MS - 9_000, task="app.x"), job("last", NOW_MS - 9_000, priority=-1),
    ], 0)  # fmt: skip
    memory.pause(["queue:mail", "task:app.x"])
    it = memory.get(["it"])[0]
    assert it is not None
    found = facts_of(it, memory, None, NOW_MS)
    assert (found.ahead, found.running, found.processes) == (2, 0, None)
    assert found.paused == {"queue:mail", "task:app.x"}


def test_what_the_app_says_and_what_it_waits_for_are_facts() -> None:
    memory = MemoryStore()
    app = Scheduler(memory, queues=["mail"], clock=FakeClock(NOW_MS))
    memory.add([
        job("first", NOW_MS + MINUTE_MS, wakes=("then",)),
        job("then", 253_402_300_799_999, after=After(ids=("first", "gone"), left=2)),
    ], 0, fresh=True)  # fmt: skip
    then = memory.get(["then"])[0]
    assert then is not None
    found = facts_of(then, memory, app, NOW_MS)
    assert [(id, one and one.id) for id, one in found.before] == [("first", "first"), ("gone", None)]
    assert found.known is not None
    assert (found.known.name, found.queues) == (None, {"mail"})
    app.close()


def test_a_retry_and_progress_of_a_real_store_are_told(run: Run, store: Path) -> None:
    with_more = opened(store)
    with_more.add([job("again", NOW_MS - 3_000), job("far", NOW_MS - 3_000)], 0)
    claims = {claim.job.id: claim for claim in with_more.claim("me", NOW_MS - 1_000, 10)}
    with_more.settle(
        effects(
            [
                (claims["again"], Retried(due_ms=NOW_MS + 8_000, error=Failure("OSError", "no route"))),
                (claims["late"], Succeeded()),
                (claims["run"], Failed(error=Failure("E", "x"))),
            ]
        ),
        NOW_MS,
    )
    with_more.settle([(claims["far"], Keep(note='{"done":3}'))], NOW_MS)
    with_more.close()
    assert (
        "why       It is tried again in 8s, at 2030-03-17 17:46:48 UTC: 1 attempt failed, the last by OSError: no route."
        in run("why", "again", "--store", store)[1]
    )
    assert 'progress: {"done":3}\n' in run("why", "far", "--store", store)[1]


SCHEDULED = """
from hourwheel import Scheduler, every

app = Scheduler({store!r})
app.add_beat_schedule({{{name!r}: {{"task": "app.clean", "schedule": every(hours=1)}}}})


@app.task(name="app.clean")
def clean(): ...
"""


def fire(schedule: str, due_ms: int, **fields: Any) -> Job:
    told = Fire(schedule, due_ms, "every 3600000 ms", **fields)
    return job(f"{schedule}@x", due_ms, task="app.clean", payload="[[],{}]", key=f"schedule:{schedule}", fire=told)


def test_a_fire_is_told_as_one_and_an_app_without_its_schedule_says_so(run: Run, store: Path, tmp_path: Path) -> None:
    with_fire = opened(store)
    with_fire.add([fire("hourly", NOW_MS + 60_000)], 0)
    with_fire.pause(["schedule:hourly"])
    with_fire.close()
    (tmp_path / "with_it.py").write_text(SCHEDULED.format(store=str(store), name="hourly"))
    (tmp_path / "without.py").write_text(SCHEDULED.format(store=str(store), name="daily"))
    out = run("why", "hourly@x", "-A", "with_it")[1]
    assert "accepted into queue default\n" in out
    assert "fire of schedule hourly (every hour); the next one is added when this one is claimed\n" in out
    assert "besides   Its schedule hourly is paused: `hourwheel resume --schedule hourly` resumes it.\n" in out
    assert "has no schedule" not in out
    assert "besides   The app has no schedule hourly, so this fire waits" in run("why", "hourly@x", "-A", "without")[1]


def test_a_fire_that_stands_for_others_says_so() -> None:
    assert words(fire("hourly", NOW_MS, followed=True, missed=3))[1] == (
        "fire of schedule hourly (every hour), in place of 3 more that were missed"
    )


# ---- processes -------------------------------------------------------------------------------------------

WORKER = """
import sys
from hourwheel.store import JsonStore
store = JsonStore(sys.argv[1], durability="os")
store.claim(sys.argv[2], 0, 0)
print("ready", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def worker(store: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that takes jobs from the store in the name of web-1."""
    env = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    process = subprocess.Popen(
        [sys.executable, "-c", WORKER, str(store), "web 1"],
        env=env,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    yield process
    process.kill()
    process.communicate()


def test_a_process_that_takes_jobs_is_found_and_seen_to_stop_and_to_die(
    store: Path, worker: subprocess.Popen[str]
) -> None:
    looking = opened(store)
    (found,) = (one for one in processes_of(looking) or [] if one.owner == "web 1")
    assert (found.alive, found.pid, found.stopped) == (True, worker.pid, False)
    assert found.command.startswith(sys.executable)
    assert found.since_ms is not None
    worker.send_signal(signal.SIGSTOP)
    os.waitpid(worker.pid, os.WUNTRACED)
    (found,) = (one for one in processes_of(looking) or [] if one.owner == "web 1")
    assert (found.alive, found.stopped) == (True, True)
    worker.kill()
    worker.wait()
    (found,) = (one for one in processes_of(looking) or [] if one.owner == "web 1")
    assert (found.alive, found.pid, found.command) == (False, None, "")
    looking.close()


def test_why_names_the_processes_that_live(run: Run, store: Path, worker: subprocess.Popen[str]) -> None:
    out = run("why", "late", "--store", store)[1]
    assert "It has been due for 3m 2s: no job goes before it, and 0 jobs run now." in out
    assert f"web 1 (pid {worker.pid}: {sys.executable}" in out
    (told,) = (
        one for one in json.loads(run("why", "late", "--store", store, "--json")[1])["processes"] if one["alive"]
    )
    assert (told["owner"], told["pid"], told["stopped"], told["queues"]) == ("web 1", worker.pid, False, None)


def test_a_store_without_life_signs_tells_of_no_processes() -> None:
    assert processes_of(MemoryStore()) is None
