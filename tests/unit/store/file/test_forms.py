"""Whatever form a store has (live, replayed, compacted, indexed anew), it answers alike: what a user was told stays true."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import pytest
from hourwheel.contract import Filter, Found
from hourwheel.errors import DuplicateJob, StoreError
from hourwheel.job import Bound, Claim, Failed, Failure, Job, Released, Retried, Snoozed, State, Succeeded
from hourwheel.store import JsonStore, MemoryStore
from hourwheel.store.state.leases import Leases
from hourwheel.store.state.records import Cancelled, Claimed, Expired, Moved
from hourwheel.store.state.state import State as StoreState
from hourwheel.store.state.state import job_of
from hourwheel.turn import effects

from tests.kit.forms import FORMS, Form, new_store, read_again
from tests.kit.jobs import NOW, a_job, claim_all, content, some_jobs

HOUR_MS = 3_600_000
_NUMBERS = itertools.count()


@pytest.fixture(params=FORMS, ids=lambda form: form.__name__.replace("_", " "))
def form(request: pytest.FixtureRequest) -> Form:
    """What becomes of the store between two steps."""
    found: Form = request.param
    return found


@pytest.fixture
def store() -> Iterator[JsonStore]:
    """A store without a disk."""
    yield new_store()


def found(store: JsonStore, id: str) -> Job:
    job = store.get([id])[0]
    assert job is not None
    return job


def someone() -> str:
    """An owner of a name of its own, as every process is."""
    return f"owner-{next(_NUMBERS)}"


def claims_of(store: JsonStore, now_ms: int = NOW) -> list[Claim]:
    return store.claim(someone(), now_ms, 1000)


def ids_due(store: JsonStore, now_ms: int) -> list[str]:
    return [claim.job.id for claim in claims_of(store, now_ms)]


# ---- keys ------------------------------------------------------------------------------------------------


def test_a_key_that_is_taken_stays_taken(form: Form, store: JsonStore) -> None:
    store.add([a_job("first", key="k"), a_job("other", key="l")], NOW)
    store = form(store)
    assert store.add([a_job("second", key="k")], NOW) == ["first"]
    with pytest.raises(DuplicateJob, match=r"key 'k' is held by job first, which is scheduled"):
        store.add([a_job("third", key="k")], NOW, on_conflict="raise")
    assert sorted(content(store)) == ["first", "other"]


def test_a_key_is_taken_while_its_job_runs_and_when_it_is_to_run_again_and_free_when_it_has_ended(
    form: Form, store: JsonStore
) -> None:
    store.add([a_job("first", key="k")], NOW)
    [claim] = claims_of(form(store))
    store = form(store)
    assert store.add([a_job("second", key="k")], NOW) == ["first"]
    store.settle(effects([(claim, Retried(due_ms=NOW))]), NOW)
    store = form(store)
    assert store.add([a_job("third", key="k")], NOW) == ["first"]
    [claim] = claims_of(store)
    store.settle(effects([(claim, Succeeded())]), NOW)
    store = form(store)
    assert store.add([a_job("fourth", key="k")], NOW) == ["fourth"]
    assert store.check() == []


def test_a_job_is_replaced_by_the_next_with_its_key_and_never_runs(form: Form, store: JsonStore) -> None:
    store.add([a_job("first", key="k"), a_job("bystander", key="l")], NOW)
    store = form(store)
    assert store.add([a_job("second", key="k")], NOW + 7, on_conflict="replace") == ["second"]
    store = form(store)
    assert (found(store, "first").state, found(store, "first").finished_ms) == (State.CANCELLED, NOW + 7)
    assert found(store, "first").reason == "replaced by a newer job with the same key"
    assert sorted(ids_due(store, NOW)) == ["bystander", "second"]


def test_of_many_with_one_key_in_one_call_the_last_replaces_the_others(form: Form, store: JsonStore) -> None:
    store.add([a_job("before", key="k")], NOW)
    store = form(store)
    jobs = [a_job("one", key="k"), a_job("two", key="k"), a_job("without"), a_job("three", key="k")]
    assert store.add(jobs, NOW, on_conflict="replace") == ["three", "three", "without", "three"]
    assert {job.id: job.state for job in content(store).values() if job.state is not State.CANCELLED} == {
        "three": State.SCHEDULED,
        "without": State.SCHEDULED,
    }
    assert store.check() == []


def test_a_replaced_job_that_ran_meanwhile_does_not_run_again_beside_its_successor(
    form: Form, store: JsonStore
) -> None:
    store.add([a_job("first", key="k")], NOW)
    [claim] = claims_of(store)
    store = form(store)
    assert store.add([a_job("second", due_ms=NOW + 1, key="k")], NOW, on_conflict="replace") == ["second"]
    store = form(store)
    assert store.add([a_job("third", key="k")], NOW) == ["second"]
    store.settle(effects([(claim, Retried(due_ms=NOW))]), NOW)
    store = form(store)
    first = found(store, "first")
    assert first.state is State.CANCELLED
    assert first.reason == "replaced by a newer job with the same key while it ran"
    assert ids_due(store, NOW + 1) == ["second"]
    assert store.check() == []


@pytest.mark.parametrize("name", ["a", "z"])
def test_a_replaced_job_does_not_run_again_beside_its_successor_though_that_runs_too(
    form: Form, store: JsonStore, name: str
) -> None:
    store.add([a_job(name, key="k")], NOW)
    [first] = claims_of(store)
    store.add([a_job("second", key="k")], NOW, on_conflict="replace")
    [second] = claims_of(store)
    store = form(store)
    assert store.add([a_job("third", key="k")], NOW) == ["second"]
    store.settle(effects([(first, Retried(due_ms=NOW))]), NOW)
    assert found(store, name).state is State.CANCELLED
    store.settle(effects([(second, Retried(due_ms=NOW))]), NOW)
    store = form(store)
    assert ids_due(store, NOW) == ["second"]
    assert store.check() == []


def test_a_replaced_job_that_runs_has_its_key_again_once_its_successor_has_ended(form: Form, store: JsonStore) -> None:
    store.add([a_job("first", key="k")], NOW)
    [first] = claims_of(store)
    store.add([a_job("second", key="k")], NOW, on_conflict="replace")
    store.cancel(["second"], NOW)
    store = form(store)
    assert store.add([a_job("third", key="k")], NOW) == ["first"]
    store.settle(effects([(first, Retried(due_ms=NOW))]), NOW)
    assert store.add([a_job("fourth", key="k")], NOW) == ["first"]
    store = form(store)
    assert ids_due(store, NOW) == ["first"]
    assert store.check() == []


def test_a_key_is_taken_by_a_job_that_is_due_and_waits_for_a_worker(form: Form, store: JsonStore) -> None:
    store.add([a_job("first", key="k"), a_job("plain")], NOW)
    store = form(store)
    store.claim(someone(), NOW, 0)
    assert store.add([a_job("second", key="k")], NOW) == ["first"]
    assert sorted(ids_due(store, NOW)) == ["first", "plain"]


def test_a_key_is_free_though_it_looks_to_the_index_like_one_that_is_taken(form: Form, store: JsonStore) -> None:
    store.add([a_job("first", key="plumless")], NOW)
    store = form(store)
    assert store.add([a_job("second", key="buckeroo")], NOW) == ["second"]  # their checksums are the same


@pytest.mark.parametrize("ending", ["cancel", "expire", "succeed", "fail"])
def test_a_key_is_free_however_its_job_has_ended(form: Form, store: JsonStore, ending: str) -> None:
    store.add([a_job("first", key="k", expires_ms=NOW if ending == "expire" else None)], NOW)
    store = form(store)
    if ending == "cancel":
        store.cancel(["first"], NOW)
    for claim in claims_of(store):
        store.settle(effects([(claim, Succeeded() if ending == "succeed" else Failed(error=Failure("E", "e")))]), NOW)
    store = form(store)
    assert found(store, "first").finished
    assert store.add([a_job("second", key="k")], NOW) == ["second"]


def test_a_key_moves_with_its_job_when_that_is_put_off(form: Form, store: JsonStore) -> None:
    store.add([a_job("first", key="k"), a_job("plain")], NOW)
    store = form(store)
    assert store.reschedule(["first"], NOW + 5000, NOW)[0] is Found.SCHEDULED
    assert store.add([a_job("second", key="k")], NOW) == ["first"]
    store = form(store)
    assert store.add([a_job("second", key="k")], NOW) == ["first"]
    store = form(store)
    assert store.cancel(["first"], NOW) == [Found.SCHEDULED]
    store = form(store)
    assert store.add([a_job("third", key="k")], NOW) == ["third"]


def test_an_id_that_is_there_is_not_added_again_whatever_became_of_its_job(form: Form, store: JsonStore) -> None:
    store.add(some_jobs(3), NOW)
    [claim] = store.claim(someone(), NOW, 1)
    store.settle(effects([(claim, Succeeded())]), NOW)
    store.claim(someone(), NOW, 1)
    before = content(store)
    store = form(store)
    assert store.add(some_jobs(3), NOW) == sorted(before)
    assert content(store) == before
    assert store.add([a_job("twice", priority=1), a_job("twice", priority=2)], NOW) == ["twice", "twice"]
    assert found(store, "twice").priority == 1


# ---- claims ----------------------------------------------------------------------------------------------


def test_tokens_grow_by_one_with_each_claim_over_the_life_of_a_store(form: Form, store: JsonStore) -> None:
    store.add(some_jobs(6), NOW)
    told = []
    for _ in range(3):
        told += [claim.token for claim in store.claim(someone(), NOW, 2)]
        store = form(store)
    assert told == [1, 2, 3, 4, 5, 6]


def test_only_the_newest_claim_of_a_job_settles_it_and_only_once(form: Form, store: JsonStore) -> None:
    store.add([a_job("a")], NOW)
    [old] = claims_of(store)
    store.settle(effects([(old, Released())]), NOW)
    store = form(store)
    assert store.settle(effects([(old, Succeeded())]), NOW) == [old]
    [new] = claims_of(store)
    store = form(store)
    assert store.settle(effects([(old, Succeeded()), (new, Succeeded(returned="1")), (new, Released())]), NOW) == [
        old,
        new,
    ]
    assert (found(store, "a").state, found(store, "a").returned) == (State.SUCCEEDED, "1")


def test_an_attempt_is_counted_by_its_claim_and_taken_back_if_nothing_was_run(form: Form, store: JsonStore) -> None:
    store.add([a_job(name) for name in ("released", "snoozed", "retried", "succeeded")], NOW)
    outcomes: dict[str, Any] = {
        "released": Released(reason="the queue was full"),
        "snoozed": Snoozed(due_ms=NOW + 10, reason="not yet"),
        "retried": Retried(due_ms=NOW + 20, error=Failure("ValueError", "no")),
        "succeeded": Succeeded(returned="7"),
    }
    claims = claims_of(store)
    assert {claim.job.attempt for claim in claims} == {1}
    store = form(store)
    store.settle(effects([(claim, outcomes[claim.job.id]) for claim in claims]), NOW + 1)
    store = form(store)
    jobs = content(store)
    assert {id: (job.attempt, job.due_ms, job.reason) for id, job in jobs.items()} == {
        "released": (0, NOW, "the queue was full"),
        "snoozed": (0, NOW + 10, "not yet"),
        "retried": (1, NOW + 20, None),
        "succeeded": (1, NOW, None),
    }
    assert jobs["retried"].error == Failure("ValueError", "no")
    assert (jobs["succeeded"].finished_ms, jobs["succeeded"].returned) == (NOW + 1, "7")
    assert {job.owner for job in jobs.values()} == {None}
    assert ids_due(store, NOW) == ["released"]
    assert sorted(ids_due(store, NOW + 20)) == ["retried", "snoozed"]


def test_the_error_of_an_earlier_attempt_is_not_forgotten_by_a_retry_without_one(form: Form, store: JsonStore) -> None:
    store.add([a_job("a")], NOW)
    for error in (Failure("ValueError", "no"), None):
        [claim] = claims_of(store)
        store.settle(effects([(claim, Retried(due_ms=NOW, error=error))]), NOW)
        store = form(store)
    assert (found(store, "a").error, found(store, "a").attempt) == (Failure("ValueError", "no"), 2)


def test_a_job_that_kills_its_workers_is_set_aside_after_as_many_as_it_may(form: Form, store: JsonStore) -> None:
    store.add([a_job("a", max_crashes=2)], NOW)
    for crash in range(2):
        assert found(store, "a").crashes == crash
        store.leases = Leases(1)
        assert len(store.claim(someone(), NOW, 1)) == 1
        store.claim(someone(), NOW + 1, 0)
        store = form(store)
    job = found(store, "a")
    assert (job.state, job.crashes, job.attempt) == (State.FAILED, 2, 2)
    assert job.error is not None
    assert (job.error.type, job.finished_ms) == ("WorkerCrashed", NOW + 1)
    assert "died 2 times" in job.error.message
    assert store.stats(NOW + 1).failed == 1


def test_jobs_whose_claim_could_not_be_written_are_claimed_by_the_next(form: Form, store: JsonStore) -> None:
    store.add([a_job("a"), a_job("b", expires_ms=NOW)], NOW)
    store = form(store)
    commit = store._commit

    def refuse(*_: Any) -> None:
        raise StoreError("nothing was written")

    store._commit = refuse  # type: ignore[method-assign]
    with pytest.raises(StoreError):
        claims_of(store)
    store._commit = commit  # type: ignore[method-assign]
    assert ids_due(store, NOW) == ["a"]
    assert found(store, "b").state is State.EXPIRED
    assert store.check() == []


@pytest.mark.parametrize(
    ("record", "said"),
    [
        (Claimed("me", NOW, 9, ["runs"]), "job 'runs' must be scheduled, it is running"),
        (Cancelled(NOW, ["ended"]), "job 'ended' must be scheduled, it is cancelled"),
        (Expired(NOW, ["unknown"]), "job 'unknown' must be scheduled, it is unknown"),
        (Moved(["runs"], NOW), "job 'runs' must be scheduled, it is running"),
    ],
)
def test_a_record_that_cannot_follow_is_refused_before_it_changes_anything(record: Any, said: str) -> None:
    store = MemoryStore()
    store.add([a_job("runs"), a_job("ended", NOW + 1)], NOW)
    claim_all(store)
    store.cancel(["ended"], NOW)
    before = content(store)
    with pytest.raises(ValueError, match=said):
        store._changing(lambda state: state.apply(record))
    assert content(store) == before


# ---- what waits ------------------------------------------------------------------------------------------


def test_jobs_are_claimed_by_priority_and_due_instant_and_id_and_never_early(form: Form, store: JsonStore) -> None:
    offsets = [0, 1, 999, 1000, 1001, HOUR_MS, HOUR_MS + 1, -1, -HOUR_MS, 2 * HOUR_MS]
    store.add([a_job(f"{number}", NOW + offset, priority=number % 2) for number, offset in enumerate(offsets)], NOW)
    store = form(store)
    assert store.next_due() == NOW - HOUR_MS
    seen = []
    for now_ms in (
        NOW - HOUR_MS - 1,
        NOW - HOUR_MS,
        NOW - 1,
        NOW,
        NOW + 999,
        NOW + 1000,
        NOW + HOUR_MS,
        NOW + 2 * HOUR_MS,
    ):
        seen.append(ids_due(store, now_ms))
    assert seen == [[], ["8"], ["7"], ["0"], ["1", "2"], ["3"], ["5", "4"], ["9", "6"]]
    assert store.next_due() is None


def test_a_job_put_off_or_brought_forward_runs_then_and_not_when_it_was_due_before(
    form: Form, store: JsonStore
) -> None:
    store.add([a_job("off", NOW), a_job("forward", NOW + HOUR_MS), a_job("other", NOW + 1)], NOW)
    store = form(store)
    assert store.reschedule(["off"], NOW + HOUR_MS, NOW)[0] is Found.SCHEDULED
    assert store.reschedule(["forward"], NOW, NOW)[0] is Found.SCHEDULED
    store = form(store)
    assert store.next_due() == NOW
    assert ids_due(store, NOW) == ["forward"]
    assert store.next_due() == NOW + 1
    assert ids_due(store, NOW + HOUR_MS) == ["other", "off"]
    assert store.check() == []


def test_what_was_cancelled_never_runs_and_is_not_named_as_next(form: Form, store: JsonStore) -> None:
    store.add(some_jobs(6, step_ms=500), NOW)
    store = form(store)
    assert store.cancel(["job-00000", "job-00001", "job-00000", "unknown"], NOW, reason="changed my mind") == [
        Found.SCHEDULED,
        Found.SCHEDULED,
        Found.FINISHED,
        Found.UNKNOWN,
    ]
    assert store.next_due() == NOW + 1000
    store = form(store)
    assert store.next_due() == NOW + 1000
    assert found(store, "job-00001").reason == "changed my mind"
    assert ids_due(store, NOW + 10_000) == [f"job-0000{number}" for number in (2, 3, 4, 5)]
    assert store.next_due() is None


def test_a_job_expires_at_its_instant_and_says_so_and_the_next_in_line_is_claimed(form: Form, store: JsonStore) -> None:
    store.add([a_job("a", expires_ms=NOW + 5), a_job("b", expires_ms=NOW + 6), a_job("c")], NOW)
    store = form(store)
    assert [claim.job.id for claim in store.claim(someone(), NOW + 5, 1)] == ["b"]
    store = form(store)
    assert (found(store, "a").state, found(store, "a").reason) == (State.EXPIRED, "it had expired before its turn came")
    assert ids_due(store, NOW + 6) == ["c"]
    assert store.stats(NOW).expired == 1


def test_a_clock_set_back_after_the_sweep_starts_nothing_early(form: Form, store: JsonStore) -> None:
    store.add([a_job("a", NOW + 1000), a_job("b", NOW)], NOW)
    store.claim(someone(), NOW + 2000, 0)
    assert ids_due(store, NOW) == ["b"]
    store = form(store)
    assert ids_due(store, NOW + 999) == []
    assert ids_due(store, NOW + 1000) == ["a"]


def test_the_ledger_balances_and_is_the_same_in_every_form(form: Form, store: JsonStore) -> None:
    tell_a_story(store)
    before = (store.stats(NOW + 50), store.density(NOW, 2 * 3600), store.next_due(), content(store))
    store = form(store)
    assert (store.stats(NOW + 50), store.density(NOW, 2 * 3600), store.next_due(), content(store)) == before
    stats = before[0]
    ended = stats.succeeded + stats.failed + stats.cancelled + stats.expired
    assert stats.accepted == stats.scheduled + stats.running + ended == 15
    assert (stats.running, stats.succeeded, stats.failed, stats.cancelled, stats.expired) == (4, 2, 1, 2, 1)
    assert store.check() == []


# ---- replay ----------------------------------------------------------------------------------------------


def tell_a_story(store: JsonStore) -> None:
    """Every kind of change, some of them twice."""
    store.add(
        [a_job(f"job-{number}", NOW + number, key=f"k{number}" if number % 3 == 0 else None) for number in range(10)],
        NOW,
    )
    store.add(
        [a_job("brief", NOW, expires_ms=NOW), a_job("later", NOW + HOUR_MS), a_job("far", NOW + 90 * HOUR_MS)], NOW
    )
    store.add([a_job("new-3", NOW + 60, key="k3")], NOW, on_conflict="replace")
    store.cancel(["job-4"], NOW, reason="no more")
    store.reschedule(["later"], NOW + 30, NOW)[0]
    ended = [
        Succeeded(returned="[1]"),
        Failed(error=Failure("E", "e", "t"), reason="gave up"),
        Retried(due_ms=NOW + 40, error=Failure("R", "r")),
        Snoozed(due_ms=NOW + 45, reason="busy"),
        Released(reason="full"),
    ]
    claims = store.claim("remote", NOW + 9, 6)
    store.settle(effects(list(zip(claims, ended, strict=False))), NOW + 9)
    store.claim("other", NOW + 30, 1)
    store.claim("remote", NOW + 40, 2)
    [claim] = store.claim("me", NOW + 40, 1)
    store.settle(effects([(claim, Succeeded())]), NOW + 41)
    store.claim("other", NOW + 41, 0)
    store.add([a_job("last", NOW + 90, key="last")], NOW)


def everything(state: StoreState) -> dict[str, Any]:
    return {
        "rows": {id: job_of(row) for id, row in state.rows.items()},
        "counts": state.counts,
        "token": state.token,
        "keys": dict(state.keys.items()),
        "running": state.running,
        "left": state.left,
    }


def test_a_store_that_was_read_again_is_in_nothing_different_from_one_that_was_not(store: JsonStore) -> None:
    tell_a_story(store)
    before, hand = store._reading(lambda state: (everything(state), state.ring.hand))
    again = read_again(store)
    assert again._reading(everything) == before
    assert again._reading(lambda state: state.ring.hand) == hand == (NOW + 41) // 1000


def test_the_hand_of_a_store_that_was_read_again_is_where_it_was(store: JsonStore) -> None:
    store.add([a_job("a", NOW + 7000)], NOW)
    claim_all(store, now_ms=NOW + 8999)
    assert read_again(store)._reading(lambda state: state.ring.hand) == NOW // 1000 + 8


# ---- finished jobs ---------------------------------------------------------------------------------------


def test_a_finished_job_is_kept_for_its_time_and_then_only_counted() -> None:
    store = new_store()
    for id, ttl_ms in (("at once", 0), ("just over", 1000), ("not yet", 1001), ("late", HOUR_MS)):
        store.add([a_job(id, NOW - 1000, result_ttl_ms=ttl_ms)], NOW)
    claims = claim_all(store, now_ms=NOW - 1000)
    store.add([a_job("waits", result_ttl_ms=0), a_job("runs", NOW - 1000, result_ttl_ms=0)], NOW)
    store.claim("me", NOW - 1000, 1)
    store.settle(effects([(claim, Succeeded()) for claim in claims]), NOW - 1000)
    store.compact()
    assert sorted(content(store)) == ["late", "not yet", "runs", "waits"]
    assert (store.stats(NOW).accepted, store.stats(NOW).succeeded) == (6, 4)
    assert [job.id for job in store.scan(Filter(states=frozenset({State.RUNNING})))] == ["runs"]
    assert store.check() == []


# ---- limits ----------------------------------------------------------------------------------------------


def test_what_a_limit_holds_back_stays_back(form: Form, store: JsonStore) -> None:
    one, rate = Bound("one", 1), Bound("rate", 1, HOUR_MS)
    store.add([a_job(f"one-{n}", NOW, limits=(one,)) for n in range(3)], NOW)
    store.add([a_job(f"rate-{n}", NOW, limits=(rate,)) for n in range(3)], NOW)
    store = form(store)
    claims = claims_of(store)
    assert [claim.job.id for claim in claims] == ["one-0", "rate-0"]
    store.settle(effects([(claim, Retried(due_ms=NOW + 2 * HOUR_MS)) for claim in claims]), NOW)
    store = form(store)
    assert ids_due(store, NOW + HOUR_MS - 1) == ["one-1"]
    store = form(store)
    assert store.next_due() is not None
    assert ids_due(store, NOW + HOUR_MS)[-1] == "rate-1"
    assert store.check() == []


def test_what_is_paused_stays_paused(form: Form, store: JsonStore) -> None:
    store.add([a_job("a", NOW), a_job("b", NOW, queue="mail")], NOW)
    store.pause(["queue:mail"])
    store = form(store)
    assert (store.paused(), ids_due(store, NOW)) == (["queue:mail"], ["a"])
    store.pause(["task:x"])
    store.resume(["queue:mail"])
    store = form(store)
    assert (store.paused(), ids_due(store, NOW)[-1]) == (["task:x"], "b")
