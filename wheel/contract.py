"""Store: what any place that keeps the ring must do. Wakeup, Pausable: what a store may be able to do besides.

Every verb that changes something takes lists, is atomic (all of the call or none of it) and durable, as the store's
durability says, when it returns. Stores never read a clock: ``now_ms`` is a parameter (a server-side store uses its
server's clock for leases). StoreContract in hourwheel.testing is this page as tests.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, Protocol, runtime_checkable

from .job import Claim, Job, Outcome, State

OnConflict = Literal["keep", "replace", "raise"]


class Found(StrEnum):
    """How cancel() and reschedule() found a job. Only SCHEDULED means that the change was made."""

    SCHEDULED = "scheduled"
    RUNNING = "running"
    FINISHED = "finished"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Which jobs scan() shows; what is None does not restrict."""

    states: frozenset[State] | None = None
    task: str | None = None
    queue: str | None = None
    key: str | None = None
    due_from_ms: int | None = None
    due_before_ms: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Stats:
    """Counts at one moment. accepted == scheduled + running + succeeded + failed + cancelled + expired, always."""

    accepted: int
    """Jobs ever added."""
    scheduled: int
    overdue: int
    """Of the scheduled ones, those whose due instant has passed."""
    running: int
    succeeded: int
    """Ever, as are the three that follow: results that have been dropped since are still counted."""
    failed: int
    cancelled: int
    expired: int
    hand: int
    """The last second swept."""
    next_due_ms: int | None


class Store(Protocol):
    """Where a ring lives."""

    def add(self, jobs: Sequence[Job], *, on_conflict: OnConflict = "keep", fresh: bool = False) -> list[str]:
        """Accept jobs, all or none.

        Idempotent by id: a job whose id the store holds already is left as it is. A job with a ``key`` that an
        unfinished job holds is, by ``on_conflict``, not added ("keep"), put in the place of the pending one, which
        ends as cancelled ("replace"; a running one is left to run), or refused ("raise").

        When both have a ``latest_ms``, the earlier one stands, and the new job is due then at the latest.

        Args:
            jobs: state scheduled, attempt 0.
            on_conflict: "keep", "replace" or "raise".
            fresh: the caller vouches that the ids are new and that there are no keys, so no look-up is needed.

        Returns:
            For each job the id of the job that now stands for it: its own, or the one kept.

        Raises:
            DuplicateJob: on_conflict is "raise" and a key is taken; nothing was added.
            StoreError: the store cannot accept; nothing was added.
        """

    def claim(
        self,
        owner: str,
        now_ms: int,
        limit: int,
        *,
        lease_ms: int | None = None,
        queues: Collection[str] | None = None,
        without: Collection[str] = (),
        ids: Collection[str] | None = None,
    ) -> list[Claim]:
        """Take up to ``limit`` due jobs for ``owner``: scheduled -> running in one atomic step.

        First the jobs of dead owners (or with a lapsed lease) go back to scheduled, or are set aside after
        max_crashes. Jobs whose ``expires_ms`` has come, or that are due for longer than their ``grace_ms``, end
        as expired and are not claimed (a store may tell of them, by giving Claims). The others with
        ``due_ms <= now_ms`` are taken in the order (higher priority, earlier due, id); attempt and token grow by one.

        Passed over are those that are paused (see Pausable), and those of which one of their ``limits`` is used up:
        as many jobs that name it run as its ``most``; or, of a rate, its last start is less than ``per_ms / most`` ago
        (of a rate of more than ten a second those of the last tenth may start together). All processes count together.

        Args:
            now_ms: the present, in milliseconds since the epoch.
            owner: who claims; the store watches from now on whether it lives.
            limit: at most so many, 0 or more.
            lease_ms: how long a remote claim holds, in milliseconds; None where the kernel watches owners.
            queues: only jobs of these queues; None for all.
            without: names as of Pausable, ``task:<name>`` and ``schedule:<name>``: no job that a pause of these names
                would hold back. The caller cannot run them; others take them as ever.
            ids: only these jobs; None for all. What else is due stays where it is.
        """

    def renew(self, claims: Sequence[Claim], now_ms: int, lease_ms: int) -> list[Claim]:
        """Hold claims for ``lease_ms`` milliseconds more; returns those that were lost. Lost never revives."""

    def settle(self, settlements: Sequence[tuple[Claim, Outcome]], now_ms: int) -> list[Claim]:
        """Record how claims ended, each fenced by its token; returns the lost ones, which changed nothing.

        Two outcomes are no ends. Noted keeps what it says with the job: a note, or the reason why it stands still.
        Followed adds the next fire of the job's
        schedule, in the same atomic step and only if this job has not been followed yet; the job's key passes to it.

        When a job ends, here or by any other verb and in whatever way, each job named in its ``wakes`` that still waits
        has one less ``left`` in its ``after``; the last one makes it due at once, or ``delay_ms`` later.
        """

    def cancel(self, ids: Sequence[str], now_ms: int, *, reason: str | None = None) -> list[Found]:
        """End scheduled jobs as cancelled; for each id how it was found. Only SCHEDULED was cancelled.

        A running job is asked to end: its ``cancel_ms`` and ``reason`` say so, its function may look, and instead of
        being scheduled again (retried, snoozed, given back, rescued) it ends as cancelled.
        """

    def reschedule(self, id: str, due_ms: int, now_ms: int, *, finished: bool = False) -> Found:
        """Move a scheduled job to another due instant; how it was found. Only SCHEDULED was moved.

        Args:
            id: of the job.
            due_ms: the new instant, in milliseconds since the epoch.
            now_ms: the present, likewise.
            finished: schedule a job that has finished once more, too, as if it had never run (attempts and crashes
                count from zero; its token goes on growing). FINISHED then says that this was done.

        Raises:
            DuplicateJob: it has finished, and another job holds its key by now; nothing was changed.
        """

    def get(self, id: str) -> Job | None:
        """The job, or None if the store holds none of that id."""

    def scan(self, filter: Filter = Filter(), limit: int | None = None) -> list[Job]:
        """The jobs that pass the filter, in the order (due_ms, id); the first ``limit`` of them, or None for all."""

    def next_due(self, queues: Collection[str] | None = None, without: Collection[str] = ()) -> int | None:
        """The earliest due_ms of a scheduled job (it may have passed already), or None.

        This is asked at every step of a ticker, so it must not cost a look at all jobs. For some ``queues``, and
        ``without`` some tasks, it may therefore be earlier than theirs, when other jobs come due before; never later,
        and exact for what such a claim has found due already. What a claim has passed over does not count while it is
        held back: of a rate, until it lets the next one start.
        """

    def stats(self, now_ms: int) -> Stats:
        """The counts; see Stats."""

    def density(self, now_ms: int, horizon_s: int = 3600) -> list[int]:
        """Scheduled jobs by slot (3600 counts) among those due before ``now_ms`` + ``horizon_s`` seconds."""

    def check(self) -> list[str]:
        """Every violation of an invariant found in the store, in words; [] when it is sound."""

    def close(self) -> None:
        """Give back what is held. Twice is fine; any other verb afterwards raises StoreClosed."""


