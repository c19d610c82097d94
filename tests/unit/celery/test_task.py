"""Tasks under Celery's names: what a base class, a request, a retry and an option mean there they mean here."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hourwheel import Scheduler
from hourwheel.celery import Celery, Task, chain, current_app, current_task, shared_task, signature
from hourwheel.celery.exceptions import MaxRetriesExceededError
from hourwheel.celery.result import AsyncResult
from hourwheel.contract import Found
from hourwheel.errors import InvalidValue, NoScheduler, PayloadError
from hourwheel.store import MemoryStore
from hourwheel.tasks.default_app import set_default

Run = Callable[..., None]


def test_the_methods_of_a_base_class_are_called_around_each_run(app: Celery, run: Run) -> None:
    log: list[Any] = []

    class Logged(Task):
        def __call__(self, *args: Any, **kwargs: Any) -> Any:
            log.append("in")
            try:
                return self.run(*args, **kwargs)
            finally:
                log.append("out")

        def before_start(self, task_id: str, args: Any, kwargs: Any) -> None:
            log.append(("before", args, kwargs))

        def on_success(self, retval: Any, task_id: str, args: Any, kwargs: Any) -> None:
            log.append(("success", retval))

        def on_retry(self, exc: Any, task_id: str, args: Any, kwargs: Any, einfo: Any) -> None:
            log.append(("retry", repr(exc)))

        def on_failure(self, exc: Any, task_id: str, args: Any, kwargs: Any, einfo: Any) -> None:
            log.append(("failure", repr(exc), "Traceback" in str(einfo)))

        def after_return(self, status: str, retval: Any, task_id: str, args: Any, kwargs: Any, einfo: Any) -> None:
            log.append(("after", status))

    @app.task(base=Logged, bind=True, max_retries=1, default_retry_delay=0)
    def divide(self: Any, x: int, y: int = 1) -> float:
        if y == 0:
            raise self.retry(exc=ZeroDivisionError("by zero"))
        return x / y

    divide.delay(4, y=2)
    run()
    assert log == [("before", (4,), {"y": 2}), "in", "out", ("success", 2.0), ("after", "SUCCESS")]
    log.clear()
    divide.delay(4, y=0)
    run()
    failed = "ZeroDivisionError('by zero')"
    assert log[3:] == [
        ("retry", failed), ("before", (4,), {"y": 0}), "in", "out", ("failure", failed, True), ("after", "FAILURE")
    ]  # fmt: skip


def test_a_hook_that_raises_changes_nothing(app: Celery, run: Run) -> None:
    class Careless(Task):
        def on_success(self, *_: Any) -> None:
            raise RuntimeError("careless")

    task = app.task(base=Careless, name="t")(lambda: 1)
    result = task.delay()
    run()
    assert result.get() == 1


def test_attributes_of_a_class_are_the_defaults_of_its_tasks_and_options_come_before_them(app: Celery) -> None:
    class Slow(app.Task):  # type: ignore[name-defined]
        abstract = True
        queue = "slow"
        max_retries = 7
        ignore_result = True

    @app.task(base=Slow, max_retries=2)
    def report() -> None: ...

    assert (report.plan.queue, report.max_retries, report.ignore_result) == ("slow", 2, True)


def test_a_class_of_its_own_keeps_what_it_has_made_between_runs(app: Celery, run: Run) -> None:
    class Counting(Task):
        name = "count"

        def __init__(self) -> None:
            self.calls = 0

        def run(self, by: int) -> int:
            self.calls += by
            return self.calls

    count = app.register_task(Counting())
    results = [count.delay(2), count.delay(3)]
    run()
    assert [one.get() for one in results] == [2, 5]
    assert count.name == "count"
    assert app.tasks["count"] is count


def test_a_task_without_run_is_refused(app: Celery) -> None:
    class Nothing(Task):
        name = "nothing"

    with pytest.raises(InvalidValue, match="defines run"):
        app.register_task(Nothing())


def test_the_request_has_what_programs_read(app: Celery, run: Run) -> None:
    @app.task(bind=True)
    def look(self: Any, one: int, two: int = 2) -> Any:
        request = self.request
        assert (request.get("nothing", 3), request["id"], self.app) == (3, request.id, app)
        assert current_task.name == self.name
        return [request.id, request.args, request.kwargs, request.retries, request.is_eager, request.called_directly,
            request.root_id, request.parent_id, request.headers, request.delivery_info["routing_key"]]  # fmt: skip

    result = (look.si(1) | look.si(1, two=4)).apply_async()
    run()
    first = result.parent.get()
    assert first == [result.parent.id, [1], {}, 0, False, False, result.parent.id, None, None, "celery"]
    assert result.get()[6:8] == [result.parent.id, result.parent.id]


def test_when_no_retry_is_left_without_an_error_celerys_one_is_raised(app: Celery, run: Run) -> None:
    @app.task(bind=True, max_retries=1, default_retry_delay=0)
    def never(self: Any) -> None:
        self.retry()

    @app.task(bind=True, max_retries=0)
    def caught(self: Any) -> str:
        try:
            self.retry()
        except self.MaxRetriesExceededError:
            return "gave up"

    result, other = never.delay(), caught.delay()
    run()
    with pytest.raises(MaxRetriesExceededError):
        result.get()
    assert other.get() == "gave up"


def test_times_mean_what_they_mean_in_celery(app: Celery, run: Run) -> None:
    app.conf.timezone = "Europe/Berlin"

    @app.task
    def at() -> str:
        return "ran"

    now = app.now()
    naive = (now + timedelta(hours=1)).replace(tzinfo=None)
    late = at.apply_async(eta=naive)
    past = at.apply_async(countdown=-60)
    stale = at.apply_async(expires=datetime(2020, 1, 1, tzinfo=UTC))
    run()
    assert (past.get(), stale.state, late.state) == ("ran", "REVOKED", "PENDING")
    run(3_599)
    assert late.state == "PENDING"
    run(2)
    assert late.state == "SUCCESS"


def test_a_call_that_has_expired_could_run_a_day_later_if_its_process_died_before_it_was_cancelled(
    app: Celery, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = app.task(name="late")(lambda: "ran")
    monkeypatch.setattr(app.store, "cancel", lambda *_, **__: [Found.UNKNOWN])
    result = task.apply_async(expires=-1)
    run(400 * 86_400)
    assert result.job().attempt == 0


def test_priorities_count_as_they_do_with_the_broker_that_the_app_names(app: Celery) -> None:
    @app.task
    def one() -> None: ...

    assert one.apply_async(priority=9).job().priority == 9
    app.conf.broker_url = "redis://localhost"
    assert one.apply_async(priority=9).job().priority == -9


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"serializer": "pickle"}, "pickle is never read"),
        ({"exchange": "x"}, "queue= says where"),
        ({"headers": [("a", 1)]}, "a dict of JSON values"),
        ({"time_limit": 0}, "more than zero"),
        ({"time_limit": 3, "soft_time_limit": 3}, "less than time_limit"),
        ({"countdwn": 3}, "did you mean countdown"),
    ],
)
def test_options_of_a_call_that_cannot_be_honoured_say_what_to_do(app: Celery, options: Any, told: str) -> None:
    task = app.task(name="t")(lambda: None)
    with pytest.raises(InvalidValue, match=told):
        task.apply_async(**options)
    assert app.store.stats(0).accepted == 0


def test_options_about_brokers_do_nothing_and_those_of_ones_own_are_attributes(app: Celery) -> None:
    @app.task(name="x", acks_late=False, track_started=True, trail=False, shared=False, team="mail")
    def x() -> None: ...

    assert (x.team, x.plan.max_crashes) == ("mail", 1)
    assert x.apply_async(retry=True, retry_policy={}, connection=None, add_to_parent=True).state == "PENDING"
    with pytest.raises(InvalidValue, match="did you mean max_retries"):
        app.task(max_retrie=3, name="t")(lambda: None)


def test_arguments_are_checked_unless_typing_is_off(app: Celery) -> None:
    def add(x: int, y: int) -> int:
        return x + y

    with pytest.raises(TypeError):
        app.task(add).delay(1)
    with pytest.raises(PayloadError):
        app.task(name="strict")(add).delay(1, object())
    loose = app.task(name="loose", typing=False)(add)
    assert loose.delay(1).state == "PENDING"


def test_shared_tasks_are_those_of_every_app_and_go_to_the_current_one(app: Celery, run: Run) -> None:
    @shared_task(bind=True)
    def which(self: Any) -> str:
        return self.app.main

    result = which.delay()
    run()
    assert result.get() == current_app.main == "proj"
    set_default(None)
    with pytest.raises(NoScheduler, match=r"app = Celery\("):
        which.delay()


def test_a_shared_task_went_to_a_scheduler_whose_results_have_other_words_and_which_tells_no_signals() -> None:
    task = shared_task(name="shared")(lambda: 1)
    scheduler = Scheduler(MemoryStore())
    set_default(scheduler)
    asks: list[Callable[[], Any]] = [
        task.delay, task.apply, task.s().delay, chain(task.s()).delay, lambda: AsyncResult("x"), lambda: task.app,
        lambda: current_app.conf, lambda: current_app.main, lambda: signature("shared"),
    ]  # fmt: skip
    try:
        for ask in asks:
            with pytest.raises(NoScheduler, match=r"make it with hourwheel\.celery\.Celery\(store="):
                ask()
        assert not current_app
        assert "no app" in repr(current_app)
        assert scheduler.store.stats(0).accepted == 0
        Celery(store=MemoryStore())
        assert task.delay().state == "PENDING"
    finally:
        set_default(None)
