"""A script that replaces cron: apply(), direct calls, always_eager in tests, delay of a task by its name."""

from celery import Celery, current_app, shared_task
from celery.contrib.testing.worker import start_worker

app = Celery("cron", broker="memory://", backend="cache+memory://")
RAN = []


@shared_task(name="cron.backup")
def backup(target, full=False):
    RAN.append([target, full])
    return f"{target} {'full' if full else 'partial'}"


@shared_task(name="cron.broken")
def broken():
    raise RuntimeError("broken")


@shared_task(bind=True, name="cron.fragile", max_retries=2, default_retry_delay=0)
def fragile(self, fails):
    if self.request.retries < fails:
        raise self.retry(exc=RuntimeError("again"))
    return [self.request.retries, self.request.is_eager]


def main():
    direct = backup("disk")
    applied = backup.apply(("tape",), {"full": True})
    retried = fragile.apply((2,)).get()
    failed = fragile.apply((9,))
    app.conf.task_always_eager = True
    eager = backup.delay("eager")
    app.conf.update(task_eager_propagates=True)
    try:
        broken.delay()
        raised = False
    except RuntimeError:
        raised = True
    app.conf.task_always_eager = False
    with start_worker(app, perform_ping_check=False):
        sent = current_app.send_task("cron.backup", ["nas"], {"full": True}).get(timeout=90)
        real = fragile.delay(1).get(timeout=90)
    names = sorted(name for name in app.tasks if name.startswith("cron."))
    return direct, applied.get(), applied.state, retried, failed.state, eager.get(), raised, sent, real, names, RAN
