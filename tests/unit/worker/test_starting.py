"""A scheduler is started whole or not at all."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from hourwheel import Scheduler, SchedulerError
from hourwheel.store import MemoryStore

START = "_start_joinable_thread" if hasattr(threading, "_start_joinable_thread") else "_start_new_thread"
"""What threading calls for a thread, from Python 3.13 on and before."""
REAL = getattr(threading, START)


def only(most: int) -> Callable[..., Any]:
    left = [most]

    def start(*args: Any, **kwargs: Any) -> Any:
        left[0] -= 1
        if left[0] < 0:
            raise RuntimeError("can't start new thread")
        return REAL(*args, **kwargs)

    return start


@pytest.mark.parametrize("most", [0, 1, 3])
def test_a_start_for_which_there_were_too_few_threads_left_some_of_them_behind(
    most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = Scheduler(MemoryStore(), workers=3)

    @app.task(name="doubled")
    def doubled(n: int) -> int:
        return 2 * n

    before = set(threading.enumerate())
    with monkeypatch.context() as patch:
        patch.setattr(threading, START, only(most))
        with pytest.raises(SchedulerError, match="it needs 3 workers and one more; raise the limit"):
            app.start()
    for thread in set(threading.enumerate()) - before:
        thread.join(10)
    assert set(threading.enumerate()) <= before
    assert not app.running
    with app:
        assert doubled.delay(4).get(timeout=10) == 8


def test_ctrl_c_as_the_scheduler_starts_left_one_running_that_nobody_could_stop(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    app = Scheduler(MemoryStore(), workers=2)
    real = threading.Thread.start

    def struck(thread: threading.Thread) -> None:
        real(thread)
        if thread.name.endswith("ticker"):
            raise KeyboardInterrupt

    before = set(threading.enumerate())
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", struck)
        with pytest.raises(KeyboardInterrupt):
            app.start()
    for thread in set(threading.enumerate()) - before:
        thread.join(10)
    assert set(threading.enumerate()) <= before
    assert not app.running
