"""Orders that are closed if nobody pays in time: countdown, eta, expires, revoke."""

import time
from datetime import datetime, timedelta, timezone

from celery import Celery
from celery.contrib.testing.worker import start_worker
from celery.exceptions import TaskRevokedError, TimeoutError

app = Celery("orders", broker="memory://", backend="cache+memory://")
CLOSED = []


@app.task
def close_unpaid(order_id):
    CLOSED.append(order_id)
    return f"closed {order_id}"


def main():
    with start_worker(app, perform_ping_check=False):
        began = time.monotonic()
        late = close_unpaid.apply_async((1,), countdown=3)
        at = close_unpaid.apply_async((2,), eta=datetime.now(timezone.utc) + timedelta(seconds=3.2))
        paid = close_unpaid.apply_async((3,), countdown=4)
        stale = close_unpaid.apply_async((4,), expires=datetime.now(timezone.utc) - timedelta(seconds=5))
        past = close_unpaid.apply_async((5,), countdown=-3)
        app.control.revoke(paid.id)
        ours = close_unpaid.apply_async(args=[6], task_id="order-6")
        past_value = past.get(timeout=90)
        try:
            late.get(timeout=0.05)
            early = True
        except TimeoutError:
            early = False
        values = [late.get(timeout=90), at.get(timeout=90), ours.get(timeout=90), ours.id]
        waited = time.monotonic() - began >= 3
        try:
            stale.get(timeout=90)
        except TaskRevokedError:
            pass
        try:
            paid.get(timeout=90)
        except TaskRevokedError:
            pass
    return early, values, past_value, waited, stale.state, paid.state, sorted(CLOSED)
