"""What stands around tasks: the scheduler's life, hooks, retries, jobs, stores."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, assert_type

from freezegun import freeze_time
from hourwheel import (
    AsyncResult,
    Filter,
    Job,
    MaxRetriesExceeded,
    Retry,
    Scheduler,
    Snooze,
    Store,
    Task,
    current_job,
    get_default,
    set_default,
)
from hourwheel.store import open_store
from hourwheel.testing import Ran, eager, travel

app = Scheduler("tasks.json", workers=4, queues=["mail"], result_ttl=timedelta(hours=1), timezone="Europe/Berlin")
memory = Scheduler(open_store("memory://"), pool="asyncio")

# ---- its life

with app as entered:
    assert_type(entered, Scheduler)
app.start()
assert_type(app.stop(timeout=30), list[Job])
assert_type(app.run(), list[Job])
assert_type(app.run_due(), int)
assert_type(app.run_due(now=datetime.now(UTC)), int)
assert_type(app.store, Store)
assert_type(app.running, bool)
assert_type(app.pause(queue="mail"), bool)
assert_type(app.resume(task="shop.remind"), bool)
assert_type(app.send_task("shop.remind", (1,), {"text": "x"}, countdown=5), AsyncResult[Any])
assert_type(app.AsyncResult("id"), AsyncResult[Any])
assert_type(app.store.get(["id"]), list[Job | None])
assert_type(app.store.scan(Filter(queue="mail"), 10), list[Job])
set_default(app)
get_default()
app.close()

# ---- hooks


@app.on.started
def started(job: Job) -> None: ...


@app.on.succeeded
def succeeded(job: Job, result: object, seconds: float) -> int:
    return len(job.task)


@app.on.failed
def failed(job: Job, error: BaseException) -> None: ...


@app.on.retried
def retried(job: Job, error: BaseException, at_ms: int) -> None: ...


@app.on.cancelled
def cancelled(id: str) -> None: ...


@app.on.worker_ready
def ready(scheduler: Scheduler) -> None: ...


names: list[str] = []
app.on.cancelled.connect(names.append)
app.on.failed(lambda job, error: names.append(f"{job.task}: {error}"))
app.on.failed.remove(failed)
assert_type(succeeded(Job(id="1", task="shop.remind", payload="", due_ms=0), None, 0.5), int)

# ---- retries


@app.task(bind=True, autoretry_for=(OSError, TimeoutError), retry_backoff=True, retry_kwargs={"max_retries": 5})
def code(self: Task[..., Any], mobile: str) -> str:
    try:
        self.update_state(state="PROGRESS", meta={"done": 1})
        if self.is_cancelled():
            raise Snooze(60)
        assert_type(self.request.retries, int)
        assert_type(self.max_retries, int | None)
        assert_type(current_job(), Job | None)
        return mobile
    except MaxRetriesExceeded:
        return ""
    except ValueError as error:
        raise self.retry(exc=error, countdown=timedelta(minutes=1), max_retries=3)
    except OSError as error:
        raise Retry(countdown=5, exc=error) from error


assert_type(code.delay("1"), AsyncResult[str])

# ---- tests of programs

with freeze_time("2026-03-01 12:00") as frozen, travel(app, frozen=frozen) as t:
    assert_type(t.advance(days=1), list[Ran])
    assert_type(t.advance(timedelta(minutes=15)), list[Ran])
    t.advance(900)  # type: ignore[arg-type]
with eager(app):
    assert_type(code.delay("1").get(), str)

# ---- what is to be refused

Scheduler(5)  # type: ignore[arg-type]
Scheduler("tasks.json", worker=4)  # type: ignore[call-arg]
Retry(countdown="5")  # type: ignore[arg-type]
app.on.faild  # type: ignore[attr-defined]
app.on.started(failed)  # type: ignore[arg-type]
app.on.cancelled.connect(5)  # type: ignore[arg-type]
app.task(autoretry_for=[OSError, TimeoutError], dont_autoretry_for=KeyError)
app.task(autoretry_for=[5])  # type: ignore[list-item]
app.task(bind="yes")  # type: ignore[call-overload]
app.run_due(now="now")  # type: ignore[arg-type]
