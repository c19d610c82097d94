"""A shop in Django's style: settings with CELERY_, shared tasks, an order that is paid, confirmed and shipped."""

from types import SimpleNamespace

from celery import Celery, chain, shared_task
from celery.contrib.testing.worker import start_worker
from celery.utils.log import get_task_logger

logger = get_task_logger(__name__)
settings = SimpleNamespace(
    CELERY_BROKER_URL="memory://",
    CELERY_RESULT_BACKEND="cache+memory://",
    CELERY_ACCEPT_CONTENT=["application/json"],
    CELERY_TASK_SERIALIZER="json",
    CELERY_RESULT_SERIALIZER="json",
    CELERY_TIMEZONE="Europe/Berlin",
    CELERY_TASK_TRACK_STARTED=True,
    CELERY_TASK_TIME_LIMIT=30 * 60,
    CELERY_RESULT_EXTENDED=True,
    CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP=True,
    DEBUG=False,
)
app = Celery("shop")
app.config_from_object(settings, namespace="CELERY")
app.autodiscover_tasks(list)

ORDERS = {7: {"total": 1999, "email": "ann@example.org", "state": "new"}}
OUTBOX = []


@shared_task
def charge(order_id):
    order = ORDERS[order_id]
    order["state"] = "paid"
    return order["total"]


@shared_task(bind=True, max_retries=3)
def confirm(self, total, order_id):
    if self.request.retries == 0:
        raise self.retry(exc=ConnectionError("the mail server is busy"), countdown=0)
    OUTBOX.append((ORDERS[order_id]["email"], f"You paid {total / 100:.2f}"))
    logger.info("order %s confirmed", order_id)
    return order_id


@shared_task
def ship(order_id):
    ORDERS[order_id]["state"] = "shipped"


def main():
    with start_worker(app, perform_ping_check=False):
        result = chain(charge.s(7), confirm.s(7), ship.s()).apply_async()
        result.get(timeout=90)
        parent = result.parent
        states = [result.state, parent.state, parent.result, parent.parent.result]
    return ORDERS, OUTBOX, states, app.conf.timezone, app.conf.task_track_started
