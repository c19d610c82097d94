"""Worker processes: how they die, and what that costs; that they leave with their parent; how long they live."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hourwheel.kernel import _PRCTL

from tests.kit.kernel import children_of, lives

LONG_S = 60.0

SHOP = """
import ctypes, json, logging, os, signal, subprocess, sys, time
from hourwheel import Scheduler

app = Scheduler("tasks.json", workers=2, pool="processes", durability="os", **json.loads(os.environ.get("POOL", "{}")))

@app.task
def segfault():
    os.kill(os.getpid(), signal.SIGSEGV)

@app.task
def leaves(status=0):
    os._exit(status)

@app.task(max_crashes=1)
def leaves_once():
    os._exit(1)

@app.task
def holds(gil_s):
    ctypes.PyDLL(None).usleep(int(gil_s * 1_000_000))  # without letting go of the interpreter
    return os.getpid()

@app.task
def pid(seconds=0.0):
    time.sleep(seconds)
    return os.getpid()

@app.task
def grows(mib):
    global kept
    kept = b"x" * (mib << 20)
    return os.getpid()

@app.task(time_limit=0.5)
def starts_a_program():
    with open("program", "w") as file:
        file.write(str(subprocess.Popen(["sleep", "60"]).pid))
    time.sleep(60)

@app.task
def prints_and_logs():
    print("printed by the child")
    logging.getLogger("shop.mail").warning("logged by %s", "the child")
    logging.getLogger("shop.mail").info("not shown")
"""


def play(directory: Path, code: str, **pool: Any) -> Any:
    """Run code beside the shop, with its app running; what it leaves in ``told``, and stderr."""
    (directory / "shop.py").write_text(SHOP)
    body = "\n".join("        " + line for line in code.strip().splitlines())
    (directory / "program.py").write_text(
        "import json, logging, os, signal, sys, time\nfrom shop import *\n"
        f"if __name__ == '__main__':\n    told = {{}}\n    with app:\n{body}\n    told['check'] = app.store.check()\n"
        "    print('told', json.dumps(told))\n"
    )
    ended = subprocess.run(
        [sys.executable, "program.py"], cwd=directory, env=environ(directory, **pool),
        capture_output=True, text=True, timeout=LONG_S, check=False,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    told = json.loads(ended.stdout.splitlines()[-1].removeprefix("told "))
    assert told.pop("check") == []
    return told, ended.stdout, ended.stderr


def environ(directory: Path, **pool: Any) -> dict[str, str]:
    path = os.pathsep.join(entry for entry in sys.path if entry)
    return os.environ | {"PYTHONPATH": path, "POOL": json.dumps(pool)}


def until(condition: Callable[[], object], what: str) -> None:
    end = time.monotonic() + LONG_S
    while not condition():
        assert time.monotonic() < end, f"never came to pass: {what}"
        time.sleep(0.01)


def test_a_death_costs_one_attempt_of_one_job_and_a_killer_is_set_aside(tmp_path: Path) -> None:
    told, _, err = play(
        tmp_path,
        """
killers = [segfault.delay(), leaves.delay(0), leaves.delay(7), leaves_once.delay()]
others = [pid.delay(0.02) for _ in range(40)]
told["others"] = [[one.get(timeout=30) > 0, one.job().attempt, one.job().crashes] for one in others]
for one in killers:
    try:
        one.get(timeout=30)
    except Exception as error:
        pass
told["killers"] = [[one.state, one.job().crashes, one.job().attempt, one.job().error.type] for one in killers]
told["reasons"] = [one.job().reason for one in killers]
""",
    )
    assert told["others"] == [[True, 1, 0]] * 40
    assert told["killers"] == [["failed", 3, 3, "WorkerCrashed"]] * 3 + [["failed", 1, 1, "WorkerCrashed"]]
    assert told["reasons"] == [
        "its worker process was killed by SIGSEGV",
        "its worker process exited with status 0",
        "its worker process exited with status 7",
        "its worker process exited with status 1",
    ]
    assert err.count("crashed: its worker process") == 10


def test_a_process_killed_while_it_has_nothing_to_do_costs_no_attempt(tmp_path: Path) -> None:
    told, _, _ = play(
        tmp_path,
        """
for child in {pid.delay(0.2).get(timeout=30) for _ in range(2)} | {r.get(timeout=30) for r in [pid.delay(0.2), pid.delay(0.2)]}:
    os.kill(child, signal.SIGKILL)
results = [pid.delay() for _ in range(10)]
told["found"] = [[one.get(timeout=30) > 0, one.job().attempt, one.job().crashes] for one in results]
""",
    )
    assert told["found"] == [[True, 1, 0]] * 10


def test_a_job_that_holds_the_interpreter_stops_neither_the_ticker_nor_others(tmp_path: Path) -> None:
    told, _, _ = play(
        tmp_path,
        """
pid.delay().get(timeout=30)
hog = holds.delay(2)
while not app.life.ticker.pool.running():
    time.sleep(0.01)
told["quick"] = [pid.delay().get(timeout=30) > 0 for _ in range(20)]
told["hog"] = hog.state
hog.get(timeout=30)
""",
    )
    assert told == {"quick": [True] * 20, "hog": "running"}


def test_a_process_is_replaced_after_max_tasks_per_child_jobs(tmp_path: Path) -> None:
    told, _, _ = play(
        tmp_path, "told['pids'] = [pid.delay().get(timeout=30) for _ in range(12)]", max_tasks_per_child=3
    )
    counts = [told["pids"].count(one) for one in set(told["pids"])]
    assert max(counts) <= 3
    assert sum(counts) == 12


def test_a_process_that_has_grown_too_large_is_replaced_after_its_job(tmp_path: Path) -> None:
    told, _, _ = play(
        tmp_path,
        """
