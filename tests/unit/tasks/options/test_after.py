"""after= and even_if=: a call that waits for jobs that were stored before it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from hourwheel import AsyncResult, InvalidValue, JobCancelled, JobFailed, Results, Scheduler, UnknownJob, chain, group
from hourwheel.contract import Filter
from hourwheel.store import JsonStore, MemoryStore
from hourwheel.testing import FakeClock

NOW_MS = 1_800_000_000_000
LONG_S = 30.0


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(NOW_MS)


@pytest.fixture
def app(clock: FakeClock) -> Iterator[Scheduler]:
    app = Scheduler(MemoryStore(), clock=clock)
    yield app
    assert app.store.check() == []


@pytest.fixture
def note(app: Scheduler) -> Any:
    return note_of(app)


@pytest.fixture
def fail(app: Scheduler) -> Any:
    @app.task(name="fail")
    def fail() -> None:
        raise ValueError("no")

    return fail


def note_of(app: Scheduler) -> Any:
    @app.task(name="note")
    def note(*given: Any) -> list[Any]:
        return [*given]

    return note


def run_all(app: Scheduler) -> None:
    while app.run_due():
        pass


def test_it_runs_when_the_other_has_succeeded_and_gets_only_its_own_arguments(app: Scheduler, note: Any) -> None:
    first = note.after(60).delay(1)
    second = note.options(after=first).delay(2)
    run_all(app)
    assert (first.state, second.state, second.parents, first.children) == ("scheduled", "scheduled", [first], [second])
    first.reschedule(countdown=0)
    run_all(app)
    assert (first.get(0), second.get(0)) == ([1], [2])
    assert second.members() == [first, second]


def test_if_the_other_has_succeeded_it_runs_at_once(app: Scheduler, note: Any) -> None:
    first = note.delay(1)
    run_all(app)
    second = note.options(after=first).delay(2)
    assert second.job().due_ms == NOW_MS
    run_all(app)
    assert second.get(0) == [2]


def test_it_fails_as_in_a_chain_if_the_other_failed_before_or_after_the_call(
    app: Scheduler, note: Any, fail: Any
) -> None:
    failing = fail.delay()
    early = note.options(after=failing).delay(1)
    run_all(app)
    late = note.options(after=failing).delay(2)
    run_all(app)
    for one in (early, late):
        with pytest.raises(JobFailed, match=r"no \(job .* of fail, which it waited for, failed"):
            one.get(0)
        assert one.job().attempt <= 1


def test_it_is_cancelled_as_in_a_chain_if_the_other_was(app: Scheduler, note: Any) -> None:
    first = note.after(60).delay(1)
    second = note.options(after=first).delay(2)
    first.cancel()
    run_all(app)
    with pytest.raises(JobCancelled, match="which it waited for, was cancelled"):
        second.get(0)


def test_even_if_the_others_did_not_succeed(app: Scheduler, note: Any, fail: Any) -> None:
    failing, cancelled, good = fail.delay(), note.after(60).delay(0), note.delay(0)
    last = note.options(after=[failing, cancelled, good], even_if="failed").delay("clean up")
    run_all(app)
    assert last.state == "scheduled"
    cancelled.cancel()
    run_all(app)
    assert last.get(0) == ["clean up"]
    late = note.options(after=failing, even_if="failed").delay("later")
    run_all(app)
    assert late.get(0) == ["later"]


def test_the_others_can_be_named_in_many_ways(app: Scheduler, note: Any) -> None:
    uuid = UUID("11111111-1111-4111-8111-111111111111")
    one, two = note.apply_async((1,), task_id=uuid), note.delay(2)
    many = group(note.s(3), note.s(4)).delay()
    nested = group(note.s(5), chain(note.s(6), group(note.s(7), note.s(8)))).delay()
    for given, ids in {
        one: [one.id],
        one.id: [one.id],
        uuid: [one.id],
        str(uuid).upper(): [one.id],
        (one, two.id, one): [one.id, two.id],
        iter([two, one.job()]): [two.id, one.id],
    }.items():
        assert [*note.options(after=given).delay().job().after.ids] == ids
    assert [*note.options(after=[one, many]).delay().job().after.ids] == [one.id, *many.ids]
    assert {*note.options(after=nested).delay().job().after.ids} == {*nested.ids}
    assert note.options(after={two}).delay().parents == [two]


def test_waiting_for_nothing_is_no_waiting(app: Scheduler, note: Any) -> None:
    for nothing in ([], (), Results((), None), group().delay()):
        job = note.options(after=nothing, even_if="failed").delay(1).job()
        assert (job.after, job.due_ms) == (None, NOW_MS)
    assert note.options(after=None).delay(1).job().after is None


def test_an_unknown_id_is_refused_and_nothing_is_stored(app: Scheduler, note: Any) -> None:
    there = note.delay(1)
    with pytest.raises(UnknownJob, match="cannot wait for job nobody: the store never had it.*nothing was added"):
        note.options(after=[there, "nobody"]).delay(2)
    with pytest.raises(UnknownJob):
        note.apply_async((2,), after="me", task_id="me")
    with pytest.raises(UnknownJob):
        app.schedule_many(note, [((n,), {}) for n in range(3)], after="nobody")
    assert [job.id for job in app.store.scan(Filter())] == [there.id]
    assert there.children == []


@pytest.mark.parametrize("odd", [5, "", "a b", b"a", object(), [None], [["a"], 5], {"a": 1}, True, "-x"])
def test_what_names_no_job_is_refused_at_the_call(note: Any, odd: Any) -> None:
    with pytest.raises(InvalidValue, match="after must be the result or id of a call that has been made"):
        note.options(after=odd)


def test_a_task_or_a_call_is_no_job(note: Any) -> None:
    for odd in (note, note.s(1)):
        with pytest.raises((InvalidValue, AttributeError), match=r"after must be|delay"):
            note.options(after=odd)


@pytest.mark.parametrize("odd", ["failure", True, "finished", 1])
def test_an_odd_even_if_is_refused(note: Any, odd: Any) -> None:
    with pytest.raises(InvalidValue, match='even_if must be "failed"'):
        note.options(after="a", even_if=odd)


def test_options_that_do_not_go_together_are_refused(app: Scheduler, note: Any) -> None:
    there = note.delay(1)
    with pytest.raises(InvalidValue, match="even_if has no effect without after"):
        note.options(even_if="failed").delay(1)
    with pytest.raises(InvalidValue, match="after or eta, not both"):
        note.at(datetime(2030, 1, 1, tzinfo=UTC)).options(after=there).delay(1)
    with pytest.raises(InvalidValue, match="after or max_wait, not both"):
        note.options(after=there, key="k", max_wait=5).delay(1)
    with pytest.raises(InvalidValue, match="after must be left out for a chain, group or chord"):
        chain(note.s(1).set(after=there), note.s(2)).delay()
    with pytest.raises(InvalidValue, match="at most 10000 jobs"):
        note.options(after=[str(n) for n in range(10_001)])
    assert len(app.store.scan(Filter())) == 1


def test_countdown_counts_from_the_end_of_the_last(app: Scheduler, clock: FakeClock, note: Any) -> None:
    first = note.after(60).delay(1)
    second = note.options(after=first).after(5).delay(2)
    clock.advance(seconds=60)
    run_all(app)
    assert second.job().due_ms == NOW_MS + 65_000
    third = note.options(after=first, countdown=7).delay(3)
    assert third.job().due_ms == NOW_MS + 67_000


def test_links_follow_a_job_that_waits(app: Scheduler, note: Any, fail: Any) -> None:
    failing = fail.delay()
    good = note.options(after=failing, even_if="failed", link=note.s("linked"), link_error=note.s()).delay(1)
    bad = note.options(after=failing, link_error=note.s("errback")).delay(2)
    run_all(app)
    assert [one.state for one in good.children] == ["succeeded", "cancelled"]
    assert good.children[0].get(0) == [[1], "linked"]
    assert bad.children[0].get(0) == [bad.id, "errback"]


def test_a_key_keeps_or_replaces_a_job_that_waits(app: Scheduler, note: Any) -> None:
    first = note.after(60).delay(1)
    kept = note.options(after=first, key="k").delay(2)
    assert note.options(after=first, key="k").delay(3) == kept
    assert first.children == [kept]
    newer = note.options(after=first, key="k", on_conflict="replace").delay(4)
    first.reschedule(countdown=0)
    run_all(app)
    assert (kept.state, newer.get(0)) == ("cancelled", [4])


def test_many_calls_wait_for_one(app: Scheduler, note: Any) -> None:
    first = note.after(60).delay(1)
    many = app.schedule_many(note, [((n,), {}) for n in range(100)], after=first)
    assert len(first.children) == 100
    first.cancel()
    run_all(app)
    assert {one.state for one in many} == {"cancelled"}


def test_a_job_that_waits_survives_a_restart_and_other_openers_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "tasks.json"
    app, other = (Scheduler(JsonStore(path, durability="os")) for _ in range(2))
    first = note_of(app).after(3600).delay(1)
    note_of(other).options(after=first.id, task_id="second").delay(2)
    app.store.close()
    other.AsyncResult(first.id).reschedule(countdown=0)
    other.store.close()
    again = Scheduler(JsonStore(path, durability="os"))
    note_of(again)
    run_all(again)
    assert again.AsyncResult("second").get(0) == [2]
    assert again.store.check() == []
    again.store.close()


@pytest.mark.parametrize("kind", ["memory", "json"])
def test_none_is_forgotten_while_the_others_end_at_the_same_time(kind: str, tmp_path: Path) -> None:
    """Between the look at the other job and the write it may end: the store does both in one step."""
    store: Any = MemoryStore() if kind == "memory" else JsonStore(tmp_path / "tasks.json", durability="os")
    app = Scheduler(store, workers=2)
    note = note_of(app)
    with app:

        def call(n: int) -> AsyncResult[Any]:
            return note.options(after=[note.delay(n), note.delay(n)]).delay(n)

        with ThreadPoolExecutor(3) as threads:
            made = list(threads.map(call, range(200)))
        assert [one.get(timeout=LONG_S) for one in made] == [[n] for n in range(200)]
    assert store.check() == []
    store.close()


def test_a_running_scheduler_starts_it_at_once_if_the_other_has_ended() -> None:
    app = Scheduler(MemoryStore(), workers=1)
    note = note_of(app)
    with app:
        first = note.delay(1)
        first.get(timeout=LONG_S)
        threading.Event().wait(0.05)  # the ticker sleeps
        assert note.options(after=first).delay(2).get(timeout=0.9) == [2]
