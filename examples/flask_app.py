"""A Flask app whose requests add jobs. Every process that serves the app also runs jobs.

pip install flask
flask --app examples/flask_app run            or: gunicorn -w 4 --chdir examples flask_app:web

POST /numbers         squares a random number in the background; the response has the job's id
GET  /jobs/<id>       the job's state and result
"""

import os
import random
import time

from flask import Flask, jsonify
from hourwheel import Scheduler

app = Scheduler(os.environ.get("HOURWHEEL_STORE", "tasks.json"))
web = Flask(__name__)


@app.task
def square(number: int) -> int:
    time.sleep(0.2)
    return number * number


@web.before_request
def run_jobs():
    """Start with the first request, because `flask routes` imports this file too and should run no jobs."""
    if not app.running:
        app.start()


@web.post("/numbers")
def numbers():
    number = random.randrange(1000)
    result = square.delay(number)
    return jsonify(id=result.id, number=number), 202


@web.get("/jobs/<id>")
def job(id: str):
    found = app.AsyncResult(id).job()
    if found is None:
        return jsonify(error="no such job"), 404
    return jsonify(id=found.id, state=found.state, result=found.result)
