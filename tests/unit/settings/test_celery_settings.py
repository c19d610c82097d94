"""Settings that a program brings from Celery: none is dropped in silence, and all that is refused is said at once."""

from __future__ import annotations

import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hourwheel import HourwheelError, InvalidValue, Scheduler
from hourwheel.errors import UnknownSetting
from hourwheel.store import MemoryStore

OLD = {
    "CELERYBEAT_SCHEDULE": ({}, "write CELERY_BEAT_SCHEDULE"),
    "CELERYBEAT_SCHEDULER": ("x", "beat_scheduler must be absent: there is no beat"),
    "CELERYBEAT_MAX_LOOP_INTERVAL": (5, "beat_max_loop_interval must be absent"),
    "CELERYD_CONCURRENCY": (4, "write CELERY_WORKER_CONCURRENCY"),
    "CELERYD_POOL": ("solo", "write CELERY_WORKER_POOL"),
    "CELERYD_PREFETCH_MULTIPLIER": (
        1,
        "worker_prefetch_multiplier must be absent: a job is claimed when a worker is free",
    ),
    "CELERYD_TASK_TIME_LIMIT": (9, "write CELERY_TASK_TIME_LIMIT"),
    "CELERYD_TASK_SOFT_TIME_LIMIT": (9, "write CELERY_TASK_SOFT_TIME_LIMIT"),
    "CELERYD_MAX_TASKS_PER_CHILD": (9, "write CELERY_WORKER_MAX_TASKS_PER_CHILD"),
    "CELERYD_LOG_FORMAT": ("x", "there is no such setting here"),
    "CELERYMON_LOG_FILE": ("x", "there is no such setting here"),
    "CELERY_ALWAYS_EAGER": (True, "task_always_eager must be absent: tests run the jobs themselves"),
    "CELERY_DEFAULT_QUEUE": ("x", "write task_default_queue"),
    "CELERY_ROUTES": ({}, "write task_routes"),
    "CELERY_QUEUES": (("a", "b"), "task_queues must be absent: a queue is there as soon as it is named"),
    "CELERY_IGNORE_RESULT": (True, "task_ignore_result must be absent"),
    "CELERY_ACKS_LATE": (True, "write task_acks_late"),
    "CELERY_TASK_RESULT_EXPIRES": (60, "write result_expires"),
    "BROKER_URL": ("amqp://me:secret@host", "broker_url must be absent: there is no broker"),
    "BROKER_TRANSPORT_OPTIONS": ({}, "broker_transport_options must be absent"),
}


def refused(do: Callable[[], object]) -> str:
    with pytest.raises(InvalidValue) as error:
        do()
    return str(error.value)


@pytest.mark.parametrize("name", OLD)
def test_an_old_name_beside_the_namespace_was_dropped_silently(name: str) -> None:
    """CELERYBEAT_SCHEDULE in Django's settings: no schedule ever fired, and nothing said why."""
    value, told = OLD[name]
    said = refused(lambda: Scheduler().config_from_object({name: value}, namespace="CELERY"))
    assert name in said
    assert told in said
    assert "secret" not in said
    settings = types.SimpleNamespace(**{name: value, "DEBUG": True, "S3_BUCKET": "x"})
    assert told in refused(lambda: Scheduler().config_from_object(settings, namespace="CELERY"))


@pytest.mark.parametrize("name", OLD)
def test_an_old_name_in_a_module_of_settings_was_dropped_silently(name: str) -> None:
    """A celeryconfig.py of Celery 3 has names in upper case, which passed for the module's own constants."""
    value, told = OLD[name]
    module = types.ModuleType("celeryconfig")
    vars(module).update({name: value, "DEBUG": True, "S3_BUCKET": "x", "result_ttl": 5})
    said = refused(lambda: Scheduler().config_from_object(module))
    assert said.startswith(f"celeryconfig: {name} is a name of Celery 3: ")
    assert told.replace("CELERY_", "").lower() in said.lower()


def test_another_namespace_is_nobodys_business() -> None:
    app = Scheduler()
    app.config_from_object(
        {"CELERYD_CONCURRENCY": 4, "CELERY_QUEUES": 5, "HOURWHEEL_WORKERS": 3}, namespace="HOURWHEEL"
    )
    assert app.workers == 3