large = grows.delay(200).get(timeout=30)
told["again"] = large in [pid.delay(0.05).get(timeout=30) for _ in range(6)]
""",
        max_memory_per_child=150_000,
    )
    assert told == {"again": False}


def test_programs_that_a_job_has_started_are_killed_with_it_at_the_hard_limit(tmp_path: Path) -> None:
    play(
        tmp_path,
        """
pid.delay().get(timeout=30)
begun = time.monotonic()
try:
    starts_a_program.delay().get(timeout=30)
except Exception as error:
    assert "TimeLimitExceeded" in str(error), error
assert time.monotonic() - begun < 1.5
""",
    )
    until(lambda: not lives(int((tmp_path / "program").read_text())), "the program has ended")


def test_what_a_job_prints_and_logs_arrives_where_the_parent_writes(tmp_path: Path) -> None:
    _, out, err = play(
        tmp_path,
        """
logging.basicConfig(level=logging.WARNING, format="%(name)s: %(message)s")
app.stop()
app.start()
prints_and_logs.delay().get(timeout=30)
""",
    )
    assert "printed by the child" in out
    assert err.splitlines() == ["shop.mail: logged by the child"]


@pytest.mark.parametrize(
    "call",
    [
        "pid.delay(60)",
        pytest.param("holds.delay(60)", marks=pytest.mark.skipif(_PRCTL is None, reason="only Linux kills by itself")),
    ],
)
def test_processes_die_with_their_parent_whatever_they_do(tmp_path: Path, call: str) -> None:
    (tmp_path / "shop.py").write_text(SHOP)
    code = "from shop import *\napp.start()\nprint(pid.delay().get(timeout=30), flush=True)\n"
    code += f"{call}\ntime.sleep(60)"
    with subprocess.Popen(
        [sys.executable, "-c", code], cwd=tmp_path, env=environ(tmp_path), stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        group = children_of(parent.pid)
        assert child in group
        parent.kill()
        parent.wait(LONG_S)
    until(lambda: not any(lives(one) for one in group), "they have ended")


def test_a_job_in_a_worker_process_cannot_add_to_a_store_in_memory_and_is_told_so(tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(
        "from hourwheel import Scheduler\n"
        "app = Scheduler('memory:', pool='processes', workers=1)\n"
        "@app.task\ndef greet():\n    return 'hello'\n"
        "@app.task\ndef call():\n    return greet.delay().id\n"
        "if __name__ == '__main__':\n    with app:\n"
        "        print(greet.delay().get(timeout=30))\n"
        "        try:\n            call.delay().get(timeout=30)\n        except Exception as error:\n            print(error)\n"
    )
    ended = subprocess.run(
        [sys.executable, "program.py"], cwd=tmp_path, env=environ(tmp_path),
        capture_output=True, text=True, timeout=LONG_S, check=False,
    )  # fmt: skip
    assert ended.stdout.startswith("hello\n"), ended.stderr
    assert "cannot reach a store in the memory of the parent process" in ended.stdout


def test_a_program_that_does_not_guard_its_start_is_told_so(tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(
        "import time\nfrom hourwheel import Scheduler\n"
        "app = Scheduler('tasks.json', pool='processes', workers=1)\n"
        "@app.task\ndef greet():\n    return 'hello'\n"
        "with app:\n"
        "    while not app.life.ticker.pool.ready:\n        time.sleep(0.01)\n"
    )
    ended = subprocess.run(
        [sys.executable, "program.py"], cwd=tmp_path, env=environ(tmp_path),
        capture_output=True, text=True, timeout=LONG_S, check=False,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    assert 'under: if __name__ == "__main__":' in ended.stderr


@pytest.mark.parametrize("signals", [1, 2])
def test_worker_command_with_processes_ends_at_sigterm_and_at_once_at_the_second(tmp_path: Path, signals: int) -> None:
    (tmp_path / "shop.py").write_text(SHOP)
    env = environ(tmp_path)
    command = [sys.executable, "-m", "hourwheel.cli", "worker", "-A", "shop:app", "-P", "prefork", "-c", "2"]
    with subprocess.Popen(
        command, cwd=tmp_path, env=env, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as worker:
        code = f"from shop import *\nprint(pid.delay({60 if signals > 1 else 1.5}).id)"
        id = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=env, capture_output=True, text=True).stdout
        assert worker.stderr is not None
        said = ""
        while "Received task" not in said:
            said = worker.stderr.readline()
            assert said
        time.sleep(0.3)
        for _ in range(signals):
            worker.send_signal(signal.SIGTERM)
            time.sleep(0.2)
        err = worker.communicate(timeout=LONG_S)[1]
    show = [sys.executable, "-m", "hourwheel.cli", "show", id.strip(), "--store", "tasks.json", "--json"]
    job = json.loads(subprocess.run(show, cwd=tmp_path, env=env, capture_output=True, text=True).stdout)
    assert (worker.returncode, job["state"]) == ((0, "succeeded") if signals == 1 else (1, "scheduled")), err
