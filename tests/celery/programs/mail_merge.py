"""A mail merge: one task for each recipient, and a report when all are sent; a failing one is told to an errback."""

import time

from celery import Celery, chord, group
from celery.contrib.testing.worker import start_worker
from celery.exceptions import ChordError

app = Celery("mails", broker="memory://", backend="cache+memory://")
SENT, ERRORS = [], []


@app.task(bind=True, autoretry_for=(ConnectionError,), retry_backoff=False, default_retry_delay=0, max_retries=2)
def send(self, who, text):
    if who == "bo" and self.request.retries < 1:
        raise ConnectionError("try again")
    if who == "nobody":
        raise LookupError("no such user")
    SENT.append(f"{text}, {who}")
    return len(who)


@app.task
def report(lengths):
    return {"mails": len(lengths), "letters": sum(lengths)}


@app.task
def alert(request, exc, traceback):
    ERRORS.append([type(exc).__name__, "no such user" in str(exc)])


def main():
    with start_worker(app, perform_ping_check=False):
        header = [send.s(who, "Hello") for who in ("ann", "bo", "carl")]
        good = chord(header)(report.s()).get(timeout=90)
        empty = group([]).apply_async()
        lengths = group(send.s(who, "Bye") for who in ("dan", "eve")).apply_async()
        values = lengths.get(timeout=90)
        bad = chord([send.s("nobody", "Hello"), send.s("fay", "Hello")])(report.s().on_error(alert.s()))
        try:
            bad.get(timeout=90)
            failed = None
        except Exception as error:
            failed = isinstance(error, (ChordError, LookupError))
        until = time.monotonic() + 90
        while not ERRORS and time.monotonic() < until:
            time.sleep(0.02)
    return good, values, lengths.successful(), len(empty.results), failed, bad.state, sorted(SENT)
