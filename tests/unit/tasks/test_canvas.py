"""Chains, groups and chords: stored at once, run one after the other, given each other's results."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hourwheel import (
    Filter,
    Found,
    InvalidValue,
    JobCancelled,
    JobFailed,
    ResultTimeout,
    Scheduler,
    State,
    chain,
    chord,
    group,
)
from hourwheel.store import MemoryStore
from hourwheel.tasks.draft import GATHERED_TTL_MS
from hourwheel.testing import FakeClock


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(1_000_000)


@pytest.fixture
def app(clock: FakeClock) -> Iterator[Scheduler]:
    app = Scheduler(MemoryStore(), clock=clock)
    yield app
    assert app.store.check() == []


@pytest.fixture
def tasks(app: Scheduler) -> Any:
    """add(*numbers), fail(*given), note(*given), which returns what it is given as a list."""

    @app.task(name="add")
    def add(*numbers: int) -> int:
        return sum(numbers)

    @app.task(name="total")
    def total(numbers: list[int], start: int = 0) -> int:
        return sum(numbers, start)

    @app.task(name="fail")
    def fail(*given: Any) -> None:
        raise ValueError(f"no {given}")

    @app.task(name="note")
    def note(*given: Any) -> list[Any]:
        return list(given)

    @app.task(name="strict")
    def strict(number: int) -> int:
        return number

    return SimpleNamespace(add=add, total=total, fail=fail, note=note, strict=strict)


# ---- chains ----------------------------------------------------------------------------------------------


def test_each_job_of_a_chain_is_given_the_result_of_the_one_before(app: Scheduler, tasks: Any) -> None:
    result = (tasks.add.s(1, 2) | tasks.add.s(3) | tasks.note.s("x")).delay()
    assert result.state == "scheduled"
    assert app.run_due() == 3
    assert result.get() == [6, "x"]


def test_the_whole_chain_is_stored_before_the_first_of_it_runs(app: Scheduler, tasks: Any) -> None:
    chain(tasks.add.s(1), tasks.add.s(2), tasks.add.s(3)).delay()
    assert app.store.stats(0).scheduled == 3
    assert len(app.store.scan(Filter(due_before_ms=1_000_001))) == 1


def test_an_immutable_one_is_given_nothing(app: Scheduler, tasks: Any) -> None:
    result = chain(tasks.add.s(1), tasks.note.si("alone"), tasks.note.s()).delay()
    app.run_due()
    assert result.get() == [["alone"]]


def test_a_chain_begins_after_its_countdown_and_a_link_after_its_own(
    app: Scheduler, tasks: Any, clock: FakeClock
) -> None:
    later = tasks.add.s(2).set(countdown=60)
    result = chain(tasks.add.s(1), later).apply_async(countdown=10)
    assert app.run_due() == 0
    clock.advance(10)
    assert app.run_due() == 1
    clock.advance(59)
    assert app.run_due() == 0
    clock.advance(1)
    assert app.run_due() == 1
    assert result.get() == 3


def test_a_chain_may_begin_at_an_instant(app: Scheduler, tasks: Any, clock: FakeClock) -> None:
    chain(tasks.add.s(1), tasks.add.s(1)).apply_async(eta=datetime.fromtimestamp(2_000, UTC))
    assert app.store.next_due() == 2_000_000


def test_a_failure_ends_the_chain_and_its_last_result_tells_of_it(app: Scheduler, tasks: Any) -> None:
    result = chain(tasks.add.s(1), tasks.fail.s(), tasks.add.s(2), tasks.add.s(3)).delay()
    assert app.run_due() == 2
    with pytest.raises(
        JobFailed, match=r"ValueError: no \(1,\) \(job .* of add, which it waited for, failed\)"
    ) as told:
        result.get()
    assert told.value.type == "ValueError"
    assert app.store.stats(0).failed == 3


def test_cancelling_a_link_ends_what_comes_after_it(app: Scheduler, tasks: Any) -> None:
    result = chain(tasks.add.s(1), tasks.add.s(2), tasks.add.s(3)).delay()
    (middle,) = [job for job in app.store.scan() if job.wakes and job.after]
    assert app.AsyncResult(middle.id).cancel() is Found.SCHEDULED
    app.run_due()
    with pytest.raises(JobCancelled, match="of add, which it waited for, was cancelled"):
        result.get()


def test_results_that_others_wait_for_are_kept_for_a_week(app: Scheduler, tasks: Any) -> None:
    chain(tasks.add.s(1), tasks.add.s(2)).delay()
    first, last = sorted(app.store.scan(), key=lambda job: job.due_ms)
    assert (first.result_ttl_ms, last.result_ttl_ms) == (GATHERED_TTL_MS, app.result_ttl_ms)


def test_a_chain_goes_on_in_the_next_process(tmp_path: Path, clock: FakeClock) -> None:
    def opened() -> tuple[Scheduler, Any]:
        app = Scheduler(tmp_path / "tasks.json", clock=clock)
        return app, app.task(name="add")(lambda *numbers: sum(numbers))

    app, add = opened()
    id = chain(add.s(1), add.s(2).set(countdown=5), add.s(3)).delay().id
    app.run_due()
    app.close()
    clock.advance(5)
    app, _ = opened()
    app.run_due()
    assert app.AsyncResult(id).get() == 6
    assert app.store.check() == []
    app.close()


# ---- groups and chords -----------------------------------------------------------------------------------


def test_a_group_gives_the_results_of_all(app: Scheduler, tasks: Any) -> None:
    results = group(tasks.add.s(n, n) for n in range(4)).delay()
    assert (len(results), results.ready(), results.waiting(), results.completed_count()) == (4, False, True, 0)
    app.run_due()
    assert results.get() == [0, 2, 4, 6]
    assert asyncio.run(results.aget(timeout=1)) == [0, 2, 4, 6]
    assert (results.ready(), results.successful(), results.failed(), results.completed_count()) == (
        True,
        True,
        False,
        4,
    )


def test_a_group_with_a_failure(app: Scheduler, tasks: Any) -> None:
    results = group(tasks.add.s(1), tasks.fail.s()).delay()
    with pytest.raises(ResultTimeout):
        results.get(timeout=0)
    app.run_due()
    assert (results.ready(), results.successful(), results.failed(), results.completed_count()) == (
        True,
        False,
        True,
        1,
    )
    with pytest.raises(JobFailed):
        results.get()
    one, other = results.get(propagate=False)
    assert one == 1 and isinstance(other, JobFailed)


def test_a_group_is_cancelled_in_one_write(app: Scheduler, tasks: Any) -> None:
    told: list[str] = []
    app.on.cancelled(told.append)
    results = group([tasks.add.s(1), tasks.add.s(2)]).apply_async(countdown=5)
    assert results.revoke() == [Found.SCHEDULED, Found.SCHEDULED]
    assert told == list(results.ids)


def test_a_chord_is_given_all_results_in_order(app: Scheduler, tasks: Any) -> None:
    result = chord([tasks.add.s(n) for n in range(5)], tasks.total.s(start=100)).delay()
    assert app.run_due() == 6
    assert result.get() == 110
    again = chord(tasks.add.s(n) for n in range(3))(tasks.total.s())
    app.run_due()
    assert again.get() == 3


def test_a_chord_whose_header_fails_does_not_call_its_body(app: Scheduler, tasks: Any) -> None:
    result = chord([tasks.add.s(1), tasks.fail.s(), tasks.add.s(2)], tasks.total.s()).delay()
    assert app.run_due() == 3
    with pytest.raises(JobFailed, match="ValueError"):
        result.get()


def test_progress_of_a_chord_is_in_the_store(app: Scheduler, tasks: Any) -> None:
    result = chord([tasks.add.s(1), tasks.add.s(2).set(countdown=5)], tasks.total.s()).delay()
    app.run_due()
    job = result.job()
    assert job is not None and job.after is not None
    assert (job.state, job.after.left, len(job.after.ids)) == (State.SCHEDULED, 1, 2)


def test_they_may_be_nested(app: Scheduler, tasks: Any) -> None:
    both = group(tasks.add.s(1) | tasks.add.s(10), tasks.add.s(2) | tasks.add.s(20))
    result = (tasks.add.s(100) | both | tasks.total.s() | tasks.note.s("end")).delay()
    app.run_due()
    assert result.get() == [100 + 1 + 10 + 100 + 2 + 20, "end"]
    groups = (group(tasks.add.s(1), tasks.add.s(2)) | group(tasks.total.s(), tasks.note.s())).delay()
    app.run_due()
    assert groups.get() == [3, [[1, 2]]]


# ---- link and link_error ---------------------------------------------------------------------------------


def test_link_is_called_with_the_result_and_link_error_is_not(app: Scheduler, tasks: Any) -> None:
    result = tasks.add.apply_async((1, 2), link=tasks.note.s("ok"), link_error=[tasks.note.s("bad")])
    assert app.run_due() == 2
    assert result.get() == 3
    ok, bad = (app.store.get([f"{result.id}:{need}-0"])[0] for need in ("succeeded", "failed"))
    assert ok is not None and bad is not None
    assert (ok.result, bad.state) == ([3, "ok"], State.CANCELLED)
    assert bad.reason == "not needed: nothing that it waited for has failed"


def test_link_error_is_called_with_the_id_when_no_attempt_is_left(app: Scheduler, tasks: Any) -> None:
    result = tasks.fail.apply_async(link=tasks.note.si("ok"), link_error=tasks.note.s("bad"))
    app.run_due()
    ok, bad = (app.store.get([f"{result.id}:{need}-0"])[0] for need in ("succeeded", "failed"))
    assert ok is not None and bad is not None
    assert (bad.result, ok.state) == ([result.id, "bad"], State.FAILED)


def test_the_same_call_again_adds_no_second_link(app: Scheduler, tasks: Any) -> None:
    for _ in range(2):
        tasks.add.apply_async((1,), task_id="one", link=tasks.note.s())
    assert app.store.stats(0).accepted == 2


def test_linked_calls_have_no_key(app: Scheduler, tasks: Any) -> None:
    with pytest.raises(InvalidValue, match="pass key, or link and link_error, not both"):
        tasks.add.apply_async((1,), key="k", link=tasks.note.s())
    with pytest.raises(InvalidValue, match="link must be a signature"):
        tasks.add.apply_async((1,), link=tasks.note)
    assert app.store.stats(0).accepted == 0


# ---- signatures ------------------------------------------------------------------------------------------


def test_a_signature_can_be_called_in_every_way(app: Scheduler, tasks: Any) -> None:
    two = tasks.add.s(1, 2)
    assert two(3) == 6
    results = [two.delay(), two.delay(10), two.apply_async((20,), countdown=0), tasks.add.si(5).delay(9)]
    app.run_due()
    assert [result.get() for result in results] == [3, 13, 23, 5]
    assert repr(tasks.note.si("x", y=1)) == "note.si('x', y=1)"
    assert repr(two.clone((0,)) | tasks.total.s()) == "add.s(0, 1, 2) | total.s()"
    assert repr(group(two)) == "group(add.s(1, 2))"
    assert tasks.add.signature((1,), queue="mail").set(priority=3).delay().queue == "mail"


@pytest.mark.parametrize(
    ("make", "error"),
    [
        (lambda t: chain("x"), InvalidValue),
        (lambda t: group([None]), InvalidValue),
        (lambda t: group(t.add), InvalidValue),
        (lambda t: chain(t.add.s(), "x"), InvalidValue),
        (lambda t: t.add.s() | 3, TypeError),
        (lambda t: (t.add.s(1) | t.strict.s(2)).delay(), TypeError),
        (lambda t: (t.add.s(1) | t.strict.si()).delay(), TypeError),
        (lambda t: (t.add.s(1).set(key="k") | t.add.s()).delay(), InvalidValue),
        (lambda t: (t.add.s(1) | t.add.s().set(eta=datetime(2030, 1, 1, tzinfo=UTC))).delay(), InvalidValue),
        (lambda t: (t.add.s(object()) | t.add.s()).delay(), TypeError),
        (lambda t: t.add.s(1).set(colour="blue"), InvalidValue),
    ],
)
def test_what_cannot_be_is_refused_at_the_call_and_nothing_is_stored(
    app: Scheduler, tasks: Any, make: Any, error: type[Exception]
) -> None:
    with pytest.raises(error):
        make(tasks)
    assert app.store.stats(0).accepted == 0