@runtime_checkable
class Wakeup(Protocol):
    """A store that can tell of new work before the next tick."""

    def wait(self, timeout_s: float) -> bool:
        """Sleep until notified, until another process changed the store, or for ``timeout_s``; True if woken."""

    def notify(self) -> None:
        """Wake whoever waits in this process."""


@runtime_checkable
class Beginning(Protocol):
    """A store that can be told which claims have begun, so that a death is counted against those alone."""

    def begin(self, owner: str, token: int) -> None:
        """The claim of this token is about to begin, and those before it have; 0 before the owner's first claim.

        Cheap: it need not outlive a power failure. Of an owner that has never called this every claim counts as begun.

        Raises:
            StoreError: it could not be recorded; the job must not begin.
        """


@runtime_checkable
class Erasing(Protocol):
    """A store that can drop finished jobs before their result_ttl is over."""

    def forget(self, ids: Sequence[str]) -> list[Found]:
        """Drop jobs that have finished, with their arguments and results; for each id how it was found.

        Only FINISHED was dropped: from now on no verb finds it, and its id may be used again. Durable as any change. A
        job that waits for the result finds it gone, as if its result_ttl were over. The totals still count it.
        """


@runtime_checkable
class Pausable(Protocol):
    """A store that can hold back the jobs of queues, tasks and schedules, durably and for all processes.

    Names are ``queue:<name>``, ``task:<name>`` and ``schedule:<name>`` (its next fire). Jobs that run go on; those that
    are held back become due, expire and misfire as ever, but no claim takes them.
    """

    def pause(self, names: Sequence[str]) -> list[str]:
        """Hold them back from now on; returns those that were not paused before."""

    def resume(self, names: Sequence[str]) -> list[str]:
        """Let them go on; returns those that were paused."""

    def paused(self) -> list[str]:
        """What is held back now, sorted."""
