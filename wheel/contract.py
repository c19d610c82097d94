"""Store: what any place that keeps the ring must do. The protocols after it are what a store may be able to do besides.

Every verb that changes something takes lists, is atomic (all of the call or none of it) and durable, as the store's
durability says, when it returns. ``now_ms`` is the present in milliseconds since the epoch. The rules of what happens
to a job are in turn.py: a store compares tokens, swaps what it is told to, and keeps the counts.
StoreContract in hourwheel.testing is this page as tests.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Literal, NamedTuple, Protocol, runtime_checkable

from .job import Claim, Job, State
from .turn import Effect

OnConflict = Literal["keep", "replace", "raise"]


class Found(StrEnum):
    """Where a verb found a job; the verb says which of them it changes."""

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


class Cursor(NamedTuple):
    """Where a scan stopped: behind the job with this due instant and id."""

    due_ms: int
    id: str


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
    """Ever, like the three that follow: jobs that have been dropped since are still counted."""
    failed: int
    cancelled: int
    expired: int
    hand: int
    """The last second swept."""
    next_due_ms: int | None


class Claims(list[Claim]):
    """What claim() returns: the claims, in the order of their tokens, and what the caller needs for its next call."""

    __slots__ = ("ask", "next_ms", "unrun")

    def __init__(
        self, claims: Iterable[Claim] = (), *, next_ms: int | None = None, ask: int = 0, unrun: Iterable[Job] = ()
    ) -> None:
        super().__init__(claims)
        self.next_ms: Final = next_ms
        """When it is worth asking again, if nothing changes before; None for not at all. It may have passed."""
        self.ask: Final = ask
        """What to give the next claim as ``ask``, once these are in good hands."""
        self.unrun: Final = tuple(unrun)
        """The jobs that ended in this call because it was too late to run them."""


class Store(Protocol):
    """Where a ring lives."""

    @property
    def lease_ms(self) -> int | None:
        """How long an owner is taken to live after its last sign of life, in milliseconds by the store's clock.

        None where the kernel tells when an owner dies; then beat() has nothing to do.
        """

    def now_ms(self) -> int | None:
        """The present by the store's own clock; None if it has none, and what its callers say counts."""

    # ---- adding and running ------------------------------------------------------------------------------

    def add(
        self, jobs: Sequence[Job], now_ms: int, *, on_conflict: OnConflict = "keep", fresh: bool = False
    ) -> list[str]:
        """Accept jobs, all or none.

        Idempotent by id: a job whose id the store holds already is left as it is. A job with a ``key`` that an
        unfinished job holds is, by ``on_conflict``, not added ("keep"), put in the place of the pending one, which
        ends as cancelled ("replace"; a running one is left to run), or refused ("raise"). A job that was replaced is
        kept for five minutes at most.

        When both have a ``latest_ms``, the earlier one stands, and the new job is due then at the latest.

        Args:
            jobs: state scheduled, attempt 0.
            now_ms: the present.
            on_conflict: "keep", "replace" or "raise".
            fresh: the caller vouches that the ids are new and that there are no keys, so no look-up is needed.

        Returns:
            For each job the id of the job that now stands for it: its own, or the one kept.

        Raises:
            DuplicateJob: on_conflict is "raise" and a key is taken; nothing was added.
            StoreUncertain: it is not known whether the jobs were added. The same call again is safe.
            StoreError: the store cannot accept; nothing was added.
        """

    def claim(
        self,
        owner: str,
        now_ms: int,
        limit: int,
        *,
        queues: Collection[str] | None = None,
        without: Collection[str] = (),
        ids: Collection[str] | None = None,
        ask: int | None = None,
    ) -> Claims:
        """Take up to ``limit`` due jobs for ``owner``: scheduled -> running in one atomic step.

        First the jobs of dead owners go back to scheduled, or are set aside after max_crashes. Jobs whose
        ``expires_ms`` has come, or that are due for longer than their ``grace_ms``, end as expired and are not
        claimed. The others with ``due_ms <= now_ms`` are taken in the order (higher priority, earlier due, id);
        attempt and token grow by one.

        Passed over are those that are paused, and those of which one of their ``limits`` is used up: as many jobs that
        name it run as its ``most``; or, of a rate, its last start is less than ``per_ms / most`` ago (of a rate of
        more than ten a second those of the last tenth may start together). All processes count together.

        Args:
            owner: who claims. This is a sign of life; the store watches from now on whether it lives.
            now_ms: the present.
            limit: at most so many, 0 or more.
            queues: only jobs of these queues; None for all.
            without: names as of pause(), ``task:<name>`` and ``schedule:<name>``: no job that a pause of these names
                would hold back. The caller cannot run them; others take them as ever.
            ids: only these jobs; None for all. What else is due stays where it is.
            ask: what the owner's last answer gave as ``ask``. Claims that the owner has been given since, and whose
                answer it has not got, are given again, beside up to ``limit`` new ones. None for the first call,
                which should be for nothing (limit 0): then no answer can be lost that matters.
        """

    def beat(self, owner: str, now_ms: int) -> bool:
        """Tell the store that an owner lives; False if it was taken for dead, so that its claims are lost."""

    def settle(self, settlements: Sequence[tuple[Claim, Effect]], now_ms: int) -> list[Claim]:
        """Record what claims came to, each fenced by its token; returns the lost ones, which changed nothing.

        ``Keep`` leaves the job running. If it has a next fire, that is added in the same atomic step, if no other
        has followed this job before; the job's key passes to it. ``Again`` ends the job as cancelled instead, if it was
        asked to end or a newer job holds its key; see turn.settled().

        When a job ends, here or by any other verb and in whatever way, each job named in its ``wakes`` that still waits
        has one less to wait for; the last one makes it due at once, or ``delay_ms`` later.
        """

    # ---- changing ----------------------------------------------------------------------------------------

    def cancel(self, ids: Sequence[str], now_ms: int, *, reason: str | None = None) -> list[Found]:
        """End scheduled jobs as cancelled; for each id where it was found. Only SCHEDULED was cancelled.

        A running job is asked to end: its ``cancel_ms`` and ``reason`` say so, its function may look, and instead of
        being scheduled again (retried, snoozed, given back, rescued) it ends as cancelled.
        """

    def reschedule(self, ids: Sequence[str], due_ms: int, now_ms: int) -> list[Found]:
        """Move scheduled jobs to another due instant; for each id where it was found. Only SCHEDULED was moved."""

    def revive(self, ids: Sequence[str], due_ms: int, now_ms: int) -> list[Found]:
        """Schedule finished jobs once more, as if they had never run; for each id where it was found.

        Only FINISHED was revived. Attempts and crashes count from zero; the token goes on growing.

        Raises:
            DuplicateJob: another job holds the key of one of them by now; nothing was changed.
        """

    def forget(self, ids: Sequence[str]) -> list[Found]:
        """Drop finished jobs, with their arguments and results; for each id where it was found.

        Only FINISHED was dropped: from now on no verb finds it, and its id may be used again. A job that waits for
        the result finds it gone, as if its result_ttl were over. The totals still count it.
        """

    def tidy(self, now_ms: int, limit: int = 10_000) -> int:
        """Drop finished jobs whose time is over, as forget() would, at most about ``limit``; how many it has dropped.

        A worker calls this every few seconds. A store may drop them by itself as well.
        """

    def pause(self, names: Sequence[str]) -> list[str]:
        """Hold jobs back, durably and for all processes; returns the names that were not paused before.

        Names are ``queue:<name>``, ``task:<name>`` and ``schedule:<name>`` (its next fire). Running jobs go on; those
        that are held back become due, expire and misfire as ever, but no claim takes them.
        """

    def resume(self, names: Sequence[str]) -> list[str]:
        """Let them go on; returns the names that were paused."""

    def paused(self) -> list[str]:
        """What is held back now, sorted."""

    # ---- looking -----------------------------------------------------------------------------------------

    def get(self, ids: Sequence[str]) -> list[Job | None]:
        """For each id the job, or None if the store holds none of that id."""

    def scan(self, filter: Filter = Filter(), limit: int | None = None, *, after: Cursor | None = None) -> list[Job]:
        """The jobs that pass the filter, in the order (due_ms, id).

        Args:
            filter: which jobs.
            limit: at most so many; None for all.
            after: only those behind this one; see pages().
        """

    def next_due(self, queues: Collection[str] | None = None, without: Collection[str] = ()) -> int | None:
        """The earliest due_ms of a scheduled job (it may have passed already), or None.

        It does not cost a look at all jobs. For some ``queues``, and ``without`` some tasks, it may therefore be
        earlier than theirs, when other jobs come due before; never later, and exact for what such a claim has found due
        already. What a claim has passed over does not count while it is held back: of a rate, until it lets the next
        one start.
        """

    def stats(self, now_ms: int) -> Stats:
        """The counts; see Stats."""

    def check(self) -> list[str]:
        """Every violation of an invariant found in the store, in words; [] when it is sound."""

    def close(self) -> None:
        """Give back what is held. Twice is fine; any other verb afterwards raises StoreClosed."""


