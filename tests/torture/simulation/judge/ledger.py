"""Ledger: the simplest book-keeping of jobs that could be right, and the judge of what a store and its tickers do.

It hears of every call that a node makes of its store, and of every run. It works out by itself what the answer must
be: which jobs a claim gets, in which order; which settlements count; what cancel, reschedule and a unique key come
to. Any difference is a violation, at the moment at which it happens:

    nothing lost        a due job that a claim must get, and does not
    none invented       a job in an answer that was never accepted
    nothing early       a claim before the due instant by the wall clock
    one live claim      a claim of a job that runs, or a run under a token that is not the newest
    none unheard        claims whose answer was lost come first in the next one, by their tokens, and are not new
    starts <= 1 + deaths
    no needless death   an owner that reaches the store lets its lease lapse
    fencing             a settlement counts if, and only if, its token is the job's newest
    the sum             accepted = scheduled + running + finished
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from heapq import heappop, heappush

from hourwheel.contract import Claims, Found, OnConflict, Stats
from hourwheel.job import Claim, Job
from hourwheel.testing.simulation import Violation
from hourwheel.turn import Again, Effect, End

from .entry import Entry, Where
from .signs import Signs


class Ledger:
    """All jobs, and what must be true of them."""

    def __init__(self) -> None:
        self.entries: dict[str, Entry] = {}
        self.running: dict[str, Entry] = {}
        self.counts: Counter[str] = Counter()
        self.dead: set[str] = set()
        """Owners that can settle nothing any more."""
        self.signs: Signs | None = None
        """Of life, if the store is not told who has died."""
        self.token = 0
        self._marks: dict[str, int] = {}
        """By owner, if the store is told: up to which token its claims have begun."""
        self._holders: dict[str, str] = {}
        self._waiting: list[tuple[int, str]] = []
        self._ready: list[tuple[int, int, str]] = []

    # ---- producers ---------------------------------------------------------------------------------------

    def added(self, job: Job, on_conflict: OnConflict, standing: str) -> None:
        """add() was answered with the id ``standing``."""
        expected = self._expected_standing(job, on_conflict)
        _demand(standing == expected, f"add of {job.id} was answered with {standing}, must be {expected}")
        if expected != job.id or job.id in self.entries:
            return
        entry = Entry(job=job, due_ms=job.due_ms)
        self.entries[job.id] = entry
        self.counts["accepted"] += 1
        self._schedule(entry, job.due_ms)
        if job.key is not None:
            self._holders[job.key] = job.id

    def _expected_standing(self, job: Job, on_conflict: OnConflict) -> str:
        holder = self._holder(job.key)
        if job.id in self.entries or holder is None:
            return job.id
        if on_conflict == "keep":
            return holder.id
        if holder.where == "scheduled":
            self._finish(holder, "cancelled")
            holder.brief = True
        return job.id

    def _holder(self, key: str | None) -> Entry | None:
        if key is None:
            return None
        id = self._holders.get(key)
        if id is not None:
            return self.entries[id]
        return next((entry for entry in self.running.values() if entry.job.key == key), None)

    def cancelled(self, id: str, found: Found) -> None:
        """cancel() was answered."""
        self._judge_found("cancel", id, found)
        if found is Found.SCHEDULED:
            self._finish(self.entries[id], "cancelled")
        elif found is Found.RUNNING:
            self.entries[id].asked = True

    def moved(self, id: str, due_ms: int, found: Found) -> None:
        """reschedule() was answered."""
        self._judge_found("reschedule", id, found)
        if found is Found.SCHEDULED:
            self._schedule(self.entries[id], due_ms, before="scheduled")

    def _judge_found(self, verb: str, id: str, found: Found) -> None:
        entry = self.entries.get(id)
        if entry is None:
            must = Found.UNKNOWN
        elif entry.brief and found is Found.UNKNOWN:
            return
        else:
            must = Found.FINISHED if entry.finished else Found(entry.where)
        _demand(found is must, f"{verb} of {id} was answered with {found}, must be {must}")

    # ---- nodes -------------------------------------------------------------------------------------------

    def disown(self, owner: str) -> list[Entry]:
        """An owner is taken for dead: what it holds is free."""
        taken = [entry for entry in self.running.values() if entry.owner == owner]
        for entry in taken:
            entry.disowned = True
        return taken

    def orphans(self) -> list[Entry]:
        """Jobs that run for nobody who lives, as far as the store can know."""
        if self.signs is not None:
            return [entry for entry in self.running.values() if self.signs.lapsed(entry.owner)]
        return [entry for entry in self.running.values() if entry.disowned or entry.owner in self.dead]

    def marked(self, owner: str, token: int) -> None:
        """begin() has returned."""
        self._marks[owner] = token

    def beaten(self, owner: str, alive: bool) -> None:
        """beat() was answered."""
        must = self.signs is None or not self.signs.lapsed(owner)
        _demand(alive is must, f"beat by {owner} was answered with {alive}, must be {must}")
        if self.signs is not None and alive:
            self.signs.given(owner)

    def claimed(self, owner: str, now_ms: int, limit: int, claims: Claims, ask: int | None = None) -> None:
        """claim() was answered: those of the dead are rescued first, and what was not heard of comes again."""
        for entry in self.orphans():
            self._rescue(entry)
        if self.signs is not None:
            self.signs.given(owner)
        unheard = self._unheard(owner, ask)
        self._judge_unheard(owner, unheard, claims[: len(unheard)])
        self._judge_new(owner, now_ms, limit, claims, claims[len(unheard) :])
        _demand(claims.ask == self.token, f"claim by {owner}: ask is {claims.ask}, must be {self.token}")
        due_ms, next_ms = self.next_due_ms(now_ms), claims.next_ms
        asleep = due_ms is not None and (next_ms is None or next_ms > max(now_ms, due_ms))
        _demand(not asleep, f"claim by {owner} at {now_ms}: next_ms is {next_ms}, though a job is due at {due_ms}")

    def _unheard(self, owner: str, ask: int | None) -> list[Entry]:
        if ask is None or ask >= self.token:
            return []
        mine = [entry for entry in self.running.values() if entry.owner == owner and entry.token > ask]
        return sorted(mine, key=lambda entry: entry.token)

    def _judge_unheard(self, owner: str, entries: Sequence[Entry], claims: Sequence[Claim]) -> None:
        got = [(claim.job.id, claim.token) for claim in claims]
        must = [(entry.id, entry.token) for entry in entries]
        _demand(got == must, f"unheard: {owner} got {got} again, must be {must}")
        for entry, claim in zip(entries, claims, strict=True):
            _demand_counts(entry, claim)

    def _judge_new(self, owner: str, now_ms: int, limit: int, answer: Claims, claims: Sequence[Claim]) -> None:
        for claim in claims:
            self._judge(claim, owner, now_ms)
        expected, expired = self._choose(now_ms, limit)
        got = [claim.job.id for claim in claims]
        if got != expected:
            missing = [id for id in expected if id not in got]
            what = f"lost or forgotten: {missing}" if missing else f"the order is wrong: {got}, must be {expected}"
            raise Violation(f"claim by {owner} at {now_ms} for {limit}: {what}")
        unrun = [job.id for job in answer.unrun]
        _demand(unrun == expired, f"claim by {owner} at {now_ms}: unrun is {unrun}, must be {expired}")
        for claim in claims:
            self._run(claim)

    def _judge(self, claim: Claim, owner: str, now_ms: int) -> None:
        id = claim.job.id
        entry = self.entries.get(id)
        if entry is None:
            raise Violation(f"invented: {owner} got {id}, which nobody added")
        _demand(entry.due_ms <= now_ms, f"early: {owner} got {id} at {now_ms}, due {entry.due_ms}")
        _demand(entry.where == "scheduled", f"claimed twice: {owner} got {id}, which is {entry.where} ({entry.owner})")
        _demand(claim.token > self.token, f"token: {id} got {claim.token} after {self.token} was given")
        self.token = claim.token

    def _choose(self, now_ms: int, limit: int) -> tuple[list[str], list[str]]:
        """What a claim must get: due, not expired, in the order (priority, due, id); and what expires."""
        while self._waiting and self._waiting[0][0] <= now_ms:
            due_ms, id = heappop(self._waiting)
            heappush(self._ready, (-self.entries[id].job.priority, due_ms, id))
        chosen: list[str] = []
        expired: list[str] = []
        ahead: list[tuple[int, int, str]] = []
        while self._ready and len(chosen) < limit:
            rank = heappop(self._ready)
            entry = self.entries[rank[2]]
            if entry.where != "scheduled" or entry.due_ms != rank[1] or entry.id in chosen:
                continue
            if entry.due_ms > now_ms:  # the wall clock was set back
                ahead.append(rank)
            elif entry.job.expires_ms is not None and entry.job.expires_ms <= now_ms:
                self._finish(entry, "expired")
                expired.append(entry.id)
            else:
                chosen.append(entry.id)
        for rank in ahead:
            heappush(self._ready, rank)
        return chosen, expired

    def _run(self, claim: Claim) -> None:
        entry = self.entries[claim.job.id]
        self._move(entry, "running")
        entry.owner, entry.token, entry.disowned = claim.owner, claim.token, False
        entry.attempt += 1
        _demand_counts(entry, claim)
        self.running[entry.id] = entry

    def began(self, claim: Claim) -> Entry:
        """A worker begins to run a claim."""
        entry = self.entries[claim.job.id]
        entry.begun += 1
        _demand(
            entry.begun <= 1 + entry.excused,
            f"{entry.id} began {entry.begun} times, with {entry.excused} reasons to begin again",
        )
        _demand(entry.began_token < claim.token, f"{entry.id} began twice under token {claim.token}")
        entry.began_token = claim.token
        return entry

    def settled(self, settlements: Sequence[tuple[Claim, Effect]], lost: Sequence[Claim]) -> None:
        """settle() was answered."""
        refused = {(claim.job.id, claim.token) for claim in lost}
        for claim, effect in settlements:
            entry = self.entries[claim.job.id]
            newest = entry.where == "running" and entry.token == claim.token
            counts = (claim.job.id, claim.token) not in refused
            what = "a stale settlement counted" if counts else "a settlement of the newest claim was refused"
            _demand(newest == counts, f"fencing: {what}: {entry.id}, token {claim.token}, newest {entry.token}")
            if counts:
                self._settle(entry, effect)

    def _settle(self, entry: Entry, effect: Effect) -> None:
        match effect:
            case End(state=state):
                self._finish(entry, state.value)
            case Again(due_ms=due_ms, changes={"attempt": attempt}):  # snoozed, or given back
                entry.attempt -= 1
                _demand(attempt == entry.attempt, f"{entry.id}: put off as attempt {attempt}, not {entry.attempt}")
                self._again(entry, due_ms)
            case Again(due_ms=due_ms):
                entry.excused += 1
                self._again(entry, due_ms)

    def _rescue(self, entry: Entry) -> None:
        if self.signs is not None and entry.owner not in self.dead:
            self.signs.refuse_silence(entry.owner)
        if entry.token > self._marks.get(entry.owner, entry.token):
            entry.attempt -= 1  # given back
            self._again(entry, entry.due_ms)
            return
        entry.crashes += 1
        if entry.began_token == entry.token:
            entry.excused += 1
        if entry.crashes >= entry.job.max_crashes:
            self._finish(entry, "failed")
        else:
            self._again(entry, entry.due_ms)

    # ---- where jobs are ----------------------------------------------------------------------------------

    def _again(self, entry: Entry, due_ms: int) -> None:
        if entry.asked:
            self._finish(entry, "cancelled")
            return
        key = entry.job.key
        if key is not None:
            if self._holders.get(key, entry.id) != entry.id:
                self._finish(entry, "cancelled")
                return
            self._holders[key] = entry.id
        self._schedule(entry, due_ms, before="running")

    def _schedule(self, entry: Entry, due_ms: int, before: Where | None = None) -> None:
        entry.due_ms = due_ms
        heappush(self._waiting, (due_ms, entry.id))
        if before is not None:
            self._move(entry, "scheduled")
        else:
            self.counts["scheduled"] += 1

    def _move(self, entry: Entry, where: Where) -> None:
        self.counts[entry.where] -= 1
        self.counts[where] += 1
        entry.where = where
        if where != "running":
            self.running.pop(entry.id, None)

    def _finish(self, entry: Entry, where: Where) -> None:
        self._move(entry, where)
        key = entry.job.key
        if key is not None and self._holders.get(key) == entry.id:
            del self._holders[key]

    # ---- looking -----------------------------------------------------------------------------------------

    def next_due_ms(self, now_ms: int) -> int | None:
        """The earliest due instant of a scheduled job; if one is due at ``now_ms``, any that is."""
        waiting, ready = self._waiting, self._ready
        while waiting and not self._stands(waiting[0]):
            heappop(waiting)
        while ready and not self._stands(ready[0]):
            heappop(ready)
        if not ready:
            return waiting[0][0] if waiting else None
        if ready[0][1] <= now_ms:
            return ready[0][1]
        first = min(rank[1] for rank in ready if self._stands(rank))  # the wall clock was set back
        return min(first, waiting[0][0]) if waiting else first

    def _stands(self, rank: tuple[int, str] | tuple[int, int, str]) -> bool:
        entry = self.entries[str(rank[-1])]
        return entry.where == "scheduled" and entry.due_ms == rank[-2]

    @property
    def unfinished(self) -> int:
        """Jobs that are still to run, or run."""
        return self.counts["scheduled"] + self.counts["running"]

    def compare(self, stats: Stats) -> None:
        """The store's own sum must be right, and ours."""
        for name in ("accepted", "scheduled", "running", "succeeded", "failed", "cancelled", "expired"):
            told = getattr(stats, name)
            _demand(told == self.counts[name], f"the sum: the store counts {told} {name}, must be {self.counts[name]}")
        finished = stats.succeeded + stats.failed + stats.cancelled + stats.expired
        _demand(stats.accepted == stats.scheduled + stats.running + finished, f"the sum: {stats}")

    def compare_jobs(self, jobs: Sequence[Job]) -> None:
        """Each job that the store holds must be where it is here, and none may be missing that has not finished."""
        held = {job.id: job for job in jobs}
        for id, entry in self.entries.items():
            job = held.pop(id, None)
            if job is None:
                _demand(entry.brief, f"lost: {id}, which is {entry.where}, is not in the store")
            else:
                told = (str(job.state), job.due_ms, job.attempt, job.crashes)
                must = (entry.where, entry.due_ms, entry.attempt, entry.crashes)
                _demand(told == must, f"{id} is {told} in the store, must be {must}")
        _demand(not held, f"invented: {sorted(held)} are in the store, which nobody added")


def _demand(condition: object, otherwise: str) -> None:
    if not condition:
        raise Violation(otherwise)


def _demand_counts(entry: Entry, claim: Claim) -> None:
    said, must = (claim.job.attempt, claim.job.crashes), (entry.attempt, entry.crashes)
    _demand(said == must, f"{entry.id}: attempt and crashes are {said}, must be {must}")
