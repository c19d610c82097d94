"""Periodic tasks: on_after_configure, add_periodic_task and a beat_schedule; what they add is looked at, and run once."""

from datetime import timedelta

from celery import Celery
from celery.contrib.testing.worker import start_worker
from celery.schedules import crontab

app = Celery("reports", broker="memory://", backend="cache+memory://")
app.conf.timezone = "Europe/London"
app.conf.beat_schedule = {
    "every monday": {"task": "report", "schedule": crontab(hour=7, minute=30, day_of_week=1), "args": ("weekly",)},
    "each half minute": {"task": "report", "schedule": timedelta(seconds=30), "kwargs": {"kind": "short"}},
}


@app.on_after_configure.connect
def setup_periodic_tasks(sender, **kwargs):
    sender.add_periodic_task(10.0, report.s("hello"), name="add every 10")
    sender.add_periodic_task(crontab(hour="*/3", minute=0), report.s("three hours"), name="by crontab")


@app.task(name="report")
def report(kind):
    return f"{kind} report"


def main():
    app.finalize()
    with start_worker(app, perform_ping_check=False):
        by_name = app.send_task("report", ("nightly",)).get(timeout=90)
        direct = app.signature("report", args=("daily",)).delay().get(timeout=90)
    names = set(app.conf.beat_schedule) >= {"every monday", "each half minute"}
    return by_name, direct, names, app.conf.timezone