def pages(store: Store, filter: Filter = Filter(), size: int = 10_000) -> Iterator[Job]:
    """All jobs that pass a filter, read page by page, so that a large store is never in memory as a whole.

    A job that is moved meanwhile may come twice, or not at all.
    """
    if isinstance(store, Streaming):
        yield from store.each(filter)
        return
    after: Cursor | None = None
    while True:
        page = store.scan(filter, size, after=after)
        yield from page
        if len(page) < size:
            return
        after = Cursor(page[-1].due_ms, page[-1].id)


def find(store: Store, id: str) -> Job | None:
    """The one job of that id, or None."""
    return store.get((id,))[0]


# ---- what a store may be able to do besides ----------------------------------------------------------------


@runtime_checkable
class Wakeup(Protocol):
    """A store that can tell of new work before the next tick."""

    def wait(self, timeout_s: float) -> bool:
        """Sleep until notified, until another process changed the store, or for ``timeout_s``; True if woken."""

    def notify(self) -> None:
        """Wake what waits in this process."""


@runtime_checkable
class Density(Protocol):
    """A store that can show how full its ring is."""

    def density(self, now_ms: int, horizon_s: int = 3600) -> list[int]:
        """Scheduled jobs by slot (3600 counts) among those due before ``now_ms`` + ``horizon_s`` seconds."""


@runtime_checkable
class Streaming(Protocol):
    """A store that can show its jobs one by one, as it is when nobody changes it meanwhile."""

    def each(self, filter: Filter = Filter()) -> Iterator[Job]:
        """The jobs that pass the filter, in the order (due_ms, id)."""


@runtime_checkable
class Beginning(Protocol):
    """A store that can be told which claims have begun, so that a death is counted against those alone."""

    def begin(self, owner: str, token: int) -> None:
        """The claim of this token is about to begin, and those before it have; 0 before the owner's first claim.

        Cheap: it need not outlive a power failure. Of an owner that has never called this every claim counts as begun.

        Raises:
            StoreError: it could not be recorded; the job must not begin.
        """
