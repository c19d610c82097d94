"""Jobs that outlive their ticker: what becomes of them as the program ends."""

from __future__ import annotations

import threading
import time
from typing import Any, cast

from hourwheel.job import Job, State, Succeeded
from hourwheel.store import MemoryStore
from hourwheel.testing import FakeClock
from hourwheel.worker.late import Late
from hourwheel.worker.pool.protocol import Done
from hourwheel.worker.run import ending

NOW_MS = 1_700_000_000_000


def test_a_job_that_had_just_ended_as_the_program_did_stayed_running_in_the_store() -> None:
    """It runs no more, and its worker is about to settle it; then the life sign was left, and the job ran once more."""
    store = MemoryStore()
    store.add([Job(id=id, task="t", due_ms=NOW_MS) for id in ("ended", "runs")], 0)
    ended, runs = store.claim("me", NOW_MS, 2)
    late = Late(store, FakeClock(NOW_MS))
    late.expect(2)
    looks = 0

    def running() -> list[Job]:
        nonlocal looks
        looks += 1
        if looks == 3:
            late.settle([Done(ended, Succeeded(), 0.0)])
        return [runs.job]

    late.leave(running)
    assert looks >= 3
    assert [store.get([id])[0].state for id in ("ended", "runs")] == [State.SUCCEEDED, State.SCHEDULED]  # type: ignore[union-attr]


def test_the_program_waits_for_the_worker_of_the_last_job_which_closes_the_store() -> None:
    late = Late(MemoryStore(), FakeClock(NOW_MS))
    late.expect(1)
    closes, told = threading.Event(), []

    def close() -> None:
        closes.set()
        time.sleep(0.05)
        told.append("closed")

    assert late.when_over(close)
    worker = threading.Thread(target=late.settle, args=([],))
    late._ended = 1
    worker.start()
    closes.wait(10)
    late.leave(list)
    assert told == ["closed"]
    worker.join()


def test_the_end_of_the_program_did_not_wait_for_a_worker_that_was_closing_the_store() -> None:
    """Its life sign was left."""
    waited_for: list[bool] = []

    class Left:
        late = Late(MemoryStore(), FakeClock())

    class Closing:
        def close(self) -> None:
            waited_for.append(left in ending._LEFT)

    left: Any = Left()
    left.late.expect(1)
    assert ending.leave_open(left, cast("Any", Closing()))
    left.late.expect(0)  # the last job has ended
    assert waited_for == [True]
    assert left not in ending._LEFT
