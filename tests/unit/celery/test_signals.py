"""Signals: who is called, with what, and who is not."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hourwheel.celery import Celery, signals
from hourwheel.errors import InvalidValue, StoreError

Run = Callable[..., None]


@pytest.fixture(autouse=True)
def _nobody_stays_connected() -> Iterator[None]:
    before = {name: list(one.receivers) for name, one in vars(signals).items() if isinstance(one, signals.Signal)}
    yield
    for name, receivers in before.items():
        getattr(signals, name).receivers = receivers


def test_each_run_is_told_with_celerys_arguments(app: Celery, run: Run) -> None:
    seen: list[Any] = []

    @app.task(name="add")
    def add(x: int) -> int:
        if x < 0:
            raise ValueError("negative")
        return x

    def note(signal: Any = None, sender: Any = None, **named: Any) -> None:
        seen.append((signal.name, getattr(sender, "name", sender), sorted(named)))

    names = "before_task_publish after_task_publish task_received task_prerun task_postrun task_success task_failure"
    for name in names.split():
        getattr(signals, name).connect(note)
    add.delay(1)
    run()
    assert [one[:2] for one in seen] == [
        ("before_task_publish", "add"), ("after_task_publish", "add"), ("task_received", app), ("task_prerun", "add"),
        ("task_success", "add"), ("task_postrun", "add"),
    ]  # fmt: skip
    assert seen[3][2] == ["args", "kwargs", "task", "task_id"]
    seen.clear()
    add.delay(-1)
    run()
    assert [one[0] for one in seen[4:]] == ["task_failure", "task_postrun"]
    assert seen[4][2] == ["args", "einfo", "exception", "kwargs", "task_id", "traceback"]


def test_a_call_that_could_not_be_stored_was_told_as_sent(app: Celery, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []

    def note(signal: Any = None, **kwargs: Any) -> None:
        seen.append(signal.name)

    signals.before_task_publish.connect(note)
    signals.after_task_publish.connect(note)
    task = app.task(name="t")(lambda: None)

    def full(*_: Any, **__: Any) -> None:
        raise StoreError("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(app.store, "add", full)
        with pytest.raises(StoreError):
            task.delay()
    assert seen == ["before_task_publish"]
    task.delay()
    assert seen[1:] == ["before_task_publish", "after_task_publish"]


def test_a_receiver_is_called_for_its_sender_once_and_until_it_is_gone(app: Celery, run: Run) -> None:
    seen: list[str] = []
    one, other = app.task(name="one")(lambda: None), app.task(name="other")(lambda: None)

    @signals.task_success.connect(sender=one)
    def for_one(**kwargs: Any) -> None:
        seen.append("one")

    @signals.task_success.connect(sender="other", dispatch_uid="only once")
    def for_other(**kwargs: Any) -> None:
        seen.append("other")

    signals.task_success.connect(
        lambda **kwargs: seen.append("again"), weak=False, sender="other", dispatch_uid="only once"
    )
    for task in (one, other):
        task.delay()
    run()
    assert seen == ["one", "again"]
    del for_one
    gc.collect()
    one.delay()
    run()
    assert seen == ["one", "again"]
    assert signals.task_success.disconnect(sender="other", dispatch_uid="only once")


def test_a_receiver_that_raises_stops_nobody(app: Celery, run: Run) -> None:
    seen: list[int] = []

    @signals.task_prerun.connect
    def bad(**kwargs: Any) -> None:
        raise RuntimeError("bad")

    @signals.task_prerun.connect
    def good(**kwargs: Any) -> None:
        seen.append(1)

    result = app.task(name="t")(lambda: 1).delay()
    run()
    assert (result.get(), seen) == (1, [1])


def test_what_is_never_sent_refuses_receivers_and_says_what_to_do() -> None:
    with pytest.raises(InvalidValue, match="connect worker_init"):
        signals.beat_init.connect(lambda **kwargs: None)
    with pytest.raises(InvalidValue, match="keyword arguments"):
        signals.task_prerun.connect(lambda sender: None)


def test_a_worker_tells_of_its_life(app: Celery) -> None:
    seen: list[str] = []

    def note(signal: Any = None, **kwargs: Any) -> None:
        seen.append(signal.name)

    for name in ("setup_logging", "worker_init", "worker_process_init", "worker_ready", "worker_shutdown"):
        getattr(signals, name).connect(note)
    with app:
        app.task(name="t")(lambda: None).delay().get(timeout=20)
    assert seen[:2] == ["setup_logging", "worker_init"]
    assert {"worker_ready", "worker_process_init", "worker_shutdown"} <= set(seen)
