"""One contract for all kinds of pools: the same program in each, in a process of its own, and what came of it."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

LONG_S = 100
SHOP = Path(__file__).with_name("pools") / "shop.py"
GREEN = ("gevent", "eventlet")
ALL = ("threads", "processes", "asyncio", *GREEN, "solo")
STOPPING = ("processes", "asyncio", *GREEN)
"""Kinds that hold a run to a hard limit."""


@cache
def played(kind: str, directory: Path) -> dict[str, Any]:
    """What came of the program in this kind of pool, which is run once, also for several processes of pytest."""
    if kind in GREEN and find_spec(kind) is None:
        pytest.skip(f"{kind} is not installed")
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    told = directory / "told.json"
    with (directory / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not told.exists():
            told.write_text(json.dumps(_run(kind, directory)))
    found: dict[str, Any] = json.loads(told.read_text())
    return found


def _run(kind: str, directory: Path) -> dict[str, Any]:
    path = os.pathsep.join(entry for entry in sys.path if entry)
    env = os.environ | {"POOL_KIND": kind, "POOL_STORE": str(directory / "tasks.json"), "PYTHONPATH": path}
    ended = subprocess.run(
        [sys.executable, str(SHOP)], env=env, capture_output=True, text=True, timeout=LONG_S, check=False
    )
    assert ended.returncode == 0, ended.stderr[-4000:]
    found: dict[str, Any] = json.loads(ended.stdout.splitlines()[-1])
    return found | {"kind": kind, "stdout": ended.stdout, "stderr": ended.stderr}


TASKS = """
import os
from hourwheel import Scheduler
app = Scheduler("tasks.json", durability="os")
if {coroutines}:
    @app.task
    async def note(text):
        return [text, os.getpid()]
else:
    @app.task
    def note(text):
        return [text, os.getpid()]
