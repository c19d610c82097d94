"""The state machine by itself: what a new one begins with, whatever order the lines of a snapshot have been put in."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hourwheel.job import Job, State
from hourwheel.store.state.counts import Counts
from hourwheel.store.state.records import Forgotten, Revived
from hourwheel.store.state.state import State as StoreState

from tests.kit.forms import new_store
from tests.kit.jobs import NOW, a_job, epoch_of, some_jobs


def running(id: str, token: int, key: str | None = "k") -> Job:
    return a_job(id, state=State.RUNNING, attempt=1, token=token, owner="me", key=key)


def test_a_state_begins_with_nothing_counted_no_token_given_and_its_hand_at_the_epoch() -> None:
    state = StoreState()
    assert (state.counts, state.token, state.ring.hand, state.rows) == (Counts(), 0, 0, {})
    assert Counts() == Counts(0, 0, 0, 0, 0, 0, 0)


def test_a_state_goes_on_from_what_it_is_given() -> None:
    counts = Counts(accepted=7, scheduled=7)
    state = StoreState(counts=counts, hand=9, token=5)
    assert (state.counts, state.token, state.ring.hand) == (counts, 5, 9)


def test_of_two_running_jobs_with_one_key_the_later_claimed_holds_it_whatever_order_an_editor_has_put_them_in() -> None:
    for order in ([1, 2, 3], [3, 2, 1], [2, 3, 1]):
        state = StoreState(running=[running(f"job-{token}", token) for token in order])
        assert state.keys.all_of("k") == ["job-1", "job-2", "job-3"]
        assert list(state.running) == ["job-1", "job-2", "job-3"]


def test_running_jobs_without_a_key_hold_none() -> None:
    state = StoreState(running=[running("a", 1, key=None), running("b", 2)])
    assert (dict(state.keys.items()), state.running) == ({"k": ["b"]}, {"a": "me", "b": "me"})


def test_forgetting_what_a_new_epoch_has_left_out_or_what_runs_again_changes_nothing() -> None:
    state = StoreState(running=[running("a", 1)])
    before = dict(state.rows)
    state.apply(Forgotten(["a", "gone"]))
    assert state.rows == before


@pytest.mark.parametrize(("id", "found"), [("gone", "unknown"), ("waits", "scheduled"), ("runs", "running")])
def test_a_job_that_has_not_finished_is_not_run_once_more_by_a_record_that_revives_it(id: str, found: str) -> None:
    state = StoreState(running=[running("runs", 1)])
    state.insert("waits", NOW, a_job("waits"), None, ranked=False)
    rows, counts, ring = dict(state.rows), replace(state.counts), len(state.ring)
    with pytest.raises(ValueError, match=f"^job '{id}' cannot be revived: it is {found}$"):
        state.apply(Revived([id], NOW))
    assert (state.rows, state.counts, len(state.ring)) == (rows, counts, ring)


def test_a_backlog_was_decoded_whole_and_the_garbage_collector_then_stopped_every_thread() -> None:
    """80 ms at a time with 60,000 jobs due: what waits is text until it is claimed."""
    store = new_store()
    store.add(some_jobs(5), NOW)
    (claim,) = store.claim("me", NOW, 1)
    rows = epoch_of(store).state.rows
    assert {id: type(row) for id, row in rows.items()} == {
        job.id: Job if job.id == claim.job.id else bytes for job in some_jobs(5)
    }
    assert store.check() == []
