"""A hypothesis machine: verbs in any order on a store and on the model, with all answers and all jobs compared."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any

import pytest
from hourwheel.clock import MAX_MS
from hourwheel.contract import Cursor, Density, Filter, Found, Store
from hourwheel.errors import DuplicateJob, UnknownJob
from hourwheel.job import (
    After,
    Bound,
    Claim,
    Crashed,
    Failed,
    Failure,
    Fire,
    Job,
    Outcome,
    Released,
    Retried,
    Skipped,
    Snoozed,
    State,
    Succeeded,
)
from hourwheel.turn import Effect, Keep, effects
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from tests.contract.model_store import ModelStore

START_MS = 1_800_000_000_000
HOUR_MS = 3_600_000
ALL = 10_000

QUEUES = st.sampled_from(["default", "mail", "slow"])
SOME_QUEUES = st.sampled_from([None, None, [], ["default"], ["mail"], ["slow", "default"]])
TASKS = st.sampled_from(["app.a", "app.b"])
SOME_TASKS = st.sampled_from([(), (), ["task:app.a"], ["task:app.b"], ["task:app.a", "task:app.b"]])
KEYS = st.none() | st.sampled_from(["k1", "k2"])
PLACES = st.integers(0, 5) | st.integers(0, 40)
SOON = st.sampled_from([0, 0, -1, 1, -1_000, 999, 1_000, 1_001])
DELAYS = SOON | st.sampled_from([HOUR_MS, HOUR_MS - 1, 5 * HOUR_MS]) | st.integers(-2_000, 5_000)
LATEST = st.sampled_from([None, None, START_MS + 500, START_MS + HOUR_MS])
GRACES = st.sampled_from([None, None, 0, 1_000])
AT_ONCE, EACH_SECOND = Bound("at once", 1), Bound("each second", 2, 2_000)
LIMITS = st.sampled_from([(), (), (), (AT_ONCE,), (EACH_SECOND,), (AT_ONCE, EACH_SECOND), (Bound("two", 2),)])
NAMES = st.sampled_from(["queue:default", "queue:mail", "task:app.a", "task:app.b"])
_LONG: dict[str, Any] = {"result_ttl_ms": 10**13}
TTLS = st.sampled_from([10**13, 10**13, 0, 1_000])
OWNERS = st.sampled_from(["me", "you"])
ERRORS = st.none() | st.just(Failure("E", "broken", "Traceback"))


class StoreMachine(RuleBasedStateMachine):
    """Verbs in any order on a store and on the model."""

    def __init__(self) -> None:
        super().__init__()
        self.store = self.make_store()
        self.model = ModelStore()
        self.now_ms = START_MS
        self.latest_ms = START_MS
        """The clock's latest; when it has been set back, the next claim finds out what that means for rates."""
        self.hand = 0
        self.token = 0
        self.claims: list[Claim] = []
        self.asks: dict[str, int] = {}
        self.unheard: dict[str, list[Claim]] = {}
        """By owner the claims of its last answer, which it has not got."""

    def make_store(self) -> Store:
        """A new, empty store: each machine says which."""
        raise NotImplementedError(f"{type(self).__name__} must say how a store is made: def make_store(self)")

    def owner(self, name: str) -> str:
        """The name under which the present opener of the store claims."""
        return name

    # ---- changing ----------------------------------------------------------------------------------------

    @initialize()
    def begin(self) -> None:
        # Hypothesis leaves out some rules in each history; every history is to have jobs, due and not due.
        self._add([Job(id=f"first-{n}", task="app.a", due_ms=START_MS + n // 3, **_LONG) for n in range(6)])
        self._add([Job(id=f"other-{n}", task="app.b", due_ms=START_MS + n, queue="mail", **_LONG) for n in range(2)])

    @rule(count=st.integers(1, 6), priority=st.integers(-1, 1))
    def add_what_is_due(self, count: int, priority: int) -> None:
        due_ms, held = self.now_ms, self.model.accepted
        self._add(
            [Job(id=f"due-{held + n}", task="app.a", due_ms=due_ms, priority=priority, **_LONG) for n in range(count)]
        )

    @rule(
        count=st.integers(1, 6),
        again=st.none() | st.none() | PLACES,
        delay=DELAYS,
        apart=st.sampled_from([0, 0, 1, 1_000]),
        fields=st.fixed_dictionaries(
            {
                "queue": QUEUES,
                "task": TASKS,
                "priority": st.integers(-1, 1),
                "key": KEYS,
                "grace_ms": GRACES,
                "latest_ms": LATEST,
                "limits": LIMITS,
                "result_ttl_ms": TTLS,
            }
        ),
        lives=st.none() | st.none() | DELAYS,
        max_crashes=st.integers(1, 3),
        on_conflict=st.sampled_from(["keep", "replace", "raise"]),
    )
    def add(
        self,
        count: int,
        again: int | None,
        delay: int,
        apart: int,
        fields: dict[str, Any],
        lives: int | None,
        max_crashes: int,
        on_conflict: Any,
    ) -> None:
        ids = [f"job-{(self.model.accepted + number) * 7 % 1000:03}" for number in range(count)]
        ids += [] if again is None else [self._id_at(again)]
        due_ms = self.now_ms + delay
        expires_ms = None if lives is None else due_ms + lives
        own = {"created_ms": self.now_ms, "expires_ms": expires_ms, "max_crashes": max_crashes}
        jobs = [Job(id=id, due_ms=due_ms + number * apart, **own, **fields) for number, id in enumerate(ids)]
        self._add(jobs, on_conflict)

    def _add(self, jobs: list[Job], on_conflict: Any = "keep") -> None:
        try:
            standing = self.model.add(jobs, self.now_ms, on_conflict)
        except (DuplicateJob, UnknownJob) as error:
            with pytest.raises(type(error)):
                self.store.add(jobs, self.now_ms, on_conflict=on_conflict)
        else:
            assert self.store.add(jobs, self.now_ms, on_conflict=on_conflict) == standing

    @rule(
        count=st.integers(1, 3),
        delay=st.sampled_from([0, 1, 1_000]),
        links=st.integers(1, 3),
        ends=st.none() | st.integers(0, 6),
    )
    def add_some_that_wait(self, count: int, delay: int, links: int, ends: int | None) -> None:
        """``count`` jobs due now, one that waits for all of them, and a chain behind that; ``ends``: how the first end."""
        so_far = self.model.accepted
        heads = tuple(f"head-{so_far}-{n}" for n in range(count))
        chain = [f"link-{so_far}-{n}" for n in range(links)]
        brief = {"result_ttl_ms": 0} if links == 1 else _LONG
        jobs = [Job(id=id, task="app.a", due_ms=self.now_ms, wakes=(chain[0],), **brief) for id in heads]
        for n, id in enumerate(chain):
            ids = (chain[n - 1],) if n else heads
            after = After(ids, len(ids), delay_ms=delay)
            jobs.append(
                Job(id=id, task="app.b", due_ms=MAX_MS, after=after, wakes=tuple(chain[n + 1 : n + 2]), **_LONG)
            )
        self._add(jobs)
        if ends is not None:
            self.claim("me", 100, False, None)
            held = [claim for claim in self.claims if claim.job.id in heads and self.model.holds(claim)]
            self._settle([(claim, self._outcomes(0, None)[ends]) for claim in held])

    @rule(
        count=st.integers(1, 2),
        places=st.lists(PLACES, min_size=1, max_size=3),
        delay=st.sampled_from([0, 1, 1_000]),
        key=KEYS,
        on_conflict=st.sampled_from(["keep", "replace", "raise"]),
    )
    def add_some_that_wait_for_what_is_there(
        self, count: int, places: list[int], delay: int, key: str | None, on_conflict: Any
    ) -> None:
        ids = tuple(dict.fromkeys(self._id_at(place) for place in places))
        names = [f"later-{self.model.accepted}-{n}" for n in range(count)]
        after = After(ids, len(ids), "finished", "nothing", delay)
        self._add([Job(id=id, task="app.b", due_ms=MAX_MS, after=after, key=key, **_LONG) for id in names], on_conflict)

    @rule(
        owner=OWNERS,
        limit=st.sampled_from([0, 1, 1, 2, 100]),
        lost=st.sampled_from([False, False, True]),
        queues=SOME_QUEUES,
        without=SOME_TASKS,
        places=st.none() | st.none() | st.lists(PLACES, max_size=3),
    )
    def claim(
        self,
        owner: str,
        limit: int,
        lost: bool,
        queues: Collection[str] | None,
        without: Collection[str] = (),
        places: list[int] | None = None,
    ) -> None:
        """One claim; if its answer is ``lost``, the owner's next claim is given the same again."""
        ids = None if places is None else [self._id_at(place) for place in places]
        owner = self.owner(owner)
        self.model.rescue(self.now_ms)
        self.model.lives(owner, self.now_ms)
        given = [claim for claim in self.unheard.pop(owner, []) if self.model.holds(claim)]
        wanted = self.model.choose(self.now_ms, queues, limit, without, ids)
        rest: dict[str, Any] = {"queues": queues, "without": without, "ids": ids}
        claims = self.store.claim(owner, self.now_ms, limit, ask=self.asks.get(owner, 0), **rest)
        assert [claim.job.id for claim in claims] == [claim.job.id for claim in given] + wanted
        for id in self.model.expiring(self.now_ms):  # first: a claimed job may have waited for one of them
            job = self.store.get([id])[0]
            if job is not None and job.state is State.EXPIRED:
                self.model.expired(id, self.now_ms)
        for claim in claims[: len(given)]:
            assert _plain(claim.job) == _plain(self.model.jobs[claim.job.id])
        for claim in claims[len(given) :]:
            assert claim.token > self.token
            self.token = claim.token
            assert claim.owner == owner
            assert _plain(claim.job) == _plain(self.model.claimed(claim, self.now_ms))
        if limit and len(wanted) == limit:
            assert claims.next_ms is not None and claims.next_ms <= self.now_ms
        else:
            assert claims.next_ms == self.store.next_due(queues, without)
        if lost:
            self.unheard[owner] = list(claims)
        else:
            self.asks[owner] = claims.ask
        self.claims += claims[len(given) :]
        self.hand = max(self.hand, self.now_ms // 1000)

    @rule(places=st.lists(PLACES, max_size=4), kind=st.integers(0, 6), delay=DELAYS, error=ERRORS)
    def settle(self, places: list[int], kind: int, delay: int, error: Failure | None) -> None:
        outcomes = self._outcomes(delay, error)
        self._settle([(claim, outcomes[(kind + n) % 7]) for n, claim in enumerate(self._claims_at(places))])

    @rule(places=st.lists(PLACES, max_size=3), note=st.none() | st.just("[1]"), reason=st.none() | st.just("it waits"))
    def say(self, places: list[int], note: str | None, reason: str | None) -> None:
        self._say([(claim, Keep(note=note, reason=reason)) for claim in self._claims_at(places)])

    @rule(limit=st.integers(1, 3), lost=st.booleans())
    def some_are_claimed_given_back_and_claimed_again(self, limit: int, lost: bool) -> None:
        self.claim("me", limit, lost, None)
        self._settle([(claim, Released()) for claim in self.claims[-limit:] if self.model.holds(claim)])
        self.claim("you", limit, False, None)

    @rule(place=PLACES)
    def one_who_has_lost_his_claim_settles_it(self, place: int) -> None:
        running = [claim for claim in self.claims if self.model.find(claim.job.id) is Found.RUNNING]
        for claim in [claim for claim in running if not self.model.holds(claim)][place : place + 1]:
            assert self.store.settle(effects([(claim, Succeeded())]), self.now_ms) == [claim]

    @rule(owner=OWNERS)
    def beat(self, owner: str) -> None:
        owner = self.owner(owner)
        assert self.store.beat(owner, self.now_ms) == self.model.beat(owner, self.now_ms)

    @rule(count=st.integers(2, 4), limits=LIMITS, ends=st.integers(0, 6))
    def some_that_share_a_limit_come_one_after_the_other(self, count: int, limits: Any, ends: int) -> None:
        ids = [f"share-{self.model.accepted}-{n}" for n in range(count)]
        self._add([Job(id=id, task="app.b", due_ms=self.now_ms, limits=limits, **_LONG) for id in ids])
        for _ in range(2):
            self.claim("me", 100, False, None)
            held = [claim for claim in self.claims if claim.job.id in ids and self.model.holds(claim)]
            self._settle([(claim, self._outcomes(0, None)[ends]) for claim in held])
            self.time_passes(999)
            self.claim("me", 100, False, None)

    @rule(count=st.integers(1, 2), again=st.booleans(), delay=DELAYS, ends=st.integers(0, 6))
    def a_schedule_fires_and_is_followed(self, count: int, again: bool, delay: int, ends: int) -> None:
        """The first fire is claimed and followed, twice over if ``again``, and ends in some way."""
        so_far = self.model.accepted
        names = [f"schedule-{so_far}-{n}" for n in range(count)]
        self._add([self._fire(name, self.now_ms) for name in names])
        self.claim("me", 100, False, None)
        held = [
            c for c in self.claims if c.job.fire is not None and c.job.fire.schedule in names and self.model.holds(c)
        ]
        fires = [(c, c.job.fire) for c in held if c.job.fire is not None]
        self._say([(c, Keep(next=self._fire(fire.schedule, self.now_ms + delay + 1))) for c, fire in fires])
        if again:
            self._say([(c, Keep(next=self._fire("late", self.now_ms + delay))) for c in held])
        self._settle([(c, self._outcomes(0, None)[ends]) for c in held])

    def _fire(self, name: str, at_ms: int) -> Job:
        fire = Fire(name, at_ms, "every while")
        return Job(id=f"{name}@{at_ms}", task="app.a", due_ms=at_ms, key=f"schedule:{name}", fire=fire, **_LONG)

    @rule(names=st.lists(NAMES, min_size=1, max_size=2))
    def pause(self, names: list[str]) -> None:
        assert set(self.store.pause(names)) == set(names) - self.model.paused
        self.model.paused |= set(names)
        assert self.store.paused() == sorted(self.model.paused)

    @rule(names=st.none() | st.lists(NAMES, min_size=1, max_size=2))
    def resume(self, names: list[str] | None) -> None:
        names = list(self.model.paused) if names is None else names
        assert set(self.store.resume(names)) == set(names) & self.model.paused
        self.model.paused -= set(names)
        self.claim("me", 100, False, None)

    @rule(places=st.lists(PLACES, max_size=2))
    def cancel(self, places: list[int]) -> None:
        ids = [self._id_at(place) for place in places]
        assert self.store.cancel(ids, self.now_ms, reason="why not") == self.model.cancel(ids, self.now_ms)

    @rule(place=PLACES, delay=DELAYS)
    def reschedule(self, place: int, delay: int) -> None:
        self._reschedule(self._id_at(place), self.now_ms + delay)

    @rule(place=PLACES, delay=st.sampled_from([0, 1_000]))
    def reschedule_to_where_it_was(self, place: int, delay: int) -> None:
        for job in list(self.model.scheduled())[place : place + 1]:
            self._reschedule(job.id, min(job.due_ms + delay, MAX_MS))
            self._reschedule(job.id, job.due_ms)

    def _reschedule(self, id: str, due_ms: int) -> None:
        assert self.store.reschedule([id], due_ms, self.now_ms) == self.model.reschedule([id], due_ms)

    @rule(ends=st.sampled_from([0, 6]), early=st.sampled_from([0, 1]))
    def one_ends_and_its_time_is_over(self, ends: int, early: int) -> None:
        self._add([Job(id=f"brief-{self.model.accepted}", task="app.a", due_ms=self.now_ms, result_ttl_ms=1_000)])
        self.claim("me", 100, False, None)
        self._settle([(claim, self._outcomes(0, None)[ends]) for claim in self.claims[-1:] if self.model.holds(claim)])
        self.tidy(1_000 - early)

    @rule(later=st.sampled_from([0, 999, 1_000, 300_000, 8 * 24 * HOUR_MS]))
    def tidy(self, later: int) -> None:
        self.store.tidy(self.now_ms + later)
        self.model.tidy(self.now_ms + later)

    @rule(places=st.lists(PLACES, max_size=3, unique=True), stale=st.none() | st.sampled_from([0, 0, 1]))
    def forget(self, places: list[int], stale: int | None) -> None:
        ids = list(dict.fromkeys(self._id_at(place) for place in places))
        held = [self.model.jobs.get(id) for id in ids]
        tokens = None if stale is None else [stale if job is None else job.token - stale for job in held]
        assert self.store.forget(ids, tokens=tokens) == self.model.forget(ids, tokens)

    @rule(places=st.lists(PLACES, min_size=1, max_size=2), delay=DELAYS)
    def run_once_more(self, places: list[int], delay: int) -> None:
        self._run_once_more([self._id_at(place) for place in places], self.now_ms + delay)

    @rule(delay=DELAYS, ends=st.sampled_from([0, 1, 6]))
    def one_whose_key_is_taken_is_to_run_once_more(self, delay: int, ends: int) -> None:
        """A job with a key ends, another one takes the key, and then the first is to run again."""
        ids = [f"keyed-{self.model.accepted}-{n}" for n in range(2)]
        first, second = (Job(id=id, task="app.b", due_ms=self.now_ms, key=ids[0], **_LONG) for id in ids)
        self._add([first])
        self.claim("me", 100, False, None)
        held = [claim for claim in self.claims if claim.job.id == first.id and self.model.holds(claim)]
        self._settle([(claim, self._outcomes(0, None)[ends]) for claim in held])
        self._add([second])
        self._run_once_more([first.id], self.now_ms + delay)

    def _run_once_more(self, ids: list[str], due_ms: int) -> None:
        try:
            found = self.model.revive(ids, due_ms)
        except DuplicateJob:
            with pytest.raises(DuplicateJob):
                assert self.store.revive(ids, due_ms, self.now_ms) is None
        else:
            assert self.store.revive(ids, due_ms, self.now_ms) == found

    @rule(passed=st.sampled_from([1, 999, 1_000, 1_001, HOUR_MS, 3 * HOUR_MS]) | st.integers(0, 5_000))
    def time_passes(self, passed: int) -> None:
        self.now_ms += passed
        self.latest_ms = max(self.latest_ms, self.now_ms)

    @rule(back=st.sampled_from([1, 1_000, HOUR_MS]))
    def the_clock_is_set_back(self, back: int) -> None:
        self.now_ms -= back

    # ---- reading -----------------------------------------------------------------------------------------

    @rule(queues=SOME_QUEUES, horizon_s=st.sampled_from([1, 3600, 10**6]))
    def read(self, queues: list[str] | None, horizon_s: int) -> None:
        exact, told, stats = self.model.next_due(queues), self.store.next_due(queues), self.store.stats(self.now_ms)
        assert stats.next_due_ms == self.store.next_due()
        if self.model.holds_back:
            earliest = self.model.earliest(self.now_ms)
            told = stats.next_due_ms  # of what may start now any instant that has come will do
            latest_ms = self.latest_ms + EACH_SECOND.per_ms if self.latest_ms > self.now_ms else self.now_ms
            assert earliest is None or (told is not None and told <= max(earliest, latest_ms))
            stats = replace(stats, next_due_ms=self.model.next_due(None))
        else:
            assert exact is None or (told is not None and told <= exact)
        assert stats == self.model.stats(self.now_ms, self.hand)
        assert isinstance(self.store, Density)
        assert self.store.density(self.now_ms, horizon_s) == self.model.density(self.now_ms + horizon_s * 1000)

    @rule(
        filter=st.builds(
            Filter,
            states=st.none() | st.frozensets(st.sampled_from(list(State)), max_size=3),
            task=st.none() | TASKS | st.sampled_from(["app.*", "*b", "a*.*a"]),
            queue=st.none() | QUEUES,
            key=KEYS,
            error=st.none() | st.sampled_from(["", ": ", "Crashed", "none"]),
        ),
        window=st.none() | st.tuples(PLACES, PLACES),
        limit=st.integers(0, 5) | st.just(ALL),
    )
    def scan(self, filter: Filter, window: tuple[int, int] | None, limit: int) -> None:
        if window is not None:
            dues = [job.due_ms for job in self.model.everything()]
            start_ms, end_ms = (dues[place % len(dues)] for place in window)
            filter = replace(filter, due_from_ms=start_ms, due_before_ms=end_ms)
        wanted = _all_plain(self.model.scan(filter, limit))
        assert _all_plain(self.store.scan(filter, limit)) == wanted
        if len(wanted) > 1:
            after = Cursor(wanted[0].due_ms, wanted[0].id)
            assert _all_plain(self.store.scan(filter, limit - 1, after=after)) == wanted[1:]

    @invariant()
    def every_job_is_as_the_model_has_it(self) -> None:
        assert _all_plain(self.store.scan(Filter(), ALL)) == _all_plain(self.model.everything())

    @invariant()
    def the_store_is_sound(self) -> None:
        assert self.store.check() == []

    def teardown(self) -> None:
        self.store.close()

    def _settle(self, some: Sequence[tuple[Claim, Outcome]]) -> None:
        self._say(effects(some))

    def _say(self, some: Sequence[tuple[Claim, Effect]]) -> None:
        assert self.store.settle(some, self.now_ms) == self.model.settle(some, self.now_ms)

    def _outcomes(self, delay: int, error: Failure | None) -> list[Outcome]:
        """One of each kind; ``delay``: of what is to run again."""
        due_ms = self.now_ms + delay
        return [
            Succeeded(returned="[1]"),
            Failed(error=error or Failure("F", "f")),
            Retried(due_ms=due_ms, error=error),
            Snoozed(due_ms=due_ms),
            Released(),
            Crashed(reason="killed"),
            Skipped(reason="not needed"),
        ]

    def _id_at(self, place: int) -> str:
        """The id of one of the jobs ever added, or an unknown one."""
        ids = list(self.model.jobs)
        return ids[-1 - place] if place < len(ids) else "unknown"

    def _claims_at(self, places: Sequence[int]) -> list[Claim]:
        """Some of the claims ever made, the newest for small numbers: most of those are still held."""
        return [self.claims[-1 - place] for place in places if place < len(self.claims)]


def _plain(job: Job) -> Job:
    """The job without what a store words in its own way, ."""
    died = job.error is not None and job.error.type == "WorkerCrashed"
    error = Failure("", "") if died or job.state is State.FAILED else job.error
    finished_ms = 0 if job.state is State.CANCELLED else job.finished_ms
    cancel_ms = None if job.finished else job.cancel_ms
    return job._replace(reason=None, error=error, finished_ms=finished_ms, cancel_ms=cancel_ms)


def _all_plain(jobs: Sequence[Job]) -> list[Job]:
    return [_plain(job) for job in jobs]
