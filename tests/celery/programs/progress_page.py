"""A page that starts a long task and polls its progress, as in many Flask tutorials."""

import time

from celery import Celery
from celery.contrib.testing.worker import start_worker
from flask import Flask, jsonify, url_for

flask_app = Flask(__name__)
celery = Celery(__name__, broker="memory://", backend="cache+memory://")


@celery.task(bind=True)
def long_task(self, total):
    for i in range(total):
        self.update_state(state="PROGRESS", meta={"current": i, "total": total, "status": f"step {i}"})
        time.sleep(0.05)
    return {"current": total, "total": total, "status": "Task completed!", "result": 42}


@flask_app.route("/longtask", methods=["POST"])
def start():
    task = long_task.apply_async(args=[6])
    return jsonify({}), 202, {"Location": url_for("status", task_id=task.id)}


@flask_app.route("/status/<task_id>")
def status(task_id):
    task = long_task.AsyncResult(task_id)
    if task.state == "PENDING":
        response = {"state": task.state, "current": 0, "total": 1, "status": "Pending..."}
    elif task.state != "FAILURE":
        response = {
            "state": task.state,
            "current": task.info.get("current", 0),
            "total": task.info.get("total", 1),
            "status": task.info.get("status", ""),
        }
        if "result" in task.info:
            response["result"] = task.info["result"]
    else:
        response = {"state": task.state, "current": 1, "total": 1, "status": str(task.info)}
    return jsonify(response)


def main():
    web = flask_app.test_client()
    seen = []
    with start_worker(celery, perform_ping_check=False):
        where = web.post("/longtask").headers["Location"]
        until = time.monotonic() + 90
        while time.monotonic() < until:
            answer = web.get(where).get_json()
            if answer["state"] not in [one["state"] for one in seen]:
                seen.append({"state": answer["state"], "total": answer["total"]})
            if "result" in answer or answer["state"] == "FAILURE":
                break
            time.sleep(0.01)
    return [one for one in seen if one["state"] != "PENDING"], answer
