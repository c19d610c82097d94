"""A project with two apps: names, routes and queues, priorities, links and errbacks."""

import time

from celery import Celery, shared_task
from celery.contrib.testing.worker import start_worker

mail = Celery("mail", broker="memory://", backend="cache+memory://")
mail.conf.update(
    task_routes={"mail.urgent": {"queue": "celery"}},
    task_default_queue="celery",
    result_expires=3600,
    project_name="two apps",
)
SEEN = []


@mail.task(name="mail.urgent")
def urgent(text):
    return text.upper()


@mail.task(name="mail.log")
def log(text, prefix="log"):
    SEEN.append(f"{prefix}: {text}")


@mail.task(name="mail.fails")
def fails():
    raise RuntimeError("down")


@mail.task(name="mail.failed", bind=True)
def failed(self, *args):
    SEEN.append("errback")


@shared_task(name="mail.shared")
def common(x):
    return x * 2


def main():
    with start_worker(mail, perform_ping_check=False):
        first = urgent.apply_async(("hi",), link=log.s(prefix="linked")).get(timeout=90)
        bad = fails.apply_async(link_error=failed.s())
        try:
            bad.get(timeout=90)
        except RuntimeError as error:
            caught = str(error)
        shared = common.delay(21).get(timeout=90)
        high = urgent.apply_async(("prio",), priority=9).get(timeout=90)
        until = time.monotonic() + 90
        while len(SEEN) < 2 and time.monotonic() < until:
            time.sleep(0.02)
    return first, caught, bad.state, shared, high, sorted(SEEN), mail.conf.project_name, mail.main, urgent.name
