"""The programs in examples/ do what they say, each by the one command that its first lines give."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"
TESTED = {"wheel_demo.py", "sms_code.py", "producer_consumer.py", "flask_app.py", "fastapi_app.py"}

ASK = """
import time
posted = post("/numbers")
assert posted.status_code == 202, posted.text
number, id = posted.json["number"], posted.json["id"]
give_up = time.monotonic() + 30
while (job := get(f"/jobs/{id}").json)["state"] != "succeeded" and time.monotonic() < give_up:
    time.sleep(0.02)
assert job == {"id": id, "state": "succeeded", "result": number * number}, job
assert get("/jobs/nobody").status_code == 404
"""

FLASK = """
from flask_app import app, web
client = web.test_client()
get, post = client.get, client.post
"""

FASTAPI = """
from types import SimpleNamespace
from fastapi.testclient import TestClient
from fastapi_app import app, web
client = TestClient(web)
client.__enter__()
def wrapped(call):
    def ask(path):
        answer = call(path)
        return SimpleNamespace(status_code=answer.status_code, json=answer.json(), text=answer.text)
    return ask
get, post = wrapped(client.get), wrapped(client.post)
"""


def run(directory: Path, *command: str) -> str:
    path = os.pathsep.join([str(EXAMPLES), *(entry for entry in sys.path if entry)])
    env = os.environ | {"PYTHONPATH": path, "TMPDIR": str(directory), "NORIA_STORE": str(directory / "tasks.json")}
    ended = subprocess.run(
        [sys.executable, *command], cwd=directory, env=env, capture_output=True, text=True, timeout=40
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


def test_every_example_is_tested() -> None:
    assert {path.name for path in EXAMPLES.glob("*.py")} == TESTED


def test_wheel_demo(tmp_path: Path) -> None:
    said = run(tmp_path, str(EXAMPLES / "wheel_demo.py"), "1")
    assert said.count("Received task: wheel_demo.test[") == 10
    assert len(re.findall(r"Task wheel_demo\.test\[[^]]+\] succeeded in 0\.05", said)) == 10
    assert said.endswith("[0, 1, 2, 3, 4, 5, 6, 7, 8, 9]\n")
    assert os.listdir(tmp_path) == []


def test_sms_code(tmp_path: Path) -> None:
    said = run(tmp_path, str(EXAMPLES / "sms_code.py")).splitlines()
    assert said[:3] == [
        "after 0 s: scheduled, attempt 1, sent 0",
        "after 3 s: scheduled, attempt 2, sent 0",
        "after 9 s: succeeded, attempt 3, sent 1",
    ]
    assert said[3].startswith("after five minutes: job ")
    assert "expired" in said[3]
    assert said[4] == "sent: [('13800000000', 'Your code is 471108')]"
    assert os.listdir(tmp_path) == []


def test_producer_consumer(tmp_path: Path) -> None:
    said = run(tmp_path, str(EXAMPLES / "producer_consumer.py"), "4").splitlines()
    eaten = [re.fullmatch(r"noria-worker-([01]) has eaten dish (\d) of (\w+)", line) for line in said[:-1]]
    assert {(found[3], found[2]) for found in eaten if found} == {
        (c, d) for c in ("Anna", "Bo", "Chen") for d in "0123"
    }
    assert said[-1].startswith("12 dishes were served")


@pytest.mark.parametrize("program", [FLASK, FASTAPI], ids=["flask", "fastapi"])
def test_web_apps_answer_at_once_and_run_the_job_behind(tmp_path: Path, program: str) -> None:
    pytest.importorskip("flask" if program is FLASK else "fastapi", reason="the test extra is not installed")
    run(tmp_path, "-c", program + ASK + "app.close()\n")
