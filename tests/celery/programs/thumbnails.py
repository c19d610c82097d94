"""Thumbnails: a base class with hooks, class-based tasks, requests' attributes, ignored and rejected work."""

import time

from celery import Celery, Task, current_task
from celery.contrib.testing.worker import start_worker
from celery.exceptions import Ignore

app = Celery("thumbs", broker="memory://", backend="cache+memory://")
LOG = []


class Logged(Task):
    def before_start(self, task_id, args, kwargs):
        LOG.append(["start", self.name, list(args)])

    def on_success(self, retval, task_id, args, kwargs):
        LOG.append(["success", retval])

    def on_failure(self, exc, task_id, args, kwargs, einfo):
        LOG.append(["failure", type(exc).__name__, str(exc), "Traceback" in str(einfo)])

    def on_retry(self, exc, task_id, args, kwargs, einfo):
        LOG.append(["retry", str(exc)])

    def after_return(self, status, retval, task_id, args, kwargs, einfo):
        LOG.append(["after", status])


@app.task(base=Logged, bind=True, name="thumb", max_retries=2, default_retry_delay=0)
def thumb(self, image, size=100):
    if image == "broken":
        raise OSError("cannot identify image")
    if image == "slow" and self.request.retries < 2:
        self.retry(exc=TimeoutError("busy"))
    assert current_task.name == self.name == self.request.task
    assert not self.request.called_directly
    return f"{image}@{size}#{self.request.retries}"


class Resize(Logged):
    name = "resize"

    def run(self, image):
        return f"resized {image}"


resize = app.register_task(Resize())


@app.task(bind=True)
def skip(self, why):
    self.update_state(state="SKIPPED", meta={"why": why})
    raise Ignore


def main():
    with start_worker(app, perform_ping_check=False):
        good = thumb.delay("cat", size=50).get(timeout=90)
        slow = thumb.delay("slow").get(timeout=90)
        bad = thumb.delay("broken")
        try:
            bad.get(timeout=90)
        except OSError as error:
            caught = str(error)
        big = resize.delay("dog").get(timeout=90)
        skipped = skip.delay("duplicate")
        until = time.monotonic() + 90
        while skipped.state != "SKIPPED" and time.monotonic() < until:
            time.sleep(0.02)
        info = skipped.info
        time.sleep(0.2)
    direct = thumb("cat") if False else resize("bird")
    return good, slow, caught, bad.failed(), big, skipped.state, info, direct, LOG
