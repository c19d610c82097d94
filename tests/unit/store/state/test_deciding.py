"""Claim order, when no more than is wanted is taken off the ring: as if all that is due had been taken."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hourwheel.job import Bound, Job
from hourwheel.store import JsonStore, MemoryStore
from hourwheel.store.codec import encode_job, may_have_priority
from hourwheel.turn import Again
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.kit.jobs import NOW, a_job

QUEUES = ("default", "mail")
BOUND = (Bound("one", 1),)
JOBS = st.builds(
    lambda number, ahead, queue, expires, limited, priority: a_job(
        f"job-{number:02}",
        due_ms=NOW + ahead,
        queue=queue,
        expires_ms=expires,
        limits=BOUND if limited else (),
        priority=priority,
    ),
    number=st.integers(0, 60),
    ahead=st.sampled_from([-3_000, -20, -10, 0, 0, 1, 1_000, 3_600_000]),
    queue=st.sampled_from(QUEUES),
    expires=st.sampled_from([None, None, 1]),
    limited=st.booleans(),
    priority=st.sampled_from([0] * 30 + [5]),
)
STEPS = st.one_of(
    st.tuples(st.just("add"), st.lists(JOBS, max_size=12, unique_by=lambda job: job.id)),
    st.tuples(
        st.just("claim"), st.integers(0, 5), st.sampled_from([None, ["mail"]]), st.sampled_from([-900, 0, 1, 5, 1_000])
    ),
    st.tuples(st.just("claim"), st.integers(1, 3), st.none(), st.just(0)),
    st.tuples(st.just("move"), st.integers(0, 60), st.sampled_from([-1_000, 0, 900])),
    st.tuples(st.just("cancel"), st.integers(0, 60)),
    st.tuples(st.just("pause"), st.sampled_from(["queue:mail", "task:t"])),
    st.tuples(st.just("resume"), st.sampled_from(["queue:mail", "task:t"])),
)


def _with_end(job: Job) -> Job:
    """``expires_ms`` counts from the due instant here."""
    return job if job.expires_ms is None else job._replace(expires_ms=job.due_ms + job.expires_ms)


def done(store: MemoryStore, step: Any, now_ms: int) -> Any:
    match step:
        case ("add", jobs):
            shifted = [job._replace(due_ms=job.due_ms + now_ms - NOW) for job in jobs]
            return store.add([_with_end(job) for job in shifted], now_ms)
        case ("claim", limit, queues, _):
            claims = store.claim("me", now_ms, limit, queues=queues)
            return [claim.job.id for claim in claims], [job.id for job in claims.unrun]
        case ("move", number, ahead):
            return store.reschedule([f"job-{number:02}"], now_ms + ahead, now_ms)
        case ("cancel", number):
            return store.cancel([f"job-{number:02}"], now_ms)
        case ("pause", name):
            return store.pause([name])
        case (_, name):
            return store.resume([name])


@settings(max_examples=300, deadline=None)
@given(steps=st.lists(STEPS, max_size=40))
def test_the_claim_order_is_that_of_a_store_that_takes_all_that_is_due(steps: list[Any]) -> None:
    sliced, whole = MemoryStore(), MemoryStore()
    whole._state.ranked = True
    now_ms = NOW
    for step in steps:
        now_ms += step[3] if step[0] == "claim" else 0
        assert done(sliced, step, now_ms) == done(whole, step, now_ms)
    assert replace(sliced.stats(now_ms), next_due_ms=None) == replace(whole.stats(now_ms), next_due_ms=None)


def test_what_waits_already_does_not_overtake_what_was_due_before_it_but_is_still_on_the_ring() -> None:
    store = MemoryStore()
    store.add([a_job("late", due_ms=NOW)], NOW, fresh=True)
    assert not store.claim("me", NOW, 1, queues=["mail"])  # which takes it off the ring
    store.add([a_job("stale", due_ms=NOW - 9, expires_ms=NOW - 8), a_job("first", due_ms=NOW - 7)], NOW, fresh=True)
    assert [claim.job.id for claim in store.claim("me", NOW, 1)] == ["first"]


def test_the_first_of_ten_thousand_jobs_of_one_instant_waited_until_all_were_taken_off_the_ring() -> None:
    store = MemoryStore()
    store.add([a_job(f"job-{number:05}") for number in range(10_000)], NOW, fresh=True)
    assert [claim.job.id for claim in store.claim("me", NOW, 4)] == [f"job-{number:05}" for number in range(4)]
    assert len(list(store._state.ready.entries())) < 10


def test_a_priority_that_another_process_has_given_is_seen_before_the_job_is_due(tmp_path: Path) -> None:
    here, there = (JsonStore(tmp_path / "tasks.json", durability="os") for _ in range(2))
    here.add([a_job(f"job-{number}", due_ms=NOW) for number in range(50)], NOW, fresh=True)
    there.add([a_job("urgent", due_ms=NOW + 5, priority=7)], NOW, fresh=True)
    assert [claim.job.id for claim in here.claim("me", NOW + 5, 1)] == ["urgent"]
    here.close()
    there.close()


@pytest.mark.parametrize(("fields", "ranked"), [({}, False), ({"queue": "mail"}, False), ({"priority": 7}, True)])
def test_a_text_argument_is_not_taken_for_a_priority(fields: dict[str, Any], ranked: bool) -> None:
    job = a_job("a", due_ms=NOW, payload='[["\\u00e9 \\"priority\\""],{}]', **fields)
    assert may_have_priority(encode_job(job).encode(), NOW) is ranked


def test_what_is_to_run_again_with_a_priority_comes_before_what_was_due_first() -> None:
    store = MemoryStore()
    store.add([a_job(f"job-{number:02}", due_ms=NOW + number) for number in range(50)], NOW, fresh=True)
    claim = store.claim("me", NOW, 1)[0]
    store.settle([(claim, Again(NOW + 60, {"priority": 1}))], NOW)
    assert [claim.job.id for claim in store.claim("me", NOW + 60, 2)] == ["job-00", "job-01"]
