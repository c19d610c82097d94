"""Settings as a Celery program has them: kept, taken, or refused all at once."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from hourwheel.celery import Celery
from hourwheel.errors import InvalidValue, SchedulerError, UnknownSetting
from hourwheel.store import MemoryStore
from hourwheel.tasks.default_app import set_default


@pytest.fixture(autouse=True)
def _nobody_is_the_default() -> Any:
    yield
    set_default(None)


def test_the_name_is_a_name_and_the_broker_is_kept_and_connected_to_by_nobody(tmp_path: Any, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    app = Celery("proj", broker="amqp://guest@localhost//", backend="rpc://", include=[], store=MemoryStore())
    assert (app.main, app.conf.broker_url, app.conf.result_backend) == ("proj", "amqp://guest@localhost//", "rpc://")
    assert list(tmp_path.iterdir()) == []


def test_ones_own_settings_and_those_of_brokers_are_kept(app: Celery) -> None:
    app.conf.update(broker_transport_options={"visibility_timeout": 3600}, my_own=1, worker_prefetch_multiplier=1)
    app.conf["another"] = 2
    assert (app.conf.my_own, app.conf.another, app.conf.get("third", 3)) == (1, 2, 3)
    assert app.conf.broker_transport_options == {"visibility_timeout": 3600}
    assert app.conf.setdefault("fourth", 4) == app.conf.fourth == 4


def test_the_default_queue_is_called_as_in_celery_so_that_a_worker_of_it_runs_the_jobs(app: Celery) -> None:
    """With another name, `worker -Q celery` would wait for ever."""
    task = app.task(lambda: None, name="x")
    assert (app.conf.task_default_queue, task.delay().job().queue) == ("celery", "celery")
    assert task.apply_async(queue="mail").job().queue == "mail"
    app.conf.task_default_queue = "rest"
    assert task.delay().job().queue == "rest"


def test_settings_that_mean_the_same_are_ours(app: Celery) -> None:
    app.conf.update(result_expires=60, worker_concurrency=3, timezone="Europe/Berlin", task_default_queue="mail")
    assert (app.conf.result_ttl, app.conf.workers, str(app.timezone)) == (60, 3, "Europe/Berlin")


def test_all_that_cannot_be_is_refused_at_once(app: Celery) -> None:
    settings = SimpleNamespace(
        CELERY_TASK_SERIALIZER="pickle",
        CELERY_ACCEPT_CONTENT=["pickle"],
        CELERY_ENABLE_UTC=False,
        CELERY_BEAT_SCHEDULER="django_celery_beat.schedulers:DatabaseScheduler",
        CELERY_RESULT_EXPIRES=60,
        CELERYD_CONCURRENCY=4,
        CELERYBEAT_SCHEDULE={},
    )
    with pytest.raises(InvalidValue) as caught:
        app.config_from_object(settings, namespace="CELERY")
    said = str(caught.value)
    for word in (
        "pickle is never read",
        "timezone",
        "beat_scheduler",
        "WORKER_CONCURRENCY",
        "BEAT_SCHEDULE",
        "6 settings",
    ):
        assert word in said
    assert app.conf.result_ttl == 3600


def test_a_setting_that_nobody_knows_is_guessed_when_it_is_read(app: Celery) -> None:
    with pytest.raises(UnknownSetting, match="did you mean 'broker_url'"):
        _ = app.conf.broker_ur


def test_everything_waits_for_its_modules_and_tells_when_they_are_there(app: Celery) -> None:
    told: list[str] = []

    @app.on_after_configure.connect
    def configured(sender: Celery, **kwargs: Any) -> None:
        told.append(f"configured {sender.main}")
        sender.add_periodic_task(10.0, ping.s(), name="ping")

    @app.on_after_finalize.connect
    def finalized(sender: Celery, **kwargs: Any) -> None:
        told.append("finalized")

    @app.task
    def ping() -> None: ...

    app.finalize()
    app.finalize()
    assert told == ["configured proj", "finalized"]
    assert [one.name for one in app.schedules] == ["ping"]


def test_defaults_of_tasks_come_from_settings(app: Celery) -> None:
    app.conf.update(task_ignore_result=True, task_default_rate_limit="10/m")
    task = app.task(name="t")(lambda: None)
    assert (task.plan.ignore_result, task.plan.rate_limit) == (True, "10/m")


def test_an_update_that_is_refused_changes_nothing_of_what_is_kept(app: Celery) -> None:
    app.conf.update(broker_url="redis://one", mine=1)
    with pytest.raises(InvalidValue):
        app.conf.update(broker_url="redis://two", mine=2, task_serializer="pickle")
    assert (app.conf.broker_url, app.conf.mine) == ("redis://one", 1)


@pytest.mark.parametrize("value", [None, 0])
def test_results_that_celery_would_keep_for_ever_are_not_dropped_after_an_hour_unsaid(app: Celery, value: Any) -> None:
    with pytest.raises(InvalidValue, match="for ever"):
        app.conf.result_expires = value


def test_a_mistyped_argument_of_the_app_was_taken_for_a_setting_of_ones_own() -> None:
    with pytest.raises(TypeError, match="did you mean backend"):
        Celery("proj", bakend="redis://", store=MemoryStore())


def test_at_most_once_can_be_said_for_all_tasks(app: Celery) -> None:
    app.conf.task_acks_late = False
    assert app.task(name="t")(lambda: None).plan.max_crashes == 1


def test_a_limit_that_threads_cannot_keep_is_refused_in_the_name_of_a_task_of_the_program() -> None:
    app = Celery("proj", store=MemoryStore())
    app.conf.task_time_limit = 300
    app.task(lambda: None, name="shop.report")
    with pytest.raises(SchedulerError, match="task shop.report cannot be run by a pool of threads.*-P processes"):
        app.start()
