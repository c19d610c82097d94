"""Webhooks: retried with a backoff, given up at last, and told to signals."""

from celery import Celery, signals
from celery.contrib.testing.worker import start_worker
from celery.exceptions import MaxRetriesExceededError

app = Celery("hooks", broker="memory://", backend="cache+memory://")
TRIES, SEEN = {}, []


class Unavailable(Exception):
    pass


@app.task(
    bind=True, autoretry_for=(Unavailable,), retry_backoff=0.01, retry_jitter=False, retry_kwargs={"max_retries": 3}
)
def post(self, url):
    TRIES[url] = TRIES.get(url, 0) + 1
    if TRIES[url] <= 2 or "down" in url:
        raise Unavailable(url)
    return TRIES[url]


@app.task(bind=True, max_retries=1, default_retry_delay=0)
def give_up(self):
    try:
        self.retry()
    except MaxRetriesExceededError:
        return "gave up"


@app.task(bind=True, max_retries=1, default_retry_delay=0)
def give_up_loudly(self):
    self.retry()


@app.task(bind=True, max_retries=1, default_retry_delay=0)
def traced(self):
    if self.request.retries == 0:
        raise self.retry()
    return [
        self.request.headers["tenant"],
        self.request.get("span"),
        self.request.get("nothing"),
        self.request.timelimit == [None, 30],
    ]


@signals.before_task_publish.connect(sender=traced.name)
def inject(headers=None, **kwargs):
    headers["span"] = "7f"


@signals.task_success.connect
def succeeded(sender=None, result=None, **kwargs):
    SEEN.append(["success", sender.name.rpartition(".")[2], result])


@signals.task_failure.connect
def failed(sender=None, task_id=None, exception=None, args=None, **kwargs):
    SEEN.append(["failure", sender.name.rpartition(".")[2], type(exception).__name__, list(args)])


@signals.task_retry.connect(sender=post)
def retried(sender=None, request=None, reason=None, **kwargs):
    SEEN.append(["retry", request.id is not None, str(reason) != ""])


def main():
    with start_worker(app, perform_ping_check=False):
        good = post.delay("https://up").get(timeout=90)
        bad = post.delay("https://down")
        try:
            bad.get(timeout=90)
        except Unavailable as error:
            caught = str(error)
        quiet = give_up.delay().get(timeout=90)
        trace = traced.apply_async(headers={"tenant": 7}, soft_time_limit=30).get(timeout=90)
        loud = give_up_loudly.delay()
        try:
            loud.get(timeout=90)
        except MaxRetriesExceededError:
            pass
    return good, caught, bad.state, TRIES, quiet, trace, loud.state, SEEN