def test_every_refusal_is_said_at_once_and_nothing_is_set() -> None:
    """A project of thirty settings was started, and refused, thirty times."""
    app = Scheduler()
    settings: dict[str, Any] = {name: value for name, (value, _) in OLD.items()}
    settings |= {"CELERY_TIMEZONE": "Mars", "CELERY_WORKER_CONCURENCY": 4, "CELERY_RESULT_EXPIRES": 60}
    said = refused(lambda: app.config_from_object(settings, namespace="CELERY"))
    assert said.startswith(f"{len(OLD) + 2} settings cannot be taken:\n")
    assert all(told in said for _, told in OLD.values())
    assert "timezone must be the name of a time zone" in said
    assert "did you mean 'worker_concurrency'?" in said
    assert app.conf.source("result_ttl") == "default"


def test_every_layer_says_all_that_is_wrong_with_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    app = Scheduler()
    said = refused(lambda: app.conf.update(wrokers=3, timezone="Mars", result_ttl=-1))
    assert said.startswith("3 settings cannot be taken:\n  there is no setting 'wrokers'; did you mean 'workers'?\n")
    with pytest.raises(UnknownSetting, match="2 settings cannot be taken"):
        app.conf.update(wrokers=3, timezon="UTC")
    monkeypatch.setenv("HOURWHEEL_WORKERS", "many")
    monkeypatch.setenv("HOURWHEEL_TIMEZONE", "Mars")
    monkeypatch.setenv("HOURWHEEL_RESULT_TLL", "5")
    said = refused(lambda: app.workers)
    assert "HOURWHEEL_WORKERS: workers must be" in said
    assert "HOURWHEEL_TIMEZONE: timezone must be" in said
    assert "did you mean HOURWHEEL_RESULT_TTL?" in said
    for name in ("WORKERS", "TIMEZONE", "RESULT_TLL"):
        monkeypatch.delenv(f"HOURWHEEL_{name}")
    Path("hourwheel.toml").write_text("workers = 'x'\nprefetch = 1\n[beat_schedule]\n", encoding="utf-8")
    said = refused(lambda: Scheduler().workers)
    assert said.startswith("3 settings cannot be taken")
    assert "beat_schedule must be given in code" in said


@pytest.mark.parametrize(
    ("given", "hint"),
    [
        ({"worker": 4}, "did you mean workers?"), ({"worker_concurrency": 4}, "did you mean workers?"),
        ({"queue": "x"}, "did you mean queues?"), ({"time_zone": "UTC"}, "did you mean timezone?"),
        ({"broker": "x"}, "broker: there is no broker; write store="), ({"backend": "x"}, "backend: results are kept in the store"),
        ({"include": ["x"]}, "include: call app.autodiscover_tasks"),
        ({"worker": 4, "broker": "x"}, "'worker' and 'broker'; worker: did you mean workers?; broker: there is no broker"),
    ],
)  # fmt: skip
def test_an_argument_of_scheduler_that_is_none_says_what_was_meant(given: dict[str, Any], hint: str) -> None:
    with pytest.raises(TypeError) as error:
        Scheduler(**given)
    assert str(error.value).startswith("Scheduler() got an unexpected keyword argument ")
    assert hint in str(error.value)


def test_a_durability_that_no_store_would_hear_of_is_refused_in_every_order() -> None:
    for values in ([("store", MemoryStore()), ("durability", "os")], [("durability", "os"), ("store", MemoryStore())]):
        app = Scheduler()
        with pytest.raises(HourwheelError, match="durability must be absent when a Store is given"):
            for name, value in values:
                setattr(app.conf, name, value)


def test_what_a_running_scheduler_cannot_become_is_said(caplog: Any) -> None:
    app = Scheduler(MemoryStore(), workers=1)
    app.conf.workers = 2
    assert caplog.text == ""
    with app:
        app.conf.update(workers=3, queues=["a"], result_ttl=60)
    assert "The scheduler runs: what was said of queues, workers holds from the next start() on" in caplog.text