"""


@pytest.mark.parametrize("kind", ALL)
def test_the_worker_command_runs_jobs_in_this_kind_and_ends_at_sigterm(kind: str, tmp_path: Path) -> None:
    if kind in GREEN and find_spec(kind) is None:
        pytest.skip(f"{kind} is not installed")
    (tmp_path / "shop.py").write_text(TASKS.format(coroutines=kind == "asyncio"))
    env = os.environ | {"PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry)}
    command = [sys.executable, "-W", "ignore", "-m", "hourwheel.cli", "worker", "-A", "shop", "-P", kind]
    code = "from shop import *; import json; print(json.dumps(note.delay('x').get(timeout=60)))"
    with subprocess.Popen(command, cwd=tmp_path, env=env, stderr=subprocess.PIPE, text=True) as worker:
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=tmp_path, env=env, capture_output=True, text=True, check=False
        )
        worker.terminate()
        _, said = worker.communicate(timeout=LONG_S)
    assert done.returncode == 0, done.stderr + said
    text, pid = json.loads(done.stdout)
    assert (text, pid == worker.pid) == ("x", kind != "processes")
    assert worker.returncode == 0, said
    assert "Stopping" in said


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    base = tmp_path_factory.getbasetemp()
    return (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "pools"


@pytest.fixture(params=ALL)
def found(request: pytest.FixtureRequest, directory: Path) -> dict[str, Any]:
    return played(request.param, directory / request.param)


def test_a_function_gets_its_arguments_and_knows_its_job(found: dict[str, Any]) -> None:
    assert found["who"] is True


def test_retry_works_and_counts(found: dict[str, Any]) -> None:
    assert found["retried"] == 2


def test_what_a_function_raises_is_kept_with_the_place_where_it_was_raised(found: dict[str, Any]) -> None:
    kind, message, traceback = found["raised"]
    assert (kind, message) == ("KeyError", "KeyError: 'lamp'")
    assert "in raises" in traceback
    assert "runner.py" not in traceback


def test_sys_exit_in_a_function_ends_its_job_and_nothing_else(found: dict[str, Any]) -> None:
    assert found["exited"][:2] == ["SystemExit", "SystemExit: 3"]


def test_what_one_job_sets_in_its_context_no_other_sees(found: dict[str, Any]) -> None:
    assert set(found["marks"]) == {"clean"}


def test_as_many_jobs_run_at_once_as_there_are_workers(found: dict[str, Any]) -> None:
    assert found["at_once"] == (1 if found["kind"] == "solo" else 3)


def test_a_soft_limit_lets_the_function_clean_up(found: dict[str, Any]) -> None:
    assert found["soft"] == "cleaned up"


def test_a_soft_limit_that_is_not_caught_fails_the_job(found: dict[str, Any]) -> None:
    assert found["surprised"][0] == "hourwheel.SoftTimeLimitExceeded"


def test_a_job_may_call_other_tasks(found: dict[str, Any]) -> None:
    assert (found["another"], found["shared"]) == (5, "shared")


def test_hung_jobs_are_stopped_within_a_second_of_their_limit_and_cost_no_worker(found: dict[str, Any]) -> None:
    if found["kind"] not in STOPPING:
        assert "hung" not in found
        return
    assert found["hung"] == ["hourwheel.TimeLimitExceeded"] * 12
    assert found["hung_for"] < 4 * (0.3 + 1.0) + 1.0
    assert found["at_once_after"] == 3


def test_a_job_that_goes_on_when_it_is_told_to_stop_loses_all_the_same(found: dict[str, Any]) -> None:
    if found["kind"] in STOPPING:
        assert found["hung_on"] == "hourwheel.TimeLimitExceeded"
        assert found["hung_on_for"] < 10


def test_stop_waits_for_what_runs_and_gives_the_rest_back(found: dict[str, Any]) -> None:
    stopped, workers = found["stopped"], 1 if found["kind"] == "solo" else 3
    assert stopped["left"] == 0
    assert stopped["states"] == ["scheduled"] * 3 + ["succeeded"] * workers


def test_a_job_that_outlives_its_scheduler_is_recorded(found: dict[str, Any]) -> None:
    assert (found["stopped"]["late_left"], found["stopped"]["late_state"]) == (True, "succeeded")


def test_the_store_is_sound_afterwards(found: dict[str, Any]) -> None:
    assert found["check"] == []


# ---- what user code sees in a job ------------------------------------------------------------------------------

SELF = ["seen.about_itself", "default", 3, 1, "running", [7], {"word": "x"}, True]
OF_A_JOB: dict[str, Any] = {
    "the task's module is imported": True,
    "the default scheduler": "tasks.json",
    "environment, directory, arguments, path": True,
    "current_job() and self.request": [True, SELF, [True, 0, [7], {"word": "x"}, False], True, True],
    "tried again": [2, [1, 2], [1, 2], [0, 1]],
    "progress": {"state": "PROGRESS", "meta": {"done": 1}},
    "log lines": [
        ["seen.mail", "WARNING", "logged: hello", 3, ""],
        ["seen.mail", "ERROR", "failed: hello", None, "alueError: logged with its traceback"],
    ],
    "programs and threads that it starts": ["42", [1]],
    "cancelled while it runs": ["running", "looked", "succeeded"],
    "a large argument and result": True,
    "concurrency=1": False,
    "start() in a job": "runs already",
    "worker_process_init": [True, True, True],
}
"""The same in every pool."""
DIFFERS = ("in another process", "in its main thread", "async def", "may fork")
"""As docs/pools.md says, in its table of what differs."""
ERRORS = {
    "cause": ["ValueError", "ValueError: no lamp"],
    "note": ["ValueError", "ValueError: dark"],
    "group": ["ExceptionGroup", "ExceptionGroup: both (2 sub-exceptions)"],
    "exit": ["SystemExit", "SystemExit: enough"],
    "interrupt": ["KeyboardInterrupt", "KeyboardInterrupt"],
    "cancelled": ["asyncio.exceptions.CancelledError", "asyncio.exceptions.CancelledError"],
    "stop": ["StopIteration", "StopIteration: over"],
    "import": ["ModuleNotFoundError", "ModuleNotFoundError: No module named 'no_such_module'"],
    "deep": ["RecursionError", "RecursionError: maximum recursion depth exceeded"],
}
HOOKS = {
    "succeeds": [
        ["before_add", [], True], ["received", [], True], ["started", [], True], ["succeeded", ["list", "float"], True]
    ],
    "fails": [["before_add", []], ["received", []], ["started", []], ["failed", ["ValueError"]]],
    "is tried again": ["before_add", "received", "started", "retried", "received", "started", "succeeded"],
}  # fmt: skip


def declared() -> dict[str, dict[str, str]]:
    """By property and pool, what the table of docs/pools.md says."""
    page = (Path(__file__).parents[2] / "docs" / "pools.md").read_text()
    lines = page.partition("## What differs in a job")[2].partition("\n## ")[0].splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("|")]
    pools = [name.strip("` ") for name in rows[0][1:]]
    return {row[0].strip("`"): dict(zip(pools, row[1:], strict=True)) for row in rows[2:]}


@pytest.mark.parametrize("what", OF_A_JOB)
def test_a_job_sees_the_same_in_every_pool(found: dict[str, Any], what: str) -> None:
    assert found["seen"][what] == OF_A_JOB[what]


@pytest.mark.parametrize("what", DIFFERS)
def test_what_differs_is_as_the_page_says(found: dict[str, Any], what: str) -> None:
    seen = found["seen"]["coroutines"] != "refused" if what == "async def" else found["seen"][what]
    assert ("yes" if seen else "no") == declared()[what][found["kind"]]


def test_the_page_tells_of_every_pool_and_of_all_that_differs() -> None:
    table = declared()
    assert set(DIFFERS) <= set(table)
    assert all(list(row) == list(ALL) for row in table.values())


@pytest.mark.parametrize("how", ERRORS)
def test_an_error_is_told_with_its_type_its_words_and_its_place(found: dict[str, Any], how: str) -> None:
    assert found["seen"]["errors"][how] == [*ERRORS[how], True, True]


@pytest.mark.parametrize("what", ["cause is told", "note is told", "group is told"])
def test_what_python_tells_beside_an_error_is_told(found: dict[str, Any], what: str) -> None:
    assert found["seen"]["errors"][what] is True


@pytest.mark.parametrize("which", HOOKS)
def test_hooks_are_called_in_order_with_their_arguments_in_the_process_that_runs_the_job(
    found: dict[str, Any], which: str
) -> None:
    assert found["seen"]["hooks"][which] == HOOKS[which]


def test_as_many_jobs_as_workers_and_one_more_waited_for_others_for_ever(found: dict[str, Any]) -> None:
    workers = 1 if found["kind"] == "solo" else 3
    waited = found["seen"]["get() in as many jobs as there are workers, and one more"]
    assert waited == [n * n for n in range(workers + 1)]


def test_coroutine_functions_know_their_job_and_fail_as_functions_do(found: dict[str, Any]) -> None:
    if found["seen"]["coroutines"] != "refused":
        ran, raised, cancelled = found["seen"]["coroutines"]
        assert ran == ["seen.coroutine", 9, True]
        assert raised == ["ValueError", "ValueError: in a coroutine"]
        assert cancelled == "asyncio.exceptions.CancelledError"


def test_what_a_job_prints_and_warns_of_goes_where_the_program_prints(found: dict[str, Any]) -> None:
    assert "printed: hello" in found["stdout"].splitlines()
    assert "UserWarning: warned: hello" in found["stderr"]


def test_what_one_job_sets_in_its_context_no_other_sees_in_threads_of_the_pool_either(found: dict[str, Any]) -> None:
    assert set(found["seen"]["context variables"]) == {"clean"}
