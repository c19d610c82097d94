"""A store in the simplest way: one dict of jobs, every verb a walk over it. What the real ones are compared with."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from fnmatch import fnmatchcase
from typing import Any

from hourwheel.contract import Filter, Found, Stats
from hourwheel.errors import DuplicateJob, UnknownJob
from hourwheel.job import Claim, Failure, Job, State
from hourwheel.turn import Again, Effect, End, Keep

_DIED = Failure("WorkerCrashed", "")
_WEEK_MS = 7 * 24 * 3_600_000
_EVIDENCE = (State.FAILED, State.EXPIRED)


class ModelStore:
    """Jobs by id in the order in which they were added, and owners that have died."""

    def __init__(self) -> None:
        self.jobs: dict[str, Job] = {}
        self.dead: set[str] = set()
        self.paused: set[str] = set()
        self.gone: Counter[State] = Counter()
        """How many were forgotten, by how they had ended."""
        self.starts: dict[str, int] = {}
        """By name of a rate, its last start."""
        self.woken: set[str] = set()
        """Ids of jobs that have ended, and have told those that wait for them."""
        self.lease_ms: int | None = None
        self.until: dict[str, int] = {}
        """Until when each owner is taken to live, if there are leases."""

    # ---- changing ----------------------------------------------------------------------------------------

    def add(self, jobs: Sequence[Job], now_ms: int, on_conflict: str) -> list[str]:
        held, standing, new = dict(self.jobs), list[str](), set[str]()
        for job in jobs:
            if job.id in held:
                standing.append(job.id)
                continue
            holder = self._holder(held, job.key)
            if holder is not None and on_conflict == "raise":
                raise DuplicateJob(str(job.key))
            if holder is not None and on_conflict == "keep":
                standing.append(holder.id)
                continue
            if holder is not None and holder.id in new:
                del held[holder.id]
                standing = [job.id if id == holder.id else id for id in standing]
            elif holder is not None and holder.state is State.SCHEDULED:
                ttl_ms = min(300_000, holder.result_ttl_ms)
                held[holder.id] = holder._replace(state=State.CANCELLED, finished_ms=now_ms, result_ttl_ms=ttl_ms)
            if holder is not None and None not in (job.latest_ms, holder.latest_ms):
                latest_ms = min(job.latest_ms or 0, holder.latest_ms or 0)
                job = job._replace(latest_ms=latest_ms, due_ms=min(job.due_ms, latest_ms))
            held[job.id] = job
            new.add(job.id)
            standing.append(job.id)
        before = self.jobs, set(self.woken)
        self.jobs = held
        self._wake(now_ms)  # those that waited for a replaced job, not those that are to wait for it now
        try:
            self._join(new, now_ms)
        except UnknownJob:
            self.jobs, self.woken = before
            raise
        return standing

    def _join(self, new: set[str], now_ms: int) -> None:
        """Let those that are new wait for those that are not."""
        held = self.jobs
        for id in [id for id, job in held.items() if id in new and job.after is not None]:
            after = held[id].after
            assert after is not None
            before = [one for one in dict.fromkeys(after.ids) if one not in new or one == id]
            if any(one not in held or one == id for one in before):
                raise UnknownJob(id)
            ended = [one for one in before if held[one].finished]
            held.update({one: held[one]._replace(wakes=(*held[one].wakes, id)) for one in before})
            self.woken.update(ended)
            left = len({*after.ids}) - len(ended)
            due_ms = held[id].due_ms if left else now_ms + after.delay_ms
            held[id] = held[id]._replace(after=after._replace(left=left), due_ms=due_ms)

    def _wake(self, now_ms: int) -> None:
        """Tell those who wait for a job that it has ended, once."""
        for job in [job for job in self.jobs.values() if job.finished and job.wakes and job.id not in self.woken]:
            self.woken.add(job.id)
            for id in job.wakes:
                one = self.jobs.get(id)
                if one is not None and one.state is State.SCHEDULED and one.after is not None and one.after.left:
                    left = one.after.left - 1
                    due_ms = one.due_ms if left else now_ms + one.after.delay_ms
                    self.jobs[id] = one._replace(after=one.after._replace(left=left), due_ms=due_ms)

    def _holder(self, held: dict[str, Job], key: str | None) -> Job | None:
        holders = [job for job in held.values() if key is not None and job.key == key and not job.finished]
        return next(
            (job for job in reversed(holders) if job.state is State.SCHEDULED), holders[-1] if holders else None
        )

    def rescue(self, now_ms: int) -> None:
        """What a claim does first."""
        silent = {owner for owner, until_ms in self.until.items() if until_ms <= now_ms}
        for job in list(self.jobs.values()):
            if job.state is not State.RUNNING or job.owner not in self.dead | silent:
                continue
            job = job._replace(crashes=job.crashes + 1, owner=None)
            if job.crashes < job.max_crashes:
                self.jobs[job.id] = self._again(job, job.due_ms, now_ms)
            else:
                self.jobs[job.id] = job._replace(state=State.FAILED, finished_ms=now_ms, error=_DIED)
        for owner in silent:
            del self.until[owner]
        self._wake(now_ms)

    def beat(self, owner: str, now_ms: int) -> bool:
        if self.lease_ms is None or self.until.get(owner, now_ms) > now_ms:
            self.lives(owner, now_ms)
            return True
        return False

    def lives(self, owner: str, now_ms: int) -> None:
        if self.lease_ms is not None:
            self.until[owner] = now_ms + self.lease_ms

    def _again(self, job: Job, due_ms: int, now_ms: int) -> Job:
        """A job that is to run again does, unless it was cancelled or a newer one with its key replaced it meanwhile."""
        if job.cancel_ms is not None:
            return job._replace(state=State.CANCELLED, finished_ms=now_ms)
        holder = self._holder(self.jobs, job.key)
        if holder is None or holder.id == job.id:
            return job._replace(state=State.SCHEDULED, due_ms=due_ms)
        return job._replace(state=State.CANCELLED, finished_ms=now_ms)

    def claimable(self, now_ms: int, queues: Collection[str] | None) -> list[str]:
        """Ids that a claim may take, in its order."""
        due = [job for job in self.scheduled(queues) if job.due_ms <= now_ms and not self._stale(job, now_ms)]
        return [job.id for job in sorted(due, key=lambda job: (-job.priority, job.due_ms, job.id))]

    def choose(
        self,
        now_ms: int,
        queues: Collection[str] | None,
        limit: int,
        without: Collection[str] = (),
        ids: Collection[str] | None = None,
    ) -> list[str]:
        """Ids that a claim must take: those of the claimable ones that no limit and no pause holds back."""
        running = [bound.name for job in self.jobs.values() if job.state is State.RUNNING for bound in job.limits]
        starts = dict(self.starts)
        chosen: list[str] = []
        for job in map(self.jobs.__getitem__, self.claimable(now_ms, queues)):
            fire = job.fire is not None and not job.fire.followed and f"schedule:{job.fire.schedule}"
            if (ids is not None and job.id not in ids) or {f"task:{job.task}", fire} & set(without):
                continue
            if len(chosen) < limit and self._free_at(job, now_ms, running, starts) == 0:
                chosen.append(job.id)
                running += [bound.name for bound in job.limits]
                starts |= {bound.name: now_ms for bound in job.limits if bound.per_ms}
        return chosen

    def _free_at(self, job: Job, now_ms: int, running: list[str], starts: dict[str, int]) -> int | None:
        """0 if nothing holds the job back; else until when, None if something else must happen."""
        if {f"queue:{job.queue}", f"task:{job.task}"} & self.paused:
            return None
        free_at = 0
        for bound in job.limits:
            space = bound.per_ms // bound.most
            free = starts.get(bound.name, -space) + space
            if bound.per_ms and now_ms < free <= now_ms + 2 * space:
                free_at = max(free_at, free)
            if not bound.per_ms and running.count(bound.name) >= bound.most:
                return None
        return free_at

    def earliest(self, now_ms: int) -> int | None:
        """When a claim may next take something, if nothing else happens."""
        running = [bound.name for job in self.jobs.values() if job.state is State.RUNNING for bound in job.limits]
        free = [(job.due_ms, self._free_at(job, now_ms, running, self.starts)) for job in self.scheduled()]
        return min((max(due_ms, free_at) for due_ms, free_at in free if free_at is not None), default=None)

    @property
    def holds_back(self) -> bool:
        """Whether there is a limit or a pause."""
        return bool(self.paused) or any(job.limits for job in self.jobs.values())

    def expiring(self, now_ms: int) -> list[str]:
        """Ids of jobs that a claim may end as expired; when it must is left to the store."""
        return [job.id for job in self.scheduled() if self._stale(job, now_ms)]

    @staticmethod
    def _stale(job: Job, now_ms: int) -> bool:
        expired = job.expires_ms is not None and job.expires_ms <= now_ms
        return expired or (job.grace_ms is not None and now_ms - job.due_ms > job.grace_ms)

    def expired(self, id: str, now_ms: int) -> None:
        self.jobs[id] = self.jobs[id]._replace(state=State.EXPIRED, finished_ms=now_ms)
        self._wake(now_ms)

    def claimed(self, claim: Claim, now_ms: int) -> Job:
        job = self.jobs[claim.job.id]
        self.starts |= {bound.name: now_ms for bound in job.limits if bound.per_ms}
        self.jobs[job.id] = job = job._replace(
            state=State.RUNNING,
            attempt=job.attempt + 1,
            token=claim.token,
            owner=claim.owner,
            started_ms=now_ms,
        )
        return job

    def settle(self, settlements: Sequence[tuple[Claim, Effect]], now_ms: int) -> list[Claim]:
        lost = []
        for claim, effect in settlements:
            if self.holds(claim):
                self._turned(self.jobs[claim.job.id], effect, now_ms)
            else:
                lost.append(claim)
            self._wake(now_ms)
        return lost

    def _turned(self, job: Job, effect: Effect, now_ms: int) -> None:
        match effect:
            case Keep(next=fire) if fire is not None:
                if job.fire is not None and not job.fire.followed:  # once
                    followed = job.fire._replace(followed=True, missed=effect.missed)
                    self.jobs[job.id] = job._replace(key=None, fire=followed)
                    holder = self._holder({**self.jobs, job.id: job}, job.key)
                    if fire.key is None or fire.key != job.key or holder is None or holder.id == job.id:
                        self.jobs.setdefault(fire.id, fire)
            case Keep(note=None):
                self.jobs[job.id] = job if job.cancel_ms is not None else job._replace(reason=effect.reason)
            case Keep(note=note):
                self.jobs[job.id] = job._replace(note=note)
            case End(state=state, returned=returned):
                job = job._replace(owner=None, returned=returned, **effect.changes)
                self.jobs[job.id] = job._replace(state=state, finished_ms=now_ms)
            case Again(due_ms=due_ms):
                self.jobs[job.id] = self._again(job._replace(owner=None, **effect.changes), due_ms, now_ms)

    def holds(self, claim: Claim) -> bool:
        job = self.jobs.get(claim.job.id)
        return job is not None and job.state is State.RUNNING and job.token == claim.token

    def cancel(self, ids: Sequence[str], now_ms: int) -> list[Found]:
        found = []
        for id in ids:
            found.append(self.find(id))
            if found[-1] is Found.SCHEDULED:
                self.jobs[id] = self.jobs[id]._replace(state=State.CANCELLED, finished_ms=now_ms)
            elif found[-1] is Found.RUNNING and self.jobs[id].cancel_ms is None:
                self.jobs[id] = self.jobs[id]._replace(cancel_ms=now_ms)
            self._wake(now_ms)
        return found

    def reschedule(self, ids: Sequence[str], due_ms: int) -> list[Found]:
        found = [self.find(id) for id in ids]
        for id, stands in zip(ids, found, strict=True):
            if stands is Found.SCHEDULED:
                self.jobs[id] = self.jobs[id]._replace(due_ms=due_ms)
        return found

    def revive(self, ids: Sequence[str], due_ms: int) -> list[Found]:
        found = [self.find(id) for id in ids]
        once = {id for id, stands in zip(ids, found, strict=True) if stands is Found.FINISHED}
        keys = [key for id in once if (key := self.jobs[id].key) is not None]
        if len(keys) > len(set(keys)) or any(self._holder(self.jobs, key) is not None for key in keys):
            raise DuplicateJob(str(keys))
        anew: dict[str, Any] = {
            "wakes": (),
            "attempt": 0,
            "crashes": 0,
            "finished_ms": None,
            "returned": None,
            "cancel_ms": None,
            "note": None,
        }
        for id in once:
            self.jobs[id] = self.jobs[id]._replace(state=State.SCHEDULED, due_ms=due_ms, **anew)
            self.woken.discard(id)
        return found

    def forget(self, ids: Sequence[str], tokens: Sequence[int] | None = None) -> list[Found]:
        found = [self.find(id, token) for id, token in zip(ids, tokens or [None] * len(ids), strict=True)]
        for id in {id for id, stands in zip(ids, found, strict=True) if stands is Found.FINISHED}:
            self.woken.discard(id)
            self.gone[self.jobs.pop(id).state] += 1
        return found

    def tidy(self, now_ms: int) -> None:
        for job in list(self.jobs.values()):
            kept_ms = max(_WEEK_MS, job.result_ttl_ms) if job.state in _EVIDENCE else job.result_ttl_ms
            needed = any(id in self.jobs and not self.jobs[id].finished for id in job.wakes)
            if job.finished_ms is not None and job.finished_ms + kept_ms <= now_ms and not needed:
                self.woken.discard(job.id)
                self.gone[self.jobs.pop(job.id).state] += 1

    # ---- reading -----------------------------------------------------------------------------------------

    @property
    def accepted(self) -> int:
        return len(self.jobs) + self.gone.total()

    def find(self, id: str, token: int | None = None) -> Found:
        job = self.jobs.get(id)
        if job is None:
            return Found.UNKNOWN
        if token not in (None, job.token):
            return Found.CHANGED
        if job.state is State.SCHEDULED:
            return Found.SCHEDULED
        return Found.RUNNING if job.state is State.RUNNING else Found.FINISHED

    def everything(self) -> list[Job]:
        return sorted(self.jobs.values(), key=lambda job: (job.due_ms, job.id))

    def scheduled(self, queues: Collection[str] | None = None) -> Iterator[Job]:
        return (
            job
            for job in self.jobs.values()
            if job.state is State.SCHEDULED and (queues is None or job.queue in queues)
        )

    def scan(self, filter: Filter, limit: int) -> list[Job]:
        return [job for job in self.everything() if _passes(job, filter)][:limit]

    def next_due(self, queues: Collection[str] | None) -> int | None:
        return min((job.due_ms for job in self.scheduled(queues)), default=None)

    def stats(self, now_ms: int, hand: int) -> Stats:
        count = (Counter(job.state for job in self.jobs.values()) + self.gone).__getitem__
        return Stats(
            accepted=self.accepted,
            scheduled=count(State.SCHEDULED),
            overdue=sum(job.due_ms <= now_ms for job in self.scheduled()),
            running=count(State.RUNNING),
            succeeded=count(State.SUCCEEDED),
            failed=count(State.FAILED),
            cancelled=count(State.CANCELLED),
            expired=count(State.EXPIRED),
            hand=hand,
            next_due_ms=self.next_due(None),
        )

    def density(self, before_ms: int) -> list[int]:
        cells = [0] * 3600
        for job in self.scheduled():
            cells[job.slot] += job.due_ms < before_ms
        return cells


def _passes(job: Job, filter: Filter) -> bool:
    return (
        (filter.states is None or job.state in filter.states)
        and (filter.queue is None or job.queue == filter.queue)
        and (filter.key is None or job.key == filter.key)
        and (filter.task is None or fnmatchcase(job.task, filter.task))
        and (filter.due_from_ms is None or job.due_ms >= filter.due_from_ms)
        and (filter.due_before_ms is None or job.due_ms < filter.due_before_ms)
        and (
            filter.error is None or (job.error is not None and filter.error in f"{job.error.type}: {job.error.message}")
        )
    )
