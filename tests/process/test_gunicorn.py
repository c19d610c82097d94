"""gunicorn --preload with four workers, as docs/deployment.md has it: each job runs once, whoever of them runs it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from pathlib import Path

import pytest
from hourwheel.contract import Filter
from hourwheel.job import State
from hourwheel.store import JsonStore

pytest.importorskip("gunicorn")
pytest.importorskip("flask")

SHOP = """
import os
from flask import Flask
from hourwheel import Scheduler, current_job

app = Scheduler("tasks.json", workers=2)
web = Flask(__name__)

@app.task(name="mark")
def mark():
    fd = os.open("starts", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(fd, f"{current_job().id} {os.getpid()}\\n".encode())
    os.close(fd)

@web.post("/")
def later():
    return mark.delay().id

if os.environ.get("START_IN_MASTER"):
    app.start()
"""
CONF = """
def post_worker_init(worker):
    from shop import app
    app.start()

def worker_exit(server, worker):
    from shop import app
    app.stop(timeout=20)
    app.close()
"""
REQUESTS = 60


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def post(port: int) -> str:
    end = time.monotonic() + 30
    while True:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/", data=b"", timeout=10) as answer:
                return answer.read().decode()
        except OSError:
            assert time.monotonic() < end, "gunicorn does not answer"
            time.sleep(0.05)


@pytest.mark.parametrize("master", ["", "1"], ids=["only the workers run jobs", "the master runs jobs, too"])
def test_under_gunicorn_with_preload_each_job_runs_once_and_nothing_is_left(tmp_path: Path, master: str) -> None:
    (tmp_path / "shop.py").write_text(SHOP)
    (tmp_path / "gunicorn.conf.py").write_text(CONF)
    port = free_port()
    command = [sys.executable, "-m", "gunicorn", "--preload", "-w", "4", "-b", f"127.0.0.1:{port}", "shop:web"]
    where = os.pathsep.join(path for path in sys.path if path)
    with (tmp_path / "log").open("w") as log:
        server = subprocess.Popen(
            command,
            cwd=tmp_path,
            env=os.environ | {"PYTHONPATH": where, "START_IN_MASTER": master},
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        ids = [post(port) for _ in range(REQUESTS)]
        server.send_signal(signal.SIGTERM)
        assert server.wait(30) == 0, (tmp_path / "log").read_text()
    finally:
        if server.poll() is None:
            os.killpg(server.pid, signal.SIGKILL)
            server.wait()
    starts = [line.split() for line in (tmp_path / "starts").read_text().splitlines()]
    store = JsonStore(tmp_path / "tasks.json")
    held = {job.id: job.state for job in store.scan(Filter(), limit=1000)}
    assert set(held) == set(ids), "lost, or invented"
    assert max(Counter(id for id, _ in starts).values()) == 1, "a job ran twice"
    assert {id for id, state in held.items() if state is State.SUCCEEDED} == {id for id, _ in starts}
    assert set(held.values()) <= {State.SUCCEEDED, State.SCHEDULED}, "what had begun was let end"
    assert store.check() == []
    store.close()
