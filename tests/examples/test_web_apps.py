"""The web applications of examples/ answer at once, and run the job behind."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.examples.programs import run

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


@pytest.mark.parametrize("program", [FLASK, FASTAPI], ids=["flask", "fastapi"])
def test_web_apps_answer_at_once_and_run_the_job_behind(tmp_path: Path, program: str) -> None:
    pytest.importorskip("flask" if program is FLASK else "fastapi", reason="the test extra is not installed")
    run(tmp_path, "-c", program + ASK + "app.close()\n")
