"""An API that takes work and tells of it by id, as FastAPI tutorials do."""

import time

from celery import Celery
from celery.contrib.testing.worker import start_worker
from celery.result import AsyncResult
from fastapi import FastAPI
from fastapi.responses import JSONResponse
from fastapi.testclient import TestClient

api = FastAPI()
celery = Celery("worker", broker="memory://", backend="cache+memory://")
celery.conf.update(task_track_started=True)


@celery.task(name="create_task")
def create_task(task_type):
    time.sleep(0.05 * int(task_type))
    if task_type == 3:
        raise ValueError("no such type")
    return True


@api.post("/tasks", status_code=201)
def run_task(payload: dict):
    task = create_task.delay(payload["type"])
    return JSONResponse({"task_id": str(task)})


@api.get("/tasks/{task_id}")
def get_status(task_id: str):
    task = AsyncResult(task_id, app=celery)
    value = task.result
    return {"task_id": task_id, "task_status": task.status, "task_result": value if task.successful() else repr(value)}


def main():
    outcomes = []
    with TestClient(api) as web, start_worker(celery, perform_ping_check=False):
        assert web.get("/tasks/unknown").json()["task_status"] == "PENDING"
        for kind in (1, 2, 3):
            task_id = web.post("/tasks", json={"type": kind}).json()["task_id"]
            until = time.monotonic() + 90
            while (answer := web.get(f"/tasks/{task_id}").json())["task_status"] in ("PENDING", "STARTED"):
                assert time.monotonic() < until
                time.sleep(0.01)
            outcomes.append((answer["task_status"], answer["task_result"]))
    return outcomes
