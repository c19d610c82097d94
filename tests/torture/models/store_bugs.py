"""Memory stores with one plausible mistake each; the machine of tests/contract must find every one of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from hourwheel.clock import MAX_MS
from hourwheel.contract import Claims, Cursor, Filter, Found, Stats, find
from hourwheel.job import Bound, Claim, Job, State
from hourwheel.store import MemoryStore
from hourwheel.store.state import views
from hourwheel.store.state.leases import Leases
from hourwheel.store.state.state import job_of
from hourwheel.turn import Again, Effect, End

from tests.contract.store_machine import StoreMachine
from tests.contract.test_store_machine import LeasedMachine


class AddsWhatItRefuses(MemoryStore):
    def add(self, jobs: Sequence[Job], now_ms: int, *, on_conflict: Any = "keep", fresh: bool = False) -> list[str]:
        return [id for job in jobs for id in super(AddsWhatItRefuses, self).add([job], now_ms, on_conflict=on_conflict)]


class KeepsWhatItShouldReplace(MemoryStore):
    def add(self, jobs: Sequence[Job], now_ms: int, *, on_conflict: Any = "keep", fresh: bool = False) -> list[str]:
        return super().add(jobs, now_ms, on_conflict="keep" if on_conflict == "replace" else on_conflict)


class ForgetsThatAnIdIsHeld(MemoryStore):
    def add(self, jobs: Sequence[Job], now_ms: int, *, on_conflict: Any = "keep", fresh: bool = False) -> list[str]:
        again = [job for job in jobs if (held := find(self, job.id)) is not None and held.finished]
        for job in again:
            self._state.rows.pop(job.id)
        return super().add(jobs, now_ms, on_conflict=on_conflict)


class ClaimsOneMillisecondEarly(MemoryStore):
    def claim(self, owner: str, now_ms: int, limit: int, **options: Any) -> Claims:
        return super().claim(owner, now_ms + 1, limit, **options)


class ClaimsFromAnyQueue(MemoryStore):
    def claim(self, owner: str, now_ms: int, limit: int, *, queues: Any = None, **options: Any) -> Claims:
        return super().claim(owner, now_ms, limit, queues=queues and None, **options)


class ClaimsOneMoreThanAsked(MemoryStore):
    def claim(self, owner: str, now_ms: int, limit: int, **options: Any) -> Claims:
        return super().claim(owner, now_ms, limit + 1, **options)


class ForgetsThePriority(MemoryStore):
    def claim(self, owner: str, now_ms: int, limit: int, **options: Any) -> Claims:
        claims = super().claim(owner, now_ms, limit, **options)
        claims.sort(key=lambda claim: (claim.job.due_ms, claim.job.id))
        return claims


class ForgetsWhichClaimsWereUnheard(MemoryStore):
    def claim(self, owner: str, now_ms: int, limit: int, *, ask: Any = None, **options: Any) -> Claims:
        return super().claim(owner, now_ms, limit, **options)


class GivesWhatRunsAgain(MemoryStore):
    """To each claim, as if no answer had been heard."""

    def claim(self, owner: str, now_ms: int, limit: int, *, ask: Any = None, **options: Any) -> Claims:
        return super().claim(owner, now_ms, limit, ask=0, **options)


class SaysTooLateWhenToAskAgain(MemoryStore):
    def claim(self, owner: str, now_ms: int, limit: int, **options: Any) -> Claims:
        claims = super().claim(owner, now_ms, limit, **options)
        return Claims(claims, next_ms=None if claims.next_ms is None else claims.next_ms + 1, ask=claims.ask)


class ForgetsLeases(MemoryStore):
    def claim(self, owner: str, now_ms: int, limit: int, **options: Any) -> Claims:
        self.leases = Leases(10**13)
        return super().claim(owner, now_ms, limit, **options)


class BeatsTheDead(MemoryStore):
    def beat(self, owner: str, now_ms: int) -> bool:
        if self.leases is not None:
            self.leases.begin(owner, now_ms)
        return True


class TidiesTooSoon(MemoryStore):
    def tidy(self, now_ms: int, limit: int = 10_000) -> int:
        return super().tidy(now_ms + 1, limit)


class TidiesOnlyWhatHasSucceeded(MemoryStore):
    def tidy(self, now_ms: int, limit: int = 10_000) -> int:
        self._state.over = [
            (at, id)
            for at, id in self._state.over
            if (job := self._state.get(id)) is not None and job.state is State.SUCCEEDED
        ]
        return super().tidy(now_ms, limit)


class KeepsWhatWasReplaced(MemoryStore):
    def add(self, jobs: Sequence[Job], now_ms: int, *, on_conflict: Any = "keep", fresh: bool = False) -> list[str]:
        ids = super().add(jobs, now_ms, on_conflict=on_conflict, fresh=fresh)
        rows = self._state.rows
        rows.update({id: row._replace(result_ttl_ms=10**13) for id, row in rows.items() if isinstance(row, Job)})
        return ids


class SettlesWithoutAFence(MemoryStore):
    def settle(self, settlements: Sequence[tuple[Claim, Effect]], now_ms: int) -> list[Claim]:
        newest = [
            (claim._replace(token=getattr(find(self, claim.job.id), "token", 0)), how) for claim, how in settlements
        ]
        lost = super().settle(newest, now_ms)
        return [claim for claim, _ in settlements if claim.job.id in {one.job.id for one in lost}]


class CountsASnoozeAsAnAttempt(MemoryStore):
    def settle(self, settlements: Sequence[tuple[Claim, Effect]], now_ms: int) -> list[Claim]:
        return super().settle([(claim, _counted(claim, how)) for claim, how in settlements], now_ms)


def _counted(claim: Claim, effect: Effect) -> Effect:
    return (
        effect._replace(changes={**effect.changes, "attempt": claim.job.attempt})
        if isinstance(effect, Again)
        else effect
    )


class SettlesAllOrNone(MemoryStore):
    def settle(self, settlements: Sequence[tuple[Claim, Effect]], now_ms: int) -> list[Claim]:
        if any(not self._state.holds(claim) for claim, _ in settlements):
            return [claim for claim, _ in settlements if not self._state.holds(claim)]
        return super().settle(settlements, now_ms)


class SaysScheduledOfACancelledOne(MemoryStore):
    def cancel(self, ids: Sequence[str], now_ms: int, *, reason: str | None = None) -> list[Found]:
        found = super().cancel(ids, now_ms, reason=reason)
        return [Found.SCHEDULED if one is Found.FINISHED else one for one in found]


class SchedulesACancelledOneAgain(MemoryStore):
    def cancel(self, ids: Sequence[str], now_ms: int, *, reason: str | None = None) -> list[Found]:
        found = super().cancel(ids, now_ms, reason=reason)
        rows = self._state.rows
        rows.update({id: job_of(rows[id])._replace(cancel_ms=None) for id in ids if id in self._state.running})
        return found


class WakesAtTheFirstOfThoseThatAJobWaitsFor(MemoryStore):
    def settle(self, settlements: Sequence[tuple[Claim, Effect]], now_ms: int) -> list[Claim]:
        lost = super().settle(settlements, now_ms)
        for id in [id for claim, _ in settlements for id in claim.job.wakes]:
            job = find(self, id)
            if job is not None and job.state is State.SCHEDULED and job.due_ms == MAX_MS:
                self.reschedule([id], now_ms, now_ms)
        return lost


class LeavesThoseThatWaitForAFailedJob(MemoryStore):
    def settle(self, settlements: Sequence[tuple[Claim, Effect]], now_ms: int) -> list[Claim]:
        rows = self._state.rows
        for claim, how in settlements:
            if isinstance(how, End) and how.state is State.FAILED and claim.job.id in rows:
                rows[claim.job.id] = job_of(rows[claim.job.id])._replace(wakes=())
        return super().settle(settlements, now_ms)


class RunsWhatNobodyTookInTime(MemoryStore):
    def add(self, jobs: Sequence[Job], now_ms: int, *, on_conflict: Any = "keep", fresh: bool = False) -> list[str]:
        return super().add([job._replace(grace_ms=None) for job in jobs], now_ms, on_conflict=on_conflict, fresh=fresh)


class ReschedulesToTheWholeSecond(MemoryStore):
    def reschedule(self, ids: Sequence[str], due_ms: int, now_ms: int) -> list[Found]:
        return super().reschedule(ids, -(-due_ms // 1000) * 1000, now_ms)


class LetsAFinishedJobRunOnceMoreBesideTheHolderOfItsKey(MemoryStore):
    def revive(self, ids: Sequence[str], due_ms: int, now_ms: int) -> list[Found]:
        for id, job in zip(ids, self.get(ids), strict=True):
            if job is not None and job.finished:
                self._state.rows[id] = job._replace(key=None)
        return super().revive(ids, due_ms, now_ms)


class StartsOneTooMany(MemoryStore):
    def add(self, jobs: Sequence[Job], now_ms: int, *, on_conflict: Any = "keep", fresh: bool = False) -> list[str]:
        more = [job._replace(limits=tuple(_raised(bound) for bound in job.limits)) for job in jobs]
        return super().add(more, now_ms, on_conflict=on_conflict, fresh=fresh)


def _raised(bound: Bound) -> Bound:
    return bound if bound.per_ms else bound._replace(most=bound.most + 1)


class StartsTooSoon(MemoryStore):
    """By a millisecond."""

    def claim(self, owner: str, now_ms: int, limit: int, **options: Any) -> Claims:
        claims = super().claim(owner, now_ms, limit, **options)
        self._state.limits.next_us = {name: at - 1_000 for name, at in self._state.limits.next_us.items()}
        return claims


class DoesNotOpenAgain(MemoryStore):
    def settle(self, settlements: Sequence[tuple[Claim, Effect]], now_ms: int) -> list[Claim]:
        lost = super().settle(settlements, now_ms)
        self._state.ready._openings.clear()
        return lost


class ForgetsWhatIsPaused(MemoryStore):
    def claim(self, owner: str, now_ms: int, limit: int, **options: Any) -> Claims:
        self._state.limits.paused = {name for name in self._state.limits.paused if name.startswith("task:")}
        return super().claim(owner, now_ms, limit, **options)


class LeavesResumedJobsParked(MemoryStore):
    def resume(self, names: Sequence[str]) -> list[str]:
        held = [name for name in dict.fromkeys(names) if name in self._state.limits.paused]
        self._state.limits.paused -= set(names)
        return held


class ScansOneTooFar(MemoryStore):
    def scan(self, filter: Filter = Filter(), limit: int | None = None, *, after: Cursor | None = None) -> list[Job]:
        if filter.due_before_ms is not None:
            filter = replace(filter, due_before_ms=filter.due_before_ms + 1)
        return super().scan(filter, limit, after=after)


class ScansItsCursorOnceMore(MemoryStore):
    def scan(self, filter: Filter = Filter(), limit: int | None = None, *, after: Cursor | None = None) -> list[Job]:
        return super().scan(filter, limit, after=after and Cursor(after.due_ms, after.id[:-1]))


class OverlooksWhatIsOverdue(MemoryStore):
    def stats(self, now_ms: int) -> Stats:
        return replace(super().stats(now_ms), overdue=super().stats(now_ms - 1).overdue)


class ForgetsOnlyTheResult(MemoryStore):
    def forget(self, ids: Sequence[str], *, tokens: Sequence[int] | None = None) -> list[Found]:
        found = [views.find(self._state, id, token) for id, token in zip(ids, tokens or [None] * len(ids), strict=True)]
        rows = self._state.rows
        for id in [id for id, stands in zip(ids, found, strict=True) if stands is Found.FINISHED]:
            rows[id] = job_of(rows[id])._replace(returned=None)
        return found


class ForgetsWhatHasNotFinished(MemoryStore):
    def forget(self, ids: Sequence[str], *, tokens: Sequence[int] | None = None) -> list[Found]:
        self.cancel([id for id in ids if views.find(self._state, id) is Found.SCHEDULED], 0)
        return super().forget(ids, tokens=tokens)


class ForgetsWhatWasClaimedSince(MemoryStore):
    def forget(self, ids: Sequence[str], *, tokens: Sequence[int] | None = None) -> list[Found]:  # noqa: ARG002
        return super().forget(ids)


BUGS: list[type[MemoryStore]] = [
    ForgetsOnlyTheResult,
    ForgetsWhatHasNotFinished,
    ForgetsWhatWasClaimedSince,
    AddsWhatItRefuses,
    KeepsWhatItShouldReplace,
    ForgetsThatAnIdIsHeld,
    ClaimsOneMillisecondEarly,
    ClaimsFromAnyQueue,
    ClaimsOneMoreThanAsked,
    ForgetsThePriority,
    ForgetsWhichClaimsWereUnheard,
    GivesWhatRunsAgain,
    SaysTooLateWhenToAskAgain,
    ForgetsLeases,
    BeatsTheDead,
    TidiesTooSoon,
    TidiesOnlyWhatHasSucceeded,
    KeepsWhatWasReplaced,
    ScansItsCursorOnceMore,
    SettlesWithoutAFence,
    CountsASnoozeAsAnAttempt,
    SettlesAllOrNone,
    SaysScheduledOfACancelledOne,
    SchedulesACancelledOneAgain,
    WakesAtTheFirstOfThoseThatAJobWaitsFor,
    LeavesThoseThatWaitForAFailedJob,
    RunsWhatNobodyTookInTime,
    ReschedulesToTheWholeSecond,
    LetsAFinishedJobRunOnceMoreBesideTheHolderOfItsKey,
    StartsOneTooMany,
    StartsTooSoon,
    DoesNotOpenAgain,
    ForgetsWhatIsPaused,
    LeavesResumedJobsParked,
    ScansOneTooFar,
    OverlooksWhatIsOverdue,
]


def machine_for(bug: type[MemoryStore]) -> type[StoreMachine]:
    if bug in (ForgetsLeases, BeatsTheDead):
        return type(f"MachineFor{bug.__name__}", (LeasedMachine,), {"make_store": lambda self: bug(lease_ms=1_000)})
    return type(f"MachineFor{bug.__name__}", (StoreMachine,), {"make_store": lambda self: bug()})
