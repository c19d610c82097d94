"""AsyncResult: what it says of a job in each state, how it waits, and what it changes."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from freezegun import freeze_time
from hourwheel.clock import SystemClock, as_datetime
from hourwheel.contract import Found
from hourwheel.errors import InvalidValue, JobCancelled, JobExpired, JobFailed, ResultTimeout, UnknownJob
from hourwheel.events import Events
from hourwheel.job import Failed, Failure, Job, Outcome, State, Succeeded
from hourwheel.results.many import Results
from hourwheel.results.result import AsyncResult
from hourwheel.store.memory import MemoryStore
from hourwheel.testing import FakeClock
from hourwheel.turn import effects

NOW_MS = 1_767_225_600_000
BOOM = Failure("builtins.ValueError", "boom", "Traceback (most recent call last): ...")


def keeper_of(store: Any, clock: Any) -> Any:
    """As much of a Scheduler as a result needs."""
    return SimpleNamespace(
        store=store, clock=clock, on=Events(), why_not_ended=lambda _: "", warn_if_nobody_runs=lambda _: None
    )


class Deaf:
    """A store that cannot tell of new work."""

    def __init__(self, store: MemoryStore) -> None:
        self._store = store
        self.looks = 0

    def get(self, ids: Sequence[str]) -> list[Job | None]:
        self.looks += 1
        return self._store.get(ids)


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def result(store: MemoryStore) -> AsyncResult[Any]:
    store.add([Job(id="a", task="app.remind", due_ms=NOW_MS, payload='[[1],{"b":2}]', expires_ms=NOW_MS + 5_000)], 0)
    return AsyncResult("a", keeper_of(store, clock=FakeClock(NOW_MS)))


def claim(store: MemoryStore) -> Any:
    (claimed,) = store.claim("me", NOW_MS, 1)
    return claimed


def settle(store: MemoryStore, outcome: Outcome) -> None:
    assert store.settle(effects([(claim(store), outcome)]), NOW_MS) == []


def test_a_scheduled_job(result: AsyncResult[Any]) -> None:
    assert (result.id, result.task_id, repr(result)) == ("a", "a", "<AsyncResult: a>")
    assert (result.state, result.status) == (State.SCHEDULED, "scheduled")
    assert (result.ready(), result.successful(), result.failed()) == (False, False, False)
    assert (result.result, result.traceback) == (None, None)
    job = result.job()
    assert job is not None
    assert (job.args, job.kwargs) == ((1,), {"b": 2})


def test_a_running_job(store: MemoryStore, result: AsyncResult[Any]) -> None:
    claim(store)
    assert (result.state, result.ready()) == ("running", False)


def test_a_job_that_succeeded(store: MemoryStore, result: AsyncResult[Any]) -> None:
    settle(store, Succeeded(returned='{"sent":[1,2]}'))
    assert result.get() == {"sent": [1, 2]}
    assert result.get(timeout=0) == result.result == {"sent": [1, 2]}
    assert (result.state, result.ready(), result.successful(), result.failed()) == ("succeeded", True, True, False)


def test_a_job_that_returned_none_is_told_from_one_that_has_not_ended(
    store: MemoryStore, result: AsyncResult[Any]
) -> None:
    settle(store, Succeeded())
    assert result.get() is None
    assert result.successful()


def test_a_job_that_failed_raises_with_the_type_the_message_and_the_traceback(
    store: MemoryStore, result: AsyncResult[Any]
) -> None:
    settle(store, Failed(error=BOOM))
    with pytest.raises(JobFailed, match=r"^builtins.ValueError: boom$") as caught:
        result.get()
    assert (caught.value.type, caught.value.traceback) == ("builtins.ValueError", BOOM.traceback)
    assert (result.state, result.ready(), result.successful(), result.failed()) == ("failed", True, False, True)
    assert result.traceback == BOOM.traceback
    assert isinstance(result.result, JobFailed)
    assert str(result.result) == "builtins.ValueError: boom"


@pytest.mark.parametrize(
    ("failed", "message"),
    [
        (Failed(error=Failure("KeyError", "")), "KeyError"),
        (
            Failed(error=Failure("KeyError", "x"), reason="it was tried 4 times"),
            r"KeyError: x \(it was tried 4 times\)",
        ),
    ],
)
def test_the_message_of_a_failure_says_what_is_known(
    store: MemoryStore, result: AsyncResult[Any], failed: Failed, message: str
) -> None:
    settle(store, failed)
    with pytest.raises(JobFailed, match=f"^{message}$"):
        result.get()


def test_a_job_that_was_set_aside_says_so(store: MemoryStore) -> None:
    job = Job(id="a", task="app.remind", due_ms=NOW_MS, state=State.FAILED, reason="its worker died 3 times")
    result: AsyncResult[Any] = AsyncResult(
        "a", keeper_of(SimpleNamespace(get=lambda ids: [job]), clock=FakeClock(NOW_MS))
    )
    with pytest.raises(JobFailed, match="job a of app.remind failed: its worker died 3 times"):
        result.get()
    assert result.traceback is None


def test_a_job_that_was_cancelled(store: MemoryStore, result: AsyncResult[Any]) -> None:
    assert result.cancel() is Found.SCHEDULED
    with pytest.raises(JobCancelled, match=r"job a of app\.remind was cancelled$"):
        result.get()
    assert (result.state, result.ready(), result.failed(), result.result) == ("cancelled", True, False, None)
    assert result.cancel() is Found.FINISHED
    assert result.reschedule(countdown=1) is Found.FINISHED


def test_a_job_that_was_cancelled_with_a_reason_tells_it(store: MemoryStore, result: AsyncResult[Any]) -> None:
    store.cancel(["a"], NOW_MS, reason="the order was paid")
    with pytest.raises(JobCancelled, match="was cancelled: the order was paid"):
        result.get()


def test_a_job_that_expired(store: MemoryStore, result: AsyncResult[Any]) -> None:
    assert store.claim("me", NOW_MS + 5_000, 1) == []
    with pytest.raises(JobExpired, match=r"job a of app\.remind expired"):
        result.get()
    assert (result.state, result.ready()) == ("expired", True)


def test_an_unknown_id_is_unknown_and_never_pending_celery_3596(store: MemoryStore) -> None:
    result: AsyncResult[Any] = AsyncResult("ANY-THING", keeper_of(store, clock=FakeClock(NOW_MS)))
    assert (result.state, result.ready(), result.successful(), result.failed()) == ("unknown", False, False, False)
    assert (result.job(), result.result, result.traceback) == (None, None, None)
    with pytest.raises(UnknownJob, match="the store has no job ANY-THING"):
        result.get()
    assert result.cancel() is Found.UNKNOWN
    assert result.reschedule(countdown=1) is Found.UNKNOWN


def test_cancel_and_reschedule_say_that_a_running_job_was_not_changed(
    store: MemoryStore, result: AsyncResult[Any]
) -> None:
    claim(store)
    assert result.cancel() is Found.RUNNING
    assert result.revoke() is Found.RUNNING
    assert result.reschedule(countdown=1) is Found.RUNNING


@pytest.mark.parametrize(
    ("when", "due_ms"),
    [
        ({"countdown": 4}, NOW_MS + 4_000),
        ({"countdown": timedelta(seconds=1.5)}, NOW_MS + 1_500),
        ({"eta": as_datetime(NOW_MS + 3_000)}, NOW_MS + 3_000),
    ],
)
def test_reschedule_moves_the_job(result: AsyncResult[Any], when: dict[str, Any], due_ms: int) -> None:
    assert result.reschedule(**when) is Found.SCHEDULED
    assert result.job().due_ms == due_ms  # type: ignore[union-attr]


def test_a_job_moved_behind_its_expires_could_never_run(result: AsyncResult[Any]) -> None:
    with pytest.raises(InvalidValue, match="expires must be later than the job is due"):
        result.reschedule(countdown=5)
    assert result.job().due_ms == NOW_MS  # type: ignore[union-attr]


@pytest.mark.parametrize("when", [{}, {"countdown": 1, "eta": datetime(2030, 1, 1, tzinfo=UTC)}, {"countdown": -1}])
def test_reschedule_takes_one_time_exactly(result: AsyncResult[Any], when: dict[str, Any]) -> None:
    with pytest.raises(InvalidValue):
        result.reschedule(**when)
    assert result.job().due_ms == NOW_MS  # type: ignore[union-attr]


def test_reschedule_wakes_who_waits_for_the_store(store: MemoryStore, result: AsyncResult[Any]) -> None:
    store.wait(0)
    result.reschedule(countdown=1)
    assert store.wait(0)


def test_results_are_equal_by_their_ids(store: MemoryStore, result: AsyncResult[Any]) -> None:
    same: AsyncResult[Any] = AsyncResult("a", keeper_of(store, clock=SystemClock()))
    other: AsyncResult[Any] = AsyncResult("b", keeper_of(store, clock=SystemClock()))
    assert result == same
    assert hash(result) == hash(same)
    assert result != other
    assert result != "a"
    assert len({result, same, other}) == 2


# ---- waiting


def test_get_returns_when_another_thread_ends_the_job(store: MemoryStore, result: AsyncResult[Any]) -> None:
    claimed = claim(store)
    looked = threading.Event()

    def end() -> None:
        assert looked.wait(10)
        store.settle(effects([(claimed, Succeeded(returned="7"))]), NOW_MS)
        store.notify()

    thread = threading.Thread(target=end)
    thread.start()
    look = store.get
    store.get = lambda name: (look(name), looked.set())[0]  # type: ignore[method-assign]
    assert result.get(timeout=30) == 7
    thread.join()


@pytest.mark.parametrize("timeout", [0, 0.01, timedelta(milliseconds=5)])
def test_get_gives_up_after_the_timeout_though_the_clock_stands_still(
    result: AsyncResult[Any], timeout: float | timedelta
) -> None:
    with pytest.raises(ResultTimeout, match=r"job a of app.remind is still scheduled after") as caught:
        result.get(timeout=timeout)
    assert isinstance(caught.value, TimeoutError)


def test_get_gives_up_under_frozen_time_too(store: MemoryStore, result: AsyncResult[Any]) -> None:
    frozen: AsyncResult[Any] = AsyncResult("a", keeper_of(store, clock=SystemClock()))
    with freeze_time("2026-01-01"), pytest.raises(ResultTimeout):
        frozen.get(timeout=0.01)


def test_get_polls_a_store_that_cannot_tell_of_new_work(store: MemoryStore, result: AsyncResult[Any]) -> None:
    deaf = Deaf(store)
    polling: AsyncResult[Any] = AsyncResult("a", keeper_of(deaf, clock=SystemClock()))
    with pytest.raises(ResultTimeout):
        polling.get(timeout=0.02)
    assert deaf.looks >= 3
    settle(store, Succeeded(returned="7"))
    assert polling.get(timeout=0) == 7


@pytest.mark.parametrize("timeout", [-1, "1", float("nan"), True])
def test_a_timeout_that_is_none_is_refused(result: AsyncResult[Any], timeout: Any) -> None:
    with pytest.raises(InvalidValue, match="timeout must be a number of seconds or a timedelta, zero or more, or None"):
        result.get(timeout=timeout)


# ---- under Celery's names, and for coroutines ------------------------------------------------------------


def test_what_celery_shows_of_a_job(store: MemoryStore, result: AsyncResult[Any]) -> None:
    assert (result.name, result.args, result.kwargs, result.queue) == ("app.remind", (1,), {"b": 2}, "default")
    assert (result.retries, result.eta, result.date_done) == (0, datetime(2026, 1, 1, tzinfo=UTC), None)
    assert result.exists()
    settle(store, Succeeded(returned="7"))
    assert (result.info, result.date_done) == (7, datetime(2026, 1, 1, tzinfo=UTC))


def test_what_celery_shows_of_a_job_that_nobody_knows(store: MemoryStore) -> None:
    gone: AsyncResult[Any] = AsyncResult("gone", keeper_of(store, clock=FakeClock(NOW_MS)))
    assert (gone.name, gone.args, gone.kwargs, gone.queue) == (None, None, None, None)
    assert (gone.retries, gone.eta, gone.date_done, gone.info) == (None, None, None, None)
    assert not gone.exists()


def test_get_may_return_the_error_instead_of_raising_it(store: MemoryStore, result: AsyncResult[Any]) -> None:
    settle(store, Failed(error=BOOM))
    assert isinstance(result.get(propagate=False), JobFailed)


def test_a_coroutine_waits_for_a_result_while_its_loop_goes_on(store: MemoryStore, result: AsyncResult[Any]) -> None:
    async def main() -> Any:
        waiting = asyncio.ensure_future(result.aget(timeout=10))
        await asyncio.sleep(0.01)
        settle(store, Succeeded(returned="7"))
        return await waiting

    assert asyncio.run(main()) == 7


def test_a_coroutine_that_waits_too_long_is_told_so(result: AsyncResult[Any]) -> None:
    with pytest.raises(ResultTimeout, match="still scheduled after 0"):
        asyncio.run(result.aget(timeout=0))
    with pytest.raises(ResultTimeout):
        asyncio.run(result.aget(timeout=0.02))


def test_a_coroutine_is_told_of_a_failure(store: MemoryStore, result: AsyncResult[Any]) -> None:
    settle(store, Failed(error=BOOM))
    with pytest.raises(JobFailed, match="boom"):
        asyncio.run(result.aget())


# ---- once more -------------------------------------------------------------------------------------------


def test_a_failed_job_can_be_run_once_more(store: MemoryStore, result: AsyncResult[Any]) -> None:
    assert result.retry() is Found.SCHEDULED
    claimed = claim(store)
    assert result.retry() is Found.RUNNING
    store.settle(effects([(claimed, Failed(error=BOOM))]), NOW_MS)
    assert result.retry(countdown=1) is Found.FINISHED
    job = result.job()
    assert job is not None and (job.due_ms, job.attempt) == (NOW_MS + 1_000, 0)
    assert store.cancel(["a"], NOW_MS) == [Found.SCHEDULED]
    result.retry()
    settle(store, Succeeded(returned="7"))
    assert result.get() == 7


def test_a_job_that_nobody_knows_cannot_be_run_once_more(store: MemoryStore) -> None:
    gone: AsyncResult[Any] = AsyncResult("gone", keeper_of(store, clock=FakeClock(NOW_MS)))
    assert gone.retry() is Found.UNKNOWN


# ---- forgetting ------------------------------------------------------------------------------------------


def test_forget_drops_a_job_that_has_ended_and_says_so(store: MemoryStore, result: AsyncResult[Any]) -> None:
    store.settle(effects([(claim(store), Succeeded(returned="42"))]), NOW_MS)
    assert result.forget() is Found.FINISHED
    assert (result.state, result.exists(), result.result) == ("unknown", False, None)
    with pytest.raises(UnknownJob):
        result.get()  # Celery's waits for ever
    assert result.forget() is Found.UNKNOWN


def test_forget_keeps_a_job_that_has_not_ended(store: MemoryStore, result: AsyncResult[Any]) -> None:
    assert result.forget() is Found.SCHEDULED
    held = claim(store)
    assert result.forget() is Found.RUNNING
    assert store.settle(effects([(held, Succeeded(returned="42"))]), NOW_MS) == []
    assert result.get() == 42


def test_results_are_forgotten_together(store: MemoryStore, result: AsyncResult[Any]) -> None:
    results = Results[Any](["a", "b"], result._keeper)
    store.settle(effects([(claim(store), Succeeded())]), NOW_MS)
    assert results.forget() == [Found.FINISHED, Found.UNKNOWN]
