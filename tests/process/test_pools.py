"""One contract for all kinds of pools: the same program in each, in a process of its own, and what came of it."""

from __future__ import annotations

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
    if kind in GREEN and find_spec(kind) is None:
        pytest.skip(f"{kind} is not installed")
    directory.mkdir(mode=0o700)
    path = os.pathsep.join(entry for entry in sys.path if entry)
    env = os.environ | {"POOL_KIND": kind, "POOL_STORE": str(directory / "tasks.json"), "PYTHONPATH": path}
    ended = subprocess.run(
        [sys.executable, str(SHOP)], env=env, capture_output=True, text=True, timeout=LONG_S, check=False
    )
    assert ended.returncode == 0, ended.stderr[-4000:]
    found: dict[str, Any] = json.loads(ended.stdout.splitlines()[-1])
    return found


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
    return tmp_path_factory.mktemp("pools")


@pytest.fixture(params=ALL)
def found(request: pytest.FixtureRequest, directory: Path) -> dict[str, Any]:
    return played(request.param, directory / request.param) | {"kind": request.param}


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
    assert found["surprised"][0] == "hourwheel.errors.SoftTimeLimitExceeded"


def test_a_job_may_call_other_tasks(found: dict[str, Any]) -> None:
    assert (found["another"], found["shared"]) == (5, "shared")


def test_hung_jobs_are_stopped_within_a_second_of_their_limit_and_cost_no_worker(found: dict[str, Any]) -> None:
    if found["kind"] not in STOPPING:
        assert "hung" not in found
        return
    assert found["hung"] == ["hourwheel.errors.TimeLimitExceeded"] * 12
    assert found["hung_for"] < 4 * (0.3 + 1.0) + 1.0
    assert found["at_once_after"] == 3


def test_a_job_that_goes_on_when_it_is_told_to_stop_loses_all_the_same(found: dict[str, Any]) -> None:
    if found["kind"] in STOPPING:
        assert found["hung_on"] == "hourwheel.errors.TimeLimitExceeded"
        assert found["hung_on_for"] < 10


def test_stop_waits_for_what_runs_and_gives_the_rest_back(found: dict[str, Any]) -> None:
    stopped, workers = found["stopped"], 1 if found["kind"] == "solo" else 3
    assert stopped["left"] == 0
    assert stopped["states"] == ["scheduled"] * 3 + ["succeeded"] * workers


def test_a_job_that_outlives_its_scheduler_is_recorded(found: dict[str, Any]) -> None:
    assert (found["stopped"]["late_left"], found["stopped"]["late_state"]) == (True, "succeeded")


def test_the_store_is_sound_afterwards(found: dict[str, Any]) -> None:
    assert found["check"] == []
